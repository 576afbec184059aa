//! A run may die at any point, and the shop ends up as if it had not: the same run, taken up by another worker, comes to the same end.

use std::time::Duration;

use serde_json::json;

use super::Pair;
use crate::support::{Setup, Spawn, Stage, assert_done};

/// Goods whose changes fill two groups at least.
const GOODS: usize = 90;

async fn dies_at(points: &[&str]) {
    let spawn = Spawn::default().with("TRADESYNC_ROLE", "api");
    let stage = Stage::with(Setup { products: 0, goods: GOODS, spawn, ..Setup::default() }).await;
    let pair = Pair::on(stage, json!({})).await;
    let before = pair.insales().quantities();
    let run = pair.start(json!({})).await;
    for point in points {
        let mut worker = pair.stage.worker(&Spawn::failing_at(point)).await;
        assert!(worker.ended(Duration::from_secs(60)).await && worker.aborted(), "{point} was never passed\n{}", worker.output());
        assert!(pair.zeroed(&before).is_empty(), "{point}: something went to 0");
    }
    let _worker = pair.stage.worker(&Spawn::default()).await;
    let ended = pair.stage.rest.wait(&run).await;
    assert_done(&ended, points[0]);
    pair.must_agree(&before, points[0]);
    let changed = before.iter().filter(|(id, was)| pair.insales().quantities()[id] != **was).count() as u64;
    assert_eq!(ended["counts"]["updated"], changed, "{points:?}: the report tells each change once");
    let writes = pair.writes();
    let again = pair.sync().await;
    assert_eq!((&again["counts"]["updated"], &again["counts"]["failed"], pair.writes()), (&json!(0), &json!(0), writes), "{points:?}");
}

macro_rules! killed {
    ($($name:ident => [$($point:literal),+]),+ $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread")] async fn $name() { dies_at(&[$($point),+]).await })+
    };
}

killed! {
    while_it_reads => ["after-page-read", "after-read"],
    while_it_decides => ["after-plan", "after-brakes", "after-decide"],
    between_intent_and_effect => ["after-intent", "mid-batch"],
    in_the_second_group => ["mid-batch:2"],
    between_effect_and_record => ["after-effect"],
    after_its_record_and_before_the_cursor => ["after-record", "before-cursor"],
}
