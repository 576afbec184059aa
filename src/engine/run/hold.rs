//! What a worker holds while it executes a run: the run's lease, further leases, and the reasons to stop.
//!
//! One heartbeat renews them all. If it cannot, or a person asks for the end, or the service stops, [`Hold::stopped`] is
//! cancelled and everything that waits on it wakes at once; [`Hold::reason`] says why.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use crate::{
    domain::clock,
    engine::ports::{Beat, Leases, Runs},
    fault::{Code, Fault},
};

/// How long a run waits with its place for a lease that another run holds. Too low: back and forth where a moment would do; too
/// high: places stand idle.
const PATIENCE: Duration = Duration::from_secs(1);
/// No factor of a test makes it shorter.
const SHORTEST_PATIENCE: Duration = Duration::from_millis(300);

/// Leases and stop reasons of one run.
pub struct Hold {
    run: String,
    fence: u64,
    holder: String,
    lease: Duration,
    fresh: Freshness,
    runs: Arc<dyn Runs>,
    leases: Arc<dyn Leases>,
    stopped: CancellationToken,
    crowded: Arc<AtomicBool>,
    state: Mutex<Held>,
}

/// How long a claim is good for.
#[derive(Clone, Copy, Debug)]
pub struct Term {
    /// When the run was asked for: its lease began no earlier.
    pub asked: Instant,
    /// How long it lasts from there.
    pub lease: Duration,
}

/// When the leases were last asked for with success. Not when the answer came: a process that stood still in between would take a lease
/// for fresh that has long run out.
struct Freshness(Mutex<Instant>);

impl Freshness {
    fn renewed(&self, asked: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = asked;
    }

    /// What is left of a lease of this length, at the least.
    fn left(&self, lease: Duration, now: Instant) -> Duration {
        let asked = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lease.saturating_sub(now.saturating_duration_since(asked))
    }
}

#[derive(Default)]
struct Held {
    leases: Vec<(String, u64)>,
    reason: Option<Fault>,
}

