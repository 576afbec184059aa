use chrono_tz::Europe::Kyiv;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn defaults() -> Mapping {
    serde_json::from_str(include_str!("defaults.json")).expect("the defaults are a mapping")
}

/// The order of the sheet.
fn order() -> Value {
    json!({"id": "000045871", "number": "100045871", "created_at": "2026-03-14 11:32:07", "updated_at": "2026-03-14 11:32:07",
        "statuses": {"order": "open", "delivery": "open", "payment": "open"}, "note": "",
        "customer": {"id": "5521", "first_name": "Покупець", "last_name": "Тестовий", "middle_name": "", "phone": "+38 (050) 000-00-02", "email": "buyer@example.com"},
        "recipient": {"first_name": "Отримувачка", "last_name": "Тестова", "middle_name": "", "phone": "0670000001"},
        "shipping": {"type": "nova_poshta_warehouse", "price": "0.00", "city": "Львів", "region": "Львівська", "city_ref": "00000000-0000-0000-0000-000000000001",
            "warehouse": "Відділення №12: вул. Прикладна, 1", "warehouse_number": "12", "warehouse_ref": "00000000-0000-0000-0000-000000000002", "address": null},
        "payment": {"type": "cod", "status": "open"}, "tracking_number": null,
        "products": [{"id": "881", "sku": "PL-150-GR", "name": "Плед 150x200", "price": "799.50", "quantity": 2, "total": "1599.00"}],
        "totals": {"subtotal": "1599.00", "discount": "0.00", "shipping": "0.00", "grand_total": "1599.00", "currency": "UAH"}})
}

fn with(change: impl FnOnce(&mut Value)) -> Mapped {
    let mut order = order();
    change(&mut order);
    evaluate(&order, &defaults(), Kyiv)
}

fn problems(mapped: &Mapped) -> Vec<(&str, &str)> {
    mapped.problems.iter().map(|problem| (problem.target.as_str(), problem.reason.code.as_str())).collect()
}

#[test]
fn the_order_of_the_sheet_is_mapped_whole_and_without_a_flag() {
    let mapped = with(|_| {});
    assert_eq!((problems(&mapped), &mapped.unusable, mapped.parcel), (vec![], &None, Parcel::Recipient));
    for (target, value) in [
        ("order.id", "000045871"),
        ("order.number", "100045871"),
        ("order.created_at", "2026-03-14T09:32:07Z"),
        ("order.total", "1599"),
        ("recipient.last", "Тестова"),
        ("recipient.phone", "380670000001"),
        ("buyer.phone", "380500000002"),
        ("np.city", "Львів"),
        ("np.number", "12"),
        ("order.tracking_number", ""),
    ] {
        assert_eq!(mapped.value(target), value, "{target}");
    }
    assert_eq!(
        mapped.lines,
        [Line {
            id: "881".into(),
            sku: "PL-150-GR".into(),
            name: "Плед 150x200".into(),
            quantity: 2.into(),
            price: "799.5".parse().expect("a price"),
        }]
    );
    let phone = &mapped.told["recipient.phone"];
    assert_eq!(
        (phone.from.as_deref(), phone.raw.as_str(), phone.transforms.as_slice()),
        (Some("/recipient/phone"), "0670000001", &[Transform::PhoneUa][..])
    );
}

#[test]
fn shapes_of_the_sheet_are_read() {
    let flat = with(|order| {
        order["shipping"] = Value::Null;
        order["shipping_city"] = json!("м. Львів");
        order["shipping_warehouse"] = json!("Поштомат \"Нова Пошта\" №36706: вул. Прикладна");
    });
    assert_eq!((flat.value("np.city"), flat.value("np.number"), problems(&flat)), ("Львів", "36706", vec![]));
    let nested = with(|order| order["shipping"]["city"] = json!({"name": "Суми", "ref": "00000000-0000-0000-0000-00000000000A"}));
    assert_eq!(nested.value("np.city"), "Суми");
    let courier = with(|order| {
        order["shipping"] = json!({"type": "courier", "city": "Київ", "address": "вул. Прикладна, 5, кв. 7"});
    });
    assert_eq!((courier.value("np.address"), problems(&courier)), ("вул. Прикладна, 5, кв. 7", vec![]));
    let keyed = with(|order| order["products"] = json!({"881": {"sku": "A", "name": "Плед", "price": 799.5, "qty": "1"}}));
    assert_eq!((keyed.lines.len(), keyed.lines[0].id.as_str()), (1, "881"));
    let number = with(|order| order["id"] = json!(100045871));
    assert_eq!(number.value("order.id"), "100045871");
}

