//! One change into otmechalka: steps 5 to 8 of the clients' algorithm, 8 to 11 of the tickets'.
//!
//! Always looked up first. A creation whose answer was lost is looked up again; what is not found then is not made a second time in this run, but
//! goes to the retry list, since it may only not be found yet.

use std::time::Instant;

use serde_json::{Map, Value};

use super::{
    memory::{self, Memory},
    record,
    rules::{CLIENT, ClientOf, too_old},
    settings, status,
    target::{Step, Writing, learned},
};
use crate::{
    engine::model::{Change, Outcome, Reason},
    fault::Fault,
    systems::{
        bitrix24::Entity,
        otmechalka::{Client, Found, Sent, Ticket},
    },
};

/// A change as it is carried out.
pub struct Sending<'a> {
    change: &'a Change,
    entity: Entity,
    id: u64,
    /// Whether an earlier attempt may have got through.
    again: bool,
    /// Whether there is anything to be sent, and not only a status to be told.
    sends: bool,
}

/// Whether a ticket has its client.
enum Owner {
    /// It stood there.
    Stood,
    /// It was made just now.
    Made,
    /// There is none: what the ticket comes to.
    None(Box<Step>),
}

/// What a creation came to.
enum Made {
    Done(Option<String>),
    Refused(String),
    /// Its answer was lost, and it is not found.
    Lost,
}

impl<'a> Sending<'a> {
    /// Reads a change.
    pub fn of(change: &'a Change, again: bool) -> Result<Self, Fault> {
        let key = &change.body.source;
        let (entity, id) = record::of_key(key).ok_or_else(|| Fault::internal(format!("`{key}` is no key of this flow")))?;
        let sends = change.body.fields.iter().any(|field| field.field == "origin_id");
        Ok(Self { change, entity, id, again, sends })
    }

    /// What the item is in otmechalka.
    pub fn target(&self) -> String {
        record::target(self.entity, self.id)
    }

    /// Its entity and id.
    pub fn item(&self) -> (Entity, u64) {
        (self.entity, self.id)
    }

