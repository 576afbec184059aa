//! What hooks ask of one order, as the engine's rules: the stream `updates`. The plan itself is made by [`updates`](super::updates).

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    orders::{skipped, unchanged},
    process,
    record::Stored,
    settings::Settings,
    updates::{self, Call, Known, Plan, Shown, field, memory},
};
use crate::engine::{
    flow::{Decision, Item, Lookup, Observation, Rules},
    hooks::{self, Hook},
    link::Note,
    model::{FieldChange, LinkState, Op, Outcome, Reason},
};

/// What stands in OneBox for thin hooks, by name in an observation.
pub const SHOWN: [&str; 3] = ["onebox.ttn", "onebox.stage", "onebox.comment"];
/// How an update can be undone.
const NEVER: &str = "never:the shop has told its customer";

/// The rules of one run of the stream `updates`.
pub struct Updates {
    /// Settings of the connection.
    pub settings: Settings,
    /// Open hooks by order.
    pub hooks: HashMap<String, Vec<Hook>>,
    /// When the run decides.
    pub now: DateTime<Utc>,
}

/// What OneBox shows, out of an observation.
pub fn shown(observed: Option<&Observation>) -> Shown {
    let text = |name: &str| {
        observed.and_then(|seen| seen.values.get(name)).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let [ttn, stage, comment] = SHOWN;
    Shown { ttn: text(ttn).map(|ttn| super::hook::waybill(&ttn)), stage: text(stage), comment: text(comment) }
}

impl Updates {
    /// Whether any hook of the order wants to be filled from OneBox, and OneBox was not seen.
    fn waits_for_onebox(&self, hooks: &[Hook], observed: Option<&Observation>) -> bool {
        observed.is_none() && hooks.iter().any(|hook| super::hook::Ask::of(&hook.ask).thin)
    }

    fn fields(&self, plan: &Plan, known: &Known) -> Vec<FieldChange> {
        let mut fields = Vec::new();
        let asked = Reason::new("hook_asked");
        let mut put = |field: &str, old: Option<Value>, new: Value, rule: Reason| {
            fields.push(FieldChange { field: field.to_owned(), old, new, rule })
        };
        if let Some(ttn) = plan.calls.iter().find_map(|call| call.tracking_number.as_ref()) {
            put(field::TTN, known.tracking_number.as_ref().map(|old| json!(old)), json!(ttn), asked.clone());
        }
        let of = |part: fn(&Call) -> Option<&String>| plan.calls.iter().filter_map(part).map(String::as_str).collect::<Vec<_>>();
        for (field, actions, old, new) in [
            (field::DELIVERY, of(|call| call.delivery.as_ref()), known.delivery, plan.after.delivery),
            (field::ORDER, of(|call| call.order.as_ref()), known.order, plan.after.order),
        ] {
            if let (false, Some(new)) = (actions.is_empty(), new) {
                put(field, old.map(|old| json!(old)), json!(new), Reason::new("shop_transition").with("actions", actions.join(", ")));
            }
        }
        let notes = of(|call| call.note.as_ref());
        if !notes.is_empty() {
            put(field::NOTE, None, json!(notes.join("\n")), asked);
            put(memory::NOTE, None, json!(plan.after.note), Reason::new("order_fingerprint"));
        }
        let list = |parts: Vec<String>| Value::String(parts.join(","));
        for (name, value) in [
            (memory::DID, list(plan.after.did.iter().cloned().collect())),
            (memory::TOLD, list(plan.after.told.iter().map(u64::to_string).collect())),
            (memory::AT, json!(self.now.to_rfc3339())),
            (memory::CALLS, json!(plan.calls)),
        ] {
            put(name, None, value, Reason::new("order_fingerprint"));
        }
        fields.push(hooks::dealt_with(&plan.dealt_with));
        fields
    }

    fn decided(&self, item: &Item<'_>, hooks: &[Hook]) -> Decision {
        let linked = item.link.filter(|link| link.state == LinkState::Linked);
        if linked.is_none() {
            return Decision { outcome: Outcome::Held, ..skipped(Reason::new("hook_waits_for_order")) };
        }
        if self.waits_for_onebox(hooks, item.observed) {
            return Decision { outcome: Outcome::Held, ..skipped(Reason::new("hook_waits_for_onebox")) };
        }
        let mapped = self.settings.map(&Stored::of_payload(item.payload).raw);
        let statuses = (mapped.value("order.status"), mapped.value("order.delivery"));
        let known = Known::of(statuses, mapped.value("order.tracking_number"), item.seen_at, linked, &self.settings);
        let plan = updates::plan(hooks, &shown(item.observed), &known, &self.settings);
        if !plan.calls.is_empty() {
            let fields = self.fields(&plan, &known);
            return Decision {
                outcome: Outcome::Updated,
                op: Op::Update,
                reason: Reason::new("hook_asked"),
                fields,
                undo: NEVER,
                ..unchanged()
            };
        }
        let fields = vec![hooks::dealt_with(&plan.dealt_with)];
        match plan.held.first() {
            Some((_, reason)) => Decision { outcome: Outcome::Held, fields, ..skipped(reason.clone()) },
            None => Decision { fields, ..unchanged() },
        }
    }
}

impl Rules for Updates {
    fn lookup(&self, _key: &str, _payload: &str) -> Option<Lookup> {
        None
    }

    fn concerns(&self) -> Option<Vec<String>> {
        Some(self.hooks.keys().cloned().collect())
    }

    fn decide(&self, item: &Item<'_>) -> Decision {
        match self.hooks.get(item.key) {
            Some(hooks) => self.decided(item, hooks),
            None => unchanged(),
        }
    }

    /// A hook may come before we know under which id OneBox keeps the order; the hook itself may tell.
    fn note(&self, item: &Item<'_>, _decision: &Decision) -> Note {
        let named = || self.hooks.get(item.key)?.iter().rev().find_map(|hook| hook.target.clone());
        let linked = item.link.is_some_and(|link| link.state == LinkState::Linked);
        if linked { Note::Nothing } else { named().map_or(Note::Nothing, Note::Linked) }
    }

    fn beside(&self, field: &str) -> Option<&'static str> {
        updates::beside(field).or_else(|| process::beside(field))
    }

    fn settings_of(&self, code: &str) -> Vec<(&'static str, Value)> {
        self.settings.behind(code)
    }
}
