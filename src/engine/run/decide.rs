//! The decide phase: records + links + what stands in the target now, into changes. Repeatable: an interrupted one begins anew.
//!
//! Every run decides over every record of the connection, in the order of their keys, and compares with what stands in the
//! target *now*. So failed items come back by themselves ([`crate::engine::retry_list`]), a hand edit is seen, and the order of
//! pages does not matter. Unchanged items cost no row, only a count.

use std::collections::{HashMap, HashSet};

use super::{Execution, hooked::Walk, matching::Matches};
use crate::{
    engine::{
        flow::{Decision, EngineSettings, Gone, Item, LinkDecision, Observation, Observe, Rules},
        hooks,
        link::{Note, Noted},
        mapping::{Span, Waiting},
        model::{CREATED, Candidate, ChangeState, Counts, Link, LinkState, NewChange, Op, Outcome, Phase, RECREATED, ReadSummary},
        ports::StoredRecord,
        retry_list::{Listed, Patience, weigh},
        standing::{self, Standing},
        undo::{self, HeldBack},
    },
    fault::{Code, Fault, failpoint},
};

/// Records looked at together: large enough that set-based queries pay, small enough that memory stays flat.
pub(super) const CHUNK: u32 = 1_000;
/// Failures below this number never stop a run, whatever their share.
const FEW_FAILURES: u64 = 20;

/// A chunk of records with everything the rules look at.
pub(super) struct Chunk {
    pub(super) records: Vec<StoredRecord>,
    pub(super) links: HashMap<String, Link>,
    pub(super) observed: HashMap<String, Observation>,
    /// Those that failed before.
    listed: HashMap<String, Listed>,
    /// Those that were left alone or held before.
    standing: Standing,
}

impl Chunk {
    /// What stands in the target for an item that is linked, or is linked by this very decision.
    pub(super) fn observed_for(&self, decision: &Decision, link: Option<&Link>) -> Option<&Observation> {
        let target = match (&decision.link, link) {
            (LinkDecision::Auto(candidate), _) => Some(&candidate.target),
            (_, Some(link)) if link.state == LinkState::Linked => link.target.as_ref(),
            _ => None,
        };
        target.and_then(|target| self.observed.get(target))
    }
}

