//! OK Living, simulated: a shop whose API behaves like Shopware 6 with a plugin, statuses being transitions, and whose list nobody has described.
//!
//! Written from `facts/okliving.md` alone ("the sheet" in all comments; section 7 is its specification; the list of orders is its proposal, with
//! every variant it names as a switch). It shares no code with our client, so it cannot share the client's mistakes.
//!
//! [`routes`] is the door, [`lists`] `get-orders` with [`wire`], [`updates`] `update-order` with [`machine`]; [`Handle`] drives it in process,
//! [`control`] over HTTP; faults are those of [`super::desk`].

pub mod control;
pub mod lists;
pub mod machine;
pub mod order;
pub mod routes;
pub mod seed;
pub mod updates;
pub mod wire;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::order::{Line, Order, Person, Shape, Step};
use super::{
    Options,
    desk::{Desk, locked},
};

/// Where the list stands in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wrapper {
    /// `/orders`.
    Orders,
    /// `/data`.
    Data,
    /// `/data/orders`.
    DataOrders,
    /// `/result`.
    Result,
    /// `/result/orders`.
    ResultOrders,
    /// The list is the answer.
    Root,
    /// The answer is `null`.
    Null,
    /// `/orders` is missing.
    Missing,
    /// `/orders` is `{}`.
    EmptyObject,
    /// `/orders` is `[]`.
    EmptyList,
}

/// How moments are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Times {
    /// `2026-03-14 11:32:07`, in Kyiv.
    Local,
    /// `2026-03-14T09:32:07.000+00:00`.
    Iso,
}

/// How money is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Money {
    /// `"799.50"`.
    Text,
    /// `799.50`.
    Number,
    /// `79950`.
    Minor,
}

/// What a successful `update-order` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// `{"success": true}`.
    Success,
    /// `{}`.
    Empty,
    /// `{"status": "ok"}`.
    StatusOk,
    /// `{"data": {...}}`.
    Data,
    /// 204.
    NoContent,
}

/// What can be set while it runs. Defaults are the harder of two unknowns, or what the sheet documents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switches {
    /// The integration's id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// Life of a token in seconds; not divided by the time factor.
    pub token_life_s: i64,
    /// A token is refused after so many calls.
    pub token_calls: Option<u32>,
    /// Ten failed logins are followed by a pause.
    pub throttle: bool,
    /// Where the list stands.
    pub wrapper: Wrapper,
    /// An object by id instead of a list.
    pub keyed: bool,
    /// One order alone comes without a list.
    pub single_object: bool,
    /// Every page is the first.
    pub page_ignored: bool,
    /// Orders of a page at most, once there are pages.
    pub page_cap: usize,
    /// States as numbers.
    pub status_numbers: bool,
    /// Orders in no order.
    pub shuffled: bool,
    /// The first order of a page stands in it twice.
    pub doubled: bool,
    /// Orders placed from now on are in lists only so many seconds later (divided by the time factor).
    pub visible_late_s: u32,
    /// How moments are written.
    pub times: Times,
    /// How money is written.
    pub money: Money,
    /// All orders are laid out like this.
    pub shape: Option<Shape>,
    /// A note replaces the one before instead of being appended.
    pub note_replaces: bool,
    /// A transition to the present state is refused instead of doing nothing.
    pub repeat_illegal: bool,
    /// What stands before an illegal transition in a call has been done.
    pub half_applied: bool,
    /// An empty waybill number erases the real one.
    pub empty_erases: bool,
    /// What success answers.
    pub reply: Done,
    /// Refusals of the plugin come with 200.
    pub error_in_200: bool,
    /// Answers begin with a byte order mark.
    pub bom: bool,
    /// Answers are compressed.
    pub gzip: bool,
    /// Added to every answer, in milliseconds.
    pub latency_ms: u64,
    /// How far its clock is ahead of ours, in seconds.
    pub clock_ahead_s: i64,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            client_id: "demo-client".to_owned(),
            client_secret: "demo-okliving-secret".to_owned(),
            token_life_s: 600,
            token_calls: None,
            throttle: true,
            wrapper: Wrapper::Orders,
            keyed: false,
            single_object: false,
            page_ignored: false,
            page_cap: 50,
            status_numbers: false,
            shuffled: true,
            doubled: false,
            visible_late_s: 0,
            times: Times::Local,
            money: Money::Text,
            shape: None,
            note_replaces: false,
            repeat_illegal: false,
            half_applied: true,
            empty_erases: true,
            reply: Done::Success,
            error_in_200: false,
            bom: false,
            gzip: false,
            latency_ms: 0,
            clock_ahead_s: 0,
        }
    }
}

/// An `update-order` that arrived.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Write {
    /// By the shop's clock.
    pub at: DateTime<Utc>,
    /// The order it names.
    pub id: String,
    /// `args.order` as sent.
    pub sent: Value,
    /// The status it was answered with, if the answer arrived.
    pub status: u16,
    /// What was done: `tracking_number`, `note`, `delivery:ship`, `order:process`; `=delivery:ship` had been done before.
    pub applied: Vec<String>,
}

/// A token that was given out.
#[derive(Clone, Copy, Debug)]
struct Issued {
    /// Unix seconds.
    expires: i64,
    calls: u32,
}

