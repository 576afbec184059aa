//! A connection as a run or a request works with it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{model::Connection, run::hold::Hold, secrets::Sealer};
use crate::fault::{Code, Fault};

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

    /// What ends a run's calls early; nothing does where somebody only asks.
    pub fn stop(&self) -> CancellationToken {
        self.hold.as_ref().map(|hold| hold.stopped()).unwrap_or_default()
    }

    /// Whether a write that may take so long may begin now (see [`Hold::permits`]). Nobody but a run writes.
    pub fn permit(&self) -> Result<impl Fn(Duration) -> Result<(), Fault> + Clone + Send + Sync + 'static, Fault> {
        let hold = self.hold.clone().ok_or_else(|| Fault::internal("only a run writes"))?;
        Ok(move |takes: Duration| hold.permits(takes))
    }

    /// A secret that may be left out; an empty one is none.
    pub fn secret(&self, name: &str) -> Option<SecretString> {
        self.secrets.get(name).filter(|secret| !secret.expose_secret().is_empty()).cloned()
    }

    /// A secret that the flow cannot do without.
    pub fn needed_secret(&self, name: &str) -> Result<SecretString, Fault> {
        let missing = || Fault::new(Code::ConfigInvalid, format!("the secret `{name}` is missing; set it in the connection"));
        self.secret(name).ok_or_else(missing)
    }
}
