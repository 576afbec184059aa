//! What a shopkeeper does: sell, reprice, start promotions, add, delete; and the raw truth about a product.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use super::{
    catalogue::{Brand, Catalogue, Category, Currency, Kind, NO_CATEGORY, Product},
    chance::{self, Chance},
    fixed::Fixed,
    seed,
    switches::Switches,
};

/// A product as Billz knows it, without the wire's quirks. Decimals are strings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truth {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its sku.
    pub sku: String,
    /// Its barcode, may be empty.
    pub barcode: String,
    /// Goods, service, bundle or parent.
    pub kind: Kind,
    /// The parent's id, if it has one.
    pub parent: Option<Uuid>,
    /// `YYYY-MM-DD HH:MM:SS`, UTC.
    pub updated_at: String,
    /// Every shop by id, also those without stock or price.
    pub shops: BTreeMap<Uuid, ShopTruth>,
}

/// A product in one shop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShopTruth {
    /// Units held; 0 = the wire has no row.
    pub stock: Fixed,
    /// Retail price; null = no price row.
    pub price: Option<Fixed>,
    /// Currency as sent, may be `""`.
    pub currency: String,
    /// Price under a promotion; null = none.
    pub promo: Option<Fixed>,
}

/// The truth about one product.
pub fn truth(catalogue: &Catalogue, product: &Product) -> Truth {
    let shops = catalogue.shops.iter().zip(&product.offers).map(|(shop, offer)| {
        let truth = ShopTruth {
            stock: offer.stock,
            price: offer.priced.then_some(offer.price),
            currency: offer.currency.code().to_owned(),
            promo: (offer.priced && !offer.promo.is_zero()).then_some(offer.promo),
        };
        (shop.id, truth)
    });
    Truth {
        id: product.id,
        name: product.name.to_string(),
        sku: product.sku.to_string(),
        barcode: product.barcode.to_string(),
        kind: product.kind,
        parent: (!product.parent.is_nil()).then_some(product.parent),
        updated_at: super::wire::time(product.updated_at),
        shops: shops.collect(),
    }
}

/// Tells `null` from "not given".
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Changes of one product; what is not given stays. Shops are named by id or by name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Patch {
    /// New name.
    pub name: Option<String>,
    /// New sku.
    pub sku: Option<String>,
    /// New barcode.
    pub barcode: Option<String>,
    /// New description, HTML.
    pub description: Option<String>,
    /// Photos, the main one first: whole addresses, or names below the switch `photos`.
    pub photos: Option<Vec<String>>,
    /// Brand by name (a new name makes a brand); `""` = none.
    pub brand: Option<String>,
    /// Custom fields, by name, in place of the invented ones.
    pub custom_fields: Option<Vec<(String, String)>>,
    /// Units by shop; 0 removes the stock row, negative values are taken as they are.
    pub stock: BTreeMap<String, Fixed>,
    /// Retail price by shop; null removes the price row.
    pub price: BTreeMap<String, Option<Fixed>>,
    /// Price under a promotion by shop; null ends it.
    pub promo: BTreeMap<String, Option<Fixed>>,
    /// Currency by shop, may be `""`.
    pub currency: BTreeMap<String, String>,
    /// Category by id or name (a new name makes a root category); null = none.
    #[serde(deserialize_with = "given")]
    pub category: Option<Option<String>>,
    /// Goods, service, bundle or parent.
    pub kind: Option<Kind>,
    /// The parent's id (it need not exist); null = none.
    #[serde(deserialize_with = "given")]
    pub parent: Option<Option<Uuid>>,
}

impl Patch {
    /// True when something besides stock and promotions changes.
    fn is_plain_edit(&self) -> bool {
        self.name.is_some()
            || self.sku.is_some()
            || self.barcode.is_some()
            || self.description.is_some()
            || self.photos.is_some()
            || self.brand.is_some()
            || self.custom_fields.is_some()
            || self.category.is_some()
            || self.kind.is_some()
            || self.parent.is_some()
            || !self.price.is_empty()
            || !self.currency.is_empty()
    }
}

