//! Product rows as they come, only what we need of them (fact sheet, sections 4.2, 4.3 and 6).
//!
//! What the rules need to be right (ids, lists of prices and stock) must be readable, or the row is a [`BadRow`]; what is only for
//! show (photos, categories, attributes ...) may be broken: it is left empty and named in [`Product::unread`], so that nobody takes
//! it as removed.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    domain::number::Lenient,
    remote::{
        lenient::{Moment, Text, flag, id, list, list_or_none, moment, object, reference, text},
        row::{self, BadRow, Form, reads},
    },
};

/// One row of `GET /v2/products`. Strings are "" and lists empty where the row has none or null.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Product {
    /// UUID; the only safe key.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// Of a variant: its parent, which may be absent from the list.
    #[serde(default, deserialize_with = "reference")]
    pub parent_id: Option<String>,
    /// True on parent rows, which are no goods.
    #[serde(default, deserialize_with = "flag")]
    pub is_variative: bool,
    /// Of variants: `Base / M / blue`.
    #[serde(default, deserialize_with = "text")]
    pub name: String,
    /// Not unique.
    #[serde(default, deserialize_with = "text")]
    pub sku: String,
    /// Not unique.
    #[serde(default, deserialize_with = "text")]
    pub barcode: String,
    /// None without brand.
    #[serde(default, deserialize_with = "reference")]
    pub brand_id: Option<String>,
    /// "" without brand.
    #[serde(default, deserialize_with = "text")]
    pub brand_name: String,
    /// HTML, perhaps an empty paragraph.
    #[serde(default, deserialize_with = "text")]
    pub description: String,
    /// Goods, service or bundle; see [`TYPE_GOODS`] and its like.
    #[serde(default, deserialize_with = "text")]
    pub product_type_id: String,
    /// Address of the main picture.
    #[serde(default, deserialize_with = "text")]
    pub main_image_url: String,
    /// The same in full size.
    #[serde(default, deserialize_with = "text")]
    pub main_image_url_full: String,
    /// All pictures, in the row's order.
    #[serde(default, deserialize_with = "list")]
    pub photos: Vec<Photo>,
    /// Flat, without their ancestors.
    #[serde(default, deserialize_with = "list")]
    pub categories: Vec<Category>,
    /// The merchant's own fields.
    #[serde(default, deserialize_with = "list")]
    pub custom_fields: Vec<CustomField>,
    /// What tells variants apart, in any language.
    #[serde(default, deserialize_with = "list")]
    pub product_attributes: Vec<Attribute>,
    /// Piece, metre, kilogram.
    #[serde(default, deserialize_with = "object")]
    pub measurement_unit: Unit,
    /// A shop without a price row happens.
    #[serde(default, deserialize_with = "list")]
    pub shop_prices: Vec<ShopPrice>,
    /// Only shops that hold the product: an absent shop holds 0.
    #[serde(default, deserialize_with = "list")]
    pub shop_measurement_values: Vec<ShopStock>,
    /// UTC; not known to move at a sale.
    #[serde(default, deserialize_with = "moment")]
    pub updated_at: Option<DateTime<Utc>>,
    /// Fields that were there but could not be read, and stand empty above.
    #[serde(skip)]
    pub unread: Vec<&'static str>,
}

/// `product_type_id` of goods; merchants also sell services under it.
pub const TYPE_GOODS: &str = "69e939aa-9b8f-46a9-b605-8b2675475b7b";
/// `product_type_id` of services.
pub const TYPE_SERVICE: &str = "5a0e556a-15f8-47ac-ae07-46972f3c6ab4";
/// `product_type_id` of bundles.
pub const TYPE_BUNDLE: &str = "864c77c7-5407-45dc-8289-3162b71dc653";

/// A picture.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Photo {
    /// Address.
    #[serde(default, deserialize_with = "text")]
    pub photo_url: String,
    /// Address of the full size, if given.
    #[serde(default, deserialize_with = "text")]
    pub photo_url_full: String,
    /// Place in the gallery.
    #[serde(default)]
    pub sequence: Lenient,
    /// Whether it is the main one.
    #[serde(default, deserialize_with = "flag")]
    pub is_main: bool,
}

