//! What an answer of Bitrix24 is (fact sheet, section 3), and what it tells of the time that a method has used up.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rust_decimal::prelude::ToPrimitive;
use serde_json::{Map, Value};

use super::wire;
use crate::{
    domain::number,
    remote::{Class, Reply},
};

/// How long to wait where the end of a method's time is not told: the window itself (section 2).
pub const WINDOW: Duration = Duration::from_secs(600);

/// Running time of methods, as an answer tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Operating {
    /// Seconds used up in the present ten minutes, by the method that has used most.
    pub seconds: u64,
    /// How long until they are given back.
    pub resets_in: Option<Duration>,
}

/// A good answer.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// `result`.
    pub result: Value,
    /// The portal's clock when it began.
    pub began: Option<DateTime<Utc>>,
    /// Running time used up.
    pub operating: Operating,
}

/// Judges an answer.
pub fn judge(reply: &Reply) -> Class<Envelope> {
    let status = reply.status.as_u16();
    if (300..400).contains(&status) {
        return Class::Rejected(format!("HTTP {status}: the portal has moved; set the new address of the webhook"));
    }
    let body: Option<Map<String, Value>> = serde_json::from_slice(&reply.body).ok();
    let Some(body) = body else {
        return match (reply.garbled(), reply.by_status(None)) {
            (_, Some(class)) => without_expiry(class),
            (Some(garbled), None) => garbled,
            (None, None) => Class::Unreadable("no readable JSON object".to_owned()),
        };
    };
    let time = body.get("time");
    if let Some(error) = body.get("error") {
        let description = wire::text(body.get("error_description"));
        return refusal(status, &wire::text(Some(error)), &description, time, reply);
    }
    if !reply.status.is_success() {
        return without_expiry(reply.by_status(None).unwrap_or_else(|| Class::Unreadable(format!("HTTP {status}"))));
    }
    match body.get("result") {
        Some(result) => {
            let operating = most(operating(time, time), result.get("result_time"), time);
            Class::Good(Envelope { result: result.clone(), began: began(time), operating })
        }
        None => Class::Unreadable("the answer has no `result`".to_owned()),
    }
}

/// A webhook knows no expiry.
fn without_expiry<T>(class: Class<T>) -> Class<T> {
    match class {
        Class::TokenExpired(detail) => Class::Auth(detail),
        other => other,
    }
}

/// What a refusal is, by its code; entity-level ones have none, and only their words tell.
fn refusal<T>(status: u16, code: &str, description: &str, time: Option<&Value>, reply: &Reply) -> Class<T> {
    let detail = [code, description].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ");
    let detail = if detail.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}: {detail}") };
    match code.to_ascii_uppercase().as_str() {
        "QUERY_LIMIT_EXCEEDED" => Class::RateLimited { retry_after: reply.retry_after(), detail },
        "OPERATION_TIME_LIMIT" => Class::RateLimited { retry_after: Some(resets_in(time, time).unwrap_or(WINDOW)), detail },
        "OVERLOAD_LIMIT" => Class::Forbidden(format!("{detail}; Bitrix24 has blocked the portal's REST by hand: write to its support")),
        "NO_AUTH_FOUND" | "EXPIRED_TOKEN" | "INVALID_TOKEN" | "INVALID_CREDENTIALS" | "AUTHORIZATION_ERROR" => Class::Auth(detail),
        "INSUFFICIENT_SCOPE" | "ACCESS_DENIED" | "USER_ACCESS_ERROR" | "ERROR_METHOD_NOT_FOUND" => Class::Forbidden(detail),
        "PORTAL_DELETED" => Class::Forbidden(format!("{detail}; the portal is gone")),
        "INTERNAL_SERVER_ERROR" | "ERROR_UNEXPECTED_ANSWER" => Class::Unavailable(detail),
        _ if description.to_lowercase().contains("access denied") => Class::Forbidden(detail),
        _ => match reply.by_status(Some(detail.clone())) {
            Some(class) => without_expiry(class),
            // An error inside a 200.
            None => Class::Rejected(detail),
        },
    }
}

/// Whether a command of a batch met a limit and was not carried out.
pub fn is_limit(code: &str) -> bool {
    matches!(code.to_ascii_uppercase().as_str(), "QUERY_LIMIT_EXCEEDED" | "OPERATION_TIME_LIMIT")
}

