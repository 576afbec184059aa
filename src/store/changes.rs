//! Changes: plan, intent, outcome and undo record in one row. Every write checks the run's fence in its transaction.

use std::collections::{BTreeSet, HashSet};

use async_trait::async_trait;
use chrono::NaiveDateTime;
use diesel::{
    MysqlConnection,
    mysql::Mysql,
    prelude::*,
    sql_query,
    sql_types::{BigInt, Datetime, Nullable, Text, Unsigned},
};

use super::{
    Store,
    convert::{cut, from_word, json, listing, number_cursor, places, rows, text, utc, word},
    fault, links, runs,
    runs_queue::hold,
    schema::{tradesync_changes, tradesync_connections, tradesync_runs},
    transaction::{Problem, transact},
};
use crate::{
    domain::clock,
    engine::{
        model::{Applied, Change, ChangeState, Counts, Link, LinkState, NewChange, Op, Outcome, Reason},
        ports::{Changes, ItemFilter, ItemRow, Listing, PageRequest},
    },
    fault::Fault,
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = tradesync_changes)]
struct Row {
    id: u64,
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
}

impl Row {
    fn model(self) -> Result<Change, Fault> {
        let state = from_word(&self.state)?;
        Ok(Change {
            id: self.id,
            run: self.run_id,
            body: NewChange {
                op: from_word(&self.op)?,
                fields: json("fields", &self.fields)?,
                reason: json("reason", &self.reason)?,
                outcome: from_word(&self.outcome)?,
                state,
                source: self.source_key,
                name: self.name,
                target: self.target_key,
                witness: self.witness,
                undo: self.undo_rule,
                link_origin: self.link_origin,
                source_seen_at: utc(self.source_seen_at),
            },
            state,
        })
    }
}

fn insert(connection: &mut MysqlConnection, run: &str, changes: &[NewChange]) -> Result<(), Problem> {
    for batch in changes.chunks(500) {
        let statement = format!(
            "INSERT INTO tradesync_changes (run_id, source_key, name, target_key, witness, op, fields, reason, outcome, state, undo_rule, link_origin, source_seen_at) VALUES {}",
            rows(batch.len(), 13)
        );
        let mut query = sql_query(statement).into_boxed::<Mysql>();
        for change in batch {
            query = query
                .bind::<Text, _>(run)
                .bind::<Text, _>(&change.source)
                .bind::<Text, _>(cut(&change.name, 255))
                .bind::<Nullable<Text>, _>(&change.target)
                .bind::<Nullable<Text>, _>(&change.witness)
                .bind::<Text, _>(word(change.op)?)
                .bind::<Text, _>(text(&change.fields)?)
                .bind::<Text, _>(text(&change.reason)?)
                .bind::<Text, _>(word(change.outcome)?)
                .bind::<Text, _>(word(change.state)?)
                .bind::<Text, _>(&change.undo)
                .bind::<Nullable<Text>, _>(&change.link_origin)
                .bind::<Datetime, _>(change.source_seen_at.naive_utc());
        }
        query.execute(connection)?;
    }
    Ok(())
}

fn next_batch(connection: &mut MysqlConnection, run: &str, fence: u64, limit: u32) -> Result<(Vec<Change>, bool), Problem> {
    use tradesync_changes::dsl as c;
    hold(connection, run, fence)?;
    let of_state = |connection: &mut MysqlConnection, state: &str| -> Result<Vec<Row>, Problem> {
        Ok(c::tradesync_changes
            .filter(c::run_id.eq(run))
            .filter(c::state.eq(state.to_owned()))
            .order(c::id.asc())
            .limit(i64::from(limit))
            .select(Row::as_select())
            .load(connection)?)
    };
    let left = of_state(connection, "applying")?;
    if !left.is_empty() {
        return Ok((left.into_iter().map(Row::model).collect::<Result<_, _>>()?, true));
    }
    let planned = of_state(connection, "planned")?;
    if let (Some(first), Some(last)) = (planned.first(), planned.last()) {
        diesel::update(
            c::tradesync_changes.filter(c::run_id.eq(run)).filter(c::state.eq("planned")).filter(c::id.between(first.id, last.id)),
        )
        .set(c::state.eq("applying"))
        .execute(connection)?;
    }
    Ok((planned.into_iter().map(Row::model).collect::<Result<_, _>>()?, false))
}

