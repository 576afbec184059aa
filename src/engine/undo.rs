//! Undo, the pure part: what a change must remember, how it is taken back, and what later runs leave alone because of it.
//!
//! - [`remember`]: beside old and new values, what stood there whole, and what the link knew before
//! - [`take_back`]: an applied change + what stands in the target now -> what is put back, and what is left because somebody
//!   changed it since
//! - [`hold_back`]: a value that was undone is not written again until the source's value moves
//!
//! [`crate::engine::run::undo`] carries it out. An undo is a run like any other, so it can be undone as well.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    flow::{Decision, Observation, Rules},
    model::{Change, ChangeState, FieldChange, Link, NewChange, Op, Outcome, Reason},
    pictures::{self, remembered},
};

#[cfg(test)]
mod tests;

/// Which fields no undo touches: a link is our own knowledge, and taking it away would only make the next run ask or link again.
const NOT_OF_THE_TARGET: &str = "link";
/// The field by which a whole target item is shown or hidden.
const STATUS: &str = "status";
/// How [`NewChange::undo`] begins where a change cannot be called back.
const NEVER: &str = "never:";

/// A value of the source that an undo took back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The value: as long as the rules come to it again, the field is left alone.
    pub value: Value,
    /// The undo.
    pub run: String,
}

/// What a link knows of one field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// What we last wrote.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "null_is_a_value")]
    pub written: Option<Value>,
    /// What an undo took back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undone: Option<Mark>,
}

/// What a change remembers of one field beside its old and new value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// All that stood there, where `old` is only what people see of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// All that stands there afterwards, where `new` is only what people see of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// What the link knew before.
    #[serde(skip_serializing_if = "is_blank")]
    pub memory: Memory,
    /// What the link is to know afterwards; absent = what the change wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Memory>,
}

/// What a change remembers, by field.
pub type Keep = BTreeMap<String, Kept>;

fn is_blank(memory: &Memory) -> bool {
    *memory == Memory::default()
}

/// That nothing stood there (`null`) was written too; only an absent member says that nothing was.
fn null_is_a_value<'de, D: serde::Deserializer<'de>>(reader: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(reader).map(Some)
}

impl Memory {
    fn of(link: Option<&Link>, field: &str) -> Self {
        Self {
            written: link.and_then(|link| link.written.get(field)).cloned(),
            undone: link.and_then(|link| link.undone.get(field)).cloned(),
        }
    }
}

impl Link {
    /// Whether an undo took this value of a field back, so that it is not to be written again.
    pub fn leaves(&self, field: &str, value: &Value) -> bool {
        self.undone.get(field).is_some_and(|mark| same(&mark.value, value))
    }
}

/// Whether two values are the same for people: money may be written with or without trailing zeros, yes and no as 1 and 0.
pub fn same(one: &Value, other: &Value) -> bool {
    let number = |value: &Value| match value {
        Value::Bool(yes) => Some(Decimal::from(u8::from(*yes))),
        Value::Number(number) => number.to_string().parse::<Decimal>().ok(),
        _ => None,
    };
    let money = |value: &Value| value.as_str().and_then(crate::domain::number::parse_decimal);
    one == other
        || matches!((number(one), number(other)), (Some(one), Some(other)) if one == other)
        || matches!((money(one), money(other)), (Some(one), Some(other)) if one == other)
}

/// What the change of a decision must remember.
pub fn remember(rules: &dyn Rules, op: Op, fields: &[FieldChange], link: Option<&Link>, observed: Option<&Observation>) -> Keep {
    let Some(observed) = observed.filter(|_| matches!(op, Op::Update | Op::Hide)) else { return Keep::new() };
    let kept = |field: &FieldChange| {
        let after = rules.comes_to(observed, field);
        let before = after.as_ref().and_then(|_| rules.whole(observed, field));
        // Where people see all of it, it need not be kept twice.
        let told = after.as_ref() == Some(&field.new) && before == field.old;
        let (before, after) = if told { (None, None) } else { (before, after) };
        Kept { before, after, memory: Memory::of(link, &field.field), next: None }
    };
    fields.iter().map(|field| (field.field.clone(), kept(field))).filter(|(_, kept)| *kept != Kept::default()).collect()
}

