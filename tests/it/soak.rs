//! Hundreds of schedules, four copies, and everything that may happen to them: `kill -9`, `SIGSTOP` and `SIGCONT`, graceful stops, connections
//! cut, a database that is away. In the end every due time was run once or is told as skipped, no two runs of one stream overlapped, and the
//! shop is what Billz says.
//!
//! The short form is part of `make test`; `make soak` sets `TRADESYNC_SOAK_SECONDS` (600) and restarts the real server as well. The order of
//! events is drawn from a seed that is printed: `TRADESYNC_SOAK_SEED` plays it again.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;

use crate::support::{Process, Proxy, Setup, Spawn, Stage};

/// Copies of the service.
const COPIES: usize = 4;
/// Sellers, each with a connection of its own.
const SELLERS: usize = 10;
/// Durations are divided by it: leases stay at their least, four seconds.
const FACTOR: f64 = 100.0;
/// A period of four seconds after that.
const EVERY: &str = "400s";
const PERIOD_US: i64 = 4_000_000;

struct Plan {
    seed: u64,
    lasts: Duration,
    /// Streams of each seller: the shops that Billz has, and others that hold nothing.
    streams: usize,
    /// The folder of the server, which is restarted if it is this test's alone.
    server: Option<String>,
}

impl Plan {
    fn of_environment() -> Self {
        let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let seed = number("TRADESYNC_SOAK_SEED").unwrap_or_else(|| rand::random_range(0..1_000_000));
        let soak = number("TRADESYNC_SOAK_SECONDS");
        Self {
            seed,
            lasts: Duration::from_secs(soak.unwrap_or(12)),
            streams: if soak.is_some() { 50 } else { 20 },
            server: std::env::var("TRADESYNC_SOAK_SERVER").ok(),
        }
    }
}

/// What happened, for the report.
#[derive(Debug, Default)]
struct Happened {
    kills: u32,
    pauses: u32,
    graceful: u32,
    cuts: u32,
    away: u32,
    restarts: u32,
}

/// One copy, which may be dead.
struct One {
    process: Option<Process>,
    paused: bool,
}

async fn many<T>(work: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    stream::iter(work).buffered(8).collect().await
}

