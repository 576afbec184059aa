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
    schema::{tradesync_changes, tradesync_runs, tradesync_streams},
    stream_health,
    transaction::{Problem, transact},
};
use crate::{
    domain::ids,
    engine::{
        model::{Counts, Phase, Run, State},
        ports::{Beat, Finish},
    },
    fault::{Code, Fault},
};

#[derive(diesel::QueryableByName)]
struct Asked {
    #[diesel(sql_type = Bool)]
    cancel_requested: bool,
}

pub(super) fn beat(connection: &mut MysqlConnection, run: &str, fence: u64, lease: Duration) -> Result<Beat, Fault> {
    let kept = sql_query(
        "UPDATE tradesync_runs SET lease_until = NOW(6) + INTERVAL ? MICROSECOND WHERE id = ? AND fence = ? AND state = 'running'",
    )
    .bind::<BigInt, _>(micros(lease))
    .bind::<Text, _>(run)
    .bind::<Unsigned<BigInt>, _>(fence)
    .execute(connection)
    .map_err(fault)?;
    if kept == 0 {
        return Ok(Beat::Lost);
    }
    let asked: Option<Asked> = sql_query("SELECT cancel_requested FROM tradesync_runs WHERE id = ?")
        .bind::<Text, _>(run)
        .get_result(connection)
        .optional()
        .map_err(fault)?;
    Ok(if asked.is_some_and(|asked| asked.cancel_requested) { Beat::CancelRequested } else { Beat::Held })
}

