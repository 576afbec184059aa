//! Kaktus -> InSales: the requirement's sentences, what every flow must hold, and every wrong way that is known.
//!
//! A [`Pair`] is a stage with one connection between the simulated Kaktus and InSales, whose goods have barcodes in common.

mod acceptance;
mod crash;
mod hour;
mod matching;
mod sweeps;
mod trust;
mod verification;
mod wrong_ways;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tradesync::sandbox::{
    desk::{Fault, Rule},
    insales, kaktus,
};

use crate::support::{INSALES_PASSWORD, KAKTUS_PASSWORD, Setup, Spawn, Stage};

/// Quantity by variant; null is `None`.
pub type Quantities = BTreeMap<u64, Option<i64>>;

/// A stage with one connection of this flow.
pub struct Pair {
    pub stage: Stage,
    pub connection: String,
}

impl Pair {
    /// 60 goods, among them one of every odd kind.
    pub async fn new(over: Value) -> Self {
        Self::with(60, Spawn::default(), over).await
    }

    /// No goods: the test makes those that it speaks of.
    pub async fn empty(over: Value) -> Self {
        Self::with(0, Spawn::default(), over).await
    }

    pub async fn with(goods: usize, spawn: Spawn, over: Value) -> Self {
        let stage = Stage::with(Setup { products: 0, goods, spawn, ..Setup::default() }).await;
        Self::on(stage, over).await
    }

    /// A connection on this stage, without the schedule that comes with it.
    pub async fn on(stage: Stage, over: Value) -> Self {
        // Disabled until its schedule is gone, which would start a run within 3 s.
        let mut disabled = body(&stage, over);
        disabled["enabled"] = json!(false);
        let connection = stage.rest.post("/connections", &disabled).await.ok(201)["id"].as_str().unwrap().to_owned();
        for schedule in stage.rest.all(&format!("/schedules?connection={connection}")).await {
            stage.rest.delete(&format!("/schedules/{}", schedule["id"].as_str().unwrap())).await;
        }
        stage.rest.patch(&format!("/connections/{connection}"), &json!({"enabled": true})).await.ok(200);
        Self { stage, connection }
    }

    pub fn kaktus(&self) -> &kaktus::Handle {
        &self.stage.billz.kaktus
    }

    pub fn insales(&self) -> &insales::Handle {
        &self.stage.billz.insales
    }

