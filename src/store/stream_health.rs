//! What the last real runs of each stream came to, kept in the transaction that ends a run.

use diesel::{
    MysqlConnection, RunQueryDsl, sql_query,
    sql_types::{Bool, Nullable, Text},
};

use super::{convert::text, transaction::Problem};
use crate::{
    db::kept,
    engine::{
        model::{Run, State},
        ports::Finish,
    },
};

/// Notes the end of a run. Dry runs, undos and what a person cancelled say nothing about a stream.
pub(super) fn note(connection: &mut MysqlConnection, run: &Run, finish: &Finish) -> Result<(), Problem> {
    if (run.dry_run && !run.plan.approved()) || run.undo_of.is_some() {
        return Ok(());
    }
    match finish.state {
        State::Failed => {
            let error = finish.error.as_ref().map(text).transpose()?;
            kept(
                "INSERT INTO tradesync_stream_health (connection_id, stream, failures, failing_since, failed_run, failed_error) VALUES (?, ?, 1, UTC_TIMESTAMP(6), ?, ?) \
                 ON DUPLICATE KEY UPDATE failing_since = IF(failures = 0, VALUES(failing_since), failing_since), failures = failures + 1, \
                 failed_run = VALUES(failed_run), failed_error = VALUES(failed_error)",
            )
            .bind::<Text, _>(&run.connection)
            .bind::<Text, _>(&run.stream)
            .bind::<Text, _>(&run.id)
            .bind::<Nullable<Text>, _>(error)
            .execute(connection)?;
        }
        State::Succeeded | State::Partial | State::AwaitingApproval => {
            kept(
                "INSERT INTO tradesync_stream_health (connection_id, stream, last_success_at) VALUES (?, ?, IF(?, UTC_TIMESTAMP(6), NULL)) \
                 ON DUPLICATE KEY UPDATE failures = 0, failing_since = NULL, failed_run = NULL, failed_error = NULL, \
                 last_success_at = COALESCE(VALUES(last_success_at), last_success_at)",
            )
            .bind::<Text, _>(&run.connection)
            .bind::<Text, _>(&run.stream)
            .bind::<Bool, _>(finish.synced)
            .execute(connection)?;
        }
        State::Queued | State::Running | State::Cancelled => {}
    }
    Ok(())
}

/// A connection (or one stream of it) was enabled anew: silence before this moment was wanted.
pub(super) fn watch_anew(connection: &mut MysqlConnection, id: &str, stream: Option<&str>) -> Result<(), Problem> {
    sql_query(
        "INSERT INTO tradesync_stream_health (connection_id, stream, watched_from) SELECT connection_id, stream, UTC_TIMESTAMP(6) FROM tradesync_streams \
         WHERE connection_id = ? AND stream = COALESCE(?, stream) ON DUPLICATE KEY UPDATE watched_from = VALUES(watched_from)",
    )
    .bind::<Text, _>(id)
    .bind::<Nullable<Text>, _>(stream)
    .execute(connection)?;
    Ok(())
}

/// The stream is deleted.
pub(super) fn forget(connection: &mut MysqlConnection, id: &str, stream: &str) -> Result<(), Problem> {
    sql_query("DELETE FROM tradesync_stream_health WHERE connection_id = ? AND stream = ?")
        .bind::<Text, _>(id)
        .bind::<Text, _>(stream)
        .execute(connection)?;
    Ok(())
}
