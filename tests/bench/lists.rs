//! Lists at 10 million change rows, through HTTP: `make bench ARGS=lists`. Takes minutes, and some gigabytes while it runs.

use std::time::Instant;

use diesel::connection::SimpleConnection;
use serde_json::json;

use crate::{
    Row,
    support::{Setup, Spawn, Stage},
};

/// Rows of the report of one run.
/// The path to ask for, by the number of the attempt.
type Question = Box<dyn Fn(usize) -> String>;

const ITEMS: u64 = 1_000;
/// Runs, of five streams and two owners.
const RUNS: u64 = 10_000;
/// Questions of one kind; the slowest of a hundred counts, save one.
const QUESTIONS: usize = 200;

/// The id of the n-th run: in the form and order of real ones.
fn run_id(number: u64) -> String {
    format!("{:012x}7000800000000000{number:04x}", 0x0199_0000_0000u64 + number * 60_000)
}

fn fill(stage: &Stage, connection: &str, other: &str) {
    let mut database = stage.database.connect();
    let began = Instant::now();
    database.batch_execute("SET SESSION unique_checks = 0, foreign_key_checks = 0").unwrap();
    for chunk in (0..RUNS).collect::<Vec<_>>().chunks(1_000) {
        let rows: Vec<String> = chunk
            .iter()
            .map(|number| {
                let (owner, of) = if number % 10 == 9 { ("seller:7", other) } else { ("seller:42", connection) };
                let state = ["succeeded", "succeeded", "succeeded", "partial", "failed"][(number % 5) as usize];
                format!(
                    "('{}','billz-opencart','{of}','stream-{}','{owner}','schedule','incremental',0,'{state}','done',NOW(6),NOW(6),NOW(6),'{{\"skipped\":1000}}',1)",
                    run_id(*number),
                    number % 5
                )
            })
            .collect();
        database
            .batch_execute(&format!(
                "INSERT INTO tradesync_runs (id, flow, connection_id, stream, owner, started_by, mode, dry_run, state, phase, created_at, started_at, finished_at, counts, version) VALUES {}",
                rows.join(",")
            ))
            .unwrap();
    }
    // The report of one run; then those of all others from it.
    let items: Vec<String> = (0..ITEMS)
        .map(|number| {
            let (op, outcome, state) = match number % 20 {
                0 => ("update", "updated", "applied"),
                1 => ("none", "failed", "failed"),
                _ => ("none", "skipped", "skipped"),
            };
            format!(
                "('{}','00000000-0000-4000-8000-{number:012}','T-shirt, white, M, No {number}','{number}','{op}',\
                 '[{{\"field\":\"quantity\",\"old\":3,\"new\":5,\"rule\":{{\"code\":\"stock_sum\",\"params\":{{\"shops\":\"Chilonzor\",\"value\":\"5\"}}}}}}]',\
                 '{{\"code\":\"changed\"}}','{outcome}','{state}','restore',NOW(6))",
                run_id(0)
            )
        })
        .collect();
    let columns = "run_id, source_key, name, target_key, op, fields, reason, outcome, state, undo_rule, source_seen_at";
    database.batch_execute(&format!("INSERT INTO tradesync_changes ({columns}) VALUES {}", items.join(","))).unwrap();
    let rest = "c.source_key, c.name, c.target_key, c.op, c.fields, c.reason, c.outcome, c.state, c.undo_rule, c.source_seen_at";
    let mut filled = 1;
    while filled < RUNS {
        // A hundred runs in a statement: 100,000 rows.
        let until = (filled + 100).min(RUNS);
        database
            .batch_execute(&format!(
                "INSERT INTO tradesync_changes ({columns}) SELECT r.id, {rest} FROM tradesync_runs r STRAIGHT_JOIN tradesync_changes c ON c.run_id = '{}' \
                 WHERE r.id >= '{}' AND r.id <= '{}'",
                run_id(0),
                run_id(filled),
                run_id(until - 1)
            ))
            .unwrap();
        filled = until;
        if filled % 2_000 < 100 {
            println!("lists: {} rows after {:.0} s", filled * ITEMS, began.elapsed().as_secs_f64());
        }
    }
    database.batch_execute("ANALYZE TABLE tradesync_runs, tradesync_changes").unwrap();
}

