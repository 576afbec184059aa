//! `/connections/{id}/locks`.

use actix_web::{HttpRequest, HttpResponse, get, http::header, put, web};

use super::{
    Api,
    auth::Caller,
    etag,
    json::Strict,
    page::Params,
    problem::Answer,
    views::lock::{LockList, LocksBody},
};
use crate::engine::locks::LockSet;

/// List locks
///
/// Items and fields that are never touched, whatever the source says.
#[utoipa::path(tag = "Locks", responses((status = 200, description = "All locks; replace them with the ETag of this answer", body = LockList)))]
#[get("/connections/{id}/locks")]
pub async fn list_locks(api: web::Data<Api>, caller: Caller, id: web::Path<String>, query: Params) -> Answer {
    query.done()?;
    Ok(shown(&api.service.locks(&caller.scope, &id).await?))
}

/// Replace the locks
///
/// All of them at once. A lock names an item by `source` or `target`, and `fields`, or leaves one of them out: an item without fields is
/// locked whole (and not created either), fields without an item are locked for every item. It holds from the next batch on, also for plans
/// that were made before. Locks that stood already keep `set_by` and `set_at`.
#[utoipa::path(tag = "Locks", request_body = LocksBody, responses((status = 200, description = "The locks as they stand now", body = LockList)))]
#[put("/connections/{id}/locks")]
pub async fn replace_locks(
    api: web::Data<Api>,
    caller: Caller,
    id: web::Path<String>,
    request: HttpRequest,
    body: Strict<LocksBody>,
) -> Answer {
    let expected = etag::required(&request)?;
    let locks = body.value.locks(&caller.who());
    Ok(shown(&api.service.replace_locks(&caller.scope, &id, locks, expected).await?))
}

fn shown(locks: &LockSet) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::ETAG, etag::tag(locks.version))).json(LockList::from(locks))
}
