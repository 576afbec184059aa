//! What no single field's form shows.

use std::str::FromStr;

use chrono_tz::Tz;
use regex::Regex;
use rust_decimal::Decimal;
use serde_json::Value;

use super::{Settings, defaults};
use crate::{
    domain::{clock, number},
    engine::{brakes::limits, settings::wrong_address},
    fault::FieldError,
    flows::okliving_onebox::machine::Machine,
    systems::okliving,
};

/// Longest path, name or identifier.
const LONGEST: usize = 190;
/// Longest prefix of our keys: with an id they must fit into a column.
const LONGEST_PREFIX: usize = 20;
/// Most orders asked for per page.
const LARGEST_PAGE: u32 = 1_000;
/// Most orders sent at once.
const MOST_PARALLEL: u8 = 16;

/// Every wrong field, by its pointer below `/settings`.
pub(super) fn errors(settings: &Settings) -> Vec<FieldError> {
    let mut found = Found(Vec::new());
    addresses(settings, &mut found);
    texts(settings, &mut found);
    template(settings, &mut found);
    mapping(settings, &mut found);
    hooks(settings, &mut found);
    numbers(settings, &mut found);
    found.0
}

struct Found(Vec<FieldError>);

impl Found {
    fn wrong(&mut self, pointer: impl AsRef<str>, detail: impl Into<String>) {
        self.0.push(FieldError::new(format!("/settings{}", pointer.as_ref()), detail.into()));
    }
}

fn addresses(settings: &Settings, found: &mut Found) {
    if let Some(detail) = wrong_address(&settings.okliving.base_url, okliving::BASE_URL) {
        found.wrong("/okliving/base_url", detail);
    }
    let example = "https://example.crm-onebox.com";
    match wrong_address(&settings.onebox.base_url, example) {
        _ if settings.onebox.base_url.is_empty() => {
            found.wrong("/onebox/base_url", format!("is required: the box's address, such as {example}"))
        }
        Some(detail) => found.wrong("/onebox/base_url", detail),
        None => {}
    }
}

fn texts(settings: &Settings, found: &mut Found) {
    let (shop, onebox) = (&settings.okliving, &settings.onebox);
    for (pointer, text, what) in [
        ("/okliving/client_id", &shop.client_id, "the integration's client_id"),
        ("/onebox/login", &onebox.login, "the login of a virtual employee with administrator level"),
        ("/onebox/workflow_id", &onebox.workflow_id.0, "the id of the business process that takes new orders"),
        ("/onebox/status_id", &onebox.status_id.0, "the id of the stage that takes new orders"),
    ] {
        if text.trim().is_empty() {
            found.wrong(pointer, format!("is required: {what}"));
        }
    }
    let optional = [
        ("/onebox/ttn_field", &onebox.ttn_field),
        ("/onebox/stage_field", &onebox.stage_field),
        ("/onebox/comment_field", &onebox.comment_field),
    ];
    let given = optional.iter().filter_map(|(pointer, text)| Some((*pointer, text.as_ref()?)));
    let required = [
        ("/okliving/token_path", &shop.token_path),
        ("/okliving/orders_path", &shop.orders_path),
        ("/okliving/update_path", &shop.update_path),
        ("/onebox/order_name", &onebox.order_name),
        ("/hook_fields/order", &settings.hook_fields.order),
        ("/hook_fields/externalid", &settings.hook_fields.externalid),
        ("/hook_fields/ttn", &settings.hook_fields.ttn),
        ("/hook_fields/action", &settings.hook_fields.action),
        ("/hook_fields/comment", &settings.hook_fields.comment),
        ("/hook_fields/stage", &settings.hook_fields.stage),
    ];
    for (pointer, text) in required.into_iter().chain(given) {
        if text.trim().is_empty() || text.chars().count() > LONGEST || text.chars().any(char::is_control) {
            found.wrong(pointer, format!("must be a text of 1 to {LONGEST} characters"));
        }
    }
    let prefix = &onebox.externalid_prefix;
    let plain = prefix.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.'));
    if prefix.is_empty() || prefix.len() > LONGEST_PREFIX || !plain {
        found.wrong(
            "/onebox/externalid_prefix",
            format!("must be 1 to {LONGEST_PREFIX} letters, digits, - _ . : it tells our orders from all others"),
        );
    }
    for (pointer, zone) in [("/okliving/timezone", &shop.timezone), ("/onebox/timezone", &onebox.timezone)] {
        if Tz::from_str(zone).is_err() {
            found.wrong(pointer, format!("`{zone}` is no time zone; write for example Europe/Kyiv"));
        }
    }
}

