//! After the batches: pictures are fetched, stored and shown, for a while. What is left over waits for the next run.
//!
//! Nobody waits for pictures, so they make room for prices and stock: on a worker whose places are all taken a run leaves them early,
//! and what it had no time for is a run of its own, last in the queue.
//!
//! The target is held only while rows are written, so other streams of the connection synchronise meanwhile. One run at a time does
//! this for a link space; its wishes belong to the space, so it also does what other runs left.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};

use super::{Execution, hold::Hold};
use crate::{
    domain::clock,
    engine::{
        brakes::{self, Limits, Reading},
        model::{Applied, ChangeState, Counts, FieldChange, NewChange, Op, Outcome, Phase, Reason, State, Trigger},
        pictures::{FIELD, Fetched, Gallery, Intent, Known, Rest, Settled, Show, Tally, Wish},
        ports::Finish,
        queue::{pictures_lease, target_lease},
    },
    fault::{Fault, failpoint},
};

/// How long a run works on pictures. Too short: a first import's pictures take many runs; too long: the stream's next prices wait.
const BUDGET: Duration = Duration::from_secs(120);
/// Wishes looked at together: their rows are written by one set of statements.
const WISHES: u32 = 200;
/// Pictures fetched at once over all hosts. Too low: the network idles; too high: memory, since each may have `max_bytes`.
const AT_ONCE: usize = 16;
/// Fetched pictures that are recorded by one statement, if as many have come.
const RECORDED_TOGETHER: usize = 32;

/// On a worker whose places are all taken, a run works on pictures at least so long, so that they come on a busy service too.
const LEAST: Duration = Duration::from_secs(5);

/// How long a run goes on with pictures.
struct Until {
    least: Instant,
    most: Instant,
    hold: Arc<Hold>,
}

impl Until {
    fn is_over(&self) -> bool {
        let now = Instant::now();
        now >= self.most || (now >= self.least && self.hold.crowded())
    }
}

/// What came of one address in this run.
enum Came {
    /// It is there.
    Here(String),
    /// It is not; `now` = it was tried in this run, `again` = it will be tried again.
    Failed { reason: Reason, now: bool, again: bool },
    /// There was no time.
    NoTime,
}

impl Execution {
    /// Works on the wishes of this link space; the run's counts with what was done.
    pub(super) async fn pictures(&mut self) -> Result<Counts, Fault> {
        let Some(gallery) = self.flow.gallery(&self.opened).await? else { return Ok(self.run.counts) };
        let space = self.connection.link_space.clone();
        let only = self.run.items.clone();
        if self.ports.pictures.due(&space, only.as_deref(), None, 1).await?.is_empty() {
            return Ok(self.run.counts);
        }
        let began = Instant::now();
        if self.run.phase != Phase::Pictures {
            self.ports.runs.showing(&self.run.id, self.hold.fence()).await?;
            self.run.phase = Phase::Pictures;
        }
        let lease = pictures_lease(&space);
        if !self.hold.take_within(&lease, BUDGET, || !self.hold.crowded()).await? {
            self.pictures_left = true;
            return Ok(self.run.counts);
        }
        let until = Until { least: Instant::now() + clock::scaled(LEAST), most: Instant::now() + BUDGET, hold: self.hold.clone() };
        let mut after: Option<String> = None;
        let limits = self.picture_limits().await?;
        loop {
            self.hold.go_on()?;
            if until.is_over() {
                self.pictures_left = true;
                break;
            }
            let wishes = self.ports.pictures.due(&space, only.as_deref(), after.as_deref(), WISHES).await?;
            let Some(last) = wishes.last() else { break };
            after = Some(last.source.clone());
            let wishes = self.open_wishes(wishes).await?;
            let mut tally = Tally::default();
            let came = self.fetch(&*gallery, &wishes, &until, only.is_some(), &mut tally).await?;
            if !self.show(&*gallery, wishes, &came, tally, limits.as_ref(), &until).await? {
                self.pictures_left = true;
                break;
            }
        }
        self.hold.release(&lease).await?;
        let pictures = self.run.counts.pictures;
        self.note_pictures(limits.as_ref(), pictures).await?;
        self.phase_ended("pictures", pictures.fetched, began);
        Ok(self.run.counts)
    }

