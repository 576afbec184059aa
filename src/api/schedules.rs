//! `/schedules`.

use actix_web::{HttpRequest, HttpResponse, delete, get, http::StatusCode, http::header, patch, post, web};

use super::{
    Api,
    auth::Caller,
    etag,
    idempotency::{self, Key},
    json::{Nothing, Strict},
    language::spoken,
    page::{Page, Params},
    problem::Answer,
    views::{
        run::RunView,
        schedule::{NextList, ScheduleBody, SchedulePatchBody, ScheduleView, SkipView},
    },
};
use crate::{
    domain::text::Lang,
    engine::{
        ports::StoredAnswer,
        schedule::{Schedule, ScheduleFilter},
        service::schedules::{MOST_NEXT, SchedulePatch},
    },
};

/// List schedules
///
/// Newest first. `text` says in the language of `Accept-Language` what each rule means.
#[utoipa::path(tag = "Schedules", responses((status = 200, description = "A page of schedules", body = Page<ScheduleView>)))]
#[get("/schedules")]
pub async fn list_schedules(api: web::Data<Api>, caller: Caller, mut query: Params, lang: Lang) -> Answer {
    let filter = ScheduleFilter {
        connection: query.text("connection"),
        stream: query.text("stream"),
        enabled: query.flag("enabled"),
        ..ScheduleFilter::default()
    };
    let page = query.page();
    query.done()?;
    let listing = api.service.list_schedules(&caller.scope, filter, page).await?;
    Ok(spoken(HttpResponse::Ok(), lang).json(Page::of(listing, |schedule| ScheduleView::of(&schedule, lang))))
}

/// Make a schedule
///
/// A stream may have several, such as a quick one by day and a full one by night; a due time that comes while the stream's run is at work is
/// skipped, and told under `/schedules/{id}/skips`. `every` counts from the beginning of the hours (or midnight) in the time zone.
#[utoipa::path(
    tag = "Schedules",
    request_body = ScheduleBody,
    responses((status = 201, description = "The schedule", body = ScheduleView, headers(("Location" = String, description = "Path of the schedule"))))
)]
#[post("/schedules")]
pub async fn create_schedule(api: web::Data<Api>, caller: Caller, key: Key, body: Strict<ScheduleBody>, lang: Lang) -> Answer {
    let Strict { value, digest } = body;
    let work = |key, render| api.service.create_schedule(&caller.scope, value.into(), key, render);
    idempotency::act(&api, key, &digest, answered(StatusCode::CREATED, lang), work).await
}

fn answered(status: StatusCode, lang: Lang) -> impl Fn(&Schedule) -> StoredAnswer + Clone + Send + Sync {
    move |schedule| {
        let location = (status == StatusCode::CREATED).then(|| format!("/schedules/{}", schedule.id));
        idempotency::stored(status, location, &ScheduleView::of(schedule, lang))
    }
}

fn shown(schedule: &Schedule, lang: Lang) -> HttpResponse {
    spoken(HttpResponse::Ok(), lang).insert_header((header::ETAG, etag::tag(schedule.version))).json(ScheduleView::of(schedule, lang))
}

/// Show a schedule
///
/// With its next due time, its last run and the last due times that it let pass.
#[utoipa::path(tag = "Schedules", responses((status = 200, description = "The schedule", body = ScheduleView)))]
#[get("/schedules/{id}")]
pub async fn get_schedule(api: web::Data<Api>, caller: Caller, id: web::Path<String>, lang: Lang) -> Answer {
    Ok(shown(&api.service.schedule(&caller.scope, &id).await?, lang))
}

/// Change a schedule
///
/// RFC 7396; also while its run is at work, which goes on. Giving `every` takes `cron` away, and the other way round.
#[utoipa::path(tag = "Schedules", request_body = SchedulePatchBody, responses((status = 200, description = "The schedule as it stands now", body = ScheduleView)))]
#[patch("/schedules/{id}")]
pub async fn patch_schedule(
    api: web::Data<Api>,
    caller: Caller,
    id: web::Path<String>,
    request: HttpRequest,
    body: Strict<SchedulePatchBody>,
    lang: Lang,
) -> Answer {
    let expected = etag::if_match(&request)?;
    let patch = SchedulePatch::from(body.value);
    Ok(shown(&api.service.patch_schedule(&caller.scope, &id, &patch, expected).await?, lang))
}

