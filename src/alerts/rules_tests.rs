use proptest::prelude::*;

use super::*;
use crate::{
    engine::{
        alerts::{
            Place,
            facts::{Noticed, Scheduled, Untaken, Waiting},
        },
        model::Reason,
        schedule::{Skip, rule::Written},
    },
    fault::{Code, Fault, FaultView},
};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

const NOW: &str = "2026-03-02T10:00:00Z";

fn stream() -> StreamFacts {
    StreamFacts {
        subject: Subject { connection: "c".into(), stream: "s".into() },
        place: Place {
            flow: "billz-opencart".into(),
            connection: "Shop".into(),
            stream: "Chilonzor".into(),
            owner: Some("seller:42".into()),
        },
        enabled: true,
        schedules: vec![Scheduled { id: "five".into(), version: 1, since: at("2026-01-01T00:00:00Z"), last_skip: None, skipping: false }],
        last_success_at: Some(at("2026-03-02T09:56:00Z")),
        ..StreamFacts::default()
    }
}

fn facts(streams: Vec<StreamFacts>) -> Facts {
    Facts { now: at(NOW), streams, untaken: Untaken::default() }
}

/// A stream's schedule is every five minutes.
fn deadlines(streams: &[StreamFacts]) -> Deadlines {
    let mut deadlines = Deadlines::default();
    let rule = Written { every: Some("5m".into()), timezone: "UTC".into(), ..Written::default() };
    let unread = deadlines.unread(streams);
    deadlines.learn(streams, unread.into_iter().map(|id| (id, rule.clone())).collect());
    deadlines
}

fn verdict_at(stream: StreamFacts, rule: Rule, now: &str) -> Verdict {
    let facts = facts(vec![stream]);
    let mut deadlines = deadlines(&facts.streams);
    let all = judge(&facts, &Scope::all(), &Rules::default(), &mut deadlines, at(now));
    all.into_iter().find(|(found, ..)| *found == rule).unwrap().2
}

fn verdict(stream: StreamFacts, rule: Rule) -> Verdict {
    verdict_at(stream, rule, NOW)
}

fn found(verdict: Verdict) -> Finding {
    match verdict {
        Verdict::Stands(finding) => *finding,
        other => panic!("{other:?}"),
    }
}

fn failing(times: u32) -> StreamFacts {
    let error = FaultView::from(&Fault::new(Code::RemoteAuth, "the key is refused"));
    StreamFacts {
        failures: times,
        failing_since: Some(at("2026-03-02T09:30:00Z")),
        failed_run: Some("r".into()),
        error: Some(error),
        ..stream()
    }
}

#[test]
fn three_failures_in_a_row_are_told_with_what_to_do() {
    assert_eq!(verdict(stream(), Rule::Failures), Verdict::Well(None));
    assert_eq!(verdict(failing(2), Rule::Failures), Verdict::Unknown);
    let finding = found(verdict(failing(3), Rule::Failures));
    assert_eq!((finding.since, finding.run.as_deref()), (at("2026-03-02T09:30:00Z"), Some("r")));
    assert_eq!(
        (finding.params["count"].as_str(), finding.params["kind"].as_str(), finding.params["code"].as_str()),
        ("3", "auth", "remote-auth")
    );
    assert_eq!(verdict(StreamFacts { enabled: false, ..failing(9) }, Rule::Failures), Verdict::Unjudged);
}

#[test]
fn a_held_run_is_told_until_it_is_decided_but_not_while_it_may_be_held_again() {
    let why = vec![Reason::new("brake").with("rule", "price_jump")];
    let waiting = Waiting { run: "r".into(), since: at("2026-03-02T09:00:00Z"), event: 7, why: why.clone() };
    let held = StreamFacts { held: Some(waiting), ..stream() };
    let finding = found(verdict(held, Rule::Held));
    assert_eq!((finding.level, finding.why, finding.run.as_deref()), (7, why, Some("r")));
    let at_work = StreamFacts { at_work_since: Some(at(NOW)), ..stream() };
    assert_eq!(verdict(at_work, Rule::Held), Verdict::Unknown);
    assert_eq!(verdict(stream(), Rule::Held), Verdict::Well(None));
}

