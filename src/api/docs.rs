//! The OpenAPI 3.1 document and Swagger UI.
//!
//! Handlers and views give paths and schemas; what is the same everywhere is added here from the tables that also drive the
//! service: roles from [`super::auth::ROUTES`], problems from the fault table, parameters by name, [`super::examples`].

use actix_web::{HttpResponse, get, http::header, web};
use serde_json::{Map, Value, json};
use utoipa::{PartialSchema, ToSchema};
use utoipa_actix_web::AppExt;
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::{
    Api,
    auth::{Needs, ROUTES},
    examples,
    page::{DEFAULT_LIMIT, MAX_LIMIT},
    problem::{Answer, Document},
};
use crate::fault::Code;

/// What a flow adds to the document.
#[derive(Clone, Debug)]
pub struct FlowDoc {
    /// Its name.
    pub flow: &'static str,
    /// Name of the schema of its settings.
    pub settings: String,
    /// That schema, and those it refers to.
    pub schemas: Vec<(String, Value)>,
    /// Names of its secrets, with whether each is required.
    pub secrets: Vec<(&'static str, bool)>,
}

impl FlowDoc {
    /// From the type of its settings.
    pub fn of<Settings: ToSchema>(flow: &'static str, secrets: &[(&'static str, bool)]) -> Self {
        let mut schemas = Vec::new();
        Settings::schemas(&mut schemas);
        let settings = Settings::name().into_owned();
        schemas.push((settings.clone(), Settings::schema()));
        let schemas =
            schemas.into_iter().map(|(name, schema)| (name, optional(serde_json::to_value(schema).unwrap_or_default()))).collect();
        Self { flow, settings, schemas, secrets: secrets.to_vec() }
    }
}

/// A schema of settings as a caller sees it: every setting has a default, also inside nested objects, so none is required.
fn optional(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(members) => {
            // `required` as a word of the schema is a list; a setting of that name would be a schema.
            members.retain(|name, value| name != "required" || !value.is_array());
            members.values_mut().for_each(|inner| *inner = optional(inner.take()));
        }
        Value::Array(items) => items.iter_mut().for_each(|inner| *inner = optional(inner.take())),
        _ => {}
    }
    schema
}

const DESCRIPTION: &str = "Keeps shops, tills and CRMs in step.\n\n\
Send `Authorization: Bearer <api key>`; keys are made on the command line with `tradesync key create`. Roles: `reader` (GET), `operator` (streams, links, runs), \
`admin` (connections). `X-On-Behalf-Of: seller:42` narrows any key to what belongs to that owner.\n\n\
Times are RFC 3339 in UTC, ids are opaque strings. Lists are newest first and go on with `next_cursor`. Errors are problem documents (RFC 9457) whose `type` links to a page that \
says what to do. POSTs that act take an `Idempotency-Key`: a repeated request gets the first answer again for 24 hours, marked `Idempotency-Replayed: true`. \
New fields may appear in answers; the ones described here stay.";

const TAGS: &[(&str, &str)] = &[
    ("Connections", "Pairs of accounts: settings, sealed secrets, owner."),
    ("Streams", "Parts of a connection that are synchronised on their own, such as a shop in Billz."),
    ("Brakes", "Limits on what one run may change."),
    ("Links", "Which source item is which target item, and open questions about it."),
    ("Categories", "Which category of the source goes to which category of the shop, and which goods wait for one."),
    ("Locks", "Items and fields that are never touched."),
    ("Runs", "Executions of streams: start, follow, read the report, cancel, approve."),
    ("Schedules", "When streams run by themselves: period or cron, hours, days, time zone; what they ran and what they let pass."),
    ("Retry list", "Failed items over all runs: they come back by themselves; try them again at once, or dismiss them."),
    ("Hooks", "What OneBox's automatic action tells us, and the mapping of its orders."),
    ("Alerts", "Who is told when something is not as it should be, over which channels."),
    ("Audit", "Who did what, on whose behalf, with what stood before and after."),
    ("Service", "Health, metrics, documents."),
];

