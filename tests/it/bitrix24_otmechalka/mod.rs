//! Bitrix24 -> otmechalka: the document's numbered steps and corner cases, each a test named after it; what every flow must hold; and every wrong
//! way that is known.
//!
//! A [`School`] is a stage with one connection between the simulated Bitrix24 and otmechalka. What otmechalka must come to is told by [`truth`]
//! from the portal alone, not by our code.

mod acceptance;
mod check;
mod clients;
mod corner_cases;
mod crash;
mod day;
mod deals;
mod must_not;
mod nothing_lost;
mod truth;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tradesync::sandbox::{
    bitrix24::{self, Entity, Kind, fields, seed},
    desk::{Fault, Rule},
    otmechalka,
};

use crate::support::{OTMECHALKA_KEY, Setup, Spawn, Stage};

pub const SUCCESS: &str = "Успешно";

/// A stage with one connection of this flow.
pub struct School {
    pub stage: Stage,
    pub connection: String,
}

impl School {
    /// 60 contacts and deals, among them one of every odd kind.
    pub async fn new(over: Value) -> Self {
        Self::with(60, 60, Spawn::default(), over).await
    }

    /// Nobody and nothing: the test makes those that it speaks of.
    pub async fn empty(over: Value) -> Self {
        Self::with(0, 0, Spawn::default(), over).await
    }

    pub async fn with(contacts: usize, deals: usize, spawn: Spawn, over: Value) -> Self {
        let setup = Setup { products: 0, goods: 0, contacts, deals, spawn, ..Setup::default() };
        Self::on(Stage::with(setup).await, over).await
    }

    /// A connection on this stage, without the schedules that come with it.
    pub async fn on(stage: Stage, over: Value) -> Self {
        let mut disabled = body(&stage, over);
        disabled["enabled"] = json!(false);
        let connection = stage.rest.post("/connections", &disabled).await.ok(201)["id"].as_str().unwrap().to_owned();
        for schedule in stage.rest.all(&format!("/schedules?connection={connection}")).await {
            stage.rest.delete(&format!("/schedules/{}", schedule["id"].as_str().unwrap())).await;
        }
        stage.rest.patch(&format!("/connections/{connection}"), &json!({"enabled": true})).await.ok(200);
        Self { stage, connection }
    }

    pub fn portal(&self) -> &bitrix24::Handle {
        &self.stage.billz.bitrix24
    }

    pub fn otmechalka(&self) -> &otmechalka::Handle {
        &self.stage.billz.otmechalka
    }

