//! Clocks: the database's own is the one that counts. Jumps and days on which clocks change are played by `@@timestamp`.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tradesync::{
    engine::schedule::{Schedules, scheduler::Scheduler},
    store::Store,
};

use super::{make, path};
use crate::support::Stage;

/// Looks for due schedules as if it were that time; how many were due.
async fn look_at(stage: &Stage, time: &str) -> usize {
    let at: DateTime<Utc> = time.parse().unwrap();
    let session = vec![format!("SET SESSION timestamp = {}.{:06}", at.timestamp(), at.timestamp_subsec_micros())];
    let store = Arc::new(Store::open_with(stage.database.url.clone(), 2, &session).unwrap());
    assert_eq!(store.now().await.unwrap(), at, "the database takes it for now");
    Scheduler::new(store.clone(), store.bell()).look().await.unwrap()
}

/// Due times that were run, and those that were skipped with their number, in order.
fn history(stage: &Stage, schedule: &Value) -> Vec<String> {
    let id = schedule["id"].as_str().unwrap();
    stage.database.words(&format!(
        "SELECT words FROM (SELECT due_at AS at, CONCAT('run ', DATE_FORMAT(due_at, '%d.%m %H:%i')) AS words FROM tradesync_schedule_runs WHERE schedule_id = '{id}' \
         UNION ALL SELECT first_due_at, CONCAT(reason, ' ', due_times, ' from ', DATE_FORMAT(first_due_at, '%d.%m %H:%i')) FROM tradesync_schedule_skips WHERE schedule_id = '{id}') t ORDER BY at"
    ))
}

/// A schedule by cron whose next due time is `due`, as if it had been made the day before.
async fn due_at(stage: &Stage, rule: Value, due: &str) -> Value {
    let (connection, stream) = stage.simple(json!({})).await;
    let schedule = make(stage, &connection, &stream, rule).await;
    let due: DateTime<Utc> = due.parse().unwrap();
    stage.database.run(&format!("UPDATE tradesync_schedules SET due_at = '{0}', next_at = '{0}'", due.naive_utc()));
    schedule
}

/// Ends what is queued, so that the next due time finds the stream free.
fn end_runs(stage: &Stage) {
    stage.database.run("UPDATE tradesync_runs SET state = 'succeeded', live_stream = NULL, finished_at = UTC_TIMESTAMP(6)");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_day_clocks_go_forward_a_daily_run_that_is_left_out_comes_after_the_gap() {
    let stage = Stage::without_worker(5).await;
    let rule = json!({"cron": "30 3 * * *", "timezone": "Europe/Kyiv"});
    let schedule = due_at(&stage, rule, "2026-03-28T01:30:00Z").await;
    for time in ["2026-03-28T01:30:01Z", "2026-03-29T00:59:59Z", "2026-03-29T01:00:01Z", "2026-03-30T00:29:59Z", "2026-03-30T00:30:01Z"] {
        look_at(&stage, time).await;
        end_runs(&stage);
    }
    assert_eq!(history(&stage, &schedule), ["run 28.03 01:30", "run 29.03 01:00", "run 30.03 00:30"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_day_an_hour_comes_twice_a_daily_run_comes_once() {
    let stage = Stage::without_worker(5).await;
    let schedule = due_at(&stage, json!({"cron": "30 3 * * *", "timezone": "Europe/Kyiv"}), "2026-10-25T00:30:00Z").await;
    for time in ["2026-10-25T00:30:01Z", "2026-10-25T01:30:01Z", "2026-10-26T01:30:01Z"] {
        look_at(&stage, time).await;
        end_runs(&stage);
    }
    assert_eq!(history(&stage, &schedule), ["run 25.10 00:30", "run 26.10 01:30"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_forward_is_a_downtime_and_one_that_jumps_back_runs_nothing_twice() {
    let stage = Stage::without_worker(5).await;
    let schedule = due_at(&stage, json!({"cron": "0 * * * *", "timezone": "UTC"}), "2026-05-01T10:00:00Z").await;
    assert_eq!(look_at(&stage, "2026-05-01T10:00:01Z").await, 1);
    end_runs(&stage);
    assert_eq!(look_at(&stage, "2026-05-01T15:20:00Z").await, 1, "five hours ahead at once");
    end_runs(&stage);
    assert_eq!(look_at(&stage, "2026-05-01T11:00:05Z").await, 0, "and back again");
    assert_eq!(look_at(&stage, "2026-05-01T15:00:05Z").await, 0);
    assert_eq!(look_at(&stage, "2026-05-01T16:00:05Z").await, 1);
    assert_eq!(history(&stage, &schedule), ["run 01.05 10:00", "missed 4 from 01.05 11:00", "run 01.05 15:00", "run 01.05 16:00"]);
    let shown = stage.rest.get(&path(&schedule)).await.ok(200);
    assert_eq!(shown["next_run_at"], "2026-05-01T17:00:00Z");
}

/// Several copies look at the same moment: the tick belongs to one of them.
#[tokio::test(flavor = "multi_thread")]
async fn ten_copies_that_look_at_once_start_one_run() {
    let stage = Stage::without_worker(5).await;
    let schedule = due_at(&stage, json!({"cron": "0 * * * *", "timezone": "UTC"}), "2026-05-01T10:00:00Z").await;
    futures_util::future::join_all((0..10).map(|_| look_at(&stage, "2026-05-01T10:00:01Z"))).await;
    assert_eq!(history(&stage, &schedule), ["run 01.05 10:00"]);
    assert_eq!(stage.database.number("SELECT COUNT(*) AS number FROM tradesync_runs"), 1);
}