/// Locks the run's row and makes sure that it is still this holder's.
pub(super) fn hold(connection: &mut MysqlConnection, run: &str, fence: u64) -> Result<Run, Problem> {
    runs::lock_held(connection, run, fence)?.ok_or_else(|| taken_over().into())
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
fn kept(rows: usize) -> Result<(), Fault> {
    if rows == 0 { Err(taken_over()) } else { Ok(()) }
}

pub(super) fn progress(connection: &mut MysqlConnection, run: &str, fence: u64, read: u64, total: Option<u64>) -> Result<(), Fault> {
    use tradesync_runs::dsl as r;
    let rows = diesel::update(r::tradesync_runs.find(run).filter(r::fence.eq(fence)))
        .set((r::read_rows.eq(read), r::total_rows.eq(total), r::version.eq(r::version + 1)))
        .execute(connection)
        .map_err(fault)?;
    kept(rows)
}

pub(super) fn begin(
    connection: &mut MysqlConnection,
    run: &str,
    fence: u64,
    settings: &str,
    cursor_before: Option<DateTime<Utc>>,
) -> Result<(), Fault> {
    // In this order: the second looks at what the first found.
    let rows = sql_query(
        "UPDATE tradesync_runs SET cursor_before = IF(settings IS NULL, ?, cursor_before), settings = COALESCE(settings, ?), version = version + 1 \
         WHERE id = ? AND fence = ? AND state = 'running'",
    )
    .bind::<Nullable<Datetime>, _>(cursor_before.map(|time| time.naive_utc()))
    .bind::<Text, _>(settings)
    .bind::<Text, _>(run)
    .bind::<Unsigned<BigInt>, _>(fence)
    .execute(connection)
    .map_err(fault)?;
    kept(rows)
}

pub(super) fn read_done(connection: &mut MysqlConnection, run: &str, fence: u64, summary: &str, read: u64) -> Result<(), Fault> {
    use tradesync_runs::dsl as r;
    let rows = diesel::update(r::tradesync_runs.find(run).filter(r::fence.eq(fence)).filter(r::state.eq("running")))
        .set((r::read_summary.eq(Some(summary)), r::read_rows.eq(read), r::phase.eq("decide"), r::version.eq(r::version + 1)))
        .execute(connection)
        .map_err(fault)?;
    kept(rows)
}

pub(super) fn decided(connection: &mut MysqlConnection, run: &str, fence: u64, counts: Counts, next: Phase) -> Result<(), Fault> {
    use tradesync_runs::dsl as r;
    let rows = diesel::update(r::tradesync_runs.find(run).filter(r::fence.eq(fence)).filter(r::state.eq("running")))
        .set((r::counts.eq(text(&counts)?), r::phase.eq(word(next)?), r::version.eq(r::version + 1)))
        .execute(connection)
        .map_err(fault)?;
    kept(rows)
}

/// The first run of a stream counts from here on: sums over shops are taken of streams that were read at least once.
pub(super) fn applied(connection: &mut MysqlConnection, run: &str, fence: u64) -> Result<(), Fault> {
    use tradesync_streams::dsl as s;
    transact(connection, |connection| {
        let held = hold(connection, run, fence)?;
        let stream = s::tradesync_streams.find((&held.connection, &held.stream)).filter(s::last_synced_at.is_null());
        diesel::update(stream).set(s::last_synced_at.eq(held.started_at.map(|time| time.naive_utc()))).execute(connection)?;
        Ok(())
    })
}

pub(super) fn finish(connection: &mut MysqlConnection, run: &str, fence: u64, finish: &Finish) -> Result<(), Fault> {
    transact(connection, |connection| {
        let held = hold(connection, run, fence)?;
        end(connection, &held, finish)
    })
}

fn end(connection: &mut MysqlConnection, held: &Run, finish: &Finish) -> Result<(), Problem> {
    use tradesync_runs::dsl as r;
    use tradesync_streams::dsl as s;
    let run = held.id.as_str();
    let stream = s::tradesync_streams.find((&held.connection, &held.stream));
    if let Some(cursor) = finish.cursor {
        // A cursor that a person set while the run was at work stands.
        let before = held.cursor_before.map(|time| time.naive_utc());
        let unmoved = match before {
            Some(before) => diesel::update(stream.filter(s::sync_cursor.eq(before)))
                .set(s::sync_cursor.eq(Some(cursor.naive_utc())))
                .execute(connection)?,
            None => diesel::update(stream.filter(s::sync_cursor.is_null()))
                .set(s::sync_cursor.eq(Some(cursor.naive_utc())))
                .execute(connection)?,
        };
        if unmoved == 0 {
            tracing::info!(run.id = %held.id, "the cursor was set by a person while the run was at work; it stands");
        }
    }
    diesel::update(stream)
        .set((
            finish.synced.then(|| s::last_synced_at.eq(held.started_at.map(|time| time.naive_utc()))),
            finish.whole_read_at.map(|whole| s::last_whole_read_at.eq(Some(whole.naive_utc()))),
            finish.full_every_seconds.map(|seconds| s::full_every_seconds.eq(Some(seconds))),
            s::version.eq(s::version + 1),
        ))
        .execute(connection)?;
    let cursor_after = finish.cursor.or(held.cursor_before).map(|time| time.naive_utc());
    let error = finish.error.as_ref().map(text).transpose()?;
    let done = finish.state.is_final() && !leaves_intents(connection, run)?;
    diesel::update(r::tradesync_runs.find(run))
        .set((
            r::state.eq(word(finish.state)?),
            r::error.eq(error),
            r::cursor_after.eq(cursor_after),
            r::finished_at.eq(diesel::dsl::sql::<diesel::sql_types::Nullable<diesel::sql_types::Datetime>>("UTC_TIMESTAMP(6)")),
            r::live_stream.eq(None::<String>),
            r::lease_holder.eq(None::<String>),
            r::lease_until.eq(None::<NaiveDateTime>),
            done.then(|| r::phase.eq("done")),
            r::version.eq(r::version + 1),
        ))
        .execute(connection)?;
    stream_health::note(connection, held, finish)?;
    // A run that was taken once never went back into the queue, nor lost its worker.
    if held.attempts > 1 {
        queue::leave(connection, run)?;
    }
    if let Some(expiry) = finish.approvable_for {
        plans::wait(connection, held, expiry)?;
    }
    if matches!(finish.state, State::AwaitingApproval | State::Succeeded | State::Partial) {
        events::tell(connection, held)?;
        events::tell_held(connection, held)?;
    }
    Ok(())
}

/// Whether effects of the run may stand that are not recorded. Its phase stays then, so that who finishes them need not look through the
/// changes of all runs.
fn leaves_intents(connection: &mut MysqlConnection, run: &str) -> Result<bool, Problem> {
    use tradesync_changes::dsl as c;
    let left = c::tradesync_changes.filter(c::run_id.eq(run)).filter(c::state.eq("applying")).select(c::id).limit(1);
    Ok(left.first::<u64>(connection).optional()?.is_some())
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
        let held = hold(connection, run, fence)?;
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
