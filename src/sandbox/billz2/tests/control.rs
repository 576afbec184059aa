//! The control API over HTTP.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Shop, number};

impl Shop {
    async fn control(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let response = self.send(method, &format!("/_sandbox/billz2/{path}"), body).await;
        (response.status().as_u16(), response.json().await.unwrap_or(Value::Null))
    }

    async fn row(&self, id: &str) -> Value {
        self.all(300).await.1.into_iter().find(|row| row["id"] == id).unwrap_or(Value::Null)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn switches_merge_whole_or_not_at_all() {
    let shop = Shop::open(10).await;
    assert_eq!(shop.control(Method::PUT, "switches", json!({"rate_limit": 5, "shuffle": true})).await.0, 200);
    let (status, refusal) = shop.control(Method::PUT, "switches", json!({"shuffle": false, "nonsense": 1})).await;
    assert_eq!(status, 422);
    assert!(refusal["error"].as_str().unwrap().contains("nonsense"), "{refusal}");
    let state = shop.control(Method::GET, "state", json!({})).await.1;
    assert_eq!(
        (number(&state["products"]), number(&state["switches"]["rate_limit"]), &state["switches"]["shuffle"]),
        (10, 5, &json!(true))
    );
    assert_eq!(shop.control(Method::PUT, "switches", json!({"rate_limit": null})).await.1["rate_limit"], Value::Null);
    assert_eq!(shop.control(Method::PUT, "switches", json!({"wrong_secret_status": 200})).await.0, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_alone_does_not_move_the_date_but_a_price_does() {
    let shop = Shop::open(40).await;
    let list = shop.control(Method::GET, "products?limit=100", json!({})).await.1;
    let product = list.as_array().unwrap().iter().find(|product| product["kind"] == "goods").unwrap();
    let path = format!("products/{}", product["id"].as_str().unwrap());
    let date = &product["updated_at"];
    let (status, truth) = shop.control(Method::PATCH, &path, json!({"stock": {"Sergeli": 7.5}, "promo": {"Sergeli": "1000"}})).await;
    assert_eq!((status, &truth["updated_at"]), (200, date), "the harder case");
    let row = shop.row(product["id"].as_str().unwrap()).await;
    let stock = row["shop_measurement_values"].as_array().unwrap().iter().find(|entry| entry["shop_name"] == "Sergeli").unwrap();
    assert_eq!(stock["active_measurement_value"].to_string().trim_matches('"'), "7.5");
    assert_ne!(&shop.control(Method::PATCH, &path, json!({"price": {"Sergeli": 9000}})).await.1["updated_at"], date);
    shop.control(Method::PUT, "switches", json!({"stock_moves_updated_at": true})).await;
    let other = list.as_array().unwrap().iter().find(|other| other["kind"] == "goods" && other["id"] != product["id"]).unwrap();
    let moved =
        shop.control(Method::PATCH, &format!("products/{}", other["id"].as_str().unwrap()), json!({"stock": {"Sergeli": 1}})).await.1;
    assert_ne!(moved["updated_at"], other["updated_at"]);
    for (change, word) in [
        (json!({"stock": {"Nowhere": 1}}), "Chilonzor"),
        (json!({"price": {"Sergeli": "abc"}}), "decimal"),
        (json!({"colour": 1}), "colour"),
        (json!({"currency": {"Sergeli": "sum"}}), "currency"),
    ] {
        let (status, refusal) = shop.control(Method::PATCH, &path, change).await;
        assert!(status == 422 && refusal["error"].as_str().unwrap().contains(word), "{refusal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn products_come_and_go() {
    let shop = Shop::open(40).await;
    let given = json!({"name": "Шапка", "sku": "S-1", "barcode": "", "stock": {"Chilonzor": 3, "Sergeli": 0, "Склад": 0}, "price": {"Chilonzor": 50000, "Sergeli": null}, "category": "Зимнее", "kind": "service"});
    let (status, made) = shop.control(Method::POST, "products", given).await;
    assert_eq!(status, 201);
    let id = made["id"].as_str().unwrap();
    let row = shop.row(id).await;
    assert_eq!(
        (&row["name"], &row["categories"][0]["name"], row["shop_measurement_values"].as_array().unwrap().len()),
        (&json!("Шапка"), &json!("Зимнее"), 1)
    );
    assert_eq!(row["product_type_id"], "5a0e556a-15f8-47ac-ae07-46972f3c6ab4");
    assert!(row["shop_prices"].as_array().unwrap().iter().all(|entry| entry["shop_name"] != "Sergeli"));
    assert_eq!(shop.control(Method::DELETE, &format!("products/{id}"), json!({})).await.0, 204);
    assert_eq!(shop.control(Method::DELETE, &format!("products/{id}"), json!({})).await.0, 404);
    assert_eq!(shop.row(id).await, Value::Null);
    assert_eq!(shop.control(Method::GET, "products/1%27%20OR%201", json!({})).await.0, 404);
    assert_eq!(shop.control(Method::GET, "nowhere", json!({})).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn random_changes_tell_what_changed_and_change_it() {
    let shop = Shop::open(300).await;
    let truth = || shop.running.billz2.products(0, 1_000);
    let before = truth();
    let wanted = json!({"stock": 20, "price": 10, "promo": 8, "new": 4, "deleted": 3, "seed": 5});
    let (status, changed) = shop.control(Method::POST, "random-changes", wanted).await;
    assert_eq!(status, 200);
    let lists = ["stock", "price", "promo", "new", "deleted"].map(|list| changed[list].as_array().unwrap().len());
    assert_eq!(lists, [20, 10, 8, 4, 3]);
    let after = truth();
    assert_eq!(after.len(), 301);
    let listed = |list: &str, id: &str| changed[list].as_array().unwrap().iter().any(|entry| entry == id);
    for old in &before {
        let id = old.id.to_string();
        match after.iter().find(|new| new.id == old.id) {
            None => assert!(listed("deleted", &id)),
            Some(new) => {
                let differs = |field: fn(&super::super::changes::ShopTruth) -> String| {
                    old.shops.iter().any(|(shop, truth)| field(truth) != field(&new.shops[shop]))
                };
                assert_eq!(differs(|shop| shop.stock.to_string()), listed("stock", &id));
                assert_eq!(differs(|shop| format!("{:?}", shop.price)), listed("price", &id));
                assert_eq!(differs(|shop| format!("{:?}", shop.promo)), listed("promo", &id));
                assert_eq!(old.updated_at != new.updated_at, listed("price", &id));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_and_requests_over_http() {
    let shop = Shop::open(10).await;
    let rules = json!([{"route": "/v1/shop", "skip": 1, "fault": "empty_list"}, {"route": "/v2", "times": 2, "fault": {"status": {"code": 503, "family": "html"}}}]);
    assert_eq!(shop.control(Method::POST, "faults", rules).await.1.as_array().unwrap().len(), 2);
    let (status, refusal) = shop.control(Method::POST, "faults", json!({"route": "/v2", "fault": "explode"})).await;
    assert!(status == 422 && refusal["error"].as_str().unwrap().contains("explode"), "{refusal}");
    assert_eq!(shop.get("/v1/shop").await.1["count"].to_string(), "3");
    assert_eq!(shop.get("/v1/shop?x=1").await.1["shops"], Value::Null);
    assert_eq!(shop.try_get("/v2/brand").await.unwrap().status(), 503);
    let report = shop.control(Method::GET, "requests", json!({})).await.1;
    assert_eq!(number(&report["routes"]["GET /v1/shop"]["total"]), 2);
    assert_eq!(number(&report["routes"]["GET /v2/brand"]["by_status"]["503"]), 1);
    assert_eq!(report["requests"][2]["target"], "/v1/shop?x=1");
    assert_eq!(shop.control(Method::DELETE, "requests", json!({})).await.0, 204);
    assert_eq!(shop.control(Method::DELETE, "faults", json!({})).await.0, 204);
    assert_eq!(number(&shop.control(Method::GET, "requests", json!({})).await.1["total"]), 0);
    assert_eq!(number(&shop.control(Method::POST, "reset", json!({"products": 25, "seed": 3})).await.1["products"]), 25);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_ends_when_told_and_when_dropped() {
    let shop = Shop::open(5).await;
    let Shop { running, client, .. } = shop;
    let url = running.url.clone();
    running.stop().await;
    assert!(client.get(&url).send().await.is_err(), "nobody listens");
    let shop = Shop::open(5).await;
    let url = shop.running.url.clone();
    drop(shop.running);
    for _ in 0..100 {
        if shop.client.get(&url).send().await.is_err() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("still listening");
}
