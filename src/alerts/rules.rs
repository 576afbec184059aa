//! What is not as it should be (pure): facts and thresholds in, verdicts out. Whether a finding is news is not decided here.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    domain::clock,
    engine::{
        alerts::{
            Finding, Rule, Subject,
            facts::{Facts, StreamFacts},
            settings::Rules,
        },
        schedule::{Skip, SkipReason},
        service::Scope,
    },
    fault::Kind,
};

use super::deadline::Deadlines;

/// A run that a worker is at is a sign of life for so long, however short the stream's periods are: a first import takes its time.
const LONGEST_RUN: Duration = Duration::from_secs(3_600);

/// What a rule says of one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is so.
    Stands(Box<Finding>),
    /// All is well; if a moment is given, only for what began before it.
    Well(Option<DateTime<Utc>>),
    /// Nobody can say at present: what stood, stands.
    Unknown,
    /// It is not judged any more: stopped, disabled, deleted. Nobody is told that it is well.
    Unjudged,
}

/// Verdicts about everything that a scope sees. Rules that are off judge nothing.
pub fn judge(facts: &Facts, scope: &Scope, rules: &Rules, deadlines: &mut Deadlines, now: DateTime<Utc>) -> Vec<(Rule, Subject, Verdict)> {
    let seen = facts.streams.iter().filter(|stream| scope.sees_flow(&stream.place.flow) && scope.sees_owner(stream.place.owner.as_deref()));
    let mut all = Vec::new();
    for stream in seen {
        let mut say = |rule: Rule, verdict: Verdict| {
            if rules.is_on(rule) {
                all.push((rule, stream.subject.clone(), verdict));
            }
        };
        say(Rule::Failures, failures(stream, rules.failures.in_row));
        say(Rule::Held, held(stream));
        say(Rule::RetryList, retry_list(stream, rules.retry_list.items, now));
        say(Rule::Skipped, skipped(stream, rules.skipped.in_row, now));
        say(Rule::Attention, attention(stream));
        if rules.stale.on {
            let expected = deadlines.of(stream, rules.stale.periods);
            say(Rule::Stale, stale(stream, expected, now));
        }
    }
    // An owner can do nothing about it, and is told of their own shop's silence.
    if rules.no_worker.on && scope.owner.is_none() {
        let after = clock::chrono_duration(clock::scaled(clock::parse_duration(&rules.no_worker.after).unwrap_or_default()));
        all.push((Rule::NoWorker, Subject::default(), no_worker(facts, after, now)));
    }
    all
}

fn finding(stream: &StreamFacts, since: DateTime<Utc>) -> Finding {
    Finding { since, level: 0, run: None, params: BTreeMap::new(), why: Vec::new(), place: stream.place.clone() }
}

fn stands(finding: Finding) -> Verdict {
    Verdict::Stands(Box::new(finding))
}

/// Failed runs in a row.
fn failures(stream: &StreamFacts, in_row: u32) -> Verdict {
    match stream.failing_since {
        _ if !stream.enabled => Verdict::Unjudged,
        Some(since) if stream.failures >= in_row.max(1) => {
            let kind = stream.error.as_ref().map_or("internal", |error| kind(error.kind));
            let mut params = BTreeMap::from([("count".to_owned(), stream.failures.to_string()), ("kind".to_owned(), kind.to_owned())]);
            if let Some(error) = &stream.error {
                params.extend([("code".to_owned(), error.code.clone()), ("detail".to_owned(), error.detail.clone())]);
            }
            stands(Finding { run: stream.failed_run.clone(), params, ..finding(stream, since) })
        }
        Some(_) => Verdict::Unknown,
        None => Verdict::Well(None),
    }
}

/// Which sentence says what to do about a kind of failure.
fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Unavailable => "unavailable",
        Kind::RateLimited => "rate_limited",
        Kind::Auth => "auth",
        Kind::BadItem => "bad_item",
        Kind::Config => "config",
        Kind::Protocol => "protocol",
        Kind::LeaseLost | Kind::Cancelled | Kind::Request | Kind::Internal => "internal",
    }
}

/// Changes that wait for a person. While a run of the stream is at work, what it decides anew may wait again in a moment.
fn held(stream: &StreamFacts) -> Verdict {
    match &stream.held {
        Some(waiting) => stands(Finding {
            level: waiting.event,
            run: Some(waiting.run.clone()),
            why: waiting.why.clone(),
            ..finding(stream, waiting.since)
        }),
        None if stream.at_work_since.is_some() => Verdict::Unknown,
        None => Verdict::Well(None),
    }
}

