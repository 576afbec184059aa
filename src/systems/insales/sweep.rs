//! Reading the catalogue by the cursor that the vendor recommends (fact sheet, section 4.1): `updated_since` and `from_id` of the last row,
//! copied verbatim with their milliseconds, to the empty page. Changes made meanwhile come at the end once more; nothing is lost.

use std::collections::HashSet;

use super::{Reader, wire::Product};
use crate::fault::{Code, Fault};

/// Before any product.
const BEGINNING: &str = "1970-01-01T00:00:00.000+00:00";
/// How often a whole read that does not agree with the count is completed before it is given up.
const ROUNDS: u32 = 2;

/// Where a sweep goes on: everything after it in the order of (moment of change, id) is still to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// `updated_at` of the last row, verbatim.
    pub updated_at: String,
    /// Its id.
    pub id: u64,
}

impl Default for Cursor {
    fn default() -> Self {
        Self { updated_at: BEGINNING.to_owned(), id: 0 }
    }
}

/// What a sweep came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swept {
    /// Where the next one goes on.
    pub cursor: Cursor,
    /// How many calls it took.
    pub calls: u32,
}

impl Reader {
    /// Reads what was changed after `cursor`, page by page into `take`; a product that is changed meanwhile may come twice, the later one counts.
    pub async fn changed_since(&mut self, mut cursor: Cursor, mut take: impl FnMut(Product) + Send) -> Result<Swept, Fault> {
        let before = self.calls();
        loop {
            let page = self.products_since(&cursor).await?;
            let Some(last) = page.last() else {
                return Ok(Swept { cursor, calls: self.calls() - before });
            };
            let next = Cursor { updated_at: last.updated_at.clone(), id: last.id };
            // A server that keeps finer moments than it prints would send the last rows for ever.
            if next == cursor {
                return Err(Fault::new(
                    Code::RemoteProtocol,
                    format!("insales GET /admin/products.json: the cursor stands still at {} / {}", cursor.updated_at, cursor.id),
                ));
            }
            page.into_iter().for_each(&mut take);
            cursor = next;
        }
    }

    /// Reads everything, and proves it by the count: never fewer different products than there are at the end. (More may have come: those were
    /// deleted meanwhile.)
    pub async fn everything(&mut self, mut take: impl FnMut(Product) + Send) -> Result<Swept, Fault> {
        let before = self.calls();
        let mut seen = HashSet::new();
        let mut cursor = Cursor::default();
        for _ in 0..ROUNDS {
            let swept = self
                .changed_since(cursor, |product| {
                    seen.insert(product.id);
                    take(product);
                })
                .await?;
            let count = self.count().await?;
            if seen.len() as u64 >= count {
                return Ok(Swept { cursor: swept.cursor, calls: self.calls() - before });
            }
            // What was made meanwhile lies after the cursor.
            cursor = swept.cursor;
        }
        let count = self.count().await?;
        Err(Fault::new(
            Code::ReadNotWhole,
            format!(
                "InSales counts {count} products, but only {} different ones came; nothing is written from a half-read catalogue",
                seen.len()
            ),
        ))
    }
}
