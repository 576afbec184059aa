//! What is listed for a question, and how a row looks (sheet 4.1 to 4.3).

use chrono::DateTime;
use serde_json::{Map, Value, json};

use super::{
    super::billz2::fixed::Fixed,
    catalogue::{Catalogue, Product},
    faults::Fault,
    switches::Switches,
};

/// What is asked; unknown params are ignored, and without any the whole catalogue is meant.
#[derive(Debug, Default)]
struct Asked {
    changed_after: Option<i64>,
    photo_only: bool,
    empty_stocks: bool,
    ids: Option<Vec<String>>,
    offices: Option<Vec<u64>>,
}

impl Asked {
    /// Flags are numbers, `ProductIds` a text with commas, `offices` a list of numbers: nothing else is understood (sheet 6.3).
    fn read(params: &Value) -> Self {
        let flag = |name: &str| params.get(name).and_then(Value::as_u64) == Some(1);
        let time = |text: &str| DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp());
        Self {
            changed_after: params.get("LastUpdatedDate").and_then(Value::as_str).and_then(time),
            photo_only: flag("WithProductPhotoOnly"),
            empty_stocks: flag("IncludeEmptyStocks"),
            ids: params.get("ProductIds").and_then(Value::as_str).map(|ids| ids.split(',').map(|id| id.trim().to_owned()).collect()),
            offices: params.get("offices").and_then(Value::as_array).map(|offices| offices.iter().filter_map(Value::as_u64).collect()),
        }
    }

    fn wants(&self, product: &Product, switches: &Switches) -> bool {
        let stock: i64 = product.offices.iter().filter(|(id, _)| self.has(**id)).map(|(_, offer)| offer.stock.as_thousandths()).sum();
        let fresh =
            self.changed_after.is_none_or(|after| product.changed_at > after || (switches.at_or_after && product.changed_at == after));
        fresh
            && (self.empty_stocks || stock != 0)
            && (!self.photo_only || product.images.as_ref().is_some_and(|images| !images.is_empty()))
            && self.ids.as_ref().is_none_or(|ids| ids.contains(&product.id.to_string()))
    }

    fn has(&self, office: u64) -> bool {
        self.offices.as_ref().is_none_or(|offices| offices.contains(&office))
    }
}

/// The rows of an answer as JSON texts.
pub fn rows(catalogue: &Catalogue, switches: &Switches, params: &Value, fault: Option<&Fault>) -> Vec<String> {
    let asked = Asked::read(params);
    let mut listed: Vec<&Product> = match fault {
        Some(Fault::EmptyList) => Vec::new(),
        _ => catalogue.products.values().filter(|product| asked.wants(product, switches)).collect(),
    };
    if switches.doubles {
        listed = listed.iter().enumerate().flat_map(|(place, product)| vec![*product; if place % 3 == 0 { 2 } else { 1 }]).collect();
    }
    if switches.newest_first {
        listed.reverse();
    }
    let missing = if let Some(Fault::ShortCount { missing }) = fault { *missing } else { 0 };
    let total = u64::try_from(listed.len()).unwrap_or(0) + missing;
    let bad = if let Some(Fault::BadRow { row, nameless }) = fault { Some((*row, *nameless)) } else { None };
    let texts = listed.iter().enumerate().map(|(place, product)| {
        let mut row = row(catalogue, switches, &asked, product, total);
        match bad {
            Some((at, true)) if at == place => drop(row.remove(id_key(switches))),
            Some((at, false)) if at == place => drop(row.insert("offices".into(), Value::from("all"))),
            _ => {}
        }
        Value::Object(row).to_string()
    });
    texts.collect()
}

const fn id_key(switches: &Switches) -> &'static str {
    if switches.small_keys { "id" } else { "ID" }
}

fn row(catalogue: &Catalogue, switches: &Switches, asked: &Asked, product: &Product, total: u64) -> Map<String, Value> {
    let point = switches.floats && product.id.is_multiple_of(2);
    let number = |value: Fixed| {
        let text = value.to_string();
        let text = if point && !text.contains('.') { format!("{text}.0") } else { text };
        text.parse().map_or(Value::Null, Value::Number)
    };
    let stock = |office: &u64| product.offices.get(office).map_or(Fixed::ZERO, |offer| offer.stock);
    let offices: Vec<Value> = catalogue
        .offices
        .iter()
        .filter(|(id, _)| asked.has(*id) && (switches.list_empty_offices || !stock(id).is_zero()))
        .filter_map(|(id, name)| {
            let offer = product.offices.get(id)?;
            Some(json!({
                "officeID": id, "officeName": name, "price": number(offer.price), "priceUSD": 0, "discountAmount": number(offer.discount), "qty": number(offer.stock),
            }))
        })
        .collect();
    let all = product.offices.values().map(|offer| offer.stock.as_thousandths()).sum();
    let mut row = Map::new();
    let mut set = |name: &str, value: Value| drop(row.insert(name.to_owned(), value));
    set(id_key(switches), json!(product.id));
    set("name", json!(product.name));
    set("sku", json!(product.sku));
    set(if switches.small_keys { "barcode" } else { "barCode" }, json!(product.barcode));
    set("price", number(product.price));
    set("priceUSD", json!(0));
    set("discountAmount", number(product.discount));
    set("qty", number(Fixed::thousandths(all)));
    if let Some(properties) = &product.properties {
        set("properties", json!(properties));
    }
    set("offices", Value::Array(offices));
    if let Some(images) = &product.images {
        set("imageUrls", images.iter().map(|url| json!({ "url": url })).collect());
    }
    if switches.total_rows {
        set("totalRows", json!(total));
    }
    row
}
