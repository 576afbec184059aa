//! The few REST calls of the demo, as any caller would make them.

use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use crate::fault::{Code, Fault};

/// A caller of our own API.
pub struct Client {
    http: reqwest::Client,
    base: String,
    key: String,
}

impl Client {
    /// A caller with this key.
    pub fn new(base: &str, key: &str) -> Result<Self, Fault> {
        let http = reqwest::Client::builder().no_proxy().build().map_err(|error| Fault::internal("no HTTP client").caused_by(error))?;
        Ok(Self { http, base: base.to_owned(), key: key.to_owned() })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key)
    }

    async fn answer(request: RequestBuilder) -> Result<Value, Fault> {
        let failed = |error: reqwest::Error| Fault::new(Code::RemoteUnavailable, "the service did not answer").caused_by(error);
        let response = request.send().await.map_err(failed)?;
        let status = response.status();
        let body: Value = response.json().await.map_err(failed)?;
        if status.is_success() { Ok(body) } else { Err(Fault::new(Code::RemoteRejected, format!("the service answered {status}: {body}"))) }
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Result<Value, Fault> {
        Self::answer(self.request(Method::GET, path)).await
    }

    /// POST with a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Fault> {
        Self::answer(self.request(Method::POST, path).json(body)).await
    }

    /// All items of a list, page by page.
    pub async fn get_all(&self, path: &str) -> Result<Vec<Value>, Fault> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let sign = if path.contains('?') { '&' } else { '?' };
            let from = cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
            let page = self.get(&format!("{path}{sign}limit=200{from}")).await?;
            items.extend(page.get("items").and_then(Value::as_array).cloned().unwrap_or_default());
            cursor = page.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() {
                return Ok(items);
            }
        }
    }
}
