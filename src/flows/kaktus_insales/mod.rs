//! **Kaktus -> InSales** (`requirements/kaktus-insales.md`): stock of a fulfilment warehouse into a shop, each minute, by barcode.
//!
//! | requirement | file |
//! |---|---|
//! | 1.2 as near to real time as possible | the default schedule below; [`catalogue`] spends InSales' budget |
//! | 2.1 login, token, its expiry | `systems::kaktus` |
//! | 2.2.1, 2.2.2 the structures of both sides; 3.2, 3.4 the dictionaries | [`matching`], [`record`], [`catalogue`] |
//! | 2.2.3, 2.2.4 by barcode, unique only; 3.5 | [`rules`] |
//! | 3.1 all products of InSales | [`target`], [`catalogue`] |
//! | 3.3 all products of Kaktus | [`source`] |
//! | 3.6 the update | [`writing`]; whether it stuck: [`sending`] |
//! | how many pieces | [`stock`] |
//! | every setting | [`settings`] |
//!
//! Start reading at [`rules`]: one pure function decides about one barcode.

pub mod catalogue;
pub mod check;
pub mod matching;
pub mod record;
pub mod rules;
#[cfg(test)]
mod rules_tests;
pub mod sending;
pub mod settings;
pub mod shelf;
pub mod source;
pub mod stock;
pub mod target;
pub mod writing;

use std::time::Duration;

use async_trait::async_trait;
use secrecy::ExposeSecret;
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
    systems::{insales, kaktus},
};
use catalogue::Catalogues;
use rules::KaktusInsales;
use settings::{Missing, QUANTITY, SECRETS, Settings};
use source::KaktusSource;
use target::{Looking, Shop, Writing};

/// The flow's name in the contract.
pub const NAME: &str = "kaktus-insales";
/// Its one stream.
pub const STREAM: &str = "stock";

/// The flow, as the engine knows it.
pub struct KaktusInsalesFlow {
    parts: Parts,
    catalogues: Catalogues,
}

impl KaktusInsalesFlow {
    /// The flow with what it talks through.
    pub fn new(parts: Parts) -> Self {
        Self { parts, catalogues: Catalogues::default() }
    }

    fn kaktus(&self, opened: &Opened, settings: &Settings, stop: CancellationToken) -> Result<kaktus::Client, Fault> {
        let given = &settings.kaktus;
        let options = kaktus::Options {
            base_url: address::read("kaktus.base_url", &given.base_url)?,
            auth_path: given.auth_path.clone(),
            products_path: given.products_path.clone(),
            login: opened.needed_secret("kaktus_login")?,
            password: opened.needed_secret("kaktus_password")?,
            domain: given.domain.clone(),
            page_size: given.page_size,
            pause: settings.pause(),
            fields: kaktus::Fields { quantity: given.quantity_field.clone(), minus: given.minus_field.clone() },
        };
        Ok(kaktus::Client::new(options, self.parts.http.clone(), self.parts.limits.clone(), stop))
    }

    fn insales(&self, opened: &Opened, settings: &Settings, stop: CancellationToken) -> Result<insales::Reader, Fault> {
        let options = insales::Options {
            base_url: address::read("insales.base_url", &settings.insales.base_url)?,
            app_id: settings.insales.app_id.trim().to_owned(),
            password: opened.needed_secret("insales_password")?,
            page_size: insales::PAGE_SIZE,
        };
        Ok(insales::Reader::new(options, self.parts.http.clone(), self.parts.limits.clone(), stop))
    }

    fn shop(&self, opened: &Opened, settings: &Settings) -> Shop {
        let Settings { insales, .. } = settings;
        // What is read of a variant hangs on the warehouse.
        let key = format!("{} {} {} {:?}", opened.connection, insales.base_url, insales.app_id, insales.warehouse);
        let run = opened.hold.as_ref().map(|hold| (hold.run().to_owned(), hold.fence()));
        Shop::new(&self.catalogues, key, settings.clone(), run)
    }
}

fn read(opened: &Opened) -> Result<Settings, Fault> {
    Settings::read(&opened.settings).map_err(|errors| Fault::of_fields(Code::ConfigInvalid, errors))
}

