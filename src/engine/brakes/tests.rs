use std::collections::BTreeMap;

use chrono::Utc;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{limits, *};
use crate::{
    domain::text::{Lang, reason_text},
    engine::{
        flow::{Decision, LinkDecision, Observation},
        model::{ChangeState, FieldChange, Link, LinkState, NewChange, Op, Outcome, Values},
        pictures::Tally,
    },
};

fn decision(op: Op, fields: Vec<FieldChange>) -> Decision {
    let outcome = match op {
        Op::Create => Outcome::Created,
        Op::None => Outcome::Skipped,
        _ => Outcome::Updated,
    };
    Decision { outcome, op, reason: Reason::new("changed"), fields, fault: None, link: LinkDecision::Keep, undo: "restore" }
}

fn field(name: &str, old: Value, new: Value) -> FieldChange {
    FieldChange { field: name.into(), old: (!old.is_null()).then_some(old), new, rule: Reason::new("stock_sum") }
}

fn standing(quantity: i64, price: &str) -> Observation {
    let values =
        Values::from([("quantity".to_owned(), json!(quantity)), ("price".to_owned(), json!(price)), ("status".to_owned(), json!(true))]);
    Observation { witness: None, owned: true, values }
}

fn linked(currency: Option<&str>) -> Link {
    Link {
        source: "s".into(),
        name: "n".into(),
        state: LinkState::Linked,
        target: Some("1".into()),
        witness: None,
        candidates: Vec::new(),
        origin: "created".into(),
        written: currency.map(|label| (CURRENCY_WRITTEN.to_owned(), json!(label))).into_iter().collect(),
        source_seen_at: None,
        run: None,
        undone: Default::default(),
        linked_at: None,
        updated_at: Utc::now(),
    }
}

fn scale(set: Value) -> Scale {
    Scale::new(Limits::in_force(&set, "s1", false))
}

fn reading(readings: &[Reading], rule: Rule) -> Reading {
    readings.iter().find(|reading| reading.rule == rule).cloned().unwrap()
}

fn price(old: &str, new: &str) -> FieldChange {
    field("price", json!(old), json!(new))
}

#[test]
fn a_read_with_half_the_goods_holds_what_it_would_take_off_sale_and_nothing_else() {
    let mut scale = scale(json!({}));
    let unchanged = decision(Op::None, Vec::new());
    let gone = decision(Op::Update, vec![field("quantity", json!(4), json!(0))]);
    let dearer = decision(Op::Update, vec![price("1000", "1010")]);
    for _ in 0..90 {
        scale.weigh(&unchanged, Some(&linked(None)), Some(&standing(4, "1000")));
    }
    let (risk, safe) = (
        scale.weigh(&gone, Some(&linked(None)), Some(&standing(4, "1000"))),
        scale.weigh(&dearer, Some(&linked(None)), Some(&standing(4, "1000"))),
    );
    let read = |items, usual| scale.read(History { items: Some(items), usual: Some(usual) });
    let half = read(50, 100);
    let shrunk = reading(&half, Rule::SourceShrunk);
    assert_eq!((shrunk.count, shrunk.of, shrunk.percent().as_str(), shrunk.tripped), (50, 100, "50", true));
    assert!(!reading(&half, Rule::ProductsZeroed).tripped, "one product is no disaster by itself");
    assert!(risk & risks(&half) != 0 && safe & risks(&half) == 0);
    assert!(!reading(&read(71, 100), Rule::SourceShrunk).tripped && !reading(&read(120, 100), Rule::SourceShrunk).tripped);
    assert!(scale.read(History::default()).iter().all(|reading| reading.rule != Rule::SourceShrunk), "a delta says nothing of the size");
}

#[test]
fn what_is_off_sale_already_neither_counts_nor_is_a_base() {
    let mut scale = scale(json!({"limits": {"products_zeroed": {"from": 1}}}));
    for _ in 0..97 {
        scale.weigh(&decision(Op::None, Vec::new()), Some(&linked(None)), Some(&standing(0, "1")));
    }
    for _ in 0..3 {
        let risk =
            scale.weigh(&decision(Op::Update, vec![field("quantity", json!(2), json!(0))]), Some(&linked(None)), Some(&standing(2, "1")));
        assert_eq!(risk, Rule::ProductsZeroed.risk());
    }
    let back = decision(Op::Update, vec![field("quantity", json!(0), json!(5))]);
    assert_eq!(scale.weigh(&back, Some(&linked(None)), Some(&standing(0, "1"))), 0);
    let zeroed = reading(&scale.read(History::default()), Rule::ProductsZeroed);
    assert_eq!((zeroed.count, zeroed.of, zeroed.tripped), (3, 3, true));
    assert_ne!(scale.weigh(&decision(Op::Hide, Vec::new()), None, Some(&standing(1, "1"))), 0);
    let hidden = decision(Op::Update, vec![field("status", json!(true), json!(0))]);
    assert_ne!(scale.weigh(&hidden, None, Some(&standing(1, "1"))), 0);
}

