//! `GET /v2/products`: parameters, the page, and the faults that spoil a page (sheet 4.1 and 4.2).

use chrono::NaiveDateTime;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    catalogue::{Catalogue, Filter},
    faults::{BadField, Fault},
    reply::Reply,
    switches::{OverLimit, PastEnd, Switches},
    wire,
};

/// The documented default of `limit`.
const DEFAULT_LIMIT: usize = 100;
/// The reported maximum of `limit`.
const MAX_LIMIT: usize = 300;

/// The query parameters by name; unknown ones are silently ignored, the last of a repeated one wins.
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query string; an unreadable one counts as empty.
    pub fn parse(text: &str) -> Self {
        Self(url::form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    /// The value of one parameter, if it is given and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A number at least 1; the answer to anything else is a guess.
    pub fn number(&self, name: &str) -> Result<Option<usize>, Reply> {
        match self.get(name).map(str::parse::<usize>) {
            None => Ok(None),
            Some(Ok(number)) if number > 0 => Ok(Some(number)),
            Some(_) => Err(Reply::bad_request(&format!("invalid {name}"))),
        }
    }
}

struct Asked {
    limit: usize,
    page: usize,
    filter: Filter,
}

fn asked(query: &Query, switches: &Switches) -> Result<Asked, Reply> {
    let limit = match (query.number("limit")?, switches.over_limit) {
        (Some(limit), OverLimit::Refuse) if limit > MAX_LIMIT => return Err(Reply::bad_request("limit must not exceed 300")),
        (Some(limit), OverLimit::Clamp) => limit.min(MAX_LIMIT),
        (limit, _) => limit.unwrap_or(DEFAULT_LIMIT),
    };
    let changed_after = match query.get("last_updated_date") {
        None => None,
        Some(text) => match NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S") {
            Ok(time) if text.len() == 19 => Some(time.and_utc().timestamp()),
            _ => return Err(Reply::bad_request("invalid last_updated_date")),
        },
    };
    let search = query.get("search").map(str::to_lowercase);
    Ok(Asked { limit, page: query.number("page")?.unwrap_or(1), filter: Filter { changed_after, search } })
}

/// The answer, and the ids on the page. `draw` is another number for each request.
pub fn list(catalogue: &Catalogue, switches: &Switches, query: &Query, fault: Option<&Fault>, draw: u64) -> (Reply, Vec<Uuid>) {
    let asked = match asked(query, switches) {
        Ok(asked) => asked,
        Err(refusal) => return (refusal, Vec::new()),
    };
    if matches!(fault, Some(Fault::EmptyList)) {
        return (Reply::json(200, &json!({"count": 0, "products": null})), Vec::new());
    }
    let page = if matches!(fault, Some(Fault::DuplicatePage)) { asked.page.saturating_sub(1).max(1) } else { asked.page };
    let start = (page - 1).saturating_mul(asked.limit);
    let (count, rows) = catalogue.page(&asked.filter, switches.order, switches.shuffle.then_some(draw), start, asked.limit);
    let ids = rows.iter().map(|product| product.id).collect();
    let count = match fault {
        Some(Fault::ShortCount { missing }) => count + usize::try_from(*missing).unwrap_or(0),
        _ => count,
    };
    let null = rows.is_empty() && switches.past_end == PastEnd::Null;
    let rows = (!null).then(|| rows.into_iter().map(|product| wire::row(catalogue, product, &switches.photos)).collect());
    let page = wire::Page { count, products: rows };
    let reply = match fault {
        Some(Fault::BadRow { field, row }) => spoil(&page, *field, usize::try_from(*row).unwrap_or(0)),
        _ => Reply::json(200, &page),
    };
    (reply, ids)
}

/// Writes the page with garbage in one row.
fn spoil(page: &wire::Page<'_>, field: BadField, at: usize) -> Reply {
    let mut page = serde_json::to_value(page).unwrap_or(Value::Null);
    if let Some(row) = page.get_mut("products").and_then(|rows| rows.get_mut(at)) {
        match field {
            BadField::Row => *row = json!("null"),
            BadField::Id => set(row, "id", Value::Null),
            BadField::Name => set(row, "name", Value::Null),
            BadField::Price => spoil_entries(row, "shop_prices", "retail_price", &json!("abc")),
            BadField::Stock => spoil_entries(row, "shop_measurement_values", "active_measurement_value", &json!("много")),
        }
    }
    Reply::json(200, &page)
}

fn set(object: &mut Value, key: &str, value: Value) {
    if let Value::Object(object) = object {
        object.insert(key.to_owned(), value);
    }
}

/// Spoils every entry, since the reader may look at one shop only.
fn spoil_entries(row: &mut Value, list: &str, key: &str, value: &Value) {
    match row.get_mut(list).and_then(Value::as_array_mut) {
        Some(entries) if !entries.is_empty() => entries.iter_mut().for_each(|entry| set(entry, key, value.clone())),
        _ => set(row, list, json!([{ "shop_id": "", "shop_name": "", key: value }])),
    }
}
