//! OneBox and OK Living as the engine's target: orders go into OneBox ([`sending`](super::sending)), what hooks ask for goes into the shop
//! ([`telling`](super::telling)).
//!
//! [`Looking`] can only look; [`Writing`] writes as well. What stands in OneBox is asked for where somebody asks, and for thin hooks; a run of
//! orders compares with what was last written, since OneBox's people change orders all day and nobody may put that back.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use async_trait::async_trait;
use serde_json::Value;

use super::{UPDATES, back, hook, orders::EXTERNAL_ID, process, sending, settings::Settings, telling};
use crate::{
    engine::{
        flow::{Apply, Lookup, Observation, Observe, Opened},
        hooks::Hooks,
        model::{Applied, Candidate, Change, Link, LinkState, Values},
    },
    fault::{Fault, Kind},
    systems::{okliving, onebox},
};

/// Fields of OneBox that somebody who asks is shown.
const ASKED: &[&str] = &["name", "statusid", "clientname", "clientphone", "clientaddress", "sum"];

/// What looking needs to know.
pub struct Sight {
    settings: Settings,
    connection: String,
    /// The run's stream; absent where somebody only asks.
    stream: Option<String>,
    hooks: Arc<dyn Hooks>,
    /// Our keys of the orders that will be looked at next, by OneBox's id.
    keys: HashMap<String, String>,
    /// Orders with a hook that wants to be filled from OneBox.
    thin: Option<HashSet<String>>,
    /// Looks into OneBox.
    looks: u64,
}

impl Sight {
    /// Sight for one run or question.
    pub fn new(opened: &Opened, settings: Settings, hooks: Arc<dyn Hooks>) -> Self {
        let (connection, stream) = (opened.connection.clone(), opened.stream.clone());
        Self { settings, connection, stream, hooks, keys: HashMap::new(), thin: None, looks: 0 }
    }

    fn is_updates(&self) -> bool {
        self.stream.as_deref() == Some(UPDATES)
    }

    /// Which fields are asked for: those of thin hooks, under their names, or what people look at.
    fn fields(&self) -> Vec<(&'static str, &str)> {
        let onebox = &self.settings.onebox;
        let own = [&onebox.ttn_field, &onebox.stage_field, &onebox.comment_field];
        let thin = back::SHOWN.into_iter().zip(own).filter_map(|(name, field)| Some((name, field.as_deref()?)));
        thin.collect()
    }

    async fn recall(&mut self, links: &HashMap<String, Link>) -> Result<(), Fault> {
        let linked = links.values().filter(|link| link.state == LinkState::Linked);
        self.keys = linked.filter_map(|link| Some((link.target.clone()?, link.source.clone()))).collect();
        if self.is_updates() && self.thin.is_none() {
            let open = self.hooks.open(&self.connection, UPDATES).await?;
            let thin = open.into_iter().filter(|open| hook::Ask::of(&open.ask).thin);
            self.thin = Some(thin.filter_map(|open| open.item).collect());
        }
        Ok(())
    }

    async fn observe(&mut self, onebox: &onebox::Client, targets: &[String]) -> Result<HashMap<String, Observation>, Fault> {
        let wanted: Vec<&String> = match (&self.stream, &self.thin) {
            // Orders are compared with what was last written.
            (Some(_), _) if !self.is_updates() => return Ok(HashMap::new()),
            (Some(_), Some(thin)) => targets.iter().filter(|target| self.keys.get(*target).is_some_and(|key| thin.contains(key))).collect(),
            _ => targets.iter().collect(),
        };
        if wanted.is_empty() {
            return Ok(HashMap::new());
        }
        self.looks += 1;
        let fields = self.fields();
        let mut names: Vec<&str> = fields.iter().map(|(_, field)| *field).collect();
        names.extend(ASKED.iter().copied().filter(|_| self.stream.is_none()));
        let mut found: HashMap<String, onebox::Found> = HashMap::new();
        let (known, unknown): (Vec<&String>, Vec<&String>) = wanted.into_iter().partition(|target| self.keys.contains_key(*target));
        let external: Vec<String> =
            known.iter().filter_map(|target| self.keys.get(*target)).map(|key| process::external_id(key, &self.settings)).collect();
        let looked = async {
            found.extend(onebox.by_externalid(&external, &names).await?.into_values().map(|order| (order.id.clone(), order)));
            let ids: Vec<String> = unknown.into_iter().cloned().collect();
            if !ids.is_empty() {
                found.extend(onebox.by_id(&ids, &names).await?);
            }
            Ok::<(), Fault>(())
        };
        match looked.await {
            Ok(()) => {}
            // Thin hooks wait; whatever else hooks ask for needs no OneBox.
            Err(fault) if self.is_updates() && fault.kind() == Kind::Unavailable => {
                tracing::warn!(error = %fault, "OneBox could not be looked at; hooks that bring everything themselves go on");
                return Ok(HashMap::new());
            }
            Err(fault) => return Err(fault),
        }
        Ok(found.into_iter().map(|(id, order)| (id, observation(&order, &fields))).collect())
    }

