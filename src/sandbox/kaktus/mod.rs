//! Kaktus, simulated: a fulfilment system with a token that dies, pages from 0, and fields that come in several forms.
//!
//! Written from `facts/kaktus.md` alone ("the sheet" in all comments; section 7 is its specification). It shares no code with our client, so it
//! cannot share the client's mistakes.
//!
//! [`routes`] is the remote, [`Handle`] drives it in process, [`control`] over HTTP; faults are those of [`super::desk`].

pub mod control;
pub mod routes;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::Utc;
use serde::{Deserialize, Serialize};

use super::{
    Options,
    billz2::chance::Chance,
    desk::{Desk, locked},
    goods::{self, Oddity, SIZES},
};

/// Stock in one warehouse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stock {
    /// Its name.
    #[serde(default)]
    pub warehouse: String,
    /// All that lies there.
    pub total: i64,
    /// Of it, reserved for orders.
    #[serde(default)]
    pub reserved: i64,
}

/// What is really sold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its barcodes: none, one or several.
    #[serde(default)]
    pub barcodes: Vec<String>,
    /// Its stock: none, one or several rows.
    #[serde(default)]
    pub stock: Vec<Stock>,
}

const fn yes() -> bool {
    true
}

/// A product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Whether it is in use.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Its variants.
    pub variants: Vec<Variant>,
}

/// What can be set while it runs. Defaults are the harder of two unknowns, or what the sheet saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switches {
    /// The user's name.
    pub login: String,
    /// The user's password.
    pub password: String,
    /// Life of a token in seconds.
    pub token_life_s: i64,
    /// A token dies after so many calls.
    pub token_calls: Option<u32>,
    /// HTTP status of an expired token: 200 or 401.
    pub expired_status: u16,
    /// `size` of the query is ignored: pages have 100 rows.
    pub size_ignored: bool,
    /// Ids as numbers instead of texts.
    pub numeric_ids: bool,
    /// Barcodes as `{"barcode": "..."}` instead of texts.
    pub barcode_objects: bool,
    /// Between two pages one row moves from the list's end to its beginning, so that rows shift.
    pub rows_shift: bool,
    /// Added to every answer, in milliseconds.
    pub latency_ms: u64,
    /// How far its clock is ahead of ours, in seconds.
    pub clock_ahead_s: i64,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            login: "shop@example.test".to_owned(),
            password: "demo-kaktus-password".to_owned(),
            token_life_s: 14_400,
            token_calls: None,
            expired_status: 200,
            size_ignored: false,
            numeric_ids: false,
            barcode_objects: false,
            rows_shift: false,
            latency_ms: 0,
            clock_ahead_s: 0,
        }
    }
}

/// A token that was given out.
#[derive(Clone, Copy, Debug)]
struct Issued {
    /// Unix seconds.
    expires: i64,
    calls: u32,
}

/// The simulator in process: the same verbs as the control API. Clones drive the same simulator.
#[derive(Clone)]
pub struct Handle {
    inner: Arc<Inner>,
}

struct Inner {
    products: Mutex<BTreeMap<u64, Product>>,
    switches: Mutex<Switches>,
    tokens: Mutex<HashMap<String, Issued>>,
    logins: Mutex<u64>,
    desk: Desk,
}

/// What `GET state` tells.
#[derive(Clone, Debug, Serialize)]
pub struct State {
    /// How many products there are.
    pub products: usize,
    /// How many variants.
    pub variants: usize,
    /// Logins so far.
    pub logins: u64,
    /// All switches.
    pub switches: Switches,
}

impl Handle {
    /// A simulator that nobody serves yet.
    pub fn new(options: &Options) -> Self {
        let handle = Self {
            inner: Arc::new(Inner {
                products: Mutex::default(),
                switches: Mutex::new(options.kaktus.clone()),
                tokens: Mutex::default(),
                logins: Mutex::default(),
                desk: Desk::new("kaktus", Duration::from_secs_f64(60.0 / options.time_factor.max(f64::MIN_POSITIVE))),
            }),
        };
        handle.reset(options.goods);
        handle
    }

    /// Journal and faults.
    pub fn desk(&self) -> &Desk {
        &self.inner.desk
    }

    /// The remote's clock, in seconds since 1970.
    fn now(&self) -> i64 {
        Utc::now().timestamp().saturating_add(self.switches().clock_ahead_s)
    }

