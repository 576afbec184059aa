//! A catalogue that is too large for a sweep in every run: what has changed is read by the cursor, what was written is looked at, and everything
//! every `insales.full_every`.

use std::time::Duration;

use serde_json::json;

use super::{Pair, count};
use crate::support::Spawn;

/// At ten products a page more than forty calls.
const GOODS: usize = 430;

async fn large() -> Pair {
    // A minute is 3 s here.
    let pair = Pair::with(GOODS, Spawn::default(), json!({"insales": {"full_every": "60s"}, "kaktus": {"page_size": 200}})).await;
    pair.insales().set_switches(|switches| switches.page_cap = 10);
    pair
}

#[tokio::test(flavor = "multi_thread")]
async fn between_two_sweeps_only_changes_are_read_and_what_was_written_is_verified() {
    let pair = large().await;
    pair.settings(json!({"insales": {"full_every": "1h"}})).await;
    let before = pair.insales().quantities();
    let first = pair.well().await;
    assert_eq!(first["target"]["sweep"], "full", "{first}");
    assert!(first["target"]["read_calls"].as_u64().unwrap() > 40, "{first}");
    pair.must_agree(&before, "first run");
    // What was written is looked at, a hundred products a call; nothing else has changed.
    pair.insales().desk().clear_requests();
    let second = pair.well().await;
    assert_eq!((second["target"]["sweep"].as_str(), count(&second, "updated"), pair.writes()), (Some("changes"), 0, 0), "{second}");
    let looked = pair.asked("GET /admin/products/by_ids").len();
    assert!((1..=5).contains(&looked), "{looked}");
    assert_eq!(pair.asked("GET /admin/products.json").len(), 1, "the cursor is at the end");
    // A few changes in Kaktus: one call to see what changed, one to write, one to look at them.
    pair.kaktus().random_changes(6, 1);
    pair.insales().desk().clear_requests();
    let third = pair.well().await;
    assert!(count(&third, "updated") > 0 && third["target"]["full_sweep_age_seconds"].is_number(), "{third}");
    assert_eq!(pair.insales().desk().requests().total, 2);
    pair.insales().desk().clear_requests();
    let fourth = pair.well().await;
    assert_eq!((count(&fourth, "updated"), pair.insales().desk().requests().total), (0, 2), "{fourth}");
    pair.must_agree(&before, "at last");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_update_is_found_without_a_sweep() {
    let pair = large().await;
    pair.settings(json!({"insales": {"full_every": "1h"}})).await;
    let before = pair.insales().quantities();
    pair.well().await;
    pair.well().await;
    pair.insales().set_switches(|switches| switches.drop_updates = 3);
    pair.kaktus().random_changes(3, 9);
    pair.well().await;
    tokio::time::sleep(Duration::from_millis(1_700)).await;
    let again = pair.well().await;
    assert_eq!(again["target"]["sweep"], "changes");
    assert!(count(&again, "updated") > 0, "{again}");
    pair.must_agree(&before, "sent again");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_is_seen_by_its_date_and_an_order_at_the_next_full_sweep() {
    let pair = large().await;
    let before = pair.insales().quantities();
    // While a number of ours is on its way, another one that stands there is waited out; so all have to have arrived.
    let until = std::time::Instant::now() + Duration::from_secs(20);
    while pair.well().await["counts"]["updated"] != 0 || pair.insales().quantities() != pair.expected(&before) {
        assert!(std::time::Instant::now() < until);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    pair.well().await;
    let variants = pair.links().await;
    let mut variants = variants.values().map(|variant| u64::try_from(*variant).unwrap());
    let (edited, ordered) = (variants.next().unwrap(), variants.next().unwrap());
    pair.insales().edit(edited, |variant| variant.quantities = vec![Some(77)]);
    pair.insales().order(ordered, 1);
    let run = pair.well().await;
    if run["target"]["sweep"] == "changes" {
        // InSales queues what it is told, so that it stands there a moment later.
        let until = std::time::Instant::now() + Duration::from_secs(10);
        while pair.quantity(edited) == 77 {
            assert!(std::time::Instant::now() < until, "an edit moves the product's date");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    // The date does not move by an order, so only a sweep shows it; that comes every full_every.
    let until = std::time::Instant::now() + Duration::from_secs(20);
    while pair.insales().quantities() != pair.expected(&before) {
        assert!(std::time::Instant::now() < until);
        tokio::time::sleep(Duration::from_millis(500)).await;
        pair.well().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_begins_anew_sweeps_once_and_goes_on() {
    let mut pair = large().await;
    pair.settings(json!({"insales": {"full_every": "1h"}})).await;
    let before = pair.insales().quantities();
    pair.well().await;
    pair.stage.restart(&Spawn::default()).await;
    let run = pair.well().await;
    assert_eq!((run["target"]["sweep"].as_str(), count(&run, "updated")), (Some("full"), 0), "{run}");
    pair.must_agree(&before, "after the restart");
}
