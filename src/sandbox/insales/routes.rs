//! The remote: credentials, limit, lists and updates (sheet 1, 2, 4, 5).

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::DateTime;
use serde_json::{Map, Value, json};

use super::{
    super::desk::{Asked, Reply, locked},
    Handle, Switches,
    catalogue::{of_variant, row},
    queue::Update,
};

/// Rows of a page where the question does not say; unknown, so a small one.
const PAGE: usize = 50;
/// Fewer are raised to this (sheet 4.1).
const SMALLEST: usize = 10;
/// Most ids in one question, and variants in one group.
const GROUP: usize = 100;

impl Handle {
    /// Everything that is not the control API: the remote itself.
    pub(super) fn remote(&self, asked: &Asked<'_>) -> Reply {
        let switches = self.switches();
        // Requests with a wrong password count too.
        let (used, refused) = self.count(&switches);
        if let Some(refused) = refused {
            return refused;
        }
        let mut reply = if authorized(asked, &switches) { self.route(asked, &switches) } else { Reply::html(401) };
        reply.headers.push(("api-usage-limit", format!("{used}/{}", switches.limit.unwrap_or(500))));
        reply
    }

    /// One more request; the refusal if it is one too many.
    fn count(&self, switches: &Switches) -> (u32, Option<Reply>) {
        let length = Duration::from_secs_f64(f64::from(switches.window_s) / self.inner.factor);
        let mut window = locked(&self.inner.window);
        let began = *window.began.filter(|began| began.elapsed() < length).get_or_insert_with(|| {
            window.used = 0;
            Instant::now()
        });
        window.began = Some(began);
        window.used += 1;
        let mut busiest = locked(&self.inner.busiest);
        *busiest = (*busiest).max(window.used);
        let Some(limit) = switches.limit.filter(|limit| window.used > *limit) else { return (window.used, None) };
        window.used = limit;
        let left = length.saturating_sub(began.elapsed()).as_secs_f64() * self.inner.factor;
        let mut reply = Reply::empty(if switches.limit_503 { 503 } else { 429 });
        reply.headers.push(("retry-after", format!("{}", left.ceil())));
        reply.limited = true;
        (limit, Some(reply))
    }

    fn route(&self, asked: &Asked<'_>, switches: &Switches) -> Reply {
        let write = matches!(asked.method, "PUT" | "POST" | "PATCH");
        let json_body = (asked.header)("content-type").is_some_and(|value| value.starts_with("application/json"));
        if write && !json_body {
            return Reply::json(422, &json!({"message": "incorrect Content-Type, should be application/json"}));
        }
        match (asked.method, asked.path) {
            ("GET", "/admin/products.json") => self.list(asked, switches),
            ("GET", "/admin/products/count.json") => {
                let count = self.settled().products.values().filter(|product| !product.archived).count();
                Reply::json(200, &json!({ "count": count }))
            }
            ("GET", "/admin/products/by_ids.json") => self.by_ids(asked, switches),
            ("GET", "/admin/warehouses.json") => {
                let rows: Vec<Value> = (0..switches.warehouses)
                    .map(|index| json!({"id": 3_460_001 + u32::from(index), "title": format!("Склад {index}"), "array_index": index, "position": index + 1}))
                    .collect();
                Reply::json(200, &rows)
            }
            ("PUT", "/admin/products/variants_group_update.json") => self.group(asked, switches),
            ("PUT", path) => self.single(path, asked, switches),
            _ => Reply::html(404),
        }
    }

    fn list(&self, asked: &Asked<'_>, switches: &Switches) -> Reply {
        let number = |name: &str, default: usize| asked.get(name).and_then(|text| text.parse().ok()).unwrap_or(default);
        let size = number("per_page", PAGE).max(SMALLEST).min(switches.page_cap);
        let catalogue = self.settled();
        let since = asked.get("updated_since").and_then(|text| DateTime::parse_from_rfc3339(&text.replace(' ', "T")).ok());
        let rows: Vec<Value> = match since {
            // `from_id` counts only beside a moment.
            Some(since) => {
                let id = asked.get("from_id").and_then(|text| text.parse().ok()).unwrap_or_default();
                let rows = catalogue.after(since.timestamp_millis(), id);
                rows.into_iter().take(size).map(|(id, product)| row(id, product, switches)).collect()
            }
            None => {
                let rows = catalogue.products.iter().filter(|(_, product)| !product.archived);
                let page = number("page", 1).max(1) - 1;
                rows.skip(page.saturating_mul(size)).take(size).map(|(id, product)| row(*id, product, switches)).collect()
            }
        };
        Reply::json(200, &rows)
    }

