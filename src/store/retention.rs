//! Takes old rows away, at most some hundreds in a statement, so that nobody waits for their locks (see [`crate::engine::retention`]).

use std::time::Duration;

use async_trait::async_trait;
use diesel::{
    MysqlConnection,
    mysql::Mysql,
    prelude::*,
    sql_query,
    sql_types::{BigInt, Text, Unsigned},
};

use super::{
    Store,
    convert::{json, places},
    fault,
    leases::micros,
    schema::{tradesync_connections, tradesync_runs},
};
use crate::{
    domain::clock,
    engine::retention::{Housekeeping, Kept, Old},
    fault::Fault,
};

/// Rows of one statement.
const ROWS: u32 = 1_000;
/// Runs whose reports are pruned together.
const RUNS: u32 = 50;

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = Text)]
    id: String,
}

fn rows(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}

fn age(age: Duration) -> i64 {
    micros(clock::scaled(age))
}

/// The youngest run of a stream that has so many younger ones; nothing is as old as an empty id.
fn boundary(connection: &mut MysqlConnection, id: &str, stream: &str, runs: u32) -> Result<String, Fault> {
    let found: Option<Id> =
        sql_query("SELECT id FROM tradesync_runs WHERE connection_id = ? AND stream = ? ORDER BY id DESC LIMIT 1 OFFSET ?")
            .bind::<Text, _>(id)
            .bind::<Text, _>(stream)
            .bind::<Unsigned<BigInt>, _>(u64::from(runs))
            .get_result(connection)
            .optional()
            .map_err(fault)?;
    Ok(found.map(|run| run.id).unwrap_or_default())
}

/// Ended runs of a stream that are old or too many, save its last one.
const OLD_RUNS: &str = "r.connection_id = ? AND r.stream = ? AND r.state IN ('succeeded', 'partial', 'failed', 'cancelled') \
    AND (r.finished_at < UTC_TIMESTAMP(6) - INTERVAL ? MICROSECOND OR r.id <= ?) \
    AND NOT EXISTS (SELECT 1 FROM tradesync_streams s WHERE s.connection_id = r.connection_id AND s.stream = r.stream AND s.last_run = r.id)";

fn changes(connection: &mut MysqlConnection, id: &str, stream: &str, older: Duration, runs: u32) -> Result<u64, Fault> {
    let boundary = boundary(connection, id, stream, runs)?;
    let old: Vec<Id> = sql_query(format!(
        "SELECT r.id FROM tradesync_runs r WHERE {OLD_RUNS} AND (r.phase IN ('read', 'decide', 'pictures', 'done') OR (r.phase = 'apply' AND NOT EXISTS \
         (SELECT 1 FROM tradesync_changes c WHERE c.run_id = r.id AND c.state = 'applying'))) AND NOT EXISTS \
         (SELECT 1 FROM tradesync_runs u WHERE u.connection_id = r.connection_id AND u.started_by = 'undo' AND u.state IN ('queued', 'running', 'awaiting_approval')) \
         LIMIT {RUNS}"
    ))
    .bind::<Text, _>(id)
    .bind::<Text, _>(stream)
    .bind::<BigInt, _>(age(older))
    .bind::<Text, _>(boundary)
    .load(connection)
    .map_err(fault)?;
    if old.is_empty() {
        return Ok(0);
    }
    let of = |statement: String| {
        let mut query = sql_query(statement).into_boxed::<Mysql>();
        for run in &old {
            query = query.bind::<Text, _>(run.id.clone());
        }
        query
    };
    let list = places(old.len());
    let gone = of(format!("DELETE FROM tradesync_changes WHERE run_id IN ({list}) LIMIT {ROWS}")).execute(connection).map_err(fault)?;
    if rows(gone) >= u64::from(ROWS) {
        return Ok(rows(gone));
    }
    let marked = of(format!("UPDATE tradesync_runs SET phase = 'pruned', version = version + 1 WHERE id IN ({list})"))
        .execute(connection)
        .map_err(fault)?;
    Ok(rows(gone + marked))
}

fn runs(connection: &mut MysqlConnection, id: &str, stream: &str, older: Duration, runs: u32) -> Result<u64, Fault> {
    let boundary = boundary(connection, id, stream, runs)?;
    let old: Vec<Id> = sql_query(format!("SELECT r.id FROM tradesync_runs r WHERE {OLD_RUNS} AND r.phase = 'pruned' LIMIT {ROWS}"))
        .bind::<Text, _>(id)
        .bind::<Text, _>(stream)
        .bind::<BigInt, _>(age(older))
        .bind::<Text, _>(boundary)
        .load(connection)
        .map_err(fault)?;
    if old.is_empty() {
        return Ok(0);
    }
    let list = places(old.len());
    let mut gone = 0;
    // What a schedule remembers of a run goes with it.
    for statement in [
        format!("DELETE FROM tradesync_schedule_runs WHERE run_id IN ({list})"),
        format!("DELETE FROM tradesync_runs WHERE id IN ({list})"),
    ] {
        let mut query = sql_query(statement).into_boxed::<Mysql>();
        for run in &old {
            query = query.bind::<Text, _>(run.id.clone());
        }
        gone = query.execute(connection).map_err(fault)?;
    }
    Ok(rows(gone))
}

/// Tables that hold what was read and noted for a connection.
const NOTED: &[&str] =
    &["tradesync_records", "tradesync_retries", "tradesync_standing", "tradesync_hooks", "tradesync_stream_health", "tradesync_streams"];