/// What a row says once its effect is known.
struct End {
    state: ChangeState,
    outcome: Outcome,
    reason: Option<Reason>,
    target: Option<String>,
    witness: Option<String>,
}

fn end(change: &Change, applied: &Applied) -> End {
    let left = |state, outcome, reason| End {
        state,
        outcome,
        reason: Some(reason),
        target: change.body.target.clone(),
        witness: change.body.witness.clone(),
    };
    match applied {
        Applied::Done { target, witness } => End {
            state: ChangeState::Applied,
            outcome: change.body.outcome,
            reason: None,
            target: Some(target.clone()),
            witness: witness.clone().or_else(|| change.body.witness.clone()),
        },
        Applied::Conflict { detail } => left(ChangeState::Failed, Outcome::Failed, Reason::new("target_changed").with("now", detail)),
        Applied::Gone { reason } => left(ChangeState::Skipped, Outcome::Skipped, reason.clone()),
        Applied::Failed { fault } => left(ChangeState::Failed, Outcome::Failed, Reason::new(&fault.code).with("detail", &fault.detail)),
    }
}

/// Longest text that a link remembers as written, in bytes: numbers and names, but no descriptions.
const LONGEST_WRITTEN: usize = 300;

/// Whether the link is still what the change was planned on: what a person linked or unlinked meanwhile is never put back.
fn still_as_planned(change: &Change, end: &End, before: Option<&Link>) -> bool {
    let linked = before.filter(|link| link.state == LinkState::Linked);
    match (&change.body.link_origin, linked) {
        (Some(_), Some(link)) => link.target == end.target,
        (Some(_), None) => true,
        (None, Some(link)) => link.target == change.body.target,
        (None, None) => false,
    }
}

/// The link as it stands after a change was applied: what we wrote now over what we wrote before.
fn link_after(change: &Change, end: &End, before: Option<&Link>) -> Link {
    let mut written = before.map(|link| link.written.clone()).unwrap_or_default();
    // Long texts are not kept: they are in the change, and every decision loads this.
    let short = change.body.fields.iter().filter(|field| field.new.as_str().is_none_or(|text| text.len() <= LONGEST_WRITTEN));
    written.extend(short.map(|field| (field.field.clone(), field.new.clone())));
    Link {
        source: change.body.source.clone(),
        name: change.body.name.clone(),
        state: LinkState::Linked,
        target: end.target.clone(),
        witness: end.witness.clone().or_else(|| before.and_then(|link| link.witness.clone())),
        candidates: Vec::new(),
        origin: change.body.link_origin.clone().or_else(|| before.map(|link| link.origin.clone())).unwrap_or_else(|| "set".to_owned()),
        written,
        source_seen_at: Some(change.body.source_seen_at),
        run: Some(change.run.clone()),
        updated_at: clock::now(),
    }
}

/// Rows that went as planned need one statement for all; the others get one each.
fn store_ends(connection: &mut MysqlConnection, ends: &[(&Change, End)]) -> Result<(), Problem> {
    use tradesync_changes::dsl as c;
    let plain: Vec<u64> = ends
        .iter()
        .filter(|(change, end)| end.state == ChangeState::Applied && end.target == change.body.target)
        .map(|(change, _)| change.id)
        .collect();
    for batch in plain.chunks(1_000) {
        diesel::update(c::tradesync_changes.filter(c::id.eq_any(batch)).filter(c::state.eq("applying")))
            .set(c::state.eq("applied"))
            .execute(connection)?;
    }
    let created: Vec<&(&Change, End)> =
        ends.iter().filter(|(change, end)| end.state == ChangeState::Applied && end.target != change.body.target).collect();
    for batch in created.chunks(500) {
        // An upsert by primary key: the rows are there, so only the three columns change.
        let whens = vec!["WHEN ? THEN ?"; batch.len()].join(" ");
        let statement = format!(
            "UPDATE tradesync_changes SET state = 'applied', target_key = CASE id {whens} END, witness = CASE id {whens} END WHERE state = 'applying' AND id IN ({})",
            places(batch.len())
        );
        let mut query = sql_query(statement).into_boxed::<Mysql>();
        for (change, end) in batch {
            query = query.bind::<Unsigned<BigInt>, _>(change.id).bind::<Nullable<Text>, _>(&end.target);
        }
        for (change, end) in batch {
            query = query.bind::<Unsigned<BigInt>, _>(change.id).bind::<Nullable<Text>, _>(&end.witness);
        }
        for (change, _) in batch {
            query = query.bind::<Unsigned<BigInt>, _>(change.id);
        }
        query.execute(connection)?;
    }
    for (change, end) in ends.iter().filter(|(_, end)| end.state != ChangeState::Applied) {
        diesel::update(c::tradesync_changes.find(change.id).filter(c::state.eq("applying")))
            .set((
                c::state.eq(word(end.state)?),
                c::outcome.eq(word(end.outcome)?),
                c::reason.eq(text(&end.reason.clone().unwrap_or_default())?),
            ))
            .execute(connection)?;
    }
    Ok(())
}

