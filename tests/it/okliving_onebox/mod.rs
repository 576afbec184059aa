//! OK Living -> OneBox and back: the requirement's sentences, what every flow must hold, and every wrong way that is known.
//!
//! A [`Desk`] is a stage with one connection between the simulated shop and the simulated CRM.

mod acceptance;
mod brakes;
mod client_of_okliving;
mod client_of_onebox;
mod crash;
mod hooks;
mod mapping;
mod orders;
mod storm;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tradesync::sandbox::{
    desk::{Fault, Rule},
    okliving::{self, Order, Person},
    onebox::{self, Action},
};

use crate::support::{OKLIVING_SECRET, ONEBOX_PASSWORD, Setup, Spawn, Stage};

/// The token of the hooks' address.
pub const TOKEN: &str = "hook-token-0123456789abcdef";
/// A waybill as Nova Poshta writes it.
pub const TTN: &str = "20450000000000";

/// A stage with one connection of this flow.
pub struct Desk {
    pub stage: Stage,
    pub connection: String,
}

impl Desk {
    pub async fn new(over: Value) -> Self {
        Self::with(Spawn::default(), over).await
    }

    pub async fn with(spawn: Spawn, over: Value) -> Self {
        let stage = Stage::with(Setup { products: 0, goods: 0, orders: 0, spawn, ..Setup::default() }).await;
        Self::on(stage, over).await
    }

    /// A connection on this stage, without the schedules that come with it.
    pub async fn on(stage: Stage, over: Value) -> Self {
        // Disabled until its schedules are gone, which would start runs within 3 s.
        let mut disabled = body(&stage, over);
        disabled["enabled"] = json!(false);
        let connection = stage.rest.post("/connections", &disabled).await.ok(201)["id"].as_str().unwrap().to_owned();
        for schedule in stage.rest.all(&format!("/schedules?connection={connection}")).await {
            stage.rest.delete(&format!("/schedules/{}", schedule["id"].as_str().unwrap())).await;
        }
        stage.rest.patch(&format!("/connections/{connection}"), &json!({"enabled": true})).await.ok(200);
        Self { stage, connection }
    }

    pub fn shop(&self) -> &okliving::Handle {
        &self.stage.billz.okliving
    }

    pub fn onebox(&self) -> &onebox::Handle {
        &self.stage.billz.onebox
    }

