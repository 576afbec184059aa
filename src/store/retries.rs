//! Failed items over all runs: they come back by themselves, since every run decides over all records.

use async_trait::async_trait;
use diesel::{
    RunQueryDsl, sql_query,
    sql_types::{BigInt, Text},
};

use super::{Store, fault, transaction::transact};
use crate::{engine::ports::Retries, fault::Fault};

#[derive(diesel::QueryableByName)]
struct Waiting {
    #[diesel(sql_type = BigInt)]
    waiting: i64,
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
                    // But a picture that waits for its next try has not.
                    sql_query(
                        "DELETE FROM tradesync_retries WHERE connection_id = ? AND stream = ? AND last_run <> ? AND source_key NOT IN \
                         (SELECT w.source_key FROM tradesync_picture_wishes w JOIN tradesync_connections c ON c.link_space = w.space \
                         WHERE c.id = ? AND w.state = 'failed')",
                    )
                        .bind::<Text, _>(&id)
                        .bind::<Text, _>(&stream)
                        .bind::<Text, _>(&run)
                        .bind::<Text, _>(&id)
                        .execute(connection)
                        .map_err(fault)?;
                    Ok(())
                })
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
