//! Calls of the REST API, as any client makes them.

use std::time::{Duration, Instant};

use reqwest::{Method, header::HeaderMap};
use serde_json::Value;

/// A caller with a key.
#[derive(Clone)]
pub struct Rest {
    pub base: String,
    key: String,
    http: reqwest::Client,
    headers: Vec<(String, String)>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
    pub text: String,
}

impl Answer {
    /// The body, if the status is as expected.
    #[track_caller]
    pub fn ok(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body
    }

    /// A problem document of this status and code.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        let content = self.headers.get("content-type").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        assert!(content.starts_with("application/problem+json"), "{content}: {}", self.text);
        assert!(self.body["type"].as_str().unwrap().ends_with(&format!("/{code}")), "{}", self.text);
        assert_eq!(self.body["status"], status);
        self.body
    }

    pub fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    }
}

impl Rest {
    pub fn new(base: &str, key: &str) -> Self {
        // The service closes what is idle for 5 s: a connection that it closes just now must not be used.
        let idle = Duration::from_secs(2);
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).pool_idle_timeout(idle).build().unwrap();
        Self { base: base.to_owned(), key: key.to_owned(), http, headers: Vec::new() }
    }

    /// The same caller with another key.
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    /// The same caller at another process.
    pub fn at(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    /// The same caller with one more header on every call.
    pub fn with_header(&self, name: &str, value: &str) -> Self {
        let mut caller = self.clone();
        caller.headers.push((name.to_owned(), value.to_owned()));
        caller
    }

    pub async fn send(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Answer {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if !self.key.is_empty() {
            request = request.bearer_auth(&self.key);
        }
        if let Some(body) = body {
            if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
                request = request.header("content-type", "application/json");
            }
            request = request.body(body);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status, headers, body, text }
    }

    /// A GET whose answer is read as it comes.
    pub async fn open(&self, path: &str, last_event: Option<String>) -> reqwest::Response {
        // The answer may last longer than any other.
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut request = http.get(format!("{}{path}", self.base)).bearer_auth(&self.key);
        for (name, value) in self.headers.iter().cloned().chain(last_event.map(|id| ("last-event-id".to_owned(), id))) {
            request = request.header(name, value);
        }
        request.send().await.unwrap()
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(body.to_string().into_bytes())).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, Some(body.to_string().into_bytes())).await
    }

    /// A PUT that replaces what has this ETag; `*` = whatever stands.
    pub async fn put_matching(&self, path: &str, tag: &str, body: &Value) -> Answer {
        self.with_header("If-Match", tag).put(path, body).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PATCH, path, Some(body.to_string().into_bytes())).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    /// All items of a list, page by page.
    pub async fn all(&self, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let sign = if path.contains('?') { '&' } else { '?' };
            let page = self.get(&format!("{path}{sign}limit=200{cursor}")).await.ok(200);
            items.extend(page["items"].as_array().unwrap().clone());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }

    /// Waits until a run is neither queued nor running.
    pub async fn wait(&self, run: &str) -> Value {
        self.wait_within(run, Duration::from_secs(60)).await
    }

    pub async fn wait_within(&self, run: &str, within: Duration) -> Value {
        let until = Instant::now() + within;
        loop {
            let run = self.get(&format!("/sync/runs/{run}")).await.ok(200);
            if !matches!(run["state"].as_str(), Some("queued" | "running")) {
                return run;
            }
            assert!(Instant::now() < until, "the run did not end: {run}");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }
}
