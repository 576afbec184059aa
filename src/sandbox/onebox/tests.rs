//! The simulator by the sheet, over real HTTP.

use std::sync::{Arc, Mutex};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::{Value, json};

use super::{
    super::{
        Options, Running,
        desk::{Fault, Rule},
        simulator::Simulator,
        start,
    },
    Action, BodyRoot, Contact, Errors, Form, Handle, IdForm, Switches, Unresolved,
};

async fn running() -> Running {
    start(Options { onebox: Switches { id_form: IdForm::Int, ..Switches::default() }, ..Options::default() }).await.expect("a sandbox")
}

async fn post(running: &Running, path: &str, token: &str, body: &Value) -> (u16, Value) {
    let request = reqwest::Client::new().post(format!("{}/api/v2/{path}", running.onebox_url)).header("token", token);
    let answer = request.json(body).send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

async fn token(running: &Running) -> String {
    let body = json!({"login": "okl-bot", "restapipassword": "demo-onebox-password"});
    let (status, body) = post(running, "token/get/", "", &body).await;
    assert_eq!((status, &body["status"]), (200, &json!(1)));
    body["dataArray"]["token"].as_str().expect("a token").to_owned()
}

/// The sheet's example.
fn order(number: u64) -> Value {
    json!({"externalid": format!("okl-{number}"), "name": format!("OK Living {number}"), "workflowid": 9, "statusid": 54, "sourceid": 12,
        "date": "2026-03-14 11:32:07", "clientname": "Тестова Отримувачка", "clientphone": "380670000001", "clientaddress": "м. Львів, Відділення №12",
        "client": {"namelast": "Тестовий", "name": "Покупець", "phones": [format!("38050{number:07}")], "email": "buyer@example.com",
            "externalid": format!("okl-c-{number}"), "findbyArray": ["externalid", "phone"], "addnewphone": false},
        "customfields": {"OklOrderId": number.to_string()},
        "products": [{"name": "Плед", "count": 2, "price": 799.50,
            "productinfo": {"name": "Плед", "articul": "PL-150-GR", "externalid": "okl-p-881", "findbyArray": ["externalid"]}}]})
}

async fn set(running: &Running, token: &str, body: Value) -> (u16, Value) {
    post(running, "order/set/", token, &json!([body])).await
}

#[tokio::test]
async fn an_expired_token_is_a_400_that_says_so_in_every_form() {
    let running = running().await;
    let (status, body) = post(&running, "token/get/", "", &json!({"login": "okl-bot", "restapipassword": "no"})).await;
    assert_eq!((status, &body["status"]), (400, &json!(0)));
    let token = token(&running).await;
    assert_eq!(post(&running, "workflow/get/", &token, &json!({})).await.1["dataArray"][0]["statuses"][0]["id"], json!(54));
    running.onebox.expire_tokens();
    let text = "token in header not found";
    for (errors, expected) in
        [(Errors::List, json!([text])), (Errors::Map, json!({"token": text})), (Errors::Objects, json!([{"message": text}]))]
    {
        running.onebox.set_switches(|switches| switches.errors = errors);
        let (status, body) = post(&running, "order/get/", &token, &json!({})).await;
        assert_eq!((status, &body["status"], &body["errorArray"]), (400, &json!(0), &expected));
    }
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let bare = client.post(format!("{}/api/v2/order/set", running.onebox_url)).send().await.unwrap();
    assert_eq!((bare.status().as_u16(), bare.headers()["location"].to_str().unwrap()), (301, "/api/v2/order/set/"));
}

#[tokio::test]
async fn the_body_is_an_array_or_an_object_with_numbers_as_the_box_wants() {
    let running = running().await;
    let token = token(&running).await;
    let indexed = json!({"0": order(1)});
    let (status, body) = post(&running, "order/set/", &token, &indexed).await;
    assert_eq!((status, &body["errorArray"][0]), (400, &json!("first element of processes array missing")));
    running.onebox.set_switches(|switches| switches.body_root = BodyRoot::IndexedObject);
    assert_eq!(set(&running, &token, order(1)).await.0, 400);
    assert!(running.onebox.orders().is_empty());
    assert_eq!(post(&running, "order/set/", &token, &indexed).await.0, 200);
    assert_eq!(running.onebox.orders().len(), 1);
}

#[tokio::test]
async fn orders_are_upserted_by_externalid_and_stages_in_updates_reset_them() {
    let running = running().await;
    let token = token(&running).await;
    let mut without = order(1);
    without.as_object_mut().unwrap().remove("statusid");
    assert_eq!(set(&running, &token, without.clone()).await.0, 400);
    let (status, made) = set(&running, &token, order(1)).await;
    let id = made["dataArray"][0].as_u64().unwrap();
    assert_eq!(status, 200);
    assert!(running.onebox.move_to(id, 57));
    // An update without a stage leaves it where it is.
    without["clientphone"] = json!("380670000003");
    without.as_object_mut().unwrap().remove("products");
    assert_eq!(set(&running, &token, without).await.1["dataArray"], json!([id]));
    let kept = running.onebox.orders()[&id].clone();
    assert_eq!((kept.status, kept.client_phone.as_str(), kept.sets), (57, "380670000003", 2));
    // With one it goes back to the start, and its lines are there twice.
    set(&running, &token, order(1)).await;
    let reset = running.onebox.orders()[&id].clone();
    assert_eq!((reset.status, reset.stages, reset.lines.len()), (54, vec![54, 57, 54], 2));
    let mut replacing = json!({"orderid": id.to_string(), "deletenotupdatedproducts": true});
    replacing["products"] = order(1)["products"].clone();
    set(&running, &token, replacing).await;
    let line = running.onebox.orders()[&id].lines.clone();
    assert_eq!(
        (line.len(), line[0].count.as_str(), line[0].price.parse::<rust_decimal::Decimal>().unwrap()),
        (1, "2", rust_decimal::Decimal::new(7995, 1))
    );
    assert_eq!(set(&running, &token, json!({"orderid": 5})).await.0, 400);
    assert_eq!(running.onebox.doubles(), Vec::<String>::new());
}

#[tokio::test]
async fn contacts_and_products_double_or_clash_without_a_lookup() {
    let running = running().await;
    let token = token(&running).await;
    set(&running, &token, order(1)).await;
    // Found by its external id: the same card, and no phone is added.
    let mut again = order(2);
    again["client"]["externalid"] = json!("okl-c-1");
    set(&running, &token, again).await;
    assert_eq!(running.onebox.contacts().len(), 2);
    // Names alone make a card each time.
    for number in [3, 4] {
        let mut nameless = order(number);
        nameless["client"] = json!({"name": "Покупець", "namelast": "Тестовий"});
        set(&running, &token, nameless).await;
    }
    assert_eq!(running.onebox.contacts().len(), 4);
    // Another form of a number is not found, yet it is taken.
    running.onebox.add_contact(Contact { phones: vec!["+38 (050) 000-00-05".to_owned()], ..Contact::default() });
    let (status, body) = set(&running, &token, order(5)).await;
    assert!(status == 400 && body["errorArray"][0].as_str().unwrap().contains("#12903"), "{body}");
    assert_eq!(running.onebox.by_externalid("okl-5").len(), 0);
    let found =
        post(&running, "contact/get/", &token, &json!({"filter": {"phones": ["380500000005"]}, "fields": ["id", "phones"]})).await.1;
    let found: Vec<u64> = found["dataArray"].as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect();
    // Too wide: the default contact is among them.
    assert!(found.contains(&1) && found.len() == 2, "{found:?}");
    let mut linked = order(5);
    linked["client"] = json!({"userid": found[1]});
    assert_eq!(set(&running, &token, linked).await.0, 200);
    let mut blind = order(6);
    blind["products"][0]["productinfo"].as_object_mut().unwrap().remove("findbyArray");
    let (status, body) = set(&running, &token, blind).await;
    assert_eq!((status, &body["errorArray"][0]), (400, &json!("duplicate product external id")));
    assert_eq!(running.onebox.by_externalid("okl-6").len(), 0);
    let product = json!([{"name": "Плед", "articul": "PL-150-GR", "findbyArray": ["articul"]}]);
    assert_eq!(post(&running, "product/set/", &token, &product).await.0, 400);
    let got = post(&running, "product/get/", &token, &json!({"filter": {"articul": "PL-150-GR"}, "fields": ["id", "articul"]})).await.1;
    assert_eq!(got["dataArray"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn lost_answers_late_reads_and_empty_successes() {
    let running = running().await;
    let token = token(&running).await;
    running.onebox.desk().add_fault(Rule::new("order/set", 1, Fault::Drop));
    let request = reqwest::Client::new().post(format!("{}/api/v2/order/set/", running.onebox_url)).header("token", &token);
    assert!(request.json(&json!([order(1)])).send().await.is_err());
    assert_eq!(running.onebox.by_externalid("okl-1").len(), 1);
    let question = json!({"filter": {"externalid": ["okl-1"]}, "fields": ["id", "externalid", "statusid"], "limit": 10});
    running.onebox.set_switches(|switches| switches.get_lag_ms = 600_000);
    assert_eq!(post(&running, "order/get/", &token, &question).await.1, json!({"status": 1, "dataArray": []}));
    running.onebox.set_switches(|switches| (switches.get_lag_ms, switches.id_form) = (0, IdForm::Mixed));
    let forms: Vec<bool> = [
        post(&running, "order/get/", &token, &question).await.1["dataArray"][0]["id"].is_string(),
        post(&running, "order/get/", &token, &question).await.1["dataArray"][0]["id"].is_string(),
    ]
    .into();
    assert_ne!(forms[0], forms[1]);
    // Only what was asked for comes; without a list it is id and name.
    let bare = post(&running, "order/get/", &token, &json!({"filter": {"externalid": "okl-1"}})).await.1;
    assert_eq!(bare["dataArray"][0].as_object().unwrap().keys().collect::<Vec<_>>(), ["id", "name"]);
    running.onebox.set_switches(|switches| switches.empty_answers = 1);
    assert_eq!(set(&running, &token, order(2)).await.1, json!({"status": 1, "dataArray": []}));
    assert_eq!(running.onebox.by_externalid("okl-2").len(), 1);
    running.onebox.set_switches(|switches| switches.custom_fields = Some(vec!["Known".to_owned()]));
    let mut custom = order(3);
    custom["customorder_Known"] = json!("x");
    set(&running, &token, custom).await;
    assert_eq!(running.onebox.by_externalid("okl-3")[0].custom.keys().collect::<Vec<_>>(), ["Known"]);
}

/// A receiver that notes what came.
struct Receiver {
    url: String,
    came: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    fn start() -> Self {
        let came = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&came);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let app = move || {
                    let noted = Arc::clone(&noted);
                    App::new().default_service(web::to(move |request: HttpRequest, body: web::Bytes| {
                        let kind = request.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or("-").to_owned();
                        let kind = kind.split(';').next().unwrap_or_default().to_owned();
                        let text = format!("{} {} {kind} {}", request.method(), request.uri(), String::from_utf8_lossy(&body));
                        noted.lock().unwrap().push(text);
                        std::future::ready(HttpResponse::Ok().body("noted"))
                    }))
                };
                HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap().run().await.unwrap();
            });
        });
        Self { url, came }
    }

    fn came(&self) -> Vec<String> {
        self.came.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn stage_actions_call_out_in_every_form_on_creation_too() {
    let running = running().await;
    let receiver = Receiver::start();
    let token = token(&running).await;
    let fields = |pairs: &[(&str, &str)]| pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect::<Vec<_>>();
    let action = |key: &str, stage: Option<u64>, method: &str, body: Form| Action {
        key: key.to_owned(),
        stage,
        url: format!("{}?do={key}", receiver.url),
        method: method.to_owned(),
        body,
        fields: fields(&[("orderid", "{|$orderid|}"), ("ttn", "{|$deliveryNote|}"), ("comment", "{|$comments|}")]),
    };
    running.onebox.set_actions(vec![
        action("start", Some(54), "GET", Form::Query),
        action("ship", Some(57), "POST", Form::Form),
        action("json", None, "POST", Form::Json),
        action("parts", None, "POST", Form::Multipart),
    ]);
    let id = set(&running, &token, order(1)).await.1["dataArray"][0].as_u64().unwrap();
    running.onebox.hooks_idle().await;
    let literal = "ttn=%7B%7C%24deliveryNote%7C%7D&comment=%7B%7C%24comments%7C%7D";
    assert_eq!(receiver.came(), [format!("GET /hook?do=start&orderid={id}&{literal} - ")]);
    running.onebox.edit(id, |order| (order.delivery_note, order.comments) = ("20450000000000".to_owned(), "В'яч".to_owned()));
    running.onebox.set_switches(|switches| (switches.hook_times, switches.unresolved) = (2, Unresolved::Empty));
    assert!(running.onebox.move_to(id, 57));
    running.onebox.hooks_idle().await;
    let shipped = format!(
        "POST /hook?do=ship application/x-www-form-urlencoded orderid={id}&ttn=20450000000000&comment=%D0%92%26%23039%3B%D1%8F%D1%87"
    );
    assert_eq!(receiver.came()[1..], [shipped.clone(), shipped]);
    // Kept back and sent the other way round.
    running.onebox.set_switches(|switches| (switches.hook_times, switches.hooks_held, switches.hooks_reversed) = (1, true, true));
    assert!(running.onebox.press(id, "json") && running.onebox.press(id, "parts") && !running.onebox.press(id, "nobody"));
    assert_eq!((receiver.came().len(), running.onebox.state().hooks_waiting), (3, 2));
    running.onebox.release_hooks();
    running.onebox.hooks_idle().await;
    let last: Vec<String> = receiver.came()[3..].to_vec();
    assert!(
        last[0].starts_with("POST /hook?do=parts multipart/form-data --") && last[0].contains("name=\"ttn\"\r\n\r\n20450000000000\r\n"),
        "{last:?}"
    );
    let body: Value = serde_json::from_str(last[1].strip_prefix("POST /hook?do=json application/json ").unwrap()).unwrap();
    assert_eq!(body, json!({"orderid": id.to_string(), "ttn": "20450000000000", "comment": "В&#039;яч"}));
    let fired = running.onebox.hooks();
    assert!(fired.iter().all(|hook| (hook.status, hook.answer.as_str()) == (200, "noted")) && fired.len() == 5);
    // Nobody there: it is sent once, and that was that. Not our receiver, told to
    // stop: it may still answer on a connection that is kept alive.
    let mut unheard = action("unheard", None, "POST", Form::Json);
    unheard.url = "http://127.0.0.1:1/hook".to_owned();
    running.onebox.set_actions(vec![unheard]);
    running.onebox.set_switches(|switches| switches.hooks_held = false);
    assert!(running.onebox.press(id, "unheard"));
    running.onebox.hooks_idle().await;
    assert_eq!(running.onebox.hooks().last().map(|hook| hook.status), Some(0));

    let control = format!("{}{}", running.onebox_url, Handle::ROOT);
    let client = reqwest::Client::new();
    let moved = client.post(format!("{control}/move")).json(&json!({"order": id, "stage": 58})).send().await.unwrap();
    assert_eq!((moved.status().as_u16(), running.onebox.orders()[&id].status), (204, 58));
    let patched = client.patch(format!("{control}/orders/{id}")).json(&json!({"delivery_note": "1"})).send().await.unwrap();
    assert_eq!((patched.status().as_u16(), running.onebox.orders()[&id].delivery_note.as_str()), (204, "1"));
}
