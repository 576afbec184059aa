//! The remote: five calls, each with a slash at the end (sheet 4, 5).

use std::{collections::BTreeMap, time::Instant};

use chrono::{NaiveDate, Utc};
use serde_json::{Value, json};

use super::{
    super::desk::{Asked, Reply, locked},
    BRANCHOFFICES, COURSES, Handle, IdsAs, OnDuplicate, Shape, Switches, Unknown,
    book::{Book, Call, Client, Ticket, Write, groups},
};

/// What is wrong with a body: field and sentence.
type Wrong = BTreeMap<&'static str, String>;

impl Handle {
    /// Everything that is not the control API: the remote itself.
    pub(super) fn remote(&self, asked: &Asked<'_>) -> Reply {
        let switches = self.switches();
        let Some(path) = asked.path.strip_prefix(&switches.base_path).and_then(|path| path.strip_prefix("/api/")) else {
            return Reply::html(404);
        };
        let Some(path) = path.strip_suffix('/') else {
            // A redirect turns a POST into a GET.
            let to = format!("{}/", asked.path);
            return if switches.slash { Reply::empty(301).with("location", &to) } else { Reply::html(404) };
        };
        if let Some(header) = &switches.auth_header
            && (asked.header)(header).as_deref() != Some(&switches.auth_value)
        {
            return Reply::json(401, &json!({"detail": "Учётные данные не были предоставлены."}));
        }
        if let Some(limited) = self.too_fast(&switches) {
            return limited;
        }
        let (what, origin) = path.split_once('/').map_or((path, None), |(what, origin)| (what, Some(origin)));
        match (asked.method, what, origin) {
            ("GET", "clients", Some(origin)) => self.lookup(&switches, |book| {
                book.clients.iter().find(|client| client.origin_id == origin).map(|client| (client.id, json!(client)))
            }),
            ("GET", "tickets", Some(origin)) => self.lookup(&switches, |book| {
                book.tickets.iter().find(|ticket| ticket.origin_id == origin).map(|ticket| (ticket.id, json!(ticket)))
            }),
            ("POST", "clients", None) => self.written(Call::CreateClient, None, asked, |book, body| create_client(book, body, &switches)),
            ("POST", "clients", Some(origin)) => {
                self.written(Call::ChangeClient, Some(origin), asked, |book, body| change_client(book, origin, body, &switches))
            }
            ("POST", "tickets", None) => self.written(Call::CreateTicket, None, asked, |book, body| create_ticket(book, body, &switches)),
            (_, "clients" | "tickets", _) => Reply::json(405, &json!({"detail": format!("Метод \"{}\" не разрешен.", asked.method)})),
            _ => Reply::html(404),
        }
    }

    fn too_fast(&self, switches: &Switches) -> Option<Reply> {
        let rate = usize::try_from(switches.rate?).unwrap_or(usize::MAX);
        let (now, mut recent) = (Instant::now(), locked(&self.inner.recent));
        while recent.front().is_some_and(|at| now.duration_since(*at) >= self.inner.second) {
            recent.pop_front();
        }
        if recent.len() < rate {
            recent.push_back(now);
            return None;
        }
        let reply = Reply::json(429, &json!({"detail": "Запрос был проигнорирован. Слишком много запросов."}));
        Some(Reply { limited: true, ..reply.with("retry-after", &1) })
    }

    fn lookup(&self, switches: &Switches, find: impl FnOnce(&Book) -> Option<(u64, Value)>) -> Reply {
        let book = locked(&self.inner.book);
        match find(&book).filter(|(id, _)| book.seen(*id, switches.lookup_lag_ms)) {
            Some((_, found)) => Reply::json(200, &wire(found, switches)),
            None => match switches.unknown {
                Unknown::NotFound => Reply::json(404, &json!({"detail": "Не найдено."})),
                Unknown::Null => Reply::json(200, &Value::Null),
                Unknown::EmptyObject => Reply::json(200, &json!({})),
                Unknown::EmptyList => Reply::json(200, &json!([])),
            },
        }
    }

    fn written(&self, call: Call, origin: Option<&str>, asked: &Asked<'_>, write: impl FnOnce(&mut Book, &Value) -> Reply) -> Reply {
        let Ok(body @ Value::Object(_)) = serde_json::from_slice::<Value>(asked.body) else {
            return Reply::json(400, &json!({"detail": "JSON parse error"}));
        };
        let mut book = locked(&self.inner.book);
        let reply = write(&mut book, &body);
        let origin_id = origin.map_or_else(|| word(&body, "origin_id").unwrap_or_default(), str::to_owned);
        book.writes.push(Write { at: Utc::now(), call, origin_id, body, status: reply.status });
        reply
    }
}

/// A found or made thing on the wire.
fn wire(mut thing: Value, switches: &Switches) -> Value {
    if let Value::Object(fields) = &mut thing {
        // What a person sees on the simulator's page is no part of the API.
        for name in ["changes", "client_id"] {
            fields.remove(name);
        }
        if switches.ids_as_text
            && let Some(id) = fields.get_mut("id")
        {
            *id = json!(id.to_string());
        }
    }
    thing
}

