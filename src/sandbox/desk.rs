//! What newer simulators have in common: one request's way through journal and fault to the remote and back, and the part of the control API
//! that is the same for all.
//!
//! Faults are edits of an honest answer wherever that will do ([`Fault::Set`], [`Fault::Remove`], [`Fault::Query`]), so that a test can tell any
//! lie without a new kind of fault.

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use actix_web::{
    HttpRequest, HttpResponse,
    body::SizedStream,
    http::{StatusCode, header},
    web::Bytes,
};
use futures_util::stream::{self, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::billz2::journal::{Entry, Journal, Report};

/// Bytes of a body that the journal keeps: a question is short, and twenty thousand of them are kept.
const KEPT_OF_BODY: usize = 2_048;

const fn one() -> u32 {
    1
}

/// One kind of trouble.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// A proxy's web page; 200 is one too.
    Html {
        /// HTTP status.
        code: u16,
    },
    /// This body instead of the answer.
    Json {
        /// HTTP status.
        status: u16,
        /// The body.
        body: Value,
    },
    /// These bytes instead of the answer, said to be JSON.
    Text {
        /// HTTP status.
        status: u16,
        /// The body.
        body: String,
    },
    /// Another host is named instead of an answer.
    Redirect {
        /// HTTP status.
        status: u16,
        /// The address that is named.
        to: String,
    },
    /// A status with an empty body.
    Empty {
        /// HTTP status.
        status: u16,
        /// `Retry-After` in seconds.
        retry_after: Option<u32>,
    },
    /// The honest answer with something else at this place (RFC 6901).
    Set {
        /// Where.
        pointer: String,
        /// What stands there.
        value: Value,
    },
    /// The honest answer without a key of its outermost object.
    Remove {
        /// The key.
        key: String,
    },
    /// The honest answer to another question: a parameter of the query is replaced.
    Query {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// The connection is closed without an answer; the request was carried out all the same.
    Drop,
    /// The connection is closed without an answer, and nothing was carried out.
    Refuse,
    /// The honest answer, so many milliseconds late.
    Slow {
        /// Milliseconds.
        ms: u64,
    },
    /// The connection is cut after so many bytes of the answer.
    CutBody {
        /// Bytes that still come.
        after: usize,
    },
}

/// Which requests meet a fault: of those on its route the first `skip` pass, then `times` are hit.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Part of the path; empty = every request.
    #[serde(default)]
    pub route: String,
    /// Requests still to be let pass.
    #[serde(default)]
    pub skip: u32,
    /// Requests still to be hit.
    #[serde(default = "one")]
    pub times: u32,
    /// The trouble.
    pub fault: Fault,
    /// How often it has fired.
    #[serde(default)]
    pub fired: u32,
}

impl Rule {
    /// The next `times` requests on this route meet `fault`.
    pub fn new(route: &str, times: u32, fault: Fault) -> Self {
        Self { route: route.to_owned(), skip: 0, times, fault, fired: 0 }
    }
}

/// A request as a remote sees it.
pub struct Asked<'a> {
    /// HTTP method.
    pub method: &'a str,
    /// Path.
    pub path: &'a str,
    /// Query, read.
    pub query: Vec<(String, String)>,
    /// A header, if it is there and readable.
    pub header: &'a dyn Fn(&str) -> Option<String>,
    /// Body.
    pub body: &'a [u8],
}

impl Asked<'_> {
    /// A parameter of the query, if it is given and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.query.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}

/// A remote's answer before trouble comes over it.
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// Body with its type.
    pub body: (Vec<u8>, &'static str),
    /// Refused by the remote's limit.
    pub limited: bool,
}

impl Reply {
    /// A JSON answer.
    pub fn json(status: u16, value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).unwrap_or_default();
        Self { status, headers: Vec::new(), body: (body, "application/json; charset=utf-8"), limited: false }
    }

    /// A web page.
    pub fn html(status: u16) -> Self {
        let page = format!("<!DOCTYPE html>\n<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>\n");
        Self { status, headers: Vec::new(), body: (page.into_bytes(), "text/html; charset=utf-8"), limited: false }
    }

    /// A status and nothing else.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: (Vec::new(), "text/plain"), limited: false }
    }

    /// One more header.
    pub fn with(mut self, name: &'static str, value: &impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }
}

/// Journal and faults of one simulator.
pub struct Desk {
    system: &'static str,
    journal: Mutex<Journal>,
    faults: Mutex<Vec<Rule>>,
    started: Instant,
    window: Duration,
}

