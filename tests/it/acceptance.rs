//! What every flow must hold, for a seller of Billz 1 and for one of Billz 2 alike: each test stands here once and runs for both.

use std::time::Duration;

use serde_json::{Value, json};
use tradesync::sandbox::{billz1, billz2};

use crate::support::{ADMIN_KEY, Api, BILLZ_KEY, BILLZ_USERNAME, MASTER_KEY, Setup, Spawn, Stage, TIME_FACTOR, assert_done};

/// One test per Billz.
macro_rules! for_both {
    ($($(#[$doc:meta])* $name:ident)+) => {
        mod of_billz1 {
            use super::*;
            $($(#[$doc])* #[tokio::test(flavor = "multi_thread")] async fn $name() { super::$name(Api::Billz1).await })+
        }
        mod of_billz2 {
            use super::*;
            $($(#[$doc])* #[tokio::test(flavor = "multi_thread")] async fn $name() { super::$name(Api::Billz2).await })+
        }
    };
}

for_both! {
    /// «первая выборка - полная, после которой заполняется дата синхронизации»
    the_first_run_is_full_and_fills_the_date_of_synchronisation
    /// «Выборка осуществляется начиная с даты последней синхронизации»
    the_next_run_asks_from_the_date_of_the_last_one_and_brings_what_moved
    a_second_run_writes_nothing
    a_run_that_is_killed_comes_to_the_same_end
    one_bad_item_stops_no_other
    an_expired_token_costs_one_refresh
    a_429_is_obeyed_and_is_no_failure
    goods_that_are_delivered_twice_count_once
    a_remote_that_is_down_leaves_shop_and_cursor_alone
    a_dry_run_makes_no_changing_call
    no_secret_is_in_any_log_or_table
}

/// Goods move in Billz; returns how many must arrive as updated.
fn trade(stage: &Stage) -> usize {
    match stage.api {
        Api::Billz1 => {
            let wanted = billz1::catalogue::RandomChanges { price: 6, seed: 4, ..Default::default() };
            stage.billz.billz1.random_changes(&wanted).price.len()
        }
        Api::Billz2 => {
            let wanted = billz2::changes::RandomChanges { price: 6, seed: 4, ..Default::default() };
            stage.billz.billz2.random_changes(&wanted).price.len()
        }
    }
}

/// Questions for products so far.
fn questions(stage: &Stage) -> Vec<String> {
    match stage.api {
        Api::Billz1 => stage.billz.billz1.requests().requests.into_iter().map(|entry| entry.target).collect(),
        Api::Billz2 => stage.product_requests(),
    }
}

/// Whether a question asks for what moved since a date.
fn is_delta(question: &str) -> bool {
    question.contains("LastUpdatedDate") || question.contains("last_updated_date")
}

async fn the_first_run_is_full_and_fills_the_date_of_synchronisation(api: Api) {
    let stage = Stage::of(api).await;
    let (connection, stream) = stage.simple(json!({})).await;
    assert_eq!(stage.stream(&connection, &stream).await["last_synced_at"], Value::Null);
    let run = stage.sync(&connection, &stream, "incremental").await;
    assert_done(&run, "first run");
    assert_eq!((&run["mode"], &run["read"]["mode"], &run["cursor_before"]), (&json!("incremental"), &json!("full"), &Value::Null), "{run}");
    assert!(questions(&stage).iter().all(|question| !is_delta(question)));
    let row = stage.stream(&connection, &stream).await;
    assert!(!row["last_synced_at"].is_null() && !row["cursor"].is_null(), "{row}");
    stage.must_agree(&connection, &[stream], "first run").await;
    stage.assert_whole("first run");
}

async fn the_next_run_asks_from_the_date_of_the_last_one_and_brings_what_moved(api: Api) {
    let stage = Stage::of(api).await;
    let (connection, stream) = stage.simple(json!({"full_every": "1000h"})).await;
    let first = stage.sync(&connection, &stream, "incremental").await;
    let moved = trade(&stage);
    let before = questions(&stage).len();
    let run = stage.sync(&connection, &stream, "incremental").await;
    assert_done(&run, "delta");
    assert_eq!((&run["read"]["mode"], &run["progress"]["read"]), (&json!("incremental"), &json!(moved)), "{run}");
    let asked = questions(&stage).split_off(before);
    let cursor: chrono::DateTime<chrono::Utc> = first["cursor_after"].as_str().unwrap().parse().unwrap();
    let date = match api {
        Api::Billz1 => cursor.format("\"LastUpdatedDate\":\"%Y-%m-%dT%H:%M:%SZ\"").to_string(),
        Api::Billz2 => cursor.format("last_updated_date=%Y-%m-%d+%H%%3A%M%%3A%S").to_string(),
    };
    assert!(asked.len() == 1 && asked[0].contains(&date), "{asked:?}: {date}");
    stage.must_agree(&connection, &[stream], "after the delta").await;
}

async fn a_second_run_writes_nothing(api: Api) {
    let stage = Stage::of(api).await;
    let (connection, stream) = stage.simple(json!({})).await;
    let first = stage.sync(&connection, &stream, "full").await;
    let state = stage.database.fingerprint();
    let second = stage.sync(&connection, &stream, "full").await;
    assert_eq!((&second["counts"]["created"], &second["counts"]["updated"]), (&json!(0), &json!(0)), "{second}");
    assert_eq!(second["counts"]["unchanged"], first["counts"]["created"], "{second}");
    assert_eq!(stage.database.fingerprint(), state, "a table of the shop was written");
}

async fn a_run_that_is_killed_comes_to_the_same_end(api: Api) {
    let undisturbed = Stage::of(api).await;
    let (connection, stream) = undisturbed.simple(json!({})).await;
    let expected_run = undisturbed.sync(&connection, &stream, "full").await;
    let expected = undisturbed.database.shop_state();
    for points in [&["after-page-read", "after-effect"][..], &["product-without-children"], &["before-cursor"]] {
        let stage = Stage::without_worker_of(api, 60).await;
        let (connection, stream) = stage.simple(json!({})).await;
        let run = stage.start(&connection, &stream, "full").await;
        for point in points {
            let mut worker = stage.worker(&Spawn::failing_at(point)).await;
            assert!(worker.ended(Duration::from_secs(30)).await && worker.aborted(), "{point} was never passed\n{}", worker.output());
        }
        let _worker = stage.worker(&Spawn::default()).await;
        let ended = stage.rest.wait(&run).await;
        assert_done(&ended, points[0]);
        assert_eq!(ended["counts"], expected_run["counts"], "{points:?}");
        stage.assert_whole(points[0]);
        stage.assert_state(&expected, points[0]);
    }
}

async fn one_bad_item_stops_no_other(api: Api) {
    let stage = Stage::of(api).await;
    let (connection, stream) = stage.simple(json!({})).await;
    match api {
        Api::Billz1 => stage.billz.billz1.fault_once(billz1::faults::Fault::BadRow { row: 0, nameless: false }),
        Api::Billz2 => {
            let fault = billz2::faults::Fault::BadRow { field: billz2::faults::BadField::Price, row: 4 };
            stage.billz.billz2.fault_once("/v2/products", fault);
        }
    }
    let run = stage.sync(&connection, &stream, "full").await;
    assert_eq!((&run["state"], &run["counts"]["failed"], &run["whole"]), (&json!("partial"), &json!(1), &json!(true)), "{run}");
    assert!(run["counts"]["created"].as_u64().unwrap() > 30, "{run}");
    let failed = stage.items(&run).await.into_iter().find(|item| item["outcome"] == "failed").unwrap();
    assert!(!failed["reason"]["text"].as_str().unwrap().is_empty(), "{failed}");
    let healed = stage.sync(&connection, &stream, "full").await;
    assert_eq!((&healed["state"], &healed["counts"]["failed"]), (&json!("succeeded"), &json!(0)), "{healed}");
    stage.must_agree(&connection, &[stream], "healed").await;
}

async fn an_expired_token_costs_one_refresh(api: Api) {
    let stage = Stage::of(api).await;
    let (connection, stream) = stage.simple(json!({"full_every": "1000h"})).await;
    assert_done(&stage.sync(&connection, &stream, "full").await, "before");
    let before = questions(&stage).len();
    let logins = stage.billz.billz2.state().logins;
    match api {
        Api::Billz1 => stage.billz.billz1.fault_once(billz1::faults::Fault::ExpiredToken),
        Api::Billz2 => stage.billz.billz2.fault_once("/v2/products", billz2::faults::Fault::ExpiredToken),
    }
    assert_done(&stage.sync(&connection, &stream, "incremental").await, "expired");
    assert_eq!(questions(&stage).len(), before + 2, "the refused question and its one repetition");
    assert_eq!(stage.billz.billz2.state().logins, logins + u64::from(api == Api::Billz2));
}

async fn a_429_is_obeyed_and_is_no_failure(api: Api) {
    let stage = Stage::of(api).await;
    let (connection, stream) = stage.simple(json!({})).await;
    match api {
        Api::Billz1 => stage.billz.billz1.fault_once(billz1::faults::Fault::RateLimited { retry_after: Some(10) }),
        Api::Billz2 => stage.billz.billz2.fault_once("/v2/products", billz2::faults::Fault::RateLimited { retry_after: Some(10) }),
    }
    let run = stage.sync(&connection, &stream, "full").await;
    assert_eq!((&run["state"], &run["counts"]["failed"]), (&json!("succeeded"), &json!(0)), "{run}");
    let requests = match api {
        Api::Billz1 => stage.billz.billz1.requests().requests.into_iter().map(|entry| (entry.status, entry.at_ms)).collect::<Vec<_>>(),
        Api::Billz2 => stage.billz.billz2.requests().requests.into_iter().map(|entry| (entry.status, entry.at_ms)).collect(),
    };
    let limited = requests.iter().position(|(status, _)| *status == 429).unwrap();
    let pause_ms = requests[limited + 1].1 - requests[limited].1;
    assert!(pause_ms >= 10_000.0 / TIME_FACTOR, "Retry-After: 10 was not obeyed: {pause_ms} ms");
}

/// Billz 2 shows a page again in place of the next; Billz 1 has one page, so its answer comes again, with the date set back.
async fn goods_that_are_delivered_twice_count_once(api: Api) {
    let stage = Stage::with(Setup { api, products: if api == Api::Billz2 { 260 } else { 60 }, ..Setup::default() }).await;
    let (connection, stream) = stage.simple(json!({"read_reuse": "0s"})).await;
    if api == Api::Billz2 {
        let twice = billz2::faults::Rule::new("/v2/products", 1, billz2::faults::Fault::DuplicatePage).query("page=2");
        stage.billz.billz2.add_fault(twice);
    }
    let run = stage.sync(&connection, &stream, "full").await;
    assert_eq!((&run["state"], &run["whole"]), (&json!("succeeded"), &json!(true)), "{run}");
    stage.assert_no_product_twice("delivered twice");
    let state = stage.database.fingerprint();
    stage.rest.patch(&format!("/connections/{connection}/streams/{stream}"), &json!({"cursor": "2020-01-01T00:00:00Z"})).await.ok(200);
    let run = stage.sync(&connection, &stream, "incremental").await;
    assert_eq!((&run["state"], &run["counts"]["created"], &run["counts"]["updated"]), (&json!("succeeded"), &json!(0), &json!(0)), "{run}");
    assert_eq!(stage.database.fingerprint(), state);
}

async fn a_remote_that_is_down_leaves_shop_and_cursor_alone(api: Api) {
    let stage = Stage::of(api).await;
    let (connection, stream) = stage.simple(json!({"full_every": "1000h"})).await;
    stage.sync(&connection, &stream, "full").await;
    let moved = trade(&stage);
    let (state, row) = (stage.database.shop_state(), stage.stream(&connection, &stream).await);
    match api {
        Api::Billz1 => stage.billz.billz1.add_fault(billz1::faults::Rule::new(1_000, billz1::faults::Fault::Drop)),
        Api::Billz2 => stage.billz.billz2.add_fault(billz2::faults::Rule::new("/v2/products", 1_000, billz2::faults::Fault::Drop)),
    }
    for mode in ["incremental", "full"] {
        let run = stage.sync(&connection, &stream, mode).await;
        assert_eq!((&run["state"], &run["error"]["code"]), (&json!("failed"), &json!("remote-unavailable")), "{run}");
        let now = stage.stream(&connection, &stream).await;
        assert_eq!((&now["cursor"], &now["last_synced_at"]), (&row["cursor"], &row["last_synced_at"]));
        assert_eq!(stage.database.shop_state(), state);
    }
    stage.billz.billz1.clear_faults();
    stage.billz.billz2.clear_faults();
    let run = stage.sync(&connection, &stream, "incremental").await;
    assert_eq!((&run["state"], &run["progress"]["read"]), (&json!("succeeded"), &json!(moved)), "{run}");
    stage.must_agree(&connection, &[stream], "healed").await;
}

async fn a_dry_run_makes_no_changing_call(api: Api) {
    let stage = Stage::of(api).await;
    let (connection, stream) = stage.simple(json!({})).await;
    let body = json!({"connection": connection, "stream": stream, "mode": "full", "dry_run": true});
    for _ in 0..2 {
        let frozen = stage.database.freeze();
        let run = stage.rest.post("/sync/billz-opencart", &body).await.ok(202)["id"].as_str().unwrap().to_owned();
        let run = stage.rest.wait(&run).await;
        frozen.thaw();
        assert_eq!(run["state"], "awaiting_approval", "{run}");
        // The second one finds the shop as the plan would have it, but for a change.
        if run["counts"]["created"].as_u64().unwrap() > 0 {
            stage.sync(&connection, &stream, "full").await;
            trade(&stage);
        } else {
            assert!(run["counts"]["updated"].as_u64().unwrap() > 0, "{run}");
        }
    }
    if api == Api::Billz1 {
        let report = stage.billz.billz1.requests();
        assert_eq!(
            report
                .routes
                .keys()
                .map(|route| route.split(' ').take(2).collect::<Vec<_>>().join(" "))
                .collect::<std::collections::BTreeSet<_>>()
                .into_iter()
                .collect::<Vec<_>>(),
            ["POST /v1/"]
        );
    } else {
        let report = stage.billz.billz2.requests();
        assert!(
            report.routes.keys().all(|route| route.starts_with("GET ") || route == "POST /v1/auth/login"),
            "{:?}",
            report.routes.keys()
        );
    }
}

async fn no_secret_is_in_any_log_or_table(api: Api) {
    let spawn = Spawn::default().with("TRADESYNC_LOG", "trace");
    let stage = Stage::with(Setup { api, spawn, ..Setup::default() }).await;
    let (connection, stream) = stage.simple(json!({})).await;
    let mut seen = Vec::new();
    let mut see = |what: &str, text: String| seen.push((what.to_owned(), text));
    see("a run", stage.sync(&connection, &stream, "full").await.to_string());
    for path in [format!("/connections/{connection}"), "/metrics".into(), "/sync/runs".into()] {
        see(&path, stage.rest.get(&path).await.text);
    }
    see("check", stage.rest.post(&format!("/connections/{connection}/check"), &json!({})).await.text);
    see("discover", stage.rest.post(&format!("/connections/{connection}/streams/discover"), &json!({})).await.text);
    // The remote refuses the key, and the words of that go everywhere.
    stage.billz.billz1.set_switches(|switches| switches.secret = "another".into());
    stage.billz.billz2.set_switches(|switches| switches.secret = "another".into());
    stage.billz.billz2.expire_tokens();
    let refused = stage.sync(&connection, &stream, "full").await;
    assert_eq!(refused["error"]["code"], "remote-auth", "{refused}");
    see("a refused run", refused.to_string());
    for table in stage.database.words(
        "SELECT table_name AS words FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE 'tradesync\\_%'",
    ) {
        let columns = stage.database.cell(&format!(
            "SELECT GROUP_CONCAT(CONCAT('IFNULL(`', column_name, '`, '''')')) FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = '{table}'"
        ));
        see(&table, stage.database.words(&format!("SELECT CAST(CONCAT_WS('|', {columns}) AS CHAR) AS words FROM {table}")).join("\n"));
    }
    let log = stage.service.output();
    assert!(log.contains("TRACE") && log.len() > 10_000);
    see("the log", log);
    for (what, text) in &seen {
        for secret in [BILLZ_KEY, ADMIN_KEY, MASTER_KEY, BILLZ_USERNAME, &BILLZ_USERNAME.to_lowercase(), "eyJ0eXAi", "eyJhbGci"] {
            assert!(!text.contains(secret), "{what} shows {secret}");
        }
    }
}
