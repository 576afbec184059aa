//! A variant of the shop as the engine hands it around: the catalogue's row into values, and back.

use chrono::{DateTime, Utc};
use rust_decimal::prelude::ToPrimitive;
use serde_json::Value;

use super::{
    catalogue::{Catalogue, Row},
    settings::QUANTITY,
};
use crate::{
    domain::number,
    engine::{flow::Observation, model::Values},
    systems::insales::Quantity,
};

/// A variant as it stands, read back from an observation's values.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// Its barcode.
    pub barcode: String,
    /// Names of other variants with the same barcode.
    pub others: Vec<String>,
    /// Whether its product is made of others.
    pub bundle: bool,
    /// What stands in the field: a number, null for "not tracked"; absent when it cannot be read.
    pub quantity: Option<Value>,
    /// What stands there instead.
    pub unreadable: String,
    /// When it was looked at.
    pub seen_at: DateTime<Utc>,
}

impl Standing {
    /// Reads values back.
    pub fn of(observed: &Observation) -> Self {
        let text = |name: &str| observed.values.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let others = observed.values.get("others").and_then(Value::as_array).into_iter().flatten();
        Self {
            name: text("name"),
            barcode: text("barcode"),
            others: others.filter_map(|name| name.as_str().map(str::to_owned)).collect(),
            bundle: observed.values.get("bundle").and_then(Value::as_bool).unwrap_or_default(),
            quantity: observed.values.get(QUANTITY).cloned(),
            unreadable: text("unreadable"),
            seen_at: DateTime::parse_from_rfc3339(&text("seen_at")).map(|at| at.to_utc()).unwrap_or_default(),
        }
    }
}

/// How people find a variant in the shop.
pub fn shown(row: &Row) -> String {
    format!("{} ({}/{})", row.name, row.product, row.variant)
}

/// A quantity as reports show it: whole pieces are a number, others a decimal text, null is "not tracked". `None` = cannot be read.
pub fn value(quantity: &Quantity) -> Option<Value> {
    match quantity {
        Quantity::Unlimited => Some(Value::Null),
        Quantity::Pieces(pieces) if pieces.fract().is_zero() => {
            Some(pieces.to_i64().map_or_else(|| Value::from(number::plain(*pieces)), Value::from))
        }
        Quantity::Pieces(pieces) => Some(Value::from(number::plain(*pieces))),
        Quantity::Unreadable(_) => None,
    }
}

/// What stands in the shop for one variant.
pub fn observation(catalogue: &Catalogue, variant: u64) -> Option<Observation> {
    let (row, seen_at) = catalogue.row(variant)?;
    let others = catalogue.with_barcode(&row.barcode).filter(|other| other.variant != variant && !row.barcode.is_empty());
    let mut values = Values::from([
        ("name".to_owned(), Value::from(shown(row))),
        ("barcode".to_owned(), Value::from(&*row.barcode)),
        ("others".to_owned(), Value::from(others.map(shown).collect::<Vec<_>>())),
        ("bundle".to_owned(), Value::from(row.bundle)),
        ("seen_at".to_owned(), Value::from(seen_at.to_rfc3339())),
    ]);
    match (value(&row.quantity), &row.quantity) {
        (Some(stands), _) => drop(values.insert(QUANTITY.to_owned(), stands)),
        (None, Quantity::Unreadable(text)) => drop(values.insert("unreadable".to_owned(), Value::from(text.as_str()))),
        (None, _) => {}
    }
    Some(Observation { witness: None, owned: true, values })
}
