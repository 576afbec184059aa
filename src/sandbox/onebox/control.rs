//! The control API over HTTP: what [`Handle`] can do, for tests outside this process and for people.

use std::sync::Mutex;

use actix_web::HttpResponse;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{
        control::{Answer, ok, read},
        desk::{Asked, Desk, Reply, merged},
        simulator::{Call, Simulator, done, done_if, nothing, wrong},
    },
    Contact, Handle, Order, Switches, app,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Move {
    order: u64,
    stage: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Press {
    order: u64,
    key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct App {
    address: String,
}

impl Simulator for Handle {
    const ROOT: &'static str = "/_sandbox/onebox";
    const ROUTES: &'static [(&'static str, &'static str)] = &[
        ("GET    orders, contacts, products", "the truth"),
        ("GET    orders/{id}", "one of it"),
        ("PATCH  orders/{id}", "a manager edits one: {\"delivery_note\":\"20450000000000\"}"),
        ("POST   contacts", "a person adds one: {\"name\":\"Олена\",\"phones\":[\"+380500000002\"]}"),
        (
            "PUT    actions",
            "automatic actions: [{\"key\":\"ship\",\"stage\":57,\"url\":\"http://...\",\"method\":\"POST\",\"body\":\"form\",\"fields\":[[\"orderid\",\"{|$orderid|}\"]]}]",
        ),
        ("POST   move", "a manager moves an order, which fires actions: {\"order\":127901,\"stage\":57}"),
        ("POST   press", "a manager starts an action: {\"order\":127901,\"key\":\"ship\"}"),
        ("PUT    app", "the page under \"My Custom Apps\": {\"address\":\"http://...\"}; GET opens it in a browser"),
        ("GET    hooks", "what was sent, with the answers"),
        ("DELETE hooks", "forget it"),
        ("POST   release-hooks", "send what is kept back"),
        ("POST   expire-tokens", "refuse every token given out so far"),
        ("GET    writes", "every order/set and product/set that arrived"),
        ("DELETE writes", "forget them"),
        ("POST   reset", "forget everything but the actions"),
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
        let did = |act: &dyn Fn()| {
            act();
            done()
        };
        match (call.method, call.head, call.tail) {
            ("GET", "orders", "") => ok(&self.orders()),
            ("GET", "orders", _) => ok(&self.orders().remove(&call.id()?).ok_or_else(nothing)?),
            ("PATCH", "orders", _) => {
                let order = self.orders().remove(&call.id()?).ok_or_else(nothing)?;
                let new: Order = merged(&order, &read::<Value>(call.body)?).map_err(|text| wrong(&text))?;
                done_if(self.edit(call.id()?, |order| *order = new))
            }
            ("GET", "contacts", "") => ok(&self.contacts()),
            ("POST", "contacts", "") => ok(&json!({"id": self.add_contact(read::<Contact>(call.body)?)})),
            ("GET", "products", "") => ok(&self.products()),
            ("GET", "actions", "") => ok(&self.actions()),
            ("PUT", "actions", "") => {
                self.set_actions(read(call.body)?);
                done()
            }
            ("POST", "move", "") => {
                let Move { order, stage } = read(call.body)?;
                done_if(self.move_to(order, stage))
            }
            ("POST", "press", "") => {
                let Press { order, key } = read(call.body)?;
                done_if(self.press(order, &key))
            }
            ("GET", "app", "") => Ok(HttpResponse::Ok().content_type("text/html; charset=utf-8").body(app::page(&self.app()))),
            ("PUT", "app", "") => {
                self.set_app(&read::<App>(call.body)?.address);
                done()
            }
            ("GET", "hooks", "") => ok(&self.hooks()),
            ("DELETE", "hooks", "") => did(&|| self.clear_hooks()),
            ("POST", "release-hooks", "") => did(&|| self.release_hooks()),
            ("POST", "expire-tokens", "") => did(&|| self.expire_tokens()),
            ("GET", "writes", "") => ok(&self.writes()),
            ("DELETE", "writes", "") => did(&|| self.clear_writes()),
            ("POST", "reset", "") => {
                self.reset();
                ok(&self.state())
            }
            _ => Err(nothing()),
        }
    }
}
