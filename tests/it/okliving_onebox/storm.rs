//! Two hundred hooks at once for fifty orders, in random order and doubled: every machine ends where it should, and each step is made once.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};
use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde_json::json;
use tradesync::sandbox::okliving::machine::{DeliveryState, OrderState};

use super::Desk;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_hooks_for_fifty_orders_in_random_order_with_doubles() {
    let desk = Desk::new(json!({})).await;
    let ids = desk.shop().place(50, 77);
    desk.well().await;
    desk.must_agree("before");
    let ttn = |place: usize| format!("2045{place:010}");
    let mut hooks: Vec<String> = Vec::new();
    for (place, id) in ids.iter().enumerate() {
        let sent = desk.sent(id).id;
        let base = format!("{}?orderid={sent}", desk.hook_path());
        hooks.push(format!("{base}&do=process&ttn="));
        hooks.push(format!("{base}&do=ship&ttn={}", ttn(place)));
        hooks.push(format!("{base}&do=complete&ttn=&comment=thanks-{place}"));
        // One of them comes twice.
        hooks.push(hooks[hooks.len() - 1 - place % 3].clone());
    }
    assert_eq!(hooks.len(), 200);
    hooks.shuffle(&mut StdRng::seed_from_u64(20_261_122));
    let anybody = desk.stage.rest.with_key("");
    let answers: Vec<u16> =
        stream::iter(hooks.iter().map(|hook| anybody.get(hook))).buffer_unordered(32).map(|answer| answer.status).collect().await;
    assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
    desk.settled().await;
    // What was held for another hook in its own run is decided by the next.
    desk.stage.rest.wait(&desk.start("updates", json!({})).await).await;
    for (place, id) in ids.iter().enumerate() {
        let now = desk.shop().get(id).unwrap();
        assert_eq!((now.order, now.delivery), (OrderState::Completed, DeliveryState::Shipped), "{id}: {:?}", now.steps);
        assert_eq!(
            (now.tracking_number.as_deref(), now.note.as_str()),
            (Some(ttn(place).as_str()), format!("thanks-{place}").as_str()),
            "{id}"
        );
        let steps: Vec<&str> = now.steps.iter().map(|step| step.action.as_ref()).collect();
        assert_eq!(steps.len(), 3, "{id}: each step once: {steps:?}");
    }
    // Nothing was sent that was done already.
    let mut sent: BTreeMap<(String, String), usize> = BTreeMap::new();
    for write in desk.shop().writes() {
        for part in &write.applied {
            *sent.entry((write.id.clone(), part.clone())).or_default() += 1;
        }
    }
    let twice: Vec<_> = sent.iter().filter(|((_, part), times)| **times > 1 || part.starts_with('=')).collect();
    assert!(twice.is_empty(), "sent twice or in vain: {twice:?}");
    assert!(desk.standing("updates").await.is_empty());
    assert_eq!(desk.stage.database.cell("SELECT COUNT(*) FROM tradesync_hooks WHERE settled_at IS NULL"), "0");
    desk.well().await;
    desk.must_agree("after");
    assert!(desk.onebox().orders().values().all(|order| order.sets == 1), "our own changes came back as updates");
}
