//! Rows of the portal into records. Pure; codes come from the settings.

use serde_json::Value;

use super::{
    record::{self, Contact, Deal, ProductRow},
    settings::Settings,
};
use crate::{
    engine::model::Record,
    systems::bitrix24::{Entity, Row, wire},
};

/// Fields of a contact that are asked for. Multi-fields are covered by no mask and must be named.
pub fn contact_select(settings: &Settings) -> Vec<String> {
    let fields = &settings.contact_fields;
    let own = [
        &fields.last_name,
        &fields.first_name,
        &fields.product,
        &fields.branch,
        &fields.birthdate,
        &fields.parent_last_name,
        &fields.parent_first_name,
    ];
    select(&["ID", "DATE_CREATE", "DATE_MODIFY", "PHONE", "EMAIL"], own.into_iter())
}

/// Fields of a deal that are asked for.
pub fn deal_select(settings: &Settings) -> Vec<String> {
    let fields = &settings.deal_fields;
    let plain = [
        "ID",
        "TITLE",
        "DATE_CREATE",
        "DATE_MODIFY",
        "CATEGORY_ID",
        "STAGE_ID",
        "STAGE_SEMANTIC_ID",
        "CURRENCY_ID",
        "CONTACT_ID",
        "ASSIGNED_BY_ID",
    ];
    select(&plain, [&fields.sale_date, &fields.branch, &fields.payment].into_iter())
}

fn select<'a>(plain: &[&str], own: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut codes: Vec<String> = plain.iter().map(|code| (*code).to_owned()).collect();
    for code in own.filter(|code| !plain.contains(&code.as_str())) {
        codes.push(code.clone());
    }
    codes
}

/// A contact.
pub fn contact(row: &Row, settings: &Settings) -> Contact {
    let fields = &settings.contact_fields;
    let text = |code: &String| wire::field(row, code);
    Contact {
        id: wire::id(row).unwrap_or_default(),
        created: wire::moment(&wire::field(row, "DATE_CREATE")),
        last_name: text(&fields.last_name),
        first_name: text(&fields.first_name),
        parent_last_name: text(&fields.parent_last_name),
        parent_first_name: text(&fields.parent_first_name),
        phone: wire::first(row, "PHONE").unwrap_or_default(),
        email: wire::first(row, "EMAIL").unwrap_or_default(),
        products: wire::ids(row.get(&fields.product)),
        branches: wire::ids(row.get(&fields.branch)),
        birthdate: text(&fields.birthdate),
    }
}

/// A deal, without what is asked for besides.
pub fn deal(row: &Row, settings: &Settings) -> Deal {
    let fields = &settings.deal_fields;
    let text = |code: &str| wire::field(row, code);
    Deal {
        id: wire::id(row).unwrap_or_default(),
        created: wire::moment(&text("DATE_CREATE")),
        category: text("CATEGORY_ID"),
        stage: text("STAGE_ID"),
        currency: text("CURRENCY_ID"),
        contact_id: text("CONTACT_ID").parse().unwrap_or_default(),
        employee_id: text("ASSIGNED_BY_ID"),
        sale_date: text(&fields.sale_date),
        branches: wire::ids(row.get(&fields.branch)),
        payment: text(&fields.payment),
        ..Deal::default()
    }
}

/// Product rows of one deal; the error says why there are none.
pub fn product_rows(result: &Value) -> Result<Vec<ProductRow>, String> {
    let rows = result.as_array().ok_or("no list of product rows")?;
    let row = |row: &Value| {
        let text = |name: &str| wire::text(row.get(name));
        ProductRow {
            product_id: text("PRODUCT_ID"),
            name: text("PRODUCT_NAME"),
            price: text("PRICE"),
            brutto: text("PRICE_BRUTTO"),
            netto: text("PRICE_NETTO"),
            discount: text("DISCOUNT_SUM"),
            quantity: text("QUANTITY"),
        }
    };
    Ok(rows.iter().map(row).collect())
}

