//! What an administrator sets: which rules, with which thresholds; over which channels; in which language.

use std::{collections::BTreeMap, time::Duration};

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Rule;
use crate::{
    domain::{clock, text::Lang},
    fault::FieldError,
};

/// Longest id of a channel.
const MAX_ID: usize = 40;
/// Most channels: whoever needs more wants a mailing list.
const MAX_CHANNELS: usize = 20;
/// Shortest time between reminders: more often is noise.
const SHORTEST_REMINDER: Duration = Duration::from_secs(300);
/// Written instead of a duration: no reminders.
pub const NEVER: &str = "never";

/// A rule without a threshold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Switch {
    /// Whether it is told.
    pub on: bool,
}

/// Failed runs in a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FailuresRule {
    /// Whether it is told.
    pub on: bool,
    /// How many. 1 tells of every hiccup.
    #[schema(minimum = 1, maximum = 1000)]
    pub in_row: u32,
}

/// Silence of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StaleRule {
    /// Whether it is told.
    pub on: bool,
    /// Due times that passed since the last success.
    #[schema(minimum = 1, maximum = 100)]
    pub periods: u32,
    /// How long it must stay so: time for the run of the last due time, and for the runs that catch up after a downtime.
    pub patience: String,
}

/// A growing retry list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RetryListRule {
    /// Whether it is told.
    pub on: bool,
    /// How many items of one stream wait; told again whenever they have doubled.
    #[schema(minimum = 1)]
    pub items: u64,
}

/// Skipped due times in a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SkippedRule {
    /// Whether it is told.
    pub on: bool,
    /// How many.
    #[schema(minimum = 1)]
    pub in_row: u64,
}

/// Nobody works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NoWorkerRule {
    /// Whether it is told.
    pub on: bool,
    /// How long something due has not been taken up.
    pub after: String,
}

impl Default for Switch {
    fn default() -> Self {
        Self { on: true }
    }
}

impl Default for FailuresRule {
    fn default() -> Self {
        Self { on: true, in_row: 3 }
    }
}

impl Default for StaleRule {
    fn default() -> Self {
        Self { on: true, periods: 3, patience: "2m".to_owned() }
    }
}

impl Default for RetryListRule {
    fn default() -> Self {
        Self { on: true, items: 50 }
    }
}

impl Default for SkippedRule {
    fn default() -> Self {
        Self { on: true, in_row: 10 }
    }
}

impl Default for NoWorkerRule {
    fn default() -> Self {
        Self { on: true, after: "5m".to_owned() }
    }
}

/// What is told of, with its thresholds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AlertRules)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Runs of a stream fail, so many in a row.
    pub failures: FailuresRule,
    /// A brake holds changes until a person decides.
    pub held: Switch,
    /// A stream was not synchronised for so many of its periods, by its schedules' own rules.
    pub stale: StaleRule,
    /// Many items of a stream fail again and again.
    pub retry_list: RetryListRule,
    /// Due times of a schedule pass without a run, so many in a row.
    pub skipped: SkippedRule,
    /// Something that only a person can put right, such as a value that a remote does not keep.
    pub attention: Switch,
    /// Nobody takes up what is due. Told to those who are told of all owners.
    pub no_worker: NoWorkerRule,
    /// Also tell when something is well again.
    pub recovery: Switch,
}

impl Rules {
    /// Whether a rule is told at all.
    pub fn is_on(&self, rule: Rule) -> bool {
        match rule {
            Rule::Failures => self.failures.on,
            Rule::Held => self.held.on,
            Rule::Stale => self.stale.on,
            Rule::RetryList => self.retry_list.on,
            Rule::Skipped => self.skipped.on,
            Rule::Attention => self.attention.on,
            Rule::NoWorker => self.no_worker.on,
        }
    }

    /// How long a finding must stay before it is told (not scaled).
    pub fn patience(&self, rule: Rule) -> Duration {
        match rule {
            Rule::Stale => clock::parse_duration(&self.stale.patience).unwrap_or_default(),
            _ => Duration::ZERO,
        }
    }
}

/// How a mail goes to its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = MailEncryption)]
#[serde(rename_all = "snake_case")]
pub enum Encryption {
    /// TLS from the first byte, usually on port 465.
    Tls,
    /// Turned to TLS before anything is said, usually on port 587; refused if the server cannot.
    Starttls,
    /// In the clear: for a mail server on the same machine, without a password.
    None,
}

