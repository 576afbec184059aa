//! When and how much is read of Billz, what a read means, and that the limit of requests holds over all processes.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tradesync::{
    fault::Code,
    sandbox::billz2::{
        catalogue::{Kind, Order},
        changes::{Patch, RandomChanges, Truth},
        faults::Fault,
    },
};

use crate::support::{ADMIN_KEY, Process, Rest, Setup, Spawn, Stage};

const NEVER: &str = "1000h";
/// Billz gives pages of 200 rows: so many rows make two.
const TWO_PAGES: usize = 260;

fn stock_only(seed: u64) -> RandomChanges {
    RandomChanges { stock: 6, seed, ..RandomChanges::default() }
}

/// Requests for products that ask for everything, and those that ask for what moved.
fn asked(stage: &Stage) -> (usize, Vec<String>) {
    let requests = stage.product_requests();
    let deltas: Vec<String> = requests.iter().filter(|target| target.contains("last_updated_date")).cloned().collect();
    (requests.len() - deltas.len(), deltas)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_stock_alone_arrives_when_an_incremental_run_turns_full() {
    let stage = Stage::new().await;
    let (connection, stream) = stage.simple(json!({"full_every": "30m"})).await;
    stage.sync(&connection, &stream, "incremental").await;
    let stock = stage.billz.billz2.random_changes(&stock_only(3)).stock;
    assert_eq!(stock.len(), 6);
    let state = stage.database.shop_state();
    // It moves no updated_at, so a delta cannot tell of it.
    let delta = stage.sync(&connection, &stream, "incremental").await;
    assert_eq!((&delta["read"]["mode"], &delta["progress"]["read"]), (&json!("incremental"), &json!(0)), "{delta}");
    assert_eq!(stage.database.shop_state(), state);
    // The last whole read is older than full_every now.
    stage.database.run("UPDATE tradesync_streams SET last_whole_read_at = last_whole_read_at - INTERVAL 1 DAY");
    let full = stage.sync(&connection, &stream, "incremental").await;
    assert_eq!((&full["mode"], &full["read"]["mode"]), (&json!("incremental"), &json!("full")), "{full}");
    assert_eq!(full["read"]["missed_by_delta"], 6);
    stage.must_be_true(&connection, std::slice::from_ref(&stream), "after the whole read").await;
    // And the next one is a delta again.
    let delta = stage.sync(&connection, &stream, "incremental").await;
    assert_eq!(delta["read"]["mode"], "incremental");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delta_asks_for_what_moved_since_the_cursor_and_brings_no_more() {
    let stage = Stage::new().await;
    let (connection, stream) = stage.simple(json!({"full_every": NEVER})).await;
    // The first run reads everything, whatever was asked.
    let first = stage.sync(&connection, &stream, "incremental").await;
    assert_eq!((&first["mode"], &first["read"]["mode"], &first["cursor_before"]), (&json!("incremental"), &json!("full"), &Value::Null));
    assert_eq!(asked(&stage), (1, vec![]));
    let moved = stage.billz.billz2.random_changes(&RandomChanges { price: 4, new: 2, ..RandomChanges::default() });
    stage.billz.billz2.clear_requests();
    let delta = stage.sync(&connection, &stream, "incremental").await;
    assert_eq!(delta["progress"], json!({"read": 6, "total": 6, "applied": 6}), "{delta}");
    assert_eq!((&delta["counts"]["created"], &delta["counts"]["updated"]), (&json!(2), &json!(4)), "{delta}");
    assert_eq!((moved.price.len(), moved.new.len()), (4, 2));
    // UTC, whole seconds, no T and no Z: the ISO form is refused.
    let cursor: chrono::DateTime<chrono::Utc> = first["cursor_after"].as_str().unwrap().parse().unwrap();
    assert_eq!(delta["cursor_before"], first["cursor_after"]);
    let (full, deltas) = asked(&stage);
    assert_eq!((full, deltas.len()), (0, 1));
    let date = cursor.format("last_updated_date=%Y-%m-%d+%H%%3A%M%%3A%S").to_string();
    assert!(deltas[0].contains(&date), "{deltas:?}: {date}");
    // The cursor is the start of the read less the overlap of two minutes.
    let started: chrono::DateTime<chrono::Utc> = delta["read"]["started_at"].as_str().unwrap().parse().unwrap();
    let after: chrono::DateTime<chrono::Utc> = delta["cursor_after"].as_str().unwrap().parse().unwrap();
    assert_eq!(started - after, chrono::Duration::seconds(120));
    stage.must_be_true(&connection, std::slice::from_ref(&stream), "after the delta").await;
    // Whoever asks for a full run gets one.
    stage.billz.billz2.clear_requests();
    let full = stage.sync(&connection, &stream, "full").await;
    assert_eq!((&full["read"]["mode"], &full["progress"]["read"]), (&json!("full"), &json!(62)));
    assert_eq!(asked(&stage), (1, vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_whose_clock_runs_ahead_loses_no_change() {
    let stage = Stage::new().await;
    let (connection, stream) = stage.simple(json!({"full_every": NEVER})).await;
    for ahead in [7_200, -7_200] {
        stage.billz.billz2.set_switches(|switches| switches.clock_ahead_s = ahead);
        let run = stage.sync(&connection, &stream, "full").await;
        let cursor: chrono::DateTime<chrono::Utc> = run["cursor_after"].as_str().unwrap().parse().unwrap();
        let difference = (cursor - chrono::Utc::now()).num_seconds() - ahead;
        assert!((-130..=-119).contains(&difference), "the cursor is not by the remote's clock: {difference} s");
        stage.billz.billz2.random_changes(&RandomChanges { price: 5, seed: 4, ..RandomChanges::default() });
        let delta = stage.sync(&connection, &stream, "incremental").await;
        assert_eq!((&delta["read"]["mode"], &delta["counts"]["updated"]), (&json!("incremental"), &json!(5)), "{delta}");
        stage.must_be_true(&connection, std::slice::from_ref(&stream), "the remote's clock").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_read_feeds_the_other_shops_of_a_connection_for_a_while() {
    let stage = Stage::new().await;
    let connection = stage
        .connect(json!({
            "full_every": NEVER, "read_reuse": "10m", "stock": "selected",
            // Each shop brings a stock of its own; whether that empties shelves is not what is asked here.
            "brakes": {"limits": {"products_zeroed": {"on": false}, "price_jump": {"on": false}, "prices_moved": {"on": false}, "currency_changed": {"on": false}}},
        }))
        .await;
    let streams = stage.streams(&connection, 3).await;
    let reads = async |stream: &str, mode: &str| {
        stage.billz.billz2.clear_requests();
        let run = stage.sync(&connection, stream, mode).await;
        assert_eq!(run["state"], "succeeded", "{run}");
        let requests = stage.product_requests().len();
        assert_eq!(run["read"]["reused"], json!(requests == 0), "{run}");
        requests
    };
    assert_eq!(reads(&streams[0], "full").await, 1);
    assert_eq!(reads(&streams[1], "full").await, 0, "the second shop read the whole company again");
    // A person who starts the same shop once more wants to see what is new.
    stage.billz.billz2.random_changes(&stock_only(1));
    assert_eq!(reads(&streams[0], "full").await, 1);
    assert_eq!(reads(&streams[1], "full").await, 0, "that read serves the second shop too");
    stage.billz.billz2.random_changes(&stock_only(2));
    assert_eq!(reads(&streams[1], "full").await, 1, "the second shop was given what it had used, or older");
    // What a delta brought is not the whole.
    assert_eq!(reads(&streams[0], "incremental").await, 0);
    assert_eq!(reads(&streams[0], "incremental").await, 1);
    assert_eq!(reads(&streams[2], "full").await, 0, "the third shop has used none yet");
    assert!(!stage.stream(&connection, &streams[2]).await["last_whole_read_at"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_read_an_unproven_one_and_one_of_another_connection_serve_nobody() {
    let stage = Stage::new().await;
    let connection = stage.connect(json!({"full_every": NEVER, "read_reuse": "1s"})).await;
    let streams = stage.streams(&connection, 2).await;
    stage.sync(&connection, &streams[0], "full").await;
    tokio::time::sleep(Duration::from_millis(80)).await;
    let run = stage.sync(&connection, &streams[1], "full").await;
    assert_eq!(run["read"]["reused"], false, "{run}");
    let connection = stage.connect_for("seller:43", json!({"full_every": NEVER, "read_reuse": "10m"})).await;
    let streams = stage.streams(&connection, 2).await;
    stage.billz.billz2.add_fault(tradesync::sandbox::billz2::faults::Rule::new("/v2/products", 3, Fault::ShortCount { missing: 5 }));
    let run = stage.sync(&connection, &streams[0], "full").await;
    assert_eq!((&run["read"]["reused"], &run["error"]["code"]), (&json!(false), &json!(Code::ReadNotWhole.name())), "{run}");
    stage.billz.billz2.clear_faults();
    let run = stage.sync(&connection, &streams[1], "full").await;
    assert_eq!((&run["read"]["reused"], &run["state"]), (&json!(false), &json!("succeeded")), "{run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn full_every_auto_stretches_while_deltas_miss_nothing_and_shrinks_when_they_do() {
    let stage = Stage::new().await;
    let (connection, stream) = stage.simple(json!({"full_every": "auto"})).await;
    let period = || stage.database.number("SELECT CAST(full_every_seconds AS SIGNED) AS number FROM tradesync_streams");
    let full = async || stage.sync(&connection, &stream, "full").await;
    full().await;
    assert_eq!(period(), 0, "the first read says nothing about deltas");
    full().await;
    assert_eq!(period(), 3_600);
    // A change that a delta would have told of is no reason to read more often.
    stage.billz.billz2.random_changes(&RandomChanges { price: 3, ..RandomChanges::default() });
    full().await;
    assert_eq!(period(), 7_200);
    stage.sync(&connection, &stream, "incremental").await;
    assert_eq!(period(), 7_200, "a delta changes nothing");
    stage.billz.billz2.random_changes(&stock_only(1));
    full().await;
    assert_eq!(period(), 3_600);
    // The same when the whole read needed two passes to be proven.
    stage.billz.billz2.random_changes(&stock_only(2));
    stage.billz.billz2.fault_once("/v2/products", Fault::ShortCount { missing: 5 });
    let run = full().await;
    assert_eq!((&run["whole"], &run["read"]["missed_by_delta"]), (&json!(true), &json!(6)), "{run}");
    assert_eq!(period(), 1_800);
    // It is the period in force: 1,800 s are 90 s of the tests.
    let aged = |seconds: u32| {
        stage.database.run(&format!("UPDATE tradesync_streams SET last_whole_read_at = UTC_TIMESTAMP(6) - INTERVAL {seconds} SECOND"));
    };
    aged(60);
    assert_eq!(stage.sync(&connection, &stream, "incremental").await["read"]["mode"], "incremental");
    aged(91);
    assert_eq!(stage.sync(&connection, &stream, "incremental").await["read"]["mode"], "full");
}

#[tokio::test(flavor = "multi_thread")]
async fn goods_that_vanish_from_billz_are_left_alone() {
    let stage = Stage::new().await;
    let (connection, stream) = stage.simple(json!({"full_every": NEVER})).await;
    let first = stage.sync(&connection, &stream, "full").await;
    let state = stage.database.shop_state();
    let deleted = stage.billz.billz2.random_changes(&RandomChanges { deleted: 3, ..RandomChanges::default() }).deleted;
    // A delta does not tell of it.
    let delta = stage.sync(&connection, &stream, "incremental").await;
    assert_eq!(delta["counts"]["unchanged"], first["counts"]["created"]);
    let full = stage.sync(&connection, &stream, "full").await;
    assert_eq!(full["state"], "succeeded");
    assert_eq!(full["counts"]["unchanged"].as_u64().unwrap(), first["counts"]["created"].as_u64().unwrap() - 3, "{full}");
    assert_eq!(stage.database.shop_state(), state, "vanished: leave");
    let items = stage.items(&full).await;
    let gone = items.iter().filter(|item| deleted.iter().any(|id| item["key"] == id.to_string()));
    assert!(gone.into_iter().all(|item| item["outcome"] == "skipped"), "told, and left alone: {items:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_of_rows_and_pages_does_not_matter() {
    let stage = Stage::with(Setup { products: TWO_PAGES, ..Setup::default() }).await;
    let mut states = Vec::new();
    for order in [Order::NewestFirst, Order::OldestFirst] {
        stage.billz.billz2.set_switches(|switches| switches.order = order);
        let (connection, stream) = stage.seller(json!({"full_every": NEVER})).await;
        let before = stage.database.number("SELECT CAST(IFNULL(MAX(product_id), 0) AS SIGNED) AS number FROM oc_product");
        let run = stage.sync(&connection, &stream, "full").await;
        assert_eq!((&run["state"], &run["progress"]["read"]), (&json!("succeeded"), &json!(TWO_PAGES)));
        stage.must_be_true(&connection, &[stream], "another order").await;
        states.push(stage.database.words(&format!(
            "SELECT CONCAT_WS('|', model, sku, ean, quantity, price, status) AS words FROM oc_product WHERE product_id > {before} ORDER BY product_id"
        )));
    }
    assert_eq!(states[0], states[1]);
    // Each page in an order of its own: rows come twice and others never. What came is right, and nothing is taken as gone.
    stage.billz.billz2.set_switches(|switches| switches.shuffle = true);
    let (connection, stream) = stage.seller(json!({"full_every": NEVER})).await;
    let run = stage.sync(&connection, &stream, "full").await;
    assert_eq!((&run["state"], &run["error"]["code"]), (&json!("partial"), &json!("read-not-whole")), "{run}");
    assert!(run["cursor_after"].is_null());
    let found = stage.truth(&connection, std::slice::from_ref(&stream)).await;
    assert!(found.right > 150 && found.wrong.iter().all(|(_, why)| why == "is not in the shop"), "{found:?}");
    stage.billz.billz2.set_switches(|switches| switches.shuffle = false);
    assert_eq!(stage.sync(&connection, &stream, "incremental").await["state"], "succeeded");
    stage.must_be_true(&connection, &[stream], "in order again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_requests_a_second_hold_over_processes_and_connections() {
    // In real time: on a compressed clock a busy machine's jitter would be as long as the gap between two requests.
    let stage = Stage::with(Setup { rate_limit: Some(2), time_factor: 1.0, ..Setup::default() }).await;
    let variables = vec![("TRADESYNC_TIME_FACTOR".to_owned(), "1".to_owned())];
    let second = Process::start(&stage.database, &Spawn { variables, ..Spawn::default() }).await;
    let mut runs = Vec::new();
    for rest in [stage.rest.clone(), Rest::new(&second.url, ADMIN_KEY), stage.rest.clone()] {
        let (connection, stream) = stage.seller(json!({})).await;
        let body = json!({"connection": connection, "stream": stream});
        runs.push(rest.post("/sync/billz-opencart", &body).await.ok(202)["id"].as_str().unwrap().to_owned());
    }
    for run in runs {
        let run = stage.rest.wait(&run).await;
        assert_eq!(run["state"], "succeeded", "{run}");
    }
    let report = stage.billz.billz2.requests();
    assert!(report.total >= 7, "{}", report.total);
    assert_eq!(report.limited, 0, "Billz had to refuse");
    assert!(report.max_in_window <= 2, "{} requests within a second", report.max_in_window);
    let keys = stage.database.words("SELECT limit_key AS words FROM tradesync_limits");
    assert_eq!(keys, ["billz2:egress:default"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_behind_different_addresses_do_not_share_the_limit() {
    let mut stage = Stage::new().await;
    let behind = |egress: &str| Spawn { variables: vec![("TRADESYNC_EGRESS".to_owned(), egress.to_owned())], ..Spawn::default() };
    let (one, other) = (stage.seller(json!({})).await, stage.seller(json!({})).await);
    stage.restart(&behind("tashkent")).await;
    // Billz asks this address to be silent for ten minutes, 30 seconds of the tests.
    stage.billz.billz2.fault_once("/v2/products", Fault::RateLimited { retry_after: Some(600) });
    let waits = async |stage: &Stage, (connection, stream): &(String, String)| {
        let run = stage.start(connection, stream, "full").await;
        let begun = Instant::now();
        loop {
            let seen = stage.rest.get(&format!("/sync/runs/{run}")).await.ok(200);
            if !seen["not_before"].is_null() {
                assert_eq!(seen["state"], "queued", "{seen}");
                return run;
            }
            assert!(begun.elapsed() < Duration::from_secs(5), "{seen}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    waits(&stage, &one).await;
    // A new process behind the same address is bound by it, for whichever connection.
    stage.restart(&behind("tashkent")).await;
    let asked = stage.billz.billz2.requests().total;
    let run = waits(&stage, &other).await;
    assert_eq!(stage.billz.billz2.requests().total, asked, "it called all the same");
    stage.rest.post(&format!("/sync/runs/{run}/cancel"), &json!({})).await.ok(202);
    // One behind another address is not.
    stage.restart(&behind("frankfurt")).await;
    let run = stage.sync(&other.0, &other.1, "full").await;
    assert_eq!(run["state"], "succeeded", "{run}");
    let keys = stage.database.words("SELECT limit_key AS words FROM tradesync_limits ORDER BY limit_key");
    assert_eq!(keys, ["billz2:egress:frankfurt", "billz2:egress:tashkent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sellers_of_one_marketplace_do_not_touch_each_other() {
    let stage = Stage::new().await;
    stage.database.run("CREATE TABLE oc_ms_product (product_id INT NOT NULL PRIMARY KEY, seller_id INT NOT NULL, product_status TINYINT NOT NULL, product_approved TINYINT NOT NULL) ENGINE=MyISAM");
    let adapter = |seller: u32| json!({"opencart": {"seller": {"link_table": "ms_product", "product_column": "product_id", "seller_column": "seller_id", "seller_value": seller, "extra": {"product_status": 1, "product_approved": 1}}}, "full_every": "1s"});
    // With a table of sellers, and in a shop that knows none: then only links tell the goods apart.
    for with_table in [true, false] {
        let settings = |seller| if with_table { adapter(seller) } else { json!({}) };
        let (first, second) = if with_table { (42, 43) } else { (52, 53) };
        let one = stage.connect_for(&format!("seller:{first}"), settings(first)).await;
        let two = stage.connect_for(&format!("seller:{second}"), settings(second)).await;
        let streams = stage.streams(&one, 1).await;
        stage.streams(&two, 1).await;
        let run = stage.sync(&one, &streams[0], "full").await;
        assert_eq!((&run["state"], &run["counts"]["held"]), (&json!("succeeded"), &json!(0)), "{run}");
        let (links, created) = (stage.links(&one).await, run["counts"]["created"].as_u64().unwrap());
        let state = |links: &std::collections::BTreeMap<String, i64>| {
            let ids = links.values().map(ToString::to_string).collect::<Vec<_>>().join(",");
            stage.database.words(&format!("SELECT CONCAT_WS('|', product_id, quantity, price, date_modified) AS words FROM oc_product WHERE product_id IN ({ids}) ORDER BY product_id"))
        };
        let before = state(&links);
        // The same article numbers: no question, no link to the other's goods.
        let run = stage.sync(&two, &streams[0], "full").await;
        assert_eq!((&run["counts"]["created"], &run["counts"]["held"]), (&json!(created), &json!(0)), "{run}");
        let theirs = stage.links(&two).await;
        assert!(links.values().all(|target| !theirs.values().any(|other| other == target)), "a product of both");
        assert_eq!((stage.links(&one).await, state(&links)), (links.clone(), before), "the first seller's goods were touched");
        // Each follows Billz by itself.
        stage.billz.billz2.random_changes(&RandomChanges { stock: 4, price: 4, seed: 2, ..RandomChanges::default() });
        let before = state(&links);
        stage.sync(&two, &streams[0], "full").await;
        assert_eq!(state(&links), before);
        stage.must_be_true(&two, &streams, "the second seller").await;
        stage.sync(&one, &streams[0], "full").await;
        stage.must_be_true(&one, &streams, "the first seller").await;
        // A person cannot link across either.
        let (source, taken) = (theirs.keys().next().unwrap(), links.values().next().unwrap());
        let answer = stage.rest.put(&format!("/connections/{two}/links/{source}"), &json!({"target": taken.to_string()})).await;
        assert!(answer.status == 409 || answer.status == 422, "{}", answer.text);
    }
}

/// Goods of the first shop that can be changed at will.
fn goods(stage: &Stage) -> Vec<Truth> {
    let shop = stage.billz.billz2.shops()[0].id;
    let sold = |product: &Truth| product.kind == Kind::Goods && product.shops[&shop].price.is_some();
    stage.billz.billz2.products(0, usize::MAX).into_iter().filter(sold).collect()
}

struct Shelf<'a> {
    stage: &'a Stage,
    goods: Vec<Truth>,
}

impl Shelf<'_> {
    /// Sets the first shop's values of the nth good; `{}` stands for the shop.
    fn set(&self, nth: usize, patch: &str) {
        let shop = self.stage.billz.billz2.shops()[0].id.to_string();
        let patch: Patch = serde_json::from_str(&patch.replace("$", &shop)).unwrap();
        self.stage.billz.billz2.patch(&self.goods[nth].id, &patch).unwrap();
    }

    fn key(&self, nth: usize) -> String {
        self.goods[nth].id.to_string()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn currencies_fractions_and_promotions_follow_the_rules() {
    let stage = Stage::new().await;
    let shelf = Shelf { stage: &stage, goods: goods(&stage) };
    shelf.set(0, r#"{"price": {"$": "150500"}, "currency": {"$": ""}, "promo": {"$": null}, "stock": {"$": "304.5"}}"#);
    shelf.set(1, r#"{"price": {"$": "10.35"}, "currency": {"$": "USD"}, "promo": {"$": null}, "stock": {"$": "0.999"}}"#);
    shelf.set(2, r#"{"price": {"$": "20"}, "currency": {"$": "EUR"}, "promo": {"$": null}}"#);
    shelf.set(3, r#"{"price": {"$": "90000"}, "currency": {"$": "UZS"}, "promo": {"$": "80000"}, "stock": {"$": "-3"}}"#);
    shelf.set(4, r#"{"price": {"$": "90000"}, "currency": {"$": "UZS"}, "promo": {"$": "95000"}}"#);
    shelf.set(5, r#"{"price": {"$": null}}"#);
    shelf.set(6, r#"{"kind": "service"}"#);
    shelf.set(7, r#"{"kind": "bundle"}"#);
    shelf.set(8, r#"{"kind": "parent", "parent": null}"#);
    let (connection, stream) = stage.simple(json!({})).await;
    let run = stage.sync(&connection, &stream, "full").await;
    let items = stage.items(&run).await;
    let item = |nth: usize| items.iter().find(|item| item["key"] == shelf.key(nth)).unwrap().clone();
    let change = |nth: usize, field: &str| {
        item(nth)["changes"].as_array().unwrap().iter().find(|change| change["field"] == field).cloned().unwrap_or_default()
    };
    let links = stage.links(&connection).await;
    let stands = |nth: usize| {
        let id = links[&shelf.key(nth)];
        stage.database.words(&format!(
            "SELECT CONCAT_WS('|', quantity, price, IFNULL((SELECT GROUP_CONCAT(DISTINCT s.price) FROM oc_product_special s WHERE s.product_id = p.product_id), '-')) AS words FROM oc_product p WHERE product_id = {id}"
        )).remove(0)
    };
    // An empty currency is the company's; a fraction of a piece cannot be sold.
    assert_eq!(stands(0), "304|150500.0000|-");
    assert_eq!(change(0, "price")["rule"], "price_of_shop");
    // 10.35 * 12,650 = 130,927.5: halves go up.
    assert_eq!(stands(1), "0|130928.0000|-");
    assert_eq!(change(1, "price")["rule"], "price_converted");
    let text = change(1, "price")["rule_text"].as_str().unwrap().to_owned();
    assert!(text.contains("12650") && text.contains("130927.5"), "{text}");
    // Never a copy of the number.
    assert_eq!((&item(2)["outcome"], &item(2)["reason"]["code"]), (&json!("failed"), &json!("currency_without_rate")));
    let text = item(2)["reason"]["text"].as_str().unwrap().to_owned();
    assert!(text.contains("EUR") && text.contains("UZS"), "{text}");
    assert!(!links.contains_key(&shelf.key(2)));
    // Negative stock is none; a promotion counts when it is on and lowers the price.
    assert_eq!(stands(3), "0|90000.0000|80000.0000");
    assert!(stands(4).ends_with("|90000.0000|-"), "{}", stands(4));
    for (nth, code) in [(5, "no_price"), (6, "service"), (7, "bundle"), (8, "variative_parent")] {
        assert_eq!((&item(nth)["outcome"], &item(nth)["reason"]["code"]), (&json!("skipped"), &json!(code)), "{}", item(nth));
        assert!(!links.contains_key(&shelf.key(nth)));
    }
    assert_eq!(run["counts"]["failed"], 1);
    // A price left over from a promotion that is gone has no promos, and is none.
    shelf.set(3, r#"{"promo": {"$": null}}"#);
    // A rate makes the euro known; services count when they are asked for.
    let settings = json!({"settings": {"rates": {"USD": "12650", "EUR": "13700.25"}, "services": true}});
    stage.rest.patch(&format!("/connections/{connection}"), &settings).await.ok(200);
    let run = stage.sync(&connection, &stream, "full").await;
    assert_eq!(run["state"], "succeeded", "{run}");
    let links = stage.links(&connection).await;
    let price = |nth: usize| {
        stage.database.words(&format!("SELECT CAST(price AS CHAR) AS words FROM oc_product WHERE product_id = {}", links[&shelf.key(nth)]))
    };
    assert_eq!(price(2), ["274005.0000"]);
    assert_eq!(
        stage.database.number(&format!("SELECT COUNT(*) AS number FROM oc_product_special WHERE product_id = {}", links[&shelf.key(3)])),
        0
    );
    assert!(links.contains_key(&shelf.key(6)) && links.contains_key(&shelf.key(7)) && !links.contains_key(&shelf.key(8)));
}
