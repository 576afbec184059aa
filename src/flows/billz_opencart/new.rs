//! A good that the shop does not have (requirement section 4.1): whether it is created, and with which values.
//!
//! | field of the report | in the shop |
//! |---|---|
//! | `name`, `description` | texts in every language, title and address |
//! | `manufacturer`, `attributes` | by name; [`super::dictionaries`] finds or makes their rows when it is written |
//! | `model`, `sku`, `barcode` | columns of the settings |
//! | `weight` | where a property clearly says it |
//! | `quantity`, `price`, `special`, `status` | as in section 4.2, by the rules named beside them |
//! | `categories` | by the mapping: [`super::categories`] |
//!
//! Tax class, stock status, store and seller are the same for all goods and come from the settings: `super::target`.

use serde_json::Value;

use super::{
    categories, pictures, properties,
    rules::{BillzOpencart, Wanted, money, skipped},
    settings::NewProducts,
    texts,
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
    let description = texts::description(&good.description);
    if !description.is_empty() {
        set("description", Value::from(description), source());
    }
    if !good.brand.trim().is_empty() {
        set("manufacturer", Value::from(good.brand.trim()), source());
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
    let properties = properties::of(good);
    if let Some(weight) = properties.weight {
        set("weight", Value::from(weight.to_string()), source());
    }
    if !properties.attributes.is_empty() {
        let attributes = properties.attributes.into_iter().map(|(name, text)| (name, Value::from(text))).collect();
        set("attributes", Value::Object(attributes), Reason::new("attribute_group").with("group", &settings.attribute_group));
    }
    set("quantity", Value::from(wanted.quantity.0), wanted.quantity.1.clone());
    set("price", money(wanted.priced.price), wanted.priced.rule.clone());
    if let Some((special, rule)) = &wanted.priced.promo {
        set("special", money(*special), rule.clone());
    }
    set(categories::FIELD, categories::value(&filed.targets), filed.rule);
    set("status", Value::from(u8::from(live)), Reason::new(if live { "new_live" } else { "new_hidden" }));
    fields.extend(pictures::of_new(settings, good));
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
