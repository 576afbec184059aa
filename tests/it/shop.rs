//! OpenCart's side: what is written, and above all what is not.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{FIRST, SECOND, Spawn, Stage, beside, change_of};

/// Long ago, as `date_modified` of products that nobody has touched.
const LONG_AGO: &str = "2024-01-01 00:00:00";

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_with_nothing_changed_writes_nothing_to_the_shop_and_logs_no_product() {
    let stage = Stage::new().await;
    let (connection, stream) = stage.simple(json!({})).await;
    let first = stage.sync(&connection, &stream, "full").await;
    let (before, logged) = (stage.database.fingerprint(), stage.service.output().len());

    let frozen = stage.database.freeze();
    let second = stage.sync(&connection, &stream, "full").await;
    assert_eq!(second["counts"]["unchanged"], first["counts"]["created"], "{second}");
    assert_eq!((&second["counts"]["updated"], &second["counts"]["created"]), (&json!(0), &json!(0)));
    assert_eq!(stage.database.fingerprint(), before);
    let log = stage.service.output()[logged..].to_owned();
    assert!(log.contains("DEBUG") && log.contains("run ended"), "{log}");
    for product in stage.billz.billz2.products(0, usize::MAX) {
        assert!(!log.contains(&product.id.to_string()) && !log.contains(&product.name), "{log}");
    }
    let about_runs = log.lines().filter(|line| !line.contains("http.route")).count();
    assert!(about_runs <= 20, "{about_runs} lines for {} products\n{log}", first["counts"]["created"]);

    // The proof sees what it should see: a run that has one thing to write waits before the frozen tables.
    let sold = stage
        .billz
        .billz2
        .products(0, usize::MAX)
        .into_iter()
        .find(|product| {
            product.shops.values().any(|shop| shop.price.is_some()) && product.kind == tradesync::sandbox::billz2::catalogue::Kind::Goods
        })
        .unwrap();
    stage.change(&sold.id.to_string(), json!({"stock": {FIRST: "987"}}));
    let run = stage.start(&connection, &stream, "full").await;
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_eq!(stage.rest.get(&format!("/sync/runs/{run}")).await.ok(200)["state"], "running");
    frozen.thaw();
    assert_eq!(stage.rest.wait(&run).await["counts"]["updated"], 1);
    assert_ne!(stage.database.fingerprint(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hand_edit_of_price_or_quantity_is_put_right_and_nothing_else_is_touched() {
    let stage = Stage::empty().await;
    let goods: Vec<String> = (0..4).map(|_| stage.good(json!({}))).collect();
    let (connection, stream) = stage.simple(json!({"new_products": "hidden"})).await;
    stage.full(&connection, &stream).await;
    let links = stage.links(&connection).await;
    let [price, quantity, untouched, moved] = [0, 1, 2, 3].map(|place| links[&goods[place]]);
    stage.database.run(&format!(
        "UPDATE oc_product SET status = 1, image = 'catalog/own.jpg', sort_order = 7, minimum = 3, tax_class_id = 9, viewed = 5, date_available = '2020-02-02', stock_status_id = 6;
         UPDATE oc_product_description SET name = 'Имя администратора', description = 'own';
         UPDATE oc_product SET price = 1 WHERE product_id = {price};
         UPDATE oc_product SET quantity = -3 WHERE product_id = {quantity};
         UPDATE oc_product SET date_modified = '{LONG_AGO}'"
    ));
    stage.change(&goods[3], json!({"name": "Другое имя", "sku": "other", "barcode": "1", "price": {FIRST: "1500"}}));
    let rest = |product: i64| {
        stage.database.words(&format!("SELECT CONCAT_WS('|', p.model, p.sku, p.ean, p.status, p.image, p.sort_order, p.minimum, p.tax_class_id, p.viewed, p.date_available, p.stock_status_id, p.date_added, d.name, d.description) AS words FROM oc_product p JOIN oc_product_description d USING (product_id) WHERE p.product_id = {product}"))
    };
    let before: Vec<_> = [price, quantity, untouched, moved].map(rest).into();
    let whole = stage.database.whole_product(untouched);

    let run = stage.full(&connection, &stream).await;
    assert_eq!((&run["counts"]["updated"], &run["counts"]["unchanged"]), (&json!(3), &json!(1)));
    let change = change_of(&stage.item(&run, &goods[0]).await, "price");
    assert_eq!((&change["old"], &change["new"]), (&json!("1"), &json!("1000")));
    assert_eq!([price, quantity, untouched, moved].map(|id| stage.database.shelf(id)), ["5 1000 1", "5 1000 1", "5 1000 1", "5 1500 1"]);
    assert_eq!(Vec::from([price, quantity, untouched, moved].map(rest)), before, "name, status and all else are not ours");
    assert_eq!(stage.database.whole_product(untouched), whole);
    let modified = |product: i64| stage.database.cell(&format!("SELECT date_modified FROM oc_product WHERE product_id = {product}"));
    assert_eq!(modified(untouched), LONG_AGO);
    for product in [price, quantity, moved] {
        assert_ne!(modified(product), LONG_AGO, "{product}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_fields_of_update_fields_follow_billz() {
    let stage = Stage::empty().await;
    let good = stage.good(json!({}));
    let (connection, stream) = stage.simple(json!({"linking": "auto"})).await;
    stage.full(&connection, &stream).await;
    let product = stage.product_of(&connection, &good).await;
    stage.change(&good, json!({"stock": {FIRST: "8"}, "price": {FIRST: "2000"}, "promo": {FIRST: "1800"}}));
    for (fields, shelf, specials) in [
        (json!([]), "5 1000 1", 0),
        (json!(["quantity"]), "8 1000 1", 0),
        // A promotion of 1800 on a price that stays 1000 would be dearer than the price.
        (json!(["quantity", "special"]), "8 1000 1", 0),
        (json!(["price"]), "8 2000 1", 0),
        (json!(["special"]), "8 2000 1", 2),
    ] {
        stage.rest.patch(&format!("/connections/{connection}"), &json!({"settings": {"update_fields": fields}})).await.ok(200);
        stage.full(&connection, &stream).await;
        assert_eq!((stage.database.shelf(product).as_str(), stage.database.specials(product).len()), (shelf, specials), "{fields}");
    }
    for wrong in [json!(["colour"]), json!(["price", "colour"])] {
        stage
            .rest
            .patch(&format!("/connections/{connection}"), &json!({"settings": {"update_fields": wrong}}))
            .await
            .problem(422, "validation-failed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_to_products_between_observe_and_apply_is_respected() {
    let mut stage = Stage::empty().await;
    let goods: Vec<String> = (0..4).map(|_| stage.good(json!({}))).collect();
    let (connection, stream) = stage.simple(json!({})).await;
    stage.full(&connection, &stream).await;
    let links = stage.links(&connection).await;
    let [deleted, replaced, edited, plain] = [0, 1, 2, 3].map(|place| links[&goods[place]]);
    for good in &goods {
        stage.change(good, json!({"price": {FIRST: "3000"}, "promo": {FIRST: "2500"}}));
    }
    stage.restart(&Spawn::failing_at("after-decide")).await;
    let run = stage.start(&connection, &stream, "full").await;
    assert!(stage.service.ended(Duration::from_secs(10)).await, "the planned failure did not come");
    stage.database.run(&format!(
        "DELETE FROM oc_product WHERE product_id = {deleted}; DELETE FROM oc_product_description WHERE product_id = {deleted};
         UPDATE oc_product SET date_added = '2025-05-05 05:05:05', price = 1000, sku = 'foreign' WHERE product_id = {replaced};
         UPDATE oc_product SET price = 999 WHERE product_id = {edited}"
    ));
    let foreign = stage.database.whole_product(replaced);
    stage.restart(&Spawn::default()).await;
    let run = stage.rest.wait(&run).await;
    assert_eq!(run["state"], "succeeded", "{run}");
    assert_eq!(stage.outcome(&run, &goods[0]).await, "skipped target_deleted");
    assert_eq!(stage.outcome(&run, &goods[1]).await, "skipped target_replaced");
    // Looked at once more and decided anew.
    let item = stage.item(&run, &goods[2]).await;
    assert_eq!((&item["outcome"], &change_of(&item, "price")["old"]), (&json!("updated"), &json!("999")));
    assert_eq!(stage.outcome(&run, &goods[3]).await, "updated changed");
    assert_eq!([deleted, replaced, edited, plain].map(|id| stage.database.shelf(id)), ["", "5 1000 1", "5 3000 1", "5 3000 1"]);
    assert_eq!(stage.database.whole_product(replaced), foreign);
    assert_eq!((stage.database.products(), stage.database.specials(deleted).len(), stage.database.specials(plain).len()), (3, 0, 2));
    // Nor later.
    let run = stage.full(&connection, &stream).await;
    assert_eq!(stage.outcome(&run, &goods[0]).await, "skipped target_deleted");
    assert_eq!(stage.outcome(&run, &goods[1]).await, "skipped target_replaced");
    assert_eq!((stage.database.products(), stage.database.whole_product(replaced)), (3, foreign));
}

/// What a finished product must have, whatever the shop looks like.
async fn works(stage: &Stage, prefix: &str) {
    let good = stage.good(json!({"promo": {FIRST: "900"}}));
    let (connection, stream) = stage.simple(json!({"opencart": {"table_prefix": prefix}})).await;
    let run = stage.full(&connection, &stream).await;
    assert_eq!(stage.outcome(&run, &good).await, "created new_product", "{run}");
    let product = stage.product_of(&connection, &good).await;
    let count = |table: &str, more: &str| {
        stage.database.number(&format!("SELECT COUNT(*) AS number FROM `{prefix}{table}` WHERE product_id = {product} {more}"))
    };
    assert_eq!(count("product", "AND status = 1 AND quantity = 5 AND price = 1000 AND model NOT LIKE 'tradesync%' AND location = ''"), 1);
    // Language 3 is switched off; without its row the page would be missing once it is switched on.
    assert_eq!(
        (
            count("product_description", "AND language_id IN (1, 2, 3) AND name <> '' AND meta_title <> ''"),
            count("product_description", "")
        ),
        (3, 3)
    );
    assert_eq!(
        (
            count("product_to_store", "AND store_id = 0"),
            count("product_to_category", "AND category_id = 33"),
            count("product_special", "AND price = 900")
        ),
        (1, 1, 2)
    );
    stage.change(&good, json!({"stock": {FIRST: "6"}, "promo": {FIRST: null}}));
    let run = stage.full(&connection, &stream).await;
    assert_eq!(run["counts"]["updated"], 1);
    assert_eq!((count("product", "AND quantity = 6"), count("product_special", "")), (1, 0));
    assert_eq!(stage.full(&connection, &stream).await["counts"]["unchanged"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_tables_innodb_works() {
    let stage = Stage::empty().await;
    let tables = stage
        .database
        .words("SELECT table_name AS words FROM information_schema.tables WHERE table_schema = DATABASE() AND engine = 'MyISAM'");
    assert!(tables.len() > 130);
    stage.database.run(&tables.iter().map(|table| format!("ALTER TABLE {table} ENGINE=InnoDB")).collect::<Vec<_>>().join(";"));
    works(&stage, "oc_").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_server_and_the_further_columns_of_ocstore_work() {
    let stage = Stage::empty().await;
    assert!(
        stage.database.cell("SELECT @@GLOBAL.sql_mode").contains("STRICT_TRANS_TABLES"),
        "the server of the tests is strict by default"
    );
    stage.database.run(
        "ALTER TABLE oc_product ADD noindex TINYINT NOT NULL DEFAULT 1, ADD supplier_code VARCHAR(20) NOT NULL, ADD rating DECIMAL(5,2) NOT NULL, ADD checked_at DATE NOT NULL;
         ALTER TABLE oc_product_description ADD meta_h1 VARCHAR(255) NOT NULL;
         ALTER TABLE oc_product_to_category ADD main_category TINYINT NOT NULL DEFAULT 0;
         ALTER TABLE oc_product_special ADD source VARCHAR(10) NOT NULL",
    );
    works(&stage, "oc_").await;
    assert_eq!(stage.database.number("SELECT MAX(main_category) AS number FROM oc_product_to_category"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_table_prefix_works() {
    let stage = Stage::empty().await;
    let tables = stage
        .database
        .words("SELECT table_name AS words FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE 'oc\\_%'");
    let renames: Vec<String> = tables.iter().map(|table| format!("{table} TO Shop7_{}", &table[3..])).collect();
    stage.database.run(&format!("RENAME TABLE {}", renames.join(", ")));
    works(&stage, "Shop7_").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_products_are_hidden_live_or_off_as_the_settings_say() {
    let stage = Stage::empty().await;
    let (full, empty) = (stage.good(json!({})), stage.good(json!({"stock": {FIRST: "0"}})));
    for (owner, settings, expected) in [
        ("seller:1", json!({"new_products": "hidden"}), ["created 0 new_hidden", "created 0 new_hidden"]),
        ("seller:2", json!({"new_products": "live"}), ["created 1 new_live", "created 1 new_live"]),
        ("seller:3", json!({"new_products": "live", "new_without_stock": false}), ["created 1 new_live", "skipped new_without_stock_off"]),
        ("seller:4", json!({"new_products": "off"}), ["skipped new_products_off", "skipped new_products_off"]),
        ("seller:5", json!({"unmapped_category": "inbox"}), ["skipped category_unmapped", "skipped category_unmapped"]),
    ] {
        let (connection, stream) = stage.simple_of(owner, settings).await;
        let before = stage.database.products();
        let run = stage.full(&connection, &stream).await;
        for (good, expected) in [&full, &empty].into_iter().zip(expected) {
            let item = stage.item(&run, good).await;
            let found = match item["outcome"].as_str().unwrap() {
                "created" => {
                    let status = stage
                        .database
                        .cell(&format!("SELECT status FROM oc_product WHERE product_id = {}", item["target"].as_str().unwrap()));
                    format!("created {status} {}", change_of(&item, "status")["rule"].as_str().unwrap())
                }
                other => format!("{other} {}", item["reason"]["code"].as_str().unwrap()),
            };
            assert_eq!(found, expected, "{owner}");
        }
        let made = expected.iter().filter(|text| text.starts_with("created")).count();
        assert_eq!(stage.database.products() - before, i64::try_from(made).unwrap(), "{owner}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_are_escaped_once_cleaned_and_cut_to_their_columns() {
    let stage = Stage::empty().await;
    let markup = stage.good(json!({"name": "Чехол \"<b>Том & Джерри</b>\"", "description": "<p onclick=\"x()\">Хлопок &amp; лён</p><script>alert(1)</script><img src=x onerror=alert(2)>"}));
    let emoji = stage.good(json!({"name": "Мяч ⚽ 🎁 подарок", "description": ""}));
    let long = stage.good(json!({"name": "Ж".repeat(400), "sku": "S".repeat(70), "barcode": "123456789012345678"}));
    let only = stage.good(json!({"name": "🎁🎁", "description": ""}));
    let (connection, stream) = stage.simple(json!({})).await;
    let run = stage.sync(&connection, &stream, "full").await;
    assert_eq!(run["state"], "partial");
    let links = stage.links(&connection).await;
    let text = |good: &str, column: &str| {
        stage.database.cell(&format!("SELECT {column} FROM oc_product_description WHERE product_id = {} AND language_id = 2", links[good]))
    };
    assert_eq!(text(&markup, "name"), "Чехол &quot;&lt;b&gt;Том &amp; Джерри&lt;/b&gt;&quot;");
    assert_eq!(text(&markup, "meta_title"), text(&markup, "name"));
    let description = text(&markup, "description");
    assert!(description.starts_with("&lt;p&gt;Хлопок &amp;amp; лён&lt;/p&gt;"), "{description}");
    assert!(!description.contains("script") && !description.contains("onerror") && !description.contains("onclick"), "{description}");
    assert_eq!(text(&emoji, "name"), "Мяч ⚽  подарок");
    assert_eq!(text(&long, "name"), "Ж".repeat(255));
    let product = |column: &str| stage.database.cell(&format!("SELECT {column} FROM oc_product WHERE product_id = {}", links[&long]));
    assert_eq!((product("ean").as_str(), product("sku").as_str()), ("", ""), "an identifier is whole or absent");
    assert_eq!(product("model"), long, "the id of Billz stands in");
    // A name of nothing that the shop can store is the item's fault, and only this item's.
    assert_eq!(stage.outcome(&run, &only).await.split(' ').next(), Some("failed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_cache_is_cleared_only_when_something_changed() {
    let folder = std::env::temp_dir().join(format!("tradesync-cache-{}", uuid::Uuid::new_v4().simple()));
    std::fs::create_dir_all(folder.join("cache.product.folder")).unwrap();
    let (ours, others) =
        (["cache.product.latest.1.0.1.4.1700000000", "cache.product.popular.1"], ["cache.productive.1", "cache.currency.1", "index.html"]);
    let fill = || {
        for name in ours.iter().chain(&others) {
            std::fs::write(folder.join(name), "x").unwrap();
        }
    };
    let left = || {
        let mut names: Vec<String> =
            std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let kept = || {
        let mut names: Vec<String> = others.iter().map(|name| (*name).to_owned()).chain(["cache.product.folder".to_owned()]).collect();
        names.sort();
        names
    };
    let stage = Stage::empty().await;
    let good = stage.good(json!({}));
    fill();
    let (connection, stream) = stage.simple(json!({"opencart": {"cache_dir": folder}})).await;
    stage.full(&connection, &stream).await;
    assert_eq!(left(), kept());
    fill();
    stage.full(&connection, &stream).await;
    assert_eq!(left().len(), kept().len() + ours.len(), "nothing changed, nothing is forgotten");
    stage.change(&good, json!({"price": {FIRST: "1100"}}));
    stage.full(&connection, &stream).await;
    assert_eq!(left(), kept());
    // A cache that cannot be cleared is no reason to lose a run.
    std::fs::remove_dir_all(&folder).unwrap();
    stage.change(&good, json!({"price": {FIRST: "1200"}}));
    stage.full(&connection, &stream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_storefront_query_beside_our_writes_makes_no_reader_wait() {
    let stage = Stage::empty().await;
    let good = stage.good(json!({}));
    // Of a table with one row the server lets go at once.
    (0..4).for_each(|_| drop(stage.good(json!({}))));
    let (connection, stream) = stage.simple(json!({})).await;
    stage.full(&connection, &stream).await;
    let slow = "SELECT SLEEP(0.5) FROM oc_product LIMIT 5";
    let reader = |within: Duration| {
        let (url, until) = (stage.database.url.clone(), Instant::now() + within);
        std::thread::spawn(move || {
            use diesel::{Connection, connection::SimpleConnection};
            let mut connection = diesel::MysqlConnection::establish(url.expose()).unwrap();
            let (mut worst, mut count) = (Duration::ZERO, 0);
            while Instant::now() < until {
                let began = Instant::now();
                connection.batch_execute("SELECT price FROM oc_product LIMIT 1").unwrap();
                worst = worst.max(began.elapsed());
                count += 1;
                std::thread::sleep(Duration::from_millis(20));
            }
            (worst, count)
        })
    };
    stage.change(&good, json!({"price": {FIRST: "1500"}}));
    let busy = beside(&stage.database, slow);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let readers = reader(Duration::from_millis(2_000));
    let run = stage.start(&connection, &stream, "full").await;
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    assert_eq!(stage.rest.get(&format!("/sync/runs/{run}")).await.ok(200)["state"], "running", "our write waits behind the slow query");
    let (worst, count) = readers.join().unwrap();
    assert!(worst < Duration::from_millis(800) && count > 20, "a storefront read took {worst:?} ({count} reads)");
    assert_eq!(stage.rest.wait(&run).await["counts"]["updated"], 1);
    assert!(busy.join().unwrap() > Duration::from_secs(2));

    // What we spare the shop: an ordinary UPDATE in our place makes every reader wait for the slow query.
    let busy = beside(&stage.database, slow);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let ordinary = beside(&stage.database, "UPDATE oc_product SET viewed = viewed + 1");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let (worst, _) = reader(Duration::from_millis(100)).join().unwrap();
    assert!(worst > Duration::from_secs(1), "the measurement is blind: {worst:?}");
    busy.join().unwrap();
    ordinary.join().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_is_the_sum_over_enabled_shops_or_the_selected_ones() {
    let stage = Stage::empty().await;
    let good = stage.good(json!({"stock": {FIRST: "5", SECOND: "2.5"}, "price": {SECOND: "1200"}}));
    // Sold by the first, held by the second only.
    let elsewhere = stage.good(json!({"stock": {FIRST: "0", SECOND: "3"}}));
    let connection = stage.connect(json!({"read_reuse": "0s", "price_shop": stage.billz.billz2.shops()[0].id})).await;
    let streams = stage.streams(&connection, 2).await;
    let run = stage.full(&connection, &streams[0]).await;
    let product = stage.product_of(&connection, &good).await;
    assert_eq!(stage.database.shelf(product), "5 1000 1", "a shop counts once it was read");
    assert_eq!(change_of(&stage.item(&run, &elsewhere).await, "quantity")["rule_text"], "Sum of the stock of the shops (Chilonzor): 0.");
    let run = stage.full(&connection, &streams[1]).await;
    assert_eq!(stage.database.shelf(product), "7 1000 1", "the sum is rounded down, and price_shop's price stays");
    let change = change_of(&stage.item(&run, &good).await, "quantity");
    let text = change["rule_text"].as_str().unwrap();
    assert!(change["rule"] == "stock_sum" && text.contains(FIRST) && text.contains(SECOND) && text.ends_with(": 7.5."), "{change}");
    let text = change_of(&stage.item(&run, &elsewhere).await, "quantity")["rule_text"].as_str().unwrap().to_owned();
    assert!(text.contains("(Sergeli)") && text.ends_with(": 3."), "a shop without a price has a name all the same: {text}");
    stage.rest.patch(&format!("/connections/{connection}/streams/{}", streams[1]), &json!({"enabled": false})).await.ok(200);
    stage.full(&connection, &streams[0]).await;
    assert_eq!(stage.database.shelf(product), "5 1000 1", "a disabled shop counts no more");
    stage.rest.patch(&format!("/connections/{connection}/streams/{}", streams[1]), &json!({"enabled": true})).await.ok(200);
    stage.full(&connection, &streams[0]).await;
    assert_eq!(stage.database.shelf(product), "7 1000 1");
    assert_eq!(stage.rest.delete(&format!("/connections/{connection}/streams/{}", streams[1])).await.status, 204);
    stage.full(&connection, &streams[0]).await;
    assert_eq!(stage.database.shelf(product), "5 1000 1", "nor does a removed one");

    let selected = stage.simple_of("seller:2", json!({"stock": "selected", "read_reuse": "0s"})).await.0;
    let streams = stage.rest.get(&format!("/connections/{selected}/streams")).await.ok(200);
    let first = streams["items"][0]["stream"].as_str().unwrap().to_owned();
    let second = stage.billz.billz2.shops()[1].id.to_string();
    stage.rest.post(&format!("/connections/{selected}/streams"), &json!({"stream": second, "name": SECOND})).await.ok(201);
    stage.full(&selected, &first).await;
    let product = stage.product_of(&selected, &good).await;
    assert_eq!(stage.database.shelf(product), "5 1000 1");
    let run = stage.full(&selected, &second).await;
    assert_eq!(stage.database.shelf(product), "2 1200 1", "the last synchronised shop's, literally");
    assert_eq!(change_of(&stage.item(&run, &good).await, "quantity")["rule_text"], "Stock of the shop “Sergeli”: 2.5.");
    let missing = stage.item(&run, &elsewhere).await["reason"].clone();
    assert_eq!((&missing["code"], missing["text"].as_str().unwrap().contains("“Sergeli”")), (&json!("no_price"), true), "{missing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn buffer_cap_rounding_minimum_and_currency_stand_in_the_report() {
    let stage = Stage::empty().await;
    let good = stage.good(json!({"stock": {FIRST: "9"}, "price": {FIRST: "1234.567"}}));
    let few = stage.good(json!({"stock": {FIRST: "1"}, "price": {FIRST: "1250"}}));
    let junk = stage.good(json!({"price": {FIRST: "1"}}));
    let dollars = stage.good(json!({"price": {FIRST: "2"}, "currency": {FIRST: "USD"}}));
    let blank = stage.good(json!({"price": {FIRST: "70"}, "currency": {FIRST: ""}}));
    let foreign = stage.good(json!({"currency": {FIRST: "EUR"}}));
    let (connection, stream) = stage.simple(json!({})).await;
    let mut first = true;
    for (settings, shelf, quantity, price) in [
        (json!({}), ["9 1235 1", "1 1250 1"], "stock_sum", "1234.567"),
        (json!({"stock_buffer": 2}), ["7 1235 1", "0 1250 1"], "stock_sum_limited", "1234.567"),
        (json!({"stock_buffer": 2, "stock_cap": 4}), ["4 1235 1", "0 1250 1"], "stock_sum_limited", ""),
        (
            json!({"stock_buffer": 0, "stock_cap": 20, "rounding": {"step": "100", "mode": "half-even"}}),
            ["9 1200 1", "1 1200 1"],
            "stock_sum",
            "1234.567",
        ),
        (json!({"rounding": {"step": "100", "mode": "half-up"}}), ["9 1200 1", "1 1300 1"], "", ""),
        (json!({"rounding": {"step": "0.01", "mode": "down"}}), ["9 1234.56 1", "1 1250 1"], "", "1234.567"),
        (json!({"rounding": {"step": "50", "mode": "up"}}), ["9 1250 1", "1 1250 1"], "", "1234.567"),
        (json!({"rounding": {"step": "0", "mode": "up"}}), ["9 1234.567 1", "1 1250 1"], "", "1234.567"),
    ] {
        stage.rest.patch(&format!("/connections/{connection}"), &json!({"settings": settings})).await.ok(200);
        let run = stage.sync(&connection, &stream, "full").await;
        for (good, shelf) in [&good, &few].into_iter().zip(shelf) {
            let product = stage.product_of(&connection, good).await;
            let is = stage.database.cell(&format!("SELECT CONCAT_WS(' ', quantity, TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM price)), status) FROM oc_product WHERE product_id = {product}"));
            assert_eq!(is, shelf, "{settings}");
        }
        let item = stage.item(&run, &good).await;
        if !quantity.is_empty() {
            assert_eq!(change_of(&item, "quantity")["rule"], quantity, "{settings} {item}");
        }
        if !price.is_empty() && !change_of(&item, "price").is_null() {
            assert_eq!(
                change_of(&item, "price")["rule_text"],
                format!("Price of the shop “Chilonzor”; {price} before rounding."),
                "{settings}"
            );
        }
        if first {
            let text = |item: serde_json::Value| item["reason"]["text"].as_str().unwrap().to_owned();
            assert_eq!(stage.outcome(&run, &junk).await, "skipped price_below_minimum");
            assert!(text(stage.item(&run, &junk).await).contains("The price 1 is below the lowest allowed 2"));
            let change = change_of(&stage.item(&run, &dollars).await, "price");
            assert_eq!((&change["new"], &change["rule"]), (&json!("25300"), &json!("price_converted")));
            assert!(change["rule_text"].as_str().unwrap().contains("USD at 12650"), "{change}");
            assert_eq!(change_of(&stage.item(&run, &blank).await, "price")["new"], "70", "no currency is the company's");
            assert_eq!(stage.outcome(&run, &foreign).await, "failed currency_without_rate");
            assert!(text(stage.item(&run, &foreign).await).contains("EUR"));
            assert_eq!(run["state"], "partial");
        }
        if settings["stock_buffer"] == 2 && settings["stock_cap"] == 4 {
            let text = change_of(&item, "quantity")["rule_text"].as_str().unwrap().to_owned();
            assert_eq!(text, "Sum of the stock of the shops (Chilonzor): 9; 2 kept back, at most 4 shown.");
        }
        first = false;
    }
}
