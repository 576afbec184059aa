//! Alerts: what people are to be told of, by whom it is kept, and what is asked of those who tell.
//!
//! Here are only the words and the ports. The rules (is a stream stale?), the watch and the channels have a layer of their own, the folder `src/alerts`.
//!
//! - [`settings`]: what an administrator sets: rules with their thresholds, channels, language
//! - [`facts`]: what is looked at
//!
//! An alert belongs to a [`Scope`](super::service::Scope), the part of the connections that its settings were made for: those of one owner, those of
//! the flows of a key, or all. So nobody is told of what they may not see.

pub mod facts;
pub mod settings;

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    model::Reason,
    ports::{Acted, Idempotency, RenderBox},
    secrets,
    service::Scope,
};
use crate::fault::Fault;
use settings::Settings;

/// What is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[schema(as = AlertRule)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Runs of a stream failed, so many in a row.
    Failures,
    /// A brake holds changes of a run until a person decides.
    Held,
    /// A stream was not synchronised for so many of its periods.
    Stale,
    /// Many items of a stream fail again and again.
    RetryList,
    /// Due times of a schedule passed without a run, so many in a row.
    Skipped,
    /// Something that only a person can put right: a value that a remote does not keep, a number that is none.
    Attention,
    /// Nobody takes up what is due.
    NoWorker,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 7] = [Self::Failures, Self::Held, Self::Stale, Self::RetryList, Self::Skipped, Self::Attention, Self::NoWorker];

    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Failures => "failures",
            Self::Held => "held",
            Self::Stale => "stale",
            Self::RetryList => "retry_list",
            Self::Skipped => "skipped",
            Self::Attention => "attention",
            Self::NoWorker => "no_worker",
        }
    }
}

/// Which word of a story an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It began.
    Raised,
    /// It grew.
    Grown,
    /// It is still so.
    Reminder,
    /// It is well again.
    Over,
    /// A person pressed the test button.
    Test,
}

impl Phase {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Grown => "grown",
            Self::Reminder => "reminder",
            Self::Over => "over",
            Self::Test => "test",
        }
    }
}

/// What a condition is about. Empty = the whole service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Subject {
    /// Id of the connection.
    pub connection: String,
    /// The stream.
    pub stream: String,
}

/// What was found not to be as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Since when.
    pub since: DateTime<Utc>,
    /// How bad: one that rises is told again.
    #[serde(default)]
    pub level: u64,
    /// The run to look at.
    #[serde(default)]
    pub run: Option<String>,
    /// What fills its sentences: `count`, and words of the rule.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    /// Sentences of its own, such as why a brake holds a run.
    #[serde(default)]
    pub why: Vec<Reason>,
    /// Flow, names and owner, for people; empty for the whole service.
    #[serde(default)]
    pub place: Place,
}

/// Where something is, in people's words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The flow.
    pub flow: String,
    /// Name of the connection.
    pub connection: String,
    /// Name of the stream.
    pub stream: String,
    /// Owner of the connection.
    pub owner: Option<String>,
}

/// A condition that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Our id; a condition that ended and begins again is another one.
    pub id: String,
    /// The rule.
    pub rule: Rule,
    /// About what.
    pub subject: Subject,
    /// As it was found last.
    pub finding: Finding,
    /// When it was first found.
    pub seen_at: DateTime<Utc>,
    /// When it was last told; `None` = too early yet.
    pub told_at: Option<DateTime<Utc>>,
    /// The highest level that was told.
    pub told_level: u64,
    /// How many times it was told.
    pub told_times: u32,
}

/// What one alert tells of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct News {
    /// About what.
    pub subject: Subject,
    /// What was found.
    pub finding: Finding,
}

/// An alert as it is stored: what is told, in no language yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Our id: `webhook-id`, the same at every attempt.
    pub id: String,
    /// The rule; absent for a test.
    pub rule: Option<Rule>,
    /// Which word of the story.
    pub phase: Phase,
    /// When it was found out.
    pub at: DateTime<Utc>,
    /// One, or the first of many that happened together.
    pub news: Vec<News>,
    /// How many happened together.
    pub total: u64,
    /// Stored once under this name: condition and how many times it was told.
    #[serde(skip)]
    pub once: String,
}

/// What a look at the conditions of a scope comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// New or changed conditions.
    pub put: Vec<Condition>,
    /// Ids of conditions that are over.
    pub gone: Vec<String>,
    /// What is told, each with the channels that tell it.
    pub alerts: Vec<(Alert, Vec<String>)>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.put.is_empty() && self.gone.is_empty() && self.alerts.is_empty()
    }
}

/// Settings as they stand, for one part of the connections.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The part.
    pub scope: Scope,
    /// What was set.
    pub settings: Settings,
    /// Counts the changes; its ETag.
    pub version: u64,
}

/// How deliveries over one channel went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Going {
    /// Alerts that wait to be delivered.
    pub waiting: u64,
    /// When one was last delivered.
    pub delivered_at: Option<DateTime<Utc>>,
    /// When an attempt last failed.
    pub failed_at: Option<DateTime<Utc>>,
    /// Why.
    pub error: Option<String>,
}

/// An alert that a process has taken to deliver it.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The alert.
    pub alert: Alert,
    /// Fingerprint of the scope.
    pub scope: String,
    /// Id of the channel.
    pub channel: String,
    /// Number of this attempt, from 1.
    pub attempt: u32,
    /// How long ago it was made.
    pub age: std::time::Duration,
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// The channel took it.
    Done,
    /// It is tried again after this time (real time).
    Later(std::time::Duration, String),
    /// It was tried for too long.
    GivenUp(String),
    /// The channel was taken away or switched off.
    Dropped,
}

