//! By when a stream should have been synchronised again, by the rules of its schedules (pure, with a memory of read rules).
//!
//! Silence is counted in due times, not in hours: a shop whose hours end at 21:00 is not silent at night, and one that is
//! synchronised on Mondays is not silent on Tuesday.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::engine::{
    alerts::facts::{Scheduled, StreamFacts},
    schedule::rule::{Rule, Written},
};

/// The moment at which the last of `periods` due times after `from` comes.
pub fn after(rule: &Rule, from: DateTime<Utc>, periods: u32) -> Option<DateTime<Utc>> {
    rule.upcoming(from, usize::try_from(periods).unwrap_or(usize::MAX)).last().copied()
}

/// From when silence counts under one schedule: the last success, or since when it was to be expected at all.
pub fn silent_since(stream: &StreamFacts, schedule: &Scheduled) -> DateTime<Utc> {
    [stream.last_success_at, stream.watched_from].into_iter().flatten().fold(schedule.since, DateTime::max)
}

/// A deadline that was computed: by which version of the rule, from when, and when.
type Known = (u64, DateTime<Utc>, Option<DateTime<Utc>>);

/// Rules by schedule, read once for each version; and what was computed from them, since a look at thousands of streams must be cheap.
#[derive(Default)]
pub struct Deadlines {
    rules: HashMap<String, (u64, Option<Rule>)>,
    known: HashMap<(String, u32), Known>,
}

impl Deadlines {
    /// Schedules of these streams whose rule is not known in its present version; those that are gone are forgotten.
    pub fn unread(&mut self, streams: &[StreamFacts]) -> Vec<String> {
        let standing: HashMap<&str, u64> =
            streams.iter().flat_map(|stream| &stream.schedules).map(|schedule| (schedule.id.as_str(), schedule.version)).collect();
        self.rules.retain(|id, _| standing.contains_key(id.as_str()));
        self.known.retain(|(id, _), _| standing.contains_key(id.as_str()));
        let read = |id: &str, version: u64| self.rules.get(id).is_some_and(|(known, _)| *known == version);
        standing.iter().filter(|(id, version)| !read(id, **version)).map(|(id, _)| (*id).to_owned()).collect()
    }

    /// Remembers rules that were read. One that cannot be read any more is judged by nobody: the scheduler has stopped it.
    pub fn learn(&mut self, streams: &[StreamFacts], rules: Vec<(String, Written)>) {
        let mut rules: HashMap<String, Written> = rules.into_iter().collect();
        for schedule in streams.iter().flat_map(|stream| &stream.schedules) {
            if let Some(written) = rules.remove(&schedule.id) {
                self.rules.insert(schedule.id.clone(), (schedule.version, Rule::read(&written).ok()));
            }
        }
    }

    /// Since when a stream is silent, and by when it should not be any more: by that schedule which expects it first. `None` = nobody
    /// expects it.
    pub fn of(&mut self, stream: &StreamFacts, periods: u32) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let all = stream.schedules.iter().filter_map(|schedule| {
            let since = silent_since(stream, schedule);
            let key = (schedule.id.clone(), periods);
            let deadline = match self.known.get(&key) {
                Some((version, from, deadline)) if (*version, *from) == (schedule.version, since) => *deadline,
                _ => {
                    let rule = self.rules.get(&schedule.id).filter(|(version, _)| *version == schedule.version);
                    let deadline = rule.and_then(|(_, rule)| rule.as_ref()).and_then(|rule| after(rule, since, periods));
                    self.known.insert(key, (schedule.version, since, deadline));
                    deadline
                }
            };
            deadline.map(|deadline| (since, deadline))
        });
        all.min_by_key(|(_, deadline)| *deadline)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::schedule::rule::Window;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn written(every: &str, window: Option<(&str, &str)>) -> Written {
        let window = window.map(|(from, to)| Window { from: from.into(), to: to.into() });
        Written { every: Some(every.into()), timezone: "Asia/Tashkent".into(), window, ..Written::default() }
    }

    fn stream(last_success_at: Option<&str>, schedules: &[(&str, &str)]) -> StreamFacts {
        let schedule =
            |(id, since): &(&str, &str)| Scheduled { id: (*id).into(), version: 1, since: at(since), last_skip: None, skipping: false };
        StreamFacts {
            last_success_at: last_success_at.map(at),
            schedules: schedules.iter().map(schedule).collect(),
            ..StreamFacts::default()
        }
    }

