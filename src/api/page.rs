//! Params parameters and pages: `?limit=1..200&cursor=`. Unknown, repeated and unreadable parameters are 400 by name.

use std::{
    collections::BTreeMap,
    future::{Ready, ready},
    str::FromStr,
};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use crate::{
    engine::ports::{Listing, PageRequest},
    fault::{Code, Fault, FieldError},
};

/// Rows of a page, unless asked otherwise.
pub const DEFAULT_LIMIT: u32 = 50;
/// Most rows of a page.
pub const MAX_LIMIT: u32 = 200;
/// No cursor of ours is longer.
const MAX_CURSOR_BYTES: usize = 1_024;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T: ToSchema> {
    /// The rows.
    pub items: Vec<T>,
    /// Where to go on; null at the end.
    pub next_cursor: Option<String>,
}

impl<T: ToSchema> Page<T> {
    /// The rows of a listing, seen as `view` does.
    pub fn of<R>(listing: Listing<R>, view: impl Fn(R) -> T) -> Self {
        Self {
            items: listing.items.into_iter().map(view).collect(),
            next_cursor: listing.next.map(|cursor| URL_SAFE_NO_PAD.encode(cursor)),
        }
    }
}

/// The query of a request: each parameter is taken once, and what is left over is wrong.
pub struct Params {
    given: BTreeMap<String, String>,
    known: Vec<&'static str>,
    errors: Vec<FieldError>,
}

impl FromRequest for Params {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::read(request.query_string())))
    }
}

impl Params {
    fn read(text: &str) -> Self {
        let mut query = Self { given: BTreeMap::new(), known: Vec::new(), errors: Vec::new() };
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            if query.given.insert(name.clone().into_owned(), value.into_owned()).is_some() {
                query.wrong(&name, "stands twice");
            }
        }
        query
    }

    /// Says what is wrong with a parameter.
    pub fn wrong(&mut self, name: &str, detail: impl Into<String>) {
        self.errors.push(FieldError::new(format!("?{name}"), detail));
    }

    /// A text.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        self.given.remove(name).filter(|text| !text.is_empty())
    }

    /// A number of 1 to `most`.
    pub fn count(&mut self, name: &'static str, default: usize, most: usize) -> usize {
        match self.text(name).map(|text| text.parse::<usize>()) {
            None => default,
            Some(Ok(count)) if (1..=most).contains(&count) => count,
            Some(_) => {
                self.wrong(name, format!("must be a whole number of 1 to {most}"));
                default
            }
        }
    }

    /// One of several words, in the form that bodies have.
    pub fn word<T: serde::de::DeserializeOwned>(&mut self, name: &'static str, words: &str) -> Option<T> {
        let text = self.text(name)?;
        let read = serde_json::from_value(serde_json::Value::String(text)).ok();
        if read.is_none() {
            self.wrong(name, format!("must be one of: {words}"));
        }
        read
    }

    /// `true` or `false`.
    pub fn flag(&mut self, name: &'static str) -> Option<bool> {
        let text = self.text(name)?;
        let read = text.parse().ok();
        if read.is_none() {
            self.wrong(name, "must be true or false");
        }
        read
    }

    /// `limit` and `cursor`.
    pub fn page(&mut self) -> PageRequest {
        let limit = match self.text("limit").map(|text| u32::from_str(&text)) {
            None => DEFAULT_LIMIT,
            Some(Ok(limit)) if (1..=MAX_LIMIT).contains(&limit) => limit,
            Some(_) => {
                self.wrong("limit", format!("must be a whole number of 1 to {MAX_LIMIT}"));
                DEFAULT_LIMIT
            }
        };
        let given = self.text("cursor");
        let cursor = given
            .as_ref()
            .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok().filter(|_| text.len() <= MAX_CURSOR_BYTES))
            .and_then(|bytes| String::from_utf8(bytes).ok());
        if given.is_some() && cursor.is_none() {
            self.wrong("cursor", "must be next_cursor of an earlier answer");
        }
        PageRequest { limit, cursor }
    }

    /// Says what was wrong or left over.
    pub fn done(mut self) -> Result<(), Fault> {
        let known = self.known.join(", ");
        for name in std::mem::take(&mut self.given).into_keys() {
            let name = name.chars().take(60).collect::<String>();
            self.wrong(
                &name,
                if known.is_empty() { "this path takes no parameters".to_owned() } else { format!("unknown parameter; known: {known}") },
            );
        }
        if self.errors.is_empty() {
            return Ok(());
        }
        Err(Fault::of_fields(Code::InvalidQuery, self.errors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_and_cursors_are_checked() {
        let limit = |text: &str| {
            let mut query = Params::read(text);
            let page = query.page();
            query.done().map(|()| page.limit).map_err(|fault| fault.fields.into_iter().map(|field| field.pointer).collect::<Vec<_>>())
        };
        assert_eq!(limit(""), Ok(50));
        assert_eq!(limit("limit=200"), Ok(200));
        for wrong in ["limit=0", "limit=201", "limit=-1", "limit=x", "limit=1&limit=2", "limit=1e1"] {
            assert_eq!(limit(wrong), Err(vec!["?limit".to_owned()]), "{wrong}");
        }
        assert_eq!(limit("cursor=%27%20OR%201"), Err(vec!["?cursor".to_owned()]));
        assert_eq!(limit("lmit=5"), Err(vec!["?lmit".to_owned()]));
    }
}
