//! Bitrix24, simulated: a portal with an inbound webhook that pages by fifty, drops what it does not know, and moves DATE_MODIFY with every write.
//!
//! Written from `facts/bitrix24.md` alone ("the sheet" in all comments; section 7 is its specification). It shares no code with our client, so it
//! cannot share the client's mistakes.
//!
//! [`routes`] is the remote's door, [`methods`] what can be called behind it, [`batch`] fifty calls in one; [`seed`] invents the people and sales.
//! [`Handle`] drives it in process, [`control`] over HTTP; faults are those of [`super::desk`].

pub mod batch;
pub mod control;
pub mod entity;
pub mod fields;
pub mod filter;
pub mod limits;
pub mod methods;
pub mod params;
pub mod portal;
pub mod routes;
pub mod seed;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use serde::{Deserialize, Serialize};

pub use self::{
    entity::{Entity, Kind, Multi, Row, User},
    portal::Write,
};
use self::{
    limits::{Bucket, Operating},
    portal::{Portal, Veto},
};
use super::{
    Options,
    billz2::chance::Chance,
    desk::{Desk, locked},
};

/// What can be set while it runs. Defaults are the harder of two unknowns, or what the sheet documents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switches {
    /// The webhook's owner, the technical user.
    pub user_id: u64,
    /// The webhook's secret.
    pub code: String,
    /// Calls that the bucket drains per second, multiplied by the time factor; `None` = no limit.
    pub rate: Option<f64>,
    /// Calls that it holds.
    pub bucket: u32,
    /// Seconds of run time that a method has within ten minutes (divided by the time factor); `None` = no limit.
    pub operating_limit_s: Option<f64>,
    /// Run time of a list.
    pub operating_list_s: f64,
    /// Run time of an update.
    pub operating_update_s: f64,
    /// Run time of anything else.
    pub operating_other_s: f64,
    /// The server's zone.
    pub offset_minutes: i32,
    /// How far its clock is ahead of ours, in seconds.
    pub clock_ahead_s: i64,
    /// A write that changes nothing moves DATE_MODIFY all the same.
    pub noop_bumps: bool,
    /// The technical user is blocked: 401 or 403 `INVALID_CREDENTIALS` for all calls.
    pub blocked: Option<u16>,
    /// Scopes of the webhook.
    pub scopes: Vec<String>,
    /// Lists show PHONE and EMAIL without being asked.
    pub phones_unasked: bool,
    /// The longest text of a user field; longer ones are refused. 0 = any.
    pub status_max_length: usize,
    /// A person edits so many rows after each page of a list, every second one a row that was just read.
    pub edits_between_pages: u32,
    /// Lists show a change only so many milliseconds after its DATE_MODIFY, as when a long transaction ends.
    pub late_ms: u64,
    /// Added to every answer, in milliseconds.
    pub latency_ms: u64,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            user_id: 1,
            code: "demo-webhook-code".to_owned(),
            rate: Some(2.0),
            bucket: 50,
            operating_limit_s: Some(480.0),
            operating_list_s: 0.15,
            operating_update_s: 0.05,
            operating_other_s: 0.02,
            offset_minutes: 180,
            clock_ahead_s: 0,
            noop_bumps: true,
            blocked: None,
            scopes: vec!["crm".to_owned(), "user".to_owned()],
            phones_unasked: false,
            status_max_length: 0,
            edits_between_pages: 0,
            late_ms: 0,
            latency_ms: 0,
        }
    }
}

/// The simulator in process: the same verbs as the control API. Clones drive the same simulator.
#[derive(Clone)]
pub struct Handle {
    inner: Arc<Inner>,
}

struct Inner {
    portal: Mutex<Portal>,
    switches: Mutex<Switches>,
    bucket: Mutex<Bucket>,
    operating: Mutex<Operating>,
    clock: Mutex<Option<DateTime<Utc>>>,
    chance: Mutex<Chance>,
    commands: Mutex<u64>,
    factor: f64,
    desk: Desk,
}

