//! Server-sent events, read as a client does.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::Rest;

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    pub name: String,
    pub id: u64,
    pub data: Value,
}

/// An open stream of events.
pub struct Events {
    pub status: u16,
    response: reqwest::Response,
    text: String,
    /// Comments that came between the events.
    pub pings: usize,
}

impl Events {
    /// Follows a run.
    pub async fn of(rest: &Rest, run: &str, last: Option<u64>) -> Self {
        let response = rest.open(&format!("/sync/runs/{run}/events"), last.map(|id| id.to_string())).await;
        Self { status: response.status().as_u16(), response, text: String::new(), pings: 0 }
    }

    pub fn content_type(&self) -> String {
        self.response.headers()["content-type"].to_str().unwrap().to_owned()
    }

    /// The next event; `None` when the stream has ended.
    pub async fn next(&mut self) -> Option<Event> {
        let limit = Instant::now() + Duration::from_secs(60);
        loop {
            while let Some(end) = self.text.find("\n\n") {
                let block: String = self.text.drain(..end + 2).collect();
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned));
                match (field("event"), field("id"), field("data")) {
                    (Some(name), Some(id), Some(data)) => {
                        return Some(Event { name, id: id.parse().unwrap(), data: serde_json::from_str(&data).unwrap() });
                    }
                    _ => self.pings += usize::from(block.starts_with(':')),
                }
            }
            let chunk = tokio::time::timeout_at(limit.into(), self.response.chunk()).await.expect("no event came").unwrap()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// All events to the end.
    pub async fn all(mut self) -> Vec<Event> {
        let mut all = Vec::new();
        while let Some(event) = self.next().await {
            all.push(event);
        }
        all
    }
}
