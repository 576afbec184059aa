//! Answers: the error families of sheet 3, and the ways an answer can be lost on its way.

use std::{io, time::Duration};

use actix_web::{
    HttpResponse,
    body::SizedStream,
    http::{StatusCode, header},
    web::Bytes,
};
use futures_util::stream;
use serde::Serialize;
use serde_json::json;

use super::faults::Family;

/// An answer before it is sent.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    content_type: &'static str,
    retry_after: Option<u32>,
}

/// How an answer leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// As it should.
    Whole,
    /// Half of the body as if it were the whole.
    Truncated,
    /// Half of the body, then the connection is cut.
    Cut,
    /// Half of the body, a pause, the rest.
    Paused(Duration),
    /// Not at all: the connection is closed.
    Dropped,
}

impl Reply {
    /// Any value as JSON.
    pub fn json(status: u16, value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).unwrap_or_default();
        Self { status, body, content_type: "application/json; charset=utf-8", retry_after: None }
    }

    /// Family A: the envelope.
    pub fn family_a(status: u16, message: &str, error: &str) -> Self {
        Self::json(status, &json!({"code": status, "message": message, "error": error, "data": null}))
    }

    /// Family B: the object.
    pub fn family_b(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, &json!({"error": {"code": code, "message": message}}))
    }

    /// An error of any family. `http` is the status line, `status` what the body says.
    pub fn error(http: u16, status: u16, family: Family) -> Self {
        let (code, message) = match status {
            400 => ("BAD_REQUEST", "bad request"),
            401 => ("UNAUTHORIZED", "token error"),
            403 => ("FORBIDDEN", "access denied"),
            404 => ("NOT_FOUND", "not found"),
            429 => ("TOO_MANY_REQUESTS", "too many requests"),
            502 => ("BAD_GATEWAY", "bad gateway"),
            503 => ("SERVICE_UNAVAILABLE", "service unavailable"),
            _ => ("INTERNAL_SERVER_ERROR", "internal server error"),
        };
        let mut reply = match family {
            Family::A if status == 401 => Self::family_a(status, message, "Token is expired"),
            Family::A => Self::family_a(status, message, message),
            Family::B => Self::family_b(status, code, message),
            Family::C => Self::json(
                status,
                &json!({"session_id": "", "status_code": status, "id": "", "error": {"code": code, "message": message}, "data": null,
                    "correlation_id": "6b1b4f60-0000-4000-8000-000000000001", "topic": "v1.product"}),
            ),
            Family::Html => Self {
                status,
                body: format!("<html>\r\n<head><title>{status} {message}</title></head>\r\n<body>\r\n<center><h1>{status} {message}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n").into_bytes(),
                content_type: "text/html",
                retry_after: None,
            },
            Family::Empty => Self { status, body: Vec::new(), content_type: "text/plain", retry_after: None },
        };
        reply.status = http;
        reply
    }

    /// 429 of the limit. The body is a guess; the header is unproven (sheet 2), so absent by default.
    pub fn too_many(retry_after: Option<u32>) -> Self {
        Self::error(429, 429, Family::B).retry_after(retry_after)
    }

    /// 400 family B, as for a date in ISO form.
    pub fn bad_request(message: &str) -> Self {
        Self::family_b(400, "BAD_REQUEST", message)
    }

    /// With a `Retry-After` header.
    #[must_use]
    pub const fn retry_after(mut self, seconds: Option<u32>) -> Self {
        self.retry_after = seconds;
        self
    }

    /// Turns it into a response; `date` is the remote's clock.
    pub fn send(self, delivery: Delivery, date: &str) -> HttpResponse {
        let mut response = HttpResponse::build(StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
        response.insert_header((header::CONTENT_TYPE, self.content_type));
        response.insert_header((header::DATE, date));
        if let Some(seconds) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        let mut first = self.body;
        let size = u64::try_from(first.len()).unwrap_or(u64::MAX);
        let rest = first.split_off(first.len() / 2);
        match delivery {
            Delivery::Whole => {
                first.extend_from_slice(&rest);
                response.body(first)
            }
            Delivery::Truncated => response.body(first),
            Delivery::Cut => response.body(SizedStream::new(size.max(2), halves(first, Err(cut())))),
            Delivery::Paused(pause) => response.body(SizedStream::new(
                size,
                stream::unfold(0_u8, {
                    let halves = [Bytes::from(first), Bytes::from(rest)];
                    move |turn| {
                        let half = halves.get(usize::from(turn)).cloned();
                        async move {
                            if turn == 1 {
                                tokio::time::sleep(pause).await;
                            }
                            half.map(|half| (Ok::<_, io::Error>(half), turn + 1))
                        }
                    }
                }),
            )),
            // An error before the first byte of the body: the head is still unsent, so the client sees a closed connection.
            Delivery::Dropped => response.body(SizedStream::new(1, stream::once(async { Err::<Bytes, _>(cut()) }))),
        }
    }
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "cut on demand")
}

/// The first half, a moment for it to leave, then the end.
fn halves(first: Vec<u8>, end: Result<Bytes, io::Error>) -> impl stream::Stream<Item = Result<Bytes, io::Error>> {
    let later = async move {
        tokio::time::sleep(Duration::from_millis(20)).await;
        end
    };
    stream::StreamExt::chain(stream::once(async move { Ok(Bytes::from(first)) }), stream::once(later))
}
