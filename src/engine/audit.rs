//! The audit: who did what, on whose behalf, with what stood before and after.
//!
//! The one who receives an act (a request of the API, a command line) says so with [`scope`]; whoever carries it out needs not pass
//! that on. The store finds it with [`here`] in the transaction that acts, and writes the entry there. So an act and its entry stand
//! or fall together, and a new act cannot forget its entry: what no transaction has written is written after the answer, by the
//! frame of the API.

use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{
    model::{Connection, Link, Run, Stream},
    ports::{ApiKey, Listing, PageRequest, Role},
    retry_list::RetryItem,
    schedule::Schedule,
};
use crate::fault::Fault;

/// Who acts, and how the act is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Id of the API key; `admin-key` for that of the configuration, `command-line` for the program's own commands.
    pub key: String,
    /// Its name for people.
    pub name: String,
    /// For whom.
    pub on_behalf_of: Option<String>,
    /// Stable name, such as `connections.change`.
    pub action: String,
    /// Path of what is acted on.
    pub resource: String,
    /// Id of the request, as in the log.
    pub request: Option<String>,
}

/// One act on its way.
#[derive(Debug)]
pub struct Act {
    /// Who acts.
    pub actor: Actor,
    recorded: AtomicBool,
}

impl Act {
    /// An act that begins.
    pub fn new(actor: Actor) -> Arc<Self> {
        Arc::new(Self { actor, recorded: AtomicBool::new(false) })
    }

    /// A command of the program itself.
    pub fn of_command_line(action: &str, resource: impl Into<String>) -> Arc<Self> {
        Self::new(Actor {
            key: "command-line".to_owned(),
            name: "command line".to_owned(),
            on_behalf_of: None,
            action: action.to_owned(),
            resource: resource.into(),
            request: None,
        })
    }

    /// Whether its entry is durable.
    pub fn is_recorded(&self) -> bool {
        self.recorded.load(Ordering::SeqCst)
    }
}

tokio::task_local! {
    static ACTING: Arc<Act>;
}

/// The act that a thread carries out, and whether its entry stands in the transaction that is open.
struct Carried {
    act: Arc<Act>,
    written: bool,
}

thread_local! {
    static HERE: RefCell<Option<Carried>> = const { RefCell::new(None) };
}

/// Does `work` as a part of this act.
pub async fn scope<T>(act: Arc<Act>, work: impl Future<Output = T>) -> T {
    ACTING.scope(act, work).await
}

/// The act that this task is a part of.
pub fn current() -> Option<Arc<Act>> {
    ACTING.try_with(Arc::clone).ok()
}

/// Carries an act over to the thread that talks to the database, for the time of `work`.
pub fn carried<T>(act: Option<Arc<Act>>, work: impl FnOnce() -> T) -> T {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            HERE.with_borrow_mut(|here| *here = None);
        }
    }
    HERE.with_borrow_mut(|here| *here = act.map(|act| Carried { act, written: false }));
    // Threads are used again, also after a panic.
    let _leave = Leave;
    work()
}

/// The act that this thread carries out and whose entry does not stand in the open transaction yet.
pub fn here() -> Option<Arc<Act>> {
    HERE.with_borrow(|here| here.as_ref().filter(|carried| !carried.written).map(|carried| carried.act.clone()))
}

/// A transaction begins, perhaps anew.
pub fn begun() {
    HERE.with_borrow_mut(|here| here.iter_mut().for_each(|carried| carried.written = false));
}

/// The entry stands in the open transaction.
pub fn written() {
    HERE.with_borrow_mut(|here| here.iter_mut().for_each(|carried| carried.written = true));
}

/// The open transaction is durable.
pub fn committed() {
    HERE.with_borrow(|here| {
        here.iter().filter(|carried| carried.written).for_each(|carried| carried.act.recorded.store(true, Ordering::SeqCst));
    });
}

