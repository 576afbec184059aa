//! What the portal holds: contacts, deals, employees.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value, json};

use super::fields::{Field, STATUS};

/// Which list an entity stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A person.
    Contact,
    /// A sale.
    Deal,
}

/// One of several phones or e-mails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Multi {
    /// Its id, by which an update changes or removes it.
    #[serde(default)]
    pub id: u64,
    /// The number or address, as a person typed it.
    pub value: String,
    /// `WORK`, `MOBILE` ...
    #[serde(default = "work")]
    pub value_type: String,
}

fn work() -> String {
    "WORK".to_owned()
}

/// A product row of a deal. Decimal texts; numbers on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// In the catalogue; 0 = not from there.
    pub product_id: i64,
    /// As the catalogue names it; may begin with a space.
    pub name: String,
    /// After the discount.
    pub price: String,
    /// Before the discount, tax included.
    pub price_brutto: String,
    /// Before the discount, without tax.
    pub price_netto: String,
    /// What was taken off.
    pub discount_sum: String,
    /// How many.
    pub quantity: String,
}

/// A contact or a deal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entity {
    /// Its id; 0 = not given yet.
    #[serde(default)]
    pub id: u64,
    /// DATE_CREATE, whole seconds.
    #[serde(default)]
    pub created: DateTime<Utc>,
    /// DATE_MODIFY, whole seconds.
    #[serde(default)]
    pub modified: DateTime<Utc>,
    /// MODIFY_BY_ID.
    #[serde(default)]
    pub modified_by: u64,
    /// All other fields by their codes, as they go on the wire; an absent one is empty.
    #[serde(default)]
    pub fields: BTreeMap<String, Value>,
    /// Phones, the first first.
    #[serde(default)]
    pub phones: Vec<Multi>,
    /// E-mails, the first first.
    #[serde(default)]
    pub emails: Vec<Multi>,
    /// Product rows of a deal.
    #[serde(default)]
    pub rows: Vec<Row>,
    /// The webhook's owner may not read it.
    #[serde(default)]
    pub hidden: bool,
}

impl Default for Entity {
    fn default() -> Self {
        Self::new()
    }
}

impl Entity {
    /// An empty one, without an id and without dates.
    pub const fn new() -> Self {
        Self {
            id: 0,
            created: DateTime::UNIX_EPOCH,
            modified: DateTime::UNIX_EPOCH,
            modified_by: 0,
            fields: BTreeMap::new(),
            phones: Vec::new(),
            emails: Vec::new(),
            rows: Vec::new(),
            hidden: false,
        }
    }

    /// A field as text; "" when it is empty.
    pub fn text(&self, field: &str) -> String {
        self.fields.get(field).map(text).unwrap_or_default()
    }

    /// Sets a field.
    pub fn set(&mut self, field: &str, value: impl Into<Value>) {
        self.fields.insert(field.to_owned(), value.into());
    }

    /// With a field set.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.set(field, value);
        self
    }

    /// With one more phone.
    #[must_use]
    pub fn with_phone(mut self, value: &str) -> Self {
        let id = self.id * 10 + self.phones.len() as u64 + 1;
        self.phones.push(Multi { id, value: value.to_owned(), value_type: work() });
        self
    }

    /// With one more e-mail.
    #[must_use]
    pub fn with_email(mut self, value: &str) -> Self {
        let id = self.id * 10 + self.emails.len() as u64 + 6;
        self.emails.push(Multi { id, value: value.to_owned(), value_type: work() });
        self
    }

    /// The text of the synchronisation status.
    pub fn status(&self) -> String {
        self.text(STATUS)
    }

    /// Phones or e-mails; `None` for any other field.
    pub fn multi(&self, field: &str) -> Option<&Vec<Multi>> {
        match field {
            "PHONE" => Some(&self.phones),
            "EMAIL" => Some(&self.emails),
            _ => None,
        }
    }
}

/// An employee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// Its id.
    pub id: u64,
    /// First name.
    pub name: String,
    /// Surname.
    pub last_name: String,
    /// E-mail.
    #[serde(default)]
    pub email: String,
    /// Whether it works there still.
    pub active: bool,
}

/// A value as the text that a filter compares.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null | Value::Bool(false) => String::new(),
        Value::Bool(true) => "1".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether the wire would call it empty (sheet 4.1: null, false, "" and [] all mean it).
