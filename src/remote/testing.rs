//! Help for the tests of `remote` and `systems`: replies made by hand, limits in memory, and a server that answers from a script
//! byte by byte, so that it can also cut, hang and lie.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use reqwest::{
    StatusCode, Url,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::{Http, Options, classify::Reply, ports::Limits, retry::Policy};
use crate::fault::Fault;

/// A reply made by hand.
pub(crate) fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(HeaderName::try_from(*name).expect("header name"), HeaderValue::try_from(*value).expect("header value"));
    }
    Reply { status: StatusCode::from_u16(status).expect("status"), headers: map, body: body.as_bytes().to_vec() }
}

/// A client with short delays.
pub(crate) fn quick_http() -> Http {
    let retry = Policy { base: Duration::from_millis(2), max: Duration::from_millis(5), ..Policy::default() };
    Http::new(Options { connect_timeout: Duration::from_secs(1), timeout: Duration::from_millis(600), retry }).expect("client")
}

/// Limits in memory. Slots are `squeeze` times closer together than asked; pauses are noted and shortened as much.
pub(crate) struct Memory {
    squeeze: u32,
    free_at: Mutex<HashMap<String, Instant>>,
    /// (key, length) of every pause asked for.
    pub(crate) pauses: Mutex<Vec<(String, Duration)>>,
    /// Keys of every slot taken.
    pub(crate) slots: Mutex<Vec<String>>,
}

impl Memory {
    pub(crate) fn new(squeeze: u32) -> Arc<Self> {
        Arc::new(Self { squeeze, free_at: Mutex::default(), pauses: Mutex::default(), slots: Mutex::default() })
    }
}

#[async_trait]
impl Limits for Memory {
    async fn slot(&self, key: &str, interval: Duration) -> Result<Duration, Fault> {
        self.slots.lock().expect("lock").push(key.to_owned());
        let mut free = self.free_at.lock().expect("lock");
        let slot = (*free.entry(key.to_owned()).or_insert_with(Instant::now)).max(Instant::now());
        free.insert(key.to_owned(), slot + interval / self.squeeze);
        Ok(slot.saturating_duration_since(Instant::now()))
    }

    async fn pause(&self, key: &str, pause: Duration) -> Result<DateTime<Utc>, Fault> {
        self.pauses.lock().expect("lock").push((key.to_owned(), pause));
        self.free_at.lock().expect("lock").insert(key.to_owned(), Instant::now() + pause / self.squeeze);
        Ok(Utc::now() + chrono::Duration::from_std(pause).expect("pause"))
    }
}

/// A request as the script sees it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// `GET /path?query`.
    pub(crate) line: String,
    /// All header lines.
    pub(crate) head: String,
    /// Body.
    pub(crate) body: String,
    /// How many requests came before this one.
    pub(crate) nth: usize,
}

/// What the server does.
pub(crate) enum Act {
    /// These bytes, then the connection is closed.
    Raw(Vec<u8>),
    /// Nothing, for ever.
    Hang,
    /// Closes at once.
    Drop,
}

/// An answer with a right length.
pub(crate) fn answer(status: u16, headers: &str, body: &str) -> Act {
    let length = body.len();
    Act::Raw(format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}").into_bytes())
}

/// A 200 with JSON and a date.
pub(crate) fn json(body: &str) -> Act {
    answer(200, "content-type: application/json\r\ndate: Sun, 22 Nov 2026 10:00:00 GMT\r\n", body)
}

/// A server that answers from a script; ends when dropped.
pub(crate) struct Server {
    pub(crate) url: Url,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(crate) async fn start(script: impl Fn(&Asked) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
        let url = Url::parse(&format!("http://{}", listener.local_addr().expect("address"))).expect("url");
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (seen, script) = (Arc::clone(&asked), Arc::new(script));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&seen)));
            }
        });
        Self { url, asked, task }
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("lock").clone()
    }

    /// How many requests had this in their first line.
    pub(crate) fn count(&self, part: &str) -> usize {
        self.asked().iter().filter(|asked| asked.line.contains(part)).count()
    }
}

async fn serve(mut stream: TcpStream, script: Arc<impl Fn(&Asked) -> Act>, seen: Arc<Mutex<Vec<Asked>>>) {
    let mut bytes = Vec::new();
    let (head, body) = loop {
        let mut chunk = [0; 4096];
        let Ok(read @ 1..) = stream.read(&mut chunk).await else { return };
        bytes.extend(chunk.iter().take(read));
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.to_ascii_lowercase().lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
        if body.len() >= length.unwrap_or(0) {
            break (head.to_owned(), body.to_owned());
        }
    };
    let line = head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
    let act = {
        let mut seen = seen.lock().expect("lock");
        let asked = Asked { line, head, body, nth: seen.len() };
        seen.push(asked.clone());
        script(&asked)
    };
    match act {
        Act::Raw(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Act::Hang => std::future::pending().await,
        Act::Drop => {}
    }
}
