//! A short form of the hour that `make bench ARGS=hour` measures whole: a schedule of each minute, changes all the time, and InSales' budget.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::json;

use super::body;
use crate::support::{Setup, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn a_change_arrives_within_two_periods_and_half_the_budget_is_never_used() {
    let stage = Stage::with(Setup { products: 0, goods: 100, ..Setup::default() }).await;
    let (kaktus, insales) = (&stage.billz.kaktus, &stage.billz.insales);
    let connection = stage.rest.post("/connections", &body(&stage, json!({"kaktus": {"page_size": 1000}}))).await.ok(201);
    let period = Duration::from_secs(60).div_f64(crate::support::TIME_FACTOR);
    // The first run: everything is new.
    let first = Instant::now() + Duration::from_secs(30);
    while insales.state().written < 200 {
        assert!(Instant::now() < first, "no run came");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut waiting: BTreeMap<String, (i64, Instant)> = BTreeMap::new();
    let mut ages = Vec::new();
    for minute in 0..8 {
        let began = Instant::now();
        for barcode in kaktus.random_changes(3, minute) {
            let products = kaktus.products();
            let holders: Vec<_> = products
                .values()
                .filter(|product| product.enabled)
                .flat_map(|product| &product.variants)
                .filter(|variant| variant.barcodes.contains(&barcode))
                .collect();
            // Of odd goods nothing is expected.
            let bundles = insales
                .products()
                .into_values()
                .filter(|product| product.bundle)
                .flat_map(|product| product.variants)
                .any(|variant| variant.barcode.as_ref() == Some(&barcode));
            if let ([holder], [only], false) = (&holders[..], &insales.with_barcode(&barcode)[..], bundles)
                && only.first().is_some()
            {
                waiting.insert(barcode, (holder.stock.iter().map(|row| row.total).sum(), began));
            }
        }
        while began.elapsed() < period {
            tokio::time::sleep(Duration::from_millis(50)).await;
            waiting.retain(|barcode, (total, since)| {
                let stands = insales.with_barcode(barcode)[0].first() == Some(*total);
                if stands {
                    ages.push(since.elapsed());
                }
                !stands
            });
        }
    }
    ages.sort();
    let worst = ages.get(ages.len() * 99 / 100).copied().unwrap_or_default();
    waiting.retain(|_, (_, since)| since.elapsed() > period * 2);
    assert!(ages.len() > 10 && worst < period * 2 && waiting.is_empty(), "{} ages, p99 {worst:?}, late {waiting:?}", ages.len());
    assert!(insales.state().busiest_window < 250, "{}", insales.state().busiest_window);
    let runs = stage.rest.all(&format!("/sync/runs?connection={}", connection["id"].as_str().unwrap())).await;
    assert!(runs.len() >= 6 && runs.iter().all(|run| run["state"] != "failed"), "{runs:?}");
}
