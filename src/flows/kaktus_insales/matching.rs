//! Barcodes on both sides (requirement 2.2.3, 2.2.4, 3.2, 3.4): what the document calls the two dictionaries. Pure.
//!
//! A barcode is text: trimmed, leading zeros kept. One that several variants carry is kept with all of them, so that the rules can name them;
//! a plain map would silently take the last.

use std::collections::BTreeMap;

use super::record::{Holder, Stock, Stocked};
use crate::{
    engine::model::{NAMELESS, Record},
    remote::BadRow,
    systems::kaktus::{Product, Variant},
};

/// Longest barcode that can be kept as a key.
const LONGEST: usize = 191;

/// All barcodes of Kaktus with the variants that carry them. Both schemes come to the same: one product with many variants, and many products
/// with one.
pub fn by_barcode(products: Vec<Product>) -> BTreeMap<String, Stocked> {
    let mut found: BTreeMap<String, Stocked> = BTreeMap::new();
    for product in products {
        for variant in product.variants {
            let holder = holder(&product.id, &product.name, &variant);
            let mut barcodes = variant.barcodes;
            if let Some(last) = barcodes.pop() {
                for barcode in barcodes {
                    found.entry(barcode).or_default().holders.push(holder.clone());
                }
                found.entry(last).or_default().holders.push(holder);
            }
        }
    }
    for stocked in found.values_mut().filter(|stocked| stocked.holders.len() > 1) {
        // Pages have no certain order, and equal states must give equal text.
        stocked.holders.sort();
    }
    found
}

fn holder(id: &str, name: &str, variant: &Variant) -> Holder {
    let names = [name, variant.name.as_str()];
    let name = if name == variant.name {
        name.to_owned()
    } else {
        names.into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>().join(", ")
    };
    let stock = variant.stock.iter().map(|row| Stock {
        warehouse: row.warehouse.clone(),
        quantity: row.quantity.clone(),
        minus: row.minus.clone(),
    });
    Holder { product: id.to_owned(), variant: variant.id.clone(), name, inactive: !variant.enabled, stock: stock.collect() }
}

/// A barcode as a record of the engine.
pub fn record(barcode: &str, stocked: &Stocked, name: Option<&str>) -> Record {
    let name = stocked.holders.first().map(|holder| holder.name.as_str()).or(name).unwrap_or_default().to_owned();
    if barcode.chars().count() > LONGEST {
        let key = format!("{NAMELESS}{}", barcode.chars().take(LONGEST / 2).collect::<String>());
        let stocked = Stocked { unreadable: Some(("barcode".into(), barcode.chars().take(LONGEST).collect())), ..Stocked::default() };
        return Record { key, name, payload: stocked.to_payload(), source_changed_at: None };
    }
    Record { key: barcode.to_owned(), name, payload: stocked.to_payload(), source_changed_at: None }
}

/// The record of a row that cannot be read: nobody knows its barcodes.
pub fn bad_record(bad: &BadRow) -> Record {
    let key = format!("{NAMELESS}{}", bad.id.as_deref().unwrap_or(&bad.raw_hash).chars().take(LONGEST / 2).collect::<String>());
    let stocked = Stocked { unreadable: Some((bad.field.clone(), bad.value.clone())), ..Stocked::default() };
    Record { key, name: bad.name.clone().unwrap_or_default(), payload: stocked.to_payload(), source_changed_at: None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::systems::kaktus::StockRow;

    fn variant(id: &str, barcodes: &[&str]) -> Variant {
        let stock = vec![StockRow { warehouse: "Main".into(), quantity: Some("3".into()), minus: None }];
        Variant {
            id: id.into(),
            name: "S".into(),
            enabled: true,
            barcodes: barcodes.iter().map(|text| (*text).to_owned()).collect(),
            stock,
        }
    }

    fn product(id: &str, variants: Vec<Variant>) -> Product {
        Product { id: id.into(), name: format!("Товар {id}"), variants }
    }

    #[test]
    fn both_schemes_of_kaktus_come_to_the_same_dictionary() {
        let together = by_barcode(vec![product("1", vec![variant("a", &["01"]), variant("b", &["1"])])]);
        let apart = by_barcode(vec![product("1", vec![variant("a", &["01"])]), product("2", vec![variant("b", &["1"])])]);
        assert_eq!(together.keys().collect::<Vec<_>>(), apart.keys().collect::<Vec<_>>());
        assert_eq!(together.len(), 2, "leading zeros tell barcodes apart");
        assert_eq!(together["01"].holders[0].shown(), "Товар 1, S (1/a)");
    }

    #[test]
    fn a_variant_may_have_several_barcodes_and_a_barcode_several_variants() {
        let found =
            by_barcode(vec![product("2", vec![variant("a", &["46"])]), product("1", vec![variant("b", &["46", "47"]), variant("c", &[])])]);
        let of = |barcode: &str| found[barcode].holders.iter().map(|holder| holder.product.as_str()).collect::<Vec<_>>();
        assert_eq!((of("46"), of("47")), (vec!["1", "2"], vec!["1"]));
    }

    #[test]
    fn a_barcode_that_no_key_can_hold_is_told_and_not_cut() {
        let long = "9".repeat(200);
        let record = record(&long, &Stocked::default(), None);
        assert!(record.key.starts_with(NAMELESS) && Stocked::of_payload(&record.payload).unreadable.is_some());
    }

    proptest! {
        #[test]
        fn the_order_of_pages_does_not_matter(order in Just((0..12usize).collect::<Vec<_>>()).prop_shuffle()) {
            let all: Vec<Product> = (0..12).map(|id| product(&id.to_string(), vec![variant("v", &[["1", "2", "3"][id % 3]])])).collect();
            let shuffled = order.into_iter().map(|place| all[place].clone()).collect();
            let texts = |found: BTreeMap<String, Stocked>| found.into_values().map(|stocked| stocked.to_payload()).collect::<Vec<_>>();
            prop_assert_eq!(texts(by_barcode(all)), texts(by_barcode(shuffled)));
        }
    }
}
