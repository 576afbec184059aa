//! The queue: what waits and what is at work. [`super::queue_take`] takes runs.
//!
//! Takers of all processes go one after the other, by a named lock of the server: what is at work must not change between the count
//! and the taking.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::NaiveDateTime;
use diesel::{
    MysqlConnection,
    prelude::*,
    sql_query,
    sql_types::{BigInt, Bool, Datetime, Integer, Nullable, Text, Unsigned},
};
use sha2::{Digest, Sha256};

use super::{
    Store,
    convert::{from_word, utc},
    fault, queue_take,
    transaction::Problem,
};
use crate::{
    db::kept,
    engine::{
        model::{Phase, Run},
        queue::{
            Ask, Belongs, Caps, Live, Need, Taken, Waiting, standings,
            watch::{Bell, Due, Looks},
        },
    },
    fault::Fault,
};

/// Waiting runs looked at together. Too low: behind so many of one owner, others are seen only after its next turn; too high: a look
/// costs more than it finds.
const LOOK: u32 = 500;
/// A healthy taker is through within milliseconds. Whoever holds the lock and has not spoken to the server for so long has stopped.
const LOCK_WAIT_SECONDS: i32 = 3;

#[derive(QueryableByName)]
struct WaitingRow {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Unsigned<BigInt>)]
    fence: u64,
    #[diesel(sql_type = Text)]
    connection_id: String,
    #[diesel(sql_type = Text)]
    system: String,
    #[diesel(sql_type = Text)]
    party: String,
    #[diesel(sql_type = Text)]
    space: String,
    #[diesel(sql_type = Text)]
    started_by: String,
    #[diesel(sql_type = Text)]
    phase: String,
    #[diesel(sql_type = Bool)]
    dry_run: bool,
    #[diesel(sql_type = Nullable<Datetime>)]
    not_before: Option<NaiveDateTime>,
    #[diesel(sql_type = Datetime)]
    since: NaiveDateTime,
    #[diesel(sql_type = Datetime)]
    now: NaiveDateTime,
    #[diesel(sql_type = Nullable<Datetime>)]
    turn: Option<NaiveDateTime>,
    #[diesel(sql_type = Bool)]
    barred: bool,
    #[diesel(sql_type = Unsigned<Integer>)]
    losses: u32,
    #[diesel(sql_type = Bool)]
    lost: bool,
}

impl WaitingRow {
    fn model(self) -> Result<Waiting, Fault> {
        let phase: Phase = from_word(&self.phase)?;
        let need = Need::of(phase, self.dry_run, &self.connection_id, &self.space);
        Ok(Waiting {
            run: self.id,
            fence: self.fence,
            belongs: Belongs { connection: self.connection_id, system: self.system, party: self.party, need },
            phase,
            trigger: from_word(&self.started_by)?,
            since: utc(self.since),
            waited: (self.now - self.since).to_std().unwrap_or_default(),
            turn: self.turn.map(utc),
            barred: self.barred,
            not_before: self.not_before.filter(|time| *time > self.now).map(utc),
            losses: self.losses,
            lost: self.lost,
        })
    }
}

#[derive(QueryableByName)]
struct LiveRow {
    #[diesel(sql_type = Text)]
    connection_id: String,
    #[diesel(sql_type = Text)]
    system: String,
    #[diesel(sql_type = Text)]
    party: String,
    #[diesel(sql_type = Text)]
    space: String,
    #[diesel(sql_type = Text)]
    phase: String,
    #[diesel(sql_type = Bool)]
    dry_run: bool,
    #[diesel(sql_type = Bool)]
    fresh: bool,
}

