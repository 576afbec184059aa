//! Runs and their items.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{brake::RunBrakeView, queue::QueueView};
use crate::{
    api::json::Body,
    domain::text::{Lang, reason_text},
    engine::{
        model::{FieldChange, Mode, Outcome, Phase, Reason, Run, State, Trigger},
        ports::ItemRow,
        service::sync::SyncRequest,
    },
    fault::FaultView,
};

/// Declares a word of the contract that mirrors an enum of the engine.
macro_rules! words {
    ($(#[$doc:meta])* $view:ident as $name:ident of $engine:ident { $($(#[$each:meta])* $variant:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        #[schema(as = $name)]
        pub enum $view { $($(#[$each])* $variant),* }

        impl From<$engine> for $view {
            fn from(word: $engine) -> Self {
                match word { $($engine::$variant => Self::$variant),* }
            }
        }

        impl From<$view> for $engine {
            fn from(word: $view) -> Self {
                match word { $($view::$variant => Self::$variant),* }
            }
        }
    };
}

words! {
    /// What started a run.
    TriggerView as Trigger of Trigger {
        /// A person or their shop.
        Manual,
        /// A schedule.
        Schedule,
        /// A remote's webhook.
        Webhook,
        /// An undo of another run.
        Undo,
        /// The retry list.
        Retry,
        /// A run that had no time for all of its pictures: this one goes on with them.
        Pictures,
    }
}

words! {
    /// How much is asked of the source.
    ModeView as Mode of Mode {
        /// What changed since the cursor.
        Incremental,
        /// Everything.
        Full,
    }
}

words! {
    /// Where a run stands.
    StateView as RunState of State {
        /// Waits for a worker.
        Queued,
        /// A worker is at it.
        Running,
        /// A finished dry run, or changes held by a brake.
        AwaitingApproval,
        /// All went well.
        Succeeded,
        /// Something failed; the rest was done.
        Partial,
        /// Ended by a failure.
        Failed,
        /// Ended by a person.
        Cancelled,
    }
}

words! {
    /// The durable step that a run has reached.
    PhaseView as Phase of Phase {
        /// Reads the source.
        Read,
        /// Decides what to change.
        Decide,
        /// Changes the target.
        Apply,
        /// Prices and stock are done; fetches and shows pictures.
        Pictures,
        /// Nothing left to do.
        Done,
        /// Nothing left to do, and its items are no longer kept.
        Pruned,
    }
}

words! {
    /// How an item ended.
    OutcomeView as Outcome of Outcome {
        /// Made.
        Created,
        /// Changed.
        Updated,
        /// As it should be already; only counted.
        Unchanged,
        /// Left alone, for a reason.
        Skipped,
        /// Could not be done; offered again on later runs.
        Failed,
        /// Waits for a person.
        Held,
    }
}

/// How far a run is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Progress)]
pub struct ProgressView {
    /// Rows read.
    pub read: u64,
    /// Rows the source says it has, once known.
    pub total: Option<u64>,
    /// Changes applied.
    pub applied: u64,
}

/// How many items came to which end.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Counts)]
pub struct CountsView {
    /// Made.
    pub created: u64,
    /// Changed.
    pub updated: u64,
    /// As they should be already.
    pub unchanged: u64,
    /// Left alone.
    pub skipped: u64,
    /// Could not be done.
    pub failed: u64,
    /// Wait for a person.
    pub held: u64,
}

/// What became of pictures. They come after prices and stock; what failed or was not reached comes back on later runs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Pictures)]
pub struct PicturesView {
    /// Addresses that were called.
    pub fetched: u64,
    /// Of these, the ones that could not be had, or are no picture for a shop.
    pub failed: u64,
    /// Items whose pictures were put into the target, in whole or in part.
    pub shown: u64,
    /// Items that still waited for pictures when this run last looked.
    pub waiting: u64,
}

/// Why a run or item failed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Failure)]
pub struct ErrorView {
    /// Stable code.
    pub code: String,
    /// Kind of failure.
    pub kind: String,
    /// What failed.
    pub detail: String,
    /// What to do next.
    pub next: String,
    /// Page about it.
    pub r#type: String,
}

impl From<&FaultView> for ErrorView {
    fn from(fault: &FaultView) -> Self {
        let kind = serde_json::to_value(fault.kind).ok().and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default();
        Self {
            code: fault.code.clone(),
            kind,
            detail: fault.detail.clone(),
            next: fault.next.clone(),
            r#type: format!("/problems/{}", fault.code),
        }
    }
}

/// What was read.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Read)]
pub struct ReadView {
    /// What was really asked: an incremental run may have turned full.
    pub mode: ModeView,
    /// Whether an earlier read of the connection was used.
    pub reused: bool,
    /// Start of the read by the remote's clock.
    #[serde(serialize_with = "super::time")]
    pub started_at: DateTime<Utc>,
    /// Why it is not proven whole.
    pub doubt: Option<ErrorView>,
    /// Rows that differ from what we held.
    pub changed: u64,
    /// Changed rows that a delta would not have told of.
    pub missed_by_delta: u64,
}

/// One execution of one stream.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Run)]
pub struct RunView {
    /// Its id.
    pub id: String,
    /// Its flow.
    pub flow: String,
    /// Its connection.
    pub connection: String,
    /// Its stream.
    pub stream: String,
    /// Owner of the connection.
    pub owner: Option<String>,
    /// What started it.
    pub trigger: TriggerView,
    /// As asked.
    pub mode: ModeView,
    /// Shows what it would do, and writes nothing.
    pub dry_run: bool,
    /// Only these items, if asked so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<Vec<String>>,
    /// The run that this one takes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo_of: Option<String>,
    /// Where it stands.
    pub state: StateView,
    /// The step it has reached.
    pub phase: PhaseView,
    /// When it was asked for.
    #[serde(serialize_with = "super::time")]
    pub created_at: DateTime<Utc>,
    /// When a worker first took it.
    #[serde(serialize_with = "super::maybe_time")]
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    #[serde(serialize_with = "super::maybe_time")]
    pub finished_at: Option<DateTime<Utc>>,
    /// Not gone on with before; set while a remote makes us wait.
    #[serde(serialize_with = "super::maybe_time")]
    pub not_before: Option<DateTime<Utc>>,
    /// Where it stands in the queue, while it is queued and looked at by itself or in the list of runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueView>,
    /// How far it is.
    pub progress: ProgressView,
    /// Ends of its items.
    pub counts: CountsView,
    /// What became of pictures.
    pub pictures: PicturesView,
    /// The stream's cursor when it began.
    #[serde(serialize_with = "super::maybe_time")]
    pub cursor_before: Option<DateTime<Utc>>,
    /// The stream's cursor when it ended.
    #[serde(serialize_with = "super::maybe_time")]
    pub cursor_after: Option<DateTime<Utc>>,
    /// Whether the read was proven whole; null until it was read.
    pub whole: Option<bool>,
    /// What was read; null until then.
    pub read: Option<ReadView>,
    /// A person asked for its end.
    pub cancel_requested: bool,
    /// Until when it may be approved, if it waits for that.
    #[serde(serialize_with = "super::maybe_time")]
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was approved.
    #[serde(serialize_with = "super::maybe_time")]
    pub approved_at: Option<DateTime<Utc>>,
    /// Brakes that it was over. In a dry run they hold nothing: they say what a real run would hold.
    pub brakes: Vec<RunBrakeView>,
    /// What the target told of the run: how it was read, what that cost, how many calls writing takes.
    #[schema(value_type = Object)]
    pub target: crate::engine::model::Values,
    /// Why it failed, or what is in doubt.
    pub error: Option<ErrorView>,
}

impl From<&Run> for RunView {
    fn from(run: &Run) -> Self {
        Self::of(run, Lang::En)
    }
}

impl RunView {
    /// A run in a language.
    pub fn of(run: &Run, lang: Lang) -> Self {
        let counts = run.counts;
        Self {
            id: run.id.clone(),
            flow: run.flow.clone(),
            connection: run.connection.clone(),
            stream: run.stream.clone(),
            owner: run.owner.clone(),
            trigger: run.trigger.into(),
            mode: run.mode.into(),
            dry_run: run.dry_run,
            items: run.items.clone(),
            undo_of: run.undo_of.clone(),
            state: run.state.into(),
            phase: run.phase.into(),
            created_at: run.created_at,
            started_at: run.started_at,
            finished_at: run.finished_at,
            not_before: run.not_before,
            queue: run.passage.standing.as_ref().filter(|_| run.state == State::Queued).map(|standing| QueueView::of(standing, lang)),
            progress: ProgressView { read: run.read, total: run.total, applied: run.applied },
            counts: CountsView {
                created: counts.created,
                updated: counts.updated,
                unchanged: counts.unchanged,
                skipped: counts.skipped,
                failed: counts.failed,
                held: counts.held,
            },
            pictures: PicturesView {
                fetched: counts.pictures.fetched,
                failed: counts.pictures.failed,
                shown: counts.pictures.shown,
                waiting: counts.pictures.waiting,
            },
            cursor_before: run.cursor_before,
            cursor_after: run.cursor_after,
            whole: run.read_summary.as_ref().map(|summary| summary.whole),
            read: run.read_summary.as_ref().map(|summary| ReadView {
                mode: summary.mode.into(),
                reused: summary.reused,
                started_at: summary.started_at,
                doubt: summary.doubt.as_ref().map(ErrorView::from),
                changed: summary.changed,
                missed_by_delta: summary.missed_by_delta,
            }),
            cancel_requested: run.cancel_requested,
            expires_at: run.plan.expires_at.filter(|_| run.state == State::AwaitingApproval),
            approved_at: run.plan.approved_at,
            brakes: run.plan.readings.iter().filter(|reading| reading.tripped).map(|reading| RunBrakeView::of(reading, lang)).collect(),
            target: run.plan.told.clone(),
            error: run.error.as_ref().map(ErrorView::from),
        }
    }
}

/// Why: a stable code and a sentence in the caller's language.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Reason)]
pub struct ReasonView {
    /// Stable code.
    pub code: String,
    /// A sentence by `Accept-Language` (ru, uz, en, uk).
    pub text: String,
}

/// One field of a change.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FieldChange)]
pub struct FieldChangeView {
    /// The field in the target's words.
    pub field: String,
    /// What stood there; null = nothing or unknown.
    pub old: Option<Value>,
    /// What is to stand there.
    pub new: Value,
    /// Stable code of the rule that decided.
    pub rule: String,
    /// The rule as a sentence, with the values it used.
    pub rule_text: String,
}

/// One item of a run's report.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Item)]
pub struct ItemView {
    /// The source's id.
    pub key: String,
    /// A name for people.
    pub name: String,
    /// The target's id, if it has one.
    pub target: Option<String>,
    /// How it ended, or is meant to.
    pub outcome: OutcomeView,
    /// Why.
    pub reason: ReasonView,
    /// Fields with old and new value.
    pub changes: Vec<FieldChangeView>,
}

impl FieldChangeView {
    /// A change in a language.
    pub fn of(change: FieldChange, lang: Lang) -> Self {
        Self {
            rule_text: reason_text(lang, &change.rule.code, &change.rule.params),
            rule: change.rule.code,
            field: change.field,
            old: change.old,
            new: change.new,
        }
    }
}

impl ItemView {
    /// An item in a language.
    pub fn of(row: ItemRow, lang: Lang) -> Self {
        let text = |reason: &Reason| reason_text(lang, &reason.code, &reason.params);
        Self {
            key: row.body.source,
            name: row.body.name,
            target: row.body.target,
            outcome: row.outcome.into(),
            reason: ReasonView { text: text(&row.body.reason), code: row.body.reason.code },
            changes: row.body.fields.into_iter().map(|change| FieldChangeView::of(change, lang)).collect(),
        }
    }
}

/// What to synchronise.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SyncBody {
    /// Id of the connection.
    connection: String,
    /// Key of the stream.
    stream: String,
    /// How much is asked of the source; incremental if absent.
    #[serde(default)]
    mode: Option<ModeView>,
    /// Only show what would be done.
    #[serde(default)]
    #[schema(default = false)]
    dry_run: Option<bool>,
    /// Only these source keys; all if absent.
    #[serde(default)]
    #[schema(min_items = 1, max_items = 1000)]
    items: Option<Vec<String>>,
}

impl Body for SyncBody {
    const REQUIRED: &'static [&'static str] = &["connection", "stream"];
}

impl From<SyncBody> for SyncRequest {
    fn from(body: SyncBody) -> Self {
        Self {
            connection: body.connection,
            stream: body.stream,
            mode: body.mode.map_or(Mode::Incremental, Mode::from),
            dry_run: body.dry_run.unwrap_or(false),
            items: body.items,
        }
    }
}
