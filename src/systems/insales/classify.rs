//! What an answer of InSales is (fact sheet, section 3), and what it tells of the budget.

use std::time::Duration;

use serde_json::Value;

use super::SYSTEM;
use crate::remote::{Class, Reply};

/// How long to wait where a refusal for the limit does not say (the official client does the same).
const UNTOLD: Duration = Duration::from_secs(150);
/// Most of a body that is quoted.
const WORDS: usize = 400;

/// `API-Usage-Limit: <used>/<limit>` of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Requests of the present window so far.
    pub used: u32,
    /// How many there may be.
    pub limit: u32,
}

impl Usage {
    /// Reads the header; `None` when it is missing or something else.
    pub fn of(reply: &Reply) -> Option<Self> {
        let text = reply.headers.get("api-usage-limit")?.to_str().ok()?;
        let (used, limit) = text.split_once('/')?;
        Some(Self { used: used.trim().parse().ok()?, limit: limit.trim().parse().ok()? })
    }
}

/// Judges an answer; `read` takes out what was asked for and says what is wrong with its shape. With what it tells of the budget.
pub fn judge<T>(reply: &Reply, read: impl FnOnce(&[u8]) -> Result<T, String>) -> Class<(T, Option<Usage>)> {
    let status = reply.status.as_u16();
    let retry_after = reply.retry_after();
    // The older form of the limit has the header that an ordinary 503 lacks, or at least the same empty body.
    let limited = status == 429 || (status == 503 && (retry_after.is_some() || reply.body.trim_ascii().is_empty()));
    if limited {
        return Class::RateLimited { retry_after: Some(retry_after.unwrap_or(UNTOLD)), detail: format!("HTTP {status} of the limit") };
    }
    if !reply.status.is_success() {
        return match reply.by_status(words(reply)) {
            // Basic knows no expiry.
            Some(Class::TokenExpired(detail)) => Class::Auth(detail),
            Some(class) => class,
            None => Class::Unreadable(format!("HTTP {status}")),
        };
    }
    if let Some(garbled) = reply.garbled() {
        return garbled;
    }
    match read(&reply.body) {
        Ok(value) => Class::Good((value, Usage::of(reply))),
        Err(wrong) => Class::Unreadable(wrong),
    }
}

/// The words of an error, in any of the forms of the sheet; a web page has none.
fn words(reply: &Reply) -> Option<String> {
    if reply.garbled::<()>().is_some() {
        return (!reply.body.trim_ascii().is_empty()).then(|| "a web page".to_owned());
    }
    let text = match serde_json::from_slice::<Value>(&reply.body) {
        Ok(value) => value.get("message").and_then(Value::as_str).map_or_else(|| value.to_string(), str::to_owned),
        Err(_) => String::from_utf8_lossy(&reply.body).into_owned(),
    };
    Some(text.chars().take(WORDS).collect())
}

/// The key of the shared limit: one application in one shop.
pub fn limit_key(host: &str, app_id: &str) -> String {
    format!("{SYSTEM}:{host}:{app_id}").chars().take(190).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::testing::reply;

    fn class(status: u16, headers: &[(&str, &str)], body: &str) -> Class<((), Option<Usage>)> {
        judge(&reply(status, headers, body), |_| Ok(()))
    }

    #[test]
    fn the_limit_comes_in_two_forms_with_an_empty_body() {
        let after = |class: Class<_>| match class {
            Class::RateLimited { retry_after, .. } => retry_after.map(|pause: Duration| pause.as_secs()),
            _ => None,
        };
        assert_eq!(after(class(429, &[("retry-after", "240")], "")), Some(240));
        assert_eq!(after(class(503, &[("retry-after", "12")], "")), Some(12));
        assert_eq!(after(class(429, &[], "")), Some(150), "the official client's pause");
        assert_eq!(after(class(503, &[], " ")), Some(150));
        assert_eq!(class(503, &[], "<html>maintenance").name(), "unavailable");
    }

    #[test]
    fn every_error_of_the_sheet_is_known() {
        for (status, body, name) in [
            (400, "", "rejected"),
            (401, "HTTP Basic: Access denied.", "auth"),
            (403, r#"{"status":"error","message":"no right"}"#, "forbidden"),
            (404, "<!doctype html><p>404", "rejected"),
            (422, r#"{"message":"incorrect Content-Type, should be application/json"}"#, "rejected"),
            (422, r#"{"quantity":["is not a number"]}"#, "rejected"),
            (500, "", "unavailable"),
            (504, "", "unavailable"),
            (301, "", "rejected"),
            (200, "<html>", "garbled"),
            (200, "", "garbled"),
        ] {
            assert_eq!(class(status, &[], body).name(), name, "HTTP {status} {body}");
        }
        match class(422, &[], r#"{"quantity":["is not a number"]}"#) {
            Class::Rejected(detail) => assert!(detail.contains("quantity"), "{detail}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_budget_is_read_off_the_header() {
        let usage = |value: &str| Usage::of(&reply(200, &[("API-Usage-Limit", value)], "[]"));
        assert_eq!(usage("12/500"), Some(Usage { used: 12, limit: 500 }));
        assert_eq!(usage(" 12 / 500 "), Some(Usage { used: 12, limit: 500 }));
        assert_eq!(usage("many"), None);
        assert_eq!(Usage::of(&reply(200, &[], "[]")), None);
    }
}
