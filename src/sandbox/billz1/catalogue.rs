//! What is sold, and what a shopkeeper does with it: sell, reprice, discount, add, delete.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    super::billz2::{chance::Chance, fixed::Fixed},
    seed,
    switches::Switches,
};

/// A company.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    /// What invented it.
    pub seed: u64,
    /// (officeID, officeName).
    pub offices: Vec<(u64, String)>,
    /// By id; ids grow.
    pub products: BTreeMap<u64, Product>,
}

/// A product as Billz knows it, without the wire's quirks. Decimals are strings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Not unique.
    pub sku: String,
    /// May be empty.
    pub barcode: String,
    /// Price for the whole company.
    pub price: Fixed,
    /// Discount for the whole company.
    pub discount: Fixed,
    /// Every office by id, also those without stock.
    pub offices: BTreeMap<u64, Offer>,
    /// Name -> value; absent = no `properties` key at all.
    pub properties: Option<BTreeMap<String, String>>,
    /// Addresses of previews; absent = no `imageUrls` key at all.
    pub images: Option<Vec<String>>,
    /// Last change by the remote's clock, seconds since 1970; never told.
    pub changed_at: i64,
}

/// A product in one office.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Price here.
    pub price: Fixed,
    /// Amount off the price here.
    pub discount: Fixed,
    /// Units held.
    pub stock: Fixed,
}

/// Changes of one product; what is not given stays. Offices are named by id or by name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Patch {
    /// New name.
    pub name: Option<String>,
    /// New sku.
    pub sku: Option<String>,
    /// New barcode.
    pub barcode: Option<String>,
    /// Price for the whole company.
    pub company_price: Option<Fixed>,
    /// Discount for the whole company.
    pub company_discount: Option<Fixed>,
    /// Units by office.
    pub stock: BTreeMap<String, Fixed>,
    /// Price by office.
    pub price: BTreeMap<String, Fixed>,
    /// Amount off the price by office.
    pub discount: BTreeMap<String, Fixed>,
    /// Replaces all properties; null takes the key away.
    #[serde(deserialize_with = "given")]
    pub properties: Option<Option<BTreeMap<String, String>>>,
    /// Replaces all pictures; null takes the key away.
    #[serde(deserialize_with = "given")]
    pub images: Option<Option<Vec<String>>>,
}

/// Tells `null` from "not given".
fn given<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// How many products to change by chance; the same seed does the same.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RandomChanges {
    /// New stock in an office.
    pub stock: usize,
    /// New price, everywhere.
    pub price: usize,
    /// Discount on, or off where one is on.
    pub discount: usize,
    /// New products.
    pub new: usize,
    /// Deleted products.
    pub deleted: usize,
    /// Seed of the chance.
    pub seed: u64,
}

/// Ids of what was changed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Changed {
    /// With new stock.
    pub stock: Vec<u64>,
    /// With a new price.
    pub price: Vec<u64>,
    /// With a discount more or less.
    pub discount: Vec<u64>,
    /// Made.
    pub new: Vec<u64>,
    /// Gone.
    pub deleted: Vec<u64>,
}

impl Catalogue {
    fn office(&self, named: &str) -> Result<u64, String> {
        let found = self.offices.iter().find(|(id, name)| name == named || id.to_string() == named);
        found.map(|(id, _)| *id).ok_or_else(|| format!("no office `{named}`"))
    }

    /// Changes one product, whole or not at all.
    pub fn patch(&mut self, id: u64, change: &Patch, switches: &Switches, now: i64) -> Result<Product, String> {
        let mut product = self.products.get(&id).cloned().ok_or_else(|| format!("no product {id}"))?;
        let before = product.clone();
        let set = |to: &mut String, from: &Option<String>| {
            if let Some(from) = from {
                to.clone_from(from);
            }
        };
        set(&mut product.name, &change.name);
        set(&mut product.sku, &change.sku);
        set(&mut product.barcode, &change.barcode);
        product.price = change.company_price.unwrap_or(product.price);
        product.discount = change.company_discount.unwrap_or(product.discount);
        for (office, stock) in &change.stock {
            product.offices.entry(self.office(office)?).or_default().stock = *stock;
        }
        for (office, price) in &change.price {
            product.offices.entry(self.office(office)?).or_default().price = *price;
        }
        for (office, discount) in &change.discount {
            product.offices.entry(self.office(office)?).or_default().discount = *discount;
        }
        if let Some(properties) = &change.properties {
            product.properties.clone_from(properties);
        }
        if let Some(images) = &change.images {
            product.images.clone_from(images);
        }
        let only_stock = {
            let mut same = product.clone();
            for (office, offer) in &mut same.offices {
                offer.stock = before.offices.get(office).map_or(Fixed::ZERO, |before| before.stock);
            }
            same == before
        };
        if product != before && (!only_stock || switches.stock_moves_date) {
            product.changed_at = now;
        }
        self.products.insert(id, product.clone());
        Ok(product)
    }

    /// Adds an ordinary product with the given fields on top, and returns its id.
    pub fn create(&mut self, given: &Patch, switches: &Switches, now: i64) -> Result<u64, String> {
        let id = seed::one_more(self);
        match self.patch(id, given, switches, now) {
            Ok(mut product) => {
                product.changed_at = now;
                self.products.insert(id, product);
                Ok(id)
            }
            Err(refused) => {
                self.products.remove(&id);
                Err(refused)
            }
        }
    }

    /// Changes so many products by chance, no product in two ways.
    pub fn random(&mut self, wanted: &RandomChanges, switches: &Switches, now: i64) -> Changed {
        let mut chance = Chance::new(wanted.seed, 77);
        let mut ids: Vec<u64> = self.products.keys().copied().collect();
        let mut draw = |count: usize| -> Vec<u64> {
            (0..count)
                .map_while(|_| {
                    let left = u64::try_from(ids.len()).unwrap_or(0);
                    (left > 0).then(|| ids.swap_remove(usize::try_from(chance.below(left)).unwrap_or(0)))
                })
                .collect()
        };
        let mut changed = Changed {
            stock: draw(wanted.stock),
            price: draw(wanted.price),
            discount: draw(wanted.discount),
            deleted: draw(wanted.deleted),
            new: Vec::new(),
        };
        let first = self.offices.first().map(|(id, _)| *id).unwrap_or_default();
        for id in &changed.stock {
            let Some(product) = self.products.get_mut(id) else { continue };
            let offer = product.offices.entry(first).or_default();
            offer.stock = if offer.stock.is_zero() { Fixed::whole(3) } else { Fixed::ZERO };
            product.changed_at = if switches.stock_moves_date { now } else { product.changed_at };
        }
        for id in &changed.price {
            let Some(product) = self.products.get_mut(id) else { continue };
            product.price = Fixed::whole(product.price.as_thousandths() / 1_000 + 1_000);
            for offer in product.offices.values_mut() {
                offer.price = Fixed::whole(offer.price.as_thousandths() / 1_000 + 1_000);
            }
            product.changed_at = now;
        }
        for id in &changed.discount {
            let Some(product) = self.products.get_mut(id) else { continue };
            for offer in product.offices.values_mut() {
                let tenth = Fixed::whole(offer.price.as_thousandths() / 10_000);
                offer.discount = if offer.discount.is_zero() { tenth } else { Fixed::ZERO };
            }
            product.changed_at = now;
        }
        for id in &changed.deleted {
            self.products.remove(id);
        }
        for _ in 0..wanted.new {
            let id = seed::one_more(self);
            if let Some(product) = self.products.get_mut(&id) {
                product.changed_at = now;
            }
            changed.new.push(id);
        }
        changed
    }
}
