//! The simulator by the sheet, over real HTTP.

use serde_json::{Value, json};

use super::{
    super::{
        Options, Running,
        desk::{Fault, Rule},
        simulator::Simulator,
        start,
    },
    Done, Handle, Money, Shape, Switches, Times, Wrapper,
    machine::{DeliveryState, OrderState},
    seed,
};

async fn running() -> Running {
    start(Options { okliving: Switches { shuffled: false, ..Switches::default() }, ..Options::default() }).await.expect("a sandbox")
}

fn credentials() -> Value {
    let switches = Switches::default();
    json!({"grant_type": "client_credentials", "client_id": switches.client_id, "client_secret": switches.client_secret})
}

async fn post(running: &Running, path: &str, token: &str, body: &Value) -> (u16, Value) {
    let request = reqwest::Client::new().post(format!("{}{path}", running.okliving_url)).bearer_auth(token);
    let answer = request.json(body).send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

async fn token(running: &Running) -> String {
    let (status, body) = post(running, "/api/oauth/token", "", &credentials()).await;
    assert_eq!((status, &body["token_type"], &body["expires_in"]), (200, &json!("Bearer"), &json!(600)));
    body["access_token"].as_str().expect("a token").to_owned()
}

async fn list(running: &Running, token: &str, args: Value) -> Value {
    let (status, body) = post(running, "/api/get-orders", token, &json!({ "args": args })).await;
    assert_eq!(status, 200, "{body}");
    body
}

async fn update(running: &Running, token: &str, order: Value) -> (u16, Value) {
    post(running, "/api/update-order", token, &json!({"args": {"order": order}})).await
}

fn ids(body: &Value) -> Vec<String> {
    body["orders"].as_array().expect("a list").iter().map(|row| row["id"].as_str().expect("a text").to_owned()).collect()
}

#[tokio::test]
async fn tokens_come_for_json_and_forms_and_die_after_ten_minutes_or_some_calls() {
    let running = running().await;
    let first = token(&running).await;
    let form = [("grant_type", "client_credentials"), ("client_id", "demo-client"), ("client_secret", "demo-okliving-secret")];
    let answer = reqwest::Client::new().post(format!("{}/api/oauth/token", running.okliving_url)).form(&form).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(running.okliving.state().logins, 2);
    running.okliving.set_switches(|switches| switches.token_calls = Some(1));
    list(&running, &first, json!({})).await;
    let (status, body) = post(&running, "/api/get-orders", &first, &json!({})).await;
    assert_eq!((status, &body["errors"][0]["status"], &body["errors"][0]["code"]), (401, &json!("401"), &json!("9")));
    running.okliving.set_switches(|switches| switches.token_calls = None);
    let other = token(&running).await;
    running.okliving.set_switches(|switches| switches.clock_ahead_s = 599);
    list(&running, &other, json!({})).await;
    running.okliving.set_switches(|switches| switches.clock_ahead_s = 601);
    assert_eq!(post(&running, "/api/get-orders", &other, &json!({})).await.0, 401);
}

#[tokio::test]
async fn ten_wrong_logins_are_followed_by_a_pause_told_in_words() {
    let running = running().await;
    let mut wrong = credentials();
    wrong["client_secret"] = json!("no");
    for _ in 0..10 {
        let (status, body) = post(&running, "/api/oauth/token", "", &wrong).await;
        assert_eq!((status, &body["errors"][0]["detail"]), (401, &Value::Null));
    }
    let (status, body) = post(&running, "/api/oauth/token", "", &credentials()).await;
    assert_eq!((status, &body["errors"][0]["code"]), (429, &json!("FRAMEWORK__AUTH_THROTTLED")));
    assert!(body["errors"][0]["detail"].as_str().unwrap().contains("10 seconds"), "{body}");
}

#[tokio::test]
async fn lists_narrow_by_what_is_understood_and_page_as_asked() {
    let running = running().await;
    let token = token(&running).await;
    assert_eq!(ids(&list(&running, &token, json!({})).await).len(), 40);
    let placed = running.okliving.place(3, 7);
    let now = running.okliving.now();
    let from = super::wire::moment(now - chrono::TimeDelta::minutes(5), Times::Local);
    assert_eq!(ids(&list(&running, &token, json!({"filters": {"created_from": from}})).await), placed);
    assert_eq!(ids(&list(&running, &token, json!({"created_from": from})).await), placed);
    let first = list(&running, &token, json!({"page": 1, "limit": 30})).await;
    let second = list(&running, &token, json!({"page": 2, "limit": 30})).await;
    assert_eq!((ids(&first).len(), ids(&second).len(), &second["total"], &second["page"]), (30, 13, &json!(43), &json!(2)));
    let mut all = [ids(&first), ids(&second)].concat();
    all.sort();
    assert_eq!(all, running.okliving.orders().into_keys().collect::<Vec<_>>());
    let cursor = list(&running, &token, json!({"cursor": "", "limit": 30})).await;
    assert_eq!(cursor["next_cursor"], json!("30"));
    let end = list(&running, &token, json!({"cursor": "30", "limit": 30})).await;
    assert_eq!((ids(&end), &end["next_cursor"]), (ids(&second), &Value::Null));
    assert_eq!(ids(&list(&running, &token, json!({"offset": 30, "limit": 30})).await), ids(&second));
    running.okliving.set_switches(|switches| switches.page_ignored = true);
    assert_eq!(ids(&list(&running, &token, json!({"page": 2, "limit": 30})).await), ids(&first));
    running.okliving.set_switches(|switches| (switches.page_ignored, switches.page_cap, switches.doubled) = (false, 10, true));
    let capped = ids(&list(&running, &token, json!({"page": 1, "limit": 30})).await);
    assert_eq!((capped.len(), &capped[0]), (11, &capped[10]));
    running.okliving.set_switches(|switches| (switches.shuffled, switches.doubled) = (true, false));
    assert_ne!(ids(&list(&running, &token, json!({"page": 1, "limit": 10})).await), capped[..10]);
}

#[tokio::test]
async fn an_order_may_be_visible_late() {
    let running = running().await;
    let token = token(&running).await;
    running.okliving.set_switches(|switches| switches.visible_late_s = 500);
    let placed = running.okliving.place(1, 7);
    assert!(!ids(&list(&running, &token, json!({})).await).contains(&placed[0]));
    running.okliving.set_switches(|switches| switches.clock_ahead_s = 501);
    let seen = list(&running, &token, json!({})).await;
    let order = running.okliving.get(&placed[0]).unwrap();
    assert!(ids(&seen).contains(&placed[0]) && order.visible - order.created == chrono::TimeDelta::seconds(500));
}

#[tokio::test]
async fn the_list_comes_in_every_wrapper() {
    let running = running().await;
    let token = token(&running).await;
    running.okliving.reset(2, 1);
    for (wrapper, pointer) in [
        (Wrapper::Orders, "/orders/1/id"),
        (Wrapper::Data, "/data/1/id"),
        (Wrapper::DataOrders, "/data/orders/1/id"),
        (Wrapper::Result, "/result/1/id"),
        (Wrapper::ResultOrders, "/result/orders/1/id"),
        (Wrapper::Root, "/1/id"),
    ] {
        running.okliving.set_switches(|switches| switches.wrapper = wrapper);
        assert_eq!(list(&running, &token, json!({})).await.pointer(pointer), Some(&json!(seed::id(2))), "{wrapper:?}");
    }
    for (wrapper, orders) in
        [(Wrapper::EmptyObject, Some(json!({}))), (Wrapper::EmptyList, Some(json!([]))), (Wrapper::Missing, None), (Wrapper::Null, None)]
    {
        running.okliving.set_switches(|switches| switches.wrapper = wrapper);
        let body = list(&running, &token, json!({})).await;
        assert_eq!((body.get("orders"), body.is_null()), (orders.as_ref(), wrapper == Wrapper::Null));
    }
    running.okliving.set_switches(|switches| (switches.wrapper, switches.keyed) = (Wrapper::Orders, true));
    assert_eq!(list(&running, &token, json!({})).await["orders"][seed::id(2)]["id"], json!(seed::id(2)));
    running.okliving.set_switches(|switches| (switches.keyed, switches.single_object) = (false, true));
    assert_eq!(list(&running, &token, json!({"ids": [seed::id(2)]})).await["orders"]["id"], json!(seed::id(2)));
}

#[tokio::test]
async fn an_order_comes_in_every_shape() {
    let running = running().await;
    let token = token(&running).await;
    running.okliving.reset(1, 1);
    let truth = running.okliving.get(&seed::id(1)).unwrap();
    let shown = async |shape: Shape| {
        running.okliving.set_switches(|switches| switches.shape = Some(shape));
        list(&running, &token, json!({})).await["orders"][0].clone()
    };
    let plain = shown(Shape::Plain).await;
    assert_eq!(plain["recipient"]["last_name"], json!(truth.recipient.as_ref().unwrap().last_name));
    assert_eq!((&plain["statuses"]["order"], plain["products"][0]["price"].is_string()), (&json!("open"), true));
    assert!(shown(Shape::CustomerName).await["customer"]["name"].as_str().unwrap().starts_with(&truth.customer.last_name));
    assert!(shown(Shape::NoRecipient).await.get("recipient").is_none());
    let flat = shown(Shape::FlatShipping).await;
    assert_eq!((&flat["shipping_city"], flat.get("shipping")), (&json!(truth.city), None));
    let address = shown(Shape::DeliveryAddress).await;
    assert_eq!((&address["delivery_address"]["warehouse"], address.get("shipping")), (&json!(truth.warehouse), None));
    let courier = (1..100).find(|number| seed::shape(*number) == Shape::Courier).unwrap();
    let courier = super::wire::of(&seed::order(courier, 1, truth.created), &Switches::default());
    assert!(courier["shipping"]["address"].is_string() && courier["shipping"]["warehouse"].is_null());
    running.okliving.set_switches(|switches| (switches.money, switches.times, switches.status_numbers) = (Money::Minor, Times::Iso, true));
    let odd = shown(Shape::Plain).await;
    assert!(odd["products"][0]["price"].is_u64() && odd["statuses"]["order"] == json!(0), "{odd}");
    assert!(odd["created_at"].as_str().unwrap().ends_with("+00:00"));
    running.okliving.set_switches(|switches| (switches.bom, switches.gzip) = (true, true));
    let request = |client: reqwest::Client| {
        let request = client.post(format!("{}/api/get-orders", running.okliving_url)).bearer_auth(&token);
        request.header("accept-encoding", "gzip").body("{}").send()
    };
    let packed = request(reqwest::Client::builder().no_gzip().build().unwrap()).await.unwrap();
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    let bytes = request(reqwest::Client::new()).await.unwrap().bytes().await.unwrap();
    assert!(bytes.starts_with(b"\xEF\xBB\xBF{\"orders\":"), "{bytes:?}");
}

#[tokio::test]
async fn statuses_are_transitions_and_a_call_can_be_done_by_half() {
    let running = running().await;
    let token = token(&running).await;
    let id = seed::id(1);
    // The document's own body.
    let sent =
        json!({"id": id, "tracking_number": "123456789012345", "statuses": {"delivery": "ship", "order": "process"}, "note": "note"});
    let (status, body) = update(&running, &token, sent.clone()).await;
    assert_eq!((status, body), (200, json!({"success": true})));
    let order = running.okliving.get(&id).unwrap();
    assert_eq!(
        (order.order, order.delivery, order.tracking_number.as_deref()),
        (OrderState::InProgress, DeliveryState::Shipped, Some("123456789012345"))
    );
    assert!(order.updated > order.created);
    // Once more: no transition is made, the note is there twice.
    assert_eq!(update(&running, &token, sent.clone()).await.0, 200);
    let order = running.okliving.get(&id).unwrap();
    assert_eq!((order.steps.len(), order.note.as_str()), (2, "note\nnote"));
    // `complete` of an open order is illegal; the delivery has moved all the same.
    let other = seed::id(2);
    let half = json!({"id": other, "statuses": {"delivery": "ship", "order": "complete"}});
    let (status, body) = update(&running, &token, half.clone()).await;
    assert_eq!((status, &body["errors"][0]["code"]), (400, &json!("SYSTEM__ILLEGAL_STATE_TRANSITION")));
    assert!(body["errors"][0]["detail"].as_str().unwrap().contains("process, cancel"), "{body}");
    assert_eq!(running.okliving.get(&other).unwrap().delivery, DeliveryState::Shipped);
    running.okliving.set_switches(|switches| (switches.half_applied, switches.error_in_200) = (false, true));
    let third = seed::id(4);
    let (status, body) = update(&running, &token, json!({"id": third, "statuses": {"delivery": "ship", "order": "complete"}})).await;
    assert_eq!((status, &body["success"], running.okliving.get(&third).unwrap().delivery), (200, &json!(false), DeliveryState::Open));
    running
        .okliving
        .set_switches(|switches| (switches.repeat_illegal, switches.error_in_200, switches.note_replaces) = (true, false, true));
    assert_eq!(update(&running, &token, sent).await.0, 400);
    update(&running, &token, json!({"id": id, "note": "other", "tracking_number": ""})).await;
    let order = running.okliving.get(&id).unwrap();
    assert_eq!((order.note.as_str(), order.tracking_number), ("other", None));
    let applied: Vec<Vec<String>> = running.okliving.writes().into_iter().map(|write| write.applied).collect();
    assert_eq!(applied[1], ["tracking_number", "note", "=delivery:ship", "=order:process"]);
    assert_eq!((&applied[2][..], applied[3].len()), (&["delivery:ship".to_owned()][..], 0));
    assert_eq!(update(&running, &token, json!({"id": "1"})).await.0, 400);
    for (reply, expected) in [
        (Done::Empty, json!({})),
        (Done::StatusOk, json!({"status": "ok"})),
        (Done::Data, json!({"data": {"id": id}})),
        (Done::NoContent, Value::Null),
    ] {
        running.okliving.set_switches(|switches| switches.reply = reply);
        assert_eq!(update(&running, &token, json!({"id": id, "note": "x"})).await.1, expected);
    }
}

#[tokio::test]
async fn a_lost_answer_has_been_carried_out_and_people_drive_it_over_http() {
    let running = running().await;
    let token = token(&running).await;
    let id = seed::id(1);
    running.okliving.desk().add_fault(Rule::new("update-order", 1, Fault::Drop));
    let request = reqwest::Client::new().post(format!("{}/api/update-order", running.okliving_url)).bearer_auth(&token);
    assert!(request.json(&json!({"args": {"order": {"id": id, "note": "x"}}})).send().await.is_err());
    assert_eq!(running.okliving.get(&id).unwrap().note, "x");
    let control = format!("{}{}", running.okliving_url, Handle::ROOT);
    let client = reqwest::Client::new();
    let placed: Vec<String> =
        client.post(format!("{control}/place")).json(&json!({"count": 2, "seed": 3})).send().await.unwrap().json().await.unwrap();
    assert_eq!(placed.len(), 2);
    let patched = client.patch(format!("{control}/orders/{}", placed[0])).json(&json!({"delivery": "shipped"})).send().await.unwrap();
    assert_eq!((patched.status().as_u16(), running.okliving.get(&placed[0]).unwrap().delivery), (204, DeliveryState::Shipped));
    assert_eq!(client.patch(format!("{control}/orders/{}", placed[0])).json(&json!({"delivery": "x"})).send().await.unwrap().status(), 422);
}
