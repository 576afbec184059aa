//! `tradesync check`: one table of what is well and what a run would do; nothing is changed anywhere.

use std::process::Output;

use serde_json::json;

use crate::support::{Api, Setup, Spawn, Stage, command, program};

fn table(output: &Output) -> String {
    let (told, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.code().is_some_and(|code| code < 2), "{said}");
    told.into_owned()
}

/// The text of a table's rows, one line each, without its borders.
fn words(table: &str) -> String {
    let border = |word: &str| word.chars().all(|letter| "+-=".contains(letter));
    table.split(|letter: char| letter.is_whitespace() || letter == '|').filter(|word| !border(word)).collect::<Vec<_>>().join(" ")
}

async fn stage_of(api: Api) -> Stage {
    // No worker runs anywhere: the command executes its dry runs itself.
    Stage::with(Setup { api, products: 60, spawn: Spawn::default().with("TRADESYNC_ROLE", "api"), ..Setup::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_of_all_connections_shows_what_runs_would_do_and_changes_nothing() {
    let stage = stage_of(Api::Billz2).await;
    let (connection, stream) = stage.simple(json!({})).await;
    let (idle, _) = stage.simple_of("seller:7", json!({})).await;
    stage.rest.patch(&format!("/connections/{idle}"), &json!({"enabled": false})).await.ok(200);
    // Somebody else's run waits in the queue: it is nobody's business here.
    let (other, foreign) = stage.simple_of("seller:8", json!({})).await;
    let waiting = stage.start(&other, &foreign, "full").await;
    let before = stage.database.fingerprint();
    let output = program(&stage.database, &["check", "--all"]);
    let told = words(&table(&output));
    assert!(output.status.success(), "{told}");
    assert!(told.contains("Test shop billz.login ok") && told.contains("seller:8 billz.login ok") && !told.contains("seller:7"), "{told}");
    assert!(told.contains("dry run of") && told.contains("would create") && told.contains("/items"), "{told}");
    assert!(!told.contains("probe."), "{told}");
    assert_eq!(stage.database.fingerprint(), before);
    assert_eq!(stage.rest.get(&format!("/sync/runs/{waiting}")).await.ok(200)["state"], "queued");
    let dry: Vec<_> = stage.rest.all(&format!("/sync/runs?connection={connection}")).await;
    assert_eq!(
        (dry.len(), &dry[0]["dry_run"], &dry[0]["state"], &dry[0]["stream"]),
        (1, &json!(true), &json!("awaiting_approval"), &json!(stream))
    );
    for call in &stage.billz.billz2.requests().requests {
        assert!(call.method == "GET" || call.target.starts_with("/v1/auth/"), "{} {}", call.method, call.target);
    }

    // What is wrong is said, the dry run is not even tried, and the command fails.
    stage.rest.patch(&format!("/connections/{connection}"), &json!({"secrets": {"secret": "a-wrong-key"}})).await.ok(200);
    let output = program(&stage.database, &["check", "--connection", &connection]);
    let told = words(&table(&output));
    assert!(!output.status.success() && told.contains("billz.login NOT OK") && told.contains("not made: see the rows above"), "{told}");
    assert!(!told.contains("a-wrong-key") && !told.contains("seller:8"), "{told}");
    let output = program(&stage.database, &["check", "--connection", &idle]);
    assert!(output.status.success() && words(&table(&output)).contains("not made: the connection is disabled"));
    assert!(!command(&["check"]).output().unwrap().status.success(), "which connection?");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_of_billz_2_answers_by_reading_what_the_fact_sheet_does_not_know() {
    let stage = Stage::with(Setup { products: 700, spawn: Spawn::default().with("TRADESYNC_ROLE", "api"), ..Setup::default() }).await;
    let (connection, _) = stage.simple(json!({})).await;
    let before = stage.database.fingerprint();
    let output = program(&stage.database, &["check", "--connection", &connection, "--probe"]);
    let told = words(&table(&output));
    assert!(output.status.success(), "{told}");
    for found in [
        "probe.whole_read ok count, rows and different ids agree",
        "probe.page_size ok limit=1000 is clamped to 300 rows.",
        "probe.past_the_end ok A page past the last one is empty.",
        "probe.updated_at_zone ok updated_at may be UTC",
        "probe.since ok last_updated_date",
        "probe.row_order ok",
        "probe.stock ok Negative stock:",
        "probe.doubles ok",
        "probe.currency ok Prices come in:",
        "probe.limit_headers ok No header",
    ] {
        assert!(told.contains(found), "{found} is not in {told}");
    }
    assert_eq!(stage.database.fingerprint(), before);
    for call in &stage.billz.billz2.requests().requests {
        assert!(call.method == "GET" || call.target.starts_with("/v1/auth/"), "{} {}", call.method, call.target);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_of_billz_1_answers_by_reading_what_the_fact_sheet_does_not_know() {
    let stage = stage_of(Api::Billz1).await;
    let (connection, _) = stage.simple(json!({})).await;
    let output = program(&stage.database, &["check", "--connection", &connection, "--probe"]);
    let told = words(&table(&output));
    assert!(output.status.success(), "{told}");
    for found in [
        "probe.whole_read ok The answer is whole:",
        "probe.total_rows ok totalRows is the number of rows",
        "probe.offices ok Offices without stock are",
        "probe.junk_prices ok",
        "probe.rows ok",
        "probe.since ok LastUpdatedDate is looked at",
    ] {
        assert!(told.contains(found), "{found} is not in {told}");
    }
}
