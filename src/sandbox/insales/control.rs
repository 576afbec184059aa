//! The control API over HTTP: what [`Handle`] can do, for tests outside this process and for people.

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Bytes, Data},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{
        control::{Answer, ok, read, refuse},
        desk,
    },
    Handle,
    catalogue::Product,
};

/// Where it stands.
pub const ROOT: &str = "/_sandbox/insales";

/// Routes of its own, for people; the others are [`desk::ROUTES`].
pub const ROUTES: &[(&str, &str)] = &[
    ("GET    products", "the truth"),
    ("POST   products", "add one: {\"title\":\"Кружка\",\"variants\":[{\"barcode\":\"46\",\"quantities\":[5]}]}"),
    ("DELETE products/{id}", "delete one"),
    ("POST   archive/{id}", "put a product into the archive"),
    ("GET    barcodes/{barcode}", "the variants that have it"),
    ("PATCH  variants/{id}", "a person edits one: {\"barcode\":\"47\",\"quantity\":9}; null = not tracked"),
    ("POST   order/{id}", "an order takes pieces: {\"pieces\":1}"),
    ("POST   reset", "a new catalogue: {\"goods\":60}"),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    pieces: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reset {
    goods: usize,
}

/// Every request below [`ROOT`].
pub async fn front(request: HttpRequest, body: Bytes, handle: Data<Handle>) -> Answer {
    let (method, path) = (request.method().as_str(), request.path().trim_start_matches(ROOT).trim_matches('/'));
    if let Some(answer) = desk::control(handle.desk(), method, path, &body) {
        return answer;
    }
    let wrong = |text: &str| refuse(StatusCode::UNPROCESSABLE_ENTITY, text);
    let nothing = || refuse(StatusCode::NOT_FOUND, "there is no such thing");
    let done = || Ok(HttpResponse::NoContent().finish());
    let (head, tail) = path.split_once('/').unwrap_or((path, ""));
    let id: Option<u64> = tail.parse().ok();
    match (method, head, id) {
        ("GET", "state", _) => ok(&json!({"state": handle.state(), "faults": handle.desk().faults()})),
        ("PUT", "switches", _) => ok(&handle.merge_switches(&read::<Value>(&body)?).map_err(|text| wrong(&text))?),
        ("GET", "products", _) => ok(&handle.products()),
        ("POST", "products", _) => ok(&json!({"id": handle.add(read::<Product>(&body)?)})),
        ("DELETE", "products", Some(id)) if handle.delete(id) => done(),
        ("POST", "archive", Some(id)) if handle.archive(id) => done(),
        ("GET", "barcodes", _) => ok(&handle.with_barcode(tail)),
        ("PATCH", "variants", Some(id)) => {
            let change: Value = read(&body)?;
            let known = handle.edit(id, |variant| {
                if let Some(barcode) = change.get("barcode") {
                    variant.barcode = barcode.as_str().map(str::to_owned);
                }
                if let (Some(quantity), Some(place)) = (change.get("quantity"), variant.quantities.first_mut()) {
                    *place = quantity.as_i64();
                }
            });
            if known { done() } else { Err(nothing()) }
        }
        ("POST", "order", Some(id)) if handle.order(id, read::<Order>(&body)?.pieces) => done(),
        ("POST", "reset", _) => {
            handle.reset(read::<Reset>(&body)?.goods);
            ok(&handle.state())
        }
        _ => Err(nothing()),
    }
}
