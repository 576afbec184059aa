//! Every sentence of the requirement about one order, and what must never be sent.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    back::{SHOWN, Updates},
    orders::Orders,
    process,
    record::{self, Stored},
    settings::tests::settings,
    updates::field,
};
use crate::{
    domain::clock,
    engine::{
        flow::{Decision, Item, LinkDecision, Observation, Rules},
        hooks::{self, Hook},
        link::Note,
        locks::{Lock, LockSet},
        model::{Candidate, Link, LinkState, Op, Outcome, Values},
    },
};

const KEY: &str = "000045871";
const TTN: &str = "20450000000000";

fn orders(over: Value) -> Orders {
    Orders { settings: settings(over), since: at("2026-03-01T00:00:00Z"), locks: LockSet::default() }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

/// The order of the sheet; `change` is made to it.
fn order(change: impl FnOnce(&mut Value)) -> Value {
    let mut order = json!({"id": KEY, "number": "100045871", "created_at": "2026-03-14 11:32:07", "updated_at": "2026-03-14 11:32:07",
        "statuses": {"order": "open", "delivery": "open"}, "note": "",
        "customer": {"id": "5521", "first_name": "Покупець", "last_name": "Тестовий", "phone": "+38 (050) 000-00-02", "email": "buyer@example.com"},
        "recipient": {"first_name": "Отримувачка", "last_name": "Тестова", "phone": "0670000001"},
        "shipping": {"type": "nova_poshta_warehouse", "city": "Львів", "region": "Львівська", "warehouse": "Відділення №12: вул. Прикладна, 1", "warehouse_number": "12",
            "city_ref": "00000000-0000-0000-0000-000000000001"},
        "payment": {"type": "cod"}, "products": [{"id": "881", "sku": "PL-150-GR", "name": "Плед 150x200", "price": "799.50", "quantity": 2, "total": "1599.00"}],
        "totals": {"grand_total": "1599.00"}});
    change(&mut order);
    order
}

fn payload(order: &Value) -> String {
    record::of_order(order.clone(), &settings(json!({}))).payload
}

fn link(written: Values) -> Link {
    Link {
        source: KEY.into(),
        name: "100045871".into(),
        state: LinkState::Linked,
        target: Some("127901".into()),
        witness: None,
        candidates: Vec::new(),
        origin: "created".into(),
        written,
        source_seen_at: None,
        undone: Default::default(),
        run: None,
        linked_at: None,
        updated_at: clock::now(),
    }
}

/// What a link remembers once a decision was carried out.
fn after(decision: &Decision) -> Link {
    let mut link = link(Values::new());
    for field in &decision.fields {
        link.written.insert(field.field.clone(), crate::engine::pictures::remembered(&field.new));
    }
    link
}

fn decide(rules: &dyn Rules, payload: &str, link: Option<&Link>, observed: Option<&Observation>, candidates: &[Candidate]) -> Decision {
    rules.decide(&Item { key: KEY, payload, link, observed, candidates, contested: false, seen_at: clock::now(), gone: None })
}

fn value<'a>(decision: &'a Decision, field: &str) -> &'a Value {
    decision.fields.iter().find(|change| change.field == field).map_or(&Value::Null, |change| &change.new)
}

fn names(decision: &Decision) -> Vec<&str> {
    decision.fields.iter().map(|field| field.field.as_str()).filter(|name| process::is_sent(name)).collect()
}

#[test]
fn a_new_order_is_made_with_the_recipient_in_its_block_and_the_buyer_on_his_card() {
    let decision = decide(&orders(json!({})), &payload(&order(|_| {})), None, None, &[]);
    assert_eq!(
        (decision.op, decision.outcome, decision.reason.code.as_str(), &decision.link),
        (Op::Send, Outcome::Created, "order_new", &LinkDecision::Created)
    );
    assert!(decision.undo.starts_with("never:"));
    for (field, expected) in [
        ("externalid", json!("okl-000045871")),
        ("workflowid", json!(9)),
        ("statusid", json!(54)),
        ("name", json!("OK Living 100045871")),
        ("date", json!("2026-03-14 11:32:07")),
        ("clientname", json!("Тестова Отримувачка")),
        ("clientphone", json!("380670000001")),
        ("clientaddress", json!("Львів (Львівська), Відділення №12: вул. Прикладна, 1")),
        ("phone", json!("380670000001")),
        (
            "client",
            json!({"namelast": "Тестовий", "name": "Покупець", "phones": ["380500000002"], "email": "buyer@example.com",
            "externalid": "okl-c-5521", "findbyArray": ["externalid", "phone"], "addnewphone": false}),
        ),
    ] {
        assert_eq!(value(&decision, field), &expected, "{field}");
    }
    let lines = value(&decision, "products");
    assert_eq!(lines[0]["price"].to_string(), "799.5");
    assert_eq!(lines[0]["productinfo"]["externalid"], "okl-p-881");
}

