use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;

fn read(row: &str) -> Result<Product, Box<BadRow>> {
    match serde_json::from_str::<&RawValue>(row) {
        Ok(raw) => product(raw),
        Err(error) => panic!("{row}: {error}"),
    }
}

fn number(text: &str) -> Lenient {
    Lenient::Number(crate::domain::number::parse_decimal(text).unwrap_or(Decimal::MIN))
}

/// The sheet's example (section 4.6), its first row.
const SHEET: &str = r#"{"id":"u1","parent_id":"u2","is_variative":false,"name":"Futbolka Test / L / Белый","sku":"TST-10432","barcode":"2000000104329",
  "brand_id":"u3","brand_name":"Test","description":"<p class=\"editor-paragraph\"><span>100% хлопок</span></p>",
  "main_image_url":"https://img.example/a.jpg","main_image_url_full":"https://img.example/a.jpg",
  "photos":[{"photo_url":"https://img.example/a.jpg","sequence":0,"is_main":true}],
  "categories":[{"id":"u4","name":"Футболки","parent_id":"u5"}],
  "custom_fields":[{"custom_field_id":"u6","custom_field_name":"Сезон","custom_field_system_name":"СЕЗОН","custom_field_value":"SS25","from_parent":true}],
  "product_attributes":[{"attribute_id":"u7","attribute_name":"razmer","attribute_value":"L","attribute_value_id":"u8"}],
  "measurement_unit":{"id":"u9","name":"Штука","short_name":"шт"},"product_type_id":"69e939aa-9b8f-46a9-b605-8b2675475b7b","supply_price":0,
  "shop_measurement_values":[{"shop_id":"s1","shop_name":"Shop A","active_measurement_value":5}],
  "shop_prices":[
   {"shop_id":"s1","shop_name":"Shop A","retail_price":189000,"retail_currency":"UZS","supply_price":98000,"supply_currency":"UZS","promo_price":151200,
    "promos":[{"id":"u10","external_id":"512044","name":"-20%","discount_value":20,"discount_type":"PERCENTAGE"}]},
   {"shop_id":"s2","shop_name":"Склад","retail_price":189000,"retail_currency":"","supply_price":0,"supply_currency":"UZS","promo_price":0,"promos":null}],
  "suppliers":[{"id":"u11","company_id":"","name":"Supplier"}],
  "product_supplier_stock":[],"updated_at":"2026-09-30 11:42:07"}"#;

#[test]
fn the_sheets_example_is_read() {
    let row = read(SHEET).unwrap_or_default();
    assert_eq!((row.id.as_str(), row.parent_id.as_deref(), row.name.as_str()), ("u1", Some("u2"), "Futbolka Test / L / Белый"));
    assert_eq!(row.description, r#"<p class="editor-paragraph"><span>100% хлопок</span></p>"#);
    assert_eq!(row.updated_at.map(|at| at.to_rfc3339()).as_deref(), Some("2026-09-30T11:42:07+00:00"));
    let prices: Vec<_> = row.shop_prices.iter().map(|price| (price.shop_id.as_str(), &price.retail_price, price.promos.len())).collect();
    assert_eq!(prices, [("s1", &number("189000"), 1), ("s2", &number("189000"), 0)]);
    assert_eq!(row.shop_measurement_values.first().map(ShopStock::active), Some(&number("5")));
    assert!(row.photos.first().is_some_and(|photo| photo.is_main) && row.unread.is_empty());
    assert_eq!((row.product_type_id.as_str(), row.measurement_unit.short_name.as_str()), (TYPE_GOODS, "шт"));
}

#[test]
fn everything_but_the_id_may_be_null_or_absent() {
    let bare = read(r#"{"id":"u1"}"#).unwrap_or_default();
    assert_eq!(bare, Product { id: "u1".into(), ..Product::default() });
    let nulls = read(
        r#"{"id":"u1","parent_id":null,"is_variative":null,"name":null,"sku":null,"barcode":null,"brand_id":null,"brand_name":null,
        "description":null,"product_type_id":null,"main_image_url":null,"main_image_url_full":null,"photos":null,"categories":null,
        "custom_fields":null,"product_attributes":null,"measurement_unit":null,"shop_prices":null,"shop_measurement_values":null,"updated_at":null}"#,
    );
    assert_eq!(nulls.unwrap_or_default(), bare);
}

#[test]
fn values_in_other_forms_are_read() {
    let row = read(
        r#"{"id":17,"sku":10432,"barcode":4780012345678,"name":"a\"b","shop_prices":[{"shop_id":3,"retail_price":"0.35","promo_price":null,"promos":null}],
        "shop_measurement_values":[{"shop_id":3,"active_measurement_value":"304.5"},{"shop_id":4,"total_active_measurement_value":7},
        {"shop_id":5,"active_measurement_value":-1}],"updated_at":"2026-09-30T11:42:07Z"}"#,
    )
    .unwrap_or_default();
    assert_eq!((row.id.as_str(), row.sku.as_str(), row.barcode.as_str(), row.name.as_str()), ("17", "10432", "4780012345678", "a\"b"));
    assert_eq!(
        row.shop_prices.first().map(|price| (price.shop_id.as_str(), &price.retail_price, &price.promo_price)),
        Some(("3", &number("0.35"), &Lenient::Absent))
    );
    assert_eq!(
        row.shop_measurement_values.iter().map(ShopStock::active).collect::<Vec<_>>(),
        [&number("304.5"), &number("7"), &number("-1")]
    );
    assert!(row.updated_at.is_some());
}

