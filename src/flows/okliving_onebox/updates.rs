//! What is to be told to the shop, out of the open hooks of one order (requirement 3). Pure: hooks in the order in which they came, what OneBox
//! shows, where the shop's machines stand and what was sent before -> calls, hooks that are dealt with, hooks that are held.
//!
//! Every action passes the guard of its [`machine`](super::machine): it is sent, found done, or held with a reason. Hooks may come doubled and
//! out of order, so an action that is not possible yet waits for those that make it possible; whatever comes in which order, the machines end
//! where the actions lead, and each is sent once. Nothing is opened again but by an action that says so.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    hook::Ask,
    machine::{Machine, Step},
    settings::Settings,
};
use crate::engine::{
    hooks::{self, Hook},
    model::{Link, Reason},
};

/// Fields of a report about the shop's side; a link remembers what was sent last under the same names.
pub mod field {
    /// The waybill.
    pub const TTN: &str = "tracking_number";
    /// The order's text.
    pub const NOTE: &str = "note";
    /// State of the order.
    pub const ORDER: &str = "statuses.order";
    /// State of the delivery.
    pub const DELIVERY: &str = "statuses.delivery";
}

/// Names of what a link remembers besides. They stand nowhere in the shop.
pub mod memory {
    /// Fingerprint of the note that was sent last.
    pub const NOTE: &str = "shop.note";
    /// When it was decided what was sent last.
    pub const AT: &str = "shop.at";
    /// Actions that were sent since the machine was last opened: `order:process`.
    pub const DID: &str = "shop.did";
    /// Hooks that are still open, whose waybill and note are dealt with.
    pub const TOLD: &str = "shop.told";
    /// What is sent, call by call.
    pub const CALLS: &str = "shop.calls";
    /// All of them.
    pub const ALL: &[&str] = &[NOTE, AT, DID, TOLD, CALLS];
}

/// For a field that stands only in the link's memory: the one that it speaks about.
pub fn beside(field: &str) -> Option<&'static str> {
    (field == hooks::DEALT_WITH || memory::ALL.contains(&field)).then_some(field::ORDER)
}

/// What was decided may still be under way for so long: an order that was read meanwhile shows the state before.
const UNDER_WAY: chrono::Duration = chrono::Duration::seconds(180);

/// One call of `update-order`; what is absent is not sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Call {
    /// Waybill.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracking_number: Option<String>,
    /// Action on the delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<String>,
    /// Action on the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// Text for the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What is known of an order in the shop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Where its order's machine stands; `None` = nobody knows.
    pub order: Option<&'static str>,
    /// Where its delivery's machine stands.
    pub delivery: Option<&'static str>,
    /// Its waybill.
    pub tracking_number: Option<String>,
    /// Fingerprint of the note that was sent last.
    pub note: Option<String>,
    /// Actions that were sent.
    pub did: BTreeSet<String>,
    /// Hooks whose waybill and note are dealt with.
    pub told: BTreeSet<u64>,
}

/// What OneBox shows of the order, for thin hooks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Waybill.
    pub ttn: Option<String>,
    /// Stage.
    pub stage: Option<String>,
    /// Comment for the customer.
    pub comment: Option<String>,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Calls in their order; empty = nothing is to be sent.
    pub calls: Vec<Call>,
    /// What the shop is to come to.
    pub after: Known,
    /// Hooks that are dealt with, once the calls are carried out.
    pub dealt_with: Vec<u64>,
    /// Hooks that stay open, and why.
    pub held: Vec<(u64, Reason)>,
}

impl Known {
    /// What is known: the order as it was read, or what we sent since. `read_at` is when it was last read.
    pub fn of(statuses: (&str, &str), ttn: &str, read_at: DateTime<Utc>, link: Option<&Link>, settings: &Settings) -> Self {
        let text = |name: &str| link.and_then(|link| link.written.get(name)).and_then(Value::as_str).filter(|text| !text.is_empty());
        let sent_at: Option<DateTime<Utc>> = text(memory::AT).and_then(|at| at.parse().ok());
        let ours = sent_at.is_some_and(|at| read_at <= at + UNDER_WAY);
        let stands = |machine: Machine, word: &str, name: &str| {
            let read = machine.state(settings.state_word(word));
            let sent = text(name).and_then(|state| machine.state(state));
            if ours { sent.or(read) } else { read.or(sent) }
        };
        let (order, delivery) = (stands(Machine::Order, statuses.0, field::ORDER), stands(Machine::Delivery, statuses.1, field::DELIVERY));
        let read_ttn = Some(ttn).filter(|ttn| !ttn.is_empty());
        let sent_ttn = text(field::TTN);
        let tracking_number = if ours { sent_ttn.or(read_ttn) } else { read_ttn.or(sent_ttn) }.map(str::to_owned);
        let list =
            |name: &str| text(name).unwrap_or_default().split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        let did = list(memory::DID).into_iter().collect();
        let told = list(memory::TOLD).iter().filter_map(|id| id.parse().ok()).collect();
        Self { order, delivery, tracking_number, note: text(memory::NOTE).map(str::to_owned), did, told }
    }

