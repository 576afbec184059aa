//! The pure rules, by tables and by properties. Start reading at [`World`]: one good, one product, one link, and a run over them.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{
    price::{Currencies, NoPrice, price},
    record::{Category, Good, Kind, Promo, Shop, ShopNames},
    rules::BillzOpencart,
    settings::{Api, Settings},
    stock::quantity,
    target::{Standing, special_wish},
};
use crate::{
    domain::number,
    engine::{
        flow::{Decision, Item, LinkDecision, Observation, Rules},
        locks::{Lock, LockSet, is_kept},
        mapping::Mappings,
        model::{Candidate, FieldChange, Link, LinkState, Op, Outcome, Values},
    },
    systems::opencart::special::{specials_after, visible_special},
};

const WITNESS: &str = "2025-01-02 03:04:05";
const NO_DATE: &str = "0000-00-00";

pub(super) fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2025, 6, 15).unwrap()
}

pub(super) fn settings(over: Value) -> Settings {
    Settings::read(&over).unwrap()
}

/// When Billz was read.
pub(super) fn read_at() -> DateTime<Utc> {
    DateTime::from_timestamp(1_750_000_000, 0).unwrap()
}

pub(super) fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// A shop's row: stock, price, promotion; empty = absent.
pub(super) fn shop(stock: &str, price: &str, promo: &str) -> Shop {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Shop {
        name: String::new(),
        stock: given(stock),
        price: given(price),
        currency: "UZS".into(),
        promo: given(promo).map(|price| Promo { price, name: "Bahor".into() }),
        ..Shop::default()
    }
}

pub(super) fn good(shops: &[(&str, Shop)]) -> Good {
    Good {
        name: "Чашка".into(),
        sku: "CUP-1".into(),
        barcode: "0047800".into(),
        categories: vec![Category { id: "c".into(), name: "Посуда".into(), parent: None }],
        shops: shops.iter().map(|(key, shop)| ((*key).to_owned(), shop.clone())).collect(),
        ..Good::default()
    }
}

pub(super) fn rules(over: Value) -> BillzOpencart {
    let sums = Some("UZS".to_owned());
    BillzOpencart {
        settings: settings(over),
        stream: "s1".into(),
        shops: vec!["s1".into(), "s2".into()],
        names: ShopNames::new([("s1".to_owned(), "Chilonzor".to_owned()), ("s2".to_owned(), "Sergeli".to_owned())]),
        currencies: Currencies { shop: sums.clone(), company: sums },
        groups: vec![1, 2],
        today: today(),
        mappings: Mappings::default(),
        categories: None,
        locks: LockSet::default(),
        rooms: None,
        vanished_delay: Duration::from_secs(3_600),
    }
}

/// A special of the shop: group, price, end.
pub(super) type Row = (i64, String, String);

/// One product as it stands, the link to it, and runs over them.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) quantity: i64,
    pub(super) price: String,
    pub(super) status: bool,
    pub(super) specials: Vec<Row>,
    pub(super) written: Values,
    /// What orders have taken off, and of it after Billz was read.
    pub(super) sold: i64,
    pub(super) sold_since_read: i64,
}

impl World {
    pub(super) fn new(quantity: i64, price: &str, specials: &[(i64, &str, &str)]) -> Self {
        let specials = specials.iter().map(|(group, price, end)| (*group, (*price).to_owned(), (*end).to_owned())).collect();
        Self { quantity, price: price.to_owned(), status: true, specials, written: Values::new(), sold: 0, sold_since_read: 0 }
    }

    /// The link remembers these as written by us.
    pub(super) fn having_written(mut self, written: Value) -> Self {
        self.written = serde_json::from_value(written).unwrap();
        self
    }

    pub(super) fn observation(&self) -> Observation {
        let specials: Vec<Value> = self
            .specials
            .iter()
            .enumerate()
            .map(|(place, (group, price, end))| json!([place + 1, group, 0, price, NO_DATE, end]))
            .collect();
        let values = json!({"date_added": WITNESS, "quantity": self.quantity, "price": self.price, "status": self.status, "specials": specials,
            "sold": [self.sold, [[read_at().timestamp() + 5, self.sold_since_read]]]});
        Observation { witness: Some(WITNESS.into()), owned: true, values: serde_json::from_value(values).unwrap() }
    }

    pub(super) fn decide(&self, rules: &BillzOpencart, good: &Good) -> Decision {
        decide(rules, good, Some(&link(self.written.clone())), Some(&self.observation()), &[], false)
    }

    /// Does what the writer does with a decision.
    pub(super) fn apply(&mut self, rules: &BillzOpencart, decision: &Decision) {
        for field in decision.fields.iter().filter(|field| !is_kept(field)) {
            match field.field.as_str() {
                "quantity" => self.quantity = field.new.as_i64().unwrap(),
                "price" => self.price = field.new.as_str().unwrap().to_owned(),
                "special" => self.apply_special(rules, field),
                "status" => self.status = field.new == json!(1),
                "site_sales" | "vanished" => {}
                other => panic!("{other}"),
            }
            self.written.insert(field.field.clone(), field.new.clone());
        }
    }

