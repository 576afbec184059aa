use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    domain::clock,
    engine::{
        flow::{Item, LinkDecision, Lookup},
        model::{LinkState, Values},
    },
};

/// Rules whose fields stand under their own names.
struct Plain;

impl Rules for Plain {
    fn lookup(&self, _: &str, _: &str) -> Option<Lookup> {
        None
    }

    fn decide(&self, _: &Item<'_>) -> Decision {
        decision(Vec::new())
    }
}

fn decision(fields: Vec<FieldChange>) -> Decision {
    let nothing = fields.is_empty();
    Decision {
        outcome: if nothing { Outcome::Unchanged } else { Outcome::Updated },
        op: if nothing { Op::None } else { Op::Update },
        reason: Reason::new(if nothing { "unchanged" } else { "changed" }),
        fields,
        fault: None,
        link: LinkDecision::Keep,
        undo: "restore",
    }
}

fn observation(values: &Values) -> Observation {
    Observation { witness: Some("w".into()), owned: true, values: values.clone() }
}

fn field(name: &str, old: impl Into<Value>, new: impl Into<Value>) -> FieldChange {
    FieldChange { field: name.into(), old: Some(old.into()), new: new.into(), rule: Reason::new("from_source") }
}

fn link() -> Link {
    Link {
        source: "s".into(),
        name: "Item".into(),
        state: LinkState::Linked,
        target: Some("50".into()),
        witness: Some("w".into()),
        candidates: Vec::new(),
        origin: "created".into(),
        written: Values::new(),
        source_seen_at: None,
        undone: BTreeMap::new(),
        run: None,
        linked_at: None,
        updated_at: clock::now(),
    }
}

fn change(run: &str, op: Op, fields: Vec<FieldChange>, keep: Keep) -> Change {
    Change {
        id: 1,
        run: run.into(),
        body: NewChange {
            source: "s".into(),
            name: "Item".into(),
            target: Some("50".into()),
            witness: Some("w".into()),
            op,
            fields,
            reason: Reason::new("changed"),
            outcome: Outcome::Updated,
            state: ChangeState::Applied,
            undo: "restore".into(),
            link_origin: None,
            source_seen_at: clock::now(),
            risks: 0,
            keep,
        },
        state: ChangeState::Applied,
    }
}

/// What a change does to the target and to the link.
fn carry_out(change: &Change, stands: &mut Values, link: &mut Link) {
    for field in &change.body.fields {
        stands.insert(field.field.clone(), field.new.clone());
    }
    learn(link, &change.body, 300);
}

fn codes(rows: &[NewChange]) -> Vec<&str> {
    rows.iter().map(|row| row.reason.code.as_str()).collect()
}

fn undo(change: &Change, link: &Link, stands: &Values, run: &str) -> Vec<NewChange> {
    take_back(&Plain, &Undoing { change, link: Some(link), observed: Some(&observation(stands)), run })
}

#[test]
fn values_are_the_same_as_people_see_them() {
    for (one, other) in [(json!("1000"), json!("1000.0000")), (json!(true), json!(1)), (json!(5), json!(5)), (Value::Null, Value::Null)] {
        assert!(same(&one, &other), "{one} {other}");
    }
    for (one, other) in [(json!("1000"), json!("1000.01")), (json!(true), json!(0)), (json!("5"), json!(5)), (Value::Null, json!(0))] {
        assert!(!same(&one, &other), "{one} {other}");
    }
}

#[test]
fn what_somebody_changed_since_stays_and_is_told_apart_from_what_goes_back() {
    let one = change("r1", Op::Update, vec![field("price", "100", "200"), field("quantity", 1, 2)], Keep::new());
    let stands = Values::from([("price".into(), json!("200")), ("quantity".into(), json!(7))]);
    let rows = undo(&one, &link(), &stands, "u1");
    assert_eq!(codes(&rows), ["changed_since", "undone"]);
    let (left, back) = (&rows[0], &rows[1]);
    assert_eq!((left.op, left.outcome, left.reason.params["now"].as_str()), (Op::None, Outcome::Skipped, "quantity = 7"));
    assert_eq!((back.op, back.outcome, back.state), (Op::Restore, Outcome::Updated, ChangeState::Planned));
    assert_eq!((back.fields.len(), &back.fields[0].old, &back.fields[0].new), (1, &Some(json!("200")), &json!("100")));
}

