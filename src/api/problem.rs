//! Errors as problem documents (RFC 9457), and the pages that `type` links to.

use actix_web::{
    HttpResponse, ResponseError, get,
    http::{StatusCode, header},
    web,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::frame;
use crate::{
    domain::clock,
    fault::{Code, Fault, FieldError},
};

/// Media type of problem documents.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// What handlers fail with. The frame turns it into a [`Document`], since only there path and request id are known.
#[derive(Clone, Debug)]
pub struct Problem {
    /// What went wrong.
    pub fault: Fault,
    /// Path of the request, if the frame cannot add it (a handler that panicked).
    pub instance: Option<String>,
    /// Id of the request, likewise.
    pub request_id: Option<String>,
    /// Methods that the path takes, for 405.
    pub allow: Option<String>,
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self { fault, instance: None, request_id: None, allow: None }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.fault.fmt(out)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.fault.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = self.answer(self.instance.as_deref(), self.request_id.as_deref());
        frame::harden(response.headers_mut(), self.request_id.as_deref());
        response
    }
}

/// What handlers answer.
pub type Answer = Result<HttpResponse, Problem>;

/// A problem document.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Document {
    /// Stable; links to its page.
    #[schema(example = "/problems/validation-failed")]
    pub r#type: String,
    /// What failed, the same for every problem of this type.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What failed this time.
    pub detail: String,
    /// Path of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Stable name of the type.
    pub code: &'static str,
    /// What to do next.
    pub next: &'static str,
    /// Wrong fields: RFC 6901 pointers into the body; query parameters as `?name`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(inline)]
    pub errors: Vec<WrongField>,
    /// For `stream-busy`: the live run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/sync/runs/019aa0b2c3d47e5f8a9b0c1d2e3f4a5b")]
    pub run: Option<String>,
    /// As in the header `x-request-id`; the log has it too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// One wrong field.
#[derive(Debug, Serialize, ToSchema)]
pub struct WrongField {
    /// RFC 6901 JSON pointer; query parameters as `?name`.
    pub pointer: String,
    /// What is wrong with it and what would be right.
    pub detail: String,
}

impl From<&FieldError> for WrongField {
    fn from(error: &FieldError) -> Self {
        Self { pointer: error.pointer.clone(), detail: error.detail.clone() }
    }
}

impl Problem {
    /// The answer with its document.
    pub fn answer(&self, instance: Option<&str>, request_id: Option<&str>) -> HttpResponse {
        let (fault, code) = (&self.fault, self.fault.code);
        let detail = match code {
            // The cause is for the log, where the request's id finds it.
            Code::Internal => "Something went wrong on our side; the log holds the rest.".to_owned(),
            _ => fault.detail.clone(),
        };
        let document = Document {
            r#type: format!("/problems/{}", code.name()),
            title: code.title().to_owned(),
            status: code.status(),
            detail,
            instance: instance.map(str::to_owned),
            code: code.name(),
            next: code.next(),
            errors: fault.fields.iter().map(WrongField::from).collect(),
            run: fault.resource.clone(),
            request_id: request_id.map(str::to_owned),
        };
        let mut response = HttpResponse::build(self.status_code());
        response.insert_header((header::CONTENT_TYPE, CONTENT_TYPE));
        if code == Code::Unauthenticated {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"tradesync\""));
        }
        if let Some(allow) = &self.allow {
            response.insert_header((header::ALLOW, allow.as_str()));
        }
        if let Some(until) = fault.until {
            let seconds = (until - clock::now()).num_seconds().max(1);
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        response.body(serde_json::to_string(&document).unwrap_or_default())
    }
}

/// A page for the type of a problem
///
/// What happened and what to do next, for people; `type` of every problem document links here.
#[utoipa::path(tag = "Service", responses((status = 200, description = "The page", body = String, content_type = "text/html")))]
#[get("/problems/{code}")]
pub async fn problem_page(code: web::Path<String>) -> Answer {
    let code = Code::parse(&code).ok_or_else(|| Fault::new(Code::NotFound, "there is no such type of problem"))?;
    let text = |text: &str| html_escape::encode_text(text).into_owned();
    let page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>{name}</title>\
         <style>body{{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}}code{{background:#eee;padding:0 .3em}}</style></head>\
         <body><h1><code>{name}</code></h1><h2>What happened</h2><p>{title}</p><h2>What to do</h2><p>{next}</p><p>HTTP status {status}.</p></body></html>\n",
        name = text(code.name()),
        title = text(code.title()),
        next = text(code.next()),
        status = code.status(),
    );
    Ok(HttpResponse::Ok().content_type("text/html; charset=utf-8").body(page))
}
