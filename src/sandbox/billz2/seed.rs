//! Invents the company: so many products, always the same for one seed.
//!
//! Shares are about: 5 % parent rows, 3 % services, 1 % bundles, 3 % without a price in some shop, 2 % fractional stock, 3 %
//! double sku, 2 % double barcode, 10 % with a promotion, 15 % without stock anywhere, 5 % without a currency, 1 % in USD.
//! The rare ones are placed by period rather than by dice, so that a catalogue of 200 rows already holds every quirk.

use uuid::Uuid;

use super::{
    catalogue::{Brand, Catalogue, Category, Currency, Kind, NO_CATEGORY, Offer, Product, Shop},
    chance::{self, Chance},
    fixed::Fixed,
    words::{
        ARTICLES, Article, BRANDS, BUNDLES, BY_MEASURE, CATEGORIES, COLOURS, FIRST_ELECTRONICS_BRAND, FIRST_ELECTRONICS_CATEGORY, SERVICES,
        SHOE_SIZES, SIZES, Variants,
    },
};

/// The shops of the demo company; the last one is a warehouse.
pub const SHOPS: &[&str] = &["Chilonzor", "Sergeli", "Склад"];

/// 2025-01-10 04:00:00 UTC: where the catalogue's history begins. Fixed, since the same seed must give the same bytes.
const HISTORY_BEGINS: i64 = 1_736_481_600;
/// The history lasts 120 days.
const HISTORY_SECONDS: u64 = 120 * 86_400;

/// A company with `size` product rows.
pub fn catalogue(seed: u64, size: usize) -> Catalogue {
    let id = |kind, number: usize| chance::id(seed, kind, u64::try_from(number).unwrap_or(u64::MAX));
    let shops = SHOPS.iter().enumerate().map(|(n, name)| Shop { id: id(chance::Kind::Shop, n), name: (*name).to_owned() });
    let categories = CATEGORIES.iter().enumerate().map(|(n, (name, parent))| Category {
        id: id(chance::Kind::Category, n),
        name: (*name).to_owned(),
        parent: *parent,
    });
    let brands = BRANDS.iter().enumerate().map(|(n, name)| Brand { id: id(chance::Kind::Brand, n), name: (*name).to_owned() });
    let company = id(chance::Kind::Company, 0);
    let mut catalogue = Catalogue::empty(seed, company, shops.collect(), categories.collect(), brands.collect());
    while catalogue.products().len() < size {
        group(&mut catalogue, size);
    }
    catalogue
}

/// Adds one more product of the ordinary kind, as a shopkeeper would, and returns its id.
pub fn one_more(catalogue: &mut Catalogue, now: i64) -> Uuid {
    let mut chance = Chance::new(catalogue.seed, u64::from(catalogue.next_no()));
    let fallback = ARTICLES.first();
    let Some(article) = chance.pick(ARTICLES).or(fallback) else { return Uuid::nil() };
    let name = single_name(&mut chance, article);
    let mut product = row(catalogue, &mut chance, article, name);
    product.updated_at = now;
    // A product somebody has just created is sold: never without stock, never without a price.
    if let Some(offer) = product.offers.first_mut() {
        offer.priced = true;
        offer.stock = if offer.stock.is_zero() { Fixed::whole(5) } else { offer.stock };
    }
    let id = product.id;
    catalogue.push(product);
    id
}

/// True for every `period`-th number; the seed moves the phase.
fn turn(seed: u64, no: u32, period: u64, phase: u64) -> bool {
    (u64::from(no) + chance::mix(seed ^ phase) % period).checked_rem(period) == Some(phase % period)
}

/// Adds one article with all its rows, but never more than `size` rows in all.
fn group(catalogue: &mut Catalogue, size: usize) {
    let (seed, no) = (catalogue.seed, catalogue.next_no());
    let mut chance = Chance::new(seed, u64::from(no));
    let single = |articles: &'static [Article], chance: &mut Chance| chance.pick(articles);
    if turn(seed, no, 33, 1) {
        if let Some(article) = single(SERVICES, &mut chance) {
            let product = service(catalogue, &mut chance, article);
            catalogue.push(product);
        }
    } else if turn(seed, no, 97, 2) {
        if let Some(article) = single(BUNDLES, &mut chance) {
            let mut product = row(catalogue, &mut chance, article, article.name.to_owned());
            product.kind = Kind::Bundle;
            catalogue.push(product);
        }
    } else if turn(seed, no, 47, 3) {
        if let Some((article, unit)) = chance.pick(BY_MEASURE) {
            let product = by_measure(catalogue, &mut chance, article, *unit);
            catalogue.push(product);
        }
    } else if let Some(article) = chance.pick(ARTICLES) {
        // Rows by variant are many, so only every fourth article or so comes with variants.
        if article.variants == Variants::One || !chance.percent(14) {
            let name = single_name(&mut chance, article);
            let product = row(catalogue, &mut chance, article, name);
            catalogue.push(product);
        } else {
            variants(catalogue, &mut chance, article, size);
        }
    }
}

