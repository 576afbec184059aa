//! The engine's words as types: connection, stream, run, record, link, change (design.md section 1).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::brakes::Plan;
pub use super::read_summary::ReadSummary;
use super::{queue::Passage, undo::Keep};
use crate::fault::FaultView;

pub use super::link::{Candidate, Link, LinkState};

/// One pair of accounts for a flow.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Our id.
    pub id: String,
    /// One of the four flows.
    pub flow: String,
    /// A name for people.
    pub name: String,
    /// Whose it is, such as `seller:42`.
    pub owner: Option<String>,
    /// A disabled connection starts no runs.
    pub enabled: bool,
    /// The outside system that its runs read from ([`crate::engine::flow::Flow::source_system`]).
    pub source_system: String,
    /// As the user gave them: defaults are merged at use, so that a better default reaches old connections.
    pub settings: Value,
    /// Sealed secrets by name.
    pub secrets: BTreeMap<String, String>,
    /// Where its links live: (source account, target identity, owner).
    pub link_space: String,
    /// Counts the changes; its ETag.
    pub version: u64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// The part of a connection synchronised on its own.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Its connection.
    pub connection: String,
    /// Its key in the remote's words: a Billz shop id, `contacts`, `orders`.
    pub stream: String,
    /// A name for people.
    pub name: String,
    /// A disabled stream starts no runs and does not count in sums.
    pub enabled: bool,
    /// Settings of this stream alone.
    pub settings: Value,
    /// Everything before this moment of the source's clock has been dealt with.
    pub cursor: Option<DateTime<Utc>>,
    /// Start of the last succeeded or partial real run.
    pub last_synced_at: Option<DateTime<Utc>>,
    /// Start of the last whole read that fed this stream.
    pub last_whole_read_at: Option<DateTime<Utc>>,
    /// The present period of `full_every: auto`, in seconds.
    pub full_every_seconds: Option<u64>,
    /// The last run, dry or real.
    pub last_run: Option<String>,
    /// Counts the changes; its ETag.
    pub version: u64,
}

/// What started a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// A person or their shop pressed a button.
    Manual,
    /// A schedule.
    Schedule,
    /// A remote's webhook.
    Webhook,
    /// An undo of another run.
    Undo,
    /// The retry list.
    Retry,
    /// A run that had no time for all of its pictures.
    Pictures,
}

/// How much is asked of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// What changed since the cursor; turns full by `full_every`.
    Incremental,
    /// Everything.
    Full,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits for a worker.
    Queued,
    /// A worker is at it.
    Running,
    /// A finished dry run, or changes held by a brake.
    AwaitingApproval,
    /// All went well.
    Succeeded,
    /// Something failed, or the read was not proven whole; the rest was done.
    Partial,
    /// Ended by a failure.
    Failed,
    /// Ended by a person.
    Cancelled,
}

impl State {
    /// Whether nothing more will happen by itself.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Partial | Self::Failed | Self::Cancelled)
    }
}

/// The durable step a run has reached; a resumed run goes on from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Pages into records.
    Read,
    /// Records into changes.
    Decide,
    /// Changes into the target.
    Apply,
    /// What was wished for in pictures, after prices and stock.
    Pictures,
    /// Nothing left to do.
    Done,
    /// Nothing left to do, and its items are no longer kept.
    Pruned,
}

/// How many items came to which end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Made in the target.
    pub created: u64,
    /// Changed in the target.
    pub updated: u64,
    /// Already as they should be.
    pub unchanged: u64,
    /// Left alone, for a reason.
    pub skipped: u64,
    /// Could not be done; in the retry list.
    pub failed: u64,
    /// Waiting for a person.
    pub held: u64,
    /// What became of pictures; their failed items count in `failed`.
    pub pictures: super::pictures::Tally,
}

