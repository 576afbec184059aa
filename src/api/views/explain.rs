//! Why an item is as it is.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    link::{CandidateView, LinkStateView},
    retry_item::RetryItemView,
    run::{ErrorView, FieldChangeView, OutcomeView, ReasonView, TriggerView},
};
use crate::{
    domain::text::{Lang, reason_text},
    engine::{
        explain::{Author, Explanation, FieldStory, Standing, StreamDecision},
        hooks::PastHook,
        model::{ChangeState, FieldChange, Link, Reason},
        ports::{LastSeen, PastChange},
    },
};

/// Changes that are shown, of those that were looked through.
const CHANGES: usize = 20;

/// What stands in the target.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TargetState)]
pub enum TargetStateView {
    /// Nothing is linked.
    NotLinked,
    /// It was looked at just now.
    Seen,
    /// It is not there any more.
    Deleted,
    /// Another item has its id now.
    Replaced,
    /// It belongs to somebody else.
    Foreign,
    /// The target did not answer; see `error`.
    Unreachable,
}

/// Who wrote a field last.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Author)]
pub enum AuthorView {
    /// We did, in `run`: what we wrote stands there.
    Us,
    /// Somebody else, since we wrote it in `run`.
    SomebodyElse,
    /// Somebody else: we never wrote it, as far as is still known.
    NeverUs,
    /// Cannot be told: it could not be looked at.
    Unknown,
}

/// Where a change stands.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ChangeState)]
pub enum ChangeStateView {
    /// Decided, not begun.
    Planned,
    /// Waits for a person.
    Held,
    /// Begun; the effect may or may not have happened.
    Applying,
    /// Done.
    Applied,
    /// Left alone.
    Skipped,
    /// Could not be done.
    Failed,
}

/// The item as last seen in the source.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SourceState)]
pub struct SourceView {
    /// A name for people.
    pub name: String,
    /// Its state in the flow's own form.
    pub values: Value,
    /// When it was last seen, by the source's clock.
    #[serde(serialize_with = "super::time")]
    pub seen_at: DateTime<Utc>,
    /// The run that saw it.
    pub run: Option<String>,
    /// When the source says it changed.
    #[serde(serialize_with = "super::maybe_time")]
    pub changed_at: Option<DateTime<Utc>>,
    /// Since when a whole read has not shown it.
    #[serde(serialize_with = "super::maybe_time")]
    pub gone_at: Option<DateTime<Utc>>,
}

/// A hook that was about the item.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PastHook)]
pub struct HookView {
    /// Its number.
    pub id: String,
    /// When it came.
    #[serde(serialize_with = "super::time")]
    pub received_at: DateTime<Utc>,
    /// What it asked for, in the flow's own form.
    pub asked: Value,
    /// When it was dealt with; null = it is open.
    #[serde(serialize_with = "super::maybe_time")]
    pub settled_at: Option<DateTime<Utc>>,
    /// How: `dealt_with`, `foreign`, `expired`.
    pub outcome: Option<String>,
    /// The run that dealt with it.
    pub run: Option<String>,
}

impl From<PastHook> for HookView {
    fn from(past: PastHook) -> Self {
        let PastHook { hook, settled_at, outcome, run } = past;
        Self { id: hook.id.to_string(), received_at: hook.received_at, asked: hook.ask, settled_at, outcome, run }
    }
}

/// Its link, or the question about it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LinkStory)]
pub struct LinkStoryView {
    /// Whether it stands or is a question.
    pub state: LinkStateView,
    /// The target's id.
    pub target: Option<String>,
    /// Possible targets of a question.
    pub candidates: Vec<CandidateView>,
    /// How it came about: `created`, `recreated`, `auto`, `confirmed`, `set`, `proposed`.
    pub origin: String,
    /// Since when it has this target.
    #[serde(serialize_with = "super::maybe_time")]
    pub linked_at: Option<DateTime<Utc>>,
    /// The run that linked or created it; null if a person did, or if that is no longer known.
    pub linked_by: Option<String>,
    /// The run that last wrote through it.
    pub written_by: Option<String>,
}

