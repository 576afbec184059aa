//! InSales, simulated: a shop platform that queues updates, forgets unknown ids without a word, and counts every request.
//!
//! Written from `facts/insales.md` alone ("the sheet" in all comments; section 7 is its specification). It shares no code with our client, so it
//! cannot share the client's mistakes.
//!
//! [`routes`] is the remote, [`queue`] the updates that are still to come, [`Handle`] drives it in process, [`control`] over HTTP; faults are
//! those of [`super::desk`].

pub mod catalogue;
pub mod control;
pub mod queue;
pub mod routes;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use self::{
    catalogue::{Catalogue, Product, Variant},
    queue::Queue,
};
use super::{
    Options,
    desk::{Desk, locked},
};

/// What can be set while it runs. Defaults are the harder of two unknowns, or what the sheet documents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switches {
    /// The application's identifier.
    pub app_id: String,
    /// Its password.
    pub password: String,
    /// Requests in a window; `None` = no limit.
    pub limit: Option<u32>,
    /// Length of the window in seconds, divided by the time factor.
    pub window_s: u32,
    /// The limit answers 503 instead of 429.
    pub limit_503: bool,
    /// `per_page` is capped here.
    pub page_cap: usize,
    /// How long a group update waits in the queue, in milliseconds.
    pub apply_delay_ms: u64,
    /// Updates are carried out in the reverse order of their arrival.
    pub out_of_order: bool,
    /// So many of the next variants in group updates vanish without a word.
    pub drop_updates: u32,
    /// A group update answers one entry per variant, as about 2015.
    pub old_answer: bool,
    /// More than 100 variants in a group are refused.
    pub refuse_large_groups: bool,
    /// A change of stock moves the product's `updated_at`.
    pub stock_moves_date: bool,
    /// `quantity_at_warehouseN` as numbers instead of texts.
    pub numeric_warehouses: bool,
    /// How many warehouses the shop has.
    pub warehouses: u8,
    /// The single-variant route takes the value and keeps the old one.
    pub ignore_single: bool,
    /// Added to every answer, in milliseconds.
    pub latency_ms: u64,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            app_id: "demo-application".to_owned(),
            password: "demo-insales-password".to_owned(),
            limit: Some(500),
            window_s: 300,
            limit_503: false,
            page_cap: 250,
            apply_delay_ms: 0,
            out_of_order: false,
            drop_updates: 0,
            old_answer: false,
            refuse_large_groups: true,
            stock_moves_date: false,
            numeric_warehouses: false,
            warehouses: 1,
            ignore_single: false,
            latency_ms: 0,
        }
    }
}

/// The window of the limit: it begins with the first request of a series.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    began: Option<Instant>,
    used: u32,
}

/// The simulator in process: the same verbs as the control API. Clones drive the same simulator.
#[derive(Clone)]
pub struct Handle {
    inner: Arc<Inner>,
}

struct Inner {
    catalogue: Mutex<Catalogue>,
    queue: Mutex<Queue>,
    switches: Mutex<Switches>,
    window: Mutex<Window>,
    /// The most requests that any window has seen.
    busiest: Mutex<u32>,
    factor: f64,
    desk: Desk,
}

/// What `GET state` tells.
#[derive(Clone, Debug, Serialize)]
pub struct State {
    /// How many products there are, archived ones included.
    pub products: usize,
    /// How many variants.
    pub variants: usize,
    /// Updates that wait in the queue.
    pub queued: usize,
    /// Values written so far, single ones included.
    pub written: u64,
    /// The most requests that any window has seen.
    pub busiest_window: u32,
    /// All switches.
    pub switches: Switches,
}

impl Handle {
    /// A simulator that nobody serves yet.
    pub fn new(options: &Options) -> Self {
        let factor = options.time_factor.max(f64::MIN_POSITIVE);
        Self {
            inner: Arc::new(Inner {
                catalogue: Mutex::new(Catalogue::of_goods(options.goods)),
                queue: Mutex::default(),
                switches: Mutex::new(options.insales.clone()),
                window: Mutex::default(),
                busiest: Mutex::default(),
                factor,
                desk: Desk::new("insales", Duration::from_secs_f64(300.0 / factor)),
            }),
        }
    }

    /// Journal and faults.
    pub fn desk(&self) -> &Desk {
        &self.inner.desk
    }

    /// The catalogue, after everything that was due has been carried out.
    fn settled(&self) -> std::sync::MutexGuard<'_, Catalogue> {
        let switches = self.switches();
        let mut catalogue = locked(&self.inner.catalogue);
        for update in locked(&self.inner.queue).due(Instant::now(), switches.out_of_order) {
            catalogue.write(update.variant, &update.fields, switches.stock_moves_date);
        }
        catalogue
    }

    /// A new catalogue of so many goods.
    pub fn reset(&self, goods: usize) {
        *locked(&self.inner.queue) = Queue::default();
        *locked(&self.inner.catalogue) = Catalogue::of_goods(goods);
    }

    /// Counts and switches.
    pub fn state(&self) -> State {
        let catalogue = self.settled();
        State {
            products: catalogue.products.len(),
            variants: catalogue.products.values().map(|product| product.variants.len()).sum(),
            queued: locked(&self.inner.queue).len(),
            written: catalogue.written,
            busiest_window: *locked(&self.inner.busiest),
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

    /// The truth about everything, by id.
    pub fn products(&self) -> BTreeMap<u64, Product> {
        self.settled().products.clone()
    }

    /// Quantity of every variant by its id; null is `None`.
    pub fn quantities(&self) -> BTreeMap<u64, Option<i64>> {
        self.settled().products.values().flat_map(|product| &product.variants).map(|variant| (variant.id, variant.first())).collect()
    }

    /// The variants with this barcode.
    pub fn with_barcode(&self, barcode: &str) -> Vec<Variant> {
        let catalogue = self.settled();
        let variants = catalogue.products.values().flat_map(|product| &product.variants);
        variants.filter(|variant| variant.barcode.as_deref() == Some(barcode)).cloned().collect()
    }

    /// Adds a product; variants without an id get one. Its id.
    pub fn add(&self, product: Product) -> u64 {
        self.settled().add(product)
    }

    /// A person edits a variant in the back office; whether it was there. It moves the product's date.
    pub fn edit(&self, variant: u64, change: impl FnOnce(&mut Variant)) -> bool {
        self.settled().edit(variant, true, change)
    }

    /// An order takes pieces off a variant; whether it was there. It moves no date, unless the switch says so.
    pub fn order(&self, variant: u64, pieces: i64) -> bool {
        let moves = self.switches().stock_moves_date;
        self.settled().edit(variant, moves, |variant| {
            if let Some(Some(quantity)) = variant.quantities.first_mut() {
                *quantity -= pieces;
            }
        })
    }

    /// A product goes into the archive; whether it was there.
    pub fn archive(&self, product: u64) -> bool {
        self.settled().archive(product)
    }

    /// A product is deleted; whether it was there.
    pub fn delete(&self, product: u64) -> bool {
        self.settled().products.remove(&product).is_some()
    }
}
