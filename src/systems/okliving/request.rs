//! The body of `get-orders`: a template of the connection with `${from}`, `${to}`, `${page}`, `${offset}`, `${limit}`, `${cursor}` and `${id}`
//! (fact sheet, section 4.1).

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value};

/// Names that may stand in a template.
pub const NAMES: &[&str] = &["from", "to", "page", "offset", "limit", "cursor", "id"];

/// How times are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// `2026-03-14 11:00:00` in this zone, as ALLO and Magento write them.
    Local(Tz),
    /// `2026-03-14T09:00:00+00:00`, as Shopware writes them.
    Iso,
}

impl Times {
    /// A moment as this shop writes it.
    pub fn write(self, at: DateTime<Utc>) -> String {
        match self {
            Self::Local(zone) => at.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S").to_string(),
            Self::Iso => at.format("%Y-%m-%dT%H:%M:%S+00:00").to_string(),
        }
    }
}

/// From when to when orders are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Changed or made since.
    pub from: DateTime<Utc>,
    /// And until.
    pub to: DateTime<Utc>,
}

/// What one request is filled with.
#[derive(Clone, Debug)]
pub struct Filling<'a> {
    /// The window.
    pub window: Window,
    /// How its times are written.
    pub times: Times,
    /// Page, from 1.
    pub page: u32,
    /// Orders read before this page.
    pub offset: u64,
    /// Orders per page.
    pub limit: u32,
    /// What the page before said; empty on the first.
    pub cursor: &'a str,
    /// One order's id.
    pub id: &'a str,
}

impl Filling<'_> {
    /// The template with its names filled in. A text that is nothing but a name becomes what it stands for, so numbers stay numbers.
    pub fn fill(&self, template: &Value) -> Value {
        match template {
            Value::String(text) => self.text(text),
            Value::Array(items) => Value::Array(items.iter().map(|item| self.fill(item)).collect()),
            Value::Object(members) => {
                Value::Object(members.iter().map(|(name, value)| (name.clone(), self.fill(value))).collect::<Map<_, _>>())
            }
            other => other.clone(),
        }
    }

    fn text(&self, text: &str) -> Value {
        if let Some(value) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).and_then(|name| self.value(name)) {
            return value;
        }
        let mut filled = text.to_owned();
        for name in NAMES {
            if let Some(value) = self.value(name) {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                filled = filled.replace(&format!("${{{name}}}"), &value);
            }
        }
        Value::String(filled)
    }

    fn value(&self, name: &str) -> Option<Value> {
        Some(match name {
            "from" => self.times.write(self.window.from).into(),
            "to" => self.times.write(self.window.to).into(),
            "page" => self.page.into(),
            "offset" => self.offset.into(),
            "limit" => self.limit.into(),
            "cursor" => self.cursor.into(),
            "id" => self.id.into(),
            _ => return None,
        })
    }
}

/// Names in a template that stand for nothing.
pub fn unknown_names(template: &Value) -> Vec<String> {
    match template {
        Value::String(text) => text
            .split("${")
            .skip(1)
            .filter_map(|rest| rest.split_once('}'))
            .map(|(name, _)| name.to_owned())
            .filter(|name| !NAMES.contains(&name.as_str()))
            .collect(),
        Value::Array(items) => items.iter().flat_map(unknown_names).collect(),
        Value::Object(members) => members.values().flat_map(unknown_names).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filling() -> Filling<'static> {
        let at = |text: &str| text.parse().expect("a time");
        Filling {
            window: Window { from: at("2026-03-29T00:30:00Z"), to: at("2026-03-29T01:30:00Z") },
            times: Times::Local(chrono_tz::Europe::Kyiv),
            page: 2,
            offset: 50,
            limit: 50,
            cursor: "abc",
            id: "000123",
        }
    }

    #[test]
    fn names_become_values_and_numbers_stay_numbers() {
        let template =
            json!({"args": {"filters": {"from": "${from}", "to": "${to}"}, "page": "${page}", "order": "id-${id}", "next": ["${cursor}"]}});
        // The clocks go forward in between: 02:30 and 04:30.
        let filled = filling().fill(&template);
        assert_eq!(
            filled,
            json!({"args": {"filters": {"from": "2026-03-29 02:30:00", "to": "2026-03-29 04:30:00"}, "page": 2, "order": "id-000123", "next": ["abc"]}})
        );
        assert_eq!(Filling { times: Times::Iso, ..filling() }.fill(&json!("${from}")), json!("2026-03-29T00:30:00+00:00"));
        assert_eq!(filling().fill(&json!({})), json!({}));
    }

    #[test]
    fn unknown_names_are_told() {
        assert_eq!(unknown_names(&json!({"a": ["${from}", "${frm}"], "b": "x ${pages} y"})), ["frm", "pages"]);
        assert!(unknown_names(&json!({})).is_empty());
    }
}
