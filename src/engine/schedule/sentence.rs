//! What a rule means, in people's words: «каждые 5 минут с 09:00 до 21:00, по будням (Asia/Tashkent)».

use std::{collections::BTreeMap, time::Duration};

use super::rule::Written;
use crate::domain::{
    clock,
    text::{Lang, counted_text, reason_text},
};

/// The rule in the language. A cron rule of a common form is told like a period or a time of day; others are quoted.
pub fn sentence(lang: Lang, rule: &Written) -> String {
    let mut text = match (&rule.every, &rule.cron) {
        (Some(every), _) => period(lang, clock::parse_duration(every).unwrap_or_default()),
        (None, Some(cron)) => by_cron(lang, cron),
        (None, None) => String::new(),
    };
    if let Some(window) = &rule.window {
        text = say(lang, "schedule_window", &[("rule", &text), ("from", &window.from), ("to", &window.to)]);
    }
    if let Some(days) = &rule.days {
        text = say(lang, "schedule_days", &[("rule", &text), ("days", &day_names(lang, days))]);
    }
    say(lang, "schedule_zone", &[("rule", &text), ("zone", &rule.timezone)])
}

fn say(lang: Lang, code: &str, params: &[(&str, &str)]) -> String {
    let params: BTreeMap<String, String> = params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    reason_text(lang, code, &params)
}

/// In the largest unit that fits wholly.
fn period(lang: Lang, period: Duration) -> String {
    let seconds = period.as_secs();
    let (unit, count) = [("days", 86_400), ("hours", 3_600), ("minutes", 60)]
        .into_iter()
        .find(|(_, length)| seconds >= *length && seconds % length == 0)
        .map_or(("seconds", seconds), |(unit, length)| (unit, seconds / length));
    counted_text(lang, &format!("schedule_every_{unit}"), count)
}

fn by_cron(lang: Lang, cron: &str) -> String {
    let quoted = || say(lang, "schedule_cron", &[("cron", cron)]);
    let fields: Vec<&str> = cron.split_whitespace().collect();
    let &[minute, hour, "*", "*", weekday] = fields.as_slice() else { return quoted() };
    let time = |hour: u32, minute: u32| format!("{hour:02}:{minute:02}");
    let told = match (minute, minute.strip_prefix("*/"), hour, hour.split_once('-')) {
        ("*", _, "*", _) => period(lang, Duration::from_secs(60)),
        (_, Some(step), "*", _) => match step.parse::<u64>() {
            Ok(step) if step > 0 && 60 % step == 0 => period(lang, Duration::from_secs(step * 60)),
            _ => return quoted(),
        },
        (_, Some(step), _, Some((from, to))) => match (step.parse::<u64>(), from.parse::<u32>(), to.parse::<u32>()) {
            (Ok(step), Ok(from), Ok(to)) if step > 0 && 60 % step == 0 && from <= to && to < 24 => {
                let rule = period(lang, Duration::from_secs(step * 60));
                say(lang, "schedule_window", &[("rule", &rule), ("from", &time(from, 0)), ("to", &time(to + 1, 0))])
            }
            _ => return quoted(),
        },
        _ => match (minute.parse::<u32>(), hour.parse::<u32>()) {
            (Ok(minute), Ok(hour)) => say(lang, "schedule_at", &[("time", &time(hour, minute))]),
            _ => return quoted(),
        },
    };
    match weekdays(weekday) {
        Some(days) if days.is_empty() => told,
        Some(days) => say(lang, "schedule_days", &[("rule", &told), ("days", &day_names(lang, &days))]),
        None => quoted(),
    }
}

/// Days of a cron field that is a list or a span of numbers (0 and 7 = Sunday); empty = all.
fn weekdays(field: &str) -> Option<Vec<u8>> {
    if field == "*" {
        return Some(Vec::new());
    }
    let day = |text: &str| text.parse::<u8>().ok().filter(|day| *day <= 7).map(|day| if day == 0 { 7 } else { day });
    let mut days = Vec::new();
    for part in field.split(',') {
        match part.split_once('-') {
            Some((from, to)) => days.extend(day(from)?..=day(to)?),
            None => days.push(day(part)?),
        }
    }
    Some(days)
}

fn day_names(lang: Lang, days: &[u8]) -> String {
    let mut days = days.to_vec();
    days.sort_unstable();
    days.dedup();
    match days.as_slice() {
        [1, 2, 3, 4, 5] => say(lang, "schedule_workdays", &[]),
        [6, 7] => say(lang, "schedule_weekend", &[]),
        [1, 2, 3, 4, 5, 6, 7] => say(lang, "schedule_daily", &[]),
        days => days.iter().map(|day| say(lang, &format!("schedule_day_{day}"), &[])).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::rule::Window, *};

    fn rule(every: Option<&str>, cron: Option<&str>) -> Written {
        Written { every: every.map(Into::into), cron: cron.map(Into::into), timezone: "Asia/Tashkent".into(), ..Written::default() }
    }

    #[test]
    fn people_read_what_a_rule_means() {
        let window = Some(Window { from: "09:00".into(), to: "21:00".into() });
        let five = Written { window, ..rule(Some("5m"), None) };
        assert_eq!(sentence(Lang::Ru, &five), "каждые 5 минут с 09:00 до 21:00 (Asia/Tashkent)");
        assert_eq!(sentence(Lang::Uz, &five), "har 5 daqiqada soat 09:00 dan 21:00 gacha (Asia/Tashkent)");
        assert_eq!(sentence(Lang::En, &five), "every 5 minutes from 09:00 to 21:00 (Asia/Tashkent)");
        assert_eq!(sentence(Lang::Uk, &five), "кожні 5 хвилин з 09:00 до 21:00 (Asia/Tashkent)");
        for (every, text) in [
            ("1m", "каждую минуту"),
            ("2m", "каждые 2 минуты"),
            ("21m", "каждую 21 минуту"),
            ("1h", "каждый час"),
            ("3h", "каждые 3 часа"),
            ("90m", "каждые 90 минут"),
            ("24h", "каждый день"),
            ("48h", "каждые 2 дня"),
            ("30s", "каждые 30 секунд"),
        ] {
            assert_eq!(sentence(Lang::Ru, &rule(Some(every), None)), format!("{text} (Asia/Tashkent)"));
        }
        let workdays = Written { days: Some(vec![5, 1, 2, 3, 4]), ..rule(Some("2h"), None) };
        assert_eq!(sentence(Lang::Ru, &workdays), "каждые 2 часа, по будням (Asia/Tashkent)");
        let some = Written { days: Some(vec![1, 3]), ..rule(Some("1h"), None) };
        assert_eq!(sentence(Lang::En, &some), "every hour, on Monday, Wednesday (Asia/Tashkent)");
    }

    #[test]
    fn common_cron_rules_are_told_in_words_and_others_quoted() {
        for (cron, text) in [
            ("* * * * *", "каждую минуту"),
            ("*/5 * * * *", "каждые 5 минут"),
            ("*/10 9-20 * * *", "каждые 10 минут с 09:00 до 21:00"),
            ("30 3 * * *", "в 03:30"),
            ("0 8 * * 1-5", "в 08:00, по будням"),
            ("0 0 1 * *", "по правилу cron «0 0 1 * *»"),
            ("*/7 * * * *", "по правилу cron «*/7 * * * *»"),
        ] {
            assert_eq!(sentence(Lang::Ru, &rule(None, Some(cron))), format!("{text} (Asia/Tashkent)"));
        }
    }
}
