//! What was locked after the plan was made: looked at before every batch, since a plan may have waited for a person or a worker.

use std::collections::HashMap;

use serde_json::Value;

use super::{Execution, apply::set_aside};
use crate::{
    engine::{
        flow::{Apply, Rules},
        locks::{self, LockSet},
        model::{Applied, CREATED, Change, FieldChange, NewChange, Op, RECREATED, Reason},
        pictures::{self, Wish},
    },
    fault::Fault,
};

impl Execution {
    /// Takes out of a batch what is locked by now. What else the change would do is decided again under the locks, since one field may
    /// hang on another (a special must stay below a price that stays); only what both decisions agree on is done.
    ///
    /// A creation that an earlier attempt may have begun is finished: half a product would serve nobody.
    pub(super) async fn leave_locked(
        &self,
        target: &mut dyn Apply,
        rules: &dyn Rules,
        batch: Vec<Change>,
        again: bool,
    ) -> Result<(Vec<Change>, Vec<(Change, Applied)>), Fault> {
        let locks = self.ports.locks.locks(&self.connection.id).await?;
        if locks.rows.is_empty() {
            return Ok((batch.into_iter().map(without_kept).collect(), Vec::new()));
        }
        let begun = |change: &Change| again && change.body.op == Op::Create;
        let creations: Vec<Change> = batch.iter().filter(|change| change.body.op == Op::Create && !begun(change)).cloned().collect();
        let joins = if creations.is_empty() { HashMap::new() } else { target.joins(&creations).await? };
        let joined = |change: &Change| joins.get(&change.body.source).and_then(|target| locks.whole(&change.body.source, Some(target)));
        let lock_of = |change: &Change| locks.whole(&change.body.source, change.body.target.as_deref()).or_else(|| joined(change));
        let (batch, mut left) = set_aside(batch, |change| !begun(change) && lock_of(change).is_some());
        for (change, applied) in &mut left {
            if let Some(lock) = lock_of(change) {
                *applied = Applied::Gone { reason: locks::reason(lock) };
            }
        }
        let touched: Vec<String> =
            batch.iter().filter(|change| !begun(change) && locks.touches(change)).map(|change| change.body.source.clone()).collect();
        let mut decided = HashMap::new();
        if !touched.is_empty()
            && let Some(summary) = self.run.read_summary.clone()
        {
            let under_locks = self.rules(target, &summary).await?;
            decided = self.decide_again(target, &*under_locks, &touched).await?;
        }
        let mut open = Vec::with_capacity(batch.len());
        let mut told = Vec::new();
        for change in batch {
            if !touched.contains(&change.body.source) {
                open.push(without_kept(change));
                continue;
            }
            let now = match decided.get(&change.body.source) {
                // Nothing decides about what an undo takes back.
                _ if change.body.op == Op::Restore => narrowed_undo(change, rules, &locks),
                Some(again) => narrowed(change, again, &locks),
                None => {
                    left.push((change, Applied::Gone { reason: Reason::new(locks::RULE).with("note", "") }));
                    continue;
                }
            };
            let rest = without_kept(now.clone());
            if rest.body.fields.is_empty() {
                left.push((rest, Applied::Gone { reason: Reason::new(locks::RULE).with("note", "") }));
            } else {
                told.push(now);
                open.push(rest);
            }
        }
        if !told.is_empty() {
            self.ports.changes.revise(&self.run.id, self.hold.fence(), &told).await?;
        }
        Ok((open, left))
    }
}

impl Execution {
    /// Wishes for pictures that no lock holds; those that one holds wait until it goes.
    ///
    /// As with other fields, a lock that names no item protects what stands: what we made ourselves still gets its first pictures.
    pub(super) async fn open_wishes(&self, wishes: Vec<Wish>) -> Result<Vec<Wish>, Fault> {
        let of_settings = self.opened.settings.get("locks").and_then(Value::as_array).into_iter().flatten();
        let of_settings: Vec<&str> = of_settings.filter_map(Value::as_str).collect();
        let locks = self.ports.locks.locks(&self.connection.id).await?.with_fields(&of_settings);
        let lock_of = |wish: &Wish| locks.field(&wish.source, Some(&wish.target), pictures::FIELD);
        let (held, mut open): (Vec<Wish>, Vec<Wish>) = wishes.into_iter().partition(|wish| lock_of(wish).is_some());
        let first = |wish: &Wish| wish.version == 1 || wish.ours.is_empty();
        let candidates: Vec<Wish> =
            held.into_iter().filter(|wish| first(wish) && !locks.names(&wish.source, Some(&wish.target), pictures::FIELD)).collect();
        if !candidates.is_empty() {
            let sources: Vec<String> = candidates.iter().map(|wish| wish.source.clone()).collect();
            let links = self.ports.links.by_sources(&self.connection.link_space, &sources).await?;
            let made = |wish: &Wish| links.get(&wish.source).is_some_and(|link| matches!(link.origin.as_str(), CREATED | RECREATED));
            open.extend(candidates.into_iter().filter(made));
        }
        Ok(open)
    }
}

/// Lines of a report about locked fields are no work, and nothing to be remembered as written.
fn without_kept(mut change: Change) -> Change {
    change.body.fields.retain(|field| !locks::is_kept(field));
    change
}