/// What the link knows once a change was applied. `longest` bounds the texts that it remembers, in bytes.
pub fn learn(link: &mut Link, change: &NewChange, longest: usize) {
    for field in &change.fields {
        let name = &field.field;
        match change.keep.get(name).and_then(|kept| kept.next.clone()) {
            Some(next) => {
                put(&mut link.written, name, next.written);
                put(&mut link.undone, name, next.undone);
            }
            // Long texts and tables of texts are not kept: they are in the change, and every decision loads this.
            None if length(&field.new) <= longest => {
                link.written.insert(name.clone(), remembered(&field.new));
                link.undone.remove(name);
            }
            None => drop(link.undone.remove(name)),
        }
    }
}

/// How long a value is, in bytes, as far as it may be long at all.
fn length(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Object(_) => value.to_string().len(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => 0,
    }
}

fn put<T>(map: &mut BTreeMap<String, T>, name: &str, value: Option<T>) {
    match value {
        Some(value) => drop(map.insert(name.to_owned(), value)),
        None => drop(map.remove(name)),
    }
}

/// A decision after what was undone is left out of it, and which marks have served their turn.
#[derive(Debug, PartialEq)]
pub struct HeldBack {
    /// What remains to be done.
    pub decision: Decision,
    /// Fields whose source value has moved, or that stand as the source says: nothing is held back there any more.
    pub released: Vec<String>,
}

/// Takes out of a decision what an undo took back. What was undone is left alone until the source's value moves: otherwise the
/// schedule would write the very value again that a person has just undone.
pub fn hold_back(rules: &dyn Rules, mut decision: Decision, link: Option<&Link>) -> HeldBack {
    // Only a decision that looked at every field tells that one of them has nothing to be done any more.
    let looked = matches!(decision.outcome, Outcome::Updated | Outcome::Unchanged);
    let Some(link) = link.filter(|link| looked && !link.undone.is_empty()) else {
        return HeldBack { decision, released: Vec::new() };
    };
    let held: Vec<String> =
        decision.fields.iter().filter(|field| link.leaves(&field.field, &field.new)).map(|field| field.field.clone()).collect();
    let names: Vec<&str> = held.iter().map(String::as_str).collect();
    let with_them = |field: &FieldChange| names.contains(&rules.beside(&field.field).unwrap_or(field.field.as_str()));
    decision.fields.retain(|field| !with_them(field));
    let released = link.undone.keys().filter(|name| !names.contains(&name.as_str())).cloned().collect();
    let Some(mark) = names.first().and_then(|name| link.undone.get(*name)) else {
        return HeldBack { decision, released };
    };
    if decision.fields.is_empty() {
        decision.outcome = Outcome::Skipped;
        decision.op = Op::None;
        decision.undo = "never:nothing was written";
        decision.reason = Reason::new("left_as_undone").with("fields", names.join(", ")).with("run", &mark.run);
    } else {
        decision.reason = Reason::new("changed_but_undone").with("fields", names.join(", ")).with("run", &mark.run);
    }
    HeldBack { decision, released }
}

/// How one field goes back.
enum Way {
    /// What we wrote stands there: the former value is put back.
    Back(Box<(FieldChange, Kept)>),
    /// Somebody changed it since.
    ChangedSince(FieldChange),
    /// It stands as it stood before the run.
    Stands,
    /// What stands there cannot be looked at, so nobody can tell whether it is still ours.
    Unseen,
}

/// One applied change and what stands in the target now.
pub struct Undoing<'a> {
    /// The change that is taken back.
    pub change: &'a Change,
    /// The link of its source item.
    pub link: Option<&'a Link>,
    /// What stands in the target.
    pub observed: Option<&'a Observation>,
    /// The undo that does it.
    pub run: &'a str,
}

