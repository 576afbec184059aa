//! Alerts: who is told of what, over which channels; a test of them.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};

use super::{Scope, Service, connections::require_version, merge};
use crate::{
    engine::{
        alerts::{
            Condition, Going, Kept, Rule, Tested, scope_key, sealed_for,
            settings::{Channel, Rules, Settings, Way},
        },
        ports::{Acted, Idempotency, RenderBox},
    },
    fault::{Code, Fault, FieldError, Result},
};

/// A channel as a caller gives it.
pub struct NewChannel {
    /// Its name.
    pub id: String,
    /// Whether it is used.
    pub on: bool,
    /// Its language.
    pub language: Option<String>,
    /// Only these rules.
    pub rules: Option<Vec<Rule>>,
    /// Where and how; or what is wrong with its form.
    pub way: Result<Way, Vec<FieldError>>,
    /// Secrets by name; `"set"` = as it was.
    pub secrets: BTreeMap<String, Option<SecretString>>,
}

/// Settings as a caller gives them; what is absent has its default.
pub struct NewAlerts {
    /// Language of messages.
    pub language: Option<String>,
    /// Time zone of the times in messages.
    pub timezone: Option<String>,
    /// Time between reminders.
    pub remind_after: Option<String>,
    /// What is told of.
    pub rules: Rules,
    /// Over what.
    pub channels: Vec<NewChannel>,
}

/// Settings with how things stand.
pub struct AlertsNow {
    /// What is set.
    pub kept: Kept,
    /// How each channel goes.
    pub going: BTreeMap<String, Going>,
    /// What is not as it should be at present, and was told.
    pub standing: Vec<Condition>,
}

impl Service {
    /// Settings for what the caller sees, how the channels go, and what stands.
    pub async fn alerts(&self, scope: &Scope) -> Result<AlertsNow> {
        let key = scope_key(scope);
        let kept = self.alert_store.settings(&key).await?;
        let kept = kept.unwrap_or_else(|| Kept { scope: scope.clone(), settings: Settings::default(), version: 1 });
        let mut standing = self.alert_store.conditions(&key).await?;
        standing.retain(|condition| condition.told_at.is_some());
        Ok(AlertsNow { kept, going: self.alert_store.going(&key).await?, standing })
    }

    /// Replaces all settings for what the caller sees. `expected` is the version of `If-Match`.
    pub async fn replace_alerts(&self, scope: &Scope, new: NewAlerts, expected: Option<u64>) -> Result<AlertsNow> {
        if scope.is_empty() {
            return Err(Fault::new(Code::Forbidden, "this request sees nothing, so there is nothing to be told of"));
        }
        let key = scope_key(scope);
        let before = self.alert_store.settings(&key).await?;
        let defaults = Settings::default();
        let mut settings = Settings {
            language: new.language.unwrap_or(defaults.language),
            timezone: new.timezone.unwrap_or(defaults.timezone),
            remind_after: new.remind_after.unwrap_or(defaults.remind_after),
            rules: new.rules,
            channels: Vec::new(),
        };
        let mut errors = Vec::new();
        for (place, channel) in new.channels.into_iter().enumerate() {
            let at = |error: FieldError| FieldError::new(format!("/channels/{place}{}", error.pointer), error.detail);
            let stood = before.iter().flat_map(|kept| &kept.settings.channels).find(|stood| stood.id == channel.id);
            match self.channel(&key, channel, stood)? {
                Ok(channel) => settings.channels.push(channel),
                Err(wrong) => errors.extend(wrong.into_iter().map(at)),
            }
        }
        // Where a channel is wrong in itself, the places of the others are not those that were sent.
        let told = if errors.is_empty() { settings.check() } else { Settings { channels: Vec::new(), ..settings.clone() }.check() };
        errors.extend(told);
        if !errors.is_empty() {
            return Err(Fault::fields(errors));
        }
        if before.as_ref().is_none_or(|before| before.settings != settings) {
            require_version(before.map_or(1, |before| before.version), expected)?;
        }
        self.alert_store.replace(scope.clone(), settings, expected).await?;
        self.alerts(scope).await
    }

    /// One channel with its secrets sealed, or what is wrong with it: pointers relative to it.
    fn channel(&self, scope: &str, new: NewChannel, stood: Option<&Channel>) -> Result<Result<Channel, Vec<FieldError>>> {
        let way = match new.way {
            Ok(way) => way,
            Err(wrong) => return Ok(Err(wrong)),
        };
        let sealed_for = sealed_for(scope, &new.id);
        // A secret of another kind of channel is none of this one's.
        let stood = stood.filter(|stood| stood.way.kind() == way.kind()).map(|stood| stood.secrets.clone()).unwrap_or_default();
        let stood: BTreeMap<String, String> = stood.into_iter().filter(|(name, _)| new.secrets.contains_key(name)).collect();
        let mut given = BTreeMap::new();
        let mut said = BTreeMap::new();
        for (name, value) in new.secrets {
            let unchanged = match (&value, stood.get(&name)) {
                (Some(value), Some(sealed)) => {
                    self.sealer.open(&sealed_for, &name, sealed).is_ok_and(|was| was.expose_secret() == value.expose_secret())
                }
                _ => false,
            };
            if let Some(value) = value.clone().filter(|value| value.expose_secret() != merge::SET) {
                given.insert(name.clone(), value);
            }
            // What was given before is not sealed anew: the same settings sent twice are the same.
            said.insert(name, if unchanged { Some(SecretString::from(merge::SET)) } else { value });
        }
        let mut errors = Vec::new();
        let secrets = merge::merge_secrets(&self.sealer, &sealed_for, way.secret_names(), &stood, Some(&said), &mut errors)?;
        let channel = Channel { id: new.id, on: new.on, language: new.language, rules: new.rules, way, secrets };
        for error in self.messenger.check(&channel, &given) {
            if !errors.iter().any(|known| known.pointer == error.pointer) {
                errors.push(error);
            }
        }
        Ok(if errors.is_empty() { Ok(channel) } else { Err(errors) })
    }

    /// Sends a test message over one channel, or over all, and says what happened. `NotFound` when there is no such channel.
    pub async fn test_alerts(
        &self,
        scope: &Scope,
        channel: Option<String>,
        key: Option<Idempotency>,
        render: RenderBox<Vec<Tested>>,
    ) -> Result<Acted<Vec<Tested>>> {
        let scope = scope_key(scope);
        let settings = self.alert_store.settings(&scope).await?.map(|kept| kept.settings).unwrap_or_default();
        let all = settings.channels.iter().map(|channel| channel.id.clone());
        let chosen: Vec<String> = all.filter(|id| channel.as_ref().is_none_or(|channel| channel == id)).collect();
        if chosen.is_empty() {
            let what =
                if channel.is_some() { "there is no channel of that name" } else { "there are no channels yet; set some with PUT /alerts" };
            return Err(match channel {
                Some(_) => super::no_such("/channel", what),
                None => Fault::field("/channel", what),
            });
        }
        let tested = self.messenger.test(&scope, &settings, &chosen).await;
        self.alert_store.keep_test(tested, key, render).await
    }
}
