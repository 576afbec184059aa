//! The retry list in memory.

use std::collections::HashMap;

use async_trait::async_trait;

use super::{Memory, listing, seen, unused};
use crate::{
    engine::{
        ports::{Acted, Idempotency, Listing, PageRequest, RenderBox, Retries},
        retry_list::{Listed, RetryFilter, RetryItem},
    },
    fault::{Code, Fault, Result},
};

#[async_trait]
impl Retries for Memory {
    async fn between(&self, _: &str, _: &str, _: &str, _: &str) -> Result<HashMap<String, Listed>> {
        unused()
    }
    async fn taken_up(&self, _: &str, _: &str, _: &str, _: Vec<String>) -> Result<()> {
        unused()
    }
    async fn settle(&self, _: &str, _: &str, _: &str, _: bool) -> Result<()> {
        unused()
    }
    async fn of_item(&self, _: &str, _: &str) -> Result<Vec<RetryItem>> {
        unused()
    }
    async fn waiting(&self, _: &str) -> Result<u64> {
        unused()
    }
    async fn list(&self, filter: RetryFilter, page: PageRequest) -> Result<Listing<RetryItem>> {
        let rows = self.retries.lock().unwrap().clone();
        let wanted = |row: &RetryItem| {
            seen((&filter.flows, &filter.owner), &row.flow, &row.owner)
                && filter.class.is_none_or(|class| class == row.class)
                && filter.dismissed == row.dismissed_at.is_some()
        };
        listing(rows.into_iter().filter(wanted), &page)
    }
    async fn get(&self, id: &str) -> Result<Option<RetryItem>> {
        Ok(self.retries.lock().unwrap().iter().find(|row| row.id == id).cloned())
    }
    async fn make_due(&self, _: &str, _: &str, sources: Vec<String>) -> Result<()> {
        let mut rows = self.retries.lock().unwrap();
        rows.iter_mut().filter(|row| sources.contains(&row.source)).for_each(|row| row.next_at = crate::domain::clock::now());
        Ok(())
    }
    async fn dismiss(&self, id: &str, key: Option<Idempotency>, render: RenderBox<RetryItem>) -> Result<Acted<RetryItem>> {
        if let Some(replayed) = self.replay(&key)? {
            return Ok(replayed);
        }
        let mut rows = self.retries.lock().unwrap();
        let row = rows.iter_mut().find(|row| row.id == id).ok_or_else(|| Fault::new(Code::NotFound, "no item"))?;
        row.dismissed_at = Some(crate::domain::clock::now());
        Ok(self.acted(key, &render, row.clone()))
    }
    async fn failed_in(&self, _: &str, _: u32) -> Result<Vec<String>> {
        Ok(self.items.lock().unwrap().iter().map(|row| row.body.source.clone()).collect())
    }
}