/// Literal last parts of paths that say what is done, instead of what it is done to.
const VERBS: &[&str] = &[
    "approve",
    "cancel",
    "check",
    "confirm",
    "discover",
    "dismiss",
    "mapping-test",
    "reject",
    "retry",
    "retry-failed",
    "start",
    "stop",
    "test",
    "undo",
];

/// The stable name of an act by its route: `PATCH /connections/{id}` is `connections.change`, `POST /sync/runs/{id}/approve` is `runs.approve`.
pub fn action(method: &str, pattern: &str) -> String {
    let parts: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty()).collect();
    let is_name = |part: &&&str| !part.starts_with('{');
    let last = parts.last().copied().unwrap_or_default();
    let verb = VERBS.iter().find(|verb| **verb == last);
    let noun = parts.iter().filter(is_name).rfind(|part| verb.is_none() || **part != last).copied().unwrap_or_default();
    let done = match (verb, method) {
        (Some(verb), _) => verb,
        (None, "POST") if last.starts_with('{') => "start",
        (None, "POST") => "create",
        (None, "PUT") => "set",
        (None, "PATCH") => "change",
        (None, "DELETE") => "delete",
        (None, _) => "act",
    };
    format!("{noun}.{done}")
}

/// What differs between two states, seen from either side; what is the same is left out.
pub fn difference(before: Value, after: Value) -> (Value, Value) {
    match (before, after) {
        (Value::Object(before), Value::Object(mut after)) => {
            let (mut old, mut new) = (Map::new(), Map::new());
            for (name, was) in before {
                match after.remove(&name) {
                    Some(is) if is == was => {}
                    Some(is) => {
                        let (was, is) = difference(was, is);
                        old.insert(name.clone(), was);
                        new.insert(name, is);
                    }
                    None => drop(old.insert(name, was)),
                }
            }
            new.extend(after);
            (Value::Object(old), Value::Object(new))
        }
        other => other,
    }
}

/// A connection for the audit. A secret that `other` has with another value is `replaced`: that it changed is told, what it is never.
pub fn of_connection(connection: &Connection, other: Option<&Connection>) -> Value {
    let mask = |(name, sealed): (&String, &String)| {
        let replaced = other.and_then(|other| other.secrets.get(name)).is_some_and(|before| before != sealed);
        (name.clone(), json!(if replaced { "replaced" } else { "set" }))
    };
    let secrets: Map<String, Value> = connection.secrets.iter().map(mask).collect();
    json!({
        "id": connection.id, "flow": connection.flow, "name": connection.name, "owner": connection.owner, "enabled": connection.enabled,
        "settings": connection.settings, "secrets": secrets,
    })
}

/// A stream for the audit.
pub fn of_stream(stream: &Stream) -> Value {
    json!({"stream": stream.stream, "name": stream.name, "enabled": stream.enabled, "settings": stream.settings, "cursor": stream.cursor})
}

/// A link for the audit.
pub fn of_link(link: &Link) -> Value {
    json!({"source": link.source, "name": link.name, "state": link.state, "target": link.target, "origin": link.origin})
}

/// An item of the retry list for the audit.
pub fn of_retry_item(item: &RetryItem) -> Value {
    json!({
        "connection": item.connection, "source": item.source, "name": item.name, "stream": item.stream, "reason": item.reason.code, "attempts": item.attempts,
        "dismissed": item.dismissed_at.is_some(),
    })
}

/// A run for the audit, as far as a person's decision changes it.
pub fn of_run(run: &Run) -> Value {
    let error = run.error.as_ref().map(|error| json!(error.code));
    json!({
        "id": run.id, "connection": run.connection, "stream": run.stream, "trigger": run.trigger, "dry_run": run.dry_run, "state": run.state,
        "counts": run.counts, "cancel_requested": run.cancel_requested, "error": error,
    })
}

