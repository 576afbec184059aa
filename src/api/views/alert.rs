//! Alerts: rules, channels, and how they go.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use utoipa::ToSchema;

use super::connection::{Secrets, secrets};
use crate::{
    api::json::Body,
    domain::text::{Lang, sentence},
    engine::{
        alerts::{
            Condition, Going, Rule, Tested,
            settings::{Channel, Encryption, Rules, Way},
        },
        service::{
            alerts::{AlertsNow, NewAlerts, NewChannel},
            merge::SET,
        },
    },
    fault::FieldError,
};

/// Where Telegram's Bot API is.
const TELEGRAM: &str = "https://api.telegram.org";

/// Whose connections alerts tell of.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AlertScope)]
pub struct ScopeView {
    /// Only of these flows; null = all.
    pub flows: Option<Vec<String>>,
    /// Only of this owner; null = all.
    pub owner: Option<String>,
}

/// Rules and channels, with how they go.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Alerts)]
pub struct AlertsView {
    /// What they tell of: what the key that asks may see.
    pub tells_of: ScopeView,
    /// Language of messages: ru, uz, en or uk.
    pub language: String,
    /// IANA time zone of the times in messages.
    pub timezone: String,
    /// What stays is told again after so long; `never` = it is not.
    pub remind_after: String,
    /// What is told of, with thresholds.
    pub rules: Rules,
    /// Over what it is told.
    pub channels: Vec<ChannelView>,
    /// What is not as it should be at present and was told.
    pub standing: Vec<StandingView>,
}

/// Kind of a channel.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = AlertChannelKind)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Signed POST to an address (Standard Webhooks).
    Webhook,
    /// Message of a Telegram bot.
    Telegram,
    /// Mail over SMTP.
    Email,
}

/// A channel. Members of another kind are null.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AlertChannel)]
pub struct ChannelView {
    /// Its name.
    pub id: String,
    /// Its kind.
    pub kind: Kind,
    /// Whether it is used.
    pub on: bool,
    /// Its language, if not that of all.
    pub language: Option<String>,
    /// Only these rules; null = all.
    pub rules: Option<Vec<Rule>>,
    /// Address of a webhook.
    pub url: Option<String>,
    /// Telegram's chat.
    pub chat_id: Option<String>,
    /// Address of the Bot API.
    pub base_url: Option<String>,
    /// Mail server.
    pub host: Option<String>,
    /// Its port.
    pub port: Option<u16>,
    /// How the connection to it is guarded.
    pub encryption: Option<Encryption>,
    /// For logging in.
    pub username: Option<String>,
    /// Sender of mails.
    pub from: Option<String>,
    /// Receivers of mails.
    pub to: Option<Vec<String>>,
    /// Names of the secrets that are set.
    pub secrets: BTreeMap<String, String>,
    /// How it goes.
    pub delivery: DeliveryView,
}

/// How deliveries over a channel go.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AlertDelivery)]
pub struct DeliveryView {
    /// Alerts that wait.
    pub waiting: u64,
    /// When one was last delivered.
    #[serde(serialize_with = "super::maybe_time")]
    pub last_delivered_at: Option<DateTime<Utc>>,
    /// When an attempt last failed.
    #[serde(serialize_with = "super::maybe_time")]
    pub last_failed_at: Option<DateTime<Utc>>,
    /// Why it failed.
    pub last_error: Option<String>,
}

/// Something that is not as it should be.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AlertStanding)]
pub struct StandingView {
    /// By which rule.
    pub rule: Rule,
    /// The same in words.
    pub text: String,
    /// The connection; null = the whole service.
    pub connection: Option<String>,
    /// The stream.
    pub stream: Option<String>,
    /// The run to look at.
    pub run: Option<String>,
    /// Since when.
    #[serde(serialize_with = "super::time")]
    pub since: DateTime<Utc>,
    /// When it was last told.
    #[serde(serialize_with = "super::maybe_time")]
    pub told_at: Option<DateTime<Utc>>,
    /// How many times it was told.
    pub told: u32,
}

impl AlertsView {
    /// As answers show them; the path of webhooks only to those who may set it.
    pub fn of(now: &AlertsNow, whole: bool, lang: Lang) -> Self {
        let settings = &now.kept.settings;
        let none = Going::default();
        let channels = settings.channels.iter().map(|channel| ChannelView::of(channel, now.going.get(&channel.id).unwrap_or(&none), whole));
        Self {
            tells_of: ScopeView { flows: now.kept.scope.flows.clone(), owner: now.kept.scope.owner.clone() },
            language: settings.language.clone(),
            timezone: settings.timezone.clone(),
            remind_after: settings.remind_after.clone(),
            rules: settings.rules.clone(),
            channels: channels.collect(),
            standing: now.standing.iter().map(|condition| StandingView::of(condition, lang)).collect(),
        }
    }
}

