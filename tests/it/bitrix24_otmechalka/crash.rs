//! "Corner Case. Периодическая задача упала": a run may die at any point, and both systems end up as if it had not.

use std::time::Duration;

use serde_json::json;

use super::School;
use crate::support::{Setup, Spawn, Stage, assert_done};

/// More than one page, and more than one batch.
const CONTACTS: usize = 70;

async fn dies_at(stream: &str, points: &[&str]) {
    let spawn = Spawn::default().with("TRADESYNC_ROLE", "api");
    let setup = Setup { products: 0, goods: 0, contacts: CONTACTS, deals: CONTACTS, spawn, ..Setup::default() };
    let school = School::on(Stage::with(setup).await, json!({"deal_filter": {"products": [60_130]}})).await;
    if stream == "deals" {
        let mut worker = school.stage.worker(&Spawn::default()).await;
        super::done(&school.contacts().await);
        worker.kill();
    }
    let run = school.start(stream, json!({})).await;
    for point in points {
        let mut worker = school.stage.worker(&Spawn::failing_at(point)).await;
        assert!(worker.ended(Duration::from_secs(60)).await && worker.aborted(), "{point} was never passed\n{}", worker.output());
    }
    let _worker = school.stage.worker(&Spawn::default()).await;
    let ended = school.stage.rest.wait_within(&run, Duration::from_secs(120)).await;
    assert_done(&ended, points[0]);
    match stream {
        "deals" => {
            // No subscription: nobody writes its status.
            school.portal().delete(tradesync::sandbox::bitrix24::Kind::Deal, tradesync::sandbox::bitrix24::seed::deal_id(30));
            school.deals_must_agree(points[0]);
        }
        _ => school.contacts_must_agree(points[0]),
    }
    let writes = school.writes();
    let again = school.sync(stream).await;
    assert_eq!((&again["counts"]["created"], &again["counts"]["updated"], school.writes()), (&json!(0), &json!(0), writes), "{points:?}");
}

macro_rules! killed {
    ($($name:ident($stream:literal) => [$($point:literal),+]),+ $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread")] async fn $name() { dies_at($stream, &[$($point),+]).await })+
    };
}

killed! {
    contacts_while_it_reads("contacts") => ["after-page-read", "after-page-read:2", "after-read"],
    contacts_while_it_decides("contacts") => ["after-plan", "after-brakes", "after-decide"],
    contacts_between_intent_and_effect("contacts") => ["after-intent", "mid-batch", "mid-batch:7"],
    contacts_between_client_and_status("contacts") => ["sent-not-told", "sent-not-told:2"],
    contacts_between_status_and_record("contacts") => ["after-effect", "after-record"],
    contacts_before_the_cursor("contacts") => ["before-cursor"],
    deals_while_it_reads_and_decides("deals") => ["after-page-read", "after-plan"],
    deals_between_intent_and_effect("deals") => ["after-intent", "mid-batch", "mid-batch:7"],
    deals_between_ticket_and_status("deals") => ["sent-not-told", "after-effect"],
}