#[test]
fn silence_is_counted_in_due_times() {
    // Due at 10:00, 10:05, 10:10.
    for (now, stands) in [("2026-03-02T10:05:00Z", false), ("2026-03-02T10:09:59Z", false), ("2026-03-02T10:10:00Z", true)] {
        assert_eq!(matches!(verdict_at(stream(), Rule::Stale, now), Verdict::Stands(_)), stands, "{now}");
    }
    let finding = found(verdict_at(stream(), Rule::Stale, "2026-03-02T12:00:00Z"));
    assert_eq!((finding.since, finding.params["success"].as_str()), (at("2026-03-02T09:56:00Z"), "since"));
    let never = StreamFacts { last_success_at: None, watched_from: Some(at("2026-03-02T09:00:00Z")), ..stream() };
    let finding = found(verdict(never, Rule::Stale));
    assert_eq!((finding.since, finding.params["success"].as_str()), (at("2026-03-02T09:00:00Z"), "never"));
}

#[test]
fn what_nobody_expects_is_not_silent() {
    let now = "2026-03-03T10:00:00Z";
    assert_eq!(verdict_at(StreamFacts { enabled: false, ..stream() }, Rule::Stale, now), Verdict::Unjudged);
    assert_eq!(verdict_at(StreamFacts { schedules: Vec::new(), ..stream() }, Rule::Stale, now), Verdict::Unjudged, "stopped");
    let fresh = StreamFacts { watched_from: Some(at("2026-03-03T09:59:00Z")), ..stream() };
    assert_eq!(verdict_at(fresh, Rule::Stale, now), Verdict::Well(Some(at("2026-03-02T09:56:00Z"))), "enabled a minute ago");
}

#[test]
fn a_long_run_is_a_sign_of_life_but_not_for_ever() {
    let at_work = |since: &str| StreamFacts { at_work_since: Some(at(since)), ..stream() };
    assert_eq!(verdict_at(at_work("2026-03-02T10:00:00Z"), Rule::Stale, "2026-03-02T10:50:00Z"), Verdict::Unknown);
    assert!(matches!(verdict_at(at_work("2026-03-02T10:00:00Z"), Rule::Stale, "2026-03-02T11:00:00Z"), Verdict::Stands(_)));
}

#[test]
fn a_retry_list_is_told_when_it_is_long_and_whenever_it_has_doubled() {
    let level = |items: u64| match verdict(StreamFacts { waiting_items: items, ..stream() }, Rule::RetryList) {
        Verdict::Stands(finding) => Some(finding.level),
        _ => None,
    };
    assert_eq!([0, 49, 50, 99, 100, 199, 200, 400].map(level), [None, None, Some(0), Some(0), Some(1), Some(1), Some(2), Some(3)]);
}

#[test]
fn what_only_a_person_can_put_right_is_told_anew_whenever_it_happens() {
    let noticed = |event: u64| Noticed {
        event,
        kind: "not_kept".into(),
        at: at(NOW),
        run: Some("r".into()),
        params: [("count".to_owned(), "2".to_owned()), ("items".to_owned(), "46001, 46002".to_owned())].into(),
    };
    let judged = |event: u64| found(verdict(StreamFacts { noticed: Some(noticed(event)), ..stream() }, Rule::Attention));
    let (first, second) = (judged(7), judged(9));
    assert!(second.level > first.level, "a level that rises is told again");
    assert_eq!((first.params["kind"].as_str(), first.run.as_deref()), ("not_kept", Some("r")));
    assert_eq!(verdict(stream(), Rule::Attention), Verdict::Unjudged, "nobody is told that it is well: nobody can see it");
}

