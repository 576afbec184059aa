//! Creating products against a real server: whole, escaped, on other people's schemas, and never twice.

use super::{
    Created, Dictionary, Entry, NewProduct, Options, ProductUpdate, SellerAdapter, Standing, Writer, Written,
    create_rows::Draft,
    same_name,
    testing::{Kit, money},
};
use crate::db::Ident;

fn new(number: u32) -> NewProduct {
    NewProduct {
        reference: format!("tradesync:{number}"),
        model: format!("M-{number}"),
        model_fallback: format!("00000000-0000-0000-0000-{number:012}"),
        identifiers: vec![(Ident::new("sku").unwrap(), format!("S&{number}")), (Ident::new("ean").unwrap(), format!("478{number:010}"))],
        quantity: 5,
        price: money("189000.5"),
        special: Some(money("150000")),
        live: true,
        category_ids: vec![24, 20, 24],
        name: format!("Футболка \"Чинор\" <{number}>"),
        description: "<p>Хлопок &amp; лён</p>".into(),
        meta_description: String::new(),
        tag: String::new(),
        manufacturer_id: 0,
        image: None,
        weight: None,
        tax_class_id: 0,
        stock_status_id: None,
        attributes: Vec::new(),
    }
}

fn id(created: &Created) -> u64 {
    match created {
        Created::Done { product_id, .. } => *product_id,
        Created::Failed { field, detail } => panic!("{field}: {detail}"),
    }
}

/// Everything that a new product consists of, as one text.
fn whole(kit: &mut Kit, id: u64) -> String {
    let languages: u32 = kit.cell("SELECT COUNT(*) FROM oc_language").parse().unwrap();
    let groups: u32 = kit.cell("SELECT COUNT(*) FROM oc_customer_group").parse().unwrap();
    let count = |table: &str| format!("(SELECT COUNT(*) FROM oc_{table} c WHERE c.product_id = p.product_id)");
    let text = kit.cell(&format!(
        "SELECT CONCAT_WS(' ', p.status, p.model, p.sku, p.ean, p.quantity, p.price, {}, {}, {}, {}, {}, {}) FROM oc_product p WHERE p.product_id = {id}",
        count("product_description"),
        count("product_to_store"),
        count("product_to_layout"),
        count("product_to_category"),
        count("product_special"),
        count("ms_product"),
    ));
    text.replace(&format!(" {languages} 1 1 2 {groups} 1"), " whole")
}

const WHOLE_1: &str = "1 M-1 S&amp;1 4780000000001 5 189000.5000 whole";

#[tokio::test]
async fn a_new_product_is_whole_and_escaped_once() {
    let mut kit = Kit::new();
    let options = kit.seller_options();
    let mut writer = Writer::open(&options, "c1").await.unwrap();
    let created = writer.create(&[new(1)], false).await.unwrap();
    let id = id(&created[0]);
    assert_eq!(whole(&mut kit, id), WHOLE_1);
    assert_eq!(
        kit.cell(&format!("SELECT name FROM oc_product_description WHERE product_id = {id} AND language_id = 3")),
        "Футболка &quot;Чинор&quot; &lt;1&gt;"
    );
    assert_eq!(
        kit.cell(&format!("SELECT description FROM oc_product_description WHERE product_id = {id} AND language_id = 1")),
        "&lt;p&gt;Хлопок &amp;amp; лён&lt;/p&gt;"
    );
    assert_eq!(
        kit.cell(&format!("SELECT CONCAT(seller_id, product_approved, product_status) FROM oc_ms_product WHERE product_id = {id}")),
        "4210"
    );
    let Created::Done { date_added, notes, .. } = &created[0] else { panic!() };
    assert!(notes.is_empty());
    assert_eq!(*date_added, kit.cell(&format!("SELECT date_added FROM oc_product WHERE product_id = {id}")));
    assert_eq!(kit.cell("SELECT location FROM oc_product"), "tradesync:1");
    writer.settle().await.unwrap();
    assert_eq!(kit.cell("SELECT CONCAT('[', location, ']') FROM oc_product"), "[]");
    assert!(writer.products(&[id]).await.unwrap()[&id].owned);
}

