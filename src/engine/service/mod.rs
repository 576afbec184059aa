//! What the API (and the command line) may ask for: the use cases, so that handlers only read requests and write answers.
//!
//! Start at [`Service`]. [`Scope`] says what a caller may see; every use case takes it, and what lies outside is not found.
//!
//! - [`connections`]: make, change, delete, check, discover; the link space
//! - [`streams`], [`links`], [`mappings`], [`locks`], [`brakes`]: what stands under a connection
//! - [`schedules`]: when streams run by themselves
//! - [`sync`]: start a run, look at runs, cancel, approve, reject; [`follow`] one as it goes; [`undo`]; [`explain`]
//! - [`alerts`]: who is told of what
//! - [`hooks`]: what remotes tell us; [`mapping_test`]: a stored item through a mapping of fields
//! - [`retry_list`]: failed items over all runs: look at them, try them again, dismiss them
//! - [`merge`]: RFC 7396 on settings, and the rules of secrets

pub mod alerts;
pub mod brakes;
pub mod connections;
pub mod explain;
pub mod follow;
pub mod hooks;
pub mod links;
pub mod locks;
pub mod mapping_test;
pub mod mappings;
pub mod merge;
pub mod page_links;
pub mod retry_list;
pub mod schedules;
pub mod streams;
pub mod sync;
pub mod undo;

use std::sync::Arc;

use secrecy::SecretString;

use super::{
    alerts::{Alerts, Messenger},
    audit::{Audit, AuditFilter, Entry},
    flow::{Flow, Opened},
    hooks::Hooks,
    locks::Locks,
    mapping::{Inbox, MappingStore},
    model::{Connection, Stream},
    plans::Plans,
    ports::{
        ApiKey, ApiKeys, Changes, ConnectionFilter, Connections, Idempotent, Links, Listing, PageRequest, Ready, Records, Retries, Runs,
    },
    queue::Caps,
    schedule::Schedules,
    secrets::{self, Sealer},
    standing::StandingItems,
};
use crate::fault::{Code, Fault, FieldError, Result};

/// Longest key of a stream or source item that a database column holds.
pub const MAX_KEY_CHARS: usize = 191;
/// Longest name of a flow.
pub const MAX_FLOW_BYTES: usize = 40;
/// Longest name for people.
pub const MAX_NAME_CHARS: usize = 190;
/// How often a change is repeated on what stands now, when somebody else changed the same thing in between.
const CHANGE_ATTEMPTS: usize = 3;

/// The use cases over the ports. Cheap to share behind an `Arc`.
pub struct Service {
    /// Connections and streams.
    pub connections: Arc<dyn Connections>,
    /// Runs and their queue.
    pub runs: Arc<dyn Runs>,
    /// Last seen state of source items.
    pub records: Arc<dyn Records>,
    /// Links and questions.
    pub links: Arc<dyn Links>,
    /// Items of runs.
    pub changes: Arc<dyn Changes>,
    /// What was mapped.
    pub mappings: Arc<dyn MappingStore>,
    /// What waits for a mapping.
    pub inbox: Arc<dyn Inbox>,
    /// What remotes have told us.
    pub hooks: Arc<dyn Hooks>,
    /// Which connection a hook's token belongs to.
    pub hook_tokens: hooks::Tokens,
    /// What is never touched.
    pub lock_store: Arc<dyn Locks>,
    /// What waits for a person.
    pub plans: Arc<dyn Plans>,
    /// When streams run by themselves.
    pub schedules: Arc<dyn Schedules>,
    /// Failed items over all runs.
    pub retries: Arc<dyn Retries>,
    /// What stands run after run.
    pub standing: Arc<dyn StandingItems>,
    /// Who did what.
    pub audit: Arc<dyn Audit>,
    /// Settings of alerts, and what stands.
    pub alert_store: Arc<dyn Alerts>,
    /// Carries alerts over channels.
    pub messenger: Arc<dyn Messenger>,
    /// Answers kept under idempotency keys.
    pub answers: Arc<dyn Idempotent>,
    /// API keys.
    pub api_keys: Arc<dyn ApiKeys>,
    /// Whether our database is well.
    pub ready: Arc<dyn Ready>,
    /// The integrations this build knows.
    pub flows: Vec<Arc<dyn Flow>>,
    /// Seals secrets and hashes API keys.
    pub sealer: Arc<Sealer>,
    /// `TRADESYNC_ADMIN_KEY`.
    pub admin_key: Option<SecretString>,
    /// What may be at work at once: who looks at a queued run is told what it waits for.
    pub caps: Caps,
}

/// What a caller may see. Empty filters see everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Only these flows.
    pub flows: Option<Vec<String>>,
    /// Only this owner.
    pub owner: Option<String>,
}

impl Scope {
    /// Everything: for the command line and for ourselves.
    pub fn all() -> Self {
        Self::default()
    }

    /// Whether the flow is visible.
    pub fn sees_flow(&self, flow: &str) -> bool {
        self.flows.as_ref().is_none_or(|flows| flows.iter().any(|name| name == flow))
    }

    /// Whether what belongs to `owner` is visible.
    pub fn sees_owner(&self, owner: Option<&str>) -> bool {
        self.owner.as_deref().is_none_or(|own| owner == Some(own))
    }

    /// The same, narrowed to one owner. Two different owners leave nothing visible.
    #[must_use]
    pub fn narrowed_to(mut self, owner: &str) -> Self {
        if self.owner.as_deref().is_some_and(|own| own != owner) {
            self.flows = Some(Vec::new());
        }
        self.owner = Some(owner.to_owned());
        self
    }

    /// Whether nothing at all can be visible.
    pub fn is_empty(&self) -> bool {
        self.flows.as_ref().is_some_and(Vec::is_empty)
    }

