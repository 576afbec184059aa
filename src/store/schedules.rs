//! Schedules as people see them. [`super::schedule_ticks`] has the scheduler's side.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::{
    MysqlConnection,
    dsl::sql,
    prelude::*,
    sql_types::{Datetime, Nullable},
};

use super::{
    Store,
    audit::record,
    convert::{from_word, id_cursor, json, listing, number_cursor, text, utc, word},
    fault,
    queue::alone,
    runs::RunRow,
    schedule_ticks::{self, Enabled},
    schema::{
        tradesync_connections, tradesync_runs, tradesync_schedule_runs, tradesync_schedule_skips, tradesync_schedules, tradesync_streams,
    },
    transaction::{Problem, act_once, look, transact},
};
use crate::{
    domain::clock,
    engine::{
        audit,
        model::Run,
        ports::{Acted, Idempotency, Listing, PageRequest, RenderBox},
        schedule::{Due, Outcome, Schedule, ScheduleFilter, Schedules, Skip, tick::Tick},
    },
    fault::{Code, Fault},
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = tradesync_schedules)]
pub(super) struct ScheduleRow {
    id: String,
    connection_id: String,
    stream: String,
    rule: String,
    mode: String,
    enabled: bool,
    due_at: Option<NaiveDateTime>,
    next_at: Option<NaiveDateTime>,
    last_run: Option<String>,
    version: u64,
    created_at: NaiveDateTime,
    updated_at: NaiveDateTime,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = tradesync_schedule_skips)]
struct SkipRow {
    id: u64,
    reason: String,
    first_due_at: NaiveDateTime,
    last_due_at: NaiveDateTime,
    due_times: u64,
}

impl ScheduleRow {
    fn model(self, last_skip: Option<SkipRow>) -> Result<Schedule, Fault> {
        Ok(Schedule {
            rule: json("rule", &self.rule)?,
            mode: from_word(&self.mode)?,
            last_skip: last_skip.map(SkipRow::model).transpose()?,
            id: self.id,
            connection: self.connection_id,
            stream: self.stream,
            enabled: self.enabled,
            due_at: self.due_at.map(utc),
            next_at: self.next_at.map(utc),
            last_run: self.last_run,
            version: self.version,
            created_at: utc(self.created_at),
            updated_at: utc(self.updated_at),
        })
    }
}

impl SkipRow {
    fn model(self) -> Result<Skip, Fault> {
        Ok(Skip {
            id: self.id,
            reason: from_word(&self.reason)?,
            first_due_at: utc(self.first_due_at),
            last_due_at: utc(self.last_due_at),
            count: self.due_times,
        })
    }
}

diesel::joinable!(tradesync_schedules -> tradesync_schedule_skips (last_skip));
diesel::joinable!(tradesync_schedules -> tradesync_connections (connection_id));
diesel::joinable!(tradesync_schedule_runs -> tradesync_runs (run_id));

/// A schedule and its last skip, if it has one.
type Joined = (ScheduleRow, Option<SkipRow>);

fn find(connection: &mut MysqlConnection, id: &str) -> Result<Option<Schedule>, Problem> {
    use tradesync_schedules::dsl as s;
    let row: Option<Joined> = s::tradesync_schedules
        .left_join(tradesync_schedule_skips::table)
        .filter(s::id.eq(id))
        .filter(s::deleted_at.is_null())
        .select((ScheduleRow::as_select(), Option::<SkipRow>::as_select()))
        .first(connection)
        .optional()?;
    Ok(row.map(|(row, skip)| row.model(skip)).transpose()?)
}

fn must_find(connection: &mut MysqlConnection, id: &str) -> Result<Schedule, Problem> {
    find(connection, id)?.ok_or_else(|| Fault::new(Code::NotFound, "there is no such schedule").into())
}

