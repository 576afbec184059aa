//! What the engine and the API need from a store. `store` implements them on MySQL/MariaDB.
//!
//! Times come from the database where several processes compare them (leases, due times).

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;

pub use super::api_key::{ApiKey, ApiKeys, Role};
use super::model::{
    Applied, Change, ChangeState, Connection, Counts, Link, LinkState, NewChange, NewRun, Outcome, Phase, ReadSummary, Run, State, Stream,
    Trigger,
};
use super::queue::{Ask, Caps, Taken, Waiting};
use super::{flow::Discovered, link::Noted, schedule::Schedule};
use crate::fault::{Fault, FaultView};

pub use super::records::{GoneRecord, LastSeen, PastRead, ReadOf, Records, Stored, StoredRecord};
pub use super::retry_list::Retries;

/// A page of a list: newest first, with where to go on.
#[derive(Clone, Debug)]
pub struct Listing<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Opaque; `None` at the end.
    pub next: Option<String>,
}

/// Which part of a list.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// 1..=200.
    pub limit: u32,
    /// From an earlier answer.
    pub cursor: Option<String>,
}

/// An `Idempotency-Key` with its scope, stored in the transaction that acts.
#[derive(Clone, Debug)]
pub struct Idempotency {
    /// Hash of (API key, on behalf of, method, path, key).
    pub scope: String,
    /// Hash of the body.
    pub body: String,
}

/// An answer kept for replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// HTTP status, 2xx.
    pub status: u16,
    /// `Location`, if it had one.
    pub location: Option<String>,
    /// JSON body.
    pub body: String,
}

/// What came of an act with an idempotency key.
#[derive(Clone, Debug)]
pub enum Acted<T> {
    /// Done now.
    Fresh(T),
    /// Done before: answer as then.
    Replayed(StoredAnswer),
}

/// Answers kept under idempotency keys.
#[async_trait]
pub trait Idempotent: Send + Sync {
    /// The answer that the key got in the last 24 hours, if it got one. Asked before anything is checked: a repeated request is answered as the
    /// first time, whatever has become of the things it names. `IdempotencyMismatch` when the key stands for another body.
    async fn replay(&self, key: &Idempotency) -> Result<Option<StoredAnswer>, Fault>;
}

/// Turns the acted-on thing into the answer that is kept for replay.
pub type Render<'a, T> = &'a (dyn Fn(&T) -> StoredAnswer + Send + Sync);

/// Connections and their streams.
#[async_trait]
pub trait Connections: Send + Sync {
    /// Makes one. `space` names its link space; its fixed streams and their schedules come with it.
    async fn create(
        &self,
        connection: Connection,
        streams: Vec<Stream>,
        schedules: Vec<Schedule>,
        key: Option<Idempotency>,
        render: RenderBox<Connection>,
    ) -> Result<Acted<Connection>, Fault>;
    /// One by id, deleted ones excluded.
    async fn get(&self, id: &str) -> Result<Option<Connection>, Fault>;
    /// Filtered by flows and owner.
    async fn list(&self, filter: ConnectionFilter, page: PageRequest) -> Result<Listing<Connection>, Fault>;
    /// Replaces name, owner, enabled, settings, secrets and link space if the version still is `version`; else `PreconditionFailed`.
    ///
    /// Another link space means another source or target: links of the former one are set aside (they come back with it), and what was read
    /// of the former source is forgotten, cursors included. `InUse` while a run is live, or while another connection needs those links.
    async fn update(&self, connection: Connection, version: u64) -> Result<Connection, Fault>;
    /// Marks it deleted; links stay. `InUse` while a run is live.
    async fn delete(&self, id: &str) -> Result<(), Fault>;
    /// All streams of one, by key.
    async fn streams(&self, connection: &str) -> Result<Vec<Stream>, Fault>;
    /// One stream.
    async fn stream(&self, connection: &str, stream: &str) -> Result<Option<Stream>, Fault>;
    /// Makes a stream; `InUse` if it is there.
    async fn create_stream(&self, stream: Stream, key: Option<Idempotency>, render: RenderBox<Stream>) -> Result<Acted<Stream>, Fault>;
    /// Replaces name, enabled, settings and cursor.
    async fn update_stream(&self, stream: Stream, version: u64) -> Result<Stream, Fault>;
    /// Deletes a stream; `InUse` while a run is live.
    async fn delete_stream(&self, connection: &str, stream: &str) -> Result<(), Fault>;
    /// The account that the source itself named, for this link space; stored at the first call. Returns the stored one.
    async fn remember_account(&self, space: &str, account: &str) -> Result<String, Fault>;
    /// Adds streams that the source named while it was read; a known one gets its latest name.
    async fn remember_offered(&self, connection: &str, offered: &[Discovered]) -> Result<(), Fault>;
    /// The streams that the source has named so far, by key.
    async fn offered(&self, connection: &str) -> Result<Vec<Discovered>, Fault>;
}

