//! What waits for a person: plans, changes that a brake holds, and the events that tell of them.

use async_trait::async_trait;
use chrono::NaiveDateTime;
use diesel::{
    MysqlConnection,
    prelude::*,
    sql_query,
    sql_types::{BigInt, Nullable, Text, Unsigned},
};

use super::{
    Store, changes,
    convert::{json, text, utc, word},
    fault, plans_held as held, runs,
    runs_queue::{self, hold_with_plan},
    schema::{tradesync_changes, tradesync_plans, tradesync_reads, tradesync_runs},
    transaction::{Problem, look, transact},
};
use crate::{
    db::kept,
    engine::{
        brakes::{Parted, Plan, Reading, Rule},
        model::{Change, Counts, ReadSummary, Reason, Run, State},
        plans::{LastReadings, Newer, Plans, Verdict},
    },
    fault::{Code, Fault, FaultView},
};

/// Whole reads that the usual size of a source is taken from.
const READS: usize = 7;

#[derive(Queryable, Selectable)]
#[diesel(table_name = tradesync_plans)]
struct Row {
    run_id: String,
    decided_at: NaiveDateTime,
    expires_at: Option<NaiveDateTime>,
    approved_at: Option<NaiveDateTime>,
    readings: String,
    told: Option<String>,
}

impl Row {
    fn model(&self) -> Result<Plan, Fault> {
        Ok(Plan {
            decided_at: Some(utc(self.decided_at)),
            expires_at: self.expires_at.map(utc),
            approved_at: self.approved_at.map(utc),
            readings: json("readings", &self.readings)?,
            told: self.told.as_deref().map(|told| json("told", told)).transpose()?.unwrap_or_default(),
        })
    }
}

/// Gives runs their plans.
pub(super) fn attach(connection: &mut MysqlConnection, runs: &mut [Run]) -> Result<(), Problem> {
    use tradesync_plans::dsl as p;
    let ids: Vec<&str> = runs.iter().map(|run| run.id.as_str()).collect();
    let rows: Vec<Row> = match ids[..] {
        // The usual case, in a form that stays prepared.
        [id] => p::tradesync_plans.find(id).select(Row::as_select()).load(connection)?,
        _ => p::tradesync_plans.filter(p::run_id.eq_any(ids)).select(Row::as_select()).load(connection)?,
    };
    for row in rows {
        let plan = row.model()?;
        if let Some(run) = runs.iter_mut().find(|run| run.id == row.run_id) {
            run.plan = plan;
        }
    }
    Ok(())
}

/// Notes that a run is approved. What was alarming about its read is so no more: the source's usual size is counted from here on.
pub(super) fn approve(connection: &mut MysqlConnection, run: &Run) -> Result<(), Problem> {
    use tradesync_plans::dsl as p;
    use tradesync_reads::dsl as r;
    diesel::update(p::tradesync_plans.find(&run.id))
        .set(p::approved_at.eq(diesel::dsl::sql::<Nullable<diesel::sql_types::Datetime>>("UTC_TIMESTAMP(6)")))
        .execute(connection)?;
    let alarmed = run.plan.readings.iter().any(|reading| reading.rule == Rule::SourceShrunk && reading.tripped);
    let Some(read) = run.read_summary.as_ref().filter(|_| alarmed).map(|summary| &summary.read) else { return Ok(()) };
    let finished: Option<NaiveDateTime> = r::tradesync_reads.find(read).select(r::finished_at).first(connection).optional()?;
    if let Some(finished) = finished {
        diesel::update(r::tradesync_reads.filter(r::connection_id.eq(&run.connection)).filter(r::finished_at.lt(finished)))
            .set(r::plausible.eq(false))
            .execute(connection)?;
        diesel::update(r::tradesync_reads.find(read)).set(r::plausible.eq(true)).execute(connection)?;
    }
    Ok(())
}

/// A run comes to wait, for this long.
pub(super) fn wait(connection: &mut MysqlConnection, run: &Run, expiry: std::time::Duration) -> Result<(), Problem> {
    sql_query("UPDATE tradesync_plans SET expires_at = UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND WHERE run_id = ?")
        .bind::<BigInt, _>(super::leases::micros(expiry))
        .bind::<Text, _>(&run.id)
        .execute(connection)?;
    Ok(())
}

