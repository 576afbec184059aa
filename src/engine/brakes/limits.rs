//! The limits: defaults, what a connection sets over them, and what its streams and first runs set over that.
//!
//! They stand in the setting `brakes` of every connection: `{"limits": {...}, "first_run": {...}, "streams": {"<key>": {...}}}`,
//! each part naming only what differs.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Rule;
use crate::{domain::number, fault::FieldError};

/// When a rule trips: more than `share` of the base, and `from` or more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// Whether the rule is in force.
    pub on: bool,
    /// Share of the base over which it trips. Too low: every busy day waits for a person; too high: a disaster passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Decimal>,
    /// Below this number it never trips: in a shop of twelve goods, five are no disaster.
    pub from: u64,
    /// For `prices_moved`: a price counts when it moves by more than this part of itself, so that a daily rate of exchange is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Decimal>,
    /// For `price_jump`: times up or down. 10 is one digit too many or too few.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<Decimal>,
}

/// A limit for every rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits(BTreeMap<Rule, Limit>);

impl Limits {
    /// The limit of a rule.
    pub fn of(&self, rule: Rule) -> Limit {
        self.0.get(&rule).cloned().unwrap_or_default()
    }

    /// The limits in force for a run of `stream`, by the connection's setting `brakes` (absent, or checked when it was set).
    pub fn in_force(brakes: &Value, stream: &str, first_run: bool) -> Self {
        let part = |pointer: &[&str]| pointer.iter().try_fold(brakes, |at, name| at.get(name)).unwrap_or(&Value::Null).clone();
        let mut all = defaults();
        lay_over(&mut all, &part(&["limits"]));
        lay_over(&mut all, &part(&["streams", stream]));
        if first_run {
            lay_over(&mut all, &first_defaults());
            lay_over(&mut all, &part(&["first_run"]));
        }
        let limit = |rule: Rule| all.get(rule.name()).and_then(|limit| serde_json::from_value(limit.clone()).ok()).unwrap_or_default();
        Self(Rule::ALL.into_iter().map(|rule| (rule, limit(rule))).collect())
    }
}

/// What is in force where nothing is set.
pub fn defaults() -> Value {
    json!({
        "source_shrunk": {"on": true, "share": "0.3", "from": 20},
        "products_zeroed": {"on": true, "share": "0.3", "from": 20},
        "currency_changed": {"on": true, "from": 1},
        "price_jump": {"on": true, "factor": "10", "from": 1},
        "prices_moved": {"on": true, "share": "0.4", "from": 20, "by": "0.05"},
        "new_products": {"on": true, "share": "0.5", "from": 100},
        "unreadable_pictures": {"on": true, "share": "0.5", "from": 20},
        "new_orders": {"on": true, "from": 200},
        "one_phone": {"on": true, "from": 10},
    })
}

/// What a first run has instead: it makes everything there is.
pub fn first_defaults() -> Value {
    json!({"new_products": {"on": false}})
}

/// The setting as it stands with all defaults, as people see it.
pub fn complete(brakes: &Value) -> Value {
    let mut limits = defaults();
    let mut first = first_defaults();
    lay_over(&mut limits, brakes.get("limits").unwrap_or(&Value::Null));
    lay_over(&mut first, brakes.get("first_run").unwrap_or(&Value::Null));
    json!({"limits": limits, "first_run": first, "streams": brakes.get("streams").cloned().unwrap_or_else(|| json!({}))})
}

fn lay_over(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (name, value) in over.iter().filter(|(_, value)| !value.is_null()) {
                lay_over(base.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (_, Value::Null) => {}
        (base, over) => *base = over.clone(),
    }
}

/// What is wrong with the setting `brakes`, by pointers from its own root.
pub fn check(brakes: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let Some(parts) = object(brakes, "", &mut errors) else { return errors };
    for (name, part) in parts {
        match name.as_str() {
            "limits" | "first_run" => check_limits(part, &format!("/{name}"), &mut errors),
            "streams" => {
                for (stream, limits) in object(part, "/streams", &mut errors).into_iter().flatten() {
                    check_limits(limits, &format!("/streams/{}", escape(stream)), &mut errors);
                }
            }
            other => errors.push(FieldError::new(format!("/{}", escape(other)), "unknown field; known: limits, first_run, streams")),
        }
    }
    errors
}

fn object<'a>(value: &'a Value, pointer: &str, errors: &mut Vec<FieldError>) -> Option<&'a Map<String, Value>> {
    match value {
        Value::Null => None,
        Value::Object(members) => Some(members),
        _ => {
            errors.push(FieldError::new(pointer, "must be an object"));
            None
        }
    }
}

fn check_limits(limits: &Value, pointer: &str, errors: &mut Vec<FieldError>) {
    let known = defaults();
    for (rule, limit) in object(limits, pointer, errors).into_iter().flatten() {
        let at = format!("{pointer}/{}", escape(rule));
        let Some(has) = known.get(rule).and_then(Value::as_object) else {
            let names = Rule::ALL.map(Rule::name).join(", ");
            errors.push(FieldError::new(at, format!("there is no such brake; there are: {names}")));
            continue;
        };
        for (name, value) in object(limit, &at, errors).into_iter().flatten() {
            let at = format!("{at}/{}", escape(name));
            if !has.contains_key(name) {
                let names = has.keys().cloned().collect::<Vec<_>>().join(", ");
                errors.push(FieldError::new(at, format!("unknown field; known: {names}")));
            } else if let Some(detail) = wrong(name, value) {
                errors.push(FieldError::new(at, detail));
            }
        }
    }
}

/// What is wrong with one member of a limit.
fn wrong(name: &str, value: &Value) -> Option<String> {
    let decimal = value.as_str().and_then(number::parse_decimal);
    let fine = match name {
        _ if value.is_null() => true,
        "on" => value.is_boolean(),
        "from" => value.as_u64().is_some(),
        "factor" => decimal.is_some_and(|factor| factor > Decimal::ONE),
        _ => decimal.is_some_and(|share| (Decimal::ZERO..=Decimal::ONE).contains(&share)),
    };
    let needed = match name {
        "on" => "must be true or false",
        "from" => "must be a whole number of 0 or more",
        "factor" => "must be a decimal above 1, as text, for example \"10\"",
        _ => "must be a decimal of 0 to 1, as text, for example \"0.3\"",
    };
    (!fine).then(|| needed.to_owned())
}

/// A JSON pointer's own escapes (RFC 6901).
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
