//! **Bitrix24 -> otmechalka** (`requirements/bitrix24-otmechalka.md`): contacts become clients, won deals become tickets, and each gets a status
//! back. By schedule alone: it needs no open port and takes no webhook.
//!
//! | requirement | file |
//! |---|---|
//! | "Маппинг полей контакта" | [`client`], [`phone`], [`mapping`] |
//! | "Маппинг полей сделки" | [`ticket`] |
//! | "Передача клиентов", "Передача сделок": steps 1 to 3, 5 and 6 of deals | [`source`], [`reading`] |
//! | what is to be done, corner cases "не соответствуют формату", "неподдерживаемые продукты или филиалы" | [`rules`], [`verdict`] |
//! | look-up, creation, change; corner case "Отмечалка возвращает ошибку" | [`sending`] |
//! | "Статус синхронизации" | [`status`], [`telling`] |
//! | corner cases "не отвечает", "упала" | [`target`] |
//! | "Чего нельзя делать в B24" | [`fields`], [`check`] |
//! | "Как быть с дублями?" | [`doubles`] |
//! | "Настройки интеграции" and every code | [`settings`] |
//!
//! What the next stage of the document brings (subscriptions that end, back into Bitrix24) is a third stream here with a source of
//! otmechalka's own; nothing of it is built.
//!
//! Start reading at [`rules`]: pure functions decide about one contact and one deal.

pub mod check;
pub mod client;
pub mod doubles;
pub mod fields;
pub mod mapping;
pub mod memory;
pub mod phone;
pub mod reading;
pub mod record;
pub mod rules;
#[cfg(test)]
mod rules_tests;
pub mod sending;
pub mod settings;
pub mod source;
pub mod status;
pub mod target;
pub mod telling;
pub mod ticket;
pub mod verdict;
pub mod wrong;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{Parts, address};
use crate::{
    domain::{clock, number},
    engine::{
        flow::{Apply, Check, Discovered, EngineSettings, Facts, Flow, Identity, Observe, Opened, Rules, Source, StreamNames},
        model::Stream,
    },
    fault::{Code, Fault, FieldError},
    systems::{
        bitrix24::{self, Entity},
        otmechalka,
    },
};
use rules::Bitrix24Otmechalka;
use settings::{SECRETS, Settings};
use source::Bitrix24Source;
use target::{Looking, Shared, Sight, Writing};

/// The flow's name in the contract.
pub const NAME: &str = "bitrix24-otmechalka";
/// Stream of contacts.
pub const CONTACTS: &str = "contacts";
/// Stream of deals.
pub const DEALS: &str = "deals";

/// Under which name a run remembers how long a contact's status may be.
pub const CONTACT_STATUS: &str = "contact_status_length";
/// The same of a deal.
pub const DEAL_STATUS: &str = "deal_status_length";

/// The flow, as the engine knows it.
pub struct Bitrix24OtmechalkaFlow {
    parts: Parts,
    learned: Mutex<HashMap<String, Shared>>,
}

impl Bitrix24OtmechalkaFlow {
    /// The flow with what it talks through.
    pub fn new(parts: Parts) -> Self {
        Self { parts, learned: Mutex::default() }
    }

    fn portal(&self, opened: &Opened, settings: &Settings, stop: CancellationToken) -> Result<bitrix24::Reader, Fault> {
        let options = bitrix24::Options {
            webhook: opened.needed_secret("bitrix24_webhook_url")?,
            spacing: settings.portal_spacing(),
            operating_seconds: settings.bitrix24.operating_seconds,
        };
        bitrix24::Reader::new(options, self.parts.http.clone(), self.parts.limits.clone(), stop)
    }

