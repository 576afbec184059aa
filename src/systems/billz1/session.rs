//! The token: a JWT that we make ourselves (fact sheet, section 1).

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Options, SYSTEM};
use crate::{
    domain::clock,
    fault::Fault,
    remote::{Login, Token},
};

/// Life of a token. Too short and a clock that differs makes it expired at birth; too long and a stolen one is good for long.
const LIFE: Duration = Duration::from_secs(3_600);
/// `iat` lies so far back: a moment in the remote's future is probably refused.
const BACK_DATED_S: i64 = 300;

/// Makes tokens for one account.
pub struct Session {
    options: Options,
    key: String,
    /// How far the remote's clock is ahead of ours, in seconds; learned from a refusal.
    ahead_s: AtomicI64,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    iat: i64,
    exp: i64,
    sub: String,
}

impl Session {
    /// A session of one account at one address.
    pub fn new(options: Options) -> Self {
        let key = hash(&[options.base_url.as_str(), &options.username, options.secret.expose_secret(), &options.issuer]);
        Self { key: format!("{SYSTEM}:{key}"), options, ahead_s: AtomicI64::new(0) }
    }

    /// Names the account without telling its name, which is as secret as the key.
    pub fn account(&self) -> String {
        hash(&[self.options.base_url.as_str(), &self.options.username.trim().to_lowercase()])
    }

    /// The remote has refused a token, and this is its own clock: the next token is made by it.
    pub fn refused_at(&self, remote_now: DateTime<Utc>) {
        self.ahead_s.store((remote_now - clock::now()).num_seconds(), Ordering::Relaxed);
    }

    /// A token for this moment of the remote's clock.
    fn token(&self, now: i64) -> Result<String, Fault> {
        let claims = Claims {
            iss: &self.options.issuer,
            iat: now - BACK_DATED_S,
            exp: now + i64::try_from(LIFE.as_secs()).unwrap_or_default(),
            sub: self.options.username.trim().to_lowercase(),
        };
        let key = EncodingKey::from_secret(self.options.secret.expose_secret().as_bytes());
        encode(&Header::new(Algorithm::HS256), &claims, &key)
            .map_err(|error| Fault::internal("a token could not be signed").caused_by(error))
    }
}

fn hash(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
        hash.update([0]);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[async_trait]
impl Login for Session {
    fn key(&self) -> &str {
        &self.key
    }

    async fn login(&self) -> Result<Token, Fault> {
        let token = self.token(clock::now().timestamp() + self.ahead_s.load(Ordering::Relaxed))?;
        Ok(Token::new(SecretString::from(token), LIFE, None))
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use hmac::{Hmac, KeyInit, Mac};
    use serde_json::{Value, json};

    use super::*;

    fn session(secret: &str) -> Session {
        Session::new(Options {
            base_url: "https://api.billz.uz".parse().unwrap(),
            username: " Company.Ecommerce ".into(),
            secret: SecretString::from(secret.to_owned()),
            issuer: "kmall.uz".into(),
        })
    }

    /// The signature by hand, so that a library's idea of keys is not trusted.
    #[test]
    fn the_token_has_the_four_claims_and_is_signed_with_the_raw_bytes_of_the_secret() {
        for secret in ["s3cr3t", "c2VjcmV0", "deadbeef", "Ключ =="] {
            let token = session(secret).token(1_700_000_000).unwrap();
            let parts: Vec<&str> = token.split('.').collect();
            let json = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
            assert_eq!(json(parts[0]), json!({"typ": "JWT", "alg": "HS256"}));
            assert_eq!(json(parts[1]), json!({"iss": "kmall.uz", "iat": 1_699_999_700, "exp": 1_700_003_600, "sub": "company.ecommerce"}));
            let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
            mac.update(format!("{}.{}", parts[0], parts[1]).as_bytes());
            assert_eq!(URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()), parts[2], "{secret}");
        }
    }

    #[test]
    fn accounts_and_secrets_share_no_token() {
        assert_ne!(session("a").key(), session("b").key());
        assert!(!session("s3cr3t-value").key().contains("s3cr3t"));
    }
}
