//! The door: tokens, errors, and how answers are wrapped up (sheet 1 to 3).

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use url::form_urlencoded;
use uuid::Uuid;

use super::{
    super::desk::{Asked, Reply, locked},
    Handle, Issued, Switches, Tries,
};

/// An error in Shopware's form: the status is a text.
pub fn error(status: u16, code: &str, title: &str, detail: &str) -> Reply {
    Reply::json(status, &json!({"errors": [{"code": code, "status": status.to_string(), "title": title, "detail": detail, "meta": {}}]}))
}

impl Handle {
    /// Everything that is not the control API: the remote itself.
    pub(super) fn remote(&self, asked: &Asked<'_>) -> Reply {
        let switches = self.switches();
        let mut reply = match (asked.method, asked.path) {
            ("POST", "/api/oauth/token") => self.login(asked, &switches),
            ("POST", "/api/get-orders") => self.let_in(asked, &switches).unwrap_or_else(|| self.list(asked, &switches)),
            ("POST", "/api/update-order") => self.let_in(asked, &switches).unwrap_or_else(|| self.update(asked, &switches)),
            ("GET", "/api/get-orders" | "/api/update-order" | "/api/oauth/token") => {
                error(405, "0", "Method Not Allowed", "Method Not Allowed (Allow: POST)")
            }
            (_, path) if path.starts_with("/api/") => error(404, "0", "Not Found", "No route found"),
            _ => Reply::html(404),
        };
        if switches.bom && !reply.body.0.is_empty() {
            reply.body.0.splice(0..0, [0xEF, 0xBB, 0xBF]);
        }
        if switches.gzip && (asked.header)("accept-encoding").is_some_and(|accepted| accepted.contains("gzip")) {
            let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
            if packer.write_all(&reply.body.0).is_ok()
                && let Ok(packed) = packer.finish()
            {
                reply.body.0 = packed;
                reply.headers.push(("content-encoding", "gzip".to_owned()));
            }
        }
        reply
    }

    fn login(&self, asked: &Asked<'_>, switches: &Switches) -> Reply {
        let mut tries = locked(&self.inner.tries);
        if let Some(left) = tries.until.and_then(|until| until.checked_duration_since(Instant::now())) {
            // The seconds stand in the text alone, and in the shop's time.
            let seconds = (left.as_secs_f64() * self.inner.factor).ceil();
            let reply = error(429, "FRAMEWORK__AUTH_THROTTLED", "Too Many Requests", &format!("Auth throttled for {seconds} seconds."));
            return Reply { limited: true, ..reply };
        }
        let form = (asked.header)("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        let given: Value = if form {
            form_urlencoded::parse(asked.body).map(|(name, value)| (name.into_owned(), Value::from(value.into_owned()))).collect()
        } else {
            serde_json::from_slice(asked.body).unwrap_or_default()
        };
        let word = |name: &str| given.get(name).and_then(Value::as_str).unwrap_or_default();
        if word("grant_type") != "client_credentials" {
            let hint = "Check that all required parameters have been provided";
            return error(400, "2", "The authorization grant type is not supported by the authorization server.", hint);
        }
        if (word("client_id"), word("client_secret")) != (&switches.client_id, &switches.client_secret) {
            tries.failed += 1;
            let pause = match tries.failed {
                0..10 => 0,
                10..15 => 10,
                15..20 => 30,
                _ => 60,
            };
            if switches.throttle && pause > 0 {
                tries.until = Some(Instant::now() + Duration::from_secs(pause).div_f64(self.inner.factor));
            }
            return Reply::json(
                401,
                &json!({"errors": [{"code": "4", "status": "401", "title": "Client authentication failed", "detail": null}]}),
            );
        }
        *tries = Tries::default();
        *locked(&self.inner.logins) += 1;
        let token = format!("demo.{}.{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let expires = self.now().timestamp() + switches.token_life_s;
        locked(&self.inner.tokens).insert(token.clone(), Issued { expires, calls: 0 });
        Reply::json(200, &json!({"token_type": "Bearer", "expires_in": switches.token_life_s, "access_token": token}))
    }

    /// The refusal of a call whose token is not alive.
    fn let_in(&self, asked: &Asked<'_>, switches: &Switches) -> Option<Reply> {
        let token = (asked.header)("authorization").unwrap_or_default();
        let token = token.strip_prefix("Bearer ").unwrap_or_default();
        let mut tokens = locked(&self.inner.tokens);
        let alive = tokens.get_mut(token).is_some_and(|issued| {
            issued.calls += 1;
            issued.expires > self.now().timestamp() && switches.token_calls.is_none_or(|calls| issued.calls <= calls)
        });
        if alive {
            return None;
        }
        tokens.remove(token);
        let title = "The resource owner or authorization server denied the request.";
        Some(error(401, "9", title, "Access token could not be verified"))
    }
}