    /// Has every address of these wishes fetched that is not known yet.
    async fn fetch(
        &self,
        gallery: &dyn Gallery,
        wishes: &[Wish],
        until: &Until,
        asked: bool,
        tally: &mut Tally,
    ) -> Result<HashMap<String, Came>, Fault> {
        let addresses: BTreeSet<&String> = wishes.iter().flat_map(|wish| &wish.addresses).collect();
        let addresses: Vec<String> = addresses.into_iter().cloned().collect();
        let mut known = self.ports.pictures.known(gallery.place(), &addresses).await?;
        let stop = self.hold.stopped();
        let work = stream::iter(addresses.into_iter().map(|address| {
            let known = known.remove(&address).unwrap_or_else(Known::nothing);
            let stop = stop.clone();
            async move { self.fetch_one(gallery, address, known, until, asked, &stop).await }
        }));
        let mut came = HashMap::new();
        let mut work = std::pin::pin!(work.buffer_unordered(AT_ONCE).ready_chunks(RECORDED_TOGETHER));
        while let Some(some) = work.next().await {
            let mut fetched = Vec::new();
            for one in some {
                let (address, what, news) = one?;
                if let Some(news) = news {
                    tally.fetched += 1;
                    tally.failed += u64::from(matches!(news, Fetched::Failed(_)));
                    fetched.push((address.clone(), news));
                }
                came.insert(address, what);
            }
            if !fetched.is_empty() {
                failpoint::hit("pictures-stored");
                self.ports.pictures.remember(gallery.place(), &fetched).await?;
            }
        }
        Ok(came)
    }

    async fn fetch_one(
        &self,
        gallery: &dyn Gallery,
        address: String,
        known: Known,
        until: &Until,
        asked: bool,
        stop: &tokio_util::sync::CancellationToken,
    ) -> Result<(String, Came, Option<Fetched>), Fault> {
        let standing = match &known.stored {
            Some(stored) if gallery.holds(&stored.path).await => Some(stored.clone()),
            _ => None,
        };
        if let Some(stored) = standing.as_ref().filter(|_| !known.old) {
            return Ok((address, Came::Here(stored.path.clone()), None));
        }
        if let Some(reason) = known.failed.clone().filter(|_| !known.due && !asked) {
            let again = known.tries_left > 0;
            let what = standing.map_or(Came::Failed { reason, now: false, again }, |stored| Came::Here(stored.path));
            return Ok((address, what, None));
        }
        if until.is_over() {
            return Ok((address, Came::NoTime, None));
        }
        let fetched = gallery.fetch(&address, standing.as_ref(), stop).await?;
        let what = match (&fetched, standing) {
            (Fetched::Stored(stored), _) => Came::Here(stored.path.clone()),
            // What we have serves on while its source does not answer.
            (Fetched::Unchanged | Fetched::Failed(_), Some(stored)) => Came::Here(stored.path),
            (Fetched::Failed(reason), None) => Came::Failed { reason: reason.clone(), now: true, again: known.tries_left > 0 },
            (Fetched::Unchanged, None) => Came::NoTime,
        };
        Ok((address, what, Some(fetched)))
    }

