//! Signed webhook after Standard Webhooks (<https://www.standardwebhooks.com>): `webhook-id`, `webhook-timestamp` and
//! `webhook-signature: v1,<base64 of HMAC-SHA256 over "id.timestamp.body">`. The id stays the same however often it is tried, so a
//! receiver recognises what it has had already.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, SecondsFormat, Utc};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Method, header::HeaderValue};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Outgoing, Sent, http_address, once, refusal};
use crate::{
    domain::clock,
    engine::alerts::{Alert, News},
    fault::{Fault, FieldError},
    remote::{Call, Class, Effect, Http},
};

/// What a secret begins with.
const PREFIX: &str = "whsec_";
/// Bytes of a secret, by the standard.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// What is wrong with the settings.
pub fn check(url: &str, secret: Option<&SecretString>) -> Vec<FieldError> {
    let mut errors: Vec<FieldError> = http_address(url, "/url").err().into_iter().collect();
    if secret.is_some_and(|secret| keys(secret).is_none()) {
        errors.push(FieldError::new(
            "/secrets/secret",
            "must be whsec_ and 24 to 64 random bytes in base64; make one with: echo \"whsec_$(openssl rand -base64 32)\". Two, separated by a comma, while it is changed",
        ));
    }
    errors
}

/// The keys of a secret: one, or two while it is changed.
fn keys(secret: &SecretString) -> Option<Vec<Zeroizing<Vec<u8>>>> {
    let key = |text: &str| {
        let bytes = Zeroizing::new(STANDARD.decode(text.trim().strip_prefix(PREFIX)?).ok()?);
        SECRET_BYTES.contains(&bytes.len()).then_some(bytes)
    };
    secret.expose_secret().split(',').map(key).collect()
}

/// `webhook-signature`: one for each key.
pub fn signature(secret: &SecretString, id: &str, timestamp: i64, body: &[u8]) -> Option<String> {
    let sign = |key: &Zeroizing<Vec<u8>>| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    };
    let all: Option<Vec<String>> = keys(secret)?.iter().map(sign).collect();
    all.map(|all| all.join(" "))
}

fn time(at: DateTime<Utc>) -> Value {
    Value::from(at.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

fn of_news(news: &News) -> Value {
    let finding = &news.finding;
    let named = |text: &str| if text.is_empty() { Value::Null } else { Value::from(text) };
    json!({
        "flow": named(&finding.place.flow), "connection": named(&news.subject.connection), "connection_name": named(&finding.place.connection),
        "stream": named(&news.subject.stream), "stream_name": named(&finding.place.stream), "owner": finding.place.owner,
        "since": time(finding.since), "run": finding.run, "values": finding.params,
    })
}

/// The body: what happened in names and values, and the same in people's words.
pub fn body(outgoing: &Outgoing<'_>) -> Value {
    let Alert { id, rule, phase, at, news, total, .. } = outgoing.alert;
    json!({
        "type": format!("alert.{}", phase.name()),
        "timestamp": time(*at),
        "data": {
            "id": id, "rule": rule.map(|rule| rule.name()), "phase": phase.name(), "title": outgoing.message.title, "text": outgoing.message.text(),
            "language": outgoing.language, "link": outgoing.message.link, "total": total, "items": news.iter().map(of_news).collect::<Vec<_>>(),
        },
    })
}

/// One attempt.
pub async fn send(http: &Http, url: &str, secret: &SecretString, outgoing: &Outgoing<'_>) -> Sent {
    match call(url, secret, outgoing) {
        Ok(call) => once(http, &call, |reply| refusal(reply, None).unwrap_or_else(|| taken(reply.status.as_u16()))).await,
        Err(why) => Sent::Refused(why, None),
    }
}

fn taken(status: u16) -> Class<Sent> {
    Class::Good(Sent::Done(format!("the receiver answered HTTP {status}")))
}

fn call<'a>(url: &str, secret: &SecretString, outgoing: &Outgoing<'_>) -> Result<Call<'a>, String> {
    let url = http_address(url, "/url").map_err(|error| error.detail)?;
    let call = Call::new("webhook", "POST alert", Effect::Write, Method::POST, url);
    let mut call = call.with_json(&body(outgoing)).map_err(|fault: Fault| fault.detail)?.with_secret(secret.clone());
    let (id, timestamp) = (outgoing.alert.id.as_str(), clock::now().timestamp());
    let bytes = call.body.as_deref().unwrap_or_default();
    let signature = signature(secret, id, timestamp, bytes).ok_or("the secret is no whsec_ secret; set it anew")?;
    let texts = [("webhook-id", id.to_owned()), ("webhook-timestamp", timestamp.to_string()), ("webhook-signature", signature)];
    for (name, text) in texts {
        call.headers.insert(name, HeaderValue::try_from(text).map_err(|_| "a header cannot be written")?);
    }
    Ok(call)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_one_of_the_standards_own_example() {
        // https://github.com/standard-webhooks/standard-webhooks, libraries' tests.
        let secret = SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let made = signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(made.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }

    #[test]
    fn while_a_secret_is_changed_both_sign() {
        let two = SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw, whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        let made = signature(&two, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#).unwrap();
        assert!(made.starts_with("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1,"), "{made}");
    }

    #[test]
    fn wrong_settings_are_named_and_never_quoted() {
        let pointers = |url: &str, secret: &str| {
            let errors = check(url, Some(&SecretString::from(secret)));
            assert!(errors.iter().all(|error| secret.len() < 8 || !error.detail.contains(secret)), "{errors:?}");
            errors.into_iter().map(|error| error.pointer).collect::<Vec<_>>()
        };
        let fine = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        assert_eq!(pointers("https://example.com/x", fine), Vec::<String>::new());
        assert_eq!(pointers("http://127.0.0.1:9/x", fine), Vec::<String>::new(), "trusted like a base_url");
        for url in ["", "example.com", "ftp://example.com", "mailto:a@b.c", "https://", "https://u:p@example.com"] {
            assert_eq!(pointers(url, fine), ["/url"], "{url}");
        }
        for secret in
            ["", "whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!!!", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw,"]
        {
            assert_eq!(pointers("https://example.com", secret), ["/secrets/secret"], "{secret}");
        }
    }
}
