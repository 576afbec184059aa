//! Parameters as PHP reads them: brackets in queries and forms, JSON bodies, names of the top level in any case (sheet 1).

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::super::desk::Asked;

/// Parameters of one call.
#[derive(Clone, Debug, Default)]
pub struct Params {
    top: BTreeMap<String, Value>,
    /// The commands of a batch, in the order they were sent.
    pub commands: Vec<(String, String)>,
}

impl Params {
    /// From a request: the query, then the body over it. A body that is no JSON although it says so is no parameters at all, as in PHP.
    pub fn of(asked: &Asked<'_>) -> Self {
        let mut params = Self::of_pairs(asked.query.iter().cloned());
        let kind = (asked.header)("content-type").unwrap_or_default();
        if kind.starts_with("application/json") {
            params.add(serde_json::from_slice(asked.body).unwrap_or_default());
            if let Ok(Commands { cmd: Some(Ordered(commands)) }) = serde_json::from_slice(asked.body) {
                params.commands = commands;
            }
        } else if !asked.body.is_empty() {
            let form = Self::of_pairs(form_urlencoded::parse(asked.body).into_owned());
            params.top.extend(form.top);
            if !form.commands.is_empty() {
                params.commands = form.commands;
            }
        }
        params
    }

    /// From a query string, e.g. of a command in a batch.
    pub fn of_query(query: &str) -> Self {
        Self::of_pairs(form_urlencoded::parse(query.as_bytes()).into_owned())
    }

    fn of_pairs(pairs: impl Iterator<Item = (String, String)>) -> Self {
        let mut root = Map::new();
        let mut commands = Vec::new();
        for (key, value) in pairs {
            let path = parts(&key);
            if let [top, name] = path.as_slice()
                && top.eq_ignore_ascii_case("cmd")
            {
                let name = if name.is_empty() { commands.len().to_string() } else { name.clone() };
                commands.push((name, value));
            } else {
                put(&mut root, &path, value);
            }
        }
        let mut params = Self { top: BTreeMap::new(), commands };
        params.add(Value::Object(root));
        params
    }

    fn add(&mut self, value: Value) {
        if let Value::Object(map) = value {
            self.top.extend(map.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)));
        }
    }

    /// A parameter.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.top.get(name)
    }

    /// Edits every parameter.
    pub fn each(&mut self, edit: impl FnMut(&mut Value)) {
        self.top.values_mut().for_each(edit);
    }

    /// A parameter as a whole number, whether it came as a number or as text.
    pub fn number(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Value::String(text) => text.trim().parse().ok(),
            value => value.as_i64(),
        }
    }

    /// A parameter that must be a list or a map if it is there.
    pub fn list(&self, name: &str) -> Result<Option<&Value>, String> {
        match self.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value @ (Value::Array(_) | Value::Object(_))) => Ok(Some(value)),
            Some(_) => Err(format!("Parameter '{name}' must be array.")),
        }
    }
}

/// The members of a list, however it was sent: a PHP array is a map with numbers.
pub fn members(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(list) => list.iter().collect(),
        Value::Object(map) => map.values().collect(),
        other => vec![other],
    }
}

fn parts(key: &str) -> Vec<String> {
    let Some((first, rest)) = key.split_once('[') else { return vec![key.to_owned()] };
    let mut all = vec![first.to_owned()];
    all.extend(rest.trim_end_matches(']').split("][").map(str::to_owned));
    all
}

fn put(map: &mut Map<String, Value>, path: &[String], value: String) {
    let Some((first, rest)) = path.split_first() else { return };
    let name = if first.is_empty() { map.len().to_string() } else { first.clone() };
    if rest.is_empty() {
        map.insert(name, Value::String(value));
    } else if let Value::Object(inner) = map.entry(name).or_insert_with(|| Value::Object(Map::new())) {
        put(inner, rest, value);
    }
}

#[derive(Deserialize)]
struct Commands {
    #[serde(default, alias = "CMD")]
    cmd: Option<Ordered>,
}

/// A map or list of texts in the order of the document: commands run in that order.
struct Ordered(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Ordered;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a map or a list of commands")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered, A::Error> {
                let mut all = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    all.push(pair);
                }
                Ok(Ordered(all))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Ordered, A::Error> {
                let mut all: Vec<(String, String)> = Vec::new();
                while let Some(command) = list.next_element()? {
                    all.push((all.len().to_string(), command));
                }
                Ok(Ordered(all))
            }
        }
        deserializer.deserialize_any(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn brackets_are_read_as_php_reads_them() {
        let params =
            Params::of_query("FILTER[%3E%3DDATE_MODIFY]=2026-05-14T10:00:00%2B03:00&select[]=ID&select[]=UF_*&order[ID]=ASC&start=-1");
        assert_eq!(params.get("filter"), Some(&json!({">=DATE_MODIFY": "2026-05-14T10:00:00+03:00"})));
        assert_eq!(members(params.get("select").unwrap()), [&json!("ID"), &json!("UF_*")]);
        assert_eq!(params.number("start"), Some(-1));
        // A bare plus is a space: the date is broken.
        assert_eq!(Params::of_query("filter[>ID]=a+b").get("filter"), Some(&json!({">ID": "a b"})));
    }

    #[test]
    fn commands_keep_their_order() {
        let Commands { cmd: Some(Ordered(commands)) } = serde_json::from_str(r#"{"cmd":{"z":"a?x=1","a":"b","m":"c"}}"#).unwrap() else {
            panic!("commands");
        };
        assert_eq!(commands.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["z", "a", "m"]);
    }
}
