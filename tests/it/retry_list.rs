//! The retry list: failed items come back by themselves, with pauses, from what we hold; a person may hurry or dismiss them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{FIRST, Setup, Stage, key};

/// A connection of which one good fails, since there is no rate for its currency.
async fn one_fails(stage: &Stage) -> (String, String, String) {
    let bad = stage.good(json!({"currency": {FIRST: "EUR"}}));
    for _ in 0..3 {
        stage.good(json!({}));
    }
    let (connection, stream) = stage.simple(json!({"full_every": "1000h"})).await;
    let run = stage.sync(&connection, &stream, "full").await;
    assert_eq!((&run["state"], &run["counts"]["failed"], &run["counts"]["created"]), (&json!("partial"), &json!(1), &json!(3)), "{run}");
    (connection, stream, bad)
}

async fn listed(stage: &Stage) -> Vec<Value> {
    stage.rest.all("/sync/retry-list").await
}

/// The metric is told after the run has ended.
async fn waiting(stage: &Stage, items: u32) {
    let until = Instant::now() + Duration::from_secs(10);
    while !stage.rest.get("/metrics").await.text.contains(&format!("tradesync_retry_list_items{{flow=\"billz-opencart\"}} {items}")) {
        assert!(Instant::now() < until, "the metric does not tell {items}");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

fn mend(stage: &Stage, good: &str) {
    stage.change(good, json!({"currency": {stage.billz.billz2.shops()[0].id.to_string(): "UZS"}}));
}

/// Pauses are long gone.
fn later(stage: &Stage) {
    stage.database.run("UPDATE tradesync_retries SET next_at = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_item_comes_back_by_itself_after_its_pause_until_it_passes() {
    // Time runs as it does for people: the first pause is a minute.
    let stage = Stage::with(Setup { products: 0, time_factor: 1.0, ..Setup::default() }).await;
    let (connection, stream, bad) = one_fails(&stage).await;
    let item = listed(&stage).await.remove(0);
    assert_eq!(
        [&item["key"], &item["connection"], &item["stream"], &item["owner"], &item["attempts"], &item["class"], &item["reason"]["code"]],
        [
            &json!(bad),
            &json!(connection),
            &json!(stream),
            &json!("seller:42"),
            &json!(1),
            &json!("bad_item"),
            &json!("currency_without_rate")
        ]
    );
    assert!(item["next_at"].as_str() > item["last_at"].as_str() && item["dismissed_at"].is_null(), "{item}");
    assert!(item["reason"]["text"].as_str().unwrap().contains("EUR"), "{item}");
    waiting(&stage, 1).await;

    // Within its pause a scheduled run leaves it in peace, and is well.
    let peace = stage.scheduled(&connection, &stream, "incremental").await;
    assert_eq!(
        (&peace["state"], &peace["counts"]["failed"], &peace["counts"]["skipped"]),
        (&json!("succeeded"), &json!(0), &json!(1)),
        "{peace}"
    );
    assert_eq!(stage.outcome(&peace, &bad).await, "skipped retry_waits");
    assert_eq!(listed(&stage).await[0]["attempts"], 1);

    // When it is over, the item is taken up though nothing in the source has moved, and the pause grows.
    later(&stage);
    stage.billz.billz2.clear_requests();
    let again = stage.scheduled(&connection, &stream, "incremental").await;
    assert_eq!((&again["state"], &again["counts"]["failed"]), (&json!("partial"), &json!(1)), "{again}");
    assert!(stage.product_requests().iter().all(|path| !path.contains(&bad)), "the source was asked for the item");
    let grown = listed(&stage).await.remove(0);
    assert_eq!(
        (&grown["id"], &grown["attempts"], &grown["run"], &grown["first_at"]),
        (&item["id"], &json!(2), &again["id"], &item["first_at"])
    );
    let pause = |item: &Value| {
        let time = |name: &str| item[name].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
        (time("next_at") - time("last_at")).num_seconds()
    };
    assert_eq!((pause(&item), pause(&grown)), (60, 120));

    // A person who starts a run sees all that fails.
    let asked = stage.sync(&connection, &stream, "incremental").await;
    assert_eq!(asked["counts"]["failed"], 1, "{asked}");

    // What the source mends passes at once, whatever the pause, and leaves the list.
    mend(&stage, &bad);
    let mended = stage.scheduled(&connection, &stream, "full").await;
    assert_eq!((&mended["state"], &mended["counts"]["created"]), (&json!("succeeded"), &json!(1)), "{mended}");
    assert!(listed(&stage).await.is_empty());
    waiting(&stage, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_let_an_item_pass_need_no_pause_either() {
    let stage = Stage::with(Setup { products: 0, time_factor: 1.0, ..Setup::default() }).await;
    let (connection, stream, bad) = one_fails(&stage).await;
    stage.rest.patch(&format!("/connections/{connection}"), &json!({"settings": {"rates": {"EUR": "13500"}}})).await.ok(200);
    let run = stage.scheduled(&connection, &stream, "incremental").await;
    assert_eq!((&run["state"], stage.outcome(&run, &bad).await.as_str()), (&json!("succeeded"), "created new_product"), "{run}");
    assert!(listed(&stage).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dismissed_item_comes_back_only_when_the_source_changes_it() {
    let stage = Stage::empty().await;
    let (connection, stream, bad) = one_fails(&stage).await;
    let id = listed(&stage).await[0]["id"].as_str().unwrap().to_owned();
    let dismissed = stage.rest.post(&format!("/sync/retry-list/{id}/dismiss"), &json!({})).await.ok(200);
    assert!(dismissed["dismissed_at"].is_string() && dismissed["next_at"].is_null(), "{dismissed}");
    let entry = stage.rest.get("/audit?limit=1").await.ok(200)["items"][0].clone();
    assert_eq!((&entry["before"], &entry["after"]), (&json!({"dismissed": false}), &json!({"dismissed": true})), "{entry}");
    assert!(listed(&stage).await.is_empty());
    assert_eq!(stage.rest.all("/sync/retry-list?state=dismissed").await.len(), 1);
    later(&stage);
    for run in [stage.sync(&connection, &stream, "full").await, stage.scheduled(&connection, &stream, "full").await] {
        assert_eq!((&run["state"], &run["counts"]["failed"]), (&json!("succeeded"), &json!(0)), "{run}");
    }
    assert_eq!(stage.rest.all("/sync/retry-list?state=dismissed").await.len(), 1);
    // Another name makes it another good, though it still cannot be sold.
    stage.change(&bad, json!({"name": "Renamed"}));
    let run = stage.scheduled(&connection, &stream, "full").await;
    assert_eq!((&run["state"], stage.outcome(&run, &bad).await.as_str()), (&json!("partial"), "failed currency_without_rate"), "{run}");
    assert_eq!(listed(&stage).await[0]["id"], json!(id));
    assert_eq!(stage.rest.all("/sync/retry-list?state=dismissed").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_or_all_of_a_run_are_tried_again_at_once() {
    let stage = Stage::empty().await;
    let (connection, stream, bad) = one_fails(&stage).await;
    let failed = stage.rest.all("/sync/runs?state=partial").await.remove(0)["id"].as_str().unwrap().to_owned();
    let id = listed(&stage).await[0]["id"].as_str().unwrap().to_owned();
    let cursor = stage.stream(&connection, &stream).await["cursor"].clone();

    let run = stage.rest.post(&format!("/sync/retry-list/{id}/retry"), &json!({})).await.ok(202);
    assert_eq!((&run["trigger"], &run["items"], &run["dry_run"]), (&json!("retry"), &json!([bad]), &json!(false)), "{run}");
    let run = stage.rest.wait(run["id"].as_str().unwrap()).await;
    assert_eq!((&run["state"], &run["counts"]["failed"], &run["counts"]["unchanged"]), (&json!("partial"), &json!(1), &json!(0)), "{run}");
    assert_eq!(listed(&stage).await[0]["attempts"], 2);
    assert_eq!(stage.stream(&connection, &stream).await["cursor"], cursor, "a run of one item moved the cursor");

    mend(&stage, &bad);
    let run = stage.rest.post(&format!("/sync/runs/{failed}/retry-failed"), &json!({})).await.ok(202);
    assert_eq!((&run["trigger"], &run["items"]), (&json!("retry"), &json!([bad])), "{run}");
    let run = stage.rest.wait(run["id"].as_str().unwrap()).await;
    assert_eq!((&run["state"], &run["counts"]["created"]), (&json!("succeeded"), &json!(1)), "{run}");
    assert!(listed(&stage).await.is_empty());
    stage.rest.post(&format!("/sync/retry-list/{id}/retry"), &json!({})).await.problem(404, "not-found");
    let well = run["id"].as_str().unwrap();
    stage.rest.post(&format!("/sync/runs/{well}/retry-failed"), &json!({})).await.problem(409, "not-awaiting");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_stream_is_busy_the_item_is_due_for_the_run_after_it() {
    let mut stage = Stage::with(Setup { products: 0, time_factor: 1.0, ..Setup::default() }).await;
    let (connection, stream, _) = one_fails(&stage).await;
    stage.restart(&crate::support::Spawn::default().with("TRADESYNC_ROLE", "api")).await;
    let live = stage.start(&connection, &stream, "incremental").await;
    let item = listed(&stage).await.remove(0);
    let problem = stage.rest.post(&format!("/sync/retry-list/{}/retry", item["id"].as_str().unwrap()), &json!({})).await;
    let problem = problem.problem(409, "stream-busy");
    assert_eq!(problem["run"], format!("/sync/runs/{live}"));
    assert!(listed(&stage).await[0]["next_at"].as_str() < item["next_at"].as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_filtered_and_shows_each_caller_his_own() {
    let stage = Stage::empty().await;
    stage.good(json!({"currency": {FIRST: "EUR"}}));
    stage.good(json!({"currency": {FIRST: "RUB"}}));
    let mut connections = Vec::new();
    for owner in ["seller:1", "seller:2"] {
        let (connection, stream) = stage.simple_of(owner, json!({})).await;
        assert_eq!(stage.sync(&connection, &stream, "full").await["state"], "partial");
        connections.push((connection, stream));
    }
    let all = listed(&stage).await;
    assert_eq!(all.len(), 4);
    let ids = |rows: &[Value]| rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert!(ids(&all).windows(2).all(|pair| pair[0] > pair[1]), "newest first");
    // Page by page, nothing twice and nothing left out.
    let first = stage.rest.get("/sync/retry-list?limit=3").await.ok(200);
    let rest = stage.rest.get(&format!("/sync/retry-list?limit=3&cursor={}", first["next_cursor"].as_str().unwrap())).await.ok(200);
    assert_eq!([ids(first["items"].as_array().unwrap()), ids(rest["items"].as_array().unwrap())].concat(), ids(&all));
    for (filter, count) in [
        (format!("connection={}", connections[0].0), 2),
        (format!("stream={}", connections[0].1), 4),
        ("owner=seller:1".to_owned(), 2),
        ("flow=billz-opencart".to_owned(), 4),
        ("flow=kaktus-insales".to_owned(), 0),
        ("class=bad_item".to_owned(), 4),
        ("class=unavailable".to_owned(), 0),
        ("code=currency_without_rate".to_owned(), 4),
        ("code=no_price".to_owned(), 0),
        ("state=dismissed".to_owned(), 0),
    ] {
        assert_eq!(stage.rest.all(&format!("/sync/retry-list?{filter}")).await.len(), count, "{filter}");
    }
    stage.rest.get("/sync/retry-list?class=sad").await.problem(400, "invalid-query");
    // A seller sees and touches its own only.
    let bridge = key(&stage.database, &["--role", "operator", "--delegate"]);
    let seller = stage.rest.with_key(&bridge.key).with_header("x-on-behalf-of", "seller:1");
    let own = seller.all("/sync/retry-list").await;
    assert!(own.len() == 2 && own.iter().all(|item| item["owner"] == "seller:1"));
    let foreign = all.iter().find(|item| item["owner"] == "seller:2").unwrap()["id"].as_str().unwrap();
    for act in ["retry", "dismiss"] {
        seller.post(&format!("/sync/retry-list/{foreign}/{act}"), &json!({})).await.problem(404, "not-found");
    }
    seller.post(&format!("/sync/retry-list/{}/dismiss", own[0]["id"].as_str().unwrap()), &json!({})).await.ok(200);
    // What a deleted connection left is nobody's trouble any more.
    stage.rest.delete(&format!("/connections/{}", connections[1].0)).await.ok(204);
    assert_eq!(listed(&stage).await.len(), 1);
}
