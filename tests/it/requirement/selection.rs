//! Section 4: what is selected in Billz, and how goods and products are matched.

use serde_json::json;

use super::{EACH, Seller};
use crate::support::{Api, FIRST, SECOND, change_of};

/// «с помощью метода products.get, происходит выборка товаров, включая товары с нулевыми остатками» (billz1; Billz 2 lists them anyway)
#[tokio::test(flavor = "multi_thread")]
async fn goods_are_selected_including_goods_with_zero_stock() {
    for api in EACH {
        let seller = Seller::new(api, 1, json!({})).await;
        let (empty, sold_out) = (seller.good("1000", "0"), seller.good("1000", "4"));
        seller.press_synchronise().await;
        assert_eq!((seller.shelf(&empty).await.as_str(), seller.shelf(&sold_out).await.as_str()), ("0 1000 1", "4 1000 1"));
        seller.restock(&sold_out, "0");
        seller.stage.full(&seller.connection, &seller.shops[0]).await;
        assert_eq!(seller.shelf(&sold_out).await, "0 1000 1");
        if api == Api::Billz1 {
            let calls = seller.asked("/v1/");
            assert!(calls > 0 && calls == seller.asked("\"IncludeEmptyStocks\":1"), "{calls}");
        }
    }
}

/// «Выборка обрабатывается только по выбранному магазину.»
#[tokio::test(flavor = "multi_thread")]
async fn the_selection_is_processed_for_the_chosen_shop_only() {
    for api in EACH {
        // The letter of the sentence; `stock: "sum"` is our default (docs/billz-opencart.md).
        let seller = Seller::new(api, 2, json!({"stock": "selected"})).await;
        let good = seller.stage.good(json!({"price": {FIRST: "1000", SECOND: "1200"}, "stock": {FIRST: "5", SECOND: "9"}}));
        let mut elsewhere = json!({"price": {SECOND: "700"}, "stock": {FIRST: "0", SECOND: "9"}});
        // Billz 2 has no price row of a shop that does not sell the good; Billz 1 does not name the office.
        if api == Api::Billz2 {
            elsewhere["price"][FIRST] = json!(null);
        }
        let elsewhere = seller.stage.good(elsewhere);
        let run = seller.press_synchronise().await;
        assert_eq!(seller.shelf(&good).await, "5 1000 1");
        let skipped = if api == Api::Billz1 { "skipped not_in_shop" } else { "skipped no_price" };
        assert_eq!(seller.stage.outcome(&run, &elsewhere).await, skipped);
    }
}

/// «Выборка осуществляется начиная с даты последней синхронизации (первая выборка - полная, после которой заполняется дата
/// синхронизации).»
#[tokio::test(flavor = "multi_thread")]
async fn the_selection_begins_at_the_date_of_the_last_synchronisation_and_the_first_is_full() {
    for api in EACH {
        let seller = Seller::new(api, 2, json!({"full_every": "1000h", "read_reuse": "0s"})).await;
        let good = seller.good("1000", "5");
        let date = async |shop: usize| seller.stage.stream(&seller.connection, &seller.shops[shop]).await["last_synced_at"].clone();
        assert!(date(0).await.is_null());
        let first = seller.press_synchronise().await;
        assert_eq!((&first["read"]["mode"], &first["cursor_before"]), (&json!("full"), &json!(null)), "{first}");
        assert!(date(0).await.is_string());
        assert!(date(1).await.is_null(), "«для каждого магазина billz - своя дата синхронизации»");
        seller.reprice(&good, "1100");
        let second = seller.press_synchronise().await;
        assert_eq!((&second["read"]["mode"], &second["cursor_before"]), (&json!("incremental"), &first["cursor_after"]), "{second}");
        assert!(date(0).await.as_str() > first["created_at"].as_str(), "the date moves with every synchronisation");
        assert_eq!(seller.shelf(&good).await, "5 1100 1");
        let from_the_date = if api == Api::Billz1 { "LastUpdatedDate" } else { "last_updated_date=" };
        assert_eq!(seller.asked(from_the_date), 1);
    }
}

