//! Streams.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    api::json::{Body, nullable},
    engine::{
        model::Stream,
        service::streams::{NewStream, StreamPatch},
    },
};

/// The part of a connection synchronised on its own.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Stream)]
pub struct StreamView {
    /// Its key in the remote's words.
    pub stream: String,
    /// A name for people.
    pub name: String,
    /// A disabled stream starts no runs and does not count in sums.
    pub enabled: bool,
    /// Settings of this stream alone.
    #[schema(value_type = Object)]
    pub settings: Value,
    /// Everything before this moment of the source's clock has been dealt with.
    #[serde(serialize_with = "super::maybe_time")]
    pub cursor: Option<DateTime<Utc>>,
    /// Start of the last succeeded or partial real run.
    #[serde(serialize_with = "super::maybe_time")]
    pub last_synced_at: Option<DateTime<Utc>>,
    /// Start of the last whole read that fed it.
    #[serde(serialize_with = "super::maybe_time")]
    pub last_whole_read_at: Option<DateTime<Utc>>,
    /// Id of the last run, dry or real.
    pub last_run: Option<String>,
    /// When its schedule starts it next.
    #[serde(serialize_with = "super::maybe_time")]
    pub next_run_at: Option<DateTime<Utc>>,
}

impl StreamView {
    /// With the time of its next run by a schedule.
    #[must_use]
    pub fn running_next_at(mut self, next: Option<DateTime<Utc>>) -> Self {
        self.next_run_at = next;
        self
    }
}

impl From<&Stream> for StreamView {
    fn from(stream: &Stream) -> Self {
        Self {
            stream: stream.stream.clone(),
            name: stream.name.clone(),
            enabled: stream.enabled,
            settings: stream.settings.clone(),
            cursor: stream.cursor,
            last_synced_at: stream.last_synced_at,
            last_whole_read_at: stream.last_whole_read_at,
            last_run: stream.last_run.clone(),
            next_run_at: None,
        }
    }
}

/// All streams of a connection.
#[derive(Debug, Serialize, ToSchema)]
pub struct StreamList {
    /// By key.
    pub items: Vec<StreamView>,
    /// Always null: a connection has few streams, and they come at once.
    pub next_cursor: Option<String>,
}

/// A new stream.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewStream)]
pub struct StreamBody {
    /// Its key in the remote's words, as discover gives it.
    #[schema(min_length = 1, max_length = 191)]
    stream: String,
    /// A name for people; the key if absent.
    #[serde(default)]
    name: Option<String>,
    /// A disabled stream starts no runs and does not count in sums.
    #[serde(default)]
    #[schema(default = true)]
    enabled: Option<bool>,
    /// Settings of this stream alone.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    settings: Option<Map<String, Value>>,
}

impl Body for StreamBody {
    const REQUIRED: &'static [&'static str] = &["stream"];
}

impl From<StreamBody> for NewStream {
    fn from(body: StreamBody) -> Self {
        Self {
            stream: body.stream,
            name: body.name,
            enabled: body.enabled.unwrap_or(true),
            settings: Value::Object(body.settings.unwrap_or_default()),
        }
    }
}

/// A change of a stream (RFC 7396): what is absent stays, null means default.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StreamPatch)]
pub struct StreamPatchBody {
    /// A name for people.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, max_length = 190)]
    name: Option<Option<String>>,
    /// A disabled stream starts no runs and does not count in sums.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<bool>)]
    enabled: Option<Option<bool>>,
    /// Changes of settings; null inside = default.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Object>)]
    settings: Option<Option<Map<String, Value>>>,
    /// From where the next incremental run reads; null = from the beginning.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    cursor: Option<Option<DateTime<Utc>>>,
}

impl Body for StreamPatchBody {
    const REQUIRED: &'static [&'static str] = &[];
}

impl From<StreamPatchBody> for StreamPatch {
    fn from(body: StreamPatchBody) -> Self {
        Self {
            name: body.name,
            enabled: body.enabled,
            settings: body.settings.map(|settings| settings.map_or(Value::Null, Value::Object)),
            cursor: body.cursor,
        }
    }
}
