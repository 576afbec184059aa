//! InSales as the engine's target: the catalogue's copy answers what stands there, changes go out in groups.
//!
//! [`Looking`] can only look, [`Writing`] writes as well; both keep the copy fresh through [`Shop`].

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    catalogue::{Catalogue, Catalogues, Refresh, Shared},
    rules::BARCODE,
    sending::{self, Sending},
    settings::Settings,
    shelf,
    writing::Orders,
};
use crate::{
    domain::clock,
    engine::{
        flow::{Apply, Lookup, Observation, Observe},
        model::{Applied, Candidate, Change, Link, LinkState, Values},
    },
    fault::{Code, Fault},
    systems::insales::{Field, MOST_PER_CALL, Reader, Writer},
};

/// A shop's copy with what one run or question needs to keep it fresh.
pub struct Shop {
    shared: Shared,
    settings: Settings,
    /// The run, with its fence; absent where somebody only asks.
    run: Option<(String, u64)>,
    /// What was read in this run.
    told: Values,
}

impl Shop {
    /// The copy of this shop. `key` names the shop and what is read of it.
    pub fn new(catalogues: &Catalogues, key: String, settings: Settings, run: Option<(String, u64)>) -> Self {
        Self { shared: catalogues.of(key), settings, run, told: Values::new() }
    }

    /// The copy, for a moment.
    pub fn catalogue(&self) -> std::sync::MutexGuard<'_, Catalogue> {
        self.shared.lock()
    }

    /// Brings the copy up to date, once in a run.
    pub async fn refresh(&mut self, reader: &mut Reader) -> Result<(), Fault> {
        let began = clock::now();
        let warehouse = self.settings.insales.warehouse;
        let (refresh, cursor, unseen) = {
            let catalogue = self.shared.lock();
            let unseen = catalogue.products_of(catalogue.unseen.iter().copied());
            (catalogue.refresh(self.run.as_ref(), self.settings.full_every(), began), catalogue.cursor.clone(), unseen)
        };
        let calls = reader.calls();
        match refresh {
            Refresh::Nothing => return Ok(()),
            Refresh::Everything => {
                let mut fresh = Catalogue::default();
                let swept = reader.everything(|product| fresh.put(product, warehouse, began)).await?;
                fresh.cursor = swept.cursor;
                fresh.full_at = Some(began);
                fresh.full_calls = swept.calls;
                *self.shared.lock() = fresh;
            }
            Refresh::Changes => {
                let mut changed = Vec::new();
                let swept = reader.changed_since(cursor, |product| changed.push(product)).await?;
                {
                    let mut catalogue = self.shared.lock();
                    changed.into_iter().for_each(|product| catalogue.put(product, warehouse, began));
                    catalogue.cursor = swept.cursor;
                }
                self.look(reader, &unseen).await?;
            }
        }
        let mut catalogue = self.shared.lock();
        catalogue.swept_for = self.run.clone();
        let age = catalogue.full_at.map_or(0, |full_at| (clock::now() - full_at).num_seconds().max(0));
        self.told = Values::from([
            ("sweep".to_owned(), Value::from(if refresh == Refresh::Everything { "full" } else { "changes" })),
            ("full_sweep_age_seconds".to_owned(), Value::from(age)),
            ("read_calls".to_owned(), Value::from(reader.calls() - calls)),
            ("variants".to_owned(), Value::from(catalogue.len())),
        ]);
        Ok(())
    }

    /// Looks at these products anew; one that is gone leaves the copy.
    pub async fn look(&self, reader: &mut Reader, products: &[u64]) -> Result<(), Fault> {
        for ids in products.chunks(MOST_PER_CALL) {
            let began = clock::now();
            let found = reader.by_ids(ids).await?;
            let mut catalogue = self.shared.lock();
            ids.iter().for_each(|id| catalogue.remove(*id));
            found.into_iter().for_each(|product| catalogue.put(product, self.settings.insales.warehouse, began));
        }
        Ok(())
    }

    /// Which field is written. A shop with several warehouses must say which one takes the stock: what plain `quantity` does there is not
    /// documented.
    pub fn field(&self) -> Result<Field, Fault> {
        let catalogue = self.shared.lock();
        let known = catalogue.warehouses();
        let listed = || known.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
        match self.settings.insales.warehouse {
            Some(index) if known.contains(&index) || catalogue.is_empty() => Ok(Field::Warehouse(index)),
            Some(index) => Err(Fault::new(
                Code::ConfigInvalid,
                format!("insales.warehouse: the shop has no warehouse with the array_index {index}; it has {}", listed()),
            )),
            None if known.iter().any(|index| *index > 0) => Err(Fault::new(
                Code::ConfigInvalid,
                format!("insales.warehouse: the shop has several warehouses (array_index {}); set the one that takes the stock", listed()),
            )),
            None => Ok(Field::Whole),
        }
    }

    async fn facts(&mut self, reader: &mut Reader) -> Result<Values, Fault> {
        self.refresh(reader).await?;
        self.field()?;
        Ok(Values::new())
    }

    /// Looks again at variants that were written after the copy saw them last, by this process or another one.
    async fn recall(&self, reader: &mut Reader, links: &HashMap<String, Link>) -> Result<(), Fault> {
        let stale = {
            let catalogue = self.shared.lock();
            let older = |link: &&Link| {
                let seen = link.target.as_ref().and_then(|target| target.parse().ok()).and_then(|variant| catalogue.row(variant));
                seen.is_some_and(|(_, seen_at)| written_at(link).is_some_and(|at| at > seen_at))
            };
            let variants = links.values().filter(|link| link.state == LinkState::Linked).filter(older);
            catalogue.products_of(variants.filter_map(|link| link.target.as_ref()?.parse().ok()))
        };
        self.look(reader, &stale).await
    }

    /// Somebody who only asks is shown what stands there now, not what stood there at the last run.
    async fn ask(&self, reader: &mut Reader, targets: &[String]) -> Result<(), Fault> {
        if self.run.is_some() || targets.len() > MOST_PER_CALL {
            return Ok(());
        }
        let products = self.shared.lock().products_of(targets.iter().filter_map(|target| target.parse().ok()));
        self.look(reader, &products).await
    }

    fn observe(&self, targets: &[String]) -> HashMap<String, Observation> {
        let catalogue = self.shared.lock();
        let seen = |target: &String| Some((target.clone(), shelf::observation(&catalogue, target.parse().ok()?)?));
        targets.iter().filter_map(seen).collect()
    }

    fn candidates(&self, lookups: &[Lookup]) -> HashMap<String, Vec<Candidate>> {
        let catalogue = self.shared.lock();
        let mut found = HashMap::new();
        for lookup in lookups {
            for (_, barcode) in lookup.keys.iter().filter(|(key, barcode)| key == BARCODE && !barcode.is_empty()) {
                let candidates: Vec<Candidate> = catalogue
                    .with_barcode(barcode)
                    .map(|row| Candidate {
                        target: row.variant.to_string(),
                        name: row.name.to_string(),
                        matched: vec![format!("{BARCODE}={barcode}")],
                    })
                    .collect();
                if !candidates.is_empty() {
                    found.insert(lookup.source.clone(), candidates);
                }
            }
        }
        found
    }

    fn told(&self, reader: &Reader, changes: u64) -> Values {
        let mut told = self.told.clone();
        told.insert("write_calls_needed".to_owned(), Value::from(changes.div_ceil(MOST_PER_CALL as u64)));
        if let Some(usage) = reader.usage() {
            told.insert("budget_used".to_owned(), Value::from(usage.used));
            told.insert("budget_limit".to_owned(), Value::from(usage.limit));
        }
        told
    }
}

