//! Which group of the source goes where in the target: a category of Billz into a category of the shop.
//!
//! A person maps groups ([`Mapping`]); what is not mapped itself follows its nearest mapped ancestor ([`Mappings::nearest`]). Items that
//! can go nowhere wait ([`Waiting`]) and are decided again by every run, so a new mapping needs nothing else. Pure but for the ports at
//! the end; [`proposals`] finds names that look alike.

pub mod proposals;

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::flow::Opened;
use crate::fault::Fault;

/// The one kind of groups so far. Tables and ports take the kind, so that a flow may map a second one.
pub const CATEGORY: &str = "category";
/// Between the names of a path in the source, root first.
const SOURCE_PATH: &str = " / ";
/// Between the names of a path in the target: as OpenCart's admin writes it.
const TARGET_PATH: &str = " > ";
/// Stands for an empty name: real accounts have them.
const NAMELESS: &str = "—";
/// No tree is deeper; one that goes on is going round.
const DEEPEST: usize = 32;

/// A group of the source's items.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The source's id of it, or a path of names where it has no ids. Empty = items without any group.
    pub key: String,
    /// Its own name; may be empty, and repeated.
    pub name: String,
    /// The group above it.
    pub parent: Option<String>,
}

/// All groups that the source listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// In the source's order.
    pub groups: Vec<Group>,
    /// When they were listed.
    pub read_at: DateTime<Utc>,
}

/// A group of the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetGroup {
    /// The target's id.
    pub key: String,
    /// Its names from the root down, in the language of the target's administration.
    pub path: Vec<String>,
}

impl TargetGroup {
    /// Its path as people read it.
    pub fn name(&self) -> String {
        self.path.join(TARGET_PATH)
    }
}

/// What a person mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Key of the source's group; empty = items without any.
    pub source: String,
    /// What people called it when it was mapped; the tree's own name wins where there is one.
    pub source_name: String,
    /// Key of the target's group.
    pub target: String,
}

/// Everything that is mapped in one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingSet {
    /// Its ETag: 1 before anything was set.
    pub version: u64,
    /// By source.
    pub rows: Vec<Mapping>,
}

/// Where a group goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found<'a> {
    /// The mapping that decides.
    pub mapping: &'a Mapping,
    /// Whether it is an ancestor's.
    pub inherited: bool,
}

/// Mappings with the source's tree: answers where a group goes and what it is called.
#[derive(Clone, Debug, Default)]
pub struct Mappings {
    rows: HashMap<String, Mapping>,
    groups: HashMap<String, Group>,
}

impl Mappings {
    /// By what was mapped and what the source listed.
    pub fn new(rows: Vec<Mapping>, groups: Vec<Group>) -> Self {
        Self {
            rows: rows.into_iter().map(|row| (row.source.clone(), row)).collect(),
            groups: groups.into_iter().map(|group| (group.key.clone(), group)).collect(),
        }
    }

    /// The group as the source listed it, or as the caller knows it (an item may name a group that is younger than the list).
    fn known<'a>(&'a self, group: &'a Group) -> &'a Group {
        self.groups.get(&group.key).unwrap_or(group)
    }

