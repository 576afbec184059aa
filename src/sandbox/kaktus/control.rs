//! The control API over HTTP: what [`Handle`] can do, for tests outside this process and for people.

use std::sync::Mutex;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{
        control::{Answer, ok, read},
        desk::{Asked, Desk, Reply},
        simulator::{Call, Simulator, done, nothing},
    },
    Handle, Product, Switches,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Total {
    total: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Random {
    count: usize,
    #[serde(default)]
    seed: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reset {
    goods: usize,
}

impl Simulator for Handle {
    const ROOT: &'static str = "/_sandbox/kaktus";
    const ROUTES: &'static [(&'static str, &'static str)] = &[
        ("POST   expire-tokens", "refuse every token given out so far"),
        ("GET    products", "the truth"),
        ("POST   products", "add one: {\"name\":\"Кружка\",\"variants\":[{\"barcodes\":[\"46\"],\"stock\":[{\"total\":5}]}]}"),
        ("PUT    products/{id}", "replace one"),
        ("DELETE products/{id}", "delete one"),
        ("PUT    stock/{barcode}", "{\"total\":5}"),
        ("DELETE barcodes/{barcode}", "take a barcode off its variants"),
        ("POST   random-changes", "{\"count\":10,\"seed\":7}"),
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
        match (call.method, call.head, call.tail) {
            ("POST", "expire-tokens", "") => {
                self.expire_tokens();
                done()
            }
            ("GET", "products", "") => ok(&self.products()),
            ("POST", "products", "") => ok(&json!({"id": self.put(None, read::<Product>(call.body)?)})),
            ("PUT", "products", _) => {
                let id = call.id()?;
                ok(&json!({"id": self.put(Some(id), read::<Product>(call.body)?)}))
            }
            ("DELETE", "products", id) if id.parse().is_ok_and(|id| self.delete(id)) => done(),
            ("PUT", "stock", barcode) => match self.set_stock(barcode, read::<Total>(call.body)?.total) {
                0 => Err(nothing()),
                found => ok(&json!({ "variants": found })),
            },
            ("DELETE", "barcodes", barcode) if self.forget_barcode(barcode) > 0 => done(),
            ("POST", "random-changes", "") => {
                let Random { count, seed } = read(call.body)?;
                ok(&self.random_changes(count, seed))
            }
            ("POST", "reset", "") => {
                self.reset(read::<Reset>(call.body)?.goods);
                ok(&self.state())
            }
            _ => Err(nothing()),
        }
    }
}
