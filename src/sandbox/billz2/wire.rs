//! Product rows as they leave the server: serde structs written straight to bytes (sheet 4.2 and 4.3).
//!
//! A quirk hangs on the row's number, never on the request: one row looks the same on every page and in every run.

use std::borrow::Cow;

use chrono::DateTime;
use serde::Serialize;
use uuid::Uuid;

use super::{
    catalogue::{Brand, Catalogue, Kind, NO_CATEGORY, Product},
    chance,
    fixed::{Fixed, OnWire},
    offers::{self, Price, Stock, Supplier, SupplierStock},
    words::UNITS,
};

/// `{count, products}`, no envelope; `products` may be null.
#[derive(Serialize)]
pub struct Page<'a> {
    /// Total for the filter.
    pub count: usize,
    /// This page's rows.
    pub products: Option<Vec<Row<'a>>>,
}

/// One row of `GET /v2/products`.
#[derive(Serialize)]
pub struct Row<'a> {
    id: Uuid,
    parent_id: Text,
    is_variative: bool,
    name: &'a str,
    sku: &'a str,
    barcode: &'a str,
    brand_id: Text,
    brand_name: &'a str,
    description: Option<Cow<'a, str>>,
    main_image_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    main_image_url_full: Option<Option<String>>,
    photos: Option<Vec<Photo>>,
    categories: Option<Vec<CategoryRef<'a>>>,
    custom_fields: Option<Vec<CustomField<'a>>>,
    product_attributes: Option<Vec<Attribute<'a>>>,
    measurement_unit: Unit,
    product_type_id: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    supply_price: Option<OnWire>,
    shop_measurement_values: Option<Vec<Stock<'a>>>,
    shop_prices: Option<Vec<Price<'a>>>,
    suppliers: Vec<Supplier>,
    product_supplier_stock: Vec<SupplierStock>,
    updated_at: String,
    // Keys that the documentation does not know; only some rows carry them.
    #[serde(skip_serializing_if = "Option::is_none")]
    company_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    archived_at: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x_new_feature: Option<NewFeature>,
}

#[derive(Serialize)]
struct NewFeature {
    enabled: bool,
    tags: Option<[&'static str; 2]>,
}

/// An id, or `""` where the remote has none.
enum Text {
    Id(Uuid),
    Empty,
}

impl Serialize for Text {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Id(id) => id.serialize(serializer),
            Self::Empty => serializer.serialize_str(""),
        }
    }
}

impl From<Uuid> for Text {
    fn from(id: Uuid) -> Self {
        if id.is_nil() { Self::Empty } else { Self::Id(id) }
    }
}

#[derive(Serialize)]
struct Photo {
    photo_url: String,
    sequence: u32,
    is_main: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    photo_url_full: Option<String>,
}

#[derive(Serialize)]
struct CategoryRef<'a> {
    id: Uuid,
    name: &'a str,
    parent_id: Text,
}

#[derive(Serialize)]
struct CustomField<'a> {
    custom_field_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_field_name: Option<&'a str>,
    custom_field_system_name: &'a str,
    custom_field_value: &'a str,
    from_parent: bool,
}

#[derive(Serialize)]
struct Attribute<'a> {
    attribute_id: Uuid,
    attribute_name: &'static str,
    attribute_value: &'a str,
    attribute_value_id: Uuid,
}

#[derive(Serialize)]
struct Unit {
    id: Uuid,
    name: &'static str,
    short_name: &'static str,
}

/// `YYYY-MM-DD HH:MM:SS` in UTC.
pub fn time(seconds: i64) -> String {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default().format("%Y-%m-%d %H:%M:%S").to_string()
}

/// An empty list is now null, now `[]`.
pub(super) fn null_or_empty<T>(list: Vec<T>, null: bool) -> Option<Vec<T>> {
    if list.is_empty() && null { None } else { Some(list) }
}

/// The row of one product. `photos_at` is what addresses of photos begin with.
pub fn row<'a>(catalogue: &'a Catalogue, product: &'a Product, photos_at: &str) -> Row<'a> {
    let brand: Option<&Brand> = catalogue.brands.get(usize::from(product.brand));
    let photos = photos(catalogue, product, photos_at);
    let main = photos.as_ref().and_then(|list| list.first()).map(|photo| photo.photo_url.clone()).unwrap_or_default();
    let extra = product.has_quirk(21, 6);
    Row {
        id: product.id,
        parent_id: product.parent.into(),
        is_variative: product.kind == Kind::Parent,
        name: &product.name,
        sku: &product.sku,
        barcode: &product.barcode,
        brand_id: brand.map_or(Text::Empty, |brand| Text::Id(brand.id)),
        brand_name: brand.map_or("", |brand| brand.name.as_str()),
        description: catalogue.descriptions.get(&product.id).map(|text| Cow::Borrowed(&**text)).or_else(|| description(product)),
        main_image_url_full: match product.quirk(22) % 5 {
            0 => None,
            1 => Some(None),
            _ => Some(Some(main.clone())),
        },
        main_image_url: main,
        photos,
        categories: category_refs(catalogue, product),
        custom_fields: custom_fields(catalogue, product),
        product_attributes: attributes(catalogue.seed, product),
        measurement_unit: unit(catalogue.seed, product.unit),
        product_type_id: product.kind.type_id(),
        supply_price: match product.quirk(23) % 8 {
            0 => None,
            1 => Some(OnWire::Text(Fixed::ZERO)),
            _ => Some(OnWire::Number(Fixed::ZERO)),
        },
        shop_measurement_values: offers::stock(catalogue, product),
        shop_prices: offers::prices(catalogue, product),
        suppliers: if product.has_quirk(24, 3) { Vec::new() } else { vec![offers::supplier(catalogue.seed)] },
        product_supplier_stock: offers::supplier_stock(catalogue, product),
        updated_at: time(product.updated_at),
        company_id: extra.then_some(catalogue.company),
        base_name: extra.then(|| product.name.split(" / ").next().unwrap_or("")),
        archived_at: extra.then_some("1970-01-01T00:00:00Z"),
        x_new_feature: product
            .has_quirk(25, 11)
            .then(|| NewFeature { enabled: true, tags: product.has_quirk(26, 2).then_some(["yangi", "хит"]) }),
    }
}

