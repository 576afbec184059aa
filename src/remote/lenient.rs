//! Reading values that come in several forms: null for "", numbers for strings, 0 for false, null for [].
//!
//! Each reads the raw text first, since untagged enums and numbers do not agree with serde_json's `arbitrary_precision`.

use chrono::{DateTime, Datelike, NaiveDateTime, Utc};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::value::RawValue;

/// The zero UUID, one of the forms of "none" (facts/billz-2.md section 4.5).
const NIL: &str = "00000000-0000-0000-0000-000000000000";

/// The text of a scalar: a string's content, a number's or truth value's digits or word, nothing for null. `None` for lists and objects.
pub fn scalar(raw: &str) -> Option<String> {
    let raw = raw.trim();
    if let Some(inner) = raw.strip_prefix('"') {
        return match inner.strip_suffix('"') {
            Some(plain) if !plain.contains('\\') => Some(plain.to_owned()),
            _ => serde_json::from_str(raw).ok(),
        };
    }
    match raw.as_bytes().first() {
        None | Some(b'{' | b'[') => None,
        _ if raw == "null" => Some(String::new()),
        _ => Some(raw.to_owned()),
    }
}

/// A string; null is "", numbers keep their own digits.
pub fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    scalar(raw.get()).ok_or_else(|| D::Error::custom("expected a string"))
}

/// An id that must be there.
pub fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    reference(deserializer)?.ok_or_else(|| D::Error::custom("expected an id"))
}

/// An id that may be none: null, "", 0, the zero UUID.
pub fn reference<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    let text = match raw.get() {
        "true" | "false" => None,
        raw => scalar(raw),
    };
    let text = text.ok_or_else(|| D::Error::custom("expected an id"))?;
    let id = text.trim();
    Ok(match id {
        _ if is_none(id) => None,
        _ if id.len() == text.len() => Some(text),
        _ => Some(id.to_owned()),
    })
}

/// Whether an id's text is one of the forms of "none".
pub fn is_none(id: &str) -> bool {
    matches!(id.trim(), "" | "0" | NIL)
}

/// A truth value: also null, 0, 1 and the same as strings.
pub fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    match scalar(raw.get()).as_deref() {
        Some("true" | "1") => Ok(true),
        Some("false" | "0" | "") => Ok(false),
        _ => Err(D::Error::custom("expected true or false")),
    }
}

/// A list; null is empty.
pub fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::<Vec<T>>::deserialize(deserializer)?.unwrap_or_default())
}

/// A list; anything else is none: for lists whose remote writes `""` or `0` where it has none (facts/billz-2.md section 6).
pub fn list_or_none<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    if raw.get().starts_with('[') { serde_json::from_str(raw.get()).map_err(D::Error::custom) } else { Ok(Vec::new()) }
}

/// An object; null is its empty form.
pub fn object<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// A moment in UTC: `YYYY-MM-DD HH:MM:SS`, with `T`, a fraction or a zone as well; null, "" and the dummies of year 1 and 1970 are none.
pub fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let text = text(deserializer)?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    let read = parse_moment(&text).ok_or_else(|| D::Error::custom("expected YYYY-MM-DD HH:MM:SS"))?;
    Ok((read.year() > 1970).then_some(read))
}

/// Reads a moment in one of its forms.
pub fn parse_moment(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .map(|naive| naive.and_utc())
        .or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.to_utc()))
}

/// A value's raw text, null included; absent keys stay at their default.
pub fn raw<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Whether something reads as [`text`].
#[derive(Deserialize)]
pub struct Text(
    #[serde(deserialize_with = "text")]
    #[expect(dead_code, reason = "only whether it reads matters")]
    String,
);

/// Whether something reads as [`moment`].
#[derive(Deserialize)]
pub struct Moment(
    #[serde(deserialize_with = "moment")]
    #[expect(dead_code, reason = "only whether it reads matters")]
    Option<DateTime<Utc>>,
);

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize, Debug, PartialEq, Default)]
    struct Row {
        #[serde(default, deserialize_with = "text")]
        text: String,
        #[serde(default, deserialize_with = "reference")]
        id: Option<String>,
        #[serde(default, deserialize_with = "flag")]
        flag: bool,
        #[serde(default, deserialize_with = "list")]
        list: Vec<u8>,
        #[serde(default, deserialize_with = "moment")]
        at: Option<DateTime<Utc>>,
    }

    fn read(text: &str) -> Option<Row> {
        serde_json::from_str(text).ok()
    }

    #[test]
    fn scalars_come_in_several_forms() {
        let text = |raw: &str| read(&format!(r#"{{"text":{raw}}}"#)).map(|row| row.text);
        assert_eq!(text(r#""a\u0451\"b""#).as_deref(), Some("aё\"b"));
        assert_eq!(text(r#""""#).as_deref(), Some(""));
        assert_eq!(text("null").as_deref(), Some(""));
        assert_eq!(text("4780012345678901234567890").as_deref(), Some("4780012345678901234567890"));
        assert_eq!(text("0.10").as_deref(), Some("0.10"));
        assert_eq!(text("[]"), None);
        assert_eq!(text("{}"), None);
        assert_eq!(read("{}"), Some(Row::default()));
    }

    #[test]
    fn none_has_many_forms() {
        let id = |raw: &str| read(&format!(r#"{{"id":{raw}}}"#)).map(|row| row.id);
        for none in ["null", "\"\"", "\" \"", "0", "\"00000000-0000-0000-0000-000000000000\""] {
            assert_eq!(id(none), Some(None), "{none}");
        }
        assert_eq!(id("17"), Some(Some("17".into())));
        assert_eq!(id("\" u1 \""), Some(Some("u1".into())));
        assert_eq!(id("true"), None);
        let flag = |raw: &str| read(&format!(r#"{{"flag":{raw}}}"#)).map(|row| row.flag);
        assert_eq!(
            (flag("true"), flag("\"1\""), flag("null"), flag("0"), flag("\"x\"")),
            (Some(true), Some(true), Some(false), Some(false), None)
        );
        assert_eq!(read(r#"{"list":null}"#).map(|row| row.list), Some(vec![]));
    }

    #[test]
    fn moments_are_utc_in_both_forms() {
        let at = |raw: &str| read(&format!(r#"{{"at":"{raw}"}}"#)).map(|row| row.at.map(|at| at.to_rfc3339()));
        let expected = Some(Some("2026-09-30T11:42:07+00:00".to_owned()));
        for form in ["2026-09-30 11:42:07", "2026-09-30T11:42:07Z", "2026-09-30T11:42:07", "2026-09-30T16:42:07+05:00"] {
            assert_eq!(at(form), expected, "{form}");
        }
        assert_eq!((at(""), at("0001-01-01T00:00:00Z"), at("1970-01-01 00:00:00")), (Some(None), Some(None), Some(None)));
        assert_eq!(at("yesterday"), None);
    }
}
