//! The control API over HTTP: what [`Handle`] can do, for tests outside this process and for people.

use std::sync::Mutex;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{
        control::{Answer, ok, read},
        desk::{Asked, Desk, Reply, merged},
        simulator::{Call, Simulator, done, done_if, nothing, wrong},
    },
    Handle, Order, Switches,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    count: usize,
    #[serde(default)]
    seed: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reset {
    orders: usize,
    #[serde(default)]
    seed: u64,
}

impl Simulator for Handle {
    const ROOT: &'static str = "/_sandbox/okliving";
    const ROUTES: &'static [(&'static str, &'static str)] = &[
        ("POST   place", "buyers place orders now: {\"count\":3,\"seed\":7}"),
        ("GET    orders", "the truth"),
        ("GET    orders/{id}", "one of it"),
        ("POST   orders", "add one: {\"id\":\"77\",\"customer\":{\"phone\":\"0500000002\"}}"),
        ("PATCH  orders/{id}", "a person edits one: {\"note\":\"\",\"delivery\":\"shipped\"}"),
        ("DELETE orders/{id}", "delete one"),
        ("POST   expire-tokens", "refuse every token given out so far"),
        ("GET    writes", "every update-order that arrived, with what of it was done"),
        ("DELETE writes", "forget them"),
        ("POST   reset", "other orders: {\"orders\":40,\"seed\":1}"),
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
            ("POST", "place", "") => {
                let Place { count, seed } = read(call.body)?;
                ok(&self.place(count, seed))
            }
            ("GET", "orders", "") => ok(&self.orders()),
            ("GET", "orders", id) => ok(&self.get(id).ok_or_else(nothing)?),
            ("POST", "orders", "") => ok(&json!({"id": self.put(read::<Order>(call.body)?)})),
            ("PATCH", "orders", id) => {
                let order = self.get(id).ok_or_else(nothing)?;
                let new: Order = merged(&order, &read::<Value>(call.body)?).map_err(|text| wrong(&text))?;
                done_if(self.edit(id, |order| *order = new))
            }
            ("DELETE", "orders", id) => done_if(self.remove(id)),
            ("POST", "expire-tokens", "") => {
                self.expire_tokens();
                done()
            }
            ("GET", "writes", "") => ok(&self.writes()),
            ("DELETE", "writes", "") => {
                self.clear_writes();
                done()
            }
            ("POST", "reset", "") => {
                let Reset { orders, seed } = read(call.body)?;
                self.reset(orders, seed);
                ok(&self.state())
            }
            _ => Err(nothing()),
        }
    }
}
