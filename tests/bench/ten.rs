//! A flow whose runs do ten milliseconds of work and change nothing: what a schedule costs besides is the engine's own.

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tradesync::{
    engine::{
        flow::*,
        model::{Applied, Candidate, Change, Op, Outcome, Reason, Record, Stream, Values},
    },
    fault::{Fault, FieldError},
};

/// The work of one run.
const WORK: Duration = Duration::from_millis(10);

pub const NAME: &str = "ten-milliseconds";

pub struct Ten;

#[async_trait]
impl Flow for Ten {
    fn name(&self) -> &'static str {
        NAME
    }
    fn stream_names(&self) -> StreamNames {
        StreamNames::Free
    }
    fn secret_names(&self) -> &'static [(&'static str, bool)] {
        &[]
    }
    fn validate(&self, _: &Value, _: &[&str]) -> Result<(), Vec<FieldError>> {
        Ok(())
    }
    fn validate_stream(&self, _: &str, _: &Value) -> Result<(), Vec<FieldError>> {
        Ok(())
    }
    fn source_system(&self, _: &Value) -> &'static str {
        NAME
    }
    fn identity(&self, opened: &Opened) -> Result<Identity, Fault> {
        Ok(Identity { source: opened.connection.clone(), target: opened.connection.clone() })
    }
    async fn check(&self, _: &Opened) -> Vec<Check> {
        Vec::new()
    }
    async fn discover(&self, _: &Opened, _: Vec<Discovered>) -> Result<Vec<Discovered>, Fault> {
        Ok(Vec::new())
    }
    fn engine_settings(&self, _: &Opened) -> Result<EngineSettings, Fault> {
        let hour = Duration::from_secs(3_600);
        Ok(EngineSettings { full_every: Some(hour), read_reuse: Duration::ZERO, max_failed_share: 1.0, overlap: Duration::from_secs(60) })
    }
    async fn source(&self, _: &Opened, _: CancellationToken) -> Result<Box<dyn Source>, Fault> {
        Ok(Box::new(Nothing))
    }
    async fn observer(&self, _: &Opened) -> Result<Box<dyn Observe>, Fault> {
        Ok(Box::new(Nothing))
    }
    async fn target(&self, _: &Opened) -> Result<Box<dyn Apply>, Fault> {
        Ok(Box::new(Nothing))
    }
    fn rules(&self, _: &Opened, _: &str, _: &[Stream], _: Facts) -> Result<Box<dyn Rules>, Fault> {
        Ok(Box::new(Nothing))
    }
}

struct Nothing;

#[async_trait]
impl Source for Nothing {
    async fn account(&mut self) -> Result<Option<String>, Fault> {
        Ok(None)
    }
    async fn facts(&mut self) -> Result<Values, Fault> {
        Ok(Values::new())
    }
    async fn read(&mut self, _: Option<DateTime<Utc>>, pages: &mut dyn PageSink) -> Result<ReadEnd, Fault> {
        tokio::time::sleep(WORK).await;
        let started_at = tradesync::domain::clock::now();
        let record = Record { key: "one".into(), name: "One".into(), payload: "{}".into(), source_changed_at: None };
        pages.page(Page { records: vec![record], total: Some(1), started_at }).await?;
        Ok(ReadEnd { started_at, doubt: None, offered: Vec::new() })
    }
}

#[async_trait]
impl Observe for Nothing {
    async fn facts(&mut self) -> Result<Values, Fault> {
        Ok(Values::new())
    }
    async fn observe(&mut self, _: &[String]) -> Result<HashMap<String, Observation>, Fault> {
        Ok(HashMap::new())
    }
    async fn candidates(&mut self, _: &[Lookup]) -> Result<HashMap<String, Vec<Candidate>>, Fault> {
        Ok(HashMap::new())
    }
    async fn is_empty(&mut self) -> Result<bool, Fault> {
        Ok(true)
    }
}

#[async_trait]
impl Apply for Nothing {
    async fn apply(&mut self, _: &[Change], _: bool) -> Result<Vec<Applied>, Fault> {
        Ok(Vec::new())
    }
    async fn complete(&mut self, _: &[Change]) -> Result<Vec<Option<Applied>>, Fault> {
        Ok(Vec::new())
    }
    async fn recorded(&mut self) -> Result<(), Fault> {
        Ok(())
    }
    async fn recorded_earlier(&mut self, _: &[Change]) -> Result<(), Fault> {
        Ok(())
    }
    async fn finish(&mut self, _: bool) -> Result<(), Fault> {
        Ok(())
    }
}

impl Rules for Nothing {
    fn lookup(&self, _: &str, _: &str) -> Option<Lookup> {
        None
    }
    fn decide(&self, _: &Item<'_>) -> Decision {
        Decision {
            outcome: Outcome::Unchanged,
            op: Op::None,
            reason: Reason::new("unchanged"),
            fields: Vec::new(),
            fault: None,
            link: LinkDecision::Keep,
            undo: "never:nothing was written",
        }
    }
}
