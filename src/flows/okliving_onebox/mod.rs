//! **OK Living -> OneBox and back** (`requirements/okliving-onebox.md`): orders of a shop into a CRM each minute; waybill, status and comment back
//! by the CRM's automatic action.
//!
//! | requirement | file |
//! |---|---|
//! | 1. orders each minute | the default schedule below; [`source`] reads and stores, [`orders`] decides, [`sending`] sends |
//! | 2. authorisation | `systems::okliving`, `systems::onebox` |
//! | 2. mapping of fields | [`mapping`]; tried by [`mapping_test`] |
//! | 2. valid data of the recipient | [`recipient`]; buyer and recipient apart: [`process`] |
//! | 3. waybill, status, comment back | [`hook`] reads what OneBox says, [`updates`] plans, [`machine`] guards, [`back`] decides, [`telling`] sends |
//! | inside OneBox: what is pasted there | [`recipes`], shown by `api::pages` |
//! | every setting | [`settings`] |
//!
//! Two streams: `orders` (shop -> OneBox) and `updates` (hooks -> shop). One record per order, by the shop's id, and one link to OneBox's: the life
//! of one order stands in one place. OneBox's side is compared with what was last written, never put back: its people change orders all day.
//!
//! Start reading at [`orders`] and [`updates`]: what is done with one order, either way.

pub mod back;
pub mod check;
pub mod hook;
pub mod machine;
pub mod mapping;
pub mod mapping_test;
pub mod orders;
pub mod process;
pub mod recipes;
pub mod recipient;
pub mod record;
pub mod sending;
pub mod settings;
pub mod source;
pub mod target;
pub mod telling;
pub mod updates;

#[cfg(test)]
mod rules_tests;

use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{Parts, address};
use crate::{
    domain::clock,
    engine::{
        flow::{Apply, Check, Discovered, EngineSettings, Facts, Flow, Identity, Observe, Opened, Rules, Source, StreamNames},
        hooks::{Given, Heard},
        model::Stream,
        page::PageFacts,
        service::hooks::{SHORTEST_TOKEN, TOKEN, tokens},
    },
    fault::{Code, Fault, FieldError},
    systems::{okliving, onebox},
};
use settings::{SECRETS, Settings, words::UpdateField};
use source::Sweeps;
use target::{Looking, Sight, Writing};

/// The flow's name in the contract.
pub const NAME: &str = "okliving-onebox";
/// Orders of the shop into OneBox.
pub const ORDERS: &str = "orders";
/// What hooks ask for, into the shop.
pub const UPDATES: &str = "updates";
/// A whole read is never needed by itself: nothing is taken as gone.
const NEVER: Duration = Duration::from_secs(36_500 * 86_400);

/// The flow, as the engine knows it.
pub struct OklivingOneboxFlow {
    parts: Parts,
    sweeps: Sweeps,
}

impl OklivingOneboxFlow {
    /// The flow with what it talks through.
    pub fn new(parts: Parts) -> Self {
        Self { parts, sweeps: Sweeps::default() }
    }

    fn okliving(&self, opened: &Opened, settings: &Settings, stop: CancellationToken) -> Result<okliving::Client, Fault> {
        let given = &settings.okliving;
        let options = okliving::Options {
            base_url: address::read("okliving.base_url", &given.base_url)?,
            token_path: given.token_path.clone(),
            orders_path: given.orders_path.clone(),
            update_path: given.update_path.clone(),
            client_id: given.client_id.trim().to_owned(),
            client_secret: opened.needed_secret("okliving_client_secret")?,
            token_body: settings.token_body(),
            request: given.request.clone(),
            order_request: given.order_request.clone().unwrap_or(Value::Null),
            paging: settings.paging(),
            page_size: given.page_size,
            times: settings.times(),
            pause: clock::parse_duration(&given.pause).unwrap_or_default(),
        };
        Ok(okliving::Client::new(options, self.parts.http.clone(), self.parts.limits.clone(), stop))
    }

    fn onebox(&self, opened: &Opened, settings: &Settings, stop: CancellationToken) -> Result<onebox::Client, Fault> {
        let given = &settings.onebox;
        let options = onebox::Options {
            base_url: address::read("onebox.base_url", &given.base_url)?,
            login: SecretString::from(given.login.trim().to_owned()),
            password: opened.needed_secret("onebox_password")?,
            password_form: settings.password_form(),
            token_life: clock::parse_duration(&given.token_life).unwrap_or(onebox::TOKEN_LIFE),
            pause: clock::parse_duration(&given.pause).unwrap_or_default(),
        };
        Ok(onebox::Client::new(options, self.parts.http.clone(), self.parts.limits.clone(), stop))
    }
}

fn read(opened: &Opened) -> Result<Settings, Fault> {
    Settings::read(&opened.settings).map_err(|errors| Fault::of_fields(Code::ConfigInvalid, errors))
}

