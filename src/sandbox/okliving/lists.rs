//! `get-orders` (sheet 4.1): whatever is asked and understood narrows the answer; the rest does not.

use chrono::{DateTime, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Europe::Kyiv;
use serde_json::{Map, Value, json};

use super::{
    super::{
        billz2::chance::mix,
        desk::{Asked, Reply, locked},
    },
    Handle, Order, Switches, Wrapper,
    machine::Machine,
    wire,
};

/// Rows of a page where the question does not say.
const PAGE: usize = 50;

/// A moment of a filter; without an offset it is Kyiv's.
fn moment(value: Option<&Value>) -> Option<DateTime<Utc>> {
    let text = value?.as_str()?;
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(moment.to_utc());
    }
    let local = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"].iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())?;
    Kyiv.from_local_datetime(&local).earliest().map(|moment| moment.to_utc())
}

fn number(value: Option<&Value>) -> Option<usize> {
    match value? {
        Value::String(text) => text.parse().ok(),
        value => value.as_u64().and_then(|number| usize::try_from(number).ok()),
    }
}

fn words(value: Option<&Value>) -> Option<Vec<String>> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match value? {
        Value::Null => None,
        Value::Array(list) => Some(list.iter().map(text).collect()),
        one => Some(vec![text(one)]),
    }
}

/// The narrowing part of a question: `args.filters` over `args`.
struct Filter {
    created: (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
    updated: (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
    statuses: Option<Vec<String>>,
    ids: Option<Vec<String>>,
}

impl Filter {
    fn of(args: &Value) -> Self {
        let get = |name: &str| args.get("filters").and_then(|filters| filters.get(name)).or_else(|| args.get(name));
        let span = |name: &str| (moment(get(&format!("{name}_from"))), moment(get(&format!("{name}_to"))));
        Self {
            created: span("created"),
            updated: span("updated"),
            statuses: words(get("statuses")),
            ids: words(get("ids").or_else(|| get("id"))),
        }
    }

    fn takes(&self, order: &Order) -> bool {
        // The list shows whole seconds, and so its bounds are whole seconds.
        let within = |at: DateTime<Utc>, (from, to): (Option<DateTime<Utc>>, Option<DateTime<Utc>>)| {
            from.is_none_or(|from| at.timestamp() >= from.timestamp()) && to.is_none_or(|to| at.timestamp() <= to.timestamp())
        };
        within(order.created, self.created)
            && within(order.updated, self.updated)
            && self.statuses.as_ref().is_none_or(|all| all.contains(&order.order.word()))
            && self.ids.as_ref().is_none_or(|all| all.contains(&order.id))
    }
}

/// Which part of the list is asked for.
struct Part {
    from: usize,
    size: Option<usize>,
    cursor: bool,
}

impl Part {
    fn of(args: &Value, switches: &Switches) -> Self {
        let get = |name: &str| args.get(name).or_else(|| args.get("filters").and_then(|filters| filters.get(name)));
        let (page, offset, limit) = (number(get("page")), number(get("offset")), number(get("limit")));
        let cursor = get("cursor").map(|cursor| number(Some(cursor)).unwrap_or_default());
        let size = limit.unwrap_or(PAGE).clamp(1, switches.page_cap.max(1));
        let asked = page.is_some() || offset.is_some() || limit.is_some() || cursor.is_some();
        let from = match (switches.page_ignored, cursor, offset, page) {
            (true, ..) => 0,
            (_, Some(cursor), ..) => cursor,
            (_, _, Some(offset), _) => offset,
            (_, _, _, Some(page)) => page.saturating_sub(1).saturating_mul(size),
            _ => 0,
        };
        Self { from, size: asked.then_some(size), cursor: cursor.is_some() }
    }
}

impl Handle {
    pub(super) fn list(&self, asked: &Asked<'_>, switches: &Switches) -> Reply {
        let body: Value = if asked.body.is_empty() { json!({}) } else { serde_json::from_slice(asked.body).unwrap_or_default() };
        if !body.is_object() && body != json!([]) {
            return super::routes::error(400, "FRAMEWORK__INVALID_REQUEST_BODY", "Bad Request", "The JSON payload is malformed.");
        }
        let args = body.get("args").unwrap_or(&body);
        let (filter, part, now) = (Filter::of(args), Part::of(args, switches), self.now());
        let orders = locked(&self.inner.orders);
        let mut found: Vec<&Order> = orders.values().filter(|order| order.visible <= now && filter.takes(order)).collect();
        if switches.shuffled {
            // The same disorder each time, so that pages fit together.
            found.sort_by_key(|order| order.id.bytes().fold(7_u64, |sum, byte| mix(sum ^ u64::from(byte))));
        } else {
            found.sort_by_key(|order| (order.created, order.id.clone()));
        }
        let total = found.len();
        let end = part.size.map_or(total, |size| (part.from + size).min(total));
        let mut rows: Vec<(String, Value)> = found
            .get(part.from.min(total)..end)
            .unwrap_or_default()
            .iter()
            .map(|order| (order.id.clone(), wire::of(order, switches)))
            .collect();
        if switches.doubled
            && let Some(first) = rows.first().cloned()
        {
            rows.push(first);
        }
        let mut answer = Map::new();
        answer.insert("total".to_owned(), json!(total));
        if let Some(size) = part.size {
            answer.insert("page".to_owned(), json!(part.from / size + 1));
            answer.insert("limit".to_owned(), json!(size));
        }
        if part.cursor {
            let next = if end < total { json!(end.to_string()) } else { Value::Null };
            answer.insert("next_cursor".to_owned(), next);
        }
        Reply::json(200, &wrapped(rows, answer, switches))
    }
}

/// The list where the shop puts it.
fn wrapped(rows: Vec<(String, Value)>, mut answer: Map<String, Value>, switches: &Switches) -> Value {
    let list = match rows.as_slice() {
        [(_, one)] if switches.single_object => one.clone(),
        _ if switches.keyed => Value::Object(rows.into_iter().collect()),
        _ => rows.into_iter().map(|(_, row)| row).collect(),
    };
    let (outer, inner) = match switches.wrapper {
        Wrapper::Root => return list,
        Wrapper::Null => return Value::Null,
        Wrapper::Missing => return Value::Object(answer),
        Wrapper::EmptyObject => ("orders", json!({})),
        Wrapper::EmptyList => ("orders", json!([])),
        Wrapper::Orders => ("orders", list),
        Wrapper::Data => ("data", list),
        Wrapper::Result => ("result", list),
        Wrapper::DataOrders => ("data", json!({ "orders": list })),
        Wrapper::ResultOrders => ("result", json!({ "orders": list })),
    };
    answer.insert(outer.to_owned(), inner);
    Value::Object(answer)
}