    fn judged(stream: &StreamFacts, rules: Vec<(&str, Written)>) -> Option<DateTime<Utc>> {
        let mut deadlines = Deadlines::default();
        let streams = std::slice::from_ref(stream);
        assert_eq!(deadlines.unread(streams).len(), stream.schedules.len());
        deadlines.learn(streams, rules.into_iter().map(|(id, rule)| (id.to_owned(), rule)).collect());
        assert_eq!(deadlines.unread(streams), Vec::<String>::new());
        let first = deadlines.of(stream, 3).map(|(_, deadline)| deadline);
        assert_eq!(deadlines.of(stream, 3).map(|(_, deadline)| deadline), first, "the memory tells the same");
        first
    }

    #[test]
    fn three_due_times_may_pass_by_day() {
        let stream = stream(Some("2026-03-02T07:01:00Z"), &[("a", "2026-01-01T00:00:00Z")]);
        assert_eq!(judged(&stream, vec![("a", written("5m", None))]), Some(at("2026-03-02T07:15:00Z")));
    }

    #[test]
    fn a_night_outside_its_hours_is_no_silence() {
        // 21:00 in Tashkent is 16:00 UTC; the last run of the day was at 20:55.
        let stream = stream(Some("2026-03-02T15:56:00Z"), &[("a", "2026-01-01T00:00:00Z")]);
        assert_eq!(judged(&stream, vec![("a", written("5m", Some(("09:00", "21:00"))))]), Some(at("2026-03-03T04:10:00Z")));
    }

    #[test]
    fn days_off_are_no_silence() {
        let rule = Written { days: Some(vec![1, 2, 3, 4, 5]), ..written("24h", Some(("10:00", "11:00"))) };
        // Friday; due again on Monday, Tuesday, Wednesday.
        let stream = stream(Some("2026-03-06T05:01:00Z"), &[("a", "2026-01-01T00:00:00Z")]);
        assert_eq!(judged(&stream, vec![("a", rule)]), Some(at("2026-03-11T05:00:00Z")));
    }

    #[test]
    fn what_never_ran_is_expected_from_when_it_was_started() {
        let mut stream = stream(None, &[("a", "2026-03-02T07:01:00Z")]);
        assert_eq!(judged(&stream, vec![("a", written("1h", None))]), Some(at("2026-03-02T10:00:00Z")));
        stream.watched_from = Some(at("2026-03-02T12:30:00Z"));
        assert_eq!(judged(&stream, vec![("a", written("1h", None))]), Some(at("2026-03-02T15:00:00Z")), "enabled anew");
        stream.schedules.clear();
        assert_eq!(judged(&stream, vec![]), None, "nobody expects it");
    }

    #[test]
    fn the_schedule_that_expects_it_first_counts() {
        let stream = stream(Some("2026-03-02T07:01:00Z"), &[("night", "2026-01-01T00:00:00Z"), ("quick", "2026-01-01T00:00:00Z")]);
        let rules = vec![("night", written("24h", Some(("03:00", "04:00")))), ("quick", written("10m", None))];
        assert_eq!(judged(&stream, rules), Some(at("2026-03-02T07:30:00Z")));
    }

    proptest! {
        /// Whatever the rule: so many due times lie between the silence's beginning and its deadline, and the deadline is one of them.
        #[test]
        fn a_deadline_is_the_nth_due_time(minutes in 1_u32..600, hours in 0_u32..24, long in 1_u32..24, periods in 1_u32..8, from in 0_i64..40_000_000) {
            let window = (format!("{hours:02}:00"), format!("{:02}:00", (hours + long) % 24));
            let window = (long < 24).then_some((window.0.as_str(), window.1.as_str()));
            let rule = Rule::read(&written(&format!("{minutes}m"), window)).unwrap();
            let from = at("2026-01-01T00:00:00Z") + chrono::TimeDelta::seconds(from);
            let deadline = after(&rule, from, periods).unwrap();
            prop_assert!(deadline > from);
            let between = std::iter::successors(rule.next(from), |time| rule.next(*time)).take_while(|time| *time <= deadline).count();
            prop_assert_eq!(between, periods as usize);
        }
    }
}
