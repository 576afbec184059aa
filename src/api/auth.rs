//! Who may do what. [`ROUTES`] is the whole table: a route that does not stand there answers nothing.
//!
//! The check runs before any body is read. Handlers take [`Caller`], which exists only after the check, so that a path that
//! reaches a handler round the table is refused as well.

use std::{
    future::{Ready, ready},
    sync::Arc,
    time::Duration,
};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::{Payload, ServiceRequest},
    http::header,
};
use moka::future::Cache;
use secrecy::SecretString;

use super::problem::Problem;
use crate::{
    engine::{
        ports::{ApiKey, Role},
        service::{OWNER_FORM, Scope, Service, is_owner},
    },
    fault::{Code, Fault},
};

/// Narrows any key to one owner.
pub const ON_BEHALF_OF: &str = "x-on-behalf-of";
/// How long a key is remembered. Longer lets a revoked key live longer, shorter costs a query per request.
const REMEMBERED: Duration = Duration::from_millis(100);
/// How many keys are remembered.
const REMEMBERED_KEYS: u64 = 1_000;
/// No key is longer; what is longer is not looked up.
const MAX_KEY_BYTES: usize = 512;

/// What a route needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: health, documents.
    Open,
    /// A token in the path, which the handler asks for: hooks.
    Token,
    /// Any key.
    Reader,
    /// Work on streams, links and runs.
    Operator,
    /// Connections and secrets; never a key that acts for sellers.
    Admin,
}

/// Every route: method, pattern, what it needs.
pub const ROUTES: &[(&str, &str, Needs)] = &[
    ("GET", "/livez", Needs::Open),
    ("GET", "/readyz", Needs::Open),
    ("GET", "/metrics", Needs::Open),
    ("GET", "/openapi.json", Needs::Open),
    ("GET", "/docs", Needs::Open),
    ("GET", "/docs/{_:.*}", Needs::Open),
    ("GET", "/problems/{code}", Needs::Open),
    ("GET", "/connections", Needs::Reader),
    ("POST", "/connections", Needs::Admin),
    ("GET", "/connections/{id}", Needs::Reader),
    ("PATCH", "/connections/{id}", Needs::Admin),
    ("DELETE", "/connections/{id}", Needs::Admin),
    ("POST", "/connections/{id}/check", Needs::Admin),
    ("POST", "/connections/{id}/page-links", Needs::Admin),
    ("GET", "/connections/{id}/streams", Needs::Reader),
    ("POST", "/connections/{id}/streams", Needs::Operator),
    ("POST", "/connections/{id}/streams/discover", Needs::Operator),
    ("GET", "/connections/{id}/streams/{stream}", Needs::Reader),
    ("PATCH", "/connections/{id}/streams/{stream}", Needs::Operator),
    ("DELETE", "/connections/{id}/streams/{stream}", Needs::Operator),
    ("GET", "/connections/{id}/streams/{stream}/standing", Needs::Reader),
    ("GET", "/connections/{id}/links", Needs::Reader),
    ("PUT", "/connections/{id}/links/{source}", Needs::Operator),
    ("DELETE", "/connections/{id}/links/{source}", Needs::Operator),
    ("POST", "/connections/{id}/links/{source}/confirm", Needs::Operator),
    ("GET", "/connections/{id}/category-mappings", Needs::Reader),
    ("PUT", "/connections/{id}/category-mappings", Needs::Operator),
    ("GET", "/connections/{id}/category-mappings/unmapped", Needs::Reader),
    ("GET", "/connections/{id}/locks", Needs::Reader),
    ("PUT", "/connections/{id}/locks", Needs::Operator),
    ("GET", "/connections/{id}/brakes", Needs::Reader),
    ("PUT", "/connections/{id}/brakes", Needs::Admin),
    ("GET", "/audit", Needs::Admin),
    ("GET", "/alerts", Needs::Reader),
    ("PUT", "/alerts", Needs::Admin),
    ("POST", "/alerts/test", Needs::Admin),
    ("GET", "/sync/runs", Needs::Reader),
    ("GET", "/sync/runs/{id}", Needs::Reader),
    ("GET", "/sync/runs/{id}/items", Needs::Reader),
    ("GET", "/sync/runs/{id}/items.csv", Needs::Reader),
    ("GET", "/sync/runs/{id}/events", Needs::Reader),
    ("POST", "/sync/runs/{id}/cancel", Needs::Operator),
    ("POST", "/sync/runs/{id}/approve", Needs::Operator),
    ("POST", "/sync/runs/{id}/reject", Needs::Operator),
    ("POST", "/sync/runs/{id}/undo", Needs::Operator),
    ("GET", "/sync/explain", Needs::Reader),
    ("POST", "/sync/runs/{id}/retry-failed", Needs::Operator),
    ("GET", "/sync/retry-list", Needs::Reader),
    ("POST", "/sync/retry-list/{id}/retry", Needs::Operator),
    ("POST", "/sync/retry-list/{id}/dismiss", Needs::Operator),
    ("POST", "/sync/okliving-onebox/mapping-test", Needs::Operator),
    ("GET", "/pages/{flow}", Needs::Token),
    ("POST", "/pages/{flow}", Needs::Token),
    ("GET", "/sync/{flow}/hooks/{token}", Needs::Token),
    ("POST", "/sync/{flow}/hooks/{token}", Needs::Token),
    ("POST", "/sync/{flow}", Needs::Operator),
    ("GET", "/schedules", Needs::Reader),
    ("POST", "/schedules", Needs::Operator),
    ("GET", "/schedules/{id}", Needs::Reader),
    ("PATCH", "/schedules/{id}", Needs::Operator),
    ("DELETE", "/schedules/{id}", Needs::Operator),
    ("POST", "/schedules/{id}/start", Needs::Operator),
    ("POST", "/schedules/{id}/stop", Needs::Operator),
    ("GET", "/schedules/{id}/next", Needs::Reader),
    ("GET", "/schedules/{id}/runs", Needs::Reader),
    ("GET", "/schedules/{id}/skips", Needs::Reader),
];