impl StandingView {
    fn of(condition: &Condition, lang: Lang) -> Self {
        let named = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Self {
            rule: condition.rule,
            text: sentence(lang, &format!("alert_title_{}", condition.rule.name()), &BTreeMap::new()),
            connection: named(&condition.subject.connection),
            stream: named(&condition.subject.stream),
            run: condition.finding.run.clone(),
            since: condition.finding.since,
            told_at: condition.told_at,
            told: condition.told_times,
        }
    }
}

impl ChannelView {
    fn of(channel: &Channel, going: &Going, whole: bool) -> Self {
        let mut view = Self {
            id: channel.id.clone(),
            kind: Kind::Webhook,
            on: channel.on,
            language: channel.language.clone(),
            rules: channel.rules.clone(),
            url: None,
            chat_id: None,
            base_url: None,
            host: None,
            port: None,
            encryption: None,
            username: None,
            from: None,
            to: None,
            secrets: channel.secrets.keys().map(|name| (name.clone(), SET.to_owned())).collect(),
            delivery: DeliveryView {
                waiting: going.waiting,
                last_delivered_at: going.delivered_at,
                last_failed_at: going.failed_at,
                last_error: going.error.clone(),
            },
        };
        match channel.way.clone() {
            Way::Webhook { url } => view.url = Some(if whole { url } else { without_path(&url) }),
            Way::Telegram { chat_id, base_url } => {
                view.kind = Kind::Telegram;
                (view.chat_id, view.base_url) = (Some(chat_id), Some(base_url));
            }
            Way::Email { host, port, encryption, username, from, to } => {
                view.kind = Kind::Email;
                (view.host, view.port, view.encryption, view.username) = (Some(host), Some(port), Some(encryption), username);
                (view.from, view.to) = (Some(from), Some(to));
            }
        }
        view
    }
}

/// Addresses of webhooks are often secret behind their host.
fn without_path(url: &str) -> String {
    url::Url::parse(url).map_or_else(|_| "…".to_owned(), |url| format!("{}/…", url.origin().ascii_serialization()))
}

/// Rules and channels that are to replace all others.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertsBody {
    /// Language of messages: ru, uz, en or uk.
    #[serde(default)]
    #[schema(default = "ru")]
    language: Option<String>,
    /// IANA time zone of the times in messages.
    #[serde(default)]
    #[schema(default = "UTC")]
    timezone: Option<String>,
    /// What stays is told again after so long; `never` = it is not.
    #[serde(default)]
    #[schema(default = "24h")]
    remind_after: Option<String>,
    /// What is told of; rules that are absent have their defaults.
    #[serde(default)]
    rules: Option<Rules>,
    /// Over what it is told.
    #[serde(default)]
    channels: Vec<ChannelBody>,
    /// As GET answers it; not looked at.
    #[serde(default, rename = "tells_of")]
    #[schema(value_type = Option<Object>)]
    _tells_of: IgnoredAny,
    /// As GET answers it; not looked at.
    #[serde(default, rename = "standing")]
    #[schema(value_type = Option<Vec<Object>>)]
    _standing: IgnoredAny,
}

/// A channel. Give what its kind needs: `url` for a webhook; `chat_id` for telegram; `host`, `from`, `to` for email.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = AlertChannelBody)]
#[serde(deny_unknown_fields)]
struct ChannelBody {
    /// A name of your own: a-z 0-9 - _, up to 40. A channel that keeps its name keeps its secrets and what waits for it.
    id: String,
    /// Its kind.
    kind: Kind,
    /// Whether it is used.
    #[serde(default)]
    #[schema(default = true)]
    on: Option<bool>,
    /// Its language, if not that of all.
    #[serde(default)]
    language: Option<String>,
    /// Only these rules; absent = all.
    #[serde(default)]
    rules: Option<Vec<Rule>>,
    /// webhook: any address that you trust.
    #[serde(default)]
    url: Option<String>,
    /// telegram: number of the chat, or @name of a channel.
    #[serde(default)]
    chat_id: Option<String>,
    /// telegram: address of the Bot API, if not Telegram's own.
    #[serde(default)]
    base_url: Option<String>,
    /// email: mail server.
    #[serde(default)]
    host: Option<String>,
    /// email: its port; absent = 465 for tls, 587 for starttls, 25 for none.
    #[serde(default)]
    port: Option<u16>,
    /// email: absent = starttls.
    #[serde(default)]
    encryption: Option<Encryption>,
    /// email: for logging in.
    #[serde(default)]
    username: Option<String>,
    /// email: sender.
    #[serde(default)]
    from: Option<String>,
    /// email: receivers.
    #[serde(default)]
    to: Option<Vec<String>>,
    /// webhook: `secret` (`whsec_…`); telegram: `token`; email: `password`. `"set"` = unchanged; what is absent is deleted.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, Option<String>>)]
    secrets: Secrets,
    /// As GET answers it; not looked at.
    #[serde(default, rename = "delivery")]
    #[schema(value_type = Option<Object>)]
    _delivery: IgnoredAny,
}

