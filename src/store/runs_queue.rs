//! The worker's side of runs that it holds: heartbeats, progress, the end. Every write checks the fence. [`super::queue`] hands them out.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::{
    MysqlConnection,
    prelude::*,
    sql_query,
    sql_types::{BigInt, Bool, Datetime, Nullable, Text, Unsigned},
};

use super::{
    convert::{text, word},
    events, fault,
    leases::micros,
    plans, queue, runs,
    schema::tradesync_runs,
    stream_health,
    transaction::{Problem, repeated, transact},
};
use crate::{
    db::kept,
    domain::ids,
    engine::{
        model::{Counts, Phase, Run, State},
        ports::{Beat, Finish, ReadOf},
    },
    fault::{Code, Fault},
};

#[derive(diesel::QueryableByName)]
struct Asked {
    #[diesel(sql_type = Bool)]
    cancel_requested: bool,
}

pub(super) fn beat(connection: &mut MysqlConnection, run: &str, fence: u64, lease: Duration) -> Result<Beat, Fault> {
    let beaten =
        kept("UPDATE tradesync_runs SET lease_until = NOW(6) + INTERVAL ? MICROSECOND WHERE id = ? AND fence = ? AND state = 'running'")
            .bind::<BigInt, _>(micros(lease))
            .bind::<Text, _>(run)
            .bind::<Unsigned<BigInt>, _>(fence)
            .execute(connection)
            .map_err(fault)?;
    if beaten == 0 {
        return Ok(Beat::Lost);
    }
    let asked: Option<Asked> = kept("SELECT cancel_requested FROM tradesync_runs WHERE id = ?")
        .bind::<Text, _>(run)
        .get_result(connection)
        .optional()
        .map_err(fault)?;
    Ok(if asked.is_some_and(|asked| asked.cancel_requested) { Beat::CancelRequested } else { Beat::Held })
}

/// Locks the run's row and makes sure that it is still this holder's. Its plan is left out.
pub(super) fn hold(connection: &mut MysqlConnection, run: &str, fence: u64) -> Result<Run, Problem> {
    runs::lock_held(connection, run, fence)?.ok_or_else(|| taken_over().into())
}

/// The same with its plan.
pub(super) fn hold_with_plan(connection: &mut MysqlConnection, run: &str, fence: u64) -> Result<Run, Problem> {
    let mut held = hold(connection, run, fence)?;
    plans::attach(connection, std::slice::from_mut(&mut held))?;
    Ok(held)
}

fn taken_over() -> Fault {
    Fault::new(Code::LeaseLost, "the run was taken over by another worker")
}

/// The same lock for those who need nothing of the run.
pub(super) fn still_held(connection: &mut MysqlConnection, run: &str, fence: u64) -> Result<(), Problem> {
    use tradesync_runs::dsl as r;
    let held: Option<u64> = r::tradesync_runs
        .find(run)
        .filter(r::fence.eq(fence))
        .filter(r::state.eq("running"))
        .select(r::fence)
        .for_update()
        .first(connection)
        .optional()?;
    if held.is_none() {
        return Err(taken_over().into());
    }
    Ok(())
}

/// One statement instead of a transaction: the holder's row changes only while the fence stands. Each that is written so moves the
/// version, so that it counts as changed.
fn still_mine(rows: usize) -> Result<(), Fault> {
    if rows == 0 { Err(taken_over()) } else { Ok(()) }
}

pub(super) fn progress(connection: &mut MysqlConnection, run: &str, fence: u64, read: u64, total: Option<u64>) -> Result<(), Fault> {
    let rows = kept("UPDATE tradesync_runs SET read_rows = ?, total_rows = ?, version = version + 1 WHERE id = ? AND fence = ?")
        .bind::<Unsigned<BigInt>, _>(read)
        .bind::<Nullable<Unsigned<BigInt>>, _>(total)
        .bind::<Text, _>(run)
        .bind::<Unsigned<BigInt>, _>(fence)
        .execute(connection)
        .map_err(fault)?;
    still_mine(rows)
}

