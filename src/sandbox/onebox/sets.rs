//! What writes (sheet 5.1 to 5.3), with everything that goes wrong when it is called naively.

use chrono::Utc;
use serde_json::{Map, Value, json};

use super::{
    super::desk::{Asked, Reply, locked},
    BodyRoot, Handle, STAGES, Switches, WORKFLOW,
    book::{Book, Contact, Line, Order, Product, Write},
};

/// What is wrong: field and text.
pub type Wrong = (&'static str, String);

/// The entities of a body, if it is of the kind that this box reads.
pub fn entities(body: &[u8], root: BodyRoot) -> Result<Vec<Map<String, Value>>, Wrong> {
    let missing = || ("processes", "first element of processes array missing".to_owned());
    let all: Vec<Value> = match (serde_json::from_slice::<Value>(body), root) {
        (Ok(Value::Array(list)), BodyRoot::Array | BodyRoot::Both) => list,
        (Ok(Value::Object(map)), BodyRoot::IndexedObject | BodyRoot::Both) if map.keys().all(|key| key.parse::<usize>().is_ok()) => {
            map.into_iter().map(|(_, value)| value).collect()
        }
        _ => return Err(missing()),
    };
    if all.is_empty() {
        return Err(missing());
    }
    all.into_iter().map(|one| if let Value::Object(fields) = one { Ok(fields) } else { Err(missing()) }).collect()
}

/// A scalar as text; `None` when it is absent or null.
fn word(fields: &Map<String, Value>, name: &str) -> Option<String> {
    match fields.get(name)? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn number(fields: &Map<String, Value>, name: &str) -> Option<u64> {
    word(fields, name)?.trim().parse().ok()
}

fn words(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(list)) => list.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect(),
        Some(Value::String(text)) if !text.is_empty() => vec![text.clone()],
        _ => Vec::new(),
    }
}

/// The last nine digits: all forms of one number share them.
pub fn tail(phone: &str) -> String {
    let digits: Vec<char> = phone.chars().filter(char::is_ascii_digit).collect();
    digits.get(digits.len().saturating_sub(9)..).unwrap_or_default().iter().collect()
}

impl Handle {
    pub(super) fn set_orders(&self, asked: &Asked<'_>, switches: &Switches) -> Reply {
        let entities = match entities(asked.body, switches.body_root) {
            Ok(entities) => entities,
            Err(wrong) => return self.refused(&wrong, switches),
        };
        let mut entered = Vec::new();
        let reply = {
            let mut book = locked(&self.inner.book);
            let mut ids = Vec::new();
            let mut verdict = Ok(());
            for entity in &entities {
                match set_order(&mut book, entity, switches) {
                    Ok((order, stage)) => {
                        ids.push(order.id);
                        // Stage actions are fired by creation, and by every update that names a stage.
                        entered.extend(stage.then_some(order));
                    }
                    Err(wrong) => {
                        verdict = Err(wrong);
                        break;
                    }
                }
            }
            let reply = match verdict {
                Ok(()) => self.listed(&ids, switches),
                Err(wrong) => self.refused(&wrong, switches),
            };
            let entities = entities.into_iter().map(Value::Object).collect();
            book.writes.push(Write { at: Utc::now(), call: "order/set", entities, status: reply.status, ids });
            reply
        };
        for order in entered {
            self.entered(&order);
        }
        let empty = {
            let mut switches = locked(&self.inner.switches);
            let empty = reply.status == 200 && switches.empty_answers > 0;
            switches.empty_answers -= u32::from(empty);
            empty
        };
        if empty { Reply::json(200, &json!({"status": 1, "dataArray": []})) } else { reply }
    }

    pub(super) fn set_products(&self, asked: &Asked<'_>, switches: &Switches) -> Reply {
        let entities = match entities(asked.body, switches.body_root) {
            Ok(entities) => entities,
            Err(wrong) => return self.refused(&wrong, switches),
        };
        let mut book = locked(&self.inner.book);
        let (mut ids, mut verdict) = (Vec::new(), Ok(()));
        for entity in &entities {
            // It alone only creates, whatever is to be looked up.
            match new_product(&mut book, entity) {
                Ok(id) => ids.push(id),
                Err(wrong) => {
                    verdict = Err(wrong);
                    break;
                }
            }
        }
        let reply = match verdict {
            Ok(()) => self.listed(&ids, switches),
            Err(wrong) => self.refused(&wrong, switches),
        };
        let entities = entities.into_iter().map(Value::Object).collect();
        book.writes.push(Write { at: Utc::now(), call: "product/set", entities, status: reply.status, ids });
        reply
    }
}

