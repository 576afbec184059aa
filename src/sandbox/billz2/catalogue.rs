//! What the simulated company sells: compact rows in memory, from which pages are written on the fly.
//!
//! 100,000 products take about 30 MB; no JSON is stored. Rows stay sorted by their creation number, so a product is found by
//! id in two cheap steps and removing one shifts the pages after it, as in any live shop.

use std::collections::HashMap;

use uuid::Uuid;

use super::{chance::mix, fixed::Fixed};

/// A currency code of three letters, or blank, which the remote sends as `""` (sheet 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Currency([u8; 3]);

impl Currency {
    /// No code at all.
    pub const BLANK: Self = Self([0; 3]);
    /// The company's own currency, Uzbek sum.
    pub const UZS: Self = Self(*b"UZS");
    /// US dollar.
    pub const USD: Self = Self(*b"USD");

    /// `""` or three capital letters.
    pub fn parse(code: &str) -> Result<Self, String> {
        if code.is_empty() {
            return Ok(Self::BLANK);
        }
        match <[u8; 3]>::try_from(code.as_bytes()) {
            Ok(letters) if letters.iter().all(u8::is_ascii_uppercase) => Ok(Self(letters)),
            _ => Err(format!("`{code}` is not a currency: three capital letters, or an empty string")),
        }
    }

    /// The code as sent.
    pub fn code(&self) -> &str {
        if *self == Self::BLANK { "" } else { std::str::from_utf8(&self.0).unwrap_or("") }
    }
}

/// One product in one shop.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    /// Units held; 0 means that the shop has no stock row at all.
    pub stock: Fixed,
    /// Retail price in `currency`.
    pub price: Fixed,
    /// Price under a running promotion; 0 means none.
    pub promo: Fixed,
    /// Currency of the price.
    pub currency: Currency,
    /// False: the shop has no price row for this product (sheet 4.3).
    pub priced: bool,
}

/// What kind of row a product is (sheet 4.2, `product_type_id` and `is_variative`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Ordinary goods, single or one variant.
    Goods,
    /// A service.
    Service,
    /// A bundle.
    Bundle,
    /// The row above variants: `is_variative: true`, goods by type, nothing to sell.
    Parent,
}

impl Kind {
    /// `product_type_id` as the sheet lists them.
    pub const fn type_id(self) -> &'static str {
        match self {
            Self::Goods | Self::Parent => "69e939aa-9b8f-46a9-b605-8b2675475b7b",
            Self::Service => "5a0e556a-15f8-47ac-ae07-46972f3c6ab4",
            Self::Bundle => "864c77c7-5407-45dc-8289-3162b71dc653",
        }
    }
}

/// Marks an unused place in [`Product::categories`].
pub const NO_CATEGORY: u16 = u16::MAX;

/// One row of `GET /v2/products`, in memory.
#[derive(Clone, Debug)]
pub struct Product {
    /// Creation number: fixes the order, the id and the quirks of the row.
    pub no: u32,
    /// The only safe key.
    pub id: Uuid,
    /// The parent's id, nil when there is none; the parent need not exist.
    pub parent: Uuid,
    /// Variants carry ` / ` between base, size and colour.
    pub name: Box<str>,
    /// Not unique.
    pub sku: Box<str>,
    /// Not unique, may be empty.
    pub barcode: Box<str>,
    /// Goods, service, bundle or parent.
    pub kind: Kind,
    /// Position in the list of measurement units.
    pub unit: u8,
    /// Positions in the list of categories.
    pub categories: [u16; 2],
    /// Position in the list of brands, [`NO_CATEGORY`] for none.
    pub brand: u16,
    /// Seconds since 1970, UTC.
    pub updated_at: i64,
    /// One per shop, in the order of the shops.
    pub offers: Box<[Offer]>,
}

impl Product {
    /// A number that fixes one quirk of this row: the same on every page and in every run.
    pub fn quirk(&self, salt: u64) -> u64 {
        mix(u64::from(self.no) ^ mix(salt))
    }

    /// True for every `period`-th row or so.
    pub fn has_quirk(&self, salt: u64, period: u64) -> bool {
        self.quirk(salt).checked_rem(period) == Some(0)
    }
}

/// A shop; warehouses are shops too (sheet 4.4).
#[derive(Clone, Debug)]
pub struct Shop {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
}

/// A category; `parent` is a position in the same list.
#[derive(Clone, Debug)]
pub struct Category {
    /// Its id.
    pub id: Uuid,
    /// Its name; may be empty, may repeat.
    pub name: String,
    /// The category above, if any.
    pub parent: Option<u16>,
}

/// A brand.
#[derive(Clone, Debug)]
pub struct Brand {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
}

/// In which order rows are listed; the real order is undocumented (sheet 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// New products come first and push the pages along: the harder case, hence the default.
    NewestFirst,
    /// New products come last.
    OldestFirst,
}

