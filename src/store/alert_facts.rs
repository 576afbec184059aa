//! What alerts are judged by: a handful of queries over all streams, whatever their number.

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;
use chrono::NaiveDateTime;
use diesel::{
    MysqlConnection,
    dsl::sql,
    prelude::*,
    sql_query,
    sql_types::{BigInt, Bool, Datetime, Integer, Nullable, Text, Unsigned},
};

use super::{
    Store,
    convert::{from_word, json, utc},
    fault, schedule_ticks,
    schema::{tradesync_events, tradesync_schedules},
};
use crate::{
    engine::{
        alerts::{
            Place, Subject,
            facts::{Facts, FactsSource, Measured, Noticed, Scheduled, StreamFacts, Untaken, Waiting},
        },
        brakes::BRAKE,
        model::Reason,
        schedule::{Skip, rule::Written},
    },
    fault::Fault,
};

#[derive(QueryableByName)]
struct StreamRow {
    #[diesel(sql_type = Text)]
    flow: String,
    #[diesel(sql_type = Text)]
    connection_id: String,
    #[diesel(sql_type = Text)]
    connection_name: String,
    #[diesel(sql_type = Nullable<Text>)]
    owner: Option<String>,
    #[diesel(sql_type = Text)]
    stream: String,
    #[diesel(sql_type = Text)]
    stream_name: String,
    #[diesel(sql_type = Bool)]
    enabled: bool,
    #[diesel(sql_type = Unsigned<Integer>)]
    failures: u32,
    #[diesel(sql_type = Nullable<Datetime>)]
    failing_since: Option<NaiveDateTime>,
    #[diesel(sql_type = Nullable<Text>)]
    failed_run: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    failed_error: Option<String>,
    #[diesel(sql_type = Nullable<Datetime>)]
    last_success_at: Option<NaiveDateTime>,
    #[diesel(sql_type = Nullable<Datetime>)]
    watched_from: Option<NaiveDateTime>,
}

#[derive(QueryableByName)]
struct ScheduleRow {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Text)]
    connection_id: String,
    #[diesel(sql_type = Text)]
    stream: String,
    #[diesel(sql_type = Unsigned<BigInt>)]
    version: u64,
    #[diesel(sql_type = Datetime)]
    updated_at: NaiveDateTime,
    #[diesel(sql_type = Bool)]
    skipping: bool,
    #[diesel(sql_type = Nullable<Unsigned<BigInt>>)]
    skip_id: Option<u64>,
    #[diesel(sql_type = Nullable<Text>)]
    reason: Option<String>,
    #[diesel(sql_type = Nullable<Datetime>)]
    first_due_at: Option<NaiveDateTime>,
    #[diesel(sql_type = Nullable<Datetime>)]
    last_due_at: Option<NaiveDateTime>,
    #[diesel(sql_type = Nullable<Unsigned<BigInt>>)]
    due_times: Option<u64>,
}

#[derive(QueryableByName)]
struct RunRow {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Text)]
    connection_id: String,
    #[diesel(sql_type = Text)]
    stream: String,
    #[diesel(sql_type = Datetime)]
    at: NaiveDateTime,
}

#[derive(QueryableByName)]
struct CountRow {
    #[diesel(sql_type = Text)]
    connection_id: String,
    #[diesel(sql_type = Text)]
    stream: String,
    #[diesel(sql_type = BigInt)]
    items: i64,
}

#[derive(QueryableByName)]
struct UntakenRow {
    #[diesel(sql_type = Nullable<Datetime>)]
    due_since: Option<NaiveDateTime>,
    #[diesel(sql_type = Nullable<Datetime>)]
    queued_since: Option<NaiveDateTime>,
}

/// Streams by connection and key.
struct Index {
    places: HashMap<Subject, usize>,
    streams: Vec<StreamFacts>,
}

impl Index {
    fn of(&mut self, connection: String, stream: String) -> Option<&mut StreamFacts> {
        let place = self.places.get(&Subject { connection, stream }).copied()?;
        self.streams.get_mut(place)
    }
}

fn streams(connection: &mut MysqlConnection) -> Result<Index, Fault> {
    let rows: Vec<StreamRow> = sql_query(
        "SELECT c.flow, s.connection_id, c.name AS connection_name, c.owner, s.stream, s.name AS stream_name, c.enabled AND s.enabled AS enabled, \
         COALESCE(h.failures, 0) AS failures, h.failing_since, h.failed_run, h.failed_error, h.last_success_at, h.watched_from \
         FROM tradesync_streams s JOIN tradesync_connections c ON c.id = s.connection_id \
         LEFT JOIN tradesync_stream_health h ON h.connection_id = s.connection_id AND h.stream = s.stream WHERE c.deleted_at IS NULL",
    )
    .load(connection)
    .map_err(fault)?;
    let mut index = Index { places: HashMap::with_capacity(rows.len()), streams: Vec::with_capacity(rows.len()) };
    for row in rows {
        let subject = Subject { connection: row.connection_id, stream: row.stream };
        index.places.insert(subject.clone(), index.streams.len());
        index.streams.push(StreamFacts {
            subject,
            place: Place { flow: row.flow, connection: row.connection_name, stream: row.stream_name, owner: row.owner },
            enabled: row.enabled,
            failures: row.failures,
            failing_since: row.failing_since.map(utc),
            failed_run: row.failed_run,
            error: row.failed_error.as_deref().map(|error| json("failed_error", error)).transpose()?,
            last_success_at: row.last_success_at.map(utc),
            watched_from: row.watched_from.map(utc),
            ..StreamFacts::default()
        });
    }
    Ok(index)
}

