use chrono::TimeZone;
use serde_json::json;

use super::*;
use crate::engine::{
    flow::{Item, LinkDecision, Lookup},
    model::{Change, FieldChange, NewChange, Trigger, Values},
    undo::{Keep, Kept},
};

struct Plain;

impl Rules for Plain {
    fn lookup(&self, _: &str, _: &str) -> Option<Lookup> {
        None
    }

    fn decide(&self, _: &Item<'_>) -> Decision {
        unreachable!("nothing is decided here")
    }

    fn settings_of(&self, code: &str) -> Vec<(&'static str, Value)> {
        if code == "stock_sum" { vec![("stock", json!("sum")), ("stock_buffer", json!(1))] } else { vec![("stock", json!("sum"))] }
    }
}

fn at(minute: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 2, 1, 9, minute, 0).unwrap()
}

fn wrote(run: &str, minute: u32, field: &str, value: Value, target: &str) -> PastChange {
    let body = NewChange {
        source: "s".into(),
        name: "Item".into(),
        target: Some(target.into()),
        witness: None,
        op: Op::Update,
        fields: vec![FieldChange { field: field.into(), old: None, new: value, rule: Reason::new("from_source") }],
        reason: Reason::new("changed"),
        outcome: crate::engine::model::Outcome::Updated,
        state: ChangeState::Applied,
        undo: "restore".into(),
        link_origin: (minute == 0).then(|| "created".to_owned()),
        source_seen_at: at(minute),
        risks: 0,
        keep: Keep::new(),
    };
    let change = Change { id: 1, run: run.into(), body, state: ChangeState::Applied };
    PastChange { change, stream: "shop".into(), trigger: Trigger::Manual, dry_run: false, at: at(minute) }
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
        written: Values::from([("price".into(), json!("200")), ("name".into(), json!("old"))]),
        source_seen_at: None,
        undone: Default::default(),
        run: Some("r2".into()),
        linked_at: None,
        updated_at: at(0),
    }
}

fn seen(values: Value) -> Observation {
    Observation { witness: Some("w".into()), owned: true, values: serde_json::from_value(values).unwrap() }
}

#[test]
fn the_last_writer_of_a_field_is_who_put_there_what_stands() {
    let mut special = wrote("r3", 3, "special", json!("80"), "50");
    special.change.body.keep = Keep::from([("special".into(), Kept { after: Some(json!(["rows"])), ..Kept::default() })]);
    let past = [
        // Newest first. What was written to another target says nothing about this one.
        wrote("r4", 4, "price", json!("999"), "60"),
        special,
        wrote("r2", 2, "price", json!("200"), "50"),
        wrote("r1", 1, "price", json!("100"), "50"),
        wrote("r0", 0, "quantity", json!(5), "50"),
    ];
    let of = |values: Value| {
        let stories = authors(Some(&Plain), &link(), Some(&seen(values)), &past);
        stories.into_iter().map(|story| (story.field, story.author, story.run.unwrap_or_default())).collect::<Vec<_>>()
    };
    assert_eq!(
        of(json!({"price": "200.00", "quantity": 4, "special": ["rows"], "name": "old"})),
        [
            ("name".into(), Author::Us, String::new()),
            ("price".into(), Author::Us, "r2".into()),
            ("quantity".into(), Author::SomebodyElse, "r0".into()),
            ("special".into(), Author::Us, "r3".into()),
        ]
    );
    // The price that an earlier run of ours wrote is not what we last wrote.
    assert_eq!(of(json!({"price": "100"}))[1].1, Author::SomebodyElse);
    let blind = authors(None, &link(), None, &past);
    assert!(blind.iter().all(|story| story.author == Author::Unknown && story.now.is_none()));
    assert_eq!(made(&link(), &past), Some(Made { run: "r0".into(), at: at(0) }));
}

#[test]
fn what_stands_under_the_id_may_be_another_item() {
    let other = Observation { witness: Some("later".into()), ..seen(json!({})) };
    let foreign = Observation { owned: false, ..seen(json!({})) };
    let cases = [
        (None, Standing::Deleted),
        (Some(seen(json!({}))), Standing::Seen),
        (Some(other), Standing::Replaced),
        (Some(foreign), Standing::Foreign),
    ];
    for (observed, expected) in cases {
        assert_eq!(standing(&link(), observed.as_ref()), expected);
    }
}

#[test]
fn every_setting_behind_a_decision_is_named_once() {
    let field = FieldChange { field: "quantity".into(), old: None, new: json!(1), rule: Reason::new("stock_sum") };
    let decision = Decision {
        outcome: crate::engine::model::Outcome::Updated,
        op: Op::Update,
        reason: Reason::new("changed"),
        fields: vec![field],
        fault: None,
        link: LinkDecision::Keep,
        undo: "restore",
    };
    assert_eq!(settings_behind(&Plain, &decision), [("stock", json!("sum")), ("stock_buffer", json!(1))]);
}
