//! Requirement 4.1: «Если товар не найден, то происходит импорт нового товара из billz в kmall.uz … и проставить значение всех остальных
//! полей, доступных для импорта».

use std::time::Duration;

use serde_json::json;

use crate::support::{FIRST, Spawn, Stage, assert_done, change_of};

fn texts(stage: &Stage, product: i64, column: &str) -> Vec<String> {
    stage.database.words(&format!("SELECT {column} AS words FROM oc_product_description WHERE product_id = {product} ORDER BY language_id"))
}

fn attributes(stage: &Stage, product: i64, language: i64) -> Vec<String> {
    stage.database.words(&format!(
        "SELECT CONCAT(g.name, ' > ', d.name, ' = ', v.text) AS words FROM oc_product_attribute v JOIN oc_attribute a USING (attribute_id) \
         JOIN oc_attribute_description d ON d.attribute_id = v.attribute_id AND d.language_id = v.language_id \
         JOIN oc_attribute_group_description g ON g.attribute_group_id = a.attribute_group_id AND g.language_id = v.language_id \
         WHERE v.product_id = {product} AND v.language_id = {language} ORDER BY words"
    ))
}

fn addresses(stage: &Stage, page: &str) -> Vec<String> {
    stage.database.words(&format!("SELECT keyword AS words FROM oc_seo_url WHERE query = '{page}' ORDER BY language_id"))
}