/// Routes that are asked by POST but change nothing; hooks and pages, which no key sends: a hook is kept itself, a page writes its own entry when
/// it changes something. The audit is silent about them.
pub const CHANGES_NOTHING: &[&str] = &[
    "/connections/{id}/check",
    "/connections/{id}/streams/discover",
    "/sync/okliving-onebox/mapping-test",
    "/sync/{flow}/hooks/{token}",
    "/pages/{flow}",
];

/// Whether a request of this route acts, and so belongs into the audit.
pub fn acts(method: &str, pattern: &str) -> bool {
    !matches!(method, "GET" | "HEAD") && !CHANGES_NOTHING.contains(&pattern)
}

/// Who acts.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Id of the key; `admin-key` for the one of the configuration.
    pub key: String,
    /// Its name for people.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Acts for sellers.
    pub delegate: bool,
    /// What it may see.
    pub scope: Scope,
    /// For whom it acts.
    pub on_behalf_of: Option<String>,
}

impl Caller {
    /// Who it is, for people: the owner on whose behalf it acts, and its key.
    pub fn who(&self) -> String {
        match &self.on_behalf_of {
            Some(owner) => format!("{owner} ({})", self.name),
            None => self.name.clone(),
        }
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(request.extensions().get::<Self>().cloned().ok_or_else(|| Fault::new(Code::NotFound, "there is no such path").into()))
    }
}

/// Looks keys up, and remembers them for a moment.
#[derive(Clone)]
pub struct Keys {
    service: Arc<Service>,
    seen: Cache<String, Arc<ApiKey>>,
}

impl Keys {
    /// Keys of a service.
    pub fn new(service: Arc<Service>) -> Self {
        Self { service, seen: Cache::builder().max_capacity(REMEMBERED_KEYS).time_to_live(REMEMBERED).build() }
    }

    async fn find(&self, key: &SecretString) -> Result<Option<Arc<ApiKey>>, Fault> {
        let hash = self.service.sealer.hash_api_key(key);
        if let Some(found) = self.seen.get(&hash).await {
            return Ok(Some(found));
        }
        let Some(found) = self.service.api_key(key).await?.map(Arc::new) else { return Ok(None) };
        self.seen.insert(hash, Arc::clone(&found)).await;
        Ok(Some(found))
    }

