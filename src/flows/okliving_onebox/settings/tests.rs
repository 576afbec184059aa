use serde_json::json;

use super::*;

/// The least that must be set, with more over it.
pub fn given(over: Value) -> Value {
    let mut all = json!({
        "okliving": {"client_id": "client"},
        "onebox": {"base_url": "https://box.example", "login": "bot", "workflow_id": 9, "status_id": "54"},
    });
    for (name, value) in over.as_object().cloned().unwrap_or_default() {
        match all.get_mut(&name) {
            Some(Value::Object(inner)) => inner.extend(value.as_object().cloned().unwrap_or_default()),
            _ => all[name] = value,
        }
    }
    all
}

/// Settings that are enough.
pub fn settings(over: Value) -> Settings {
    Settings::read(&given(over)).expect("settings")
}

fn pointers(over: Value) -> Vec<String> {
    Settings::read(&given(over)).err().unwrap_or_default().into_iter().map(|error| error.pointer).collect()
}

#[test]
fn what_must_be_told_is_named_and_the_rest_has_defaults() {
    let settings = settings(json!({}));
    assert_eq!((settings.okliving.base_url.as_str(), settings.onebox.workflow_id.0.as_str()), (okliving::BASE_URL, "9"));
    assert_eq!((settings.mapping.len() > 30, settings.onebox.externalid_prefix.as_str()), (true, "okl-"));
    let missing = Settings::read(&json!({})).expect_err("nothing told");
    assert_eq!(
        missing.iter().map(|error| error.pointer.as_str()).collect::<Vec<_>>(),
        [
            "/settings/onebox/base_url",
            "/settings/okliving/client_id",
            "/settings/onebox/login",
            "/settings/onebox/workflow_id",
            "/settings/onebox/status_id"
        ]
    );
}

#[test]
fn every_wrong_field_is_named() {
    assert_eq!(pointers(json!({"colour": 1})), ["/settings/colour"]);
    assert_eq!(pointers(json!({"onebox": {"workflow": 1}})), ["/settings/onebox/workflow"]);
    assert_eq!(pointers(json!({"mapping": {"recipient.tel": {"from": ["/a"]}}})), ["/settings/mapping/recipient.tel"]);
    assert_eq!(
        pointers(json!({"mapping": {"recipient.phone": {"from": ["phone", "=lines", "=np.city"]}}})),
        ["/settings/mapping/recipient.phone/from/0", "/settings/mapping/recipient.phone/from/1"]
    );
    assert_eq!(
        pointers(json!({"mapping": {"recipient.phone": {"transform": ["phone"]}}})),
        ["/settings/mapping/recipient.phone/transform/0"]
    );
    assert_eq!(
        pointers(json!({"carriers": {"nova_poshta": "[0-9"}, "status_map": {"ship": {}}})),
        ["/settings/carriers/nova_poshta", "/settings/status_map/ship"]
    );
    assert_eq!(pointers(json!({"status_map": {"ship": {"delivery": "send"}}})), ["/settings/status_map/ship/delivery"]);
    assert_eq!(
        pointers(json!({"okliving": {"paging": "page", "request": {"args": {"p": "${pages}"}}, "timezone": "Kyiv"}})),
        ["/settings/okliving/timezone", "/settings/okliving/request", "/settings/okliving/request"]
    );
    assert_eq!(
        pointers(json!({"okliving": {"order_request": {"id": "${from}"}, "overlap": "soon", "states": {"1": "new"}}})),
        ["/settings/okliving/order_request", "/settings/okliving/states/1", "/settings/okliving/overlap"]
    );
    assert_eq!(
        pointers(json!({"onebox": {"externalid_prefix": "", "parallel": 0, "custom_fields": {"Np": "np.town"}}})),
        ["/settings/onebox/externalid_prefix", "/settings/onebox/custom_fields/Np", "/settings/onebox/parallel"]
    );
    assert_eq!(pointers(json!({"orders_since": "yesterday"})), ["/settings/orders_since"]);
    assert_eq!(pointers(json!({"onebox": {"base_url": "https://bot:secret@box.example"}})), ["/settings/onebox/base_url"]);
}

#[test]
fn one_target_of_the_mapping_may_be_changed_alone() {
    let settings = settings(json!({"mapping": {"recipient.phone": {"from": ["/tel"]}}}));
    let field = &settings.mapping["recipient.phone"];
    assert_eq!(
        (field.from.as_slice(), field.required, field.transform.len()),
        (&["/tel".to_owned()][..], true, 1),
        "the rest keeps its default"
    );
    assert!(settings.mapping.contains_key("order.id"));
}

#[test]
fn a_waybill_must_have_the_form_of_a_carrier_from_end_to_end() {
    let settings = settings(json!({"carriers": {"nova_poshta": "^[0-9]{14}$", "ukrposhta": "[0-9]{13}"}}));
    assert_eq!(settings.carrier("20450000000000"), Some("nova_poshta"));
    assert_eq!(settings.carrier("0500000000000"), Some("ukrposhta"));
    for wrong in ["123456789012345", "2045000000000x", "", "1234567890123x"] {
        assert_eq!(settings.carrier(wrong), None, "{wrong}");
    }
}

#[test]
fn every_setting_behind_a_rule_is_one() {
    let settings = settings(json!({}));
    let all = serde_json::to_value(&settings).expect("JSON");
    for code in ["order_before_since", "order_flagged", "bad_ttn", "hook_action_unknown", "shop_transition", "onebox_setting"] {
        let behind = settings.behind(code);
        assert!(!behind.is_empty(), "{code}");
        for (name, _) in behind {
            assert!(all.pointer(&format!("/{}", name.replace('.', "/"))).is_some(), "{name} is no setting");
        }
    }
}
