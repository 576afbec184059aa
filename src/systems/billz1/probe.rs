//! What the fact sheet leaves open about Billz 1 (section 8), as far as reading calls alone can tell it of this account.
//!
//! Two whole reads' worth of calls at most; nothing is changed at the remote and nothing is stored. Whether `iss` is looked at, what a wrong
//! key is answered with, and whether a sale moves a product into the delta cannot be told without doing more than reading.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::Duration;
use rust_decimal::Decimal;

use super::{
    client::{Client, Pages, ProductPage},
    proof::doubt,
    wire::Product,
};
use crate::{domain::number::Lenient, fault::Fault};

/// A question by its stable name, and what was found.
pub type Finding = (&'static str, Result<String, Fault>);

/// What one whole read shows.
#[derive(Default)]
struct Survey {
    unreadable: u64,
    skus: BTreeMap<String, u64>,
    offices: u64,
    empty_offices: u64,
    without_offices: u64,
    sold_out: u64,
    junk: BTreeMap<String, u64>,
    without_pictures: u64,
}

fn number(value: &Lenient) -> Option<Decimal> {
    match value {
        Lenient::Number(number) => Some(*number),
        _ => None,
    }
}

impl Survey {
    fn take(&mut self, product: &Product) {
        if !product.sku.is_empty() {
            *self.skus.entry(product.sku.clone()).or_default() += 1;
        }
        self.sold_out += u64::from(number(&product.qty).is_some_and(|pieces| pieces.is_zero()));
        self.without_offices += u64::from(product.offices.is_empty());
        self.offices += product.offices.len() as u64;
        self.empty_offices +=
            product.offices.iter().filter(|office| number(&office.qty).is_some_and(|pieces| pieces.is_zero())).count() as u64;
        self.without_pictures += u64::from(product.image_urls.is_empty());
        if let Some(price) = number(&product.price).filter(|price| *price <= Decimal::TEN) {
            *self.junk.entry(price.normalize().to_string()).or_default() += 1;
        }
    }

    fn offices(&self) -> String {
        match (self.offices, self.empty_offices) {
            (0, _) => "No product names an office.".into(),
            (_, 0) => format!("Offices without stock are not listed ({} products name no office at all).", self.without_offices),
            (all, empty) => format!("Offices without stock are listed: {empty} of {all} rows of offices have 0."),
        }
    }

    fn junk(&self) -> String {
        if self.junk.is_empty() {
            return "No price is 10 or less.".into();
        }
        let prices = self.junk.iter().map(|(price, count)| format!("{price} ({count})")).collect::<Vec<_>>().join(", ");
        format!("Prices of 10 or less, with the number of products: {prices}. min_price leaves out those below it.")
    }
}

#[async_trait]
impl Pages for Survey {
    async fn page(&mut self, page: ProductPage) -> Result<(), Fault> {
        for row in &page.rows {
            match row {
                Ok(product) => self.take(product),
                Err(_) => self.unreadable += 1,
            }
        }
        Ok(())
    }
}

impl Client {
    /// Answers what is open, question by question; one that cannot be answered says why.
    pub async fn probe(&self) -> Vec<Finding> {
        let mut survey = Survey::default();
        let proof = match self.read_all(None, &mut survey).await {
            Ok(proof) => proof,
            Err(fault) => return vec![("whole_read", Err(fault))],
        };
        let (rows, distinct) = (proof.rows_seen, proof.distinct);
        let whole = doubt(&proof).unwrap_or_else(|| format!("The answer is whole: {rows} rows, {distinct} different products."));
        let total = match proof.total {
            Some(total) if total == rows => format!("totalRows is the number of rows of the answer ({rows})."),
            Some(total) => format!("totalRows says {total}, but the answer has {rows} rows."),
            None => "totalRows is absent, or rows disagree about it.".into(),
        };
        let shared = survey.skus.values().filter(|count| **count > 1).count();
        vec![
            ("whole_read", Ok(whole)),
            ("total_rows", Ok(total)),
            ("offices", Ok(survey.offices())),
            ("junk_prices", Ok(survey.junk())),
            (
                "rows",
                Ok(format!(
                    "{shared} sku belong to more than one product; {} products are sold out; {} have no pictures; {} rows could not be used.",
                    survey.sold_out, survey.without_pictures, survey.unreadable
                )),
            ),
            ("since", self.since(proof.started_at, rows).await),
        ]
    }

    /// Whether `LastUpdatedDate` is looked at, and whether its `Z` is.
    async fn since(&self, now: chrono::DateTime<chrono::Utc>, all: u64) -> Result<String, Fault> {
        let after =
            async |hours: i64| self.read_all(Some(now + Duration::hours(hours)), &mut Survey::default()).await.map(|proof| proof.rows_seen);
        let tomorrow = after(24).await?;
        if tomorrow > 0 {
            return Ok(format!("LastUpdatedDate is ignored: {tomorrow} of {all} rows have changed since tomorrow."));
        }
        // Tashkent is 5 hours ahead of UTC: taken for local time, "in four hours" is an hour ago there.
        let soon = after(4).await?;
        Ok(match soon {
            0 => "LastUpdatedDate is looked at, and its zone is honoured as far as can be told: probe again right after a change in Billz to be sure.".into(),
            rows => format!("LastUpdatedDate is taken for the time in Tashkent, whatever its zone says: {rows} rows have changed since four hours from now."),
        })
    }
}