/// The slowest answer but one in a hundred, in milliseconds.
async fn slowest(stage: &Stage, question: impl Fn(usize) -> String) -> f64 {
    let mut took = Vec::new();
    for number in 0..QUESTIONS {
        let path = question(number);
        let began = Instant::now();
        let answer = stage.rest.get(&path).await;
        took.push(began.elapsed().as_secs_f64() * 1_000.0);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    }
    took.sort_by(f64::total_cmp);
    took[QUESTIONS - 1 - QUESTIONS / 100]
}

pub async fn run() -> Vec<Row> {
    let spawn = Spawn::default().with("TRADESYNC_ROLE", "api");
    let stage = Stage::with(Setup { products: 0, spawn, ..Setup::default() }).await;
    let (connection, _) = stage.simple(json!({})).await;
    let (other, _) = stage.simple_of("seller:7", json!({})).await;
    fill(&stage, &connection, &other);
    let rows = stage.database.number("SELECT COUNT(*) AS number FROM tradesync_changes");
    let bytes = stage.database.number(
        "SELECT CAST(SUM(data_length + index_length) AS SIGNED) AS number FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'tradesync_changes'",
    );
    let mut table = vec![Row::least("change rows", rows as f64, "rows", 10_000_000.0), Row::plain("  they take", bytes as f64 / 1e9, "GB")];
    // From a middle run on, page by page.
    let cursor = {
        use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
        URL_SAFE_NO_PAD.encode(run_id(RUNS / 2))
    };
    let spread = |number: usize| run_id((number as u64 * 7_919) % RUNS);
    // Pages near the ends of reports, of a run here and there.
    let late: Vec<(String, String)> = (0..20)
        .map(|number| {
            use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
            let run = run_id(number * RUNS / 20);
            let last =
                stage.database.number(&format!("SELECT CAST(MAX(id) AS SIGNED) AS number FROM tradesync_changes WHERE run_id = '{run}'"));
            (run, URL_SAFE_NO_PAD.encode((last - 60).to_string()))
        })
        .collect();
    let questions: Vec<(&str, Question)> = vec![
        ("/sync/runs", Box::new(|_| "/sync/runs?limit=50".to_owned())),
        ("/sync/runs, from the middle on", Box::new(move |_| format!("/sync/runs?limit=50&cursor={cursor}"))),
        ("/sync/runs of a connection", {
            let other = other.clone();
            Box::new(move |_| format!("/sync/runs?limit=50&connection={other}"))
        }),
        ("/sync/runs of an owner", Box::new(|_| "/sync/runs?limit=50&owner=seller:7".to_owned())),
        ("/sync/runs in a state that none has", Box::new(|_| "/sync/runs?limit=50&state=awaiting_approval".to_owned())),
        ("/sync/runs of an owner in a state", Box::new(|_| "/sync/runs?limit=50&owner=seller:7&state=failed".to_owned())),
        (
            "/sync/runs of an owner in a state that none has",
            Box::new(|_| "/sync/runs?limit=50&owner=seller:42&state=awaiting_approval".to_owned()),
        ),
        ("/sync/runs of a flow and an owner in a state", {
            Box::new(|_| "/sync/runs?limit=50&flow=billz-opencart&owner=seller:42&state=partial".to_owned())
        }),
        ("/sync/runs of a stream in a state", {
            let connection = connection.clone();
            Box::new(move |_| format!("/sync/runs?limit=50&connection={connection}&stream=stream-3&state=partial"))
        }),
        ("one run", Box::new(move |number| format!("/sync/runs/{}", spread(number)))),
        ("its items", Box::new(move |number| format!("/sync/runs/{}/items?limit=50", spread(number)))),
        ("its failed items", Box::new(move |number| format!("/sync/runs/{}/items?limit=50&outcome=failed", spread(number)))),
        ("items of a run, from near the end on", {
            Box::new(move |number| {
                let (run, cursor) = &late[number % late.len()];
                format!("/sync/runs/{run}/items?limit=50&cursor={cursor}")
            })
        }),
        ("its items, 200 at once", Box::new(move |number| format!("/sync/runs/{}/items?limit=200", spread(number)))),
    ];
    for (name, question) in questions {
        table.push(Row::most(name, slowest(&stage, question).await, "ms", 20.0));
    }
    let csv = slowest(&stage, move |number| format!("/sync/runs/{}/items.csv", spread(number))).await;
    table.push(Row::plain("a report of 1,000 items as CSV", csv, "ms"));
    table
}
