//! Faults on demand: a queue of rules, each for some requests of one route.

use serde::{Deserialize, Deserializer, Serialize, de::Error};
use serde_json::{Value, json};

/// Which family of error body (sheet 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Envelope `{code, message, error, data}`.
    A,
    /// Object `{error: {code, message}}`.
    B,
    /// Asynchronous envelope with `status_code`.
    C,
    /// A proxy's HTML page.
    Html,
    /// No body at all.
    Empty,
}

/// What is spoilt in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BadField {
    /// `retail_price: "abc"` in the first price row (one is made up if there is none).
    #[default]
    Price,
    /// `id: null`.
    Id,
    /// `active_measurement_value: "много"` in a stock row.
    Stock,
    /// `name: null`.
    Name,
    /// The row is a string instead of an object.
    Row,
}

const fn one() -> u32 {
    1
}

const fn ten() -> u32 {
    10
}

/// One kind of trouble.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// An HTTP error.
    Status {
        /// HTTP status.
        code: u16,
        /// Form of the body.
        family: Family,
        /// `Retry-After` in seconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after: Option<u32>,
    },
    /// 429 as from the limit.
    RateLimited {
        /// `Retry-After` in seconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after: Option<u32>,
    },
    /// Silence for so many milliseconds, then the connection is closed without an answer.
    Hang {
        /// Milliseconds.
        ms: u64,
    },
    /// The right answer, so many milliseconds late.
    Slow {
        /// Milliseconds.
        ms: u64,
    },
    /// The right answer at once, but its second half only after so many milliseconds.
    SlowBody {
        /// Milliseconds.
        ms: u64,
    },
    /// The connection is closed without an answer, after the request took effect.
    Drop,
    /// The connection is cut in the middle of the body; `Content-Length` promises the whole.
    CutBody,
    /// Valid HTTP, half the JSON.
    TruncatedJson,
    /// All tokens are called back before this request is looked at.
    ExpiredToken,
    /// 200 with `count` 0 and `products` null.
    EmptyList,
    /// `count` is larger than the rows there are, by so many.
    ShortCount {
        /// How many rows are promised and never given.
        missing: u32,
    },
    /// An error body with HTTP 200.
    ErrorIn200 {
        /// A, B or C (html and empty work too).
        family: Family,
    },
    /// After this page is served, rows of it vanish and new products appear, so that the following pages shift.
    Shift {
        /// Rows of this page that vanish: the next page misses as many.
        remove: u32,
        /// New products: with the newest first, the next page repeats as many rows.
        insert: u32,
    },
    /// One row of the page is garbage.
    BadRow {
        /// What is spoilt.
        field: BadField,
        /// Which row of the page, from 0.
        row: u32,
    },
    /// The page before is given again.
    DuplicatePage,
}

/// [`Fault`] with everything optional: the shape that the control API takes.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Given {
    Status {
        code: u16,
        #[serde(default)]
        family: Option<Family>,
        #[serde(default)]
        retry_after: Option<u32>,
    },
    RateLimited {
        #[serde(default)]
        retry_after: Option<u32>,
    },
    Hang {
        ms: u64,
    },
    Slow {
        ms: u64,
    },
    SlowBody {
        ms: u64,
    },
    Drop {},
    CutBody {},
    TruncatedJson {},
    ExpiredToken {},
    EmptyList {},
    ShortCount {
        #[serde(default = "ten")]
        missing: u32,
    },
    #[serde(rename = "error_in_200")]
    ErrorIn200 {
        #[serde(default)]
        family: Option<Family>,
    },
    Shift {
        #[serde(default)]
        remove: u32,
        #[serde(default)]
        insert: u32,
    },
    BadRow {
        #[serde(default)]
        field: BadField,
        #[serde(default)]
        row: u32,
    },
    DuplicatePage {},
}

