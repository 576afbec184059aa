//! A seller goes over from Billz 1 to Billz 2, and back: ids are unrelated, so old links are kept aside and links are proposed anew before
//! anything is created.

use serde_json::{Value, json};

use crate::support::{Api, BILLZ_KEY, FIRST, Stage};

/// The same three goods in both systems, by sku and barcode; their ids in Billz 1 and in Billz 2.
fn goods(stage: &mut Stage) -> (Vec<String>, Vec<String>) {
    let good =
        |number: u32| json!({"name": format!("Чашка {number}"), "sku": format!("CUP-{number}"), "barcode": format!("47800001{number:05}")});
    let mut of = |api: Api| {
        stage.api = api;
        (1..=3).map(|number| stage.good(good(number))).collect::<Vec<_>>()
    };
    let (old, new) = (of(Api::Billz1), of(Api::Billz2));
    stage.api = Api::Billz1;
    (old, new)
}

fn go_over(stage: &Stage, to: Api) -> Value {
    match to {
        Api::Billz1 => json!({"settings": {"api": "billz1", "base_url": stage.billz.billz1_url}}),
        Api::Billz2 => json!({"settings": {"api": "billz2", "base_url": stage.billz.url}}),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_links_are_kept_aside_and_links_are_proposed_anew_before_anything_is_created() {
    let mut stage = Stage::empty_of(Api::Billz1).await;
    let (old, new) = goods(&mut stage);
    let (connection, office) = stage.simple(json!({})).await;
    let uri = format!("/connections/{connection}");
    stage.full(&connection, &office).await;
    let links = stage.links(&connection).await;
    assert_eq!((links.len(), stage.database.products()), (3, 3));
    // A plan of the old source, which a person has not approved yet.
    stage.change(&old[0], json!({"price": {FIRST: "1500"}}));
    let plan = stage
        .rest
        .post("/sync/billz-opencart", &json!({"connection": connection, "stream": office, "dry_run": true, "mode": "full"}))
        .await
        .ok(202);
    let plan = stage.rest.wait(plan["id"].as_str().unwrap()).await;
    assert_eq!(plan["state"], "awaiting_approval");

    // Another account of the same Billz is refused, as ever.
    stage.rest.patch(&uri, &json!({"secrets": {"username": "another.ecommerce"}})).await.problem(409, "in-use");
    stage.rest.patch(&uri, &go_over(&stage, Api::Billz2)).await.ok(200);

    let plan = stage.rest.get(&format!("/sync/runs/{}", plan["id"].as_str().unwrap())).await.ok(200);
    assert_eq!((&plan["state"], &plan["error"]["code"]), (&json!("cancelled"), &json!("cancelled")), "the plan is off: {plan}");
    let row = stage.stream(&connection, &office).await;
    assert_eq!((&row["cursor"], &row["last_synced_at"], &row["last_whole_read_at"]), (&Value::Null, &Value::Null, &Value::Null));
    assert!(stage.links(&connection).await.is_empty());
    assert_eq!(stage.database.number("SELECT COUNT(*) AS number FROM tradesync_links WHERE state = 'linked'"), 3, "kept aside");

    // The shop of Billz 2; nothing of Billz 1 is decided on.
    stage.api = Api::Billz2;
    let shop = stage.streams(&connection, 1).await.remove(0);
    let state = stage.database.shop_state();
    let run = stage.sync(&connection, &shop, "incremental").await;
    assert_eq!((&run["read"]["mode"], &run["counts"]["held"], &run["counts"]["created"]), (&json!("full"), &json!(3), &json!(0)), "{run}");
    let items = stage.items(&run).await;
    assert!(
        items.iter().all(|item| new.contains(&item["key"].as_str().unwrap().to_owned()) && item["reason"]["code"] == "link_proposed"),
        "{items:?}"
    );
    assert_eq!(stage.database.shop_state(), state, "nothing was created or changed");
    for source in &new {
        stage.rest.post(&format!("{uri}/links/{source}/confirm"), &json!({})).await.ok(200);
    }
    stage.change(&new[1], json!({"price": {FIRST: "2000"}}));
    let run = stage.sync(&connection, &shop, "full").await;
    assert_eq!((&run["counts"]["created"], &run["counts"]["updated"]), (&json!(0), &json!(1)), "{run}");
    let found = stage.links(&connection).await;
    assert_eq!((found[&new[0]], found[&new[1]]), (links[&old[0]], links[&old[1]]), "the same products under other ids");
    assert_eq!(stage.database.products(), 3);
    // A shop of the old source does no harm: Billz 2 has no price for it.
    let state = stage.database.shop_state();
    stage.sync(&connection, &office, "full").await;
    assert_eq!(stage.database.shop_state(), state);

    // And back: the old links are taken up where they stood.
    stage.rest.patch(&uri, &go_over(&stage, Api::Billz1)).await.ok(200);
    assert_eq!(stage.links(&connection).await, links);
    stage.api = Api::Billz1;
    let run = stage.sync(&connection, &office, "full").await;
    assert_eq!((&run["counts"]["created"], &run["counts"]["held"], &run["counts"]["updated"]), (&json!(0), &json!(0), &json!(2)), "{run}");
    assert_eq!(stage.database.products(), 3);
    stage.rest.patch(&uri, &go_over(&stage, Api::Billz2)).await.ok(200);
    assert_eq!(stage.links(&connection).await, found, "as often as one likes");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_never_was_on_billz_1_does_not_go_there_and_shared_links_stay() {
    let mut stage = Stage::empty_of(Api::Billz1).await;
    goods(&mut stage);
    stage.api = Api::Billz2;
    let (connection, shop) = stage.simple(json!({})).await;
    stage.full(&connection, &shop).await;
    let mut over = go_over(&stage, Api::Billz1);
    over["secrets"] = stage_secrets();
    stage.rest.patch(&format!("/connections/{connection}"), &over).await.problem(409, "in-use");

    // Two connections of one seller stand on the same links: they are not taken away under the other.
    stage.api = Api::Billz1;
    let (one, office) = stage.simple_of("seller:7", json!({"new_products": "live"})).await;
    stage.full(&one, &office).await;
    let (two, _) = stage.simple_of("seller:7", json!({})).await;
    let refused = stage.rest.patch(&format!("/connections/{one}"), &go_over(&stage, Api::Billz2)).await;
    assert!(refused.text.contains(&two), "{}", refused.text);
    refused.problem(409, "in-use");
    stage.rest.delete(&format!("/connections/{two}")).await;
    stage.rest.patch(&format!("/connections/{one}"), &go_over(&stage, Api::Billz2)).await.ok(200);
}

/// The seller's connection with Billz 1 is deleted and one with Billz 2 is made instead, in either order.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_connection_in_place_of_a_deleted_one_doubles_no_goods() {
    for made_before in [false, true] {
        let mut stage = Stage::empty_of(Api::Billz1).await;
        let (_, new) = goods(&mut stage);
        let (old_connection, office) = stage.simple(json!({})).await;
        stage.full(&old_connection, &office).await;
        let links = stage.links(&old_connection).await;
        let old_path = format!("/connections/{old_connection}");
        if !made_before {
            stage.rest.delete(&old_path).await.ok(204);
        }
        stage.api = Api::Billz2;
        let (connection, shop) = stage.simple(json!({})).await;
        if made_before {
            stage.rest.delete(&old_path).await.ok(204);
        }
        let run = stage.sync(&connection, &shop, "full").await;
        assert_eq!((&run["counts"]["held"], &run["counts"]["created"]), (&json!(3), &json!(0)), "{run}");
        for source in &new {
            stage.rest.post(&format!("/connections/{connection}/links/{source}/confirm"), &json!({})).await.ok(200);
        }
        let run = stage.full(&connection, &shop).await;
        assert_eq!((&run["counts"]["created"], stage.database.products()), (&json!(0), 3), "{run}");
        // Whoever comes back to the first account has its links again.
        stage.rest.delete(&format!("/connections/{connection}")).await.ok(204);
        stage.api = Api::Billz1;
        let (back, office) = stage.simple(json!({})).await;
        assert_eq!(stage.links(&back).await, links);
        let run = stage.full(&back, &office).await;
        assert_eq!((&run["counts"]["created"], &run["counts"]["held"], stage.database.products()), (&json!(0), &json!(0), 3), "{run}");
        // Another owner's connection is no successor.
        stage.rest.delete(&format!("/connections/{back}")).await.ok(204);
        stage.simple_of("seller:43", json!({})).await;
        let held = "SELECT COUNT(*) AS number FROM tradesync_links WHERE target_space IS NOT NULL";
        assert_eq!(stage.database.number(held), 3);
    }
}

fn stage_secrets() -> Value {
    json!({"secret": BILLZ_KEY, "username": crate::support::BILLZ_USERNAME})
}
