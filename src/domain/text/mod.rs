//! Texts that people read: reasons and rules of a run's report, in Russian, Uzbek (Latin script), English and Ukrainian.
//!
//! The sentences are in `locales/<language>/*.ftl`, one message per stable code of `engine::model::Reason`.
//! A reason with a value `rule` whose code has no sentence of its own (`brake`) has one per rule (`brake_price_jump`).
//! A new code = one line in each of the four folders; a test compares them.

use std::{borrow::Cow, collections::BTreeMap, collections::HashMap};

use fluent_templates::{LanguageIdentifier, Loader, fluent_bundle::FluentValue, langid, static_loader};

static_loader! {
    static SENTENCES = {
        locales: "./src/domain/text/locales",
        fallback_language: "en",
        // Isolation marks are for mixed writing directions; they would stand in CSV files and tests as strange bytes.
        customise: |bundle| bundle.set_use_isolating(false),
    };
}

static RU: LanguageIdentifier = langid!("ru");
static UZ: LanguageIdentifier = langid!("uz");
static EN: LanguageIdentifier = langid!("en");
static UK: LanguageIdentifier = langid!("uk");

/// A language we speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Lang {
    /// Russian.
    Ru,
    /// Uzbek in Latin script.
    Uz,
    /// English; also when a caller wants none of ours.
    #[default]
    En,
    /// Ukrainian.
    Uk,
}

impl Lang {
    /// Every language.
    pub const ALL: [Self; 4] = [Self::Ru, Self::Uz, Self::En, Self::Uk];

    /// Its tag, as in `Content-Language`.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Ru => "ru",
            Self::Uz => "uz",
            Self::En => "en",
            Self::Uk => "uk",
        }
    }

    /// The language of a tag.
    pub fn of_tag(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lang| lang.tag() == tag)
    }

    fn id(self) -> &'static LanguageIdentifier {
        match self {
            Self::Ru => &RU,
            Self::Uz => &UZ,
            Self::En => &EN,
            Self::Uk => &UK,
        }
    }

    /// The best of our languages for an `Accept-Language` header (RFC 9110: ranges with weights). Unreadable parts are left out.
    pub fn negotiate(accept_language: Option<&str>) -> Self {
        let mut best: Option<(u16, Self)> = None;
        for part in accept_language.unwrap_or_default().split(',').take(32) {
            let mut parameters = part.split(';');
            let range = parameters.next().unwrap_or_default().trim().to_ascii_lowercase();
            let primary = range.split('-').next().unwrap_or_default();
            let Some(lang) = Self::ALL.into_iter().find(|lang| lang.tag() == primary).or_else(|| (primary == "*").then_some(Self::En))
            else {
                continue;
            };
            let weight = parameters.find_map(|parameter| parameter.trim().strip_prefix("q=").and_then(weight)).unwrap_or(1_000);
            if weight > 0 && best.is_none_or(|(known, _)| weight > known) {
                best = Some((weight, lang));
            }
        }
        best.map_or(Self::En, |(_, lang)| lang)
    }
}

/// `0`, `0.8`, `1.000` in thousandths.
fn weight(text: &str) -> Option<u16> {
    let (whole, part) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let thousandths = format!("{part:0<3}").get(..3)?.parse::<u16>().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" => Some(1_000),
        _ => None,
    }
}

/// The sentence of a reason or rule. A code without a sentence is its own text, so that a report never has a hole.
pub fn reason_text(lang: Lang, code: &str, params: &BTreeMap<String, String>) -> String {
    let arguments: HashMap<Cow<'static, str>, FluentValue<'_>> =
        params.iter().map(|(name, value)| (Cow::Owned(name.clone()), FluentValue::from(value.as_str()))).collect();
    let sentence = |code: &str| SENTENCES.try_lookup_with_args(lang.id(), code, &arguments);
    sentence(code).or_else(|| sentence(&format!("{code}_{}", params.get("rule")?))).unwrap_or_else(|| code.to_owned())
}

/// A sentence with values, one of which may be a number (`$count`) that decides about words by the plural rules of the language.
pub fn sentence(lang: Lang, code: &str, params: &BTreeMap<String, String>) -> String {
    let value = |name: &str, text: &str| match text.parse::<u64>() {
        Ok(number) if name == "count" => FluentValue::from(number),
        _ => FluentValue::from(text.to_owned()),
    };
    let arguments: HashMap<Cow<'static, str>, FluentValue<'_>> =
        params.iter().map(|(name, text)| (Cow::Owned(name.clone()), value(name, text))).collect();
    SENTENCES.try_lookup_with_args(lang.id(), code, &arguments).unwrap_or_else(|| code.to_owned())
}

/// A word of a report's table: the title of a column or the name of an outcome.
pub fn report_title(lang: Lang, name: &str) -> String {
    SENTENCES.try_lookup(lang.id(), &format!("report_{name}")).unwrap_or_else(|| name.to_owned())
}

/// A sentence whose words depend on a number (`$count`), by the plural rules of the language.
pub fn counted_text(lang: Lang, code: &str, count: u64) -> String {
    let arguments = HashMap::from([(Cow::Borrowed("count"), FluentValue::from(count))]);
    SENTENCES.try_lookup_with_args(lang.id(), code, &arguments).unwrap_or_else(|| code.to_owned())
}

#[cfg(test)]
mod tests;
