//! What may be said about a remote's words in faults and logs: no secrets, no tokens, no personal data, and not much of it.

/// Longest quotation of a remote's own words, in characters.
pub const WORDS: usize = 200;
/// Longest sample of an answer that could not be read, in bytes.
pub const SAMPLE: usize = 300;

/// A key is sensitive when it holds one of these, in lower case.
const SENSITIVE: [&str; 22] = [
    "token",
    "secret",
    "passw",
    "pwd",
    "authorization",
    "apikey",
    "api_key",
    "credential",
    "cookie",
    "session",
    "signature",
    "phone",
    "email",
    "contact",
    "login",
    "username",
    "first_name",
    "last_name",
    "full_name",
    "address",
    "birth",
    "passport",
];

const MASK: &str = "***";

/// Whether values under this key are never shown.
pub fn sensitive(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SENSITIVE.iter().any(|part| key.contains(part))
}

/// Digits in a row from which on a number may be a phone or a waybill.
const LONG_NUMBER: usize = 7;

/// A remote's words without numbers that may belong to a person: phones, waybills.
pub fn without_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut digits = String::new();
    for letter in text.chars().map(Some).chain([None]) {
        match letter {
            Some(digit) if digit.is_ascii_digit() => digits.push(digit),
            letter => {
                out.push_str(if digits.len() >= LONG_NUMBER { MASK } else { &digits });
                digits.clear();
                out.extend(letter);
            }
        }
    }
    out
}

/// A remote's own words for a fault: one line, without what looks like a token, at most [`WORDS`] characters.
pub fn words(text: &str) -> String {
    let mut out = String::new();
    for word in text.split(|letter: char| letter.is_whitespace() || letter.is_control()).filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        if looks_secret(word) {
            out.push_str(MASK);
        } else {
            out.push_str(without_query(word));
        }
        if out.len() > WORDS * 4 {
            break;
        }
    }
    cut(&out, WORDS)
}

/// Masks each of `secrets` wherever it stands in `text`. Secrets of fewer than four characters would mask half the text and are
/// left.
pub fn hide(mut text: String, secrets: &[&str]) -> String {
    for secret in secrets.iter().filter(|secret| secret.len() >= 4) {
        if text.contains(secret) {
            text = text.replace(secret, MASK);
        }
    }
    text
}

/// The beginning of an answer for the log: first [`SAMPLE`] bytes, values of sensitive keys masked, whether or not it is whole JSON.
pub fn sample(body: &[u8]) -> String {
    let head = String::from_utf8_lossy(body.get(..SAMPLE).unwrap_or(body));
    let mut out = String::with_capacity(head.len());
    let mut letters = head.chars();
    let mut last = String::new();
    let mut depth = 0u32;
    // The depth of the sensitive key whose value is being read; all of that value is masked.
    let mut masked: Option<u32> = None;
    while let Some(letter) = letters.next() {
        match letter {
            '"' => {
                let closed = string(&mut letters, &mut last);
                out.push('"');
                out.push_str(if masked.is_some() || looks_secret(&last) { MASK } else { &last });
                if closed {
                    out.push('"');
                }
                continue;
            }
            ':' if masked.is_none() && sensitive(&last) => masked = Some(depth),
            ',' if masked == Some(depth) => masked = None,
            '{' | '[' => depth += 1,
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                masked = masked.filter(|from| depth >= *from);
            }
            _ => {}
        }
        out.push(match letter {
            letter if letter.is_control() => ' ',
            letter if masked.is_some() && letter.is_alphanumeric() => '*',
            letter => letter,
        });
    }
    cut(&out, SAMPLE)
}

/// Reads a JSON string up to its closing quote into `text`; false when the sample ends first.
fn string(letters: &mut std::str::Chars<'_>, text: &mut String) -> bool {
    text.clear();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => return true,
            '\\' => {
                text.push('\\');
                text.extend(letters.next());
            }
            letter if letter.is_control() => text.push(' '),
            letter => text.push(letter),
        }
    }
    false
}

/// Whether a word has the looks of a token or key: a JWT, or a long run of letters and digits without any break. UUIDs pass.
fn looks_secret(word: &str) -> bool {
    let word = word.trim_matches(|letter: char| !letter.is_ascii_alphanumeric());
    if word.contains("eyJ") && word.len() >= 20 {
        return true;
    }
    word.split(|letter: char| !(letter.is_ascii_alphanumeric() || matches!(letter, '_' | '+')))
        .any(|run| run.len() >= 28 && run.bytes().any(|byte| byte.is_ascii_digit()) && run.bytes().any(|byte| byte.is_ascii_alphabetic()))
}

/// An address without its query, which may hold a key.
fn without_query(word: &str) -> &str {
    if word.contains("://") { word.split('?').next().unwrap_or(word) } else { word }
}

fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or(text)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3MDAwMDAwMDB9.c2lnbmF0dXJl";

    #[test]
    fn words_are_short_and_hold_no_token() {
        assert_eq!(words("Token is\n expired"), "Token is expired");
        assert_eq!(words(&format!("bad bearer {JWT}!")), "bad bearer ***");
        assert_eq!(words("key 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b refused"), "key *** refused");
        assert_eq!(words("shop 69e939aa-9b8f-46a9-b605-8b2675475b7b"), "shop 69e939aa-9b8f-46a9-b605-8b2675475b7b");
        assert_eq!(words("see https://a.example/x?token=abc now"), "see https://a.example/x now");
        assert_eq!(words(&"я ".repeat(500)).chars().count(), WORDS + 1);
    }

    #[test]
    fn samples_mask_values_of_sensitive_keys_whole_or_broken() {
        let whole = format!(r#"{{"code":200,"data":{{"access_token":"{JWT}","phones":["+998901234567",998],"name":"Cup"}},"x":1}}"#);
        let seen = sample(whole.as_bytes());
        assert!(seen.contains(r#""code":200"#) && seen.contains(r#""name":"Cup""#) && seen.contains(r#""x":1"#), "{seen}");
        assert!(!seen.contains("eyJ") && !seen.contains("99890") && !seen.contains("998"), "{seen}");
        assert_eq!(sample(br#"{"secret_token":"abc"#), r#"{"secret_token":"***"#);
        assert_eq!(sample(br#"{"email":{"a":"b@c"},"k":"v"}"#), r#"{"email":{"***":"***"},"k":"v"}"#);
        assert_eq!(sample(b"\xff\xfe"), "\u{fffd}\u{fffd}");
    }

    #[test]
    fn known_secrets_are_hidden_wherever_they_stand() {
        assert_eq!(hide("key hunter22 is wrong".into(), &["hunter22", "ab"]), "key *** is wrong");
    }

    proptest! {
        #[test]
        fn no_answer_upsets_the_redaction(body in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = sample(&body);
            let _ = words(&String::from_utf8_lossy(&body));
        }

        #[test]
        fn a_password_never_survives(value in "[a-z]{6,12}Q", before in "[a-z0-9,:{}\\[\\] ]{0,40}") {
            let body = format!(r#"{before}{{"password":"{value}","a":1}}"#);
            prop_assert!(!sample(body.as_bytes()).contains(&value));
        }
    }

    #[test]
    fn phones_and_waybills_are_left_out() {
        assert_eq!(without_numbers("order 12 of +380501112233, 20450000000000"), "order 12 of +***, ***");
        assert_eq!(without_numbers("#12903"), "#12903");
    }
}
