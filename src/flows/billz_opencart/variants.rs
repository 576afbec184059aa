//! Variants of one good as one product with options (`variants: "options"`): what a variant is called, which family it belongs to,
//! and how its place in the shop is named. Pure; [`families`](super::families) writes.
//!
//! | in Billz 2 | in OpenCart |
//! |---|---|
//! | the parent's id, whether the parent is listed or not | the product's model |
//! | `Base` of the name `Base / M / blue` | the product's name |
//! | names of the properties that say `M` and `blue` | the option's name, `Размер / Цвет` |
//! | `M / blue` | a value of the option: stock per combination of two options is nothing that OpenCart knows |
//!
//! Rows of Billz 1 name no parent, and their article number is no safe key, so they stay products of their own.

use serde_json::{Value, json};

use super::{record::Good, settings, settings::Settings};
use crate::{
    engine::model::{FieldChange, Link, Reason},
    systems::opencart::{Entry, same_name},
};

/// The field of reports and links that says which size or colour this is.
pub const FIELD: &str = "option";

/// The observed value that tells whether this is the first size of its product: the one that came with it.
pub const FIRST: &str = "first_of_product";

/// Between the parts of a variant's name in Billz.
const BETWEEN: &str = " / ";

/// The option's name where no property says what the parts of the name are; and in other languages.
const UNNAMED: &str = "Вариант";
const UNNAMED_TRANSLATIONS: [(&str, &str); 3] = [("uz", "Variant"), ("en", "Variant"), ("uk", "Варіант")];

/// One variant of a family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// The parent's id in Billz.
    pub family: String,
    /// Name of the whole family; empty where the variant's own name is.
    pub base: String,
    /// Name of the option.
    pub option: String,
    /// This variant's value of it.
    pub value: String,
}

/// The variant that a good is to be sold as; `None` for a product of its own.
pub fn of(settings: &Settings, good: &Good, key: &str) -> Option<Variant> {
    if settings.variants != settings::Variants::Options {
        return None;
    }
    let family = good.parent.clone()?;
    let (base, parts) = match good.name.split_once(BETWEEN) {
        Some((base, parts)) if !base.trim().is_empty() && !parts.trim().is_empty() => (base.trim(), parts.trim()),
        _ => (good.name.trim(), ""),
    };
    let value = match (parts, good.sku.as_str()) {
        ("", "") => key,
        ("", sku) => sku,
        (parts, _) => parts,
    };
    let names: Vec<&str> = parts.split(BETWEEN).filter_map(|part| named_by(good, part)).collect();
    let option = if names.is_empty() { UNNAMED.to_owned() } else { names.join(BETWEEN) };
    Some(Variant { family, base: base.to_owned(), option, value: value.to_owned() })
}

/// The property that says this part of the name.
fn named_by<'a>(good: &'a Good, part: &str) -> Option<&'a str> {
    let part = same_name(part);
    good.properties.iter().find(|(_, value)| same_name(value) == part).map(|(name, _)| name.trim()).filter(|name| !name.is_empty())
}

/// The good with what it shares with its family alone: no article number and barcode, which OpenCart has no place for per size, and
/// without the properties that its option says.
pub fn shared(good: &Good, variant: &Variant) -> Good {
    let own: Vec<String> = variant.value.split(BETWEEN).map(same_name).collect();
    Good {
        name: variant.base.clone(),
        sku: String::new(),
        barcode: String::new(),
        properties: good.properties.iter().filter(|(_, value)| !own.contains(&same_name(value))).cloned().collect(),
        ..good.clone()
    }
}

impl Variant {
    /// As a field of a change.
    pub fn change(&self) -> FieldChange {
        let new = json!({"family": self.family, "name": self.option, "value": self.value});
        FieldChange { field: FIELD.into(), old: None, new, rule: Reason::new("variant_option").with("option", &self.option) }
    }

    /// The option's entry in the shop's dictionary.
    pub fn entry(&self) -> Entry {
        let mut entry = Entry::new(&self.option);
        if self.option == UNNAMED {
            entry.translations = UNNAMED_TRANSLATIONS.iter().map(|(tag, name)| ((*tag).to_owned(), (*name).to_owned())).collect();
        }
        entry
    }

