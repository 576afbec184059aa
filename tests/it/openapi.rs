//! The OpenAPI document: the same in the repository and in the service, whole, and true: every example in it is sent over HTTP.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tradesync::{
    api::{auth, examples},
    demo::shop,
};

use crate::support::{FIRST, Rest, Stage};

/// What design.md section 4 fixes and this version serves. Path parameters have the names of the document.
const SERVED: &[(&str, &str)] = &[
    ("get", "/connections"),
    ("post", "/connections"),
    ("get", "/connections/{id}"),
    ("patch", "/connections/{id}"),
    ("delete", "/connections/{id}"),
    ("post", "/connections/{id}/check"),
    ("get", "/connections/{id}/streams"),
    ("post", "/connections/{id}/streams"),
    ("patch", "/connections/{id}/streams/{stream}"),
    ("delete", "/connections/{id}/streams/{stream}"),
    ("post", "/connections/{id}/streams/discover"),
    ("get", "/connections/{id}/links"),
    ("put", "/connections/{id}/links/{source}"),
    ("delete", "/connections/{id}/links/{source}"),
    ("post", "/connections/{id}/links/{source}/confirm"),
    ("get", "/connections/{id}/category-mappings"),
    ("put", "/connections/{id}/category-mappings"),
    ("get", "/connections/{id}/category-mappings/unmapped"),
    ("get", "/connections/{id}/locks"),
    ("put", "/connections/{id}/locks"),
    ("get", "/connections/{id}/brakes"),
    ("put", "/connections/{id}/brakes"),
    ("post", "/sync/{flow}"),
    ("get", "/sync/{flow}/hooks/{token}"),
    ("post", "/sync/{flow}/hooks/{token}"),
    ("post", "/sync/okliving-onebox/mapping-test"),
    ("get", "/sync/runs"),
    ("get", "/sync/runs/{id}"),
    ("get", "/sync/runs/{id}/items"),
    ("get", "/sync/runs/{id}/items.csv"),
    ("post", "/sync/runs/{id}/cancel"),
    ("post", "/sync/runs/{id}/approve"),
    ("post", "/sync/runs/{id}/reject"),
    ("post", "/sync/runs/{id}/undo"),
    ("get", "/sync/explain"),
    ("post", "/sync/runs/{id}/retry-failed"),
    ("get", "/sync/retry-list"),
    ("get", "/audit"),
    ("get", "/connections/{id}/streams/{stream}/standing"),
    ("post", "/sync/retry-list/{id}/retry"),
    ("post", "/sync/retry-list/{id}/dismiss"),
    ("get", "/alerts"),
    ("put", "/alerts"),
    ("post", "/alerts/test"),
    ("get", "/livez"),
    ("get", "/readyz"),
    ("get", "/metrics"),
    ("get", "/openapi.json"),
    ("get", "/docs/"),
];

/// Operations whose success takes something away: they are sent last, in this order.
const LAST: &[&str] = &["remove_link", "delete_stream", "delete_connection"];

/// One operation of the document.
struct Operation<'a> {
    id: &'a str,
    method: &'a str,
    path: &'a str,
    body: &'a Value,
}

fn operations(document: &Value) -> Vec<Operation<'_>> {
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, body) in methods.as_object().unwrap() {
            let id = body["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no operationId"));
            found.push(Operation { id, method, path, body });
        }
    }
    found
}

