//! The REST contract (design.md section 4): thin handlers over `engine::service`, one file per resource.
//!
//! Start at [`app`]. A request passes [`frame`] (admission by the table in [`auth`], problem documents, headers), then its
//! handler, which reads it strictly ([`json`], [`page`]), asks the service and shows a view.
//!
//! - [`connections`], [`streams`], [`links`], [`mappings`], [`locks`], [`brakes`], [`sync`], [`runs`] (its report also as [`items_csv`],
//!   its progress as [`run_events`]), [`explain`],
//!   [`retry_list`], [`schedules`], [`alerts`], [`hooks`], [`mapping_test`], [`audit`], [`health`]: the resources
//! - [`views`]: bodies and answers; [`problem`]: errors (RFC 9457)
//! - [`auth`]: keys, roles, `X-On-Behalf-Of`; [`idempotency`]; [`etag`]
//! - [`page_links`], [`pages`]: pages that another system opens by a signed link
//! - [`docs`]: the OpenAPI document, its [`examples`], Swagger UI

pub mod alerts;
pub mod audit;
pub mod auth;
pub mod brakes;
pub mod connections;
pub mod docs;
pub mod etag;
pub mod examples;
pub mod explain;
pub mod frame;
pub mod health;
pub mod hooks;
pub mod idempotency;
pub mod items_csv;
pub mod json;
pub mod language;
pub mod links;
pub mod locks;
pub mod mapping_test;
pub mod mappings;
pub mod page;
pub mod page_links;
pub mod pages;
pub mod problem;
pub mod retry_list;
pub mod run_events;
pub mod runs;
pub mod schedules;
pub mod streams;
pub mod sync;
pub mod views;

#[cfg(test)]
mod fakes;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use actix_web::{
    App, Error,
    body::MessageBody,
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
    middleware::from_fn,
    web,
};
use tracing_actix_web::TracingLogger;
use utoipa_actix_web::{AppExt, service_config::ServiceConfig};

pub use docs::{FlowDoc, document, openapi_json};

use crate::{
    engine::service::{Service, follow::Followers},
    fault::{Code, Fault},
    telemetry::Metrics,
};

/// What handlers need. Cheap to clone, one per server.
#[derive(Clone)]
pub struct Api {
    service: Arc<Service>,
    keys: auth::Keys,
    metrics: Metrics,
    followers: Followers,
    document: Arc<str>,
}

impl Api {
    /// The API over a service. `flows` tell the document about settings.
    pub fn new(service: Arc<Service>, metrics: Metrics, flows: &[FlowDoc]) -> Self {
        let followers = Followers::new(Arc::clone(&service.runs));
        Self { keys: auth::Keys::new(Arc::clone(&service)), followers, service, metrics, document: openapi_json(flows).into() }
    }

    /// Ends the streams of events: whoever follows a run would hold up a stop of the service.
    pub fn close_streams(&self) {
        self.followers.close();
    }
}

/// The application: give it to `HttpServer::new(move || api::app(api.clone()))`.
pub fn app(
    api: Api,
) -> App<impl ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse<impl MessageBody>, Error = Error, InitError = ()>> {
    App::new()
        .into_utoipa_app()
        .app_data(web::Data::new(api))
        .configure(routes)
        .into_app()
        .configure(docs::pages)
        .configure(pages::routes)
        .default_service(web::to(|| async { Err::<&str, _>(problem::Problem::from(Fault::new(Code::NotFound, "there is no such path"))) }))
        .wrap(from_fn(frame::frame))
        .wrap(TracingLogger::<frame::Spans>::new())
}

/// All documented routes. `/sync/runs` stands before `/sync/{flow}`, since the first match tells the pattern.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(health::livez)
        .service(health::readyz)
        .service(health::metrics)
        .service(docs::openapi_document)
        .service(problem::problem_page)
        .service(connections::list_connections)
        .service(connections::create_connection)
        .service(connections::get_connection)
        .service(connections::patch_connection)
        .service(connections::delete_connection)
        .service(connections::check_connection)
        .service(page_links::create_page_link)
        .service(connections::discover_streams)
        .service(streams::list_streams)
        .service(streams::create_stream)
        .service(streams::get_stream)
        .service(streams::patch_stream)
        .service(streams::delete_stream)
        .service(streams::list_standing)
        .service(links::list_links)
        .service(links::confirm_link)
        .service(links::set_link)
        .service(links::remove_link)
        .service(mappings::list_unmapped_categories)
        .service(mappings::list_category_mappings)
        .service(mappings::replace_category_mappings)
        .service(locks::list_locks)
        .service(locks::replace_locks)
        .service(brakes::get_brakes)
        .service(brakes::put_brakes)
        .service(runs::list_runs)
        .service(runs::get_run)
        .service(runs::list_items)
        .service(items_csv::list_items_csv)
        .service(run_events::follow_run)
        .service(runs::cancel_run)
        .service(runs::approve_run)
        .service(runs::reject_run)
        .service(schedules::list_schedules)
        .service(schedules::create_schedule)
        .service(schedules::get_schedule)
        .service(schedules::patch_schedule)
        .service(schedules::delete_schedule)
        .service(schedules::start_schedule)
        .service(schedules::stop_schedule)
        .service(schedules::next_of_schedule)
        .service(schedules::runs_of_schedule)
        .service(schedules::skips_of_schedule)
        .service(runs::undo_run)
        .service(explain::explain)
        .service(audit::list_audit)
        .service(alerts::get_alerts)
        .service(alerts::replace_alerts)
        .service(alerts::test_alerts)
        .service(retry_list::retry_failed)
        .service(retry_list::list_retries)
        .service(retry_list::retry_item)
        .service(retry_list::dismiss_item)
        .service(mapping_test::test_mapping)
        .service(hooks::get_hook)
        .service(hooks::post_hook)
        .service(sync::start_sync);
}
