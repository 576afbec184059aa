//! One request's way: journal, fault, token, method, delivery.

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use actix_web::{
    HttpRequest, HttpResponse,
    body::{BodyStream, SizedStream},
    http::{Method, StatusCode, header},
    web::{Bytes, Data},
};
use chrono::DateTime;
use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};

use super::{super::billz2::journal::Entry, Handle, faults::Fault, locked, switches::Switches, token, wire};

/// Bytes of one piece of a long answer.
const PIECE: usize = 64 * 1024;

/// An answer before it is sent.
struct Outcome {
    status: u16,
    body: Vec<u8>,
    content_type: &'static str,
    retry_after: Option<u32>,
    /// So many bytes of the body, then the connection is cut.
    cut: Option<usize>,
    wait: Duration,
}

impl Outcome {
    fn json(status: u16, body: Vec<u8>) -> Self {
        Self { status, body, content_type: "application/json; charset=UTF-8", retry_after: None, cut: None, wait: Duration::ZERO }
    }

    fn error(status: u16, id: &Value, code: i64, message: &str) -> Self {
        Self::json(status, json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}}).to_string().into_bytes())
    }

    fn html(status: u16) -> Self {
        let page = format!(
            "<html>\r\n<head><title>{status}</title></head>\r\n<body><center><h1>{status}</h1></center><hr>nginx</body>\r\n</html>\r\n"
        );
        Self { content_type: "text/html", ..Self::json(status, page.into_bytes()) }
    }
}

/// Everything that is not the control API: the remote itself.
pub async fn front(request: HttpRequest, body: Bytes, handle: Data<Handle>) -> HttpResponse {
    let arrived = Instant::now();
    let switches = handle.switches();
    let question: Value = serde_json::from_slice(&body).unwrap_or_default();
    let fault = locked(&handle.inner.faults).due();
    let outcome = handle.decide(&request, &question, fault.as_ref(), &switches);
    let status = if outcome.cut == Some(0) { 0 } else { outcome.status };
    tracing::debug!(sandbox.system = "billz1", http.method = %request.method(), http.target = %request.path(), http.status = status,
        sandbox.fault = ?fault, "sandbox request");
    locked(&handle.inner.journal).note(Entry {
        at_ms: arrived.duration_since(handle.inner.started).as_secs_f64() * 1_000.0,
        method: request.method().to_string(),
        target: format!("{} {}", request.path(), question.get("params").cloned().unwrap_or_default()),
        body: String::new(),
        status,
        ip: request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip()),
        fault: fault.as_ref().and_then(|fault| serde_json::to_string(fault).ok()),
        limited: false,
    });
    let wait = outcome.wait + Duration::from_millis(switches.latency_ms);
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    let date = DateTime::from_timestamp(handle.now(), 0).unwrap_or_default().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    send(outcome, &date, Duration::from_millis(switches.piece_pause_ms))
}

impl Handle {
    fn decide(&self, request: &HttpRequest, question: &Value, fault: Option<&Fault>, switches: &Switches) -> Outcome {
        let id = match question.get("id") {
            // The answer's id is a text, whatever the question's was (sheet 1).
            Some(Value::String(id)) => json!(id),
            Some(Value::Number(id)) => json!(id.to_string()),
            _ => Value::Null,
        };
        match fault {
            Some(Fault::Html { code }) => return Outcome::html(*code),
            Some(Fault::Error { status, code, message }) => return Outcome::error(*status, &id, *code, message),
            Some(Fault::RateLimited { retry_after }) => {
                return Outcome { retry_after: *retry_after, ..Outcome::error(429, &id, -32_000, "Too many requests") };
            }
            Some(Fault::Hang { ms }) => {
                return Outcome { cut: Some(0), wait: Duration::from_millis(*ms), ..Outcome::json(200, Vec::new()) };
            }
            Some(Fault::Drop) => return Outcome { cut: Some(0), ..Outcome::json(200, Vec::new()) },
            _ => {}
        }
        if request.method() != Method::POST || request.path() != "/v1/" {
            return Outcome::html(404);
        }
        let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let let_in = match fault {
            Some(Fault::ExpiredToken) => Err(token::INVALID),
            _ => token::check(header, switches, self.now()),
        };
        if let Err(refused) = let_in {
            return Outcome::error(switches.refused_status, &id, -32_000, refused);
        }
        if question.get("method").and_then(Value::as_str) != Some("products.get") {
            return Outcome::error(200, &id, -32_601, "Method not found");
        }
        match fault {
            Some(Fault::NullResult) => {
                return Outcome::json(200, json!({"jsonrpc": "2.0", "id": id, "result": null}).to_string().into_bytes());
            }
            Some(Fault::NoResult) => return Outcome::json(200, json!({"jsonrpc": "2.0", "id": id}).to_string().into_bytes()),
            _ => {}
        }
        self.list(&id, question.get("params").unwrap_or(&Value::Null), fault, switches)
    }