/// A change under the locks: fields that are locked are reported as kept, others go on if they would be decided the same now.
fn narrowed(mut change: Change, decided: &NewChange, locks: &LockSet) -> Change {
    let (source, target) = (change.body.source.clone(), change.body.target.clone());
    let fields = std::mem::take(&mut change.body.fields);
    change.body.fields = fields
        .into_iter()
        .filter_map(|field| {
            if locks::is_kept(&field) {
                return Some(field);
            }
            if let Some(lock) = locks.field(&source, target.as_deref(), &field.field) {
                return Some(locks::kept(field, lock));
            }
            let same = |other: &FieldChange| other.field == field.field && other.new == field.new && !locks::is_kept(other);
            decided.fields.iter().any(same).then_some(field)
        })
        .collect();
    change
}

/// Fields of which none goes back without the others: a special must stay below its price.
const TOGETHER: [&str; 2] = ["price", "special"];

/// What an undo takes back under the locks: locked fields stay, with what hangs on them; the others go back.
fn narrowed_undo(mut change: Change, rules: &dyn Rules, locks: &LockSet) -> Change {
    let (source, target) = (change.body.source.clone(), change.body.target.clone());
    let lock_of = |field: &str| {
        let with: &[&str] = if TOGETHER.contains(&field) { &TOGETHER } else { &[] };
        let own = locks.field(&source, target.as_deref(), field);
        own.or_else(|| with.iter().find_map(|other| locks.field(&source, target.as_deref(), other)))
    };
    let fields = std::mem::take(&mut change.body.fields);
    change.body.fields = fields
        .into_iter()
        .filter_map(|field| match rules.beside(&field.field) {
            Some(other) => lock_of(other).is_none().then_some(field),
            None => Some(match lock_of(&field.field) {
                Some(lock) => locks::kept(field, lock),
                None => field,
            }),
        })
        .collect();
    change
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::engine::{
        flow::{Decision, Item, Lookup},
        locks::Lock,
        model::{ChangeState, Outcome},
    };

    fn field(name: &str, new: &str) -> FieldChange {
        FieldChange { field: name.into(), old: Some("1".into()), new: new.into(), rule: Reason::new("price_of_shop") }
    }

    fn change(fields: Vec<FieldChange>) -> NewChange {
        NewChange {
            source: "a".into(),
            name: "a".into(),
            target: Some("50".into()),
            witness: None,
            op: Op::Update,
            fields,
            reason: Reason::new("changed"),
            outcome: Outcome::Updated,
            state: ChangeState::Planned,
            undo: "restore".into(),
            link_origin: None,
            source_seen_at: DateTime::UNIX_EPOCH,
            risks: Default::default(),
            keep: Default::default(),
        }
    }

    /// Rules of a flow in which the link remembers `counted` beside the quantity.
    struct Beside;

    impl Rules for Beside {
        fn lookup(&self, _: &str, _: &str) -> Option<Lookup> {
            None
        }

        fn decide(&self, _: &Item<'_>) -> Decision {
            unreachable!("nothing decides about an undo")
        }

        fn beside(&self, field: &str) -> Option<&'static str> {
            (field == "counted").then_some("quantity")
        }
    }

    #[test]
    fn an_undo_takes_back_what_is_free_and_leaves_what_hangs_on_a_lock() {
        let lock = |field: &str| LockSet {
            version: 2,
            rows: vec![Lock {
                source: Some("a".into()),
                target: None,
                fields: vec![field.into()],
                note: String::new(),
                set_by: String::new(),
                set_at: DateTime::UNIX_EPOCH,
            }],
        };
        let back = |locked: &str| {
            let fields = ["price", "special", "quantity", "counted", "name"].map(|name| field(name, "2")).to_vec();
            let mut body = change(fields);
            body.op = Op::Restore;
            let stored = Change { id: 1, run: "u".into(), body, state: ChangeState::Applying };
            let names = without_kept(narrowed_undo(stored, &Beside, &lock(locked))).body.fields;
            names.into_iter().map(|field| field.field).collect::<Vec<_>>()
        };
        assert_eq!(back("special"), ["quantity", "counted", "name"]);
        assert_eq!(back("price"), ["quantity", "counted", "name"]);
        assert_eq!(back("quantity"), ["price", "special", "name"]);
        assert_eq!(back("name"), ["price", "special", "quantity", "counted"]);
    }

    #[test]
    fn what_hangs_on_a_locked_field_is_not_done_as_it_was_planned() {
        let locks = LockSet {
            version: 2,
            rows: vec![Lock {
                source: None,
                target: Some("50".into()),
                fields: vec!["price".into()],
                note: String::new(),
                set_by: String::new(),
                set_at: DateTime::UNIX_EPOCH,
            }],
        };
        let plan = vec![field("price", "900"), field("special", "800"), field("quantity", "5")];
        let stored = Change { id: 1, run: "r".into(), body: change(plan), state: ChangeState::Applying };
        // Under the lock the price stays at 700, so that no special of 800 would be decided.
        let now = change(vec![field("quantity", "5")]);
        let narrowed = narrowed(stored, &now, &locks);
        let told: Vec<(&str, &str)> = narrowed.body.fields.iter().map(|field| (field.field.as_str(), field.rule.code.as_str())).collect();
        assert_eq!(told, [("price", "locked"), ("quantity", "price_of_shop")]);
        let written: Vec<String> = without_kept(narrowed).body.fields.into_iter().map(|field| field.field).collect();
        assert_eq!(written, ["quantity"]);
    }
}
