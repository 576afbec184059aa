//! Owners, runs, replays, streams, links, reports.

use serde_json::{Value, json};

use super::World;
use crate::{
    api::{examples, fakes},
    domain::clock,
    engine::{
        model::*,
        ports::{ItemRow, Role},
    },
    fault::Code,
};

#[actix_web::test]
async fn who_acts_for_an_owner_sees_that_owner_only() {
    let world = World::new();
    let (own, _) = world.with_stream().await;
    let other = world.connection("seller:7").await;
    let seller = fakes::key(&world.memory, &world.service, Role::Operator, |key| key.delegate = true);
    let bound = fakes::key(&world.memory, &world.service, Role::Admin, |key| key.owner = Some("seller:42".into()));
    let other_flow = fakes::key(&world.memory, &world.service, Role::Admin, |key| key.flows = Some(vec!["bitrix24-otmechalka".into()]));
    let get = |id: &str, key: &str, owner: &'static str| {
        let request = World::request("GET", &format!("/connections/{id}"), key);
        if owner.is_empty() { request } else { request.insert_header(("x-on-behalf-of", owner)) }
    };
    for (key, owner) in [(seller.as_str(), "seller:42"), ("admin", "seller:42"), (&bound, "")] {
        assert_eq!(world.send(get(&own, key, owner)).await.status, 200);
        world.send(get(&other, key, owner)).await.is_problem(Code::NotFound);
    }
    // The header never widens, and is never ignored.
    world.send(get(&other, &bound, "seller:7")).await.is_problem(Code::NotFound);
    world.send(get(&own, &other_flow, "")).await.is_problem(Code::NotFound);
    for malformed in ["seller", "Seller:42", "seller:", "seller:4 2", "seller:42,seller:7", ":42", "seller:42'"] {
        world.send(get(&own, "admin", malformed)).await.is_problem(Code::InvalidHeader);
    }
    let mut body = examples::request("create_connection").unwrap();
    body["owner"] = json!("seller:7");
    world.send(World::request("POST", "/connections", &bound).set_json(&body)).await.is_problem(Code::Forbidden);
    let list = world.send(World::request("GET", "/connections", &bound)).await;
    assert_eq!(list.json()["items"].as_array().unwrap().len(), 1);
    let start = json!({"connection": other, "stream": examples::STREAM});
    let foreign = world.send(World::request("POST", "/sync/billz-opencart", &bound).set_json(start)).await;
    assert_eq!(foreign.is_problem(Code::NotFound)["errors"][0]["pointer"], "/connection");
}

#[actix_web::test]
async fn a_run_is_started_once_followed_and_settled() {
    let world = World::new();
    let (id, stream) = world.with_stream().await;
    let start = |body: Value| world.call("POST", "/sync/billz-opencart", Some(body));
    let first = start(json!({"connection": id, "stream": stream})).await;
    assert_eq!(first.status, 202, "{}", first.text);
    let run = first.json();
    let uri = first.header("location").to_owned();
    assert_eq!(uri, format!("/sync/runs/{}", run["id"].as_str().unwrap()));
    assert_eq!(
        (run["state"].as_str(), run["mode"].as_str(), run["whole"].is_null(), run["dry_run"].as_bool()),
        (Some("queued"), Some("incremental"), true, Some(false))
    );
    assert_eq!(start(json!({"connection": id, "stream": stream})).await.is_problem(Code::StreamBusy)["run"], uri.as_str());
    assert_eq!(start(json!({"connection": id, "stream": stream, "dry_run": true})).await.status, 202);
    for (body, pointer) in [
        (json!({"connection": id, "stream": stream, "mode": "half"}), "/mode"),
        (json!({"connection": id, "stream": stream, "items": []}), "/items"),
        (json!({"connection": id, "stream": stream, "items": ["a", ""]}), "/items/1"),
        (json!({"connection": id, "stream": stream, "items": vec!["a"; 1_001]}), "/items"),
        (json!({"connection": id}), "/stream"),
    ] {
        let got = start(body).await;
        got.is_problem(Code::ValidationFailed);
        assert_eq!(got.pointers(), [pointer]);
    }
    assert_eq!(start(json!({"connection": id, "stream": "none"})).await.is_problem(Code::NotFound)["errors"][0]["pointer"], "/stream");
    let other = world.call("POST", "/sync/bitrix24-otmechalka", Some(json!({"connection": id, "stream": stream}))).await;
    assert_eq!((other.is_problem(Code::ValidationFailed), other.pointers()).1, ["/connection"]);
    assert_eq!(world.call("PATCH", &format!("/connections/{id}/streams/{stream}"), Some(json!({"enabled": false}))).await.status, 200);
    assert_eq!(start(json!({"connection": id, "stream": stream})).await.pointers(), ["/stream"]);

    world.call("POST", &format!("{uri}/approve"), None).await.is_problem(Code::NotAwaiting);
    let list = world.call("GET", "/sync/runs?limit=1", None).await.json();
    let next = list["next_cursor"].as_str().unwrap();
    let rest = world.call("GET", &format!("/sync/runs?limit=1&cursor={next}"), None).await.json();
    assert_eq!((rest["items"][0]["id"].clone(), rest["next_cursor"].is_null()), (run["id"].clone(), true));
    assert_eq!(world.call("POST", &format!("{uri}/cancel"), None).await.json()["state"], "cancelled");
    world.call("POST", &format!("{uri}/cancel"), None).await.is_problem(Code::NotAwaiting);
    world.memory.runs.lock().unwrap()[1].state = State::AwaitingApproval;
    let waiting = format!("/sync/runs/{}", world.memory.runs.lock().unwrap()[1].id.clone());
    assert_eq!(world.call("POST", &format!("{waiting}/reject"), Some(json!({}))).await.status, 202);
}

