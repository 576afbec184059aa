use std::collections::BTreeMap;

use chrono::DateTime;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    client, memory,
    memory::Memory,
    record::{self, Contact, Deal},
    rules::Bitrix24Otmechalka,
    settings::tests::settings,
    status, ticket,
};
use crate::{
    domain::clock,
    engine::{
        flow::{Decision, Gone, Item, LinkDecision, Rules},
        model::{Link, LinkState, Op, Outcome},
    },
    systems::bitrix24::Entity,
};

fn rules(over: Value) -> Bitrix24Otmechalka {
    let settings = settings(over);
    Bitrix24Otmechalka { start: settings.start().unwrap(), contact_status: 255, deal_status: 255, now: clock::now(), settings }
}

fn decide(rules: &Bitrix24Otmechalka, key: &str, payload: &str, link: Option<&Link>) -> Decision {
    let item = Item { key, payload, link, observed: None, candidates: &[], contested: false, seen_at: clock::now(), gone: None };
    rules.decide(&item)
}

fn contact(rules: &Bitrix24Otmechalka, contact: &Contact, link: Option<&Link>) -> Decision {
    decide(rules, "contact:39558", &record::payload(contact), link)
}

fn deal(rules: &Bitrix24Otmechalka, deal: &Deal, link: Option<&Link>) -> Decision {
    decide(rules, "deal:96038", &record::payload(deal), link)
}

fn field<'a>(decision: &'a Decision, name: &str) -> Option<&'a Value> {
    decision.fields.iter().find(|field| field.field == name).map(|field| &field.new)
}

/// The link as it stands once a decision was carried out as planned.
fn carried_out(decision: &Decision, entity: Entity, id: u64, before: Option<&Link>) -> Link {
    let mut written: BTreeMap<String, Value> = before.map(|link| link.written.clone()).unwrap_or_default();
    written.extend(decision.fields.iter().map(|field| (field.field.clone(), field.new.clone())));
    Link {
        source: record::key(entity, id),
        name: String::new(),
        state: LinkState::Linked,
        target: Some(record::target(entity, id)),
        witness: None,
        candidates: Vec::new(),
        origin: "created".into(),
        written,
        source_seen_at: None,
        undone: BTreeMap::new(),
        run: None,
        linked_at: None,
        updated_at: clock::now(),
    }
}

#[test]
fn a_new_contact_is_made_and_told_and_then_left_alone() {
    let rules = rules(json!({}));
    let made = contact(&rules, &client::tests::contact(), None);
    assert_eq!((made.op, made.outcome, made.reason.code.as_str()), (Op::Create, Outcome::Created, "new_client"));
    assert_eq!((field(&made, "phone"), field(&made, status::FIELD)), (Some(&json!("79261234567")), Some(&json!("Успешно"))));
    let link = carried_out(&made, Entity::Contact, 39558, None);
    let again = contact(&rules, &client::tests::contact(), Some(&link));
    assert_eq!((again.op, again.outcome), (Op::None, Outcome::Unchanged));
}

#[test]
fn only_what_is_synchronised_makes_an_edit() {
    let rules = rules(json!({}));
    let link = carried_out(&contact(&rules, &client::tests::contact(), None), Entity::Contact, 39558, None);
    let same_phone = Contact { phone: "+7 926 1234567".into(), ..client::tests::contact() };
    assert_eq!(contact(&rules, &same_phone, Some(&link)).outcome, Outcome::Unchanged);
    let renamed = contact(&rules, &Contact { first_name: "Иван".into(), email: String::new(), ..client::tests::contact() }, Some(&link));
    assert_eq!((renamed.op, renamed.outcome, renamed.reason.code.as_str()), (Op::Update, Outcome::Updated, "changed"));
    let change = |name: &str| renamed.fields.iter().find(|field| field.field == name).unwrap();
    assert_eq!((change("first_name").old.as_ref(), &change("first_name").new), (Some(&json!("Василий")), &json!("Иван")));
    assert_eq!((change("email").old.as_ref(), &change("email").new), (Some(&json!("anna@example.test")), &Value::Null));
    assert_eq!(renamed.link, LinkDecision::Keep);
}

