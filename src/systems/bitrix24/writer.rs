//! Writing one field of contacts and deals, several in one batch.
//!
//! An update takes seconds at a real portal and the server cuts a request at 60 s, so the batch grows and shrinks with what the portal needs.
//! After a lost answer nobody knows which updates were made: the fields are looked at, and only those that do not stand yet are written. So a
//! text is written once, though calls are cut.

use std::{
    collections::BTreeMap,
    ops::{Deref, DerefMut},
};

use super::{
    Entity, PAGE, SYSTEM,
    batch::{self, Commands},
    client::{Reader, batch_of},
    wire,
};
use crate::{
    domain::clock,
    fault::{Code, Fault},
    remote::{Effect, Permit},
};

/// What all updates of one batch may take together, in milliseconds. Too high: the server cuts it off; too low: more calls.
const BATCH_MS: u64 = 15_000;
/// Commands of the first batch, before it is known how long one takes.
const FIRST: usize = 5;
/// How often in a row an answer may be lost before the portal counts as silent.
const LOST: u32 = 2;

/// What became of one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// It was written.
    Written,
    /// It stood there already.
    Stood,
    /// The portal refuses it, with its words.
    Refused(String),
}

/// Writes into one portal; whatever it does it can also look.
pub struct Writer {
    reader: Reader,
    permit: Box<Permit>,
    size: usize,
}

impl Deref for Writer {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        &self.reader
    }
}

impl DerefMut for Writer {
    fn deref_mut(&mut self) -> &mut Reader {
        &mut self.reader
    }
}

impl Writer {
    /// A writer that asks `permit` before each write leaves.
    pub fn new(reader: Reader, permit: Box<Permit>) -> Self {
        Self { reader, permit, size: FIRST }
    }

    /// Writes a text into the field `code` of each, where another one stands there. Those without an answer at the end of a fault were not told.
    pub async fn tell(
        &mut self,
        entity: Entity,
        code: &str,
        texts: &BTreeMap<u64, String>,
        told: &mut BTreeMap<u64, Told>,
    ) -> Result<(), Fault> {
        let mut lost = 0;
        let select = vec!["ID".to_owned(), code.to_owned()];
        let mut open: Vec<u64> = texts.keys().copied().filter(|id| !told.contains_key(id)).collect();
        while let Some(some) = open.get(..open.len().min(PAGE)).filter(|some| !some.is_empty()).map(<[u64]>::to_vec) {
            let rows = self.reader.by_ids(entity, &some, &select).await?;
            let standing: BTreeMap<u64, String> = rows.iter().filter_map(|row| Some((wire::id(row)?, wire::field(row, code)))).collect();
            let mut wrong = Vec::new();
            for id in some {
                match (standing.get(&id), texts.get(&id)) {
                    (Some(stands), Some(text)) if stands == text.trim() => drop(told.insert(id, Told::Stood)),
                    (Some(_), Some(_)) => wrong.push(id),
                    _ => drop(told.insert(id, Told::Refused("the webhook's user cannot see it any more".to_owned()))),
                }
            }
            while !wrong.is_empty() {
                let ids: Vec<u64> = wrong.drain(..wrong.len().min(self.size.clamp(1, PAGE))).collect();
                match self.write(entity, code, &ids, texts, told).await {
                    Ok(()) => lost = 0,
                    Err(fault) if fault.code == Code::RemoteUnavailable && lost < LOST => {
                        // Perhaps it was all done: a shorter one after the next look.
                        lost += 1;
                        self.size = (self.size / 2).max(1);
                        break;
                    }
                    Err(fault) => return Err(fault),
                }
            }
            open.retain(|id| !told.contains_key(id));
        }
        Ok(())
    }

    async fn write(
        &mut self,
        entity: Entity,
        code: &str,
        ids: &[u64],
        texts: &BTreeMap<u64, String>,
        told: &mut BTreeMap<u64, Told>,
    ) -> Result<(), Fault> {
        let field = format!("fields[{code}]");
        let mut commands = Commands::new();
        for id in ids {
            let text = texts.get(id).map(String::as_str).unwrap_or_default();
            // No line in everybody's feed for each status.
            let parameters = [("id", id.to_string()), (&*field, text.to_owned()), ("params[REGISTER_SONET_EVENT]", "N".to_owned())];
            let parameters: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
            commands.insert(format!("u{id}"), batch::command(entity.update(), &parameters));
        }
        let envelope = self.reader.send("batch", &batch_of(&commands)?, Effect::Write, Some(&*self.permit), |_| None).await?;
        let mut results = batch::read(&commands, &envelope.result);
        if let Some(fit) = BATCH_MS.checked_div(results.slowest_ms) {
            self.size = usize::try_from(fit).unwrap_or(PAGE).clamp(1, PAGE);
        } else {
            self.size = PAGE;
        }
        let mut limited = None;
        for id in ids {
            match results.take(&format!("u{id}")) {
                Ok(_) => drop(told.insert(*id, Told::Written)),
                Err(error) if error.is_limit() => limited = Some(error),
                Err(error) => drop(told.insert(*id, Told::Refused(error.words().to_owned()))),
            }
        }
        match limited {
            None => Ok(()),
            Some(error) => {
                let pause = clock::scaled(envelope.operating.resets_in.unwrap_or(super::classify::WINDOW));
                let until = self.reader.pause(pause).await?;
                Err(Fault::new(Code::RemoteRateLimited, format!("{SYSTEM} {}: {}", entity.update(), error.words())).until(until))
            }
        }
    }
}