pub fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// An empty field as the wire writes it: user fields have four ways, and one row has them all; plain ones have two.
fn empty(field: &Field, id: u64) -> Value {
    let place = id / 2 + field.code.bytes().map(u64::from).sum::<u64>();
    match (field.dynamic, field.multiple) {
        (true, true) => [json!(false), json!([])].into_iter().nth(usize::from(place % 2 == 1)),
        (true, false) => [Value::Null, json!(false), json!(""), json!([])].into_iter().nth(usize::try_from(place % 4).unwrap_or_default()),
        (false, _) => [Value::Null, json!("")].into_iter().nth(usize::from(place % 2 == 1)),
    }
    .unwrap_or_default()
}

/// A moment in the portal's zone.
pub fn moment(at: DateTime<Utc>, offset_minutes: i32) -> String {
    let zone = chrono::FixedOffset::east_opt(offset_minutes * 60);
    zone.map_or_else(|| at.to_rfc3339(), |zone| at.with_timezone(&zone).format("%Y-%m-%dT%H:%M:%S%:z").to_string())
}

/// What a stage means: in work, won or lost (sheet 4.4).
fn semantic(stage: &str) -> &'static str {
    match stage.split_once(':').map_or(stage, |(_, stage)| stage) {
        "WON" => "S",
        "LOSE" | "APOLOGY" => "F",
        _ => "P",
    }
}

/// A field's value as a list shows it; `None` = the key is absent.
pub fn shown(entity: &Entity, field: &Field, offset_minutes: i32) -> Option<Value> {
    let value = match field.code.as_str() {
        "ID" => json!(entity.id.to_string()),
        "DATE_CREATE" => json!(moment(entity.created, offset_minutes)),
        "DATE_MODIFY" => json!(moment(entity.modified, offset_minutes)),
        "MODIFY_BY_ID" => json!(entity.modified_by.to_string()),
        "STAGE_SEMANTIC_ID" => json!(semantic(&entity.text("STAGE_ID"))),
        "HAS_PHONE" => json!(if entity.phones.is_empty() { "N" } else { "Y" }),
        "HAS_EMAIL" => json!(if entity.emails.is_empty() { "N" } else { "Y" }),
        code => match entity.multi(code) {
            // An old portal leaves the key out (sheet 4.2).
            Some(list) if list.is_empty() => return None,
            Some(list) => list
                .iter()
                .map(|one| json!({"ID": one.id.to_string(), "VALUE_TYPE": one.value_type, "VALUE": one.value, "TYPE_ID": code}))
                .collect(),
            None => entity.fields.get(code).filter(|value| !is_empty(value)).cloned().unwrap_or_else(|| empty(field, entity.id)),
        },
    };
    Some(value)
}

fn number(text: &str) -> Value {
    text.parse::<Number>().map_or_else(|_| json!(text), Value::Number)
}

/// A product row on the wire: types mixed, as the sheet shows it.
pub fn product_row(deal: u64, index: usize, row: &Row) -> Value {
    let mut all = Map::new();
    let discounted = !matches!(row.discount_sum.trim_end_matches(['0', '.']), "");
    for (name, value) in [
        ("ID", json!((deal * 10 + index as u64).to_string())),
        ("OWNER_ID", json!(deal.to_string())),
        ("OWNER_TYPE", json!("D")),
        ("PRODUCT_ID", json!(row.product_id)),
        ("PRODUCT_NAME", json!(row.name)),
        ("ORIGINAL_PRODUCT_NAME", json!(row.name)),
        ("PRODUCT_DESCRIPTION", Value::Null),
        ("PRICE", number(&row.price)),
        ("PRICE_EXCLUSIVE", number(&row.price)),
        ("PRICE_NETTO", number(&row.price_netto)),
        ("PRICE_BRUTTO", number(&row.price_brutto)),
        ("PRICE_ACCOUNT", json!(row.price)),
        ("QUANTITY", number(&row.quantity)),
        ("DISCOUNT_TYPE_ID", json!(if discounted { 1 } else { 2 })),
        ("DISCOUNT_SUM", number(&row.discount_sum)),
        ("TAX_RATE", json!(0)),
        ("TAX_INCLUDED", json!("N")),
        ("CUSTOMIZED", json!("Y")),
        ("MEASURE_CODE", json!(1)),
        ("MEASURE_NAME", json!("мес")),
        ("SORT", json!(10 * (index + 1))),
    ] {
        all.insert(name.to_owned(), value);
    }
    Value::Object(all)
}
