//! Changes: plan, intent, outcome and undo record in one row. Every write checks the run's fence in its transaction.

use std::collections::BTreeSet;

use async_trait::async_trait;
use chrono::NaiveDateTime;
use diesel::{
    MysqlConnection,
    mysql::Mysql,
    prelude::*,
    sql_query,
    sql_types::{Datetime, Nullable, SmallInt, Text, Unsigned},
};

use super::{
    Store, changes_past, changes_record,
    convert::{batches, cut, from_word, json, listing, number_cursor, rows, text, utc, word},
    fault,
    runs_queue::still_held,
    schema::{tradesync_changes, tradesync_runs},
    transaction::{Problem, transact},
};
use crate::{
    db::kept,
    engine::{
        model::{Applied, Change, ChangeState, Counts, NewChange, Reason},
        ports::{Changes, ItemFilter, ItemRow, Listing, PageRequest, PastChange},
    },
    fault::Fault,
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = tradesync_changes)]
pub(super) struct Row {
    pub(super) id: u64,
    run_id: String,
    source_key: String,
    name: String,
    target_key: Option<String>,
    witness: Option<String>,
    op: String,
    fields: String,
    reason: String,
    outcome: String,
    state: String,
    undo_rule: String,
    link_origin: Option<String>,
    source_seen_at: NaiveDateTime,
    risks: u16,
    held_reason: Option<String>,
    kept: Option<String>,
}

impl Row {
    pub(super) fn model(self) -> Result<Change, Fault> {
        let state = from_word(&self.state)?;
        // While a brake holds it, that is why nothing happens; what was decided comes back with the approval.
        let reason = self.held_reason.filter(|_| state == ChangeState::Held).unwrap_or(self.reason);
        Ok(Change {
            id: self.id,
            run: self.run_id,
            body: NewChange {
                op: from_word(&self.op)?,
                fields: json("fields", &self.fields)?,
                reason: json("reason", &reason)?,
                outcome: from_word(&self.outcome)?,
                state,
                source: self.source_key,
                name: self.name,
                target: self.target_key,
                witness: self.witness,
                undo: self.undo_rule,
                link_origin: self.link_origin,
                source_seen_at: utc(self.source_seen_at),
                risks: self.risks,
                keep: self.kept.as_deref().map(|kept| json("kept", kept)).transpose()?.unwrap_or_default(),
            },
            state,
        })
    }
}

/// What a change remembers, as its column holds it: most rows that only tell remember nothing.
fn remembered(change: &NewChange) -> Result<Option<String>, Problem> {
    if change.keep.is_empty() { Ok(None) } else { Ok(Some(text(&change.keep)?)) }
}

/// Most rows of one statement; long texts cut it shorter.
const ROWS: usize = 500;

/// A change as its columns hold it.
struct Written<'a> {
    change: &'a NewChange,
    fields: String,
    reason: String,
    kept: Option<String>,
}

impl<'a> Written<'a> {
    fn of(change: &'a NewChange) -> Result<Self, Problem> {
        Ok(Self { change, fields: text(&change.fields)?, reason: text(&change.reason)?, kept: remembered(change)? })
    }

    fn size(&self) -> usize {
        self.change.name.len() + self.fields.len() + self.reason.len() + self.kept.as_ref().map_or(0, String::len)
    }
}

pub(super) fn insert(connection: &mut MysqlConnection, run: &str, changes: &[NewChange]) -> Result<(), Problem> {
    let written = changes.iter().map(Written::of).collect::<Result<Vec<_>, Problem>>()?;
    for batch in batches(&written, ROWS, Written::size) {
        let statement = format!(
            "INSERT INTO tradesync_changes (run_id, source_key, name, target_key, witness, op, fields, reason, outcome, state, undo_rule, link_origin, source_seen_at, risks, kept) VALUES {}",
            rows(batch.len(), 15)
        );
        let mut query = sql_query(statement).into_boxed::<Mysql>();
        for Written { change, fields, reason, kept } in batch {
            query = query
                .bind::<Text, _>(run)
                .bind::<Text, _>(&change.source)
                .bind::<Text, _>(cut(&change.name, 255))
                .bind::<Nullable<Text>, _>(&change.target)
                .bind::<Nullable<Text>, _>(&change.witness)
                .bind::<Text, _>(word(change.op)?)
                .bind::<Text, _>(fields)
                .bind::<Text, _>(reason)
                .bind::<Text, _>(word(change.outcome)?)
                .bind::<Text, _>(word(change.state)?)
                .bind::<Text, _>(&change.undo)
                .bind::<Nullable<Text>, _>(&change.link_origin)
                .bind::<Datetime, _>(change.source_seen_at.naive_utc())
                .bind::<Unsigned<SmallInt>, _>(change.risks)
                .bind::<Nullable<Text>, _>(kept);
        }
        query.execute(connection)?;
    }
    Ok(())
}

