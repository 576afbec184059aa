//! What is to be done at a due time (pure): run it, or let it pass since it is too late; and what is due next.

use chrono::{DateTime, TimeDelta, Utc};

use super::rule::{CatchUp, Rule};
use crate::domain::clock;

/// So late a tick is still in time: a busy second, a restart of the service. Lateness beyond it, or beyond the next due time, is a miss.
const GRACE: TimeDelta = TimeDelta::seconds(60);
/// Missed due times that are counted one by one; a year of downtime is told as "at least".
const MOST_MISSED: usize = 100_000;

/// What a claimed due time means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    /// The moment it was decided at, by the database's clock.
    pub now: DateTime<Utc>,
    /// The due time that is run now; `None` = none is.
    pub run: Option<DateTime<Utc>>,
    /// Due times that passed without a run: first, last, how many.
    pub missed: Option<(DateTime<Utc>, DateTime<Utc>, u64)>,
    /// The next due time.
    pub due_at: Option<DateTime<Utc>>,
    /// The same with its jitter.
    pub next_at: Option<DateTime<Utc>>,
}

/// Decides about the due time `due` at the moment `now`. A clock that was put back is no reason to run again: what is next lies
/// after `due` in any case.
pub fn tick(rule: &Rule, schedule: &str, due: DateTime<Utc>, now: DateTime<Utc>) -> Tick {
    let late = now - due - clock::chrono_duration(rule.delay(schedule, due));
    let passed = std::iter::successors(Some(due), |time| rule.next(*time).filter(|next| *next <= now)).take(MOST_MISSED);
    let (mut last, mut before, mut count) = (due, due, 0_u64);
    for time in passed {
        (before, last, count) = (last, time, count + 1);
    }
    // After MOST_MISSED the count ends before now does.
    let due_at = rule.next(last.max(now));
    let next_at = due_at.map(|due| due + clock::chrono_duration(rule.delay(schedule, due)));
    let in_time = count == 1 && late <= GRACE;
    let (run, missed) = match rule.catch_up {
        _ if in_time => (Some(due), None),
        CatchUp::Once => (Some(last), (count > 1).then_some((due, before, count - 1))),
        CatchUp::Skip => (None, Some((due, last, count))),
    };
    Tick { now, run, missed, due_at, next_at }
}

#[cfg(test)]
mod tests {
    use super::{
        super::rule::{Window, Written},
        *,
    };

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn rule(catch_up: CatchUp) -> Rule {
        Rule::read(&Written { every: Some("10m".into()), timezone: "UTC".into(), catch_up, ..Written::default() }).unwrap()
    }

    #[test]
    fn a_tick_in_time_is_run_and_the_next_one_follows_the_rule() {
        let tick = tick(&rule(CatchUp::Skip), "s", at("2026-03-01T10:00:00Z"), at("2026-03-01T10:00:03Z"));
        assert_eq!(tick.run, Some(at("2026-03-01T10:00:00Z")));
        assert_eq!((tick.missed, tick.due_at), (None, Some(at("2026-03-01T10:10:00Z"))));
    }

    #[test]
    fn after_a_downtime_one_catch_up_run_comes_or_none_by_rule() {
        let (due, now) = (at("2026-03-01T10:00:00Z"), at("2026-03-01T10:35:00Z"));
        let once = tick(&rule(CatchUp::Once), "s", due, now);
        assert_eq!(once.run, Some(at("2026-03-01T10:30:00Z")));
        assert_eq!(once.missed, Some((due, at("2026-03-01T10:20:00Z"), 3)));
        let skip = tick(&rule(CatchUp::Skip), "s", due, now);
        assert_eq!((skip.run, skip.missed), (None, Some((due, at("2026-03-01T10:30:00Z"), 4))));
        assert!([once.due_at, skip.due_at].iter().all(|next| *next == Some(at("2026-03-01T10:40:00Z"))));
    }

    #[test]
    fn a_single_late_tick_is_caught_up_or_missed_by_rule() {
        let (due, now) = (at("2026-03-01T10:00:00Z"), at("2026-03-01T10:05:00Z"));
        assert_eq!(tick(&rule(CatchUp::Once), "s", due, now).run, Some(due));
        assert_eq!(tick(&rule(CatchUp::Skip), "s", due, now).run, None);
    }

    #[test]
    fn a_clock_that_was_put_back_runs_nothing_twice() {
        let (due, now) = (at("2026-03-01T10:00:00Z"), at("2026-03-01T09:00:00Z"));
        assert_eq!(tick(&rule(CatchUp::Once), "s", due, now).due_at, Some(at("2026-03-01T10:10:00Z")));
    }

    #[test]
    fn hours_that_ended_while_the_service_was_down_are_caught_up_once() {
        let window = Some(Window { from: "09:00".into(), to: "12:00".into() });
        let rule = Rule::read(&Written { every: Some("1h".into()), timezone: "UTC".into(), window, ..Written::default() }).unwrap();
        let tick = tick(&rule, "s", at("2026-03-01T11:00:00Z"), at("2026-03-01T18:00:00Z"));
        assert_eq!((tick.run, tick.missed), (Some(at("2026-03-01T11:00:00Z")), None));
        assert_eq!(tick.due_at, Some(at("2026-03-02T09:00:00Z")));
    }
}