    fn field(&self, name: &str) -> Option<&'a Value> {
        self.change.body.fields.iter().find(|field| field.field == name).map(|field| &field.new)
    }

    fn body<T: serde::de::DeserializeOwned>(&self) -> Result<T, Fault> {
        let own = |name: &str| !matches!(name, status::FIELD | memory::FIELD | CLIENT);
        let fields = self.change.body.fields.iter().filter(|field| own(&field.field) && !field.new.is_null());
        let body: Map<String, Value> = fields.map(|field| (field.field.clone(), field.new.clone())).collect();
        serde_json::from_value(Value::Object(body)).map_err(|error| Fault::internal("a change cannot be read back").caused_by(error))
    }

    fn planned(&self) -> Memory {
        Memory::read(self.field(memory::FIELD))
    }

    fn step(&self, outcome: Outcome, reason: Reason, writing: &Writing) -> Step {
        let failed = matches!(outcome, Outcome::Failed | Outcome::Held);
        let text = if failed { status::of(&reason, writing.longest(self.entity)) } else { self.planned_status() };
        Step { item: self.item(), witness: None, outcome, reason, stands: !failed, status: Some(text), parked: false }
    }

    fn planned_status(&self) -> String {
        self.field(status::FIELD).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    fn done(&self, outcome: Outcome, witness: Option<String>, writing: &Writing) -> Step {
        Step { witness, ..self.step(outcome, self.change.body.reason.clone(), writing) }
    }

    fn refused(&self, words: &str, writing: &Writing) -> Step {
        self.step(Outcome::Failed, refusal(words, writing), writing)
    }

    /// Nothing is told: the next attempt finds out what became of it.
    fn lost(&self, writing: &Writing) -> Step {
        Step { status: None, ..self.step(Outcome::Failed, Reason::new("answer_lost"), writing) }
    }

    /// Carries the change out, but for its status. A fault = a system is down, or we are not let in.
    pub async fn carry_out(&self, writing: &Writing) -> Result<Step, Fault> {
        if !self.sends {
            let body = &self.change.body;
            let planned = self.planned();
            return Ok(Step {
                item: self.item(),
                witness: None,
                outcome: body.outcome,
                reason: body.reason.clone(),
                stands: planned.sent.is_some(),
                status: Some(self.planned_status()),
                parked: false,
            });
        }
        let lost_at = learned(&writing.shared).lost.get(&self.target()).copied();
        if let Some(at) = lost_at {
            // What a look-up does not show yet must not be made twice.
            writing.settle(at.elapsed()).await;
        }
        match self.entity {
            Entity::Contact => self.client(writing).await,
            Entity::Deal => self.ticket(writing).await,
        }
    }

    async fn client(&self, writing: &Writing) -> Result<Step, Fault> {
        let client: Client = self.body()?;
        match writing.otmechalka.find_client(&client.origin_id).await? {
            Some(found) => self.change_client(client, found, writing).await,
            None => Ok(match make_client(&client, writing).await? {
                Made::Done(id) => self.done(Outcome::Created, id, writing),
                Made::Refused(words) => self.refused(&words, writing),
                Made::Lost => self.lost(writing),
            }),
        }
    }

    async fn change_client(&self, mut client: Client, found: Found, writing: &Writing) -> Result<Step, Fault> {
        know(writing, &client.origin_id);
        if writing.settings.link_branch_by_ticket {
            keep_branchoffices(&mut client, &found, writing);
        }
        // Our own creation, if an earlier attempt came so far.
        let outcome = if self.again { self.change.body.outcome } else { Outcome::Updated };
        match writing.otmechalka.change_client(&client).await? {
            Sent::Done(id) => Ok(self.done(outcome, id.or(Some(found.id)), writing)),
            Sent::Refused(words) => Ok(self.refused(&words, writing)),
            Sent::Lost(fault) => Err(fault),
        }
    }

    async fn ticket(&self, writing: &Writing) -> Result<Step, Fault> {
        let ticket: Ticket = self.body()?;
        if let Some(found) = writing.otmechalka.find_ticket(&ticket.origin_id).await? {
            let (outcome, reason) = match self.again {
                true => (Outcome::Created, self.change.body.reason.clone()),
                false => (Outcome::Unchanged, Reason::new("ticket_found")),
            };
            return Ok(Step { witness: Some(found.id), ..self.step(outcome, reason, writing) });
        }
        let known = learned(&writing.shared).clients.contains(&ticket.client_origin_id);
        if !known && let Owner::None(step) = self.owner(&ticket, writing).await? {
            return Ok(*step);
        }
        let mut made = make_ticket(&ticket, writing).await?;
        if matches!(made, Made::Refused(_)) && known {
            // Perhaps the client is gone by now.
            match self.owner(&ticket, writing).await? {
                Owner::Stood => {}
                Owner::Made => made = make_ticket(&ticket, writing).await?,
                Owner::None(step) => return Ok(*step),
            }
        }
        match made {
            Made::Done(id) => {
                self.link_branchoffice(&ticket, writing).await?;
                Ok(self.done(Outcome::Created, id, writing))
            }
            Made::Refused(words) => Ok(self.refused(&words, writing)),
            Made::Lost => Ok(self.lost(writing)),
        }
    }

    /// The client of a ticket; it is made if it is not there.
    async fn owner(&self, ticket: &Ticket, writing: &Writing) -> Result<Owner, Fault> {
        let id = &ticket.client_origin_id;
        if writing.otmechalka.find_client(id).await?.is_some() {
            know(writing, id);
            return Ok(Owner::Stood);
        }
        learned(&writing.shared).clients.remove(id);
        let none = |step| Ok(Owner::None(Box::new(step)));
        let not_sent = |why: String| Reason::new("client_not_sent").with("contact", id).with("why", why);
        let text = |reason: &Reason| status::of(reason, status::LONGEST);
        let client: Option<ClientOf> = self.field(CLIENT).and_then(|client| serde_json::from_value(client.clone()).ok());
        let client = match client.unwrap_or(ClientOf::NoContact) {
            ClientOf::Known(client) => client,
            ClientOf::TooOld { since } => {
                let reason = too_old(id.parse().unwrap_or_default(), &since);
                return none(Step { parked: true, ..self.step(Outcome::Held, reason, writing) });
            }
            ClientOf::Unusable(why) => return none(self.step(Outcome::Failed, not_sent(text(&why)), writing)),
            ClientOf::NoContact => {
                let reason = Reason::new("deal_contact_not_found").with("contact", id);
                return none(self.step(Outcome::Failed, reason, writing));
            }
        };
        match make_client(&client, writing).await? {
            Made::Done(_) => Ok(Owner::Made),
            Made::Refused(words) => none(self.step(Outcome::Failed, not_sent(text(&refusal(&words, writing))), writing)),
            Made::Lost => none(self.lost(writing)),
        }
    }

    /// Links the client to the branch office that sold the ticket, where the settings ask for it.
    async fn link_branchoffice(&self, ticket: &Ticket, writing: &Writing) -> Result<(), Fault> {
        let client: Option<ClientOf> = self.field(CLIENT).and_then(|client| serde_json::from_value(client.clone()).ok());
        let (true, Some(ClientOf::Known(mut client))) = (writing.settings.link_branch_by_ticket, client) else { return Ok(()) };
        let Some(found) = writing.otmechalka.find_client(&client.origin_id).await? else { return Ok(()) };
        keep_branchoffices(&mut client, &found, writing);
        if client.branchoffices.contains(&ticket.selling_branchoffice) {
            return Ok(());
        }
        client.branchoffices.push(ticket.selling_branchoffice.clone());
        match writing.otmechalka.change_client(&client).await? {
            Sent::Done(_) => {}
            // The ticket stands all the same.
            Sent::Refused(words) => {
                tracing::warn!(item.key = %self.change.body.source, remote.words = %words, "a client could not be linked to the branch office of a ticket")
            }
            Sent::Lost(fault) => return Err(fault),
        }
        Ok(())
    }
}