/// A schedule for the audit.
pub fn of_schedule(schedule: &Schedule) -> Value {
    json!({
        "id": schedule.id, "connection": schedule.connection, "stream": schedule.stream, "rule": schedule.rule, "mode": schedule.mode,
        "enabled": schedule.enabled,
    })
}

/// An API key for the audit.
pub fn of_key(key: &ApiKey) -> Value {
    let role = match key.role {
        Role::Reader => "reader",
        Role::Operator => "operator",
        Role::Admin => "admin",
    };
    json!({"id": key.id, "name": key.name, "role": role, "flows": key.flows, "owner": key.owner, "delegate": key.delegate})
}

/// One entry.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Our id.
    pub id: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub actor: Actor,
    /// Flow of the connection acted on.
    pub flow: Option<String>,
    /// The connection acted on.
    pub connection: Option<String>,
    /// Its owner then.
    pub owner: Option<String>,
    /// The run acted on, or started.
    pub run: Option<String>,
    /// What stood before, as far as it differs.
    pub before: Option<Value>,
    /// What stood after, as far as it differs.
    pub after: Option<Value>,
}

/// Which entries.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Only of connections of these flows.
    pub flows: Option<Vec<String>>,
    /// Only of connections of this owner.
    pub owner: Option<String>,
    /// Only this connection.
    pub connection: Option<String>,
    /// Only this run.
    pub run: Option<String>,
    /// Only by this key.
    pub key: Option<String>,
    /// Only this action.
    pub action: Option<String>,
}

/// The audit.
#[async_trait]
pub trait Audit: Send + Sync {
    /// Writes the entry of the current act, if none of its transactions has: `after` is what was answered.
    async fn record(&self, after: Option<Value>) -> Result<(), Fault>;
    /// Newest first.
    async fn list(&self, filter: AuditFilter, page: PageRequest) -> Result<Listing<Entry>, Fault>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_are_named_by_their_routes() {
        for (method, pattern, name) in [
            ("POST", "/connections", "connections.create"),
            ("PATCH", "/connections/{id}", "connections.change"),
            ("DELETE", "/connections/{id}", "connections.delete"),
            ("POST", "/connections/{id}/streams", "streams.create"),
            ("POST", "/connections/{id}/streams/discover", "streams.discover"),
            ("PUT", "/connections/{id}/links/{source}", "links.set"),
            ("POST", "/connections/{id}/links/{source}/confirm", "links.confirm"),
            ("PUT", "/connections/{id}/category-mappings", "category-mappings.set"),
            ("POST", "/sync/{flow}", "sync.start"),
            ("POST", "/sync/runs/{id}/retry-failed", "runs.retry-failed"),
            ("POST", "/sync/retry-list/{id}/retry", "retry-list.retry"),
            ("POST", "/schedules/{id}/stop", "schedules.stop"),
            ("POST", "/alerts/test", "alerts.test"),
        ] {
            assert_eq!(action(method, pattern), name, "{method} {pattern}");
        }
    }

    #[test]
    fn only_what_differs_is_told() {
        let before = json!({"name": "a", "settings": {"x": 1, "y": 2}, "gone": true});
        let after = json!({"name": "a", "settings": {"x": 1, "y": 3, "z": 4}});
        assert_eq!(difference(before, after), (json!({"settings": {"y": 2}, "gone": true}), json!({"settings": {"y": 3, "z": 4}})));
    }

    #[test]
    fn an_act_is_recorded_when_its_transaction_is_durable_and_not_before() {
        let act = Act::of_command_line("keys.create", "");
        assert!(here().is_none());
        carried(Some(act.clone()), || {
            begun();
            assert!(here().is_some());
            written();
            assert!(here().is_none() && !act.is_recorded());
            // The database chose the transaction to end a deadlock: it begins anew, and so does its entry.
            begun();
            committed();
            assert!(here().is_some() && !act.is_recorded());
            written();
            committed();
        });
        assert!(act.is_recorded() && here().is_none());
    }
}
