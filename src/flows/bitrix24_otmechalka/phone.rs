//! A phone as otmechalka takes it: digits only, 11 of them for Russia, beginning with 7 (requirement, mapping of contacts).

/// Fewest and most digits of a number of another country (E.164).
const FOREIGN: std::ops::RangeInclusive<usize> = 8..=15;

/// The digits of a phone in any of its forms: `8 (926) 123-45-67`, `+7 (926) 1234567`, `9265672098`; of another country with `+` or `00` before
/// it. `None` where it is no one number: too few digits, two numbers, an extension.
pub fn digits(written: &str) -> Option<String> {
    let written = written.trim();
    let apart =
        |letter: char| letter.is_whitespace() || matches!(letter, '(' | ')' | '-' | '.' | '/' | '+' | '\u{2010}'..='\u{2015}' | '\u{a0}');
    if written.chars().any(|letter| !letter.is_ascii_digit() && !apart(letter)) {
        return None;
    }
    let found: String = written.chars().filter(char::is_ascii_digit).collect();
    let (country_told, number) = match found.strip_prefix("00") {
        Some(rest) => (true, rest.to_owned()),
        None => (written.starts_with('+'), found),
    };
    let first = number.chars().next()?;
    match (number.len(), first) {
        (11, '7') => Some(number),
        // 8 before a number is how one dials within Russia, whoever wrote a plus there.
        (11, '8') => number.get(1..).map(|rest| format!("7{rest}")),
        (10, _) if !country_told => Some(format!("7{number}")),
        (length, _) if country_told && first != '7' && FOREIGN.contains(&length) => Some(number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_form_of_the_document_is_one_number() {
        for written in [
            "8 (926) 123-45-67",
            "+7 (926) 1234567",
            "9261234567",
            "89261234567",
            "79261234567",
            "+7 926 123–45–67",
            " 8-926-123.45.67 ",
            "+8 926 1234567",
        ] {
            assert_eq!(digits(written).as_deref(), Some("79261234567"), "{written}");
        }
    }

    #[test]
    fn numbers_of_other_countries_keep_their_own() {
        for (written, number) in
            [("+998 90 123 45 67", "998901234567"), ("00 380 67 123 4567", "380671234567"), ("+1 (212) 555-0100", "12125550100")]
        {
            assert_eq!(digits(written).as_deref(), Some(number), "{written}");
        }
    }

    #[test]
    fn what_is_no_one_number_is_refused() {
        for written in [
            "",
            "123",
            "1234567",
            "8 926 123-45-67 доб. 12",
            "89261234567, 89031234567",
            "+7 926 123456",
            "мама",
            "8926123456789",
            "998901234567",
        ] {
            assert_eq!(digits(written), None, "{written}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_out_is_digits_and_stays_the_same(written in "[ +()0-9-]{0,20}") {
            if let Some(number) = digits(&written) {
                prop_assert!(number.bytes().all(|byte| byte.is_ascii_digit()) && (8..=15).contains(&number.len()));
                prop_assert_eq!(digits(&format!("+{number}")), Some(number));
            }
        }

        #[test]
        fn every_way_of_writing_a_number_is_the_same_number(number in "9[0-9]{9}", begin in prop::sample::select(vec!["8", "7", "+7", ""]), gap in prop::sample::select(vec!["", " ", "-", ") "])) {
            let written = format!("{begin}{gap}{}{gap}{}", &number[..3], &number[3..]);
            prop_assert_eq!(digits(&written), Some(format!("7{number}")), "{}", written);
        }
    }
}
