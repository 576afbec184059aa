//! The client against the simulator's worst: tokens, pages, lost answers.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use tradesync::{
    fault::{Code, Fault},
    remote::{self, Http, ports::Limits},
    sandbox::{self, Running, okliving::Switches},
    systems::okliving::{self, Client, Options, Paging, TokenBody, Update, Updated, Window, request::Times},
};

struct NoLimits;

#[async_trait]
impl Limits for NoLimits {
    async fn slot(&self, _: &str, _: Duration) -> Result<Duration, Fault> {
        Ok(Duration::ZERO)
    }
    async fn pause(&self, _: &str, _: Duration) -> Result<DateTime<Utc>, Fault> {
        Ok(Utc::now())
    }
}

async fn shop(orders: usize, switches: Switches) -> Running {
    sandbox::start(sandbox::Options { products: 0, goods: 0, contacts: 0, deals: 0, orders, okliving: switches, ..Default::default() })
        .await
        .unwrap()
}

fn options(running: &Running) -> Options {
    Options {
        base_url: running.okliving_url.parse().unwrap(),
        token_path: okliving::TOKEN_PATH.into(),
        orders_path: okliving::ORDERS_PATH.into(),
        update_path: okliving::UPDATE_PATH.into(),
        client_id: "demo-client".into(),
        client_secret: SecretString::from("demo-okliving-secret"),
        token_body: TokenBody::Json,
        request: json!({}),
        order_request: json!({"args": {"filters": {"ids": ["${id}"]}}}),
        paging: Paging::None,
        page_size: 10,
        times: Times::Local(chrono_tz::Europe::Kyiv),
        pause: Duration::ZERO,
    }
}

fn client(options: Options) -> Client {
    let http = Http::new(remote::Options::default()).unwrap();
    Client::new(options, http, Arc::new(NoLimits), CancellationToken::new()).writing(Box::new(|_| Ok(())))
}

fn always() -> Window {
    Window { from: DateTime::UNIX_EPOCH, to: Utc::now() }
}

async fn ids(client: &Client) -> Result<Vec<String>, Fault> {
    let (mut pages, mut ids) = (client.pages(always()), Vec::new());
    while let Some(orders) = pages.next().await? {
        ids.extend(orders.iter().map(|order| order["id"].as_str().map_or_else(|| order["id"].to_string(), str::to_owned)));
    }
    ids.sort_unstable();
    Ok(ids)
}

fn by_page(running: &Running) -> Options {
    Options { request: json!({"args": {"page": "${page}", "limit": "${limit}"}}), paging: Paging::Page, ..options(running) }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_of_paging_brings_every_order_once() {
    let running = shop(33, Switches::default()).await;
    let all: Vec<String> = running.okliving.orders().into_keys().collect();
    let offset = json!({"args": {"offset": "${offset}", "limit": "${limit}"}});
    let cursor = json!({"args": {"cursor": "${cursor}", "limit": "${limit}"}});
    for options in [
        options(&running),
        by_page(&running),
        Options { request: offset, paging: Paging::Offset, ..options(&running) },
        Options { request: cursor, paging: Paging::Cursor, ..options(&running) },
    ] {
        let paging = options.paging;
        assert_eq!(ids(&client(options)).await.unwrap(), all, "{paging:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ignores_the_page_ends_the_read() {
    let running = shop(8, Switches { page_ignored: true, ..Switches::default() }).await;
    assert_eq!(ids(&client(by_page(&running))).await.unwrap().len(), 8);
    assert!(running.okliving.desk().requests().total < 6, "it must not loop");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_dies_between_pages_costs_one_login_and_the_same_page_again() {
    let running = shop(33, Switches { token_calls: Some(2), ..Switches::default() }).await;
    let client = client(by_page(&running));
    assert_eq!(ids(&client).await.unwrap().len(), 33);
    assert!(running.okliving.state().logins >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_ask_at_once_log_in_once() {
    let running = shop(3, Switches::default()).await;
    let client = Arc::new(client(options(&running)));
    let asking: Vec<_> = (0..10)
        .map(|_| {
            let client = Arc::clone(&client);
            tokio::spawn(async move { ids(&client).await })
        })
        .collect();
    for asked in asking {
        assert_eq!(asked.await.unwrap().unwrap().len(), 3);
    }
    assert_eq!(running.okliving.state().logins, 1);
    let form = Options { token_body: TokenBody::Form, client_secret: SecretString::from("wrong"), ..options(&running) };
    assert_eq!(ids(&self::client(form)).await.unwrap_err().code, Code::RemoteAuth);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_login_is_taken_as_a_form_as_well() {
    let running = shop(2, Switches::default()).await;
    assert_eq!(ids(&client(Options { token_body: TokenBody::Form, ..options(&running) })).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_says_what_became_of_it() {
    let running = shop(3, Switches::default()).await;
    let client = client(options(&running));
    let id = running.okliving.orders().into_keys().next().unwrap();
    running.okliving.edit(&id, |order| {
        order.order = serde_json::from_value(json!("open")).unwrap();
        order.delivery = serde_json::from_value(json!("open")).unwrap();
    });
    let update =
        Update { id: id.clone(), tracking_number: Some("20450000000000".into()), delivery: Some("ship".into()), ..Update::default() };
    assert_eq!(client.update(&update).await.unwrap(), Updated::Done);
    let now = client.order(&id, always()).await.unwrap().unwrap();
    assert_eq!((&now["tracking_number"], &now["statuses"]["delivery"]), (&json!("20450000000000"), &json!("shipped")));
    let illegal = Update { id: id.clone(), order: Some("complete".into()), ..Update::default() };
    assert!(matches!(client.update(&illegal).await.unwrap(), Updated::Illegal(_)));
    assert_eq!(client.order("no-such-order", always()).await.unwrap(), None::<Value>);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_an_update_is_not_sent_again_by_itself() {
    let running = shop(1, Switches::default()).await;
    let id = running.okliving.orders().into_keys().next().unwrap();
    running.okliving.desk().add_fault(sandbox::desk::Rule::new("update-order", 1, sandbox::desk::Fault::Drop));
    let update = Update { id, note: Some("Їде".into()), ..Update::default() };
    let lost = client(options(&running)).update(&update).await.unwrap_err();
    assert_eq!(lost.code, Code::RemoteUnavailable);
    assert_eq!(running.okliving.writes().len(), 1);
}
