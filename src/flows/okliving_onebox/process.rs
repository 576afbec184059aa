//! An order of the shop as a process of OneBox (facts/onebox.md section 5): which field holds what. Pure.
//!
//! The **recipient** goes into the order's own contact block (`clientname`, `clientphone`, `clientaddress`), the **buyer** into the contact card
//! (`client`); neither ever holds a value of the other, but for orders without a recipient, which say so. What failed a check stands in the
//! order's text as the shop wrote it.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::{
    mapping::{Mapped, Parcel, lines::Line},
    settings::Settings,
};
use crate::{
    domain::{number, text},
    engine::{
        brakes::PHONE,
        model::{FieldChange, Link, Reason},
        pictures::remembered,
    },
};

/// The lines, and that those which are not among them go.
pub const PRODUCTS: &str = "products";
/// How fields are named that stand only in the link's memory: the fingerprint of a text that is too long to be remembered.
const FINGERPRINT: &str = ".fingerprint";
/// How custom fields are named in a report.
pub const CUSTOM: &str = "customfields.";
/// Fields that only a creation sends: they put a processed order back, or belong to what a manager keeps (facts/onebox.md section 6).
const OF_CREATION: &[&str] = &["externalid", "workflowid", "statusid", "sourceid", "name", "date", "client", PHONE];
/// Texts that may be longer than what a link remembers.
const LONG_TEXTS: &[&str] = &["clientaddress", "content", "comments", "description"];
/// Bytes of a text that a link remembers for sure.
const REMEMBERED: usize = 280;
/// Longest text that OneBox is given for a name.
const LONGEST_NAME: usize = 120;

/// Every field of a creation, with the rule behind it, in the order in which people read them.
pub fn fields(key: &str, mapped: &Mapped, settings: &Settings) -> Vec<FieldChange> {
    let onebox = &settings.onebox;
    let mut fields = Vec::new();
    let mut put = |field: &str, value: Value, rule: Reason| {
        if !is_empty(&value) {
            fields.push(FieldChange { field: field.to_owned(), old: None, new: value, rule });
        }
    };
    let set = || Reason::new("onebox_setting");
    put("externalid", json!(external_id(key, settings)), set());
    put("workflowid", number_or_text(&onebox.workflow_id.0), set());
    put("statusid", number_or_text(&onebox.status_id.0), set());
    if let Some(source) = &onebox.source_id {
        put("sourceid", number_or_text(&source.0), set());
    }
    put(
        "name",
        json!(cut(&onebox.order_name.replace("${number}", mapped.value("order.number")), LONGEST_NAME)),
        mapped.rule("order.number"),
    );
    if let Some(at) = mapped.fine("order.created_at").and_then(|at| at.parse::<DateTime<Utc>>().ok()) {
        put(
            "date",
            json!(at.with_timezone(&settings.onebox_zone()).format("%Y-%m-%d %H:%M:%S").to_string()),
            mapped.rule("order.created_at"),
        );
    }
    put("sum", mapped.fine("order.total").map(decimal).unwrap_or_default(), mapped.rule("order.total"));
    if let Some(currency) = &onebox.currency_id {
        put("currencyid", number_or_text(&currency.0), set());
    }
    let block = mapped.parcel_block();
    put("clientname", json!(cut(&mapped.whole_name(block), LONGEST_NAME)), name_rule(mapped, block));
    let phone = format!("{block}.phone");
    put("clientphone", json!(onebox_phone(mapped.fine(&phone), settings)), mapped.rule(&phone));
    put("clientaddress", json!(address(mapped)), mapped.rule("np.branch"));
    put(onebox.content_field.name(), json!(content(mapped, settings, true)), Reason::new("order_text"));
    for (name, target) in &onebox.custom_fields {
        put(&format!("{CUSTOM}{name}"), json!(mapped.value(target)), mapped.rule(target));
    }
    let lines: Vec<Value> = mapped.lines.iter().map(|line| product(line, settings)).collect();
    put(PRODUCTS, Value::Array(lines), mapped.rule("lines"));
    put("client", buyer(mapped, settings), mapped.rule("buyer.phone"));
    // Not sent: by it a burst of one phone is seen, in whatever form OneBox is given it.
    put(PHONE, json!(mapped.fine(&phone).or(mapped.fine("buyer.phone")).unwrap_or_default()), mapped.rule(&phone));
    // The shop's note comes back with what we told it ourselves: by it alone no text is written again.
    let without_note = content(mapped, settings, false);
    let content_field = onebox.content_field.name();
    let prints: Vec<FieldChange> = fields
        .iter()
        .filter_map(|field| fingerprint(&field.field, if field.field == content_field { &without_note } else { field.new.as_str()? }))
        .collect();
    fields.extend(prints);
    fields
}