#[test]
fn an_unreadable_number_stays_with_its_shop() {
    let row =
        read(r#"{"id":"u1","shop_prices":[{"shop_id":"s1","retail_price":"dear"},{"shop_id":"s2","retail_price":5}]}"#).unwrap_or_default();
    let prices: Vec<_> = row.shop_prices.iter().map(|price| price.retail_price.clone()).collect();
    assert_eq!(prices, [Lenient::Unreadable("dear".into()), number("5")]);
}

#[test]
fn promos_that_are_no_list_are_none() {
    for promos in ["null", "\"\"", "\"x\"", "0", "{}"] {
        let row = format!(r#"{{"id":"u1","shop_prices":[{{"shop_id":"s1","retail_price":5,"promos":{promos}}}]}}"#);
        assert!(read(&row).is_ok_and(|product| product.shop_prices[0].promos.is_empty()), "{promos}");
    }
}

#[test]
fn a_row_that_cannot_be_used_says_where_and_what() {
    let table = [
        (r#"{"name":"Cup"}"#, None, Some("Cup"), "id", "(absent)"),
        (r#"{"id":null,"name":"Cup"}"#, None, Some("Cup"), "id", "null"),
        (r#"{"id":"","name":"Cup"}"#, None, Some("Cup"), "id", "\"\""),
        (r#"{"id":{"a":1},"name":"Cup"}"#, None, Some("Cup"), "id", r#"{"a":1}"#),
        (r#"{"id":"00000000-0000-0000-0000-000000000000"}"#, None, None, "id", "\"00000000-0000-0000-0000-000000000000\""),
        ("null", None, None, ".", "null"),
        ("[1]", None, None, ".", "[1]"),
        ("\"row\"", None, None, ".", "\"row\""),
        (r#"{"id":"u1","name":"Cup","shop_prices":"none"}"#, Some("u1"), Some("Cup"), "shop_prices", "\"none\""),
        (r#"{"id":"u1","shop_prices":[{"shop_id":"s1"},7]}"#, Some("u1"), None, "shop_prices[1]", "7"),
        (r#"{"id":"u1","shop_prices":[{"shop_id":"s1","promos":[7]}]}"#, Some("u1"), None, "shop_prices[0].promos", "[7]"),
        (
            r#"{"id":"u1","shop_measurement_values":[{"active_measurement_value":5}]}"#,
            Some("u1"),
            None,
            "shop_measurement_values[0].shop_id",
            "(absent)",
        ),
        (r#"{"id":"u1","is_variative":"maybe"}"#, Some("u1"), None, "is_variative", "\"maybe\""),
        (r#"{"id":"u1","name":["a"]}"#, Some("u1"), None, "name", "[\"a\"]"),
    ];
    for (row, id, name, field, value) in table {
        match read(row) {
            Ok(product) => assert_eq!(format!("{product:?}"), "a bad row", "{row}"),
            Err(bad) => {
                assert_eq!(
                    (bad.id.as_deref(), bad.name.as_deref(), bad.field.as_str(), bad.value.as_str()),
                    (id, name, field, value),
                    "{row}"
                );
                assert!(bad.raw_hash.len() == 32 && !bad.detail.is_empty(), "{row}");
            }
        }
    }
}

#[test]
fn broken_fields_for_show_are_left_empty_and_named() {
    let row = read(
        r#"{"id":"u1","name":"Cup","photos":"none","categories":[{"name":"no id"}],"measurement_unit":7,"updated_at":"yesterday","description":[],
        "brand_id":{},"shop_prices":[{"shop_id":"s1","retail_price":0.10}]}"#,
    )
    .unwrap_or_default();
    assert_eq!(row.unread, ["photos", "categories", "measurement_unit", "updated_at", "description", "brand_id"]);
    assert_eq!((row.id.as_str(), row.name.as_str(), row.photos.len()), ("u1", "Cup", 0));
    assert_eq!(row.shop_prices.first().map(|price| price.retail_price.clone()), Some(number("0.10")));
}

proptest! {
    /// Any JSON in any place gives a product or a bad row, never a loss of both.
    #[test]
    fn any_value_in_any_field_is_survived(
        field in prop::sample::select(vec!["id", "name", "photos", "shop_prices", "shop_measurement_values", "updated_at", "is_variative", "categories"]),
        value in prop::sample::select(vec!["null", "0", "-1.5e3", "\"\"", "\"x\"", "\"\\u0451\"", "[]", "{}", "[null]", "[{}]", "[[]]", "true", "99999999999999999999999999999999"]),
    ) {
        let row = format!(r#"{{"id":"u1","{field}":{value}}}"#).replace(r#""id":"u1","id""#, r#""id""#);
        match read(&row) {
            Ok(product) => prop_assert!(!product.id.is_empty()),
            Err(bad) => prop_assert!(bad.field.starts_with(field), "{:?}", bad),
        }
    }
}
