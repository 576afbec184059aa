//! Pages of ours that a person opens from inside another system, by a signed link instead of an API key.
//!
//! What stands on a page is the flow's business ([`Flow::page`](super::flow::Flow::page)); links are made and read in [`super::service::page_links`].

use std::collections::BTreeMap;

use serde_json::Value;

/// What a flow tells the page of one of its connections.
#[derive(Clone, Debug, PartialEq)]
pub struct PageFacts {
    /// All settings, defaults included.
    pub settings: Value,
    /// The mapping of fields among them.
    pub mapping: Value,
    /// Where the mapping stands: the name of that setting.
    pub mapping_name: &'static str,
    /// Origin of the system that may show the page inside its own, such as `https://box.example`.
    pub framed_by: Option<String>,
    /// What is to be pasted into the other system.
    pub recipes: Vec<Recipe>,
}

/// A call that the other system is to make, ready to be pasted there. Addresses begin with a slash: the page knows its own host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// Code of its title.
    pub title: &'static str,
    /// What the title's sentence takes.
    pub params: BTreeMap<String, String>,
    /// Address of a GET that says it all.
    pub get: String,
    /// Address of a POST.
    pub post: String,
    /// The body of that POST, a form.
    pub body: String,
}
