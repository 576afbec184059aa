//! The client against a scripted InSales.

use std::sync::Arc;

use rust_decimal::Decimal;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    fault::{Code, Fault},
    remote::testing::{Act, Asked, Memory, Server, answer, json, quick_http},
};

const PASSWORD: &str = "insales-password-of-the-application";

fn reader(server: &Server, limits: &Arc<Memory>) -> Reader {
    let options =
        Options { base_url: server.url.clone(), app_id: "app".into(), password: SecretString::from(PASSWORD), page_size: PAGE_SIZE };
    Reader::new(options, quick_http(), Arc::clone(limits) as Arc<_>, CancellationToken::new())
}

fn writer(server: &Server) -> Writer {
    Writer::new(reader(server, &Memory::new(1_000)), Box::new(|_| Ok(())))
}

fn update(variant: u64, quantity: i64) -> Update {
    Update { product: 1, variant, field: Field::Whole, quantity: Some(Decimal::from(quantity)) }
}

fn row(id: u64, moment: &str) -> String {
    format!(r#"{{"id":{id},"updated_at":"{moment}","title":"P","variants":[{{"id":{}0,"quantity":1}}]}}"#, id)
}

const FIRST: &str = "2026-05-14T10:01:02.492+03:00";
const LATER: &str = "2026-05-14T10:01:02.493+03:00";

/// Three products on two pages, then nothing; `count` of them.
fn shop(asked: &Asked, count: u64) -> Act {
    if asked.line.contains("count.json") {
        return json(&format!(r#"{{"count":{count}}}"#));
    }
    json(&if asked.line.contains("1970-01-01") {
        format!("[{},{}]", row(1, FIRST), row(2, FIRST))
    } else if asked.line.contains("from_id=2") {
        format!("[{}]", row(3, LATER))
    } else {
        "[]".to_owned()
    })
}

async fn everything(count: u64) -> (Server, Result<(Swept, usize), Fault>) {
    let server = Server::start(move |asked| shop(asked, count)).await;
    let mut seen = 0;
    let swept = reader(&server, &Memory::new(1_000)).everything(|_| seen += 1).await;
    (server, swept.map(|swept| (swept, seen)))
}

#[tokio::test]
async fn a_sweep_copies_the_cursor_verbatim_and_ends_on_the_empty_page() {
    let (server, swept) = everything(3).await;
    let (swept, seen) = swept.expect("whole");
    assert_eq!((seen, swept.calls, swept.cursor), (3, 4, Cursor { updated_at: LATER.into(), id: 3 }));
    let lines: Vec<String> = server.asked().into_iter().map(|asked| asked.line).collect();
    assert_eq!(lines[1], "GET /admin/products.json?updated_since=2026-05-14T10%3A01%3A02.492%2B03%3A00&from_id=2&per_page=250");
    assert!(server.asked()[0].head.to_lowercase().contains("authorization: basic yxbwomluc2fszxmtcgfzc3dvcmqtb2ytdghllwfwcgxpy2f0aw9u"));
}

#[tokio::test]
async fn fewer_products_than_counted_are_no_catalogue_and_more_were_deleted_meanwhile() {
    assert_eq!(everything(4).await.1.expect_err("half").code, Code::ReadNotWhole);
    assert!(everything(2).await.1.is_ok());
}

#[tokio::test]
async fn a_cursor_that_stands_still_ends_the_sweep() {
    let server = Server::start(|_| json(&format!("[{}]", row(5, FIRST)))).await;
    let fault = reader(&server, &Memory::new(1_000)).everything(|_| ()).await.expect_err("endless");
    assert_eq!((fault.code, server.asked().len()), (Code::RemoteProtocol, 2));
}

#[tokio::test]
async fn an_object_where_a_list_should_be_is_no_catalogue() {
    let server = Server::start(|_| json(r#"{"products":[]}"#)).await;
    assert_eq!(reader(&server, &Memory::new(1_000)).everything(|_| ()).await.expect_err("no list").code, Code::RemoteProtocol);
}

#[tokio::test]
async fn close_to_the_end_of_the_budget_everybody_pauses() {
    let server = Server::start(|_| answer(200, "API-Usage-Limit: 481/500\r\n", r#"{"count":1}"#)).await;
    let limits = Memory::new(1_000);
    let mut reader = reader(&server, &limits);
    assert_eq!(reader.count().await.expect("a count"), 1);
    assert_eq!(reader.usage(), Some(Usage { used: 481, limit: 500 }));
    let pauses = limits.pauses.lock().expect("lock").clone();
    assert_eq!(pauses.len(), 1, "{pauses:?}");
    assert!(pauses[0].0.starts_with("insales:127.0.0.1:app"));
}

#[tokio::test]
async fn the_limit_pauses_all_and_a_long_one_gives_the_worker_back() {
    let server = Server::start(|_| answer(429, "Retry-After: 240\r\n", "")).await;
    let limits = Memory::new(1_000);
    let fault = reader(&server, &limits).count().await.expect_err("limited");
    assert!(fault.code == Code::RemoteRateLimited && fault.until.is_some(), "{fault}");
    assert_eq!((limits.pauses.lock().expect("lock").len(), server.asked().len()), (1, 1));
}

#[tokio::test]
async fn a_group_is_sent_as_the_sheet_says_and_both_answers_are_understood() {
    let server = Server::start(|_| json("[]")).await;
    let sent = writer(&server).update_group(&[update(2_680_000_001, 7)]).await.expect("sent");
    assert_eq!(sent, [Sent::Queued]);
    let asked = server.asked().remove(0);
    assert_eq!(
        (asked.line.as_str(), asked.body.as_str()),
        ("PUT /admin/products/variants_group_update.json", r#"{"variants":[{"id":2680000001,"quantity":7}]}"#)
    );
    assert!(asked.head.to_lowercase().contains("content-type: application/json"));

    let old = Server::start(|_| json(r#"[{"id":1,"status":"ok"},{"id":2,"status":"error","errors":{"quantity":["bad"]}}]"#)).await;
    let sent = writer(&old).update_group(&[update(1, 7), update(2, 8)]).await.expect("sent");
    assert!(matches!(&sent[..], [Sent::Queued, Sent::Refused(why)] if why.contains("bad")), "{sent:?}");
}

#[tokio::test]
async fn a_single_value_is_answered_by_what_stands_there_then() {
    let server = Server::start(|_| json(r#"{"id":9,"quantity":7,"quantity_at_warehouse2":"1.5"}"#)).await;
    let one = Update { product: 4, variant: 9, field: Field::Warehouse(2), quantity: Some(Decimal::new(15, 1)) };
    let stands = writer(&server).update_one(&one).await.expect("done");
    assert_eq!(stands.warehouses.get(&2), Some(&Quantity::Pieces(Decimal::new(15, 1))));
    let asked = server.asked().remove(0);
    assert_eq!(
        (asked.line.as_str(), asked.body.as_str()),
        ("PUT /admin/products/4/variants/9.json", r#"{"variant":{"quantity_at_warehouse2":1.5}}"#)
    );
}

#[tokio::test]
async fn nothing_is_sent_that_may_land_after_the_lease() {
    let server = Server::start(|_| json("[]")).await;
    let permit = |_| Err(Fault::new(Code::LeaseLost, "too late"));
    let mut writer = Writer::new(reader(&server, &Memory::new(1_000)), Box::new(permit));
    assert_eq!(writer.update_group(&[update(1, 7)]).await.expect_err("kept back").code, Code::LeaseLost);
    assert_eq!(server.asked().len(), 0);
    assert!(writer.by_ids(&[1]).await.is_ok(), "looking is no writing");
}

#[tokio::test]
async fn a_wrong_password_is_told_without_it() {
    let server = Server::start(|_| answer(401, "", &format!("HTTP Basic: Access denied for {PASSWORD}"))).await;
    let fault = reader(&server, &Memory::new(1_000)).count().await.expect_err("refused");
    assert_eq!((fault.code, server.asked().len()), (Code::RemoteAuth, 1), "a wrong password is not tried again");
    assert!(!fault.to_string().contains(PASSWORD), "{fault}");
}
