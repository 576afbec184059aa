//! The rows of a product by shop: stock, prices, promotions, suppliers (sheet 4.3).

use std::borrow::Cow;

use serde::Serialize;
use uuid::Uuid;

use super::{
    catalogue::{Catalogue, Offer, Product},
    chance,
    fixed::{Fixed, OnWire},
    wire::null_or_empty,
};

#[derive(Serialize)]
pub(super) struct Stock<'a> {
    shop_id: Uuid,
    shop_name: &'a str,
    active_measurement_value: OnWire,
}

#[derive(Serialize)]
pub(super) struct Price<'a> {
    shop_id: Uuid,
    shop_name: &'a str,
    retail_price: OnWire,
    retail_currency: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    supply_price: Option<OnWire>,
    #[serde(skip_serializing_if = "Option::is_none")]
    supply_currency: Option<&'static str>,
    promo_price: OnWire,
    promos: Option<Vec<Promo>>,
}

#[derive(Serialize)]
struct Promo {
    id: Uuid,
    external_id: String,
    name: String,
    discount_value: OnWire,
    discount_type: &'static str,
}

#[derive(Serialize)]
pub(super) struct Supplier {
    id: Uuid,
    company_id: &'static str,
    name: &'static str,
}

#[derive(Serialize)]
pub(super) struct SupplierStock {
    supplier_id: Uuid,
    supplier_name: &'static str,
    shop_id: Uuid,
    measurement_value: OnWire,
    min_supply_price: OnWire,
    max_supply_price: OnWire,
    retail_price: OnWire,
    wholesale_price: OnWire,
}

/// Only shops that hold the product: an absent shop means 0.
pub(super) fn stock<'a>(catalogue: &'a Catalogue, product: &Product) -> Option<Vec<Stock<'a>>> {
    let shops = catalogue.shops.iter().zip(&product.offers).filter(|(_, offer)| !offer.stock.is_zero());
    let rows = shops.map(|(shop, offer)| Stock {
        shop_id: shop.id,
        shop_name: &shop.name,
        active_measurement_value: match product.quirk(11) % 60 {
            0 => OnWire::Text(offer.stock),
            1 => OnWire::Float(offer.stock),
            _ => OnWire::Number(offer.stock),
        },
    });
    null_or_empty(rows.collect(), product.has_quirk(12, 2))
}

pub(super) fn prices<'a>(catalogue: &'a Catalogue, product: &Product) -> Option<Vec<Price<'a>>> {
    let shops = catalogue.shops.iter().zip(&product.offers).filter(|(_, offer)| offer.priced);
    let number = |value| match product.quirk(13) % 60 {
        0 => OnWire::Text(value),
        1 => OnWire::Float(value),
        _ => OnWire::Number(value),
    };
    let with_supply = !product.has_quirk(14, 4);
    let rows = shops.map(|(shop, offer)| Price {
        shop_id: shop.id,
        shop_name: &shop.name,
        retail_price: number(offer.price),
        retail_currency: Cow::Owned(offer.currency.code().to_owned()),
        supply_price: with_supply.then(|| OnWire::Number(supply(offer))),
        supply_currency: with_supply.then_some("UZS"),
        promo_price: match (offer.promo.is_zero(), product.has_quirk(15, 70)) {
            // The trap of sheet 4.3: a price left over from a promotion that is gone. Only `promos` makes it valid.
            (true, true) => OnWire::Number(Fixed::thousandths(offer.price.as_thousandths() / 2)),
            _ => number(offer.promo),
        },
        promos: promos(catalogue.seed, product, offer),
    });
    null_or_empty(rows.collect(), product.has_quirk(16, 2))
}

/// The cost price, if the key may see it; thousandths of a sum never occur.
fn supply(offer: &Offer) -> Fixed {
    Fixed::whole(offer.price.as_thousandths() / 1_000 * 6 / 10)
}

fn promos(seed: u64, product: &Product, offer: &Offer) -> Option<Vec<Promo>> {
    if offer.promo.is_zero() {
        return product.has_quirk(17, 2).then(Vec::new);
    }
    let saved = Fixed::thousandths(offer.price.as_thousandths().saturating_sub(offer.promo.as_thousandths()));
    let percent = saved.as_thousandths().saturating_mul(100).checked_div(offer.price.as_thousandths()).unwrap_or(0);
    let fixed = product.has_quirk(18, 3);
    let number = product.quirk(19) % 5;
    Some(vec![Promo {
        id: chance::id(seed, chance::Kind::Promo, number),
        external_id: (512_040 + number).to_string(),
        name: if fixed { format!("Скидка {saved}") } else { format!("-{percent}%") },
        discount_value: OnWire::Number(if fixed { saved } else { Fixed::whole(percent) }),
        discount_type: if fixed { "FIXED PRICE" } else { "PERCENTAGE" },
    }])
}

pub(super) fn supplier(seed: u64) -> Supplier {
    Supplier { id: chance::id(seed, chance::Kind::Supplier, 0), company_id: "", name: "OOO \"Toshkent Savdo\"" }
}

/// Empty when nothing is in stock; the zero id means no supplier.
pub(super) fn supplier_stock(catalogue: &Catalogue, product: &Product) -> Vec<SupplierStock> {
    let nobody = product.has_quirk(20, 4);
    let shops = catalogue.shops.iter().zip(&product.offers).filter(|(_, offer)| !offer.stock.is_zero());
    let rows = shops.map(|(shop, offer)| SupplierStock {
        supplier_id: if nobody { Uuid::nil() } else { supplier(catalogue.seed).id },
        supplier_name: if nobody { "" } else { supplier(catalogue.seed).name },
        shop_id: shop.id,
        measurement_value: OnWire::Number(offer.stock),
        min_supply_price: OnWire::Number(supply(offer)),
        max_supply_price: OnWire::Number(supply(offer)),
        retail_price: OnWire::Number(offer.price),
        wholesale_price: OnWire::Number(Fixed::ZERO),
    });
    rows.collect()
}
