//! What the site itself sells: OpenCart's own orders lower a product's quantity, and are no hand edits.

use serde_json::{Value, json};

use crate::support::{FIRST, Spawn, Stage, change_of};

/// «Processing» and «Cancelled» of the seed rows.
const PROCESSING: u32 = 2;
const CANCELLED: u32 = 7;

impl Stage {
    /// A customer orders: what OpenCart's own `addOrderHistory` writes, in its order. Returns the order.
    pub fn order(&self, product: i64, pieces: i64) -> i64 {
        self.database.run(&format!(
            "SET time_zone = '+05:00';
             INSERT INTO oc_order (order_status_id, date_added, date_modified) VALUES (0, NOW(), NOW());
             SET @order = LAST_INSERT_ID();
             INSERT INTO oc_order_product (order_id, product_id, name, model, quantity, reward) VALUES (@order, {product}, '', '', {pieces}, 0);
             UPDATE oc_product SET quantity = (quantity - {pieces}) WHERE product_id = {product} AND subtract = '1';
             UPDATE oc_order SET order_status_id = {PROCESSING}, date_modified = NOW() WHERE order_id = @order;
             INSERT INTO oc_order_history (order_id, order_status_id, comment, date_added) VALUES (@order, {PROCESSING}, '', NOW())"
        ));
        self.database.number("SELECT MAX(order_id) AS number FROM oc_order")
    }

    /// The order is cancelled: its pieces go back.
    pub fn cancel(&self, order: i64) {
        self.database.run(&format!(
            "SET time_zone = '+05:00';
             UPDATE oc_order SET order_status_id = {CANCELLED}, date_modified = NOW() WHERE order_id = {order};
             INSERT INTO oc_order_history (order_id, order_status_id, comment, date_added) VALUES ({order}, {CANCELLED}, '', NOW());
             UPDATE oc_product p JOIN oc_order_product i ON i.product_id = p.product_id AND i.order_id = {order} \
               SET p.quantity = (p.quantity + i.quantity) WHERE p.subtract = '1'"
        ));
    }
}