    fn apply_special(&mut self, rules: &BillzOpencart, field: &FieldChange) {
        let standing = Standing::of(&self.observation().values).unwrap().product.specials;
        let wish = special_wish(field, &rules.settings, &rules.groups);
        let rows = specials_after(&standing, &wish, today());
        self.specials = rows.into_iter().map(|row| (row.customer_group_id, number::plain(row.price), row.date_end)).collect();
    }

    /// What a customer of the group sees as special.
    pub(super) fn visible(&self, group: i64) -> Option<Decimal> {
        let standing = Standing::of(&self.observation().values).unwrap().product.specials;
        visible_special(&standing, group, today()).map(|row| row.price)
    }
}

pub(super) fn link(written: Values) -> Link {
    Link {
        source: "g".into(),
        name: String::new(),
        state: LinkState::Linked,
        target: Some("50".into()),
        witness: Some(WITNESS.into()),
        candidates: Vec::new(),
        origin: "created".into(),
        written,
        source_seen_at: None,
        undone: Default::default(),
        run: None,
        linked_at: None,
        updated_at: crate::domain::clock::now(),
    }
}

pub(super) fn decide(
    rules: &BillzOpencart,
    good: &Good,
    link: Option<&Link>,
    observed: Option<&Observation>,
    candidates: &[Candidate],
    contested: bool,
) -> Decision {
    rules.decide(&Item { key: "g", payload: &good.to_payload(), link, observed, candidates, contested, seen_at: read_at(), gone: None })
}

/// `field old new rule` of each change.
pub(super) fn told(decision: &Decision) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    decision
        .fields
        .iter()
        .map(|field| {
            let old = field.old.as_ref().map_or("-".to_owned(), text);
            format!("{} {old} {} {}", field.field, text(&field.new), field.rule.code)
        })
        .collect()
}

#[test]
fn prices_by_shop_rounding_currency_and_minimum() {
    let rates = json!({"USD": "12650"});
    for (row, currency, over, expected) in [
        (shop("", "1234.567", ""), "UZS", json!({}), "1235"),
        (shop("", "1234.5", ""), "", json!({}), "1235"),
        (shop("", "1234.5", ""), "uzs", json!({"rounding": {"step": "1", "mode": "half-even"}}), "1234"),
        (shop("", "1234.567", ""), "UZS", json!({"rounding": {"step": "0", "mode": "down"}}), "1234.567"),
        (shop("", "1234.56789", ""), "UZS", json!({"rounding": {"step": "0", "mode": "down"}}), "1234.5679"),
        (shop("", "1249", ""), "UZS", json!({"rounding": {"step": "500", "mode": "up"}}), "1500"),
        (shop("", "1249", ""), "UZS", json!({"rounding": {"step": "500", "mode": "down"}}), "1000"),
        (shop("", "0.35", ""), "USD", json!({"rates": rates}), "4428"),
        (shop("", "2", ""), "UZS", json!({}), "2"),
        (shop("", "1.99", ""), "UZS", json!({"rounding": {"step": "0.01", "mode": "down"}}), "skip price_below_minimum"),
        (shop("", "0", ""), "UZS", json!({"min_price": "0"}), "skip price_below_minimum"),
        (shop("", "", ""), "UZS", json!({}), "skip no_price"),
        (shop("", "-5", ""), "UZS", json!({}), "fail price_unreadable"),
        (shop("", "12 000", ""), "UZS", json!({}), "fail price_unreadable"),
        (shop("", "999999999999", ""), "UZS", json!({}), "fail price_unreadable"),
        (shop("", "5", ""), "EUR", json!({"rates": rates}), "fail currency_without_rate"),
    ] {
        let good = good(&[("s1", Shop { currency: currency.into(), ..row.clone() })]);
        let rules = rules(over.clone());
        let found = match price(&good, "s1", &rules.settings, &rules.currencies, &rules.names) {
            Ok(priced) => number::plain(priced.price),
            Err(NoPrice::Skip(reason)) => format!("skip {}", reason.code),
            Err(NoPrice::Fail(reason)) => format!("fail {}", reason.code),
        };
        assert_eq!(found, expected, "{row:?} {currency} {over}");
    }
}

