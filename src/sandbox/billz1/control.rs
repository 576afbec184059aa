//! The control API under `/_sandbox/billz1/`: no token, not in the journal. Errors are `{"error": "<text>"}`.

use actix_web::{
    HttpRequest, HttpResponse, Scope,
    http::StatusCode,
    web::{self, Bytes, Data, Path},
};
use serde_json::{Value, json};

use super::{
    super::{
        billz2::products::Query,
        control::{Answer, Refusal, Reset, number, ok, read, refuse},
    },
    Handle,
    catalogue::{Patch, RandomChanges},
    faults::Rule,
};

/// Where the control API lives.
pub const ROOT: &str = "/_sandbox/billz1";

/// The routes with one line each, for people.
pub const ROUTES: &[(&str, &str)] = &[
    ("GET    state", "counts, switches, faults"),
    ("PUT    switches", "merge JSON into the switches"),
    ("GET    faults", "the rules, with how often each has fired"),
    ("POST   faults", "add a rule or a list: {\"skip\":1,\"times\":2,\"fault\":{\"cut_body\":{\"after\":600}}}"),
    ("DELETE faults", "forget all rules"),
    ("GET    requests", "what was asked"),
    ("DELETE requests", "forget what was asked"),
    ("GET    offices", "the offices"),
    ("GET    products?limit=&offset=", "the truth, oldest first"),
    ("GET    products/{id}", "the truth about one"),
    ("POST   products", "add a product, all fields optional"),
    ("PATCH  products/{id}", "change one: {\"stock\":{\"Chilonzor\":3},\"price\":{...},\"discount\":{\"Sergeli\":0}}"),
    ("DELETE products/{id}", "delete without a trace"),
    ("POST   random-changes", "{\"stock\":10,\"price\":5,\"discount\":3,\"new\":2,\"deleted\":1,\"seed\":7}"),
    ("POST   reset", "a new catalogue: {\"products\":300,\"seed\":1}"),
];

fn refused(text: &str) -> Refusal {
    refuse(StatusCode::UNPROCESSABLE_ENTITY, text)
}

fn no_product(id: &str) -> Refusal {
    refuse(StatusCode::NOT_FOUND, &format!("no product {id}"))
}

fn id(text: &str) -> Result<u64, Refusal> {
    text.parse().map_err(|_| no_product(text))
}

/// The control API's routes.
pub fn scope() -> Scope {
    web::scope(ROOT)
        .route("/state", web::get().to(state))
        .route("/switches", web::put().to(put_switches))
        .route("/faults", web::get().to(get_faults))
        .route("/faults", web::post().to(post_faults))
        .route("/faults", web::delete().to(delete_faults))
        .route("/requests", web::get().to(get_requests))
        .route("/requests", web::delete().to(delete_requests))
        .route("/offices", web::get().to(offices))
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

async fn put_switches(handle: Data<Handle>, body: Bytes) -> Answer {
    let change: Value = read(&body)?;
    ok(&handle.merge_switches(&change).map_err(|text| refused(&text))?)
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
    .map_err(|error| refused(&format!("fault: {error}")))?;
    rules.into_iter().for_each(|rule| handle.add_fault(rule));
    ok(&handle.faults())
}

async fn delete_faults(handle: Data<Handle>) -> Answer {
    handle.clear_faults();
    Ok(HttpResponse::NoContent().finish())
}

async fn get_requests(handle: Data<Handle>) -> Answer {
    ok(&handle.requests())
}

async fn delete_requests(handle: Data<Handle>) -> Answer {
    handle.clear_requests();
    Ok(HttpResponse::NoContent().finish())
}

async fn offices(handle: Data<Handle>) -> Answer {
    let offices: Vec<Value> = handle.offices().into_iter().map(|(id, name)| json!({"id": id, "name": name})).collect();
    ok(&offices)
}

async fn get_products(handle: Data<Handle>, request: HttpRequest) -> Answer {
    let query = Query::parse(request.query_string());
    ok(&handle.products(number(query.get("offset"), "offset", 0)?, number(query.get("limit"), "limit", 100)?))
}

async fn get_product(handle: Data<Handle>, path: Path<String>) -> Answer {
    ok(&handle.product(id(&path)?).ok_or_else(|| no_product(&path))?)
}

async fn post_product(handle: Data<Handle>, body: Bytes) -> Answer {
    let given: Patch = read(&body)?;
    let id = handle.create(&given).map_err(|text| refused(&text))?;
    Ok(HttpResponse::Created().json(json!({ "id": id })))
}

async fn patch_product(handle: Data<Handle>, path: Path<String>, body: Bytes) -> Answer {
    let id = id(&path)?;
    let change: Patch = read(&body)?;
    handle.product(id).ok_or_else(|| no_product(&path))?;
    ok(&handle.patch(id, &change).map_err(|text| refused(&text))?)
}

async fn delete_product(handle: Data<Handle>, path: Path<String>) -> Answer {
    if handle.delete(id(&path)?) { Ok(HttpResponse::NoContent().finish()) } else { Err(no_product(&path)) }
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
