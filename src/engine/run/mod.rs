//! One run from its claim to its end.
//!
//! - [`read`]: pages into records, or an earlier read used again
//! - `matching`: possible targets of what has no link
//! - [`decide`]: records + links + observed target into changes
//! - [`vanished`]: the same for items that the source does not list any more
//! - [`brake`]: what is over a limit waits for a person
//! - [`apply`]: changes into the target, batch by batch; [`approved`]: the same for what a person has agreed to
//! - [`hooked`]: what hooks ask for, and which of them are dealt with
//! - [`groups`]: the source's groups, and what waits for a mapping; [`locks`]: what was locked since the plan was made
//! - [`undo`]: instead of all three, taking back what another run applied
//! - `pictures`: what the changes wish to be shown, fetched and shown
//! - `traces`: what there may be to look for in the store, so that a run in which nothing happens need not look
//! - [`hold`]: the lease, its heartbeat, and everything that can stop a run

pub mod apply;
pub mod approved;
pub mod brake;
pub mod decide;
pub mod full_every;
pub mod groups;
pub mod hold;
mod hooked;
pub mod locks;
mod matching;
mod pictures;
pub mod read;
mod traces;
pub mod undo;
pub mod vanished;

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use super::{
    brakes::{Plan, Reading},
    flow::{Facts, Flow, Observe, Opened, Rules},
    hooks::Hooks,
    locks::{Guarded, Locks},
    mapping::{Inbox, MappingStore},
    model::{Connection, Counts, NewChange, Phase, ReadSummary, Run, State, Stream, Trigger},
    part::Part,
    pictures::Pictures,
    plans::Plans,
    ports::{Changes, Connections, Finish, Leases, Links, Records, Retries, Runs},
    queue::watch::Bell,
    reaction::{Reaction, react},
    secrets::Sealer,
    standing::StandingItems,
};
use crate::{
    fault::{Code, Fault, failpoint},
    telemetry::metrics,
};
use hold::Hold;
use traces::Traces;

/// What a run needs from the store.
#[derive(Clone)]
pub struct Ports {
    /// Connections and streams.
    pub connections: Arc<dyn Connections>,
    /// Runs.
    pub runs: Arc<dyn Runs>,
    /// Records.
    pub records: Arc<dyn Records>,
    /// Links.
    pub links: Arc<dyn Links>,
    /// Changes.
    pub changes: Arc<dyn Changes>,
    /// What waits for a person.
    pub plans: Arc<dyn Plans>,
    /// The retry list.
    pub retries: Arc<dyn Retries>,
    /// What stands run after run.
    pub standing: Arc<dyn StandingItems>,
    /// Wishes for pictures.
    pub pictures: Arc<dyn Pictures>,
    /// Leases.
    pub leases: Arc<dyn Leases>,
    /// What was mapped, and the source's tree of groups.
    pub mappings: Arc<dyn MappingStore>,
    /// What waits for a mapping.
    pub inbox: Arc<dyn Inbox>,
    /// Locks.
    pub locks: Arc<dyn Locks>,
    /// Hooks.
    pub hooks: Arc<dyn Hooks>,
    /// Wakes the worker.
    pub bell: Arc<Bell>,
}

/// One run in a worker's hands.
pub struct Execution {
    pub(super) ports: Ports,
    pub(super) flow: Arc<dyn Flow>,
    pub(super) connection: Connection,
    pub(super) opened: Opened,
    pub(super) run: Run,
    pub(super) hold: Arc<Hold>,
    /// Items that an earlier part of an approved run has told the metrics of.
    told: Counts,
    /// Whether an earlier taking had begun to apply: what it came to is not known for sure.
    resumed: bool,
    /// Whether it had no time for all pictures.
    pictures_left: bool,
    traces: Traces,
    /// What its brakes found, if this taking came to ask them.
    readings: OnceLock<Vec<Reading>>,
}

/// How the applied part ended.
struct Worked {
    counts: Counts,
    summary: ReadSummary,
    /// As it stood when the run was taken up.
    stream: Stream,
}

/// What a run of either kind came to.
enum Ended {
    Worked(Box<Worked>),
    Undone(Counts),
    Shown(Counts),
}