/// The first changes of a run in one state, in the order of the plan, or the first `after` one of them.
pub(super) fn of_state(
    connection: &mut MysqlConnection,
    run: &str,
    state: &str,
    after: Option<u64>,
    limit: u32,
) -> Result<Vec<Row>, Problem> {
    use tradesync_changes::dsl as c;
    Ok(c::tradesync_changes
        .filter(c::run_id.eq(run))
        .filter(c::state.eq(state.to_owned()))
        .filter(c::id.gt(after.unwrap_or_default()))
        .order(c::id.asc())
        .limit(i64::from(limit))
        .select(Row::as_select())
        .load(connection)?)
}

fn next_batch(
    connection: &mut MysqlConnection,
    run: &str,
    fence: u64,
    limit: u32,
    in_hand: Option<u64>,
) -> Result<(Vec<Change>, bool), Problem> {
    use tradesync_changes::dsl as c;
    still_held(connection, run, fence)?;
    let left = of_state(connection, run, "applying", in_hand, limit)?;
    if !left.is_empty() {
        return Ok((left.into_iter().map(Row::model).collect::<Result<_, _>>()?, true));
    }
    let planned = of_state(connection, run, "planned", None, limit)?;
    if let (Some(first), Some(last)) = (planned.first(), planned.last()) {
        diesel::update(
            c::tradesync_changes.filter(c::run_id.eq(run)).filter(c::state.eq("planned")).filter(c::id.between(first.id, last.id)),
        )
        .set(c::state.eq("applying"))
        .execute(connection)?;
    }
    Ok((planned.into_iter().map(Row::model).collect::<Result<_, _>>()?, false))
}

/// Other runs that left changes in `applying`, with their states. A successor of a deleted connection adopts its links, and so what its
/// runs had begun.
fn beginners(connection: &mut MysqlConnection, id: &str, run: &str) -> diesel::QueryResult<Vec<Beginner>> {
    kept(
        "SELECT r.id, r.state FROM tradesync_connections me JOIN tradesync_connections k ON k.link_space = me.link_space \
         JOIN tradesync_runs r ON r.connection_id = k.id WHERE me.id = ? AND r.id <> ? AND r.phase = 'apply' \
         AND EXISTS (SELECT 1 FROM tradesync_changes c WHERE c.run_id = r.id AND c.state = 'applying')",
    )
    .bind::<Text, _>(id)
    .bind::<Text, _>(run)
    .load(connection)
}

#[derive(QueryableByName)]
struct Beginner {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Text)]
    state: String,
}

/// What other runs of the connection left in `applying`. The holder's fence guards it: only one run applies per connection.
fn leftovers(connection: &mut MysqlConnection, id: &str, run: &str, fence: u64, limit: u32) -> Result<Vec<Change>, Problem> {
    use tradesync_changes::dsl as c;
    still_held(connection, run, fence)?;
    let others = beginners(connection, id, run)?;
    if others.is_empty() {
        return Ok(Vec::new());
    }
    let ended: Vec<&str> = others.iter().filter(|other| !is_live(&other.state)).map(|other| other.id.as_str()).collect();
    let superseded = text(&Reason::new("superseded"))?;
    // What makes something in the target is either made or not: that is found out. Everything else is decided anew.
    let makes = || c::op.eq("create").or(c::op.eq("send").and(c::link_origin.is_not_null()));
    diesel::update(c::tradesync_changes.filter(c::run_id.eq_any(ended)).filter(c::state.eq("applying")).filter(diesel::dsl::not(makes())))
        .set((c::state.eq("skipped"), c::outcome.eq("skipped"), c::reason.eq(superseded)))
        .execute(connection)?;
    let rows: Vec<Row> = c::tradesync_changes
        .filter(c::run_id.eq_any(others.iter().map(|other| other.id.as_str())))
        .filter(c::state.eq("applying"))
        .filter(makes())
        .order(c::id.asc())
        .limit(i64::from(limit))
        .select(Row::as_select())
        .load(connection)?;
    Ok(rows.into_iter().map(Row::model).collect::<Result<_, _>>()?)
}

