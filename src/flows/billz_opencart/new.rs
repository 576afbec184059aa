//! A good that the shop does not have (requirement section 4.1): whether it is created, and with which values.

use serde_json::Value;

use super::{
    categories,
    rules::{BillzOpencart, Wanted, money, skipped},
    settings::NewProducts,
};
use crate::engine::{
    flow::{Decision, LinkDecision},
    model::{FieldChange, Op, Outcome, Reason},
};

/// Length of `oc_product.model`.
const MODEL: usize = 64;

/// What to do with a good that nothing in the shop matches.
pub fn decide(rules: &BillzOpencart, wanted: &Wanted<'_>, key: &str) -> Decision {
    let settings = &rules.settings;
    if settings.new_products == NewProducts::Off {
        return skipped(Reason::new("new_products_off"));
    }
    if !settings.new_without_stock && wanted.quantity.0 == 0 {
        return skipped(Reason::new("new_without_stock_off"));
    }
    let filed = match categories::of_new(rules, wanted.good) {
        Ok(filed) => filed,
        Err(reason) => return skipped(reason),
    };
    let live = settings.new_products == NewProducts::Live;
    let source = || Reason::new("from_source");
    let good = wanted.good;
    let mut fields = Vec::new();
    let mut set = |field: &str, new: Value, rule: Reason| fields.push(FieldChange { field: field.into(), old: None, new, rule });
    let name = if good.name.is_empty() { key } else { &good.name };
    set("name", Value::from(name), source());
    if !good.description.is_empty() {
        set("description", Value::from(good.description.clone()), source());
    }
    // Not every good has an article number, and ours must never be cut: the id of Billz always fits.
    let model = if good.sku.is_empty() || good.sku.chars().count() > MODEL { key } else { &good.sku };
    set("model", Value::from(model), Reason::new("model_from_source"));
    if !good.sku.is_empty() {
        set("sku", Value::from(good.sku.clone()), source());
    }
    if !good.barcode.is_empty() {
        set("barcode", Value::from(good.barcode.clone()), source());
    }
    set("quantity", Value::from(wanted.quantity.0), wanted.quantity.1.clone());
    set("price", money(wanted.priced.price), wanted.priced.rule.clone());
    if let Some((special, rule)) = &wanted.priced.promo {
        set("special", money(*special), rule.clone());
    }
    set(categories::FIELD, categories::value(&filed.targets), filed.rule);
    set("status", Value::from(u8::from(live)), Reason::new(if live { "new_live" } else { "new_hidden" }));
    Decision {
        outcome: Outcome::Created,
        op: Op::Create,
        reason: Reason::new("new_product"),
        fields,
        fault: None,
        link: LinkDecision::Created,
        undo: "hide",
    }
}
