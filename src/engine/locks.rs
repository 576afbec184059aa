//! Locks: items and fields that we never touch, whatever the rules say.
//!
//! A lock names an item by its source id or by its target id, and fields, or leaves one of them out: an item without fields is locked
//! whole, fields without an item are locked for every item. Locks are looked at twice: in deciding ([`Guarded`] around the rules for
//! whole items; the rules themselves for fields, since one field may hang on another), and before every batch is applied, for plans made
//! before the lock (`engine::run::locks`).
//!
//! A field lock protects what stands in the target. It does not keep a new item from being made with all its fields; an item lock by
//! source id does.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    flow::{Decision, Item, LinkDecision, Lookup, Observation, Rules},
    link::{Note, whole_of},
    mapping::Group,
    model::{Change, FieldChange, LinkState, Op, Outcome, Reason},
};
use crate::fault::Fault;

/// Code of the rule that left something as it is.
pub const RULE: &str = "locked";

/// Code of the rule that left a field as it is because of another one that may not be touched.
pub const BESIDE: &str = "kept_beside";

/// One lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Only the item with this source id.
    pub source: Option<String>,
    /// Only the item with this target id.
    pub target: Option<String>,
    /// Only these fields; empty = the whole item.
    pub fields: Vec<String>,
    /// Why, in a person's words; may be empty.
    pub note: String,
    /// Who set it.
    pub set_by: String,
    /// When.
    pub set_at: DateTime<Utc>,
}

impl Lock {
    /// What it locks, without who said so.
    pub fn subject(&self) -> (Option<&str>, Option<&str>, &[String], &str) {
        (self.source.as_deref(), self.target.as_deref(), &self.fields, &self.note)
    }

    fn is_about(&self, source: &str, target: Option<&str>) -> bool {
        match (self.source.as_deref(), self.target.as_deref()) {
            (Some(own), _) => own == source,
            // A part of an item is locked with it.
            (None, Some(own)) => target.is_some_and(|target| target == own || whole_of(target) == Some(own)),
            (None, None) => true,
        }
    }
}

/// All locks of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockSet {
    /// Its ETag: 1 before anything was set.
    pub version: u64,
    /// In the order in which they were given.
    pub rows: Vec<Lock>,
}

impl LockSet {
    /// The same with these fields locked for every item, as the connection's settings say.
    #[must_use]
    pub fn with_fields(mut self, fields: &[impl ToString]) -> Self {
        if !fields.is_empty() {
            let fields = fields.iter().map(ToString::to_string).collect();
            let set_at = DateTime::UNIX_EPOCH;
            self.rows.push(Lock { source: None, target: None, fields, note: String::new(), set_by: "settings".into(), set_at });
        }
        self
    }

    /// The lock that holds a whole item, if one does.
    pub fn whole(&self, source: &str, target: Option<&str>) -> Option<&Lock> {
        self.rows.iter().find(|lock| lock.fields.is_empty() && lock.is_about(source, target))
    }

    /// The lock that holds a field of an item, if one does.
    pub fn field(&self, source: &str, target: Option<&str>, field: &str) -> Option<&Lock> {
        self.rows
            .iter()
            .find(|lock| lock.is_about(source, target) && (lock.fields.is_empty() || lock.fields.iter().any(|own| own == field)))
    }

    /// Whether a lock that names this item holds a field of it, or all of it.
    pub fn names(&self, source: &str, target: Option<&str>, field: &str) -> bool {
        let about = |lock: &&Lock| (lock.source.is_some() || lock.target.is_some()) && lock.is_about(source, target);
        self.rows.iter().filter(about).any(|lock| lock.fields.is_empty() || lock.fields.iter().any(|own| own == field))
    }

    /// Whether a change would touch something that is locked.
    pub fn touches(&self, change: &Change) -> bool {
        let (source, target) = (&change.body.source, change.body.target.as_deref());
        self.whole(source, target).is_some()
            || (change.body.op != Op::Create
                && change.body.fields.iter().any(|field| !is_kept(field) && self.field(source, target, &field.field).is_some()))
    }
}

/// The reason or rule of what is left as it is.
pub fn reason(lock: &Lock) -> Reason {
    let note = if lock.note.is_empty() { String::new() } else { format!(" ({})", lock.note) };
    Reason::new(RULE).with("note", note)
}

/// A report's line about a field that would have changed but is locked. Nothing of it is written or remembered as written.
pub fn kept(change: FieldChange, lock: &Lock) -> FieldChange {
    FieldChange { new: change.old.clone().unwrap_or_default(), rule: reason(lock), ..change }
}

/// Whether a change of a field only reports that it is left as it is.
pub fn is_kept(change: &FieldChange) -> bool {
    change.rule.code == RULE || change.rule.code == BESIDE
}

/// Keeps locks.
#[async_trait]
pub trait Locks: Send + Sync {
    /// What stands.
    async fn locks(&self, connection: &str) -> Result<LockSet, Fault>;
    /// Replaces all. `PreconditionFailed` unless the version is `expected` (`None` = whatever stands). Locks that stood already keep who set
    /// them and when; a set that stands already is left as it is, with its version, whatever was expected.
    async fn replace_locks(&self, connection: &str, locks: Vec<Lock>, expected: Option<u64>) -> Result<LockSet, Fault>;
}

