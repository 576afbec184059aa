//! What replaces the document's watermarks: nothing is lost with equal seconds, edits while it reads, late rows and other clocks; and our own
//! status does not come back as an edit.

use serde_json::json;
use tradesync::sandbox::bitrix24::{Kind, fields};

use super::{SUCCESS, School, count, done, well};
use crate::support::Spawn;

#[tokio::test(flavor = "multi_thread")]
async fn edits_of_the_same_second_are_all_seen() {
    let school = School::with(120, 0, Spawn::default(), json!({})).await;
    done(&school.contacts().await);
    // A mass edit, more than a page, in one second; half of it just before the read, half just after, with the same second.
    let ids: Vec<u64> = school.portal().contacts().keys().copied().collect();
    let second = school.portal().now();
    school.portal().freeze(Some(second));
    let (first, rest) = ids.split_at(60);
    school.portal().edit_many(Kind::Contact, first, |contact| contact.set("LAST_NAME", "Первая"));
    done(&school.contacts().await);
    school.portal().edit_many(Kind::Contact, rest, |contact| contact.set("LAST_NAME", "Вторая"));
    school.portal().freeze(None);
    done(&school.contacts().await);
    school.contacts_must_agree("equal seconds");
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_while_it_reads_are_seen_now_or_next_time() {
    let school = School::with(230, 0, Spawn::default(), json!({})).await;
    school.portal().set_switches(|switches| switches.edits_between_pages = 6);
    for _ in 0..3 {
        let run = school.start("contacts", json!({"mode": "full"})).await;
        done(&school.stage.rest.wait(&run).await);
    }
    school.portal().set_switches(|switches| switches.edits_between_pages = 0);
    done(&school.contacts().await);
    school.contacts_must_agree("edits while it read");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_portals_own_clock_counts_and_late_rows_are_waited_for() {
    for ahead in [-3_600, 3_600] {
        let school = School::empty(json!({})).await;
        school.portal().set_switches(|switches| switches.clock_ahead_s = ahead);
        let pupil = school.pupil(|_| {});
        well(&school.contacts().await);
        // Shown only after its DATE_MODIFY has passed by, as when a long transaction ends.
        school.portal().set_switches(|switches| switches.late_ms = 400);
        school.edit(Kind::Contact, pupil, |contact| contact.set(fields::PUPIL_FIRST_NAME, "Иван"));
        well(&school.contacts().await);
        let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while school.client(pupil).first_name != "Иван" {
            assert!(std::time::Instant::now() < until, "clock {ahead}: the late row was lost");
            well(&school.contacts().await);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_status_is_no_edit_and_a_persons_edit_beside_it_is() {
    let school = School::empty(json!({})).await;
    let pupils: Vec<u64> = (0..3).map(|_| school.pupil(|_| {})).collect();
    well(&school.contacts().await);
    let writes = school.writes();
    // The portal says that the technical user has just modified all of them.
    assert!(
        pupils.iter().all(|pupil| school.portal().get(Kind::Contact, *pupil).unwrap().modified_by == school.portal().switches().user_id)
    );
    for _ in 0..3 {
        let run = school.scheduled("contacts").await;
        assert_eq!((count(&run, "unchanged"), school.writes()), (3, writes), "{run}");
    }
    // A person edits, and our status moves MODIFY_BY_ID over it: the edit counts all the same.
    school.edit(Kind::Contact, pupils[1], |contact| {
        contact.set(fields::PUPIL_FIRST_NAME, "Иван");
        contact.set(fields::STATUS, "проверить");
    });
    let at = school.portal().now();
    school.portal().edit_at(Kind::Contact, pupils[1], at, |contact| contact.modified_by = 1);
    well(&school.contacts().await);
    assert_eq!((school.client(pupils[1]).first_name.as_str(), school.status(Kind::Contact, pupils[1]).as_str()), ("Иван", SUCCESS));
    school.contacts_must_agree("echo");
}

#[tokio::test(flavor = "multi_thread")]
async fn contacts_that_are_deleted_stay_in_otmechalka() {
    let school = School::empty(json!({})).await;
    let (gone, stays) = (school.pupil(|_| {}), school.pupil(|_| {}));
    let deal = school.sale(stays, |_| {});
    well(&school.contacts().await);
    well(&school.deals().await);
    school.portal().delete(Kind::Contact, gone);
    let run = school.start("contacts", json!({"mode": "full"})).await;
    let run = school.stage.rest.wait(&run).await;
    well(&run);
    assert_eq!(school.outcome(&run, &format!("contact:{gone}")).await, "skipped b24_gone");
    assert_eq!((school.client(gone).origin_id, school.otmechalka().clients().len()), (gone.to_string(), 2));
    // A full read of contacts says nothing about deals.
    let run = school.deals().await;
    assert_eq!(count(&run, "unchanged"), 1, "{run}");
    assert_eq!(school.ticket(deal).origin_id, deal.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minute_without_changes_takes_at_most_five_calls_and_no_write() {
    let school = School::with(400, 60, Spawn::default(), json!({})).await;
    done(&school.contacts().await);
    done(&school.deals().await);
    // What we wrote is an hour old.
    school.portal().set_switches(|switches| switches.clock_ahead_s = 3_600);
    school.scheduled("contacts").await;
    school.scheduled("deals").await;
    school.stage.database.run("UPDATE tradesync_retries SET next_at = UTC_TIMESTAMP(6) + INTERVAL 1 HOUR");
    let (calls, writes) = (school.calls(), school.writes());
    let runs = [school.scheduled("contacts").await, school.scheduled("deals").await];
    let (portal, otmechalka) = school.calls();
    assert!(
        portal - calls.0 <= 5 && otmechalka == calls.1,
        "{} calls of the portal, {} of otmechalka",
        portal - calls.0,
        otmechalka - calls.1
    );
    assert_eq!(school.writes(), writes, "{runs:?}");
}
