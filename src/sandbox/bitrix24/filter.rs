//! Filters of lists (sheet 4.2): operators before the field's name, unknown fields dropped without a word.

use std::cmp::Ordering;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, TimeZone, Utc};
use rust_decimal::Decimal;
use serde_json::Value;

use super::{
    entity::{Entity, is_empty, shown, text},
    fields::Field,
    params::members,
};

/// Longer ones first, since `>` begins `>=`.
const OPERATORS: [(&str, Operator); 11] = [
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    ("!=", Operator::Not),
    ("!@", Operator::Not),
    ("%=", Operator::Pattern),
    ("=%", Operator::Pattern),
    (">", Operator::Above),
    ("<", Operator::Below),
    ("@", Operator::Is),
    ("=", Operator::Is),
    ("!", Operator::Not),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    AtLeast,
    AtMost,
    Above,
    Below,
    /// Equal to one of the values.
    Is,
    Not,
    Contains,
    /// `%` in the value stands for anything.
    Pattern,
}

/// What a value is compared as.
#[derive(Clone, Debug, PartialEq)]
enum Right {
    /// A moment; `None` = the text was no date, which PHP makes `false`.
    Moment(Option<DateTime<Utc>>),
    Texts(Vec<String>),
}

/// One condition; all of a filter must hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    operator: Operator,
    field: Field,
    right: Right,
}

/// The conditions of a filter. A key that names an unknown field is dropped.
pub fn conditions(filter: &Value, fields: &[Field], offset_minutes: i32) -> Vec<Condition> {
    let Value::Object(filter) = filter else { return Vec::new() };
    filter
        .iter()
        .filter_map(|(key, value)| {
            let (operator, name) = split(key);
            let field = fields.iter().find(|field| field.code == name)?.clone();
            let right = if field.kind.starts_with("date") && !is_empty(value) {
                Right::Moment(date(&text(value), offset_minutes))
            } else {
                Right::Texts(members(value).into_iter().map(text).collect())
            };
            Some(Condition { operator, field, right })
        })
        .collect()
}

fn split(key: &str) -> (Operator, &str) {
    let found = OPERATORS.iter().find_map(|(sign, operator)| key.strip_prefix(sign).map(|name| (*operator, name)));
    found.or_else(|| key.strip_prefix('%').map(|name| (Operator::Contains, name))).unwrap_or((Operator::Is, key))
}

/// A date with its offset; without one it is read in the server's zone.
fn date(text: &str, offset_minutes: i32) -> Option<DateTime<Utc>> {
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(moment.to_utc());
    }
    let local = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M:%S"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().and_then(|day| day.and_hms_opt(0, 0, 0)))?;
    let zone = FixedOffset::east_opt(offset_minutes * 60)?;
    zone.from_local_datetime(&local).single().map(|moment| moment.to_utc())
}

impl Condition {
    /// The id above which all answers lie, if this condition says so: the database would seek there, too.
    pub fn above_id(&self) -> Option<u64> {
        let Right::Texts(texts) = &self.right else { return None };
        (self.operator == Operator::Above && self.field.code == "ID").then(|| texts.first()?.parse().ok()).flatten()
    }

    /// Whether it holds.
    pub fn holds(&self, entity: &Entity) -> bool {
        match (&self.right, self.field.code.as_str()) {
            (Right::Moment(right), "DATE_CREATE") => self.by_time(entity.created, *right),
            (Right::Moment(right), "DATE_MODIFY") => self.by_time(entity.modified, *right),
            (Right::Moment(right), code) => match date(&entity.text(code), 0) {
                Some(left) => self.by_time(left, *right),
                None => self.operator == Operator::Not,
            },
            (Right::Texts(right), "ID") => self.by_text(&[entity.id.to_string()], right),
            (Right::Texts(right), code) => match entity.multi(code) {
                Some(list) => self.by_text(&list.iter().map(|one| one.value.clone()).collect::<Vec<_>>(), right),
                None => {
                    let value = shown(entity, &self.field, 0).unwrap_or_default();
                    let left: Vec<String> = if is_empty(&value) { Vec::new() } else { members(&value).into_iter().map(text).collect() };
                    self.by_text(&left, right)
                }
            },
        }
    }

