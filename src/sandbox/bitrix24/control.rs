//! The control API over HTTP: what [`Handle`] can do, for tests outside this process and for people.

use std::sync::Mutex;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    super::{
        control::{Answer, ok, read},
        desk::{Asked, Desk, Reply},
        simulator::{Call, Simulator, done, done_if, nothing, wrong},
    },
    Entity, Handle, Kind, Multi, Switches, User,
    params::members,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Random {
    kind: Kind,
    count: usize,
    #[serde(default)]
    seed: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Freeze {
    at: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refuse {
    kind: Kind,
    id: u64,
    times: u32,
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lost {
    kind: Kind,
    code: String,
    /// A value of the list; without it the whole field goes.
    item: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reset {
    contacts: usize,
    deals: usize,
    #[serde(default = "first")]
    seed: u64,
}

const fn first() -> u64 {
    1
}

fn kind(head: &str) -> Option<Kind> {
    match head {
        "contacts" => Some(Kind::Contact),
        "deals" => Some(Kind::Deal),
        _ => None,
    }
}

/// What a person types: fields by their codes, phones and e-mails as plain lists.
fn edited(entity: &mut Entity, change: &Map<String, Value>) {
    for (code, value) in change {
        let typed = || members(value).into_iter().filter_map(Value::as_str).map(str::to_owned);
        let list = |id: u64| {
            typed()
                .enumerate()
                .map(|(place, value)| Multi { id: id * 10 + place as u64 + 1, value, value_type: "WORK".to_owned() })
                .collect()
        };
        match code.as_str() {
            "PHONE" => entity.phones = list(entity.id),
            "EMAIL" => entity.emails = list(entity.id + 1_000_000),
            _ => entity.set(code, value.clone()),
        }
    }
}

impl Simulator for Handle {
    const ROOT: &'static str = "/_sandbox/bitrix24";
    const ROUTES: &'static [(&'static str, &'static str)] = &[
        ("GET    contacts, deals", "the truth"),
        ("GET    contacts/{id}", "one of it; deals/{id} likewise"),
        ("POST   contacts", "add one: {\"fields\":{\"NAME\":\"Мария\"},\"phones\":[{\"value\":\"+79990000001\"}]}; deals likewise"),
        ("PATCH  contacts/{id}", "a person edits one: {\"NAME\":\"Анна\",\"PHONE\":[\"+79990000001\"]}; deals likewise"),
        ("DELETE contacts/{id}", "delete one without a trace; deals likewise"),
        ("GET    users", "the employees"),
        ("POST   users", "{\"id\":15,\"name\":\"Ирина\",\"last_name\":\"Новая\",\"active\":true}"),
        ("DELETE users/{id}", "it resolves to nobody"),
        ("POST   lose", "somebody deletes a field or a value of it: {\"kind\":\"contact\",\"code\":\"UF_CRM_1470852549\",\"item\":48}"),
        ("POST   random-edits", "{\"kind\":\"contact\",\"count\":10,\"seed\":7}"),
        ("POST   veto", "refuse updates: {\"kind\":\"deal\",\"id\":96002,\"times\":1,\"text\":\"Access denied\"}"),
        ("POST   freeze", "stop the clock: {\"at\":\"2026-05-14T07:00:00Z\"}; null lets it run"),
        ("GET    writes", "every update that arrived"),
        ("DELETE writes", "forget them"),
        ("POST   reset", "a new portal: {\"contacts\":60,\"deals\":60,\"seed\":1}"),
    ];
    type Switches = Switches;

    fn desk(&self) -> &Desk {
        self.desk()
    }

    fn switchboard(&self) -> &Mutex<Switches> {
        &self.inner.switches
    }

    fn latency_ms(&self) -> u64 {
        self.switches().latency_ms
    }

    fn answer(&self, asked: &Asked<'_>) -> Reply {
        self.remote(asked)
    }

    fn told(&self) -> Value {
        json!(self.state())
    }

    fn control(&self, call: &Call<'_>) -> Answer {
        if let Some(kind) = kind(call.head) {
            return self.entities(kind, call);
        }
        match (call.method, call.head) {
            ("GET", "users") => ok(&self.users()),
            ("POST", "users") => {
                self.put_user(read::<User>(call.body)?);
                done()
            }
            ("DELETE", "users") => done_if(self.remove_user(call.id()?)),
            ("POST", "lose") => {
                let Lost { kind, code, item } = read(call.body)?;
                done_if(item.map_or_else(|| self.drop_field(kind, &code), |item| self.drop_value(kind, &code, item)))
            }
            ("POST", "random-edits") => {
                let Random { kind, count, seed } = read(call.body)?;
                ok(&self.random_edits(kind, count, seed))
            }
            ("POST", "veto") => {
                let Refuse { kind, id, times, text } = read(call.body)?;
                self.veto(kind, id, times, &text);
                done()
            }
            ("POST", "freeze") => {
                self.freeze(read::<Freeze>(call.body)?.at);
                done()
            }
            ("GET", "writes") => ok(&self.writes()),
            ("DELETE", "writes") => {
                self.clear_writes();
                done()
            }
            ("POST", "reset") => {
                let Reset { contacts, deals, seed } = read(call.body)?;
                self.reset(contacts, deals, seed);
                ok(&self.state())
            }
            _ => Err(nothing()),
        }
    }
}

impl Handle {
    fn entities(&self, kind: Kind, call: &Call<'_>) -> Answer {
        match (call.method, call.tail) {
            ("GET", "") => ok(&self.all(kind)),
            ("GET", _) => ok(&self.get(kind, call.id()?).ok_or_else(nothing)?),
            ("POST", "") => ok(&json!({"id": self.add(kind, read::<Entity>(call.body)?)})),
            ("PATCH", _) => {
                let Value::Object(change) = read::<Value>(call.body)? else { return Err(wrong("an object of fields is expected")) };
                done_if(self.edit(kind, call.id()?, |entity| edited(entity, &change)))
            }
            ("DELETE", _) => done_if(self.delete(kind, call.id()?)),
            _ => Err(nothing()),
        }
    }
}
