//! Weights: OpenCart keeps a number beside one of its own classes, which are known by their unit in any language.

use std::fmt;

use rust_decimal::Decimal;

use crate::domain::number;

/// A unit that both ends understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightUnit {
    /// Kilograms.
    Kilogram,
    /// Grams.
    Gram,
}

impl WeightUnit {
    /// The unit that people mean by a word in Russian, Ukrainian, Uzbek or English; `None` for any other word.
    pub fn of(word: &str) -> Option<Self> {
        match word.trim().trim_end_matches('.').to_lowercase().as_str() {
            "кг" | "kg" | "кило" | "килограмм" | "кілограм" | "kilogramm" | "kilogram" => Some(Self::Kilogram),
            "г" | "гр" | "g" | "gr" | "грамм" | "грам" | "gramm" | "gram" => Some(Self::Gram),
            _ => None,
        }
    }
}

/// A weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight {
    /// How many.
    pub amount: Decimal,
    /// Of what.
    pub unit: WeightUnit,
}

impl fmt::Display for Weight {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            WeightUnit::Kilogram => "kg",
            WeightUnit::Gram => "g",
        };
        write!(out, "{} {unit}", number::plain(self.amount))
    }
}

impl Weight {
    /// Reads back what was printed, such as `0.5 kg`.
    pub fn parse(text: &str) -> Option<Self> {
        let (amount, unit) = text.split_once(' ')?;
        Some(Self { amount: number::parse_decimal(amount)?, unit: WeightUnit::of(unit)? })
    }

    /// The weight by the shop's classes (id, unit): by the class of the same unit, else by that of the other. `None` if it has neither.
    pub(super) fn in_classes(self, classes: &[(i64, String)]) -> Option<(Decimal, i64)> {
        let class = |unit: WeightUnit| classes.iter().find(|(_, word)| WeightUnit::of(word) == Some(unit)).map(|(id, _)| *id);
        let other = match self.unit {
            WeightUnit::Kilogram => (self.amount.checked_mul(Decimal::ONE_THOUSAND)?, WeightUnit::Gram),
            WeightUnit::Gram => (self.amount.checked_div(Decimal::ONE_THOUSAND)?, WeightUnit::Kilogram),
        };
        class(self.unit).map(|class| (self.amount, class)).or_else(|| class(other.1).map(|class| (other.0, class)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_goes_to_the_class_that_says_its_unit() {
        let classes = [(5, "lb".to_owned()), (1, "кг".to_owned()), (2, "г".to_owned())];
        let weight = |amount: &str, unit| Weight { amount: amount.parse().unwrap(), unit };
        assert_eq!(weight("0.5", WeightUnit::Kilogram).in_classes(&classes), Some(("0.5".parse().unwrap(), 1)));
        assert_eq!(weight("350", WeightUnit::Gram).in_classes(&classes), Some(("350".parse().unwrap(), 2)));
        assert_eq!(weight("350", WeightUnit::Gram).in_classes(&classes[..2]), Some(("0.35".parse().unwrap(), 1)));
        assert_eq!(weight("350", WeightUnit::Gram).in_classes(&classes[..1]), None);
        assert_eq!(Weight::parse(&weight("0.5", WeightUnit::Kilogram).to_string()), Some(weight("0.5", WeightUnit::Kilogram)));
    }
}
