//! Brakes of a connection: limits and their present readings.

use serde_json::{Value, json};

use super::{Scope, Service, connections::require_version};
use crate::{
    engine::{brakes::limits, plans::LastReadings},
    fault::{Fault, Result},
};

/// Limits of a connection, with what its last runs read.
pub struct Brakes {
    /// The setting with all its defaults: `limits`, `first_run`, `streams`.
    pub limits: Value,
    /// Version of the connection: brakes are a part of its settings.
    pub version: u64,
    /// By stream, those that have decided anything yet.
    pub readings: Vec<(String, LastReadings)>,
}

impl Service {
    /// Limits and present readings of a visible connection.
    pub async fn brakes(&self, scope: &Scope, id: &str) -> Result<Brakes> {
        let connection = self.connection(scope, id).await?;
        let set = connection.settings.get("brakes").cloned().unwrap_or_else(|| json!({}));
        let mut readings = Vec::new();
        for stream in self.connections.streams(&connection.id).await? {
            if let Some(last) = self.plans.last_readings(&connection.id, &stream.stream).await? {
                readings.push((stream.stream, last));
            }
        }
        Ok(Brakes { limits: limits::complete(&set), version: connection.version, readings })
    }

    /// Replaces all limits. What is absent has its default; the next run works by them. `expected` is the version of `If-Match`.
    pub async fn put_brakes(&self, scope: &Scope, id: &str, set: Value, expected: Option<u64>) -> Result<Brakes> {
        let before = self.connection(scope, id).await?;
        require_version(before.version, expected)?;
        let errors = limits::check(&set);
        if !errors.is_empty() {
            return Err(Fault::fields(errors));
        }
        let mut after = before.clone();
        match after.settings.as_object_mut() {
            Some(settings) => drop(settings.insert("brakes".to_owned(), set)),
            None => after.settings = json!({"brakes": set}),
        }
        self.connections.update(after, before.version).await?;
        self.brakes(scope, id).await
    }
}
