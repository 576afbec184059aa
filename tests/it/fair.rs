//! Fair share: nobody is held up by a huge seller, by a run that waits, or by pictures; what may be at work at once is counted over
//! all processes; who waits can see where and why.

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tradesync::sandbox::billz2::faults::{Fault, Rule};

use crate::{
    concurrency::slow_pages,
    support::{Setup, Spawn, Stage, assert_done},
};

/// Waits until `query` gives at least 1.
async fn until(stage: &Stage, query: &str) {
    let limit = Instant::now() + Duration::from_secs(30);
    while stage.database.number(query) < 1 {
        assert!(Instant::now() < limit, "never came: {query}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn of_run(run: &str, what: &str) -> String {
    format!("SELECT {what} AS number FROM tradesync_runs WHERE id = '{run}'")
}

fn worker(places: u32) -> Spawn {
    Spawn::default().with("TRADESYNC_RUNS_PER_WORKER", &places.to_string())
}

/// One seller with a dozen connections has queued all of them before three small sellers come with one run each.
#[tokio::test(flavor = "multi_thread")]
async fn small_sellers_start_at_once_though_a_huge_one_came_first() {
    let stage = Stage::without_worker(20).await;
    slow_pages(&stage, 200);
    let mut huge = Vec::new();
    for _ in 0..12 {
        let connection = stage.connect_for("seller:1", json!({})).await;
        let stream = stage.streams(&connection, 1).await.remove(0);
        huge.push(stage.start(&connection, &stream, "full").await);
    }
    let mut small = Vec::new();
    for _ in 0..3 {
        let (connection, stream) = stage.seller(json!({})).await;
        small.push(stage.start(&connection, &stream, "full").await);
    }
    let _worker = stage.worker(&worker(4)).await;
    for run in small.iter().chain(&huge) {
        assert_done(&stage.rest.wait(run).await, "one of many");
    }
    let order = stage.database.words("SELECT id AS words FROM tradesync_runs ORDER BY started_at");
    for run in &small {
        let place = order.iter().position(|id| id == run).unwrap();
        assert!(place < 4, "a small seller's run was number {} of {}", place + 1, order.len());
    }
    // Runs that had to wait for each other's shop went back into the queue, which is no failure.
    assert_eq!(stage.database.number("SELECT COUNT(*) AS number FROM tradesync_queue"), 0);
}

/// Two processes with four places each share three runs per system and one per connection.
#[tokio::test(flavor = "multi_thread")]
async fn caps_hold_over_two_processes() {
    let stage = Stage::without_worker(10).await;
    slow_pages(&stage, 150);
    let mut runs = Vec::new();
    for _ in 0..6 {
        let connection = stage.connect_for(&format!("seller:{}", 900 + runs.len()), json!({})).await;
        for stream in stage.streams(&connection, 2).await {
            runs.push(stage.start(&connection, &stream, "full").await);
        }
    }
    let capped = worker(4).with("TRADESYNC_RUNS_PER_SYSTEM", "3").with("TRADESYNC_RUNS_PER_CONNECTION", "1");
    let workers = [stage.worker(&capped).await, stage.worker(&capped).await];
    let (mut most, mut together) = (0, 0);
    let limit = Instant::now() + Duration::from_secs(60);
    while stage.live_runs() > 0 {
        most = most.max(stage.database.number("SELECT COUNT(*) AS number FROM tradesync_runs WHERE state = 'running'"));
        together = together.max(stage.database.number(
            "SELECT CAST(COALESCE(MAX(runs), 0) AS SIGNED) AS number FROM (SELECT COUNT(*) AS runs FROM tradesync_runs WHERE state = 'running' GROUP BY connection_id) c",
        ));
        assert!(Instant::now() < limit, "they do not end");
    }
    assert_eq!((most, together), (3, 1), "runs at once: of the system, of one connection");
    for run in &runs {
        assert_done(&stage.rest.wait(run).await, "under caps");
    }
    assert!(workers.iter().all(|worker| worker.output().contains("run taken")), "both processes worked");
}

/// A run whose shop is in other hands holds no place: neither before it is taken nor in its midst.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_shop_is_busy_lets_others_work() {
    let stage = Stage::without_worker(30).await;
    let connection = stage.connect(json!({})).await;
    let streams = stage.streams(&connection, 2).await;
    let _worker = stage.worker(&worker(2)).await;
    // A reader of the storefront keeps the writes of the first run half way.
    let mut storefront = stage.database.connect();
    let mut statement = |sql: &str| {
        use diesel::RunQueryDsl;
        diesel::sql_query(sql).execute(&mut storefront).unwrap();
    };
    statement("LOCK TABLES oc_product_to_store READ");
    let first = stage.start(&connection, &streams[0], "full").await;
    until(&stage, &of_run(&first, "phase = 'apply'")).await;
    let second = stage.start(&connection, &streams[1], "full").await;
    // It has read, and goes back into the queue at the shop's door.
    until(&stage, &of_run(&second, "phase = 'decide' AND state = 'queued'")).await;
    let waits = stage.rest.get(&format!("/sync/runs/{second}")).await.ok(200);
    assert_eq!((&waits["queue"]["waits_for"]["code"], &waits["queue"]["position"]), (&json!("queue_connection"), &json!(1)), "{waits}");
    let (other, stream) = stage.seller(json!({})).await;
    let body = json!({"connection": other, "stream": stream, "mode": "full", "dry_run": true});
    let look = stage.rest.post("/sync/billz-opencart", &body).await.ok(202)["id"].as_str().unwrap().to_owned();
    assert_eq!(stage.rest.wait(&look).await["state"], "awaiting_approval", "the other seller's run had a place");
    assert_eq!(stage.database.number(&of_run(&second, "state = 'queued'")), 1);
    statement("UNLOCK TABLES");
    for run in [&first, &second] {
        assert_done(&stage.rest.wait(run).await, "one after the other");
    }
    stage.assert_whole("one after the other");
}

/// A remote that asks for a long pause frees the place; a hundred such pauses are no failure.
#[tokio::test(flavor = "multi_thread")]
async fn long_pauses_free_the_place_and_are_never_counted() {
    let stage = Stage::with(Setup { time_factor: 400.0, spawn: worker(1), ..Setup::default() }).await;
    let (connection, stream) = stage.simple(json!({})).await;
    // Each is over the 30 seconds that are waited for, and there are more than a run may have setbacks.
    stage.billz.billz2.add_fault(Rule::new("/v2/products", 12, Fault::RateLimited { retry_after: Some(120) }));
    let run = stage.start(&connection, &stream, "full").await;
    let limit = Instant::now() + Duration::from_secs(20);
    loop {
        let seen = stage.rest.get(&format!("/sync/runs/{run}")).await.ok(200);
        if seen["state"] == "queued" && seen["not_before"].is_string() {
            assert_eq!((&seen["queue"]["position"], &seen["queue"]["waits_for"]["code"]), (&Value::Null, &json!("queue_moment")), "{seen}");
            break;
        }
        assert!(Instant::now() < limit && seen["state"] != "failed", "{seen}");
    }
    let ended = stage.rest.wait(&run).await;
    assert_done(&ended, "after many pauses");
    assert!(stage.database.number(&of_run(&run, "attempts")) > 12);
}

/// A run that kills its process is given up after a few workers, with a word; others are not dragged along.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_kills_its_worker_each_time_fails_in_the_end() {
    let stage = Stage::without_worker(20).await;
    let (connection, stream) = stage.simple(json!({})).await;
    let deadly = stage.start(&connection, &stream, "full").await;
    for death in 0..tradesync::engine::queue::MOST_LOSSES {
        let mut worker = stage.worker(&Spawn::failing_at("after-page-read")).await;
        assert!(worker.ended(Duration::from_secs(20)).await && worker.aborted(), "death {death}");
        // Its lease need not be waited for.
        stage.database.run("UPDATE tradesync_runs SET lease_until = NOW(6) - INTERVAL 1 SECOND WHERE state = 'running'; UPDATE tradesync_leases SET until = NOW(6)");
    }
    let (other, of_other) = stage.seller(json!({})).await;
    let good = stage.start(&other, &of_other, "full").await;
    let _worker = stage.worker(&Spawn::default()).await;
    assert_done(&stage.rest.wait(&good).await, "beside a deadly run");
    let ended = stage.rest.wait(&deadly).await;
    assert_eq!((&ended["state"], &ended["error"]["code"]), (&json!("failed"), &json!("worker-lost")), "{ended}");
    // The stream is free, and a healthy run of it works.
    assert_done(&stage.sync(&connection, &stream, "full").await, "after a deadly run");
}