/// Owned form of [`Render`], for work that runs on another thread.
pub type RenderBox<T> = Box<dyn Fn(&T) -> StoredAnswer + Send + Sync>;

/// Which connections or runs are visible.
#[derive(Clone, Debug, Default)]
pub struct ConnectionFilter {
    /// Only these flows.
    pub flows: Option<Vec<String>>,
    /// Only this owner.
    pub owner: Option<String>,
}

/// Which runs.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    /// Only these flows.
    pub flows: Option<Vec<String>>,
    /// Only this owner.
    pub owner: Option<String>,
    /// Only this connection.
    pub connection: Option<String>,
    /// Only this stream.
    pub stream: Option<String>,
    /// Only this state.
    pub state: Option<State>,
}

/// How a run ends, written together with its stream in one transaction.
#[derive(Clone, Debug)]
pub struct Finish {
    /// Final state, or awaiting approval.
    pub state: State,
    /// Why it failed or what is in doubt.
    pub error: Option<FaultView>,
    /// New cursor of the stream; `None` leaves it.
    pub cursor: Option<DateTime<Utc>>,
    /// Whether the stream's `last_synced_at` moves to the run's start.
    pub synced: bool,
    /// Start of the whole read that fed the stream, if it was whole.
    pub whole_read_at: Option<DateTime<Utc>>,
    /// New period of `full_every: auto`.
    pub full_every_seconds: Option<u64>,
    /// How long what waits may be approved.
    pub approvable_for: Option<Duration>,
    /// Whether there may be something that people should be told of: a brake has tripped, or items are held.
    pub telling: bool,
}

impl Finish {
    /// An end that moves neither cursor nor clock of the stream, such as that of an undo.
    pub fn beside_stream(state: State) -> Self {
        Self {
            state,
            error: None,
            cursor: None,
            synced: false,
            whole_read_at: None,
            full_every_seconds: None,
            approvable_for: None,
            telling: true,
        }
    }

    /// The same by a fault: what it had come to is told of by nobody.
    pub fn without_effect(state: State, fault: &Fault) -> Self {
        Self { error: Some(FaultView::from(fault)), telling: false, ..Self::beside_stream(state) }
    }
}

/// A run a worker has taken, with the fence of its lease.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The run.
    pub run: Run,
    /// Guards every write of this holder.
    pub fence: u64,
    /// How long it waited.
    pub waited: Duration,
}

/// What a heartbeat tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// Still ours.
    Held,
    /// Still ours, and a person asked for its end.
    CancelRequested,
    /// Somebody else has it.
    Lost,
}

/// Runs, their queue and their leases.
#[async_trait]
pub trait Runs: Send + Sync {
    /// Puts a run into the queue. `StreamBusy` (with the live run as `resource`) when a real run of the stream is live and this is no dry run.
    async fn enqueue(&self, run: NewRun, key: Option<Idempotency>, render: RenderBox<Run>) -> Result<Acted<Run>, Fault>;
    /// One by id.
    async fn get(&self, id: &str) -> Result<Option<Run>, Fault>;
    /// The versions of those of these runs that there are.
    async fn versions(&self, ids: &[String]) -> Result<Vec<(String, u64)>, Fault>;
    /// Newest first.
    async fn list(&self, filter: RunFilter, page: PageRequest) -> Result<Listing<Run>, Fault>;
    /// Runs that may be taken now, queued or of a silent worker: so many at most, those first whose party's turn is longest ago.
    async fn waiting(&self) -> Result<Vec<Waiting>, Fault>;
    /// Takes of these runs those whose turn it is ([`crate::engine::queue::order`]).
    async fn claim(&self, waiting: Arc<Vec<Waiting>>, ask: Ask) -> Result<Taken, Fault>;
    /// Tells queued runs where they stand.
    async fn stand(&self, queued: Vec<Run>, caps: Caps) -> Result<Vec<Run>, Fault>;
    /// Renews the lease.
    async fn beat(&self, run: &str, fence: u64, lease: Duration) -> Result<Beat, Fault>;
    /// Stores progress while reading.
    async fn progress(&self, run: &str, fence: u64, read: u64, total: Option<u64>) -> Result<(), Fault>;
    /// Begins: settings snapshot and cursor before, once.
    async fn begin(&self, run: &str, fence: u64, settings: &Value, cursor_before: Option<DateTime<Utc>>) -> Result<(), Fault>;
    /// The read phase is over; the read was an earlier one, used again.
    async fn read_done(&self, of: ReadOf, summary: &ReadSummary) -> Result<(), Fault>;
    /// The decide phase is over: counts of what needs no applying.
    async fn decided(&self, run: &str, fence: u64, counts: Counts, next: Phase) -> Result<(), Fault>;
    /// All its changes are applied: its stream counts as synchronised from now on, whatever else the run still does.
    async fn applied(&self, run: &str, fence: u64) -> Result<(), Fault>;
    /// Ends it, with its stream, in one transaction.
    async fn finish(&self, run: &str, fence: u64, finish: Finish) -> Result<(), Fault>;
    /// Puts it back into the queue: for a long wait, or because the service stops, or (a setback) because something did not answer.
    async fn requeue(&self, run: &str, fence: u64, not_before: Option<DateTime<Utc>>, setback: bool) -> Result<(), Fault>;
    /// All that is left of it are pictures.
    async fn showing(&self, run: &str, fence: u64) -> Result<(), Fault>;
    /// Queues a run for the pictures that this one had no time for; whether it did, for one may wait already.
    async fn show_rest(&self, of: &str) -> Result<bool, Fault>;
    /// A person asks for its end; a queued one ends at once. `NotAwaiting` when it is final.
    async fn request_cancel(&self, run: &str, key: Option<Idempotency>, render: RenderBox<Run>) -> Result<Acted<Run>, Fault>;
    /// Approves (goes on with applying) or rejects (cancelled) a waiting run. `PlanExpired` when it waited too long.
    async fn settle(&self, run: &str, approve: bool, key: Option<Idempotency>, render: RenderBox<Run>) -> Result<Acted<Run>, Fault>;
}