    /// Writes what came to the targets, and down what is left; `false` when the target was not to be had before the time was over. Where too
    /// many pictures fail, none takes the place of others while one of its item still fails: that waits for a person, or for the pictures.
    async fn show(
        &mut self,
        gallery: &dyn Gallery,
        wishes: Vec<Wish>,
        came: &HashMap<String, Came>,
        mut tally: Tally,
        limits: Option<&Limits>,
        until: &Until,
    ) -> Result<bool, Fault> {
        let so_far = self.run.counts.pictures;
        let so_far = Tally { fetched: so_far.fetched + tally.fetched, failed: so_far.failed + tally.failed, ..so_far };
        let tripped = limits.and_then(|limits| brakes::pictures(limits, so_far)).filter(|reading| reading.tripped);
        let (space, fence) = (self.connection.link_space.clone(), self.hold.fence());
        let of = |address: &String| came.get(address).unwrap_or(&Came::NoTime);
        let wishes: Vec<Wish> =
            wishes.into_iter().filter(|wish| !wish.addresses.iter().any(|address| matches!(of(address), Came::NoTime))).collect();
        let comes_later = |address: &String| matches!(of(address), Came::Failed { again: true, .. });
        let sources: Vec<String> = wishes.iter().filter(|_| tripped.is_some()).map(|wish| wish.source.clone()).collect();
        let links = if sources.is_empty() { HashMap::new() } else { self.ports.links.holding(&space, &sources).await? };
        let (mut shows, mut report, mut postponed) = (Vec::new(), Vec::new(), BTreeSet::new());
        for wish in &wishes {
            let mut paths: Vec<String> = Vec::new();
            for address in &wish.addresses {
                // Two addresses of the same content are one picture.
                if let Came::Here(path) = of(address)
                    && !paths.contains(path)
                {
                    paths.push(path.clone());
                }
            }
            let ours: BTreeSet<String> = wish.ours.iter().chain(&paths).cloned().collect();
            let ours: Vec<String> = ours.into_iter().collect();
            let loses = !paths.is_empty() && wish.ours.iter().any(|path| !paths.contains(path));
            let waits = tripped.as_ref().filter(|_| loses && wish.addresses.iter().any(comes_later));
            if let Some(reading) = waits {
                // Who only goes on with pictures asks nobody: the connection's next run meets them, and its plan can be approved.
                match self.run.trigger {
                    Trigger::Pictures => drop(postponed.insert(wish.source.clone())),
                    _ => report.push(self.held(wish, reading, links.get(&wish.source).and_then(|link| link.source_seen_at))),
                }
                paths.clear();
            }
            shows.push(Show { target: wish.target.clone(), witness: wish.witness.clone(), paths, ours });
        }
        let shown: Vec<String> = shows.iter().filter(|show| !show.paths.is_empty()).map(|show| show.target.clone()).collect();
        let lease = self.target_lease();
        if !self.hold.take_within(&lease, BUDGET, || !until.is_over()).await? {
            return Ok(false);
        }
        let stands = gallery.standing(&shown).await?;
        let some = wishes.iter().zip(&shows).filter(|(_, show)| !show.paths.is_empty());
        let intents: Vec<Intent> = some
            .map(|(wish, show)| Intent { source: wish.source.clone(), ours: show.ours.clone(), stands: stands.get(&show.target).cloned() })
            .collect();
        self.ports.pictures.intend(&self.run.id, fence, &space, &intents).await?;
        let answers = gallery.show(&shows).await?;
        failpoint::hit("pictures-shown");
        let mut stands = gallery.standing(&shown).await?;
        let mut ends = Vec::new();
        for ((wish, show), answer) in wishes.iter().zip(shows).zip(answers).filter(|((wish, _), _)| !postponed.contains(&wish.source)) {
            let failed: Vec<String> = wish.addresses.iter().filter(|address| matches!(of(address), Came::Failed { .. })).cloned().collect();
            let stands = stands.remove(&show.target);
            let (rest, ours) = match answer {
                Applied::Gone { .. } => (Rest::NoTarget, Vec::new()),
                Applied::Done { .. } => {
                    tally.shown += u64::from(!show.paths.is_empty());
                    report.extend(failures(wish, &of));
                    // What once was ours may stand there again after an undo: it stays ours.
                    let ours = if show.paths.is_empty() { wish.ours.clone() } else { show.ours };
                    (if failed.is_empty() { Rest::Nothing } else { Rest::Failed(failed) }, ours)
                }
                // Left as it is: the next run looks again.
                Applied::Conflict { .. } | Applied::Failed { .. } | Applied::Otherwise(_) | Applied::Left => continue,
            };
            ends.push(Settled { source: wish.source.clone(), version: wish.version, ours, stands, rest });
        }
        if !report.is_empty() {
            // They are changes of this run, too: what failed goes on the retry list.
            self.traces.changes_are_stored();
        }
        self.run.counts = self.ports.pictures.settle(&self.run.id, fence, &space, gallery.place(), &ends, report, tally).await?;
        self.hold.release(&lease).await?;
        Ok(true)
    }

