//! Brakes: limits on what one run may change. Over a limit the safe changes go on, the risky ones wait for a person.
//!
//! Pure: [`weigh`] looks at each decision as it is made and keeps counts, never rows; [`Scale::read`] compares the counts with
//! the [`limits`]; [`part`] says of one change what is held and what goes on. The run's side is `engine::run::brake`.
//!
//! | rule | trips when | holds |
//! |---|---|---|
//! | `source_shrunk` | a whole read shows far fewer items than the median of the whole reads before it | what goes to zero or out of sight |
//! | `products_zeroed` | too large a share of what is on sale goes to zero or out of sight | the same |
//! | `prices_moved` | too large a share of prices moves by more than `by` | those prices, with their specials |
//! | `price_jump` | one price moves by `factor` or more | that price, with its special |
//! | `new_products` | too many new products for what is linked | the new products |
//! | `currency_changed` | a price comes in another currency than the one we last wrote it from | that price, with its special |
//! | `unreadable_pictures` | too large a share of the pictures that a run calls for fails | pictures that would take the place of others while one of them fails |
//! | `new_orders` | too many orders are to be sent at once | the orders |
//! | `one_phone` | too many orders of one phone are to be sent at once | the orders of that phone |
//!
//! Fields that every flow of goods names alike are `quantity`, `status`, `price` and `special`; of orders (changes that are sent) it is
//! [`PHONE`]. Pictures are fetched after the changes are applied, so their brake is read by [`pictures`], while they come.

pub mod limits;
mod part;
#[cfg(test)]
mod tests;
mod weigh;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

pub use limits::{Limit, Limits};
pub use part::{Parted, part};
pub use weigh::{CURRENCY_WRITTEN, Crowd, History, PHONE, Scale, label, pictures};

use super::model::{Reason, Values};
use crate::domain::number;

/// Code of the reason of a held change; its sentence is found by the parameter `rule`.
pub const BRAKE: &str = "brake";

/// Which limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// A whole read shows far fewer items than usual.
    SourceShrunk,
    /// Products go to zero or out of sight.
    ProductsZeroed,
    /// One price comes in another currency than before.
    CurrencyChanged,
    /// One price moves by a large factor.
    PriceJump,
    /// Prices move.
    PricesMoved,
    /// New products are made.
    NewProducts,
    /// Pictures cannot be had or used.
    UnreadablePictures,
    /// Orders are sent.
    NewOrders,
    /// Orders of one phone are sent.
    OnePhone,
}

impl Rule {
    /// Every rule. The first that tripped names the reason of a change that several would hold.
    pub const ALL: [Self; 9] = [
        Self::SourceShrunk,
        Self::ProductsZeroed,
        Self::CurrencyChanged,
        Self::PriceJump,
        Self::PricesMoved,
        Self::NewProducts,
        Self::UnreadablePictures,
        Self::NewOrders,
        Self::OnePhone,
    ];

    /// Its stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::SourceShrunk => "source_shrunk",
            Self::ProductsZeroed => "products_zeroed",
            Self::CurrencyChanged => "currency_changed",
            Self::PriceJump => "price_jump",
            Self::PricesMoved => "prices_moved",
            Self::NewProducts => "new_products",
            Self::UnreadablePictures => "unreadable_pictures",
            Self::NewOrders => "new_orders",
            Self::OnePhone => "one_phone",
        }
    }

    /// The bit of the changes that it holds, as stored with each change.
    pub fn risk(self) -> u16 {
        match self {
            // What a half-failed read can do is take goods off sale.
            Self::SourceShrunk | Self::ProductsZeroed => 1,
            Self::CurrencyChanged => 1 << 1,
            Self::PriceJump => 1 << 2,
            Self::PricesMoved => 1 << 3,
            Self::NewProducts => 1 << 4,
            // Held where they are fetched: no decision speaks to it.
            Self::UnreadablePictures => 0,
            Self::NewOrders => 1 << 5,
            Self::OnePhone => 1 << 6,
        }
    }

    /// Which fields of an update it holds; `None` = the whole change.
    fn fields(self) -> Option<&'static [&'static str]> {
        match self {
            Self::SourceShrunk | Self::ProductsZeroed => Some(&["quantity", "status"]),
            // A special hangs on its price: neither is right without the other.
            Self::CurrencyChanged | Self::PriceJump | Self::PricesMoved => Some(&["price", "special"]),
            Self::NewProducts | Self::UnreadablePictures | Self::NewOrders | Self::OnePhone => None,
        }
    }
}

/// What one rule found in one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// Which rule.
    pub rule: Rule,
    /// How many it counted.
    pub count: u64,
    /// Out of how many.
    pub of: u64,
    /// The limit in force.
    pub limit: Limit,
    /// Whether the limit was passed.
    pub tripped: bool,
}

impl Reading {
    /// Count through base, in percent with one decimal: `34.7`.
    pub fn percent(&self) -> String {
        let of = Decimal::from(self.of.max(1));
        number::plain((Decimal::from(self.count) * Decimal::ONE_HUNDRED / of).round_dp(1))
    }

    /// Why a change is held by it.
    pub fn reason(&self) -> Reason {
        let percent = |share: Option<Decimal>| share.map(|share| number::plain((share * Decimal::ONE_HUNDRED).round_dp(1)));
        Reason::new(BRAKE)
            .with("rule", self.rule.name())
            .with("count", self.count)
            .with("of", self.of)
            .with("percent", self.percent())
            .with("limit", percent(self.limit.share).unwrap_or_default())
            .with("from", self.limit.from)
            .with("by", percent(self.limit.by).unwrap_or_default())
            .with("factor", self.limit.factor.map(number::plain).unwrap_or_default())
    }
}

/// The bits of all that tripped.
pub fn risks(readings: &[Reading]) -> u16 {
    readings.iter().filter(|reading| reading.tripped).fold(0, |all, reading| all | reading.rule.risk())
}

/// What people should be told of, when `before` is known already: not the same again each five minutes, but all that is new or has
/// doubled.
pub fn news<'a>(now: &'a [Reading], before: &[Reading]) -> Vec<&'a Reading> {
    let known = |reading: &Reading| {
        before.iter().any(|old| old.tripped && old.rule == reading.rule && reading.count < old.count.saturating_mul(2).max(1))
    };
    now.iter().filter(|reading| reading.tripped && !known(reading)).collect()
}

/// What is known of a decided run: whether it may still be approved, and how far it was from its brakes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// When it was decided.
    pub decided_at: Option<DateTime<Utc>>,
    /// Until when it may be approved.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was approved.
    pub approved_at: Option<DateTime<Utc>>,
    /// What the brakes found.
    pub readings: Vec<Reading>,
    /// What the target told of this run: how it was read, and what writing costs.
    pub told: Values,
}

impl Plan {
    /// Whether a person has agreed to it: then precisely this is applied, and nothing is decided anew.
    pub fn approved(&self) -> bool {
        self.approved_at.is_some()
    }
}