/// The one path whose query has a part that must be there.
const EXPLAIN: &str = "/sync/explain";

/// Parameters by name: description, schema, example.
fn parameter(name: &str, path: &str) -> (&'static str, Value, Value) {
    let text = json!({"type": "string"});
    match name {
        "id" if path.starts_with("/sync/runs") => ("Id of the run", text, json!(examples::RUN)),
        "id" if path.starts_with("/schedules") => ("Id of the schedule", text, json!(examples::SCHEDULE)),
        "id" if path.starts_with("/sync/retry-list") => ("Id of the item in the retry list", text, json!(examples::RETRY)),
        "id" if path.ends_with("/page-links") => ("Id of the connection", text, json!(examples::ORDERS_CONNECTION)),
        "id" => ("Id of the connection", text, json!(examples::CONNECTION)),
        "stream" if matches!(path, "/sync/runs" | "/sync/retry-list" | "/schedules") => {
            ("Only of this stream", text, json!(examples::STREAM))
        }
        "stream" => ("Key of the stream; percent-encode what a path cannot hold", text, json!(examples::STREAM)),
        "token" => ("One of the connection's hook tokens", text, json!(examples::HOOK_TOKEN)),
        "source" => ("The source item's id; percent-encode what a path cannot hold", text, json!(examples::SOURCE)),
        "flow" if path.contains("/hooks/") => ("Name of the flow", text, json!("okliving-onebox")),
        "orderid" => ("OneBox's id of the order; by another name if `hook_fields` says so, like the others", text, json!("127901")),
        "externalid" => ("Our key of the order, instead of or beside OneBox's id", text, json!("okl-100045871")),
        "ttn" => ("Waybill", text, json!("20450000000000")),
        "do" => ("What is to be done: a key of `status_map`", text, Value::Null),
        "comment" => ("Text for the order in the shop", text, json!("On its way")),
        "flow" if path.starts_with("/sync/{flow}") => ("Name of the flow", text, json!("billz-opencart")),
        "flow" => ("Only of this flow", text, json!("billz-opencart")),
        "code" if path == "/sync/retry-list" => ("Only items that failed for this reason", text, json!("price_unreadable")),
        "class" => ("Only this kind of failure", json!({"$ref": "#/components/schemas/FailureClass"}), json!("bad_item")),
        "state" if path == "/sync/retry-list" => {
            let words = json!({"type": "string", "enum": ["waiting", "dismissed"], "default": "waiting"});
            ("Those that wait, or those that were dismissed", words, json!("waiting"))
        }
        "code" => ("Stable name of the type of problem", text, json!("stream-busy")),
        "enabled" => ("Only started (true) or only stopped ones (false)", json!({"type": "boolean"}), json!(true)),
        "n" => ("How many times", json!({"type": "integer", "minimum": 1, "maximum": 100, "default": 10}), json!(3)),
        "connection" if path == EXPLAIN => ("Id of the connection", text, json!(examples::CONNECTION)),
        "item" => ("The source's id of the item; give this or `target`", text, json!(examples::SOURCE)),
        "target" => ("Id of the target item, instead of `item`", text, Value::Null),
        "connection" => ("Only of this connection", text, json!(examples::CONNECTION)),
        "owner" => ("Only of this owner's connections", text, json!("seller:42")),
        "state" if path.ends_with("/links") => {
            ("Only links in this state", json!({"$ref": "#/components/schemas/LinkState"}), json!("linked"))
        }
        "state" => ("Only runs in this state", json!({"$ref": "#/components/schemas/RunState"}), json!("succeeded")),
        "outcome" => ("Only items that ended so", json!({"$ref": "#/components/schemas/Outcome"}), json!("updated")),
        "run" => ("Only of this run", text, json!(examples::RUN)),
        "key" => (
            "Only by the key of this id; `admin-key` is that of the configuration, `command-line` the program itself",
            text,
            json!("admin-key"),
        ),
        "action" => ("Only acts of this name", text, json!("connections.change")),
        "limit" => (
            "Rows of a page",
            json!({"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}),
            json!(DEFAULT_LIMIT),
        ),
        "all" => ("Also categories that nothing waits for", json!({"type": "boolean", "default": false}), json!(true)),
        "cursor" => ("`next_cursor` of the page before", text, Value::Null),
        _ => ("", text, Value::Null),
    }
}

/// Query parameters by operation.
fn query(operation: &str) -> &'static [&'static str] {
    match operation {
        "list_connections" => &["flow", "limit", "cursor"],
        "list_streams" => &["limit", "cursor"],
        "list_standing" => &["outcome", "limit", "cursor"],
        "list_links" => &["state", "limit", "cursor"],
        "list_unmapped_categories" => &["all", "limit", "cursor"],
        "list_schedules" => &["connection", "stream", "enabled", "limit", "cursor"],
        "next_of_schedule" => &["n"],
        "runs_of_schedule" | "skips_of_schedule" => &["limit", "cursor"],
        "list_runs" => &["flow", "connection", "stream", "owner", "state", "limit", "cursor"],
        "list_items" => &["outcome", "limit", "cursor"],
        "list_items_csv" => &["outcome"],
        "explain" => &["connection", "item", "target"],
        "get_hook" => &["orderid", "externalid", "ttn", "do", "comment"],
        "list_audit" => &["connection", "run", "owner", "key", "action", "limit", "cursor"],
        "list_retries" => &["flow", "connection", "stream", "owner", "class", "code", "state", "limit", "cursor"],
        _ => &[],
    }
}

/// Problems that only some operations have.
fn conflicts(operation: &str) -> &'static [Code] {
    match operation {
        "create_connection" => &[Code::IdempotencyMismatch, Code::RequestInProgress],
        "patch_connection" => &[Code::InUse, Code::PreconditionFailed],
        "delete_connection" | "delete_stream" => &[Code::InUse, Code::PreconditionFailed],
        "create_stream" => &[Code::InUse, Code::IdempotencyMismatch, Code::RequestInProgress],
        "patch_stream" => &[Code::PreconditionFailed],
        "discover_streams" => &[Code::RemoteAuth, Code::RemoteUnavailable],
        "put_brakes" => &[Code::PreconditionFailed, Code::PreconditionRequired],
        "set_link" => &[Code::InUse, Code::TargetUnavailable],
        "confirm_link" => &[Code::InUse, Code::NotAwaiting, Code::IdempotencyMismatch, Code::RequestInProgress, Code::TargetUnavailable],
        "list_unmapped_categories" => &[Code::TargetUnavailable],
        "replace_category_mappings" => &[Code::PreconditionFailed, Code::PreconditionRequired, Code::TargetUnavailable],
        "replace_alerts" => &[Code::PreconditionFailed, Code::PreconditionRequired],
        "test_alerts" => &[Code::NotFound, Code::IdempotencyMismatch, Code::RequestInProgress],
        "replace_locks" => &[Code::PreconditionFailed, Code::PreconditionRequired],
        "start_sync" => &[Code::StreamBusy, Code::IdempotencyMismatch, Code::RequestInProgress],
        "approve_run" => &[Code::NotAwaiting, Code::PlanExpired, Code::StreamBusy, Code::IdempotencyMismatch, Code::RequestInProgress],
        "reject_run" => &[Code::NotAwaiting, Code::PlanExpired, Code::IdempotencyMismatch, Code::RequestInProgress],
        "cancel_run" => &[Code::NotAwaiting, Code::IdempotencyMismatch, Code::RequestInProgress],
        "create_schedule" | "start_schedule" | "stop_schedule" => &[Code::IdempotencyMismatch, Code::RequestInProgress],
        "patch_schedule" | "delete_schedule" => &[Code::PreconditionFailed],
        "undo_run" => &[Code::StreamBusy, Code::NothingToUndo, Code::UndoExpired, Code::IdempotencyMismatch, Code::RequestInProgress],
        "explain" => &[Code::NotFound],
        "follow_run" => &[Code::TooManyStreams],
        "retry_item" => &[Code::StreamBusy, Code::ValidationFailed, Code::IdempotencyMismatch, Code::RequestInProgress],
        "retry_failed" => {
            &[Code::StreamBusy, Code::NotAwaiting, Code::ValidationFailed, Code::IdempotencyMismatch, Code::RequestInProgress]
        }
        "dismiss_item" => &[Code::IdempotencyMismatch, Code::RequestInProgress],
        "get_hook" | "post_hook" => &[Code::NotFound, Code::HookRefused, Code::ValidationFailed, Code::HookQueueFull, Code::TooLarge],
        "readyz" => &[Code::DatabaseUnavailable],
        _ => &[],
    }
}