    /// The group and those above it, nearest first, each once.
    fn upwards<'a>(&'a self, group: &'a Group) -> Vec<(&'a str, Option<&'a Group>)> {
        let start = self.known(group);
        let mut line = vec![(start.key.as_str(), Some(start))];
        let mut seen = HashSet::from([start.key.as_str()]);
        let mut next = start.parent.as_deref();
        while let Some(key) = next
            && line.len() < DEEPEST
            && seen.insert(key)
        {
            let above = self.groups.get(key);
            line.push((key, above));
            next = above.and_then(|group| group.parent.as_deref());
        }
        line
    }

    /// Where a group goes: its own mapping, else that of its nearest mapped ancestor.
    pub fn nearest(&self, group: &Group) -> Option<Found<'_>> {
        let place = self.upwards(group).iter().enumerate().find_map(|(place, (key, _))| Some((place, self.rows.get(*key)?)));
        place.map(|(place, mapping)| Found { mapping, inherited: place > 0 })
    }

    /// Whether a group stands above another one.
    pub fn is_above(&self, above: &Group, group: &Group) -> bool {
        self.upwards(group).iter().skip(1).any(|(key, _)| *key == above.key)
    }

    /// The names from the root down to the group, an empty one as a dash. A group above it that nobody listed is left out, unless keys are
    /// paths of names.
    pub fn path(&self, group: &Group) -> Vec<String> {
        let mut names = Vec::new();
        let mut below = "";
        for (key, group) in self.upwards(group) {
            match group {
                Some(group) => names.push(named(&group.name)),
                None if below.strip_prefix(key).is_some_and(|rest| rest.starts_with(SOURCE_PATH)) => names.push(key.to_owned()),
                None => {}
            }
            below = key;
        }
        names.reverse();
        names
    }

    /// The path as people read it; empty for "no group at all".
    pub fn name(&self, group: &Group) -> String {
        if group.key.is_empty() { String::new() } else { self.path(group).join(SOURCE_PATH) }
    }

    /// The same without what goes to other targets than these.
    #[must_use]
    pub fn only(mut self, known: impl Fn(&str) -> bool) -> Self {
        self.rows.retain(|_, row| known(&row.target));
        self
    }

    /// What was mapped, by source.
    pub fn rows(&self) -> impl Iterator<Item = &Mapping> {
        self.rows.values()
    }

    /// What the source listed.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    /// The listed group of a key.
    pub fn group(&self, key: &str) -> Option<&Group> {
        self.groups.get(key)
    }
}

fn named(name: &str) -> String {
    if name.trim().is_empty() { NAMELESS.to_owned() } else { name.trim().to_owned() }
}

/// An item that goes nowhere until one of its groups is mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The source's id.
    pub source: String,
    /// Its groups; one with an empty key stands for none.
    pub groups: Vec<Group>,
}

/// A group with the number of items that wait for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingGroup {
    /// The group as the items name it.
    pub group: Group,
    /// How many items wait.
    pub count: u64,
}

/// Which records a batch of decisions was about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Span {
    /// All records with keys after the first and up to the second; `None` = open. What lies between and was not decided is gone.
    Keys(Option<String>, Option<String>),
    /// Just these.
    Only(Vec<String>),
}

/// What a flow with groups can tell.
#[async_trait]
pub trait Grouping: Send + Sync {
    /// All groups of the source. `None` where it has no list of them: then only items name them.
    async fn source_groups(&self, opened: &Opened, stop: CancellationToken) -> Result<Option<Vec<Group>>, Fault>;

    /// All groups of the target, in the order of their paths.
    async fn target_groups(&self, opened: &Opened) -> Result<Vec<TargetGroup>, Fault>;
}

/// Keeps what was mapped, and the source's tree.
#[async_trait]
pub trait MappingStore: Send + Sync {
    /// What stands.
    async fn mappings(&self, connection: &str, kind: &str) -> Result<MappingSet, Fault>;
    /// Replaces all. `PreconditionFailed` unless the version is `expected` (`None` = whatever stands). A set that stands already is left
    /// as it is, with its version, whatever was expected: so a repeated request is answered as its first time.
    async fn replace_mappings(&self, connection: &str, kind: &str, rows: Vec<Mapping>, expected: Option<u64>) -> Result<MappingSet, Fault>;
    /// The source's tree as last listed.
    async fn tree(&self, connection: &str, kind: &str) -> Result<Option<Tree>, Fault>;
    /// Keeps a tree that was listed just now.
    async fn keep_tree(&self, connection: &str, kind: &str, groups: Vec<Group>) -> Result<(), Fault>;
}

/// Keeps which items wait for a mapping.
#[async_trait]
pub trait Inbox: Send + Sync {
    /// Stores what a run decided about the records of `span`: these wait, and no others among them. Under the run's fence.
    async fn settle(&self, connection: &str, kind: &str, run: &str, fence: u64, span: Span, waiting: Vec<Waiting>) -> Result<(), Fault>;
    /// Groups that items wait for.
    async fn waiting(&self, connection: &str, kind: &str) -> Result<Vec<WaitingGroup>, Fault>;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn group(key: &str, name: &str, parent: &str) -> Group {
        Group { key: key.into(), name: name.into(), parent: (!parent.is_empty()).then(|| parent.to_owned()) }
    }

