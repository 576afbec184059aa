//! Kaktus as a source of the engine: all pages, proven, then one record per barcode.
//!
//! Nothing is stored before the read is proven whole: Kaktus has no deltas, so what is not proven could be any part of the truth.

use std::collections::HashSet;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{matching, record::Stocked, target::Shop};
use crate::{
    engine::{
        flow::{Page, PageSink, ReadEnd, Source},
        model::{Record, Values},
    },
    fault::{Code, Fault},
    systems::{insales::Reader, kaktus},
};

/// Records handed over together.
const PAGE: usize = 1_000;
/// How often the list is read before the run gives up: it may have moved under the first reading.
const PASSES: u32 = 2;

/// The reading side of a run.
pub struct KaktusSource {
    client: kaktus::Client,
    /// The shop, where barcodes that Kaktus does not list are to be dealt with.
    shop: Option<(Shop, Reader)>,
}

impl KaktusSource {
    /// Reads by this client. `shop` tells which barcodes Kaktus might have listed.
    pub fn new(client: kaktus::Client, shop: Option<(Shop, Reader)>) -> Self {
        Self { client, shop }
    }

    async fn proven(&mut self) -> Result<kaktus::Read, Fault> {
        let mut pass = 0;
        loop {
            pass += 1;
            let read = self.client.read_all().await?;
            match kaktus::doubt(&read.proof) {
                None => return Ok(read),
                Some(doubt) if pass < PASSES => tracing::info!(%doubt, "the read of Kaktus was not proven whole; it is done once more"),
                Some(doubt) => return Err(Fault::new(Code::ReadNotWhole, format!("{doubt} Nothing was changed."))),
            }
        }
    }
}

#[async_trait]
impl Source for KaktusSource {
    /// The user's name stands in the connection's identity already.
    async fn account(&mut self) -> Result<Option<String>, Fault> {
        Ok(None)
    }

    async fn facts(&mut self) -> Result<Values, Fault> {
        Ok(Values::new())
    }

    async fn read(&mut self, _since: Option<DateTime<Utc>>, pages: &mut dyn PageSink) -> Result<ReadEnd, Fault> {
        let read = self.proven().await?;
        let started_at = read.proof.started_at;
        let found = matching::by_barcode(read.products);
        let mut records: Vec<Record> = found.iter().map(|(barcode, stocked)| matching::record(barcode, stocked, None)).collect();
        // With a row that cannot be read nobody knows which barcodes are missing.
        let doubt = (!read.bad.is_empty()).then(|| {
            let named = read.bad.iter().filter_map(|bad| bad.id.as_deref()).take(5).collect::<Vec<_>>().join(", ");
            Fault::new(
                Code::ReadNotWhole,
                format!("{} products of Kaktus cannot be read ({named}); no barcode is taken as missing", read.bad.len()),
            )
        });
        records.extend(read.bad.iter().map(matching::bad_record));
        if let (Some((shop, reader)), None, false) = (&mut self.shop, &doubt, found.is_empty()) {
            shop.refresh(reader).await?;
            let known: HashSet<&str> = found.keys().map(String::as_str).collect();
            let catalogue = shop.catalogue();
            let missing = catalogue.barcodes().filter(|(barcode, _)| !known.contains(barcode));
            records.extend(missing.map(|(barcode, name)| matching::record(barcode, &Stocked::default(), Some(name))));
        }
        let total = u64::try_from(records.len()).ok();
        let mut records = records.into_iter();
        loop {
            let page: Vec<Record> = records.by_ref().take(PAGE).collect();
            if page.is_empty() {
                break;
            }
            pages.page(Page { records: page, total, started_at }).await?;
        }
        Ok(ReadEnd { started_at, doubt, offered: Vec::new() })
    }
}
