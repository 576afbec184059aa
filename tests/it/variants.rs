//! `variants: "options"`: the variants of one good are one product with options, each with its own stock and price, and the product's
//! quantity is their sum.

use std::time::Duration;

use serde_json::{Value, json};
use tradesync::fault::failpoint::POINTS;

use crate::support::{FIRST, Spawn, Stage, assert_done, change_of};

const FAMILY: &str = "3f2b8c1a-0000-4000-8000-00000000000a";
const OTHER: &str = "3f2b8c1a-0000-4000-8000-00000000000b";

/// A size or colour of a family: stock and price in the first shop.
fn variant(stage: &Stage, family: &str, name: &str, stock: &str, price: &str) -> String {
    stage.good(json!({"name": name, "parent": family, "stock": {FIRST: stock}, "price": {FIRST: price}}))
}

/// `name quantity price` of each value of a family's option, with what must always hold of the option.
fn values(stage: &Stage, family: &str) -> Vec<String> {
    stage.database.words(&format!(
        "SELECT CONCAT_WS(' | ', n.name, v.quantity, TRIM(TRAILING '.0000' FROM p.price + IF(v.price_prefix = '-', -v.price, v.price)), \
         IF(v.subtract = 1 AND o.required = 1 AND v.option_id = o.option_id AND v.product_id = p.product_id AND n.option_id = o.option_id, 'whole', 'broken')) AS words \
         FROM oc_product p JOIN oc_product_option o ON o.product_id = p.product_id JOIN oc_product_option_value v ON v.product_option_id = o.product_option_id \
         JOIN oc_option_value_description n ON n.option_value_id = v.option_value_id AND n.language_id = 1 WHERE p.model = '{family}' ORDER BY words"
    ))
}

fn product(stage: &Stage, family: &str) -> i64 {
    stage.database.number(&format!("SELECT product_id AS number FROM oc_product WHERE model = '{family}'"))
}

/// Ids of a family's values: carts and orders point at them.
fn ids(stage: &Stage, family: &str) -> Vec<String> {
    stage.database.words(&format!(
        "SELECT CONCAT_WS('#', v.product_id, v.product_option_value_id) AS words FROM oc_product_option_value v JOIN oc_product p USING (product_id) WHERE p.model = '{family}' ORDER BY words"
    ))
}

fn linked(stage: &Stage, goods: &[&String]) -> Vec<String> {
    let keys = goods.iter().map(|good| format!("'{good}'")).collect::<Vec<_>>().join(",");
    stage
        .database
        .words(&format!("SELECT target_key AS words FROM tradesync_links WHERE state = 'linked' AND source_key IN ({keys}) ORDER BY words"))
}

fn option_rows(stage: &Stage) -> Vec<i64> {
    ["option", "option_value", "product_option", "product_option_value"]
        .map(|table| stage.database.number(&format!("SELECT COUNT(*) AS number FROM oc_{table}")))
        .to_vec()
}