impl Execution {
    /// Decides over all records and stores the plan; `first` is a run of a stream that was never synchronised. Returns the counts of what needs no applying (in a dry run: of everything).
    pub(super) async fn decide<O: Observe + ?Sized>(
        &self,
        target: &mut O,
        rules: &dyn Rules,
        engine: EngineSettings,
        first: bool,
    ) -> Result<Counts, Fault> {
        let fence = self.hold.fence();
        if self.traces.may_have_changes() {
            self.ports.changes.clear(&self.run.id, fence).await?;
        }
        self.look_what_is_left().await?;
        let mut matches = self.match_unlinked(target, rules).await?;
        let only: Option<HashSet<&str>> = self.run.items.as_ref().map(|items| items.iter().map(String::as_str).collect());
        let (patience, everything) = (Patience::of(&self.run), standing::tells_everything(&self.run));
        let mut counts = Counts::default();
        let mut scale = self.scale(first);
        let mut after: Option<String> = None;
        let (mut changes, mut told) = (0, 0);
        let mut walk = Walk::new(rules.concerns());
        loop {
            self.hold.go_on()?;
            let records = self.next_records(&mut walk).await?;
            let from = after.clone();
            after = records.last().map(|last| last.record.key.clone());
            if after.is_none() {
                self.settle_inbox(Span::Keys(from, None), Vec::new()).await?;
                break;
            }
            let chunk = self.chunk(target, records, &matches).await?;
            if rules.recreates() {
                self.match_deleted(target, rules, &chunk, &mut matches).await?;
            }
            let mut plan = Vec::new();
            let mut questions = Vec::new();
            let mut closed = Vec::new();
            let mut waiting = Vec::new();
            let mut released = Vec::new();
            let mut taken_up = Vec::new();
            let mut noted = Vec::new();
            let mut dealt_with = Vec::new();
            for stored in &chunk.records {
                if only.as_ref().is_some_and(|only| !only.contains(stored.record.key.as_str())) {
                    continue;
                }
                let Judged { decision, link, released: moved, note } = decide_one(rules, stored, &chunk, &matches, None);
                noted.extend(of_item(stored, note));
                if !moved.is_empty() {
                    released.push((stored.record.key.clone(), moved));
                }
                let (decision, taken) = weigh(decision, chunk.listed.get(&stored.record.key), patience);
                if taken {
                    taken_up.push(stored.record.key.clone());
                }
                let waits_for = rules.waits_for(&stored.record.payload, &decision);
                if !waits_for.is_empty() {
                    waiting.push(Waiting { source: stored.record.key.clone(), groups: waits_for });
                }
                count(&mut counts, decision.op, decision.outcome, self.run.dry_run);
                told += u64::from(decision.op != Op::None && decision.outcome == Outcome::Failed && !self.run.dry_run);
                changes += u64::from(decision.op != Op::None);
                if decision.op == Op::None {
                    dealt_with.extend(hooks::named(&decision.fields));
                }
                match &decision.link {
                    LinkDecision::Propose(candidate) => {
                        questions.push(question(stored, LinkState::Proposed, vec![candidate.clone()], &self.run.id))
                    }
                    LinkDecision::Ambiguous(candidates) => {
                        questions.push(question(stored, LinkState::Ambiguous, candidates.clone(), &self.run.id))
                    }
                    LinkDecision::Keep | LinkDecision::Auto(_) | LinkDecision::Created | LinkDecision::Recreated => {
                        if link.is_some_and(|link| link.state != LinkState::Linked) {
                            closed.push(stored.record.key.clone());
                        }
                    }
                }
                let risks = scale.weigh(&decision, link, chunk.observed_for(&decision, link));
                // Most items are unchanged and stand nowhere: they are not even put into the form of a change.
                if decision.outcome != Outcome::Unchanged || chunk.standing.contains_key(&stored.record.key) {
                    let change = NewChange { risks, ..change(rules, stored, decision, link, &chunk) };
                    plan.extend(standing::told(change, &chunk.standing, everything)?);
                }
            }
            if !self.run.dry_run && !taken_up.is_empty() {
                self.ports.retries.taken_up(&self.connection.id, &self.run.stream, &self.run.id, taken_up).await?;
            }
            if !self.run.dry_run && (!questions.is_empty() || !closed.is_empty()) {
                self.ports.links.ask(&self.connection.link_space, questions, closed).await?;
            }
            self.settle_inbox(self.decided_span(from, after.clone(), &chunk.records), waiting).await?;
            if !self.run.dry_run && !released.is_empty() {
                self.ports.links.release(&self.connection.link_space, released).await?;
            }
            self.note(noted).await?;
            if !plan.is_empty() {
                self.store_changes(plan).await?;
                failpoint::hit("after-plan");
            }
            self.settle_hooks(&dealt_with).await?;
        }
        if self.traces.left().gone && self.run.read_summary.as_ref().is_some_and(ReadSummary::proves_absence) {
            self.decide_vanished(target, rules, only.as_ref(), &mut counts, &mut scale).await?;
        }
        let refused = too_many_failures(Counts { failed: counts.failed + told, ..counts }, engine.max_failed_share);
        match refused {
            Ok(()) => self.brake(scale, target.told(changes), counts).await,
            Err(fault) => {
                self.ports.runs.decided(&self.run.id, fence, counts, Phase::Decide).await?;
                Err(fault)
            }
        }
    }