    /// A run that only goes on with the pictures which another had no time for.
    pub(super) async fn go_on_with_pictures(&mut self) -> Result<Counts, Fault> {
        self.hold.go_on()?;
        self.ports.runs.begin(&self.run.id, self.hold.fence(), &self.opened.settings, None).await?;
        self.pictures().await
    }

    /// Ends such a run: cursor and clock of the stream are not its own.
    pub(super) async fn shown(&self, counts: Counts) -> Result<Option<State>, Fault> {
        let state = if counts.failed > 0 { State::Partial } else { State::Succeeded };
        self.ports.runs.finish(&self.run.id, self.hold.fence(), Finish::beside_stream(state)).await?;
        tracing::info!(run.id = %self.run.id, connection.id = %self.connection.id, state = ?state, pictures = ?counts.pictures, "run ended");
        Ok(Some(state))
    }

    /// Has what was not reached gone on with. If that cannot be written, the next run of the connection does it.
    pub(super) async fn leave_pictures(&self) {
        if !self.pictures_left {
            return;
        }
        match self.ports.runs.show_rest(&self.run.id).await {
            Ok(queued) => tracing::debug!(run.id = %self.run.id, queued, "pictures are left for later"),
            Err(fault) => {
                tracing::warn!(run.id = %self.run.id, error = %fault, "pictures that are left wait for the connection's next run")
            }
        }
    }

    /// One line for an item whose pictures wait, though some of them are here. Once it is approved, they are wished for anew.
    ///
    /// The clock of a remote is known to the second: what this run looked at is no older than what was written before it.
    fn held(&self, wish: &Wish, reading: &Reading, written: Option<DateTime<Utc>>) -> NewChange {
        let rule = Reason::new("pictures_of_source");
        let seen_at = self.run.read_summary.as_ref().map_or_else(clock::now, |summary| summary.started_at);
        let seen_at = written.map_or(seen_at, |written| written.max(seen_at));
        NewChange {
            op: Op::Update,
            fields: vec![FieldChange { field: FIELD.into(), old: None, new: wish.addresses.clone().into(), rule }],
            reason: reading.reason(),
            outcome: Outcome::Held,
            state: ChangeState::Held,
            undo: "restore".into(),
            source_seen_at: seen_at,
            ..line(wish)
        }
    }

    /// Who holds it writes into the target. By link space, not by connection: two connections of one seller on one shop would make
    /// the same goods twice.
    pub(super) fn target_lease(&self) -> String {
        target_lease(&self.connection.link_space)
    }
}

/// One line for an item some of whose pictures failed in this run.
fn failures<'a>(wish: &'a Wish, of: &impl Fn(&'a String) -> &'a Came) -> Option<NewChange> {
    let mut fields = Vec::new();
    let mut first = None;
    for address in &wish.addresses {
        if let Came::Failed { reason, now: true, .. } = of(address) {
            first.get_or_insert_with(|| reason.clone());
            fields.push(FieldChange { field: FIELD.into(), old: None, new: address.clone().into(), rule: reason.clone() });
        }
    }
    first.map(|reason| NewChange { fields, reason, ..line(wish) })
}

/// A line of the report about a wish that failed.
fn line(wish: &Wish) -> NewChange {
    NewChange {
        source: wish.source.clone(),
        name: wish.name.clone(),
        target: Some(wish.target.clone()),
        witness: wish.witness.clone(),
        op: Op::None,
        fields: Vec::new(),
        reason: Reason::default(),
        outcome: Outcome::Failed,
        state: ChangeState::Failed,
        undo: "never:nothing was written".into(),
        link_origin: None,
        source_seen_at: clock::now(),
        risks: 0,
        keep: Default::default(),
    }
}
