//! The contract over HTTP, with the ports in memory.

use std::sync::Arc;

use actix_web::{
    body::to_bytes,
    dev::{Service as _, ServiceResponse},
    test::{self, TestRequest},
};
use serde_json::{Value, json};

use super::{
    Api, app,
    auth::{Needs, ROUTES},
    document, examples,
    fakes::{self, Memory},
    json::Body,
};
use crate::{domain::ids, engine::ports::Role, engine::service::Service, fault::Code, telemetry::Metrics};

mod documents;
mod work;

struct World {
    memory: Arc<Memory>,
    service: Arc<Service>,
    api: Api,
}

/// An answer as a test looks at it.
struct Got {
    status: u16,
    headers: actix_web::http::header::HeaderMap,
    text: String,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
    /// Asserts a whole problem document.
    fn is_problem(&self, code: Code) -> Value {
        let body = self.json();
        assert_eq!(body["code"], code.name(), "{} {}", self.status, self.text);
        assert_eq!(self.status, code.status());
        assert_eq!(body["status"], code.status());
        assert_eq!(body["type"], format!("/problems/{}", code.name()));
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert!(
            body["title"].is_string() && body["detail"].is_string() && body["instance"].is_string() && body["request_id"].is_string(),
            "{body}"
        );
        assert_eq!(body["request_id"], self.header("x-request-id"));
        body
    }
    fn pointers(&self) -> Vec<String> {
        self.json()["errors"].as_array().into_iter().flatten().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
    }
}

impl World {
    fn new() -> Self {
        let memory = Arc::new(Memory::default());
        let service = Arc::new(fakes::service(&memory));
        let api = Api::new(service.clone(), Metrics::detached(), &[]);
        Self { memory, service, api }
    }

    async fn send(&self, request: TestRequest) -> Got {
        let service = test::init_service(app(self.api.clone())).await;
        let (status, headers, body) = match service.call(request.to_request()).await {
            Ok(response) => {
                let response: ServiceResponse<_> = response;
                (response.status(), response.headers().clone(), to_bytes(response.into_body()).await.unwrap_or_default())
            }
            Err(error) => {
                let response = error.error_response();
                (response.status(), response.headers().clone(), to_bytes(response.into_body()).await.unwrap())
            }
        };
        Got { status: status.as_u16(), headers, text: String::from_utf8(body.to_vec()).unwrap_or_default() }
    }

    fn request(method: &str, uri: &str, key: &str) -> TestRequest {
        let request = TestRequest::with_uri(uri).method(method.parse().unwrap());
        if key.is_empty() { request } else { request.insert_header(("authorization", format!("Bearer {key}"))) }
    }

    async fn call(&self, method: &str, uri: &str, body: Option<Value>) -> Got {
        let request = Self::request(method, uri, "admin");
        self.send(match body {
            Some(body) => request.set_json(body),
            None => request,
        })
        .await
    }

    async fn connection(&self, owner: &str) -> String {
        let mut body = examples::request("create_connection").unwrap();
        body["owner"] = json!(owner);
        let got = self.call("POST", "/connections", Some(body)).await;
        assert_eq!(got.status, 201, "{}", got.text);
        got.json()["id"].as_str().unwrap().to_owned()
    }

    async fn with_stream(&self) -> (String, String) {
        let id = self.connection("seller:42").await;
        let got = self.call("POST", &format!("/connections/{id}/streams"), examples::request("create_stream")).await;
        assert_eq!(got.status, 201, "{}", got.text);
        (id, examples::STREAM.to_owned())
    }
}

fn filled(pattern: &str) -> String {
    let absent = ids::fresh();
    let id = pattern.replace("{id}", &absent).replace("{stream}", "s").replace("{source}", "x");
    id.replace("{flow}", "billz-opencart").replace("{code}", "in-use").replace("{_:.*}", "").replace("{token}", "a-token-of-nobody")
}

