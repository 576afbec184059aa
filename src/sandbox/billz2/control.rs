//! The control API under `/_sandbox/billz2/`: no login, no limit, not in the journal. Errors are `{"error": "<text>"}`.

use actix_web::{
    HttpResponse, Scope,
    http::StatusCode,
    web::{self, Bytes, Data, Path},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    super::control::{Answer, Refusal, Reset, number, ok, read, refuse},
    Handle,
    changes::{Patch, RandomChanges},
    faults::Rule,
    products::Query,
};

/// Where the control API lives.
pub const ROOT: &str = "/_sandbox/billz2";

/// The routes with one line each, for people.
pub const ROUTES: &[(&str, &str)] = &[
    ("GET    state", "counts, switches, faults"),
    ("PUT    switches", "merge JSON into the switches"),
    ("GET    faults", "the rules, with how often each has fired"),
    ("POST   faults", "add a rule or a list: {\"route\":\"/v2/products\",\"skip\":1,\"times\":2,\"fault\":\"cut_body\"}"),
    ("DELETE faults", "forget all rules"),
    ("POST   expire-tokens", "call back every token"),
    ("GET    requests", "what was asked; the busiest second"),
    ("DELETE requests", "forget what was asked"),
    ("GET    shops", "the shops"),
    ("GET    products?limit=&offset=", "the truth, oldest first"),
    ("GET    products/{id}", "the truth about one"),
    ("POST   products", "add a product, all fields optional"),
    ("PATCH  products/{id}", "change one: {\"stock\":{\"Chilonzor\":3},\"price\":{...},\"promo\":{\"Sergeli\":null}}"),
    ("DELETE products/{id}", "delete without a trace"),
    ("POST   random-changes", "{\"stock\":10,\"price\":5,\"promo\":3,\"new\":2,\"deleted\":1,\"seed\":7}"),
    ("POST   reset", "a new catalogue: {\"products\":300,\"seed\":1}"),
];

fn id(text: &str) -> Result<Uuid, Refusal> {
    Uuid::parse_str(text).map_err(|_| refuse(StatusCode::NOT_FOUND, &format!("`{text}` is not a product id")))
}

fn no_product(id: &Uuid) -> Refusal {
    refuse(StatusCode::NOT_FOUND, &format!("no product {id}"))
}

/// The control API's routes.
pub fn scope() -> Scope {
    web::scope(ROOT)
        .route("/state", web::get().to(state))
        .route("/switches", web::get().to(get_switches))
        .route("/switches", web::put().to(put_switches))
        .route("/faults", web::get().to(get_faults))
        .route("/faults", web::post().to(post_faults))
        .route("/faults", web::delete().to(delete_faults))
        .route("/expire-tokens", web::post().to(expire_tokens))
        .route("/requests", web::get().to(get_requests))
        .route("/requests", web::delete().to(delete_requests))
        .route("/shops", web::get().to(shops))
        .route("/products", web::get().to(get_products))
        .route("/products", web::post().to(post_product))
        .route("/products/{id}", web::get().to(get_product))
        .route("/products/{id}", web::patch().to(patch_product))
        .route("/products/{id}", web::delete().to(delete_product))
        .route("/random-changes", web::post().to(random_changes))
        .route("/reset", web::post().to(reset))
        .default_service(web::to(nothing_here))
}

async fn nothing_here() -> HttpResponse {
    let routes: Vec<String> = ROUTES.iter().map(|(route, what)| format!("{route}: {what}")).collect();
    HttpResponse::NotFound().json(json!({"error": "no such control route", "routes": routes}))
}

async fn state(handle: Data<Handle>) -> Answer {
    ok(&handle.state())
}

async fn get_switches(handle: Data<Handle>) -> Answer {
    ok(&handle.switches())
}

async fn put_switches(handle: Data<Handle>, body: Bytes) -> Answer {
    let change: Value = read(&body)?;
    match handle.merge_switches(&change) {
        Ok(switches) => ok(&switches),
        Err(text) => Err(refuse(StatusCode::UNPROCESSABLE_ENTITY, &text)),
    }
}

async fn get_faults(handle: Data<Handle>) -> Answer {
    ok(&handle.faults())
}

/// One rule or a list of rules. A list is added whole or not at all.
async fn post_faults(handle: Data<Handle>, body: Bytes) -> Answer {
    let rules: Vec<Rule> = match read::<Value>(&body)? {
        list @ Value::Array(_) => serde_json::from_value(list),
        one => serde_json::from_value(one).map(|rule| vec![rule]),
    }
    .map_err(|error| refuse(StatusCode::UNPROCESSABLE_ENTITY, &format!("fault: {error}")))?;
    rules.into_iter().for_each(|rule| handle.add_fault(rule));
    ok(&handle.faults())
}

async fn delete_faults(handle: Data<Handle>) -> Answer {
    handle.clear_faults();
    Ok(HttpResponse::NoContent().finish())
}

async fn expire_tokens(handle: Data<Handle>) -> Answer {
    handle.expire_tokens();
    Ok(HttpResponse::NoContent().finish())
}

async fn get_requests(handle: Data<Handle>) -> Answer {
    ok(&handle.requests())
}

async fn delete_requests(handle: Data<Handle>) -> Answer {
    handle.clear_requests();
    Ok(HttpResponse::NoContent().finish())
}

async fn shops(handle: Data<Handle>) -> Answer {
    let shops: Vec<Value> = handle.shops().into_iter().map(|shop| json!({"id": shop.id, "name": shop.name})).collect();
    ok(&shops)
}

async fn get_products(handle: Data<Handle>, request: actix_web::HttpRequest) -> Answer {
    let query = Query::parse(request.query_string());
    ok(&handle.products(number(query.get("offset"), "offset", 0)?, number(query.get("limit"), "limit", 100)?))
}

async fn get_product(handle: Data<Handle>, path: Path<String>) -> Answer {
    let id = id(&path)?;
    ok(&handle.product(&id).ok_or_else(|| no_product(&id))?)
}

async fn post_product(handle: Data<Handle>, body: Bytes) -> Answer {
    let given: Patch = read(&body)?;
    let id = handle.create(&given).map_err(|text| refuse(StatusCode::UNPROCESSABLE_ENTITY, &text))?;
    Ok(HttpResponse::Created().json(json!({ "id": id })))
}

async fn patch_product(handle: Data<Handle>, path: Path<String>, body: Bytes) -> Answer {
    let id = id(&path)?;
    let change: Patch = read(&body)?;
    handle.product(&id).ok_or_else(|| no_product(&id))?;
    match handle.patch(&id, &change) {
        Ok(truth) => ok(&truth),
        Err(text) => Err(refuse(StatusCode::UNPROCESSABLE_ENTITY, &text)),
    }
}

async fn delete_product(handle: Data<Handle>, path: Path<String>) -> Answer {
    let id = id(&path)?;
    if handle.delete(&id) { Ok(HttpResponse::NoContent().finish()) } else { Err(no_product(&id)) }
}

async fn random_changes(handle: Data<Handle>, body: Bytes) -> Answer {
    let wanted: RandomChanges = read(&body)?;
    ok(&handle.random_changes(&wanted))
}

async fn reset(handle: Data<Handle>, body: Bytes) -> Answer {
    let Reset { products, seed } = Reset::read(&body)?;
    handle.reset(products, seed);
    ok(&handle.state())
}
