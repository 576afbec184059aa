//! A schedule's rule: checked once, then a pure question "when next?".
//!
//! `every` counts from the beginning of the day's window, or from midnight, in the rule's time zone, so that "every 10 minutes from 9 to
//! 21" means 9:00, 9:10, … 20:50 on every day, whenever the service was started. `cron` has five fields and is read by croner, which
//! knows the days on which clocks change: a daily time that such a day leaves out runs right after the gap, and one that comes
//! twice runs once.

use std::{collections::BTreeSet, time::Duration};

use chrono::{DateTime, Datelike, Days, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use serde::{Deserialize, Serialize};

use crate::{domain::clock, fault::FieldError};

/// Shortest period: below it runs would only skip each other.
const SHORTEST: Duration = Duration::from_secs(5);
/// Longest period.
const LONGEST: Duration = Duration::from_secs(31 * 86_400);
/// A day.
const DAY: Duration = Duration::from_secs(86_400);
/// Days looked ahead for a due time: leap days and rare weekdays come within.
const HORIZON: u64 = 366 * 9;

/// What is done about due times that passed while the service was down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// One run at once for all of them.
    #[default]
    Once,
    /// None: the next one comes at its time.
    Skip,
}

/// Hours of the day, `HH:MM` in the rule's time zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// First minute.
    pub from: String,
    /// The minute after the last; earlier than `from` = on the next day.
    pub to: String,
}

/// A rule as a person wrote it, and as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Written {
    /// A period, such as `5m`; or `cron`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<String>,
    /// Five fields, such as `*/5 * * * *`; or `every`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// IANA name, such as `Asia/Tashkent`.
    pub timezone: String,
    /// Days of the week, 1 = Monday; absent = all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<Vec<u8>>,
    /// Hours of the day; absent = all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// Each due time is put off by up to so much, always by the same for the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<String>,
    /// What is done about missed due times.
    pub catch_up: CatchUp,
}

/// A checked rule.
#[derive(Clone, Debug)]
pub struct Rule {
    beat: Beat,
    timezone: Tz,
    days: BTreeSet<u8>,
    window: Option<(NaiveTime, NaiveTime)>,
    jitter: Duration,
    /// What is done about missed due times.
    pub catch_up: CatchUp,
}

#[derive(Clone, Debug)]
enum Beat {
    /// Several times a day.
    Within(Duration),
    /// Once in so many days.
    Days(u64),
    Cron(Box<Cron>),
}

