//! Reading a connection's settings: what a user set over the defaults, every wrong field reported at once by its pointer below `/settings`.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{domain::number, fault::FieldError};

/// Lays what the user set over the defaults; objects are merged, null keeps the default.
fn complete(given: &Value, defaults: &Value) -> Value {
    fn merge(base: &mut Value, over: &Value) {
        match (base, over) {
            (Value::Object(base), Value::Object(over)) => {
                for (name, value) in over {
                    match base.get_mut(name) {
                        Some(_) if value.is_null() => {}
                        Some(inner) => merge(inner, value),
                        None => {
                            base.insert(name.clone(), value.clone());
                        }
                    }
                }
            }
            (base, over) => *base = over.clone(),
        }
    }
    let mut all = defaults.clone();
    merge(&mut all, given);
    all
}

/// Settings as a type of the flow. `T` refuses unknown fields.
pub fn read<T: DeserializeOwned>(given: &Value, defaults: &Value) -> Result<T, Vec<FieldError>> {
    let Value::Object(fields) = given else {
        return Err(vec![FieldError::new("/settings", "must be an object")]);
    };
    let errors: Vec<FieldError> = fields.iter().filter_map(|(name, value)| wrong_field::<T>(name, value, defaults)).collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    serde_json::from_value(complete(given, defaults)).map_err(|error| vec![FieldError::new("/settings", error.to_string())])
}

/// What is wrong with one field, taken for itself: unknown, or of a wrong form. Pointers reach into nested objects.
fn wrong_field<T: DeserializeOwned>(name: &str, value: &Value, defaults: &Value) -> Option<FieldError> {
    if defaults.get(name).is_none() {
        return Some(FieldError::new(format!("/settings/{}", escape(name)), "there is no such setting"));
    }
    let alone = Map::from_iter([(name.to_owned(), value.clone())]);
    let error = serde_path_to_error::deserialize::<_, T>(complete(&Value::Object(alone), defaults)).err()?;
    let path: String = error
        .path()
        .iter()
        .filter_map(|segment| match segment {
            serde_path_to_error::Segment::Seq { index } => Some(format!("/{index}")),
            serde_path_to_error::Segment::Map { key } => Some(format!("/{}", escape(key))),
            serde_path_to_error::Segment::Enum { .. } | serde_path_to_error::Segment::Unknown => None,
        })
        .collect();
    let path = if path.is_empty() { format!("/{}", escape(name)) } else { path };
    Some(FieldError::new(format!("/settings{path}"), error.into_inner().to_string()))
}

/// A decimal that may be given as text or as a number; kept as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(transparent)]
pub struct Text(pub String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            Value::Number(number) => Ok(Self(number.to_string())),
            other => Err(serde::de::Error::custom(format!("{other} is no decimal; write it as text, for example \"12650.5\""))),
        }
    }
}

impl Text {
    /// Its value; checked before, so that a missing one is zero.
    pub fn value(&self) -> Decimal {
        number::parse_decimal(&self.0).unwrap_or_default()
    }
}

/// What is wrong with an address of a remote's API; `None` when it can be used. `example` is shown to who gave something else.
pub fn wrong_address(address: &str, example: &str) -> Option<String> {
    match url::Url::parse(address) {
        // Settings are shown to whoever may read the connection, and such an address is not even quoted.
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            Some("must hold neither user nor password; what is secret belongs into secrets".to_owned())
        }
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.host().is_some() => None,
        _ => Some(format!("`{address}` is no address; write for example {example}")),
    }
}

/// A JSON pointer's own escapes (RFC 6901).
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
