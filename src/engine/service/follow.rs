//! Following runs: a snapshot whenever a run's version moves, whichever process executes it.
//!
//! One poller for all runs that anybody of this process follows asks the database for their versions, and fetches the runs that have
//! moved; it ends with the last follower. So a hundred open pages cost one small query per [`POLL`].

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    domain::clock,
    engine::{
        model::{Run, State},
        ports::Runs,
    },
    fault::{Code, Fault},
};

/// How often versions are asked for. Too low: queries for nothing; too high: progress that jumps.
const POLL: Duration = Duration::from_millis(500);
/// No factor of a test makes it shorter.
const SHORTEST_POLL: Duration = Duration::from_millis(50);
/// Followers of one process at most. Each holds a connection of its caller; too low refuses people, too high lets one page that
/// opens streams in a loop use up the process.
pub const MOST: usize = 200;

/// Whether nothing more happens to a run by itself: it has ended, or waits for a person.
pub fn is_over(run: &Run) -> bool {
    run.state.is_final() || run.state == State::AwaitingApproval
}

/// The runs that are followed in this process. Clones share them.
#[derive(Clone)]
pub struct Followers(Arc<Shared>);

struct Shared {
    runs: Arc<dyn Runs>,
    followed: Mutex<Followed>,
    places: Arc<Semaphore>,
    stop: CancellationToken,
}

#[derive(Default)]
struct Followed {
    runs: HashMap<String, watch::Sender<Arc<Run>>>,
    polled: bool,
}

/// One follower of one run.
pub struct Following {
    run: watch::Receiver<Arc<Run>>,
    stop: CancellationToken,
    _place: OwnedSemaphorePermit,
}

impl Following {
    /// The run as it was last seen.
    pub fn now(&mut self) -> Arc<Run> {
        self.run.borrow_and_update().clone()
    }

    /// Waits until the run has moved; `false` when there will be no more to see: the run is gone, or the process stops.
    pub async fn moved(&mut self) -> bool {
        tokio::select! {
            () = self.stop.cancelled() => false,
            moved = self.run.changed() => moved.is_ok(),
        }
    }
}

impl Followers {
    /// Nobody follows anything yet.
    pub fn new(runs: Arc<dyn Runs>) -> Self {
        Self(Arc::new(Shared { runs, followed: Mutex::default(), places: Arc::new(Semaphore::new(MOST)), stop: CancellationToken::new() }))
    }

    /// Follows a run that was just looked up. `TooManyStreams` when this process has no place left.
    pub fn follow(&self, run: Run) -> Result<Following, Fault> {
        let place = self.0.places.clone().try_acquire_owned().map_err(|_| {
            Fault::new(Code::TooManyStreams, format!("this process follows {MOST} runs already"))
                .until(clock::now() + chrono::Duration::seconds(30))
        })?;
        let mut followed = self.0.followed();
        let sender = followed.runs.entry(run.id.clone()).or_insert_with(|| watch::Sender::new(Arc::new(run.clone())));
        sender.send_if_modified(|known| {
            let newer = run.version > known.version;
            if newer {
                *known = Arc::new(run);
            }
            newer
        });
        let run = sender.subscribe();
        if !std::mem::replace(&mut followed.polled, true) {
            tokio::spawn(self.0.clone().poll());
        }
        Ok(Following { run, stop: self.0.stop.clone(), _place: place })
    }

    /// Ends every following: the process stops.
    pub fn close(&self) {
        self.0.stop.cancel();
    }
}

impl Shared {
    fn followed(&self) -> MutexGuard<'_, Followed> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn poll(self: Arc<Self>) {
        let pause = clock::scaled(POLL).max(SHORTEST_POLL);
        let mut failing = false;
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            let known: Vec<(String, u64)> = {
                let mut followed = self.followed();
                followed.runs.retain(|_, sender| sender.receiver_count() > 0);
                followed.polled = !followed.runs.is_empty();
                followed.runs.iter().map(|(id, sender)| (id.clone(), sender.borrow().version)).collect()
            };
            if known.is_empty() {
                return;
            }
            match self.look(&known).await {
                Ok(()) => failing = false,
                Err(fault) if !std::mem::replace(&mut failing, true) => {
                    tracing::warn!(error = %fault, "followed runs could not be looked at; it is tried again until it works");
                }
                Err(_) => {}
            }
        }
    }

    async fn look(&self, known: &[(String, u64)]) -> Result<(), Fault> {
        let ids: Vec<String> = known.iter().map(|(id, _)| id.clone()).collect();
        let versions: HashMap<String, u64> = self.runs.versions(&ids).await?.into_iter().collect();
        for (id, version) in known {
            match versions.get(id) {
                Some(now) if now == version => {}
                Some(_) => {
                    if let Some(run) = self.runs.get(id).await?
                        && let Some(sender) = self.followed().runs.get(id)
                    {
                        sender.send_replace(Arc::new(run));
                    }
                }
                // Taken away by retention: its followers have seen its end long ago.
                None => drop(self.followed().runs.remove(id)),
            }
        }
        Ok(())
    }
}
