//! Failed items over all runs: they come back by themselves, since every run decides over all records.

use async_trait::async_trait;
use diesel::{RunQueryDsl, sql_query, sql_types::Text};

use super::{Store, fault, transaction::transact};
use crate::{engine::ports::Retries, fault::Fault};

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
}
