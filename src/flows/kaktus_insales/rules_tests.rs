//! Every sentence of requirement 2.2 and 3.5 about one barcode, and what must never be written.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    record::{Holder, Stock, Stocked},
    rules::KaktusInsales,
    sending,
    settings::{QUANTITY, Settings, tests::given},
};
use crate::{
    domain::clock,
    engine::{
        flow::{Decision, Gone, Item, LinkDecision, Observation, Rules},
        link::Note,
        locks::{Lock, LockSet},
        model::{Candidate, Link, LinkState, Op, Outcome, Values},
    },
};

const BARCODE: &str = "4600000000017";
const VARIANT: &str = "2680000001";

fn rules(over: Value) -> KaktusInsales {
    KaktusInsales { settings: Settings::read(&given(over)).expect("settings"), locks: LockSet::default(), now: clock::now() }
}

fn holder(product: &str, quantity: &str) -> Holder {
    let stock = vec![Stock { warehouse: "Main".into(), quantity: Some(quantity.into()), minus: None }];
    Holder { product: product.into(), name: format!("Кружка {product}"), stock, ..Holder::default() }
}

fn kaktus(holders: Vec<Holder>) -> String {
    Stocked { holders, unreadable: None }.to_payload()
}

/// A variant of the shop; `over` is laid over its values, null takes one away.
fn shop(quantity: Value, over: Value) -> Observation {
    let mut values = Values::from([
        ("name".to_owned(), json!("Кружка, белая (408/2680000001)")),
        ("barcode".to_owned(), json!(BARCODE)),
        ("others".to_owned(), json!([])),
        ("bundle".to_owned(), json!(false)),
        ("seen_at".to_owned(), json!(clock::now().to_rfc3339())),
        (QUANTITY.to_owned(), quantity),
    ]);
    for (name, value) in over.as_object().cloned().unwrap_or_default() {
        if value == json!("none") {
            values.remove(&name);
        } else {
            values.insert(name, value);
        }
    }
    Observation { witness: None, owned: true, values }
}

fn link(written: Value) -> Link {
    Link {
        source: BARCODE.into(),
        name: String::new(),
        state: LinkState::Linked,
        target: Some(VARIANT.into()),
        witness: None,
        candidates: Vec::new(),
        origin: "auto".into(),
        written: serde_json::from_value(written).expect("values"),
        source_seen_at: None,
        undone: Default::default(),
        run: None,
        linked_at: None,
        updated_at: clock::now() - chrono::Duration::seconds(60),
    }
}

fn candidate(variant: &str) -> Candidate {
    Candidate { target: variant.into(), name: format!("V{variant}"), matched: vec![format!("barcode={BARCODE}")] }
}

struct Case<'a> {
    rules: &'a KaktusInsales,
    payload: String,
    link: Option<Link>,
    observed: Option<Observation>,
    candidates: Vec<Candidate>,
    gone: Option<Gone>,
}

impl Case<'_> {
    fn with<T>(&self, ask: impl FnOnce(&Item<'_>) -> T) -> T {
        ask(&Item {
            key: BARCODE,
            payload: &self.payload,
            link: self.link.as_ref(),
            observed: self.observed.as_ref(),
            candidates: &self.candidates,
            contested: false,
            seen_at: clock::now(),
            gone: self.gone,
        })
    }

    fn decide(&self) -> Decision {
        self.with(|item| self.rules.decide(item))
    }

    fn note(&self) -> Note {
        self.with(|item| self.rules.note(item, &self.rules.decide(item)))
    }

    fn says(&self) -> String {
        let decision = self.decide();
        let word = match decision.outcome {
            Outcome::Updated => "updated",
            Outcome::Unchanged => "unchanged",
            Outcome::Skipped => "skipped",
            Outcome::Failed => "failed",
            Outcome::Created => "created",
            Outcome::Held => "held",
        };
        // Whatever is not an update must not carry anything that could be written.
        assert_eq!(decision.op == Op::Update, decision.outcome == Outcome::Updated);
        format!("{word} {}", decision.reason.code)
    }
}

/// Linked, one piece in Kaktus, nine in the shop.
fn linked(rules: &KaktusInsales) -> Case<'_> {
    Case {
        rules,
        payload: kaktus(vec![holder("1", "1")]),
        link: Some(link(json!({}))),
        observed: Some(shop(json!(9), json!({}))),
        candidates: Vec::new(),
        gone: None,
    }
}

fn written(decision: &Decision) -> Vec<(String, Value)> {
    decision.fields.iter().map(|field| (field.field.clone(), field.new.clone())).collect()
}

#[test]
fn a_quantity_that_differs_is_written_and_one_that_does_not_is_not() {
    let rules = rules(json!({}));
    let mut case = linked(&rules);
    assert_eq!(written(&case.decide()), [(QUANTITY.to_owned(), json!(1)), ("sending".to_owned(), json!({"from": 9, "tries": 1}))]);
    case.observed = Some(shop(json!(1), json!({})));
    assert_eq!((case.says().as_str(), case.note()), ("unchanged unchanged", Note::Nothing));
}

