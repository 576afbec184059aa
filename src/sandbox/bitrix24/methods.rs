//! What can be called: lists, descriptions, updates (sheet 4.4, 5).

use std::{collections::BTreeMap, time::Instant};

use serde_json::{Map, Value, json};

use super::{
    super::desk::locked,
    Handle, Switches, by_chance,
    entity::{Entity, Kind, Multi, is_empty, product_row, shown, text},
    fields::{Field, described},
    filter::{Condition, conditions},
    params::{Params, members},
    portal::{Portal, Write},
};

/// Rows of a page; nobody can change it (sheet 2).
pub const PAGE: usize = 50;

/// Filter, order and select of a list.
type Asked<'a> = (Option<&'a Value>, Option<&'a Value>, Option<&'a Value>);

/// What a method answers beside its run time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Done {
    /// `result`.
    pub result: Value,
    /// `total`, of lists.
    pub total: Option<usize>,
    /// `next`, of lists that go on.
    pub next: Option<usize>,
}

/// A method's refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// HTTP status, if it stands alone.
    pub status: u16,
    /// `error`; often "".
    pub code: &'static str,
    /// `error_description`.
    pub text: String,
}

impl Error {
    /// Most refusals of an entity: 400 and no code (sheet 3).
    pub fn plain(text: &str) -> Self {
        Self { status: 400, code: "", text: text.to_owned() }
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        json!({"error": self.code, "error_description": self.text})
    }
}

/// Whether the portal knows a method at all.
pub fn known(method: &str) -> bool {
    method == "user.get" || crm(method).is_some()
}

/// The entity and verb of a CRM method.
fn crm(method: &str) -> Option<(Kind, &str)> {
    let (kind, verb) = match method.strip_prefix("crm.contact.") {
        Some(verb) => (Kind::Contact, verb),
        None => (Kind::Deal, method.strip_prefix("crm.deal.")?),
    };
    let deal = kind == Kind::Deal && verb == "productrows.get";
    (deal || matches!(verb, "list" | "get" | "fields" | "update")).then_some((kind, verb))
}

impl Handle {
    /// Calls a method that the portal knows.
    pub(super) fn call(&self, method: &str, params: &Params, batch: bool) -> Result<Done, Error> {
        let switches = self.switches();
        let scope = method.split('.').next().unwrap_or_default();
        if !switches.scopes.iter().any(|own| own == scope) {
            let text = "The request requires higher privileges than provided by the webhook token".to_owned();
            return Err(Error { status: 403, code: "insufficient_scope", text });
        }
        let one = |result: Value| Done { result, ..Done::default() };
        match crm(method) {
            Some((kind, "list")) => self.list(kind, params, &switches),
            Some((kind, "get")) => self.one(kind, params, &switches).map(one),
            Some((kind, "update")) => self.update(kind, params, &switches, batch).map(one),
            Some((_, "productrows.get")) => self.rows(params).map(one),
            Some((kind, _)) => {
                let portal = locked(&self.inner.portal);
                let fields = portal.fields(kind).iter().map(|field| (field.code.clone(), described(field, switches.status_max_length)));
                Ok(one(Value::Object(fields.collect())))
            }
            None => self.people(params),
        }
    }

    fn list(&self, kind: Kind, params: &Params, switches: &Switches) -> Result<Done, Error> {
        let must = |name: &str| params.list(name).map_err(|text| Error::plain(&text));
        let (filter, order, select) = (must("filter")?, must("order")?, must("select")?);
        let start = params.number("start").unwrap_or_default();
        let done = self.page(kind, (filter, order, select), start, switches);
        let ids: Vec<u64> = done.result.as_array().into_iter().flatten().filter_map(|row| row.get("ID")?.as_str()?.parse().ok()).collect();
        self.edit_between_pages(kind, &ids, switches);
        Ok(done)
    }

    fn page(&self, kind: Kind, (filter, order, select): Asked<'_>, start: i64, switches: &Switches) -> Done {
        let portal = locked(&self.inner.portal);
        let fields = portal.fields(kind);
        let conditions = filter.map(|filter| conditions(filter, fields, switches.offset_minutes)).unwrap_or_default();
        let above = conditions.iter().filter_map(Condition::above_id).max().unwrap_or_default();
        let holds = |entity: &&Entity| conditions.iter().all(|condition| condition.holds(entity));
        let found = portal.listed(kind, above, Instant::now()).filter(holds);
        let sorting = sorting(order);
        let by_id = matches!(sorting.as_slice(), [] | [("ID", false), ..]);
        let (rows, total, next): (Vec<&Entity>, usize, Option<usize>) = if start < 0 && by_id {
            // Fast: no count and no `next`, so "while next" ends after one page.
            (found.take(PAGE).collect(), 0, None)
        } else {
            let mut all: Vec<&Entity> = found.collect();
            sort(&mut all, &sorting, fields);
            let from = usize::try_from(start).unwrap_or_default() / PAGE * PAGE;
            let next = (start >= 0 && all.len() > from + PAGE).then_some(from + PAGE);
            let total = if start < 0 { 0 } else { all.len() };
            (all.into_iter().skip(from).take(PAGE).collect(), total, next)
        };
        let chosen = chosen(select, fields, switches.phones_unasked);
        let result = rows.into_iter().map(|entity| row(entity, &chosen, switches)).collect();
        Done { result, total: Some(total), next }
    }

