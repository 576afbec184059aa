//! What stands around every request: admission, problem documents for whatever failed (panics too), security headers, log and metrics.

use std::{panic::AssertUnwindSafe, time::Instant};

use actix_web::{
    Error, HttpMessage,
    body::{BoxBody, MessageBody},
    dev::{Extensions, ServiceRequest, ServiceResponse},
    http::header::{self, HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    web,
};
use futures_util::FutureExt;
use tracing::Span;
use tracing_actix_web::{RequestId, RootSpanBuilder};

use super::{
    Api, audit,
    auth::Caller,
    problem::{CONTENT_TYPE, Problem},
};
use crate::{
    fault::{Code, Fault},
    telemetry::metrics,
};

/// Names a request in answers and in the log.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Answers hold data only: nothing in them may run, be framed or be guessed to be of another type.
const DATA_POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
/// Pages of ours: Swagger UI styles itself inline and draws its icons from data addresses.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// The span of a request: the route's pattern, never its path or query, which may hold tokens; never a header.
pub struct Spans;

impl RootSpanBuilder for Spans {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let route = request.match_pattern().unwrap_or_else(|| "none".to_owned());
        let id = request_id(&request.extensions()).unwrap_or_default();
        tracing::info_span!(
            "request",
            http.method = %request.method(),
            http.route = %route,
            http.status_code = tracing::field::Empty,
            request.id = %id,
            api_key.id = tracing::field::Empty,
        )
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        let status = match outcome {
            Ok(response) => {
                if let Some(caller) = response.request().extensions().get::<Caller>() {
                    span.record("api_key.id", caller.key.as_str());
                }
                response.status()
            }
            Err(error) => error.as_response_error().status_code(),
        };
        span.record("http.status_code", status.as_u16());
        tracing::info!(parent: &span, "answered");
    }
}

/// The id that names a request, by what stands with it.
pub fn request_id(extensions: &Extensions) -> Option<String> {
    extensions.get::<RequestId>().map(ToString::to_string)
}

/// The middleware.
pub async fn frame(request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<BoxBody>, Error> {
    let began = Instant::now();
    let path = request.path().to_owned();
    let id = request_id(&request.extensions());
    let method = request.method().to_string();
    let route = request.match_pattern().unwrap_or_else(|| "none".to_owned());
    let api = request.app_data::<web::Data<Api>>().cloned();
    let admitted = match api {
        Some(api) => api.keys.admit(&request).await,
        None => Err(Fault::internal("the API was started without its state").into()),
    };
    let outcome = match admitted {
        Err(problem) => {
            note(&problem.fault);
            let answer = problem.answer(Some(&path), id.as_deref());
            Ok(request.into_response(answer))
        }
        // After a panic nothing of the request is used but what was copied above.
        Ok(()) => match AssertUnwindSafe(audit::audited(request, next)).catch_unwind().await {
            Ok(Ok(response)) => Ok(finished(response.map_into_boxed_body(), &path, id.as_deref())),
            Ok(Err(error)) => Err(problem_of(&error)),
            Err(_) => Err(Fault::internal("a handler panicked").into()),
        },
    };
    let took = began.elapsed();
    match outcome {
        Ok(mut response) => {
            metrics::api_request(&method, &route, response.status().as_u16(), took);
            harden(response.headers_mut(), id.as_deref());
            Ok(response)
        }
        Err(mut problem) => {
            note(&problem.fault);
            metrics::api_request(&method, &route, problem.fault.code.status(), took);
            problem.instance = Some(path);
            problem.request_id = id;
            Err(problem.into())
        }
    }
}

/// An answer, with a document if it is a failure without one.
fn finished(response: ServiceResponse, path: &str, id: Option<&str>) -> ServiceResponse {
    if !response.status().is_client_error() && !response.status().is_server_error() {
        return response;
    }
    let problem = match response.response().error() {
        Some(error) => problem_of(error),
        None if response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == CONTENT_TYPE) => return response,
        // A page tells a person itself what is wrong.
        None if response.headers().contains_key(header::CONTENT_SECURITY_POLICY) => return response,
        None => Fault::new(by_status(response.status().as_u16()), "there is nothing here").into(),
    };
    note(&problem.fault);
    let answer = problem.answer(Some(path), id);
    response.into_response(answer)
}

/// Ours as it is; the framework's own by their status.
fn problem_of(error: &Error) -> Problem {
    error.as_error::<Problem>().cloned().unwrap_or_else(|| {
        let status = error.as_response_error().status_code().as_u16();
        let code = by_status(status);
        let detail = if code == Code::Internal { format!("{error:?}") } else { error.to_string() };
        Fault::new(code, detail).into()
    })
}

fn by_status(status: u16) -> Code {
    match status {
        400 => Code::InvalidHeader,
        404 => Code::NotFound,
        405 => Code::MethodNotAllowed,
        413 => Code::TooLarge,
        415 => Code::UnsupportedMediaType,
        _ => Code::Internal,
    }
}

/// A failure is logged once, here. What the caller did wrong is no news.
fn note(fault: &Fault) {
    if fault.code.status() >= 500 {
        tracing::error!(fault.code = fault.code.name(), fault = %fault, "a request failed");
    } else {
        tracing::debug!(fault.code = fault.code.name(), fault = %fault, "a request was refused");
    }
}

/// The small set of headers that every answer has. A page that says itself who may frame it (`api::pages`) keeps its own policy.
pub fn harden(headers: &mut HeaderMap, id: Option<&str>) {
    let own_policy = headers.contains_key(header::CONTENT_SECURITY_POLICY);
    let is_page = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).is_some_and(|kind| kind.starts_with("text/html"));
    if !own_policy {
        headers.insert(header::CONTENT_SECURITY_POLICY, if is_page { PAGE_POLICY } else { DATA_POLICY });
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(id) = id.and_then(|id| HeaderValue::from_str(id).ok()) {
        headers.insert(REQUEST_ID, id);
    }
}
