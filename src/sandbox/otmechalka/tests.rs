//! The simulator by the sheet, over real HTTP.

use serde_json::{Value, json};

use super::{
    super::{
        Options, Running,
        desk::{Fault, Rule},
        simulator::Simulator,
        start,
    },
    Handle, IdsAs, OnDuplicate, Shape, Switches, Unknown,
};

async fn running() -> Running {
    start(Options::default()).await.expect("a sandbox")
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client")
}

async fn post(running: &Running, path: &str, body: &Value) -> (u16, String) {
    let request = client().post(format!("{}{path}", running.otmechalka_url)).header("x-api-key", Switches::default().auth_value);
    let answer = request.json(body).send().await.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("a body"))
}

async fn get(running: &Running, path: &str) -> (u16, String) {
    let request = client().get(format!("{}{path}", running.otmechalka_url)).header("x-api-key", Switches::default().auth_value);
    let answer = request.send().await.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("a body"))
}

fn json_of(body: &str) -> Value {
    serde_json::from_str(body).expect("JSON")
}

/// The proposal's sample.
fn pupil(origin: &str) -> Value {
    json!({"origin_id": origin, "last_name": "Тестов", "first_name": "Ученик", "phone": "79261234567", "email": "parent@example.test",
        "courses": ["10985", "10986"], "branchoffices": ["2633"], "birthdate": "2009-11-29", "gender": "M", "additional_data": "Тестов Родитель"})
}

fn ticket(origin: &str, client: &str) -> Value {
    json!({"origin_id": origin, "client_origin_id": client, "ticket_type": "6 КМС индивидуальные 45 мин", "price_initial": "9000.00",
        "discount": "300.00", "price_final": "8700.00", "selling_date": "2020-12-13", "selling_branchoffice": "2633",
        "employee": "Имя Примерный", "payment_method": "ONLINE"})
}

#[tokio::test]
async fn the_five_calls_of_the_proposal() {
    let running = running().await;
    assert_eq!(get(&running, "/api/clients/39558/").await.0, 404);
    let (status, made) = post(&running, "/api/clients/", &pupil("39558")).await;
    let id = json_of(&made)["id"].as_u64().expect("a number");
    assert!(status == 200 && id > u64::from(u32::MAX), "{made}");
    assert_eq!(json_of(&get(&running, "/api/clients/39558/").await.1)["id"], json!(id));
    let mut changed = pupil("39558");
    (changed["courses"], changed["branchoffices"]) = (json!(["10987"]), json!(["2634"]));
    assert_eq!(post(&running, "/api/clients/39558/", &changed).await.0, 200);
    let kept = running.otmechalka.clients_of("39558");
    assert_eq!((kept.len(), kept[0].id, kept[0].changes), (1, id, 1));
    assert_eq!(kept[0].groups, ["Групповые занятия / + ЦДШ `МСК / 1", "Групповые занятия / + ЦДШ `МСК / 2"]);
    assert_eq!(post(&running, "/api/tickets/", &ticket("96038", "39558")).await.0, 200);
    let found = json_of(&get(&running, "/api/tickets/96038/").await.1);
    assert_eq!((&found["price_final"], &found["client_origin_id"]), (&json!("8700.00"), &json!("39558")));
    running.otmechalka.set_switches(|switches| switches.ids_as_text = true);
    assert!(json_of(&get(&running, "/api/tickets/96038/").await.1)["id"].is_string());
}

#[tokio::test]
async fn creating_twice_makes_two_unless_switched() {
    let running = running().await;
    for _ in 0..2 {
        post(&running, "/api/clients/", &pupil("1")).await;
    }
    assert_eq!(running.otmechalka.doubles(), ["client 1 x2"]);
    running.otmechalka.set_switches(|switches| switches.on_duplicate = OnDuplicate::Conflict);
    assert_eq!(post(&running, "/api/clients/", &pupil("1")).await.0, 409);
    running.otmechalka.set_switches(|switches| switches.on_duplicate = OnDuplicate::First);
    let (status, first) = post(&running, "/api/clients/", &pupil("1")).await;
    assert_eq!((status, &json_of(&first)["id"]), (200, &json!(running.otmechalka.clients()[0].id)));
    assert_eq!(running.otmechalka.clients().len(), 2);
    let page = reqwest::get(format!("{}{}/", running.otmechalka_url, Handle::ROOT)).await.unwrap().text().await.unwrap();
    assert_eq!(page.matches("class=\"double\"").count(), 2);
}

#[tokio::test]
async fn bad_bodies_are_refused_in_every_shape() {
    let running = running().await;
    for (field, value) in [
        ("phone", json!("+7 926 1234567")),
        ("courses", json!(["Он-лайн Групповое"])),
        ("branchoffices", json!(["9"])),
        ("birthdate", json!("29.11.2009")),
        ("first_name", json!("")),
        ("gender", json!("x")),
    ] {
        let mut body = pupil("1");
        body[field] = value;
        let (status, text) = post(&running, "/api/clients/", &body).await;
        assert!(status == 400 && json_of(&text)[field][0].is_string(), "{field}: {text}");
    }
    let mut body = pupil("1");
    body["phone"] = json!("1");
    for (shape, sign) in [
        (Shape::Detail, "{\"detail\":\"phone:"),
        (Shape::Errors, "{\"errors\":[{\"field\":\"phone\""),
        (Shape::Message, "{\"message\":\"phone:"),
        (Shape::Text, "phone: Введите"),
        (Shape::Html, "<html><body><p>phone:"),
    ] {
        running.otmechalka.set_switches(|switches| switches.error_shape = shape);
        let (status, text) = post(&running, "/api/clients/", &body).await;
        assert!(status == 400 && text.starts_with(sign), "{text}");
    }
    assert_eq!(running.otmechalka.clients().len(), 0);
}

