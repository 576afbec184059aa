//! Fifty calls in one request (sheet 5): each is refused on its own, and the answer is 200 even if all were.

use std::time::Instant;

use serde_json::{Map, Value, json};

use super::{
    super::desk::locked,
    Handle,
    methods::{Done, Error, known},
    params::Params,
};

/// Commands of a batch that are looked at; the rest fail one by one.
const MOST: usize = 50;

/// A PHP array as JSON: empty it is a list, with the keys 0, 1, 2 ... it is a list, otherwise a map.
fn php(pairs: Vec<(String, Value)>) -> Value {
    if pairs.iter().enumerate().all(|(place, (key, _))| *key == place.to_string()) {
        return pairs.into_iter().map(|(_, value)| value).collect();
    }
    Value::Object(pairs.into_iter().collect())
}

/// What `$result[key][field]` stands for.
fn referred<'a>(text: &str, results: &'a [(String, Value)]) -> Option<&'a Value> {
    let mut path = text.strip_prefix("$result[")?.strip_suffix(']')?.split("][");
    let key = path.next()?;
    let mut value = results.iter().find(|(own, _)| own == key).map(|(_, value)| value)?;
    for part in path {
        value = match value {
            Value::Array(list) => list.get(part.parse::<usize>().ok()?)?,
            other => other.get(part)?,
        };
    }
    Some(value)
}

fn resolve(value: &mut Value, results: &[(String, Value)]) {
    match value {
        Value::String(text) if text.starts_with("$result[") => *value = referred(text, results).cloned().unwrap_or_default(),
        Value::Array(list) => list.iter_mut().for_each(|value| resolve(value, results)),
        Value::Object(map) => map.values_mut().for_each(|value| resolve(value, results)),
        _ => {}
    }
}

impl Handle {
    /// All commands in their order.
    pub(super) fn batch(&self, params: &Params) -> Value {
        let halt = params.get("halt").is_some_and(|halt| matches!(super::entity::text(halt).as_str(), "1" | "true"));
        let (mut results, mut errors, mut totals, mut nexts, mut times) = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (place, (key, command)) in params.commands.iter().enumerate() {
            let (method, query) = command.split_once('?').unwrap_or((command, ""));
            let method = method.trim_end_matches(".json");
            let outcome = if place >= MOST {
                Err(Error { status: 400, code: "ERROR_BATCH_LENGTH_EXCEEDED", text: "Max batch length exceeded".to_owned() })
            } else if method == "batch" {
                Err(Error { status: 405, code: "ERROR_BATCH_METHOD_NOT_ALLOWED", text: "Method is not allowed for batch usage".to_owned() })
            } else if known(method) {
                let mut inner = Params::of_query(query);
                inner.each(|value| resolve(value, &results));
                self.metered(method, &inner, true)
            } else {
                Err(Error { status: 404, code: "ERROR_METHOD_NOT_FOUND", text: "Method not found!".to_owned() })
            };
            match outcome {
                Ok((Done { result, total, next }, spent)) => {
                    results.push((key.clone(), result));
                    totals.extend(total.map(|total| (key.clone(), json!(total))));
                    nexts.extend(next.map(|next| (key.clone(), json!(next))));
                    times.push((key.clone(), self.time(Instant::now(), Some(spent))));
                }
                Err(error) => {
                    errors.push((key.clone(), error.json()));
                    if halt {
                        break;
                    }
                }
            }
        }
        let mut all = Map::new();
        for (name, pairs) in
            [("result", results), ("result_error", errors), ("result_total", totals), ("result_next", nexts), ("result_time", times)]
        {
            all.insert(name.to_owned(), php(pairs));
        }
        Value::Object(all)
    }

    /// Counts a command.
    pub(super) fn count_command(&self) {
        *locked(&self.inner.commands) += 1;
    }
}
