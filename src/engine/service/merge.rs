//! RFC 7396 on settings, and what a patch may say about secrets. Pure.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use crate::{
    engine::secrets::Sealer,
    fault::{FieldError, Result},
};

/// What answers say instead of a secret; in a patch it means: as it was.
pub const SET: &str = "set";
/// Longest secret. A database address with a long password fits many times.
const MAX_SECRET_BYTES: usize = 8_192;

/// Applies an RFC 7396 patch: `null` takes a member away, which means its default.
pub fn merge(target: &Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else { return patch.clone() };
    let mut merged = match target {
        Value::Object(members) => members.clone(),
        _ => Map::new(),
    };
    for (name, value) in patch {
        if value.is_null() {
            merged.remove(name);
        } else {
            let before = merged.get(name).cloned().unwrap_or(Value::Null);
            merged.insert(name.clone(), merge(&before, value));
        }
    }
    Value::Object(merged)
}

/// Applies what a request says about secrets: a value sets, `"set"` leaves, `null` deletes. `known` are the flow's names with whether each is
/// required. Wrong fields go to `errors`.
pub fn merge_secrets(
    sealer: &Sealer,
    connection: &str,
    known: &[(&'static str, bool)],
    stored: &BTreeMap<String, String>,
    patch: Option<&BTreeMap<String, Option<SecretString>>>,
    errors: &mut Vec<FieldError>,
) -> Result<BTreeMap<String, String>> {
    let mut merged = stored.clone();
    for (name, value) in patch.into_iter().flatten() {
        let pointer = format!("/secrets/{}", escape(name));
        if !known.iter().any(|(known, _)| known == name) {
            let names = known.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            errors.push(FieldError::new(pointer, format!("unknown secret; this flow has: {names}")));
            continue;
        }
        match value.as_ref().map(ExposeSecret::expose_secret) {
            None => drop(merged.remove(name)),
            Some(SET) if merged.contains_key(name) => {}
            Some(SET) => errors.push(FieldError::new(pointer, "\"set\" means unchanged, but nothing is stored yet: give the value")),
            Some(text) if text.trim().is_empty() => errors.push(FieldError::new(pointer, "must not be empty; null deletes a secret")),
            Some(text) if text.len() > MAX_SECRET_BYTES => {
                errors.push(FieldError::new(pointer, format!("must not be longer than {MAX_SECRET_BYTES} bytes")))
            }
            Some(_) => {
                if let Some(secret) = value {
                    merged.insert(name.clone(), sealer.seal(connection, name, secret)?);
                }
            }
        }
    }
    for (name, required) in known {
        let pointer = format!("/secrets/{name}");
        if *required && !merged.contains_key(*name) && !errors.iter().any(|error| error.pointer == pointer) {
            errors.push(FieldError::new(pointer, "is required"));
        }
    }
    Ok(merged)
}

/// A member's name as a part of an RFC 6901 pointer.
pub fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn merge_patch_follows_the_examples_of_the_rfc() {
        // RFC 7396, appendix A.
        for (target, patch, result) in [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!([1, 2]), json!({"a":"b","c":null}), json!({"a":"b"})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
        ] {
            assert_eq!(merge(&target, &patch), result);
        }
    }

    #[test]
    fn pointers_escape_what_json_pointers_need_escaped() {
        assert_eq!(escape("a/b~c"), "a~1b~0c");
    }
}
