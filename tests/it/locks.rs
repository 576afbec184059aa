//! Locks: "a locked field or product survives hand-edited" (issue 3, point 8; design.md section 4).

use serde_json::{Value, json};

use crate::support::{Stage, change_of};

impl Stage {
    pub async fn lock(&self, connection: &str, items: Value) -> Value {
        self.rest.put_matching(&format!("/connections/{connection}/locks"), "*", &json!({"items": items})).await.ok(200)
    }
}

/// One good that is linked to one product; its keys.
async fn one_product(settings: Value) -> (Stage, String, String, String, i64) {
    let stage = Stage::empty().await;
    let good = stage.good(json!({}));
    let (connection, stream) = stage.simple(settings).await;
    stage.full(&connection, &stream).await;
    let product = stage.product_of(&connection, &good).await;
    assert_eq!(stage.database.shelf(product), "5 1000 1");
    (stage, connection, stream, good, product)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_field_survives_hand_edited_and_the_others_go_on() {
    let (stage, connection, stream, good, product) = one_product(json!({})).await;
    stage.database.run(&format!("UPDATE oc_product SET price = 700, quantity = 1 WHERE product_id = {product}"));
    stage.lock(&connection, json!([{"source": good, "fields": ["price"], "note": "agreed"}])).await;
    let run = stage.full(&connection, &stream).await;
    assert_eq!(stage.database.shelf(product), "5 700 1");
    let change = change_of(&stage.item(&run, &good).await, "price");
    assert_eq!((&change["old"], &change["new"], &change["rule"]), (&json!("700"), &json!("700"), &json!("locked")), "{change}");
    // Nothing else to do: the report says why, in the reader's words.
    let run = stage.full(&connection, &stream).await;
    let item = stage.item(&run, &good).await;
    assert_eq!((&item["outcome"], &item["reason"]["code"]), (&json!("skipped"), &json!("locked")), "{item}");
    assert!(item["reason"]["text"].as_str().unwrap().contains("(agreed)"), "{item}");
    // Unlocked, Billz counts again.
    stage.lock(&connection, json!([])).await;
    stage.full(&connection, &stream).await;
    assert_eq!(stage.database.shelf(product), "5 1000 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_product_is_not_touched_by_whichever_id_it_is_named() {
    let (stage, connection, stream, good, product) = one_product(json!({})).await;
    stage.database.run(&format!("UPDATE oc_product SET price = 700, quantity = 1 WHERE product_id = {product}"));
    let before = stage.database.whole_product(product);
    for lock in [json!({"source": good}), json!({"target": product.to_string()})] {
        stage.lock(&connection, json!([lock])).await;
        let run = stage.full(&connection, &stream).await;
        assert_eq!(stage.outcome(&run, &good).await, "skipped locked");
        assert_eq!(stage.database.whole_product(product), before);
    }
    // A good that is locked before the shop has it is not created.
    let other = stage.good(json!({}));
    stage.lock(&connection, json!([{"source": other}])).await;
    let run = stage.full(&connection, &stream).await;
    assert_eq!(stage.outcome(&run, &other).await, "skipped locked");
    assert_eq!((stage.database.products(), stage.database.shelf(product).as_str()), (1, "5 1000 1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_is_locked_for_all_products_by_a_lock_or_by_the_settings() {
    let (stage, connection, stream, good, product) = one_product(json!({})).await;
    stage.lock(&connection, json!([{"fields": ["quantity"]}])).await;
    stage.change(&good, json!({"stock": {"Chilonzor": "9"}, "price": {"Chilonzor": "1200"}}));
    stage.full(&connection, &stream).await;
    assert_eq!(stage.database.shelf(product), "5 1200 1");
    // What protects standing values does not keep new goods from being made whole.
    let new = stage.good(json!({"stock": {"Chilonzor": "3"}}));
    stage.full(&connection, &stream).await;
    assert_eq!(stage.database.shelf(stage.product_of(&connection, &new).await), "3 1000 1");
    stage.lock(&connection, json!([])).await;
    stage.rest.patch(&format!("/connections/{connection}"), &json!({"settings": {"locks": ["price"]}})).await.ok(200);
    stage.change(&good, json!({"price": {"Chilonzor": "1500"}}));
    stage.full(&connection, &stream).await;
    assert_eq!(stage.database.shelf(product), "9 1200 1");
    let wrong = stage.rest.patch(&format!("/connections/{connection}"), &json!({"settings": {"locks": ["colour"]}})).await;
    assert_eq!(wrong.problem(422, "validation-failed")["errors"][0]["pointer"], "/settings/locks/0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_special_is_never_above_a_locked_price() {
    let (stage, connection, stream, good, product) = one_product(json!({})).await;
    stage.database.run(&format!("UPDATE oc_product SET price = 700 WHERE product_id = {product}"));
    stage.lock(&connection, json!([{"source": good, "fields": ["price"]}])).await;
    stage.change(&good, json!({"promo": {"Chilonzor": "800"}}));
    stage.full(&connection, &stream).await;
    assert_eq!((stage.database.shelf(product).as_str(), stage.database.specials(product)), ("5 700 1", Vec::<String>::new()));
    stage.change(&good, json!({"promo": {"Chilonzor": "600"}}));
    stage.full(&connection, &stream).await;
    assert!(stage.database.specials(product).iter().all(|row| row.contains(":600:")), "{:?}", stage.database.specials(product));
    assert!(!stage.database.specials(product).is_empty());
    // The locked price sinks below the promotion by hand: ours goes.
    stage.database.run(&format!("UPDATE oc_product SET price = 500 WHERE product_id = {product}"));
    stage.full(&connection, &stream).await;
    assert_eq!(stage.database.specials(product), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_holds_for_plans_that_were_made_before_it() {
    let stage = Stage::empty().await;
    let goods: Vec<String> = (0..3).map(|_| stage.good(json!({}))).collect();
    let (connection, stream) = stage.simple(json!({})).await;
    stage.full(&connection, &stream).await;
    let mut products = Vec::new();
    let first = stage.product_of(&connection, &goods[0]).await;
    stage.database.run(&format!("UPDATE oc_product SET price = 750 WHERE product_id = {first}"));
    for good in &goods {
        products.push(stage.product_of(&connection, good).await);
        stage.change(good, json!({"price": {"Chilonzor": "900"}, "promo": {"Chilonzor": "800"}, "stock": {"Chilonzor": "8"}}));
    }
    let new = stage.good(json!({}));
    let body = json!({"connection": connection, "stream": stream, "mode": "full", "dry_run": true});
    let run = stage.rest.post("/sync/billz-opencart", &body).await.ok(202)["id"].as_str().unwrap().to_owned();
    assert_eq!(stage.rest.wait(&run).await["state"], "awaiting_approval");
    // Between plan and approval a person locks a price that is below the planned special, a whole product, and a good to be made.
    stage
        .lock(
            &connection,
            json!([{"source": goods[0], "fields": ["price"]}, {"target": products[1].to_string(), "note": "mine"}, {"source": new}]),
        )
        .await;
    stage.rest.post(&format!("/sync/runs/{run}/approve"), &json!({})).await.ok(202);
    let ended = stage.rest.wait(&run).await;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(stage.database.shelf(products[0]), "8 750 1");
    assert_eq!(stage.database.specials(products[0]), Vec::<String>::new(), "a special of 800 above the locked 750");
    let told = change_of(&stage.item(&ended, &goods[0]).await, "price");
    assert_eq!((&told["new"], &told["rule"]), (&told["old"], &json!("locked")), "the report tells what was done: {told}");
    assert_eq!(stage.database.shelf(products[1]), "5 1000 1");
    assert_eq!(stage.outcome(&ended, &goods[1]).await, "skipped locked");
    assert_eq!(stage.database.shelf(products[2]), "8 900 1");
    assert_eq!(stage.outcome(&ended, &new).await, "skipped locked");
    assert_eq!(stage.database.products(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_takes_back_what_is_not_locked() {
    let (stage, connection, stream, good, product) = one_product(json!({})).await;
    stage.change(&good, json!({"price": {"Chilonzor": "1200"}, "promo": {"Chilonzor": "1100"}, "stock": {"Chilonzor": "9"}}));
    let run = stage.full(&connection, &stream).await;
    let specials = stage.database.specials(product);
    stage.lock(&connection, json!([{"source": good, "fields": ["price"]}])).await;
    let undo = stage.undo(&run).await;
    assert_eq!((&undo["state"], stage.lines(&undo, &good).await), (&json!("succeeded"), vec!["updated undone".to_owned()]), "{undo}");
    assert_eq!(
        (stage.database.shelf(product).as_str(), stage.database.specials(product)),
        ("5 1200 1", specials),
        "the special stays with its price"
    );
    let told = change_of(&stage.item(&undo, &good).await, "price");
    assert_eq!((&told["new"], &told["rule"]), (&told["old"], &json!("locked")), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_product_is_neither_emptied_nor_hidden_when_its_good_vanishes() {
    for vanished in ["zero", "disable"] {
        let (stage, connection, stream, good, product) = one_product(json!({"vanished": vanished, "vanished_delay": "0s"})).await;
        stage.good(json!({}));
        stage.lock(&connection, json!([{"source": good, "fields": ["quantity", "status"]}])).await;
        stage.billz.billz2.delete(&good.parse().unwrap());
        stage.full(&connection, &stream).await;
        stage.full(&connection, &stream).await;
        assert_eq!(stage.database.shelf(product), "5 1000 1", "{vanished}");
        stage.lock(&connection, json!([])).await;
        stage.full(&connection, &stream).await;
        assert_ne!(stage.database.shelf(product), "5 1000 1", "{vanished}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn locks_and_mappings_of_another_seller_are_neither_seen_nor_obeyed() {
    let (stage, connection, stream, good, product) = one_product(json!({})).await;
    let (foreign, _) = stage.simple_of("seller:43", json!({})).await;
    stage.lock(&foreign, json!([{"source": good}, {"target": product.to_string()}])).await;
    let path = format!("/connections/{connection}/locks");
    assert_eq!(stage.rest.get(&path).await.ok(200)["items"], json!([]));
    stage.change(&good, json!({"price": {"Chilonzor": "1200"}}));
    stage.full(&connection, &stream).await;
    assert_eq!(stage.database.shelf(product), "5 1200 1");
    // Two people change the locks at once: the later one is told.
    let read = stage.rest.get(&path).await;
    let tag = read.header("etag").unwrap().to_owned();
    let body = |target: &str| json!({"items": [{"target": target}]});
    stage.rest.put_matching(&path, &tag, &body("1")).await.ok(200);
    stage.rest.put_matching(&path, &tag, &body("2")).await.problem(412, "precondition-failed");
    stage.rest.put_matching(&path, &tag, &body("1")).await.ok(200);
    stage.rest.put(&path, &body("2")).await.problem(428, "precondition-required");
}