fn made(thing: Value, switches: &Switches) -> Reply {
    if switches.empty_create { Reply::empty(201) } else { Reply::json(200, &wire(thing, switches)) }
}

fn refused(status: u16, wrong: &Wrong, switches: &Switches) -> Reply {
    let sentence = wrong.iter().map(|(field, text)| format!("{field}: {text}")).collect::<Vec<_>>().join(" ");
    match switches.error_shape {
        Shape::Fields => Reply::json(status, &wrong.iter().map(|(field, text)| (*field, vec![text.clone()])).collect::<BTreeMap<_, _>>()),
        Shape::Detail => Reply::json(status, &json!({ "detail": sentence })),
        Shape::Message => Reply::json(status, &json!({ "message": sentence })),
        Shape::Errors => {
            let errors: Vec<Value> = wrong.iter().map(|(field, text)| json!({"field": field, "message": text})).collect();
            Reply::json(status, &json!({ "errors": errors }))
        }
        Shape::Text => Reply { body: (sentence.into_bytes(), "text/plain; charset=utf-8"), ..Reply::empty(status) },
        Shape::Html => {
            Reply { body: (format!("<html><body><p>{sentence}</p></body></html>").into_bytes(), "text/html"), ..Reply::empty(status) }
        }
    }
}

fn word(body: &Value, name: &str) -> Option<String> {
    body.get(name).and_then(Value::as_str).map(str::to_owned).filter(|text| !text.is_empty())
}

fn needed(body: &Value, name: &'static str, wrong: &mut Wrong) -> String {
    word(body, name).unwrap_or_else(|| {
        wrong.insert(name, "Это поле не может быть пустым.".to_owned());
        String::new()
    })
}

fn day(text: &str, name: &'static str, wrong: &mut Wrong) {
    if !text.is_empty() && (text.len() != 10 || NaiveDate::parse_from_str(text, "%Y-%m-%d").is_err()) {
        wrong.insert(name, "Неправильный формат date. Используйте один из этих форматов: YYYY-MM-DD.".to_owned());
    }
}

/// Ids of what was named, or which of it nobody knows.
fn resolved(body: &Value, name: &'static str, table: &[(&str, &str)], switches: &Switches, wrong: &mut Wrong) -> Vec<String> {
    let given: Vec<&str> =
        body.get(name).and_then(Value::as_array).map(|list| list.iter().filter_map(Value::as_str).collect()).unwrap_or_default();
    if given.is_empty() {
        wrong.insert(name, "Это поле не может быть пустым.".to_owned());
    }
    let mut ids = Vec::new();
    for text in given {
        let found = table.iter().find(|(id, own)| match switches.ids_as {
            IdsAs::Id => *id == text,
            // Exact, signs and spaces included.
            IdsAs::Name => *own == text,
        });
        match found {
            Some((id, _)) => ids.push((*id).to_owned()),
            None => {
                wrong.insert(name, format!("Объект \"{text}\" не существует."));
            }
        }
    }
    ids
}

fn read_client(body: &Value, switches: &Switches) -> Result<Client, Wrong> {
    let mut wrong = Wrong::new();
    let client = Client {
        origin_id: needed(body, "origin_id", &mut wrong),
        last_name: needed(body, "last_name", &mut wrong),
        first_name: needed(body, "first_name", &mut wrong),
        phone: needed(body, "phone", &mut wrong),
        email: word(body, "email"),
        courses: resolved(body, "courses", COURSES, switches, &mut wrong),
        branchoffices: resolved(body, "branchoffices", BRANCHOFFICES, switches, &mut wrong),
        birthdate: word(body, "birthdate"),
        gender: needed(body, "gender", &mut wrong),
        additional_data: word(body, "additional_data"),
        ..Client::default()
    };
    let good = client.phone.len() == 11 && client.phone.starts_with('7') && client.phone.bytes().all(|byte| byte.is_ascii_digit());
    if !client.phone.is_empty() && !good {
        wrong.insert("phone", "Введите телефон в формате 79261234567.".to_owned());
    }
    if client.email.as_ref().is_some_and(|email| !email.contains('@')) {
        wrong.insert("email", "Введите правильный адрес электронной почты.".to_owned());
    }
    day(client.birthdate.as_deref().unwrap_or_default(), "birthdate", &mut wrong);
    if !matches!(client.gender.as_str(), "M" | "F" | "") {
        wrong.insert("gender", format!("Значения {} нет среди допустимых вариантов.", client.gender));
    }
    if wrong.is_empty() { Ok(client) } else { Err(wrong) }
}