    /// A new catalogue of so many goods.
    pub fn reset(&self, count: usize) {
        let mut products = BTreeMap::new();
        for number in 1..=count as u64 {
            let oddity = goods::oddity(number);
            if oddity == Oddity::OnlyInInsales {
                continue;
            }
            let variant = |size: usize, label: &str| {
                let barcode = goods::barcode(number, if oddity == Oddity::DoubledInKaktus { 0 } else { size });
                let total = goods::pieces(number, size);
                let row = |warehouse: &str, total| Stock { warehouse: warehouse.to_owned(), total, reserved: i64::from(total > 2) };
                let stock = match oddity {
                    Oddity::WithoutStock => Vec::new(),
                    Oddity::TwoWarehouses => vec![row("Main", total), row("Reserve", 2)],
                    _ => vec![row("Main", total)],
                };
                Variant { name: label.to_owned(), barcodes: vec![barcode], stock }
            };
            let variants = SIZES.iter().enumerate().map(|(size, label)| variant(size, label));
            let product = |name: String, variants| Product { name, enabled: oddity != Oddity::Inactive, variants };
            if goods::apart(number) {
                for (size, variant) in variants.enumerate() {
                    let name = format!("{} {}", goods::name(number), variant.name);
                    products.insert(1_000 + number * 10 + size as u64, product(name, vec![variant]));
                }
            } else {
                products.insert(1_000 + number * 10, product(goods::name(number), variants.collect()));
            }
        }
        *locked(&self.inner.products) = products;
    }

    /// Counts and switches.
    pub fn state(&self) -> State {
        let products = locked(&self.inner.products);
        State {
            products: products.len(),
            variants: products.values().map(|product| product.variants.len()).sum(),
            logins: *locked(&self.inner.logins),
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

    /// The truth about everything, by id.
    pub fn products(&self) -> BTreeMap<u64, Product> {
        locked(&self.inner.products).clone()
    }

    /// Adds a product or replaces it; its id.
    pub fn put(&self, id: Option<u64>, product: Product) -> u64 {
        let mut products = locked(&self.inner.products);
        let id = id.unwrap_or_else(|| products.last_key_value().map_or(1_000, |(id, _)| id + 1));
        products.insert(id, product);
        id
    }

    /// Takes a product away; whether it was there.
    pub fn delete(&self, id: u64) -> bool {
        locked(&self.inner.products).remove(&id).is_some()
    }

    /// Sets the stock of every variant with this barcode, in the first warehouse; how many there were.
    pub fn set_stock(&self, barcode: &str, total: i64) -> usize {
        let mut products = locked(&self.inner.products);
        let variants = products.values_mut().flat_map(|product| &mut product.variants);
        let mut found = 0;
        for variant in variants.filter(|variant| variant.barcodes.iter().any(|own| own == barcode)) {
            match variant.stock.first_mut() {
                Some(row) => row.total = total,
                None => variant.stock.push(Stock { warehouse: "Main".to_owned(), total, reserved: 0 }),
            }
            found += 1;
        }
        found
    }

    /// Takes a barcode away from every variant that has it; how many there were.
    pub fn forget_barcode(&self, barcode: &str) -> usize {
        let mut products = locked(&self.inner.products);
        let mut found = 0;
        for variant in products.values_mut().flat_map(|product| &mut product.variants) {
            let before = variant.barcodes.len();
            variant.barcodes.retain(|own| own != barcode);
            found += before - variant.barcodes.len();
        }
        found
    }

    /// Moves the stock of so many variants by a few pieces, never to 0; their barcodes.
    pub fn random_changes(&self, count: usize, seed: u64) -> Vec<String> {
        let mut chance = Chance::new(seed, 0x6b61_6b74);
        let mut products = locked(&self.inner.products);
        let mut variants: Vec<&mut Variant> = products.values_mut().flat_map(|product| &mut product.variants).collect();
        let mut changed = Vec::new();
        for _ in 0..count {
            let at = usize::try_from(chance.below(variants.len() as u64)).unwrap_or_default();
            let Some(variant) = variants.get_mut(at) else { break };
            let (Some(row), Some(barcode)) = (variant.stock.first_mut(), variant.barcodes.first()) else { continue };
            row.total = (row.total + 1 + i64::try_from(chance.below(5)).unwrap_or_default()) % 97 + 1;
            changed.push(barcode.clone());
        }
        changed
    }
}
