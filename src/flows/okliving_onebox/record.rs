//! One order as the shop tells it: stored whole before anything is sent anywhere. Kept as JSON text in `tradesync_records`; the shop's id is
//! the key.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::settings::Settings;
use crate::engine::model::Record;

/// How keys begin of orders that have no id: they are kept, told as failed, and never sent.
pub const WITHOUT_ID: &str = "without-id:";
/// Longest id that a key may have.
const LONGEST_ID: usize = 180;

/// A stored order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stored {
    /// As the shop sent it; null = it was never read, only asked about by a hook.
    pub raw: Value,
    /// Why it cannot be used at all: the target that is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unusable: Option<String>,
}

impl Stored {
    /// The JSON text that is stored; equal orders give equal text.
    pub fn to_payload(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads stored text back.
    pub fn of_payload(payload: &str) -> Self {
        serde_json::from_str(payload).unwrap_or_else(|_| Self { raw: Value::Null, unusable: Some("record".into()) })
    }
}

/// The record of an order that was read.
pub fn of_order(raw: Value, settings: &Settings) -> Record {
    let mapped = settings.map(&raw);
    let changed_at = mapped.fine("order.updated_at").and_then(|at| at.parse().ok());
    let id = mapped.value("order.id");
    let plausible = !id.is_empty() && id.chars().count() <= LONGEST_ID && !id.chars().any(char::is_control) && !matches!(id, "." | "..");
    if !plausible {
        let digest = Sha256::digest(raw.to_string());
        let key = digest.iter().take(16).fold(WITHOUT_ID.to_owned(), |key, byte| key + &format!("{byte:02x}"));
        let name = mapped.value("order.number").to_owned();
        let stored = Stored { raw, unusable: Some("order.id".into()) };
        return Record {
            name: if name.is_empty() { key.clone() } else { name },
            key,
            payload: stored.to_payload(),
            source_changed_at: changed_at,
        };
    }
    let number = mapped.value("order.number");
    Record {
        key: id.to_owned(),
        name: if number.is_empty() { id.to_owned() } else { number.chars().take(100).collect() },
        payload: Stored { raw, unusable: None }.to_payload(),
        source_changed_at: changed_at,
    }
}

/// The record of an order that only a hook has named so far.
pub fn unread(key: &str) -> Record {
    Record { key: key.to_owned(), name: key.to_owned(), payload: Stored::default().to_payload(), source_changed_at: None }
}
