//! Explain: one question about one item, answered with everything that is known, and nothing written.

use serde_json::{Value, json};

use crate::support::{FIRST, SECOND, Stage};

impl Stage {
    pub async fn explain(&self, connection: &str, item: &str) -> Value {
        self.rest.get(&format!("/sync/explain?connection={connection}&item={item}")).await.ok(200)
    }
}

/// The codes of the answer's sentences.
fn codes(explanation: &Value) -> Vec<&str> {
    explanation["answer"].as_array().unwrap().iter().map(|row| row["code"].as_str().unwrap()).collect()
}

fn field<'a>(explanation: &'a Value, name: &str) -> &'a Value {
    explanation["target"]["fields"].as_array().unwrap().iter().find(|row| row["field"] == name).unwrap_or(&Value::Null)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_tells_who_wrote_each_field_last_and_by_which_rule() {
    let stage = Stage::empty().await;
    let good = stage.good(json!({"name": "Кабель", "promo": {FIRST: "900"}}));
    let (connection, stream) = stage.simple(json!({"stock_buffer": 1})).await;
    let first = stage.full(&connection, &stream).await;
    let product = stage.product_of(&connection, &good).await;
    stage.change(&good, json!({"price": {FIRST: "2000"}}));
    let second = stage.full(&connection, &stream).await;
    stage.database.run(&format!("UPDATE oc_product SET quantity = 77, status = 0 WHERE product_id = {product}"));

    let frozen = stage.database.freeze();
    let ours = stage.database.our_state();
    let told = stage.explain(&connection, &good).await;
    assert_eq!(stage.database.our_state(), ours, "nothing is stored");
    frozen.thaw();
    assert_eq!((&told["item"], &told["source"]["name"], &told["source"]["run"]), (&json!(good), &json!("Кабель"), &second["id"]), "{told}");
    assert_eq!(told["source"]["values"]["shops"][&stream]["price"], "2000");
    let link = &told["link"];
    assert_eq!(
        (&link["state"], &link["origin"], &link["linked_by"], &link["written_by"]),
        (&json!("linked"), &json!("created"), &first["id"], &second["id"])
    );
    assert!(link["linked_at"].as_str().unwrap() < second["created_at"].as_str().unwrap(), "{link}");
    assert_eq!(told["target"]["state"], "seen");
    let price = field(&told, "price");
    assert_eq!(
        (&price["author"], &price["run"], &price["now"], &price["rule"]["code"]),
        (&json!("us"), &second["id"], &json!("2000"), &json!("price_of_shop"))
    );
    let quantity = field(&told, "quantity");
    assert_eq!(
        (&quantity["author"], &quantity["run"], &quantity["now"], &quantity["written"]),
        (&json!("somebody_else"), &first["id"], &json!(77), &json!(4))
    );
    assert_eq!((&field(&told, "special")["author"], &field(&told, "special")["now"]), (&json!("us"), &json!("900")));
    assert_eq!(field(&told, "status")["author"], "somebody_else");
    let decision = &told["decisions"][0];
    assert_eq!(
        (&decision["outcome"], &decision["changes"][0]["field"], &decision["changes"][0]["new"]),
        (&json!("updated"), &json!("quantity"), &json!(4))
    );
    assert_eq!((&decision["settings"]["stock_buffer"], &decision["settings"]["stock"]), (&json!(1), &json!("sum")), "{decision}");
    assert_eq!(codes(&told), ["explain_seen", "explain_linked", "explain_hidden", "explain_somebody_else", "changed"]);
    assert!(told["answer"][3]["text"].as_str().unwrap().contains("quantity, status"), "{told}");
    let runs: Vec<&Value> = told["changes"].as_array().unwrap().iter().map(|change| &change["run"]).collect();
    assert_eq!(runs, [&second["id"], &first["id"]]);

    // The same by the target, in Russian.
    let by_target =
        stage.rest.with_header("Accept-Language", "ru").get(&format!("/sync/explain?connection={connection}&target={product}")).await;
    assert_eq!((by_target.header("content-language").as_deref(), &by_target.body["item"]), (Some("ru"), &json!(good)));
    assert_eq!(by_target.body["answer"][1]["text"], format!("Он связан с товаром {product} на сайте."));

    // What an undo put back is ours again, and is told to be left alone.
    let undo = stage.rest.post(&format!("/sync/runs/{}/undo", second["id"].as_str().unwrap()), &json!({})).await.ok(202);
    stage.rest.wait(undo["id"].as_str().unwrap()).await;
    let told = stage.explain(&connection, &good).await;
    let price = field(&told, "price");
    assert_eq!((&price["author"], &price["run"], &price["undone_by"]), (&json!("us"), &undo["id"], &undo["id"]), "{price}");
    assert_eq!(told["decisions"][0]["reason"]["code"], "changed_but_undone", "{told}");
    assert_eq!((&told["changes"][0]["trigger"], &told["changes"][0]["reason"]["code"]), (&json!("undo"), &json!("undone")));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_tells_why_an_item_is_not_in_the_shop_or_not_updated() {
    let stage = Stage::empty().await;
    let question = stage.good(json!({"sku": "EXCEL"}));
    let doubled = stage.good(json!({"sku": "TWICE"}));
    let elsewhere = stage.good(json!({"price": {FIRST: null, SECOND: "5"}}));
    let foreign = stage.good(json!({"currency": {FIRST: "EUR"}}));
    let (gone, deleted) = (stage.good(json!({})), stage.good(json!({})));
    let product = stage.database.add_product("EXCEL", "", "m", 1, "400");
    for model in ["one", "two"] {
        stage.database.add_product("TWICE", "", model, 1, "400");
    }
    let (connection, stream) = stage.simple(json!({})).await;
    stage.sync(&connection, &stream, "full").await;
    let told = stage.explain(&connection, &question).await;
    assert_eq!((&told["link"]["state"], &told["link"]["candidates"][0]["target"]), (&json!("proposed"), &json!(product.to_string())));
    assert_eq!(
        (&told["target"]["state"], codes(&told)),
        (&json!("not_linked"), vec!["explain_seen", "explain_not_linked", "link_proposed"])
    );
    assert_eq!(told["decisions"][0]["settings"]["linking"], "confirm");
    let told = stage.explain(&connection, &doubled).await;
    assert_eq!((&told["link"]["state"], &told["decisions"][0]["reason"]["code"]), (&json!("ambiguous"), &json!("link_ambiguous")));
    assert_eq!(stage.explain(&connection, &elsewhere).await["decisions"][0]["reason"]["code"], "no_price");
    let told = stage.explain(&connection, &foreign).await;
    assert_eq!(codes(&told), ["explain_seen", "explain_not_linked", "explain_waits", "currency_without_rate"], "{told}");
    assert_eq!((&told["waiting"][0]["stream"], &told["waiting"][0]["attempts"]), (&json!(stream), &json!(1)));

    let product = stage.product_of(&connection, &deleted).await;
    stage.database.run(&format!("DELETE FROM oc_product WHERE product_id = {product}"));
    assert!(stage.billz.billz2.delete(&gone.parse().unwrap()));
    stage.sync(&connection, &stream, "full").await;
    let told = stage.explain(&connection, &deleted).await;
    assert_eq!((&told["target"]["state"], codes(&told)[2]), (&json!("deleted"), "target_deleted"), "{told}");
    let told = stage.explain(&connection, &gone).await;
    assert!(!told["source"]["gone_at"].is_null(), "{told}");
    assert_eq!(
        (codes(&told)[0], &told["target"]["state"], &field(&told, "price")["author"]),
        ("explain_gone", &json!("seen"), &json!("us"))
    );

    stage.rest.patch(&format!("/connections/{connection}"), &json!({"enabled": false})).await.ok(200);
    assert!(codes(&stage.explain(&connection, &question).await).contains(&"explain_disabled"));
    // A shop that does not answer is told, with what is known without it.
    stage.database.run("RENAME TABLE oc_product TO oc_product_away");
    let told = stage.explain(&connection, &gone).await;
    assert_eq!(told["target"]["state"], "unreachable", "{told}");
    assert!(told["target"]["error"]["detail"].as_str().unwrap().contains("oc_product"), "{told}");
    assert_eq!((&field(&told, "price")["author"], &field(&told, "price")["written"]), (&json!("unknown"), &json!("1000")));
    assert!(codes(&told).contains(&"explain_unreachable"));
    assert!(told["decisions"].as_array().unwrap().iter().all(|row| row["outcome"].is_null() && !row["error"].is_null()), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_that_cannot_be_answered_are_refused_with_the_next_step() {
    let stage = Stage::empty().await;
    let good = stage.good(json!({}));
    let (connection, stream) = stage.simple(json!({})).await;
    stage.full(&connection, &stream).await;
    let product = stage.product_of(&connection, &good).await;
    for (query, wrong) in [
        (format!("connection={connection}"), "?item"),
        (format!("connection={connection}&item={good}&target={product}"), "?item"),
        (format!("item={good}"), "?connection"),
        (format!("connection={connection}&item={good}&run=x"), "?run"),
    ] {
        let problem = stage.rest.get(&format!("/sync/explain?{query}")).await.problem(400, "invalid-query");
        assert_eq!(problem["errors"][0]["pointer"], wrong, "{problem}");
    }
    for (query, said) in [
        (format!("connection={connection}&item=nothing"), "start a full run"),
        (format!("connection={connection}&target=999999"), "PUT /connections/{id}/links/{source}"),
        (format!("connection=019aa0b2c3d47e5f8a9b0c1d2e3f4a5a&item={good}"), "no such connection"),
    ] {
        let problem = stage.rest.get(&format!("/sync/explain?{query}")).await.problem(404, "not-found");
        assert!(problem["detail"].as_str().unwrap().contains(said), "{problem}");
    }
    let other = stage.rest.with_header("X-On-Behalf-Of", "seller:1");
    other.get(&format!("/sync/explain?connection={connection}&item={good}")).await.problem(404, "not-found");
    // Nor does one seller learn of another's products by asking for a target.
    let (mine, _) = stage.simple_of("seller:1", json!({})).await;
    stage.rest.get(&format!("/sync/explain?connection={mine}&target={product}")).await.problem(404, "not-found");
}
