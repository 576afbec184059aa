//! `/connections`.

use actix_web::{HttpRequest, HttpResponse, delete, get, http::StatusCode, http::header, patch, post, web};

use super::{
    Api,
    auth::Caller,
    etag,
    idempotency::{self, Key},
    json::Strict,
    language::spoken,
    page::{Page, Params},
    problem::Answer,
    views::connection::{CheckView, ConnectionBody, ConnectionPatchBody, ConnectionView, DiscoverView},
};
use crate::{
    domain::text::Lang,
    engine::{model::Connection, ports::StoredAnswer, service::connections::ConnectionPatch},
};

/// List connections
///
/// Newest first. A key limited to flows or an owner sees its own only.
#[utoipa::path(tag = "Connections", responses((status = 200, description = "A page of connections", body = Page<ConnectionView>)))]
#[get("/connections")]
pub async fn list_connections(api: web::Data<Api>, caller: Caller, mut query: Params) -> Answer {
    let flow = query.text("flow");
    let page = query.page();
    query.done()?;
    let listing = api.service.list_connections(&caller.scope, flow, page).await?;
    Ok(HttpResponse::Ok().json(Page::of(listing, |connection| ConnectionView::from(&connection))))
}

/// Make a connection
///
/// Settings and secrets are checked by its flow. Secrets are sealed and never shown again. Links of an earlier connection between the same
/// source account, target and owner are adopted.
#[utoipa::path(tag = "Connections", request_body = ConnectionBody, responses((status = 201, description = "The connection", body = ConnectionView)))]
#[post("/connections")]
pub async fn create_connection(api: web::Data<Api>, caller: Caller, key: Key, body: Strict<ConnectionBody>) -> Answer {
    let Strict { value, digest } = body;
    let work = |key, render| api.service.create_connection(&caller.scope, value.into(), key, render);
    idempotency::act(&api, key, &digest, created, work).await
}

fn created(connection: &Connection) -> StoredAnswer {
    idempotency::stored(StatusCode::CREATED, Some(format!("/connections/{}", connection.id)), &ConnectionView::from(connection))
}

/// Show a connection
///
/// Secrets are shown as `"set"`.
#[utoipa::path(tag = "Connections", responses((status = 200, description = "The connection", body = ConnectionView)))]
#[get("/connections/{id}")]
pub async fn get_connection(api: web::Data<Api>, caller: Caller, id: web::Path<String>, request: HttpRequest) -> Answer {
    let connection = api.service.connection(&caller.scope, &id).await?;
    if etag::is_known(&request, connection.version) {
        return Ok(HttpResponse::NotModified().insert_header((header::ETAG, etag::tag(connection.version))).finish());
    }
    Ok(shown(&connection))
}

fn shown(connection: &Connection) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::ETAG, etag::tag(connection.version))).json(ConnectionView::from(connection))
}

/// Change a connection
///
/// RFC 7396: what is absent stays, `null` means default (settings) or delete (secrets); the secret value `"set"` means unchanged. Source and
/// target cannot be changed while links stand between them (409 `in-use`), except from Billz 1 to Billz 2.
#[utoipa::path(tag = "Connections", request_body = ConnectionPatchBody, responses((status = 200, description = "The connection as it stands now", body = ConnectionView)))]
#[patch("/connections/{id}")]
pub async fn patch_connection(
    api: web::Data<Api>,
    caller: Caller,
    id: web::Path<String>,
    request: HttpRequest,
    body: Strict<ConnectionPatchBody>,
) -> Answer {
    let expected = etag::if_match(&request)?;
    let patch = ConnectionPatch::from(body.value);
    Ok(shown(&api.service.patch_connection(&caller.scope, &id, &patch, expected).await?))
}

/// Delete a connection
///
/// Refused while a run is live. Its links stay, and a successor between the same accounts adopts them.
#[utoipa::path(tag = "Connections", responses((status = 204, description = "It is deleted")))]
#[delete("/connections/{id}")]
pub async fn delete_connection(api: web::Data<Api>, caller: Caller, id: web::Path<String>, request: HttpRequest) -> Answer {
    api.service.delete_connection(&caller.scope, &id, etag::if_match(&request)?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Check a connection
///
/// Calls the remotes and changes nothing: logs in, looks at rights, tables and settings. `ok` is true when every check is well. What was
/// found is told in the language of `Accept-Language` where the flow speaks it (`billz-opencart` does), else in English.
#[utoipa::path(tag = "Connections", responses((status = 200, description = "What was found", body = CheckView)))]
#[post("/connections/{id}/check")]
pub async fn check_connection(api: web::Data<Api>, caller: Caller, id: web::Path<String>, lang: Lang) -> Answer {
    let checks = api.service.check_connection(&caller.scope, &id, lang).await?;
    Ok(spoken(HttpResponse::Ok(), lang).json(CheckView { ok: checks.iter().all(|check| check.ok), checks }))
}

/// Ask what streams the remote offers
///
/// Billz: the shops of the company. Nothing is stored; make a stream with what is shown here.
#[utoipa::path(tag = "Streams", responses((status = 200, description = "What the remote offers", body = DiscoverView)))]
#[post("/connections/{id}/streams/discover")]
pub async fn discover_streams(api: web::Data<Api>, caller: Caller, id: web::Path<String>) -> Answer {
    let items = api.service.discover(&caller.scope, &id).await?;
    Ok(HttpResponse::Ok().json(DiscoverView { items }))
}
