//! Bitrix24 as a source of the engine: steps 1 to 3 of both algorithms, and what a deal needs besides (its steps 5 and 6).
//!
//! Nothing is lost (`facts/bitrix24.md` section 4.3): a read begins a few minutes before the former one began, by the portal's own clock, and goes
//! through the IDs, so that rows of one second, and rows that move while it reads, come now or with the next read. What comes twice is the same
//! record and changes nothing. This keeps the promise of the document's watermarks (contacts 2 and 9, deals 3 and 12), not their letter.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use chrono::{DateTime, Duration, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::{
    fields,
    reading::{self, contact_select, deal_select},
    record::{Contact, Deal},
    settings::Settings,
    ticket,
};
use crate::{
    domain::clock,
    engine::{
        flow::{Page, PageSink, ReadEnd, Source},
        model::{Record, Values},
    },
    fault::{Code, Fault},
    systems::bitrix24::{Entity, Filter, PAGE, Reader, Row, batch, wire},
};

/// Taken off our own clock where the portal does not tell its own.
const CLOCK_DIFFERENCE: Duration = Duration::minutes(5);

/// The reading side of a run.
pub struct Bitrix24Source {
    reader: Reader,
    settings: Settings,
    start: DateTime<Utc>,
    entity: Entity,
    /// What was asked for other deals of the run.
    contacts: BTreeMap<u64, Option<Contact>>,
    employees: BTreeMap<u64, Option<String>>,
}

impl Bitrix24Source {
    /// Reads contacts or deals that were created from `start` on.
    pub fn new(reader: Reader, settings: Settings, start: DateTime<Utc>, entity: Entity) -> Self {
        Self { reader, settings, start, entity, contacts: BTreeMap::new(), employees: BTreeMap::new() }
    }

    fn filter(&self, since: Option<DateTime<Utc>>) -> Filter {
        let moment = |at: DateTime<Utc>| json!(at.to_rfc3339_opts(SecondsFormat::Secs, false));
        let mut filter = Filter::from([(">=DATE_CREATE".to_owned(), moment(self.start))]);
        if let Some(since) = since {
            filter.insert(">=DATE_MODIFY".to_owned(), moment(since));
        }
        let stages = &self.settings.deal_filter.stages;
        match self.entity {
            Entity::Contact => {}
            // Deals that are won in other pipelines are told as no subscriptions; those that are not won are none of ours.
            Entity::Deal if stages.iter().all(|stage| stage.rsplit(':').next() == Some("WON")) => {
                filter.insert("STAGE_SEMANTIC_ID".to_owned(), json!("S"));
            }
            Entity::Deal => {
                filter.insert("@STAGE_ID".to_owned(), json!(self.stages()));
            }
        }
        filter
    }

    /// Every stage that may be wanted, with the prefixes of the pipelines that are set.
    fn stages(&self) -> BTreeSet<String> {
        let given = &self.settings.deal_filter;
        let plain = given.stages.iter().filter(|stage| !stage.contains(':'));
        let prefixed =
            given.categories.iter().flatten().flat_map(|category| plain.clone().map(move |stage| format!("C{}:{stage}", category.0)));
        given.stages.iter().cloned().chain(prefixed).collect()
    }

    async fn records(&mut self, rows: &[Row]) -> Result<Vec<Record>, Fault> {
        match self.entity {
            Entity::Contact => Ok(rows.iter().map(|row| reading::contact_record(row, &reading::contact(row, &self.settings))).collect()),
            Entity::Deal => self.deals(rows).await,
        }
    }

    async fn deals(&mut self, rows: &[Row]) -> Result<Vec<Record>, Fault> {
        let won = |row: &&Row| wire::field(row, "STAGE_SEMANTIC_ID") == "S" || self.stages().contains(&wire::field(row, "STAGE_ID"));
        let rows: Vec<&Row> = rows.iter().filter(won).collect();
        let mut deals: Vec<Deal> = rows.iter().map(|row| reading::deal(row, &self.settings)).collect();
        let wanted: Vec<usize> = deals
            .iter()
            .enumerate()
            .filter(|(_, deal)| ticket::is_wanted_stage(&self.settings.deal_filter, &deal.category, &deal.stage))
            .map(|(place, _)| place)
            .collect();
        self.complete(&mut deals, &wanted).await?;
        Ok(rows.iter().zip(&deals).map(|(row, deal)| reading::deal_record(row, deal)).collect())
    }

