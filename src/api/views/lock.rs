//! Locks.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    api::json::Body,
    domain::clock,
    engine::locks::{Lock, LockSet},
};

/// All locks of a connection.
#[derive(Debug, Serialize, ToSchema)]
pub struct LockList {
    /// In the order in which they were given.
    pub items: Vec<LockView>,
    /// Always null: they come at once, so that they can be replaced at once.
    pub next_cursor: Option<String>,
}

/// What is never touched.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Lock)]
pub struct LockView {
    /// Only the item with this source id.
    pub source: Option<String>,
    /// Only the item with this target id.
    pub target: Option<String>,
    /// Only these fields; empty = the whole item.
    pub fields: Vec<String>,
    /// Why, in a person's words.
    pub note: String,
    /// Who set it: the API key's name, and the owner on whose behalf it acted.
    pub set_by: String,
    /// When.
    #[serde(serialize_with = "super::time")]
    pub set_at: DateTime<Utc>,
}

impl From<&LockSet> for LockList {
    fn from(locks: &LockSet) -> Self {
        let view = |lock: &Lock| LockView {
            source: lock.source.clone(),
            target: lock.target.clone(),
            fields: lock.fields.clone(),
            note: lock.note.clone(),
            set_by: lock.set_by.clone(),
            set_at: lock.set_at,
        };
        Self { items: locks.rows.iter().map(view).collect(), next_cursor: None }
    }
}

/// Locks that are to replace all others.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LocksBody {
    /// All of them.
    items: Vec<LockBody>,
    /// As GET answers it; not looked at.
    #[serde(default, rename = "next_cursor")]
    #[schema(value_type = Option<String>)]
    _next_cursor: Option<String>,
}

/// A lock: an item, fields, or fields of an item.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LockBody {
    /// The item by its source id.
    #[serde(default)]
    #[schema(max_length = 191)]
    source: Option<String>,
    /// The item by its target id, instead of `source`.
    #[serde(default)]
    #[schema(max_length = 191)]
    target: Option<String>,
    /// Which fields; absent or empty = the whole item.
    #[serde(default)]
    fields: Option<Vec<String>>,
    /// Why.
    #[serde(default)]
    #[schema(max_length = 500)]
    note: Option<String>,
    /// As GET answers it; not looked at.
    #[serde(default, rename = "set_by")]
    #[schema(value_type = Option<String>)]
    _set_by: Option<Value>,
    /// As GET answers it; not looked at.
    #[serde(default, rename = "set_at")]
    #[schema(value_type = Option<String>)]
    _set_at: Option<Value>,
}

impl Body for LocksBody {
    const REQUIRED: &'static [&'static str] = &["items"];
}

impl LocksBody {
    /// The locks, as set by `who` now.
    pub fn locks(self, who: &str) -> Vec<Lock> {
        let now = clock::now();
        let lock = |lock: LockBody| {
            let mut fields = lock.fields.unwrap_or_default();
            fields.sort();
            fields.dedup();
            Lock {
                source: lock.source,
                target: lock.target,
                fields,
                note: lock.note.unwrap_or_default().trim().to_owned(),
                set_by: who.to_owned(),
                set_at: now,
            }
        };
        self.items.into_iter().map(lock).collect()
    }
}
