//! The simulator by the sheet, over real HTTP.

use serde_json::{Value, json};

use super::{
    super::{
        Options, Running,
        desk::{Fault, Rule},
        simulator::Simulator,
        start,
    },
    Entity, Handle, Kind, Switches, fields, seed,
};

async fn running(contacts: usize) -> Running {
    running_with(contacts, |_| {}).await
}

async fn running_with(contacts: usize, change: impl FnOnce(&mut Switches)) -> Running {
    let mut bitrix24 = Switches { rate: None, ..Switches::default() };
    change(&mut bitrix24);
    start(Options { contacts, deals: contacts, bitrix24, ..Options::default() }).await.expect("a sandbox")
}

async fn call(running: &Running, method: &str, body: Value) -> (u16, Value) {
    let url = format!("{}{method}", running.bitrix24_webhook_url());
    let answer = reqwest::Client::new().post(url).json(&body).send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

async fn get(running: &Running, tail: &str) -> (u16, Value) {
    let url = format!("{}{tail}", running.bitrix24_webhook_url());
    let answer = reqwest::Client::new().get(url).send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

fn ids(body: &Value) -> Vec<u64> {
    body["result"].as_array().expect("rows").iter().map(|row| row["ID"].as_str().expect("text").parse().expect("a number")).collect()
}

#[tokio::test]
async fn pages_have_fifty_rows_and_the_fast_way_says_nothing_of_more() {
    let running = running(120).await;
    let (_, first) = call(&running, "crm.contact.list", json!({"order": {"ID": "ASC"}})).await;
    assert_eq!((ids(&first).len(), &first["total"], &first["next"]), (50, &json!(120), &json!(50)));
    let (_, last) = call(&running, "crm.contact.list.json", json!({"order": {"ID": "ASC"}, "start": 100})).await;
    assert_eq!((ids(&last).len(), last.get("next")), (20, None));
    let (_, fast) = call(&running, "crm.contact.list", json!({"order": {"ID": "ASC"}, "start": -1})).await;
    assert_eq!((ids(&fast).len(), &fast["total"], fast.get("next")), (50, &json!(0), None));
    let mut all = Vec::new();
    loop {
        let after = all.last().copied().unwrap_or(0);
        let (_, page) = call(&running, "crm.contact.list", json!({"order": {"ID": "ASC"}, "filter": {">ID": after}, "start": -1})).await;
        all.extend(ids(&page));
        if ids(&page).len() < 50 {
            break;
        }
    }
    assert_eq!(all, running.bitrix24.contacts().into_keys().collect::<Vec<_>>());
}

#[tokio::test]
async fn the_requirements_get_with_brackets_works_and_unknown_filter_keys_are_dropped() {
    let running = running(60).await;
    let (status, all) = get(&running, "crm.contact.list.json?filter[UF_CRM_NOBODY]=1").await;
    assert_eq!((status, &all["total"]), (200, &json!(60)));
    let late = "crm.contact.list.json?FILTER[%3EDATE_CREATE]=2020-12-22T00:00:00%2B03:00&select[]=NAME&select[]=DATE_MODIFY";
    let (_, young) = get(&running, late).await;
    let old = (1..=60).filter(|number| seed::contact_oddity(*number) == seed::ContactOddity::Old).count();
    assert!(old > 0);
    assert_eq!(young["total"], json!(60 - old));
    let keys: Vec<&String> = young["result"][0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["DATE_MODIFY", "ID", "NAME"]);
    let (status, refused) = call(&running, "crm.contact.list", json!({"filter": "x"})).await;
    assert_eq!((status, &refused["error"], &refused["error_description"]), (400, &json!(""), &json!("Parameter 'filter' must be array.")));
}

#[tokio::test]
async fn masks_never_cover_phones_and_empty_fields_come_in_four_ways() {
    let running = running(60).await;
    let select = |more: &[&str]| json!({"select": (["*", "UF_*"].iter().chain(more).collect::<Vec<_>>()), "order": {"ID": "ASC"}});
    let (_, masked) = call(&running, "crm.contact.list", select(&[])).await;
    assert!(masked["result"].as_array().unwrap().iter().all(|row| row.get("PHONE").is_none()));
    let (_, named) = call(&running, "crm.contact.list", select(&["PHONE", "EMAIL"])).await;
    let rows = named["result"].as_array().unwrap();
    let without = |row: &&Value| row.get("PHONE").is_none();
    assert_eq!(rows.iter().filter(without).map(|row| row["ID"].clone()).collect::<Vec<_>>(), [json!(seed::contact_id(4).to_string())]);
    assert!(rows.iter().any(|row| row["PHONE"].as_array().is_some_and(|phones| phones.len() == 2)));
    let empties: std::collections::BTreeSet<String> = rows.iter().map(|row| row[fields::STATUS].to_string()).collect();
    assert_eq!(empties.into_iter().collect::<Vec<_>>(), ["\"\"", "[]", "false", "null"]);
    assert_eq!(rows[0][fields::PRODUCT].as_array().map(|list| list[0].is_u64()), Some(true));
    assert!(rows[0]["ASSIGNED_BY_ID"].is_string());
}

#[tokio::test]
async fn every_update_moves_date_modify_and_the_author_and_ignores_unknown_fields() {
    let running = running(5).await;
    let id = seed::contact_id(1);
    let update = |value: &str| json!({"id": id, "fields": {fields::STATUS: value, "UF_CRM_NOBODY": "x", "DATE_MODIFY": "2000-01-01"}});
    let before = running.bitrix24.get(Kind::Contact, id).unwrap();
    let (status, done) = call(&running, "crm.contact.update", update("Успешно")).await;
    assert_eq!((status, &done["result"]), (200, &json!(true)));
    let after = running.bitrix24.get(Kind::Contact, id).unwrap();
    assert_eq!((after.status().as_str(), after.modified_by), ("Успешно", 1));
    assert!(after.modified > before.modified && !after.fields.contains_key("UF_CRM_NOBODY"));
    // A write that changes nothing moves it too, unless the portal is one of the others.
    let later = after.modified + chrono::TimeDelta::hours(1);
    running.bitrix24.freeze(Some(later));
    call(&running, "crm.contact.update", update("Успешно")).await;
    assert_eq!(running.bitrix24.get(Kind::Contact, id).unwrap().modified, later);
    running.bitrix24.set_switches(|switches| switches.noop_bumps = false);
    running.bitrix24.freeze(Some(later + chrono::TimeDelta::hours(1)));
    call(&running, "crm.contact.update", update("Успешно")).await;
    assert_eq!(running.bitrix24.get(Kind::Contact, id).unwrap().modified, later);
    let writes: Vec<(bool, bool)> = running.bitrix24.writes().iter().map(|write| (write.applied, write.changed)).collect();
    assert_eq!(writes, [(true, true), (true, false), (true, false)]);
    let (status, missing) = call(&running, "crm.contact.update", json!({"id": 7, "fields": {}})).await;
    assert_eq!((status, &missing["error"], &missing["error_description"]), (400, &json!(""), &json!("Contact is not found")));
}

#[tokio::test]
async fn phones_without_ids_are_appended() {
    let running = running(5).await;
    let id = seed::contact_id(1);
    let phone = |body: Value| json!({"id": id, "fields": {"PHONE": body}});
    call(&running, "crm.contact.update", phone(json!([{"VALUE": "+79990000009"}]))).await;
    let phones = running.bitrix24.get(Kind::Contact, id).unwrap().phones;
    assert_eq!(phones.len(), 2);
    call(&running, "crm.contact.update", phone(json!([{"ID": phones[1].id.to_string(), "VALUE": ""}]))).await;
    assert_eq!(running.bitrix24.get(Kind::Contact, id).unwrap().phones, phones[..1]);
}

#[tokio::test]
async fn a_batch_is_200_whatever_happened_inside_and_empty_maps_are_lists() {
    let running = running(5).await;
    let id = seed::contact_id(1);
    let status = fields::STATUS;
    let commands = json!({"halt": 0, "cmd": {
        "a": format!("crm.contact.update?id={id}&fields%5B{status}%5D=%D0%9E%D0%BA"),
        "l": format!("crm.contact.list?filter%5BID%5D={id}&select%5B0%5D=ID&select%5B1%5D={status}"),
        "m": "crm.contact.update?id=7&fields%5BNAME%5D=x",
        "r": "crm.contact.get?id=$result[l][0][ID]",
        "n": "batch?cmd[x]=y",
    }});
    let (http, body) = call(&running, "batch", commands).await;
    let result = &body["result"];
    assert_eq!((http, &result["result"]["a"]), (200, &json!(true)));
    // The list came after the update and sees it.
    assert_eq!(result["result"]["l"], json!([{"ID": id.to_string(), status: "Ок"}]));
    assert_eq!(result["result"]["r"]["ID"], json!(id.to_string()));
    assert_eq!(result["result_error"]["m"], json!({"error": "", "error_description": "Contact is not found"}));
    assert_eq!(result["result_error"]["n"]["error"], json!("ERROR_BATCH_METHOD_NOT_ALLOWED"));
    assert_eq!(result["result_next"], json!([]));
    let (_, fine) = call(&running, "batch", json!({"cmd": {"u": format!("crm.contact.get?id={id}")}})).await;
    assert_eq!(fine["result"]["result_error"], json!([]));
    let (_, halted) = call(&running, "batch", json!({"halt": 1, "cmd": {"x": "crm.contact.update?id=7", "y": "crm.contact.fields"}})).await;
    assert_eq!(halted["result"]["result"], json!([]));
    let many: serde_json::Map<String, Value> = (0..52).map(|n| (format!("k{n:02}"), json!("crm.deal.fields"))).collect();
    let (_, long) = call(&running, "batch", json!({"cmd": many})).await;
    let errors = long["result"]["result_error"].as_object().unwrap();
    assert_eq!((long["result"]["result"].as_object().unwrap().len(), errors.len()), (50, 2));
    assert!(errors.values().all(|error| error["error"] == "ERROR_BATCH_LENGTH_EXCEEDED"));
}

#[tokio::test]
async fn fifty_calls_pass_and_the_next_is_refused_with_503() {
    let running = running_with(5, |switches| switches.rate = Some(0.01)).await;
    for _ in 0..50 {
        assert_eq!(call(&running, "user.get", json!({"ID": 9})).await.0, 200);
    }
    let (status, body) = call(&running, "user.get", json!({"ID": 9})).await;
    assert_eq!((status, &body["error"]), (503, &json!("QUERY_LIMIT_EXCEEDED")));
    assert_eq!((running.bitrix24.state().refused_rate, running.bitrix24.desk().requests().limited), (1, 1));
}

#[tokio::test]
async fn run_time_is_counted_by_method_in_batches_too() {
    let running = running_with(5, |switches| (switches.operating_limit_s, switches.operating_update_s) = (Some(480.0), 200.0)).await;
    let update = format!("crm.contact.update?id={}&fields%5BNAME%5D=x", seed::contact_id(1));
    let commands: serde_json::Map<String, Value> = (0..4).map(|n| (format!("k{n}"), json!(update))).collect();
    let (status, body) = call(&running, "batch", json!({"cmd": commands})).await;
    // The third crosses the limit and is finished; the fourth is refused.
    assert_eq!((status, &body["result"]["result"]), (200, &json!({"k0": true, "k1": true, "k2": true})));
    assert_eq!(body["result"]["result_error"]["k3"]["error"], json!("OPERATION_TIME_LIMIT"));
    let time = &body["result"]["result_time"]["k2"];
    assert_eq!(time["operating"].as_f64(), Some(600.0));
    let ahead = time["operating_reset_at"].as_i64().unwrap() - running.bitrix24.now().timestamp();
    assert!((590..=601).contains(&ahead), "{ahead}");
    assert_eq!(call(&running, "crm.contact.update", json!({"id": seed::contact_id(1), "fields": {}})).await.0, 429);
    assert_eq!(call(&running, "crm.deal.fields", json!({})).await.0, 200);
}

#[tokio::test]
async fn credentials_are_refused_as_401_or_403() {
    let running = running(5).await;
    let wrong = format!("{}/rest/1/other/user.get", running.bitrix24_url);
    let answer = reqwest::get(wrong).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.json::<Value>().await.unwrap()["error"].clone()), (401, json!("NO_AUTH_FOUND")));
    for blocked in [401, 403] {
        running.bitrix24.set_switches(|switches| switches.blocked = Some(blocked));
        let (status, body) = call(&running, "user.get", json!({})).await;
        assert_eq!((status, &body["error"]), (blocked, &json!("INVALID_CREDENTIALS")));
    }
    running.bitrix24.set_switches(|switches| (switches.blocked, switches.scopes) = (None, vec!["crm".to_owned()]));
    assert_eq!(call(&running, "user.get", json!({})).await.1["error"], json!("insufficient_scope"));
    assert_eq!(call(&running, "crm.company.list", json!({})).await.1["error"], json!("ERROR_METHOD_NOT_FOUND"));
}

