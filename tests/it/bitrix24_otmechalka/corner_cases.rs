//! The document's corner cases, each a test named after it. "Периодическая задача упала" is in `crash.rs`.

use serde_json::{Value, json};
use tradesync::sandbox::{
    bitrix24::{Kind, fields, seed},
    desk::Fault,
    otmechalka::Shape,
};

use super::{SUCCESS, School, count, done, well};

async fn b24_is_down(school: &School, stream: &str, fault: Fault) {
    let (cursor, clients) = (school.stream(stream).await["cursor"].clone(), school.otmechalka().clients().len());
    school.trouble_at_portal("/rest/", 0, 1_000, fault);
    let run = school.sync(stream).await;
    assert_eq!((run["state"].as_str(), run["error"]["code"].as_str()), (Some("failed"), Some("remote-unavailable")), "{run}");
    assert_eq!((school.stream(stream).await["cursor"].clone(), school.otmechalka().clients().len()), (cursor, clients));
    school.portal().desk().clear_faults();
}

#[tokio::test(flavor = "multi_thread")]
async fn b24_does_not_answer() {
    let school = School::new(json!({})).await;
    for fault in [Fault::Refuse, Fault::Html { code: 502 }, Fault::Drop] {
        b24_is_down(&school, "contacts", fault).await;
    }
    done(&school.contacts().await);
    b24_is_down(&school, "deals", Fault::Refuse).await;
    done(&school.deals().await);
    school.contacts_must_agree("after it was down");
}

#[tokio::test(flavor = "multi_thread")]
async fn b24_falls_silent_before_a_status() {
    let school = School::empty(json!({})).await;
    let pupil = school.pupil(|_| {});
    // Fields and list are answered, the look at the status is not.
    school.trouble_at_portal("/rest/", 2, 1_000, Fault::Refuse);
    let run = school.contacts().await;
    assert_eq!((run["state"].as_str(), run["error"]["code"].as_str()), (Some("failed"), Some("remote-silent")), "{run}");
    assert_eq!((school.client(pupil).changes, school.status(Kind::Contact, pupil).as_str(), count(&run, "created")), (0, "", 1), "{run}");
    school.portal().desk().clear_faults();
    let sent = school.writes().1;
    let run = school.contacts().await;
    well(&run);
    assert_eq!(school.outcome(&run, &format!("contact:{pupil}")).await, "updated status_told");
    assert_eq!((school.status(Kind::Contact, pupil).as_str(), school.writes().1), (SUCCESS, sent), "nothing is sent a second time");
}