#[tokio::test]
async fn a_creation_cut_at_any_step_is_completed_and_never_doubled() {
    for step in 0..=5 {
        let mut kit = Kit::new();
        let options = kit.seller_options();
        let products = [new(1), new(2), new(3)];
        {
            let mut writer = Writer::open(&options, "c1").await.unwrap();
            let shop = writer.shop().await.unwrap();
            let mut drafts = writer.drafts(&products, &shop).unwrap();
            let mut fit: Vec<&mut Draft> = drafts.iter_mut().filter_map(|draft| draft.as_mut().ok()).collect();
            match step {
                0 => {}
                1 => writer.insert_products(&mut fit[..2]).await.unwrap(),
                2 | 3 => {
                    writer.insert_products(&mut fit).await.unwrap();
                    writer.insert_children(&fit, &shop, false).await.unwrap();
                    if step == 2 {
                        kit.run("DELETE FROM oc_product_description WHERE language_id = 2 OR product_id = (SELECT MAX(product_id) FROM oc_product)");
                        kit.run("DELETE FROM oc_product_special WHERE customer_group_id = 1; DELETE FROM oc_product_to_store; DELETE FROM oc_ms_product LIMIT 1; DELETE FROM oc_product_to_category LIMIT 2");
                    }
                }
                4 => {
                    writer.insert_products(&mut fit).await.unwrap();
                    writer.insert_children(&fit, &shop, false).await.unwrap();
                    assert!(writer.publish(&fit[..1]).await.unwrap());
                }
                _ => {
                    writer.create(&products, false).await.unwrap();
                }
            }
            // Dropped here: the worker died.
        }
        let mut writer = Writer::open(&options, "c1").await.unwrap();
        let created = writer.create(&products, true).await.unwrap();
        assert_eq!(kit.cell("SELECT COUNT(*) FROM oc_product"), "3", "after step {step}");
        assert_eq!(whole(&mut kit, id(&created[0])), WHOLE_1, "after step {step}");
        for (number, created) in created.iter().enumerate() {
            assert!(
                whole(&mut kit, id(created)).ends_with(" whole"),
                "product {number} after step {step}: {}",
                whole(&mut kit, id(created))
            );
        }
        writer.settle().await.unwrap();
        assert_eq!(
            kit.cell("SELECT COUNT(*) FROM oc_product WHERE model LIKE 'tradesync:%' OR location <> '' OR status = 0"),
            "0",
            "after step {step}"
        );
    }
}

#[tokio::test]
async fn columns_of_ocstore_and_of_modules_are_filled() {
    let mut kit = Kit::new();
    kit.run("ALTER TABLE oc_product ADD noindex TINYINT NOT NULL DEFAULT 1, ADD seller_id INT NOT NULL, ADD warranty DATE NOT NULL, ADD kind ENUM('a','b') NOT NULL");
    kit.run("ALTER TABLE oc_product_description ADD meta_h1 VARCHAR(255) NOT NULL; ALTER TABLE oc_product_to_category ADD main_category TINYINT NOT NULL DEFAULT 0; ALTER TABLE oc_product_special ADD reason VARCHAR(9) NOT NULL");
    for table in [
        "oc_product",
        "oc_product_description",
        "oc_product_to_store",
        "oc_product_to_category",
        "oc_product_to_layout",
        "oc_product_special",
    ] {
        kit.run(&format!("ALTER TABLE {table} ENGINE=InnoDB"));
    }
    kit.run("CREATE TABLE oc_ms_product (product_id INT)");
    let seller =
        SellerAdapter { product_table_column: Some("seller_id".into()), seller_value: Some("42".into()), ..SellerAdapter::default() };
    let mut writer = Writer::open(&Options { seller, ..kit.options() }, "c1").await.unwrap();
    // What a missing column would do on a strict server is what our lenient session hides: so be strict here.
    writer.run(super::sql::Sql::new("SET SESSION sql_mode = 'STRICT_ALL_TABLES'")).await.unwrap();
    let created = writer.create(&[new(1), new(2)], false).await.unwrap();
    let first = id(&created[0]);
    assert_eq!(
        kit.cell(&format!("SELECT CONCAT_WS(' ', seller_id, noindex, kind, status) FROM oc_product WHERE product_id = {first}")),
        "42 1 a 1"
    );
    assert_eq!(kit.cell(&format!("SELECT GROUP_CONCAT(category_id, ':', main_category ORDER BY category_id) FROM oc_product_to_category WHERE product_id = {first}")), "20:0,24:1");
    assert!(writer.owns_more_than(1).await.unwrap());
}

