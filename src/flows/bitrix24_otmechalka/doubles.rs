//! Doubles in Bitrix24: contacts with the same pupil and phone. They are told in the run's report and never merged.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::client;
use crate::engine::model::Values;

/// Name of the key by which doubles are recognised.
pub const PUPIL: &str = "pupil";
/// Most pairs that a report names.
const MOST: usize = 50;

/// Contacts by pupil.
#[derive(Debug, Default)]
pub struct Doubles {
    by_pupil: BTreeMap<String, BTreeSet<String>>,
}

impl Doubles {
    /// Notes a contact.
    pub fn note(&mut self, pupil: &str, key: &str) {
        let contact = key.rsplit(':').next().unwrap_or(key).to_owned();
        self.by_pupil.entry(pupil.to_owned()).or_default().insert(contact);
    }

    /// Notes a contact by what was last sent of it.
    pub fn note_sent(&mut self, written: &BTreeMap<String, Value>, key: &str) {
        let text = |name: &str| written.get(name).and_then(Value::as_str).unwrap_or_default();
        if let Some(pupil) = client::pupil(text("last_name"), text("first_name"), &format!("+{}", text("phone"))) {
            self.note(&pupil, key);
        }
    }

    /// What a report says: how many pupils have several contacts, and the ids of the first of those contacts.
    pub fn told(&self) -> Values {
        let several: Vec<&BTreeSet<String>> = self.by_pupil.values().filter(|contacts| contacts.len() > 1).collect();
        if several.is_empty() {
            return Values::new();
        }
        let named: Vec<Value> =
            several.iter().take(MOST).map(|contacts| contacts.iter().cloned().collect::<Vec<_>>().join(", ").into()).collect();
        Values::from([("doubles".to_owned(), Value::from(several.len())), ("double_contacts".to_owned(), Value::Array(named))])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn contacts_with_the_same_pupil_and_phone_are_told_once() {
        let mut doubles = Doubles::default();
        let written = |first: &str| {
            BTreeMap::from([
                ("last_name".to_owned(), json!("Петров")),
                ("first_name".to_owned(), json!(first)),
                ("phone".to_owned(), json!("79261234567")),
            ])
        };
        doubles.note_sent(&written("Василий"), "contact:1002");
        doubles.note_sent(&written("Иван"), "contact:1004");
        assert!(doubles.told().is_empty(), "a family is no double");
        doubles.note(&client::pupil("петров", "василий", "8 926 123-45-67").unwrap(), "contact:1006");
        doubles.note_sent(&written("Василий"), "contact:1006");
        assert_eq!(doubles.told(), Values::from([("doubles".to_owned(), json!(1)), ("double_contacts".to_owned(), json!(["1002, 1006"]))]));
    }
}