impl Execution {
    /// Prepares a claimed run: its connection, and the settings as they stood when it began.
    pub async fn prepare(ports: Ports, flows: &[Arc<dyn Flow>], sealer: &Sealer, run: Run, hold: Arc<Hold>) -> Result<Self, Fault> {
        let connection =
            ports.connections.get(&run.connection).await?.ok_or_else(|| Fault::new(Code::ConfigInvalid, "the connection was deleted"))?;
        let flow = flows
            .iter()
            .find(|flow| flow.name() == run.flow)
            .cloned()
            .ok_or_else(|| Fault::new(Code::ConfigInvalid, format!("this binary knows no flow `{}`", run.flow)))?;
        let settings = run.settings.clone().unwrap_or_else(|| connection.settings.clone());
        let opened = Opened { hold: Some(hold.clone()), stream: Some(run.stream.clone()), ..Opened::of(&connection, settings, sealer)? };
        let mut ports = ports;
        if let Some(begin) = flow.keys_of(&run.stream) {
            ports.records = Arc::new(Part::new(ports.records, begin));
        }
        let told = if run.plan.approved() && !run.dry_run { run.counts } else { Counts::default() };
        let resumed = run.phase == Phase::Apply;
        let traces = Traces::before(&run);
        Ok(Self { ports, flow, connection, opened, run, hold, told, resumed, pictures_left: false, traces, readings: OnceLock::new() })
    }

    /// Runs it to its end and writes that end down.
    pub async fn execute(mut self) {
        let began = Instant::now();
        let worked = match self.run.undo_of.clone() {
            Some(run) => self.undo(&run).await.map(Ended::Undone),
            None if self.run.trigger == Trigger::Pictures => self.go_on_with_pictures().await.map(Ended::Shown),
            None => self.work().await.map(Box::new).map(Ended::Worked),
        };
        let worked = worked.map_err(|fault| self.hold.reason().unwrap_or(fault));
        let counted = match &worked {
            Ok(Ended::Worked(worked)) => Some(worked.counts),
            Ok(Ended::Undone(_) | Ended::Shown(_)) | Err(_) => None,
        };
        let outcome = match worked {
            Ok(Ended::Worked(worked)) => self.succeed(*worked).await,
            Ok(Ended::Undone(counts)) => self.undone(counts).await,
            Ok(Ended::Shown(counts)) => self.shown(counts).await,
            Err(fault) => end_by(&self.ports, &self.run, self.hold.fence(), &fault).await,
        };
        match outcome {
            Ok(Some(state)) => {
                self.leave_pictures().await;
                self.report(state, began.elapsed(), counted).await;
            }
            Ok(None) => {}
            Err(fault) => unwritten(&self.run, &fault),
        }
    }

    /// Stores changes of this run.
    pub(super) async fn store_changes(&self, changes: Vec<NewChange>) -> Result<(), Fault> {
        self.traces.changes_are_stored();
        self.ports.changes.plan(&self.run.id, self.hold.fence(), changes).await
    }

    /// Looks what earlier runs have left of the stream.
    pub(super) async fn look_what_is_left(&self) -> Result<(), Fault> {
        let absence = self.run.read_summary.as_ref().is_some_and(ReadSummary::proves_absence);
        self.traces.are_left(self.ports.standing.left(&self.connection.id, &self.run.stream, absence).await?);
        Ok(())
    }

    fn phase_ended(&self, phase: &str, items: u64, began: Instant) {
        tracing::info!(run.id = %self.run.id, phase, items, took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or_default(), "phase ended");
    }

    /// What all its brakes found; `None` where that is only known to the store: it was decided in an earlier taking, or pictures may have
    /// tripped a brake of their own since.
    fn readings_in_full(&self) -> Option<&Vec<Reading>> {
        self.readings.get().filter(|_| self.run.phase != Phase::Pictures && !self.traces.may_have_changes())
    }

    /// The run as it has ended: as it is known here if it was decided in this taking, else as it is stored.
    async fn ended(&self, counted: Option<Counts>) -> Option<Run> {
        if let (Some(counts), Some(readings)) = (counted, self.readings_in_full()) {
            let plan = Plan { readings: readings.clone(), ..self.run.plan.clone() };
            return Some(Run { counts, plan, ..self.run.clone() });
        }
        self.ports.runs.get(&self.run.id).await.ok().flatten()
    }

