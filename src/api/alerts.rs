//! `/alerts`.

use actix_web::{HttpRequest, HttpResponse, get, http::StatusCode, http::header, post, put, web};

use super::{
    Api,
    auth::Caller,
    etag,
    idempotency::{self, Key},
    json::Strict,
    language::spoken,
    problem::Answer,
    views::alert::{AlertsBody, AlertsView, TestBody, TestView},
};
use crate::{
    domain::text::Lang,
    engine::{alerts::Tested, ports::Role, service::alerts::AlertsNow},
};

/// Show the alerts
///
/// Rules and channels for exactly what the key sees: all connections; those of one owner with `X-On-Behalf-Of`; those of its flows. With how each
/// channel goes and what is not as it should be at present. Below the role `admin`, addresses of webhooks are shown without their path, which may be
/// secret.
#[utoipa::path(tag = "Alerts", responses((status = 200, description = "Rules, channels and what stands; replace them with the ETag of this answer", body = AlertsView)))]
#[get("/alerts")]
pub async fn get_alerts(api: web::Data<Api>, caller: Caller, lang: Lang) -> Answer {
    Ok(shown(&api.service.alerts(&caller.scope).await?, &caller, lang))
}

/// Set the alerts
///
/// Replaces all rules and channels for exactly what the key sees. What is absent has its default. A channel that keeps its `id` keeps its secrets where
/// they are sent as `"set"`, and what waits for it is tried again at once. What GET answers may be sent back.
#[utoipa::path(tag = "Alerts", request_body = AlertsBody, responses((status = 200, description = "The alerts as they stand now", body = AlertsView)))]
#[put("/alerts")]
pub async fn replace_alerts(api: web::Data<Api>, caller: Caller, request: HttpRequest, body: Strict<AlertsBody>, lang: Lang) -> Answer {
    let expected = etag::required(&request)?;
    let now = api.service.replace_alerts(&caller.scope, body.value.into(), expected).await?;
    Ok(shown(&now, &caller, lang))
}

/// Send a test message
///
/// Over one channel, or over all, and says of each what happened. Waits for the receivers, at most some seconds.
#[utoipa::path(tag = "Alerts", request_body = TestBody, responses((status = 200, description = "What happened over each channel", body = TestView)))]
#[post("/alerts/test")]
pub async fn test_alerts(api: web::Data<Api>, caller: Caller, key: Key, body: Strict<TestBody>) -> Answer {
    let Strict { value, digest } = body;
    let render = |tested: &Vec<Tested>| idempotency::stored(StatusCode::OK, None, &TestView::of(tested));
    idempotency::act(&api, key, &digest, render, |key, render| api.service.test_alerts(&caller.scope, value.channel, key, render)).await
}

fn shown(now: &AlertsNow, caller: &Caller, lang: Lang) -> HttpResponse {
    let whole = caller.role == Role::Admin && !caller.delegate;
    spoken(HttpResponse::Ok(), lang).insert_header((header::ETAG, etag::tag(now.kept.version))).json(AlertsView::of(now, whole, lang))
}
