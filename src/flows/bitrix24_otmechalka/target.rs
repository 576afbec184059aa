//! otmechalka as the engine's target, with the status field of Bitrix24 as a part of each change's effect.
//!
//! Nothing in otmechalka can be listed, so what stands there is what the link remembers; a person who asks about one item is shown what its
//! look-up answers. [`Looking`] can only look, [`Writing`] writes as well.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    doubles::{Doubles, PUPIL},
    memory::Memory,
    record,
    sending::Sending,
    settings::{self, Settings},
    telling,
};
use crate::{
    domain::clock,
    engine::{
        flow::{Apply, Lookup, Observation, Observe},
        model::{Applied, Candidate, Change, Link, LinkState, Outcome, Reason, Values},
    },
    fault::{Code, Fault, failpoint},
    systems::{
        bitrix24::{self, Entity},
        otmechalka::{self, Found},
    },
};

/// Changes in one batch: as many as one batch of statuses holds. More: a dead process has more to look up again; fewer: more calls.
const BATCH: u32 = 50;

/// What this process has learned of one connection's otmechalka; only ever saves a look-up.
#[derive(Debug, Default)]
pub struct Learned {
    /// Clients that stand there.
    pub clients: HashSet<String>,
    /// How long statuses may be.
    pub lengths: HashMap<Entity, usize>,
    /// Outside ids whose creation got no answer, and when.
    pub lost: HashMap<String, Instant>,
}

/// The same, shared by the runs of a connection.
pub type Shared = Arc<Mutex<Learned>>;

/// What this process has learned, for a moment.
pub fn learned(shared: &Shared) -> MutexGuard<'_, Learned> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What both sides of the target know of the items that are looked at.
#[derive(Default)]
pub struct Sight {
    /// What links remember, by target.
    links: HashMap<String, (Option<String>, Values)>,
    doubles: Doubles,
    /// Whether somebody asks, and no run looks.
    asked: bool,
}

impl Sight {
    /// Of a run, or of somebody who asks.
    pub fn new(asked: bool) -> Self {
        Self { asked, ..Self::default() }
    }

    fn recall(&mut self, links: &HashMap<String, Link>) {
        self.links.clear();
        for link in links.values().filter(|link| link.state == LinkState::Linked) {
            if link.source.starts_with(record::CONTACT) {
                self.doubles.note_sent(&link.written, &link.source);
            }
            if let Some(target) = &link.target {
                self.links.insert(target.clone(), (link.witness.clone(), link.written.clone()));
            }
        }
    }

    async fn observe(&self, reader: &otmechalka::Reader, targets: &[String]) -> Result<HashMap<String, Observation>, Fault> {
        let mut seen = HashMap::new();
        for target in targets {
            let observation = if self.asked {
                look_up(reader, target).await?.map(|found| shown(&found))
            } else {
                let sent = self.links.get(target).filter(|(_, written)| Memory::read(written.get(super::memory::FIELD)).sent.is_some());
                sent.map(|(witness, written)| Observation { witness: witness.clone(), owned: true, values: written.clone() })
            };
            seen.extend(observation.map(|observation| (target.clone(), observation)));
        }
        Ok(seen)
    }

    fn note(&mut self, lookups: &[Lookup]) {
        for lookup in lookups {
            for (_, pupil) in lookup.keys.iter().filter(|(name, _)| name == PUPIL) {
                self.doubles.note(pupil, &lookup.source);
            }
        }
    }
}

async fn look_up(reader: &otmechalka::Reader, target: &str) -> Result<Option<Found>, Fault> {
    match target.split_once(':') {
        Some(("client", id)) => reader.find_client(id).await,
        Some(("ticket", id)) => reader.find_ticket(id).await,
        _ => Ok(None),
    }
}

/// What a look-up tells, in the form in which it is sent.
fn shown(found: &Found) -> Observation {
    let fields = found.body.as_object().into_iter().flatten();
    let value = |name: &str, value: &Value| match found.list(name) {
        Some(list) => Value::from(list),
        None => value.clone(),
    };
    let values = fields.filter(|(name, _)| *name != "id").map(|(name, told)| (name.clone(), value(name, told))).collect();
    Observation { witness: Some(found.id.clone()), owned: true, values }
}

/// The target for looking only.
pub struct Looking {
    reader: otmechalka::Reader,
    sight: Sight,
}

impl Looking {
    /// Looks by this reader.
    pub fn new(reader: otmechalka::Reader, asked: bool) -> Self {
        Self { reader, sight: Sight::new(asked) }
    }
}

#[async_trait]
impl Observe for Looking {
    async fn facts(&mut self) -> Result<Values, Fault> {
        Ok(Values::new())
    }

    async fn recall(&mut self, links: &HashMap<String, Link>) -> Result<(), Fault> {
        self.sight.recall(links);
        Ok(())
    }

