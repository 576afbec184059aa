//! Bodies: one strict extractor. 400 unreadable JSON, 413 too large, 415 another type, 422 with a pointer for every wrong field.

use std::{future::Future, pin::Pin};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header, web};
use futures_util::StreamExt;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use super::problem::Problem;
use crate::{
    engine::{secrets, service::merge::escape},
    fault::{Code, Fault, FieldError},
};

/// Largest body. A connection has some kilobytes; more is a mistake or an attack.
pub const MAX_BYTES: usize = 1024 * 1024;
/// How much of a larger body is still taken off the line, so that its sender gets to read the answer.
const MAX_DRAINED: usize = 16 * 1024 * 1024;
/// Most wrong fields that are told at once.
const MAX_ERRORS: usize = 32;

/// A body that we read.
pub trait Body: DeserializeOwned {
    /// Members that must be there.
    const REQUIRED: &'static [&'static str];
    /// Whether no body at all means `{}`.
    const OPTIONAL: bool = false;
}

/// No members.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

impl Body for Nothing {
    const REQUIRED: &'static [&'static str] = &[];
    const OPTIONAL: bool = true;
}

/// A body, with the hash that an `Idempotency-Key` is bound to.
#[derive(Debug)]
pub struct Strict<T> {
    /// What was sent.
    pub value: T,
    /// Hash of its canonical form: blanks and the order of members do not matter.
    pub digest: String,
}

impl<T: Body + 'static> FromRequest for Strict<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let media = request.headers().get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default().to_ascii_lowercase());
        let payload = web::Payload::from_request(request, payload);
        Box::pin(async move {
            let payload = payload.await.map_err(|_| Fault::new(Code::InvalidJson, "the body cannot be read"))?;
            let bytes = collect(payload).await?;
            if bytes.is_empty() && T::OPTIONAL {
                return parse(Value::Object(serde_json::Map::new())).map_err(Problem::from);
            }
            check_media(media.as_deref())?;
            let value = serde_json::from_slice::<Value>(&bytes)
                .map_err(|error| Fault::new(Code::InvalidJson, format!("the body is not readable JSON: {error}")))?;
            Ok(parse(value)?)
        })
    }
}

async fn collect(mut payload: web::Payload) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    let mut length = 0_usize;
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| Fault::new(Code::InvalidJson, format!("the body broke off: {error}")))?;
        length = length.saturating_add(chunk.len());
        if length <= MAX_BYTES {
            bytes.extend_from_slice(&chunk);
        } else if length > MAX_DRAINED {
            break;
        }
    }
    if length > MAX_BYTES { Err(Fault::new(Code::TooLarge, format!("a body may have {MAX_BYTES} bytes"))) } else { Ok(bytes) }
}

fn check_media(media: Option<&str>) -> Result<(), Fault> {
    let essence = media.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if essence == "application/json" || essence == "application/merge-patch+json" {
        return Ok(());
    }
    Err(Fault::new(Code::UnsupportedMediaType, "send Content-Type: application/json"))
}

/// Member of a body that is never quoted, however wrong it is.
const SECRETS: &str = "secrets";

/// Reads a value strictly, and tells all wrong top-level fields at once.
pub fn parse<T: Body>(value: Value) -> Result<Strict<T>, Fault> {
    let digest = secrets::fingerprint(&[value.to_string().as_bytes()]);
    let Value::Object(mut members) = value else {
        return Err(Fault::field("", "the body must be a JSON object"));
    };
    let mut errors: Vec<FieldError> = T::REQUIRED
        .iter()
        .filter(|name| !members.contains_key(**name))
        .map(|name| FieldError::new(format!("/{name}"), "is required"))
        .collect();
    loop {
        let error = match serde_path_to_error::deserialize::<_, T>(Value::Object(members.clone())) {
            Ok(value) if errors.is_empty() => return Ok(Strict { value, digest }),
            Ok(_) => break,
            Err(error) => error,
        };
        let message = error.inner().to_string();
        let (first, pointer) = locate(error.path(), &message);
        // A required member is told above already, or was taken out below as wrong.
        let Some(first) = first.filter(|name| members.contains_key(name)) else { break };
        // serde quotes what it found; among the secrets that is one.
        let detail = if pointer.split('/').any(|part| part == SECRETS) {
            "has a form that the OpenAPI document does not give".to_owned()
        } else {
            explain(&message)
        };
        errors.push(FieldError::new(pointer, detail));
        members.remove(&first);
        if errors.len() >= MAX_ERRORS {
            break;
        }
    }
    if errors.is_empty() {
        errors.push(FieldError::new("", "the body does not have the form that the OpenAPI document gives"));
    }
    Err(Fault::fields(errors))
}

