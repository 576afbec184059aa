//! What an answer of BILLZ 2.0 is: three families of errors, which may stand inside a 200 (fact sheet, section 3).
//!
//! | family | body |
//! |---|---|
//! | A envelope | `{code, message, error: string or null, data}` |
//! | B object | `{"error": {"code": "NOT_FOUND", "message": "..."}}` |
//! | C async | `{status_code, error: {code: "", message: ""}, data, ...}`; empty strings and a `status_code` under 400 are no error |
//!
//! Success is either A with `code` 200 or the bare thing asked for.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::remote::{
    Class, Reply,
    lenient::{raw, scalar},
};

/// The keys of all families and lists; the rest of an answer is skipped. `None` = absent, null is kept as its text.
#[derive(Debug, Default, Deserialize)]
pub struct Envelope<'a> {
    #[serde(default, borrow, deserialize_with = "raw")]
    code: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "raw")]
    status_code: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "raw")]
    message: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "raw")]
    error: Option<&'a RawValue>,
    /// What family A and C wrap; defensive for lists.
    #[serde(default, borrow, deserialize_with = "raw")]
    pub data: Option<&'a RawValue>,
    /// Total for the filter.
    #[serde(default, borrow, deserialize_with = "raw")]
    pub count: Option<&'a RawValue>,
    /// Rows of `/v2/products`.
    #[serde(default, borrow, deserialize_with = "raw")]
    pub products: Option<&'a RawValue>,
    /// Rows of `/v1/shop`.
    #[serde(default, borrow, deserialize_with = "raw")]
    pub shops: Option<&'a RawValue>,
    /// Rows of `/v2/category`.
    #[serde(default, borrow, deserialize_with = "raw")]
    pub categories: Option<&'a RawValue>,
}

/// Family B's inner object, also C's.
#[derive(Default, Deserialize)]
struct Inner<'a> {
    #[serde(default, borrow, deserialize_with = "raw")]
    code: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "raw")]
    message: Option<&'a RawValue>,
}