#[actix_web::test]
async fn every_role_reaches_what_the_table_says_and_nothing_else() {
    let world = World::new();
    let keys = [Role::Reader, Role::Operator, Role::Admin].map(|role| (role, fakes::key(&world.memory, &world.service, role, |_| ())));
    let seller = fakes::key(&world.memory, &world.service, Role::Admin, |key| key.delegate = true);
    for (method, pattern, needs) in ROUTES {
        let uri = filled(pattern);
        let bare = world.send(World::request(method, &uri, "")).await;
        if *needs == Needs::Token {
            bare.is_problem(Code::NotFound);
            continue;
        }
        if *needs == Needs::Open {
            assert!(bare.status < 400, "{method} {uri}: {} {}", bare.status, bare.text);
            continue;
        }
        bare.is_problem(Code::Unauthenticated);
        assert!(bare.header("www-authenticate").starts_with("Bearer"));
        world.send(World::request(method, &uri, "ts_wrong")).await.is_problem(Code::Unauthenticated);
        for (role, key) in &keys {
            let allowed = match needs {
                Needs::Open | Needs::Token | Needs::Reader => true,
                Needs::Operator => *role >= Role::Operator,
                Needs::Admin => *role == Role::Admin,
            };
            // No body is sent: the role is looked at before the body is.
            let got = world.send(World::request(method, &uri, key)).await;
            assert_eq!(got.status == 403, !allowed, "{method} {uri} {role:?}: {}", got.text);
            assert!(got.status < 500, "{method} {uri} {role:?}: {}", got.text);
        }
        world.send(World::request(method, &uri, &seller)).await.is_problem(Code::OnBehalfOfRequired);
        let got = world.send(World::request(method, &uri, &seller).insert_header(("x-on-behalf-of", "seller:42"))).await;
        assert_eq!(got.status == 403, *needs == Needs::Admin, "{method} {uri}: {}", got.text);
    }
}

#[actix_web::test]
async fn the_document_and_the_table_of_routes_are_the_same() {
    let document = document(&[]);
    assert_eq!(document["openapi"], "3.1.0");
    let mut described = Vec::new();
    let methods = ["get", "post", "put", "patch", "delete"];
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(name, _)| methods.contains(&name.as_str())) {
            for field in ["summary", "description", "operationId"] {
                assert!(operation[field].as_str().is_some_and(|text| !text.trim().is_empty()), "{method} {path} has no {field}");
            }
            assert!(operation["tags"].is_array() && operation["responses"].is_object());
            described.push((method.to_uppercase(), path.clone()));
        }
    }
    let in_table = |method: &str, path: &str| {
        ROUTES
            .iter()
            .any(|(known, pattern, _)| *known == method && (*pattern == path || (path == "/docs/" && pattern.starts_with("/docs/"))))
    };
    for (method, path) in &described {
        assert!(in_table(method, path), "{method} {path} is not in the table");
    }
    // Pages for people are no part of the document.
    for (method, path, _) in ROUTES.iter().filter(|(_, path, _)| !path.starts_with("/docs") && !path.starts_with("/pages")) {
        assert!(described.contains(&((*method).to_owned(), (*path).to_owned())), "{method} {path} is not described");
    }
    // Every reference leads somewhere.
    let text = document.to_string();
    for part in text.split("#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{name} is not described");
    }
    assert_eq!(super::openapi_json(&[]), super::openapi_json(&[]));
}

