//! A connection as a run or a request works with it.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::Value;

use super::{model::Connection, run::hold::Hold, secrets::Sealer};
use crate::fault::Fault;

/// A connection with its settings completed by defaults and its secrets opened. Lives no longer than a run or a request.
#[derive(Clone)]
pub struct Opened {
    /// Id of the connection.
    pub connection: String,
    /// Its owner.
    pub owner: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// The stream of the run that it was opened for; absent where somebody only asks.
    pub stream: Option<String>,
    /// Settings as stored or as snapshot by the run.
    pub settings: Value,
    /// Secrets in the clear.
    pub secrets: Arc<BTreeMap<String, SecretString>>,
    /// The run that it was opened for, with its leases; absent where somebody only asks.
    pub hold: Option<Arc<Hold>>,
}

impl Opened {
    /// Opens a connection's secrets, for these settings (a run has a snapshot of its own).
    pub fn of(connection: &Connection, settings: Value, sealer: &Sealer) -> Result<Self, Fault> {
        let mut secrets = BTreeMap::new();
        for (field, sealed) in &connection.secrets {
            secrets.insert(field.clone(), sealer.open(&connection.id, field, sealed)?);
        }
        Ok(Self {
            connection: connection.id.clone(),
            owner: connection.owner.clone(),
            created_at: connection.created_at,
            stream: None,
            settings,
            secrets: Arc::new(secrets),
            hold: None,
        })
    }
}
