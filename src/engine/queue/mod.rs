//! The queue of runs: which waiting run is taken next, and why another one waits (design.md section 7).
//!
//! - [`order`]: the rules (pure): fair over owners, bounded per worker, system and connection, prices and stock before pictures
//! - [`watch`]: one small look at the database per second, which wakes workers and scheduler; what this process queues itself wakes
//!   them at once
//!
//! What counts is counted in the database, so any number of processes share it. A run whose connection is in another run's hands is
//! not taken: it would only hold a place. A run that has to wait for long goes back into the queue and frees its place.

pub mod order;
pub mod watch;

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::model::{Phase, Run, Trigger};

/// The lease under which one run at a time reads a connection's source.
pub fn read_lease(connection: &str) -> String {
    format!("read:{connection}")
}

/// The lease under which one run at a time decides on and writes to a target.
pub fn target_lease(space: &str) -> String {
    format!("target:{space}")
}

/// The lease under which one run at a time fetches the pictures of a link space.
pub fn pictures_lease(space: &str) -> String {
    format!("pictures:{space}")
}

/// How many runs may be at work at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// That read from one system, over all processes.
    pub per_system: u32,
    /// Of one connection, over all processes.
    pub per_connection: u32,
}

impl Default for Caps {
    fn default() -> Self {
        Self { per_system: 16, per_connection: 2 }
    }
}

/// What a run has to hold for its next step, so that two that need the same are not taken at once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// The source of its connection.
    Source(String),
    /// Its target.
    Target(String),
    /// The pictures of its link space.
    Pictures(String),
    /// Nothing that others need: a dry run that only looks.
    Nothing,
}

impl Need {
    /// What a run needs at the step that it has reached.
    pub fn of(phase: Phase, dry_run: bool, connection: &str, space: &str) -> Self {
        match phase {
            Phase::Read => Self::Source(connection.to_owned()),
            Phase::Decide if dry_run => Self::Nothing,
            Phase::Decide | Phase::Apply => Self::Target(space.to_owned()),
            Phase::Pictures => Self::Pictures(space.to_owned()),
            Phase::Done | Phase::Pruned => Self::Nothing,
        }
    }
}

/// What a run is counted under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Belongs {
    /// Its connection.
    pub connection: String,
    /// The system that it reads from.
    pub system: String,
    /// Whose turn it is: the owner, or the connection where it has none.
    pub party: String,
    /// What its next step has to hold.
    pub need: Need,
}

/// A run that waits for a worker: queued, or left by a worker that fell silent.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The run.
    pub run: String,
    /// Its fence when it was looked at.
    pub fence: u64,
    /// What it is counted under.
    pub belongs: Belongs,
    /// The step it has reached.
    pub phase: Phase,
    /// What started it.
    pub trigger: Trigger,
    /// Since when it waits.
    pub since: DateTime<Utc>,
    /// How long that is, by the database's clock.
    pub waited: Duration,
    /// When a run of its party was last taken.
    pub turn: Option<DateTime<Utc>>,
    /// Whether another run, or one that died, holds what it needs.
    pub barred: bool,
    /// Not to be taken before; only where that lies ahead.
    pub not_before: Option<DateTime<Utc>>,
    /// How often in a row a worker that held it fell silent without a step forward.
    pub losses: u32,
    /// Whether a worker that held it has just fallen silent.
    pub lost: bool,
}

/// A run that is at work.
#[derive(Clone, Debug)]
pub struct Live {
    /// What it is counted under.
    pub belongs: Belongs,
}

/// What a run's own row does not tell of its way through the queue.
#[derive(Clone, Debug, Default)]
pub struct Passage {
    /// How often it was put back because a database or a remote did not answer.
    pub setbacks: u32,
    /// How often in a row a worker that held it fell silent without a step forward.
    pub losses: u32,
    /// Where it stands; filled in for people who look at a queued run.
    pub standing: Option<Standing>,
}

/// Where a queued run stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// 1 = the next to be taken. `None` while it may not be taken at all, or far behind.
    pub position: Option<u32>,
    /// Since when it waits.
    pub since: DateTime<Utc>,
    /// What for.
    pub waits_for: WaitsFor,
}

/// What a queued run waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitsFor {
    /// A moment: a remote asked us to slow down, or something did not answer.
    Moment,
    /// Another run of its connection or shop, which holds what it needs.
    Connection,
    /// Runs of its connection: as many as may be are at work.
    ConnectionFull,
    /// Runs that read from its system: as many as may be are at work.
    SystemFull,
    /// A worker with a free place.
    Place,
}

impl WaitsFor {
    /// Stable code of its sentence.
    pub fn code(self) -> &'static str {
        match self {
            Self::Moment => "queue_moment",
            Self::Connection => "queue_connection",
            Self::ConnectionFull => "queue_connection_full",
            Self::SystemFull => "queue_system_full",
            Self::Place => "queue_place",
        }
    }
}

/// What a worker asks for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The worker.
    pub worker: String,
    /// How long a silent worker keeps its runs.
    pub lease: Duration,
    /// Free places.
    pub places: usize,
    /// What may be at work at once.
    pub caps: Caps,
}

/// What a worker got.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// Runs that are its own now.
    pub claimed: Vec<super::ports::Claimed>,
    /// Runs that were looked at in vain: somebody else has them.
    pub gone: Vec<String>,
    /// Whether another run could be taken, had the worker a place for it.
    pub more: bool,
}

/// How often a worker may fall silent over a run, without a step forward in between, before the run is given up.
///
/// Too low: a few unlucky restarts end a run half way. Too high: a run that kills its process takes others with it for long.
pub const MOST_LOSSES: u32 = 12;

/// Where these runs stand among all that wait.
pub fn standings(waiting: &[Waiting], live: &[Live], caps: Caps, runs: &mut [Run]) {
    let standings = order::standings(waiting, live, caps);
    for run in runs {
        run.passage.standing = standings.get(run.id.as_str()).cloned();
    }
}