#[tokio::test]
async fn rows_change_between_pages_and_late_ones_are_not_listed_at_once() {
    let running = running_with(60, |switches| switches.edits_between_pages = 4).await;
    let before = running.bitrix24.contacts();
    call(&running, "crm.contact.list", json!({"order": {"ID": "ASC"}})).await;
    let after = running.bitrix24.contacts();
    assert!(before.values().zip(after.values()).any(|(before, after)| before.modified < after.modified));
    running.bitrix24.set_switches(|switches| (switches.edits_between_pages, switches.late_ms) = (0, 600_000));
    let id = running.bitrix24.add(Kind::Contact, Entity::new().with("NAME", "Новая"));
    running.bitrix24.edit(Kind::Contact, seed::contact_id(1), |entity| entity.set("NAME", "Другая"));
    let listed = |id: u64| json!({"filter": {"ID": id}});
    assert_eq!(ids(&call(&running, "crm.contact.list", listed(id)).await.1), Vec::<u64>::new());
    let old = call(&running, "crm.contact.list", listed(seed::contact_id(1))).await.1;
    assert_ne!(old["result"][0]["NAME"], json!("Другая"));
    assert_eq!(call(&running, "crm.contact.get", json!({"id": seed::contact_id(1)})).await.1["result"]["NAME"], json!("Другая"));
}

