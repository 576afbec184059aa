//! Last seen state of the source's items, and the reads that saw them. The port; `store::records` implements it.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::model::{ReadSummary, Record};
use crate::fault::Fault;

/// A stored record.
#[derive(Clone, Debug)]
pub struct StoredRecord {
    /// What was read.
    pub record: Record,
    /// When it was last seen, by the source's clock at the read's start.
    pub seen_at: DateTime<Utc>,
}

/// The last seen state of one item, with what became of it.
#[derive(Clone, Debug)]
pub struct LastSeen {
    /// What was read, and when.
    pub stored: StoredRecord,
    /// The run whose read saw it.
    pub run: Option<String>,
    /// Since when a whole read has not shown it.
    pub gone_at: Option<DateTime<Utc>>,
}

/// A stored record of an item that the source does not list any more.
#[derive(Clone, Debug)]
pub struct GoneRecord {
    /// As it was last seen.
    pub stored: StoredRecord,
    /// When a whole read first did not find it.
    pub since: DateTime<Utc>,
    /// How long ago that was, by the database's clock.
    pub lasted: Duration,
}

/// What storing a page told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Rows that are new or differ from what we held.
    pub changed: u64,
    /// Of those known before, rows that differ although the source's own change date had not moved.
    pub silent: u64,
}

/// A read that was finished earlier.
#[derive(Clone, Debug)]
pub struct PastRead {
    /// Its id.
    pub id: String,
    /// Whole or since when.
    pub since: Option<DateTime<Utc>>,
    /// Its result.
    pub summary: ReadSummary,
}

/// The run that did a read, and how far it came.
#[derive(Clone, Debug)]
pub struct ReadOf {
    /// The run.
    pub run: String,
    /// The fence that it is held under.
    pub fence: u64,
    /// Rows read.
    pub rows: u64,
    /// Rows that the source says it has, if it does.
    pub total: Option<u64>,
}

/// Last seen state of source items.
#[async_trait]
pub trait Records: Send + Sync {
    /// Stores a page of the read `read` of the run `run`, which began at `seen_at`. Equal states only move `seen_at`, the read and the run.
    async fn store(&self, connection: &str, read: &str, run: &str, seen_at: DateTime<Utc>, page: Vec<Record>) -> Result<Stored, Fault>;
    /// Records in order of their key, those taken as gone left out.
    async fn page(&self, connection: &str, after: Option<&str>, limit: u32) -> Result<Vec<StoredRecord>, Fault>;
    /// Those of these keys that are not taken as gone, in order of their key.
    async fn by_keys(&self, connection: &str, keys: &[String]) -> Result<Vec<StoredRecord>, Fault>;
    /// The same as `page`, of those that have no link in `space` in state linked.
    async fn unlinked(&self, connection: &str, space: &str, after: Option<&str>, limit: u32) -> Result<Vec<StoredRecord>, Fault>;
    /// The last seen state of one item, also when it is taken as gone.
    async fn last(&self, connection: &str, key: &str) -> Result<Option<LastSeen>, Fault>;
    /// Records taken as gone that have a link in `space` in state linked, in order of their key; of these keys only, if given.
    async fn gone(
        &self,
        connection: &str,
        space: &str,
        only: Option<&[String]>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<GoneRecord>, Fault>;
    /// How many whose keys begin so are not taken as gone.
    async fn count(&self, connection: &str, begin: &str) -> Result<u64, Fault>;
    /// After a whole read: those whose keys begin so and that it did not see are taken as gone (they come back when seen again).
    /// Under the run's fence: a worker that woke up too late would take what its successor has read as gone.
    async fn mark_gone(&self, connection: &str, begin: &str, read: &str, run: &str, fence: u64) -> Result<u64, Fault>;
    /// Remembers a finished read for the connection's other streams, as used by `stream`, and takes away nameless records that it did not
    /// see: a row that cannot say which item it is stands for no item, and a read that holds one never moves the cursor, so the next read
    /// of the span sees it again, mended or not. In the same step the run's read phase is over; nothing of this for a run that was taken over.
    async fn remember_read(&self, connection: &str, stream: &str, read: PastRead, of: ReadOf) -> Result<(), Fault>;
    /// Notes that `stream` has used a read, so that it never gets the same one twice.
    async fn use_read(&self, read: &str, stream: &str) -> Result<(), Fault>;
    /// The youngest finished read that was proven whole, is not older than `within`, is younger than any that `stream` has used, and covers
    /// `since` (`None` = a full one).
    async fn usable_read(
        &self,
        connection: &str,
        stream: &str,
        since: Option<DateTime<Utc>>,
        within: Duration,
    ) -> Result<Option<PastRead>, Fault>;
}
