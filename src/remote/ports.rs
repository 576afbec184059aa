//! What talking to remotes needs from a store: limits shared by all processes.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::fault::Fault;

/// Who would have to wait longer for a slot gives the worker back and comes again (design.md section 7).
pub const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Limits shared through the database, since accounts and IPs are shared (design.md section 7).
///
/// A key is system + account, or system + egress for limits per IP (Billz 2).
#[async_trait]
pub trait Limits: Send + Sync {
    /// Takes the next slot of `key`, slots being `interval` apart, and says how long to wait for it. A pause counts in. A slot more
    /// than [`LONGEST_WAIT`] (scaled) ahead is told but not taken.
    async fn slot(&self, key: &str, interval: Duration) -> Result<Duration, Fault>;

    /// Nobody gets a slot before `pause` has passed, counted from now by the database's clock.
    async fn pause(&self, key: &str, pause: Duration) -> Result<DateTime<Utc>, Fault>;
}