/// Ends a waiting run that the caller has locked: its held changes are closed for `reason`, and it is cancelled for `fault`.
pub(super) fn end_waiting(connection: &mut MysqlConnection, run: &Run, reason: &str, fault: &Fault) -> Result<(), Problem> {
    use tradesync_runs::dsl as r;
    let closed = held::close_held(connection, &run.id, reason, None)?;
    let counts = Counts { held: run.counts.held.saturating_sub(closed), skipped: run.counts.skipped + closed, ..run.counts };
    diesel::update(r::tradesync_runs.find(&run.id))
        .set((
            r::state.eq("cancelled"),
            r::error.eq(Some(text(&FaultView::from(fault))?)),
            r::counts.eq(text(&counts)?),
            r::finished_at.eq(diesel::dsl::sql::<Nullable<diesel::sql_types::Datetime>>("UTC_TIMESTAMP(6)")),
            r::version.eq(r::version + 1),
        ))
        .execute(connection)?;
    Ok(())
}

/// A run that waits, with its row locked.
pub(super) fn locked(connection: &mut MysqlConnection, id: &str) -> Result<Option<Run>, Problem> {
    use tradesync_runs::dsl as r;
    let waits: Option<String> =
        r::tradesync_runs.find(id).filter(r::state.eq("awaiting_approval")).select(r::id).for_update().first(connection).optional()?;
    match waits {
        Some(id) => runs::find(connection, &id),
        None => Ok(None),
    }
}

/// Closes what earlier runs of the stream hold of items that `run` has decided anew.
fn supersede(connection: &mut MysqlConnection, run: &Run) -> Result<(), Problem> {
    use tradesync_runs::dsl as r;
    let waiting: Vec<String> = r::tradesync_runs
        .filter(r::connection_id.eq(&run.connection))
        .filter(r::stream.eq(&run.stream))
        .filter(r::state.eq("awaiting_approval"))
        .filter(r::dry_run.eq(false))
        .filter(r::id.ne(&run.id))
        .order(r::id.asc())
        .select(r::id)
        .load(connection)?;
    for id in waiting {
        let Some(other) = locked(connection, &id)? else { continue };
        let newer = || Fault::new(Code::Superseded, format!("the run {} has decided anew about what waited here", run.id));
        match &run.items {
            None => end_waiting(connection, &other, "superseded", &newer())?,
            Some(items) => {
                let closed = held::close_held(connection, &id, "superseded", Some(items))?;
                let counts =
                    Counts { held: other.counts.held.saturating_sub(closed), skipped: other.counts.skipped + closed, ..other.counts };
                diesel::update(r::tradesync_runs.find(&id))
                    .set((r::counts.eq(text(&counts)?), r::version.eq(r::version + 1)))
                    .execute(connection)?;
                if held::held_by_brake(connection, &id)? == 0 {
                    end_waiting(connection, &Run { counts, ..other }, "superseded", &newer())?;
                }
            }
        }
    }
    Ok(())
}

fn decided(connection: &mut MysqlConnection, run: &Run, fence: u64, verdict: &Verdict) -> Result<(), Problem> {
    use tradesync_reads::dsl as r;
    let Verdict { readings, told, doubtful, counts, next, waiting } = verdict;
    // First of all, since it also makes sure that the run is still this holder's, and locks its row.
    runs_queue::decided(connection, &run.id, fence, *counts, *next)?;
    if *waiting && !run.dry_run {
        supersede(connection, run)?;
    }
    kept(
        "INSERT INTO tradesync_plans (run_id, connection_id, stream, decided_at, readings, told) VALUES (?, ?, ?, UTC_TIMESTAMP(6), ?, ?) \
         ON DUPLICATE KEY UPDATE decided_at = VALUES(decided_at), readings = VALUES(readings), told = VALUES(told)",
    )
    .bind::<Text, _>(&run.id)
    .bind::<Text, _>(&run.connection)
    .bind::<Text, _>(&run.stream)
    .bind::<Text, _>(text(&readings)?)
    .bind::<Nullable<Text>, _>(if told.is_empty() { None } else { Some(text(told)?) })
    .execute(connection)?;
    if let Some(read) = doubtful {
        diesel::update(r::tradesync_reads.find(read)).set(r::plausible.eq(false)).execute(connection)?;
    }
    Ok(())
}

