//! `/connections/{id}/category-mappings`.

use actix_web::{HttpRequest, HttpResponse, get, http::header, put, web};

use super::{
    Api,
    auth::Caller,
    etag,
    json::Strict,
    page::{Page, Params},
    problem::Answer,
    views::mapping::{CategoryMappings, MappingsBody, UnmappedCategory},
};
use crate::engine::service::mappings::MappedGroups;

/// List category mappings
///
/// Which category of the source goes to which category of the shop. A category without a mapping of its own follows its nearest mapped
/// ancestor: it is listed with `inherited: true`. The empty `source` stands for goods without a category.
#[utoipa::path(tag = "Categories", responses((status = 200, description = "All mappings; replace them with the ETag of this answer", body = CategoryMappings)))]
#[get("/connections/{id}/category-mappings")]
pub async fn list_category_mappings(api: web::Data<Api>, caller: Caller, id: web::Path<String>, query: Params) -> Answer {
    query.done()?;
    Ok(shown(&api.service.category_mappings(&caller.scope, &id).await?))
}

/// Replace the category mappings
///
/// All of them at once. Rows with `inherited: true` are passed over, so an answer of GET can be changed and sent back. Goods that waited for
/// a category are created by the next run of any stream, without a full read.
#[utoipa::path(tag = "Categories", request_body = MappingsBody, responses((status = 200, description = "The mappings as they stand now", body = CategoryMappings)))]
#[put("/connections/{id}/category-mappings")]
pub async fn replace_category_mappings(
    api: web::Data<Api>,
    caller: Caller,
    id: web::Path<String>,
    request: HttpRequest,
    body: Strict<MappingsBody>,
) -> Answer {
    let expected = etag::required(&request)?;
    Ok(shown(&api.service.replace_category_mappings(&caller.scope, &id, body.value.rows(), expected).await?))
}

fn shown(groups: &MappedGroups) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::ETAG, etag::tag(groups.version))).json(CategoryMappings::from(groups))
}

/// List unmapped categories
///
/// Categories that goods wait for, with the number of goods and with categories of the shop whose names look alike; those that most goods
/// wait for come first. With `all=true` also the categories that nothing waits for.
#[utoipa::path(tag = "Categories", responses((status = 200, description = "A page of categories", body = Page<UnmappedCategory>)))]
#[get("/connections/{id}/category-mappings/unmapped")]
pub async fn list_unmapped_categories(api: web::Data<Api>, caller: Caller, id: web::Path<String>, mut query: Params) -> Answer {
    let all = query.flag("all").unwrap_or(false);
    let page = query.page();
    query.done()?;
    let listing = api.service.unmapped_categories(&caller.scope, &id, all, page).await?;
    Ok(HttpResponse::Ok().json(Page::of(listing, UnmappedCategory::from)))
}
