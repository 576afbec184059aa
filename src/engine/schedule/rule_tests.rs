use proptest::prelude::*;

use super::*;

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().with_timezone(&Utc)
}

fn every(every: &str, timezone: &str, window: Option<(&str, &str)>, days: Option<Vec<u8>>) -> Rule {
    let window = window.map(|(from, to)| Window { from: from.into(), to: to.into() });
    Rule::read(&Written { every: Some(every.into()), timezone: timezone.into(), window, days, ..Written::default() }).unwrap()
}

fn cron(cron: &str, timezone: &str) -> Rule {
    Rule::read(&Written { cron: Some(cron.into()), timezone: timezone.into(), ..Written::default() }).unwrap()
}

fn next(rule: &Rule, after: &str, timezone: &str) -> String {
    let zone: Tz = timezone.parse().unwrap();
    rule.next(at(after)).unwrap().with_timezone(&zone).format("%a %d.%m %H:%M:%S").to_string()
}

#[test]
fn every_five_minutes_from_nine_to_nine_in_tashkent() {
    let rule = every("5m", "Asia/Tashkent", Some(("09:00", "21:00")), None);
    let next = |after: &str| next(&rule, after, "Asia/Tashkent");
    assert_eq!(next("2026-11-22T08:59:59+05:00"), "Sun 22.11 09:00:00");
    assert_eq!(next("2026-11-22T09:00:00+05:00"), "Sun 22.11 09:05:00");
    assert_eq!(next("2026-11-22T20:54:00+05:00"), "Sun 22.11 20:55:00");
    assert_eq!(next("2026-11-22T20:55:00+05:00"), "Mon 23.11 09:00:00");
}

#[test]
fn hours_over_midnight_belong_to_the_day_they_begin_on() {
    let rule = every("1h", "Europe/Moscow", Some(("22:00", "02:00")), Some(vec![5]));
    let next = |after: &str| next(&rule, after, "Europe/Moscow");
    assert_eq!(next("2026-11-20T12:00:00+03:00"), "Fri 20.11 22:00:00");
    assert_eq!(next("2026-11-20T23:30:00+03:00"), "Sat 21.11 00:00:00");
    assert_eq!(next("2026-11-21T01:00:00+03:00"), "Fri 27.11 22:00:00");
}

#[test]
fn working_days_only() {
    let rule = every("12h", "Asia/Tashkent", None, Some(vec![1, 2, 3, 4, 5]));
    assert_eq!(next(&rule, "2026-11-20T12:00:00+05:00", "Asia/Tashkent"), "Mon 23.11 00:00:00");
}

#[test]
fn every_other_day_at_its_hour() {
    let rule = every("48h", "Asia/Tashkent", Some(("03:00", "04:00")), None);
    let times = rule.upcoming(at("2026-02-27T00:00:00Z"), 3);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == TimeDelta::hours(48)), "{times:?}");
}

#[test]
fn the_day_on_which_clocks_go_forward_has_23_hours_of_ticks() {
    // Kyiv, 29 March 2026: 03:00 is followed by 04:00.
    let rule = every("30m", "Europe/Kyiv", None, None);
    let times = rule.upcoming(at("2026-03-28T21:59:59Z"), 60);
    let of_the_day =
        times.iter().filter(|time| time.with_timezone(&chrono_tz::Europe::Kyiv).date_naive().to_string() == "2026-03-29").count();
    assert_eq!(of_the_day, 46);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == TimeDelta::minutes(30)));
}

#[test]
fn a_daily_time_that_is_left_out_runs_after_the_gap_and_one_that_comes_twice_runs_once() {
    let rule = cron("30 3 * * *", "Europe/Kyiv");
    assert_eq!(next(&rule, "2026-03-28T12:00:00Z", "Europe/Kyiv"), "Sun 29.03 04:00:00");
    // 25 October 2026: 03:00..04:00 comes twice.
    let autumn = rule.upcoming(at("2026-10-24T12:00:00Z"), 2);
    assert_eq!(autumn[0], at("2026-10-25T03:30:00+03:00"));
    assert_eq!(autumn[1], at("2026-10-26T03:30:00+02:00"));
}

#[test]
fn a_window_whose_beginning_is_left_out_begins_after_the_gap() {
    let rule = every("1h", "Europe/Kyiv", Some(("03:30", "06:00")), None);
    assert_eq!(next(&rule, "2026-03-28T23:00:00Z", "Europe/Kyiv"), "Sun 29.03 04:00:00");
}

