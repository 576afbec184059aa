//! What stands, in memory: nothing.

use async_trait::async_trait;

use super::{Memory, unused};
use crate::{
    engine::{
        model::Outcome,
        ports::{Listing, PageRequest},
        standing::{Left, Standing, StandingItem, StandingItems},
    },
    fault::Result,
};

#[async_trait]
impl StandingItems for Memory {
    async fn left(&self, _: &str, _: &str, _: bool) -> Result<Left> {
        unused()
    }
    async fn standing(&self, _: &str, _: &str, _: &str, _: &str) -> Result<Standing> {
        unused()
    }
    async fn settle_standing(&self, _: &str, _: &str, _: &str, _: bool) -> Result<()> {
        unused()
    }
    async fn list_standing(&self, _: &str, _: &str, _: Option<Outcome>, _: PageRequest) -> Result<Listing<StandingItem>> {
        Ok(Listing { items: Vec::new(), next: None })
    }
}
