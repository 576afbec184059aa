//! Faults on demand: a queue of rules, each for some requests.

use serde::{Deserialize, Deserializer, Serialize, de::Error};
use serde_json::{Value, json};

const fn one() -> u32 {
    1
}

/// One kind of trouble.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// An HTTP error with a proxy's HTML page; 200 is a page too.
    Html {
        /// HTTP status.
        code: u16,
    },
    /// A JSON-RPC error.
    Error {
        /// HTTP status, 200 or what one likes.
        status: u16,
        /// Its code; those of the remote are unknown.
        code: i64,
        /// Its words.
        message: String,
    },
    /// The token of this request is refused, however good it is.
    ExpiredToken,
    /// `"result": null`.
    NullResult,
    /// No `result` at all.
    NoResult,
    /// An empty list.
    EmptyList,
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
    /// The connection is closed without an answer.
    Drop,
    /// The connection is cut after so many rows.
    CutBody {
        /// Rows that still come.
        after: usize,
    },
    /// Valid HTTP, but the JSON ends after so many rows.
    TruncatedJson {
        /// Rows that still come.
        after: usize,
    },
    /// `totalRows` promises so many rows that never come.
    ShortCount {
        /// How many.
        missing: u64,
    },
    /// The answer carries another id.
    OtherId,
    /// One row is garbage: `offices` is a text, or the row has no id.
    BadRow {
        /// Which row, from 0.
        row: usize,
        /// Whether it is the id that is missing.
        nameless: bool,
    },
    /// 429.
    RateLimited {
        /// `Retry-After` in seconds.
        retry_after: Option<u32>,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Given {
    Html {
        #[serde(default)]
        code: Option<u16>,
    },
    Error {
        #[serde(default)]
        status: Option<u16>,
        #[serde(default)]
        code: i64,
        message: String,
    },
    ExpiredToken {},
    NullResult {},
    NoResult {},
    EmptyList {},
    Hang {
        ms: u64,
    },
    Slow {
        ms: u64,
    },
    Drop {},
    CutBody {
        #[serde(default)]
        after: usize,
    },
    TruncatedJson {
        #[serde(default)]
        after: usize,
    },
    ShortCount {
        #[serde(default)]
        missing: u64,
    },
    OtherId {},
    BadRow {
        #[serde(default)]
        row: usize,
        #[serde(default)]
        nameless: bool,
    },
    RateLimited {
        #[serde(default)]
        retry_after: Option<u32>,
    },
}

impl<'de> Deserialize<'de> for Fault {
    /// `"drop"`, `{"drop": {}}` and `{"cut_body": {"after": 600}}` all work.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = match Value::deserialize(deserializer)? {
            Value::String(name) => json!({ name: {} }),
            other => other,
        };
        let status =
            |code: u16| if (100..=599).contains(&code) { Ok(code) } else { Err(D::Error::custom(format!("{code} is not an HTTP status"))) };
        Ok(match serde_json::from_value(value).map_err(D::Error::custom)? {
            Given::Html { code } => Self::Html { code: status(code.unwrap_or(200))? },
            Given::Error { status: http, code, message } => Self::Error { status: status(http.unwrap_or(200))?, code, message },
            Given::ExpiredToken {} => Self::ExpiredToken,
            Given::NullResult {} => Self::NullResult,
            Given::NoResult {} => Self::NoResult,
            Given::EmptyList {} => Self::EmptyList,
            Given::Hang { ms } => Self::Hang { ms },
            Given::Slow { ms } => Self::Slow { ms },
            Given::Drop {} => Self::Drop,
            Given::CutBody { after } => Self::CutBody { after },
            Given::TruncatedJson { after } => Self::TruncatedJson { after },
            Given::ShortCount { missing } => Self::ShortCount { missing: missing.max(1) },
            Given::OtherId {} => Self::OtherId,
            Given::BadRow { row, nameless } => Self::BadRow { row, nameless },
            Given::RateLimited { retry_after } => Self::RateLimited { retry_after },
        })
    }
}

/// Which requests meet a fault: the first `skip` pass, then `times` are hit.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Requests still to be let pass.
    #[serde(default)]
    pub skip: u32,
    /// Requests still to be hit.
    #[serde(default = "one")]
    pub times: u32,
    /// The trouble.
    pub fault: Fault,
    /// How often it has fired.
    #[serde(default)]
    pub fired: u32,
}

impl Rule {
    /// The next `times` requests meet `fault`.
    pub const fn new(times: u32, fault: Fault) -> Self {
        Self { skip: 0, times, fault, fired: 0 }
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
    pub fn due(&mut self) -> Option<Fault> {
        for rule in self.rules.iter_mut().filter(|rule| rule.times > 0) {
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
    use super::*;

    #[test]
    fn rules_skip_then_fire_then_rest() {
        let mut queue = Queue { rules: vec![Rule { skip: 1, ..Rule::new(2, Fault::Drop) }] };
        let fired: Vec<bool> = (0..5).map(|_| queue.due().is_some()).collect();
        assert_eq!(fired, [false, true, true, false, false]);
    }

    #[test]
    fn faults_are_read_in_three_forms() {
        let read = |text| serde_json::from_str::<Fault>(text);
        assert_eq!(read("\"drop\"").ok(), Some(Fault::Drop));
        assert_eq!(read("{\"cut_body\":{\"after\":600}}").ok(), Some(Fault::CutBody { after: 600 }));
        assert_eq!(read("\"html\"").ok(), Some(Fault::Html { code: 200 }));
        assert!(read("{\"hang\":{\"sec\":50}}").is_err());
        assert!(read("{\"html\":{\"code\":20}}").is_err());
    }
}
