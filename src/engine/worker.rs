//! Takes runs and executes them, as many at once as the options allow; stops at batch borders.
//!
//! Any number of workers, in any number of processes, work on one database. Which run is next is the matter of [`super::queue`].

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    flow::Flow,
    model::{Run, State},
    ports::{Beat, Claimed},
    queue::{Ask, Caps, MOST_LOSSES, Taken, Waiting},
    run::{
        Execution, Ports,
        hold::{Hold, Term, lease_length},
    },
    secrets::Sealer,
};
use crate::{
    domain::{clock, ids},
    fault::{Code, Fault},
    telemetry::metrics,
};

/// How a worker works.
#[derive(Clone, Debug)]
pub struct Options {
    /// Runs at once. Too low: sellers wait for each other; too high: each holds a connection to its shop.
    pub places: usize,
    /// What may be at work at once over all processes.
    pub caps: Caps,
    /// How long a silent worker keeps its runs. Too low: a slow moment loses them; too high: a dead worker's runs wait.
    pub lease: Duration,
    /// How long a stop waits for runs to reach a batch border.
    pub drain: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { places: 8, caps: Caps::default(), lease: Duration::from_secs(30), drain: Duration::from_secs(25) }
    }
}

/// How often plans are looked through for expired ones. Only what is shown hangs on it: an expired plan is never applied.
const SWEEP: Duration = Duration::from_secs(20);
/// How soon the queue is looked at again while runs wait for each other. Too low: queries for nothing; too high: shops stand idle.
const BUSY_POLL: Duration = Duration::from_millis(250);
/// No factor of a test makes it shorter.
const SHORTEST_POLL: Duration = Duration::from_millis(50);
/// A lease is longer than the longest write of its flow by this much. Too low: a heartbeat that is late holds writes up; too high: a dead
/// worker's runs wait.
const BEYOND_WRITE: Duration = Duration::from_secs(10);
/// A place that became free waits so long for others. Too low: a claim, which goes one after the other over all copies, for each run; too
/// high: places stand empty.
const GATHER: Duration = Duration::from_millis(2);
/// A list of waiting runs is good for so long. Too low: it is read again for each run; too high: what is urgent is seen late.
const LIST: Duration = Duration::from_millis(400);

/// A worker of this process.
pub struct Worker {
    ports: Ports,
    flows: Vec<Arc<dyn Flow>>,
    sealer: Arc<Sealer>,
    options: Options,
    name: String,
    /// Whether runs wait for a place of this worker.
    crowded: Arc<AtomicBool>,
}

/// The waiting runs as they were last looked at.
#[derive(Default)]
struct List {
    runs: Arc<Vec<Waiting>>,
    looked: Option<Instant>,
}

impl List {
    fn is_old(&self) -> bool {
        self.runs.is_empty() || self.looked.is_none_or(|looked| looked.elapsed() >= LIST)
    }

    /// What came of a claim: who was taken waits no more, and its party has had its turn.
    fn after(&mut self, taken: &Taken) {
        let runs = Arc::make_mut(&mut self.runs);
        let now = clock::now();
        for claimed in &taken.claimed {
            runs.iter_mut().filter(|run| run.belongs.party == claimed.run.party()).for_each(|run| run.turn = Some(now));
        }
        runs.retain(|run| !taken.gone.contains(&run.run) && !taken.claimed.iter().any(|claimed| claimed.run.id == run.run));
    }
}

impl Worker {
    /// A worker under a name of its own.
    pub fn new(ports: Ports, flows: Vec<Arc<dyn Flow>>, sealer: Arc<Sealer>, options: Options) -> Self {
        Self { ports, flows, sealer, options, name: ids::fresh(), crowded: Arc::default() }
    }