/// Whether a run in this state will be taken up (again).
fn is_live(state: &str) -> bool {
    matches!(state, "queued" | "running")
}

fn withdraw(connection: &mut MysqlConnection, run: &str, fence: u64, changes: &[Change]) -> Result<(), Problem> {
    use tradesync_changes::dsl as c;
    use tradesync_runs::dsl as r;
    still_held(connection, run, fence)?;
    let of: BTreeSet<&str> = changes.iter().map(|change| change.run.as_str()).collect();
    let superseded = text(&Reason::new("superseded"))?;
    for other in of {
        let state: Option<String> = r::tradesync_runs.find(other).select(r::state).for_update().first(connection).optional()?;
        let ids: Vec<u64> = changes.iter().filter(|change| change.run == other).map(|change| change.id).collect();
        let open = c::tradesync_changes.filter(c::id.eq_any(ids)).filter(c::state.eq("applying"));
        if state.as_deref().is_some_and(is_live) {
            diesel::update(open).set(c::state.eq("planned")).execute(connection)?;
        } else {
            diesel::update(open).set((c::state.eq("skipped"), c::outcome.eq("skipped"), c::reason.eq(&superseded))).execute(connection)?;
        }
    }
    Ok(())
}

#[async_trait]
impl Changes for Store {
    async fn clear(&self, run: &str, fence: u64) -> Result<(), Fault> {
        use tradesync_changes::dsl as c;
        let run = run.to_owned();
        self.pool
            .call(move |connection| {
                let left: Option<u64> =
                    c::tradesync_changes.filter(c::run_id.eq(&run)).select(c::id).first(connection).optional().map_err(fault)?;
                if left.is_none() {
                    return Ok(());
                }
                // In steps: the run's row is locked meanwhile, and heartbeats must get through.
                loop {
                    let gone = transact(connection, |connection| {
                        still_held(connection, &run, fence)?;
                        let first: Vec<u64> =
                            c::tradesync_changes.filter(c::run_id.eq(&run)).select(c::id).limit(2_000).load(connection)?;
                        Ok(diesel::delete(c::tradesync_changes.filter(c::id.eq_any(first))).execute(connection)?)
                    })?;
                    if gone == 0 {
                        return Ok(());
                    }
                }
            })
            .await
    }

    async fn plan(&self, run: &str, fence: u64, changes: Vec<NewChange>) -> Result<(), Fault> {
        let run = run.to_owned();
        self.pool
            .call(move |connection| {
                transact(connection, |connection| {
                    still_held(connection, &run, fence)?;
                    insert(connection, &run, &changes)
                })
            })
            .await
    }

    async fn next_batch(&self, run: &str, fence: u64, limit: u32, in_hand: Option<u64>) -> Result<(Vec<Change>, bool), Fault> {
        let run = run.to_owned();
        self.pool.call(move |connection| transact(connection, |connection| next_batch(connection, &run, fence, limit, in_hand))).await
    }

    async fn record(&self, run: &str, fence: u64, space: &str, results: Vec<(Change, Applied)>) -> Result<Counts, Fault> {
        let (run, space) = (run.to_owned(), space.to_owned());
        self.pool
            .call(move |connection| transact(connection, |connection| changes_record::record(connection, &run, fence, &space, &results)))
            .await
    }

    async fn leftovers(&self, connection: &str, run: &str, fence: u64, limit: u32) -> Result<Vec<Change>, Fault> {
        let (id, run) = (connection.to_owned(), run.to_owned());
        self.pool
            .call(move |connection| {
                // Hardly ever are there any: the look takes no lock. Nobody adds to them, since the caller has the target's lease.
                if beginners(connection, &id, &run).map_err(fault)?.is_empty() {
                    return Ok(Vec::new());
                }
                transact(connection, |connection| leftovers(connection, &id, &run, fence, limit))
            })
            .await
    }

