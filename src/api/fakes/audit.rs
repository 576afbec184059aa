//! The audit in memory: nothing here writes entries where it acts, so every one comes from the frame.

use async_trait::async_trait;
use serde_json::Value;

use super::{Memory, listing};
use crate::{
    domain::{clock, ids},
    engine::{
        audit::{Audit, AuditFilter, Entry, current},
        ports::{Listing, PageRequest},
    },
    fault::Result,
};

#[async_trait]
impl Audit for Memory {
    async fn record(&self, after: Option<Value>) -> Result<()> {
        let act = current().expect("an entry is written as a part of its act");
        let (flow, connection, owner, run) = (None, None, None, None);
        let entry =
            Entry { id: ids::fresh(), at: clock::now(), actor: act.actor.clone(), flow, connection, owner, run, before: None, after };
        self.audit.lock().unwrap().push(entry);
        Ok(())
    }
    async fn list(&self, _: AuditFilter, page: PageRequest) -> Result<Listing<Entry>> {
        listing(self.audit.lock().unwrap().clone().into_iter(), &page)
    }
}
