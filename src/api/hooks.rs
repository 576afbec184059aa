//! `/sync/{flow}/hooks/{token}`: what a remote tells us, such as OneBox's automatic action.
//!
//! The token in the path is all the authorisation there is, so nothing of the request is logged but its pattern. Whatever form the remote sends
//! is read: query, form, multipart, JSON, also under a wrong content type.

use actix_web::{HttpRequest, HttpResponse, get, http::header, post, web};
use futures_util::StreamExt;
use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{Api, problem::Answer};
use crate::{
    engine::hooks::{Given, MOST_BYTES},
    fault::{Code, Fault},
};

/// How deep objects inside a JSON body are looked into: `order.id`.
const DEPTH: usize = 3;
/// Most fields of a hook.
const FIELDS: usize = 200;

/// A stored hook.
#[derive(Debug, Serialize, ToSchema)]
pub struct HookAnswer {
    /// Its number; absent where it only started a run.
    #[schema(example = "17")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// It is stored and will be dealt with.
    pub stored: bool,
    /// The run that it asked for, or that was at work already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// Tell us something (GET)
///
/// For the automatic action of OneBox. Fields by the names in `hook_fields` of the connection, in the query. Answered as soon as the hook is stored;
/// what it asks for is done after that, at once and in order. A waybill that has no carrier's form, or an action that `status_map` does not know, is
/// stored as well, shown as held, and answered 422. `do=pull` alone starts a run of the stream `orders`. `token` is one of the connection's secret `hook_token`; no API key is needed.
#[utoipa::path(tag = "Hooks", responses((status = 200, description = "Stored", body = HookAnswer)))]
#[get("/sync/{flow}/hooks/{token}")]
pub async fn get_hook(api: web::Data<Api>, path: web::Path<(String, String)>, request: HttpRequest) -> Answer {
    receive(&api, path.into_inner(), from_query(request.query_string())).await
}

/// Tell us something (POST)
///
/// The same with the fields in the query, a form, multipart or JSON; those of the body win. A body may have 64 KiB.
#[utoipa::path(
    tag = "Hooks",
    request_body(content = serde_json::Value, content_type = "application/json", description = "Fields by the names in `hook_fields`"),
    responses((status = 200, description = "Stored", body = HookAnswer))
)]
#[post("/sync/{flow}/hooks/{token}")]
pub async fn post_hook(api: web::Data<Api>, path: web::Path<(String, String)>, request: HttpRequest, payload: web::Payload) -> Answer {
    let body = collect(payload).await?;
    let media = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let mut given = from_query(request.query_string());
    given.extend(from_body(&media, &body).await?);
    receive(&api, path.into_inner(), given).await
}

async fn receive(api: &Api, (flow, token): (String, String), given: Given) -> Answer {
    let received = api.service.receive_hook(&flow, &SecretString::from(token), &given).await?;
    match received.refused {
        Some(fault) => Err(fault.into()),
        None => Ok(HttpResponse::Ok().json(HookAnswer {
            stored: received.id.is_some(),
            id: received.id.map(|id| id.to_string()),
            run: received.run,
        })),
    }
}

