//! Section 1: which Billz a seller uses, and with which keys. And what holds for the whole exchange.

use serde_json::{Value, json};

use super::{EACH, Seller};
use crate::support::{Api, BILLZ_KEY, FIRST, Stage, key};

fn pointers(problem: &Value) -> Vec<&str> {
    problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect()
}

/// «В панели управления администратора в настройках продавца добавить переключатель "Продавец использует billz v.1", "Продавец использует
/// billz v.2" … А также поля: "USERNAME billz " (используется в billz1) и "Секретный ключ billz" (используется в billz1 и billz2),
/// значения предоставляются компанией Billz.»
#[tokio::test(flavor = "multi_thread")]
async fn the_administrator_switches_between_billz1_and_billz2_and_fills_username_and_secret_key() {
    for api in EACH {
        let stage = Stage::empty_of(api).await;
        let made = async |secrets: Value| {
            let body = json!({"flow": "billz-opencart", "name": "Продавец", "owner": "seller:42", "settings": stage.settings(json!({})), "secrets": secrets});
            stage.rest.post("/connections", &body).await
        };
        let keyless = made(json!({"username": "u"})).await.problem(422, "validation-failed");
        assert!(pointers(&keyless).contains(&"/secrets/secret"), "{keyless}");
        let nameless = made(json!({"secret": BILLZ_KEY})).await;
        match api {
            Api::Billz1 => assert_eq!(pointers(&nameless.problem(422, "validation-failed")), ["/secrets/username"]),
            Api::Billz2 => assert_eq!(nameless.status, 201, "the username is of billz1 alone"),
        }
        let connection = made(stage.secrets()).await.ok(201);
        let path = format!("/connections/{}", connection["id"].as_str().unwrap());
        let check = stage.rest.post(&format!("{path}/check"), &json!({})).await.ok(200);
        assert_eq!(check["ok"], true, "{check}");
        stage.rest.patch(&path, &json!({"secrets": {"secret": "not-what-billz-gave"}})).await.ok(200);
        let check = stage.rest.post(&format!("{path}/check"), &json!({})).await.ok(200);
        assert_eq!(check["ok"], false, "{check}");
        let wrong = stage.rest.patch(&path, &json!({"settings": {"api": "billz3"}})).await.problem(422, "validation-failed");
        assert_eq!(pointers(&wrong), ["/settings/api"]);
        // It is the administrator's: the seller sees it, and changes nothing of it.
        let bridge = key(&stage.database, &["--role", "operator", "--delegate"]);
        let seller = stage.rest.with_key(&bridge.key).with_header("x-on-behalf-of", "seller:42");
        let seen = seller.get(&path).await.ok(200);
        assert_eq!((&seen["settings"]["api"], &seen["secrets"]["secret"]), (&connection["settings"]["api"], &json!("set")), "{seen}");
        seller.patch(&path, &json!({"settings": {"api": "billz2"}})).await.problem(403, "forbidden");
    }
}

/// «Если эти поля заполнены и выбран переключатель, то в панели управления продавца становятся активными кнопки и поля для работы с billz.»
#[tokio::test(flavor = "multi_thread")]
async fn if_these_fields_are_filled_and_the_switch_is_set_the_sellers_buttons_become_active() {
    for api in EACH {
        let seller = Seller::new(api, 1, json!({})).await;
        seller.good("1000", "5");
        let path = format!("/connections/{}", seller.connection);
        let bridge = key(&seller.stage.database, &["--role", "operator", "--delegate"]);
        let panel = |owner: &str| seller.stage.rest.with_key(&bridge.key).with_header("x-on-behalf-of", owner);
        let press = json!({"connection": seller.connection, "stream": seller.shops[0], "mode": "incremental"});
        // Who has no connection has nothing to press.
        assert!(panel("seller:43").all("/connections").await.is_empty());
        panel("seller:43").post("/sync/billz-opencart", &press).await.problem(404, "not-found");
        // Switched off by the administrator, the buttons are off as well.
        seller.stage.rest.patch(&path, &json!({"enabled": false})).await.ok(200);
        assert_eq!(panel("seller:42").get(&path).await.ok(200)["enabled"], false);
        let refused = panel("seller:42").post("/sync/billz-opencart", &press).await.problem(422, "validation-failed");
        assert_eq!(pointers(&refused), ["/connection"]);
        seller.stage.rest.patch(&path, &json!({"enabled": true})).await.ok(200);
        let run = panel("seller:42").post("/sync/billz-opencart", &press).await.ok(202);
        let run = panel("seller:42").wait(run["id"].as_str().unwrap()).await;
        assert_eq!((&run["state"], &run["counts"]["created"]), (&json!("succeeded"), &json!(1)), "{run}");
    }
}

/// «Обмен данными идет в одну сторону: billz.uz -> kmall.uz»
#[tokio::test(flavor = "multi_thread")]
async fn data_goes_one_way_from_billz_to_kmall() {
    for api in EACH {
        let seller = Seller::new(api, 2, json!({"read_reuse": "0s"})).await;
        let good = seller.stage.good(json!({"price": {FIRST: "1000"}, "stock": {FIRST: "5"}}));
        seller.press_synchronise().await;
        seller.restock(&good, "3");
        // What a customer or a person does in the shop stays there.
        seller.stage.order(seller.product(&good).await, 1);
        seller.press_synchronise().await;
        let asked: Vec<String> = match api {
            Api::Billz1 => {
                let entries = seller.stage.billz.billz1.requests().requests;
                let gets = |target: &str| target.starts_with("/v1/ ") && target.contains("IncludeEmptyStocks");
                assert!(entries.iter().all(|entry| gets(&entry.target)), "nothing but the parameters of products.get: {entries:?}");
                entries.into_iter().map(|entry| entry.target).collect()
            }
            Api::Billz2 => {
                let routes = seller.stage.billz.billz2.requests().routes;
                assert!(routes.keys().all(|route| route.starts_with("GET ") || route == "POST /v1/auth/login"), "{routes:?}");
                routes.into_keys().collect()
            }
        };
        assert!(asked.len() >= 2, "{asked:?}");
    }
}