/// Judges an answer; `read` takes out what was asked for and says what is wrong with its shape.
pub fn judge<T>(reply: &Reply, read: impl FnOnce(&Envelope<'_>) -> Result<T, String>) -> Class<T> {
    if !reply.status.is_success() {
        return refused(reply);
    }
    if let Some(garbled) = reply.garbled() {
        return garbled;
    }
    let envelope = match open(&reply.body) {
        Ok(envelope) => envelope,
        Err(error) => return Class::Unreadable(format!("the answer is not the JSON we know: {error}")),
    };
    if let Some(refusal) = refusal(&envelope, reply) {
        return refusal;
    }
    match read(&envelope) {
        Ok(value) => Class::Good(value),
        Err(wrong) => Class::Unreadable(wrong),
    }
}

/// Judges the answer to a login: a wrong secret may be 400, 401 or 403, as a status or inside a 200.
pub fn judge_login<T>(reply: &Reply, read: impl FnOnce(&Envelope<'_>) -> Result<T, String>) -> Class<T> {
    let page = reply.garbled::<T>().is_some();
    match judge(reply, read) {
        Class::TokenExpired(detail) => Class::Auth(detail),
        // A web page on 403 is a gate before the API, not the API's view of the secret.
        Class::Forbidden(detail) if !page => Class::Auth(detail),
        Class::Rejected(detail) if !page && (reply.status.as_u16() == 400 || reply.status.is_success() && detail.starts_with("400")) => {
            Class::Auth(detail)
        }
        other => other,
    }
}

/// A status that is no success.
fn refused<T>(reply: &Reply) -> Class<T> {
    let status = reply.status.as_u16();
    let envelope = open(&reply.body).ok();
    // A 400 may hold what is really a refused token or right.
    if status == 400
        && let Some(class @ (Class::TokenExpired(_) | Class::Forbidden(_) | Class::RateLimited { .. })) =
            envelope.as_ref().and_then(|envelope| refusal(envelope, reply))
    {
        return class;
    }
    let words = match &envelope {
        Some(envelope) => Said::of(envelope).words,
        None if reply.garbled::<T>().is_some() && !reply.body.is_empty() => {
            if status == 403 {
                "a web page: this address may be blocked".to_owned()
            } else {
                "a web page".to_owned()
            }
        }
        None => String::from_utf8_lossy(reply.body.get(..400).unwrap_or(&reply.body)).into_owned(),
    };
    reply.by_status(Some(words)).unwrap_or_else(|| Class::Unreadable(format!("HTTP {status}")))
}

/// What a body says of an error.
#[derive(Default)]
struct Said {
    /// `status_code` or `code` that is none of success.
    number: Option<u16>,
    /// Name of the error, in capitals.
    name: String,
    /// All words together.
    words: String,
    /// Whether it says anything of an error.
    any: bool,
}

impl Said {
    fn of(envelope: &Envelope<'_>) -> Self {
        let mut name = String::new();
        let mut texts = Vec::new();
        let mut numbers = vec![envelope.status_code, envelope.code];
        if let Some(error) = envelope.error.map(RawValue::get) {
            if error.trim_start().starts_with('{') {
                let inner = serde_json::from_str::<Inner<'_>>(error).unwrap_or_default();
                numbers.push(inner.code);
                let code = plain(inner.code);
                if code.parse::<u16>().is_err() {
                    name = code.to_ascii_uppercase();
                    texts.push(code);
                }
                texts.push(plain(inner.message));
            } else {
                texts.push(scalar(error).filter(|text| text != "false" && text != "0").unwrap_or_default());
            }
        }
        texts.retain(|text| !text.trim().is_empty());
        let number =
            numbers.into_iter().filter_map(|raw| plain(raw).trim().parse::<u16>().ok()).find(|number| !matches!(number, 0 | 200..=299));
        let any = !texts.is_empty() || number.is_some();
        let message = plain(envelope.message);
        if any && !message.trim().is_empty() && !texts.contains(&message) {
            texts.insert(0, message);
        }
        Self { number, name, words: texts.join(": "), any }
    }

    fn says(&self, parts: &[&str]) -> bool {
        let words = self.words.to_lowercase();
        parts.iter().any(|part| words.contains(part))
    }
}

/// The error inside a body; `None` when it tells of none.
fn refusal<T>(envelope: &Envelope<'_>, reply: &Reply) -> Option<Class<T>> {
    let said = Said::of(envelope);
    if !said.any {
        return None;
    }
    let number = said.number.unwrap_or_else(|| number_of(&said.name));
    let detail = match said.number {
        Some(number) => format!("{number} in the body: {}", said.words),
        None => said.words.clone(),
    };
    let limited = |detail| Class::RateLimited { retry_after: reply.retry_after(), detail };
    Some(match number {
        401 => Class::TokenExpired(detail),
        403 => Class::Forbidden(detail),
        429 => limited(detail),
        408 | 500..=599 => Class::Unavailable(detail),
        _ if said.says(&["token is expired", "token error", "token expired", "invalid token", "unauthorized"]) => {
            Class::TokenExpired(detail)
        }
        _ if said.says(&["access denied", "permission denied"]) => Class::Forbidden(detail),
        _ if said.says(&["too many requests", "rate limit"]) => limited(detail),
        _ => Class::Rejected(detail),
    })
}

/// The HTTP status that a name stands for, 0 for unknown names.
fn number_of(name: &str) -> u16 {
    match name {
        "UNAUTHORIZED" | "UNAUTHENTICATED" | "TOKEN_EXPIRED" | "INVALID_TOKEN" => 401,
        "FORBIDDEN" | "ACCESS_DENIED" | "PERMISSION_DENIED" => 403,
        "TOO_MANY_REQUESTS" | "RATE_LIMIT" | "RATE_LIMIT_EXCEEDED" | "RESOURCE_EXHAUSTED" => 429,
        "INTERNAL" | "INTERNAL_ERROR" | "INTERNAL_SERVER_ERROR" | "BAD_GATEWAY" => 500,
        "UNAVAILABLE" | "SERVICE_UNAVAILABLE" | "TIMEOUT" | "GATEWAY_TIMEOUT" | "DEADLINE_EXCEEDED" => 503,
        _ => 0,
    }
}

fn plain(raw: Option<&RawValue>) -> String {
    raw.and_then(|raw| scalar(raw.get())).unwrap_or_default()
}

/// The body as an object, with or without a byte order mark before it. A list is none, though serde would read it as one.
fn open(body: &[u8]) -> Result<Envelope<'_>, serde_json::Error> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
    if body.first().is_some_and(|first| *first != b'{') {
        return Err(serde::de::Error::custom("expected an object"));
    }
    serde_json::from_slice(body)
}

#[cfg(test)]
#[path = "classify_tests.rs"]
mod tests;
