//! Items of the retry list.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::run::ReasonView;
use crate::{
    domain::text::{Lang, reason_text},
    engine::retry_list::RetryItem,
    fault::Kind,
};

/// Kind of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FailureClass)]
pub enum ClassView {
    /// A remote or database did not answer.
    Unavailable,
    /// A remote asked us to slow down.
    RateLimited,
    /// Credentials were refused.
    Auth,
    /// The item cannot be used as it is, or the target changed under it.
    BadItem,
    /// The settings do not allow it.
    Config,
    /// An answer that we cannot read.
    Protocol,
    /// A mistake of ours.
    Internal,
}

impl From<Kind> for ClassView {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Unavailable => Self::Unavailable,
            Kind::RateLimited => Self::RateLimited,
            Kind::Auth => Self::Auth,
            Kind::BadItem | Kind::Request => Self::BadItem,
            Kind::Config => Self::Config,
            Kind::Protocol => Self::Protocol,
            Kind::LeaseLost | Kind::Cancelled | Kind::Internal => Self::Internal,
        }
    }
}

impl From<ClassView> for Kind {
    fn from(class: ClassView) -> Self {
        match class {
            ClassView::Unavailable => Self::Unavailable,
            ClassView::RateLimited => Self::RateLimited,
            ClassView::Auth => Self::Auth,
            ClassView::BadItem => Self::BadItem,
            ClassView::Config => Self::Config,
            ClassView::Protocol => Self::Protocol,
            ClassView::Internal => Self::Internal,
        }
    }
}

/// Which part of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryStateView {
    /// Come back by themselves.
    Waiting,
    /// Come back only when the source changes them.
    Dismissed,
}

/// A failed item.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RetryItem)]
pub struct RetryItemView {
    /// Its id in the list.
    pub id: String,
    /// Its flow.
    pub flow: String,
    /// Its connection.
    pub connection: String,
    /// Its stream.
    pub stream: String,
    /// Owner of the connection.
    pub owner: Option<String>,
    /// The source's id.
    pub key: String,
    /// A name for people.
    pub name: String,
    /// Why it failed last.
    pub reason: ReasonView,
    /// Kind of that failure.
    pub class: ClassView,
    /// How often it failed.
    pub attempts: u32,
    /// When it failed first.
    #[serde(serialize_with = "super::time")]
    pub first_at: DateTime<Utc>,
    /// When it failed last.
    #[serde(serialize_with = "super::time")]
    pub last_at: DateTime<Utc>,
    /// Scheduled runs leave it in peace till then, unless the source changes it; null when dismissed.
    #[serde(serialize_with = "super::maybe_time")]
    pub next_at: Option<DateTime<Utc>>,
    /// The run in which it failed last.
    pub run: String,
    /// When a person dismissed it.
    #[serde(serialize_with = "super::maybe_time")]
    pub dismissed_at: Option<DateTime<Utc>>,
}

impl RetryItemView {
    /// An item in a language.
    pub fn of(item: RetryItem, lang: Lang) -> Self {
        Self {
            reason: ReasonView { text: reason_text(lang, &item.reason.code, &item.reason.params), code: item.reason.code },
            id: item.id,
            flow: item.flow,
            connection: item.connection,
            stream: item.stream,
            owner: item.owner,
            key: item.source,
            name: item.name,
            class: item.class.into(),
            attempts: item.attempts,
            first_at: item.first_at,
            last_at: item.last_at,
            next_at: item.dismissed_at.is_none().then_some(item.next_at),
            run: item.run,
            dismissed_at: item.dismissed_at,
        }
    }
}