    /// Starts a run; returns its id.
    pub async fn start(&self, stream: &str, more: Value) -> String {
        let mut body = json!({"connection": self.connection, "stream": stream, "mode": "incremental"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.stage.rest.post("/sync/bitrix24-otmechalka", &body).await.ok(202)["id"].as_str().unwrap().to_owned()
    }

    /// A run as a person starts it, to its end.
    pub async fn sync(&self, stream: &str) -> Value {
        let run = self.start(stream, json!({})).await;
        self.stage.rest.wait_within(&run, std::time::Duration::from_secs(120)).await
    }

    pub async fn contacts(&self) -> Value {
        self.sync("contacts").await
    }

    pub async fn deals(&self) -> Value {
        self.sync("deals").await
    }

    /// A run as the schedule starts it.
    pub async fn scheduled(&self, stream: &str) -> Value {
        self.stage.scheduled(&self.connection, stream, "incremental").await
    }

    /// Outcome and reason of an item in a run's report, such as `created new_client`.
    pub async fn outcome(&self, run: &Value, key: &str) -> String {
        self.stage.outcome(run, key).await
    }

    /// The text in the status field.
    pub fn status(&self, kind: Kind, id: u64) -> String {
        self.portal().get(kind, id).unwrap().status()
    }

    /// A contact with nothing wrong, changed by the test; its id.
    pub fn pupil(&self, change: impl FnOnce(&mut Entity)) -> u64 {
        let mut contact = good_contact();
        change(&mut contact);
        self.portal().add(Kind::Contact, contact)
    }

    /// A won deal with nothing wrong of this contact, changed by the test; its id.
    pub fn sale(&self, contact: u64, change: impl FnOnce(&mut Entity)) -> u64 {
        let mut deal = good_deal(contact);
        change(&mut deal);
        self.portal().add(Kind::Deal, deal)
    }

    pub fn edit(&self, kind: Kind, id: u64, change: impl FnOnce(&mut Entity)) {
        assert!(self.portal().edit(kind, id, change), "{kind:?} {id}");
    }

    /// The only client with this outside id.
    #[track_caller]
    pub fn client(&self, contact: u64) -> otmechalka::Client {
        let found = self.otmechalka().clients_of(&contact.to_string());
        assert_eq!(found.len(), 1, "clients of {contact}: {found:?}");
        found[0].clone()
    }

    /// The only ticket with this outside id.
    #[track_caller]
    pub fn ticket(&self, deal: u64) -> otmechalka::Ticket {
        let found = self.otmechalka().tickets_of(&deal.to_string());
        assert_eq!(found.len(), 1, "tickets of {deal}: {found:?}");
        found[0].clone()
    }

    /// How many calls each system has met.
    pub fn calls(&self) -> (u64, u64) {
        (self.portal().state().calls, self.otmechalka().desk().requests().total)
    }

    /// How many writes each system has met.
    pub fn writes(&self) -> (usize, usize) {
        (self.portal().writes().len(), self.otmechalka().writes().len())
    }

    pub async fn stream(&self, stream: &str) -> Value {
        self.stage.stream(&self.connection, stream).await
    }

    pub async fn settings(&self, change: Value) {
        self.stage.rest.patch(&format!("/connections/{}", self.connection), &json!({ "settings": change })).await.ok(200);
    }

    pub fn trouble_at_portal(&self, route: &str, skip: u32, times: u32, fault: Fault) {
        self.portal().desk().add_fault(Rule { skip, ..Rule::new(route, times, fault) });
    }

    pub fn trouble_at_otmechalka(&self, route: &str, skip: u32, times: u32, fault: Fault) {
        self.otmechalka().desk().add_fault(Rule { skip, ..Rule::new(route, times, fault) });
    }

    /// Requests of otmechalka as lines, of those that begin so.
    pub fn asked(&self, begin: &str) -> Vec<String> {
        let entries = self.otmechalka().desk().requests().requests;
        entries.into_iter().map(|entry| format!("{} {}", entry.method, entry.target)).filter(|line| line.starts_with(begin)).collect()
    }
}

/// A contact with nothing wrong.
pub fn good_contact() -> Entity {
    let mut contact = Entity::new();
    for (code, value) in [
        ("NAME", json!("Анна")),
        ("LAST_NAME", json!("Петрова")),
        (fields::PUPIL_LAST_NAME, json!("Петров")),
        (fields::PUPIL_FIRST_NAME, json!("Василий")),
        (fields::PRODUCT, json!([404])),
        (fields::BRANCH, json!([48])),
        (fields::BIRTHDATE, json!("2009-11-29T03:00:00+03:00")),
    ] {
        contact.set(code, value);
    }
    contact.with_phone("8 (926) 123-45-67")
}

/// A won deal with nothing wrong.
pub fn good_deal(contact: u64) -> Entity {
    let mut deal = Entity::new();
    for (code, value) in [
        ("TITLE", json!("Абонемент")),
        ("STAGE_ID", json!("WON")),
        ("CATEGORY_ID", json!("0")),
        ("CURRENCY_ID", json!("RUB")),
        ("CONTACT_ID", json!(contact.to_string())),
        ("ASSIGNED_BY_ID", json!("9")),
        (fields::SALE_DATE, json!("2020-12-13T03:00:00+03:00")),
        (fields::BRANCH, json!([186])),
        (fields::PAYMENT, json!("450")),
    ] {
        deal.set(code, value);
    }
    deal.rows.push(seed::row(seed::TICKETS[0], 9_000, 300));
    deal
}

/// The body that makes a connection on this stage.
pub fn body(stage: &Stage, over: Value) -> Value {
    let courses: BTreeMap<&str, &str> = otmechalka::COURSES.iter().map(|(id, name)| (*name, *id)).collect();
    let offices: BTreeMap<&str, &str> = otmechalka::BRANCHOFFICES.iter().map(|(id, name)| (*name, *id)).collect();
    let mut settings = json!({
        "sync_start_date": "2020-12-22",
        "contact_fields": {"status": fields::STATUS},
        "deal_fields": {"status": fields::STATUS},
        "otmechalka": {"base_url": stage.billz.otmechalka_url, "auth_header": "X-Api-Key: {key}", "courses": courses, "branchoffices": offices},
    });
    for (name, value) in over.as_object().unwrap() {
        match (settings.get_mut(name), value) {
            (Some(Value::Object(inner)), Value::Object(more)) => inner.extend(more.clone()),
            _ => settings[name] = value.clone(),
        }
    }
    json!({
        "flow": "bitrix24-otmechalka", "name": "School", "owner": "school:1", "enabled": true, "settings": settings,
        "secrets": {"bitrix24_webhook_url": stage.billz.bitrix24_webhook_url(), "otmechalka_key": OTMECHALKA_KEY},
    })
}

/// Counts of a run, by name.
pub fn count(run: &Value, name: &str) -> u64 {
    run["counts"][name].as_u64().unwrap()
}

#[track_caller]
pub fn well(run: &Value) {
    assert_eq!(run["state"], "succeeded", "{run}");
}

/// Succeeded, or partial because of objects whose data are wrong.
#[track_caller]
pub fn done(run: &Value) {
    assert!(matches!(run["state"].as_str(), Some("succeeded" | "partial")) && run["error"].is_null(), "{run}");
}
