//! One look per second for all that may be due in this process, instead of a look by each part; and the bell that wakes them.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{domain::clock, fault::Fault};

/// How often it is looked whether anything is due. Too low: queries at rest; too high: what another process queues starts late.
const POLL: Duration = Duration::from_secs(1);
/// No factor of a test makes it shorter.
const SHORTEST_POLL: Duration = Duration::from_millis(50);

/// Wakes the parts of this process that take up what is due.
#[derive(Debug, Default)]
pub struct Bell {
    /// A run may be taken.
    pub runs: Notify,
    /// A schedule is due.
    pub schedules: Notify,
    /// A hook has come.
    pub hooks: Notify,
}

/// What is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// A run waits for a worker.
    pub runs: bool,
    /// A schedule has come to its time.
    pub schedules: bool,
    /// A hook waits that nobody has taken up.
    pub hooks: bool,
    /// How long it is until the next schedule comes to its time.
    pub next_schedule: Option<Duration>,
}

impl Due {
    /// Unknown: whoever takes something up looks for himself.
    const UNKNOWN: Self = Self { runs: true, schedules: true, hooks: true, next_schedule: None };

    /// How long to wait until the next look: `pause`, less if a schedule comes to its time before that.
    fn wait(&self, pause: Duration) -> Duration {
        self.next_schedule.map_or(pause, |next| pause.min(next.max(SHORTEST_POLL)))
    }
}

/// Tells whether anything is due, by one small query.
#[async_trait]
pub trait Looks: Send + Sync {
    /// Whether anything is due now, by the database's clock.
    async fn due(&self) -> Result<Due, Fault>;
}

/// Looks until `stop`. When the look fails, all are woken: they find out, and say so.
pub async fn watch(store: Arc<dyn Looks>, bell: Arc<Bell>, stop: CancellationToken) {
    let pause = clock::scaled(POLL).max(SHORTEST_POLL);
    loop {
        let due = store.due().await.unwrap_or(Due::UNKNOWN);
        if due.runs {
            bell.runs.notify_one();
        }
        if due.schedules {
            bell.schedules.notify_one();
        }
        if due.hooks {
            bell.hooks.notify_one();
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(due.wait(pause)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_look_is_no_later_than_the_next_schedule() {
        let wait = |next: Option<u64>| Due { next_schedule: next.map(Duration::from_millis), ..Due::default() }.wait(POLL);
        assert_eq!(wait(None), POLL);
        assert_eq!(wait(Some(5_000)), POLL);
        assert_eq!(wait(Some(300)), Duration::from_millis(300));
        assert_eq!(wait(Some(1)), SHORTEST_POLL, "many schedules a moment apart are no reason to look all the time");
    }
}
