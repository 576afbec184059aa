//! What an answer of otmechalka is (fact sheet, section 3). Nobody knows the form of its errors, so any is taken.

use serde_json::Value;

use super::wire::Found;
use crate::remote::{Class, Reply};

/// Most of an error that is kept: it is written into the CRM.
const WORDS: usize = 500;

/// What a write came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// Done; the service's own id, where it told one.
    Done(Option<String>),
    /// This object is refused, with the service's words.
    Refused(String),
}

fn is_page(reply: &Reply) -> bool {
    reply.body.iter().copied().find(|byte| !byte.is_ascii_whitespace()) == Some(b'<')
}

/// What is the same in every answer that is no success. `None` where only the call tells.
fn failed<T>(reply: &Reply) -> Option<Class<T>> {
    let status = reply.status.as_u16();
    match status {
        200..=299 => None,
        404 if is_page(reply) => {
            Some(Class::Rejected("HTTP 404 with a web page: no such address; check otmechalka.base_url and the paths".to_owned()))
        }
        400 | 404 | 409 | 410 | 413 | 422 => None,
        401 => Some(Class::Auth(words(reply))),
        _ => reply.by_status(Some(words(reply))),
    }
}

/// Judges a look-up: `None` = there is no such object.
pub fn found(reply: &Reply) -> Class<Option<Found>> {
    if let Some(failed) = failed(reply) {
        return failed;
    }
    if reply.status.as_u16() == 404 {
        return Class::Good(None);
    }
    if !reply.status.is_success() {
        return Class::Rejected(format!("HTTP {}: {}", reply.status.as_u16(), words(reply)));
    }
    if is_page(reply) {
        return Class::Garbled("a web page instead of JSON".to_owned());
    }
    let body: Value = match serde_json::from_slice(&reply.body) {
        Ok(body) => body,
        Err(error) => return Class::Unreadable(format!("no readable JSON: {error}")),
    };
    let one = match body {
        Value::Null => return Class::Good(None),
        Value::Array(mut found) => match found.len() {
            0 => return Class::Good(None),
            _ => found.swap_remove(0),
        },
        other => other,
    };
    match &one {
        Value::Object(object) if object.is_empty() => Class::Good(None),
        // An object that says nothing of an id is no client: taking it for "not found" would make doubles.
        Value::Object(_) => match id(&one) {
            Some(id) => Class::Good(Some(Found { id, body: one })),
            None => Class::Unreadable("an object without `id`".to_owned()),
        },
        _ => Class::Unreadable("neither an object nor a list".to_owned()),
    }
}

/// Judges a write. An empty body is a success as well.
pub fn written(reply: &Reply) -> Class<Written> {
    if let Some(failed) = failed(reply) {
        return failed;
    }
    if !reply.status.is_success() {
        return Class::Good(Written::Refused(words(reply)));
    }
    if is_page(reply) {
        return Class::Garbled("a web page instead of JSON".to_owned());
    }
    let body: Option<Value> = serde_json::from_slice(&reply.body).ok();
    Class::Good(Written::Done(body.as_ref().and_then(id)))
}