/// What `GET state` tells.
#[derive(Clone, Debug, Serialize)]
pub struct State {
    /// How many contacts there are.
    pub contacts: usize,
    /// How many deals.
    pub deals: usize,
    /// HTTP requests so far.
    pub calls: u64,
    /// Methods called, those inside batches included, the batches themselves not.
    pub commands: u64,
    /// The most requests within one second (divided by the time factor), refused ones included.
    pub busiest_second: usize,
    /// The fullest that the bucket has been.
    pub fullest_bucket: f64,
    /// Calls refused by the bucket.
    pub refused_rate: u64,
    /// Calls refused for run time.
    pub refused_operating: u64,
    /// All switches.
    pub switches: Switches,
}

impl Handle {
    /// A simulator that nobody serves yet.
    pub fn new(options: &Options) -> Self {
        let factor = options.time_factor.max(f64::MIN_POSITIVE);
        Self {
            inner: Arc::new(Inner {
                portal: Mutex::new(Portal::new(options.contacts, options.deals, options.seed)),
                switches: Mutex::new(options.bitrix24.clone()),
                bucket: Mutex::default(),
                operating: Mutex::default(),
                clock: Mutex::default(),
                chance: Mutex::new(Chance::new(options.seed, 0x6232_3465)),
                commands: Mutex::default(),
                factor,
                desk: Desk::new("bitrix24", Duration::from_secs_f64(1.0 / factor)),
            }),
        }
    }

    /// Journal and faults.
    pub fn desk(&self) -> &Desk {
        &self.inner.desk
    }

    /// The portal's clock, in whole seconds.
    pub fn now(&self) -> DateTime<Utc> {
        let frozen = *locked(&self.inner.clock);
        let now = frozen.unwrap_or_else(|| Utc::now() + TimeDelta::seconds(self.switches().clock_ahead_s));
        now.with_nanosecond(0).unwrap_or(now)
    }

    /// Stops the portal's clock at a moment; `None` lets it run again.
    pub fn freeze(&self, at: Option<DateTime<Utc>>) {
        *locked(&self.inner.clock) = at;
    }

    /// The path of the webhook, secret included, with a slash at the end.
    pub fn webhook_path(&self) -> String {
        let switches = self.switches();
        format!("/rest/{}/{}/", switches.user_id, switches.code)
    }

    /// A new portal.
    pub fn reset(&self, contacts: usize, deals: usize, seed: u64) {
        *locked(&self.inner.portal) = Portal::new(contacts, deals, seed);
    }

    /// Counts and switches.
    pub fn state(&self) -> State {
        let requests = self.inner.desk.requests();
        let (portal, bucket) = (locked(&self.inner.portal), locked(&self.inner.bucket));
        State {
            contacts: portal.all(Kind::Contact).len(),
            deals: portal.all(Kind::Deal).len(),
            calls: requests.total,
            commands: *locked(&self.inner.commands),
            busiest_second: requests.max_in_window,
            fullest_bucket: bucket.fullest,
            refused_rate: bucket.refused,
            refused_operating: locked(&self.inner.operating).refused,
            switches: self.switches(),
        }
    }

    /// The switches as they stand.
    pub fn switches(&self) -> Switches {
        locked(&self.inner.switches).clone()
    }

    /// Changes switches in place.
    pub fn set_switches(&self, change: impl FnOnce(&mut Switches)) {
        change(&mut locked(&self.inner.switches));
    }

    /// All contacts as they stand, by id.
    pub fn contacts(&self) -> BTreeMap<u64, Entity> {
        self.all(Kind::Contact)
    }

    /// All deals as they stand, by id.
    pub fn deals(&self) -> BTreeMap<u64, Entity> {
        self.all(Kind::Deal)
    }

    /// All of a kind as they stand, by id.
    pub fn all(&self, kind: Kind) -> BTreeMap<u64, Entity> {
        locked(&self.inner.portal).all(kind)
    }

    /// One contact or deal as it stands.
    pub fn get(&self, kind: Kind, id: u64) -> Option<Entity> {
        locked(&self.inner.portal).get(kind, id).cloned()
    }

    /// Adds one; id 0 = the next. Without a date of creation it is created now, by a person. Its id.
    pub fn add(&self, kind: Kind, mut entity: Entity) -> u64 {
        let now = self.now();
        if entity.created == DateTime::UNIX_EPOCH {
            entity.created = now;
        }
        if entity.modified == DateTime::UNIX_EPOCH {
            entity.modified = entity.created;
        }
        if entity.modified_by == 0 {
            entity.modified_by = seed::PERSON;
        }
        locked(&self.inner.portal).add(kind, entity, self.late())
    }

