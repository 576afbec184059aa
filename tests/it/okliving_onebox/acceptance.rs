//! What every flow must hold, told of this one.

use serde_json::{Value, json};
use tradesync::sandbox::{desk::Fault, okliving::Wrapper};

use super::{Desk, TOKEN, TTN, count, order};
use crate::support::{ADMIN_KEY, MASTER_KEY, OKLIVING_SECRET, ONEBOX_PASSWORD, Spawn};

#[tokio::test(flavor = "multi_thread")]
async fn the_first_run_sends_every_order_once_and_a_second_sends_nothing() {
    let desk = Desk::new(json!({})).await;
    desk.shop().place(45, 3);
    let first = desk.well().await;
    assert_eq!(count(&first, "created"), 45, "{first}");
    desk.must_agree("first run");
    let row = desk.stage.stream(&desk.connection, "orders").await;
    assert!(!row["last_synced_at"].is_null() && !row["cursor"].is_null(), "{row}");
    let sets = desk.sets();
    for _ in 0..2 {
        let again = desk.well().await;
        assert_eq!(
            (count(&again, "created"), count(&again, "updated"), count(&again, "unchanged"), desk.sets()),
            (0, 0, 45, sets),
            "{again}"
        );
    }
    desk.must_agree("again");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_the_shop_changed_is_sent_and_no_stage_is_touched() {
    let desk = Desk::new(json!({})).await;
    let ids = desk.shop().place(12, 5);
    desk.well().await;
    let sent = desk.sent(&ids[0]);
    // A manager moves it on, adds a line, and writes into its text.
    desk.onebox().move_to(sent.id, 55);
    desk.onebox().edit(sent.id, |order| order.lines[0].comment = "з подарунком".into());
    desk.shop().edit(&ids[0], |order| order.recipient.as_mut().unwrap_or(&mut order.customer).phone = "0671112233".into());
    let run = desk.well().await;
    assert_eq!((count(&run, "updated"), count(&run, "created")), (1, 0), "{run}");
    let now = desk.sent(&ids[0]);
    assert_eq!((now.client_phone.as_str(), now.status, now.stages.as_slice()), ("380671112233", 55, &[54, 55][..]));
    assert_eq!(now.lines, desk.onebox().orders()[&sent.id].lines);
    assert_eq!(now.lines[0].comment, "з подарунком", "lines are left alone while the shop's are the same");
    let last = desk.onebox().writes().pop().unwrap();
    let sent = &last.entities[0];
    assert!(
        sent.get("workflowid").is_none()
            && sent.get("statusid").is_none()
            && sent.get("client").is_none()
            && sent.get("products").is_none(),
        "{sent}"
    );
    // Its lines change in the shop: they are replaced, not added.
    desk.shop().edit(&ids[0], |order| order.lines[0].quantity += 4);
    desk.well().await;
    desk.must_agree("lines changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shape_and_every_way_of_paging_comes_to_the_same() {
    for (paging, request) in [
        ("none", json!({})),
        ("offset", json!({"args": {"offset": "${offset}", "limit": "${limit}"}})),
        ("cursor", json!({"args": {"cursor": "${cursor}", "limit": "${limit}"}})),
    ] {
        let desk = Desk::new(json!({"okliving": {"paging": paging, "request": request}})).await;
        desk.shop().place(41, 7);
        desk.shop().set_switches(|switches| (switches.doubled, switches.bom, switches.gzip) = (true, paging == "none", paging == "offset"));
        let run = desk.well().await;
        assert_eq!(count(&run, "created"), 41, "{paging}: {run}");
        desk.must_agree(paging);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_place_of_the_list_is_known_and_no_list_is_an_alarm() {
    let desk = Desk::new(json!({"okliving": {"paging": "none", "request": {}}})).await;
    for (seed, wrapper) in (1..).zip([Wrapper::Data, Wrapper::DataOrders, Wrapper::ResultOrders, Wrapper::Result, Wrapper::Root]) {
        desk.shop().place(3, seed);
        desk.shop().set_switches(|switches| (switches.wrapper, switches.keyed) = (wrapper, seed % 2 == 0));
        let run = desk.well().await;
        assert_eq!(count(&run, "created"), 3, "{wrapper:?}: {run}");
    }
    desk.must_agree("all wrappers");
    let cursor = desk.stage.stream(&desk.connection, "orders").await["cursor"].clone();
    for wrapper in [Wrapper::Null, Wrapper::Missing] {
        desk.shop().set_switches(|switches| switches.wrapper = wrapper);
        let run = desk.sync().await;
        assert_eq!((run["state"].as_str(), run["error"]["code"].as_str()), (Some("failed"), Some("remote-protocol")), "{wrapper:?}: {run}");
        assert_eq!(desk.stage.stream(&desk.connection, "orders").await["cursor"], cursor, "{wrapper:?}: the cursor moved");
    }
    for wrapper in [Wrapper::EmptyList, Wrapper::EmptyObject] {
        desk.shop().set_switches(|switches| switches.wrapper = wrapper);
        desk.well().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_order_stops_no_other() {
    let desk = Desk::new(json!({})).await;
    let ids = desk.shop().place(6, 1);
    desk.trouble_at_shop("get-orders", 0, 1, Fault::Set { pointer: "/orders/2/id".into(), value: Value::Null });
    let run = desk.sync().await;
    assert_eq!((run["state"].as_str(), count(&run, "created"), count(&run, "failed")), (Some("partial"), 5, 1), "{run}");
    let failed = desk.stage.rest.all(&format!("/sync/retry-list?connection={}", desk.connection)).await;
    assert_eq!((failed.len(), failed[0]["reason"]["code"].as_str()), (1, Some("order_without_id")), "{failed:?}");
    // The next read shows it as it is; what was kept without an id stays on the list until a person dismisses it.
    desk.sync().await;
    assert_eq!(ids.iter().filter(|id| desk.onebox().by_externalid(&format!("okl-{id}")).len() == 1).count(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_die_at_either_end_cost_one_login_each() {
    let desk = Desk::new(json!({})).await;
    desk.shop().place(25, 2);
    desk.well().await;
    let logins = (desk.shop().state().logins, desk.onebox().state().logins);
    desk.shop().expire_tokens();
    desk.onebox().expire_tokens();
    desk.shop().place(5, 9);
    desk.well().await;
    desk.must_agree("expired");
    assert_eq!((desk.shop().state().logins, desk.onebox().state().logins), (logins.0 + 1, logins.1 + 1));
    // Tokens that die between pages and between orders.
    desk.shop().set_switches(|switches| switches.token_calls = Some(2));
    desk.onebox().set_switches(|switches| switches.token_calls = Some(12));
    desk.shop().place(40, 11);
    desk.well().await;
    desk.must_agree("dying tokens");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_that_is_down_leaves_the_cursor_and_nothing_is_lost_or_doubled_when_it_is_back() {
    let desk = Desk::new(json!({})).await;
    desk.shop().place(5, 2);
    desk.well().await;
    let row = desk.stage.stream(&desk.connection, "orders").await;
    desk.shop().place(7, 8);
    desk.trouble_at_shop("", 0, 1_000, Fault::Refuse);
    let run = desk.sync().await;
    assert_eq!((run["state"].as_str(), run["error"]["code"].as_str()), (Some("failed"), Some("remote-unavailable")), "{run}");
    desk.shop().desk().clear_faults();
    // OneBox is down while the shop goes on: run after run reads, stores, and sends nothing.
    desk.trouble_at_onebox("", 0, 100_000, Fault::Html { code: 502 });
    for seed in 20..24 {
        desk.shop().place(4, seed);
        let run = desk.sync().await;
        assert_eq!(run["state"], "failed", "{run}");
        let now = desk.stage.stream(&desk.connection, "orders").await;
        assert_eq!((&now["cursor"], &now["last_synced_at"]), (&row["cursor"], &row["last_synced_at"]));
    }
    desk.onebox().desk().clear_faults();
    let run = desk.well().await;
    assert_eq!(count(&run, "created"), 7 + 16, "{run}");
    desk.must_agree("OneBox is back");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_obeyed_and_no_failure() {
    let desk = Desk::new(json!({})).await;
    desk.shop().place(8, 2);
    // 20 s are one here.
    desk.trouble_at_shop("get-orders", 0, 1, Fault::Empty { status: 429, retry_after: Some(20) });
    desk.trouble_at_onebox("order/set", 2, 1, Fault::Empty { status: 429, retry_after: Some(20) });
    desk.well().await;
    desk.must_agree("limited");
    for entries in [desk.shop().desk().requests().requests, desk.onebox().desk().requests().requests] {
        let place = entries.iter().position(|entry| entry.status == 429).unwrap();
        let began = entries[place].at_ms;
        let within = |from: f64, to: f64| entries[place + 1..].iter().filter(|entry| (from..to).contains(&(entry.at_ms - began))).count();
        // What was under way already, until all senders know of the pause: they share it through the database.
        assert!(within(0.0, 500.0) <= 8, "{} requests at the beginning of the pause", within(0.0, 500.0));
        assert_eq!(within(500.0, 900.0), 0, "requests during the pause");
        assert!(entries.len() > place + 1, "nothing was asked after the pause");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_makes_no_changing_call_and_an_approved_plan_does_precisely_that() {
    let desk = Desk::new(json!({})).await;
    let ids = desk.shop().place(6, 4);
    let run = desk.start("orders", json!({"dry_run": true})).await;
    let plan = desk.stage.rest.wait(&run).await;
    assert_eq!((plan["state"].as_str(), count(&plan, "created"), desk.sets()), (Some("awaiting_approval"), 6, 0), "{plan}");
    let item = desk.stage.item(&plan, &ids[0]).await;
    let fields: Vec<&str> = item["changes"].as_array().unwrap().iter().map(|change| change["field"].as_str().unwrap()).collect();
    assert!(fields.contains(&"clientname") && fields.contains(&"products") && fields.contains(&"externalid"), "{fields:?}");
    desk.stage.rest.post(&format!("/sync/runs/{run}/approve"), &json!({})).await.ok(202);
    let applied = desk.stage.rest.wait(&run).await;
    assert_eq!((applied["state"].as_str(), count(&applied, "created")), (Some("succeeded"), 6), "{applied}");
    desk.must_agree("approved");
    // Creations are never undone: the order is a person's to cancel.
    let undo = desk.stage.rest.post(&format!("/sync/runs/{run}/undo"), &json!({})).await;
    if undo.status == 202 {
        let undone = desk.stage.rest.wait(undo.body["id"].as_str().unwrap()).await;
        assert_eq!(count(&undone, "updated"), 0, "{undone}");
    }
    desk.must_agree("after undo");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_and_no_data_of_people_is_in_any_log() {
    let desk = Desk::with(Spawn::default().with("TRADESYNC_LOG", "trace"), json!({})).await;
    desk.shop().put(order("300167757", "0501234567", "0679876543"));
    desk.shop().put(order("300167758", "0501234567", "+1 555 010 0199"));
    let mut seen = vec![("a run".to_owned(), desk.well().await.to_string())];
    let id = desk.sent("300167757").id;
    let hook = format!("{}?orderid={id}&ttn={TTN}&do=ship&comment=%D0%A1%D0%B5%D0%BA%D1%80%D0%B5%D1%82", desk.hook_path());
    desk.stage.rest.with_key("").get(&hook).await.ok(200);
    desk.stage.rest.with_key("").get(&format!("{}?orderid={id}&ttn=123456789012345", desk.hook_path())).await.problem(422, "hook-refused");
    desk.settled().await;
    for path in [format!("/connections/{}", desk.connection), "/metrics".into(), "/sync/runs".into(), "/audit".into()] {
        seen.push((path.clone(), desk.stage.rest.get(&path).await.text));
    }
    seen.push(("check".into(), desk.stage.rest.post(&format!("/connections/{}/check", desk.connection), &json!({})).await.text));
    // Answers that cannot be read, refusals that quote the phone, and wrong credentials: the words of that go everywhere.
    desk.trouble_at_shop(
        "get-orders",
        0,
        2,
        Fault::Text { status: 200, body: r#"{"orders":[{"name":"Прикладна Олена","phone":"0679876543""#.into() },
    );
    seen.push(("a broken answer".into(), desk.sync().await.to_string()));
    desk.shop().desk().clear_faults();
    desk.shop().put(order("300167759", "0501234567", "0679876543"));
    desk.trouble_at_onebox(
        "order/set",
        0,
        1,
        Fault::Json { status: 400, body: json!({"status": 0, "errorArray": ["bad phone +380679876543"]}) },
    );
    seen.push(("a refused order".into(), desk.sync().await.to_string()));
    desk.onebox().set_switches(|switches| switches.password = "another".into());
    desk.onebox().expire_tokens();
    desk.shop().put(order("300167760", "0501234567", "0679876543"));
    let refused = desk.sync().await;
    assert_eq!(refused["error"]["code"], "remote-auth", "{refused}");
    seen.push(("refused".into(), refused.to_string()));
    let log = desk.stage.service.output();
    assert!(log.contains("TRACE") && log.len() > 10_000);
    for word in ["679876543", "501234567", "Прикладна", "Олена", "Тестова", TTN, "123456789012345", "Секрет"] {
        assert!(!log.contains(word), "the log shows {word}: {}", log.lines().find(|line| line.contains(word)).unwrap_or_default());
    }
    seen.push(("the log".into(), log));
    let database = &desk.stage.database;
    for table in database.words(
        "SELECT table_name AS words FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE 'tradesync\\_%'",
    ) {
        let columns = database.cell(&format!(
            "SELECT GROUP_CONCAT(CONCAT('IFNULL(`', column_name, '`, '''')')) FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = '{table}'"
        ));
        seen.push((
            table.clone(),
            database.words(&format!("SELECT CAST(CONCAT_WS('|', {columns}) AS CHAR) AS words FROM {table}")).join("\n"),
        ));
    }
    for (what, text) in &seen {
        for secret in [OKLIVING_SECRET, ONEBOX_PASSWORD, TOKEN, ADMIN_KEY, MASTER_KEY] {
            assert!(!text.contains(secret), "{what} shows {secret}");
        }
    }
}