/// A parent row and its children; in every third group the parent is never listed (sheet 4.2: orphans).
fn variants(catalogue: &mut Catalogue, chance: &mut Chance, article: &Article, size: usize) {
    let base = single_name(chance, article);
    let orphan = chance.percent(33);
    let parent = if orphan {
        chance::id(catalogue.seed, chance::Kind::Orphan, u64::from(catalogue.next_no()))
    } else {
        let mut product = row(catalogue, chance, article, base.clone());
        product.kind = Kind::Parent;
        for offer in &mut product.offers {
            *offer = Offer { stock: Fixed::ZERO, promo: Fixed::ZERO, priced: false, ..*offer };
        }
        let id = product.id;
        catalogue.push(product);
        id
    };
    let shared_sku = chance.percent(10);
    let mut first_sku: Option<Box<str>> = None;
    // A lone orphan happens too: one child per parent that nobody sees.
    let count = if orphan && chance.percent(40) { 1 } else { chance.between(2, 5) };
    // Walking along the list keeps the variants of one article apart.
    let (colour_from, size_from) = (chance.below(6), chance.below(7));
    let along =
        |list: &'static [&'static str], at: u64| usize::try_from(at).ok().and_then(|at| list.iter().cycle().nth(at)).copied().unwrap_or("");
    for n in 0..count {
        if catalogue.products().len() >= size {
            return;
        }
        let colour = along(COLOURS, colour_from + n);
        let name = match article.variants {
            Variants::Clothes => format!("{base} / {} / {colour}", along(SIZES, size_from + n)),
            Variants::Shoes => format!("{base} / {}", along(SHOE_SIZES, size_from + n)),
            Variants::Colours | Variants::One => format!("{base} / {colour}"),
        };
        let mut product = row(catalogue, chance, article, name);
        product.parent = parent;
        match (&first_sku, shared_sku) {
            (Some(sku), true) => product.sku.clone_from(sku),
            _ => first_sku = Some(product.sku.clone()),
        }
        catalogue.push(product);
    }
}

fn single_name(chance: &mut Chance, article: &Article) -> String {
    format!("{} {}-{}", article.name, char::from(b'A' + u8::try_from(chance.below(26)).unwrap_or(0)), chance.between(100, 999))
}

fn by_measure(catalogue: &Catalogue, chance: &mut Chance, article: &Article, unit: u8) -> Product {
    let mut product = row(catalogue, chance, article, article.name.to_owned());
    product.unit = unit;
    for offer in &mut product.offers {
        // Halves, tenths and thousandths of a metre all occur.
        let step = [500, 100, 125, 1].get(usize::try_from(chance.below(4)).unwrap_or(0)).copied().unwrap_or(1);
        offer.stock = Fixed::thousandths(i64::try_from(chance.between(1, 300_000 / step) * step).unwrap_or(1));
    }
    product
}

fn service(catalogue: &Catalogue, chance: &mut Chance, article: &Article) -> Product {
    let mut product = row(catalogue, chance, article, article.name.to_owned());
    product.kind = Kind::Service;
    product.brand = NO_CATEGORY;
    for offer in &mut product.offers {
        offer.stock = Fixed::ZERO;
    }
    product
}

/// An ordinary row with its prices and stock.
fn row(catalogue: &Catalogue, chance: &mut Chance, article: &Article, name: String) -> Product {
    let (seed, no) = (catalogue.seed, catalogue.next_no());
    let number = u64::from(no);
    // The row just before lends its code: that is how doubles arise when goods are typed in by hand.
    let twin = catalogue.products().last().filter(|twin| twin.kind == Kind::Goods);
    let sku = twin
        .filter(|_| turn(seed, no, 41, 5))
        .map_or_else(|| format!("{}-{}", sku_prefix(article.category), 10_000 + number).into(), |twin| twin.sku.clone());
    let barcode = match twin.filter(|twin| turn(seed, no, 53, 6) && !twin.barcode.is_empty()) {
        Some(twin) => twin.barcode.clone(),
        None if turn(seed, no, 29, 7) => Box::default(),
        None => ean13(200_000_000_000 + number).into(),
    };
    Product {
        no,
        id: chance::id(seed, chance::Kind::Product, number),
        parent: Uuid::nil(),
        name: name.into(),
        sku,
        barcode,
        kind: Kind::Goods,
        unit: 0,
        categories: categories(chance, no, article),
        brand: brand(chance, article),
        updated_at: HISTORY_BEGINS + i64::try_from(chance.below(HISTORY_SECONDS)).unwrap_or(0),
        offers: offers(catalogue, chance, article),
    }
}

