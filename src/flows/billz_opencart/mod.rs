//! **Billz -> OpenCart**, the main job (`requirements/billz-opencart.md`): a seller's prices and stock from Billz into the
//! marketplace's database; a stream is one Billz shop.
//!
//! | requirement | file |
//! |---|---|
//! | 1 switch and secrets, and every other setting | [`settings`] |
//! | 2 "Список магазинов billz" | `discover` below; streams are the engine's |
//! | 4 selection since the last date; what a row means | [`source`], [`normalise_billz1`], [`normalise`] (Billz 2), [`record`] |
//! | 4 matching by id | links are the engine's; [`rules`] proposes them |
//! | 4.1 new goods | [`new`](mod@new): every field is decided there; [`texts`] cleans descriptions, [`properties`] makes attributes and weight, [`dictionaries`] finds or makes brands and attributes |
//! | 4.1 "маппинг категорий товара" | [`categories`] decides, [`filing`] writes |
//! | 4.1 "загрузить картинки товара" | [`pictures`] decides, [`gallery`] fetches and stores |
//! | 4.2 stock, price, "Акция" | [`existing`], [`stock`], [`price`] |
//! | 4.2 other fields that are to follow Billz | [`details`] |
//! | the site's own sales; goods that vanish from Billz | [`site_sales`]; [`vanished`] |
//! | variants as options of one product | [`variants`] decides, [`families`] writes |
//! | what is looked at in the shop | [`sight`] |
//! | writing | [`target`] |
//! | undo: what stands there whole, and how it is put back | [`undo`] |
//!
//! Start reading at [`rules`]: one pure function decides about one good.

pub mod categories;
pub mod check;
pub mod details;
pub mod dictionaries;
pub mod existing;
pub mod families;
pub mod filing;
pub mod gallery;
pub mod new;
pub mod normalise;
pub mod normalise_billz1;
pub mod pictures;
pub mod price;
pub mod properties;
pub mod record;
pub mod rules;
#[cfg(test)]
mod rules_tests;
pub mod settings;
pub mod shop_facts;
pub mod sight;
pub mod site_sales;
pub mod source;
pub mod stock;
#[cfg(test)]
mod sync_tests;
pub mod target;
pub mod texts;
pub mod undo;
pub mod vanished;
pub mod variants;

use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{Parts, address};
use crate::{
    domain::{number, text::Lang},
    engine::{
        flow::{Apply, Check, Discovered, EngineSettings, Facts, Flow, Identity, Observe, Opened, Rules, Source, StreamNames},
        mapping::{Group, Grouping, TargetGroup},
        model::Stream,
        pictures::Gallery,
        run::full_every::FIRST as FIRST_FULL_EVERY,
        space,
    },
    fault::{Code, Fault, FieldError},
    systems::{billz1, billz2, opencart},
};
use dictionaries::Dictionaries;
use families::Families;
use price::Currencies;
use record::ShopNames;
use settings::{Api, SECRETS, Settings};
use shop_facts::ShopFacts;
use target::{Looking, Writing};

/// The flow's name in the contract.
pub const NAME: &str = "billz-opencart";
/// Taken off the cursor: Billz keeps whole seconds, and an edit may be in flight while the read begins.
///
/// Too low: an edit in the second of the read is lost to deltas. Too high: the same rows are read again and again.
const OVERLAP: Duration = Duration::from_secs(120);
/// Fields that can be locked: what may follow Billz, and whether visitors see the product.
const LOCKABLE: &[&str] =
    &["quantity", "price", "special", "name", "description", "images", "categories", "attributes", "manufacturer", "status"];
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

    fn billz1(&self, opened: &Opened, settings: &Settings, stop: CancellationToken) -> Result<billz1::Client, Fault> {
        let options = billz1::Options {
            base_url: base_url(settings)?,
            username: username(opened)?.to_owned(),
            secret: secret(opened)?,
            issuer: settings.token_issuer.clone().unwrap_or_else(|| billz1::ISSUER.to_owned()),
        };
        Ok(billz1::Client::new(options, self.parts.http.clone(), self.parts.limits.clone(), stop))
    }

    fn billz2(&self, opened: &Opened, settings: &Settings, stop: CancellationToken) -> Result<billz2::Client, Fault> {
        let options = billz2::Options {
            base_url: base_url(settings)?,
            secret: secret(opened)?,
            egress: self.parts.egress.clone(),
            page_size: billz2::PAGE_SIZE,
        };
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
            // Without its secret the check of pictures says so; caches then expire by themselves.
            bridge: settings
                .opencart
                .bridge_url
                .as_deref()
                .and_then(|url| opencart::bridge::bridge(url, opened.secrets.get("bridge_secret"), &self.parts.http).ok()),
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

    async fn check_shop(&self, opened: &Opened, settings: &Settings) -> Result<opencart::Shop, Fault> {
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
        Ok(shop)
    }
}

