//! Section 2: «Список магазинов billz».

use serde_json::json;

use super::{EACH, Seller};
use crate::support::{FIRST, SECOND};

/// «В панели управления (ПУ) продавца добавить перечисление - "Список магазинов billz". Данное поле будет использоваться для выбора
/// магазина billz, по которому идет синхронизация.»
#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_billz_shops_is_used_to_choose_the_shop_that_is_synchronised() {
    for api in EACH {
        let seller = Seller::new(api, 0, json!({})).await;
        // Billz 1 has no list of offices: its goods name them.
        let good = seller.stage.good(json!({"price": {FIRST: "1000", SECOND: "1200"}, "stock": {FIRST: "1", SECOND: "2"}}));
        let streams = format!("/connections/{}/streams", seller.connection);
        let offered = seller.stage.rest.post(&format!("{streams}/discover"), &json!({})).await.ok(200);
        let offered = offered["items"].as_array().unwrap().clone();
        assert!(offered.len() >= 2 && offered[0]["name"] == FIRST && offered[1]["name"] == SECOND, "{offered:?}");
        for shop in &offered[..2] {
            seller.stage.rest.post(&streams, shop).await.ok(201);
        }
        let names: Vec<String> =
            seller.stage.rest.all(&streams).await.iter().map(|shop| shop["name"].as_str().unwrap().to_owned()).collect();
        assert_eq!(names.len(), 2, "{names:?}");
        for (shop, shelf) in [(1, "2 1200 1"), (0, "3 1000 1")] {
            let key = offered[shop]["stream"].as_str().unwrap();
            seller.stage.full(&seller.connection, key).await;
            assert_eq!(
                seller.shelf(&good).await,
                shelf,
                "the price is the chosen shop's, the stock the sum of those that were synchronised"
            );
        }
    }
}

/// «Продавец с помощью этого поля может редактировать список своих магазинов в billz.»
#[tokio::test(flavor = "multi_thread")]
async fn the_seller_can_edit_the_list_of_his_billz_shops() {
    for api in EACH {
        let seller = Seller::new(api, 2, json!({})).await;
        let stage = &seller.stage;
        let mine = stage.rest.with_header("X-On-Behalf-Of", "seller:42");
        let streams = format!("/connections/{}/streams", seller.connection);
        let second = format!("{streams}/{}", seller.shops[1]);
        let good = stage.good(json!({"price": {FIRST: "1000", SECOND: "1000"}, "stock": {FIRST: "1", SECOND: "2"}}));
        for shop in &seller.shops {
            stage.full(&seller.connection, shop).await;
        }
        assert_eq!(seller.shelf(&good).await, "3 1000 1");
        mine.patch(&second, &json!({"name": "Второй"})).await.ok(200);
        assert!(mine.all(&streams).await.iter().any(|shop| shop["name"] == "Второй"));
        assert_eq!(mine.delete(&second).await.status, 204);
        assert_eq!(mine.all(&streams).await.len(), 1);
        seller.press_synchronise().await;
        assert_eq!(seller.shelf(&good).await, "1 1000 1", "a shop that is off the list counts no more");
        mine.post(&streams, &json!({"stream": seller.shops[1], "name": SECOND})).await.ok(201);
        seller.press_synchronise().await;
        assert_eq!(seller.shelf(&good).await, "1 1000 1", "one that was never synchronised does not count yet");
        stage.full(&seller.connection, &seller.shops[1]).await;
        assert_eq!(seller.shelf(&good).await, "3 1000 1");
    }
}