fn newer(connection: &mut MysqlConnection, run: &str) -> Result<Newer, Problem> {
    use tradesync_plans::dsl as p;
    use tradesync_runs::dsl as r;
    let own: Option<(String, String, NaiveDateTime)> =
        p::tradesync_plans.find(run).select((p::connection_id, p::stream, p::decided_at)).first(connection).optional()?;
    let Some((of, stream, decided_at)) = own else { return Ok(Newer::default()) };
    let since: Vec<Option<String>> = p::tradesync_plans
        .inner_join(r::tradesync_runs.on(r::id.eq(p::run_id)))
        .filter(p::connection_id.eq(of))
        .filter(p::stream.eq(stream))
        .filter(p::decided_at.gt(decided_at))
        .filter(r::dry_run.eq(false))
        .filter(r::started_by.ne("undo"))
        .filter(r::id.ne(run))
        .select(r::items)
        .distinct()
        .load(connection)?;
    let mut newer = Newer::default();
    for items in since {
        match items {
            None => newer.all = true,
            Some(items) => newer.items.extend(json::<Vec<String>>("items", &items)?),
        }
    }
    Ok(newer)
}

/// Ends every plan that waited too long.
pub(super) fn expire(connection: &mut MysqlConnection) -> Result<u64, Fault> {
    use tradesync_plans::dsl as p;
    use tradesync_runs::dsl as r;
    let due: Vec<String> = r::tradesync_runs
        .inner_join(p::tradesync_plans.on(p::run_id.eq(r::id)))
        .filter(r::state.eq(word(State::AwaitingApproval)?))
        .filter(diesel::dsl::sql::<diesel::sql_types::Bool>("tradesync_plans.expires_at <= UTC_TIMESTAMP(6)"))
        .select(r::id)
        .load(connection)
        .map_err(fault)?;
    let mut ended = 0;
    for id in due {
        ended += transact(connection, |connection| {
            let Some(run) = locked(connection, &id)? else { return Ok(0) };
            end_waiting(connection, &run, "plan_expired", &Fault::new(Code::PlanExpired, "nobody approved it in time"))?;
            Ok(1)
        })?;
    }
    Ok(ended)
}

fn usual_size(connection: &mut MysqlConnection, id: &str, stream: &str, read: &str) -> Result<Option<u64>, Fault> {
    let rows: Vec<Summary> = kept(
        "SELECT r.summary FROM tradesync_reads r JOIN tradesync_read_uses u ON u.read_id = r.id AND u.stream = ? \
         WHERE r.connection_id = ? AND r.since IS NULL AND r.plausible = 1 AND r.id <> ? ORDER BY r.finished_at DESC LIMIT 30",
    )
    .bind::<Text, _>(stream)
    .bind::<Text, _>(id)
    .bind::<Text, _>(read)
    .load(connection)
    .map_err(fault)?;
    let mut sizes = Vec::new();
    for row in rows {
        let summary: ReadSummary = json("summary", &row.summary)?;
        if summary.whole && summary.rows > 0 && sizes.len() < READS {
            sizes.push(summary.rows);
        }
    }
    sizes.sort_unstable();
    Ok(sizes.get(sizes.len() / 2).copied())
}

#[derive(QueryableByName)]
struct Summary {
    #[diesel(sql_type = Text)]
    summary: String,
}

#[async_trait]
impl Plans for Store {
    async fn usual_size(&self, connection: &str, stream: &str, read: &str) -> Result<Option<u64>, Fault> {
        let (id, stream, read) = (connection.to_owned(), stream.to_owned(), read.to_owned());
        self.pool.call(move |connection| usual_size(connection, &id, &stream, &read)).await
    }

