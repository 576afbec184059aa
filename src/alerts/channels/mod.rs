//! Channels: how an alert gets to people. One file each: [`webhook`], [`telegram`], [`email`].
//!
//! A channel is one attempt: it says what came of it and waits for nobody. When it is tried again is the [`super::sender`]'s matter.

pub mod email;
pub mod telegram;
pub mod webhook;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::message::{self, Message, Reader};
use crate::{
    domain::{clock, ids},
    engine::{
        alerts::{
            Alert, Messenger, Phase, Tested, sealed_for,
            settings::{Channel, Settings, Way},
        },
        secrets::Sealer,
    },
    fault::{Fault, FieldError},
    remote::{Class, Http, Options, Reply, retry::Policy},
};

/// For one attempt. Too low cuts slow receivers, too high lets a dead one hold its place.
const PATIENCE: Duration = Duration::from_secs(10);

/// What came of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It was taken; what the receiver said.
    Done(String),
    /// It was not; why, and when the receiver wants to be asked again.
    Refused(String, Option<Duration>),
}

impl From<Fault> for Sent {
    fn from(fault: Fault) -> Self {
        Self::Refused(format!("{} {}", fault.detail, fault.code.next()), None)
    }
}

/// One alert on its way.
pub struct Outgoing<'a> {
    /// The alert.
    pub alert: &'a Alert,
    /// In people's words.
    pub message: Message,
    /// Language of the message.
    pub language: &'static str,
}

/// All channels.
pub struct Channels {
    http: Http,
    sealer: Arc<Sealer>,
    public_url: Option<String>,
}

impl Channels {
    /// Channels whose messages link to runs under `public_url`, if it is known.
    pub fn new(sealer: Arc<Sealer>, public_url: Option<String>) -> Result<Self, Fault> {
        // One attempt is one request: what follows is written down first.
        let retry = Policy { attempts: 1, ..Policy::default() };
        let http = Http::new(Options { connect_timeout: Duration::from_secs(5), timeout: PATIENCE, retry })?;
        Ok(Self { http, sealer, public_url })
    }

    /// One attempt to carry an alert over a channel.
    pub async fn send(&self, scope: &str, settings: &Settings, channel: &Channel, alert: &Alert) -> Sent {
        let lang = settings.language_of(channel);
        let reader = Reader { lang, zone: settings.zone(), run_link: self.public_url.clone() };
        let outgoing = Outgoing { alert, message: message::compose(alert, &reader), language: lang.tag() };
        let secrets = match self.opened(scope, channel) {
            Ok(secrets) => secrets,
            Err(fault) => return Sent::Refused(fault.detail, None),
        };
        let secret = |name: &str| secrets.get(name);
        match (&channel.way, secret("secret"), secret("token")) {
            (Way::Webhook { url }, Some(secret), _) => webhook::send(&self.http, url, secret, &outgoing).await,
            (Way::Telegram { chat_id, base_url }, _, Some(token)) => telegram::send(&self.http, base_url, chat_id, token, &outgoing).await,
            (Way::Email { .. }, ..) => email::send(&channel.way, secret("password"), &outgoing).await,
            _ => Sent::Refused("the channel's secret is not set".to_owned(), None),
        }
    }

    fn opened(&self, scope: &str, channel: &Channel) -> Result<BTreeMap<String, SecretString>, Fault> {
        let sealed_for = sealed_for(scope, &channel.id);
        channel.secrets.iter().map(|(name, sealed)| Ok((name.clone(), self.sealer.open(&sealed_for, name, sealed)?))).collect()
    }
}

#[async_trait]
impl Messenger for Channels {
    fn check(&self, channel: &Channel, secrets: &BTreeMap<String, SecretString>) -> Vec<FieldError> {
        match &channel.way {
            Way::Webhook { url } => webhook::check(url, secrets.get("secret")),
            Way::Telegram { chat_id, base_url } => telegram::check(chat_id, base_url, secrets.get("token")),
            Way::Email { .. } => email::check(&channel.way, channel.secrets.contains_key("password")),
        }
    }

    async fn test(&self, scope: &str, settings: &Settings, channels: &[String]) -> Vec<Tested> {
        let alert =
            Alert { id: ids::fresh(), rule: None, phase: Phase::Test, at: clock::now(), news: Vec::new(), total: 0, once: String::new() };
        let chosen = settings.channels.iter().filter(|channel| channels.contains(&channel.id));
        let all = chosen.map(|channel| {
            let alert = &alert;
            async move {
                let (ok, detail) = match self.send(scope, settings, channel, alert).await {
                    Sent::Done(detail) => (true, detail),
                    Sent::Refused(detail, _) => (false, detail),
                };
                Tested { channel: channel.id.clone(), kind: channel.way.kind(), ok, detail }
            }
        });
        futures_util::future::join_all(all).await
    }
}

/// An address that an administrator gave: any that speaks HTTP.
fn http_address(text: &str, pointer: &str) -> Result<url::Url, FieldError> {
    let wrong =
        || FieldError::new(pointer, "must be an address that begins with https:// (or http://), such as https://example.com/alerts");
    let url = url::Url::parse(text.trim()).map_err(|_| wrong())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(FieldError::new(pointer, "must hold no user and password: addresses are shown"));
    }
    if matches!(url.scheme(), "http" | "https") && url.host_str().is_some() { Ok(url) } else { Err(wrong()) }
}

/// What an answer that does not want the message means; `None` = its status is a good one.
fn refusal(reply: &Reply, words: Option<String>) -> Option<Class<Sent>> {
    match reply.by_status::<Sent>(words)? {
        // Nobody waits here: the sender comes again later.
        Class::RateLimited { retry_after, detail } => Some(Class::Good(Sent::Refused(detail, retry_after))),
        class => Some(class),
    }
}

/// Sends one call, once.
async fn once(http: &Http, call: &crate::remote::Call<'_>, judge: impl Fn(&Reply) -> Class<Sent> + Send + Sync) -> Sent {
    match http.send(call, &CancellationToken::new(), judge).await {
        Ok(answer) => answer.value,
        Err(fault) => Sent::Refused(fault.detail, None),
    }
}
