//! `/livez`, `/readyz`, `/metrics`: open, for supervisors and Prometheus. They name no connection's secrets and no owner.

use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Api, problem::Answer};

/// That all is well.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// Always `ok`.
    status: &'static str,
}

/// Whether the process lives
///
/// Needs no key. Touches nothing else, so that a database that is away does not get the process restarted.
#[utoipa::path(tag = "Service", responses((status = 200, description = "It lives", body = Health)))]
#[get("/livez")]
pub async fn livez() -> Answer {
    Ok(HttpResponse::Ok().json(Health { status: "ok" }))
}

/// Whether requests can be served
///
/// Needs no key. 503 with a problem document while our database does not answer or lacks migrations.
#[utoipa::path(tag = "Service", responses((status = 200, description = "It is ready", body = Health)))]
#[get("/readyz")]
pub async fn readyz(api: web::Data<Api>) -> Answer {
    api.service.ready.ready().await?;
    Ok(HttpResponse::Ok().json(Health { status: "ok" }))
}

/// Metrics
///
/// Prometheus' text form. Needs no key: keep the path inside your network if counts per flow are private.
#[utoipa::path(tag = "Service", responses((status = 200, description = "The metrics", body = String, content_type = "text/plain")))]
#[get("/metrics")]
pub async fn metrics(api: web::Data<Api>) -> Answer {
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(api.metrics.render()))
}
