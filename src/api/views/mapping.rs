//! Category mappings, and what waits for one.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    api::json::Body,
    engine::{
        mapping::{Mapping, proposals::Proposal},
        service::mappings::{MappedGroup, MappedGroups, UnmappedGroup},
    },
};

/// All categories that go somewhere.
#[derive(Debug, Serialize, ToSchema)]
pub struct CategoryMappings {
    /// By path.
    pub items: Vec<CategoryMapping>,
    /// Always null: they come at once, so that they can be replaced at once.
    pub next_cursor: Option<String>,
}

/// Where a category goes.
#[derive(Debug, Serialize, ToSchema)]
pub struct CategoryMapping {
    /// The category's id in the source, or its path where the source has no ids; empty = goods without a category.
    pub source: String,
    /// Its path for people.
    pub source_name: String,
    /// Id of the category in the shop.
    pub target: String,
    /// Its path there, in the language of the shop's administration; null when it stands there no more, or the shop does not answer.
    pub target_name: Option<String>,
    /// Whether it has no mapping of its own and follows a category above it.
    pub inherited: bool,
}

impl From<&MappedGroup> for CategoryMapping {
    fn from(group: &MappedGroup) -> Self {
        Self {
            source: group.source.clone(),
            source_name: group.source_name.clone(),
            target: group.target.clone(),
            target_name: group.target_name.clone(),
            inherited: group.inherited,
        }
    }
}

impl From<&MappedGroups> for CategoryMappings {
    fn from(groups: &MappedGroups) -> Self {
        Self { items: groups.rows.iter().map(CategoryMapping::from).collect(), next_cursor: None }
    }
}

/// Mappings that are to replace all others.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MappingsBody {
    /// All of them.
    items: Vec<MappingBody>,
    /// As GET answers it; not looked at.
    #[serde(default, rename = "next_cursor")]
    #[schema(value_type = Option<String>)]
    _next_cursor: Option<String>,
}

/// A mapping.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MappingBody {
    /// The category's id in the source, or its path where the source has no ids; empty = goods without a category.
    #[schema(max_length = 191)]
    source: String,
    /// What to call it while the source does not list it.
    #[serde(default)]
    source_name: Option<String>,
    /// Id of a category in the shop.
    target: String,
    /// As GET answers it; not looked at.
    #[serde(default, rename = "target_name")]
    #[schema(value_type = Option<String>)]
    _target_name: Option<String>,
    /// Rows with `true` are passed over: they follow from the others.
    #[serde(default)]
    inherited: bool,
}

impl Body for MappingsBody {
    const REQUIRED: &'static [&'static str] = &["items"];
}

impl MappingsBody {
    /// The mappings, each with its place in the body.
    pub fn rows(self) -> Vec<(usize, Mapping)> {
        let own = self.items.into_iter().enumerate().filter(|(_, row)| !row.inherited);
        own.map(|(place, row)| {
            let mapping = Mapping { source: row.source, source_name: row.source_name.unwrap_or_default(), target: row.target };
            (place, mapping)
        })
        .collect()
    }
}

/// A category that goes nowhere.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnmappedCategory {
    /// The category's id in the source, or its path where the source has no ids; empty = goods without a category.
    pub source: String,
    /// Its path for people.
    pub source_name: String,
    /// How many goods wait for it since the last run.
    pub count: u64,
    /// Categories of the shop whose names look alike, the best first. Nothing is mapped by likeness alone.
    pub proposals: Vec<CategoryProposal>,
}

/// A category of the shop that looks like the one in question.
#[derive(Debug, Serialize, ToSchema)]
pub struct CategoryProposal {
    /// Its id in the shop.
    pub target: String,
    /// Its path there, in the language of the shop's administration.
    pub name: String,
    /// 0 to 1; 1 = the same names all the way up.
    #[schema(minimum = 0, maximum = 1)]
    pub score: f64,
}

impl From<Proposal> for CategoryProposal {
    fn from(proposal: Proposal) -> Self {
        Self { target: proposal.target, name: proposal.name, score: proposal.score }
    }
}

impl From<UnmappedGroup> for UnmappedCategory {
    fn from(group: UnmappedGroup) -> Self {
        Self {
            source: group.source,
            source_name: group.source_name,
            count: group.count,
            proposals: group.proposals.into_iter().map(CategoryProposal::from).collect(),
        }
    }
}