fn mariadb(command: &str) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/env/mariadb.sh");
    let status = Command::new(script).args([command, "soak"]).status().unwrap();
    assert!(status.success(), "mariadb.sh {command}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_due_time_is_run_once_or_told_whatever_happens_to_the_copies() {
    let plan = Plan::of_environment();
    println!("soak: seed {}, {} s (TRADESYNC_SOAK_SEED plays it again)", plan.seed, plan.lasts.as_secs());
    let mut chance = StdRng::seed_from_u64(plan.seed);
    let address = url::Url::parse(&crate::support::database::server()).unwrap();
    let mut proxy = Proxy::start(address.port().unwrap()).await;
    proxy.forget();
    let spawn = Spawn::default().with("TRADESYNC_ROLE", "api").with("TRADESYNC_LOG", "info");
    let stage = Stage::with(Setup { products: 40, time_factor: FACTOR, spawn, ..Setup::default() }).await;
    let mut through = url::Url::parse(stage.database.url.expose()).unwrap();
    through.set_port(Some(proxy.port)).unwrap();
    let copy = Spawn::default()
        .with("TRADESYNC_TIME_FACTOR", &FACTOR.to_string())
        .with("TRADESYNC_LOG", "info")
        .with("DATABASE_URL", through.as_str());

    let (connections, shops, schedules) = prepare(&stage, plan.streams, through.as_str()).await;
    let mut copies = Vec::new();
    for _ in 0..COPIES {
        copies.push(One { process: Some(stage.worker(&copy).await), paused: false });
    }
    let mut happened = Happened::default();
    let until = Instant::now() + plan.lasts;
    while Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(chance.random_range(200..900))).await;
        let one = chance.random_range(0..COPIES);
        match chance.random_range(0..12) {
            0..=3 => {
                if let Some(mut process) = copies[one].process.take() {
                    process.kill();
                    happened.kills += 1;
                }
            }
            4..=6 => {
                if let (Some(process), false) = (&copies[one].process, copies[one].paused) {
                    process.signal("-STOP");
                    copies[one].paused = true;
                    happened.pauses += 1;
                }
            }
            7 => {
                let paused = copies[one].paused;
                if let (Some(process), false) = (&mut copies[one].process, paused) {
                    process.terminate();
                    assert!(process.ended(Duration::from_secs(40)).await, "it does not stop:\n{}", process.output());
                    copies[one].process = None;
                    happened.graceful += 1;
                }
            }
            8..=9 => {
                proxy.break_all();
                happened.cuts += 1;
            }
            10 => {
                proxy.cut().await;
                tokio::time::sleep(Duration::from_millis(chance.random_range(100..2_000))).await;
                proxy.open_again().await;
                happened.away += 1;
            }
            _ => {
                if plan.server.is_some() && chance.random_range(0..4) == 0 {
                    mariadb("stop");
                    mariadb("start");
                    happened.restarts += 1;
                }
            }
        }
        // Most of the time most copies are there.
        for copy_of in &mut copies {
            if copy_of.paused && chance.random_range(0..4) == 0 {
                if let Some(process) = &copy_of.process {
                    process.signal("-CONT");
                }
                copy_of.paused = false;
            }
            if copy_of.process.is_none() && chance.random_range(0..3) > 0 {
                copy_of.process = Some(stage.worker(&copy).await);
                copy_of.paused = false;
            }
        }
        // Billz goes on selling.
        let moved = tradesync::sandbox::billz2::changes::RandomChanges { stock: 2, seed: chance.random(), ..Default::default() };
        stage.billz.billz2.random_changes(&moved);
    }
    for copy_of in &mut copies {
        match &copy_of.process {
            Some(process) if copy_of.paused => process.signal("-CONT"),
            Some(_) => {}
            None => copy_of.process = Some(stage.worker(&copy).await),
        }
    }
    println!("soak: seed {}: {happened:?}", plan.seed);
    until_all_are_told_of(&stage, plan.seed, schedules.len()).await;
    let rest = &stage.rest;
    let stops = schedules.iter().map(|id| async move { rest.post(&format!("/schedules/{id}/stop"), &json!({})).await.ok(200) });
    many(stops).await;
    until_quiet(&stage).await;
    report(&stage);
    check(&stage, plan.seed);
    for connection in &connections {
        let ended = stage.sync(connection, &shops[0], "full").await;
        assert!(matches!(ended["state"].as_str(), Some("succeeded" | "partial")), "seed {}: {ended}", plan.seed);
        stage.must_be_true(connection, &shops, &format!("soak, seed {}", plan.seed)).await;
    }
    stage.assert_whole(&format!("soak, seed {}", plan.seed));
}

/// Sellers with their streams and schedules; the first runs are through.
async fn prepare(stage: &Stage, streams: usize, database: &str) -> (Vec<String>, Vec<String>, Vec<String>) {
    let shops: Vec<String> = stage.billz.billz2.shops().iter().take(2).map(|shop| shop.id.to_string()).collect();
    let secrets = {
        let mut secrets = stage.secrets();
        // All copies reach the shop by one address, which is the target's name.
        secrets["opencart_database_url"] = json!(database);
        secrets
    };
    let mut connections = Vec::new();
    for seller in 0..SELLERS {
        let settings = stage
            .settings(json!({"price_shop": shops[0], "brakes": {"limits": {"products_zeroed": {"on": false}}}, "max_failed_share": "1"}));
        let body = json!({"flow": "billz-opencart", "name": "Soak", "owner": format!("seller:{seller}"), "enabled": true, "settings": settings, "secrets": secrets});
        connections.push(stage.rest.post("/connections", &body).await.ok(201)["id"].as_str().unwrap().to_owned());
    }
    let pairs: Vec<(String, String)> = connections
        .iter()
        .flat_map(|connection| {
            let others = (shops.len()..streams).map(|number| format!("shop {number}"));
            shops.iter().cloned().chain(others).map(|stream| (connection.clone(), stream)).collect::<Vec<_>>()
        })
        .collect();
    let made = many(pairs.iter().map(|(connection, stream)| async move {
        stage.rest.post(&format!("/connections/{connection}/streams"), &json!({"stream": stream, "name": stream})).await.ok(201);
        let body = json!({"connection": connection, "stream": stream, "every": EVERY, "catch_up": "once"});
        stage.rest.post("/schedules", &body).await.ok(201)["id"].as_str().unwrap().to_owned()
    }))
    .await;
    (connections, shops, made)
}