/// Makes a schedule of a stream that stands.
pub(super) fn insert(connection: &mut MysqlConnection, new: &Schedule) -> Result<Schedule, Problem> {
    use tradesync_schedules::dsl as s;
    // Held until the row stands, so that the stream cannot be deleted in between.
    let stream: Option<String> = tradesync_streams::table
        .find((&new.connection, &new.stream))
        .select(tradesync_streams::stream)
        .for_update()
        .first(connection)
        .optional()?;
    if stream.is_none() {
        return Err(Fault::new(Code::NotFound, "there is no such stream in this connection").into());
    }
    record(connection, None, Some(audit::of_schedule(new)))?;
    diesel::insert_into(s::tradesync_schedules)
        .values((
            s::id.eq(&new.id),
            s::connection_id.eq(&new.connection),
            s::stream.eq(&new.stream),
            s::rule.eq(text(&new.rule)?),
            s::mode.eq(word(new.mode)?),
            s::enabled.eq(new.enabled),
            s::due_at.eq(new.due_at.map(|time| time.naive_utc())),
            s::next_at.eq(new.next_at.map(|time| time.naive_utc())),
            s::skipping.eq(false),
            s::version.eq(new.version),
            s::created_at.eq(new.created_at.naive_utc()),
            s::updated_at.eq(new.updated_at.naive_utc()),
        ))
        .execute(connection)?;
    must_find(connection, &new.id)
}

fn change(connection: &mut MysqlConnection, changed: &Schedule, version: u64) -> Result<Schedule, Problem> {
    use tradesync_schedules::dsl as s;
    let before = must_find(connection, &changed.id)?;
    let standing = s::tradesync_schedules.find(&changed.id).filter(s::version.eq(version)).filter(s::deleted_at.is_null());
    let written = diesel::update(standing)
        .set((
            s::rule.eq(text(&changed.rule)?),
            s::mode.eq(word(changed.mode)?),
            s::enabled.eq(changed.enabled),
            s::due_at.eq(changed.due_at.map(|time| time.naive_utc())),
            s::next_at.eq(changed.next_at.map(|time| time.naive_utc())),
            s::version.eq(version + 1),
            s::updated_at.eq(clock::now().naive_utc()),
        ))
        .execute(connection)?;
    if written == 0 {
        return Err(Fault::new(Code::PreconditionFailed, "the schedule was changed by somebody else meanwhile").into());
    }
    record(connection, Some(audit::of_schedule(&before)), Some(audit::of_schedule(changed)))?;
    must_find(connection, &changed.id)
}

/// What becomes of a deleted schedule: its row stays for its history, and is never due.
#[derive(AsChangeset)]
#[diesel(table_name = tradesync_schedules)]
#[diesel(treat_none_as_null = true)]
struct Ended {
    deleted_at: Option<NaiveDateTime>,
    enabled: bool,
    due_at: Option<NaiveDateTime>,
    next_at: Option<NaiveDateTime>,
}

fn ended() -> Ended {
    Ended { deleted_at: Some(clock::now().naive_utc()), enabled: false, due_at: None, next_at: None }
}

/// Ends the schedules of a deleted stream, or of all streams of a deleted connection; their runs stay.
pub(super) fn delete_all(connection: &mut MysqlConnection, id: &str, stream: Option<&str>) -> Result<(), Problem> {
    use tradesync_schedules::dsl as s;
    let of_connection = s::tradesync_schedules.filter(s::connection_id.eq(id)).filter(s::deleted_at.is_null());
    match stream {
        Some(stream) => diesel::update(of_connection.filter(s::stream.eq(stream))).set(ended()).execute(connection)?,
        None => diesel::update(of_connection).set(ended()).execute(connection)?,
    };
    Ok(())
}

#[async_trait]
impl Schedules for Store {
    async fn now(&self) -> Result<DateTime<Utc>, Fault> {
        self.pool.call(|connection| schedule_ticks::now(connection).map(utc)).await
    }

    async fn create(&self, new: Schedule, key: Option<Idempotency>, render: RenderBox<Schedule>) -> Result<Acted<Schedule>, Fault> {
        self.pool.call(move |connection| act_once(connection, key.as_ref(), &*render, |connection| insert(connection, &new))).await
    }

