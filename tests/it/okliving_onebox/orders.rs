//! Orders in: lost answers, late orders, refusals, and the recipient's data.

use serde_json::json;
use tradesync::sandbox::{
    desk::Fault,
    okliving::Shape,
    onebox::{BodyRoot, Contact},
};

use super::{Desk, count, digits, order};
use crate::support::{Setup, Stage};

/// The order is made, the answer never comes; it shows itself only some seconds later.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_a_creation_makes_no_second_order() {
    for lag in [0, 150] {
        let desk = Desk::new(json!({})).await;
        desk.onebox().set_switches(|switches| switches.get_lag_ms = lag);
        desk.shop().place(10, 3);
        desk.trouble_at_onebox("order/set", 2, 3, Fault::Drop);
        let run = desk.sync().await;
        assert_eq!((run["state"].as_str(), count(&run, "created")), (Some("succeeded"), 10), "lag {lag}: {run}");
        desk.must_agree("dropped");
        assert_eq!(desk.onebox().orders().len(), 10);
        assert!(desk.onebox().orders().values().all(|order| order.stages == [54]), "an order went back to its start");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_an_id_is_looked_up() {
    let desk = Desk::new(json!({})).await;
    desk.onebox().set_switches(|switches| switches.empty_answers = 2);
    desk.shop().place(5, 3);
    desk.well().await;
    desk.must_agree("empty answers");
}

/// An order that its shop shows only ten minutes after it was placed lies behind the cursor by then.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_becomes_visible_late_is_found() {
    let desk = Desk::new(json!({})).await;
    desk.shop().place(3, 1);
    desk.well().await;
    // 10 minutes are half a minute here; the overlap of an hour is three.
    desk.shop().set_switches(|switches| switches.visible_late_s = 60);
    let late = desk.shop().place(2, 5);
    desk.shop().set_switches(|switches| switches.visible_late_s = 0);
    desk.shop().place(2, 6);
    desk.well().await;
    assert!(late.iter().all(|id| desk.onebox().by_externalid(&format!("okl-{id}")).is_empty()), "it was visible already");
    let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while late.iter().any(|id| desk.onebox().by_externalid(&format!("okl-{id}")).is_empty()) {
        assert!(std::time::Instant::now() < end, "the late orders were never found");
        desk.well().await;
    }
    desk.must_agree("late");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ignores_the_page_and_one_that_fails_in_mid_paging_lose_nothing() {
    let desk = Desk::new(json!({})).await;
    desk.shop().place(15, 1);
    desk.shop().set_switches(|switches| switches.page_ignored = true);
    desk.well().await;
    desk.must_agree("page ignored");
    desk.shop().set_switches(|switches| switches.page_ignored = false);
    desk.shop().place(50, 2);
    // The second page fails for good: what was read is stored, the cursor stays, and the next run reads it all.
    desk.trouble_at_shop("get-orders", 1, 100, Fault::Html { code: 500 });
    let cursor = desk.stage.stream(&desk.connection, "orders").await["cursor"].clone();
    assert_eq!(desk.sync().await["state"], "failed");
    assert_eq!(desk.stage.stream(&desk.connection, "orders").await["cursor"], cursor);
    desk.shop().desk().clear_faults();
    desk.well().await;
    desk.must_agree("after the failure");
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_from_before_the_connection_are_not_sent() {
    let stage = Stage::with(Setup { products: 0, goods: 0, orders: 30, ..Setup::default() }).await;
    let desk = Desk::on(stage, json!({"orders_since": null, "okliving": {"request": {}, "paging": "none"}})).await;
    let run = desk.well().await;
    assert_eq!((count(&run, "created"), count(&run, "skipped"), desk.sets()), (0, 30, 0), "{run}");
    let item = desk.stage.items(&run).await.remove(0);
    assert_eq!(item["reason"]["code"], "order_before_since", "{item}");
    let new = desk.shop().place(2, 1);
    let run = desk.well().await;
    assert_eq!(count(&run, "created"), 2, "{run}");
    assert!(new.iter().all(|id| desk.sent(id).stages == [54]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_another_contact_has_stops_no_order() {
    let desk = Desk::new(json!({})).await;
    let known =
        desk.onebox()
            .add_contact(Contact { name: "Давній".into(), phones: vec!["+38 (050) 123-45-67".into()], ..Contact::default() });
    desk.shop().put(order("300167757", "0501234567", "0679876543"));
    desk.well().await;
    desk.must_agree("phone of another");
    assert_eq!(desk.sent("300167757").contact, Some(known), "linked to whoever has the phone");
    // Nobody can be found by it: the order goes without a card, with its recipient.
    desk.trouble_at_onebox(
        "order/set",
        0,
        1,
        Fault::Json { status: 400, body: json!({"status": 0, "errorArray": {"phone": "вже зареєстровано #4765"}}) },
    );
    desk.shop().put(order("300167758", "0631112233", "0679876543"));
    desk.well().await;
    let sent = desk.sent("300167758");
    assert_eq!((sent.contact, sent.client_phone.as_str()), (None, "380679876543"));
}

#[tokio::test(flavor = "multi_thread")]
async fn both_forms_of_the_body_are_found_out() {
    for (takes, told) in [(BodyRoot::IndexedObject, "array"), (BodyRoot::Array, "indexed_object")] {
        let desk = Desk::new(json!({"onebox": {"body_root": told}})).await;
        desk.onebox().set_switches(|switches| switches.body_root = takes);
        desk.shop().place(4, 1);
        desk.well().await;
        desk.must_agree(told);
    }
}

/// What fails a check is made all the same: flagged, with the shop's own words, and named in the report.
#[tokio::test(flavor = "multi_thread")]
async fn data_that_nova_poshta_would_refuse_are_flagged_and_never_dropped() {
    let desk = Desk::new(json!({})).await;
    let mut foreign = order("1", "0501234567", "+48 601 234 567");
    foreign.recipient.as_mut().unwrap().last_name = "Kowalska".into();
    desk.shop().put(foreign);
    let mut nobody = order("2", "0501234567", "0679876543");
    nobody.shape = Shape::NoRecipient;
    desk.shop().put(nobody);
    let mut one = order("3", "0501234567", "0679876543");
    one.shape = Shape::CustomerName;
    desk.shop().put(one);
    desk.shop().put(order("4", "0501234567", "0679876543"));
    let run = desk.well().await;
    assert_eq!(count(&run, "created"), 4, "{run}");
    for (id, field) in [("1", "recipient.phone"), ("2", "recipient"), ("3", "recipient.full")] {
        let item = desk.stage.item(&run, id).await;
        assert_eq!((item["outcome"].as_str(), item["reason"]["code"].as_str()), (Some("created"), Some("order_flagged")), "{item}");
        assert!(item["reason"]["text"].as_str().unwrap().contains(field), "{item}");
        assert!(desk.sent(id).content.contains("ПЕРЕВІРТЕ"), "{}", desk.sent(id).content);
    }
    assert!(desk.sent("1").content.contains("+48 601 234 567") && desk.sent("1").client_phone.is_empty());
    assert_eq!(desk.sent("2").client_phone, digits(&order("2", "0501234567", "x").customer));
    assert_eq!(desk.outcome(&run, "4").await, "created order_new");
    assert!(!desk.sent("4").content.contains("ПЕРЕВІРТЕ"));
}

#[tokio::test(flavor = "multi_thread")]
async fn custom_fields_and_forms_of_phones_are_as_the_box_wants_them() {
    let desk = Desk::new(json!({"onebox": {"phone_plus": true, "content_field": "comments", "custom_fields": {"NpCityRef": "np.city_ref", "NpNumber": "np.number"}, "source_id": 12}})).await;
    let mut with_ref = order("1", "0501234567", "0679876543");
    with_ref.city_ref = "DB5C8892-391C-11DD-90D9-001A92567626".into();
    desk.shop().put(with_ref);
    desk.well().await;
    let sent = desk.sent("1");
    assert_eq!((sent.client_phone.as_str(), sent.source, sent.content.as_str()), ("+380679876543", Some(12), ""));
    assert!(sent.comments.contains("Прикладна") && sent.custom["NpNumber"] == "12", "{sent:?}");
    assert_eq!(sent.custom["NpCityRef"], "db5c8892-391c-11dd-90d9-001a92567626");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_onebox_has_already_is_linked_and_left_as_it_is() {
    let desk = Desk::new(json!({})).await;
    desk.shop().put(order("300167757", "0501234567", "0679876543"));
    desk.well().await;
    let before = desk.sent("300167757");
    desk.onebox().edit(before.id, |order| order.client_name = "Виправлено Людиною".into());
    // The link is lost, as with a new installation on the same box.
    desk.stage.database.run("DELETE FROM tradesync_links");
    let run = desk.well().await;
    assert_eq!((count(&run, "created"), count(&run, "updated")), (0, 0), "{run}");
    desk.well().await;
    assert_eq!(desk.sent("300167757").client_name, "Виправлено Людиною");
    assert_eq!(desk.sent("300167757").sets, before.sets);
    // From now on only what the shop changes is sent.
    desk.shop().edit("300167757", |order| order.recipient.as_mut().unwrap().phone = "0631112233".into());
    desk.well().await;
    let now = desk.sent("300167757");
    assert_eq!((now.client_phone.as_str(), now.client_name.as_str()), ("380631112233", "Виправлено Людиною"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_people_deleted_in_onebox_is_not_made_again() {
    let desk = Desk::new(json!({})).await;
    desk.shop().put(order("300167757", "0501234567", "0679876543"));
    desk.well().await;
    let id = desk.sent("300167757").id;
    desk.onebox().edit(id, |order| order.externalid = String::new());
    desk.shop().edit("300167757", |order| order.recipient.as_mut().unwrap().phone = "0631112233".into());
    let run = desk.sync().await;
    assert_eq!(desk.outcome(&run, "300167757").await, "skipped onebox_order_gone");
    assert_eq!(desk.onebox().orders().len(), 1);
}
