//! A flow without remotes.

use std::collections::HashMap;

use async_trait::async_trait;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::unused;
use crate::{
    engine::{
        flow::{Apply, Check, Discovered, EngineSettings, Facts, Flow, Identity, Observation, Observe, Opened, Rules, Source, StreamNames},
        mapping::{Group, Grouping, TargetGroup},
        model::{Candidate, Stream, Values},
    },
    fault::{FieldError, Result},
};

/// A flow without remotes; settings: `api`, `address`, `number`.
pub struct Plain {
    pub name: &'static str,
    pub names: StreamNames,
}

struct Shop;

#[async_trait]
impl Observe for Shop {
    async fn facts(&mut self) -> Result<Values> {
        Ok(Values::new())
    }
    async fn observe(&mut self, targets: &[String]) -> Result<HashMap<String, Observation>> {
        let known = targets.iter().filter(|target| ["50", "51", "99"].contains(&target.as_str()));
        Ok(known
            .map(|target| (target.clone(), Observation { witness: Some("w".into()), owned: target != "99", values: Values::new() }))
            .collect())
    }
    async fn candidates(&mut self, _: &[crate::engine::flow::Lookup]) -> Result<HashMap<String, Vec<Candidate>>> {
        unused()
    }
    async fn is_empty(&mut self) -> Result<bool> {
        unused()
    }
}

#[async_trait]
impl Grouping for Plain {
    async fn source_groups(&self, _: &Opened, _: CancellationToken) -> Result<Option<Vec<Group>>> {
        let group =
            |key: &str, name: &str, parent: Option<&str>| Group { key: key.into(), name: name.into(), parent: parent.map(str::to_owned) };
        Ok(Some(vec![group("c0", "Одежда", None), group("c1", "Футболки", Some("c0"))]))
    }
    async fn target_groups(&self, _: &Opened) -> Result<Vec<TargetGroup>> {
        let group = |key: &str, path: &[&str]| TargetGroup { key: key.into(), path: path.iter().map(|name| (*name).to_owned()).collect() };
        Ok(vec![group("20", &["Одежда"]), group("24", &["Одежда", "Футболки"])])
    }
}

#[async_trait]
impl Flow for Plain {
    fn name(&self) -> &'static str {
        self.name
    }
    fn stream_names(&self) -> StreamNames {
        self.names
    }
    fn secret_names(&self) -> &'static [(&'static str, bool)] {
        &[("secret", true), ("username", false)]
    }
    fn validate(&self, settings: &Value, _: &[&str]) -> Result<(), Vec<FieldError>> {
        let known = ["api", "address", "number", "unmapped_category", "default_category_id", "stock_buffer"];
        let wrong = settings.as_object().into_iter().flatten().filter(|(name, _)| !known.contains(&name.as_str()));
        let wrong = wrong.map(|(name, _)| FieldError::new(format!("/settings/{name}"), "unknown setting")).collect::<Vec<_>>();
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
    fn validate_stream(&self, stream: &str, _: &Value) -> Result<(), Vec<FieldError>> {
        if stream == "bad" { Err(vec![FieldError::new("/stream", "no such shop")]) } else { Ok(()) }
    }
    fn source_system(&self, _: &Value) -> &'static str {
        "billz2"
    }
    fn identity(&self, opened: &Opened) -> Result<Identity> {
        let text = |name: &str| opened.settings.get(name).map(Value::to_string).unwrap_or_default();
        Ok(Identity { source: text("api"), target: text("address") })
    }
    async fn check(&self, _: &Opened) -> Vec<Check> {
        vec![Check { name: "login".into(), ok: true, detail: "well".into() }]
    }
    fn succeeds(&self, before: &Value, after: &Value) -> bool {
        before["api"] == "billz1" && after["api"] == "billz2"
    }
    async fn discover(&self, _: &Opened, _: Vec<Discovered>) -> Result<Vec<Discovered>> {
        Ok(vec![Discovered { stream: "s".into(), name: "S".into() }])
    }
    fn engine_settings(&self, _: &Opened) -> Result<EngineSettings> {
        unused()
    }
    async fn source(&self, _: &Opened, _: CancellationToken) -> Result<Box<dyn Source>> {
        unused()
    }
    async fn observer(&self, _: &Opened) -> Result<Box<dyn Observe>> {
        Ok(Box::new(Shop))
    }
    async fn target(&self, _: &Opened) -> Result<Box<dyn Apply>> {
        unused()
    }
    fn grouping(&self) -> Option<&dyn Grouping> {
        matches!(self.names, StreamNames::Free).then_some(self as &dyn Grouping)
    }
    fn lockable(&self) -> &'static [&'static str] {
        &["price", "special", "name"]
    }
    fn rules(&self, _: &Opened, _: &str, _: &[Stream], _: Facts) -> Result<Box<dyn Rules>> {
        unused()
    }
}