#[test]
fn one_match_is_linked_without_asking_and_equal_ones_without_a_change() {
    let rules = rules(json!({}));
    let unlinked = Case { link: None, candidates: vec![candidate(VARIANT)], ..linked(&rules) };
    assert_eq!(unlinked.decide().link, LinkDecision::Auto(candidate(VARIANT)));
    assert_eq!(unlinked.note(), Note::Nothing, "the change makes the link");
    let equal = Case { observed: Some(shop(json!(1), json!({}))), ..unlinked };
    assert_eq!((equal.says().as_str(), equal.note()), ("unchanged unchanged", Note::Linked(VARIANT.into())));
    let nowhere = Case { observed: None, candidates: Vec::new(), ..equal };
    assert_eq!(nowhere.says(), "skipped not_in_insales");
}

#[test]
fn doubles_on_either_side_are_never_written_and_name_both_sides() {
    let rules = rules(json!({}));
    let in_kaktus = Case { payload: kaktus(vec![holder("1", "5"), holder("2", "7")]), ..linked(&rules) };
    let reason = in_kaktus.decide().reason;
    assert_eq!(in_kaktus.says(), "skipped kaktus_doubled");
    assert!(
        reason.params["kaktus"].contains("Кружка 1")
            && reason.params["kaktus"].contains("Кружка 2")
            && reason.params["insales"].contains(VARIANT)
    );
    let in_insales = Case { observed: Some(shop(json!(9), json!({"others": ["Чашка (408/5)"]}))), ..linked(&rules) };
    assert_eq!(in_insales.says(), "skipped insales_doubled");
    assert!(in_insales.decide().reason.params["insales"].contains("Чашка"));
    let before_linking = Case { link: None, observed: None, candidates: vec![candidate("1"), candidate("2")], ..linked(&rules) };
    assert_eq!(before_linking.says(), "skipped insales_doubled");
    assert_eq!(before_linking.decide().link, LinkDecision::Keep, "no question: only another barcode can help");
}

#[test]
fn goods_out_of_use_take_part_only_when_told() {
    let out = Holder { inactive: true, ..holder("2", "7") };
    let usual = rules(json!({}));
    let alone = Case { payload: kaktus(vec![out.clone()]), ..linked(&usual) };
    assert_eq!(alone.says(), "skipped kaktus_inactive");
    let beside = Case { payload: kaktus(vec![holder("1", "5"), out.clone()]), ..linked(&usual) };
    assert_eq!(written(&beside.decide())[0].1, json!(5), "the one in use counts alone");
    let told = rules(json!({"kaktus": {"inactive": true}}));
    assert_eq!(Case { payload: kaktus(vec![out.clone()]), ..linked(&told) }.says(), "updated changed");
    assert_eq!(Case { payload: kaktus(vec![holder("1", "5"), out]), ..linked(&told) }.says(), "skipped kaktus_doubled");
}

#[test]
fn what_kaktus_does_not_tell_is_never_zero() {
    let rules = rules(json!({}));
    let of = |holder: Holder| Case { payload: kaktus(vec![holder]), ..linked(&rules) }.says();
    assert_eq!(of(Holder { stock: Vec::new(), ..holder("1", "0") }), "skipped kaktus_without_stock");
    assert_eq!(of(holder("1", "?")), "failed kaktus_stock_unreadable");
    assert_eq!(of(holder("1", "0")), "updated changed", "a told 0 is one");
    let unreadable = Stocked { unreadable: Some(("variants".into(), "7".into())), ..Stocked::default() }.to_payload();
    let broken = Case { payload: unreadable, ..linked(&rules) };
    assert_eq!(broken.says(), "failed unreadable");
    assert!(rules.lookup("unreadable:5", &broken.payload).is_none());
}

#[test]
fn barcodes_that_kaktus_does_not_list_are_left_unless_the_settings_empty_them() {
    let (leave, zero) = (rules(json!({})), rules(json!({"missing": "zero"})));
    let absent = kaktus(Vec::new());
    assert_eq!(Case { payload: absent.clone(), ..linked(&leave) }.says(), "skipped kaktus_missing_left");
    let emptied = Case { payload: absent.clone(), ..linked(&zero) };
    assert_eq!(written(&emptied.decide())[0], (QUANTITY.to_owned(), json!(0)));
    assert_eq!(emptied.decide().fields[0].rule.code, "kaktus_missing_zero");
    assert_eq!(Case { payload: absent, observed: Some(shop(json!(0), json!({}))), ..linked(&zero) }.says(), "unchanged unchanged");
    let gone = |found_now| Some(Gone { since: clock::now(), lasted: Default::default(), found_now });
    assert_eq!(Case { gone: gone(true), ..linked(&leave) }.says(), "skipped kaktus_missing_left");
    assert_eq!(Case { gone: gone(false), ..linked(&leave) }.says(), "unchanged unchanged", "told when it begins");
    assert_eq!(Case { gone: gone(true), ..linked(&zero) }.says(), "unchanged unchanged", "what is in the shop comes as an absent barcode");
}

