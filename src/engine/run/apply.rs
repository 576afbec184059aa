//! The apply phase: intent -> effect -> record, batch by batch. Each step is safe to repeat after `kill -9`.

use super::Execution;
use crate::{
    engine::{
        flow::{Apply, Rules},
        model::{Applied, Change, Counts, Op, Outcome, Reason},
    },
    fault::{Fault, failpoint},
};

/// Changes in one batch: also the most that can stand between intent and record when the process dies.
const BATCH: u32 = 1_000;

impl Execution {
    /// Applies what is planned; returns the run's counts.
    pub(super) async fn apply(&mut self, target: &mut dyn Apply, rules: &dyn Rules) -> Result<Counts, Fault> {
        let fence = self.hold.fence();
        let mut counts = self.run.counts;
        let mut changed = false;
        loop {
            self.hold.go_on()?;
            let (batch, again) = self.ports.changes.next_batch(&self.run.id, fence, BATCH).await?;
            if batch.is_empty() {
                break;
            }
            failpoint::hit("after-intent");
            let results = self.apply_batch(target, rules, batch, again).await?;
            changed |= results.iter().any(|(_, applied)| matches!(applied, Applied::Done { .. }));
            failpoint::hit("after-effect");
            counts = self.ports.changes.record(&self.run.id, fence, &self.connection.link_space, results).await?;
            self.run.counts = counts;
            failpoint::hit("after-record");
            target.recorded().await?;
        }
        // An interrupted run may have written before it came here.
        if let Err(fault) = target.finish(changed || self.run.attempts > 1).await {
            tracing::warn!(run.id = %self.run.id, error = %fault, "the shop's caches could not be cleared; the storefront shows old values until they expire");
        }
        Ok(counts)
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
        if self.run.dry_run {
            // An approved plan applies precisely what was seen, or leaves it alone.
            for (_, applied) in &mut results {
                if let Applied::Conflict { detail } = applied {
                    *applied = Applied::Gone { reason: Reason::new("target_changed").with("now", detail) };
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
                Some(new) if new.op == change.body.op => {
                    change.body.fields = new.fields;
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

    /// Creations that an earlier run began and did not record: they are finished first, or the item would be made twice.
    pub(super) async fn finish_leftovers(&self, target: &mut dyn Apply) -> Result<(), Fault> {
        loop {
            let left = self.ports.changes.leftovers(&self.connection.id, &self.run.id, self.hold.fence(), BATCH).await?;
            if left.is_empty() {
                return Ok(());
            }
            tracing::info!(run.id = %self.run.id, items = left.len(), "finishing what an earlier run had begun");
            let creations: Vec<Change> = left.into_iter().filter(|change| change.body.op == Op::Create).collect();
            let applied = target.apply(&creations, true).await?;
            let results: Vec<(Change, Applied)> = creations
                .into_iter()
                .zip(applied)
                // A conflict of an old intent is no failure of anybody: this run looks at the item anew.
                .map(|(change, applied)| match applied {
                    Applied::Conflict { .. } => (change, Applied::Gone { reason: Reason::new("superseded") }),
                    other => (change, other),
                })
                .collect();
            self.ports.changes.record(&self.run.id, self.hold.fence(), &self.connection.link_space, results).await?;
            target.recorded().await?;
        }
    }
}
