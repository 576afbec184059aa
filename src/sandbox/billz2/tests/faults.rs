//! Every fault, seen from the client's side.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{Shop, ids, number};
use crate::sandbox::billz2::faults::{BadField, Family, Fault, Rule};

const PAGE: &str = "/v2/products?limit=100";

async fn shop_with(fault: Fault) -> Shop {
    let shop = Shop::open(300).await;
    shop.running.billz2.fault_once("/v2/products", fault);
    shop
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_every_family() {
    let shop = Shop::open(10).await;
    for (code, family, retry_after, part) in [
        (500, Family::A, None, "\"data\":null"),
        (503, Family::B, Some(7), "\"code\":\"SERVICE_UNAVAILABLE\""),
        (400, Family::C, None, "\"status_code\":400"),
        (502, Family::Html, None, "<html>"),
        (504, Family::Empty, None, ""),
    ] {
        shop.running.billz2.fault_once("/v2", Fault::Status { code, family, retry_after });
        let response = shop.try_get(PAGE).await.unwrap();
        assert_eq!(response.status(), code);
        assert_eq!(response.headers().get("retry-after").is_some(), retry_after.is_some());
        assert!(response.text().await.unwrap().contains(part), "{code}");
    }
    for family in [Family::A, Family::B, Family::C] {
        shop.running.billz2.fault_once("/v2", Fault::ErrorIn200 { family });
        let (status, body) = shop.get(PAGE).await;
        assert!(status == 200 && body.get("products").is_none() && !body["error"].is_null(), "{body}");
    }
    shop.running.billz2.fault_once("", Fault::RateLimited { retry_after: None });
    assert_eq!(shop.get(PAGE).await.0, 429);
    assert_eq!(shop.get(PAGE).await.0, 200, "rules are spent");
    assert!(shop.running.billz2.faults().iter().all(|rule| rule.fired == 1 && rule.times == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_truncated_dropped_late() {
    let shop = shop_with(Fault::CutBody).await;
    let response = shop.try_get(PAGE).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.bytes().await.is_err(), "the body breaks off");
    shop.running.billz2.fault_once("/v2/products", Fault::TruncatedJson);
    let text = shop.try_get(PAGE).await.unwrap().text().await.unwrap();
    assert!(text.starts_with("{\"count\":300") && serde_json::from_str::<Value>(&text).is_err());
    shop.running.billz2.fault_once("/v2/products", Fault::Drop);
    assert!(shop.try_get(PAGE).await.is_err(), "no answer at all");
    assert_eq!(shop.running.billz2.requests().requests.last().unwrap().status, 0);
    for (fault, answered) in [(Fault::Hang { ms: 200 }, false), (Fault::Slow { ms: 200 }, true), (Fault::SlowBody { ms: 200 }, true)] {
        shop.running.billz2.fault_once("/v2/products", fault);
        let started = Instant::now();
        let body = match shop.try_get(PAGE).await {
            Ok(response) => response.json::<Value>().await.ok(),
            Err(_) => None,
        };
        assert_eq!(body.is_some(), answered);
        assert!(started.elapsed() >= Duration::from_millis(200));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_that_lie() {
    let shop = shop_with(Fault::EmptyList).await;
    assert_eq!(shop.get(PAGE).await, (200, json!({"count": 0, "products": null})));
    shop.running.billz2.fault_once("/v2/products", Fault::ShortCount { missing: 10 });
    let (_, body) = shop.get(PAGE).await;
    assert_eq!((number(&body["count"]), body["products"].as_array().unwrap().len()), (310, 100));
    shop.running.billz2.add_fault(Rule::new("/v2/products", 1, Fault::DuplicatePage).query("page=2"));
    let all = ids(&shop.all(100).await.1);
    assert_eq!((all.len(), all.iter().collect::<BTreeSet<_>>().len()), (300, 200));
    assert_eq!(all[..100], all[100..200]);
    shop.running.billz2.fault_once("/v2/products", Fault::ExpiredToken);
    assert_eq!(shop.get(PAGE).await.0, 401);
    assert_eq!(shop.get(PAGE).await.0, 401, "the token is gone for good");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_shift_while_they_are_read() {
    let shop = shop_with(Fault::Shift { remove: 0, insert: 5 }).await;
    let (count, rows) = shop.all(100).await;
    let rows = ids(&rows);
    assert_eq!((count, rows.len()), (300, 305));
    assert_eq!(rows[95..100], rows[100..105], "the next page repeats five rows");
    shop.running.billz2.fault_once("/v2/products", Fault::Shift { remove: 5, insert: 0 });
    let before: BTreeSet<_> = shop.running.billz2.products(0, 400).into_iter().map(|product| product.id.to_string()).collect();
    let seen: BTreeSet<_> = ids(&shop.all(100).await.1).into_iter().collect();
    let after: BTreeSet<_> = shop.running.billz2.products(0, 400).into_iter().map(|product| product.id.to_string()).collect();
    assert_eq!((before.len(), after.len()), (305, 300));
    assert_eq!(after.difference(&seen).count(), 5, "five rows are there and were never shown");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_row() {
    let shop = Shop::open(300).await;
    for field in [BadField::Price, BadField::Id, BadField::Stock, BadField::Name, BadField::Row] {
        let good = shop.get(PAGE).await.1;
        shop.running.billz2.fault_once("/v2/products", Fault::BadRow { field, row: 2 });
        let bad = shop.get(PAGE).await.1;
        let differ: Vec<usize> = (0..100).filter(|at| good["products"][at] != bad["products"][at]).collect();
        assert_eq!(differ, [2], "{field:?}");
    }
}