/// Operations that take an `Idempotency-Key`.
fn takes_key(operation: &str) -> bool {
    matches!(
        operation,
        "create_schedule"
            | "start_schedule"
            | "stop_schedule"
            | "test_alerts"
            | "create_connection"
            | "create_stream"
            | "confirm_link"
            | "start_sync"
            | "cancel_run"
            | "approve_run"
            | "reject_run"
            | "undo_run"
            | "retry_failed"
            | "retry_item"
            | "dismiss_item"
    )
}

/// The document as JSON text, pretty, in a stable order: what `openapi/openapi.json` holds and `/openapi.json` answers.
pub fn openapi_json(flows: &[FlowDoc]) -> String {
    let mut text = serde_json::to_string_pretty(&document(flows)).unwrap_or_default();
    text.push('\n');
    text
}

/// The document.
pub fn document(flows: &[FlowDoc]) -> Value {
    let (_, collected) = actix_web::App::new().into_utoipa_app().configure(super::routes).split_for_parts();
    let mut paths = serde_json::to_value(&collected.paths).ok().and_then(object).unwrap_or_default();
    paths.insert("/docs/".to_owned(), swagger_path());
    for (path, item) in &mut paths {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            if let Some(operation) = operation.as_object_mut() {
                complete(path, method, operation);
            }
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "tradesync",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Billz, OpenCart, InSales, Bitrix24, OneBox and their neighbours in step",
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This service"}],
        "security": [{"bearer": []}],
        "tags": TAGS.iter().map(|(name, description)| json!({"name": name, "description": description})).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "description": "An API key (`ts_…`), or the admin key of the configuration."}},
            "schemas": schemas(collected.components, flows),
        },
    })
}

