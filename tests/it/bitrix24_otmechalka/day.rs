//! A day: 5,000 edits with many equal seconds, mass edits, kills, answers lost after they were carried out. otmechalka ends with exactly the mapped
//! truth, no doubles, nothing missed, at most one status write per change, nothing written but the status field, and no limit met.

use std::time::Duration;

use serde_json::json;
use tradesync::sandbox::{
    bitrix24::{Kind, fields},
    desk::Fault,
};

use super::{School, done};
use crate::support::{Setup, Spawn, Stage};

const ROUNDS: u64 = 20;
/// Together with the mass edits 5,000.
const EDITS: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_five_thousand_edits() {
    let spawn = Spawn::default().with("TRADESYNC_ROLE", "api");
    let setup = Setup { products: 0, goods: 0, contacts: 110, deals: 60, time_factor: 200.0, spawn, ..Setup::default() };
    let school = School::on(Stage::with(setup).await, json!({})).await;
    let everybody = Spawn::default().with("TRADESYNC_TIME_FACTOR", "200");
    let mut worker = school.stage.worker(&everybody).await;
    let contacts: Vec<u64> = school.portal().contacts().keys().copied().collect();
    for round in 0..ROUNDS {
        school.portal().freeze(Some(school.portal().now()));
        school.portal().random_edits(Kind::Contact, EDITS / 2, round);
        school.portal().freeze(None);
        school.portal().random_edits(Kind::Contact, EDITS / 4, round + 1_000);
        school.portal().random_edits(Kind::Deal, EDITS / 4, round);
        // A mass edit of half of them in one second.
        let half = &contacts[..50 + usize::try_from(round).unwrap() % 5];
        school.portal().edit_many(Kind::Contact, half, |contact| contact.set("LAST_NAME", format!("Родитель{}", letters(round))));
        match round % 4 {
            0 => school.trouble_at_otmechalka("/api/", 5, 2, Fault::Drop),
            1 => school.trouble_at_portal("/batch.json", 1, 1, Fault::Drop),
            2 => school.trouble_at_otmechalka("/api/", 11, 1, Fault::Html { code: 502 }),
            _ => {}
        }
        for stream in ["contacts", "deals"] {
            let run = school.start(stream, json!({})).await;
            if round % 3 == 0 {
                tokio::time::sleep(Duration::from_millis(40 + 37 * round)).await;
                worker.kill();
                worker = school.stage.worker(&everybody).await;
            }
            school.stage.rest.wait_within(&run, Duration::from_secs(120)).await;
        }
        school.nothing_else_was_written(&format!("round {round}"));
    }
    school.otmechalka().desk().clear_faults();
    school.portal().desk().clear_faults();
    for stream in ["contacts", "deals", "contacts", "deals"] {
        done(&school.sync(stream).await);
    }
    // Payments were changed after tickets were made: recalculations are not sent.
    school.contacts_must_agree("the day is over");
    for (id, deal) in school.portal().deals() {
        assert!(school.otmechalka().tickets_of(&id.to_string()).len() <= 1, "{id} {}", deal.text(fields::PAYMENT));
    }
    let expected = school.expected(Kind::Deal).0;
    assert_eq!(school.otmechalka().tickets().len(), expected, "no ticket missed");
    // Whose data are wrong may be told several things; who is well is told once.
    let successes = school.portal().writes().iter().filter(|write| write.fields[fields::STATUS] == super::SUCCESS).count();
    let objects = school.portal().contacts().len() + school.portal().deals().len();
    assert!(successes <= objects, "{successes} times success for {objects} objects");
    let writes = school.writes();
    for stream in ["contacts", "deals"] {
        school.scheduled(stream).await;
    }
    assert_eq!(school.writes(), writes, "a run without changes writes nothing");
    worker.kill();
}

/// A number in letters, since names have no digits.
fn letters(number: u64) -> String {
    number.to_string().chars().map(|digit| char::from(b'a' + u8::try_from(digit.to_digit(10).unwrap()).unwrap())).collect()
}
