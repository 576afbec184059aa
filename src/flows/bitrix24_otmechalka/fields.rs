//! Whether the portal still has the fields and list values that the settings speak of (requirement, "Чего нельзя делать в B24").
//!
//! Bitrix24 drops unknown fields from filters and updates without a word, and says `true` to a status that is written nowhere. So this is looked
//! at by the check of a connection and when each run begins.

use serde_json::Value;

use super::{settings::Settings, status};
use crate::systems::bitrix24::{FieldMap, wire};

/// How long statuses may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lengths {
    /// That of a contact.
    pub contact: usize,
    /// That of a deal.
    pub deal: usize,
}

/// The lengths of both status fields, or everything that is missing, each in a sentence.
pub fn check(settings: &Settings, contact: &FieldMap, deal: &FieldMap) -> Result<Lengths, Vec<String>> {
    let mut missing = Vec::new();
    let of_contact = &settings.contact_fields;
    for (name, code) in [
        ("last_name", &of_contact.last_name),
        ("first_name", &of_contact.first_name),
        ("product", &of_contact.product),
        ("branch", &of_contact.branch),
        ("birthdate", &of_contact.birthdate),
        ("parent_last_name", &of_contact.parent_last_name),
        ("parent_first_name", &of_contact.parent_first_name),
    ] {
        exists(contact, "contact", "contact_fields", name, code, &mut missing);
    }
    let of_deal = &settings.deal_fields;
    for (name, code) in [("sale_date", &of_deal.sale_date), ("branch", &of_deal.branch), ("payment", &of_deal.payment)] {
        exists(deal, "deal", "deal_fields", name, code, &mut missing);
    }
    let on = |table: &std::collections::BTreeMap<String, String>| -> Vec<String> {
        table.iter().filter(|(_, value)| !value.is_empty()).map(|(id, _)| id.clone()).collect()
    };
    let mapping = &settings.mapping;
    values(contact, "contact", &of_contact.product, "mapping.products", &on(&mapping.products), &mut missing);
    values(contact, "contact", &of_contact.branch, "mapping.contact_branches", &on(&mapping.contact_branches), &mut missing);
    values(deal, "deal", &of_deal.branch, "mapping.deal_branches", &on(&mapping.deal_branches), &mut missing);
    values(deal, "deal", &of_deal.payment, "mapping.cash_payment", &mapping.cash_payment, &mut missing);
    let contact = writable(contact, "contact", "contact_fields", &of_contact.status, &mut missing);
    let deal = writable(deal, "deal", "deal_fields", &of_deal.status, &mut missing);
    if missing.is_empty() { Ok(Lengths { contact, deal }) } else { Err(missing) }
}

fn exists(fields: &FieldMap, entity: &str, part: &str, name: &str, code: &str, missing: &mut Vec<String>) {
    if !fields.contains_key(code) {
        missing.push(format!("crm.{entity}.fields has no field {code} ({part}.{name}): it was deleted or made anew in Bitrix24; put its present code into the settings"));
    }
}

/// Values of a list. A field of another type has none that could be compared.
fn values(fields: &FieldMap, entity: &str, code: &str, setting: &str, ids: &[String], missing: &mut Vec<String>) {
    let Some(field) = fields.get(code) else { return };
    let items = field.get("items").and_then(Value::as_array);
    if items.is_none() && wire::text(field.get("type")) != "enumeration" {
        return;
    }
    let known: Vec<String> = items.into_iter().flatten().map(|item| wire::text(item.get("ID"))).collect();
    for id in ids.iter().filter(|id| !known.contains(id)) {
        missing.push(format!("the list {code} of crm.{entity}.fields has no value {id} ({setting}): it was deleted or made anew in Bitrix24; put its present id into the settings"));
    }
}