/// The order as written, and whether it entered a stage.
fn set_order(book: &mut Book, fields: &Map<String, Value>, switches: &Switches) -> Result<(Order, bool), Wrong> {
    let found = existing(book, fields)?;
    let created = found.is_none();
    let stage = number(fields, "statusid");
    if let Some(stage) = stage
        && !STAGES.iter().any(|(own, _)| *own == stage)
    {
        return Err(("statusid", format!("status {stage} not found")));
    }
    if created && (stage.is_none() || number(fields, "workflowid").is_none()) {
        return Err(("workflowid", "workflowid and statusid are required".to_owned()));
    }
    if let Some(workflow) = number(fields, "workflowid")
        && workflow != WORKFLOW
    {
        return Err(("workflowid", format!("workflow {workflow} not found")));
    }
    let mut order = found.unwrap_or_default();
    if let Some(client) = fields.get("client").and_then(Value::as_object) {
        order.contact = Some(contact(book, client, switches)?);
    }
    products(book, &mut order, fields, switches)?;
    write_fields(&mut order, fields, switches);
    if let Some(stage) = stage {
        // A processed order is put back, and nobody asks.
        order.enter(stage);
    }
    order.sets += 1;
    if created {
        order.id = book.put(order.clone());
    } else {
        book.orders.insert(order.id, order.clone());
    }
    Ok((order, stage.is_some()))
}

fn existing(book: &Book, fields: &Map<String, Value>) -> Result<Option<Order>, Wrong> {
    if let Some(id) = number(fields, "orderid").or_else(|| number(fields, "id")) {
        return book.orders.get(&id).cloned().map(Some).ok_or_else(|| ("orderid", format!("order {id} not found")));
    }
    let externalid = word(fields, "externalid").filter(|text| !text.is_empty());
    if let Some(externalid) = externalid {
        return Ok(book.orders.values().find(|order| order.externalid == externalid).cloned());
    }
    if words(fields.get("findbyArray")).iter().any(|key| key == "name") {
        let name = word(fields, "name").unwrap_or_default();
        // Closed ones are not found.
        return Ok(book.orders.values().find(|order| order.name == name && order.status < 58).cloned());
    }
    Ok(None)
}

fn write_fields(order: &mut Order, fields: &Map<String, Value>, switches: &Switches) {
    for (name, place) in [
        ("externalid", &mut order.externalid),
        ("name", &mut order.name),
        ("date", &mut order.date),
        ("clientname", &mut order.client_name),
        ("clientphone", &mut order.client_phone),
        ("clientemail", &mut order.client_email),
        ("clientaddress", &mut order.client_address),
        ("content", &mut order.content),
        ("comments", &mut order.comments),
        ("description", &mut order.description),
        ("deliverynote", &mut order.delivery_note),
    ] {
        if let Some(text) = word(fields, name) {
            *place = text;
        }
    }
    if let Some(workflow) = number(fields, "workflowid") {
        order.workflow = workflow;
    }
    order.source = number(fields, "sourceid").or(order.source);
    let known = |key: &str| switches.custom_fields.as_ref().is_none_or(|all| all.iter().any(|own| own == key));
    let inside = fields.get("customfields").and_then(Value::as_object).into_iter().flatten();
    let at_root = fields.iter().filter_map(|(name, value)| Some((name.strip_prefix("customorder_")?, value)));
    for (key, value) in inside.map(|(key, value)| (key.as_str(), value)).chain(at_root).filter(|(key, _)| known(key)) {
        order.custom.insert(key.to_owned(), value.clone());
    }
}

