//! Login, tokens, refresh, the limit.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::Shop;
use crate::sandbox::Options;

#[tokio::test(flavor = "multi_thread")]
async fn a_login_says_one_day_but_the_token_lives_fifteen() {
    let mut shop = Shop::open(10).await;
    let body = shop.log_in().await;
    assert_eq!((body["code"].to_string(), &body["error"], &body["message"]), ("200".to_owned(), &Value::Null, &json!("ok")));
    assert_eq!(body["data"]["expires_in"].to_string(), "86400");
    let claims = jsonwebtoken::dangerous::insecure_decode::<Value>(&shop.token).unwrap().claims;
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 1_296_000);
    assert!(claims["company_id"].is_string() && claims["user_id"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_is_refused_with_the_status_of_the_switch() {
    let shop = Shop::open(10).await;
    for status in [401, 400, 403] {
        shop.running.billz2.set_switches(|switches| switches.wrong_secret_status = status);
        let response = shop.send(Method::POST, "/v1/auth/login", json!({"secret_token": "no"})).await;
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.json::<Value>().await.unwrap()["data"], Value::Null);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_expire_in_the_documented_words() {
    let mut shop = Shop::open(10).await;
    let expired = json!({"code": 401, "message": "token error", "error": "Token is expired", "data": null});
    shop.running.billz2.expire_tokens();
    assert_eq!(shop.get("/v2/products").await, (401, expired.clone()));
    shop.log_in().await;
    assert_eq!(shop.get("/v2/products").await.0, 200);
    shop.running.billz2.set_switches(|switches| switches.token_life_s = 1);
    shop.log_in().await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(shop.get("/v2/products").await, (401, expired));
    shop.token = "rubbish".to_owned();
    assert_eq!(shop.get("/v1/shop").await.0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spent_refresh_token_ends_every_session() {
    let mut shop = Shop::open(10).await;
    let first = shop.log_in().await["data"]["refresh_token"].clone();
    let refresh = async |shop: &Shop, token: &Value| {
        let request = shop.client.post(format!("{}/v2/auth/refresh", shop.running.url)).header("platform-id", "any");
        request.json(&json!({"refresh_token": token})).send().await.unwrap()
    };
    assert_eq!(refresh(&shop, &first).await.status(), 200);
    assert_eq!(shop.get("/v1/company").await.0, 200, "the session goes on");
    assert_eq!(refresh(&shop, &first).await.status(), 401);
    assert_eq!(shop.get("/v1/company").await.0, 401, "and is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_requests_a_second_and_the_login_is_one_of_them() {
    let shop = Shop::open_with(Options { products: 10, time_factor: 0.4, ..Options::default() }).await;
    // The second is stretched to 2.5, so that a busy machine does not let the third request through.
    let (first, second) = (shop.get("/v1/shop").await.0, shop.try_get("/v1/shop").await.unwrap());
    assert_eq!((first, second.status().as_u16()), (200, 429));
    assert!(second.headers().get("retry-after").is_none());
    shop.running.billz2.set_switches(|switches| switches.retry_after = Some(3));
    let third = shop.try_get("/v1/shop").await.unwrap();
    assert_eq!(third.headers()["retry-after"], "3");
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(shop.get("/v1/shop").await.0, 200, "refused requests do not prolong the wait");
    let report = shop.running.billz2.requests();
    assert_eq!((report.total, report.limited, report.max_in_window, report.max_accepted_in_window), (5, 2, 4, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_factor_shortens_the_window() {
    let shop = Shop::open_with(Options { products: 10, time_factor: 20.0, ..Options::default() }).await;
    let started = Instant::now();
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(30)).await;
        assert_eq!(shop.get("/v1/shop").await.0, 200);
    }
    assert!(started.elapsed() < Duration::from_secs(3));
}