#[tokio::test]
async fn a_ticket_needs_its_client_its_type_and_prices_with_two_decimals() {
    let running = running().await;
    running.otmechalka.set_switches(|switches| switches.error_shape = Shape::Fields);
    let (status, text) = post(&running, "/api/tickets/", &ticket("2", "1")).await;
    assert!(status == 400 && json_of(&text)["client_origin_id"][0].is_string(), "{text}");
    post(&running, "/api/clients/", &pupil("1")).await;
    for (field, value) in [
        ("ticket_type", " 6 КМС индивидуальные 45 мин"),
        ("price_final", "8700"),
        ("selling_branchoffice", "1"),
        ("payment_method", "CARD"),
        ("selling_date", "13.12.2020"),
    ] {
        let mut body = ticket("2", "1");
        body[field] = json!(value);
        let (status, text) = post(&running, "/api/tickets/", &body).await;
        assert!(status == 400 && json_of(&text)[field][0].is_string(), "{field}: {text}");
    }
    assert_eq!(running.otmechalka.tickets().len(), 0);
    running.otmechalka.set_ticket_types(vec![" 6 КМС".to_owned()]);
    assert_eq!(post(&running, "/api/tickets/", &ticket("2", "1")).await.0, 400);
}

#[tokio::test]
async fn slashes_keys_and_wrong_bases() {
    let running = running().await;
    let answer = client().get(format!("{}/api/clients/1", running.otmechalka_url)).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["location"].to_str().unwrap()), (301, "/api/clients/1/"));
    running.otmechalka.set_switches(|switches| switches.slash = false);
    let (status, text) = get(&running, "/api/clients/1").await;
    assert!(status == 404 && text.contains("<html>"));
    assert_eq!(client().get(format!("{}/api/clients/1/", running.otmechalka_url)).send().await.unwrap().status(), 401);
    running.otmechalka.set_switches(|switches| (switches.auth_header, switches.base_path) = (None, "/school".to_owned()));
    assert!(get(&running, "/api/clients/1/").await.1.contains("<html>"));
    let (status, text) = get(&running, "/school/api/clients/1/").await;
    assert!(status == 404 && json_of(&text)["detail"].is_string());
    for (unknown, body) in [(Unknown::Null, "null"), (Unknown::EmptyObject, "{}"), (Unknown::EmptyList, "[]")] {
        running.otmechalka.set_switches(|switches| switches.unknown = unknown);
        assert_eq!(get(&running, "/school/api/clients/1/").await, (200, body.to_owned()));
    }
}

#[tokio::test]
async fn the_limit_of_active_visitors_counts_no_archived_ones() {
    let running = running().await;
    running.otmechalka.set_switches(|switches| switches.active_limit = 3);
    running.otmechalka.fill(3);
    let (status, text) = post(&running, "/api/clients/", &pupil("1")).await;
    assert!(status == 400 && text.contains("не более 3 активных"), "{text}");
    assert!(running.otmechalka.archive("desk-1"));
    assert_eq!(post(&running, "/api/clients/", &pupil("1")).await.0, 200);
}

#[tokio::test]
async fn a_lost_answer_a_late_lookup_and_names_instead_of_ids() {
    let running = running().await;
    running.otmechalka.desk().add_fault(Rule::new("/api/clients/", 1, Fault::Drop));
    let request = client().post(format!("{}/api/clients/", running.otmechalka_url)).header("x-api-key", Switches::default().auth_value);
    assert!(request.json(&pupil("1")).send().await.is_err());
    assert_eq!(running.otmechalka.clients_of("1").len(), 1);
    running.otmechalka.set_switches(|switches| switches.lookup_lag_ms = 600_000);
    assert_eq!(get(&running, "/api/clients/1/").await.0, 404);
    running.otmechalka.set_switches(|switches| (switches.lookup_lag_ms, switches.ids_as, switches.rate) = (0, IdsAs::Name, None));
    assert_eq!(get(&running, "/api/clients/1/").await.0, 200);
    assert_eq!(post(&running, "/api/clients/", &pupil("2")).await.0, 400);
    let mut named = pupil("2");
    (named["courses"], named["branchoffices"]) = (json!(["Групповые занятия"]), json!(["+ СКОЛКОВО `МСК *"]));
    assert_eq!(post(&running, "/api/clients/", &named).await.0, 200);
    named["branchoffices"] = json!(["+ СКОЛКОВО `МСК"]);
    assert_eq!(post(&running, "/api/clients/", &named).await.0, 400);
    let statuses: Vec<u16> = running.otmechalka.writes().iter().map(|write| write.status).collect();
    assert_eq!(statuses, [200, 400, 200, 400]);
}

#[tokio::test]
async fn too_many_in_a_second_are_429() {
    // A second of a hundred seconds, so that a slow machine is fast enough.
    let running = start(Options { time_factor: 0.01, ..Options::default() }).await.expect("a sandbox");
    running.otmechalka.set_switches(|switches| switches.rate = Some(2));
    let statuses =
        [get(&running, "/api/clients/2/").await.0, get(&running, "/api/clients/2/").await.0, get(&running, "/api/clients/2/").await.0];
    assert_eq!((statuses, running.otmechalka.desk().requests().limited), ([404, 404, 429], 1));
}