/// Where and how a channel sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Way {
    /// Signed POST to an address.
    Webhook {
        /// The address; any that an administrator trusts.
        url: String,
    },
    /// A message of a Telegram bot.
    Telegram {
        /// Id of the chat, or `@name` of a public channel.
        chat_id: String,
        /// Address of the Bot API.
        base_url: String,
    },
    /// Mail over SMTP.
    Email {
        /// Mail server.
        host: String,
        /// Its port.
        port: u16,
        /// How the connection is guarded.
        encryption: Encryption,
        /// For logging in; absent = without.
        username: Option<String>,
        /// Sender.
        from: String,
        /// Receivers.
        to: Vec<String>,
    },
}

impl Way {
    /// Stable name of its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Telegram { .. } => "telegram",
            Self::Email { .. } => "email",
        }
    }

    /// Names of its secrets, with whether each is required.
    pub fn secret_names(&self) -> &'static [(&'static str, bool)] {
        match self {
            Self::Webhook { .. } => &[("secret", true)],
            Self::Telegram { .. } => &[("token", true)],
            Self::Email { .. } => &[("password", false)],
        }
    }
}

/// One channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Chosen by who sets it; one that keeps its id keeps its secrets and what waits for it.
    pub id: String,
    /// Whether it is used.
    pub on: bool,
    /// Its language, if not that of all.
    #[serde(default)]
    pub language: Option<String>,
    /// Only these rules; absent = all.
    #[serde(default)]
    pub rules: Option<Vec<Rule>>,
    /// Where and how.
    pub way: Way,
    /// Sealed secrets by name.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
}

impl Channel {
    /// Whether it tells of a rule.
    pub fn tells(&self, rule: Rule) -> bool {
        self.on && self.rules.as_ref().is_none_or(|rules| rules.contains(&rule))
    }
}

/// All that is set for one part of the connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Language of messages: ru, uz, en or uk.
    pub language: String,
    /// IANA time zone of the times in messages.
    pub timezone: String,
    /// A condition that stays is told again after so long; `never` = it is not.
    pub remind_after: String,
    /// What is told of.
    pub rules: Rules,
    /// Over what.
    pub channels: Vec<Channel>,
}

impl Default for Settings {
    fn default() -> Self {
        let (language, timezone, remind_after) = ("ru".to_owned(), "UTC".to_owned(), "24h".to_owned());
        Self { language, timezone, remind_after, rules: Rules::default(), channels: Vec::new() }
    }
}

impl Settings {
    /// Time between reminders (not scaled); `None` = none.
    pub fn remind_after(&self) -> Option<Duration> {
        if self.remind_after == NEVER { None } else { clock::parse_duration(&self.remind_after).ok() }
    }

    /// The language of a channel.
    pub fn language_of(&self, channel: &Channel) -> Lang {
        channel.language.as_deref().and_then(Lang::of_tag).or_else(|| Lang::of_tag(&self.language)).unwrap_or_default()
    }

    /// The time zone of messages.
    pub fn zone(&self) -> Tz {
        self.timezone.parse().unwrap_or(Tz::UTC)
    }

    /// Ids of the channels that tell of a rule.
    pub fn channels_of(&self, rule: Rule) -> Vec<String> {
        self.channels.iter().filter(|channel| channel.tells(rule)).map(|channel| channel.id.clone()).collect()
    }