fn sku_prefix(category: u16) -> &'static str {
    match category {
        0..7 => "OD",
        7..10 => "OB",
        10..15 => "EL",
        _ => "TX",
    }
}

/// Mostly one category, sometimes two or none.
fn categories(chance: &mut Chance, no: u32, article: &Article) -> [u16; 2] {
    let count = u64::try_from(CATEGORIES.len()).unwrap_or(1);
    match no % 25 {
        7 => [NO_CATEGORY, NO_CATEGORY],
        11 | 18 => [article.category, u16::try_from(chance.below(count)).unwrap_or(0)],
        _ => [article.category, NO_CATEGORY],
    }
}

fn brand(chance: &mut Chance, article: &Article) -> u16 {
    if chance.percent(12) {
        return NO_CATEGORY;
    }
    let electronics = (FIRST_ELECTRONICS_CATEGORY..15).contains(&article.category);
    let (from, to) = if electronics { (FIRST_ELECTRONICS_BRAND, BRANDS.len()) } else { (0, FIRST_ELECTRONICS_BRAND) };
    let brand = chance.between(u64::try_from(from).unwrap_or(0), u64::try_from(to).unwrap_or(1).saturating_sub(1));
    u16::try_from(brand).unwrap_or(0)
}

fn offers(catalogue: &Catalogue, chance: &mut Chance, article: &Article) -> Box<[Offer]> {
    let (seed, no) = (catalogue.seed, catalogue.next_no());
    let dollars = turn(seed, no, 89, 8);
    // Shops write round prices: 189,000 rather than 187,313.
    let base = if dollars {
        Fixed::thousandths(i64::try_from(chance.between(article.from, article.to) * 80 / 1_000 * 1_000 + 350).unwrap_or(350))
    } else {
        Fixed::whole(i64::try_from(chance.between(article.from, article.to)).unwrap_or(1) * 1_000)
    };
    let currency = if dollars { Currency::USD } else { Currency::UZS };
    let promo_percent = if chance.percent(10) { i64::try_from(chance.between(1, 8)).unwrap_or(1) * 5 } else { 0 };
    let sold_out = chance.percent(15);
    let no_price_in = turn(seed, no, 31, 9).then(|| chance.below(3));
    let blank_in = turn(seed, no, 19, 10).then(|| chance.below(3));
    // Sheet 4.3: the same number labelled USD in two shops and UZS in the third.
    let mixed = dollars && no % 2 == 0;
    let mut offers: Vec<Offer> = (0..catalogue.shops.len() as u64)
        .map(|shop| {
            let price = if !dollars && chance.percent(8) { Fixed::whole(base.as_thousandths() / 1_000 + 5_000) } else { base };
            let promo = price.as_thousandths() * (100 - promo_percent) / 100;
            Offer {
                stock: if sold_out || chance.percent(40) {
                    Fixed::ZERO
                } else {
                    Fixed::whole(i64::try_from(chance.between(1, 60)).unwrap_or(1))
                },
                price,
                promo: if promo_percent > 0 { Fixed::thousandths(promo) } else { Fixed::ZERO },
                currency: match (blank_in == Some(shop), mixed && shop == 2) {
                    (true, _) => Currency::BLANK,
                    (_, true) => Currency::UZS,
                    _ => currency,
                },
                priced: no_price_in != Some(shop),
            }
        })
        .collect();
    if !sold_out
        && offers.iter().all(|offer| offer.stock.is_zero())
        && let Some(last) = offers.last_mut()
    {
        last.stock = Fixed::whole(i64::try_from(chance.between(1, 200)).unwrap_or(1));
    }
    offers.into()
}

/// Twelve digits and their check digit.
fn ean13(twelve: u64) -> String {
    let digits = twelve.to_string();
    let sum: u64 =
        digits.bytes().enumerate().map(|(at, byte)| u64::from(byte.saturating_sub(b'0')) * if at % 2 == 0 { 1 } else { 3 }).sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}