/// One field of the target item.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FieldStory)]
pub struct FieldStoryView {
    /// The field in the target's words.
    pub field: String,
    /// What stands there now.
    pub now: Option<Value>,
    /// What we last wrote.
    pub written: Option<Value>,
    /// Who wrote it last.
    pub author: AuthorView,
    /// The run in which we last wrote it.
    pub run: Option<String>,
    /// When that run began.
    #[serde(serialize_with = "super::maybe_time")]
    pub at: Option<DateTime<Utc>>,
    /// The rule by which we wrote it.
    pub rule: Option<ReasonView>,
    /// The undo whose value is left alone until the source moves.
    pub undone_by: Option<String>,
}

/// The target item.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TargetStory)]
pub struct TargetView {
    /// What stands there.
    pub state: TargetStateView,
    /// Every value that was looked at, by name.
    pub values: BTreeMap<String, Value>,
    /// Who wrote each field last.
    pub fields: Vec<FieldStoryView>,
    /// Why it could not be looked at.
    pub error: Option<ErrorView>,
}

/// What a stream would do with the item now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StreamDecision)]
pub struct StreamDecisionView {
    /// Key of the stream.
    pub stream: String,
    /// Its name.
    pub name: String,
    /// Whether it starts runs.
    pub enabled: bool,
    /// How the item would end; null if it cannot be decided.
    pub outcome: Option<OutcomeView>,
    /// Why.
    pub reason: Option<ReasonView>,
    /// What would be written.
    pub changes: Vec<FieldChangeView>,
    /// The settings that this rests on.
    pub settings: BTreeMap<String, Value>,
    /// Why it cannot be decided.
    pub error: Option<ErrorView>,
}

/// A past change of the item.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PastChange)]
pub struct PastChangeView {
    /// Its run.
    pub run: String,
    /// The run's stream.
    pub stream: String,
    /// What started the run.
    pub trigger: TriggerView,
    /// When the run began.
    #[serde(serialize_with = "super::time")]
    pub at: DateTime<Utc>,
    /// Where the change stands.
    pub state: ChangeStateView,
    /// How it ended, or is meant to.
    pub outcome: OutcomeView,
    /// Why.
    pub reason: ReasonView,
    /// Fields with old and new value.
    pub changes: Vec<FieldChangeView>,
}

/// Everything that is known about one item.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Explanation)]
pub struct ExplanationView {
    /// Its connection.
    pub connection: String,
    /// The source's id.
    pub item: String,
    /// The answer in sentences.
    pub answer: Vec<ReasonView>,
    /// As last seen in the source; null if it was never read.
    pub source: Option<SourceView>,
    /// Its link.
    pub link: Option<LinkStoryView>,
    /// The target item.
    pub target: TargetView,
    /// What each stream would do now; nothing when the source does not show it.
    pub decisions: Vec<StreamDecisionView>,
    /// Its places in the retry list.
    pub waiting: Vec<RetryItemView>,
    /// What remotes have told us about it by hooks, newest first.
    pub hooks: Vec<HookView>,
    /// Its last changes, newest first.
    pub changes: Vec<PastChangeView>,
}

fn reason(reason: &Reason, lang: Lang) -> ReasonView {
    ReasonView { text: reason_text(lang, &reason.code, &reason.params), code: reason.code.clone() }
}

fn change(change: &FieldChange, lang: Lang) -> FieldChangeView {
    FieldChangeView {
        rule_text: reason_text(lang, &change.rule.code, &change.rule.params),
        rule: change.rule.code.clone(),
        field: change.field.clone(),
        old: change.old.clone(),
        new: change.new.clone(),
    }
}

fn source(seen: LastSeen) -> SourceView {
    let record = seen.stored.record;
    SourceView {
        name: record.name,
        values: serde_json::from_str(&record.payload).unwrap_or(Value::String(record.payload)),
        seen_at: seen.stored.seen_at,
        run: seen.run,
        changed_at: record.source_changed_at,
        gone_at: seen.gone_at,
    }
}