    pub(super) async fn chunk<O: Observe + ?Sized>(
        &self,
        target: &mut O,
        records: Vec<StoredRecord>,
        matches: &Matches,
    ) -> Result<Chunk, Fault> {
        let sources: Vec<String> = records.iter().map(|stored| stored.record.key.clone()).collect();
        let links = self.ports.links.by_sources(&self.connection.link_space, &sources).await?;
        let mut targets: Vec<String> =
            links.values().filter(|link| link.state == LinkState::Linked).filter_map(|link| link.target.clone()).collect();
        // A single match may be linked and changed in this very run (linking: "auto").
        targets.extend(sources.iter().filter_map(|source| match matches.of(source) {
            [only] => Some(only.target.clone()),
            _ => None,
        }));
        target.recall(&links).await?;
        let observed = if targets.is_empty() { HashMap::new() } else { target.observe(&targets).await? };
        let (mut listed, mut standing) = (HashMap::new(), Standing::new());
        if let (Some(first), Some(last)) = (sources.first(), sources.last()) {
            let (id, stream) = (&self.connection.id, &self.run.stream);
            let left = self.traces.left();
            if left.listed {
                listed = self.ports.retries.between(id, stream, first, last).await?;
            }
            if left.standing {
                standing = self.ports.standing.standing(id, stream, first, last).await?;
            }
        }
        Ok(Chunk { records, links, observed, listed, standing })
    }

    /// Writes down what the rules noted. A dry run notes nothing.
    pub(super) async fn note(&self, noted: Vec<Noted>) -> Result<(), Fault> {
        if self.run.dry_run || noted.is_empty() {
            return Ok(());
        }
        self.ports.links.note(&self.connection.link_space, &self.run.id, noted).await
    }

    /// Decides once more over changes that met a conflict: looks again, and keeps the change's row.
    pub(super) async fn decide_again<O: Observe + ?Sized>(
        &self,
        target: &mut O,
        rules: &dyn Rules,
        sources: &[String],
    ) -> Result<HashMap<String, NewChange>, Fault> {
        let wanted: HashSet<&str> = sources.iter().map(String::as_str).collect();
        let records = self.ports.records.by_keys(&self.connection.id, sources).await?;
        let nothing = Matches::default();
        let standing: HashSet<String> = records.iter().map(|stored| stored.record.key.clone()).collect();
        let chunk = self.chunk(target, records, &nothing).await?;
        let gone: Vec<String> = sources.iter().filter(|source| !standing.contains(*source)).cloned().collect();
        let mut decided = self.decide_vanished_again(target, rules, &gone).await?;
        for stored in chunk.records.iter().filter(|stored| wanted.contains(stored.record.key.as_str())) {
            let Judged { decision, link, .. } = decide_one(rules, stored, &chunk, &nothing, None);
            decided.insert(stored.record.key.clone(), change(rules, stored, decision, link, &chunk));
        }
        Ok(decided)
    }
}

/// What was decided about one item.
pub(super) struct Judged<'a> {
    pub(super) decision: Decision,
    pub(super) link: Option<&'a Link>,
    /// Fields that an undo held back until now.
    pub(super) released: Vec<String>,
    /// What the link is to know besides.
    pub(super) note: Note,
}

/// A note with its item, if there is one.
pub(super) fn of_item(stored: &StoredRecord, note: Note) -> Option<Noted> {
    let StoredRecord { record, seen_at } = stored;
    (note != Note::Nothing).then(|| Noted { source: record.key.clone(), name: record.name.clone(), seen_at: *seen_at, note })
}

pub(super) fn decide_one<'a>(
    rules: &dyn Rules,
    stored: &StoredRecord,
    chunk: &'a Chunk,
    matches: &Matches,
    gone: Option<Gone>,
) -> Judged<'a> {
    let key = &stored.record.key;
    let link = chunk.links.get(key);
    let candidates = matches.of(key);
    let target = match (link, candidates) {
        (Some(link), _) if link.state == LinkState::Linked => link.target.as_ref(),
        (_, [only]) => Some(&only.target),
        _ => None,
    };
    let item = Item {
        key,
        payload: &stored.record.payload,
        link,
        observed: target.and_then(|target| chunk.observed.get(target)),
        candidates,
        contested: matches.contested(key),
        seen_at: stored.seen_at,
        gone,
    };
    let decision = rules.decide(&item);
    let note = rules.note(&item, &decision);
    let HeldBack { decision, released } = undo::hold_back(rules, decision, link);
    Judged { decision, link, released, note }
}

