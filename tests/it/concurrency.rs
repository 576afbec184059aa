//! Many callers, many processes, many streams: as if one after the other.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tradesync::sandbox::billz2::{
    changes::RandomChanges,
    faults::{Fault, Rule},
};

use crate::support::{Process, Setup, Spawn, Stage, assert_done};

/// Every page of the source takes so long: a run lasts while the test looks at it.
pub fn slow_pages(stage: &Stage, ms: u64) {
    stage.billz.billz2.add_fault(Rule::new("/v2/products", u32::MAX, Fault::Slow { ms }));
}

fn sync_body(connection: &str, stream: &str) -> Value {
    json!({"connection": connection, "stream": stream, "mode": "full"})
}

/// Waits until `query` gives at least 1.
async fn until(stage: &Stage, query: &str) {
    let limit = Instant::now() + Duration::from_secs(20);
    while stage.database.number(query) < 1 {
        assert!(Instant::now() < limit, "never came: {query}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

mod one_run_per_stream {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn two_requests_at_once_make_one_run_and_one_conflict_that_points_to_it() {
        let stage = Stage::new().await;
        let (connection, stream) = stage.simple(json!({})).await;
        slow_pages(&stage, 1_200);
        let body = sync_body(&connection, &stream);
        let (one, other) = tokio::join!(stage.rest.post("/sync/billz-opencart", &body), stage.rest.post("/sync/billz-opencart", &body));
        let (started, refused) = if one.status == 202 { (one, other) } else { (other, one) };
        let run = started.ok(202)["id"].as_str().unwrap().to_owned();
        assert_eq!(refused.problem(409, "stream-busy")["run"], format!("/sync/runs/{run}"));
        assert_done(&stage.rest.wait(&run).await, "the one run");
        stage.assert_whole("two requests at once");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn twenty_requests_at_once_through_two_processes_make_one_run() {
        let stage = Stage::without_worker(60).await;
        let second = Process::start(&stage.database, &Spawn::default().with("TRADESYNC_ROLE", "api")).await;
        let (connection, stream) = stage.simple(json!({})).await;
        let body = sync_body(&connection, &stream);
        let rests = [stage.rest.clone(), stage.rest.at(&second.url)];
        let answers = join_all((0..20).map(|number| {
            let (rest, body) = (rests[number % 2].clone(), body.clone());
            async move { rest.post("/sync/billz-opencart", &body).await }
        }))
        .await;
        let (started, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 202);
        assert_eq!(started.len(), 1);
        let run = started.into_iter().next().unwrap().body["id"].as_str().unwrap().to_owned();
        for answer in refused {
            assert_eq!(answer.problem(409, "stream-busy")["run"], format!("/sync/runs/{run}"));
        }
        let _worker = stage.worker(&Spawn::default()).await;
        assert_done(&stage.rest.wait(&run).await, "the one run");
        assert_eq!(stage.database.number("SELECT COUNT(*) AS number FROM tradesync_runs"), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_dry_run_beside_a_live_run_is_allowed_and_writes_nothing() {
        let stage = Stage::new().await;
        let (connection, stream) = stage.simple(json!({})).await;
        slow_pages(&stage, 1_200);
        let live = stage.start(&connection, &stream, "full").await;
        let mut body = sync_body(&connection, &stream);
        body["dry_run"] = true.into();
        let dry = stage.rest.post("/sync/billz-opencart", &body).await.ok(202)["id"].as_str().unwrap().to_owned();
        stage.rest.post("/sync/billz-opencart", &sync_body(&connection, &stream)).await.problem(409, "stream-busy");
        assert_done(&stage.rest.wait(&live).await, "the live run");
        assert_eq!(stage.rest.wait(&dry).await["state"], "awaiting_approval");
        stage.assert_whole("a dry run beside a live one");
        stage.assert_no_product_twice("a dry run beside a live one");
    }
}

/// Two processes and more runs than places: each stream is worked on by one at a time, and all come to their ends.
#[tokio::test(flavor = "multi_thread")]
async fn two_processes_never_run_one_stream_twice() {
    let stage = Stage::new().await;
    let second = Process::start(&stage.database, &Spawn::default()).await;
    let rests = [stage.rest.clone(), stage.rest.at(&second.url)];
    let mut streams = Vec::new();
    for number in 0..3 {
        let connection = stage.connect_for(&format!("seller:{number}"), json!({})).await;
        for stream in stage.streams(&connection, 2).await {
            streams.push((connection.clone(), stream));
        }
    }
    slow_pages(&stage, 60);
    // Each stream is asked for again and again by two callers; busy is a good answer, an error is none.
    let callers = streams.iter().flat_map(|stream| rests.iter().map(move |rest| (stream.clone(), rest.clone())));
    join_all(callers.map(|((connection, stream), rest)| async move {
        let mut started = 0;
        while started < 3 {
            let answer = rest.post("/sync/billz-opencart", &sync_body(&connection, &stream)).await;
            assert!(matches!(answer.status, 202 | 409), "{}", answer.text);
            started += i32::from(answer.status == 202);
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    }))
    .await;
    let runs = stage.rest.all("/sync/runs").await;
    assert_eq!(runs.len(), streams.len() * 6);
    for run in &runs {
        assert_done(&stage.rest.wait(run["id"].as_str().unwrap()).await, "one of many");
    }
    let overlaps = stage.database.words(
        "SELECT CONCAT(a.id, ' and ', b.id) AS words FROM tradesync_runs a JOIN tradesync_runs b ON a.connection_id = b.connection_id AND a.stream = b.stream AND a.id < b.id \
         WHERE a.started_at < b.finished_at AND b.started_at < a.finished_at",
    );
    assert!(overlaps.is_empty(), "two runs of one stream at once: {overlaps:?}");
    // The source tells the same: no run reads the list more than once, and some use what another stream has read.
    let asked = stage.billz.billz2.requests().requests;
    let first_page = |target: &str| target.starts_with("/v2/products?") && target.split(['?', '&']).any(|part| part == "page=1");
    let reads = asked.iter().filter(|request| first_page(&request.target)).count();
    assert!((1..=runs.len()).contains(&reads), "{reads} reads by {} runs", runs.len());
    let both = [&stage.service, &second].iter().all(|process| process.output().contains("run taken"));
    assert!(both, "both processes worked");
    stage.assert_whole("many runs in two processes");
}

mod two_streams {
    use super::*;

    /// The end state of one order, one after the other or at once.
    async fn end_state(order: [usize; 2], at_once: bool) -> (Stage, Vec<String>) {
        let stage = Stage::new().await;
        let _second = Process::start(&stage.database, &Spawn::default()).await;
        let price_shop = stage.billz.billz2.shops()[0].id.to_string();
        let connection = stage.connect(json!({"stock": "sum", "price_shop": price_shop})).await;
        let streams = stage.streams(&connection, 2).await;
        for round in 0..2 {
            if round == 1 {
                stage.billz.billz2.random_changes(&RandomChanges { stock: 20, price: 10, promo: 10, new: 5, deleted: 0, seed: 11 });
            }
            let mut started = Vec::new();
            for place in order {
                let run = stage.start(&connection, &streams[place], "full").await;
                if !at_once {
                    assert_done(&stage.rest.wait(&run).await, "one after the other");
                }
                started.push(run);
            }
            for run in started {
                assert_done(&stage.rest.wait(&run).await, "two streams");
            }
        }
        stage.assert_whole("two streams");
        let state = stage.database.shop_state();
        (stage, state)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn at_once_end_as_if_one_after_the_other_in_both_orders() {
        let (_, expected) = end_state([0, 1], false).await;
        assert!(expected.len() > 30);
        for (order, at_once) in [([0, 1], true), ([1, 0], true), ([1, 0], false)] {
            let (stage, _) = end_state(order, at_once).await;
            stage.assert_state(&expected, &format!("streams {order:?}, at once: {at_once}"));
        }
    }
}

/// A process sleeps in the middle of its writes, beyond its lease; another ends its run; then it wakes.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_slept_through_its_lease_writes_nothing_more() {
    let stage = Stage::without_worker(60).await;
    let (connection, stream) = stage.simple(json!({})).await;
    let sleeper = stage.worker(&Spawn::default()).await;
    // The storefront holds a table, so that the writes stop half way: products without store, category and specials.
    let mut storefront = stage.database.connect();
    statement(&mut storefront, "LOCK TABLES oc_product_to_store READ");
    let run = stage.start(&connection, &stream, "full").await;
    until(&stage, "SELECT COUNT(*) AS number FROM oc_product_description d JOIN oc_product p ON p.product_id = d.product_id WHERE p.model LIKE 'tradesync:%'").await;
    sleeper.signal("-STOP");
    statement(&mut storefront, "UNLOCK TABLES");
    let _other = stage.worker(&Spawn::default()).await;
    let ended = stage.rest.wait(&run).await;
    assert_done(&ended, "taken over from a sleeper");
    stage.assert_whole("taken over from a sleeper");
    let state = stage.database.shop_state();
    assert_eq!(state.len() as u64, ended["counts"]["created"].as_u64().unwrap());

    sleeper.signal("-CONT");
    let limit = Instant::now() + Duration::from_secs(10);
    while !sleeper.output().contains("run left to another worker") {
        assert!(Instant::now() < limit, "the sleeper did not notice:\n{}", sleeper.output());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    stage.assert_state(&state, "after the sleeper woke");
    stage.assert_whole("after the sleeper woke");
    let after = stage.rest.get(&format!("/sync/runs/{run}")).await.ok(200);
    assert_eq!((&after["state"], &after["counts"], &after["finished_at"]), (&ended["state"], &ended["counts"], &ended["finished_at"]));
    // It is a good worker still.
    assert_eq!(stage.sync(&connection, &stream, "full").await["counts"]["unchanged"], ended["counts"]["created"]);
}

fn statement(connection: &mut diesel::MysqlConnection, sql: &str) {
    use diesel::RunQueryDsl;
    diesel::sql_query(sql).execute(connection).unwrap();
}

mod graceful_stop {
    use super::*;

    async fn stopped_when(ready: &str, slow: u64) {
        let stage = Stage::without_worker(1_700).await;
        let (connection, stream) = stage.simple(json!({})).await;
        if slow > 0 {
            slow_pages(&stage, slow);
        }
        // A reader of the storefront keeps the writes half way, so that the run is surely not through.
        let mut storefront = stage.database.connect();
        statement(&mut storefront, "LOCK TABLES oc_product_to_store READ");
        let mut first = stage.worker(&Spawn::default()).await;
        let run = stage.start(&connection, &stream, "full").await;
        until(&stage, ready).await;
        let began = Instant::now();
        first.terminate();
        tokio::time::sleep(Duration::from_millis(200)).await;
        statement(&mut storefront, "UNLOCK TABLES");
        assert!(first.ended(Duration::from_secs(6)).await, "it does not end:\n{}", first.output());
        let took = began.elapsed();
        assert!(took < Duration::from_secs(5), "it took {took:?} to stop");
        let left = stage.rest.get(&format!("/sync/runs/{run}")).await.ok(200);
        assert_eq!(left["state"], "queued", "{left}");
        stage.billz.billz2.clear_faults();
        // No lease has to expire: another worker goes on at once.
        let taken = Instant::now();
        let second = stage.worker(&Spawn::default()).await;
        until(&stage, "SELECT COUNT(*) AS number FROM tradesync_runs WHERE attempts = 2").await;
        assert!(taken.elapsed() < Duration::from_secs(3));
        assert_done(&stage.rest.wait(&run).await, "stopped and gone on");
        drop(second);
        stage.assert_whole("stopped and gone on");
        stage.assert_no_product_twice("stopped and gone on");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn while_reading() {
        stopped_when("SELECT COUNT(*) AS number FROM tradesync_records", 1_000).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn while_deciding() {
        stopped_when("SELECT COUNT(*) AS number FROM tradesync_changes", 0).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn while_applying() {
        stopped_when("SELECT COUNT(*) AS number FROM tradesync_changes WHERE state = 'applying'", 0).await;
    }

    /// An idle process has nothing to wait for.
    #[tokio::test(flavor = "multi_thread")]
    async fn of_an_idle_process() {
        let mut stage = Stage::new().await;
        stage.service.terminate();
        assert!(stage.service.ended(Duration::from_secs(3)).await, "{}", stage.service.output());
    }
}

mod cancel {
    use super::*;

    /// Cancels a run and waits for its end, which must come within about a second.
    async fn cancel(stage: &Stage, connection: &str, stream: &str, run: &str) {
        let began = Instant::now();
        stage.rest.post(&format!("/sync/runs/{run}/cancel"), &json!({})).await.ok(202);
        let ended = stage.rest.wait(run).await;
        let took = began.elapsed();
        assert_eq!(ended["state"], "cancelled", "{ended}");
        assert!(took < Duration::from_secs(2), "the cancel took {took:?}");
        assert!(ended["finished_at"].is_string());
        assert_eq!(stage.live_runs(), 0);
        // The stream is free again, at once.
        stage.billz.billz2.clear_faults();
        assert_done(&stage.sync(connection, stream, "full").await, "after a cancel");
        stage.assert_whole("after a cancel");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_a_run_that_waits_for_the_limit() {
        // The simulated Billz asks for a pause of 29 s, that is 1.5 s here, again and again: the run is waiting all the time.
        let stage = Stage::with(Setup { products: 60, ..Setup::default() }).await;
        let (connection, stream) = stage.simple(json!({})).await;
        stage.billz.billz2.add_fault(Rule::new("/v2/products", u32::MAX, Fault::RateLimited { retry_after: Some(29) }));
        let run = stage.start(&connection, &stream, "full").await;
        until(&stage, "SELECT COUNT(*) AS number FROM tradesync_limits WHERE tat_us > (UNIX_TIMESTAMP(NOW(6)) + 0.5) * 1000000").await;
        stage.rest.post(&format!("/sync/runs/{run}/cancel"), &json!({})).await.ok(202);
        let began = Instant::now();
        assert_eq!(stage.rest.wait(&run).await["state"], "cancelled");
        assert!(began.elapsed() < Duration::from_secs(2), "the cancel took {:?}", began.elapsed());
        stage.billz.billz2.clear_faults();
        assert_done(&stage.sync(&connection, &stream, "full").await, "after a cancel");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_a_run_that_hangs_in_a_remote_call() {
        let stage = Stage::new().await;
        let (connection, stream) = stage.simple(json!({})).await;
        stage.billz.billz2.add_fault(Rule::new("/v2/products", u32::MAX, Fault::Hang { ms: 60_000 }));
        let run = stage.start(&connection, &stream, "full").await;
        let limit = Instant::now() + Duration::from_secs(10);
        while !stage.billz.billz2.faults().iter().any(|rule| rule.fired > 0) {
            assert!(Instant::now() < limit);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        cancel(&stage, &connection, &stream, &run).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_a_queued_run_is_done_with_the_answer() {
        let stage = Stage::without_worker(60).await;
        let (connection, stream) = stage.simple(json!({})).await;
        let run = stage.start(&connection, &stream, "full").await;
        let answer = stage.rest.post(&format!("/sync/runs/{run}/cancel"), &json!({})).await.ok(202);
        assert_eq!(answer["state"], "cancelled", "{answer}");
        stage.rest.post(&format!("/sync/runs/{run}/cancel"), &json!({})).await.problem(409, "not-awaiting");
        let _worker = stage.worker(&Spawn::default()).await;
        assert_done(&stage.sync(&connection, &stream, "full").await, "after a cancel");
        assert_eq!(stage.rest.get(&format!("/sync/runs/{run}")).await.ok(200)["state"], "cancelled");
    }
}

mod lost_database {
    use super::*;

    /// Ends every connection of this stage, the shop's writing session and ours alike.
    fn cut_all(stage: &Stage) -> usize {
        use diesel::RunQueryDsl;
        let ids = stage.database.words(&format!(
            "SELECT CAST(id AS CHAR) AS words FROM information_schema.processlist WHERE db = '{}' AND id <> CONNECTION_ID()",
            stage.database.name
        ));
        let mut connection = stage.database.connect();
        ids.iter().filter(|id| diesel::sql_query(format!("KILL {id}")).execute(&mut connection).is_ok()).count()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn connections_cut_again_and_again_delay_a_run_and_no_more() {
        let stage = Stage::without_worker(1_700).await;
        let (connection, stream) = stage.simple(json!({})).await;
        let _worker = stage.worker(&Spawn::default()).await;
        slow_pages(&stage, 80);
        let run = stage.start(&connection, &stream, "full").await;
        let mut cut = 0;
        // By where the run has got to: while reading, deciding, applying.
        for ready in [
            "SELECT COUNT(*) AS number FROM tradesync_runs WHERE read_rows > 0",
            "SELECT COUNT(*) AS number FROM tradesync_runs WHERE phase <> 'read'",
            "SELECT COUNT(*) AS number FROM tradesync_changes",
            "SELECT COUNT(*) AS number FROM tradesync_changes WHERE state IN ('applying', 'applied')",
            "SELECT COUNT(*) AS number FROM tradesync_changes WHERE state = 'applied'",
        ] {
            until(&stage, ready).await;
            cut += cut_all(&stage);
        }
        assert!(cut >= 5, "{cut} connections cut");
        let ended = stage.rest.wait(&run).await;
        assert_done(&ended, "cut again and again");
        stage.assert_whole("cut again and again");
        stage.assert_no_product_twice("cut again and again");
        assert_eq!(ended["counts"]["created"].as_u64(), Some(stage.database.shop_state().len() as u64), "{ended}");
    }
}
