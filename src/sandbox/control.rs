//! What the control APIs of all simulators share: refusals in clear text, bodies read by hand.

use std::fmt;

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::json;

/// What a control route answers.
pub type Answer = Result<HttpResponse, Refusal>;

/// Bad control input, told in clear text.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    text: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl ResponseError for Refusal {
    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status).json(json!({ "error": self.text }))
    }
}

/// Any value as JSON.
pub fn ok(value: &impl Serialize) -> Answer {
    Ok(HttpResponse::Ok().json(value))
}

/// A refusal in clear text.
pub fn refuse(status: StatusCode, text: &str) -> Refusal {
    Refusal { status, text: text.to_owned() }
}

/// Bodies are read by hand, so that every refusal has the same shape and a missing content type does not matter.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| refuse(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string()))
}

/// A whole number of the query, or its default.
pub fn number(given: Option<&str>, name: &str, default: usize) -> Result<usize, Refusal> {
    match given.map(str::parse) {
        None => Ok(default),
        Some(Ok(number)) => Ok(number),
        Some(Err(_)) => Err(refuse(StatusCode::UNPROCESSABLE_ENTITY, &format!("{name} must be a whole number"))),
    }
}

/// What a new catalogue is to be.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reset {
    /// Product rows.
    pub products: usize,
    /// Its seed.
    pub seed: u64,
}

impl Default for Reset {
    fn default() -> Self {
        Self { products: 300, seed: 1 }
    }
}

/// More would still work, but a slip of the finger should not eat the machine's memory.
const MOST_PRODUCTS: usize = 1_000_000;

impl Reset {
    /// From a body; `{}` or nothing = the defaults.
    pub fn read(body: &[u8]) -> Result<Self, Refusal> {
        let asked: Self = read(body)?;
        if asked.products > MOST_PRODUCTS {
            return Err(refuse(StatusCode::UNPROCESSABLE_ENTITY, "at most 1000000 products"));
        }
        Ok(asked)
    }
}
