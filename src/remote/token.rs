//! Bearer tokens, shared by all runs of the process: one login however many calls find the token expired at once.

use std::{
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

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

/// How long who was refused waits for what others are answered with the same token. Too low: a token that they used up counts as one that was
/// never good; too high: a call stands still.
const PATIENCE: Duration = Duration::from_secs(2);

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
    /// What has come of it so far, for whichever call.
    use_of: Arc<UseOf>,
}

#[derive(Default)]
struct UseOf {
    /// Whether any call was let in with it.
    served: AtomicBool,
    /// Calls that are under way with it.
    under_way: AtomicUsize,
}

/// A call that is under way with a token.
pub(super) struct UnderWay(Arc<UseOf>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Token {
    /// A token that lives for `life` from now by its remote's word.
    pub fn new(secret: SecretString, life: Duration, account: Option<String>) -> Self {
        let life = life.saturating_sub(EARLY.min(life / 10));
        let renew_at = clock::now() + clock::chrono_duration(life);
        Self { id: Uuid::new_v4(), secret, renew_at, account, use_of: Arc::default() }
    }

    /// A call begins with it.
    pub(super) fn begins(&self) -> UnderWay {
        self.use_of.under_way.fetch_add(1, Ordering::SeqCst);
        UnderWay(self.use_of.clone())
    }

    /// A call was let in with it.
    pub(super) fn serves(&self) {
        self.use_of.served.store(true, Ordering::SeqCst);
    }

    /// Whether it let anybody in before it was refused; others' answers may still be on their way.
    pub(super) async fn has_served(&self) -> bool {
        let patience = Instant::now() + PATIENCE;
        while self.use_of.under_way.load(Ordering::SeqCst) > 0 && Instant::now() < patience {
            if self.use_of.served.load(Ordering::SeqCst) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.use_of.served.load(Ordering::SeqCst)
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