#[async_trait]
impl Flow for KaktusInsalesFlow {
    fn name(&self) -> &'static str {
        NAME
    }

    fn stream_names(&self) -> StreamNames {
        StreamNames::Fixed(&[STREAM])
    }

    fn source_system(&self, _settings: &Value) -> &'static str {
        kaktus::SYSTEM
    }

    fn secret_names(&self) -> &'static [(&'static str, bool)] {
        SECRETS
    }

    fn validate(&self, settings: &Value, _secrets: &[&str]) -> Result<(), Vec<FieldError>> {
        Settings::read(settings).map(drop)
    }

    fn validate_stream(&self, stream: &str, settings: &Value) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        if stream != STREAM {
            errors.push(FieldError::new("/stream", format!("there is one stream: {STREAM}")));
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

    /// The account in Kaktus is its user; the shop is the target whichever application writes into it.
    fn identity(&self, opened: &Opened) -> Result<Identity, Fault> {
        let settings = read(opened)?;
        let login = opened.needed_secret("kaktus_login")?;
        let from = address::place(&address::read("kaktus.base_url", &settings.kaktus.base_url)?);
        Ok(Identity {
            source: format!("{} {from} {}", kaktus::SYSTEM, login.expose_secret().trim().to_lowercase()),
            target: format!("{} {}", insales::SYSTEM, address::place(&address::read("insales.base_url", &settings.insales.base_url)?)),
        })
    }

    async fn check(&self, opened: &Opened) -> Vec<Check> {
        let settings = match read(opened) {
            Ok(settings) => settings,
            Err(fault) => return vec![Check { name: "settings".into(), ok: false, detail: fault.detail }],
        };
        let stop = CancellationToken::new();
        let mut rows = check::kaktus(self.kaktus(opened, &settings, stop.clone()), &settings).await;
        rows.extend(check::insales(self.insales(opened, &settings, stop), &settings).await);
        rows
    }

    async fn discover(&self, _opened: &Opened, _known: Vec<Discovered>) -> Result<Vec<Discovered>, Fault> {
        Ok(vec![Discovered { stream: STREAM.to_owned(), name: STREAM.to_owned() }])
    }

    fn engine_settings(&self, opened: &Opened) -> Result<EngineSettings, Fault> {
        let settings = read(opened)?;
        let share = number::parse_decimal(&settings.max_failed_share.0).map(number::plain);
        Ok(EngineSettings {
            // Kaktus has no deltas: every read is of everything.
            full_every: Some(Duration::ZERO),
            read_reuse: Duration::ZERO,
            max_failed_share: share.and_then(|share| share.parse().ok()).unwrap_or(1.0),
            overlap: Duration::ZERO,
        })
    }

    async fn source(&self, opened: &Opened, stop: CancellationToken) -> Result<Box<dyn Source>, Fault> {
        let settings = read(opened)?;
        let shop = match settings.missing {
            Missing::Leave => None,
            Missing::Zero => Some((self.shop(opened, &settings), self.insales(opened, &settings, stop.clone())?)),
        };
        Ok(Box::new(KaktusSource::new(self.kaktus(opened, &settings, stop)?, shop)))
    }

    async fn observer(&self, opened: &Opened) -> Result<Box<dyn Observe>, Fault> {
        let settings = read(opened)?;
        let reader = self.insales(opened, &settings, opened.stop())?;
        Ok(Box::new(Looking::new(self.shop(opened, &settings), reader)))
    }

    fn longest_write(&self) -> Duration {
        insales::WRITE_TIMEOUT
    }

    async fn target(&self, opened: &Opened) -> Result<Box<dyn Apply>, Fault> {
        let settings = read(opened)?;
        let reader = self.insales(opened, &settings, opened.stop())?;
        let permit = opened.permit()?;
        Ok(Box::new(Writing::new(self.shop(opened, &settings), insales::Writer::new(reader, Box::new(permit)))))
    }

    fn lockable(&self) -> &'static [&'static str] {
        &[QUANTITY]
    }

    fn rules(&self, opened: &Opened, _stream: &str, _streams: &[Stream], facts: Facts) -> Result<Box<dyn Rules>, Fault> {
        let settings = read(opened)?;
        Ok(Box::new(KaktusInsales { locks: facts.locks.with_fields(&settings.locks), settings, now: clock::now() }))
    }
}
