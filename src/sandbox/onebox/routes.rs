//! The door: tokens and errors (sheet 1, 3).

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    super::desk::{Asked, Reply, locked},
    Errors, Handle, Issued, Switches,
    sets::Wrong,
};

impl Handle {
    /// Everything that is not the control API: the remote itself.
    pub(super) fn remote(&self, asked: &Asked<'_>) -> Reply {
        let switches = self.switches();
        let Some(path) = asked.path.strip_prefix("/api/v2/") else { return Reply::html(404) };
        let Some(path) = path.strip_suffix('/') else {
            // The redirect loses the body of a POST.
            return Reply::empty(301).with("location", &format!("{}/", asked.path));
        };
        if path == "token/get" {
            return self.login(asked, &switches);
        }
        if !self.let_in(asked, &switches) {
            return self.refused(&("token", "token in header not found".to_owned()), &switches);
        }
        match (asked.method, path) {
            ("POST", "order/set") => self.set_orders(asked, &switches),
            ("POST", "order/get") => self.get_orders(asked, &switches),
            ("POST", "contact/get") => self.get_contacts(asked, &switches),
            ("POST", "product/get") => self.get_products(asked, &switches),
            ("POST", "product/set") => self.set_products(asked, &switches),
            ("POST", "workflow/get") => self.get_workflows(&switches),
            _ => Reply::html(404),
        }
    }

    fn login(&self, asked: &Asked<'_>, switches: &Switches) -> Reply {
        let given: Value = serde_json::from_slice(asked.body).unwrap_or_default();
        let word = |name: &str| given.get(name).and_then(Value::as_str).unwrap_or_default();
        if (word("login"), word("restapipassword")) != (&switches.login, &switches.password) {
            return self.refused(&("login", "wrong login or password".to_owned()), switches);
        }
        self.inner.logins.fetch_add(1, Ordering::SeqCst);
        let token = Uuid::new_v4().simple().to_string();
        let until = Instant::now() + Duration::from_secs(switches.token_life_s);
        locked(&self.inner.tokens).insert(token.clone(), Issued { until, calls: 0 });
        Reply::json(200, &json!({"status": 1, "dataArray": {"token": token}}))
    }

    fn let_in(&self, asked: &Asked<'_>, switches: &Switches) -> bool {
        let token = (asked.header)("token").unwrap_or_default();
        let mut tokens = locked(&self.inner.tokens);
        let alive = tokens.get_mut(&token).is_some_and(|issued| {
            issued.calls += 1;
            issued.until > Instant::now() && switches.token_calls.is_none_or(|calls| issued.calls <= calls)
        });
        if !alive {
            tokens.remove(&token);
        }
        alive
    }

    /// A refusal: 400 whatever it is about.
    pub(super) fn refused(&self, (field, text): &Wrong, switches: &Switches) -> Reply {
        let errors = match switches.errors {
            Errors::List => json!([text]),
            Errors::Map => json!({ *field: text }),
            Errors::Objects => json!([{ "message": text }]),
        };
        Reply::json(400, &json!({"status": 0, "errorArray": errors}))
    }
}
