//! What the simulated shop sells, and how its dates move (sheet 4.1, 4.3).

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    super::goods::{self, Oddity, SIZES},
    Switches,
};

/// What is really sold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Variant {
    /// Its id, above 2^31; 0 = one is given.
    pub id: u64,
    /// Its name beside the product's.
    pub title: Option<String>,
    /// Article number.
    pub sku: Option<String>,
    /// Barcode.
    pub barcode: Option<String>,
    /// Stock by warehouse; null = not tracked.
    pub quantities: Vec<Option<i64>>,
}

impl Variant {
    /// Stock of the first warehouse.
    pub fn first(&self) -> Option<i64> {
        self.quantities.first().copied().flatten()
    }
}

/// A product.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Product {
    /// Its name.
    pub title: String,
    /// Hidden ones are listed.
    pub is_hidden: bool,
    /// Archived ones are not.
    pub archived: bool,
    /// Made of other products.
    pub bundle: bool,
    /// When it was changed last, in milliseconds since 1970.
    pub updated_ms: i64,
    /// Its variants.
    pub variants: Vec<Variant>,
}

/// Everything.
#[derive(Debug, Default)]
pub struct Catalogue {
    /// By id.
    pub products: BTreeMap<u64, Product>,
    /// Where each variant is.
    place: BTreeMap<u64, u64>,
    /// Values written so far.
    pub written: u64,
}

/// A moment as the API prints it, with milliseconds and an offset.
pub fn printed(milliseconds: i64) -> String {
    let moscow = FixedOffset::east_opt(3 * 3_600);
    let moment = DateTime::from_timestamp_millis(milliseconds).unwrap_or_default();
    moscow.map_or_else(|| moment.to_rfc3339(), |offset| moment.with_timezone(&offset).format("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string())
}

impl Catalogue {
    /// The shop's side of [`goods`]: all were changed in one import, three years ago.
    pub fn of_goods(count: usize) -> Self {
        let mut catalogue = Self::default();
        for number in 1..=count as u64 {
            let oddity = goods::oddity(number);
            if oddity == Oddity::OnlyInKaktus {
                continue;
            }
            let variant = |(size, label): (usize, &&str)| Variant {
                id: 2_680_000_000 + number * 10 + size as u64,
                title: Some((*label).to_owned()),
                sku: Some(format!("TS-{number}")),
                barcode: match oddity {
                    Oddity::WithoutBarcode => None,
                    Oddity::DoubledInInsales => Some(goods::barcode(number, 0)),
                    _ => Some(goods::barcode(number, size)),
                },
                // The shop's own old numbers, never those of the warehouse, and never 0.
                quantities: vec![if oddity == Oddity::Unlimited { None } else { Some(goods::pieces(number, size) + 30) }],
            };
            let product = Product {
                title: goods::name(number),
                is_hidden: number.is_multiple_of(9),
                bundle: oddity == Oddity::Bundle,
                updated_ms: 1_700_000_000_123 + i64::try_from(number / 3).unwrap_or_default(),
                variants: SIZES.iter().enumerate().map(variant).collect(),
                ..Product::default()
            };
            catalogue.place.extend(product.variants.iter().map(|variant| (variant.id, 408_000_000 + number)));
            catalogue.products.insert(408_000_000 + number, product);
        }
        catalogue
    }

    fn now() -> i64 {
        Utc::now().timestamp_millis()
    }

    /// Adds a product; its id.
    pub fn add(&mut self, mut product: Product) -> u64 {
        let id = self.products.last_key_value().map_or(408_000_001, |(id, _)| id + 1);
        let mut next = self.place.last_key_value().map_or(2_680_000_001, |(id, _)| id + 1);
        for variant in &mut product.variants {
            if variant.id == 0 {
                variant.id = next;
            }
            next = next.max(variant.id) + 1;
            if variant.quantities.is_empty() {
                variant.quantities.push(Some(0));
            }
            self.place.insert(variant.id, id);
        }
        product.updated_ms = Self::now();
        self.products.insert(id, product);
        id
    }

    fn product_of(&mut self, variant: u64) -> Option<&mut Product> {
        let product = self.place.get(&variant)?;
        self.products.get_mut(product)
    }

    /// Changes a variant; whether it was there.
    pub fn edit(&mut self, id: u64, moves: bool, change: impl FnOnce(&mut Variant)) -> bool {
        let Some(product) = self.product_of(id) else { return false };
        let Some(variant) = product.variants.iter_mut().find(|variant| variant.id == id) else { return false };
        change(variant);
        if moves {
            product.updated_ms = Self::now();
        }
        true
    }

    /// Writes fields of stock; an unknown id is forgotten without a word. Whether it was known.
    pub fn write(&mut self, id: u64, fields: &Map<String, Value>, moves: bool) -> bool {
        let known = self.edit(id, moves, |variant| {
            for (name, value) in fields {
                let index = match name.as_str() {
                    "quantity" => Some(0),
                    other => other.strip_prefix("quantity_at_warehouse").and_then(|index| index.parse::<usize>().ok()),
                };
                let Some(index) = index.filter(|index| *index < 12) else { continue };
                if variant.quantities.len() <= index {
                    variant.quantities.resize(index + 1, Some(0));
                }
                if let Some(place) = variant.quantities.get_mut(index) {
                    *place = value.as_i64();
                }
            }
        });
        self.written += u64::from(known);
        known
    }

    /// A product goes into the archive.
    pub fn archive(&mut self, id: u64) -> bool {
        self.products.get_mut(&id).map(|product| product.archived = true).is_some()
    }

    /// The listed ones after (moment, id), in that order.
    pub fn after(&self, moment: i64, id: u64) -> Vec<(u64, &Product)> {
        let mut rows: Vec<(u64, &Product)> = self
            .products
            .iter()
            .map(|(id, product)| (*id, product))
            .filter(|(own, product)| !product.archived && (product.updated_ms > moment || (product.updated_ms == moment && *own > id)))
            .collect();
        rows.sort_by_key(|(id, product)| (product.updated_ms, *id));
        rows
    }
}

/// A product as the API shows it (sheet 4.3), shortened by keys that say nothing here.
pub fn row(id: u64, product: &Product, switches: &Switches) -> Value {
    let variants: Vec<Value> = product.variants.iter().map(|variant| of_variant(id, product, variant, switches)).collect();
    let components = if product.bundle { json!([{"id": 1}]) } else { json!([]) };
    json!({
        "id": id, "category_id": 32_000_001, "updated_at": printed(product.updated_ms), "is_hidden": product.is_hidden,
        "available": true, "archived": product.archived, "title": product.title, "images": [], "unit": "pce", "vat": -1,
        "variants": variants, "product_bundle_components": components,
    })
}

/// A variant as the API shows it.
pub fn of_variant(product_id: u64, product: &Product, variant: &Variant, switches: &Switches) -> Value {
    let mut row = json!({
        "id": variant.id, "title": variant.title, "product_id": product_id, "sku": variant.sku, "barcode": variant.barcode,
        "updated_at": printed(product.updated_ms), "quantity": variant.first(), "price": "200.1", "prices": [null], "option_values": [],
    });
    if let Value::Object(row) = &mut row {
        for index in 0..usize::from(switches.warehouses) {
            let stands = variant.quantities.get(index).copied().unwrap_or(Some(0));
            let value = match stands {
                None => json!(0),
                Some(number) if switches.numeric_warehouses => json!(number),
                Some(number) => json!(format!("{number}.0")),
            };
            row.insert(format!("quantity_at_warehouse{index}"), value);
        }
    }
    row
}