    async fn observe(&mut self, targets: &[String]) -> Result<HashMap<String, Observation>, Fault> {
        self.sight.observe(&self.reader, targets).await
    }

    async fn candidates(&mut self, lookups: &[Lookup]) -> Result<HashMap<String, Vec<Candidate>>, Fault> {
        self.sight.note(lookups);
        Ok(HashMap::new())
    }

    async fn is_empty(&mut self) -> Result<bool, Fault> {
        Ok(false)
    }

    fn told(&self, _changes: u64) -> Values {
        self.sight.doubles.told()
    }
}

/// The target for writing.
pub struct Writing {
    /// Where statuses go.
    pub portal: bitrix24::Writer,
    /// Where clients and tickets go.
    pub otmechalka: otmechalka::Writer,
    /// Settings of the connection.
    pub settings: Settings,
    /// What this process has learned.
    pub shared: Shared,
    /// What links remember.
    pub sight: Sight,
    /// Cancelled when the run must stop.
    pub stop: CancellationToken,
    /// Why it cannot go on.
    pub ended: Option<Fault>,
}

/// What became of one change in otmechalka, before its status is told.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its entity and id in Bitrix24.
    pub item: (Entity, u64),
    /// The service's own id, where it told one.
    pub witness: Option<String>,
    /// The end it came to.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// Whether what was planned stands in otmechalka now.
    pub stands: bool,
    /// The text for its status; absent = none is told.
    pub status: Option<String>,
    /// Whether the ticket waits for its client.
    pub parked: bool,
}

impl Writing {
    /// What was made so long ago may still not be found: waits until it would be, or until the run is to stop.
    pub async fn settle(&self, since: Duration) {
        let lag = clock::scaled(settings::duration(&self.settings.otmechalka.lookup_lag));
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(lag.saturating_sub(since)) => {}
        }
    }

    /// A fault as it ends a run: with either system down, the run is over at once.
    pub fn ending(mut fault: Fault) -> Fault {
        if fault.code == Code::RemoteUnavailable {
            fault.code = Code::RemoteSilent;
        }
        fault
    }
}

#[async_trait]
impl Observe for Writing {
    async fn facts(&mut self) -> Result<Values, Fault> {
        Ok(Values::new())
    }

    async fn recall(&mut self, links: &HashMap<String, Link>) -> Result<(), Fault> {
        self.sight.recall(links);
        Ok(())
    }

    async fn observe(&mut self, targets: &[String]) -> Result<HashMap<String, Observation>, Fault> {
        self.sight.observe(&self.otmechalka, targets).await
    }

    async fn candidates(&mut self, lookups: &[Lookup]) -> Result<HashMap<String, Vec<Candidate>>, Fault> {
        self.sight.note(lookups);
        Ok(HashMap::new())
    }

    async fn is_empty(&mut self) -> Result<bool, Fault> {
        Ok(false)
    }

    fn told(&self, _changes: u64) -> Values {
        self.sight.doubles.told()
    }
}

#[async_trait]
impl Apply for Writing {
    fn most_at_once(&self) -> u32 {
        BATCH
    }

    fn ended_by(&mut self) -> Option<Fault> {
        self.ended.take()
    }

    async fn apply(&mut self, batch: &[Change], again: bool) -> Result<Vec<Applied>, Fault> {
        if again {
            self.settle(Duration::ZERO).await;
        }
        let mut steps: Vec<Option<Step>> = Vec::with_capacity(batch.len());
        for change in batch {
            let step = match &self.ended {
                Some(_) => None,
                None => match Sending::of(change, again)?.carry_out(self).await {
                    Ok(step) => Some(step),
                    Err(fault) if fault.code == Code::LeaseLost => return Err(fault),
                    Err(fault) => {
                        self.ended = Some(Self::ending(fault));
                        None
                    }
                },
            };
            steps.push(step);
            failpoint::hit("mid-batch");
        }
        failpoint::hit("sent-not-told");
        let told = telling::tell(self, &steps).await?;
        Ok(batch.iter().zip(steps).map(|(change, step)| step.map_or(Applied::Left, |step| telling::applied(change, step, &told))).collect())
    }

    async fn complete(&mut self, creations: &[Change]) -> Result<Vec<Option<Applied>>, Fault> {
        self.settle(Duration::ZERO).await;
        let mut done = Vec::with_capacity(creations.len());
        for change in creations {
            let sending = Sending::of(change, true)?;
            let found = look_up(&self.otmechalka, &sending.target()).await.map_err(Self::ending)?;
            done.push(found.map(|found| telling::found_again(change, &sending, found)));
        }
        Ok(done)
    }

    async fn recorded(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    async fn recorded_earlier(&mut self, _creations: &[Change]) -> Result<(), Fault> {
        Ok(())
    }

    async fn finish(&mut self, _changed: bool) -> Result<(), Fault> {
        Ok(())
    }
}