#[actix_web::test]
async fn whoever_acts_is_in_the_audit_even_where_no_transaction_says_so() {
    let world = World::new();
    let (id, stream) = world.with_stream().await;
    let uri = format!("/connections/{id}/streams/{stream}");
    let patched = world.call("PATCH", &uri, Some(json!({"name": "New"}))).await;
    // What changes nothing, what is refused and what only looks leaves no entry.
    world.call("POST", &format!("/connections/{id}/check"), None).await;
    world.call("PATCH", &uri, Some(json!({"nmae": "New"}))).await.is_problem(Code::ValidationFailed);
    let audit = world.call("GET", "/audit", None).await.json();
    let actions = audit["items"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap().to_owned());
    assert_eq!(actions.collect::<Vec<_>>(), ["streams.change", "streams.create", "connections.create"]);
    let entry = &audit["items"][0];
    assert_eq!(
        (&entry["request"], &entry["resource"], &entry["key"]),
        (&json!(patched.header("x-request-id")), &json!(uri), &json!("admin-key"))
    );
    assert_eq!(entry["after"]["name"], "New");
    // The answer's body is whole all the same, and a replay is no second act.
    assert_eq!(patched.json()["name"], "New");
    let start = || {
        World::request("POST", "/sync/billz-opencart", "admin")
            .insert_header(("idempotency-key", "one"))
            .set_json(json!({"connection": id, "stream": stream}))
    };
    assert_eq!((world.send(start()).await.status, world.send(start()).await.header("idempotency-replayed")), (202, "true"));
    assert_eq!(world.memory.audit.lock().unwrap().len(), 4);
    for pattern in super::auth::CHANGES_NOTHING {
        assert!(ROUTES.iter().any(|(_, known, _)| known == pattern), "{pattern} is no route");
    }
}

#[actix_web::test]
async fn every_example_can_be_read() {
    use crate::api::views::{alert::*, brake::*, connection::*, link::*, lock::*, mapping::*, run::*, schedule::*, stream::*};
    fn reads<T: Body>(operation: &str, value: Value) {
        super::json::parse::<T>(value).unwrap_or_else(|fault| panic!("{operation}: {fault}"));
    }
    let document = document(&[]);
    let mut found = 0;
    for operation in document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values()) {
        let id = operation["operationId"].as_str().unwrap();
        let Some(body) = operation.get("requestBody") else { continue };
        let example = body["content"]["application/json"]["example"].clone();
        found += 1;
        match id {
            "create_connection" => reads::<ConnectionBody>(id, example),
            "patch_connection" => reads::<ConnectionPatchBody>(id, example),
            "create_stream" => reads::<StreamBody>(id, example),
            "patch_stream" => reads::<StreamPatchBody>(id, example),
            "put_brakes" => reads::<BrakesBody>(id, example),
            "set_link" => reads::<LinkBody>(id, example),
            "confirm_link" => reads::<ConfirmBody>(id, example),
            "replace_category_mappings" => reads::<MappingsBody>(id, example),
            "replace_locks" => reads::<LocksBody>(id, example),
            "replace_alerts" => reads::<AlertsBody>(id, example),
            "test_alerts" => reads::<TestBody>(id, example),
            "create_schedule" => reads::<ScheduleBody>(id, example),
            "patch_schedule" => reads::<SchedulePatchBody>(id, example),
            "start_sync" => reads::<SyncBody>(id, example),
            "test_mapping" => reads::<crate::api::mapping_test::MappingTestBody>(id, example),
            "create_page_link" => reads::<crate::api::page_links::PageLinkBody>(id, example),
            // Whatever stands in it: its fields are named by the connection.
            "post_hook" => assert!(example.is_object()),
            other => panic!("{other} has a body without an example test"),
        }
    }
    assert_eq!(found, 17);
}

