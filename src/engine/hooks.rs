//! Hooks: what a remote tells us of its own accord, such as OneBox's automatic action.
//!
//! A hook is stored before it is answered, and nothing else is done in its request. The stream that the flow names for hooks
//! ([`Flow::hook_stream`](super::flow::Flow::hook_stream)) takes them up: [`drain`] starts it at once, its schedule each minute. The stream's
//! rules are given the open hooks of each item, in the order in which they came ([`Facts::hooks`](super::flow::Facts)), and decide about all of
//! them together, so that hooks of one order are merged and never overtake each other.
//!
//! A hook stays open until a decision says that it is dealt with ([`DEALT_WITH`]): carried out, found done, or never to be done. What is held
//! or failed stays open and is decided about anew by every run. What a hook says is a hint: the rules check it against what is known.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::{
    model::{Change, FieldChange, Mode, NewRun, Reason, Trigger},
    ports::Runs,
    queue::watch::Bell,
};
use crate::{
    domain::clock,
    fault::{Code, Fault},
};

/// Longest body of a hook.
pub const MOST_BYTES: usize = 64 * 1024;
/// Most open hooks of one connection. Too low: a morning's hooks are refused while a shop is down; too high: a loop in the remote fills our disk.
pub const MOST_OPEN: u32 = 20_000;
/// The field of a decision that names the hooks it deals with: ids, comma-separated. It stands in no target.
pub const DEALT_WITH: &str = "hooks";
/// How long a hook is kept open when no run can deal with it.
pub const LONGEST_OPEN: Duration = Duration::from_secs(30 * 86_400);

/// A hook as it came: its fields by name, wherever in the request they stood.
pub type Given = Map<String, Value>;

/// What a flow makes of a hook, before it is stored.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The item that it is about, if it names one.
    pub item: Option<String>,
    /// The target item that it is about, if it names one.
    pub target: Option<String>,
    /// What it asks for, in the flow's own form.
    pub ask: Value,
    /// It is stored, but a person must look at it; its sender is told so.
    pub refused: Option<Fault>,
}

/// A hook that is to be stored.
#[derive(Clone, Debug)]
pub struct NewHook {
    /// Its connection.
    pub connection: String,
    /// The stream that takes it up.
    pub stream: String,
    /// What the flow made of it.
    pub heard: Heard,
}

/// A stored hook that is open.
#[derive(Clone, Debug, PartialEq)]
pub struct Hook {
    /// Its number: later hooks have higher ones.
    pub id: u64,
    /// The item that it is about, once that is known.
    pub item: Option<String>,
    /// The target item that it named.
    pub target: Option<String>,
    /// What it asks for.
    pub ask: Value,
    /// When it came.
    pub received_at: DateTime<Utc>,
}

/// A stored hook with what became of it.
#[derive(Clone, Debug)]
pub struct PastHook {
    /// The hook.
    pub hook: Hook,
    /// When it was dealt with.
    pub settled_at: Option<DateTime<Utc>>,
    /// How: a stable word.
    pub outcome: Option<String>,
    /// The run that dealt with it.
    pub run: Option<String>,
}

/// How a hook ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A decision dealt with it.
    DealtWith,
    /// It is about nothing of ours.
    Foreign,
    /// No run could deal with it in time.
    Expired,
}

impl End {
    /// Its stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::DealtWith => "dealt_with",
            Self::Foreign => "foreign",
            Self::Expired => "expired",
        }
    }
}

/// A stream with hooks that no run has looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueStream {
    /// Its flow.
    pub flow: String,
    /// Its connection.
    pub connection: String,
    /// The stream.
    pub stream: String,
    /// Owner of the connection.
    pub owner: Option<String>,
}

/// Stored hooks.
#[async_trait]
pub trait Hooks: Send + Sync {
    /// Stores one, durably; its number. `hook-queue-full` when as many are open as may be.
    async fn receive(&self, hook: NewHook) -> Result<u64, Fault>;
    /// Streams with hooks that no run has looked at, and no live run.
    async fn due(&self) -> Result<Vec<DueStream>, Fault>;
    /// Gives hooks that name a target their item, by the links of the space.
    async fn place_by_links(&self, connection: &str, stream: &str, space: &str) -> Result<(), Fault>;
    /// Open hooks whose item is not known, oldest first; none of them is news from now on.
    async fn unplaced(&self, connection: &str, stream: &str, limit: u32) -> Result<Vec<Hook>, Fault>;
    /// Gives hooks their items.
    async fn place(&self, connection: &str, items: Vec<(u64, String)>) -> Result<(), Fault>;
    /// Items of open hooks that were never read.
    async fn unrecorded(&self, connection: &str, stream: &str, limit: u32) -> Result<Vec<String>, Fault>;
    /// Open hooks whose item is known, oldest first; none of them is news from now on.
    async fn take(&self, connection: &str, stream: &str) -> Result<Vec<Hook>, Fault>;
    /// The same without taking them.
    async fn open(&self, connection: &str, stream: &str) -> Result<Vec<Hook>, Fault>;
    /// Ends hooks.
    async fn settle(&self, connection: &str, hooks: &[u64], run: Option<&str>, end: End) -> Result<(), Fault>;
    /// The last hooks of an item, newest first.
    async fn of_item(&self, connection: &str, item: &str, limit: u32) -> Result<Vec<PastHook>, Fault>;
}