/// Takes one applied change back: the rows of the undo's report about it, one for what is done or stands already and one for what is left.
pub fn take_back(rules: &dyn Rules, undoing: &Undoing<'_>) -> Vec<NewChange> {
    let body = &undoing.change.body;
    if let Some(why) = body.undo.strip_prefix(NEVER).or((body.op == Op::Send).then_some("it was sent")) {
        return vec![undoing.left(Reason::new("undo_never").with("why", why), Vec::new())];
    }
    let Some(observed) = undoing.observed else {
        return vec![undoing.left(Reason::new("target_deleted"), Vec::new())];
    };
    if let (Some(was), Some(is)) = (&body.witness, &observed.witness)
        && was != is
    {
        return vec![undoing.left(Reason::new("target_replaced"), Vec::new())];
    }
    if !observed.owned {
        return vec![undoing.left(Reason::new("foreign_owner"), Vec::new())];
    }
    let (mut back, mut keep, mut since, mut unseen) = (Vec::new(), Keep::new(), Vec::new(), Vec::new());
    let (of_link, of_target): (Vec<&FieldChange>, Vec<&FieldChange>) =
        body.fields.iter().filter(|field| undoing.touches(rules, field, observed)).partition(|field| rules.beside(&field.field).is_some());
    for field in of_target {
        match undoing.way(rules, field, observed) {
            Way::Back(way) => {
                let (field, kept) = *way;
                keep.insert(field.field.clone(), kept);
                back.push(field);
            }
            Way::ChangedSince(field) => since.push(field),
            Way::Unseen => unseen.push(field.field.as_str()),
            Way::Stands => {}
        }
    }
    for field in of_link {
        if back.iter().any(|other: &FieldChange| rules.beside(&field.field) == Some(other.field.as_str())) {
            keep.insert(field.field.clone(), undoing.forget(field));
            back.push(undoing.reversed(field, field.new.clone(), field.old.clone()));
        }
    }
    let mut rows = Vec::new();
    if !unseen.is_empty() {
        let why = format!("{} cannot be compared with what stands there", unseen.join(", "));
        rows.push(undoing.left(Reason::new("undo_never").with("why", why), Vec::new()));
    }
    if !since.is_empty() {
        let now = |field: &FieldChange| format!("{} = {}", field.field, shown(field.old.as_ref()));
        let reason = Reason::new("changed_since").with("now", since.iter().map(now).collect::<Vec<_>>().join(", "));
        rows.push(undoing.left(reason, since));
    }
    if !back.is_empty() {
        let code = match body.op {
            Op::Create if back.iter().any(|field| field.field != STATUS) => "undone_by_emptying",
            Op::Create => "undone_by_hiding",
            Op::Update | Op::Hide | Op::Restore | Op::Send | Op::None => "undone",
        };
        let reason = Reason::new(code).with("run", &undoing.change.run);
        rows.push(NewChange {
            op: Op::Restore,
            fields: back,
            outcome: Outcome::Updated,
            state: ChangeState::Planned,
            undo: "restore".to_owned(),
            keep,
            ..undoing.left(reason, Vec::new())
        });
    } else if rows.is_empty() {
        rows.push(NewChange { outcome: Outcome::Unchanged, ..undoing.left(Reason::new("already_undone"), Vec::new()) });
    }
    rows
}

/// Longest value in a sentence, in characters; the report has it whole beside that.
const IN_A_SENTENCE: usize = 120;

