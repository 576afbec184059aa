use serde_json::json;

use super::*;

/// The least that must be set, with more over it.
pub fn given(over: Value) -> Value {
    let mut all = json!({
        "sync_start_date": "2020-12-22",
        "contact_fields": {"status": "UF_CRM_1700000000001"},
        "deal_fields": {"status": "UF_CRM_1700000000002"},
        "otmechalka": {"base_url": "https://otmechalka.example",
            "courses": {"Групповые занятия": "10987", "Индивидуальные занятия": "10988"},
            "branchoffices": {"+ ЦДШ `МСК": "2634", "+ СКОЛКОВО `МСК *": "2635"}},
    });
    for (name, value) in over.as_object().cloned().unwrap_or_default() {
        match all.get_mut(&name) {
            Some(Value::Object(inner)) => inner.extend(value.as_object().cloned().unwrap_or_default()),
            _ => all[name] = value,
        }
    }
    all
}

/// Settings of a test.
pub fn settings(over: Value) -> Settings {
    Settings::read(&given(over)).expect("settings of a test")
}

fn pointers(over: Value) -> Vec<String> {
    Settings::read(&given(over)).err().unwrap_or_default().into_iter().map(|error| error.pointer.replace("/settings", "")).collect()
}

#[test]
fn what_must_be_told_is_named() {
    let missing = Settings::read(&json!({})).expect_err("nothing told");
    let pointers: Vec<&str> = missing.iter().map(|error| error.pointer.as_str()).collect();
    assert_eq!(
        pointers,
        ["/settings/sync_start_date", "/settings/contact_fields/status", "/settings/deal_fields/status", "/settings/otmechalka/base_url"]
    );
}

#[test]
fn the_documents_codes_are_the_defaults() {
    let settings = settings(json!({}));
    assert_eq!(settings.contact_fields.last_name, "UF_CRM_57AD7FAF7E6C4");
    assert_eq!(settings.mapping.products["410"], "online");
    assert_eq!(settings.mapping.branchoffices["Сколково"], "+ СКОЛКОВО `МСК *");
    assert_eq!(settings.otmechalka.courses["Он-лайн Групповое"], "10985");
    assert_eq!((settings.portal_spacing(), settings.otmechalka_spacing()), (Duration::from_millis(500), Duration::from_secs(1)));
}

#[test]
fn a_status_field_that_is_a_data_field_is_refused() {
    let samples = json!({"contact_fields": {"status": "UF_CRM_57AD7FAF7E6C4"}, "deal_fields": {"status": "UF_CRM_1490347942"}});
    assert_eq!(pointers(samples), ["/contact_fields/status", "/deal_fields/status"]);
    assert_eq!(pointers(json!({"contact_fields": {"status": "uf_crm_57ad7faf7e6c4"}})), ["/contact_fields/status"]);
    for standard in ["LAST_NAME", "COMMENTS", "UF_CRM_", "UF_CRM_1]&fields[NAME"] {
        assert_eq!(pointers(json!({"contact_fields": {"status": standard}})), ["/contact_fields/status"], "{standard}");
    }
}

#[test]
fn every_wrong_field_is_named() {
    assert_eq!(pointers(json!({"colour": 1})), ["/colour"]);
    assert_eq!(pointers(json!({"sync_start_date": "22.12.2020", "timezone": "Moscow"})), ["/sync_start_date", "/timezone"]);
    assert_eq!(pointers(json!({"old_contacts": "drop"})), ["/old_contacts"]);
    assert_eq!(pointers(json!({"mapping": {"products": {"500": "camp"}}})), ["/mapping/products/500"]);
    assert_eq!(pointers(json!({"mapping": {"deal_branches": {"500": "Камыши"}}})), ["/mapping/deal_branches/500"]);
    assert_eq!(pointers(json!({"deal_filter": {"stages": []}, "locks": ["phone"]})), ["/deal_filter/stages", "/locks"]);
    assert_eq!(
        pointers(json!({"bitrix24": {"requests_per_second": "0", "operating_seconds": 481, "overlap": "soon"}})),
        ["/bitrix24/overlap", "/bitrix24/requests_per_second", "/bitrix24/operating_seconds"]
    );
    assert_eq!(
        pointers(json!({"otmechalka": {"clients_path": "api/clients", "auth_header": "Token", "base_url": "https://u:p@x.example"}})),
        ["/otmechalka/base_url", "/otmechalka/clients_path", "/otmechalka/auth_header"]
    );
}

#[test]
fn the_first_day_begins_at_midnight_of_the_portals_zone() {
    let start = |zone: &str, day: &str| settings(json!({"timezone": zone, "sync_start_date": day})).start().map(|start| start.to_rfc3339());
    assert_eq!(start("Europe/Moscow", "2020-12-22").as_deref(), Some("2020-12-21T21:00:00+00:00"));
    assert_eq!(start("Asia/Kamchatka", "2020-12-22").as_deref(), Some("2020-12-21T12:00:00+00:00"));
    // Midnight does not exist on that day in Cairo.
    assert_eq!(start("Africa/Cairo", "2024-04-26").as_deref(), Some("2024-04-25T22:00:00+00:00"));
}

#[test]
fn an_entry_can_be_switched_off() {
    let settings = settings(json!({"mapping": {"products": {"410": ""}}}));
    assert_eq!(settings.mapping.products["410"], "");
}

#[test]
fn every_setting_behind_a_rule_is_one() {
    let all = serde_json::to_value(settings(json!({}))).expect("JSON");
    for code in
        ["before_start_date", "not_a_subscription", "nothing_supported", "deal_branch_several", "otmechalka_id_missing", "deal_not_roubles"]
    {
        let behind = settings(json!({})).behind(code);
        assert!(!behind.is_empty(), "{code}");
        for (name, _) in behind {
            assert!(all.pointer(&format!("/{}", name.replace('.', "/"))).is_some(), "{name} is no setting");
        }
    }
}