/// Hooks by item, in the order in which they came.
pub fn by_item(hooks: Vec<Hook>) -> HashMap<String, Vec<Hook>> {
    let mut items: HashMap<String, Vec<Hook>> = HashMap::new();
    for hook in hooks {
        if let Some(item) = hook.item.clone() {
            items.entry(item).or_default().push(hook);
        }
    }
    items
}

/// The field that says which hooks a decision deals with.
pub fn dealt_with(hooks: &[u64]) -> FieldChange {
    let ids = hooks.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
    FieldChange { field: DEALT_WITH.to_owned(), old: None, new: Value::String(ids), rule: Reason::new("hooks_dealt_with") }
}

/// The hooks that these fields deal with.
pub fn named(fields: &[FieldChange]) -> Vec<u64> {
    let text = fields.iter().find(|field| field.field == DEALT_WITH).and_then(|field| field.new.as_str());
    text.into_iter().flat_map(|ids| ids.split(',')).filter_map(|id| id.parse().ok()).collect()
}

/// The hooks that a change deals with.
pub fn of_change(change: &Change) -> Vec<u64> {
    named(&change.body.fields)
}

/// Waiting hooks are looked for when the bell rings ([`super::queue::watch`]) and, whatever becomes of that, so often.
const EVERY: Duration = Duration::from_secs(30);
/// No factor of a test makes it shorter.
const SHORTEST: Duration = Duration::from_millis(500);
/// After a wake-up so long is waited for further hooks: an action that fires three hooks costs one run.
const GATHER: Duration = Duration::from_millis(40);

/// Starts runs for hooks as they come, until `stop`.
pub async fn drain(hooks: Arc<dyn Hooks>, runs: Arc<dyn Runs>, bell: Arc<Bell>, stop: CancellationToken) {
    let pause = clock::scaled(EVERY).max(SHORTEST);
    while !stop.is_cancelled() {
        match hooks.due().await {
            Ok(due) => {
                for stream in due {
                    start(&*runs, stream).await;
                }
            }
            Err(fault) => tracing::warn!(error = %fault, "waiting hooks could not be looked for; it is tried again"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = bell.hooks.notified() => tokio::time::sleep(GATHER).await,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn start(runs: &dyn Runs, due: DueStream) {
    let run = NewRun {
        flow: due.flow,
        connection: due.connection,
        stream: due.stream,
        owner: due.owner,
        trigger: Trigger::Webhook,
        mode: Mode::Incremental,
        dry_run: false,
        items: None,
        undo_of: None,
    };
    let (connection, stream) = (run.connection.clone(), run.stream.clone());
    match runs.enqueue(run, None, Box::new(|_| super::ports::StoredAnswer { status: 202, location: None, body: String::new() })).await {
        Ok(_) => {}
        // Somebody else started one in between, or the connection was disabled.
        Err(fault) if matches!(fault.code, Code::StreamBusy | Code::ValidationFailed) => {}
        Err(fault) => {
            tracing::warn!(connection.id = %connection, stream, error = %fault, "a run for hooks could not be started; it is tried again")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_names_the_hooks_it_deals_with() {
        assert_eq!(named(&[dealt_with(&[3, 12])]), [3, 12]);
        assert!(named(&[]).is_empty() && named(&[dealt_with(&[])]).is_empty());
    }

    #[test]
    fn hooks_of_an_item_keep_their_order() {
        let hook = |id, item: Option<&str>| Hook {
            id,
            item: item.map(str::to_owned),
            target: None,
            ask: Value::Null,
            received_at: DateTime::UNIX_EPOCH,
        };
        let items = by_item(vec![hook(1, Some("a")), hook(2, Some("b")), hook(3, None), hook(4, Some("a"))]);
        let ids = |item: &str| items.get(item).map(|hooks| hooks.iter().map(|hook| hook.id).collect::<Vec<_>>());
        assert_eq!((ids("a"), ids("b"), items.len()), (Some(vec![1, 4]), Some(vec![2]), 2));
    }
}
