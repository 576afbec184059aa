//! What is to be done with one order of the shop: requirement 1, as one pure function.
//!
//! Order of questions: can it be used? is it one of those that are sent? does OneBox have it? what has the shop changed since we wrote it?

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    mapping::Mapped,
    process,
    record::{Stored, WITHOUT_ID},
    settings::Settings,
    updates,
};
use crate::{
    engine::{
        flow::{Decision, Item, LinkDecision, Lookup, Rules},
        link::Note,
        locks::{self, LockSet},
        model::{FieldChange, LinkState, Op, Outcome, Reason, Values},
    },
    fault::{Code, Fault, FaultView},
};

/// Name of the key by which orders are recognised in OneBox.
pub const EXTERNAL_ID: &str = "externalid";
/// How an order can be undone.
const NEVER: &str = "never:an order that OneBox has is a person's to cancel";

/// The rules of one run of the stream `orders`.
pub struct Orders {
    /// Settings of the connection.
    pub settings: Settings,
    /// Orders placed before this are not sent.
    pub since: DateTime<Utc>,
    /// Fields that are never touched.
    pub locks: LockSet,
}

impl Orders {
    /// Whether an order is one of those that are sent; `Err` says why not. One whose date cannot be read is: nothing is ever dropped.
    fn is_sent(&self, key: &str, mapped: &Mapped) -> Result<(), Box<Decision>> {
        if key.starts_with(WITHOUT_ID) {
            return Err(Box::new(failed(Reason::new("order_without_id"))));
        }
        if let Some(problem) = &mapped.unusable {
            return Err(Box::new(failed(Reason::new("order_unusable").with("field", &problem.target))));
        }
        let placed = mapped.fine("order.created_at").and_then(|at| at.parse::<DateTime<Utc>>().ok());
        match placed {
            Some(at) if at < self.since => {
                let since = self.since.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
                Err(Box::new(skipped(
                    Reason::new("order_before_since")
                        .with("placed", at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
                        .with("since", since),
                )))
            }
            _ => Ok(()),
        }
    }

    fn fields(&self, key: &str, mapped: &Mapped) -> Vec<FieldChange> {
        process::fields(key, mapped, &self.settings)
    }

    fn decided(&self, item: &Item<'_>) -> Result<Decision, Box<Decision>> {
        let order = Stored::of_payload(item.payload);
        let linked = item.link.filter(|link| link.state == LinkState::Linked);
        if order.raw.is_null() && order.unusable.is_none() {
            // Only a hook has spoken of it.
            return Ok(unchanged());
        }
        let mapped = self.settings.map(&order.raw);
        self.is_sent(item.key, &mapped)?;
        let fields = self.fields(item.key, &mapped);
        match (linked, item.candidates) {
            (Some(link), _) if process::has_memory(link) => Ok(self.update(item, process::changed(fields, link))),
            (Some(_), _) | (None, [_]) => Ok(unchanged()),
            (None, []) => Ok(create(&mapped, fields)),
            (None, several) => {
                let found = several.iter().map(|candidate| candidate.target.as_str()).collect::<Vec<_>>().join(", ");
                Err(Box::new(skipped(Reason::new("onebox_doubled").with("orders", found))))
            }
        }
    }

    /// What the shop has changed, but for what a person keeps.
    fn update(&self, item: &Item<'_>, changed: Vec<FieldChange>) -> Decision {
        let target = item.link.and_then(|link| link.target.as_deref());
        let content = self.settings.onebox.content_field.name();
        let locked = |field: &str| {
            let field = process::beside(field).unwrap_or(field);
            self.locks.field(item.key, target, if field == content { "content" } else { field })
        };
        let (kept, mut free): (Vec<FieldChange>, Vec<FieldChange>) =
            changed.into_iter().partition(|change| locked(&change.field).is_some());
        let kept: Vec<FieldChange> = kept
            .into_iter()
            .filter(|change| process::beside(&change.field).is_none())
            .filter_map(|change| locked(&change.field).map(|lock| locks::kept(change.clone(), lock)))
            .collect();
        if free.is_empty() {
            return match kept.first() {
                Some(first) => Decision { fields: kept.clone(), ..skipped(first.rule.clone()) },
                None => unchanged(),
            };
        }
        free.extend(kept);
        Decision {
            outcome: Outcome::Updated,
            op: Op::Update,
            reason: Reason::new("order_changed"),
            fields: free,
            undo: NEVER,
            ..unchanged()
        }
    }
}

/// A new order. One that fails a check is made as well: flagged, and with the shop's own words in its text.
fn create(mapped: &Mapped, fields: Vec<FieldChange>) -> Decision {
    let reason = if mapped.problems.is_empty() {
        Reason::new("order_new")
    } else {
        let mut targets: Vec<&str> = mapped.problems.iter().map(|problem| problem.target.as_str()).collect();
        targets.dedup();
        Reason::new("order_flagged").with("fields", targets.join(", "))
    };
    Decision { outcome: Outcome::Created, op: Op::Send, reason, fields, link: LinkDecision::Created, undo: NEVER, ..unchanged() }
}

impl Rules for Orders {
    fn lookup(&self, key: &str, payload: &str) -> Option<Lookup> {
        let order = Stored::of_payload(payload);
        let mapped = (!order.raw.is_null()).then(|| self.settings.map(&order.raw))?;
        self.is_sent(key, &mapped).ok()?;
        Some(Lookup { source: key.to_owned(), keys: vec![(EXTERNAL_ID.to_owned(), process::external_id(key, &self.settings))] })
    }

    fn decide(&self, item: &Item<'_>) -> Decision {
        self.decided(item).unwrap_or_else(|left| *left)
    }

    /// An order that OneBox has already is linked; what the shop says now counts as written, and only what it changes from now on is sent.
    fn note(&self, item: &Item<'_>, decision: &Decision) -> Note {
        if decision.op != Op::None || decision.outcome != Outcome::Unchanged {
            return Note::Nothing;
        }
        match (item.link.filter(|link| link.state == LinkState::Linked), item.candidates) {
            (None, [only]) => Note::Linked(only.target.clone()),
            (Some(link), _) if !process::has_memory(link) => {
                let order = Stored::of_payload(item.payload);
                if order.raw.is_null() {
                    return Note::Nothing;
                }
                Note::Learned(process::memory(&self.fields(item.key, &self.settings.map(&order.raw))).into_iter().collect::<Values>())
            }
            _ => Note::Nothing,
        }
    }

    fn beside(&self, field: &str) -> Option<&'static str> {
        updates::beside(field).or_else(|| process::beside(field))
    }

    fn settings_of(&self, code: &str) -> Vec<(&'static str, Value)> {
        self.settings.behind(code)
    }
}

/// As it should be.
pub fn unchanged() -> Decision {
    Decision { outcome: Outcome::Unchanged, ..skipped(Reason::new("unchanged")) }
}

/// Left alone, for a reason.
pub fn skipped(reason: Reason) -> Decision {
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