fn schedules(connection: &mut MysqlConnection, index: &mut Index) -> Result<(), Fault> {
    let rows: Vec<ScheduleRow> = sql_query(
        "SELECT s.id, s.connection_id, s.stream, s.version, s.updated_at, s.skipping, k.id AS skip_id, k.reason, k.first_due_at, k.last_due_at, k.due_times \
         FROM tradesync_schedules s LEFT JOIN tradesync_schedule_skips k ON k.id = s.last_skip \
         WHERE s.enabled = 1 AND s.deleted_at IS NULL",
    )
    .load(connection)
    .map_err(fault)?;
    for row in rows {
        let last_skip = match (row.skip_id, row.reason, row.first_due_at, row.last_due_at, row.due_times) {
            (Some(id), Some(reason), Some(first), Some(last), Some(count)) => {
                Some(Skip { id, reason: from_word(&reason)?, first_due_at: utc(first), last_due_at: utc(last), count })
            }
            _ => None,
        };
        let schedule = Scheduled { id: row.id, version: row.version, since: utc(row.updated_at), last_skip, skipping: row.skipping };
        if let Some(stream) = index.of(row.connection_id, row.stream) {
            stream.schedules.push(schedule);
        }
    }
    Ok(())
}

/// Runs that a worker is at; whether there are any.
fn at_work(connection: &mut MysqlConnection, index: &mut Index) -> Result<bool, Fault> {
    let rows: Vec<RunRow> = sql_query(
        "SELECT id, connection_id, stream, COALESCE(started_at, created_at) AS at FROM tradesync_runs WHERE state = 'running' AND lease_until >= NOW(6)",
    )
    .load(connection)
    .map_err(fault)?;
    let any = !rows.is_empty();
    for row in rows {
        if let Some(stream) = index.of(row.connection_id, row.stream) {
            stream.at_work_since = Some(stream.at_work_since.map_or(utc(row.at), |at| at.min(utc(row.at))));
        }
    }
    Ok(any)
}

/// Runs that wait for a person. A dry run that waits is what its starter asked for.
fn held(connection: &mut MysqlConnection, index: &mut Index) -> Result<(), Fault> {
    use tradesync_events::dsl as e;
    let rows: Vec<RunRow> = sql_query(
        "SELECT id, connection_id, stream, COALESCE(finished_at, created_at) AS at FROM tradesync_runs WHERE state = 'awaiting_approval' AND dry_run = 0 ORDER BY id",
    )
    .load(connection)
    .map_err(fault)?;
    for row in rows {
        let told: Vec<(u64, Option<String>, String)> = e::tradesync_events
            .filter(e::connection_id.eq(&row.connection_id))
            .filter(e::kind.eq(BRAKE))
            .filter(e::stream.eq(&row.stream))
            .order(e::id.desc())
            .limit(10)
            .select((e::id, e::run_id, e::params))
            .load(connection)
            .map_err(fault)?;
        let newest = told.first().map(|(id, run, _)| (*id, run.clone()));
        let mut why = Vec::new();
        for (_, _, params) in told.iter().filter(|(_, run, _)| newest.as_ref().is_some_and(|(_, newest)| newest == run)) {
            why.push(Reason { code: BRAKE.to_owned(), params: json("params", params)? });
        }
        let waiting = Waiting { run: row.id, since: utc(row.at), event: newest.map_or(0, |(id, _)| id), why };
        if let Some(stream) = index.of(row.connection_id, row.stream) {
            let since = stream.held.as_ref().map_or(waiting.since, |before| before.since.min(waiting.since));
            stream.held = Some(Waiting { since, ..waiting });
        }
    }
    Ok(())
}

fn retries(connection: &mut MysqlConnection, index: &mut Index) -> Result<(), Fault> {
    let rows: Vec<CountRow> = sql_query(
        "SELECT connection_id, stream, COUNT(*) AS items FROM tradesync_retries WHERE dismissed_at IS NULL GROUP BY connection_id, stream",
    )
    .load(connection)
    .map_err(fault)?;
    for row in rows {
        if let Some(stream) = index.of(row.connection_id, row.stream) {
            stream.waiting_items = u64::try_from(row.items).unwrap_or_default();
        }
    }
    Ok(())
}