impl Body for AlertsBody {
    const REQUIRED: &'static [&'static str] = &["channels"];
}

impl From<AlertsBody> for NewAlerts {
    fn from(body: AlertsBody) -> Self {
        Self {
            language: body.language,
            timezone: body.timezone,
            remind_after: body.remind_after,
            rules: body.rules.unwrap_or_default(),
            channels: body.channels.into_iter().map(NewChannel::from).collect(),
        }
    }
}

impl From<ChannelBody> for NewChannel {
    fn from(mut body: ChannelBody) -> Self {
        let mut errors = Vec::new();
        let way = body.way(&mut errors);
        Self {
            id: body.id,
            on: body.on.unwrap_or(true),
            language: body.language,
            rules: body.rules,
            way: if errors.is_empty() { Ok(way) } else { Err(errors) },
            secrets: secrets(body.secrets),
        }
    }
}

impl ChannelBody {
    /// What its kind needs is taken out; what is left belongs to another kind.
    fn way(&mut self, errors: &mut Vec<FieldError>) -> Way {
        let mut must = |value: Option<String>, name: &str| {
            value.map(|text| text.trim().to_owned()).unwrap_or_else(|| {
                errors.push(FieldError::new(format!("/{name}"), "is required"));
                String::new()
            })
        };
        let way = match self.kind {
            Kind::Webhook => Way::Webhook { url: must(self.url.take(), "url") },
            Kind::Telegram => Way::Telegram {
                chat_id: must(self.chat_id.take(), "chat_id"),
                base_url: self.base_url.take().unwrap_or_else(|| TELEGRAM.to_owned()),
            },
            Kind::Email => {
                let encryption = self.encryption.take().unwrap_or(Encryption::Starttls);
                let usual = match encryption {
                    Encryption::Tls => 465,
                    Encryption::Starttls => 587,
                    Encryption::None => 25,
                };
                Way::Email {
                    host: must(self.host.take(), "host"),
                    port: self.port.take().unwrap_or(usual),
                    encryption,
                    username: self.username.take(),
                    from: must(self.from.take(), "from"),
                    to: self.to.take().unwrap_or_default(),
                }
            }
        };
        let left = [
            ("url", self.url.is_some()),
            ("chat_id", self.chat_id.is_some()),
            ("base_url", self.base_url.is_some()),
            ("host", self.host.is_some()),
            ("port", self.port.is_some()),
            ("encryption", self.encryption.is_some()),
            ("username", self.username.is_some()),
            ("from", self.from.is_some()),
            ("to", self.to.is_some()),
        ];
        let foreign = left.into_iter().filter(|(_, given)| *given);
        errors.extend(
            foreign.map(|(name, _)| FieldError::new(format!("/{name}"), format!("belongs to no channel of the kind {}", way.kind()))),
        );
        way
    }
}

/// Which channel is tested.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = AlertTestBody)]
#[serde(deny_unknown_fields)]
pub struct TestBody {
    /// Only this one; absent = all, also those that are off.
    #[serde(default)]
    pub channel: Option<String>,
}

impl Body for TestBody {
    const REQUIRED: &'static [&'static str] = &[];
    const OPTIONAL: bool = true;
}

/// What happened over each channel.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AlertTest)]
pub struct TestView {
    /// All took it.
    pub ok: bool,
    /// Each channel.
    pub channels: Vec<TestedView>,
}

/// What happened over one channel.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AlertTestedChannel)]
pub struct TestedView {
    /// The channel.
    pub channel: String,
    /// Its kind.
    pub kind: String,
    /// Whether it was taken.
    pub ok: bool,
    /// What the receiver said, or why nothing got there.
    pub detail: String,
}

impl TestView {
    /// As answers show it.
    pub fn of(tested: &[Tested]) -> Self {
        let view = |tested: &Tested| TestedView {
            channel: tested.channel.clone(),
            kind: tested.kind.to_owned(),
            ok: tested.ok,
            detail: tested.detail.clone(),
        };
        Self { ok: tested.iter().all(|tested| tested.ok), channels: tested.iter().map(view).collect() }
    }
}
