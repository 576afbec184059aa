//! Goods that vanish from Billz, and products that a person deletes in the shop.

use std::time::Duration;

use serde_json::{Value, json};
use tradesync::sandbox::billz2::catalogue::Product;

use crate::support::{FIRST, Process, Spawn, Stage, change_of};

impl Stage {
    /// Billz does not list the good any more.
    pub fn archive(&self, good: &str) -> Product {
        self.billz.billz2.archive(&good.parse().unwrap()).unwrap()
    }
}

async fn set(stage: &Stage, connection: &str, settings: Value) {
    stage.rest.patch(&format!("/connections/{connection}"), &json!({ "settings": settings })).await.ok(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn goods_that_vanish_are_left_emptied_or_hidden_after_the_delay() {
    let stage = Stage::empty().await;
    // Something must be left: an empty list is not "all gone".
    stage.good(json!({}));
    for (owner, word, shelf) in [("seller:1", "leave", "5 1000 1"), ("seller:2", "zero", "0 1000 1"), ("seller:3", "disable", "5 1000 0")] {
        let good = stage.good(json!({}));
        let settings = json!({"vanished": word, "vanished_delay": "24h", "full_every": "24h"});
        let (connection, stream) = stage.simple_of(owner, settings).await;
        stage.full(&connection, &stream).await;
        let product = stage.product_of(&connection, &good).await;
        let archived = stage.archive(&good);

        // An incremental read never counts as absence.
        let run = stage.sync(&connection, &stream, "incremental").await;
        assert_eq!((stage.item(&run, &good).await, stage.database.shelf(product).as_str()), (Value::Null, "5 1000 1"), "{word}");
        // A whole read does, and the delay begins.
        let run = stage.full(&connection, &stream).await;
        let waits = if word == "leave" { "skipped vanished_left" } else { "skipped vanished_waiting" };
        assert_eq!((stage.outcome(&run, &good).await.as_str(), stage.database.shelf(product).as_str()), (waits, "5 1000 1"), "{word}");

        set(&stage, &connection, json!({"vanished_delay": "0s"})).await;
        let run = stage.sync(&connection, &stream, "incremental").await;
        assert_eq!((stage.item(&run, &good).await, stage.database.shelf(product).as_str()), (Value::Null, "5 1000 1"), "{word}");
        // A dry run shows it and does nothing.
        let dry = stage
            .rest
            .post("/sync/billz-opencart", &json!({"connection": connection, "stream": stream, "mode": "full", "dry_run": true}))
            .await;
        let dry = stage.rest.wait(dry.ok(202)["id"].as_str().unwrap()).await;
        let told = if word == "leave" { "none " } else { "updated vanished" };
        assert_eq!((stage.outcome(&dry, &good).await.as_str(), stage.database.shelf(product).as_str()), (told, "5 1000 1"), "{word}");
        let run = stage.full(&connection, &stream).await;
        assert_eq!((stage.outcome(&run, &good).await.as_str(), stage.database.shelf(product).as_str()), (told, shelf), "{word}");
        let item = stage.item(&run, &good).await;
        match word {
            "zero" => assert_eq!(change_of(&item, "quantity")["rule"], "vanished_zero"),
            "disable" => assert_eq!(change_of(&item, "status")["rule"], "vanished_disabled"),
            _ => assert_eq!(item, Value::Null, "told when it began"),
        }
        assert_eq!(stage.full(&connection, &stream).await["counts"]["updated"], 0, "{word}: once");
        // A run of named items leaves the others alone; a hand is put right.
        if word == "zero" {
            stage.database.run(&format!("UPDATE oc_product SET quantity = 3 WHERE product_id = {product}"));
            let body = json!({"connection": connection, "stream": stream, "mode": "full", "items": ["another"]});
            let run = stage.rest.post("/sync/billz-opencart", &body).await.ok(202);
            stage.rest.wait(run["id"].as_str().unwrap()).await;
            assert_eq!(stage.database.shelf(product), "3 1000 1");
            stage.full(&connection, &stream).await;
            assert_eq!(stage.database.shelf(product), shelf);
        }
        // It comes back.
        stage.billz.billz2.put_back(archived);
        let run = stage.full(&connection, &stream).await;
        assert_eq!(stage.database.shelf(product), "5 1000 1", "{word} {run}");
        let rule = change_of(&stage.item(&run, &good).await, "status")["rule"].clone();
        assert_eq!(rule, if word == "disable" { json!("vanished_returned") } else { Value::Null }, "{word}");
        assert_eq!(stage.full(&connection, &stream).await["counts"]["updated"], 0, "{word}");
        stage.billz.billz2.delete(&good.parse().unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_hides_a_good_is_overtaken_when_the_good_comes_back() {
    let stage = Stage::empty().await;
    stage.good(json!({}));
    let good = stage.good(json!({}));
    let (connection, stream) = stage.simple(json!({"vanished": "disable", "vanished_delay": "0s"})).await;
    stage.full(&connection, &stream).await;
    let product = stage.product_of(&connection, &good).await;
    let archived = stage.archive(&good);
    let body = json!({"connection": connection, "stream": stream, "mode": "full", "dry_run": true});
    let dry = stage.rest.post("/sync/billz-opencart", &body).await.ok(202)["id"].as_str().unwrap().to_owned();
    assert_eq!(stage.outcome(&stage.rest.wait(&dry).await, &good).await, "updated vanished");
    stage.billz.billz2.put_back(archived);
    stage.full(&connection, &stream).await;
    stage.rest.post(&format!("/sync/runs/{dry}/approve"), &json!({})).await.ok(202);
    let run = stage.rest.wait(&dry).await;
    assert_eq!((stage.outcome(&run, &good).await.as_str(), stage.database.shelf(product).as_str()), ("skipped superseded", "5 1000 1"));
}

fn delete_product(stage: &Stage, product: i64) {
    for table in ["", "_description", "_to_store", "_to_category", "_to_layout", "_special", "_attribute"] {
        stage.database.run(&format!("DELETE FROM oc_product{table} WHERE product_id = {product}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_that_a_person_deleted_is_left_alone_or_made_again() {
    let stage = Stage::empty().await;
    let good = stage.good(json!({"promo": {FIRST: "900"}}));
    let (connection, stream) = stage.simple(json!({})).await;
    stage.full(&connection, &stream).await;
    let first = stage.product_of(&connection, &good).await;
    delete_product(&stage, first);
    let run = stage.full(&connection, &stream).await;
    assert_eq!((stage.outcome(&run, &good).await.as_str(), stage.database.products()), ("skipped target_deleted", 0));

    set(&stage, &connection, json!({"deleted_in_shop": "recreate"})).await;
    let run = stage.full(&connection, &stream).await;
    assert_eq!(stage.outcome(&run, &good).await, "created recreated");
    let second = stage.product_of(&connection, &good).await;
    assert_ne!(first, second);
    assert_eq!(stage.item(&run, &good).await["target"], json!(second.to_string()), "the report names the new product");
    stage.assert_whole("made again");
    assert_eq!((stage.database.shelf(second).as_str(), stage.database.specials(second).len()), ("5 1000 1", 2));
    assert_eq!(stage.full(&connection, &stream).await["counts"]["unchanged"], 1);

    // A person deletes it again, and makes it anew by hand: it is not doubled.
    delete_product(&stage, second);
    let sku = stage.billz.billz2.product(&good.parse().unwrap()).unwrap().sku;
    let third = stage.database.add_product(&sku, "", "own", 1, "1");
    let run = stage.full(&connection, &stream).await;
    let reason = stage.item(&run, &good).await["reason"].clone();
    assert_eq!((&reason["code"], stage.database.products()), (&json!("target_deleted_twin"), 1));
    assert!(reason["text"].as_str().unwrap().contains(&third.to_string()), "{reason}");
}

/// The worker dies somewhere in the making; another one takes the run up, and there is one product, linked.
#[tokio::test(flavor = "multi_thread")]
async fn making_a_deleted_product_again_survives_a_kill_anywhere() {
    let points = [
        "after-decide",
        "after-intent",
        "creating-product",
        "product-without-children",
        "before-going-live",
        "after-effect",
        "after-record",
    ];
    for point in points {
        let stage = Stage::without_worker(0).await;
        let good = stage.good(json!({}));
        let (connection, stream) = stage.simple(json!({"deleted_in_shop": "recreate"})).await;
        let mut worker: Process = stage.worker(&Spawn::default()).await;
        stage.full(&connection, &stream).await;
        worker.kill();
        let first = stage.product_of(&connection, &good).await;
        delete_product(&stage, first);
        let mut doomed = stage.worker(&Spawn::failing_at(point)).await;
        let run = stage.start(&connection, &stream, "full").await;
        assert!(doomed.ended(Duration::from_secs(30)).await, "{point}: the planned failure did not come");
        let _worker = stage.worker(&Spawn::default()).await;
        let run = stage.rest.wait(&run).await;
        assert_eq!((&run["state"], &run["counts"]["created"]), (&json!("succeeded"), &json!(1)), "{point} {run}");
        stage.assert_whole(point);
        assert_ne!(stage.product_of(&connection, &good).await, first, "{point}");
        assert_eq!(stage.database.products(), 1, "{point}");
        assert_eq!(stage.full(&connection, &stream).await["counts"]["unchanged"], 1, "{point}");
    }
}