async fn collect(mut payload: web::Payload) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Fault::new(Code::InvalidJson, "the body broke off"))?;
        if body.len().saturating_add(chunk.len()) > MOST_BYTES {
            return Err(Fault::new(Code::TooLarge, format!("a hook may have {MOST_BYTES} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn pairs(text: &[u8]) -> Given {
    url::form_urlencoded::parse(text).take(FIELDS).map(|(name, value)| (name.into_owned(), Value::String(value.into_owned()))).collect()
}

fn from_query(query: &str) -> Given {
    pairs(query.as_bytes())
}

/// The fields of a body. The form is told by the body itself where the content type does not fit: OneBox's own sample sends `application`.
async fn from_body(media: &str, body: &[u8]) -> Result<Given, Fault> {
    let trimmed = body.trim_ascii();
    if trimmed.is_empty() {
        return Ok(Map::new());
    }
    if media.get(..19).is_some_and(|kind| kind.eq_ignore_ascii_case("multipart/form-data")) {
        return from_multipart(media, body).await;
    }
    if trimmed.starts_with(b"{") || trimmed.starts_with(b"[") {
        return match serde_json::from_slice::<Value>(trimmed) {
            Ok(value) => Ok(from_json(value)),
            Err(error) => Err(Fault::new(Code::InvalidJson, format!("the body is not readable JSON: {error}"))),
        };
    }
    if media.to_ascii_lowercase().contains("json") {
        return Err(Fault::new(Code::InvalidJson, "the body is no JSON object"));
    }
    Ok(pairs(trimmed))
}

async fn from_multipart(media: &str, body: &[u8]) -> Result<Given, Fault> {
    let unreadable = |error: multer::Error| Fault::new(Code::InvalidJson, format!("the multipart body cannot be read: {error}"));
    let boundary = multer::parse_boundary(media).map_err(unreadable)?;
    let bytes = actix_web::web::Bytes::copy_from_slice(body);
    let mut parts = multer::Multipart::new(futures_util::stream::once(async move { Ok::<_, std::convert::Infallible>(bytes) }), boundary);
    let mut given = Map::new();
    while let Some(part) = parts.next_field().await.map_err(unreadable)? {
        let Some(name) = part.name().map(str::to_owned).filter(|_| given.len() < FIELDS) else { continue };
        given.insert(name, Value::String(part.text().await.map_err(unreadable)?));
    }
    Ok(given)
}

/// Members of an object by their names, those inside other objects by `order.id`. A list of one object is that object.
fn from_json(value: Value) -> Given {
    let value = match value {
        Value::Array(items) => items.into_iter().next().unwrap_or_default(),
        other => other,
    };
    let mut given = Map::new();
    flatten("", value, DEPTH, &mut given);
    given
}

fn flatten(prefix: &str, value: Value, depth: usize, given: &mut Given) {
    let Value::Object(members) = value else { return };
    for (name, value) in members {
        let name = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value {
            Value::Object(_) if depth > 0 => flatten(&name, value, depth - 1, given),
            value if given.len() < FIELDS => drop(given.insert(name, value)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(media: &str, body: &str) -> Value {
        let given = futures_util::FutureExt::now_or_never(from_body(media, body.as_bytes())).unwrap().unwrap();
        Value::Object(given)
    }

    #[test]
    fn every_form_of_a_hook_is_read() {
        let wanted = json!({"orderid": "127901", "ttn": "20450000000000"});
        assert_eq!(Value::Object(from_query("orderid=127901&ttn=20450000000000")), wanted);
        assert_eq!(read("application/x-www-form-urlencoded", "orderid=127901&ttn=20450000000000"), wanted);
        assert_eq!(read("", "orderid=127901&ttn=20450000000000"), wanted);
        for media in ["application/json", "application", "text/plain", "application/x-www-form-urlencoded", ""] {
            assert_eq!(read(media, r#"{"orderid":"127901","ttn":"20450000000000"}"#), wanted, "{media}");
        }
        assert_eq!(read("application/json", r#"[{"orderid":"127901","ttn":"20450000000000"}]"#), wanted);
        let parts = "--X\r\nContent-Disposition: form-data; name=\"orderid\"\r\n\r\n127901\r\n--X\r\nContent-Disposition: form-data; name=\"ttn\"\r\n\r\n20450000000000\r\n--X--\r\n";
        assert_eq!(read("multipart/form-data; boundary=X", parts), wanted);
        assert_eq!(read("application/json", ""), json!({}));
    }

    #[test]
    fn objects_inside_are_reached_by_their_path() {
        assert_eq!(
            read("application/json", r#"{"order":{"id":7,"np":{"ttn":"1"}},"do":"ship"}"#),
            json!({"order.id": 7, "order.np.ttn": "1", "do": "ship"})
        );
    }

    #[test]
    fn broken_json_is_told() {
        let fault = futures_util::FutureExt::now_or_never(from_body("application/json", b"{\"a\":")).unwrap().unwrap_err();
        assert_eq!(fault.code, Code::InvalidJson);
        assert!(futures_util::FutureExt::now_or_never(from_body("application/json", b"nothing")).unwrap().is_err());
    }
}