/// A poisoned lock only means that a test panicked while holding it; the data is still whole enough for a simulator.
pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Desk {
    /// An empty desk; `window` is what reports count the busiest of.
    pub fn new(system: &'static str, window: Duration) -> Self {
        Self { system, journal: Mutex::default(), faults: Mutex::default(), started: Instant::now(), window }
    }

    /// Adds a rule at the end of the queue.
    pub fn add_fault(&self, rule: Rule) {
        locked(&self.faults).push(rule);
    }

    /// All rules, spent ones included.
    pub fn faults(&self) -> Vec<Rule> {
        locked(&self.faults).clone()
    }

    /// Forgets all rules.
    pub fn clear_faults(&self) {
        locked(&self.faults).clear();
    }

    /// What was asked so far.
    pub fn requests(&self) -> Report {
        locked(&self.journal).report(self.window.as_secs_f64() * 1_000.0)
    }

    /// Forgets what was asked.
    pub fn clear_requests(&self) {
        *locked(&self.journal) = Journal::default();
    }

    fn due(&self, path: &str) -> Option<Fault> {
        for rule in locked(&self.faults).iter_mut().filter(|rule| rule.times > 0 && path.contains(&rule.route)) {
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            rule.times -= 1;
            rule.fired += 1;
            return Some(rule.fault.clone());
        }
        None
    }

    /// One request's way. `answer` is the remote.
    pub async fn serve(
        &self,
        request: &HttpRequest,
        body: &Bytes,
        latency: Duration,
        answer: impl FnOnce(&Asked<'_>) -> Reply,
    ) -> HttpResponse {
        let arrived = Instant::now();
        let fault = self.due(request.path());
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut query: Vec<(String, String)> = url::form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect();
        if let Some(Fault::Query { name, value }) = &fault {
            query.retain(|(key, _)| key != name);
            query.push((name.clone(), value.clone()));
        }
        let asked = Asked { method: request.method().as_str(), path: request.path(), query, header: &header, body };
        let mut reply = match &fault {
            Some(Fault::Html { code }) => Reply::html(*code),
            Some(Fault::Json { status, body }) => Reply::json(*status, body),
            Some(Fault::Text { status, body }) => {
                let body = (body.clone().into_bytes(), "application/json; charset=utf-8");
                Reply { status: *status, headers: Vec::new(), body, limited: false }
            }
            Some(Fault::Redirect { status, to }) => Reply::empty(*status).with("location", to),
            Some(Fault::Empty { status, retry_after }) => {
                let mut reply = Reply::empty(*status);
                reply.headers.extend(retry_after.map(|seconds| ("retry-after", seconds.to_string())));
                reply
            }
            Some(Fault::Refuse) => Reply::empty(0),
            _ => answer(&asked),
        };
        edit(&mut reply, fault.as_ref());
        let cut = match &fault {
            Some(Fault::Drop | Fault::Refuse) => Some(0),
            Some(Fault::CutBody { after }) => Some(*after),
            _ => None,
        };
        let status = if cut == Some(0) { 0 } else { reply.status };
        tracing::debug!(sandbox.system = self.system, http.method = %request.method(), http.target = %request.path(), http.status = status,
            sandbox.fault = ?fault, "sandbox request");
        locked(&self.journal).note(Entry {
            at_ms: arrived.duration_since(self.started).as_secs_f64() * 1_000.0,
            method: request.method().to_string(),
            target: request.uri().to_string(),
            body: String::from_utf8_lossy(body.get(..KEPT_OF_BODY).unwrap_or(body)).into_owned(),
            status,
            ip: request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip()),
            fault: fault.as_ref().and_then(|fault| serde_json::to_string(fault).ok()),
            limited: reply.limited,
        });
        let slow = match &fault {
            Some(Fault::Slow { ms }) => Duration::from_millis(*ms),
            _ => Duration::ZERO,
        };
        if !(slow + latency).is_zero() {
            tokio::time::sleep(slow + latency).await;
        }
        send(reply, cut)
    }
}

/// Edits an honest answer as the fault says.
fn edit(reply: &mut Reply, fault: Option<&Fault>) {
    let Some(Fault::Set { .. } | Fault::Remove { .. }) = fault else { return };
    let Ok(mut value) = serde_json::from_slice::<Value>(&reply.body.0) else { return };
    match fault {
        Some(Fault::Set { pointer, value: new }) => {
            if let Some(place) = value.pointer_mut(pointer) {
                *place = new.clone();
            }
        }
        Some(Fault::Remove { key }) => {
            if let Value::Object(fields) = &mut value {
                fields.remove(key);
            }
        }
        _ => {}
    }
    reply.body.0 = value.to_string().into_bytes();
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "cut on demand")
}