/// The contact card that the order is linked to: named, found or new.
fn contact(book: &mut Book, fields: &Map<String, Value>, switches: &Switches) -> Result<u64, Wrong> {
    if let Some(id) = number(fields, "userid") {
        return book.contacts.contains_key(&id).then_some(id).ok_or_else(|| ("client", format!("contact {id} not found")));
    }
    let mut phones = words(fields.get("phones"));
    phones.extend(words(fields.get("phone")).into_iter().filter(|phone| !phones.contains(phone)).collect::<Vec<_>>());
    let externalid = word(fields, "externalid").unwrap_or_default();
    // Without a list of what to look by, every call makes a card.
    let found = words(fields.get("findbyArray")).iter().find_map(|key| {
        let same = |contact: &&Contact| match key.as_str() {
            "externalid" => !externalid.is_empty() && contact.externalid == externalid,
            // Letter by letter: a mixed base is not found.
            "phone" | "phones" => contact.phones.iter().any(|own| phones.contains(own)),
            _ => false,
        };
        book.contacts.values().find(same).map(|contact| contact.id)
    });
    if let Some(id) = found {
        let adds = fields.get("addnewphone").and_then(Value::as_bool).unwrap_or(true);
        if let (true, Some(contact)) = (adds, book.contacts.get_mut(&id)) {
            let new: Vec<String> = phones.into_iter().filter(|phone| !contact.phones.contains(phone)).collect();
            contact.phones.extend(new);
        }
        return Ok(id);
    }
    let taken = phones
        .iter()
        .map(|phone| tail(phone))
        .any(|one| book.contacts.values().flat_map(|other| &other.phones).any(|own| tail(own) == one));
    if switches.phone_unique && taken {
        return Err(("client", "Контакт з таким телефоном вже зареєстрований #12903".to_owned()));
    }
    let text = |name: &str| word(fields, name).unwrap_or_default();
    Ok(book.add_contact(Contact {
        id: 0,
        name: text("name"),
        namelast: text("namelast"),
        namemiddle: text("namemiddle"),
        phones,
        email: text("email"),
        externalid,
    }))
}

fn products(book: &mut Book, order: &mut Order, fields: &Map<String, Value>, switches: &Switches) -> Result<(), Wrong> {
    let Some(Value::Array(sent)) = fields.get("products") else { return Ok(()) };
    let mut lines = Vec::new();
    for line in sent.iter().filter_map(Value::as_object) {
        let product = line.get("productinfo").and_then(Value::as_object).map(|info| product(book, info)).transpose()?;
        let text = |name: &str| word(line, name).unwrap_or_default();
        lines.push(Line { name: text("name"), count: text("count"), price: text("price"), product, comment: text("comment") });
    }
    let replaces = fields.get("deletenotupdatedproducts").is_some_and(|value| matches!(value, Value::Bool(true)) || *value == json!(1));
    if replaces {
        order.lines = lines;
    } else if switches.lines_added {
        order.lines.extend(lines);
    } else {
        for line in lines {
            match order.lines.iter_mut().find(|own| own.product.is_some() && own.product == line.product) {
                Some(own) => *own = line,
                None => order.lines.push(line),
            }
        }
    }
    Ok(())
}

fn product(book: &mut Book, info: &Map<String, Value>) -> Result<u64, Wrong> {
    if let Some(id) = number(info, "id") {
        return book.products.contains_key(&id).then_some(id).ok_or_else(|| ("products", format!("product {id} not found")));
    }
    let text = |name: &str| word(info, name).unwrap_or_default();
    let found = words(info.get("findbyArray")).iter().find_map(|key| {
        let asked = text(key);
        let same = |product: &&Product| match key.as_str() {
            "externalid" => product.externalid == asked,
            "articul" => product.articul == asked,
            "name" => product.name == asked,
            _ => false,
        };
        book.products.values().find(same).filter(|_| !asked.is_empty()).map(|product| product.id)
    });
    found.map_or_else(|| new_product(book, info), Ok)
}

/// A new product; its article number and outside id must be new too.
fn new_product(book: &mut Book, info: &Map<String, Value>) -> Result<u64, Wrong> {
    let text = |name: &str| word(info, name).unwrap_or_default();
    let product = Product { id: 0, name: text("name"), articul: text("articul"), externalid: text("externalid") };
    let taken = |of: fn(&Product) -> &str, own: &str| !own.is_empty() && book.products.values().any(|other| of(other) == own);
    if taken(|product| &product.externalid, &product.externalid) {
        return Err(("products", "duplicate product external id".to_owned()));
    }
    if taken(|product| &product.articul, &product.articul) {
        return Err(("products", "duplicate product article".to_owned()));
    }
    Ok(book.add_product(product))
}
