//! What is to be done with one barcode: requirement 2.2.4 and 3.5, as one pure function.
//!
//! Order of questions: can it be read? is it one variant on either side? how many are there? what stands in the shop? And, since InSales only
//! queues what it is sent, [`sending`](super::sending): has what was sent before come to stand there?

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    record::{Holder, Stocked},
    sending::{self, Sending},
    settings::{Missing, QUANTITY, Settings},
    shelf::Standing,
    stock::{self, Unknown},
};
use crate::{
    engine::{
        flow::{Decision, Item, LinkDecision, Lookup, Rules},
        link::Note,
        locks::{self, LockSet},
        model::{Candidate, FieldChange, Link, LinkState, Op, Outcome, Reason, Values},
    },
    fault::{Code, Fault, FaultView},
};

/// Name of the key by which variants are recognised.
pub const BARCODE: &str = "barcode";

/// The rules of one run.
pub struct KaktusInsales {
    /// Settings of the connection.
    pub settings: Settings,
    /// Fields that are never touched.
    pub locks: LockSet,
    /// When the run decides.
    pub now: DateTime<Utc>,
}

impl Rules for KaktusInsales {
    fn lookup(&self, key: &str, payload: &str) -> Option<Lookup> {
        let readable = Stocked::of_payload(payload).unreadable.is_none();
        readable.then(|| Lookup { source: key.to_owned(), keys: vec![(BARCODE.to_owned(), key.to_owned())] })
    }

    fn decide(&self, item: &Item<'_>) -> Decision {
        let linked = item.link.filter(|link| link.state == LinkState::Linked);
        if let Some(gone) = &item.gone {
            // Told when it begins; a barcode that is gone for years is not named in every run.
            return if gone.found_now && self.settings.missing == Missing::Leave {
                skipped(Reason::new("kaktus_missing_left"))
            } else {
                unchanged()
            };
        }
        let stocked = Stocked::of_payload(item.payload);
        if let Some((field, value)) = &stocked.unreadable {
            return failed(Reason::new("unreadable").with("field", field).with("value", value));
        }
        let target = match (linked, item.candidates) {
            (Some(link), _) => link.target.as_deref(),
            (None, [only]) => Some(only.target.as_str()),
            (None, _) => None,
        };
        match self.judge(item, &stocked, linked, target) {
            Ok(decision) => match (linked, item.candidates) {
                (None, [only]) if decision.op == Op::Update => Decision { link: LinkDecision::Auto(only.clone()), ..decision },
                _ => decision,
            },
            Err(left) => *left,
        }
    }

    fn note(&self, item: &Item<'_>, decision: &Decision) -> Note {
        let linked = item.link.filter(|link| link.state == LinkState::Linked);
        match (linked, item.candidates) {
            (Some(link), _) => self.note_of_linked(item, link, decision),
            (None, [only]) if decision.outcome == Outcome::Unchanged => Note::Linked(only.target.clone()),
            (None, _) => Note::Nothing,
        }
    }

    fn beside(&self, field: &str) -> Option<&'static str> {
        (field == sending::FIELD).then_some(QUANTITY)
    }

    fn settings_of(&self, code: &str) -> Vec<(&'static str, Value)> {
        self.settings.behind(code)
    }
}

