//! Links in memory.

use std::collections::HashMap;

use async_trait::async_trait;

use super::{Memory, listing, unused};
use crate::{
    engine::{
        link::{Link, LinkState, Noted},
        ports::*,
    },
    fault::Result,
};

#[async_trait]
impl Links for Memory {
    async fn by_sources(&self, space: &str, sources: &[String]) -> Result<HashMap<String, Link>> {
        let rows = self.links.lock().unwrap();
        Ok(sources
            .iter()
            .filter_map(|source| rows.get(&(space.to_owned(), source.clone())).map(|link| (source.clone(), link.clone())))
            .collect())
    }
    async fn holding(&self, _: &str, _: &[String]) -> Result<HashMap<String, Holding>> {
        unused()
    }
    async fn linked_targets(&self, space: &str, targets: &[String]) -> Result<HashMap<String, Holder>> {
        let rows = self.links.lock().unwrap();
        let linked = rows.iter().filter(|((of, _), link)| of == space && link.state == LinkState::Linked);
        Ok(linked
            .filter_map(|(_, link)| {
                let target = link.target.clone().filter(|target| targets.contains(target))?;
                Some((target, Holder { space: space.to_owned(), source: link.source.clone(), witness: link.witness.clone() }))
            })
            .collect())
    }
    async fn has_aside(&self, _: &str) -> Result<bool> {
        Ok(false)
    }
    async fn linked(&self, space: &str) -> Result<u64> {
        Ok(self.links.lock().unwrap().iter().filter(|((of, _), link)| of == space && link.state == LinkState::Linked).count() as u64)
    }
    async fn release(&self, _: &str, _: Vec<(String, Vec<String>)>) -> Result<()> {
        unused()
    }
    async fn ask(&self, _: &str, _: Vec<Link>, _: Vec<String>) -> Result<()> {
        unused()
    }
    async fn note(&self, _: &str, _: &str, _: Vec<Noted>) -> Result<()> {
        unused()
    }
    async fn list(&self, space: &str, filter: LinkFilter, page: PageRequest) -> Result<Listing<Link>> {
        let rows = self.links.lock().unwrap().clone();
        listing(
            rows.into_iter()
                .filter(|((of, _), link)| of == space && filter.state.is_none_or(|state| link.state == state))
                .map(|(_, link)| link),
            &page,
        )
    }
    async fn set(&self, space: &str, link: Link, key: Option<Idempotency>, render: RenderBox<Link>) -> Result<Acted<Link>> {
        if let Some(replayed) = self.replay(&key)? {
            return Ok(replayed);
        }
        self.links.lock().unwrap().insert((space.to_owned(), link.source.clone()), link.clone());
        Ok(self.acted(key, &render, link))
    }
    async fn remove(&self, space: &str, source: &str) -> Result<bool> {
        Ok(self.links.lock().unwrap().remove(&(space.to_owned(), source.to_owned())).is_some())
    }
}
