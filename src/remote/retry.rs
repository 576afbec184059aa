//! How long to wait before trying again.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

/// Delays between attempts at a call that is safe to replay.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Upper bound of the first delay. Too low hammers a remote that is down; too high makes each hiccup felt.
    pub base: Duration,
    /// Upper bound of any delay.
    pub max: Duration,
    /// Attempts in all, the first included. Too low ends runs on a hiccup; too high keeps a worker busy with a dead remote.
    pub attempts: u32,
    /// Attempts in all while the answer is JSON that breaks off: it seldom heals.
    pub unreadable_attempts: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self { base: Duration::from_millis(500), max: Duration::from_secs(10), attempts: 4, unreadable_attempts: 2 }
    }
}

impl Policy {
    /// The delays between the attempts, not yet scaled: exponential (factor 2) with full jitter, that is evenly spread between
    /// nothing and the bound, so that many clients of one remote do not come back in step.
    pub fn delays(&self) -> impl Iterator<Item = Duration> + Send + use<> {
        ExponentialBuilder::default()
            .with_min_delay(self.base)
            .with_factor(2.0)
            .with_max_delay(self.max)
            .with_max_times(usize::try_from(self.attempts.saturating_sub(1)).unwrap_or(usize::MAX))
            .build()
            .map(|bound| bound.mul_f64(rand::random_range(0.0..=1.0)))
    }
}

/// A pause longer than this (before scaling) is not waited for: the run goes back to the queue and frees its worker.
pub const LONGEST_PAUSE: Duration = super::ports::LONGEST_WAIT;
/// The pauses of one call together (before scaling) may last so long; then the run goes back to the queue.
pub const LONGEST_PAUSES: Duration = Duration::from_secs(120);
/// Most that a remote's `Retry-After` is believed. Too high and one bad header stops an account for hours.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(600);
/// Most that we pause by ourselves when the remote does not say.
const LONGEST_OWN_PAUSE: Duration = Duration::from_secs(60);

/// The pause after the `nth` (from 1) answer in a row that asked us to slow down, not scaled.
///
/// The remote's own word counts the first time (but at least a second); if it still refuses after that, our own ladder of 1, 2,
/// 4, 8 ... 60 s is the least: a `Retry-After: 0` must not become a loop without end.
pub fn pause(nth: u32, retry_after: Option<Duration>) -> Duration {
    let steps = nth.saturating_sub(1).min(6);
    let own = Duration::from_secs(1u64 << steps).min(LONGEST_OWN_PAUSE);
    match retry_after {
        None => own,
        Some(asked) => {
            let least = if nth <= 1 { Duration::from_secs(1) } else { own };
            asked.min(LONGEST_RETRY_AFTER).max(least)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_stay_under_a_doubling_bound() {
        for _ in 0..200 {
            let delays: Vec<_> = Policy::default().delays().collect();
            assert_eq!(delays.len(), 3, "4 attempts in all");
            for (delay, bound) in delays.iter().zip([500, 1_000, 2_000]) {
                assert!(*delay <= Duration::from_millis(bound), "{delay:?} over {bound} ms");
            }
        }
        let many = Policy { attempts: 12, ..Policy::default() };
        assert!(many.delays().all(|delay| delay <= Duration::from_secs(10)));
        assert_eq!(Policy { attempts: 1, ..Policy::default() }.delays().count(), 0);
    }

    #[test]
    fn pauses_believe_the_remote_but_never_loop() {
        let seconds = |nth, asked: Option<u64>| pause(nth, asked.map(Duration::from_secs)).as_secs();
        assert_eq!((1..=9).map(|nth| seconds(nth, None)).collect::<Vec<_>>(), [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(seconds(1, Some(7)), 7);
        assert_eq!(seconds(1, Some(0)), 1);
        assert_eq!(seconds(4, Some(0)), 8);
        assert_eq!(seconds(1, Some(86_400)), 600);
    }
}
