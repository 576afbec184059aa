//! The whole job through the real service process: read, decide, apply with durable records; its time and its memory.

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use serde_json::{Value, json};
use tradesync::sandbox::billz2::changes::RandomChanges;

use crate::{
    Row, model_replay,
    support::{Api, Setup, Spawn, Stage},
};

const SMALL: usize = 10_000;
const LARGE: usize = 100_000;

fn setup(products: usize) -> Setup {
    // The figures are about work, not about waiting: Billz's limit is off, and time is compressed so far that our own pace under it
    // (a call each 550 ms) is none either.
    let variables = vec![("TRADESYNC_LOG".to_owned(), "info".to_owned()), ("TRADESYNC_TIME_FACTOR".to_owned(), "1000".to_owned())];
    Setup { products, rate_limit: None, spawn: Spawn { variables, ..Spawn::default() }, ..Setup::default() }
}

/// Peak resident memory of the service process so far, in MiB.
fn peak(stage: &Stage) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", stage.service.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

/// Milliseconds of each phase of a run, from the service's own log.
pub fn phases(stage: &Stage, run: &str) -> Vec<(String, f64)> {
    let log = stage.service.output();
    let field = |line: &str, name: &str| {
        line.split(&format!("{name}=")).nth(1).map(|rest| rest.split_whitespace().next().unwrap().trim_matches('"').to_owned())
    };
    log.lines()
        .filter(|line| line.contains("phase ended") && line.contains(run))
        .filter_map(|line| Some((field(line, "phase")?, field(line, "took_ms")?.parse().ok()?)))
        .collect()
}

async fn synchronise(stage: &Stage, connection: &str, stream: &str) -> (Value, f64) {
    let began = Instant::now();
    let run = stage.start(connection, stream, "full").await;
    let run = stage.rest.wait_within(&run, Duration::from_secs(600)).await;
    assert!(matches!(run["state"].as_str(), Some("succeeded" | "partial")), "{run}");
    (run, began.elapsed().as_secs_f64())
}

struct Measured {
    import_rate: f64,
    peak_first: f64,
    peak_cycle: f64,
    cycle_seconds: f64,
    rows: usize,
    phases: Vec<(String, f64)>,
    apply_rate: f64,
    replay_rate: f64,
    upsert_rate: f64,
}

/// A first import, then (in a fresh process) a full cycle in which a tenth changed, then one in which every price changed.
async fn measure(products: usize, statements: bool) -> Measured {
    let mut stage = Stage::with(setup(products)).await;
    // The last pass puts every price and quantity right, empty shelves among them: more than any sane brake lets through.
    let off = json!({"on": false});
    let brakes = json!({"limits": {"products_zeroed": off, "prices_moved": off, "price_jump": off}});
    let (connection, stream) = stage.simple(json!({"max_failed_share": "1", "brakes": brakes})).await;
    let (first, seconds) = synchronise(&stage, &connection, &stream).await;
    println!("{products}: first import {seconds:.1} s, {}", first["counts"]);
    let import_rate = first["counts"]["created"].as_f64().unwrap() / seconds;
    let peak_first = peak(&stage);

    stage.restart(&setup(products).spawn).await;
    stage.billz.billz2.random_changes(&RandomChanges { stock: products / 20, price: products / 20, ..RandomChanges::default() });
    let (cycle, cycle_seconds) = synchronise(&stage, &connection, &stream).await;
    let spent = phases(&stage, cycle["id"].as_str().unwrap());
    println!("{products}: full cycle {cycle_seconds:.2} s, {}, {spent:?}", cycle["counts"]);
    let peak_cycle = peak(&stage);

    let (mut apply_rate, mut replay_rate, mut upsert_rate) = (0.0, 0.0, 0.0);
    if statements {
        let ids: Vec<i64> = stage.links(&connection).await.into_values().collect();
        let mut shop = stage.database.connect();
        model_replay::enrich(&mut shop, &ids);
        // Every price and quantity in the shop is wrong by hand: the next run has to write all of them.
        shop.batch_execute("UPDATE oc_product SET price = price + 1, quantity = quantity + 1").unwrap();
        let (run, _) = synchronise(&stage, &connection, &stream).await;
        let apply = phases(&stage, run["id"].as_str().unwrap()).into_iter().find(|(phase, _)| phase == "apply").unwrap().1;
        apply_rate = run["counts"]["updated"].as_f64().unwrap() / (apply / 1000.0);
        upsert_rate = upsert(&stage, &ids);
        replay_rate = model_replay::replay(&mut shop, &ids[..ids.len().min(1_000)]);
        println!(
            "{products}: apply {apply_rate:.0}/s of {} rows, plain upsert {upsert_rate:.0}/s, model's statements {replay_rate:.0}/s",
            run["counts"]["updated"]
        );
    }
    Measured { import_rate, peak_first, peak_cycle, cycle_seconds, rows: products, phases: spent, apply_rate, replay_rate, upsert_rate }
}