#[async_trait]
impl Flow for OklivingOneboxFlow {
    fn name(&self) -> &'static str {
        NAME
    }

    fn stream_names(&self) -> StreamNames {
        StreamNames::Fixed(&[ORDERS, UPDATES])
    }

    fn source_system(&self, _settings: &Value) -> &'static str {
        okliving::SYSTEM
    }

    fn secret_names(&self) -> &'static [(&'static str, bool)] {
        SECRETS
    }

    fn validate(&self, settings: &Value, _secrets: &[&str]) -> Result<(), Vec<FieldError>> {
        Settings::read(settings).map(drop)
    }

    fn validate_stream(&self, stream: &str, settings: &Value) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        if ![ORDERS, UPDATES].contains(&stream) {
            errors.push(FieldError::new("/stream", format!("there are two streams: {ORDERS}, {UPDATES}")));
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

    fn tells_absence(&self) -> bool {
        false
    }

    fn hook_stream(&self) -> Option<&'static str> {
        Some(UPDATES)
    }

    fn hear(&self, opened: &Opened, given: &Given) -> Result<Heard, Fault> {
        hook::hear(given, &read(opened)?)
    }

    fn started_by(&self, opened: &Opened, given: &Given) -> Result<Option<&'static str>, Fault> {
        Ok(hook::is_pull(given, &read(opened)?).then_some(ORDERS))
    }

    fn page(&self, opened: &Opened) -> Result<PageFacts, Fault> {
        let tokens = opened.secrets.get(TOKEN).map(tokens).unwrap_or_default();
        recipes::page(&read(opened)?, tokens.first())
    }

    fn test_mapping(&self, opened: &Opened, item: &str, payload: &str, mapping: Option<&Value>) -> Result<Value, Fault> {
        mapping_test::test(&opened.settings, item, payload, mapping)
    }

    /// The account in the shop is its integration; in OneBox our keys live in the box, whoever logs in.
    fn identity(&self, opened: &Opened) -> Result<Identity, Fault> {
        let settings = read(opened)?;
        let from = address::place(&address::read("okliving.base_url", &settings.okliving.base_url)?);
        let to = address::place(&address::read("onebox.base_url", &settings.onebox.base_url)?);
        Ok(Identity {
            source: format!("{} {from} {}", okliving::SYSTEM, settings.okliving.client_id.trim()),
            target: format!("{} {to} {}", onebox::SYSTEM, settings.onebox.externalid_prefix),
        })
    }

    async fn check(&self, opened: &Opened) -> Vec<Check> {
        let settings = match read(opened) {
            Ok(settings) => settings,
            Err(fault) => return vec![Check { name: "settings".into(), ok: false, detail: fault.detail }],
        };
        let stop = CancellationToken::new();
        let mut rows = check::okliving(self.okliving(opened, &settings, stop.clone()), &settings).await;
        rows.extend(check::onebox(self.onebox(opened, &settings, stop), &settings).await);
        let own = opened.secrets.get(TOKEN).map(tokens).unwrap_or_default();
        let short = own.iter().any(|token| token.expose_secret().len() < SHORTEST_TOKEN);
        rows.push(match (own.len(), short) {
            (0, _) => {
                Check { name: "hook_token".into(), ok: false, detail: "OneBox cannot tell us anything: set the secret hook_token.".into() }
            }
            (_, true) => Check {
                name: "hook_token".into(),
                ok: false,
                detail: format!("a token is shorter than {SHORTEST_TOKEN} characters and is not taken."),
            },
            (count, false) => Check { name: "hook_token".into(), ok: true, detail: format!("{count} hook tokens are taken.") },
        });
        rows
    }

    async fn discover(&self, _opened: &Opened, _known: Vec<Discovered>) -> Result<Vec<Discovered>, Fault> {
        Ok([ORDERS, UPDATES].map(|stream| Discovered { stream: stream.to_owned(), name: stream.to_owned() }).to_vec())
    }

    fn engine_settings(&self, opened: &Opened) -> Result<EngineSettings, Fault> {
        let settings = read(opened)?;
        let overlap = if opened.stream.as_deref() == Some(ORDERS) { settings.overlap() } else { Duration::ZERO };
        Ok(EngineSettings { full_every: Some(NEVER), read_reuse: Duration::ZERO, max_failed_share: settings.failed_share(), overlap })
    }

    async fn source(&self, opened: &Opened, stop: CancellationToken) -> Result<Box<dyn Source>, Fault> {
        let settings = read(opened)?;
        if opened.stream.as_deref() == Some(UPDATES) {
            let onebox = self.onebox(opened, &settings, stop)?;
            return Ok(Box::new(source::Hooked::new(onebox, settings, opened.connection.clone(), self.parts.hooks.clone())));
        }
        let shop = self.okliving(opened, &settings, stop)?;
        let since = settings.since(opened.created_at);
        Ok(Box::new(source::Orders::new(shop, settings, opened.connection.clone(), since, self.sweeps.clone())))
    }

    async fn observer(&self, opened: &Opened) -> Result<Box<dyn Observe>, Fault> {
        let settings = read(opened)?;
        let onebox = self.onebox(opened, &settings, opened.stop())?;
        Ok(Box::new(Looking::new(Sight::new(opened, settings, self.parts.hooks.clone()), onebox)))
    }

    async fn target(&self, opened: &Opened) -> Result<Box<dyn Apply>, Fault> {
        let settings = read(opened)?;
        let permit = opened.permit()?;
        let onebox = onebox::Writer::new(self.onebox(opened, &settings, opened.stop())?, Box::new(permit.clone()), settings.body_root());
        let shop = self.okliving(opened, &settings, opened.stop())?.writing(Box::new(permit));
        Ok(Box::new(Writing::new(Sight::new(opened, settings, self.parts.hooks.clone()), onebox, shop)))
    }

    fn longest_write(&self) -> Duration {
        onebox::WRITE_TIMEOUT.max(okliving::WRITE_TIMEOUT)
    }

    fn lockable(&self) -> &'static [&'static str] {
        UpdateField::NAMES
    }

    fn rules(&self, opened: &Opened, stream: &str, _streams: &[Stream], facts: Facts) -> Result<Box<dyn Rules>, Fault> {
        let settings = read(opened)?;
        if stream == UPDATES {
            return Ok(Box::new(back::Updates { settings, hooks: facts.hooks, now: clock::now() }));
        }
        let since = settings.since(opened.created_at);
        Ok(Box::new(orders::Orders { locks: facts.locks.with_fields(&settings.locks), since, settings }))
    }
}
