//! What became of changes that were applied: rows, links and counts. The port's side is in [`super::changes`].

use std::collections::{BTreeSet, HashSet};

use diesel::{
    MysqlConnection,
    mysql::Mysql,
    prelude::*,
    sql_query,
    sql_types::{BigInt, Nullable, Text, Unsigned},
};

use super::{
    convert::{places, text, word},
    events, links, pictures, runs,
    runs_queue::hold,
    schema::{tradesync_changes, tradesync_runs},
    transaction::Problem,
};
use crate::{
    domain::clock,
    engine::{
        brakes::{CURRENCY_WRITTEN, label},
        model::{Applied, Change, ChangeState, Counts, FieldChange, Link, LinkState, NewChange, Op, Outcome, RECREATED, Reason},
        undo,
    },
    fault::Code,
};

/// What a row says once its effect is known.
struct End {
    state: ChangeState,
    outcome: Outcome,
    reason: Option<Reason>,
    target: Option<String>,
    witness: Option<String>,
    /// What was written in the place of what was planned.
    instead: Option<Vec<FieldChange>>,
}

fn end(change: &Change, applied: &Applied) -> End {
    let left = |state, outcome, reason| End {
        state,
        outcome,
        reason: Some(reason),
        target: change.body.target.clone(),
        witness: change.body.witness.clone(),
        instead: None,
    };
    match applied {
        Applied::Done { target, witness } => End {
            state: ChangeState::Applied,
            outcome: change.body.outcome,
            reason: None,
            target: Some(target.clone()),
            witness: witness.clone().or_else(|| change.body.witness.clone()),
            instead: None,
        },
        Applied::Otherwise(other) => End {
            state: ChangeState::Applied,
            outcome: other.outcome,
            reason: Some(other.reason.clone()),
            target: Some(other.target.clone()),
            witness: other.witness.clone().or_else(|| change.body.witness.clone()),
            instead: Some(other.fields.clone()),
        },
        // The engine has put it back before anything is recorded.
        Applied::Left => left(ChangeState::Skipped, Outcome::Skipped, Reason::new("superseded")),
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
    match (change.body.link_origin.as_deref(), linked) {
        (Some(RECREATED), Some(link)) => link.target == change.body.target || link.target == end.target,
        (Some(_), Some(link)) => link.target == end.target,
        (Some(_), None) => true,
        (None, Some(link)) => link.target == change.body.target,
        (None, None) => false,
    }
}

/// The link as it stands after a change was applied: what we wrote now over what we wrote before.
fn link_after(change: &Change, end: &End, before: Option<&Link>) -> Link {
    // What was written to an item that is gone says nothing about the one in its place.
    let same = before.filter(|_| change.body.link_origin.as_deref() != Some(RECREATED));
    let mut link = Link {
        source: change.body.source.clone(),
        name: change.body.name.clone(),
        state: LinkState::Linked,
        target: end.target.clone(),
        witness: end.witness.clone().or_else(|| before.and_then(|link| link.witness.clone())),
        candidates: Vec::new(),
        origin: change.body.link_origin.clone().or_else(|| before.map(|link| link.origin.clone())).unwrap_or_else(|| "set".to_owned()),
        written: same.map(|link| link.written.clone()).unwrap_or_default(),
        source_seen_at: Some(change.body.source_seen_at),
        undone: same.map(|link| link.undone.clone()).unwrap_or_default(),
        run: Some(change.run.clone()),
        linked_at: before.and_then(|link| link.linked_at),
        updated_at: clock::now(),
    };
    match &end.instead {
        Some(fields) => undo::learn(&mut link, &NewChange { fields: fields.clone(), ..change.body.clone() }, LONGEST_WRITTEN),
        None => undo::learn(&mut link, &change.body, LONGEST_WRITTEN),
    }
    // The brake on currencies compares with it.
    let price = change.body.fields.iter().find(|field| field.field == "price");
    link.written.extend(price.and_then(|price| label(&price.rule)).map(|label| (CURRENCY_WRITTEN.to_owned(), label.into())));
    link
}

/// Rows that went as planned need one statement for all; the others get one each.
fn store_ends(connection: &mut MysqlConnection, ends: &[(&Change, End)]) -> Result<(), Problem> {
    use tradesync_changes::dsl as c;
    let plain: Vec<u64> = ends
        .iter()
        .filter(|(change, end)| end.state == ChangeState::Applied && end.instead.is_none() && end.target == change.body.target)
        .map(|(change, _)| change.id)
        .collect();
    for batch in plain.chunks(1_000) {
        diesel::update(c::tradesync_changes.filter(c::id.eq_any(batch)).filter(c::state.eq("applying")))
            .set(c::state.eq("applied"))
            .execute(connection)?;
    }
    let created: Vec<&(&Change, End)> = ends
        .iter()
        .filter(|(change, end)| end.state == ChangeState::Applied && end.instead.is_none() && end.target != change.body.target)
        .collect();
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
    for (change, end) in ends {
        let Some(fields) = &end.instead else { continue };
        diesel::update(c::tradesync_changes.find(change.id).filter(c::state.eq("applying")))
            .set((
                c::state.eq("applied"),
                c::outcome.eq(word(end.outcome)?),
                c::reason.eq(text(&end.reason.clone().unwrap_or_default())?),
                c::fields.eq(text(fields)?),
                c::target_key.eq(&end.target),
                c::witness.eq(&end.witness),
            ))
            .execute(connection)?;
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

/// Records what became of a batch, its links and the counts, in the caller's transaction.
pub(super) fn record(
    connection: &mut MysqlConnection,
    run: &str,
    fence: u64,
    space: &str,
    results: &[(Change, Applied)],
) -> Result<Counts, Problem> {
    use tradesync_runs::dsl as r;
    let held = hold(connection, run, fence)?;
    let open = still_applying(connection, run, results)?;
    let ends: Vec<(&Change, End)> =
        results.iter().filter(|(change, _)| open.contains(&change.id)).map(|(change, applied)| (change, end(change, applied))).collect();
    store_ends(connection, &ends)?;
    let sources: Vec<String> = ends.iter().map(|(change, _)| change.body.source.clone()).collect();
    let before = links::lock_rows(connection, space, &sources)?;
    let wanted: Vec<String> =
        ends.iter().filter(|(change, _)| change.body.link_origin.is_some()).filter_map(|(_, end)| end.target.clone()).collect();
    let holders = links::linked_targets(connection, space, &wanted)?;
    let (mut made, mut kept) = (Vec::new(), Vec::new());
    for (change, end) in ends.iter().filter(|(change, end)| end.state == ChangeState::Applied && change.body.op != Op::None) {
        let holder = end.target.as_ref().and_then(|target| holders.get(target));
        let free = holder.is_none_or(|holder| holder.is(space, &change.body.source) || !holder.holds(end.witness.as_deref()));
        let locked = before.get(&change.body.source);
        let link = locked.map(|locked| &locked.link);
        if !free || !still_as_planned(change, end, link) {
            continue;
        }
        let after = link_after(change, end, link);
        let same = |locked: &&links::Locked| change.run == run && change.body.link_origin.is_none() && locked.link.target == after.target;
        match locked.filter(same) {
            Some(locked) => kept.push((locked, after)),
            None => made.push(after),
        }
    }
    links::upsert(connection, space, &made)?;
    links::refresh(connection, run, &kept)?;
    let applied = ends.iter().filter(|(_, end)| end.state == ChangeState::Applied);
    pictures::wish(connection, space, applied.map(|(change, end)| (*change, end.target.as_ref(), end.witness.as_ref())))?;
    let not_kept = |end: &End| end.reason.as_ref().is_some_and(|reason| reason.code == Code::ValueNotKept.name());
    let not_kept: Vec<&str> = ends.iter().filter(|(_, end)| not_kept(end)).map(|(change, _)| change.body.source.as_str()).collect();
    events::tell_not_kept(connection, &held, &not_kept)?;
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

/// Whether a change makes something in the target, so that whoever comes next finds out whether it did.
fn makes(change: &Change) -> bool {
    change.body.op == Op::Create || (change.body.op == Op::Send && change.body.link_origin.is_some())
}

/// Which of the rows are open. A creation, or a row of another run, may have been recorded by somebody else meanwhile and must not count
/// twice; nobody else touches the updates of a run that is held.
fn still_applying(connection: &mut MysqlConnection, run: &str, results: &[(Change, Applied)]) -> Result<HashSet<u64>, Problem> {
    use tradesync_changes::dsl as c;
    let (mine, shared): (Vec<&Change>, Vec<&Change>) =
        results.iter().map(|(change, _)| change).partition(|change| change.run == run && !makes(change));
    let mut open: HashSet<u64> = mine.into_iter().map(|change| change.id).collect();
    for batch in shared.chunks(1_000) {
        let ids: Vec<u64> = batch.iter().map(|change| change.id).collect();
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
