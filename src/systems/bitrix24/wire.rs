//! Values as Bitrix24 writes them (fact sheet, section 4.1): ids as texts or numbers, four forms of "empty", dates with the server's offset.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Map, Value};

/// One row of a list, by field code.
pub type Row = Map<String, Value>;

/// A scalar's text, blanks around it taken off; null, false, "" and [] are "".
pub fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(true)) => "true".to_owned(),
        // A single value may come as a list of one.
        Some(Value::Array(values)) if values.len() == 1 => text(values.first()),
        _ => String::new(),
    }
}

/// The text of a field of a row.
pub fn field(row: &Row, code: &str) -> String {
    text(row.get(code))
}

/// Ids of list values, whether the field holds one or several; empty forms and 0 are none.
pub fn ids(value: Option<&Value>) -> Vec<String> {
    let found = match value {
        Some(Value::Array(values)) => values.iter().map(|value| text(Some(value))).collect(),
        other => vec![text(other)],
    };
    found.into_iter().filter(|id| !id.is_empty() && id != "0").collect()
}

/// An id that must be a number above 0.
pub fn id(row: &Row) -> Option<u64> {
    field(row, "ID").parse().ok().filter(|id| *id > 0)
}

/// The first value of a multi-field (PHONE, EMAIL) that is not empty; the key is absent where there is none.
pub fn first(row: &Row, code: &str) -> Option<String> {
    let values = row.get(code).and_then(Value::as_array)?;
    values.iter().map(|value| text(value.get("VALUE"))).find(|value| !value.is_empty())
}

/// A moment with its offset.
pub fn moment(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.to_utc())
}

/// The day of a date-only field: its first ten characters, whatever the hour and zone behind them say. `Ok(None)` = empty.
pub fn day(text: &str) -> Result<Option<NaiveDate>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let day = text.get(..10).and_then(|day| NaiveDate::parse_from_str(day, "%Y-%m-%d").ok());
    day.map(Some).ok_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn empty_has_many_forms() {
        for empty in [json!(null), json!(false), json!(""), json!([]), json!("  ")] {
            assert_eq!((text(Some(&empty)), ids(Some(&empty))), (String::new(), vec![]), "{empty}");
        }
        assert_eq!((text(None), ids(None)), (String::new(), Vec::<String>::new()));
    }

    #[test]
    fn list_values_come_alone_or_in_a_list_as_numbers_or_texts() {
        for (value, found) in [
            (json!([348]), vec!["348"]),
            (json!("44"), vec!["44"]),
            (json!(["48", 12708]), vec!["48", "12708"]),
            (json!(["0", null]), vec![]),
        ] {
            assert_eq!(ids(Some(&value)), found, "{value}");
        }
    }

    #[test]
    fn the_first_phone_that_holds_something_counts() {
        let row = |phones: Value| json!({ "PHONE": phones }).as_object().cloned().unwrap();
        assert_eq!(first(&row(json!([{"VALUE": ""}, {"VALUE": " 8 926 "}, {"VALUE": "2"}])), "PHONE").as_deref(), Some("8 926"));
        assert_eq!(first(&Row::new(), "PHONE"), None);
        assert_eq!(first(&row(json!(false)), "PHONE"), None);
    }

    #[test]
    fn a_day_is_its_first_ten_characters() {
        assert_eq!(day("2009-11-29T03:00:00+03:00").map(|day| day.map(|day| day.to_string())), Ok(Some("2009-11-29".to_owned())));
        assert_eq!(day("2009-11-29T00:00:00+14:00").map(|day| day.map(|day| day.to_string())), Ok(Some("2009-11-29".to_owned())));
        assert_eq!(day(""), Ok(None));
        for wrong in ["29.11.2009", "2009-02-30T00:00:00+03:00", "вчера было"] {
            assert_eq!(day(wrong), Err(wrong.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn no_text_upsets_it(text in "\\PC{0,30}") {
            let _ = (day(&text), moment(&text));
        }
    }
}