#[test]
fn a_second_undo_finds_nothing_left() {
    let one = change("r1", Op::Update, vec![field("price", "100", "200")], Keep::new());
    let rows = undo(&one, &link(), &Values::from([("price".into(), json!("100.00"))]), "u2");
    assert_eq!((codes(&rows), rows[0].outcome), (vec!["already_undone"], Outcome::Unchanged));
}

#[test]
fn a_created_item_is_hidden_and_nothing_else_of_it_is_touched() {
    let mut made = change(
        "r1",
        Op::Create,
        vec![FieldChange { old: None, ..field("price", "", "5") }, FieldChange { old: None, ..field("status", 0, 1) }],
        Keep::new(),
    );
    made.body.undo = "hide".into();
    let mut stands = Values::from([("price".into(), json!("9")), ("status".into(), json!(true))]);
    let mut link = link();
    let hidden = Change { body: undo(&made, &link, &stands, "u1").remove(0), ..made.clone() };
    assert_eq!((hidden.body.reason.code.as_str(), hidden.body.fields.len()), ("undone_by_hiding", 1));
    carry_out(&hidden, &mut stands, &mut link);
    assert_eq!((&stands["price"], &stands["status"]), (&json!("9"), &json!(0)));
    // And shown again.
    let shown = Change { run: "u1".into(), ..hidden };
    let shown = Change { body: undo(&shown, &link, &stands, "u2").remove(0), ..shown };
    carry_out(&shown, &mut stands, &mut link);
    assert_eq!((&stands["status"], link.undone.len()), (&json!(true), 0));
    // One that a person switched on stays on.
    made.body.fields[1].new = json!(0);
    assert_eq!(codes(&undo(&made, &link, &stands, "u3")), ["changed_since"]);
}

#[test]
fn what_cannot_be_called_back_and_what_is_gone_is_listed() {
    let mut sent = change("r1", Op::Send, Vec::new(), Keep::new());
    sent.body.undo = "never:the order was sent".into();
    let rows = undo(&sent, &link(), &Values::new(), "u1");
    assert_eq!((codes(&rows), rows[0].reason.params["why"].as_str()), (vec!["undo_never"], "the order was sent"));
    let plain = change("r1", Op::Update, vec![field("price", "1", "2")], Keep::new());
    let seen = observation(&Values::from([("price".into(), json!("2"))]));
    let other = Observation { witness: Some("another".into()), ..seen.clone() };
    let foreign = Observation { owned: false, ..seen };
    for (observed, code) in [(None, "target_deleted"), (Some(&other), "target_replaced"), (Some(&foreign), "foreign_owner")] {
        assert_eq!(codes(&take_back(&Plain, &Undoing { change: &plain, link: None, observed, run: "u1" })), [code]);
    }
}

#[test]
fn an_undone_value_is_left_alone_until_the_source_moves() {
    let mark = |value: Value| BTreeMap::from([("price".to_owned(), Mark { value, run: "u1".into() })]);
    let link = Link { undone: mark(json!("200")), ..link() };
    let held = hold_back(&Plain, decision(vec![field("price", "100", "200.00")]), Some(&link));
    assert_eq!(
        (held.decision.op, held.decision.outcome, held.decision.reason.code.as_str()),
        (Op::None, Outcome::Skipped, "left_as_undone")
    );
    assert_eq!((held.decision.reason.params["run"].as_str(), held.released.len()), ("u1", 0));
    let both = hold_back(&Plain, decision(vec![field("price", "100", "200"), field("quantity", 1, 2)]), Some(&link));
    assert_eq!((both.decision.fields.len(), both.decision.reason.code.as_str()), (1, "changed_but_undone"));
    // The source moves, or somebody put its value there: there is nothing to hold back any more.
    for free in [decision(vec![field("price", "100", "300")]), decision(Vec::new())] {
        let moved = hold_back(&Plain, free.clone(), Some(&link));
        assert_eq!((moved.decision, moved.released), (free, vec!["price".to_owned()]));
    }
    // An item that cannot be decided on says nothing about it.
    let skipped = Decision { outcome: Outcome::Skipped, op: Op::None, ..decision(Vec::new()) };
    assert_eq!(hold_back(&Plain, skipped.clone(), Some(&link)), HeldBack { decision: skipped, released: Vec::new() });
}