#[tokio::test]
async fn what_does_not_fit_is_said_and_never_bent() {
    let mut kit = Kit::new();
    let mut writer = kit.writer().await;
    let long = "я&".repeat(300);
    let products = [
        NewProduct {
            name: format!("{long} 📱"),
            identifiers: vec![(Ident::new("ean").unwrap(), "123456789012345".into()), (Ident::new("sku").unwrap(), "A📱".into())],
            ..new(1)
        },
        NewProduct { model: "x".repeat(65), description: "<p>📱ok</p>".into(), ..new(2) },
        NewProduct { name: "📱".into(), ..new(3) },
        NewProduct { price: money("123456789012.5"), ..new(4) },
        NewProduct { reference: "x' OR 1=1".into(), ..new(5) },
        new(1),
    ];
    let created = writer.create(&products, false).await.unwrap();
    let notes = |created: &Created| match created {
        Created::Done { notes, .. } => notes.iter().map(|note| format!("{} {}", note.field, note.what)).collect::<Vec<_>>().join(", "),
        Created::Failed { field, .. } => format!("failed {field}"),
    };
    assert_eq!(notes(&created[0]), "ean does_not_fit, sku does_not_fit, name cut, name characters_left_out");
    assert_eq!(notes(&created[1]), "model replaced_by_source_id, description characters_left_out");
    assert_eq!(created[2..].iter().map(notes).collect::<Vec<_>>(), ["failed name", "failed price", "failed reference", "failed reference"]);
    assert_eq!(kit.cell("SELECT COUNT(*) FROM oc_product"), "2");
    let name = kit.cell(&format!("SELECT name FROM oc_product_description WHERE product_id = {} LIMIT 1", id(&created[0])));
    assert!(name.chars().count() <= 255 && name.ends_with("&amp;") || name.ends_with('я'), "{name}");
    assert_eq!(kit.cell(&format!("SELECT CONCAT('[', sku, ean, ']') FROM oc_product WHERE product_id = {}", id(&created[0]))), "[]");
    assert_eq!(
        kit.cell(&format!("SELECT model FROM oc_product WHERE product_id = {}", id(&created[1]))),
        "00000000-0000-0000-0000-000000000002"
    );
    assert_eq!(kit.cell("SELECT COUNT(*) FROM oc_product_description WHERE name LIKE '%?%' OR description LIKE '%?%'"), "0");
}

#[tokio::test]
async fn thousands_are_made_in_few_statements() {
    let mut kit = Kit::new();
    let options = kit.seller_options();
    let mut writer = Writer::open(&options, "c1").await.unwrap();
    let products: Vec<NewProduct> =
        (1..=2_500).map(|number| NewProduct { description: "длинный текст ".repeat(100), ..new(number) }).collect();
    let began = std::time::Instant::now();
    let created = writer.create(&products, false).await.unwrap();
    writer.settle().await.unwrap();
    assert_eq!(kit.cell("SELECT COUNT(*) FROM oc_product WHERE location <> ''"), "0");
    println!("2,500 products made in {:?}", began.elapsed());
    assert!(created.iter().all(|created| matches!(created, Created::Done { .. })));
    assert_eq!(kit.cell("SELECT COUNT(*) FROM oc_product WHERE status = 1 AND model LIKE 'M-%'"), "2500");
    let last = id(&created[2_499]);
    assert_eq!(kit.cell(&format!("SELECT model FROM oc_product WHERE product_id = {last}")), "M-2500");
}

