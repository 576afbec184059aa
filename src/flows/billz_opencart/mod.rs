//! **Billz -> OpenCart**, the main job (`requirements/billz-opencart.md`): a seller's prices and stock from Billz into the
//! marketplace's database; a stream is one Billz shop.
//!
//! | requirement | file |
//! |---|---|
//! | 1 switch and secrets, and every other setting | [`settings`] |
//! | 2 "Список магазинов billz" | `discover` below; streams are the engine's |
//! | 4 selection since the last date; what a row means | [`source`], [`normalise`], [`record`] |
//! | 4 matching by id | links are the engine's; [`rules`] proposes them |
//! | 4.1 new goods | [`new`](mod@new): every field is decided there; [`texts`] cleans descriptions, [`properties`] makes attributes and weight, [`dictionaries`] finds or makes brands and attributes |
//! | 4.1 "загрузить картинки товара" | [`pictures`] decides, [`gallery`] fetches and stores |
//! | 4.2 stock, price, "Акция" | [`existing`], [`stock`], [`price`] |
//! | 4.2 other fields that are to follow Billz | [`details`] |
//! | the site's own sales; goods that vanish from Billz | [`site_sales`]; [`vanished`] |
//! | variants as options of one product | [`variants`] decides, [`families`] writes |
//! | writing | [`target`] |
//!
//! Start reading at [`rules`]: one pure function decides about one good.

pub mod details;
pub mod dictionaries;
pub mod existing;
pub mod families;
pub mod gallery;
pub mod new;
pub mod normalise;
pub mod pictures;
pub mod price;
pub mod properties;
pub mod record;
pub mod rules;
#[cfg(test)]
mod rules_tests;
pub mod settings;
pub mod site_sales;
pub mod source;
pub mod stock;
#[cfg(test)]
mod sync_tests;
pub mod target;
pub mod texts;
pub mod vanished;
pub mod variants;

use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::Parts;
use crate::{
    domain::number,
    engine::{
        flow::{Apply, Check, Discovered, EngineSettings, Facts, Flow, Identity, Observe, Opened, Rules, Source, StreamNames},
        model::Stream,
        pictures::Gallery,
        space,
    },
    fault::{Code, Fault, FieldError},
    systems::{billz2, opencart},
};
use dictionaries::Dictionaries;
use families::Families;
use price::Currencies;
use record::ShopNames;
use settings::{SECRETS, Settings};
use target::{Looking, ShopFacts, Writing};

/// The flow's name in the contract.
pub const NAME: &str = "billz-opencart";
/// Taken off the cursor: Billz keeps whole seconds, and an edit may be in flight while the read begins.
///
/// Too low: an edit in the second of the read is lost to deltas. Too high: the same rows are read again and again.
const OVERLAP: Duration = Duration::from_secs(120);
/// Longest key of a stream.
const STREAM: usize = 191;

/// The flow, as the engine knows it.
pub struct BillzOpencartFlow {
    parts: Parts,
}

impl BillzOpencartFlow {
    /// The flow with what it talks through.
    pub fn new(parts: Parts) -> Self {
        Self { parts }
    }

    fn client(&self, opened: &Opened, settings: &Settings, stop: CancellationToken) -> Result<billz2::Client, Fault> {
        let secret = opened.secrets.get("secret").cloned().ok_or_else(|| {
            Fault::new(Code::ConfigInvalid, "the secret `secret` («Секретный ключ billz») is missing; set it in the connection")
        })?;
        let options = billz2::Options { base_url: base_url(settings)?, secret, egress: self.parts.egress.clone(), page_size: 200 };
        Ok(billz2::Client::new(options, self.parts.http.clone(), self.parts.limits.clone(), stop))
    }

    fn shop(&self, opened: &Opened, settings: &Settings) -> Result<opencart::Options, Fault> {
        let own: &SecretString = &self.parts.database_url;
        let url = opened.secrets.get("opencart_database_url").unwrap_or(own);
        let seller = &settings.opencart.seller;
        Ok(opencart::Options {
            url: opencart::DatabaseUrl::parse(url.expose_secret())
                .map_err(|fault| Fault::field("/secrets/opencart_database_url", fault.detail))?,
            table_prefix: settings.opencart.table_prefix.clone(),
            store_id: settings.opencart.store_id,
            cache_dir: settings.opencart.cache_dir.clone(),
            seller: opencart::SellerAdapter {
                link_table: seller.link_table.clone(),
                product_column: seller.product_column.clone(),
                seller_column: seller.seller_column.clone(),
                seller_value: seller.seller_value.as_ref().map(|value| value.0.clone()),
                extra: seller.extra.clone().into_iter().collect(),
                product_table_column: seller.product_table_column.clone(),
            },
        })
    }

