//! Items that the source does not list any more (requirement: goods that vanish from Billz).
//!
//! Only a run whose own read was whole looks at them: absence found out earlier is confirmed by that read, and incremental reads
//! never count as absence. What the rules decide are ordinary changes, planned beside the others, under the same brakes.

use std::collections::{HashMap, HashSet};

use super::{
    Execution,
    decide::{CHUNK, Judged, change, count, decide_one, of_item},
    matching::Matches,
};
use crate::{
    engine::{
        brakes::Scale,
        flow::{Gone, Observe, Rules},
        model::{Counts, NewChange, Outcome},
        ports::GoneRecord,
    },
    fault::Fault,
};

impl Execution {
    /// Decides over all linked items that are gone from the source, and stores the plan.
    pub(super) async fn decide_vanished<O: Observe + ?Sized>(
        &self,
        target: &mut O,
        rules: &dyn Rules,
        only: Option<&HashSet<&str>>,
        counts: &mut Counts,
        scale: &mut Scale,
    ) -> Result<(), Fault> {
        let mut after: Option<String> = None;
        loop {
            self.hold.go_on()?;
            let space = &self.connection.link_space;
            let mut gone = self.ports.records.gone(&self.connection.id, space, None, after.as_deref(), CHUNK).await?;
            let Some(last) = gone.last() else { return Ok(()) };
            after = Some(last.stored.record.key.clone());
            gone.retain(|record| only.is_none_or(|only| only.contains(record.stored.record.key.as_str())));
            let decided = self.decide_gone(target, rules, gone, scale).await?;
            // What is as it should be already is no item of the run: the source does not name it.
            let plan: Vec<NewChange> = decided.into_iter().filter(|change| change.outcome != Outcome::Unchanged).collect();
            for change in &plan {
                count(counts, change.op, change.outcome, self.run.dry_run);
            }
            if !plan.is_empty() {
                self.store_changes(plan).await?;
            }
        }
    }

    /// Decides once more over gone items whose changes met a conflict.
    pub(super) async fn decide_vanished_again<O: Observe + ?Sized>(
        &self,
        target: &mut O,
        rules: &dyn Rules,
        sources: &[String],
    ) -> Result<HashMap<String, NewChange>, Fault> {
        if sources.is_empty() {
            return Ok(HashMap::new());
        }
        let space = &self.connection.link_space;
        let gone = self.ports.records.gone(&self.connection.id, space, Some(sources), None, CHUNK).await?;
        // It was weighed when it was planned.
        let mut weighed = self.scale(false);
        Ok(self.decide_gone(target, rules, gone, &mut weighed).await?.into_iter().map(|change| (change.source.clone(), change)).collect())
    }

    async fn decide_gone<O: Observe + ?Sized>(
        &self,
        target: &mut O,
        rules: &dyn Rules,
        records: Vec<GoneRecord>,
        scale: &mut Scale,
    ) -> Result<Vec<NewChange>, Fault> {
        let nothing = Matches::default();
        let began = self.run.started_at;
        let gone: Vec<Gone> = records
            .iter()
            .map(|record| Gone { since: record.since, lasted: record.lasted, found_now: began.is_some_and(|began| record.since >= began) })
            .collect();
        let chunk = self.chunk(target, records.into_iter().map(|record| record.stored).collect(), &nothing).await?;
        let mut noted = Vec::new();
        let changes = chunk
            .records
            .iter()
            .zip(gone)
            .map(|(stored, gone)| {
                // What is gone is not looked at field by field: it releases nothing that an undo holds back.
                let Judged { decision, link, note, .. } = decide_one(rules, stored, &chunk, &nothing, Some(gone));
                noted.extend(of_item(stored, note));
                let risks = scale.weigh(&decision, link, chunk.observed_for(&decision, link));
                NewChange { risks, ..change(rules, stored, decision, link, &chunk) }
            })
            .collect();
        self.note(noted).await?;
        Ok(changes)
    }
}
