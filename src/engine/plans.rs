//! What waits for a person: finished dry runs, and changes that a brake holds. The port; `store::plans` implements it.
//!
//! A run that waits holds nothing: no lease, no place in the queue, no later run. What a later real run of the stream decides anew
//! replaces what waits: changes that a brake holds are closed at once, those of a dry run when it is approved.

use std::collections::HashSet;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{
    brakes::{Parted, Reading},
    model::{Change, Counts, Phase, Reason, Run, Values},
};
use crate::fault::Fault;

/// Items that a newer run of the same stream has decided anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Newer {
    /// Every item.
    pub all: bool,
    /// These items.
    pub items: HashSet<String>,
}

impl Newer {
    /// Whether the item was decided anew.
    pub fn covers(&self, source: &str) -> bool {
        self.all || self.items.contains(source)
    }
}

/// The last readings of a stream's brakes.
#[derive(Clone, Debug)]
pub struct LastReadings {
    /// The run that took them.
    pub run: String,
    /// When it had decided.
    pub decided_at: DateTime<Utc>,
    /// What its brakes found.
    pub readings: Vec<Reading>,
}

/// What a run has come to by deciding.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// What its brakes found.
    pub readings: Vec<Reading>,
    /// What the target told of the run.
    pub told: Values,
    /// The read that an alarm was raised about.
    pub doubtful: Option<String>,
    /// Counts of what needs no applying, those that wait included; in a dry run of everything.
    pub counts: Counts,
    /// What comes next.
    pub next: Phase,
    /// Whether earlier runs of the stream may wait for a person. None can have come to wait since that was looked at: they would have been
    /// live, and a stream has one live run.
    pub waiting: bool,
}

/// Plans: what was decided and waits.
#[async_trait]
pub trait Plans: Send + Sync {
    /// The usual number of items in the source: the median of the whole reads that the stream has used before `read`.
    async fn usual_size(&self, connection: &str, stream: &str, read: &str) -> Result<Option<u64>, Fault>;
    /// Planned changes after `after` with one of these bits, in the order of the plan.
    async fn flagged(&self, run: &str, risks: u16, after: u64, limit: u32) -> Result<Vec<(Change, u16)>, Fault>;
    /// Holds changes: what waits of each stays in its row, what goes on gets a row of its own. Returns how many wait.
    async fn hold(&self, run: &str, fence: u64, changes: Vec<(Change, Parted)>) -> Result<u64, Fault>;
    /// The run has decided: its readings are kept, and, unless it is a dry run, held changes of earlier runs of its stream that it has
    /// decided anew are closed as superseded; a run that has none left is over. A read that an alarm was raised about (`doubtful`)
    /// does not count for [`Plans::usual_size`] until the run is approved. `told` is what the target told of the run.
    /// In the same step the run's decide phase is over, with these counts of what needs no applying.
    async fn decided(&self, run: &Run, fence: u64, verdict: Verdict) -> Result<(), Fault>;
    /// One reading more of a run that has decided, in place of an earlier one of the same brake.
    async fn note(&self, run: &str, fence: u64, reading: Reading) -> Result<(), Fault>;
    /// How many changes of the run a brake holds.
    async fn waiting(&self, run: &str) -> Result<u64, Fault>;
    /// An approved run's held changes become planned ones; its counts.
    async fn release(&self, run: &str, fence: u64) -> Result<Counts, Fault>;
    /// The next planned changes, as they are, in the order of the plan.
    async fn planned(&self, run: &str, limit: u32) -> Result<Vec<Change>, Fault>;
    /// Leaves planned changes alone, for a reason each; the run's counts.
    async fn leave(&self, run: &str, fence: u64, changes: Vec<(Change, Reason)>) -> Result<Counts, Fault>;
    /// What newer real runs of its stream have decided since.
    async fn newer(&self, run: &str) -> Result<Newer, Fault>;
    /// Ends what waited longer than its plan's time; how many.
    async fn expire(&self) -> Result<u64, Fault>;
    /// What the last decided run of a stream found.
    async fn last_readings(&self, connection: &str, stream: &str) -> Result<Option<LastReadings>, Fault>;
}