fn record(connection: &mut MysqlConnection, run: &str, fence: u64, space: &str, results: &[(Change, Applied)]) -> Result<Counts, Problem> {
    use tradesync_runs::dsl as r;
    let held = hold(connection, run, fence)?;
    let open = still_applying(connection, results)?;
    let ends: Vec<(&Change, End)> =
        results.iter().filter(|(change, _)| open.contains(&change.id)).map(|(change, applied)| (change, end(change, applied))).collect();
    store_ends(connection, &ends)?;
    let sources: Vec<String> = ends.iter().map(|(change, _)| change.body.source.clone()).collect();
    let before = links::lock_sources(connection, space, &sources)?;
    let wanted: Vec<String> =
        ends.iter().filter(|(change, _)| change.body.link_origin.is_some()).filter_map(|(_, end)| end.target.clone()).collect();
    let holders = links::linked_targets(connection, space, &wanted)?;
    let changed: Vec<Link> = ends
        .iter()
        .filter(|(change, end)| end.state == ChangeState::Applied && change.body.op != Op::None)
        .filter(|(change, end)| {
            let held = end.target.as_ref().and_then(|target| holders.get(target));
            held.is_none_or(|holder| holder.is(space, &change.body.source))
        })
        .filter(|(change, end)| still_as_planned(change, end, before.get(&change.body.source)))
        .map(|(change, end)| link_after(change, end, before.get(&change.body.source)))
        .collect();
    links::upsert(connection, space, &changed)?;
    let others: BTreeSet<&str> = ends.iter().map(|(change, _)| change.run.as_str()).filter(|of| *of != run).collect();
    for other in others {
        // A run that somebody else finished tells of it all the same.
        r::tradesync_runs.find(other).select(r::id).for_update().first::<String>(connection).optional()?;
        if let Some(found) = runs::find(connection, other)? {
            add_to_counts(connection, other, found.counts, &ends)?;
        }
    }
    add_to_counts(connection, run, held.counts, &ends)
}

/// Which of the rows are open. A row that another run has recorded meanwhile must not count twice.
fn still_applying(connection: &mut MysqlConnection, results: &[(Change, Applied)]) -> Result<HashSet<u64>, Problem> {
    use tradesync_changes::dsl as c;
    let mut open = HashSet::with_capacity(results.len());
    for batch in results.chunks(1_000) {
        let ids: Vec<u64> = batch.iter().map(|(change, _)| change.id).collect();
        open.extend(c::tradesync_changes.filter(c::id.eq_any(ids)).filter(c::state.eq("applying")).select(c::id).load::<u64>(connection)?);
    }
    Ok(open)
}

