//! The writing call, `order/set` (fact sheet, section 5.1): one order per call.

use std::{
    ops::Deref,
    sync::atomic::{AtomicBool, Ordering},
};

use serde_json::{Map, Value, json};

use super::{
    Client, WRITE_TIMEOUT,
    classify::{self, Refusal},
    client::explain,
};
use crate::{
    fault::Fault,
    remote::{Effect, Permit},
};

/// What the root of the body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyRoot {
    /// `[{...}]`
    Array,
    /// `{"0": {...}}`
    IndexedObject,
}

impl BodyRoot {
    fn other(self) -> Self {
        match self {
            Self::Array => Self::IndexedObject,
            Self::IndexedObject => Self::Array,
        }
    }

    /// The body of one order.
    pub fn wrap(self, order: Map<String, Value>) -> Value {
        match self {
            Self::Array => json!([order]),
            Self::IndexedObject => json!({ "0": order }),
        }
    }
}

/// What became of an order that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// Stored, under this id.
    As(String),
    /// Said to be stored, without an id: look it up.
    Unproven,
    /// The buyer's phone is another contact's; nothing was stored.
    PhoneTaken(String),
    /// Refused, in the box's words; nothing was stored.
    Refused(String),
}

/// Writes into one box; whatever it does it can also look.
pub struct Writer {
    client: Client,
    permit: Box<Permit>,
    root: BodyRoot,
    /// The box has refused the form that the settings name.
    turned: AtomicBool,
}

impl Deref for Writer {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Writer {
    /// A writer that asks `permit` before each write leaves.
    pub fn new(client: Client, permit: Box<Permit>, root: BodyRoot) -> Self {
        Self { client, permit, root, turned: AtomicBool::new(false) }
    }

    /// Stores one order. A lost answer is a fault: whether it got through only a look tells, and it is not sent again here.
    pub async fn store(&self, order: Map<String, Value>) -> Result<Stored, Fault> {
        let turned = self.turned.load(Ordering::Relaxed);
        let root = if turned { self.root.other() } else { self.root };
        let answer = match self.send(root, order.clone()).await? {
            // Nothing was stored: the box could not read it. Once, in the other form.
            Err(Refusal::WrongRoot(words)) if !turned => match self.send(root.other(), order).await? {
                Err(Refusal::WrongRoot(_)) => return Ok(Stored::Refused(words)),
                answer => {
                    self.turned.store(true, Ordering::Relaxed);
                    answer
                }
            },
            answer => answer,
        };
        Ok(match answer {
            Ok(ids) => ids.into_iter().next().map_or(Stored::Unproven, Stored::As),
            Err(Refusal::PhoneTaken(words)) => Stored::PhoneTaken(words),
            Err(Refusal::WrongRoot(words) | Refusal::Other(words)) => Stored::Refused(words),
        })
    }

    async fn send(&self, root: BodyRoot, order: Map<String, Value>) -> Result<Result<Vec<String>, Refusal>, Fault> {
        let mut call = self.client.call("POST /api/v2/order/set/", Effect::Write, "order/set").with_json(&root.wrap(order))?;
        call.timeout = Some(WRITE_TIMEOUT);
        let call = call.with_permit(&*self.permit);
        Ok(self.client.http.send(&call, &self.client.stop, classify::judge_set).await.map_err(explain)?.value)
    }
}
