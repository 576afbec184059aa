//! Events: what people should be told of, once. Alerts are sent from them.

use chrono::NaiveDateTime;
use diesel::{MysqlConnection, prelude::*};

use super::{
    convert::{json, text},
    schema::{tradesync_changes, tradesync_events, tradesync_plans, tradesync_runs},
    transaction::Problem,
};
use crate::{
    engine::{
        brakes::{Reading, news},
        model::{Reason, Run},
    },
    fault::{Code, FaultView},
};

/// Stores an event for each brake that a real run tripped, unless the runs before it told of the same.
pub(super) fn tell(connection: &mut MysqlConnection, run: &Run) -> Result<(), Problem> {
    if run.dry_run || run.plan.approved() || run.plan.readings.iter().all(|reading| !reading.tripped) {
        return Ok(());
    }
    let known = known_readings(connection, run)?;
    for reading in news(&run.plan.readings, &known) {
        event(connection, "brake", run, &reading.reason())?;
    }
    Ok(())
}

/// How many runs back a brake's last reading is looked for.
const LOOK_BACK: i64 = 50;

/// The last reading of each brake before this run, back to the last run that a person settled: what comes after that is news.
fn known_readings(connection: &mut MysqlConnection, run: &Run) -> Result<Vec<Reading>, Problem> {
    use tradesync_plans::dsl as p;
    use tradesync_runs::dsl as r;
    let before: Vec<(String, Option<NaiveDateTime>, Option<String>)> = p::tradesync_plans
        .inner_join(r::tradesync_runs.on(r::id.eq(p::run_id)))
        .filter(p::connection_id.eq(&run.connection))
        .filter(p::stream.eq(&run.stream))
        .filter(r::dry_run.eq(false))
        .filter(r::items.is_null())
        .filter(r::id.ne(&run.id))
        .order(p::decided_at.desc())
        .limit(LOOK_BACK)
        .select((p::readings, p::approved_at, r::error))
        .load(connection)?;
    let mut known: Vec<Reading> = Vec::new();
    for (readings, approved_at, error) in before {
        let error: Option<FaultView> = error.map(|error| json("error", &error)).transpose()?;
        let by_a_person = [Code::PlanRejected, Code::PlanExpired, Code::Cancelled];
        if approved_at.is_some() || error.is_some_and(|error| by_a_person.iter().any(|code| code.name() == error.code)) {
            break;
        }
        for reading in json::<Vec<Reading>>("readings", &readings)? {
            if known.iter().all(|known| known.rule != reading.rule) {
                known.push(reading);
            }
        }
    }
    Ok(known)
}

/// Reasons of held items that people should be told of: waiting mends none of them.
const FOR_PEOPLE: [&str; 1] = ["bad_ttn"];

/// Stores an event for what a run left to people. Items that stood so before are in no report, and are not told again.
pub(super) fn tell_held(connection: &mut MysqlConnection, run: &Run) -> Result<(), Problem> {
    use tradesync_changes::dsl as c;
    if run.dry_run || run.counts.held == 0 {
        return Ok(());
    }
    for reason in FOR_PEOPLE {
        let items: Vec<String> = c::tradesync_changes
            .filter(c::run_id.eq(&run.id))
            .filter(c::outcome.eq("held"))
            .filter(c::reason.like(format!("{{\"code\":\"{}\"%", reason.replace('_', "\\_"))))
            .select(c::source_key)
            .limit(100)
            .load(connection)?;
        let items: Vec<&str> = items.iter().map(String::as_str).collect();
        attention(connection, run, reason, &items)?;
    }
    Ok(())
}

/// Stores that a target keeps other values than it was told, unless that was told within the last hour.
pub(super) fn tell_not_kept(connection: &mut MysqlConnection, run: &Run, items: &[&str]) -> Result<(), Problem> {
    use tradesync_events::dsl as e;
    if items.is_empty() {
        return Ok(());
    }
    let lately = e::tradesync_events.filter(e::connection_id.eq(&run.connection)).filter(e::kind.eq(NOT_KEPT)).filter(diesel::dsl::sql::<
        diesel::sql_types::Bool,
    >(
        "at > UTC_TIMESTAMP(6) - INTERVAL 1 HOUR",
    ));
    if lately.select(e::id).first::<u64>(connection).optional()?.is_some() {
        return Ok(());
    }
    attention(connection, run, NOT_KEPT, items)
}

/// Kind of the event of [`tell_not_kept`].
const NOT_KEPT: &str = "not_kept";

/// Stores that a person must look at some items, if there are any.
fn attention(connection: &mut MysqlConnection, run: &Run, kind: &str, items: &[&str]) -> Result<(), Problem> {
    if items.is_empty() {
        return Ok(());
    }
    let named = items.iter().take(5).copied().collect::<Vec<_>>().join(", ");
    event(connection, kind, run, &Reason::new(kind).with("count", items.len()).with("items", named))
}

/// Stores that something happened that people should be told of.
fn event(connection: &mut MysqlConnection, kind: &str, run: &Run, params: &Reason) -> Result<(), Problem> {
    use tradesync_events::dsl as e;
    diesel::insert_into(e::tradesync_events)
        .values((
            e::kind.eq(kind),
            e::connection_id.eq(&run.connection),
            e::stream.eq(Some(&run.stream)),
            e::run_id.eq(Some(&run.id)),
            e::params.eq(text(&params.params)?),
            e::at.eq(diesel::dsl::sql::<diesel::sql_types::Datetime>("UTC_TIMESTAMP(6)")),
        ))
        .execute(connection)?;
    Ok(())
}
