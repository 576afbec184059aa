//! What a good costs in the shop: which Billz shop's price, in which currency, rounded how; and its special.

use rust_decimal::Decimal;

use super::{
    record::{Good, Promo, ShopNames},
    settings::{Api, Settings},
};
use crate::{
    domain::number::{self, round_to_step},
    engine::model::Reason,
};

/// Decimals of `oc_product.price`, DECIMAL(15,4).
const SCALE: u32 = 4;
/// The largest value of DECIMAL(15,4) with room to spare.
const LARGEST: i64 = 99_999_999_999;

/// A price with the rule that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Priced {
    /// In the shop's currency, rounded.
    pub price: Decimal,
    /// How it came about.
    pub rule: Reason,
    /// Price of a promotion or discount that is on, rounded, always above 0 and below `price`.
    pub promo: Option<(Decimal, Reason)>,
    /// Whether the source says at all if a discount is on. A row of Billz 1 without that field says nothing, and ends no special.
    pub promo_told: bool,
}

/// Why there is no price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoPrice {
    /// The good is left alone.
    Skip(Reason),
    /// The good has failed and is listed.
    Fail(Reason),
}

/// Currencies of both ends.
#[derive(Clone, Debug, Default)]
pub struct Currencies {
    /// What prices in OpenCart are in.
    pub shop: Option<String>,
    /// What Billz means by an empty currency.
    pub company: Option<String>,
}

/// The price of `good` by the shop `shop`.
pub fn price(good: &Good, shop: &str, settings: &Settings, currencies: &Currencies, names: &ShopNames) -> Result<Priced, NoPrice> {
    let name = names.of(good, shop);
    let named = good.shops.contains_key(shop);
    // Billz 1 may leave out an office that holds nothing: its stock is 0 there, and the price is the company's.
    let row = good.shops.get(shop).or(good.company.as_ref());
    let Some((row, text)) = row.and_then(|row| row.price.as_ref().map(|price| (row, price))) else {
        return Err(NoPrice::Skip(Reason::new("no_price").with("shop", name)));
    };
    let retail = readable(text).ok_or_else(|| NoPrice::Fail(Reason::new("price_unreadable").with("value", text).with("shop", name)))?;
    let exchange = exchange(&row.currency, settings, currencies)?;
    let price = finished(retail, &exchange, settings);
    let min = settings.min_price.value();
    if price <= Decimal::ZERO || price < min {
        return Err(NoPrice::Skip(Reason::new("price_below_minimum").with("price", number::plain(price)).with("min", number::plain(min))));
    }
    let unrounded = |special: Decimal| number::plain(exchange.convert(special));
    let promo = match (settings.api, &row.discount) {
        (Api::Billz1, Some(discount)) => discounted(retail, discount)
            .map_err(|()| {
                let reason = Reason::new("discount_unusable").with("price", number::plain(retail)).with("discount", discount);
                NoPrice::Fail(reason.with("shop", name))
            })?
            .map(|(special, amount)| {
                let rule = Reason::new("discount").with("price", number::plain(retail)).with("amount", number::plain(amount));
                (special, rule.with("unrounded", unrounded(special)))
            }),
        (Api::Billz1, None) => None,
        (Api::Billz2, _) => row.promo.as_ref().and_then(|promo| promoted(retail, promo)).map(|(special, name)| {
            let rule = Reason::new("promo").with("name", name).with("unrounded", unrounded(special));
            (special, rule)
        }),
    };
    let promo = promo.and_then(|(special, rule)| {
        let rounded = finished(special, &exchange, settings);
        // Never above the price, never 0, whatever rounding does.
        (rounded > Decimal::ZERO && rounded < price).then_some((rounded, rule))
    });
    let promo_told = settings.api == Api::Billz2 || row.discount.is_some();
    Ok(Priced { price, rule: exchange.rule(name, named, retail), promo, promo_told })
}

/// Billz 1: price less «Сумма скидки», with that amount; none of 0. An amount that is no number, below 0, or leaves nothing of the
/// price is refused (facts/billz-1.md section 6).
fn discounted(retail: Decimal, discount: &str) -> Result<Option<(Decimal, Decimal)>, ()> {
    let amount = readable(discount).ok_or(())?;
    if amount.is_zero() {
        return Ok(None);
    }
    let special = retail.checked_sub(amount).filter(|special| *special > Decimal::ZERO).ok_or(())?;
    Ok(Some((special, amount)))
}

/// Billz 2: the price of a promotion, with its name; none unless it is above 0 and below the price.
fn promoted(retail: Decimal, promo: &Promo) -> Option<(Decimal, &str)> {
    let special = readable(&promo.price).filter(|special| *special > Decimal::ZERO && *special < retail)?;
    Some((special, &promo.name))
}

/// A decimal that fits the column.
fn readable(text: &str) -> Option<Decimal> {
    number::parse_decimal(text).filter(|value| !value.is_sign_negative() && *value <= Decimal::from(LARGEST))
}

/// How an amount gets into the shop's currency.
struct Exchange {
    currency: String,
    rate: Option<Decimal>,
}

impl Exchange {
    fn convert(&self, amount: Decimal) -> Decimal {
        self.rate.map_or(amount, |rate| amount.checked_mul(rate).unwrap_or(amount))
    }

    /// `named`: the row names the shop itself, rather than the company alone.
    fn rule(&self, shop: &str, named: bool, retail: Decimal) -> Reason {
        let rule = match self.rate {
            None if !named => Reason::new("price_of_company"),
            None => Reason::new("price_of_shop"),
            Some(rate) => Reason::new("price_converted").with("rate", number::plain(rate)),
        };
        // Every price names its currency: the brakes notice when another one comes.
        rule.with("shop", shop).with("unrounded", number::plain(self.convert(retail))).with("currency", &self.currency)
    }
}

/// "" = the company's currency; another one than the shop's needs a rate, never a copy (facts/billz-2.md section 6).
fn exchange(currency: &str, settings: &Settings, currencies: &Currencies) -> Result<Exchange, NoPrice> {
    let named = if currency.trim().is_empty() { currencies.company.as_deref() } else { Some(currency.trim()) };
    let (Some(from), Some(to)) = (named, currencies.shop.as_deref()) else {
        return Ok(Exchange { currency: named.unwrap_or_default().to_owned(), rate: None });
    };
    if from.eq_ignore_ascii_case(to) {
        return Ok(Exchange { currency: from.to_owned(), rate: None });
    }
    let rate = settings.rates.iter().find(|(name, _)| name.eq_ignore_ascii_case(from)).map(|(_, rate)| rate.value());
    match rate {
        Some(rate) => Ok(Exchange { currency: from.to_owned(), rate: Some(rate) }),
        None => Err(NoPrice::Fail(Reason::new("currency_without_rate").with("currency", from).with("shop_currency", to))),
    }
}

fn finished(amount: Decimal, exchange: &Exchange, settings: &Settings) -> Decimal {
    round_to_step(exchange.convert(amount), settings.rounding.step.value(), settings.rounding.mode)
        .round_dp_with_strategy(SCALE, rust_decimal::RoundingStrategy::MidpointAwayFromZero)
        .normalize()
}
