//! Bitrix24 -> otmechalka: what a minute without changes costs on a portal of 20,000 contacts, and how near the first load comes to what the
//! remotes' limits alone allow.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tradesync::sandbox::{bitrix24::fields, otmechalka};

use crate::{
    Row,
    support::{OTMECHALKA_KEY, Setup, Stage},
};

/// Contacts and deals of the first load; the real otmechalka holds 5,000 active clients.
const LOAD: usize = 5_000;
/// How much shorter the first load is: a call of otmechalka each 10 ms.
const FACTOR: f64 = 100.0;
/// Contacts of the portal whose minute is counted.
const PORTAL: usize = 20_000;

struct School {
    stage: Stage,
    connection: String,
}

impl School {
    async fn new(contacts: usize, deals: usize, factor: f64, over: Value) -> Self {
        let stage = Stage::with(Setup { products: 0, goods: 0, contacts, deals, time_factor: factor, ..Setup::default() }).await;
        stage.billz.otmechalka.set_switches(|switches| switches.active_limit = PORTAL * 2);
        let table = |rows: &[(&'static str, &'static str)]| rows.iter().map(|(id, name)| (*name, *id)).collect::<BTreeMap<_, _>>();
        let mut settings = json!({
            "sync_start_date": "2020-12-22", "contact_fields": {"status": fields::STATUS}, "deal_fields": {"status": fields::STATUS},
            "otmechalka": {"base_url": stage.billz.otmechalka_url, "auth_header": "X-Api-Key: {key}",
                "courses": table(otmechalka::COURSES), "branchoffices": table(otmechalka::BRANCHOFFICES)},
        });
        for (name, value) in over.as_object().unwrap() {
            match (settings.get_mut(name), value) {
                (Some(Value::Object(inner)), Value::Object(more)) => inner.extend(more.clone()),
                _ => settings[name] = value.clone(),
            }
        }
        let body = json!({
            "flow": "bitrix24-otmechalka", "name": "Bench", "owner": "school:1", "enabled": false, "settings": settings,
            "secrets": {"bitrix24_webhook_url": stage.billz.bitrix24_webhook_url(), "otmechalka_key": OTMECHALKA_KEY},
        });
        let connection = stage.rest.post("/connections", &body).await.ok(201)["id"].as_str().unwrap().to_owned();
        for schedule in stage.rest.all(&format!("/schedules?connection={connection}")).await {
            stage.rest.delete(&format!("/schedules/{}", schedule["id"].as_str().unwrap())).await;
        }
        stage.rest.patch(&format!("/connections/{connection}"), &json!({"enabled": true})).await.ok(200);
        Self { stage, connection }
    }

    async fn sync(&self, stream: &str) {
        let body = json!({"connection": self.connection, "stream": stream, "mode": "incremental"});
        let run = self.stage.rest.post("/sync/bitrix24-otmechalka", &body).await.ok(202)["id"].as_str().unwrap().to_owned();
        let run = self.stage.rest.wait_within(&run, Duration::from_secs(1_800)).await;
        assert!(matches!(run["state"].as_str(), Some("succeeded" | "partial")), "{run}");
    }

    fn calls(&self) -> u64 {
        self.stage.billz.bitrix24.state().calls + self.stage.billz.otmechalka.desk().requests().total
    }
}

pub async fn run() -> Vec<Row> {
    let mut rows = first_load().await;
    rows.extend(quiet_minute().await);
    rows
}

async fn first_load() -> Vec<Row> {
    let school = School::new(LOAD, LOAD, FACTOR, json!({})).await;
    let began = Instant::now();
    school.sync("contacts").await;
    school.sync("deals").await;
    let took = began.elapsed().as_secs_f64() * FACTOR;
    let (clients, tickets) = (school.stage.billz.otmechalka.clients().len(), school.stage.billz.otmechalka.tickets().len());
    assert!(clients > LOAD * 8 / 10 && tickets > LOAD * 4 / 10, "{clients} clients, {tickets} tickets");
    // otmechalka takes one call a second, and the portal two: the slower of them decides.
    let state = school.stage.billz.bitrix24.state();
    let (asked, made) = (school.stage.billz.otmechalka.desk().requests().total as f64, (clients + tickets) as f64);
    let allowed = asked.max(state.calls as f64 / 2.0);
    vec![
        Row::most("first load of 5,000 contacts and 5,000 deals / what the limits alone allow", took / allowed, "x", 1.2),
        Row::plain("the same: clients and tickets made", made, "objects"),
        Row::plain(
            "the same: calls of otmechalka for each, those for objects that it refuses or that wait included",
            asked / made,
            "calls",
        ),
        Row::most(
            "the same: calls that Bitrix24 refused for its limits",
            (state.refused_rate + state.refused_operating) as f64,
            "calls",
            0.0,
        ),
        Row::plain("the same: calls of Bitrix24", state.calls as f64, "calls"),
    ]
}

async fn quiet_minute() -> Vec<Row> {
    let quick = json!({"bitrix24": {"requests_per_second": "100"}, "otmechalka": {"requests_per_second": "100"}});
    let school = School::new(PORTAL, 0, 20.0, quick).await;
    school.stage.billz.bitrix24.set_switches(|switches| (switches.rate, switches.operating_limit_s) = (None, None));
    school.sync("contacts").await;
    school.sync("deals").await;
    // What was written in the first load is an hour old.
    school.stage.billz.bitrix24.set_switches(|switches| switches.clock_ahead_s = 3_600);
    let quiet = |stream: &'static str| school.stage.scheduled(&school.connection, stream, "incremental");
    quiet("contacts").await;
    quiet("deals").await;
    school.stage.database.run("UPDATE tradesync_retries SET next_at = UTC_TIMESTAMP(6) + INTERVAL 1 HOUR");
    let (calls, writes, began) = (school.calls(), school.stage.billz.bitrix24.writes().len(), Instant::now());
    quiet("contacts").await;
    quiet("deals").await;
    let took = began.elapsed().as_secs_f64();
    vec![
        Row::most("minute without changes on a portal of 20,000 contacts: calls", (school.calls() - calls) as f64, "calls", 5.0),
        Row::most("the same: statuses written", (school.stage.billz.bitrix24.writes().len() - writes) as f64, "writes", 0.0),
        Row::plain("the same: both runs together", took, "s"),
    ]
}