#[actix_web::test]
async fn a_repeated_request_gets_its_first_answer() {
    let world = World::new();
    let (id, stream) = world.with_stream().await;
    let body = json!({"connection": id, "stream": stream});
    let send = |key: &'static str, owner: &'static str, body: &Value| {
        let request = World::request("POST", "/sync/billz-opencart", "admin").insert_header(("idempotency-key", key)).set_json(body);
        if owner.is_empty() { request } else { request.insert_header(("x-on-behalf-of", owner)) }
    };
    let first = world.send(send("k1", "", &body)).await;
    let again = world.send(send("k1", "", &body)).await;
    assert_eq!((again.status, &again.text, again.header("location")), (202, &first.text, first.header("location")));
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), ("", "true"));
    world.send(send("k1", "", &json!({"connection": id, "stream": stream, "mode": "full"}))).await.is_problem(Code::IdempotencyMismatch);
    // Another owner is another scope.
    world.send(send("k1", "seller:42", &body)).await.is_problem(Code::StreamBusy);
    world.send(send("k2", "", &body)).await.is_problem(Code::StreamBusy);
    world
        .send(World::request("POST", "/sync/billz-opencart", "admin").insert_header(("idempotency-key", "k".repeat(256))).set_json(&body))
        .await
        .is_problem(Code::InvalidHeader);
    assert_eq!(world.memory.runs.lock().unwrap().len(), 1);

    let post = || {
        World::request("POST", "/connections", "admin")
            .insert_header(("idempotency-key", "c"))
            .set_json(examples::request("create_connection").unwrap())
    };
    let (made, same) = (world.send(post()).await, world.send(post()).await);
    assert_eq!(
        (made.status, made.json()["id"].clone(), made.header("location")),
        (same.status, same.json()["id"].clone(), same.header("location"))
    );
}

#[actix_web::test]
async fn streams_with_fixed_names_come_and_stay_with_their_connection() {
    let world = World::new();
    let got =
        world.call("POST", "/connections", Some(json!({"flow": "bitrix24-otmechalka", "name": "B", "secrets": {"secret": "s"}}))).await;
    let uri = format!("/connections/{}/streams", got.json()["id"].as_str().unwrap());
    let streams = world.call("GET", &uri, None).await.json();
    assert_eq!(
        streams["items"].as_array().unwrap().iter().map(|row| row["stream"].as_str().unwrap()).collect::<Vec<_>>(),
        ["contacts", "deals"]
    );
    assert!(streams["items"][0].as_object().unwrap().contains_key("next_run_at"));
    world.call("POST", &uri, Some(json!({"stream": "more"}))).await.is_problem(Code::ValidationFailed);
    world.call("DELETE", &format!("{uri}/deals"), None).await.is_problem(Code::InUse);
    let cursor = world.call("PATCH", &format!("{uri}/deals"), Some(json!({"cursor": "2026-01-01T03:00:00+03:00"}))).await;
    assert_eq!(cursor.json()["cursor"], "2026-01-01T00:00:00Z");
    assert_eq!(world.call("PATCH", &format!("{uri}/deals"), Some(json!({"cursor": "soon"}))).await.pointers(), ["/cursor"]);

    let (id, _) = world.with_stream().await;
    let uri = format!("/connections/{id}/streams");
    let odd = world.call("POST", &uri, Some(json!({"stream": "склад/1 %"}))).await;
    let location = odd.header("location").to_owned();
    assert_eq!(world.call("GET", &location, None).await.json()["stream"], "склад/1 %", "{location}");
    assert_eq!(world.call("DELETE", &location, None).await.status, 204);
    world.call("POST", &uri, examples::request("create_stream")).await.is_problem(Code::InUse);
    assert_eq!(world.call("POST", &uri, Some(json!({"stream": "bad"}))).await.pointers(), ["/stream"]);
}

fn question(source: &str, state: LinkState, candidates: &[&str]) -> Link {
    Link {
        source: source.into(),
        name: "T-shirt".into(),
        state,
        target: candidates.first().filter(|_| candidates.len() == 1).map(|target| (*target).to_owned()),
        witness: None,
        candidates: candidates
            .iter()
            .map(|target| Candidate { target: (*target).into(), name: "T".into(), matched: vec!["sku=1".into()] })
            .collect(),
        origin: "proposed".into(),
        written: Values::new(),
        source_seen_at: None,
        undone: Default::default(),
        run: None,
        linked_at: None,
        updated_at: clock::now(),
    }
}

