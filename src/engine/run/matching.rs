//! Which targets items without a link might have.

use std::collections::{HashMap, HashSet};

use super::{
    Execution,
    decide::{CHUNK, Chunk},
};
use crate::{
    engine::{
        flow::{Lookup, Observe, Rules},
        model::{Candidate, Link, LinkState},
        ports::Holder,
    },
    fault::Fault,
};

/// Unlinked records matched together: the target has no index on sku, so each query scans it once.
const LOOKUP_CHUNK: usize = 1_000;

/// Possible targets of source items without a target.
#[derive(Default)]
pub(super) struct Matches {
    by_source: HashMap<String, Vec<Candidate>>,
    /// How many source items want a target.
    wanted: HashMap<String, u32>,
}

impl Matches {
    pub(super) fn of(&self, source: &str) -> &[Candidate] {
        self.by_source.get(source).map_or(&[], Vec::as_slice)
    }

    pub(super) fn contested(&self, source: &str) -> bool {
        self.of(source).iter().any(|candidate| self.wanted.get(&candidate.target).is_some_and(|wanted| *wanted > 1))
    }
}

impl Execution {
    /// Finds possible targets for all records without a link, before any is decided: two source items that want the same target
    /// must both become questions, whichever comes first.
    pub(super) async fn match_unlinked<O: Observe + ?Sized>(&self, target: &mut O, rules: &dyn Rules) -> Result<Matches, Fault> {
        let mut matches = Matches::default();
        let space = &self.connection.link_space;
        // In an empty shop nothing can be found. More must not be concluded from counts: links outlive their products.
        if rules.concerns().is_some() || target.is_empty().await? {
            return Ok(matches);
        }
        let mut after: Option<String> = None;
        let mut lookups: Vec<Lookup> = Vec::new();
        loop {
            self.hold.go_on()?;
            // Records are large and their keys are small: only the keys are gathered until a query pays.
            let records = self.ports.records.unlinked(&self.connection.id, space, after.as_deref(), CHUNK).await?;
            lookups.extend(records.iter().filter_map(|stored| rules.lookup(&stored.record.key, &stored.record.payload)));
            after = records.last().map(|last| last.record.key.clone());
            let ended = after.is_none();
            if lookups.len() >= LOOKUP_CHUNK || (ended && !lookups.is_empty()) {
                self.match_some(target, &lookups, &mut matches).await?;
                lookups.clear();
            }
            if ended {
                return Ok(matches);
            }
        }
    }

    /// A person who deleted a product may have made it anew by hand: what is to be created again is looked for like a new item.
    pub(super) async fn match_deleted<O: Observe + ?Sized>(
        &self,
        target: &mut O,
        rules: &dyn Rules,
        chunk: &Chunk,
        matches: &mut Matches,
    ) -> Result<(), Fault> {
        let deleted =
            |link: &Link| link.state == LinkState::Linked && link.target.as_ref().is_none_or(|target| !chunk.observed.contains_key(target));
        let lookups: Vec<Lookup> = chunk
            .records
            .iter()
            .filter(|stored| chunk.links.get(&stored.record.key).is_some_and(deleted))
            .filter_map(|stored| rules.lookup(&stored.record.key, &stored.record.payload))
            .collect();
        if lookups.is_empty() { Ok(()) } else { self.match_some(target, &lookups, matches).await }
    }

    async fn match_some<O: Observe + ?Sized>(&self, target: &mut O, lookups: &[Lookup], matches: &mut Matches) -> Result<(), Fault> {
        let found = target.candidates(lookups).await?;
        let targets: Vec<String> =
            found.values().flatten().map(|candidate| candidate.target.clone()).collect::<HashSet<_>>().into_iter().collect();
        let taken = self.taken(target, &targets).await?;
        for (source, mut candidates) in found {
            candidates.retain(|candidate| !taken.contains(&candidate.target));
            candidates.sort_by(|one, other| one.target.len().cmp(&other.target.len()).then_with(|| one.target.cmp(&other.target)));
            for candidate in &candidates {
                *matches.wanted.entry(candidate.target.clone()).or_default() += 1;
            }
            if !candidates.is_empty() {
                matches.by_source.insert(source, candidates);
            }
        }
        Ok(())
    }

    /// Which of these targets are linked elsewhere. A link whose item was replaced by another one under the same id holds nothing.
    pub(super) async fn taken<O: Observe + ?Sized>(&self, target: &mut O, targets: &[String]) -> Result<HashSet<String>, Fault> {
        let holders = self.ports.links.linked_targets(&self.connection.link_space, targets).await?;
        if holders.is_empty() {
            return Ok(HashSet::new());
        }
        let seen = target.observe(&holders.keys().cloned().collect::<Vec<_>>()).await?;
        let holds = |item: &str, holder: &Holder| seen.get(item).is_none_or(|seen| holder.holds(seen.witness.as_deref()));
        Ok(holders.into_iter().filter(|(item, holder)| holds(item, holder)).map(|(item, _)| item).collect())
    }
}
