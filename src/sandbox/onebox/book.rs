//! What it keeps: orders ("processes"), contacts, products, and what was sent to it.

use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A line of an order. Numbers are kept as the texts that were sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Line {
    /// Its name.
    pub name: String,
    /// How many.
    pub count: String,
    /// Price of one.
    pub price: String,
    /// The product's id, if one was given.
    pub product: Option<u64>,
    /// Free text.
    pub comment: String,
}

/// An order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Order {
    /// OneBox's id.
    pub id: u64,
    /// The outside id; may be empty.
    pub externalid: String,
    /// Title.
    pub name: String,
    /// Business process.
    pub workflow: u64,
    /// Stage.
    pub status: u64,
    /// Channel.
    pub source: Option<u64>,
    /// Day and time as sent.
    pub date: String,
    /// Who gets the parcel.
    pub client_name: String,
    /// Their phone.
    pub client_phone: String,
    /// Their e-mail.
    pub client_email: String,
    /// Where the parcel goes.
    pub client_address: String,
    /// The contact card: who bought.
    pub contact: Option<u64>,
    /// Body text.
    pub content: String,
    /// Its sibling.
    pub comments: String,
    /// Another.
    pub description: String,
    /// Waybill number.
    pub delivery_note: String,
    /// Custom fields by their keys.
    pub custom: BTreeMap<String, Value>,
    /// Lines.
    pub lines: Vec<Line>,
    /// How often `order/set` wrote it.
    pub sets: u32,
    /// Every stage that it entered, one after another, resets included.
    pub stages: Vec<u64>,
}

impl Order {
    /// Puts it into a stage, as often as that happens.
    pub fn enter(&mut self, stage: u64) {
        self.status = stage;
        self.stages.push(stage);
    }
}

/// A contact card.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Contact {
    /// Its id.
    pub id: u64,
    /// First name.
    pub name: String,
    /// Surname.
    pub namelast: String,
    /// Patronymic.
    pub namemiddle: String,
    /// Numbers as sent.
    pub phones: Vec<String>,
    /// E-mail.
    pub email: String,
    /// The outside id; may be empty.
    pub externalid: String,
}

/// A product of the catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Product {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Its article number.
    pub articul: String,
    /// The outside id; may be empty.
    pub externalid: String,
}

/// A call that wrote.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Write {
    /// When.
    pub at: DateTime<Utc>,
    /// `order/set` or `product/set`.
    pub call: &'static str,
    /// What was sent.
    pub entities: Vec<Value>,
    /// The status it was answered with, if the answer arrived.
    pub status: u16,
    /// The ids of what was written, of all entities before the refused one.
    pub ids: Vec<u64>,
}

/// All of it.
#[derive(Debug)]
pub struct Book {
    /// Orders by id.
    pub orders: BTreeMap<u64, Order>,
    /// Contacts by id.
    pub contacts: BTreeMap<u64, Contact>,
    /// Products by id.
    pub products: BTreeMap<u64, Product>,
    /// What was sent.
    pub writes: Vec<Write>,
    since: HashMap<u64, Instant>,
}

impl Default for Book {
    fn default() -> Self {
        let api = Contact { id: 1, name: "restapi".to_owned(), phones: vec!["380000000000".to_owned()], ..Contact::default() };
        Self {
            orders: BTreeMap::new(),
            contacts: BTreeMap::from([(1, api)]),
            products: BTreeMap::new(),
            writes: Vec::new(),
            since: HashMap::new(),
        }
    }
}

fn next<T>(table: &BTreeMap<u64, T>, first: u64) -> u64 {
    table.last_key_value().map_or(first, |(id, _)| (id + 1).max(first))
}

impl Book {
    /// Adds an order or replaces it; its id.
    pub fn put(&mut self, mut order: Order) -> u64 {
        if order.id == 0 {
            order.id = next(&self.orders, 127_901);
        }
        let id = order.id;
        self.since.insert(id, Instant::now());
        self.orders.insert(id, order);
        id
    }

    /// Adds a contact; its id.
    pub fn add_contact(&mut self, mut contact: Contact) -> u64 {
        if contact.id == 0 {
            contact.id = next(&self.contacts, 5_001);
        }
        let id = contact.id;
        self.contacts.insert(id, contact);
        id
    }

    /// Adds a product; its id.
    pub fn add_product(&mut self, mut product: Product) -> u64 {
        product.id = next(&self.products, 301);
        let id = product.id;
        self.products.insert(id, product);
        id
    }

    /// Whether `order/get` finds an order already.
    pub fn seen(&self, id: u64, lag_ms: u64) -> bool {
        self.since.get(&id).is_none_or(|since| since.elapsed().as_millis() >= u128::from(lag_ms))
    }

    /// External ids that several orders, or several contacts, share.
    pub fn doubles(&self) -> Vec<String> {
        let mut doubles = Vec::new();
        let orders: Vec<&str> = self.orders.values().map(|order| order.externalid.as_str()).collect();
        let contacts: Vec<&str> = self.contacts.values().map(|contact| contact.externalid.as_str()).collect();
        for (what, all) in [("order", orders), ("contact", contacts)] {
            let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
            for one in all.into_iter().filter(|one| !one.is_empty()) {
                *counted.entry(one).or_default() += 1;
            }
            doubles.extend(counted.into_iter().filter(|(_, count)| *count > 1).map(|(one, count)| format!("{what} {one} x{count}")));
        }
        doubles
    }
}
