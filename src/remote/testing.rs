//! Help for the tests of `remote` and `systems`: replies made by hand.

use reqwest::{
    StatusCode,
    header::{HeaderMap, HeaderName, HeaderValue},
};

use super::classify::Reply;

/// A reply made by hand.
pub(crate) fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(HeaderName::try_from(*name).expect("header name"), HeaderValue::try_from(*value).expect("header value"));
    }
    Reply { status: StatusCode::from_u16(status).expect("status"), headers: map, body: body.as_bytes().to_vec() }
}
