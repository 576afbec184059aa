//! The status back into Bitrix24: step 10 of the clients' algorithm, 13 of the tickets'; and what a change came to with it.
//!
//! Statuses of a batch go out together, after what they speak of. What cannot be told now (the portal is down) is told by the next run: the link
//! remembers what was sent and that its status was not told.

use std::collections::BTreeMap;

use super::{
    memory::{self, Memory, fingerprint},
    rules::CLIENT,
    sending::Sending,
    status,
    target::{Step, Writing},
};
use crate::{
    engine::model::{Applied, Change, FieldChange, Otherwise, Outcome, Reason},
    fault::{Code, Fault},
    systems::{
        bitrix24::{Entity, Told},
        otmechalka::Found,
    },
};

/// What became of each text.
pub type Texts = BTreeMap<(Entity, u64), Told>;

/// Tells the statuses of a batch. A portal that is down ends the run after what was done is recorded; only a lost lease is an error here.
pub async fn tell(writing: &mut Writing, steps: &[Option<Step>]) -> Result<Texts, Fault> {
    let mut all = Texts::new();
    for entity in [Entity::Contact, Entity::Deal] {
        let own = steps.iter().flatten().filter(|step| step.item.0 == entity);
        let texts: BTreeMap<u64, String> = own.filter_map(|step| Some((step.item.1, step.status.clone()?))).collect();
        if texts.is_empty() {
            continue;
        }
        let code = match entity {
            Entity::Contact => writing.settings.contact_fields.status.clone(),
            Entity::Deal => writing.settings.deal_fields.status.clone(),
        };
        let mut told = BTreeMap::new();
        let ended = writing.portal.tell(entity, &code, &texts, &mut told).await;
        all.extend(told.into_iter().map(|(id, told)| ((entity, id), told)));
        match ended {
            Ok(()) => {}
            Err(fault) if fault.code == Code::LeaseLost => return Err(fault),
            Err(fault) => {
                writing.ended.get_or_insert(Writing::ending(fault));
            }
        }
    }
    Ok(all)
}

/// What a change came to.
pub fn applied(change: &Change, step: Step, told: &Texts) -> Applied {
    let target = super::record::target(step.item.0, step.item.1);
    let planned = Memory::read(change.body.fields.iter().find(|field| field.field == memory::FIELD).map(|field| &field.new));
    let before = Memory::read(change.body.fields.iter().find(|field| field.field == memory::FIELD).and_then(|field| field.old.as_ref()));
    let (mut outcome, mut reason) = (step.outcome, step.reason);
    let mut stands_told = None;
    match (&step.status, told.get(&step.item)) {
        (Some(text), Some(Told::Written | Told::Stood)) => stands_told = Some(text.clone()),
        (Some(_), Some(Told::Refused(words))) => {
            (outcome, reason) = (Outcome::Failed, Reason::new("status_not_written").with("detail", words));
        }
        _ => {}
    }
    if step.stands && stands_told.is_some() && outcome == change.body.outcome && reason == change.body.reason && !has_client(change) {
        return Applied::Done { target, witness: step.witness };
    }
    let memory = Memory {
        sent: if step.stands { planned.sent.clone() } else { before.sent.clone() },
        told: stands_told.as_ref().map(fingerprint).or(before.told),
        // The ticket that was to be made is the one that waits.
        parked: if step.parked { planned.sent } else { None },
    };
    let fields = written(change, step.stands, stands_told, &memory);
    Applied::Otherwise(Box::new(Otherwise { target, witness: step.witness, outcome, reason, fields }))
}

/// A creation that a dead run had begun, found in otmechalka. Its status is told by the run that decides next.
pub fn found_again(change: &Change, sending: &Sending<'_>, found: Found) -> Applied {
    let (target, (entity, id)) = (sending.target(), sending.item());
    let step = Step {
        item: (entity, id),
        witness: Some(found.id),
        outcome: Outcome::Created,
        reason: change.body.reason.clone(),
        stands: true,
        status: None,
        parked: false,
    };
    match applied(change, step, &Texts::new()) {
        Applied::Otherwise(other) => Applied::Otherwise(Box::new(Otherwise { target, ..*other })),
        other => other,
    }
}

fn has_client(change: &Change) -> bool {
    change.body.fields.iter().any(|field| field.field == CLIENT)
}

/// What was really written: the body if it stands, the status that was told, and what is remembered.
fn written(change: &Change, stands: bool, told: Option<String>, memory: &Memory) -> Vec<FieldChange> {
    let mut fields = Vec::new();
    for field in &change.body.fields {
        match field.field.as_str() {
            CLIENT => {}
            memory::FIELD => fields.push(memory.change(field.old.clone())),
            status::FIELD => {
                if let Some(text) = &told {
                    fields.push(FieldChange { new: text.clone().into(), ..field.clone() });
                }
            }
            _ if stands => fields.push(field.clone()),
            _ => {}
        }
    }
    fields
}
