//! What of the findings is news (pure): one alert when something begins, one when it grows, a reminder now and then, one when it is well
//! again; nothing in between.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, Utc};

use super::rules::Verdict;
use crate::{
    domain::{clock, ids},
    engine::alerts::{Alert, Condition, Finding, News, Phase, Plan, Rule, Subject, settings::Settings},
};

/// So many alerts of one rule in one look go out one by one; more are told together, in one: when Billz is down, it is down for all.
const MOST_APART: usize = 5;
/// Of many, so many are named.
const MOST_NAMED: usize = 20;

/// What follows for one condition.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// Nothing to be told. The condition stays as given, if it is.
    Keep(Option<Condition>),
    /// It is told.
    Tell(Phase, Condition),
    /// It ends; told, if somebody knows of it.
    End(Option<Finding>),
}

fn step(stood: Option<&Condition>, rule: Rule, subject: &Subject, verdict: &Verdict, settings: &Settings, now: DateTime<Utc>) -> Step {
    match (stood, verdict) {
        (None, Verdict::Stands(finding)) => {
            let condition = Condition {
                id: ids::fresh(),
                rule,
                subject: subject.clone(),
                finding: (**finding).clone(),
                seen_at: now,
                told_at: None,
                told_level: 0,
                told_times: 0,
            };
            if is_ripe(&condition, settings, now) { told(Phase::Raised, condition, now) } else { Step::Keep(Some(condition)) }
        }
        (Some(stood), Verdict::Stands(finding)) => {
            let condition = Condition { finding: kept_since(stood, finding), ..stood.clone() };
            let reminded = settings.remind_after().map(|after| clock::chrono_duration(clock::scaled(after)));
            match stood.told_at {
                None if is_ripe(&condition, settings, now) => told(Phase::Raised, condition, now),
                None => Step::Keep(Some(condition)),
                Some(_) if finding.level > stood.told_level => told(Phase::Grown, condition, now),
                Some(at) if reminded.is_some_and(|after| now - at >= after) => told(Phase::Reminder, condition, now),
                Some(_) => Step::Keep(Some(condition)),
            }
        }
        (Some(stood), Verdict::Well(proof)) => {
            let proven = proof.is_none_or(|proof| proof > stood.finding.since);
            let told = stood.told_at.is_some() && proven && settings.rules.recovery.on;
            Step::End(told.then(|| stood.finding.clone()))
        }
        (Some(_), Verdict::Unjudged) => Step::End(None),
        (Some(stood), Verdict::Unknown) => Step::Keep(Some(stood.clone())),
        (None, _) => Step::Keep(None),
    }
}

/// It began when it was first found, however the finding moves on.
fn kept_since(stood: &Condition, finding: &Finding) -> Finding {
    Finding { since: stood.finding.since.min(finding.since), ..finding.clone() }
}

fn is_ripe(condition: &Condition, settings: &Settings, now: DateTime<Utc>) -> bool {
    let patience: Duration = clock::scaled(settings.rules.patience(condition.rule));
    now - condition.seen_at >= clock::chrono_duration(patience)
}

fn told(phase: Phase, condition: Condition, now: DateTime<Utc>) -> Step {
    let (told_level, told_times) = (condition.told_level.max(condition.finding.level), condition.told_times.saturating_add(1));
    Step::Tell(phase, Condition { told_at: Some(now), told_level, told_times, ..condition })
}

/// What is to be done about the conditions of one scope.
pub fn plan(standing: &[Condition], verdicts: &[(Rule, Subject, Verdict)], settings: &Settings, now: DateTime<Utc>) -> Plan {
    let mut left: HashMap<(Rule, &Subject), &Condition> =
        standing.iter().map(|condition| ((condition.rule, &condition.subject), condition)).collect();
    let mut plan = Plan::default();
    let mut news: Vec<(Rule, Phase, String, News)> = Vec::new();
    for (rule, subject, verdict) in verdicts {
        let stood = left.remove(&(*rule, subject));
        match step(stood, *rule, subject, verdict, settings, now) {
            Step::Keep(condition) => {
                // What is told of it is kept up to date, but not each look is worth a write.
                plan.put.extend(condition.filter(|condition| {
                    stood.is_none_or(|stood| stood.finding.params != condition.finding.params || stood.finding.run != condition.finding.run)
                }));
            }
            Step::Tell(phase, condition) => {
                let once = format!("{} {}", condition.id, condition.told_times);
                news.push((*rule, phase, once, News { subject: subject.clone(), finding: condition.finding.clone() }));
                plan.put.push(condition);
            }
            Step::End(told) => {
                let Some(stood) = stood else { continue };
                plan.gone.push(stood.id.clone());
                if let Some(finding) = told {
                    news.push((*rule, Phase::Over, format!("{} over", stood.id), News { subject: subject.clone(), finding }));
                }
            }
        }
    }
    // What no verdict speaks of is not judged any more: its stream is gone, or its rule is off.
    plan.gone.extend(left.values().map(|condition| condition.id.clone()));
    plan.alerts = alerts(news, settings, now);
    plan
}

/// Alerts of a look, in the order of the rules; those of one rule and phase together when they are many.
fn alerts(mut news: Vec<(Rule, Phase, String, News)>, settings: &Settings, now: DateTime<Utc>) -> Vec<(Alert, Vec<String>)> {
    news.sort_by_key(|(rule, phase, ..)| (*phase, *rule));
    let mut alerts = Vec::new();
    for same in news.chunk_by(|one, other| (one.0, one.1) == (other.0, other.1)) {
        let [(rule, phase, ..), ..] = same else { continue };
        let together = if same.len() > MOST_APART { same.len() } else { 1 };
        for told in same.chunks(together) {
            let [(_, _, once, _), ..] = told else { continue };
            let alert = Alert {
                id: ids::fresh(),
                rule: Some(*rule),
                phase: *phase,
                at: now,
                news: told.iter().take(MOST_NAMED).map(|(.., news)| news.clone()).collect(),
                total: u64::try_from(told.len()).unwrap_or(u64::MAX),
                once: once.clone(),
            };
            alerts.push((alert, settings.channels_of(*rule)));
        }
    }
    alerts
}

#[cfg(test)]
#[path = "quiet_tests.rs"]
mod tests;