/// Logins that failed.
#[derive(Clone, Copy, Debug, Default)]
struct Tries {
    failed: u32,
    until: Option<Instant>,
}

/// The simulator in process: the same verbs as the control API. Clones drive the same simulator.
#[derive(Clone)]
pub struct Handle {
    inner: Arc<Inner>,
}

struct Inner {
    orders: Mutex<BTreeMap<String, Order>>,
    /// The number of the next order that is placed.
    next: Mutex<u64>,
    switches: Mutex<Switches>,
    tokens: Mutex<HashMap<String, Issued>>,
    tries: Mutex<Tries>,
    logins: Mutex<u64>,
    writes: Mutex<Vec<Write>>,
    factor: f64,
    desk: Desk,
}

/// What `GET state` tells.
#[derive(Clone, Debug, Serialize)]
pub struct State {
    /// How many orders there are.
    pub orders: usize,
    /// Of them, in lists already.
    pub visible: usize,
    /// Tokens given out so far.
    pub logins: u64,
    /// Calls of `update-order`.
    pub updates: usize,
    /// Transitions made.
    pub steps: usize,
    /// All switches.
    pub switches: Switches,
}

impl Handle {
    /// A simulator that nobody serves yet.
    pub fn new(options: &Options) -> Self {
        let factor = options.time_factor.max(f64::MIN_POSITIVE);
        let handle = Self {
            inner: Arc::new(Inner {
                orders: Mutex::default(),
                next: Mutex::default(),
                switches: Mutex::new(options.okliving.clone()),
                tokens: Mutex::default(),
                tries: Mutex::default(),
                logins: Mutex::default(),
                writes: Mutex::default(),
                factor,
                desk: Desk::new("okliving", Duration::from_secs_f64(60.0 / factor)),
            }),
        };
        handle.reset(options.orders, options.seed);
        handle
    }

    /// Journal and faults.
    pub fn desk(&self) -> &Desk {
        &self.inner.desk
    }

    /// The shop's clock.
    pub fn now(&self) -> DateTime<Utc> {
        Utc::now() + TimeDelta::seconds(self.switches().clock_ahead_s)
    }

    /// Other orders.
    pub fn reset(&self, orders: usize, seed: u64) {
        *locked(&self.inner.orders) = seed::orders(orders, seed);
        *locked(&self.inner.next) = orders as u64 + 1;
    }

    /// Counts and switches.
    pub fn state(&self) -> State {
        let (now, orders) = (self.now(), locked(&self.inner.orders));
        State {
            orders: orders.len(),
            visible: orders.values().filter(|order| order.visible <= now).count(),
            logins: *locked(&self.inner.logins),
            updates: locked(&self.inner.writes).len(),
            steps: orders.values().map(|order| order.steps.len()).sum(),
            switches: self.switches(),
        }
    }

    /// The switches as they stand.
    pub fn switches(&self) -> Switches {
        locked(&self.inner.switches).clone()
    }

    /// Changes switches in place.
    pub fn set_switches(&self, change: impl FnOnce(&mut Switches)) {
        change(&mut locked(&self.inner.switches));
    }

    /// Every token given out so far is refused from now on.
    pub fn expire_tokens(&self) {
        locked(&self.inner.tokens).clear();
    }

    /// All orders as they stand, by id.
    pub fn orders(&self) -> BTreeMap<String, Order> {
        locked(&self.inner.orders).clone()
    }

    /// One order as it stands.
    pub fn get(&self, id: &str) -> Option<Order> {
        locked(&self.inner.orders).get(id).cloned()
    }

    /// Buyers place so many orders now; their ids, oldest first.
    pub fn place(&self, count: usize, seed: u64) -> Vec<String> {
        let now = self.now();
        let place = |_| {
            let number = {
                let mut next = locked(&self.inner.next);
                *next += 1;
                *next - 1
            };
            self.put(seed::order(number, seed, now))
        };
        (0..count).map(place).collect()
    }

    /// Adds an order or replaces it. One without a moment is placed now; one that is placed now is in lists after `visible_late_s`. Its id.
    pub fn put(&self, mut order: Order) -> String {
        let now = self.now();
        if order.created == DateTime::<Utc>::default() {
            (order.created, order.updated) = (now, now);
        }
        if order.visible <= order.created {
            let late = f64::from(self.switches().visible_late_s) / self.inner.factor;
            order.visible = order.created + TimeDelta::from_std(Duration::from_secs_f64(late)).unwrap_or_default();
        }
        let id = order.id.clone();
        locked(&self.inner.orders).insert(id.clone(), order);
        id
    }

    /// A person edits an order in the shop; whether it was there.
    pub fn edit(&self, id: &str, change: impl FnOnce(&mut Order)) -> bool {
        let now = self.now();
        locked(&self.inner.orders)
            .get_mut(id)
            .map(|order| {
                change(order);
                order.updated = now;
            })
            .is_some()
    }

    /// Takes an order away; whether it was there.
    pub fn remove(&self, id: &str) -> bool {
        locked(&self.inner.orders).remove(id).is_some()
    }

    /// Every `update-order` that was let in, refused ones included, oldest first.
    pub fn writes(&self) -> Vec<Write> {
        locked(&self.inner.writes).clone()
    }

    /// Forgets them.
    pub fn clear_writes(&self) {
        locked(&self.inner.writes).clear();
    }
}
