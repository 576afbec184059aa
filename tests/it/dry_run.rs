//! A dry run shows exactly what a run would do, and can do nothing itself; approving it applies precisely that.

use serde_json::{Value, json};

use crate::support::{FIRST, Stage, change_of};

/// Starts a dry run and waits for its end.
async fn dry(stage: &Stage, connection: &str, stream: &str) -> Value {
    let body = json!({"connection": connection, "stream": stream, "mode": "full", "dry_run": true});
    let run = stage.rest.post("/sync/billz-opencart", &body).await.ok(202);
    stage.rest.wait(run["id"].as_str().unwrap()).await
}

async fn approve(stage: &Stage, run: &Value) -> Value {
    let id = run["id"].as_str().unwrap();
    stage.rest.post(&format!("/sync/runs/{id}/approve"), &json!({})).await.ok(202);
    stage.rest.wait(id).await
}

async fn stream_of(stage: &Stage, connection: &str) -> Value {
    stage.rest.get(&format!("/connections/{connection}/streams")).await.ok(200)["items"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_writes_nothing_makes_no_changing_call_and_shows_exact_changes() {
    let stage = Stage::new().await;
    let question = stage.good(json!({"sku": "EXCEL"}));
    let product = stage.database.add_product("EXCEL", "", "m", 1, "10");
    let (connection, stream) = stage.simple(json!({})).await;
    let before = stage.database.fingerprint();
    let frozen = stage.database.freeze();
    let run = dry(&stage, &connection, &stream).await;
    assert_eq!((&run["state"], &run["dry_run"], &run["cursor_after"]), (&json!("awaiting_approval"), &json!(true), &Value::Null), "{run}");
    assert_eq!(stage.database.fingerprint(), before);
    let calls = stage.billz.billz2.requests();
    assert!(calls.total > 1);
    for call in &calls.requests {
        assert!(call.method == "GET" || call.target.starts_with("/v1/auth/"), "{} {}", call.method, call.target);
    }
    assert_eq!(stage.rest.all(&format!("/connections/{connection}/links")).await.len(), 0, "not even a question is asked");
    let told = stream_of(&stage, &connection).await;
    assert_eq!((&told["cursor"], &told["last_synced_at"]), (&Value::Null, &Value::Null));
    assert_eq!(stage.outcome(&run, &question).await, "held link_proposed");

    // What it showed is what the same run does, to the letter.
    frozen.thaw();
    let planned = stage.items(&run).await;
    assert_eq!(run["counts"]["created"].as_u64().unwrap() as usize, planned.iter().filter(|item| item["outcome"] == "created").count());
    let applied = approve(&stage, &run).await;
    assert_eq!((&applied["id"], &applied["counts"]["created"]), (&run["id"], &run["counts"]["created"]));
    let done = stage.items(&applied).await;
    let essence = |items: &[Value]| {
        items.iter().map(|item| json!([item["key"], item["outcome"], item["reason"], item["changes"]])).collect::<Vec<_>>()
    };
    assert_eq!(essence(&done), essence(&planned));
    for item in done.iter().filter(|item| item["outcome"] == "created") {
        let target: i64 = item["target"].as_str().unwrap().parse().unwrap();
        let (quantity, price) = (&change_of(item, "quantity")["new"], change_of(item, "price")["new"].as_str().unwrap().to_owned());
        assert_eq!(stage.database.shelf(target), format!("{quantity} {price} 1"));
    }
    assert_eq!(stage.database.shelf(product), "1 10 1");
    let told = stream_of(&stage, &connection).await;
    assert_eq!((&told["cursor"], &applied["cursor_after"]), (&Value::Null, &Value::Null), "an approved dry run moves no cursor");
    for settle in ["approve", "reject"] {
        stage.rest.post(&format!("/sync/runs/{}/{settle}", run["id"].as_str().unwrap()), &json!({})).await.problem(409, "not-awaiting");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn approving_leaves_alone_what_changed_meanwhile_and_says_why() {
    let stage = Stage::empty().await;
    let goods: Vec<String> = (0..6).map(|_| stage.good(json!({}))).collect();
    let (connection, stream) = stage.simple(json!({})).await;
    stage.full(&connection, &stream).await;
    let links = stage.links(&connection).await;
    for good in &goods {
        stage.change(good, json!({"price": {FIRST: "3000"}}));
    }
    let (twin, by_hand, fresh) = (stage.good(json!({})), stage.good(json!({"sku": "BY-HAND"})), stage.good(json!({})));
    let plan = dry(&stage, &connection, &stream).await;
    assert_eq!((&plan["counts"]["updated"], &plan["counts"]["created"]), (&json!(6), &json!(3)));

    let [plain, edited, deleted, replaced, overtaken, unlinked] = [0, 1, 2, 3, 4, 5].map(|place| links[&goods[place]]);
    stage.database.run(&format!(
        "UPDATE oc_product SET price = 777 WHERE product_id = {edited};
         DELETE FROM oc_product WHERE product_id = {deleted};
         UPDATE oc_product SET date_added = '2025-05-05 05:05:05' WHERE product_id = {replaced}"
    ));
    stage.database.add_product("BY-HAND", "", "m", 1, "10");
    stage.rest.delete(&format!("/connections/{connection}/links/{}", goods[5])).await;
    // A live run goes by and does two things of the plan itself, one of them with newer values and back again.
    for price in ["4000", "1000"] {
        stage.change(&goods[4], json!({"price": {FIRST: price}}));
        let body = json!({"connection": connection, "stream": stream, "mode": "full", "items": [goods[4], twin]});
        let live = stage.rest.post("/sync/billz-opencart", &body).await.ok(202);
        assert_eq!(stage.rest.wait(live["id"].as_str().unwrap()).await["state"], "succeeded");
    }
    let products = stage.database.products();
    let before = [edited, replaced, overtaken, unlinked].map(|id| stage.database.whole_product(id));
    let run = approve(&stage, &plan).await;
    assert_eq!(run["state"], "succeeded", "{run}");
    for (good, expected) in [
        (&goods[0], "updated changed"),
        (&goods[1], "skipped target_changed_since"),
        (&goods[2], "skipped target_deleted"),
        (&goods[3], "skipped target_replaced"),
        (&goods[4], "skipped superseded"),
        (&goods[5], "skipped superseded"),
        (&twin, "skipped superseded"),
        (&by_hand, "skipped superseded"),
        (&fresh, "created new_product"),
    ] {
        assert_eq!(stage.outcome(&run, good).await, expected);
    }
    assert!(stage.item(&run, &goods[1]).await["reason"]["text"].as_str().unwrap().contains("777"));
    assert_eq!([edited, replaced, overtaken, unlinked].map(|id| stage.database.whole_product(id)), before);
    assert_eq!((stage.database.shelf(plain).as_str(), stage.database.products()), ("5 3000 1", products + 1));
    assert_eq!((&run["counts"]["updated"], &run["counts"]["created"], &run["counts"]["skipped"]), (&json!(1), &json!(1), &json!(7)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_plan_is_over() {
    let stage = Stage::empty().await;
    let good = stage.good(json!({}));
    let (connection, stream) = stage.simple(json!({})).await;
    let plan = dry(&stage, &connection, &stream).await;
    let path = format!("/sync/runs/{}", plan["id"].as_str().unwrap());
    let rejected = stage.rest.post(&format!("{path}/reject"), &json!({})).await.ok(202);
    assert_eq!((&rejected["state"], &rejected["error"]["code"]), (&json!("cancelled"), &json!("plan-rejected")));
    stage.rest.post(&format!("{path}/approve"), &json!({})).await.problem(409, "not-awaiting");
    assert_eq!(stage.database.products(), 0);
    let run = stage.full(&connection, &stream).await;
    assert_eq!(stage.outcome(&run, &good).await, "created new_product", "the rejection binds no later run");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_goes_beside_a_live_run_and_is_approved_after_it() {
    let stage = Stage::empty().await;
    let good = stage.good(json!({}));
    let (connection, stream) = stage.simple(json!({})).await;
    stage.full(&connection, &stream).await;
    stage.change(&good, json!({"price": {FIRST: "2000"}}));
    stage.billz.billz2.set_switches(|switches| switches.latency_ms = 400);
    let plan = dry(&stage, &connection, &stream).await;
    let live = stage.start(&connection, &stream, "full").await;
    let body = |dry: bool| json!({"connection": connection, "stream": stream, "mode": "full", "dry_run": dry});
    let beside = stage.rest.post("/sync/billz-opencart", &body(true)).await.ok(202);
    let problem = stage.rest.post("/sync/billz-opencart", &body(false)).await.problem(409, "stream-busy");
    assert_eq!(problem["run"], format!("/sync/runs/{live}"));
    let problem =
        stage.rest.post(&format!("/sync/runs/{}/approve", plan["id"].as_str().unwrap()), &json!({})).await.problem(409, "stream-busy");
    assert_eq!(problem["run"], format!("/sync/runs/{live}"));
    assert_eq!(stage.rest.wait(&live).await["state"], "succeeded");
    assert_eq!(stage.rest.wait(beside["id"].as_str().unwrap()).await["state"], "awaiting_approval");
    let run = approve(&stage, &plan).await;
    assert_eq!((&run["state"], stage.outcome(&run, &good).await.as_str()), (&json!("succeeded"), "skipped superseded"));
    assert_eq!((stage.database.shelf(stage.product_of(&connection, &good).await).as_str(), stage.database.products()), ("5 2000 1", 1));
}