    async fn check_billz(&self, opened: &Opened, settings: &Settings) -> Vec<Check> {
        let row = |name: &str, answer: Result<String, Fault>| match answer {
            Ok(detail) => Check { name: name.into(), ok: true, detail },
            Err(fault) => Check { name: name.into(), ok: false, detail: format!("{} {}", fault.detail, fault.code.next()) },
        };
        let client = match self.client(opened, settings, CancellationToken::new()) {
            Ok(client) => client,
            Err(fault) => return vec![row("billz.settings", Err(fault))],
        };
        let account = client.account().await.map(|account| match account {
            Some(account) => format!("The key opens the company {account}."),
            None => "The key is accepted.".to_owned(),
        });
        let mut rows = vec![row("billz.login", account)];
        if rows.iter().all(|row| row.ok) {
            rows.push(row("billz.shops", client.shops().await.map(|shops| format!("{} shops can be synchronised.", shops.len()))));
            let currency = client.company_currency().await.map(|currency| match currency {
                Some(currency) => format!("The company's prices are in {currency}."),
                None => "Billz does not tell the company's currency; prices without a currency are taken as the shop's.".to_owned(),
            });
            rows.push(row("billz.currency", currency));
        }
        rows
    }

    async fn check_shop(&self, opened: &Opened, settings: &Settings) -> Result<String, Fault> {
        let mut reader = opencart::Reader::open(&self.shop(opened, settings)?).await?;
        let shop = reader.shop().await?;
        if let Some(id) = settings.opencart.tax_class_id
            && !reader.has_tax_class(i64::from(id)).await?
        {
            return Err(Fault::new(Code::ConfigInvalid, format!("opencart.tax_class_id: the shop has no tax class {id}")));
        }
        if let Some(id) = settings.opencart.stock_status_id
            && !reader.has_stock_status(i64::from(id)).await?
        {
            return Err(Fault::new(Code::ConfigInvalid, format!("opencart.stock_status_id: the shop has no stock status {id}")));
        }
        let notes = if shop.notes.is_empty() { String::new() } else { format!(" {}", shop.notes.join(" ")) };
        Ok(format!(
            "OpenCart answers: {} languages, {} customer groups, currency {}.{notes}",
            shop.languages.len(),
            shop.customer_groups.len(),
            shop.currency.as_deref().unwrap_or("not set"),
        ))
    }
}

fn read(opened: &Opened) -> Result<Settings, Fault> {
    Settings::read(&opened.settings).map_err(|errors| {
        let detail = errors.iter().map(|error| format!("{}: {}", error.pointer, error.detail)).collect::<Vec<_>>().join("; ");
        Fault::new(Code::ConfigInvalid, detail).with_fields(errors)
    })
}

fn base_url(settings: &Settings) -> Result<Url, Fault> {
    let address = settings.base_url.as_deref().unwrap_or(billz2::BASE_URL);
    Url::parse(address).map_err(|error| Fault::new(Code::ConfigInvalid, format!("base_url `{address}` is no address: {error}")))
}

