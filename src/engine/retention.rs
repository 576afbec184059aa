//! Retention: what is old goes, in small steps, by one worker at a time.
//!
//! Reports (changes with their old values) are kept as long as their connection says (`keep_changes`), runs without their reports
//! longer, so that the history of a stream can still be seen. What a run still needs never goes: a run that is queued, running or
//! waits for a person, one that left intents behind, and the last of each stream stay whole.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{ports::Leases, run::hold::lease_length};
use crate::{
    domain::{clock, ids},
    fault::Fault,
    telemetry::metrics,
};

/// How often it is looked what is old. Rarer lets more pile up, more often finds nothing.
const EVERY: Duration = Duration::from_secs(3_600);
/// Pause between two steps, so that runs and requests get through.
const PAUSE: Duration = Duration::from_millis(20);
/// How long a worker that died keeps the others from this.
const LEASE: Duration = Duration::from_secs(60);
/// Name of the lease.
const LEASE_KEY: &str = "retention";
/// Connections looked at together.
const CONNECTIONS: u32 = 200;
/// Of a connection whose settings do not say how long its reports are kept.
const KEEP_CHANGES: Duration = Duration::from_secs(90 * 86_400);
/// Answers under idempotency keys are promised for so long.
const KEEP_ANSWERS: Duration = Duration::from_secs(86_400);
/// A read of changes feeds other streams for minutes at most.
const KEEP_READS: Duration = Duration::from_secs(86_400);
/// Whole reads tell the brakes the usual size of the source.
const KEEP_WHOLE_READS: Duration = Duration::from_secs(90 * 86_400);
/// Alerts, with what became of them: the history behind `GET /alerts`.
const KEEP_ALERTS: Duration = Duration::from_secs(90 * 86_400);
/// What was read for a deleted connection stays so long: a successor reads for itself.
const KEEP_DELETED: Duration = Duration::from_secs(86_400);

/// What the configuration says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Runs, without their reports.
    pub runs: Duration,
    /// At most so many runs of one stream, however young. Too low: the history of a stream that runs each minute is short.
    pub runs_per_stream: u32,
    /// Entries of the audit.
    pub audit: Duration,
}

/// One kind of rows that grow old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Old {
    /// Reports of ended runs of a connection's stream.
    Changes {
        /// The connection.
        connection: String,
        /// The stream.
        stream: String,
        /// Of runs that ended so long ago,
        age: Duration,
        /// and of all but the youngest.
        runs: u32,
    },
    /// Runs whose reports are gone.
    Runs {
        /// The connection.
        connection: String,
        /// The stream.
        stream: String,
        /// That ended so long ago,
        age: Duration,
        /// and all but the youngest.
        runs: u32,
    },
    /// What was read and noted for a connection that was deleted so long ago; at last it itself, when it has no runs.
    Deleted {
        /// The connection.
        connection: String,
        /// So long ago.
        age: Duration,
    },
    /// Events of a connection, which alerts have told of long ago.
    Events {
        /// The connection.
        connection: String,
        /// That old.
        age: Duration,
    },
    /// Hooks of a connection that were dealt with.
    Hooks {
        /// The connection.
        connection: String,
        /// So long ago.
        age: Duration,
    },
    /// Events that belong to no connection any more.
    StrayEvents(Duration),
    /// What schedules have skipped, save the last of each.
    Skips(Duration),
    /// Answers under idempotency keys.
    Answers(Duration),
    /// Reads of changes, which no stream will use again.
    Reads(Duration),
    /// Whole reads.
    WholeReads(Duration),
    /// Entries of the audit.
    Audit(Duration),
    /// Alerts and their deliveries.
    Alerts(Duration),
}

impl Old {
    /// Word for logs and metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Changes { .. } => "changes",
            Self::Runs { .. } => "runs",
            Self::Deleted { .. } => "deleted_connections",
            Self::Events { .. } | Self::StrayEvents(_) => "events",
            Self::Hooks { .. } => "hooks",
            Self::Skips(_) => "schedule_skips",
            Self::Answers(_) => "idempotency_keys",
            Self::Reads(_) | Self::WholeReads(_) => "reads",
            Self::Audit(_) => "audit",
            Self::Alerts(_) => "alerts",
        }
    }
}

/// A connection as retention looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its id.
    pub id: String,
    /// Its settings.
    pub settings: Value,
    /// It was deleted.
    pub deleted: bool,
    /// Streams that have runs.
    pub streams: Vec<String>,
}

/// What the housekeeper needs of a store.
#[async_trait]
pub trait Housekeeping: Send + Sync {
    /// Connections in order of their ids, deleted ones too.
    async fn kept(&self, after: Option<&str>, limit: u32) -> Result<Vec<Kept>, Fault>;
    /// Takes away one step's worth of what is old; how many rows it touched. 0 = there is no more.
    async fn prune(&self, old: &Old) -> Result<u64, Fault>;
}

/// How long a connection keeps its reports. What cannot be read is kept as long as usual: settings are checked when they are set.
pub fn keep_changes(settings: &Value) -> Duration {
    let said = settings.get("keep_changes").and_then(Value::as_str);
    said.and_then(|text| clock::parse_duration(text).ok()).unwrap_or(KEEP_CHANGES)
}

