//! The client against a scripted Billz.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::DateTime;
use futures_util::future::join_all;
use secrecy::SecretString;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    fault::{Code, Fault},
    remote::testing::{Act, Asked, Memory, Server, answer, json, quick_http},
};

const SECRET: &str = "integration-key-of-the-merchant";

fn jwt(serial: usize) -> String {
    let payload = format!(r#"{{"company_id":"c1","user_id":"u{serial}","exp":1796638000,"iat":1795342000}}"#);
    format!("eyJhbGciOiJIUzI1NiJ9.{}.c2lnbmF0dXJl{serial}", URL_SAFE_NO_PAD.encode(payload))
}

fn login(serial: usize) -> Act {
    json(&format!(
        r#"{{"code":200,"message":"ok","error":null,"data":{{"access_token":"{}","refresh_token":"r","token_type":"Bearer","expires_in":86400}}}}"#,
        jwt(serial)
    ))
}

/// A server that logs in and answers the rest by `script`.
async fn billz(script: impl Fn(&Asked) -> Act + Send + Sync + 'static) -> Server {
    Server::start(move |asked| match asked.line.as_str() {
        "POST /v1/auth/login" if asked.body == format!(r#"{{"secret_token":"{SECRET}"}}"#) => login(1),
        "POST /v1/auth/login" => answer(401, "", r#"{"code":401,"message":"bad secret","error":"secret","data":null}"#),
        _ => script(asked),
    })
    .await
}

fn options(server: &Server) -> Options {
    Options { base_url: server.url.clone(), secret: SecretString::from(SECRET), egress: "default".into(), page_size: PAGE_SIZE }
}

fn client(server: &Server, limits: &Arc<Memory>) -> Client {
    Client::new(options(server), quick_http(), Arc::clone(limits) as Arc<_>, CancellationToken::new())
}

fn row(id: usize) -> String {
    format!(r#"{{"id":"p{id}","name":"Cup {id}"}}"#)
}

/// `page` of a catalogue of `total` rows, `size` each; `products: null` past the end.
fn catalogue(asked: &Asked, total: usize, size: usize) -> Act {
    let page: usize =
        asked.line.split("page=").nth(1).and_then(|rest| rest.split('&').next()).and_then(|page| page.parse().ok()).expect("page");
    let rows: Vec<_> = (1..=total).skip((page - 1) * size).take(size).map(row).collect();
    let rows = if rows.is_empty() { "null".to_owned() } else { format!("[{}]", rows.join(",")) };
    json(&format!(r#"{{"count":{total},"products":{rows}}}"#))
}

/// Keeps ids; takes its time; notes how many requests had been made when each page was stored.
struct Sink<'a> {
    server: &'a Server,
    pause: Duration,
    fail_at: Option<usize>,
    pages: Vec<Vec<String>>,
    asked_before: Vec<usize>,
    asked_after: Vec<usize>,
}

impl<'a> Sink<'a> {
    fn new(server: &'a Server) -> Self {
        Self {
            server,
            pause: Duration::from_millis(30),
            fail_at: None,
            pages: Vec::new(),
            asked_before: Vec::new(),
            asked_after: Vec::new(),
        }
    }
}

#[async_trait]
impl Pages for Sink<'_> {
    async fn page(&mut self, page: ProductPage) -> Result<(), Fault> {
        self.asked_before.push(self.server.count("/v2/products"));
        tokio::time::sleep(self.pause).await;
        self.asked_after.push(self.server.count("/v2/products"));
        self.pages.push(page.rows.into_iter().flatten().map(|row| row.id).collect());
        if self.fail_at == Some(self.pages.len()) { Err(Fault::internal("sink")) } else { Ok(()) }
    }
}

#[tokio::test]
async fn a_catalogue_is_read_whole_one_page_ahead() {
    let server = billz(|asked| catalogue(asked, 7, 2)).await;
    let limits = Memory::new(1_000);
    let mut sink = Sink::new(&server);
    let proof = client(&server, &limits).read_all(None, &mut sink).await.expect("read");
    assert_eq!(doubt(&proof), None);
    assert_eq!((proof.pages, proof.rows_seen, proof.distinct, proof.count_last), (4, 7, 7, 7));
    assert_eq!(sink.pages.concat(), (1..=7).map(|id| format!("p{id}")).collect::<Vec<_>>());
    assert_eq!(sink.asked_after, [2, 3, 4, 4], "while a page is stored exactly one more is fetched");
    let started = DateTime::parse_from_rfc3339("2026-11-22T10:00:00Z").expect("date").to_utc();
    assert!(proof.started_at <= started && started - proof.started_at < chrono::Duration::seconds(1));
    assert_eq!(server.asked().iter().map(|asked| asked.line.as_str()).nth(1), Some("GET /v2/products?limit=200&page=1"));
    assert_eq!(server.count("login"), 1);
    let slots = limits.slots.lock().expect("lock");
    assert!(slots.len() == 5 && slots.iter().all(|key| key == "billz2:egress:default"), "the login counts too: {slots:?}");
}

#[tokio::test]
async fn a_delta_names_its_moment_in_the_only_form_that_is_taken() {
    let server = billz(|asked| catalogue(asked, 0, 2)).await;
    let since = DateTime::parse_from_rfc3339("2026-09-30T16:42:07.9+05:00").expect("date").to_utc();
    let mut sink = Sink::new(&server);
    let proof = client(&server, &Memory::new(1_000)).read_all(Some(since), &mut sink).await.expect("read");
    assert_eq!((doubt(&proof), proof.pages, sink.pages.len()), (None, 1, 1));
    assert_eq!(server.count("last_updated_date=2026-09-30+11%3A42%3A07"), 1, "{:?}", server.asked());
}

#[tokio::test]
async fn rows_that_shift_between_pages_cast_doubt() {
    let server = billz(|asked| {
        if asked.line.contains("page=1") {
            catalogue(asked, 4, 2)
        } else {
            json(&format!(r#"{{"count":4,"products":[{},{}]}}"#, row(2), row(3)))
        }
    })
    .await;
    let proof = client(&server, &Memory::new(1_000)).read_all(None, &mut Sink::new(&server)).await.expect("read");
    assert_eq!(doubt(&proof).as_deref(), Some("Billz announced 4 products, but 4 rows came with 3 different products."));
}

#[tokio::test]
async fn a_fault_of_either_side_ends_the_read_but_loses_no_page_in_hand() {
    let limits = Memory::new(1_000);
    let server =
        billz(
            |asked| if asked.line.contains("page=3") { answer(403, "", r#"{"message":"access denied"}"#) } else { catalogue(asked, 9, 2) },
        )
        .await;
    let mut sink = Sink::new(&server);
    let fault = client(&server, &limits).read_all(None, &mut sink).await.expect_err("403");
    assert_eq!((fault.code, sink.pages.len()), (Code::RemoteForbidden, 2), "{fault}");

    let server = billz(|asked| catalogue(asked, 9, 2)).await;
    let mut sink = Sink { fail_at: Some(2), ..Sink::new(&server) };
    let fault = client(&server, &limits).read_all(None, &mut sink).await.expect_err("sink");
    assert_eq!((fault.code, sink.pages.len()), (Code::Internal, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_expired_token_leads_to_one_login_for_all() {
    let logins = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::start(move |asked| {
        if asked.line.contains("login") {
            return login(logins.fetch_add(1, std::sync::atomic::Ordering::SeqCst));
        }
        if asked.head.contains("c2lnbmF0dXJl0") {
            return answer(401, "", r#"{"code":401,"message":"token error","error":"Token is expired","data":null}"#);
        }
        catalogue(asked, 1, 2)
    })
    .await;
    let (http, limits) = (quick_http(), Memory::new(100_000));
    let clients: Vec<_> =
        (0..20).map(|_| Client::new(options(&server), http.clone(), Arc::clone(&limits) as Arc<_>, CancellationToken::new())).collect();
    for page in join_all(clients.iter().map(|client| client.products(None, 1))).await {
        assert_eq!(page.expect("page").rows_seen, 1);
    }
    assert_eq!(server.count("login"), 2, "the first and one renewal");
}

#[tokio::test]
async fn a_wrong_secret_is_said_without_saying_it() {
    let server = billz(|asked| catalogue(asked, 1, 2)).await;
    let mut wrong = options(&server);
    wrong.secret = SecretString::from("wrong-key-of-nobody");
    let client = Client::new(wrong, quick_http(), Memory::new(1_000), CancellationToken::new());
    let fault = client.products(None, 1).await.expect_err("401");
    assert_eq!((fault.code, server.count("login"), server.count("products")), (Code::RemoteAuth, 1, 0));
    assert_eq!(fault.detail, "billz2 POST /v1/auth/login: HTTP 401: bad secret: secret");
    assert!(!format!("{fault:?}").contains("wrong-key"));
}

#[tokio::test]
async fn the_account_is_the_tokens_company() {
    let server = billz(|_| Act::Drop).await;
    let client = client(&server, &Memory::new(1_000));
    assert_eq!(client.account().await.expect("login").as_deref(), Some("c1"));
    assert_eq!(client.account().await.expect("cached").as_deref(), Some("c1"));
    assert_eq!(server.count("login"), 1);
}

#[tokio::test]
async fn lists_come_bare_or_wrapped_null_or_missing() {
    let bodies: [(&str, Result<usize, Code>); 8] = [
        (r#"{"count":1,"products":[{"id":"p1"}]}"#, Ok(1)),
        (r#"{"code":200,"message":"ok","data":{"count":"1","products":[{"id":"p1"}]}}"#, Ok(1)),
        (r#"{"count":0,"products":null}"#, Ok(0)),
        (r#"{"count":2,"products":[{"id":"p1"},{"name":"no id"}]}"#, Ok(2)),
        ("{}", Err(Code::RemoteProtocol)),
        (r#"{"count":1,"products":{}}"#, Err(Code::RemoteProtocol)),
        (r#"{"products":[]}"#, Err(Code::RemoteProtocol)),
        (r#"{"error":{"code":"NOT_FOUND","message":"not found"}}"#, Err(Code::RemoteRejected)),
    ];
    for (body, expected) in bodies {
        let server = billz(move |_| json(body)).await;
        let page = client(&server, &Memory::new(100_000)).products(None, 1).await;
        assert_eq!(page.map(|page| page.rows_seen).map_err(|fault| fault.code), expected, "{body}");
    }
}

#[tokio::test]
async fn shops_are_paged_each_once() {
    let server = billz(|asked| {
        let shop = |id| format!(r#"{{"id":"s{id}","name":"Shop {id}"}}"#);
        let (one, two, three) = (shop(1), shop(2), shop(3));
        json(&match asked.line.contains("page=1") {
            true => format!(r#"{{"count":4,"shops":[{one},{two}]}}"#),
            false => format!(r#"{{"count":4,"shops":[{two},{three}]}}"#),
        })
    })
    .await;
    let shops = client(&server, &Memory::new(100_000)).shops().await.expect("shops");
    assert_eq!(shops.iter().map(|shop| shop.id.as_str()).collect::<Vec<_>>(), ["s1", "s2", "s3"]);
    assert_eq!(server.count("/v1/shop?limit=100&page=2&only_allowed=true"), 1);

    let none = billz(|_| json(r#"{"count":0,"shops":null}"#)).await;
    assert_eq!(client(&none, &Memory::new(100_000)).shops().await.expect("none"), []);
}

#[tokio::test]
async fn the_currency_is_optional_but_an_outage_is_not_an_answer() {
    type Case = (fn() -> Act, Result<Option<&'static str>, Code>);
    let table: [Case; 8] = [
        (|| json(r#"{"company_id":"c1","retail_currency":{"type":"UZS"}}"#), Ok(Some("UZS"))),
        (|| answer(404, "", r#"{"error":{"code":"NOT_FOUND"}}"#), Ok(None)),
        (|| answer(403, "", ""), Ok(None)),
        (|| json("[]"), Ok(None)),
        (|| json(r#"[{"retail_currency":"UZS"}]"#), Ok(None)),
        (|| answer(200, "", "<html>"), Err(Code::RemoteProtocol)),
        (|| json(r#"{"retail_currency":{"ty"#), Err(Code::RemoteProtocol)),
        (|| answer(503, "", ""), Err(Code::RemoteUnavailable)),
    ];
    for (act, expected) in table {
        let server = billz(move |_| act()).await;
        let currency = client(&server, &Memory::new(100_000)).company_currency().await;
        assert_eq!(currency.as_ref().map(Option::as_deref).map_err(|fault| fault.code), expected);
    }
}

#[tokio::test]
async fn a_base_address_may_have_a_path_and_calls_keep_their_distance() {
    let server = Server::start(|asked| if asked.line.contains("login") { login(1) } else { catalogue(asked, 1, 2) }).await;
    let mut options = options(&server);
    options.base_url = server.url.join("sim/").expect("url");
    let client = Client::new(options, quick_http(), Memory::new(5), CancellationToken::new());
    let begun = Instant::now();
    for _ in 0..4 {
        client.products(None, 1).await.expect("page");
    }
    assert!(begun.elapsed() >= SPACING * 4 / 5, "a login and four calls stand four slots apart: {:?}", begun.elapsed());
    assert_eq!((server.count("POST /sim/v1/auth/login"), server.count("GET /sim/v2/products")), (1, 4));
}
