//! `ETag`, `If-Match` and `If-None-Match` by version numbers (RFC 9110, section 13).

use actix_web::{HttpRequest, http::header};

use crate::fault::{Code, Fault};

/// The tag of a version.
pub fn tag(version: u64) -> String {
    format!("\"{version}\"")
}

/// The version of `If-Match`; `None` = no condition, or any (`*`). Tags that we never gave match nothing, as version 0.
pub fn if_match(request: &HttpRequest) -> Result<Option<u64>, Fault> {
    let mut values = request.headers().get_all(header::IF_MATCH);
    let Some(value) = values.next() else { return Ok(None) };
    let malformed = || Fault::new(Code::InvalidHeader, "If-Match must be one ETag as an earlier answer gave it, such as \"3\", or *");
    if values.next().is_some() {
        return Err(malformed());
    }
    let text = value.to_str().map_err(|_| malformed())?.trim();
    if text == "*" {
        return Ok(None);
    }
    let opaque = quoted(text).ok_or_else(malformed)?;
    Ok(Some(opaque.parse().unwrap_or(0)))
}

/// The version of an `If-Match` that must be there; `None` = any (`*`). `PreconditionRequired` without one.
pub fn required(request: &HttpRequest) -> Result<Option<u64>, Fault> {
    if request.headers().contains_key(header::IF_MATCH) {
        return if_match(request);
    }
    Err(Fault::new(Code::PreconditionRequired, "send If-Match with the ETag of what you read, or * to replace whatever stands"))
}

/// Whether the caller has this version already.
pub fn is_known(request: &HttpRequest, version: u64) -> bool {
    let own = tag(version);
    request
        .headers()
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|tags| tags.split(',').map(str::trim).any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == own))
}

/// What stands between the quotes. A weak mark that a proxy added on its way (compression) is taken off.
fn quoted(text: &str) -> Option<&str> {
    let text = text.strip_prefix("W/").unwrap_or(text);
    text.strip_prefix('"')?.strip_suffix('"').filter(|opaque| !opaque.contains(['"', ',']))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn conditions_are_read_or_refused() {
        let read = |text: &str| if_match(&TestRequest::get().insert_header((header::IF_MATCH, text)).to_http_request());
        assert_eq!(read("\"3\"").unwrap(), Some(3));
        assert_eq!(read("W/\"3\"").unwrap(), Some(3));
        assert_eq!(read("*").unwrap(), None);
        assert_eq!(read("\"abc\"").unwrap(), Some(0));
        for malformed in ["3", "\"3", "\"1\", \"2\"", "", "\""] {
            assert_eq!(read(malformed).unwrap_err().code, Code::InvalidHeader, "{malformed}");
        }
        assert_eq!(if_match(&TestRequest::get().to_http_request()).unwrap(), None);
        assert_eq!(required(&TestRequest::get().to_http_request()).unwrap_err().code, Code::PreconditionRequired);
        assert_eq!(required(&TestRequest::get().insert_header((header::IF_MATCH, "*")).to_http_request()).unwrap(), None);
    }
}
