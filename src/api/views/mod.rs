//! What answers and bodies look like. The engine's types never leave the service as they are: the contract is here.

pub mod alert;
pub mod audit;
pub mod brake;
pub mod connection;
pub mod explain;
pub mod link;
pub mod lock;
pub mod mapping;
pub mod queue;
pub mod retry_item;
pub mod run;
pub mod schedule;
pub mod standing;
pub mod stream;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serializer;

/// RFC 3339 in UTC with `Z`.
pub fn time<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

/// The same, or null.
pub fn maybe_time<S: Serializer>(at: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => time(at, serializer),
        None => serializer.serialize_none(),
    }
}
