//! Invents the company: so many products, always the same for one seed.
//!
//! By period rather than by dice, so that a catalogue of 60 rows already holds every quirk: double sku, empty barcode, junk prices 0 and 1,
//! offices whose price and discount differ from the company's, goods without stock anywhere, goods in the second office alone, missing
//! `properties` and `imageUrls`, Cyrillic names of properties, fractional stock.

use std::collections::BTreeMap;

use super::super::billz2::{
    chance::Chance,
    fixed::Fixed,
    words::{ARTICLES, BRANDS, CATEGORIES, COLOURS, SIZES},
};
use super::catalogue::{Catalogue, Offer, Product};

/// officeID and officeName of the demo company; the last one is a warehouse.
pub const OFFICES: &[(u64, &str)] = &[(3301, "Chilonzor"), (3302, "Sergeli"), (3303, "Склад")];
/// Id of the first product.
const FIRST_ID: u64 = 4_810_001;
/// 2025-01-10 04:00:00 UTC: where the catalogue's history begins.
const HISTORY_BEGINS: i64 = 1_736_481_600;

/// A company with `size` product rows.
pub fn catalogue(seed: u64, size: usize) -> Catalogue {
    let offices = OFFICES.iter().map(|(id, name)| (*id, (*name).to_owned())).collect();
    let mut catalogue = Catalogue { seed, offices, products: BTreeMap::new() };
    for number in 0..u64::try_from(size).unwrap_or(u64::MAX) {
        let product = product(seed, number);
        catalogue.products.insert(product.id, product);
    }
    catalogue
}

/// Adds one more product of the ordinary kind and returns its id: in stock in the first office, without discount.
pub fn one_more(catalogue: &mut Catalogue) -> u64 {
    let number = catalogue.products.keys().next_back().map_or(0, |last| last + 1 - FIRST_ID);
    let mut product = product(catalogue.seed, number);
    let price = Fixed::whole(100_000);
    product.price = price;
    product.discount = Fixed::ZERO;
    product.sku = format!("NEW-{number}");
    product.barcode = format!("29000{number:08}");
    product.offices = catalogue.offices.iter().map(|(id, _)| (*id, Offer { price, discount: Fixed::ZERO, stock: Fixed::ZERO })).collect();
    if let Some(first) = product.offices.values_mut().next() {
        first.stock = Fixed::whole(5);
    }
    let id = product.id;
    catalogue.products.insert(id, product);
    id
}

fn product(seed: u64, number: u64) -> Product {
    let mut chance = Chance::new(seed, number.wrapping_add(0xB1));
    let article = chance.pick(ARTICLES);
    let name = article.map_or("Товар", |article| article.name);
    let thousands = article.map_or(100, |article| chance.between(article.from, article.to));
    let every = |period: u64, at: u64| number % period == at;
    let price = match () {
        () if every(29, 5) => Fixed::ZERO,
        () if every(31, 7) => Fixed::whole(1),
        () => Fixed::whole(i64::try_from(thousands).unwrap_or(100) * 1_000),
    };
    let tenth = Fixed::whole(price.as_thousandths() / 10_000);
    let discount = if every(6, 2) { tenth } else { Fixed::ZERO };
    let no_stock = every(8, 3);
    let second_only = every(13, 9);
    let offices = OFFICES
        .iter()
        .enumerate()
        .map(|(place, (id, _))| {
            let elsewhere = if second_only { place != 1 } else { chance.percent(40) };
            let whole = i64::try_from(chance.between(1, 60)).unwrap_or(1);
            let stock = if no_stock || elsewhere {
                Fixed::ZERO
            } else if every(17, 4) {
                Fixed::thousandths(whole * 1_000 + 500)
            } else {
                Fixed::whole(whole)
            };
            let junk = price.as_thousandths() < 2_000;
            // Office and company may differ, in price and in discount (sheet 4.2).
            let own = if every(9, 6) && place == 0 && !junk { Fixed::whole(price.as_thousandths() / 1_000 + 5_000) } else { price };
            let off = if every(12, 2) && place == 1 { Fixed::ZERO } else { discount };
            (*id, Offer { price: own, discount: off, stock })
        })
        .collect();
    let shared = if every(23, 11) { number.saturating_sub(1) } else { number };
    Product {
        id: FIRST_ID + number,
        name: format!("{name} {}-{number}", char::from(b'A' + u8::try_from(chance.below(26)).unwrap_or(0))),
        sku: format!("B1-{shared}"),
        barcode: if every(19, 12) { String::new() } else { format!("20000{number:08}") },
        price,
        discount,
        offices,
        properties: (!every(11, 10)).then(|| properties(&mut chance, number, article.map_or(0, |article| article.category))),
        images: (!every(5, 4)).then(|| match number % 3 {
            0 => Vec::new(),
            _ => vec![format!("https://app.billz.example/fileupload/products/{number:06}/photo_square.jpeg")],
        }),
        changed_at: HISTORY_BEGINS + i64::try_from(chance.below(120 * 86_400)).unwrap_or(0),
    }
}

fn properties(chance: &mut Chance, number: u64, category: u16) -> BTreeMap<String, String> {
    let mut properties = BTreeMap::new();
    let mut set = |name: &str, value: &str| drop(properties.insert(name.to_owned(), value.to_owned()));
    if let Some((sub, parent)) = CATEGORIES.get(usize::from(category)) {
        match parent.and_then(|parent| CATEGORIES.get(usize::from(parent))) {
            Some((upper, _)) => {
                set("CATEGORY", upper);
                set("SUB_CATEGORY", sub);
            }
            None => set("CATEGORY", sub),
        }
    }
    if !number.is_multiple_of(7) {
        set("BRAND", chance.pick(BRANDS).copied().unwrap_or("Test"));
    }
    set("COLOR", chance.pick(COLOURS).copied().unwrap_or("Белый"));
    set("SIZE", chance.pick(SIZES).copied().unwrap_or("L"));
    set("SEASON", "SS24");
    set("MODEL_NAME", "Test Basic");
    if number.is_multiple_of(4) {
        set("СТРАНА_ПРОИЗВОДСТВА", "Узбекистан");
        set("DESCRIPTION", "<p>100% хлопок</p>");
    }
    properties
}