    /// Starts a run; returns its id.
    pub async fn start(&self, more: Value) -> String {
        let mut body = json!({"connection": self.connection, "stream": "stock", "mode": "incremental"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.stage.rest.post("/sync/kaktus-insales", &body).await.ok(202)["id"].as_str().unwrap().to_owned()
    }

    /// A run as a person starts it, to its end.
    pub async fn sync(&self) -> Value {
        let run = self.start(json!({})).await;
        self.stage.rest.wait(&run).await
    }

    /// The same, which must end well.
    pub async fn well(&self) -> Value {
        let run = self.sync().await;
        assert_eq!(run["state"], "succeeded", "{run}");
        run
    }

    pub async fn dry_run(&self) -> Value {
        let run = self.start(json!({"dry_run": true})).await;
        self.stage.rest.wait(&run).await
    }

    /// Outcome and reason of a barcode in a run's report, such as `skipped kaktus_doubled`.
    pub async fn outcome(&self, run: &Value, barcode: &str) -> String {
        self.stage.outcome(run, barcode).await
    }

    /// A product of Kaktus with one variant; its id.
    pub fn stocked(&self, barcode: &str, total: i64) -> u64 {
        self.kaktus().put(None, of_kaktus(&format!("Товар {barcode}"), true, &[(&[barcode], &[("Main", total)])]))
    }

    /// A product of InSales with one variant; the variant's id.
    pub fn sold(&self, barcode: &str, quantity: i64) -> u64 {
        let product = self.insales().add(of_insales(&format!("Товар {barcode}"), &[(Some(barcode), Some(quantity))]));
        self.insales().products()[&product].variants[0].id
    }

    /// The quantity of a variant that has one.
    pub fn quantity(&self, variant: u64) -> i64 {
        self.insales().quantities()[&variant].unwrap()
    }

    /// How many writing calls InSales has met.
    pub fn writes(&self) -> usize {
        self.asked("PUT ").len()
    }

    /// What InSales was asked, of those lines that begin so.
    pub fn asked(&self, begin: &str) -> Vec<String> {
        let entries = self.insales().desk().requests().requests;
        entries.into_iter().map(|entry| format!("{} {}", entry.method, entry.target)).filter(|line| line.starts_with(begin)).collect()
    }

    /// Waits until a condition holds.
    pub async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        while !holds(self) {
            assert!(Instant::now() < end, "{what}");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// What the shop must come to from `before`: the sum over the warehouses of the one active variant with the barcode, where exactly one
    /// tracked variant of the shop carries it; everything else as it was. Told from the simulators' truth, not by our code.
    pub fn expected(&self, before: &Quantities) -> Quantities {
        let mut stock: BTreeMap<String, Vec<Option<i64>>> = BTreeMap::new();
        for product in self.kaktus().products().values().filter(|product| product.enabled) {
            for variant in &product.variants {
                let total = (!variant.stock.is_empty()).then(|| variant.stock.iter().map(|row| row.total).sum());
                for barcode in &variant.barcodes {
                    stock.entry(barcode.clone()).or_default().push(total);
                }
            }
        }
        let products = self.insales().products();
        let listed: Vec<_> = products.values().filter(|product| !product.archived).collect();
        let mut holders: BTreeMap<&str, usize> = BTreeMap::new();
        for barcode in listed.iter().flat_map(|product| &product.variants).filter_map(|variant| variant.barcode.as_deref()) {
            *holders.entry(barcode).or_default() += 1;
        }
        let mut expected = before.clone();
        for product in listed.iter().filter(|product| !product.bundle) {
            for variant in &product.variants {
                let Some(barcode) = variant.barcode.as_deref().filter(|barcode| holders[barcode] == 1) else { continue };
                if let (Some([Some(total)]), Some(Some(_))) = (stock.get(barcode).map(Vec::as_slice), before.get(&variant.id)) {
                    expected.insert(variant.id, Some(*total));
                }
            }
        }
        expected
    }

    /// Fails unless the shop stands as Kaktus says, and as it stood where Kaktus says nothing.
    #[track_caller]
    pub fn must_agree(&self, before: &Quantities, when: &str) {
        let (expected, stands) = (self.expected(before), self.insales().quantities());
        let wrong: Vec<_> = expected.iter().filter(|(variant, quantity)| stands.get(variant) != Some(quantity)).take(5).collect();
        assert!(wrong.is_empty(), "{when}: expected {wrong:?}, stand {:?}", wrong.iter().map(|(id, _)| stands.get(id)).collect::<Vec<_>>());
        assert!(expected.values().filter(|quantity| quantity.is_some()).count() > 0, "{when}: nothing to compare");
    }

    /// Variants that stand at 0 now and did not before.
    pub fn zeroed(&self, before: &Quantities) -> BTreeSet<u64> {
        let stands = self.insales().quantities();
        before.iter().filter(|(id, was)| **was != Some(0) && stands.get(id) == Some(&Some(0))).map(|(id, _)| *id).collect()
    }

    pub async fn links(&self) -> BTreeMap<String, i64> {
        self.stage.links(&self.connection).await
    }

    pub async fn settings(&self, change: Value) {
        self.stage.rest.patch(&format!("/connections/{}", self.connection), &json!({ "settings": change })).await.ok(200);
    }

    pub fn trouble_at_kaktus(&self, skip: u32, times: u32, fault: Fault) {
        self.kaktus().desk().add_fault(Rule { skip, ..Rule::new("/products", times, fault) });
    }

    pub fn trouble_at_insales(&self, route: &str, times: u32, fault: Fault) {
        self.insales().desk().add_fault(Rule::new(route, times, fault));
    }
}

/// The body that makes a connection on this stage.
pub fn body(stage: &Stage, over: Value) -> Value {
    let mut settings = json!({
        "kaktus": {"base_url": stage.billz.kaktus_url, "page_size": 20},
        "insales": {"base_url": stage.billz.insales_url, "app_id": "demo-application"},
    });
    for (name, value) in over.as_object().unwrap() {
        match (settings.get_mut(name), value) {
            (Some(Value::Object(inner)), Value::Object(more)) => inner.extend(more.clone()),
            _ => settings[name] = value.clone(),
        }
    }
    json!({
        "flow": "kaktus-insales", "name": "Warehouse", "owner": "seller:42", "enabled": true, "settings": settings,
        "secrets": {"kaktus_login": "shop@example.test", "kaktus_password": KAKTUS_PASSWORD, "insales_password": INSALES_PASSWORD},
    })
}

/// Barcodes and (warehouse, total) of a variant.
type OfKaktus<'a> = (&'a [&'a str], &'a [(&'a str, i64)]);

/// A product of Kaktus.
pub fn of_kaktus(name: &str, enabled: bool, variants: &[OfKaktus<'_>]) -> kaktus::Product {
    let variants = variants.iter().map(|(barcodes, stock)| kaktus::Variant {
        name: String::new(),
        barcodes: barcodes.iter().map(|barcode| (*barcode).to_owned()).collect(),
        stock: stock
            .iter()
            .map(|(warehouse, total)| kaktus::Stock { warehouse: (*warehouse).to_owned(), total: *total, reserved: 0 })
            .collect(),
    });
    kaktus::Product { name: name.to_owned(), enabled, variants: variants.collect() }
}

/// A product of InSales: barcode and quantity of each variant.
pub fn of_insales(title: &str, variants: &[(Option<&str>, Option<i64>)]) -> insales::catalogue::Product {
    let variants = variants.iter().map(|(barcode, quantity)| insales::catalogue::Variant {
        barcode: barcode.map(str::to_owned),
        quantities: vec![*quantity],
        ..Default::default()
    });
    insales::catalogue::Product { title: title.to_owned(), variants: variants.collect(), ..Default::default() }
}

/// Counts of a run, by name.
pub fn count(run: &Value, name: &str) -> u64 {
    run["counts"][name].as_u64().unwrap()
}