#[test]
fn a_rule_tells_the_unrounded_value_and_the_shop_by_its_name() {
    let rules = rules(json!({"rates": {"USD": "12650.55"}}));
    let of = |row: Shop| price(&good(&[("s1", row)]), "s1", &rules.settings, &rules.currencies, &rules.names).unwrap().rule;
    let plain = of(shop("", "10.5", ""));
    assert_eq!(
        (plain.code.as_str(), plain.params["unrounded"].as_str(), plain.params["shop"].as_str()),
        ("price_of_shop", "10.5", "Chilonzor")
    );
    let converted = of(Shop { currency: "USD".into(), name: "Own".into(), ..shop("", "0.1", "") });
    assert_eq!((converted.params["unrounded"].as_str(), converted.params["rate"].as_str()), ("1265.055", "12650.55"));
    assert_eq!(converted.params["shop"], "Own", "what Billz calls it comes first");
    let NoPrice::Skip(none) = price(&good(&[]), "s2", &rules.settings, &rules.currencies, &rules.names).unwrap_err() else { panic!() };
    assert_eq!(none.params["shop"], "Sergeli");
    let NoPrice::Skip(none) = price(&good(&[]), "s9", &rules.settings, &rules.currencies, &rules.names).unwrap_err() else { panic!() };
    assert_eq!(none.params["shop"], "s9", "a key is better than nothing");
}

#[test]
fn stock_by_shops_buffer_and_cap() {
    let row = |first: &str, second: &str| good(&[("s1", shop(first, "", "")), ("s2", shop(second, "", ""))]);
    for (good, over, expected, code) in [
        (row("5", "2.5"), json!({}), 7, "stock_sum"),
        (row("0.5", "0.5"), json!({}), 1, "stock_sum"),
        (row("0.9", ""), json!({}), 0, "stock_sum"),
        (row("-4", "3"), json!({}), 3, "stock_sum"),
        (row("", ""), json!({}), 0, "stock_sum"),
        (row("5", "9"), json!({"stock": "selected"}), 5, "stock_selected"),
        (row("5", "9"), json!({"stock": "selected", "stock_cap": 3}), 3, "stock_selected_limited"),
        (row("5", "9"), json!({"stock_buffer": 4}), 10, "stock_sum_limited"),
        (row("1", "0"), json!({"stock_buffer": 4}), 0, "stock_sum_limited"),
        (row("0", "0"), json!({"stock_buffer": 4}), 0, "stock_sum"),
        (row("3", "0"), json!({"stock_cap": 3}), 3, "stock_sum"),
        (row("99999999999999999999", "1"), json!({}), i64::from(i32::MAX), "stock_sum"),
    ] {
        let rules = rules(over.clone());
        let found = quantity(&good, &rules.shops, "s1", &rules.settings, &rules.names).unwrap();
        assert_eq!((found.quantity, found.rule.code.as_str()), (expected, code), "{over} {:?}", good.shops);
    }
    let rules = rules(json!({}));
    let wrong = quantity(&row("5", "many"), &rules.shops, "s1", &rules.settings, &rules.names).unwrap_err();
    assert_eq!((wrong.code.as_str(), wrong.params["shop"].as_str()), ("stock_unreadable", "Sergeli"));
}

