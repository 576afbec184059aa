//! What is held of one change. Of an update only the risky fields wait: stock goes on while prices wait, or the shop sells what it
//! does not have.

use super::{Crowd, Reading, Rule};
use crate::engine::model::{FieldChange, NewChange, Op, Reason, VANISHED};

/// A change that a brake holds.
#[derive(Clone, Debug)]
pub struct Parted {
    /// Why it is held.
    pub reason: Reason,
    /// The fields that wait.
    pub held: Vec<FieldChange>,
    /// The fields that go on; empty when all wait.
    pub free: Vec<FieldChange>,
}

/// Parts one flagged change by the rules that tripped; `None` if none of them holds it. `crowd` knows which phones have too many orders.
pub fn part(change: &NewChange, risks: u16, readings: &[Reading], crowd: &Crowd) -> Option<Parted> {
    let holding: Vec<&Reading> = Rule::ALL
        .iter()
        .filter_map(|rule| readings.iter().find(|reading| reading.rule == *rule))
        .filter(|reading| reading.tripped && reading.rule.risk() & risks != 0)
        .filter(|reading| reading.rule != Rule::OnePhone || crowd.holds(&change.fields))
        .collect();
    let reason = holding.first()?.reason();
    let all = || Parted { reason: reason.clone(), held: change.fields.clone(), free: Vec::new() };
    // What is done because an item is gone is one thing, with the note that it was done.
    if change.op != Op::Update || change.reason.code == VANISHED {
        return Some(all());
    }
    let waits = |field: &FieldChange| {
        holding.iter().any(|reading| reading.rule.fields().is_none_or(|fields| fields.contains(&field.field.as_str())))
    };
    let (held, free): (Vec<FieldChange>, Vec<FieldChange>) = change.fields.iter().cloned().partition(waits);
    // A risk that shows in no field of its own holds all there is.
    Some(if held.is_empty() { all() } else { Parted { reason, held, free } })
}