/// A category.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Category {
    /// UUID.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// May be empty, and stand twice in a catalogue.
    #[serde(default, deserialize_with = "text")]
    pub name: String,
    /// None at the root.
    #[serde(default, deserialize_with = "reference")]
    pub parent_id: Option<String>,
}

/// A merchant's own field.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct CustomField {
    /// UUID.
    #[serde(default, deserialize_with = "text")]
    pub custom_field_id: String,
    /// May lack.
    #[serde(default, deserialize_with = "text")]
    pub custom_field_name: String,
    /// Stands in for a name that lacks.
    #[serde(default, deserialize_with = "text")]
    pub custom_field_system_name: String,
    /// Always a string.
    #[serde(default, deserialize_with = "text")]
    pub custom_field_value: String,
}

/// An attribute of a variant.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Attribute {
    /// UUID.
    #[serde(default, deserialize_with = "text")]
    pub attribute_id: String,
    /// In any language.
    #[serde(default, deserialize_with = "text")]
    pub attribute_name: String,
    /// In any language.
    #[serde(default, deserialize_with = "text")]
    pub attribute_value: String,
}

/// A unit of measurement.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Unit {
    /// `Штука`.
    #[serde(default, deserialize_with = "text")]
    pub name: String,
    /// `шт`.
    #[serde(default, deserialize_with = "text")]
    pub short_name: String,
}

/// The price in one shop.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct ShopPrice {
    /// Whose price.
    #[serde(deserialize_with = "id")]
    pub shop_id: String,
    /// May lack.
    #[serde(default, deserialize_with = "text")]
    pub shop_name: String,
    /// As it came; the rules judge what is unreadable.
    #[serde(default)]
    pub retail_price: Lenient,
    /// "" = the company's.
    #[serde(default, deserialize_with = "text")]
    pub retail_currency: String,
    /// Counts only when `promos` is not empty.
    #[serde(default)]
    pub promo_price: Lenient,
    /// The promotions in force.
    #[serde(default, deserialize_with = "list_or_none")]
    pub promos: Vec<Promo>,
}

/// A promotion on a price.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Promo {
    /// UUID.
    #[serde(default, deserialize_with = "text")]
    pub id: String,
    /// Name.
    #[serde(default, deserialize_with = "text")]
    pub name: String,
    /// Per cent or a price, by its type.
    #[serde(default)]
    pub discount_value: Lenient,
    /// `PERCENTAGE` or `FIXED PRICE`.
    #[serde(default, deserialize_with = "text")]
    pub discount_type: String,
}

/// The stock of one shop.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct ShopStock {
    /// Whose stock.
    #[serde(deserialize_with = "id")]
    pub shop_id: String,
    #[serde(default)]
    active_measurement_value: Lenient,
    #[serde(default)]
    total_active_measurement_value: Lenient,
}

impl ShopStock {
    /// What can be sold, in the product's unit; fractions occur. As it came: the rules judge what is unreadable.
    pub fn active(&self) -> &Lenient {
        match &self.active_measurement_value {
            Lenient::Absent => &self.total_active_measurement_value,
            value => value,
        }
    }
}

/// How rows are read, and which fields are for show.
const FORM: Form = Form {
    id: &["id"],
    name: "name",
    for_show: &[
        ("photos", reads::<Option<Vec<Photo>>>),
        ("categories", reads::<Option<Vec<Category>>>),
        ("custom_fields", reads::<Option<Vec<CustomField>>>),
        ("product_attributes", reads::<Option<Vec<Attribute>>>),
        ("measurement_unit", reads::<Option<Unit>>),
        ("updated_at", reads::<Moment>),
        ("description", reads::<Text>),
        ("brand_id", reads::<Text>),
        ("brand_name", reads::<Text>),
        ("main_image_url", reads::<Text>),
        ("main_image_url_full", reads::<Text>),
        ("barcode", reads::<Text>),
    ],
};

/// Reads one row.
pub fn product(row: &RawValue) -> Result<Product, Box<BadRow>> {
    let (product, unread) = row::read::<Product>(row.get(), &FORM)?;
    Ok(Product { unread, ..product })
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