#[test]
fn the_body_of_a_creation_and_of_an_update_differ_where_they_must() {
    let settings = settings(json!({"onebox": {"custom_fields": {"NpCityRef": "np.city_ref"}}}));
    let fields = process::fields(KEY, &settings.map(&order(|_| {})), &settings);
    let created = process::body(&fields, None, KEY, &settings);
    assert_eq!((&created["workflowid"], &created["deletenotupdatedproducts"], created.get("phone")), (&json!(9), &json!(true), None));
    assert_eq!(created["customfields"]["NpCityRef"], "00000000-0000-0000-0000-000000000001");
    let updated = process::body(&fields, Some("127901"), KEY, &settings);
    assert_eq!(updated["orderid"], json!(127_901));
    for never in ["workflowid", "statusid", "client", "name", "date"] {
        assert!(updated.get(never).is_none(), "{never} puts a processed order back");
    }
    assert!(updated.keys().all(|name| !name.contains("fingerprint")));
}

#[test]
fn an_order_that_fails_a_check_is_made_all_the_same_flagged_and_with_the_shops_words() {
    let broken = order(|order| {
        order["recipient"]["phone"] = json!("+48 601 234 567");
        order["recipient"]["last_name"] = json!("Tester");
    });
    let decision = decide(&orders(json!({})), &payload(&broken), None, None, &[]);
    assert_eq!((decision.op, decision.reason.code.as_str()), (Op::Send, "order_flagged"));
    assert!(decision.reason.params["fields"].contains("recipient.phone"), "{:?}", decision.reason);
    assert_eq!(value(&decision, "clientphone"), &Value::Null, "a foreign phone is no Ukrainian one");
    let text = value(&decision, "content").as_str().unwrap_or_default();
    assert!(text.contains("+48 601 234 567") && text.contains("ПЕРЕВІРТЕ") && text.contains("Tester"), "{text}");
}

#[test]
fn a_second_run_changes_nothing_and_only_what_the_shop_changed_is_sent() {
    let rules = orders(json!({}));
    let made = after(&decide(&rules, &payload(&order(|_| {})), None, None, &[]));
    assert_eq!(decide(&rules, &payload(&order(|_| {})), Some(&made), None, &[]).outcome, Outcome::Unchanged);
    // What we did ourselves in the shop comes back with the next read.
    let ours = order(|order| {
        order["updated_at"] = json!("2026-03-14 12:00:00");
        order["statuses"] = json!({"order": "in_progress", "delivery": "shipped"});
        order["tracking_number"] = json!(TTN);
        order["note"] = json!("Їде");
    });
    assert_eq!(decide(&rules, &payload(&ours), Some(&made), None, &[]).outcome, Outcome::Unchanged);
    let moved = order(|order| order["recipient"]["phone"] = json!("0671112233"));
    let decision = decide(&rules, &payload(&moved), Some(&made), None, &[]);
    assert_eq!((decision.op, decision.outcome), (Op::Update, Outcome::Updated));
    assert_eq!(names(&decision), ["clientphone", "content"], "lines and all else stay as a manager left them");
    let more = order(|order| order["products"][0]["quantity"] = json!(3));
    assert_eq!(names(&decide(&rules, &payload(&more), Some(&made), None, &[])), ["products"]);
}

#[test]
fn what_a_person_keeps_is_not_sent() {
    let lock = |fields: &[&str]| Lock {
        source: Some(KEY.into()),
        target: None,
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        note: String::new(),
        set_by: "admin-key".into(),
        set_at: DateTime::UNIX_EPOCH,
    };
    let mut rules = orders(json!({}));
    let made = after(&decide(&rules, &payload(&order(|_| {})), None, None, &[]));
    let moved = payload(&order(|order| order["shipping"]["city"] = json!("Суми")));
    rules.locks = LockSet { version: 1, rows: vec![lock(&["clientaddress"])] };
    let decision = decide(&rules, &moved, Some(&made), None, &[]);
    let free: Vec<&str> =
        decision.fields.iter().filter(|field| !crate::engine::locks::is_kept(field)).map(|field| field.field.as_str()).collect();
    assert!(!free.iter().any(|field| field.starts_with("clientaddress")) && free.contains(&"content"), "{free:?}");
    rules.locks = LockSet { version: 1, rows: vec![lock(&["clientaddress", "content"])] };
    assert_eq!(decide(&rules, &moved, Some(&made), None, &[]).outcome, Outcome::Skipped);
}

