//! What an answer of OK Living is (fact sheet, section 3).

use std::time::Duration;

use serde_json::Value;

use crate::remote::{Class, Reply, redact};

/// Codes of a transition that the state machine does not allow.
const ILLEGAL: &[&str] = &["SYSTEM__ILLEGAL_STATE_TRANSITION", "ILLEGAL_STATE_TRANSITION"];
/// Most of a body's words that are quoted.
const WORDS: usize = 200;

/// How an answer refuses something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The remote's own words, without what may be personal.
    pub words: String,
    /// Whether the state machine does not allow a transition.
    pub illegal: bool,
}

/// The body without the byte order mark that some servers begin with.
pub fn body(reply: &Reply) -> &[u8] {
    reply.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&reply.body)
}

/// Judges an answer; `read` takes out what was asked for and says what is wrong with its shape.
pub fn judge<T>(reply: &Reply, read: impl FnOnce(&[u8]) -> Result<T, String>) -> Class<T> {
    if let Some(class) = reply.by_status(words(reply)) {
        return class;
    }
    if let Some(garbled) = garbled(reply) {
        return garbled;
    }
    if let Some(refusal) = refusal(reply) {
        return Class::Rejected(refusal.words);
    }
    match read(body(reply)) {
        Ok(value) => Class::Good(value),
        Err(wrong) => Class::Unreadable(wrong),
    }
}

/// Judges the answer to a login, where 400 and 401 mean the credentials.
pub fn judge_login<T>(reply: &Reply, read: impl FnOnce(&[u8]) -> Result<T, String>) -> Class<T> {
    let told = words(reply);
    match reply.status.as_u16() {
        400 | 401 => Class::Auth(told.unwrap_or_else(|| "the login was refused".to_owned())),
        429 => Class::RateLimited {
            retry_after: reply.retry_after().or_else(|| seconds(reply)),
            detail: "the token endpoint throttles".to_owned(),
        },
        _ => judge(reply, read),
    }
}

/// Judges the answer to an update: an illegal transition is an answer, not an error of the call.
pub fn judge_update(reply: &Reply) -> Class<Option<Refusal>> {
    let refused = refusal(reply);
    if let (400 | 409 | 422, Some(refusal)) = (reply.status.as_u16(), refused.clone()) {
        return Class::Good(Some(refusal));
    }
    if let Some(class) = reply.by_status(words(reply)) {
        return class;
    }
    if reply.status.as_u16() == 204 {
        return Class::Good(None);
    }
    match garbled(reply) {
        Some(garbled) => garbled,
        None if refused.is_some() => Class::Good(refused),
        None if serde_json::from_slice::<Value>(body(reply)).is_ok() => Class::Good(None),
        None => Class::Unreadable("the answer is no JSON".to_owned()),
    }
}

fn garbled<T>(reply: &Reply) -> Option<Class<T>> {
    Reply { body: body(reply).to_vec(), ..reply.clone() }.garbled()
}

/// Whether a JSON answer says that something is wrong, whatever its status.
pub fn refusal(reply: &Reply) -> Option<Refusal> {
    let value: Value = serde_json::from_slice(body(reply)).ok()?;
    let errors = match value.get("errors") {
        Some(Value::Array(errors)) if errors.is_empty() => None,
        Some(Value::Null) | None => None,
        Some(errors) => Some(errors),
    };
    let error = value.get("error").filter(|error| !matches!(error, Value::Null | Value::Bool(false)) && error.as_str() != Some(""));
    let failed = value.get("success") == Some(&Value::Bool(false)) || value.get("status").and_then(Value::as_str) == Some("error");
    if errors.is_none() && error.is_none() && !failed {
        return None;
    }
    let text = value.to_string();
    let told = errors.or(error).or_else(|| value.get("message")).unwrap_or(&value);
    Some(Refusal { words: plain(told), illegal: ILLEGAL.iter().any(|code| text.contains(code)) })
}