    async fn candidates(&mut self, onebox: &onebox::Client, lookups: &[Lookup]) -> Result<HashMap<String, Vec<Candidate>>, Fault> {
        let keys: HashMap<&str, &str> = lookups
            .iter()
            .filter_map(|lookup| {
                let key = lookup.keys.iter().find(|(name, _)| name == EXTERNAL_ID)?;
                Some((key.1.as_str(), lookup.source.as_str()))
            })
            .collect();
        let asked: Vec<String> = keys.keys().map(|key| (*key).to_owned()).collect();
        self.looks += 1;
        let found = onebox.by_externalid(&asked, &["name"]).await?;
        let candidate = |(key, order): (String, onebox::Found)| {
            let source = (*keys.get(key.as_str())?).to_owned();
            let name = order.fields.get("name").cloned().unwrap_or_default();
            Some((source, vec![Candidate { target: order.id, name, matched: vec![format!("{EXTERNAL_ID}={key}")] }]))
        };
        Ok(found.into_iter().filter_map(candidate).collect())
    }

    fn told(&self, changes: u64) -> Values {
        Values::from([("onebox_looks".to_owned(), Value::from(self.looks)), ("calls_needed".to_owned(), Value::from(changes))])
    }
}

fn observation(order: &onebox::Found, fields: &[(&'static str, &str)]) -> Observation {
    let mut values: Values = order.fields.iter().map(|(name, value)| (name.clone(), Value::from(value.clone()))).collect();
    for (name, field) in fields {
        values.insert((*name).to_owned(), order.fields.get(*field).map_or(Value::Null, |value| Value::from(value.clone())));
    }
    Observation { witness: None, owned: true, values }
}

/// The target for looking only.
pub struct Looking {
    sight: Sight,
    onebox: onebox::Client,
}

impl Looking {
    /// Looks by this client.
    pub fn new(sight: Sight, onebox: onebox::Client) -> Self {
        Self { sight, onebox }
    }
}

/// The target for writing.
pub struct Writing {
    sight: Sight,
    onebox: onebox::Writer,
    shop: okliving::Client,
}

impl Writing {
    /// Writes by these clients.
    pub fn new(sight: Sight, onebox: onebox::Writer, shop: okliving::Client) -> Self {
        Self { sight, onebox, shop }
    }
}

macro_rules! observes {
    ($($target:ty),+) => {$(
        #[async_trait]
        impl Observe for $target {
            async fn facts(&mut self) -> Result<Values, Fault> {
                Ok(Values::new())
            }

            async fn recall(&mut self, links: &HashMap<String, Link>) -> Result<(), Fault> {
                self.sight.recall(links).await
            }

            async fn observe(&mut self, targets: &[String]) -> Result<HashMap<String, Observation>, Fault> {
                self.sight.observe(&self.onebox, targets).await
            }

            async fn candidates(&mut self, lookups: &[Lookup]) -> Result<HashMap<String, Vec<Candidate>>, Fault> {
                self.sight.candidates(&self.onebox, lookups).await
            }

            async fn is_empty(&mut self) -> Result<bool, Fault> {
                Ok(false)
            }

            fn told(&self, changes: u64) -> Values {
                self.sight.told(changes)
            }
        }
    )+};
}

observes!(Looking, Writing);

#[async_trait]
impl Apply for Writing {
    async fn apply(&mut self, batch: &[Change], again: bool) -> Result<Vec<Applied>, Fault> {
        if self.sight.is_updates() {
            return telling::tell(&self.shop, batch, again, &self.sight.settings).await;
        }
        sending::send(&self.onebox, batch, &self.sight.settings).await
    }

    async fn complete(&mut self, creations: &[Change]) -> Result<Vec<Option<Applied>>, Fault> {
        match sending::look_for(&self.onebox, creations, &self.sight.settings).await {
            // What hooks ask for needs no OneBox. Whoever sends these orders next looks for them first.
            Err(fault) if self.sight.is_updates() && fault.kind() == Kind::Unavailable => Ok(creations.iter().map(|_| None).collect()),
            found => found,
        }
    }

    async fn recorded(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    async fn recorded_earlier(&mut self, _creations: &[Change]) -> Result<(), Fault> {
        Ok(())
    }

    async fn finish(&mut self, _changed: bool) -> Result<(), Fault> {
        Ok(())
    }
}