fn manufacturer(stage: &Stage, product: i64) -> String {
    stage.database.cell(&format!(
        "SELECT CONCAT(m.manufacturer_id, ' ', m.name) FROM oc_product p JOIN oc_manufacturer m USING (manufacturer_id) WHERE p.product_id = {product}"
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_that_is_not_found_is_imported_with_every_field_that_billz_gives() {
    let stage = Stage::empty().await;
    let good = stage.good(json!({
        "name": "Кўйлак «Атлас» / L / Белый", "sku": "KA-1", "barcode": "4780000000017", "brand": "O'zbek & Co",
        "description": "<p class=\"editor-paragraph\" onclick=\"x()\">100% <b>хлопок</b><script>x()</script></p>",
        "custom_fields": [["Сезон", "SS25"], ["Вес, г", "350"], ["сезон", "AW25"], ["Состав", ""], ["<b>Уход</b>", "30° & \"нежно\""]],
        "promo": {FIRST: "800"},
    }));
    let (connection, stream) = stage.simple(json!({"attribute_group": "Характеристики", "opencart": {"stock_status_id": 6}})).await;
    let run = stage.full(&connection, &stream).await;
    let product = stage.product_of(&connection, &good).await;

    assert_eq!(texts(&stage, product, "name"), vec!["Кўйлак «Атлас» / L / Белый"; 3]);
    assert_eq!(texts(&stage, product, "meta_title"), vec!["Кўйлак «Атлас» / L / Белый"; 3]);
    assert_eq!(texts(&stage, product, "description"), vec!["&lt;p&gt;100% &lt;b&gt;хлопок&lt;/b&gt;&lt;/p&gt;"; 3]);
    assert!(manufacturer(&stage, product).ends_with(" O'zbek &amp; Co"), "{}", manufacturer(&stage, product));
    assert_eq!(
        attributes(&stage, product, 1),
        [
            "Характеристики > &lt;b&gt;Уход&lt;/b&gt; = 30° &amp; &quot;нежно&quot;",
            "Характеристики > razmer = L",
            "Характеристики > Единица измерения = шт",
            "Характеристики > Сезон = SS25, AW25",
            "Характеристики > Цвет = Белый",
        ]
    );
    assert!(
        attributes(&stage, product, 2).contains(&"Характеристики > O‘lchov birligi = шт".to_owned()),
        "{:?}",
        attributes(&stage, product, 2)
    );
    assert_eq!(
        addresses(&stage, &format!("product_id={product}")),
        ["koylak-atlas-l-belyy", "koylak-atlas-l-belyy-uz", "koylak-atlas-l-belyy-en"]
    );
    let columns = "CONCAT_WS('|', model, sku, ean, quantity, TRUNCATE(price, 0), status, stock_status_id, tax_class_id, TRUNCATE(weight, 3), weight_class_id, length_class_id, shipping, subtract, minimum, location, date_available <= CONVERT_TZ(UTC_TIMESTAMP(), '+00:00', '+05:00'))";
    let row = stage.database.cell(&format!("SELECT {columns} FROM oc_product WHERE product_id = {product}"));
    assert_eq!(row, "KA-1|KA-1|4780000000017|5|1000|1|6|0|350.000|2|1|1|1|1||1");

    // The report says where each value came from.
    let item = stage.item(&run, &good).await;
    for field in
        ["name", "description", "manufacturer", "attributes", "weight", "model", "sku", "barcode", "quantity", "price", "special", "status"]
    {
        assert!(!change_of(&item, field)["rule_text"].as_str().unwrap_or_default().is_empty(), "{field}: {item}");
    }
    assert_eq!(change_of(&item, "attributes")["new"]["Сезон"], "SS25, AW25");
    stage.assert_whole("one good");
}

/// Facts, section 2: the tables of `addProduct`, as far as a good of Billz has something for them.
#[tokio::test(flavor = "multi_thread")]
async fn every_table_that_the_admin_writes_for_a_new_product_has_its_rows() {
    let stage = Stage::empty().await;
    stage.database.run("INSERT INTO oc_event (code, `trigger`, action, status, sort_order) VALUES ('advertise_google', 'admin/model/catalog/product/addProduct/after', 'extension/advertise/google/addProduct', 1, 0)");
    let good = stage.good(json!({"brand": "Artel", "custom_fields": [["Сезон", "SS25"]], "promo": {FIRST: "800"}}));
    let (connection, stream) = stage.simple(json!({})).await;
    stage.full(&connection, &stream).await;
    let product = stage.product_of(&connection, &good).await;
    let rows = |table: &str| stage.database.number(&format!("SELECT COUNT(*) AS number FROM oc_{table} WHERE product_id = {product}"));
    for (table, count) in [
        ("product", 1),
        ("product_description", 3),
        ("product_to_store", 1),
        ("product_attribute", 2 * 3),
        ("product_special", 2),
        ("product_to_category", 1),
        ("product_to_layout", 1),
        ("googleshopping_product", 1),
    ] {
        assert_eq!(rows(table), count, "{table}");
    }
    assert_eq!(addresses(&stage, &format!("product_id={product}")).len(), 3);
    let brand = stage.database.cell(&format!("SELECT manufacturer_id FROM oc_product WHERE product_id = {product}"));
    assert_eq!(addresses(&stage, &format!("manufacturer_id={brand}")), ["artel", "artel-uz", "artel-en"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_without_brand_description_or_properties_has_none() {
    let stage = Stage::empty().await;
    let good = stage.good(json!({"brand": "", "description": "<p class=\"editor-paragraph\"><br></p>", "custom_fields": []}));
    let (connection, stream) = stage.simple(json!({})).await;
    stage.full(&connection, &stream).await;
    let product = stage.product_of(&connection, &good).await;
    assert_eq!(texts(&stage, product, "description"), vec![""; 3]);
    assert_eq!((manufacturer(&stage, product).as_str(), stage.database.number("SELECT COUNT(*) AS number FROM oc_manufacturer")), ("", 0));
    assert_eq!(attributes(&stage, product, 1), ["Billz > Единица измерения = шт"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_brand_that_the_shop_has_is_used_and_told_apart_by_its_letters() {
    let stage = Stage::empty().await;
    // The shop's collation takes ё for е and é for e; people do not.
    stage.database.run(
        "INSERT INTO oc_manufacturer (manufacturer_id, name, sort_order) VALUES (3, 'Елка', 0), (4, 'lc waikiki ', 0), (5, 'Lc Waikiki', 0), (6, 'Tom &amp; Co', 0);
         INSERT INTO oc_manufacturer_to_store VALUES (3, 0), (6, 0)",
    );
    let mut products = Vec::new();
    for brand in ["Ёлка", "LC  Waikiki", "Tom & Co", "Élan", "Elan"] {
        products.push(stage.good(json!({"brand": brand})));
    }
    let (connection, stream) = stage.simple(json!({})).await;
    stage.full(&connection, &stream).await;
    let mut of = Vec::new();
    for good in &products {
        of.push(manufacturer(&stage, stage.product_of(&connection, good).await));
    }
    assert!(of[0].ends_with(" Ёлка") && of[1] == "4 lc waikiki " && of[2] == "6 Tom &amp; Co", "{of:?}");
    assert!(of[3].ends_with(" Élan") && of[4].ends_with(" Elan") && of[3] != of[4], "{of:?}");
    assert_eq!(stage.database.number("SELECT COUNT(*) AS number FROM oc_manufacturer"), 7);
    let shown = stage.database.number("SELECT COUNT(*) AS number FROM oc_manufacturer_to_store WHERE manufacturer_id = 4 AND store_id = 0");
    assert_eq!(shown, 1, "an old manufacturer shows in the store once it has goods there");
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_are_unique_in_the_store_over_all_languages() {
    let stage = Stage::empty().await;
    // `obuv` is a category's word, `odezhda-uz` would be the Uzbek one of `odezhda`.
    stage.database.run("UPDATE oc_seo_url SET keyword = 'sumka-uz' WHERE keyword = 'kiyim'");
    let mut goods = Vec::new();
    for (name, sku) in
        [("Обувь", "A-1"), ("Сумка", "A-2"), ("Мяч", "A-3"), ("Мяч", "A-4"), ("Мяч", "A-4"), ("Мяч uz", "A-5"), ("🎁", "A-6")]
    {
        goods.push(stage.good(json!({"name": if name == "🎁" { "№" } else { name }, "sku": sku, "barcode": ""})));
    }
    let (connection, stream) = stage.simple(json!({"link_keys": []})).await;
    stage.full(&connection, &stream).await;
    let mut of = Vec::new();
    for good in &goods {
        of.push(addresses(&stage, &format!("product_id={}", stage.product_of(&connection, good).await)));
    }
    assert_eq!(of[0], ["obuv-a-1", "obuv-a-1-uz", "obuv-a-1-en"]);
    assert_eq!(of[1], ["sumka-a-2", "sumka-a-2-uz", "sumka-a-2-en"]);
    let mut balls: Vec<&str> = of[2..5].iter().map(|words| words[0].as_str()).collect();
    balls.sort_unstable();
    assert!(of[2..6].iter().flatten().all(|word| word.starts_with("myach")), "{of:?}");
    balls.dedup();
    assert_eq!(balls.len(), 3, "{of:?}");
    stage.assert_whole("twins");
    // A second run gives no further ones.
    stage.full(&connection, &stream).await;
    stage.assert_whole("twins, second run");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tax_class_or_stock_status_that_the_shop_lacks_is_named_by_the_check() {
    let stage = Stage::empty().await;
    stage
        .database
        .run("INSERT INTO oc_tax_class (tax_class_id, title, description, date_added, date_modified) VALUES (9, 'НДС', '', NOW(), NOW())");
    let good = stage.good(json!({}));
    let (connection, stream) = stage.simple(json!({"opencart": {"tax_class_id": 9}})).await;
    stage.full(&connection, &stream).await;
    let product = stage.product_of(&connection, &good).await;
    assert_eq!(stage.database.cell(&format!("SELECT tax_class_id FROM oc_product WHERE product_id = {product}")), "9");
    for (settings, wrong) in
        [(json!({"tax_class_id": 10}), "tax_class_id"), (json!({"stock_status_id": 99, "tax_class_id": null}), "stock_status_id")]
    {
        stage.rest.patch(&format!("/connections/{connection}"), &json!({"settings": {"opencart": settings}})).await.ok(200);
        let answer = stage.rest.post(&format!("/connections/{connection}/check"), &json!({})).await.ok(200);
        let check = answer["checks"].as_array().unwrap().iter().find(|check| check["name"] == "opencart.database").unwrap().clone();
        assert!(check["ok"] == false && check["detail"].as_str().unwrap().contains(wrong), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_brand_and_attributes_of_existing_products_follow_where_the_settings_say_so() {
    let stage = Stage::empty().await;
    let fields = json!({"name": "Футболка", "brand": "Artel", "description": "<p>было</p>", "custom_fields": [["Сезон", "SS25"], ["Состав", "лён"]]});
    let (good, silent) = (stage.good(fields.clone()), stage.good(fields));
    let all = json!(["quantity", "price", "special", "name", "description", "manufacturer", "attributes"]);
    let (connection, stream) = stage.simple(json!({"update_fields": all, "link_keys": []})).await;
    stage.full(&connection, &stream).await;
    let again = stage.full(&connection, &stream).await;
    assert_eq!(
        (&again["counts"]["unchanged"], &again["counts"]["updated"]),
        (&json!(2), &json!(0)),
        "what was written is what is compared"
    );
    let links = stage.links(&connection).await;
    let (product, other) = (links[&good], links[&silent]);
    stage.database.run(&format!(
        "UPDATE oc_product_description SET name = 'Qo‘lda', meta_title = 'Свой' WHERE product_id = {product} AND language_id = 2"
    ));

    stage.change(&good, json!({"name": "Футболка & поло", "brand": "Uztex", "description": "<p>стало</p>", "custom_fields": [["Сезон", "AW25"], ["Уход", "30°"]]}));
    // Billz says nothing any more of the other's brand and texts: that wipes nothing.
    stage.change(&silent, json!({"brand": "", "description": "", "custom_fields": []}));
    let run = stage.full(&connection, &stream).await;
    let item = stage.item(&run, &good).await;
    let name = change_of(&item, "name");
    assert_eq!((&name["old"]["1"], &name["old"]["2"], &name["new"]), (&json!("Футболка"), &json!("Qo‘lda"), &json!("Футболка & поло")));
    let description = change_of(&item, "description");
    assert_eq!((&description["old"], &description["new"]), (&json!("<p>было</p>"), &json!("<p>стало</p>")));
    assert_eq!((&change_of(&item, "manufacturer")["old"], &change_of(&item, "manufacturer")["new"]), (&json!("Artel"), &json!("Uztex")));
    let change = change_of(&item, "attributes");
    assert_eq!((&change["old"], &change["new"]), (&json!({"Сезон": "SS25", "Уход": null}), &json!({"Сезон": "AW25", "Уход": "30°"})));
    assert_eq!(texts(&stage, product, "name"), vec!["Футболка &amp; поло"; 3]);
    assert_eq!(texts(&stage, product, "meta_title"), ["Футболка &amp; поло", "Свой", "Футболка &amp; поло"]);
    assert_eq!(texts(&stage, product, "description"), vec!["&lt;p&gt;стало&lt;/p&gt;"; 3]);
    assert!(manufacturer(&stage, product).ends_with(" Uztex"));
    let wanted = ["Billz > Единица измерения = шт", "Billz > Сезон = AW25", "Billz > Состав = лён", "Billz > Уход = 30°"];
    assert_eq!((attributes(&stage, product, 1), attributes(&stage, product, 3).len()), (wanted.map(str::to_owned).to_vec(), 4));
    assert_eq!((&stage.item(&run, &silent).await, manufacturer(&stage, other).ends_with(" Artel")), (&json!(null), true));
    assert_eq!(stage.full(&connection, &stream).await["counts"]["updated"], 0);

    // By default none of them is ours.
    stage.rest.patch(&format!("/connections/{connection}"), &json!({"settings": {"update_fields": null}})).await.ok(200);
    stage.change(&good, json!({"name": "Третье имя", "brand": "Artel", "custom_fields": [["Сезон", "SS26"]]}));
    assert_eq!(stage.full(&connection, &stream).await["counts"]["updated"], 0);
    assert_eq!(texts(&stage, product, "name"), vec!["Футболка &amp; поло"; 3]);
    stage.assert_whole("texts that follow");
}

/// Settings of one seller in a shop with a link table as MultiMerch has it.
fn seller(number: u32) -> serde_json::Value {
    json!({"opencart": {"seller": {"link_table": "oc_ms_product", "product_column": "product_id", "seller_column": "seller_id", "seller_value": number.to_string()}}})
}

async fn two_sellers(stage: &Stage) -> [(String, String); 2] {
    stage.database.run("CREATE TABLE oc_ms_product (product_id INT NOT NULL PRIMARY KEY, seller_id INT NOT NULL) ENGINE=MyISAM");
    [stage.simple_of("seller:1", seller(1)).await, stage.simple_of("seller:2", seller(2)).await]
}

fn assert_shared(stage: &Stage, products: i64, history: &str) {
    stage.assert_whole(history);
    for seller in [1, 2] {
        let live = format!(
            "SELECT COUNT(*) AS number FROM oc_product p JOIN oc_ms_product l USING (product_id) WHERE l.seller_id = {seller} AND p.status = 1"
        );
        assert_eq!(stage.database.number(&live), products, "{history}: products of seller {seller}, none left hidden");
    }
    let shared = "SELECT COUNT(*) AS number FROM (SELECT p.manufacturer_id FROM oc_product p JOIN oc_ms_product l USING (product_id) WHERE p.manufacturer_id > 0 GROUP BY p.manufacturer_id HAVING COUNT(DISTINCT l.seller_id) <> 2) t";
    assert_eq!(stage.database.number(shared), 0, "{history}: both sellers have the same brands");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sellers_who_bring_the_same_brands_at_once_make_each_of_them_once() {
    let stage = Stage::without_worker(120).await;
    let sellers = two_sellers(&stage).await;
    let runs = [stage.start(&sellers[0].0, &sellers[0].1, "full").await, stage.start(&sellers[1].0, &sellers[1].1, "full").await];
    let _workers = [stage.worker(&Spawn::default()).await, stage.worker(&Spawn::default()).await];
    let mut created = 0;
    for run in &runs {
        let ended = stage.rest.wait(run).await;
        assert_done(&ended, "two sellers at once");
        created = ended["counts"]["created"].as_i64().unwrap();
    }
    assert!(created > 50);
    assert_shared(&stage, created, "two sellers at once");
}

/// One seller's worker dies in the middle of a brand, or between products and addresses, while the other's goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_seller_whose_run_dies_half_way_through_a_brand_leaves_no_double_to_the_other() {
    for point in ["name-claimed", "shared-row-half-made", "shared-row-half-made:7", "before-going-live"] {
        let stage = Stage::without_worker(60).await;
        let sellers = two_sellers(&stage).await;
        let dead = stage.start(&sellers[0].0, &sellers[0].1, "full").await;
        let mut worker = stage.worker(&Spawn::failing_at(point)).await;
        assert!(worker.ended(Duration::from_secs(30)).await && worker.aborted(), "{point}: {}", worker.output());
        let other = stage.start(&sellers[1].0, &sellers[1].1, "full").await;
        let _workers = [stage.worker(&Spawn::default()).await, stage.worker(&Spawn::default()).await];
        let mut created = 0;
        for run in [&dead, &other] {
            let ended = stage.rest.wait(run).await;
            assert_done(&ended, point);
            created = ended["counts"]["created"].as_i64().unwrap();
        }
        assert_shared(&stage, created, point);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_of_another_seller_is_never_touched_even_with_the_same_barcode() {
    let stage = Stage::empty().await;
    let good = stage.good(json!({"barcode": "4780000000017", "sku": "S-1", "name": "Товар", "brand": "Artel"}));
    let sellers = two_sellers(&stage).await;
    let foreign = stage.database.add_product("S-1", "4780000000017", "S-1", 3, "10");
    stage.database.run(&format!("INSERT INTO oc_ms_product VALUES ({foreign}, 7)"));
    let before = stage.database.whole_product(foreign);
    let settings = json!({"settings": {"update_fields": ["quantity", "price", "special", "name", "description", "manufacturer", "attributes"], "linking": "auto"}});
    stage.rest.patch(&format!("/connections/{}", sellers[0].0), &settings).await.ok(200);
    stage.full(&sellers[0].0, &sellers[0].1).await;
    let product = stage.product_of(&sellers[0].0, &good).await;
    assert_ne!(product, foreign, "it is made anew");
    // Nor does a product that was given to somebody else later follow any more.
    stage.database.run(&format!("UPDATE oc_ms_product SET seller_id = 7 WHERE product_id = {product}"));
    let given_away = stage.database.whole_product(product);
    stage.change(&good, json!({"name": "Другое", "brand": "Uztex", "price": {FIRST: "2000"}, "custom_fields": [["Сезон", "SS26"]]}));
    let run = stage.full(&sellers[0].0, &sellers[0].1).await;
    assert_eq!(stage.outcome(&run, &good).await, "skipped foreign_owner");
    assert_eq!((stage.database.whole_product(foreign), stage.database.whole_product(product)), (before, given_away));
}
