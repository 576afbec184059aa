//! What the shop has, kept between runs in this process: barcodes, names and quantities of every variant, and how fresh each is.
//!
//! A small catalogue is swept in every run. A large one is swept whole every `insales.full_every`, and in between only what InSales says has
//! changed is read, and what was written and not seen yet. It is a copy: losing it costs a sweep and nothing else.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use moka::sync::Cache;

use crate::{
    domain::clock,
    systems::insales::{Cursor, Product, Quantity, Variant},
};

/// A whole sweep in every run while it costs at most so many calls: at one run a minute, 200 of the 500 in a window.
pub const CHEAP: u32 = 40;

/// One variant of the shop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub variant: u64,
    /// Its product's id.
    pub product: u64,
    /// Names of product and variant, with the article number.
    pub name: Box<str>,
    /// Its barcode; may be empty.
    pub barcode: Box<str>,
    /// What stands in the field that is written.
    pub quantity: Quantity,
    /// Whether its product is made of others.
    pub bundle: bool,
}

/// Rows of one product, with when they were looked at.
#[derive(Clone, Debug)]
struct Shelf {
    seen_at: DateTime<Utc>,
    rows: Vec<Row>,
}

/// All variants of a shop.
#[derive(Debug, Default)]
pub struct Catalogue {
    products: HashMap<u64, Shelf>,
    /// Product of a variant.
    place: HashMap<u64, u64>,
    by_barcode: HashMap<Box<str>, Vec<u64>>,
    warehouses: BTreeSet<u8>,
    /// Where the next reading of changes goes on.
    pub cursor: Cursor,
    /// When the last whole sweep began.
    pub full_at: Option<DateTime<Utc>>,
    /// How many calls it took.
    pub full_calls: u32,
    /// Variants that were written and not looked at since.
    pub unseen: BTreeSet<u64>,
    /// The run (with its fence) that swept last: it need not do so again.
    pub swept_for: Option<(String, u64)>,
}

/// How a run brings the copy up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// Everything is read.
    Everything,
    /// What has changed, and what we have written.
    Changes,
    /// Nothing: this run has done it, or nobody will write by it.
    Nothing,
}

impl Catalogue {
    /// What `run` has to read; somebody who only asks (`None`) takes what is there.
    pub fn refresh(&self, run: Option<&(String, u64)>, full_every: Duration, now: DateTime<Utc>) -> Refresh {
        let Some(full_at) = self.full_at else { return Refresh::Everything };
        match run {
            None => Refresh::Nothing,
            Some(run) if self.swept_for.as_ref() == Some(run) => Refresh::Nothing,
            Some(_) if self.full_calls <= CHEAP || now - full_at >= clock::chrono_duration(full_every) => Refresh::Everything,
            Some(_) => Refresh::Changes,
        }
    }

    /// Puts a product in place of what was known of it. `warehouse` is the one that is written, if it is not the field `quantity`.
    pub fn put(&mut self, product: Product, warehouse: Option<u8>, seen_at: DateTime<Utc>) {
        self.remove(product.id);
        if product.archived {
            return;
        }
        let bundle = product.is_bundle();
        let Product { id, title, variants, .. } = product;
        let mut rows = Vec::with_capacity(variants.len());
        for variant in variants {
            self.warehouses.extend(variant.warehouses.keys());
            self.place.insert(variant.id, id);
            self.unseen.remove(&variant.id);
            let row = row(id, &title, variant, bundle, warehouse);
            if !row.barcode.is_empty() {
                self.by_barcode.entry(row.barcode.clone()).or_default().push(row.variant);
            }
            rows.push(row);
        }
        self.products.insert(id, Shelf { seen_at, rows });
    }

    /// Forgets a product.
    pub fn remove(&mut self, product: u64) {
        let Some(shelf) = self.products.remove(&product) else { return };
        for row in shelf.rows {
            self.place.remove(&row.variant);
            self.unseen.remove(&row.variant);
            if let Some(variants) = self.by_barcode.get_mut(&row.barcode) {
                variants.retain(|variant| *variant != row.variant);
                if variants.is_empty() {
                    self.by_barcode.remove(&row.barcode);
                }
            }
        }
    }

    /// A variant, with when it was looked at.
    pub fn row(&self, variant: u64) -> Option<(&Row, DateTime<Utc>)> {
        let shelf = self.products.get(self.place.get(&variant)?)?;
        shelf.rows.iter().find(|row| row.variant == variant).map(|row| (row, shelf.seen_at))
    }

    /// The variants with this barcode.
    pub fn with_barcode(&self, barcode: &str) -> impl Iterator<Item = &Row> {
        self.by_barcode.get(barcode).into_iter().flatten().filter_map(|variant| self.row(*variant).map(|(row, _)| row))
    }

    /// Every barcode with the name of one variant that has it.
    pub fn barcodes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.by_barcode.iter().filter_map(|(barcode, variants)| {
            let (row, _) = self.row(*variants.first()?)?;
            Some((&**barcode, &*row.name))
        })
    }

    /// Products of these variants, each once.
    pub fn products_of(&self, variants: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let found: BTreeSet<u64> = variants.into_iter().filter_map(|variant| self.place.get(&variant).copied()).collect();
        found.into_iter().collect()
    }

    /// How many variants there are.
    pub fn len(&self) -> usize {
        self.place.len()
    }

    /// Whether the shop has nothing.
    pub fn is_empty(&self) -> bool {
        self.place.is_empty()
    }

    /// Warehouses that any variant names, by `array_index`.
    pub fn warehouses(&self) -> &BTreeSet<u8> {
        &self.warehouses
    }
}

