//! The portal's two limits (sheet 2): a leaky bucket for all calls, and the run time of each method within ten minutes.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

/// One of the ten buckets in which run time is summed.
const MINUTE: Duration = Duration::from_secs(60);
/// How many of them count.
const MINUTES: u32 = 10;

/// The leaky bucket.
#[derive(Debug, Default)]
pub struct Bucket {
    level: f64,
    at: Option<Instant>,
    /// The fullest it has been.
    pub fullest: f64,
    /// Calls it refused.
    pub refused: u64,
}

impl Bucket {
    /// One call more; whether it fits. `drain` is per second of this machine.
    pub fn take(&mut self, now: Instant, drain: f64, size: u32) -> bool {
        let elapsed = self.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.at = Some(now);
        self.level = (self.level - elapsed.as_secs_f64() * drain).max(0.0);
        if self.level + 1.0 > f64::from(size) {
            self.refused += 1;
            return false;
        }
        self.level += 1.0;
        self.fullest = self.fullest.max(self.level);
        true
    }
}

/// Run time of the methods.
#[derive(Debug, Default)]
pub struct Operating {
    spent: HashMap<String, VecDeque<(Instant, f64)>>,
    /// Calls it refused.
    pub refused: u64,
}

/// What an answer says about its method's run time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spent {
    /// Seconds within the last ten minutes.
    pub seconds: f64,
    /// Until the oldest of them no longer counts, in the portal's time.
    pub resets_in: Duration,
}

impl Operating {
    /// What a method has spent in the last ten minutes, divided by the time factor.
    pub fn spent(&mut self, method: &str, now: Instant, factor: f64) -> Spent {
        let window = (MINUTE * MINUTES).div_f64(factor);
        let entries = self.spent.entry(method.to_owned()).or_default();
        while entries.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) >= window) {
            entries.pop_front();
        }
        let resets_in = entries.front().map_or(window, |(at, _)| window.saturating_sub(now.saturating_duration_since(*at)));
        Spent { seconds: entries.iter().map(|(_, cost)| cost).sum(), resets_in: resets_in.mul_f64(factor) }
    }

    /// Adds a call's cost to its minute.
    pub fn add(&mut self, method: &str, now: Instant, cost: f64, factor: f64) {
        let minute = MINUTE.div_f64(factor);
        let entries = self.spent.entry(method.to_owned()).or_default();
        match entries.back_mut().filter(|(at, _)| now.saturating_duration_since(*at) < minute) {
            Some((_, sum)) => *sum += cost,
            None => entries.push_back((now, cost)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_holds_fifty_and_drains_two_a_second() {
        let (mut bucket, start) = (Bucket::default(), Instant::now());
        let passed = (0..60).filter(|_| bucket.take(start, 2.0, 50)).count();
        assert_eq!((passed, bucket.refused), (50, 10));
        let later = start + Duration::from_secs(3);
        assert_eq!((0..10).filter(|_| bucket.take(later, 2.0, 50)).count(), 6);
    }

    #[test]
    fn run_time_is_forgotten_after_ten_minutes_divided_by_the_factor() {
        let (mut operating, start) = (Operating::default(), Instant::now());
        operating.add("a", start, 300.0, 60.0);
        operating.add("a", start + Duration::from_secs(2), 200.0, 60.0);
        let spent = operating.spent("a", start + Duration::from_secs(3), 60.0);
        assert_eq!((spent.seconds, spent.resets_in.as_secs()), (500.0, 420));
        assert_eq!(operating.spent("a", start + Duration::from_secs(11), 60.0).seconds, 200.0);
        assert_eq!(operating.spent("b", start, 60.0).seconds, 0.0);
    }
}