/// 100,000 rows of Billz 1, which come in one answer: a first import, then (in a fresh process) a cycle.
pub async fn billz1() -> Vec<Row> {
    // A compressed clock would also compress the patience with an answer that takes its time to begin.
    let variables = vec![("TRADESYNC_LOG".to_owned(), "info".to_owned())];
    let spawn = Spawn { variables, ..Spawn::default() };
    let mut stage = Stage::with(Setup { api: Api::Billz1, products: LARGE, spawn: spawn.clone(), ..Setup::default() }).await;
    let (connection, stream) = stage.simple(json!({})).await;
    let (first, seconds) = synchronise(&stage, &connection, &stream).await;
    println!("Billz 1, {LARGE}: first import {seconds:.1} s, {}, {:?}", first["counts"], phases(&stage, first["id"].as_str().unwrap()));
    assert_eq!((&first["progress"]["read"], &first["whole"]), (&json!(LARGE), &json!(true)), "{first}");
    let peak_first = peak(&stage);
    stage.restart(&spawn).await;
    let (cycle, seconds) = synchronise(&stage, &connection, &stream).await;
    println!("Billz 1, {LARGE}: full cycle {seconds:.1} s, {}, {:?}", cycle["counts"], phases(&stage, cycle["id"].as_str().unwrap()));
    vec![
        Row::most("peak memory, first import of 100,000 rows of Billz 1 in one answer", peak_first, "MiB", 200.0),
        Row::most("peak memory, full cycle of the same", peak(&stage), "MiB", 200.0),
    ]
}

/// The plain way: multi-row INSERT … ON DUPLICATE KEY UPDATE as text, 1,000 rows a statement. Rows per second.
fn upsert(stage: &Stage, ids: &[i64]) -> f64 {
    let mut shop = stage.database.connect();
    let statements: Vec<String> = ids
        .chunks(1_000)
        .map(|ids| {
            let rows: Vec<String> = ids.iter().map(|id| format!("({id},'','','','','','','','',{},0,0,{}.5000,0,NOW(),NOW())", id % 90, id % 9000 + 100)).collect();
            format!(
                "INSERT INTO oc_product (product_id, model, sku, upc, ean, jan, isbn, mpn, location, quantity, stock_status_id, manufacturer_id, price, tax_class_id, date_added, date_modified) \
                 VALUES {} ON DUPLICATE KEY UPDATE quantity = VALUES(quantity), price = VALUES(price), date_modified = NOW()",
                rows.join(",")
            )
        })
        .collect();
    let began = Instant::now();
    for statement in &statements {
        shop.batch_execute(statement).unwrap();
    }
    ids.len() as f64 / began.elapsed().as_secs_f64()
}

/// The same job with 10,000 products alone.
pub async fn small() -> Vec<Row> {
    of_small(&measure(SMALL, true).await)
}

fn of_small(small: &Measured) -> Vec<Row> {
    vec![
        Row::least("whole apply with durable records / plain upsert, 10,000 rows", small.apply_rate / small.upsert_rate, "x", 0.10),
        Row::least("whole apply / statements of OpenCart's own model", small.apply_rate / small.replay_rate, "x", 100.0),
    ]
}

pub async fn run(statements: bool) -> Vec<Row> {
    let small = measure(SMALL, statements).await;
    let large = measure(LARGE, false).await;
    let mut rows = Vec::new();
    if statements {
        rows.extend(of_small(&small));
    }
    rows.extend([
        Row::least("whole first import, 10,000 products", small.import_rate, "products/s", 1_500.0),
        Row::least("full cycle, 10,000 products, a tenth changed", small.rows as f64 / small.cycle_seconds, "products/s", 5_000.0),
        Row::least("full cycle, 100,000 products, a tenth changed", large.rows as f64 / large.cycle_seconds, "products/s", 5_000.0),
    ]);
    for (phase, ms) in &large.phases {
        rows.push(Row::plain(&format!("  of which {phase}"), ms / 1000.0, "s"));
    }
    rows.push(Row::most("peak memory, full cycle of 100,000", large.peak_cycle, "MiB", 150.0));
    rows.push(Row::most("  over its peak at 10,000", large.peak_cycle / small.peak_cycle, "x", 1.2));
    rows.push(Row::most("peak memory, first import of 100,000", large.peak_first, "MiB", 150.0));
    rows.push(Row::most("  over its peak at 10,000", large.peak_first / small.peak_first, "x", 1.2));
    rows
}
