//! What an answer is. The judging is pure: status, headers and bytes in, [`Class`] out; it sees successful answers too, since a
//! 200 may be an error.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::HeaderMap;
use reqwest::{StatusCode, header};

use super::{redact, retry};

/// An answer as it came, its body complete.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, unpacked.
    pub body: Vec<u8>,
}

/// What an answer is, with the remote's own words where it is not good.
///
/// The words go through [`redact::words`] before they reach anybody; a judge need not do that itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class<T> {
    /// What was asked for.
    Good(T),
    /// The remote cannot serve at present.
    Unavailable(String),
    /// Not the remote's own answer: HTML or nothing where JSON should be.
    Garbled(String),
    /// The beginning of an answer, or one of another shape than we know.
    Unreadable(String),
    /// We are to slow down; after what time, if it says.
    RateLimited {
        /// From `Retry-After`, clamped.
        retry_after: Option<Duration>,
        /// The remote's words.
        detail: String,
    },
    /// The bearer token is not, or no longer, accepted.
    TokenExpired(String),
    /// The credentials themselves are refused.
    Auth(String),
    /// The credentials lack a right.
    Forbidden(String),
    /// The request is refused, and would be again.
    Rejected(String),
}

impl<T> Class<T> {
    /// Name in metrics and logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Good(_) => "good",
            Self::Unavailable(_) => "unavailable",
            Self::Garbled(_) => "garbled",
            Self::Unreadable(_) => "unreadable",
            Self::RateLimited { .. } => "rate_limited",
            Self::TokenExpired(_) => "token_expired",
            Self::Auth(_) => "auth",
            Self::Forbidden(_) => "forbidden",
            Self::Rejected(_) => "rejected",
        }
    }
}

impl Reply {
    /// The class that the HTTP status alone decides, with `words` as its detail (the status itself where there are none);
    /// `None` for 2xx, which only the system's own judge can tell.
    ///
    /// 5xx except 501 and 505, 408 and 425 may pass by themselves. A redirect is refused: API clients follow none
    /// (design.md section 9).
    pub fn by_status<T>(&self, words: Option<String>) -> Option<Class<T>> {
        let code = self.status.as_u16();
        let detail = match words {
            Some(words) if !words.trim().is_empty() => format!("HTTP {code}: {words}"),
            _ => format!("HTTP {code}"),
        };
        Some(match code {
            200..=299 => return None,
            429 => Class::RateLimited { retry_after: self.retry_after(), detail },
            401 => Class::TokenExpired(detail),
            403 => Class::Forbidden(detail),
            408 | 425 => Class::Unavailable(detail),
            501 | 505 => Class::Rejected(detail),
            500.. => Class::Unavailable(detail),
            300..=399 => Class::Rejected(format!("{detail}: a redirect, which is not followed; is the base address right?")),
            _ => Class::Rejected(detail),
        })
    }

    /// A body that cannot be JSON at all: empty, or HTML. `None` if it may be.
    pub fn garbled<T>(&self) -> Option<Class<T>> {
        let first = self.body.iter().copied().find(|byte| !byte.is_ascii_whitespace());
        match first {
            None => Some(Class::Garbled(format!("HTTP {} with an empty body", self.status.as_u16()))),
            Some(b'<') => Some(Class::Garbled(format!("HTTP {} with a web page instead of JSON", self.status.as_u16()))),
            Some(_) => None,
        }
    }

    /// `Retry-After` in seconds or as a date (measured against the answer's own `Date`, else our clock), at most ten minutes.
    pub fn retry_after(&self) -> Option<Duration> {
        let text = self.headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
        let asked = match text.parse::<f64>() {
            Ok(seconds) => Duration::try_from_secs_f64(seconds).ok()?,
            Err(_) => {
                let until: DateTime<Utc> = httpdate::parse_http_date(text).ok()?.into();
                (until - self.date().unwrap_or_else(Utc::now)).to_std().unwrap_or(Duration::ZERO)
            }
        };
        Some(asked.min(retry::LONGEST_RETRY_AFTER))
    }

    /// The `Date` header, if it can be read.
    pub fn date(&self) -> Option<DateTime<Utc>> {
        let text = self.headers.get(header::DATE)?.to_str().ok()?;
        httpdate::parse_http_date(text.trim()).ok().map(Into::into)
    }

    /// Beginning of the body for the log, masked; `secrets` are those that a remote might echo.
    pub fn sample(&self, secrets: &[&str]) -> String {
        // Hidden before the sample is cut, or the beginning of a secret could stand at its end.
        let longest = secrets.iter().map(|secret| secret.len()).max().unwrap_or_default();
        let head = self.body.get(..redact::SAMPLE + longest).unwrap_or(&self.body);
        redact::sample(redact::hide(String::from_utf8_lossy(head).into_owned(), secrets).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::remote::testing::reply;

    fn class(status: u16) -> &'static str {
        reply(status, &[], "").by_status::<()>(None).map_or("none", |class| class.name())
    }

    #[test]
    fn a_status_alone_decides_all_but_success() {
        let table = [
            (200, "none"),
            (204, "none"),
            (301, "rejected"),
            (304, "rejected"),
            (400, "rejected"),
            (401, "token_expired"),
            (403, "forbidden"),
            (404, "rejected"),
            (408, "unavailable"),
            (422, "rejected"),
            (425, "unavailable"),
            (429, "rate_limited"),
            (500, "unavailable"),
            (501, "rejected"),
            (502, "unavailable"),
            (503, "unavailable"),
            (504, "unavailable"),
            (520, "unavailable"),
        ];
        for (status, expected) in table {
            assert_eq!(class(status), expected, "HTTP {status}");
        }
    }

    #[test]
    fn retry_after_comes_in_seconds_or_as_a_date_and_is_clamped() {
        let after = |value: &str| reply(429, &[("retry-after", value), ("date", "Sun, 22 Nov 2026 10:00:00 GMT")], "").retry_after();
        assert_eq!(after("7"), Some(Duration::from_secs(7)));
        assert_eq!(after(" 1.5 "), Some(Duration::from_millis(1_500)));
        assert_eq!(after("0"), Some(Duration::ZERO));
        assert_eq!(after("86400"), Some(Duration::from_secs(600)));
        assert_eq!(after("Sun, 22 Nov 2026 10:00:20 GMT"), Some(Duration::from_secs(20)));
        assert_eq!(after("Sun, 22 Nov 2026 09:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(after("-3"), None);
        assert_eq!(after("soon"), None);
        assert_eq!(after("NaN"), None);
        assert_eq!(reply(429, &[], "").retry_after(), None);
    }

    #[test]
    fn pages_and_nothing_are_not_json() {
        let garbled = |body| reply(200, &[], body).garbled::<()>().is_some();
        assert!(garbled("") && garbled(" \r\n") && garbled("<html>") && garbled("\n <!doctype html>"));
        assert!(!garbled("{}") && !garbled("null"));
    }

    proptest! {
        #[test]
        fn no_header_upsets_it(value in "\\PC{0,40}") {
            if let Ok(value) = header::HeaderValue::from_str(&value) {
                let mut answer = reply(429, &[], "");
                answer.headers.insert(header::RETRY_AFTER, value);
                prop_assert!(answer.retry_after().is_none_or(|pause| pause <= retry::LONGEST_RETRY_AFTER));
            }
        }
    }
}
