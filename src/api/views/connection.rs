//! Connections.

use std::{collections::BTreeMap, fmt};

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    api::json::{Body, nullable},
    engine::{
        flow::{Check, Discovered},
        model::Connection,
        service::{
            connections::{ConnectionPatch, NewConnection},
            merge,
        },
    },
};

/// One pair of accounts for a flow.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Connection)]
pub struct ConnectionView {
    /// Its id.
    pub id: String,
    /// Its flow; never changes.
    pub flow: String,
    /// A name for people.
    pub name: String,
    /// Whose it is.
    pub owner: Option<String>,
    /// A disabled connection starts no runs.
    pub enabled: bool,
    /// Settings as given; what is absent has its default.
    #[schema(value_type = Object)]
    pub settings: Value,
    /// Which secrets are stored; values are never shown.
    pub secrets: BTreeMap<String, &'static str>,
    /// When it was made.
    #[serde(serialize_with = "super::time")]
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    #[serde(serialize_with = "super::time")]
    pub updated_at: DateTime<Utc>,
}

impl From<&Connection> for ConnectionView {
    fn from(connection: &Connection) -> Self {
        Self {
            id: connection.id.clone(),
            flow: connection.flow.clone(),
            name: connection.name.clone(),
            owner: connection.owner.clone(),
            enabled: connection.enabled,
            settings: connection.settings.clone(),
            secrets: connection.secrets.keys().map(|name| (name.clone(), merge::SET)).collect(),
            created_at: connection.created_at,
            updated_at: connection.updated_at,
        }
    }
}

/// A secret on its way in. Shows nothing when printed, and is wiped when dropped.
#[derive(Clone)]
pub struct SecretIn(SecretString);

impl fmt::Debug for SecretIn {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("[secret]")
    }
}

impl<'de> Deserialize<'de> for SecretIn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = SecretIn;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a string")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<SecretIn, E> {
                Ok(SecretIn(SecretString::from(text)))
            }
        }
        // serde's own words would quote what was given instead of a string; they go into an answer, so the kind alone is told.
        deserializer.deserialize_str(Visitor).map_err(|_| serde::de::Error::custom("must be a string, or null to delete it"))
    }
}

pub(super) type Secrets = BTreeMap<String, Option<SecretIn>>;

/// As the service takes them.
pub(super) fn secrets(given: Secrets) -> BTreeMap<String, Option<SecretString>> {
    given.into_iter().map(|(name, secret)| (name, secret.map(|secret| secret.0))).collect()
}

/// A new connection.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewConnection)]
pub struct ConnectionBody {
    /// One of the flows.
    flow: String,
    /// A name for people.
    #[schema(min_length = 1, max_length = 190)]
    name: String,
    /// Whose it is, such as `seller:42`. A key narrowed to an owner gives its own.
    #[serde(default)]
    #[schema(pattern = "^[a-z][a-z0-9_-]{0,31}:[A-Za-z0-9._@-]{1,128}$")]
    owner: Option<String>,
    /// A disabled connection starts no runs.
    #[serde(default)]
    #[schema(default = true)]
    enabled: Option<bool>,
    /// Settings of its flow; what is absent or null has its default.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    settings: Option<Map<String, Value>>,
    /// Secrets of its flow by name.
    #[serde(default)]
    #[schema(value_type = Option<Object>, write_only)]
    secrets: Option<Secrets>,
}

impl Body for ConnectionBody {
    const REQUIRED: &'static [&'static str] = &["flow", "name"];
}

impl From<ConnectionBody> for NewConnection {
    fn from(body: ConnectionBody) -> Self {
        Self {
            flow: body.flow,
            name: body.name,
            owner: body.owner,
            enabled: body.enabled.unwrap_or(true),
            settings: Value::Object(body.settings.unwrap_or_default()),
            secrets: secrets(body.secrets.unwrap_or_default()),
        }
    }
}

/// A change of a connection (RFC 7396): what is absent stays, null means default or delete.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ConnectionPatch)]
pub struct ConnectionPatchBody {
    /// May be repeated, never changed.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    flow: Option<Option<String>>,
    /// A name for people.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, max_length = 190)]
    name: Option<Option<String>>,
    /// Whose it is; null = nobody's.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    owner: Option<Option<String>>,
    /// A disabled connection starts no runs.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<bool>)]
    enabled: Option<Option<bool>>,
    /// Changes of settings; null inside = default.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Object>)]
    settings: Option<Option<Map<String, Value>>>,
    /// Value = set, `"set"` = unchanged, null = delete.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Object>, write_only)]
    secrets: Option<Option<Secrets>>,
}

impl Body for ConnectionPatchBody {
    const REQUIRED: &'static [&'static str] = &[];
}

impl From<ConnectionPatchBody> for ConnectionPatch {
    fn from(body: ConnectionPatchBody) -> Self {
        Self {
            flow: body.flow,
            name: body.name,
            owner: body.owner,
            enabled: body.enabled,
            settings: body.settings.map(|settings| settings.map_or(Value::Null, Value::Object)),
            secrets: body.secrets.map(|given| given.map(secrets)),
        }
    }
}

/// What a check found.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckView {
    /// Whether all is well.
    pub ok: bool,
    /// What was looked at.
    pub checks: Vec<Check>,
}

/// What streams the remote offers.
#[derive(Debug, Serialize, ToSchema)]
pub struct DiscoverView {
    /// One per stream.
    pub items: Vec<Discovered>,
}
