//! Flows over HTTP at the pace of real life. All other tests compress time, and what does not shrink with it (the least patience with a
//! network, the shortest lease) fits together there by chance: a write that a run's lease is too short for leaves in no test but these.

use serde_json::json;
use tradesync::sandbox::onebox::Form;

use crate::{
    bitrix24_otmechalka::School,
    kaktus_insales::Pair,
    okliving_onebox::{Desk, TTN},
    support::{Setup, Stage},
};

async fn stage(goods: usize) -> Stage {
    Stage::with(Setup { products: 0, goods, time_factor: 1.0, ..Setup::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn quantities_reach_insales() {
    let pair = Pair::on(stage(0).await, json!({})).await;
    pair.stocked("4600000000017", 7);
    let variant = pair.sold("4600000000017", 3);
    pair.well().await;
    pair.until("the quantity arrives", |pair| pair.quantity(variant) == 7).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_and_its_deal_reach_otmechalka() {
    let school = School::on(stage(0).await, json!({})).await;
    let contact = school.pupil(|_| {});
    let deal = school.sale(contact, |_| {});
    for stream in ["contacts", "deals"] {
        let run = school.sync(stream).await;
        assert_eq!(run["state"], "succeeded", "{run}");
    }
    school.client(contact);
    school.ticket(deal);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_reaches_onebox_and_its_waybill_comes_back() {
    let desk = Desk::on(stage(0).await, json!({})).await;
    let id = desk.shop().place(1, 7).into_iter().next().unwrap();
    desk.well().await;
    let sent = desk.sent(&id).id;
    desk.onebox().edit(sent, |order| order.delivery_note = TTN.into());
    let fields = [("orderid", "{|$orderid|}"), ("ttn", "{|$deliveryNote|}")];
    desk.onebox().set_actions(vec![desk.action("ship", None, "POST", Form::Form, &fields)]);
    assert!(desk.onebox().press(sent, "ship"));
    desk.onebox().hooks_idle().await;
    desk.settled().await;
    assert_eq!(desk.shop().get(&id).unwrap().tracking_number.as_deref(), Some(TTN));
}