/// Which links.
#[derive(Clone, Debug, Default)]
pub struct LinkFilter {
    /// Only this state.
    pub state: Option<LinkState>,
}

/// The link that has a target item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its space.
    pub space: String,
    /// Its source item.
    pub source: String,
    /// Which item stood there when it was made: an id may have gone to another item since.
    pub witness: Option<String>,
}

impl Holder {
    /// Whether it is the link of this source item.
    pub fn is(&self, space: &str, source: &str) -> bool {
        self.space == space && self.source == source
    }

    /// Whether it holds the item that stands there now, and not one that had its id before.
    pub fn holds(&self, witness: Option<&str>) -> bool {
        match (self.witness.as_deref(), witness) {
            (Some(was), Some(is)) => was == is,
            _ => true,
        }
    }
}

/// What a source item is linked to, and how fresh that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// The target item; `None` when another item has its id by now.
    pub target: Option<String>,
    /// The state of the source that was written last.
    pub source_seen_at: Option<DateTime<Utc>>,
    /// The run that wrote it.
    pub run: Option<String>,
}

/// Links and questions about links.
#[async_trait]
pub trait Links: Send + Sync {
    /// By source ids.
    async fn by_sources(&self, space: &str, sources: &[String]) -> Result<HashMap<String, Link>, Fault>;
    /// Those of these source items that are linked, without what their links remember.
    async fn holding(&self, space: &str, sources: &[String]) -> Result<HashMap<String, Holding>, Fault>;
    /// Which of these targets are linked already, in any space of the same target; with the link that has each. A whole item is, if one of
    /// its parts is ([`super::link::whole_of`]).
    async fn linked_targets(&self, space: &str, targets: &[String]) -> Result<HashMap<String, Holder>, Fault>;
    /// How many stand in this space and hold a target.
    async fn linked(&self, space: &str) -> Result<u64, Fault>;
    /// Whether links of this space are set aside.
    async fn has_aside(&self, space: &str) -> Result<bool, Fault>;
    /// Stores questions (proposed, ambiguous) and takes away those that are no longer open.
    async fn ask(&self, space: &str, questions: Vec<Link>, closed: Vec<String>) -> Result<(), Fault>;
    /// Ends the marks of undone fields, by source item: nothing is held back there any more.
    async fn release(&self, space: &str, fields: Vec<(String, Vec<String>)>) -> Result<(), Fault>;
    /// Writes down what was noted beside a run's changes. A link that a person made or took away meanwhile stays as it is.
    async fn note(&self, space: &str, run: &str, notes: Vec<Noted>) -> Result<(), Fault>;
    /// Newest first.
    async fn list(&self, space: &str, filter: LinkFilter, page: PageRequest) -> Result<Listing<Link>, Fault>;
    /// Makes a link by hand, or turns a question into one. `InUse` when another source has the target.
    async fn set(&self, space: &str, link: Link, key: Option<Idempotency>, render: RenderBox<Link>) -> Result<Acted<Link>, Fault>;
    /// Removes one; whether it was there.
    async fn remove(&self, space: &str, source: &str) -> Result<bool, Fault>;
}

