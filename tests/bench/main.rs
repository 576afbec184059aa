//! `make bench`: the figures that the project promises, measured in one run, as ratios of pairs where a ratio was promised.
//!
//! Prints a table and ends with 1 when a figure falls short. One part alone: `make bench ARGS=statements` (OpenCart's statements), `apply`
//! (what durable records cost), `memory` (the whole job without statements), `pictures`, `lists` (at 10 million change rows), `schedules`
//! (schedules and the queue), `billz1` (its long answer), `matching` (barcodes of Kaktus and InSales), `hour` (an hour of theirs, 5 minutes
//! long), `bitrix` (the first load and a quiet minute of Bitrix24 and otmechalka), `orders` (OK Living and OneBox). Needs
//! `TRADESYNC_TEST_SERVER`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs, reason = "a measurement may fail")]

#[path = "../it/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the stage of the integration tests, of which a bench needs a part")]
mod support;

mod bitrix;
mod first_import;
mod lists;
mod matching;
mod model_replay;
mod opencart_write;
mod orders;
mod pictures;
mod schedules;
mod ten;
mod whole_job;

use std::process::ExitCode;

/// One line of the table.
pub struct Row {
    pub name: String,
    pub value: f64,
    pub unit: &'static str,
    /// At least, or at most (see `below`).
    pub asked: Option<f64>,
    pub below: bool,
}

impl Row {
    pub fn least(name: &str, value: f64, unit: &'static str, asked: f64) -> Self {
        Self { name: name.to_owned(), value, unit, asked: Some(asked), below: false }
    }

    pub fn most(name: &str, value: f64, unit: &'static str, asked: f64) -> Self {
        Self { name: name.to_owned(), value, unit, asked: Some(asked), below: true }
    }

    pub fn plain(name: &str, value: f64, unit: &'static str) -> Self {
        Self { name: name.to_owned(), value, unit, asked: None, below: false }
    }

    fn holds(&self) -> bool {
        self.asked.is_none_or(|asked| if self.below { self.value <= asked } else { self.value >= asked })
    }
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let asked_for = |area: &str| std::env::args().any(|argument| argument == area);
    // Before anything else has taken memory.
    let matching = if std::env::args().len() <= 1 { matching::run() } else { Vec::new() };
    let mut rows = runtime.block_on(async {
        if asked_for("lists") {
            return lists::run().await;
        }
        if asked_for("pictures") {
            return pictures::run().await;
        }
        if asked_for("schedules") {
            return schedules::run().await;
        }
        if asked_for("matching") {
            return matching::run();
        }
        if asked_for("orders") {
            return orders::run().await;
        }
        if asked_for("hour") {
            return matching::hour().await;
        }
        if asked_for("bitrix") {
            return bitrix::run().await;
        }
        if asked_for("billz1") {
            return whole_job::billz1().await;
        }
        if asked_for("apply") {
            return whole_job::small().await;
        }
        if asked_for("memory") {
            let mut rows = whole_job::run(false).await;
            rows.extend(whole_job::billz1().await);
            return rows;
        }
        let mut rows: Vec<Row> = opencart_write::run(&support::database::server())
            .await
            .into_iter()
            .map(|figure| match figure.least {
                least if least > 0.0 => Row::least(figure.name, figure.ratio, "x", least),
                _ => Row::plain(figure.name, figure.ratio, "x"),
            })
            .collect();
        let import = first_import::run(&support::database::server()).await;
        rows.push(Row::least("first import of 10,000, statements / plain INSERTs of the same rows", import, "x", 1.0 / 3.0));
        if asked_for("statements") {
            return rows;
        }
        rows.extend(whole_job::run(true).await);
        rows.extend(whole_job::billz1().await);
        rows.extend(pictures::run().await);
        rows.extend(schedules::run().await);
        rows
    });
    rows.extend(matching);
    let mut table = comfy_table::Table::new();
    table.set_header(["figure", "measured", "asked", ""]);
    for row in &rows {
        let asked =
            row.asked.map_or("–".to_owned(), |asked| format!("{} {asked} {}", if row.below { "at most" } else { "at least" }, row.unit));
        table.add_row([
            row.name.clone(),
            format!("{:.2} {}", row.value, row.unit),
            asked,
            if row.holds() { "ok" } else { "SHORT" }.to_owned(),
        ]);
    }
    println!("{table}");
    if rows.iter().all(Row::holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
