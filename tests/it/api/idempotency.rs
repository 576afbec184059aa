//! `Idempotency-Key`: the same request acts once, whatever happens in between.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use serde_json::{Value, json};

use super::{api_only, connection_of, id, quiet_stage, sync_body};
use crate::support::{ADMIN_KEY, Answer, Process, Rest, Spawn, Stage, key};

fn with(rest: &Rest, key: &str) -> Rest {
    rest.with_header("idempotency-key", key)
}

/// The second answer is the first one, marked.
#[track_caller]
fn same(first: &Answer, again: &Answer) {
    assert_eq!(again.status, first.status, "{}", again.text);
    assert_eq!(again.text, first.text);
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(first.header("idempotency-replayed"), None);
    assert_eq!(again.header("idempotency-replayed").as_deref(), Some("true"));
}

fn runs(stage: &Stage) -> i64 {
    stage.database.number("SELECT COUNT(*) AS number FROM tradesync_runs")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_gets_its_first_answer_and_acts_once() {
    let mut stage = quiet_stage().await;
    let (connection, stream) = stage.simple(json!({})).await;
    let rest = with(&stage.rest, "k-1");
    let body = sync_body(&connection, &stream);
    let first = rest.post("/sync/billz-opencart", &body).await;
    assert_eq!(first.status, 202);
    same(&first, &rest.post("/sync/billz-opencart", &body).await);
    // Blanks and the order of members are no other body.
    let shuffled = format!("{{ \"stream\": \"{stream}\",  \"mode\": \"full\", \"connection\": \"{connection}\" }}");
    same(&first, &rest.send(reqwest::Method::POST, "/sync/billz-opencart", Some(shuffled.into_bytes())).await);
    assert_eq!(runs(&stage), 1);

    let other = json!({"connection": connection, "stream": stream, "mode": "incremental"});
    rest.post("/sync/billz-opencart", &other).await.problem(422, "idempotency-mismatch");
    rest.post("/sync/billz-opencart", &json!({"connection": connection, "stream": "other"})).await.problem(422, "idempotency-mismatch");
    // Another key is another request.
    with(&stage.rest, "k-2").post("/sync/billz-opencart", &body).await.problem(409, "stream-busy");

    // Whatever becomes of the things that it named.
    stage.rest.post(&format!("/sync/runs/{}/cancel", id(&first.body)), &json!({})).await.ok(202);
    stage.rest.patch(&format!("/connections/{connection}/streams/{stream}"), &json!({"enabled": false})).await.ok(200);
    same(&first, &rest.post("/sync/billz-opencart", &body).await);
    stage.rest.delete(&format!("/connections/{connection}/streams/{stream}")).await.ok(204);
    same(&first, &rest.post("/sync/billz-opencart", &body).await);
    stage.rest.delete(&format!("/connections/{connection}")).await.ok(204);
    same(&first, &rest.post("/sync/billz-opencart", &body).await);

    // Across a restart, and in another process on the same database.
    stage.restart(&api_only()).await;
    same(&first, &with(&stage.rest, "k-1").post("/sync/billz-opencart", &body).await);
    let second = Process::start(&stage.database, &api_only()).await;
    same(&first, &with(&Rest::new(&second.url, ADMIN_KEY), "k-1").post("/sync/billz-opencart", &body).await);
    assert_eq!(runs(&stage), 1);

    // After a day the key is forgotten.
    stage.database.run("UPDATE tradesync_idempotency SET created_at = created_at - INTERVAL 25 HOUR");
    with(&stage.rest, "k-1").post("/sync/billz-opencart", &body).await.problem(404, "not-found");

    for malformed in ["", &"x".repeat(256), "ключ"] {
        with(&stage.rest, malformed).post("/sync/billz-opencart", &body).await.problem(400, "invalid-header");
    }
    with(&stage.rest, "a").with_header("idempotency-key", "b").post("/sync/billz-opencart", &body).await.problem(400, "invalid-header");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acting_post_takes_a_key_and_failures_keep_nothing() {
    let stage = quiet_stage().await;
    let rest = with(&stage.rest, "the-same-key-everywhere");
    // After a 4xx the key is free for the corrected request.
    let mut wrong = connection_of("seller:42");
    wrong["settings"]["colour"] = json!(1);
    rest.post("/connections", &wrong).await.problem(422, "validation-failed");
    let first = rest.post("/connections", &connection_of("seller:42")).await;
    assert_eq!(first.status, 201);
    same(&first, &rest.post("/connections", &connection_of("seller:42")).await);
    let connection = id(&first.body);
    assert_eq!(first.header("location"), Some(format!("/connections/{connection}")));
    assert!(!stage.database.words("SELECT body AS words FROM tradesync_idempotency").concat().contains(crate::support::BILLZ_KEY));

    // The path is part of the scope: the same key serves each of these.
    let streams = format!("/connections/{connection}/streams");
    let first = rest.post(&streams, &json!({"stream": "a"})).await;
    assert_eq!(first.status, 201);
    same(&first, &rest.post(&streams, &json!({"stream": "a"})).await);
    stage.rest.post(&streams, &json!({"stream": "a"})).await.problem(409, "in-use");

    let run = rest.post("/sync/billz-opencart", &sync_body(&connection, "a")).await;
    let run = id(&run.ok(202));
    let settle = |what: &str| format!("/sync/runs/{run}/{what}");
    // A 409 keeps nothing either.
    rest.post(&settle("approve"), &json!({})).await.problem(409, "not-awaiting");
    stage.database.run(&format!("UPDATE tradesync_runs SET state = 'awaiting_approval', live_stream = NULL WHERE id = '{run}'"));
    let first = rest.post(&settle("approve"), &json!({})).await;
    assert_eq!((first.status, first.body["state"].as_str()), (202, Some("queued")));
    same(&first, &rest.post(&settle("approve"), &json!({})).await);
    let first = rest.send(reqwest::Method::POST, &settle("cancel"), None).await;
    assert_eq!((first.status, first.body["state"].as_str()), (202, Some("cancelled")));
    same(&first, &rest.post(&settle("cancel"), &json!({})).await);
    stage.rest.post(&settle("cancel"), &json!({})).await.problem(409, "not-awaiting");
    stage.database.run(&format!("UPDATE tradesync_runs SET state = 'awaiting_approval' WHERE id = '{run}'"));
    let first = rest.post(&settle("reject"), &json!({})).await;
    assert_eq!((first.status, first.body["state"].as_str()), (202, Some("cancelled")));
    same(&first, &rest.post(&settle("reject"), &json!({})).await);

    // Who asks, and on whose behalf, are parts of the scope as well.
    let body = connection_of("seller:42");
    let narrowed = rest.with_header("x-on-behalf-of", "seller:42").post("/connections", &body).await;
    assert_eq!((narrowed.status, narrowed.header("idempotency-replayed")), (201, None));
    let other = rest.with_key(&key(&stage.database, &["--role", "admin"]).key).post("/connections", &body).await;
    assert_eq!((other.status, other.header("idempotency-replayed")), (201, None));
    assert_eq!(stage.database.number("SELECT COUNT(*) AS number FROM tradesync_connections"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmed_link_is_answered_again_after_it_was_removed() {
    let stage = Stage::new().await;
    tradesync::demo::shop::fill_from_excel(&stage.database.url, &stage.billz.billz2).await.unwrap();
    let (connection, stream) = stage.simple(json!({"linking": "confirm"})).await;
    stage.sync(&connection, &stream, "full").await;
    let question = stage.rest.all(&format!("/connections/{connection}/links?state=proposed")).await.remove(0);
    let link = format!("/connections/{connection}/links/{}", question["source"].as_str().unwrap());
    let rest = with(&stage.rest, "yes");
    let first = rest.send(reqwest::Method::POST, &format!("{link}/confirm"), None).await;
    assert_eq!((first.status, first.body["state"].as_str()), (200, Some("linked")), "{}", first.text);
    stage.rest.delete(&link).await.ok(204);
    same(&first, &rest.post(&format!("{link}/confirm"), &json!({})).await);
    stage.rest.post(&format!("{link}/confirm"), &json!({})).await.problem(404, "not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_twin_in_flight_is_told_to_wait() {
    let stage = quiet_stage().await;
    let rest = with(&stage.rest, "twins");
    let body = connection_of("seller:42");
    // The table is locked, so that the first request stays at work until we let it end.
    let mut lock = stage.database.connect();
    lock.batch_execute("LOCK TABLES tradesync_connections WRITE").unwrap();
    let first = tokio::spawn({
        let (rest, body) = (rest.clone(), body.clone());
        async move { rest.post("/connections", &body).await }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    rest.post("/connections", &body).await.problem(409, "request-in-progress");
    assert!(!first.is_finished());
    lock.batch_execute("UNLOCK TABLES").unwrap();
    let first = first.await.unwrap();
    assert_eq!(first.status, 201, "{}", first.text);
    same(&first, &rest.post("/connections", &body).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_twins_at_two_processes_make_one_run() {
    let stage = quiet_stage().await;
    let (connection, stream) = stage.simple(json!({})).await;
    let second = Process::start(&stage.database, &Spawn { ..api_only() }).await;
    let body = sync_body(&connection, &stream);
    for round in 0..4 {
        let calls = (0..6).map(|number| {
            let base = if number % 2 == 0 { &stage.service.url } else { &second.url };
            let (rest, body) = (with(&Rest::new(base, ADMIN_KEY), &format!("round-{round}")), body.clone());
            tokio::spawn(async move { rest.post("/sync/billz-opencart", &body).await })
        });
        let mut ids = Vec::new();
        for call in calls.collect::<Vec<_>>() {
            let answer = call.await.unwrap();
            match answer.status {
                202 => ids.push(id(&answer.body)),
                _ => drop::<Value>(answer.problem(409, "request-in-progress")),
            }
        }
        ids.dedup();
        assert_eq!(ids.len(), 1, "{ids:?}");
        assert_eq!(runs(&stage), round + 1);
        stage.rest.post(&format!("/sync/runs/{}/cancel", ids[0]), &json!({})).await.ok(202);
    }
    // Without keys: one run, and the others are shown to it.
    let calls = (0..4).map(|_| {
        let (rest, body) = (stage.rest.clone(), body.clone());
        tokio::spawn(async move { rest.post("/sync/billz-opencart", &body).await })
    });
    let (mut made, mut busy) = (Vec::new(), Vec::new());
    for call in calls.collect::<Vec<_>>() {
        let answer = call.await.unwrap();
        if answer.status == 202 {
            made.push(answer.header("location").unwrap())
        } else {
            busy.push(answer.problem(409, "stream-busy")["run"].as_str().unwrap().to_owned())
        }
    }
    assert_eq!((made.len(), busy.len()), (1, 3));
    assert!(busy.iter().all(|run| *run == made[0]), "{busy:?}");
}
