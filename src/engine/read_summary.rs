//! What a read of the source came to. Stored with the read, and with every run that used it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::{Mode, Values};
use crate::fault::FaultView;

/// What the read phase found out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadSummary {
    /// What was really asked: an incremental run may have turned full.
    pub mode: Mode,
    /// Whether an earlier read of the same connection was used.
    pub reused: bool,
    /// Id of the read; empty in runs of versions that did not tell.
    #[serde(default)]
    pub read: String,
    /// Rows that it gave.
    #[serde(default)]
    pub rows: u64,
    /// Start of the read by the remote's own clock.
    pub started_at: DateTime<Utc>,
    /// Totals, last page and distinct ids agreed.
    pub whole: bool,
    /// Everything was asked for and nothing came: true of an empty account and of a key without rights alike, so it proves nothing.
    #[serde(default)]
    pub empty: bool,
    /// Why it is not whole.
    pub doubt: Option<FaultView>,
    /// Rows whose normalised state differs from what we held.
    pub changed: u64,
    /// Changed rows that a delta could have told us of but did not.
    pub missed_by_delta: u64,
    /// What the source told about itself, for the rules.
    #[serde(default)]
    pub facts: Values,
}

impl ReadSummary {
    /// Whether what it did not find is really not there: everything was asked for, and all of it came.
    pub fn proves_absence(&self) -> bool {
        self.mode == Mode::Full && self.whole && !self.empty
    }
}