#[test]
fn what_is_done_to_a_product_that_stands() {
    let sold = |price: &str, promo: &str| good(&[("s1", shop("5", price, promo))]);
    let ours: &[(i64, &str, &str)] = &[(1, "900", NO_DATE), (2, "900", NO_DATE)];
    let admins: &[(i64, &str, &str)] = &[(1, "600", "2025-12-31")];
    let mixed: &[(i64, &str, &str)] = &[(1, "600", "2025-12-31"), (1, "900", NO_DATE), (2, "900", NO_DATE)];
    let all = json!({});
    let own = json!({"specials_scope": "own"});
    for (name, world, over, good, expected) in [
        ("as it should be", World::new(5, "1000", &[]), &all, sold("1000", ""), vec![]),
        (
            "a hand moved both",
            World::new(9, "7", &[]).having_written(json!({"price": "1000"})),
            &all,
            sold("1000", ""),
            vec!["quantity 9 5 stock_sum", "price 7 1000 price_of_shop"],
        ),
        ("a promotion begins", World::new(5, "1000", &[]), &all, sold("1000", "900"), vec!["special - 900 promo"]),
        (
            "a promotion stands",
            World::new(5, "1000", ours).having_written(json!({"price": "1000", "special": "900"})),
            &all,
            sold("1000", "900"),
            vec![],
        ),
        ("one group lacks it", World::new(5, "1000", &[(1, "900", NO_DATE)]), &all, sold("1000", "900"), vec!["special 900 900 promo"]),
        (
            "a promotion is over",
            World::new(5, "1000", ours).having_written(json!({"price": "1000", "special": "900"})),
            &all,
            sold("1000", ""),
            vec!["special 900 null promo_ended"],
        ),
        (
            "somebody ended ours before",
            World::new(5, "1000", &[]).having_written(json!({"price": "1000", "special": "900"})),
            &all,
            sold("1000", ""),
            vec!["special - null promo_ended"],
        ),
        (
            "an admin's special, nothing moved",
            World::new(5, "1000", admins).having_written(json!({"price": "1000"})),
            &all,
            sold("1000", ""),
            vec![],
        ),
        (
            "an admin's special and hand",
            World::new(5, "700", admins).having_written(json!({"price": "1000"})),
            &all,
            sold("1000", ""),
            vec!["price 700 1000 price_of_shop"],
        ),
        (
            "the price moved",
            World::new(5, "1000", admins).having_written(json!({"price": "1000"})),
            &all,
            sold("1100", ""),
            vec!["price 1000 1100 price_of_shop", "special 600 null special_removed_price_changed"],
        ),
        (
            "the price moved, only ours",
            World::new(5, "1000", admins).having_written(json!({"price": "1000"})),
            &own,
            sold("1100", ""),
            vec!["price 1000 1100 price_of_shop"],
        ),
        (
            "a hand was faster than we",
            World::new(5, "1100", admins).having_written(json!({"price": "1000"})),
            &all,
            sold("1100", ""),
            vec!["price 1100 1100 price_of_shop", "special 600 null special_removed_price_changed"],
        ),
        (
            "both end",
            World::new(5, "1000", mixed).having_written(json!({"price": "1000", "special": "900"})),
            &all,
            sold("1100", ""),
            vec!["price 1000 1100 price_of_shop", "special 600 null special_removed_price_changed"],
        ),
        (
            "both end, only ours",
            World::new(5, "1000", mixed).having_written(json!({"price": "1000", "special": "900"})),
            &own,
            sold("1100", ""),
            vec!["price 1000 1100 price_of_shop", "special 600 null special_removed_price_changed"],
        ),
        ("a promotion above the price", World::new(5, "1000", &[]), &all, sold("1000", "1000"), vec![]),
        ("a promotion of nothing", World::new(5, "1000", &[]), &all, sold("1000", "0.4"), vec![]),
    ] {
        let rules = rules(over.clone());
        let decision = world.decide(&rules, &good);
        assert_eq!(told(&decision), expected, "{name}");
        assert_eq!(decision.outcome, if expected.is_empty() { Outcome::Unchanged } else { Outcome::Updated }, "{name}");
    }
}

#[test]
fn products_that_are_not_ours_any_more_are_left_alone() {
    let (rules, good) = (rules(json!({})), good(&[("s1", shop("5", "1000", ""))]));
    let (link, seen) = (link(Values::new()), World::new(1, "1", &[]).observation());
    let outcome = |observed: Option<&Observation>| {
        let decision = decide(&rules, &good, Some(&link), observed, &[], false);
        (decision.outcome, decision.op, decision.reason.code)
    };
    let skipped = |code: &str| (Outcome::Skipped, Op::None, code.to_owned());
    assert_eq!(outcome(None), skipped("target_deleted"));
    assert_eq!(outcome(Some(&Observation { witness: Some("2026-01-01 00:00:00".into()), ..seen.clone() })), skipped("target_replaced"));
    assert_eq!(outcome(Some(&Observation { owned: false, ..seen.clone() })), skipped("foreign_owner"));
    assert_eq!(outcome(Some(&seen)), (Outcome::Updated, Op::Update, "changed".into()));
}

#[test]
fn only_goods_are_looked_up_and_proposals_come_before_creation() {
    let linking = |over: Value, candidates: &[&str], contested: bool| {
        let candidates: Vec<Candidate> = candidates
            .iter()
            .map(|target| Candidate { target: (*target).into(), name: "Cup".into(), matched: vec!["sku=CUP-1".into()] })
            .collect();
        let seen = World::new(5, "1000", &[]).observation();
        let decision = decide(&rules(over), &good(&[("s1", shop("5", "1000", ""))]), None, Some(&seen), &candidates, contested);
        let link = match decision.link {
            LinkDecision::Keep => "keep",
            LinkDecision::Propose(_) => "propose",
            LinkDecision::Ambiguous(_) => "ambiguous",
            LinkDecision::Auto(_) => "auto",
            LinkDecision::Created => "created",
            LinkDecision::Recreated => "recreated",
        };
        format!("{:?} {} {link}", decision.outcome, decision.reason.code)
    };
    let with = |over: Value| {
        let mut all = json!({"unmapped_category": "default", "default_category_id": 33});
        all.as_object_mut().unwrap().extend(over.as_object().unwrap().clone());
        all
    };
    assert_eq!(linking(with(json!({})), &[], false), "Created new_product created");
    assert_eq!(linking(with(json!({})), &["7"], false), "Held link_proposed propose");
    assert_eq!(linking(with(json!({"linking": "auto"})), &["7"], false), "Updated changed auto");
    assert_eq!(linking(with(json!({"linking": "auto"})), &["7"], true), "Skipped link_ambiguous ambiguous");
    assert_eq!(linking(with(json!({"linking": "auto"})), &["7", "8"], false), "Skipped link_ambiguous ambiguous");
    assert_eq!(linking(json!({}), &[], false), "Skipped category_unmapped keep");
    assert_eq!(linking(with(json!({"new_products": "off"})), &[], false), "Skipped new_products_off keep");

    for (kind, over, looked_up) in [
        (Kind::Goods, json!({}), true),
        (Kind::Parent, json!({"services": true}), false),
        (Kind::Service, json!({}), false),
        (Kind::Service, json!({"services": true}), true),
        (Kind::Bundle, json!({}), false),
    ] {
        let payload = Good { kind, ..good(&[]) }.to_payload();
        assert_eq!(rules(over.clone()).lookup("g", &payload).is_some(), looked_up, "{kind:?} {over}");
    }
    let lookup = rules(json!({"barcode_column": "upc"})).lookup("g", &good(&[]).to_payload()).unwrap();
    let keys: Vec<_> = lookup.keys.iter().map(|(column, value)| format!("{column}={value}")).collect();
    assert_eq!(keys, ["sku=CUP-1", "upc=0047800", "model=CUP-1", "model=g"]);
    let nameless = rules(json!({"link_keys": ["sku", "barcode"]})).lookup("g", &Good::default().to_payload()).unwrap();
    assert!(nameless.keys.is_empty(), "an empty key matches nothing");
}