/// Until when a link's variant may have changed under our own hands: when it was sent, or when it was last seen to stand.
fn written_at(link: &Link) -> Option<DateTime<Utc>> {
    if Sending::of(link).is_some() {
        return Some(link.updated_at);
    }
    let seen = link.written.get(sending::SEEN).and_then(Value::as_str)?;
    DateTime::parse_from_rfc3339(seen).ok().map(|at| at.to_utc())
}

/// The target for looking only.
pub struct Looking {
    shop: Shop,
    reader: Reader,
}

impl Looking {
    /// Looks at this shop by this reader.
    pub fn new(shop: Shop, reader: Reader) -> Self {
        Self { shop, reader }
    }
}

#[async_trait]
impl Observe for Looking {
    async fn facts(&mut self) -> Result<Values, Fault> {
        self.shop.facts(&mut self.reader).await
    }

    async fn recall(&mut self, links: &HashMap<String, Link>) -> Result<(), Fault> {
        self.shop.recall(&mut self.reader, links).await
    }

    async fn observe(&mut self, targets: &[String]) -> Result<HashMap<String, Observation>, Fault> {
        self.shop.ask(&mut self.reader, targets).await?;
        Ok(self.shop.observe(targets))
    }

    async fn candidates(&mut self, lookups: &[Lookup]) -> Result<HashMap<String, Vec<Candidate>>, Fault> {
        Ok(self.shop.candidates(lookups))
    }

    async fn is_empty(&mut self) -> Result<bool, Fault> {
        Ok(self.shop.catalogue().is_empty())
    }

    fn told(&self, changes: u64) -> Values {
        self.shop.told(&self.reader, changes)
    }
}

/// The target for writing.
pub struct Writing {
    shop: Shop,
    writer: Writer,
}

impl Writing {
    /// Writes into this shop by this writer.
    pub fn new(shop: Shop, writer: Writer) -> Self {
        Self { shop, writer }
    }
}

#[async_trait]
impl Observe for Writing {
    async fn facts(&mut self) -> Result<Values, Fault> {
        self.shop.facts(&mut self.writer).await
    }

    async fn recall(&mut self, links: &HashMap<String, Link>) -> Result<(), Fault> {
        self.shop.recall(&mut self.writer, links).await
    }

    async fn observe(&mut self, targets: &[String]) -> Result<HashMap<String, Observation>, Fault> {
        Ok(self.shop.observe(targets))
    }

    async fn candidates(&mut self, lookups: &[Lookup]) -> Result<HashMap<String, Vec<Candidate>>, Fault> {
        Ok(self.shop.candidates(lookups))
    }

    async fn is_empty(&mut self) -> Result<bool, Fault> {
        Ok(self.shop.catalogue().is_empty())
    }

    fn told(&self, changes: u64) -> Values {
        self.shop.told(&self.writer, changes)
    }
}

#[async_trait]
impl Apply for Writing {
    async fn apply(&mut self, batch: &[Change], _again: bool) -> Result<Vec<Applied>, Fault> {
        Orders::of(&self.shop, batch)?.carry_out(&self.shop, &mut self.writer).await
    }

    async fn complete(&mut self, creations: &[Change]) -> Result<Vec<Option<Applied>>, Fault> {
        // This flow makes nothing in the shop.
        Ok(creations.iter().map(|_| None).collect())
    }

    async fn recorded(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    async fn recorded_earlier(&mut self, _creations: &[Change]) -> Result<(), Fault> {
        Ok(())
    }

    async fn finish(&mut self, _changed: bool) -> Result<(), Fault> {
        Ok(())
    }
}
