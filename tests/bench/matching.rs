//! Kaktus -> InSales: how long matching takes and how much memory it needs, at 100,000 variants on each side; and the hour of 20,000.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::json;
use tradesync::{
    flows::kaktus_insales::{catalogue::Catalogue, matching, shelf},
    systems::{
        insales,
        kaktus::{Product, StockRow, Variant},
    },
};

use crate::{
    Row,
    support::{INSALES_PASSWORD, KAKTUS_PASSWORD, Setup, Stage},
};

const VARIANTS: u64 = 100_000;

/// A field of `/proc/self/status` in MiB.
fn memory(field: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1_024.0
}

fn of_kaktus(id: u64) -> Product {
    let variants = (0..3).map(|size| Variant {
        id: (id * 10 + size).to_string(),
        name: ["S", "M", "L"][size as usize].to_owned(),
        enabled: true,
        barcodes: vec![format!("46{:011}", id * 3 + size)],
        stock: vec![StockRow { warehouse: "Main".to_owned(), quantity: Some((id % 90).to_string()), minus: None }],
    });
    Product { id: id.to_string(), name: format!("Футболка {id}"), variants: variants.collect() }
}

fn of_insales(id: u64) -> insales::Product {
    let variants: Vec<_> = (0..3)
        .map(|size| json!({"id": 2_680_000_000_u64 + id * 10 + size, "title": size.to_string(), "sku": format!("TS-{id}"), "barcode": format!("46{:011}", id * 3 + size), "quantity": 5}))
        .collect();
    serde_json::from_str(
        &json!({"id": id, "updated_at": "2026-05-14T10:01:02.492+03:00", "title": format!("Футболка {id}"), "variants": variants})
            .to_string(),
    )
    .unwrap()
}

pub fn run() -> Vec<Row> {
    let products: Vec<Product> = (1..=VARIANTS / 3 + 1).map(of_kaktus).collect();
    let shop: Vec<insales::Product> = (1..=VARIANTS / 3 + 1).map(of_insales).collect();
    // The answers themselves come page by page in a run; what is measured is what matching keeps of them.
    let before = memory("VmRSS");
    let began = Instant::now();
    let mut catalogue = Catalogue::default();
    for product in shop {
        catalogue.put(product, None, tradesync::domain::clock::now());
    }
    let found = matching::by_barcode(products);
    let mut matched = 0_u64;
    for (barcode, stocked) in &found {
        let record = matching::record(barcode, stocked, None);
        for row in catalogue.with_barcode(&record.key) {
            matched += u64::from(shelf::observation(&catalogue, row.variant).is_some());
        }
    }
    let took = began.elapsed();
    let kept = memory("VmRSS").max(memory("VmHWM")) - before;
    assert!(matched > VARIANTS, "{matched}");
    vec![
        Row::most("matching 100,000 variants on each side by barcode", took.as_secs_f64(), "s", 1.0),
        Row::most("memory that matching them takes beside the answers", kept, "MiB", 100.0),
    ]
}

/// Variants of the hour; 1 % of them move each minute.
const HOUR: usize = 20_000;
/// How much shorter the hour is.
const FACTOR: f64 = 12.0;

/// An hour of trade: the age of a changed quantity, and what of InSales' budget it took.
pub async fn hour() -> Vec<Row> {
    let stage = Stage::with(Setup { products: 0, goods: HOUR / 3, time_factor: FACTOR, ..Setup::default() }).await;
    let (kaktus, insales) = (&stage.billz.kaktus, &stage.billz.insales);
    let connection = stage
        .rest
        .post(
            "/connections",
            &json!({
                "flow": "kaktus-insales", "name": "Hour", "owner": "seller:1", "enabled": true,
                "settings": {
                    "kaktus": {"base_url": stage.billz.kaktus_url, "page_size": 1_000},
                    "insales": {"base_url": stage.billz.insales_url, "app_id": "demo-application"},
                    "brakes": {"limits": {"products_zeroed": {"on": false}}},
                },
                "secrets": {"kaktus_login": "shop@example.test", "kaktus_password": KAKTUS_PASSWORD, "insales_password": INSALES_PASSWORD},
            }),
        )
        .await
        .ok(201);
    let period = Duration::from_secs(60).div_f64(FACTOR);
    let mut waiting: BTreeMap<String, (i64, Instant)> = BTreeMap::new();
    let mut ages = Vec::new();
    let first = Instant::now();
    while insales.state().written < HOUR as u64 / 2 {
        assert!(first.elapsed() < Duration::from_secs(300), "the first run did not end");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // The first load is a matter of its own: the hour begins when its five minutes are over.
    tokio::time::sleep(period * 6).await;
    let load = insales.desk().requests().max_in_window;
    insales.desk().clear_requests();
    for minute in 0..60 {
        let began = Instant::now();
        let changed = kaktus.random_changes(HOUR / 100, minute);
        let totals: BTreeMap<String, Vec<i64>> = kaktus
            .products()
            .values()
            .filter(|product| product.enabled)
            .flat_map(|product| &product.variants)
            .filter(|variant| !variant.stock.is_empty())
            .flat_map(|variant| variant.barcodes.iter().map(|barcode| (barcode.clone(), variant.stock.iter().map(|row| row.total).sum())))
            .fold(BTreeMap::new(), |mut all, (barcode, total): (String, i64)| {
                all.entry(barcode).or_insert_with(Vec::new).push(total);
                all
            });
        let shop = shop(insales);
        for barcode in changed {
            // Of doubles and other odd goods nothing is expected.
            if let (Some([total]), Some([Some(_)])) = (totals.get(&barcode).map(Vec::as_slice), shop.get(&barcode).map(Vec::as_slice)) {
                waiting.insert(barcode, (*total, began));
            }
        }
        while began.elapsed() < period {
            tokio::time::sleep(period / 20).await;
            let shop = self::shop(insales);
            waiting.retain(|barcode, (total, since)| {
                let stands = shop.get(barcode).is_some_and(|quantities| quantities.as_slice() == [Some(*total)]);
                if stands {
                    ages.push(since.elapsed());
                }
                !stands
            });
        }
    }
    waiting.retain(|_, (_, since)| since.elapsed() > period * 2);
    ages.extend(waiting.values().map(|(_, since)| since.elapsed()));
    ages.sort();
    let worst = ages[ages.len() * 99 / 100].as_secs_f64() / period.as_secs_f64();
    let runs = stage.rest.all(&format!("/sync/runs?connection={}", connection["id"].as_str().unwrap())).await;
    let failed = runs.iter().filter(|run| run["state"] == "failed").count();
    vec![
        Row::most("hour of 20,000 variants, 1 % a minute: p99 age of a change", worst, "periods", 2.0),
        Row::most("the same: most requests to InSales in any 5 minutes", insales.desk().requests().max_in_window as f64, "requests", 250.0),
        Row::most("  in those of the first load, 10,000 quantities", load as f64, "requests", 500.0),
        Row::plain("the same: changes that arrived", ages.len() as f64, "changes"),
        Row::most("the same: failed runs", failed as f64, "runs", 0.0),
    ]
}

/// Quantities by barcode, bundles left out.
fn shop(insales: &tradesync::sandbox::insales::Handle) -> BTreeMap<String, Vec<Option<i64>>> {
    let mut all: BTreeMap<String, Vec<Option<i64>>> = BTreeMap::new();
    for product in insales.products().into_values().filter(|product| !product.bundle) {
        for variant in product.variants {
            let quantity = variant.first();
            if let Some(barcode) = variant.barcode {
                all.entry(barcode).or_default().push(quantity);
            }
        }
    }
    all
}