fn object(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

fn schemas(collected: Option<utoipa::openapi::Components>, flows: &[FlowDoc]) -> Map<String, Value> {
    let mut schemas = collected.and_then(|components| serde_json::to_value(components.schemas).ok()).and_then(object).unwrap_or_default();
    let mut own = vec![(Document::name().into_owned(), Document::schema())];
    Document::schemas(&mut own);
    own.into_iter().for_each(|(name, schema)| drop(schemas.insert(name, serde_json::to_value(schema).unwrap_or_default())));
    if flows.is_empty() {
        return schemas;
    }
    let mut described = Vec::new();
    for flow in flows {
        schemas.extend(flow.schemas.iter().cloned());
        let secrets = flow
            .secrets
            .iter()
            .map(|(name, required)| format!("`{name}`{}", if *required { " (required)" } else { "" }))
            .collect::<Vec<_>>()
            .join(", ");
        described.push(format!("`{}`: settings `{}`; secrets {secrets}.", flow.flow, flow.settings));
    }
    let options = flows.iter().map(|flow| json!({"$ref": format!("#/components/schemas/{}", flow.settings)})).collect::<Vec<_>>();
    let names = flows.iter().map(|flow| flow.flow).collect::<Vec<_>>();
    if let Some(properties) =
        schemas.get_mut("NewConnection").and_then(|schema| schema.get_mut("properties")).and_then(Value::as_object_mut)
    {
        properties.insert(
            "settings".to_owned(),
            json!({"anyOf": options, "description": "Settings of its flow; what is absent or null has its default."}),
        );
        if let Some(flow) = properties.get_mut("flow").and_then(Value::as_object_mut) {
            flow.insert("enum".to_owned(), json!(names));
            flow.insert("description".to_owned(), json!(format!("One of the flows.\n\n{}", described.join("\n"))));
        }
    }
    schemas
}

fn swagger_path() -> Value {
    json!({"get": {
        "tags": ["Service"], "operationId": "swagger_ui", "summary": "This document, to be tried out", "description": "Swagger UI; its assets are inside the program.",
        "responses": {"200": {"description": "The page", "content": {"text/html": {"schema": {"type": "string"}}}}},
    }})
}

fn complete(path: &str, method: &str, operation: &mut Map<String, Value>) {
    let id = operation.get("operationId").and_then(Value::as_str).unwrap_or_default().to_owned();
    let needs = ROUTES
        .iter()
        .find(|(known, pattern, _)| known.eq_ignore_ascii_case(method) && *pattern == path)
        .map_or(Needs::Open, |(_, _, needs)| *needs);
    let role = match needs {
        Needs::Open => {
            operation.insert("security".to_owned(), json!([]));
            "Needs no key."
        }
        Needs::Token => {
            operation.insert("security".to_owned(), json!([]));
            "Needs no key: the token in the path is the right to call it."
        }
        Needs::Reader => "Needs the role `reader`.",
        Needs::Operator => "Needs the role `operator`.",
        Needs::Admin => "Needs the role `admin`.",
    };
    let description = operation.get("description").and_then(Value::as_str).unwrap_or_default();
    if !description.contains(role) {
        let joined = format!("{description}\n\n{role}");
        operation.insert("description".to_owned(), json!(joined.trim()));
    }
    operation.insert("parameters".to_owned(), Value::Array(parameters(path, method, &id, needs)));
    let has_body = operation.contains_key("requestBody");
    if let Some(example) = examples::request(&id) {
        set_example(operation.get_mut("requestBody"), "application/json", example);
    }
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    let fine = responses.keys().next().cloned();
    if let (Some(example), Some(fine)) = (examples::response(&id), fine) {
        set_example(responses.get_mut(&fine), "application/json", example);
    }
    for (status, codes) in problems(path, &id, needs, has_body) {
        let titles = codes.iter().map(|code| format!("`{}`: {}", code.name(), code.title())).collect::<Vec<_>>().join("\n\n");
        let example = codes.first().map(|code| {
            json!({"type": format!("/problems/{}", code.name()), "title": code.title(), "status": status, "detail": code.title(), "code": code.name(), "next": code.next()})
        });
        let content = json!({"schema": {"$ref": "#/components/schemas/Problem"}, "example": example});
        responses.insert(status.to_string(), json!({"description": titles, "content": {"application/problem+json": content}}));
    }
}

fn set_example(holder: Option<&mut Value>, media: &str, example: Value) {
    if let Some(content) =
        holder.and_then(|holder| holder.get_mut("content")).and_then(|content| content.get_mut(media)).and_then(Value::as_object_mut)
    {
        content.insert("example".to_owned(), example);
    }
}

fn parameters(path: &str, method: &str, id: &str, needs: Needs) -> Vec<Value> {
    let in_path = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).map(|name| (name, "path"));
    let mut all = in_path
        .chain(query(id).iter().map(|name| (*name, "query")))
        .map(|(name, place)| {
            let (description, schema, example) = parameter(name, path);
            let mut made = json!({"name": name, "in": place, "required": place == "path" || (path == EXPLAIN && name == "connection") || name == "orderid", "description": description, "schema": schema});
            if let (false, Some(members)) = (example.is_null(), made.as_object_mut()) {
                members.insert("example".to_owned(), example);
            }
            made
        })
        .collect::<Vec<_>>();
    let mut header = |name: &str, description: &str| {
        all.push(json!({"name": name, "in": "header", "required": false, "description": description, "schema": {"type": "string"}}));
    };
    if !matches!(needs, Needs::Open | Needs::Token) {
        header("X-On-Behalf-Of", "Narrows the key to one owner, such as `seller:42`. Required for keys that act for sellers.");
    }
    if takes_key(id) {
        header("Idempotency-Key", "1 to 255 printable characters. The same request with the same key gets the first answer again.");
    }
    if id.starts_with("replace_") {
        header(
            "If-Match",
            "ETag of what is to be replaced, or `*`: 428 without it, 412 if it has changed since. What stands already may always be sent again.",
        );
    }
    if matches!(method, "patch" | "delete") && !id.contains("link") {
        header("If-Match", "ETag of what the change is based on; 412 if it has changed since.");
    }
    if matches!(id, "get_connection" | "get_run") {
        header("If-None-Match", "ETag of what is known already; 304 if it has not changed since.");
    }
    if id == "follow_run" {
        header("Last-Event-ID", "Id of the last event that was received: only what came since is told.");
    }
    if id == "put_brakes" {
        header("If-Match", "ETag of what the change is based on, or `*`; required. 412 if it has changed since.");
    }
    let of_schedule = id.contains("schedule") && !matches!(id, "delete_schedule" | "next_of_schedule" | "runs_of_schedule");
    let of_report = matches!(
        id,
        "list_items"
            | "explain"
            | "list_items_csv"
            | "list_standing"
            | "list_runs"
            | "get_run"
            | "follow_run"
            | "list_retries"
            | "dismiss_item"
            | "get_alerts"
            | "replace_alerts"
    );
    if of_schedule || of_report {
        header("Accept-Language", "ru, uz, en or uk.");
    }
    all
}

