//! The apply phase: intent -> effect -> record, batch by batch. Each step is safe to repeat after `kill -9`.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use super::{Execution, approved::changed_reason};
use crate::{
    engine::{
        flow::{Apply, Lookup, MOST_AT_ONCE, Rules},
        locks,
        model::{Applied, Candidate, Change, Counts, Op, Outcome, RECREATED, Reason, VANISHED},
        ports::Holding,
    },
    fault::{Fault, failpoint},
};

/// Changes looked at together, and most in one batch: half of what can stand between intent and record when the process dies.
pub(super) const BATCH: u32 = MOST_AT_ONCE;
/// How long a look at the links of a batch is good for: it is taken while the batch before is carried out, which some targets do slowly.
/// Too low: two looks at each; too high: what a person unlinked meanwhile is written once more.
const LOOK: Duration = Duration::from_secs(1);

/// A batch whose intent is stored, with what its items were linked to.
struct Begun {
    batch: Vec<Change>,
    /// Whether an earlier attempt may have got through.
    again: bool,
    links: HashMap<String, Holding>,
    looked: Instant,
}

impl Execution {
    /// Applies what is planned; returns the run's counts.
    ///
    /// While a batch is carried out, the next one is read and its intent stored: both ends, and the wire between them, stay busy.
    pub(super) async fn apply(&mut self, target: &mut dyn Apply, rules: &dyn Rules) -> Result<Counts, Fault> {
        if self.resumed {
            let last = self.ports.changes.last_created(&self.run.id, BATCH).await?;
            target.recorded_earlier(&last).await?;
        }
        let mut next = None;
        let applied = self.apply_batches(target, rules, &mut next).await;
        if let (Err(_), Some(begun)) = (&applied, next) {
            self.give_back(begun).await;
        }
        // An interrupted run may have written before it came here.
        if let Err(fault) = target.finish(applied? || self.resumed).await {
            tracing::warn!(run.id = %self.run.id, error = %fault, "the shop's caches could not be cleared; the storefront shows old values until they expire");
        }
        Ok(self.run.counts)
    }

    /// Batch by batch; whether anything was written. `next` is what was begun and not carried out yet, also after a fault.
    async fn apply_batches(&mut self, target: &mut dyn Apply, rules: &dyn Rules, next: &mut Option<Begun>) -> Result<bool, Fault> {
        let (mut changed, most) = (false, target.most_at_once());
        if !self.traces.may_have_changes() {
            return Ok(changed);
        }
        loop {
            self.hold.go_on()?;
            let begun = match next.take() {
                Some(begun) => begun,
                None => {
                    let fit = self.fit_to_begin(target, rules).await?;
                    self.begin_batch(fit.min(most), None).await?
                }
            };
            let Some(last) = begun.batch.last().map(|change| change.id) else { return Ok(changed) };
            failpoint::hit("after-intent");
            let this: &Self = self;
            let (carried_out, ahead) = tokio::join!(this.carry_out(target, rules, begun), this.begin_ahead(last, most));
            // Kept before any fault is passed on, so that it can be given back.
            let ahead = ahead.map(|ahead| *next = ahead);
            let (counts, wrote) = carried_out?;
            self.run.counts = counts;
            changed |= wrote;
            failpoint::hit("after-record");
            target.recorded().await?;
            if let Some(fault) = target.ended_by() {
                return Err(fault);
            }
            ahead?;
        }
    }

    /// Stores the intent of the next batch.
    async fn begin_batch(&self, limit: u32, in_hand: Option<u64>) -> Result<Begun, Fault> {
        let (batch, again) = self.ports.changes.next_batch(&self.run.id, self.hold.fence(), limit, in_hand).await?;
        let (looked, links) = (Instant::now(), self.links_of(&batch).await?);
        Ok(Begun { batch, again, links, looked })
    }

    /// The same while the changes up to `in_hand` are carried out. An approved plan waits: what stands is looked at before each intent.
    async fn begin_ahead(&self, in_hand: u64, most: u32) -> Result<Option<Begun>, Fault> {
        if self.run.plan.approved() {
            return Ok(None);
        }
        self.begin_batch(most, Some(in_hand)).await.map(Some)
    }

    /// Takes an intent back that nothing followed; whoever takes the run up would otherwise look for effects.
    async fn give_back(&self, begun: Begun) {
        if begun.again || begun.batch.is_empty() {
            return;
        }
        if let Err(fault) = self.ports.changes.withdraw(&self.run.id, self.hold.fence(), &begun.batch).await {
            tracing::debug!(run.id = %self.run.id, error = %fault, "an intent stays; the next attempt finds that nothing followed it");
        }
    }

    async fn links_of(&self, batch: &[Change]) -> Result<HashMap<String, Holding>, Fault> {
        let sources: Vec<String> = batch.iter().map(|change| change.body.source.clone()).collect();
        self.ports.links.holding(&self.connection.link_space, &sources).await
    }

