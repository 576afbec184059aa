//! The login: login and password for a bearer token (fact sheet, section 1).

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use reqwest::Method;
use rust_decimal::prelude::ToPrimitive;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::{
    Options, SYSTEM,
    classify::{self, Envelope},
    client::address,
};
use crate::{
    domain::number::Lenient,
    fault::Fault,
    remote::{
        Call, Effect, Http, Limiter, Login, Token,
        lenient::{self, scalar},
        ports::Limits,
    },
};

/// Life of a token by the documentation (section 1).
const LIFE: Duration = Duration::from_secs(14_400);
/// Least and most that any word of the remote is believed.
const LIVES: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(7 * 86_400));

/// Logs in for one user.
pub struct Session {
    http: Http,
    options: Options,
    limits: Arc<dyn Limits>,
    stop: CancellationToken,
    key: String,
}

/// What a registration wraps the token in.
#[derive(Deserialize)]
struct Wrapped {
    #[serde(deserialize_with = "lenient::id")]
    access_token: String,
    #[serde(default)]
    expires_in: Lenient,
}

/// What we read of the JWT; its signature is the remote's business.
#[derive(Default, Deserialize)]
struct Claims {
    #[serde(default)]
    exp: Lenient,
}

impl Session {
    /// A session of one user at one address.
    pub fn new(options: Options, http: Http, limits: Arc<dyn Limits>, stop: CancellationToken) -> Self {
        let mut hash = Sha256::new();
        for part in [options.base_url.as_str(), options.login.expose_secret(), options.password.expose_secret()] {
            hash.update(part);
            hash.update([0]);
        }
        let key = format!("{SYSTEM}:{}", hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        Self { http, options, limits, stop, key }
    }

    /// Where the pace of this user's calls is kept.
    pub fn limit_key(&self) -> &str {
        // A shorter hash still tells users apart, and the column is not made for long names.
        self.key.get(..SYSTEM.len() + 33).unwrap_or(&self.key)
    }
}

#[async_trait]
impl Login for Session {
    fn key(&self) -> &str {
        &self.key
    }

    async fn login(&self) -> Result<Token, Fault> {
        let url = address(&self.options.base_url, &self.options.auth_path);
        let body = json!({"login": self.options.login.expose_secret(), "password": self.options.password.expose_secret()});
        // It changes nothing that a repetition could spoil, so it counts as a read.
        let call = Call::new(SYSTEM, "POST /api/lite/auth", Effect::Read, Method::POST, url)
            .with_json(&body)?
            .with_secret(self.options.login.clone())
            .with_secret(self.options.password.clone())
            .with_limiter(Limiter { limits: &*self.limits, key: self.limit_key(), interval: self.options.pause });
        let answer = self.http.send(&call, &self.stop, |reply| classify::judge_login(reply, grant)).await?;
        let (token, expires_in) = answer.value;
        let life = life(&token, &expires_in, answer.date);
        Ok(Token::new(SecretString::from(token), life, None))
    }
}

/// The token and its life, wherever they stand. The token is part of no sentence.
fn grant(envelope: &Envelope<'_>) -> Result<(String, Lenient), String> {
    let token = envelope.access_token.and_then(|raw| scalar(raw.get())).filter(|token| !token.trim().is_empty());
    if let Some(token) = token {
        let read = |raw: &RawValue| serde_json::from_str(raw.get()).ok();
        return Ok((token.trim().to_owned(), envelope.expires_in.and_then(read).unwrap_or_default()));
    }
    let wrapped = envelope.auth_token.and_then(|raw| serde_json::from_str::<Wrapped>(raw.get()).ok());
    wrapped.map(|wrapped| (wrapped.access_token, wrapped.expires_in)).ok_or_else(|| "the login's answer has no access_token".to_owned())
}

/// How long a token lives: by its `exp` against the remote's own clock, since that allows no skew; else `expires_in`, else four hours.
fn life(token: &str, expires_in: &Lenient, remote_now: DateTime<Utc>) -> Duration {
    let payload = token.split('.').nth(1).and_then(|payload| URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok());
    let claims: Claims = payload.and_then(|payload| serde_json::from_slice(&payload).ok()).unwrap_or_default();
    let seconds = |value: &Lenient| match value {
        Lenient::Number(number) => number.to_i64(),
        Lenient::Absent | Lenient::Unreadable(_) => None,
    };
    let left = seconds(&claims.exp).map(|exp| exp.saturating_sub(remote_now.timestamp())).or_else(|| seconds(expires_in));
    left.map_or(LIFE, |left| Duration::from_secs(u64::try_from(left).unwrap_or_default())).clamp(LIVES.0, LIVES.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_counts_by_the_servers_clock_and_the_document_where_nothing_is_told() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap_or_default();
        let jwt = |payload: &str| format!("eyJhbGciOiJIUzUxMiJ9.{}.c2ln", URL_SAFE_NO_PAD.encode(payload));
        let of = |token: &str, expires_in: &str| life(token, &serde_json::from_str(expires_in).unwrap_or_default(), now).as_secs();
        assert_eq!(of(&jwt(r#"{"sub":"a","exp":1700014400}"#), "100"), 14_400);
        assert_eq!(of("opaque", "7200"), 7_200);
        assert_eq!(of("opaque", "null"), 14_400);
        assert_eq!(of(&jwt(r#"{"exp":5}"#), "null"), 30, "expired at birth: used once, then asked for anew");
    }

    #[test]
    fn the_token_is_found_in_both_places() {
        let read = |body: &str| grant(&serde_json::from_str(body).expect("JSON")).map(|(token, _)| token);
        assert_eq!(read(r#"{"access_token":"a.b.c","expires_in":14400}"#), Ok("a.b.c".to_owned()));
        assert_eq!(read(r#"{"success":true,"authToken":{"access_token":"d","expires_in":"14400"}}"#), Ok("d".to_owned()));
        assert!(read(r#"{"access_token":null}"#).is_err());
    }
}
