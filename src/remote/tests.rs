//! The loop of [`super::client`] against a server that cuts, hangs and lies.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use reqwest::Method;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::{
    testing::{Act, Asked, Memory, Server, answer, json, quick_http},
    *,
};
use crate::fault::{Code, Fault};

fn judge(reply: &Reply) -> Class<String> {
    if let Some(class) = reply.by_status(None) {
        return class;
    }
    if let Some(class) = reply.garbled() {
        return class;
    }
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    if text.contains("\"error\"") {
        return Class::Rejected(text);
    }
    match serde_json::from_slice::<serde_json::Value>(&reply.body) {
        Ok(_) => Class::Good(text),
        Err(error) => Class::Unreadable(error.to_string()),
    }
}

fn call(server: &Server, effect: Effect) -> Call<'static> {
    let mut url = server.url.clone();
    url.set_path("/things");
    url.set_query(Some("key=hunter22"));
    Call::new("test", "GET /things", effect, Method::GET, url)
}

async fn get(server: &Server) -> Result<Answer<String>, Fault> {
    quick_http().send(&call(server, Effect::Read), &CancellationToken::new(), judge).await
}

/// The given acts in their order, the last one for ever.
fn in_turn(acts: Vec<fn() -> Act>) -> impl Fn(&Asked) -> Act + Send + Sync {
    move |asked| acts.get(asked.nth.min(acts.len() - 1)).map_or(Act::Drop, |act| act())
}

fn cut() -> Act {
    Act::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"a\":1".to_vec())
}