/// A process is stopped while it takes runs; the others go on after a moment.
#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_process_does_not_hold_the_queue() {
    let stage = Stage::without_worker(20).await;
    let (connection, stream) = stage.simple(json!({})).await;
    // What a process that was stopped in its midst leaves: the lock of the queue, and rows in an open transaction.
    let mut stopped = stage.database.connect();
    let name = tradesync::store::Store::open(stage.database.url.clone(), 1).unwrap().lock_name("queue");
    {
        use diesel::RunQueryDsl;
        diesel::sql_query(format!("SELECT GET_LOCK('{name}', 0)")).execute(&mut stopped).unwrap();
    }
    let run = stage.start(&connection, &stream, "full").await;
    let began = Instant::now();
    let worker = stage.worker(&Spawn::default()).await;
    assert_done(&stage.rest.wait(&run).await, "past a stopped process");
    assert!(worker.output().contains("stands still"), "{}", worker.output());
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

/// The order and what is waited for can be seen, in the list and in each run, and how long it took.
#[tokio::test(flavor = "multi_thread")]
async fn the_queue_can_be_seen() {
    let stage = Stage::without_worker(10).await;
    let mut runs = Vec::new();
    for _ in 0..3 {
        let (connection, stream) = stage.seller(json!({})).await;
        runs.push(stage.start(&connection, &stream, "full").await);
    }
    let listed = stage.rest.with_header("accept-language", "ru").all("/sync/runs?state=queued").await;
    for (place, run) in runs.iter().enumerate() {
        let of_list = listed.iter().find(|row| row["id"] == **run).unwrap();
        let own = stage.rest.with_header("accept-language", "ru").get(&format!("/sync/runs/{run}")).await.ok(200);
        assert_eq!(own["queue"], of_list["queue"]);
        assert_eq!(own["queue"]["position"], json!(place + 1));
        assert_eq!(own["queue"]["waits_for"], json!({"code": "queue_place", "text": "Ждёт свободного исполнителя."}));
        assert_eq!(own["queue"]["waiting_since"], own["created_at"]);
    }
    let worker = stage.worker(&Spawn::default()).await;
    for run in &runs {
        let ended = stage.rest.wait(run).await;
        assert_done(&ended, "queued");
        assert!(ended.get("queue").is_none());
    }
    let figures = stage.rest.at(&worker.url).get("/metrics").await.text;
    assert!(figures.contains("tradesync_queue_wait_seconds_count{flow=\"billz-opencart\"} 3"), "{figures}");
    assert!(figures.contains("tradesync_queue_runs 0"), "{figures}");
}

