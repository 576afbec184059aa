//! Undo, explain, locks, links of hand, retry list: for this flow as for Billz.

use serde_json::{Value, json};

use super::{Pair, count};

async fn undo(pair: &Pair, run: &Value) -> Value {
    let id = run["id"].as_str().unwrap();
    let undo = pair.stage.rest.post(&format!("/sync/runs/{id}/undo"), &json!({})).await.ok(202)["id"].as_str().unwrap().to_owned();
    pair.stage.rest.wait(&undo).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_puts_everything_back_and_it_stays_until_kaktus_moves() {
    let pair = Pair::new(json!({})).await;
    let before = pair.insales().quantities();
    let run = pair.well().await;
    let after = pair.insales().quantities();
    let undone = undo(&pair, &run).await;
    assert_eq!((undone["state"].as_str(), count(&undone, "updated")), (Some("succeeded"), count(&run, "updated")), "{undone}");
    assert_eq!(pair.insales().quantities(), before);
    let calm = pair.well().await;
    assert_eq!((count(&calm, "updated"), pair.insales().quantities()), (0, before.clone()), "{calm}");
    let moved: std::collections::BTreeSet<String> = pair.kaktus().random_changes(5, 11).into_iter().collect();
    let next = pair.well().await;
    assert!(count(&next, "updated") > 0 && count(&next, "updated") <= moved.len() as u64, "{next}");
    // And an undo can be undone.
    let redone = undo(&pair, &undone).await;
    assert!(count(&redone, "updated") > 0, "{redone}");
    let same = after.iter().filter(|(id, quantity)| pair.insales().quantities()[id] == **quantity).count();
    assert!(same >= after.len() - moved.len(), "{same} of {}", after.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_is_looked_after_until_it_stands_and_overwrites_nobody() {
    let pair = Pair::empty(json!({})).await;
    let variants: Vec<u64> = ["46", "47", "48"].map(|barcode| (pair.stocked(barcode, 7), pair.sold(barcode, 3)).1).into();
    let run = pair.well().await;
    pair.insales().edit(variants[2], |variant| variant.quantities = vec![Some(99)]);
    // Two values vanish in the queue; the undo sees that and sends them alone.
    pair.insales().set_switches(|switches| switches.drop_updates = 2);
    let undone = undo(&pair, &run).await;
    assert_eq!((undone["state"].as_str(), count(&undone, "updated"), count(&undone, "skipped")), (Some("partial"), 2, 1), "{undone}");
    let stands: Vec<i64> = variants.iter().map(|variant| pair.quantity(*variant)).collect();
    assert_eq!(stands, [3, 3, 99]);
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_tells_source_rule_settings_and_what_stands_now() {
    let pair = Pair::empty(json!({"stock_buffer": 2})).await;
    pair.stocked("46", 7);
    let variant = pair.sold("46", 3);
    pair.well().await;
    pair.well().await;
    pair.insales().edit(variant, |variant| variant.quantities = vec![Some(4)]);
    let asked = pair.insales().desk().requests().total;
    for query in ["item=46".to_owned(), format!("target={variant}")] {
        let told = pair.stage.rest.get(&format!("/sync/explain?connection={}&{query}", pair.connection)).await.ok(200);
        let text = told.to_string();
        assert!(
            text.contains("kaktus_stock_limited") && text.contains("stock_buffer") && text.contains("\"4\"") | text.contains(":4"),
            "{told}"
        );
    }
    let asked = pair.insales().desk().requests().total - asked;
    assert!(asked <= 2, "a question costs a call, not a sweep: {asked}");
    assert_eq!(pair.writes(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_variant_is_not_touched() {
    let pair = Pair::empty(json!({})).await;
    let (free, locked) = ((pair.stocked("46", 7), pair.sold("46", 3)).1, (pair.stocked("47", 7), pair.sold("47", 3)).1);
    let locks = json!({"items": [{"target": locked.to_string(), "fields": ["quantity"], "note": "counted by hand"}]});
    pair.stage.rest.put_matching(&format!("/connections/{}/locks", pair.connection), "*", &locks).await.ok(200);
    let run = pair.well().await;
    assert_eq!((pair.quantity(free), pair.quantity(locked), pair.outcome(&run, "47").await.as_str()), (7, 3, "skipped locked"));
}

#[tokio::test(flavor = "multi_thread")]
async fn named_items_are_synchronised_alone() {
    let pair = Pair::empty(json!({})).await;
    let variants: Vec<u64> = ["46", "47"].map(|barcode| (pair.stocked(barcode, 7), pair.sold(barcode, 3)).1).into();
    let run = pair.start(json!({"items": ["47"]})).await;
    assert_eq!(pair.stage.rest.wait(&run).await["state"], "succeeded");
    assert_eq!((pair.quantity(variants[0]), pair.quantity(variants[1])), (3, 7));
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_that_is_no_number_waits_in_the_retry_list_until_it_is_one() {
    let pair = Pair::empty(json!({})).await;
    pair.stocked("46", 7);
    let variant = pair.sold("46", 3);
    pair.trouble_at_kaktus(
        0,
        1_000,
        tradesync::sandbox::desk::Fault::Set { pointer: "/products/0/variants/0/stock/0/stockTotal".into(), value: json!("viele") },
    );
    let run = pair.sync().await;
    assert_eq!(
        (run["state"].as_str(), pair.outcome(&run, "46").await.as_str()),
        (Some("partial"), "failed kaktus_stock_unreadable"),
        "{run}"
    );
    assert_eq!((pair.stage.rest.all("/sync/retry-list").await.len(), pair.quantity(variant)), (1, 3));
    pair.kaktus().desk().clear_faults();
    pair.well().await;
    assert_eq!((pair.stage.rest.all("/sync/retry-list").await.len(), pair.quantity(variant)), (0, 7));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drop_of_the_whole_warehouse_waits_for_a_person() {
    let pair = Pair::new(json!({})).await;
    let before = pair.insales().quantities();
    pair.well().await;
    for barcode in pair.links().await.keys() {
        pair.kaktus().set_stock(barcode, 0);
    }
    let held = pair.sync().await;
    assert_eq!(held["state"], "awaiting_approval", "{held}");
    assert!(count(&held, "held") > 90 && pair.zeroed(&before).len() < 20, "{held}");
    let id = held["id"].as_str().unwrap();
    pair.stage.rest.post(&format!("/sync/runs/{id}/reject"), &json!({})).await.ok(202);
}
