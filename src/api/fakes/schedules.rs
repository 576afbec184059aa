//! Schedules in memory: none. What they do is tested with a database.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Memory, unused};
use crate::{
    engine::{
        model::Run,
        ports::{Acted, Idempotency, Listing, PageRequest, RenderBox},
        schedule::{Due, Outcome, Schedule, ScheduleFilter, Schedules, Skip, tick::Tick},
    },
    fault::Result,
};

#[async_trait]
impl Schedules for Memory {
    async fn now(&self) -> Result<DateTime<Utc>> {
        Ok(Utc::now())
    }
    async fn create(&self, _: Schedule, _: Option<Idempotency>, _: RenderBox<Schedule>) -> Result<Acted<Schedule>> {
        unused()
    }
    async fn get(&self, _: &str) -> Result<Option<Schedule>> {
        Ok(None)
    }
    async fn list(&self, _: ScheduleFilter, _: PageRequest) -> Result<Listing<Schedule>> {
        Ok(Listing { items: Vec::new(), next: None })
    }
    async fn update(&self, _: Schedule, _: u64, _: Option<Idempotency>, _: RenderBox<Schedule>) -> Result<Acted<Schedule>> {
        unused()
    }
    async fn delete(&self, _: &str) -> Result<()> {
        unused()
    }
    async fn runs(&self, _: &str, _: PageRequest) -> Result<Listing<Run>> {
        unused()
    }
    async fn skips(&self, _: &str, _: PageRequest) -> Result<Listing<Skip>> {
        unused()
    }
    async fn next_runs(&self, _: &str) -> Result<Vec<(String, DateTime<Utc>)>> {
        Ok(Vec::new())
    }
    async fn take_due(&self, _: u32, _: fn(Due) -> (Schedule, Tick)) -> Result<Vec<(Schedule, Tick, Outcome)>> {
        unused()
    }
}