#[tokio::test]
async fn a_shop_in_utf8mb4_with_another_collation_keeps_emoji() {
    let mut kit = Kit::new();
    let options = kit.seller_options();
    for table in ["oc_product", "oc_product_description", "oc_product_special", "oc_ms_product", "oc_setting", "oc_language"] {
        kit.run(&format!("ALTER TABLE {table} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"));
    }
    let mut writer = Writer::open(&options, "c1").await.unwrap();
    assert!(writer.shop().await.unwrap().notes.is_empty());
    let product = NewProduct { name: "Чехол 📱".into(), model: "📱1".into(), ..new(1) };
    let created = writer.create(std::slice::from_ref(&product), false).await.unwrap();
    assert_eq!(writer.create(std::slice::from_ref(&product), true).await.unwrap(), created);
    let id = id(&created[0]);
    kit.run("SET NAMES utf8mb4");
    assert_eq!(kit.cell(&format!("SELECT CONCAT(d.name, ' ', p.model) FROM oc_product p JOIN oc_product_description d USING (product_id) WHERE product_id = {id} AND language_id = 1")), "Чехол 📱 📱1");
    let matches = writer.matches(&[("a".into(), vec![(Ident::new("model").unwrap(), "📱1".into())])]).await.unwrap();
    assert_eq!(matches["a"][0].name, "Чехол 📱");
    let now = writer.products(&[id]).await.unwrap().remove(&id).unwrap();
    let update = ProductUpdate {
        product_id: id,
        date_added: now.date_added,
        quantity: Some((5, 6)),
        price: None,
        status: Some((true, false)),
        special: None,
    };
    assert_eq!(writer.update(&[update]).await.unwrap(), [Written::Done]);
}

#[tokio::test]
async fn the_sellers_row_is_written_in_the_shape_of_each_known_module() {
    let link = |table: &str, product: &str, seller: &str, extra: serde_json::Value| SellerAdapter {
        link_table: Some(table.into()),
        product_column: Some(product.into()),
        seller_column: Some(seller.into()),
        seller_value: Some("42".into()),
        extra: extra.as_object().unwrap().clone().into_iter().collect(),
        ..SellerAdapter::default()
    };
    // Facts, section 10.
    for (module, tables, adapter, row) in [
        (
            "MultiMerch",
            "CREATE TABLE oc_ms_product (product_id INT NOT NULL, seller_id INT NOT NULL, product_status TINYINT NOT NULL, product_approved TINYINT NOT NULL, list_until DATE NULL, number_sold INT NOT NULL DEFAULT 0, PRIMARY KEY (product_id)) ENGINE=MyISAM",
            link("ms_product", "product_id", "seller_id", serde_json::json!({"product_status": 1, "product_approved": true})),
            "SELECT CONCAT_WS(' ', seller_id, product_status, product_approved, number_sold, COUNT(*)) FROM oc_ms_product WHERE product_id = ",
        ),
        (
            "Purpletree",
            "CREATE TABLE oc_purpletree_vendor_products (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, seller_id INT NOT NULL, product_id INT NOT NULL, is_featured TINYINT NOT NULL, is_category_featured TINYINT NOT NULL, is_approved TINYINT NOT NULL, created_at DATETIME NOT NULL, updated_at DATETIME NOT NULL) ENGINE=MyISAM",
            link("purpletree_vendor_products", "product_id", "seller_id", serde_json::json!({"is_approved": 1})),
            "SELECT CONCAT_WS(' ', seller_id, is_approved, is_featured, created_at > '2020-01-01', COUNT(*)) FROM oc_purpletree_vendor_products WHERE product_id = ",
        ),
        (
            "Webkul",
            "CREATE TABLE oc_customerpartner_to_product (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, customer_id INT NOT NULL, product_id INT NOT NULL, price FLOAT NOT NULL, seller_price FLOAT NOT NULL, currency_code VARCHAR(11) NOT NULL, quantity INT NOT NULL) ENGINE=MyISAM",
            link("customerpartner_to_product", "product_id", "customer_id", serde_json::json!({"currency_code": "UZS"})),
            "SELECT CONCAT_WS(' ', customer_id, currency_code, price, quantity, COUNT(*)) FROM oc_customerpartner_to_product WHERE product_id = ",
        ),
        (
            "TMD",
            "CREATE TABLE oc_vendor_to_product (vendor_id INT NOT NULL, product_id INT NOT NULL) ENGINE=MyISAM",
            link("oc_vendor_to_product", "product_id", "vendor_id", serde_json::json!({})),
            "SELECT CONCAT_WS(' ', vendor_id, 0, 0, 0, COUNT(*)) FROM oc_vendor_to_product WHERE product_id = ",
        ),
    ] {
        let mut kit = Kit::new();
        kit.run(tables);
        let options = Options { seller: adapter, ..kit.options() };
        let mut writer = Writer::open(&options, "c1").await.unwrap();
        let created = writer.create(&[new(1)], false).await.unwrap();
        // Where nothing in the table keeps a second row out, the repeated creation must.
        assert_eq!(writer.create(&[new(1)], true).await.unwrap(), created, "{module}");
        let id = id(&created[0]);
        let expected = match module {
            "MultiMerch" => "42 1 1 0 1",
            "Purpletree" => "42 1 0 1 1",
            "Webkul" => "42 UZS 0 0 1",
            _ => "42 0 0 0 1",
        };
        assert_eq!(kit.cell(&format!("{row}{id}")), expected, "{module}");
        assert!(writer.products(&[id]).await.unwrap()[&id].owned, "{module}");
        assert!(writer.owns_more_than(0).await.unwrap() && !writer.owns_more_than(1).await.unwrap(), "{module}");
    }
}

