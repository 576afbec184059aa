//! One call, described: what is asked, how it may be repeated, and what must never be said about it.

use std::{fmt, time::Duration};

use chrono::{DateTime, Utc};
use reqwest::{Method, Url, header::HeaderMap};
use secrecy::SecretString;
use serde::Serialize;

use super::{ports::Limits, token::Login};
use crate::fault::Fault;

/// Whether a call changes anything at the remote. The method does not tell: some systems read by POST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Changes nothing; may be repeated, and is dropped in flight when the run is cancelled.
    Read,
    /// Changes something; repeated only if [`Call::replay_safe`] says so or nothing was sent, and never dropped in flight.
    Write,
}

/// The shared limit a call stands under.
#[derive(Clone, Copy)]
pub struct Limiter<'a> {
    /// Where the limit is kept, shared by all processes.
    pub limits: &'a dyn Limits,
    /// System + account, or system + egress.
    pub key: &'a str,
    /// Slots are this far apart (before scaling).
    pub interval: Duration,
}

/// Most bytes of an answer unless the call says otherwise. Too low refuses honest pages, too high lets one answer eat the memory.
pub const MAX_BODY: usize = 32 * 1024 * 1024;

/// One call. Made with [`Call::new`] and completed by its fields or the `with` functions.
pub struct Call<'a> {
    /// Name of the system, such as `billz2`: stands in faults, logs and metrics.
    pub system: &'static str,
    /// Method and pattern of the path, such as `GET /v2/products`: all that logs hold of the address.
    pub route: &'static str,
    /// Read or write.
    pub effect: Effect,
    /// HTTP method.
    pub method: Method,
    /// Full address.
    pub url: Url,
    /// Headers besides `Authorization` and `User-Agent`.
    pub headers: HeaderMap,
    /// Body, ready to send.
    pub body: Option<Vec<u8>>,
    /// The shared limit, if there is one.
    pub limiter: Option<Limiter<'a>>,
    /// Who logs in for the bearer token, if one is needed.
    pub login: Option<&'a dyn Login>,
    /// Whether a [`Effect::Write`] may be repeated all the same, because the remote recognises the repetition.
    pub replay_safe: bool,
    /// Most bytes of the unpacked answer; more is a protocol fault.
    pub max_body: usize,
    /// For the whole exchange, if not the client's default (scaled).
    pub timeout: Option<Duration>,
    /// Secrets of this call that a remote might echo: masked in faults.
    pub secrets: Vec<SecretString>,
    /// Asked just before a [`Effect::Write`] leaves, each attempt anew, with the longest it may take: an error keeps it here. A holder of a
    /// lease sends nothing that may land after another has taken over.
    pub permit: Option<&'a Permit>,
    /// Answers hold data of people: no sample of one that cannot be read goes to the log.
    pub private: bool,
}

/// Whether a write that may take so long may be sent now.
pub type Permit = dyn Fn(Duration) -> Result<(), Fault> + Send + Sync;

impl<'a> Call<'a> {
    /// A call without body, limit and token.
    pub fn new(system: &'static str, route: &'static str, effect: Effect, method: Method, url: Url) -> Self {
        Self {
            system,
            route,
            effect,
            method,
            url,
            headers: HeaderMap::new(),
            body: None,
            limiter: None,
            login: None,
            replay_safe: false,
            max_body: MAX_BODY,
            timeout: None,
            secrets: Vec::new(),
            permit: None,
            private: false,
        }
    }

    /// The same with a JSON body.
    pub fn with_json(mut self, value: &impl Serialize) -> Result<Self, Fault> {
        let body = serde_json::to_vec(value)
            .map_err(|error| Fault::internal(format!("{}: body cannot be written", self.route)).caused_by(error))?;
        self.headers.insert(reqwest::header::CONTENT_TYPE, reqwest::header::HeaderValue::from_static("application/json"));
        self.body = Some(body);
        Ok(self)
    }

    /// The same under a shared limit.
    #[must_use]
    pub fn with_limiter(mut self, limiter: Limiter<'a>) -> Self {
        self.limiter = Some(limiter);
        self
    }

    /// The same with a bearer token.
    #[must_use]
    pub fn with_login(mut self, login: &'a dyn Login) -> Self {
        self.login = Some(login);
        self
    }

    /// The same with a secret to be masked in faults.
    #[must_use]
    pub fn with_secret(mut self, secret: SecretString) -> Self {
        self.secrets.push(secret);
        self
    }

    /// The same, sent only while this permits it.
    #[must_use]
    pub fn with_permit(mut self, permit: &'a Permit) -> Self {
        self.permit = Some(permit);
        self
    }

    /// Whether the call may be sent again after it may have arrived.
    pub(super) fn replayable(&self) -> bool {
        self.effect == Effect::Read || self.replay_safe
    }
}

impl fmt::Debug for Call<'_> {
    /// Never the address, headers or body.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Call({} {}, {:?})", self.system, self.route, self.effect)
    }
}

/// A good answer.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    /// What the judge made of it.
    pub value: T,
    /// HTTP status.
    pub status: u16,
    /// The remote's clock when it answered (`Date` header); without one our clock at sending, minus 5 s for the difference of clocks.
    pub date: DateTime<Utc>,
    /// The remote's clock when it was asked: [`date`](Self::date) less the time the answer took. What a cursor begins at, since a
    /// slow answer shows the data of its beginning.
    pub asked_at: DateTime<Utc>,
}
