//! Between rows and the engine's model: times, enums as words, JSON columns.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    domain::ids,
    fault::{Code, Fault, FieldError},
};

/// A database time as UTC.
pub(super) fn utc(time: NaiveDateTime) -> DateTime<Utc> {
    time.and_utc()
}

/// A JSON column; unreadable content is a mistake of ours.
pub(super) fn json<T: DeserializeOwned>(column: &str, text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| Fault::internal(format!("column {column} holds unreadable JSON")).caused_by(error))
}

/// The text of a JSON column.
pub(super) fn text<T: Serialize>(value: &T) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| Fault::internal("a value cannot be written as JSON").caused_by(error))
}

/// The word that an enum of the model is stored as.
pub(super) fn word<T: Serialize>(value: T) -> Result<String, Fault> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        _ => Err(Fault::internal("a state has no word")),
    }
}

/// An enum of the model from its word.
pub(super) fn from_word<T: DeserializeOwned>(word: &str) -> Result<T, Fault> {
    serde_json::from_value(serde_json::Value::String(word.to_owned()))
        .map_err(|error| Fault::internal(format!("`{word}` is no state that we know")).caused_by(error))
}

/// At most `length` characters of a name, for columns with a limit.
pub(super) fn cut(text: &str, length: usize) -> String {
    text.chars().take(length).collect()
}

/// `(?,?,?),(?,?,?)` for a statement of many rows.
pub(super) fn rows(count: usize, columns: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(","));
    vec![row; count].join(",")
}

/// `?,?,?` for an IN list.
pub(super) fn places(count: usize) -> String {
    vec!["?"; count].join(",")
}

/// The cursor of a list that is ordered by our ids: anything else is none of ours, and an ascii column cannot be compared with it.
pub(super) fn id_cursor(cursor: Option<String>) -> Result<Option<String>, Fault> {
    match cursor {
        Some(cursor) if !ids::plausible(&cursor) => Err(foreign_cursor()),
        cursor => Ok(cursor),
    }
}

/// The cursor of a list that is ordered by numbers.
pub(super) fn number_cursor(cursor: Option<&str>) -> Result<Option<u64>, Fault> {
    cursor.map(|cursor| cursor.parse().map_err(|_| foreign_cursor())).transpose()
}

fn foreign_cursor() -> Fault {
    let detail = "must be next_cursor of an earlier answer";
    Fault::new(Code::InvalidQuery, format!("?cursor: {detail}")).with_fields(vec![FieldError::new("?cursor", detail)])
}

/// A keyset page: `items` hold one row more than asked when there is more.
pub(super) fn listing<T>(mut items: Vec<T>, limit: u32, cursor: impl Fn(&T) -> String) -> crate::engine::ports::Listing<T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > limit;
    items.truncate(limit);
    let next = if more { items.last().map(cursor) } else { None };
    crate::engine::ports::Listing { items, next }
}