impl Rule {
    /// Checks what a person wrote. Pointers are those of the request's body.
    pub fn read(written: &Written) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let beat = read_beat(written, &mut errors);
        let timezone = written.timezone.parse::<Tz>().map_err(|_| {
            errors.push(FieldError::new(
                "/timezone",
                format!("`{}` is no time zone; write an IANA name such as Asia/Tashkent, Europe/Moscow or Europe/Kyiv", written.timezone),
            ));
        });
        let days = read_days(written.days.as_deref(), &mut errors);
        let window = written.window.as_ref().and_then(|window| read_window(window, &mut errors));
        let jitter = read_jitter(written, &beat, &mut errors);
        let (Some(beat), Ok(timezone), true) = (beat, timezone, errors.is_empty()) else { return Err(errors) };
        let rule = Self { beat, timezone, days, window, jitter, catch_up: written.catch_up };
        if rule.next(DateTime::UNIX_EPOCH + TimeDelta::days(20_000)).is_none() {
            let pointer = if written.cron.is_some() { "/cron" } else { "/window" };
            return Err(vec![FieldError::new(pointer, "this rule never comes due: its days, hours and times have no moment in common")]);
        }
        Ok(rule)
    }

    /// The first due time after `after`; `None` when there is none in nine years.
    pub fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.beat {
            Beat::Cron(cron) => self.next_by_cron(cron, after),
            Beat::Within(step) => self.next_by_step(after, Some(*step)),
            Beat::Days(_) => self.next_by_step(after, None),
        }
    }

    /// How long the due time `due` of a schedule is put off: between nothing and the jitter, always the same.
    pub fn delay(&self, schedule: &str, due: DateTime<Utc>) -> Duration {
        let most = u64::try_from(clock::scaled(self.jitter).as_micros()).unwrap_or(u64::MAX);
        if most == 0 {
            return Duration::ZERO;
        }
        let hash = crate::engine::secrets::fingerprint(&[schedule.as_bytes(), &due.timestamp_micros().to_be_bytes()]);
        let number = hash.get(..15).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or_default();
        Duration::from_micros(number % most)
    }

    /// The next `count` due times after `after`.
    pub fn upcoming(&self, after: DateTime<Utc>, count: usize) -> Vec<DateTime<Utc>> {
        std::iter::successors(self.next(after), |time| self.next(*time)).take(count).collect()
    }

    fn next_by_cron(&self, cron: &Cron, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut after = after.with_timezone(&self.timezone);
        for _ in 0..HORIZON {
            let found = cron.find_next_occurrence(&after, false).ok()?;
            let moment = found.with_timezone(&Utc);
            let (begins, ends) = self.span_from(moment)?;
            if moment >= begins && moment < ends {
                return Some(moment);
            }
            // Outside of the hours or days: go on from the moment before they begin again.
            after = (begins - TimeDelta::seconds(1)).with_timezone(&self.timezone);
        }
        None
    }

    fn next_by_step(&self, after: DateTime<Utc>, step: Option<Duration>) -> Option<DateTime<Utc>> {
        let step = step.map(|step| clock::chrono_duration(clock::scaled(step)).max(TimeDelta::microseconds(1)));
        self.dates_around(after).find_map(|date| {
            let (begins, ends) = self.span(date)?;
            if after < begins {
                return Some(begins);
            }
            let step = step?;
            let passed = (after - begins).num_microseconds()?.div_euclid(step.num_microseconds()?) + 1;
            let next = begins + step.checked_mul(i32::try_from(passed).ok()?)?;
            (next < ends).then_some(next)
        })
    }

    /// The first span of allowed time that has not ended at `moment`.
    fn span_from(&self, moment: DateTime<Utc>) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        self.dates_around(moment).filter_map(|date| self.span(date)).find(|(_, ends)| moment < *ends)
    }

    /// Allowed dates in order, from the day before (whose hours may reach over midnight).
    fn dates_around(&self, moment: DateTime<Utc>) -> impl Iterator<Item = NaiveDate> + '_ {
        let today = moment.with_timezone(&self.timezone).date_naive();
        let first = today.checked_sub_days(Days::new(1)).unwrap_or(today);
        (0..HORIZON).filter_map(move |days| first.checked_add_days(Days::new(days))).filter(|date| self.allows(*date))
    }

    fn allows(&self, date: NaiveDate) -> bool {
        let weekday = u8::try_from(date.weekday().number_from_monday()).unwrap_or_default();
        let turn = match self.beat {
            Beat::Days(days) => i64::from(date.num_days_from_ce()).rem_euclid(i64::try_from(days).unwrap_or(1)) == 0,
            Beat::Within(_) | Beat::Cron(_) => true,
        };
        turn && self.days.contains(&weekday)
    }

    /// From when to when a date's ticks may come.
    fn span(&self, date: NaiveDate) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let tomorrow = date.checked_add_days(Days::new(1))?;
        let (from, to) = self.window.unwrap_or((NaiveTime::MIN, NaiveTime::MIN));
        let ends_on = if to <= from { tomorrow } else { date };
        Some((self.moment(date.and_time(from))?, self.moment(ends_on.and_time(to))?))
    }

    /// A local time as a moment: the earlier of two, and the first one after a gap.
    fn moment(&self, local: NaiveDateTime) -> Option<DateTime<Utc>> {
        // No zone has ever left out more than a day.
        (0..=96).find_map(|quarter| match self.timezone.from_local_datetime(&(local + TimeDelta::minutes(15 * quarter))) {
            LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => Some(time.with_timezone(&Utc)),
            LocalResult::None => None,
        })
    }
}

