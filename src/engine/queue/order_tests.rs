use std::time::Duration;

use chrono::{DateTime, Utc};
use proptest::prelude::*;

use super::*;
use crate::engine::queue::Need;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

/// A run of a connection of its own in a queue that began at second 0.
fn run(name: &str, party: &str, since: i64) -> Waiting {
    Waiting {
        run: name.to_owned(),
        fence: 0,
        belongs: Belongs {
            connection: format!("connection of {name}"),
            system: "billz2".to_owned(),
            party: party.to_owned(),
            need: Need::Source(format!("connection of {name}")),
        },
        phase: Phase::Read,
        trigger: Trigger::Schedule,
        since: at(since),
        waited: Duration::from_secs(1),
        turn: None,
        barred: false,
        not_before: None,
        losses: 0,
        lost: false,
    }
}

fn live(of: &Waiting) -> Live {
    Live { belongs: of.belongs.clone() }
}

const WIDE: Caps = Caps { per_system: 1_000, per_connection: 1_000 };

fn names<'a>(picked: &[&'a Waiting]) -> Vec<&'a str> {
    picked.iter().map(|run| run.run.as_str()).collect()
}

#[test]
fn a_seller_with_many_runs_gets_as_many_turns_as_one_with_a_single_run() {
    let mut waiting: Vec<Waiting> = (0..20).map(|number| run(&format!("huge {number:02}"), "huge", number)).collect();
    waiting.push(run("small", "small", 100));
    waiting.push(run("tiny", "tiny", 200));
    assert_eq!(names(&pick(&waiting, &[], WIDE, 4)), ["huge 00", "small", "tiny", "huge 01"]);
    // Whose runs are at work already waits for those who have none.
    let at_work = [live(&waiting[0])];
    assert_eq!(names(&pick(&waiting[1..], &at_work, WIDE, 3)), ["small", "tiny", "huge 01"]);
}

#[test]
fn the_turn_goes_round_by_who_had_it_longest_ago() {
    let mut waiting = vec![run("a", "a", 0), run("b", "b", 1), run("c", "c", 2)];
    waiting[0].turn = Some(at(50));
    waiting[1].turn = Some(at(40));
    assert_eq!(names(&pick(&waiting, &[], WIDE, 9)), ["c", "b", "a"]);
}

#[test]
fn within_a_party_a_persons_run_goes_first_then_the_one_that_waits_longest() {
    let mut waiting = vec![run("scheduled", "a", 0), run("retry", "a", 1), run("late", "a", 3), run("button", "a", 2)];
    waiting[1].trigger = Trigger::Retry;
    waiting[3].trigger = Trigger::Manual;
    assert_eq!(names(&pick(&waiting, &[], WIDE, 9)), ["button", "retry", "scheduled", "late"]);
}

#[test]
fn prices_and_stock_go_before_pictures_until_those_have_waited_long() {
    let mut waiting = vec![run("pictures", "a", 0), run("prices", "b", 9), run("more prices", "b", 10)];
    waiting[0].phase = Phase::Pictures;
    assert_eq!(names(&pick(&waiting, &[], WIDE, 9)), ["prices", "more prices", "pictures"]);
    waiting[0].waited = PATIENCE_OF_PICTURES;
    assert_eq!(names(&pick(&waiting, &[], WIDE, 9)), ["pictures", "prices", "more prices"]);
}

#[test]
fn a_run_that_killed_workers_goes_last() {
    let mut waiting = vec![run("deadly", "a", 0), run("good", "b", 5), run("also good", "a", 6)];
    waiting[0].losses = 1;
    assert_eq!(names(&pick(&waiting, &[], WIDE, 9)), ["good", "also good", "deadly"]);
}

#[test]
fn what_is_in_the_way_is_told() {
    let mut waiting = vec![run("pause", "a", 0), run("lease", "b", 1), run("same shop", "c", 2), run("full", "d", 3), run("free", "e", 4)];
    waiting[0].not_before = Some(at(99));
    waiting[1].barred = true;
    let mut other = run("other", "c", 0);
    other.belongs.need = Need::Target("shop".to_owned());
    waiting[2].belongs.need = Need::Target("shop".to_owned());
    let mut same = run("same", "d", 0);
    same.belongs.connection = waiting[3].belongs.connection.clone();
    same.belongs.need = Need::Nothing;
    let at_work = [live(&other), live(&same)];
    let caps = Caps { per_connection: 1, per_system: 3 };
    let standings = standings(&waiting, &at_work, caps);
    let told: Vec<(Option<u32>, WaitsFor)> =
        waiting.iter().map(|run| &standings[run.run.as_str()]).map(|standing| (standing.position, standing.waits_for)).collect();
    assert_eq!(told[0], (None, WaitsFor::Moment));
    assert_eq!(
        [told[1].1, told[2].1, told[3].1, told[4].1],
        [WaitsFor::Connection, WaitsFor::Connection, WaitsFor::ConnectionFull, WaitsFor::Place]
    );
    let mut positions: Vec<u32> = told.iter().filter_map(|(position, _)| *position).collect();
    positions.sort_unstable();
    assert_eq!(positions, [1, 2, 3, 4]);
    assert_eq!(names(&pick(&waiting, &at_work, caps, 9)), ["free"]);
    assert!(pick(&waiting, &at_work, Caps { per_system: 2, ..caps }, 9).is_empty());
}

