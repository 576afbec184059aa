//! Schedules and the queue: how late a thousand runs start that are due in the same second, what ten thousand schedules cost at rest,
//! and what further copies bring.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tradesync::{
    alerts::channels::Channels,
    app::Parts,
    engine::{
        queue::watch::watch,
        schedule::scheduler::Scheduler,
        secrets::{Sealer, fresh_master_key},
        worker::{Options, Worker},
    },
    sandbox::billz2::faults::{Fault, Rule},
    store::Store,
};

use crate::{
    Row,
    support::{Database, Process, Setup, Spawn, Stage},
    ten,
};

/// Connections with one stream and one schedule each, of as many owners.
fn fill(database: &Database, count: usize, due: &str) {
    for chunk in (0..count).collect::<Vec<_>>().chunks(1_000) {
        let rows = |form: &dyn Fn(usize) -> String| chunk.iter().map(|number| form(*number)).collect::<Vec<_>>().join(",");
        let flow = ten::NAME;
        let rule = r#"{"every":"24h","timezone":"UTC","catch_up":"once"}"#;
        database.run(&format!(
            "INSERT INTO tradesync_connections (id, flow, name, owner, enabled, settings, secrets, link_space, version, created_at, updated_at, source_system) VALUES {}",
            rows(&|number| format!("('{number:032}', '{flow}', 'Bench', 'seller:{number}', 1, '{{}}', '{{}}', 'space {number}', 1, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), '{flow}')"))
        ));
        database.run(&format!(
            "INSERT INTO tradesync_streams (connection_id, stream, name, enabled, settings, version) VALUES {}",
            rows(&|number| format!("('{number:032}', 'all', 'All', 1, '{{}}', 1)"))
        ));
        database.run(&format!(
            "INSERT INTO tradesync_schedules (id, connection_id, stream, rule, mode, enabled, due_at, next_at, skipping, version, created_at, updated_at) VALUES {}",
            rows(&|number| format!("('{number:032}', '{number:032}', 'all', '{rule}', 'incremental', 1, {due}, {due}, 0, 1, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))"))
        ));
    }
}

/// How long after their due times runs started: the middle, the 99th of 100, the last; in seconds.
fn lags(database: &Database) -> (f64, f64, f64) {
    let mut lags: Vec<f64> = database
        .words(
            "SELECT CAST(TIMESTAMPDIFF(MICROSECOND, s.due_at, r.started_at) AS CHAR) AS words FROM tradesync_schedule_runs s JOIN tradesync_runs r ON r.id = s.run_id \
             WHERE r.started_at IS NOT NULL",
        )
        .iter()
        .map(|text| text.parse::<f64>().unwrap() / 1e6)
        .collect();
    lags.sort_by(f64::total_cmp);
    let at = |share: f64| lags[((lags.len() as f64 * share) as usize).min(lags.len() - 1)];
    (at(0.5), at(0.99), at(1.0))
}