/// Status, media type and schema of the answer that goes well.
fn success(operation: &Operation<'_>) -> (u16, Option<String>, Value) {
    let responses = operation.body["responses"].as_object().unwrap();
    let (status, response) = responses.iter().find(|(status, _)| status.starts_with('2')).expect("an answer that goes well");
    let content = response["content"].as_object().and_then(|content| content.iter().next());
    (
        status.parse().unwrap(),
        content.map(|(media, _)| media.clone()),
        content.map(|(_, content)| content["schema"].clone()).unwrap_or_default(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn openapi_file_is_what_the_service_answers() {
    let stage = Stage::new().await;
    let served = stage.rest.with_key("").get("/openapi.json").await;
    assert_eq!(served.status, 200);
    assert!(served.header("content-type").unwrap().starts_with("application/json"));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/openapi.json");
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    if kept != served.text {
        let line = kept.lines().zip(served.text.lines()).position(|(kept, served)| kept != served).unwrap_or_default() + 1;
        panic!("openapi/openapi.json differs from what the service answers, first in line {line}: run `make openapi` and commit the file");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn openapi_document_is_whole() {
    let stage = Stage::new().await;
    let document = stage.rest.get("/openapi.json").await.ok(200);
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());

    let mut wrong = Vec::new();
    check_references(&document, &document, "", &mut wrong);
    let tags = document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect::<Vec<_>>();
    let mut ids = Vec::new();
    for operation in operations(&document) {
        let name = format!("{} {}", operation.method, operation.path);
        let mut must = |fine: bool, what: &str| {
            if !fine {
                wrong.push(format!("{name}: {what}"));
            }
        };
        let body = operation.body;
        must(!ids.contains(&operation.id), "its operationId stands twice");
        ids.push(operation.id);
        must(body["summary"].as_str().is_some_and(|text| !text.trim().is_empty()), "no summary");
        must(body["tags"].as_array().is_some_and(|own| !own.is_empty() && own.iter().all(|tag| tags.contains(&tag))), "no tag of the list");
        // Absent means the document's own: a key. Open ones say so.
        let open = body["security"] == json!([]);
        must(open || (body["security"].is_null() && document["security"] == json!([{"bearer": []}])), "security");
        if let Some(request) = body["requestBody"]["content"].as_object() {
            let content = &request["application/json"];
            must(!content["example"].is_null(), "no example of its body");
            conforms(&document, &content["schema"], &content["example"], "example", &mut |detail| must(false, &detail));
        }
        let responses = body["responses"].as_object().unwrap();
        for (status, response) in responses {
            must(response["description"].as_str().is_some_and(|text| !text.is_empty()), &format!("{status} has no description"));
            if !status.starts_with('2') {
                let problem = &response["content"]["application/problem+json"];
                must(problem["schema"]["$ref"] == "#/components/schemas/Problem", &format!("{status} is no problem document"));
                must(problem["example"]["status"].as_u64() == status.parse().ok(), &format!("{status} has an example of another status"));
            }
        }
        must(
            open || ["401", "403", "500"].iter().all(|status| responses.contains_key(*status)),
            "lacks a problem that every guarded one has",
        );
        let (_, media, schema) = success(&operation);
        if media.as_deref() == Some("application/json") && operation.id != "openapi_document" {
            let content = responses.iter().find(|(status, _)| status.starts_with('2')).unwrap().1;
            let example = &content["content"]["application/json"]["example"];
            must(!example.is_null(), "no example of its answer");
            conforms(&document, &schema, example, "answer", &mut |detail| must(false, &detail));
        }
        // Every {name} of the path is described, and nothing else.
        let parameters = body["parameters"].as_array().cloned().unwrap_or_default();
        let described = parameters.iter().filter(|one| one["in"] == "path").map(|one| one["name"].as_str().unwrap().to_owned());
        let named = operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).map(str::to_owned);
        must(described.collect::<Vec<_>>() == named.collect::<Vec<_>>(), "path parameters");
        must(
            parameters.iter().all(|one| one["description"].as_str().is_some_and(|text| !text.is_empty()) && one["schema"].is_object()),
            "a parameter without description",
        );
    }
    for (method, path) in SERVED {
        if document["paths"][*path][*method].is_null() {
            wrong.push(format!("{method} {path} is not in the document"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn check_references(document: &Value, at: &Value, path: &str, wrong: &mut Vec<String>) {
    match at {
        Value::Object(members) => {
            if let Some(reference) = members.get("$ref").and_then(Value::as_str)
                && reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer)).is_none()
            {
                wrong.push(format!("{path}: {reference} leads nowhere"));
            }
            members.iter().for_each(|(name, inner)| check_references(document, inner, &format!("{path}/{name}"), wrong));
        }
        Value::Array(rows) => {
            rows.iter().enumerate().for_each(|(place, inner)| check_references(document, inner, &format!("{path}/{place}"), wrong))
        }
        _ => {}
    }
}

/// Says where a value is not as a schema has it. Members that the schema does not name are wrong as well.
fn conforms(document: &Value, schema: &Value, value: &Value, at: &str, wrong: &mut dyn FnMut(String)) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer));
        return conforms(document, target.unwrap_or(&Value::Null), value, at, wrong);
    }
    for word in ["oneOf", "anyOf"] {
        if let Some(options) = schema[word].as_array() {
            let mut nearest: Option<Vec<String>> = None;
            for option in options {
                let mut found = Vec::new();
                conforms(document, option, value, at, &mut |detail| found.push(detail));
                if nearest.as_ref().is_none_or(|known| found.len() < known.len()) {
                    nearest = Some(found);
                }
            }
            return nearest.into_iter().flatten().for_each(wrong);
        }
    }
    if let Some(all) = schema["allOf"].as_array() {
        return all.iter().for_each(|each| conforms(document, each, value, at, &mut *wrong));
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        wrong(format!("{at}: {value} is none of the words"));
    }
    let types = match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let is = |word: &str| match word {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{at}: {other} is no type"),
    };
    if !types.is_empty() && !types.iter().any(|word| is(word)) {
        wrong(format!("{at}: {value} is not of type {types:?}"));
    }
    if schema["format"] == "date-time"
        && let Some(time) = value.as_str()
        && (!time.ends_with('Z') || chrono::DateTime::parse_from_rfc3339(time).is_err())
    {
        wrong(format!("{at}: {time} is no time in UTC"));
    }
    if let (Some(items), Some(schema)) = (value.as_array(), schema.get("items")) {
        items.iter().enumerate().for_each(|(place, item)| conforms(document, schema, item, &format!("{at}/{place}"), &mut *wrong));
    }
    let Some(members) = value.as_object() else { return };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !members.contains_key(name) {
            wrong(format!("{at}: {name} is required but absent"));
        }
    }
    if let Some(properties) = schema["properties"].as_object() {
        for (name, inner) in members {
            match properties.get(name) {
                Some(schema) => conforms(document, schema, inner, &format!("{at}/{name}"), &mut *wrong),
                None => wrong(format!("{at}: {name} is not documented")),
            }
        }
    }
}

/// What the placeholders of the examples stand for, prepared before each operation.
struct Prepared {
    stage: Stage,
    connection: String,
    stream: String,
    /// Shops of Billz that no stream has been made of.
    free_shops: Vec<String>,
    /// A finished run.
    run: String,
    linked: (String, String),
    schedule: String,
    proposed: Vec<(String, String)>,
    /// Items of the retry list.
    failed: Vec<String>,
}

impl Prepared {
    async fn new() -> Self {
        let stage = Stage::new().await;
        assert!(shop::fill_from_excel(&stage.database.url, &stage.billz.billz2).await.unwrap() > 2);
        let (connection, stream) = stage.simple(json!({"linking": "confirm"})).await;
        for _ in 0..3 {
            // There is no rate for it, so it fails.
            stage.good(json!({"currency": {FIRST: "EUR"}}));
        }
        let run = stage.sync(&connection, &stream, "full").await["id"].as_str().unwrap().to_owned();
        let pairs = |links: Vec<Value>| {
            links
                .iter()
                .map(|link| (link["source"].as_str().unwrap().to_owned(), link["target"].as_str().unwrap().to_owned()))
                .collect::<Vec<_>>()
        };
        let linked = pairs(stage.rest.all(&format!("/connections/{connection}/links?state=linked")).await).remove(0);
        let proposed = pairs(stage.rest.all(&format!("/connections/{connection}/links?state=proposed")).await);
        assert!(!proposed.is_empty(), "no question about a link to be answered");
        // A mapping, a lock, and a good that waits: lists are to show something.
        let put = async |path: &str, item: Value| {
            stage.rest.put_matching(&format!("/connections/{connection}/{path}"), "*", &json!({"items": [item]})).await.ok(200)
        };
        put("category-mappings", json!({"source": "mapped", "target": "20"})).await;
        put("locks", json!({"fields": ["name"]})).await;
        stage.database.run(&format!(
            "INSERT INTO tradesync_inbox (connection_id, kind, source_key, group_key, group_name) VALUES ('{connection}', 'category', 'good', 'new', 'New')"
        ));
        let failed = stage.rest.all("/sync/retry-list").await.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect();
        let free_shops = stage.billz.billz2.shops().into_iter().map(|shop| shop.id.to_string()).filter(|shop| *shop != stream).collect();
        let schedule = Self::rare_schedule(&stage, &connection, &stream).await;
        Self { stage, connection, stream, free_shops, run, schedule, linked, proposed, failed }
    }

    /// A run that waits for a person.
    async fn waiting_run(&self) -> String {
        let body = json!({"connection": self.connection, "stream": self.stream, "mode": "full", "dry_run": true});
        let run = self.stage.rest.post("/sync/billz-opencart", &body).await.ok(202)["id"].as_str().unwrap().to_owned();
        assert_eq!(self.stage.rest.wait(&run).await["state"], "awaiting_approval");
        run
    }

    /// A schedule that comes due only when the test is over.
    async fn rare_schedule(stage: &Stage, connection: &str, stream: &str) -> String {
        let body = json!({"connection": connection, "stream": stream, "cron": "0 0 1 1 *"});
        stage.rest.post("/schedules", &body).await.ok(201)["id"].as_str().unwrap().to_owned()
    }

    /// A connection of orders, which takes hooks; made once.
    async fn of_orders(&self) -> String {
        if let Some(made) = self.stage.rest.all("/connections?flow=okliving-onebox").await.first() {
            return made["id"].as_str().unwrap().to_owned();
        }
        let body = json!({
            "flow": "okliving-onebox", "name": "Orders",
            "settings": {
                "okliving": {"base_url": self.stage.billz.okliving_url, "client_id": "demo-client"},
                "onebox": {"base_url": self.stage.billz.onebox_url, "login": "okl-bot", "workflow_id": 9, "status_id": 54},
            },
            "secrets": {"okliving_client_secret": "x", "onebox_password": "x", "hook_token": examples::HOOK_TOKEN},
        });
        self.stage.rest.post("/connections", &body).await.ok(201)["id"].as_str().unwrap().to_owned()
    }

    /// Real ids by placeholder, for one operation.
    async fn ids(&mut self, operation: &str) -> BTreeMap<&'static str, String> {
        let mut ids = BTreeMap::from([
            (examples::CONNECTION, self.connection.clone()),
            (examples::RUN, self.run.clone()),
            (examples::SCHEDULE, self.schedule.clone()),
            (examples::STREAM, self.stream.clone()),
            (examples::SOURCE, self.linked.0.clone()),
            (examples::TARGET, self.linked.1.clone()),
        ]);
        match operation {
            "create_stream" => drop(ids.insert(examples::STREAM, self.free_shops.pop().unwrap())),
            "delete_stream" => {
                let free = self.free_shops.pop().unwrap();
                self.stage.rest.post(&format!("/connections/{}/streams", self.connection), &json!({"stream": free})).await.ok(201);
                ids.insert(examples::STREAM, free);
            }
            "delete_schedule" => {
                drop(ids.insert(examples::SCHEDULE, Self::rare_schedule(&self.stage, &self.connection, &self.stream).await))
            }
            "confirm_link" => {
                let (source, target) = self.proposed.pop().unwrap();
                ids.extend([(examples::SOURCE, source), (examples::TARGET, target)]);
            }
            "test_mapping" | "get_hook" | "post_hook" | "create_page_link" => {
                drop(ids.insert(examples::ORDERS_CONNECTION, self.of_orders().await))
            }
            "retry_item" | "dismiss_item" => drop(ids.insert(examples::RETRY, self.failed.pop().unwrap())),
            "cancel_run" | "approve_run" | "reject_run" => drop(ids.insert(examples::RUN, self.waiting_run().await)),
            _ => {}
        }
        ids
    }
}