fn deleted(connection: &mut MysqlConnection, id: &str, older: Duration) -> Result<u64, Fault> {
    let long_ago = "deleted_at < UTC_TIMESTAMP(6) - INTERVAL ? MICROSECOND";
    for table in NOTED {
        let gone = sql_query(format!(
            "DELETE FROM {table} WHERE connection_id = ? AND EXISTS (SELECT 1 FROM tradesync_connections c WHERE c.id = {table}.connection_id AND c.{long_ago}) LIMIT {ROWS}"
        ))
        .bind::<Text, _>(id)
        .bind::<BigInt, _>(age(older))
        .execute(connection)
        .map_err(fault)?;
        if gone > 0 {
            return Ok(rows(gone));
        }
    }
    sql_query(format!(
        "DELETE FROM tradesync_connections WHERE id = ? AND {long_ago} AND NOT EXISTS (SELECT 1 FROM tradesync_runs r WHERE r.connection_id = tradesync_connections.id)"
    ))
    .bind::<Text, _>(id)
    .bind::<BigInt, _>(age(older))
    .execute(connection)
    .map(rows)
    .map_err(fault)
}

fn by_age(connection: &mut MysqlConnection, statement: &str, older: Duration) -> Result<u64, Fault> {
    sql_query(format!("{statement} < UTC_TIMESTAMP(6) - INTERVAL ? MICROSECOND LIMIT {ROWS}"))
        .bind::<BigInt, _>(age(older))
        .execute(connection)
        .map(rows)
        .map_err(fault)
}

fn prune(connection: &mut MysqlConnection, old: &Old) -> Result<u64, Fault> {
    match old {
        Old::Changes { connection: id, stream, age, runs } => changes(connection, id, stream, *age, *runs),
        Old::Runs { connection: id, stream, age, runs: most } => runs(connection, id, stream, *age, *most),
        Old::Deleted { connection: id, age } => deleted(connection, id, *age),
        Old::Events { connection: id, age: older } => sql_query(format!(
            "DELETE FROM tradesync_events WHERE connection_id = ? AND at < UTC_TIMESTAMP(6) - INTERVAL ? MICROSECOND LIMIT {ROWS}"
        ))
        .bind::<Text, _>(id)
        .bind::<BigInt, _>(age(*older))
        .execute(connection)
        .map(rows)
        .map_err(fault),
        Old::Hooks { connection: id, age: older } => super::hooks::prune(connection, id, age(*older), ROWS).map(rows),
        Old::StrayEvents(age) => {
            let stray =
                "DELETE FROM tradesync_events WHERE NOT EXISTS (SELECT 1 FROM tradesync_connections c WHERE c.id = connection_id) AND at";
            by_age(connection, stray, *age)
        }
        // A schedule shows its last skip, however old.
        Old::Skips(age) => {
            let shown = "SELECT 1 FROM tradesync_schedules s WHERE s.last_skip = tradesync_schedule_skips.id";
            by_age(connection, &format!("DELETE FROM tradesync_schedule_skips WHERE NOT EXISTS ({shown}) AND last_due_at"), *age)
        }
        Old::Answers(age) => by_age(connection, "DELETE FROM tradesync_idempotency WHERE created_at", *age),
        Old::Alerts(age) => {
            // The deliveries first: one without its alert would wait for ever.
            let gone = by_age(connection, "DELETE FROM tradesync_alert_deliveries WHERE made_at", *age)?;
            Ok(gone + by_age(connection, "DELETE FROM tradesync_alerts WHERE at", *age)?)
        }
        Old::Audit(age) => by_age(connection, "DELETE FROM tradesync_audit WHERE at", *age),
        Old::WholeReads(age) => by_age(connection, "DELETE FROM tradesync_reads WHERE finished_at", *age),
        Old::Reads(age) => {
            let unused = "DELETE FROM tradesync_read_uses WHERE NOT EXISTS (SELECT 1 FROM tradesync_reads r WHERE r.id = read_id)";
            let gone = by_age(connection, "DELETE FROM tradesync_reads WHERE since IS NOT NULL AND finished_at", *age)?;
            if gone > 0 {
                return Ok(gone);
            }
            sql_query(format!("{unused} LIMIT {ROWS}")).execute(connection).map(rows).map_err(fault)
        }
    }
}

#[async_trait]
impl Housekeeping for Store {
    async fn kept(&self, after: Option<&str>, limit: u32) -> Result<Vec<Kept>, Fault> {
        use tradesync_connections::dsl as k;
        use tradesync_runs::dsl as r;
        let after = after.unwrap_or_default().to_owned();
        self.pool
            .call(move |connection| {
                let found: Vec<(String, String, Option<chrono::NaiveDateTime>)> = k::tradesync_connections
                    .filter(k::id.gt(&after))
                    .order(k::id.asc())
                    .limit(i64::from(limit))
                    .select((k::id, k::settings, k::deleted_at))
                    .load(connection)
                    .map_err(fault)?;
                let mut all = Vec::with_capacity(found.len());
                for (id, settings, deleted_at) in found {
                    let streams: Vec<String> =
                        r::tradesync_runs.filter(r::connection_id.eq(&id)).select(r::stream).distinct().load(connection).map_err(fault)?;
                    all.push(Kept { settings: json("settings", &settings)?, deleted: deleted_at.is_some(), id, streams });
                }
                Ok(all)
            })
            .await
    }

    async fn prune(&self, old: &Old) -> Result<u64, Fault> {
        let old = old.clone();
        self.pool.call(move |connection| prune(connection, &old)).await
    }
}