#[tokio::test(flavor = "multi_thread")]
async fn otmechalka_does_not_answer() {
    for fault in [Fault::Refuse, Fault::Html { code: 503 }] {
        let school = School::empty(json!({})).await;
        let pupils: Vec<u64> = (0..5).map(|_| school.pupil(|_| {})).collect();
        // Two are made, then it is down.
        school.trouble_at_otmechalka("/api/", 4, 1_000, fault);
        let run = school.contacts().await;
        assert_eq!((run["state"].as_str(), run["error"]["code"].as_str()), (Some("failed"), Some("remote-silent")), "{run}");
        assert_eq!(count(&run, "created"), 2, "what was done stays done: {run}");
        let mut statuses: Vec<String> = pupils.iter().map(|pupil| school.status(Kind::Contact, *pupil)).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, ["", "", "", SUCCESS, SUCCESS]);
        assert_eq!(school.stream("contacts").await["cursor"], Value::Null, "the watermark stays");
        school.otmechalka().desk().clear_faults();
        let sent = school.writes().1;
        let run = school.contacts().await;
        well(&run);
        assert_eq!((count(&run, "created"), school.writes().1 - sent), (3, 3), "the rest, and nothing else: {run}");
        school.contacts_must_agree("after it was down");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn data_of_b24_do_not_fit_the_form() {
    let school = School::empty(json!({})).await;
    let both = school.pupil(|contact| {
        contact.set("NAME", "Наталья Зарудная");
        contact.set("LAST_NAME", "");
    });
    let phone = school.pupil(|contact| contact.phones[0].value = "спросить у мамы".into());
    let good = school.pupil(|_| {});
    let run = school.contacts().await;
    assert_eq!((run["state"].as_str(), count(&run, "failed"), count(&run, "created")), (Some("partial"), 2, 1), "{run}");
    let status = school.status(Kind::Contact, both);
    assert!(status.contains("Наталья Зарудная") && status.contains("фамилия"), "{status}");
    assert!(school.status(Kind::Contact, phone).contains("спросить у мамы"));
    assert_eq!(school.status(Kind::Contact, good), SUCCESS);
    // The same error is written once, however often it is met.
    let writes = school.writes().0;
    for _ in 0..2 {
        assert_eq!(count(&school.contacts().await, "failed"), 2);
    }
    assert_eq!(school.writes().0, writes);
    // It is in the retry list, and passes when it is mended.
    let path = format!("/sync/retry-list?connection={}", school.connection);
    assert_eq!(school.stage.rest.all(&path).await.len(), 2);
    school.edit(Kind::Contact, both, |contact| {
        contact.set("NAME", "Наталья");
        contact.set("LAST_NAME", "Зарудная");
    });
    let run = school.scheduled("contacts").await;
    assert_eq!(school.outcome(&run, &format!("contact:{both}")).await, "created new_client");
    assert_eq!((school.status(Kind::Contact, both).as_str(), school.stage.rest.all(&path).await.len()), (SUCCESS, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn unsupported_products_or_branches_are_chosen() {
    let school = School::empty(json!({})).await;
    let product = school.pupil(|contact| contact.set(fields::PRODUCT, json!([62])));
    let branch = school.pupil(|contact| contact.set(fields::BRANCH, json!([348])));
    let online = school.pupil(|contact| {
        contact.set(fields::PRODUCT, json!([410]));
        contact.set(fields::BRANCH, json!([348]));
    });
    let empty = school.pupil(|contact| drop(contact.fields.remove(fields::BRANCH)));
    let run = school.contacts().await;
    for pupil in [product, branch] {
        assert_eq!(school.outcome(&run, &format!("contact:{pupil}")).await, "skipped nothing_supported");
        assert_eq!(school.status(Kind::Contact, pupil), SUCCESS);
        assert!(school.otmechalka().clients_of(&pupil.to_string()).is_empty());
    }
    assert_eq!(school.client(online).branchoffices, ["2633"], "online has an office of its own, whatever the branch");
    assert_eq!(school.outcome(&run, &format!("contact:{empty}")).await, "failed branch_empty");
    school.contacts_must_agree("judged on the result");
}

#[tokio::test(flavor = "multi_thread")]
async fn otmechalka_answers_with_an_error() {
    for shape in [Shape::Fields, Shape::Detail, Shape::Errors, Shape::Message, Shape::Text, Shape::Html] {
        let school = School::empty(json!({})).await;
        school.otmechalka().set_switches(|switches| switches.error_shape = shape);
        let pupil = school.pupil(|_| {});
        done(&school.contacts().await);
        let refused = school.sale(pupil, |deal| deal.rows[0].name = "Такого типа нет".into());
        let good = school.sale(pupil, |_| {});
        let run = school.deals().await;
        assert_eq!((run["state"].as_str(), count(&run, "created"), count(&run, "failed")), (Some("partial"), 1, 1), "{shape:?}: {run}");
        let status = school.status(Kind::Deal, refused);
        assert!(status.starts_with("Отмечалка отклонила данные") && !status.contains('<'), "{shape:?}: {status}");
        assert_eq!(school.status(Kind::Deal, good), SUCCESS);
        // "При следующем запуске этот объект опять вызовет ошибку": it does, and its status is not written again.
        let (writes, items) = (school.writes().0, school.stage.rest.all("/sync/retry-list").await);
        assert_eq!((items.len(), items[0]["reason"]["code"].as_str()), (1, Some("otmechalka_refused")));
        let again = school.deals().await;
        assert_eq!((count(&again, "failed"), school.writes().0), (1, writes), "{again}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_active_clients_is_an_error_of_its_own() {
    let school = School::empty(json!({})).await;
    school.otmechalka().set_switches(|switches| switches.active_limit = 3);
    school.otmechalka().fill(2);
    let pupils: Vec<u64> = (0..3).map(|_| school.pupil(|_| {})).collect();
    let run = school.contacts().await;
    assert_eq!((count(&run, "created"), count(&run, "failed")), (1, 2), "{run}");
    for pupil in &pupils[1..] {
        assert_eq!(school.outcome(&run, &format!("contact:{pupil}")).await, "failed otmechalka_limit");
        assert!(school.status(Kind::Contact, *pupil).contains("5000"));
    }
    // Somebody archives: the next attempts pass.
    school.otmechalka().set_switches(|switches| switches.active_limit = 5_000);
    well(&school.contacts().await);
    school.contacts_must_agree("room again");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_lost_makes_no_double() {
    let school = School::empty(json!({})).await;
    let pupils: Vec<u64> = (0..4).map(|_| school.pupil(|_| {})).collect();
    // Each creation is carried out and its answer lost, in three ways.
    for fault in [Fault::Drop, Fault::CutBody { after: 3 }] {
        school
            .otmechalka()
            .desk()
            .add_fault(tradesync::sandbox::desk::Rule { skip: 0, ..tradesync::sandbox::desk::Rule::new("POST /api/clients/", 1, fault) });
    }
    let run = school.contacts().await;
    done(&run);
    school.contacts().await;
    school.contacts_must_agree("lost answers");
    assert_eq!(school.otmechalka().clients().len(), pupils.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_look_up_does_not_show_yet_is_not_made_twice() {
    let school = School::empty(json!({})).await;
    // What is made can be looked up only a while later, and the answer to the creation is lost.
    school.otmechalka().set_switches(|switches| switches.lookup_lag_ms = 300);
    let pupil = school.pupil(|_| {});
    school.trouble_at_otmechalka("/api/clients/", 1, 1, Fault::Drop);
    let run = school.contacts().await;
    assert_eq!(school.outcome(&run, &format!("contact:{pupil}")).await, "failed answer_lost");
    assert_eq!(school.status(Kind::Contact, pupil), "", "nobody knows yet");
    // A person presses the button at once.
    let run = school.contacts().await;
    well(&run);
    assert_eq!((school.client(pupil).changes, school.status(Kind::Contact, pupil).as_str()), (1, SUCCESS), "{run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn doubles_in_b24_are_told_and_never_merged() {
    let school = School::new(json!({})).await;
    let run = school.contacts().await;
    let (double, original) = (seed::contact_id(44), seed::contact_id(43));
    let told = run["plan"].to_string() + &run.to_string();
    assert!(told.contains(&format!("{original}, {double}")), "{run}");
    assert_ne!(school.client(double).id, school.client(original).id);
    // It is told as long as it stands.
    assert!(school.scheduled("contacts").await.to_string().contains(&format!("{original}, {double}")));
}
