//! `/connections/{id}/streams`.

use actix_web::{HttpRequest, HttpResponse, delete, get, http::StatusCode, http::header, patch, post, web};

use super::{
    Api,
    auth::Caller,
    etag,
    idempotency::{self, Key},
    json::Strict,
    page::{Page, Params},
    problem::Answer,
    views::stream::{StreamBody, StreamList, StreamPatchBody, StreamView},
    views::{run::OutcomeView, standing::StandingView},
};
use crate::{
    domain::text::Lang,
    engine::{model::Stream, ports::StoredAnswer, service::streams::StreamPatch},
};

/// List streams
///
/// All streams of a connection, by key.
#[utoipa::path(tag = "Streams", responses((status = 200, description = "The streams", body = StreamList)))]
#[get("/connections/{id}/streams")]
pub async fn list_streams(api: web::Data<Api>, caller: Caller, id: web::Path<String>, mut query: Params) -> Answer {
    query.page();
    query.done()?;
    let streams = api.service.list_streams(&caller.scope, &id).await?;
    let next = api.service.next_runs(&id).await?;
    let items = streams.iter().map(|stream| StreamView::from(stream).running_next_at(next.get(&stream.stream).copied())).collect();
    Ok(HttpResponse::Ok().json(StreamList { items, next_cursor: None }))
}

/// List what stands
///
/// Items that run after run leaves alone or holds for an answer, in order of their keys, each with the run that said so first. Runs of a schedule
/// only count them while nothing changes. Sentences are in the language of `Accept-Language` (ru, uz, en, uk).
#[utoipa::path(tag = "Streams", responses((status = 200, description = "A page of items", body = Page<StandingView>)))]
#[get("/connections/{id}/streams/{stream}/standing")]
pub async fn list_standing(
    api: web::Data<Api>,
    caller: Caller,
    path: web::Path<(String, String)>,
    mut query: Params,
    request: HttpRequest,
) -> Answer {
    let (id, stream) = path.into_inner();
    let outcome = query.word::<OutcomeView>("outcome", "created, updated, unchanged, skipped, failed, held").map(Into::into);
    let page = query.page();
    query.done()?;
    let lang = Lang::negotiate(request.headers().get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()));
    let listing = api.service.list_standing(&caller.scope, &id, &stream, outcome, page).await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_LANGUAGE, lang.tag()))
        .insert_header((header::VARY, "accept-language"))
        .json(Page::of(listing, |item| StandingView::of(item, lang))))
}

/// Make a stream
///
/// For flows whose streams the remote names (a Billz shop). Streams with fixed names exist with their connection.
#[utoipa::path(tag = "Streams", request_body = StreamBody, responses((status = 201, description = "The stream", body = StreamView)))]
#[post("/connections/{id}/streams")]
pub async fn create_stream(api: web::Data<Api>, caller: Caller, id: web::Path<String>, key: Key, body: Strict<StreamBody>) -> Answer {
    let Strict { value, digest } = body;
    let work = |key, render| api.service.create_stream(&caller.scope, &id, value.into(), key, render);
    idempotency::act(&api, key, &digest, created, work).await
}

fn created(stream: &Stream) -> StoredAnswer {
    let key = url::form_urlencoded::byte_serialize(stream.stream.as_bytes()).collect::<String>().replace('+', "%20");
    idempotency::stored(StatusCode::CREATED, Some(format!("/connections/{}/streams/{key}", stream.connection)), &StreamView::from(stream))
}

/// Show a stream
///
/// With its cursor and the time of the last synchronisation.
#[utoipa::path(tag = "Streams", responses((status = 200, description = "The stream", body = StreamView)))]
#[get("/connections/{id}/streams/{stream}")]
pub async fn get_stream(api: web::Data<Api>, caller: Caller, path: web::Path<(String, String)>) -> Answer {
    let (id, stream) = path.into_inner();
    let stream = api.service.get_stream(&caller.scope, &id, &stream).await?;
    shown(&api, &stream).await
}

async fn shown(api: &Api, stream: &Stream) -> Answer {
    let next = api.service.next_runs(&stream.connection).await?.remove(&stream.stream);
    Ok(HttpResponse::Ok().insert_header((header::ETAG, etag::tag(stream.version))).json(StreamView::from(stream).running_next_at(next)))
}

/// Change a stream
///
/// RFC 7396. `cursor` may be set back to read a span again, or to `null` to read everything.
#[utoipa::path(tag = "Streams", request_body = StreamPatchBody, responses((status = 200, description = "The stream as it stands now", body = StreamView)))]
#[patch("/connections/{id}/streams/{stream}")]
pub async fn patch_stream(
    api: web::Data<Api>,
    caller: Caller,
    path: web::Path<(String, String)>,
    request: HttpRequest,
    body: Strict<StreamPatchBody>,
) -> Answer {
    let (id, stream) = path.into_inner();
    let expected = etag::if_match(&request)?;
    let patch = StreamPatch::from(body.value);
    let stream = api.service.patch_stream(&caller.scope, &id, &stream, &patch, expected).await?;
    shown(&api, &stream).await
}

/// Delete a stream
///
/// Refused while a run is live, and for streams with fixed names.
#[utoipa::path(tag = "Streams", responses((status = 204, description = "It is deleted")))]
#[delete("/connections/{id}/streams/{stream}")]
pub async fn delete_stream(api: web::Data<Api>, caller: Caller, path: web::Path<(String, String)>, request: HttpRequest) -> Answer {
    let (id, stream) = path.into_inner();
    api.service.delete_stream(&caller.scope, &id, &stream, etag::if_match(&request)?).await?;
    Ok(HttpResponse::NoContent().finish())
}