/// A thousand schedules due in one second, one worker with the usual number of places, runs of ten milliseconds.
async fn same_second(count: usize) -> Vec<Row> {
    let database = Database::make(&format!("bench_due_{}", std::process::id())).await;
    let store = Store::open(database.url.clone(), 12).unwrap();
    store.migrate().await.unwrap();
    fill(&database, count, "DATE_ADD(UTC_TIMESTAMP(6), INTERVAL 3 SECOND)");
    let sealer = Arc::new(Sealer::from_text(&fresh_master_key()).unwrap());
    let channels = Arc::new(Channels::new(sealer.clone(), None).unwrap());
    let parts = Parts { store: store.clone(), sealer: sealer.clone(), flows: vec![Arc::new(ten::Ten)], channels };
    let stop = CancellationToken::new();
    let work = [
        tokio::spawn(Worker::new(parts.ports(), parts.flows.clone(), sealer, Options::default()).run(stop.clone())),
        tokio::spawn(watch(Arc::new(store.clone()), store.bell(), stop.clone())),
        tokio::spawn(Scheduler::new(Arc::new(store.clone()), store.bell()).run(stop.clone())),
    ];
    let began = Instant::now();
    let ended = "SELECT COUNT(*) AS number FROM tradesync_runs WHERE state = 'succeeded'";
    while database.number(ended) < i64::try_from(count).unwrap() {
        assert!(
            began.elapsed() < Duration::from_secs(300),
            "{:?}",
            database.words("SELECT CONCAT(state, ' ', COUNT(*)) AS words FROM tradesync_runs GROUP BY state")
        );
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    stop.cancel();
    for task in work {
        task.await.unwrap();
    }
    let (middle, high, last) = lags(&database);
    println!("{count} due in one second: start lag {middle:.2} s in the middle, p99 {high:.2} s, the last {last:.2} s");
    vec![
        Row::most(&format!("{count} schedules due in one second, one worker: start lag p99"), high, "s", 5.0),
        Row::plain("  in the middle", middle, "s"),
        Row::plain("  runs of 10 ms a second", count as f64 / last, "runs/s"),
    ]
}

/// Ticks of the CPU that a process has used.
fn cpu_seconds(process: &Process) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

/// Ten thousand schedules of which none is due, and a process that does everything.
async fn at_rest(count: usize) -> Vec<Row> {
    let spawn = Spawn::default().with("TRADESYNC_LOG", "info");
    let stage = Stage::with(Setup { products: 3, time_factor: 1.0, spawn, ..Setup::default() }).await;
    fill(&stage.database, count, "DATE_ADD(UTC_TIMESTAMP(6), INTERVAL 1 DAY)");
    tokio::time::sleep(Duration::from_secs(5)).await;
    let asked = || {
        stage.database.number(
            "SELECT CAST(VARIABLE_VALUE AS SIGNED) AS number FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'QUESTIONS'",
        )
    };
    let (queries, cpu, began) = (asked(), cpu_seconds(&stage.service), Instant::now());
    tokio::time::sleep(Duration::from_secs(30)).await;
    let seconds = began.elapsed().as_secs_f64();
    // The two questions of this measurement, each with the connection's two statements.
    let queries = (asked() - queries - 3) as f64 / seconds;
    let busy = (cpu_seconds(&stage.service) - cpu) / seconds * 100.0;
    println!("at rest with {count} schedules: {queries:.2} queries/s, {busy:.2} % of a core");
    vec![Row::most(&format!("at rest with {count} schedules: queries"), queries, "/s", 5.0), Row::most("  of one core", busy, "%", 2.0)]
}

/// Runs per second of one, two and four copies, while Billz takes its time to answer.
async fn copies(sellers: usize, slow_ms: u64) -> Vec<Row> {
    let factor = 1_000.0;
    let spawn = Spawn::default().with("TRADESYNC_ROLE", "api").with("TRADESYNC_LOG", "info");
    let stage = Stage::with(Setup { products: 5, time_factor: factor, spawn, ..Setup::default() }).await;
    let worker = Spawn::default().with("TRADESYNC_TIME_FACTOR", &factor.to_string()).with("TRADESYNC_LOG", "warn");
    let mut pairs = Vec::new();
    for _ in 0..sellers {
        pairs.push(stage.seller(json!({})).await);
    }
    stage.billz.billz2.add_fault(Rule::new("/v2/products", u32::MAX, Fault::Slow { ms: slow_ms }));
    let mut rates = Vec::new();
    // The first round makes the products.
    for copies in [4, 1, 2, 4] {
        let runs: Vec<String> =
            stream::iter(pairs.iter().map(|(connection, stream)| stage.start(connection, stream, "full"))).buffered(8).collect().await;
        let began = Instant::now();
        let mut workers = Vec::new();
        for _ in 0..copies {
            workers.push(stage.worker(&worker).await);
        }
        while stage.live_runs() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let seconds = began.elapsed().as_secs_f64();
        let good = stage.database.number("SELECT COUNT(*) AS number FROM tradesync_runs WHERE state = 'succeeded'");
        println!("{copies} copies: {} runs in {seconds:.2} s ({good} good so far)", runs.len());
        rates.push(runs.len() as f64 / seconds);
    }
    let [_, one, two, four] = rates[..] else { unreachable!() };
    vec![
        Row::plain(&format!("runs/s of one copy, Billz answering after {slow_ms} ms"), one, "runs/s"),
        Row::plain("  two copies / one", two / one, "x"),
        Row::plain("  four copies / one", four / one, "x"),
    ]
}

pub async fn run() -> Vec<Row> {
    let mut rows = same_second(1_000).await;
    rows.extend(at_rest(10_000).await);
    rows.extend(copies(120, 400).await);
    rows
}