#[tokio::test]
async fn deals_rows_and_employees_come_in_their_mixed_types() {
    let running = running(60).await;
    let (_, won) = call(&running, "crm.deal.list", json!({"filter": {"STAGE_ID": "WON"}, "start": -1})).await;
    assert!(ids(&won).iter().all(|id| running.bitrix24.deals()[id].text("STAGE_ID") == "WON"));
    let (_, other) = call(&running, "crm.deal.list", json!({"filter": {"STAGE_ID": "C3:WON"}})).await;
    assert_eq!((ids(&other), &other["result"][0]["STAGE_SEMANTIC_ID"]), (vec![seed::deal_id(27)], &json!("S")));
    let (_, rows) = call(&running, "crm.deal.productrows.get", json!({"id": seed::deal_id(1)})).await;
    let row = &rows["result"][0];
    assert!(row["ID"].is_string() && row["PRODUCT_ID"].is_i64() && row["PRICE"].is_number() && row["PRICE_ACCOUNT"].is_string(), "{row}");
    assert!(row["PRODUCT_NAME"].as_str().unwrap().starts_with(' '));
    let (_, none) = call(&running, "crm.deal.productrows.get", json!({"id": seed::deal_id(2)})).await;
    assert_eq!(none["result"], json!([]));
    let (_, user) = call(&running, "user.get", json!({"ID": "9"})).await;
    assert_eq!((&user["result"][0]["ID"], &user["result"][0]["ACTIVE"], &user["total"]), (&json!("9"), &json!(true), &json!(1)));
    let (_, nobody) = call(&running, "user.get", json!({"FILTER": {"ID": [seed::NOBODY]}})).await;
    assert_eq!(nobody["result"], json!([]));
    let (_, fields) = call(&running, "crm.contact.fields", json!({})).await;
    assert_eq!(fields["result"][fields::BRANCH]["items"][0], json!({"ID": "48", "VALUE": "Гоголевский"}));
    assert!(running.bitrix24.drop_value(Kind::Contact, fields::BRANCH, 48) && running.bitrix24.drop_field(Kind::Deal, fields::PAYMENT));
    let (_, fields) = call(&running, "crm.contact.fields", json!({})).await;
    assert_eq!(fields["result"][fields::BRANCH]["items"].as_array().unwrap().len(), 2);
    assert!(call(&running, "crm.deal.fields", json!({})).await.1["result"].get(fields::PAYMENT).is_none());
}