/// Decides over the conditions that stand, as often as the transaction is repeated.
pub type Decide = Box<dyn Fn(Vec<Condition>) -> Plan + Send + Sync>;

/// Settings, conditions, alerts and their deliveries in the store.
#[async_trait]
pub trait Alerts: Send + Sync {
    /// Settings of a scope, if anybody has set any.
    async fn settings(&self, scope: &str) -> Result<Option<Kept>, Fault>;
    /// All settings.
    async fn all_settings(&self) -> Result<Vec<Kept>, Fault>;
    /// Replaces the settings of a scope. `PreconditionFailed` unless the version is `expected` (`None` = whatever stands; nothing yet = 1). Settings that
    /// stand already are left as they are, with their version. Deliveries that wait are due at once, since their channel may have been mended.
    async fn replace(&self, scope: Scope, settings: Settings, expected: Option<u64>) -> Result<Kept, Fault>;
    /// Conditions of a scope, oldest first.
    async fn conditions(&self, scope: &str) -> Result<Vec<Condition>, Fault>;
    /// Conditions of all scopes.
    async fn all_conditions(&self) -> Result<Vec<(String, Condition)>, Fault>;
    /// Carries out what `decide` makes of the conditions of a scope, in one transaction under its lock; what was stored. Nothing happens when the settings
    /// are no longer those of `version`.
    async fn settle(&self, scope: &str, version: u64, decide: Decide) -> Result<Plan, Fault>;
    /// How each channel of a scope goes, by its id.
    async fn going(&self, scope: &str) -> Result<BTreeMap<String, Going>, Fault>;
    /// Takes the oldest waiting alert of each channel where it is due, at most `limit`; nobody else gets them for `lease`.
    async fn take(&self, limit: u32, lease: std::time::Duration) -> Result<Vec<Taken>, Fault>;
    /// Writes down what came of an attempt.
    async fn delivered(&self, taken: &Taken, outcome: &Delivered) -> Result<(), Fault>;
    /// Keeps the answer of a test for replay, with its entry in the audit.
    async fn keep_test(
        &self,
        tested: Vec<Tested>,
        key: Option<Idempotency>,
        render: RenderBox<Vec<Tested>>,
    ) -> Result<Acted<Vec<Tested>>, Fault>;
}

/// What came of a test message over one channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tested {
    /// Id of the channel.
    pub channel: String,
    /// Its kind.
    pub kind: &'static str,
    /// Whether it was taken.
    pub ok: bool,
    /// What happened.
    pub detail: String,
}

/// Who carries alerts over channels.
#[async_trait]
pub trait Messenger: Send + Sync {
    /// What is wrong with a channel: pointers relative to it.
    fn check(&self, channel: &settings::Channel, secrets: &BTreeMap<String, secrecy::SecretString>) -> Vec<crate::fault::FieldError>;
    /// Sends a test message over these channels of a scope, and says what happened.
    async fn test(&self, scope: &str, settings: &Settings, channels: &[String]) -> Vec<Tested>;
}

/// Fingerprint of a part of the connections, under which its settings are kept.
pub fn scope_key(scope: &Scope) -> String {
    let mut flows = scope.flows.clone().unwrap_or_default();
    flows.sort();
    let all = [if scope.flows.is_some() { "some flows" } else { "all flows" }, scope.owner.as_deref().map_or("anybody's", |_| "owned")];
    let parts = all.into_iter().chain([scope.owner.as_deref().unwrap_or_default()]).chain(flows.iter().map(String::as_str));
    secrets::fingerprint(&parts.map(str::as_bytes).collect::<Vec<_>>())
}

/// With what a channel's secrets are sealed together, so that none opens in the place of another.
pub fn sealed_for(scope: &str, channel: &str) -> String {
    format!("alerts {scope} {channel}")
}

/// Settings for the audit: secrets masked; one that `other` has with another value is `replaced`.
pub fn for_audit(settings: &Settings, other: Option<&Settings>) -> Value {
    let mut shown = serde_json::to_value(settings).unwrap_or_default();
    let channels = shown.get_mut("channels").and_then(Value::as_array_mut).into_iter().flatten();
    for (view, channel) in channels.zip(&settings.channels) {
        let before = other.and_then(|other| other.channels.iter().find(|before| before.id == channel.id));
        let mask = |(name, sealed): (&String, &String)| {
            let replaced = before.and_then(|before| before.secrets.get(name)).is_some_and(|before| before != sealed);
            (name.clone(), Value::from(if replaced { "replaced" } else { "set" }))
        };
        if let Some(members) = view.as_object_mut() {
            members.insert("secrets".to_owned(), Value::Object(channel.secrets.iter().map(mask).collect()));
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_the_connections_has_settings_of_its_own() {
        let of = |flows: Option<&[&str]>, owner: Option<&str>| {
            let flows = flows.map(|flows| flows.iter().map(|flow| (*flow).to_owned()).collect());
            scope_key(&Scope { flows, owner: owner.map(str::to_owned) })
        };
        let all = [
            of(None, None),
            of(None, Some("seller:42")),
            of(None, Some("seller:43")),
            of(Some(&["a"]), None),
            of(Some(&["a", "b"]), None),
            of(Some(&["a"]), Some("seller:42")),
            of(Some(&[]), None),
        ];
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len());
        assert_eq!(of(Some(&["a", "b"]), None), of(Some(&["b", "a"]), None));
    }
}
