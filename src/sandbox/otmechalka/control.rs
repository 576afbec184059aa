//! The control API over HTTP: what [`Handle`] can do, for tests outside this process and for people.

use std::sync::Mutex;

use actix_web::HttpResponse;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{
        control::{Answer, ok, read},
        desk::{Asked, Desk, Reply},
        simulator::{Call, Simulator, done, done_if, nothing},
    },
    Client, Handle, Switches, page,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fill {
    count: usize,
}

impl Simulator for Handle {
    const ROOT: &'static str = "/_sandbox/otmechalka";
    const ROUTES: &'static [(&'static str, &'static str)] = &[
        ("GET    (nothing)", "a page for people: clients and tickets with their groups"),
        ("GET    clients, tickets", "the truth"),
        ("POST   clients", "a person adds one: {\"origin_id\":\"39558\",\"last_name\":\"Тестов\"}"),
        ("DELETE clients/{origin_id}", "a person deletes them"),
        ("POST   archive/{origin_id}", "a person archives them"),
        ("POST   fill", "add active visitors: {\"count\":4990}"),
        ("PUT    ticket-types", "[\"8 групповых занятий\"]"),
        ("GET    doubles", "outside ids held more than once"),
        ("GET    writes", "every POST that arrived"),
        ("DELETE writes", "forget them"),
        ("POST   reset", "forget everything"),
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
        match (call.method, call.head) {
            ("GET", "") => Ok(HttpResponse::Ok().content_type("text/html; charset=utf-8").body(page::of(self))),
            ("GET", "clients") => ok(&self.clients()),
            ("GET", "tickets") => ok(&self.tickets()),
            ("POST", "clients") => ok(&json!({"id": self.add_client(read::<Client>(call.body)?)})),
            ("DELETE", "clients") => done_if(self.remove_client(call.tail)),
            ("POST", "archive") => done_if(self.archive(call.tail)),
            ("POST", "fill") => {
                self.fill(read::<Fill>(call.body)?.count);
                ok(&self.state())
            }
            ("PUT", "ticket-types") => {
                self.set_ticket_types(read(call.body)?);
                done()
            }
            ("GET", "doubles") => ok(&self.doubles()),
            ("GET", "writes") => ok(&self.writes()),
            ("DELETE", "writes") => {
                self.clear_writes();
                done()
            }
            ("POST", "reset") => {
                self.reset();
                ok(&self.state())
            }
            _ => Err(nothing()),
        }
    }
}
