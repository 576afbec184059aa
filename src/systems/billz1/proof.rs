//! Whether the one answer was the whole answer (design.md section 3: whole or not). There is no last page to tell it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use rust_decimal::prelude::ToPrimitive;
use sha2::{Digest, Sha256};

use super::wire::Product;
use crate::{domain::number::Lenient, remote::BadRow};

/// What was seen while reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadProof {
    /// The remote's clock when it was asked: where the next cursor may begin.
    pub started_at: DateTime<Utc>,
    /// Rows that came, doubles included.
    pub rows_seen: u64,
    /// Different products among them; rows without a readable id are told apart by their text.
    pub distinct: u64,
    /// Rows without a readable id.
    pub nameless: u64,
    /// A product that came twice, with different values.
    pub contradicted: Option<String>,
    /// `totalRows`, if all rows that have it agree.
    pub total: Option<u64>,
    /// Whether everything was asked for.
    pub everything: bool,
    /// Why the answer is not complete: it broke off, or carries somebody else's id.
    pub broken: Option<String>,
}

/// Why a read is not proven whole; `None` when it is.
///
/// The same row twice is a double and nothing more; a product with two different rows is none of both. `totalRows` only counts against an
/// answer to the question for everything: whether it is the size of the answer or of the catalogue is not known (fact sheet, section 8).
pub fn doubt(proof: &ReadProof) -> Option<String> {
    let ReadProof { rows_seen, nameless, .. } = *proof;
    if let Some(why) = &proof.broken {
        return Some(format!("{why}; {rows_seen} rows came before."));
    }
    if let Some(id) = &proof.contradicted {
        return Some(format!("The product {id} came twice in one answer, with different values."));
    }
    if nameless > 0 {
        return Some(format!("Of {rows_seen} rows {nameless} came without a readable id: they could be any product."));
    }
    match proof.total {
        Some(total) if proof.everything && total > rows_seen => {
            Some(format!("Billz announced {total} rows, but {rows_seen} came with {} different products.", proof.distinct))
        }
        _ => None,
    }
}

/// What `totalRows` said so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Total {
    #[default]
    Unsaid,
    Said(u64),
    Contradicted,
}

/// Counts what is seen.
#[derive(Debug, Default)]
pub struct Tally {
    /// Hash of the id -> hash of the row, so that a hundred thousand stay small.
    rows: HashMap<u128, u64>,
    rows_seen: u64,
    nameless: u64,
    contradicted: Option<String>,
    total: Total,
}

impl Tally {
    /// Takes a row in, with its text; `false` for the same row again, which is not worth handing on.
    pub fn take(&mut self, row: &Result<Product, Box<BadRow>>, text: &str) -> bool {
        self.rows_seen += 1;
        let id = match row {
            Ok(product) => {
                self.count(&product.total_rows);
                Some(product.id.as_str())
            }
            Err(bad) => bad.id.as_deref(),
        };
        self.nameless += u64::from(id.is_none());
        let (key, print) = (fingerprint(id.unwrap_or(text)), fingerprint(text) as u64);
        match self.rows.insert(key, print) {
            None => true,
            Some(before) if before == print => false,
            Some(_) => {
                self.contradicted = self.contradicted.take().or_else(|| id.map(str::to_owned));
                true
            }
        }
    }

    fn count(&mut self, total: &Lenient) {
        let Lenient::Number(number) = total else { return };
        self.total = match (self.total, number.to_u64()) {
            (Total::Unsaid, Some(said)) => Total::Said(said),
            (Total::Said(before), Some(said)) if before == said => Total::Said(said),
            _ => Total::Contradicted,
        };
    }

    /// `totalRows`, if all rows agree so far.
    pub fn total(&self) -> Option<u64> {
        match self.total {
            Total::Said(total) => Some(total),
            Total::Unsaid | Total::Contradicted => None,
        }
    }

    /// What it comes to.
    pub fn proof(self, started_at: DateTime<Utc>, everything: bool, broken: Option<String>) -> ReadProof {
        let total = self.total();
        ReadProof {
            started_at,
            rows_seen: self.rows_seen,
            distinct: self.rows.len() as u64,
            nameless: self.nameless,
            contradicted: self.contradicted,
            total,
            everything,
            broken,
        }
    }
}

fn fingerprint(text: &str) -> u128 {
    Sha256::digest(text.as_bytes()).iter().take(16).fold(0, |sum, byte| (sum << 8) | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::systems::billz1::wire;

    /// What rows come to, `everything` asked.
    fn said(rows: &[&str], everything: bool) -> (Vec<bool>, Option<String>) {
        let mut tally = Tally::default();
        let taken = rows
            .iter()
            .map(|text| {
                let row = wire::product(serde_json::from_str(text).unwrap());
                tally.take(&row, text)
            })
            .collect();
        (taken, doubt(&tally.proof(DateTime::UNIX_EPOCH, everything, None)))
    }

    #[test]
    fn a_read_is_whole_when_ids_differ_and_the_total_is_reached() {
        assert_eq!(said(&[], true), (vec![], None));
        assert_eq!(said(&[r#"{"ID":1,"totalRows":2}"#, r#"{"ID":2,"totalRows":2}"#], true).1, None);
        assert!(said(&[r#"{"ID":1,"totalRows":3}"#, r#"{"ID":2,"totalRows":3}"#], true).1.unwrap().contains("announced 3"));
        // It may count the catalogue, whatever part of it was asked for.
        assert_eq!(said(&[r#"{"ID":1,"totalRows":3}"#], false).1, None);
        // A total that rows disagree about, or that is smaller, or no number, says nothing.
        assert_eq!(said(&[r#"{"ID":1,"totalRows":3}"#, r#"{"ID":2,"totalRows":4}"#], true).1, None);
        assert_eq!(said(&[r#"{"ID":1,"totalRows":1}"#, r#"{"ID":2,"totalRows":1}"#], true).1, None);
        assert_eq!(said(&[r#"{"ID":1,"totalRows":"many"}"#], true).1, None);
    }

    #[test]
    fn the_same_row_again_is_a_double_and_another_one_a_contradiction() {
        assert_eq!(said(&[r#"{"ID":1,"qty":5}"#, r#"{"ID":1,"qty":5}"#], true), (vec![true, false], None));
        let (taken, why) = said(&[r#"{"ID":1,"qty":5}"#, r#"{"ID":1,"qty":6}"#], true);
        assert_eq!((taken, why.unwrap().contains("product 1 came twice")), (vec![true, true], true));
        assert!(said(&[r#"{"qty":5}"#], true).1.unwrap().contains("without a readable id"));
        assert_eq!(said(&[r#"{"ID":1,"offices":0}"#], true).1, None, "a row that says which product it is is no doubt about the others");
    }
}