    fn by_time(&self, left: DateTime<Utc>, right: Option<DateTime<Utc>>) -> bool {
        // What is no date is compared as the empty one: everything is later.
        let order = right.map_or(Ordering::Greater, |right| left.cmp(&right));
        self.by_order(order)
    }

    const fn by_order(&self, order: Ordering) -> bool {
        match self.operator {
            Operator::AtLeast => order.is_ge(),
            Operator::AtMost => order.is_le(),
            Operator::Above => order.is_gt(),
            Operator::Below => order.is_lt(),
            Operator::Not => order.is_ne(),
            Operator::Is | Operator::Contains | Operator::Pattern => order.is_eq(),
        }
    }

    fn by_text(&self, left: &[String], right: &[String]) -> bool {
        let same = |a: &String, b: &String| a == b || matches!((a.parse::<Decimal>(), b.parse::<Decimal>()), (Ok(a), Ok(b)) if a == b);
        let any = |test: &dyn Fn(&String, &String) -> bool| left.iter().any(|own| right.iter().any(|asked| test(own, asked)));
        let wants_empty = right.iter().all(String::is_empty);
        match self.operator {
            Operator::Is if wants_empty => left.is_empty(),
            Operator::Not if wants_empty => !left.is_empty(),
            Operator::Is => any(&same),
            Operator::Not => !any(&same),
            Operator::Contains => any(&|own, asked| own.to_lowercase().contains(&asked.to_lowercase())),
            Operator::Pattern => any(&|own, asked| like(&own.to_lowercase(), &asked.to_lowercase())),
            _ => any(&|own, asked| {
                let order = match (own.parse::<Decimal>(), asked.parse::<Decimal>()) {
                    (Ok(own), Ok(asked)) => own.cmp(&asked),
                    _ => own.cmp(asked),
                };
                self.by_order(order)
            }),
        }
    }
}

/// SQL's LIKE with `%` alone.
fn like(text: &str, pattern: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('%') else { return text == pattern };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut parts = rest.split('%').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return text.ends_with(part);
        }
        let Some(at) = text.find(part) else { return false };
        text = text.get(at + part.len()..).unwrap_or_default();
    }
    true
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::{entity::Kind, fields},
        *,
    };

    fn holds(filter: Value, entity: &Entity) -> bool {
        conditions(&filter, &fields::of(Kind::Contact), 180).iter().all(|condition| condition.holds(entity))
    }

    #[test]
    fn operators_compare_ids_as_numbers_and_dates_as_moments() {
        let mut one = Entity::new().with("NAME", "Мария").with(fields::PRODUCT, json!([404, 410])).with_phone("+79990000001");
        one.id = 1_002;
        one.modified = DateTime::parse_from_rfc3339("2026-05-14T10:00:00+03:00").unwrap().to_utc();
        for (filter, expected) in [
            (json!({">ID": "999"}), true),
            (json!({">ID": 1002}), false),
            (json!({"@ID": [7, 1002]}), true),
            (json!({"!@ID": [7, 1002]}), false),
            (json!({">=DATE_MODIFY": "2026-05-14T07:00:00+00:00", "<DATE_MODIFY": "2026-05-14T10:00:01+03:00"}), true),
            (json!({"<DATE_MODIFY": "2026-05-14T10:00:00+03:00"}), false),
            // Without an offset: the server's zone.
            (json!({">=DATE_MODIFY": "2026-05-14T10:00:00", "<=DATE_MODIFY": "2026-05-14 10:00:00"}), true),
            // A broken plus: no date, so everything is later than it and nothing earlier.
            (json!({">DATE_MODIFY": "2030-05-14T10:00:00 03:00"}), true),
            (json!({"<DATE_MODIFY": "2030-05-14T10:00:00 03:00"}), false),
            (json!({ fields::PRODUCT: 410 }), true),
            (json!({ fields::PRODUCT: "430" }), false),
            (json!({ fields::STATUS: "" }), true),
            (json!({"!UF_CRM_1700000000001": ""}), false),
            (json!({"%NAME": "ари"}), true),
            (json!({"=%NAME": "мар%"}), true),
            (json!({"PHONE": "+79990000001"}), true),
            (json!({"PHONE": "9990000001"}), false),
            // An unknown field is dropped: the whole table.
            (json!({"UF_CRM_NOBODY": "x"}), true),
        ] {
            assert_eq!(holds(filter.clone(), &one), expected, "{filter}");
        }
    }
}