fn options() -> Value {
    json!({"variants": "options"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_family_is_one_product_with_a_value_for_each_variant_and_their_sum() {
    let stage = Stage::empty().await;
    let before = option_rows(&stage);
    let small = variant(&stage, FAMILY, "Кўйлак / M / Синий", "5", "1000");
    let large = variant(&stage, FAMILY, "Кўйлак / L / Синий", "3", "1200");
    let none = variant(&stage, FAMILY, "Кўйлак / XL / Синий", "0", "900");
    let boot = variant(&stage, OTHER, "Етик / 42 / Чёрный", "7", "5000");
    let cup = stage.good(json!({"name": "Пиёла"}));
    let (connection, stream) = stage.simple(options()).await;
    let run = stage.full(&connection, &stream).await;
    assert_eq!((run["counts"]["created"].as_i64(), stage.database.products()), (Some(5), 3), "{run}");
    assert_eq!(values(&stage, FAMILY), ["L / Синий | 3 | 1200 | whole", "M / Синий | 5 | 1000 | whole", "XL / Синий | 0 | 900 | whole"]);
    assert_eq!(values(&stage, OTHER), ["42 / Чёрный | 7 | 5000 | whole"]);
    // The lists of the shop show the lowest price, and the whole stock.
    assert_eq!(stage.database.shelf(product(&stage, FAMILY)), "8 900 1");
    assert_eq!(stage.database.shelf(product(&stage, OTHER)), "7 5000 1");
    let texts = |column: &str, product: i64| {
        stage.database.words(&format!("SELECT {column} AS words FROM oc_product_description WHERE product_id = {product}"))
    };
    assert_eq!(texts("name", product(&stage, FAMILY)), vec!["Кўйлак"; 3]);
    let names =
        stage.database.words("SELECT DISTINCT d.name AS words FROM oc_product_option o JOIN oc_option_description d USING (option_id)");
    assert_eq!(names, ["razmer / Цвет"]);
    // What only one size has is no attribute of all.
    let attributes = stage.database.words(&format!(
        "SELECT DISTINCT d.name AS words FROM oc_product_attribute a JOIN oc_attribute_description d USING (attribute_id, language_id) WHERE a.product_id = {} AND a.language_id = 1",
        product(&stage, FAMILY)
    ));
    assert_eq!(attributes, ["Единица измерения"]);
    let added: Vec<i64> = option_rows(&stage).iter().zip(before).map(|(now, before)| now - before).collect();
    assert_eq!(added, [1, 4, 2, 4], "one option for both families");
    assert_eq!(linked(&stage, &[&small, &large, &none]), ids(&stage, FAMILY));
    assert_eq!(linked(&stage, &[&boot]), ids(&stage, OTHER));
    assert_eq!(
        stage.product_of(&connection, &cup).await,
        stage.database.number("SELECT MAX(product_id) AS number FROM oc_product WHERE model NOT LIKE '3f2b%'")
    );
    let item = stage.item(&run, &large).await;
    assert_eq!(change_of(&item, "option")["new"]["value"], "L / Синий", "{item}");
    assert!(change_of(&item, "option")["rule_text"].as_str().is_some_and(|text| text.contains("razmer / Цвет")), "{item}");
    stage.assert_whole("families");

    let state = (stage.database.fingerprint(), option_rows(&stage));
    let again = stage.full(&connection, &stream).await;
    assert_eq!((again["counts"]["created"].as_i64(), again["counts"]["updated"].as_i64()), (Some(0), Some(0)), "{again}");
    assert_eq!((stage.database.fingerprint(), option_rows(&stage)), state, "the second run writes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_and_price_of_one_variant_change_its_row_and_the_sum_alone() {
    let stage = Stage::empty().await;
    let small = variant(&stage, FAMILY, "Кўйлак / M", "5", "1000");
    let large = variant(&stage, FAMILY, "Кўйлак / L", "3", "1200");
    let (connection, stream) = stage.simple(options()).await;
    stage.full(&connection, &stream).await;
    let rows = ids(&stage, FAMILY);

    stage.change(&large, json!({"stock": {FIRST: "9"}}));
    let run = stage.full(&connection, &stream).await;
    assert_eq!((run["counts"]["updated"].as_i64(), run["counts"]["unchanged"].as_i64()), (Some(1), Some(1)), "{run}");
    assert_eq!(values(&stage, FAMILY), ["L | 9 | 1200 | whole", "M | 5 | 1000 | whole"]);
    assert_eq!(stage.database.shelf(product(&stage, FAMILY)), "14 1000 1");

    // The cheapest gets dearer than the others: every size keeps its own price.
    stage.change(&small, json!({"price": {FIRST: "1500"}}));
    stage.full(&connection, &stream).await;
    assert_eq!(values(&stage, FAMILY), ["L | 9 | 1200 | whole", "M | 5 | 1500 | whole"]);
    assert_eq!(stage.database.shelf(product(&stage, FAMILY)), "14 1200 1");
    stage.change(&small, json!({"price": {FIRST: "800"}, "stock": {FIRST: "0"}}));
    stage.full(&connection, &stream).await;
    assert_eq!(values(&stage, FAMILY), ["L | 9 | 1200 | whole", "M | 0 | 800 | whole"]);
    assert_eq!(stage.database.shelf(product(&stage, FAMILY)), "9 800 1");

    // One more size joins, and one that a hand broke is put right.
    let extra = variant(&stage, FAMILY, "Кўйлак / XXL", "2", "1300");
    stage.database.run("UPDATE oc_product_option_value SET quantity = 77 WHERE quantity = 9");
    let run = stage.full(&connection, &stream).await;
    assert_eq!((run["counts"]["created"].as_i64(), run["counts"]["updated"].as_i64()), (Some(1), Some(1)), "{run}");
    assert_eq!(values(&stage, FAMILY), ["L | 9 | 1200 | whole", "M | 0 | 800 | whole", "XXL | 2 | 1300 | whole"]);
    assert_eq!(stage.database.shelf(product(&stage, FAMILY)), "11 800 1");
    assert_eq!(stage.database.products(), 1);
    assert!(rows.iter().all(|row| ids(&stage, FAMILY).contains(row)), "ids that carts point at stay");
    assert_eq!(linked(&stage, &[&small, &large, &extra]).len(), 3);
    let last = stage.full(&connection, &stream).await;
    assert_eq!((last["counts"]["created"].as_i64(), last["counts"]["updated"].as_i64()), (Some(0), Some(0)), "{last}");
    stage.assert_whole("one size after another");
}

#[tokio::test(flavor = "multi_thread")]
async fn variants_of_one_name_do_not_share_stock_and_a_promotion_of_one_is_not_given_to_all() {
    let stage = Stage::empty().await;
    let goods = [variant(&stage, FAMILY, "Кўйлак / M", "5", "1000"), variant(&stage, FAMILY, "Кўйлак / m", "3", "1000")];
    let promo = stage.good(json!({"name": "Етик / 42", "parent": OTHER, "promo": {FIRST: "800"}}));
    let (connection, stream) = stage.simple(options()).await;
    let run = stage.sync(&connection, &stream, "full").await;
    let mut outcomes = Vec::new();
    for good in &goods {
        outcomes.push(stage.item(&run, good).await["outcome"].as_str().unwrap_or_default().to_owned());
    }
    outcomes.sort();
    assert_eq!(outcomes, ["created", "failed"], "{run}");
    assert_eq!(values(&stage, FAMILY).len(), 1);
    let item = stage.item(&run, &promo).await;
    assert_eq!(
        (change_of(&item, "special")["rule"].clone(), change_of(&item, "special")["new"].clone()),
        (json!("special_not_for_options"), Value::Null),
        "{item}"
    );
    assert_eq!(stage.database.number("SELECT COUNT(*) AS number FROM oc_product_special"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_setting_variants_stay_products_of_their_own() {
    let stage = Stage::empty().await;
    let goods = [variant(&stage, FAMILY, "Кўйлак / M", "5", "1000"), variant(&stage, FAMILY, "Кўйлак / L", "3", "1000")];
    let before = option_rows(&stage);
    let (connection, stream) = stage.simple(json!({})).await;
    stage.full(&connection, &stream).await;
    assert_eq!((stage.database.products(), option_rows(&stage)), (2, before));
    // Turned on later, what stands stays as it is; a new size has a family.
    assert_ne!(stage.product_of(&connection, &goods[0]).await, stage.product_of(&connection, &goods[1]).await);
}

/// The first size's product.
fn shelf(stage: &Stage) -> String {
    stage.database.shelf(product(stage, FAMILY))
}

/// Two sizes, made by one run, and one that joined by the next; their keys, the connection and both runs.
async fn joined(settings: Value) -> (Stage, [String; 3], (String, String), [Value; 2]) {
    let stage = Stage::empty().await;
    let small = variant(&stage, FAMILY, "Кўйлак / M", "5", "1000");
    let large = variant(&stage, FAMILY, "Кўйлак / L", "3", "1000");
    let (connection, stream) = stage.simple(settings).await;
    let first = stage.full(&connection, &stream).await;
    let extra = variant(&stage, FAMILY, "Кўйлак / XL", "2", "1000");
    let second = stage.full(&connection, &stream).await;
    assert_eq!((shelf(&stage).as_str(), &second["counts"]["created"]), ("10 1000 1", &json!(1)));
    (stage, [small, large, extra], (connection, stream), [first, second])
}

#[tokio::test(flavor = "multi_thread")]
async fn undone_a_size_that_joined_is_sold_out_and_the_product_that_was_made_is_hidden() {
    let (stage, [small, large, extra], (connection, stream), [first, second]) = joined(options()).await;
    // Whatever Billz said of its stock since.
    stage.change(&extra, json!({"stock": {FIRST: "4"}}));
    stage.full(&connection, &stream).await;
    let undo = stage.undo(&second).await;
    assert_eq!((&undo["state"], &undo["counts"]["updated"]), (&json!("succeeded"), &json!(1)), "{undo}");
    assert_eq!(stage.lines(&undo, &extra).await, ["updated undone_by_emptying"]);
    assert_eq!(values(&stage, FAMILY), ["L | 3 | 1000 | whole", "M | 5 | 1000 | whole", "XL | 0 | 1000 | whole"]);
    assert_eq!(shelf(&stage), "8 1000 1", "the others are sold on");
    // The schedule leaves it alone until Billz moves.
    let next = stage.full(&connection, &stream).await;
    assert_eq!((stage.outcome(&next, &extra).await.as_str(), shelf(&stage).as_str()), ("skipped left_as_undone", "8 1000 1"));
    stage.change(&extra, json!({"stock": {FIRST: "6"}}));
    stage.full(&connection, &stream).await;
    assert_eq!(shelf(&stage), "14 1000 1");

    let undo = stage.undo(&first).await;
    let mut lines = [stage.lines(&undo, &small).await, stage.lines(&undo, &large).await].concat();
    lines.sort();
    assert_eq!(lines, ["updated undone_by_emptying", "updated undone_by_hiding"], "{undo}");
    assert_eq!(stage.database.cell(&format!("SELECT status FROM oc_product WHERE model = '{FAMILY}'")), "0");
    assert_eq!(stage.database.products(), 1, "hidden, not deleted");
    let hidden = stage.database.shop_state();
    stage.full(&connection, &stream).await;
    assert_eq!(stage.database.shop_state(), hidden);
    // And an undo can be undone.
    let undo = stage.undo(&undo).await;
    assert_eq!((&undo["state"], shelf(&stage).as_str()), (&json!("succeeded"), "14 1000 1"), "{undo}");
    stage.assert_whole("undone and undone again");
}

#[tokio::test(flavor = "multi_thread")]
async fn undone_stock_and_price_of_a_size_go_back_and_so_does_the_sum() {
    let (stage, [small, large, _], (connection, stream), _) = joined(options()).await;
    stage.change(&small, json!({"price": {FIRST: "900"}, "stock": {FIRST: "50"}}));
    stage.change(&large, json!({"stock": {FIRST: "4"}}));
    let wrong = stage.full(&connection, &stream).await;
    assert_eq!(shelf(&stage), "56 900 1");
    // A hand, since.
    stage.database.run("UPDATE oc_product_option_value SET quantity = 9 WHERE quantity = 4");
    let undo = stage.undo(&wrong).await;
    assert_eq!((&undo["counts"]["updated"], &undo["counts"]["skipped"]), (&json!(1), &json!(1)), "{undo}");
    assert_eq!(stage.lines(&undo, &large).await, ["skipped changed_since"]);
    assert_eq!(values(&stage, FAMILY), ["L | 9 | 1000 | whole", "M | 5 | 1000 | whole", "XL | 2 | 1000 | whole"]);
    assert_eq!(shelf(&stage), "16 1000 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_of_the_product_locks_its_sizes_and_lets_no_size_join() {
    let (stage, [small, ..], (connection, stream), _) = joined(options()).await;
    let id = product(&stage, FAMILY).to_string();
    stage.lock(&connection, json!([{"target": id}])).await;
    let state = stage.database.shop_state();
    stage.change(&small, json!({"stock": {FIRST: "50"}}));
    let late = variant(&stage, FAMILY, "Кўйлак / XXL", "2", "1000");
    let other = variant(&stage, OTHER, "Етик / 42", "2", "1000");
    let run = stage.full(&connection, &stream).await;
    assert_eq!(stage.outcome(&run, &small).await, "skipped locked");
    assert_eq!(stage.outcome(&run, &late).await, "skipped locked");
    assert_eq!((stage.outcome(&run, &other).await.as_str(), shelf(&stage).as_str()), ("created new_product", "10 1000 1"));
    assert!(stage.database.shop_state().len() > state.len(), "only the other family came");
    // A field of one size.
    stage.lock(&connection, json!([{"source": small, "fields": ["quantity"]}])).await;
    stage.change(&small, json!({"price": {FIRST: "1100"}}));
    stage.full(&connection, &stream).await;
    assert!(values(&stage, FAMILY).contains(&"M | 5 | 1100 | whole".to_owned()), "{:?}", values(&stage, FAMILY));
    stage.lock(&connection, json!([])).await;
    stage.full(&connection, &stream).await;
    assert_eq!(shelf(&stage), "57 1000 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_size_is_explained_by_its_own_values_and_a_product_by_its_first_size() {
    let (stage, [small, ..], (connection, _), _) = joined(options()).await;
    stage.database.run("UPDATE oc_product_option_value SET quantity = 77 WHERE quantity = 5");
    let told = stage.explain(&connection, &small).await;
    assert_eq!((&told["target"]["state"], &told["link"]["target"]), (&json!("seen"), &json!(linked(&stage, &[&small])[0])), "{told}");
    let quantity = told["target"]["fields"].as_array().unwrap().iter().find(|row| row["field"] == "quantity").unwrap();
    assert_eq!((&quantity["now"], &quantity["written"], &quantity["author"]), (&json!(77), &json!(5), &json!("somebody_else")), "{told}");
    let explain = |target: String| format!("/sync/explain?connection={connection}&target={target}");
    let by_target = stage.rest.get(&explain(linked(&stage, &[&small])[0].replace('#', "%23"))).await.ok(200);
    assert_eq!(by_target["item"], told["item"]);
    let by_product = stage.rest.get(&explain(product(&stage, FAMILY).to_string())).await.ok(200);
    assert_eq!(by_product["link"]["target"], ids(&stage, FAMILY)[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_size_that_vanishes_is_sold_out_and_the_product_stays() {
    for word in ["zero", "disable"] {
        let settings = json!({"variants": "options", "vanished": word, "vanished_delay": "0s"});
        let (stage, [_, large, _], (connection, stream), _) = joined(settings).await;
        stage.archive(&large);
        stage.full(&connection, &stream).await;
        let run = stage.full(&connection, &stream).await;
        assert_eq!(values(&stage, FAMILY), ["L | 0 | 1000 | whole", "M | 5 | 1000 | whole", "XL | 2 | 1000 | whole"], "{word} {run}");
        assert_eq!(shelf(&stage), "7 1000 1", "{word}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_family_that_a_person_deleted_is_left_deleted_or_made_again_once() {
    for (word, outcome, products) in [("leave", "skipped target_deleted", 0), ("recreate", "created recreated", 1)] {
        let (stage, goods, (connection, stream), _) = joined(json!({"variants": "options", "deleted_in_shop": word})).await;
        let id = product(&stage, FAMILY);
        for table in ["product", "product_description", "product_option", "product_option_value", "product_to_store", "product_to_category"]
        {
            stage.database.run(&format!("DELETE FROM oc_{table} WHERE product_id = {id}"));
        }
        let run = stage.full(&connection, &stream).await;
        for good in &goods {
            assert_eq!(stage.outcome(&run, good).await, outcome, "{word} {run}");
        }
        assert_eq!(stage.database.products(), products, "{word}");
        if word == "recreate" {
            assert_eq!((shelf(&stage).as_str(), values(&stage, FAMILY).len()), ("10 1000 1", 3));
            assert_eq!(linked(&stage, &goods.iter().collect::<Vec<_>>()), ids(&stage, FAMILY));
        }
        let again = stage.full(&connection, &stream).await;
        assert_eq!((&again["counts"]["created"], &again["counts"]["updated"]), (&json!(0), &json!(0)), "{word} {again}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_site_sells_of_a_size_is_counted_by_size() {
    let (stage, [small, ..], (connection, stream), _) = joined(options()).await;
    let value = linked(&stage, &[&small])[0].split_once('#').unwrap().1.to_owned();
    // What OpenCart writes for an order of two of that size, in its order.
    stage.order(product(&stage, FAMILY), 2);
    stage.database.run(&format!(
        "INSERT INTO oc_order_option (order_id, order_product_id, product_option_id, product_option_value_id, name, value, type) \
         SELECT order_id, order_product_id, 0, {value}, '', '', 'select' FROM oc_order_product ORDER BY order_product_id DESC LIMIT 1;
         UPDATE oc_product_option_value SET quantity = quantity - 2 WHERE product_option_value_id = {value}"
    ));
    assert_eq!(shelf(&stage), "8 1000 1");
    let run = stage.full(&connection, &stream).await;
    assert_eq!(change_of(&stage.item(&run, &small).await, "quantity")["rule"], "site_sales_kept", "{run}");
    assert_eq!(values(&stage, FAMILY), ["L | 3 | 1000 | whole", "M | 3 | 1000 | whole", "XL | 2 | 1000 | whole"]);
    assert_eq!(shelf(&stage), "8 1000 1", "no hand edit");
    stage.change(&small, json!({"stock": {FIRST: "4"}}));
    stage.full(&connection, &stream).await;
    assert_eq!(shelf(&stage), "9 1000 1", "Billz knows of the sale");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_of_a_size_does_not_fall_below_a_persons_special_of_the_product() {
    let (stage, [small, large, _], (connection, stream), _) = joined(options()).await;
    let id = product(&stage, FAMILY);
    stage.database.run(&format!(
        "INSERT INTO oc_product_special (product_id, customer_group_id, priority, price, date_start, date_end) VALUES ({id}, 1, 1, 900, '0000-00-00', '0000-00-00')"
    ));
    stage.change(&small, json!({"price": {FIRST: "800"}}));
    stage.change(&large, json!({"price": {FIRST: "950"}}));
    let run = stage.full(&connection, &stream).await;
    assert_eq!(stage.outcome(&run, &small).await, "skipped kept_beside");
    assert_eq!(values(&stage, FAMILY), ["L | 3 | 950 | whole", "M | 5 | 1000 | whole", "XL | 2 | 1000 | whole"]);
    stage.database.run(&format!("DELETE FROM oc_product_special WHERE product_id = {id}"));
    stage.full(&connection, &stream).await;
    assert_eq!(shelf(&stage), "10 800 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn brakes_weigh_sizes_like_products() {
    let (stage, [small, large, extra], (connection, stream), _) = joined(options()).await;
    for good in [&small, &large, &extra] {
        stage.change(good, json!({"price": {FIRST: "100000"}, "stock": {FIRST: "1"}}));
    }
    let run = stage.sync(&connection, &stream, "full").await;
    assert_eq!((&run["state"], &run["counts"]["held"]), (&json!("awaiting_approval"), &json!(3)), "{run}");
    assert_eq!(shelf(&stage).split(' ').nth(1), Some("1000"), "{run}");
    stage.rest.post(&format!("/sync/runs/{}/approve", run["id"].as_str().unwrap()), &json!({})).await.ok(202);
    let run = stage.rest.wait(run["id"].as_str().unwrap()).await;
    assert_eq!((&run["state"], shelf(&stage).as_str()), (&json!("succeeded"), "3 100000 1"), "{run}");
}

/// Workers die one after another at each step of one and the same run, and the shop ends up as if they had not.
#[tokio::test(flavor = "multi_thread")]
async fn killed_at_every_step_a_family_is_made_once_and_whole() {
    let points: Vec<&str> = POINTS.iter().copied().filter(|point| point.contains("family")).collect();
    assert_eq!(points.len(), 6);
    let stage = Stage::without_worker(0).await;
    variant(&stage, FAMILY, "Кўйлак / M", "5", "1000");
    variant(&stage, FAMILY, "Кўйлак / L", "3", "1200");
    variant(&stage, OTHER, "Етик / 42", "7", "5000");
    let before = option_rows(&stage);
    let (connection, stream) = stage.simple(options()).await;
    let run = stage.start(&connection, &stream, "full").await;
    dies_at(&stage, &["family-claimed", "creating-product", "before-going-live"]).await;
    dies_at(&stage, &points[1..]).await;
    dies_at(&stage, &["after-effect"]).await;
    let mut worker = stage.worker(&Spawn::default()).await;
    let ended = stage.rest.wait(&run).await;
    assert_done(&ended, "killed at every step");
    assert_eq!(ended["counts"]["created"], 3, "{ended}");
    let whole = |what: &str| {
        assert_eq!(values(&stage, FAMILY), ["L | 3 | 1200 | whole", "M | 5 | 1000 | whole"], "{what}");
        assert_eq!(stage.database.shelf(product(&stage, FAMILY)), "8 1000 1", "{what}");
        assert_eq!(stage.database.shelf(product(&stage, OTHER)), "7 5000 1", "{what}");
        stage.assert_whole(what);
    };
    whole("killed at every step");
    let added: Vec<i64> = option_rows(&stage).iter().zip(before).map(|(now, before)| now - before).collect();
    assert_eq!((added, stage.database.products()), (vec![1, 3, 2, 3], 2));

    // Between the row of a size and the sum of all.
    worker.kill();
    variant(&stage, FAMILY, "Кўйлак / XL", "2", "1300");
    let run = stage.start(&connection, &stream, "full").await;
    dies_at(&stage, &["family-value-made", "before-family-sum"]).await;
    let _worker = stage.worker(&Spawn::default()).await;
    let ended = stage.rest.wait(&run).await;
    assert_done(&ended, "joined");
    assert_eq!(values(&stage, FAMILY).len(), 3);
    assert_eq!(stage.database.shelf(product(&stage, FAMILY)), "10 1000 1");
    assert_eq!(stage.database.products(), 2);
}

async fn dies_at(stage: &Stage, points: &[&str]) {
    for point in points {
        let mut worker = stage.worker(&Spawn::failing_at(point)).await;
        assert!(worker.ended(Duration::from_secs(60)).await, "the point {point} was never passed\n{}", worker.output());
        assert!(worker.aborted(), "ended, but not at {point}\n{}", worker.output());
    }
}
