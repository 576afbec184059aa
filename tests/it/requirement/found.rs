//! Section 4.2: «Если товар найден, то у него обновляются следующие поля».

use serde_json::{Value, json};

use super::{EACH, Seller};
use crate::support::{Api, FIRST, change_of};

/// «Если товар найден, то у него обновляются следующие поля: - Остаток»
#[tokio::test(flavor = "multi_thread")]
async fn if_a_good_is_found_its_stock_is_updated() {
    for api in EACH {
        let seller = Seller::new(api, 1, json!({})).await;
        let good = seller.good("1000", "5");
        seller.press_synchronise().await;
        for stock in ["9", "0", "3"] {
            seller.restock(&good, stock);
            let run = seller.stage.full(&seller.connection, &seller.shops[0]).await;
            assert_eq!(seller.shelf(&good).await, format!("{stock} 1000 1"));
            assert_eq!(change_of(&seller.stage.item(&run, &good).await, "quantity")["rule"], "stock_sum");
        }
    }
}

/// «Если товар найден, то у него обновляются следующие поля: - Цена»
#[tokio::test(flavor = "multi_thread")]
async fn if_a_good_is_found_its_price_is_updated() {
    for api in EACH {
        let seller = Seller::new(api, 1, json!({})).await;
        let good = seller.good("1000", "5");
        seller.press_synchronise().await;
        for price in ["1500", "700"] {
            seller.reprice(&good, price);
            seller.press_synchronise().await;
            assert_eq!(seller.shelf(&good).await, format!("5 {price} 1"));
        }
    }
}

/// «на kmall.uz создается/редактируется запись на вкладке товара "Акция", без указания дат начала и конца. Сумма на этой вкладке =
/// Цена - Сумма скидки.» For Billz 2: «если эти значения в выборке появятся, то их надо обработать аналогично billz1».
#[tokio::test(flavor = "multi_thread")]
async fn a_record_on_the_tab_special_is_created_or_edited_without_dates_and_its_amount_is_price_less_discount() {
    for api in EACH {
        let seller = Seller::new(api, 1, json!({})).await;
        let good = seller.good("1000", "5");
        seller.press_synchronise().await;
        assert_eq!(seller.specials(&good).await, Vec::<String>::new());
        // Created, then edited; a row that a person made does not stand beside it.
        for (place, (price, amount)) in [("850", 150), ("820", 180)].into_iter().enumerate() {
            seller.discount(&good, 1000, amount);
            let run = seller.stage.full(&seller.connection, &seller.shops[0]).await;
            let rows = [1, 2].map(|group| format!("{group}:{price}:0000-00-00:0000-00-00"));
            assert_eq!(seller.specials(&good).await, rows, "one row per customer group, no dates");
            assert_eq!(change_of(&seller.stage.item(&run, &good).await, "special")["new"], price);
            if place == 0 {
                seller.add_special(&good, "600").await;
            }
        }
        assert_eq!(seller.shelf(&good).await, "5 1000 1", "the price itself stays");
    }
}

fn yesterday_in_the_shop() -> String {
    (chrono::Utc::now() + chrono::Duration::hours(5) - chrono::Duration::days(1)).format("%Y-%m-%d").to_string()
}

/// Whether a row on the tab «Акция» was removed, or ends yesterday, as the settings say.
async fn special_is_over(seller: &Seller, good: &str, ending: &str) {
    let rows = seller.specials(good).await;
    match ending {
        "remove" => assert_eq!(rows, Vec::<String>::new()),
        _ => assert!(!rows.is_empty() && rows.iter().all(|row| row.ends_with(&format!(":{}", yesterday_in_the_shop()))), "{rows:?}"),
    }
    let live = "(date_end = '0000-00-00' OR date_end > NOW() + INTERVAL 5 HOUR)";
    let live = format!("SELECT COUNT(*) AS number FROM oc_product_special WHERE product_id = {} AND {live}", seller.product(good).await);
    assert_eq!(seller.stage.database.number(&live), 0, "the storefront shows none");
}

/// «Для billz1, если в выборке Сумма скидки=0, а в товаре на kmall.uz присутствует запись на вкладке "Акция", то необходимо либо удалить
/// акцию, либо закрыть ее (поставить дату окончания) вчерашним числом.»
#[tokio::test(flavor = "multi_thread")]
async fn billz1_if_the_discount_is_0_and_a_special_exists_it_is_removed_or_closed_with_yesterdays_date() {
    for ending in ["remove", "close"] {
        let seller = Seller::new(Api::Billz1, 1, json!({"specials": ending})).await;
        let good = seller.good("1000", "5");
        seller.press_synchronise().await;
        // Whoever made it, and though the price did not move.
        seller.add_special(&good, "600").await;
        let run = seller.press_synchronise().await;
        special_is_over(&seller, &good, ending).await;
        let change = change_of(&seller.stage.item(&run, &good).await, "special");
        assert_eq!((&change["old"], &change["rule"]), (&json!("600"), &json!("discount_ended")));
        assert_eq!(seller.press_synchronise().await["counts"]["updated"], 0);
    }
}

