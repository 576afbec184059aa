//! Decimals for money and stock. No floats anywhere: JSON numbers are taken from their own text (design.md section 11).

use std::str::FromStr;

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// Reads `12`, `12.50`, `-3`, `1e3`, with blanks around them; no thousands separators, no commas.
pub fn parse_decimal(text: &str) -> Option<Decimal> {
    let text = text.trim();
    Decimal::from_str_exact(text)
        .ok()
        .or_else(|| if text.contains(['e', 'E']) { Decimal::from_scientific(text).ok() } else { Decimal::from_str(text).ok() })
}

/// A decimal without trailing zeros, as answers show it: `189000`, `0.35`.
pub fn plain(value: Decimal) -> String {
    value.normalize().to_string()
}

/// A number that a remote sends as a number, as a string, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Lenient {
    /// Key absent, `null` or an empty string.
    #[default]
    Absent,
    /// A readable number.
    Number(Decimal),
    /// Something else; its own text for the report.
    Unreadable(String),
}

impl<'de> Deserialize<'de> for Lenient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = raw.get().trim();
        if text == "null" {
            return Ok(Self::Absent);
        }
        let inner =
            if text.starts_with('"') { serde_json::from_str::<String>(text).unwrap_or_else(|_| text.to_owned()) } else { text.to_owned() };
        if inner.trim().is_empty() {
            return Ok(Self::Absent);
        }
        Ok(match parse_decimal(&inner) {
            Some(value) => Self::Number(value),
            None => Self::Unreadable(inner.chars().take(60).collect()),
        })
    }
}

/// How a price is rounded: to a step, in a mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RoundingMode {
    /// Half a step and more goes up.
    HalfUp,
    /// Halves go to the even step.
    HalfEven,
    /// Any rest goes up.
    Up,
    /// Any rest is cut off.
    Down,
}

/// Rounds `value` to a multiple of `step`; a step of zero or less leaves it as it is.
pub fn round_to_step(value: Decimal, step: Decimal, mode: RoundingMode) -> Decimal {
    if step <= Decimal::ZERO {
        return value;
    }
    let strategy = match mode {
        RoundingMode::HalfUp => RoundingStrategy::MidpointAwayFromZero,
        RoundingMode::HalfEven => RoundingStrategy::MidpointNearestEven,
        RoundingMode::Up => RoundingStrategy::AwayFromZero,
        RoundingMode::Down => RoundingStrategy::ToZero,
    };
    value
        .checked_div(step)
        .map(|steps| steps.round_dp_with_strategy(0, strategy))
        .and_then(|steps| steps.checked_mul(step))
        .unwrap_or(value)
        .normalize()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_come_as_numbers_strings_or_not_at_all() {
        let read = |text: &str| serde_json::from_str::<Lenient>(text).ok();
        assert_eq!(read("304.5"), Some(Lenient::Number(Decimal::new(3_045, 1))));
        assert_eq!(read("\"5\""), Some(Lenient::Number(Decimal::from(5))));
        assert_eq!(read("1.5e3"), Some(Lenient::Number(Decimal::from(1_500))));
        assert_eq!(read("null"), Some(Lenient::Absent));
        assert_eq!(read("\"\""), Some(Lenient::Absent));
        assert_eq!(read("\"abc\""), Some(Lenient::Unreadable("abc".into())));
        assert_eq!(read("{\"a\":1}"), Some(Lenient::Unreadable("{\"a\":1}".into())));
    }

    #[test]
    fn money_is_never_a_float() {
        assert_eq!(serde_json::from_str::<Lenient>("0.1").ok(), Some(Lenient::Number(Decimal::new(1, 1))));
    }

    proptest! {
        #[test]
        fn rounding_stays_within_one_step(cents in 0i64..10_000_000_000, step in 1i64..100_000) {
            let (value, step) = (Decimal::new(cents, 2), Decimal::new(step, 2));
            for mode in [RoundingMode::HalfUp, RoundingMode::HalfEven, RoundingMode::Up, RoundingMode::Down] {
                let rounded = round_to_step(value, step, mode);
                prop_assert!((rounded - value).abs() <= step);
                prop_assert!((rounded % step).is_zero());
            }
        }
    }
}
