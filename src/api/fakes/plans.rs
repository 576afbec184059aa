//! Plans in memory: the API asks only for the last readings.

use async_trait::async_trait;

use super::{Memory, unused};
use crate::{
    engine::{brakes::*, model::*, plans::*},
    fault::Result,
};

#[async_trait]
impl Plans for Memory {
    async fn usual_size(&self, _: &str, _: &str, _: &str) -> Result<Option<u64>> {
        unused()
    }
    async fn flagged(&self, _: &str, _: u16, _: u64, _: u32) -> Result<Vec<(Change, u16)>> {
        unused()
    }
    async fn hold(&self, _: &str, _: u64, _: Vec<(Change, Parted)>) -> Result<u64> {
        unused()
    }
    async fn decided(&self, _: &Run, _: u64, _: Verdict) -> Result<()> {
        unused()
    }
    async fn note(&self, _: &str, _: u64, _: Reading) -> Result<()> {
        unused()
    }
    async fn waiting(&self, _: &str) -> Result<u64> {
        unused()
    }
    async fn release(&self, _: &str, _: u64) -> Result<Counts> {
        unused()
    }
    async fn planned(&self, _: &str, _: u32) -> Result<Vec<Change>> {
        unused()
    }
    async fn leave(&self, _: &str, _: u64, _: Vec<(Change, Reason)>) -> Result<Counts> {
        unused()
    }
    async fn newer(&self, _: &str) -> Result<Newer> {
        unused()
    }
    async fn expire(&self) -> Result<u64> {
        unused()
    }
    async fn last_readings(&self, connection: &str, stream: &str) -> Result<Option<LastReadings>> {
        let runs = self.runs.lock().unwrap();
        let last = runs.iter().rev().find(|run| run.connection == connection && run.stream == stream && run.plan.decided_at.is_some());
        Ok(last.and_then(|run| {
            Some(LastReadings { run: run.id.clone(), decided_at: run.plan.decided_at?, readings: run.plan.readings.clone() })
        }))
    }
}
