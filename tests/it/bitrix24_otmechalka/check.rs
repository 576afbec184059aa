//! What `/check` says of a connection.

use serde_json::{Value, json};

use super::School;

async fn rows(school: &School) -> (bool, Vec<Value>) {
    let answer = school.stage.rest.post(&format!("/connections/{}/check", school.connection), &json!({})).await.ok(200);
    (answer["ok"].as_bool().unwrap(), answer["checks"].as_array().unwrap().clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_well_says_so_and_changes_nothing() {
    let school = School::new(json!({})).await;
    let (ok, checks) = rows(&school).await;
    assert!(ok, "{checks:?}");
    assert_eq!(school.writes(), (0, 0));
    assert!(school.otmechalka().clients().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_otmechalka_without_a_default_are_named() {
    let school = School::new(json!({"otmechalka": {"courses": {}, "branchoffices": {}}})).await;
    let (ok, checks) = rows(&school).await;
    let ids = checks.iter().find(|check| check["name"] == "otmechalka.ids").unwrap();
    let detail = ids["detail"].as_str().unwrap();
    assert!(!ok && ids["ok"] == false, "{checks:?}");
    for name in ["Групповые занятия", "Индивидуальные занятия", "+ ЦДШ `МСК", "+ СКОЛКОВО `МСК *"]
    {
        assert!(detail.contains(name), "{detail}");
    }
    assert!(!detail.contains("Он-лайн"), "those have the document's ids: {detail}");
    // Contacts that need none of them go on; the others say which one is missing.
    let run = school.contacts().await;
    assert!(super::count(&run, "created") > 0, "{run}");
    let failed = school.stage.items(&run).await.into_iter().find(|item| item["reason"]["code"] == "otmechalka_id_missing").unwrap();
    assert!(failed["reason"]["text"].as_str().unwrap().contains("занятия"), "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_well_is_named() {
    let school = School::new(json!({})).await;
    school.portal().set_switches(|switches| switches.scopes = vec!["crm".into()]);
    let (ok, checks) = rows(&school).await;
    assert!(!ok && checks.iter().any(|check| check["name"] == "bitrix24.users" && check["ok"] == false), "{checks:?}");
    school.otmechalka().set_switches(|switches| switches.auth_value = "another-key".into());
    let (_, checks) = rows(&school).await;
    assert!(checks.iter().any(|check| check["name"] == "otmechalka.clients" && check["ok"] == false), "{checks:?}");
    school.portal().set_switches(|switches| switches.blocked = Some(401));
    let (_, checks) = rows(&school).await;
    assert_eq!((checks[0]["name"].as_str(), &checks[0]["ok"]), (Some("bitrix24.webhook"), &json!(false)), "{checks:?}");
}