#[actix_web::test]
async fn a_connection_lives_from_post_to_delete_and_never_shows_a_secret() {
    let world = World::new();
    let got = world.call("POST", "/connections", examples::request("create_connection")).await;
    let body = got.json();
    let id = body["id"].as_str().unwrap();
    assert_eq!(got.header("location"), format!("/connections/{id}"));
    assert_eq!(body["secrets"], json!({"secret": "set"}));
    assert!(!got.text.contains("secret key of Billz"));
    let sealed = world.memory.connections.lock().unwrap()[0].secrets["secret"].clone();
    assert!(sealed.starts_with("v1.") && !sealed.contains("Billz"));

    let uri = format!("/connections/{id}");
    let shown = world.call("GET", &uri, None).await;
    assert_eq!((shown.header("etag"), shown.header("x-content-type-options")), ("\"1\"", "nosniff"));
    assert!(shown.json()["created_at"].as_str().unwrap().ends_with('Z'));
    let patched = world
        .call(
            "PATCH",
            &uri,
            Some(json!({"name": "New", "settings": {"stock_buffer": 2, "api": null}, "secrets": {"secret": "set", "username": "u"}})),
        )
        .await;
    assert_eq!(patched.status, 200, "{}", patched.text);
    assert_eq!(patched.json()["settings"], json!({"stock_buffer": 2, "unmapped_category": "default", "default_category_id": 20}));
    assert_eq!(patched.json()["secrets"], json!({"secret": "set", "username": "set"}));
    assert_eq!(world.memory.connections.lock().unwrap()[0].secrets["secret"], sealed);

    let wrong = world
        .call(
            "PATCH",
            &uri,
            Some(json!({"flow": "kaktus-insales", "settings": {"nope": 1}, "secrets": {"secret": null, "other": "x"}, "name": null})),
        )
        .await;
    wrong.is_problem(Code::ValidationFailed);
    let mut pointers = wrong.pointers();
    pointers.sort();
    assert_eq!(pointers, ["/flow", "/name", "/secrets/other", "/secrets/secret", "/settings/nope"]);
    let leaking = world.call("PATCH", &uri, Some(json!({"secrets": {"secret": 31337}}))).await;
    leaking.is_problem(Code::ValidationFailed);
    assert!(!leaking.text.contains("31337"));

    assert!(world.call("POST", &format!("{uri}/check"), None).await.json()["ok"].as_bool().unwrap());
    assert_eq!(world.call("POST", &format!("{uri}/streams/discover"), None).await.json()["items"][0]["stream"], "s");
    assert_eq!(world.call("DELETE", &uri, None).await.status, 204);
    world.call("GET", &uri, None).await.is_problem(Code::NotFound);
}

#[actix_web::test]
async fn conditions_are_kept() {
    let world = World::new();
    let (id, stream) = world.with_stream().await;
    for uri in [format!("/connections/{id}"), format!("/connections/{id}/streams/{stream}")] {
        let send = |tag: &str| World::request("PATCH", &uri, "admin").insert_header(("if-match", tag)).set_json(json!({"name": "n"}));
        world.send(send("\"7\"")).await.is_problem(Code::PreconditionFailed);
        world.send(send("7")).await.is_problem(Code::InvalidHeader);
        let fine = world.send(send("\"1\"")).await;
        assert_eq!((fine.status, fine.header("etag")), (200, "\"2\""));
        assert_eq!(world.send(send("*")).await.status, 200);
    }
    let known = World::request("GET", &format!("/connections/{id}"), "admin").insert_header(("if-none-match", "W/\"3\""));
    assert_eq!(world.send(known).await.status, 304);
}