    /// Effect and record of one batch; the counts so far, and whether anything was written.
    async fn carry_out(&self, target: &mut dyn Apply, rules: &dyn Rules, begun: Begun) -> Result<(Counts, bool), Fault> {
        let again = begun.again;
        let (batch, mut results) = self.leave_overtaken(target, rules, begun).await?;
        let (batch, locked) = self.leave_locked(target, rules, batch, again).await?;
        results.extend(locked);
        results.extend(self.apply_batch(target, rules, batch, again).await?);
        let wrote = results.iter().any(|(_, applied)| matches!(applied, Applied::Done { .. } | Applied::Otherwise(_)));
        failpoint::hit("after-effect");
        let hooks = Self::carried_out(&results);
        let results = self.put_back(results).await?;
        let counts = self.ports.changes.record(&self.run.id, self.hold.fence(), &self.connection.link_space, results).await?;
        if !hooks.is_empty() {
            failpoint::hit("hooks-not-settled");
            self.settle_hooks(&hooks).await?;
        }
        Ok((counts, wrote))
    }

    /// Plans again what the target had not begun when it fell silent; the rest is to be recorded.
    pub(super) async fn put_back(&self, results: Vec<(Change, Applied)>) -> Result<Vec<(Change, Applied)>, Fault> {
        let (left, results): (Vec<_>, Vec<_>) = results.into_iter().partition(|(_, applied)| matches!(applied, Applied::Left));
        if !left.is_empty() {
            let left: Vec<Change> = left.into_iter().map(|(change, _)| change).collect();
            self.ports.changes.withdraw(&self.run.id, self.hold.fence(), &left).await?;
        }
        Ok(results)
    }

    /// Takes out what has been overtaken since it was decided: the plan may have waited for a person's approval, or for another
    /// worker, while other runs and people went on. Old values guard an update, but nothing guards a creation against a twin.
    ///
    /// A plan that is applied at once can only be overtaken by a person who links or unlinks one of its items.
    async fn leave_overtaken(
        &self,
        target: &mut dyn Apply,
        rules: &dyn Rules,
        begun: Begun,
    ) -> Result<(Vec<Change>, Vec<(Change, Applied)>), Fault> {
        let Begun { batch, again, links, looked } = begun;
        let links = if looked.elapsed() < LOOK { links } else { self.links_of(&batch).await? };
        if !self.resumed {
            let relinked = |change: &Change| {
                let link = links.get(&change.body.source);
                match change.body.link_origin.as_deref() {
                    Some(RECREATED) => link.is_none_or(|link| link.target != change.body.target),
                    Some(_) => link.is_some(),
                    None => link.is_none_or(|link| link.target != change.body.target),
                }
            };
            return Ok(set_aside(batch, relinked));
        }
        let targets: Vec<String> =
            batch.iter().filter(|change| change.body.link_origin.is_some()).filter_map(|change| change.body.target.clone()).collect();
        let taken = self.taken(target, &targets).await?;
        // What an earlier attempt made itself is found by its reference, not taken for a twin.
        let twins = if again { HashSet::new() } else { self.twins(target, rules, &batch).await? };
        let back = self.listed_again(&batch).await?;
        let overtaken = |change: &Change| {
            let link = links.get(&change.body.source);
            match (change.body.op, change.body.link_origin.as_deref()) {
                _ if back.contains(&change.body.source) => true,
                (Op::Create, Some(RECREATED)) => {
                    link.is_none_or(|link| link.target != change.body.target) || twins.contains(&change.body.source)
                }
                (Op::Create, _) => link.is_some() || twins.contains(&change.body.source),
                (_, Some(_)) => link.is_some() || change.body.target.as_ref().is_some_and(|target| taken.contains(target)),
                (_, None) => link.is_none_or(|link| {
                    // Remotes tell whole seconds; within one, the later run (ids are in the order of time) saw the newer state.
                    let later = link.run.as_ref().is_some_and(|run| *run > self.run.id);
                    let mine = change.body.source_seen_at;
                    link.target != change.body.target || link.source_seen_at.is_some_and(|seen| seen > mine || (seen == mine && later))
                }),
            }
        };
        Ok(set_aside(batch, overtaken))
    }

    /// Items that were planned as gone, though the source lists them by now.
    async fn listed_again(&self, batch: &[Change]) -> Result<HashSet<String>, Fault> {
        let vanished = batch.iter().filter(|change| change.body.reason.code == VANISHED);
        let sources: Vec<String> = vanished.map(|change| change.body.source.clone()).collect();
        if sources.is_empty() {
            return Ok(HashSet::new());
        }
        let standing = self.ports.records.by_keys(&self.connection.id, &sources).await?;
        Ok(standing.into_iter().map(|stored| stored.record.key).collect())
    }