fn quantity(stage: &Stage, product: i64) -> i64 {
    stage.database.number(&format!("SELECT quantity AS number FROM oc_product WHERE product_id = {product}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fall_explained_by_the_sites_own_orders_is_no_hand_edit() {
    let stage = Stage::empty().await;
    let good = stage.good(json!({"stock": {FIRST: "10"}}));
    for (owner, mode, after_sale, code) in
        [("seller:1", "keep", 8, "site_sales_kept"), ("seller:2", "net", 8, "site_sales_net"), ("seller:3", "ignore", 10, "stock_sum")]
    {
        stage.change(&good, json!({"stock": {FIRST: "10"}}));
        let (connection, stream) = stage.simple_of(owner, json!({"site_sales": mode})).await;
        stage.full(&connection, &stream).await;
        let product = stage.product_of(&connection, &good).await;
        let order = stage.order(product, 2);
        let modified = "UPDATE oc_product SET date_modified = '2024-01-01 00:00:00'";
        stage.database.run(modified);
        let run = stage.full(&connection, &stream).await;
        assert_eq!(quantity(&stage, product), after_sale, "{mode}");
        let change = change_of(&stage.item(&run, &good).await, "quantity");
        assert_eq!((&change["rule"], &change["old"], &change["new"]), (&json!(code), &json!(8), &json!(after_sale)), "{mode}");
        if mode == "keep" {
            assert_eq!(
                change["rule_text"], "Billz: 10. Since then 2 were sold on the site, so 8 stays until Billz's own number moves.",
                "{change}"
            );
        }
        let untouched = stage.database.cell(&format!("SELECT date_modified FROM oc_product WHERE product_id = {product}"));
        assert_eq!(untouched == "2024-01-01 00:00:00", mode != "ignore", "{mode}: a kept sale writes nothing to the shop");
        assert_eq!(stage.full(&connection, &stream).await["counts"]["updated"], 0, "{mode}: told once");
        // A hand on top of it: our value comes back, the sale stays subtracted.
        stage.database.run(&format!("UPDATE oc_product SET quantity = 99 WHERE product_id = {product}"));
        stage.full(&connection, &stream).await;
        assert_eq!(quantity(&stage, product), after_sale, "{mode}");
        // The order is cancelled: what OpenCart puts back is explained as well.
        stage.cancel(order);
        let run = stage.full(&connection, &stream).await;
        assert_eq!(quantity(&stage, product), 10, "{mode} {run}");
        // Billz moves: it knows of what was sold before.
        stage.order(product, 3);
        stage.full(&connection, &stream).await;
        stage.database.run("UPDATE oc_order SET date_modified = date_modified - INTERVAL 1 MINUTE");
        stage.change(&good, json!({"stock": {FIRST: "20"}}));
        let run = stage.full(&connection, &stream).await;
        assert_eq!(change_of(&stage.item(&run, &good).await, "quantity")["rule"], "stock_sum", "{mode}");
        assert_eq!(quantity(&stage, product), 20, "{mode}");
        assert_eq!(stage.full(&connection, &stream).await["counts"]["updated"], 0, "{mode}");
        stage.order(product, 1);
        stage.full(&connection, &stream).await;
        assert_eq!(quantity(&stage, product), if mode == "ignore" { 20 } else { 19 }, "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_between_deciding_and_writing_are_not_lost() {
    for (mode, expected) in [("keep", 30), ("net", 29)] {
        let mut stage = Stage::empty().await;
        let good = stage.good(json!({"stock": {FIRST: "10"}}));
        let (connection, stream) = stage.simple(json!({"site_sales": mode})).await;
        stage.full(&connection, &stream).await;
        let product = stage.product_of(&connection, &good).await;
        stage.change(&good, json!({"stock": {FIRST: "30"}}));
        stage.restart(&Spawn::failing_at("after-decide")).await;
        let run = stage.start(&connection, &stream, "full").await;
        assert!(stage.service.ended(std::time::Duration::from_secs(10)).await, "the planned failure did not come");
        stage.order(product, 1);
        stage.restart(&Spawn::default()).await;
        let run = stage.rest.wait(&run).await;
        assert_eq!(run["state"], "succeeded", "{run}");
        // `keep` takes Billz's new number for its last word; `net` knows that Billz was read before the order.
        let item = stage.item(&run, &good).await;
        assert_eq!(change_of(&item, "quantity")["old"], 9, "{mode}: decided once more over what stood there {item}");
        assert_eq!(quantity(&stage, product), expected, "{mode} {item}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_read_the_orders_is_told_so_and_ignore_does_without() {
    let stage = Stage::empty().await;
    let good = stage.good(json!({}));
    let (connection, stream) = stage.simple(json!({})).await;
    stage.full(&connection, &stream).await;
    stage.database.run("RENAME TABLE oc_order_history TO hidden_order_history");
    let run = stage.sync(&connection, &stream, "full").await;
    let detail = run["error"]["detail"].as_str().unwrap_or_default().to_owned();
    assert_eq!(run["state"], "failed", "{run}");
    assert!(detail.contains("oc_order_history") && detail.contains("site_sales"), "{detail}");
    stage.rest.patch(&format!("/connections/{connection}"), &json!({"settings": {"site_sales": "ignore"}})).await.ok(200);
    stage.change(&good, json!({"stock": {FIRST: "6"}}));
    stage.full(&connection, &stream).await;
    assert_eq!(quantity(&stage, stage.product_of(&connection, &good).await), 6);
    let wrong: Value = stage
        .rest
        .patch(&format!("/connections/{connection}"), &json!({"settings": {"site_sales": "guess"}}))
        .await
        .problem(422, "validation-failed");
    assert_eq!(wrong["errors"][0]["pointer"], "/settings/site_sales");
}