    fn state(&self, machine: Machine) -> Option<&'static str> {
        match machine {
            Machine::Order => self.order,
            Machine::Delivery => self.delivery,
        }
    }

    fn moved(&mut self, machine: Machine, state: &'static str, action: &str) {
        match machine {
            Machine::Order => self.order = Some(state),
            Machine::Delivery => self.delivery = Some(state),
        }
        if action == "reopen" {
            self.did.retain(|done| !done.starts_with(&format!("{}:", machine.name())));
        }
        self.did.insert(done(machine, action));
    }
}

fn done(machine: Machine, action: &str) -> String {
    format!("{}:{action}", machine.name())
}

/// What tells one note from another, without its text.
pub fn fingerprint(note: &str) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(note).iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

/// A hook as it takes part in a plan.
struct Part {
    id: u64,
    ttn: Option<String>,
    note: Option<String>,
    actions: Vec<(Machine, &'static str)>,
    held: Option<Reason>,
}

/// What the open hooks of one order come to.
pub fn plan(hooks: &[Hook], shown: &Shown, known: &Known, settings: &Settings) -> Plan {
    let asks: Vec<(u64, Ask)> = hooks.iter().map(|hook| (hook.id, Ask::of(&hook.ask))).collect();
    // A waybill that was given right later mends a bad one before it.
    let good_after = |place: usize| asks.iter().skip(place + 1).any(|(_, ask)| ask.ttn.is_some());
    let mut parts: Vec<Part> =
        asks.iter().enumerate().map(|(place, (id, ask))| part(*id, ask, good_after(place), shown, settings)).collect();
    for part in parts.iter_mut().filter(|part| known.told.contains(&part.id)) {
        (part.ttn, part.note) = (None, None);
    }
    let mut after = known.clone();
    let ttn = parts.iter().filter(|part| part.held.is_none()).filter_map(|part| part.ttn.clone()).next_back();
    let ttn = ttn.filter(|ttn| known.tracking_number.as_ref() != Some(ttn));
    let notes = notes(&parts, known);
    let steps = steps(&mut parts, &mut after);
    let held: Vec<(u64, Reason)> = parts.iter().filter_map(|part| Some((part.id, part.held.clone()?))).collect();
    let dealt_with: Vec<u64> = parts.iter().filter(|part| part.held.is_none()).map(|part| part.id).collect();
    if let Some(ttn) = &ttn {
        after.tracking_number = Some(ttn.clone());
    }
    if let Some(note) = notes.last() {
        after.note = Some(fingerprint(note));
    }
    // Of a hook that stays open for an action alone, the rest has been said.
    let waiting = |part: &&Part| part.held.as_ref().is_some_and(|reason| reason.code == NOT_POSSIBLE);
    after.told = parts.iter().filter(waiting).map(|part| part.id).collect();
    Plan { calls: calls(ttn, notes, steps, settings), after, dealt_with, held }
}

/// Code of the reason of a hook whose action the machine does not allow now.
pub const NOT_POSSIBLE: &str = "transition_not_possible";

fn part(id: u64, ask: &Ask, mended: bool, shown: &Shown, settings: &Settings) -> Part {
    let mut part = Part { id, ttn: ask.ttn.clone(), note: ask.comment.clone(), actions: Vec::new(), held: None };
    let mut action = ask.action.clone();
    if ask.thin {
        part.ttn = shown.ttn.clone().filter(|ttn| settings.carrier(ttn).is_some());
        part.note = shown.comment.clone();
        action = action.or_else(|| shown.stage.as_ref().map(|stage| format!("stage:{stage}")));
    }
    let bad = ask.bad_ttn.clone().or_else(|| shown.ttn.clone().filter(|ttn| ask.thin && settings.carrier(ttn).is_none()));
    match bad {
        Some(bad) if !mended => part.held = Some(Reason::new("bad_ttn").with("ttn", bad)),
        _ => {}
    }
    match action.as_ref().map(|action| (action, settings.status_map.get(action))) {
        Some((_, Some(transitions))) => {
            part.actions.extend(transitions.delivery.map(|action| (Machine::Delivery, action.word())));
            part.actions.extend(transitions.order.map(|action| (Machine::Order, action.word())));
        }
        // A stage that nothing hangs on is passed every day.
        Some((action, None)) if !action.starts_with("stage:") => {
            part.held.get_or_insert_with(|| Reason::new("hook_action_unknown").with("action", action.chars().take(60).collect::<String>()));
        }
        _ => {}
    }
    part
}

/// Notes that are to be sent, in their order: each once, and not the one that stands there already.
fn notes(parts: &[Part], known: &Known) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    for note in parts.iter().filter(|part| part.held.is_none()).filter_map(|part| part.note.as_ref()) {
        let stands = notes.is_empty() && known.note.as_deref() == Some(fingerprint(note).as_str());
        if !stands && !notes.contains(note) {
            notes.push(note.clone());
        }
    }
    notes
}