/// An event: number, kind, connection, stream, run, what fills its sentence, when.
type EventRow = (u64, String, String, Option<String>, Option<String>, String, NaiveDateTime);

/// What was stored for people within the last day, save what brakes told.
fn noticed(connection: &mut MysqlConnection, index: &mut Index) -> Result<(), Fault> {
    use tradesync_events::dsl as e;
    let lately = sql::<Bool>("at > UTC_TIMESTAMP(6) - INTERVAL 1 DAY");
    let rows: Vec<EventRow> = e::tradesync_events
        .filter(lately)
        .filter(e::kind.ne(BRAKE))
        .order(e::id.asc())
        .select((e::id, e::kind, e::connection_id, e::stream, e::run_id, e::params, e::at))
        .load(connection)
        .map_err(fault)?;
    for (event, kind, of, stream, run, params, at) in rows {
        if let Some(stream) = stream.and_then(|stream| index.of(of, stream)) {
            stream.noticed = Some(Noticed { event, kind, at: utc(at), run, params: json("params", &params)? });
        }
    }
    Ok(())
}

fn untaken(connection: &mut MysqlConnection, at_work: bool) -> Result<Untaken, Fault> {
    let row: UntakenRow = sql_query(
        "SELECT (SELECT MIN(next_at) FROM tradesync_schedules WHERE next_at IS NOT NULL) AS due_since, \
         (SELECT MIN(GREATEST(created_at, COALESCE(not_before, created_at))) FROM tradesync_runs WHERE state = 'queued') AS queued_since",
    )
    .get_result(connection)
    .map_err(fault)?;
    Ok(Untaken { due_since: row.due_since.map(utc), queued_since: row.queued_since.map(utc), at_work })
}

fn facts(connection: &mut MysqlConnection) -> Result<Facts, Fault> {
    let mut index = streams(connection)?;
    schedules(connection, &mut index)?;
    let at_work = at_work(connection, &mut index)?;
    held(connection, &mut index)?;
    retries(connection, &mut index)?;
    noticed(connection, &mut index)?;
    let untaken = untaken(connection, at_work)?;
    // Last, so that nothing that was read is later than now.
    Ok(Facts { now: utc(schedule_ticks::now(connection)?), streams: index.streams, untaken })
}

#[derive(QueryableByName)]
struct SuccessRow {
    #[diesel(sql_type = Text)]
    flow: String,
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Datetime)]
    at: NaiveDateTime,
}

#[derive(QueryableByName)]
struct FlowRow {
    #[diesel(sql_type = Text)]
    flow: String,
    #[diesel(sql_type = BigInt)]
    items: i64,
}

fn measured(connection: &mut MysqlConnection) -> Result<Measured, Fault> {
    let successes: Vec<SuccessRow> = sql_query(
        "SELECT c.flow, c.id, MAX(h.last_success_at) AS at FROM tradesync_stream_health h JOIN tradesync_connections c ON c.id = h.connection_id \
         WHERE c.deleted_at IS NULL AND h.last_success_at IS NOT NULL GROUP BY c.flow, c.id",
    )
    .load(connection)
    .map_err(fault)?;
    let waiting: Vec<FlowRow> = sql_query(
        "SELECT c.flow, COUNT(IF(r.dismissed_at IS NULL, r.id, NULL)) AS items FROM tradesync_connections c LEFT JOIN tradesync_retries r ON r.connection_id = c.id \
         WHERE c.deleted_at IS NULL GROUP BY c.flow",
    )
    .load(connection)
    .map_err(fault)?;
    let (now, untaken) = (utc(schedule_ticks::now(connection)?), untaken(connection, false)?);
    let lag = untaken.due_since.and_then(|due| (now - due).to_std().ok()).unwrap_or(Duration::ZERO);
    Ok(Measured {
        successes: successes.into_iter().map(|row| (row.flow, row.id, utc(row.at))).collect(),
        waiting_items: waiting.into_iter().map(|row| (row.flow, u64::try_from(row.items).unwrap_or_default())).collect(),
        lag,
    })
}

/// Schedules whose rules are read in one query.
const RULES: usize = 500;

#[async_trait]
impl FactsSource for Store {
    async fn facts(&self) -> Result<Facts, Fault> {
        self.pool.call(facts).await
    }

    async fn rules(&self, schedules: &[String]) -> Result<Vec<(String, Written)>, Fault> {
        use tradesync_schedules::dsl as s;
        let schedules = schedules.to_vec();
        self.pool
            .call(move |connection| {
                let mut all = Vec::with_capacity(schedules.len());
                for some in schedules.chunks(RULES) {
                    let rows: Vec<(String, String)> =
                        s::tradesync_schedules.filter(s::id.eq_any(some)).select((s::id, s::rule)).load(connection).map_err(fault)?;
                    for (id, rule) in rows {
                        all.push((id, json("rule", &rule)?));
                    }
                }
                Ok(all)
            })
            .await
    }

    async fn measured(&self) -> Result<Measured, Fault> {
        self.pool.call(measured).await
    }
}
