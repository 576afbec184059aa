//! Section 4.1: «Если товар не найден».

use serde_json::json;

use super::{EACH, Seller};
use crate::support::{Api, FIRST, Setup, Spawn, Stage};

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

/// «Для этого необходимо реализовать механизм маппинга категорий товара между billz и kmall.uz»
#[tokio::test(flavor = "multi_thread")]
async fn categories_of_goods_are_mapped_between_billz_and_kmall() {
    for api in EACH {
        let seller = Seller::new(api, 1, json!({"unmapped_category": "inbox"})).await;
        let good = seller.stage.good(match api {
            Api::Billz1 => json!({"properties": {"CATEGORY": "Одежда", "SUB_CATEGORY": "Футболки"}}),
            Api::Billz2 => json!({"category": "Футболки"}),
        });
        let run = seller.press_synchronise().await;
        assert_eq!(seller.stage.outcome(&run, &good).await, "skipped category_unmapped", "it goes nowhere unasked");
        let mappings = format!("/connections/{}/category-mappings", seller.connection);
        let unmapped = seller.stage.rest.all(&format!("{mappings}/unmapped")).await;
        let row = unmapped.iter().find(|row| row["source_name"] == "Одежда / Футболки").unwrap_or_else(|| panic!("{unmapped:?}"));
        let proposed = &row["proposals"][0]["target"];
        assert_eq!((&row["count"], &row["proposals"][0]["name"]), (&json!(1), &json!("Одежда > Футболки")), "{row}");
        let items = json!({"items": [{"source": row["source"], "target": proposed}]});
        seller.stage.rest.put_matching(&mappings, "*", &items).await.ok(200);
        let run = seller.press_synchronise().await;
        assert_eq!(seller.stage.outcome(&run, &good).await, "created new_product");
        let product = seller.product(&good).await;
        let filed = seller.stage.database.cell(&format!("SELECT category_id FROM oc_product_to_category WHERE product_id = {product}"));
        assert_eq!(filed, proposed.as_str().unwrap());
    }
}

/// «загрузить картинки товара на kmall.uz»
#[tokio::test(flavor = "multi_thread")]
async fn pictures_of_the_good_are_loaded_to_kmall() {
    for api in EACH {
        let root = std::env::temp_dir().join(format!("tradesync-requirement-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir_all(root.join("image/catalog/billz")).unwrap();
        let spawn = Spawn::default().with("TRADESYNC_IMAGE_ROOT", root.to_str().unwrap());
        let stage = Stage::with(Setup { api, products: 0, spawn, ..Setup::default() }).await;
        let at = |name: &str| format!("{}/pictures/{name}", stage.billz.url);
        let photos = json!([at("main.jpg"), at("back.png")]);
        let good = stage.good(match api {
            Api::Billz1 => json!({"images": photos}),
            Api::Billz2 => json!({"photos": photos}),
        });
        let images = json!({"images": {"dir": "image/catalog/billz", "allow_hosts": ["127.0.0.1"]}});
        let seller = Seller::on(stage, 1, images).await;
        let run = seller.press_synchronise().await;
        assert_eq!(run["pictures"]["shown"], 1, "{run}");
        let product = seller.product(&good).await;
        let rows = format!(
            "SELECT image AS words FROM (SELECT image, -1 AS place FROM oc_product WHERE product_id = {product} \
             UNION ALL SELECT image, sort_order FROM oc_product_image WHERE product_id = {product}) t ORDER BY place"
        );
        let shown = seller.stage.database.words(&rows);
        assert!(shown.len() == 2 && shown[0].ends_with(".jpg") && shown[1].ends_with(".png"), "the main one first: {shown:?}");
        for path in &shown {
            assert!(image::open(root.join("image").join(path)).is_ok(), "{path} is a picture in the shop's folder");
        }
        std::fs::remove_dir_all(root).unwrap();
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
