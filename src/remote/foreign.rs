//! Fetching what an address *out of remote data* points at, such as a picture: everything here distrusts it.
//!
//! Each hop goes through the [`Guard`]; no proxy, no cookies, no credentials, no unpacking, few redirects, a limit on bytes that
//! cuts off while they come, a limit on time, and few calls at once to one host.

use std::{
    collections::HashMap,
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use reqwest::{
    StatusCode,
    header::{ACCEPT, ETAG, HeaderMap, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION},
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{
    METRIC_REQUESTS,
    client::patience,
    guard::{Guard, Refused},
    wait::{unless_stopped, wait},
};
use crate::{domain::clock, fault::Fault};

/// Hops after the first address. A picture's host needs one at most; a longer chain leads nowhere good.
const REDIRECTS: usize = 3;
/// Calls at once to one host. Too low: a first import takes hours; too high: the host takes us for an attack.
const CALLS_A_HOST: usize = 8;
/// How often one address is tried at once; what does not pass then is a matter for a later run.
const TRIES: u32 = 2;
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(500);
/// For one exchange from connecting to the last byte, and between two bytes.
const WHOLE: Duration = Duration::from_secs(60);
const SILENCE: Duration = Duration::from_secs(15);
const CONNECT: Duration = Duration::from_secs(5);

/// What the server said to recognise this state of the content by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub last_modified: Option<String>,
}

/// What came.
#[derive(Debug)]
pub enum Got {
    /// The content.
    Content {
        /// Its bytes.
        bytes: Vec<u8>,
        /// To ask by, next time.
        validators: Validators,
    },
    /// It has not changed since the validators were given.
    NotModified,
}

/// Why nothing came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missed {
    /// The guard refused the address or one that it redirected to.
    Refused(Refused),
    /// It is longer than allowed.
    TooLarge,
    /// The server says no: its status.
    Status(u16),
    /// No whole answer; one clause about it.
    Unavailable(String),
}

/// The client. Clones share connections and limits.
#[derive(Clone)]
pub struct Foreign {
    client: reqwest::Client,
    guard: Guard,
    hosts: Arc<Mutex<HashMap<String, Arc<Semaphore>>>>,
}

impl Foreign {
    /// A client behind this guard.
    pub fn new(guard: Guard) -> Result<Self, Fault> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("tradesync/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .dns_resolver(Arc::new(guard.clone()))
            .no_proxy()
            .no_gzip()
            .referer(false)
            .connect_timeout(patience(CONNECT))
            .read_timeout(patience(SILENCE))
            .build()
            .map_err(|error| Fault::internal("the HTTP client cannot be made").caused_by(error))?;
        Ok(Self { client, guard, hosts: Arc::default() })
    }

    /// Fetches one address: at most `max_bytes`, and only if it has changed where `known` tells what we have.
    ///
    /// The outer error is a cancel of `stop`.
    pub async fn fetch(
        &self,
        address: &Url,
        accept: &'static str,
        max_bytes: u64,
        known: Option<&Validators>,
        stop: &CancellationToken,
    ) -> Result<Result<Got, Missed>, Fault> {
        let mut tries = 0;
        loop {
            tries += 1;
            let whole = patience(WHOLE);
            let exchange = tokio::time::timeout(whole, self.follow(address.clone(), accept, max_bytes, known));
            let came = unless_stopped(stop, exchange)
                .await?
                .unwrap_or_else(|_| Err(Missed::Unavailable(format!("no whole answer within {} s", whole.as_secs()))));
            metrics::counter!(METRIC_REQUESTS, "system" => "pictures", "class" => class(&came)).increment(1);
            let passing = matches!(came, Err(Missed::Unavailable(_)) | Err(Missed::Status(429 | 500 | 502..=504)));
            if !passing || tries >= TRIES {
                return Ok(came);
            }
            wait(clock::scaled(PAUSE), stop).await?;
        }
    }

