//! No hooks.

use async_trait::async_trait;

use super::{Memory, unused};
use crate::{
    engine::hooks::{DueStream, End, Hook, Hooks, NewHook, PastHook},
    fault::Result,
};

#[async_trait]
impl Hooks for Memory {
    async fn receive(&self, _: NewHook) -> Result<u64> {
        unused()
    }
    async fn due(&self) -> Result<Vec<DueStream>> {
        unused()
    }
    async fn place_by_links(&self, _: &str, _: &str, _: &str) -> Result<()> {
        unused()
    }
    async fn unplaced(&self, _: &str, _: &str, _: u32) -> Result<Vec<Hook>> {
        unused()
    }
    async fn place(&self, _: &str, _: Vec<(u64, String)>) -> Result<()> {
        unused()
    }
    async fn unrecorded(&self, _: &str, _: &str, _: u32) -> Result<Vec<String>> {
        unused()
    }
    async fn take(&self, _: &str, _: &str) -> Result<Vec<Hook>> {
        unused()
    }
    async fn open(&self, _: &str, _: &str) -> Result<Vec<Hook>> {
        unused()
    }
    async fn settle(&self, _: &str, _: &[u64], _: Option<&str>, _: End) -> Result<()> {
        unused()
    }
    async fn of_item(&self, _: &str, _: &str, _: u32) -> Result<Vec<PastHook>> {
        unused()
    }
}