fn read_beat(written: &Written, errors: &mut Vec<FieldError>) -> Option<Beat> {
    match (&written.every, &written.cron) {
        (Some(_), Some(_)) => {
            errors.push(FieldError::new("/cron", "give either every or cron, not both"));
            None
        }
        (None, None) => {
            errors.push(FieldError::new("/every", "give every, such as \"5m\", or cron, such as \"*/5 * * * *\""));
            None
        }
        (Some(every), None) => {
            let beat = clock::parse_duration(every).and_then(|period| period_beat(every, period));
            beat.map_err(|detail| errors.push(FieldError::new("/every", detail))).ok()
        }
        (None, Some(cron)) => {
            let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
            match parser.parse(cron) {
                Ok(cron) => Some(Beat::Cron(Box::new(cron))),
                Err(error) => {
                    errors.push(FieldError::new(
                        "/cron",
                        format!("`{cron}` is no cron rule ({error}); write five fields: minute hour day month weekday"),
                    ));
                    None
                }
            }
        }
    }
}

fn period_beat(every: &str, period: Duration) -> Result<Beat, String> {
    if period < SHORTEST || period > LONGEST {
        return Err(format!("`{every}` must be between 5s and 31d"));
    }
    if period < DAY {
        return Ok(Beat::Within(period));
    }
    if period.as_secs() % DAY.as_secs() != 0 || period.subsec_nanos() != 0 {
        return Err(format!("`{every}` is longer than a day, so it must be whole days, such as 48h or 7d"));
    }
    Ok(Beat::Days(period.as_secs() / DAY.as_secs()))
}

fn read_days(days: Option<&[u8]>, errors: &mut Vec<FieldError>) -> BTreeSet<u8> {
    let Some(days) = days else { return (1..=7).collect() };
    if days.is_empty() {
        errors.push(FieldError::new("/days", "must name at least one day; leave it out for all"));
    }
    for (place, day) in days.iter().enumerate().filter(|(_, day)| !(1..=7).contains(*day)) {
        errors.push(FieldError::new(format!("/days/{place}"), format!("`{day}` is no day of the week: 1 = Monday … 7 = Sunday")));
    }
    days.iter().copied().collect()
}

fn read_window(window: &Window, errors: &mut Vec<FieldError>) -> Option<(NaiveTime, NaiveTime)> {
    let mut time = |text: &str, pointer: &str| {
        // "24:00" is how people write the end of a day.
        let read = if text == "24:00" { Ok(NaiveTime::MIN) } else { NaiveTime::parse_from_str(text, "%H:%M") };
        read.map_err(|_| errors.push(FieldError::new(pointer, format!("`{text}` is no time of day; write HH:MM, such as 09:00")))).ok()
    };
    let (from, to) = (time(&window.from, "/window/from"), time(&window.to, "/window/to"));
    if from.is_some() && from == to && window.to != "24:00" {
        errors.push(FieldError::new("/window/to", "must differ from \"from\"; leave the window out for the whole day"));
    }
    from.zip(to)
}

fn read_jitter(written: &Written, beat: &Option<Beat>, errors: &mut Vec<FieldError>) -> Duration {
    let Some(text) = &written.jitter else { return Duration::ZERO };
    let shorter_than = match beat {
        Some(Beat::Within(period)) => *period,
        _ => Duration::from_secs(3_600),
    };
    match clock::parse_duration(text) {
        Ok(jitter) if jitter < shorter_than => jitter,
        Ok(_) => {
            let most = humantime::format_duration(shorter_than);
            errors
                .push(FieldError::new("/jitter", format!("`{text}` must be shorter than {most}, or due times would overtake each other")));
            Duration::ZERO
        }
        Err(detail) => {
            errors.push(FieldError::new("/jitter", detail));
            Duration::ZERO
        }
    }
}

#[cfg(test)]
#[path = "rule_tests.rs"]
mod tests;
