//! Several copies of the service on one database, killed and paused as the world does it.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{SHORTEST, make, path};
use crate::support::{Spawn, Stage};

/// Ends that runs may have when workers are killed: a run that was taken over is a good run.
fn assert_ended_well(stage: &Stage) {
    let odd = stage.database.words(
        "SELECT CONCAT_WS(' ', id, state, attempts, error) AS words FROM tradesync_runs WHERE state NOT IN ('succeeded', 'partial')",
    );
    assert!(odd.is_empty(), "{odd:?}");
}

async fn until_quiet(stage: &Stage) {
    let limit = Instant::now() + Duration::from_secs(60);
    while stage.database.number("SELECT COUNT(*) AS number FROM tradesync_runs WHERE state IN ('queued', 'running')") > 0 {
        assert!(
            Instant::now() < limit,
            "runs stay: {:?}",
            stage
                .database
                .words("SELECT CONCAT_WS(' ', id, state, lease_until) AS words FROM tradesync_runs WHERE state IN ('queued', 'running')")
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Three copies, the shops of five sellers every few hundred milliseconds; workers are killed, paused and started again. Every due
/// time was run once or is told as skipped, no two runs of one shop overlap, and the shop's data is what Billz says.
#[tokio::test(flavor = "multi_thread")]
async fn with_copies_killed_and_paused_every_due_time_is_run_once_or_told() {
    let stage = Stage::without_worker(40).await;
    let mut schedules = Vec::new();
    for seller in 0..5 {
        let connection = stage.connect_for(&format!("seller:{seller}"), json!({})).await;
        for stream in stage.streams(&connection, 1).await {
            schedules.push((
                make(&stage, &connection, &stream, json!({"every": SHORTEST, "catch_up": "once"})).await,
                connection.clone(),
                stream,
            ));
        }
    }
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(stage.worker(&Spawn::default()).await);
    }
    for round in 0..4 {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        match round {
            0 => workers[0].kill(),
            1 => workers[1].signal("-STOP"),
            2 => {
                workers[0] = stage.worker(&Spawn::default()).await;
                workers[1].signal("-CONT");
            }
            _ => workers[2].terminate(),
        }
    }
    for (schedule, ..) in &schedules {
        stage.rest.post(&format!("{}/stop", path(schedule)), &json!({})).await.ok(200);
    }
    until_quiet(&stage).await;
    assert_ended_well(&stage);
    let overlaps = stage.database.words(
        "SELECT CONCAT(a.id, ' and ', b.id) AS words FROM tradesync_runs a JOIN tradesync_runs b ON a.connection_id = b.connection_id AND a.stream = b.stream AND a.id < b.id \
         WHERE a.started_at < b.finished_at AND b.started_at < a.finished_at",
    );
    assert!(overlaps.is_empty(), "{overlaps:?}");
    for (schedule, ..) in &schedules {
        let id = schedule["id"].as_str().unwrap();
        // Due times are 250 ms apart: from the first to the last, none is without a run or a word.
        let told = stage.database.number(&format!(
            "SELECT CAST((SELECT COUNT(*) FROM tradesync_schedule_runs WHERE schedule_id = '{id}') + (SELECT COALESCE(SUM(due_times), 0) FROM tradesync_schedule_skips WHERE schedule_id = '{id}') AS SIGNED) AS number"
        ));
        let span = stage.database.number(&format!(
            "SELECT CAST(ROUND(TIMESTAMPDIFF(MICROSECOND, MIN(a), MAX(b)) / 250000) AS SIGNED) + 1 AS number FROM (SELECT due_at AS a, due_at AS b FROM tradesync_schedule_runs WHERE schedule_id = '{id}' \
             UNION ALL SELECT first_due_at, last_due_at FROM tradesync_schedule_skips WHERE schedule_id = '{id}') t"
        ));
        assert_eq!(told, span, "schedule {id}");
        assert!(told >= 15, "schedule {id} ran through all of it: {told}");
    }
    for (_, connection, stream) in &schedules {
        stage.must_be_true(connection, std::slice::from_ref(stream), "after kills and pauses").await;
    }
}

/// "Graceful stop": the run in hand ends at a batch border, and another worker goes on with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_worker_gives_its_scheduled_run_to_another() {
    let stage = Stage::without_worker(60).await;
    let (connection, stream) = stage.simple(json!({})).await;
    crate::concurrency::slow_pages(&stage, 1_000);
    let mut first = stage.worker(&Spawn::default()).await;
    let schedule = make(&stage, &connection, &stream, json!({"every": SHORTEST})).await;
    let limit = Instant::now() + Duration::from_secs(20);
    while stage.database.number("SELECT COUNT(*) AS number FROM tradesync_runs WHERE state = 'running'") == 0 {
        assert!(Instant::now() < limit);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stage.rest.post(&format!("{}/stop", path(&schedule)), &json!({})).await.ok(200);
    first.terminate();
    assert!(first.ended(Duration::from_secs(15)).await, "it stops in time");
    let _second = stage.worker(&Spawn::default()).await;
    until_quiet(&stage).await;
    assert_ended_well(&stage);
    stage.must_be_true(&connection, &[stream], "after a graceful stop").await;
}
