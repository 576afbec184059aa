//! The writing calls (fact sheet, section 5). Absolute values only, so each is safe to repeat.

use std::ops::{Deref, DerefMut};

use reqwest::Method;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    MOST_PER_CALL, Reader, SYSTEM, WRITE_TIMEOUT, classify,
    wire::{Variant, WAREHOUSE},
};
use crate::{
    domain::number,
    fault::Fault,
    remote::{Call, Effect, Permit, lenient},
};

/// Which field holds the stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `quantity`: shops with one warehouse.
    Whole,
    /// `quantity_at_warehouseN`.
    Warehouse(u8),
}

impl Field {
    /// Its name on the wire.
    pub fn name(self) -> String {
        match self {
            Self::Whole => "quantity".to_owned(),
            Self::Warehouse(index) => format!("{WAREHOUSE}{index}"),
        }
    }
}

/// One value for one variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// Its product.
    pub product: u64,
    /// The variant.
    pub variant: u64,
    /// Where its stock stands.
    pub field: Field,
    /// What is to stand there; `None` = null, stock is not tracked.
    pub quantity: Option<Decimal>,
}

impl Update {
    fn fields(&self) -> Map<String, Value> {
        let value = self.quantity.map_or(Value::Null, |quantity| {
            // The digits as they are; no float on the way.
            serde_json::from_str(&number::plain(quantity)).unwrap_or(Value::Null)
        });
        Map::from_iter([(self.field.name(), value)])
    }
}

/// What became of one value of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// Accepted; whether it is done only a later read tells.
    Queued,
    /// Refused, with the remote's words.
    Refused(String),
}

/// The older answer, one entry per variant.
#[derive(Deserialize)]
struct Entry {
    #[serde(deserialize_with = "lenient::id")]
    id: String,
    #[serde(default, deserialize_with = "lenient::text")]
    status: String,
    #[serde(default)]
    errors: Value,
}

/// Writes into one shop; whatever it does it can also look.
pub struct Writer {
    reader: Reader,
    permit: Box<Permit>,
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
        Self { reader, permit }
    }

    /// Sends up to [`MOST_PER_CALL`] values at once; one answer per value, in the same order.
    pub async fn update_group(&mut self, updates: &[Update]) -> Result<Vec<Sent>, Fault> {
        if updates.is_empty() || updates.len() > MOST_PER_CALL {
            return Err(Fault::internal(format!("{} variants in one update", updates.len())));
        }
        let variants: Vec<Value> = updates
            .iter()
            .map(|update| {
                let mut fields = update.fields();
                fields.insert("id".to_owned(), json!(update.variant));
                Value::Object(fields)
            })
            .collect();
        let url = self.reader.address("products/variants_group_update.json");
        let call = write("PUT /admin/products/variants_group_update.json", url).with_json(&json!({ "variants": variants }))?;
        let entries = self.reader.send(call.with_permit(&*self.permit), |reply| classify::judge(reply, entries)).await?;
        let refused = |update: &Update| {
            let own = entries.iter().find(|entry| entry.id == update.variant.to_string())?;
            (!own.status.is_empty() && own.status != "ok").then(|| own.errors.to_string())
        };
        Ok(updates.iter().map(|update| refused(update).map_or(Sent::Queued, Sent::Refused)).collect())
    }

    /// Writes one value and returns the variant as it stands then: done, not queued.
    pub async fn update_one(&mut self, update: &Update) -> Result<Variant, Fault> {
        let url = self.reader.address(&format!("products/{}/variants/{}.json", update.product, update.variant));
        let call = write("PUT /admin/products/:product/variants/:variant.json", url).with_json(&json!({ "variant": update.fields() }))?;
        let read = |body: &[u8]| serde_json::from_slice::<Variant>(body).map_err(|error| format!("no readable variant: {error}"));
        self.reader.send(call.with_permit(&*self.permit), |reply| classify::judge(reply, read)).await
    }
}

/// A write that may be repeated: the same absolute values stand there afterwards.
fn write<'a>(route: &'static str, url: url::Url) -> Call<'a> {
    let mut call = Call::new(SYSTEM, route, Effect::Write, Method::PUT, url);
    call.replay_safe = true;
    call.timeout = Some(WRITE_TIMEOUT);
    call
}

fn entries(body: &[u8]) -> Result<Vec<Entry>, String> {
    serde_json::from_slice(body).map_err(|error| format!("expected a list: {error}"))
}