/// First name and surname of an employee, as the ticket names who sold it.
pub fn employee(row: &Row) -> String {
    [wire::field(row, "NAME"), wire::field(row, "LAST_NAME")].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The record of a contact.
pub fn contact_record(row: &Row, contact: &Contact) -> Record {
    let names = [contact.last_name.as_str(), contact.first_name.as_str()];
    Record {
        key: record::key(Entity::Contact, contact.id),
        name: names.into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>().join(" "),
        payload: record::payload(contact),
        source_changed_at: wire::moment(&wire::field(row, "DATE_MODIFY")),
    }
}

/// The record of a deal.
pub fn deal_record(row: &Row, deal: &Deal) -> Record {
    Record {
        key: record::key(Entity::Deal, deal.id),
        name: wire::field(row, "TITLE"),
        payload: record::payload(deal),
        source_changed_at: wire::moment(&wire::field(row, "DATE_MODIFY")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::flows::bitrix24_otmechalka::settings::tests::settings;

    fn row(value: Value) -> Row {
        value.as_object().cloned().expect("a row")
    }

    #[test]
    fn a_contact_of_the_document() {
        let row = row(json!({
            "ID": "39910", "NAME": "Елена", "LAST_NAME": "Зарудная", "DATE_CREATE": "2020-12-20T11:06:11+03:00",
            "UF_CRM_57AD7FAF7E6C4": "Зарудный", "UF_CRM_1608028374": "Кирилл", "UF_CRM_58D15BB9CA8F4": [404, 410], "UF_CRM_1470852549": [48],
            "UF_CRM_1607943642": "2014-11-26T03:00:00+03:00", "UF_CRM_1700000000001": "Успешно",
            "PHONE": [{"ID": "322540", "VALUE_TYPE": "WORK", "VALUE": "9265672098", "TYPE_ID": "PHONE"}]
        }));
        let contact = contact(&row, &settings(json!({})));
        assert_eq!(
            (contact.last_name.as_str(), contact.parent_last_name.as_str(), contact.parent_first_name.as_str()),
            ("Зарудный", "Зарудная", "Елена")
        );
        assert_eq!((contact.products, contact.branches), (vec!["404".to_owned(), "410".to_owned()], vec!["48".to_owned()]));
        assert_eq!(
            (contact.phone.as_str(), contact.email.as_str(), contact.birthdate.as_str()),
            ("9265672098", "", "2014-11-26T03:00:00+03:00")
        );
    }

    #[test]
    fn the_status_is_no_part_of_the_record() {
        let of = |status: &str| {
            let row =
                row(json!({"ID": "7", "UF_CRM_1700000000001": status, "DATE_MODIFY": "2020-12-20T11:06:11+03:00", "MODIFY_BY_ID": "1"}));
            contact_record(&row, &contact(&row, &settings(json!({})))).payload
        };
        assert_eq!(of(""), of("Успешно"));
        let row = row(json!({"ID": "7"}));
        assert!(!contact_select(&settings(json!({}))).contains(&"UF_CRM_1700000000001".to_owned()));
        assert_eq!(contact_record(&row, &contact(&row, &settings(json!({})))).key, "contact:7");
    }

    #[test]
    fn a_product_row_of_the_document() {
        let text = r#"[{"ID":"124740","PRODUCT_ID":60130,"PRODUCT_NAME":" 6 КМС индивидуальные 45 мин","PRICE":8700,"PRICE_BRUTTO":9000,
            "PRICE_NETTO":9000,"DISCOUNT_SUM":300.10,"QUANTITY":1}]"#;
        let rows = product_rows(&serde_json::from_str(text).expect("JSON")).expect("rows");
        let row = &rows[0];
        assert_eq!((row.name.as_str(), row.product_id.as_str(), row.price.as_str()), ("6 КМС индивидуальные 45 мин", "60130", "8700"));
        assert_eq!(row.discount, "300.10", "numbers keep their own digits");
        assert!(product_rows(&json!(false)).is_err());
    }
}