#[test]
fn wrong_data_are_told_once_and_mended_without_sending_what_stands() {
    let rules = rules(json!({}));
    let wrong = Contact {
        parent_last_name: String::new(), parent_first_name: "Наталья Зарудная".into(), ..client::tests::contact()
    };
    let told = contact(&rules, &wrong, None);
    assert_eq!((told.op, told.outcome, told.reason.code.as_str()), (Op::Update, Outcome::Failed, "parent_last_name_empty"));
    assert!(field(&told, status::FIELD).and_then(Value::as_str).unwrap().contains("Наталья Зарудная"));
    assert!(field(&told, "last_name").is_none() && matches!(told.link, LinkDecision::Auto(_)));
    let link = carried_out(&told, Entity::Contact, 39558, None);
    let again = contact(&rules, &wrong, Some(&link));
    assert_eq!((again.op, again.outcome), (Op::None, Outcome::Failed), "told already");
    let mended = contact(&rules, &client::tests::contact(), Some(&link));
    assert_eq!((mended.op, mended.outcome, &mended.link), (Op::Update, Outcome::Created, &LinkDecision::Keep));
    // A client that stands, whose contact was broken and mended, is not sent again.
    let stands = carried_out(&mended, Entity::Contact, 39558, Some(&link));
    let broken = carried_out(&contact(&rules, &wrong, Some(&stands)), Entity::Contact, 39558, Some(&stands));
    let healed = contact(&rules, &client::tests::contact(), Some(&broken));
    assert_eq!((healed.op, healed.outcome, field(&healed, "last_name")), (Op::Update, Outcome::Updated, None));
    assert_eq!(field(&healed, status::FIELD), Some(&json!("Успешно")));
}

#[test]
fn nothing_supported_is_told_as_success_and_nothing_sent() {
    let rules = rules(json!({}));
    let strange = Contact { products: vec!["62".into()], ..client::tests::contact() };
    let told = contact(&rules, &strange, None);
    assert_eq!((told.op, told.outcome, told.reason.code.as_str()), (Op::Update, Outcome::Skipped, "nothing_supported"));
    assert_eq!((field(&told, status::FIELD), field(&told, "last_name")), (Some(&json!("Успешно")), None));
    let link = carried_out(&told, Entity::Contact, 39558, None);
    assert_eq!(contact(&rules, &strange, Some(&link)).op, Op::None);
}

#[test]
fn what_is_older_than_the_first_day_is_not_even_told() {
    let rules = rules(json!({}));
    let created = |at: &str| DateTime::parse_from_rfc3339(at).ok().map(|at| at.to_utc());
    for (at, op, code) in
        [("2020-12-21T23:59:59+03:00", Op::None, "before_start_date"), ("2020-12-22T00:00:00+03:00", Op::Create, "new_client")]
    {
        let decision = contact(&rules, &Contact { created: created(at), ..client::tests::contact() }, None);
        assert_eq!((decision.op, decision.reason.code.as_str()), (op, code), "{at}");
    }
    let old = Deal { created: created("2020-12-21T23:59:59+03:00"), ..ticket::tests::deal() };
    assert_eq!(deal(&rules, &old, None).reason.code, "before_start_date");
}

#[test]
fn a_won_deal_becomes_a_ticket_and_is_left_alone_afterwards() {
    let rules = rules(json!({}));
    let made = deal(&rules, &ticket::tests::deal(), None);
    assert_eq!((made.op, made.outcome, made.reason.code.as_str()), (Op::Create, Outcome::Created, "new_ticket"));
    assert_eq!(field(&made, "price_final"), Some(&json!("8700.00")));
    let link = carried_out(&made, Entity::Deal, 96038, None);
    assert_eq!(deal(&rules, &ticket::tests::deal(), Some(&link)).outcome, Outcome::Unchanged);
    // A recalculation is reported, not sent; so is a deal that was emptied.
    let mut dearer = ticket::tests::deal();
    (dearer.rows[0].price, dearer.rows[0].brutto) = ("9000".into(), "9300".into());
    for changed in [dearer, Deal { rows: Vec::new(), ..ticket::tests::deal() }] {
        let left = deal(&rules, &changed, Some(&link));
        assert_eq!((left.op, left.outcome, left.reason.code.as_str()), (Op::None, Outcome::Skipped, "ticket_changed_not_sent"));
    }
}