#[tokio::test]
async fn a_manufacturer_has_its_texts_in_ocstore() {
    let mut kit = Kit::new();
    kit.run("ALTER TABLE oc_manufacturer ADD noindex TINYINT NOT NULL DEFAULT 1");
    kit.run("CREATE TABLE oc_manufacturer_description (manufacturer_id INT NOT NULL, language_id INT NOT NULL, description TEXT NOT NULL, meta_description VARCHAR(255) NOT NULL, meta_keyword VARCHAR(255) NOT NULL, meta_title VARCHAR(255) NOT NULL, meta_h1 VARCHAR(255) NOT NULL, PRIMARY KEY (manufacturer_id, language_id)) ENGINE=MyISAM");
    let mut writer = kit.writer().await;
    writer.run(super::sql::Sql::new("SET SESSION sql_mode = 'STRICT_ALL_TABLES'")).await.unwrap();
    let shop = writer.shop().await.unwrap();
    writer.alone().await.unwrap();
    let entry = Entry::new("O'zbek & Co");
    let id = writer.make_entry(&Dictionary::Manufacturers, &entry, None, false, &shop).await.unwrap();
    assert_eq!(writer.make_entry(&Dictionary::Manufacturers, &entry, Some(id), true, &shop).await.unwrap(), id, "made twice");
    writer.together().await.unwrap();
    assert_eq!(
        kit.cell(&format!("SELECT GROUP_CONCAT(meta_h1) FROM oc_manufacturer_description WHERE manufacturer_id = {id}")),
        "O'zbek &amp; Co,O'zbek &amp; Co,O'zbek &amp; Co"
    );
    assert_eq!(
        kit.cell(&format!("SELECT GROUP_CONCAT(keyword ORDER BY language_id) FROM oc_seo_url WHERE query = 'manufacturer_id={id}'")),
        "ozbek-co,ozbek-co-uz,ozbek-co-en"
    );
    let standing = writer.dictionary(&Dictionary::Manufacturers).await.unwrap();
    assert_eq!(standing[&same_name("O‘ZBEK & co")], Standing { id, complete: true });
}

#[tokio::test]
async fn an_attribute_whose_maker_died_before_it_had_a_name_is_taken_up() {
    let mut kit = Kit::new();
    kit.run("INSERT INTO oc_attribute_group (attribute_group_id, sort_order) VALUES (5, 0); INSERT INTO oc_attribute (attribute_id, attribute_group_id, sort_order) VALUES (7, 5, 0)");
    let mut writer = kit.writer().await;
    let shop = writer.shop().await.unwrap();
    writer.alone().await.unwrap();
    let group = writer.make_entry(&Dictionary::AttributeGroups, &Entry::new("Billz"), None, true, &shop).await.unwrap();
    let attributes = Dictionary::Attributes { group };
    let taken_up = writer.make_entry(&attributes, &Entry::new("Цвет"), None, true, &shop).await.unwrap();
    let new = writer.make_entry(&attributes, &Entry::new("Размер"), None, true, &shop).await.unwrap();
    assert_eq!((group, taken_up), (5, 7));
    assert_ne!(new, 7);
    // Somebody else's row without a name is none of ours, unless a claim says that a making was cut short.
    kit.run("INSERT INTO oc_attribute (attribute_id, attribute_group_id, sort_order) VALUES (70, 5, 0)");
    assert_ne!(writer.make_entry(&attributes, &Entry::new("Сезон"), None, false, &shop).await.unwrap(), 70);
    writer.together().await.unwrap();
    assert_eq!(kit.cell("SELECT COUNT(*) FROM oc_attribute_description WHERE attribute_id IN (7)"), "3");
}