    /// Asks for what these deals need besides: product rows, who is responsible, and the contact.
    async fn complete(&mut self, deals: &mut [Deal], wanted: &[usize]) -> Result<(), Fault> {
        let of = |deals: &[Deal], id: fn(&Deal) -> u64| -> BTreeSet<u64> {
            wanted.iter().filter_map(|place| deals.get(*place)).map(id).filter(|id| *id > 0).collect()
        };
        let ids = of(deals, |deal| deal.id);
        let commands = ids.iter().map(|id| (format!("r{id}"), batch::command("crm.deal.productrows.get", &[("id", &id.to_string())])));
        let commands: batch::Commands = commands.collect();
        let mut rows = if commands.is_empty() { batch::Results::default() } else { self.reader.batch(&commands).await? };
        self.know_employees(of(deals, |deal| deal.employee_id.parse().unwrap_or_default())).await?;
        self.know_contacts(of(deals, |deal| deal.contact_id)).await?;
        for place in wanted {
            let Some(deal) = deals.get_mut(*place) else { continue };
            match rows
                .take(&format!("r{}", deal.id))
                .map_err(|error| error.words().to_owned())
                .and_then(|found| reading::product_rows(&found))
            {
                Ok(found) => deal.rows = found,
                Err(words) => deal.rows_unread = Some(words),
            }
            deal.employee = deal.employee_id.parse().ok().and_then(|id: u64| self.employees.get(&id).cloned().flatten());
            deal.contact = self.contacts.get(&deal.contact_id).cloned().flatten();
        }
        Ok(())
    }

    async fn know_employees(&mut self, mut ids: BTreeSet<u64>) -> Result<(), Fault> {
        ids.retain(|id| !self.employees.contains_key(id));
        for ids in ids.into_iter().collect::<Vec<_>>().chunks(PAGE) {
            let found = self.reader.users(ids).await?;
            self.employees.extend(ids.iter().map(|id| (*id, None)));
            self.employees.extend(found.iter().filter_map(|row| Some((wire::id(row)?, Some(reading::employee(row))))));
        }
        Ok(())
    }

    async fn know_contacts(&mut self, mut ids: BTreeSet<u64>) -> Result<(), Fault> {
        ids.retain(|id| !self.contacts.contains_key(id));
        let select = contact_select(&self.settings);
        for ids in ids.into_iter().collect::<Vec<_>>().chunks(PAGE) {
            let found = self.reader.by_ids(Entity::Contact, ids, &select).await?;
            self.contacts.extend(ids.iter().map(|id| (*id, None)));
            self.contacts.extend(found.iter().map(|row| reading::contact(row, &self.settings)).map(|contact| (contact.id, Some(contact))));
        }
        Ok(())
    }
}

#[async_trait]
impl Source for Bitrix24Source {
    /// The portal's address stands in the connection's identity already.
    async fn account(&mut self) -> Result<Option<String>, Fault> {
        Ok(None)
    }

    /// Looks at the portal's fields before anything is read: with one that is gone every contact would look wrong.
    async fn facts(&mut self) -> Result<Values, Fault> {
        let (contact, deal) = self.reader.fields().await?;
        let lengths =
            fields::check(&self.settings, &contact, &deal).map_err(|missing| Fault::new(Code::ConfigInvalid, missing.join("; ")))?;
        Ok(Values::from([
            (super::CONTACT_STATUS.to_owned(), Value::from(lengths.contact)),
            (super::DEAL_STATUS.to_owned(), Value::from(lengths.deal)),
        ]))
    }

    async fn read(&mut self, since: Option<DateTime<Utc>>, pages: &mut dyn PageSink) -> Result<ReadEnd, Fault> {
        let filter = self.filter(since);
        let select = match self.entity {
            Entity::Contact => contact_select(&self.settings),
            Entity::Deal => deal_select(&self.settings),
        };
        let (mut after, mut started_at) = (0, None);
        loop {
            let (rows, began) = self.reader.page_after(self.entity, &filter, &select, after).await?;
            let started_at = *started_at.get_or_insert_with(|| began.unwrap_or_else(|| clock::now() - CLOCK_DIFFERENCE));
            after = rows.last().and_then(wire::id).unwrap_or(after);
            let last = rows.len() < PAGE;
            let records = self.records(&rows).await?;
            if !records.is_empty() {
                pages.page(Page { records, total: None, started_at }).await?;
            }
            if last {
                return Ok(ReadEnd { started_at, doubt: None, offered: Vec::new() });
            }
        }
    }
}