/// Puts real ids in the place of the placeholders, wherever they stand.
fn real(value: &Value, ids: &BTreeMap<&'static str, String>) -> Value {
    match value {
        Value::String(text) => Value::String(ids.get(text.as_str()).unwrap_or(text).clone()),
        Value::Array(rows) => Value::Array(rows.iter().map(|row| real(row, ids)).collect()),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (name.clone(), real(value, ids))).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn openapi_examples_can_all_be_sent_as_they_stand() {
    let mut prepared = Prepared::new().await;
    let document = prepared.stage.rest.get("/openapi.json").await.ok(200);
    let mut operations = operations(&document);
    operations.sort_by_key(|operation| LAST.iter().position(|last| *last == operation.id).map_or(0, |place| place + 1));
    let mut wrong = Vec::new();
    let mut sent = 0;
    for operation in &operations {
        let ids = prepared.ids(operation.id).await;
        let parameters = operation.body["parameters"].as_array().cloned().unwrap_or_default();
        let mut path = operation.path.to_owned();
        for one in parameters.iter().filter(|one| one["in"] == "path") {
            path = path.replace(&format!("{{{}}}", one["name"].as_str().unwrap()), &text(&real(&one["example"], &ids)));
        }
        // Once plain, and once with the examples of its query.
        let query = parameters.iter().filter(|one| one["in"] == "query" && !one["example"].is_null());
        let needs_query = parameters.iter().any(|one| one["in"] == "query" && one["required"] == true);
        let query =
            query.map(|one| format!("{}={}", one["name"].as_str().unwrap(), text(&real(&one["example"], &ids)))).collect::<Vec<_>>();
        let mut paths = vec![path.clone()];
        if !query.is_empty() {
            paths.push(format!("{path}?{}", query.join("&")));
        }
        if needs_query {
            paths.remove(0);
        }
        let example = &operation.body["requestBody"]["content"]["application/json"]["example"];
        let body = (!example.is_null()).then(|| real(example, &ids).to_string().into_bytes());
        let (status, media, schema) = success(operation);
        for path in paths {
            // What a document that is replaced as a whole must have.
            let replaces = parameters.iter().any(|one| one["name"] == "If-Match") && operation.method == "put";
            let rest: Rest = if replaces { prepared.stage.rest.with_header("If-Match", "*") } else { prepared.stage.rest.clone() };
            let answer = rest.send(operation.method.to_ascii_uppercase().parse().unwrap(), &path, body.clone()).await;
            sent += 1;
            if answer.status != status {
                wrong.push(format!("{} {path}: {} instead of {status}: {}", operation.method, answer.status, answer.text));
                continue;
            }
            if auth::acts(&operation.method.to_ascii_uppercase(), operation.path) {
                // Who acts is in the audit, with what came of it: also for routes that are not thought of yet.
                let entry = prepared.stage.rest.get("/audit?limit=1").await.ok(200)["items"][0].clone();
                if entry["request"].as_str() != answer.header("x-request-id").as_deref()
                    || (entry["before"].is_null() && entry["after"].is_null())
                {
                    wrong.push(format!("{} {path}: the audit does not tell of it; its last entry is {entry}", operation.method));
                }
            }
            let got = answer.header("content-type").unwrap_or_default();
            if media.as_ref().is_some_and(|media| !got.starts_with(media.as_str())) {
                wrong.push(format!("{} {path}: the answer is of type {got}", operation.method));
            }
            if media.as_deref() == Some("application/json") {
                conforms(&document, &schema, &answer.body, &format!("{} {path}", operation.method), &mut |detail| wrong.push(detail));
                // What a list's example shows must be seen, or its rows would prove nothing.
                if operation.id.starts_with("list_") && !path.contains('?') {
                    assert!(answer.body["items"].as_array().is_some_and(|items| !items.is_empty()), "{path} is empty");
                }
            }
        }
        // Its runs would be in the way of the next operations.
        if operation.id == "create_schedule" {
            for made in prepared.stage.rest.all("/schedules").await.iter().filter(|made| made["id"] != prepared.schedule) {
                prepared.stage.rest.delete(&format!("/schedules/{}", made["id"].as_str().unwrap())).await.ok(204);
            }
        }
        // A dry run of one operation must not be in the way of the next.
        if matches!(operation.id, "start_sync" | "approve_run" | "undo_run" | "retry_item" | "retry_failed") {
            let runs = prepared.stage.rest.all("/sync/runs").await;
            for run in runs.iter().filter(|run| matches!(run["state"].as_str(), Some("queued" | "running"))) {
                prepared.stage.rest.wait(run["id"].as_str().unwrap()).await;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(sent > operations.len());
}