#[test]
fn orders_before_the_connection_are_left_alone_and_one_without_a_date_is_not() {
    let rules = Orders { since: at("2026-03-15T00:00:00Z"), ..orders(json!({})) };
    let decision = decide(&rules, &payload(&order(|_| {})), None, None, &[]);
    assert_eq!((decision.outcome, decision.reason.code.as_str()), (Outcome::Skipped, "order_before_since"));
    assert!(rules.lookup(KEY, &payload(&order(|_| {}))).is_none(), "OneBox is not asked about it either");
    let undated = payload(&order(|order| order["created_at"] = json!("вчора")));
    assert_eq!(decide(&rules, &undated, None, None, &[]).reason.code, "order_flagged");
}

#[test]
fn an_order_without_an_id_is_kept_and_never_sent() {
    let record = record::of_order(order(|order| order["id"] = Value::Null), &settings(json!({})));
    assert!(record.key.starts_with(record::WITHOUT_ID));
    let rules = orders(json!({}));
    let item = Item {
        key: &record.key,
        payload: &record.payload,
        link: None,
        observed: None,
        candidates: &[],
        contested: false,
        seen_at: clock::now(),
        gone: None,
    };
    let decision = rules.decide(&item);
    assert_eq!((decision.outcome, decision.op, decision.reason.code.as_str()), (Outcome::Failed, Op::None, "order_without_id"));
    assert!(rules.lookup(&record.key, &record.payload).is_none());
}

#[test]
fn an_order_that_onebox_has_is_linked_and_not_sent() {
    let rules = orders(json!({}));
    let found = Candidate { target: "127901".into(), name: "OK Living".into(), matched: vec!["externalid=okl-000045871".into()] };
    let body = payload(&order(|_| {}));
    let item = Item {
        key: KEY,
        payload: &body,
        link: None,
        observed: None,
        candidates: std::slice::from_ref(&found),
        contested: false,
        seen_at: clock::now(),
        gone: None,
    };
    let decision = rules.decide(&item);
    assert_eq!((decision.outcome, decision.op), (Outcome::Unchanged, Op::None));
    assert_eq!(rules.note(&item, &decision), Note::Linked("127901".into()));
    // The next run learns what stands; only what the shop changes from then on is sent.
    let bare = link(Values::new());
    let item = Item { link: Some(&bare), candidates: &[], ..item };
    let Note::Learned(memory) = rules.note(&item, &rules.decide(&item)) else { panic!("nothing learned") };
    let learned = link(memory);
    assert_eq!(decide(&rules, &body, Some(&learned), None, &[]).outcome, Outcome::Unchanged);
    let moved = payload(&order(|order| order["recipient"]["phone"] = json!("0671112233")));
    assert!(names(&decide(&rules, &moved, Some(&learned), None, &[])).contains(&"clientphone"));
}

#[test]
fn without_a_recipient_the_buyer_takes_the_parcel_and_the_order_says_so() {
    let decision = decide(&orders(json!({})), &payload(&order(|order| order["recipient"] = Value::Null)), None, None, &[]);
    assert_eq!((value(&decision, "clientname"), value(&decision, "clientphone")), (&json!("Тестовий Покупець"), &json!("380500000002")));
    assert!(decision.reason.params["fields"].contains("recipient"));
}

// --- back

fn updates(asks: &[Value]) -> Updates {
    let hooks: Vec<Hook> = asks
        .iter()
        .zip(1..)
        .map(|(ask, id)| Hook { id, item: Some(KEY.into()), target: Some("127901".into()), ask: ask.clone(), received_at: clock::now() })
        .collect();
    let settings = settings(json!({"status_map": {"ship": {"delivery": "ship", "order": "process"}, "complete": {"order": "complete"}}}));
    Updates { settings, hooks: HashMap::from([(KEY.to_owned(), hooks)]), now: clock::now() }
}

