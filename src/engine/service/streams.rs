//! Streams of a connection.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{CHANGE_ATTEMPTS, MAX_KEY_CHARS, Scope, Service, check_name, connections::require_version, is_key, merge};
use crate::{
    engine::{
        flow::StreamNames,
        model::{Connection, Outcome, Stream},
        ports::{Acted, Idempotency, Listing, PageRequest, RenderBox},
        standing::StandingItem,
    },
    fault::{Code, Fault, FieldError, Result},
};

/// What a new stream is made of.
pub struct NewStream {
    /// Its key in the remote's words.
    pub stream: String,
    /// A name for people; the key if absent.
    pub name: Option<String>,
    /// Whether it may start runs.
    pub enabled: bool,
    /// Settings of this stream alone.
    pub settings: Value,
}

/// What a patch says. The outer `None` = absent, the inner = null.
#[derive(Default)]
pub struct StreamPatch {
    /// New name; null = the key.
    pub name: Option<Option<String>>,
    /// Null = enabled.
    pub enabled: Option<Option<bool>>,
    /// RFC 7396 patch; null = all defaults.
    pub settings: Option<Value>,
    /// New cursor; null = read everything on the next run.
    pub cursor: Option<Option<DateTime<Utc>>>,
}

/// A stream as it begins.
pub(super) fn fresh(connection: &str, stream: &str, name: &str) -> Stream {
    Stream {
        connection: connection.to_owned(),
        stream: stream.to_owned(),
        name: name.to_owned(),
        enabled: true,
        settings: json!({}),
        cursor: None,
        last_synced_at: None,
        last_whole_read_at: None,
        full_every_seconds: None,
        last_run: None,
        version: 1,
    }
}

impl Service {
    /// All streams of a visible connection, by key.
    pub async fn list_streams(&self, scope: &Scope, connection: &str) -> Result<Vec<Stream>> {
        let connection = self.connection(scope, connection).await?;
        self.connections.streams(&connection.id).await
    }

    /// One stream of a visible connection.
    pub async fn get_stream(&self, scope: &Scope, connection: &str, stream: &str) -> Result<Stream> {
        let connection = self.connection(scope, connection).await?;
        self.stream(&connection, stream).await
    }

    /// Items of a visible stream that stand: left alone or held by run after run.
    pub async fn list_standing(
        &self,
        scope: &Scope,
        connection: &str,
        stream: &str,
        outcome: Option<Outcome>,
        page: PageRequest,
    ) -> Result<Listing<StandingItem>> {
        let stream = self.get_stream(scope, connection, stream).await?;
        self.standing.list_standing(&stream.connection, &stream.stream, outcome, page).await
    }

    /// Makes a stream, if the flow lets the remote name them.
    pub async fn create_stream(
        &self,
        scope: &Scope,
        connection: &str,
        new: NewStream,
        key: Option<Idempotency>,
        render: RenderBox<Stream>,
    ) -> Result<Acted<Stream>> {
        let connection = self.connection(scope, connection).await?;
        let flow = self.flow_of(&connection)?;
        if let StreamNames::Fixed(names) = flow.stream_names() {
            let names = names.join(", ");
            return Err(Fault::field(
                "/stream",
                format!("a connection of `{}` has its streams from the start ({names}); none can be made", flow.name()),
            ));
        }
        let mut errors = Vec::new();
        if !is_key(&new.stream) {
            errors
                .push(FieldError::new("/stream", format!("must be a text of 1 to {MAX_KEY_CHARS} characters without blanks at its ends")));
        }
        let name = new.name.unwrap_or_else(|| new.stream.clone());
        check_name(&name, &mut errors);
        let mut stream = fresh(&connection.id, &new.stream, name.trim());
        stream.enabled = new.enabled;
        stream.settings = merge::merge(&json!({}), &new.settings);
        self.check_stream(&connection, &stream, errors)?;
        self.connections.create_stream(stream, key, render).await
    }

    /// Changes a stream by an RFC 7396 patch. `expected` is the version of `If-Match`.
    pub async fn patch_stream(
        &self,
        scope: &Scope,
        connection: &str,
        stream: &str,
        patch: &StreamPatch,
        expected: Option<u64>,
    ) -> Result<Stream> {
        let connection = self.connection(scope, connection).await?;
        let mut attempt = 1;
        loop {
            let before = self.stream(&connection, stream).await?;
            require_version(before.version, expected)?;
            let after = self.patched_stream(&connection, &before, patch)?;
            match self.connections.update_stream(after, before.version).await {
                Err(fault) if fault.code == Code::PreconditionFailed && expected.is_none() && attempt < CHANGE_ATTEMPTS => attempt += 1,
                outcome => return outcome,
            }
        }
    }

    fn patched_stream(&self, connection: &Connection, before: &Stream, patch: &StreamPatch) -> Result<Stream> {
        let mut errors = Vec::new();
        let mut after = before.clone();
        if let Some(name) = &patch.name {
            let name = name.as_deref().unwrap_or(&before.stream);
            check_name(name, &mut errors);
            after.name = name.trim().to_owned();
        }
        if let Some(enabled) = patch.enabled {
            after.enabled = enabled.unwrap_or(true);
        }
        match &patch.settings {
            Some(Value::Null) => after.settings = json!({}),
            Some(settings) => after.settings = merge::merge(&before.settings, settings),
            None => {}
        }
        if let Some(cursor) = patch.cursor {
            after.cursor = cursor;
        }
        self.check_stream(connection, &after, errors)?;
        Ok(after)
    }

    /// Deletes a stream that was made; fixed ones stay.
    pub async fn delete_stream(&self, scope: &Scope, connection: &str, stream: &str, expected: Option<u64>) -> Result<()> {
        let connection = self.connection(scope, connection).await?;
        let found = self.stream(&connection, stream).await?;
        require_version(found.version, expected)?;
        if matches!(self.flow_of(&connection)?.stream_names(), StreamNames::Fixed(_)) {
            return Err(Fault::new(
                Code::InUse,
                format!("the stream `{}` belongs to every connection of `{}`; disable it instead", found.stream, connection.flow),
            ));
        }
        self.connections.delete_stream(&connection.id, &found.stream).await
    }

    fn check_stream(&self, connection: &Connection, stream: &Stream, mut errors: Vec<FieldError>) -> Result<()> {
        if errors.iter().all(|error| error.pointer != "/stream")
            && let Err(wrong) = self.flow_of(connection)?.validate_stream(&stream.stream, &stream.settings)
        {
            errors.extend(wrong);
        }
        if errors.is_empty() { Ok(()) } else { Err(Fault::fields(errors)) }
    }
}
