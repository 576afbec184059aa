//! Hooks in a run: the open ones are given to the rules, and those that a decision deals with are settled. Each step is safe to repeat: a
//! hook that was carried out but not settled before a crash is found done by the next run.

use std::collections::HashMap;

use super::{Execution, decide::CHUNK};
use crate::{
    engine::{
        hooks::{self, End, Hook},
        model::{Applied, Change},
        ports::StoredRecord,
    },
    fault::{Fault, failpoint},
};

/// The records that are decided over, in the order of their keys.
pub(super) enum Walk {
    /// All of them, from after a key on; none is left after a chunk that was not full.
    All { after: Option<String>, ended: bool },
    /// These, chunk by chunk.
    Named(std::vec::IntoIter<Vec<String>>),
}

impl Walk {
    /// Over all, or over these keys only.
    pub(super) fn new(concerns: Option<Vec<String>>) -> Self {
        let Some(mut keys) = concerns else { return Self::All { after: None, ended: false } };
        keys.sort_unstable();
        keys.dedup();
        let chunks: Vec<Vec<String>> = keys.chunks(usize::try_from(CHUNK).unwrap_or(usize::MAX)).map(<[String]>::to_vec).collect();
        Self::Named(chunks.into_iter())
    }
}

impl Execution {
    /// The next records of a walk; none at its end.
    pub(super) async fn next_records(&self, walk: &mut Walk) -> Result<Vec<StoredRecord>, Fault> {
        match walk {
            Walk::All { ended: true, .. } => Ok(Vec::new()),
            Walk::All { after, ended } => {
                let records = self.ports.records.page(&self.connection.id, after.as_deref(), CHUNK).await?;
                *after = records.last().map(|last| last.record.key.clone());
                *ended = records.len() < usize::try_from(CHUNK).unwrap_or(usize::MAX);
                Ok(records)
            }
            Walk::Named(chunks) => {
                for keys in chunks {
                    let records = self.ports.records.by_keys(&self.connection.id, &keys).await?;
                    if !records.is_empty() {
                        return Ok(records);
                    }
                }
                Ok(Vec::new())
            }
        }
    }

    fn takes_hooks(&self) -> bool {
        self.flow.hook_stream() == Some(self.run.stream.as_str())
    }

    /// Hooks that name a target get the item that is linked to it.
    pub(super) async fn place_hooks(&self) -> Result<(), Fault> {
        if !self.takes_hooks() {
            return Ok(());
        }
        self.ports.hooks.place_by_links(&self.connection.id, &self.run.stream, &self.connection.link_space).await
    }

    /// Open hooks by item, for the stream that takes them up. A dry run only looks at them.
    pub(super) async fn open_hooks(&self) -> Result<HashMap<String, Vec<Hook>>, Fault> {
        if !self.takes_hooks() {
            return Ok(HashMap::new());
        }
        let (id, stream) = (&self.connection.id, &self.run.stream);
        let hooks = if self.run.dry_run { self.ports.hooks.open(id, stream).await? } else { self.ports.hooks.take(id, stream).await? };
        failpoint::hit("hooks-taken");
        Ok(hooks::by_item(hooks))
    }

    /// Ends hooks that a decision dealt with, where nothing is to be carried out.
    pub(super) async fn settle_hooks(&self, dealt_with: &[u64]) -> Result<(), Fault> {
        if self.run.dry_run || dealt_with.is_empty() {
            return Ok(());
        }
        self.ports.hooks.settle(&self.connection.id, dealt_with, Some(&self.run.id), End::DealtWith).await
    }

    /// Hooks of changes that were carried out; to be settled once that is recorded.
    pub(super) fn carried_out(results: &[(Change, Applied)]) -> Vec<u64> {
        let done = results.iter().filter(|(_, applied)| matches!(applied, Applied::Done { .. }));
        done.flat_map(|(change, _)| hooks::of_change(change)).collect()
    }
}