#[test]
fn a_new_product_has_what_billz_says() {
    let over = json!({"unmapped_category": "default", "default_category_id": 33, "new_products": "live"});
    let field = |good: &Good, name: &str| {
        let decision = decide(&rules(over.clone()), good, None, None, &[], false);
        decision.fields.into_iter().find(|field| field.field == name).map(|field| field.new)
    };
    let cup = good(&[("s1", shop("5.7", "1000.4", "900"))]);
    for (name, expected) in [
        ("name", json!("Чашка")),
        ("model", json!("CUP-1")),
        ("barcode", json!("0047800")),
        ("quantity", json!(5)),
        ("price", json!("1000")),
        ("special", json!("900")),
        ("categories", json!("33")),
        ("status", json!(1)),
    ] {
        assert_eq!(field(&cup, name), Some(expected), "{name}");
    }
    let bare = Good { name: String::new(), sku: "x".repeat(65), barcode: String::new(), ..cup };
    assert_eq!((field(&bare, "name"), field(&bare, "model"), field(&bare, "barcode")), (Some(json!("g")), Some(json!("g")), None));
}

/// Amounts as Billz may write them, junk included.
fn amount() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => (0i64..3_000_000, 0u32..4).prop_map(|(value, scale)| Decimal::new(value, scale).to_string()),
        1 => (-5_000i64..5_000).prop_map(|value| value.to_string()),
        1 => Just("99999999999999999999".to_owned()),
        1 => Just(String::new()),
    ]
}

pub(super) fn offer() -> impl Strategy<Value = Shop> {
    (amount(), amount(), prop_oneof![Just(String::new()), amount()], prop::sample::select(vec!["UZS", "USD", ""]))
        .prop_map(|(stock, price, promo, currency)| Shop { currency: currency.into(), ..shop(&stock, &price, &promo) })
}

pub(super) fn any_settings() -> impl Strategy<Value = Value> {
    let step = prop::sample::select(vec!["0", "0.01", "0.5", "1", "50", "1000"]);
    let mode = prop::sample::select(vec!["half-up", "half-even", "up", "down"]);
    let fields = prop::sample::subsequence(vec!["quantity", "price", "special"], 0..=3);
    let words = (
        prop::sample::select(vec!["all", "own"]),
        prop::sample::select(vec!["remove", "close"]),
        prop::sample::select(vec!["sum", "selected"]),
        prop::sample::select(vec!["keep", "net", "ignore"]),
    );
    (step, mode, fields, words, 0u32..4, prop::option::of(0u32..50)).prop_map(|(step, mode, fields, (scope, ending, stock, sales), buffer, cap)| {
        json!({
            "rounding": {"step": step, "mode": mode}, "update_fields": fields, "specials_scope": scope, "specials": ending, "stock": stock, "site_sales": sales,
            "stock_buffer": buffer, "stock_cap": cap, "rates": {"USD": "12650.5"},
        })
    })
}