impl Writing {
    /// Most letters of a status.
    pub fn longest(&self, entity: Entity) -> usize {
        learned(&self.shared).lengths.get(&entity).copied().unwrap_or(status::LONGEST)
    }
}

fn know(writing: &Writing, origin_id: &str) {
    learned(&writing.shared).clients.insert(origin_id.to_owned());
}

/// Branch offices of ours that a ticket has linked a client to stay.
fn keep_branchoffices(client: &mut Client, found: &Found, writing: &Writing) {
    let otmechalka = &writing.settings.otmechalka;
    let ours: Vec<&String> = match otmechalka.ids_as {
        settings::IdsAs::Id => otmechalka.branchoffices.values().collect(),
        settings::IdsAs::Name => otmechalka.branchoffices.keys().collect(),
    };
    for office in found.list("branchoffices").unwrap_or_default() {
        if ours.contains(&&office) && !client.branchoffices.contains(&office) {
            client.branchoffices.push(office);
        }
    }
}

/// A refusal that speaks of the most active clients is an error of its own: no edit of a contact mends it.
fn refusal(words: &str, writing: &Writing) -> Reason {
    let plain = words.to_lowercase();
    let limit = writing.settings.otmechalka.limit_words.iter().any(|word| !word.is_empty() && plain.contains(&word.to_lowercase()));
    Reason::new(if limit { "otmechalka_limit" } else { "otmechalka_refused" }).with("detail", words)
}

async fn make_client(client: &Client, writing: &Writing) -> Result<Made, Fault> {
    let sent = writing.otmechalka.create_client(client).await?;
    let target = record::target(Entity::Contact, client.origin_id.parse().unwrap_or_default());
    let made = settle(sent, target, writing, || writing.otmechalka.find_client(&client.origin_id)).await?;
    if matches!(made, Made::Done(_)) {
        know(writing, &client.origin_id);
    }
    Ok(made)
}

async fn make_ticket(ticket: &Ticket, writing: &Writing) -> Result<Made, Fault> {
    let sent = writing.otmechalka.create_ticket(ticket).await?;
    let target = record::target(Entity::Deal, ticket.origin_id.parse().unwrap_or_default());
    settle(sent, target, writing, || writing.otmechalka.find_ticket(&ticket.origin_id)).await
}

/// Finds out what a creation came to. If nothing answers now, the fault of the look-up ends the run.
async fn settle<F: Future<Output = Result<Option<Found>, Fault>>>(
    sent: Sent,
    target: String,
    writing: &Writing,
    look_up: impl Fn() -> F,
) -> Result<Made, Fault> {
    let fault = match sent {
        Sent::Done(id) => {
            learned(&writing.shared).lost.remove(&target);
            return Ok(Made::Done(id));
        }
        Sent::Refused(words) => return Ok(Made::Refused(words)),
        Sent::Lost(fault) => fault,
    };
    tracing::info!(item.target = %target, error = %fault, "the answer to a creation was lost; it is looked up");
    learned(&writing.shared).lost.insert(target.clone(), Instant::now());
    match look_up().await? {
        Some(found) => {
            learned(&writing.shared).lost.remove(&target);
            Ok(Made::Done(Some(found.id)))
        }
        None => Ok(Made::Lost),
    }
}