fn id(body: &Value) -> Option<String> {
    match body.get("id")? {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The words of an error: of JSON of any shape, of plain text, or of a web page.
pub fn words(reply: &Reply) -> String {
    let text = match serde_json::from_slice::<Value>(&reply.body) {
        Ok(body) => {
            let mut parts = Vec::new();
            gather(&body, "", &mut parts);
            parts.join("; ")
        }
        Err(_) => without_tags(&String::from_utf8_lossy(&reply.body)),
    };
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text: String = text.chars().take(WORDS).collect();
    if text.is_empty() { format!("HTTP {}", reply.status.as_u16()) } else { text }
}

/// Texts with the names of their fields; names that only say "error" are left out.
fn gather(value: &Value, name: &str, parts: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (member, value) in members {
                let plain =
                    matches!(member.as_str(), "error" | "errors" | "detail" | "details" | "message" | "messages" | "non_field_errors");
                gather(value, if plain { name } else { member }, parts);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| gather(value, name, parts)),
        Value::Null => {}
        Value::String(text) if name.is_empty() => parts.push(text.clone()),
        Value::String(text) => parts.push(format!("{name}: {text}")),
        other if name.is_empty() => parts.push(other.to_string()),
        other => parts.push(format!("{name}: {other}")),
    }
}

fn without_tags(page: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for letter in page.chars() {
        match letter {
            '<' => {
                inside = true;
                text.push(' ');
            }
            '>' if inside => inside = false,
            _ if !inside => text.push(letter),
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::testing::reply;

    #[test]
    fn nothing_found_has_many_forms_and_a_wrong_address_is_none_of_them() {
        for (status, body) in [(404, r#"{"detail":"no"}"#), (404, ""), (200, "null"), (200, "{}"), (200, "[]")] {
            assert_eq!(found(&reply(status, &[], body)), Class::Good(None), "HTTP {status} {body}");
        }
        for (status, body, name) in [
            (404, "<!doctype html><p>404", "rejected"),
            (200, "<html>welcome", "garbled"),
            (200, "", "unreadable"),
            (200, r#"{"detail":"hello"}"#, "unreadable"),
            (400, r#"{"detail":"bad id"}"#, "rejected"),
            (301, "", "rejected"),
            (401, "", "auth"),
            (403, "", "forbidden"),
            (429, "", "rate_limited"),
            (500, "", "unavailable"),
        ] {
            assert_eq!(found(&reply(status, &[], body)).name(), name, "HTTP {status} {body}");
        }
    }

    #[test]
    fn ids_are_numbers_or_texts_of_any_length() {
        for (body, id) in
            [(r#"{"id":12456}"#, "12456"), (r#"{"id":"a-1"}"#, "a-1"), (r#"[{"id":24545676786123456789}]"#, "24545676786123456789")]
        {
            match found(&reply(200, &[], body)) {
                Class::Good(Some(found)) => assert_eq!(found.id, id),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_refusal_is_told_in_its_own_words_whatever_its_shape() {
        for (status, body, words) in [
            (400, r#"{"phone":["wrong"],"courses":["unknown: 7","unknown: 8"]}"#, "courses: unknown: 7; courses: unknown: 8; phone: wrong"),
            (422, r#"{"error":"bad"}"#, "bad"),
            (409, r#"{"errors":[{"field":"x","message":"taken"}]}"#, "field: x; taken"),
            (400, "plain words", "plain words"),
            (400, "<html><body><h1>Bad</h1> phone</body></html>", "Bad phone"),
            (404, r#"{"detail":"no client"}"#, "no client"),
            (400, "", "HTTP 400"),
        ] {
            match written(&reply(status, &[], body)) {
                Class::Good(Written::Refused(told)) => {
                    let sorted = |text: &str| text.split("; ").map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
                    assert_eq!(sorted(&told), sorted(words), "HTTP {status} {body}");
                }
                other => panic!("{body}: {other:?}"),
            }
        }
        let long = "ы".repeat(2_000);
        match written(&reply(400, &[], &long)) {
            Class::Good(Written::Refused(told)) => assert_eq!(told.chars().count(), 500),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_success_may_be_empty() {
        for (status, body, id) in [(200, r#"{"id":5}"#, Some("5")), (201, "", None), (204, "", None), (200, "null", None)] {
            assert_eq!(written(&reply(status, &[], body)), Class::Good(Written::Done(id.map(str::to_owned))), "HTTP {status} {body}");
        }
        assert_eq!(written(&reply(200, &[], "<html>")).name(), "garbled");
        assert_eq!(written(&reply(404, &[], "<html>")).name(), "rejected");
        assert_eq!(written(&reply(502, &[], "<html>")).name(), "unavailable");
    }
}
