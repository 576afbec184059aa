//! Runs as the API sees them: asking for one, looking at it, ending it. [`super::runs_queue`] has the worker's side.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::{MysqlConnection, prelude::*, result::DatabaseErrorKind};
use serde_json::Value;
use std::{sync::Arc, time::Duration};

use super::{
    Store,
    convert::{from_word, id_cursor, json, listing, text, utc, word},
    fault, plans, queue, runs_queue,
    schema::{tradesync_connections, tradesync_runs},
    transaction::{Problem, act_once, look},
};
use crate::{
    db::kept,
    domain::{clock, ids},
    engine::{
        audit,
        brakes::Plan,
        model::{Counts, NewRun, Phase, ReadSummary, Run, State},
        ports::{Acted, Beat, Finish, Idempotency, Listing, PageRequest, ReadOf, RenderBox, RunFilter, Runs},
        queue::{Ask, Caps, Passage, Taken, Waiting},
    },
    fault::{Code, Fault},
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = tradesync_runs)]
pub(super) struct RunRow {
    id: String,
    flow: String,
    connection_id: String,
    stream: String,
    owner: Option<String>,
    started_by: String,
    mode: String,
    dry_run: bool,
    items: Option<String>,
    state: String,
    phase: String,
    created_at: NaiveDateTime,
    started_at: Option<NaiveDateTime>,
    finished_at: Option<NaiveDateTime>,
    not_before: Option<NaiveDateTime>,
    read_rows: u64,
    total_rows: Option<u64>,
    applied_rows: u64,
    counts: String,
    cursor_before: Option<NaiveDateTime>,
    cursor_after: Option<NaiveDateTime>,
    read_summary: Option<String>,
    error: Option<String>,
    settings: Option<String>,
    cancel_requested: bool,
    version: u64,
    attempts: u32,
    fence: u64,
    undo_of: Option<String>,
}

impl RunRow {
    pub(super) fn model(self) -> Result<Run, Fault> {
        Ok(Run {
            trigger: from_word(&self.started_by)?,
            mode: from_word(&self.mode)?,
            state: from_word(&self.state)?,
            phase: from_word(&self.phase)?,
            items: self.items.as_deref().map(|items| json("items", items)).transpose()?,
            counts: json("counts", &self.counts)?,
            read_summary: self.read_summary.as_deref().map(|summary| json("read_summary", summary)).transpose()?,
            error: self.error.as_deref().map(|error| json("error", error)).transpose()?,
            settings: self.settings.as_deref().map(|settings| json("settings", settings)).transpose()?,
            id: self.id,
            flow: self.flow,
            connection: self.connection_id,
            stream: self.stream,
            owner: self.owner,
            dry_run: self.dry_run,
            created_at: utc(self.created_at),
            started_at: self.started_at.map(utc),
            finished_at: self.finished_at.map(utc),
            not_before: self.not_before.map(utc),
            read: self.read_rows,
            total: self.total_rows,
            applied: self.applied_rows,
            cursor_before: self.cursor_before.map(utc),
            cursor_after: self.cursor_after.map(utc),
            cancel_requested: self.cancel_requested,
            version: self.version,
            attempts: self.attempts,
            fence: self.fence,
            plan: Plan::default(),
            undo_of: self.undo_of,
            passage: Passage::default(),
        })
    }
}

/// One run.
pub(super) fn find(connection: &mut MysqlConnection, id: &str) -> Result<Option<Run>, Problem> {
    let mut found: Vec<Run> = find_bare(connection, id)?.into_iter().collect();
    plans::attach(connection, &mut found)?;
    Ok(found.pop())
}

/// The same without its plan: nothing was ever decided for it, or nobody asks.
pub(super) fn find_bare(connection: &mut MysqlConnection, id: &str) -> Result<Option<Run>, Problem> {
    let row: Option<RunRow> = tradesync_runs::table.find(id).select(RunRow::as_select()).first(connection).optional()?;
    Ok(row.map(RunRow::model).transpose()?)
}

/// The same for a run that is at work under this fence; its row is locked until the transaction ends.
pub(super) fn lock_held(connection: &mut MysqlConnection, id: &str, fence: u64) -> Result<Option<Run>, Problem> {
    use tradesync_runs::dsl as r;
    let held = tradesync_runs::table.find(id).filter(r::fence.eq(fence)).filter(r::state.eq("running"));
    let row: Option<RunRow> = held.select(RunRow::as_select()).for_update().first(connection).optional()?;
    Ok(row.map(RunRow::model).transpose()?)
}

fn must_find(connection: &mut MysqlConnection, id: &str) -> Result<Run, Problem> {
    find(connection, id)?.ok_or_else(|| Fault::new(Code::NotFound, "there is no such run").into())
}

