//! Billz 1, simulated: a JSON-RPC remote without paging, with its quirks and bad days.
//!
//! Written from `facts/billz-1.md` alone ("the sheet" in all comments; section 7 is its specification). It shares no code with our
//! client, so it cannot share the client's mistakes.
//!
//! Start reading at [`routes`]: one request's way through journal, fault, token and method. Then:
//!
//! | you want to know | read |
//! |---|---|
//! | what is sold, and how it is invented | [`catalogue`], [`seed`] |
//! | how a row looks on the wire, and what is listed | [`wire`] |
//! | who is let in | [`token`] |
//! | what can be set and broken | [`switches`], [`faults`] |
//! | what tests can ask and do | [`Handle`] in process, [`control`] over HTTP |

pub mod catalogue;
pub mod control;
pub mod faults;
pub mod routes;
pub mod seed;
pub mod switches;
pub mod token;
pub mod wire;

#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::{Duration, Instant},
};

use chrono::Utc;
use serde::Serialize;
use serde_json::Value;

use self::{
    catalogue::{Catalogue, Changed, Patch, Product, RandomChanges},
    faults::{Fault, Queue, Rule},
    switches::Switches,
};
use super::{
    Options,
    billz2::journal::{Journal, Report},
};

/// The simulator in process: the same verbs as the control API. Clones drive the same simulator.
#[derive(Clone)]
pub struct Handle {
    inner: Arc<Inner>,
}

struct Inner {
    catalogue: RwLock<Catalogue>,
    switches: RwLock<Switches>,
    faults: Mutex<Queue>,
    journal: Mutex<Journal>,
    started: Instant,
    second: Duration,
}

/// What `GET state` tells.
#[derive(Clone, Debug, Serialize)]
pub struct State {
    /// Product rows.
    pub products: usize,
    /// Offices.
    pub offices: usize,
    /// The seed of the catalogue.
    pub seed: u64,
    /// Requests so far.
    pub requests: u64,
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
        let factor = if options.time_factor > 0.0 { options.time_factor } else { 1.0 };
        Self {
            inner: Arc::new(Inner {
                catalogue: RwLock::new(seed::catalogue(options.seed, options.products)),
                switches: RwLock::new(Switches { secret: options.secret.clone(), ..options.billz1.clone() }),
                faults: Mutex::default(),
                journal: Mutex::default(),
                started: Instant::now(),
                second: Duration::from_secs_f64(1.0 / factor),
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

    /// Counts and switches.
    pub fn state(&self) -> State {
        let (products, offices, seed) = {
            let catalogue = self.catalogue();
            (catalogue.products.len(), catalogue.offices.len(), catalogue.seed)
        };
        let requests = locked(&self.inner.journal).total();
        State { products, offices, seed, requests, switches: self.switches(), faults: self.faults() }
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

    /// Changes switches in place.
    pub fn set_switches(&self, change: impl FnOnce(&mut Switches)) {
        change(&mut self.inner.switches.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Adds a rule at the end of the queue.
    pub fn add_fault(&self, rule: Rule) {
        locked(&self.inner.faults).rules.push(rule);
    }

    /// The next request meets `fault`.
    pub fn fault_once(&self, fault: Fault) {
        self.add_fault(Rule::new(1, fault));
    }

    /// All rules, spent ones included.
    pub fn faults(&self) -> Vec<Rule> {
        locked(&self.inner.faults).rules.clone()
    }

    /// Forgets all rules.
    pub fn clear_faults(&self) {
        locked(&self.inner.faults).rules.clear();
    }

    /// What was asked so far. `target` of an entry is the path, a blank, and the params.
    pub fn requests(&self) -> Report {
        locked(&self.inner.journal).report(self.inner.second.as_secs_f64() * 1_000.0)
    }

    /// Forgets what was asked.
    pub fn clear_requests(&self) {
        *locked(&self.inner.journal) = Journal::default();
    }

    /// (officeID, officeName) of the offices.
    pub fn offices(&self) -> Vec<(u64, String)> {
        self.catalogue().offices.clone()
    }

    /// `limit` products from `offset`, oldest first.
    pub fn products(&self, offset: usize, limit: usize) -> Vec<Product> {
        self.catalogue().products.values().skip(offset).take(limit).cloned().collect()
    }

    /// One product.
    pub fn product(&self, id: u64) -> Option<Product> {
        self.catalogue().products.get(&id).cloned()
    }

    /// Changes one product, whole or not at all.
    pub fn patch(&self, id: u64, change: &Patch) -> Result<Product, String> {
        let (switches, now) = (self.switches(), self.now());
        self.catalogue_mut().patch(id, change, &switches, now)
    }

    /// Adds an ordinary product with the given fields on top, and returns its id.
    pub fn create(&self, given: &Patch) -> Result<u64, String> {
        let (switches, now) = (self.switches(), self.now());
        self.catalogue_mut().create(given, &switches, now)
    }

    /// Deletes a product without a trace; false when there was none.
    pub fn delete(&self, id: u64) -> bool {
        self.catalogue_mut().products.remove(&id).is_some()
    }

    /// Changes products by chance and tells which.
    pub fn random_changes(&self, wanted: &RandomChanges) -> Changed {
        let (switches, now) = (self.switches(), self.now());
        self.catalogue_mut().random(wanted, &switches, now)
    }

    /// A new catalogue. Switches, faults and the log of requests stay.
    pub fn reset(&self, products: usize, seed: u64) {
        *self.catalogue_mut() = seed::catalogue(seed, products);
    }
}
