//! `/sync/explain`: why is this item like that?

use actix_web::{HttpRequest, HttpResponse, get, http::header, web};

use super::{Api, auth::Caller, page::Params, problem::Answer, views::explain::ExplanationView};
use crate::{domain::text::Lang, engine::service::explain::About};

/// Explain an item
///
/// What the source last said and when, how it is linked, what stands in the target now, who wrote each field last (we in which run, or somebody
/// else since), what every stream would do with it now by which rule and settings, and its last changes. `answer` says the same in sentences, in
/// the language of `Accept-Language` (ru, uz, en, uk). Nothing is written. A target that does not answer is told in `target.state`.
///
/// Name either `item` (the source's id) or `target`.
#[utoipa::path(tag = "Runs", responses((status = 200, description = "What is known", body = ExplanationView)))]
#[get("/sync/explain")]
pub async fn explain(api: web::Data<Api>, caller: Caller, mut query: Params, request: HttpRequest) -> Answer {
    let connection = query.text("connection").unwrap_or_else(|| {
        query.wrong("connection", "is required: the id of a connection");
        String::new()
    });
    let about = match (query.text("item"), query.text("target")) {
        (Some(item), None) => About::Item(item),
        (None, Some(target)) => About::Target(target),
        (item, _) => {
            query.wrong("item", "give either item (the source's id) or target, and not both");
            About::Item(item.unwrap_or_default())
        }
    };
    query.done()?;
    let lang = Lang::negotiate(request.headers().get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()));
    let explanation = api.service.explain(&caller.scope, &connection, about).await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_LANGUAGE, lang.tag()))
        .insert_header((header::VARY, "accept-language"))
        .json(ExplanationView::of(explanation, lang)))
}
