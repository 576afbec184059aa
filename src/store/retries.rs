//! Failed items over all runs: they come back by themselves, since every run decides over all records.

use async_trait::async_trait;
use diesel::{
    RunQueryDsl, sql_query,
    sql_types::{BigInt, Datetime, Integer, Text, Unsigned},
};

use super::{
    Store,
    convert::{json, utc},
    fault,
    transaction::transact,
};
use crate::{
    engine::ports::{Retries, WaitingItem},
    fault::Fault,
};

#[derive(diesel::QueryableByName)]
struct Waiting {
    #[diesel(sql_type = BigInt)]
    waiting: i64,
}

#[derive(diesel::QueryableByName)]
struct ItemRow {
    #[diesel(sql_type = Text)]
    stream: String,
    #[diesel(sql_type = Text)]
    reason: String,
    #[diesel(sql_type = Unsigned<Integer>)]
    attempts: u32,
    #[diesel(sql_type = Datetime)]
    first_at: chrono::NaiveDateTime,
    #[diesel(sql_type = Datetime)]
    last_at: chrono::NaiveDateTime,
}

#[async_trait]
impl Retries for Store {
    async fn settle(&self, connection: &str, stream: &str, run: &str) -> Result<(), Fault> {
        let (id, stream, run) = (connection.to_owned(), stream.to_owned(), run.to_owned());
        self.pool
            .call(move |connection| {
                transact(connection, |connection| {
                    sql_query(
                        "INSERT INTO tradesync_retries (connection_id, stream, source_key, name, reason, attempts, first_run, last_run, first_at, last_at) \
                         SELECT ?, ?, source_key, name, reason, 1, run_id, run_id, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) FROM tradesync_changes WHERE run_id = ? AND outcome = 'failed' \
                         ON DUPLICATE KEY UPDATE attempts = attempts + (last_run <> VALUES(last_run)), name = VALUES(name), reason = VALUES(reason), last_run = VALUES(last_run), last_at = VALUES(last_at)",
                    )
                    .bind::<Text, _>(&id)
                    .bind::<Text, _>(&stream)
                    .bind::<Text, _>(&run)
                    .execute(connection)?;
                    // Every run looks at every record, so what did not fail in this one has passed.
                    sql_query("DELETE FROM tradesync_retries WHERE connection_id = ? AND stream = ? AND last_run <> ?")
                        .bind::<Text, _>(&id)
                        .bind::<Text, _>(&stream)
                        .bind::<Text, _>(&run)
                        .execute(connection)
                        .map_err(fault)?;
                    Ok(())
                })
            })
            .await
    }

    async fn of_item(&self, connection: &str, source: &str) -> Result<Vec<WaitingItem>, Fault> {
        let (id, source) = (connection.to_owned(), source.to_owned());
        self.pool
            .call(move |connection| {
                let rows: Vec<ItemRow> = sql_query(
                    "SELECT stream, reason, attempts, first_at, last_at FROM tradesync_retries WHERE connection_id = ? AND source_key = ? ORDER BY last_at DESC",
                )
                .bind::<Text, _>(&id)
                .bind::<Text, _>(&source)
                .load(connection)
                .map_err(fault)?;
                rows.into_iter()
                    .map(|row| {
                        Ok(WaitingItem {
                            stream: row.stream,
                            reason: json("reason", &row.reason)?,
                            attempts: row.attempts,
                            first_at: utc(row.first_at),
                            last_at: utc(row.last_at),
                        })
                    })
                    .collect()
            })
            .await
    }

    async fn waiting(&self, flow: &str) -> Result<u64, Fault> {
        let flow = flow.to_owned();
        self.pool
            .call(move |connection| {
                let row: Waiting = sql_query(
                    "SELECT COUNT(*) AS waiting FROM tradesync_retries r JOIN tradesync_connections c ON c.id = r.connection_id \
                     WHERE c.flow = ? AND c.deleted_at IS NULL",
                )
                .bind::<Text, _>(&flow)
                .get_result(connection)
                .map_err(fault)?;
                Ok(u64::try_from(row.waiting).unwrap_or_default())
            })
            .await
    }
}