/// Which of these fields the shop has changed since they were last written; empty = none. A link without any memory has none to compare with.
pub fn changed(fields: Vec<FieldChange>, link: &Link) -> Vec<FieldChange> {
    let prints: Vec<(&str, &Value)> =
        fields.iter().filter_map(|field| Some((field.field.strip_suffix(FINGERPRINT)?, &field.new))).collect();
    let moved = |field: &FieldChange| {
        let name = field.field.as_str();
        if OF_CREATION.contains(&name) || name.ends_with(FINGERPRINT) {
            return false;
        }
        match prints.iter().find(|(of, _)| *of == name) {
            Some((_, print)) => link.written.get(&format!("{name}{FINGERPRINT}")) != Some(print),
            None => link.written.get(name) != Some(&remembered(&field.new)),
        }
    };
    let names: Vec<String> = fields.iter().filter(|field| moved(field)).map(|field| field.field.clone()).collect();
    let mut changed: Vec<FieldChange> = fields
        .into_iter()
        .filter(|field| names.iter().any(|name| field.field == *name || field.field.strip_suffix(FINGERPRINT) == Some(name)))
        .collect();
    for field in &mut changed {
        field.old = link.written.get(&field.field).filter(|old| old.is_string() && field.new.is_string()).cloned();
    }
    changed
}

/// What the link of an order is to know that was found in OneBox: nothing of it is sent again until the shop changes it.
pub fn memory(fields: &[FieldChange]) -> std::collections::BTreeMap<String, Value> {
    let printed = |name: &str| fields.iter().any(|field| field.field.strip_suffix(FINGERPRINT) == Some(name));
    let known = fields.iter().filter(|field| !OF_CREATION.contains(&field.field.as_str()) && !printed(&field.field));
    known.map(|field| (field.field.clone(), remembered(&field.new))).collect()
}

/// Whether a link remembers anything of its order.
pub fn has_memory(link: &Link) -> bool {
    link.written.contains_key(PRODUCTS) || link.written.contains_key("clientname") || link.written.contains_key("clientphone")
}

/// The body of one order out of a change's fields; `order` is OneBox's id of an order that stands.
pub fn body(fields: &[FieldChange], order: Option<&str>, key: &str, settings: &Settings) -> Map<String, Value> {
    let mut body = Map::new();
    let mut custom = Map::new();
    body.insert("externalid".to_owned(), json!(external_id(key, settings)));
    if let Some(order) = order {
        body.insert("orderid".to_owned(), number_or_text(order));
    }
    for field in fields.iter().filter(|field| is_sent(&field.field)) {
        if order.is_some() && OF_CREATION.contains(&field.field.as_str()) {
            continue;
        }
        match field.field.strip_prefix(CUSTOM) {
            Some(name) => drop(custom.insert(name.to_owned(), field.new.clone())),
            None => drop(body.insert(field.field.clone(), field.new.clone())),
        }
    }
    if !custom.is_empty() {
        body.insert("customfields".to_owned(), Value::Object(custom));
    }
    if body.contains_key(PRODUCTS) {
        // A repeated call would add them once more (section 5.3).
        body.insert("deletenotupdatedproducts".to_owned(), json!(true));
    }
    body
}