/// One execution of one stream.
#[derive(Clone, Debug)]
pub struct Run {
    /// Our id.
    pub id: String,
    /// Its flow.
    pub flow: String,
    /// Its connection.
    pub connection: String,
    /// Its stream.
    pub stream: String,
    /// Owner of the connection when the run was made.
    pub owner: Option<String>,
    /// What started it.
    pub trigger: Trigger,
    /// As asked.
    pub mode: Mode,
    /// Computes and shows, but writes nothing.
    pub dry_run: bool,
    /// Only these source keys, if given.
    pub items: Option<Vec<String>>,
    /// The run that this one takes back.
    pub undo_of: Option<String>,
    /// Where it stands.
    pub state: State,
    /// The step it has reached.
    pub phase: Phase,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When a worker first took it.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Not to be taken before.
    pub not_before: Option<DateTime<Utc>>,
    /// Rows read so far.
    pub read: u64,
    /// Rows the source says it has, once known.
    pub total: Option<u64>,
    /// Changes applied so far.
    pub applied: u64,
    /// Ends of the items.
    pub counts: Counts,
    /// Stream's cursor when it began.
    pub cursor_before: Option<DateTime<Utc>>,
    /// Stream's cursor when it ended.
    pub cursor_after: Option<DateTime<Utc>>,
    /// What the read phase found out, once it ended.
    pub read_summary: Option<ReadSummary>,
    /// Why it failed, or what is in doubt.
    pub error: Option<FaultView>,
    /// Settings at its start.
    pub settings: Option<Value>,
    /// A person asked for its end.
    pub cancel_requested: bool,
    /// Counts the visible changes.
    pub version: u64,
    /// How many times a worker took it.
    pub attempts: u32,
    /// Guards its writes: grows with every taking.
    pub fence: u64,
    /// What was decided, and whether a person has agreed.
    pub plan: Plan,
    /// Its way through the queue.
    pub passage: Passage,
}

impl Run {
    /// Who takes turns in the queue: the owner, or the connection where there is none.
    pub fn party(&self) -> &str {
        self.owner.as_ref().unwrap_or(&self.connection)
    }
}

/// What is asked of [`crate::engine::ports::Runs::enqueue`].
#[derive(Clone, Debug)]
pub struct NewRun {
    /// Its flow.
    pub flow: String,
    /// Its connection.
    pub connection: String,
    /// Its stream.
    pub stream: String,
    /// Owner of the connection.
    pub owner: Option<String>,
    /// What started it.
    pub trigger: Trigger,
    /// How much is asked.
    pub mode: Mode,
    /// Whether it may write.
    pub dry_run: bool,
    /// Only these source keys.
    pub items: Option<Vec<String>>,
    /// The run that it takes back.
    pub undo_of: Option<String>,
}

/// How keys begin that stand for no item: of rows whose own id cannot be read.
pub const NAMELESS: &str = "unreadable:";

/// The last seen, normalised state of one source item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The source's own id.
    pub key: String,
    /// A name for people.
    pub name: String,
    /// Normalised state as JSON text, in the flow's own form. Equal states give equal text.
    pub payload: String,
    /// When the source says it changed, if it says so; tells whether a delta should have shown it.
    pub source_changed_at: Option<DateTime<Utc>>,
}

/// Values by field, as they stand in the target or are to stand there.
pub type Values = BTreeMap<String, Value>;

/// A rule or reason: stable code and what fills its sentence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Stable code, such as `no_price`.
    pub code: String,
    /// Values for the sentence.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
}

impl Reason {
    /// A reason without values.
    pub fn new(code: &str) -> Self {
        Self { code: code.to_owned(), params: BTreeMap::new() }
    }

    /// The same with one more value.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.params.insert(name.to_owned(), value.to_string());
        self
    }
}

/// One field of a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// The field in the target's words.
    pub field: String,
    /// What stood there; absent = unknown or nothing.
    #[serde(default)]
    pub old: Option<Value>,
    /// What is to stand there.
    pub new: Value,
    /// The rule that decided, with the values it used (for example the unrounded price).
    pub rule: Reason,
}