    async fn get(&self, id: &str) -> Result<Option<Schedule>, Fault> {
        let id = id.to_owned();
        self.pool.call(move |connection| look(connection, |connection| find(connection, &id))).await
    }

    async fn list(&self, filter: ScheduleFilter, page: PageRequest) -> Result<Listing<Schedule>, Fault> {
        use tradesync_connections::dsl as c;
        use tradesync_schedules::dsl as s;
        self.pool
            .call(move |connection| {
                let mut query = s::tradesync_schedules
                    .inner_join(c::tradesync_connections)
                    .left_join(tradesync_schedule_skips::table)
                    .filter(s::deleted_at.is_null())
                    .order(s::id.desc())
                    .limit(i64::from(page.limit) + 1)
                    .select((ScheduleRow::as_select(), Option::<SkipRow>::as_select()))
                    .into_boxed();
                if let Some(flows) = filter.flows {
                    query = query.filter(c::flow.eq_any(flows));
                }
                if let Some(owner) = filter.owner {
                    query = query.filter(c::owner.eq(owner));
                }
                if let Some(id) = filter.connection {
                    query = query.filter(s::connection_id.eq(id));
                }
                if let Some(stream) = filter.stream {
                    query = query.filter(s::stream.eq(stream));
                }
                if let Some(enabled) = filter.enabled {
                    query = query.filter(s::enabled.eq(enabled));
                }
                if let Some(cursor) = id_cursor(page.cursor)? {
                    query = query.filter(s::id.lt(cursor));
                }
                let rows: Vec<Joined> = query.load(connection).map_err(fault)?;
                let items = rows.into_iter().map(|(row, skip)| row.model(skip)).collect::<Result<Vec<_>, _>>()?;
                Ok(listing(items, page.limit, |schedule| schedule.id.clone()))
            })
            .await
    }

    async fn update(
        &self,
        changed: Schedule,
        version: u64,
        key: Option<Idempotency>,
        render: RenderBox<Schedule>,
    ) -> Result<Acted<Schedule>, Fault> {
        self.pool
            .call(move |connection| act_once(connection, key.as_ref(), &*render, |connection| change(connection, &changed, version)))
            .await
    }

    async fn delete(&self, id: &str) -> Result<(), Fault> {
        use tradesync_schedules::dsl as s;
        let id = id.to_owned();
        self.pool
            .call(move |connection| {
                transact(connection, |connection| {
                    let standing = must_find(connection, &id)?;
                    diesel::update(s::tradesync_schedules.find(&id)).set(ended()).execute(connection)?;
                    record(connection, Some(audit::of_schedule(&standing)), None)
                })
            })
            .await
    }

    async fn runs(&self, id: &str, page: PageRequest) -> Result<Listing<Run>, Fault> {
        use tradesync_schedule_runs::dsl as q;
        let id = id.to_owned();
        self.pool
            .call(move |connection| {
                let mut query = q::tradesync_schedule_runs
                    .inner_join(tradesync_runs::table)
                    .filter(q::schedule_id.eq(&id))
                    .select(RunRow::as_select())
                    .order(q::run_id.desc())
                    .limit(i64::from(page.limit) + 1)
                    .into_boxed();
                if let Some(cursor) = id_cursor(page.cursor)? {
                    query = query.filter(q::run_id.lt(cursor));
                }
                let rows: Vec<RunRow> = query.load(connection).map_err(fault)?;
                let items = rows.into_iter().map(RunRow::model).collect::<Result<Vec<_>, _>>()?;
                Ok(listing(items, page.limit, |run| run.id.clone()))
            })
            .await
    }

