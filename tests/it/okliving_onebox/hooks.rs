//! Back: what OneBox's automatic action tells us goes into the shop, once, guarded, and in order.

use serde_json::{Value, json};
use tradesync::sandbox::{
    desk::Fault,
    okliving::machine::{DeliveryState, OrderState},
    onebox::{Form, Unresolved},
};

use super::{Desk, TOKEN, TTN, order};

const ID: &str = "300167757";

/// A desk with one order in OneBox.
async fn with_order(over: Value) -> Desk {
    let desk = Desk::new(over).await;
    desk.shop().put(order(ID, "0501234567", "0679876543"));
    desk.well().await;
    desk
}

fn states(desk: &Desk) -> (OrderState, DeliveryState) {
    let order = desk.shop().get(ID).unwrap();
    (order.order, order.delivery)
}

/// The fields of a fat hook.
const FAT: &[(&str, &str)] = &[
    ("orderid", "{|$orderid|}"),
    ("externalid", "{|$externalid|}"),
    ("ttn", "{|$deliveryNote|}"),
    ("do", "ship"),
    ("comment", "{|$comments|}"),
];

#[tokio::test(flavor = "multi_thread")]
async fn waybill_status_and_comment_go_to_the_shop_whichever_way_the_hook_comes() {
    for (method, form) in [
        ("GET", Form::Query),
        ("POST", Form::Query),
        ("POST", Form::Form),
        ("POST", Form::Json),
        ("POST", Form::Multipart),
        ("POST", Form::JsonAsText),
    ] {
        let desk = with_order(json!({})).await;
        let id = desk.sent(ID).id;
        desk.onebox().edit(id, |order| (order.delivery_note, order.comments) = (TTN.into(), "Їде & скоро \"буде\"".into()));
        desk.onebox().set_actions(vec![desk.action("ship", None, method, form, FAT)]);
        assert!(desk.onebox().press(id, "ship"));
        desk.onebox().hooks_idle().await;
        let hooks = desk.onebox().hooks();
        assert!(hooks.iter().all(|hook| hook.status == 200), "{method} {form:?}: {hooks:?}");
        desk.settled().await;
        let now = desk.shop().get(ID).unwrap();
        assert_eq!(now.tracking_number.as_deref(), Some(TTN), "{method} {form:?}");
        assert_eq!((states(&desk), now.note.as_str()), ((OrderState::InProgress, DeliveryState::Shipped), "Їде & скоро \"буде\""));
        let writes = desk.shop().writes();
        assert_eq!(writes.len(), 1, "one call brings all: {writes:?}");
        // What we did ourselves is nothing new to the next read.
        let run = desk.well().await;
        assert_eq!((run["counts"]["updated"].as_u64(), desk.sent(ID).sets), (Some(0), 1), "{run}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thin_hook_is_filled_from_onebox() {
    let desk = with_order(json!({})).await;
    let id = desk.sent(ID).id;
    desk.onebox().edit(id, |order| order.delivery_note = TTN.into());
    desk.onebox().set_actions(vec![desk.action("ship", Some(57), "GET", Form::Query, &[("orderid", "{|$orderid|}"), ("do", "ship")])]);
    desk.onebox().move_to(id, 57);
    desk.onebox().hooks_idle().await;
    desk.settled().await;
    assert_eq!(
        (desk.shop().get(ID).unwrap().tracking_number.as_deref(), states(&desk)),
        (Some(TTN), (OrderState::InProgress, DeliveryState::Shipped))
    );
    // A stage as the action, with OneBox telling which.
    desk.onebox().set_actions(vec![desk.action("done", Some(58), "POST", Form::Form, &[("orderid", "{|$orderid|}")])]);
    desk.onebox().move_to(id, 58);
    desk.onebox().hooks_idle().await;
    desk.settled().await;
    assert_eq!(states(&desk).0, OrderState::Completed);
    // A thin hook waits while OneBox cannot be looked at; whatever else hooks bring goes on.
    desk.shop().put(order("2", "0501234567", "0679876543"));
    desk.well().await;
    desk.trouble_at_onebox("order/get", 0, 1_000, Fault::Refuse);
    let other = desk.sent("2").id;
    desk.stage.rest.with_key("").get(&format!("{}?orderid={id}&do=process", desk.hook_path())).await.ok(200);
    desk.stage.rest.with_key("").get(&format!("{}?orderid={other}&do=ship&ttn={TTN}", desk.hook_path())).await.ok(200);
    desk.settled().await;
    assert_eq!(desk.shop().get("2").unwrap().tracking_number.as_deref(), Some(TTN));
    assert_eq!(desk.standing("updates").await.get(ID).map(String::as_str), Some("hook_waits_for_onebox"));
}

#[tokio::test(flavor = "multi_thread")]
async fn placeholders_that_were_not_filled_erase_nothing() {
    for unresolved in [Unresolved::Literal, Unresolved::Empty] {
        let desk = with_order(json!({})).await;
        let id = desk.sent(ID).id;
        desk.shop().edit(ID, |order| (order.tracking_number, order.note) = (Some("20459999999999".into()), "стоїть".into()));
        desk.onebox().set_switches(|switches| switches.unresolved = unresolved);
        desk.onebox().set_actions(vec![desk.action("ship", None, "POST", Form::Form, FAT)]);
        desk.onebox().press(id, "ship");
        desk.onebox().hooks_idle().await;
        desk.settled().await;
        let now = desk.shop().get(ID).unwrap();
        assert_eq!(
            (now.tracking_number.as_deref(), now.note.as_str(), now.delivery),
            (Some("20459999999999"), "стоїть", DeliveryState::Shipped)
        );
        let sent = &desk.shop().writes()[0].sent;
        assert_eq!(sent.to_string().matches("tracking_number").count() + sent.to_string().matches("note").count(), 0, "{sent}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_waybill_is_kept_held_and_refused_and_a_good_one_mends_it() {
    let desk = with_order(json!({})).await;
    let id = desk.sent(ID).id;
    let hook = |ttn: &str| format!("{}?orderid={id}&ttn={ttn}&do=ship", desk.hook_path());
    let anybody = desk.stage.rest.with_key("");
    let problem = anybody.get(&hook("123456789012345")).await.problem(422, "hook-refused");
    assert_eq!(problem["errors"][0]["pointer"], "/ttn", "{problem}");
    desk.settled().await;
    assert_eq!(desk.standing("updates").await.get(ID).map(String::as_str), Some("bad_ttn"));
    assert!(desk.shop().writes().is_empty(), "nothing of it went to the shop");
    let told = desk.stage.database.cell("SELECT COUNT(*) FROM tradesync_events WHERE kind = 'bad_ttn'");
    assert_eq!(told, "1", "somebody is told of it");
    anybody.get(&hook("2045%200000%200000%2000")).await.ok(200);
    desk.settled().await;
    assert_eq!((desk.shop().get(ID).unwrap().tracking_number.as_deref(), states(&desk).1), (Some(TTN), DeliveryState::Shipped));
    assert!(desk.standing("updates").await.is_empty());
    // Another carrier's form is a setting.
    desk.settings(json!({"carriers": {"ukrposhta": "[0-9]{13}"}})).await;
    anybody.get(&format!("{}?orderid={id}&ttn=0500000000001", desk.hook_path())).await.ok(200);
    desk.settled().await;
    assert_eq!(desk.shop().get(ID).unwrap().tracking_number.as_deref(), Some("0500000000001"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_machine_does_not_allow_is_held_until_it_does_and_nothing_is_opened_again() {
    let desk = with_order(json!({})).await;
    let id = desk.sent(ID).id;
    let tell = async |action: &str| {
        desk.stage.rest.with_key("").get(&format!("{}?orderid={id}&do={action}&ttn=", desk.hook_path())).await.ok(200);
        desk.settled().await;
    };
    tell("complete").await;
    assert_eq!(
        (states(&desk).0, desk.standing("updates").await.get(ID).map(String::as_str)),
        (OrderState::Open, Some("transition_not_possible"))
    );
    tell("process").await;
    assert_eq!(states(&desk).0, OrderState::Completed, "what waited became possible");
    assert!(desk.standing("updates").await.is_empty());
    tell("process").await;
    tell("complete").await;
    let sent: Vec<String> = desk.shop().writes().iter().flat_map(|write| write.applied.clone()).collect();
    assert_eq!(sent, ["order:process", "order:complete"], "doubles and echoes do nothing");
    // A buyer calls it off; a late action of OneBox must not open it again.
    desk.shop().edit(ID, |order| order.delivery = DeliveryState::Cancelled);
    desk.well().await;
    let writes = desk.shop().writes().len();
    tell("part").await;
    assert_eq!(
        (desk.shop().writes().len(), desk.standing("updates").await.get(ID).map(String::as_str)),
        (writes, Some("transition_not_possible"))
    );
    assert_eq!(
        desk.stage.rest.with_key("").get(&format!("{}?orderid={id}&do=fly", desk.hook_path())).await.problem(422, "hook-refused")["errors"]
            [0]["pointer"],
        "/do"
    );
}

/// Delivery ok, order illegal: the call is applied half. The order is looked at again and the rest sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_applied_half_is_brought_to_its_end() {
    let desk = with_order(json!({})).await;
    let id = desk.sent(ID).id;
    // A person has moved the order on in the shop, and we have not read it since.
    desk.shop().edit(ID, |order| order.order = OrderState::Completed);
    desk.stage.rest.with_key("").get(&format!("{}?orderid={id}&do=ship&ttn={TTN}", desk.hook_path())).await.ok(200);
    desk.settled().await;
    let now = desk.shop().get(ID).unwrap();
    assert_eq!((now.order, now.delivery, now.tracking_number.as_deref()), (OrderState::Completed, DeliveryState::Shipped, Some(TTN)));
    assert_eq!(now.steps.iter().filter(|step| step.machine == "delivery").count(), 1, "{:?}", now.steps);
    let failed = desk.stage.rest.all(&format!("/sync/retry-list?connection={}", desk.connection)).await;
    assert!(failed.is_empty(), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_an_update_doubles_no_note_and_no_step() {
    let desk = with_order(json!({})).await;
    let id = desk.sent(ID).id;
    desk.trouble_at_shop("update-order", 0, 1, Fault::Drop);
    let path = format!("{}?orderid={id}&do=ship&ttn={TTN}&comment=one-note", desk.hook_path());
    desk.stage.rest.with_key("").get(&path).await.ok(200);
    desk.settled().await;
    let now = desk.shop().get(ID).unwrap();
    assert_eq!((now.note.matches("one-note").count(), now.tracking_number.as_deref(), now.steps.len()), (1, Some(TTN), 2), "{now:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_is_down_loses_no_hook() {
    let desk = with_order(json!({})).await;
    let id = desk.sent(ID).id;
    desk.trouble_at_shop("", 0, 3, Fault::Refuse);
    desk.stage.rest.with_key("").get(&format!("{}?orderid={id}&do=ship&ttn={TTN}", desk.hook_path())).await.ok(200);
    let end = std::time::Instant::now() + std::time::Duration::from_secs(40);
    while desk.shop().get(ID).unwrap().delivery != DeliveryState::Shipped {
        assert!(std::time::Instant::now() < end, "the hook was lost");
        if desk.stage.rest.get(&format!("/sync/runs?connection={}&limit=1", desk.connection)).await.ok(200)["items"][0]["state"] == "failed"
        {
            desk.stage.rest.wait(&desk.start("updates", json!({})).await).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(desk.shop().get(ID).unwrap().steps.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_stage_that_fires_at_us_and_orders_of_others_do_no_harm() {
    let desk = Desk::new(json!({})).await;
    // The start stage holds an action by mistake: it fires while we still wait for the answer to our creation.
    desk.onebox().set_actions(vec![desk.action(
        "start",
        Some(54),
        "POST",
        Form::Json,
        &[("orderid", "{|$orderid|}"), ("do", "process"), ("ttn", "{|$deliveryNote|}")],
    )]);
    desk.shop().place(5, 3);
    desk.well().await;
    desk.must_agree("echo");
    desk.onebox().hooks_idle().await;
    desk.settled().await;
    // Whatever was not linked yet is decided by the next run.
    desk.stage.rest.wait(&desk.start("updates", json!({})).await).await;
    let wrong: Vec<_> =
        desk.shop().orders().into_values().filter(|order| order.order != OrderState::InProgress || order.steps.len() != 1).collect();
    assert!(wrong.is_empty(), "{wrong:?} {:?} {:?}", desk.onebox().hooks(), desk.standing("updates").await);
    desk.well().await;
    assert!(desk.onebox().orders().values().all(|order| order.sets == 1), "our own change came back as an update");
    let foreign = desk.onebox().put(tradesync::sandbox::onebox::Order { name: "Чуже".into(), ..Default::default() });
    desk.stage.rest.with_key("").get(&format!("{}?orderid={foreign}&do=ship", desk.hook_path())).await.ok(200);
    desk.settled().await;
    assert_eq!(desk.stage.database.cell("SELECT COUNT(*) FROM tradesync_hooks WHERE outcome = 'foreign'"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_token_of_the_connection_opens_the_door() {
    let desk = with_order(json!({})).await;
    let anybody = desk.stage.rest.with_key("");
    let path = |token: &str| format!("/sync/okliving-onebox/hooks/{token}?orderid=1&do=ship");
    anybody.get(&path("another-token-0123456789")).await.problem(404, "not-found");
    anybody.get(&path("short")).await.problem(404, "not-found");
    anybody.get(&format!("/sync/billz-opencart/hooks/{TOKEN}?orderid=1")).await.problem(404, "not-found");
    anybody.get(&format!("/sync/okliving-onebox/hooks/{TOKEN}")).await.problem(422, "validation-failed");
    anybody.post(&desk.hook_path(), &json!({"orderid": "1", "text": "x".repeat(70_000)})).await.problem(413, "too-large");
    anybody.get(&path(TOKEN)).await.ok(200);
    // Two may live while OneBox is being told the new one; then the old one goes.
    let second = "second-token-0123456789ab";
    let set = |tokens: String| json!({"secrets": {"hook_token": tokens}});
    desk.stage.rest.patch(&format!("/connections/{}", desk.connection), &set(format!("{TOKEN},{second}"))).await.ok(200);
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while anybody.get(&path(second)).await.status != 200 {
        assert!(std::time::Instant::now() < end, "the second token is not taken");
    }
    anybody.get(&path(TOKEN)).await.ok(200);
    desk.stage.rest.patch(&format!("/connections/{}", desk.connection), &set(second.to_owned())).await.ok(200);
    anybody.get(&path(TOKEN)).await.problem(404, "not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_life_of_one_order_stands_in_one_place() {
    let desk = with_order(json!({})).await;
    let id = desk.sent(ID).id;
    desk.stage.rest.with_key("").get(&format!("{}?orderid={id}&do=ship&ttn={TTN}", desk.hook_path())).await.ok(200);
    desk.settled().await;
    let told = desk.stage.rest.get(&format!("/sync/explain?connection={}&item={ID}", desk.connection)).await.ok(200);
    assert_eq!(told["link"]["target"], json!(id.to_string()), "{told}");
    let streams: Vec<&str> = told["changes"].as_array().unwrap().iter().map(|change| change["stream"].as_str().unwrap()).collect();
    assert_eq!(streams, ["updates", "orders"], "{told}");
    assert_eq!(told["hooks"].as_array().map(Vec::len), Some(1), "{told}");
    assert_eq!(told["hooks"][0]["outcome"], "dealt_with", "{told}");
    let by_target = desk.stage.rest.get(&format!("/sync/explain?connection={}&target={id}", desk.connection)).await.ok(200);
    assert_eq!(by_target["item"], json!(ID));
}