/// What is done to the target item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Make it.
    Create,
    /// Change fields of it.
    Update,
    /// Hide it.
    Hide,
    /// Put back what stood there before a run.
    Restore,
    /// Send something that cannot be called back.
    Send,
    /// Nothing: the row only reports (skipped, failed, held).
    None,
}

/// [`NewChange::link_origin`] of a creation that takes the place of a target item that was deleted; `target` is the deleted one until
/// the new one stands.
pub const RECREATED: &str = "recreated";
/// How a link came about: its target was made by us.
pub const CREATED: &str = "created";

/// Code of the reason of every change that is made because the source does not list the item any more.
pub const VANISHED: &str = "vanished";

/// Where a change stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeState {
    /// Decided, not begun.
    Planned,
    /// Waits for a person.
    Held,
    /// Intent stored; the effect may or may not have happened.
    Applying,
    /// Effect seen and recorded.
    Applied,
    /// Left alone, for a reason.
    Skipped,
    /// Could not be done.
    Failed,
}

/// How an item ended in a run, as the contract shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Made.
    Created,
    /// Changed.
    Updated,
    /// As it should be already. Only counted.
    Unchanged,
    /// Left alone.
    Skipped,
    /// Could not be done.
    Failed,
    /// Waits for a person.
    Held,
}

/// A decided change before it is stored.
#[derive(Clone, Debug)]
pub struct NewChange {
    /// The source's id.
    pub source: String,
    /// A name for people.
    pub name: String,
    /// The target's id, if it has one.
    pub target: Option<String>,
    /// Guards against a reused id.
    pub witness: Option<String>,
    /// What is to be done.
    pub op: Op,
    /// Fields with old and new values.
    pub fields: Vec<FieldChange>,
    /// Why.
    pub reason: Reason,
    /// The end it is meant to come to.
    pub outcome: Outcome,
    /// Where it begins: planned, held, skipped or failed.
    pub state: ChangeState,
    /// How it can be undone: `restore`, `hide`, `never:<reason>`.
    pub undo: String,
    /// How a link comes about when it is applied: `created`, `recreated`, `auto`.
    pub link_origin: Option<String>,
    /// When the source state behind it was read.
    pub source_seen_at: DateTime<Utc>,
    /// Bits of the brakes it speaks to ([`crate::engine::brakes::Rule::risk`]).
    pub risks: u16,
    /// What it must remember so that it can be undone.
    pub keep: Keep,
}

/// A stored change.
#[derive(Clone, Debug)]
pub struct Change {
    /// Number of its row; also our reference in the target (`tradesync:<id>`).
    pub id: u64,
    /// Its run.
    pub run: String,
    /// What was decided.
    pub body: NewChange,
    /// Where it stands.
    pub state: ChangeState,
}

/// What became of one change when it was applied.
#[derive(Clone, Debug)]
pub enum Applied {
    /// Done, or found done already. Ids are the target's.
    Done {
        /// The target's id.
        target: String,
        /// Its witness, for the link.
        witness: Option<String>,
    },
    /// It came to another end than was planned, and the link remembers what was found or done instead.
    Otherwise(Box<Otherwise>),
    /// Not begun: something fell silent before its turn. It is planned again, and the run ends ([`crate::engine::flow::Apply::ended_by`]).
    Left,
    /// Something else changed it meanwhile; nothing was written.
    Conflict {
        /// What stands there now, for people.
        detail: String,
    },
    /// It can no longer be done and should not be tried again: the item is gone or another took its id.
    Gone {
        /// Why it is left alone.
        reason: Reason,
    },
    /// It failed.
    Failed {
        /// Why.
        fault: FaultView,
    },
}

/// Another end of a change than was planned.
#[derive(Clone, Debug)]
pub struct Otherwise {
    /// The target's id.
    pub target: String,
    /// Its witness, for the link.
    pub witness: Option<String>,
    /// The end it came to.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// What was really written, in the place of what was planned.
    pub fields: Vec<FieldChange>,
}