/// Waiting runs; with `all` also those whose moment has not come.
fn waiting(connection: &mut MysqlConnection, all: bool) -> Result<Vec<Waiting>, Fault> {
    let due = if all { "" } else { "AND (r.not_before IS NULL OR r.not_before <= UTC_TIMESTAMP(6))" };
    let rows: Vec<WaitingRow> = kept(format!(
        "SELECT r.id, r.fence, r.connection_id, c.source_system AS system, COALESCE(r.owner, r.connection_id) AS party, c.link_space AS space, r.started_by, r.phase, r.dry_run, \
           r.not_before, COALESCE(q.waiting_since, r.created_at) AS since, UTC_TIMESTAMP(6) AS now, t.taken_at AS turn, l.lease_key IS NOT NULL AS barred, \
           COALESCE(q.losses, 0) AS losses, r.state = 'running' AS lost \
         FROM tradesync_runs r JOIN tradesync_connections c ON c.id = r.connection_id \
         LEFT JOIN tradesync_queue q ON q.run_id = r.id \
         LEFT JOIN tradesync_turns t ON t.party = COALESCE(r.owner, r.connection_id) \
         LEFT JOIN tradesync_leases l ON l.lease_key = CASE r.phase WHEN 'read' THEN CONCAT('read:', r.connection_id) WHEN 'pictures' THEN CONCAT('pictures:', c.link_space) \
           ELSE IF(r.phase = 'decide' AND r.dry_run, '', CONCAT('target:', c.link_space)) END AND l.holder IS NOT NULL AND l.until > NOW(6) \
         WHERE (r.state = 'queued' {due}) OR (r.state = 'running' AND r.lease_until < NOW(6)) \
         ORDER BY t.taken_at, r.created_at LIMIT {LOOK}"
    ))
    .load(connection)
    .map_err(fault)?;
    let readable = |row: WaitingRow| {
        let id = row.id.clone();
        // Such as one that a newer copy has queued: it waits for that one, and the others are not held up.
        row.model().inspect_err(|fault| tracing::warn!(run.id = %id, error = %fault, "a run in the queue cannot be read")).ok()
    };
    Ok(rows.into_iter().filter_map(readable).collect())
}

/// Runs at work. One whose lease has expired is at work no more. What a run needs is seen by the lease that it holds, save in the
/// moment between its taking and that.
pub(super) fn live(connection: &mut MysqlConnection) -> Result<Vec<Live>, Fault> {
    let rows: Vec<LiveRow> = kept(
        "SELECT r.connection_id, c.source_system AS system, COALESCE(r.owner, r.connection_id) AS party, c.link_space AS space, r.phase, r.dry_run, \
           COALESCE(t.taken_at > UTC_TIMESTAMP(6) - INTERVAL 2 SECOND, 0) AS fresh \
         FROM tradesync_runs r JOIN tradesync_connections c ON c.id = r.connection_id \
         LEFT JOIN tradesync_turns t ON t.party = COALESCE(r.owner, r.connection_id) WHERE r.state = 'running' AND r.lease_until >= NOW(6)",
    )
    .load(connection)
    .map_err(fault)?;
    let live = |row: LiveRow| {
        let need = match from_word(&row.phase) {
            Ok(phase) if row.fresh => Need::of(phase, row.dry_run, &row.connection_id, &row.space),
            _ => Need::Nothing,
        };
        Live { belongs: Belongs { connection: row.connection_id, system: row.system, party: row.party, need } }
    };
    Ok(rows.into_iter().map(live).collect())
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = Nullable<BigInt>)]
    number: Option<i64>,
}

fn ask_lock(connection: &mut MysqlConnection, function: &str, name: &str) -> Result<Option<i64>, Fault> {
    let row: Number = kept(format!("SELECT {function} AS number")).bind::<Text, _>(name).get_result(connection).map_err(fault)?;
    Ok(row.number)
}

/// Does `work` while no other process does it. A holder that was stopped (`SIGSTOP`, a frozen machine) is ended by `KILL`, which is
/// allowed for one's own user; one that is merely slow is waited for: its connection does not stand idle.
pub(super) fn alone<T>(
    connection: &mut MysqlConnection,
    name: &str,
    work: impl FnOnce(&mut MysqlConnection) -> Result<T, Fault>,
) -> Result<T, Fault> {
    while ask_lock(connection, &format!("GET_LOCK(?, {LOCK_WAIT_SECONDS})"), name)? != Some(1) {
        let idle = format!(
            "(SELECT CAST(p.id AS SIGNED) FROM information_schema.processlist p WHERE p.id = IS_USED_LOCK(?) AND p.command = 'Sleep' AND p.time >= {LOCK_WAIT_SECONDS})"
        );
        if let Some(holder) = ask_lock(connection, &idle, name)? {
            tracing::warn!(
                lock = name,
                database.connection = holder,
                "a process that stands still holds a lock of all copies; its connection is ended"
            );
            // It may have ended by itself meanwhile.
            let _ = sql_query(format!("KILL {holder}")).execute(connection);
        }
    }
    let done = work(connection);
    ask_lock(connection, "RELEASE_LOCK(?)", name)?;
    done
}

