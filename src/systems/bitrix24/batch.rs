//! Several commands in one request (fact sheet, section 5). A batch is answered by 200 even if every command failed, so each has a result of
//! its own here. Empty maps arrive as lists.

use std::collections::BTreeMap;

use serde_json::Value;
use url::form_urlencoded;

use super::{classify, wire};

/// Commands by name, each a method with its query.
pub type Commands = BTreeMap<String, String>;

/// Why a command has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandError {
    /// The remote's code; often empty.
    pub code: String,
    /// Its words.
    pub description: String,
}

impl CommandError {
    /// Whether it met a limit, so that it was not carried out and may be tried later.
    pub fn is_limit(&self) -> bool {
        classify::is_limit(&self.code)
    }

    /// Its words, or its code where it has none.
    pub fn words(&self) -> &str {
        if self.description.is_empty() { &self.code } else { &self.description }
    }
}

/// What came of each command.
#[derive(Clone, Debug, Default)]
pub struct Results {
    /// By the command's name.
    pub by_name: BTreeMap<String, Result<Value, CommandError>>,
    /// The longest that one command took, in milliseconds, as the portal tells it.
    pub slowest_ms: u64,
}

impl Results {
    /// Takes one out; a command in neither map was not carried out.
    pub fn take(&mut self, name: &str) -> Result<Value, CommandError> {
        let missing = || Err(CommandError { code: String::new(), description: "the command was not carried out".to_owned() });
        self.by_name.remove(name).unwrap_or_else(missing)
    }
}

/// A command: parameters are encoded once, since the batch itself is JSON.
pub fn command(method: &str, parameters: &[(&str, &str)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    format!("{method}?{query}")
}

/// Reads the result of a batch.
pub fn read(commands: &Commands, result: &Value) -> Results {
    let part = |name: &str| result.get(name).and_then(Value::as_object);
    let (done, errors) = (part("result"), part("result_error"));
    let mut results = Results::default();
    for name in commands.keys() {
        let error = errors.and_then(|errors| errors.get(name));
        let answer = match (error, done.and_then(|done| done.get(name))) {
            (Some(error), _) => {
                let text = |member: &str| wire::text(error.get(member));
                Err(CommandError { code: text("error"), description: text("error_description") })
            }
            (None, Some(value)) => Ok(value.clone()),
            (None, None) => continue,
        };
        results.by_name.insert(name.clone(), answer);
    }
    let took = part("result_time").into_iter().flatten().filter_map(|(_, time)| {
        let seconds = crate::domain::number::parse_decimal(&wire::text(time.get("duration")))?;
        u64::try_from((seconds * rust_decimal::Decimal::ONE_THOUSAND).trunc()).ok()
    });
    results.slowest_ms = took.max().unwrap_or_default();
    results
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn commands(names: &[&str]) -> Commands {
        names.iter().map(|name| ((*name).to_owned(), String::new())).collect()
    }

    #[test]
    fn every_command_has_its_own_result() {
        let answer = json!({"result": {"u1": true}, "result_error": {"u2": {"error": "", "error_description": "Contact is not found"}},
            "result_time": {"u1": {"duration": 2.7}, "u2": {"duration": 0.004}}});
        let mut results = read(&commands(&["u1", "u2", "u3"]), &answer);
        assert_eq!(results.slowest_ms, 2_700);
        assert_eq!(results.take("u1"), Ok(json!(true)));
        assert_eq!(results.take("u2").map_err(|error| error.words().to_owned()), Err("Contact is not found".to_owned()));
        assert!(results.take("u3").is_err_and(|error| error.description.contains("not carried out")));
    }

    #[test]
    fn empty_maps_arrive_as_lists() {
        let mut results = read(&commands(&["a"]), &json!({"result": [], "result_error": {"a": {"error": "OPERATION_TIME_LIMIT"}}}));
        assert!(results.take("a").is_err_and(|error| error.is_limit() && error.words() == "OPERATION_TIME_LIMIT"));
        assert!(read(&commands(&["a"]), &json!({"result": {"a": 1}, "result_error": []})).take("a").is_ok());
    }

    #[test]
    fn values_are_encoded_once() {
        assert_eq!(
            command("crm.contact.update", &[("id", "1"), ("fields[UF_1]", "Успешно + 1&2")]),
            "crm.contact.update?id=1&fields%5BUF_1%5D=%D0%A3%D1%81%D0%BF%D0%B5%D1%88%D0%BD%D0%BE+%2B+1%262"
        );
    }
}
