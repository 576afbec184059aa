//! Billz 2, simulated: what a Billz account looks like from outside, with its quirks, limits and bad days.
//!
//! Written from `facts/billz-2.md` alone ("the sheet" in all comments; section 7 is its specification). It shares no code with
//! our client, so it cannot share the client's mistakes.
//!
//! Start reading at [`routes`]: one request's way through journal, limit, faults, login and page. Then:
//!
//! | you want to know | read |
//! |---|---|
//! | what is sold, and how rows are found | [`catalogue`], invented by [`seed`] |
//! | how a row looks on the wire | [`wire`] (`offers` by shop), [`products`], [`lists`] |
//! | its store of photos | [`pictures`] |
//! | what can be set and broken | [`switches`], [`faults`] |
//! | what tests can ask and do | [`Handle`] in process, [`control`] over HTTP |

pub mod auth;
pub mod catalogue;
pub mod chance;
pub mod changes;
pub mod control;
pub mod faults;
pub mod fixed;
pub mod journal;
pub mod limits;
pub mod lists;
mod offers;
pub mod pictures;
pub mod products;
pub mod reply;
pub mod routes;
pub mod seed;
pub mod switches;
pub mod wire;
pub mod words;

#[cfg(test)]
mod tests;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::Utc;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use self::{
    auth::Sessions,
    catalogue::{Catalogue, Shop},
    changes::{Changed, Patch, RandomChanges, Truth},
    faults::{Fault, Queue, Rule},
    journal::{Journal, Report},
    limits::Window,
    switches::Switches,
};
use super::Options;

/// The simulator in process: the same verbs as the control API. Clones drive the same simulator.
#[derive(Clone)]
pub struct Handle {
    inner: Arc<Inner>,
}

struct Inner {
    catalogue: RwLock<Catalogue>,
    switches: RwLock<Switches>,
    sessions: Mutex<Sessions>,
    window: Mutex<Window>,
    faults: Mutex<Queue>,
    journal: Mutex<Journal>,
    pictures: pictures::Pictures,
    started: Instant,
    second: Duration,
    draws: AtomicU64,
}

/// What `GET state` tells.
#[derive(Clone, Debug, Serialize)]
pub struct State {
    /// Product rows, parents and services included.
    pub products: usize,
    /// Shops.
    pub shops: usize,
    /// The seed of the catalogue.
    pub seed: u64,
    /// Successful logins.
    pub logins: u64,
    /// Successful refreshes.
    pub refreshes: u64,
    /// Requests so far.
    pub requests: u64,
    /// The remote's clock, `YYYY-MM-DD HH:MM:SS` UTC.
    pub now: String,
    /// All switches.
    pub switches: Switches,
    /// The rules of faults, with how often each has fired.
    pub faults: Vec<Rule>,
}