    /// What is wrong, besides what only the channels know.
    pub fn check(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        check_language(Some(&self.language), "/language", &mut errors);
        if self.timezone.parse::<Tz>().is_err() {
            errors.push(FieldError::new(
                "/timezone",
                format!("`{}` is no time zone; write an IANA name such as Asia/Tashkent", self.timezone),
            ));
        }
        if self.remind_after != NEVER {
            check_duration(&self.remind_after, "/remind_after", SHORTEST_REMINDER, &mut errors);
        }
        let least = |fine: bool, pointer: &str, errors: &mut Vec<FieldError>| {
            if !fine {
                errors.push(FieldError::new(pointer, "must be at least 1; \"on\": false switches the rule off"));
            }
        };
        let rules = &self.rules;
        least(rules.failures.in_row > 0, "/rules/failures/in_row", &mut errors);
        least(rules.stale.periods > 0, "/rules/stale/periods", &mut errors);
        least(rules.retry_list.items > 0, "/rules/retry_list/items", &mut errors);
        least(rules.skipped.in_row > 0, "/rules/skipped/in_row", &mut errors);
        if rules.stale.periods > 100 {
            errors.push(FieldError::new("/rules/stale/periods", "must be at most 100"));
        }
        check_duration(&rules.stale.patience, "/rules/stale/patience", Duration::ZERO, &mut errors);
        check_duration(&rules.no_worker.after, "/rules/no_worker/after", Duration::from_secs(60), &mut errors);
        if self.channels.len() > MAX_CHANNELS {
            errors.push(FieldError::new("/channels", format!("must hold at most {MAX_CHANNELS} channels")));
        }
        for (place, channel) in self.channels.iter().enumerate() {
            let at = |name: &str| format!("/channels/{place}/{name}");
            let named = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, b'-' | b'_');
            if channel.id.is_empty() || channel.id.len() > MAX_ID || !channel.id.bytes().all(named) {
                errors.push(FieldError::new(at("id"), format!("must be a name of 1 to {MAX_ID} of a-z 0-9 - _, such as shop-owner")));
            }
            if self.channels.iter().take(place).any(|before| before.id == channel.id) {
                errors.push(FieldError::new(at("id"), "stands twice; each channel has a name of its own"));
            }
            check_language(channel.language.as_deref(), &at("language"), &mut errors);
        }
        errors
    }
}

fn check_language(tag: Option<&str>, pointer: &str, errors: &mut Vec<FieldError>) {
    if let Some(tag) = tag.filter(|tag| Lang::of_tag(tag).is_none()) {
        errors.push(FieldError::new(pointer, format!("`{tag}` is no language of ours; there are: ru, uz, en, uk")));
    }
}

fn check_duration(text: &str, pointer: &str, least: Duration, errors: &mut Vec<FieldError>) {
    match clock::parse_duration(text) {
        Ok(duration) if duration >= least => {}
        Ok(_) => errors.push(FieldError::new(pointer, format!("`{text}` must be at least {}", humantime::format_duration(least)))),
        Err(detail) => errors.push(FieldError::new(pointer, detail)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(id: &str) -> Channel {
        let way = Way::Webhook { url: "https://example.com".into() };
        Channel { id: id.into(), on: true, language: None, rules: None, way, secrets: BTreeMap::new() }
    }

    fn pointers(settings: &Settings) -> Vec<String> {
        settings.check().into_iter().map(|error| error.pointer).collect()
    }

    #[test]
    fn every_wrong_setting_is_named() {
        let fine = Settings { channels: vec![channel("ops"), channel("shop-owner_2")], ..Settings::default() };
        assert_eq!(pointers(&fine), Vec::<String>::new());
        let mut wrong = Settings {
            language: "kz".into(),
            timezone: "Tashkent".into(),
            remind_after: "1s".into(),
            channels: vec![channel("ops"), channel("ops"), channel("A b")],
            ..Settings::default()
        };
        wrong.rules.failures.in_row = 0;
        wrong.rules.stale = StaleRule { on: true, periods: 101, patience: "soon".into() };
        wrong.rules.no_worker.after = "1s".into();
        assert_eq!(
            pointers(&wrong),
            [
                "/language",
                "/timezone",
                "/remind_after",
                "/rules/failures/in_row",
                "/rules/stale/periods",
                "/rules/stale/patience",
                "/rules/no_worker/after",
                "/channels/1/id",
                "/channels/2/id"
            ]
        );
    }

    #[test]
    fn a_channel_tells_of_its_rules_in_its_language() {
        let mut settings = Settings { channels: vec![channel("a"), channel("b"), channel("c")], ..Settings::default() };
        settings.channels[1].rules = Some(vec![Rule::Held]);
        settings.channels[1].language = Some("uz".into());
        settings.channels[2].on = false;
        assert_eq!(
            (settings.channels_of(Rule::Held), settings.channels_of(Rule::Stale)),
            (vec!["a".into(), "b".into()], vec!["a".to_owned()])
        );
        assert_eq!((settings.language_of(&settings.channels[0]), settings.language_of(&settings.channels[1])), (Lang::Ru, Lang::Uz));
    }
}