fn send(reply: Reply, cut: Option<usize>) -> HttpResponse {
    let mut response = HttpResponse::build(StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    response.insert_header((header::CONTENT_TYPE, reply.body.1));
    for (name, value) in reply.headers {
        response.insert_header((name, value));
    }
    let body = Bytes::from(reply.body.0);
    match cut {
        // An error before the first byte: the head is still unsent, so the client sees a closed connection.
        Some(0) => response.body(SizedStream::new(1, stream::once(async { Err::<Bytes, _>(broken()) }))),
        Some(end) => {
            let size = u64::try_from(body.len()).unwrap_or(u64::MAX).max(2);
            let sent = body.slice(..end.min(body.len().saturating_sub(1)));
            let last = stream::once(async {
                // A moment for what was sent to leave.
                tokio::time::sleep(Duration::from_millis(20)).await;
                Err::<Bytes, _>(broken())
            });
            response.body(SizedStream::new(size, stream::once(async move { Ok(sent) }).chain(last)))
        }
        None => response.body(body),
    }
}

/// Merges JSON into a thing, field by field; unknown names and bad values are refused, nothing is half set.
pub fn merged<T: Serialize + serde::de::DeserializeOwned>(thing: &T, change: &Value) -> Result<T, String> {
    let Value::Object(change) = change else { return Err("a JSON object is expected".to_owned()) };
    let mut all = serde_json::to_value(thing).map_err(|error| error.to_string())?;
    if let Value::Object(all) = &mut all {
        for (name, value) in change {
            all.insert(name.clone(), value.clone());
        }
    }
    serde_json::from_value(all).map_err(|error| error.to_string())
}

/// Routes that every control API has, for its list.
pub const ROUTES: &[(&str, &str)] = &[
    ("GET    state", "counts, switches, rules of faults"),
    ("PUT    switches", "merge JSON into the switches"),
    ("GET    faults", "the rules, with how often each has fired"),
    ("POST   faults", "add a rule or a list: {\"route\":\"/products\",\"times\":2,\"fault\":{\"html\":{\"code\":502}}}"),
    ("DELETE faults", "forget all rules"),
    ("GET    requests", "what was asked"),
    ("DELETE requests", "forget what was asked"),
];

/// Carries out the routes of [`ROUTES`] that belong to the desk; `None` for another one. `path` is what stands behind the root.
pub fn control(desk: &Desk, method: &str, path: &str, body: &[u8]) -> Option<super::control::Answer> {
    use super::control::{ok, read, refuse};
    let done = || Ok(HttpResponse::NoContent().finish());
    Some(match (method, path) {
        ("GET", "faults") => ok(&desk.faults()),
        ("POST", "faults") => read::<Value>(body).and_then(|value| {
            let rules = if value.is_array() { value } else { json!([value]) };
            // A list is added whole or not at all.
            let rules: Vec<Rule> =
                serde_json::from_value(rules).map_err(|error| refuse(StatusCode::UNPROCESSABLE_ENTITY, &format!("fault: {error}")))?;
            rules.into_iter().for_each(|rule| desk.add_fault(rule));
            ok(&desk.faults())
        }),
        ("DELETE", "faults") => {
            desk.clear_faults();
            done()
        }
        ("GET", "requests") => ok(&desk.requests()),
        ("DELETE", "requests") => {
            desk.clear_requests();
            done()
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_for_a_route_skip_then_fire_then_rest() {
        let desk = Desk::new("test", Duration::from_secs(1));
        desk.add_fault(Rule { skip: 1, ..Rule::new("/products", 1, Fault::Drop) });
        let fired: Vec<bool> = ["/products", "/count", "/products", "/products"].map(|path| desk.due(path).is_some()).into();
        assert_eq!(fired, [false, false, true, false]);
    }

    #[test]
    fn an_honest_answer_is_edited() {
        let after = |fault: Fault| {
            let mut reply = Reply::json(200, &json!({"total": 2, "rows": [1, 2]}));
            edit(&mut reply, Some(&fault));
            serde_json::from_slice::<Value>(&reply.body.0).expect("JSON")
        };
        assert_eq!(after(Fault::Set { pointer: "/rows/1".into(), value: json!("x") }), json!({"total": 2, "rows": [1, "x"]}));
        assert_eq!(after(Fault::Remove { key: "total".into() }), json!({"rows": [1, 2]}));
    }
}