/// What may be old of one connection.
fn of_connection(kept: &Kept, keep: Keep) -> Vec<Old> {
    let age = keep_changes(&kept.settings);
    let mut all = Vec::new();
    for stream in &kept.streams {
        let (connection, stream, runs) = (kept.id.clone(), stream.clone(), keep.runs_per_stream);
        all.push(Old::Changes { connection: connection.clone(), stream: stream.clone(), age, runs });
        all.push(Old::Runs { connection, stream, age: keep.runs.max(age), runs });
    }
    all.push(Old::Events { connection: kept.id.clone(), age });
    all.push(Old::Hooks { connection: kept.id.clone(), age });
    if kept.deleted {
        all.push(Old::Deleted { connection: kept.id.clone(), age: KEEP_DELETED });
    }
    all
}

/// Prunes in the background.
pub struct Housekeeper {
    store: Arc<dyn Housekeeping>,
    leases: Arc<dyn Leases>,
    keep: Keep,
    name: String,
}

/// The sweep stops early.
enum Stop {
    /// Another worker does it now, or the service stops.
    Over,
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Housekeeper {
    /// One under a name of its own.
    pub fn new(store: Arc<dyn Housekeeping>, leases: Arc<dyn Leases>, keep: Keep) -> Self {
        Self { store, leases, keep, name: ids::fresh() }
    }

    /// Sweeps until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(clock::scaled(EVERY)) => {}
            }
            match self.sweep(&stop).await {
                Ok(()) | Err(Stop::Over) => {}
                // What is left is found by the next sweep.
                Err(Stop::Fault(fault)) => tracing::warn!(error = %fault, "old rows could not be pruned"),
            }
        }
    }

    async fn sweep(&self, stop: &CancellationToken) -> Result<(), Stop> {
        let Some(fence) = self.leases.acquire(LEASE_KEY, &self.name, lease_length(LEASE)).await? else { return Err(Stop::Over) };
        let swept = self.sweep_all(stop, fence).await;
        self.leases.release(LEASE_KEY, &self.name, fence).await?;
        swept
    }

    async fn sweep_all(&self, stop: &CancellationToken, fence: u64) -> Result<(), Stop> {
        let mut pruned: Vec<(&'static str, u64)> = Vec::new();
        let mut note = |word: &'static str, rows: u64| match pruned.iter_mut().find(|(known, _)| *known == word) {
            Some((_, sum)) => *sum += rows,
            None => pruned.push((word, rows)),
        };
        let of_nobody = [
            Old::Answers(KEEP_ANSWERS),
            Old::Reads(KEEP_READS),
            Old::WholeReads(KEEP_WHOLE_READS),
            Old::Audit(self.keep.audit),
            Old::StrayEvents(KEEP_CHANGES),
            Old::Skips(self.keep.runs),
            Old::Alerts(KEEP_ALERTS),
        ];
        for old in of_nobody {
            note(old.word(), self.all_of(&old, stop, fence).await?);
        }
        let mut after: Option<String> = None;
        loop {
            let connections = self.store.kept(after.as_deref(), CONNECTIONS).await?;
            let Some(last) = connections.last() else { break };
            after = Some(last.id.clone());
            for old in connections.iter().flat_map(|kept| of_connection(kept, self.keep)) {
                note(old.word(), self.all_of(&old, stop, fence).await?);
            }
        }
        if pruned.iter().any(|(_, rows)| *rows > 0) {
            let told = pruned.iter().map(|(word, rows)| format!("{word} {rows}")).collect::<Vec<_>>().join(", ");
            tracing::info!(pruned = told, "old rows pruned");
        }
        Ok(())
    }

    /// All that is old of one kind, step by step.
    async fn all_of(&self, old: &Old, stop: &CancellationToken, fence: u64) -> Result<u64, Stop> {
        let mut sum = 0;
        loop {
            if stop.is_cancelled() || !self.leases.renew(LEASE_KEY, &self.name, fence, lease_length(LEASE)).await? {
                return Err(Stop::Over);
            }
            let rows = self.store.prune(old).await?;
            if rows == 0 {
                metrics::pruned(old.word(), sum);
                return Ok(sum);
            }
            sum += rows;
            tokio::time::sleep(PAUSE).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_connection_says_how_long_its_reports_are_kept() {
        let days = |settings: Value| keep_changes(&settings).as_secs() / 86_400;
        assert_eq!((days(json!({})), days(json!({"keep_changes": "7d"})), days(json!({"keep_changes": "soon"}))), (90, 7, 90));
    }

    #[test]
    fn runs_are_never_gone_before_their_reports_and_only_deleted_connections_lose_what_was_read() {
        let keep = Keep { runs: Duration::from_secs(86_400), runs_per_stream: 10, audit: Duration::ZERO };
        let mut kept = Kept { id: "c".to_owned(), settings: json!({"keep_changes": "7d"}), deleted: false, streams: vec!["s".to_owned()] };
        let week = Duration::from_secs(7 * 86_400);
        let (connection, stream) = ("c".to_owned(), "s".to_owned());
        let changes = Old::Changes { connection: connection.clone(), stream: stream.clone(), age: week, runs: 10 };
        let runs = Old::Runs { connection, stream, age: week, runs: 10 };
        let events = Old::Events { connection: "c".to_owned(), age: week };
        let hooks = Old::Hooks { connection: "c".to_owned(), age: week };
        assert_eq!(of_connection(&kept, keep), [changes, runs, events, hooks]);
        kept.deleted = true;
        assert_eq!(of_connection(&kept, keep).len(), 5);
    }
}
