//! The simulator by the sheet.

use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use super::super::{Options, Running, start};

async fn running() -> Running {
    start(Options::default()).await.expect("a sandbox")
}

async fn ask(running: &Running, method: Method, path: &str, body: Option<Value>) -> Response {
    let switches = running.insales.switches();
    let mut request =
        Client::new().request(method, format!("{}{path}", running.insales_url)).basic_auth(switches.app_id, Some("demo-insales-password"));
    if let Some(body) = body {
        request = request.json(&body);
    }
    request.send().await.expect("an answer")
}

async fn list(running: &Running, query: &str) -> Vec<Value> {
    ask(running, Method::GET, &format!("/admin/products.json{query}"), None).await.json().await.expect("a bare list")
}

#[tokio::test]
async fn the_cursor_walks_through_everything_once() {
    let running = running().await;
    running.insales.set_switches(|switches| switches.page_cap = 25);
    let (mut since, mut id, mut seen) = ("1970-01-01T00:00:00Z".to_owned(), 0, Vec::new());
    loop {
        let since_encoded: String = url::form_urlencoded::byte_serialize(since.as_bytes()).collect();
        let page = list(&running, &format!("?updated_since={since_encoded}&from_id={id}&per_page=250")).await;
        let Some(last) = page.last() else { break };
        since = last["updated_at"].as_str().expect("a moment").to_owned();
        id = last["id"].as_u64().expect("an id");
        seen.extend(page.iter().map(|row| row["id"].as_u64().expect("an id")));
    }
    let mut distinct = seen.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!((distinct.len(), seen.len()), (running.insales.state().products, running.insales.state().products));
    // `from_id` alone is ignored, and fewer than 10 rows are raised to 10.
    assert_eq!(list(&running, "?from_id=408000050&per_page=3").await.len(), 10);
}

#[tokio::test]
async fn a_group_is_queued_and_unknown_ids_vanish() {
    let running = running().await;
    running.insales.set_switches(|switches| switches.apply_delay_ms = 150);
    let variant = running.insales.products()[&408_000_001].variants[0].id;
    let body = json!({"variants": [{"id": variant, "quantity": 4}, {"id": 1, "quantity": 4}]});
    let answer = ask(&running, Method::PUT, "/admin/products/variants_group_update.json", Some(body)).await;
    assert_eq!(answer.headers()["api-usage-limit"], "1/500");
    assert_eq!((answer.status().as_u16(), answer.json::<Value>().await.expect("JSON")), (200, json!([])));
    assert_ne!(running.insales.quantities()[&variant], Some(4));
    let until = std::time::Instant::now() + std::time::Duration::from_secs(5);
    while running.insales.quantities()[&variant] != Some(4) {
        assert!(std::time::Instant::now() < until);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(running.insales.state().written, 1);
}

#[tokio::test]
async fn the_limit_counts_wrong_passwords_and_refuses_with_nothing_in_the_body() {
    let running = running().await;
    running.insales.set_switches(|switches| switches.limit = Some(2));
    let wrong = Client::new().get(format!("{}/admin/products/count.json", running.insales_url)).basic_auth("demo-application", Some("x"));
    assert_eq!(wrong.send().await.expect("an answer").status(), 401);
    let count = async || ask(&running, Method::GET, "/admin/products/count.json", None).await;
    assert_eq!(count().await.json::<Value>().await.expect("JSON"), json!({"count": running.insales.state().products}));
    let refused = count().await;
    assert_eq!(refused.status(), 429);
    assert!(refused.headers()["retry-after"].to_str().expect("text").parse::<u32>().expect("seconds") > 200);
    assert_eq!(refused.text().await.expect("a body"), "");
    running.insales.set_switches(|switches| switches.limit_503 = true);
    assert_eq!(count().await.status(), 503);
}

#[tokio::test]
async fn what_is_wrong_is_told_in_the_sheets_forms() {
    let running = running().await;
    let product = &running.insales.products()[&408_000_001];
    let one = format!("/admin/products/408000001/variants/{}.json", product.variants[0].id);
    let put = async |path: &str, body: Value| ask(&running, Method::PUT, path, Some(body)).await;
    let kept: Value = put(&one, json!({"variant": {"quantity": 9}})).await.json().await.expect("the variant");
    assert_eq!((&kept["quantity"], &kept["quantity_at_warehouse0"]), (&json!(9), &json!("9.0")));
    assert_eq!(put(&one, json!({"variant": {"quantity": "x"}})).await.status(), 422);
    let gone = put("/admin/products/408000001/variants/5.json", json!({"variant": {"quantity": 9}})).await;
    assert_eq!(gone.status(), 404);
    assert!(gone.text().await.expect("a page").starts_with("<!DOCTYPE"));
    let many: Vec<Value> = (0..101).map(|id| json!({"id": id, "quantity": 1})).collect();
    assert_eq!(put("/admin/products/variants_group_update.json", json!({"variants": many})).await.status(), 422);
    assert!(running.insales.archive(408_000_001));
    let found: Vec<Value> =
        ask(&running, Method::GET, "/admin/products/by_ids.json?product_ids=408000002,999", None).await.json().await.expect("a list");
    assert_eq!(found.len(), 1);
    assert!(!list(&running, "?per_page=250").await.iter().any(|row| row["id"] == 408_000_001));
}
