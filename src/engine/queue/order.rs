//! The order of the queue, as pure rules.
//!
//! 1. What is urgent goes first: prices and stock before pictures, unless those have waited for long.
//! 2. Then the party (an owner, or a connection without one) with the fewest runs at work, then the one whose turn is longest ago:
//!    a seller with a thousand waiting runs gets as many turns as one with a single run.
//! 3. Within a party: what a person asked for before what a schedule did, then the one that waits longest.
//!
//! Runs over which workers have fallen silent go behind all others of their urgency: they may do so again.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BinaryHeap, HashMap, HashSet},
    time::Duration,
};

use chrono::{DateTime, Utc};

use super::{Belongs, Caps, Live, Need, Standing, Waiting, WaitsFor};
use crate::engine::model::{Phase, Trigger};

/// Pictures that have waited so long count like prices. Too low: they push prices aside; too high: on a busy service they never come.
const PATIENCE_OF_PICTURES: Duration = Duration::from_secs(600);

/// Lower goes first.
fn urgency(run: &Waiting) -> u8 {
    u8::from(run.phase == Phase::Pictures && run.waited < crate::domain::clock::scaled(PATIENCE_OF_PICTURES))
}

/// Lower goes first, among the runs of one party.
fn priority(trigger: Trigger) -> u8 {
    match trigger {
        Trigger::Manual | Trigger::Undo => 0,
        Trigger::Retry | Trigger::Webhook => 1,
        Trigger::Schedule => 2,
        Trigger::Pictures => 3,
    }
}

/// When a party had its last turn: never, at a time, or in the very sequence that is being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Never,
    At(DateTime<Utc>),
    Now(u32),
}

struct Party<'a> {
    at_work: u32,
    turn: Turn,
    /// Its runs, the first one last.
    waiting: Vec<&'a Waiting>,
}

fn within_party(one: &Waiting, other: &Waiting) -> Ordering {
    let key = |run: &Waiting| (urgency(run), run.losses, priority(run.trigger), run.since);
    key(one).cmp(&key(other)).then_with(|| one.run.cmp(&other.run))
}

/// Goes through the waiting runs in their order; `accept` says of each whether it is taken. Until `limit` are.
fn sequence<'a>(waiting: &'a [Waiting], live: &[Live], limit: usize, mut accept: impl FnMut(&Waiting) -> bool) -> Vec<&'a Waiting> {
    let mut at_work: HashMap<&str, u32> = HashMap::new();
    for run in live {
        *at_work.entry(run.belongs.party.as_str()).or_default() += 1;
    }
    let mut parties: HashMap<&str, Party<'a>> = HashMap::new();
    for run in waiting {
        let name = run.belongs.party.as_str();
        let party = parties.entry(name).or_insert_with(|| Party {
            at_work: at_work.get(name).copied().unwrap_or_default(),
            turn: run.turn.map_or(Turn::Never, Turn::At),
            waiting: Vec::new(),
        });
        party.waiting.push(run);
    }
    let head = |party: &Party<'a>, name: &'a str| {
        party
            .waiting
            .last()
            .map(|run| Reverse((urgency(run), run.losses, party.at_work, party.turn, priority(run.trigger), run.since, &run.run, name)))
    };
    let mut heads = BinaryHeap::new();
    for (name, party) in &mut parties {
        party.waiting.sort_by(|one, other| within_party(other, one));
        heads.extend(head(party, name));
    }
    let mut taken = Vec::new();
    while taken.len() < limit {
        let Some(Reverse((.., name))) = heads.pop() else { break };
        let Some(party) = parties.get_mut(name) else { continue };
        let Some(run) = party.waiting.pop() else { continue };
        if accept(run) {
            taken.push(run);
            party.at_work += 1;
            party.turn = Turn::Now(u32::try_from(taken.len()).unwrap_or(u32::MAX));
        }
        heads.extend(head(party, name));
    }
    taken
}

/// Counts what is at work, by what is capped.
#[derive(Default)]
struct AtWork<'a> {
    systems: HashMap<&'a str, u32>,
    connections: HashMap<&'a str, u32>,
    needs: HashSet<&'a Need>,
}

impl<'a> AtWork<'a> {
    fn of(live: &'a [Live]) -> Self {
        let mut counted = Self::default();
        for run in live {
            counted.add(&run.belongs);
        }
        counted
    }

    fn add(&mut self, run: &'a Belongs) {
        *self.systems.entry(run.system.as_str()).or_default() += 1;
        *self.connections.entry(run.connection.as_str()).or_default() += 1;
        if run.need != Need::Nothing {
            self.needs.insert(&run.need);
        }
    }

    /// What is in a run's way; `None` = nothing but a free place.
    fn bars(&self, run: &Waiting, caps: Caps) -> Option<WaitsFor> {
        let count = |counts: &HashMap<&str, u32>, name: &str| counts.get(name).copied().unwrap_or_default();
        if run.not_before.is_some() {
            Some(WaitsFor::Moment)
        } else if run.barred || self.needs.contains(&run.belongs.need) {
            Some(WaitsFor::Connection)
        } else if count(&self.connections, &run.belongs.connection) >= caps.per_connection {
            Some(WaitsFor::ConnectionFull)
        } else if count(&self.systems, &run.belongs.system) >= caps.per_system {
            Some(WaitsFor::SystemFull)
        } else {
            None
        }
    }
}

/// The runs that are taken next, in their order, into `places`.
pub fn pick<'a>(waiting: &'a [Waiting], live: &'a [Live], caps: Caps, places: usize) -> Vec<&'a Waiting> {
    let mut at_work = AtWork::of(live);
    let by_run: HashMap<&str, &'a Waiting> = waiting.iter().map(|run| (run.run.as_str(), run)).collect();
    sequence(waiting, live, places, |run| {
        let free = at_work.bars(run, caps).is_none();
        if let (true, Some(run)) = (free, by_run.get(run.run.as_str())) {
            at_work.add(&run.belongs);
        }
        free
    })
}

/// Where every waiting run stands, by its id.
pub fn standings<'a>(waiting: &'a [Waiting], live: &'a [Live], caps: Caps) -> HashMap<&'a str, Standing> {
    let at_work = AtWork::of(live);
    let mut standings = HashMap::new();
    let due = sequence(waiting, live, waiting.len(), |run| run.not_before.is_none());
    for (place, run) in due.into_iter().enumerate() {
        let waits_for = at_work.bars(run, caps).unwrap_or(WaitsFor::Place);
        let position = u32::try_from(place + 1).ok();
        standings.insert(run.run.as_str(), Standing { position, since: run.since, waits_for });
    }
    for run in waiting.iter().filter(|run| run.not_before.is_some()) {
        standings.insert(run.run.as_str(), Standing { position: None, since: run.since, waits_for: WaitsFor::Moment });
    }
    standings
}

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;