fn template(settings: &Settings, found: &mut Found) {
    let shop = &settings.okliving;
    for (pointer, template) in [("/okliving/request", Some(&shop.request)), ("/okliving/order_request", shop.order_request.as_ref())] {
        let Some(template) = template else { continue };
        if !template.is_object() && !template.is_array() {
            found.wrong(pointer, "must be a JSON object: the body that is sent");
        }
        for name in okliving::request::unknown_names(template) {
            found.wrong(pointer, format!("`${{{name}}}` stands for nothing; there are: {}", okliving::request::NAMES.join(", ")));
        }
    }
    let text = shop.request.to_string();
    let lacks = |name: &str| !text.contains(&format!("${{{name}}}"));
    let missing = match shop.paging {
        super::Paging::None => None,
        super::Paging::Page => Some("page"),
        super::Paging::Offset => Some("offset"),
        super::Paging::Cursor => Some("cursor"),
    };
    if let Some(name) = missing.filter(|name| lacks(name)) {
        found.wrong("/okliving/request", format!("has no ${{{name}}}, which okliving.paging needs"));
    }
    if shop.order_request.as_ref().is_some_and(|template| !template.to_string().contains("${id}")) {
        found.wrong("/okliving/order_request", "has no ${id}");
    }
    for (word, state) in &shop.states {
        if Machine::Order.state(state).is_none() && Machine::Delivery.state(state).is_none() {
            found.wrong(
                format!("/okliving/states/{}", escape(word)),
                format!("`{state}` is no state of an order or delivery, such as open or shipped"),
            );
        }
    }
}

fn mapping(settings: &Settings, found: &mut Found) {
    let known = defaults().get("mapping").and_then(Value::as_object).cloned().unwrap_or_default();
    let targets = || known.keys().cloned().collect::<Vec<_>>().join(", ");
    for (target, field) in &settings.mapping {
        let at = format!("/mapping/{}", escape(target));
        if !known.contains_key(target) {
            found.wrong(&at, format!("there is no such target; there are: {}", targets()));
            continue;
        }
        for (place, from) in field.from.iter().enumerate() {
            let other = from.strip_prefix('=');
            let fine = match other {
                Some(other) => known.contains_key(other) && other != target && !other.starts_with("lines"),
                None => from.starts_with('/') && from.len() <= LONGEST,
            };
            if !fine {
                found.wrong(
                    format!("{at}/from/{place}"),
                    format!("`{from}` is neither a JSON pointer such as /recipient/phone nor another target such as =order.id"),
                );
            }
        }
        if field.from.is_empty() && field.default.is_none() {
            found.wrong(format!("{at}/from"), "must name one place at least, or there must be a default");
        }
    }
    for (name, target) in &settings.onebox.custom_fields {
        let at = format!("/onebox/custom_fields/{}", escape(name));
        if !known.contains_key(target) || target.starts_with("lines") {
            found.wrong(&at, format!("`{target}` is no target of the mapping; there are: {}", targets()));
        }
        if name.trim().is_empty() || name.chars().count() > LONGEST {
            found.wrong(at, "must be the identifier of a custom field");
        }
    }
}

fn hooks(settings: &Settings, found: &mut Found) {
    if settings.carriers.is_empty() {
        found.wrong("/carriers", "must name one carrier at least, such as {\"nova_poshta\": \"^[0-9]{14}$\"}");
    }
    for (carrier, form) in &settings.carriers {
        if let Err(error) = Regex::new(form) {
            found.wrong(format!("/carriers/{}", escape(carrier)), format!("is no regular expression: {error}"));
        }
    }
    for (action, transitions) in &settings.status_map {
        if transitions.delivery.is_none() && transitions.order.is_none() {
            found.wrong(format!("/status_map/{}", escape(action)), "must name an action on the delivery or on the order");
        }
    }
}

fn numbers(settings: &Settings, found: &mut Found) {
    let (shop, onebox) = (&settings.okliving, &settings.onebox);
    if !(1..=LARGEST_PAGE).contains(&shop.page_size) {
        found.wrong("/okliving/page_size", format!("must be from 1 to {LARGEST_PAGE}"));
    }
    if !(1..=MOST_PARALLEL).contains(&onebox.parallel) {
        found.wrong("/onebox/parallel", format!("must be from 1 to {MOST_PARALLEL}"));
    }
    for (pointer, text) in [
        ("/okliving/overlap", &shop.overlap),
        ("/okliving/sweep_every", &shop.sweep_every),
        ("/okliving/sweep_back", &shop.sweep_back),
        ("/okliving/pause", &shop.pause),
        ("/onebox/token_life", &onebox.token_life),
        ("/onebox/pause", &onebox.pause),
        ("/plan_expiry", &settings.plan_expiry),
        ("/keep_changes", &settings.keep_changes),
    ] {
        if let Err(detail) = clock::parse_duration(text) {
            found.wrong(pointer, detail);
        }
    }
    if number::parse_decimal(&settings.max_failed_share.0).is_none_or(|share| share.is_sign_negative() || share > Decimal::ONE) {
        found.wrong("/max_failed_share", format!("`{}` is no share from 0 to 1", settings.max_failed_share.0));
    }
    for error in limits::check(&settings.brakes) {
        found.wrong(format!("/brakes{}", error.pointer), error.detail);
    }
}

/// A JSON pointer's own escapes (RFC 6901).
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
