//! `/connections/{id}/links`.

use actix_web::{HttpResponse, delete, get, http::StatusCode, post, put, web};

use super::{
    Api,
    auth::Caller,
    idempotency::{self, Key},
    json::Strict,
    page::{Page, Params},
    problem::Answer,
    views::link::{ConfirmBody, LinkBody, LinkView},
};
use crate::engine::{
    model::{Link, LinkState},
    ports::StoredAnswer,
};

/// List links
///
/// Links and open questions (`proposed`, `ambiguous`) of a connection, newest first.
#[utoipa::path(tag = "Links", responses((status = 200, description = "A page of links", body = Page<LinkView>)))]
#[get("/connections/{id}/links")]
pub async fn list_links(api: web::Data<Api>, caller: Caller, id: web::Path<String>, mut query: Params) -> Answer {
    let state = query.word::<LinkState>("state", "linked, proposed, ambiguous");
    let page = query.page();
    query.done()?;
    let listing = api.service.list_links(&caller.scope, &id, state, page).await?;
    Ok(HttpResponse::Ok().json(Page::of(listing, |link| LinkView::from(&link))))
}

/// Set a link
///
/// Links a source item to one of the owner's target items, whatever stood there before.
#[utoipa::path(tag = "Links", request_body = LinkBody, responses((status = 200, description = "The link", body = LinkView)))]
#[put("/connections/{id}/links/{source}")]
pub async fn set_link(api: web::Data<Api>, caller: Caller, path: web::Path<(String, String)>, body: Strict<LinkBody>) -> Answer {
    let (id, source) = path.into_inner();
    let link = api.service.set_link(&caller.scope, &id, &source, &body.value.target).await?;
    Ok(HttpResponse::Ok().json(LinkView::from(&link)))
}

/// Remove a link
///
/// The next run looks for a match anew; nothing is deleted in the target.
#[utoipa::path(tag = "Links", responses((status = 204, description = "It is removed")))]
#[delete("/connections/{id}/links/{source}")]
pub async fn remove_link(api: web::Data<Api>, caller: Caller, path: web::Path<(String, String)>) -> Answer {
    let (id, source) = path.into_inner();
    api.service.remove_link(&caller.scope, &id, &source).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Answer a question about a link
///
/// A proposed link needs no body. An ambiguous one needs the chosen `target`. The next run then updates the target instead of making a double.
#[utoipa::path(tag = "Links", request_body = Option<ConfirmBody>, responses((status = 200, description = "The link", body = LinkView)))]
#[post("/connections/{id}/links/{source}/confirm")]
pub async fn confirm_link(
    api: web::Data<Api>,
    caller: Caller,
    path: web::Path<(String, String)>,
    key: Key,
    body: Strict<ConfirmBody>,
) -> Answer {
    let (id, source) = path.into_inner();
    let Strict { value, digest } = body;
    let work = |key, render| api.service.confirm_link(&caller.scope, &id, &source, value.target.as_deref(), key, render);
    idempotency::act(&api, key, &digest, confirmed, work).await
}

fn confirmed(link: &Link) -> StoredAnswer {
    idempotency::stored(StatusCode::OK, None, &LinkView::from(link))
}
