//! The records of one stream, where the streams of a connection carry different things ([`super::flow::Flow::keys_of`]): contacts and deals
//! lie in one table, and no read of contacts may take deals as gone.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{
    model::Record,
    ports::{GoneRecord, LastSeen, PastRead, ReadOf, Records, Stored, StoredRecord},
};
use crate::fault::Fault;

/// Those records whose keys begin in one way.
pub struct Part {
    all: Arc<dyn Records>,
    begin: &'static str,
}

impl Part {
    /// Those of `all` whose keys begin with `begin`.
    pub fn new(all: Arc<dyn Records>, begin: &'static str) -> Self {
        Self { all, begin }
    }

    /// Keys are in their order, so those that begin alike lie together: from before the first of them.
    fn from<'a>(&'a self, after: Option<&'a str>) -> Option<&'a str> {
        Some(after.filter(|after| *after > self.begin).unwrap_or(self.begin))
    }

    fn own(&self, key: &str) -> bool {
        key.starts_with(self.begin)
    }
}

#[async_trait]
impl Records for Part {
    async fn store(&self, connection: &str, read: &str, run: &str, seen_at: DateTime<Utc>, page: Vec<Record>) -> Result<Stored, Fault> {
        if let Some(foreign) = page.iter().find(|record| !self.own(&record.key)) {
            return Err(Fault::internal(format!("the key {} does not begin with {}", foreign.key, self.begin)));
        }
        self.all.store(connection, read, run, seen_at, page).await
    }

    async fn page(&self, connection: &str, after: Option<&str>, limit: u32) -> Result<Vec<StoredRecord>, Fault> {
        let mut page = self.all.page(connection, self.from(after), limit).await?;
        page.retain(|stored| self.own(&stored.record.key));
        Ok(page)
    }

    async fn by_keys(&self, connection: &str, keys: &[String]) -> Result<Vec<StoredRecord>, Fault> {
        let own: Vec<String> = keys.iter().filter(|key| self.own(key)).cloned().collect();
        self.all.by_keys(connection, &own).await
    }

    async fn unlinked(&self, connection: &str, space: &str, after: Option<&str>, limit: u32) -> Result<Vec<StoredRecord>, Fault> {
        let mut page = self.all.unlinked(connection, space, self.from(after), limit).await?;
        page.retain(|stored| self.own(&stored.record.key));
        Ok(page)
    }

    async fn last(&self, connection: &str, key: &str) -> Result<Option<LastSeen>, Fault> {
        self.all.last(connection, key).await
    }

    async fn gone(
        &self,
        connection: &str,
        space: &str,
        only: Option<&[String]>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<GoneRecord>, Fault> {
        let mut page = self.all.gone(connection, space, only, self.from(after), limit).await?;
        page.retain(|gone| self.own(&gone.stored.record.key));
        Ok(page)
    }

    async fn count(&self, connection: &str, begin: &str) -> Result<u64, Fault> {
        self.all.count(connection, if begin.is_empty() { self.begin } else { begin }).await
    }

    async fn mark_gone(&self, connection: &str, begin: &str, read: &str, run: &str, fence: u64) -> Result<u64, Fault> {
        self.all.mark_gone(connection, if begin.is_empty() { self.begin } else { begin }, read, run, fence).await
    }

    /// A row that cannot say which item it is stands for no item of any stream.
    async fn remember_read(&self, connection: &str, stream: &str, read: PastRead, of: ReadOf) -> Result<(), Fault> {
        self.all.remember_read(connection, stream, read, of).await
    }

    async fn use_read(&self, read: &str, stream: &str) -> Result<(), Fault> {
        self.all.use_read(read, stream).await
    }

    /// What another stream has read is none of this one's.
    async fn usable_read(&self, _: &str, _: &str, _: Option<DateTime<Utc>>, _: Duration) -> Result<Option<PastRead>, Fault> {
        Ok(None)
    }
}
