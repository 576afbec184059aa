//! A Billz 1 row into the common record. Pure; every tolerance of facts/billz-1.md that is about meaning stands here.

use super::{
    normalise::{bad_record, digits, record_of},
    record::{Category, Good, Kind, Shop},
};
use crate::{
    engine::model::Record,
    remote::BadRow,
    systems::billz1::{Office, Product},
};

/// Between the names of a category's path, which is its id: Billz 1 has no ids and no tree (facts/billz-1.md section 4.2).
const PATH: &str = " / ";
/// Properties that have a place of their own in the record.
const BRAND: &str = "BRAND";
const DESCRIPTION: &str = "DESCRIPTION";
const CATEGORY: &str = "CATEGORY";
const SUB_CATEGORY: &str = "SUB_CATEGORY";
/// Ends the file's name of a preview; without it the address is that of the original (facts/billz-1.md section 4.2).
const PREVIEW: &str = "_square.";

/// One row of `products.get` as a record of the engine. Billz 1 never says when a good was changed.
pub fn record(row: Result<Product, Box<BadRow>>) -> Record {
    match row {
        Ok(product) => record_of(product.id.clone(), good(product), None),
        Err(bad) => bad_record(*bad),
    }
}

fn good(product: Product) -> Good {
    let property = |name: &str| {
        let found = product.properties.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let own_place = |name: &str| matches!(name, BRAND | DESCRIPTION | CATEGORY | SUB_CATEGORY);
    let properties = product
        .properties
        .iter()
        .filter(|(name, value)| !own_place(name) && !name.trim().is_empty() && !value.trim().is_empty())
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect();
    let company =
        Shop { stock: digits(&product.qty), price: digits(&product.price), discount: digits(&product.discount_amount), ..Shop::default() };
    Good {
        kind: Kind::Goods,
        name: product.name.trim().to_owned(),
        description: property(DESCRIPTION),
        brand: property(BRAND),
        categories: categories(&property(CATEGORY), &property(SUB_CATEGORY)),
        images: images(&product),
        properties,
        parent: None,
        shops: product.offices.iter().map(|office| (office.id.clone(), shop(office, &company))).collect(),
        company: Some(company),
        unit: String::new(),
        sku: product.sku,
        barcode: product.barcode,
        unreadable: None,
    }
}

/// What one office says; where it says nothing of price or discount, the company's counts. Its stock is its own.
fn shop(office: &Office, company: &Shop) -> Shop {
    Shop {
        name: office.name.trim().to_owned(),
        stock: digits(&office.qty),
        price: digits(&office.price).or_else(|| company.price.clone()),
        discount: digits(&office.discount_amount).or_else(|| company.discount.clone()),
        ..Shop::default()
    }
}

/// Two strings into the two levels of a tree, the upper one first.
fn categories(category: &str, sub_category: &str) -> Vec<Category> {
    let upper = Category { id: category.to_owned(), name: category.to_owned(), parent: None };
    let lower = |id: String, parent| Category { id, name: sub_category.to_owned(), parent };
    match (category.is_empty(), sub_category.is_empty()) {
        (true, true) => Vec::new(),
        (false, true) => vec![upper],
        (true, false) => vec![lower(sub_category.to_owned(), None)],
        (false, false) => vec![upper, lower(format!("{category}{PATH}{sub_category}"), Some(category.to_owned()))],
    }
}

/// Addresses of the originals, each once.
fn images(product: &Product) -> Vec<String> {
    let mut images: Vec<String> = Vec::new();
    for image in &product.image_urls {
        let url = original(image.url.trim());
        if !url.is_empty() && !images.contains(&url) {
            images.push(url);
        }
    }
    images
}

/// `…/x_square.jpeg` -> `…/x.jpeg`; only in the file's name, and not in what follows a question mark.
fn original(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let (address, rest) = url.split_at(end);
    let file = address.rfind('/').map_or(0, |slash| slash + 1);
    match address.rfind(PREVIEW) {
        Some(place) if place >= file => {
            let (before, after) = address.split_at(place);
            format!("{before}{}{rest}", after.get(PREVIEW.len() - 1..).unwrap_or_default())
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::systems::billz1::wire;

    fn good_of(text: &str) -> Good {
        let record = record(wire::product(serde_json::from_str(text).unwrap()));
        Good::of_payload(&record.payload)
    }

    /// The example of facts/billz-1.md section 4.3.
    #[test]
    fn a_row_of_the_sheet() {
        let good = good_of(
            r#"{"ID": 4810233, "name": " Futbolka Test oq", "sku": "TST-104", "barCode": "2000000481023", "price": 189000.0, "discountAmount": 19000, "qty": 7,
            "properties": {"BRAND": "Test", "CATEGORY": "Футболки", "SUB_CATEGORY": "Базовые", "COLOR": "Белый", "SIZE": "L", "DESCRIPTION": "100% хлопок",
              "СТРАНА_ПРОИЗВОДСТВА": "Узбекистан", "SEASON": "", "GENDER": null},
            "offices": [{"officeID": 3301, "officeName": "Office A", "price": 190000, "discountAmount": 0, "qty": 5.0}, {"officeID": 3302, "officeName": "Office B", "qty": 2}],
            "imageUrls": [{"url": "https://app.billz.uz/fileupload/products/000001/example_square.jpeg"}, {"url": "https://app.billz.uz/fileupload/products/000001/example.jpeg"}]}"#,
        );
        assert_eq!((good.name.as_str(), good.brand.as_str(), good.description.as_str()), ("Futbolka Test oq", "Test", "100% хлопок"));
        let categories: Vec<_> =
            good.categories.iter().map(|category| (category.id.as_str(), category.name.as_str(), category.parent.as_deref())).collect();
        assert_eq!(categories, [("Футболки", "Футболки", None), ("Футболки / Базовые", "Базовые", Some("Футболки"))]);
        let names: Vec<_> = good.properties.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["COLOR", "SIZE", "СТРАНА_ПРОИЗВОДСТВА"]);
        assert_eq!(good.images, ["https://app.billz.uz/fileupload/products/000001/example.jpeg"]);
        let shop = |key: &str| {
            let shop = &good.shops[key];
            (shop.stock.as_deref(), shop.price.as_deref(), shop.discount.as_deref())
        };
        assert_eq!(shop("3301"), (Some("5"), Some("190000"), Some("0")), "the office's own word");
        assert_eq!(shop("3302"), (Some("2"), Some("189000"), Some("19000")), "where it has none, the company's");
        assert_eq!(good.company.as_ref().and_then(|company| company.price.as_deref()), Some("189000"));
    }

    #[test]
    fn the_same_state_written_in_another_way_is_the_same_record() {
        let one = good_of(r#"{"ID":"7","barcode":"1","price":5.0,"properties":{"B":"1","A":"2"},"totalRows":1}"#);
        let other = good_of(r#"{"id":7,"barCode":1,"price":"5","properties":{"A":"2","B":"1"},"totalRows":9,"priceUSD":1}"#);
        assert_eq!(one.to_payload(), other.to_payload());
    }

    #[test]
    fn an_address_loses_its_preview_mark_only_at_the_end_of_the_files_name() {
        for (url, expected) in [
            ("https://x/a_square.jpeg", "https://x/a.jpeg"),
            ("https://x/a_square.b_square.png?v=_square.1", "https://x/a_square.b.png?v=_square.1"),
            ("https://x/my_square.files/a.jpg", "https://x/my_square.files/a.jpg"),
            ("https://x/a_square", "https://x/a_square"),
            ("", ""),
        ] {
            assert_eq!(original(url), expected);
        }
    }

    #[test]
    fn a_row_that_cannot_be_read_is_a_record_all_the_same() {
        let record = record(wire::product(serde_json::from_str(r#"{"ID":7,"name":"x","offices":"all"}"#).unwrap()));
        let good = Good::of_payload(&record.payload);
        assert_eq!((record.key.as_str(), good.kind, good.unreadable.unwrap().0.as_str()), ("7", Kind::Unreadable, "offices"));
    }
}
