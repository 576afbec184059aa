//! The ports in memory, as small as the tests of the API need them, and a flow without remotes.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::Value;

mod alerts;
mod audit;
mod changes;
mod documents;
mod flow;
mod hooks;
mod keys;
mod links;
mod plans;
mod retry_list;
mod runs;
mod schedules;
mod standing;

use flow::Plain;

use crate::{
    domain::{clock, ids},
    engine::{
        audit::Entry,
        flow::{Discovered, StreamNames},
        model::*,
        ports::*,
        retry_list::RetryItem,
        secrets::{Sealer, fresh_api_key, fresh_master_key},
        service::Service,
    },
    fault::{Code, Fault, FaultView, FieldError, Result},
};

/// Everything that is stored.
#[derive(Default)]
pub struct Memory {
    pub connections: Mutex<Vec<Connection>>,
    pub streams: Mutex<Vec<Stream>>,
    pub runs: Mutex<Vec<Run>>,
    pub links: Mutex<BTreeMap<(String, String), Link>>,
    pub items: Mutex<Vec<ItemRow>>,
    pub keys: Mutex<Vec<ApiKey>>,
    documents: documents::Documents,
    pub retries: Mutex<Vec<RetryItem>>,
    pub audit: Mutex<Vec<Entry>>,
    pub alerts: Mutex<BTreeMap<String, crate::engine::alerts::Kept>>,
    answers: Mutex<HashMap<String, (String, StoredAnswer)>>,
    pub broken: Mutex<bool>,
}

fn unused<T>() -> Result<T> {
    Err(Fault::internal("the API does not call this"))
}

impl Memory {
    fn replay<T>(&self, key: &Option<Idempotency>) -> Result<Option<Acted<T>>> {
        let Some(key) = key else { return Ok(None) };
        match self.answers.lock().unwrap().get(&key.scope) {
            Some((body, _)) if *body != key.body => Err(Fault::new(Code::IdempotencyMismatch, "another body")),
            Some((_, answer)) => Ok(Some(Acted::Replayed(answer.clone()))),
            None => Ok(None),
        }
    }

    fn acted<T>(&self, key: Option<Idempotency>, render: &RenderBox<T>, thing: T) -> Acted<T> {
        if let Some(key) = key {
            self.answers.lock().unwrap().insert(key.scope, (key.body, render(&thing)));
        }
        Acted::Fresh(thing)
    }

    fn change_run(
        &self,
        id: &str,
        key: Option<Idempotency>,
        render: &RenderBox<Run>,
        change: impl Fn(&mut Run) -> Result<()>,
    ) -> Result<Acted<Run>> {
        if let Some(replayed) = self.replay(&key)? {
            return Ok(replayed);
        }
        let mut runs = self.runs.lock().unwrap();
        let run = runs.iter_mut().find(|run| run.id == id).ok_or_else(|| Fault::new(Code::NotFound, "no run"))?;
        change(run)?;
        run.version += 1;
        Ok(self.acted(key, render, run.clone()))
    }
}

fn listing<T: Clone>(rows: impl DoubleEndedIterator<Item = T>, page: &PageRequest) -> Result<Listing<T>> {
    let skip = match &page.cursor {
        None => 0,
        Some(cursor) => cursor
            .parse::<usize>()
            .map_err(|_| Fault::new(Code::InvalidQuery, "cursor").with_fields(vec![FieldError::new("?cursor", "wrong")]))?,
    };
    let rows = rows.rev().skip(skip).collect::<Vec<_>>();
    let limit = page.limit as usize;
    let next = (rows.len() > limit).then(|| (skip + limit).to_string());
    Ok(Listing { items: rows.into_iter().take(limit).collect(), next })
}

fn seen(filter: (&Option<Vec<String>>, &Option<String>), flow: &str, owner: &Option<String>) -> bool {
    filter.0.as_ref().is_none_or(|flows| flows.iter().any(|name| name == flow))
        && filter.1.as_ref().is_none_or(|own| owner.as_ref() == Some(own))
}

