//! Rows as OneBox answers them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::remote::lenient::scalar;

/// An order that was looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// OneBox's id.
    pub id: String,
    /// Our key, as it stands there.
    pub externalid: String,
    /// Every field that was asked for, as text; empty ones are absent.
    pub fields: BTreeMap<String, String>,
}

/// A stage or a business process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// Rows of `dataArray`, also where it is an object.
fn rows(data: Value) -> Result<Vec<Value>, String> {
    match data {
        Value::Array(rows) => Ok(rows),
        Value::Object(members) if members.values().all(Value::is_object) => Ok(members.into_iter().map(|(_, row)| row).collect()),
        Value::Null => Err("the answer has no `dataArray`".to_owned()),
        _ => Err("`dataArray` is no list".to_owned()),
    }
}

fn text(row: &Value, name: &str) -> String {
    row.get(name).and_then(|value| scalar(&value.to_string())).map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// Orders with the fields that were asked for.
pub fn orders(data: Value, fields: &[&str]) -> Result<Vec<Found>, String> {
    let order = |row: Value| {
        let told = fields.iter().map(|name| ((*name).to_owned(), text(&row, name))).filter(|(_, value)| !value.is_empty()).collect();
        Found { id: text(&row, "id"), externalid: text(&row, "externalid"), fields: told }
    };
    Ok(rows(data)?.into_iter().map(order).filter(|order| !order.id.is_empty()).collect())
}

/// Contacts: id and every phone in any of its places.
pub fn contacts(data: Value) -> Result<Vec<(String, Vec<String>)>, String> {
    let contact = |row: Value| {
        let mut phones = vec![text(&row, "phone")];
        if let Some(Value::Array(more)) = row.get("phones") {
            phones.extend(more.iter().filter_map(|phone| scalar(&phone.to_string())));
        }
        (text(&row, "id"), phones)
    };
    Ok(rows(data)?.into_iter().map(contact).filter(|(id, _)| !id.is_empty()).collect())
}

/// Business processes.
pub fn stages(data: Value) -> Result<Vec<Stage>, String> {
    Ok(rows(data)?.iter().map(|row| Stage { id: text(row, "id"), name: text(row, "name") }).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn orders_are_read_with_ids_of_both_kinds() {
        let data = json!([{"id": 127901, "externalid": "okl-1", "statusid": "54", "deliverynote": null}, {"id": "127902", "externalid": "okl-2", "statusid": 55}]);
        let found = orders(data, &["statusid", "deliverynote"]).unwrap_or_default();
        assert_eq!(
            found.iter().map(|order| (order.id.as_str(), order.fields.get("statusid").map(String::as_str))).collect::<Vec<_>>(),
            [("127901", Some("54")), ("127902", Some("55"))]
        );
        assert!(found.iter().all(|order| !order.fields.contains_key("deliverynote")));
        assert!(orders(Value::Null, &[]).is_err() && orders(json!("x"), &[]).is_err());
        assert_eq!(orders(json!([]), &[]), Ok(Vec::new()));
    }

    #[test]
    fn phones_stand_in_two_places() {
        let found = contacts(json!([{"id": 7, "phone": "380501112233", "phones": ["0671112233", 380631112233_u64]}])).unwrap_or_default();
        assert_eq!(found, [("7".to_owned(), vec!["380501112233".into(), "0671112233".into(), "380631112233".into()])]);
    }
}
