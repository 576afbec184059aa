//! Billz 2 as a source of the engine: pages of rows into records.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::normalise;
use crate::{
    engine::{
        flow::{Page, PageSink, ReadEnd, Source},
        model::Values,
    },
    fault::{Code, Fault},
    systems::billz2::{
        Client,
        client::ProductPage,
        paging::{Pages, doubt},
    },
};

/// The reading side of a run against Billz 2.
pub struct Billz2Source {
    client: Client,
}

impl Billz2Source {
    /// Reads by this client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

/// Hands pages of Billz to the engine.
struct Handing<'a> {
    pages: &'a mut dyn PageSink,
    started_at: Option<DateTime<Utc>>,
}

#[async_trait]
impl Pages for Handing<'_> {
    async fn page(&mut self, page: ProductPage) -> Result<(), Fault> {
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
        Ok(ReadEnd { started_at: proof.started_at, doubt: doubt(&proof).map(|why| Fault::new(Code::ReadNotWhole, why)) })
    }
}
