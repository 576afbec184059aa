//! The portal's tables. A list may lag behind them, as a long transaction does.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use super::{
    entity::{Entity, Kind, User},
    fields::{self, Field},
    seed,
};

/// An update that arrived.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Write {
    /// By the portal's clock.
    pub at: DateTime<Utc>,
    /// Of what.
    pub kind: Kind,
    /// Its id.
    pub id: u64,
    /// The fields as sent.
    pub fields: BTreeMap<String, Value>,
    /// It was carried out.
    pub applied: bool,
    /// A field has another value than before.
    pub changed: bool,
    /// It came inside a batch.
    pub batch: bool,
}

/// Updates of an object that are to be refused.
#[derive(Clone, Debug)]
pub struct Veto {
    /// Of what.
    pub kind: Kind,
    /// Its id.
    pub id: u64,
    /// How many are left.
    pub times: u32,
    /// What is answered.
    pub text: String,
}

/// One entity, and what lists still show of it.
#[derive(Clone, Debug)]
struct Stored {
    entity: Entity,
    /// What lists show until `shown_from`; nothing = it is not in them.
    before: Option<Entity>,
    shown_from: Option<Instant>,
}

/// All of it.
#[derive(Debug)]
pub struct Portal {
    contacts: BTreeMap<u64, Stored>,
    deals: BTreeMap<u64, Stored>,
    contact_fields: Vec<Field>,
    deal_fields: Vec<Field>,
    /// Employees.
    pub users: BTreeMap<u64, User>,
    /// Refusals to come.
    pub vetoes: Vec<Veto>,
    /// Updates that arrived.
    pub writes: Vec<Write>,
    /// The last id of a phone or e-mail that an update added.
    multi: u64,
}

impl Portal {
    /// An invented portal.
    pub fn new(contacts: usize, deals: usize, seed: u64) -> Self {
        let stored = |all: BTreeMap<u64, Entity>| {
            all.into_iter().map(|(id, entity)| (id, Stored { entity, before: None, shown_from: None })).collect()
        };
        Self {
            contacts: stored(seed::contacts(contacts, seed)),
            deals: stored(seed::deals(deals, contacts, seed)),
            contact_fields: fields::of(Kind::Contact),
            deal_fields: fields::of(Kind::Deal),
            users: seed::users(),
            vetoes: Vec::new(),
            writes: Vec::new(),
            multi: 900_000,
        }
    }

    const fn table(&self, kind: Kind) -> &BTreeMap<u64, Stored> {
        match kind {
            Kind::Contact => &self.contacts,
            Kind::Deal => &self.deals,
        }
    }

    const fn table_mut(&mut self, kind: Kind) -> &mut BTreeMap<u64, Stored> {
        match kind {
            Kind::Contact => &mut self.contacts,
            Kind::Deal => &mut self.deals,
        }
    }

    /// The fields of a kind.
    pub fn fields(&self, kind: Kind) -> &[Field] {
        match kind {
            Kind::Contact => &self.contact_fields,
            Kind::Deal => &self.deal_fields,
        }
    }

    const fn fields_mut(&mut self, kind: Kind) -> &mut Vec<Field> {
        match kind {
            Kind::Contact => &mut self.contact_fields,
            Kind::Deal => &mut self.deal_fields,
        }
    }

    /// Everything as it stands.
    pub fn all(&self, kind: Kind) -> BTreeMap<u64, Entity> {
        self.table(kind).iter().map(|(id, stored)| (*id, stored.entity.clone())).collect()
    }

    /// All ids.
    pub fn ids(&self, kind: Kind) -> Vec<u64> {
        self.table(kind).keys().copied().collect()
    }

    /// One as it stands.
    pub fn get(&self, kind: Kind, id: u64) -> Option<&Entity> {
        self.table(kind).get(&id).map(|stored| &stored.entity)
    }

    /// What a list shows of those above an id, by id.
    pub fn listed(&self, kind: Kind, above: u64, now: Instant) -> impl Iterator<Item = &Entity> {
        self.table(kind).range(above.saturating_add(1)..).filter_map(move |(_, stored)| {
            let shown = match stored.shown_from {
                Some(from) if from > now => stored.before.as_ref(),
                _ => Some(&stored.entity),
            };
            shown.filter(|entity| !entity.hidden)
        })
    }

    /// Adds one, shown after `late`; its id.
    pub fn add(&mut self, kind: Kind, mut entity: Entity, late: Duration) -> u64 {
        let table = self.table_mut(kind);
        let id = if entity.id == 0 { table.last_key_value().map_or(2, |(id, _)| id + 2) } else { entity.id };
        entity.id = id;
        table.insert(id, Stored { entity, before: None, shown_from: (!late.is_zero()).then(|| Instant::now() + late) });
        id
    }

    /// Deletes one; whether it was there.
    pub fn delete(&mut self, kind: Kind, id: u64) -> bool {
        self.table_mut(kind).remove(&id).is_some()
    }

    /// Changes one, shown after `late`; whether it was there.
    pub fn edit(&mut self, kind: Kind, id: u64, late: Duration, change: impl FnOnce(&mut Entity)) -> bool {
        let Some(stored) = self.table_mut(kind).get_mut(&id) else { return false };
        let now = Instant::now();
        if !late.is_zero() {
            // A change that is not shown yet keeps what is shown before both.
            if stored.shown_from.is_none_or(|from| from <= now) {
                stored.before = Some(stored.entity.clone());
            }
            stored.shown_from = Some(now + late);
        }
        change(&mut stored.entity);
        true
    }

    /// A field goes, values and all; whether it was there.
    pub fn drop_field(&mut self, kind: Kind, code: &str) -> bool {
        let before = self.fields(kind).len();
        self.fields_mut(kind).retain(|field| field.code != code);
        for stored in self.table_mut(kind).values_mut() {
            stored.entity.fields.remove(code);
        }
        self.fields(kind).len() < before
    }

    /// A value of a list goes; whether it was there.
    pub fn drop_value(&mut self, kind: Kind, code: &str, item: u64) -> bool {
        let Some(field) = self.fields_mut(kind).iter_mut().find(|field| field.code == code) else { return false };
        let before = field.items.len();
        field.items.retain(|(id, _)| *id != item);
        field.items.len() < before
    }

    /// The refusal of the next update of this object, if one is due.
    pub fn vetoed(&mut self, kind: Kind, id: u64) -> Option<String> {
        let veto = self.vetoes.iter_mut().find(|veto| veto.kind == kind && veto.id == id && veto.times > 0)?;
        veto.times -= 1;
        Some(veto.text.clone())
    }

    /// The id of the next phone or e-mail.
    pub const fn next_multi(&mut self) -> u64 {
        self.multi += 1;
        self.multi
    }
}
