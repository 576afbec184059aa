//! What an answer of OneBox is (fact sheet, section 3).

use serde_json::Value;

use crate::remote::{Class, Reply, lenient::scalar, redact};

/// Numbers in the words of a refusal because a phone is another contact's (section 3).
const PHONE_TAKEN: &[&str] = &["#12903", "#4765"];
/// Words of a box that could not read the body as an array (section 3).
const NO_FIRST: &[&str] = &["first element", "processes array"];
/// Most of a body's words that are quoted.
const WORDS: usize = 300;

/// What a refusal is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The phone is another contact's.
    PhoneTaken(String),
    /// The box cannot read this form of the body.
    WrongRoot(String),
    /// Anything else, in the box's words.
    Other(String),
}

impl Refusal {
    /// The box's words, without what may be personal.
    pub fn words(self) -> String {
        match self {
            Self::PhoneTaken(words) | Self::WrongRoot(words) | Self::Other(words) => words,
        }
    }
}

/// Judges the answer to a read; `read` takes what was asked for out of `dataArray`.
pub fn judge<T>(reply: &Reply, read: impl FnOnce(Value) -> Result<T, String>) -> Class<T> {
    judged(reply, |content| match content {
        Ok(data) => read(data).map_or_else(Class::Unreadable, Class::Good),
        Err(refusal) => Class::Rejected(refusal.words()),
    })
}

/// Judges the answer to a write: a refusal is an answer, not an error of the call.
pub fn judge_set(reply: &Reply) -> Class<Result<Vec<String>, Refusal>> {
    judged(reply, |content| Class::Good(content.map(|data| ids(&data))))
}

/// Judges the answer to a login: the token, or that the employee was refused.
pub fn judge_login(reply: &Reply) -> Class<String> {
    let refused = || Class::Auth("the login was refused".to_owned());
    if matches!(reply.status.as_u16(), 400 | 401 | 403) {
        return refused();
    }
    let judged = judged(reply, |content| match content {
        Err(_) => refused(),
        Ok(data) => match data.get("token").and_then(Value::as_str).map(str::trim).filter(|token| !token.is_empty()) {
            Some(token) => Class::Good(token.to_owned()),
            None => Class::Unreadable("the login's answer has no token".to_owned()),
        },
    });
    if let Class::TokenExpired(_) = judged { refused() } else { judged }
}

/// What every answer has in common; `content` is asked about what stands in it, once the token is not the trouble.
fn judged<T>(reply: &Reply, content: impl FnOnce(Result<Value, Refusal>) -> Class<T>) -> Class<T> {
    let status = reply.status.as_u16();
    let parsed: Option<Value> = serde_json::from_slice(&reply.body).ok();
    let spoken = parsed.as_ref().filter(|value| value.is_object());
    // 400 is how business errors come, and an expired token among them; without JSON it is what any server says.
    if let (Some(body), true) = (spoken, reply.status.is_success() || matches!(status, 400 | 401 | 403 | 422)) {
        let done = body.get("status").and_then(|value| scalar(&value.to_string())).is_some_and(|word| word.trim() == "1");
        let errors = body.get("errorArray").map(told).filter(|words| !words.is_empty());
        if reply.status.is_success() && done && errors.is_none() {
            return content(Ok(body.get("dataArray").cloned().unwrap_or(Value::Null)));
        }
        let words = errors.unwrap_or_else(|| format!("HTTP {status} without words"));
        let lower = words.to_lowercase();
        if matches!(status, 401 | 403) || lower.contains("token") || lower.contains("auth") {
            return Class::TokenExpired(quoted(&words));
        }
        return content(Err(refusal(&words)));
    }
    let words = spoken.and_then(|body| body.get("errorArray")).map(|errors| quoted(&told(errors)));
    if let Some(class) = reply.by_status(words).or_else(|| reply.garbled()) {
        return class;
    }
    Class::Unreadable("the answer is no JSON object".to_owned())
}

fn refusal(words: &str) -> Refusal {
    let lower = words.to_lowercase();
    if PHONE_TAKEN.iter().any(|number| words.contains(number)) {
        Refusal::PhoneTaken(quoted(words))
    } else if NO_FIRST.iter().all(|part| lower.contains(part)) {
        Refusal::WrongRoot(quoted(words))
    } else {
        Refusal::Other(quoted(words))
    }
}

/// The words of `errorArray`: a list of texts, a map from field to text, or objects.
fn told(errors: &Value) -> String {
    match errors {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(told).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; "),
        Value::Object(members) => {
            let word = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
            word("message")
                .or_else(|| word("error"))
                .or_else(|| word("text"))
                .unwrap_or_else(|| members.iter().map(|(field, text)| format!("{field}: {}", told(text))).collect::<Vec<_>>().join("; "))
        }
        other => other.to_string(),
    }
}

/// Words fit to be shown: cut, and without phones and waybills.
fn quoted(words: &str) -> String {
    redact::without_numbers(words).chars().take(WORDS).collect()
}