    /// Source items that are to be created, though by now something in the target matches them.
    async fn twins(&self, target: &mut dyn Apply, rules: &dyn Rules, batch: &[Change]) -> Result<HashSet<String>, Fault> {
        let creations: Vec<String> =
            batch.iter().filter(|change| change.body.op == Op::Create).map(|change| change.body.source.clone()).collect();
        if creations.is_empty() {
            return Ok(HashSet::new());
        }
        let records = self.ports.records.by_keys(&self.connection.id, &creations).await?;
        let lookups: Vec<Lookup> = records.iter().filter_map(|stored| rules.lookup(&stored.record.key, &stored.record.payload)).collect();
        let found = target.candidates(&lookups).await?;
        let targets: Vec<String> = found.values().flatten().map(|candidate| candidate.target.clone()).collect();
        let taken = self.taken(target, &targets).await?;
        let free = |candidates: &[Candidate]| candidates.iter().any(|candidate| !taken.contains(&candidate.target));
        Ok(found.into_iter().filter(|(_, candidates)| free(candidates)).map(|(source, _)| source).collect())
    }

    async fn apply_batch(
        &self,
        target: &mut dyn Apply,
        rules: &dyn Rules,
        batch: Vec<Change>,
        again: bool,
    ) -> Result<Vec<(Change, Applied)>, Fault> {
        let applied = target.apply(&batch, again).await?;
        let mut results: Vec<(Change, Applied)> = batch.into_iter().zip(applied).collect();
        let met: Vec<String> = results
            .iter()
            .filter(|(_, applied)| matches!(applied, Applied::Conflict { .. }))
            .map(|(change, _)| change.body.source.clone())
            .collect();
        if met.is_empty() {
            return Ok(results);
        }
        if self.run.plan.approved() {
            // An approved plan applies precisely what was seen, or leaves it alone.
            for (_, applied) in &mut results {
                if let Applied::Conflict { detail } = applied {
                    *applied = Applied::Gone { reason: changed_reason(detail) };
                }
            }
            return Ok(results);
        }
        self.once_more(target, rules, results, &met).await
    }

    /// Conflicts are re-read and decided again, once.
    async fn once_more(
        &self,
        target: &mut dyn Apply,
        rules: &dyn Rules,
        results: Vec<(Change, Applied)>,
        met: &[String],
    ) -> Result<Vec<(Change, Applied)>, Fault> {
        let mut decided = self.decide_again(target, rules, met).await?;
        let mut done = Vec::with_capacity(results.len());
        let mut retry: Vec<Change> = Vec::new();
        for (mut change, applied) in results {
            let Applied::Conflict { .. } = &applied else {
                done.push((change, applied));
                continue;
            };
            match decided.remove(&change.body.source) {
                // It was to be linked in this very run; deciding alone would take it for a new one. The next run looks anew.
                _ if change.body.link_origin.is_some() => done.push((change, applied)),
                Some(new) if new.op == change.body.op => {
                    change.body.fields = new.fields.into_iter().filter(|field| !locks::is_kept(field)).collect();
                    change.body.keep = new.keep;
                    change.body.witness = new.witness.or(change.body.witness);
                    retry.push(change);
                }
                Some(new) if new.outcome == Outcome::Unchanged => {
                    let (target, witness) = (change.body.target.clone().unwrap_or_default(), change.body.witness.clone());
                    done.push((change, Applied::Done { target, witness }));
                }
                Some(new) => done.push((change, Applied::Gone { reason: new.reason })),
                None => done.push((change, applied)),
            }
        }
        if !retry.is_empty() {
            self.ports.changes.revise(&self.run.id, self.hold.fence(), &retry).await?;
            let applied = target.apply(&retry, false).await?;
            done.extend(retry.into_iter().zip(applied));
        }
        Ok(done)
    }

    /// Creations that another run began and did not record: they are finished first, or the item would be made twice. What that run
    /// had not begun is not made for it: this run decides anew, and a person may have ended it for that very reason.
    pub(super) async fn finish_leftovers(&self, target: &mut dyn Apply) -> Result<(), Fault> {
        loop {
            let left = self.ports.changes.leftovers(&self.connection.id, &self.run.id, self.hold.fence(), BATCH).await?;
            if left.is_empty() {
                return Ok(());
            }
            tracing::info!(run.id = %self.run.id, items = left.len(), "finishing what an earlier run had begun");
            let applied = target.complete(&left).await?;
            let mut results = Vec::new();
            let mut not_begun = Vec::new();
            for (change, applied) in left.into_iter().zip(applied) {
                match applied {
                    Some(applied) => results.push((change, applied)),
                    None => not_begun.push(change),
                }
            }
            self.ports.changes.withdraw(&self.run.id, self.hold.fence(), &not_begun).await?;
            self.ports.changes.record(&self.run.id, self.hold.fence(), &self.connection.link_space, results).await?;
            target.recorded().await?;
        }
    }
}

/// Parts a batch into what is still to be done and what was overtaken.
pub(super) fn set_aside(batch: Vec<Change>, overtaken: impl Fn(&Change) -> bool) -> (Vec<Change>, Vec<(Change, Applied)>) {
    let (left, batch): (Vec<Change>, Vec<Change>) = batch.into_iter().partition(overtaken);
    (batch, left.into_iter().map(|change| (change, Applied::Gone { reason: Reason::new("superseded") })).collect())
}
