//! What reads (sheet 4): filters narrow as far as they are understood, and only the fields that are asked for come.

use serde_json::{Map, Value, json};

use super::{
    super::desk::{Asked, Reply, locked},
    Handle, IdForm, STAGES, Switches, WORKFLOW,
    book::Order,
    sets::tail,
};

/// Rows where the question does not say.
const ROWS: usize = 100;

/// The values of one filter.
fn asked_for(body: &Value, name: &str) -> Option<Vec<String>> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match body.pointer(&format!("/filter/{name}"))? {
        Value::Array(list) => Some(list.iter().map(text).collect()),
        Value::Null => None,
        one => Some(vec![text(one)]),
    }
}

impl Handle {
    /// An id in the form that this answer has.
    fn id(&self, id: u64, text: bool) -> Value {
        if text { json!(id.to_string()) } else { json!(id) }
    }

    /// Whether this answer writes ids as texts.
    pub(super) fn as_text(&self, switches: &Switches) -> bool {
        match switches.id_form {
            IdForm::Int => false,
            IdForm::Text => true,
            IdForm::Mixed => self.inner.answers.fetch_add(1, std::sync::atomic::Ordering::SeqCst) % 2 == 1,
        }
    }

    /// Success with ids.
    pub(super) fn listed(&self, ids: &[u64], switches: &Switches) -> Reply {
        let text = self.as_text(switches);
        let ids: Vec<Value> = ids.iter().map(|id| self.id(*id, text)).collect();
        Reply::json(200, &json!({"status": 1, "dataArray": ids}))
    }

    /// Success with rows of which only the fields asked for are shown; without a list of fields these are id and name.
    fn rows(&self, body: &Value, rows: Vec<Map<String, Value>>) -> Reply {
        let fields = body.get("fields").and_then(Value::as_array);
        let fields: Vec<&str> = fields.map_or_else(|| vec!["id", "name"], |fields| fields.iter().filter_map(Value::as_str).collect());
        let limit = body.get("limit").and_then(Value::as_u64).and_then(|limit| usize::try_from(limit).ok()).unwrap_or(ROWS);
        let rows: Vec<Map<String, Value>> =
            rows.into_iter().take(limit).map(|row| row.into_iter().filter(|(name, _)| fields.contains(&name.as_str())).collect()).collect();
        Reply::json(200, &json!({"status": 1, "dataArray": rows}))
    }

    pub(super) fn get_orders(&self, asked: &Asked<'_>, switches: &Switches) -> Reply {
        let body: Value = serde_json::from_slice(asked.body).unwrap_or_default();
        let filter = |name: &str| asked_for(&body, name);
        let (externalid, id, name, status) =
            (filter("externalid"), filter("id").or_else(|| filter("orderid")), filter("name"), filter("statusid"));
        let text = self.as_text(switches);
        let book = locked(&self.inner.book);
        let takes = |wanted: &Option<Vec<String>>, own: &str| wanted.as_ref().is_none_or(|all| all.iter().any(|one| one == own));
        let found = book.orders.values().rev().filter(|order| {
            book.seen(order.id, switches.get_lag_ms)
                && takes(&externalid, &order.externalid)
                && takes(&id, &order.id.to_string())
                && takes(&name, &order.name)
                && takes(&status, &order.status.to_string())
        });
        self.rows(&body, found.map(|order| self.order(order, text)).collect())
    }