fn shop(catalogue: &Catalogue, key: &str) -> Result<usize, String> {
    let position = catalogue.shops.iter().position(|shop| shop.name == key || shop.id.to_string() == key);
    position.ok_or_else(|| {
        let known: Vec<String> = catalogue.shops.iter().map(|shop| format!("{} ({})", shop.id, shop.name)).collect();
        format!("no shop `{key}`; there are {}", known.join(", "))
    })
}

/// Which category a text means; unknown names become new root categories.
fn category(catalogue: &mut Catalogue, text: &str) -> Result<u16, String> {
    let found = catalogue.categories.iter().position(|category| category.id.to_string() == text || category.name == text);
    let position = found.unwrap_or(catalogue.categories.len());
    if found.is_none() {
        let id = chance::id(catalogue.seed, chance::Kind::Category, position as u64);
        catalogue.categories.push(Category { id, name: text.to_owned(), parent: None });
    }
    u16::try_from(position).map_err(|_| "too many categories".to_owned())
}

/// Which brand a text means; unknown names become new brands.
fn brand(catalogue: &mut Catalogue, text: &str) -> Result<u16, String> {
    if text.is_empty() {
        return Ok(NO_CATEGORY);
    }
    let found = catalogue.brands.iter().position(|brand| brand.name == text);
    let position = found.unwrap_or(catalogue.brands.len());
    if found.is_none() {
        let id = chance::id(catalogue.seed, chance::Kind::Brand, position as u64);
        catalogue.brands.push(Brand { id, name: text.to_owned() });
    }
    u16::try_from(position).map_err(|_| "too many brands".to_owned())
}

/// Applies a patch whole or not at all.
pub fn patch(catalogue: &mut Catalogue, switches: &Switches, id: &Uuid, change: &Patch, now: i64) -> Result<(), String> {
    let mut product = catalogue.get(id).ok_or_else(|| format!("no product {id}"))?.clone();
    let mut touch = change.is_plain_edit();
    for (key, stock) in &change.stock {
        let at = shop(catalogue, key)?;
        if let Some(offer) = product.offers.get_mut(at) {
            offer.stock = *stock;
        }
        touch |= switches.stock_moves_updated_at;
    }
    for (key, price) in &change.price {
        let at = shop(catalogue, key)?;
        if let Some(offer) = product.offers.get_mut(at) {
            offer.priced = price.is_some();
            offer.price = price.unwrap_or(offer.price);
        }
    }
    for (key, promo) in &change.promo {
        let at = shop(catalogue, key)?;
        if let Some(offer) = product.offers.get_mut(at) {
            offer.promo = promo.unwrap_or(Fixed::ZERO);
        }
        touch |= switches.promo_moves_updated_at;
    }
    for (key, code) in &change.currency {
        let (at, currency) = (shop(catalogue, key)?, Currency::parse(code)?);
        if let Some(offer) = product.offers.get_mut(at) {
            offer.currency = currency;
        }
    }
    if let Some(wanted) = &change.category {
        let at = wanted.as_ref().map_or(Ok(NO_CATEGORY), |text| category(catalogue, text))?;
        product.categories = [at, NO_CATEGORY];
    }
    if let Some(name) = &change.brand {
        product.brand = brand(catalogue, name)?;
    }
    for (field, value) in [(&mut product.name, &change.name), (&mut product.sku, &change.sku), (&mut product.barcode, &change.barcode)] {
        if let Some(value) = value {
            *field = value.as_str().into();
        }
    }
    product.kind = change.kind.unwrap_or(product.kind);
    if let Some(parent) = change.parent {
        product.parent = parent.unwrap_or_default();
    }
    if let Some(description) = &change.description {
        catalogue.descriptions.insert(*id, description.as_str().into());
    }
    if let Some(photos) = &change.photos {
        catalogue.photos.insert(*id, photos.clone());
    }
    if let Some(fields) = &change.custom_fields {
        catalogue.custom_fields.insert(*id, fields.clone());
    }
    if touch {
        product.updated_at = now;
    }
    if let Some(place) = catalogue.get_mut(id) {
        *place = product;
    }
    Ok(())
}

/// Adds a product: an ordinary one, with whatever is given on top.
pub fn create(catalogue: &mut Catalogue, switches: &Switches, given: &Patch, now: i64) -> Result<Uuid, String> {
    let id = seed::one_more(catalogue, now);
    if let Err(error) = patch(catalogue, switches, &id, given, now) {
        catalogue.remove(&id);
        return Err(error);
    }
    Ok(id)
}