#[actix_web::test]
async fn bad_bodies_and_bad_paths_are_problems_and_never_500() {
    let world = World::new();
    let post = || World::request("POST", "/connections", "admin");
    let json = ("content-type", "application/json");
    world.send(post().insert_header(json).set_payload("{\"a\":")).await.is_problem(Code::InvalidJson);
    world.send(post().insert_header(json).set_payload(vec![0xff, 0xfe])).await.is_problem(Code::InvalidJson);
    world.send(post().insert_header(json).set_payload("[".repeat(100_000))).await.is_problem(Code::InvalidJson);
    world.send(post().insert_header(json).set_payload("x".repeat(1024 * 1024 + 1))).await.is_problem(Code::TooLarge);
    world.send(post().insert_header(("content-type", "text/plain")).set_payload("{}")).await.is_problem(Code::UnsupportedMediaType);
    world.send(post().set_payload("{}")).await.is_problem(Code::UnsupportedMediaType);
    let wrong = world.send(post().set_json(json!({"flow": 1, "nmae": "x", "settings": []}))).await;
    wrong.is_problem(Code::ValidationFailed);
    for pointer in ["/flow", "/name", "/nmae", "/settings"] {
        assert!(wrong.pointers().contains(&pointer.to_owned()), "{pointer}: {}", wrong.text);
    }
    assert_eq!(
        world.call("GET", "/connections?limit=0&x=1", None).await.is_problem(Code::InvalidQuery)["errors"].as_array().unwrap().len(),
        2
    );
    world.call("GET", "/sync/runs?state=happy", None).await.is_problem(Code::InvalidQuery);
    world.call("GET", "/connections?cursor=Zm9v", None).await.is_problem(Code::InvalidQuery);

    let (id, _) = world.with_stream().await;
    let long = "a".repeat(5_000);
    for text in
        ["1'%20OR%20'1'='1", "%00", "%F0%9F%A6%80", "..%2F..%2Fetc", "%ff%fe", long.as_str(), "0", "null", "%7B%7D", "DROP%20TABLE%20x;--"]
    {
        for (method, uri) in [
            ("GET", format!("/connections/{text}")),
            ("GET", format!("/connections/{id}/streams/{text}")),
            ("DELETE", format!("/connections/{id}/streams/{text}")),
            ("DELETE", format!("/connections/{id}/links/{text}")),
            ("POST", format!("/connections/{id}/links/{text}/confirm")),
            ("GET", format!("/sync/runs/{text}")),
            ("POST", format!("/sync/runs/{text}/cancel")),
        ] {
            world.call(method, &uri, None).await.is_problem(Code::NotFound);
        }
        assert!(
            world.call("GET", &format!("/sync/runs?connection={text}&stream={text}&owner={text}&flow={text}"), None).await.status < 500
        );
        world.call("POST", &format!("/sync/{text}"), examples::request("start_sync")).await.is_problem(Code::NotFound);
    }
    world.call("GET", "/nowhere", None).await.is_problem(Code::NotFound);
    let method = world.call("PUT", "/connections", None).await;
    method.is_problem(Code::MethodNotAllowed);
    assert_eq!(method.header("allow"), "GET, POST");
    // A path that only the router decodes never passes round the table.
    world.send(World::request("GET", "/%63onnections", "")).await.is_problem(Code::NotFound);
    assert!(world.call("GET", "/docs/nothing.js", None).await.status == 404);
    assert_eq!(world.call("GET", "/docs/", None).await.status, 200);
    for code in Code::ALL {
        let page = world.call("GET", &format!("/problems/{}", code.name()), None).await;
        assert!(page.status == 200 && page.text.contains("What to do"));
    }
    world.call("GET", "/problems/none", None).await.is_problem(Code::NotFound);
}

#[actix_web::test]
async fn a_panic_is_a_problem_and_tells_nothing() {
    let world = World::new();
    *world.memory.broken.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = true;
    let got = world.call("GET", "/readyz", None).await;
    assert_eq!(got.is_problem(Code::Internal)["instance"], "/readyz");
    assert!(!got.text.contains("planned panic") && got.header("x-content-type-options") == "nosniff");
}

#[actix_web::test]
async fn over_a_real_socket_the_answer_to_a_huge_body_and_to_a_panic_arrives() {
    let world = World::new();
    let api = world.api.clone();
    let server = actix_web::HttpServer::new(move || app(api.clone())).workers(1).disable_signals().bind(("127.0.0.1", 0)).unwrap();
    let base = format!("http://{}", server.addrs()[0]);
    let running = server.run();
    let handle = running.handle();
    actix_web::rt::spawn(running);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = client.post(format!("{base}/connections")).bearer_auth("admin").header("content-type", "application/json");
    let huge = post.body("x".repeat(5 * 1024 * 1024)).send().await.unwrap();
    assert_eq!((huge.status().as_u16(), huge.headers()["content-type"].to_str().unwrap()), (413, "application/problem+json"));
    let swagger = client.get(format!("{base}/docs/swagger-initializer.js")).send().await.unwrap().text().await.unwrap();
    assert!(swagger.contains("/openapi.json"), "{swagger}");
    *world.memory.broken.lock().unwrap() = true;
    let panicked = client.get(format!("{base}/readyz")).send().await.unwrap();
    assert_eq!((panicked.status().as_u16(), panicked.headers()["content-type"].to_str().unwrap()), (500, "application/problem+json"));
    assert_eq!(client.get(format!("{base}/livez")).send().await.unwrap().status().as_u16(), 200);
    handle.stop(false).await;
}
