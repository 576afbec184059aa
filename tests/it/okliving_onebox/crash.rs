//! A run may die at any point, and both systems end up as if it had not: the same run, taken up by another worker, comes to the same end.

use std::time::Duration;

use serde_json::json;
use tradesync::sandbox::okliving::machine::{DeliveryState, OrderState};

use super::{Desk, TTN, count};
use crate::support::{Setup, Spawn, Stage, assert_done};

const ORDERS: usize = 24;

async fn without_worker() -> Desk {
    let spawn = Spawn::default().with("TRADESYNC_ROLE", "api");
    let stage = Stage::with(Setup { products: 0, goods: 0, orders: 0, spawn, ..Setup::default() }).await;
    Desk::on(stage, json!({})).await
}

async fn orders_die_at(points: &[&str]) {
    let desk = without_worker().await;
    desk.shop().place(ORDERS, 3);
    let run = desk.start("orders", json!({})).await;
    for point in points {
        let mut worker = desk.stage.worker(&Spawn::failing_at(point)).await;
        assert!(worker.ended(Duration::from_secs(60)).await && worker.aborted(), "{point} was never passed\n{}", worker.output());
        assert!(desk.onebox().doubles().is_empty());
    }
    let _worker = desk.stage.worker(&Spawn::default()).await;
    let ended = desk.stage.rest.wait(&run).await;
    assert_done(&ended, points[0]);
    desk.must_agree(points[0]);
    assert_eq!(count(&ended, "created"), ORDERS as u64, "{points:?}: the report tells each order once: {ended}");
    assert!(desk.onebox().orders().values().all(|order| order.stages == [54]), "{points:?}: an order went back to its start");
    let sets = desk.sets();
    let again = desk.sync().await;
    assert_eq!((count(&again, "created"), count(&again, "updated"), desk.sets()), (0, 0, sets), "{points:?}: {again}");
}

async fn updates_die_at(points: &[&str]) {
    let desk = without_worker().await;
    let ids = desk.shop().place(8, 3);
    {
        let run = desk.start("orders", json!({})).await;
        let mut worker = desk.stage.worker(&Spawn::default()).await;
        desk.stage.rest.wait(&run).await;
        worker.kill();
    }
    let anybody = desk.stage.rest.with_key("");
    for id in &ids {
        let sent = desk.sent(id).id;
        anybody.get(&format!("{}?orderid={sent}&do=ship&ttn={TTN}&comment=note-{id}", desk.hook_path())).await.ok(200);
        anybody.get(&format!("{}?orderid={sent}&do=complete&ttn=", desk.hook_path())).await.ok(200);
    }
    for point in points {
        let mut worker = desk.stage.worker(&Spawn::failing_at(point)).await;
        assert!(worker.ended(Duration::from_secs(60)).await && worker.aborted(), "{point} was never passed\n{}", worker.output());
    }
    let _worker = desk.stage.worker(&Spawn::default()).await;
    desk.settled().await;
    desk.stage.rest.wait(&desk.start("updates", json!({})).await).await;
    for id in &ids {
        let now = desk.shop().get(id).unwrap();
        assert_eq!(
            (now.order, now.delivery, now.tracking_number.as_deref()),
            (OrderState::Completed, DeliveryState::Shipped, Some(TTN)),
            "{points:?} {id}"
        );
        assert_eq!(
            (now.note.matches(&format!("note-{id}")).count(), now.steps.len()),
            (1, 3),
            "{points:?} {id}: {:?} {:?}",
            now.note,
            now.steps
        );
    }
    assert_eq!(desk.stage.database.cell("SELECT COUNT(*) FROM tradesync_hooks WHERE settled_at IS NULL"), "0", "{points:?}");
}

macro_rules! killed {
    ($($name:ident => $dies:ident [$($point:literal),+]),+ $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread")] async fn $name() { $dies(&[$($point),+]).await })+
    };
}

killed! {
    while_orders_are_read => orders_die_at ["after-page-read", "after-read"],
    while_orders_are_decided => orders_die_at ["after-plan", "after-brakes", "after-decide"],
    between_intent_and_the_first_order => orders_die_at ["after-intent"],
    between_two_orders => orders_die_at ["mid-batch", "mid-batch:7"],
    between_the_orders_and_their_record => orders_die_at ["after-effect"],
    after_the_record_and_before_the_cursor => orders_die_at ["after-record", "before-cursor"],
    while_hooks_are_taken_up => updates_die_at ["hooks-taken", "after-decide"],
    between_two_updates => updates_die_at ["after-intent", "mid-batch:3"],
    between_the_updates_and_their_record => updates_die_at ["after-effect"],
    after_the_record_of_updates => updates_die_at ["hooks-not-settled"],
}
