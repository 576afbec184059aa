//! How many pieces the site may sell: the sum over shops or one shop's, whole pieces only, less the buffer, up to the cap.

use rust_decimal::Decimal;

use super::{
    record::{Good, ShopNames},
    settings::{Settings, Stock},
};
use crate::{domain::number, engine::model::Reason};

/// The largest value of `oc_product.quantity`, INT.
const LARGEST: i64 = i32::MAX as i64;

/// How many pieces, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stocked {
    /// What Billz counts, before fractions are cut off and before buffer and cap.
    pub counted: Decimal,
    /// What the site may sell.
    pub quantity: i64,
    /// The rule that made it.
    pub rule: Reason,
}

/// The quantity of `good` with the rule that made it. `shops` are those that count under `stock: "sum"`; `stream` is the one being
/// synchronised; `names` tells people's names of shops.
///
/// A shop that is not named holds nothing: Billz lists only shops that hold the good (facts/billz-2.md section 4.3).
pub fn quantity(good: &Good, shops: &[String], stream: &str, settings: &Settings, names: &ShopNames) -> Result<Stocked, Reason> {
    let selected = [stream.to_owned()];
    let (counted, code, limited) = match settings.stock {
        Stock::Sum => (shops, "stock_sum", "stock_sum_limited"),
        Stock::Selected => (selected.as_slice(), "stock_selected", "stock_selected_limited"),
    };
    let mut sum = Decimal::ZERO;
    let mut holding = Vec::new();
    for shop in counted {
        let Some(text) = good.shops.get(shop).and_then(|row| row.stock.as_ref()) else { continue };
        let name = names.of(good, shop);
        let Some(value) = number::parse_decimal(text) else {
            return Err(Reason::new("stock_unreadable").with("value", text).with("shop", name));
        };
        // Whether negative stock occurs is a guess of the sheet; it can only mean that there is none.
        sum = sum.saturating_add(value.max(Decimal::ZERO));
        holding.push(name);
    }
    if holding.is_empty() {
        holding.extend(counted.iter().map(|shop| names.of(good, shop)));
    }
    let whole = i64::try_from(sum.floor()).unwrap_or(LARGEST).min(LARGEST);
    let kept = (whole - i64::from(settings.stock_buffer)).max(0);
    let quantity = settings.stock_cap.map_or(kept, |cap| kept.min(i64::from(cap)));
    // Limits that did not decide are not told: a buffer of an empty shelf, a cap above the stock.
    let decided = quantity != whole;
    let rule = Reason::new(if decided { limited } else { code }).with("value", number::plain(sum));
    let rule = match settings.stock {
        Stock::Sum => rule.with("shops", holding.join(", ")),
        Stock::Selected => rule.with("shop", names.of(good, stream)),
    };
    let cap = settings.stock_cap.map_or("∞".to_owned(), |cap| cap.to_string());
    let rule = if decided { rule.with("buffer", settings.stock_buffer).with("cap", cap) } else { rule };
    Ok(Stocked { counted: sum, quantity, rule })
}
