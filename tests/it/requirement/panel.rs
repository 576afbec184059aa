//! Section 3: what the seller's list of goods gets. The panel itself is the bridge's; here are the calls behind its buttons and fields,
//! made with the bridge's own key on behalf of the seller.

use serde_json::{Value, json};

use super::{EACH, Seller};
use crate::support::{Rest, key};

fn panel(seller: &Seller) -> Rest {
    let bridge = key(&seller.stage.database, &["--role", "operator", "--delegate"]);
    seller.stage.rest.with_key(&bridge.key).with_header("x-on-behalf-of", "seller:42")
}

/// «В ПУ продавца в списке товаров добавить: - выбор магазина billz - кнопку "Синхронизировать цены и остатки с billz"»
#[tokio::test(flavor = "multi_thread")]
async fn the_seller_chooses_a_shop_and_presses_synchronise_prices_and_stock() {
    for api in EACH {
        let seller = Seller::new(api, 2, json!({})).await;
        let good = seller.good("1000", "5");
        let panel = panel(&seller);
        let shops = panel.all(&format!("/connections/{}/streams", seller.connection)).await;
        assert_eq!(shops.len(), 2, "«выбор магазина billz»: {shops:?}");
        let press = json!({"connection": seller.connection, "stream": seller.shops[0], "mode": "incremental"});
        let run = panel.post("/sync/billz-opencart", &press).await.ok(202);
        let run = panel.wait(run["id"].as_str().unwrap()).await;
        assert_eq!(
            (&run["state"], &run["stream"], &run["trigger"]),
            (&json!("succeeded"), &json!(seller.shops[0]), &json!("manual")),
            "{run}"
        );
        assert_eq!(seller.shelf(&good).await, "5 1000 1");
    }
}

/// «кнопку "Настроить автоматическую синхронизацию по расписанию"»
#[tokio::test(flavor = "multi_thread")]
async fn the_seller_sets_up_automatic_synchronisation_by_schedule() {
    for api in EACH {
        let seller = Seller::new(api, 2, json!({})).await;
        let good = seller.good("1000", "5");
        let panel = panel(&seller);
        let wanted = json!({"connection": seller.connection, "stream": seller.shops[0], "every": "5s"});
        let schedule = panel.post("/schedules", &wanted).await.ok(201);
        assert_eq!((&schedule["stream"], &schedule["enabled"]), (&json!(seller.shops[0]), &json!(true)), "{schedule}");
        let path = format!("/schedules/{}", schedule["id"].as_str().unwrap());
        let until = std::time::Instant::now() + std::time::Duration::from_secs(40);
        let run = loop {
            let runs = panel.all(&format!("{path}/runs")).await;
            if let Some(run) = runs.into_iter().find(|run| run["state"] == "succeeded") {
                break run;
            }
            assert!(std::time::Instant::now() < until, "no run came of {schedule}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        };
        panel.post(&format!("{path}/stop"), &json!({})).await.ok(200);
        assert_eq!((&run["trigger"], &run["stream"]), (&json!("schedule"), &json!(seller.shops[0])), "{run}");
        assert_eq!(seller.shelf(&good).await, "5 1000 1");
    }
}

/// «информационное поле "дата последней синхронизации", которое привязано к магазину billz, т.е. для каждого магазина billz - своя дата
/// синхронизации»
#[tokio::test(flavor = "multi_thread")]
async fn each_shop_shows_the_date_of_its_own_last_synchronisation() {
    for api in EACH {
        let seller = Seller::new(api, 2, json!({})).await;
        seller.good("1000", "5");
        let panel = panel(&seller);
        let dates = async || {
            let shops = panel.all(&format!("/connections/{}/streams", seller.connection)).await;
            [0, 1].map(|place| {
                let shop = shops.iter().find(|shop| shop["stream"] == seller.shops[place].as_str()).unwrap();
                shop["last_synced_at"].clone()
            })
        };
        assert_eq!(dates().await, [Value::Null, Value::Null]);
        let press = async |shop: usize| seller.stage.full(&seller.connection, &seller.shops[shop]).await;
        press(1).await;
        let [first, second] = dates().await;
        assert!(first.is_null() && second.is_string());
        press(0).await;
        let [first, still] = dates().await;
        assert!(first.as_str() > second.as_str() && still == second, "{first} {second} {still}");
        press(0).await;
        assert!(dates().await[0].as_str() > first.as_str());
    }
}
