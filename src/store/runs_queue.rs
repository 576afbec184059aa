//! The worker's side of runs: claiming, heartbeats, progress, the end. Every write checks the fence.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::{
    MysqlConnection,
    prelude::*,
    sql_query,
    sql_types::{BigInt, Bool, Text, Unsigned},
};

use super::{
    convert::{text, word},
    events, fault,
    leases::micros,
    plans, runs,
    schema::{tradesync_changes, tradesync_runs, tradesync_streams},
    transaction::{Problem, transact},
};
use crate::{
    engine::{
        model::{Counts, Phase, Run, State},
        ports::{Beat, Claimed, Finish},
    },
    fault::{Code, Fault},
};

#[derive(diesel::QueryableByName)]
struct Due {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Unsigned<BigInt>)]
    fence: u64,
}

/// How many due runs are looked at before the worker waits again.
const LOOK: u32 = 20;

/// Takes the oldest due run. A run that is running with an expired lease belongs to a dead worker and is due too.
pub(super) fn claim(connection: &mut MysqlConnection, worker: &str, lease: Duration) -> Result<Option<Claimed>, Fault> {
    let due: Vec<Due> = sql_query(format!(
        "(SELECT id, fence, created_at FROM tradesync_runs WHERE state = 'queued' AND (not_before IS NULL OR not_before <= UTC_TIMESTAMP(6)) ORDER BY created_at LIMIT {LOOK}) \
         UNION ALL (SELECT id, fence, created_at FROM tradesync_runs WHERE state = 'running' AND lease_until < NOW(6) ORDER BY created_at LIMIT {LOOK}) ORDER BY created_at"
    ))
    .load(connection)
    .map_err(fault)?;
    for run in due {
        let taken = sql_query(
            "UPDATE tradesync_runs SET state = 'running', lease_holder = ?, lease_until = NOW(6) + INTERVAL ? MICROSECOND, fence = fence + 1, attempts = attempts + 1, \
             started_at = COALESCE(started_at, UTC_TIMESTAMP(6)), not_before = NULL, version = version + 1 \
             WHERE id = ? AND fence = ? AND (state = 'queued' OR (state = 'running' AND lease_until < NOW(6)))",
        )
        .bind::<Text, _>(worker)
        .bind::<BigInt, _>(micros(lease))
        .bind::<Text, _>(&run.id)
        .bind::<Unsigned<BigInt>, _>(run.fence)
        .execute(connection)
        .map_err(fault)?;
        if taken == 1 {
            let found = transact(connection, |connection| runs::find(connection, &run.id))?;
            return Ok(found.map(|found| Claimed { fence: run.fence + 1, run: found }));
        }
    }
    Ok(None)
}

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
    still_held(connection, run, fence)?;
    runs::find(connection, run)?.ok_or_else(|| Fault::new(Code::LeaseLost, "the run is gone").into())
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
        return Err(Fault::new(Code::LeaseLost, "the run was taken over by another worker").into());
    }
    Ok(())
}

pub(super) fn progress(connection: &mut MysqlConnection, run: &str, fence: u64, read: u64, total: Option<u64>) -> Result<(), Fault> {
    use tradesync_runs::dsl as r;
    let kept = diesel::update(r::tradesync_runs.find(run).filter(r::fence.eq(fence)))
        .set((r::read_rows.eq(read), r::total_rows.eq(total), r::version.eq(r::version + 1)))
        .execute(connection)
        .map_err(fault)?;
    if kept == 0 { Err(Fault::new(Code::LeaseLost, "the run was taken over by another worker")) } else { Ok(()) }
}

pub(super) fn begin(
    connection: &mut MysqlConnection,
    run: &str,
    fence: u64,
    settings: &str,
    cursor_before: Option<DateTime<Utc>>,
) -> Result<(), Fault> {
    use tradesync_runs::dsl as r;
    transact(connection, |connection| {
        still_held(connection, run, fence)?;
        diesel::update(r::tradesync_runs.find(run).filter(r::settings.is_null()))
            .set((r::settings.eq(Some(settings)), r::cursor_before.eq(cursor_before.map(|time| time.naive_utc()))))
            .execute(connection)?;
        Ok(())
    })
}

pub(super) fn read_done(connection: &mut MysqlConnection, run: &str, fence: u64, summary: &str, read: u64) -> Result<(), Fault> {
    use tradesync_runs::dsl as r;
    transact(connection, |connection| {
        still_held(connection, run, fence)?;
        diesel::update(r::tradesync_runs.find(run))
            .set((r::read_summary.eq(Some(summary)), r::read_rows.eq(read), r::phase.eq("decide"), r::version.eq(r::version + 1)))
            .execute(connection)?;
        Ok(())
    })
}

pub(super) fn decided(connection: &mut MysqlConnection, run: &str, fence: u64, counts: Counts, next: Phase) -> Result<(), Fault> {
    use tradesync_runs::dsl as r;
    transact(connection, |connection| {
        still_held(connection, run, fence)?;
        diesel::update(r::tradesync_runs.find(run))
            .set((r::counts.eq(text(&counts)?), r::phase.eq(word(next)?), r::version.eq(r::version + 1)))
            .execute(connection)?;
        Ok(())
    })
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
    if finish.synced {
        diesel::update(stream).set(s::last_synced_at.eq(held.started_at.map(|time| time.naive_utc()))).execute(connection)?;
    }
    if let Some(whole) = finish.whole_read_at {
        diesel::update(stream).set(s::last_whole_read_at.eq(Some(whole.naive_utc()))).execute(connection)?;
    }
    if let Some(seconds) = finish.full_every_seconds {
        diesel::update(stream).set(s::full_every_seconds.eq(Some(seconds))).execute(connection)?;
    }
    diesel::update(stream).set(s::version.eq(s::version + 1)).execute(connection)?;
    let cursor_after = finish.cursor.or(held.cursor_before).map(|time| time.naive_utc());
    let error = finish.error.as_ref().map(text).transpose()?;
    diesel::update(r::tradesync_runs.find(run))
        .set((
            r::state.eq(word(finish.state)?),
            r::error.eq(error),
            r::cursor_after.eq(cursor_after),
            r::finished_at.eq(diesel::dsl::sql::<diesel::sql_types::Nullable<diesel::sql_types::Datetime>>("UTC_TIMESTAMP(6)")),
            r::live_stream.eq(None::<String>),
            r::lease_holder.eq(None::<String>),
            r::lease_until.eq(None::<NaiveDateTime>),
            r::version.eq(r::version + 1),
        ))
        .execute(connection)?;
    if let Some(expiry) = finish.approvable_for {
        plans::wait(connection, held, expiry)?;
    }
    if matches!(finish.state, State::AwaitingApproval | State::Succeeded | State::Partial) {
        events::tell(connection, held)?;
    }
    if finish.state.is_final() {
        use tradesync_changes::dsl as c;
        // The phase of a run that leaves intents behind stays, so that who finishes them need not look through the changes of all runs.
        let left = diesel::dsl::exists(c::tradesync_changes.filter(c::run_id.eq(run)).filter(c::state.eq("applying")));
        if !diesel::select(left).get_result::<bool>(connection)? {
            diesel::update(r::tradesync_runs.find(run)).set(r::phase.eq("done")).execute(connection)?;
        }
    }
    Ok(())
}

pub(super) fn requeue(connection: &mut MysqlConnection, run: &str, fence: u64, not_before: Option<DateTime<Utc>>) -> Result<(), Fault> {
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
        Ok(())
    })
}
