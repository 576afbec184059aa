//! `/sync/retry-list`, and the failed items of one run.

use actix_web::{HttpRequest, HttpResponse, get, http::StatusCode, http::header, post, web};

use super::{
    Api,
    auth::Caller,
    idempotency::{self, Key},
    json::{Nothing, Strict},
    page::{Page, Params},
    problem::Answer,
    sync::accepted,
    views::retry_item::{ClassView, RetryItemView, RetryStateView},
    views::run::RunView,
};
use crate::{
    domain::text::Lang,
    engine::{
        ports::StoredAnswer,
        retry_list::{RetryFilter, RetryItem},
    },
};

/// List failed items
///
/// Of all runs, newest first. They come back by themselves: a scheduled run takes one up when `next_at` has come, when the source has changed it or
/// when mended settings let it pass; a run that a person starts takes up all. What passes leaves the list. Sentences are in the language of
/// `Accept-Language` (ru, uz, en, uk).
#[utoipa::path(tag = "Retry list", responses((status = 200, description = "A page of failed items", body = Page<RetryItemView>)))]
#[get("/sync/retry-list")]
pub async fn list_retries(api: web::Data<Api>, caller: Caller, mut query: Params, request: HttpRequest) -> Answer {
    let filter = RetryFilter {
        flows: query.text("flow").map(|flow| vec![flow]),
        connection: query.text("connection"),
        stream: query.text("stream"),
        owner: query.text("owner"),
        class: query.word::<ClassView>("class", "unavailable, rate_limited, auth, bad_item, config, protocol, internal").map(Into::into),
        code: query.text("code"),
        dismissed: query.word::<RetryStateView>("state", "waiting, dismissed") == Some(RetryStateView::Dismissed),
    };
    let page = query.page();
    query.done()?;
    let lang = language(&request);
    let listing = api.service.list_retries(&caller.scope, filter, page).await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_LANGUAGE, lang.tag()))
        .insert_header((header::VARY, "accept-language"))
        .json(Page::of(listing, |item| RetryItemView::of(item, lang))))
}

fn language(request: &HttpRequest) -> Lang {
    Lang::negotiate(request.headers().get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()))
}

/// Try a failed item again
///
/// Queues an incremental run of this one item. While the stream is busy that is refused with 409 `stream-busy`, but the item is due at once, so that
/// the stream's next run takes it up.
#[utoipa::path(tag = "Retry list", responses((status = 202, description = "The queued run", body = RunView, headers(("Location" = String, description = "Path of the run")))))]
#[post("/sync/retry-list/{id}/retry")]
pub async fn retry_item(api: web::Data<Api>, caller: Caller, id: web::Path<String>, key: Key, body: Strict<Nothing>) -> Answer {
    let work = |key, render| api.service.retry_item(&caller.scope, &id, key, render);
    idempotency::act(&api, key, &body.digest, accepted, work).await
}

/// Dismiss a failed item
///
/// Runs leave it alone until the source changes it; then it is decided anew. The audit keeps who dismissed it.
#[utoipa::path(tag = "Retry list", responses((status = 200, description = "The item", body = RetryItemView)))]
#[post("/sync/retry-list/{id}/dismiss")]
pub async fn dismiss_item(
    api: web::Data<Api>,
    caller: Caller,
    id: web::Path<String>,
    key: Key,
    request: HttpRequest,
    body: Strict<Nothing>,
) -> Answer {
    let work = |key, render| api.service.dismiss_retry(&caller.scope, &id, key, render);
    let render = match language(&request) {
        Lang::Ru => |item: &RetryItem| dismissed(item, Lang::Ru),
        Lang::Uz => |item: &RetryItem| dismissed(item, Lang::Uz),
        Lang::En => |item: &RetryItem| dismissed(item, Lang::En),
        Lang::Uk => |item: &RetryItem| dismissed(item, Lang::Uk),
    };
    idempotency::act(&api, key, &body.digest, render, work).await
}

fn dismissed(item: &RetryItem, lang: Lang) -> StoredAnswer {
    idempotency::stored(StatusCode::OK, None, &RetryItemView::of(item.clone(), lang))
}

/// Try the failed items of a run again
///
/// Queues an incremental run of the items that failed in it; a dry run is repeated as a dry run. Of more than 1,000 all are made due, and the run is
/// one over the whole stream.
#[utoipa::path(tag = "Runs", responses((status = 202, description = "The queued run", body = RunView, headers(("Location" = String, description = "Path of the run")))))]
#[post("/sync/runs/{id}/retry-failed")]
pub async fn retry_failed(api: web::Data<Api>, caller: Caller, id: web::Path<String>, key: Key, body: Strict<Nothing>) -> Answer {
    let work = |key, render| api.service.retry_failed(&caller.scope, &id, key, render);
    idempotency::act(&api, key, &body.digest, accepted, work).await
}
