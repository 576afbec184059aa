//! otmechalka.com, simulated: a register of visitors and tickets whose API is only proposed, so every unknown is a switch.
//!
//! Written from `facts/otmechalka.md` alone ("the sheet" in all comments; section 7 is its specification). It shares no code with our client, so it
//! cannot share the client's mistakes.
//!
//! [`routes`] is the remote, [`book`] what it keeps, [`Handle`] drives it in process, [`control`] over HTTP with a page for people; faults are those
//! of [`super::desk`].

pub mod book;
pub mod control;
pub mod page;
pub mod routes;

#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use self::book::Book;
pub use self::book::{Call, Client, Ticket, Write};
use super::{
    Options,
    bitrix24::seed,
    desk::{Desk, locked},
};

/// Courses: id and exact name. The first two ids are the requirement's, the others invented.
pub const COURSES: &[(&str, &str)] = &[
    ("10985", "Он-лайн Групповое"),
    ("10986", "Он-лайн индивидуальные"),
    ("10987", "Групповые занятия"),
    ("10988", "Индивидуальные занятия"),
];
/// Branch offices: id and exact name, signs and uneven spaces included. The first id is the requirement's, the others invented.
pub const BRANCHOFFICES: &[(&str, &str)] = &[("2633", "+Он-лайн `МСК"), ("2634", "+ ЦДШ `МСК"), ("2635", "+ СКОЛКОВО `МСК *")];
/// Types of tickets at the beginning.
pub const TICKET_TYPES: &[&str] = &seed::TICKETS;

/// What creating the same `origin_id` once more does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDuplicate {
    /// It makes a second one: nothing says that `origin_id` is unique.
    Second,
    /// 409.
    Conflict,
    /// It answers the first.
    First,
}

/// What the lookup of an unknown `origin_id` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unknown {
    /// 404 in JSON.
    NotFound,
    /// 200 with `null`.
    Null,
    /// 200 with `{}`.
    EmptyObject,
    /// 200 with `[]`.
    EmptyList,
}

/// How courses and branch offices are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdsAs {
    /// By id as text.
    Id,
    /// By exact name.
    Name,
}

/// How a refusal is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// `{"phone": ["..."]}`.
    Fields,
    /// `{"detail": "..."}`.
    Detail,
    /// `{"errors": [{"field": "phone", "message": "..."}]}`.
    Errors,
    /// `{"message": "..."}`.
    Message,
    /// Plain text.
    Text,
    /// A web page.
    Html,
}

/// What can be set while it runs. Defaults are the harder of two unknowns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switches {
    /// The header that lets in; `None` = everybody is let in.
    pub auth_header: Option<String>,
    /// Its value.
    pub auth_value: String,
    /// What creating twice does.
    pub on_duplicate: OnDuplicate,
    /// What an unknown lookup answers.
    pub unknown: Unknown,
    /// A path without its last slash is redirected with 301; otherwise it is a web page with 404.
    pub slash: bool,
    /// How courses and branch offices are named; the other way is refused.
    pub ids_as: IdsAs,
    /// `id` as text instead of a number.
    pub ids_as_text: bool,
    /// Most visitors that are not archived.
    pub active_limit: usize,
    /// A lookup finds something only so many milliseconds after its creation.
    pub lookup_lag_ms: u64,
    /// Requests in a second (divided by the time factor); more are 429. `None` = no limit.
    pub rate: Option<u32>,
    /// How a refusal is written.
    pub error_shape: Shape,
    /// A creation answers 201 with an empty body.
    pub empty_create: bool,
    /// What stands before `/api`; anything else is a web page with 404.
    pub base_path: String,
    /// Added to every answer, in milliseconds.
    pub latency_ms: u64,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            auth_header: Some("X-Api-Key".to_owned()),
            auth_value: "demo-otmechalka-key".to_owned(),
            on_duplicate: OnDuplicate::Second,
            unknown: Unknown::NotFound,
            slash: true,
            ids_as: IdsAs::Id,
            ids_as_text: false,
            active_limit: 5_000,
            lookup_lag_ms: 0,
            rate: None,
            error_shape: Shape::Fields,
            empty_create: false,
            base_path: String::new(),
            latency_ms: 0,
        }
    }
}

/// The simulator in process: the same verbs as the control API. Clones drive the same simulator.
#[derive(Clone)]
pub struct Handle {
    inner: Arc<Inner>,
}