#[async_trait]
impl Flow for BillzOpencartFlow {
    fn name(&self) -> &'static str {
        NAME
    }

    fn stream_names(&self) -> StreamNames {
        StreamNames::Free
    }

    fn secret_names(&self) -> &'static [(&'static str, bool)] {
        SECRETS
    }

    fn validate(&self, settings: &Value, _secrets: &[&str]) -> Result<(), Vec<FieldError>> {
        let settings = Settings::read(settings)?;
        let dir = settings.images.dir.as_deref().map(|dir| opencart::ImageFolder::new(self.parts.image_root.as_deref(), dir));
        match dir {
            Some(Err(detail)) => Err(vec![FieldError::new("/settings/images/dir", detail)]),
            Some(Ok(_)) | None => Ok(()),
        }
    }

    fn validate_stream(&self, stream: &str, settings: &Value) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        if stream.trim().is_empty() || stream.chars().count() > STREAM || stream.chars().any(char::is_control) {
            errors.push(FieldError::new("/stream", format!("must be the id of a Billz shop, 1 to {STREAM} characters")));
        }
        match settings {
            Value::Object(fields) => {
                errors.extend(fields.keys().map(|name| FieldError::new(format!("/settings/{name}"), "a shop has no settings of its own")))
            }
            _ => errors.push(FieldError::new("/settings", "must be an object")),
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    fn identity(&self, opened: &Opened) -> Result<Identity, Fault> {
        let settings = read(opened)?;
        let address = base_url(&settings)?;
        let source = format!("billz2 {}", address.as_str().trim_end_matches('/').to_ascii_lowercase());
        Ok(Identity { source, target: self.shop(opened, &settings)?.identity() })
    }

    async fn check(&self, opened: &Opened) -> Vec<Check> {
        let settings = match read(opened) {
            Ok(settings) => settings,
            Err(fault) => return vec![Check { name: "settings".into(), ok: false, detail: fault.detail }],
        };
        let mut rows = self.check_billz(opened, &settings).await;
        rows.push(match self.check_shop(opened, &settings).await {
            Ok(detail) => Check { name: "opencart.database".into(), ok: true, detail },
            Err(fault) => Check { name: "opencart.database".into(), ok: false, detail: format!("{} {}", fault.detail, fault.code.next()) },
        });
        rows.push(match gallery::check(&self.parts, &settings, opened).await {
            Ok(detail) => Check { name: "pictures".into(), ok: true, detail },
            Err(detail) => Check { name: "pictures".into(), ok: false, detail },
        });
        rows
    }

    async fn discover(&self, opened: &Opened) -> Result<Vec<Discovered>, Fault> {
        let settings = read(opened)?;
        let shops = self.client(opened, &settings, CancellationToken::new())?.shops().await?;
        Ok(shops.into_iter().map(|shop| Discovered { stream: shop.id, name: shop.name }).collect())
    }

    fn engine_settings(&self, opened: &Opened) -> Result<EngineSettings, Fault> {
        let settings = read(opened)?;
        let share = number::plain(settings.max_failed_share.value()).parse().unwrap_or(1.0);
        Ok(EngineSettings {
            full_every: settings.full_every(),
            read_reuse: settings.read_reuse(),
            max_failed_share: share,
            overlap: OVERLAP,
        })
    }

    async fn source(&self, opened: &Opened, stop: CancellationToken) -> Result<Box<dyn Source>, Fault> {
        Ok(Box::new(source::Billz2Source::new(self.client(opened, &read(opened)?, stop)?)))
    }

    async fn observer(&self, opened: &Opened) -> Result<Box<dyn Observe>, Fault> {
        let settings = read(opened)?;
        Ok(Box::new(Looking::new(opencart::Reader::open(&self.shop(opened, &settings)?).await?, settings)))
    }

    async fn target(&self, opened: &Opened) -> Result<Box<dyn Apply>, Fault> {
        let settings = read(opened)?;
        let shop = self.shop(opened, &settings)?;
        let writer = opencart::Writer::open(&shop, &opened.connection).await?;
        let target = space::target_name(&shop.identity());
        let dictionaries = Dictionaries::new(self.parts.claims.clone(), target, settings.attribute_group.clone());
        let identity = self.identity(opened)?;
        let space = space::link_space(&format!("{NAME} {}", identity.source), &identity.target, opened.owner.as_deref());
        let families = Families::new(self.parts.claims.clone(), &space);
        Ok(Box::new(Writing::new(writer, settings, dictionaries, families)))
    }

    async fn gallery(&self, opened: &Opened) -> Result<Option<Box<dyn Gallery>>, Fault> {
        let settings = read(opened)?;
        let gallery = gallery::BillzGallery::new(&self.parts, &settings, opened, self.shop(opened, &settings)?)?;
        Ok(gallery.map(|gallery| Box::new(gallery) as Box<dyn Gallery>))
    }

    fn rules(&self, opened: &Opened, stream: &str, streams: &[Stream], facts: Facts) -> Result<Box<dyn Rules>, Fault> {
        let settings = read(opened)?;
        let shop = ShopFacts::of(&facts.target)?;
        let company = facts.source.get("currency").and_then(Value::as_str).map(str::to_owned);
        let currencies = Currencies { shop: settings.currency.clone().or(shop.currency).or_else(|| company.clone()), company };
        let shops = streams
            .iter()
            .filter(|other| other.stream == stream || (other.enabled && other.last_synced_at.is_some()))
            .map(|other| other.stream.clone())
            .collect();
        Ok(Box::new(rules::BillzOpencart {
            vanished_delay: settings.vanished_delay(),
            settings,
            stream: stream.to_owned(),
            shops,
            names: ShopNames::new(streams.iter().map(|stream| (stream.stream.clone(), stream.name.clone()))),
            currencies,
            groups: shop.groups,
            today: shop.today,
            rooms: shop.rooms,
        }))
    }
}
