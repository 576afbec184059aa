//! Undo of every field that may follow Billz: texts, brand, attributes, categories and pictures go back as they stood, to the letter.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    pictures::Shop,
    support::{FIRST, Spawn, Stage, change_of},
    undo::{Dice, History, State, id, unbraked},
};

/// Every field that may follow Billz.
const ALL: [&str; 9] = ["quantity", "price", "special", "name", "description", "images", "categories", "attributes", "manufacturer"];
/// Categories of the seed rows of the shop.
const CLOTHES: i64 = 20;
const T_SHIRTS: i64 = 24;
const OWN: i64 = 33;

fn everything(over: Value) -> Value {
    let mut settings = unbraked(Shop::settings(over));
    settings["update_fields"] = json!(ALL);
    settings
}

impl Stage {
    /// Maps two categories of Billz to two of the shop; returns nothing, since the goods name them.
    async fn map_categories(&self, connection: &str) {
        let all = self.rest.all(&format!("/connections/{connection}/category-mappings/unmapped?all=true")).await;
        let of = |name: &str| all.iter().find(|row| row["source_name"].as_str().unwrap().ends_with(name)).unwrap()["source"].clone();
        let items = json!([
            {"source": of("Футболки"), "target": T_SHIRTS.to_string()}, {"source": of("Смартфоны"), "target": CLOTHES.to_string()},
        ]);
        self.rest.put_matching(&format!("/connections/{connection}/category-mappings"), "*", &json!({"items": items})).await.ok(200);
    }

    fn rows(&self, query: &str) -> String {
        self.database.words(query).join("\n")
    }

    /// A product to the letter: all that an undo brings back, by the field's name in reports, and the rest under `other`.
    fn to_the_letter(&self, product: i64) -> BTreeMap<&'static str, String> {
        let of = |column: &str| self.database.cell(&format!("SELECT `{column}` FROM oc_product WHERE product_id = {product}"));
        let texts = |columns: &str| {
            self.rows(&format!(
                "SELECT CONCAT_WS('|', language_id, {columns}) AS words FROM oc_product_description WHERE product_id = {product} ORDER BY language_id"
            ))
        };
        let rest = self.database.words(
            "SELECT GROUP_CONCAT(column_name ORDER BY ordinal_position) AS words FROM information_schema.columns WHERE table_schema = DATABASE() \
             AND table_name = 'oc_product' AND column_name NOT IN ('quantity', 'price', 'status', 'image', 'manufacturer_id', 'date_modified')",
        );
        BTreeMap::from([
            ("quantity", of("quantity")),
            ("price", of("price")),
            ("status", of("status")),
            ("special", self.rows(&format!(
                "SELECT CONCAT_WS(':', customer_group_id, priority, price, date_start, date_end) AS words FROM oc_product_special WHERE product_id = {product} ORDER BY words"
            ))),
            ("name", texts("name, meta_title")),
            ("description", texts("description")),
            ("manufacturer", of("manufacturer_id")),
            ("attributes", self.rows(&format!(
                "SELECT CONCAT_WS('|', d.name, v.language_id, v.text) AS words FROM oc_product_attribute v JOIN oc_attribute_description d \
                 ON d.attribute_id = v.attribute_id AND d.language_id = 1 WHERE v.product_id = {product} ORDER BY words"
            ))),
            ("categories", self.rows(&format!(
                "SELECT CAST(category_id AS CHAR) AS words FROM oc_product_to_category WHERE product_id = {product} ORDER BY category_id"
            ))),
            ("images", self.rows(&format!(
                "SELECT words FROM (SELECT CONCAT('main ', IFNULL(image, '')) AS words, -1 AS place FROM oc_product WHERE product_id = {product} \
                 UNION ALL SELECT CONCAT(sort_order, ' ', image), sort_order FROM oc_product_image WHERE product_id = {product}) i ORDER BY place, words"
            ))),
            ("other", self.database.cell(&format!("SELECT CONCAT_WS('|', {}) FROM oc_product WHERE product_id = {product}", rest[0]))),
        ])
    }
}

