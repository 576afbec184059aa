//! Where a queued run stands.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::run::ReasonView;
use crate::{
    domain::text::{Lang, reason_text},
    engine::queue::Standing,
};

/// A queued run's place.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Queue)]
pub struct QueueView {
    /// 1 = the next to be taken by a worker. Null while `not_before` lies ahead, or hundreds of runs are before it.
    pub position: Option<u32>,
    /// Since when it waits.
    #[serde(serialize_with = "super::time")]
    pub waiting_since: DateTime<Utc>,
    /// What it waits for: `queue_moment`, `queue_connection`, `queue_connection_full`, `queue_system_full` or `queue_place`.
    pub waits_for: ReasonView,
}

impl QueueView {
    /// A place in a language.
    pub fn of(standing: &Standing, lang: Lang) -> Self {
        let code = standing.waits_for.code();
        Self {
            position: standing.position,
            waiting_since: standing.since,
            waits_for: ReasonView { code: code.to_owned(), text: reason_text(lang, code, &Default::default()) },
        }
    }
}