#[test]
fn what_a_link_remembered_before_comes_back_with_the_value() {
    let mut link = Link { written: Values::from([("special".into(), json!("80"))]), ..link() };
    let keep = Keep::from([("special".into(), Kept { memory: Memory { written: Some(json!("80")), undone: None }, ..Kept::default() })]);
    let mut stands = Values::from([("special".into(), json!("80"))]);
    let run = change("r1", Op::Update, vec![FieldChange { new: Value::Null, ..field("special", "80", 0) }], keep);
    carry_out(&run, &mut stands, &mut link);
    assert_eq!(link.written["special"], Value::Null);
    let back = Change { body: undo(&run, &link, &stands, "u1").remove(0), run: "u1".into(), ..run };
    // The row is stored in between.
    let stored: Keep = serde_json::from_str(&serde_json::to_string(&back.body.keep).unwrap()).unwrap();
    assert_eq!(stored, back.body.keep);
    assert_eq!(stored["special"].memory.written, Some(Value::Null));
    carry_out(&back, &mut stands, &mut link);
    assert_eq!((&link.written["special"], &stands["special"]), (&json!("80"), &json!("80")));
    assert!(link.leaves("special", &Value::Null));
}

proptest! {
    /// Over any history of runs, hand edits and undos of any of them: what is put back is what stood before that run, and only where what it
    /// wrote still stands; and an undo that is undone leaves target and link as they were.
    #[test]
    fn undo_puts_back_what_stood_there(steps in prop::collection::vec((0u8..4, 0usize..3, 0i64..4), 1..25)) {
        const FIELDS: [&str; 3] = ["a", "b", "c"];
        let mut stands: Values = FIELDS.iter().map(|name| ((*name).to_owned(), json!(0))).collect();
        let mut link = link();
        let mut past: Vec<Change> = Vec::new();
        for (kind, at, value) in steps {
            let name = FIELDS[at];
            let run = format!("r{}", past.len());
            match kind {
                0 => drop(stands.insert(name.to_owned(), json!(value))),
                1 => {
                    let fields: Vec<FieldChange> = FIELDS.iter().take(at + 1).filter(|name| stands[**name] != json!(value))
                        .map(|name| field(name, stands[*name].clone(), value)).collect();
                    let held = hold_back(&Plain, decision(fields), Some(&link));
                    held.released.iter().for_each(|name| drop(link.undone.remove(name)));
                    if held.decision.op == Op::None { continue }
                    let keep = remember(&Plain, Op::Update, &held.decision.fields, Some(&link), Some(&observation(&stands)));
                    let done = change(&run, Op::Update, held.decision.fields, keep);
                    carry_out(&done, &mut stands, &mut link);
                    past.push(done);
                }
                _ => {
                    let Some(of) = past.get(usize::try_from(value).unwrap().min(past.len().saturating_sub(1))).cloned() else { continue };
                    let before = (stands.clone(), link.clone());
                    let rows = undo(&of, &link, &stands, &run);
                    let Some(back) = rows.iter().find(|row| row.op == Op::Restore) else {
                        prop_assert!(of.body.fields.iter().all(|field| stands[&field.field] != field.new || Some(&field.new) == field.old.as_ref()));
                        continue;
                    };
                    let back = Change { run: run.clone(), body: back.clone(), ..of.clone() };
                    carry_out(&back, &mut stands, &mut link);
                    for field in &of.body.fields {
                        let ours = before.0[&field.field] == field.new;
                        let expected = if ours { field.old.clone().unwrap() } else { before.0[&field.field].clone() };
                        prop_assert_eq!(&stands[&field.field], &expected);
                    }
                    let again = undo(&back, &link, &stands, "again");
                    let again = Change { run: "again".into(), body: again[0].clone(), ..back.clone() };
                    let (mut once, mut known) = (stands.clone(), link.clone());
                    carry_out(&again, &mut once, &mut known);
                    prop_assert_eq!((&once, &known.written, &known.undone), (&before.0, &before.1.written, &before.1.undone));
                    past.push(back);
                }
            }
        }
    }
}