    fn list(&self, id: &Value, params: &Value, fault: Option<&Fault>, switches: &Switches) -> Outcome {
        let rows = wire::rows(&self.catalogue(), switches, params, fault);
        let id = if matches!(fault, Some(Fault::OtherId)) { json!("somebody-elses") } else { id.clone() };
        let mut body = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":[").into_bytes();
        let stop = match fault {
            Some(Fault::CutBody { after } | Fault::TruncatedJson { after }) => Some(*after),
            _ => None,
        };
        let mut end = None;
        for (place, row) in rows.iter().enumerate() {
            if stop == Some(place) {
                // In the middle of the next row.
                end = Some(body.len() + row.len() / 2);
            }
            if place > 0 {
                body.push(b',');
            }
            body.extend_from_slice(row.as_bytes());
        }
        body.extend_from_slice(b"]}");
        let end = stop.map(|_| end.unwrap_or(body.len() - 1));
        let mut outcome = Outcome::json(200, body);
        match fault {
            Some(Fault::TruncatedJson { .. }) => outcome.body.truncate(end.unwrap_or_default()),
            Some(Fault::CutBody { .. }) => outcome.cut = end,
            Some(Fault::Slow { ms }) => outcome.wait = Duration::from_millis(*ms),
            _ => {}
        }
        outcome
    }
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "cut on demand")
}

fn send(outcome: Outcome, date: &str, pause: Duration) -> HttpResponse {
    let mut response = HttpResponse::build(StatusCode::from_u16(outcome.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    response.insert_header((header::CONTENT_TYPE, outcome.content_type));
    response.insert_header((header::DATE, date));
    if let Some(seconds) = outcome.retry_after {
        response.insert_header((header::RETRY_AFTER, seconds.to_string()));
    }
    let size = u64::try_from(outcome.body.len()).unwrap_or(u64::MAX);
    match outcome.cut {
        // An error before the first byte: the head is still unsent, so the client sees a closed connection.
        Some(0) => response.body(SizedStream::new(1, stream::once(async { Err::<Bytes, _>(cut()) }))),
        Some(end) => {
            let sent = Bytes::from(outcome.body.get(..end).unwrap_or_default().to_vec());
            let last = stream::once(async {
                // A moment for what was sent to leave.
                tokio::time::sleep(Duration::from_millis(20)).await;
                Err::<Bytes, _>(cut())
            });
            response.body(SizedStream::new(size.max(2), stream::once(async move { Ok(sent) }).chain(last)))
        }
        None if outcome.body.len() <= PIECE && pause.is_zero() => response.body(outcome.body),
        None => {
            let body = Bytes::from(outcome.body);
            // Without a length, as a remote does that begins before it knows the end.
            let pieces = stream::unfold(body, move |mut rest| async move {
                if rest.is_empty() {
                    return None;
                }
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
                let piece = rest.split_to(rest.len().min(PIECE));
                Some((Ok::<_, io::Error>(piece), rest))
            });
            response.body(BodyStream::new(Box::pin(pieces)))
        }
    }
}