    /// Works until `stop`, then waits for the runs in hand to put themselves back into the queue.
    pub async fn run(self, stop: CancellationToken) {
        let mut running = JoinSet::new();
        let worker = Arc::new(self);
        tracing::info!(worker = %worker.name, places = worker.options.places, "worker started");
        let sweep = clock::scaled(SWEEP).max(Duration::from_millis(200));
        let mut swept: Option<Instant> = None;
        let mut list = List::default();
        while !stop.is_cancelled() {
            if swept.is_none_or(|swept| swept.elapsed() >= sweep) {
                swept = Some(Instant::now());
                worker.end_expired().await;
            }
            while running.try_join_next().is_some() {}
            let waits = match worker.fill(&mut list, &mut running, &stop).await {
                Ok(waits) => waits,
                Err(fault) => {
                    tracing::error!(error = %fault, "the queue could not be read");
                    list = List::default();
                    false
                }
            };
            let pause = if waits { clock::scaled(BUSY_POLL).max(SHORTEST_POLL) } else { sweep };
            tokio::select! {
                () = stop.cancelled() => {}
                // Where runs are short the next one ends within moments, and both places are filled by one claim.
                Some(_) = running.join_next() => if waits { tokio::time::sleep(GATHER).await },
                () = worker.ports.bell.runs.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        let drained = tokio::time::timeout(worker.options.drain, async { while running.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            tracing::warn!(
                runs = running.len(),
                "some runs did not reach a batch border in time; another worker takes them when their lease expires"
            );
        }
        tracing::info!(worker = %worker.name, "worker stopped");
    }

    /// Executes one run until it has ended or waits for a person, and no other: what a command line asked for. A worker elsewhere may take
    /// it first; then its end is waited for.
    pub async fn run_one(&self, id: &str, stop: CancellationToken) -> Result<Run, Fault> {
        loop {
            let run = self.ports.runs.get(id).await?.ok_or_else(|| Fault::internal("the run is gone"))?;
            if run.state.is_final() || run.state == State::AwaitingApproval {
                return Ok(run);
            }
            let waiting = self.ports.runs.waiting().await?.into_iter().filter(|waiting| waiting.run == id).collect();
            let asked = Instant::now();
            let taken = self.ports.runs.claim(Arc::new(waiting), self.ask(1)).await?;
            if let Some(claimed) = taken.claimed.into_iter().next() {
                self.execute(claimed, asked, stop.clone()).await;
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(run),
                () = tokio::time::sleep(clock::scaled(BUSY_POLL).max(SHORTEST_POLL)) => {}
            }
        }
    }

    fn ask(&self, places: usize) -> Ask {
        Ask { worker: self.name.clone(), lease: lease_length(self.options.lease), places, caps: self.options.caps }
    }

    /// Takes runs into the free places; whether any still wait.
    async fn fill(self: &Arc<Self>, list: &mut List, running: &mut JoinSet<()>, stop: &CancellationToken) -> Result<bool, Fault> {
        loop {
            if list.is_old() {
                list.runs = Arc::new(self.ports.runs.waiting().await?);
                list.looked = Some(Instant::now());
                metrics::queue(list.runs.len());
            }
            let places = self.options.places.saturating_sub(running.len());
            if stop.is_cancelled() || list.runs.iter().all(|run| run.barred) {
                self.crowded.store(false, Ordering::Relaxed);
                return Ok(!list.runs.is_empty());
            }
            let asked = Instant::now();
            let taken = self.ports.runs.claim(list.runs.clone(), self.ask(places)).await?;
            list.after(&taken);
            let (full, sure) = (taken.claimed.len() >= places, taken.gone.is_empty());
            for claimed in taken.claimed {
                metrics::queue_waited(&claimed.run.flow, claimed.waited);
                let (worker, stop) = (self.clone(), stop.clone());
                running.spawn(async move { worker.execute(claimed, asked, stop).await });
            }
            if full || sure {
                self.crowded.store(full && taken.more, Ordering::Relaxed);
                return Ok(!list.runs.is_empty());
            }
        }
    }

    /// Plans that nobody approved in time are over.
    async fn end_expired(&self) {
        match self.ports.plans.expire().await {
            Ok(0) => {}
            Ok(ended) => tracing::info!(runs = ended, "plans expired"),
            Err(fault) => tracing::warn!(error = %fault, "expired plans could not be ended; they are looked at again"),
        }
    }

    /// How long this run's lease is good for. It was taken with the usual length, and is made longer for flows whose writes take longer;
    /// `None` if that failed: the run is somebody else's, or has been put back into the queue.
    async fn term(&self, run: &Run, fence: u64, asked: Instant) -> Option<Term> {
        let usual = lease_length(self.options.lease);
        let needed = self.flows.iter().find(|flow| flow.name() == run.flow).map(|flow| flow.longest_write() + BEYOND_WRITE);
        let lease = needed.map_or(usual, |needed| lease_length(needed).max(usual));
        if lease == usual {
            return Some(Term { asked, lease });
        }
        let asked = Instant::now();
        match self.ports.runs.beat(&run.id, fence, lease).await {
            Ok(Beat::Held | Beat::CancelRequested) => Some(Term { asked, lease }),
            Ok(Beat::Lost) => {
                tracing::warn!(run.id = %run.id, "run left to another worker: it was taken over at once");
                None
            }
            Err(fault) => {
                super::run::give_up(&self.ports, run, fence, &fault).await;
                None
            }
        }
    }

    async fn execute(&self, claimed: Claimed, asked: Instant, stop: CancellationToken) {
        let Claimed { run, fence, .. } = claimed;
        tracing::info!(run.id = %run.id, flow = %run.flow, connection.id = %run.connection, stream = %run.stream, phase = ?run.phase, attempt = run.attempts, "run taken");
        let Some(term) = self.term(&run, fence, asked).await else { return };
        let (runs, leases) = (self.ports.runs.clone(), self.ports.leases.clone());
        let hold = Hold::new(&run.id, fence, &self.name, term, runs, leases, self.crowded.clone());
        if run.passage.losses >= MOST_LOSSES {
            let lost = format!("{} workers in a row fell silent over this run without a step forward", run.passage.losses);
            super::run::give_up(&self.ports, &run, fence, &Fault::new(Code::WorkerLost, lost)).await;
            return;
        }
        if run.cancel_requested {
            // Asked while a worker that died held it: the answer must not wait for a heartbeat, by which time the run may be through.
            hold.stop(Fault::new(Code::Cancelled, "a person cancelled the run"));
        }
        let beat = tokio::spawn(hold.clone().beat(stop));
        let id = run.id.clone();
        match Execution::prepare(self.ports.clone(), &self.flows, &self.sealer, run.clone(), hold.clone()).await {
            Ok(execution) => {
                // A panic must not take the worker with it, nor leave the run to its lease without a word.
                if let Err(panic) = tokio::spawn(execution.execute()).await {
                    tracing::error!(run.id = %id, error = %panic, "a run ended by a panic");
                    super::run::give_up(&self.ports, &run, fence, &Fault::internal("a mistake of ours ended the run")).await;
                }
            }
            Err(fault) => super::run::give_up(&self.ports, &run, fence, &fault).await,
        }
        beat.abort();
        hold.release_all().await;
    }
}
