//! What Nova Poshta asks of a recipient (facts/nova-poshta.md section 5): phone, names, branch and city, checked offline. A check never drops
//! anything: it tells what is wrong, and the text stays as it was where it cannot be put right beyond doubt.

use unicode_normalization::UnicodeNormalization;

use crate::engine::model::Reason;

/// Longest part of a name that a waybill takes.
pub const LONGEST_NAME: usize = 36;

/// A checked text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// What is to be used.
    pub value: String,
    /// It can be used.
    pub fine: bool,
    /// What a person should know.
    pub flags: Vec<Reason>,
}

impl Checked {
    fn fine(value: impl Into<String>) -> Self {
        Self { value: value.into(), fine: true, flags: Vec::new() }
    }

    fn flagged(mut self, reason: Reason) -> Self {
        self.flags.push(reason);
        self
    }

    fn bad(raw: &str, reason: Reason) -> Self {
        Self { value: raw.trim().to_owned(), fine: false, flags: vec![reason] }
    }
}

/// Codes behind 380 that are in use: mobile operators and regions. An unknown one is told, not refused.
const CODES: &[&str] = &[
    "31", "32", "33", "34", "35", "36", "37", "38", "39", "41", "43", "44", "45", "46", "47", "48", "49", "50", "51", "52", "53", "54",
    "55", "56", "57", "61", "62", "63", "64", "65", "66", "67", "68", "69", "73", "75", "77", "80", "89", "90", "91", "92", "93", "94",
    "95", "96", "97", "98", "99",
];

/// A Ukrainian phone as `380XXXXXXXXX`. A foreign or broken one stays as it is written.
pub fn phone(raw: &str) -> Checked {
    let digits: String = raw.chars().filter(char::is_ascii_digit).collect();
    // An extension or a second number would be taken into the first.
    let strange = raw.chars().any(|letter| letter.is_alphabetic() || matches!(letter, ',' | ';' | '/'));
    let digits = match digits.strip_prefix("00") {
        Some(rest) if rest.starts_with("380") => rest,
        _ => &digits,
    };
    let (full, short) = match (digits.len(), strange) {
        (_, true) => (None, false),
        (12, _) if digits.starts_with("380") => (Some(digits.to_owned()), false),
        (11, _) if digits.starts_with("80") => (Some(format!("3{digits}")), false),
        (10, _) if digits.starts_with('0') => (Some(format!("38{digits}")), false),
        (9, _) if !digits.starts_with('0') => (Some(format!("380{digits}")), true),
        _ => (None, false),
    };
    let Some(full) = full else {
        let foreign = raw.trim_start().starts_with('+') && !digits.starts_with("380") && (8..=15).contains(&digits.len()) && !strange;
        let code = if foreign { "phone_foreign" } else { "phone_unreadable" };
        return Checked::bad(raw, Reason::new(code).with("value", raw.trim()));
    };
    let known = full.get(3..5).is_some_and(|code| CODES.contains(&code));
    let mut checked = Checked::fine(full);
    if short {
        checked = checked.flagged(Reason::new("phone_without_code").with("value", raw.trim()));
    }
    if !known {
        checked = checked.flagged(Reason::new("phone_operator_unknown").with("value", raw.trim()));
    }
    checked
}

/// Latin letters that look like Cyrillic ones.
const LOOKALIKES: &[(char, char)] = &[
    ('i', 'і'),
    ('I', 'І'),
    ('a', 'а'),
    ('A', 'А'),
    ('e', 'е'),
    ('E', 'Е'),
    ('o', 'о'),
    ('O', 'О'),
    ('c', 'с'),
    ('C', 'С'),
    ('p', 'р'),
    ('P', 'Р'),
    ('x', 'х'),
    ('X', 'Х'),
    ('y', 'у'),
    ('Y', 'У'),
    ('H', 'Н'),
    ('B', 'В'),
    ('M', 'М'),
    ('T', 'Т'),
    ('K', 'К'),
];

fn is_cyrillic(letter: char) -> bool {
    ('\u{400}'..='\u{4ff}').contains(&letter)
}

fn is_ukrainian(letter: char) -> bool {
    matches!(letter, 'А'..='Я' | 'а'..='я' | 'Ґ' | 'ґ' | 'Є' | 'є' | 'І' | 'і' | 'Ї' | 'ї')
        && !matches!(letter, 'Ы' | 'ы' | 'Э' | 'э' | 'Ё' | 'ё' | 'Ъ' | 'ъ')
}

