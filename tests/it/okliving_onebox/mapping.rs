//! The mapping is tried on a stored order before it is used.

use serde_json::{Value, json};

use super::{Desk, order};

fn told(shown: &Value, target: &str) -> (String, Value) {
    let field = shown["fields"].as_array().unwrap().iter().find(|field| field["target"] == target).unwrap();
    (field["value"].as_str().unwrap().to_owned(), field["from"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_is_tried_on_a_stored_order_and_then_used() {
    let desk = Desk::new(json!({})).await;
    desk.shop().put(order("300167757", "0501234567", "067 987 65 43"));
    desk.well().await;
    let test = |more: Value| {
        let mut body = json!({"connection": desk.connection});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let path = "/sync/okliving-onebox/mapping-test";
    let shown = desk.stage.rest.post(path, &test(json!({"order": "300167757"}))).await.ok(200);
    assert_eq!(told(&shown, "recipient.phone"), ("380679876543".to_owned(), json!("/recipient/phone")));
    assert_eq!((shown["problems"].as_array().map(Vec::len), &shown["recipient"]), (Some(0), &json!("recipient")), "{shown}");
    // What it shows is what was sent.
    let sent = desk.sent("300167757");
    let of_onebox = |shown: &Value, field: &str| {
        shown["onebox"].as_array().unwrap().iter().find(|sent| sent["field"] == field).unwrap()["value"].clone()
    };
    assert_eq!(
        (of_onebox(&shown, "clientname"), of_onebox(&shown, "clientaddress")),
        (json!(sent.client_name), json!(sent.client_address))
    );
    // Another mapping, tried and not yet used.
    let over = json!({"recipient.phone": {"from": ["/customer/phone"]}});
    let tried = desk.stage.rest.post(path, &test(json!({"order": "300167757", "mapping": over}))).await.ok(200);
    assert_eq!(told(&tried, "recipient.phone"), ("380501234567".to_owned(), json!("/customer/phone")));
    desk.well().await;
    assert_eq!(desk.sent("300167757").client_phone, "380679876543");
    desk.settings(json!({ "mapping": over })).await;
    desk.well().await;
    assert_eq!(desk.sent("300167757").client_phone, "380501234567");
    // An order that nobody has read yet, and wrong questions.
    let raw = desk
        .stage
        .rest
        .post(path, &test(json!({"raw": {"id": "7", "recipient": {"name": "Тестова Олена"}, "customer": {"phone": "12"}}})))
        .await
        .ok(200);
    let codes: Vec<&str> = raw["problems"].as_array().unwrap().iter().map(|problem| problem["code"].as_str().unwrap()).collect();
    assert!(codes.contains(&"phone_unreadable") && codes.contains(&"name_ambiguous"), "{raw}");
    let wrong = desk.stage.rest.post(path, &test(json!({"order": "300167757", "mapping": {"recipient.tel": {"from": ["/a"]}}}))).await;
    assert_eq!(wrong.problem(422, "validation-failed")["errors"][0]["pointer"], "/mapping/recipient.tel");
    desk.stage.rest.post(path, &test(json!({}))).await.problem(422, "validation-failed");
    desk.stage.rest.post(path, &test(json!({"order": "none"}))).await.problem(404, "not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_tells_what_is_wrong_and_changes_nothing() {
    let desk = Desk::new(json!({"onebox": {"workflow_id": 77}})).await;
    desk.shop().place(4, 1);
    let checked = desk.stage.rest.post(&format!("/connections/{}/check", desk.connection), &json!({})).await.ok(200);
    let row = |name: &str| checked["checks"].as_array().unwrap().iter().find(|row| row["name"] == name).cloned().unwrap_or_default();
    assert_eq!(
        (row("okliving.login")["ok"].as_bool(), row("okliving.orders")["ok"].as_bool(), row("onebox.login")["ok"].as_bool()),
        (Some(true), Some(true), Some(true))
    );
    assert_eq!(row("onebox.workflow")["ok"], json!(false), "{checked}");
    assert!(row("onebox.workflow")["detail"].as_str().unwrap().contains('9'), "{checked}");
    assert_eq!((row("hook_token")["ok"].as_bool(), desk.sets()), (Some(true), 0));
}