fn read(opened: &Opened) -> Result<Settings, Fault> {
    Settings::read(&opened.settings).map_err(|errors| Fault::of_fields(Code::ConfigInvalid, errors))
}

fn base_url(settings: &Settings) -> Result<Url, Fault> {
    let vendor = match settings.api {
        Api::Billz1 => billz1::BASE_URL,
        Api::Billz2 => billz2::BASE_URL,
    };
    let address = settings.base_url.as_deref().unwrap_or(vendor);
    address::read("base_url", address)
}

fn secret(opened: &Opened) -> Result<SecretString, Fault> {
    let missing = || Fault::new(Code::ConfigInvalid, "the secret `secret` («Секретный ключ billz») is missing; set it in the connection");
    opened.secrets.get("secret").cloned().ok_or_else(missing)
}

/// "USERNAME billz", without blanks around it.
fn username(opened: &Opened) -> Result<&str, Fault> {
    let missing = || Fault::new(Code::ConfigInvalid, "the secret `username` («USERNAME billz») is missing; Billz 1 needs it");
    opened.secrets.get("username").map(|name| name.expose_secret().trim()).filter(|name| !name.is_empty()).ok_or_else(missing)
}

#[async_trait]
impl Grouping for BillzOpencartFlow {
    async fn source_groups(&self, opened: &Opened, stop: CancellationToken) -> Result<Option<Vec<Group>>, Fault> {
        let settings = read(opened)?;
        // Billz 1 has no list of categories: goods name theirs.
        if settings.api == Api::Billz1 {
            return Ok(None);
        }
        let categories = self.billz2(opened, &settings, stop)?.categories().await?;
        let group = |category: billz2::wire::Category| Group { key: category.id, name: category.name, parent: category.parent_id };
        Ok(Some(categories.into_iter().map(group).collect()))
    }

    async fn target_groups(&self, opened: &Opened) -> Result<Vec<TargetGroup>, Fault> {
        let mut reader = opencart::Reader::open(&self.shop(opened, &read(opened)?)?).await?;
        let categories = reader.categories().await?;
        Ok(categories.into_iter().map(|category| TargetGroup { key: category.id.to_string(), path: category.path }).collect())
    }
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

