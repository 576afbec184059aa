//! The remote: its login and its list of products (sheet 1, 4.1).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    super::desk::{Asked, Reply, locked},
    Handle, Issued, Product, Switches, Variant,
};

/// Rows of a page where the question does not say (sheet 2).
const PAGE: usize = 100;
/// What a page holds at most.
const LARGEST: usize = 1_000;

fn error(status: u16, code: u16, message: &str) -> Reply {
    // `errors` comes before `success`, as in the document's sample.
    let message = serde_json::to_string(message).unwrap_or_default();
    let body = format!("{{\"errors\":[{{\"code\":{code},\"message\":{message}}}],\"success\":false}}");
    Reply { status, headers: Vec::new(), body: (body.into_bytes(), "application/json"), limited: false }
}

impl Handle {
    /// Everything that is not the control API: the remote itself.
    pub(super) fn remote(&self, asked: &Asked<'_>) -> Reply {
        let switches = self.switches();
        match (asked.method, asked.path) {
            ("POST", "/api/lite/auth") => self.login(asked, &switches),
            ("GET", "/api/lite/products") => match self.let_in(asked, &switches) {
                Ok(()) => self.list(asked, &switches),
                Err(refused) => refused,
            },
            _ => Reply::html(404),
        }
    }

    fn login(&self, asked: &Asked<'_>, switches: &Switches) -> Reply {
        let given: Value = serde_json::from_slice(asked.body).unwrap_or_default();
        let word = |name: &str| given.get(name).and_then(Value::as_str).unwrap_or_default();
        if (word("login"), word("password")) != (&switches.login, &switches.password) {
            return error(401, 401, "Неверный логин или пароль");
        }
        *locked(&self.inner.logins) += 1;
        let expires = self.now() + switches.token_life_s;
        let part = |text: String| URL_SAFE_NO_PAD.encode(text);
        let token = format!(
            "{}.{}.{}",
            part("{\"alg\":\"HS512\"}".to_owned()),
            part(json!({"sub": switches.login, "exp": expires}).to_string()),
            part(Uuid::new_v4().to_string())
        );
        locked(&self.inner.tokens).insert(token.clone(), Issued { expires, calls: 0 });
        let answer = json!({
            "access_token": token, "token_type": "bearer", "login": switches.login, "expires_in": switches.token_life_s, "init_state": "2",
        });
        Reply::json(200, &answer)
    }

    fn let_in(&self, asked: &Asked<'_>, switches: &Switches) -> Result<(), Reply> {
        let token = (asked.header)("authorization").unwrap_or_default();
        let token = token.strip_prefix("Bearer ").unwrap_or_default();
        let mut tokens = locked(&self.inner.tokens);
        let alive = tokens.get_mut(token).is_some_and(|issued| {
            issued.calls += 1;
            issued.expires > self.now() && switches.token_calls.is_none_or(|calls| issued.calls <= calls)
        });
        if alive {
            return Ok(());
        }
        tokens.remove(token);
        Err(error(
            switches.expired_status,
            401,
            "JWT expired at 2021-12-30T21:10:02Z. Current time: 2022-01-02T10:59:24Z, a difference of 222562896 milliseconds.  Allowed clock skew: 0 milliseconds.",
        ))
    }

    fn list(&self, asked: &Asked<'_>, switches: &Switches) -> Reply {
        let number = |name: &str, default: usize| asked.get(name).and_then(|text| text.parse().ok()).unwrap_or(default);
        let page = number("page", 0);
        let size = if switches.size_ignored { PAGE } else { number("size", PAGE).clamp(1, LARGEST) };
        let products = locked(&self.inner.products);
        let mut rows: Vec<(&u64, &Product)> = products.iter().collect();
        if switches.rows_shift && !rows.is_empty() {
            let by = page % rows.len();
            rows.rotate_right(by);
        }
        let total = rows.len();
        let rows: Vec<Value> =
            rows.into_iter().skip(page.saturating_mul(size)).take(size).map(|(id, product)| row(*id, product, switches)).collect();
        Reply::json(200, &json!({"success": true, "recordsTotal": total, "products": rows}))
    }
}

fn id(number: u64, switches: &Switches) -> Value {
    if switches.numeric_ids { json!(number) } else { json!(number.to_string()) }
}

fn row(number: u64, product: &Product, switches: &Switches) -> Value {
    let variants: Vec<Value> =
        product.variants.iter().enumerate().map(|(place, variant)| of_variant(number * 100 + place as u64, variant, switches)).collect();
    json!({"id": id(number, switches), "shortName": product.name, "enabled": product.enabled, "variants": variants})
}

fn of_variant(number: u64, variant: &Variant, switches: &Switches) -> Value {
    let barcodes: Vec<Value> =
        variant.barcodes.iter().map(|text| if switches.barcode_objects { json!({ "barcode": text }) } else { json!(text) }).collect();
    let stock: Vec<Value> = variant
        .stock
        .iter()
        .map(|row| {
            json!({"warehouse": row.warehouse, "stockTotal": row.total, "stockReserved": row.reserved, "stockAvailable": row.total - row.reserved})
        })
        .collect();
    json!({"id": id(number, switches), "article": variant.name, "barcodes": barcodes, "stock": stock})
}
