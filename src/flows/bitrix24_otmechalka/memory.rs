//! What a link remembers of its item beside the fields: fingerprints of what was last sent and of the status that was last told.
//!
//! By them a run without changes knows that nothing is to be done, without asking either system; and our own status, which makes an item appear
//! modified, is told from a person's edit.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::engine::model::{FieldChange, Link, Reason};

/// Where the link remembers it; stands in reports under this name, too.
pub const FIELD: &str = "fingerprints";

/// Fingerprints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// Of what stands in otmechalka; absent = nothing was sent yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent: Option<String>,
    /// Of the text that stands in the status field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told: Option<String>,
    /// Of the ticket that waits for its client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parked: Option<String>,
}

impl Memory {
    /// What a link remembers; nothing where there is none.
    pub fn of(link: Option<&Link>) -> Self {
        let value = link.and_then(|link| link.written.get(FIELD)).filter(|value| !value.is_null());
        value.and_then(|value| serde_json::from_value(value.clone()).ok()).unwrap_or_default()
    }

    /// The same read back from a change.
    pub fn read(value: Option<&Value>) -> Self {
        value.and_then(|value| serde_json::from_value(value.clone()).ok()).unwrap_or_default()
    }

    /// How a change tells it.
    pub fn change(&self, old: Option<Value>) -> FieldChange {
        FieldChange { field: FIELD.into(), old, new: serde_json::to_value(self).unwrap_or_default(), rule: Reason::new("fingerprints") }
    }
}

/// First 32 hex digits of the SHA-256 of something's JSON, or of a text.
pub fn fingerprint(value: &impl Serialize) -> String {
    let text = serde_json::to_vec(value).unwrap_or_default();
    Sha256::digest(text).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
