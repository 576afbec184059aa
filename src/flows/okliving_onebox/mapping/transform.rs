//! What is done to a value on its way.

use chrono::{DateTime, LocalResult, NaiveDate, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::number,
    engine::model::Reason,
    flows::okliving_onebox::recipient::{self, Checked},
};

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FieldTransform)]
pub enum Transform {
    /// Blanks, apostrophes, and the two ways of writing one letter are made alike.
    Text,
    /// Names as Nova Poshta takes them.
    Names,
    /// A Ukrainian phone as 380XXXXXXXXX.
    PhoneUa,
    /// A branch's number.
    NpNumber,
    /// A city without its kind and region.
    City,
    /// A reference of Nova Poshta.
    Ref,
    /// Money: "799.50", 799.5, "1 799,50".
    Money,
    /// Money in kopiykas: 79950 is 799.50. Before `money`.
    MinorUnits,
    /// A moment; without a zone it is of `okliving.timezone`.
    Time,
    /// How many.
    Quantity,
    /// Digits only.
    Digits,
}

impl Transform {
    /// The step on a text.
    pub fn apply(self, raw: &str, zone: Tz) -> Checked {
        match self {
            Self::Text => fine(recipient::tidy(raw)),
            Self::Names => recipient::name(raw),
            Self::PhoneUa => recipient::phone(raw),
            Self::NpNumber => recipient::np_number(raw),
            Self::City => recipient::city(raw),
            Self::Ref => recipient::reference(raw),
            Self::Money => decimal(raw, "money_unreadable"),
            Self::MinorUnits => match number::parse_decimal(raw).and_then(|minor| minor.checked_div(Decimal::ONE_HUNDRED)) {
                Some(value) => fine(number::plain(value)),
                None => bad(raw, "money_unreadable"),
            },
            Self::Quantity => decimal(raw, "quantity_unreadable"),
            Self::Time => match moment(raw, zone) {
                Some(at) => fine(at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)),
                None => bad(raw, "time_unreadable"),
            },
            Self::Digits => fine(raw.chars().filter(char::is_ascii_digit).collect::<String>()),
        }
    }
}

fn fine(value: String) -> Checked {
    Checked { value, fine: true, flags: Vec::new() }
}

fn bad(raw: &str, code: &str) -> Checked {
    Checked { value: raw.to_owned(), fine: false, flags: vec![Reason::new(code).with("value", raw)] }
}

/// A decimal with a point or, if it has none, a comma; blanks between thousands.
fn decimal(raw: &str, code: &str) -> Checked {
    let text: String = raw.chars().filter(|letter| !letter.is_whitespace()).collect();
    let text = if text.contains('.') { text } else { text.replace(',', ".") };
    match number::parse_decimal(&text) {
        Some(value) => fine(number::plain(value)),
        None => bad(raw, code),
    }
}

/// A moment in any of the forms of the sheet (facts/okliving.md section 4.1): with its zone, or in the shop's. An hour that comes twice in autumn
/// is taken as the first, one that spring leaves out as the next there is.
pub fn moment(raw: &str, zone: Tz) -> Option<DateTime<Utc>> {
    let text = raw.trim();
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.to_utc());
    }
    for form in ["%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%d %H:%M:%S%.f%z", "%Y-%m-%d %H:%M:%S %z"] {
        if let Ok(at) = DateTime::parse_from_str(text, form) {
            return Some(at.to_utc());
        }
    }
    let forms = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M"];
    let local = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let day = || ["%Y-%m-%d", "%d.%m.%Y"].iter().find_map(|form| NaiveDate::parse_from_str(text, form).ok())?.and_hms_opt(0, 0, 0);
    if let Some(local) = local.or_else(day) {
        return match zone.from_local_datetime(&local) {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Some(at.to_utc()),
            LocalResult::None => zone.from_local_datetime(&(local + chrono::Duration::hours(1))).earliest().map(|at| at.to_utc()),
        };
    }
    // Seconds since 1970, between 2001 and 2286.
    let seconds: i64 = text.parse().ok().filter(|seconds| (1_000_000_000..10_000_000_000).contains(seconds))?;
    DateTime::from_timestamp(seconds, 0)
}

#[cfg(test)]
mod tests {
    use chrono_tz::Europe::Kyiv;
    use proptest::prelude::*;

    use super::*;

    fn value(transform: Transform, raw: &str) -> String {
        transform.apply(raw, Kyiv).value
    }

    #[test]
    fn money_in_every_form() {
        for raw in ["799.50", "799.5", "799,50", " 799.50 "] {
            assert_eq!(value(Transform::Money, raw), "799.5", "{raw}");
        }
        assert_eq!(value(Transform::Money, "1 799,50"), "1799.5");
        assert_eq!(value(Transform::MinorUnits, "79950"), "799.5");
        let wrong = Transform::Money.apply("дорого", Kyiv);
        assert!(!wrong.fine && wrong.value == "дорого");
    }

    #[test]
    fn times_with_and_without_their_zone_also_where_the_clocks_shift() {
        for (raw, at) in [
            ("2026-03-14 11:32:07", "2026-03-14T09:32:07Z"),
            ("2026-07-14 11:32:07", "2026-07-14T08:32:07Z"),
            ("2026-03-14T09:32:07.123+00:00", "2026-03-14T09:32:07Z"),
            ("2026-03-14T11:32:07+0200", "2026-03-14T09:32:07Z"),
            ("14.03.2026 11:32", "2026-03-14T09:32:00Z"),
            ("2026-03-14", "2026-03-13T22:00:00Z"),
            ("1773480727", "2026-03-14T09:32:07Z"),
            // Spring leaves 03:30 out, autumn has it twice.
            ("2026-03-29 03:30:00", "2026-03-29T01:30:00Z"),
            ("2026-10-25 03:30:00", "2026-10-25T00:30:00Z"),
        ] {
            assert_eq!(value(Transform::Time, raw), at, "{raw}");
        }
        assert!(!Transform::Time.apply("вчора", Kyiv).fine);
    }

    proptest! {
        #[test]
        fn no_text_upsets_a_transform(raw in "\\PC{0,60}") {
            for transform in [Transform::Text, Transform::Names, Transform::PhoneUa, Transform::NpNumber, Transform::City, Transform::Ref, Transform::Money, Transform::MinorUnits, Transform::Time, Transform::Quantity, Transform::Digits] {
                let _ = transform.apply(&raw, Kyiv);
            }
        }

        #[test]
        fn a_written_moment_is_read_back(seconds in 1_500_000_000i64..2_000_000_000) {
            let at = DateTime::from_timestamp(seconds, 0).unwrap_or_default();
            prop_assert_eq!(moment(&at.to_rfc3339(), Kyiv), Some(at));
            let local = at.with_timezone(&Kyiv).format("%Y-%m-%d %H:%M:%S").to_string();
            // But for the hour that autumn repeats.
            let read = moment(&local, Kyiv).unwrap_or_default();
            prop_assert!((at - read).num_seconds() == 0 || (at - read).num_seconds() == 3_600);
        }
    }
}