    async fn withdraw(&self, run: &str, fence: u64, changes: &[Change]) -> Result<(), Fault> {
        let (run, changes) = (run.to_owned(), changes.to_vec());
        self.pool.call(move |connection| transact(connection, |connection| withdraw(connection, &run, fence, &changes))).await
    }

    async fn last_created(&self, run: &str, limit: u32) -> Result<Vec<Change>, Fault> {
        use tradesync_changes::dsl as c;
        let run = run.to_owned();
        self.pool
            .call(move |connection| {
                let rows: Vec<Row> = c::tradesync_changes
                    .filter(c::run_id.eq(&run))
                    .filter(c::state.eq("applied"))
                    .filter(c::op.eq("create"))
                    .order(c::id.desc())
                    .limit(i64::from(limit))
                    .select(Row::as_select())
                    .load(connection)
                    .map_err(fault)?;
                rows.into_iter().map(Row::model).collect()
            })
            .await
    }

    async fn revise(&self, run: &str, fence: u64, changes: &[Change]) -> Result<(), Fault> {
        use tradesync_changes::dsl as c;
        let (run, changes) = (run.to_owned(), changes.to_vec());
        self.pool
            .call(move |connection| {
                transact(connection, |connection| {
                    still_held(connection, &run, fence)?;
                    for change in &changes {
                        diesel::update(c::tradesync_changes.find(change.id).filter(c::state.eq("applying")))
                            .set((
                                c::fields.eq(text(&change.body.fields)?),
                                c::witness.eq(&change.body.witness),
                                c::kept.eq(remembered(&change.body)?),
                            ))
                            .execute(connection)?;
                    }
                    Ok(())
                })
            })
            .await
    }

    async fn kept(&self, run: &str) -> Result<u64, Fault> {
        let run = run.to_owned();
        self.pool.call(move |connection| changes_past::kept(connection, &run)).await
    }

    async fn applied(&self, run: &str, after: Option<u64>, limit: u32) -> Result<Vec<Change>, Fault> {
        let run = run.to_owned();
        self.pool.call(move |connection| changes_past::applied(connection, &run, after, limit)).await
    }

    async fn of_item(&self, connection: &str, source: &str, limit: u32) -> Result<Vec<PastChange>, Fault> {
        let (id, source) = (connection.to_owned(), source.to_owned());
        self.pool.call(move |connection| changes_past::of_item(connection, &id, &source, limit)).await
    }

    async fn items(&self, run: &str, filter: ItemFilter, page: PageRequest) -> Result<Listing<ItemRow>, Fault> {
        use tradesync_changes::dsl as c;
        let run = run.to_owned();
        self.pool
            .call(move |connection| {
                let mut query = c::tradesync_changes
                    .filter(c::run_id.eq(&run))
                    .select(Row::as_select())
                    .order(c::id.asc())
                    .limit(i64::from(page.limit) + 1)
                    .into_boxed();
                if let Some(outcome) = filter.outcome {
                    query = query.filter(c::outcome.eq(word(outcome)?));
                }
                if let Some(cursor) = number_cursor(page.cursor.as_deref())? {
                    query = query.filter(c::id.gt(cursor));
                }
                let rows: Vec<Row> = query.load(connection).map_err(fault)?;
                let page = listing(rows, page.limit, |row| row.id.to_string());
                let items = page.items.into_iter().map(|row| {
                    row.model().map(|change| ItemRow {
                        id: change.id,
                        outcome: change.body.outcome,
                        state: change.state,
                        body: change.body,
                    })
                });
                Ok(Listing { items: items.collect::<Result<Vec<_>, _>>()?, next: page.next })
            })
            .await
    }
}

/// Reasons are sentences to be filled; this keeps their order of values stable in JSON.
#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn reasons_are_stored_with_their_values() {
        let reason = Reason { code: "no_price".into(), params: BTreeMap::from([("shop".into(), "Chilonzor".into())]) };
        assert!(text(&reason).is_ok_and(|text| text == r#"{"code":"no_price","params":{"shop":"Chilonzor"}}"#));
    }
}
