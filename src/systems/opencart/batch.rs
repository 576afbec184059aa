//! Rows handed to the server as a table to join with: a temporary table, or a derived one where that right is missing.
//!
//! One `UPDATE … JOIN` over a thousand rows costs about as much as the multi-row upsert that must not be used (facts section 11).

use std::collections::HashSet;

use super::{
    session::Writer,
    sql::{Sql, Value},
};
use crate::fault::{Code, Fault};

/// Rows of one batch. Too low: round trips rule; too high: readers of a MyISAM table wait longer for each statement.
const ROWS: usize = 1_000;

/// Rows of one batch as a derived table: the server parses a SELECT for each.
const ROWS_DERIVED: usize = 200;

/// A column: name, type in the temporary table, type in a CAST.
pub(super) type BatchColumn = (&'static str, &'static str, &'static str);

/// What a batch looks like.
pub(super) struct Layout {
    pub(super) name: &'static str,
    pub(super) columns: &'static [BatchColumn],
    pub(super) key: Option<&'static str>,
}

/// What this session has made so far.
#[derive(Debug, Default)]
pub(super) struct Batches {
    made: HashSet<&'static str>,
    derived: bool,
}

impl Writer {
    /// How many rows a batch may have.
    pub(super) fn batch_rows(&self) -> usize {
        if self.batches.derived { ROWS_DERIVED } else { ROWS }
    }

    /// Whether temporary tables may be made; found out once, before the first batch is cut.
    pub(super) async fn prepare_batch(&mut self, layout: &Layout) -> Result<(), Fault> {
        if self.batches.derived || self.batches.made.contains(layout.name) {
            return Ok(());
        }
        let columns: Vec<String> =
            layout
                .columns
                .iter()
                .map(|(name, kind, _)| {
                    if layout.key == Some(*name) {
                        format!("`{name}` {kind} NOT NULL PRIMARY KEY")
                    } else {
                        format!("`{name}` {kind} NULL")
                    }
                })
                .collect();
        let create = format!("CREATE TEMPORARY TABLE `{}` ({}) ENGINE=MEMORY DEFAULT CHARSET=utf8mb4", layout.name, columns.join(", "));
        match self.run(Sql::new(create)).await {
            Ok(_) => {
                self.batches.made.insert(layout.name);
                Ok(())
            }
            Err(fault) if fault.code == Code::RemoteForbidden => {
                tracing::debug!("temporary tables are not allowed; batches travel inside their statements");
                self.batches.derived = true;
                Ok(())
            }
            Err(fault) => Err(fault),
        }
    }

    /// Hands rows over; the answer is the table's text with its alias `b`. Values stand in the order of `used`.
    pub(super) async fn batch(&mut self, layout: &Layout, used: &[&'static str], rows: Vec<Vec<Value>>) -> Result<Sql, Fault> {
        self.prepare_batch(layout).await?;
        if self.batches.derived {
            return Ok(derived(layout, used, rows));
        }
        self.run(Sql::new(format!("DELETE FROM `{}`", layout.name))).await?;
        let mut sql = Sql::new(format!("INSERT INTO `{}` (`{}`) VALUES ", layout.name, used.join("`,`")));
        for (place, row) in rows.into_iter().enumerate() {
            sql.push(if place == 0 { "(" } else { ",(" });
            sql.bind_list(row).push(")");
        }
        self.run(sql).await?;
        Ok(Sql::new(format!("`{}` b", layout.name)))
    }
}

/// The same rows as `(SELECT … UNION ALL SELECT …) b`, each value cast: a bound text beside a DECIMAL would be compared as a float.
fn derived(layout: &Layout, used: &[&'static str], rows: Vec<Vec<Value>>) -> Sql {
    let mut sql = Sql::new("(");
    for (place, row) in rows.into_iter().enumerate() {
        sql.push(if place == 0 { "SELECT " } else { " UNION ALL SELECT " });
        let mut values: Vec<Option<Value>> = row.into_iter().map(Some).collect();
        for (number, (name, _, cast)) in layout.columns.iter().enumerate() {
            sql.push(if number == 0 { "CAST(" } else { ", CAST(" });
            match used.iter().position(|column| column == name).and_then(|at| values.get_mut(at)).and_then(Option::take) {
                Some(value) => sql.bind(value),
                None => sql.push("NULL"),
            };
            sql.push(&format!(" AS {cast}) AS `{name}`"));
        }
    }
    sql.push(") b");
    sql
}