fn row(product: u64, title: &str, variant: Variant, bundle: bool, warehouse: Option<u8>) -> Row {
    let Variant { id, title: own, sku, barcode, quantity, mut warehouses } = variant;
    let stands = match warehouse {
        Some(index) => warehouses.remove(&index),
        None => quantity,
    };
    let mut name = title.trim().to_owned();
    for more in [own.as_str(), sku.as_str()].into_iter().filter(|more| !more.is_empty()) {
        name = if name.is_empty() { more.to_owned() } else { format!("{name}, {more}") };
    }
    Row {
        variant: id,
        product,
        name: name.into(),
        barcode: barcode.into(),
        quantity: stands.unwrap_or_else(|| Quantity::Unreadable("–".to_owned())),
        bundle,
    }
}

/// The copies of all shops that this process has looked at.
#[derive(Clone)]
pub struct Catalogues {
    shops: Cache<String, Shared>,
}

/// A copy that runs and questions of this process share.
#[derive(Clone, Default)]
pub struct Shared(Arc<Mutex<Catalogue>>);

impl Shared {
    /// The copy, for a moment: never held while anybody waits for a remote.
    pub fn lock(&self) -> MutexGuard<'_, Catalogue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Copies of shops that nobody asked about for so long are dropped.
const IDLE: Duration = Duration::from_secs(3_600);

impl Default for Catalogues {
    fn default() -> Self {
        Self { shops: Cache::builder().max_capacity(1_000).time_to_idle(IDLE).build() }
    }
}

impl Catalogues {
    /// The copy of a shop; empty until it is swept.
    pub fn of(&self, key: String) -> Shared {
        self.shops.get_with(key, Shared::default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(id: u64, barcodes: &[&str]) -> Product {
        let variants: Vec<String> = barcodes
            .iter()
            .enumerate()
            .map(|(place, barcode)| {
                format!(
                    r#"{{"id":{},"barcode":"{barcode}","quantity":5,"quantity_at_warehouse0":"5.0","quantity_at_warehouse2":"1.0"}}"#,
                    id * 10 + place as u64
                )
            })
            .collect();
        serde_json::from_str(&format!(r#"{{"id":{id},"updated_at":"x","title":"P{id}","variants":[{}]}}"#, variants.join(",")))
            .expect("a product")
    }

    fn catalogue(rows: &[(u64, &[&str])]) -> Catalogue {
        let mut all = Catalogue::default();
        rows.iter().for_each(|(id, barcodes)| all.put(product(*id, barcodes), None, DateTime::UNIX_EPOCH));
        all
    }

    fn found(all: &Catalogue, barcode: &str) -> Vec<u64> {
        all.with_barcode(barcode).map(|row| row.variant).collect()
    }

    #[test]
    fn a_barcode_finds_every_variant_that_has_it_now() {
        let mut all = catalogue(&[(1, &["46", "47"]), (2, &["46"]), (3, &[""])]);
        assert_eq!((found(&all, "46"), found(&all, "47"), found(&all, "")), (vec![10, 20], vec![11], vec![]));
        all.put(product(1, &["48"]), None, DateTime::UNIX_EPOCH);
        assert_eq!((found(&all, "46"), found(&all, "47"), found(&all, "48"), all.len()), (vec![20], vec![], vec![10], 3));
        all.remove(2);
        assert_eq!((found(&all, "46"), all.row(20).is_none()), (vec![], true));
    }

    #[test]
    fn the_field_of_the_warehouse_counts_where_one_is_named() {
        let mut all = Catalogue::default();
        all.put(product(1, &["46"]), Some(2), DateTime::UNIX_EPOCH);
        assert_eq!(all.row(10).map(|(row, _)| row.quantity.clone()), Some(Quantity::Pieces(1.into())));
        assert_eq!(all.warehouses().iter().copied().collect::<Vec<_>>(), [0, 2]);
        all.put(product(1, &["46"]), Some(7), DateTime::UNIX_EPOCH);
        assert!(
            matches!(all.row(10).map(|(row, _)| row.quantity.clone()), Some(Quantity::Unreadable(_))),
            "an unknown warehouse is not empty"
        );
    }

    #[test]
    fn small_catalogues_are_always_swept_and_large_ones_now_and_then() {
        let (every, now) = (Duration::from_secs(600), clock::now());
        let mut all = Catalogue::default();
        let run = ("r1".to_owned(), 1);
        assert_eq!(all.refresh(None, every, now), Refresh::Everything, "nothing is known yet");
        all.full_at = Some(now - chrono::Duration::seconds(60));
        all.full_calls = CHEAP;
        assert_eq!(all.refresh(Some(&run), every, now), Refresh::Everything);
        all.full_calls = CHEAP + 1;
        assert_eq!(all.refresh(Some(&run), every, now), Refresh::Changes);
        assert_eq!(all.refresh(None, every, now), Refresh::Nothing);
        all.full_at = Some(now - chrono::Duration::seconds(600));
        assert_eq!(all.refresh(Some(&run), every, now), Refresh::Everything);
        all.swept_for = Some(run.clone());
        assert_eq!(all.refresh(Some(&run), every, now), Refresh::Nothing, "once in a run");
        assert_eq!(all.refresh(Some(&(run.0, 2)), every, now), Refresh::Everything, "a run that is taken up again looks again");
    }
}
