//! Looks for due schedules and queues their runs. Any number of copies do it side by side: a tick belongs to whoever changes the
//! schedule's due time first.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{Due, Outcome, Schedule, Schedules, rule::Rule, tick};
use crate::{domain::clock, engine::queue::watch::Bell, fault::Fault, telemetry::metrics};

/// Due schedules are looked for when the bell rings ([`crate::engine::queue::watch`]) and, whatever becomes of that, so often.
const POLL: Duration = Duration::from_secs(30);
/// Schedules claimed in one transaction. Too low: a commit for each when a thousand are due in one second; too high: whoever edits one
/// of them waits.
const BATCH: u32 = 25;

/// The scheduler of this process.
pub struct Scheduler {
    schedules: Arc<dyn Schedules>,
    bell: Arc<Bell>,
}

impl Scheduler {
    /// Over a store.
    pub fn new(schedules: Arc<dyn Schedules>, bell: Arc<Bell>) -> Self {
        Self { schedules, bell }
    }

    /// Looks until `stop`. A failure is logged and the next look comes at its time: a schedule never stops silently.
    pub async fn run(self, stop: CancellationToken) {
        let poll = clock::scaled(POLL).max(Duration::from_millis(500));
        let mut failing = false;
        while !stop.is_cancelled() {
            let full = match self.look().await {
                Ok(claimed) => {
                    if std::mem::take(&mut failing) {
                        tracing::info!("due schedules can be looked for again");
                    }
                    claimed >= BATCH as usize
                }
                Err(fault) => {
                    if !std::mem::replace(&mut failing, true) {
                        tracing::error!(error = %fault, "due schedules could not be looked for; it is tried again until it works");
                    }
                    false
                }
            };
            if full {
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.bell.schedules.notified() => {}
                () = tokio::time::sleep(poll) => {}
            }
        }
    }

    /// Claims what is due, up to one batch; how many schedules were due.
    pub async fn look(&self) -> Result<usize, Fault> {
        let taken = self.schedules.take_due(BATCH, decide).await?;
        metrics::schedule_lag(taken.iter().filter_map(|(schedule, tick, _)| lag(schedule, tick)).max().unwrap_or_default());
        for (schedule, tick, outcome) in &taken {
            tell(schedule, tick, outcome);
        }
        Ok(taken.len())
    }
}

/// A rule that can no longer be read (a time zone that was abolished) must not stop the others: it stops itself, and says so.
fn decide(due: Due) -> (Schedule, tick::Tick) {
    let Due { schedule, now } = due;
    let stopped = tick::Tick { run: None, missed: None, due_at: None, next_at: None, now };
    let tick = match (Rule::read(&schedule.rule), schedule.due_at) {
        (Ok(rule), Some(due)) => tick::tick(&rule, &schedule.id, due, now),
        (Err(errors), _) => {
            tracing::error!(schedule.id = %schedule.id, errors = ?errors, "a schedule's rule can no longer be read; it is stopped");
            stopped
        }
        (Ok(_), None) => stopped,
    };
    (schedule, tick)
}

fn lag(schedule: &Schedule, tick: &tick::Tick) -> Option<Duration> {
    tick.run.and(schedule.next_at).and_then(|next| (tick.now - next).to_std().ok())
}

fn tell(schedule: &Schedule, tick: &tick::Tick, outcome: &Outcome) {
    match outcome {
        Outcome::Started(run) => {
            tracing::info!(schedule.id = %schedule.id, run.id = %run, connection.id = %schedule.connection, stream = %schedule.stream, "a schedule queued its run");
        }
        Outcome::Skipped(reason) => {
            tracing::info!(schedule.id = %schedule.id, connection.id = %schedule.connection, stream = %schedule.stream, reason = reason.code(), "a schedule skipped a due time");
        }
        Outcome::Taken => {}
    }
    if let (Some((first, last, count)), false) = (tick.missed, *outcome == Outcome::Taken) {
        tracing::warn!(schedule.id = %schedule.id, %first, %last, count, "due times passed without a run");
    }
}
