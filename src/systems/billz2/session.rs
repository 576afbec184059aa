//! The login: an integration key for a bearer token (fact sheet, section 1).

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use reqwest::Method;
use rust_decimal::prelude::ToPrimitive;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::{Options, SPACING, SYSTEM, classify, client::address};
use crate::{
    domain::number::Lenient,
    fault::Fault,
    remote::{Call, Effect, Http, Limiter, Login, Token, lenient, ports::Limits},
};

/// Life of a token by the documentation, and the most that `expires_in` is believed: it contradicts the token itself.
const LIFE: Duration = Duration::from_secs(15 * 86_400);
/// Life of a token that says nothing of it. Too long only costs a 401 and a login.
const UNKNOWN_LIFE: Duration = Duration::from_secs(86_400);
/// Least and most that any word of the remote is believed.
const LIVES: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(30 * 86_400));

/// Logs in for one key.
pub struct Session {
    http: Http,
    options: Options,
    limits: Arc<dyn Limits>,
    limit_key: String,
    stop: CancellationToken,
    key: String,
}

/// `data` of a login.
#[derive(Deserialize)]
struct Grant {
    #[serde(deserialize_with = "lenient::id")]
    access_token: String,
    #[serde(default)]
    expires_in: Lenient,
}

/// What we read of a JWT; its signature is the remote's business.
#[derive(Debug, Default, PartialEq, Deserialize)]
pub struct Claims {
    /// Unix seconds.
    #[serde(default)]
    pub exp: Lenient,
    /// Which account the key belongs to.
    #[serde(default, deserialize_with = "lenient::reference")]
    pub company_id: Option<String>,
}

impl Session {
    /// A session of one integration key at one address.
    pub fn new(options: Options, http: Http, limits: Arc<dyn Limits>, limit_key: String, stop: CancellationToken) -> Self {
        let mut hash = Sha256::new();
        hash.update(options.base_url.as_str());
        hash.update([0]);
        hash.update(options.secret.expose_secret());
        let key = format!("{SYSTEM}:{}", hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        Self { http, options, limits, limit_key, stop, key }
    }
}

#[async_trait]
impl Login for Session {
    fn key(&self) -> &str {
        &self.key
    }

    async fn login(&self) -> Result<Token, Fault> {
        let url = address(&self.options.base_url, "/v1/auth/login");
        // It changes nothing that a repetition could spoil, so it counts as a read.
        let call = Call::new(SYSTEM, "POST /v1/auth/login", Effect::Read, Method::POST, url)
            .with_json(&json!({"secret_token": self.options.secret.expose_secret()}))?
            .with_secret(self.options.secret.clone())
            .with_limiter(Limiter { limits: &*self.limits, key: &self.limit_key, interval: SPACING });
        let answer = self
            .http
            .send(&call, &self.stop, |reply| {
                classify::judge_login(reply, |envelope| {
                    let data = envelope.data.ok_or("the login's answer has no data")?;
                    // The token is part of neither sentence: errors of serde name no values of strings that were read.
                    serde_json::from_str::<Grant>(data.get()).map_err(|_| "the login's answer has no access_token".to_owned())
                })
            })
            .await?;
        let claims = claims(&answer.value.access_token);
        let life = life(&claims, &answer.value.expires_in, answer.date);
        Ok(Token::new(SecretString::from(answer.value.access_token), life, claims.company_id))
    }
}

/// The claims of a JWT; none of an opaque token.
pub fn claims(token: &str) -> Claims {
    token
        .split('.')
        .nth(1)
        .and_then(|payload| URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok())
        .and_then(|payload| serde_json::from_slice(&payload).ok())
        .unwrap_or_default()
}

/// How long a token lives: by its `exp` against the remote's own clock (ours may differ), else the lesser of `expires_in` and
/// 15 days.
fn life(claims: &Claims, expires_in: &Lenient, remote_now: DateTime<Utc>) -> Duration {
    let seconds = |value: &Lenient| match value {
        Lenient::Number(number) => number.to_i64(),
        _ => None,
    };
    let life = match (seconds(&claims.exp), seconds(expires_in)) {
        (Some(exp), _) => Duration::from_secs(u64::try_from(exp.saturating_sub(remote_now.timestamp())).unwrap_or(0)),
        (None, Some(given)) if given > 0 => Duration::from_secs(given.unsigned_abs()).min(LIFE),
        (None, _) => UNKNOWN_LIFE,
    };
    life.clamp(LIVES.0, LIVES.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(payload: &str) -> String {
        format!("eyJhbGciOiJIUzI1NiJ9.{}.c2ln", URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn exp_wins_over_expires_in_and_the_remotes_clock_over_ours() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap_or_default();
        let of = |token: &str, expires_in: &str| {
            let expires_in = serde_json::from_str(expires_in).unwrap_or_default();
            life(&claims(token), &expires_in, now).as_secs()
        };
        assert_eq!(of(&jwt(r#"{"exp":1701296000,"iat":1700000000}"#), "86400"), 1_296_000);
        assert_eq!(of(&jwt(r#"{"exp":"1701296000"}"#), "86400"), 1_296_000);
        assert_eq!(of("opaque", "86400"), 86_400);
        assert_eq!(of("opaque", "\"3600\""), 3_600);
        assert_eq!(of("opaque", "99999999"), 1_296_000);
        assert_eq!(of("opaque", "null"), 86_400);
        assert_eq!(of(&jwt(r#"{"exp":1}"#), "86400"), 60, "expired at birth: used once, then asked for anew");
    }

    #[test]
    fn the_account_is_in_the_token_or_unknown() {
        assert_eq!(claims(&jwt(r#"{"company_id":"c1","exp":1}"#)).company_id.as_deref(), Some("c1"));
        for opaque in ["", "abc", "a.b.c", "a.!!.c", &jwt("[]"), &jwt(r#"{"company_id":""}"#)] {
            assert_eq!(claims(opaque).company_id, None, "{opaque}");
        }
    }
}
