//! The simulator over HTTP, as the sheet's section 7 asks for it.

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::{
    super::{Options, Running, start},
    catalogue::RandomChanges,
    faults::Fault,
};

async fn sandbox(products: usize) -> Running {
    start(Options { products, ..Options::default() }).await.unwrap()
}

fn token(ahead: i64) -> String {
    let now = chrono::Utc::now().timestamp() + ahead;
    let claims = json!({"iss": "test", "iat": now - 1, "exp": now + 100, "sub": "demo.ecommerce"});
    encode(&Header::default(), &claims, &EncodingKey::from_secret(b"demo-integration-key")).unwrap()
}

async fn ask(sandbox: &Running, token: &str, params: Value) -> (u16, String) {
    let body = json!({"jsonrpc": "2.0", "method": "products.get", "params": params, "id": 7});
    let client = reqwest::Client::new();
    let request = client.post(format!("{}/v1/", sandbox.billz1_url)).bearer_auth(token).body(body.to_string());
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap_or_else(|_| "broken".into()))
}

async fn rows(sandbox: &Running, params: Value) -> Vec<Value> {
    let (status, text) = ask(sandbox, &token(0), params).await;
    let answer: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status} {text}"));
    assert_eq!((status, &answer["jsonrpc"], &answer["id"]), (200, &json!("2.0"), &json!("7")), "the answer's id is a text");
    answer["result"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_or_what_has_stock_or_what_was_asked_for() {
    let sandbox = sandbox(120).await;
    let all = rows(&sandbox, json!({"IncludeEmptyStocks": 1, "Unknown": true})).await;
    assert_eq!((all.len(), &all[0]["totalRows"]), (120, &json!(120)));
    let stocked = rows(&sandbox, Value::Null).await;
    assert!(stocked.len() < 120 && stocked.iter().all(|row| row["qty"].as_f64().unwrap() > 0.0), "{}", stocked.len());
    let ids = format!("{},{}", all[3]["ID"], all[5]["ID"]);
    assert_eq!(rows(&sandbox, json!({"IncludeEmptyStocks": 1, "ProductIds": ids})).await.len(), 2);
    let one = rows(&sandbox, json!({"IncludeEmptyStocks": 1, "offices": [3302]})).await;
    assert!(one.iter().all(|row| row["offices"].as_array().unwrap().iter().all(|office| office["officeID"] == 3302)));
    // The quirks of section 7.
    assert!(all.iter().any(|row| row["offices"].as_array().unwrap().is_empty()));
    assert!(all.iter().any(|row| row.get("properties").is_none()) && all.iter().any(|row| row.get("imageUrls").is_none()));
    for junk in [0.0, 1.0] {
        assert!(all.iter().any(|row| row["price"].as_f64() == Some(junk)), "{junk}");
    }
    assert!(all.iter().any(|row| row["properties"].get("СТРАНА_ПРОИЗВОДСТВА").is_some()));
    let differs = |row: &&Value| row["offices"].as_array().unwrap().iter().any(|office| office["price"].as_f64() != row["price"].as_f64());
    assert!(all.iter().find(differs).is_some());
    assert!(all.iter().any(|row| row["qty"].to_string().ends_with(".0")) && all.iter().any(|row| row["qty"].is_u64()));
    let mut skus: Vec<_> = all.iter().map(|row| row["sku"].to_string()).collect();
    skus.sort();
    skus.dedup();
    assert!(skus.len() < 120, "double sku");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_show_in_a_delta_and_deletions_nowhere() {
    let sandbox = sandbox(60).await;
    let before = (chrono::Utc::now() - chrono::Duration::seconds(5)).format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let delta = || json!({"IncludeEmptyStocks": 1, "LastUpdatedDate": before});
    assert!(rows(&sandbox, delta()).await.is_empty());
    let changed = sandbox.billz1.random_changes(&RandomChanges { price: 3, stock: 2, deleted: 4, new: 1, ..RandomChanges::default() });
    assert_eq!(rows(&sandbox, delta()).await.len(), 6);
    assert_eq!((changed.deleted.len(), rows(&sandbox, json!({"IncludeEmptyStocks": 1})).await.len()), (4, 57));
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_refused_inside_a_200_or_with_401() {
    let sandbox = sandbox(3).await;
    for (token, words) in [(token(500), "Invalid token"), (token(-500), "Invalid token"), ("a.b.c".into(), "Invalid token")] {
        let (status, text) = ask(&sandbox, &token, json!({})).await;
        assert!(status == 200 && text.contains(words), "{status} {text}");
    }
    sandbox.billz1.merge_switches(&json!({"refused_status": 401})).unwrap();
    assert_eq!(ask(&sandbox, "x", json!({})).await.0, 401);
    assert!(sandbox.billz1.merge_switches(&json!({"refused_status": 402})).is_err());
    // The remote's clock runs ahead: what was made by it is good.
    sandbox.billz1.set_switches(|switches| switches.clock_ahead_s = 500);
    assert_eq!(ask(&sandbox, &token(500), json!({})).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn troubles_come_once_and_in_order() {
    let sandbox = sandbox(40).await;
    let troubles: [(Fault, &str); 8] = [
        (Fault::NullResult, "\"result\":null"),
        (Fault::NoResult, "{\"id\":\"7\",\"jsonrpc\":\"2.0\"}"),
        (Fault::Html { code: 200 }, "<html>"),
        (Fault::CutBody { after: 5 }, "broken"),
        (Fault::TruncatedJson { after: 5 }, "\"result\":[{"),
        (Fault::OtherId, "somebody-elses"),
        (Fault::ExpiredToken, "Invalid token"),
        (Fault::BadRow { row: 2, nameless: false }, "\"offices\":\"all\""),
    ];
    for (fault, _) in &troubles {
        sandbox.billz1.fault_once(fault.clone());
    }
    for (fault, words) in &troubles {
        let text = ask(&sandbox, &token(0), json!({"IncludeEmptyStocks": 1})).await.1;
        assert!(text.contains(words), "{fault:?}: {text}");
    }
    assert_eq!(rows(&sandbox, json!({"IncludeEmptyStocks": 1})).await.len(), 40);
    assert!(sandbox.billz1.faults().iter().all(|rule| rule.fired == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_api_does_the_same() {
    let sandbox = sandbox(5).await;
    let root = format!("{}{}", sandbox.billz1_url, super::control::ROOT);
    let client = reqwest::Client::new();
    let get = async |path: &str| client.get(format!("{root}/{path}")).send().await.unwrap().json::<Value>().await.unwrap();
    assert_eq!(get("state").await["products"], 5);
    assert_eq!(get("offices").await[0], json!({"id": 3301, "name": "Chilonzor"}));
    let made = client.post(format!("{root}/products")).body(r#"{"name":"Cup","stock":{"Sergeli":2}}"#).send().await.unwrap();
    let id = made.json::<Value>().await.unwrap()["id"].as_u64().unwrap();
    let patched = client.patch(format!("{root}/products/{id}")).body(r#"{"discount":{"3301":"500"}}"#).send().await.unwrap();
    assert_eq!(patched.json::<Value>().await.unwrap()["offices"]["3301"]["discount"], "500");
    let refused = client.patch(format!("{root}/products/{id}")).body(r#"{"stock":{"Nowhere":1}}"#).send().await.unwrap();
    assert_eq!(refused.status().as_u16(), 422);
    let fault = client.post(format!("{root}/faults")).body(r#"{"times":2,"fault":{"cut_body":{"after":1}}}"#).send().await.unwrap();
    assert_eq!(fault.status().as_u16(), 200);
    assert_eq!(get("faults").await[0]["times"], 2);
    assert_eq!(client.delete(format!("{root}/products/{id}")).send().await.unwrap().status().as_u16(), 204);
    assert!(get("nothing").await["routes"].as_array().unwrap().len() > 10);
}