    fn otmechalka(&self, opened: &Opened, settings: &Settings, stop: CancellationToken) -> Result<otmechalka::Reader, Fault> {
        let given = &settings.otmechalka;
        let options = otmechalka::Options {
            base_url: address::read("otmechalka.base_url", &given.base_url)?,
            auth_header: given.auth_header.clone(),
            key: opened.secret("otmechalka_key"),
            clients_path: given.clients_path.clone(),
            tickets_path: given.tickets_path.clone(),
            spacing: settings.otmechalka_spacing(),
            timeout: settings::duration(&given.timeout),
        };
        otmechalka::Reader::new(options, self.parts.http.clone(), self.parts.limits.clone(), stop)
    }

    /// What this process has learned of the connection's otmechalka; another address is another one.
    fn shared(&self, opened: &Opened, settings: &Settings) -> Shared {
        let key = format!("{} {}", opened.connection, settings.otmechalka.base_url);
        let mut all = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(key).or_default())
    }
}

fn read(opened: &Opened) -> Result<Settings, Fault> {
    Settings::read(&opened.settings).map_err(|errors| Fault::of_fields(Code::ConfigInvalid, errors))
}

fn start(settings: &Settings) -> Result<DateTime<Utc>, Fault> {
    settings.start().ok_or_else(|| Fault::new(Code::ConfigInvalid, "sync_start_date and timezone name no moment"))
}

fn entity(stream: &str) -> Result<Entity, Fault> {
    match stream {
        CONTACTS => Ok(Entity::Contact),
        DEALS => Ok(Entity::Deal),
        other => Err(Fault::new(Code::ConfigInvalid, format!("there is no stream `{other}`"))),
    }
}