pub(super) fn world() -> impl Strategy<Value = World> {
    let money = || (1i64..2_000).prop_map(|value| value.to_string());
    let end = prop::sample::select(vec![NO_DATE, "2025-06-14", "2025-06-15", "2025-12-31"]);
    let row = (1i64..3, money(), end).prop_map(|(group, price, end)| (group, price, end.to_owned()));
    let sales = (prop_oneof![2 => Just(0i64), 1 => 0i64..9], 0i64..3, prop::option::of((0i64..9, prop::option::of(0i64..2_000))));
    (-3i64..2_000, money(), prop::collection::vec(row, 0..4), prop::option::of(money()), prop::option::of(money()), sales).prop_map(
        |(quantity, price, specials, written, special, (sold, since, base))| {
            let mut world = World { specials, ..World::new(quantity, &price, &[]) };
            (world.sold, world.sold_since_read) = (sold, since.min(sold));
            if let Some((counted, billz)) = base {
                world.written.insert("quantity".into(), json!(quantity));
                world.written.extend(billz.map(|billz| ("site_sales".to_owned(), json!({"billz": billz.to_string(), "sold": counted}))));
            }
            world.written.extend(written.map(|price| ("price".to_owned(), json!(price))));
            world.written.extend(special.map(|price| ("special".to_owned(), json!(price))));
            world
        },
    )
}

proptest! {
    #[test]
    fn deciding_again_on_what_was_written_changes_nothing(first in offer(), second in offer(), over in any_settings(), mut world in world()) {
        let (rules, good) = (rules(over), good(&[("s1", first), ("s2", second)]));
        let decision = world.decide(&rules, &good);
        world.apply(&rules, &decision);
        let again = world.decide(&rules, &good);
        prop_assert!(again.fields.iter().all(is_kept), "{:?} after {:?} on {world:?}", told(&again), told(&decision));
        prop_assert_eq!(again.outcome, match decision.outcome {
            Outcome::Updated if again.fields.is_empty() => Outcome::Unchanged,
            Outcome::Updated => Outcome::Skipped,
            other => other,
        });
    }

    #[test]
    fn a_special_that_we_write_is_above_nothing_and_below_the_price(first in offer(), over in any_settings(), mut world in world()) {
        let (rules, good) = (rules(over), good(&[("s1", first)]));
        if let Ok(priced) = price(&good, "s1", &rules.settings, &rules.currencies, &rules.names) {
            prop_assert!(priced.price > Decimal::ZERO);
            if let Some((special, _)) = &priced.promo {
                prop_assert!(*special > Decimal::ZERO && *special < priced.price);
            }
        }
        let decision = world.decide(&rules, &good);
        world.apply(&rules, &decision);
        let special = decision.fields.iter().find(|field| field.field == "special").and_then(|field| field.new.as_str());
        if let Some(special) = special.map(decimal) {
            prop_assert!(special > Decimal::ZERO && special < decimal(&world.price), "{special} {world:?}");
            if rules.settings.specials_scope == super::settings::SpecialsScope::All {
                prop_assert_eq!((world.visible(1), world.visible(2)), (Some(special), Some(special)));
            }
        }
    }

    #[test]
    fn a_price_is_never_lowered_below_a_special_that_stays(first in offer(), over in any_settings(), locked in any::<bool>(), mut world in world()) {
        let mut rules = rules(over);
        if locked {
            rules.locks = locks(None, None, &["special"]);
        }
        let before = decimal(&world.price);
        let decision = world.decide(&rules, &good(&[("s1", first)]));
        world.apply(&rules, &decision);
        let price = decimal(&world.price);
        if price < before {
            let shown = (1..3).filter_map(|group| world.visible(group)).max();
            prop_assert!(shown.is_none_or(|special| special <= price), "{:?} on {world:?}", told(&decision));
        }
    }

    #[test]
    fn a_quantity_is_never_below_nothing_nor_above_the_column(first in offer(), second in offer(), over in any_settings()) {
        let (rules, good) = (rules(over), good(&[("s1", first), ("s2", second)]));
        let quantity = quantity(&good, &rules.shops, "s1", &rules.settings, &rules.names).unwrap().quantity;
        prop_assert!((0..=i64::from(i32::MAX)).contains(&quantity));
        if let Some(cap) = rules.settings.stock_cap {
            prop_assert!(quantity <= i64::from(cap));
        }
    }

    #[test]
    fn the_order_of_shops_does_not_matter(offers in prop::collection::vec(offer(), 1..6), order in any::<u64>(), over in any_settings()) {
        let keys: Vec<String> = (1..=offers.len()).map(|number| format!("s{number}")).collect();
        let good = good(&keys.iter().map(String::as_str).zip(offers).collect::<Vec<_>>());
        let mut shuffled = keys.clone();
        shuffled.sort_by_key(|key| (order ^ key.len() as u64).wrapping_mul(key.bytes().map(u64::from).sum::<u64>() * 0x9E37_79B9));
        let rules = rules(over);
        let of = |shops: &[String]| quantity(&good, shops, "s1", &rules.settings, &rules.names).map(|found| found.quantity);
        prop_assert_eq!(of(&keys), of(&shuffled));
        // Under `sum` it does not matter either which of them is being synchronised.
        if rules.settings.stock == super::settings::Stock::Sum {
            let other = quantity(&good, &keys, "s2", &rules.settings, &rules.names).map(|found| found.quantity);
            prop_assert_eq!(of(&keys), other);
        }
    }
}