/// Problems of an operation by status, in order.
fn problems(path: &str, id: &str, needs: Needs, has_body: bool) -> std::collections::BTreeMap<u16, Vec<Code>> {
    let mut codes = Vec::new();
    if has_body {
        codes.extend([Code::InvalidJson, Code::TooLarge, Code::UnsupportedMediaType, Code::ValidationFailed]);
    }
    if !query(id).is_empty() {
        codes.push(Code::InvalidQuery);
    }
    if !matches!(needs, Needs::Open | Needs::Token) {
        codes.extend([Code::InvalidHeader, Code::Unauthenticated, Code::Forbidden, Code::OnBehalfOfRequired, Code::Internal]);
    }
    if path.contains('{') {
        codes.push(Code::NotFound);
    }
    codes.extend(conflicts(id));
    codes.into_iter().fold(std::collections::BTreeMap::new(), |mut all, code| {
        all.entry(code.status()).or_insert_with(Vec::new).push(code);
        all
    })
}

/// The OpenAPI document
///
/// OpenAPI 3.1; the same as `openapi/openapi.json` in the repository.
#[utoipa::path(tag = "Service", responses((status = 200, description = "The document", body = Object)))]
#[get("/openapi.json")]
pub async fn openapi_document(api: web::Data<Api>) -> Answer {
    Ok(HttpResponse::Ok().content_type(header::ContentType::json()).body(api.document.to_string()))
}

/// Swagger UI, and the way to it from its path without the slash.
pub fn pages(config: &mut web::ServiceConfig) {
    config
        .route("/docs", web::get().to(|| async { HttpResponse::PermanentRedirect().insert_header((header::LOCATION, "/docs/")).finish() }))
        .service(
            SwaggerUi::new("/docs/{_:.*}")
                .config(Config::from("/openapi.json").try_it_out_enabled(true).persist_authorization(true).display_request_duration(true)),
        );
}
