//! The looking calls, each one exchange. All are POST (fact sheet, section 1).

use std::{collections::HashMap, sync::Arc};

use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{
    MOST_PER_LOOK, Options, READ_TIMEOUT, SYSTEM, classify,
    session::Session,
    wire::{self, Found, Stage},
};
use crate::{
    fault::{Code, Fault},
    remote::{Call, Effect, Http, Limiter, Login, ports::Limits},
};

/// The contact that every box has for its API: it is nobody (section 4).
const RESTAPI: &str = "1";

/// Looks into one box. Has no method that writes.
pub struct Client {
    pub(super) http: Http,
    pub(super) options: Options,
    pub(super) limits: Arc<dyn Limits>,
    pub(super) stop: CancellationToken,
    pub(super) session: Session,
}

impl Client {
    /// A client. A cancel of `stop` ends any look and any wait at once.
    pub fn new(options: Options, http: Http, limits: Arc<dyn Limits>, stop: CancellationToken) -> Self {
        let session = Session::new(options.clone(), http.clone(), Arc::clone(&limits), stop.clone());
        Self { http, options, limits, stop, session }
    }

    /// Logs in, or finds that it has.
    pub async fn login(&self) -> Result<(), Fault> {
        self.http.tokens().get(&self.session, &self.stop).await.map(drop)
    }

    pub(super) fn call<'a>(&'a self, route: &'static str, effect: Effect, path: &str) -> Call<'a> {
        let mut call = Call::new(SYSTEM, route, effect, Method::POST, address(&self.options.base_url, path))
            .with_login(&self.session as &dyn Login)
            .with_limiter(Limiter { limits: &*self.limits, key: self.session.limit_key(), interval: self.options.pause });
        call.private = true;
        call
    }

    async fn read<T: Send>(
        &self,
        route: &'static str,
        path: &str,
        body: &Value,
        read: impl Fn(Value) -> Result<T, String> + Send + Sync,
    ) -> Result<T, Fault> {
        let mut call = self.call(route, Effect::Read, path).with_json(body)?;
        call.timeout = Some(READ_TIMEOUT);
        Ok(self.http.send(&call, &self.stop, |reply| classify::judge(reply, &read)).await.map_err(explain)?.value)
    }

    /// Orders of these keys, by key; what has no order is absent. Of several with one key the oldest counts: it is what people work on.
    pub async fn by_externalid(&self, keys: &[String], fields: &[&str]) -> Result<HashMap<String, Found>, Fault> {
        let mut found: HashMap<String, Found> = HashMap::new();
        for keys in keys.chunks(MOST_PER_LOOK) {
            // Room for doubles, which must not push another order out of the answer.
            let limit = keys.len().saturating_mul(2).max(10);
            let body = json!({"filter": {"externalid": keys}, "fields": with_ids(fields), "limit": limit});
            for order in self.read("POST /api/v2/order/get/", "order/get", &body, |data| wire::orders(data, fields)).await? {
                // A filter that is not understood answers with anything: only what was asked for is believed.
                if !keys.contains(&order.externalid) {
                    continue;
                }
                let older = |known: &Found| (known.id.len(), &known.id) <= (order.id.len(), &order.id);
                if !found.get(&order.externalid).is_some_and(older) {
                    found.insert(order.externalid.clone(), order);
                }
            }
        }
        Ok(found)
    }

    /// Orders of these ids of OneBox, by id.
    pub async fn by_id(&self, ids: &[String], fields: &[&str]) -> Result<HashMap<String, Found>, Fault> {
        let mut found = HashMap::new();
        for ids in ids.chunks(MOST_PER_LOOK) {
            let body = json!({"filter": {"id": ids}, "fields": with_ids(fields), "limit": ids.len()});
            let orders = self.read("POST /api/v2/order/get/", "order/get", &body, |data| wire::orders(data, fields)).await?;
            found.extend(orders.into_iter().filter(|order| ids.contains(&order.id)).map(|order| (order.id.clone(), order)));
        }
        Ok(found)
    }

    /// The one contact that has this phone (digits with the country); `None` when none or several have.
    pub async fn contact_by_phone(&self, phone: &str) -> Result<Option<String>, Fault> {
        let short = phone.strip_prefix("38").unwrap_or(phone);
        let mut holders: Vec<String> = Vec::new();
        for asked in [phone.to_owned(), format!("+{phone}"), short.to_owned()] {
            let body = json!({"filter": {"phones": [asked]}, "fields": ["id", "phones", "phone"], "limit": 20});
            let found = self.read("POST /api/v2/contact/get/", "contact/get", &body, wire::contacts).await?;
            let digits = |text: &String| text.chars().filter(char::is_ascii_digit).collect::<String>();
            let has = |phones: &[String]| phones.iter().map(digits).any(|own| own == phone || own == short);
            holders.extend(found.into_iter().filter(|(id, phones)| id != RESTAPI && has(phones)).map(|(id, _)| id));
        }
        holders.sort_unstable();
        holders.dedup();
        Ok(match holders.as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        })
    }

    /// The business processes of the box.
    pub async fn workflows(&self) -> Result<Vec<Stage>, Fault> {
        self.read("POST /api/v2/workflow/get/", "workflow/get", &json!({}), wire::stages).await
    }

    /// The orders that came last, with these fields: to see what a box calls its own.
    pub async fn sample(&self, fields: &[&str]) -> Result<Vec<Found>, Fault> {
        let body = json!({"fields": with_ids(fields), "limit": 10});
        self.read("POST /api/v2/order/get/", "order/get", &body, |data| wire::orders(data, fields)).await
    }
}

fn with_ids<'a>(fields: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["id", "externalid"];
    all.extend(fields.iter().copied().filter(|name| !matches!(*name, "id" | "externalid")));
    all
}

/// The address of a method, with the slash at its end: a redirect would lose the body (section 1).
pub(super) fn address(base: &Url, method: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/api/v2/{method}/", base.path().trim_end_matches('/')));
    url.set_query(None);
    url.set_fragment(None);
    url
}

/// Adds what a person can do about it.
pub(super) fn explain(mut fault: Fault) -> Fault {
    if fault.code == Code::RemoteAuth {
        fault.detail.push_str("; check onebox.login and the secret onebox_password: it is the REST API password on the employee's card");
    }
    fault
}
