//! Rules over time: sales on the site, goods that vanish and come back, products that a person deleted; and whole runs over a model
//! shop, by properties. The helpers are those of [`rules_tests`](super::rules_tests).

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{
    record::{Good, Shop},
    rules::BillzOpencart,
    rules_tests::{World, any_settings, decide, decimal, good, link, offer, read_at, rules, shop, told, world},
    settings::Api,
};
use crate::engine::{
    flow::{Decision, Gone, Item, LinkDecision, Rules},
    locks::is_kept,
    model::{Candidate, Op, Outcome, Values},
};

fn stock(pieces: i64) -> Good {
    good(&[("s1", shop(&pieces.to_string(), "1000", ""))])
}

/// A product that a run wrote with Billz's ten pieces.
fn ten() -> World {
    World::new(10, "1000", &[]).having_written(json!({"quantity": 10, "price": "1000"}))
}

impl World {
    /// The site sells (or takes back, below 0) so many pieces.
    fn sells(&mut self, pieces: i64) {
        (self.sold, self.quantity) = (self.sold + pieces, self.quantity - pieces);
    }

    /// One run; what it changed.
    fn run(&mut self, rules: &BillzOpencart, good: &Good) -> Vec<String> {
        let decision = self.decide(rules, good);
        self.apply(rules, &decision);
        assert!(
            self.decide(rules, good).fields.iter().all(is_kept),
            "a second run finds something to do: {:?}",
            told(&self.decide(rules, good))
        );
        told(&decision)
    }
}

