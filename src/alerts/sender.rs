//! Delivers stored alerts: in every process, one attempt at a time per channel, the oldest alert first.
//!
//! Taking an alert is a compare-and-set that also says when another may take it; what came of the attempt is written down after it. So a process that
//! dies in between delays an alert and loses none. Each channel has its own order and its own pauses: a dead one is in nobody's way.

use std::{sync::Arc, time::Duration};

use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use super::channels::{Channels, Sent};
use crate::{
    domain::clock,
    engine::{
        alerts::{Alerts, Delivered, Taken},
        run::hold::lease_length,
    },
    fault::{Fault, failpoint},
    remote::retry::Policy,
    telemetry::metrics,
};

/// How often waiting alerts are looked for. Too low: queries at rest; too high: people learn late.
const POLL: Duration = Duration::from_secs(2);
/// Attempts of this process at the same time.
const PLACES: u32 = 8;
/// How long a process that died keeps an alert from the others. Must be well above the longest attempt.
const LEASE: Duration = Duration::from_secs(60);
/// An alert that nobody took for so long is given up: what it says is no news any more.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);
/// Pauses between attempts: doubling from half a minute to an hour, spread out.
const PAUSES: Policy = Policy { base: Duration::from_secs(30), max: Duration::from_secs(3_600), attempts: 64, unreadable_attempts: 1 };
/// No pause is shorter.
const SHORTEST_PAUSE: Duration = Duration::from_secs(5);

/// The sender of this process.
pub struct Sender {
    alerts: Arc<dyn Alerts>,
    channels: Arc<Channels>,
}

impl Sender {
    /// Over a store and channels.
    pub fn new(alerts: Arc<dyn Alerts>, channels: Arc<Channels>) -> Self {
        Self { alerts, channels }
    }

    /// Delivers until `stop`; attempts in hand are finished first.
    pub async fn run(self, stop: CancellationToken) {
        let poll = clock::scaled(POLL).max(Duration::from_millis(100));
        let sender = Arc::new(self);
        let mut attempts = JoinSet::new();
        let mut failing = false;
        while !stop.is_cancelled() {
            while attempts.try_join_next().is_some() {}
            let free = PLACES.saturating_sub(u32::try_from(attempts.len()).unwrap_or(u32::MAX));
            let taken_at = Instant::now();
            let taken = if free == 0 { Ok(Vec::new()) } else { sender.alerts.take(free, lease_length(LEASE)).await };
            match taken {
                Ok(taken) => {
                    failing = false;
                    for one in taken {
                        let sender = sender.clone();
                        attempts.spawn(async move { sender.attempt(&one, taken_at).await });
                    }
                }
                Err(fault) => {
                    if !std::mem::replace(&mut failing, true) {
                        tracing::error!(error = %fault, "waiting alerts could not be looked for; it is tried again until it works");
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                // What a channel has waiting behind this alert goes at once.
                Some(_) = attempts.join_next() => {}
                () = tokio::time::sleep(poll) => {}
            }
        }
        while attempts.join_next().await.is_some() {}
    }

    async fn attempt(&self, taken: &Taken, taken_at: Instant) {
        let outcome = match self.deliver(taken, taken_at).await {
            Ok(Some(outcome)) => outcome,
            Ok(None) => return,
            Err(fault) => Delivered::Later(pause(taken.attempt, None), fault.detail),
        };
        failpoint::hit("alert-sent");
        let (word, error) = match &outcome {
            Delivered::Done => ("delivered", None),
            Delivered::Later(_, why) => ("failed", Some(why)),
            Delivered::GivenUp(why) => ("given_up", Some(why)),
            Delivered::Dropped => ("dropped", None),
        };
        metrics::alert_delivery(word);
        match error {
            None => {
                tracing::info!(alert.id = %taken.alert.id, alert.channel = %taken.channel, attempt = taken.attempt, outcome = word, "alert")
            }
            Some(why) => {
                tracing::warn!(alert.id = %taken.alert.id, alert.channel = %taken.channel, attempt = taken.attempt, outcome = word, error = %why, "an alert was not taken")
            }
        }
        if let Err(fault) = self.alerts.delivered(taken, &outcome).await {
            tracing::error!(alert.id = %taken.alert.id, error = %fault, "what came of an alert could not be written down; it is sent again");
        }
    }

    /// `None` = too late: another process may be at it already.
    async fn deliver(&self, taken: &Taken, taken_at: Instant) -> Result<Option<Delivered>, Fault> {
        let Some(kept) = self.alerts.settings(&taken.scope).await? else { return Ok(Some(Delivered::Dropped)) };
        let Some(channel) = kept.settings.channels.iter().find(|channel| channel.id == taken.channel && channel.on) else {
            return Ok(Some(Delivered::Dropped));
        };
        // A process that was paused in between must not send beside its successor.
        if taken_at.elapsed() * 2 > lease_length(LEASE) {
            return Ok(None);
        }
        Ok(Some(match self.channels.send(&taken.scope, &kept.settings, channel, &taken.alert).await {
            Sent::Done(_) => Delivered::Done,
            Sent::Refused(why, _) if taken.age >= clock::scaled(LONGEST) => Delivered::GivenUp(why),
            Sent::Refused(why, asked) => Delivered::Later(pause(taken.attempt, asked), why),
        }))
    }
}

/// How long to wait after the `attempt`th failure (real time). What the receiver asks for is the least.
fn pause(attempt: u32, asked: Option<Duration>) -> Duration {
    let nth = usize::try_from(attempt.saturating_sub(1)).unwrap_or_default();
    let own = PAUSES.delays().nth(nth).unwrap_or(PAUSES.max).max(SHORTEST_PAUSE);
    clock::scaled(own.max(asked.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_obey_the_receiver() {
        for attempt in 1..=100 {
            let own = pause(attempt, None);
            assert!(own >= SHORTEST_PAUSE && own <= PAUSES.max, "{attempt}: {own:?}");
            assert!(attempt > 1 || own <= PAUSES.base);
        }
        assert!(pause(1, Some(Duration::from_secs(500))) >= Duration::from_secs(500));
    }
}