#[async_trait]
impl Flow for Bitrix24OtmechalkaFlow {
    fn name(&self) -> &'static str {
        NAME
    }

    fn stream_names(&self) -> StreamNames {
        StreamNames::Fixed(&[CONTACTS, DEALS])
    }

    fn keys_of(&self, stream: &str) -> Option<&'static str> {
        match stream {
            CONTACTS => Some(record::CONTACT),
            DEALS => Some(record::DEAL),
            _ => None,
        }
    }

    fn source_system(&self, _settings: &Value) -> &'static str {
        bitrix24::SYSTEM
    }

    fn secret_names(&self) -> &'static [(&'static str, bool)] {
        SECRETS
    }

    fn validate(&self, settings: &Value, secrets: &[&str]) -> Result<(), Vec<FieldError>> {
        let settings = Settings::read(settings)?;
        let header = settings.otmechalka.auth_header.as_deref().unwrap_or_default();
        if (header.contains("{key}") || header.contains("{basic}")) && !secrets.contains(&"otmechalka_key") {
            let detail = "speaks of the key, so the secret otmechalka_key must be set";
            return Err(vec![FieldError::new("/settings/otmechalka/auth_header", detail)]);
        }
        Ok(())
    }

    fn validate_stream(&self, stream: &str, settings: &Value) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        if !matches!(stream, CONTACTS | DEALS) {
            errors.push(FieldError::new("/stream", format!("there are two streams: {CONTACTS}, {DEALS}")));
        }
        match settings {
            Value::Object(fields) => errors
                .extend(fields.keys().map(|name| FieldError::new(format!("/settings/{name}"), "the stream has no settings of its own"))),
            _ => errors.push(FieldError::new("/settings", "must be an object")),
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    fn default_schedule(&self) -> Option<&'static str> {
        Some("1m")
    }

    /// The portal is the source, whichever of its webhooks is used: a new one must not set links aside.
    fn identity(&self, opened: &Opened) -> Result<Identity, Fault> {
        let settings = read(opened)?;
        let webhook = opened.needed_secret("bitrix24_webhook_url")?;
        let (portal, _) = bitrix24::client::webhook(&webhook)
            .map_err(|wrong| Fault::new(Code::ConfigInvalid, format!("the secret bitrix24_webhook_url {wrong}")))?;
        let port = portal.port().map(|port| format!(":{port}")).unwrap_or_default();
        Ok(Identity {
            source: format!("{} {}{port}", bitrix24::SYSTEM, portal.host_str().unwrap_or_default().to_ascii_lowercase()),
            target: format!(
                "{} {}",
                otmechalka::SYSTEM,
                address::place(&address::read("otmechalka.base_url", &settings.otmechalka.base_url)?)
            ),
        })
    }

    async fn check(&self, opened: &Opened) -> Vec<Check> {
        let settings = match read(opened) {
            Ok(settings) => settings,
            Err(fault) => return vec![Check { name: "settings".into(), ok: false, detail: fault.detail }],
        };
        let stop = CancellationToken::new();
        let mut rows = check::portal(self.portal(opened, &settings, stop.clone()), &settings).await;
        rows.extend(check::otmechalka(self.otmechalka(opened, &settings, stop), &settings).await);
        rows
    }

    async fn discover(&self, _opened: &Opened, _known: Vec<Discovered>) -> Result<Vec<Discovered>, Fault> {
        Ok([CONTACTS, DEALS].map(|stream| Discovered { stream: stream.to_owned(), name: stream.to_owned() }).to_vec())
    }

    fn engine_settings(&self, opened: &Opened) -> Result<EngineSettings, Fault> {
        let settings = read(opened)?;
        let share = number::parse_decimal(&settings.max_failed_share.0).map(number::plain);
        Ok(EngineSettings {
            full_every: Some(settings::duration(&settings.bitrix24.full_every)),
            read_reuse: Duration::ZERO,
            max_failed_share: share.and_then(|share| share.parse().ok()).unwrap_or(1.0),
            overlap: settings::duration(&settings.bitrix24.overlap),
        })
    }

    async fn source(&self, opened: &Opened, stop: CancellationToken) -> Result<Box<dyn Source>, Fault> {
        let settings = read(opened)?;
        let entity = entity(opened.stream.as_deref().unwrap_or_default())?;
        Ok(Box::new(Bitrix24Source::new(self.portal(opened, &settings, stop)?, settings.clone(), start(&settings)?, entity)))
    }

    async fn observer(&self, opened: &Opened) -> Result<Box<dyn Observe>, Fault> {
        let settings = read(opened)?;
        let reader = self.otmechalka(opened, &settings, opened.stop())?;
        Ok(Box::new(Looking::new(reader, opened.hold.is_none())))
    }

    fn longest_write(&self) -> Duration {
        bitrix24::WRITE_TIMEOUT.max(settings::LONGEST_TIMEOUT)
    }

    async fn target(&self, opened: &Opened) -> Result<Box<dyn Apply>, Fault> {
        let settings = read(opened)?;
        let permit = opened.permit()?;
        let portal = bitrix24::Writer::new(self.portal(opened, &settings, opened.stop())?, Box::new(permit.clone()));
        let otmechalka = otmechalka::Writer::new(self.otmechalka(opened, &settings, opened.stop())?, Box::new(permit));
        let shared = self.shared(opened, &settings);
        Ok(Box::new(Writing { portal, otmechalka, settings, shared, sight: Sight::new(false), stop: opened.stop(), ended: None }))
    }

    fn rules(&self, opened: &Opened, _stream: &str, _streams: &[Stream], facts: Facts) -> Result<Box<dyn Rules>, Fault> {
        let settings = read(opened)?;
        let length = |name: &str| facts.source.get(name).and_then(Value::as_u64).and_then(|length| usize::try_from(length).ok());
        let contact_status = length(CONTACT_STATUS).unwrap_or(status::LONGEST);
        let deal_status = length(DEAL_STATUS).unwrap_or(status::LONGEST);
        // A refusal of otmechalka is put into words when it is met.
        target::learned(&self.shared(opened, &settings)).lengths = [(Entity::Contact, contact_status), (Entity::Deal, deal_status)].into();
        Ok(Box::new(Bitrix24Otmechalka { start: start(&settings)?, contact_status, deal_status, now: clock::now(), settings }))
    }
}
