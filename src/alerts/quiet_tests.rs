use proptest::prelude::*;

use super::*;
use crate::engine::alerts::settings::{Channel, Way};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn subject(number: usize) -> Subject {
    Subject { connection: format!("c{number}"), stream: "s".into() }
}

fn finding(since: DateTime<Utc>, level: u64) -> Finding {
    Finding { since, level, run: None, params: Default::default(), why: Vec::new(), place: Default::default() }
}

fn stands(level: u64) -> Verdict {
    Verdict::Stands(Box::new(finding(at("2026-03-02T09:00:00Z"), level)))
}

fn settings() -> Settings {
    let way = Way::Webhook { url: "https://example.com".into() };
    let channel = |id: &str, rules: Option<Vec<Rule>>| Channel {
        id: id.into(),
        on: true,
        language: None,
        rules,
        way: way.clone(),
        secrets: Default::default(),
    };
    Settings { channels: vec![channel("all", None), channel("held", Some(vec![Rule::Held]))], ..Settings::default() }
}

/// One condition through time: what was told at each step.
struct Story {
    settings: Settings,
    standing: Vec<Condition>,
    now: DateTime<Utc>,
}

impl Story {
    fn new() -> Self {
        Self { settings: settings(), standing: Vec::new(), now: at("2026-03-02T10:00:00Z") }
    }

    fn tells(&mut self, rule: Rule, minutes: i64, verdict: Verdict) -> Vec<Phase> {
        self.now += chrono::TimeDelta::minutes(minutes);
        let plan = plan(&self.standing, &[(rule, subject(1), verdict)], &self.settings, self.now);
        self.standing.retain(|condition| !plan.gone.contains(&condition.id) && plan.put.iter().all(|put| put.id != condition.id));
        self.standing.extend(plan.put);
        plan.alerts.into_iter().map(|(alert, _)| alert.phase).collect()
    }
}

#[test]
fn once_when_it_begins_a_reminder_a_day_later_and_once_when_it_is_over() {
    let mut story = Story::new();
    assert_eq!(story.tells(Rule::Failures, 0, stands(0)), [Phase::Raised]);
    for _ in 0..100 {
        assert_eq!(story.tells(Rule::Failures, 10, stands(0)), []);
    }
    assert_eq!(story.tells(Rule::Failures, 441, stands(0)), [Phase::Reminder]);
    assert_eq!(story.tells(Rule::Failures, 1, stands(0)), []);
    assert_eq!(story.tells(Rule::Failures, 1, Verdict::Unknown), []);
    assert_eq!(story.tells(Rule::Failures, 1, Verdict::Well(None)), [Phase::Over]);
    assert_eq!(story.tells(Rule::Failures, 1, Verdict::Well(None)), []);
    assert_eq!(story.tells(Rule::Failures, 1, stands(0)), [Phase::Raised], "anew");
}

#[test]
fn what_grows_is_told_again_and_what_shrinks_is_not() {
    let mut story = Story::new();
    let told = [0, 0, 2, 1, 2, 3].map(|level| story.tells(Rule::RetryList, 1, stands(level)).len());
    assert_eq!(told, [1, 0, 1, 0, 0, 1]);
}

#[test]
fn silence_must_stay_before_it_is_told_and_passes_in_silence_if_it_does_not() {
    let mut story = Story::new();
    assert_eq!(story.tells(Rule::Stale, 0, stands(0)), []);
    assert_eq!(story.tells(Rule::Stale, 1, Verdict::Well(Some(story.now))), [], "the catch-up run has done it");
    assert!(story.standing.is_empty());
    assert_eq!(story.tells(Rule::Stale, 1, stands(0)), []);
    assert_eq!(story.tells(Rule::Stale, 2, stands(0)), [Phase::Raised]);
}

#[test]
fn only_a_success_after_it_began_ends_silence_in_words() {
    for (verdict, told) in [
        (Verdict::Well(Some(at("2026-03-02T10:30:00Z"))), vec![Phase::Over]),
        (Verdict::Well(Some(at("2026-03-02T09:00:00Z"))), vec![]),
        (Verdict::Unjudged, vec![]),
    ] {
        let mut story = Story::new();
        story.tells(Rule::Stale, 0, stands(0));
        assert_eq!(story.tells(Rule::Stale, 5, stands(0)), [Phase::Raised]);
        assert_eq!(story.tells(Rule::Stale, 60, verdict.clone()), told, "{verdict:?}");
        assert!(story.standing.is_empty());
    }
}

