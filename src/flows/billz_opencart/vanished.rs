//! A good that vanished from Billz (`vanished`, `vanished_delay`): left, emptied or hidden, and what happens when it comes back.
//!
//! Absence is the engine's finding: whole reads only, and confirmed by the run that acts on it.

use serde_json::Value;

use super::{
    existing::standing,
    rules::{BillzOpencart, skipped},
    settings::Vanished,
    target::Standing,
    variants,
};
use crate::engine::{
    flow::{Decision, Gone, Item, LinkDecision},
    locks,
    model::{FieldChange, Link, Op, Outcome, Reason, VANISHED, Values},
};

/// Where the link remembers since when a product that we hid is gone; it stands in reports under this name, too.
pub const FIELD: &str = "vanished";

/// What to do with the product of a good that Billz does not list any more.
pub fn decide(rules: &BillzOpencart, item: &Item<'_>, gone: &Gone) -> Decision {
    let nothing = Decision { outcome: Outcome::Unchanged, ..skipped(Reason::new("unchanged")) };
    let Ok(standing) = standing(item.observed, item.link) else { return nothing };
    let since = gone.since.format("%Y-%m-%d %H:%M UTC").to_string();
    let fields = match rules.settings.vanished {
        Vanished::Leave => Vec::new(),
        // A size is not hidden without the others: it is sold out.
        Vanished::Disable if variants::is_linked(item.link) => emptied(&standing, &since),
        Vanished::Zero => emptied(&standing, &since),
        Vanished::Disable => hidden(&standing, &since),
    };
    if fields.is_empty() {
        // Told when it begins; a good that is gone for years is not named in every run.
        let begins = rules.settings.vanished == Vanished::Leave && gone.found_now;
        return if begins { skipped(Reason::new("vanished_left")) } else { nothing };
    }
    if gone.lasted < rules.vanished_delay {
        return skipped(Reason::new("vanished_waiting").with("since", since).with("delay", &rules.settings.vanished_delay));
    }
    let target = item.link.and_then(|link| link.target.as_deref());
    if let Some(lock) = fields.iter().find_map(|change| rules.locks.field(item.key, target, &change.field)) {
        return skipped(locks::reason(lock));
    }
    Decision {
        outcome: Outcome::Updated,
        op: Op::Update,
        reason: Reason::new(VANISHED),
        fields,
        fault: None,
        link: LinkDecision::Keep,
        undo: "restore",
    }
}

fn emptied(standing: &Standing, since: &str) -> Vec<FieldChange> {
    if standing.product.quantity <= 0 {
        return Vec::new();
    }
    let rule = Reason::new("vanished_zero").with("since", since);
    vec![FieldChange { field: "quantity".into(), old: Some(Value::from(standing.product.quantity)), new: Value::from(0), rule }]
}

fn hidden(standing: &Standing, since: &str) -> Vec<FieldChange> {
    // One that a person had hidden before is not ours to show later.
    if !standing.product.status {
        return Vec::new();
    }
    let rule = || Reason::new("vanished_disabled").with("since", since);
    vec![status(true, false, rule()), FieldChange { field: FIELD.into(), old: None, new: Value::from(since), rule: rule() }]
}

fn status(old: bool, new: bool, rule: Reason) -> FieldChange {
    FieldChange { field: "status".into(), old: Some(Value::from(u8::from(old))), new: Value::from(u8::from(new)), rule }
}

/// Since when the product is hidden because its good was gone.
fn hidden_since(written: &Values) -> Option<&Value> {
    written.get(FIELD).filter(|since| !since.is_null())
}

/// The changes of a product whose good is back: shown again, if it was we who hid it.
pub fn returned(standing: &Standing, link: Option<&Link>) -> Vec<FieldChange> {
    let Some(since) = link.and_then(|link| hidden_since(&link.written)) else { return Vec::new() };
    let rule = || Reason::new("vanished_returned");
    let shown = (!standing.product.status).then(|| status(false, true, rule()));
    shown.into_iter().chain([FieldChange { field: FIELD.into(), old: Some(since.clone()), new: Value::Null, rule: rule() }]).collect()
}
