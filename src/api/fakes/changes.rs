//! Changes in memory: the API lists items and asks what is still kept.

use async_trait::async_trait;

use super::{Memory, listing, unused};
use crate::{
    engine::{model::*, ports::*},
    fault::Result,
};

#[async_trait]
impl Changes for Memory {
    async fn clear(&self, _: &str, _: u64) -> Result<()> {
        unused()
    }
    async fn plan(&self, _: &str, _: u64, _: Vec<NewChange>) -> Result<()> {
        unused()
    }
    async fn next_batch(&self, _: &str, _: u64, _: u32, _: Option<u64>) -> Result<(Vec<Change>, bool)> {
        unused()
    }
    async fn record(&self, _: &str, _: u64, _: &str, _: Vec<(Change, Applied)>) -> Result<Counts> {
        unused()
    }
    async fn leftovers(&self, _: &str, _: &str, _: u64, _: u32) -> Result<Vec<Change>> {
        unused()
    }
    async fn withdraw(&self, _: &str, _: u64, _: &[Change]) -> Result<()> {
        unused()
    }
    async fn last_created(&self, _: &str, _: u32) -> Result<Vec<Change>> {
        unused()
    }
    async fn revise(&self, _: &str, _: u64, _: &[Change]) -> Result<()> {
        unused()
    }
    async fn kept(&self, _: &str) -> Result<u64> {
        unused()
    }
    async fn applied(&self, _: &str, _: Option<u64>, _: u32) -> Result<Vec<Change>> {
        unused()
    }
    async fn of_item(&self, _: &str, _: &str, _: u32) -> Result<Vec<PastChange>> {
        unused()
    }
    async fn items(&self, _: &str, filter: ItemFilter, page: PageRequest) -> Result<Listing<ItemRow>> {
        let rows = self.items.lock().unwrap().clone();
        listing(rows.into_iter().filter(|row| filter.outcome.is_none_or(|outcome| row.outcome == outcome)), &page)
    }
}
