//! `/connections/{id}/brakes`.

use actix_web::{HttpRequest, HttpResponse, get, http::header, put, web};

use super::{
    Api,
    auth::Caller,
    etag,
    json::Strict,
    problem::Answer,
    views::brake::{BrakesBody, BrakesView},
};
use crate::engine::service::brakes::Brakes;

/// Show the brakes of a connection
///
/// Limits on what one run may change, with all defaults, and what the last run of each stream read against them. A run over a limit goes on with
/// what is safe and holds the rest: it is `awaiting_approval`. `first_run` is laid over them in runs of streams that were never synchronised,
/// `streams` in runs of those streams.
#[utoipa::path(tag = "Brakes", responses((status = 200, description = "Limits and present readings", body = BrakesView)))]
#[get("/connections/{id}/brakes")]
pub async fn get_brakes(api: web::Data<Api>, caller: Caller, id: web::Path<String>) -> Answer {
    Ok(shown(api.service.brakes(&caller.scope, &id).await?))
}

/// Set the brakes of a connection
///
/// Replaces all limits; what is absent has its default, `"on": false` switches a brake off. The next run works by them and decides anew about what
/// waits. `readings` may be sent back as they came; they are not read.
#[utoipa::path(tag = "Brakes", request_body = BrakesBody, responses((status = 200, description = "Limits as they stand now", body = BrakesView)))]
#[put("/connections/{id}/brakes")]
pub async fn put_brakes(
    api: web::Data<Api>,
    caller: Caller,
    id: web::Path<String>,
    request: HttpRequest,
    body: Strict<BrakesBody>,
) -> Answer {
    let expected = etag::required(&request)?;
    let brakes = api.service.put_brakes(&caller.scope, &id, body.value.into(), expected).await?;
    Ok(shown(brakes))
}

fn shown(brakes: Brakes) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::ETAG, etag::tag(brakes.version))).json(BrakesView::of(brakes))
}