pub(super) fn begin(
    connection: &mut MysqlConnection,
    run: &str,
    fence: u64,
    settings: &str,
    cursor_before: Option<DateTime<Utc>>,
) -> Result<(), Fault> {
    // In this order: the second looks at what the first found.
    let rows = kept(
        "UPDATE tradesync_runs SET cursor_before = IF(settings IS NULL, ?, cursor_before), settings = COALESCE(settings, ?), version = version + 1 \
         WHERE id = ? AND fence = ? AND state = 'running'",
    )
    .bind::<Nullable<Datetime>, _>(cursor_before.map(|time| time.naive_utc()))
    .bind::<Text, _>(settings)
    .bind::<Text, _>(run)
    .bind::<Unsigned<BigInt>, _>(fence)
    .execute(connection)
    .map_err(fault)?;
    still_mine(rows)
}

pub(super) fn read_done(connection: &mut MysqlConnection, of: &ReadOf, summary: &str) -> Result<(), Problem> {
    let rows = kept(
        "UPDATE tradesync_runs SET read_summary = ?, read_rows = ?, total_rows = COALESCE(?, total_rows), phase = 'decide', version = version + 1 \
         WHERE id = ? AND fence = ? AND state = 'running'",
    )
    .bind::<Text, _>(summary)
    .bind::<Unsigned<BigInt>, _>(of.rows)
    .bind::<Nullable<Unsigned<BigInt>>, _>(of.total)
    .bind::<Text, _>(&of.run)
    .bind::<Unsigned<BigInt>, _>(of.fence)
    .execute(connection)?;
    Ok(still_mine(rows)?)
}

pub(super) fn decided(connection: &mut MysqlConnection, run: &str, fence: u64, counts: Counts, next: Phase) -> Result<(), Problem> {
    let rows =
        kept("UPDATE tradesync_runs SET counts = ?, phase = ?, version = version + 1 WHERE id = ? AND fence = ? AND state = 'running'")
            .bind::<Text, _>(text(&counts)?)
            .bind::<Text, _>(word(next)?)
            .bind::<Text, _>(run)
            .bind::<Unsigned<BigInt>, _>(fence)
            .execute(connection)?;
    Ok(still_mine(rows)?)
}

/// The first run of a stream counts from here on: sums over shops are taken of streams that were read at least once.
pub(super) fn applied(connection: &mut MysqlConnection, run: &str, fence: u64) -> Result<(), Fault> {
    // One statement, which sees for itself whether the run is still this holder's; if it is not, the next step says so.
    repeated(connection, |connection| {
        let noted = kept(
            "UPDATE tradesync_runs r STRAIGHT_JOIN tradesync_streams s ON s.connection_id = r.connection_id AND s.stream = r.stream AND s.last_synced_at IS NULL \
             SET s.last_synced_at = r.started_at WHERE r.id = ? AND r.fence = ? AND r.state = 'running'",
        )
        .bind::<Text, _>(run)
        .bind::<Unsigned<BigInt>, _>(fence);
        noted.execute(connection)?;
        Ok(())
    })
}

pub(super) fn finish(connection: &mut MysqlConnection, run: &str, fence: u64, finish: &Finish) -> Result<(), Fault> {
    transact(connection, |connection| {
        let mut held = hold(connection, run, fence)?;
        // Of most runs there is nothing to tell, and their plan says nothing. A dry run's says whether it was approved, and so counts.
        if finish.telling || held.dry_run {
            plans::attach(connection, std::slice::from_mut(&mut held))?;
        }
        end(connection, &held, finish)
    })
}

