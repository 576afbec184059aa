//! What an answer of Kaktus is: the status, and `success` inside it (fact sheet, section 3).

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::remote::{
    Class, Reply,
    lenient::{raw, scalar},
};

/// The keys that we know; the rest of an answer is skipped. `None` = absent.
#[derive(Debug, Default, Deserialize)]
pub struct Envelope<'a> {
    #[serde(default, borrow, deserialize_with = "raw")]
    success: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "raw")]
    errors: Option<&'a RawValue>,
    /// Rows of a list.
    #[serde(default, borrow, deserialize_with = "raw")]
    pub products: Option<&'a RawValue>,
    /// How many there are in all.
    #[serde(default, rename = "recordsTotal", borrow, deserialize_with = "raw")]
    pub records_total: Option<&'a RawValue>,
    /// Of a login.
    #[serde(default, borrow, deserialize_with = "raw")]
    pub access_token: Option<&'a RawValue>,
    /// Of a login, in seconds.
    #[serde(default, borrow, deserialize_with = "raw")]
    pub expires_in: Option<&'a RawValue>,
    /// What a registration wraps the token in.
    #[serde(default, rename = "authToken", borrow, deserialize_with = "raw")]
    pub auth_token: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct Said<'a> {
    #[serde(default, borrow, deserialize_with = "raw")]
    code: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "raw")]
    message: Option<&'a RawValue>,
}

/// Judges an answer; `read` takes out what was asked for and says what is wrong with its shape.
pub fn judge<T>(reply: &Reply, read: impl FnOnce(&Envelope<'_>) -> Result<T, String>) -> Class<T> {
    let envelope = open(&reply.body);
    let refused = envelope.as_ref().ok().and_then(|envelope| refusal(envelope, reply));
    if !reply.status.is_success() {
        let words = refused.as_ref().map(|(_, words)| words.clone());
        // A 400 or 500 may hold what is really an expired token.
        if let Some((401, words)) = refused {
            return Class::TokenExpired(format!("HTTP {}: {words}", reply.status.as_u16()));
        }
        return reply.by_status(words).unwrap_or_else(|| Class::Unreadable(format!("HTTP {}", reply.status.as_u16())));
    }
    if let Some(garbled) = reply.garbled() {
        return garbled;
    }
    let envelope = match envelope {
        Ok(envelope) => envelope,
        Err(error) => return Class::Unreadable(format!("the answer is not the JSON we know: {error}")),
    };
    if let Some((code, words)) = refused {
        let detail = format!("{code} in the body: {words}");
        return match code {
            401 => Class::TokenExpired(detail),
            403 => Class::Forbidden(detail),
            429 => Class::RateLimited { retry_after: reply.retry_after(), detail },
            408 | 500..=599 => Class::Unavailable(detail),
            _ => Class::Rejected(detail),
        };
    }
    match read(&envelope) {
        Ok(value) => Class::Good(value),
        Err(wrong) => Class::Unreadable(wrong),
    }
}

/// Judges the answer to a login: a refused token there is a wrong password.
pub fn judge_login<T>(reply: &Reply, read: impl FnOnce(&Envelope<'_>) -> Result<T, String>) -> Class<T> {
    match judge(reply, read) {
        Class::TokenExpired(detail) => Class::Auth(detail),
        Class::Rejected(detail) if reply.garbled::<()>().is_none() => Class::Auth(detail),
        other => other,
    }
}

/// Code and words of `success: false` or of `errors` that hold something; `None` when the body tells of no error.
fn refusal(envelope: &Envelope<'_>, reply: &Reply) -> Option<(u16, String)> {
    let errors: Vec<Said<'_>> = envelope.errors.and_then(|errors| serde_json::from_str(errors.get()).ok()).unwrap_or_default();
    let failed = envelope.success.is_some_and(|success| scalar(success.get()).as_deref() == Some("false"));
    if !failed && errors.is_empty() {
        return None;
    }
    let plain = |value: Option<&RawValue>| value.and_then(|value| scalar(value.get())).unwrap_or_default();
    let words: Vec<String> = errors.iter().map(|said| plain(said.message)).filter(|words| !words.trim().is_empty()).collect();
    let words = if words.is_empty() { "success is false, without a word why".to_owned() } else { words.join("; ") };
    let expired = words.contains("JWT expired");
    let code = errors.iter().filter_map(|said| plain(said.code).trim().parse::<u16>().ok()).find(|code| *code != 0);
    let status = Some(reply.status.as_u16()).filter(|status| *status >= 400);
    Some((if expired { 401 } else { code.or(status).unwrap_or_default() }, words))
}

/// The body as an object, with or without a byte order mark before it.
fn open(body: &[u8]) -> Result<Envelope<'_>, serde_json::Error> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
    if body.first().is_some_and(|first| *first != b'{') {
        return Err(serde::de::Error::custom("expected an object"));
    }
    serde_json::from_slice(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::testing::reply;

    const EXPIRED: &str = r#"{"errors":[{"code":401,"message":"JWT expired at 2021-12-30T21:10:02Z. Current time: 2022-01-02T10:59:24Z, a difference of 222562896 milliseconds.  Allowed clock skew: 0 milliseconds."}],"success":false}"#;

    fn class(status: u16, body: &str) -> &'static str {
        judge(&reply(status, &[], body), |envelope| envelope.products.map(|_| ()).ok_or_else(|| "no products".to_owned())).name()
    }

    #[test]
    fn the_documents_error_of_an_expired_token_is_one_in_a_200_too() {
        for status in [200, 400, 401, 500] {
            assert_eq!(class(status, EXPIRED), "token_expired", "HTTP {status}");
        }
        assert_eq!(judge_login(&reply(401, &[], EXPIRED), |_| Ok(())).name(), "auth");
    }

    #[test]
    fn success_false_is_never_an_empty_list() {
        assert_eq!(class(200, r#"{"success":false,"errors":[{"code":0,"message":"Нет доступа"}],"products":[]}"#), "rejected");
        assert_eq!(class(200, r#"{"success":false}"#), "rejected");
        assert_eq!(class(200, r#"{"success":false,"errors":[{"code":500,"message":"сбой"}]}"#), "unavailable");
        assert_eq!(class(200, r#"{"success":false,"errors":[{"code":"429","message":"часто"}]}"#), "rate_limited");
    }

    #[test]
    fn what_is_not_the_answer_is_no_answer() {
        assert_eq!(class(200, r#"{"success":true,"recordsTotal":5}"#), "unreadable");
        assert_eq!(class(200, "<html>"), "garbled");
        assert_eq!(class(200, "[]"), "unreadable");
        assert_eq!(class(502, "<html>"), "unavailable");
        assert_eq!(class(200, r#"{"success":true,"products":[],"errors":[]}"#), "good");
        assert_eq!(class(200, r#"{"products":null,"errors":null}"#), "good", "a null list is judged by whoever reads it");
    }
}