/// Rules that leave locked items alone.
pub struct Guarded {
    rules: Box<dyn Rules>,
    locks: LockSet,
}

impl Guarded {
    /// These rules, under these locks.
    pub fn new(rules: Box<dyn Rules>, locks: LockSet) -> Self {
        Self { rules, locks }
    }
}

impl Rules for Guarded {
    fn lookup(&self, key: &str, payload: &str) -> Option<Lookup> {
        self.rules.lookup(key, payload)
    }

    fn concerns(&self) -> Option<Vec<String>> {
        self.rules.concerns()
    }

    fn recreates(&self) -> bool {
        self.rules.recreates()
    }

    fn decide(&self, item: &Item<'_>) -> Decision {
        let linked = item.link.filter(|link| link.state == LinkState::Linked).and_then(|link| link.target.as_deref());
        // The only match may be linked and changed in this very decision.
        let target = linked.or(match item.candidates {
            [only] => Some(only.target.as_str()),
            _ => None,
        });
        match self.locks.whole(item.key, target) {
            Some(lock) => Decision {
                outcome: Outcome::Skipped,
                op: Op::None,
                reason: reason(lock),
                fields: Vec::new(),
                fault: None,
                link: LinkDecision::Keep,
                undo: "never:nothing was written",
            },
            None => self.rules.decide(item),
        }
    }

    fn note(&self, item: &Item<'_>, decision: &Decision) -> Note {
        if decision.reason.code == RULE { Note::Nothing } else { self.rules.note(item, decision) }
    }

    fn waits_for(&self, payload: &str, decision: &Decision) -> Vec<Group> {
        self.rules.waits_for(payload, decision)
    }

    fn standing(&self, observed: &Observation, field: &str) -> Option<Value> {
        self.rules.standing(observed, field)
    }

    fn whole(&self, observed: &Observation, change: &FieldChange) -> Option<Value> {
        self.rules.whole(observed, change)
    }

    fn comes_to(&self, observed: &Observation, field: &FieldChange) -> Option<Value> {
        self.rules.comes_to(observed, field)
    }

    fn beside(&self, field: &str) -> Option<&'static str> {
        self.rules.beside(field)
    }

    fn hidden_by(&self, observed: &Observation) -> &'static str {
        self.rules.hidden_by(observed)
    }

    fn settings_of(&self, code: &str) -> Vec<(&'static str, Value)> {
        self.rules.settings_of(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(source: Option<&str>, target: Option<&str>, fields: &[&str]) -> Lock {
        Lock {
            source: source.map(str::to_owned),
            target: target.map(str::to_owned),
            fields: fields.iter().map(|field| (*field).to_owned()).collect(),
            note: String::new(),
            set_by: "admin-key".into(),
            set_at: DateTime::UNIX_EPOCH,
        }
    }

    fn set(rows: Vec<Lock>) -> LockSet {
        LockSet { version: 2, rows }
    }

    #[test]
    fn an_item_is_locked_whole_by_either_id() {
        let locks = set(vec![lock(Some("a"), None, &[]), lock(None, Some("50"), &[])]);
        for (source, target, locked) in [
            ("a", None, true),
            ("a", Some("7"), true),
            ("b", Some("50"), true),
            ("b", Some("50#3"), true),
            ("b", Some("5"), false),
            ("b", Some("5#50"), false),
            ("50", None, false),
        ] {
            assert_eq!(locks.whole(source, target).is_some(), locked, "{source} {target:?}");
            assert_eq!(locks.field(source, target, "price").is_some(), locked, "{source} {target:?}");
        }
    }

    #[test]
    fn a_field_is_locked_for_one_item_or_for_all() {
        let one = set(vec![lock(Some("a"), None, &["price", "special"])]);
        assert!(one.field("a", Some("1"), "price").is_some() && one.field("a", None, "special").is_some());
        assert!(one.field("a", None, "quantity").is_none() && one.field("b", None, "price").is_none() && one.whole("a", None).is_none());
        let all = set(vec![lock(None, None, &["price"])]);
        assert!(all.field("a", None, "price").is_some() && all.field("b", Some("1"), "price").is_some() && all.whole("a", None).is_none());
    }

    #[test]
    fn what_is_kept_says_who_kept_it_and_changes_nothing() {
        let change = FieldChange { field: "price".into(), old: Some("700".into()), new: "900".into(), rule: Reason::new("price_of_shop") };
        let mut noted = lock(None, None, &["price"]);
        noted.note = "agreed with the seller".into();
        let kept = kept(change, &noted);
        assert_eq!((kept.old.as_ref(), &kept.new), (Some(&"700".into()), &"700".into()));
        assert!(is_kept(&kept) && kept.rule.params.get("note").is_some_and(|note| note == " (agreed with the seller)"));
    }
}
