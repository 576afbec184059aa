//! `/connections/{id}/page-links`: signed links to the page of a connection.

use actix_web::{HttpRequest, HttpResponse, post, web};
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::form_urlencoded;
use utoipa::ToSchema;

use super::{
    Api,
    auth::Caller,
    json::{Body, Strict},
    pages,
    problem::Answer,
};

/// How long a link lasts where nobody says so: it stands in another system's settings.
const DAYS: u32 = 365;

/// What the link is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PageLinkBody {
    /// Days until it ends, from 1 to 730.
    #[serde(default = "days")]
    #[schema(default = 365, example = 365)]
    pub days: u32,
    /// Who opens it may also change the mapping.
    #[serde(default)]
    #[schema(default = false)]
    pub may_change: bool,
}

const fn days() -> u32 {
    DAYS
}

impl Body for PageLinkBody {
    const REQUIRED: &'static [&'static str] = &[];
}

/// A link to the page of a connection. Whoever has it needs no API key.
#[derive(Debug, Serialize, ToSchema)]
pub struct PageLinkView {
    /// Its address, to be pasted where the page is to open.
    #[schema(example = "https://sync.example.com/pages/okliving-onebox?link=0198.1810000000.show.5f3a")]
    pub url: String,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// Make a link to the page of a connection
///
/// `okliving-onebox`: the page with settings, mapping and what is to be pasted into OneBox, which OneBox opens under "My Custom Apps". The address is
/// all that is needed to open it: give it to whom you would show the hook addresses. It is signed with the connection's `hook_token`, and ends with
/// it. Nothing is stored; a link cannot be shown again, but another can be made.
#[utoipa::path(tag = "Connections", request_body = PageLinkBody, responses((status = 201, description = "The link", body = PageLinkView)))]
#[post("/connections/{id}/page-links")]
pub async fn create_page_link(
    api: web::Data<Api>,
    caller: Caller,
    id: web::Path<String>,
    request: HttpRequest,
    body: Strict<PageLinkBody>,
) -> Answer {
    let PageLinkBody { days, may_change } = body.value;
    let made = api.service.make_page_link(&caller.scope, &id, days, may_change).await?;
    let link: String = form_urlencoded::byte_serialize(made.link.expose_secret().as_bytes()).collect();
    let view = PageLinkView { url: format!("{}/pages/{}?link={link}", pages::origin(&request), made.flow), expires_at: made.expires_at };
    // The audit keeps that it was made, not the link.
    api.service.audit.record(Some(json!({"expires_at": view.expires_at, "may_change": may_change}))).await?;
    Ok(HttpResponse::Created().json(view))
}
