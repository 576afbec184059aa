//! Brakes: limits, readings, and what a run was over.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    api::json::Body,
    domain::text::{Lang, reason_text},
    engine::{brakes::Reading, service::brakes::Brakes},
};

/// When a brake trips: more than `share` of its base, and `from` or more.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BrakeLimit)]
pub struct BrakeLimitView {
    /// Whether it is in force.
    pub on: Option<bool>,
    /// Share of the base over which it trips, 0 to 1.
    pub share: Option<String>,
    /// Below this number it never trips.
    pub from: Option<u64>,
    /// For `prices_moved`: a price counts when it moves by more than this part of itself.
    pub by: Option<String>,
    /// For `price_jump`: how many times up or down.
    pub factor: Option<String>,
}

/// Limits by brake.
pub type LimitsByRule = BTreeMap<String, BrakeLimitView>;

/// What one brake found in the last run of a stream.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BrakeReading)]
pub struct ReadingView {
    /// The stream.
    pub stream: String,
    /// The run.
    pub run: String,
    /// When it had decided.
    #[serde(serialize_with = "super::time")]
    pub at: DateTime<Utc>,
    /// The brake.
    pub rule: String,
    /// How many it counted.
    pub count: u64,
    /// Out of how many.
    pub of: u64,
    /// The same in percent.
    pub percent: String,
    /// Whether it was over its limit.
    pub tripped: bool,
}

/// Limits and present readings.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Brakes)]
pub struct BrakesView {
    /// In force everywhere.
    #[schema(value_type = BTreeMap<String, BrakeLimitView>)]
    pub limits: Value,
    /// Laid over them in the first run of a stream.
    #[schema(value_type = BTreeMap<String, BrakeLimitView>)]
    pub first_run: Value,
    /// Laid over them in runs of a stream, by its key.
    #[schema(value_type = BTreeMap<String, LimitsByRule>)]
    pub streams: Value,
    /// What the last runs found.
    pub readings: Vec<ReadingView>,
}

impl BrakesView {
    /// Brakes as answers show them.
    pub fn of(brakes: Brakes) -> Self {
        let part = |name: &str| brakes.limits.get(name).cloned().unwrap_or_default();
        let (limits, first_run, streams) = (part("limits"), part("first_run"), part("streams"));
        let readings = brakes.readings.into_iter().flat_map(|(stream, last)| {
            let (run, at) = (last.run, last.decided_at);
            last.readings.into_iter().map(move |reading| ReadingView {
                stream: stream.clone(),
                run: run.clone(),
                at,
                rule: reading.rule.name().to_owned(),
                count: reading.count,
                of: reading.of,
                percent: reading.percent(),
                tripped: reading.tripped,
            })
        });
        Self { limits, first_run, streams, readings: readings.collect() }
    }
}

/// Limits to be set; what is absent has its default.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BrakesBody {
    /// In force everywhere.
    #[serde(default)]
    #[schema(value_type = Option<BTreeMap<String, BrakeLimitView>>)]
    limits: Option<Value>,
    /// Laid over them in the first run of a stream.
    #[serde(default)]
    #[schema(value_type = Option<BTreeMap<String, BrakeLimitView>>)]
    first_run: Option<Value>,
    /// Laid over them in runs of a stream, by its key.
    #[serde(default)]
    #[schema(value_type = Option<BTreeMap<String, LimitsByRule>>)]
    streams: Option<Value>,
    /// Not read: so that an answer can be changed and sent back.
    #[serde(default, rename = "readings")]
    #[schema(value_type = Option<Vec<Object>>)]
    _readings: IgnoredAny,
}

impl Body for BrakesBody {
    const REQUIRED: &'static [&'static str] = &[];
}

impl From<BrakesBody> for Value {
    fn from(body: BrakesBody) -> Self {
        let parts = [("limits", body.limits), ("first_run", body.first_run), ("streams", body.streams)];
        Self::Object(parts.into_iter().filter_map(|(name, part)| Some((name.to_owned(), part?))).collect::<Map<_, _>>())
    }
}

/// A brake that a run was over.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RunBrake)]
pub struct RunBrakeView {
    /// The brake.
    pub rule: String,
    /// How many it counted.
    pub count: u64,
    /// Out of how many.
    pub of: u64,
    /// The same in percent.
    pub percent: String,
    /// Why, and what to do, by `Accept-Language` (ru, uz, en, uk).
    pub text: String,
}

impl RunBrakeView {
    /// A reading in a language.
    pub fn of(reading: &Reading, lang: Lang) -> Self {
        let reason = reading.reason();
        Self {
            rule: reading.rule.name().to_owned(),
            count: reading.count,
            of: reading.of,
            percent: reading.percent(),
            text: reason_text(lang, &reason.code, &reason.params),
        }
    }
}
