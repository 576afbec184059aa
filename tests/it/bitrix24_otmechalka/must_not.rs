//! "Чего нельзя делать в B24": what happens if somebody does it all the same. Each is found out when a run begins, before anything is sent.

use serde_json::{Value, json};
use tradesync::sandbox::bitrix24::{Kind, fields};

use super::{School, body, done};
use crate::support::{Setup, Stage};

/// A run that must not begin, with words that its error must hold.
#[track_caller]
fn refused(run: &Value, code: &str, words: &[&str]) {
    assert_eq!((run["state"].as_str(), run["error"]["code"].as_str()), (Some("failed"), Some(code)), "{run}");
    let detail = run["error"]["detail"].as_str().unwrap();
    assert!(words.iter().all(|word| detail.contains(word)), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_1_custom_fields_are_deleted_or_made_anew() {
    let school = School::new(json!({})).await;
    done(&school.contacts().await);
    let writes = school.writes();
    for (kind, code, setting) in [
        (Kind::Contact, fields::PUPIL_LAST_NAME, "contact_fields.last_name"),
        (Kind::Contact, fields::STATUS, "contact_fields.status"),
        (Kind::Deal, fields::SALE_DATE, "deal_fields.sale_date"),
    ] {
        assert!(school.portal().drop_field(kind, code), "{code}");
        // A contact that is edited meanwhile would look as if its data were wrong.
        school.portal().random_edits(Kind::Contact, 3, 5);
        for stream in ["contacts", "deals"] {
            refused(&school.sync(stream).await, "config-invalid", &[code, setting]);
        }
    }
    assert_eq!(school.writes(), writes, "nothing was sent, and no status written");
    let check = school.stage.rest.post(&format!("/connections/{}/check", school.connection), &json!({})).await.ok(200);
    assert_eq!(check["ok"], false);
    assert!(check.to_string().contains(fields::STATUS), "{check}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_2_values_of_lists_are_deleted_or_made_anew() {
    for (kind, code, value) in [
        (Kind::Contact, fields::PRODUCT, 404),
        (Kind::Contact, fields::PRODUCT, 410),
        (Kind::Contact, fields::BRANCH, 48),
        (Kind::Contact, fields::BRANCH, 12_708),
        (Kind::Deal, fields::BRANCH, 186),
        (Kind::Deal, fields::BRANCH, 12_706),
        (Kind::Deal, fields::PAYMENT, 450),
    ] {
        let school = School::empty(json!({})).await;
        assert!(school.portal().drop_value(kind, code, value), "{code} {value}");
        refused(&school.contacts().await, "config-invalid", &[code, &value.to_string()]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_3_the_webhook_is_deleted_or_changed() {
    let school = School::empty(json!({})).await;
    school.pupil(|_| {});
    school.portal().set_switches(|switches| switches.code = "made-anew-by-somebody".into());
    let run = school.contacts().await;
    refused(&run, "remote-auth", &["bitrix24_webhook_url"]);
    assert!(!school.stage.service.output().contains("demo-webhook-code"), "the secret is in the log");
    // The new one is set; everything goes on.
    let secrets = json!({"secrets": {"bitrix24_webhook_url": school.stage.billz.bitrix24_webhook_url()}});
    school.stage.rest.patch(&format!("/connections/{}", school.connection), &secrets).await.ok(200);
    done(&school.contacts().await);
    school.contacts_must_agree("a new webhook");
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_4_the_technical_user_is_blocked() {
    for status in [401, 403] {
        let school = School::empty(json!({})).await;
        school.portal().set_switches(|switches| switches.blocked = Some(status));
        refused(&school.contacts().await, "remote-auth", &["technical user"]);
        school.portal().set_switches(|switches| {
            switches.blocked = None;
            switches.scopes = vec!["user".into()];
        });
        refused(&school.contacts().await, "remote-forbidden", &["scopes"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_field_that_holds_data_is_refused_as_in_the_documents_samples() {
    let stage = Stage::with(Setup { products: 0, goods: 0, contacts: 0, deals: 0, ..Setup::default() }).await;
    let sample = body(&stage, json!({"contact_fields": {"status": fields::PUPIL_LAST_NAME}}));
    let problem = stage.rest.post("/connections", &sample).await.problem(422, "validation-failed");
    assert_eq!(problem["errors"][0]["pointer"], "/settings/contact_fields/status", "{problem}");
    assert!(problem["errors"][0]["detail"].as_str().unwrap().contains("last_name"), "{problem}");
}