fn end(connection: &mut MysqlConnection, held: &Run, finish: &Finish) -> Result<(), Problem> {
    let run = held.id.as_str();
    // A cursor that a person set while the run was at work stands.
    let cursor = finish.cursor.map(|cursor| cursor.naive_utc());
    let synced = if finish.synced { held.started_at.map(|time| time.naive_utc()) } else { None };
    kept(
        "UPDATE tradesync_streams SET sync_cursor = IF(? AND sync_cursor <=> ?, ?, sync_cursor), last_synced_at = COALESCE(?, last_synced_at), \
         last_whole_read_at = COALESCE(?, last_whole_read_at), full_every_seconds = COALESCE(?, full_every_seconds), version = version + 1 \
         WHERE connection_id = ? AND stream = ?",
    )
    .bind::<Bool, _>(cursor.is_some())
    .bind::<Nullable<Datetime>, _>(held.cursor_before.map(|time| time.naive_utc()))
    .bind::<Nullable<Datetime>, _>(cursor)
    .bind::<Nullable<Datetime>, _>(synced)
    .bind::<Nullable<Datetime>, _>(finish.whole_read_at.map(|whole| whole.naive_utc()))
    .bind::<Nullable<Unsigned<BigInt>>, _>(finish.full_every_seconds)
    .bind::<Text, _>(&held.connection)
    .bind::<Text, _>(&held.stream)
    .execute(connection)?;
    let cursor_after = finish.cursor.or(held.cursor_before).map(|time| time.naive_utc());
    let error = finish.error.as_ref().map(text).transpose()?;
    // Effects of the run may stand that are not recorded: its phase stays then, so that who finishes them need not look through the
    // changes of all runs.
    kept(
        "UPDATE tradesync_runs SET state = ?, error = ?, cursor_after = ?, finished_at = UTC_TIMESTAMP(6), live_stream = NULL, lease_holder = NULL, \
         lease_until = NULL, version = version + 1, \
         phase = IF(? AND NOT EXISTS (SELECT 1 FROM tradesync_changes c WHERE c.run_id = ? AND c.state = 'applying'), 'done', phase) WHERE id = ?",
    )
    .bind::<Text, _>(word(finish.state)?)
    .bind::<Nullable<Text>, _>(error)
    .bind::<Nullable<Datetime>, _>(cursor_after)
    .bind::<Bool, _>(finish.state.is_final())
    .bind::<Text, _>(run)
    .bind::<Text, _>(run)
    .execute(connection)?;
    stream_health::note(connection, held, finish)?;
    // A run that was taken once never went back into the queue, nor lost its worker.
    if held.attempts > 1 {
        queue::leave(connection, run)?;
    }
    if let Some(expiry) = finish.approvable_for {
        plans::wait(connection, held, expiry)?;
    }
    if finish.telling && matches!(finish.state, State::AwaitingApproval | State::Succeeded | State::Partial) {
        events::tell(connection, held)?;
        events::tell_held(connection, held)?;
    }
    Ok(())
}

pub(super) fn requeue(
    connection: &mut MysqlConnection,
    run: &str,
    fence: u64,
    not_before: Option<DateTime<Utc>>,
    setback: bool,
) -> Result<(), Fault> {
    use tradesync_runs::dsl as r;
    transact(connection, |connection| {
        let held = hold_with_plan(connection, run, fence)?;
        if held.cancel_requested {
            // Nobody beats for a queued run: it would end only when it is taken up again, which may be hours away.
            let cancelled = Fault::new(Code::Cancelled, "a person cancelled the run");
            return end(connection, &held, &Finish::without_effect(State::Cancelled, &cancelled));
        }
        diesel::update(r::tradesync_runs.find(run))
            .set((
                r::state.eq("queued"),
                r::not_before.eq(not_before.map(|time| time.naive_utc())),
                r::lease_holder.eq(None::<String>),
                r::lease_until.eq(None::<NaiveDateTime>),
                r::version.eq(r::version + 1),
            ))
            .execute(connection)?;
        queue::wait_again(connection, run, setback)
    })
}

/// From here on a run only fetches pictures: nobody waits for it.
pub(super) fn showing(connection: &mut MysqlConnection, run: &str, fence: u64) -> Result<(), Fault> {
    use tradesync_runs::dsl as r;
    transact(connection, |connection| {
        still_held(connection, run, fence)?;
        diesel::update(r::tradesync_runs.find(run)).set((r::phase.eq("pictures"), r::version.eq(r::version + 1))).execute(connection)?;
        Ok(())
    })
}

/// Queues a run of its own for the pictures that a run had no time for, unless one waits already. It is no live run of its stream:
/// prices and stock go on beside it.
pub(super) fn show_rest(connection: &mut MysqlConnection, of: &str) -> Result<bool, Fault> {
    let queued = sql_query(
        "INSERT INTO tradesync_runs (id, flow, connection_id, stream, owner, started_by, mode, dry_run, state, phase, created_at, counts) \
         SELECT ?, r.flow, r.connection_id, r.stream, r.owner, 'pictures', r.mode, 0, 'queued', 'pictures', UTC_TIMESTAMP(6), '{}' \
         FROM tradesync_runs r JOIN tradesync_connections c ON c.id = r.connection_id \
         WHERE r.id = ? AND c.enabled AND c.deleted_at IS NULL AND NOT EXISTS \
           (SELECT 1 FROM tradesync_runs o WHERE o.connection_id = r.connection_id AND o.started_by = 'pictures' AND o.state = 'queued')",
    )
    .bind::<Text, _>(ids::fresh())
    .bind::<Text, _>(of)
    .execute(connection)
    .map_err(fault)?;
    Ok(queued == 1)
}