pub(super) fn change(rules: &dyn Rules, stored: &StoredRecord, decision: Decision, link: Option<&Link>, chunk: &Chunk) -> NewChange {
    let linked = link.filter(|link| link.state == LinkState::Linked);
    let (target, origin) = match &decision.link {
        LinkDecision::Auto(candidate) => (Some(candidate.target.clone()), Some("auto".to_owned())),
        LinkDecision::Created => (None, Some(CREATED.to_owned())),
        LinkDecision::Recreated => (linked.and_then(|link| link.target.clone()), Some(RECREATED.to_owned())),
        LinkDecision::Propose(candidate) => (Some(candidate.target.clone()), None),
        LinkDecision::Ambiguous(_) | LinkDecision::Keep => (linked.and_then(|link| link.target.clone()), None),
    };
    let observed = target.as_ref().and_then(|target| chunk.observed.get(target));
    let witness = observed.and_then(|seen| seen.witness.clone()).or_else(|| linked.and_then(|link| link.witness.clone()));
    let state = match (decision.op, decision.outcome) {
        (Op::None, Outcome::Failed) => ChangeState::Failed,
        (Op::None, Outcome::Held) | (_, Outcome::Held) => ChangeState::Held,
        (Op::None, _) => ChangeState::Skipped,
        _ => ChangeState::Planned,
    };
    NewChange {
        keep: undo::remember(rules, decision.op, &decision.fields, linked, observed),
        source: stored.record.key.clone(),
        name: stored.record.name.clone(),
        target,
        witness,
        op: decision.op,
        fields: decision.fields,
        reason: decision.reason,
        outcome: decision.outcome,
        state,
        undo: decision.undo.to_owned(),
        link_origin: origin,
        source_seen_at: stored.seen_at,
        risks: 0,
    }
}

fn question(stored: &StoredRecord, state: LinkState, candidates: Vec<Candidate>, run: &str) -> Link {
    Link {
        source: stored.record.key.clone(),
        name: stored.record.name.clone(),
        state,
        target: None,
        witness: None,
        candidates,
        origin: "proposed".to_owned(),
        written: Default::default(),
        source_seen_at: None,
        undone: Default::default(),
        run: Some(run.to_owned()),
        linked_at: None,
        updated_at: stored.seen_at,
    }
}

/// What is still to be applied is counted when it is.
pub(super) fn count(counts: &mut Counts, op: Op, outcome: Outcome, dry_run: bool) {
    let now = u64::from(dry_run || op == Op::None);
    match outcome {
        Outcome::Created => counts.created += u64::from(dry_run),
        Outcome::Updated => counts.updated += u64::from(dry_run),
        Outcome::Unchanged => counts.unchanged += 1,
        Outcome::Skipped => counts.skipped += now,
        Outcome::Failed => counts.failed += now,
        Outcome::Held => counts.held += 1,
    }
}

/// One bad item never stops the others; a common cause must (a currency that suddenly changed, say).
#[expect(clippy::cast_precision_loss, reason = "counts of items are far below 2^52")]
fn too_many_failures(counts: Counts, share: f64) -> Result<(), Fault> {
    let all = counts.created + counts.updated + counts.unchanged + counts.skipped + counts.failed + counts.held;
    if counts.failed > FEW_FAILURES && counts.failed as f64 > share * all as f64 {
        return Err(Fault::new(
            Code::TooManyFailures,
            format!(
                "{} of {all} items failed, more than the share {share} that max_failed_share allows; nothing was changed",
                counts.failed
            ),
        ));
    }
    Ok(())
}
