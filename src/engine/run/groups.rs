//! The groups of the source (categories) in a run: its tree is listed now and then, and items that wait for a mapping are noted.

use chrono::{DateTime, Utc};

use super::Execution;
use crate::{
    domain::clock,
    engine::{
        mapping::{CATEGORY, Mappings, Span, Waiting},
        ports::StoredRecord,
    },
    fault::{Code, Fault},
};

/// A full read lists the groups anew when the list is older than this: beside its many pages the call weighs nothing.
const WITH_A_FULL_READ: chrono::Duration = chrono::Duration::minutes(10);
/// Any read does after this. Longer: a group moved in the source keeps following its former parent. Shorter: a call more for each delta.
const WITH_ANY_READ: chrono::Duration = chrono::Duration::hours(24);

impl Execution {
    /// Lists the groups of the source where mappings hang on them. That it fails must not hold up prices: the former list serves on.
    pub(super) async fn refresh_groups(&self, full: bool) -> Result<(), Fault> {
        let Some(grouping) = self.flow.grouping() else { return Ok(()) };
        let id = &self.connection.id;
        if self.ports.mappings.mappings(id, CATEGORY).await?.rows.is_empty() {
            return Ok(());
        }
        let read_at = self.ports.mappings.tree(id, CATEGORY).await?.map(|tree| tree.read_at);
        if !is_due(read_at, full, clock::now()) {
            return Ok(());
        }
        match grouping.source_groups(&self.opened, self.hold.stopped()).await {
            Ok(Some(groups)) => self.ports.mappings.keep_tree(id, CATEGORY, groups).await,
            Ok(None) => Ok(()),
            Err(fault) if matches!(fault.code, Code::Cancelled | Code::Stopping | Code::LeaseLost) => Err(fault),
            Err(fault) => {
                self.hold.go_on()?;
                tracing::warn!(run.id = %self.run.id, error = %fault, "the source's categories could not be listed; the former list is used");
                Ok(())
            }
        }
    }

    /// What the rules need to know of mappings.
    pub(super) async fn mappings(&self) -> Result<Mappings, Fault> {
        if self.flow.grouping().is_none() {
            return Ok(Mappings::default());
        }
        let rows = self.ports.mappings.mappings(&self.connection.id, CATEGORY).await?.rows;
        if rows.is_empty() {
            return Ok(Mappings::default());
        }
        let tree = self.ports.mappings.tree(&self.connection.id, CATEGORY).await?;
        Ok(Mappings::new(rows, tree.map(|tree| tree.groups).unwrap_or_default()))
    }

    /// Which records a part of the plan was about.
    pub(super) fn decided_span(&self, from: Option<String>, to: Option<String>, records: &[StoredRecord]) -> Span {
        match &self.run.items {
            Some(items) => {
                let keys = records.iter().map(|stored| &stored.record.key);
                Span::Only(keys.filter(|key| items.contains(key)).cloned().collect())
            }
            None => Span::Keys(from, to),
        }
    }

    /// Notes what waits for a mapping. A dry run notes nothing; one of named items leaves the others as they are.
    pub(super) async fn settle_inbox(&self, span: Span, waiting: Vec<Waiting>) -> Result<(), Fault> {
        let rest_of_named = self.run.items.is_some() && matches!(span, Span::Keys(..));
        if self.run.dry_run || rest_of_named || self.flow.grouping().is_none() {
            return Ok(());
        }
        self.ports.inbox.settle(&self.connection.id, CATEGORY, &self.run.id, self.hold.fence(), span, waiting).await
    }
}

fn is_due(read_at: Option<DateTime<Utc>>, full: bool, now: DateTime<Utc>) -> bool {
    let after = if full { WITH_A_FULL_READ } else { WITH_ANY_READ };
    read_at.is_none_or(|read_at| now - read_at >= after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_read_daily_and_beside_full_reads() {
        let now = DateTime::UNIX_EPOCH + chrono::Duration::days(100);
        let minutes = |minutes| Some(now - chrono::Duration::minutes(minutes));
        assert!(is_due(None, false, now) && is_due(minutes(10), true, now) && is_due(minutes(24 * 60), false, now));
        assert!(!is_due(minutes(9), true, now) && !is_due(minutes(23 * 60), false, now));
    }
}
