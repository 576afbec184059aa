use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::flows::okliving_onebox::settings::tests::settings;

fn map() -> Settings {
    settings(json!({"status_map": {
        "ship": {"delivery": "ship", "order": "process"},
        "part": {"delivery": "ship_partially"},
        "process": {"order": "process"},
        "complete": {"order": "complete"},
        "cancel": {"order": "cancel", "delivery": "cancel"},
        "back": {"delivery": "retour"},
        "reopen": {"order": "reopen"},
        "stage:57": {"order": "complete"},
    }}))
}

fn hook(id: u64, ask: Value) -> Hook {
    Hook { id, item: None, target: None, ask, received_at: DateTime::UNIX_EPOCH }
}

fn hooks(asks: &[Value]) -> Vec<Hook> {
    asks.iter().zip(1..).map(|(ask, id)| hook(id, ask.clone())).collect()
}

fn open() -> Known {
    Known { order: Some("open"), delivery: Some("open"), ..Known::default() }
}

fn planned(asks: &[Value], known: &Known) -> Plan {
    plan(&hooks(asks), &Shown::default(), known, &map())
}

fn do_(action: &str) -> Value {
    json!({"action": action})
}

const TTN: &str = "20450000000000";

#[test]
fn waybill_status_and_note_go_in_one_call_and_nothing_else_is_in_it() {
    let plan = planned(&[json!({"ttn": TTN, "action": "ship", "comment": "Їде"})], &open());
    assert_eq!(
        plan.calls,
        [Call {
            tracking_number: Some(TTN.into()),
            delivery: Some("ship".into()),
            order: Some("process".into()),
            note: Some("Їде".into())
        }]
    );
    assert_eq!((plan.after.order, plan.after.delivery, plan.dealt_with), (Some("in_progress"), Some("shipped"), vec![1]));
    let plan = planned(&[json!({"comment": "Їде"})], &open());
    assert_eq!(plan.calls, [Call { note: Some("Їде".into()), ..Call::default() }]);
}

#[test]
fn hooks_that_wait_are_merged_in_their_order() {
    let plan = planned(&[json!({"ttn": "20450000000009"}), do_("ship"), json!({"ttn": TTN}), json!({"comment": "Їде"})], &open());
    assert_eq!(plan.calls.len(), 1);
    assert_eq!(
        (plan.calls[0].tracking_number.as_deref(), plan.calls[0].note.as_deref()),
        (Some(TTN), Some("Їде")),
        "the later waybill counts"
    );
    assert_eq!(plan.dealt_with, [1, 2, 3, 4]);
    // Two steps of one machine need two calls; two notes as well.
    let plan = planned(&[do_("ship"), do_("complete"), json!({"comment": "перше"}), json!({"comment": "друге"})], &open());
    assert_eq!(
        plan.calls,
        [
            Call { delivery: Some("ship".into()), order: Some("process".into()), note: Some("перше".into()), ..Call::default() },
            Call { order: Some("complete".into()), note: Some("друге".into()), ..Call::default() },
        ]
    );
}

#[test]
fn what_is_done_already_is_not_sent_again() {
    let after = planned(&[json!({"ttn": TTN, "action": "ship", "comment": "Їде"})], &open()).after;
    let again = planned(&[json!({"ttn": TTN, "action": "ship", "comment": "Їде"}), do_("process"), do_("part")], &after);
    assert_eq!((again.calls.len(), again.dealt_with, again.held), (0, vec![1, 2, 3], vec![]));
}

#[test]
fn an_action_waits_for_those_that_make_it_possible() {
    let early = planned(&[do_("complete")], &open());
    assert_eq!((early.calls.len(), early.dealt_with.len()), (0, 0));
    assert_eq!(early.held[0].1.code, NOT_POSSIBLE);
    let both = planned(&[do_("complete"), do_("process")], &open());
    assert_eq!(both.calls.iter().filter_map(|call| call.order.as_deref()).collect::<Vec<_>>(), ["process", "complete"]);
    assert_eq!(both.dealt_with, [1, 2]);
}