#[test]
fn a_hook_becomes_one_change_with_what_stood_and_what_is_to_stand() {
    let rules = updates(&[json!({"ttn": TTN, "action": "ship", "comment": "Їде"})]);
    let linked = link(Values::new());
    let decision = decide(&rules, &payload(&order(|_| {})), Some(&linked), None, &[]);
    assert_eq!((decision.op, decision.outcome), (Op::Update, Outcome::Updated));
    assert_eq!(
        (value(&decision, field::TTN), value(&decision, field::ORDER), value(&decision, field::DELIVERY)),
        (&json!(TTN), &json!("in_progress"), &json!("shipped"))
    );
    assert_eq!(hooks::named(&decision.fields), [1]);
    assert_eq!(rules.concerns(), Some(vec![KEY.to_owned()]));
    // The same again, once it was carried out: nothing is to be done, and the hook is dealt with.
    let again = decide(&rules, &payload(&order(|_| {})), Some(&after(&decision)), None, &[]);
    assert_eq!((again.op, again.outcome, hooks::named(&again.fields)), (Op::None, Outcome::Unchanged, vec![1]));
}

#[test]
fn a_hook_of_an_order_that_is_not_linked_yet_waits_and_links_it() {
    let rules = updates(&[json!({"action": "ship"})]);
    let body = payload(&order(|_| {}));
    let item =
        Item { key: KEY, payload: &body, link: None, observed: None, candidates: &[], contested: false, seen_at: clock::now(), gone: None };
    let decision = rules.decide(&item);
    assert_eq!((decision.outcome, decision.reason.code.as_str()), (Outcome::Held, "hook_waits_for_order"));
    assert_eq!(rules.note(&item, &decision), Note::Linked("127901".into()));
    assert!(hooks::named(&decision.fields).is_empty(), "it stays open");
}

#[test]
fn a_thin_hook_waits_for_onebox_and_is_filled_from_it() {
    let rules = updates(&[json!({"action": "ship", "thin": true})]);
    let linked = link(Values::new());
    let body = payload(&order(|_| {}));
    assert_eq!(decide(&rules, &body, Some(&linked), None, &[]).reason.code, "hook_waits_for_onebox");
    let [ttn, ..] = SHOWN;
    let seen = Observation { witness: None, owned: true, values: Values::from([(ttn.to_owned(), json!("2045 0000 0000 00"))]) };
    assert_eq!(value(&decide(&rules, &body, Some(&linked), Some(&seen), &[]), field::TTN), &json!(TTN));
}

#[test]
fn a_bad_waybill_is_held_and_stays_open() {
    let rules = updates(&[json!({"bad_ttn": "123456789012345", "action": "ship"})]);
    let linked = link(Values::new());
    let decision = decide(&rules, &payload(&order(|_| {})), Some(&linked), None, &[]);
    assert_eq!((decision.outcome, decision.reason.code.as_str(), hooks::named(&decision.fields).len()), (Outcome::Held, "bad_ttn", 0));
}

#[test]
fn a_stored_order_reads_back_as_it_came() {
    let raw = order(|order| order["extra"] = json!({"unknown": [1, "два", null]}));
    assert_eq!(Stored::of_payload(&payload(&raw)).raw, raw);
    assert_eq!(payload(&raw), payload(&raw), "equal orders give equal text");
}

proptest! {
    /// Whatever stands in the order, the recipient's block never holds the buyer's phone or name while there is a recipient, nor the card the recipient's.
    #[test]
    fn buyer_and_recipient_are_never_mixed(buyer in 500_000_000u64..999_999_999, recipient in 500_000_000u64..999_999_999, named in any::<bool>()) {
        prop_assume!(buyer != recipient);
        let raw = order(|order| {
            order["customer"]["phone"] = json!(format!("0{buyer}"));
            order["recipient"]["phone"] = json!(format!("+380{recipient}"));
            if !named {
                order["recipient"]["last_name"] = Value::Null;
                order["recipient"]["first_name"] = Value::Null;
            }
        });
        let decision = decide(&orders(json!({})), &payload(&raw), None, None, &[]);
        prop_assert_eq!(value(&decision, "clientphone"), &json!(format!("380{recipient}")));
        prop_assert_eq!(&value(&decision, "client")["phones"], &json!([format!("380{buyer}")]));
        prop_assert!(!value(&decision, "clientname").to_string().contains("Тестовий"), "the buyer's name is not the recipient's");
        prop_assert!(!value(&decision, "client").to_string().contains("Тестова"));
    }
}