/// Which items of a run.
#[derive(Clone, Debug, Default)]
pub struct ItemFilter {
    /// Only this outcome.
    pub outcome: Option<Outcome>,
}

/// Changes: plan, intent, outcome and undo record in one row.
#[async_trait]
pub trait Changes: Send + Sync {
    /// Takes away what an interrupted decide phase left.
    async fn clear(&self, run: &str, fence: u64) -> Result<(), Fault>;
    /// Stores decided changes.
    async fn plan(&self, run: &str, fence: u64, changes: Vec<NewChange>) -> Result<(), Fault>;
    /// The next batch: first those left in `applying`, alone, with `true`; then planned ones, moved to `applying` (the intent). Rows up
    /// to `in_hand` are at work already: a batch may be begun while the one before it is carried out.
    async fn next_batch(&self, run: &str, fence: u64, limit: u32, in_hand: Option<u64>) -> Result<(Vec<Change>, bool), Fault>;
    /// Records what became of a batch, its links and the counts of the run that planned each row, in one transaction; returns the
    /// counts of `run`. Rows that somebody else has recorded meanwhile are passed over. Fails with `LeaseLost` when the fence has moved.
    async fn record(&self, run: &str, fence: u64, space: &str, results: Vec<(Change, Applied)>) -> Result<Counts, Fault>;
    /// Creations that other runs of the connection left in `applying`: their effect may stand in the target. The caller holds the
    /// target, so those runs have ended or wait for a worker. Updates that ended runs left so are closed as superseded, since deciding
    /// looks at what stands there; those of a run that will be taken up again are its own matter.
    async fn leftovers(&self, connection: &str, run: &str, fence: u64, limit: u32) -> Result<Vec<Change>, Fault>;
    /// Takes back the intent of changes that had no effect: planned again where their run will be taken up, superseded where it has ended.
    async fn withdraw(&self, run: &str, fence: u64, changes: &[Change]) -> Result<(), Fault>;
    /// The run's last recorded creations, newest first.
    async fn last_created(&self, run: &str, limit: u32) -> Result<Vec<Change>, Fault>;
    /// Replaces fields and witness of changes in `applying` that were decided again after a conflict.
    async fn revise(&self, run: &str, fence: u64, changes: &[Change]) -> Result<(), Fault>;
    /// How many of the changes that a run applied are still kept.
    async fn kept(&self, run: &str) -> Result<u64, Fault>;
    /// What a run applied, in the order of its plan, from after a row on.
    async fn applied(&self, run: &str, after: Option<u64>, limit: u32) -> Result<Vec<Change>, Fault>;
    /// The last changes of one item over all runs of a connection, newest first.
    async fn of_item(&self, connection: &str, source: &str, limit: u32) -> Result<Vec<PastChange>, Fault>;
    /// Newest last (order of the plan).
    async fn items(&self, run: &str, filter: ItemFilter, page: PageRequest) -> Result<Listing<ItemRow>, Fault>;
}

/// A change of one item, with the run that decided it.
#[derive(Clone, Debug)]
pub struct PastChange {
    /// What was decided, and where it stands.
    pub change: Change,
    /// Stream of the run.
    pub stream: String,
    /// What started the run.
    pub trigger: Trigger,
    /// Whether the run was a plan at first.
    pub dry_run: bool,
    /// When the run began, or was asked for.
    pub at: DateTime<Utc>,
}

/// One item of a run's report.
#[derive(Clone, Debug)]
pub struct ItemRow {
    /// Its number.
    pub id: u64,
    /// What was decided.
    pub body: NewChange,
    /// Where it stands.
    pub state: ChangeState,
    /// How it ended, or is meant to.
    pub outcome: Outcome,
}

/// Leases by compare-and-set on database time.
#[async_trait]
pub trait Leases: Send + Sync {
    /// Takes the lease if it is free or expired; the new fence, or `None`.
    async fn acquire(&self, key: &str, holder: &str, ttl: Duration) -> Result<Option<u64>, Fault>;
    /// Renews; `false` when it was lost.
    async fn renew(&self, key: &str, holder: &str, fence: u64, ttl: Duration) -> Result<bool, Fault>;
    /// Gives it back.
    async fn release(&self, key: &str, holder: &str, fence: u64) -> Result<(), Fault>;
}

/// Whether our database answers and has all migrations.
#[async_trait]
pub trait Ready: Send + Sync {
    /// `Err` says what is missing.
    async fn ready(&self) -> Result<(), Fault>;
}
