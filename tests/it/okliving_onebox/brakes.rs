//! Brakes on orders: a burst waits for a person, and so do too many orders of one phone; the others go on.

use serde_json::json;

use super::{Desk, count, order};

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_orders_waits_for_a_person_and_then_goes_out_once() {
    let desk = Desk::new(json!({"brakes": {"limits": {"new_orders": {"from": 12}}}})).await;
    desk.shop().place(11, 1);
    desk.well().await;
    desk.must_agree("below the limit");
    desk.shop().place(15, 2);
    let run = desk.sync().await;
    assert_eq!((run["state"].as_str(), count(&run, "held"), count(&run, "created")), (Some("awaiting_approval"), 15, 0), "{run}");
    assert_eq!(desk.onebox().orders().len(), 11);
    let id = run["id"].as_str().unwrap();
    desk.stage.rest.post(&format!("/sync/runs/{id}/approve"), &json!({})).await.ok(202);
    let run = desk.stage.rest.wait(id).await;
    assert_eq!((run["state"].as_str(), count(&run, "created")), (Some("succeeded"), 15), "{run}");
    desk.must_agree("approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_orders_of_one_phone_wait_and_the_others_go_on() {
    let desk = Desk::new(json!({"brakes": {"limits": {"one_phone": {"from": 4}}}})).await;
    for number in 0..5 {
        // However the phone is written, it is one.
        let phone = if number % 2 == 0 { "0679876543" } else { "+38 (067) 987-65-43" };
        desk.shop().put(order(&format!("30000{number}"), "0501234567", phone));
    }
    desk.shop().put(order("400000", "0501234567", "0631112233"));
    let run = desk.sync().await;
    assert_eq!((run["state"].as_str(), count(&run, "held"), count(&run, "created")), (Some("awaiting_approval"), 5, 1), "{run}");
    assert_eq!(desk.outcome(&run, "300001").await, "held brake");
    assert_eq!(desk.sent("400000").client_phone, "380631112233");
}
