//! Reading the whole list: pages from 0 to the empty one, and the proof that all of it came (fact sheet, section 6.2).

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::{Client, Product};
use crate::{fault::Fault, remote::BadRow};

/// So many pages in a row without a new product mean that the remote goes round.
const STALE_PAGES: u32 = 2;
/// No list is longer.
const LAST_PAGE: u32 = 100_000;

/// A read with everything it gave.
#[derive(Debug)]
pub struct Read {
    /// Each product once, as it was seen last; in no certain order.
    pub products: Vec<Product>,
    /// Rows that cannot be used.
    pub bad: Vec<BadRow>,
    /// What was counted.
    pub proof: ReadProof,
}

/// What was counted while the pages came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadProof {
    /// The remote's clock when the first page was asked for.
    pub started_at: DateTime<Utc>,
    /// Pages, the empty one included.
    pub pages: u32,
    /// Rows, repeated ones included.
    pub rows_seen: u64,
    /// Different ids.
    pub distinct: u64,
    /// Rows whose id cannot be read: they could be any product.
    pub nameless: u64,
    /// `recordsTotal` of the first page.
    pub total_first: u64,
    /// `recordsTotal` of the last page.
    pub total_last: u64,
    /// The remote went round.
    pub endless: bool,
}

/// Why the read is not proven whole; `None` when it is.
pub fn doubt(proof: &ReadProof) -> Option<String> {
    let ReadProof { pages, rows_seen, distinct, total_first, total_last, .. } = *proof;
    if proof.endless {
        return Some(format!(
            "Kaktus went on without end: {rows_seen} rows on {pages} pages, {distinct} different products, {total_last} announced."
        ));
    }
    if total_first != total_last {
        return Some(format!(
            "The list moved while it was read: Kaktus announced {total_first} products at first and {total_last} at last, {distinct} different ones came."
        ));
    }
    if distinct != total_last {
        return Some(format!("Kaktus announced {total_last} products, but {rows_seen} rows came with {distinct} different products."));
    }
    if proof.nameless > 0 {
        return Some(format!("Of {rows_seen} rows {} came without a readable id: they could be any product.", proof.nameless));
    }
    None
}

impl Client {
    /// Reads all products. Nothing is concluded here: [`doubt`] says whether it is all there is.
    pub async fn read_all(&self) -> Result<Read, Fault> {
        let mut products: std::collections::HashMap<String, Product> = std::collections::HashMap::new();
        let (mut bad, mut bad_ids) = (Vec::new(), HashSet::new());
        let (mut pages, mut rows_seen, mut nameless, mut stale, mut endless) = (0, 0, 0, 0, false);
        let mut first: Option<(u64, DateTime<Utc>)> = None;
        let mut total_last;
        loop {
            let page = self.products(pages).await?;
            pages += 1;
            rows_seen += page.rows.len() as u64;
            first.get_or_insert((page.total, page.asked_at));
            total_last = page.total;
            if page.rows.is_empty() {
                break;
            }
            let known = products.len() + bad_ids.len() + usize::try_from(nameless).unwrap_or_default();
            for row in page.rows {
                match row {
                    Ok(product) => drop(products.insert(product.id.clone(), product)),
                    Err(row) => {
                        match &row.id {
                            Some(id) => drop(bad_ids.insert(id.clone())),
                            None => nameless += 1,
                        }
                        bad.push(*row);
                    }
                }
            }
            let now = products.len() + bad_ids.len() + usize::try_from(nameless).unwrap_or_default();
            stale = if now == known { stale + 1 } else { 0 };
            if stale >= STALE_PAGES || pages >= LAST_PAGE {
                endless = true;
                break;
            }
        }
        let (total_first, started_at) = first.unwrap_or_default();
        // One that was readable on another page is not bad.
        bad_ids.retain(|id| !products.contains_key(id));
        bad.retain(|row| row.id.as_ref().is_none_or(|id| bad_ids.contains(id)));
        let distinct = (products.len() + bad_ids.len()) as u64 + nameless;
        let proof = ReadProof { started_at, pages, rows_seen, distinct, nameless, total_first, total_last, endless };
        Ok(Read { products: products.into_values().collect(), bad, proof })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof() -> ReadProof {
        ReadProof {
            started_at: DateTime::UNIX_EPOCH,
            pages: 3,
            rows_seen: 150,
            distinct: 150,
            nameless: 0,
            total_first: 150,
            total_last: 150,
            endless: false,
        }
    }

    #[test]
    fn only_what_agrees_is_whole() {
        assert_eq!(doubt(&proof()), None);
        assert_eq!(doubt(&ReadProof { rows_seen: 151, ..proof() }), None, "a row that shifted onto the next page is no gap");
        for odd in [
            ReadProof { total_last: 151, ..proof() },
            ReadProof { total_first: 149, ..proof() },
            ReadProof { distinct: 149, ..proof() },
            ReadProof { nameless: 1, ..proof() },
            ReadProof { endless: true, ..proof() },
        ] {
            assert!(doubt(&odd).is_some(), "{odd:?}");
        }
    }
}
