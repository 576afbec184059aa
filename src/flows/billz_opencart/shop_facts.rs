//! What the shop tells about itself, on its way through the engine to the rules.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::{categories, details::Rooms};
use crate::{engine::model::Values, fault::Fault, systems::opencart::Shop};

/// What the rules must know of the shop.
pub fn facts(shop: &Shop, categories: &BTreeSet<i64>) -> Values {
    Values::from([
        ("currency".into(), shop.currency.clone().map_or(Value::Null, Value::String)),
        ("customer_groups".into(), json!(shop.customer_groups)),
        ("today".into(), Value::String(shop.today.to_string())),
        (categories::FIELD.into(), json!(categories)),
        ("rooms".into(), Rooms::facts(shop)),
    ])
}

/// What the shop told about itself, for the rules.
pub struct ShopFacts {
    /// Its currency.
    pub currency: Option<String>,
    /// Its customer groups.
    pub groups: Vec<i64>,
    /// The day there.
    pub today: NaiveDate,
    /// Its categories.
    pub categories: Option<BTreeSet<i64>>,
    /// What its columns of text can hold.
    pub rooms: Option<Rooms>,
}

impl ShopFacts {
    /// Reads facts back.
    pub fn of(values: &Values) -> Result<Self, Fault> {
        let missing = || Fault::internal("the shop's facts are incomplete");
        Ok(Self {
            currency: values.get("currency").and_then(Value::as_str).map(str::to_owned),
            groups: values.get("customer_groups").and_then(Value::as_array).ok_or_else(missing)?.iter().filter_map(Value::as_i64).collect(),
            categories: values.get(categories::FIELD).and_then(Value::as_array).map(|ids| ids.iter().filter_map(Value::as_i64).collect()),
            today: values.get("today").and_then(Value::as_str).and_then(|day| day.parse().ok()).ok_or_else(missing)?,
            rooms: values.get("rooms").and_then(Rooms::of),
        })
    }
}