#[tokio::test]
async fn trouble_is_scripted_and_people_drive_it_over_http() {
    let running = running(5).await;
    let desk = running.bitrix24.desk();
    desk.add_fault(Rule::new("user.get", 1, Fault::Redirect { status: 302, to: "http://other.example.test/".to_owned() }));
    desk.add_fault(Rule::new("user.get", 1, Fault::Text { status: 200, body: "{\"result\":[".to_owned() }));
    desk.add_fault(Rule::new("crm.contact.update", 1, Fault::Drop));
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let url = format!("{}user.get", running.bitrix24_webhook_url());
    let moved = client.get(&url).send().await.unwrap();
    assert_eq!((moved.status().as_u16(), moved.headers()["location"].to_str().unwrap()), (302, "http://other.example.test/"));
    let broken = client.get(&url).send().await.unwrap();
    assert_eq!((broken.status().as_u16(), broken.text().await.unwrap()), (200, "{\"result\":[".to_owned()));
    let update = format!("{}crm.contact.update", running.bitrix24_webhook_url());
    let body = json!({"id": seed::contact_id(1), "fields": {fields::STATUS: "Успешно"}});
    assert!(client.post(update).json(&body).send().await.is_err());
    assert_eq!(running.bitrix24.get(Kind::Contact, seed::contact_id(1)).unwrap().status(), "Успешно");

    let control = format!("{}{}", running.bitrix24_url, Handle::ROOT);
    let one = format!("{control}/contacts/{}", seed::contact_id(2));
    let patched = client.patch(&one).json(&json!({"NAME": "Анна", "PHONE": ["+79990000003"]})).send().await.unwrap();
    assert_eq!(patched.status(), 204);
    let contact = running.bitrix24.get(Kind::Contact, seed::contact_id(2)).unwrap();
    assert_eq!(
        (contact.text("NAME").as_str(), contact.phones[0].value.as_str(), contact.modified_by),
        ("Анна", "+79990000003", seed::PERSON)
    );
    assert_eq!(client.get(format!("{control}/contacts/1")).send().await.unwrap().status(), 404);
    let veto = json!({"kind": "contact", "id": seed::contact_id(2), "times": 1, "text": "Access denied"});
    assert_eq!(client.post(format!("{control}/veto")).json(&veto).send().await.unwrap().status(), 204);
    let (status, body) = call(&running, "crm.contact.update", json!({"id": seed::contact_id(2), "fields": {fields::STATUS: "x"}})).await;
    assert_eq!((status, &body["error"], &body["error_description"]), (400, &json!(""), &json!("Access denied")));
}
