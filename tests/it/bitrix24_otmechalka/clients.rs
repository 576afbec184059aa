//! "Передача клиентов в отмечалку. Happy Case", step by step.

use serde_json::{Value, json};
use tradesync::sandbox::{
    bitrix24::{Kind, fields},
    desk::Fault,
};

use super::{SUCCESS, School, body, count, done, well};
use crate::support::{Setup, Stage, change_of};

#[tokio::test(flavor = "multi_thread")]
async fn step_01_the_job_runs_by_schedule_without_an_open_port() {
    let stage = Stage::with(Setup { products: 0, goods: 0, contacts: 0, deals: 0, ..Setup::default() }).await;
    let connection = stage.rest.post("/connections", &body(&stage, json!({}))).await.ok(201)["id"].as_str().unwrap().to_owned();
    let school = School { stage, connection };
    let schedules = school.stage.rest.all(&format!("/schedules?connection={}", school.connection)).await;
    let mut streams: Vec<&str> = schedules.iter().map(|schedule| schedule["stream"].as_str().unwrap()).collect();
    streams.sort_unstable();
    assert_eq!(streams, ["contacts", "deals"]);
    assert!(schedules.iter().all(|schedule| schedule["every"] == "1m" && schedule["enabled"] == true), "{schedules:?}");
    let pupil = school.pupil(|_| {});
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while school.status(Kind::Contact, pupil) != SUCCESS {
        assert!(std::time::Instant::now() < until, "no schedule has started a run");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(school.client(pupil).last_name, "Петров");
    // No route of ours is known to either system.
    school.stage.rest.post("/sync/bitrix24-otmechalka/hooks/any", &json!({})).await.problem(404, "not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn step_02_contacts_created_from_the_start_date_on_and_modified_since_the_watermark() {
    let school = School::empty(json!({})).await;
    let at = |text: &str| text.parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    // 23:59:59 of the day before and 00:00:00 of the first day, in the portal's zone.
    let before = school.pupil(|contact| contact.created = at("2020-12-21T20:59:59Z"));
    let first = school.pupil(|contact| contact.created = at("2020-12-21T21:00:00Z"));
    well(&school.contacts().await);
    assert_eq!((school.status(Kind::Contact, before), school.status(Kind::Contact, first)), (String::new(), SUCCESS.to_owned()));
    assert!(school.otmechalka().clients_of(&before.to_string()).is_empty());
    // The watermark can be seen and set.
    let cursor = school.stream("contacts").await["cursor"].clone();
    assert!(cursor.is_string());
    let later = "2030-01-01T00:00:00Z";
    let path = format!("/connections/{}/streams/contacts", school.connection);
    school.stage.rest.patch(&path, &json!({ "cursor": later })).await.ok(200);
    school.edit(Kind::Contact, first, |contact| contact.set(fields::PUPIL_FIRST_NAME, "Иван"));
    school.contacts().await;
    assert_eq!(school.client(first).first_name, "Василий", "not modified since 2030");
    school.stage.rest.patch(&path, &json!({ "cursor": cursor })).await.ok(200);
    school.contacts().await;
    assert_eq!(school.client(first).first_name, "Иван");
    // The start date itself can be moved; a full run then takes what is older.
    school.settings(json!({"sync_start_date": "2020-12-21"})).await;
    let run = school.start("contacts", json!({"mode": "full"})).await;
    well(&school.stage.rest.wait(&run).await);
    assert_eq!(school.status(Kind::Contact, before), SUCCESS);
}

#[tokio::test(flavor = "multi_thread")]
async fn step_03_every_contact_that_was_read_is_gone_through() {
    let school = School::new(json!({})).await;
    let run = school.contacts().await;
    done(&run);
    let (stand, nothing, wrong) = school.expected(Kind::Contact);
    assert_eq!(
        (count(&run, "created"), count(&run, "skipped"), count(&run, "failed")),
        (stand as u64, nothing as u64, wrong as u64),
        "{run}"
    );
    assert!(nothing >= 2 && wrong >= 5, "the portal holds every odd kind");
    school.contacts_must_agree("all of them");
}

#[tokio::test(flavor = "multi_thread")]
async fn step_04_fields_are_mapped_and_unknown_products_and_branches_ignored() {
    let school = School::empty(json!({})).await;
    let pupil = school.pupil(|contact| {
        contact.set(fields::PRODUCT, json!([62, 404, 410]));
        contact.set(fields::BRANCH, json!([348, 48, 12_708]));
        let second = contact.clone().with_phone("+7 (999) 000-00-00");
        *contact = second.with_email("anna@example.test").with_email("second@example.test");
    });
    well(&school.contacts().await);
    let sent = &school.otmechalka().writes()[0].body;
    let expected = json!({
        "origin_id": pupil.to_string(), "last_name": "Петров", "first_name": "Василий", "phone": "79261234567", "email": "anna@example.test",
        "courses": ["10987", "10988", "10985", "10986"], "branchoffices": ["2634", "2635", "2633"], "birthdate": "2009-11-29", "gender": "M",
        "additional_data": "Петрова Анна",
    });
    assert_eq!(sent, &expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn step_05_the_client_is_looked_up_by_the_contacts_id() {
    let school = School::empty(json!({})).await;
    let pupil = school.pupil(|_| {});
    well(&school.contacts().await);
    let lines = school.asked("");
    assert_eq!(lines, [format!("GET /api/clients/{pupil}/"), "POST /api/clients/".to_owned()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn step_06_a_client_that_is_not_found_is_made() {
    use tradesync::sandbox::otmechalka::Unknown;
    let school = School::empty(json!({})).await;
    for unknown in [Unknown::NotFound, Unknown::Null, Unknown::EmptyObject, Unknown::EmptyList] {
        school.otmechalka().set_switches(|switches| switches.unknown = unknown);
        let pupil = school.pupil(|_| {});
        let run = school.contacts().await;
        assert_eq!(school.outcome(&run, &format!("contact:{pupil}")).await, "created new_client", "{unknown:?}");
        assert_eq!(school.client(pupil).changes, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn step_07_a_client_that_is_found_is_changed() {
    let school = School::empty(json!({})).await;
    let pupil = school.pupil(|_| {});
    well(&school.contacts().await);
    school.edit(Kind::Contact, pupil, |contact| contact.set(fields::PUPIL_FIRST_NAME, "Иван"));
    let run = school.contacts().await;
    let item = school.stage.item(&run, &format!("contact:{pupil}")).await;
    assert_eq!((item["outcome"].as_str(), change_of(&item, "first_name")["old"].as_str()), (Some("updated"), Some("Василий")), "{item}");
    assert_eq!((school.client(pupil).first_name.as_str(), school.client(pupil).changes), ("Иван", 1));
    // Also one that somebody else made under this ID, or that we have forgotten.
    school.stage.database.run("DELETE FROM tradesync_links");
    let run = school.contacts().await;
    assert_eq!(school.outcome(&run, &format!("contact:{pupil}")).await, "updated new_client");
    assert_eq!(school.client(pupil).changes, 2);
    school.nothing_else_was_written("forgotten");
}

#[tokio::test(flavor = "multi_thread")]
async fn step_08_otmechalka_answers_200() {
    let school = School::empty(json!({})).await;
    school.otmechalka().set_switches(|switches| switches.empty_create = true);
    let pupil = school.pupil(|_| {});
    well(&school.contacts().await);
    assert_eq!((school.client(pupil).last_name.as_str(), school.status(Kind::Contact, pupil).as_str()), ("Петров", SUCCESS));
}

#[tokio::test(flavor = "multi_thread")]
async fn step_09_what_was_done_is_not_done_again() {
    let school = School::new(json!({})).await;
    done(&school.contacts().await);
    let (writes, cursor) = (school.writes(), school.stream("contacts").await["cursor"].clone());
    for _ in 0..2 {
        let run = school.contacts().await;
        assert_eq!((count(&run, "created"), count(&run, "updated")), (0, 0), "{run}");
        assert_eq!(school.writes(), writes);
    }
    assert!(school.stream("contacts").await["cursor"].as_str() > cursor.as_str(), "the watermark moves on");
}

#[tokio::test(flavor = "multi_thread")]
async fn step_10_the_status_says_success() {
    let school = School::empty(json!({})).await;
    let pupil = school.pupil(|_| {});
    well(&school.contacts().await);
    assert_eq!(school.status(Kind::Contact, pupil), SUCCESS);
    let written: Vec<Value> = school.portal().writes().iter().map(|write| json!([write.id, write.fields])).collect();
    assert_eq!(written, [json!([pupil, {fields::STATUS: SUCCESS}])], "one field of one contact");
    // A status that is right already is left as it is, even when we have forgotten that we wrote it.
    school.stage.database.run("DELETE FROM tradesync_links");
    well(&school.contacts().await);
    assert_eq!(school.portal().writes().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn step_11_one_contact_after_the_other() {
    let school = School::empty(json!({})).await;
    let pupils: Vec<u64> = (0..4).map(|_| school.pupil(|_| {})).collect();
    // The second one meets a refusal, which stops no other.
    school.trouble_at_otmechalka("/api/clients/", 3, 1, Fault::Json { status: 400, body: json!({"phone": ["не принят"]}) });
    let run = school.contacts().await;
    assert_eq!((count(&run, "created"), count(&run, "failed")), (3, 1), "{run}");
    for pupil in [pupils[0], pupils[2], pupils[3]] {
        assert_eq!(school.status(Kind::Contact, pupil), SUCCESS);
    }
}