    fn mapping(source: &str, target: &str) -> Mapping {
        Mapping { source: source.into(), source_name: String::new(), target: target.into() }
    }

    fn tree() -> Vec<Group> {
        vec![group("1", "Одежда", ""), group("2", "Футболки", "1"), group("3", "", "2"), group("4", "Обувь", "")]
    }

    fn target(mappings: &Mappings, group: &Group) -> Option<(String, bool)> {
        mappings.nearest(group).map(|found| (found.mapping.target.clone(), found.inherited))
    }

    #[test]
    fn the_nearest_mapped_ancestor_decides() {
        let all = tree();
        let mappings = Mappings::new(vec![mapping("1", "20")], all.clone());
        assert_eq!(target(&mappings, &all[0]), Some(("20".into(), false)));
        assert_eq!(target(&mappings, &all[2]), Some(("20".into(), true)));
        assert_eq!(target(&mappings, &all[3]), None);
        let mappings = Mappings::new(vec![mapping("1", "20"), mapping("2", "26")], all.clone());
        assert_eq!(target(&mappings, &all[2]), Some(("26".into(), true)));
    }

    #[test]
    fn a_group_younger_than_the_list_follows_the_parent_that_its_item_names() {
        let mappings = Mappings::new(vec![mapping("1", "20")], tree());
        assert_eq!(target(&mappings, &group("9", "Поло", "2")), Some(("20".into(), true)));
        // Without any list as well, one level up.
        let mappings = Mappings::new(vec![mapping("1", "20")], Vec::new());
        assert_eq!(target(&mappings, &group("2", "Футболки", "1")), Some(("20".into(), true)));
    }

    #[test]
    fn where_item_and_list_disagree_the_list_is_believed() {
        let mappings = Mappings::new(vec![mapping("1", "20"), mapping("4", "30")], tree());
        assert_eq!(target(&mappings, &group("2", "Футболки", "4")), Some(("20".into(), true)));
    }

    #[test]
    fn items_without_a_group_have_a_mapping_of_their_own() {
        let none = Group::default();
        assert_eq!(target(&Mappings::new(vec![mapping("1", "20")], tree()), &none), None);
        assert_eq!(target(&Mappings::new(vec![mapping("", "33")], tree()), &none), Some(("33".into(), false)));
    }

    #[test]
    fn paths_are_for_people() {
        let mappings = Mappings::new(Vec::new(), tree());
        assert_eq!(mappings.name(&tree()[2]), "Одежда / Футболки / —");
        assert_eq!(mappings.name(&group("9", "Поло", "2")), "Одежда / Футболки / Поло");
        assert_eq!(mappings.name(&Group::default()), "");
        // Where the source has no ids, its paths are keys, and nothing lists them.
        assert_eq!(mappings.name(&group("Обувь / Сандалии", "Сандалии", "Обувь")), "Обувь / Сандалии");
        assert_eq!(mappings.name(&group("x", "Сандалии", "unlisted")), "Сандалии");
        assert_eq!(TargetGroup { key: "26".into(), path: vec!["Одежда".into(), "Футболки".into()] }.name(), "Одежда > Футболки");
    }

    proptest! {
        /// Whatever the tree looks like, loops included, a question ends, and an own mapping always wins.
        #[test]
        fn no_tree_is_too_strange(parents in proptest::collection::vec(0usize..40, 1..40), mapped in proptest::collection::vec(0usize..40, 0..10)) {
            let groups: Vec<Group> = parents.iter().enumerate().map(|(place, parent)| group(&place.to_string(), "x", &parent.to_string())).collect();
            let rows: Vec<Mapping> = mapped.iter().map(|place| mapping(&place.to_string(), &format!("t{place}"))).collect();
            let mappings = Mappings::new(rows.clone(), groups.clone());
            for group in &groups {
                let found = mappings.nearest(group);
                if rows.iter().any(|row| row.source == group.key) {
                    prop_assert!(found.is_some_and(|found| !found.inherited && found.mapping.source == group.key));
                }
                prop_assert!(!mappings.name(group).is_empty());
            }
        }
    }
}
