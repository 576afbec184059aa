//! What the site itself has sold (`site_sales`). OpenCart's own orders lower a product's quantity relatively and put it back when
//! they are cancelled (facts/opencart.md section 4); Billz's number is absolute and learns of a sale on the site when a person enters
//! it there, or never. So a fall that orders explain is no hand edit.
//!
//! | | until Billz's own number moves | when it moves |
//! |---|---|---|
//! | `keep` | what was sold on the site since stays subtracted | Billz knows: its value |
//! | `net` | the same | its value, less what was sold after Billz was read |
//! | `ignore` | Billz's value | its value |
//!
//! The link remembers the moment that counts as [`Base`]: Billz's number, and how much orders had taken off then. A fall that orders
//! do not explain is a hand edit: our value comes back. A rise counts as a return only when it stands on the shelf to the piece, so
//! that a shop that clears away its old orders never oversells.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{
    rules::{BillzOpencart, Wanted},
    settings::SiteSales,
};
use crate::{
    domain::number,
    engine::model::{FieldChange, Reason, Values},
    systems::opencart::Sold,
};

/// Where the link remembers the base; it stands in reports under this name, too.
pub const FIELD: &str = "site_sales";

/// The moment from which the site's sales count.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Base {
    /// Billz's stock then, before buffer and cap; absent = as we wrote it.
    billz: Option<Decimal>,
    /// Pieces that orders had taken off then.
    sold: i64,
}

impl Base {
    fn of(written: &Values) -> Option<Self> {
        match written.get(FIELD) {
            Some(Value::Object(base)) => Some(Self {
                billz: base.get("billz").and_then(Value::as_str).and_then(number::parse_decimal),
                sold: base.get("sold").and_then(Value::as_i64).unwrap_or_default(),
            }),
            // Whatever is written while orders have taken something off is written with a base.
            _ => written.get("quantity").map(|_| Self { billz: None, sold: 0 }),
        }
    }

    fn value(&self, billz: Decimal) -> Value {
        json!({"billz": number::plain(self.billz.unwrap_or(billz)), "sold": self.sold})
    }
}

/// The changes of the quantity: none, what is to be written, or only what the link is to remember.
pub fn changes(rules: &BillzOpencart, wanted: &Wanted<'_>, standing: i64, sold: &Sold, written: &Values) -> Vec<FieldChange> {
    let (billz, stock_rule) = &wanted.quantity;
    let settled = settle(rules.settings.site_sales, wanted, standing, sold, written);
    let (value, rule, told) = match settled.rule {
        Some(rule) => (settled.value, rule, written.get("quantity").and_then(Value::as_i64) != Some(settled.value)),
        None => (settled.value, stock_rule.clone(), false),
    };
    let mut fields = Vec::new();
    // A sale that is kept changes nothing in the shop: the link remembers it, and the report says so once.
    if standing != value || told {
        fields.push(FieldChange { field: "quantity".into(), old: Some(Value::from(standing)), new: Value::from(value), rule });
    }
    let is = written.get(FIELD).filter(|base| !base.is_null());
    let new = settled.base.value(wanted.counted);
    let needed = is.is_some() || settled.base.sold != 0 || value != *billz;
    if needed && is != Some(&new) {
        let rule = Reason::new("site_sales_counted").with("billz", number::plain(wanted.counted)).with("sold", settled.base.sold);
        fields.push(FieldChange { field: FIELD.into(), old: is.cloned(), new, rule });
    }
    fields
}

struct Settled {
    value: i64,
    /// Absent where the site's sales did not decide.
    rule: Option<Reason>,
    base: Base,
}

fn settle(mode: SiteSales, wanted: &Wanted<'_>, standing: i64, sold: &Sold, written: &Values) -> Settled {
    let billz = wanted.quantity.0;
    let base = |sold: i64| Base { billz: Some(wanted.counted), sold };
    let plainly = Settled { value: billz, rule: None, base: base(sold.total) };
    if mode == SiteSales::Ignore {
        return plainly;
    }
    let less = |code: &str, taken: i64, base: Base| {
        let left = billz.saturating_sub(taken);
        // Oversold on the site: what the shop itself made of it may stand, but we write nothing below nothing.
        let value = if left < 0 && standing != left { 0 } else { left };
        let rule = Reason::new(code).with("billz", billz).with("sold", taken.abs()).with("value", value);
        Settled { value, rule: Some(rule), base }
    };
    let held = match mode {
        SiteSales::Net => "site_sales_net",
        SiteSales::Keep | SiteSales::Ignore => "site_sales_kept",
    };
    let Some(before) = Base::of(written) else {
        // Linked, but no quantity was ever written: only a shelf that agrees to the piece tells of sales since.
        return if sold.total > 0 && standing == billz - sold.total { less(held, sold.total, base(0)) } else { plainly };
    };
    let moved = match before.billz {
        Some(counted) => counted != wanted.counted,
        None => written.get("quantity").and_then(Value::as_i64) != Some(billz),
    };
    if moved {
        let unknown: i64 = sold.recent.iter().filter(|(at, _)| *at >= wanted.seen_at).map(|(_, pieces)| pieces).sum();
        return if mode == SiteSales::Net && unknown > 0 { less(held, unknown, base(sold.total - unknown)) } else { plainly };
    }
    let since = sold.total - before.sold;
    if since > 0 {
        less(held, since, base(before.sold))
    } else if since < 0 && standing == billz - since {
        less("site_returns_kept", since, base(before.sold))
    } else {
        plainly
    }
}
