//! Schedules: make, change, start, stop, delete; what they ran and what they skipped.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::{CHANGE_ATTEMPTS, Scope, Service, connections::require_version, is_key, no_items, no_such};
use crate::{
    domain::{clock, ids},
    engine::{
        model::{Mode, Run, Stream},
        ports::{Acted, Idempotency, Listing, PageRequest, RenderBox, StoredAnswer},
        schedule::{
            Schedule, ScheduleFilter, Skip,
            rule::{CatchUp, Rule, Window, Written},
        },
    },
    fault::{Code, Fault, Result},
};

/// Time zone of a rule that names none.
const ZONE: &str = "UTC";

/// What a new schedule is made of.
pub struct NewSchedule {
    /// Id of the connection.
    pub connection: String,
    /// Key of the stream.
    pub stream: String,
    /// When; an empty time zone means UTC.
    pub rule: Written,
    /// How much its runs ask of the source.
    pub mode: Mode,
    /// Whether it starts at once.
    pub enabled: bool,
}

/// What a patch says. The outer `None` = absent, the inner = null.
#[derive(Clone, Debug, Default)]
pub struct SchedulePatch {
    /// A period. Giving one of `every` and `cron` takes the other away.
    pub every: Option<Option<String>>,
    /// Five fields.
    pub cron: Option<Option<String>>,
    /// IANA name; null = UTC.
    pub timezone: Option<Option<String>>,
    /// Days of the week; null = all.
    pub days: Option<Option<Vec<u8>>>,
    /// Hours; null = all.
    pub window: Option<Option<Window>>,
    /// Null = none.
    pub jitter: Option<Option<String>>,
    /// Null = once.
    pub catch_up: Option<Option<CatchUp>>,
    /// Null = incremental.
    pub mode: Option<Option<Mode>>,
    /// Null = enabled.
    pub enabled: Option<Option<bool>>,
}

impl SchedulePatch {
    fn apply(&self, schedule: &mut Schedule) {
        let rule = &mut schedule.rule;
        // Whoever gives the one form means it instead of the other, unless they spell out both.
        if matches!(self.every, Some(Some(_))) && self.cron.is_none() {
            rule.cron = None;
        }
        if matches!(self.cron, Some(Some(_))) && self.every.is_none() {
            rule.every = None;
        }
        set(&mut rule.every, &self.every);
        set(&mut rule.cron, &self.cron);
        set(&mut rule.days, &self.days);
        set(&mut rule.window, &self.window);
        set(&mut rule.jitter, &self.jitter);
        if let Some(timezone) = &self.timezone {
            rule.timezone = timezone.clone().unwrap_or_else(|| ZONE.to_owned());
        }
        if let Some(catch_up) = self.catch_up {
            rule.catch_up = catch_up.unwrap_or_default();
        }
        if let Some(mode) = self.mode {
            schedule.mode = mode.unwrap_or(Mode::Incremental);
        }
        if let Some(enabled) = self.enabled {
            schedule.enabled = enabled.unwrap_or(true);
        }
    }
}

fn set<T: Clone>(field: &mut Option<T>, patch: &Option<Option<T>>) {
    if let Some(value) = patch {
        field.clone_from(value);
    }
}

/// A schedule that was never due.
fn fresh(connection: String, stream: String, rule: Written, mode: Mode, enabled: bool) -> Schedule {
    let now = clock::now();
    Schedule {
        id: ids::fresh(),
        connection,
        stream,
        rule,
        mode,
        enabled,
        due_at: None,
        next_at: None,
        last_run: None,
        last_skip: None,
        version: 1,
        created_at: now,
        updated_at: now,
    }
}

/// Sets the due times of a rule from `now` on; none while stopped.
fn plan(schedule: &mut Schedule, rule: &Rule, now: DateTime<Utc>) {
    schedule.due_at = if schedule.enabled { rule.next(now) } else { None };
    schedule.next_at = schedule.due_at.map(|due| due + clock::chrono_duration(rule.delay(&schedule.id, due)));
}

impl Service {
    /// The schedules that come with new streams, one each; overlapping times are skipped like those of any schedule.
    pub(super) async fn first_schedules(&self, every: Option<&str>, streams: &[Stream]) -> Result<Vec<Schedule>> {
        let Some(every) = every.filter(|_| !streams.is_empty()) else { return Ok(Vec::new()) };
        let rule = Written { every: Some(every.to_owned()), timezone: ZONE.to_owned(), catch_up: CatchUp::Skip, ..Written::default() };
        let checked = Rule::read(&rule).map_err(Fault::fields)?;
        let now = self.schedules.now().await?;
        let schedules = streams.iter().map(|stream| {
            let mut schedule = fresh(stream.connection.clone(), stream.stream.clone(), rule.clone(), Mode::Incremental, true);
            plan(&mut schedule, &checked, now);
            schedule
        });
        Ok(schedules.collect())
    }

    /// Makes a schedule for a visible stream.
    pub async fn create_schedule(
        &self,
        scope: &Scope,
        new: NewSchedule,
        key: Option<Idempotency>,
        render: RenderBox<Schedule>,
    ) -> Result<Acted<Schedule>> {
        let rule =
            Written { timezone: Some(new.rule.timezone).filter(|zone| !zone.is_empty()).unwrap_or_else(|| ZONE.to_owned()), ..new.rule };
        let checked = Rule::read(&rule).map_err(Fault::fields)?;
        let connection = match self.connection(scope, &new.connection).await {
            Err(fault) if fault.code == Code::NotFound => return Err(no_such("/connection", "there is no such connection")),
            found => found?,
        };
        let stream = match self.stream(&connection, &new.stream).await {
            Err(fault) if fault.code == Code::NotFound => return Err(no_such("/stream", "there is no such stream in this connection")),
            found => found?,
        };
        let mut schedule = fresh(connection.id, stream.stream, rule, new.mode, new.enabled);
        plan(&mut schedule, &checked, self.schedules.now().await?);
        self.schedules.create(schedule, key, render).await
    }