    /// Tells the metrics how it ended.
    async fn report(&self, state: State, took: std::time::Duration, counted: Option<Counts>) {
        let Some(ended) = self.ended(counted).await else { return };
        let word = |value: serde_json::Result<serde_json::Value>| {
            value.ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
        };
        metrics::run_ended(&ended.flow, &word(serde_json::to_value(ended.trigger)), &word(serde_json::to_value(state)), took);
        if matches!(state, State::Succeeded | State::Partial) {
            metrics::run_succeeded(&ended.flow, &ended.connection, ended.finished_at.unwrap_or_else(crate::domain::clock::now));
        }
        // A dry run's items have come to no end yet, and an approved run has told of those that it came to before.
        let (counts, before) = (ended.counts, self.told);
        for (outcome, count, told) in [
            ("created", counts.created, before.created),
            ("updated", counts.updated, before.updated),
            ("unchanged", counts.unchanged, before.unchanged),
            ("skipped", counts.skipped, before.skipped),
            ("failed", counts.failed, before.failed),
            ("held", counts.held, before.held),
        ] {
            if !ended.dry_run || ended.plan.approved() {
                metrics::items(&ended.flow, outcome, count.saturating_sub(told));
            }
        }
        if !ended.dry_run && !ended.plan.approved() {
            self.tell_of_brakes(&ended.plan.readings, counts.held);
        }
        if (!self.traces.are_none() || metrics::retry_list_is_old(&ended.flow))
            && let Ok(waiting) = self.ports.retries.waiting(&ended.flow).await
        {
            metrics::retry_list(&ended.flow, waiting);
        }
    }

    async fn work(&mut self) -> Result<Worked, Fault> {
        self.hold.go_on()?;
        let stream = self.stream().await?;
        self.ports.runs.begin(&self.run.id, self.hold.fence(), &self.opened.settings, stream.cursor).await?;
        if self.run.cursor_before.is_none() {
            self.run.cursor_before = stream.cursor;
        }
        let engine = self.flow.engine_settings(&self.opened)?;
        if self.run.phase == Phase::Read {
            let began = Instant::now();
            let summary = self.read(&stream, engine).await?;
            self.phase_ended("read", self.run.read, began);
            failpoint::hit("after-read");
            self.run.read_summary = Some(summary);
            self.run.phase = Phase::Decide;
        }
        let summary = self.run.read_summary.clone().ok_or_else(|| Fault::internal("a run is past its read but holds no result of it"))?;
        if self.run.dry_run && self.run.phase == Phase::Decide {
            let mut observer = self.flow.observer(&self.opened).await?;
            let rules = self.rules(&mut *observer, &summary).await?;
            let counts = self.decide(&mut *observer, &*rules, engine, stream.last_synced_at.is_none()).await?;
            return Ok(Worked { counts, summary, stream });
        }
        if self.run.phase == Phase::Pictures {
            // Taken up again after its prices and stock were done.
            let counts = self.pictures().await?;
            return Ok(Worked { counts, summary, stream });
        }
        let lease = self.target_lease();
        self.hold.take(&lease).await?;
        let mut target = self.flow.target(&self.opened).await?;
        if self.run.phase == Phase::Apply {
            // Another stream's run may have finished a part of ours while we waited for the target.
            self.run.counts = self.ports.runs.get(&self.run.id).await?.map_or(self.run.counts, |run| run.counts);
        }
        let rules = self.rules(&mut *target, &summary).await?;
        self.finish_leftovers(&mut *target).await?;
        if self.run.phase == Phase::Decide {
            let began = Instant::now();
            self.run.counts = self.decide(&mut *target, &*rules, engine, stream.last_synced_at.is_none()).await?;
            self.phase_ended("decide", self.run.read, began);
            failpoint::hit("after-decide");
            self.run.phase = Phase::Apply;
        }
        if self.traces.may_have_changes() {
            self.release_held().await?;
        }
        let began = Instant::now();
        let counts = self.apply(&mut *target, &*rules).await?;
        self.phase_ended("apply", counts.created + counts.updated, began);
        if self.is_complete() && stream.last_synced_at.is_none() {
            // Whoever applies next must count this stream in, though this run still has pictures to fetch.
            self.ports.runs.applied(&self.run.id, self.hold.fence()).await?;
        }
        drop(target);
        self.hold.release(&lease).await?;
        let counts = self.pictures().await?;
        Ok(Worked { counts, summary, stream })
    }

    /// The rules, made under the target's lease: which shops count in a sum depends on the runs before this one.
    async fn rules<O: Observe + ?Sized>(&self, target: &mut O, summary: &ReadSummary) -> Result<Box<dyn Rules>, Fault> {
        let streams = self.ports.connections.streams(&self.connection.id).await?;
        let locks = self.ports.locks.locks(&self.connection.id).await?;
        let facts = Facts {
            source: summary.facts.clone(),
            target: target.facts().await?,
            mappings: self.mappings().await?,
            locks: locks.clone(),
            hooks: self.open_hooks().await?,
        };
        let rules = self.flow.rules(&self.opened, &self.run.stream, &streams, facts)?;
        Ok(Box::new(Guarded::new(rules, locks)))
    }

    pub(super) async fn stream(&self) -> Result<Stream, Fault> {
        self.ports
            .connections
            .stream(&self.run.connection, &self.run.stream)
            .await?
            .ok_or_else(|| Fault::new(Code::ConfigInvalid, format!("the stream `{}` was deleted", self.run.stream)))
    }

