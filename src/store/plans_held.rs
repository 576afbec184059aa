//! Changes that a brake holds: from planned to held, and from there back or to their end. [`super::plans`] has the port's side.

use std::collections::BTreeMap;

use diesel::{
    MysqlConnection,
    mysql::Mysql,
    prelude::*,
    sql_query,
    sql_types::{BigInt, Text, Unsigned},
};

use super::{
    changes,
    convert::{places, text, word},
    runs_queue::{hold, still_held},
    schema::{tradesync_changes, tradesync_runs},
    transaction::Problem,
};
use crate::engine::{
    brakes::Parted,
    model::{Change, ChangeState, Counts, NewChange, Outcome, Reason},
};

/// Rows that change state in one transaction: the run's row is locked meanwhile, and heartbeats must get through.
const STEP: i64 = 5_000;
/// Closes what a brake holds in a run, all of it or of these items.
pub(super) fn close_held(connection: &mut MysqlConnection, run: &str, reason: &str, items: Option<&[String]>) -> Result<u64, Problem> {
    use tradesync_changes::dsl as c;
    let held = diesel::update(c::tradesync_changes)
        .filter(c::run_id.eq(run))
        .filter(c::state.eq("held"))
        .filter(c::held_reason.is_not_null())
        .set((c::state.eq("skipped"), c::outcome.eq("skipped"), c::reason.eq(text(&Reason::new(reason))?)));
    let closed = match items {
        None => held.execute(connection)?,
        Some(items) => held.filter(c::source_key.eq_any(items)).execute(connection)?,
    };
    Ok(u64::try_from(closed).unwrap_or_default())
}

/// How many changes of a run a brake holds.
pub(super) fn held_by_brake(connection: &mut MysqlConnection, run: &str) -> Result<i64, Problem> {
    use tradesync_changes::dsl as c;
    Ok(c::tradesync_changes
        .filter(c::run_id.eq(run))
        .filter(c::state.eq("held"))
        .filter(c::held_reason.is_not_null())
        .count()
        .get_result(connection)?)
}

/// What waits stays in its row, so that it keeps its number; what goes on gets a row of its own.
pub(super) fn hold_changes(connection: &mut MysqlConnection, run: &str, fence: u64, parted: &[(Change, Parted)]) -> Result<u64, Problem> {
    still_held(connection, run, fence)?;
    let (whole, split): (Vec<_>, Vec<_>) = parted.iter().partition(|(_, parted)| parted.free.is_empty());
    let free: Vec<NewChange> =
        split.iter().map(|(change, parted)| NewChange { fields: parted.free.clone(), risks: 0, ..change.body.clone() }).collect();
    changes::insert(connection, run, &free)?;
    Ok(hold_whole(connection, &whole)? + hold_split(connection, &split)?)
}

fn hold_whole(connection: &mut MysqlConnection, whole: &[&(Change, Parted)]) -> Result<u64, Problem> {
    use tradesync_changes::dsl as c;
    let mut by_reason: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for (change, parted) in whole {
        by_reason.entry(text(&parted.reason)?).or_default().push(change.id);
    }
    let mut held = 0;
    for (reason, ids) in by_reason {
        held += diesel::update(c::tradesync_changes.filter(c::id.eq_any(ids)).filter(c::state.eq("planned")))
            .set((c::state.eq("held"), c::outcome.eq("held"), c::held_reason.eq(Some(reason))))
            .execute(connection)?;
    }
    Ok(u64::try_from(held).unwrap_or_default())
}

/// A link that comes about in this run comes with what goes on.
fn hold_split(connection: &mut MysqlConnection, split: &[&(Change, Parted)]) -> Result<u64, Problem> {
    if split.is_empty() {
        return Ok(0);
    }
    let whens = vec!["WHEN ? THEN ?"; split.len()].join(" ");
    let statement = format!(
        "UPDATE tradesync_changes SET state = 'held', outcome = 'held', link_origin = NULL, held_reason = CASE id {whens} END, fields = CASE id {whens} END \
         WHERE state = 'planned' AND id IN ({})",
        places(split.len())
    );
    let mut query = sql_query(statement).into_boxed::<Mysql>();
    for (change, parted) in split {
        query = query.bind::<Unsigned<BigInt>, _>(change.id).bind::<Text, _>(text(&parted.reason)?);
    }
    for (change, parted) in split {
        query = query.bind::<Unsigned<BigInt>, _>(change.id).bind::<Text, _>(text(&parted.held)?);
    }
    for (change, _) in split {
        query = query.bind::<Unsigned<BigInt>, _>(change.id);
    }
    Ok(u64::try_from(query.execute(connection)?).unwrap_or_default())
}

/// One step of [`Plans::release`]; whether there may be more.
pub(super) fn release(connection: &mut MysqlConnection, run: &str, fence: u64) -> Result<(Counts, bool), Problem> {
    use tradesync_changes::dsl as c;
    use tradesync_runs::dsl as r;
    let held = hold(connection, run, fence)?;
    let ids: Vec<u64> = c::tradesync_changes
        .filter(c::run_id.eq(run))
        .filter(c::state.eq("held"))
        .filter(c::held_reason.is_not_null())
        .select(c::id)
        .limit(STEP)
        .load(connection)?;
    if ids.is_empty() {
        return Ok((held.counts, false));
    }
    let created = c::tradesync_changes.filter(c::id.eq_any(&ids)).filter(c::op.eq("create"));
    diesel::update(created).set((c::state.eq("planned"), c::outcome.eq(word(Outcome::Created)?))).execute(connection)?;
    diesel::update(c::tradesync_changes.filter(c::id.eq_any(&ids)).filter(c::op.ne("create")))
        .set((c::state.eq("planned"), c::outcome.eq(word(Outcome::Updated)?)))
        .execute(connection)?;
    let released = u64::try_from(ids.len()).unwrap_or_default();
    let counts = Counts { held: held.counts.held.saturating_sub(released), ..held.counts };
    diesel::update(r::tradesync_runs.find(run)).set((r::counts.eq(text(&counts)?), r::version.eq(r::version + 1))).execute(connection)?;
    Ok((counts, true))
}

/// Leaves planned changes alone; the run's counts.
pub(super) fn leave(connection: &mut MysqlConnection, run: &str, fence: u64, changes: &[(Change, Reason)]) -> Result<Counts, Problem> {
    use tradesync_changes::dsl as c;
    use tradesync_runs::dsl as r;
    let held = hold(connection, run, fence)?;
    let mut counts = held.counts;
    for (change, reason) in changes {
        let left = diesel::update(c::tradesync_changes.find(change.id).filter(c::state.eq("planned")))
            .set((c::state.eq(word(ChangeState::Skipped)?), c::outcome.eq(word(Outcome::Skipped)?), c::reason.eq(text(reason)?)))
            .execute(connection)?;
        counts.skipped += u64::try_from(left).unwrap_or_default();
    }
    diesel::update(r::tradesync_runs.find(run)).set((r::counts.eq(text(&counts)?), r::version.eq(r::version + 1))).execute(connection)?;
    Ok(counts)
}
