use super::*;
use crate::engine::{
    alerts::{Place, Subject},
    model::Reason,
};

fn reader(lang: Lang) -> Reader {
    Reader { lang, zone: Tz::Asia__Tashkent, run_link: None }
}

fn news(number: usize, params: &[(&str, &str)]) -> News {
    let params = params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let place = Place {
        flow: "billz-opencart".into(), connection: format!("Магазин {number}"), stream: "Чиланзар".into(), owner: None
    };
    let since = "2026-03-02T04:05:00Z".parse().unwrap();
    let finding = Finding { since, level: 0, run: Some("019a".into()), params, why: Vec::new(), place };
    News { subject: Subject { connection: format!("c{number}"), stream: "s".into() }, finding }
}

fn alert(rule: Rule, phase: Phase, news: Vec<News>) -> Alert {
    let total = news.len() as u64;
    Alert { id: "a".into(), rule: Some(rule), phase, at: "2026-03-02T04:20:00Z".parse().unwrap(), news, total, once: String::new() }
}

/// What fills the sentences of each rule.
fn samples() -> Vec<(Rule, Vec<(&'static str, &'static str)>)> {
    let kinds = ["unavailable", "rate_limited", "auth", "bad_item", "config", "protocol", "internal"];
    let mut all: Vec<_> = kinds.into_iter().map(|kind| (Rule::Failures, vec![("count", "3"), ("kind", kind), ("code", "x")])).collect();
    all.extend([
        (Rule::Held, vec![]),
        (Rule::Stale, vec![("success", "since")]),
        (Rule::Stale, vec![("success", "never")]),
        (Rule::RetryList, vec![("count", "52")]),
        (Rule::Skipped, vec![("count", "11"), ("reason", "overlap")]),
        (Rule::Skipped, vec![("count", "1"), ("reason", "missed")]),
        (Rule::Attention, vec![("kind", "not_kept"), ("count", "2"), ("items", "46001, 46002")]),
        (Rule::Attention, vec![("kind", "bad_ttn"), ("count", "1"), ("items", "10017")]),
        (Rule::NoWorker, vec![]),
    ]);
    all
}

#[test]
fn a_shop_owner_reads_what_happened_since_when_and_what_to_do() {
    let failing = alert(Rule::Failures, Phase::Raised, vec![news(1, &[("count", "3"), ("kind", "auth"), ("code", "remote-auth")])]);
    let message = compose(&failing, &reader(Lang::Ru));
    assert_eq!(message.title, "Синхронизация не удаётся: «Магазин 1», Чиланзар");
    assert_eq!(
        message.text(),
        "«Магазин 1», Чиланзар\nНе удалось 3 раза подряд, начиная с 02.03.2026 09:05 (Asia/Tashkent).\n\
         Внешняя система не принимает ключ или пароль. Проверьте ключ в настройках подключения.\nКод ошибки: remote-auth\nЗапуск: 019a"
    );
    let over = compose(&Alert { phase: Phase::Over, ..failing.clone() }, &reader(Lang::Uz));
    assert_eq!(over.title, "Yana joyida: Sinxronlash amalga oshmayapti: “Магазин 1”, Чиланзар");
    assert_eq!(over.lines.len(), 2, "{over:?}");
    let linked = Reader { run_link: Some("https://shop.uz/admin?run={run}".into()), ..reader(Lang::En) };
    let message = compose(&failing, &linked);
    assert_eq!(message.link.as_deref(), Some("https://shop.uz/admin?run=019a"));
    assert!(!message.lines.iter().any(|line| line.contains("019a")));
    assert_eq!(run_link("https://sync.uz/", "r"), "https://sync.uz/sync/runs/r");
}

#[test]
fn a_held_run_says_which_brake_and_what_to_decide() {
    let mut held = news(1, &[]);
    held.finding.why = vec![Reason::new("brake").with("rule", "price_jump").with("count", 7).with("factor", "10")];
    let text = compose(&alert(Rule::Held, Phase::Raised, vec![held]), &reader(Lang::Ru)).text();
    assert!(text.contains("в 10 раз") && text.contains("одобрите или отклоните"), "{text}");
}

#[test]
fn many_at_once_are_named_and_counted() {
    let mut many =
        alert(Rule::Failures, Phase::Raised, (1..=3).map(|number| news(number, &[("count", "5"), ("kind", "unavailable")])).collect());
    many.total = 40;
    let message = compose(&many, &reader(Lang::Ru));
    assert_eq!(message.title, "Синхронизация не удаётся (40)");
    assert_eq!(message.lines.len(), 5);
    assert_eq!((message.lines[3].as_str(), message.lines[1].starts_with("«Магазин 2», Чиланзар: Не удалось 5 раз")), ("И ещё 37.", true));
}

#[test]
fn every_alert_has_its_words_in_every_language() {
    let cyrillic = |text: &str| text.chars().any(|letter| ('\u{400}'..='\u{4ff}').contains(&letter));
    let plain = |(rule, params): &(Rule, Vec<(&'static str, &'static str)>)| {
        let mut news = news(1, params);
        (news.finding.place.connection, news.finding.place.stream) = ("Shop".into(), "Center".into());
        (*rule, news)
    };
    for sample in samples() {
        let (rule, news) = plain(&sample);
        for phase in [Phase::Raised, Phase::Grown, Phase::Reminder, Phase::Over] {
            let mut texts = std::collections::BTreeSet::new();
            for lang in Lang::ALL {
                let message = compose(&alert(rule, phase, vec![news.clone()]), &reader(lang));
                let text = format!("{}\n{}", message.title, message.text());
                // A code without a sentence is its own text.
                assert!(!text.contains("alert_") && !text.contains('$') && !text.contains('\u{2068}'), "{lang:?} {text}");
                assert_eq!(cyrillic(&text), matches!(lang, Lang::Ru | Lang::Uk), "{text}");
                texts.insert(text);
            }
            assert_eq!(texts.len(), 4, "{rule:?} is not translated");
        }
    }
    for lang in Lang::ALL {
        let test = Alert { rule: None, phase: Phase::Test, news: Vec::new(), ..alert(Rule::Held, Phase::Test, Vec::new()) };
        assert!(!compose(&test, &reader(lang)).text().contains("alert_"));
    }
}

#[test]
fn all_languages_have_the_same_sentences() {
    let names = |lang: Lang| {
        let file = format!("{}/src/domain/text/locales/{}/alerts.ftl", env!("CARGO_MANIFEST_DIR"), lang.tag());
        let text = std::fs::read_to_string(file).unwrap();
        text.lines().filter_map(|line| line.split_once(" = ").map(|(name, _)| name.to_owned())).collect::<Vec<_>>()
    };
    for lang in Lang::ALL {
        assert_eq!(names(lang), names(Lang::En), "{}", lang.tag());
    }
}