/// Adds those of `ends` that `run` planned to its counts.
fn add_to_counts(connection: &mut MysqlConnection, run: &str, mut counts: Counts, ends: &[(&Change, End)]) -> Result<Counts, Problem> {
    use tradesync_runs::dsl as r;
    let mut applied: u64 = 0;
    for (_, end) in ends.iter().filter(|(change, _)| change.run == run) {
        let count = match end.outcome {
            Outcome::Created => &mut counts.created,
            Outcome::Updated => &mut counts.updated,
            Outcome::Unchanged => &mut counts.unchanged,
            Outcome::Skipped => &mut counts.skipped,
            Outcome::Failed => &mut counts.failed,
            Outcome::Held => &mut counts.held,
        };
        *count += 1;
        applied += u64::from(end.state == ChangeState::Applied);
    }
    diesel::update(r::tradesync_runs.find(run))
        .set((r::counts.eq(text(&counts)?), r::applied_rows.eq(r::applied_rows + applied), r::version.eq(r::version + 1)))
        .execute(connection)?;
    Ok(counts)
}

/// What other runs of the connection left in `applying`. The holder's fence guards it: only one run applies per connection.
fn leftovers(connection: &mut MysqlConnection, id: &str, run: &str, fence: u64, limit: u32) -> Result<Vec<Change>, Problem> {
    use tradesync_changes::dsl as c;
    use tradesync_runs::dsl as r;
    hold(connection, run, fence)?;
    // A successor of a deleted connection adopts its links, and so what its runs had begun.
    let of_space: Vec<String> = {
        use tradesync_connections::dsl as k;
        let space: Option<String> = k::tradesync_connections.find(id).select(k::link_space).first(connection).optional()?;
        k::tradesync_connections.filter(k::link_space.eq(space.unwrap_or_default())).select(k::id).load(connection)?
    };
    let others: Vec<(String, String)> = r::tradesync_runs
        .filter(r::connection_id.eq_any(of_space))
        .filter(r::id.ne(run))
        .filter(diesel::dsl::exists(c::tradesync_changes.filter(c::run_id.eq(r::id)).filter(c::state.eq("applying"))))
        .select((r::id, r::state))
        .load(connection)?;
    if others.is_empty() {
        return Ok(Vec::new());
    }
    let ended: Vec<&str> = others.iter().filter(|(_, state)| !is_live(state)).map(|(id, _)| id.as_str()).collect();
    let superseded = text(&Reason::new("superseded"))?;
    diesel::update(c::tradesync_changes.filter(c::run_id.eq_any(ended)).filter(c::state.eq("applying")).filter(c::op.ne("create")))
        .set((c::state.eq("skipped"), c::outcome.eq("skipped"), c::reason.eq(superseded)))
        .execute(connection)?;
    let rows: Vec<Row> = c::tradesync_changes
        .filter(c::run_id.eq_any(others.iter().map(|(id, _)| id.as_str())))
        .filter(c::state.eq("applying"))
        .filter(c::op.eq("create"))
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
    hold(connection, run, fence)?;
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
                // In steps: the run's row is locked meanwhile, and heartbeats must get through.
                loop {
                    let gone = transact(connection, |connection| {
                        hold(connection, &run, fence)?;
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
                    hold(connection, &run, fence)?;
                    insert(connection, &run, &changes)
                })
            })
            .await
    }

    async fn next_batch(&self, run: &str, fence: u64, limit: u32) -> Result<(Vec<Change>, bool), Fault> {
        let run = run.to_owned();
        self.pool.call(move |connection| transact(connection, |connection| next_batch(connection, &run, fence, limit))).await
    }

    async fn record(&self, run: &str, fence: u64, space: &str, results: Vec<(Change, Applied)>) -> Result<Counts, Fault> {
        let (run, space) = (run.to_owned(), space.to_owned());
        self.pool.call(move |connection| transact(connection, |connection| record(connection, &run, fence, &space, &results))).await
    }

    async fn leftovers(&self, connection: &str, run: &str, fence: u64, limit: u32) -> Result<Vec<Change>, Fault> {
        let (id, run) = (connection.to_owned(), run.to_owned());
        self.pool.call(move |connection| transact(connection, |connection| leftovers(connection, &id, &run, fence, limit))).await
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
                    hold(connection, &run, fence)?;
                    for change in &changes {
                        diesel::update(c::tradesync_changes.find(change.id).filter(c::state.eq("applying")))
                            .set((c::fields.eq(text(&change.body.fields)?), c::witness.eq(&change.body.witness)))
                            .execute(connection)?;
                    }
                    Ok(())
                })
            })
            .await
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