#[test]
fn reminders_and_recovery_can_be_switched_off() {
    let mut story = Story::new();
    story.settings.remind_after = "never".into();
    story.settings.rules.recovery.on = false;
    assert_eq!(story.tells(Rule::Failures, 0, stands(0)), [Phase::Raised]);
    assert_eq!(story.tells(Rule::Failures, 1_000_000, stands(0)), []);
    assert_eq!(story.tells(Rule::Failures, 1, Verdict::Well(None)), []);
    assert!(story.standing.is_empty());
}

#[test]
fn a_rule_that_is_switched_off_and_a_stream_that_is_gone_end_without_a_word() {
    let mut story = Story::new();
    story.tells(Rule::Failures, 0, stands(0));
    let plan = plan(&story.standing, &[], &story.settings, story.now);
    assert_eq!((plan.gone.len(), plan.alerts.len()), (1, 0));
}

#[test]
fn many_at_once_are_told_together_and_each_once() {
    let verdicts: Vec<_> = (0..137).map(|number| (Rule::Failures, subject(number), stands(0))).collect();
    let (settings, now) = (settings(), at("2026-03-02T10:00:00Z"));
    let first = plan(&[], &verdicts, &settings, now);
    let [(alert, channels)] = first.alerts.as_slice() else { panic!("{} alerts", first.alerts.len()) };
    assert_eq!((alert.total, alert.news.len(), channels.as_slice()), (137, MOST_NAMED, ["all".to_owned()].as_slice()));
    assert_eq!(first.put.len(), 137);
    assert!(plan(&first.put, &verdicts, &settings, now).is_empty(), "nothing is news twice");
    let few = plan(&[], &verdicts[..MOST_APART], &settings, now);
    assert_eq!(few.alerts.len(), MOST_APART);
    let names: std::collections::BTreeSet<_> = few.alerts.iter().map(|(alert, _)| alert.once.clone()).collect();
    assert_eq!(names.len(), MOST_APART);
}

#[test]
fn a_channel_gets_its_rules_only() {
    let plan = plan(&[], &[(Rule::Held, subject(1), stands(0))], &settings(), at("2026-03-02T10:00:00Z"));
    assert_eq!(plan.alerts[0].1, ["all", "held"]);
}

proptest! {
    /// Whatever happens: stories begin with a word, end with at most one, never repeat one name, and nothing is told oftener than
    /// begin, growth, reminder and end.
    #[test]
    fn stories_are_whole(steps in proptest::collection::vec((0_u8..6, 0_u64..4, 0_i64..600), 1..120)) {
        let mut story = Story::new();
        let (mut open, mut highest, mut names) = (false, 0, std::collections::BTreeSet::new());
        for (what, level, minutes) in steps {
            let verdict = match what {
                0..=2 => stands(level),
                3 => Verdict::Well(None),
                4 => Verdict::Unknown,
                _ => Verdict::Unjudged,
            };
            story.now += chrono::TimeDelta::minutes(minutes);
            let plan = plan(&story.standing, &[(Rule::Failures, subject(1), verdict.clone())], &story.settings, story.now);
            prop_assert!(plan.alerts.len() <= 1);
            for (alert, _) in &plan.alerts {
                prop_assert!(names.insert(alert.once.clone()), "{} twice", alert.once);
                match alert.phase {
                    Phase::Raised => prop_assert!(!open),
                    Phase::Grown => prop_assert!(open && level > highest),
                    Phase::Reminder => prop_assert!(open && story.standing[0].told_at.unwrap() + chrono::TimeDelta::hours(24) <= story.now),
                    Phase::Over => prop_assert!(open),
                    Phase::Test => prop_assert!(false),
                }
            }
            match verdict {
                Verdict::Stands(_) => {
                    prop_assert!(open || plan.alerts.len() == 1);
                    highest = if open { highest.max(level) } else { level };
                    open = true;
                }
                Verdict::Well(_) | Verdict::Unjudged => open = false,
                Verdict::Unknown => {}
            }
            let done = plan.clone();
            story.standing.retain(|condition| !plan.gone.contains(&condition.id) && plan.put.iter().all(|put| put.id != condition.id));
            story.standing.extend(done.put);
            prop_assert_eq!(story.standing.len(), usize::from(open));
        }
    }
}
