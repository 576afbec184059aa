//! Entries of the audit.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::engine::audit::Entry;

/// Who did what.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub struct AuditView {
    /// Its id.
    pub id: String,
    /// When.
    #[serde(serialize_with = "super::time")]
    pub at: DateTime<Utc>,
    /// Stable name of what was done, such as `runs.approve`.
    pub action: String,
    /// Path of what it was done to.
    pub resource: String,
    /// Id of the key; `admin-key` is that of the configuration, `command-line` the program itself.
    pub key: String,
    /// Name of the key.
    pub key_name: String,
    /// For whom the key acted.
    pub on_behalf_of: Option<String>,
    /// Flow of the connection acted on.
    pub flow: Option<String>,
    /// The connection acted on.
    pub connection: Option<String>,
    /// Its owner then.
    pub owner: Option<String>,
    /// The run acted on, or started.
    pub run: Option<String>,
    /// What stood before, as far as it differs; null where nothing did.
    pub before: Option<Value>,
    /// What stood after, as far as it differs; null where nothing does.
    pub after: Option<Value>,
    /// The request's id, as in its header `x-request-id` and in the log.
    pub request: Option<String>,
}

impl From<Entry> for AuditView {
    fn from(entry: Entry) -> Self {
        Self {
            id: entry.id,
            at: entry.at,
            action: entry.actor.action,
            resource: entry.actor.resource,
            key: entry.actor.key,
            key_name: entry.actor.name,
            on_behalf_of: entry.actor.on_behalf_of,
            flow: entry.flow,
            connection: entry.connection,
            owner: entry.owner,
            run: entry.run,
            before: entry.before,
            after: entry.after,
            request: entry.actor.request,
        }
    }
}
