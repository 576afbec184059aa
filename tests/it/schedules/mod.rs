//! Requirement section 5: "По кнопке «Настроить автоматическую синхронизацию по расписанию» должна быть возможность
//! настроить/отредактировать расписание для определенного магазина с определенной периодичностью, запускать/останавливать расписание. А также
//! смотреть итоговые отчеты (логи) по работе каждого введенного расписания."

mod asking;
mod clocks;
mod copies;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Setup, Spawn, Stage, assert_done};

/// The shortest period that a schedule may have; tests divide it by [`crate::support::TIME_FACTOR`].
const SHORTEST: &str = "5s";

async fn make(stage: &Stage, connection: &str, stream: &str, rule: Value) -> Value {
    let mut body = json!({"connection": connection, "stream": stream});
    for (name, value) in rule.as_object().unwrap() {
        body[name] = value.clone();
    }
    stage.rest.post("/schedules", &body).await.ok(201)
}

fn path(schedule: &Value) -> String {
    format!("/schedules/{}", schedule["id"].as_str().unwrap())
}

/// Asks until `holds`, and gives the answer that did.
async fn until(stage: &Stage, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let limit = Instant::now() + Duration::from_secs(40);
    loop {
        let answer = stage.rest.get(path).await.ok(200);
        if holds(&answer) {
            return answer;
        }
        assert!(Instant::now() < limit, "{path} stays: {answer}");
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
}

fn ended(runs: &Value) -> usize {
    runs["items"].as_array().unwrap().iter().filter(|run| run["state"] == "succeeded").count()
}

/// "настроить расписание для определенного магазина с определенной периодичностью": it runs by itself, again and again, and each run has
/// its report.
#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_runs_its_shop_again_and_again_and_shows_a_report_for_each_run() {
    let stage = Stage::new().await;
    let connection = stage.connect(json!({})).await;
    let keys = stage.streams(&connection, 2).await;
    let schedule = make(&stage, &connection, &keys[0], json!({"every": SHORTEST})).await;
    let runs = until(&stage, &format!("{}/runs", path(&schedule)), |runs| ended(runs) >= 3).await;
    for run in runs["items"].as_array().unwrap() {
        assert_eq!((&run["trigger"], &run["stream"]), (&json!("schedule"), &json!(keys[0])), "{run}");
        stage.rest.get(&format!("/sync/runs/{}/items", run["id"].as_str().unwrap())).await.ok(200);
    }
    let first = runs["items"].as_array().unwrap().last().unwrap();
    assert!(first["counts"]["created"].as_i64().unwrap() > 30, "{first}");
    // "для каждого магазина у продавца может быть свое расписание": the other shop was not touched.
    assert!(stage.rest.all(&format!("/sync/runs?connection={connection}&stream={}", keys[1])).await.is_empty());
    let (first, second) = (stage.stream(&connection, &keys[0]).await, stage.stream(&connection, &keys[1]).await);
    assert!(first["next_run_at"].is_string() && first["last_synced_at"].is_string(), "{first}");
    assert_eq!((&second["next_run_at"], &second["last_synced_at"]), (&Value::Null, &Value::Null));
}

/// "запускать/останавливать расписание", "отредактировать": also while its run is at work; deleting keeps the reports.
#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_is_stopped_edited_started_and_deleted_with_its_history_kept() {
    let stage = Stage::new().await;
    let (connection, stream) = stage.simple(json!({})).await;
    let schedule = make(&stage, &connection, &stream, json!({"every": SHORTEST})).await;
    let path = path(&schedule);
    until(&stage, &format!("{path}/runs"), |runs| ended(runs) >= 1).await;
    let stopped = stage.rest.post(&format!("{path}/stop"), &json!({})).await.ok(200);
    assert_eq!((&stopped["enabled"], &stopped["next_run_at"]), (&json!(false), &Value::Null));
    let live = stage.rest.all(&format!("{path}/runs")).await;
    for run in &live {
        assert_done(&stage.rest.wait(run["id"].as_str().unwrap()).await, "a run of a stopped schedule");
    }
    // Several of its periods pass.
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    assert_eq!(stage.rest.all(&format!("{path}/runs")).await.len(), live.len());

    let edited = stage.rest.patch(&path, &json!({"cron": "0 3 * * *", "timezone": "Asia/Tashkent"})).await.ok(200);
    assert_eq!((&edited["every"], &edited["cron"], &edited["next_run_at"]), (&Value::Null, &json!("0 3 * * *"), &Value::Null));
    let started = stage.rest.post(&format!("{path}/start"), &json!({})).await.ok(200);
    assert!(started["next_run_at"].as_str().unwrap().ends_with("T22:00:00Z"), "03:00 in Tashkent: {started}");
    let next = stage.rest.get(&format!("{path}/next?n=3")).await.ok(200);
    assert_eq!(next["items"].as_array().unwrap().len(), 3);
    assert_eq!(next["items"][0], started["next_run_at"]);

    stage.rest.delete(&path).await.ok(204);
    stage.rest.get(&path).await.problem(404, "not-found");
    assert!(stage.rest.all("/schedules").await.is_empty());
    assert_eq!(stage.rest.all("/sync/runs").await.len(), live.len(), "the runs and their reports stay");
}