    /// A person works while somebody reads.
    fn edit_between_pages(&self, kind: Kind, read: &[u64], switches: &Switches) {
        if switches.edits_between_pages == 0 || read.is_empty() {
            return;
        }
        let everything = locked(&self.inner.portal).ids(kind);
        for number in 0..switches.edits_between_pages {
            let mut chance = locked(&self.inner.chance).clone();
            let from = if number % 2 == 0 { read } else { &everything };
            if let Some(id) = chance.pick(from).copied() {
                self.edit(kind, id, |entity| by_chance(kind, entity, &mut chance));
            }
            *locked(&self.inner.chance) = chance;
        }
    }

    fn one(&self, kind: Kind, params: &Params, switches: &Switches) -> Result<Value, Error> {
        let portal = locked(&self.inner.portal);
        let entity = portal.get(kind, id(params, kind)?).filter(|entity| !entity.hidden).ok_or_else(|| not_found(kind))?;
        let fields: Vec<&Field> = portal.fields(kind).iter().collect();
        Ok(row(entity, &fields, switches))
    }

    fn rows(&self, params: &Params) -> Result<Value, Error> {
        let id = params.number("id").and_then(|id| u64::try_from(id).ok()).filter(|id| *id > 0);
        let id = id.ok_or_else(|| Error::plain("The parameter id is invalid or not defined."))?;
        let portal = locked(&self.inner.portal);
        let deal = portal.get(Kind::Deal, id).ok_or_else(|| Error::plain("Not found"))?;
        if deal.hidden {
            return Err(Error::plain("Access denied"));
        }
        Ok(deal.rows.iter().enumerate().map(|(index, row)| product_row(id, index, row)).collect())
    }

    fn people(&self, params: &Params) -> Result<Done, Error> {
        // The filter stands at the top or in FILTER.
        let filter = params.get("filter").cloned().unwrap_or_default();
        let ids = params.get("id").or_else(|| filter.get("ID"));
        let ids: Option<Vec<String>> = ids.map(|ids| members(ids).into_iter().map(text).collect());
        let active = params.get("active").or_else(|| filter.get("ACTIVE")).map(text);
        let portal = locked(&self.inner.portal);
        let found = portal.users.values().filter(|user| {
            let wanted = ids.as_ref().is_none_or(|ids| ids.contains(&user.id.to_string()));
            wanted && active.as_deref().is_none_or(|active| user.active == matches!(active, "1" | "true" | "Y"))
        });
        let all: Vec<Value> = found
            .map(|user| {
                json!({"ID": user.id.to_string(), "ACTIVE": user.active, "NAME": user.name, "LAST_NAME": user.last_name, "SECOND_NAME": "",
                    "EMAIL": user.email, "USER_TYPE": "employee", "TIMESTAMP_X": {}, "LAST_ACTIVITY_DATE": {}})
            })
            .collect();
        let from = usize::try_from(params.number("start").unwrap_or_default()).unwrap_or_default() / PAGE * PAGE;
        let (total, next) = (all.len(), (all.len() > from + PAGE).then_some(from + PAGE));
        Ok(Done { result: all.into_iter().skip(from).take(PAGE).collect(), total: Some(total), next })
    }

    fn update(&self, kind: Kind, params: &Params, switches: &Switches, batch: bool) -> Result<Value, Error> {
        let id = id(params, kind)?;
        let sent = match params.get("fields") {
            Some(Value::Object(map)) => map.iter().map(|(code, value)| (code.clone(), value.clone())).collect(),
            None | Some(Value::Array(_)) => BTreeMap::new(),
            Some(_) => return Err(Error::plain("Parameter 'fields' must be array.")),
        };
        let (at, late) = (self.now(), std::time::Duration::from_millis(switches.late_ms));
        let mut portal = locked(&self.inner.portal);
        let verdict = updated(&mut portal, kind, id, &sent, switches);
        let (applied, changed) = verdict.as_ref().map_or((false, false), |(_, changed)| (true, *changed));
        portal.writes.push(Write { at, kind, id, fields: sent, applied, changed, batch });
        let (after, changed) = verdict?;
        if changed || switches.noop_bumps {
            portal.edit(kind, id, late, |entity| {
                *entity = Entity { modified: at, modified_by: switches.user_id, ..after };
            });
        }
        Ok(json!(true))
    }
}

