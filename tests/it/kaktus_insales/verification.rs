//! A 200 with `[]` only means queued: what was sent is looked at again, sent again within bounds, and told when it does not stick.

use std::time::Duration;

use serde_json::json;

use super::{Pair, count};
use crate::{
    alerts::{self, receivers::Receiver},
    support::{Setup, Stage, change_of},
};

/// A moment longer than a sent value is given to come to stand (30 s, here 1.5 s).
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1_700)).await;
}

async fn pair() -> (Pair, u64) {
    let pair = Pair::empty(json!({})).await;
    pair.stocked("46", 7);
    let variant = pair.sold("46", 3);
    (pair, variant)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_still_queued_is_waited_for_and_not_sent_twice() {
    // Time runs slower here, so that several runs fit into one queue's delay; a sent value is given 15 s.
    let stage = Stage::with(Setup { products: 0, goods: 0, time_factor: 2.0, ..Setup::default() }).await;
    let pair = Pair::on(stage, json!({})).await;
    pair.stocked("46", 7);
    let variant = pair.sold("46", 3);
    pair.insales().set_switches(|switches| switches.apply_delay_ms = 10_000);
    let run = pair.well().await;
    let sending = change_of(&pair.stage.item(&run, "46").await, "sending");
    assert_eq!(sending["new"], json!({"from": 3, "tries": 1}), "{sending}");
    assert_eq!(pair.quantity(variant), 3, "queued, not done");
    let again = pair.well().await;
    assert_eq!((pair.outcome(&again, "46").await.as_str(), pair.writes()), ("skipped insales_queued", 1));
    // Kaktus moves on meanwhile: still one update in flight at a time.
    pair.kaktus().set_stock("46", 9);
    let again = pair.well().await;
    assert_eq!((pair.outcome(&again, "46").await.as_str(), pair.writes()), ("skipped insales_queued", 1));
    pair.until("the queue is carried out", |pair| pair.quantity(variant) == 7).await;
    pair.well().await;
    pair.until("the next value", |pair| pair.quantity(variant) == 9).await;
    let sending = || pair.stage.database.number("SELECT COUNT(*) AS number FROM tradesync_links WHERE written LIKE '%sending%'");
    assert_eq!(sending(), 1, "sent, not verified");
    let done = pair.well().await;
    assert_eq!((count(&done, "unchanged"), pair.writes(), sending()), (1, 2, 0), "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_stick_is_sent_again_and_at_last_alone() {
    let (pair, variant) = pair().await;
    pair.insales().set_switches(|switches| switches.drop_updates = 100);
    for attempt in 1..=3 {
        pair.well().await;
        assert_eq!((pair.quantity(variant), pair.asked("PUT /admin/products/variants_group_update").len()), (3, attempt));
        settle().await;
    }
    let run = pair.well().await;
    assert_eq!(pair.asked("PUT /admin/products/408").len(), 1, "{:?}", pair.asked("PUT"));
    assert_eq!((pair.quantity(variant), count(&run, "updated")), (7, 1));
    let done = pair.well().await;
    assert_eq!((count(&done, "unchanged"), pair.writes()), (1, 4), "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_never_kept_raises_an_alert_and_stands_in_the_retry_list() {
    let (pair, variant) = pair().await;
    let receiver = Receiver::willing().await;
    alerts::set(&pair.stage.rest, json!([alerts::webhook("ops", &receiver)]), json!({"retry_list": {"on": false}})).await;
    pair.insales().set_switches(|switches| (switches.drop_updates, switches.ignore_single) = (100, true));
    for _ in 1..=3 {
        pair.well().await;
        settle().await;
    }
    let run = pair.sync().await;
    assert_eq!((run["state"].as_str(), pair.outcome(&run, "46").await.as_str()), (Some("partial"), "failed value-not-kept"), "{run}");
    assert_eq!(pair.stage.rest.all("/sync/retry-list").await.len(), 1);
    let events = || pair.stage.database.words("SELECT CONCAT(kind, ' ', params) AS words FROM tradesync_events");
    assert!(events().len() == 1 && events()[0].starts_with("not_kept") && events()[0].contains("46"), "{:?}", events());
    pair.sync().await;
    assert_eq!((events().len(), pair.quantity(variant)), (1, 3), "told once in an hour");
    alerts::tells(&receiver, &["raised attention stock"]).await;
    let body = alerts::receivers::verified(&receiver.got()[0], alerts::SECRET);
    assert!(body["data"]["text"].as_str().is_some_and(|text| text.contains("(46, 1 in all)")), "{body}");
    // It heals as soon as the shop keeps what it is told.
    pair.insales().set_switches(|switches| switches.ignore_single = false);
    let healed = pair.well().await;
    assert_eq!((pair.quantity(variant), count(&healed, "failed")), (7, 0));
    assert_eq!(pair.stage.rest.all("/sync/retry-list").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn late_and_out_of_order_updates_come_right_in_the_end() {
    let pair = Pair::new(json!({})).await;
    let before = pair.insales().quantities();
    pair.insales().set_switches(|switches| (switches.apply_delay_ms, switches.out_of_order) = (400, true));
    for round in 0..4 {
        pair.kaktus().random_changes(40, round);
        pair.well().await;
        assert!(pair.zeroed(&before).is_empty());
    }
    pair.insales().set_switches(|switches| (switches.apply_delay_ms, switches.out_of_order) = (0, false));
    for _ in 0..3 {
        settle().await;
        pair.well().await;
    }
    pair.must_agree(&before, "after the disorder");
    let calm = pair.well().await;
    assert_eq!(count(&calm, "updated"), 0, "{calm}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_older_answer_names_what_was_refused() {
    let (pair, variant) = pair().await;
    pair.insales().set_switches(|switches| switches.old_answer = true);
    pair.well().await;
    assert_eq!(pair.quantity(variant), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_and_orders_change_follows_kaktus_again() {
    let (pair, variant) = pair().await;
    pair.well().await;
    pair.well().await;
    pair.insales().edit(variant, |variant| variant.quantities = vec![Some(40)]);
    pair.well().await;
    assert_eq!(pair.quantity(variant), 7);
    pair.well().await;
    pair.insales().order(variant, 2);
    let run = pair.well().await;
    assert_eq!((pair.quantity(variant), change_of(&pair.stage.item(&run, "46").await, "quantity")["old"].clone()), (7, json!(5)));
    // Somebody edits while the value is on its way.
    pair.kaktus().set_stock("46", 8);
    pair.insales().set_switches(|switches| switches.apply_delay_ms = 4_000);
    pair.well().await;
    pair.insales().edit(variant, |variant| variant.quantities = vec![Some(1)]);
    pair.until("the value arrives", |pair| pair.quantity(variant) == 8).await;
    let calm = pair.well().await;
    assert_eq!(count(&calm, "unchanged"), 1, "{calm}");
}