/// Rich-text HTML; emptiness has four forms (sheet 4.2).
fn description(product: &Product) -> Option<Cow<'static, str>> {
    match product.quirk(1) % 8 {
        0 => None,
        1 => Some(Cow::Borrowed("")),
        2 => Some(Cow::Borrowed("<p class=\"editor-paragraph\"><br></p>")),
        3 => Some(Cow::Borrowed("<p class=\"editor-paragraph\"><span></span></p>")),
        4 => Some(Cow::Borrowed(
            "<p class=\"editor-paragraph\"><span>100% хлопок, стирать при 30&nbsp;°C</span></p>\n<ul><li>Ishlab chiqarilgan: O'zbekiston</li></ul>",
        )),
        _ => Some(Cow::Owned(format!(
            "<p class=\"editor-paragraph\"><strong>{}</strong></p><p class=\"editor-paragraph\">Гарантия {} мес.</p>",
            product.name.replace('&', "&amp;").replace('<', "&lt;"),
            product.quirk(2) % 24 + 1
        ))),
    }
}

fn photos(catalogue: &Catalogue, product: &Product, at: &str) -> Option<Vec<Photo>> {
    if let Some(set) = catalogue.photos.get(&product.id) {
        let whole = |name: &String| if name.contains("://") { name.clone() } else { format!("{at}/{name}") };
        let photo = |(name, sequence)| Photo { photo_url: whole(name), sequence, is_main: sequence == 0, photo_url_full: None };
        return Some(set.iter().zip(0..).map(photo).collect());
    }
    let count = match product.quirk(3) % 6 {
        0 => return None,
        1 => 0,
        other => other - 1,
    };
    let url = |n: u64| format!("{at}/{}/{n}.jpg", product.id.as_simple());
    let photo = |n: u64| Photo {
        photo_url: url(n),
        sequence: u32::try_from(n).unwrap_or(0),
        is_main: n == 0,
        photo_url_full: product.has_quirk(4, 3).then(|| url(n)),
    };
    Some((0..count).map(photo).collect())
}

fn category_refs<'a>(catalogue: &'a Catalogue, product: &Product) -> Option<Vec<CategoryRef<'a>>> {
    let id_of = |at: u16| catalogue.categories.get(usize::from(at)).map(|category| category.id);
    let refs = product.categories.iter().filter(|at| **at != NO_CATEGORY).filter_map(|at| catalogue.categories.get(usize::from(*at)));
    let refs = refs.map(|category| CategoryRef {
        id: category.id,
        name: &category.name,
        parent_id: category.parent.and_then(id_of).map_or(Text::Empty, Text::Id),
    });
    null_or_empty(refs.collect(), product.has_quirk(5, 2))
}

fn custom_fields<'a>(catalogue: &'a Catalogue, product: &Product) -> Option<Vec<CustomField<'a>>> {
    let seed = catalogue.seed;
    if let Some(given) = catalogue.custom_fields.get(&product.id) {
        let field = |(n, (name, value)): (usize, &'a (String, String))| CustomField {
            custom_field_id: chance::id(seed, chance::Kind::Field, n as u64 + 1),
            custom_field_name: Some(name),
            custom_field_system_name: name,
            custom_field_value: value,
            from_parent: false,
        };
        return Some(given.iter().enumerate().map(field).collect());
    }
    if product.has_quirk(6, 2) {
        return None;
    }
    let season = CustomField {
        custom_field_id: chance::id(seed, chance::Kind::Field, 0),
        custom_field_name: (!product.has_quirk(7, 4)).then_some("Сезон"),
        custom_field_system_name: "СЕЗОН",
        custom_field_value: if product.has_quirk(8, 2) { "SS25" } else { "AW25" },
        from_parent: !product.parent.is_nil(),
    };
    Some(if product.has_quirk(9, 3) { Vec::new() } else { vec![season] })
}

/// Size and colour of a variant, read off its name as the real names allow.
fn attributes<'a>(seed: u64, product: &'a Product) -> Option<Vec<Attribute<'a>>> {
    let attribute = |(n, value): (usize, &'a str)| Attribute {
        attribute_id: chance::id(seed, chance::Kind::Attribute, n as u64),
        attribute_name: if n == 0 { "razmer" } else { "Цвет" },
        attribute_value: value,
        attribute_value_id: chance::id(
            seed,
            chance::Kind::Attribute,
            value.bytes().fold(100, |sum, byte| sum * 31 % 1_000_003 + u64::from(byte)),
        ),
    };
    null_or_empty(product.name.split(" / ").skip(1).enumerate().map(attribute).collect(), product.has_quirk(10, 2))
}

fn unit(seed: u64, at: u8) -> Unit {
    let (name, short_name) = UNITS.get(usize::from(at)).copied().unwrap_or(("", ""));
    Unit { id: chance::id(seed, chance::Kind::Unit, u64::from(at)), name, short_name }
}
