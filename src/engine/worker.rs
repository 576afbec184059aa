//! Claims runs and executes them, as many at once as the options allow; stops at batch borders.
//!
//! Any number of workers, in any number of processes, work on one database: a claim is a compare-and-set, so no leader is needed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::Semaphore, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{
    flow::Flow,
    model::{Run, State},
    ports::Claimed,
    run::{
        Execution, Ports,
        hold::{Hold, lease_length},
    },
    secrets::Sealer,
};
use crate::{
    domain::{clock, ids},
    fault::{Code, Fault},
};

/// How a worker works.
#[derive(Clone, Debug)]
pub struct Options {
    /// Runs at once. Too low: sellers wait for each other; too high: each holds a connection to its shop.
    pub concurrency: usize,
    /// How long a silent worker keeps its runs. Too low: a slow moment loses them; too high: a dead worker's runs wait.
    pub lease: Duration,
    /// How often the queue is looked at.
    pub poll: Duration,
    /// How long a stop waits for runs to reach a batch border.
    pub drain: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { concurrency: 4, lease: Duration::from_secs(30), poll: Duration::from_millis(250), drain: Duration::from_secs(25) }
    }
}

/// How often plans are looked through for expired ones. Only what is shown hangs on it: an expired plan is never applied.
const SWEEP: Duration = Duration::from_secs(20);

/// A worker of this process.
pub struct Worker {
    ports: Ports,
    flows: Vec<Arc<dyn Flow>>,
    sealer: Arc<Sealer>,
    options: Options,
    name: String,
}

impl Worker {
    /// A worker under a name of its own.
    pub fn new(ports: Ports, flows: Vec<Arc<dyn Flow>>, sealer: Arc<Sealer>, options: Options) -> Self {
        Self { ports, flows, sealer, options, name: ids::fresh() }
    }

    /// Works until `stop`, then waits for the runs in hand to put themselves back into the queue.
    pub async fn run(self, stop: CancellationToken) {
        let places = Arc::new(Semaphore::new(self.options.concurrency));
        let mut running = JoinSet::new();
        let worker = Arc::new(self);
        tracing::info!(worker = %worker.name, concurrency = worker.options.concurrency, "worker started");
        let mut swept: Option<Instant> = None;
        while !stop.is_cancelled() {
            if swept.is_none_or(|swept| swept.elapsed() >= clock::scaled(SWEEP).max(Duration::from_millis(200))) {
                swept = Some(Instant::now());
                worker.end_expired().await;
            }
            while running.try_join_next().is_some() {}
            let place = tokio::select! {
                () = stop.cancelled() => break,
                place = places.clone().acquire_owned() => place,
            };
            let Ok(place) = place else { break };
            match worker.ports.runs.claim(&worker.name, lease_length(worker.options.lease)).await {
                Ok(Some(claimed)) => {
                    let (worker, stop) = (worker.clone(), stop.clone());
                    running.spawn(async move {
                        worker.execute(claimed, stop).await;
                        drop(place);
                    });
                    continue;
                }
                Ok(None) => {}
                Err(fault) => tracing::error!(error = %fault, "the queue could not be read"),
            }
            drop(place);
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(clock::scaled(worker.options.poll).max(Duration::from_millis(20))) => {}
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
            if let Some(claimed) = self.ports.runs.claim_one(id, &self.name, lease_length(self.options.lease)).await? {
                self.execute(claimed, stop.clone()).await;
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(run),
                () = tokio::time::sleep(clock::scaled(self.options.poll).max(Duration::from_millis(20))) => {}
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

    async fn execute(&self, claimed: Claimed, stop: CancellationToken) {
        let Claimed { run, fence } = claimed;
        tracing::info!(run.id = %run.id, flow = %run.flow, connection.id = %run.connection, stream = %run.stream, phase = ?run.phase, attempt = run.attempts, "run taken");
        let hold =
            Hold::new(&run.id, fence, &self.name, lease_length(self.options.lease), self.ports.runs.clone(), self.ports.leases.clone());
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