    fn validate(&self, settings: &Value, secrets: &[&str]) -> Result<(), Vec<FieldError>> {
        let settings = Settings::read(settings)?;
        let mut errors = Vec::new();
        if settings.api == Api::Billz1 && !secrets.contains(&"username") {
            let detail = "is required with api billz1: the «USERNAME billz» that Billz gave the seller";
            errors.push(FieldError::new("/secrets/username", detail));
        }
        let dir = settings.images.dir.as_deref().map(|dir| opencart::ImageFolder::new(self.parts.image_root.as_deref(), dir));
        if let Some(Err(detail)) = dir {
            errors.push(FieldError::new("/settings/images/dir", detail));
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
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

    /// A seller goes over from Billz 1 to Billz 2: other ids for the same goods.
    fn succeeds(&self, before: &Value, after: &Value) -> bool {
        let api = |settings: &Value| Settings::read(settings).map(|settings| settings.api).ok();
        (api(before), api(after)) == (Some(Api::Billz1), Some(Api::Billz2))
    }

    fn source_system(&self, settings: &Value) -> &'static str {
        match Settings::read(settings).map(|settings| settings.api) {
            Ok(Api::Billz1) => billz1::SYSTEM,
            Ok(Api::Billz2) | Err(_) => billz2::SYSTEM,
        }
    }

    fn identity(&self, opened: &Opened) -> Result<Identity, Fault> {
        let settings = read(opened)?;
        let address = base_url(&settings)?;
        let address = address::place(&address);
        let source = match settings.api {
            Api::Billz1 => format!("{} {address} {}", billz1::SYSTEM, username(opened)?.to_lowercase()),
            Api::Billz2 => format!("{} {address}", billz2::SYSTEM),
        };
        Ok(Identity { source, target: self.shop(opened, &settings)?.identity() })
    }

    async fn check(&self, opened: &Opened) -> Vec<Check> {
        self.check_in(opened, Lang::En).await
    }

    async fn check_in(&self, opened: &Opened, lang: Lang) -> Vec<Check> {
        let told = check::Rows(lang);
        let settings = match read(opened) {
            Ok(settings) => settings,
            Err(fault) => return vec![told.row("settings", Err(fault))],
        };
        let stop = CancellationToken::new();
        let mut rows = match settings.api {
            Api::Billz1 => told.billz1(self.billz1(opened, &settings, stop)).await,
            Api::Billz2 => told.billz2(self.billz2(opened, &settings, stop)).await,
        };
        rows.push(told.shop("opencart.database", self.check_shop(opened, &settings).await));
        rows.push(told.pictures(gallery::check(&self.parts, &settings, opened).await));
        rows
    }

    async fn probe(&self, opened: &Opened) -> Vec<Check> {
        let asked = async {
            let (settings, stop) = (read(opened)?, CancellationToken::new());
            Ok(match settings.api {
                Api::Billz1 => self.billz1(opened, &settings, stop)?.probe().await,
                Api::Billz2 => self.billz2(opened, &settings, stop)?.probe().await,
            })
        };
        asked.await.map_or_else(|fault| vec![check::Rows(Lang::En).row("probe", Err(fault))], check::findings)
    }

    /// Billz 2 has a list of shops. Billz 1 has none: what its answers named so far or, before the first of them, what one names now.
    async fn discover(&self, opened: &Opened, known: Vec<Discovered>) -> Result<Vec<Discovered>, Fault> {
        let settings = read(opened)?;
        let stop = CancellationToken::new();
        match settings.api {
            Api::Billz1 if !known.is_empty() => Ok(known),
            Api::Billz1 => {
                let mut offices = source::Offices::default();
                self.billz1(opened, &settings, stop)?.read_all(None, &mut offices).await?;
                Ok(offices.offered())
            }
            Api::Billz2 => {
                let shops = self.billz2(opened, &settings, stop)?.shops().await?;
                Ok(shops.into_iter().map(|shop| Discovered { stream: shop.id, name: shop.name }).collect())
            }
        }
    }

    fn engine_settings(&self, opened: &Opened) -> Result<EngineSettings, Fault> {
        let settings = read(opened)?;
        let share = number::plain(settings.max_failed_share.value()).parse().unwrap_or(1.0);
        Ok(EngineSettings {
            // Billz 1 never says when a good was changed, so nobody can tell what deltas miss: `auto` stays where it begins.
            full_every: settings.full_every().or((settings.api == Api::Billz1).then_some(FIRST_FULL_EVERY)),
            read_reuse: settings.read_reuse(),
            max_failed_share: share,
            overlap: OVERLAP,
        })
    }

    async fn source(&self, opened: &Opened, stop: CancellationToken) -> Result<Box<dyn Source>, Fault> {
        let settings = read(opened)?;
        Ok(match settings.api {
            Api::Billz1 => Box::new(source::Billz1Source::new(self.billz1(opened, &settings, stop)?)),
            Api::Billz2 => Box::new(source::Billz2Source::new(self.billz2(opened, &settings, stop)?)),
        })
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

    fn grouping(&self) -> Option<&dyn Grouping> {
        Some(self)
    }

    fn lockable(&self) -> &'static [&'static str] {
        LOCKABLE
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
            stream: stream.to_owned(),
            shops,
            names: ShopNames::new(streams.iter().map(|stream| (stream.stream.clone(), stream.name.clone()))),
            currencies,
            groups: shop.groups,
            today: shop.today,
            // What is mapped to a category that was deleted in the shop counts as not mapped.
            mappings: match &shop.categories {
                Some(known) => facts.mappings.only(|target| target.parse().is_ok_and(|id| known.contains(&id))),
                None => facts.mappings,
            },
            categories: shop.categories,
            locks: facts.locks.with_fields(&settings.locks),
            rooms: shop.rooms,
            settings,
        }))
    }
}
