//! What is to be done with one contact or deal: the document's algorithms, as pure functions of what was read, what the link remembers and
//! the settings.
//!
//! | it comes to | sent | status |
//! |---|---|---|
//! | nothing wrong, and not as it was last sent | client or ticket | "Успешно" |
//! | nothing of it is supported | nothing | "Успешно" |
//! | its data are wrong | nothing | the error's text |
//! | no subscription; created before `sync_start_date` | nothing | none |
//! | a ticket that stands, and its deal has changed since | nothing: there is no call for it | "Успешно" |
//!
//! A status is told only when it is another one than was told last.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use super::{
    client,
    doubles::PUPIL,
    memory::{self, Memory, fingerprint},
    record::{self, Contact, Deal},
    settings::{OldContacts, Settings},
    status, ticket,
    verdict::Verdict,
};
use crate::{
    domain::clock,
    engine::{
        flow::{Decision, Item, LinkDecision, Lookup, Rules},
        model::{Candidate, FieldChange, Link, LinkState, Op, Outcome, Reason},
    },
    fault::{Code, Fault, FaultView},
    systems::{
        bitrix24::Entity,
        otmechalka::{Client, Ticket},
    },
};

/// The field that tells of a ticket's client, should there be none in otmechalka.
pub const CLIENT: &str = "client_if_missing";
/// A ticket that waits for its client is offered again after so long: somebody may have made the client by hand.
const OFFERED_AGAIN: std::time::Duration = std::time::Duration::from_secs(6 * 3_600);
/// Nothing that is sent is called back: Bitrix24 is where it is put right.
const NEVER: &str = "never:it follows Bitrix24; put it right there";

/// The client of a ticket, as far as its contact tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientOf {
    /// It can be made.
    Known(Client),
    /// Its contact is older than what is synchronised.
    TooOld {
        /// First day that counts.
        since: String,
    },
    /// Its contact's data are wrong, or nothing of it is supported.
    Unusable(Reason),
    /// There is no such contact, or the webhook's user cannot see it.
    NoContact,
}

/// The rules of one run.
pub struct Bitrix24Otmechalka {
    /// Settings of the connection.
    pub settings: Settings,
    /// The first moment that counts.
    pub start: DateTime<Utc>,
    /// Most letters of a contact's status.
    pub contact_status: usize,
    /// Most letters of a deal's status.
    pub deal_status: usize,
    /// When the run decides.
    pub now: DateTime<Utc>,
}

/// An item with what is remembered of it.
struct Known<'a> {
    entity: Entity,
    id: u64,
    link: Option<&'a Link>,
    memory: Memory,
}

impl Known<'_> {
    fn target(&self) -> String {
        record::target(self.entity, self.id)
    }

    fn old(&self, field: &str) -> Option<Value> {
        self.link.and_then(|link| link.written.get(field)).cloned()
    }
}

impl Rules for Bitrix24Otmechalka {
    /// Identity is the outside id, so nothing has to be looked for; what is told here is only by what doubles are recognised.
    fn lookup(&self, key: &str, payload: &str) -> Option<Lookup> {
        let (Entity::Contact, _) = record::of_key(key)? else { return None };
        let contact: Contact = serde_json::from_str(payload).ok()?;
        let pupil = client::pupil(&contact.last_name, &contact.first_name, &contact.phone)?;
        Some(Lookup { source: key.to_owned(), keys: vec![(PUPIL.to_owned(), pupil)] })
    }

    fn decide(&self, item: &Item<'_>) -> Decision {
        let link = item.link.filter(|link| link.state == LinkState::Linked);
        let Some((entity, id)) = record::of_key(item.key) else { return failed(unreadable("key", item.key)) };
        if let Some(gone) = &item.gone {
            // Told when it begins; what is gone for years is not named in every run.
            return if gone.found_now { nothing(Outcome::Skipped, Reason::new("b24_gone")) } else { unchanged() };
        }
        let known = Known { entity, id, link, memory: Memory::of(link) };
        let decided = match entity {
            Entity::Contact => serde_json::from_str(item.payload).map(|contact| self.contact(&known, &contact)),
            Entity::Deal => serde_json::from_str(item.payload).map(|deal| self.deal(&known, &deal)),
        };
        decided.unwrap_or_else(|error| failed(unreadable("record", &error.to_string())))
    }