/// The entity after an update and whether it differs, or why it is refused.
fn updated(portal: &mut Portal, kind: Kind, id: u64, sent: &BTreeMap<String, Value>, switches: &Switches) -> Result<(Entity, bool), Error> {
    let before = portal.get(kind, id).cloned().ok_or_else(|| not_found(kind))?;
    if before.hidden {
        return Err(Error::plain("Access denied"));
    }
    if let Some(text) = portal.vetoed(kind, id) {
        return Err(Error::plain(&text));
    }
    let mut after = before.clone();
    let fields = portal.fields(kind).to_vec();
    for (code, value) in sent {
        // An unknown code is ignored, and the answer is `true` all the same.
        let Some(field) = fields.iter().find(|field| field.code == *code && !field.read_only) else { continue };
        if field.kind == "crm_multifield" {
            let list = if code == "PHONE" { &mut after.phones } else { &mut after.emails };
            write_multi(list, value, portal)?;
            continue;
        }
        let length = text(value).chars().count();
        if field.dynamic && field.kind == "string" && switches.status_max_length > 0 && length > switches.status_max_length {
            let text = format!("Длина поля \"{}\" не должна превышать {}", field.label, switches.status_max_length);
            return Err(Error { status: 400, code: "ERROR_CORE", text });
        }
        if is_empty(value) {
            after.fields.remove(code);
        } else {
            after.fields.insert(code.clone(), stored(field, value));
        }
    }
    let changed = after != before;
    Ok((after, changed))
}

/// What a value becomes in the database.
fn stored(field: &Field, value: &Value) -> Value {
    if field.multiple {
        let number = |value: &Value| text(value).parse::<u64>().map_or_else(|_| value.clone(), |number| json!(number));
        return members(value).into_iter().map(number).collect();
    }
    json!(text(value))
}

/// Without an id an item is appended; with one it is changed or, without a value, removed; the others stay (sheet 5).
fn write_multi(list: &mut Vec<Multi>, value: &Value, portal: &mut Portal) -> Result<(), Error> {
    for item in members(value) {
        let word = |name: &str| item.get(name).map(text).unwrap_or_default();
        let given = word("VALUE");
        if given.contains('@') && !given.contains('.') {
            return Err(Error {
                status: 400, code: "ERROR_CORE", text: "Поле \"E-mail\" содержит неверный адрес".to_owned()
            });
        }
        match word("ID").parse::<u64>() {
            Ok(id) if given.is_empty() || word("DELETE") == "Y" => list.retain(|own| own.id != id),
            Ok(id) => {
                if let Some(own) = list.iter_mut().find(|own| own.id == id) {
                    own.value = given;
                }
            }
            Err(_) if given.is_empty() => {}
            Err(_) => {
                let kind = Some(word("VALUE_TYPE")).filter(|kind| !kind.is_empty()).unwrap_or_else(|| "WORK".to_owned());
                list.push(Multi { id: portal.next_multi(), value: given, value_type: kind });
            }
        }
    }
    Ok(())
}

fn id(params: &Params, kind: Kind) -> Result<u64, Error> {
    let id = params.number("id").and_then(|id| u64::try_from(id).ok()).filter(|id| *id > 0);
    id.ok_or_else(|| match kind {
        Kind::Contact => not_found(kind),
        Kind::Deal => Error::plain("ID is not defined or invalid."),
    })
}

fn not_found(kind: Kind) -> Error {
    Error::plain(match kind {
        Kind::Contact => "Contact is not found",
        Kind::Deal => "Not found",
    })
}

/// Fields to sort by, each with whether it falls.
fn sorting(order: Option<&Value>) -> Vec<(&str, bool)> {
    let Some(Value::Object(order)) = order else { return Vec::new() };
    order.iter().map(|(field, way)| (field.as_str(), way.as_str().is_some_and(|way| way.eq_ignore_ascii_case("DESC")))).collect()
}

fn sort(all: &mut [&Entity], sorting: &[(&str, bool)], fields: &[Field]) {
    for (name, falls) in sorting.iter().rev() {
        let Some(field) = fields.iter().find(|field| field.code == *name) else { continue };
        all.sort_by(|a, b| {
            let order = match *name {
                "ID" => a.id.cmp(&b.id),
                "DATE_CREATE" => a.created.cmp(&b.created),
                "DATE_MODIFY" => a.modified.cmp(&b.modified),
                _ => text(&shown(a, field, 0).unwrap_or_default()).cmp(&text(&shown(b, field, 0).unwrap_or_default())),
            };
            if *falls { order.reverse() } else { order }
        });
    }
}

/// Fields that a list shows: masks never cover phones and e-mails (sheet 4.2).
fn chosen<'a>(select: Option<&Value>, fields: &'a [Field], phones_unasked: bool) -> Vec<&'a Field> {
    let asked: Vec<String> = select.map(|select| members(select).into_iter().map(text).collect()).unwrap_or_default();
    let has = |word: &str| asked.iter().any(|asked| asked == word);
    let wanted = |field: &&Field| {
        if field.kind == "crm_multifield" {
            return phones_unasked || has(&field.code);
        }
        let mask = if field.dynamic { "UF_*" } else { "*" };
        asked.is_empty() || has(mask) || has(&field.code) || field.code == "ID"
    };
    fields.iter().filter(wanted).collect()
}

fn row(entity: &Entity, fields: &[&Field], switches: &Switches) -> Value {
    let mut all = Map::new();
    for field in fields {
        if let Some(value) = shown(entity, field, switches.offset_minutes) {
            all.insert(field.code.clone(), value);
        }
    }
    Value::Object(all)
}
