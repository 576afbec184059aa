//! The company's currency out of `GET /v2/company-currencies`, whose shape is barely known (fact sheet, section 4.4).

use serde::Deserialize;
use serde_json::Value;

/// The part of the answer we look at; it may be wrapped in `data`.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    retail_currency: Value,
    #[serde(default)]
    data: Value,
}

/// The ISO code under `retail_currency`: a string, an object with it under `code`, `type`, `name` or `currency`, or a list of
/// either. `None` when nothing there has the looks of a code.
pub fn retail(body: &[u8]) -> Option<String> {
    let answer: Answer = serde_json::from_slice(body).ok()?;
    code(&answer.retail_currency, 3).or_else(|| code(answer.data.get("retail_currency")?, 3))
}

fn code(value: &Value, depth: u8) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    match value {
        Value::String(text) => {
            let text = text.trim();
            (text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_alphabetic())).then(|| text.to_ascii_uppercase())
        }
        Value::Array(items) => items.iter().find_map(|item| code(item, depth)),
        Value::Object(fields) => ["code", "type", "name", "currency"].iter().find_map(|key| code(fields.get(*key)?, depth)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::retail;

    #[test]
    fn the_code_is_found_in_any_of_its_shapes() {
        let table = [
            (r#"{"retail_currency":"UZS"}"#, Some("UZS")),
            (r#"{"retail_currency":{"code":"usd"}}"#, Some("USD")),
            (r#"{"retail_currency":{"code":860,"type":"UZS"}}"#, Some("UZS")),
            (r#"{"retail_currency":{"name":"сум","currency":{"code":"KGS"}}}"#, Some("KGS")),
            (r#"{"retail_currency":[{"type":"EUR"}]}"#, Some("EUR")),
            (r#"{"data":{"retail_currency":{"type":"UZS"}}}"#, Some("UZS")),
            (r#"{"retail_currency":null,"data":null}"#, None),
            (r#"{"retail_currency":{"name":"сум"}}"#, None),
            ("[]", None),
            ("<html>", None),
            ("", None),
        ];
        for (body, expected) in table {
            assert_eq!(retail(body.as_bytes()).as_deref(), expected, "{body}");
        }
    }
}