/// The words of an error in any of the forms of the sheet.
fn plain(told: &Value) -> String {
    let of_one = |error: &Value| match error {
        Value::Object(members) => {
            let part = |name: &str| members.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
            let parts: Vec<String> = ["code", "title", "detail", "message"].into_iter().filter_map(part).collect();
            if parts.is_empty() { error.to_string() } else { parts.join(": ") }
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let text = match told {
        Value::Array(errors) => errors.iter().map(of_one).collect::<Vec<_>>().join("; "),
        other => of_one(other),
    };
    redact::without_numbers(&text).chars().take(WORDS).collect()
}

fn words(reply: &Reply) -> Option<String> {
    if reply.status.is_success() {
        return None;
    }
    refusal(reply).map(|refusal| refusal.words)
}

/// The throttle tells the seconds in its text (section 2).
fn seconds(reply: &Reply) -> Option<Duration> {
    let told = words(reply)?;
    let digits: String = told.chars().skip_while(|letter| !letter.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    digits.parse().ok().filter(|seconds| (1..=600).contains(seconds)).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::testing::reply;

    fn class(status: u16, body: &str) -> &'static str {
        judge(&reply(status, &[], body), |_| Ok(())).name()
    }

    #[test]
    fn every_answer_of_the_sheet_is_known() {
        for (status, body, name) in [
            (200, r#"{"orders":[]}"#, "good"),
            (200, "\u{feff}{}", "good"),
            (200, r#"{"errors":[]}"#, "good"),
            (200, r#"{"errors":[{"code":"0","status":"500","title":"x","detail":null}]}"#, "rejected"),
            (200, r#"{"success":false,"message":"no"}"#, "rejected"),
            (200, r#"{"status":"error"}"#, "rejected"),
            (200, r#"{"error":"no"}"#, "rejected"),
            (200, "<html>", "garbled"),
            (200, "", "garbled"),
            (401, r#"{"errors":[{"code":"9","status":"401"}]}"#, "token_expired"),
            (403, "", "forbidden"),
            (429, "", "rate_limited"),
            (500, "", "unavailable"),
            (502, "<html>", "unavailable"),
            (404, "", "rejected"),
        ] {
            assert_eq!(class(status, body), name, "HTTP {status} {body}");
        }
    }

    #[test]
    fn an_update_tells_illegal_transitions_from_other_refusals() {
        let judged = |status, body: &str| judge_update(&reply(status, &[], body));
        for body in ["{}", r#"{"success":true}"#, r#"{"status":"ok"}"#, r#"{"data":{"id":"1"}}"#, "[]"] {
            assert_eq!(judged(200, body), Class::Good(None), "{body}");
        }
        assert_eq!(judged(204, ""), Class::Good(None));
        let illegal =
            r#"{"errors":[{"code":"SYSTEM__ILLEGAL_STATE_TRANSITION","status":"400","title":"Bad Request","detail":"possible: process"}]}"#;
        match judged(400, illegal) {
            Class::Good(Some(refusal)) => assert!(refusal.illegal && refusal.words.contains("possible: process"), "{refusal:?}"),
            other => panic!("{other:?}"),
        }
        assert!(matches!(judged(200, r#"{"success":false,"message":"no such order"}"#), Class::Good(Some(Refusal { illegal: false, .. }))));
        assert_eq!(judged(401, r#"{"errors":[{"status":"401"}]}"#).name(), "token_expired");
        assert_eq!(judged(500, illegal).name(), "unavailable");
        assert_eq!(judged(200, "<html>").name(), "garbled");
    }

    #[test]
    fn wrong_credentials_and_the_throttle_are_told_apart() {
        let login = |status, headers: &[(&str, &str)], body: &str| judge_login(&reply(status, headers, body), |_| Ok(()));
        assert_eq!(login(401, &[], "{}").name(), "auth");
        assert_eq!(login(400, &[], "").name(), "auth");
        assert_eq!(login(500, &[], "").name(), "unavailable");
        let throttled =
            r#"{"errors":[{"code":"FRAMEWORK__AUTH_THROTTLED","status":"429","title":"Too Many","detail":"try again in 30 seconds"}]}"#;
        assert!(matches!(login(429, &[], throttled), Class::RateLimited { retry_after: Some(pause), .. } if pause.as_secs() == 30));
        assert!(
            matches!(login(429, &[("retry-after", "5")], throttled), Class::RateLimited { retry_after: Some(pause), .. } if pause.as_secs() == 5)
        );
    }
}