    fn filter(&self) -> ConnectionFilter {
        ConnectionFilter { flows: self.flows.clone(), owner: self.owner.clone() }
    }
}

/// Without rows and without a further page.
fn no_items<T>() -> Listing<T> {
    Listing { items: Vec::new(), next: None }
}

/// Not found, with the field of the body that named it.
fn no_such(pointer: &str, what: &str) -> Fault {
    Fault::new(Code::NotFound, what).with_fields(vec![FieldError::new(pointer, what)])
}

impl Service {
    /// The flow of a name.
    pub fn flow(&self, name: &str) -> Option<&Arc<dyn Flow>> {
        self.flows.iter().find(|flow| flow.name() == name)
    }

    /// The flow of a name in a path: not found if we have none, or the caller may not see it.
    pub fn visible_flow(&self, scope: &Scope, name: &str) -> Result<&Arc<dyn Flow>> {
        self.flow(name)
            .filter(|flow| scope.sees_flow(flow.name()))
            .ok_or_else(|| Fault::new(Code::NotFound, format!("there is no flow of that name; there are: {}", self.flow_names(scope))))
    }

    fn flow_names(&self, scope: &Scope) -> String {
        self.flows.iter().map(|flow| flow.name()).filter(|name| scope.sees_flow(name)).collect::<Vec<_>>().join(", ")
    }

    /// The flow of a stored connection; a connection may outlive the build that knew its flow.
    fn flow_of(&self, connection: &Connection) -> Result<&Arc<dyn Flow>> {
        self.flow(&connection.flow).ok_or_else(|| {
            Fault::new(
                Code::ConfigInvalid,
                format!("this service does not know the flow `{}` of connection {}", connection.flow, connection.id),
            )
        })
    }

    /// A visible connection.
    pub async fn connection(&self, scope: &Scope, id: &str) -> Result<Connection> {
        let absent = || Fault::new(Code::NotFound, "there is no such connection");
        if !crate::domain::ids::plausible(id) {
            return Err(absent());
        }
        self.connections
            .get(id)
            .await?
            .filter(|found| scope.sees_flow(&found.flow) && scope.sees_owner(found.owner.as_deref()))
            .ok_or_else(absent)
    }

    /// A stream of a connection that was looked up before.
    pub async fn stream(&self, connection: &Connection, stream: &str) -> Result<Stream> {
        let absent = || Fault::new(Code::NotFound, "there is no such stream in this connection");
        if !is_key(stream) {
            return Err(absent());
        }
        self.connections.stream(&connection.id, stream).await?.ok_or_else(absent)
    }

    /// Settings and opened secrets, as a flow takes them. Lives no longer than one request or run.
    pub fn open(&self, connection: &Connection) -> Result<Opened> {
        Opened::of(connection, connection.settings.clone(), &self.sealer)
    }

    /// Entries of the audit that a caller may see, newest first: those of his flows and owner.
    pub async fn list_audit(&self, scope: &Scope, mut filter: AuditFilter, page: PageRequest) -> Result<Listing<Entry>> {
        let possible = [&filter.connection, &filter.run].into_iter().flatten().all(|id| crate::domain::ids::plausible(id))
            && [&filter.key, &filter.action].into_iter().flatten().all(|text| text.is_ascii());
        if scope.is_empty() || !possible || filter.owner.as_deref().is_some_and(|owner| !scope.sees_owner(Some(owner))) {
            return Ok(no_items());
        }
        filter.flows = scope.flows.clone();
        filter.owner = filter.owner.or_else(|| scope.owner.clone());
        self.audit.list(filter, page).await
    }

    /// A live API key by what the caller sent.
    pub async fn api_key(&self, key: &SecretString) -> Result<Option<ApiKey>> {
        for hash in self.sealer.api_key_hashes(key) {
            if let Some(found) = self.api_keys.by_hash(&hash).await? {
                return Ok(Some(found).filter(|found| found.revoked_at.is_none()));
            }
        }
        Ok(None)
    }

    /// Whether this is the admin key of the configuration.
    pub fn is_admin_key(&self, key: &SecretString) -> bool {
        self.admin_key.as_ref().is_some_and(|admin| secrets::same(admin, key))
    }
}

/// Whether a text can be a stored key at all: anything else is simply not there. `.` and `..` are none, since no client can name them in a path:
/// URLs take them away.
pub(crate) fn is_key(text: &str) -> bool {
    !matches!(text, "" | "." | "..") && text.chars().count() <= MAX_KEY_CHARS && !text.chars().any(char::is_control) && text.trim() == text
}

/// Whether a text can be a flow's name at all. Not only names that this build knows: rows may outlive the build that made them.
pub(crate) fn is_flow_name(text: &str) -> bool {
    text.len() <= MAX_FLOW_BYTES && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Checks a name for people.
fn check_name(name: &str, errors: &mut Vec<FieldError>) {
    let length = name.trim().chars().count();
    if length == 0 || length > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        errors.push(FieldError::new("/name", format!("must be a text of 1 to {MAX_NAME_CHARS} characters without control characters")));
    }
}

/// Form of owners, in bodies and in `X-On-Behalf-Of`: `kind:id`.
pub const OWNER_FORM: &str = "kind:id, such as seller:42 (kind: a-z 0-9 _ -, up to 32; id: A-Z a-z 0-9 . _ @ -, up to 128)";

/// Whether a text is an owner: `[a-z][a-z0-9_-]{0,31}:[A-Za-z0-9._@-]{1,128}`.
pub fn is_owner(text: &str) -> bool {
    let Some((kind, id)) = text.split_once(':') else { return false };
    kind.len() <= 32
        && kind.starts_with(|first: char| first.is_ascii_lowercase())
        && kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-'))
        && (1..=128).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'@' | b'-'))
}
