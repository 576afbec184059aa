//! API keys: who may call, and what they may do.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::fault::Fault;

/// A role of an API key; each may do what the one before may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads.
    Reader,
    /// Starts and stops work.
    Operator,
    /// Settings and secrets.
    Admin,
}

/// An API key as stored: never the key itself.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// Our id.
    pub id: String,
    /// A name for people.
    pub name: String,
    /// HMAC of the key under a derived key, in hex.
    pub hash: String,
    /// What it may do.
    pub role: Role,
    /// Only these flows.
    pub flows: Option<Vec<String>>,
    /// Only this owner.
    pub owner: Option<String>,
    /// Must always say on whose behalf.
    pub delegate: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// API keys.
#[async_trait]
pub trait ApiKeys: Send + Sync {
    /// A live one by its hash.
    async fn by_hash(&self, hash: &str) -> Result<Option<ApiKey>, Fault>;
    /// Stores one.
    async fn create(&self, key: ApiKey) -> Result<(), Fault>;
    /// All, newest first.
    async fn list(&self) -> Result<Vec<ApiKey>, Fault>;
    /// Revokes one; whether it was live.
    async fn revoke(&self, id: &str) -> Result<bool, Fault>;
}