#[test]
fn a_daily_rate_is_no_reprice_and_a_lost_digit_is_a_jump() {
    let bits =
        |fields: Vec<FieldChange>| scale(json!({})).weigh(&decision(Op::Update, fields), Some(&linked(None)), Some(&standing(1, "12650")));
    let (moved, jump) = (Rule::PricesMoved.risk(), Rule::PriceJump.risk());
    assert_eq!(bits(vec![price("12650", "12900")]), 0);
    assert_eq!(bits(vec![price("12650", "15000")]), moved);
    assert_eq!(bits(vec![price("12650", "1265")]), moved | jump);
    assert_eq!(bits(vec![price("12650", "126500")]), moved | jump);
    assert_eq!(bits(vec![price("0", "126500")]), 0, "a price that was never set does not move");
    assert_eq!(bits(vec![field("special", Value::Null, json!("1000"))]), jump, "customers see the special");
    assert_eq!(bits(vec![field("special", json!("9000"), Value::Null)]), 0);
}

#[test]
fn a_price_from_another_currency_waits() {
    let bits = |was: Option<&str>, is: &str| {
        let mut change = price("1000", "1001");
        change.rule = Reason::new("price_of_shop").with("currency", is);
        scale(json!({})).weigh(&decision(Op::Update, vec![change]), Some(&linked(was)), Some(&standing(1, "1000")))
    };
    assert_eq!(bits(Some("UZS"), "USD"), Rule::CurrencyChanged.risk());
    assert_eq!((bits(Some("UZS"), "uzs"), bits(None, "USD"), bits(Some("UZS"), "")), (0, 0, 0));
}

#[test]
fn a_first_run_makes_all_there_is_and_a_later_burst_waits() {
    let burst = |first| {
        let mut scale = Scale::new(Limits::in_force(&json!({}), "s1", first));
        for _ in 0..150 {
            scale.weigh(&decision(Op::Create, Vec::new()), None, None);
        }
        risks(&scale.read(History::default())) & Rule::NewProducts.risk() != 0
    };
    assert!(!burst(true) && burst(false));
    let own = Limits::in_force(&json!({"first_run": {"new_products": {"on": true, "from": 5}}}), "s1", true).of(Rule::NewProducts);
    assert!(own.on && own.from == 5);
}

fn order(phone: Value) -> Vec<FieldChange> {
    vec![field("recipient", Value::Null, json!("Buyer")), field(PHONE, Value::Null, phone)]
}

#[test]
fn a_burst_of_orders_waits_whole_and_a_burst_of_one_phone_waits_alone() {
    let set = json!({"limits": {"new_orders": {"from": 50}, "one_phone": {"from": 4}}});
    let send = |phone: Value| decision(Op::Send, order(phone));
    let weigh = |orders: &[Decision]| {
        let mut scale = scale(set.clone());
        let risks: Vec<u16> = orders.iter().map(|order| scale.weigh(order, None, None)).collect();
        let readings = scale.read(History::default());
        let held: Vec<bool> = orders
            .iter()
            .zip(risks)
            .map(|(order, risks)| part(&change(Op::Send, order.fields.clone()), risks, &readings, scale.crowd()).is_some())
            .collect();
        (readings, held)
    };
    // Ten customers with one order each, one of them with five, and orders that tell no phone.
    let mut orders: Vec<Decision> = (0..10).map(|number| send(json!(format!("3806700000{number}")))).collect();
    orders.extend((0..4).map(|_| send(json!("38067000003"))));
    orders.extend((0..6).map(|_| send(json!(""))));
    let (readings, held) = weigh(&orders);
    let (all, one) = (reading(&readings, Rule::NewOrders), reading(&readings, Rule::OnePhone));
    assert_eq!(((all.count, all.tripped), (one.count, one.of, one.tripped)), ((20, false), (5, 20, true)));
    let waits: Vec<usize> = held.iter().enumerate().filter(|(_, held)| **held).map(|(at, _)| at).collect();
    assert_eq!(waits, [3, 10, 11, 12, 13], "whoever is no part of the burst is served");
    // Too many at once wait all.
    let many: Vec<Decision> = (0..50).map(|number| send(json!(number.to_string()))).collect();
    let (readings, held) = weigh(&many);
    assert!(reading(&readings, Rule::NewOrders).tripped && !reading(&readings, Rule::OnePhone).tripped && held.iter().all(|held| *held));
    // Who sends nothing is told nothing of orders.
    assert!(weigh(&[]).0.iter().all(|reading| !matches!(reading.rule, Rule::NewOrders | Rule::OnePhone)));
}