    async fn flagged(&self, run: &str, risks: u16, after: u64, limit: u32) -> Result<Vec<(Change, u16)>, Fault> {
        use tradesync_changes::dsl as c;
        let run = run.to_owned();
        self.pool
            .call(move |connection| {
                let rows: Vec<changes::Row> = c::tradesync_changes
                    .filter(c::run_id.eq(run))
                    .filter(c::state.eq("planned"))
                    .filter(c::id.gt(after))
                    .filter(
                        diesel::dsl::sql::<diesel::sql_types::Bool>("(risks & ")
                            .bind::<Unsigned<BigInt>, _>(u64::from(risks))
                            .sql(") <> 0"),
                    )
                    .order(c::id.asc())
                    .limit(i64::from(limit))
                    .select(changes::Row::as_select())
                    .load(connection)
                    .map_err(fault)?;
                rows.into_iter()
                    .map(|row| row.model().map(|change| (change.body.risks, change)))
                    .map(|row| row.map(|(risks, change)| (change, risks)))
                    .collect()
            })
            .await
    }

    async fn hold(&self, run: &str, fence: u64, changes: Vec<(Change, Parted)>) -> Result<u64, Fault> {
        let run = run.to_owned();
        self.pool.call(move |connection| transact(connection, |connection| held::hold_changes(connection, &run, fence, &changes))).await
    }

    async fn decided(&self, run: &Run, fence: u64, verdict: Verdict) -> Result<(), Fault> {
        let run = run.clone();
        self.pool.call(move |connection| transact(connection, |connection| decided(connection, &run, fence, &verdict))).await
    }

    async fn note(&self, run: &str, fence: u64, reading: Reading) -> Result<(), Fault> {
        use tradesync_plans::dsl as p;
        let run = run.to_owned();
        self.pool
            .call(move |connection| {
                transact(connection, |connection| {
                    let mut readings = hold_with_plan(connection, &run, fence)?.plan.readings;
                    readings.retain(|known| known.rule != reading.rule);
                    readings.push(reading.clone());
                    diesel::update(p::tradesync_plans.find(&run)).set(p::readings.eq(text(&readings)?)).execute(connection)?;
                    Ok(())
                })
            })
            .await
    }

    async fn waiting(&self, run: &str) -> Result<u64, Fault> {
        let run = run.to_owned();
        let waiting = self.pool.call(move |connection| look(connection, |connection| held::held_by_brake(connection, &run))).await?;
        Ok(u64::try_from(waiting).unwrap_or_default())
    }

    async fn release(&self, run: &str, fence: u64) -> Result<Counts, Fault> {
        let run = run.to_owned();
        self.pool
            .call(move |connection| {
                loop {
                    let (counts, more) = transact(connection, |connection| held::release(connection, &run, fence))?;
                    if !more {
                        return Ok(counts);
                    }
                }
            })
            .await
    }

    async fn planned(&self, run: &str, limit: u32) -> Result<Vec<Change>, Fault> {
        let run = run.to_owned();
        self.pool
            .call(move |connection| {
                look(connection, |connection| {
                    let rows = changes::of_state(connection, &run, "planned", None, limit)?;
                    Ok(rows.into_iter().map(changes::Row::model).collect::<Result<_, _>>()?)
                })
            })
            .await
    }

    async fn leave(&self, run: &str, fence: u64, changes: Vec<(Change, Reason)>) -> Result<Counts, Fault> {
        let run = run.to_owned();
        self.pool.call(move |connection| transact(connection, |connection| held::leave(connection, &run, fence, &changes))).await
    }

    async fn newer(&self, run: &str) -> Result<Newer, Fault> {
        let run = run.to_owned();
        self.pool.call(move |connection| look(connection, |connection| newer(connection, &run))).await
    }

    async fn expire(&self) -> Result<u64, Fault> {
        self.pool.call(expire).await
    }

    async fn last_readings(&self, connection: &str, stream: &str) -> Result<Option<LastReadings>, Fault> {
        use tradesync_plans::dsl as p;
        let (id, stream) = (connection.to_owned(), stream.to_owned());
        self.pool
            .call(move |connection| {
                let row: Option<Row> = p::tradesync_plans
                    .filter(p::connection_id.eq(id))
                    .filter(p::stream.eq(stream))
                    .order(p::decided_at.desc())
                    .select(Row::as_select())
                    .first(connection)
                    .optional()
                    .map_err(fault)?;
                row.map(|row| {
                    let readings = json("readings", &row.readings)?;
                    Ok(LastReadings { run: row.run_id, decided_at: utc(row.decided_at), readings })
                })
                .transpose()
            })
            .await
    }
}