/// A poisoned lock only means that a test panicked while holding it; the data is still whole enough for a simulator.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Handle {
    /// A simulator that nobody serves yet.
    pub fn new(options: &Options) -> Self {
        let switches = Switches { secret: options.secret.clone(), rate_limit: options.rate_limit, ..options.billz2.clone() };
        // A factor of nothing or less would make windows endless; such a factor means none.
        let factor = if options.time_factor > 0.0 { options.time_factor } else { 1.0 };
        Self {
            inner: Arc::new(Inner {
                catalogue: RwLock::new(seed::catalogue(options.seed, options.products)),
                switches: RwLock::new(switches),
                sessions: Mutex::default(),
                window: Mutex::default(),
                faults: Mutex::default(),
                journal: Mutex::default(),
                pictures: pictures::Pictures::default(),
                started: Instant::now(),
                second: Duration::from_secs_f64(1.0 / factor),
                draws: AtomicU64::new(0),
            }),
        }
    }

    fn catalogue(&self) -> RwLockReadGuard<'_, Catalogue> {
        self.inner.catalogue.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn catalogue_mut(&self) -> RwLockWriteGuard<'_, Catalogue> {
        self.inner.catalogue.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The remote's clock, in seconds since 1970.
    fn now(&self) -> i64 {
        Utc::now().timestamp().saturating_add(self.switches().clock_ahead_s)
    }

    fn draw(&self) -> u64 {
        self.inner.draws.fetch_add(1, Ordering::Relaxed)
    }

    /// Counts and switches.
    pub fn state(&self) -> State {
        let (products, shops, seed) = {
            let catalogue = self.catalogue();
            (catalogue.products().len(), catalogue.shops.len(), catalogue.seed)
        };
        let (logins, refreshes) = {
            let sessions = locked(&self.inner.sessions);
            (sessions.logins(), sessions.refreshes())
        };
        State {
            products,
            shops,
            seed,
            logins,
            refreshes,
            requests: locked(&self.inner.journal).total(),
            now: wire::time(self.now()),
            switches: self.switches(),
            faults: self.faults(),
        }
    }

    /// The switches as they stand.
    pub fn switches(&self) -> Switches {
        self.inner.switches.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Merges JSON into the switches: all of it or, with a clear text, none.
    pub fn merge_switches(&self, change: &Value) -> Result<Switches, String> {
        let mut switches = self.inner.switches.write().unwrap_or_else(PoisonError::into_inner);
        *switches = switches.merged(change)?;
        Ok(switches.clone())
    }

    /// Changes switches in place: `handle.set_switches(|s| s.rate_limit = None)`.
    pub fn set_switches(&self, change: impl FnOnce(&mut Switches)) {
        change(&mut self.inner.switches.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Adds a rule at the end of the queue.
    pub fn add_fault(&self, rule: Rule) {
        locked(&self.inner.faults).rules.push(rule);
    }

    /// The next request on `route` meets `fault`.
    pub fn fault_once(&self, route: &str, fault: Fault) {
        self.add_fault(Rule::new(route, 1, fault));
    }

    /// All rules, spent ones included.
    pub fn faults(&self) -> Vec<Rule> {
        locked(&self.inner.faults).rules.clone()
    }

    /// Forgets all rules.
    pub fn clear_faults(&self) {
        locked(&self.inner.faults).rules.clear();
    }

    /// Calls back every token.
    pub fn expire_tokens(&self) {
        locked(&self.inner.sessions).expire_all();
    }

    /// What was asked so far.
    pub fn requests(&self) -> Report {
        locked(&self.inner.journal).report(self.inner.second.as_secs_f64() * 1_000.0)
    }

    /// Forgets what was asked.
    pub fn clear_requests(&self) {
        *locked(&self.inner.journal) = Journal::default();
    }

    /// The store of photos.
    pub fn pictures(&self) -> &pictures::Pictures {
        &self.inner.pictures
    }

    /// The shops.
    pub fn shops(&self) -> Vec<Shop> {
        self.catalogue().shops.clone()
    }

    /// The truth about `limit` products from `offset`, oldest first.
    pub fn products(&self, offset: usize, limit: usize) -> Vec<Truth> {
        let catalogue = self.catalogue();
        catalogue.products().iter().skip(offset).take(limit).map(|product| changes::truth(&catalogue, product)).collect()
    }

    /// The truth about one product.
    pub fn product(&self, id: &Uuid) -> Option<Truth> {
        let catalogue = self.catalogue();
        catalogue.get(id).map(|product| changes::truth(&catalogue, product))
    }

    /// Changes one product, whole or not at all.
    pub fn patch(&self, id: &Uuid, change: &Patch) -> Result<Truth, String> {
        let (switches, now) = (self.switches(), self.now());
        let mut catalogue = self.catalogue_mut();
        changes::patch(&mut catalogue, &switches, id, change, now)?;
        let product = catalogue.get(id).ok_or_else(|| format!("no product {id}"))?;
        Ok(changes::truth(&catalogue, product))
    }

    /// Adds an ordinary product with the given fields on top, and returns its id.
    pub fn create(&self, given: &Patch) -> Result<Uuid, String> {
        let (switches, now) = (self.switches(), self.now());
        changes::create(&mut self.catalogue_mut(), &switches, given, now)
    }

    /// Takes a product away without a trace, such that it can be put back; `None` when there was none.
    pub fn archive(&self, id: &Uuid) -> Option<catalogue::Product> {
        self.catalogue_mut().remove(id)
    }

    /// Puts an archived product back, unchanged.
    pub fn put_back(&self, product: catalogue::Product) {
        self.catalogue_mut().put_back(product);
    }

    /// Deletes a product without a trace; false when there was none.
    pub fn delete(&self, id: &Uuid) -> bool {
        self.catalogue_mut().remove(id).is_some()
    }

    /// Changes products by chance and tells which.
    pub fn random_changes(&self, wanted: &RandomChanges) -> Changed {
        let (switches, now) = (self.switches(), self.now());
        changes::random(&mut self.catalogue_mut(), &switches, wanted, now)
    }

    /// A new catalogue. Switches, faults, tokens and the log of requests stay.
    pub fn reset(&self, products: usize, seed: u64) {
        *self.catalogue_mut() = seed::catalogue(seed, products);
    }
}
