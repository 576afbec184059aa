//! Retention: reports, runs and the rest go when they are old, and nothing that a run still needs; what stands is told once.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{FIRST, Setup, Spawn, Stage};

/// An hour is half a second: reports are kept 18 minutes, runs 73, the audit 146, the rest 12 seconds.
fn hasty() -> Spawn {
    Spawn::default().with("TRADESYNC_TIME_FACTOR", "7200")
}

async fn hasty_stage(spawn: Spawn) -> Stage {
    Stage::with(Setup { products: 0, spawn, ..Setup::default() }).await
}

fn id(run: &Value) -> &str {
    run["id"].as_str().unwrap()
}

impl Stage {
    fn ended(&self, run: &Value, minutes_ago: u32) {
        self.database.run(&format!(
            "UPDATE tradesync_runs SET finished_at = UTC_TIMESTAMP(6) - INTERVAL {minutes_ago} MINUTE WHERE id = '{}'",
            id(run)
        ));
    }

    async fn until(&self, what: &str, query: &str, number: i64) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.database.number(query) != number {
            assert!(Instant::now() < deadline, "{what}: {} instead of {number}", self.database.number(query));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_reports_and_runs_go_and_nothing_that_is_still_needed() {
    let stage = hasty_stage(hasty()).await;
    let good = stage.good(json!({}));
    stage.good(json!({"price": {FIRST: null}}));
    let (connection, stream) = stage.simple(json!({})).await;
    let mut runs = Vec::new();
    for price in [1000, 2000, 3000, 4000, 5000] {
        stage.change(&good, json!({"price": {stage.billz.billz2.shops()[0].id.to_string(): price.to_string()}}));
        runs.push(stage.full(&connection, &stream).await);
    }
    let dry = json!({"connection": connection, "stream": stream, "mode": "full", "dry_run": true});
    stage.change(&good, json!({"price": {stage.billz.billz2.shops()[0].id.to_string(): "6000"}}));
    let waiting = stage.rest.post("/sync/billz-opencart", &dry).await.ok(202);
    let waiting = stage.rest.wait(id(&waiting)).await;
    let last = stage.full(&connection, &stream).await;
    let other = stage.simple_of("seller:7", json!({"keep_changes": "36500d"})).await;
    let patient = stage.full(&other.0, &other.1).await;
    stage.full(&other.0, &other.1).await;
    // One left an intent behind: its changes are what it is finished by.
    stage.database.run(&format!(
        "UPDATE tradesync_changes SET state = 'applying' WHERE run_id = '{0}' AND op = 'update'; UPDATE tradesync_runs SET phase = 'apply' WHERE id = '{0}'",
        id(&runs[2])
    ));
    let [gone, told, left, young] = [&runs[0], &runs[1], &runs[2], &runs[3]];
    for run in [&waiting, &last, left, &patient, gone] {
        stage.ended(run, 24 * 60);
    }
    stage.ended(told, 40);
    stage.until("old runs", &format!("SELECT COUNT(*) AS number FROM tradesync_runs WHERE id = '{}'", id(gone)), 0).await;
    stage
        .until(
            "old reports",
            &format!("SELECT COUNT(*) AS number FROM tradesync_changes WHERE run_id IN ('{}', '{}')", id(gone), id(told)),
            0,
        )
        .await;

    stage.rest.get(&format!("/sync/runs/{}", id(gone))).await.problem(404, "not-found");
    // Its figures are still told, and that its items are not.
    let kept = stage.rest.get(&format!("/sync/runs/{}", id(told))).await.ok(200);
    assert_eq!((&kept["phase"], &kept["counts"], stage.items(told).await.len()), (&json!("pruned"), &told["counts"], 0), "{kept}");
    for (run, why) in
        [(young, "young"), (left, "left an intent"), (&last, "the last one"), (&waiting, "waits for a person"), (&patient, "kept longer")]
    {
        assert!(!stage.items(run).await.is_empty(), "{why}");
    }
    let approved = stage.rest.post(&format!("/sync/runs/{}/approve", id(&waiting)), &json!({})).await.ok(202);
    assert_eq!(stage.rest.wait(id(&approved)).await["counts"]["skipped"], 2);
    assert!(stage.service.output().contains("old rows pruned"));
    assert!(stage.rest.get("/metrics").await.text.contains("tradesync_pruned_rows_total{kind=\"changes\"}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_stream_only_so_many_runs_are_kept() {
    let stage = hasty_stage(hasty().with("TRADESYNC_KEEP_RUNS_PER_STREAM", "3")).await;
    stage.good(json!({}));
    let (connection, stream) = stage.simple(json!({})).await;
    let mut runs = Vec::new();
    for _ in 0..6 {
        runs.push(id(&stage.full(&connection, &stream).await).to_owned());
    }
    stage.until("runs", "SELECT COUNT(*) AS number FROM tradesync_runs", 3).await;
    let kept: Vec<String> = stage.rest.all("/sync/runs").await.iter().map(|run| id(run).to_owned()).collect();
    runs.reverse();
    assert_eq!(kept, runs[..3]);
    assert_eq!(
        stage.database.number("SELECT COUNT(*) AS number FROM tradesync_changes WHERE run_id NOT IN (SELECT id FROM tradesync_runs)"),
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_reads_audit_and_what_deleted_connections_held_go_too() {
    let stage = hasty_stage(hasty()).await;
    let good = stage.good(json!({}));
    stage.good(json!({"currency": {FIRST: "EUR"}}));
    let (connection, stream) = stage.simple(json!({})).await;
    let (kept, kept_stream) = stage.simple_of("seller:7", json!({})).await;
    stage.sync(&connection, &stream, "full").await;
    stage.sync(&kept, &kept_stream, "full").await;
    // Deltas are soon of no use, whole reads tell the brakes what is usual.
    stage.rest.patch(&format!("/connections/{kept}"), &json!({"settings": {"full_every": "1000h"}})).await.ok(200);
    assert_eq!(stage.sync(&kept, &kept_stream, "incremental").await["read"]["mode"], "incremental");
    let once = stage.rest.with_header("idempotency-key", "old");
    once.post(
        "/connections",
        &json!({"flow": "billz-opencart", "name": "x", "owner": "seller:9", "settings": {}, "secrets": {"secret": "s"}}),
    )
    .await
    .ok(201);
    stage.database.run("UPDATE tradesync_idempotency SET created_at = created_at - INTERVAL 1 DAY; UPDATE tradesync_audit SET at = at - INTERVAL 1 DAY WHERE action = 'streams.create'");
    stage.rest.delete(&format!("/connections/{connection}")).await.ok(204);
    stage.database.run("UPDATE tradesync_connections SET deleted_at = deleted_at - INTERVAL 1 HOUR WHERE deleted_at IS NOT NULL");
    let of = |table: &str, connection: &str| format!("SELECT COUNT(*) AS number FROM {table} WHERE connection_id = '{connection}'");
    for table in ["tradesync_records", "tradesync_retries", "tradesync_streams"] {
        stage.until(table, &of(table, &connection), 0).await;
        assert!(stage.database.number(&of(table, &kept)) > 0, "{table} of a connection that stands");
    }
    stage.until("answers", "SELECT COUNT(*) AS number FROM tradesync_idempotency", 0).await;
    stage.until("reads", "SELECT COUNT(*) AS number FROM tradesync_reads WHERE since IS NOT NULL", 0).await;
    stage
        .until("uses", "SELECT COUNT(*) AS number FROM tradesync_read_uses WHERE read_id NOT IN (SELECT id FROM tradesync_reads)", 0)
        .await;
    assert!(stage.database.number("SELECT COUNT(*) AS number FROM tradesync_reads") > 0);
    stage.until("audit", "SELECT COUNT(*) AS number FROM tradesync_audit WHERE action = 'streams.create'", 0).await;
    let told = "SELECT COUNT(*) AS number FROM tradesync_alerts a LEFT JOIN tradesync_alert_deliveries d ON d.alert_id = a.id";
    stage.database.run(
        "INSERT INTO tradesync_alerts (id, scope, news, body, at) VALUES (REPEAT('a', 32), 's', 'old', '{}', UTC_TIMESTAMP(6) - INTERVAL 1 DAY), (REPEAT('b', 32), 's', 'young', '{}', UTC_TIMESTAMP(6)); \
         INSERT INTO tradesync_alert_deliveries (alert_id, channel, scope, state, made_at) SELECT id, 'c', scope, 'delivered', at FROM tradesync_alerts",
    );
    stage.until("alerts", &format!("{told} WHERE a.news = 'old'"), 0).await;
    assert_eq!(stage.database.number(&format!("{told} WHERE d.alert_id IS NOT NULL")), 1);
    assert!(stage.database.number("SELECT COUNT(*) AS number FROM tradesync_audit WHERE action = 'connections.create'") == 3);
    // Links stay for a successor, and runs for the history.
    assert!(
        stage.database.number(&format!("SELECT COUNT(*) AS number FROM tradesync_links WHERE source_key = '{good}' AND state = 'linked'"))
            > 0
    );
    assert_eq!(stage.database.number(&of("tradesync_runs", &connection)), 1);
    assert_eq!(stage.sync(&kept, &kept_stream, "full").await["counts"]["failed"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_and_skips_go_when_they_are_old_save_the_last_skip_of_a_schedule() {
    let stage = hasty_stage(hasty()).await;
    let (connection, stream) = stage.simple(json!({})).await;
    let (patient, _) = stage.simple_of("seller:7", json!({"keep_changes": "36500d"})).await;
    // 90 days are 18 minutes here, a year is 73.
    for (of, minutes) in [(&connection, 30), (&connection, 5), (&patient, 30), (&"f".repeat(32), 30)] {
        stage.database.run(&format!(
            "INSERT INTO tradesync_events (kind, connection_id, params, at) VALUES ('brake', '{of}', '{{}}', UTC_TIMESTAMP(6) - INTERVAL {minutes} MINUTE)"
        ));
    }
    let body = json!({"connection": connection, "stream": stream, "every": "24h", "mode": "full", "enabled": false});
    let schedule = stage.rest.post("/schedules", &body).await.ok(201)["id"].as_str().unwrap().to_owned();
    for minutes in [200, 100, 5] {
        stage.database.run(&format!(
            "INSERT INTO tradesync_schedule_skips (schedule_id, reason, first_due_at, last_due_at, due_times) \
             VALUES ('{schedule}', 'busy', UTC_TIMESTAMP(6) - INTERVAL 300 MINUTE, UTC_TIMESTAMP(6) - INTERVAL {minutes} MINUTE, 1)"
        ));
    }
    // A schedule that slept for long shows its last skip, however old.
    stage.database.run("UPDATE tradesync_schedules SET last_skip = (SELECT id FROM tradesync_schedule_skips WHERE last_due_at < UTC_TIMESTAMP() - INTERVAL 90 MINUTE ORDER BY last_due_at DESC LIMIT 1)");
    stage.until("events", "SELECT COUNT(*) AS number FROM tradesync_events", 2).await;
    stage.until("skips", "SELECT COUNT(*) AS number FROM tradesync_schedule_skips", 2).await;
    let kept = stage.database.words(
        "SELECT CONCAT(connection_id, ' ', TIMESTAMPDIFF(MINUTE, at, UTC_TIMESTAMP()) > 15) AS words FROM tradesync_events ORDER BY at",
    );
    assert_eq!(kept, [format!("{patient} 1"), format!("{connection} 0")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_is_told_when_it_begins_changes_and_ends_and_is_listed_all_the_while() {
    let stage = Stage::empty().await;
    let shop = stage.billz.billz2.shops()[0].id.to_string();
    let bad = stage.good(json!({"price": {FIRST: null}}));
    stage.good(json!({}));
    let (connection, stream) = stage.simple(json!({})).await;
    let path = format!("/connections/{connection}/streams/{stream}/standing");
    let skipped = async |run: &Value| -> Vec<String> {
        assert_eq!(run["counts"]["skipped"], 1, "{run}");
        let items = stage.rest.all(&format!("/sync/runs/{}/items?outcome=skipped", id(run))).await;
        items.iter().map(|item| item["reason"]["code"].as_str().unwrap().to_owned()).collect()
    };
    let first = stage.scheduled(&connection, &stream, "full").await;
    assert_eq!(skipped(&first).await, ["no_price"]);
    for _ in 0..2 {
        let later = stage.scheduled(&connection, &stream, "full").await;
        assert_eq!(skipped(&later).await, Vec::<String>::new(), "it stood already");
    }
    let standing = stage.rest.all(&path).await;
    assert_eq!(standing.len(), 1);
    assert_eq!(
        [&standing[0]["key"], &standing[0]["outcome"], &standing[0]["reason"]["code"], &standing[0]["run"]],
        [&json!(bad), &json!("skipped"), &json!("no_price"), &first["id"]]
    );
    // Who starts a run himself, or looks at a plan, sees all of it; it stands since the first run all the same.
    assert_eq!(skipped(&stage.sync(&connection, &stream, "full").await).await, ["no_price"]);
    assert_eq!(stage.rest.all(&path).await, standing);
    // Another reason is news.
    stage.change(&bad, json!({"price": {shop.clone(): "1"}}));
    let changed = stage.scheduled(&connection, &stream, "full").await;
    assert_eq!(skipped(&changed).await, ["price_below_minimum"]);
    assert_eq!(stage.rest.all(&path).await[0]["run"], changed["id"]);
    assert_eq!(stage.rest.all(&format!("{path}?outcome=held")).await.len(), 0);
    // So is its end.
    stage.change(&bad, json!({"price": {shop: "1000"}}));
    let ended = stage.scheduled(&connection, &stream, "full").await;
    assert_eq!((&ended["counts"]["skipped"], stage.outcome(&ended, &bad).await.as_str()), (&json!(0), "created new_product"), "{ended}");
    assert_eq!(stage.rest.all(&path).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_without_a_change_is_told_too() {
    let stage = Stage::empty().await;
    let shop = stage.billz.billz2.shops()[0].id.to_string();
    let good = stage.good(json!({}));
    let (connection, stream) = stage.simple(json!({})).await;
    stage.full(&connection, &stream).await;
    stage.change(&good, json!({"price": {shop.clone(): null}}));
    let begins = stage.scheduled(&connection, &stream, "full").await;
    assert_eq!(stage.outcome(&begins, &good).await, "skipped no_price");
    stage.change(&good, json!({"price": {shop: "1000"}}));
    let ends = stage.scheduled(&connection, &stream, "full").await;
    assert_eq!(
        (&ends["counts"]["unchanged"], stage.outcome(&ends, &good).await.as_str()),
        (&json!(1), "unchanged standing_ended"),
        "{ends}"
    );
    let after = stage.scheduled(&connection, &stream, "full").await;
    assert!(stage.items(&after).await.is_empty() && after["counts"]["unchanged"] == 1, "{after}");
}
