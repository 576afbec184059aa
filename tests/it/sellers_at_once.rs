//! Two sellers bring new goods at once, with brands, attributes, sizes and pictures, and the workers die again and again: both come to the
//! same end as if nothing had happened, and what the sellers share is made once.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use tradesync::fault::failpoint::POINTS;

use crate::{
    pictures::Shop,
    support::{FIRST, Spawn, assert_done},
};

const SHIRT: &str = "3f2b8c1a-0000-4000-8000-0000000000c1";
const BOOT: &str = "3f2b8c1a-0000-4000-8000-0000000000c2";

/// The points that creations pass, in their order: products of their own, then families, then pictures.
const PRODUCTS: &[&str] = &["name-claimed", "shared-row-half-made", "creating-product", "product-without-children", "before-going-live"];
const FAMILIES: &[&str] = &[
    "family-claimed",
    "family-without-option",
    "family-value-made",
    "family-half-made",
    "before-family-sum",
    "before-family-shows",
    "after-effect",
];
const PICTURES: &[&str] = &["after-record", "picture-file-written", "pictures-stored", "pictures-shown"];

fn settings(seller: u32) -> Value {
    let table = json!({"link_table": "oc_ms_product", "product_column": "product_id", "seller_column": "seller_id", "seller_value": seller.to_string()});
    Shop::settings(json!({"variants": "options", "opencart": {"seller": table}}))
}

fn stock_up(shop: &Shop) -> usize {
    let goods = [
        json!({"name": "Кўйлак / M", "parent": SHIRT, "brand": "Artel", "photos": ["front.jpg", "back.png"], "stock": {FIRST: "5"}}),
        json!({"name": "Кўйлак / L", "parent": SHIRT, "brand": "Artel", "photos": ["front.jpg", "back.png"], "stock": {FIRST: "3"}}),
        json!({"name": "Етик / 42", "parent": BOOT, "brand": "Uztex", "photos": ["boot.webp"], "stock": {FIRST: "7"}}),
        json!({"name": "Пиёла", "brand": "Artel", "photos": ["cup.jpg"], "stock": {FIRST: "2"}}),
    ];
    for good in &goods {
        let mut good = good.clone();
        good["custom_fields"] = json!([["Сезон", "SS25"], ["Страна", "Ўзбекистон"]]);
        shop.stage.good(good);
    }
    goods.len()
}

/// `name | quantity of the product | status | size:stock …` of each product of a seller.
fn products(shop: &Shop, seller: u32) -> Vec<String> {
    shop.stage.database.words(&format!(
        "SELECT CONCAT_WS(' | ', d.name, p.quantity, p.status, (SELECT GROUP_CONCAT(n.name, ':', v.quantity ORDER BY n.name SEPARATOR ' ') FROM oc_product_option_value v \
         JOIN oc_option_value_description n ON n.option_value_id = v.option_value_id AND n.language_id = 1 WHERE v.product_id = p.product_id)) AS words \
         FROM oc_product p JOIN oc_ms_product l USING (product_id) JOIN oc_product_description d ON d.product_id = p.product_id AND d.language_id = 1 \
         WHERE l.seller_id = {seller} ORDER BY words"
    ))
}

