//! The one HTTP client, and the loop that carries a [`Call`] through.

use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound, Utc};
use reqwest::header::HeaderValue;
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;

use super::{
    METRIC_REQUESTS, METRIC_THROTTLED,
    call::{Answer, Call, Effect},
    classify::{Class, Reply},
    redact, retry,
    stream::{self, Rest, Streamed},
    token::{self, Token, TokenCache},
    wait::{cancelled, unless_stopped, wait},
};
use crate::{
    domain::clock,
    fault::{Code, Fault},
};

/// What can be set about the client. All durations are scaled.
#[derive(Clone, Debug)]
pub struct Options {
    /// For connecting, TLS included. Too low fails on bad lines, too high waits long for dead hosts.
    pub connect_timeout: Duration,
    /// For one exchange from connecting to the last byte. Too low cuts slow honest answers, too high lets a hang hold a worker.
    pub timeout: Duration,
    /// Delays between attempts.
    pub retry: retry::Policy,
}

impl Default for Options {
    fn default() -> Self {
        Self { connect_timeout: Duration::from_secs(5), timeout: Duration::from_secs(30), retry: retry::Policy::default() }
    }
}

/// How long an idle connection is kept for the next call.
const IDLE: Duration = Duration::from_secs(60);
/// How often a call gets a new token, as long as each was good for somebody. Too low: where tokens die after a few calls, who is always the last
/// of those who share one comes to nothing; too high: a call goes round for long.
const MOST_RENEWALS: u32 = 20;
/// No timeout is scaled below this.
const LEAST_PATIENCE: Duration = Duration::from_millis(1_500);
/// Taken off our own clock where a remote does not tell its own.
const CLOCK_DIFFERENCE: chrono::Duration = chrono::Duration::seconds(5);

/// The client: one for the whole process, clones share pool and tokens.
#[derive(Clone)]
pub struct Http {
    client: reqwest::Client,
    options: Options,
    tokens: TokenCache,
}

/// Why there is no complete answer.
struct Broken {
    /// Name in metrics.
    class: &'static str,
    /// Sentence for people.
    detail: String,
    /// Whether nothing was sent, so that even a write may be tried again.
    unsent: bool,
    /// Whether another try may help.
    passing: bool,
    cause: Option<reqwest::Error>,
}

/// What came of one exchange.
struct Arrived {
    reply: Reply,
    /// The way to the rest of the body, if it was not read to its end.
    rest: Option<reqwest::Response>,
}

impl Http {
    /// The client: rustls, no redirects, no proxy, gzip.
    pub fn new(options: Options) -> Result<Self, Fault> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("tradesync/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(patience(options.connect_timeout))
            .pool_idle_timeout(IDLE)
            .build()
            .map_err(|error| Fault::internal("the HTTP client cannot be made").caused_by(error))?;
        Ok(Self { client, options, tokens: TokenCache::default() })
    }

    /// The tokens of this process.
    pub fn tokens(&self) -> &TokenCache {
        &self.tokens
    }

    /// Carries `call` through: token, slot, sending, judging, and what follows from the judgement (table in [`super`]).
    ///
    /// Faults: `cancelled` within a moment of `stop` (a write in flight is finished first), `remote-*`, and those of
    /// [`Limits`](super::ports::Limits).
    pub async fn send<T: Send>(
        &self,
        call: &Call<'_>,
        stop: &CancellationToken,
        judge: impl Fn(&Reply) -> Class<T> + Send + Sync,
    ) -> Result<Answer<T>, Fault> {
        self.carry(call, stop, None, |reply, _| judge(reply)).await.map(|(answer, _)| answer)
    }

    /// The same for an answer that is too long to hold: of a success only the beginning is read, and `judge` is told whether it was all.
    /// What is read later can neither be judged here nor tried again.
    pub async fn open<T: Send>(
        &self,
        call: &Call<'_>,
        stop: &CancellationToken,
        judge: impl Fn(&Reply, bool) -> Class<T> + Send + Sync,
    ) -> Result<Streamed<T>, Fault> {
        let (answer, arrived) = self.carry(call, stop, Some(stream::HEAD), judge).await?;
        let rest = arrived.rest.map(|response| Rest { response, patience: patience(self.options.timeout), stop: stop.clone() });
        Ok(Streamed::new(call, answer, arrived.reply.body, rest))
    }

