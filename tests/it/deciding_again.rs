//! Every run decides over all records of its connection, whatever it has read: nothing that changes an outcome needs a full read.

use serde_json::json;

use crate::support::{FIRST, SECOND, Stage};

/// Fails unless the run was incremental and brought nothing new.
fn brought_nothing(run: &serde_json::Value) {
    assert_eq!(run["state"], "succeeded", "{run}");
    assert_eq!((&run["read"]["mode"], &run["read"]["changed"]), (&json!("incremental"), &json!(0)), "{run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_setting_reaches_goods_that_no_delta_brings() {
    let stage = Stage::empty().await;
    let good = stage.good(json!({}));
    let (connection, stream) = stage.simple(json!({"unmapped_category": "inbox", "full_every": "24h"})).await;
    let run = stage.full(&connection, &stream).await;
    assert_eq!(stage.outcome(&run, &good).await, "skipped category_unmapped");
    stage.rest.patch(&format!("/connections/{connection}"), &json!({"settings": {"unmapped_category": "default"}})).await.ok(200);
    let run = stage.sync(&connection, &stream, "incremental").await;
    brought_nothing(&run);
    assert_eq!(stage.outcome(&run, &good).await, "created new_product");
}

#[tokio::test(flavor = "multi_thread")]
async fn removing_or_disabling_a_shop_recalculates_in_the_next_run_of_another() {
    let stage = Stage::empty().await;
    let good = stage.good(json!({"stock": {FIRST: "5", SECOND: "7"}, "price": {SECOND: "1000"}}));
    let connection = stage.connect(json!({"full_every": "24h"})).await;
    let streams = stage.streams(&connection, 2).await;
    for stream in &streams {
        stage.full(&connection, stream).await;
    }
    let product = stage.product_of(&connection, &good).await;
    assert_eq!(stage.database.shelf(product), "12 1000 1");
    let second = format!("/connections/{connection}/streams/{}", streams[1]);
    stage.rest.patch(&second, &json!({"enabled": false})).await.ok(200);
    brought_nothing(&stage.sync(&connection, &streams[0], "incremental").await);
    assert_eq!(stage.database.shelf(product), "5 1000 1");
    stage.rest.patch(&second, &json!({"enabled": true})).await.ok(200);
    brought_nothing(&stage.sync(&connection, &streams[0], "incremental").await);
    assert_eq!(stage.database.shelf(product), "12 1000 1");
    assert_eq!(stage.rest.delete(&second).await.status, 204);
    brought_nothing(&stage.sync(&connection, &streams[0], "incremental").await);
    assert_eq!(stage.database.shelf(product), "5 1000 1");
}
