//! What is looked at to judge whether all is well: as it is stored, not as anybody claims it to be.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Place, Subject};
use crate::{
    engine::{
        model::Reason,
        schedule::{Skip, rule::Written},
    },
    fault::{Fault, FaultView},
};

/// A schedule that is started.
#[derive(Clone, Debug)]
pub struct Scheduled {
    /// Its id.
    pub id: String,
    /// Counts its changes.
    pub version: u64,
    /// When a person last changed it: silence before was another rule's.
    pub since: DateTime<Utc>,
    /// What it skipped last.
    pub last_skip: Option<Skip>,
    /// It still does.
    pub skipping: bool,
}

/// A run that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The run.
    pub run: String,
    /// Since when changes of the stream wait.
    pub since: DateTime<Utc>,
    /// Number of the last stored event of its brakes; a new one is news.
    pub event: u64,
    /// What the brakes said then.
    pub why: Vec<Reason>,
}

/// Something that was stored for people to be told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noticed {
    /// Number of the event; a later one is news.
    pub event: u64,
    /// What it is: `not_kept`, `bad_ttn`.
    pub kind: String,
    /// When.
    pub at: DateTime<Utc>,
    /// The run that met it.
    pub run: Option<String>,
    /// What fills its sentence: `count`, `items`.
    pub params: BTreeMap<String, String>,
}

/// A stream, and what its last runs came to.
#[derive(Clone, Debug, Default)]
pub struct StreamFacts {
    /// Which.
    pub subject: Subject,
    /// Its names.
    pub place: Place,
    /// Connection and stream are enabled.
    pub enabled: bool,
    /// Failed runs in a row.
    pub failures: u32,
    /// The first of them.
    pub failing_since: Option<DateTime<Utc>>,
    /// The last of them.
    pub failed_run: Option<String>,
    /// Why it failed.
    pub error: Option<FaultView>,
    /// When it was last synchronised.
    pub last_success_at: Option<DateTime<Utc>>,
    /// When it was enabled anew.
    pub watched_from: Option<DateTime<Utc>>,
    /// Since when a worker is at a run of it.
    pub at_work_since: Option<DateTime<Utc>>,
    /// What waits for a person.
    pub held: Option<Waiting>,
    /// Items of the retry list.
    pub waiting_items: u64,
    /// What happened last, within a day, that a person must look at.
    pub noticed: Option<Noticed>,
    /// Its started schedules.
    pub schedules: Vec<Scheduled>,
}

/// What nobody has taken up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Untaken {
    /// The oldest due time that no scheduler has claimed.
    pub due_since: Option<DateTime<Utc>>,
    /// The oldest run that may be taken.
    pub queued_since: Option<DateTime<Utc>>,
    /// A worker is at some run.
    pub at_work: bool,
}

/// All that is judged in one look.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The database's clock.
    pub now: DateTime<Utc>,
    /// Every stream of every connection.
    pub streams: Vec<StreamFacts>,
    /// What nobody has taken up.
    pub untaken: Untaken,
}

/// What metrics show that no single run can tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Flow, connection, last success.
    pub successes: Vec<(String, String, DateTime<Utc>)>,
    /// Items of the retry list by flow.
    pub waiting_items: Vec<(String, u64)>,
    /// How late the most late schedule is.
    pub lag: std::time::Duration,
}

/// Where facts come from.
#[async_trait]
pub trait FactsSource: Send + Sync {
    /// All facts of this moment.
    async fn facts(&self) -> Result<Facts, Fault>;
    /// Rules of these schedules.
    async fn rules(&self, schedules: &[String]) -> Result<Vec<(String, Written)>, Fault>;
    /// For the metrics.
    async fn measured(&self) -> Result<Measured, Fault>;
}