#[test]
fn nothing_is_opened_again_by_itself() {
    let cancelled = Known { order: Some("cancelled"), ..open() };
    let plan = planned(&[do_("process")], &cancelled);
    assert_eq!((plan.calls.len(), plan.held.len()), (0, 1));
    let plan = planned(&[do_("reopen"), do_("process")], &cancelled);
    assert_eq!(plan.calls.iter().filter_map(|call| call.order.as_deref()).collect::<Vec<_>>(), ["reopen", "process"]);
    // An echo of what we did before it was cancelled is no question to anybody.
    let echo = Known { did: ["order:process".to_owned()].into(), ..cancelled };
    let plan = planned(&[do_("process")], &echo);
    assert_eq!((plan.calls.len(), plan.held.len(), plan.dealt_with), (0, 0, vec![1]));
}

#[test]
fn a_bad_waybill_holds_its_hook_until_a_good_one_comes() {
    let bad = json!({"bad_ttn": "123456789012345", "action": "ship"});
    let plan = planned(std::slice::from_ref(&bad), &open());
    assert_eq!((plan.calls.len(), plan.held[0].1.code.as_str()), (0, "bad_ttn"));
    let plan = planned(&[bad, json!({"ttn": TTN})], &open());
    assert_eq!(
        (plan.calls.len(), plan.calls[0].tracking_number.as_deref(), plan.calls[0].delivery.as_deref()),
        (1, Some(TTN), Some("ship"))
    );
    assert_eq!((plan.dealt_with, plan.held.len()), (vec![1, 2], 0));
}

#[test]
fn a_hook_that_waits_for_its_action_says_the_rest_once() {
    let asks = [json!({"ttn": "20450000000009", "action": "complete", "comment": "Їде"}), json!({"ttn": TTN, "action": "process"})];
    let first = planned(&asks[..1], &open());
    assert_eq!(first.calls, [Call { tracking_number: Some("20450000000009".into()), note: Some("Їде".into()), ..Call::default() }]);
    assert_eq!((first.held[0].1.code.as_str(), first.dealt_with.len()), (NOT_POSSIBLE, 0));
    // Its action becomes possible; its older waybill and its note are not said again.
    let second = planned(&asks, &first.after);
    assert_eq!(
        second.calls,
        [
            Call { tracking_number: Some(TTN.into()), order: Some("process".into()), ..Call::default() },
            Call { order: Some("complete".into()), ..Call::default() },
        ]
    );
    assert_eq!(second.dealt_with, [1, 2]);
}

#[test]
fn a_thin_hook_is_filled_from_onebox() {
    let shown = Shown { ttn: Some(TTN.into()), stage: Some("57".into()), comment: None };
    let plan_of = |ask: Value, shown: &Shown, known: &Known| plan(&hooks(&[ask]), shown, known, &map());
    let filled = plan_of(json!({"thin": true, "action": "ship"}), &shown, &open());
    assert_eq!((filled.calls[0].tracking_number.as_deref(), filled.calls[0].delivery.as_deref()), (Some(TTN), Some("ship")));
    let by_stage = plan_of(json!({"thin": true}), &shown, &Known { order: Some("in_progress"), ..open() });
    assert_eq!(by_stage.calls[0].order.as_deref(), Some("complete"));
    let bad = plan_of(json!({"thin": true, "action": "ship"}), &Shown { ttn: Some("12".into()), ..Shown::default() }, &open());
    assert_eq!(bad.held[0].1.code, "bad_ttn");
    // A fat hook without a waybill does not ask for OneBox's.
    assert_eq!(plan_of(do_("ship"), &shown, &open()).calls[0].tracking_number, None);
}

#[test]
fn an_unknown_action_is_held_and_an_unmapped_stage_is_not() {
    assert_eq!(planned(&[do_("fly")], &open()).held[0].1.code, "hook_action_unknown");
    let stage = planned(&[do_("stage:12")], &open());
    assert_eq!((stage.calls.len(), stage.held.len(), stage.dealt_with), (0, 0, vec![1]));
}

#[test]
fn the_shop_may_be_told_part_by_part() {
    let settings = settings(json!({"okliving": {"split_update": true}, "status_map": {"ship": {"delivery": "ship", "order": "process"}}}));
    let plan = plan(&hooks(&[json!({"ttn": TTN, "action": "ship"})]), &Shown::default(), &open(), &settings);
    assert_eq!(
        plan.calls,
        [
            Call { tracking_number: Some(TTN.into()), ..Call::default() },
            Call { delivery: Some("ship".into()), ..Call::default() },
            Call { order: Some("process".into()), ..Call::default() },
        ]
    );
}