/// «если обновилась цена товара, а в товаре на kmall.uz присутствует запись на вкладке "Акция", то необходимо либо удалить акцию, либо
/// закрыть ее (поставить дату окончания) вчерашним числом» (billz2)
#[tokio::test(flavor = "multi_thread")]
async fn billz2_if_the_price_was_updated_and_a_special_exists_it_is_removed_or_closed_with_yesterdays_date() {
    for ending in ["remove", "close"] {
        let seller = Seller::new(Api::Billz2, 1, json!({"specials": ending})).await;
        let good = seller.good("1000", "5");
        seller.press_synchronise().await;
        seller.add_special(&good, "600").await;
        seller.press_synchronise().await;
        assert_eq!(seller.specials(&good).await, ["1:600:0000-00-00:0000-00-00"], "the price was not updated");
        seller.reprice(&good, "1100");
        let run = seller.press_synchronise().await;
        special_is_over(&seller, &good, ending).await;
        let change = change_of(&seller.stage.item(&run, &good).await, "special");
        assert_eq!((&change["old"], &change["rule"]), (&json!("600"), &json!("special_removed_price_changed")));
    }
}

/// «для billz2 … если эти значения в выборке появятся, то их надо обработать аналогично billz1»: a promotion that is gone ends its special.
#[tokio::test(flavor = "multi_thread")]
async fn a_discount_that_is_gone_ends_its_special() {
    for api in EACH {
        for ending in ["remove", "close"] {
            let seller = Seller::new(api, 1, json!({"specials": ending})).await;
            let good = seller.good("1000", "5");
            seller.discount(&good, 1000, 150);
            seller.press_synchronise().await;
            assert_eq!(seller.specials(&good).await.len(), 2);
            seller.discount(&good, 1000, 0);
            seller.stage.full(&seller.connection, &seller.shops[0]).await;
            special_is_over(&seller, &good, ending).await;
        }
    }
}

/// «Т.е. итого - необходимо обновить остатки и цены товара, включая цены по акциям/скидкам.»
#[tokio::test(flavor = "multi_thread")]
async fn in_sum_stock_and_prices_are_updated_including_prices_by_specials_and_discounts() {
    for api in EACH {
        let seller = Seller::new(api, 1, json!({})).await;
        let good = seller.good("1000", "5");
        seller.press_synchronise().await;
        let product = seller.product(&good).await;
        let name = seller
            .stage
            .database
            .cell(&format!("SELECT name FROM oc_product_description WHERE product_id = {product} AND language_id = 1"));
        seller.reprice(&good, "1200");
        seller.restock(&good, "8");
        seller.discount(&good, 1200, 100);
        seller.stage.full(&seller.connection, &seller.shops[0]).await;
        assert_eq!(seller.shelf(&good).await, "8 1200 1");
        assert!(seller.specials(&good).await.iter().all(|row| row.contains(":1100:")));
        let now = seller
            .stage
            .database
            .cell(&format!("SELECT name FROM oc_product_description WHERE product_id = {product} AND language_id = 1"));
        assert_eq!(now, name, "these fields, and no other");
    }
}

/// «Должна быть предусмотрена возможность посмотреть отчет (лог) проведенной синхронизации.»
#[tokio::test(flavor = "multi_thread")]
async fn the_report_of_a_synchronisation_can_be_seen() {
    for api in EACH {
        let seller = Seller::new(api, 1, json!({})).await;
        let (good, junk) = (seller.good("1000.4", "5"), seller.good("1", "5"));
        seller.press_synchronise().await;
        seller.reprice(&good, "1200.4");
        let run = seller.press_synchronise().await;
        let path = format!("/sync/runs/{}", run["id"].as_str().unwrap());
        let told = seller.stage.rest.get(&path).await.ok(200);
        assert_eq!((&told["counts"]["updated"], &told["counts"]["skipped"], told["finished_at"].is_string()), (&json!(1), &json!(1), true));
        let in_russian = seller.stage.rest.with_header("Accept-Language", "ru");
        let items = in_russian.all(&format!("{path}/items")).await;
        let item = |key: &str| items.iter().find(|item| item["key"] == key).cloned().unwrap_or(Value::Null);
        let change = change_of(&item(&good), "price");
        assert_eq!((&change["old"], &change["new"]), (&json!("1000"), &json!("1200")));
        assert_eq!(change["rule_text"], format!("Цена магазина «{FIRST}»; до округления 1200.4."));
        assert!(item(&junk)["reason"]["text"].as_str().unwrap().contains("ниже допустимой 2"), "{items:?}");
        let mine = seller.stage.rest.with_header("X-On-Behalf-Of", "seller:42").get(&path).await;
        assert_eq!(mine.status, 200, "the seller sees it, too");
        assert_eq!(seller.stage.rest.with_header("X-On-Behalf-Of", "seller:43").get(&path).await.status, 404, "and no other one");
    }
}