    /// The loop of both: `head` = how much of a success is read before it is judged; absent = all.
    async fn carry<T: Send>(
        &self,
        call: &Call<'_>,
        stop: &CancellationToken,
        head: Option<usize>,
        judge: impl Fn(&Reply, bool) -> Class<T> + Send + Sync,
    ) -> Result<(Answer<T>, Arrived), Fault> {
        let mut state = Progress::new(&self.options.retry);
        loop {
            let token = match call.login {
                Some(login) => Some(self.tokens.get(login, stop).await?),
                None => None,
            };
            take_slot(call, stop).await?;
            let sent_at = clock::now();
            let begun = Instant::now();
            let under_way = token.as_ref().map(Token::begins);
            let outcome = self.exchange(call, token.as_ref(), head, stop).await?;
            let (class, name) = match &outcome {
                Ok(arrived) => {
                    let class = judge(&arrived.reply, arrived.rest.is_none());
                    let name = class.name();
                    (Ok(class), name)
                }
                Err(broken) => (Err(()), broken.class),
            };
            metrics::counter!(METRIC_REQUESTS, "system" => call.system, "class" => name).increment(1);
            tracing::debug!(
                remote.system = call.system,
                remote.route = call.route,
                remote.status = outcome.as_ref().map_or(0, |arrived| arrived.reply.status.as_u16()),
                remote.class = name,
                remote.ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
                "remote call"
            );
            let (reply, class) = match (outcome, class) {
                (Ok(arrived), Ok(Class::Good(value))) => {
                    token.iter().for_each(Token::serves);
                    drop(under_way);
                    return Ok((answer(value, &arrived.reply, sent_at, begun.elapsed()), arrived));
                }
                (Ok(arrived), Ok(class)) => (arrived.reply, class),
                (Ok(_), Err(())) => return Err(Fault::internal("an answer was not judged")),
                (Err(broken), _) => {
                    let may = broken.passing && (broken.unsent || call.replayable());
                    let code = if broken.passing { Code::RemoteUnavailable } else { Code::RemoteProtocol };
                    state.again(may, stop).await?.map_err(|attempts| {
                        let fault = fault(call, token.as_ref(), code, &broken.detail, attempts);
                        match broken.cause {
                            Some(cause) => fault.caused_by(cause),
                            None => fault,
                        }
                    })?;
                    continue;
                }
            };
            drop(under_way);
            self.react(call, token, &reply, class, &mut state, stop).await?;
        }
    }

    /// What follows from an answer that is not good. `Ok` = go round again.
    async fn react<T>(
        &self,
        call: &Call<'_>,
        token: Option<Token>,
        reply: &Reply,
        class: Class<T>,
        state: &mut Progress,
        stop: &CancellationToken,
    ) -> Result<(), Fault> {
        let token = token.as_ref();
        match class {
            Class::Good(_) => Err(Fault::internal("a good answer needs no reaction")),
            Class::Unavailable(detail) => {
                let tried = state.again(call.replayable(), stop).await?;
                tried.map_err(|attempts| fault(call, token, Code::RemoteUnavailable, &detail, attempts))
            }
            Class::Garbled(detail) => {
                let tried = state.again(call.replayable(), stop).await?;
                tried.map_err(|attempts| unread(call, token, reply, &detail, attempts))
            }
            Class::Unreadable(detail) => {
                state.unreadable += 1;
                let may = call.replayable() && state.unreadable < self.options.retry.unreadable_attempts;
                let tried = state.again(may, stop).await?;
                tried.map_err(|attempts| unread(call, token, reply, &detail, attempts))
            }
            Class::RateLimited { retry_after, detail } => pause(call, token, state, retry_after, &detail, stop).await,
            Class::TokenExpired(detail) => {
                if let (Some(login), Some(token)) = (call.login, token) {
                    self.tokens.invalidate(login.key(), token).await;
                    // A new token that was let in nowhere will never be; one that others have used up meanwhile is no reason to give up.
                    if state.renewed == 0 || (state.renewed < MOST_RENEWALS && token.has_served().await) {
                        state.renewed += 1;
                        return Ok(());
                    }
                }
                Err(fault(call, token, Code::RemoteAuth, &detail, 1))
            }
            Class::Auth(detail) => Err(fault(call, token, Code::RemoteAuth, &detail, 1)),
            Class::Forbidden(detail) => Err(fault(call, token, Code::RemoteForbidden, &detail, 1)),
            Class::Rejected(detail) => Err(fault(call, token, Code::RemoteRejected, &detail, 1)),
        }
    }