    /// Deletes one without a trace (sheet 4.3); whether it was there.
    pub fn delete(&self, kind: Kind, id: u64) -> bool {
        locked(&self.inner.portal).delete(kind, id)
    }

    /// A person edits one now; whether it was there.
    pub fn edit(&self, kind: Kind, id: u64, change: impl FnOnce(&mut Entity)) -> bool {
        self.edit_at(kind, id, self.now(), change)
    }

    /// A person edits one, with this DATE_MODIFY; whether it was there.
    pub fn edit_at(&self, kind: Kind, id: u64, at: DateTime<Utc>, change: impl FnOnce(&mut Entity)) -> bool {
        let late = self.late();
        locked(&self.inner.portal).edit(kind, id, late, |entity| {
            change(entity);
            entity.modified = at.with_nanosecond(0).unwrap_or(at);
            entity.modified_by = seed::PERSON;
        })
    }

    /// A mass edit by a person: all get the same DATE_MODIFY. How many were there.
    pub fn edit_many(&self, kind: Kind, ids: &[u64], mut change: impl FnMut(&mut Entity)) -> usize {
        let now = self.now();
        ids.iter().filter(|id| self.edit_at(kind, **id, now, &mut change)).count()
    }

    /// A person edits so many by chance, each in a field that is synchronised, good before and after; their ids, doubles possible.
    pub fn random_edits(&self, kind: Kind, count: usize, seed: u64) -> Vec<u64> {
        let mut chance = Chance::new(seed, 0x6564_6974);
        let ids: Vec<u64> = locked(&self.inner.portal).ids(kind);
        (0..count)
            .filter_map(|_| {
                let id = *chance.pick(&ids)?;
                self.edit(kind, id, |entity| by_chance(kind, entity, &mut chance));
                Some(id)
            })
            .collect()
    }

    /// All employees, by id.
    pub fn users(&self) -> BTreeMap<u64, User> {
        locked(&self.inner.portal).users.clone()
    }

    /// Adds an employee or replaces one.
    pub fn put_user(&self, user: User) {
        locked(&self.inner.portal).users.insert(user.id, user);
    }

    /// Makes an employee resolve to nobody; whether it was there.
    pub fn remove_user(&self, id: u64) -> bool {
        locked(&self.inner.portal).users.remove(&id).is_some()
    }

    /// Somebody deletes a field, values and all; whether it was there.
    pub fn drop_field(&self, kind: Kind, code: &str) -> bool {
        locked(&self.inner.portal).drop_field(kind, code)
    }

    /// Somebody deletes a value of a list; whether it was there.
    pub fn drop_value(&self, kind: Kind, code: &str, item: u64) -> bool {
        locked(&self.inner.portal).drop_value(kind, code, item)
    }

    /// The next `times` updates of this object are refused: 400, no code, this text.
    pub fn veto(&self, kind: Kind, id: u64, times: u32, text: &str) {
        locked(&self.inner.portal).vetoes.push(Veto { kind, id, times, text: text.to_owned() });
    }

    /// Every update that arrived, refused ones included, oldest first.
    pub fn writes(&self) -> Vec<Write> {
        locked(&self.inner.portal).writes.clone()
    }

    /// Forgets the updates.
    pub fn clear_writes(&self) {
        locked(&self.inner.portal).writes.clear();
    }

    fn late(&self) -> Duration {
        Duration::from_millis(self.switches().late_ms)
    }
}

/// A change of business data that leaves a good object good.
fn by_chance(kind: Kind, entity: &mut Entity, chance: &mut Chance) {
    match kind {
        Kind::Contact => {
            let name = seed::other_pupil(chance, &entity.text(fields::PUPIL_FIRST_NAME));
            entity.set(fields::PUPIL_FIRST_NAME, name);
        }
        Kind::Deal => {
            let other = if entity.text(fields::PAYMENT) == "452" { "454" } else { "452" };
            entity.set(fields::PAYMENT, other);
        }
    }
}
