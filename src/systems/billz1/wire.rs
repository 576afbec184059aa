//! Product rows as they come, only what we need of them (fact sheet, sections 4.2 and 6).
//!
//! What the rules need to be right (the id, the offices) must be readable, or the row is a [`BadRow`]; what is only for show may be
//! broken: it is left empty and named in [`Product::unread`].

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::{
    domain::number::Lenient,
    remote::{
        lenient::{Text, id, list, list_or_none, scalar, text},
        row::{self, BadRow, Form, reads},
    },
};

/// One row of `products.get`: one variant is one row. Strings are "" and lists empty where the row has none or null.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Product {
    /// The only safe key.
    #[serde(rename = "ID", alias = "id", alias = "Id", deserialize_with = "id")]
    pub id: String,
    /// Name.
    #[serde(default, deserialize_with = "text")]
    pub name: String,
    /// Not unique: rows of one article may share it.
    #[serde(default, deserialize_with = "text")]
    pub sku: String,
    /// Not unique.
    #[serde(rename = "barCode", alias = "barcode", alias = "Barcode", default, deserialize_with = "text")]
    pub barcode: String,
    /// So'm, before the discount; for the whole company.
    #[serde(default)]
    pub price: Lenient,
    /// So'm to take off the price: no percent, no final price; 0 = none.
    #[serde(rename = "discountAmount", default)]
    pub discount_amount: Lenient,
    /// Stock of all offices together.
    #[serde(default)]
    pub qty: Lenient,
    /// Name -> value; the merchant's own names among them.
    #[serde(default, deserialize_with = "properties")]
    pub properties: Vec<(String, String)>,
    /// What each office says; whether offices without stock are among them is unknown.
    #[serde(default, deserialize_with = "list")]
    pub offices: Vec<Office>,
    /// Pictures; absent and null say nothing about those that the shop has.
    #[serde(rename = "imageUrls", default, deserialize_with = "list_or_none")]
    pub image_urls: Vec<Image>,
    /// Undocumented, the same on every row: looks like the size of the result.
    #[serde(rename = "totalRows", default)]
    pub total_rows: Lenient,
    /// Fields that were there but could not be read, and stand empty above.
    #[serde(skip)]
    pub unread: Vec<&'static str>,
}

/// What one office says.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Office {
    /// Key of a stream.
    #[serde(rename = "officeID", alias = "officeId", deserialize_with = "id")]
    pub id: String,
    /// The merchant's name of it.
    #[serde(rename = "officeName", default, deserialize_with = "text")]
    pub name: String,
    /// So'm; may differ from the company's.
    #[serde(default)]
    pub price: Lenient,
    /// So'm to take off the price.
    #[serde(rename = "discountAmount", default)]
    pub discount_amount: Lenient,
    /// Stock.
    #[serde(default)]
    pub qty: Lenient,
}

/// A picture.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Image {
    /// Address of the preview.
    #[serde(default, deserialize_with = "text")]
    pub url: String,
}

/// Object of strings; numbers and truth values keep their text, null and anything else than an object is none.
fn properties<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, String)>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    let Ok(fields) = serde_json::from_str::<std::collections::BTreeMap<String, &RawValue>>(raw.get()) else { return Ok(Vec::new()) };
    Ok(fields.into_iter().filter_map(|(name, value)| Some((name, scalar(value.get())?))).collect())
}

/// How rows are read, and which fields are for show.
const FORM: Form = Form {
    id: &["ID", "id", "Id"],
    name: "name",
    for_show: &[("barCode", reads::<Text>), ("barcode", reads::<Text>), ("imageUrls", reads::<Option<Vec<Image>>>)],
};

/// Reads one row.
pub fn product(row: &RawValue) -> Result<Product, Box<BadRow>> {
    let (product, unread) = row::read::<Product>(row.get(), &FORM)?;
    Ok(Product { unread, ..product })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Product, Box<BadRow>> {
        product(serde_json::from_str(text).unwrap())
    }

    fn number(text: &str) -> Lenient {
        serde_json::from_str(text).unwrap()
    }

    /// The example of the fact sheet, section 4.3.
    #[test]
    fn a_row_reads_as_the_sheet_shows_it() {
        let row = read(
            r#"{"ID": 4810233, "name": "Futbolka Test oq", "sku": "TST-104", "barCode": "2000000481023", "price": 189000, "priceUSD": 0,
            "discountAmount": 19000, "qty": 7, "properties": {"BRAND": "Test", "CATEGORY": "Футболки", "SIZE": "L", "СТРАНА_ПРОИЗВОДСТВА": "Узбекистан"},
            "offices": [{"officeID": 3301, "officeName": "Office A", "price": 189000, "priceUSD": 0, "discountAmount": 19000, "qty": 5}],
            "imageUrls": [{"url": "https://app.billz.uz/fileupload/products/000001/example_square.jpeg"}], "totalRows": 2}"#,
        )
        .unwrap();
        assert_eq!((row.id.as_str(), row.barcode.as_str()), ("4810233", "2000000481023"));
        assert_eq!((&row.price, &row.discount_amount, &row.total_rows), (&number("189000"), &number("19000"), &number("2")));
        assert_eq!(row.properties.len(), 4);
        assert_eq!((row.offices[0].id.as_str(), row.offices[0].name.as_str(), &row.offices[0].qty), ("3301", "Office A", &number("5")));
        assert!(row.image_urls[0].url.ends_with("_square.jpeg"));
    }

    #[test]
    fn keys_come_in_two_cases_or_not_at_all() {
        let row = read(r#"{"id":"7","barcode":478,"offices":[{"officeId":"3"}]}"#).unwrap();
        assert_eq!((row.id.as_str(), row.barcode.as_str(), row.offices[0].id.as_str()), ("7", "478", "3"));
        assert_eq!(read(r#"{"ID":7}"#).unwrap(), Product { id: "7".into(), ..Product::default() });
        let nulls = r#"{"ID":7,"name":null,"sku":null,"barCode":null,"price":null,"properties":null,"offices":null,"imageUrls":null,"totalRows":null}"#;
        assert_eq!(read(nulls).unwrap(), read(r#"{"ID":7}"#).unwrap());
        assert_eq!(read(r#"{"ID":7,"properties":[],"imageUrls":""}"#).unwrap(), read(r#"{"ID":7}"#).unwrap());
    }

    #[test]
    fn numbers_are_whole_or_not_or_text_and_never_floats() {
        let price = |text: &str| read(&format!(r#"{{"ID":7,"price":{text}}}"#)).unwrap().price;
        assert_eq!(price("189000"), price("189000.0"));
        assert_eq!(price("189000"), price("\"189000\""));
        assert_eq!(price("0.1"), number("0.1"));
        assert_eq!(price("12345678901234.57"), number("12345678901234.57"));
        assert!(matches!(price("\"много\""), Lenient::Unreadable(_)));
    }

    #[test]
    fn what_the_rules_need_must_be_readable() {
        let field = |text: &str| read(text).map(|_| String::new()).unwrap_or_else(|bad| format!("{:?} {}", bad.id, bad.field));
        assert_eq!(field(r#"{"ID":null,"name":"x"}"#), "None ID");
        assert_eq!(field(r#"{"name":"x"}"#), "None ID");
        assert_eq!(field(r#"{"ID":7,"offices":[{"officeName":"A"}]}"#), "Some(\"7\") offices[0].officeID");
        assert_eq!(field(r#"{"ID":7,"offices":"all"}"#), "Some(\"7\") offices");
        assert_eq!(field("\"row\""), "None .");
    }
}
