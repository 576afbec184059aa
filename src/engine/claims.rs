//! Names of dictionary rows in targets (a manufacturer, an attribute), claimed before they are made.
//!
//! A target's own tables do not keep two of us from making the same brand at the same moment: OpenCart's have no unique key on
//! names. So a name is claimed here first, under one unique key of (target, kind, name) for all connections and processes.

use std::collections::HashMap;

use async_trait::async_trait;

use crate::fault::Fault;

/// How a claim stood when it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nobody had claimed the name: it is ours to make.
    Fresh,
    /// Somebody claimed it and has not told what came of it: the making may have been cut short.
    Open,
    /// It was made as this item of the target.
    Settled(String),
}

/// Claims of names. Keys are compared by their bytes; at most 191 characters.
#[async_trait]
pub trait Claims: Send + Sync {
    /// Claims these names of `kind` in `target` (the first half of a link space) and tells how each stood before.
    async fn claim(&self, target: &str, kind: &str, keys: &[String]) -> Result<HashMap<String, Claim>, Fault>;
    /// Notes which items (key, id) the names became. A name that had become another item is led to this one: the former is gone.
    async fn settle(&self, target: &str, kind: &str, made: &[(String, String)]) -> Result<(), Fault>;
}
