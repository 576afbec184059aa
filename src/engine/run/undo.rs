//! An undo: what another run applied is taken back, item by item, where it still stands. Instead of reading and deciding.
//!
//! The plan is made under the target's lock from the other run's applied changes and what stands in the target now (the rules of
//! [`crate::engine::undo`] are pure); it is applied like any plan, intent, effect, record, so a `kill -9` at any point and a
//! restart come to the same end. No cursor moves.

use std::collections::{HashMap, HashSet};

use super::Execution;
use crate::{
    engine::{
        flow::{Apply, Facts, Observation, Rules},
        model::{Applied, Change, Counts, NewChange, Outcome, Phase, Reason, State},
        ports::Finish,
        undo::{Undoing, is_only_wished, moved, shown, take_back},
    },
    fault::{Code, Fault, failpoint},
};

/// Changes looked at together, and in one batch.
const CHUNK: u32 = 1_000;

impl Execution {
    /// Takes back what `of` applied; the counts of its report.
    pub(super) async fn undo(&mut self, of: &str) -> Result<Counts, Fault> {
        self.hold.go_on()?;
        // The stream itself may have been deleted since.
        let stream = self.ports.connections.stream(&self.run.connection, &self.run.stream).await?;
        let cursor = stream.and_then(|stream| stream.cursor);
        self.ports.runs.begin(&self.run.id, self.hold.fence(), &self.opened.settings, cursor).await?;
        self.hold.take(&self.target_lease()).await?;
        let mut target = self.flow.target(&self.opened).await?;
        if self.run.phase == Phase::Apply {
            self.run.counts = self.ports.runs.get(&self.run.id).await?.map_or(self.run.counts, |run| run.counts);
        }
        let rules = self.rules_of(of, &mut *target).await?;
        self.finish_leftovers(&mut *target).await?;
        if self.run.phase != Phase::Apply {
            self.run.counts = self.plan_undo(of, &mut *target, &*rules).await?;
            failpoint::hit("after-decide");
            self.run.phase = Phase::Apply;
        }
        self.apply_undo(&mut *target, &*rules).await
    }

    /// The rules, for comparing what stands in the target; the source is not asked.
    async fn rules_of(&self, of: &str, target: &mut dyn Apply) -> Result<Box<dyn Rules>, Fault> {
        let undone = self.ports.runs.get(of).await?;
        let source = undone.and_then(|run| run.read_summary).map(|summary| summary.facts).unwrap_or_default();
        let streams = self.ports.connections.streams(&self.connection.id).await?;
        self.flow.rules(&self.opened, &self.run.stream, &streams, Facts { source, target: target.facts().await?, ..Facts::default() })
    }

    async fn plan_undo(&self, of: &str, target: &mut dyn Apply, rules: &dyn Rules) -> Result<Counts, Fault> {
        let fence = self.hold.fence();
        self.ports.changes.clear(&self.run.id, fence).await?;
        let mut counts = Counts::default();
        let mut after = None;
        loop {
            self.hold.go_on()?;
            let changes = self.ports.changes.applied(of, after, CHUNK).await?;
            let Some(last) = changes.last() else { break };
            after = Some(last.id);
            let sources: Vec<String> = changes.iter().map(|change| change.body.source.clone()).collect();
            let links = self.ports.links.by_sources(&self.connection.link_space, &sources).await?;
            let observed = observe(target, &changes).await?;
            let plan: Vec<NewChange> = changes
                .iter()
                .flat_map(|change| {
                    let observed = change.body.target.as_ref().and_then(|target| observed.get(target));
                    take_back(rules, &Undoing { change, link: links.get(&change.body.source), observed, run: &self.run.id })
                })
                .collect();
            for row in &plan {
                match row.outcome {
                    Outcome::Skipped => counts.skipped += 1,
                    Outcome::Unchanged => counts.unchanged += 1,
                    // Counted when they are applied.
                    Outcome::Updated | Outcome::Created | Outcome::Failed | Outcome::Held => {}
                }
            }
            self.store_changes(plan).await?;
            failpoint::hit("after-plan");
        }
        if after.is_none() {
            return Err(Fault::new(Code::UndoExpired, format!("the old values of the run {of} are no longer kept")));
        }
        self.ports.runs.decided(&self.run.id, fence, counts, Phase::Apply).await?;
        Ok(counts)
    }