#[test]
fn some_broken_pictures_are_daily_bread_and_many_are_a_disaster() {
    let limits = |set: Value| Limits::in_force(&json!({"limits": {"unreadable_pictures": set}}), "s1", false);
    let read = |set: Value, fetched: u64, failed: u64| pictures(&limits(set), Tally { fetched, failed, ..Tally::default() });
    let tripped = |fetched, failed| read(json!({}), fetched, failed).unwrap().tripped;
    assert!(!tripped(19, 19), "too few to tell");
    assert!(!tripped(1_000, 400) && tripped(40, 21) && !tripped(40, 20));
    assert_eq!((read(json!({}), 0, 0), read(json!({"on": false}), 40, 40)), (None, None));
    assert!(read(json!({"from": 1, "share": "0"}), 9, 1).unwrap().tripped);
    assert!(scale(json!({})).read(History::default()).iter().all(|reading| reading.rule != Rule::UnreadablePictures));
}

#[test]
fn limits_are_laid_over_each_other_and_wrong_ones_are_named() {
    let set = json!({"limits": {"prices_moved": {"share": "0.2"}}, "streams": {"s1": {"prices_moved": {"from": 7}, "price_jump": {"on": false}}}});
    let limits = |stream| Limits::in_force(&set, stream, false);
    let moved = limits("s1").of(Rule::PricesMoved);
    assert_eq!((moved.share, moved.from, moved.by), (Some(Decimal::new(2, 1)), 7, Some(Decimal::new(5, 2))));
    assert!(!limits("s1").of(Rule::PriceJump).on && limits("s2").of(Rule::PriceJump).on);
    assert!(limits::check(&set).is_empty() && limits::check(&limits::complete(&set)).is_empty());
    let wrong = json!({
        "limits": {"prices_moved": {"share": 0.2, "factor": "3"}, "pricejump": {}, "price_jump": {"factor": "1", "on": "no"}, "new_products": 5},
        "streams": {"a/b": {"new_products": {"from": -1}}}, "stream": {},
    });
    let mut pointers: Vec<String> = limits::check(&wrong).into_iter().map(|error| error.pointer).collect();
    pointers.sort();
    assert_eq!(
        pointers,
        [
            "/limits/new_products",
            "/limits/price_jump/factor",
            "/limits/price_jump/on",
            "/limits/pricejump",
            "/limits/prices_moved/factor",
            "/limits/prices_moved/share",
            "/stream",
            "/streams/a~1b/new_products/from"
        ]
    );
}

#[test]
fn every_brake_has_a_sentence_with_its_numbers_in_every_language() {
    let all = Limits::in_force(&json!({}), "", false);
    for rule in Rule::ALL {
        let reason = Reading { rule, count: 312, of: 900, limit: all.of(rule), tripped: true }.reason();
        assert_eq!(reason.code, "brake");
        for lang in Lang::ALL {
            let text = reason_text(lang, &reason.code, &reason.params);
            assert!(text.contains("312") && !text.contains("  ") && !text.contains("( "), "{}: {text}", rule.name());
        }
    }
}

#[test]
fn only_news_is_told_when_a_run_replaces_one_that_waited() {
    let of = |rule, count, tripped| Reading { rule, count, of: 1_000, limit: Limit::default(), tripped };
    let before = [of(Rule::PriceJump, 10, true), of(Rule::PricesMoved, 10, false)];
    let now = [of(Rule::PriceJump, 19, true), of(Rule::PricesMoved, 500, true), of(Rule::NewProducts, 3, false)];
    assert_eq!(news(&now, &before).iter().map(|reading| reading.rule).collect::<Vec<_>>(), [Rule::PricesMoved]);
    assert_eq!(news(&[of(Rule::PriceJump, 20, true)], &before).len(), 1, "twice as many is news");
}

fn change(op: Op, fields: Vec<FieldChange>) -> NewChange {
    NewChange {
        source: "s".into(),
        name: "n".into(),
        target: None,
        witness: None,
        op,
        fields,
        reason: Reason::new("changed"),
        outcome: Outcome::Updated,
        state: ChangeState::Planned,
        undo: "restore".into(),
        link_origin: None,
        source_seen_at: Utc::now(),
        risks: 0,
        keep: Default::default(),
    }
}

