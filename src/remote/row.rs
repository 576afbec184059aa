//! Rows of a remote's list, each read for itself: a broken one never sinks its neighbours.
//!
//! What the rules need to be right must be readable, or the row is a [`BadRow`]; what is only for show may be broken: it is left out
//! and named, so that nobody takes it as removed.

use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    lenient::{is_none, scalar},
    redact,
};

/// A row that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// The item's id, where it could be read.
    pub id: Option<String>,
    /// Its name, where it could be read.
    pub name: Option<String>,
    /// Path of the field in the way, such as `shop_prices[0].shop_id`; `.` for the row itself.
    pub field: String,
    /// What stands there, cut.
    pub value: String,
    /// What was expected.
    pub detail: String,
    /// First 32 hex digits of the SHA-256 of the row's text: tells rows apart that have no id.
    pub raw_hash: String,
}

/// Whether a field's value can be read, without its content.
pub type Check = fn(&Value) -> bool;

/// [`Check`] of a type.
pub fn reads<T: DeserializeOwned>(value: &Value) -> bool {
    serde_json::from_str::<T>(&value.to_string()).is_ok()
}

/// What rows of one list look like.
pub struct Form {
    /// Keys under which the id may stand.
    pub id: &'static [&'static str],
    /// Key of the name.
    pub name: &'static str,
    /// Fields for show: broken ones are left out and named.
    pub for_show: &'static [(&'static str, Check)],
}

/// Reads one row; with the names of the fields that could not be read and were left out.
pub fn read<T: DeserializeOwned>(row: &str, form: &Form) -> Result<(T, Vec<&'static str>), Box<BadRow>> {
    // serde would read a list as an object, field by field.
    if !row.starts_with('{') {
        return Err(bad(row, form, &serde_json::from_str(row).unwrap_or_default(), ".", "expected an object"));
    }
    // Nearly every row is read here; what follows is slow and rare.
    match serde_json::from_str(row) {
        Ok(item) => Ok((item, Vec::new())),
        Err(_) => salvage(row, form),
    }
}

fn salvage<T: DeserializeOwned>(row: &str, form: &Form) -> Result<(T, Vec<&'static str>), Box<BadRow>> {
    let mut value: Value = serde_json::from_str(row).map_err(|error| bad(row, form, &Value::Null, ".", &error.to_string()))?;
    let mut unread = Vec::new();
    if let Value::Object(fields) = &mut value {
        for (name, check) in form.for_show {
            if fields.get(*name).is_some_and(|field| !check(field)) {
                fields.remove(*name);
                unread.push(*name);
            }
        }
    }
    let text = value.to_string();
    let mut reader = serde_json::Deserializer::from_str(&text);
    match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Ok(item) => Ok((item, unread)),
        Err(error) => {
            let path = error.path().to_string();
            let detail = error.inner().to_string();
            // A missing field is reported at the object that lacks it.
            let missing = detail.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
            let path = match missing {
                Some(field) if path == "." => field.to_owned(),
                Some(field) => format!("{path}.{field}"),
                None => path,
            };
            Err(bad(row, form, &value, &path, detail.split(" at line ").next().unwrap_or(&detail)))
        }
    }
}

fn bad(row: &str, form: &Form, value: &Value, path: &str, detail: &str) -> Box<BadRow> {
    let found = match path {
        "." => Some(value),
        _ => value.pointer(&format!("/{}", path.replace("].", "/").replace(['[', '.'], "/").replace(']', ""))),
    };
    let shown = found.map_or_else(|| "(absent)".to_owned(), Value::to_string);
    let said = |name: &str| value.get(name).and_then(|field| scalar(&field.to_string())).filter(|text| !text.trim().is_empty());
    Box::new(BadRow {
        id: form.id.iter().find_map(|key| said(key)).filter(|id| !is_none(id)).map(|id| id.trim().to_owned()),
        name: said(form.name),
        field: path.to_owned(),
        value: redact::words(&shown).chars().take(80).collect(),
        detail: redact::words(detail),
        raw_hash: hash(row),
    })
}

/// First 32 hex digits of the SHA-256 of a row's text.
pub fn hash(row: &str) -> String {
    Sha256::digest(row.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