    /// Starts a run; returns its id.
    pub async fn start(&self, stream: &str, more: Value) -> String {
        let mut body = json!({"connection": self.connection, "stream": stream, "mode": "incremental"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.stage.rest.post("/sync/okliving-onebox", &body).await.ok(202)["id"].as_str().unwrap().to_owned()
    }

    /// A run of orders as a person starts it, to its end.
    pub async fn sync(&self) -> Value {
        let run = self.start("orders", json!({})).await;
        self.stage.rest.wait(&run).await
    }

    /// The same, which must end well.
    pub async fn well(&self) -> Value {
        let run = self.sync().await;
        assert_eq!(run["state"], "succeeded", "{run}");
        run
    }

    /// Everything that hooks have asked for so far is dealt with, held or failed.
    pub async fn settled(&self) {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let live = self.stage.rest.get(&format!("/sync/runs?connection={}&limit=5", self.connection)).await.ok(200);
            let idle = live["items"].as_array().unwrap().iter().all(|run| !matches!(run["state"].as_str(), Some("queued" | "running")));
            let fresh = self.stage.database.cell("SELECT COUNT(*) FROM tradesync_hooks WHERE fresh = 1");
            if idle && fresh == "0" {
                return;
            }
            assert!(Instant::now() < end, "hooks were not taken up: {fresh} fresh; {live}");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// The path of hooks.
    pub fn hook_path(&self) -> String {
        format!("/sync/okliving-onebox/hooks/{TOKEN}")
    }

    /// The same as OneBox calls it.
    pub fn hook_url(&self) -> String {
        format!("{}{}", self.stage.rest.base, self.hook_path())
    }

    /// An action of OneBox with these fields.
    pub fn action(&self, key: &str, stage: Option<u64>, method: &str, form: onebox::Form, fields: &[(&str, &str)]) -> Action {
        Action {
            key: key.to_owned(),
            stage,
            url: self.hook_url(),
            method: method.to_owned(),
            body: form,
            fields: fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        }
    }

    /// OneBox's order of a shop's order.
    #[track_caller]
    pub fn sent(&self, id: &str) -> onebox::Order {
        let found = self.onebox().by_externalid(&format!("okl-{id}"));
        assert_eq!(found.len(), 1, "order {id} is in OneBox {} times", found.len());
        found.into_iter().next().unwrap()
    }

    /// Fails unless every order of the shop stands in OneBox once, with its own recipient and its own buyer.
    #[track_caller]
    pub fn must_agree(&self, when: &str) {
        let orders = self.shop().orders();
        assert!(!orders.is_empty(), "{when}: nothing to compare");
        for (id, order) in &orders {
            let sent = self.sent(id);
            let taker = order.recipient.as_ref().unwrap_or(&order.customer);
            assert_eq!(sent.client_phone, digits(taker), "{when}: phone of the parcel of {id}");
            assert_eq!(sent.client_name, plain(&full(taker)), "{when}: name on the parcel of {id}");
            assert_eq!(sent.lines.len(), order.lines.len(), "{when}: lines of {id}");
            let bought: f64 = order.lines.iter().map(|line| line.price.parse::<f64>().unwrap() * f64::from(line.quantity)).sum();
            let stands: f64 = sent.lines.iter().map(|line| line.price.parse::<f64>().unwrap() * line.count.parse::<f64>().unwrap()).sum();
            assert!((bought - stands).abs() < 0.01, "{when}: {id} costs {bought} and stands as {stands}");
            if let Some(card) = sent.contact.and_then(|card| self.onebox().contacts().get(&card).cloned()) {
                let last = |phone: &str| phone.chars().rev().filter(char::is_ascii_digit).take(9).collect::<String>();
                let known = card.phones.iter().any(|phone| last(phone) == last(&order.customer.phone));
                assert!(known, "{when}: the card of {id} is of {:?}, the buyer is {}", card.phones, digits(&order.customer));
            }
        }
        assert!(self.onebox().doubles().is_empty(), "{when}: doubled {:?}", self.onebox().doubles());
    }

    /// How many writing calls OneBox has met.
    pub fn sets(&self) -> usize {
        self.onebox().writes().len()
    }

    pub async fn settings(&self, change: Value) {
        self.stage.rest.patch(&format!("/connections/{}", self.connection), &json!({ "settings": change })).await.ok(200);
    }

    pub async fn outcome(&self, run: &Value, item: &str) -> String {
        self.stage.outcome(run, item).await
    }

    /// What stands of a stream: item -> code.
    pub async fn standing(&self, stream: &str) -> BTreeMap<String, String> {
        let rows = self.stage.rest.all(&format!("/connections/{}/streams/{stream}/standing", self.connection)).await;
        rows.iter().map(|row| (row["key"].as_str().unwrap().to_owned(), row["reason"]["code"].as_str().unwrap().to_owned())).collect()
    }

    pub fn trouble_at_shop(&self, route: &str, skip: u32, times: u32, fault: Fault) {
        self.shop().desk().add_fault(Rule { skip, ..Rule::new(route, times, fault) });
    }

    pub fn trouble_at_onebox(&self, route: &str, skip: u32, times: u32, fault: Fault) {
        self.onebox().desk().add_fault(Rule { skip, ..Rule::new(route, times, fault) });
    }
}

/// The body that makes a connection on this stage.
pub fn body(stage: &Stage, over: Value) -> Value {
    let mut settings = json!({
        "okliving": {
            "base_url": stage.billz.okliving_url, "client_id": "demo-client", "paging": "page", "page_size": 20,
            "request": {"args": {"filters": {"updated_from": "${from}"}, "page": "${page}", "limit": "${limit}"}},
            "order_request": {"args": {"filters": {"ids": ["${id}"]}}},
        },
        "onebox": {"base_url": stage.billz.onebox_url, "login": "okl-bot", "workflow_id": 9, "status_id": 54},
        "status_map": {
            "ship": {"delivery": "ship", "order": "process"}, "process": {"order": "process"}, "complete": {"order": "complete"},
            "part": {"delivery": "ship_partially"}, "cancel": {"order": "cancel", "delivery": "cancel"}, "stage:58": {"order": "complete"},
        },
        "orders_since": "2020-01-01T00:00:00Z",
    });
    for (name, value) in over.as_object().unwrap() {
        match (settings.get_mut(name), value) {
            (Some(Value::Object(inner)), Value::Object(more)) => inner.extend(more.clone()),
            _ => settings[name] = value.clone(),
        }
    }
    json!({
        "flow": "okliving-onebox", "name": "OK Living", "enabled": true, "settings": settings,
        "secrets": {"okliving_client_secret": OKLIVING_SECRET, "onebox_password": ONEBOX_PASSWORD, "hook_token": TOKEN},
    })
}

/// Counts of a run, by name.
pub fn count(run: &Value, name: &str) -> u64 {
    run["counts"][name].as_u64().unwrap()
}

/// A phone as OneBox is to have it. Told from the simulator's own number, not by our code.
pub fn digits(person: &Person) -> String {
    let digits: String = person.phone.chars().filter(char::is_ascii_digit).collect();
    format!("380{}", &digits[digits.len() - 9..])
}

/// A whole name.
pub fn full(person: &Person) -> String {
    [&person.last_name, &person.first_name, &person.middle_name].map(String::as_str).join(" ").trim_end().to_owned()
}

/// The same with the plain apostrophe.
pub fn plain(name: &str) -> String {
    name.replace(['’', 'ʼ', '`'], "'")
}

/// An order of one's own.
pub fn order(id: &str, buyer: &str, recipient: &str) -> Order {
    let person = |last: &str, phone: &str| Person {
        last_name: last.into(),
        first_name: "Олена".into(),
        middle_name: String::new(),
        phone: phone.into(),
    };
    Order {
        id: id.into(),
        number: id.into(),
        customer_id: format!("c{buyer}"),
        customer: person("Тестова", buyer),
        recipient: Some(person("Прикладна", recipient)),
        city: "Львів".into(),
        region: "Львівська".into(),
        warehouse: "Відділення №12: вул. Прикладна, 1".into(),
        warehouse_number: "12".into(),
        lines: vec![okliving::Line {
            id: "881".into(), sku: "PL-150-GR".into(), name: "Плед".into(), price: "799.50".into(), quantity: 2
        }],
        ..Order::default()
    }
}