#[test]
fn two_runs_that_need_the_same_are_not_taken_together() {
    let mut waiting = vec![run("one", "a", 0), run("two", "b", 1), run("look", "c", 2), run("look too", "d", 3)];
    waiting[0].belongs.need = Need::Target("shop".to_owned());
    waiting[1].belongs.need = Need::Target("shop".to_owned());
    waiting[2].belongs.need = Need::Nothing;
    waiting[3].belongs.need = Need::Nothing;
    assert_eq!(names(&pick(&waiting, &[], WIDE, 9)), ["one", "look", "look too"]);
}

prop_compose! {
    fn any_run()(number in 0u32..1_000_000, party in 0u8..6, connection in 0u8..8, system in 0u8..3, since in 0i64..50, need in 0u8..10, barred in any::<bool>(),
                 later in any::<bool>(), pictures in any::<bool>(), turn in proptest::option::of(0i64..50), losses in 0u32..2) -> Waiting {
        let mut run = run(&format!("{number:07}"), &format!("party {party}"), since);
        run.belongs.connection = format!("connection {connection}");
        run.belongs.system = format!("system {system}");
        run.belongs.need = if need == 0 { Need::Nothing } else { Need::Target(format!("shop {need}")) };
        run.barred = barred && later;
        run.not_before = (later && !barred).then(|| at(99));
        run.phase = if pictures { Phase::Pictures } else { Phase::Read };
        run.turn = turn.map(at);
        run.losses = losses;
        run
    }
}

proptest! {
    /// No cap is passed, nothing is taken twice or past what bars it, and no place stays empty that could be filled.
    #[test]
    fn picks_keep_to_the_caps_and_leave_no_place_empty(
        mut waiting in proptest::collection::vec(any_run(), 0..40), at_work in proptest::collection::vec(any_run(), 0..8), places in 0usize..8,
        per_system in 1u32..6, per_connection in 1u32..3,
    ) {
        waiting.sort_by(|one, other| one.run.cmp(&other.run));
        waiting.dedup_by(|one, other| one.run == other.run);
        let at_work: Vec<Live> = at_work.iter().map(live).collect();
        let caps = Caps { per_system, per_connection };
        let picked = pick(&waiting, &at_work, caps, places);
        prop_assert!(picked.len() <= places);
        let mut all: Vec<Belongs> = at_work.iter().map(|run| run.belongs.clone()).collect();
        for run in &picked {
            prop_assert!(!run.barred && run.not_before.is_none());
            prop_assert!(run.belongs.need == Need::Nothing || all.iter().all(|other| other.need != run.belongs.need));
            all.push(run.belongs.clone());
            prop_assert!(all.iter().filter(|other| other.system == run.belongs.system).count() <= per_system as usize);
            prop_assert!(all.iter().filter(|other| other.connection == run.belongs.connection).count() <= per_connection as usize);
        }
        if picked.len() < places {
            let live: Vec<Live> = all.into_iter().map(|belongs| Live { belongs }).collect();
            let now = AtWork::of(&live);
            for run in waiting.iter().filter(|run| !picked.iter().any(|other| other.run == run.run)) {
                prop_assert!(now.bars(run, caps).is_some(), "{} could be taken", run.run);
            }
        }
    }

    /// Of two parties that wait all the time and are never barred, neither gets two turns more than the other.
    #[test]
    fn turns_are_even(one in 1usize..30, other in 1usize..30, turns in 1usize..20) {
        let mut waiting: Vec<Waiting> = (0..one).map(|number| run(&format!("a{number:03}"), "a", 0)).collect();
        waiting.extend((0..other).map(|number| run(&format!("b{number:03}"), "b", 1)));
        let picked = pick(&waiting, &[], WIDE, turns.min(2 * one.min(other)));
        let of_one = picked.iter().filter(|run| run.belongs.party == "a").count();
        prop_assert!(of_one.abs_diff(picked.len() - of_one) <= 1);
    }
}
