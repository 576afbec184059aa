//! Schedules: when a stream runs by itself (requirement `billz-opencart.md` section 5; design.md section 4).
//!
//! - [`rule`]: what a person wrote, checked; the next time it means (pure)
//! - [`tick`]: what is to be done at a due time, given how late it is (pure)
//! - [`sentence`]: the rule in people's words
//! - [`scheduler`]: the background work that looks for due schedules and queues their runs
//!
//! A schedule stands in the database with its next due time. Every copy of the service looks; whoever changes the due time first
//! (compare-and-set) has the tick, in the transaction that queues the run or writes down why it was skipped. So there is no
//! leader, no switch, and no tick is lost: what was not claimed is still due.

pub mod rule;
pub mod scheduler;
pub mod sentence;
pub mod tick;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    model::{Mode, Run},
    ports::{Acted, Idempotency, Listing, PageRequest, RenderBox},
};
use crate::fault::Fault;
use rule::Written;

/// A schedule as it stands.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Our id.
    pub id: String,
    /// Its connection.
    pub connection: String,
    /// The stream that it runs.
    pub stream: String,
    /// What a person wrote.
    pub rule: Written,
    /// How much its runs ask of the source.
    pub mode: Mode,
    /// A stopped schedule keeps its rule and its history.
    pub enabled: bool,
    /// The next time that the rule means; `None` while stopped.
    pub due_at: Option<DateTime<Utc>>,
    /// The same with its jitter: when it is looked for.
    pub next_at: Option<DateTime<Utc>>,
    /// The last run it queued.
    pub last_run: Option<String>,
    /// Due times that were not run, newest first in [`Schedules::skips`].
    pub last_skip: Option<Skip>,
    /// Counts the changes; its ETag.
    pub version: u64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed by a person.
    pub updated_at: DateTime<Utc>,
}

/// Why due times were not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// The stream's run before was still queued or running.
    Overlap,
    /// The service was down, or so late that the rule says to wait for the next one.
    Missed,
    /// The connection or the stream is disabled.
    Disabled,
}

impl SkipReason {
    /// Stable code of its sentence.
    pub fn code(self) -> &'static str {
        match self {
            Self::Overlap => "schedule_overlap",
            Self::Missed => "schedule_missed",
            Self::Disabled => "schedule_disabled",
        }
    }
}

/// Due times in a row that were not run for one reason: one row, however many they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    /// Number of its row.
    pub id: u64,
    /// Why.
    pub reason: SkipReason,
    /// The first of them.
    pub first_due_at: DateTime<Utc>,
    /// The last of them.
    pub last_due_at: DateTime<Utc>,
    /// How many.
    pub count: u64,
}

/// Which schedules.
#[derive(Clone, Debug, Default)]
pub struct ScheduleFilter {
    /// Only these flows.
    pub flows: Option<Vec<String>>,
    /// Only this owner of the connection.
    pub owner: Option<String>,
    /// Only this connection.
    pub connection: Option<String>,
    /// Only this stream.
    pub stream: Option<String>,
    /// Only running or only stopped ones.
    pub enabled: Option<bool>,
}

/// A schedule that is due, with the database's clock at that moment.
#[derive(Clone, Debug)]
pub struct Due {
    /// The schedule.
    pub schedule: Schedule,
    /// Now, by the one clock that all copies share.
    pub now: DateTime<Utc>,
}

/// What came of a claimed tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its run is queued.
    Started(String),
    /// It was not run; written down.
    Skipped(SkipReason),
    /// Another copy had it, or a person changed the schedule meanwhile.
    Taken,
}

/// Schedules in the store.
#[async_trait]
pub trait Schedules: Send + Sync {
    /// The database's clock: due times are computed by it, since all copies share it.
    async fn now(&self) -> Result<DateTime<Utc>, Fault>;
    /// Makes one. `NotFound` when the stream is gone.
    async fn create(&self, schedule: Schedule, key: Option<Idempotency>, render: RenderBox<Schedule>) -> Result<Acted<Schedule>, Fault>;
    /// One by id, deleted ones excluded.
    async fn get(&self, id: &str) -> Result<Option<Schedule>, Fault>;
    /// Newest first.
    async fn list(&self, filter: ScheduleFilter, page: PageRequest) -> Result<Listing<Schedule>, Fault>;
    /// Replaces rule, mode, enabled and due times if the version still is `version`; else `PreconditionFailed`.
    async fn update(
        &self,
        schedule: Schedule,
        version: u64,
        key: Option<Idempotency>,
        render: RenderBox<Schedule>,
    ) -> Result<Acted<Schedule>, Fault>;
    /// Marks it deleted; its runs and skips stay.
    async fn delete(&self, id: &str) -> Result<(), Fault>;
    /// Runs that it queued, newest first.
    async fn runs(&self, id: &str, page: PageRequest) -> Result<Listing<Run>, Fault>;
    /// Due times that were not run, newest first.
    async fn skips(&self, id: &str, page: PageRequest) -> Result<Listing<Skip>, Fault>;
    /// When each stream of a connection runs next by a schedule: (stream, time).
    async fn next_runs(&self, connection: &str) -> Result<Vec<(String, DateTime<Utc>)>, Fault>;
    /// Takes schedules that are due by the database's clock, longest waiting first: `decide` says what is to be done, each tick is claimed
    /// by compare-and-set on its due time, and its run is queued. One process at a time does this, so that copies do not wait for each
    /// other's rows.
    async fn take_due(&self, limit: u32, decide: fn(Due) -> (Schedule, tick::Tick)) -> Result<Vec<(Schedule, tick::Tick, Outcome)>, Fault>;
}