#[test]
fn bundles_and_untracked_stock_are_not_touched_unless_told() {
    let usual = rules(json!({}));
    assert_eq!(Case { observed: Some(shop(json!(9), json!({"bundle": true}))), ..linked(&usual) }.says(), "skipped insales_bundle");
    assert_eq!(Case { observed: Some(shop(Value::Null, json!({}))), ..linked(&usual) }.says(), "skipped insales_unlimited");
    assert_eq!(
        Case { observed: Some(shop(Value::Null, json!({"quantity": "none", "unreadable": "many"}))), ..linked(&usual) }.says(),
        "failed insales_quantity_unreadable"
    );
    let told = rules(json!({"bundles": true, "unlimited": true}));
    let both = Case { observed: Some(shop(Value::Null, json!({"bundle": true}))), ..linked(&told) };
    assert_eq!((both.says().as_str(), both.decide().fields[0].old.clone()), ("updated changed", Some(Value::Null)));
}

#[test]
fn a_variant_that_is_gone_or_carries_another_barcode_is_let_go() {
    let rules = rules(json!({}));
    let gone = Case { observed: None, ..linked(&rules) };
    assert_eq!((gone.says().as_str(), gone.note()), ("skipped insales_variant_gone", Note::Parted(VARIANT.into())));
    let moved = Case { observed: Some(shop(json!(9), json!({"barcode": "47"}))), ..linked(&rules) };
    assert_eq!((moved.says().as_str(), moved.note()), ("skipped insales_barcode_moved", Note::Parted(VARIANT.into())));
}

#[test]
fn what_was_sent_is_verified_waited_for_and_sent_again() {
    let rules = rules(json!({}));
    let sent = |seconds: i64, tries: u32| Link {
        updated_at: clock::now() - chrono::Duration::seconds(seconds),
        ..link(json!({"quantity": 1, "sending": {"from": 9, "tries": tries}}))
    };
    let waiting = Case { link: Some(sent(2, 1)), ..linked(&rules) };
    assert_eq!((waiting.says().as_str(), waiting.note()), ("skipped insales_queued", Note::Nothing));
    let verified = Case { link: Some(sent(2, 1)), observed: Some(shop(json!(1), json!({}))), ..linked(&rules) };
    assert_eq!(verified.says(), "unchanged unchanged");
    assert!(matches!(verified.note(), Note::Learned(values) if values[sending::FIELD].is_null() && values[sending::SEEN].is_string()));
    let late = Case { link: Some(sent(60, 3)), ..linked(&rules) };
    assert_eq!(written(&late.decide())[1].1["tries"], 4);
    let edited = Case { link: Some(sent(60, 3)), observed: Some(shop(json!(4), json!({}))), ..linked(&rules) };
    assert_eq!(written(&edited.decide())[1].1, json!({"from": 4, "tries": 1}));
}

#[test]
fn a_lock_holds_whatever_kaktus_says() {
    let mut rules = rules(json!({}));
    rules.locks.rows.push(Lock {
        source: None,
        target: Some(VARIANT.into()),
        fields: vec![QUANTITY.into()],
        note: String::new(),
        set_by: String::new(),
        set_at: clock::now(),
    });
    assert_eq!(linked(&rules).says(), "skipped locked");
}

proptest! {
    /// Nothing but a told 0, a buffer, or `missing: zero` ever writes 0; null and nonsense are never written at all.
    #[test]
    fn zero_is_written_only_where_somebody_says_zero(
        stock in prop::collection::vec(prop::option::of("[0-9]{1,3}|-[0-9]|viele|"), 0..3),
        doubled in any::<bool>(),
        stands in prop::option::of(0i64..50),
    ) {
        let rules = rules(json!({}));
        let rows = stock.iter().map(|quantity| Stock { warehouse: "w".into(), quantity: quantity.clone(), minus: None }).collect();
        let one = Holder { stock: rows, ..holder("1", "") };
        let holders = if doubled { vec![one.clone(), holder("2", "5")] } else { vec![one] };
        let case = Case { payload: kaktus(holders), observed: Some(shop(stands.map_or(Value::Null, Value::from), json!({}))), ..linked(&rules) };
        let decision = case.decide();
        if decision.op == Op::Update {
            let told: Vec<i64> = stock.iter().flatten().filter_map(|text| text.parse().ok()).collect();
            let readable = stock.iter().flatten().all(|text| text.parse::<i64>().is_ok());
            prop_assert!(!doubled && readable && !told.is_empty() && stands.is_some());
            prop_assert_eq!(decision.fields[0].new.clone(), json!(told.iter().sum::<i64>().max(0)));
        }
    }
}
