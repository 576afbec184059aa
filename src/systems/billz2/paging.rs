//! Reading all pages, and the proof that it was all (design.md section 3: whole or not).

use std::{collections::HashSet, pin::pin};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::client::{Client, ProductPage};
use crate::fault::Fault;

/// The remote's own last page (fact sheet, section 2).
pub const LAST_PAGE: u32 = 10_000;
/// So many pages in a row without a new id mean that the remote gives the same rows again and again.
const STALE_PAGES: u32 = 2;

/// Takes pages as they come; stores each before it returns.
#[async_trait]
pub trait Pages: Send {
    /// One page. An error ends the read.
    async fn page(&mut self, page: ProductPage) -> Result<(), Fault>;
}

/// What was seen while reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadProof {
    /// The remote's clock when the first page was asked for: where the next cursor may begin.
    pub started_at: DateTime<Utc>,
    /// Pages read.
    pub pages: u32,
    /// Rows in them, doubles included.
    pub rows_seen: u64,
    /// Different products among them; rows without a readable id are told apart by their text.
    pub distinct: u64,
    /// Rows without a readable id.
    pub nameless: u64,
    /// The remote's total on the first page.
    pub count_first: u64,
    /// The remote's total on the last page.
    pub count_last: u64,
    /// A total on a page between them that agreed with neither.
    pub count_between: Option<u64>,
    /// Whether the read was broken off since the remote went on without end.
    pub endless: bool,
}

/// Why a read is not proven whole; `None` when total, rows and different products agree from the first page to the last, and each
/// row says which product it is. A row that does not could be any product: none can be taken as gone beside it, and a cursor that
/// moved over it would lose its change.
pub fn doubt(proof: &ReadProof) -> Option<String> {
    let ReadProof { pages, rows_seen, distinct, count_first, count_last, .. } = *proof;
    if proof.endless {
        return Some(format!(
            "Billz went on without end: {rows_seen} rows on {pages} pages, {distinct} different products, {count_last} announced."
        ));
    }
    if count_first != count_last {
        return Some(format!(
            "The catalogue moved while it was read: Billz announced {count_first} products at first and {count_last} at last, {distinct} different ones came."
        ));
    }
    if let Some(between) = proof.count_between {
        return Some(format!(
            "The catalogue moved while it was read: Billz announced {count_first} products at first and last, but {between} in between."
        ));
    }
    if rows_seen != count_last || distinct != count_last {
        return Some(format!("Billz announced {count_last} products, but {rows_seen} rows came with {distinct} different products."));
    }
    if proof.nameless > 0 {
        return Some(format!("Of {rows_seen} rows {} came without a readable id: they could be any product.", proof.nameless));
    }
    None
}

/// What happens after a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Page,
    End,
}

/// Counts what is seen.
#[derive(Default)]
struct Tally {
    ids: HashSet<u128>,
    pages: u32,
    rows_seen: u64,
    nameless: u64,
    stale: u32,
    endless: bool,
    counts: Option<(u64, u64)>,
    odd: Option<u64>,
}

impl Tally {
    /// Takes a page in and says whether there is another: never by a short page (the remote may clamp `limit`), only by an empty
    /// one or by having seen as many rows as announced.
    fn take(&mut self, page: &ProductPage) -> Next {
        let known = self.ids.len();
        for row in &page.rows {
            self.ids.insert(match row {
                Ok(product) => fingerprint(&product.id),
                Err(bad) => {
                    self.nameless += u64::from(bad.id.is_none());
                    fingerprint(bad.id.as_deref().unwrap_or(&bad.raw_hash))
                }
            });
        }
        self.pages += 1;
        self.rows_seen += page.rows_seen as u64;
        let first = self.counts.map_or(page.count, |(first, _)| first);
        self.odd = self.odd.or((page.count != first).then_some(page.count));
        self.counts = Some((first, page.count));
        self.stale = if self.ids.len() == known && page.rows_seen > 0 { self.stale + 1 } else { 0 };
        if page.rows_seen == 0 || self.rows_seen >= page.count {
            return Next::End;
        }
        self.endless = self.stale >= STALE_PAGES || self.pages >= LAST_PAGE;
        if self.endless { Next::End } else { Next::Page }
    }

    fn proof(&self, started_at: DateTime<Utc>) -> ReadProof {
        let (count_first, count_last) = self.counts.unwrap_or_default();
        ReadProof {
            started_at,
            pages: self.pages,
            rows_seen: self.rows_seen,
            distinct: self.ids.len() as u64,
            nameless: self.nameless,
            count_first,
            count_last,
            count_between: self.odd.filter(|odd| *odd != count_last),
            endless: self.endless,
        }
    }
}

/// An id in 16 bytes, so that a hundred thousand stay small.
fn fingerprint(id: &str) -> u128 {
    match Uuid::try_parse(id) {
        Ok(uuid) => uuid.as_u128(),
        Err(_) => Sha256::digest(id.as_bytes()).iter().take(16).fold(0, |sum, byte| (sum << 8) | u128::from(*byte)),
    }
}

impl Client {
    /// Reads all products, or those changed after `since`, into `sink`. While the sink stores a page the next one is fetched: the
    /// remote is the slow part. Never two requests at once, never more than one page ahead.
    ///
    /// A fault of the sink ends the read at once; one of the remote after the page in hand is stored.
    pub async fn read_all(&self, since: Option<DateTime<Utc>>, sink: &mut dyn Pages) -> Result<ReadProof, Fault> {
        let mut tally = Tally::default();
        let mut page = self.products(since, 1).await?;
        let started_at = page.asked_at;
        while tally.take(&page) == Next::Page {
            let mut fetch = pin!(self.products(since, tally.pages + 1));
            let mut store = pin!(sink.page(page));
            page = tokio::select! {
                stored = &mut store => {
                    stored?;
                    fetch.await?
                }
                fetched = &mut fetch => {
                    store.await?;
                    fetched?
                }
            };
        }
        if page.rows_seen > 0 || tally.pages == 1 {
            sink.page(page).await?;
        }
        Ok(tally.proof(started_at))
    }
}

#[cfg(test)]
#[path = "paging_tests.rs"]
mod tests;
