//! The control API over HTTP: what [`Handle`] can do, for tests outside this process and for people.

use std::sync::Mutex;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{
        control::{Answer, ok, read},
        desk::{Asked, Desk, Reply},
        simulator::{Call, Simulator, done, done_if, nothing},
    },
    Handle, Switches,
    catalogue::Product,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    pieces: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reset {
    goods: usize,
}

impl Simulator for Handle {
    const ROOT: &'static str = "/_sandbox/insales";
    const ROUTES: &'static [(&'static str, &'static str)] = &[
        ("GET    products", "the truth"),
        ("POST   products", "add one: {\"title\":\"Кружка\",\"variants\":[{\"barcode\":\"46\",\"quantities\":[5]}]}"),
        ("DELETE products/{id}", "delete one"),
        ("POST   archive/{id}", "put a product into the archive"),
        ("GET    barcodes/{barcode}", "the variants that have it"),
        ("PATCH  variants/{id}", "a person edits one: {\"barcode\":\"47\",\"quantity\":9}; null = not tracked"),
        ("POST   order/{id}", "an order takes pieces: {\"pieces\":1}"),
        ("POST   reset", "a new catalogue: {\"goods\":60}"),
    ];
    type Switches = Switches;

    fn desk(&self) -> &Desk {
        self.desk()
    }

    fn switchboard(&self) -> &Mutex<Switches> {
        &self.inner.switches
    }

    fn latency_ms(&self) -> u64 {
        self.switches().latency_ms
    }

    fn answer(&self, asked: &Asked<'_>) -> Reply {
        self.remote(asked)
    }

    fn told(&self) -> Value {
        json!(self.state())
    }

    fn control(&self, call: &Call<'_>) -> Answer {
        match (call.method, call.head, call.id().ok()) {
            ("GET", "products", _) => ok(&self.products()),
            ("POST", "products", _) => ok(&json!({"id": self.add(read::<Product>(call.body)?)})),
            ("DELETE", "products", Some(id)) if self.delete(id) => done(),
            ("POST", "archive", Some(id)) if self.archive(id) => done(),
            ("GET", "barcodes", _) => ok(&self.with_barcode(call.tail)),
            ("PATCH", "variants", Some(id)) => {
                let change: Value = read(call.body)?;
                let known = self.edit(id, |variant| {
                    if let Some(barcode) = change.get("barcode") {
                        variant.barcode = barcode.as_str().map(str::to_owned);
                    }
                    if let (Some(quantity), Some(place)) = (change.get("quantity"), variant.quantities.first_mut()) {
                        *place = quantity.as_i64();
                    }
                });
                done_if(known)
            }
            ("POST", "order", Some(id)) if self.order(id, read::<Order>(call.body)?.pieces) => done(),
            ("POST", "reset", _) => {
                self.reset(read::<Reset>(call.body)?.goods);
                ok(&self.state())
            }
            _ => Err(nothing()),
        }
    }
}