/// Queues a run; `StreamBusy` while a real run of the stream is live.
pub(super) fn insert(connection: &mut MysqlConnection, new: &NewRun) -> Result<Run, Problem> {
    let id = insert_row(connection, new)?;
    find_bare(connection, &id)?.ok_or_else(|| Fault::internal("a run that was just queued is gone").into())
}

/// The same; returns its id.
pub(super) fn insert_row(connection: &mut MysqlConnection, new: &NewRun) -> Result<String, Problem> {
    use tradesync_runs::dsl as r;
    let id = ids::fresh();
    // The connection's row is locked so that it cannot be deleted or disabled between the look and the insert.
    let enabled: Option<bool> = tradesync_connections::table
        .find(&new.connection)
        .filter(tradesync_connections::deleted_at.is_null())
        .select(tradesync_connections::enabled)
        .for_update()
        .first(connection)
        .optional()?;
    // On a bad day a connection is disabled first, so that nothing more is written; undoing must be possible then.
    if enabled.is_none_or(|enabled| !enabled && new.undo_of.is_none()) {
        return Err(Fault::field("/connection", "the connection is disabled or deleted; enable it first").into());
    }
    let inserted = diesel::insert_into(r::tradesync_runs)
        .values((
            r::id.eq(&id),
            r::flow.eq(&new.flow),
            r::connection_id.eq(&new.connection),
            r::stream.eq(&new.stream),
            r::owner.eq(&new.owner),
            r::started_by.eq(word(new.trigger)?),
            r::mode.eq(word(new.mode)?),
            r::dry_run.eq(new.dry_run),
            r::items.eq(new.items.as_ref().map(text).transpose()?),
            r::state.eq("queued"),
            r::phase.eq(if new.undo_of.is_some() { "decide" } else { "read" }),
            r::undo_of.eq(&new.undo_of),
            r::created_at.eq(clock::now().naive_utc()),
            r::counts.eq(text(&Counts::default())?),
            r::live_stream.eq((!new.dry_run).then_some(&new.stream)),
        ))
        .execute(connection);
    match inserted {
        Ok(_) => {}
        Err(diesel::result::Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => {
            let live: Option<String> = r::tradesync_runs
                .filter(r::connection_id.eq(&new.connection))
                .filter(r::live_stream.eq(&new.stream))
                .select(r::id)
                .first(connection)
                .optional()?;
            let busy = Fault::new(Code::StreamBusy, format!("the stream `{}` is queued or running already", new.stream));
            return Err(live.map_or(busy.clone(), |run| busy.at(format!("/sync/runs/{run}"))).into());
        }
        Err(error) => return Err(error.into()),
    }
    kept("UPDATE tradesync_streams SET last_run = ? WHERE connection_id = ? AND stream = ?")
        .bind::<diesel::sql_types::Text, _>(&id)
        .bind::<diesel::sql_types::Text, _>(&new.connection)
        .bind::<diesel::sql_types::Text, _>(&new.stream)
        .execute(connection)?;
    Ok(id)
}

/// Does to a run what a person decided, and tells the audit what it was before and is now.
fn told(
    connection: &mut MysqlConnection,
    id: &str,
    decided: impl FnOnce(&mut MysqlConnection) -> Result<Run, Problem>,
) -> Result<Run, Problem> {
    let before = must_find(connection, id)?;
    let after = decided(connection)?;
    super::audit::record(connection, Some(audit::of_run(&before)), Some(audit::of_run(&after)))?;
    Ok(after)
}

fn cancel(connection: &mut MysqlConnection, id: &str) -> Result<Run, Problem> {
    use tradesync_runs::dsl as r;
    let cancelled = text(&crate::fault::FaultView::from(&Fault::new(Code::Cancelled, "a person cancelled the run")))?;
    // A run that no worker holds ends at once; a held one is told by its next heartbeat.
    if let Some(waiting) = plans::locked(connection, id)? {
        plans::end_waiting(connection, &waiting, "rejected", &Fault::new(Code::Cancelled, "a person cancelled the run"))?;
        return must_find(connection, id);
    }
    let ended = diesel::update(r::tradesync_runs.find(id).filter(r::state.eq("queued")))
        .set((
            r::state.eq("cancelled"),
            r::error.eq(Some(cancelled)),
            r::finished_at.eq(Some(clock::now().naive_utc())),
            r::live_stream.eq(None::<String>),
            r::version.eq(r::version + 1),
        ))
        .execute(connection)?;
    queue::leave(connection, id)?;
    if ended == 0 {
        let asked = diesel::update(r::tradesync_runs.find(id).filter(r::state.eq("running")))
            .set((r::cancel_requested.eq(true), r::version.eq(r::version + 1)))
            .execute(connection)?;
        if asked == 0 {
            let run = must_find(connection, id)?;
            return Err(Fault::new(Code::NotAwaiting, format!("the run has ended already ({})", word(run.state)?)).into());
        }
    }
    must_find(connection, id)
}

/// Why a run can be neither approved nor rejected.
fn not_waiting(run: &Run) -> Result<Fault, Fault> {
    let error = run.error.as_ref();
    let ended_by = |code: Code| run.state == State::Cancelled && error.is_some_and(|error| error.code == code.name());
    if ended_by(Code::PlanExpired) {
        let until = run.plan.expires_at.map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)).unwrap_or_default();
        return Ok(Fault::new(Code::PlanExpired, format!("the plan could be approved until {until}; the shop may look different by now")));
    }
    let why = error.filter(|_| ended_by(Code::Superseded)).map(|error| format!(": {}", error.detail)).unwrap_or_default();
    Ok(Fault::new(Code::NotAwaiting, format!("the run awaits no approval ({}){why}", word(run.state)?)))
}