/// Quantity and price that stand, those that are to stand (`None` = the field is not touched), and whether it is a new product.
type Drawn = (i64, i64, Option<i64>, Option<i64>, bool);

fn items() -> impl Strategy<Value = Vec<Drawn>> {
    let item = (0i64..4, 1i64..2_000, proptest::option::of(0i64..4), proptest::option::of(1i64..20_000), proptest::bool::weighted(0.1));
    proptest::collection::vec(item, 0..60)
}

fn decided(item: &Drawn) -> (Decision, Option<Observation>) {
    let (quantity, cost, to_quantity, to_cost, new) = *item;
    if new {
        return (decision(Op::Create, vec![field("price", Value::Null, json!(cost.to_string()))]), None);
    }
    let mut fields = vec![field("name", json!("a"), json!("b"))];
    fields.extend(to_quantity.filter(|to| *to != quantity).map(|to| field("quantity", json!(quantity), json!(to))));
    fields.extend(to_cost.filter(|to| *to != cost).map(|to| price(&cost.to_string(), &to.to_string())));
    (decision(Op::Update, fields), Some(standing(quantity, &cost.to_string())))
}

proptest! {
    #[test]
    fn nothing_is_lost_nothing_is_doubled_and_no_risk_gets_through(items in items(), share in 0u32..100, from in 0u64..10) {
        let share = Decimal::new(i64::from(share), 2).to_string();
        let set = json!({"limits": Rule::ALL.into_iter().map(|rule| {
            let known = limits::defaults()[rule.name()].clone();
            let mut limit = BTreeMap::from([("from".to_owned(), json!(from))]);
            if known.get("share").is_some() { limit.insert("share".to_owned(), json!(share)); }
            (rule.name().to_owned(), json!(limit))
        }).collect::<BTreeMap<_, _>>()});
        let mut scale = scale(set);
        let weighed: Vec<(Decision, u16)> = items.iter().map(|item| {
            let (decision, seen) = decided(item);
            let risks = scale.weigh(&decision, seen.is_some().then(|| linked(None)).as_ref(), seen.as_ref());
            (decision, risks)
        }).collect();
        let readings = scale.read(History::default());
        for rule in [Rule::ProductsZeroed, Rule::PriceJump, Rule::PricesMoved, Rule::NewProducts] {
            let flagged = weighed.iter().filter(|(_, risks)| risks & rule.risk() != 0).count() as u64;
            prop_assert_eq!(reading(&readings, rule).count, flagged);
        }
        for (decision, risks) in weighed {
            let whole = change(decision.op, decision.fields.clone());
            let tripped: Vec<Rule> = readings.iter().filter(|reading| reading.tripped && reading.rule.risk() & risks != 0).map(|reading| reading.rule).collect();
            let Some(parted) = part(&whole, risks, &readings, scale.crowd()) else {
                prop_assert!(tripped.is_empty());
                continue;
            };
            prop_assert!(!tripped.is_empty() && !parted.held.is_empty());
            let mut names: Vec<&str> = parted.held.iter().chain(&parted.free).map(|field| field.field.as_str()).collect();
            let mut all: Vec<&str> = decision.fields.iter().map(|field| field.field.as_str()).collect();
            names.sort_unstable();
            all.sort_unstable();
            prop_assert_eq!(names, all, "every field waits or goes on, once");
            let goes = |name: &str| parted.free.iter().any(|field| field.field == name);
            if decision.op == Op::Create { prop_assert!(parted.free.is_empty()); } else {
                prop_assert!(goes("name"), "what is safe goes on");
                prop_assert!(!goes("quantity") || !tripped.contains(&Rule::ProductsZeroed));
                prop_assert!(!goes("price") || !tripped.iter().any(|rule| matches!(rule, Rule::PriceJump | Rule::PricesMoved)));
            }
        }
    }

    #[test]
    fn a_higher_limit_never_holds_more(items in items(), low in 0u32..50, more in 0u32..50) {
        let tripped = |share: u32| {
            let share = Decimal::new(i64::from(share), 2).to_string();
            let mut scale = scale(json!({"limits": {"prices_moved": {"share": share, "from": 1}, "products_zeroed": {"share": share, "from": 1}}}));
            for item in &items {
                let (decision, seen) = decided(item);
                scale.weigh(&decision, None, seen.as_ref());
            }
            risks(&scale.read(History::default()))
        };
        prop_assert_eq!(tripped(low + more) & !tripped(low), 0);
    }
}
