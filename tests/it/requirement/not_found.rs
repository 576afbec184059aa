//! Section 4.1: «Если товар не найден».

use serde_json::json;

use super::{EACH, Seller};
use crate::support::{Api, FIRST};

/// «Если товар не найден, то происходит импорт нового товара из billz в kmall.uz.»
#[tokio::test(flavor = "multi_thread")]
async fn if_a_good_is_not_found_a_new_product_is_imported() {
    for api in EACH {
        let seller = Seller::new(api, 1, json!({})).await;
        let good = seller.good("1000", "5");
        let run = seller.press_synchronise().await;
        assert_eq!(seller.stage.outcome(&run, &good).await, "created new_product");
        assert_eq!(seller.shelf(&good).await, "5 1000 1");
        seller.stage.assert_whole("imported");
        // Once: found from then on.
        let run = seller.press_synchronise().await;
        assert_eq!((&run["counts"]["created"], seller.stage.database.products()), (&json!(0), 1));
    }
}

/// «проставить значение всех остальных полей, доступных для импорта»
#[tokio::test(flavor = "multi_thread")]
async fn all_other_fields_that_can_be_imported_are_set() {
    let seller = Seller::new(Api::Billz2, 1, json!({})).await;
    let good = seller.stage.good(json!({
        "name": "Футболка «Лето»", "sku": "TS-1", "barcode": "4780000000017", "description": "<p>Хлопок</p>",
        "price": {FIRST: "1000"}, "stock": {FIRST: "5"}, "promo": {FIRST: "900"},
    }));
    seller.press_synchronise().await;
    let product = seller.product(&good).await;
    let words = seller.stage.database.words(&format!(
        "SELECT CONCAT_WS('|', p.sku, p.ean, d.name, d.description, d.meta_title) AS words FROM oc_product p \
         JOIN oc_product_description d USING (product_id) WHERE p.product_id = {product} AND d.language_id = 1"
    ));
    assert_eq!(words, ["TS-1|4780000000017|Футболка «Лето»|&lt;p&gt;Хлопок&lt;/p&gt;|Футболка «Лето»"]);
    assert_eq!(seller.specials(&good).await, ["1:900:0000-00-00:0000-00-00", "2:900:0000-00-00:0000-00-00"]);
}