impl<'de> Deserialize<'de> for Fault {
    /// `"cut_body"`, `{"cut_body": {}}` and `{"status": {"code": 503}}` all work.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = match Value::deserialize(deserializer)? {
            Value::String(name) => json!({ name: {} }),
            other => other,
        };
        Ok(match serde_json::from_value(value).map_err(D::Error::custom)? {
            Given::Status { code, family, retry_after } => {
                if !(100..=599).contains(&code) {
                    return Err(D::Error::custom(format!("{code} is not an HTTP status")));
                }
                Self::Status { code, family: family.unwrap_or(Family::B), retry_after }
            }
            Given::RateLimited { retry_after } => Self::RateLimited { retry_after },
            Given::Hang { ms } => Self::Hang { ms },
            Given::Slow { ms } => Self::Slow { ms },
            Given::SlowBody { ms } => Self::SlowBody { ms },
            Given::Drop {} => Self::Drop,
            Given::CutBody {} => Self::CutBody,
            Given::TruncatedJson {} => Self::TruncatedJson,
            Given::ExpiredToken {} => Self::ExpiredToken,
            Given::EmptyList {} => Self::EmptyList,
            Given::ShortCount { missing } => Self::ShortCount { missing },
            Given::ErrorIn200 { family } => Self::ErrorIn200 { family: family.unwrap_or(Family::B) },
            Given::Shift { remove: 0, insert: 0 } => Self::Shift { remove: 3, insert: 3 },
            Given::Shift { remove, insert } => Self::Shift { remove, insert },
            Given::BadRow { field, row } => Self::BadRow { field, row },
            Given::DuplicatePage {} => Self::DuplicatePage,
        })
    }
}

/// Which requests meet a fault: of those on `route`, the first `skip` pass, then `times` are hit.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Beginning of the path, e.g. `/v2/products`; empty = every route.
    #[serde(default)]
    pub route: String,
    /// Part of the path and query that must occur, e.g. `page=3`; absent = any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Matching requests still to be let pass.
    #[serde(default)]
    pub skip: u32,
    /// Matching requests still to be hit.
    #[serde(default = "one")]
    pub times: u32,
    /// The trouble.
    pub fault: Fault,
    /// How often it has fired.
    #[serde(default)]
    pub fired: u32,
}

impl Rule {
    /// The next `times` requests on `route` meet `fault`.
    pub fn new(route: &str, times: u32, fault: Fault) -> Self {
        Self { route: route.to_owned(), query: None, skip: 0, times, fault, fired: 0 }
    }

    /// Lets the first `skip` matching requests pass.
    #[must_use]
    pub const fn skip(mut self, skip: u32) -> Self {
        self.skip = skip;
        self
    }

    /// Only requests whose path and query contain this text.
    #[must_use]
    pub fn query(mut self, part: &str) -> Self {
        self.query = Some(part.to_owned());
        self
    }
}

/// The queue. At most one rule fires per request, the first that is due.
#[derive(Debug, Default)]
pub struct Queue {
    /// The rules in order, spent ones included, so that their counts can be read.
    pub rules: Vec<Rule>,
}

impl Queue {
    /// The fault for this request, if any.
    pub fn next(&mut self, path: &str, target: &str) -> Option<Fault> {
        let matches = |rule: &&mut Rule| {
            rule.times > 0 && path.starts_with(&rule.route) && rule.query.as_ref().is_none_or(|part| target.contains(part.as_str()))
        };
        for rule in self.rules.iter_mut().filter(matches) {
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            rule.times -= 1;
            rule.fired += 1;
            return Some(rule.fault.clone());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, Queue, Rule};

    #[test]
    fn rules_skip_then_fire_then_rest() {
        let mut queue = Queue { rules: vec![Rule::new("/v2/products", 2, Fault::Drop).skip(1)] };
        let fired: Vec<bool> = (0..5).map(|_| queue.next("/v2/products", "/v2/products?page=1").is_some()).collect();
        assert_eq!(fired, [false, true, true, false, false]);
        assert!(queue.next("/v1/shop", "/v1/shop").is_none());
    }

    #[test]
    fn faults_are_read_in_three_forms() {
        let read = |text| serde_json::from_str::<Fault>(text);
        assert_eq!(read("\"cut_body\"").ok(), Some(Fault::CutBody));
        assert_eq!(read("{\"cut_body\":{}}").ok(), Some(Fault::CutBody));
        assert_eq!(read("\"rate_limited\"").ok(), Some(Fault::RateLimited { retry_after: None }));
        assert_eq!(read("{\"hang\":{\"ms\":50}}").ok(), Some(Fault::Hang { ms: 50 }));
        assert!(read("{\"hang\":{\"sec\":50}}").is_err());
        assert!(read("{\"status\":{\"code\":20}}").is_err());
    }
}