    /// Visible schedules, newest first.
    pub async fn list_schedules(&self, scope: &Scope, mut filter: ScheduleFilter, page: PageRequest) -> Result<Listing<Schedule>> {
        let possible = filter.connection.as_deref().is_none_or(ids::plausible) && filter.stream.as_deref().is_none_or(is_key);
        if scope.is_empty() || !possible {
            return Ok(no_items());
        }
        filter.flows.clone_from(&scope.flows);
        filter.owner.clone_from(&scope.owner);
        self.schedules.list(filter, page).await
    }

    /// A visible schedule.
    pub async fn schedule(&self, scope: &Scope, id: &str) -> Result<Schedule> {
        let absent = || Fault::new(Code::NotFound, "there is no such schedule");
        if !ids::plausible(id) {
            return Err(absent());
        }
        let schedule = self.schedules.get(id).await?.ok_or_else(absent)?;
        match self.connection(scope, &schedule.connection).await {
            Err(fault) if fault.code == Code::NotFound => Err(absent()),
            found => found.map(|_| schedule),
        }
    }

    /// Changes a schedule by an RFC 7396 patch, also while its run is at work. `expected` is the version of `If-Match`.
    pub async fn patch_schedule(&self, scope: &Scope, id: &str, patch: &SchedulePatch, expected: Option<u64>) -> Result<Schedule> {
        match self.change_schedule(scope, id, patch, expected, None, Box::new(|_| unkept())).await? {
            Acted::Fresh(schedule) => Ok(schedule),
            Acted::Replayed(_) => Err(Fault::internal("a change without a key was replayed")),
        }
    }

    /// Starts or stops a schedule; one that is in that state already stays as it is, its next due time too.
    pub async fn enable_schedule(
        &self,
        scope: &Scope,
        id: &str,
        enabled: bool,
        key: Option<Idempotency>,
        render: RenderBox<Schedule>,
    ) -> Result<Acted<Schedule>> {
        let patch = SchedulePatch { enabled: Some(Some(enabled)), ..SchedulePatch::default() };
        self.change_schedule(scope, id, &patch, None, key, render).await
    }

    async fn change_schedule(
        &self,
        scope: &Scope,
        id: &str,
        patch: &SchedulePatch,
        expected: Option<u64>,
        key: Option<Idempotency>,
        render: RenderBox<Schedule>,
    ) -> Result<Acted<Schedule>> {
        let render = std::sync::Arc::new(render);
        let mut attempt = 1;
        loop {
            let before = self.schedule(scope, id).await?;
            require_version(before.version, expected)?;
            let mut after = before.clone();
            patch.apply(&mut after);
            let checked = Rule::read(&after.rule).map_err(Fault::fields)?;
            if after.rule != before.rule || after.enabled != before.enabled {
                plan(&mut after, &checked, self.schedules.now().await?);
            }
            let render = std::sync::Arc::clone(&render);
            let done = self.schedules.update(after, before.version, key.clone(), Box::new(move |schedule| render(schedule))).await;
            match done {
                Err(fault) if fault.code == Code::PreconditionFailed && expected.is_none() && attempt < CHANGE_ATTEMPTS => attempt += 1,
                outcome => return outcome,
            }
        }
    }

    /// Deletes a schedule; its runs and their reports stay.
    pub async fn delete_schedule(&self, scope: &Scope, id: &str, expected: Option<u64>) -> Result<()> {
        let schedule = self.schedule(scope, id).await?;
        require_version(schedule.version, expected)?;
        self.schedules.delete(&schedule.id).await
    }

    /// The next due times of a schedule, without its jitter; also of a stopped one: what it would do.
    pub async fn next_of_schedule(&self, scope: &Scope, id: &str, count: usize) -> Result<Vec<DateTime<Utc>>> {
        let schedule = self.schedule(scope, id).await?;
        let rule = Rule::read(&schedule.rule).map_err(Fault::fields)?;
        // A due time that waits for its jitter, or to be claimed, is still to come.
        let mut times: Vec<DateTime<Utc>> = schedule.due_at.into_iter().collect();
        let from = match schedule.due_at {
            Some(due) => due,
            None => self.schedules.now().await?,
        };
        times.extend(rule.upcoming(from, count));
        times.truncate(count);
        Ok(times)
    }

    /// Runs that a schedule started, newest first.
    pub async fn runs_of_schedule(&self, scope: &Scope, id: &str, page: PageRequest) -> Result<Listing<Run>> {
        let schedule = self.schedule(scope, id).await?;
        self.schedules.runs(&schedule.id, page).await
    }

    /// Due times that a schedule let pass, newest first.
    pub async fn skips_of_schedule(&self, scope: &Scope, id: &str, page: PageRequest) -> Result<Listing<Skip>> {
        let schedule = self.schedule(scope, id).await?;
        self.schedules.skips(&schedule.id, page).await
    }

    /// When each stream of a connection runs next by a schedule.
    pub async fn next_runs(&self, connection: &str) -> Result<HashMap<String, DateTime<Utc>>> {
        Ok(self.schedules.next_runs(connection).await?.into_iter().collect())
    }
}

/// Rendered for a change that keeps no answer.
fn unkept() -> StoredAnswer {
    StoredAnswer { status: 200, location: None, body: String::new() }
}

/// Most due times that are shown at once.
pub const MOST_NEXT: usize = 100;