    /// Lets a request pass, with its [`Caller`], or says why not. Paths that we do not have pass: the router answers them.
    pub async fn admit(&self, request: &ServiceRequest) -> Result<(), Problem> {
        let Some(pattern) = request.match_pattern() else { return Ok(()) };
        let method = request.method().as_str();
        let Some((_, _, needs)) = ROUTES.iter().find(|(known, path, _)| *known == method && *path == pattern) else {
            return Err(not_allowed(&pattern));
        };
        if matches!(needs, Needs::Open | Needs::Token) {
            return Ok(());
        }
        let caller = self.caller(request).await?;
        permit(&caller, *needs)?;
        request.extensions_mut().insert(caller);
        Ok(())
    }

    async fn caller(&self, request: &ServiceRequest) -> Result<Caller, Fault> {
        let refused = || Fault::new(Code::Unauthenticated, "no valid API key was given");
        let key = bearer(request).ok_or_else(refused)?;
        let mut caller = if self.service.is_admin_key(&key) {
            Caller {
                key: "admin-key".to_owned(),
                name: "admin key of the configuration".to_owned(),
                role: Role::Admin,
                delegate: false,
                scope: Scope::all(),
                on_behalf_of: None,
            }
        } else {
            let found = self.find(&key).await?.ok_or_else(refused)?;
            Caller {
                key: found.id.clone(),
                name: found.name.clone(),
                role: found.role,
                delegate: found.delegate,
                scope: Scope { flows: found.flows.clone(), owner: found.owner.clone() },
                on_behalf_of: None,
            }
        };
        if let Some(owner) = on_behalf_of(request)? {
            caller.scope = caller.scope.narrowed_to(&owner);
            caller.on_behalf_of = Some(owner);
        } else if caller.delegate {
            return Err(Fault::new(
                Code::OnBehalfOfRequired,
                format!("this key acts for sellers only: send X-On-Behalf-Of in the form {OWNER_FORM}"),
            ));
        }
        Ok(caller)
    }
}

fn permit(caller: &Caller, needs: Needs) -> Result<(), Fault> {
    let (least, name) = match needs {
        Needs::Open | Needs::Token => return Ok(()),
        Needs::Reader => (Role::Reader, "reader"),
        Needs::Operator => (Role::Operator, "operator"),
        Needs::Admin => (Role::Admin, "admin"),
    };
    if needs == Needs::Admin && caller.delegate {
        return Err(Fault::new(
            Code::Forbidden,
            "a key that acts for sellers never changes connections and their secrets; use an admin key without that flag",
        ));
    }
    if caller.role < least {
        return Err(Fault::new(Code::Forbidden, format!("this needs a key with the role {name}")));
    }
    Ok(())
}

fn bearer(request: &ServiceRequest) -> Option<SecretString> {
    let mut values = request.headers().get_all(header::AUTHORIZATION);
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
    let key = key.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !key.is_empty() && key.len() <= MAX_KEY_BYTES).then(|| SecretString::from(key))
}

fn on_behalf_of(request: &ServiceRequest) -> Result<Option<String>, Fault> {
    let mut values = request.headers().get_all(ON_BEHALF_OF);
    let Some(value) = values.next() else { return Ok(None) };
    let owner = value.to_str().ok().filter(|owner| is_owner(owner));
    match (owner, values.next()) {
        (Some(owner), None) => Ok(Some(owner.to_owned())),
        _ => Err(Fault::new(Code::InvalidHeader, format!("X-On-Behalf-Of must stand once and have the form {OWNER_FORM}"))),
    }
}

/// 405 with what the pattern takes.
pub fn not_allowed(pattern: &str) -> Problem {
    let allow = ROUTES.iter().filter(|(_, path, _)| *path == pattern).map(|(method, _, _)| *method).collect::<Vec<_>>().join(", ");
    let mut problem = Problem::from(Fault::new(Code::MethodNotAllowed, format!("this path takes: {allow}")));
    problem.allow = Some(allow);
    problem
}
