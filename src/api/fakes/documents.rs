//! Mappings and locks in memory. Category `c1` has waited since the last run; a run cannot be had here.

use std::sync::Mutex;

use async_trait::async_trait;

use super::{Memory, unused};
use crate::{
    domain::clock,
    engine::{
        locks::{Lock, LockSet, Locks},
        mapping::{Group, Inbox, Mapping, MappingSet, MappingStore, Span, Tree, Waiting, WaitingGroup},
    },
    fault::{Code, Fault, Result},
};

/// Documents that are replaced as a whole.
#[derive(Default)]
pub struct Documents {
    mappings: Mutex<(u64, Vec<Mapping>)>,
    tree: Mutex<Option<Tree>>,
    locks: Mutex<(u64, Vec<Lock>)>,
}

fn replace<T: Clone>(
    stands: &Mutex<(u64, Vec<T>)>,
    rows: Vec<T>,
    expected: Option<u64>,
    same: impl Fn(&T, &T) -> bool,
) -> Result<(u64, Vec<T>)> {
    let mut stands = stands.lock().unwrap();
    if stands.1.len() != rows.len() || !stands.1.iter().zip(&rows).all(|(one, other)| same(one, other)) {
        if expected.is_some_and(|expected| expected != stands.0 + 1) {
            return Err(Fault::new(Code::PreconditionFailed, "changed"));
        }
        *stands = (stands.0 + 1, rows);
    }
    Ok((stands.0 + 1, stands.1.clone()))
}

#[async_trait]
impl MappingStore for Memory {
    async fn mappings(&self, _: &str, _: &str) -> Result<MappingSet> {
        let (version, rows) = self.documents.mappings.lock().unwrap().clone();
        Ok(MappingSet { version: version + 1, rows })
    }
    async fn replace_mappings(&self, _: &str, _: &str, rows: Vec<Mapping>, expected: Option<u64>) -> Result<MappingSet> {
        let (version, rows) =
            replace(&self.documents.mappings, rows, expected, |one, other| (&one.source, &one.target) == (&other.source, &other.target))?;
        Ok(MappingSet { version, rows })
    }
    async fn tree(&self, _: &str, _: &str) -> Result<Option<Tree>> {
        Ok(self.documents.tree.lock().unwrap().clone())
    }
    async fn keep_tree(&self, _: &str, _: &str, groups: Vec<Group>) -> Result<()> {
        *self.documents.tree.lock().unwrap() = Some(Tree { groups, read_at: clock::now() });
        Ok(())
    }
}

#[async_trait]
impl Inbox for Memory {
    async fn settle(&self, _: &str, _: &str, _: &str, _: u64, _: Span, _: Vec<Waiting>) -> Result<()> {
        unused()
    }
    async fn waiting(&self, _: &str, _: &str) -> Result<Vec<WaitingGroup>> {
        Ok(vec![WaitingGroup { group: Group { key: "c1".into(), name: "Футболки".into(), parent: Some("c0".into()) }, count: 3 }])
    }
}

#[async_trait]
impl Locks for Memory {
    async fn locks(&self, _: &str) -> Result<LockSet> {
        let (version, rows) = self.documents.locks.lock().unwrap().clone();
        Ok(LockSet { version: version + 1, rows })
    }
    async fn replace_locks(&self, _: &str, locks: Vec<Lock>, expected: Option<u64>) -> Result<LockSet> {
        let (version, rows) = replace(&self.documents.locks, locks, expected, |one, other| one.subject() == other.subject())?;
        Ok(LockSet { version, rows })
    }
}