/// Whether a field goes to OneBox at all.
pub fn is_sent(field: &str) -> bool {
    field != PHONE && !field.ends_with(FINGERPRINT)
}

/// For a field that stands only in the link's memory: the one that it speaks about.
pub fn beside(field: &str) -> Option<&'static str> {
    let of = field.strip_suffix(FINGERPRINT)?;
    if of.starts_with(CUSTOM) {
        return Some("customfields");
    }
    LONG_TEXTS.iter().copied().find(|known| *known == of)
}

/// Our key of an order in OneBox.
pub fn external_id(key: &str, settings: &Settings) -> String {
    format!("{}{key}", settings.onebox.externalid_prefix)
}

/// The shop's id behind our key; `None` = not ours.
pub fn of_external_id<'a>(external: &'a str, settings: &Settings) -> Option<&'a str> {
    external.strip_prefix(settings.onebox.externalid_prefix.as_str()).filter(|key| !key.is_empty())
}

/// Texts that may be longer than what a link remembers are compared by their fingerprints.
fn fingerprint(name: &str, text: &str) -> Option<FieldChange> {
    if !is_sent(name) || (!LONG_TEXTS.contains(&name) && text.len() <= REMEMBERED) {
        return None;
    }
    Some(FieldChange {
        field: format!("{name}{FINGERPRINT}"),
        old: None,
        new: remembered(&json!([text])),
        rule: Reason::new("order_fingerprint"),
    })
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Ids are numbers in OneBox; what is none goes as it is.
fn number_or_text(id: &str) -> Value {
    id.trim().parse::<u64>().map_or_else(|_| json!(id.trim()), Value::from)
}

/// The digits as they are; no float on the way.
fn decimal(text: &str) -> Value {
    number::parse_decimal(text).and_then(|value| serde_json::from_str(&number::plain(value)).ok()).unwrap_or_default()
}

fn plain(value: Decimal) -> Value {
    serde_json::from_str(&number::plain(value)).unwrap_or_default()
}

fn cut(text: &str, longest: usize) -> String {
    text.chars().take(longest).collect()
}

fn name_rule(mapped: &Mapped, block: &str) -> Reason {
    let told = ["last", "first", "full"].map(|part| format!("{block}.{part}"));
    let target = told.iter().find(|target| !mapped.value(target).is_empty()).unwrap_or(&told[2]);
    mapped.rule(target)
}

fn onebox_phone(phone: Option<&str>, settings: &Settings) -> String {
    let plus = if settings.onebox.phone_plus { "+" } else { "" };
    phone.map(|phone| format!("{plus}{phone}")).unwrap_or_default()
}

/// City and branch, or city and street, as people read them.
fn address(mapped: &Mapped) -> String {
    let (city, region) = (mapped.value("np.city"), mapped.value("np.region"));
    let city = match (city, region) {
        ("", _) => String::new(),
        (city, "") => city.to_owned(),
        (city, region) => format!("{city} ({region})"),
    };
    let (branch, number, street) = (mapped.value("np.branch"), mapped.value("np.number"), mapped.value("np.address"));
    let place = match (branch, number, street) {
        ("", "", street) => street.to_owned(),
        ("", number, _) => format!("Відділення №{number}"),
        (branch, ..) => branch.to_owned(),
    };
    [city, place].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// The order's text: who takes the parcel and how, as the shop wrote it, and what a person should look at.
fn content(mapped: &Mapped, settings: &Settings, with_note: bool) -> String {
    let lang = settings.onebox.language.lang();
    let block = mapped.parcel_block();
    let sentence = |reason: &Reason| text::reason_text(lang, &reason.code, &reason.params);
    let word = |name: &str, value: String| {
        (!value.trim().is_empty()).then(|| text::reason_text(lang, name, &[("value".to_owned(), value)].into()))
    };
    let raw = |targets: &[String]| {
        let raws = targets.iter().filter_map(|target| mapped.told.get(target)).map(|told| told.raw.as_str()).filter(|raw| !raw.is_empty());
        raws.collect::<Vec<_>>().join(" ")
    };
    let of = |parts: &[&str]| parts.iter().map(|part| format!("{block}.{part}")).collect::<Vec<_>>();
    let mut rows: Vec<String> = Vec::new();
    if !mapped.problems.is_empty() {
        rows.push(text::reason_text(lang, "order_text_look", &Default::default()));
        rows.extend(mapped.problems.iter().map(|problem| format!("- {}", sentence(&problem.reason))));
    }
    let name = raw(&of(&["last", "first", "middle", "full"]));
    let who = [name, raw(&of(&["phone"]))].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
    rows.extend(word("order_text_recipient", who));
    let where_to = ["np.region", "np.city", "np.branch", "np.number", "np.address", "np.type"].map(str::to_owned);
    let mut told: Vec<String> = Vec::new();
    for part in where_to.iter().map(|target| raw(std::slice::from_ref(target))).filter(|part| !part.is_empty()) {
        if !told.iter().any(|known| known.contains(&part)) {
            told.push(part);
        }
    }
    rows.extend(word("order_text_delivery", told.join(", ")));
    if mapped.parcel == Parcel::Recipient {
        let buyer = [mapped.whole_name("buyer"), mapped.told.get("buyer.phone").map(|told| told.raw.clone()).unwrap_or_default()];
        let buyer = buyer.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
        rows.extend(word("order_text_buyer", buyer));
    }
    rows.extend(word("order_text_payment", mapped.value("order.payment").to_owned()));
    if with_note {
        rows.extend(word("order_text_note", mapped.value("order.note").to_owned()));
    }
    rows.join("\n")
}

/// The buyer's card: found by our key or his phone, made where neither is known. Without either it would double with every order, so there is
/// none then.
fn buyer(mapped: &Mapped, settings: &Settings) -> Value {
    let mut card = Map::new();
    let mut found_by = Vec::new();
    match mapped.name_parts("buyer") {
        Some((last, first, middle)) => {
            for (field, value) in [("namelast", last), ("name", first), ("namemiddle", middle)] {
                if !value.is_empty() {
                    card.insert(field.to_owned(), json!(value));
                }
            }
        }
        None if !mapped.value("buyer.full").is_empty() => drop(card.insert("name".to_owned(), json!(mapped.value("buyer.full")))),
        None => {}
    }
    if !mapped.value("buyer.id").is_empty() {
        card.insert("externalid".to_owned(), json!(format!("{}c-{}", settings.onebox.externalid_prefix, mapped.value("buyer.id"))));
        found_by.push("externalid");
    }
    if let Some(phone) = mapped.fine("buyer.phone") {
        card.insert("phones".to_owned(), json!([onebox_phone(Some(phone), settings)]));
        found_by.push("phone");
    }
    if !mapped.value("buyer.email").is_empty() {
        card.insert("email".to_owned(), json!(mapped.value("buyer.email")));
    }
    if card.is_empty() || found_by.is_empty() {
        return Value::Null;
    }
    card.insert("findbyArray".to_owned(), json!(found_by));
    card.insert("addnewphone".to_owned(), json!(false));
    Value::Object(card)
}

/// The line with its product: found by our key, or made.
fn product(line: &Line, settings: &Settings) -> Value {
    let key = if line.id.is_empty() { &line.sku } else { &line.id };
    let mut row = Map::from_iter([
        ("name".to_owned(), json!(line.name)),
        ("count".to_owned(), plain(line.quantity)),
        ("price".to_owned(), plain(line.price)),
    ]);
    if !key.is_empty() {
        let mut info = Map::from_iter([
            ("name".to_owned(), json!(line.name)),
            ("externalid".to_owned(), json!(format!("{}p-{key}", settings.onebox.externalid_prefix))),
            ("findbyArray".to_owned(), json!(["externalid"])),
        ]);
        if !line.sku.is_empty() {
            info.insert("articul".to_owned(), json!(line.sku));
        }
        row.insert("productinfo".to_owned(), Value::Object(info));
    }
    Value::Object(row)
}