#[test]
fn a_deal_that_is_no_subscription_is_never_told() {
    let rules = rules(json!({"deal_filter": {"products": ["70001"]}}));
    let left = deal(&rules, &ticket::tests::deal(), None);
    assert_eq!((left.op, left.outcome, left.reason.code.as_str()), (Op::None, Outcome::Skipped, "not_a_subscription"));
}

#[test]
fn a_ticket_of_an_old_contact_waits_and_is_offered_again_later() {
    let park = rules(json!({}));
    let mut old = ticket::tests::deal();
    old.contact.as_mut().unwrap().created = DateTime::parse_from_rfc3339("2019-01-01T00:00:00+03:00").ok().map(|at| at.to_utc());
    let planned = deal(&park, &old, None);
    assert_eq!((planned.op, field(&planned, "client_if_missing")), (Op::Create, Some(&json!({"too_old": {"since": "2020-12-22"}}))));
    // As it stands once its client was found missing.
    let mut link = carried_out(&planned, Entity::Deal, 96038, None);
    let sent = Memory::of(Some(&link)).sent;
    let parked = Memory { parked: sent, told: Some("x".into()), sent: None };
    link.written.insert(memory::FIELD.into(), serde_json::to_value(&parked).unwrap());
    let held = deal(&park, &old, Some(&link));
    assert_eq!((held.op, held.outcome, held.reason.code.as_str()), (Op::None, Outcome::Held, "client_too_old"));
    // Later, when its data change, and when old contacts may be made, it is tried again.
    link.updated_at = clock::now() - chrono::Duration::hours(7);
    assert_eq!(deal(&park, &old, Some(&link)).op, Op::Update);
    link.updated_at = clock::now();
    assert_eq!(deal(&park, &Deal { payment: String::new(), ..old.clone() }, Some(&link)).op, Op::Update);
    let create = rules(json!({"old_contacts": "create"}));
    let planned = deal(&create, &old, Some(&link));
    assert!(planned.op == Op::Update && field(&planned, "client_if_missing").unwrap().get("known").is_some());
}

#[test]
fn what_is_gone_from_bitrix24_stays_in_otmechalka() {
    let rules = rules(json!({}));
    let payload = record::payload(&client::tests::contact());
    let gone = |found_now| {
        let gone = Some(Gone { since: clock::now(), lasted: std::time::Duration::ZERO, found_now });
        rules.decide(&Item {
            key: "contact:1",
            payload: &payload,
            link: None,
            observed: None,
            candidates: &[],
            contested: false,
            seen_at: clock::now(),
            gone,
        })
    };
    assert_eq!((gone(true).outcome, gone(true).op), (Outcome::Skipped, Op::None));
    assert_eq!(gone(false).outcome, Outcome::Unchanged);
}

proptest! {
    /// Whatever a contact holds: carried out once, there is nothing left to be done, and a success is told as one.
    #[test]
    fn deciding_twice_does_it_once(
        names in prop::collection::vec("[А-Яа-я]{0,6}", 4), phone in "[+ ()0-9-]{0,14}", products in prop::collection::vec(prop::sample::select(vec!["404", "410", "62"]), 0..3),
        branches in prop::collection::vec(prop::sample::select(vec!["48", "12708", "348"]), 0..3), birthdate in prop::sample::select(vec!["", "2009-11-29T03:00:00+03:00", "yes"]),
    ) {
        let rules = rules(json!({}));
        let own = |ids: Vec<&str>| ids.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let odd = Contact {
            last_name: names[0].clone(), first_name: names[1].clone(), parent_last_name: names[2].clone(), parent_first_name: names[3].clone(),
            phone, products: own(products), branches: own(branches), birthdate: birthdate.into(), ..client::tests::contact()
        };
        let first = contact(&rules, &odd, None);
        prop_assert!(first.op != Op::None, "a status is told at first");
        let told = field(&first, status::FIELD).and_then(Value::as_str).unwrap_or_default().to_owned();
        prop_assert_eq!(first.outcome == Outcome::Failed, told != "Успешно", "{}", told);
        let link = carried_out(&first, Entity::Contact, 39558, None);
        prop_assert_eq!(contact(&rules, &odd, Some(&link)).op, Op::None);
    }
}
