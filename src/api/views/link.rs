//! Links and questions about links.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    api::json::Body,
    engine::model::{Candidate, Link, LinkState},
};

/// Whether a link stands or is a question.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = LinkState)]
pub enum LinkStateView {
    /// The durable identity.
    Linked,
    /// One match that a person has to confirm.
    Proposed,
    /// Several matches; a person has to choose.
    Ambiguous,
}

/// A link between a source item and a target item, or a question about one.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Link)]
pub struct LinkView {
    /// The source's id.
    pub source: String,
    /// A name for people.
    pub name: String,
    /// Whether it stands or is a question.
    pub state: LinkStateView,
    /// The target's id, when linked or proposed.
    pub target: Option<String>,
    /// Possible targets of a question.
    pub candidates: Vec<CandidateView>,
    /// How it came about: `created`, `auto`, `confirmed`, `set`, `proposed`.
    pub origin: String,
    /// The run that last wrote the target.
    pub run: Option<String>,
    /// When it last changed.
    #[serde(serialize_with = "super::time")]
    pub updated_at: DateTime<Utc>,
}

/// A possible target.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Candidate)]
pub struct CandidateView {
    /// The target's id.
    pub target: String,
    /// Its name in the target.
    pub name: String,
    /// Which keys matched.
    pub matched: Vec<String>,
}

impl From<&Candidate> for CandidateView {
    fn from(candidate: &Candidate) -> Self {
        Self { target: candidate.target.clone(), name: candidate.name.clone(), matched: candidate.matched.clone() }
    }
}

impl From<LinkState> for LinkStateView {
    fn from(state: LinkState) -> Self {
        match state {
            LinkState::Linked => Self::Linked,
            LinkState::Proposed => Self::Proposed,
            LinkState::Ambiguous => Self::Ambiguous,
        }
    }
}

impl From<&Link> for LinkView {
    fn from(link: &Link) -> Self {
        Self {
            source: link.source.clone(),
            name: link.name.clone(),
            state: link.state.into(),
            target: link.target.clone(),
            candidates: link.candidates.iter().map(CandidateView::from).collect(),
            origin: link.origin.clone(),
            run: link.run.clone(),
            updated_at: link.updated_at,
        }
    }
}

/// The target of a link.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkBody {
    /// The target's id.
    pub target: String,
}

impl Body for LinkBody {
    const REQUIRED: &'static [&'static str] = &["target"];
}

/// The answer to a question.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmBody {
    /// The chosen target; may be left out when only one was proposed.
    #[serde(default)]
    pub target: Option<String>,
}

impl Body for ConfirmBody {
    const REQUIRED: &'static [&'static str] = &[];
    const OPTIONAL: bool = true;
}