    /// One exchange. The outer error is a cancel; a write is never dropped in flight.
    async fn exchange(
        &self,
        call: &Call<'_>,
        token: Option<&Token>,
        head: Option<usize>,
        stop: &CancellationToken,
    ) -> Result<Result<Arrived, Broken>, Fault> {
        let timeout = patience(call.timeout.unwrap_or(self.options.timeout));
        if let (Effect::Write, Some(permit)) = (call.effect, call.permit) {
            permit(timeout)?;
        }
        let work = async {
            match tokio::time::timeout(timeout, self.transfer(call, token, head)).await {
                Ok(done) => done,
                Err(_) => Err(Broken {
                    class: "timeout",
                    detail: format!("no complete answer within {} ms", timeout.as_millis()),
                    unsent: false,
                    passing: true,
                    cause: None,
                }),
            }
        };
        match call.effect {
            Effect::Read => unless_stopped(stop, work).await,
            Effect::Write if stop.is_cancelled() => Err(cancelled()),
            Effect::Write => Ok(work.await),
        }
    }

    async fn transfer(&self, call: &Call<'_>, token: Option<&Token>, head: Option<usize>) -> Result<Arrived, Broken> {
        let mut request = self.client.request(call.method.clone(), call.url.clone()).headers(call.headers.clone());
        if let Some(token) = token {
            let (name, text) = call.login.map_or_else(|| token::bearer(&token.secret), |login| login.present(&token.secret));
            let mut value = HeaderValue::try_from(text).map_err(|_| Broken {
                class: "unsent",
                detail: "the token holds characters that no header can carry".into(),
                unsent: true,
                passing: false,
                cause: None,
            })?;
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        if let Some(body) = &call.body {
            request = request.body(body.clone());
        }
        let mut response = request.send().await.map_err(broken)?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let mut body = Vec::new();
        while let Some(chunk) =
            response.chunk().await.map_err(|error| Broken { class: "cut", detail: "the answer broke off".into(), ..broken(error) })?
        {
            if body.len().saturating_add(chunk.len()) > call.max_body {
                return Err(Broken {
                    class: "too_large",
                    detail: format!("the answer is longer than {} bytes", call.max_body),
                    unsent: false,
                    passing: false,
                    cause: None,
                });
            }
            body.extend_from_slice(&chunk);
            if status.is_success() && head.is_some_and(|head| body.len() >= head) {
                return Ok(Arrived { reply: Reply { status, headers, body }, rest: Some(response) });
            }
        }
        Ok(Arrived { reply: Reply { status, headers, body }, rest: None })
    }
}

/// A timeout as it is kept: scaled, but a network does not get faster with the clock of a test.
pub(super) fn patience(timeout: Duration) -> Duration {
    clock::scaled(timeout).max(timeout.min(LEAST_PATIENCE))
}

/// How far a call has come.
struct Progress {
    delays: Box<dyn Iterator<Item = Duration> + Send>,
    attempts: u32,
    unreadable: u32,
    throttled: u32,
    paused: Duration,
    renewed: u32,
}

impl Progress {
    fn new(policy: &retry::Policy) -> Self {
        Self { delays: Box::new(policy.delays()), attempts: 0, unreadable: 0, throttled: 0, paused: Duration::ZERO, renewed: 0 }
    }

