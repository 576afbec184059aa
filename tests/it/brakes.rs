//! Over a limit the safe changes go on, the risky ones wait for a person; nothing that waits is ever lost.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    support::{FIRST, Spawn, Stage, assert_done, change_of},
    undo::Dice,
};

const GOODS: usize = 30;

/// A shop of thirty goods for 1000 each, five pieces of each, read once.
async fn shop(over: Value) -> (Stage, String, String, Vec<String>) {
    let stage = Stage::empty().await;
    let goods = (0..GOODS).map(|_| stage.good(json!({}))).collect();
    let (connection, stream) = stage.simple(over).await;
    let first = stage.full(&connection, &stream).await;
    assert_eq!((&first["counts"]["created"], &first["brakes"]), (&json!(GOODS), &json!([])), "a first run makes all there is: {first}");
    (stage, connection, stream, goods)
}

/// How many products stand so.
fn standing(stage: &Stage, condition: &str) -> usize {
    usize::try_from(stage.database.number(&format!("SELECT COUNT(*) AS number FROM oc_product WHERE {condition}"))).unwrap()
}

async fn settle(stage: &Stage, run: &Value, how: &str) -> Value {
    let id = run["id"].as_str().unwrap();
    stage.rest.post(&format!("/sync/runs/{id}/{how}"), &json!({})).await.ok(202);
    stage.rest.wait(id).await
}

/// `rule of run` of every event that somebody is to be told of.
fn events(stage: &Stage) -> Vec<String> {
    stage.database.words(
        "SELECT CONCAT(kind, ' ', JSON_UNQUOTE(JSON_EXTRACT(params, '$.rule')), ' ', JSON_UNQUOTE(JSON_EXTRACT(params, '$.count')), ' of ', \
         JSON_UNQUOTE(JSON_EXTRACT(params, '$.of'))) AS words FROM tradesync_events ORDER BY id",
    )
}