#[actix_web::test]
async fn questions_are_answered_and_links_hold_the_connection() {
    let world = World::new();
    let (id, _) = world.with_stream().await;
    let space = world.memory.connections.lock().unwrap()[0].link_space.clone();
    for link in [question("one", LinkState::Proposed, &["50"]), question("two", LinkState::Ambiguous, &["50", "51"])] {
        world.memory.links.lock().unwrap().insert((space.clone(), link.source.clone()), link);
    }
    let uri = format!("/connections/{id}/links");
    let confirm = |source: &str, body: Option<Value>| {
        let path = format!("{uri}/{source}/confirm");
        let world = &world;
        async move { world.call("POST", &path, body).await }
    };
    assert_eq!(
        world.call("GET", &format!("{uri}?state=ambiguous"), None).await.json()["items"][0]["candidates"].as_array().unwrap().len(),
        2
    );
    let linked = confirm("one", None).await;
    assert_eq!(
        (linked.json()["state"].as_str(), linked.json()["target"].as_str(), linked.json()["origin"].as_str()),
        (Some("linked"), Some("50"), Some("confirmed"))
    );
    assert_eq!(confirm("one", None).await.status, 200);
    confirm("one", Some(json!({"target": "51"}))).await.is_problem(Code::NotAwaiting);
    assert_eq!(confirm("two", None).await.pointers(), ["/target"]);
    assert_eq!(confirm("two", Some(json!({"target": "99"}))).await.pointers(), ["/target"]);
    confirm("two", Some(json!({"target": "50"}))).await.is_problem(Code::InUse);
    assert_eq!(confirm("two", Some(json!({"target": "51"}))).await.status, 200);
    assert_eq!(world.memory.links.lock().unwrap()[&(space.clone(), "two".to_owned())].witness.as_deref(), Some("w"));

    let connection = format!("/connections/{id}");
    world.call("PATCH", &connection, Some(json!({"settings": {"address": "elsewhere"}}))).await.is_problem(Code::InUse);
    world.call("PATCH", &connection, Some(json!({"owner": "seller:7"}))).await.is_problem(Code::InUse);
    assert_eq!(world.call("DELETE", &format!("{uri}/one"), None).await.status, 204);
    world.call("DELETE", &format!("{uri}/one"), None).await.is_problem(Code::NotFound);
    assert_eq!(world.call("PUT", &format!("{uri}/fresh%2Fkey"), Some(json!({"target": "50"}))).await.json()["source"], "fresh/key");
    // A successor between the same accounts adopts the links; the one exception sets them aside.
    let successor = world.connection("seller:42").await;
    assert_eq!(world.call("GET", &format!("/connections/{successor}/links"), None).await.json()["items"].as_array().unwrap().len(), 2);
    world.memory.connections.lock().unwrap().iter_mut().for_each(|row| row.settings["api"] = json!("billz1"));
    assert_eq!(world.call("PATCH", &connection, Some(json!({"settings": {"api": "billz2", "address": null}}))).await.status, 200);
}

#[actix_web::test]
async fn items_speak_the_language_of_the_caller() {
    let world = World::new();
    let (id, stream) = world.with_stream().await;
    let run =
        world.call("POST", "/sync/billz-opencart", Some(json!({"connection": id, "stream": stream}))).await.header("location").to_owned();
    let body = NewChange {
        source: "s1".into(),
        name: "T-shirt".into(),
        target: Some("50".into()),
        witness: None,
        op: Op::Update,
        fields: vec![FieldChange {
            field: "quantity".into(),
            old: Some(json!(1)),
            new: json!(2),
            rule: Reason::new("stock_selected").with("shop", "S").with("value", 2),
        }],
        reason: Reason::new("changed"),
        outcome: Outcome::Updated,
        state: ChangeState::Applied,
        undo: "restore".into(),
        link_origin: None,
        source_seen_at: clock::now(),
        risks: 0,
        keep: Default::default(),
    };
    world.memory.items.lock().unwrap().push(ItemRow { id: 1, body, state: ChangeState::Applied, outcome: Outcome::Updated });
    let items = |lang: &'static str, query: &str| {
        world.send(World::request("GET", &format!("{run}/items{query}"), "admin").insert_header(("accept-language", lang)))
    };
    let russian = items("ru-RU", "?outcome=updated").await;
    assert_eq!(russian.header("content-language"), "ru");
    assert_eq!(russian.json()["items"][0]["reason"], json!({"code": "changed", "text": "Данные товара изменились."}));
    let english = items("de", "").await.json();
    assert_eq!(
        english["items"][0]["changes"][0],
        json!({"field": "quantity", "old": 1, "new": 2, "rule": "stock_selected", "rule_text": "Stock of the shop “S”: 2."})
    );
    assert!(items("uk", "?outcome=failed").await.json()["items"].as_array().unwrap().is_empty());
}