impl Hold {
    /// Begins to hold a claimed run. Start [`Hold::beat`] beside it.
    pub fn new(
        run: &str,
        fence: u64,
        holder: &str,
        term: Term,
        runs: Arc<dyn Runs>,
        leases: Arc<dyn Leases>,
        crowded: Arc<AtomicBool>,
    ) -> Arc<Self> {
        Arc::new(Self {
            crowded,
            run: run.to_owned(),
            fence,
            // Two runs of one worker are two holders: they must wait for each other like strangers.
            holder: format!("{holder}:{fence}:{}", run.get(20..).unwrap_or(run)),
            lease: term.lease,
            fresh: Freshness(Mutex::new(term.asked)),
            runs,
            leases,
            stopped: CancellationToken::new(),
            state: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, Held> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run that is held.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Whether something that may take so long and cannot be called back may begin now: it must be over before anybody else could take the
    /// run over.
    pub fn permits(&self, takes: Duration) -> Result<(), Fault> {
        let left = self.fresh.left(self.lease, Instant::now());
        if self.reason().is_some_and(|reason| reason.code == Code::LeaseLost) || left <= takes {
            return Err(Fault::new(
                Code::LeaseLost,
                format!("only {} ms of the lease are left for {} ms", left.as_millis(), takes.as_millis()),
            ));
        }
        Ok(())
    }

    /// The fence that every write of this run carries.
    pub fn fence(&self) -> u64 {
        self.fence
    }

    /// Cancelled when the run must stop.
    pub fn stopped(&self) -> CancellationToken {
        self.stopped.clone()
    }

    /// Why it must stop, if it must.
    pub fn reason(&self) -> Option<Fault> {
        self.state().reason.clone()
    }

    /// Stops the run for `reason`; the first reason stays.
    pub fn stop(&self, reason: Fault) {
        self.state().reason.get_or_insert(reason);
        self.stopped.cancel();
    }

    /// Fails when the run must stop. Asked between batches.
    pub fn go_on(&self) -> Result<(), Fault> {
        if self.stopped.is_cancelled() {
            Err(self.reason().unwrap_or_else(|| Fault::new(Code::Cancelled, "the run was stopped")))
        } else {
            Ok(())
        }
    }

    /// Waits, unless the run must stop.
    pub async fn wait(&self, duration: Duration) -> Result<(), Fault> {
        tokio::select! {
            () = self.stopped.cancelled() => self.go_on(),
            () = tokio::time::sleep(duration) => Ok(()),
        }
    }

    /// Takes a further lease; kept by the heartbeat until [`Hold::release`]. `Yielded` when another run keeps it for more than a moment:
    /// the place is worth more to others, and the queue knows when the lease is free.
    pub async fn take(&self, key: &str) -> Result<(), Fault> {
        let patience = clock::scaled(PATIENCE).max(SHORTEST_PATIENCE);
        if self.take_within(key, patience, || true).await? {
            return Ok(());
        }
        Err(Fault::new(Code::Yielded, "another run of this connection or shop is at work; this one goes on after it"))
    }

    /// The same, waiting for so long and as long as `worth` says so; whether it was had.
    pub async fn take_within(&self, key: &str, patience: Duration, worth: impl Fn() -> bool + Send) -> Result<bool, Fault> {
        let until = Instant::now() + patience;
        loop {
            self.go_on()?;
            if let Some(fence) = self.leases.acquire(key, &self.holder, self.lease).await? {
                self.state().leases.push((key.to_owned(), fence));
                return Ok(true);
            }
            if Instant::now() >= until || !worth() {
                return Ok(false);
            }
            self.wait(Duration::from_millis(100)).await?;
        }
    }

    /// Whether other runs wait for a place of this worker: what is not urgent makes room.
    pub fn crowded(&self) -> bool {
        self.crowded.load(Ordering::Relaxed)
    }

    /// Gives a lease back early.
    pub async fn release(&self, key: &str) -> Result<(), Fault> {
        let held = {
            let mut state = self.state();
            let place = state.leases.iter().position(|(held, _)| held == key);
            place.map(|place| state.leases.swap_remove(place))
        };
        match held {
            Some((key, fence)) => self.leases.release(&key, &self.holder, fence).await,
            None => Ok(()),
        }
    }

    /// Gives all further leases back.
    pub async fn release_all(&self) {
        let held = std::mem::take(&mut self.state().leases);
        for (key, fence) in held {
            if let Err(fault) = self.leases.release(&key, &self.holder, fence).await {
                tracing::warn!(lease = %key, error = %fault, "a lease could not be given back; it expires by itself");
            }
        }
    }

    /// Renews everything until the run is over. `service` is cancelled when the process is to stop.
    pub async fn beat(self: Arc<Self>, service: CancellationToken) {
        // A cancel must be felt within a second, and a lease renewed thrice within its time.
        let pause = (self.lease / 3).min(Duration::from_millis(500));
        loop {
            let stopping = self.stopped.is_cancelled();
            tokio::select! {
                () = service.cancelled(), if !stopping => self.stop(Fault::new(Code::Stopping, "the service is stopping")),
                () = tokio::time::sleep(pause) => {}
            }
            // A run that was told to stop still ends its batch, and needs its leases for that; the worker ends this task.
            if self.reason().is_some_and(|reason| reason.code == Code::LeaseLost) {
                return;
            }
            let asked = Instant::now();
            match self.renew().await {
                Ok(Beat::Held) => self.fresh.renewed(asked),
                Ok(Beat::CancelRequested) => self.stop(Fault::new(Code::Cancelled, "a person cancelled the run")),
                Ok(Beat::Lost) => self.stop(Fault::new(Code::LeaseLost, "the run was taken over by another worker")),
                Err(fault) if self.fresh.left(self.lease, Instant::now()).is_zero() => {
                    self.stop(Fault::new(Code::LeaseLost, "the lease could not be renewed in time").caused_by(fault));
                }
                Err(fault) => tracing::warn!(run.id = %self.run, error = %fault, "a heartbeat failed"),
            }
        }
    }

    async fn renew(&self) -> Result<Beat, Fault> {
        let beat = self.runs.beat(&self.run, self.fence, self.lease).await?;
        let held = self.state().leases.clone();
        for (key, fence) in held {
            let still = self.state().leases.iter().any(|(name, _)| *name == key);
            if still
                && !self.leases.renew(&key, &self.holder, fence, self.lease).await?
                && self.state().leases.iter().any(|(name, _)| *name == key)
            {
                return Ok(Beat::Lost);
            }
        }
        Ok(beat)
    }
}

/// The shortest lease: below it a busy machine would lose runs that are well, however much time is compressed.
const SHORTEST_LEASE: Duration = Duration::from_secs(4);

/// A lease's length under the factor that compresses time.
pub fn lease_length(lease: Duration) -> Duration {
    clock::scaled(lease).max(SHORTEST_LEASE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_whose_answer_came_late_leaves_nothing() {
        let (lease, began) = (Duration::from_secs(30), Instant::now());
        let at = |seconds: u64| began + Duration::from_secs(seconds);
        let fresh = Freshness(Mutex::new(began));
        assert_eq!(fresh.left(lease, at(10)), Duration::from_secs(20));
        fresh.renewed(at(10));
        assert_eq!(fresh.left(lease, at(12)), Duration::from_secs(28));
        // Asked at 20, then the process stood still; the answer is read at 90.
        fresh.renewed(at(20));
        assert_eq!(fresh.left(lease, at(90)), Duration::ZERO);
    }
}