async fn killed_at(points: &[&str]) {
    let shop = Shop::spawned(Spawn::default().with("TRADESYNC_ROLE", "api")).await;
    let stage = &shop.stage;
    stage.database.run("CREATE TABLE oc_ms_product (product_id INT NOT NULL PRIMARY KEY, seller_id INT NOT NULL) ENGINE=MyISAM");
    let made = stock_up(&shop);
    let last = stage.database.number("SELECT MAX(option_id) AS number FROM oc_option");
    let sellers = [stage.simple_of("seller:1", settings(1)).await, stage.simple_of("seller:2", settings(2)).await];
    let mut runs = Vec::new();
    for (connection, stream) in &sellers {
        runs.push(stage.start(connection, stream, "full").await);
    }
    for point in points {
        let mut worker = stage.worker(&shop.spawn(Spawn::failing_at(point))).await;
        assert!(worker.ended(Duration::from_secs(60)).await, "the point {point} was never passed\n{}", worker.output());
        assert!(worker.aborted(), "ended, but not at {point}\n{}", worker.output());
    }
    let history = points.join(", ");
    let living = shop.spawn(Spawn::default());
    let _workers = [stage.worker(&living).await, stage.worker(&living).await];
    for run in &runs {
        let ended = stage.rest.wait(run).await;
        assert_done(&ended, &history);
        assert_eq!((&ended["counts"]["created"], &ended["pictures"]["waiting"]), (&json!(made), &json!(0)), "{history}: {ended}");
    }

    stage.assert_whole(&history);
    let expected = ["Етик | 7 | 1 | 42:7", "Кўйлак | 8 | 1 | L:3 M:5", "Пиёла | 2 | 1"];
    assert_eq!(
        (products(&shop, 1), products(&shop, 2)),
        (expected.map(str::to_owned).to_vec(), expected.map(str::to_owned).to_vec()),
        "{history}"
    );
    let twice = |what: &str, query: &str| assert_eq!(stage.database.words(query), Vec::<String>::new(), "{history}: {what} twice");
    twice("brands", "SELECT name AS words FROM oc_manufacturer GROUP BY name HAVING COUNT(*) > 1");
    twice(
        "options",
        &format!(
            "SELECT name AS words FROM oc_option_description WHERE language_id = 1 AND option_id > {last} GROUP BY name HAVING COUNT(*) > 1"
        ),
    );
    twice(
        "values of an option",
        &format!(
            "SELECT name AS words FROM oc_option_value_description WHERE language_id = 1 AND option_id > {last} GROUP BY option_id, name HAVING COUNT(*) > 1"
        ),
    );
    twice(
        "values of a product",
        "SELECT CAST(product_id AS CHAR) AS words FROM oc_product_option_value GROUP BY product_option_id, option_value_id HAVING COUNT(*) > 1",
    );
    let own = "SELECT product_id AS number FROM oc_product p JOIN oc_ms_product l USING (product_id) JOIN oc_product_description d USING (product_id)";
    let pictures = |seller: u32, name: &str| {
        let product = stage.database.number(&format!("{own} WHERE d.language_id = 1 AND l.seller_id = {seller} AND d.name = '{name}'"));
        shop.shown(product)
    };
    let mut all = BTreeSet::new();
    for (name, count) in [("Кўйлак", 2), ("Етик", 1), ("Пиёла", 1)] {
        let shown = pictures(1, name);
        assert_eq!((shown.len(), pictures(2, name)), (count, shown.clone()), "{history}: {name}");
        all.extend(shown);
    }
    let files: BTreeSet<String> = shop.files().into_iter().filter(|file| !file.contains("/.tradesync-")).collect();
    assert_eq!(files, all, "{history}: each picture once for both");
    for (connection, stream) in &sellers {
        let again = stage.full(connection, stream).await;
        assert_eq!((&again["counts"]["created"], &again["counts"]["updated"]), (&json!(0), &json!(0)), "{history}: {again}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_products_with_brands_and_attributes_are_made() {
    killed_at(PRODUCTS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_products_with_options_are_made() {
    killed_at(FAMILIES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_their_pictures_are_loaded() {
    killed_at(PICTURES).await;
}

#[test]
fn every_step_of_a_creation_is_among_them() {
    let all: Vec<&str> = [PRODUCTS, FAMILIES, PICTURES].concat();
    let of_creation =
        |point: &&&str| point.contains("family") || point.contains("picture") || point.contains("product") || point.contains("shared");
    let lacking: Vec<&&str> = POINTS.iter().filter(of_creation).filter(|point| !all.contains(*point)).collect();
    assert!(lacking.is_empty(), "{lacking:?}");
}
