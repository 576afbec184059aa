//! What it keeps: clients, tickets, and what was sent to it.

use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{BRANCHOFFICES, COURSES, TICKET_TYPES};

/// A visitor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Client {
    /// Its own id.
    pub id: u64,
    /// The outside id.
    pub origin_id: String,
    /// Surname.
    pub last_name: String,
    /// First name.
    pub first_name: String,
    /// Eleven digits.
    pub phone: String,
    /// E-mail.
    pub email: Option<String>,
    /// Ids of courses.
    pub courses: Vec<String>,
    /// Ids of branch offices.
    pub branchoffices: Vec<String>,
    /// Birthday.
    pub birthdate: Option<String>,
    /// `M` or `F`.
    pub gender: String,
    /// Free text.
    pub additional_data: Option<String>,
    /// The groups it was put into.
    pub groups: Vec<String>,
    /// It no longer counts.
    pub archived: bool,
    /// How often it was changed after its creation.
    pub changes: u32,
}

/// A ticket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ticket {
    /// Its own id.
    pub id: u64,
    /// The outside id.
    pub origin_id: String,
    /// Its client's own id.
    pub client_id: u64,
    /// Its client's outside id.
    pub client_origin_id: String,
    /// Name of its type.
    pub ticket_type: String,
    /// Price without discount.
    pub price_initial: String,
    /// What was taken off.
    pub discount: String,
    /// Price.
    pub price_final: String,
    /// Day of the sale.
    pub selling_date: String,
    /// Id of the branch office.
    pub selling_branchoffice: String,
    /// Who sold it.
    pub employee: String,
    /// `CASH` or `ONLINE`.
    pub payment_method: String,
    /// The groups of its type.
    pub groups: Vec<String>,
}

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// `POST /api/clients/`.
    CreateClient,
    /// `POST /api/clients/<origin_id>/`.
    ChangeClient,
    /// `POST /api/tickets/`.
    CreateTicket,
}

/// A POST that arrived.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Write {
    /// When.
    pub at: DateTime<Utc>,
    /// Which.
    pub call: Call,
    /// Of whom: of the path, else of the body.
    pub origin_id: String,
    /// The body.
    pub body: Value,
    /// The status it was answered with, if the answer arrived.
    pub status: u16,
}

/// All of it.
#[derive(Debug)]
pub struct Book {
    /// Clients in the order of their creation.
    pub clients: Vec<Client>,
    /// Tickets in the order of their creation.
    pub tickets: Vec<Ticket>,
    /// Names of the types of tickets.
    pub ticket_types: Vec<String>,
    /// What was sent.
    pub writes: Vec<Write>,
    /// Since when clients and tickets are there, by their own ids.
    since: HashMap<u64, Instant>,
    last: u64,
}

impl Default for Book {
    fn default() -> Self {
        Self {
            clients: Vec::new(),
            tickets: Vec::new(),
            ticket_types: TICKET_TYPES.iter().map(|name| (*name).to_owned()).collect(),
            writes: Vec::new(),
            since: HashMap::new(),
            // Beyond 32 bits, as in the proposal's sample.
            last: 24_545_676_000,
        }
    }
}

impl Book {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.since.insert(self.last, Instant::now());
        self.last
    }

    /// Adds a client; its id.
    pub fn add_client(&mut self, mut client: Client) -> u64 {
        if client.id == 0 {
            client.id = self.next();
        }
        client.groups = groups(&client.courses, &client.branchoffices);
        let id = client.id;
        self.clients.push(client);
        id
    }

    /// Adds a ticket; its id.
    pub fn add_ticket(&mut self, mut ticket: Ticket) -> u64 {
        ticket.id = self.next();
        ticket.groups = vec![format!("Все группы типа «{}»", ticket.ticket_type)];
        let id = ticket.id;
        self.tickets.push(ticket);
        id
    }

    /// Clients that are not archived.
    pub fn active(&self) -> usize {
        self.clients.iter().filter(|client| !client.archived).count()
    }

    /// Whether a lookup sees this id already.
    pub fn seen(&self, id: u64, lag_ms: u64) -> bool {
        self.since.get(&id).is_none_or(|since| since.elapsed().as_millis() >= u128::from(lag_ms))
    }

    /// Outside ids that are held more than once, by clients or by tickets.
    pub fn doubles(&self) -> Vec<String> {
        let mut doubles = Vec::new();
        let clients: Vec<&str> = self.clients.iter().map(|client| client.origin_id.as_str()).collect();
        let tickets: Vec<&str> = self.tickets.iter().map(|ticket| ticket.origin_id.as_str()).collect();
        for (what, origins) in [("client", clients), ("ticket", tickets)] {
            let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
            for origin in origins {
                *counted.entry(origin).or_default() += 1;
            }
            doubles.extend(counted.into_iter().filter(|(_, count)| *count > 1).map(|(origin, count)| format!("{what} {origin} x{count}")));
        }
        doubles
    }
}

/// All groups of these courses in these branch offices. Online courses are held in the online office alone, the others everywhere else.
pub fn groups(courses: &[String], branchoffices: &[String]) -> Vec<String> {
    let name = |table: &[(&'static str, &'static str)], id: &str| {
        table.iter().find(|(own, _)| *own == id).map(|(_, name)| *name).unwrap_or_default()
    };
    let mut all = Vec::new();
    for branch in branchoffices.iter().map(|id| name(BRANCHOFFICES, id)) {
        for course in courses.iter().map(|id| name(COURSES, id)) {
            if course.starts_with("Он-лайн") == branch.contains("Он-лайн") {
                all.extend(["1", "2"].map(|number| format!("{course} / {branch} / {number}")));
            }
        }
    }
    all
}
