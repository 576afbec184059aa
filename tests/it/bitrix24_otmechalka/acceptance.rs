//! What every flow must hold, told of this one.

use serde_json::{Value, json};
use tradesync::sandbox::{bitrix24::Kind, desk::Fault};

use super::{School, count, done};
use crate::support::{ADMIN_KEY, MASTER_KEY, OTMECHALKA_KEY};

#[tokio::test(flavor = "multi_thread")]
async fn the_first_run_fills_the_date_of_synchronisation_and_a_second_writes_nothing() {
    // Without the tournament, which otmechalka refuses anew in each run that a person starts.
    let school = School::new(json!({"deal_filter": {"products": [60_130]}})).await;
    for stream in ["contacts", "deals"] {
        assert_eq!(school.stream(stream).await["last_synced_at"], Value::Null);
        done(&school.sync(stream).await);
        let row = school.stream(stream).await;
        assert!(!row["last_synced_at"].is_null() && !row["last_whole_read_at"].is_null() && !row["cursor"].is_null(), "{row}");
    }
    school.contacts_must_agree("first runs");
    let writes = school.writes();
    for stream in ["contacts", "deals", "contacts", "deals"] {
        let run = school.sync(stream).await;
        assert_eq!((count(&run, "created"), count(&run, "updated")), (0, 0), "{run}");
    }
    assert_eq!(school.writes(), writes);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_moved_is_sent() {
    let school = School::new(json!({})).await;
    done(&school.contacts().await);
    let writes = school.writes();
    let moved: std::collections::BTreeSet<u64> = school.portal().random_edits(Kind::Contact, 9, 3).into_iter().collect();
    let run = school.contacts().await;
    assert!(count(&run, "updated") > 0 && count(&run, "updated") <= moved.len() as u64, "{run}");
    let now = school.writes();
    assert_eq!((now.0, (now.1 - writes.1) as u64), (writes.0, count(&run, "updated")), "a status that is right stays");
    school.contacts_must_agree("after the edits");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_changes_nothing_and_tells_what_would_be_done() {
    let school = School::new(json!({})).await;
    let mut plans = Vec::new();
    for stream in ["contacts", "deals"] {
        let run = school.start(stream, json!({"dry_run": true})).await;
        let run = school.stage.rest.wait(&run).await;
        assert_eq!(run["state"], "awaiting_approval", "{run}");
        assert!(count(&run, "created") > 20 && count(&run, "failed") > 3, "{run}");
        plans.push(run);
    }
    assert_eq!(school.writes(), (0, 0));
    assert_eq!(school.asked(""), Vec::<String>::new(), "otmechalka is not even asked");
    assert_eq!(school.stream("contacts").await["cursor"], Value::Null);
    // What was shown is then carried out.
    let id = plans[0]["id"].as_str().unwrap();
    school.stage.rest.post(&format!("/sync/runs/{id}/approve"), &json!({})).await.ok(202);
    done(&school.stage.rest.wait(id).await);
    school.contacts_must_agree("approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_kept_and_a_refusal_for_them_is_obeyed() {
    let school = School::new(json!({})).await;
    for (fault, route) in [
        (Fault::Json { status: 503, body: json!({"error": "QUERY_LIMIT_EXCEEDED", "error_description": "Too many requests"}) }, "/rest/"),
        (Fault::Empty { status: 429, retry_after: Some(2) }, "/api/"),
    ] {
        match route {
            "/rest/" => school.trouble_at_portal(route, 3, 2, fault),
            _ => school.trouble_at_otmechalka(route, 3, 2, fault),
        }
    }
    done(&school.contacts().await);
    school.contacts_must_agree("limited");
    let state = school.portal().state();
    assert!(state.fullest_bucket <= 5.0, "calls are spread: {}", state.fullest_bucket);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_has_used_up_its_time_is_left_in_peace() {
    let school = School::new(json!({"bitrix24": {"operating_seconds": 2}})).await;
    // 60 statuses of 0.1 s are more than the four seconds that a method has here in ten minutes (30 s of the test).
    school.portal().set_switches(|switches| {
        switches.operating_limit_s = Some(4.0);
        switches.operating_update_s = 0.05;
    });
    // Statuses that there was no time for are told by later runs.
    for _ in 0..3 {
        done(&school.contacts().await);
    }
    school.contacts_must_agree("little time");
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_answers_of_the_portal_are_read_again_and_never_taken_for_an_empty_list() {
    let school = School::new(json!({})).await;
    school.trouble_at_portal("crm.contact.list", 0, 1, Fault::Text { status: 200, body: "{\"result\":[".into() });
    school.trouble_at_portal("crm.contact.list", 0, 1, Fault::CutBody { after: 40 });
    done(&school.contacts().await);
    school.contacts_must_agree("broken answers");
    school.trouble_at_portal("crm.contact.list", 0, 1_000, Fault::Redirect { status: 302, to: "https://elsewhere.example/".into() });
    let run = school.contacts().await;
    assert_eq!(run["state"], "failed", "{run}");
    assert!(run["error"]["detail"].as_str().unwrap().contains("moved"), "{run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_updates_that_time_out_are_told_once() {
    let school = School::new(json!({})).await;
    // Three batches are carried out at once, and answered long after anybody waits.
    for skip in [1, 2, 5] {
        school.trouble_at_portal("/batch.json", skip, 1, Fault::Slow { ms: 4_000 });
    }
    done(&school.contacts().await);
    school.contacts_must_agree("slow updates");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_the_portal_refuses_is_told_in_the_report_and_tried_again() {
    let school = School::empty(json!({})).await;
    let (vetoed, good) = (school.pupil(|_| {}), school.pupil(|_| {}));
    school.portal().veto(Kind::Contact, vetoed, 1, "Не заполнено обязательное поле");
    let run = school.contacts().await;
    assert_eq!(school.outcome(&run, &format!("contact:{vetoed}")).await, "failed status_not_written");
    assert_eq!(school.outcome(&run, &format!("contact:{good}")).await, "created new_client");
    let sent = school.writes().1;
    done(&school.contacts().await);
    assert_eq!((school.status(Kind::Contact, vetoed).as_str(), school.writes().1), (super::SUCCESS, sent), "nothing is sent again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_is_cut_to_the_fields_length() {
    let school = School::empty(json!({})).await;
    school.portal().set_switches(|switches| switches.status_max_length = 40);
    let pupil = school.pupil(|contact| contact.set("LAST_NAME", ""));
    let good = school.pupil(|_| {});
    done(&school.contacts().await);
    let refused = school.sale(good, |deal| deal.rows[0].name = "Такого типа нет, и название у него очень длинное".into());
    done(&school.deals().await);
    for (kind, id) in [(Kind::Contact, pupil), (Kind::Deal, refused)] {
        let status = school.status(kind, id);
        assert!(status.chars().count() <= 40 && status.ends_with('…'), "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_instead_of_ids_are_a_setting() {
    use tradesync::sandbox::otmechalka::IdsAs;
    let school = School::new(json!({"otmechalka": {"ids_as": "name"}})).await;
    school.otmechalka().set_switches(|switches| {
        switches.ids_as = IdsAs::Name;
        switches.ids_as_text = true;
    });
    done(&school.contacts().await);
    school.contacts_must_agree("by name");
    assert!(school.otmechalka().writes().iter().any(|write| write.body["branchoffices"] == json!(["+ СКОЛКОВО `МСК *"])), "exactly");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_let_in_ends_the_run_and_tells_no_contact() {
    let school = School::new(json!({})).await;
    school.otmechalka().set_switches(|switches| switches.auth_value = "another-key".into());
    let run = school.contacts().await;
    assert_eq!((run["state"].as_str(), run["error"]["code"].as_str()), (Some("failed"), Some("remote-auth")), "{run}");
    assert_eq!(school.writes().1, 0);
    let stands: Vec<String> = school.portal().contacts().values().map(tradesync::sandbox::bitrix24::Entity::status).collect();
    assert!(stands.iter().all(|status| status != super::SUCCESS || status.is_empty()), "{stands:?}");
    // A wrong address is not "not found".
    let school = School::new(json!({})).await;
    school.otmechalka().set_switches(|switches| switches.base_path = "/moved".into());
    let run = school.contacts().await;
    assert_eq!(run["state"], "failed", "{run}");
    assert!(run["error"]["detail"].as_str().unwrap().contains("base_url"), "{run}");
    assert!(school.otmechalka().clients().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_any_output() {
    let school = School::new(json!({})).await;
    school.trouble_at_portal("/rest/", 4, 1, Fault::Html { code: 502 });
    school.trouble_at_otmechalka("/api/", 6, 1, Fault::Json { status: 400, body: json!({ "echo": OTMECHALKA_KEY }) });
    let runs = [school.contacts().await, school.deals().await];
    let connection = school.stage.rest.get(&format!("/connections/{}", school.connection)).await.ok(200);
    let check = school.stage.rest.post(&format!("/connections/{}/check", school.connection), &json!({})).await.ok(200);
    let items = school.stage.items(&runs[0]).await;
    let told = format!("{} {runs:?} {connection} {check} {items:?}", school.stage.service.output());
    for secret in ["demo-webhook-code", OTMECHALKA_KEY, ADMIN_KEY, MASTER_KEY] {
        assert!(!told.contains(secret), "{secret} is told");
    }
    assert_eq!(connection["secrets"], json!({"bitrix24_webhook_url": "set", "otmechalka_key": "set"}));
}
