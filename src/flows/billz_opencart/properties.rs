//! Properties of a good in Billz (attributes, custom fields, the properties of Billz 1, the unit) as the shop's attributes, and its weight
//! where a property clearly says it.

use std::collections::BTreeMap;

use super::record::Good;
use crate::{
    domain::number,
    systems::opencart::{Entry, Weight, WeightUnit, escape, same_name},
};

/// Length of `oc_attribute_description.name`.
const NAME: usize = 64;
/// Longest value: fits `oc_product_attribute.text` (65,535 bytes), whatever it is escaped to.
const VALUE: usize = 10_000;

/// Under which name the unit of measurement stands in reports and, in Russian, in the shop; and in other languages.
pub const UNIT: &str = "Единица измерения";
const UNIT_TRANSLATIONS: [(&str, &str); 3] = [("uz", "O‘lchov birligi"), ("en", "Unit of measurement"), ("uk", "Одиниця виміру")];

/// What a good's properties come to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Properties {
    /// Name -> text, as people read them. Several properties of one name are one attribute.
    pub attributes: BTreeMap<String, String>,
    /// The weight.
    pub weight: Option<Weight>,
}

/// The properties of a good.
pub fn of(good: &Good) -> Properties {
    let mut weight = None;
    let mut found: Vec<(String, String, Vec<String>)> = Vec::new();
    let unit = (UNIT.to_owned(), good.unit.clone());
    for (name, value) in good.properties.iter().chain(std::iter::once(&unit)) {
        let (name, value) = (fitting(name), words(value).chars().take(VALUE).collect::<String>());
        if name.is_empty() || value.is_empty() {
            continue;
        }
        if weight.is_none()
            && let Some(said) = said_weight(&name, &value)
        {
            weight = Some(said);
            continue;
        }
        let key = same_name(&name);
        match found.iter_mut().find(|(known, _, _)| *known == key) {
            Some((_, _, values)) if values.iter().any(|known| same_name(known) == same_name(&value)) => {}
            Some((_, _, values)) => values.push(value),
            None => found.push((key, name, vec![value])),
        }
    }
    let attributes = found.into_iter().map(|(_, name, values)| (name, values.join(", "))).collect();
    Properties { attributes, weight }
}

/// The attribute's entry in the shop's dictionary.
pub fn entry(name: &str) -> Entry {
    let mut entry = Entry::new(name);
    if name == UNIT {
        entry.translations = UNIT_TRANSLATIONS.iter().map(|(tag, name)| ((*tag).to_owned(), (*name).to_owned())).collect();
    }
    entry
}

/// Under which name the rules know an attribute of the shop: the unit is one thing in all languages.
pub fn known_as(name: &str) -> String {
    let same = same_name(name);
    let unit = UNIT_TRANSLATIONS.iter().map(|(_, name)| *name).chain([UNIT]).any(|unit| same_name(unit) == same);
    if unit { same_name(UNIT) } else { same }
}

/// One line with single spaces, without characters that the shop's usual tables cannot hold.
fn words(text: &str) -> String {
    let plain: String = text.chars().filter(|letter| u32::from(*letter) <= 0xFFFF && !matches!(letter, '\u{200d}' | '\u{fe0f}')).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A name that fits the shop's column once it is escaped.
fn fitting(name: &str) -> String {
    // `СТРАНА_ПРОИЗВОДСТВА` of Billz 1 stays as it is: its own name.
    let mut name = words(name);
    while escape(&name).chars().count() > NAME {
        name.pop();
    }
    name.trim_end().to_owned()
}

/// A weight that says so: by its name, and by a unit in the name or in the value. A number without a unit says nothing.
fn said_weight(name: &str, value: &str) -> Option<Weight> {
    let name = name.to_lowercase().replace(['_', ',', '(', ')', ':', '[', ']', '/'], " ");
    let mut of_name = name.split_whitespace();
    let known = ["вес", "вага", "масса", "маса", "weight", "vazn", "vazni", "og'irlik", "og'irligi"];
    if !known.contains(&same_name(of_name.next()?).as_str()) {
        return None;
    }
    let of_name: Vec<&str> = of_name.collect();
    let digits = value.find(|letter: char| !(letter.is_ascii_digit() || letter == '.' || letter == ',' || letter.is_whitespace()));
    let (amount, unit) = value.split_at(digits.unwrap_or(value.len()));
    let unit = match (unit.trim(), of_name.as_slice()) {
        ("", [unit]) => WeightUnit::of(unit)?,
        ("", _) => return None,
        (unit, []) => WeightUnit::of(unit)?,
        (unit, [named]) => WeightUnit::of(unit).filter(|unit| WeightUnit::of(named) == Some(*unit))?,
        _ => return None,
    };
    let amount = number::parse_decimal(&amount.trim().replace(',', "."))?;
    (amount > rust_decimal::Decimal::ZERO).then_some(Weight { amount, unit })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(properties: &[(&str, &str)]) -> Good {
        let properties = properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Good { properties, unit: "шт".into(), ..Good::default() }
    }

    #[test]
    fn two_properties_of_one_name_are_one_attribute_and_empty_ones_are_none() {
        let properties = of(&good(&[("Цвет", "Белый"), ("ЦВЕТ ", " белый"), ("цвет", "Синий"), ("Сезон", "  "), ("", "x")]));
        let attributes: Vec<(&str, &str)> = properties.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(attributes, [("Единица измерения", "шт"), ("Цвет", "Белый, Синий")]);
    }

    #[test]
    fn a_weight_is_taken_only_where_a_property_clearly_says_it() {
        let said = |name: &str, value: &str| of(&good(&[(name, value)])).weight.map(|weight| weight.to_string()).unwrap_or_default();
        for (name, value, expected) in [
            ("Вес", "0,5 кг", "0.5 kg"),
            ("ВЕС_ТОВАРА", "5 кг", ""),
            ("Вес, г", "350", "350 g"),
            ("Weight (kg)", "1.20", "1.2 kg"),
            ("Og‘irligi", "350 gr", "350 g"),
            ("Вес", "350", ""),
            ("Вес, г", "0.5 кг", ""),
            ("Вес", "лёгкий", ""),
            ("Вес", "0 кг", ""),
            ("Максимальный вес", "100 кг", ""),
            ("Вес нетто брутто", "100 кг", ""),
        ] {
            assert_eq!(said(name, value), expected, "{name}: {value}");
        }
        assert!(of(&good(&[("Вес", "350")])).attributes.contains_key("Вес"), "what is not clear stays an attribute");
    }

    #[test]
    fn names_fit_the_shops_column_once_escaped() {
        let properties = of(&good(&[(&"&".repeat(40), "x"), (&"Ж".repeat(100), "y")]));
        assert!(properties.attributes.keys().all(|name| escape(name).chars().count() <= NAME));
    }

    #[test]
    fn the_unit_is_one_attribute_in_all_languages() {
        assert_eq!(known_as("O'lchov birligi"), known_as(UNIT));
        assert_ne!(known_as("Цвет"), known_as(UNIT));
    }
}