#[test]
fn sales_of_the_site_by_mode() {
    let counted = |billz: u32, sold: u32| format!(r#"site_sales - {{"billz":"{billz}","sold":{sold}}} site_sales_counted"#);
    for (mode, code) in [("keep", "site_sales_kept"), ("net", "site_sales_net")] {
        let rules = rules(json!({"site_sales": mode}));
        let mut shelf = ten();
        shelf.sells(2);
        // The shop is not written: old and new are what stands there.
        assert_eq!(shelf.run(&rules, &stock(10)), [format!("quantity 8 8 {code}"), counted(10, 0)], "{mode}");
        shelf.sells(1);
        assert_eq!(shelf.run(&rules, &stock(10)), [format!("quantity 7 7 {code}")], "{mode}");
        // A cancelled order.
        shelf.sells(-1);
        assert_eq!(shelf.run(&rules, &stock(10)), [format!("quantity 8 8 {code}")], "{mode}");
        // A hand: what orders explain stays subtracted, the rest is put right.
        shelf.quantity = 50;
        assert_eq!(shelf.run(&rules, &stock(10)), [format!("quantity 50 8 {code}")], "{mode}");
        shelf.quantity = 3;
        assert_eq!(shelf.run(&rules, &stock(10)), [format!("quantity 3 8 {code}")], "{mode}");
        // Billz moves: it knows of the sales now.
        let moved = shelf.run(&rules, &stock(9));
        assert_eq!(moved[0], "quantity 8 9 stock_sum", "{mode}");
        assert!(moved[1].ends_with(r#"{"billz":"9","sold":2} site_sales_counted"#), "{mode} {moved:?}");
        shelf.sells(1);
        assert_eq!(shelf.run(&rules, &stock(9)), [format!("quantity 8 8 {code}")], "{mode}");
    }
    let rules = rules(json!({"site_sales": "ignore"}));
    let mut shelf = ten();
    shelf.sells(2);
    assert_eq!(shelf.run(&rules, &stock(10)), ["quantity 8 10 stock_sum".to_owned(), counted(10, 2)]);
}

#[test]
fn the_numbers_stand_in_the_rule() {
    let mut shelf = ten();
    shelf.sells(3);
    let decision = shelf.decide(&rules(json!({})), &stock(10));
    let params = &decision.fields[0].rule.params;
    assert_eq!((params["billz"].as_str(), params["sold"].as_str(), params["value"].as_str()), ("10", "3", "7"));
}

#[test]
fn net_takes_off_what_was_sold_after_billz_was_read() {
    let net = rules(json!({"site_sales": "net"}));
    let mut shelf = ten();
    shelf.sells(2);
    shelf.sold_since_read = 1;
    let told = shelf.run(&net, &stock(20));
    assert_eq!(told[0], "quantity 8 19 site_sales_net");
    // Until Billz moves, all that it did not know stays off.
    shelf.sells(1);
    shelf.sold_since_read = 0;
    assert_eq!(shelf.run(&net, &stock(20)), ["quantity 18 18 site_sales_net"]);
    let mut shelf = ten();
    shelf.sells(2);
    shelf.sold_since_read = 1;
    assert_eq!(shelf.run(&rules(json!({})), &stock(20))[0], "quantity 8 20 stock_sum", "keep writes what Billz says");
}

#[test]
fn a_return_is_believed_only_when_it_stands_on_the_shelf() {
    let keep = rules(json!({}));
    let mut shelf = ten();
    shelf.sold = 4;
    shelf.written.insert("site_sales".into(), json!({"billz": "10", "sold": 4}));
    let before = shelf.clone();
    shelf.sells(-1);
    assert_eq!(shelf.run(&keep, &stock(10)), ["quantity 11 11 site_returns_kept"]);
    // Old orders are cleared away; no piece came back.
    let mut cleared = before;
    cleared.sold = 0;
    let told = cleared.run(&keep, &stock(10));
    assert_eq!((told.len(), cleared.quantity), (1, 10), "{told:?}");
    assert!(told[0].ends_with(r#"{"billz":"10","sold":0} site_sales_counted"#), "{told:?}");
}

#[test]
fn the_site_may_oversell_and_we_never_write_less_than_nothing() {
    let keep = rules(json!({}));
    let mut shelf = ten();
    shelf.sells(12);
    assert_eq!(shelf.run(&keep, &stock(10))[0], "quantity -2 -2 site_sales_kept", "what the shop itself made of it");
    shelf.quantity = 40;
    assert_eq!(shelf.run(&keep, &stock(10)), ["quantity 40 0 site_sales_kept"]);
}

#[test]
fn behind_a_cap_billz_moves_by_its_own_number() {
    let capped = rules(json!({"stock_cap": 10}));
    let mut shelf = ten();
    shelf.sells(4);
    assert_eq!(shelf.run(&capped, &stock(100))[0], "quantity 6 6 site_sales_kept");
    assert_eq!(shelf.run(&capped, &stock(98))[0], "quantity 6 10 stock_sum_limited");
}

#[test]
fn orders_before_the_link_are_no_sales_since() {
    let keep = rules(json!({}));
    let mut shelf = World { sold: 7, ..World::new(10, "1000", &[]) };
    let told = shelf.run(&keep, &stock(10));
    assert_eq!(told, [r#"site_sales - {"billz":"10","sold":7} site_sales_counted"#]);
    shelf.sells(1);
    assert_eq!(shelf.run(&keep, &stock(10)), ["quantity 9 9 site_sales_kept"]);
    // Linked with the right number standing there, and then sold: nothing was written before.
    let mut shelf = World::new(10, "1000", &[]);
    assert!(shelf.run(&keep, &stock(10)).is_empty());
    shelf.sells(1);
    assert_eq!(shelf.run(&keep, &stock(10))[0], "quantity 9 9 site_sales_kept");
}

/// A good of Billz 1: its price and «Сумма скидки в сумах»; an empty discount is a row that does not name it.
fn billz1(price: &str, discount: &str) -> Good {
    let discount = (!discount.is_empty()).then(|| discount.to_owned());
    good(&[("s1", Shop { discount, ..shop("10", price, "") })])
}

fn of_billz1(over: Value) -> BillzOpencart {
    let mut rules = rules(over);
    rules.settings.api = Api::Billz1;
    rules
}

const FOR_EVER: &str = "0000-00-00";

/// What stands: (ours, admin's) specials, each for both customer groups or for the first.
fn special(ours: Option<&str>, admins: Option<&str>) -> World {
    let ours_rows = ours.into_iter().flat_map(|price| [(1, price, FOR_EVER), (2, price, FOR_EVER)]);
    let admins_rows = admins.into_iter().map(|price| (1, price, "2025-12-31"));
    let mut world = World::new(10, "1000", &ours_rows.chain(admins_rows).collect::<Vec<_>>());
    world = world.having_written(json!({"quantity": 10, "price": "1000"}));
    world.written.extend(ours.map(|price| ("special".to_owned(), json!(price))));
    world
}

/// Runs once (and finds nothing to do the second time); what both customer groups see then, and the rule that decided.
fn ends(rules: &BillzOpencart, mut world: World, good: &Good) -> (Option<String>, Option<String>, String) {
    let decision = world.decide(rules, good);
    world.run(rules, good);
    let rule = decision.fields.iter().find(|field| field.field == "special").map_or("-".to_owned(), |field| field.rule.code.clone());
    let seen = |group| world.visible(group).map(|price| price.normalize().to_string());
    (seen(1), seen(2), rule)
}

#[test]
fn the_table_of_specials_for_billz_1() {
    let all = || of_billz1(json!({}));
    let some = |price: &str| Some(price.to_owned());
    // «если в выборке присутствует "Сумма скидки в сумах" … Сумма на этой вкладке = Цена - Сумма скидки».
    assert_eq!(ends(&all(), special(None, None), &billz1("1000", "150")), (some("850"), some("850"), "discount".into()));
    assert_eq!(ends(&all(), special(Some("900"), None), &billz1("1000", "150")), (some("850"), some("850"), "discount".into()));
    assert_eq!(ends(&all(), special(None, Some("600")), &billz1("1000", "150")), (some("850"), some("850"), "discount".into()));
    assert_eq!(ends(&all(), special(Some("850"), None), &billz1("1000", "150")), (some("850"), some("850"), "-".into()));
    // «Сумма скидки=0, а … присутствует запись на вкладке "Акция" … удалить»: whoever made it, whether the price moved or not.
    for (world, good) in [
        (special(Some("900"), None), billz1("1000", "0")),
        (special(None, Some("600")), billz1("1000", "0")),
        (special(Some("900"), Some("600")), billz1("1100", "0")),
    ] {
        for ending in ["remove", "close"] {
            let rules = of_billz1(json!({"specials": ending}));
            assert_eq!(ends(&rules, world.clone(), &good), (None, None, "discount_ended".into()), "{ending}");
        }
    }
    assert_eq!(ends(&all(), special(None, None), &billz1("1000", "0")), (None, None, "-".into()), "nothing stands");
    let own = || of_billz1(json!({"specials_scope": "own"}));
    assert_eq!(ends(&own(), special(Some("900"), Some("600")), &billz1("1000", "0")), (some("600"), None, "discount_ended".into()));
    assert_eq!(ends(&own(), special(None, Some("600")), &billz1("1000", "0")), (some("600"), None, "-".into()));
    // A row that does not name the discount says nothing.
    assert_eq!(ends(&all(), special(Some("900"), None), &billz1("1000", "")), (some("900"), some("900"), "-".into()));
    assert_eq!(ends(&all(), special(None, Some("600")), &billz1("1100", "")), (some("600"), None, "-".into()));
    let above = ends(&all(), special(Some("900"), None), &billz1("800", ""));
    assert_eq!(above, (None, None, "special_removed_price_changed".into()), "never above the price");
    // Rounding: 1000.4 - 100.2 = 900.2.
    let decision = special(None, None).decide(&all(), &billz1("1000.4", "100.2"));
    let change = decision.fields.iter().find(|field| field.field == "special").unwrap();
    assert_eq!((&change.new, change.rule.params["unrounded"].as_str()), (&json!("900"), "900.2"));
}

#[test]
fn the_table_of_specials_for_billz_2() {
    let all = || rules(json!({}));
    let some = |price: &str| Some(price.to_owned());
    let sold = |price: &str, promo: &str| good(&[("s1", shop("10", price, promo))]);
    // «если эти значения в выборке появятся, то их надо обработать аналогично billz1».
    assert_eq!(ends(&all(), special(None, Some("600")), &sold("1000", "850")), (some("850"), some("850"), "promo".into()));
    assert_eq!(ends(&all(), special(Some("850"), None), &sold("1000", "")), (None, None, "promo_ended".into()));
    // Only ours ends with its promotion.
    assert_eq!(ends(&all(), special(Some("850"), Some("600")), &sold("1000", "")), (some("600"), None, "promo_ended".into()));
    // «если обновилась цена товара, а … присутствует запись на вкладке "Акция"».
    for ending in ["remove", "close"] {
        let rules = rules(json!({"specials": ending}));
        let ended = ends(&rules, special(None, Some("600")), &sold("1100", ""));
        assert_eq!(ended, (None, None, "special_removed_price_changed".into()), "{ending}");
    }
    // Neither: left alone.
    assert_eq!(ends(&all(), special(None, Some("600")), &sold("1000", "")), (some("600"), None, "-".into()));
    let own = rules(json!({"specials_scope": "own"}));
    assert_eq!(ends(&own, special(None, Some("600")), &sold("1100", "")), (some("600"), None, "-".into()));
}

fn gone(rules: &BillzOpencart, world: &World, lasted: u64, found_now: bool) -> Decision {
    let (link, seen) = (link(world.written.clone()), world.observation());
    let gone = Gone { since: read_at(), lasted: Duration::from_secs(lasted), found_now };
    let payload = stock(10).to_payload();
    rules.decide(&Item {
        key: "g",
        payload: &payload,
        link: Some(&link),
        observed: Some(&seen),
        candidates: &[],
        contested: false,
        seen_at: read_at(),
        gone: Some(gone),
    })
}

#[test]
fn what_becomes_of_goods_that_are_gone() {
    let hour = 3_600;
    let outcome = |over: Value, world: &World, lasted: u64, found_now: bool| {
        let decision = gone(&rules(over), world, lasted, found_now);
        (decision.outcome, decision.reason.code.clone(), told(&decision))
    };
    let unchanged = (Outcome::Unchanged, "unchanged".to_owned(), vec![]);
    assert_eq!(outcome(json!({}), &ten(), 9 * hour, true), (Outcome::Skipped, "vanished_left".into(), vec![]));
    assert_eq!(outcome(json!({}), &ten(), 9 * hour, false), unchanged, "told once");
    let waiting = (Outcome::Skipped, "vanished_waiting".to_owned(), vec![]);
    let zero = json!({"vanished": "zero"});
    assert_eq!(outcome(zero.clone(), &ten(), hour - 1, true), waiting);
    assert_eq!(
        outcome(zero.clone(), &ten(), hour, false),
        (Outcome::Updated, "vanished".into(), vec!["quantity 10 0 vanished_zero".into()])
    );
    assert_eq!(outcome(zero, &World { quantity: 0, ..ten() }, hour, false), unchanged);
    let disable = json!({"vanished": "disable"});
    let since = read_at().format("%Y-%m-%d %H:%M UTC");
    let hidden = vec!["status 1 0 vanished_disabled".to_owned(), format!("vanished - {since} vanished_disabled")];
    assert_eq!(outcome(disable.clone(), &ten(), hour - 1, false), waiting);
    assert_eq!(outcome(disable.clone(), &ten(), hour, false), (Outcome::Updated, "vanished".into(), hidden));
    assert_eq!(outcome(disable, &World { status: false, ..ten() }, 0, false), unchanged, "hidden by a person before");
    let decision = gone(&rules(json!({"vanished": "disable"})), &ten(), hour, false);
    assert_eq!((decision.op, decision.undo), (Op::Update, "restore"));
}

#[test]
fn a_good_that_comes_back_is_shown_again_if_it_was_we_who_hid_it() {
    let rules = rules(json!({"vanished": "disable"}));
    let mut shelf = ten();
    let decision = gone(&rules, &shelf, 9_999, false);
    shelf.apply(&rules, &decision);
    assert!(!shelf.status);
    let since = read_at().format("%Y-%m-%d %H:%M UTC");
    let told = shelf.run(&rules, &stock(4));
    assert_eq!(
        told,
        ["status 0 1 vanished_returned".to_owned(), format!("vanished {since} null vanished_returned"), "quantity 10 4 stock_sum".into()]
    );
    assert!(shelf.status);
    // A person hides it later: that is theirs.
    shelf.status = false;
    assert!(shelf.run(&rules, &stock(4)).is_empty());
    // Emptied ones get their number back by the ordinary rule.
    let zero = super::rules_tests::rules(json!({"vanished": "zero"}));
    let mut shelf = ten();
    let decision = gone(&zero, &shelf, 9_999, false);
    shelf.apply(&zero, &decision);
    assert_eq!(shelf.quantity, 0);
    assert_eq!(shelf.run(&zero, &stock(10)), ["quantity 0 10 stock_sum"]);
}

#[test]
fn a_product_that_a_person_deleted_is_left_or_made_again_but_never_doubled() {
    let over = |word: &str| json!({"deleted_in_shop": word, "unmapped_category": "default", "default_category_id": 33});
    let linked = link(Values::new());
    let outcome = |over: Value, candidates: &[Candidate]| {
        let decision = decide(&rules(over), &stock(10), Some(&linked), None, candidates, false);
        (decision.outcome, decision.reason.code, decision.link)
    };
    assert_eq!(outcome(over("leave"), &[]), (Outcome::Skipped, "target_deleted".into(), LinkDecision::Keep));
    assert_eq!(outcome(over("recreate"), &[]), (Outcome::Created, "recreated".into(), LinkDecision::Recreated));
    let twin = Candidate { target: "77".into(), name: "Cup".into(), matched: vec!["sku=CUP-1".into()] };
    assert_eq!(outcome(over("recreate"), &[twin]), (Outcome::Skipped, "target_deleted_twin".into(), LinkDecision::Keep));
    assert_eq!(outcome(json!({"deleted_in_shop": "recreate"}), &[]).1, "category_unmapped", "as any new product");
}

/// A shop whose products are all linked, by good.
type Model = BTreeMap<usize, World>;

fn run_over(model: &mut Model, rules: &BillzOpencart, goods: &[Good], order: &[usize]) {
    for place in order {
        if let Some(shelf) = model.get_mut(place) {
            let decision = shelf.decide(rules, &goods[*place]);
            shelf.apply(rules, &decision);
        }
    }
}

/// What customers see of it.
fn seen(model: &Model) -> Vec<(i64, String, Vec<String>)> {
    model
        .values()
        .map(|shelf| {
            let specials = [1, 2].map(|group| shelf.visible(group).map_or_else(String::new, |price| price.to_string()));
            (shelf.quantity, shelf.price.clone(), specials.to_vec())
        })
        .collect()
}

fn catalogue() -> impl Strategy<Value = Vec<Good>> {
    prop::collection::vec((offer(), offer()), 1..7).prop_map(|offers| offers.into_iter().map(|(one, two)| both(one, two)).collect())
}

fn both(first: Shop, second: Shop) -> Good {
    good(&[("s1", first), ("s2", second)])
}

fn of_stream(stream: &str, api: Api, over: &Value) -> BillzOpencart {
    let mut rules = rules(over.clone());
    rules.settings.api = api;
    BillzOpencart { stream: stream.into(), ..rules }
}

fn api() -> impl Strategy<Value = Api> {
    prop::sample::select(vec![Api::Billz1, Api::Billz2])
}

fn of_api(api: Api, goods: Vec<Good>) -> Vec<Good> {
    goods.into_iter().map(|good| if api == Api::Billz1 { as_billz1(good) } else { good }).collect()
}

/// Any good as Billz 1 tells it: discounts for promotions.
fn as_billz1(mut good: Good) -> Good {
    for shop in good.shops.values_mut() {
        shop.discount = shop.promo.take().map(|promo| promo.price);
    }
    good
}

proptest! {
    #[test]
    fn a_sync_of_billz_1_is_idempotent_and_its_specials_are_below_the_price(first in offer(), over in any_settings(), mut world in world()) {
        let (rules, good) = (of_billz1(over), as_billz1(good(&[("s1", first)])));
        let decision = world.decide(&rules, &good);
        world.apply(&rules, &decision);
        let again = world.decide(&rules, &good);
        prop_assert!(again.fields.iter().all(is_kept), "{:?} after {:?} on {world:?}", told(&again), told(&decision));
        let special = decision.fields.iter().find(|field| field.field == "special").and_then(|field| field.new.as_str());
        if let Some(special) = special.map(decimal) {
            prop_assert!(special > Decimal::ZERO && special < decimal(&world.price), "{special} {world:?}");
        }
    }

    #[test]
    fn the_order_of_pages_does_not_matter(goods in catalogue(), shelves in prop::collection::vec(world(), 7), order in any::<u64>(), sales in prop::sample::select(vec!["keep", "net", "ignore"]), api in api()) {
        let rules = of_stream("s1", api, &json!({"rates": {"USD": "12650"}, "site_sales": sales}));
        let goods = of_api(api, goods);
        let start: Model = shelves.into_iter().take(goods.len()).enumerate().collect();
        let straight: Vec<usize> = (0..goods.len()).collect();
        let mut shuffled = straight.clone();
        shuffled.sort_by_key(|place| (order ^ *place as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let (mut one, mut other) = (start.clone(), start);
        run_over(&mut one, &rules, &goods, &straight);
        run_over(&mut other, &rules, &goods, &shuffled);
        prop_assert_eq!(seen(&one), seen(&other));
        // A page delivered twice, too.
        let before = seen(&one);
        run_over(&mut one, &rules, &goods, &shuffled);
        prop_assert_eq!(seen(&one), before);
    }

    /// Runs of one connection apply one after another, in any order and any number (engine: the target's lock).
    #[test]
    fn two_shops_in_any_order_end_alike(goods in catalogue(), shelves in prop::collection::vec(world(), 7), turns in prop::collection::vec(any::<bool>(), 0..6), api in api()) {
        let over = json!({"rates": {"USD": "12650"}, "price_shop": "s2"});
        let streams = [of_stream("s1", api, &over), of_stream("s2", api, &over)];
        let goods = of_api(api, goods);
        let start: Model = shelves.into_iter().take(goods.len()).enumerate().collect();
        let all: Vec<usize> = (0..goods.len()).collect();
        let (mut one, mut other) = (start.clone(), start);
        for rules in &streams {
            run_over(&mut one, rules, &goods, &all);
        }
        for turn in turns.into_iter().chain([true]) {
            run_over(&mut other, &streams[usize::from(turn)], &goods, &all);
        }
        prop_assert_eq!(seen(&one), seen(&other));
    }

    #[test]
    fn what_the_site_sells_is_never_given_back_before_billz_moves(sales in prop::collection::vec(1i64..4, 1..5), pieces in 0i64..40, mode in prop::sample::select(vec!["keep", "net"])) {
        let rules = rules(json!({"site_sales": mode}));
        let mut shelf = World::new(pieces, "1000", &[]).having_written(json!({"quantity": pieces, "price": "1000"}));
        for sold in sales {
            shelf.sells(sold);
            let standing = shelf.quantity;
            let decision = shelf.decide(&rules, &stock(pieces));
            shelf.apply(&rules, &decision);
            prop_assert_eq!(shelf.quantity, standing);
        }
    }
}
