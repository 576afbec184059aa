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
    categories,
    dictionaries::Ids,
    pictures, properties,
    rules::{BillzOpencart, Wanted, money, skipped},
    settings::{LinkKey, NewProducts, Settings},
    target::{decimal, reference},
    texts, variants,
};
use crate::{
    domain::number,
    engine::{
        flow::{Decision, LinkDecision},
        model::{Change, FieldChange, Op, Outcome, Reason},
    },
    fault::Fault,
    systems::opencart::{NewProduct, Weight},
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
    let variant = variants::of(settings, wanted.good, key);
    let family = variant.as_ref().map(|variant| variants::shared(wanted.good, variant));
    let good = family.as_ref().unwrap_or(wanted.good);
    let mut fields = Vec::new();
    let mut set = |field: &str, new: Value, rule: Reason| fields.push(FieldChange { field: field.into(), old: None, new, rule });
    let name = if good.name.is_empty() { key } else { &good.name };
    let key = variant.as_ref().map_or(key, |variant| variant.family.as_str());
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
    match &wanted.priced.promo {
        // OpenCart's specials belong to the whole product.
        Some((special, _)) if variant.is_some() => {
            set("special", Value::Null, Reason::new("special_not_for_options").with("special", number::plain(*special)))
        }
        Some((special, rule)) => set("special", money(*special), rule.clone()),
        None => {}
    }
    set(categories::FIELD, categories::value(&filed.targets), filed.rule);
    set("status", Value::from(u8::from(live)), Reason::new(if live { "new_live" } else { "new_hidden" }));
    fields.extend(pictures::of_new(settings, good));
    fields.extend(variant.map(|variant| variant.change()));
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

/// The product that a stored creation asks for: [`decide`]'s fields read back.
pub fn product(change: &Change, settings: &Settings, ids: &Ids) -> Result<NewProduct, Fault> {
    let field = |name: &str| change.body.fields.iter().find(|field| field.field == name).map(|field| &field.new);
    let text = |name: &str| field(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let needed = |name: &str| Fault::internal(format!("a new product without {name}"));
    let sku = settings.column_of(LinkKey::Sku, text("sku"))?;
    let barcode = settings.column_of(LinkKey::Barcode, text("barcode"))?;
    let model = settings.column_of(LinkKey::Model, text("model"))?.filter(|(column, _)| column.name() != "model");
    let attributes = field("attributes").and_then(Value::as_object).into_iter().flatten();
    Ok(NewProduct {
        reference: reference(change),
        model: text("model"),
        model_fallback: change.body.source.clone(),
        identifiers: model.into_iter().chain(sku).chain(barcode).collect(),
        quantity: field("quantity").and_then(Value::as_i64).ok_or_else(|| needed("quantity"))?,
        price: field("price").and_then(decimal).ok_or_else(|| needed("price"))?,
        special: field("special").and_then(decimal),
        live: field("status").and_then(Value::as_u64) == Some(1),
        category_ids: field(categories::FIELD).map(categories::ids).unwrap_or_default(),
        name: text("name"),
        description: text("description"),
        meta_description: String::new(),
        tag: String::new(),
        manufacturer_id: ids.manufacturer(&text("manufacturer")),
        image: None,
        weight: Weight::parse(&text("weight")),
        tax_class_id: settings.opencart.tax_class_id.map_or(0, i64::from),
        stock_status_id: settings.opencart.stock_status_id.map(i64::from),
        attributes: attributes.filter_map(|(name, text)| Some((ids.attribute(name)?, text.as_str()?.to_owned()))).collect(),
    })
}
