//! An alert in people's words: what happened, since when, what to do, in the language and time zone of who reads it (pure).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::{
    domain::text::{Lang, reason_text, sentence},
    engine::alerts::{Alert, Finding, News, Phase, Rule},
};

/// What fills a message besides the alert.
#[derive(Clone, Debug)]
pub struct Reader {
    /// Language.
    pub lang: Lang,
    /// Time zone of the times.
    pub zone: Tz,
    /// Address under which people see a run, with `{run}` in it; absent = they are given its number.
    pub run_link: Option<String>,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Subject line.
    pub title: String,
    /// Sentences, one a line; an empty one parts two places.
    pub lines: Vec<String>,
    /// Where to look.
    pub link: Option<String>,
}

impl Message {
    /// All of it as plain text.
    pub fn text(&self) -> String {
        let link = self.link.iter().cloned();
        self.lines.iter().cloned().chain(link).collect::<Vec<_>>().join("\n")
    }
}

fn say(lang: Lang, code: &str, params: &[(&str, &str)]) -> String {
    let params: BTreeMap<String, String> = params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    sentence(lang, code, &params)
}

/// The address under which people see a run. `public_url` may say where the run's id stands; else it is the path of our own API.
pub fn run_link(public_url: &str, run: &str) -> String {
    if public_url.contains("{run}") {
        public_url.replace("{run}", run)
    } else {
        format!("{}/sync/runs/{run}", public_url.trim_end_matches('/'))
    }
}

/// An alert as a message.
pub fn compose(alert: &Alert, reader: &Reader) -> Message {
    let lang = reader.lang;
    let Some(rule) = alert.rule else {
        return Message { title: say(lang, "alert_title_test", &[]), lines: vec![say(lang, "alert_test", &[])], link: None };
    };
    let title = say(lang, &format!("alert_title_{}", rule.name()), &[]);
    let title = match alert.phase {
        Phase::Raised | Phase::Test => title,
        Phase::Grown | Phase::Reminder | Phase::Over => say(lang, &format!("alert_title_{}", alert.phase.name()), &[("title", &title)]),
    };
    match alert.news.as_slice() {
        [one] if alert.total <= 1 => {
            let mut lines = place(one, lang).into_iter().collect::<Vec<_>>();
            lines.push(happened(rule, alert.phase, &one.finding, reader));
            let mut link = None;
            if alert.phase != Phase::Over {
                lines.extend(one.finding.why.iter().map(|reason| reason_text(lang, &reason.code, &reason.params)));
                lines.push(to_do(rule, &one.finding, lang));
                lines.extend(one.finding.params.get("code").map(|code| say(lang, "alert_error", &[("code", code)])));
                if let Some(run) = &one.finding.run {
                    match &reader.run_link {
                        Some(address) => link = Some(run_link(address, run)),
                        None => lines.push(say(lang, "alert_run", &[("run", run)])),
                    }
                }
            }
            let title = place(one, lang).map_or(title.clone(), |place| format!("{title}: {place}"));
            Message { title, lines, link }
        }
        many => {
            let mut lines: Vec<String> = many
                .iter()
                .map(|news| {
                    let happened = happened(rule, alert.phase, &news.finding, reader);
                    place(news, lang).map_or(happened.clone(), |place| format!("{place}: {happened}"))
                })
                .collect();
            let unnamed = alert.total.saturating_sub(u64::try_from(many.len()).unwrap_or(u64::MAX));
            if unnamed > 0 {
                lines.push(say(lang, "alert_more", &[("count", &unnamed.to_string())]));
            }
            if let (Some(first), true) = (many.first(), alert.phase != Phase::Over) {
                lines.push(to_do(rule, &first.finding, lang));
            }
            Message { title: format!("{title} ({})", alert.total), lines, link: None }
        }
    }
}

fn place(news: &News, lang: Lang) -> Option<String> {
    let place = &news.finding.place;
    (!news.subject.connection.is_empty()).then(|| say(lang, "alert_where", &[("connection", &place.connection), ("stream", &place.stream)]))
}

fn happened(rule: Rule, phase: Phase, finding: &Finding, reader: &Reader) -> String {
    let mut params = finding.params.clone();
    params.insert("since".to_owned(), moment(finding.since, reader.zone));
    let word = |name: &str| finding.params.get(name).map(String::as_str).unwrap_or_default();
    let code = match (phase, rule) {
        (Phase::Over, rule) => format!("alert_over_{}", rule.name()),
        (_, Rule::Stale) => format!("alert_stale_{}", word("success")),
        (_, Rule::Skipped) => format!("alert_skipped_{}", word("reason")),
        (_, Rule::Attention) => format!("alert_attention_{}", word("kind")),
        (_, rule) => format!("alert_{}", rule.name()),
    };
    sentence(reader.lang, &code, &params)
}

fn to_do(rule: Rule, finding: &Finding, lang: Lang) -> String {
    match (rule, finding.params.get("kind")) {
        (Rule::Failures, Some(kind)) => say(lang, &format!("alert_do_{kind}"), &[]),
        (Rule::Failures, None) => say(lang, "alert_do_internal", &[]),
        (Rule::Attention, Some(kind)) => say(lang, &format!("alert_do_attention_{kind}"), &[]),
        (rule, _) => say(lang, &format!("alert_do_{}", rule.name()), &[]),
    }
}

/// A moment as people write it, with its zone where it is not theirs to guess.
fn moment(moment: DateTime<Utc>, zone: Tz) -> String {
    format!("{} ({})", moment.with_timezone(&zone).format("%d.%m.%Y %H:%M"), zone.name())
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