/// A run waits again, from now on.
pub(super) fn wait_again(connection: &mut MysqlConnection, run: &str, setback: bool) -> Result<(), Problem> {
    kept(
        "INSERT INTO tradesync_queue (run_id, waiting_since, setbacks) VALUES (?, UTC_TIMESTAMP(6), ?) \
         ON DUPLICATE KEY UPDATE waiting_since = VALUES(waiting_since), setbacks = setbacks + VALUES(setbacks)",
    )
    .bind::<Text, _>(run)
    .bind::<Unsigned<Integer>, _>(u32::from(setback))
    .execute(connection)?;
    Ok(())
}

/// A run waits no more: it has ended.
pub(super) fn leave(connection: &mut MysqlConnection, run: &str) -> Result<(), Problem> {
    kept("DELETE FROM tradesync_queue WHERE run_id = ?").bind::<Text, _>(run).execute(connection)?;
    Ok(())
}

impl Store {
    /// Wakes what this process takes up.
    pub fn bell(&self) -> Arc<Bell> {
        self.bell.clone()
    }

    /// Name of the lock under which one process at a time does something (`queue`, `schedules`): by the database, since several
    /// installations may share a server and a server may be reached by several addresses.
    pub fn lock_name(&self, what: &str) -> String {
        let digest = Sha256::digest(self.urgent.url().database());
        let digest: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        format!("tradesync-{what}:{digest}")
    }

    pub(super) async fn waiting_runs(&self) -> Result<Vec<Waiting>, Fault> {
        self.urgent.call(|connection| waiting(connection, false)).await
    }

    pub(super) async fn take_runs(&self, waiting: Arc<Vec<Waiting>>, ask: Ask) -> Result<Taken, Fault> {
        let name = self.lock_name("queue");
        self.urgent.call(move |connection| alone(connection, &name, |connection| queue_take::claim(connection, &waiting, &ask))).await
    }

    pub(super) async fn stand_in_queue(&self, mut queued: Vec<Run>, caps: Caps) -> Result<Vec<Run>, Fault> {
        self.pool
            .call(move |connection| {
                let (waiting, live) = (waiting(connection, true)?, live(connection)?);
                standings(&waiting, &live, caps, &mut queued);
                Ok(queued)
            })
            .await
    }
}

#[derive(QueryableByName)]
struct DueRow {
    #[diesel(sql_type = Bool)]
    runs: bool,
    #[diesel(sql_type = Bool)]
    hooks: bool,
    /// Microseconds until the next schedule comes to its time; below 0 when one has.
    #[diesel(sql_type = Nullable<BigInt>)]
    ahead: Option<i64>,
}

#[async_trait]
impl Looks for Store {
    async fn due(&self) -> Result<Due, Fault> {
        self.urgent
            .call(|connection| {
                let row: DueRow = kept(
                    "SELECT EXISTS (SELECT 1 FROM tradesync_runs WHERE state = 'queued' AND (not_before IS NULL OR not_before <= UTC_TIMESTAMP(6))) \
                       OR EXISTS (SELECT 1 FROM tradesync_runs WHERE state = 'running' AND lease_until < NOW(6)) AS runs, \
                     EXISTS (SELECT 1 FROM tradesync_hooks WHERE fresh = 1) AS hooks, \
                     CAST(TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), (SELECT MIN(next_at) FROM tradesync_schedules)) AS SIGNED) AS ahead",
                )
                .get_result(connection)
                .map_err(fault)?;
                let schedules = row.ahead.is_some_and(|ahead| ahead <= 0);
                let next_schedule = row.ahead.and_then(|ahead| u64::try_from(ahead).ok()).map(Duration::from_micros);
                Ok(Due { runs: row.runs, schedules, hooks: row.hooks, next_schedule })
            })
            .await
    }
}

/// How long a transaction may stand idle before the server ends it: a process that was stopped in the midst of one must not keep its
/// rows from those who take over. Below the shortest lease.
pub(super) fn longest_idle_transaction(lease: Duration) -> u64 {
    (lease.as_secs() / 2).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_transactions_end_before_a_lease_does() {
        for lease in [4, 30, 600] {
            assert!(longest_idle_transaction(Duration::from_secs(lease)) < lease);
        }
    }
}
