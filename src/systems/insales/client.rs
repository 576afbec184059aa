//! The reading calls, each one exchange; what reads the whole catalogue is [`super::sweep`].

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{
    Method,
    header::{AUTHORIZATION, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{
    MOST_PER_CALL, Options, READ_TIMEOUT, RESERVE, RESPITE, SPACING, SYSTEM,
    classify::{self, Usage},
    sweep::Cursor,
    wire::Product,
};
use crate::{
    domain::clock,
    fault::{Code, Fault},
    remote::{Answer, Call, Class, Effect, Http, Limiter, Reply, lenient, ports::Limits},
};

/// Looks at one shop. Has no method that writes.
pub struct Reader {
    pub(super) http: Http,
    pub(super) options: Options,
    pub(super) limits: Arc<dyn Limits>,
    pub(super) limit_key: String,
    pub(super) stop: CancellationToken,
    pub(super) usage: Option<Usage>,
    pub(super) calls: u32,
}

/// A warehouse of the shop (fact sheet, section 4.2).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Warehouse {
    /// N of `quantity_at_warehouseN`; not its id.
    pub array_index: u8,
    /// Its name; may be empty.
    #[serde(default, deserialize_with = "lenient::text")]
    pub title: String,
}

#[derive(Deserialize)]
struct Count {
    count: u64,
}

impl Reader {
    /// A reader. A cancel of `stop` ends any read and any wait at once.
    pub fn new(options: Options, http: Http, limits: Arc<dyn Limits>, stop: CancellationToken) -> Self {
        let limit_key = classify::limit_key(options.base_url.host_str().unwrap_or_default(), &options.app_id);
        Self { http, options, limits, limit_key, stop, usage: None, calls: 0 }
    }

    /// The budget as the last answer told it.
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// How many calls this client has made.
    pub fn calls(&self) -> u32 {
        self.calls
    }

    /// One page of products changed after the cursor, or at its very moment with a higher id; oldest change first. Hidden ones are among
    /// them, archived ones are not.
    pub async fn products_since(&mut self, cursor: &Cursor) -> Result<Vec<Product>, Fault> {
        let mut url = self.address("products.json");
        url.query_pairs_mut()
            .append_pair("updated_since", &cursor.updated_at)
            .append_pair("from_id", &cursor.id.to_string())
            .append_pair("per_page", &self.options.page_size.to_string());
        self.get("GET /admin/products.json", url, products).await
    }

    /// How many products there are, archived ones left out.
    pub async fn count(&mut self) -> Result<u64, Fault> {
        let url = self.address("products/count.json");
        let read = |body: &[u8]| serde_json::from_slice::<Count>(body).map_err(|error| format!("no readable `count`: {error}"));
        self.get("GET /admin/products/count.json", url, read).await.map(|count| count.count)
    }

    /// These products, [`MOST_PER_CALL`] at most; those that are gone are absent.
    pub async fn by_ids(&mut self, ids: &[u64]) -> Result<Vec<Product>, Fault> {
        if ids.is_empty() || ids.len() > MOST_PER_CALL {
            return Err(Fault::internal(format!("{} ids in one question", ids.len())));
        }
        let mut url = self.address("products/by_ids.json");
        let list = ids.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
        url.query_pairs_mut().append_pair("product_ids", &list);
        self.get("GET /admin/products/by_ids.json", url, products).await
    }

    /// The shop's warehouses.
    pub async fn warehouses(&mut self) -> Result<Vec<Warehouse>, Fault> {
        let url = self.address("warehouses.json");
        let read = |body: &[u8]| serde_json::from_slice(body).map_err(|error| format!("no readable list of warehouses: {error}"));
        self.get("GET /admin/warehouses.json", url, read).await
    }

    pub(super) fn address(&self, resource: &str) -> Url {
        let mut url = self.options.base_url.clone();
        url.set_path(&format!("{}/admin/{resource}", self.options.base_url.path().trim_end_matches('/')));
        url.set_query(None);
        url.set_fragment(None);
        url
    }

    /// Login and password as Basic wants them.
    fn credentials(&self) -> SecretString {
        SecretString::from(STANDARD.encode(format!("{}:{}", self.options.app_id, self.options.password.expose_secret())))
    }

    async fn get<T: Send>(
        &mut self,
        route: &'static str,
        url: Url,
        read: impl Fn(&[u8]) -> Result<T, String> + Send + Sync,
    ) -> Result<T, Fault> {
        let mut call = Call::new(SYSTEM, route, Effect::Read, Method::GET, url);
        call.timeout = Some(READ_TIMEOUT);
        self.send(call, |reply| classify::judge(reply, &read)).await
    }

    /// Any call: credentials, the shared limit, and what the answer tells of it.
    pub(super) async fn send<'a, T: Send>(
        &'a mut self,
        mut call: Call<'a>,
        judge: impl Fn(&Reply) -> Class<(T, Option<Usage>)> + Send + Sync,
    ) -> Result<T, Fault> {
        let credentials = self.credentials();
        let mut header = HeaderValue::try_from(format!("Basic {}", credentials.expose_secret()))
            .map_err(|_| Fault::new(Code::ConfigInvalid, "the application's password holds characters that no header can carry"))?;
        header.set_sensitive(true);
        call.headers.insert(AUTHORIZATION, header);
        let limits = Arc::clone(&self.limits);
        let key = self.limit_key.clone();
        let call = call.with_secret(credentials).with_secret(self.options.password.clone()).with_limiter(Limiter {
            limits: &*limits,
            key: &key,
            interval: SPACING,
        });
        self.calls += 1;
        let answer: Answer<(T, Option<Usage>)> = self.http.send(&call, &self.stop, judge).await.map_err(explain)?;
        let (value, usage) = answer.value;
        if let Some(usage) = usage {
            self.usage = Some(usage);
            if usage.used.saturating_add(RESERVE) >= usage.limit {
                self.limits.pause(&self.limit_key, clock::scaled(RESPITE)).await?;
            }
        }
        Ok(value)
    }
}

/// A bare list (fact sheet, section 4.1); the form that some third parties expect is not one of this API.
pub(super) fn products(body: &[u8]) -> Result<Vec<Product>, String> {
    if !body.trim_ascii_start().starts_with(b"[") {
        return Err("expected a list of products".to_owned());
    }
    serde_json::from_slice(body).map_err(|error| format!("the list of products is not what we know: {error}"))
}

/// Adds what a person can do about it.
fn explain(mut fault: Fault) -> Fault {
    match fault.code {
        Code::RemoteAuth => {
            fault.detail.push_str("; check insales.app_id and the secret insales_password: wrong passwords use up the limit too")
        }
        Code::RemoteForbidden => fault.detail.push_str("; give the application the rights for products and warehouses in the back office"),
        _ => {}
    }
    fault
}