fn began(time: Option<&Value>) -> Option<DateTime<Utc>> {
    wire::moment(time?.get("date_start")?.as_str()?)
}

fn whole(value: Option<&Value>) -> Option<u64> {
    number::parse_decimal(&wire::text(value))?.to_u64()
}

/// How long until a method's time is given back; `clock` is the `time` that holds the portal's own clock.
fn resets_in(time: Option<&Value>, clock: Option<&Value>) -> Option<Duration> {
    let reset = i64::try_from(whole(time?.get("operating_reset_at"))?).ok()?;
    let now = began(time).or_else(|| began(clock)).unwrap_or_else(crate::domain::clock::now);
    Some(Duration::from_secs(u64::try_from(reset.saturating_sub(now.timestamp())).unwrap_or_default()).min(WINDOW))
}

fn operating(time: Option<&Value>, clock: Option<&Value>) -> Operating {
    let seconds = time.and_then(|time| whole(time.get("operating"))).unwrap_or_default();
    Operating { seconds, resets_in: resets_in(time, clock) }
}

/// The method of a batch that has used most.
fn most(own: Operating, inner: Option<&Value>, clock: Option<&Value>) -> Operating {
    let inner = inner.and_then(Value::as_object).into_iter().flatten().map(|(_, time)| operating(Some(time), clock));
    inner.fold(own, |most, one| if one.seconds > most.seconds { one } else { most })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::testing::reply;

    fn class(status: u16, body: &str) -> Class<Envelope> {
        judge(&reply(status, &[], body))
    }

    #[test]
    fn every_error_of_the_sheet_is_known() {
        for (status, body, name) in [
            (400, r#"{"error":"","error_description":"Contact is not found"}"#, "rejected"),
            (400, r#"{"error":"","error_description":"ACCESS denied."}"#, "forbidden"),
            (400, r#"{"error":"INVALID_REQUEST","error_description":"https"}"#, "rejected"),
            (401, r#"{"error":"NO_AUTH_FOUND"}"#, "auth"),
            (401, r#"{"error":"INVALID_CREDENTIALS"}"#, "auth"),
            (403, r#"{"error":"INVALID_CREDENTIALS"}"#, "auth"),
            (403, r#"{"error":"insufficient_scope"}"#, "forbidden"),
            (403, r#"{"error":"ACCESS_DENIED"}"#, "forbidden"),
            (404, r#"{"error":"ERROR_METHOD_NOT_FOUND"}"#, "forbidden"),
            (500, r#"{"error":"INTERNAL_SERVER_ERROR"}"#, "unavailable"),
            (503, r#"{"error":"QUERY_LIMIT_EXCEEDED"}"#, "rate_limited"),
            (503, r#"{"error":"OVERLOAD_LIMIT"}"#, "forbidden"),
            (502, "<html>bad gateway", "unavailable"),
            (504, "", "unavailable"),
            (302, "", "rejected"),
            (200, "<html>", "garbled"),
            (200, r#"{"result":["#, "unreadable"),
            (200, r#"{"time":{}}"#, "unreadable"),
            (200, r#"{"error":"","error_description":"Not found"}"#, "rejected"),
            (200, r#"{"result":[]}"#, "good"),
        ] {
            assert_eq!(class(status, body).name(), name, "HTTP {status} {body}");
        }
    }

    #[test]
    fn a_methods_time_tells_when_it_is_given_back() {
        let body = r#"{"error":"OPERATION_TIME_LIMIT","time":{"date_start":"2026-05-14T10:05:00+03:00","operating_reset_at":1778742420}}"#;
        match class(429, body) {
            Class::RateLimited { retry_after, .. } => assert_eq!(retry_after, Some(Duration::from_secs(120))),
            other => panic!("{other:?}"),
        }
        let body = r#"{"result":{"result_time":{"a":{"operating":3.5},"b":{"operating":441.2,"operating_reset_at":1778742310}}},
            "time":{"operating":0,"date_start":"2026-05-14T10:05:00+03:00"}}"#;
        match class(200, body) {
            Class::Good(envelope) => {
                assert_eq!((envelope.operating.seconds, envelope.operating.resets_in), (441, Some(Duration::from_secs(10))));
            }
            other => panic!("{other:?}"),
        }
    }
}