/// The ids of what was stored, in the order of the input; 0 and nothing are none.
fn ids(data: &Value) -> Vec<String> {
    let id = |value: &Value| match value {
        Value::Object(row) => row.get("id").and_then(|id| scalar(&id.to_string())),
        other => scalar(&other.to_string()),
    };
    let of = |values: Vec<&Value>| {
        values.into_iter().filter_map(id).map(|id| id.trim().to_owned()).filter(|id| !id.is_empty() && id != "0").collect()
    };
    match data {
        Value::Array(items) => of(items.iter().collect()),
        Value::Object(members) if members.contains_key("id") => of(vec![data]),
        Value::Object(members) => of(members.values().collect()),
        Value::Null => Vec::new(),
        other => of(vec![other]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::testing::reply;

    fn read(status: u16, body: &str) -> &'static str {
        judge(&reply(status, &[], body), Ok).name()
    }

    #[test]
    fn an_expired_token_is_a_bad_request_that_speaks_of_it() {
        for (status, body) in [
            (400, r#"{"status":0,"errorArray":["token in header not found"]}"#),
            (200, r#"{"status":0,"errorArray":{"token":"expired"}}"#),
            (400, r#"{"status":"0","errorArray":[{"message":"Authorization failed"}]}"#),
            (401, r#"{"status":0}"#),
            (403, "{}"),
            (401, ""),
        ] {
            assert_eq!(read(status, body), "token_expired", "HTTP {status} {body}");
        }
    }

    #[test]
    fn success_is_a_status_of_one_inside_a_success() {
        for body in [r#"{"status":1,"dataArray":[]}"#, r#"{"status":"1","dataArray":[]}"#, r#"{"status":1,"dataArray":[],"errorArray":[]}"#]
        {
            assert_eq!(read(200, body), "good", "{body}");
        }
        for (status, body, name) in [
            (200, r#"{"status":0,"errorArray":["no right"]}"#, "rejected"),
            (200, r#"{"dataArray":[]}"#, "rejected"),
            (400, r#"{"status":1,"dataArray":[]}"#, "rejected"),
            (200, "<html>", "garbled"),
            (502, "<html>", "unavailable"),
            (200, "[]", "unreadable"),
            (200, "", "garbled"),
            (429, "", "rate_limited"),
            (301, "", "rejected"),
        ] {
            assert_eq!(read(status, body), name, "HTTP {status} {body}");
        }
    }

    #[test]
    fn refusals_are_told_by_number_in_every_form_and_language() {
        let set = |body: &str| judge_set(&reply(400, &[], body));
        for body in [
            r##"{"status":0,"errorArray":["Телефон +380501112233 вже зареєстровано #12903"]}"##,
            r##"{"status":0,"errorArray":{"phone":"уже есть #4765"}}"##,
            r##"{"status":0,"errorArray":[{"text":"taken #12903"}]}"##,
        ] {
            match set(body) {
                Class::Good(Err(Refusal::PhoneTaken(words))) => assert!(!words.contains("380501112233"), "{words}"),
                other => panic!("{other:?}"),
            }
        }
        assert!(matches!(
            set(r#"{"status":0,"errorArray":["First element of processes array missing"]}"#),
            Class::Good(Err(Refusal::WrongRoot(_)))
        ));
        assert!(matches!(set(r#"{"status":0,"errorArray":["duplicate product article"]}"#), Class::Good(Err(Refusal::Other(_)))));
    }

    #[test]
    fn ids_come_in_many_forms_and_zero_is_none() {
        let ids = |body: &str| match judge_set(&reply(200, &[], body)) {
            Class::Good(Ok(ids)) => ids,
            other => panic!("{other:?}"),
        };
        assert_eq!(ids(r#"{"status":1,"dataArray":[127901]}"#), ["127901"]);
        assert_eq!(ids(r#"{"status":1,"dataArray":["127901"]}"#), ["127901"]);
        assert_eq!(ids(r#"{"status":1,"dataArray":[{"id":"127901"}]}"#), ["127901"]);
        assert_eq!(ids(r#"{"status":1,"dataArray":{"0":127901}}"#), ["127901"]);
        for none in [r#"{"status":1,"dataArray":[]}"#, r#"{"status":1,"dataArray":[0]}"#, r#"{"status":1}"#] {
            assert!(ids(none).is_empty(), "{none}");
        }
    }

    #[test]
    fn the_login_gives_a_token_or_says_that_it_was_refused() {
        let login = |status, body: &str| judge_login(&reply(status, &[], body));
        assert_eq!(login(200, r#"{"status":1,"dataArray":{"token":" abc "}}"#), Class::Good("abc".to_owned()));
        assert_eq!(login(400, r#"{"status":0,"errorArray":["wrong login or password"]}"#).name(), "auth");
        assert_eq!(login(200, r#"{"status":0,"errorArray":["wrong login or password"]}"#).name(), "auth");
        assert_eq!(login(200, r#"{"status":1,"dataArray":{}}"#).name(), "unreadable");
        assert_eq!(login(503, "").name(), "unavailable");
    }
}
