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
    Handle, Product,
};

/// Where it stands.
pub const ROOT: &str = "/_sandbox/kaktus";

/// Routes of its own, for people; the others are [`desk::ROUTES`].
pub const ROUTES: &[(&str, &str)] = &[
    ("POST   expire-tokens", "refuse every token given out so far"),
    ("GET    products", "the truth"),
    ("POST   products", "add one: {\"name\":\"Кружка\",\"variants\":[{\"barcodes\":[\"46\"],\"stock\":[{\"total\":5}]}]}"),
    ("PUT    products/{id}", "replace one"),
    ("DELETE products/{id}", "delete one"),
    ("PUT    stock/{barcode}", "{\"total\":5}"),
    ("DELETE barcodes/{barcode}", "take a barcode off its variants"),
    ("POST   random-changes", "{\"count\":10,\"seed\":7}"),
    ("POST   reset", "a new catalogue: {\"goods\":60}"),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Total {
    total: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Random {
    count: usize,
    #[serde(default)]
    seed: u64,
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
    match (method, head, tail) {
        ("GET", "state", "") => ok(&json!({"state": handle.state(), "faults": handle.desk().faults()})),
        ("PUT", "switches", "") => ok(&handle.merge_switches(&read::<Value>(&body)?).map_err(|text| wrong(&text))?),
        ("POST", "expire-tokens", "") => {
            handle.expire_tokens();
            done()
        }
        ("GET", "products", "") => ok(&handle.products()),
        ("POST", "products", "") => ok(&json!({"id": handle.put(None, read::<Product>(&body)?)})),
        ("PUT", "products", id) => {
            let id = id.parse().map_err(|_| nothing())?;
            ok(&json!({"id": handle.put(Some(id), read::<Product>(&body)?)}))
        }
        ("DELETE", "products", id) if id.parse().is_ok_and(|id| handle.delete(id)) => done(),
        ("PUT", "stock", barcode) => match handle.set_stock(barcode, read::<Total>(&body)?.total) {
            0 => Err(nothing()),
            found => ok(&json!({ "variants": found })),
        },
        ("DELETE", "barcodes", barcode) if handle.forget_barcode(barcode) > 0 => done(),
        ("POST", "random-changes", "") => {
            let Random { count, seed } = read(&body)?;
            ok(&handle.random_changes(count, seed))
        }
        ("POST", "reset", "") => {
            handle.reset(read::<Reset>(&body)?.goods);
            ok(&handle.state())
        }
        _ => Err(nothing()),
    }
}