/// What Billz 1 says of an office, or of the whole company.
fn office(stock: &str, price: &str, discount: Option<&str>) -> Shop {
    Shop { discount: discount.map(str::to_owned), currency: String::new(), ..shop(stock, price, "") }
}

mod billz1 {
    use super::*;

    fn settings(over: Value) -> Settings {
        Settings { api: Api::Billz1, ..super::settings(over) }
    }

    fn priced(row: Shop) -> Result<(String, bool), String> {
        let good = good(&[("s1", row)]);
        price(
            &good,
            "s1",
            &settings(json!({"rounding": {"step": "100", "mode": "half-up"}})),
            &Currencies::default(),
            &ShopNames::default(),
        )
        .map(|priced| (priced.promo.map_or_else(String::new, |(special, rule)| format!("{special} {}", rule.code)), priced.promo_told))
        .map_err(|refused| match refused {
            NoPrice::Skip(reason) => format!("skip {}", reason.code),
            NoPrice::Fail(reason) => format!("fail {}", reason.code),
        })
    }

    /// «Сумма на этой вкладке = Цена - Сумма скидки»; 0 = none; what leaves nothing of the price is refused.
    #[test]
    fn the_special_is_the_price_less_the_amount_of_the_discount() {
        for (price, discount, expected) in [
            ("189000", Some("19000"), Ok(("170000 discount", true))),
            ("189000", Some("19049.5"), Ok(("170000 discount", true))),
            ("189000", Some("0"), Ok(("", true))),
            ("189000", Some("0.00"), Ok(("", true))),
            // Rounded up to the price itself: no special, but told.
            ("189000", Some("20"), Ok(("", true))),
            ("189000", None, Ok(("", false))),
            ("189000", Some("189000"), Err("fail discount_unusable")),
            ("189000", Some("200000"), Err("fail discount_unusable")),
            ("189000", Some("-1"), Err("fail discount_unusable")),
            ("189000", Some("10 %"), Err("fail discount_unusable")),
            // Junk rows are junk whatever their discount.
            ("1", Some("1"), Err("skip price_below_minimum")),
            ("0", Some("0"), Err("skip price_below_minimum")),
        ] {
            let found = priced(office("5", price, discount));
            let found = found.as_ref().map(|(promo, told)| (promo.as_str(), *told)).map_err(String::as_str);
            assert_eq!(found, expected, "{price} less {discount:?}");
        }
    }

    #[test]
    fn an_office_that_is_not_named_holds_nothing_at_the_companys_price() {
        let settings = settings(json!({}));
        let good = Good { company: Some(office("7", "1000", Some("100"))), ..good(&[("s2", office("7", "1200", Some("0")))]) };
        let priced = price(&good, "s1", &settings, &Currencies::default(), &ShopNames::default()).unwrap();
        assert_eq!((priced.price, priced.rule.code.as_str()), (decimal("1000"), "price_of_company"));
        assert_eq!(priced.promo.map(|(special, _)| special), Some(decimal("900")));
        assert_eq!(quantity(&good, &["s1".to_owned()], "s1", &settings, &ShopNames::default()).unwrap().quantity, 0);
        assert!(good.is_elsewhere(&["s1".to_owned()]) && !good.is_elsewhere(&["s1".to_owned(), "s2".to_owned()]));
        assert!(!Good { shops: std::collections::BTreeMap::new(), ..good }.is_elsewhere(&["s1".to_owned()]));
    }
}

fn locks(source: Option<&str>, target: Option<&str>, fields: &[&str]) -> LockSet {
    let lock = Lock {
        source: source.map(str::to_owned),
        target: target.map(str::to_owned),
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        note: String::new(),
        set_by: "seller:42".into(),
        set_at: chrono::DateTime::UNIX_EPOCH,
    };
    LockSet { version: 2, rows: vec![lock] }
}

fn locked(source: Option<&str>, target: Option<&str>, fields: &[&str]) -> BillzOpencart {
    BillzOpencart { locks: locks(source, target, fields), ..rules(json!({})) }
}

#[test]
fn a_locked_field_stays_hand_edited_and_the_others_go_on() {
    let good = good(&[("s1", shop("5", "1000", ""))]);
    let target = link(Values::new()).target.unwrap();
    for rules in [locked(Some("g"), None, &["price"]), locked(None, Some(&target), &["price"]), locked(None, None, &["price"])] {
        let decision = World::new(3, "700", &[]).decide(&rules, &good);
        assert_eq!(decision.outcome, Outcome::Updated);
        assert_eq!(told(&decision), ["quantity 3 5 stock_sum", "price 700 700 locked"]);
        // With nothing else to do the report says why nothing was done.
        let decision = World::new(5, "700", &[]).decide(&rules, &good);
        assert_eq!((decision.outcome, decision.op, decision.reason.code.as_str()), (Outcome::Skipped, Op::None, "locked"));
        assert_eq!(told(&decision), ["price 700 700 locked"]);
        // And nothing where nothing differs.
        assert_eq!(World::new(5, "1000", &[]).decide(&rules, &good).outcome, Outcome::Unchanged);
    }
    // Another's lock is nobody else's.
    let decision = World::new(5, "700", &[]).decide(&locked(Some("other"), None, &["price"]), &good);
    assert_eq!(told(&decision), ["price 700 1000 price_of_shop"]);
}