    fn settings_of(&self, code: &str) -> Vec<(&'static str, Value)> {
        self.settings.behind(code)
    }
}

impl Bitrix24Otmechalka {
    /// Steps 4 to 10 of "Передача клиентов в отмечалку".
    fn contact(&self, known: &Known<'_>, contact: &Contact) -> Decision {
        if self.is_old(contact.created) {
            return nothing(Outcome::Skipped, self.before_start());
        }
        match client::of(contact, &self.settings) {
            Verdict::Ready(client) => {
                let print = fingerprint(&client);
                if known.memory.sent.as_ref() == Some(&print) {
                    return self.told(known, Outcome::Unchanged, Reason::new("unchanged"), &self.settings.mapping.success);
                }
                let reason = Reason::new(if known.memory.sent.is_some() { "changed" } else { "new_client" });
                self.sent(known, reason, fields(known, &client), print)
            }
            Verdict::Ignored(reason) => self.told(known, Outcome::Skipped, reason, &self.settings.mapping.success),
            Verdict::Wrong(reason) => self.wrong(known, reason),
        }
    }

    /// Steps 5 to 13 of "Передача сделок в отмечалку".
    fn deal(&self, known: &Known<'_>, deal: &Deal) -> Decision {
        if !ticket::is_subscription(&self.settings.deal_filter, deal) {
            return nothing(Outcome::Skipped, Reason::new("not_a_subscription"));
        }
        if self.is_old(deal.created) {
            return nothing(Outcome::Skipped, self.before_start());
        }
        let verdict = ticket::of(deal, &self.settings);
        if let Some(sent) = &known.memory.sent {
            // There is no call that changes a ticket: a recalculation is told, not sent.
            let same = matches!(&verdict, Verdict::Ready(ticket) if fingerprint(ticket) == *sent);
            let (outcome, code) = if same { (Outcome::Unchanged, "unchanged") } else { (Outcome::Skipped, "ticket_changed_not_sent") };
            return self.told(known, outcome, Reason::new(code), &self.settings.mapping.success);
        }
        match verdict {
            Verdict::Ready(ticket) => self.ticket(known, deal, &ticket),
            Verdict::Ignored(reason) => self.told(known, Outcome::Skipped, reason, &self.settings.mapping.success),
            Verdict::Wrong(reason) => self.wrong(known, reason),
        }
    }

    fn ticket(&self, known: &Known<'_>, deal: &Deal, ticket: &Ticket) -> Decision {
        let print = fingerprint(ticket);
        let client = self.client_of(deal);
        let waits = known.link.filter(|_| known.memory.parked.as_ref() == Some(&print));
        if let (ClientOf::TooOld { since }, Some(link)) = (&client, waits)
            && self.now - link.updated_at < clock::chrono_duration(clock::scaled(OFFERED_AGAIN))
        {
            return nothing(Outcome::Held, too_old(deal.contact_id, since));
        }
        let mut fields = fields(known, ticket);
        let client = serde_json::to_value(client).unwrap_or_default();
        fields.push(FieldChange { field: CLIENT.into(), old: None, new: client, rule: Reason::new(CLIENT) });
        self.sent(known, Reason::new("new_ticket"), fields, print)
    }

    /// What is known of a deal's client.
    fn client_of(&self, deal: &Deal) -> ClientOf {
        let Some(contact) = &deal.contact else { return ClientOf::NoContact };
        if self.is_old(contact.created) && self.settings.old_contacts == OldContacts::Park {
            return ClientOf::TooOld { since: self.settings.sync_start_date.clone() };
        }
        match client::of(contact, &self.settings) {
            Verdict::Ready(client) => ClientOf::Known(client),
            Verdict::Ignored(reason) | Verdict::Wrong(reason) => ClientOf::Unusable(reason),
        }
    }

    fn is_old(&self, created: Option<DateTime<Utc>>) -> bool {
        created.is_some_and(|created| created < self.start)
    }

    fn before_start(&self) -> Reason {
        Reason::new("before_start_date").with("date", &self.settings.sync_start_date)
    }

    fn longest(&self, entity: Entity) -> usize {
        match entity {
            Entity::Contact => self.contact_status,
            Entity::Deal => self.deal_status,
        }
    }

