//! "Last success older than 3 periods", judged without the scheduler: by a process that only answers requests.

use serde_json::{Value, json};

use super::{Receiver, a_while, copy, set, tells, told, until, webhook};
use crate::support::{Spawn, Stage, assert_done};

/// Only silence and dead workers, and no patience.
fn rules(on: &[&str]) -> Value {
    let is = |rule: &str| on.contains(&rule);
    json!({
        "stale": {"on": is("stale"), "patience": "0s"}, "no_worker": {"on": is("no_worker"), "after": "1m"}, "failures": {"on": false},
        "held": {"on": false}, "skipped": {"on": is("skipped"), "in_row": 3}, "retry_list": {"on": false},
    })
}

async fn schedule(stage: &Stage, connection: &str, stream: &str, rule: Value) -> String {
    let mut body = json!({"connection": connection, "stream": stream});
    body.as_object_mut().unwrap().extend(rule.as_object().unwrap().clone());
    format!("/schedules/{}", stage.rest.post("/schedules", &body).await.ok(201)["id"].as_str().unwrap())
}

/// All workers are dead: the silence is told by whoever still answers requests, and so is its end.
#[tokio::test(flavor = "multi_thread")]
async fn when_every_worker_is_dead_a_process_that_only_answers_requests_tells_of_the_silence() {
    let stage = Stage::without_worker(10).await;
    let (silent, dead) = (Receiver::willing().await, Receiver::willing().await);
    let (connection, stream) = stage.simple(json!({})).await;
    let mut worker = stage.worker(&Spawn::default()).await;
    assert_done(&stage.sync(&connection, &stream, "full").await, "before");
    let path = schedule(&stage, &connection, &stream, json!({"every": "10s"})).await;
    until("no scheduled run", async || !stage.rest.all(&format!("{path}/runs")).await.is_empty()).await;
    worker.kill();
    let mut channels = [webhook("silent", &silent), webhook("dead", &dead)];
    channels[0]["rules"] = json!(["stale"]);
    channels[1]["rules"] = json!(["no_worker"]);
    set(&stage.rest, json!(channels), rules(&["stale", "no_worker"])).await;
    let raised = format!("raised stale {stream}");
    tells(&silent, &[&raised]).await;
    tells(&dead, &["raised no_worker -"]).await;
    let _worker = stage.worker(&Spawn::default()).await;
    tells(&silent, &[&raised, &format!("over stale {stream}")]).await;
    tells(&dead, &["raised no_worker -", "over no_worker -"]).await;
}

/// Closed hours, a stopped schedule, a disabled shop and one without a schedule are not silent, however long ago their last success was.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_expected_to_run_is_not_silent() {
    let stage = Stage::without_worker(5).await;
    let receiver = Receiver::willing().await;
    let connection = stage.connect(json!({})).await;
    let keys = stage.streams(&connection, 3).await;
    // Hours that began long ago and hours that come: by the hour of now in UTC, neither of them is open.
    let hour = chrono::Timelike::hour(&chrono::Utc::now());
    let window = json!({"from": format!("{:02}:00", (hour + 3) % 24), "to": format!("{:02}:00", (hour + 5) % 24)});
    let closed = schedule(&stage, &connection, &keys[0], json!({"every": "1m", "window": window})).await;
    let stopped = schedule(&stage, &connection, &keys[1], json!({"every": "5s"})).await;
    stage.rest.post(&format!("{stopped}/stop"), &json!({})).await.ok(200);
    let late = schedule(&stage, &connection, &keys[2], json!({"every": "5s"})).await;
    let (other, disabled) = stage.seller(json!({})).await;
    schedule(&stage, &other, &disabled, json!({"every": "5s"})).await;
    stage.rest.patch(&format!("/connections/{other}"), &json!({"enabled": false})).await.ok(200);
    let (_, _unscheduled) = stage.seller(json!({})).await;
    // All were synchronised before the hours of the first closed, and never since. (A schedule that was just made is watched from then on.)
    stage.database.run(
        "UPDATE tradesync_schedules SET updated_at = updated_at - INTERVAL 30 DAY; \
         INSERT INTO tradesync_stream_health (connection_id, stream, last_success_at) SELECT connection_id, stream, UTC_TIMESTAMP(6) - INTERVAL 1 HOUR FROM tradesync_streams \
         ON DUPLICATE KEY UPDATE last_success_at = VALUES(last_success_at)",
    );
    set(&stage.rest, json!([webhook("ops", &receiver)]), rules(&["stale"])).await;
    let raised = format!("raised stale {}", keys[2]);
    tells(&receiver, &[&raised]).await;
    a_while().await;
    assert_eq!(told(&receiver), [raised.as_str()], "only what was expected: {closed}");
    // Whoever stops what is silent hears no more of it: not that it is well, for it is not.
    stage.rest.post(&format!("{late}/stop"), &json!({})).await.ok(200);
    until("it still stands", async || stage.rest.get("/alerts").await.ok(200)["standing"] == json!([])).await;
    // Started again, it is expected from then on; enabled again, so is the other one.
    stage.rest.post(&format!("{late}/start"), &json!({})).await.ok(200);
    stage.rest.patch(&format!("/connections/{other}"), &json!({"enabled": true})).await.ok(200);
    until("both are silent", async || told(&receiver).len() >= 3).await;
    let mut again = told(&receiver).split_off(1);
    again.sort();
    let mut expected = vec![raised.clone(), format!("raised stale {disabled}")];
    expected.sort();
    assert_eq!(again, expected);
    let since: Vec<String> = receiver.got().iter().skip(1).map(|got| got.json()["data"]["text"].as_str().unwrap().to_owned()).collect();
    assert!(since.iter().all(|text| text.contains("The last successful synchronisation was")), "{since:?}");
}

/// Due times that pass one after another because the run before does not end are told.
#[tokio::test(flavor = "multi_thread")]
async fn due_times_that_are_skipped_again_and_again_are_told() {
    let stage = Stage::new().await;
    let receiver = Receiver::willing().await;
    let _copy = copy(&stage).await;
    let (connection, stream) = stage.simple(json!({})).await;
    set(&stage.rest, json!([webhook("ops", &receiver)]), rules(&["skipped"])).await;
    crate::concurrency::slow_pages(&stage, 2_000);
    let path = schedule(&stage, &connection, &stream, json!({"every": "5s"})).await;
    until("it is not told", async || !told(&receiver).is_empty()).await;
    assert_eq!(told(&receiver)[0], format!("raised skipped {stream}"));
    let text = receiver.got()[0].json()["data"]["text"].as_str().unwrap().to_owned();
    assert!(text.contains("the one before had not ended yet"), "{text}");
    stage.rest.post(&format!("{path}/stop"), &json!({})).await.ok(200);
}
