//! `/sync/runs`.

use actix_web::{HttpRequest, HttpResponse, get, http::header, post, web};

use super::{
    Api,
    auth::Caller,
    etag,
    idempotency::{self, Key},
    json::{Nothing, Strict},
    language::spoken,
    page::{Page, Params},
    problem::Answer,
    sync::accepted,
    views::run::{ItemView, OutcomeView, RunView, StateView},
};
use crate::{
    domain::text::Lang,
    engine::{
        model::State,
        ports::{ItemFilter, RunFilter},
    },
};

/// List runs
///
/// Newest first.
#[utoipa::path(tag = "Runs", responses((status = 200, description = "A page of runs", body = Page<RunView>)))]
#[get("/sync/runs")]
pub async fn list_runs(api: web::Data<Api>, caller: Caller, mut query: Params, lang: Lang) -> Answer {
    let filter = RunFilter {
        flows: query.text("flow").map(|flow| vec![flow]),
        connection: query.text("connection"),
        stream: query.text("stream"),
        owner: query.text("owner"),
        state: query
            .word::<StateView>("state", "queued, running, awaiting_approval, succeeded, partial, failed, cancelled")
            .map(Into::into),
    };
    let page = query.page();
    query.done()?;
    let listing = api.service.list_runs(&caller.scope, filter, page).await?;
    Ok(spoken(HttpResponse::Ok(), lang).json(Page::of(listing, |run| RunView::of(&run, lang))))
}

/// Show a run
///
/// Poll it with `If-None-Match` to be told only of changes (a queued run is always shown: its place in the queue moves), or follow it by
/// `/sync/runs/{id}/events`.
#[utoipa::path(tag = "Runs", responses((status = 200, description = "The run", body = RunView)))]
#[get("/sync/runs/{id}")]
pub async fn get_run(api: web::Data<Api>, caller: Caller, id: web::Path<String>, request: HttpRequest, lang: Lang) -> Answer {
    let run = api.service.run_in_queue(&caller.scope, &id).await?;
    let tag = (header::ETAG, etag::tag(run.version));
    // The place in the queue moves without the run.
    if run.state != State::Queued && etag::is_known(&request, run.version) {
        return Ok(HttpResponse::NotModified().insert_header(tag).finish());
    }
    Ok(spoken(HttpResponse::Ok(), lang).insert_header(tag).json(RunView::of(&run, lang)))
}

/// Which items are asked for.
pub fn item_filter(query: &mut Params) -> ItemFilter {
    ItemFilter { outcome: query.word::<OutcomeView>("outcome", "created, updated, unchanged, skipped, failed, held").map(Into::into) }
}

/// List what a run did, item by item
///
/// In the order of its plan, each with its fields, old and new values and the rule that decided. Unchanged items are only counted. So are, in runs that
/// a schedule or webhook started, items that are skipped or held exactly as in the run before: those that began, changed or ended are told, and
/// `/connections/{id}/streams/{stream}/standing` lists what stands. Empty once the items are no longer kept (phase `pruned`). Sentences are in the
/// language of `Accept-Language` (ru, uz, en, uk).
#[utoipa::path(tag = "Runs", responses((status = 200, description = "A page of items", body = Page<ItemView>)))]
#[get("/sync/runs/{id}/items")]
pub async fn list_items(api: web::Data<Api>, caller: Caller, id: web::Path<String>, mut query: Params, lang: Lang) -> Answer {
    let filter = item_filter(&mut query);
    let page = query.page();
    query.done()?;
    let listing = api.service.run_items(&caller.scope, &id, filter, page).await?;
    Ok(spoken(HttpResponse::Ok(), lang).json(Page::of(listing, |row| ItemView::of(row, lang))))
}

/// Cancel a run
///
/// A queued run ends at once; a running one at its next safe point. What was applied stands.
#[utoipa::path(tag = "Runs", responses((status = 202, description = "The run", body = RunView)))]
#[post("/sync/runs/{id}/cancel")]
pub async fn cancel_run(api: web::Data<Api>, caller: Caller, id: web::Path<String>, key: Key, body: Strict<Nothing>) -> Answer {
    let work = |key, render| api.service.cancel_run(&caller.scope, &id, key, render);
    idempotency::act(&api, key, &body.digest, accepted, work).await
}

/// Approve a waiting run
///
/// Goes on as the same run: a dry run with what it planned, another with what a brake holds. Precisely that is applied; an item that stands
/// otherwise in the target than it did then, or that a newer run has decided about, is left alone with its reason. After `expires_at` it is 409
/// `plan-expired`.
#[utoipa::path(tag = "Runs", responses((status = 202, description = "The run", body = RunView)))]
#[post("/sync/runs/{id}/approve")]
pub async fn approve_run(api: web::Data<Api>, caller: Caller, id: web::Path<String>, key: Key, body: Strict<Nothing>) -> Answer {
    let work = |key, render| api.service.settle_run(&caller.scope, &id, true, key, render);
    idempotency::act(&api, key, &body.digest, accepted, work).await
}

/// Reject a waiting run
///
/// Nothing of what waits is applied, and it ends as cancelled. The next run decides anew.
#[utoipa::path(tag = "Runs", responses((status = 202, description = "The run", body = RunView)))]
#[post("/sync/runs/{id}/reject")]
pub async fn reject_run(api: web::Data<Api>, caller: Caller, id: web::Path<String>, key: Key, body: Strict<Nothing>) -> Answer {
    let work = |key, render| api.service.settle_run(&caller.scope, &id, false, key, render);
    idempotency::act(&api, key, &body.digest, accepted, work).await
}

/// Undo a run
///
/// Queues a run of its own (`trigger: undo`) that puts back what the run applied, where it still stands as the run left it. What somebody
/// changed since stays, and its report lists it with the present value; created products are hidden, not deleted. It moves no cursor. Undone
/// values are left alone by later runs until the source's value moves. An undo can be undone as well. It works while the connection is disabled.
#[utoipa::path(
    tag = "Runs",
    responses((status = 202, description = "The queued undo", body = RunView, headers(("Location" = String, description = "Path of the run"))))
)]
#[post("/sync/runs/{id}/undo")]
pub async fn undo_run(api: web::Data<Api>, caller: Caller, id: web::Path<String>, key: Key, body: Strict<Nothing>) -> Answer {
    let work = |key, render| api.service.undo_run(&caller.scope, &id, key, render);
    idempotency::act(&api, key, &body.digest, accepted, work).await
}