fn settle(connection: &mut MysqlConnection, id: &str, approve: bool) -> Result<Run, Problem> {
    use tradesync_runs::dsl as r;
    let Some(run) = plans::locked(connection, id)? else {
        let run = must_find(connection, id)?;
        return Err(not_waiting(&run)?.into());
    };
    if !approve {
        let rejected = Fault::new(Code::PlanRejected, "a person rejected what it wanted to do");
        plans::end_waiting(connection, &run, "rejected", &rejected)?;
        return must_find(connection, id);
    }
    plans::approve(connection, &run)?;
    // Of a dry run nothing was done yet; of a run that a brake held a part was.
    let counts = if run.dry_run { Counts { created: 0, updated: 0, ..run.counts } } else { run.counts };
    let written = diesel::update(r::tradesync_runs.find(id))
        .set((
            r::state.eq("queued"),
            r::phase.eq("apply"),
            r::cancel_requested.eq(false),
            r::counts.eq(text(&counts)?),
            r::finished_at.eq(None::<NaiveDateTime>),
            r::live_stream.eq(Some(&run.stream)),
            r::version.eq(r::version + 1),
        ))
        .execute(connection);
    match written {
        Ok(_) => {
            queue::wait_again(connection, id, false)?;
            must_find(connection, id)
        }
        Err(diesel::result::Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => {
            let live: Option<String> = r::tradesync_runs
                .filter(r::connection_id.eq(&run.connection))
                .filter(r::live_stream.eq(&run.stream))
                .select(r::id)
                .first(connection)
                .optional()?;
            let busy = Fault::new(Code::StreamBusy, format!("the stream `{}` has a live run; approve when it has ended", run.stream));
            Err(live.map_or(busy.clone(), |run| busy.at(format!("/sync/runs/{run}"))).into())
        }
        Err(error) => Err(error.into()),
    }
}

#[async_trait]
impl Runs for Store {
    async fn enqueue(&self, run: NewRun, key: Option<Idempotency>, render: RenderBox<Run>) -> Result<Acted<Run>, Fault> {
        let queued =
            self.pool.call(move |connection| act_once(connection, key.as_ref(), &*render, |connection| insert(connection, &run))).await?;
        self.bell.runs.notify_one();
        Ok(queued)
    }

    async fn get(&self, id: &str) -> Result<Option<Run>, Fault> {
        let id = id.to_owned();
        self.pool.call(move |connection| look(connection, |connection| find(connection, &id))).await
    }

    async fn versions(&self, ids: &[String]) -> Result<Vec<(String, u64)>, Fault> {
        use tradesync_runs::dsl as r;
        let ids = ids.to_vec();
        self.pool
            .call(move |connection| r::tradesync_runs.filter(r::id.eq_any(ids)).select((r::id, r::version)).load(connection).map_err(fault))
            .await
    }

    async fn list(&self, filter: RunFilter, page: PageRequest) -> Result<Listing<Run>, Fault> {
        use tradesync_runs::dsl as r;
        self.pool
            .call(move |connection| {
                // Ids first: a plan that has to sort, or to look through what the filter leaves out, then does so in an index.
                let mut query = r::tradesync_runs.select(r::id).order(r::id.desc()).limit(i64::from(page.limit) + 1).into_boxed();
                if let Some(flows) = filter.flows {
                    query = query.filter(r::flow.eq_any(flows));
                }
                if let Some(owner) = filter.owner {
                    query = query.filter(r::owner.eq(owner));
                }
                if let Some(id) = filter.connection {
                    query = query.filter(r::connection_id.eq(id));
                }
                if let Some(stream) = filter.stream {
                    query = query.filter(r::stream.eq(stream));
                }
                if let Some(state) = filter.state {
                    query = query.filter(r::state.eq(word(state)?));
                }
                if let Some(cursor) = id_cursor(page.cursor)? {
                    query = query.filter(r::id.lt(cursor));
                }
                let ids: Vec<String> = query.load(connection).map_err(fault)?;
                let rows: Vec<RunRow> = r::tradesync_runs
                    .filter(r::id.eq_any(ids))
                    .order(r::id.desc())
                    .select(RunRow::as_select())
                    .load(connection)
                    .map_err(fault)?;
                let mut items = rows.into_iter().map(RunRow::model).collect::<Result<Vec<_>, _>>()?;
                look(connection, |connection| plans::attach(connection, &mut items))?;
                Ok(listing(items, page.limit, |run| run.id.clone()))
            })
            .await
    }

    async fn waiting(&self) -> Result<Vec<Waiting>, Fault> {
        self.waiting_runs().await
    }

    async fn claim(&self, waiting: Arc<Vec<Waiting>>, ask: Ask) -> Result<Taken, Fault> {
        self.take_runs(waiting, ask).await
    }

    async fn stand(&self, queued: Vec<Run>, caps: Caps) -> Result<Vec<Run>, Fault> {
        self.stand_in_queue(queued, caps).await
    }

    async fn beat(&self, run: &str, fence: u64, lease: Duration) -> Result<Beat, Fault> {
        let run = run.to_owned();
        self.urgent.call(move |connection| runs_queue::beat(connection, &run, fence, lease)).await
    }

    async fn progress(&self, run: &str, fence: u64, read: u64, total: Option<u64>) -> Result<(), Fault> {
        let run = run.to_owned();
        self.pool.call(move |connection| runs_queue::progress(connection, &run, fence, read, total)).await
    }

    async fn begin(&self, run: &str, fence: u64, settings: &Value, cursor_before: Option<DateTime<Utc>>) -> Result<(), Fault> {
        let (run, settings) = (run.to_owned(), text(settings)?);
        self.pool.call(move |connection| runs_queue::begin(connection, &run, fence, &settings, cursor_before)).await
    }

    async fn read_done(&self, of: ReadOf, summary: &ReadSummary) -> Result<(), Fault> {
        let summary = text(summary)?;
        self.pool.call(move |connection| look(connection, |connection| runs_queue::read_done(connection, &of, &summary))).await
    }

    async fn decided(&self, run: &str, fence: u64, counts: Counts, next: Phase) -> Result<(), Fault> {
        let run = run.to_owned();
        self.pool.call(move |connection| look(connection, |connection| runs_queue::decided(connection, &run, fence, counts, next))).await
    }

    async fn applied(&self, run: &str, fence: u64) -> Result<(), Fault> {
        let run = run.to_owned();
        self.pool.call(move |connection| runs_queue::applied(connection, &run, fence)).await
    }

    async fn finish(&self, run: &str, fence: u64, finish: Finish) -> Result<(), Fault> {
        let run = run.to_owned();
        self.pool.call(move |connection| runs_queue::finish(connection, &run, fence, &finish)).await
    }

    async fn requeue(&self, run: &str, fence: u64, not_before: Option<DateTime<Utc>>, setback: bool) -> Result<(), Fault> {
        let run = run.to_owned();
        self.pool.call(move |connection| runs_queue::requeue(connection, &run, fence, not_before, setback)).await?;
        self.bell.runs.notify_one();
        Ok(())
    }

    async fn showing(&self, run: &str, fence: u64) -> Result<(), Fault> {
        let run = run.to_owned();
        self.pool.call(move |connection| runs_queue::showing(connection, &run, fence)).await
    }

    async fn show_rest(&self, of: &str) -> Result<bool, Fault> {
        let of = of.to_owned();
        self.pool.call(move |connection| runs_queue::show_rest(connection, &of)).await
    }

    async fn request_cancel(&self, run: &str, key: Option<Idempotency>, render: RenderBox<Run>) -> Result<Acted<Run>, Fault> {
        let run = run.to_owned();
        self.pool
            .call(move |connection| {
                act_once(connection, key.as_ref(), &*render, |connection| told(connection, &run, |connection| cancel(connection, &run)))
            })
            .await
    }

    async fn settle(&self, run: &str, approve: bool, key: Option<Idempotency>, render: RenderBox<Run>) -> Result<Acted<Run>, Fault> {
        let run = run.to_owned();
        let settled = self
            .pool
            .call(move |connection| {
                // What has expired is over, whether or not a worker has come by to say so.
                plans::expire(connection)?;
                act_once(connection, key.as_ref(), &*render, |connection| {
                    told(connection, &run, |connection| settle(connection, &run, approve))
                })
            })
            .await?;
        self.bell.runs.notify_one();
        Ok(settled)
    }
}
