//! Products and variants as InSales sends them (fact sheet, section 4.3). Unknown keys are the rule: the number of prices, warehouses and
//! extra fields follows the shop.

use std::{collections::BTreeMap, fmt};

use rust_decimal::Decimal;
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{
    domain::number::Lenient,
    remote::lenient::{scalar, text},
};

/// How fields with the stock of one warehouse begin; the rest is its `array_index`.
pub const WAREHOUSE: &str = "quantity_at_warehouse";

/// What stands in a field of stock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// null: stock is not tracked, sellable without limit as far as anybody knows. Not 0.
    Unlimited,
    /// So many.
    Pieces(Decimal),
    /// Something else; its own text.
    Unreadable(String),
}

/// A product with all its variants.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Product {
    /// Its id.
    #[serde(deserialize_with = "number")]
    pub id: u64,
    /// When it was changed last, verbatim: the next cursor.
    pub updated_at: String,
    /// Its name; may be empty.
    #[serde(default, deserialize_with = "text")]
    pub title: String,
    /// Taken out of the shop.
    #[serde(default, deserialize_with = "loose_flag")]
    pub archived: bool,
    /// Made of other products, whose stock it follows.
    #[serde(default, deserialize_with = "loose_flag")]
    bundle: bool,
    #[serde(default, deserialize_with = "counted")]
    product_bundle_components: usize,
    /// Its variants; each product has one at least.
    #[serde(default, deserialize_with = "variants")]
    pub variants: Vec<Variant>,
}

impl Product {
    /// Whether it is made of other products.
    pub fn is_bundle(&self) -> bool {
        self.bundle || self.product_bundle_components > 0
    }
}

/// What is really sold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Its id, above 2^31.
    pub id: u64,
    /// Its name beside the product's, such as a size; may be empty.
    pub title: String,
    /// Article number; may be empty or doubled.
    pub sku: String,
    /// Barcode as text, trimmed; may be empty or doubled.
    pub barcode: String,
    /// Field `quantity`; `None` = the answer has no such field.
    pub quantity: Option<Quantity>,
    /// Stock by the warehouses' `array_index`.
    pub warehouses: BTreeMap<u8, Quantity>,
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Lenient::deserialize(deserializer)? {
            Lenient::Absent => Self::Unlimited,
            Lenient::Number(pieces) => Self::Pieces(pieces),
            Lenient::Unreadable(text) => Self::Unreadable(text),
        })
    }
}

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    scalar(raw.get()).and_then(|text| text.trim().parse().ok()).filter(|id| *id > 0).ok_or_else(|| D::Error::custom("expected an id"))
}

fn loose_flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(matches!(scalar(raw.get()).as_deref(), Some("true" | "1")))
}

/// How long a list is; anything else has no entries.
fn counted<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str::<Vec<IgnoredAny>>(raw.get()).map_or(0, |list| list.len()))
}

fn variants<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Variant>, D::Error> {
    Ok(Option::<Vec<Variant>>::deserialize(deserializer)?.unwrap_or_default())
}

impl<'de> Deserialize<'de> for Variant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

/// Reads a variant key by key: the names of the warehouses' fields are not known before.
struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Variant;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a variant")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Variant, M::Error> {
        let mut id = None;
        let mut variant = Variant {
            id: 0,
            title: String::new(),
            sku: String::new(),
            barcode: String::new(),
            quantity: None,
            warehouses: BTreeMap::new(),
        };
        while let Some(key) = map.next_key::<String>()? {
            let words = |raw: &RawValue| scalar(raw.get()).unwrap_or_default().trim().to_owned();
            match key.as_str() {
                "id" => id = scalar(map.next_value::<&RawValue>()?.get()).and_then(|text| text.trim().parse().ok()),
                "title" => variant.title = words(map.next_value()?),
                "sku" => variant.sku = words(map.next_value()?),
                "barcode" => variant.barcode = words(map.next_value()?),
                "quantity" => variant.quantity = Some(map.next_value()?),
                other => match other.strip_prefix(WAREHOUSE).and_then(|index| index.parse().ok()) {
                    Some(index) => drop(variant.warehouses.insert(index, map.next_value()?)),
                    None => drop(map.next_value::<IgnoredAny>()?),
                },
            }
        }
        variant.id = id.ok_or_else(|| M::Error::custom("a variant without an id"))?;
        Ok(variant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sheet's example, shortened by fields that nobody reads.
    const PRODUCT: &str = r#"{"id":408000002,"category_id":32000001,"updated_at":"2026-05-14T10:01:02.492+03:00","is_hidden":false,"archived":false,
      "title":"Кружка","images":[],"variants":[{"id":2680000001,"title":null,"product_id":408000002,"sku":"MUG-1","barcode":" 0460 ",
      "quantity":7,"quantity_at_warehouse0":"7.0","quantity_at_warehouse11":0,"price":"200.1","prices":[null],"option_values":[]}],
      "product_bundle_components":[]}"#;

    fn variant(fields: &str) -> Variant {
        serde_json::from_str(&format!(r#"{{"id":1,{fields}}}"#)).expect("a variant")
    }

    #[test]
    fn the_sheets_example_is_read() {
        let product: Product = serde_json::from_str(PRODUCT).expect("a product");
        assert_eq!((product.id, product.updated_at.as_str(), product.is_bundle()), (408_000_002, "2026-05-14T10:01:02.492+03:00", false));
        let variant = product.variants.first().expect("a variant");
        assert_eq!((variant.id, variant.barcode.as_str(), variant.sku.as_str()), (2_680_000_001, "0460", "MUG-1"));
        assert_eq!(variant.quantity, Some(Quantity::Pieces(Decimal::from(7))));
        assert_eq!(variant.warehouses.keys().copied().collect::<Vec<_>>(), [0, 11]);
        assert_eq!(variant.warehouses.get(&0), Some(&Quantity::Pieces(Decimal::new(70, 1))));
    }

    #[test]
    fn null_a_number_and_nonsense_stay_three_things() {
        assert_eq!(variant(r#""quantity":null"#).quantity, Some(Quantity::Unlimited));
        assert_eq!(variant(r#""quantity":"2.5""#).quantity, Some(Quantity::Pieces(Decimal::new(25, 1))));
        assert_eq!(variant(r#""quantity":"many""#).quantity, Some(Quantity::Unreadable("many".into())));
        assert_eq!(variant(r#""sku":null"#).quantity, None, "a field that is absent tells nothing");
    }

    #[test]
    fn a_barcode_may_be_a_number_or_null_and_bundles_are_known_by_two_signs() {
        assert_eq!(variant(r#""barcode":4600000000017"#).barcode, "4600000000017");
        assert_eq!(variant(r#""barcode":null"#).barcode, "");
        for sign in [r#""bundle":true"#, r#""product_bundle_components":[{"id":1}]"#] {
            let product: Product = serde_json::from_str(&format!(r#"{{"id":1,"updated_at":"x",{sign}}}"#)).expect("a product");
            assert!(product.is_bundle(), "{sign}");
        }
        assert!(serde_json::from_str::<Product>(r#"{"id":1}"#).is_err(), "no cursor could follow it");
    }
}
