//! The login: client id and secret for a bearer token (fact sheet, section 1).

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use reqwest::{
    Method,
    header::{CONTENT_TYPE, HeaderValue},
};
use rust_decimal::prelude::ToPrimitive;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::{Options, SYSTEM, TokenBody, classify, client::address};
use crate::{
    domain::number::Lenient,
    fault::Fault,
    remote::{Call, Effect, Http, Limiter, Login, Token, lenient, ports::Limits},
};

/// Life of a token by the requirements.
const LIFE: Duration = Duration::from_secs(600);
/// Least and most that the remote is believed.
const LIVES: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(86_400));

/// Logs in for one integration.
pub struct Session {
    http: Http,
    options: Options,
    limits: Arc<dyn Limits>,
    stop: CancellationToken,
    key: String,
}

#[derive(Deserialize)]
struct Grant {
    #[serde(deserialize_with = "lenient::id")]
    access_token: String,
    #[serde(default)]
    expires_in: Lenient,
}

impl Session {
    /// A session of one integration at one address.
    pub fn new(options: Options, http: Http, limits: Arc<dyn Limits>, stop: CancellationToken) -> Self {
        let mut hash = Sha256::new();
        for part in [options.base_url.as_str(), &options.token_path, &options.client_id, options.client_secret.expose_secret()] {
            hash.update(part);
            hash.update([0]);
        }
        let key = format!("{SYSTEM}:{}", hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        Self { http, options, limits, stop, key }
    }

    /// Where the pace of this integration's calls is kept.
    pub fn limit_key(&self) -> &str {
        // A shorter hash still tells integrations apart, and the column is not made for long names.
        self.key.get(..SYSTEM.len() + 33).unwrap_or(&self.key)
    }
}

#[async_trait]
impl Login for Session {
    fn key(&self) -> &str {
        &self.key
    }

    async fn login(&self) -> Result<Token, Fault> {
        let url = address(&self.options.base_url, &self.options.token_path);
        let (id, secret) = (&self.options.client_id, self.options.client_secret.expose_secret());
        // It changes nothing that a repetition could spoil, so it counts as a read.
        let mut call = Call::new(SYSTEM, "POST /api/oauth/token", Effect::Read, Method::POST, url);
        match self.options.token_body {
            TokenBody::Json => {
                call = call.with_json(&json!({"grant_type": "client_credentials", "client_id": id, "client_secret": secret}))?;
            }
            TokenBody::Form => {
                let form = url::form_urlencoded::Serializer::new(String::new())
                    .append_pair("grant_type", "client_credentials")
                    .append_pair("client_id", id)
                    .append_pair("client_secret", secret)
                    .finish();
                call.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
                call.body = Some(form.into_bytes());
            }
        }
        call.private = true;
        let call = call.with_secret(self.options.client_secret.clone()).with_limiter(Limiter {
            limits: &*self.limits,
            key: self.limit_key(),
            interval: self.options.pause,
        });
        let grant = self.http.send(&call, &self.stop, |reply| classify::judge_login(reply, grant)).await?.value;
        let seconds = match grant.expires_in {
            Lenient::Number(number) => number.to_u64(),
            Lenient::Absent | Lenient::Unreadable(_) => None,
        };
        let life = seconds.map_or(LIFE, Duration::from_secs).clamp(LIVES.0, LIVES.1);
        Ok(Token::new(SecretString::from(grant.access_token), life, None))
    }
}

fn grant(body: &[u8]) -> Result<Grant, String> {
    // What stands there may be the token: no word of it is quoted.
    serde_json::from_slice(body).map_err(|_| "the login's answer has no readable access_token".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_read_and_nothing_of_a_broken_one_is_quoted() {
        let read = |body: &str| grant(body.as_bytes()).map(|grant| grant.access_token);
        assert_eq!(read(r#"{"token_type":"Bearer","expires_in":600,"access_token":"a.b.c"}"#), Ok("a.b.c".to_owned()));
        assert_eq!(read(r#"{"expires_in":"600","access_token":"a"}"#), Ok("a".to_owned()));
        assert!(read(r#"{"access_token":["s3cret"]}"#).is_err_and(|words| !words.contains("s3cret")));
    }
}
