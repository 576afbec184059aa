//! `/pages/{flow}?link=…`: a page of a connection for people inside another system, such as OneBox's "My Custom Apps".
//!
//! The signed link is all the authorisation there is (`engine::service::page_links`): no API key, no cookie, no script. Everything is a form that
//! carries the link and is answered with the page. The system named in the connection's settings may frame it, nobody else ([`policy`]).
//!
//! [`view`] is the page itself.

pub mod view;

use std::sync::Arc;

use actix_web::{
    HttpMessage, HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::{self, Bytes, ServiceConfig},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{Api, frame, problem::Answer};
use crate::{
    domain::text::Lang,
    engine::{
        audit::{self, Act, Actor},
        ports::PageRequest,
        service::{Scope, connections::ConnectionPatch, mapping_test::MappingTrial, page_links::Visit},
    },
    fault::{Code, Fault},
};
use view::{Shown, Tried};

/// Read orders that are offered for a try.
const OFFERED: u32 = 10;
/// The stream that brings what the page is about.
const PULLED: &str = "orders";

/// The routes. They are pages for people, so the document of the API does not hold them.
pub fn routes(config: &mut ServiceConfig) {
    config.service(web::resource("/pages/{flow}").route(web::get().to(show)).route(web::post().to(act)));
}

/// Where the caller reached us: behind a proxy that is what `X-Forwarded-Proto` and `X-Forwarded-Host` say.
pub fn origin(request: &HttpRequest) -> String {
    let connection = request.connection_info();
    format!("{}://{}", connection.scheme(), connection.host())
}

/// What may be done with the page: nothing but its own style and forms, framed by this origin only.
pub fn policy(framed_by: Option<&str>) -> String {
    let by = framed_by.unwrap_or("'none'");
    format!("default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors {by}")
}

/// Fields of a query or form.
struct Fields(Vec<(String, String)>);

impl Fields {
    fn of(text: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(text).into_owned().collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str()).filter(|value| !value.trim().is_empty())
    }
}

async fn show(api: web::Data<Api>, flow: web::Path<String>, request: HttpRequest) -> Answer {
    let fields = Fields::of(request.query_string().as_bytes());
    respond(&api, &flow, &request, &fields, false).await
}

async fn act(api: web::Data<Api>, flow: web::Path<String>, request: HttpRequest, body: Bytes) -> Answer {
    let fields = Fields::of(&body);
    respond(&api, &flow, &request, &fields, true).await
}

async fn respond(api: &Api, flow: &str, request: &HttpRequest, fields: &Fields, acts: bool) -> Answer {
    let accepted = request.headers().get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let lang = fields.get("lang").and_then(Lang::of_tag).unwrap_or_else(|| Lang::negotiate(accepted));
    let link = SecretString::from(fields.get("link").unwrap_or_default());
    if link.expose_secret().is_empty() {
        return Err(Fault::new(Code::NotFound, "pages are opened by a signed link: POST /connections/{id}/page-links makes one").into());
    }
    let Some(visit) = api.service.visit(flow, &link).await? else {
        return Ok(page(StatusCode::NOT_FOUND, None, view::closed(lang, "page_link_unknown")));
    };
    if visit.expired {
        return Ok(page(StatusCode::FORBIDDEN, visit.facts.framed_by.as_deref(), view::closed(lang, "page_link_expired")));
    }
    let mut shown = Shown::of(lang, flow, link.expose_secret(), &origin(request));
    shown.now(&visit);
    shown.orders = orders(api, &visit).await?;
    shown.order = fields.get("order").unwrap_or_default().trim().to_owned();
    if let Some(mapping) = fields.get("mapping") {
        mapping.clone_into(&mut shown.draft);
    }
    let mut status = StatusCode::OK;
    if acts {
        // Taken out first: the request's own cell must not stay borrowed while somebody waits.
        let id = frame::request_id(&request.extensions());
        let outcome = match fields.get("action") {
            Some("pull") => pull(api, &visit, &mut shown).await,
            Some("try") => attempt(api, flow, &visit, &mut shown).await,
            Some("save") => save(api, flow, &visit, &mut shown, fields, id).await,
            _ => Err(Fault::field("/action", "must be pull, try or save")),
        };
        match outcome {
            Ok(()) => {}
            // What a person did wrong stands on the page; what is wrong with us is answered as everywhere.
            Err(fault) if fault.code.status() < 500 => {
                status = StatusCode::from_u16(fault.code.status()).unwrap_or(StatusCode::BAD_REQUEST);
                shown.fault = Some(fault);
            }
            Err(fault) => return Err(fault.into()),
        }
    }
    Ok(page(status, visit.facts.framed_by.as_deref(), view::page(&shown)))
}

fn page(status: StatusCode, framed_by: Option<&str>, html: String) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((header::CONTENT_SECURITY_POLICY, policy(framed_by)))
        .content_type("text/html; charset=utf-8")
        .body(html)
}

/// The last orders that stand on both sides, newest first.
async fn orders(api: &Api, visit: &Visit) -> Result<Vec<String>, Fault> {
    let page = PageRequest { limit: OFFERED, cursor: None };
    let links = api.service.list_links(&Scope::all(), &visit.connection.id, None, page).await?;
    Ok(links.items.into_iter().map(|link| link.source).collect())
}

async fn pull(api: &Api, visit: &Visit, shown: &mut Shown) -> Result<(), Fault> {
    shown.run = Some(api.service.run_for_hook(&visit.connection, PULLED).await?);
    Ok(())
}

/// What was written into the field of the mapping; the fields that differ are enough.
fn draft(shown: &Shown) -> Result<Value, Fault> {
    let draft = shown.draft.trim();
    let value: Value = serde_json::from_str(if draft.is_empty() { "{}" } else { draft })
        .map_err(|error| Fault::field("/mapping", format!("is no JSON: {error}")))?;
    if value.is_object() { Ok(value) } else { Err(Fault::field("/mapping", "must be an object: target -> where it comes from")) }
}

async fn attempt(api: &Api, flow: &str, visit: &Visit, shown: &mut Shown) -> Result<(), Fault> {
    let mapping = draft(shown)?;
    let trial = MappingTrial {
        connection: visit.connection.id.clone(),
        item: Some(shown.order.clone()).filter(|order| !order.is_empty()),
        raw: None,
        mapping: Some(mapping),
    };
    shown.tried = Some(Tried::of(&api.service.test_mapping(&Scope::all(), flow, trial).await?));
    Ok(())
}

async fn save(api: &Api, flow: &str, visit: &Visit, shown: &mut Shown, fields: &Fields, request: Option<String>) -> Result<(), Fault> {
    if !visit.may_change {
        return Err(Fault::new(Code::Forbidden, "this link shows the page and changes nothing; ask for one with may_change"));
    }
    let mapping = draft(shown)?;
    let expected = fields.get("version").and_then(|version| version.parse().ok()).unwrap_or_default();
    let settings = json!({ visit.facts.mapping_name: mapping });
    let patch = ConnectionPatch { settings: Some(settings), ..ConnectionPatch::default() };
    let act: Arc<Act> = Act::new(Actor {
        key: "page-link".to_owned(),
        name: format!("page of {flow}"),
        on_behalf_of: None,
        action: "connections.change".to_owned(),
        resource: format!("/connections/{}", visit.connection.id),
        request,
    });
    let changed = audit::scope(act, api.service.patch_connection(&Scope::all(), &visit.connection.id, &patch, Some(expected))).await?;
    shown.now(&api.service.page_of(changed)?);
    shown.saved = true;
    Ok(())
}
