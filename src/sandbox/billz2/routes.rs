//! One request's way: journal, limit, fault, login, page, delivery.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, header},
    web::{Bytes, Data},
};
use chrono::DateTime;
use serde_json::json;

use super::{
    Handle, chance,
    faults::{Family, Fault},
    journal::Entry,
    lists, locked,
    products::{self, Query},
    reply::{Delivery, Reply},
    seed,
    switches::Switches,
};

/// What is to be done with one request.
struct Outcome {
    reply: Reply,
    delivery: Delivery,
    wait: Duration,
    limited: bool,
    fault: Option<Fault>,
}

impl Outcome {
    const fn plain(reply: Reply) -> Self {
        Self { reply, delivery: Delivery::Whole, wait: Duration::ZERO, limited: false, fault: None }
    }
}

/// Everything that is not the control API: the remote itself.
pub async fn front(request: HttpRequest, body: Bytes, handle: Data<Handle>) -> HttpResponse {
    let arrived = Instant::now();
    let ip = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip());
    let switches = handle.switches();
    let outcome = handle.decide(&request, &body, ip, arrived, &switches);
    let wait = outcome.wait + Duration::from_millis(switches.latency_ms);
    let status = if outcome.delivery == Delivery::Dropped { 0 } else { outcome.reply.status };
    let target = request.uri().path_and_query().map_or_else(|| request.path().to_owned(), ToString::to_string);
    tracing::debug!(sandbox.system = "billz2", http.method = %request.method(), http.target = %target, http.status = status,
        sandbox.limited = outcome.limited, sandbox.fault = ?outcome.fault, "sandbox request");
    locked(&handle.inner.journal).note(Entry {
        at_ms: arrived.duration_since(handle.inner.started).as_secs_f64() * 1_000.0,
        method: request.method().to_string(),
        target,
        body: String::new(),
        status,
        ip,
        fault: outcome.fault.as_ref().and_then(|fault| serde_json::to_string(fault).ok()),
        limited: outcome.limited,
    });
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    // Actix's own Date lags by up to half a second and knows nothing of a clock that runs ahead.
    let date = DateTime::from_timestamp(handle.now(), 0).unwrap_or_default().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    outcome.reply.send(outcome.delivery, &date)
}

impl Handle {
    fn decide(&self, request: &HttpRequest, body: &[u8], ip: IpAddr, arrived: Instant, switches: &Switches) -> Outcome {
        if let Some(limit) = switches.rate_limit
            && !locked(&self.inner.window).admit(ip, arrived, self.inner.second, limit)
        {
            return Outcome { limited: true, ..Outcome::plain(Reply::too_many(switches.retry_after)) };
        }
        let target = request.uri().path_and_query().map_or("", |target| target.as_str());
        let fault = locked(&self.inner.faults).next(request.path(), target);
        let mut outcome = match &fault {
            Some(Fault::Status { code, family, retry_after }) => {
                Outcome::plain(Reply::error(*code, *code, *family).retry_after(*retry_after))
            }
            Some(Fault::RateLimited { retry_after }) => Outcome::plain(Reply::too_many(*retry_after)),
            Some(Fault::ErrorIn200 { family }) => Outcome::plain(Reply::error(200, 500, *family)),
            Some(Fault::Hang { ms }) => {
                let wait = Duration::from_millis(*ms);
                Outcome { delivery: Delivery::Dropped, wait, ..Outcome::plain(Reply::error(200, 200, Family::Empty)) }
            }
            other => {
                let reply = self.serve(request, body, other.as_ref(), switches);
                let (delivery, wait) = match other {
                    Some(Fault::Slow { ms }) => (Delivery::Whole, *ms),
                    Some(Fault::SlowBody { ms }) => (Delivery::Paused(Duration::from_millis(*ms)), 0),
                    Some(Fault::Drop) => (Delivery::Dropped, 0),
                    Some(Fault::CutBody) => (Delivery::Cut, 0),
                    Some(Fault::TruncatedJson) => (Delivery::Truncated, 0),
                    _ => (Delivery::Whole, 0),
                };
                Outcome { delivery, wait: Duration::from_millis(wait), ..Outcome::plain(reply) }
            }
        };
        outcome.fault = fault;
        outcome
    }

    /// The answer proper, once limit and faults have had their turn.
    fn serve(&self, request: &HttpRequest, body: &[u8], fault: Option<&Fault>, switches: &Switches) -> Reply {
        let now = self.now();
        let ids = {
            let catalogue = self.catalogue();
            (catalogue.company, chance::id(catalogue.seed, chance::Kind::User, 0))
        };
        if matches!(fault, Some(Fault::ExpiredToken)) {
            self.expire_tokens();
        }
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        match (request.method(), request.path()) {
            (&Method::POST, "/v1/auth/login") => return locked(&self.inner.sessions).login(body, switches, ids, now),
            (&Method::POST, "/v2/auth/refresh") => {
                let platform = request.headers().contains_key("platform-id");
                return locked(&self.inner.sessions).refresh(body, platform, switches, ids, now);
            }
            _ => {}
        }
        let authorization = header(header::AUTHORIZATION.as_str());
        if let Err(denied) = locked(&self.inner.sessions).check(authorization, now) {
            return denied.reply();
        }
        if switches.access_denied {
            return Reply::error(403, 403, Family::B);
        }
        if request.method() != Method::GET {
            return Reply::error(404, 404, Family::B);
        }
        let query = Query::parse(request.query_string());
        if request.path() == "/v2/products" {
            return self.products_page(&query, fault, switches);
        }
        match fault {
            Some(Fault::EmptyList) => {
                Reply::json(200, &json!({"count": 0, "shops": null, "categories": null, "brands": null, "rates": null}))
            }
            _ => lists::answer(request.path(), &self.catalogue(), switches, &query).unwrap_or_else(|| Reply::error(404, 404, Family::B)),
        }
    }

    fn products_page(&self, query: &Query, fault: Option<&Fault>, switches: &Switches) -> Reply {
        let (reply, ids) = products::list(&self.catalogue(), switches, query, fault, self.draw());
        if let Some(Fault::Shift { remove, insert }) = fault {
            let now = self.now();
            let mut catalogue = self.catalogue_mut();
            for id in ids.iter().take(usize::try_from(*remove).unwrap_or(0)) {
                catalogue.remove(id);
            }
            for _ in 0..*insert {
                seed::one_more(&mut catalogue, now);
            }
        }
        reply
    }
}