    /// Waits before another attempt. The inner error is the number of attempts when there is to be none; the outer one a cancel.
    async fn again(&mut self, may: bool, stop: &CancellationToken) -> Result<Result<(), u32>, Fault> {
        self.attempts += 1;
        match self.delays.next().filter(|_| may) {
            None => Ok(Err(self.attempts)),
            Some(delay) => wait(clock::scaled(delay), stop).await.map(Ok),
        }
    }
}

/// Takes a slot of the shared limit and waits for it; one that is far off puts the run back to the queue instead.
async fn take_slot(call: &Call<'_>, stop: &CancellationToken) -> Result<(), Fault> {
    let Some(limiter) = call.limiter else { return Ok(()) };
    let ahead = unless_stopped(stop, limiter.limits.slot(limiter.key, clock::scaled(limiter.interval))).await??;
    if ahead > clock::scaled(retry::LONGEST_PAUSE) {
        let until = clock::now() + clock::chrono_duration(ahead);
        return Err(fault(call, None, Code::RemoteRateLimited, "the next free slot is far off", 1).until(until));
    }
    if ahead.is_zero() { Ok(()) } else { wait(ahead, stop).await }
}

/// The remote asks us to slow down: all processes pause; a long pause puts the run back to the queue.
async fn pause(
    call: &Call<'_>,
    token: Option<&Token>,
    state: &mut Progress,
    retry_after: Option<Duration>,
    detail: &str,
    stop: &CancellationToken,
) -> Result<(), Fault> {
    metrics::counter!(METRIC_THROTTLED, "system" => call.system).increment(1);
    state.throttled += 1;
    let length = retry::pause(state.throttled, retry_after);
    state.paused += length;
    let until = match call.limiter {
        Some(limiter) => unless_stopped(stop, limiter.limits.pause(limiter.key, clock::scaled(length))).await??,
        None => clock::now() + clock::chrono_duration(clock::scaled(length)),
    };
    if length > retry::LONGEST_PAUSE || state.paused > retry::LONGEST_PAUSES {
        return Err(fault(call, token, Code::RemoteRateLimited, detail, state.throttled).until(until));
    }
    // With a limiter the next slot lies behind the pause.
    if call.limiter.is_some() { Ok(()) } else { wait(clock::scaled(length), stop).await }
}

fn answer<T>(value: T, reply: &Reply, sent_at: DateTime<Utc>, took: Duration) -> Answer<T> {
    let (date, asked_at) = match reply.date() {
        Some(date) => (date, (date - clock::chrono_duration(took)).trunc_subsecs(6)),
        None => (sent_at - CLOCK_DIFFERENCE, sent_at - CLOCK_DIFFERENCE),
    };
    Answer { value, status: reply.status.as_u16(), date, asked_at }
}

/// A fault of `call` in plain words: what the remote said, cut and masked.
fn fault(call: &Call<'_>, token: Option<&Token>, code: Code, detail: &str, attempts: u32) -> Fault {
    let words = redact::words(&redact::hide(detail.to_owned(), &secrets(call, token)));
    let tries = if attempts > 1 { format!(" ({attempts} attempts)") } else { String::new() };
    Fault::new(code, format!("{} {}: {words}{tries}", call.system, call.route))
}

/// What this call sent that nobody may see, should the remote echo it.
fn secrets<'a>(call: &'a Call<'_>, token: Option<&'a Token>) -> Vec<&'a str> {
    call.secrets.iter().map(ExposeSecret::expose_secret).chain(token.map(|token| token.secret.expose_secret())).collect()
}

/// The same for an answer that cannot be read; its beginning goes to the log, once.
fn unread(call: &Call<'_>, token: Option<&Token>, reply: &Reply, detail: &str, attempts: u32) -> Fault {
    let sample = if call.private { "not shown: it may hold data of people".to_owned() } else { reply.sample(&secrets(call, token)) };
    tracing::warn!(
        remote.system = call.system,
        remote.route = call.route,
        remote.status = reply.status.as_u16(),
        remote.bytes = reply.body.len(),
        remote.sample = sample,
        "beginning of an answer that cannot be read"
    );
    fault(call, token, Code::RemoteProtocol, detail, attempts)
}

/// Puts an error of the client in plain words, without its address.
fn broken(error: reqwest::Error) -> Broken {
    let error = error.without_url();
    let (class, detail, unsent) = if error.is_connect() {
        ("connect", "could not connect", true)
    } else if error.is_timeout() {
        ("timeout", "no answer in time", false)
    } else if error.is_builder() {
        ("unsent", "the request cannot be built", true)
    } else {
        ("cut", "the connection broke off", false)
    };
    let mut detail = detail.to_owned();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        cause = inner.source();
        if cause.is_none() {
            detail = format!("{detail}: {inner}");
        }
    }
    Broken { class, detail, unsent, passing: !error.is_builder(), cause: Some(error) }
}
