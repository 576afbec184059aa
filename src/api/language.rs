//! The language a caller wants to read.

use std::{
    convert::Infallible,
    future::{Ready, ready},
};

use actix_web::{FromRequest, HttpRequest, HttpResponseBuilder, dev::Payload, http::header};

use crate::domain::text::Lang;

impl FromRequest for Lang {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::negotiate(request.headers().get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()))))
    }
}

/// Says in which language an answer is, and that others are to be had.
pub fn spoken(mut response: HttpResponseBuilder, lang: Lang) -> HttpResponseBuilder {
    response.insert_header((header::CONTENT_LANGUAGE, lang.tag())).insert_header((header::VARY, "accept-language"));
    response
}
