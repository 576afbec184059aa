//! What was asked and what was answered, for tests that count calls.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    net::IpAddr,
};

use serde::{Deserialize, Serialize};

/// Entries kept; the counts go on beyond.
const KEPT: usize = 20_000;

/// One request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Arrival, in milliseconds since the simulator started, with fractions.
    pub at_ms: f64,
    /// HTTP method.
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    /// Beginning of the body as text; kept by the simulators that share a desk.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub body: String,
    /// HTTP status answered; 0 when the connection was closed without an answer.
    pub status: u16,
    /// Client address.
    pub ip: IpAddr,
    /// The fault that was played, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// Refused by the limit.
    pub limited: bool,
}

/// Counts of one route.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RouteCount {
    /// All requests.
    pub total: u64,
    /// By status answered; 0 = no answer.
    pub by_status: BTreeMap<u16, u64>,
}

/// What `GET requests` tells.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Requests since the start or the last `DELETE requests`.
    pub total: u64,
    /// Of them, refused by the limit.
    pub limited: u64,
    /// The most requests that one address sent in any one window (1 s divided by the time factor), refused ones included.
    pub max_in_window: usize,
    /// The same, without those refused by the limit.
    pub max_accepted_in_window: usize,
    /// By method and path.
    pub routes: BTreeMap<String, RouteCount>,
    /// The last 20,000 requests, oldest first.
    pub requests: Vec<Entry>,
}

/// The log.
#[derive(Debug, Default)]
pub struct Journal {
    entries: VecDeque<Entry>,
    total: u64,
    limited: u64,
    routes: BTreeMap<String, RouteCount>,
}

impl Journal {
    /// Requests since the start or the last clearing.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Notes one request.
    pub fn note(&mut self, entry: Entry) {
        self.total += 1;
        self.limited += u64::from(entry.limited);
        let path = entry.target.split('?').next().unwrap_or_default();
        let route = self.routes.entry(format!("{} {path}", entry.method)).or_default();
        route.total += 1;
        *route.by_status.entry(entry.status).or_default() += 1;
        if self.entries.len() >= KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    /// Everything so far.
    pub fn report(&self, window_ms: f64) -> Report {
        Report {
            total: self.total,
            limited: self.limited,
            max_in_window: busiest(self.entries.iter(), window_ms),
            max_accepted_in_window: busiest(self.entries.iter().filter(|entry| !entry.limited), window_ms),
            routes: self.routes.clone(),
            requests: self.entries.iter().cloned().collect(),
        }
    }
}

fn busiest<'a>(entries: impl Iterator<Item = &'a Entry>, window_ms: f64) -> usize {
    let mut by_ip: HashMap<IpAddr, Vec<f64>> = HashMap::new();
    for entry in entries {
        by_ip.entry(entry.ip).or_default().push(entry.at_ms);
    }
    let most = by_ip.values_mut().map(|times| {
        // Notes are taken when the answer is ready, so arrivals are not in order.
        times.sort_by(f64::total_cmp);
        let mut inside: VecDeque<f64> = VecDeque::new();
        let mut most = 0;
        for at in times.iter() {
            while inside.front().is_some_and(|first| at - first >= window_ms) {
                inside.pop_front();
            }
            inside.push_back(*at);
            most = most.max(inside.len());
        }
        most
    });
    most.max().unwrap_or(0)
}