/// Delete a schedule
///
/// Its runs and their reports stay.
#[utoipa::path(tag = "Schedules", responses((status = 204, description = "It is deleted")))]
#[delete("/schedules/{id}")]
pub async fn delete_schedule(api: web::Data<Api>, caller: Caller, id: web::Path<String>, request: HttpRequest) -> Answer {
    api.service.delete_schedule(&caller.scope, &id, etag::if_match(&request)?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Start a schedule
///
/// From its next due time on; one that is started already stays as it is.
#[utoipa::path(tag = "Schedules", responses((status = 200, description = "The schedule", body = ScheduleView)))]
#[post("/schedules/{id}/start")]
pub async fn start_schedule(
    api: web::Data<Api>,
    caller: Caller,
    id: web::Path<String>,
    key: Key,
    body: Strict<Nothing>,
    lang: Lang,
) -> Answer {
    let work = |key, render| api.service.enable_schedule(&caller.scope, &id, true, key, render);
    idempotency::act(&api, key, &body.digest, answered(StatusCode::OK, lang), work).await
}

/// Stop a schedule
///
/// A run that is at work goes on; no further one is started.
#[utoipa::path(tag = "Schedules", responses((status = 200, description = "The schedule", body = ScheduleView)))]
#[post("/schedules/{id}/stop")]
pub async fn stop_schedule(
    api: web::Data<Api>,
    caller: Caller,
    id: web::Path<String>,
    key: Key,
    body: Strict<Nothing>,
    lang: Lang,
) -> Answer {
    let work = |key, render| api.service.enable_schedule(&caller.scope, &id, false, key, render);
    idempotency::act(&api, key, &body.digest, answered(StatusCode::OK, lang), work).await
}

/// Next due times of a schedule
///
/// `n` of 1 to 100, 10 unless asked otherwise; without the jitter. For a stopped one: what it would do.
#[utoipa::path(tag = "Schedules", responses((status = 200, description = "The times", body = NextList)))]
#[get("/schedules/{id}/next")]
pub async fn next_of_schedule(api: web::Data<Api>, caller: Caller, id: web::Path<String>, mut query: Params) -> Answer {
    let count = query.count("n", 10, MOST_NEXT);
    query.done()?;
    let times = api.service.next_of_schedule(&caller.scope, &id, count).await?;
    Ok(HttpResponse::Ok().json(NextList::of(&times)))
}

/// Runs of a schedule
///
/// Newest first, each with its report under `/sync/runs/{id}/items`.
#[utoipa::path(tag = "Schedules", responses((status = 200, description = "A page of runs", body = Page<RunView>)))]
#[get("/schedules/{id}/runs")]
pub async fn runs_of_schedule(api: web::Data<Api>, caller: Caller, id: web::Path<String>, mut query: Params) -> Answer {
    let page = query.page();
    query.done()?;
    let listing = api.service.runs_of_schedule(&caller.scope, &id, page).await?;
    Ok(HttpResponse::Ok().json(Page::of(listing, |run| RunView::from(&run))))
}

/// Due times that a schedule let pass
///
/// Newest first. Due times in a row that passed for the same reason are one row with a count.
#[utoipa::path(tag = "Schedules", responses((status = 200, description = "A page of skips", body = Page<SkipView>)))]
#[get("/schedules/{id}/skips")]
pub async fn skips_of_schedule(api: web::Data<Api>, caller: Caller, id: web::Path<String>, mut query: Params, lang: Lang) -> Answer {
    let page = query.page();
    query.done()?;
    let listing = api.service.skips_of_schedule(&caller.scope, &id, page).await?;
    Ok(spoken(HttpResponse::Ok(), lang).json(Page::of(listing, |skip| SkipView::of(&skip, lang))))
}
