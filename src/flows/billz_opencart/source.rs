//! Billz as a source of the engine, either API: pages of rows into records.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{normalise, normalise_billz1};
use crate::{
    engine::{
        flow::{Discovered, Page, PageSink, ReadEnd, Source},
        model::Values,
    },
    fault::{Code, Fault},
    systems::{billz1, billz2},
};

/// The reading side of a run against Billz 2.
pub struct Billz2Source {
    client: billz2::Client,
}

impl Billz2Source {
    /// Reads by this client.
    pub fn new(client: billz2::Client) -> Self {
        Self { client }
    }
}

/// Hands pages of Billz 2 to the engine.
struct Handing<'a> {
    pages: &'a mut dyn PageSink,
    started_at: Option<DateTime<Utc>>,
}

#[async_trait]
impl billz2::Pages for Handing<'_> {
    async fn page(&mut self, page: billz2::ProductPage) -> Result<(), Fault> {
        let started_at = *self.started_at.get_or_insert(page.date);
        let total = Some(page.count);
        let records = page.rows.into_iter().map(normalise::record).collect();
        self.pages.page(Page { records, total, started_at }).await
    }
}

#[async_trait]
impl Source for Billz2Source {
    async fn account(&mut self) -> Result<Option<String>, Fault> {
        self.client.account().await
    }

    async fn facts(&mut self) -> Result<Values, Fault> {
        let currency = self.client.company_currency().await?;
        Ok(Values::from([("currency".to_owned(), currency.map_or(Value::Null, Value::String))]))
    }

    async fn read(&mut self, since: Option<DateTime<Utc>>, pages: &mut dyn PageSink) -> Result<ReadEnd, Fault> {
        let mut handing = Handing { pages, started_at: None };
        let proof = self.client.read_all(since, &mut handing).await?;
        Ok(ReadEnd { started_at: proof.started_at, doubt: billz2::doubt(&proof).map(not_whole), offered: Vec::new() })
    }
}

/// The reading side of a run against Billz 1.
pub struct Billz1Source {
    client: billz1::Client,
}

impl Billz1Source {
    /// Reads by this client.
    pub fn new(client: billz1::Client) -> Self {
        Self { client }
    }
}

/// Hands pages of Billz 1 to the engine, and remembers the offices that rows name.
struct HandingOffices<'a> {
    pages: &'a mut dyn PageSink,
    offices: Offices,
}

#[async_trait]
impl billz1::Pages for HandingOffices<'_> {
    async fn page(&mut self, page: billz1::ProductPage) -> Result<(), Fault> {
        self.offices.take(&page);
        let records = page.rows.into_iter().map(normalise_billz1::record).collect();
        self.pages.page(Page { records, total: page.total, started_at: page.started_at }).await
    }
}

/// Offices that rows name: Billz 1 has no list of them.
#[derive(Default)]
pub struct Offices(BTreeMap<String, String>);

impl Offices {
    fn take(&mut self, page: &billz1::ProductPage) {
        for office in page.rows.iter().flatten().flat_map(|product| &product.offices) {
            let known = self.0.entry(office.id.clone()).or_default();
            if known.is_empty() {
                office.name.trim().clone_into(known);
            }
        }
    }

    /// As streams that can be made; an office without a name is called by its id.
    pub fn offered(self) -> Vec<Discovered> {
        self.0.into_iter().map(|(stream, name)| Discovered { name: if name.is_empty() { stream.clone() } else { name }, stream }).collect()
    }
}

#[async_trait]
impl billz1::Pages for Offices {
    async fn page(&mut self, page: billz1::ProductPage) -> Result<(), Fault> {
        self.take(&page);
        Ok(())
    }
}

#[async_trait]
impl Source for Billz1Source {
    /// USERNAME stands in the connection's identity already; the remote names no account of its own.
    async fn account(&mut self) -> Result<Option<String>, Fault> {
        Ok(None)
    }

    async fn facts(&mut self) -> Result<Values, Fault> {
        Ok(Values::from([("currency".to_owned(), Value::from(billz1::CURRENCY))]))
    }

    async fn read(&mut self, since: Option<DateTime<Utc>>, pages: &mut dyn PageSink) -> Result<ReadEnd, Fault> {
        let mut handing = HandingOffices { pages, offices: Offices::default() };
        let proof = self.client.read_all(since, &mut handing).await?;
        let offered = handing.offices.offered();
        Ok(ReadEnd { started_at: proof.started_at, doubt: billz1::doubt(&proof).map(not_whole), offered })
    }
}

fn not_whole(why: String) -> Fault {
    Fault::new(Code::ReadNotWhole, why)
}
