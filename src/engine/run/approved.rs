//! Applying what a person has approved: precisely that, or nothing. An item that a newer run has decided anew, or that stands
//! otherwise in the target than it did when it was planned, is left alone with its reason; nothing is decided to other values.

use std::collections::HashMap;

use super::{Execution, apply::BATCH};
use crate::{
    domain::number,
    engine::{
        flow::{Apply, Observation, Rules},
        model::{Change, Op, Reason},
        undo::{moved, shown},
    },
    fault::Fault,
};

impl Execution {
    /// Makes planned changes of what a brake held, once the run was approved. Safe to repeat.
    pub(super) async fn release_held(&mut self) -> Result<(), Fault> {
        if self.run.plan.approved() {
            self.run.counts = self.ports.plans.release(&self.run.id, self.hold.fence()).await?;
        }
        Ok(())
    }

    /// How many planned changes may be begun next. What no longer stands as it was planned is left alone first, before its intent is
    /// stored: a batch that is found half done after a crash was looked at already.
    pub(super) async fn fit_to_begin(&mut self, target: &mut dyn Apply, rules: &dyn Rules) -> Result<u32, Fault> {
        if !self.run.plan.approved() {
            return Ok(BATCH);
        }
        loop {
            self.hold.go_on()?;
            let planned = self.ports.plans.planned(&self.run.id, BATCH).await?;
            if planned.is_empty() {
                return Ok(BATCH);
            }
            let newer = self.ports.plans.newer(&self.run.id).await?;
            let targets: Vec<String> = planned.iter().filter_map(|change| change.body.target.clone()).collect();
            let seen = if targets.is_empty() { HashMap::new() } else { target.observe(&targets).await? };
            let all = planned.len();
            let stale: Vec<(Change, Reason)> = planned
                .into_iter()
                .filter_map(|change| {
                    let reason = if newer.covers(&change.body.source) {
                        Some(Reason::new("superseded"))
                    } else {
                        let seen = change.body.target.as_ref().and_then(|target| seen.get(target));
                        seen.and_then(|seen| changed_since(rules, &change, seen))
                    };
                    reason.map(|reason| (change, reason))
                })
                .collect();
            let fit = all - stale.len();
            if !stale.is_empty() {
                self.run.counts = self.ports.plans.leave(&self.run.id, self.hold.fence(), stale).await?;
            }
            if fit > 0 {
                return Ok(u32::try_from(fit).unwrap_or(BATCH));
            }
        }
    }
}

/// Why the target no longer stands as it did when the change was planned. Other faults of it (gone, replaced, foreign) are the
/// writer's to tell.
fn changed_since(rules: &dyn Rules, change: &Change, seen: &Observation) -> Option<Reason> {
    if change.body.op == Op::Create || !seen.owned || change.body.witness != seen.witness {
        return None;
    }
    let (field, now) = change.body.fields.iter().find_map(|field| moved(rules, &change.body, field, seen).map(|now| (field, now)))?;
    Some(changed_reason(format!("{} {}", field.field, plain(&now))))
}

/// The reason of an item that was left alone because somebody changed it after the plan.
pub(super) fn changed_reason(now: impl ToString) -> Reason {
    Reason::new("target_changed_since").with("now", now)
}

fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => number::parse_decimal(text).map_or_else(|| shown(Some(value)), number::plain),
        other => shown(Some(other)),
    }
}
