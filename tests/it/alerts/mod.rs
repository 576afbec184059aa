//! Whoever runs a shop is told when something is not as it should be: once, in their words, over their channels, whatever dies.

mod channels;
pub mod receivers;
mod settings;
mod silence;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Process, Rest, Setup, Spawn, Stage};
use receivers::{Receiver, verified};

/// A secret of 24 bytes, for tests only.
pub const SECRET: &str = "whsec_dGVzdHMtb25seS0yNC1ieXRlcy1sb25n";

pub fn webhook(id: &str, receiver: &Receiver) -> Value {
    json!({"id": id, "kind": "webhook", "url": format!("{}/{id}", receiver.url), "secrets": {"secret": SECRET}})
}

/// Sets alerts in English; `over` is laid over the rest.
pub async fn set(rest: &Rest, channels: Value, rules: Value) -> Value {
    let body = json!({"language": "en", "timezone": "Asia/Tashkent", "rules": rules, "channels": channels});
    rest.put_matching("/alerts", "*", &body).await.ok(200)
}

/// Waits until something holds.
async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(40);
    while !holds().await {
        assert!(Instant::now() < limit, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// `phase rule stream` of every verified alert, in the order in which they came.
fn told(receiver: &Receiver) -> Vec<String> {
    let one = |got: &receivers::Got| {
        let body = verified(got, SECRET);
        let data = &body["data"];
        format!(
            "{} {} {}",
            data["phase"].as_str().unwrap(),
            data["rule"].as_str().unwrap_or("-"),
            data["items"][0]["stream"].as_str().unwrap_or("-")
        )
    };
    receiver.got().iter().map(one).collect()
}

pub async fn tells(receiver: &Receiver, expected: &[&str]) {
    until(&format!("{expected:?} is not told"), async || told(receiver).len() >= expected.len()).await;
    assert_eq!(told(receiver), expected);
}

/// A while in which several looks and attempts happen: what is not told by then is not told.
async fn a_while() {
    tokio::time::sleep(Duration::from_millis(2_500)).await;
}

/// A connection whose key is wrong: each run fails at once.
async fn locked_out(stage: &Stage) -> (String, String) {
    let (connection, stream) = stage.simple(json!({})).await;
    stage.rest.patch(&format!("/connections/{connection}"), &json!({"secrets": {"secret": "a-wrong-billz-key"}})).await.ok(200);
    (connection, stream)
}

async fn fails(stage: &Stage, connection: &str, stream: &str) {
    let run = stage.sync(connection, stream, "full").await;
    assert_eq!((&run["state"], &run["error"]["code"]), (&json!("failed"), &json!("remote-auth")), "{run}");
}

async fn unlock(stage: &Stage, connection: &str) {
    stage.rest.patch(&format!("/connections/{connection}"), &json!({"secrets": {"secret": crate::support::BILLZ_KEY}})).await.ok(200);
}

/// One more process that does everything.
async fn copy(stage: &Stage) -> Process {
    Process::start(&stage.database, &Spawn::default()).await
}

/// N failures in a row, told once by two processes, with what a shop owner needs to know; and that it is well again.
#[tokio::test(flavor = "multi_thread")]
async fn failures_in_a_row_and_recovery_are_each_told_once_by_two_processes() {
    let spawn = Spawn::default().with("TRADESYNC_PUBLIC_URL", "https://sync.example");
    let stage = Stage::with(Setup { products: 5, spawn: spawn.clone(), ..Setup::default() }).await;
    let _other = Process::start(&stage.database, &spawn).await;
    let receiver = Receiver::willing().await;
    set(&stage.rest, json!([webhook("ops", &receiver)]), json!({"failures": {"in_row": 2}})).await;
    let (connection, stream) = locked_out(&stage).await;
    fails(&stage, &connection, &stream).await;
    a_while().await;
    assert_eq!(told(&receiver), [""; 0], "one failure is none");
    fails(&stage, &connection, &stream).await;
    tells(&receiver, &[&format!("raised failures {stream}")]).await;
    let body = verified(&receiver.got()[0], SECRET);
    assert_eq!((&body["type"], &body["data"]["language"]), (&json!("alert.raised"), &json!("en")));
    let item = &body["data"]["items"][0];
    assert_eq!(
        (&item["connection"], &item["owner"], &item["values"]["code"]),
        (&json!(connection), &json!("seller:42"), &json!("remote-auth"))
    );
    assert_eq!(body["data"]["link"], format!("https://sync.example/sync/runs/{}", item["run"].as_str().unwrap()));
    let text = body["data"]["text"].as_str().unwrap();
    assert!(text.contains("failed 2 times in a row") && text.contains("(Asia/Tashkent)") && text.contains("Check the key"), "{text}");
    let standing = stage.rest.get("/alerts").await.ok(200)["standing"].clone();
    assert_eq!(
        (&standing[0]["rule"], &standing[0]["connection"], &standing[0]["told"]),
        (&json!("failures"), &json!(connection), &json!(1))
    );
    // It goes on failing; nobody wants to hear of it each time.
    fails(&stage, &connection, &stream).await;
    a_while().await;
    assert_eq!(told(&receiver).len(), 1);
    unlock(&stage, &connection).await;
    stage.sync(&connection, &stream, "full").await;
    tells(&receiver, &[&format!("raised failures {stream}"), &format!("over failures {stream}")]).await;
    a_while().await;
    assert_eq!(told(&receiver).len(), 2, "by two processes, each once");
    let now = stage.rest.get("/alerts").await.ok(200);
    assert_eq!((&now["standing"], &now["channels"][0]["delivery"]["waiting"]), (&json!([]), &json!(0)));
    assert!(now["channels"][0]["delivery"]["last_delivered_at"].is_string(), "{now}");
}

/// A process that dies after the receiver took the alert and before that is written down: it is sent once more, under the same id.
#[tokio::test(flavor = "multi_thread")]
async fn killed_between_sending_and_writing_down_it_is_sent_again_under_the_same_id() {
    let mut stage = Stage::with(Setup { products: 5, ..Setup::default() }).await;
    let receiver = Receiver::willing().await;
    set(&stage.rest, json!([webhook("ops", &receiver)]), json!({"failures": {"in_row": 1}})).await;
    let (connection, stream) = locked_out(&stage).await;
    stage.restart(&Spawn::failing_at("alert-sent")).await;
    stage.start(&connection, &stream, "full").await;
    assert!(stage.service.ended(Duration::from_secs(30)).await && stage.service.aborted());
    assert_eq!(receiver.got().len(), 1);
    stage.restart(&Spawn::default()).await;
    let raised = format!("raised failures {stream}");
    tells(&receiver, &[&raised, &raised]).await;
    let got = receiver.got();
    assert_eq!(got[0].header("webhook-id"), got[1].header("webhook-id"));
    assert_eq!(got[0].json(), got[1].json());
    a_while().await;
    assert_eq!(receiver.got().len(), 2);
    assert_eq!(stage.rest.get("/alerts").await.ok(200)["channels"][0]["delivery"]["waiting"], 0);
    assert_eq!(stage.database.number("SELECT COUNT(*) AS number FROM tradesync_alerts"), 1);
    assert_eq!(stage.database.number("SELECT CAST(attempts AS SIGNED) AS number FROM tradesync_alert_deliveries"), 2);
}

/// A receiver that does not answer is tried again, seen in GET /alerts, and in nobody's way.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_channel_is_seen_and_in_nobodys_way_and_gets_its_alerts_when_it_lives_again() {
    let stage = Stage::with(Setup { products: 5, ..Setup::default() }).await;
    let (dead, well) =
        (Receiver::start(|_, nth| if nth < 3 { (503, "down".to_owned()) } else { (204, String::new()) }).await, Receiver::willing().await);
    set(&stage.rest, json!([webhook("dead", &dead), webhook("well", &well)]), json!({"failures": {"in_row": 1}})).await;
    let (connection, stream) = locked_out(&stage).await;
    fails(&stage, &connection, &stream).await;
    unlock(&stage, &connection).await;
    tells(&well, &[&format!("raised failures {stream}")]).await;
    until("the dead channel is not seen", async || {
        let now = stage.rest.get("/alerts").await.ok(200);
        let delivery = &now["channels"][0]["delivery"];
        delivery["last_failed_at"].is_string() && delivery["last_error"].as_str().is_some_and(|error| error.contains("503"))
    })
    .await;
    stage.sync(&connection, &stream, "full").await;
    let (raised, over) = (format!("raised failures {stream}"), format!("over failures {stream}"));
    tells(&well, &[&raised, &over]).await;
    // In its own order: first what happened first, until it was taken.
    until("the dead channel gets nothing", async || dead.got().len() >= 5).await;
    assert_eq!(told(&dead), [raised.as_str(), &raised, &raised, &raised, &over]);
    let ids: std::collections::BTreeSet<String> = dead.got().iter().map(|got| got.header("webhook-id").to_owned()).collect();
    assert_eq!(ids.len(), 2);
}

/// Changes that a brake holds: told with the brake's words; over when a person has decided.
#[tokio::test(flavor = "multi_thread")]
async fn a_held_run_is_told_with_the_brakes_words_until_a_person_decides() {
    let stage = Stage::empty().await;
    let receiver = Receiver::willing().await;
    let goods: Vec<String> = (0..30).map(|_| stage.good(json!({}))).collect();
    let (connection, stream) = stage.simple(json!({})).await;
    stage.full(&connection, &stream).await;
    set(&stage.rest, json!([webhook("ops", &receiver)]), json!({})).await;
    for good in &goods {
        stage.change(good, json!({"price": {crate::support::FIRST: "2000"}}));
    }
    let run = stage.sync(&connection, &stream, "full").await;
    assert_eq!(run["state"], "awaiting_approval");
    tells(&receiver, &[&format!("raised held {stream}")]).await;
    let data = verified(&receiver.got()[0], SECRET)["data"].clone();
    let text = data["text"].as_str().unwrap();
    assert!(text.contains("30 of 30 prices") && text.contains("approve or reject"), "{text}");
    assert_eq!(data["items"][0]["run"], run["id"]);
    // The next run decides the same anew and takes its place: no news.
    let next = stage.sync(&connection, &stream, "full").await;
    assert_eq!(next["state"], "awaiting_approval");
    a_while().await;
    assert_eq!(told(&receiver).len(), 1);
    let id = next["id"].as_str().unwrap();
    stage.rest.post(&format!("/sync/runs/{id}/approve"), &json!({})).await.ok(202);
    tells(&receiver, &[&format!("raised held {stream}"), &format!("over held {stream}")]).await;
}

/// A retry list that grows is told when it is long, again when it has doubled, and when it is short again.
#[tokio::test(flavor = "multi_thread")]
async fn a_growing_retry_list_is_told_and_told_again_when_it_has_doubled() {
    let stage = Stage::empty().await;
    let receiver = Receiver::willing().await;
    set(&stage.rest, json!([webhook("ops", &receiver)]), json!({"retry_list": {"items": 2}})).await;
    let (connection, stream) = stage.simple(json!({"max_failed_share": 1})).await;
    // There is no rate for euros.
    let bad = || stage.good(json!({"currency": {crate::support::FIRST: "EUR"}}));
    stage.good(json!({}));
    bad();
    stage.sync(&connection, &stream, "full").await;
    a_while().await;
    assert!(told(&receiver).is_empty());
    bad();
    stage.sync(&connection, &stream, "full").await;
    let raised = format!("raised retry_list {stream}");
    tells(&receiver, &[&raised]).await;
    bad();
    bad();
    stage.sync(&connection, &stream, "full").await;
    let grown = format!("grown retry_list {stream}");
    tells(&receiver, &[&raised, &grown]).await;
    for item in stage.rest.all("/sync/retry-list").await {
        stage.rest.post(&format!("/sync/retry-list/{}/dismiss", item["id"].as_str().unwrap()), &json!({})).await.ok(200);
    }
    tells(&receiver, &[&raised, &grown, &format!("over retry_list {stream}")]).await;
}

/// Metrics that no single run can tell are there at once, also in a process that has run nothing.
#[tokio::test(flavor = "multi_thread")]
async fn metrics_outlive_the_process_that_ran_the_runs() {
    let mut stage = Stage::empty().await;
    stage.good(json!({}));
    let (connection, stream) = stage.simple(json!({})).await;
    stage.full(&connection, &stream).await;
    stage.restart(&Spawn::default().with("TRADESYNC_ROLE", "api")).await;
    let metrics = format!("tradesync_last_success_timestamp_seconds{{flow=\"billz-opencart\",connection=\"{connection}\"}}");
    until("the last success is not measured", async || {
        let text = stage.rest.get("/metrics").await.text;
        text.contains(&metrics)
            && text.contains("tradesync_retry_list_items{flow=\"billz-opencart\"} 0")
            && text.contains("tradesync_schedule_lag_seconds 0")
    })
    .await;
    stage.rest.post("/schedules", &json!({"connection": connection, "stream": stream, "every": "5s"})).await.ok(201);
    until("the lag is not measured without a worker", async || {
        let text = stage.rest.get("/metrics").await.text;
        let lag = text.lines().find_map(|line| line.strip_prefix("tradesync_schedule_lag_seconds ")?.parse::<f64>().ok());
        lag.is_some_and(|lag| lag > 1.0)
    })
    .await;
}
