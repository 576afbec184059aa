//! Items that run after run are left alone, or wait for an answer, for the same reason.
//!
//! A stream that runs each minute would store 1,440 equal rows a day for every product without a price. So a scheduled run stores
//! such an item when it begins to stand, when its reason changes and when it ends; in between it is only counted, and
//! `GET /connections/{id}/streams/{stream}/standing` lists what stands now. A run that a person starts, a dry run and a run of named
//! items tell everything: somebody looks.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::{
    model::{FieldChange, NewChange, Op, Outcome, Reason, Run, Trigger},
    ports::{Listing, PageRequest},
};
use crate::fault::Fault;

/// What stands of an item, as deciding looks at it: the fingerprint of what was told.
pub type Standing = HashMap<String, String>;

/// Whether a decision may stand: nothing is done, and nothing failed.
pub fn may_stand(change: &NewChange) -> bool {
    change.op == Op::None && matches!(change.outcome, Outcome::Skipped | Outcome::Held)
}

/// What tells two standing decisions apart. The store computes the same over a stored row.
pub fn fingerprint(outcome: &str, target: Option<&str>, reason: &str, fields: &str) -> String {
    let digest = Sha256::digest([outcome, target.unwrap_or_default(), reason, fields].join("\n").as_bytes());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a run tells of every item, also of those that stand unchanged.
pub fn tells_everything(run: &Run) -> bool {
    run.dry_run || run.items.is_some() || matches!(run.trigger, Trigger::Manual | Trigger::Undo)
}

/// What a run stores of a decision: it itself, that an item stands no longer, or nothing, since it is only counted.
pub fn told(change: NewChange, standing: &Standing, everything: bool) -> Result<Option<NewChange>, Fault> {
    let stands = standing.get(&change.source);
    if may_stand(&change) {
        let json = |error: serde_json::Error| Fault::internal("a decision cannot be written as JSON").caused_by(error);
        let outcome = if change.outcome == Outcome::Held { "held" } else { "skipped" };
        let reason = serde_json::to_string(&change.reason).map_err(json)?;
        let fields = serde_json::to_string(&change.fields).map_err(json)?;
        let same = stands.is_some_and(|stands| *stands == fingerprint(outcome, change.target.as_deref(), &reason, &fields));
        return Ok((everything || !same).then_some(change));
    }
    Ok(match (change.outcome, stands) {
        (Outcome::Unchanged, None) => None,
        (Outcome::Unchanged, Some(_)) => Some(NewChange { reason: Reason::new("standing_ended"), ..change }),
        _ => Some(change),
    })
}

/// An item that stands, for people.
#[derive(Clone, Debug)]
pub struct StandingItem {
    /// The source's id.
    pub source: String,
    /// A name for people.
    pub name: String,
    /// The target's id, if it has one.
    pub target: Option<String>,
    /// Skipped or held.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// Fields that were shown with it.
    pub fields: Vec<FieldChange>,
    /// The run that said so first.
    pub run: String,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// What earlier runs have left of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Items on the retry list, dismissed ones included.
    pub listed: bool,
    /// Items that stand.
    pub standing: bool,
    /// Real runs that wait for a person.
    pub waiting: bool,
    /// Items of the connection that the source does not list any more, if that was asked.
    pub gone: bool,
}

impl Left {
    /// What has to be assumed before anybody has looked.
    pub const UNKNOWN: Self = Self { listed: true, standing: true, waiting: true, gone: true };
}

/// What stands of a stream.
#[async_trait]
pub trait StandingItems: Send + Sync {
    /// Whether earlier runs have left anything of this stream: of most streams they have not, and their runs need not look for it. `gone`:
    /// items that are gone are asked for, which looks through all records of the connection.
    async fn left(&self, connection: &str, stream: &str, gone: bool) -> Result<Left, Fault>;
    /// Fingerprints of items whose keys lie between these two, both included.
    async fn standing(&self, connection: &str, stream: &str, first: &str, last: &str) -> Result<Standing, Fault>;
    /// After a run: what it told stands or has ended. `whole` says that it looked at all there is, so that items which are gone from the source
    /// end as well. Safe to repeat.
    async fn settle_standing(&self, connection: &str, stream: &str, run: &str, whole: bool) -> Result<(), Fault>;
    /// In order of their keys.
    async fn list_standing(
        &self,
        connection: &str,
        stream: &str,
        outcome: Option<Outcome>,
        page: PageRequest,
    ) -> Result<Listing<StandingItem>, Fault>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::clock, engine::model::ChangeState};

    fn change(op: Op, outcome: Outcome, code: &str) -> NewChange {
        NewChange {
            source: "s".to_owned(),
            name: "n".to_owned(),
            target: None,
            witness: None,
            op,
            fields: Vec::new(),
            reason: Reason::new(code),
            outcome,
            state: ChangeState::Skipped,
            undo: "never:nothing was written".to_owned(),
            link_origin: None,
            source_seen_at: clock::now(),
            risks: 0,
            keep: Default::default(),
        }
    }

    fn standing(code: &str) -> Standing {
        let print = fingerprint("skipped", None, &serde_json::to_string(&Reason::new(code)).unwrap(), "[]");
        HashMap::from([("s".to_owned(), print)])
    }

    fn code(told: Option<NewChange>) -> Option<String> {
        told.map(|change| change.reason.code)
    }

    #[test]
    fn what_stands_is_told_when_it_begins_changes_and_ends_and_else_only_counted() {
        let skipped = |code| change(Op::None, Outcome::Skipped, code);
        assert_eq!(code(told(skipped("no_price"), &Standing::new(), false).unwrap()).as_deref(), Some("no_price"));
        assert_eq!(code(told(skipped("no_price"), &standing("no_price"), false).unwrap()), None);
        assert_eq!(code(told(skipped("service"), &standing("no_price"), false).unwrap()).as_deref(), Some("service"));
        let unchanged = change(Op::None, Outcome::Unchanged, "");
        assert_eq!(code(told(unchanged.clone(), &standing("no_price"), false).unwrap()).as_deref(), Some("standing_ended"));
        assert_eq!(code(told(unchanged, &Standing::new(), false).unwrap()), None);
    }

    #[test]
    fn who_looks_sees_everything_and_what_is_done_or_fails_is_always_told() {
        let skipped = change(Op::None, Outcome::Skipped, "no_price");
        assert!(told(skipped, &standing("no_price"), true).unwrap().is_some());
        for (op, outcome) in [(Op::Update, Outcome::Updated), (Op::None, Outcome::Failed), (Op::Update, Outcome::Held)] {
            assert!(told(change(op, outcome, "no_price"), &standing("no_price"), false).unwrap().is_some(), "{op:?} {outcome:?}");
        }
    }
}
