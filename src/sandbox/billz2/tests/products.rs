//! The quirks of the lists.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Shop, counts, ids, number};
use crate::sandbox::{
    Options,
    billz2::{
        catalogue::{Kind, Order},
        changes::Patch,
        switches::{OverLimit, PastEnd},
    },
};

fn shops_of(row: &Value, list: &str) -> BTreeSet<String> {
    row[list].as_array().map(|list| list.iter().map(|entry| entry["shop_id"].as_str().unwrap().to_owned()).collect()).unwrap_or_default()
}

fn entries<'a>(rows: &'a [Value], list: &'static str) -> impl Iterator<Item = &'a Value> {
    rows.iter().filter_map(move |row| row[list].as_array()).flatten()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_catalogue_holds_every_quirk() {
    let shop = Shop::open(300).await;
    let (count, rows) = shop.all(100).await;
    assert_eq!((count, rows.len()), (300, 300));
    assert_eq!(ids(&rows).into_iter().collect::<BTreeSet<_>>().len(), 300);
    let any = |check: &dyn Fn(&Value) -> bool| rows.iter().any(check);
    for list in ["photos", "categories", "custom_fields", "product_attributes", "shop_measurement_values", "shop_prices"] {
        assert!(any(&|row| row[list].is_null()), "{list} null");
        assert!(any(&|row| row[list] == json!([])), "{list} empty");
        assert!(any(&|row| row[list].as_array().is_some_and(|list| !list.is_empty())), "{list} filled");
    }
    assert!(
        any(&|row| row["description"].is_null())
            && any(&|row| row["description"] == "")
            && any(&|row| row["description"] == "<p class=\"editor-paragraph\"><br></p>")
    );
    assert!(any(&|row| row.get("main_image_url_full").is_none()) && any(&|row| row["main_image_url_full"].is_null()));
    assert!(any(&|row| row.get("supply_price").is_none()) && any(&|row| row["supply_price"] == "0"));
    assert!(any(&|row| row.get("x_new_feature").is_some()) && any(&|row| row.get("company_id").is_some()));
    assert!(counts(&rows, "sku").values().any(|count| *count > 1), "double sku");
    let barcodes = counts(&rows, "barcode");
    assert!(barcodes[""] > 0 && barcodes.iter().any(|(code, count)| !code.is_empty() && *count > 1), "double and empty barcode");
    let types = counts(&rows, "product_type_id");
    assert!(types.contains_key(Kind::Service.type_id()) && types.contains_key(Kind::Bundle.type_id()));
    let known: BTreeSet<String> = ids(&rows).into_iter().collect();
    let parents: Vec<&str> = rows.iter().map(|row| row["parent_id"].as_str().unwrap()).filter(|id| !id.is_empty()).collect();
    assert!(parents.iter().any(|id| known.contains(*id)) && parents.iter().any(|id| !known.contains(*id)), "parents listed, and orphans");
    let variants = rows.iter().filter(|row| row["parent_id"] != "").map(|row| (row["parent_id"].to_string(), row["name"].to_string()));
    let variants: Vec<_> = variants.collect();
    assert_eq!(variants.iter().collect::<BTreeSet<_>>().len(), variants.len(), "variants of one article differ by name");
    assert!(any(&|row| row["is_variative"] == true) && any(&|row| row["name"].as_str().unwrap().contains(" / ")));
    let stock = || entries(&rows, "shop_measurement_values").map(|entry| &entry["active_measurement_value"]);
    assert!(stock().any(Value::is_string), "stock as text");
    assert!(stock().any(|value| value.to_string().contains('.') && !value.to_string().ends_with(".0")), "fractions");
    assert!(stock().all(|value| !matches!(value.to_string().as_str(), "0" | "0.0" | "\"0\"")), "no row without stock");
    let prices = || entries(&rows, "shop_prices");
    for currency in ["", "UZS", "USD"] {
        assert!(prices().any(|entry| entry["retail_currency"] == currency), "currency `{currency}`");
    }
    assert!(prices().any(|entry| entry["retail_price"].is_string()));
    assert!(prices().any(|entry| entry["promos"].as_array().is_some_and(|list| !list.is_empty() && list[0]["external_id"].is_string())));
    assert!(
        prices().any(|entry| entry["promos"].as_array().is_none_or(Vec::is_empty)
            && !matches!(entry["promo_price"].to_string().as_str(), "0" | "0.0" | "\"0\"")),
        "stale promo price"
    );
    assert!(rows.iter().any(|row| (1..3).contains(&shops_of(row, "shop_prices").len())), "no price in some shop");
    assert!(rows.iter().any(|row| shops_of(row, "shop_measurement_values").len() == 1 && shops_of(row, "shop_prices").len() == 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn shares_are_as_promised() {
    let shop = Shop::open(5_000).await;
    let (_, rows) = shop.all(300).await;
    let share = |name: &str, from: f64, to: f64, check: &dyn Fn(&Value) -> bool| {
        let share = rows.iter().filter(|row| check(row)).count() as f64 / 50.0;
        assert!((from..to).contains(&share), "{name}: {share} %");
    };
    share("parents", 3.0, 7.0, &|row| row["is_variative"] == true);
    share("services", 1.5, 4.5, &|row| row["product_type_id"] == Kind::Service.type_id());
    share("bundles", 0.3, 2.0, &|row| row["product_type_id"] == Kind::Bundle.type_id());
    share("no stock", 15.0, 30.0, &|row| shops_of(row, "shop_measurement_values").is_empty());
    share("some price missing", 2.0, 5.0, &|row| (1..3).contains(&shops_of(row, "shop_prices").len()));
    share("promotion", 7.0, 13.0, &|row| {
        entries(std::slice::from_ref(row), "shop_prices").any(|entry| entry["promos"].as_array().is_some_and(|list| !list.is_empty()))
    });
    share("dollars", 0.5, 2.0, &|row| entries(std::slice::from_ref(row), "shop_prices").any(|entry| entry["retail_currency"] == "USD"));
    share("blank currency", 3.0, 7.0, &|row| entries(std::slice::from_ref(row), "shop_prices").any(|entry| entry["retail_currency"] == ""));
    let doubles = |field| {
        counts(&rows, field).iter().filter(|(code, count)| !code.is_empty() && **count > 1).map(|(_, count)| count - 1).sum::<usize>()
            as f64
            / 50.0
    };
    assert!((1.5..5.0).contains(&doubles("sku")), "{}", doubles("sku"));
    assert!((1.0..3.0).contains(&doubles("barcode")), "{}", doubles("barcode"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_seed_gives_the_same_bytes() {
    let (one, two) = (Shop::open(200).await, Shop::open(200).await);
    let body = async |shop: &Shop| shop.try_get("/v2/products?limit=200").await.unwrap().bytes().await.unwrap();
    assert_eq!(body(&one).await, body(&two).await);
    two.running.billz2.reset(200, 2);
    assert_ne!(body(&one).await, body(&two).await);
    assert_eq!(two.all(200).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_pages_and_unknown_keys() {
    let shop = Shop::open(350).await;
    let rows = async |query: &str| shop.get(&format!("/v2/products{query}")).await.1["products"].as_array().map(Vec::len);
    assert_eq!(rows("").await, Some(100));
    assert_eq!(rows("?limit=1000&category_ids=nonsense").await, Some(300));
    assert_eq!(rows("?limit=300&page=2").await, Some(50));
    assert_eq!(rows("?limit=300&page=3").await, None);
    shop.running.billz2.set_switches(|switches| {
        switches.past_end = PastEnd::Empty;
        switches.over_limit = OverLimit::Refuse;
    });
    assert_eq!(rows("?limit=300&page=3").await, Some(0));
    let (status, body) = shop.get("/v2/products?limit=301").await;
    assert_eq!((status, &body["error"]["code"]), (400, &json!("BAD_REQUEST")));
    assert_eq!(shop.get("/v2/nothing").await, (404, json!({"error": {"code": "NOT_FOUND", "message": "not found"}})));
}

#[tokio::test(flavor = "multi_thread")]
async fn dates_are_utc_strict_and_without_a_t() {
    let shop = Shop::open(100).await;
    let last = shop.running.billz2.products(0, 100).into_iter().max_by_key(|product| product.updated_at.clone()).unwrap();
    let changed = async |date: &str| {
        let encoded: String = url::form_urlencoded::byte_serialize(date.as_bytes()).collect();
        shop.get(&format!("/v2/products?last_updated_date={encoded}")).await
    };
    assert_eq!(number(&changed(&last.updated_at).await.1["count"]), 0, "strictly after");
    assert_eq!(changed(&last.updated_at).await.1["products"], Value::Null);
    for bad in ["2026-01-01T00:00:00Z", "2026-01-01", "2026-01-01 00:00:00Z"] {
        let (status, body) = changed(bad).await;
        assert_eq!((status, &body["error"]["code"]), (400, &json!("BAD_REQUEST")), "{bad}");
    }
    let before = chrono::Utc::now() - chrono::TimeDelta::seconds(2);
    shop.running.billz2.patch(&last.id, &Patch { name: Some("Yangi nom".to_owned()), ..Patch::default() }).unwrap();
    let (_, body) = changed(&before.format("%Y-%m-%d %H:%M:%S").to_string()).await;
    assert_eq!((number(&body["count"]), &body["products"][0]["name"]), (1, &json!("Yangi nom")));
    assert_eq!(number(&shop.get("/v2/products?search=yangi%20NOM").await.1["count"]), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_date_header_is_the_remotes_clock() {
    let shop = Shop::open(10).await;
    let ahead = async || {
        let date = shop.try_get("/v1/shop").await.unwrap().headers()["date"].to_str().unwrap().to_owned();
        chrono::DateTime::parse_from_rfc2822(&date).unwrap().timestamp() - chrono::Utc::now().timestamp()
    };
    assert!((-9..=0).contains(&ahead().await));
    shop.running.billz2.set_switches(|switches| switches.clock_ahead_s = 3_600);
    assert!((3_591..=3_600).contains(&ahead().await));
}

#[tokio::test(flavor = "multi_thread")]
async fn order_is_newest_first_or_oldest_first_or_unstable() {
    let shop = Shop::open(300).await;
    let newest = ids(&shop.all(100).await.1);
    shop.running.billz2.set_switches(|switches| switches.order = Order::OldestFirst);
    let oldest = ids(&shop.all(100).await.1);
    assert!(newest.iter().eq(oldest.iter().rev()));
    shop.running.billz2.set_switches(|switches| switches.shuffle = true);
    let shuffled = ids(&shop.all(100).await.1);
    assert_eq!(shuffled.len(), 300);
    assert!(shuffled.into_iter().collect::<BTreeSet<_>>().len() < 300, "pages overlap");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_small_lists_answer() {
    let shop = Shop::open_with(Options { products: 50, rate_limit: None, ..Options::default() }).await;
    let (_, shops) = shop.get("/v1/shop?limit=100&only_allowed=true").await;
    let names: Vec<&str> = shops["shops"].as_array().unwrap().iter().map(|shop| shop["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Chilonzor", "Sergeli", "Склад"]);
    assert_eq!(shop.get("/v1/shop?page=2").await.1["shops"], Value::Null);
    let (_, tree) = shop.get("/v2/category?limit=100&is_deleted=false").await;
    let clothes = tree["categories"].as_array().unwrap().iter().find(|row| row["name"] == "Одежда").unwrap();
    assert!(
        clothes["subRows"]
            .as_array()
            .unwrap()
            .iter()
            .any(|row| row["name"] == "Ayollar kiyimi" && row["subRows"][0]["name"] == "Ko'ylaklar")
    );
    assert_eq!(shop.get("/v2/company-currencies").await.1["retail_currency"]["code"], "UZS");
    assert_eq!(shop.get("/v2/company-currency-rates?currency=EUR").await.1["rates"], Value::Null);
    for path in ["/v2/brand?limit=5", "/v1/company", "/v2/product-type", "/v2/measurement-unit", "/v2/company-currency-rates"] {
        assert_eq!(shop.get(path).await.0, 200, "{path}");
    }
    shop.running.billz2.set_switches(|switches| switches.access_denied = true);
    assert_eq!(shop.get("/v1/shop").await.0, 403);
}