#[test]
fn many_skips_in_a_row_are_told_save_those_that_were_wanted() {
    let judged = |skipping: bool, reason: SkipReason, count: u64, last: &str| {
        let mut stream = stream();
        let last_skip = Skip { id: 1, reason, first_due_at: at("2026-03-02T09:00:00Z"), last_due_at: at(last), count };
        (stream.schedules[0].last_skip, stream.schedules[0].skipping) = (Some(last_skip), skipping);
        verdict(stream, Rule::Skipped)
    };
    let skipping = |reason, count| judged(true, reason, count, "2026-03-02T09:55:00Z");
    assert_eq!(skipping(SkipReason::Overlap, 9), Verdict::Unknown);
    assert_eq!(found(skipping(SkipReason::Overlap, 10)).params["reason"], "overlap");
    assert_eq!(found(skipping(SkipReason::Missed, 96)).params["count"], "96");
    assert_eq!(skipping(SkipReason::Disabled, 1_000), Verdict::Well(None));
    assert_eq!(judged(false, SkipReason::Overlap, 12, "2026-03-02T09:55:00Z"), Verdict::Unknown, "the next run may take as long");
    assert_eq!(judged(false, SkipReason::Overlap, 12, "2026-03-02T09:25:00Z"), Verdict::Well(None), "well for longer than it was not");
}

#[test]
fn nobody_works_when_due_times_are_not_claimed_or_runs_wait_and_none_runs() {
    let judged = |due: Option<&str>, queued: Option<&str>, at_work: bool| {
        let untaken = Untaken { due_since: due.map(at), queued_since: queued.map(at), at_work };
        let facts = Facts { untaken, ..facts(Vec::new()) };
        match judge(&facts, &Scope::all(), &Rules::default(), &mut Deadlines::default(), at(NOW)).remove(0).2 {
            Verdict::Stands(finding) => Some(finding.since),
            _ => None,
        }
    };
    let (fresh, old, older) = ("2026-03-02T09:56:00Z", "2026-03-02T09:50:00Z", "2026-03-02T09:40:00Z");
    assert_eq!(judged(None, None, false), None);
    assert_eq!(judged(Some(fresh), Some(fresh), false), None);
    assert_eq!(judged(Some(old), None, true), Some(at(old)), "due times are claimed by the busiest worker too");
    assert_eq!(judged(None, Some(old), true), None, "the workers are busy");
    assert_eq!(judged(None, Some(old), false), Some(at(old)));
    assert_eq!(judged(Some(old), Some(older), false), Some(at(older)));
}

#[test]
fn a_scope_is_told_only_of_what_it_sees() {
    let mut other = failing(3);
    other.subject.connection = "other".into();
    other.place.owner = Some("seller:43".into());
    let facts =
        Facts { untaken: Untaken { due_since: Some(at("2026-03-01T00:00:00Z")), ..Untaken::default() }, ..facts(vec![failing(3), other]) };
    let told = |scope: Scope, rules: &Rules| {
        let all = judge(&facts, &scope, rules, &mut deadlines(&facts.streams), at(NOW));
        let stands = all.into_iter().filter(|(.., verdict)| matches!(verdict, Verdict::Stands(_)));
        stands.map(|(rule, subject, _)| format!("{} {}", rule.name(), subject.connection)).collect::<Vec<_>>()
    };
    let rules = Rules::default();
    assert_eq!(told(Scope::all(), &rules), ["failures c", "failures other", "no_worker "]);
    assert_eq!(told(Scope { owner: Some("seller:43".into()), ..Scope::all() }, &rules), ["failures other"]);
    assert_eq!(told(Scope { flows: Some(vec!["kaktus-insales".into()]), owner: None }, &rules), ["no_worker "]);
    let mut off = Rules::default();
    (off.failures.on, off.no_worker.on) = (false, false);
    assert_eq!(told(Scope::all(), &off), Vec::<String>::new());
}

proptest! {
    /// Whatever the clocks say: no verdict panics, and silence never stands before its deadline.
    #[test]
    fn silence_never_stands_early(success in -10_000_000_i64..10_000_000, now in -10_000_000_i64..10_000_000, at_work in proptest::option::of(-10_000_000_i64..10_000_000)) {
        let moment = |seconds: i64| at(NOW) + TimeDelta::seconds(seconds);
        let stream = StreamFacts { last_success_at: Some(moment(success)), at_work_since: at_work.map(moment), ..stream() };
        let expected = deadlines(std::slice::from_ref(&stream)).of(&stream, 3).unwrap();
        if let Verdict::Stands(finding) = stale(&stream, Some(expected), moment(now)) {
            prop_assert!(moment(now) >= expected.1 && finding.since <= expected.1);
        }
    }
}
