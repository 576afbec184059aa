//! The door: webhook, limits, envelope (sheet 1 to 4.1).

use std::time::Instant;

use chrono::Utc;
use serde_json::{Map, Value, json};

use super::{
    super::desk::{Asked, Reply, locked},
    Handle, Switches,
    entity::moment,
    limits::Spent,
    methods::{Done, Error, known},
    params::Params,
};

fn refused(error: &Error) -> Reply {
    Reply::json(error.status, &error.json())
}

impl Handle {
    /// Everything that is not the control API: the remote itself.
    pub(super) fn remote(&self, asked: &Asked<'_>) -> Reply {
        let switches = self.switches();
        let date = self.now().format("%a, %d %b %Y %H:%M:%S GMT");
        self.door(asked, &switches).with("date", &date)
    }

    fn door(&self, asked: &Asked<'_>, switches: &Switches) -> Reply {
        let started = Instant::now();
        let mut parts = asked.path.trim_start_matches('/').split('/');
        let (rest, user, code, method) = (parts.next(), parts.next(), parts.next(), parts.next());
        let (Some("rest"), Some(user), Some(code), Some(method), None) = (rest, user, code, method, parts.next()) else {
            return Reply::html(404);
        };
        // Calls that are refused later count too.
        if let Some(rate) = switches.rate
            && !locked(&self.inner.bucket).take(started, rate * self.inner.factor, switches.bucket)
        {
            let text = "Too many requests".to_owned();
            return Reply { limited: true, ..refused(&Error { status: 503, code: "QUERY_LIMIT_EXCEEDED", text }) };
        }
        if (user, code) != (switches.user_id.to_string().as_str(), switches.code.as_str()) {
            return refused(&Error { status: 401, code: "NO_AUTH_FOUND", text: "Wrong authorization data".to_owned() });
        }
        if let Some(status) = switches.blocked {
            return refused(&Error { status, code: "INVALID_CREDENTIALS", text: "Invalid request credentials".to_owned() });
        }
        let method = method.strip_suffix(".json").unwrap_or(method).to_ascii_lowercase();
        let params = Params::of(asked);
        if method == "batch" {
            let result = self.batch(&params);
            return Reply::json(200, &json!({"result": result, "time": self.time(started, None)}));
        }
        if !known(&method) {
            return refused(&Error { status: 404, code: "ERROR_METHOD_NOT_FOUND", text: "Method not found!".to_owned() });
        }
        match self.metered(&method, &params, false) {
            Ok((Done { result, total, next }, spent)) => {
                let mut all = Map::new();
                all.insert("result".to_owned(), result);
                for (name, value) in [("total", total), ("next", next)] {
                    all.extend(value.map(|value| (name.to_owned(), json!(value))));
                }
                all.insert("time".to_owned(), self.time(started, Some(spent)));
                Reply::json(200, &all)
            }
            Err(error) => Reply { limited: error.code == "OPERATION_TIME_LIMIT", ..refused(&error) },
        }
    }

    /// Calls a method if it has run time left. The call that crosses the limit is finished; the next is refused.
    pub(super) fn metered(&self, method: &str, params: &Params, batch: bool) -> Result<(Done, Spent), Error> {
        let switches = self.switches();
        let (now, factor) = (Instant::now(), self.inner.factor);
        self.count_command();
        {
            let mut operating = locked(&self.inner.operating);
            if switches.operating_limit_s.is_some_and(|limit| operating.spent(method, now, factor).seconds >= limit) {
                operating.refused += 1;
                let text = "Method is blocked due to operation time limit.".to_owned();
                return Err(Error { status: 429, code: "OPERATION_TIME_LIMIT", text });
            }
        }
        let done = self.call(method, params, batch);
        let cost = match method.rsplit('.').next() {
            Some("list") => switches.operating_list_s,
            Some("update") => switches.operating_update_s,
            _ => switches.operating_other_s,
        };
        let mut operating = locked(&self.inner.operating);
        operating.add(method, now, cost, factor);
        let spent = operating.spent(method, now, factor);
        done.map(|done| (done, spent))
    }

    /// `time` of an answer. All of it is the portal's time: nothing in it is divided by the time factor.
    pub(super) fn time(&self, started: Instant, spent: Option<Spent>) -> Value {
        let (now, offset) = (self.now(), self.switches().offset_minutes);
        let duration = started.elapsed().as_secs_f64();
        let seconds = now.timestamp() as f64 + f64::from(Utc::now().timestamp_subsec_micros()) / 1e6;
        let mut all = Map::new();
        for (name, value) in [
            ("start", json!(seconds - duration)),
            ("finish", json!(seconds)),
            ("duration", json!(duration)),
            ("processing", json!(duration)),
            ("date_start", json!(moment(now, offset))),
            ("date_finish", json!(moment(now, offset))),
        ] {
            all.insert(name.to_owned(), value);
        }
        if let Some(spent) = spent {
            let reset = now.timestamp() + i64::try_from(spent.resets_in.as_secs()).unwrap_or_default() + 1;
            all.insert("operating_reset_at".to_owned(), json!(reset));
            all.insert("operating".to_owned(), json!(spent.seconds));
        }
        Value::Object(all)
    }
}