/// Which rows a list call asks for.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only rows changed strictly after this second (UTC, since 1970).
    pub changed_after: Option<i64>,
    /// Free text, in lower case, looked for in name, sku and barcode.
    pub search: Option<String>,
}

impl Filter {
    fn matches(&self, product: &Product) -> bool {
        self.changed_after.is_none_or(|after| product.updated_at > after)
            && self.search.as_ref().is_none_or(|text| {
                product.name.to_lowercase().contains(text)
                    || product.sku.to_lowercase().contains(text)
                    || product.barcode.contains(text.as_str())
            })
    }

    const fn is_empty(&self) -> bool {
        self.changed_after.is_none() && self.search.is_none()
    }
}

/// The whole company.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// The seed all ids derive from.
    pub seed: u64,
    /// The company's id.
    pub company: Uuid,
    /// All shops.
    pub shops: Vec<Shop>,
    /// All categories.
    pub categories: Vec<Category>,
    /// All brands.
    pub brands: Vec<Brand>,
    /// Descriptions that somebody has set; all others are invented from the row's number.
    pub descriptions: HashMap<Uuid, Box<str>>,
    /// Photos that somebody has set, main one first; all others are invented from the row's number.
    pub photos: HashMap<Uuid, Vec<String>>,
    /// Custom fields that somebody has set; all others are invented from the row's number.
    pub custom_fields: HashMap<Uuid, Vec<(String, String)>>,
    products: Vec<Product>,
    numbers: HashMap<Uuid, u32>,
    next_no: u32,
}

impl Catalogue {
    /// A company without products.
    pub fn empty(seed: u64, company: Uuid, shops: Vec<Shop>, categories: Vec<Category>, brands: Vec<Brand>) -> Self {
        let (descriptions, photos, custom_fields) = (HashMap::new(), HashMap::new(), HashMap::new());
        let (products, numbers) = (Vec::new(), HashMap::new());
        Self { seed, company, shops, categories, brands, descriptions, photos, custom_fields, products, numbers, next_no: 0 }
    }

    /// All rows, oldest first.
    pub fn products(&self) -> &[Product] {
        &self.products
    }

    /// The number the next product gets.
    pub const fn next_no(&self) -> u32 {
        self.next_no
    }

    /// Adds a row; its number must be [`Self::next_no`].
    pub fn push(&mut self, product: Product) {
        self.next_no = product.no.saturating_add(1);
        self.numbers.insert(product.id, product.no);
        self.products.push(product);
    }

    fn position(&self, id: &Uuid) -> Option<usize> {
        let no = self.numbers.get(id)?;
        self.products.binary_search_by_key(no, |product| product.no).ok()
    }

    /// The row with this id.
    pub fn get(&self, id: &Uuid) -> Option<&Product> {
        self.position(id).and_then(|at| self.products.get(at))
    }

    /// The row with this id, to change it.
    pub fn get_mut(&mut self, id: &Uuid) -> Option<&mut Product> {
        let at = self.position(id)?;
        self.products.get_mut(at)
    }

    /// Removes the row without a trace, as the remote does (sheet 4.5).
    pub fn remove(&mut self, id: &Uuid) -> Option<Product> {
        let at = self.position(id)?;
        self.numbers.remove(id);
        Some(self.products.remove(at))
    }

    /// Puts a removed row back where it stood, as a remote does with an archived product.
    pub fn put_back(&mut self, product: Product) {
        let at = self.products.partition_point(|other| other.no < product.no);
        self.numbers.insert(product.id, product.no);
        self.products.insert(at, product);
    }

    /// The position of a shop by its id.
    pub fn shop_position(&self, id: &Uuid) -> Option<usize> {
        self.shops.iter().position(|shop| shop.id == *id)
    }

    /// One page: how many rows match in all, and the rows from `start`. With `shuffle` the order is drawn anew from that number.
    pub fn page(&self, filter: &Filter, order: Order, shuffle: Option<u64>, start: usize, limit: usize) -> (usize, Vec<&Product>) {
        if filter.is_empty() && shuffle.is_none() {
            let rows = match order {
                Order::OldestFirst => self.products.iter().skip(start).take(limit).collect(),
                Order::NewestFirst => self.products.iter().rev().skip(start).take(limit).collect(),
            };
            return (self.products.len(), rows);
        }
        let mut rows: Vec<&Product> = self.products.iter().filter(|product| filter.matches(product)).collect();
        match (shuffle, order) {
            (Some(draw), _) => rows.sort_by_cached_key(|product| mix(draw ^ mix(u64::from(product.no)))),
            (None, Order::NewestFirst) => rows.reverse(),
            (None, Order::OldestFirst) => {}
        }
        (rows.len(), rows.into_iter().skip(start).take(limit).collect())
    }
}
