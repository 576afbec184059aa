//! OK Living and OneBox: how old an order is when OneBox has it, at 500 orders a minute; how long a hook waits for its answer, at 200 a second.
//! `make bench ARGS=orders`.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::{
    Row,
    support::{OKLIVING_SECRET, ONEBOX_PASSWORD, Setup, Stage},
};

/// How much shorter a minute is: ages are told in the long minutes of real life.
const FACTOR: f64 = 4.0;
const ORDERS_PER_MINUTE: usize = 500;
const MINUTES: u32 = 4;
/// What OneBox takes for an answer, in the short time of the test: 160 ms of real life.
const ONEBOX_MS: u64 = 40;
const HOOKS_PER_SECOND: u32 = 200;
const SECONDS: u32 = 10;
const TOKEN: &str = "bench-hook-token-0001";

fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a rank")]
    let rank = ((values.len() as f64 * share).ceil() as usize).clamp(1, values.len());
    values[rank - 1]
}

async fn stage() -> (Stage, String) {
    let stage = Stage::with(Setup { products: 0, goods: 0, orders: 0, time_factor: FACTOR, ..Setup::default() }).await;
    let body = json!({
        "flow": "okliving-onebox", "name": "Orders",
        "settings": {
            "okliving": {"base_url": stage.billz.okliving_url, "client_id": "demo-client", "paging": "page",
                "request": {"args": {"filters": {"updated_from": "${from}"}, "page": "${page}", "limit": "${limit}"}}},
            "onebox": {"base_url": stage.billz.onebox_url, "login": "okl-bot", "workflow_id": 9, "status_id": 54},
            "status_map": {"process": {"order": "process"}},
            "brakes": {"limits": {"new_orders": {"on": false}, "one_phone": {"on": false}}},
        },
        "secrets": {"okliving_client_secret": OKLIVING_SECRET, "onebox_password": ONEBOX_PASSWORD, "hook_token": TOKEN},
    });
    let connection = stage.rest.post("/connections", &body).await.ok(201)["id"].as_str().unwrap().to_owned();
    (stage, connection)
}

/// Both figures, with the schedule of each minute that comes with the connection.
pub async fn run() -> Vec<Row> {
    let (stage, _connection) = stage().await;
    stage.billz.onebox.set_switches(|switches| switches.latency_ms = ONEBOX_MS);
    let minute = Duration::from_secs(60).div_f64(FACTOR);
    let pause = minute / u32::try_from(ORDERS_PER_MINUTE).unwrap();
    let (began, mut placed) = (Instant::now(), 0_u32);
    while began.elapsed() < minute * MINUTES {
        let due = began + pause * placed;
        tokio::time::sleep_until(due.into()).await;
        stage.billz.okliving.place(1, u64::from(placed));
        placed += 1;
    }
    let end = Instant::now() + minute * 4;
    while stage.billz.onebox.state().orders < placed as usize {
        assert!(Instant::now() < end, "{} of {placed} orders came", stage.billz.onebox.state().orders);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut made: HashMap<String, DateTime<Utc>> = HashMap::new();
    for write in stage.billz.onebox.writes() {
        for entity in &write.entities {
            made.entry(entity["externalid"].as_str().unwrap_or_default().to_owned()).or_insert(write.at);
        }
    }
    let orders = stage.billz.okliving.orders();
    let age = |id: &String, created: DateTime<Utc>| (made[&format!("okl-{id}")] - created).as_seconds_f64() * FACTOR;
    let mut ages: Vec<f64> = orders.iter().map(|(id, order)| age(id, order.created)).collect();
    let mut rows = vec![
        Row::most("order in OneBox, p99 age at 500 orders/min", percentile(&mut ages, 0.99), "s", 90.0),
        Row::plain("order in OneBox, p50 age", percentile(&mut ages, 0.5), "s"),
    ];
    rows.extend(hooks(&stage).await);
    rows
}

/// Hooks at a steady pace while runs take them up; each of an order of its own.
async fn hooks(stage: &Stage) -> Vec<Row> {
    let sent: Vec<u64> = stage.billz.onebox.orders().into_keys().collect();
    let (began, anybody) = (Instant::now(), stage.rest.with_key(""));
    let mut asked = Vec::new();
    for number in 0..HOOKS_PER_SECOND * SECONDS {
        tokio::time::sleep_until((began + Duration::from_secs(1) / HOOKS_PER_SECOND * number).into()).await;
        let path = format!("/sync/okliving-onebox/hooks/{TOKEN}?orderid={}&do=process&ttn=", sent[number as usize % sent.len()]);
        let anybody = anybody.clone();
        asked.push(tokio::spawn(async move {
            let began = Instant::now();
            let answer = anybody.get(&path).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            began.elapsed().as_secs_f64() * 1_000.0
        }));
    }
    let mut took = Vec::with_capacity(asked.len());
    for asked in asked {
        took.push(asked.await.unwrap());
    }
    let end = Instant::now() + Duration::from_secs(120);
    while stage.database.cell("SELECT COUNT(*) FROM tradesync_hooks WHERE settled_at IS NULL") != "0" {
        assert!(Instant::now() < end, "hooks were not dealt with");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    vec![
        Row::most("hook answered, p99 at 200/s", percentile(&mut took, 0.99), "ms", 100.0),
        Row::plain("hook answered, p50", percentile(&mut took, 0.5), "ms"),
        Row::plain("2,000 hooks dealt with after", began.elapsed().as_secs_f64(), "s"),
    ]
}
