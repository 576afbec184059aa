//! The small reads of sheet 4.4: shops, categories, brands, company, currencies, product types.

use serde_json::{Value, json};

use super::{
    catalogue::{Catalogue, Kind},
    chance,
    products::Query,
    reply::Reply,
    switches::{PastEnd, Switches},
    words::UNITS,
};

/// The sum for a dollar in the rates.
const DOLLAR_IN_SUM: u32 = 12_650;

/// The answer for a path, `None` for one that is not here.
pub fn answer(path: &str, catalogue: &Catalogue, switches: &Switches, query: &Query) -> Option<Reply> {
    let reply = match path {
        "/v1/shop" => paged(shops(catalogue), "shops", 10, switches, query),
        "/v2/category" => paged(categories(catalogue, None, 0), "categories", 100, switches, query),
        "/v2/brand" => paged(brands(catalogue), "brands", 100, switches, query),
        "/v1/company" => {
            Reply::json(200, &json!({"id": catalogue.company, "name": "OOO \"Demo Savdo\"", "legal_name": "", "currency": "UZS"}))
        }
        "/v2/company-currencies" => Reply::json(200, &currencies(catalogue)),
        "/v2/company-currency-rates" => paged(rates(catalogue, query), "rates", 10, switches, query),
        "/v2/product-type" => Reply::json(200, &product_types()),
        "/v2/measurement-unit" => paged(units(catalogue), "measurement_units", 100, switches, query),
        _ => return None,
    };
    Some(reply)
}

/// `{count, <name>}`; where the default of `limit` is unknown it is small, so that a client must ask.
fn paged(mut rows: Vec<Value>, name: &str, default_limit: usize, switches: &Switches, query: &Query) -> Reply {
    if let Some(search) = query.get("search").map(str::to_lowercase) {
        rows.retain(|row| row.get("name").and_then(Value::as_str).is_some_and(|name| name.to_lowercase().contains(&search)));
    }
    let (limit, page) = match (query.number("limit"), query.number("page")) {
        (Ok(limit), Ok(page)) => (limit.unwrap_or(default_limit), page.unwrap_or(1)),
        (Err(refusal), _) | (_, Err(refusal)) => return refusal,
    };
    let count = rows.len();
    let rows: Vec<Value> = rows.into_iter().skip((page - 1).saturating_mul(limit)).take(limit).collect();
    let rows = if rows.is_empty() && switches.past_end == PastEnd::Null { Value::Null } else { Value::Array(rows) };
    Reply::json(200, &json!({"count": count, name: rows}))
}

fn shops(catalogue: &Catalogue) -> Vec<Value> {
    let shop = |shop: &super::catalogue::Shop| {
        json!({
            "id": shop.id, "company_id": catalogue.company, "name": shop.name, "cheque_id": "", "quadrature": 60,
            "phone_numbers": ["+998901234567"], "facebook": "", "instagram": "", "telegram": "", "website": "",
            "has_unique_details": false, "working_hours": null, "legal_name": "", "address": "Toshkent sh.", "legal_country_id": "",
            "postcode": "", "bank_accounts": [], "cash_boxes": null, "cash_boxes_count": 1, "color": "", "nds": "", "inn": "",
        })
    };
    catalogue.shops.iter().map(shop).collect()
}

/// The tree below a category; `subRows` is null at the leaves.
fn categories(catalogue: &Catalogue, parent: Option<u16>, level: u8) -> Vec<Value> {
    // Trees here are three levels deep; a loop in the data must not run for ever.
    if level > 8 {
        return Vec::new();
    }
    let children = catalogue.categories.iter().enumerate().filter(|(_, category)| category.parent == parent);
    let row = |(at, category): (usize, &super::catalogue::Category)| {
        let at = u16::try_from(at).unwrap_or(u16::MAX);
        let below = categories(catalogue, Some(at), level + 1);
        let parent_id = parent.and_then(|at| catalogue.categories.get(usize::from(at))).map(|parent| parent.id.to_string());
        let ancestors = ancestors(catalogue, category.parent);
        let top = ancestors.last().cloned().unwrap_or_else(|| category.id.to_string());
        json!({
            "id": category.id, "name": category.name, "parent_id": parent_id.unwrap_or_default(), "all_parent_ids": ancestors,
            "subRows": if below.is_empty() { Value::Null } else { Value::Array(below) },
            "product_count": catalogue.products().iter().filter(|product| product.categories.contains(&at)).count(),
            "company_id": catalogue.company, "is_open": false, "level_number": level, "from_parent": false, "super_parent_id": top,
        })
    };
    children.map(row).collect()
}

/// The ids above a category, nearest first.
fn ancestors(catalogue: &Catalogue, mut parent: Option<u16>) -> Vec<String> {
    let mut ids = Vec::new();
    while let Some(category) = parent.and_then(|at| catalogue.categories.get(usize::from(at))) {
        ids.push(category.id.to_string());
        parent = category.parent.filter(|_| ids.len() < 9);
    }
    ids
}

fn brands(catalogue: &Catalogue) -> Vec<Value> {
    catalogue.brands.iter().map(|brand| json!({"id": brand.id, "name": brand.name, "company_id": catalogue.company, "logo": ""})).collect()
}

fn currencies(catalogue: &Catalogue) -> Value {
    json!({
        "company_id": catalogue.company,
        "supply_currencies": [{"type": "supply", "code": "UZS"}, {"type": "supply", "code": "USD"}],
        "retail_currency": {"type": "retail", "code": "UZS"},
        "cross_currencies": null,
        "additional_currencies": [],
        "currency_rates": [{"source_currency": "USD", "target_currency": "UZS", "rate": DOLLAR_IN_SUM}],
    })
}

fn rates(catalogue: &Catalogue, query: &Query) -> Vec<Value> {
    if query.get("currency").is_some_and(|currency| currency != "USD") {
        return Vec::new();
    }
    vec![json!({
        "id": chance::id(catalogue.seed, chance::Kind::Other, 1), "source_currency": "USD", "target_currency": "UZS", "rate": DOLLAR_IN_SUM,
        "valid_from": "2025-01-01 00:00:00", "valid_to": "0001-01-01 00:00:00",
    })]
}

fn product_types() -> Value {
    json!({"product_types": [
        {"id": Kind::Goods.type_id(), "name": "PRODUCT", "description": "Товар"},
        {"id": Kind::Service.type_id(), "name": "SERVICE", "description": "Услуга"},
        {"id": Kind::Bundle.type_id(), "name": "SET", "description": "Комплект"},
    ]})
}

fn units(catalogue: &Catalogue) -> Vec<Value> {
    let unit = |(n, (name, short)): (usize, &(&str, &str))| json!({"id": chance::id(catalogue.seed, chance::Kind::Unit, n as u64), "name": name, "short_name": short});
    UNITS.iter().enumerate().map(unit).collect()
}
