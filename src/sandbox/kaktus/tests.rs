//! The simulator by the sheet.

use serde_json::{Value, json};

use super::super::{
    Options, Running,
    desk::{Fault, Rule},
    simulator::Simulator,
    start,
};

const ROOT: &str = <super::Handle as Simulator>::ROOT;

async fn running() -> Running {
    start(Options::default()).await.expect("a sandbox")
}

async fn token(running: &Running) -> String {
    let body = json!({"login": "shop@example.test", "password": "demo-kaktus-password"});
    let answer = reqwest::Client::new().post(format!("{}/api/lite/auth", running.kaktus_url)).json(&body).send().await.expect("an answer");
    let answer: Value = answer.json().await.expect("JSON");
    answer["access_token"].as_str().expect("a token").to_owned()
}

async fn page(running: &Running, token: &str, query: &str) -> (u16, Value) {
    let url = format!("{}/api/lite/products{query}", running.kaktus_url);
    let answer = reqwest::Client::new().get(url).bearer_auth(token).send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

#[tokio::test]
async fn pages_count_from_zero_and_the_total_is_of_products() {
    let running = running().await;
    let token = token(&running).await;
    let (_, first) = page(&running, &token, "?page=0&size=10").await;
    let (_, second) = page(&running, &token, "?page=1&size=10").await;
    assert_eq!(first["recordsTotal"], json!(running.kaktus.state().products));
    assert_ne!(first["products"][0]["id"], second["products"][0]["id"]);
    assert!(first["products"][0]["id"].is_string());
    let (_, beyond) = page(&running, &token, "?page=99&size=10").await;
    assert_eq!(beyond["products"], json!([]));
    running.kaktus.set_switches(|switches| (switches.numeric_ids, switches.barcode_objects) = (true, true));
    let (_, odd) = page(&running, &token, "").await;
    assert!(odd["products"][0]["id"].is_number() && odd["products"][0]["variants"][0]["barcodes"][0]["barcode"].is_string());
}

#[tokio::test]
async fn an_old_token_is_refused_with_the_documents_words_inside_a_200() {
    let running = running().await;
    let token = token(&running).await;
    running.kaktus.expire_tokens();
    let (status, body) = page(&running, &token, "").await;
    assert_eq!((status, &body["success"], &body["errors"][0]["code"]), (200, &json!(false), &json!(401)));
    running.kaktus.set_switches(|switches| switches.expired_status = 401);
    assert_eq!(page(&running, &token, "").await.0, 401);
}

#[tokio::test]
async fn honest_answers_can_be_bent_and_everything_is_in_the_journal() {
    let running = running().await;
    let token = token(&running).await;
    running.kaktus.desk().add_fault(Rule::new("/products", 1, Fault::Remove { key: "products".into() }));
    let (_, bent) = page(&running, &token, "").await;
    assert!(bent.get("products").is_none() && bent["recordsTotal"].is_number());
    let report = running.kaktus.desk().requests();
    assert_eq!(report.routes.keys().map(String::as_str).collect::<Vec<_>>(), ["GET /api/lite/products", "POST /api/lite/auth"]);
    let control = format!("{}{}/stock/{}", running.kaktus_url, ROOT, super::super::goods::barcode(1, 0));
    let client = reqwest::Client::new();
    assert_eq!(client.put(&control).json(&json!({"total": 77})).send().await.expect("an answer").status(), 200);
    assert_eq!(running.kaktus.products()[&1_010].variants[0].stock[0].total, 77);
    assert_eq!(
        client.put(control.replace("/stock/", "/stock/none")).json(&json!({"total": 1})).send().await.expect("an answer").status(),
        404
    );
}
