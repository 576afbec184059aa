//! Pictures: a second kind of work, beside values. A change says which pictures an item is to show, by their source addresses;
//! once it is applied, that is a durable [`Wish`]. After the batches of a run, wishes are fulfilled ([`super::run::pictures`]):
//! fetched, checked, stored, shown. What fails is tried again by later runs, further and further apart; prices never wait for it.

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::model::{Applied, Counts, NewChange, Reason};
use crate::fault::Fault;

/// The field of a change that holds the source addresses of pictures, the main one first.
pub const FIELD: &str = "images";

/// After the first failure, the second, and so on; then a picture is given up until its address changes or a person asks for its item.
///
/// Too short: a dead address is called for nothing; too long: a picture that was late to appear is missing for long.
pub const PAUSES: [Duration; 8] =
    [minutes(1), minutes(5), minutes(30), minutes(2 * 60), minutes(6 * 60), minutes(24 * 60), minutes(24 * 60), minutes(24 * 60)];

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

/// What a link remembers of a list that was written: enough to see that it differs, not the list.
pub fn remembered(list: &Value) -> Value {
    match list {
        Value::Array(_) => {
            let digest = Sha256::digest(list.to_string());
            Value::String(digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect())
        }
        other => other.clone(),
    }
}

/// The pictures that an item is to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The source's id.
    pub source: String,
    /// A name for people.
    pub name: String,
    /// The target's id.
    pub target: String,
    /// Tells it from a later target with the same id.
    pub witness: Option<String>,
    /// Source addresses, the main picture first.
    pub addresses: Vec<String>,
    /// What we have put, or were about to put, at the target: ours to move and to take away.
    pub ours: Vec<String>,
    /// Grows whenever the wish changes.
    pub version: u64,
}

/// A picture that was fetched and stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Hash of its content.
    pub hash: String,
    /// Where it is, in the target's words.
    pub path: String,
    /// `ETag` of its source.
    pub etag: Option<String>,
    /// `Last-Modified` of its source.
    pub last_modified: Option<String>,
}

/// What we know of a source address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The picture, if it was ever fetched.
    pub stored: Option<Stored>,
    /// Whether the source was asked long ago, so that it is worth asking whether it still is the same.
    pub old: bool,
    /// Why it failed last, if it did.
    pub failed: Option<Reason>,
    /// Whether it may be tried now; `false` while the pause after a failure lasts, or when it was given up.
    pub due: bool,
    /// How many failures it may still have before it is given up.
    pub tries_left: usize,
}

impl Known {
    /// An address that was never called.
    pub fn nothing() -> Self {
        Self { due: true, tries_left: PAUSES.len(), ..Self::default() }
    }
}

/// What became of fetching.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// It is stored.
    Stored(Stored),
    /// The source says that it is still the same.
    Unchanged,
    /// It could not be had or used.
    Failed(Reason),
}

/// What is to be shown at one target.
#[derive(Clone, Debug)]
pub struct Show {
    /// The target's id.
    pub target: String,
    /// Tells it from a later one with the same id.
    pub witness: Option<String>,
    /// Paths, the main picture first.
    pub paths: Vec<String>,
    /// What is ours to move and to take away.
    pub ours: Vec<String>,
}

/// What is about to be shown.
#[derive(Clone, Debug)]
pub struct Intent {
    /// The source's id.
    pub source: String,
    /// What will be ours at the target.
    pub ours: Vec<String>,
    /// All that stands there, whoever put it there, in the target's form.
    pub stands: Option<Value>,
}

/// How a wish ended in a run.
#[derive(Clone, Debug)]
pub struct Settled {
    /// The source's id.
    pub source: String,
    /// The wish as it was when it was looked at: a newer one is left alone.
    pub version: u64,
    /// What stands at the target of ours.
    pub ours: Vec<String>,
    /// All that stands there, if something was shown.
    pub stands: Option<Value>,
    /// What remains.
    pub rest: Rest,
}

/// What remains of a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Nothing: all is shown.
    Nothing,
    /// These addresses failed; it comes back when the first of them may be tried again.
    Failed(Vec<String>),
    /// There is no target any more.
    NoTarget,
}

/// Figures of a run's pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Addresses that were called.
    pub fetched: u64,
    /// Of these, the ones that failed: could not be had, or are no picture for a shop.
    pub failed: u64,
    /// Items whose pictures are now shown, in whole or in part.
    pub shown: u64,
    /// Items that still wait for pictures when the run ended.
    pub waiting: u64,
}

/// Wishes and fetched pictures, durable.
#[async_trait]
pub trait Pictures: Send + Sync {
    /// Wishes that may be worked on now, in order of their source ids. With `only`, those of these items, whatever they wait for.
    async fn due(&self, space: &str, only: Option<&[String]>, after: Option<&str>, limit: u32) -> Result<Vec<Wish>, Fault>;
    /// What is known of addresses; unknown ones are absent.
    async fn known(&self, place: &str, addresses: &[String]) -> Result<HashMap<String, Known>, Fault>;
    /// Remembers what became of fetching: a failure's next try comes after the next of [`PAUSES`].
    async fn remember(&self, place: &str, fetched: &[(String, Fetched)]) -> Result<(), Fault>;
    /// Before showing: notes what will be ours at the target and, with the change that wished for it, what stands there, so that it can
    /// be undone.
    async fn intend(&self, run: &str, fence: u64, space: &str, intents: &[Intent]) -> Result<(), Fault>;
    /// After showing: how wishes ended, lines for the run's report, and its figures (fetched, failed and shown are added, waiting is
    /// counted), in one transaction.
    #[expect(clippy::too_many_arguments, reason = "what one transaction writes; a type of its own would be made and taken apart once")]
    async fn settle(
        &self,
        run: &str,
        fence: u64,
        space: &str,
        place: &str,
        ends: &[Settled],
        report: Vec<NewChange>,
        tally: Tally,
    ) -> Result<Counts, Fault>;
}

/// The flow's side: where pictures come from and where they go.
#[async_trait]
pub trait Gallery: Send + Sync {
    /// Names the target's store of pictures: the same address is fetched once for it.
    fn place(&self) -> &str;
    /// Whether a stored picture is still there.
    async fn holds(&self, path: &str) -> bool;
    /// Fetches one, checks it, stores it; asks only whether it changed if `known` is there. The outer error ends the run.
    async fn fetch(&self, address: &str, known: Option<&Stored>, stop: &CancellationToken) -> Result<Fetched, Fault>;
    /// What stands at these targets, whoever put it there: by target, in the form of
    /// [`Rules::whole`](super::flow::Rules::whole). The caller holds the target.
    async fn standing(&self, targets: &[String]) -> Result<HashMap<String, Value>, Fault>;
    /// Shows pictures at their targets; one answer each, in the same order. Safe to repeat. The caller holds the target.
    async fn show(&self, shows: &[Show]) -> Result<Vec<Applied>, Fault>;
}
