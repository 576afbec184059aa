//! What the demo prints: titles, tables, progress.

use std::time::Duration;

use comfy_table::{Cell, ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::{client::Client, truth::Found};
use crate::fault::Fault;

/// A heading.
pub fn title(text: &str) {
    println!("\n== {text}");
}

/// One line.
pub fn say(text: &str) {
    println!("   {text}");
}

/// The items of a list answer.
pub fn list(answer: &Value) -> Vec<Value> {
    answer.get("items").and_then(Value::as_array).cloned().unwrap_or_default()
}

fn text(value: &Value, field: &str) -> String {
    match value.get(field) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => "–".to_owned(),
        Some(other) => other.to_string(),
    }
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic).set_header(header.to_vec());
    if table.width().is_none() {
        table.set_width(150);
    }
    table
}

/// The rows of a connection's check.
pub fn checks(answer: &Value) {
    let mut rows = table(&["check", "", "what was found"]);
    for check in answer.get("checks").and_then(Value::as_array).into_iter().flatten() {
        let sign = if check.get("ok") == Some(&Value::Bool(true)) { "ok" } else { "NOT OK" };
        rows.add_row([text(check, "name"), sign.to_owned(), text(check, "detail")]);
    }
    println!("{rows}");
}

/// The streams of a connection.
pub fn streams(answer: &Value) {
    let mut rows = table(&["Billz shop", "stream", "last synchronised"]);
    for stream in list(answer) {
        rows.add_row([text(&stream, "name"), text(&stream, "stream"), text(&stream, "last_synced_at")]);
    }
    println!("{rows}");
}

/// Follows a run to its end with a progress bar; returns its last state.
pub async fn follow(client: &Client, run: &Value) -> Result<Value, Fault> {
    let path = format!("/sync/runs/{}", text(run, "id"));
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("   {msg:34} {bar:40} {pos}/{len} read · {elapsed}") {
        bar.set_style(style);
    }
    loop {
        let run = client.get(&path).await?;
        let progress = run.get("progress").cloned().unwrap_or_default();
        let number = |field: &str| progress.get(field).and_then(Value::as_u64).unwrap_or_default();
        bar.set_length(number("total").max(number("read")));
        bar.set_position(number("read"));
        bar.set_message(format!("{} · {} · {} applied", text(&run, "state"), text(&run, "phase"), number("applied")));
        if !matches!(run.get("state").and_then(Value::as_str), Some("queued" | "running")) {
            bar.finish_and_clear();
            return Ok(run);
        }
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
}

/// A run's report: its counts, and some items of each kind.
pub fn run(run: &Value, items: &[Value]) {
    let counts = run.get("counts").cloned().unwrap_or_default();
    let read = run.get("read").cloned().unwrap_or_default();
    let read_mode = match (read.get("reused"), read.get("mode").and_then(Value::as_str)) {
        (Some(Value::Bool(true)), Some(mode)) => format!("{mode}, shared with the shop before"),
        (_, Some(mode)) => mode.to_owned(),
        _ => "–".to_owned(),
    };
    let mut head = table(&["run", "asked", "read", "whole", "created", "updated", "unchanged", "skipped", "failed", "held"]);
    head.add_row(vec![
        Cell::new(text(run, "state")),
        Cell::new(text(run, "mode")),
        Cell::new(read_mode),
        Cell::new(text(run, "whole")),
        Cell::new(text(&counts, "created")),
        Cell::new(text(&counts, "updated")),
        Cell::new(text(&counts, "unchanged")),
        Cell::new(text(&counts, "skipped")),
        Cell::new(text(&counts, "failed")),
        Cell::new(text(&counts, "held")),
    ]);
    println!("{head}");
    if run.get("error").is_some_and(|error| !error.is_null()) {
        say(&format!("error: {}", run.get("error").cloned().unwrap_or_default()));
    }
    let mut rows = table(&["item", "outcome", "changes (old → new, rule)", "why"]);
    for outcome in ["created", "updated", "skipped", "failed", "held"] {
        for item in items.iter().filter(|item| item.get("outcome").and_then(Value::as_str) == Some(outcome)).take(3) {
            let reason = item.get("reason").cloned().unwrap_or_default();
            rows.add_row([text(item, "name"), outcome.to_owned(), changes(item), text(&reason, "text")]);
        }
    }
    if !items.is_empty() {
        println!("{rows}");
        say(&format!("{} items in the report; up to three of each kind are shown", items.len()));
    }
}

fn changes(item: &Value) -> String {
    let shown = ["link", "quantity", "price", "special"];
    let changes = item.get("changes").and_then(Value::as_array).into_iter().flatten();
    let lines = changes.filter(|change| change.get("field").and_then(Value::as_str).is_some_and(|field| shown.contains(&field)));
    lines
        .map(|change| format!("{} {} → {} ({})", text(change, "field"), text(change, "old"), text(change, "new"), text(change, "rule")))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The outcome of a check against Billz.
pub fn truth(found: &Found) {
    say(&format!(
        "checked against Billz: {} of {} goods right, {} wrong; {} products in the shop",
        found.right,
        found.sold,
        found.wrong.len(),
        found.products
    ));
    for (name, why) in found.wrong.iter().take(10) {
        say(&format!("  WRONG {name}: {why}"));
    }
}
