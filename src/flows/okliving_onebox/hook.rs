//! What a hook of OneBox says (facts/onebox.md section 5.7). Pure.
//!
//! A **fat** hook brings what it wants to be known (waybill, comment); a **thin** one brings the order and the action only, and the rest is read
//! from OneBox. Which of the two it is, its fields tell: who has no field for the waybill does not say that there is none.
//!
//! A placeholder that OneBox could not fill (`{|$deliveryNote|}`, or nothing) counts as missing: it is never sent on.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{process, settings::Settings};
use crate::{
    engine::hooks::{Given, Heard},
    fault::{Code, Fault, FieldError},
};

/// Longest text of a field that is kept.
const LONGEST: usize = 4_000;

/// What a hook asks for, as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ask {
    /// Key of `status_map`: the action, or `stage:<statusid>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Waybill, if it has the form of a carrier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttn: Option<String>,
    /// Waybill as it was given, where it has no carrier's form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bad_ttn: Option<String>,
    /// Text for the order in the shop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Waybill and comment are to be read from OneBox.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub thin: bool,
}

impl Ask {
    /// Reads a stored one back.
    pub fn of(stored: &Value) -> Self {
        serde_json::from_value(stored.clone()).unwrap_or_default()
    }
}

/// The text of a field; `None` = missing, empty, or a placeholder that was not filled.
pub fn text(given: &Given, field: &str, unescape: bool) -> Option<String> {
    let raw = match given.get(field)? {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(yes) => yes.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    if is_unfilled(&raw) {
        return None;
    }
    let text = if unescape { html_escape::decode_html_entities(&raw).into_owned() } else { raw };
    let text: String = text.trim().chars().filter(|letter| *letter == '\n' || !letter.is_control()).take(LONGEST).collect();
    (!text.is_empty() && !is_unfilled(&text)).then_some(text)
}

/// Whether a template was not filled: `{|$x|}`, also when it was escaped or stands within other text.
fn is_unfilled(text: &str) -> bool {
    let text = html_escape::decode_html_entities(text);
    text.contains("{|") && text.contains("|}")
}

/// A waybill without blanks and signs that people put before it.
pub fn waybill(raw: &str) -> String {
    raw.chars().filter(|letter| !letter.is_whitespace() && !matches!(letter, '№' | '\u{a0}' | '\u{202f}')).collect()
}

/// The action that fetches orders, unless `status_map` means something else by it.
pub const PULL: &str = "pull";

/// Whether a hook only wants orders to be fetched: it says so, and names no order.
pub fn is_pull(given: &Given, settings: &Settings) -> bool {
    let names = &settings.hook_fields;
    let field = |name: &str| text(given, name, settings.hook_unescape);
    field(&names.action).as_deref() == Some(PULL)
        && !settings.status_map.contains_key(PULL)
        && field(&names.order).is_none()
        && field(&names.externalid).is_none()
}

/// What a hook says, before it is stored.
///
/// An error, and nothing is stored: it names no order. `refused`, and it is stored: a waybill of no carrier's form, or an action that the
/// settings do not know; a person looks at it.
pub fn hear(given: &Given, settings: &Settings) -> Result<Heard, Fault> {
    let names = &settings.hook_fields;
    let field = |name: &str| text(given, name, settings.hook_unescape);
    let order = field(&names.order).filter(|id| id != "0");
    let external = field(&names.externalid);
    // A key that is not ours names no order of ours; then OneBox's own id may.
    let item = external.as_deref().and_then(|external| process::of_external_id(external, settings)).map(str::to_owned);
    if order.is_none() && item.is_none() {
        return Err(Fault::fields(vec![FieldError::new(
            format!("/{}", names.order),
            format!(
                "must be OneBox's id of the order; or give `{}`, our key that begins with {}",
                names.externalid, settings.onebox.externalid_prefix
            ),
        )]));
    }
    let stage = field(&names.stage);
    let action = field(&names.action);
    let key = action.clone().or_else(|| stage.as_ref().map(|stage| format!("stage:{stage}")));
    let told = field(&names.ttn).map(|raw| waybill(&raw)).filter(|ttn| !ttn.is_empty());
    let (ttn, bad_ttn) = match told {
        Some(ttn) if settings.carrier(&ttn).is_some() => (Some(ttn), None),
        Some(ttn) => (None, Some(ttn)),
        None => (None, None),
    };
    let ask = Ask {
        thin: !given.contains_key(&names.ttn) && !given.contains_key(&names.comment),
        comment: field(&names.comment),
        action: key,
        ttn,
        bad_ttn,
    };
    let mut wrong = Vec::new();
    if let Some(bad) = &ask.bad_ttn {
        let carriers = settings.carriers.iter().map(|(carrier, form)| format!("{carrier} {form}")).collect::<Vec<_>>().join(", ");
        wrong.push(FieldError::new(
            format!("/{}", names.ttn),
            format!("has {} characters and not the form of a waybill ({carriers}); it was not sent to the shop", bad.chars().count()),
        ));
    }
    if let Some(action) = action.filter(|action| !settings.status_map.contains_key(action)) {
        let known = settings.status_map.keys().cloned().collect::<Vec<_>>().join(", ");
        let action: String = action.chars().take(60).collect();
        wrong.push(FieldError::new(format!("/{}", names.action), format!("`{action}` is not in status_map; there are: {known}")));
    }
    let refused = (!wrong.is_empty()).then(|| Fault::new(Code::HookRefused, "the hook cannot be carried out as it is").with_fields(wrong));
    Ok(Heard { item, target: order, ask: json!(ask), refused })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::flows::okliving_onebox::settings::tests::settings;

    fn given(value: Value) -> Given {
        value.as_object().cloned().unwrap_or_default()
    }

    fn with_map() -> Settings {
        settings(json!({"status_map": {"ship": {"delivery": "ship", "order": "process"}, "stage:57": {"order": "complete"}}}))
    }

    fn ask(value: Value) -> (Option<String>, Option<String>, Ask) {
        let heard = hear(&given(value), &with_map()).expect("an order is named");
        (heard.item, heard.target, Ask::of(&heard.ask))
    }

    #[test]
    fn a_fat_hook_brings_everything() {
        let (item, target, ask) = ask(
            json!({"orderid": 127901, "externalid": "okl-000045871", "ttn": " 2045 0000 0000 00 ", "do": "ship", "comment": "Їде &amp; скоро &quot;буде&quot;"}),
        );
        assert_eq!((item.as_deref(), target.as_deref()), (Some("000045871"), Some("127901")));
        assert_eq!(
            ask,
            Ask {
                action: Some("ship".into()),
                ttn: Some("20450000000000".into()),
                bad_ttn: None,
                comment: Some("Їде & скоро \"буде\"".into()),
                thin: false
            }
        );
    }

    #[test]
    fn a_thin_hook_brings_the_order_and_the_action() {
        let (item, target, ask) = ask(json!({"orderid": "127901", "do": "ship"}));
        assert_eq!((item, target.as_deref()), (None, Some("127901")));
        assert_eq!(ask, Ask { action: Some("ship".into()), thin: true, ..Ask::default() });
    }

    #[test]
    fn a_pull_names_no_order_and_status_map_wins() {
        let asks = |value: Value, settings: &Settings| is_pull(&given(value), settings);
        assert!(asks(json!({"do": "pull"}), &with_map()) && asks(json!({"do": "pull", "orderid": "{|$orderid|}"}), &with_map()));
        assert!(
            !asks(json!({"do": "pull", "orderid": "7"}), &with_map())
                && !asks(json!({"do": "ship"}), &with_map())
                && !asks(json!({}), &with_map())
        );
        assert!(!asks(json!({"do": "pull"}), &settings(json!({"status_map": {"pull": {"order": "process"}}}))));
    }

    #[test]
    fn placeholders_that_were_not_filled_count_as_missing() {
        for empty in ["", "   ", "{|$deliveryNote|}", "{|$deliveryNote|default:''|}", "&#123;|$deliveryNote|&#125;"] {
            let (_, _, ask) = ask(json!({"orderid": "1", "do": "ship", "ttn": empty, "comment": empty, "externalid": empty}));
            assert_eq!(ask, Ask { action: Some("ship".into()), ..Ask::default() }, "{empty}");
        }
        assert!(hear(&given(json!({"orderid": "{|$orderid|}", "do": "ship"})), &with_map()).is_err());
    }

    #[test]
    fn the_stage_is_the_action_where_none_is_told() {
        assert_eq!(ask(json!({"orderid": "1", "statusid": 57})).2.action.as_deref(), Some("stage:57"));
        assert_eq!(ask(json!({"orderid": "1", "statusid": 57, "do": "ship"})).2.action.as_deref(), Some("ship"));
        // A stage that nothing hangs on is nobody's mistake.
        assert!(hear(&given(json!({"orderid": "1", "statusid": 12})), &with_map()).is_ok_and(|heard| heard.refused.is_none()));
    }

    #[test]
    fn a_bad_waybill_and_an_unknown_action_are_stored_and_refused_by_name() {
        let heard = hear(&given(json!({"orderid": "1", "ttn": "123456789012345", "do": "fly"})), &with_map()).expect("stored");
        let refused = heard.refused.expect("refused");
        assert_eq!(refused.code, Code::HookRefused);
        assert_eq!(refused.fields.iter().map(|field| field.pointer.as_str()).collect::<Vec<_>>(), ["/ttn", "/do"]);
        assert_eq!(Ask::of(&heard.ask).bad_ttn.as_deref(), Some("123456789012345"));
        assert!(!format!("{refused:?}").contains("123456789012345"), "a waybill is in no log");
    }

    #[test]
    fn who_names_no_order_is_told_which_field_is_missing() {
        for none in
            [json!({}), json!({"do": "ship"}), json!({"externalid": "other-1"}), json!({"orderid": "0"}), json!({"orderid": {"a": 1}})]
        {
            let fault = hear(&given(none), &with_map()).expect_err("no order");
            assert_eq!(fault.fields.first().map(|field| field.pointer.as_str()), Some("/orderid"));
        }
    }

    proptest! {
        #[test]
        fn no_hook_upsets_it(order in "\\PC{0,30}", ttn in "\\PC{0,30}", action in "\\PC{0,10}") {
            let _ = hear(&given(json!({"orderid": order, "ttn": ttn, "do": action})), &with_map());
        }

        #[test]
        fn only_a_carriers_form_is_ever_a_waybill(raw in "[0-9 №]{0,24}") {
            let digits: String = raw.chars().filter(char::is_ascii_digit).collect();
            let (_, _, ask) = ask(json!({"orderid": "1", "ttn": raw}));
            prop_assert_eq!(ask.ttn.is_some(), digits.len() == 14);
            prop_assert_eq!(ask.bad_ttn.is_some(), digits.len() != 14 && !digits.is_empty());
        }
    }
}