    fn by_ids(&self, asked: &Asked<'_>, switches: &Switches) -> Reply {
        let ids: Vec<u64> = asked.get("product_ids").unwrap_or_default().split(',').filter_map(|id| id.trim().parse().ok()).collect();
        if ids.len() > GROUP {
            return Reply::json(422, &json!({"message": "too many ids"}));
        }
        let catalogue = self.settled();
        let rows: Vec<Value> = ids.iter().filter_map(|id| catalogue.products.get(id).map(|product| row(*id, product, switches))).collect();
        Reply::json(200, &rows)
    }

    fn group(&self, asked: &Asked<'_>, switches: &Switches) -> Reply {
        let Ok(body) = serde_json::from_slice::<Value>(asked.body) else { return Reply::empty(400) };
        let Some(variants) = body.get("variants").and_then(Value::as_array) else {
            return Reply::json(422, &json!({"variants": ["can't be blank"]}));
        };
        if switches.refuse_large_groups && variants.len() > GROUP {
            return Reply::json(422, &json!({"message": "too many variants"}));
        }
        let mut answers = Vec::new();
        for variant in variants {
            let Some(id) = variant.get("id").and_then(Value::as_u64) else {
                return Reply::json(422, &json!({"id": ["can't be blank"]}));
            };
            let mut fields = variant.as_object().cloned().unwrap_or_default();
            fields.remove("id");
            if let Some(refused) = refusal(&fields) {
                if switches.old_answer {
                    answers.push(json!({"id": id, "status": "error", "errors": refused}));
                    continue;
                }
                return Reply::json(422, &refused);
            }
            answers.push(json!({"id": id, "status": "ok"}));
            let dropped = {
                let mut switches = locked(&self.inner.switches);
                let dropped = switches.drop_updates > 0;
                switches.drop_updates = switches.drop_updates.saturating_sub(1);
                dropped
            };
            if !dropped {
                locked(&self.inner.queue).push(Duration::from_millis(switches.apply_delay_ms), Update { variant: id, fields });
            }
        }
        drop(self.settled());
        if switches.old_answer { Reply::json(200, &answers) } else { Reply::json(200, &json!([])) }
    }

    /// `/admin/products/:product/variants/:variant.json`, at once and with the variant as it stands then.
    fn single(&self, path: &str, asked: &Asked<'_>, switches: &Switches) -> Reply {
        let ids = path
            .strip_prefix("/admin/products/")
            .and_then(|rest| rest.strip_suffix(".json"))
            .and_then(|rest| rest.split_once("/variants/"));
        let ids = ids.and_then(|(product, variant)| Some((product.parse::<u64>().ok()?, variant.parse::<u64>().ok()?)));
        let Some((product_id, variant_id)) = ids else { return Reply::html(404) };
        let body: Value = serde_json::from_slice(asked.body).unwrap_or_default();
        let Some(fields) = body.get("variant").and_then(Value::as_object) else { return Reply::empty(400) };
        if let Some(refused) = refusal(fields) {
            return Reply::json(422, &refused);
        }
        let mut catalogue = self.settled();
        let known = catalogue.products.get(&product_id).is_some_and(|product| product.variants.iter().any(|own| own.id == variant_id));
        if !known {
            return Reply::html(404);
        }
        if !switches.ignore_single {
            catalogue.write(variant_id, fields, switches.stock_moves_date);
        }
        let found = catalogue.products.get(&product_id);
        let found = found.and_then(|product| product.variants.iter().find(|own| own.id == variant_id).map(|own| (product, own)));
        match found {
            Some((product, variant)) => Reply::json(200, &of_variant(product_id, product, variant, switches)),
            None => Reply::html(404),
        }
    }
}

fn authorized(asked: &Asked<'_>, switches: &Switches) -> bool {
    let expected = format!("Basic {}", STANDARD.encode(format!("{}:{}", switches.app_id, switches.password)));
    (asked.header)("authorization").as_deref() == Some(&expected)
}

/// What is wrong with fields of stock, by the older form of the sheet's section 3.
fn refusal(fields: &Map<String, Value>) -> Option<Value> {
    let bad = fields.iter().find(|(name, value)| name.starts_with("quantity") && !value.is_null() && value.as_f64().is_none())?;
    Some(json!({ bad.0: ["is not a number"] }))
}