/// The top-level member that is wrong, and the pointer to the wrong place inside it.
fn locate(path: &Path, message: &str) -> (Option<String>, String) {
    let mut names = path
        .iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(index.to_string()),
            Segment::Map { key } => Some(key.clone()),
            Segment::Enum { variant } => Some(variant.clone()),
            Segment::Unknown => None,
        })
        .collect::<Vec<_>>();
    if let Some(unknown) = quoted(message, "unknown field `")
        && names.last() != Some(&unknown)
    {
        names.push(unknown);
    }
    let pointer = names.iter().map(|name| format!("/{}", escape(name))).collect();
    (names.into_iter().next(), pointer)
}

fn quoted(message: &str, start: &str) -> Option<String> {
    // The name may hold backticks itself; what serde says after it begins with "`, ".
    let rest = message.strip_prefix(start)?;
    let end = rest.rfind("`, expected").or_else(|| rest.rfind("`, there are"))?;
    let first = rest.find("`, expected").or_else(|| rest.find("`, there are")).unwrap_or(end);
    rest.get(..first).map(str::to_owned)
}

/// serde's words without Rust's.
fn explain(message: &str) -> String {
    if let Some((_, expected)) = message.split_once("`, expected ").filter(|_| message.starts_with("unknown field")) {
        return format!("unknown field; known: {}", expected.trim_start_matches("one of ").replace('`', ""));
    }
    if message.starts_with("unknown field") {
        return "unknown field".to_owned();
    }
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        return format!("unknown value {}", rest.chars().take(300).collect::<String>());
    }
    message.replace("unit, ", "null, ").replace("a map", "an object").replace("a sequence", "an array").chars().take(400).collect()
}

/// Tells a member that is null from one that is absent: for RFC 7396 patches. Use with `#[serde(default)]`.
pub fn nullable<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Order {
        #[serde(rename = "number")]
        _number: String,
        #[serde(default, rename = "items")]
        _items: Vec<Item>,
        #[serde(default, rename = "fast")]
        _fast: bool,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Item {
        #[serde(rename = "key")]
        _key: String,
    }

    impl Body for Order {
        const REQUIRED: &'static [&'static str] = &["number"];
    }

    fn pointers(value: Value) -> Vec<String> {
        parse::<Order>(value).map(|_| Vec::new()).unwrap_or_else(|fault| fault.fields.into_iter().map(|field| field.pointer).collect())
    }

    #[test]
    fn every_wrong_field_is_named_by_its_pointer() {
        assert_eq!(pointers(json!({"number": "1"})), Vec::<String>::new());
        assert_eq!(pointers(json!({})), ["/number"]);
        assert_eq!(pointers(json!({"numbr": "1"})), ["/number", "/numbr"]);
        assert_eq!(pointers(json!({"number": 1, "fast": "yes", "a/b~": 1})), ["/a~1b~0", "/fast", "/number"]);
        assert_eq!(pointers(json!({"number": "1", "items": [{"key": "a"}, {"key": 5}]})), ["/items/1/key"]);
        assert_eq!(pointers(json!({"number": "1", "items": [{"key": "a", "kye": 1}]})), ["/items/0/kye"]);
        assert_eq!(pointers(json!({"number": null})), ["/number"]);
        assert_eq!(pointers(json!([])), [""]);
        assert_eq!(pointers(json!({"number": "1", "x`, expected `y": 1})).len(), 1);
    }

    #[test]
    fn a_secret_of_a_wrong_form_is_not_quoted() {
        #[derive(Debug, Deserialize)]
        struct Keeper {
            #[serde(rename = "secrets")]
            _secrets: std::collections::BTreeMap<String, String>,
        }
        impl Body for Keeper {
            const REQUIRED: &'static [&'static str] = &[];
        }
        for wrong in [json!("hunter22"), json!(["hunter22"]), json!({"secret": {"hunter22": 1}}), json!({"secret": 22_220_000})] {
            let fault = parse::<Keeper>(json!({"secrets": wrong})).err().unwrap();
            assert!(fault.fields.iter().all(|field| field.pointer.starts_with("/secrets")), "{fault:?}");
            assert!(!format!("{fault:?}").contains("hunter22") && !format!("{fault:?}").contains("22220000"), "{fault:?}");
        }
    }

    #[test]
    fn blanks_and_order_do_not_change_the_digest() {
        let digest = |text: &str| parse::<Order>(serde_json::from_str(text).unwrap()).unwrap().digest;
        assert_eq!(digest(r#"{"number":"1","fast":true}"#), digest(r#"{ "fast": true, "number": "1" }"#));
        assert_ne!(digest(r#"{"number":"1"}"#), digest(r#"{"number":"2"}"#));
    }
}