    async fn skips(&self, id: &str, page: PageRequest) -> Result<Listing<Skip>, Fault> {
        use tradesync_schedule_skips::dsl as k;
        let id = id.to_owned();
        self.pool
            .call(move |connection| {
                let mut query = k::tradesync_schedule_skips
                    .filter(k::schedule_id.eq(&id))
                    .select(SkipRow::as_select())
                    .order(k::id.desc())
                    .limit(i64::from(page.limit) + 1)
                    .into_boxed();
                if let Some(cursor) = number_cursor(page.cursor.as_deref())? {
                    query = query.filter(k::id.lt(cursor));
                }
                let rows: Vec<SkipRow> = query.load(connection).map_err(fault)?;
                let items = rows.into_iter().map(SkipRow::model).collect::<Result<Vec<_>, _>>()?;
                Ok(listing(items, page.limit, |skip| skip.id.to_string()))
            })
            .await
    }

    async fn next_runs(&self, id: &str) -> Result<Vec<(String, DateTime<Utc>)>, Fault> {
        use tradesync_schedules::dsl as s;
        let id = id.to_owned();
        self.pool
            .call(move |connection| {
                let rows: Vec<(String, Option<NaiveDateTime>)> = s::tradesync_schedules
                    .filter(s::connection_id.eq(&id))
                    .filter(s::next_at.is_not_null())
                    .group_by(s::stream)
                    .select((s::stream, diesel::dsl::min(s::next_at)))
                    .load(connection)
                    .map_err(fault)?;
                Ok(rows.into_iter().filter_map(|(stream, next)| Some((stream, utc(next?)))).collect())
            })
            .await
    }

    async fn take_due(&self, limit: u32, decide: fn(Due) -> (Schedule, Tick)) -> Result<Vec<(Schedule, Tick, Outcome)>, Fault> {
        let name = self.lock_name("schedules");
        let taken: Vec<(Schedule, Tick, Outcome)> = self
            .pool
            .call(move |connection| {
                alone(connection, &name, |connection| {
                    let ticks: Vec<_> = due(connection, limit)?.into_iter().map(|(due, enabled)| (decide(due), enabled)).collect();
                    transact(connection, |connection| {
                        let mut taken = Vec::with_capacity(ticks.len());
                        for ((schedule, tick), enabled) in &ticks {
                            let outcome = schedule_ticks::claim(connection, schedule, enabled.as_ref(), tick)?;
                            taken.push((schedule.clone(), tick.clone(), outcome));
                        }
                        Ok(taken)
                    })
                })
            })
            .await?;
        if taken.iter().any(|(_, _, outcome)| matches!(outcome, Outcome::Started(_))) {
            self.bell.runs.notify_one();
        }
        Ok(taken)
    }
}

/// A schedule, the moment of the look, flow and owner of its connection if that is enabled, and whether its stream is.
type DueRow = (ScheduleRow, NaiveDateTime, Option<(String, Option<String>)>, Option<bool>);

/// Schedules that are due, longest waiting first, with what their runs are queued with.
fn due(connection: &mut MysqlConnection, limit: u32) -> Result<Vec<(Due, Option<Enabled>)>, Fault> {
    use tradesync_connections::dsl as c;
    use tradesync_schedules::dsl as s;
    use tradesync_streams::dsl as t;
    let connected = c::id.eq(s::connection_id).and(c::deleted_at.is_null()).and(c::enabled.eq(true));
    let streaming = t::connection_id.eq(s::connection_id).and(t::stream.eq(s::stream)).and(t::enabled.eq(true));
    let rows: Vec<DueRow> = s::tradesync_schedules
        .left_join(c::tradesync_connections.on(connected))
        .left_join(t::tradesync_streams.on(streaming))
        .filter(s::next_at.le(sql::<Nullable<Datetime>>("UTC_TIMESTAMP(6)")))
        .order(s::next_at.asc())
        .limit(i64::from(limit))
        .select((ScheduleRow::as_select(), sql::<Datetime>("UTC_TIMESTAMP(6)"), (c::flow, c::owner).nullable(), t::enabled.nullable()))
        .load(connection)
        .map_err(fault)?;
    rows.into_iter()
        .map(|(row, now, of, streams)| {
            let enabled = of.filter(|_| streams == Some(true)).map(|(flow, owner)| Enabled { flow, owner });
            Ok((Due { schedule: row.model(None)?, now: utc(now) }, enabled))
        })
        .collect()
}
