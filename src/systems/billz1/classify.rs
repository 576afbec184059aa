//! What an answer of BILLZ 1.0 is. Codes and HTTP statuses of errors are unknown, so the body decides (fact sheet, section 3).
//!
//! A failure is `{"jsonrpc", "id", "error": {"code", "message"}}` in place of `result`, with HTTP 200 as well as 401. A `result` that is
//! missing or null is an answer we cannot read: never "there is nothing".

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::remote::{
    Class, Reply,
    lenient::{raw, scalar},
};

/// The keys of an answer that was read whole. `None` = absent, null is kept as its text.
#[derive(Debug, Default, Deserialize)]
struct Envelope<'a> {
    #[serde(default, borrow, deserialize_with = "raw")]
    error: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "raw")]
    result: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct Inner<'a> {
    #[serde(default, borrow, deserialize_with = "raw")]
    code: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "raw")]
    message: Option<&'a RawValue>,
}

/// Judges an answer or, of a long one, its beginning: whether a list of rows follows.
pub fn judge(reply: &Reply, complete: bool) -> Class<()> {
    let envelope = if complete { open(&reply.body) } else { None };
    let error = envelope.as_ref().and_then(|envelope| envelope.error).filter(|error| error.get() != "null");
    if let Some(error) = error {
        return refusal(error.get(), reply);
    }
    if let Some(class) = reply.by_status(words(reply)) {
        return class;
    }
    if let Some(garbled) = reply.garbled() {
        return garbled;
    }
    if !complete {
        return match body(reply).first() {
            Some(b'{') => Class::Good(()),
            _ => Class::Unreadable("the answer is no JSON-RPC object".into()),
        };
    }
    match envelope.map(|envelope| envelope.result.map(|result| result.get().as_bytes().first().copied())) {
        None => Class::Unreadable("the answer is not the JSON we know, or only its beginning".into()),
        Some(None) => Class::Unreadable("the answer has no `result`".into()),
        Some(Some(Some(b'['))) => Class::Good(()),
        Some(Some(_)) => Class::Unreadable("`result` is no list".into()),
    }
}

/// What an `error` means: its words decide, then the codes that JSON-RPC itself defines.
pub fn refusal<T>(error: &str, reply: &Reply) -> Class<T> {
    let said = said(error);
    let words = said.to_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    if says(&["invalid token", "empty token", "token expired", "token is expired", "unauthorized"]) {
        return Class::TokenExpired(said);
    }
    if says(&["access denied", "permission denied", "forbidden"]) {
        return Class::Forbidden(said);
    }
    if says(&["too many requests", "rate limit"]) {
        return Class::RateLimited { retry_after: reply.retry_after(), detail: said };
    }
    if let Some(class) = reply.by_status(Some(said.clone())) {
        return class;
    }
    // Parse error, invalid request, no such method, invalid params: the same request would be refused again.
    if ["-32700", "-32600", "-32601", "-32602"].iter().any(|code| said.starts_with(code)) {
        return Class::Rejected(said);
    }
    Class::Unavailable(said)
}

/// `code: message` of an error in whatever form.
fn said(error: &str) -> String {
    if let Some(text) = scalar(error) {
        return text;
    }
    let inner = serde_json::from_str::<Inner<'_>>(error).unwrap_or_default();
    let text = |raw: Option<&RawValue>| raw.and_then(|raw| scalar(raw.get())).filter(|text| !text.trim().is_empty());
    [text(inner.code), text(inner.message)].into_iter().flatten().collect::<Vec<_>>().join(": ")
}

/// What is worth showing of an error page.
fn words(reply: &Reply) -> Option<String> {
    let page = reply.garbled::<()>().is_some() && !reply.body.is_empty();
    Some(if page { "a web page".to_owned() } else { String::from_utf8_lossy(reply.body.get(..400).unwrap_or(&reply.body)).into_owned() })
}

fn body(reply: &Reply) -> &[u8] {
    reply.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&reply.body).trim_ascii_start()
}

fn open(body: &[u8]) -> Option<Envelope<'_>> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
    // serde would read a list as an object, field by field.
    if body.first() == Some(&b'{') { serde_json::from_slice(body).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::testing::reply;

    #[test]
    fn the_body_decides_whatever_the_status() {
        let error = |code: i64, message: &str| format!(r#"{{"jsonrpc":"2.0","id":"1","error":{{"code":{code},"message":"{message}"}}}}"#);
        let table = [
            (200, error(-32000, "Invalid token"), "token_expired"),
            (401, error(-32000, "Invalid token"), "token_expired"),
            (200, error(1, "Empty token"), "token_expired"),
            (500, error(1, "Empty token"), "token_expired"),
            (401, String::new(), "token_expired"),
            (200, error(-32603, "Internal error"), "unavailable"),
            (200, error(-32001, "something"), "unavailable"),
            (200, error(-32601, "Method not found"), "rejected"),
            (200, error(-32602, "Invalid params"), "rejected"),
            (200, error(7, "Access denied"), "forbidden"),
            (200, error(7, "Too many requests"), "rate_limited"),
            (429, String::new(), "rate_limited"),
            (503, "<html>".into(), "unavailable"),
            (400, error(-32000, "bad"), "rejected"),
            (200, r#"{"error":"Invalid token"}"#.into(), "token_expired"),
            (200, r#"{"jsonrpc":"2.0","id":"1","result":null}"#.into(), "unreadable"),
            (200, r#"{"jsonrpc":"2.0","id":"1"}"#.into(), "unreadable"),
            (200, r#"{"jsonrpc":"2.0","id":"1","result":{}}"#.into(), "unreadable"),
            (200, r#"{"jsonrpc":"2.0","id":"1","result":[{"ID":1}"#.into(), "unreadable"),
            (200, "[]".into(), "unreadable"),
            (200, "<html>".into(), "garbled"),
            (200, String::new(), "garbled"),
            (200, r#"{"jsonrpc":"2.0","id":"1","result":[]}"#.into(), "good"),
            (200, r#"{"jsonrpc":"2.0","id":"1","error":null,"result":[]}"#.into(), "good"),
        ];
        for (status, body, expected) in table {
            assert_eq!(judge(&reply(status, &[], &body), true).name(), expected, "{status} {body}");
        }
    }

    #[test]
    fn of_a_long_answer_only_the_beginning_is_judged() {
        assert_eq!(judge(&reply(200, &[], r#"{"jsonrpc":"2.0","result":[{"ID""#), false), Class::Good(()));
        assert_eq!(judge(&reply(200, &[], "<html>"), false).name(), "garbled");
        assert_eq!(judge(&reply(200, &[], "[1,2"), false).name(), "unreadable");
    }
}
