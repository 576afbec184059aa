//! The scheduler's side of schedules: a tick is claimed by compare-and-set on the due time, in the transaction that queues its run or
//! writes down why it was skipped.

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::{
    MysqlConnection,
    dsl::sql,
    prelude::*,
    select,
    sql_types::{Bool, Datetime, Nullable, Text},
};

use super::{
    convert::word,
    fault, runs,
    schema::{tradesync_schedule_runs, tradesync_schedule_skips, tradesync_schedules},
    transaction::Problem,
};
use crate::{
    db::kept,
    engine::{
        model::{NewRun, Trigger},
        schedule::{Outcome, Schedule, SkipReason, tick::Tick},
    },
    fault::{Code, Fault},
};

/// The database's clock.
pub(super) fn now(connection: &mut MysqlConnection) -> Result<NaiveDateTime, Fault> {
    select(sql::<Datetime>("UTC_TIMESTAMP(6)")).get_result(connection).map_err(fault)
}

/// What a run of an enabled stream is queued with.
#[derive(Clone)]
pub(super) struct Enabled {
    /// Flow of its connection.
    pub(super) flow: String,
    /// Owner of its connection.
    pub(super) owner: Option<String>,
}

/// Claims one tick; `enabled` unless its stream or connection was switched off. A stream that is switched off just now may get this one
/// run, a connection may not: its row is looked at once more when the run is queued.
pub(super) fn claim(
    connection: &mut MysqlConnection,
    schedule: &Schedule,
    enabled: Option<&Enabled>,
    tick: &Tick,
) -> Result<Outcome, Problem> {
    let Some(due) = schedule.due_at.map(|time| time.naive_utc()) else { return Ok(Outcome::Taken) };
    let mine =
        kept("UPDATE tradesync_schedules SET due_at = ?, next_at = ?, enabled = ? WHERE id = ? AND due_at = ? AND next_at IS NOT NULL")
            .bind::<Nullable<Datetime>, _>(tick.due_at.map(|time| time.naive_utc()))
            .bind::<Nullable<Datetime>, _>(tick.next_at.map(|time| time.naive_utc()))
            .bind::<Bool, _>(tick.next_at.is_some())
            .bind::<Text, _>(&schedule.id)
            .bind::<Datetime, _>(due)
            .execute(connection)?;
    if mine == 0 {
        return Ok(Outcome::Taken);
    }
    if let Some((first, last, count)) = tick.missed {
        skip(connection, &schedule.id, SkipReason::Missed, (first, last, count))?;
    }
    let Some(due) = tick.run else { return Ok(Outcome::Skipped(SkipReason::Missed)) };
    match start(connection, schedule, enabled, due)? {
        Ok(run) => {
            kept("UPDATE tradesync_schedules SET last_run = ?, skipping = 0 WHERE id = ?")
                .bind::<Text, _>(&run)
                .bind::<Text, _>(&schedule.id)
                .execute(connection)?;
            Ok(Outcome::Started(run))
        }
        Err(reason) => {
            skip(connection, &schedule.id, reason, (due, due, 1))?;
            Ok(Outcome::Skipped(reason))
        }
    }
}

/// Queues the run of a tick, or says why not.
fn start(
    connection: &mut MysqlConnection,
    schedule: &Schedule,
    enabled: Option<&Enabled>,
    due: DateTime<Utc>,
) -> Result<Result<String, SkipReason>, Problem> {
    use tradesync_schedule_runs::dsl as q;
    let Some(Enabled { flow, owner }) = enabled.cloned() else { return Ok(Err(SkipReason::Disabled)) };
    let new = NewRun {
        flow,
        connection: schedule.connection.clone(),
        stream: schedule.stream.clone(),
        owner,
        trigger: Trigger::Schedule,
        mode: schedule.mode,
        dry_run: false,
        items: None,
        undo_of: None,
    };
    let run = match runs::insert_row(connection, &new) {
        Ok(run) => run,
        Err(Problem::Fault(fault)) if fault.code == Code::StreamBusy => return Ok(Err(SkipReason::Overlap)),
        // Somebody disabled the connection just now.
        Err(Problem::Fault(fault)) if fault.code == Code::ValidationFailed => return Ok(Err(SkipReason::Disabled)),
        Err(problem) => return Err(problem),
    };
    diesel::insert_into(q::tradesync_schedule_runs)
        .values((q::run_id.eq(&run), q::schedule_id.eq(&schedule.id), q::due_at.eq(due.naive_utc())))
        .execute(connection)?;
    Ok(Ok(run))
}

/// Writes down due times that were not run: one row for all in a row that have the same reason.
fn skip(
    connection: &mut MysqlConnection,
    schedule: &str,
    reason: SkipReason,
    (first, last, count): (DateTime<Utc>, DateTime<Utc>, u64),
) -> Result<(), Problem> {
    use tradesync_schedule_skips::dsl as k;
    use tradesync_schedules::dsl as s;
    let reason = word(reason)?;
    let open: Option<u64> = s::tradesync_schedules
        .find(schedule)
        .filter(s::skipping.eq(true))
        .select(s::last_skip)
        .first::<Option<u64>>(connection)
        .optional()?
        .flatten();
    if let Some(open) = open {
        let counted = diesel::update(k::tradesync_schedule_skips.find(open).filter(k::reason.eq(&reason)))
            .set((k::last_due_at.eq(last.naive_utc()), k::due_times.eq(k::due_times + count)))
            .execute(connection)?;
        if counted == 1 {
            return Ok(());
        }
    }
    diesel::insert_into(k::tradesync_schedule_skips)
        .values((
            k::schedule_id.eq(schedule),
            k::reason.eq(&reason),
            k::first_due_at.eq(first.naive_utc()),
            k::last_due_at.eq(last.naive_utc()),
            k::due_times.eq(count),
        ))
        .execute(connection)?;
    let row: u64 = select(sql::<diesel::sql_types::Unsigned<diesel::sql_types::BigInt>>("LAST_INSERT_ID()")).get_result(connection)?;
    diesel::update(s::tradesync_schedules.find(schedule)).set((s::last_skip.eq(Some(row)), s::skipping.eq(true))).execute(connection)?;
    Ok(())
}
