//! What a failure does to a run: one exhaustive table (design.md section 3).

use chrono::{DateTime, Utc};

use crate::{
    domain::clock,
    engine::model::Phase,
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
    /// The same because something did not answer: this is counted, and does not go on for ever.
    Setback(DateTime<Utc>),
    /// Nothing is written any more: the run belongs to somebody else.
    Abandon,
}

/// How often a run goes back to the queue because a database or a remote did not answer, before it is given up.
///
/// Too low: a restart of the shop's database ends runs half way. Too high: a shop that is gone keeps its stream busy for long.
pub const TAKES: u32 = 8;

/// The same for a target that does not answer before anything was written: a short break is bridged, a wrong address is told soon.
const TAKES_BEFORE_WRITING: u32 = 3;

/// How often a run may be taken before it fails by this lost party.
fn takes(fault: &Fault, phase: Phase) -> u32 {
    match (fault.code, phase) {
        // The flow wants its run to end at once: its next run goes on from what was done.
        (Code::RemoteSilent, _) => 0,
        // Half-applied batches are finished by the same run.
        (_, Phase::Apply) => TAKES,
        // Our own tables hold what the run has come to; without them it could not even be written down as failed.
        (Code::DatabaseUnavailable, _) => TAKES,
        // What was read is kept, so going on costs the source nothing.
        (Code::TargetUnavailable, _) => TAKES_BEFORE_WRITING,
        // A read is simply begun anew by the next run.
        _ => 0,
    }
}

/// The reaction to `fault` in a run that was put back `setbacks` times before, because something did not answer, and has come to
/// `phase`. Pauses that a remote asks for, and places given to others, count for nothing.
pub fn react(fault: &Fault, setbacks: u32, phase: Phase) -> Reaction {
    let attempts = setbacks.saturating_add(1);
    let pause =
        || clock::now() + clock::chrono_duration(clock::scaled(std::time::Duration::from_secs(2u64.saturating_pow(attempts.min(6)))));
    match fault.kind() {
        Kind::RateLimited => Reaction::Requeue(Some(fault.until.unwrap_or_else(pause))),
        Kind::Cancelled if matches!(fault.code, Code::Stopping | Code::Yielded) => Reaction::Requeue(None),
        Kind::Cancelled => Reaction::Cancel,
        Kind::LeaseLost => Reaction::Abandon,
        Kind::Unavailable if attempts < takes(fault, phase) => Reaction::Setback(pause()),
        Kind::Unavailable | Kind::Auth | Kind::BadItem | Kind::Config | Kind::Protocol | Kind::Request | Kind::Internal => Reaction::Fail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_pause_and_no_failure() {
        let until = clock::now();
        for setbacks in [0, 1, TAKES, 1_000] {
            let limited = Fault::new(Code::RemoteRateLimited, "429").until(until);
            assert_eq!(react(&limited, setbacks, Phase::Read), Reaction::Requeue(Some(until)));
            assert_eq!(react(&Fault::new(Code::Yielded, ""), setbacks, Phase::Read), Reaction::Requeue(None));
        }
    }

    #[test]
    fn a_lost_target_is_tried_again_but_not_for_ever_and_less_before_anything_is_written() {
        let lost = Fault::new(Code::TargetUnavailable, "gone");
        assert!(matches!(react(&lost, TAKES - 2, Phase::Apply), Reaction::Setback(_)));
        assert_eq!(react(&lost, TAKES - 1, Phase::Apply), Reaction::Fail);
        assert!(matches!(react(&lost, 0, Phase::Decide), Reaction::Setback(_)));
        assert_eq!(react(&lost, TAKES_BEFORE_WRITING - 1, Phase::Decide), Reaction::Fail);
    }

    #[test]
    fn our_own_database_may_break_off_at_any_point() {
        let lost = Fault::new(Code::DatabaseUnavailable, "gone");
        assert!(matches!(react(&lost, 0, Phase::Read), Reaction::Setback(_)));
        assert_eq!(react(&lost, TAKES - 1, Phase::Read), Reaction::Fail);
        assert_eq!(react(&Fault::new(Code::RemoteUnavailable, "503"), 1, Phase::Read), Reaction::Fail);
    }

    #[test]
    fn who_lost_the_lease_writes_nothing_more() {
        assert_eq!(react(&Fault::new(Code::LeaseLost, ""), 1, Phase::Apply), Reaction::Abandon);
        assert_eq!(react(&Fault::new(Code::Stopping, ""), 1, Phase::Apply), Reaction::Requeue(None));
        assert_eq!(react(&Fault::new(Code::Cancelled, ""), 1, Phase::Apply), Reaction::Cancel);
    }
}
