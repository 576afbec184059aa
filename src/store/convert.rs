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

/// Most bytes of values in one statement. A server refuses what is longer than its `max_allowed_packet`: 1 MB is the least that is met
/// (MySQL 5.5), 4 MB and 16 MB are usual.
const BYTES: usize = 900 * 1024;
/// What a row has beside its texts: keys, times and words.
const BESIDE_TEXTS: usize = 300;

/// Cuts rows into statements: at most so many rows, and so many bytes that every server takes them. A row that is longer than that goes
/// alone. `size` tells how long a row's texts are.
pub(super) fn batches<T>(all: &[T], most: usize, size: impl Fn(&T) -> usize) -> impl Iterator<Item = &[T]> {
    let mut rest = all;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |row: &&T| {
            bytes += size(row) + BESIDE_TEXTS;
            bytes <= BYTES
        };
        let count = rest.iter().take(most).take_while(fits).count().max(1).min(rest.len());
        let (batch, after) = rest.split_at_checked(count)?;
        rest = after;
        (!batch.is_empty()).then_some(batch)
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_cut_by_rows_and_by_bytes_and_lose_nothing() {
        let cut = |sizes: &[usize], most: usize| batches(sizes, most, |size| *size).map(<[usize]>::to_vec).collect::<Vec<_>>();
        assert_eq!(cut(&[1, 2, 3, 4, 5], 2), [vec![1, 2], vec![3, 4], vec![5]]);
        assert_eq!(cut(&[], 2), Vec::<Vec<usize>>::new());
        let (half, more) = (BYTES / 2 - BESIDE_TEXTS, BYTES + 1);
        assert_eq!(cut(&[half, half, half, more, more, 1], 500), [vec![half, half], vec![half], vec![more], vec![more], vec![1]]);
        let many: Vec<usize> = (0..5_000).map(|number| number % 700).collect();
        let batches = cut(&many, 500);
        assert_eq!(batches.concat(), many);
        assert!(batches.iter().all(|batch| batch.len() <= 500 && batch.iter().map(|size| size + BESIDE_TEXTS).sum::<usize>() <= BYTES));
    }
}
