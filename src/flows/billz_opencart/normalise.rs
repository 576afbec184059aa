//! A Billz 2 row into the common record. Pure; every tolerance of facts/billz-2.md that is about meaning stands here.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::record::{Category, Good, Kind, Promo, Shop};
use crate::{
    domain::number::{self, Lenient},
    engine::model::{NAMELESS, Record},
    remote::BadRow,
    systems::billz2::{Product, wire::CustomField},
};

/// Longest id that can be kept; Billz's own have 36 characters.
const LONGEST_KEY: usize = 191;
/// `product_type_id` of services (facts/billz-2.md section 4.2).
const SERVICE: &str = "5a0e556a-15f8-47ac-ae07-46972f3c6ab4";
/// `product_type_id` of bundles.
const BUNDLE: &str = "864c77c7-5407-45dc-8289-3162b71dc653";

/// One row of `GET /v2/products` as a record of the engine.
pub fn record(row: Result<Product, Box<BadRow>>) -> Record {
    match row {
        Ok(product) => {
            let (key, changed) = (product.id.clone(), product.updated_at);
            record_of(key, good(product), changed)
        }
        Err(bad) => bad_record(*bad),
    }
}

/// The record of a good; one whose id cannot be kept is unreadable.
pub(super) fn record_of(key: String, good: Good, source_changed_at: Option<DateTime<Utc>>) -> Record {
    let name = good.name.clone();
    if key.chars().count() > LONGEST_KEY {
        let short = format!("{NAMELESS}{}", key.chars().take(LONGEST_KEY / 2).collect::<String>());
        let good = Good { kind: Kind::Unreadable, name: name.clone(), unreadable: Some(("id".to_owned(), key)), ..Good::default() };
        return Record { key: short, name, payload: good.to_payload(), source_changed_at: None };
    }
    Record { key, name, payload: good.to_payload(), source_changed_at }
}

/// The record of a row that cannot be read.
pub(super) fn bad_record(bad: BadRow) -> Record {
    let key = bad.id.unwrap_or_else(|| format!("{NAMELESS}{}", bad.raw_hash));
    let name = bad.name.unwrap_or_default();
    let good = Good { kind: Kind::Unreadable, name: name.clone(), unreadable: Some((bad.field, bad.value)), ..Good::default() };
    Record { key, name, payload: good.to_payload(), source_changed_at: None }
}

fn good(product: Product) -> Good {
    let kind = match product.product_type_id.as_str() {
        _ if product.is_variative && product.parent_id.is_none() => Kind::Parent,
        SERVICE => Kind::Service,
        BUNDLE => Kind::Bundle,
        _ => Kind::Goods,
    };
    let images = images(&product);
    let properties = properties(&product);
    let shops = shops(&product);
    let unit = product.measurement_unit;
    let unit = if unit.short_name.trim().is_empty() { unit.name } else { unit.short_name };
    Good {
        kind,
        name: product.name.trim().to_owned(),
        sku: product.sku,
        barcode: product.barcode,
        description: product.description,
        brand: product.brand_name,
        categories: product
            .categories
            .into_iter()
            .map(|category| Category { id: category.id, name: category.name, parent: category.parent_id })
            .collect(),
        images,
        properties,
        unit: unit.trim().to_owned(),
        parent: product.parent_id,
        shops,
        company: None,
        unreadable: None,
    }
}

/// The main picture first, then the others by `sequence`; each address once.
fn images(product: &Product) -> Vec<String> {
    let main = if product.main_image_url_full.is_empty() { &product.main_image_url } else { &product.main_image_url_full };
    let mut photos: Vec<_> = product.photos.iter().collect();
    photos.sort_by_key(|photo| {
        let place = match &photo.sequence {
            Lenient::Number(place) => *place,
            Lenient::Absent | Lenient::Unreadable(_) => rust_decimal::Decimal::MAX,
        };
        (!photo.is_main, place)
    });
    let urls = photos.iter().map(|photo| if photo.photo_url_full.is_empty() { &photo.photo_url } else { &photo.photo_url_full });
    let mut images: Vec<String> = Vec::new();
    for url in std::iter::once(main).chain(urls) {
        if !url.is_empty() && !images.contains(url) {
            images.push(url.clone());
        }
    }
    images
}

fn properties(product: &Product) -> Vec<(String, String)> {
    let attributes =
        product.product_attributes.iter().map(|attribute| (attribute.attribute_name.clone(), attribute.attribute_value.clone()));
    // The name of a custom field may lack; its system name never was seen to.
    let name = |field: &CustomField| {
        if field.custom_field_name.trim().is_empty() { field.custom_field_system_name.clone() } else { field.custom_field_name.clone() }
    };
    let fields = product.custom_fields.iter().map(|field| (name(field), field.custom_field_value.clone()));
    attributes.chain(fields).filter(|(name, value)| !name.trim().is_empty() && !value.trim().is_empty()).collect()
}

/// A number as text: readable ones in one form, so that `5`, `5.0` and `"5"` are the same state.
pub(super) fn digits(number: &Lenient) -> Option<String> {
    match number {
        Lenient::Absent => None,
        Lenient::Number(value) => Some(number::plain(*value)),
        Lenient::Unreadable(text) => Some(text.clone()),
    }
}

fn shops(product: &Product) -> BTreeMap<String, Shop> {
    let mut shops: BTreeMap<String, Shop> = BTreeMap::new();
    for stock in &product.shop_measurement_values {
        let shop = shops.entry(stock.shop_id.clone()).or_default();
        shop.stock = digits(stock.active());
    }
    for price in &product.shop_prices {
        let shop = shops.entry(price.shop_id.clone()).or_default();
        shop.name.clone_from(&price.shop_name);
        shop.price = digits(&price.retail_price);
        shop.currency.clone_from(&price.retail_currency);
        // A stale promo_price stands on rows without promotions: only `promos` tells whether one is on.
        shop.promo =
            price.promos.first().and_then(|promo| digits(&price.promo_price).map(|price| Promo { price, name: promo.name.clone() }));
    }
    shops
}
