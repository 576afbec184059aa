//! `/audit`, and what every acting request passes so that none is left out of it.

use actix_web::{
    Error, HttpMessage, HttpResponse,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    get,
    middleware::Next,
    web,
};
use serde_json::Value;

use super::{
    Api,
    auth::{self, Caller},
    frame, idempotency,
    page::{Page, Params},
    problem::Answer,
    views::audit::AuditView,
};
use crate::engine::audit::{self, Act, Actor, AuditFilter};

/// The act that an admitted request is, if it is one.
fn act_of(request: &ServiceRequest) -> Option<std::sync::Arc<Act>> {
    let (method, pattern) = (request.method().as_str(), request.match_pattern()?);
    let extensions = request.extensions();
    let caller = extensions.get::<Caller>()?;
    auth::acts(method, &pattern).then(|| {
        Act::new(Actor {
            key: caller.key.clone(),
            name: caller.name.clone(),
            on_behalf_of: caller.on_behalf_of.clone(),
            action: audit::action(method, &pattern),
            resource: request.path().to_owned(),
            request: frame::request_id(&extensions),
        })
    })
}

/// Answers a request; if it acts, its entry is written where it acts, or here when nothing there did.
pub async fn audited<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<actix_web::body::BoxBody>, Error> {
    let Some(act) = act_of(&request) else { return Ok(next.call(request).await?.map_into_boxed_body()) };
    let api = request.app_data::<web::Data<Api>>().cloned();
    let response = audit::scope(act.clone(), next.call(request)).await?.map_into_boxed_body();
    let done = response.status().is_success() && !response.headers().contains_key(idempotency::REPLAYED);
    let (true, false, Some(api)) = (done, act.is_recorded(), api) else { return Ok(response) };
    let (request, response) = response.into_parts();
    let (head, body) = response.into_parts();
    // Views mask secrets, so an answer may be kept.
    let (body, after) = match body.try_into_bytes() {
        Ok(bytes) => (actix_web::body::BoxBody::new(bytes.clone()), serde_json::from_slice::<Value>(&bytes).ok()),
        Err(body) => (body, None),
    };
    if let Err(fault) = audit::scope(act.clone(), api.service.audit.record(after)).await {
        tracing::error!(audit.action = %act.actor.action, request.id = act.actor.request, error = %fault, "an act is done, but its entry in the audit could not be written");
    }
    Ok(ServiceResponse::new(request, head.set_body(body)))
}

/// List who did what
///
/// Newest first: which key, on whose behalf, did what to what, with what stood before and after as far as it differs. Secrets are masked: `set`, and
/// `replaced` where one was changed. An entry is written in the transaction that acts; what was refused left none.
#[utoipa::path(tag = "Audit", responses((status = 200, description = "A page of entries", body = Page<AuditView>)))]
#[get("/audit")]
pub async fn list_audit(api: web::Data<Api>, caller: Caller, mut query: Params) -> Answer {
    let filter = AuditFilter {
        flows: None,
        owner: query.text("owner"),
        connection: query.text("connection"),
        run: query.text("run"),
        key: query.text("key"),
        action: query.text("action"),
    };
    let page = query.page();
    query.done()?;
    let listing = api.service.list_audit(&caller.scope, filter, page).await?;
    Ok(HttpResponse::Ok().json(Page::of(listing, AuditView::from)))
}