fn link(link: Link, made_by: Option<String>) -> LinkStoryView {
    LinkStoryView {
        state: link.state.into(),
        target: link.target,
        candidates: link.candidates.iter().map(CandidateView::from).collect(),
        origin: link.origin,
        linked_at: link.linked_at,
        linked_by: made_by,
        written_by: link.run,
    }
}

fn story(story: FieldStory, lang: Lang) -> FieldStoryView {
    FieldStoryView {
        field: story.field,
        now: story.now,
        written: story.written,
        author: match story.author {
            Author::Us => AuthorView::Us,
            Author::SomebodyElse => AuthorView::SomebodyElse,
            Author::NeverUs => AuthorView::NeverUs,
            Author::Unknown => AuthorView::Unknown,
        },
        run: story.run,
        at: story.at,
        rule: story.rule.map(|rule| reason(&rule, lang)),
        undone_by: story.undone.map(|mark| mark.run),
    }
}

fn decision(of: StreamDecision, lang: Lang) -> StreamDecisionView {
    let (decided, error) = match of.decision {
        Ok(decided) => (Some(decided), None),
        Err(fault) => (None, Some(ErrorView::from(&fault))),
    };
    StreamDecisionView {
        stream: of.stream,
        name: of.name,
        enabled: of.enabled,
        outcome: decided.as_ref().map(|decided| decided.outcome.into()),
        reason: decided.as_ref().map(|decided| reason(&decided.reason, lang)),
        changes: decided.iter().flat_map(|decided| &decided.fields).map(|field| change(field, lang)).collect(),
        settings: of.settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        error,
    }
}

fn past(past: PastChange, lang: Lang) -> PastChangeView {
    let body = past.change.body;
    PastChangeView {
        run: past.change.run,
        stream: past.stream,
        trigger: past.trigger.into(),
        at: past.at,
        state: match past.change.state {
            ChangeState::Planned => ChangeStateView::Planned,
            ChangeState::Held => ChangeStateView::Held,
            ChangeState::Applying => ChangeStateView::Applying,
            ChangeState::Applied => ChangeStateView::Applied,
            ChangeState::Skipped => ChangeStateView::Skipped,
            ChangeState::Failed => ChangeStateView::Failed,
        },
        outcome: body.outcome.into(),
        reason: reason(&body.reason, lang),
        changes: body.fields.iter().map(|field| change(field, lang)).collect(),
    }
}

impl ExplanationView {
    /// In a language.
    pub fn of(explanation: Explanation, lang: Lang) -> Self {
        let answer = explanation.answer().iter().map(|row| reason(row, lang)).collect();
        Self {
            answer,
            source: explanation.source.map(source),
            link: explanation.link.map(|found| link(found, explanation.made.map(|made| made.run))),
            target: TargetView {
                state: match explanation.standing {
                    Standing::NotLinked => TargetStateView::NotLinked,
                    Standing::Seen => TargetStateView::Seen,
                    Standing::Deleted => TargetStateView::Deleted,
                    Standing::Replaced => TargetStateView::Replaced,
                    Standing::Foreign => TargetStateView::Foreign,
                    Standing::Unreachable => TargetStateView::Unreachable,
                },
                values: explanation.values.map(|seen| seen.values).unwrap_or_default(),
                fields: explanation.fields.into_iter().map(|field| story(field, lang)).collect(),
                error: explanation.unreachable.as_ref().map(ErrorView::from),
            },
            decisions: explanation.decisions.into_iter().map(|of| decision(of, lang)).collect(),
            waiting: explanation.waiting.into_iter().map(|row| RetryItemView::of(row, lang)).collect(),
            hooks: explanation.hooks.into_iter().map(HookView::from).collect(),
            changes: explanation.changes.into_iter().take(CHANGES).map(|row| past(row, lang)).collect(),
            connection: explanation.connection,
            item: explanation.item,
        }
    }
}