/// What only a person can put right. It is told once; that it was put right, nobody can see.
fn attention(stream: &StreamFacts) -> Verdict {
    let Some(noticed) = &stream.noticed else { return Verdict::Unjudged };
    let mut params = noticed.params.clone();
    params.insert("kind".to_owned(), noticed.kind.clone());
    stands(Finding { level: noticed.event, run: noticed.run.clone(), params, ..finding(stream, noticed.at) })
}

/// Silence: the due times passed, and no run is at work that may still end it.
fn stale(stream: &StreamFacts, expected: Option<(DateTime<Utc>, DateTime<Utc>)>, now: DateTime<Utc>) -> Verdict {
    let Some((since, deadline)) = expected.filter(|_| stream.enabled) else { return Verdict::Unjudged };
    if now < deadline {
        // Only a success proves that it is well: a rule that was edited, or hours that ended, prove nothing.
        return stream.last_success_at.map_or(Verdict::Unjudged, |success| Verdict::Well(Some(success)));
    }
    let patience = (deadline - since).max(clock::chrono_duration(clock::scaled(LONGEST_RUN)));
    if stream.at_work_since.is_some_and(|began| now - began < patience) {
        return Verdict::Unknown;
    }
    let never = if stream.last_success_at.is_none() { "never" } else { "since" };
    let params = BTreeMap::from([("success".to_owned(), never.to_owned())]);
    stands(Finding { params, ..finding(stream, stream.last_success_at.unwrap_or(since)) })
}

/// Items that fail again and again; told again whenever they have doubled.
fn retry_list(stream: &StreamFacts, items: u64, now: DateTime<Utc>) -> Verdict {
    match stream.waiting_items.checked_div(items) {
        Some(times @ 1..) => {
            let params = BTreeMap::from([("count".to_owned(), stream.waiting_items.to_string())]);
            stands(Finding { level: u64::from(times.ilog2()), params, ..finding(stream, now) })
        }
        _ => Verdict::Well(None),
    }
}

/// Due times without a run. Those that pass because somebody disabled the shop are wanted. It is well only after it was well for as long as it was
/// not: where every run takes as long as ten periods, each of them would else be an alert and a recovery.
fn skipped(stream: &StreamFacts, in_row: u64, now: DateTime<Utc>) -> Verdict {
    if !stream.enabled || stream.schedules.is_empty() {
        return Verdict::Unjudged;
    }
    let unwanted = |skip: &&Skip| skip.reason != SkipReason::Disabled;
    let last: Vec<(bool, &Skip)> = stream
        .schedules
        .iter()
        .filter_map(|schedule| schedule.last_skip.as_ref().filter(unwanted).map(|skip| (schedule.skipping, skip)))
        .collect();
    let most = last.iter().filter(|(skipping, skip)| *skipping && skip.count >= in_row).max_by_key(|(_, skip)| skip.count);
    if let Some((_, skip)) = most {
        let reason = if skip.reason == SkipReason::Overlap { "overlap" } else { "missed" };
        let params = BTreeMap::from([("count".to_owned(), skip.count.to_string()), ("reason".to_owned(), reason.to_owned())]);
        return stands(Finding { params, ..finding(stream, skip.first_due_at) });
    }
    let fresh = |skip: &Skip| now - skip.last_due_at < skip.last_due_at - skip.first_due_at;
    if last.iter().any(|(skipping, skip)| *skipping || fresh(skip)) { Verdict::Unknown } else { Verdict::Well(None) }
}

/// Due times are claimed by every worker within a second, however busy it is. Runs may wait long for a busy worker, but not while none is.
fn no_worker(facts: &Facts, after: TimeDelta, now: DateTime<Utc>) -> Verdict {
    let late = |since: Option<DateTime<Utc>>| since.filter(|since| now - *since >= after);
    let queued = late(facts.untaken.queued_since).filter(|_| !facts.untaken.at_work);
    match late(facts.untaken.due_since).into_iter().chain(queued).min() {
        Some(since) => stands(Finding { since, level: 0, run: None, params: BTreeMap::new(), why: Vec::new(), place: Default::default() }),
        None => Verdict::Well(None),
    }
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