fn create_client(book: &mut Book, body: &Value, switches: &Switches) -> Reply {
    let client = match read_client(body, switches) {
        Ok(client) => client,
        Err(wrong) => return refused(400, &wrong, switches),
    };
    if let Some(first) = book.clients.iter().find(|own| own.origin_id == client.origin_id) {
        match switches.on_duplicate {
            OnDuplicate::Second => {}
            OnDuplicate::Conflict => return refused(409, &Wrong::from([("origin_id", "Клиент уже существует.".to_owned())]), switches),
            OnDuplicate::First => return made(json!(first), switches),
        }
    }
    if book.active() >= switches.active_limit {
        let text = format!("Достигнуто ограничение: не более {} активных посетителей.", switches.active_limit);
        return refused(400, &Wrong::from([("non_field_errors", text)]), switches);
    }
    book.add_client(client);
    made(json!(book.clients.last()), switches)
}

fn change_client(book: &mut Book, origin: &str, body: &Value, switches: &Switches) -> Reply {
    let Some(client) = book.clients.iter_mut().find(|client| client.origin_id == origin) else {
        return Reply::json(404, &json!({"detail": "Не найдено."}));
    };
    match read_client(body, switches) {
        Err(wrong) => refused(400, &wrong, switches),
        Ok(new) if new.origin_id != origin => {
            refused(400, &Wrong::from([("origin_id", "Внешний идентификатор не совпадает с адресом.".to_owned())]), switches)
        }
        Ok(new) => {
            // Fewer courses drop groups.
            let groups = groups(&new.courses, &new.branchoffices);
            *client = Client { id: client.id, archived: client.archived, changes: client.changes + 1, groups, ..new };
            Reply::json(200, &wire(json!(client), switches))
        }
    }
}

fn create_ticket(book: &mut Book, body: &Value, switches: &Switches) -> Reply {
    let mut wrong = Wrong::new();
    let mut ticket = Ticket {
        origin_id: needed(body, "origin_id", &mut wrong),
        client_origin_id: needed(body, "client_origin_id", &mut wrong),
        ticket_type: needed(body, "ticket_type", &mut wrong),
        price_initial: needed(body, "price_initial", &mut wrong),
        discount: needed(body, "discount", &mut wrong),
        price_final: needed(body, "price_final", &mut wrong),
        selling_date: needed(body, "selling_date", &mut wrong),
        selling_branchoffice: needed(body, "selling_branchoffice", &mut wrong),
        employee: needed(body, "employee", &mut wrong),
        payment_method: needed(body, "payment_method", &mut wrong),
        ..Ticket::default()
    };
    for (name, price) in [("price_initial", &ticket.price_initial), ("discount", &ticket.discount), ("price_final", &ticket.price_final)] {
        let whole = price.split_once('.').is_some_and(|(whole, cents)| {
            cents.len() == 2 && !whole.is_empty() && whole.bytes().chain(cents.bytes()).all(|byte| byte.is_ascii_digit())
        });
        if !whole && !price.is_empty() {
            wrong.insert(name, "Требуется число с двумя знаками после точки.".to_owned());
        }
    }
    day(&ticket.selling_date, "selling_date", &mut wrong);
    if !ticket.ticket_type.is_empty() && !book.ticket_types.contains(&ticket.ticket_type) {
        wrong.insert("ticket_type", format!("Тип абонемента \"{}\" не существует.", ticket.ticket_type));
    }
    if !matches!(ticket.payment_method.as_str(), "CASH" | "ONLINE" | "") {
        wrong.insert("payment_method", format!("Значения {} нет среди допустимых вариантов.", ticket.payment_method));
    }
    // The proposal sends the office of the sale by id even where clients are sent by names.
    let office = BRANCHOFFICES
        .iter()
        .find(|(id, name)| *id == ticket.selling_branchoffice || (switches.ids_as == IdsAs::Name && *name == ticket.selling_branchoffice));
    match office {
        Some((id, _)) => ticket.selling_branchoffice = (*id).to_owned(),
        None if ticket.selling_branchoffice.is_empty() => {}
        None => {
            wrong.insert("selling_branchoffice", format!("Филиал \"{}\" не существует.", ticket.selling_branchoffice));
        }
    }
    match book.clients.iter().find(|client| client.origin_id == ticket.client_origin_id) {
        Some(client) => ticket.client_id = client.id,
        None if ticket.client_origin_id.is_empty() => {}
        None => {
            wrong.insert("client_origin_id", format!("Клиент \"{}\" не существует.", ticket.client_origin_id));
        }
    }
    if !wrong.is_empty() {
        return refused(400, &wrong, switches);
    }
    if let Some(first) = book.tickets.iter().find(|own| own.origin_id == ticket.origin_id) {
        match switches.on_duplicate {
            OnDuplicate::Second => {}
            OnDuplicate::Conflict => return refused(409, &Wrong::from([("origin_id", "Абонемент уже существует.".to_owned())]), switches),
            OnDuplicate::First => return made(json!(first), switches),
        }
    }
    book.add_ticket(ticket);
    made(json!(book.tickets.last()), switches)
}
