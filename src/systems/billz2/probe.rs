//! What the fact sheet leaves open about Billz 2 (sections 2, 4.5 and 8), as far as reading calls alone can tell it of this account.
//!
//! One whole read and a handful of single pages; nothing is changed at the remote and nothing is stored. What no reading call can tell stays
//! open: whether a sale moves `updated_at` is measured by `full_every: auto`, run after run.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use chrono::{DateTime, Duration, Utc};
use rust_decimal::Decimal;

use super::{
    LARGEST_PAGE,
    client::{Client, ProductPage, address, product_rows},
    paging::{Pages, doubt},
    wire::Product,
};
use crate::{
    domain::number::Lenient,
    fault::{Code, Fault},
    remote::Reply,
};

/// Far more rows than [`LARGEST_PAGE`].
const TOO_MANY: u32 = 1_000;

/// A question by its stable name, and what was found.
pub type Finding = (&'static str, Result<String, Fault>);

/// What one whole read shows.
#[derive(Default)]
struct Survey {
    rows: u64,
    unreadable: u64,
    parents: u64,
    orphans: HashSet<String>,
    ids: HashSet<String>,
    skus: BTreeMap<String, u64>,
    barcodes: BTreeMap<String, u64>,
    negative: u64,
    fractions: u64,
    zero_rows: u64,
    without_price: u64,
    currencies: BTreeSet<String>,
    disagreeing: u64,
    latest: Option<DateTime<Utc>>,
    before: Option<DateTime<Utc>>,
    rising: u64,
    falling: u64,
    /// The remote's clock when the last page came.
    clock: Option<DateTime<Utc>>,
}

impl Survey {
    fn take(&mut self, product: &Product) {
        self.parents += u64::from(product.is_variative);
        self.ids.insert(product.id.clone());
        self.orphans.extend(product.parent_id.clone());
        for (seen, value) in [(&mut self.skus, &product.sku), (&mut self.barcodes, &product.barcode)] {
            if !value.is_empty() {
                *seen.entry(value.clone()).or_default() += 1;
            }
        }
        for stock in &product.shop_measurement_values {
            let Lenient::Number(number) = stock.active() else { continue };
            self.negative += u64::from(*number < Decimal::ZERO);
            self.fractions += u64::from(!number.fract().is_zero());
            self.zero_rows += u64::from(number.is_zero());
        }
        self.without_price += u64::from(product.shop_prices.is_empty() && !product.is_variative);
        let currencies: BTreeSet<&String> = product.shop_prices.iter().map(|price| &price.retail_currency).collect();
        self.disagreeing += u64::from(currencies.len() > 1);
        self.currencies.extend(currencies.into_iter().cloned());
        if let Some(at) = product.updated_at {
            self.rising += u64::from(self.before.is_some_and(|before| before < at));
            self.falling += u64::from(self.before.is_some_and(|before| before > at));
            self.before = Some(at);
            self.latest = self.latest.max(Some(at));
        }
    }

    fn order(&self) -> String {
        match (self.rising, self.falling) {
            (0, 0) => "All rows have one updated_at, so their order cannot be told.".into(),
            (_, 0) => "Rows come with the longest unchanged first (by updated_at).".into(),
            (0, _) => "Rows come with the last changed first (by updated_at): one that changes while pages are read moves to the first page, and another is met twice.".into(),
            (rising, falling) => {
                format!("Rows do not come by updated_at ({rising} times it rises from row to row, {falling} times it falls).")
            }
        }
    }

    fn stock(&self) -> String {
        format!(
            "Negative stock: {} rows; fractions: {}; listed with 0: {}; goods without any price: {}; rows that could not be used: {}.",
            self.negative, self.fractions, self.zero_rows, self.without_price, self.unreadable
        )
    }

    fn doubles(&self) -> String {
        let shared = |seen: &BTreeMap<String, u64>| seen.values().filter(|count| **count > 1).count();
        let absent = self.orphans.difference(&self.ids).count();
        format!(
            "{} sku and {} barcodes belong to more than one product; {} parent rows are listed, {absent} parents are named but not listed.",
            shared(&self.skus),
            shared(&self.barcodes),
            self.parents
        )
    }

    fn currency(&self) -> String {
        let named = |currency: &String| if currency.is_empty() { "none".to_owned() } else { currency.clone() };
        let all = self.currencies.iter().map(named).collect::<Vec<_>>().join(", ");
        format!("Prices come in: {all}; of {} products shops disagree.", self.disagreeing)
    }
}

#[async_trait]
impl Pages for Survey {
    async fn page(&mut self, page: ProductPage) -> Result<(), Fault> {
        self.clock = Some(page.date);
        for row in &page.rows {
            self.rows += 1;
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
        let whole = doubt(&proof)
            .unwrap_or_else(|| format!("count, rows and different ids agree: {} products on {} pages.", proof.distinct, proof.pages));
        let mut found = vec![
            ("whole_read", Ok(whole)),
            ("row_order", Ok(survey.order())),
            ("stock", Ok(survey.stock())),
            ("doubles", Ok(survey.doubles())),
            ("currency", Ok(survey.currency())),
        ];
        found.push(("page_size", self.largest_page(proof.count_last).await));
        found.push(("past_the_end", self.past_the_end(proof.pages).await));
        match survey.latest {
            Some(latest) => {
                found.push(("updated_at_zone", Ok(zone(latest, survey.clock))));
                found.push(("since", self.since(latest).await));
            }
            None => found.push(("since", Ok("No row has an updated_at, so its zone and the filter's border cannot be told.".into()))),
        }
        found.push(("limit_headers", self.limit_headers().await));
        found
    }

    /// Rows that answer `limit` and `page`.
    async fn rows_of(&self, limit: u32, page: u32) -> Result<usize, Fault> {
        let mut url = address(self.base_url(), "/v2/products");
        url.query_pairs_mut().append_pair("limit", &limit.to_string()).append_pair("page", &page.to_string());
        Ok(self.get("GET /v2/products", url, product_rows).await?.value.rows.len())
    }

    async fn largest_page(&self, count: u64) -> Result<String, Fault> {
        if count <= u64::from(LARGEST_PAGE) {
            return Ok(format!("Cannot be told: all {count} products fit on one page of {LARGEST_PAGE}."));
        }
        match self.rows_of(TOO_MANY, 1).await {
            Ok(rows) if rows as u64 >= count.min(u64::from(TOO_MANY)) => Ok(format!("limit={TOO_MANY} is honoured.")),
            Ok(rows) => Ok(format!("limit={TOO_MANY} is clamped to {rows} rows.")),
            Err(fault) if matches!(fault.code, Code::RemoteRejected | Code::RemoteForbidden) => {
                Ok(format!("limit={TOO_MANY} is refused: {}", fault.detail))
            }
            Err(fault) => Err(fault),
        }
    }

    async fn past_the_end(&self, pages: u32) -> Result<String, Fault> {
        let page = self.products(None, pages.saturating_add(5)).await?;
        Ok(match page.rows_seen {
            0 => "A page past the last one is empty.".into(),
            rows => format!("A page past the last one is not empty: it repeats {rows} rows, so only the count tells the end."),
        })
    }

    /// Whether the filter takes what changed at its very second, and whether it counts in the zone of `updated_at`.
    async fn since(&self, latest: DateTime<Utc>) -> Result<String, Fault> {
        let at = self.products(Some(latest), 1).await?.count;
        let later = self.products(Some(latest + Duration::seconds(1)), 1).await?.count;
        let tomorrow = self.products(Some(latest + Duration::days(1)), 1).await?.count;
        Ok(match (at, later, tomorrow) {
            (.., 1..) => format!(
                "last_updated_date a day after the last change still gives {tomorrow} rows: the filter is ignored, or counts in a zone far off."
            ),
            (_, 1.., 0) => format!(
                "last_updated_date a second after the last change gives {later} rows: it counts in another zone than updated_at, behind it, or goods changed meanwhile. Raise the overlap."
            ),
            (1.., 0, 0) => "last_updated_date takes what changed at its very second (\"at or after\"), in the zone of updated_at.".into(),
            (0, 0, 0) => {
                "last_updated_date leaves out what changed at its very second (\"after\"), or counts in a zone ahead of updated_at.".into()
            }
        })
    }

    async fn limit_headers(&self) -> Result<String, Fault> {
        let told: Mutex<Vec<String>> = Mutex::default();
        let mut url = address(self.base_url(), "/v2/products");
        url.query_pairs_mut().append_pair("limit", "1").append_pair("page", "1");
        let judged = self.get("GET /v2/products", url, |reply: &Reply| {
            let names = reply.headers.keys().map(|name| name.as_str().to_owned());
            let of_limits = names.filter(|name| ["limit", "retry", "quota"].iter().any(|word| name.contains(word)));
            *told.lock().unwrap_or_else(PoisonError::into_inner) = of_limits.collect();
            product_rows(reply)
        });
        judged.await?;
        let told = told.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(if told.is_empty() {
            "No header of an answer speaks of limits.".into()
        } else {
            format!("Headers that speak of limits: {}.", told.join(", "))
        })
    }
}

/// Whether `updated_at` can be UTC.
fn zone(latest: DateTime<Utc>, clock: Option<DateTime<Utc>>) -> String {
    let Some(clock) = clock else { return "The remote tells no time of its own.".into() };
    let ahead = (latest - clock).num_minutes();
    if ahead > 5 {
        format!("updated_at is no UTC: its latest is {ahead} minutes ahead of the remote's clock.")
    } else {
        format!(
            "updated_at may be UTC: its latest is {} minutes before the remote's clock. A change made right before a probe tells it for sure.",
            -ahead
        )
    }
}