/// Puts every price at `price`, and four pieces on every shelf.
fn reprice(stage: &Stage, goods: &[String], price: &str) {
    for good in goods {
        stage.change(good, json!({"price": {FIRST: price}, "stock": {FIRST: "4"}}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_reprices_everything_waits_while_stock_goes_on() {
    let (stage, connection, stream, goods) = shop(json!({})).await;
    reprice(&stage, &goods, "2000");
    let run = stage.sync(&connection, &stream, "full").await;
    assert_eq!(run["state"], "awaiting_approval", "{run}");
    assert_eq!((&run["counts"]["updated"], &run["counts"]["held"]), (&json!(GOODS), &json!(GOODS)));
    assert_eq!((standing(&stage, "price = 1000"), standing(&stage, "quantity = 4")), (GOODS, GOODS), "stock does not wait for prices");
    assert_eq!(
        (&run["brakes"][0]["rule"], &run["brakes"][0]["count"], &run["brakes"][0]["of"]),
        (&json!("prices_moved"), &json!(GOODS), &json!(GOODS))
    );
    let held = stage.rest.all(&format!("/sync/runs/{}/items?outcome=held", run["id"].as_str().unwrap())).await;
    assert_eq!(held.len(), GOODS);
    for item in &held {
        assert_eq!((&item["reason"]["code"], item["changes"].as_array().unwrap().len()), (&json!("brake"), 1));
        assert_eq!((&change_of(item, "price")["old"], &change_of(item, "price")["new"]), (&json!("1000"), &json!("2000")));
        assert!(item["reason"]["text"].as_str().unwrap().contains("30 of 30 prices move by more than 5 %"), "{item}");
    }
    let russian = stage.rest.with_header("accept-language", "ru").get(&format!("/sync/runs/{}", run["id"].as_str().unwrap())).await.ok(200);
    assert!(russian["brakes"][0]["text"].as_str().unwrap().contains("одобрите запуск"), "{russian}");
    assert_eq!(events(&stage), ["brake prices_moved 30 of 30"]);
    // A run tells of its brakes once its end is written.
    let counted = "tradesync_brake_trips_total{flow=\"billz-opencart\",rule=\"prices_moved\"} 1";
    let until = std::time::Instant::now() + Duration::from_secs(20);
    while !stage.rest.get("/metrics").await.text.contains(counted) {
        assert!(std::time::Instant::now() < until, "{counted} is not told");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!run["cursor_after"].is_null(), "what is held is stored, and so final for the cursor");

    let applied = settle(&stage, &run, "approve").await;
    assert_eq!((&applied["state"], &applied["id"], &applied["counts"]["held"]), (&json!("succeeded"), &run["id"], &json!(0)), "{applied}");
    assert_eq!((standing(&stage, "price = 2000"), &applied["counts"]["updated"]), (GOODS, &json!(2 * GOODS)));
    stage.rest.post(&format!("/sync/runs/{}/approve", run["id"].as_str().unwrap()), &json!({})).await.problem(409, "not-awaiting");
    let next = stage.full(&connection, &stream).await;
    assert_eq!((&next["counts"]["unchanged"], &next["brakes"]), (&json!(GOODS), &json!([])), "{next}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_run_is_not_blocked_and_replaces_what_waited() {
    let (stage, connection, stream, goods) = shop(json!({})).await;
    reprice(&stage, &goods, "2000");
    let first = stage.sync(&connection, &stream, "full").await;
    let second = stage.sync(&connection, &stream, "full").await;
    assert_eq!((&first["state"], &second["state"]), (&json!("awaiting_approval"), &json!("awaiting_approval")));
    let replaced = stage.rest.get(&format!("/sync/runs/{}", first["id"].as_str().unwrap())).await.ok(200);
    assert_eq!(
        (&replaced["state"], &replaced["error"]["code"], &replaced["counts"]["held"]),
        (&json!("cancelled"), &json!("superseded"), &json!(0))
    );
    assert!(replaced["error"]["detail"].as_str().unwrap().contains(second["id"].as_str().unwrap()), "{replaced}");
    assert_eq!(stage.items(&first).await.iter().filter(|item| item["reason"]["code"] == "superseded").count(), GOODS);
    let problem =
        stage.rest.post(&format!("/sync/runs/{}/approve", first["id"].as_str().unwrap()), &json!({})).await.problem(409, "not-awaiting");
    assert!(problem["detail"].as_str().unwrap().contains(second["id"].as_str().unwrap()), "{problem}");
    assert_eq!(events(&stage).len(), 1, "the same is not told again");

    // One item alone is decided anew: the others go on waiting where they are.
    stage.change(&goods[0], json!({"price": {FIRST: "1020"}}));
    let body = json!({"connection": connection, "stream": stream, "mode": "full", "items": [goods[0]]});
    let alone = stage.rest.post("/sync/billz-opencart", &body).await.ok(202);
    assert_eq!(stage.rest.wait(alone["id"].as_str().unwrap()).await["state"], "succeeded");
    let applied = settle(&stage, &second, "approve").await;
    assert_eq!((&applied["state"], &applied["counts"]["skipped"]), (&json!("succeeded"), &json!(1)), "{applied}");
    assert_eq!((standing(&stage, "price = 2000"), standing(&stage, "price = 1020")), (GOODS - 1, 1));
    // Afterwards the same disaster is news again.
    reprice(&stage, &goods, "5000");
    assert_eq!(stage.sync(&connection, &stream, "full").await["state"], "awaiting_approval");
    assert_eq!(events(&stage).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_rejected_or_expired_is_decided_again_until_the_limit_is_moved() {
    let (stage, connection, stream, goods) = shop(json!({})).await;
    reprice(&stage, &goods, "2000");
    let run = stage.sync(&connection, &stream, "full").await;
    let rejected = settle(&stage, &run, "reject").await;
    assert_eq!((&rejected["state"], &rejected["error"]["code"]), (&json!("cancelled"), &json!("plan-rejected")));
    assert_eq!((&rejected["counts"]["held"], &rejected["counts"]["skipped"]), (&json!(0), &json!(GOODS)));
    stage.rest.post(&format!("/sync/runs/{}/approve", run["id"].as_str().unwrap()), &json!({})).await.problem(409, "not-awaiting");
    // A delta in which nothing came looks at them all the same.
    let again = stage.sync(&connection, &stream, "incremental").await;
    assert_eq!((&again["state"], &again["counts"]["held"]), (&json!("awaiting_approval"), &json!(GOODS)), "{again}");

    stage.database.run(&format!(
        "UPDATE tradesync_plans SET expires_at = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND WHERE run_id = '{}'",
        again["id"].as_str().unwrap()
    ));
    let path = format!("/sync/runs/{}", again["id"].as_str().unwrap());
    let problem = stage.rest.post(&format!("{path}/approve"), &json!({})).await.problem(409, "plan-expired");
    assert!(problem["next"].as_str().unwrap().contains("Start a new run"), "{problem}");
    let expired = stage.rest.get(&path).await.ok(200);
    assert_eq!((&expired["state"], &expired["error"]["code"]), (&json!("cancelled"), &json!("plan-expired")));
    assert_eq!(standing(&stage, "price = 1000"), GOODS);

    let brakes = stage.rest.get(&format!("/connections/{connection}/brakes")).await;
    let tag = brakes.header("etag").unwrap();
    let mut limits = brakes.ok(200);
    limits["streams"] = json!({stream.clone(): {"prices_moved": {"share": "1"}}});
    let put = stage.rest.with_header("if-match", &tag).put(&format!("/connections/{connection}/brakes"), &limits).await.ok(200);
    assert_eq!(put["streams"], limits["streams"]);
    let run = stage.full(&connection, &stream).await;
    assert_eq!((standing(&stage, "price = 2000"), &run["counts"]["held"]), (GOODS, &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_price_with_a_digit_too_many_waits_alone() {
    let (stage, connection, stream, goods) = shop(json!({})).await;
    stage.change(&goods[0], json!({"price": {FIRST: "10000"}}));
    stage.change(&goods[1], json!({"price": {FIRST: "1100"}}));
    stage.change(&goods[2], json!({"price": {FIRST: "0.1"}, "currency": {FIRST: "USD"}}));
    let run = stage.sync(&connection, &stream, "full").await;
    assert_eq!(run["state"], "awaiting_approval", "{run}");
    let rules: Vec<&str> = run["brakes"].as_array().unwrap().iter().map(|brake| brake["rule"].as_str().unwrap()).collect();
    assert_eq!(rules, ["currency_changed", "price_jump"]);
    for (good, expected) in [(&goods[0], "held brake"), (&goods[1], "updated changed"), (&goods[2], "held brake")] {
        assert_eq!(stage.outcome(&run, good).await, expected);
    }
    assert!(stage.item(&run, &goods[0]).await["reason"]["text"].as_str().unwrap().contains("10 times or more"));
    assert!(stage.item(&run, &goods[2]).await["reason"]["text"].as_str().unwrap().contains("another currency"));
    assert_eq!((standing(&stage, "price = 1000"), standing(&stage, "price = 1100")), (GOODS - 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_warehouse_and_a_burst_of_new_goods_wait_and_the_rest_goes_on() {
    let (stage, connection, stream, goods) = shop(json!({"brakes": {"limits": {"new_products": {"from": 10, "share": "0.2"}}}})).await;
    for good in goods.iter().take(25) {
        stage.change(good, json!({"stock": {FIRST: "0"}, "price": {FIRST: "1010"}}));
    }
    let fresh: Vec<String> = (0..12).map(|_| stage.good(json!({}))).collect();
    let run = stage.sync(&connection, &stream, "full").await;
    let rules: Vec<&str> = run["brakes"].as_array().unwrap().iter().map(|brake| brake["rule"].as_str().unwrap()).collect();
    assert_eq!((&run["state"], rules), (&json!("awaiting_approval"), vec!["products_zeroed", "new_products"]), "{run}");
    assert_eq!((standing(&stage, "quantity = 5"), standing(&stage, "price = 1010"), stage.database.products()), (GOODS, 25, GOODS as i64));
    assert_eq!(stage.outcome(&run, &fresh[0]).await, "held brake");
    // A dry run beside it shows all of it, and what a real run would hold.
    let body = json!({"connection": connection, "stream": stream, "mode": "full", "dry_run": true});
    let plan = stage.rest.post("/sync/billz-opencart", &body).await.ok(202);
    let plan = stage.rest.wait(plan["id"].as_str().unwrap()).await;
    assert_eq!((&plan["counts"]["created"], &plan["counts"]["held"]), (&json!(12), &json!(0)));
    assert_eq!(plan["brakes"].as_array().unwrap().len(), 2);
    let applied = settle(&stage, &run, "approve").await;
    assert_eq!((&applied["state"], &applied["counts"]["created"]), (&json!("succeeded"), &json!(12)), "{applied}");
    assert_eq!((standing(&stage, "quantity = 0"), stage.database.products()), (25, GOODS as i64 + 12));
    stage.assert_whole("approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_with_far_fewer_goods_than_usual_raises_an_alarm_until_a_person_says_it_is_right() {
    let (stage, connection, stream, goods) = shop(json!({"read_reuse": "0s", "brakes": {"limits": {"source_shrunk": {"from": 10}}}})).await;
    stage.full(&connection, &stream).await;
    for good in goods.iter().take(15) {
        assert!(stage.billz.billz2.delete(&good.parse().unwrap()));
    }
    for attempt in 0..6 {
        let run = stage.full(&connection, &stream).await;
        let brake = &run["brakes"][0];
        assert_eq!((&brake["rule"], &brake["count"], &brake["of"]), (&json!("source_shrunk"), &json!(15), &json!(30)), "{attempt}: {run}");
    }
    assert_eq!((standing(&stage, "quantity = 5"), events(&stage)), (GOODS, vec!["brake source_shrunk 15 of 30".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn half_an_answer_empties_no_shelf_and_prices_go_on() {
    let over =
        json!({"read_reuse": "0s", "vanished": "zero", "vanished_delay": "0s", "brakes": {"limits": {"source_shrunk": {"from": 10}}}});
    let (stage, connection, stream, goods) = shop(over).await;
    for good in goods.iter().take(15) {
        assert!(stage.billz.billz2.delete(&good.parse().unwrap()));
    }
    stage.change(&goods[20], json!({"price": {FIRST: "1020"}, "stock": {FIRST: "7"}}));
    let run = stage.sync(&connection, &stream, "full").await;
    assert_eq!(
        (&run["state"], &run["counts"]["held"], &run["counts"]["updated"]),
        (&json!("awaiting_approval"), &json!(15), &json!(1)),
        "{run}"
    );
    assert_eq!(run["brakes"][0]["rule"], "source_shrunk");
    assert_eq!((standing(&stage, "quantity = 5"), standing(&stage, "quantity = 7 AND price = 1020")), (GOODS - 1, 1));
    assert_eq!(stage.outcome(&run, &goods[0]).await, "held brake");
    // A person says that the goods are really gone: from then on this is the usual size.
    let applied = settle(&stage, &run, "approve").await;
    assert_eq!((&applied["state"], standing(&stage, "quantity = 0")), (&json!("succeeded"), 15), "{applied}");
    let next = stage.full(&connection, &stream).await;
    assert_eq!(next["brakes"], json!([]), "{next}");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_an_administrators_and_never_changed_blindly() {
    let (stage, connection, _, _) = shop(json!({})).await;
    let path = format!("/connections/{connection}/brakes");
    let answer = stage.rest.get(&path).await;
    let tag = answer.header("etag").unwrap();
    let body = answer.ok(200);
    assert_eq!(body["limits"]["price_jump"], json!({"on": true, "factor": "10", "from": 1}));
    let reading = body["readings"].as_array().unwrap().iter().find(|reading| reading["rule"] == "prices_moved").unwrap();
    assert_eq!((&reading["count"], &reading["tripped"]), (&json!(0), &json!(false)));
    stage.rest.put(&path, &json!({})).await.problem(428, "precondition-required");
    stage.rest.with_header("if-match", "\"77\"").put(&path, &json!({})).await.problem(412, "precondition-failed");
    let wrong = json!({"limits": {"price_jump": {"factor": 3}}, "streams": {"x": {"prices": {}}}});
    let problem = stage.rest.with_header("if-match", &tag).put(&path, &wrong).await.problem(422, "validation-failed");
    let mut pointers: Vec<&str> = problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    pointers.sort_unstable();
    assert_eq!(pointers, ["/limits/price_jump/factor", "/streams/x/prices"]);
    let problem = stage
        .rest
        .patch(&format!("/connections/{connection}"), &json!({"settings": {"brakes": {"limits": {"price_jump": {"factor": 3}}}}}))
        .await
        .problem(422, "validation-failed");
    assert_eq!(problem["errors"][0]["pointer"], "/settings/brakes/limits/price_jump/factor");
    let set = stage.rest.with_header("if-match", &tag).put(&path, &json!({"limits": {"price_jump": {"factor": "3"}}})).await;
    assert_ne!(set.header("etag").unwrap(), tag);
    assert_eq!(set.ok(200)["limits"]["price_jump"]["factor"], "3");
    let operator = crate::support::key(&stage.database, &["--role", "operator"]).key;
    stage.rest.with_key(&operator).get(&path).await.ok(200);
    stage.rest.with_key(&operator).with_header("if-match", "*").put(&path, &json!({})).await.problem(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_while_it_holds_or_is_approved_comes_to_the_same_end() {
    for (before, after) in [("after-brakes", "after-intent"), ("after-decide", "mid-batch"), ("after-record", "after-effect")] {
        let stage = Stage::without_worker(0).await;
        let goods: Vec<String> = (0..GOODS).map(|_| stage.good(json!({}))).collect();
        let (connection, stream) = stage.simple(json!({})).await;
        let mut worker = stage.worker(&Spawn::default()).await;
        stage.full(&connection, &stream).await;
        worker.kill();
        reprice(&stage, &goods, "2000");
        let run = stage.start(&connection, &stream, "full").await;
        let dies = async |point: &str| {
            let mut worker = stage.worker(&Spawn::failing_at(point)).await;
            assert!(worker.ended(Duration::from_secs(30)).await && worker.aborted(), "{point}\n{}", worker.output());
        };
        dies(before).await;
        let mut worker = stage.worker(&Spawn::default()).await;
        let waiting = stage.rest.wait(&run).await;
        worker.kill();
        assert_eq!((&waiting["state"], &waiting["counts"]["held"]), (&json!("awaiting_approval"), &json!(GOODS)), "{before}: {waiting}");
        assert_eq!((standing(&stage, "price = 1000"), standing(&stage, "quantity = 4")), (GOODS, GOODS), "{before}");
        assert_eq!(events(&stage).len(), 1);
        stage.rest.post(&format!("/sync/runs/{run}/approve"), &json!({})).await.ok(202);
        dies(after).await;
        let _worker = stage.worker(&Spawn::default()).await;
        let ended = stage.rest.wait(&run).await;
        assert_done(&ended, after);
        assert_eq!((&ended["counts"]["updated"], &ended["counts"]["held"]), (&json!(2 * GOODS), &json!(0)), "{after}: {ended}");
        assert_eq!(standing(&stage, "price = 2000 AND quantity = 4"), GOODS, "{after}");
        stage.assert_whole(after);
    }
}

/// Over random files, stock and decisions: what a run holds stands as it stood, what it does not hold is written, an approval writes what was
/// held, and whatever nobody agreed to is decided again by every run, until it is written or the source says something else.
#[tokio::test(flavor = "multi_thread")]
async fn over_random_trips_and_decisions_nothing_that_was_held_is_lost() {
    for seed in 1..=2u64 {
        let mut dice = Dice(seed * 77_003);
        let (stage, connection, stream, goods) = shop(json!({"brakes": {"limits": {"prices_moved": {"share": "0.2", "from": 4}}}})).await;
        let links = stage.links(&connection).await;
        let stands = |good: &String| stage.database.shelf(links[good]);
        let mut wanted: Vec<(u64, u64)> = vec![(1_000, 5); GOODS];
        let mut decided = [0; 4];
        for round in 0..12 {
            let how_many = [1, 3, 12, GOODS][dice.below(4)];
            for _ in 0..how_many {
                let at = dice.below(GOODS);
                let (price, stock) = (1_000 + 100 * dice.below(5) as u64, 1 + dice.below(9) as u64);
                wanted[at] = (price, stock);
                stage.change(&goods[at], json!({"price": {FIRST: price.to_string()}, "stock": {FIRST: stock.to_string()}}));
            }
            let before: Vec<String> = goods.iter().map(stands).collect();
            let run = stage.sync(&connection, &stream, "full").await;
            let items = stage.items(&run).await;
            let held = |good: &String| items.iter().any(|item| item["key"] == *good && item["outcome"] == "held");
            let when = format!("seed {seed}, round {round}: {run}");
            for ((good, before), (price, stock)) in goods.iter().zip(&before).zip(&wanted) {
                let price = if held(good) { before.split(' ').nth(1).unwrap().to_owned() } else { price.to_string() };
                assert_eq!(stands(good), format!("{stock} {price} 1"), "{good}, {when}");
            }
            assert_eq!(items.iter().any(|item| item["outcome"] == "held"), run["state"] == "awaiting_approval", "{when}");
            if run["state"] != "awaiting_approval" {
                continue;
            }
            let decision = dice.below(4);
            decided[decision] += 1;
            match decision {
                0 => {
                    assert_done(&settle(&stage, &run, "approve").await, &when);
                    for (good, (price, stock)) in goods.iter().zip(&wanted) {
                        assert_eq!(stands(good), format!("{stock} {price} 1"), "{good}, approved, {when}");
                    }
                }
                1 => assert_eq!(settle(&stage, &run, "reject").await["state"], "cancelled"),
                2 => stage
                    .database
                    .run("UPDATE tradesync_plans SET expires_at = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND WHERE expires_at IS NOT NULL"),
                _ => {}
            }
        }
        assert!(decided.iter().sum::<i32>() > 3, "seed {seed}: {decided:?}");
        stage
            .rest
            .patch(&format!("/connections/{connection}"), &json!({"settings": {"brakes": {"limits": {"prices_moved": {"on": false}}}}}))
            .await
            .ok(200);
        stage.full(&connection, &stream).await;
        for (good, (price, stock)) in goods.iter().zip(&wanted) {
            assert_eq!(stands(good), format!("{stock} {price} 1"), "{good}, at last, seed {seed}");
        }
    }
}