#[async_trait]
impl Connections for Memory {
    async fn create(
        &self,
        connection: Connection,
        streams: Vec<Stream>,
        _: Vec<crate::engine::schedule::Schedule>,
        key: Option<Idempotency>,
        render: RenderBox<Connection>,
    ) -> Result<Acted<Connection>> {
        if let Some(replayed) = self.replay(&key)? {
            return Ok(replayed);
        }
        self.connections.lock().unwrap().push(connection.clone());
        self.streams.lock().unwrap().extend(streams);
        Ok(self.acted(key, &render, connection))
    }
    async fn get(&self, id: &str) -> Result<Option<Connection>> {
        assert!(ids::plausible(id), "the store was asked for {id}");
        Ok(self.connections.lock().unwrap().iter().find(|row| row.id == id).cloned())
    }
    async fn list(&self, filter: ConnectionFilter, page: PageRequest) -> Result<Listing<Connection>> {
        let rows = self.connections.lock().unwrap().clone();
        listing(rows.into_iter().filter(|row| seen((&filter.flows, &filter.owner), &row.flow, &row.owner)), &page)
    }
    async fn update(&self, mut connection: Connection, version: u64) -> Result<Connection> {
        let mut rows = self.connections.lock().unwrap();
        let row = rows
            .iter_mut()
            .find(|row| row.id == connection.id && row.version == version)
            .ok_or_else(|| Fault::new(Code::PreconditionFailed, "changed"))?;
        connection.version += 1;
        *row = connection.clone();
        Ok(connection)
    }
    async fn delete(&self, id: &str) -> Result<()> {
        self.connections.lock().unwrap().retain(|row| row.id != id);
        Ok(())
    }
    async fn streams(&self, connection: &str) -> Result<Vec<Stream>> {
        Ok(self.streams.lock().unwrap().iter().filter(|row| row.connection == connection).cloned().collect())
    }
    async fn stream(&self, connection: &str, stream: &str) -> Result<Option<Stream>> {
        Ok(self.streams.lock().unwrap().iter().find(|row| row.connection == connection && row.stream == stream).cloned())
    }
    async fn create_stream(&self, stream: Stream, key: Option<Idempotency>, render: RenderBox<Stream>) -> Result<Acted<Stream>> {
        if let Some(replayed) = self.replay(&key)? {
            return Ok(replayed);
        }
        if self.stream(&stream.connection, &stream.stream).await?.is_some() {
            return Err(Fault::new(Code::InUse, "there is such a stream"));
        }
        self.streams.lock().unwrap().push(stream.clone());
        Ok(self.acted(key, &render, stream))
    }
    async fn update_stream(&self, mut stream: Stream, version: u64) -> Result<Stream> {
        let mut rows = self.streams.lock().unwrap();
        let row = rows
            .iter_mut()
            .find(|row| row.connection == stream.connection && row.stream == stream.stream && row.version == version)
            .ok_or_else(|| Fault::new(Code::PreconditionFailed, "changed"))?;
        stream.version += 1;
        *row = stream.clone();
        Ok(stream)
    }
    async fn delete_stream(&self, connection: &str, stream: &str) -> Result<()> {
        self.streams.lock().unwrap().retain(|row| row.connection != connection || row.stream != stream);
        Ok(())
    }
    async fn remember_account(&self, _: &str, account: &str) -> Result<String> {
        Ok(account.to_owned())
    }
    async fn remember_offered(&self, _: &str, _: &[Discovered]) -> Result<()> {
        unused()
    }
    async fn offered(&self, _: &str) -> Result<Vec<Discovered>> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Records for Memory {
    async fn last(&self, _: &str, _: &str) -> Result<Option<LastSeen>> {
        unused()
    }
    async fn store(&self, _: &str, _: &str, _: &str, _: DateTime<Utc>, _: Vec<Record>) -> Result<Stored> {
        unused()
    }
    async fn page(&self, _: &str, _: Option<&str>, _: u32) -> Result<Vec<StoredRecord>> {
        unused()
    }
    async fn unlinked(&self, _: &str, _: &str, _: Option<&str>, _: u32) -> Result<Vec<StoredRecord>> {
        unused()
    }
    async fn gone(&self, _: &str, _: &str, _: Option<&[String]>, _: Option<&str>, _: u32) -> Result<Vec<GoneRecord>> {
        unused()
    }
    async fn count(&self, _: &str, _: &str) -> Result<u64> {
        unused()
    }
    async fn by_keys(&self, _: &str, _: &[String]) -> Result<Vec<StoredRecord>> {
        unused()
    }
    async fn mark_gone(&self, _: &str, _: &str, _: &str, _: &str, _: u64) -> Result<u64> {
        unused()
    }
    async fn remember_read(&self, _: &str, _: &str, _: PastRead, _: ReadOf) -> Result<()> {
        unused()
    }
    async fn use_read(&self, _: &str, _: &str) -> Result<()> {
        unused()
    }
    async fn usable_read(&self, _: &str, _: &str, _: Option<DateTime<Utc>>, _: Duration) -> Result<Option<PastRead>> {
        unused()
    }
}

#[async_trait]
impl Idempotent for Memory {
    async fn replay(&self, key: &Idempotency) -> Result<Option<StoredAnswer>> {
        Ok(self.replay::<()>(&Some(key.clone()))?.and_then(|acted| match acted {
            Acted::Replayed(answer) => Some(answer),
            Acted::Fresh(()) => None,
        }))
    }
}

#[async_trait]
impl Ready for Memory {
    async fn ready(&self) -> Result<()> {
        assert!(!*self.broken.lock().unwrap(), "planned panic");
        Ok(())
    }
}

/// A service over memory, with the admin key `admin`.
pub fn service(memory: &Arc<Memory>) -> Service {
    let sealer = Sealer::from_text(&fresh_master_key()).unwrap();
    let free = Plain { name: "billz-opencart", names: StreamNames::Free };
    let fixed = Plain { name: "bitrix24-otmechalka", names: StreamNames::Fixed(&["contacts", "deals"]) };
    Service {
        connections: memory.clone(),
        runs: memory.clone(),
        records: memory.clone(),
        links: memory.clone(),
        changes: memory.clone(),
        mappings: memory.clone(),
        inbox: memory.clone(),
        hooks: memory.clone(),
        hook_tokens: Default::default(),
        lock_store: memory.clone(),
        plans: memory.clone(),
        schedules: memory.clone(),
        retries: memory.clone(),
        standing: memory.clone(),
        audit: memory.clone(),
        alert_store: memory.clone(),
        messenger: Arc::new(alerts::Fine),
        answers: memory.clone(),
        api_keys: memory.clone(),
        ready: memory.clone(),
        flows: vec![Arc::new(free), Arc::new(fixed)],
        sealer: Arc::new(sealer),
        admin_key: Some(SecretString::from("admin")),
        caps: Default::default(),
    }
}

/// Stores a fresh key and gives its text.
pub fn key(memory: &Memory, service: &Service, role: Role, change: impl FnOnce(&mut ApiKey)) -> String {
    use secrecy::ExposeSecret;
    let text = fresh_api_key();
    let mut key = ApiKey {
        id: ids::fresh(),
        name: "test".into(),
        hash: service.sealer.hash_api_key(&text),
        role,
        flows: None,
        owner: None,
        delegate: false,
        created_at: clock::now(),
        revoked_at: None,
    };
    change(&mut key);
    memory.keys.lock().unwrap().push(key);
    text.expose_secret().to_owned()
}