/// «По кнопке "Синхронизировать" происходит Аутентификация (если необходимо)»
#[tokio::test(flavor = "multi_thread")]
async fn by_the_button_synchronise_authentication_takes_place_if_necessary() {
    let seller = Seller::new(Api::Billz2, 1, json!({"read_reuse": "0s"})).await;
    seller.good("1000", "5");
    seller.press_synchronise().await;
    assert_eq!(seller.asked("/v1/auth/login"), 1);
    seller.press_synchronise().await;
    assert_eq!(seller.asked("/v1/auth/login"), 1, "the token is still good");
    seller.stage.billz.billz2.expire_tokens();
    seller.press_synchronise().await;
    assert_eq!(seller.asked("/v1/auth/login"), 2);
}

/// «с помощью метода Get Products, обновляются выбранные актуальные характеристики у товаров продавца для выбранного магазина billz,
/// начиная с даты последней синхронизации»
#[tokio::test(flavor = "multi_thread")]
async fn the_chosen_features_of_the_sellers_products_are_updated_by_get_products_for_the_chosen_shop() {
    let seller = Seller::new(Api::Billz2, 1, json!({"update_fields": ["price"], "full_every": "1000h", "read_reuse": "0s"})).await;
    let good = seller.good("1000", "5");
    seller.press_synchronise().await;
    seller.stage.change(&good, json!({"price": {FIRST: "1500", SECOND: "9000"}, "stock": {FIRST: "1", SECOND: "8"}, "name": "Другое"}));
    let run = seller.press_synchronise().await;
    assert_eq!(seller.shelf(&good).await, "5 1500 1", "price was chosen, stock and name were not");
    let item = seller.stage.item(&run, &good).await;
    let fields: Vec<&str> = item["changes"].as_array().unwrap().iter().map(|change| change["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["price"]);
    assert_eq!(seller.asked("/v2/products?"), 2, "one page from the date, after the full one");
}

/// «Исходя из полученной выборки, происходит сопоставление товаров по id из billz.»
#[tokio::test(flavor = "multi_thread")]
async fn goods_are_matched_by_the_id_of_billz() {
    for api in EACH {
        let seller = Seller::new(api, 1, json!({})).await;
        let good = seller.good("1000", "5");
        seller.press_synchronise().await;
        let product = seller.product(&good).await;
        // Nothing else need agree: name, article and barcode change at both ends.
        seller.stage.change(&good, json!({"name": "Иное имя", "sku": "other", "barcode": "777", "price": {FIRST: "1300"}}));
        seller.stage.database.run(&format!("UPDATE oc_product SET model = 'own', sku = 'own', ean = '' WHERE product_id = {product}"));
        let twin = seller.stage.database.add_product("other", "777", "other", 1, "1");
        seller.press_synchronise().await;
        assert_eq!((seller.product(&good).await, seller.shelf(&good).await.as_str()), (product, "5 1300 1"));
        assert_eq!(seller.stage.database.shelf(twin), "1 1 1");
    }
}

/// «Для осуществления этого сопоставления необходимо в товары на kmall.uz добавить и заполнить соответствующее поле (либо использовать
/// какой-либо другой механизм).»
#[tokio::test(flavor = "multi_thread")]
async fn for_the_matching_another_mechanism_is_used_the_durable_link() {
    for api in EACH {
        let seller = Seller::new(api, 1, json!({})).await;
        let columns =
            "SELECT COUNT(*) AS number FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name LIKE 'oc\\_%'";
        let before = seller.stage.database.number(columns);
        let good = seller.good("1000", "5");
        seller.press_synchronise().await;
        let links = seller.stage.rest.all(&format!("/connections/{}/links?state=linked", seller.connection)).await;
        let link = links.iter().find(|link| link["source"] == good.as_str()).unwrap();
        assert_eq!(link["target"], seller.product(&good).await.to_string());
        assert_eq!(seller.stage.database.number(columns), before, "the shop's own tables get no field");
        // A person saves the product in the admin: its child rows get new ids, the link stands.
        seller.stage.database.run("UPDATE oc_product SET model = 'saved', date_modified = NOW()");
        seller.restock(&good, "7");
        let run = seller.stage.full(&seller.connection, &seller.shops[0]).await;
        assert_eq!((&run["counts"]["created"], &run["counts"]["updated"]), (&json!(0), &json!(1)));
        assert_eq!(change_of(&seller.stage.item(&run, &good).await, "quantity")["new"], 7);
    }
}
