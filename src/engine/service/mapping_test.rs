//! A stored item through a mapping of fields, before the mapping is used.

use serde_json::Value;

use super::{Scope, Service, is_key, no_such};
use crate::fault::{Code, Fault, FieldError, Result};

/// What is to be tried.
pub struct MappingTrial {
    /// Id of the connection.
    pub connection: String,
    /// A stored item, by the source's id.
    pub item: Option<String>,
    /// An item as the source tells it, instead of a stored one.
    pub raw: Option<Value>,
    /// What to lay over the mapping of the settings.
    pub mapping: Option<Value>,
}

impl Service {
    /// Each field's value and where it came from. Nothing is stored or sent.
    pub async fn test_mapping(&self, scope: &Scope, flow: &str, trial: MappingTrial) -> Result<Value> {
        let flow = self.visible_flow(scope, flow)?;
        let connection = match self.connection(scope, &trial.connection).await {
            Err(fault) if fault.code == Code::NotFound => return Err(no_such("/connection", "there is no such connection")),
            found => found?,
        };
        if connection.flow != flow.name() {
            return Err(Fault::field("/connection", format!("this connection is of the flow `{}`", connection.flow)));
        }
        let (item, payload) = match (trial.item, trial.raw) {
            (Some(item), None) => {
                let stored = if is_key(&item) { self.records.last(&connection.id, &item).await? } else { None };
                let stored =
                    stored.ok_or_else(|| no_such("/order", "no order of this id was read yet; give one as `raw`, or start a run first"))?;
                (item, stored.stored.record.payload)
            }
            (None, Some(raw)) => (String::new(), raw.to_string()),
            _ => {
                return Err(Fault::fields(vec![FieldError::new(
                    "/order",
                    "give either order (the id of a stored one) or raw, and not both",
                )]));
            }
        };
        flow.test_mapping(&self.open(&connection)?, &item, &payload, trial.mapping.as_ref())
    }
}
