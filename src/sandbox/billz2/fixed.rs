//! Prices and stock without floats: whole thousandths.
//!
//! Both kinds of number share one type, since the remote does not tell them apart either: a JSON number, now and then a
//! string (sheet 4.3). The control API speaks in strings (`"304.5"`), the wire in numbers.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

const SCALE: i64 = 1_000;

/// A decimal with at most three places, in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fixed(i64);

impl Fixed {
    /// Zero.
    pub const ZERO: Self = Self(0);

    /// A whole number of units.
    pub const fn whole(units: i64) -> Self {
        Self(units.saturating_mul(SCALE))
    }

    /// From thousandths: `304_500` is 304.5.
    pub const fn thousandths(value: i64) -> Self {
        Self(value)
    }

    /// The value in thousandths.
    pub const fn as_thousandths(self) -> i64 {
        self.0
    }

    /// True for exactly nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Reads `-12`, `0.35`, `1000.000`; refuses exponents and more than three places rather than rounding in silence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refuse = || format!("`{text}` is not a decimal with at most three places");
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let only_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let fraction = fraction.trim_end_matches('0');
        if whole.is_empty() || fraction.len() > 3 || !only_digits(whole) || !only_digits(fraction) {
            return Err(refuse());
        }
        let whole: i64 = whole.parse().map_err(|_| refuse())?;
        let fraction: i64 = format!("{fraction:0<3}").parse().map_err(|_| refuse())?;
        let value = whole.checked_mul(SCALE).and_then(|value| value.checked_add(fraction)).ok_or_else(refuse)?;
        Ok(Self(if negative { -value } else { value }))
    }
}

impl fmt::Display for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let value = self.0.unsigned_abs();
        let (whole, rest) = (value / SCALE.unsigned_abs(), value % SCALE.unsigned_abs());
        if rest == 0 {
            return write!(f, "{sign}{whole}");
        }
        let fraction = format!("{rest:03}");
        write!(f, "{sign}{whole}.{}", fraction.trim_end_matches('0'))
    }
}

/// The control API's form: a string.
impl Serialize for Fixed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The control API takes a number or a string.
impl<'de> Deserialize<'de> for Fixed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::Number(number) => number.to_string(),
            serde_json::Value::String(text) => text,
            other => return Err(D::Error::custom(format!("expected a number or a decimal string, got {other}"))),
        };
        Self::parse(&text).map_err(D::Error::custom)
    }
}

/// How one number leaves on the wire (sheet 4.3 and 6: int or float, string or number).
#[derive(Clone, Copy, Debug)]
pub enum OnWire {
    /// `189000`, or `304.5` where there is a fraction.
    Number(Fixed),
    /// `189000.0`: a float even when whole.
    Float(Fixed),
    /// `"189000"`: a string.
    Text(Fixed),
}

impl Serialize for OnWire {
    #[expect(clippy::cast_precision_loss, reason = "prices and stock are far below 2^53 thousandths, so the shortest float prints exactly")]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Number(value) if value.0 % SCALE == 0 => serializer.serialize_i64(value.0 / SCALE),
            Self::Number(value) | Self::Float(value) => serializer.serialize_f64(value.0 as f64 / SCALE as f64),
            Self::Text(value) => serializer.collect_str(&value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Fixed, OnWire};

    #[test]
    fn decimals_survive_both_ways() {
        for (text, shown) in
            [("0", "0"), ("304.5", "304.5"), ("-0.35", "-0.35"), ("12.000", "12"), ("189000", "189000"), ("0.001", "0.001")]
        {
            assert_eq!(Fixed::parse(text).map(|value| value.to_string()), Ok(shown.to_owned()), "{text}");
        }
        for text in ["", "abc", "1e5", "0.0001", "1,5", "--1", "."] {
            assert!(Fixed::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_wire_has_three_forms() {
        let shown = |value| serde_json::to_string(&value).ok();
        assert_eq!(shown(OnWire::Number(Fixed::whole(189_000))).as_deref(), Some("189000"));
        assert_eq!(shown(OnWire::Number(Fixed::thousandths(350))).as_deref(), Some("0.35"));
        assert_eq!(shown(OnWire::Float(Fixed::whole(5))).as_deref(), Some("5.0"));
        assert_eq!(shown(OnWire::Text(Fixed::thousandths(1500))).as_deref(), Some("\"1.5\""));
    }
}