    async fn follow(&self, mut address: Url, accept: &'static str, max_bytes: u64, known: Option<&Validators>) -> Result<Got, Missed> {
        for _ in 0..=REDIRECTS {
            self.guard.check(&address).map_err(Missed::Refused)?;
            let host = self.places(address.host_str().unwrap_or_default());
            let _place = host.acquire().await.map_err(|_| Missed::Unavailable("the client is closing".into()))?;
            let mut headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            if let Some(known) = known {
                for (name, value) in [(IF_NONE_MATCH, &known.etag), (IF_MODIFIED_SINCE, &known.last_modified)] {
                    if let Some(value) = value.as_ref().and_then(|text| HeaderValue::from_str(text).ok()) {
                        headers.insert(name, value);
                    }
                }
            }
            let mut response = self.client.get(address.clone()).headers(headers).send().await.map_err(missed)?;
            let status = response.status();
            if status == StatusCode::NOT_MODIFIED && known.is_some() {
                return Ok(Got::NotModified);
            }
            if status.is_redirection() {
                let target = response.headers().get(LOCATION).and_then(|target| target.to_str().ok());
                address = target
                    .and_then(|target| address.join(target).ok())
                    .ok_or_else(|| Missed::Unavailable("a redirect that leads nowhere".into()))?;
                continue;
            }
            if !status.is_success() {
                return Err(Missed::Status(status.as_u16()));
            }
            if response.content_length().is_some_and(|length| length > max_bytes) {
                return Err(Missed::TooLarge);
            }
            let text = |name| response.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok()).map(str::to_owned);
            let validators = Validators { etag: text(ETAG), last_modified: text(LAST_MODIFIED) };
            let mut bytes = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(missed)? {
                if bytes.len() as u64 + chunk.len() as u64 > max_bytes {
                    return Err(Missed::TooLarge);
                }
                bytes.extend_from_slice(&chunk);
            }
            return Ok(Got::Content { bytes, validators });
        }
        Err(Missed::Unavailable(format!("more than {REDIRECTS} redirects")))
    }

    fn places(&self, host: &str) -> Arc<Semaphore> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.entry(host.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(CALLS_A_HOST))).clone()
    }
}

fn class(came: &Result<Got, Missed>) -> &'static str {
    match came {
        Ok(Got::Content { .. }) => "good",
        Ok(Got::NotModified) => "not_modified",
        Err(Missed::Refused(_)) => "refused",
        Err(Missed::TooLarge) => "too_large",
        Err(Missed::Status(_)) => "rejected",
        Err(Missed::Unavailable(_)) => "unavailable",
    }
}

/// What an error of the client means; the guard's own word is found among its causes. Never the address: it may carry a token.
fn missed(error: reqwest::Error) -> Missed {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(refused) = inner.downcast_ref::<Refused>() {
            return Missed::Refused(refused.clone());
        }
        cause = inner.source();
    }
    Missed::Unavailable(if error.is_timeout() {
        "it took too long".to_owned()
    } else if error.is_connect() {
        "no connection could be made".to_owned()
    } else {
        "the answer broke off".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    /// A server that gives each connection the next answer.
    fn serve(answers: Vec<&'static str>) -> Url {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = Url::parse(&format!("http://{}/a.jpg", listener.local_addr().unwrap())).unwrap();
        std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        url
    }

    async fn fetch(allowed: &[&str], url: &Url, most: u64) -> Result<Got, Missed> {
        let allowed: Vec<String> = allowed.iter().map(|host| (*host).to_owned()).collect();
        let foreign = Foreign::new(Guard::new(&allowed)).unwrap();
        foreign.fetch(url, "image/*", most, None, &CancellationToken::new()).await.unwrap()
    }

    #[tokio::test]
    async fn inner_addresses_are_not_even_called() {
        let url = serve(vec!["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"]);
        assert!(matches!(fetch(&[], &url, 10).await, Err(Missed::Refused(_))));
        assert!(matches!(fetch(&["127.0.0.1"], &url, 10).await, Ok(Got::Content { bytes, .. }) if bytes == b"ok"));
        let mut name = url.clone();
        name.set_host(Some("localhost.example.invalid")).unwrap();
        assert!(fetch(&[], &name, 10).await.is_err());
    }

    #[tokio::test]
    async fn a_redirect_is_judged_like_any_address() {
        let url =
            serve(vec!["HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"]);
        assert!(matches!(fetch(&["127.0.0.1"], &url, 10).await, Err(Missed::Refused(refused)) if refused.host == "169.254.169.254"));
        let round = "HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let url = serve(vec![round; 20]);
        assert!(matches!(fetch(&["127.0.0.1"], &url, 10).await, Err(Missed::Unavailable(_))));
    }

    #[tokio::test]
    async fn what_is_too_long_is_cut_off_whether_it_says_so_or_not() {
        let said = serve(vec!["HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n"]);
        assert_eq!(fetch(&["127.0.0.1"], &said, 10).await.unwrap_err(), Missed::TooLarge);
        let unsaid = serve(vec!["HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n01234567890"]);
        assert_eq!(fetch(&["127.0.0.1"], &unsaid, 10).await.unwrap_err(), Missed::TooLarge);
    }

    #[tokio::test]
    async fn a_missing_one_is_told_by_its_status_and_a_passing_failure_is_tried_again() {
        let gone = serve(vec!["HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"]);
        assert_eq!(fetch(&["127.0.0.1"], &gone, 10).await.unwrap_err(), Missed::Status(404));
        let busy = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let url = serve(vec![busy, "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: 2\r\n\r\nok"]);
        let Ok(Got::Content { validators, .. }) = fetch(&["127.0.0.1"], &url, 10).await else { panic!("the second try passes") };
        assert_eq!(validators.etag.as_deref(), Some("\"1\""));
    }
}