/// The queue is looked at once a second, but a seller's button is felt at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_button_starts_its_run_at_once() {
    let stage = Stage::with(Setup { time_factor: 1.0, products: 3, ..Setup::default() }).await;
    let (connection, stream) = stage.simple(json!({})).await;
    let mut waits = Vec::new();
    for _ in 0..5 {
        let run = stage.start(&connection, &stream, "incremental").await;
        stage.rest.wait(&run).await;
        waits.push(stage.database.number(&of_run(&run, "TIMESTAMPDIFF(MICROSECOND, created_at, started_at)")));
    }
    waits.sort_unstable();
    assert!(waits[2] < 250_000, "microseconds until runs started: {waits:?}");
}

/// Cancelling works wherever a run waits.
mod cancel {
    use super::*;

    async fn cancelled_within_a_second(stage: &Stage, run: &str) {
        let began = Instant::now();
        stage.rest.post(&format!("/sync/runs/{run}/cancel"), &json!({})).await.ok(202);
        assert_eq!(stage.rest.wait(run).await["state"], "cancelled");
        assert!(began.elapsed() < Duration::from_millis(1_200), "{:?}", began.elapsed());
    }

    async fn fired(stage: &Stage) {
        let limit = Instant::now() + Duration::from_secs(20);
        while !stage.billz.billz2.faults().iter().any(|rule| rule.fired > 0) {
            assert!(Instant::now() < limit);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Nothing is compressed here: the pauses between attempts are seconds.
    #[tokio::test(flavor = "multi_thread")]
    async fn in_the_pause_before_another_attempt() {
        let stage = Stage::with(Setup { time_factor: 1.0, products: 3, ..Setup::default() }).await;
        let (connection, stream) = stage.simple(json!({})).await;
        let down = Fault::Status { code: 503, family: tradesync::sandbox::billz2::faults::Family::Html, retry_after: None };
        stage.billz.billz2.add_fault(Rule::new("/v2/products", u32::MAX, down));
        let run = stage.start(&connection, &stream, "full").await;
        fired(&stage).await;
        cancelled_within_a_second(&stage, &run).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn in_a_slow_answer_and_in_a_long_pause() {
        let stage = Stage::with(Setup { time_factor: 1.0, products: 3, ..Setup::default() }).await;
        let (connection, stream) = stage.simple(json!({})).await;
        stage.billz.billz2.add_fault(Rule::new("/v2/products", 1, Fault::SlowBody { ms: 20_000 }));
        let run = stage.start(&connection, &stream, "full").await;
        fired(&stage).await;
        cancelled_within_a_second(&stage, &run).await;
        stage.billz.billz2.clear_faults();
        stage.billz.billz2.add_fault(Rule::new("/v2/products", 1, Fault::RateLimited { retry_after: Some(20) }));
        let run = stage.start(&connection, &stream, "full").await;
        fired(&stage).await;
        cancelled_within_a_second(&stage, &run).await;
    }

    /// A run that waits for its shop is in the queue, and ends with the answer.
    #[tokio::test(flavor = "multi_thread")]
    async fn at_the_door_of_a_busy_shop() {
        let stage = Stage::new().await;
        let connection = stage.connect(json!({})).await;
        let streams = stage.streams(&connection, 2).await;
        stage.billz.billz2.add_fault(Rule::new("/v2/products", u32::MAX, Fault::Hang { ms: 60_000 }));
        let first = stage.start(&connection, &streams[0], "full").await;
        until(&stage, "SELECT COUNT(*) AS number FROM tradesync_leases WHERE lease_key LIKE 'read:%' AND holder IS NOT NULL").await;
        let second = stage.start(&connection, &streams[1], "full").await;
        let seen = stage.rest.get(&format!("/sync/runs/{second}")).await.ok(200);
        assert_eq!((&seen["state"], &seen["queue"]["waits_for"]["code"]), (&json!("queued"), &json!("queue_connection")), "{seen}");
        let answer = stage.rest.post(&format!("/sync/runs/{second}/cancel"), &json!({})).await.ok(202);
        assert_eq!(answer["state"], "cancelled");
        cancelled_within_a_second(&stage, &first).await;
    }
}

/// Many callers at once are no more than the sum of them: the queue's order is kept under load.
#[tokio::test(flavor = "multi_thread")]
async fn forty_sellers_who_press_at_once_are_all_served() {
    let stage = Stage::without_worker(5).await;
    let sellers = join_all((0..40).map(|_| stage.seller(json!({})))).await;
    let runs = join_all(sellers.iter().map(|(connection, stream)| stage.start(connection, stream, "full"))).await;
    let _workers = [stage.worker(&worker(6)).await, stage.worker(&worker(6)).await];
    for run in &runs {
        assert_done(&stage.rest.wait(run).await, "one of forty");
    }
    let twice = stage.database.words("SELECT id AS words FROM tradesync_runs WHERE attempts <> 1");
    assert!(twice.is_empty(), "{twice:?}");
}

/// Three sellers in the queue, of whom the first to go is held up by `hinder`: the others are served, and the first when it is over.
async fn served_beside<T>(hinder: impl FnOnce(&Stage, &str) -> T, over: impl FnOnce(&Stage, &str, T)) {
    let stage = Stage::without_worker(5).await;
    let mut runs = Vec::new();
    for _ in 0..3 {
        let (connection, stream) = stage.seller(json!({})).await;
        runs.push(stage.start(&connection, &stream, "full").await);
    }
    let hindrance = hinder(&stage, &runs[0]);
    let _worker = stage.worker(&worker(4)).await;
    for run in &runs[1..] {
        assert_done(&stage.rest.wait(run).await, "beside one that cannot be taken");
    }
    assert_eq!(stage.database.number(&of_run(&runs[0], "state <> 'succeeded'")), 1);
    over(&stage, &runs[0], hindrance);
    assert_done(&stage.rest.wait(&runs[0]).await, "when it is over");
}

/// Such as one that a newer copy of the service has written.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_cannot_be_read_holds_up_nobody() {
    let write = |stage: &Stage, run: &str, counts: &str| {
        stage.database.run(&format!(
            "UPDATE tradesync_runs SET counts = '{counts}', lease_until = IF(state = 'running', NOW(6), NULL) WHERE id = '{run}'"
        ));
    };
    served_beside(|stage, run| write(stage, run, "of another form"), |stage, run, ()| write(stage, run, "{}")).await;
}

/// Such as the row of a run whose worker was stopped in the midst of a transaction.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_row_is_locked_holds_up_nobody() {
    let lock = |stage: &Stage, run: &str| {
        let mut other = stage.database.connect();
        other.batch_execute(&format!("BEGIN; UPDATE tradesync_runs SET version = version WHERE id = '{run}'")).unwrap();
        other
    };
    served_beside(lock, |_, _, mut other| other.batch_execute("COMMIT").unwrap()).await;
}
