//! One taxonomy of failures, for runs and for the API alike.
//!
//! A [`Fault`] is what went wrong, in words a shop owner's administrator can act on. Its [`Code`] is a row of the one
//! table in [`codes`]: stable name, [`Kind`] (which decides the reaction, `design.md` section 3), HTTP status, sentence and
//! next step. Nothing secret ever goes into `detail`.
//!
//! Start reading at [`codes`].

pub mod codes;
pub mod failpoint;

use std::{fmt, sync::Arc};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use codes::Code;

/// What a run does about a failure. One exhaustive reaction each, in `engine::reaction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Retry with backoff, then end the run; the cursor is kept.
    Unavailable,
    /// Stop all calls to that account until the given moment. Not counted as a failure.
    RateLimited,
    /// One single-flight refresh and one replay, then stop.
    Auth,
    /// To the retry list; the other items go on.
    BadItem,
    /// Nothing is called: the settings must be mended first.
    Config,
    /// An answer we cannot read: no blind retry.
    Protocol,
    /// Somebody else owns this run now: write nothing more.
    LeaseLost,
    /// A person or a stop of the service ended it.
    Cancelled,
    /// The caller of the API has to change the request.
    Request,
    /// Our own mistake.
    Internal,
}

/// One wrong field of a request or of a remote record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// RFC 6901 JSON pointer from the root of the body; query parameters stand as `?name`.
    pub pointer: String,
    /// What is wrong with it and what would be right.
    pub detail: String,
}

impl FieldError {
    /// A field error at `pointer`.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}

/// A failure: code of the table, plain sentence, and what is needed to react.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Row of the table of codes.
    pub code: Code,
    /// What failed and for what input; never a secret.
    pub detail: String,
    /// Wrong fields, if it is about fields.
    pub fields: Vec<FieldError>,
    /// For [`Kind::RateLimited`]: not before this moment. For others: when to try again, if known.
    pub until: Option<DateTime<Utc>>,
    /// Path of the resource in the way, such as `/sync/runs/…` for `stream-busy`.
    pub resource: Option<String>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// Short for results of this crate.
pub type Result<T, E = Fault> = std::result::Result<T, E>;

impl Fault {
    /// A fault of `code` with a sentence for people.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), fields: Vec::new(), until: None, resource: None, source: None }
    }

    /// The same with the private cause, which is logged but never shown.
    #[must_use]
    pub fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// Several wrong fields, all of them told in the detail as well.
    pub fn of_fields(code: Code, fields: Vec<FieldError>) -> Self {
        let detail = fields.iter().map(|field| format!("{}: {}", field.pointer, field.detail)).collect::<Vec<_>>().join("; ");
        Self::new(code, detail).with_fields(fields)
    }

    /// The same with wrong fields.
    #[must_use]
    pub fn with_fields(mut self, fields: Vec<FieldError>) -> Self {
        self.fields = fields;
        self
    }

    /// The same with a moment before which nothing should be tried.
    #[must_use]
    pub fn until(mut self, until: DateTime<Utc>) -> Self {
        self.until = Some(until);
        self
    }

    /// The same with the path of the resource in the way.
    #[must_use]
    pub fn at(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// Which reaction this fault calls for.
    pub fn kind(&self) -> Kind {
        self.code.kind()
    }

    /// One wrong field of a request: 422 with its pointer.
    pub fn field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let error = FieldError::new(pointer, detail);
        Self::new(Code::ValidationFailed, format!("{}: {}", error.pointer, error.detail)).with_fields(vec![error])
    }

    /// Several wrong fields of a request.
    pub fn fields(fields: Vec<FieldError>) -> Self {
        let detail = fields.iter().map(|field| format!("{}: {}", field.pointer, field.detail)).collect::<Vec<_>>().join("; ");
        Self::new(Code::ValidationFailed, detail).with_fields(fields)
    }

    /// Our own mistake, with its cause for the log.
    pub fn internal(detail: impl Into<String>) -> Self {
        Self::new(Code::Internal, detail)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.code.name(), self.detail)?;
        let mut cause = self.source.as_ref().map(|source| &**source as &dyn std::error::Error);
        while let Some(error) = cause {
            write!(out, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}

/// The durable and public form of a fault: what a run's `error` and an item's failure hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultView {
    /// Stable code, as in the table.
    pub code: String,
    /// Which kind of failure.
    pub kind: Kind,
    /// What failed.
    pub detail: String,
    /// What to do next.
    pub next: String,
}

impl From<&Fault> for FaultView {
    fn from(fault: &Fault) -> Self {
        Self { code: fault.code.name().to_owned(), kind: fault.kind(), detail: fault.detail.clone(), next: fault.code.next().to_owned() }
    }
}