/// Actions that are to be sent, in an order in which the machines allow them. What is possible goes first, in the order in which it came; what
/// that makes possible follows. What remains is held.
fn steps(parts: &mut [Part], after: &mut Known) -> Vec<(Machine, &'static str)> {
    let mut steps = Vec::new();
    let mut open: Vec<(usize, Machine, &'static str)> = Vec::new();
    for (place, part) in parts.iter().enumerate().filter(|(_, part)| part.held.is_none()) {
        open.extend(part.actions.iter().map(|(machine, action)| (place, *machine, *action)));
    }
    loop {
        let before = open.len();
        let mut rest = Vec::new();
        for (place, machine, action) in open {
            let step = match after.state(machine) {
                Some(state) => machine.step(state, action),
                // Nobody knows: the shop says whether it is allowed.
                None => machine.target(action).map_or(Step::Illegal, Step::To),
            };
            match step {
                Step::To(state) => {
                    after.moved(machine, state, action);
                    steps.push((machine, action));
                }
                Step::Done | Step::Past => {}
                Step::Illegal => rest.push((place, machine, action)),
            }
        }
        open = rest;
        if open.is_empty() || open.len() == before {
            break;
        }
    }
    for (place, machine, action) in open {
        // An echo of what we did ourselves: something else has gone on since.
        if after.did.contains(&done(machine, action)) {
            continue;
        }
        let state = after.state(machine).unwrap_or("?");
        let reason = Reason::new(NOT_POSSIBLE).with("machine", machine.name()).with("state", state).with("action", action);
        if let Some(part) = parts.get_mut(place) {
            part.held.get_or_insert(reason);
        }
    }
    steps
}

/// As few calls as may be: each brings one action of each machine and one note at most.
fn calls(ttn: Option<String>, notes: Vec<String>, steps: Vec<(Machine, &'static str)>, settings: &Settings) -> Vec<Call> {
    let of = |machine: Machine| steps.iter().filter(move |(of, _)| *of == machine).map(|(_, action)| (*action).to_owned());
    let (mut deliveries, mut orders, mut notes) = (of(Machine::Delivery), of(Machine::Order), notes.into_iter());
    let mut ttn = ttn;
    let mut calls = Vec::new();
    loop {
        let call = Call { tracking_number: ttn.take(), delivery: deliveries.next(), order: orders.next(), note: notes.next() };
        if call == Call::default() {
            break;
        }
        if !settings.okliving.split_update {
            calls.push(call);
            continue;
        }
        let alone = [
            Call { tracking_number: call.tracking_number, note: call.note, ..Call::default() },
            Call { delivery: call.delivery, ..Call::default() },
            Call { order: call.order, ..Call::default() },
        ];
        calls.extend(alone.into_iter().filter(|call| *call != Call::default()));
    }
    calls
}

/// What of a call is left to be sent, once the order was looked at again: parts that stand there already are dropped. `Err` = the machine and
/// state that do not allow the rest.
pub fn left(call: &Call, stands: &Known, note_stands: bool) -> (Call, Option<(Machine, &'static str)>) {
    let mut left = call.clone();
    let mut illegal = None;
    left.tracking_number = call.tracking_number.clone().filter(|ttn| stands.tracking_number.as_ref() != Some(ttn));
    left.note = call.note.clone().filter(|_| !note_stands);
    for (machine, part) in [(Machine::Delivery, &mut left.delivery), (Machine::Order, &mut left.order)] {
        let Some(action) = part.clone() else { continue };
        let Some(state) = stands.state(machine) else { continue };
        match machine.step(state, &action) {
            Step::To(_) => {}
            Step::Done | Step::Past => *part = None,
            Step::Illegal => {
                *part = None;
                illegal = Some((machine, state));
            }
        }
    }
    (left, illegal)
}

#[cfg(test)]
mod tests;