/// NFC, single spaces, one kind of apostrophe and hyphen.
pub fn tidy(raw: &str) -> String {
    let text: String = raw
        .nfc()
        .map(|letter| match letter {
            '’' | 'ʼ' | '`' | '‘' | '´' | '′' => '\'',
            '‐' | '‑' | '–' => '-',
            other => other,
        })
        .collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A part of a name, or a whole one.
pub fn name(raw: &str) -> Checked {
    let tidied = tidy(raw);
    let mut replaced = false;
    let words: Vec<String> = tidied
        .split(' ')
        .map(|word| {
            if !word.chars().any(is_cyrillic) {
                return word.to_owned();
            }
            word.chars()
                .map(|letter| match LOOKALIKES.iter().find(|(latin, _)| *latin == letter) {
                    Some((_, cyrillic)) => {
                        replaced = true;
                        *cyrillic
                    }
                    None => letter,
                })
                .collect()
        })
        .collect();
    let value = words.join(" ");
    let mut checked = Checked::fine(value.clone());
    if replaced {
        checked = checked.flagged(Reason::new("name_lookalikes").with("value", &tidied));
    }
    let foreign = value.chars().any(|letter| !is_ukrainian(letter) && !matches!(letter, '\'' | '-' | ' '));
    if foreign {
        let latin = value.chars().any(|letter| letter.is_ascii_alphabetic());
        let code = if latin { "name_latin" } else { "name_not_ukrainian" };
        checked = Checked { fine: false, ..checked.flagged(Reason::new(code).with("value", &value)) };
    }
    if value.split(' ').any(|part| part.chars().count() > LONGEST_NAME) {
        checked = Checked { fine: false, ..checked.flagged(Reason::new("name_too_long").with("value", &value)) };
    }
    checked
}

/// Surname, first name and patronymic of a name in one text; `None` where the order of two words is anybody's guess.
pub fn split(full: &str) -> Option<(String, String, String)> {
    let words: Vec<&str> = full.split(' ').filter(|word| !word.is_empty()).collect();
    let [last, first, middle] = words.as_slice() else { return None };
    let lower = middle.to_lowercase();
    let patronymic = ["вич", "вна", "чна", "ївна"].iter().any(|ending| lower.ends_with(ending));
    patronymic.then(|| ((*last).to_owned(), (*first).to_owned(), (*middle).to_owned()))
}

/// The number of a branch in its text: what follows `№`, and never the first number, which may be a weight or a house.
pub fn branch_number(text: &str) -> Option<String> {
    text.split('№').skip(1).find_map(|rest| {
        let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
        (1..=5).contains(&digits.len()).then_some(digits)
    })
}

/// A field that holds a branch's number, perhaps with its text.
pub fn np_number(raw: &str) -> Checked {
    let text = tidy(raw);
    let plain = (1..=5).contains(&text.len()) && text.chars().all(|letter| letter.is_ascii_digit());
    match branch_number(&text).or_else(|| plain.then(|| text.clone())) {
        Some(number) => Checked::fine(number),
        None => Checked::bad(raw, Reason::new("np_number_unreadable").with("value", &text)),
    }
}

/// Whether the text speaks of a parcel locker.
pub fn is_locker(text: &str) -> bool {
    text.to_lowercase().contains("поштомат")
}

/// A reference of Nova Poshta, in lower case. Any pattern of 8-4-4-4-12: many are no UUID of version 4.
pub fn reference(raw: &str) -> Checked {
    let text = raw.trim().to_ascii_lowercase();
    let parts: Vec<&str> = text.split('-').collect();
    let form =
        parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12]) && text.chars().all(|letter| letter == '-' || letter.is_ascii_hexdigit());
    if form { Checked::fine(text) } else { Checked::bad(raw, Reason::new("np_ref_unreadable").with("value", raw.trim())) }
}