    async fn apply_undo(&mut self, target: &mut dyn Apply, rules: &dyn Rules) -> Result<Counts, Fault> {
        let fence = self.hold.fence();
        let mut counts = self.run.counts;
        let mut changed = false;
        loop {
            self.hold.go_on()?;
            let (batch, again) = self.ports.changes.next_batch(&self.run.id, fence, CHUNK, None).await?;
            if batch.is_empty() {
                break;
            }
            failpoint::hit("after-intent");
            // What an earlier attempt has begun stands between old and new; it is carried on, and the writer guards it.
            let (batch, mut results) = if again { (batch, Vec::new()) } else { leave_changed(target, rules, batch).await? };
            let (batch, locked) = self.leave_locked(&mut *target, rules, batch, again).await?;
            results.extend(locked);
            let applied = target.apply(&batch, again).await?;
            results.extend(batch.into_iter().zip(applied.into_iter().map(left_alone)));
            changed |= results.iter().any(|(_, applied)| matches!(applied, Applied::Done { .. }));
            failpoint::hit("after-effect");
            let results = self.put_back(results).await?;
            counts = self.ports.changes.record(&self.run.id, fence, &self.connection.link_space, results).await?;
            self.run.counts = counts;
            failpoint::hit("after-record");
            target.recorded().await?;
            if let Some(fault) = target.ended_by() {
                return Err(fault);
            }
        }
        if let Err(fault) = target.finish(changed || self.resumed).await {
            tracing::warn!(run.id = %self.run.id, error = %fault, "the shop's caches could not be cleared; the storefront shows old values until they expire");
        }
        Ok(counts)
    }

    /// Ends an undo: partial where something is left as it is. Cursor and clock of the stream stay.
    pub(super) async fn undone(&self, counts: Counts) -> Result<Option<State>, Fault> {
        failpoint::hit("before-cursor");
        let state = if counts.skipped + counts.failed > 0 { State::Partial } else { State::Succeeded };
        self.ports.runs.finish(&self.run.id, self.hold.fence(), Finish::beside_stream(state)).await?;
        tracing::info!(
            run.id = %self.run.id, connection.id = %self.connection.id, stream = %self.run.stream, state = ?state,
            updated = counts.updated, unchanged = counts.unchanged, skipped = counts.skipped, failed = counts.failed,
            "undo ended"
        );
        Ok(Some(state))
    }
}

/// What stands in the target for all that these changes speak of, whatever the settings let follow the source by now.
async fn observe(target: &mut dyn Apply, changes: &[Change]) -> Result<HashMap<String, Observation>, Fault> {
    let keys: Vec<String> =
        changes.iter().filter_map(|change| change.body.target.as_ref()).collect::<HashSet<_>>().into_iter().cloned().collect();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    target.look_at(&changes.iter().flat_map(|change| &change.body.fields).map(|field| field.field.clone()).collect());
    target.observe(&keys).await
}

/// A hand may have been quicker than the plan, above all where the plan waited for another worker.
async fn leave_changed(
    target: &mut dyn Apply,
    rules: &dyn Rules,
    batch: Vec<Change>,
) -> Result<(Vec<Change>, Vec<(Change, Applied)>), Fault> {
    let observed = observe(target, &batch).await?;
    let (mut open, mut left) = (Vec::new(), Vec::new());
    for change in batch {
        let seen = change.body.target.as_ref().and_then(|target| observed.get(target));
        let now = seen.and_then(|seen| {
            let of_target = change.body.fields.iter().filter(|field| rules.beside(&field.field).is_none());
            of_target
                .filter(|field| !is_only_wished(field, &change.body.keep))
                .find_map(|field| moved(rules, &change.body, field, seen).map(|now| format!("{} = {}", field.field, shown(Some(&now)))))
        });
        match now {
            Some(now) => left.push((change, Applied::Gone { reason: Reason::new("changed_since").with("now", now) })),
            None => open.push(change),
        }
    }
    Ok((open, left))
}

/// What changed under the writer's hands stays as it is: an undo overwrites nobody.
fn left_alone(applied: Applied) -> Applied {
    match applied {
        Applied::Conflict { detail } => Applied::Gone { reason: Reason::new("changed_since").with("now", detail) },
        other => other,
    }
}
