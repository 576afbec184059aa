//! The shop as a source of the engine: every order of a window, stored whole before anything is sent on.
//!
//! The window begins where the read before it began, less an overlap: an order may become visible late, and a clock may be wrong. Now and then it
//! goes back further. Nothing is taken as gone that a window does not show.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{UPDATES, process, record, settings::Settings};
use crate::{
    domain::clock,
    engine::{
        flow::{Page, PageSink, ReadEnd, Source},
        hooks::{End, Hooks},
        model::{Record, Values},
    },
    fault::Fault,
    systems::{
        okliving::{self, Window},
        onebox,
    },
};

/// Records handed over together.
const PAGE: usize = 500;
/// Hooks whose order is asked for in one run.
const PLACED: u32 = 500;

/// When a connection's window last went back further, as far as this process knows: after a restart it goes back at once.
#[derive(Clone, Default)]
pub struct Sweeps(Arc<Mutex<HashMap<String, Instant>>>);

impl Sweeps {
    fn is_due(&self, connection: &str, settings: &Settings) -> bool {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(connection).copied();
        last.is_none_or(|last| last.elapsed() >= settings.sweep_every())
    }

    fn done(&self, connection: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(connection.to_owned(), Instant::now());
    }
}

/// Reads orders.
pub struct Orders {
    shop: okliving::Client,
    settings: Settings,
    connection: String,
    since: DateTime<Utc>,
    sweeps: Sweeps,
}

impl Orders {
    /// Reads by this client; orders placed before `since` are of no use.
    pub fn new(shop: okliving::Client, settings: Settings, connection: String, since: DateTime<Utc>, sweeps: Sweeps) -> Self {
        Self { shop, settings, connection, since, sweeps }
    }

    fn window(&self, since: Option<DateTime<Utc>>, swept: bool) -> Window {
        let to = clock::now();
        let overlap = clock::chrono_duration(self.settings.overlap());
        let begin = since.unwrap_or(self.since - overlap);
        let back = to - clock::chrono_duration(self.settings.sweep_back());
        let from = if swept { begin.min(back.max(self.since - overlap)) } else { begin };
        Window { from, to: to + clock::chrono_duration(std::time::Duration::from_secs(60)) }
    }
}

#[async_trait]
impl Source for Orders {
    /// The integration stands in the connection's identity already.
    async fn account(&mut self) -> Result<Option<String>, Fault> {
        Ok(None)
    }

    async fn facts(&mut self) -> Result<Values, Fault> {
        Ok(Values::new())
    }

    async fn read(&mut self, since: Option<DateTime<Utc>>, pages: &mut dyn PageSink) -> Result<ReadEnd, Fault> {
        let swept = self.sweeps.is_due(&self.connection, &self.settings);
        let window = self.window(since, swept);
        let mut read = self.shop.pages(window);
        while let Some(orders) = read.next().await? {
            let started_at = read.started_at().unwrap_or(window.to);
            let records = distinct(orders, &self.settings);
            for page in records.chunks(PAGE) {
                pages.page(Page { records: page.to_vec(), total: None, started_at }).await?;
            }
        }
        let started_at = read.started_at().ok_or_else(|| Fault::internal("a read ended without a page"))?;
        if swept {
            self.sweeps.done(&self.connection);
        }
        Ok(ReadEnd { started_at, doubt: None, offered: Vec::new() })
    }
}

/// The records of a page. Of an order that comes twice the later word counts.
fn distinct(orders: Vec<Value>, settings: &Settings) -> Vec<Record> {
    let mut records: BTreeMap<String, Record> = BTreeMap::new();
    for order in orders {
        let record = record::of_order(order, settings);
        if records.get(&record.key).is_none_or(|known| known.source_changed_at <= record.source_changed_at) {
            records.insert(record.key.clone(), record);
        }
    }
    records.into_values().collect()
}

/// Finds the orders of hooks that name OneBox's id only.
pub struct Hooked {
    onebox: onebox::Client,
    settings: Settings,
    connection: String,
    hooks: Arc<dyn Hooks>,
}

impl Hooked {
    /// Asks by this client.
    pub fn new(onebox: onebox::Client, settings: Settings, connection: String, hooks: Arc<dyn Hooks>) -> Self {
        Self { onebox, settings, connection, hooks }
    }

    /// Hooks of orders that we did not link yet, such as those that OneBox fires while we still wait for its answer. An order without our key is
    /// none of ours.
    async fn place(&self) -> Result<(), Fault> {
        let unplaced = self.hooks.unplaced(&self.connection, UPDATES, PLACED).await?;
        let mut ids: Vec<String> = unplaced.iter().filter_map(|hook| hook.target.clone()).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Ok(());
        }
        let found = match self.onebox.by_id(&ids, &[]).await {
            Ok(found) => found,
            Err(fault) => {
                tracing::warn!(connection.id = %self.connection, hooks = unplaced.len(), error = %fault, "OneBox could not be asked which orders hooks are about; they wait");
                return Ok(());
            }
        };
        let (mut placed, mut foreign) = (Vec::new(), Vec::new());
        for hook in unplaced {
            let Some(order) = hook.target.as_ref().and_then(|target| found.get(target)) else { continue };
            match process::of_external_id(&order.externalid, &self.settings) {
                Some(item) => placed.push((hook.id, item.to_owned())),
                None => foreign.push(hook.id),
            }
        }
        self.hooks.place(&self.connection, placed).await?;
        self.hooks.settle(&self.connection, &foreign, None, End::Foreign).await
    }
}

#[async_trait]
impl Source for Hooked {
    async fn account(&mut self) -> Result<Option<String>, Fault> {
        Ok(None)
    }

    async fn facts(&mut self) -> Result<Values, Fault> {
        Ok(Values::new())
    }

    async fn read(&mut self, _since: Option<DateTime<Utc>>, pages: &mut dyn PageSink) -> Result<ReadEnd, Fault> {
        let started_at = clock::now();
        self.place().await?;
        let unread = self.hooks.unrecorded(&self.connection, UPDATES, PLACED).await?;
        if !unread.is_empty() {
            let records = unread.iter().map(|key| record::unread(key)).collect();
            pages.page(Page { records, total: None, started_at }).await?;
        }
        Ok(ReadEnd { started_at, doubt: None, offered: Vec::new() })
    }
}
