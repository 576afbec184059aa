//! Changes looked back at: what a run applied, and what happened to one item. The port's side is in [`super::changes`].

use chrono::NaiveDateTime;
use diesel::{MysqlConnection, prelude::*};

use super::{
    changes::Row,
    convert::{from_word, utc},
    fault,
    schema::{tradesync_changes, tradesync_runs},
};
use crate::{
    engine::{model::Change, ports::PastChange},
    fault::Fault,
};

/// What a run applied, in the order of its plan.
pub(super) fn applied(connection: &mut MysqlConnection, run: &str, after: Option<u64>, limit: u32) -> Result<Vec<Change>, Fault> {
    use tradesync_changes::dsl as c;
    let rows: Vec<Row> = c::tradesync_changes
        .filter(c::run_id.eq(run))
        .filter(c::state.eq("applied"))
        .filter(c::id.gt(after.unwrap_or_default()))
        .order(c::id.asc())
        .limit(i64::from(limit))
        .select(Row::as_select())
        .load(connection)
        .map_err(fault)?;
    rows.into_iter().map(Row::model).collect()
}

/// How many applied changes of a run are still there.
pub(super) fn kept(connection: &mut MysqlConnection, run: &str) -> Result<u64, Fault> {
    use tradesync_changes::dsl as c;
    let kept: i64 =
        c::tradesync_changes.filter(c::run_id.eq(run)).filter(c::state.eq("applied")).count().get_result(connection).map_err(fault)?;
    Ok(u64::try_from(kept).unwrap_or_default())
}

/// The last changes of an item, newest first.
pub(super) fn of_item(connection: &mut MysqlConnection, id: &str, source: &str, limit: u32) -> Result<Vec<PastChange>, Fault> {
    use tradesync_changes::dsl as c;
    use tradesync_runs::dsl as r;
    type Of = (Row, String, String, bool, NaiveDateTime, Option<NaiveDateTime>);
    let rows: Vec<Of> = c::tradesync_changes
        .inner_join(r::tradesync_runs.on(r::id.eq(c::run_id)))
        .filter(c::source_key.eq(source))
        .filter(r::connection_id.eq(id))
        .order(c::id.desc())
        .limit(i64::from(limit))
        .select((Row::as_select(), r::stream, r::started_by, r::dry_run, r::created_at, r::started_at))
        .load(connection)
        .map_err(fault)?;
    let past = |(row, stream, trigger, dry_run, created_at, started_at): Of| {
        Ok(PastChange { change: row.model()?, stream, trigger: from_word(&trigger)?, dry_run, at: utc(started_at.unwrap_or(created_at)) })
    };
    rows.into_iter().map(past).collect()
}