#[test]
fn what_we_sent_is_believed_until_the_order_was_read_after_it() {
    let at: DateTime<Utc> = "2026-03-14T10:00:00Z".parse().expect("a time");
    let link = Link {
        source: "1".into(),
        name: "1".into(),
        state: crate::engine::model::LinkState::Linked,
        target: Some("127901".into()),
        witness: None,
        candidates: Vec::new(),
        origin: "created".into(),
        written: [
            (field::ORDER.to_owned(), json!("in_progress")),
            (field::TTN.to_owned(), json!(TTN)),
            (memory::AT.to_owned(), json!(at.to_rfc3339())),
            (memory::DID.to_owned(), json!("order:process")),
        ]
        .into(),
        source_seen_at: None,
        undone: Default::default(),
        run: None,
        linked_at: None,
        updated_at: at,
    };
    let known = |read_at| Known::of(("open", "open"), "", read_at, Some(&link), &map());
    assert_eq!((known(at).order, known(at).tracking_number.as_deref()), (Some("in_progress"), Some(TTN)));
    assert_eq!(known(at + chrono::Duration::minutes(10)).order, Some("open"), "a person opened it again in the shop");
    assert_eq!(Known::of(("3", ""), "", at, None, &settings(json!({"okliving": {"states": {"3": "completed"}}}))).order, Some("completed"));
}

#[test]
fn what_stands_already_is_dropped_and_the_rest_sent() {
    let call =
        Call {
            tracking_number: Some(TTN.into()), delivery: Some("ship".into()), order: Some("complete".into()), note: Some("Їде".into())
        };
    let stands = Known { order: Some("open"), delivery: Some("shipped"), tracking_number: Some(TTN.into()), ..Known::default() };
    assert_eq!(left(&call, &stands, true), (Call::default(), Some((Machine::Order, "open"))));
    let stands = Known { order: Some("in_progress"), ..stands };
    assert_eq!(left(&call, &stands, false), (Call { order: Some("complete".into()), note: Some("Їде".into()), ..Call::default() }, None));
}

proptest! {
    /// Hooks of one order in any order, doubled, and taken up in any portions: the machines end where the actions lead, and each action is sent once.
    #[test]
    fn any_order_any_doubles_and_any_portions_come_to_one_end(
        order in Just(vec!["ship", "complete", "part", "process", "ship", "complete"]).prop_shuffle(),
        portions in proptest::collection::vec(1usize..4, 6),
    ) {
        let all: Vec<Hook> = order.iter().zip(1..).map(|(action, id)| hook(id, do_(action))).collect();
        let (mut known, mut waiting, mut sent): (Known, Vec<Hook>, Vec<String>) = (open(), Vec::new(), Vec::new());
        let mut rest = all.as_slice();
        for portion in portions.iter().cycle() {
            let (now, later) = rest.split_at((*portion).min(rest.len()));
            waiting.extend(now.iter().cloned());
            rest = later;
            let plan = plan(&waiting, &Shown::default(), &known, &map());
            for call in &plan.calls {
                sent.extend(call.order.iter().map(|action| format!("order:{action}")));
                sent.extend(call.delivery.iter().map(|action| format!("delivery:{action}")));
            }
            known = plan.after;
            waiting.retain(|hook| !plan.dealt_with.contains(&hook.id));
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!((known.order, known.delivery), (Some("completed"), Some("shipped")));
        prop_assert!(waiting.is_empty(), "{:?}", waiting);
        let mut once = sent.clone();
        once.sort();
        once.dedup();
        prop_assert_eq!(once.len(), sent.len(), "{:?}", sent);
    }

    /// Whatever hooks say, no call opens anything again unless a hook asks for it, and no call is empty.
    #[test]
    fn calls_hold_only_what_was_asked(actions in proptest::collection::vec(prop_oneof!["ship", "part", "process", "complete", "cancel", "back"], 0..8), state in 0usize..4) {
        let states = ["open", "in_progress", "completed", "cancelled"];
        let known = Known { order: Some(states[state]), ..open() };
        let plan = planned(&actions.iter().map(|action| do_(action)).collect::<Vec<_>>(), &known);
        prop_assert!(plan.calls.iter().all(|call| *call != Call::default() && call.order.as_deref() != Some("reopen") && call.delivery.as_deref() != Some("reopen")));
        prop_assert_eq!(plan.dealt_with.len() + plan.held.len(), actions.len());
    }
}
