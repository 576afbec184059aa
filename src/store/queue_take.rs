//! Taking runs out of the queue, under the rules of [`crate::engine::queue::order`] and behind the lock of [`super::queue::alone`].
//!
//! Each taking is a compare-and-set all the same, so a taker that loses the lock half way does no harm. All of one claim share a
//! transaction: each that ends makes the disk write, and takers go one after the other.

use std::collections::HashSet;

use diesel::{
    MysqlConnection,
    prelude::*,
    sql_types::{BigInt, Text, Unsigned},
};

use super::{
    leases::micros,
    plans, queue,
    runs::find_bare,
    transaction::{Problem, transact, waited_in_vain},
};
use crate::{
    db::{kept, kept_if_few},
    engine::{
        model::Run,
        ports::Claimed,
        queue::{Ask, Passage, Taken, Waiting, order},
    },
    fault::Fault,
};

/// Takes runs into the free places.
pub(super) fn claim(connection: &mut MysqlConnection, waiting: &[Waiting], ask: &Ask) -> Result<Taken, Fault> {
    let live = queue::live(connection)?;
    // One more than there are places, to know whether anybody waits for one.
    let mut picked = order::pick(waiting, &live, ask.caps, ask.places + 1);
    let more = picked.len() > ask.places;
    picked.truncate(ask.places);
    // A process that was stopped in the midst of a transaction keeps its run's row; the others must not wait for that.
    let mut stuck = HashSet::new();
    loop {
        let known = stuck.len();
        let left: Vec<&Waiting> = picked.iter().copied().filter(|run| !stuck.contains(&run.run)).collect();
        if left.is_empty() {
            return Ok(Taken { more, gone: stuck.into_iter().collect(), ..Taken::default() });
        }
        let taken = transact(connection, |connection| {
            let (claimed, gone) = take_all(connection, &left, ask, &mut stuck)?;
            Ok(Taken { more, claimed, gone })
        });
        match taken {
            Ok(mut taken) => {
                taken.gone.extend(stuck);
                return Ok(taken);
            }
            // The whole begins anew without it: a server may be set to take back all of a transaction that has waited in vain.
            Err(_) if stuck.len() > known => {}
            Err(fault) => return Err(fault),
        }
    }
}

fn take_all(
    connection: &mut MysqlConnection,
    picked: &[&Waiting],
    ask: &Ask,
    stuck: &mut HashSet<String>,
) -> Result<(Vec<Claimed>, Vec<String>), Problem> {
    let (mut claimed, mut gone) = (Vec::new(), Vec::new());
    for run in picked {
        match take(connection, run, ask) {
            Ok(Some(taken)) => claimed.push(taken),
            Ok(None) => gone.push(run.run.clone()),
            // Others must not wait for what this copy cannot read, such as a run that a newer one has written: it stays taken, and comes
            // back when its lease has expired.
            Err(Problem::Fault(fault)) => {
                tracing::error!(run.id = %run.run, error = %fault, "a run in the queue cannot be read");
                gone.push(run.run.clone());
            }
            Err(Problem::Database(error)) => {
                if waited_in_vain(&error) {
                    stuck.insert(run.run.clone());
                }
                return Err(error.into());
            }
        }
    }
    note_turns(connection, picked.iter().filter(|run| claimed.iter().any(|claimed| claimed.run.id == run.run)))?;
    Ok((claimed, gone))
}

/// Takes one run, if it still stands as it was looked at.
fn take(connection: &mut MysqlConnection, run: &Waiting, ask: &Ask) -> Result<Option<Claimed>, Problem> {
    let taken = kept(
        "UPDATE tradesync_runs SET state = 'running', lease_holder = ?, lease_until = NOW(6) + INTERVAL ? MICROSECOND, fence = fence + 1, attempts = attempts + 1, \
         started_at = COALESCE(started_at, UTC_TIMESTAMP(6)), not_before = NULL, version = version + 1 \
         WHERE id = ? AND fence = ? AND (state = 'queued' OR (state = 'running' AND lease_until < NOW(6)))",
    )
    .bind::<Text, _>(&ask.worker)
    .bind::<BigInt, _>(micros(ask.lease))
    .bind::<Text, _>(&run.run)
    .bind::<Unsigned<BigInt>, _>(run.fence)
    .execute(connection)?;
    if taken == 0 {
        return Ok(None);
    }
    if run.lost {
        note_loss(connection, run)?;
    }
    let Some(mut found) = find_bare(connection, &run.run)? else { return Ok(None) };
    // Taken for the first time nothing can have been decided for it.
    if found.attempts > 1 {
        plans::attach(connection, std::slice::from_mut(&mut found))?;
    }
    found.passage = passage(connection, &found)?;
    Ok(Some(Claimed { fence: run.fence + 1, run: found, waited: run.waited }))
}

#[derive(QueryableByName)]
struct PassageRow {
    #[diesel(sql_type = Unsigned<diesel::sql_types::Integer>)]
    setbacks: u32,
    #[diesel(sql_type = Unsigned<diesel::sql_types::Integer>)]
    losses: u32,
}

/// What is known of a run's way; of its first taking nothing is.
fn passage(connection: &mut MysqlConnection, run: &Run) -> Result<Passage, Problem> {
    if run.attempts <= 1 {
        return Ok(Passage::default());
    }
    let row: Option<PassageRow> =
        kept("SELECT setbacks, losses FROM tradesync_queue WHERE run_id = ?").bind::<Text, _>(&run.id).get_result(connection).optional()?;
    Ok(row.map(|row| Passage { setbacks: row.setbacks, losses: row.losses, standing: None }).unwrap_or_default())
}

/// Notes of a run that was just taken that the worker which held it fell silent. Without a step forward since the last time it counts on.
fn note_loss(connection: &mut MysqlConnection, run: &Waiting) -> Result<(), Problem> {
    kept(
        "INSERT INTO tradesync_queue (run_id, waiting_since, losses, lost_at) \
         SELECT id, UTC_TIMESTAMP(6), 1, CONCAT(phase, ' ', applied_rows) FROM tradesync_runs WHERE id = ? \
         ON DUPLICATE KEY UPDATE losses = IF(lost_at <=> VALUES(lost_at), losses + 1, 1), lost_at = VALUES(lost_at)",
    )
    .bind::<Text, _>(&run.run)
    .execute(connection)?;
    Ok(())
}

/// The parties of these runs have had their turn.
fn note_turns<'a>(connection: &mut MysqlConnection, runs: impl Iterator<Item = &'a &'a Waiting>) -> Result<(), Problem> {
    let parties: HashSet<&str> = runs.map(|run| run.belongs.party.as_str()).collect();
    if parties.is_empty() {
        return Ok(());
    }
    let rows = vec!["(?, UTC_TIMESTAMP(6))"; parties.len()].join(",");
    let statement =
        format!("INSERT INTO tradesync_turns (party, taken_at) VALUES {rows} ON DUPLICATE KEY UPDATE taken_at = VALUES(taken_at)");
    let mut query = kept_if_few(parties.len(), statement);
    for party in parties {
        query = query.bind::<Text, _>(party);
    }
    query.execute(connection)?;
    Ok(())
}
