//! Items that stand run after run.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::run::{FieldChangeView, OutcomeView, ReasonView};
use crate::{
    domain::text::{Lang, reason_text},
    engine::standing::StandingItem,
};

/// An item that stands: left alone, or held for an answer, by run after run.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StandingItem)]
pub struct StandingView {
    /// The source's id.
    pub key: String,
    /// A name for people.
    pub name: String,
    /// The target's id, if it has one.
    pub target: Option<String>,
    /// Skipped or held.
    pub outcome: OutcomeView,
    /// Why.
    pub reason: ReasonView,
    /// Fields that were shown with it.
    pub changes: Vec<FieldChangeView>,
    /// The run that said so first.
    pub run: String,
    /// Since when.
    #[serde(serialize_with = "super::time")]
    pub since: DateTime<Utc>,
}

impl StandingView {
    /// An item in a language.
    pub fn of(item: StandingItem, lang: Lang) -> Self {
        Self {
            key: item.source,
            name: item.name,
            target: item.target,
            outcome: item.outcome.into(),
            reason: ReasonView { text: reason_text(lang, &item.reason.code, &item.reason.params), code: item.reason.code },
            changes: item.fields.into_iter().map(|change| FieldChangeView::of(change, lang)).collect(),
            run: item.run,
            since: item.since,
        }
    }
}