/// A due time that comes while the shop's run is at work is skipped, and that is told: once, with a count.
#[tokio::test(flavor = "multi_thread")]
async fn overlapping_due_times_are_skipped_and_told() {
    let stage = Stage::new().await;
    let (connection, stream) = stage.simple(json!({})).await;
    super::concurrency::slow_pages(&stage, 1_200);
    let schedule = make(&stage, &connection, &stream, json!({"every": SHORTEST})).await;
    let skips = until(&stage, &format!("{}/skips", path(&schedule)), |skips| skips["items"][0]["count"].as_u64() >= Some(3)).await;
    assert_eq!(skips["items"].as_array().unwrap().len(), 1, "{skips}");
    assert_eq!(skips["items"][0]["reason"], "schedule_overlap");
    let russian = stage.rest.with_header("accept-language", "ru").get(&path(&schedule)).await.ok(200);
    assert!(russian["last_skip"]["text"].as_str().unwrap().contains("ещё не закончилась"), "{russian}");
    assert_eq!(russian["text"], "каждые 5 секунд (UTC)");
}

/// Disabling the connection or the shop lets due times pass, told as such; the schedule goes on when they are enabled again.
#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_shop_lets_due_times_pass_and_runs_again_when_enabled() {
    let stage = Stage::new().await;
    let (connection, stream) = stage.simple(json!({})).await;
    let of_stream = format!("/connections/{connection}/streams/{stream}");
    stage.rest.patch(&of_stream, &json!({"enabled": false})).await.ok(200);
    let schedule = make(&stage, &connection, &stream, json!({"every": SHORTEST})).await;
    until(&stage, &format!("{}/skips", path(&schedule)), |skips| skips["items"][0]["reason"] == "schedule_disabled").await;
    stage.rest.patch(&of_stream, &json!({"enabled": true})).await.ok(200);
    until(&stage, &format!("{}/runs", path(&schedule)), |runs| ended(runs) >= 1).await;
    let of_connection = format!("/connections/{connection}");
    stage.rest.patch(&of_connection, &json!({"enabled": false})).await.ok(200);
    until(&stage, &format!("{}/skips", path(&schedule)), |skips| skips["items"].as_array().unwrap().len() >= 2).await;
}

/// A schedule goes with its shop, and with its connection.
#[tokio::test(flavor = "multi_thread")]
async fn schedules_go_with_their_shop_and_connection() {
    let stage = Stage::without_worker(20).await;
    let connection = stage.connect(json!({})).await;
    let keys = stage.streams(&connection, 2).await;
    for key in &keys {
        make(&stage, &connection, key, json!({"every": "1h"})).await;
    }
    stage.rest.delete(&format!("/connections/{connection}/streams/{}", keys[0])).await.ok(204);
    let left = stage.rest.all("/schedules").await;
    assert_eq!((left.len(), &left[0]["stream"]), (1, &json!(keys[1])));
    stage.rest.delete(&format!("/connections/{connection}")).await.ok(204);
    assert!(stage.rest.all("/schedules").await.is_empty());
    assert_eq!(stage.database.number("SELECT COUNT(*) AS number FROM tradesync_schedules WHERE next_at IS NOT NULL"), 0);
}

/// What came due while nothing ran: one catch-up run, or none, as the rule says; what was missed is told.
#[tokio::test(flavor = "multi_thread")]
async fn missed_due_times_are_caught_up_once_or_not_at_all() {
    let mut stage = Stage::with(Setup { spawn: Spawn::default().with("TRADESYNC_ROLE", "api"), ..Setup::default() }).await;
    let connection = stage.connect(json!({})).await;
    let keys = stage.streams(&connection, 2).await;
    let once = make(&stage, &connection, &keys[0], json!({"every": "1h", "catch_up": "once"})).await;
    let skip = make(&stage, &connection, &keys[1], json!({"every": "1h", "catch_up": "skip"})).await;
    // Every duration is divided in tests: an hour is three minutes here.
    stage.database.run("UPDATE tradesync_schedules SET due_at = due_at - INTERVAL 15 MINUTE, next_at = due_at");
    stage.restart(&Spawn::default()).await;
    let runs = until(&stage, &format!("{}/runs", path(&once)), |runs| ended(runs) == 1).await;
    assert_eq!(runs["items"].as_array().unwrap().len(), 1);
    let missed = until(&stage, &format!("{}/skips", path(&skip)), |skips| !skips["items"].as_array().unwrap().is_empty()).await;
    let count = |skips: &Value| skips["items"][0]["count"].as_u64().unwrap();
    assert_eq!(missed["items"][0]["reason"], "schedule_missed");
    let caught = stage.rest.get(&format!("{}/skips", path(&once))).await.ok(200);
    assert_eq!(count(&missed), count(&caught) + 1, "the same times, of which one was caught up");
    assert!(stage.rest.all(&format!("{}/runs", path(&skip))).await.is_empty());
    for schedule in [&once, &skip] {
        let now = stage.rest.get(&path(schedule)).await.ok(200);
        assert!(now["next_run_at"].as_str().unwrap() > schedule["created_at"].as_str().unwrap(), "{now}");
    }
}
