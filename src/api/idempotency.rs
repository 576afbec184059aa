//! `Idempotency-Key`: read, scoped and hashed here; kept by the store in the transaction that acts.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, dev::Payload, http::StatusCode, http::header};

use super::{
    Api,
    auth::Caller,
    problem::{Answer, Problem},
};
use crate::{
    engine::{
        ports::{Acted, Idempotency, RenderBox, StoredAnswer},
        secrets,
    },
    fault::{Code, Fault},
};

/// The request's header.
pub const HEADER: &str = "idempotency-key";
/// Marks an answer that was given before.
pub const REPLAYED: &str = "idempotency-replayed";
/// Longest key.
const MAX_BYTES: usize = 255;

/// The scope of a request's key, if it has one.
pub struct Key(Option<String>);

impl FromRequest for Key {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(request).map(Self).map_err(Problem::from))
    }
}

fn read(request: &HttpRequest) -> Result<Option<String>, Fault> {
    let mut values = request.headers().get_all(HEADER);
    let Some(value) = values.next() else { return Ok(None) };
    let wrong =
        || Fault::new(Code::InvalidHeader, format!("Idempotency-Key must stand once and have 1 to {MAX_BYTES} printable ASCII characters"));
    let key = value.to_str().map_err(|_| wrong())?.trim();
    if key.is_empty() || key.len() > MAX_BYTES || values.next().is_some() {
        return Err(wrong());
    }
    let extensions = request.extensions();
    let caller = extensions.get::<Caller>().ok_or_else(|| Fault::new(Code::NotFound, "there is no such path"))?;
    let parts = [caller.key.as_str(), caller.on_behalf_of.as_deref().unwrap_or_default(), request.method().as_str(), request.path(), key];
    Ok(Some(secrets::fingerprint(&parts.map(str::as_bytes))))
}

/// Acts once per key. A key that was answered before is answered again before anything is looked at, so that a replay does not depend on what
/// has become of the stream, link or run meanwhile. `work` stores the rendered answer in the transaction that acts.
pub async fn act<T, Work, Render>(
    api: &Api,
    key: Key,
    digest: &str,
    render: Render,
    work: impl FnOnce(Option<Idempotency>, RenderBox<T>) -> Work,
) -> Answer
where
    T: 'static,
    Render: Fn(&T) -> StoredAnswer + Clone + Send + Sync + 'static,
    Work: Future<Output = Result<Acted<T>, Fault>>,
{
    let key = key.0.map(|scope| Idempotency { scope, body: digest.to_owned() });
    let before = match &key {
        Some(key) => api.service.answers.replay(key).await?,
        None => None,
    };
    let acted = match before {
        Some(answer) => Acted::Replayed(answer),
        None => work(key, Box::new(render.clone())).await?,
    };
    Ok(answer(&acted, render))
}

/// An answer as it is given now, and kept for replay.
pub fn stored(status: StatusCode, location: Option<String>, body: &impl serde::Serialize) -> StoredAnswer {
    StoredAnswer { status: status.as_u16(), location, body: serde_json::to_string(body).unwrap_or_default() }
}

/// The answer to an act: fresh, or as it was given before.
fn answer<T>(acted: &Acted<T>, render: impl Fn(&T) -> StoredAnswer) -> HttpResponse {
    let (answer, replayed) = match acted {
        Acted::Fresh(thing) => (render(thing), false),
        Acted::Replayed(answer) => (answer.clone(), true),
    };
    let mut response = HttpResponse::build(StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK));
    response.content_type(header::ContentType::json());
    if let Some(location) = answer.location {
        response.insert_header((header::LOCATION, location));
    }
    if replayed {
        response.insert_header((REPLAYED, "true"));
    }
    response.body(answer.body)
}