    /// Whether this run looks at every record and so may move the cursor. What is approved was looked at long ago.
    fn is_complete(&self) -> bool {
        self.run.items.is_none() && !self.run.dry_run && !self.run.plan.approved()
    }

    async fn succeed(&self, worked: Worked) -> Result<Option<State>, Fault> {
        let Worked { counts, summary, stream } = worked;
        let planned = self.run.dry_run && !self.run.plan.approved();
        let waits = planned || (counts.held > 0 && self.ports.plans.waiting(&self.run.id).await? > 0);
        let state = match (waits, counts.failed > 0 || !summary.whole) {
            (true, _) => State::AwaitingApproval,
            (false, true) => State::Partial,
            (false, false) => State::Succeeded,
        };
        // After an empty list the next run asks for everything again: goods that appear with a key's rights have not moved since.
        let moves = self.is_complete() && summary.whole && !summary.empty;
        if !planned && self.run.trigger != Trigger::Undo && !self.traces.are_none() {
            let whole = self.is_complete() && summary.proves_absence();
            self.ports.retries.settle(&self.connection.id, &self.run.stream, &self.run.id, whole).await?;
            self.ports.standing.settle_standing(&self.connection.id, &self.run.stream, &self.run.id, whole).await?;
        }
        failpoint::hit("before-cursor");
        let engine = self.flow.engine_settings(&self.opened)?;
        let finish = Finish {
            state,
            error: summary.doubt.clone(),
            cursor: moves.then(|| summary.started_at - crate::domain::clock::chrono_duration(engine.overlap)),
            synced: self.is_complete(),
            whole_read_at: (moves && summary.mode == super::model::Mode::Full).then_some(summary.started_at),
            full_every_seconds: if moves { full_every::next(&stream, &summary) } else { None },
            approvable_for: waits.then(|| self.plan_expiry()),
            telling: counts.held > 0 || self.readings_in_full().is_none_or(|all| all.iter().any(|one| one.tripped)),
        };
        self.ports.runs.finish(&self.run.id, self.hold.fence(), finish).await?;
        tracing::info!(
            run.id = %self.run.id, connection.id = %self.connection.id, stream = %self.run.stream, state = ?state,
            created = counts.created, updated = counts.updated, unchanged = counts.unchanged, skipped = counts.skipped, failed = counts.failed, held = counts.held,
            "run ended"
        );
        Ok(Some(state))
    }
}

/// Does to a run what the table says of the fault that ended it; its final state, if it has one now.
pub async fn end_by(ports: &Ports, run: &Run, fence: u64, fault: &Fault) -> Result<Option<State>, Fault> {
    match react(fault, run.passage.setbacks, run.phase) {
        Reaction::Abandon => {
            tracing::warn!(run.id = %run.id, error = %fault, "run left to another worker");
            Ok(None)
        }
        Reaction::Requeue(not_before) => {
            tracing::info!(run.id = %run.id, error = %fault, "run put back into the queue");
            ports.runs.requeue(&run.id, fence, not_before, false).await?;
            Ok(None)
        }
        Reaction::Setback(not_before) => {
            tracing::info!(run.id = %run.id, error = %fault, setbacks = run.passage.setbacks + 1, "run put back into the queue: something did not answer");
            ports.runs.requeue(&run.id, fence, Some(not_before), true).await?;
            Ok(None)
        }
        Reaction::Cancel => {
            tracing::info!(run.id = %run.id, "run cancelled");
            ports.runs.finish(&run.id, fence, Finish::without_effect(State::Cancelled, fault)).await?;
            Ok(Some(State::Cancelled))
        }
        Reaction::Fail => {
            tracing::error!(run.id = %run.id, connection.id = %run.connection, stream = %run.stream, error = %fault, "run failed");
            ports.runs.finish(&run.id, fence, Finish::without_effect(State::Failed, fault)).await?;
            Ok(Some(State::Failed))
        }
    }
}

/// Says that the end of a run could not be written.
fn unwritten(run: &Run, fault: &Fault) {
    if fault.code == Code::LeaseLost {
        tracing::warn!(run.id = %run.id, error = %fault, "run left to another worker");
    } else {
        tracing::error!(run.id = %run.id, error = %fault, "the end of a run could not be written; its lease will expire and another worker takes it");
    }
}

/// Ends a run that could not even begin.
pub async fn give_up(ports: &Ports, run: &Run, fence: u64, fault: &Fault) {
    if let Err(fault) = end_by(ports, run, fence, fault).await {
        unwritten(run, &fault);
    }
}