/// A product that a person made, in three languages, with a brand, an attribute, a category and pictures of their own; linked to a good
/// that says otherwise of all of it.
async fn by_hand(shop: &Shop) -> (String, String, String, i64) {
    let stage = &shop.stage;
    let good = stage.good(json!({
        "name": "Футболка «Новая»", "category": "Футболки", "brand": "Artel", "description": "<p>Из Billz</p>",
        "custom_fields": [["Сезон", "SS25"], ["Состав", "хлопок"]], "photos": ["one.jpg", "two.png"], "promo": {FIRST: "900"},
    }));
    stage.good(json!({"category": "Смартфоны"}));
    let (connection, stream) = stage.simple(everything(json!({"new_products": "off"}))).await;
    stage.full(&connection, &stream).await;
    stage.map_categories(&connection).await;
    let product = stage.database.add_product("X", "", "hand", 3, "777.5000");
    stage.database.run(&format!(
        "UPDATE oc_product_description SET name = CONCAT('Рубашка &amp; \"Ко\" ', language_id), meta_title = IF(language_id = 1, name, 'Title'), \
           description = CONCAT('&lt;p&gt;Own &amp;amp; raw > text ', language_id, '&lt;/p&gt;') WHERE product_id = {product};
         INSERT INTO oc_manufacturer (name, image, sort_order) VALUES ('Handmade', '', 0);
         UPDATE oc_product SET manufacturer_id = LAST_INSERT_ID(), image = 'catalog/own-main.jpg' WHERE product_id = {product};
         INSERT INTO oc_attribute_group (sort_order) VALUES (0); SET @group = LAST_INSERT_ID();
         INSERT INTO oc_attribute_group_description (attribute_group_id, language_id, name) SELECT @group, language_id, 'Billz' FROM oc_language;
         INSERT INTO oc_attribute (attribute_group_id, sort_order) VALUES (@group, 0); SET @attribute = LAST_INSERT_ID();
         INSERT INTO oc_attribute_description (attribute_id, language_id, name) SELECT @attribute, language_id, 'Сезон' FROM oc_language;
         INSERT INTO oc_product_attribute (product_id, attribute_id, language_id, text) VALUES ({product}, @attribute, 1, 'Лето &amp; осень'), ({product}, @attribute, 3, 'Summer');
         INSERT INTO oc_product_to_category (product_id, category_id) VALUES ({product}, {CLOTHES}), ({product}, {OWN});
         INSERT INTO oc_product_image (product_id, image, sort_order) VALUES ({product}, 'catalog/own-2.jpg', 2), ({product}, 'catalog/own-1.jpg', 1);
         INSERT INTO oc_product_special (product_id, customer_group_id, priority, price, date_start, date_end) VALUES ({product}, 1, 3, 600, '2025-01-01', '2099-01-01')"
    ));
    stage.rest.put(&format!("/connections/{connection}/links/{good}"), &json!({"target": product.to_string()})).await.ok(200);
    (connection, stream, good, product)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_a_product_made_by_hand_goes_back_to_the_letter() {
    let shop = Shop::new().await;
    let stage = &shop.stage;
    let (connection, stream, good, product) = by_hand(&shop).await;
    let before = stage.to_the_letter(product);
    let run = stage.full(&connection, &stream).await;
    let after = stage.to_the_letter(product);
    let item = stage.item(&run, &good).await;
    for field in ALL {
        assert!(!change_of(&item, field).is_null(), "{field} was not written: {item}");
        assert_ne!(before[field], after[field], "{field}");
    }
    // By the time it is undone, the settings let none of it follow Billz.
    stage.rest.patch(&format!("/connections/{connection}"), &json!({"settings": {"update_fields": ["quantity", "price"]}})).await.ok(200);
    let undo = stage.undo(&run).await;
    assert_eq!((&undo["state"], stage.lines(&undo, &good).await), (&json!("succeeded"), vec!["updated undone".to_owned()]), "{undo}");
    assert_eq!(stage.to_the_letter(product), before);
    assert_eq!(
        stage.database.cell("SELECT name FROM oc_attribute_description WHERE name = 'Состав' LIMIT 1"),
        "Состав",
        "rows of dictionaries stay"
    );
    // What was undone is left alone, pictures too, until Billz moves.
    stage.rest.patch(&format!("/connections/{connection}"), &json!({"settings": {"update_fields": ALL}})).await.ok(200);
    let next = stage.full(&connection, &stream).await;
    assert_eq!(stage.lines(&next, &good).await, ["skipped left_as_undone"]);
    assert_eq!((&next["pictures"]["shown"], stage.to_the_letter(product)), (&json!(0), before.clone()), "{next}");
    // An undo that is undone gives back what the run had written.
    let redo = stage.undo(&undo).await;
    assert_eq!(redo["state"], "succeeded", "{redo}");
    assert_eq!(stage.to_the_letter(product), after);
    assert_eq!(stage.full(&connection, &stream).await["counts"]["unchanged"], 1);
    assert_eq!(stage.to_the_letter(product), after);
    let again = stage.undo(&redo).await;
    assert_eq!((&again["state"], stage.to_the_letter(product)), (&json!("succeeded"), before));
    // A new picture in Billz takes the place of ours, and people's own stay.
    stage.change(&good, json!({"photos": ["three.gif"]}));
    stage.full(&connection, &stream).await;
    let shown = shop.shown(product);
    assert!(shown.len() == 4 && shown[0] == "catalog/own-main.jpg" && shown.iter().any(|path| path.ends_with(".gif")), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_hand_changed_since_stays_field_by_field_and_is_listed() {
    let shop = Shop::new().await;
    let stage = &shop.stage;
    let (connection, stream, good, product) = by_hand(&shop).await;
    let before = stage.to_the_letter(product);
    let run = stage.full(&connection, &stream).await;
    let after = stage.to_the_letter(product);
    stage.database.run(&format!(
        "UPDATE oc_product_description SET name = 'By hand' WHERE product_id = {product} AND language_id = 2;
         UPDATE oc_product_image SET sort_order = 7 WHERE product_id = {product} AND image = 'catalog/own-2.jpg';
         UPDATE oc_product SET manufacturer_id = 0 WHERE product_id = {product};
         INSERT INTO oc_product_to_category (product_id, category_id) VALUES ({product}, 25)"
    ));
    let hand = stage.to_the_letter(product);
    let undo = stage.undo(&run).await;
    assert_eq!(
        (&undo["state"], stage.lines(&undo, &good).await),
        (&json!("partial"), vec!["skipped changed_since".into(), "updated undone".into()])
    );
    let left = stage.item(&undo, &good).await;
    let mut names: Vec<&str> = left["changes"].as_array().unwrap().iter().map(|change| change["field"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["images", "manufacturer", "name"], "{left}");
    let now = stage.to_the_letter(product);
    for field in ["name", "images", "manufacturer"] {
        assert_eq!(now[field], hand[field], "{field}");
    }
    for field in ["description", "attributes", "special", "price", "quantity"] {
        assert_eq!((&now[field], now[field] == after[field]), (&before[field], false), "{field}");
    }
    assert_eq!(now["categories"], "20\n25\n33", "a category that a person added stays beside those that went back");
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_that_have_not_come_yet_do_not_come_after_the_undo() {
    let shop = Shop::new().await;
    let stage = &shop.stage;
    let good = shop.good(&["a.jpg", "b.png"]);
    let (connection, stream) = stage.simple(everything(json!({}))).await;
    stage.full(&connection, &stream).await;
    let product = stage.product_of(&connection, &good).await;
    let before = stage.to_the_letter(product);
    // The first of the new pictures comes late: only the other one is shown by the run that is undone.
    stage.change(&good, json!({"photos": ["late-1/main.jpg", "c.gif"]}));
    let run = stage.sync(&connection, &stream, "full").await;
    assert_ne!(stage.to_the_letter(product)["images"], before["images"]);
    // Another good's pictures have all failed: nothing was shown, a wish alone is to be taken back.
    let undo = stage.undo(&run).await;
    assert_eq!((&undo["state"], stage.to_the_letter(product)), (&json!("succeeded"), before.clone()), "{undo}");
    shop.time_passes();
    let next = stage.full(&connection, &stream).await;
    assert_eq!((&next["pictures"]["shown"], stage.to_the_letter(product)), (&json!(0), before.clone()), "{next}");

    stage.change(&good, json!({"photos": ["late-1/other.jpg"]}));
    let run = stage.sync(&connection, &stream, "full").await;
    assert_eq!((&run["state"], stage.to_the_letter(product)), (&json!("partial"), before.clone()), "nothing came: {run}");
    let undo = stage.undo(&run).await;
    assert_eq!((&undo["state"], stage.lines(&undo, &good).await), (&json!("succeeded"), vec!["updated undone".to_owned()]), "{undo}");
    shop.time_passes();
    stage.full(&connection, &stream).await;
    assert_eq!(stage.to_the_letter(product), before);
    // Undone once more, the wish is back, and this time the picture is there.
    stage.undo(&undo).await;
    shop.time_passes();
    let next = stage.full(&connection, &stream).await;
    assert_eq!(next["pictures"]["shown"], 1, "{next}");
    assert_ne!(stage.to_the_letter(product)["images"], before["images"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_anywhere_an_undo_of_texts_and_pictures_comes_to_the_same_end() {
    for point in ["after-plan", "after-intent", "after-effect", "after-record"] {
        let mut shop = Shop::new().await;
        let (connection, stream, good, product) = by_hand(&shop).await;
        let before = shop.stage.to_the_letter(product);
        let run = shop.stage.full(&connection, &stream).await;
        let root = shop.root.to_str().unwrap().to_owned();
        shop.stage.restart(&Spawn::failing_at(point).with("TRADESYNC_IMAGE_ROOT", &root)).await;
        let undo = shop.stage.rest.post(&format!("/sync/runs/{}/undo", id(&run)), &json!({})).await.ok(202);
        assert!(shop.stage.service.ended(std::time::Duration::from_secs(30)).await && shop.stage.service.aborted(), "{point}");
        shop.stage.restart(&Spawn::default().with("TRADESYNC_IMAGE_ROOT", &root)).await;
        let undo = shop.stage.rest.wait(id(&undo)).await;
        assert_eq!((&undo["state"], shop.stage.to_the_letter(product)), (&json!("succeeded"), before), "{point}: {undo}");
        assert_eq!(shop.stage.lines(&undo, &good).await, ["updated undone"], "{point}");
    }
}

/// Over random sequences of runs, hand edits and undos: an undo brings every field that its run wrote back to what stood before the run,
/// wherever what the run wrote still stands, and touches nothing else; its report lists the rest.
#[tokio::test(flavor = "multi_thread")]
async fn over_random_histories_every_field_goes_back_where_it_is_still_ours() {
    const CATEGORIES: [&str; 2] = ["Футболки", "Смартфоны"];
    const BRANDS: [&str; 4] = ["Artel", "Samo", "Zebo", "Akfa"];
    const PHOTOS: [&str; 4] = ["a.jpg", "c.gif", "d.jpg", "b.png"];
    for seed in 1..=3u64 {
        let mut dice = Dice(seed * 1_000_003);
        let shop = Shop::new().await;
        let stage = &shop.stage;
        let fresh = |number: usize| {
            stage.good(json!({
                "name": format!("Good {number}"), "category": CATEGORIES[number % 2], "brand": "Artel", "description": "<p>First</p>",
                "custom_fields": [["Сезон", "SS25"]], "photos": ["a.jpg", "b.png"],
            }))
        };
        let goods: Vec<String> = (0..3).map(fresh).collect();
        let (connection, stream) = stage.simple(everything(json!({}))).await;
        // Known by a first look, so that they can be mapped before anything is made.
        let body = json!({"connection": connection, "stream": stream, "mode": "full", "dry_run": true});
        let plan = stage.rest.post("/sync/billz-opencart", &body).await.ok(202);
        stage.rest.wait(id(&plan)).await;
        stage.map_categories(&connection).await;
        let first = stage.full(&connection, &stream).await;
        let links = stage.links(&connection).await;
        let look = || -> State { goods.iter().map(|good| (good.clone(), stage.to_the_letter(links[good]))).collect() };
        let mut history = History::begun(stage, seed, &goods, &look, &["skipped", "unchanged"], first);
        for _ in 0..14 {
            let good = goods[dice.below(goods.len())].clone();
            let (product, value) = (links[&good], 1 + dice.below(4));
            match dice.below(14) {
                0 => stage.change(&good, json!({"name": format!("Name {value}")})),
                1 => stage.change(&good, json!({"description": format!("<p>Text {value}</p>")})),
                2 => stage.change(&good, json!({"brand": BRANDS[value - 1]})),
                3 => stage.change(&good, json!({"custom_fields": [["Сезон", format!("AW{value}")]]})),
                4 => stage.change(&good, json!({"category": CATEGORIES[value % 2]})),
                5 => stage.change(&good, json!({"photos": [PHOTOS[value - 1]]})),
                6 => stage.change(&good, json!({"price": {FIRST: (900 + value).to_string()}})),
                7..=9 => {
                    let edit = match dice.below(6) {
                        0 => format!(
                            "UPDATE oc_product_description SET name = 'Hand {value}' WHERE product_id = {product} AND language_id = {}",
                            1 + value % 3
                        ),
                        1 => format!("UPDATE oc_product_description SET description = 'Hand {value}' WHERE product_id = {product}"),
                        2 => format!("UPDATE oc_product SET manufacturer_id = 0 WHERE product_id = {product}"),
                        3 => format!(
                            "UPDATE oc_product_attribute v JOIN oc_attribute_description d USING (attribute_id) SET v.text = 'Hand {value}' WHERE v.product_id = {product} AND d.name = 'Сезон'"
                        ),
                        4 => format!(
                            "DELETE FROM oc_product_to_category WHERE product_id = {product} AND category_id IN ({CLOTHES}, {T_SHIRTS})"
                        ),
                        _ => format!(
                            "INSERT INTO oc_product_image (product_id, image, sort_order) VALUES ({product}, 'catalog/hand-{value}.jpg', {value})"
                        ),
                    };
                    stage.database.run(&edit);
                    history.trail.push(format!("hand: {edit}"));
                    continue;
                }
                _ => {}
            }
            if dice.below(3) > 0 {
                history.run(&connection, &stream, &good).await;
            } else {
                let which = dice.below(history.len());
                history.undo(which).await;
            }
        }
        assert!(history.has_undone(), "seed {seed}: nothing was undone\n{}", history.trail.join("\n"));
    }
}