#[test]
fn buyer_and_recipient_never_lend_each_other_a_field() {
    // A recipient without a phone is flagged; the buyer's phone is not taken for his.
    let mapped = with(|order| order["recipient"]["phone"] = json!(""));
    assert_eq!((mapped.parcel, mapped.value("recipient.phone")), (Parcel::Recipient, ""));
    assert_eq!(problems(&mapped), [("recipient.phone", "order_field_missing")]);
    // No recipient at all: the buyer takes the parcel, and the order says so.
    let mapped = with(|order| order["recipient"] = Value::Null);
    assert_eq!(
        (mapped.parcel, mapped.parcel_block(), mapped.whole_name("buyer").as_str()),
        (Parcel::Customer, "buyer", "Тестовий Покупець")
    );
    assert_eq!(problems(&mapped), [("recipient", "recipient_is_customer")]);
    let mapped = with(|order| {
        order["recipient"] = Value::Null;
        order["customer"] = Value::Null;
    });
    assert_eq!(mapped.parcel, Parcel::Nobody);
    assert!(problems(&mapped).contains(&("recipient", "order_field_missing")), "{:?}", problems(&mapped));
}

#[test]
fn a_name_in_one_text_is_split_only_beyond_doubt() {
    let mapped = with(|order| order["recipient"] = json!({"name": "Тестова Отримувачка Іванівна", "phone": "0670000001"}));
    assert_eq!(mapped.name_parts("recipient"), Some(("Тестова".into(), "Отримувачка".into(), "Іванівна".into())));
    let mapped = with(|order| order["recipient"] = json!({"name": "Отримувачка Тестова", "phone": "0670000001"}));
    assert_eq!((mapped.name_parts("recipient"), mapped.whole_name("recipient").as_str()), (None, "Отримувачка Тестова"));
    assert_eq!(problems(&mapped), [("recipient.full", "name_ambiguous")]);
}

#[test]
fn what_fails_a_check_is_flagged_with_the_text_as_it_was() {
    let mapped = with(|order| {
        order["recipient"]["phone"] = json!("+1 555 0100");
        order["recipient"]["last_name"] = json!("Tester");
        order["shipping"]["warehouse_number"] = json!("7");
    });
    assert_eq!(
        problems(&mapped),
        [("recipient.last", "name_latin"), ("recipient.phone", "phone_foreign"), ("np.number", "np_number_disagrees")]
    );
    assert_eq!((mapped.value("recipient.phone"), mapped.fine("recipient.phone")), ("+1 555 0100", None));
    let mapped = with(|order| order["products"][0]["price"] = json!("дорого"));
    // The total tells the price.
    assert_eq!((mapped.lines[0].price.to_string().as_str(), problems(&mapped)), ("799.5", vec![("lines.0.price", "money_unreadable")]));
}

#[test]
fn an_order_without_an_id_is_unusable_and_one_without_lines_is_flagged() {
    assert_eq!(with(|order| order["id"] = Value::Null).unusable.map(|problem| problem.target), Some("order.id".into()));
    let mapped = with(|order| order["products"] = json!([]));
    assert_eq!((problems(&mapped), &mapped.unusable), (vec![("lines", "order_field_missing")], &None));
}

#[test]
fn a_mapping_of_ones_own_is_followed() {
    let mut mapping = defaults();
    mapping.insert(
        "recipient.phone".into(),
        Field { from: vec!["/extra/phone".into()], transform: vec![Transform::PhoneUa], required: true, ..Field::default() },
    );
    mapping.insert(
        "order.payment".into(),
        Field { from: vec!["/none".into()], on_missing: OnMissing::Default, default: Some("готівка".into()), ..Field::default() },
    );
    let mut order = order();
    order["extra"] = json!({"phone": "0671112233"});
    let mapped = evaluate(&order, &mapping, Kyiv);
    assert_eq!((mapped.value("recipient.phone"), mapped.value("order.payment")), ("380671112233", "готівка"));
    assert_eq!(mapped.told["order.payment"].from, None);
}

#[test]
fn a_line_costs_what_is_paid_for_it() {
    let price = |line: Value| with(|order| order["products"][0] = line).lines[0].price.to_string();
    assert_eq!(price(json!({"id": "1", "name": "A", "price": "100.00", "quantity": 2, "total": "150.00"})), "75", "after the discount");
    assert_eq!(
        price(json!({"id": "1", "name": "A", "price": "33.34", "quantity": 3, "total": "100.00"})),
        "33.34",
        "a total that does not divide"
    );
    assert_eq!(price(json!({"id": "1", "name": "A", "price": "799.50", "quantity": 1})), "799.5");
}

proptest! {
    /// Whatever the shop sends, nothing is lost and nothing panics; and the recipient's block holds only what stood in the recipient's places.
    #[test]
    fn no_order_upsets_the_mapping(last in "\\PC{0,20}", phone in "[0-9+() -]{0,20}", other in "[0-9]{9,12}", branch in "\\PC{0,30}") {
        let mapped = with(|order| {
            order["recipient"] = json!({"last_name": last, "phone": phone});
            order["customer"]["phone"] = json!(other);
            order["shipping"]["warehouse"] = json!(branch);
        });
        if mapped.parcel == Parcel::Recipient {
            prop_assert!(mapped.told["recipient.phone"].raw.is_empty() || mapped.told["recipient.phone"].raw == phone.trim());
        }
        prop_assert_eq!(mapped.value("order.id"), "000045871");
    }
}