/// How much is to change by chance.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RandomChanges {
    /// Products whose stock changes in one shop (never its price or name).
    pub stock: usize,
    /// Products whose price changes in all their shops.
    pub price: usize,
    /// Products whose promotion starts, changes or ends.
    pub promo: usize,
    /// New products.
    pub new: usize,
    /// Products that vanish.
    pub deleted: usize,
    /// Repeats the same choice on the same catalogue.
    pub seed: u64,
}

/// What has changed; a product occurs in one list only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Stock.
    pub stock: Vec<Uuid>,
    /// Price.
    pub price: Vec<Uuid>,
    /// Promotion.
    pub promo: Vec<Uuid>,
    /// Newly made.
    pub new: Vec<Uuid>,
    /// Gone.
    pub deleted: Vec<Uuid>,
}

/// A busy hour in the shop. Only goods that are not parents change, each at most once; the new ones come on top.
pub fn random(catalogue: &mut Catalogue, switches: &Switches, wanted: &RandomChanges, now: i64) -> Changed {
    let mut chance = Chance::new(wanted.seed, 0xC0FFEE);
    let mut goods: Vec<(u64, Uuid)> = Vec::new();
    for product in
        catalogue.products().iter().filter(|product| product.kind == Kind::Goods && product.offers.iter().any(|offer| offer.priced))
    {
        goods.push((chance.draw(), product.id));
    }
    goods.sort_unstable();
    let mut ids = goods.into_iter().map(|(_, id)| id);
    let mut take = |count: usize| ids.by_ref().take(count).collect::<Vec<_>>();
    let (stock, price, promo, deleted) = (take(wanted.stock), take(wanted.price), take(wanted.promo), take(wanted.deleted));
    for id in &stock {
        let Some(product) = catalogue.get_mut(id) else { continue };
        let at = usize::try_from(chance.below(product.offers.len() as u64)).unwrap_or(0);
        if let Some(offer) = product.offers.get_mut(at) {
            // Sold out, one sold, or a delivery: always another number than before.
            let one_less = Fixed::thousandths(offer.stock.as_thousandths().saturating_sub(1_000));
            offer.stock = match chance.below(4) {
                0 if !offer.stock.is_zero() => Fixed::ZERO,
                1 | 2 if one_less >= Fixed::ZERO => one_less,
                _ => {
                    let delivered = i64::try_from(chance.between(1, 40)).unwrap_or(1) * 1_000;
                    Fixed::thousandths(offer.stock.as_thousandths().saturating_add(delivered))
                }
            };
        }
        if switches.stock_moves_updated_at {
            product.updated_at = now;
        }
    }
    for id in &price {
        let Some(product) = catalogue.get_mut(id) else { continue };
        let rise = i64::try_from(chance.between(1, 30)).unwrap_or(1);
        for offer in &mut product.offers {
            // 1,000 to 30,000 sums, or 1 to 30 dollars.
            let rise = rise * if offer.currency == Currency::USD { 1_000 } else { 1_000_000 };
            offer.price = Fixed::thousandths(offer.price.as_thousandths().saturating_add(rise));
        }
        product.updated_at = now;
    }
    for id in &promo {
        let Some(product) = catalogue.get_mut(id) else { continue };
        let end = chance.percent(40) && product.offers.iter().any(|offer| offer.priced && !offer.promo.is_zero());
        let percent = i64::try_from(chance.between(1, 10)).unwrap_or(1) * 5;
        for offer in &mut product.offers {
            let price = offer.price.as_thousandths().saturating_mul(100 - percent) / 100;
            // Never the same promotion again, or nothing would have changed.
            let price = if price == offer.promo.as_thousandths() { price - 10 } else { price };
            offer.promo = if end { Fixed::ZERO } else { Fixed::thousandths(price) };
        }
        if switches.promo_moves_updated_at {
            product.updated_at = now;
        }
    }
    for id in &deleted {
        catalogue.remove(id);
    }
    let new = (0..wanted.new).map(|_| seed::one_more(catalogue, now)).collect();
    Changed { stock, price, promo, new, deleted }
}
