//! Links: the durable pair of source id and target id, and the questions that come before one.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::undo::Mark;

/// The item that a target is a part of, such as the product `123` of its size `123#4567`; `None` for a whole item.
pub fn whole_of(target: &str) -> Option<&str> {
    target.split_once('#').map(|(whole, _)| whole)
}

/// Whether a link stands or is a question to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// The durable identity.
    Linked,
    /// One match that a person has to confirm.
    Proposed,
    /// Several matches; a person has to choose.
    Ambiguous,
}

/// One possible target of a source item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The target's id.
    pub target: String,
    /// Its name in the target.
    pub name: String,
    /// Which keys matched, such as `sku=TST-1`.
    pub matched: Vec<String>,
}

/// What a link is to know although nothing is done with its item.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    /// Nothing new.
    Nothing,
    /// The item has this target, as it should be already.
    Linked(String),
    /// These values of [`Link::written`]; null takes one away.
    Learned(BTreeMap<String, Value>),
    /// It has this target no longer: the pair is recognised anew by the next run.
    Parted(String),
}

/// A [`Note`] with the item that it is about.
#[derive(Clone, Debug)]
pub struct Noted {
    /// The source's id.
    pub source: String,
    /// A name for people.
    pub name: String,
    /// When its state was read.
    pub seen_at: DateTime<Utc>,
    /// What is to be known.
    pub note: Note,
}

/// Source id <-> target id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The source's id.
    pub source: String,
    /// A name for people.
    pub name: String,
    /// State.
    pub state: LinkState,
    /// The target's id, when linked or proposed.
    pub target: Option<String>,
    /// What tells this target item from a later one with the same id: OpenCart's `date_added`.
    pub witness: Option<String>,
    /// Possible targets of a question.
    pub candidates: Vec<Candidate>,
    /// How it came about: `created`, `recreated`, `auto`, `confirmed`, `set`, `proposed`.
    pub origin: String,
    /// What we last wrote, by field.
    pub written: BTreeMap<String, Value>,
    /// When the source state behind `written` was read.
    pub source_seen_at: Option<DateTime<Utc>>,
    /// What an undo took back, by field: left alone until the source's value moves.
    pub undone: BTreeMap<String, Mark>,
    /// The run that last wrote it.
    pub run: Option<String>,
    /// Since when it has this target.
    pub linked_at: Option<DateTime<Utc>>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}