/// The status field: a single text that can be written. Its length.
fn writable(fields: &FieldMap, entity: &str, part: &str, code: &str, missing: &mut Vec<String>) -> usize {
    let Some(field) = fields.get(code) else {
        missing.push(format!("crm.{entity}.fields has no field {code} ({part}.status): make a text field \"Статус синхронизации\" in Bitrix24 and put its code into the settings"));
        return status::LONGEST;
    };
    let is = |name: &str| field.get(name).and_then(Value::as_bool).unwrap_or_default();
    let kind = wire::text(field.get("type"));
    if kind != "string" || is("isMultiple") || is("isReadOnly") {
        missing.push(format!("the field {code} of crm.{entity}.fields ({part}.status) is no single text that can be written (its type is {kind}); make a text field for the status"));
    }
    let length = wire::text(field.pointer("/settings/MAX_LENGTH")).parse::<usize>().unwrap_or_default();
    if length == 0 { status::LONGEST } else { length.min(status::LONGEST) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::flows::bitrix24_otmechalka::settings::tests::settings;

    fn portal() -> (FieldMap, FieldMap) {
        let list = |ids: &[&str]| json!({"type": "enumeration", "items": ids.iter().map(|id| json!({"ID": id, "VALUE": "x"})).collect::<Vec<_>>()});
        let text = || json!({"type": "string", "isMultiple": false, "settings": {}});
        let contact = json!({
            "NAME": text(), "LAST_NAME": text(), "UF_CRM_57AD7FAF7E6C4": text(), "UF_CRM_1608028374": text(), "UF_CRM_58D15BB9CA8F4": list(&["404", "410", "62"]),
            "UF_CRM_1470852549": list(&["48", "12708"]), "UF_CRM_1607943642": {"type": "date"}, "UF_CRM_1700000000001": text(),
        });
        let deal = json!({
            "UF_CRM_58D1057919A6F": {"type": "date"}, "UF_CRM_1470852549": list(&["186", "12706"]), "UF_CRM_1490347942": list(&["450", "452"]),
            "UF_CRM_1700000000002": {"type": "string", "settings": {"MAX_LENGTH": 80}},
        });
        (contact.as_object().cloned().unwrap(), deal.as_object().cloned().unwrap())
    }

    #[test]
    fn a_portal_that_has_everything_tells_the_lengths() {
        let (contact, deal) = portal();
        assert_eq!(check(&settings(json!({})), &contact, &deal), Ok(Lengths { contact: status::LONGEST, deal: 80 }));
    }

    #[test]
    fn every_lost_field_and_value_is_named() {
        let settings = settings(json!({}));
        let (all_of_contact, all_of_deal) = portal();
        for code in all_of_contact.keys() {
            let mut contact = all_of_contact.clone();
            contact.remove(code);
            let missing = check(&settings, &contact, &all_of_deal).unwrap_err();
            assert!(missing.len() == 1 && missing[0].contains(code), "{code}: {missing:?}");
        }
        for code in all_of_deal.keys() {
            let mut deal = all_of_deal.clone();
            deal.remove(code);
            let missing = check(&settings, &all_of_contact, &deal).unwrap_err();
            assert!(missing.len() == 1 && missing[0].contains(code), "{code}: {missing:?}");
        }
        for (value, code) in
            [("404", "UF_CRM_58D15BB9CA8F4"), ("410", "UF_CRM_58D15BB9CA8F4"), ("48", "UF_CRM_1470852549"), ("12708", "UF_CRM_1470852549")]
        {
            let mut contact = all_of_contact.clone();
            contact[code]["items"].as_array_mut().unwrap().retain(|item| item["ID"] != value);
            let missing = check(&settings, &contact, &all_of_deal).unwrap_err();
            assert!(missing.len() == 1 && missing[0].contains(&format!("no value {value}")), "{missing:?}");
        }
        for (value, code) in [("186", "UF_CRM_1470852549"), ("12706", "UF_CRM_1470852549"), ("450", "UF_CRM_1490347942")] {
            let mut deal = all_of_deal.clone();
            deal[code]["items"].as_array_mut().unwrap().retain(|item| item["ID"] != value);
            let missing = check(&settings, &all_of_contact, &deal).unwrap_err();
            assert!(missing.len() == 1 && missing[0].contains(&format!("no value {value}")), "{missing:?}");
        }
    }

    #[test]
    fn a_status_is_written_into_a_text_alone() {
        let (mut contact, deal) = portal();
        for wrong in
            [json!({"type": "enumeration"}), json!({"type": "string", "isMultiple": true}), json!({"type": "string", "isReadOnly": true})]
        {
            contact.insert("UF_CRM_1700000000001".to_owned(), wrong);
            assert!(check(&settings(json!({})), &contact, &deal).is_err());
        }
    }
}
