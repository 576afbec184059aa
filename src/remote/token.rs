//! Bearer tokens, shared by all runs of the process: one login however many calls find the token expired at once.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use moka::{future::Cache, ops::compute::Op};
use reqwest::header::{AUTHORIZATION, HeaderName};
use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::wait::{cancelled, unless_stopped};
use crate::{
    domain::clock,
    fault::{Fault, Kind},
};

/// A token is renewed so long before it expires (or a tenth of its life, if that is less). Too low and calls in flight meet the
/// expiry; too high logs in more often than need be.
pub const EARLY: Duration = Duration::from_secs(600);

/// A bearer token and what it told about itself.
#[derive(Clone)]
pub struct Token {
    /// Tells this token from its successor.
    id: Uuid,
    /// What stands after `Bearer `.
    pub secret: SecretString,
    /// Not used after this moment of our own clock.
    pub renew_at: DateTime<Utc>,
    /// Which account it is for, by the remote's own word.
    pub account: Option<String>,
}

impl Token {
    /// A token that lives for `life` from now by its remote's word.
    pub fn new(secret: SecretString, life: Duration, account: Option<String>) -> Self {
        let life = life.saturating_sub(EARLY.min(life / 10));
        Self { id: Uuid::new_v4(), secret, renew_at: clock::now() + clock::chrono_duration(life), account }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Token({}, until {})", self.id, self.renew_at)
    }
}

/// Who can log in.
#[async_trait]
pub trait Login: Send + Sync {
    /// Names the system and the credentials; holds no secret itself (a hash of one is fine).
    fn key(&self) -> &str;

    /// Logs in anew. Called by one caller at a time for a key.
    async fn login(&self) -> Result<Token, Fault>;

    /// The header that carries the token, and its text.
    fn present(&self, token: &SecretString) -> (HeaderName, String) {
        bearer(token)
    }
}

/// `Authorization: Bearer <token>`.
pub fn bearer(token: &SecretString) -> (HeaderName, String) {
    (AUTHORIZATION, format!("Bearer {}", token.expose_secret()))
}

/// Tokens by key of their [`Login`]. Clones share the content.
#[derive(Clone)]
pub struct TokenCache {
    tokens: Cache<String, Token>,
}

impl Default for TokenCache {
    fn default() -> Self {
        // Idle entries belong to connections that are gone.
        Self { tokens: Cache::builder().max_capacity(10_000).time_to_idle(Duration::from_secs(86_400)).build() }
    }
}

impl TokenCache {
    /// The token of `login`, made by one login for all who ask at once.
    ///
    /// Each caller can be stopped alone: a stopped one that was just logging in hands the work to the next who waits.
    pub async fn get(&self, login: &dyn Login, stop: &CancellationToken) -> Result<Token, Fault> {
        loop {
            let found: Result<Token, Arc<Fault>> =
                unless_stopped(stop, self.tokens.try_get_with_by_ref(login.key(), login.login())).await?;
            match found {
                Ok(token) if token.renew_at > clock::now() => return Ok(token),
                Ok(token) => self.invalidate(login.key(), &token).await,
                Err(fault) if fault.kind() == Kind::Cancelled => {
                    // Whoever was logging in for us was cancelled; that does not concern us unless we are too.
                    if stop.is_cancelled() {
                        return Err(cancelled());
                    }
                    tokio::task::yield_now().await;
                }
                Err(fault) => return Err(Fault::clone(&fault)),
            }
        }
    }

    /// Forgets the token of `key` if it still is `token`, so that many who were refused with one token lead to one login.
    pub fn invalidate(&self, key: &str, token: &Token) -> impl Future<Output = ()> + Send + use<> {
        let (tokens, key, id) = (self.tokens.clone(), key.to_owned(), token.id);
        async move {
            tokens
                .entry(key)
                .and_compute_with(|entry| {
                    let same = entry.is_some_and(|entry| entry.value().id == id);
                    std::future::ready(if same { Op::Remove } else { Op::Nop })
                })
                .await;
        }
    }
}
