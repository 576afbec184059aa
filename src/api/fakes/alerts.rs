//! Settings of alerts in memory, and a messenger whose messages always arrive.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;

use super::{Memory, unused};
use crate::{
    engine::{
        alerts::{
            Alerts, Condition, Decide, Delivered, Going, Kept, Messenger, Plan, Taken, Tested, scope_key,
            settings::{Channel, Settings},
        },
        ports::{Acted, Idempotency, RenderBox},
        service::Scope,
    },
    fault::{Code, Fault, FieldError, Result},
};

#[async_trait]
impl Alerts for Memory {
    async fn settings(&self, scope: &str) -> Result<Option<Kept>> {
        Ok(self.alerts.lock().unwrap().get(scope).cloned())
    }
    async fn all_settings(&self) -> Result<Vec<Kept>> {
        unused()
    }
    async fn replace(&self, scope: Scope, settings: Settings, expected: Option<u64>) -> Result<Kept> {
        let mut all = self.alerts.lock().unwrap();
        let kept = all.entry(scope_key(&scope)).or_insert(Kept { scope, settings: Settings::default(), version: 1 });
        if kept.settings != settings {
            if expected.is_some_and(|expected| expected != kept.version) {
                return Err(Fault::new(Code::PreconditionFailed, "changed"));
            }
            (kept.settings, kept.version) = (settings, kept.version + 1);
        }
        Ok(kept.clone())
    }
    async fn conditions(&self, _: &str) -> Result<Vec<Condition>> {
        Ok(Vec::new())
    }
    async fn all_conditions(&self) -> Result<Vec<(String, Condition)>> {
        unused()
    }
    async fn settle(&self, _: &str, _: u64, _: Decide) -> Result<Plan> {
        unused()
    }
    async fn going(&self, _: &str) -> Result<BTreeMap<String, Going>> {
        Ok(BTreeMap::new())
    }
    async fn take(&self, _: u32, _: Duration) -> Result<Vec<Taken>> {
        unused()
    }
    async fn delivered(&self, _: &Taken, _: &Delivered) -> Result<()> {
        unused()
    }
    async fn keep_test(&self, tested: Vec<Tested>, key: Option<Idempotency>, render: RenderBox<Vec<Tested>>) -> Result<Acted<Vec<Tested>>> {
        Ok(self.acted(key, &render, tested))
    }
}

/// Takes everything.
pub struct Fine;

#[async_trait]
impl Messenger for Fine {
    fn check(&self, _: &Channel, _: &BTreeMap<String, secrecy::SecretString>) -> Vec<FieldError> {
        Vec::new()
    }
    async fn test(&self, _: &str, settings: &Settings, channels: &[String]) -> Vec<Tested> {
        let chosen = settings.channels.iter().filter(|channel| channels.contains(&channel.id));
        chosen.map(|channel| Tested { channel: channel.id.clone(), kind: channel.way.kind(), ok: true, detail: "taken".into() }).collect()
    }
}