/// A city without «м.», «с.», «смт» and the region in brackets.
pub fn city(raw: &str) -> Checked {
    let text = tidy(raw);
    let bare = text.split('(').next().unwrap_or_default().trim();
    let lower = bare.to_lowercase();
    let kinds = ["смт.", "смт ", "місто ", "село ", "селище ", "м.", "с.", "м ", "с "];
    let kind = kinds.iter().find(|kind| lower.starts_with(**kind)).map_or(0, |kind| kind.chars().count());
    let name: String = bare.chars().skip(kind).collect();
    Checked::fine(name.trim())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn codes(checked: &Checked) -> Vec<&str> {
        checked.flags.iter().map(|flag| flag.code.as_str()).collect()
    }

    #[test]
    fn phones_of_the_sheet() {
        for raw in ["+38 (050) 000-00-02", "380500000002", "80500000002", "0500000002", "00380500000002", "050 000 00 02"] {
            assert_eq!(phone(raw), Checked::fine("380500000002"), "{raw}");
        }
        let short = phone("500000002");
        assert_eq!((short.value.as_str(), short.fine, codes(&short)), ("380500000002", true, vec!["phone_without_code"]));
        assert_eq!(codes(&phone("0300000002")), ["phone_operator_unknown"]);
        for (raw, code) in [
            ("+48 601 234 567", "phone_foreign"),
            ("12345", "phone_unreadable"),
            ("0500000002, 0670000001", "phone_unreadable"),
            ("050000000", "phone_unreadable"),
            ("", "phone_unreadable"),
            ("050 000 00 02 дод. 5", "phone_unreadable"),
        ] {
            let checked = phone(raw);
            assert_eq!(codes(&checked).first(), Some(&code), "{raw}");
        }
        assert_eq!(phone("+48 601 234 567").value, "+48 601 234 567", "kept as it was");
    }

    #[test]
    fn names_of_the_sheet() {
        assert_eq!(name("  Д’Артаньян "), Checked::fine("Д'Артаньян"));
        assert_eq!(name("Анна-Марія"), Checked::fine("Анна-Марія"));
        // A Latin i inside a Cyrillic word.
        let mixed = name("Тетянa Мiщенко");
        assert_eq!((mixed.value.as_str(), mixed.fine, codes(&mixed)), ("Тетяна Міщенко", true, vec!["name_lookalikes"]));
        assert_eq!(codes(&name("Taras Shevchenko")), ["name_latin"]);
        assert_eq!(codes(&name("Эдуард")), ["name_not_ukrainian"]);
        assert_eq!(codes(&name("Тарас2")), ["name_not_ukrainian"]);
        assert_eq!(codes(&name(&"Я".repeat(37))), ["name_too_long"]);
        // й in two code points.
        assert_eq!(name("Андріи\u{306}").value, "Андрій");
    }

    #[test]
    fn one_text_is_split_only_beyond_doubt() {
        assert_eq!(split("Тестова Отримувачка Іванівна"), Some(("Тестова".into(), "Отримувачка".into(), "Іванівна".into())));
        assert_eq!(split("Тестовий Покупець Петрович").map(|(last, ..)| last), Some("Тестовий".into()));
        assert_eq!(split("Тестова Отримувачка"), None);
        assert_eq!(split("Один Два Три"), None);
    }

    #[test]
    fn the_number_of_a_branch_follows_its_sign() {
        for (text, number) in [
            ("Відділення №12: вул. Прикладна, 1", Some("12")),
            ("Відділення №3 (до 30 кг на одне місце): вул. Садова, 5", Some("3")),
            ("Пункт № 920: вул.", Some("920")),
            ("Поштомат \"Нова Пошта\" №36706: вул.", Some("36706")),
            ("Відділення (до 30 кг): вул. Садова, 5", None),
            ("№1234567", None),
        ] {
            assert_eq!(branch_number(text).as_deref(), number, "{text}");
        }
        assert_eq!(np_number("12"), Checked::fine("12"));
        assert_eq!(np_number("вул. Садова, 5").flags.len(), 1);
        assert!(is_locker("Поштомат №5") && !is_locker("Відділення №5"));
    }

    #[test]
    fn references_are_no_uuids_of_version_four() {
        assert!(reference("DB5C8892-391C-11DD-90D9-001A92567626").fine);
        assert_eq!(reference("db5c8892-391c-11dd-90d9-001a92567626").value, "db5c8892-391c-11dd-90d9-001a92567626");
        assert!(!reference("db5c8892391c11dd90d9001a92567626").fine);
    }

    #[test]
    fn cities_are_compared_without_their_kind_and_region() {
        for (raw, name) in [
            ("м. Львів", "Львів"),
            ("Львів (Львівська обл.)", "Львів"),
            ("смт Брюховичі", "Брюховичі"),
            ("с.Зимна Вода", "Зимна Вода"),
            ("Суми", "Суми"),
            ("Мукачево", "Мукачево"),
        ] {
            assert_eq!(city(raw).value, name, "{raw}");
        }
    }

    proptest! {
        #[test]
        fn a_ukrainian_phone_is_the_same_in_every_form(number in 500_000_000u64..999_999_999) {
            let wanted = format!("380{number}");
            for raw in [format!("+{wanted}"), format!("0{number}"), format!("8 0{number}"), format!("38 (0{}) {}", &number.to_string()[..2], &number.to_string()[2..])] {
                prop_assert_eq!(phone(&raw).value, wanted.clone(), "{}", raw);
            }
        }

        #[test]
        fn a_checked_name_checks_the_same_again(raw in "\\PC{0,60}") {
            let once = name(&raw);
            prop_assert_eq!(name(&once.value).value, once.value);
        }

        #[test]
        fn no_text_upsets_the_checks(raw in "\\PC{0,80}") {
            let _ = (phone(&raw), np_number(&raw), city(&raw), reference(&raw), split(&raw));
        }
    }
}
