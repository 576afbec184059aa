//! What a failure does to a run: one exhaustive table (design.md section 3).

use chrono::{DateTime, Utc};

use crate::{
    domain::clock,
    fault::{Code, Fault, Kind},
};

/// What becomes of a run that a fault has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// Ends as failed; the cursor stays.
    Fail,
    /// Ends as cancelled.
    Cancel,
    /// Goes back to the queue, not before the moment; another worker may take it up.
    Requeue(Option<DateTime<Utc>>),
    /// Nothing is written any more: the run belongs to somebody else.
    Abandon,
}

/// How often a run goes back to the queue because a database or a remote did not answer, before it is given up.
///
/// Too low: a restart of the shop's database ends runs half way. Too high: a shop that is gone keeps its stream busy for long.
pub const TAKES: u32 = 8;

/// The reaction to `fault` in a run that was taken `attempts` times and has begun to apply or not.
pub fn react(fault: &Fault, attempts: u32, applying: bool) -> Reaction {
    let pause =
        || clock::now() + clock::chrono_duration(clock::scaled(std::time::Duration::from_secs(2u64.saturating_pow(attempts.min(6)))));
    match fault.kind() {
        Kind::RateLimited => Reaction::Requeue(Some(fault.until.unwrap_or_else(pause))),
        Kind::Cancelled if fault.code == Code::Stopping => Reaction::Requeue(None),
        Kind::Cancelled => Reaction::Cancel,
        Kind::LeaseLost => Reaction::Abandon,
        // Half-applied batches are finished by the same run; a read is simply begun anew by the next one.
        Kind::Unavailable if applying && attempts < TAKES => Reaction::Requeue(Some(pause())),
        Kind::Unavailable
        | Kind::Auth
        | Kind::BadItem
        | Kind::Conflict
        | Kind::Config
        | Kind::Protocol
        | Kind::Request
        | Kind::Internal => Reaction::Fail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_pause_and_no_failure() {
        let until = clock::now();
        assert_eq!(react(&Fault::new(Code::RemoteRateLimited, "429").until(until), 1, false), Reaction::Requeue(Some(until)));
    }

    #[test]
    fn a_lost_target_is_tried_again_only_while_applying_and_not_for_ever() {
        let lost = Fault::new(Code::TargetUnavailable, "gone");
        assert!(matches!(react(&lost, 1, true), Reaction::Requeue(Some(_))));
        assert_eq!(react(&lost, TAKES, true), Reaction::Fail);
        assert_eq!(react(&lost, 1, false), Reaction::Fail);
    }

    #[test]
    fn who_lost_the_lease_writes_nothing_more() {
        assert_eq!(react(&Fault::new(Code::LeaseLost, ""), 1, true), Reaction::Abandon);
        assert_eq!(react(&Fault::new(Code::Stopping, ""), 1, true), Reaction::Requeue(None));
        assert_eq!(react(&Fault::new(Code::Cancelled, ""), 1, true), Reaction::Cancel);
    }
}