struct Inner {
    book: Mutex<Book>,
    switches: Mutex<Switches>,
    /// Arrivals within the last second.
    recent: Mutex<VecDeque<Instant>>,
    second: Duration,
    desk: Desk,
}

/// What `GET state` tells.
#[derive(Clone, Debug, Serialize)]
pub struct State {
    /// How many clients there are, archived ones included.
    pub clients: usize,
    /// Of them, not archived.
    pub active: usize,
    /// How many tickets.
    pub tickets: usize,
    /// Outside ids that are held more than once.
    pub doubles: Vec<String>,
    /// All switches.
    pub switches: Switches,
}

impl Handle {
    /// A simulator that nobody serves yet; empty.
    pub fn new(options: &Options) -> Self {
        let second = Duration::from_secs_f64(1.0 / options.time_factor.max(f64::MIN_POSITIVE));
        Self {
            inner: Arc::new(Inner {
                book: Mutex::default(),
                switches: Mutex::new(options.otmechalka.clone()),
                recent: Mutex::default(),
                second,
                desk: Desk::new("otmechalka", second),
            }),
        }
    }

    /// Journal and faults.
    pub fn desk(&self) -> &Desk {
        &self.inner.desk
    }

    /// Forgets all clients, tickets and changed types.
    pub fn reset(&self) {
        *locked(&self.inner.book) = Book::default();
    }

    /// Counts and switches.
    pub fn state(&self) -> State {
        let book = locked(&self.inner.book);
        State {
            clients: book.clients.len(),
            active: book.active(),
            tickets: book.tickets.len(),
            doubles: book.doubles(),
            switches: self.switches(),
        }
    }

    /// The switches as they stand.
    pub fn switches(&self) -> Switches {
        locked(&self.inner.switches).clone()
    }

    /// Changes switches in place.
    pub fn set_switches(&self, change: impl FnOnce(&mut Switches)) {
        change(&mut locked(&self.inner.switches));
    }

    /// All clients in the order of their creation.
    pub fn clients(&self) -> Vec<Client> {
        locked(&self.inner.book).clients.clone()
    }

    /// All tickets in the order of their creation.
    pub fn tickets(&self) -> Vec<Ticket> {
        locked(&self.inner.book).tickets.clone()
    }

    /// The clients with this outside id: one, unless something went wrong.
    pub fn clients_of(&self, origin_id: &str) -> Vec<Client> {
        self.clients().into_iter().filter(|client| client.origin_id == origin_id).collect()
    }

    /// The tickets with this outside id: one, unless something went wrong.
    pub fn tickets_of(&self, origin_id: &str) -> Vec<Ticket> {
        self.tickets().into_iter().filter(|ticket| ticket.origin_id == origin_id).collect()
    }

    /// A person adds a client by hand; its id. An `id` of 0 is the next one.
    pub fn add_client(&self, client: Client) -> u64 {
        locked(&self.inner.book).add_client(client)
    }

    /// A person archives the clients with this outside id; whether there was one.
    pub fn archive(&self, origin_id: &str) -> bool {
        let mut book = locked(&self.inner.book);
        let found = book.clients.iter_mut().filter(|client| client.origin_id == origin_id);
        found.map(|client| client.archived = true).count() > 0
    }

    /// A person deletes the clients with this outside id; whether there was one.
    pub fn remove_client(&self, origin_id: &str) -> bool {
        let mut book = locked(&self.inner.book);
        let before = book.clients.len();
        book.clients.retain(|client| client.origin_id != origin_id);
        book.clients.len() < before
    }

    /// Adds so many active visitors that came some other way.
    pub fn fill(&self, count: usize) {
        let mut book = locked(&self.inner.book);
        for number in 0..count {
            book.add_client(Client {
                origin_id: format!("desk-{number}"), last_name: "Посетитель".to_owned(), ..Client::default()
            });
        }
    }

    /// The types of tickets that exist from now on.
    pub fn set_ticket_types(&self, types: Vec<String>) {
        locked(&self.inner.book).ticket_types = types;
    }

    /// Outside ids that are held more than once, by clients or by tickets.
    pub fn doubles(&self) -> Vec<String> {
        locked(&self.inner.book).doubles()
    }

    /// Every POST that reached the API, refused ones included, oldest first.
    pub fn writes(&self) -> Vec<Write> {
        locked(&self.inner.book).writes.clone()
    }

    /// Forgets the POSTs.
    pub fn clear_writes(&self) {
        locked(&self.inner.book).writes.clear();
    }
}