async fn until_quiet(stage: &Stage) {
    let limit = Instant::now() + Duration::from_secs(120);
    let live = "SELECT COUNT(*) AS number FROM tradesync_runs WHERE state IN ('queued', 'running')";
    while stage.database.number(live) > 0 {
        assert!(
            Instant::now() < limit,
            "runs stay: {:?}",
            stage
                .database
                .words("SELECT CONCAT_WS(' ', id, state, phase, attempts, lease_until, not_before) AS words FROM tradesync_runs WHERE state IN ('queued', 'running') LIMIT 20")
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn report(stage: &Stage) {
    let words = |query: &str| stage.database.words(query).join(", ");
    println!("soak: runs {}", words("SELECT CONCAT(state, ' ', COUNT(*)) AS words FROM tradesync_runs GROUP BY state"));
    println!("soak: taken {}", words("SELECT CONCAT(attempts, ' times ', COUNT(*)) AS words FROM tradesync_runs GROUP BY attempts"));
    println!(
        "soak: due times skipped {}",
        words("SELECT CONCAT(reason, ' ', SUM(due_times)) AS words FROM tradesync_schedule_skips GROUP BY reason")
    );
}

/// With all copies there again no schedule stays silent.
async fn until_all_are_told_of(stage: &Stage, seed: u64, schedules: usize) {
    let told = "SELECT COUNT(*) AS number FROM (SELECT schedule_id FROM tradesync_schedule_runs UNION SELECT schedule_id FROM tradesync_schedule_skips) t";
    let limit = Instant::now() + Duration::from_secs(90);
    while stage.database.number(told) < i64::try_from(schedules).unwrap() {
        assert!(Instant::now() < limit, "seed {seed}: {} of {schedules} schedules have run or say why not", stage.database.number(told));
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// What must hold.
fn check(stage: &Stage, seed: u64) {
    // A run bridges a short break of the database by pauses, which the factor divides; the breaks here are not divided. So a few end by
    // them, as they should, and the next due time goes on.
    let bridged = "state IN ('succeeded', 'partial')";
    let broken = "(state = 'failed' AND error REGEXP '\"code\":\"(target|database)-unavailable\"')";
    let failed = stage.database.words(&format!(
        "SELECT CONCAT_WS(' ', id, state, attempts, error) AS words FROM tradesync_runs WHERE NOT {bridged} AND NOT {broken}"
    ));
    assert!(failed.is_empty(), "seed {seed}: runs did not end well: {failed:?}");
    let count = |which: &str| stage.database.number(&format!("SELECT COUNT(*) AS number FROM tradesync_runs WHERE {which}"));
    assert!(count(broken) * 20 <= count(bridged), "seed {seed}: {} runs ended by a break, {} did not", count(broken), count(bridged));
    let overlaps = stage.database.words(
        "SELECT CONCAT(a.id, ' and ', b.id) AS words FROM tradesync_runs a JOIN tradesync_runs b ON a.connection_id = b.connection_id AND a.stream = b.stream AND a.id < b.id \
         WHERE a.started_at < b.finished_at AND b.started_at < a.finished_at",
    );
    assert!(overlaps.is_empty(), "seed {seed}: two runs of one stream at once: {overlaps:?}");
    // From its first due time to its last none is without a run or a word, and none has two.
    let wrong = stage.database.words(&format!(
        "SELECT CONCAT(schedule_id, ': ', told, ' told of ', span) AS words FROM ( \
           SELECT schedule_id, SUM(times) AS told, ROUND(TIMESTAMPDIFF(MICROSECOND, MIN(first), MAX(last)) / {PERIOD_US}) + 1 AS span FROM ( \
             SELECT schedule_id, due_at AS first, due_at AS last, 1 AS times FROM tradesync_schedule_runs \
             UNION ALL SELECT schedule_id, first_due_at, last_due_at, due_times FROM tradesync_schedule_skips) t GROUP BY schedule_id) s WHERE told <> span"
    ));
    assert!(wrong.is_empty(), "seed {seed}: {wrong:?}");
}