/// A value as a sentence shows it.
pub fn shown(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => "–".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    match text.char_indices().nth(IN_A_SENTENCE) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// Whether a planned field stands otherwise by now than it did when its change was planned. What stands as it is to stand is no matter:
/// `None` as well where the target does not tell of it.
pub fn moved(rules: &dyn Rules, change: &NewChange, field: &FieldChange, observed: &Observation) -> Option<Value> {
    let kept = change.keep.get(&field.field);
    let expected = kept.and_then(|kept| kept.before.as_ref()).or(field.old.as_ref()).unwrap_or(&Value::Null);
    let wanted = kept.and_then(|kept| kept.after.as_ref()).unwrap_or(&field.new);
    let is = rules.whole(observed, field).filter(|is| !same(is, expected) && !same(is, wanted))?;
    Some(rules.standing(observed, &field.field).unwrap_or(is))
}

/// Whether a field of an undo only takes back a wish for pictures that were never shown: nothing stands in the target for it.
pub fn is_only_wished(field: &FieldChange, keep: &Keep) -> bool {
    field.field == pictures::FIELD && keep.get(&field.field).is_none_or(|kept| kept.before.is_none())
}

impl Undoing<'_> {
    /// What is made is hidden, never deleted; of it nothing else is touched.
    fn touches(&self, rules: &dyn Rules, field: &FieldChange, observed: &Observation) -> bool {
        match self.change.body.op {
            Op::Create => field.field == rules.hidden_by(observed),
            Op::Update | Op::Hide | Op::Restore => field.field != NOT_OF_THE_TARGET,
            Op::Send | Op::None => false,
        }
    }

    fn way(&self, rules: &dyn Rules, field: &FieldChange, observed: &Observation) -> Way {
        let kept = self.change.body.keep.get(&field.field).cloned().unwrap_or_default();
        let created = self.change.body.op == Op::Create;
        if is_only_wished(field, &self.change.body.keep) {
            return self.wish_back(field, kept);
        }
        let whole = rules.whole(observed, field);
        let Some(is) = whole.clone() else { return Way::Unseen };
        let former = if created { Some(Value::from(0)) } else { field.old.clone() };
        // What is hidden by being emptied goes whatever has come of it since: it is the thing that is taken back, not its number.
        let emptied = created && field.field != STATUS;
        let written = if emptied { is.clone() } else { field.new.clone() };
        let (ours, before) = (kept.after.clone().unwrap_or_else(|| written.clone()), kept.before.clone().or_else(|| former.clone()));
        let before = before.unwrap_or(Value::Null);
        if same(&is, &before) {
            return Way::Stands;
        }
        // Where a whole form is kept, people see the short one.
        let short = |whole: &Value| if kept.after.is_some() { field.new.clone() } else { whole.clone() };
        let change = self.reversed(field, short(&is), former);
        if !same(&is, &ours) {
            return Way::ChangedSince(FieldChange {
                old: Some(rules.standing(observed, &field.field).unwrap_or(is)),
                rule: Reason::new("changed_since").with("now", shown(rules.standing(observed, &field.field).as_ref().or(whole.as_ref()))),
                ..change
            });
        }
        let (next, memory) = (Some(self.known_next(written, &kept)), Memory::of(self.link, &field.field));
        Way::Back(Box::new((change, Kept { before: kept.after.is_some().then_some(is), after: kept.before, memory, next })))
    }

    /// Pictures that were wished for and never shown: the wish goes, or comes back, unless a later run wished for others.
    fn wish_back(&self, field: &FieldChange, kept: Kept) -> Way {
        let memory = Memory::of(self.link, &field.field);
        let ours = self
            .change
            .body
            .keep
            .get(&field.field)
            .and_then(|kept| kept.next.clone())
            .map_or_else(|| memory.written.as_ref() == Some(&remembered(&field.new)), |next| memory.written == next.written);
        if !ours {
            return Way::Stands;
        }
        let next = Some(self.known_next(field.new.clone(), &kept));
        let change = self.reversed(field, field.new.clone(), field.old.clone());
        Way::Back(Box::new((change, Kept { before: None, after: None, memory, next })))
    }

    /// What the link is to know once a field went back.
    fn known_next(&self, written: Value, kept: &Kept) -> Memory {
        let undone = match self.change.body.op {
            // Who takes an undo back wants what was before it, also of what later runs leave alone.
            Op::Restore => kept.memory.undone.clone(),
            _ => Some(Mark { value: written, run: self.run.to_owned() }),
        };
        Memory { written: kept.memory.written.clone(), undone }
    }

    /// The change the other way round.
    fn reversed(&self, field: &FieldChange, is: Value, former: Option<Value>) -> FieldChange {
        let rule = Reason::new("undone").with("run", &self.change.run);
        FieldChange { field: field.field.clone(), old: Some(is), new: former.unwrap_or(Value::Null), rule }
    }

    /// What the link remembers beside a field goes back with that field.
    fn forget(&self, field: &FieldChange) -> Kept {
        let before = self.change.body.keep.get(&field.field).map(|kept| kept.memory.clone()).unwrap_or_default();
        Kept { memory: Memory::of(self.link, &field.field), next: Some(before), ..Kept::default() }
    }

    /// A row that only tells.
    fn left(&self, reason: Reason, fields: Vec<FieldChange>) -> NewChange {
        let body = &self.change.body;
        NewChange {
            source: body.source.clone(),
            name: body.name.clone(),
            target: body.target.clone(),
            witness: body.witness.clone(),
            op: Op::None,
            fields,
            reason,
            outcome: Outcome::Skipped,
            state: ChangeState::Skipped,
            undo: "never:nothing was written".to_owned(),
            link_origin: None,
            source_seen_at: self.link.and_then(|link| link.source_seen_at).unwrap_or(body.source_seen_at),
            risks: 0,
            keep: Keep::new(),
        }
    }
}