#[test]
fn a_special_is_never_above_a_locked_price() {
    let rules = locked(None, None, &["price"]);
    let good = good(&[("s1", shop("5", "1000", "800"))]);
    // The person's 700 stays, and a promotion at 800 would be dearer than that.
    let decision = World::new(5, "700", &[]).decide(&rules, &good);
    assert_eq!(told(&decision), ["price 700 700 locked"]);
    // Ours from before the lock goes.
    let ours = World::new(5, "700", &[(1, "800", NO_DATE), (2, "800", NO_DATE)]).having_written(json!({"price": "1000", "special": "800"}));
    let decision = ours.decide(&rules, &good);
    let special = decision.fields.iter().find(|field| field.field == "special").unwrap();
    assert_eq!(special.new, Value::Null, "{decision:?}");
    // Below the locked price it is set.
    let decision = World::new(5, "900", &[]).decide(&rules, &good);
    assert!(decision.fields.iter().any(|field| field.field == "special" && field.new == json!("800")), "{decision:?}");
}

#[test]
fn a_locked_special_stays_whatever_the_promotion_does() {
    let rules = locked(Some("g"), None, &["special"]);
    let world = World::new(5, "1000", &[(1, "600", NO_DATE), (2, "600", NO_DATE)]);
    let decision = world.decide(&rules, &good(&[("s1", shop("5", "1000", "800"))]));
    assert_eq!((decision.outcome, told(&decision)), (Outcome::Skipped, vec!["special 600 600 locked".to_owned()]));
    let decision = world.decide(&rules, &good(&[("s1", shop("5", "1100", ""))]));
    assert!(decision.fields.iter().any(|field| field.field == "price" && field.new == json!("1100")), "{decision:?}");
    assert!(decision.fields.iter().all(|field| field.field != "special" || field.rule.code == "locked"), "{decision:?}");
}

#[test]
fn a_price_does_not_fall_below_a_special_that_may_not_be_touched() {
    let world = World::new(3, "1000", &[(1, "900", NO_DATE)]).having_written(json!({"price": "1000"}));
    let cheaper = good(&[("s1", shop("5", "800", ""))]);
    for rules in [
        locked(Some("g"), None, &["special"]),
        rules(json!({"update_fields": ["quantity", "price"]})),
        rules(json!({"specials_scope": "own"})),
    ] {
        let told_of = |world: &World, good: &Good| {
            told(&world.decide(&rules, good)).into_iter().filter(|line| !line.starts_with("special")).collect::<Vec<_>>()
        };
        assert_eq!(told_of(&world, &cheaper), ["quantity 3 5 stock_sum", "price 1000 1000 kept_beside"]);
        // Down to the special, and up, it goes.
        assert_eq!(told_of(&world, &good(&[("s1", shop("3", "900", ""))])), ["price 1000 900 price_of_shop"]);
        assert_eq!(told_of(&world, &good(&[("s1", shop("3", "1100", ""))])), ["price 1000 1100 price_of_shop"]);
        // A special that is over holds nothing up.
        let over = World::new(3, "1000", &[(1, "900", "2025-06-14")]).having_written(json!({"price": "1000"}));
        assert_eq!(told_of(&over, &good(&[("s1", shop("3", "800", ""))])), ["price 1000 800 price_of_shop"]);
    }
    // Where it may be touched, it ends with the price.
    let told = told(&world.decide(&rules(json!({})), &cheaper));
    assert_eq!(told, ["quantity 3 5 stock_sum", "price 1000 800 price_of_shop", "special 900 null special_removed_price_changed"]);
    // A product that is recognised just now is linked all the same.
    let rules = BillzOpencart { locks: locks(None, None, &["special"]), ..rules(json!({"linking": "auto"})) };
    let candidate = Candidate { target: "50".into(), name: "Чашка".into(), matched: vec!["sku=CUP-1".into()] };
    let world = World::new(5, "1000", &[(1, "900", NO_DATE)]);
    let decision = decide(&rules, &cheaper, None, Some(&world.observation()), &[candidate], false);
    assert_eq!((decision.outcome, &decision.fields[0].field), (Outcome::Updated, &"link".to_owned()), "{decision:?}");
}