    fn order(&self, order: &Order, text: bool) -> Map<String, Value> {
        let lines: Vec<Value> = order
            .lines
            .iter()
            .map(|line| {
                json!({"name": line.name, "count": line.count, "price": line.price, "productid": line.product.map(|id| self.id(id, text)),
                    "comment": line.comment})
            })
            .collect();
        let mut row = Map::new();
        for (name, value) in [
            ("id", self.id(order.id, text)),
            ("externalid", json!(order.externalid)),
            ("name", json!(order.name)),
            ("workflowid", self.id(order.workflow, text)),
            ("statusid", self.id(order.status, text)),
            ("sourceid", order.source.map_or(Value::Null, |id| self.id(id, text))),
            ("date", json!(order.date)),
            ("clientid", order.contact.map_or(Value::Null, |id| self.id(id, text))),
            ("clientname", json!(order.client_name)),
            ("clientphone", json!(order.client_phone)),
            ("clientemail", json!(order.client_email)),
            ("clientaddress", json!(order.client_address)),
            ("content", json!(order.content)),
            ("comments", json!(order.comments)),
            ("description", json!(order.description)),
            ("deliverynote", json!(order.delivery_note)),
            ("customfields", json!(order.custom)),
            ("products", json!(lines)),
        ] {
            row.insert(name.to_owned(), value);
        }
        row.extend(order.custom.iter().map(|(key, value)| (format!("customorder_{key}"), value.clone())));
        row
    }

    pub(super) fn get_contacts(&self, asked: &Asked<'_>, switches: &Switches) -> Reply {
        let body: Value = serde_json::from_slice(asked.body).unwrap_or_default();
        let (phones, externalid, id) =
            (asked_for(&body, "phones").or_else(|| asked_for(&body, "phone")), asked_for(&body, "externalid"), asked_for(&body, "id"));
        let text = self.as_text(switches);
        let end = |phone: &str| tail(phone).chars().rev().take(7).collect::<String>();
        let book = locked(&self.inner.book);
        let found = book.contacts.values().filter(|contact| {
            let by_phone = phones.as_ref().is_none_or(|asked| {
                let exact = contact.phones.iter().any(|own| asked.contains(own));
                let wide = contact.id == 1 || contact.phones.iter().any(|own| asked.iter().any(|phone| end(phone) == end(own)));
                exact || (switches.wide_contact_filter && wide)
            });
            by_phone
                && externalid.as_ref().is_none_or(|all| all.contains(&contact.externalid))
                && id.as_ref().is_none_or(|all| all.contains(&contact.id.to_string()))
        });
        let rows = found.map(|contact| {
            let mut row = Map::new();
            for (name, value) in [
                ("id", self.id(contact.id, text)),
                ("name", json!(contact.name)),
                ("namelast", json!(contact.namelast)),
                ("namemiddle", json!(contact.namemiddle)),
                ("phones", json!(contact.phones)),
                ("phone", json!(contact.phones.first())),
                ("email", json!(contact.email)),
                ("externalid", json!(contact.externalid)),
            ] {
                row.insert(name.to_owned(), value);
            }
            row
        });
        self.rows(&body, rows.collect())
    }

    pub(super) fn get_products(&self, asked: &Asked<'_>, switches: &Switches) -> Reply {
        let body: Value = serde_json::from_slice(asked.body).unwrap_or_default();
        let (articul, externalid) = (asked_for(&body, "articul"), asked_for(&body, "externalid"));
        let text = self.as_text(switches);
        let book = locked(&self.inner.book);
        let found = book.products.values().filter(|product| {
            articul.as_ref().is_none_or(|all| all.contains(&product.articul))
                && externalid.as_ref().is_none_or(|all| all.contains(&product.externalid))
        });
        let rows = found.map(|product| {
            let mut row = Map::new();
            for (name, value) in [
                ("id", self.id(product.id, text)),
                ("name", json!(product.name)),
                ("articul", json!(product.articul)),
                ("externalid", json!(product.externalid)),
            ] {
                row.insert(name.to_owned(), value);
            }
            row
        });
        self.rows(&body, rows.collect())
    }

    pub(super) fn get_workflows(&self, switches: &Switches) -> Reply {
        let text = self.as_text(switches);
        let stages: Vec<Value> = STAGES.iter().map(|(id, name)| json!({"id": self.id(*id, text), "name": name})).collect();
        let rows = json!([{"id": self.id(WORKFLOW, text), "name": "Замовлення OK Living", "statuses": stages}]);
        Reply::json(200, &json!({"status": 1, "dataArray": rows}))
    }
}
