//! `POST /sync/{flow}`: start a run.

use actix_web::{http::StatusCode, post, web};

use super::{
    Api,
    auth::Caller,
    idempotency::{self, Key},
    json::Strict,
    problem::Answer,
    views::run::{RunView, SyncBody},
};
use crate::engine::{
    model::{Run, Trigger},
    ports::StoredAnswer,
};

/// Start a run
///
/// Queues one run of one stream and answers at once; follow `Location`. While a real run of the stream is queued or running, another one is
/// refused with 409 `stream-busy` and its path in `run`; a dry run never conflicts. `items` limits it to some source keys, and then the cursor stays.
#[utoipa::path(
    tag = "Runs",
    request_body = SyncBody,
    responses((status = 202, description = "The queued run", body = RunView, headers(("Location" = String, description = "Path of the run"))))
)]
#[post("/sync/{flow}")]
pub async fn start_sync(api: web::Data<Api>, caller: Caller, flow: web::Path<String>, key: Key, body: Strict<SyncBody>) -> Answer {
    let Strict { value, digest } = body;
    let work = |key, render| api.service.start_sync(&caller.scope, &flow, value.into(), Trigger::Manual, key, render);
    idempotency::act(&api, key, &digest, accepted, work).await
}

/// 202 with the run and where to follow it.
pub fn accepted(run: &Run) -> StoredAnswer {
    idempotency::stored(StatusCode::ACCEPTED, Some(format!("/sync/runs/{}", run.id)), &RunView::from(run))
}