    fn wrong(&self, known: &Known<'_>, reason: Reason) -> Decision {
        let text = status::of(&reason, self.longest(known.entity));
        self.told(known, Outcome::Failed, reason, &text)
    }

    /// Nothing is sent; the status is told if it is another one.
    fn told(&self, known: &Known<'_>, outcome: Outcome, reason: Reason, text: &str) -> Decision {
        let text = status::cut(text, self.longest(known.entity));
        let print = fingerprint(&text);
        if known.memory.told.as_ref() == Some(&print) {
            return match outcome {
                Outcome::Failed => failed(reason),
                _ => nothing(outcome, reason),
            };
        }
        let memory = Memory { told: Some(print), parked: None, ..known.memory.clone() };
        let outcome = if outcome == Outcome::Unchanged { Outcome::Updated } else { outcome };
        let reason = if outcome == Outcome::Updated { Reason::new("status_told") } else { reason };
        Decision {
            fields: vec![told_field(known, text), memory.change(known.old(memory::FIELD))],
            op: Op::Update,
            undo: NEVER,
            fault: (outcome == Outcome::Failed).then(|| bad(&reason)),
            link: match known.link {
                Some(_) => LinkDecision::Keep,
                None => LinkDecision::Auto(Candidate {
                    target: known.target(),
                    name: String::new(),
                    matched: vec![format!("origin_id={}", known.id)],
                }),
            },
            ..nothing(outcome, reason)
        }
    }

    /// Something is sent, and "Успешно" told.
    fn sent(&self, known: &Known<'_>, reason: Reason, mut fields: Vec<FieldChange>, print: String) -> Decision {
        let text = status::cut(&self.settings.mapping.success, self.longest(known.entity));
        let memory = Memory { sent: Some(print), told: Some(fingerprint(&text)), parked: None };
        fields.push(told_field(known, text));
        fields.push(memory.change(known.old(memory::FIELD)));
        let outcome = if known.memory.sent.is_some() { Outcome::Updated } else { Outcome::Created };
        // A link may stand though nothing was sent yet: its item had an error.
        let (op, link) = if known.link.is_some() { (Op::Update, LinkDecision::Keep) } else { (Op::Create, LinkDecision::Created) };
        Decision { fields, op, undo: NEVER, link, ..nothing(outcome, reason) }
    }
}

fn told_field(known: &Known<'_>, text: String) -> FieldChange {
    FieldChange { field: status::FIELD.into(), old: known.old(status::FIELD), new: text.into(), rule: Reason::new("sync_status") }
}

/// Every field of a body, with what was sent last: a body is sent whole.
fn fields(known: &Known<'_>, body: &impl Serialize) -> Vec<FieldChange> {
    let Ok(Value::Object(body)) = serde_json::to_value(body) else { return Vec::new() };
    let mut fields: Vec<FieldChange> = body
        .into_iter()
        .map(|(name, new)| FieldChange { old: known.old(&name), field: name, new, rule: Reason::new("b24_mapped") })
        .collect();
    // What is no longer there is told as well.
    for name in ["email", "birthdate"] {
        let old = known.old(name).filter(|old| !old.is_null());
        if known.entity == Entity::Contact && old.is_some() && !fields.iter().any(|field| field.field == name) {
            fields.push(FieldChange { field: name.into(), old, new: Value::Null, rule: Reason::new("b24_mapped") });
        }
    }
    fields
}

/// Why a ticket waits.
pub fn too_old(contact: u64, since: &str) -> Reason {
    Reason::new("client_too_old").with("contact", contact).with("date", since)
}

fn unreadable(field: &str, value: &str) -> Reason {
    Reason::new("unreadable").with("field", field).with("value", value)
}

fn unchanged() -> Decision {
    nothing(Outcome::Unchanged, Reason::new("unchanged"))
}

/// Nothing is done, for a reason.
fn nothing(outcome: Outcome, reason: Reason) -> Decision {
    Decision { outcome, op: Op::None, reason, fields: Vec::new(), fault: None, link: LinkDecision::Keep, undo: "never:nothing was written" }
}

fn failed(reason: Reason) -> Decision {
    Decision { fault: Some(bad(&reason)), ..nothing(Outcome::Failed, reason) }
}

fn bad(reason: &Reason) -> FaultView {
    FaultView::from(&Fault::new(Code::BadItem, reason.code.clone()))
}
