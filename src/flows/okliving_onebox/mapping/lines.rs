//! The lines of an order.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Value;

use super::{Field, Mapping, Problem, Told, missing, tell};
use crate::{domain::number, engine::model::Reason};

/// One line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The shop's id of the product; may be empty.
    pub id: String,
    /// Its article; may be empty.
    pub sku: String,
    /// Its name.
    pub name: String,
    /// How many.
    pub quantity: Decimal,
    /// What one costs after discounts: the line's total through its quantity, where a total is told.
    pub price: Decimal,
}

/// Places of the lines themselves, and of their own fields.
fn of_line<'a>(mapping: &'a Mapping, name: &str) -> Option<&'a Field> {
    mapping.get(&format!("lines.{name}"))
}

/// The lines, and what is wrong with them.
pub fn read(order: &Value, mapping: &Mapping, zone: Tz) -> (Vec<Line>, Vec<Problem>) {
    let rows = mapping.get("lines").into_iter().flat_map(|field| &field.from).find_map(|place| rows(order.pointer(place)?));
    let Some(rows) = rows.filter(|rows| !rows.is_empty()) else {
        let asked = mapping.get("lines").is_some_and(|field| field.required);
        return (Vec::new(), if asked { vec![missing("lines")] } else { Vec::new() });
    };
    let mut problems = Vec::new();
    let lines = rows.into_iter().enumerate().map(|(place, row)| line(place, &row, mapping, zone, &mut problems)).collect();
    (lines, problems)
}

/// A list, or an object keyed by id.
fn rows(found: &Value) -> Option<Vec<Value>> {
    match found {
        Value::Array(rows) => Some(rows.clone()),
        Value::Object(members) if members.values().all(Value::is_object) => Some(
            members
                .iter()
                .map(|(key, row)| {
                    let mut row = row.clone();
                    if let Value::Object(fields) = &mut row {
                        fields.entry("id").or_insert_with(|| Value::String(key.clone()));
                    }
                    row
                })
                .collect(),
        ),
        _ => None,
    }
}

fn line(place: usize, row: &Value, mapping: &Mapping, zone: Tz, problems: &mut Vec<Problem>) -> Line {
    let nothing = BTreeMap::new();
    let mut told = |name: &str| -> Told {
        let Some(field) = of_line(mapping, name) else { return Told::default() };
        let told = tell(field, row, &nothing, zone);
        let target = format!("lines.{place}.{name}");
        problems.extend(told.flags.iter().map(|flag| Problem { target: target.clone(), reason: flag.clone() }));
        if field.required && told.value.is_empty() {
            problems.push(missing(&target));
        }
        told
    };
    let number = |told: &Told| number::parse_decimal(&told.value).filter(|_| told.fine);
    let (id, sku, name) = (told("id").value, told("sku").value, told("name").value);
    let (quantity, price, total) = (number(&told("quantity")), number(&told("price")), number(&told("total")));
    let quantity = quantity.filter(|quantity| *quantity > Decimal::ZERO);
    let one = quantity.unwrap_or(Decimal::ONE);
    let of_total = total.and_then(|total| total.checked_div(one)).map(|price| price.round_dp(2));
    // Where the total does not divide, the price of the shop is nearer to the truth than a rounded one.
    let exact = of_total.filter(|price| Some(price.saturating_mul(one)) == total);
    let price = exact.or(price).or(of_total);
    if price.is_none() {
        problems.push(Problem {
            target: format!("lines.{place}.price"),
            reason: Reason::new("order_field_missing").with("field", format!("lines.{place}.price")),
        });
    }
    Line { name: if name.is_empty() { sku.clone() } else { name }, id, sku, quantity: one, price: price.unwrap_or_default().normalize() }
}
