//! The mapping test: a stored order through a mapping, before the mapping is used. The very functions of a run, so what is shown is what is sent.

use serde_json::{Map, Value, json};

use super::{
    mapping::{self, Told},
    process,
    record::Stored,
    settings::Settings,
};
use crate::{
    domain::text::{self, Lang},
    engine::model::{FieldChange, Reason},
    fault::{Fault, FieldError},
};

/// Each target's value and where it came from, the lines, what is wrong, and what OneBox would be sent. `mapping` is laid over that of the
/// settings, target by target.
///
/// Shape: `{order, fields: [{target, value, from, raw, transforms, fine, notes}], lines, recipient, problems: [{field, code, text}], unusable, onebox: [{field, value}]}`.
pub fn test(given: &Value, key: &str, payload: &str, over: Option<&Value>) -> Result<Value, Fault> {
    let mut given = given.clone();
    if let Some(over) = over {
        let Value::Object(targets) = over else { return Err(Fault::field("/mapping", "must be an object: target -> where it comes from")) };
        let mapping = given.as_object_mut().map(|all| all.entry("mapping").or_insert_with(|| json!({})));
        if let Some(Value::Object(mapping)) = mapping {
            for (target, field) in targets {
                lay_over(mapping, target, field);
            }
        }
    }
    let settings = Settings::read(&given).map_err(|errors| {
        let of_mapping =
            |error: FieldError| FieldError::new(error.pointer.strip_prefix("/settings").unwrap_or(&error.pointer), error.detail);
        Fault::fields(errors.into_iter().map(of_mapping).collect())
    })?;
    let raw = if key.is_empty() {
        serde_json::from_str(payload).map_err(|error| Fault::field("/raw", format!("is no JSON: {error}")))?
    } else {
        Stored::of_payload(payload).raw
    };
    if !raw.is_object() {
        let (pointer, detail) = if key.is_empty() {
            ("/raw", "must be an object: one order as the shop sends it")
        } else {
            ("/order", "was named by a hook only; the shop has not shown it yet")
        };
        return Err(Fault::field(pointer, detail));
    }
    let mapped = mapping::evaluate(&raw, &settings.mapping, settings.zone());
    let key = if key.is_empty() { mapped.value("order.id").to_owned() } else { key.to_owned() };
    let fields: Vec<Value> = mapped.told.iter().map(|(target, told)| field(target, told)).collect();
    let problem =
        |problem: &mapping::Problem| json!({"field": problem.target, "code": problem.reason.code, "text": sentence(&problem.reason)});
    let sent: Vec<Value> =
        process::fields(&key, &mapped, &settings).iter().filter(|change| process::is_sent(&change.field)).map(shown).collect();
    Ok(json!({
        "order": key,
        "fields": fields,
        "lines": mapped.lines,
        "recipient": mapped.parcel,
        "problems": mapped.problems.iter().map(problem).collect::<Vec<_>>(),
        "unusable": mapped.unusable.as_ref().map(problem),
        "onebox": sent,
    }))
}

fn lay_over(mapping: &mut Map<String, Value>, target: &str, field: &Value) {
    match (mapping.get_mut(target), field) {
        (Some(Value::Object(known)), Value::Object(more)) => known.extend(more.clone()),
        _ => drop(mapping.insert(target.to_owned(), field.clone())),
    }
}

fn field(target: &str, told: &Told) -> Value {
    json!({
        "target": target,
        "value": told.value,
        "from": told.from,
        "raw": told.raw,
        "transforms": told.transforms,
        "fine": told.fine,
        "notes": told.flags.iter().map(|flag| json!({"code": flag.code, "text": sentence(flag)})).collect::<Vec<_>>(),
    })
}

fn shown(change: &FieldChange) -> Value {
    json!({"field": change.field, "value": change.new})
}

fn sentence(reason: &Reason) -> String {
    text::reason_text(Lang::En, &reason.code, &reason.params)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flows::okliving_onebox::settings::tests::given;

    #[test]
    fn it_shows_where_each_value_came_from_and_what_onebox_would_get() {
        let order = json!({"id": "7", "created_at": "2026-03-14 11:00:00", "recipient": {"last_name": "Тестова", "first_name": "Отримувачка", "phone": "067 000 00 01"},
            "tel": "050 111 22 33", "shipping": {"city": "Львів", "warehouse": "Відділення №12"}, "products": [{"id": "1", "name": "Плед", "price": "10", "quantity": 1}]});
        let of = |over: Option<Value>| test(&given(json!({})), "", &order.to_string(), over.as_ref()).expect("a mapping");
        let phone = |shown: &Value| {
            let fields = shown["fields"].as_array().cloned().unwrap_or_default();
            fields.into_iter().find(|field| field["target"] == "recipient.phone").unwrap_or_default()
        };
        let usual = of(None);
        assert_eq!(
            (&phone(&usual)["value"], &phone(&usual)["from"], &phone(&usual)["raw"]),
            (&json!("380670000001"), &json!("/recipient/phone"), &json!("067 000 00 01"))
        );
        let own = of(Some(json!({"recipient.phone": {"from": ["/tel"]}})));
        assert_eq!((&phone(&own)["value"], &phone(&own)["from"]), (&json!("380501112233"), &json!("/tel")));
        assert!(
            own["onebox"]
                .as_array()
                .is_some_and(|sent| sent.iter().any(|field| field["field"] == "clientphone" && field["value"] == "380501112233"))
        );
    }

    #[test]
    fn a_wrong_mapping_is_told_by_its_pointer() {
        let fault = test(&given(json!({})), "", "{}", Some(&json!({"recipient.tel": {"from": ["/a"]}}))).expect_err("no such target");
        assert_eq!(fault.fields.first().map(|field| field.pointer.as_str()), Some("/mapping/recipient.tel"));
        assert!(test(&given(json!({})), "", "[]", None).is_err());
    }
}