    /// Reads a change back; `None` for one of a product.
    pub fn of_change(fields: &[FieldChange]) -> Option<Self> {
        let new = &fields.iter().find(|field| field.field == FIELD)?.new;
        let text = |name: &str| new.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Self { family: text("family")?, base: String::new(), option: text("name")?, value: text("value")? })
    }
}

/// Where a variant stands in the shop: a value of an option of a product. The engine knows it as `123#4567`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// `product_id`.
    pub product_id: u64,
    /// `product_option_value_id`.
    pub value_id: u64,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}#{}", self.product_id, self.value_id)
    }
}

impl Place {
    /// Reads a target of the engine; `None` for a whole product.
    pub fn of(target: &str) -> Option<Self> {
        let (product, value) = target.split_once('#')?;
        Some(Self { product_id: product.parse().ok()?, value_id: value.parse().ok()? })
    }
}

/// Whether a link leads to a size or colour and not to a whole product.
pub fn is_linked(link: Option<&Link>) -> bool {
    link.and_then(|link| link.target.as_deref()).and_then(Place::of).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variants: &str) -> Settings {
        Settings::read(&json!({"variants": variants})).unwrap()
    }

    fn shirt(name: &str, properties: &[(&str, &str)]) -> Good {
        let properties = properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Good { name: name.into(), sku: "S-1".into(), barcode: "47".into(), parent: Some("p".into()), properties, ..Good::default() }
    }

    #[test]
    fn a_variant_is_told_by_its_name_and_its_option_by_the_properties() {
        let options = settings("options");
        let words = |good: &Good| of(&options, good, "key").map(|variant| [variant.base, variant.option, variant.value].join(" | "));
        for (name, properties, expected) in [
            ("Кўйлак / M / Синий", vec![("razmer", "M"), ("Цвет", "синий"), ("Сезон", "SS25")], "Кўйлак | razmer / Цвет | M / Синий"),
            ("Кўйлак / M / Синий", vec![("Сезон", "SS25")], "Кўйлак | Вариант | M / Синий"),
            ("Кўйлак / 42", vec![("Размер", "42")], "Кўйлак | Размер | 42"),
            ("Носки 39/41", vec![("Размер", "39/41")], "Носки 39/41 | Вариант | S-1"),
            ("Кўйлак / ", vec![], "Кўйлак / | Вариант | S-1"),
        ] {
            assert_eq!(words(&shirt(name, &properties)).as_deref(), Some(expected), "{name}");
        }
        assert_eq!(of(&options, &Good { parent: None, ..shirt("A / M", &[]) }, "key"), None, "Billz 1, and goods without variants");
        assert_eq!(of(&settings("separate"), &shirt("A / M", &[]), "key"), None);
        let nameless = Good { sku: String::new(), ..shirt("A", &[]) };
        assert_eq!(of(&options, &nameless, "key").map(|variant| variant.value).as_deref(), Some("key"));
    }

    #[test]
    fn the_family_has_nothing_that_only_one_size_has() {
        let good = shirt("Кўйлак / M", &[("Размер", "m"), ("Сезон", "SS25")]);
        let shared = shared(&good, &of(&settings("options"), &good, "key").unwrap());
        assert_eq!((shared.name.as_str(), shared.sku.as_str(), shared.barcode.as_str()), ("Кўйлак", "", ""));
        assert_eq!(shared.properties, [("Сезон".to_owned(), "SS25".to_owned())]);
    }

    #[test]
    fn places_and_changes_read_back() {
        let place = Place { product_id: 12, value_id: 345 };
        assert_eq!((place.to_string().as_str(), Place::of("12#345")), ("12#345", Some(place)));
        assert_eq!((Place::of("12"), Place::of("12#"), Place::of("x#1")), (None, None, None));
        let good = shirt("Кўйлак / M", &[]);
        let variant = of(&settings("options"), &good, "key").unwrap();
        assert_eq!(Variant::of_change(&[variant.change()]), Some(Variant { base: String::new(), ..variant }));
    }
}