impl KaktusInsales {
    /// Why nothing is done, as `Err`, or what is.
    fn judge(&self, item: &Item<'_>, stocked: &Stocked, linked: Option<&Link>, target: Option<&str>) -> Result<Decision, Box<Decision>> {
        let counting = stocked.counting(self.settings.kaktus.inactive);
        let in_kaktus = || stocked.holders.iter().map(Holder::shown).collect::<Vec<_>>().join("; ");
        if let several @ [_, _, ..] = item.candidates
            && linked.is_none()
        {
            let found = several.iter().map(describe).collect::<Vec<_>>().join("; ");
            return skip(Reason::new("insales_doubled").with("insales", found).with("kaktus", in_kaktus()));
        }
        let Some(target) = target else { return skip(Reason::new("not_in_insales")) };
        let standing = match item.observed.map(Standing::of) {
            None => return skip(Reason::new("insales_variant_gone").with("variant", target)),
            Some(standing) if standing.barcode != item.key => {
                return skip(Reason::new("insales_barcode_moved").with("variant", target).with("barcode", &standing.barcode));
            }
            Some(standing) => standing,
        };
        if !standing.others.is_empty() {
            let found = std::iter::once(&standing.name).chain(&standing.others).cloned().collect::<Vec<_>>().join("; ");
            return skip(Reason::new("insales_doubled").with("insales", found).with("kaktus", in_kaktus()));
        }
        let (wanted, rule) = match counting.as_slice() {
            [] if stocked.holders.is_empty() => match self.settings.missing {
                Missing::Zero => (0, Reason::new("kaktus_missing_zero")),
                Missing::Leave => return skip(Reason::new("kaktus_missing_left")),
            },
            [] => return skip(Reason::new("kaktus_inactive")),
            [only] => match stock::quantity(only, &self.settings) {
                Ok(told) => told,
                Err(Unknown::NotTold(reason)) => return skip(reason),
                Err(Unknown::Unreadable(reason)) => return fail(reason),
            },
            _ => return skip(Reason::new("kaktus_doubled").with("kaktus", in_kaktus()).with("insales", &standing.name)),
        };
        if standing.bundle && !self.settings.bundles {
            return skip(Reason::new("insales_bundle"));
        }
        let stands = match standing.quantity {
            None => return fail(Reason::new("insales_quantity_unreadable").with("value", standing.unreadable)),
            Some(Value::Null) if !self.settings.unlimited => return skip(Reason::new("insales_unlimited")),
            Some(stands) => stands,
        };
        let wanted = Value::from(wanted);
        if stands == wanted {
            return Ok(unchanged());
        }
        let change = FieldChange { field: QUANTITY.into(), old: Some(stands.clone()), new: wanted.clone(), rule };
        if let Some(lock) = self.locks.field(item.key, Some(target), QUANTITY) {
            let kept = locks::kept(change, lock);
            return Err(Box::new(Decision { fields: vec![kept.clone()], ..skipped(kept.rule) }));
        }
        let tries = match sending::next(linked, &stands, &wanted, standing.seen_at, self.now) {
            sending::Next::Wait(reason) => return skip(reason),
            sending::Next::Send(tries) => tries,
        };
        let sending = Sending { from: stands, tries }.change(linked);
        Ok(Decision {
            outcome: Outcome::Updated,
            op: Op::Update,
            reason: Reason::new("changed"),
            fields: vec![change, sending],
            fault: None,
            link: LinkDecision::Keep,
            undo: "restore",
        })
    }

    /// The variant is another one now, or has come to stand as it was told to.
    fn note_of_linked(&self, item: &Item<'_>, link: &Link, decision: &Decision) -> Note {
        let Some(target) = &link.target else { return Note::Nothing };
        // The barcode is the identity (requirement 2.2.3): a variant that is gone or carries another one is not this item's any more.
        let moved = match item.observed.map(Standing::of) {
            None => true,
            Some(standing) => standing.barcode != item.key,
        };
        if moved {
            return Note::Parted(target.clone());
        }
        let open = Sending::of(link).is_some() && decision.outcome == Outcome::Unchanged && item.gone.is_none();
        let seen_at = item.observed.map(Standing::of).map(|standing| standing.seen_at.to_rfc3339());
        match seen_at.filter(|_| open) {
            Some(seen_at) => {
                Note::Learned(Values::from([(sending::FIELD.to_owned(), Value::Null), (sending::SEEN.to_owned(), seen_at.into())]))
            }
            None => Note::Nothing,
        }
    }
}

fn describe(candidate: &Candidate) -> String {
    format!("{} ({})", candidate.name, candidate.target)
}

/// As it should be.
fn unchanged() -> Decision {
    Decision { outcome: Outcome::Unchanged, ..skipped(Reason::new("unchanged")) }
}

/// Nothing is done, for a reason.
fn skip<T>(reason: Reason) -> Result<T, Box<Decision>> {
    Err(Box::new(skipped(reason)))
}

/// The barcode fails, for a reason.
fn fail<T>(reason: Reason) -> Result<T, Box<Decision>> {
    Err(Box::new(failed(reason)))
}

/// Left alone, for a reason.
fn skipped(reason: Reason) -> Decision {
    Decision {
        outcome: Outcome::Skipped,
        op: Op::None,
        reason,
        fields: Vec::new(),
        fault: None,
        link: LinkDecision::Keep,
        undo: "never:nothing was written",
    }
}

/// Could not be done: to the retry list.
fn failed(reason: Reason) -> Decision {
    let fault = FaultView::from(&Fault::new(Code::BadItem, reason.code.clone()));
    Decision { outcome: Outcome::Failed, fault: Some(fault), ..skipped(reason) }
}