fn truncated() -> Act {
    json(r#"{"count":3,"products":[{"id":"#)
}

fn good() -> Act {
    json(r#"{"a":1}"#)
}

#[tokio::test]
async fn what_heals_is_retried_and_what_stays_broken_has_its_code() {
    type Case = (&'static str, fn() -> Act, Code, usize);
    let table: [Case; 9] = [
        ("cut body", cut, Code::RemoteUnavailable, 4),
        ("closed at once", || Act::Drop, Code::RemoteUnavailable, 4),
        ("hang", || Act::Hang, Code::RemoteUnavailable, 4),
        ("503", || answer(503, "", "busy"), Code::RemoteUnavailable, 4),
        ("web page", || answer(200, "", "<html>maintenance</html>"), Code::RemoteProtocol, 4),
        ("empty body", || answer(200, "", ""), Code::RemoteProtocol, 4),
        ("truncated JSON", truncated, Code::RemoteProtocol, 2),
        ("200 with an error", || json(r#"{"error":"no"}"#), Code::RemoteRejected, 1),
        ("redirect", || answer(302, "location: http://127.0.0.1:1/\r\n", ""), Code::RemoteRejected, 1),
    ];
    for (name, act, code, times) in table {
        let server = Server::start(move |_| act()).await;
        let fault = get(&server).await.expect_err(name);
        assert_eq!((fault.code, server.asked().len()), (code, times), "{name}: {fault}");
        assert!(fault.detail.starts_with("test GET /things: "), "{fault}");
        assert!(!fault.to_string().contains("hunter22"), "{fault}");

        if times > 1 {
            let server = Server::start(move |asked| if asked.nth == 0 { act() } else { good() }).await;
            let answer = get(&server).await.expect(name);
            assert_eq!((answer.value.as_str(), server.asked().len()), (r#"{"a":1}"#, 2), "{name}");
        }
    }
}

#[tokio::test]
async fn writes_are_sent_once_unless_marked_or_unsent() {
    let server = Server::start(|_| answer(503, "", "")).await;
    let (http, stop) = (quick_http(), CancellationToken::new());
    let fault = http.send(&call(&server, Effect::Write), &stop, judge).await.expect_err("503");
    assert_eq!((fault.code, server.asked().len()), (Code::RemoteUnavailable, 1));
    let marked = Call { replay_safe: true, ..call(&server, Effect::Write) };
    http.send(&marked, &stop, judge).await.expect_err("503");
    assert_eq!(server.asked().len(), 5);

    let mut nowhere = call(&server, Effect::Write);
    nowhere.url.set_port(Some(1)).expect("port");
    let fault = http.send(&nowhere, &stop, judge).await.expect_err("refused");
    assert_eq!(fault.code, Code::RemoteUnavailable);
    assert!(fault.detail.contains("could not connect") && fault.detail.ends_with("(4 attempts)"), "{fault}");
}

#[tokio::test]
async fn dates_come_from_the_remote_or_ours_less_five_seconds() {
    let server = Server::start(in_turn(vec![good, || answer(200, "", "{}")])).await;
    let first = get(&server).await.expect("good");
    assert_eq!(first.date.to_rfc3339(), "2026-11-22T10:00:00+00:00");
    assert!(first.asked_at <= first.date && first.date - first.asked_at < chrono::Duration::seconds(1));
    let second = get(&server).await.expect("good");
    let behind = chrono::Utc::now() - second.date;
    assert!(behind >= chrono::Duration::seconds(5) && behind < chrono::Duration::seconds(7), "{behind}");
}

#[tokio::test]
async fn an_answer_over_the_limit_is_refused_unread() {
    let server = Server::start(|_| json(&format!("\"{}\"", "x".repeat(5_000)))).await;
    let small = Call { max_body: 1_000, ..call(&server, Effect::Read) };
    let fault = quick_http().send(&small, &CancellationToken::new(), judge).await.expect_err("too large");
    assert_eq!((fault.code, server.asked().len()), (Code::RemoteProtocol, 1), "{fault}");
}

/// `{"a":1}` packed by gzip, its last `less` bytes cut off.
fn packed(less: usize) -> Act {
    const BYTES: [u8; 27] = [31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 74, 84, 178, 50, 172, 5, 0, 175, 172, 27, 86, 7, 0, 0, 0];
    let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", BYTES.len() - less);
    Act::Raw([head.as_bytes(), BYTES.get(..BYTES.len() - less).expect("part")].concat())
}

#[tokio::test]
async fn packed_answers_are_unpacked_and_cut_ones_noticed() {
    let server = Server::start(in_turn(vec![|| packed(9), || packed(0)])).await;
    assert_eq!((get(&server).await.expect("second").value.as_str(), server.asked().len()), (r#"{"a":1}"#, 2));
}

#[tokio::test]
async fn throttling_pauses_everybody_and_is_no_failure() {
    let limited: fn() -> Act = || answer(429, "", "");
    let server = Server::start(in_turn(vec![|| answer(429, "retry-after: 3\r\n", ""), limited, limited, limited, limited, good])).await;
    let limits = Memory::new(1_000);
    let http = quick_http();
    let of = |key| Limiter { limits: &*limits, key, interval: Duration::from_millis(500) };
    let answer = http.send(&call(&server, Effect::Read).with_limiter(of("test:1")), &CancellationToken::new(), judge).await;
    assert_eq!(answer.expect("after five pauses, more than the attempts").value, r#"{"a":1}"#);
    let pauses: Vec<u64> = limits.pauses.lock().expect("lock").iter().map(|(_, pause)| pause.as_secs()).collect();
    assert_eq!(pauses, [3, 2, 4, 8, 16]);
    assert_eq!(limits.slots.lock().expect("lock").len(), 6);
}

#[tokio::test]
async fn a_long_pause_puts_the_run_back() {
    for (header, pauses, least, most) in
        [("", 6, 25, 35), ("retry-after: 45\r\n", 1, 40, 46), ("retry-after: 99999\r\n", 1, 590, 601), ("retry-after: 30\r\n", 5, 25, 31)]
    {
        let server = Server::start(move |_| answer(429, header, "slow down")).await;
        let limits = Memory::new(10_000);
        let limiter = Limiter { limits: &*limits, key: "test:1", interval: Duration::ZERO };
        let fault =
            quick_http().send(&call(&server, Effect::Read).with_limiter(limiter), &CancellationToken::new(), judge).await.expect_err("429");
        assert_eq!((fault.code, server.asked().len()), (Code::RemoteRateLimited, pauses), "{header:?} {fault}");
        let ahead = (fault.until.expect("until") - chrono::Utc::now()).num_seconds();
        assert!((least..=most).contains(&ahead), "{header:?}: {ahead} s");
    }
}

#[tokio::test]
async fn a_slot_far_off_puts_the_run_back_unasked() {
    let server = Server::start(|_| good()).await;
    let limits = Memory::new(1);
    ports::Limits::pause(&*limits, "test:1", Duration::from_secs(50)).await.expect("pause");
    let limiter = Limiter { limits: &*limits, key: "test:1", interval: Duration::from_millis(1) };
    let fault =
        quick_http().send(&call(&server, Effect::Read).with_limiter(limiter), &CancellationToken::new(), judge).await.expect_err("far");
    assert_eq!((fault.code, server.asked().len()), (Code::RemoteRateLimited, 0));
    assert!(fault.until.is_some_and(|until| until > chrono::Utc::now() + chrono::Duration::seconds(40)));
}

#[tokio::test]
async fn a_cancel_ends_any_wait_within_a_moment() {
    let slow_limits = Memory::new(1);
    ports::Limits::pause(&*slow_limits, "slot", Duration::from_secs(20)).await.expect("pause");
    let hang = Server::start(|_| Act::Hang).await;
    let throttled = Server::start(|_| answer(429, "retry-after: 20\r\n", "")).await;
    let http = Http::new(Options::default()).expect("client");
    for (name, server, key) in [
        ("slot", &hang, Some("slot")),
        ("answer", &hang, None),
        ("pause", &throttled, Some("pause")),
        ("pause without limiter", &throttled, None),
    ] {
        let stop = CancellationToken::new();
        let mut asked = call(server, Effect::Read);
        if let Some(key) = key {
            asked = asked.with_limiter(Limiter { limits: &*slow_limits, key, interval: Duration::ZERO });
        }
        let cancel = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            stop.cancel();
            Instant::now()
        };
        let (done, cancelled_at) = tokio::join!(async { (http.send(&asked, &stop, judge).await, Instant::now()) }, cancel);
        assert_eq!(done.0.expect_err(name).code, Code::Cancelled, "{name}");
        assert!(done.1.saturating_duration_since(cancelled_at) < Duration::from_millis(100), "{name}");
    }
}

#[tokio::test]
async fn a_write_in_flight_is_finished() {
    let stop = CancellationToken::new();
    let inner = stop.clone();
    let server = Server::start(move |_| {
        inner.cancel();
        good()
    })
    .await;
    assert!(quick_http().send(&call(&server, Effect::Write), &stop, judge).await.is_ok());
    assert_eq!(quick_http().send(&call(&server, Effect::Write), &stop, judge).await.expect_err("stopped").code, Code::Cancelled);
    assert_eq!(server.asked().len(), 1, "nothing is begun after a stop");
}

/// Gives out `token-0`, `token-1` ...
struct Counter {
    logins: AtomicUsize,
    slow: Duration,
}

#[async_trait]
impl Login for Counter {
    fn key(&self) -> &str {
        "test:counter"
    }

    async fn login(&self) -> Result<Token, Fault> {
        let nth = self.logins.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(self.slow).await;
        Ok(Token::new(SecretString::from(format!("token-{nth}")), Duration::from_secs(3_600), None))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_who_are_refused_lead_to_one_login_and_one_replay_each() {
    let server = Server::start(|asked| if asked.head.contains("token-1") { good() } else { answer(401, "", "") }).await;
    let login = Arc::new(Counter { logins: AtomicUsize::new(0), slow: Duration::from_millis(20) });
    let http = quick_http();
    let callers = (0..32).map(|_| {
        let (http, login, call) = (http.clone(), Arc::clone(&login), call(&server, Effect::Read));
        tokio::spawn(async move { http.send(&call.with_login(&*login), &CancellationToken::new(), judge).await.map(|answer| answer.value) })
    });
    for done in futures_util::future::join_all(callers).await {
        assert_eq!(done.expect("task").expect("answer"), r#"{"a":1}"#);
    }
    assert_eq!(login.logins.load(Ordering::SeqCst), 2, "the first and one renewal");
    assert!(server.asked().len() <= 64);
}

/// Of four who call side by side one always comes too late for a token that is good for three calls.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tokens_that_die_after_three_calls_serve_all_who_call_side_by_side() {
    let used = std::sync::Mutex::new(std::collections::HashMap::<String, u32>::new());
    let server = Server::start(move |asked| {
        let token = asked.head.split("token-").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap_or_default().to_owned();
        let mut used = used.lock().expect("no panic");
        let calls = used.entry(token).or_default();
        *calls += 1;
        if *calls <= 3 { good() } else { answer(401, "", "") }
    })
    .await;
    let login = Arc::new(Counter { logins: AtomicUsize::new(0), slow: Duration::from_millis(5) });
    let http = quick_http();
    let callers = (0..4).map(|_| {
        let (http, login) = (http.clone(), Arc::clone(&login));
        let calls: Vec<Call<'static>> = (0..10).map(|_| call(&server, Effect::Write)).collect();
        tokio::spawn(async move {
            for call in calls {
                http.send(&call.with_login(&*login), &CancellationToken::new(), judge).await.expect("let in");
            }
        })
    });
    for done in futures_util::future::join_all(callers).await {
        done.expect("all were let in");
    }
}

#[tokio::test]
async fn a_second_401_ends_it() {
    let server = Server::start(|_| answer(401, "", "")).await;
    let login = Counter { logins: AtomicUsize::new(0), slow: Duration::ZERO };
    let fault =
        quick_http().send(&call(&server, Effect::Read).with_login(&login), &CancellationToken::new(), judge).await.expect_err("401");
    assert_eq!((fault.code, server.asked().len(), login.logins.load(Ordering::SeqCst)), (Code::RemoteAuth, 2, 2), "{fault}");
    let fault = get(&server).await.expect_err("401 without a login");
    assert_eq!((fault.code, server.asked().len()), (Code::RemoteAuth, 3));
}

#[tokio::test]
async fn a_stopped_login_is_taken_over_by_who_waits_for_it() {
    let login = Counter { logins: AtomicUsize::new(0), slow: Duration::from_millis(60) };
    let http = quick_http();
    let (first, second) = (CancellationToken::new(), CancellationToken::new());
    let cancel = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        first.cancel();
    };
    let (one, two, ()) = tokio::join!(http.tokens().get(&login, &first), http.tokens().get(&login, &second), cancel);
    assert_eq!(one.expect_err("stopped").code, Code::Cancelled);
    assert!(two.is_ok());
    assert_eq!(login.logins.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn faults_hold_no_secret_that_the_remote_echoes() {
    let server = Server::start(|asked| answer(422, "", &asked.head)).await;
    let login = Counter { logins: AtomicUsize::new(0), slow: Duration::ZERO };
    let echo = |reply: &Reply| Class::<()>::Rejected(String::from_utf8_lossy(&reply.body).into_owned());
    let asked = call(&server, Effect::Read).with_login(&login).with_secret(SecretString::from("hunter22"));
    let fault = quick_http().send(&asked, &CancellationToken::new(), echo).await.expect_err("422");
    assert!(fault.detail.contains("***") && !fault.detail.contains("token-0") && !fault.detail.contains("hunter22"), "{fault}");
    let head = server.asked().into_iter().map(|asked| asked.head).collect::<String>();
    assert!(
        head.contains(concat!("user-agent: tradesync/", env!("CARGO_PKG_VERSION"))) && head.contains("accept-encoding: gzip"),
        "{head}"
    );
}