#[test]
fn cron_keeps_to_days_and_hours() {
    let rule = Rule::read(&Written {
        cron: Some("*/20 * * * *".into()),
        timezone: "Asia/Tashkent".into(),
        days: Some(vec![1]),
        window: Some(Window { from: "09:30".into(), to: "10:30".into() }),
        ..Written::default()
    })
    .unwrap();
    let times = rule.upcoming(at("2026-11-22T00:00:00Z"), 4);
    let shown: Vec<_> = times.iter().map(|time| time.with_timezone(&chrono_tz::Asia::Tashkent).format("%d %H:%M").to_string()).collect();
    assert_eq!(shown, ["23 09:40", "23 10:00", "23 10:20", "30 09:40"]);
}

#[test]
fn what_cannot_be_meant_is_refused_by_field() {
    let pointers = |written: Written| -> Vec<String> {
        Rule::read(&written).err().unwrap_or_default().into_iter().map(|error| error.pointer).collect()
    };
    let base = || Written { every: Some("5m".into()), timezone: "Asia/Tashkent".into(), ..Written::default() };
    assert!(pointers(base()).is_empty());
    assert_eq!(pointers(Written { every: None, ..base() }), ["/every"]);
    assert_eq!(pointers(Written { cron: Some("* * * * *".into()), ..base() }), ["/cron"]);
    assert_eq!(pointers(Written { every: Some("1s".into()), ..base() }), ["/every"]);
    assert_eq!(pointers(Written { every: Some("36h".into()), ..base() }), ["/every"]);
    assert_eq!(pointers(Written { every: None, cron: Some("* * *".into()), ..base() }), ["/cron"]);
    assert_eq!(pointers(Written { every: None, cron: Some("0 0 30 2 *".into()), ..base() }), ["/cron"]);
    assert_eq!(pointers(Written { timezone: "Tashkent".into(), ..base() }), ["/timezone"]);
    assert_eq!(pointers(Written { days: Some(vec![0, 1, 8]), ..base() }), ["/days/0", "/days/2"]);
    assert_eq!(pointers(Written { days: Some(Vec::new()), ..base() }), ["/days"]);
    let window = |from: &str, to: &str| Written { window: Some(Window { from: from.into(), to: to.into() }), ..base() };
    assert_eq!(pointers(window("9", "25:00")), ["/window/from", "/window/to"]);
    assert_eq!(pointers(window("09:00", "09:00")), ["/window/to"]);
    assert_eq!(pointers(Written { jitter: Some("6m".into()), ..base() }), ["/jitter"]);
}

proptest! {
    #[test]
    fn due_times_only_move_forward_and_keep_to_the_rule(
        minutes in 1_u64..600, from in 0_u32..24, to in 0_u32..24, days in proptest::collection::btree_set(1_u8..=7, 1..7),
        start in 1_700_000_000_i64..1_900_000_000, zone in prop::sample::select(vec!["Asia/Tashkent", "Europe/Kyiv", "Europe/Moscow", "Pacific/Apia", "America/St_Johns"]),
    ) {
        prop_assume!(from != to);
        let window = Some(Window { from: format!("{from:02}:00"), to: format!("{to:02}:00") });
        let rule = Rule::read(&Written {
            every: Some(format!("{minutes}m")), timezone: zone.into(), days: Some(days.iter().copied().collect()), window, ..Written::default()
        }).unwrap();
        let start = DateTime::from_timestamp(start, 0).unwrap();
        let times = rule.upcoming(start, 30);
        prop_assert_eq!(times.len(), 30);
        let mut before = start;
        for time in times {
            prop_assert!(time > before);
            // Asked from any moment in between, the answer is the same: nothing depends on when the service was started.
            prop_assert_eq!(rule.next(before + (time - before) / 2), Some(time));
            before = time;
        }
    }

    #[test]
    fn jitter_stays_below_its_limit_and_is_always_the_same(seconds in 1_u64..300, due in 0_i64..2_000_000_000) {
        let rule = Rule::read(&Written { every: Some("5m".into()), timezone: "UTC".into(), jitter: Some(format!("{}s", seconds.min(299))), ..Written::default() }).unwrap();
        let due = DateTime::from_timestamp(due, 0).unwrap();
        let delay = rule.delay("a", due);
        prop_assert!(delay < Duration::from_secs(seconds));
        prop_assert_eq!(delay, rule.delay("a", due));
    }
}
