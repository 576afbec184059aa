//! "Акция": a promotion of Billz becomes a special for every customer group, and ends as the requirement says.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};

use crate::support::{FIRST, Stage, change_of};

fn promo(price: Value) -> Value {
    json!({"promo": {FIRST: price}})
}

fn both(price: &str) -> Vec<String> {
    ["1", "2"].map(|group| format!("{group}:{price}:0000-00-00:0000-00-00")).into()
}

/// An admin's own special for retail customers.
fn add_special(stage: &Stage, product: i64, price: &str) {
    stage.database.run(&format!(
        "INSERT INTO oc_product_special (product_id, customer_group_id, priority, price, date_start, date_end) VALUES ({product}, 1, 1, {price}, '0000-00-00', '2099-01-01')"
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_is_a_special_for_every_customer_group_until_it_is_gone() {
    let stage = Stage::empty().await;
    let (good, fresh) = (stage.good(json!({})), stage.good(promo(json!("800.4"))));
    let (connection, stream) = stage.simple(json!({})).await;
    let run = stage.full(&connection, &stream).await;
    let (product, made) = (stage.product_of(&connection, &good).await, stage.product_of(&connection, &fresh).await);
    assert_eq!((stage.database.specials(made), stage.database.specials(product)), (both("800"), vec![]));
    let text = change_of(&stage.item(&run, &fresh).await, "special")["rule_text"].as_str().unwrap().to_owned();
    assert!(text.ends_with("; 800.4 before rounding."), "{text}");

    stage.change(&good, promo(json!("900")));
    let run = stage.full(&connection, &stream).await;
    let change = change_of(&stage.item(&run, &good).await, "special");
    assert_eq!((&change["old"], &change["new"], &change["rule"]), (&Value::Null, &json!("900"), &json!("promo")));
    assert_eq!((stage.database.specials(product), stage.database.shelf(product).as_str()), (both("900"), "5 1000 1"));
    // The rows stay the same rows when the price of the promotion moves.
    let ids = || {
        stage
            .database
            .words(&format!("SELECT CAST(product_special_id AS CHAR) AS words FROM oc_product_special WHERE product_id = {product}"))
    };
    let before = ids();
    stage.change(&good, promo(json!("850")));
    stage.full(&connection, &stream).await;
    assert_eq!((stage.database.specials(product), ids()), (both("850"), before));
    assert_eq!(stage.full(&connection, &stream).await["counts"]["updated"], 0);
    // A hand in the shop is put right; a new customer group gets its row.
    stage.database.run(&format!(
        "UPDATE oc_product_special SET price = 1 WHERE product_id = {product} AND customer_group_id = 2; INSERT INTO oc_customer_group VALUES (3, 0, 3)"
    ));
    stage.full(&connection, &stream).await;
    assert_eq!(stage.database.specials(product).len(), 3);
    assert!(stage.database.specials(product).iter().all(|row| row.contains(":850:")));

    stage.change(&good, promo(Value::Null));
    let run = stage.full(&connection, &stream).await;
    let change = change_of(&stage.item(&run, &good).await, "special");
    assert_eq!((&change["old"], &change["new"], &change["rule"]), (&json!("850"), &Value::Null, &json!("promo_ended")));
    assert_eq!(stage.database.specials(product), Vec::<String>::new());
    assert_eq!(stage.full(&connection, &stream).await["counts"]["updated"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_promotion_a_special_ends_only_when_the_price_moved() {
    let stage = Stage::empty().await;
    let goods: Vec<String> = (0..4).map(|_| stage.good(json!({}))).collect();
    for (owner, settings) in [("seller:1", json!({})), ("seller:2", json!({"specials_scope": "own"}))] {
        let own = owner == "seller:2";
        for good in &goods {
            stage.change(good, json!({"price": {FIRST: "1000"}, "promo": {FIRST: null}}));
        }
        let (connection, stream) = stage.simple_of(owner, settings).await;
        stage.full(&connection, &stream).await;
        let links = stage.links(&connection).await;
        let [left, moved, promoted, ended] = [0, 1, 2, 3].map(|place| links[&goods[place]]);
        for good in &goods[2..] {
            stage.change(good, promo(json!("700")));
        }
        stage.full(&connection, &stream).await;
        for product in [left, moved, promoted, ended] {
            add_special(&stage, product, "600");
        }
        let admins = |product: i64| stage.database.specials(product).iter().any(|row| row.starts_with("1:600:"));
        let ours = |product: i64| stage.database.specials(product).iter().filter(|row| row.contains(":700:")).count();
        // No promotion, the price stands: the admin's own special stays, also when a hand moved price and stock.
        stage.database.run(&format!("UPDATE oc_product SET price = 5, quantity = 1 WHERE product_id = {left}"));
        stage.full(&connection, &stream).await;
        assert_eq!((stage.database.shelf(left).as_str(), admins(left), admins(moved)), ("5 1000 1", true, true), "{owner}");
        // Under a promotion the document's scope allows no other special beside it.
        assert_eq!((admins(promoted), ours(promoted), ours(ended)), (own, 2, 2), "{owner}");
        if !own {
            add_special(&stage, ended, "600");
        }
        // The price moves, of one good together with the end of its promotion.
        stage.change(&goods[1], json!({"price": {FIRST: "1100"}}));
        stage.change(&goods[3], json!({"price": {FIRST: "1100"}, "promo": {FIRST: null}}));
        let run = stage.full(&connection, &stream).await;
        assert_eq!((admins(moved), admins(ended), ours(ended)), (own, own, 0), "{owner}");
        assert_eq!(change_of(&stage.item(&run, &goods[3]).await, "special")["rule"], "special_removed_price_changed", "{owner}");
        if !own {
            assert_eq!(change_of(&stage.item(&run, &goods[1]).await, "special")["old"], "600");
        }
        assert!(admins(left), "{owner}");
        assert_eq!(stage.full(&connection, &stream).await["counts"]["updated"], 0, "{owner}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_special_is_closed_with_yesterdays_date_where_the_settings_say_so() {
    let stage = Stage::empty().await;
    let good = stage.good(promo(json!("700")));
    let (connection, stream) = stage.simple(json!({"specials": "close"})).await;
    stage.full(&connection, &stream).await;
    let product = stage.product_of(&connection, &good).await;
    let day =
        |offset: i64| (chrono::Utc::now() + chrono::Duration::hours(5) + chrono::Duration::days(offset)).format("%Y-%m-%d").to_string();
    for _ in 0..2 {
        stage.change(&good, promo(Value::Null));
        let (before, _) = (day(-1), stage.full(&connection, &stream).await);
        let closed = |yesterday: &str| ["1", "2"].map(|group| format!("{group}:700:0000-00-00:{yesterday}"));
        let found = stage.database.specials(product);
        // The shop's day may turn while the run goes on.
        assert!(found == closed(&before) || found == closed(&day(-1)), "{found:?}");
        assert_eq!(stage.full(&connection, &stream).await["counts"]["updated"], 0);
        // The next promotion opens the same rows again: closing month after month piles nothing up.
        stage.change(&good, promo(json!("700")));
        stage.full(&connection, &stream).await;
        assert_eq!(stage.database.specials(product), both("700"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_special_is_never_above_the_price_and_never_nothing() {
    let stage = Stage::empty().await;
    // Above, equal, equal once rounded, nothing once rounded, and one that is right.
    let goods: Vec<String> = ["1200", "1000", "999.9", "0.2", "999"].iter().map(|price| stage.good(promo(json!(price)))).collect();
    let (connection, stream) = stage.simple(json!({})).await;
    stage.full(&connection, &stream).await;
    let links = stage.links(&connection).await;
    let specials: Vec<Vec<String>> = goods.iter().map(|good| stage.database.specials(links[good])).collect();
    assert_eq!(specials, [vec![], vec![], vec![], vec![], both("999")]);
    // The same for products that stand already.
    for (good, price) in goods.iter().zip(["999", "1200", "1000", "999.9", "0.2"]) {
        stage.change(good, promo(json!(price)));
    }
    stage.full(&connection, &stream).await;
    let specials: Vec<Vec<String>> = goods.iter().map(|good| stage.database.specials(links[good])).collect();
    assert_eq!(specials, [both("999"), vec![], vec![], vec![], vec![]]);
    assert_eq!(stage.database.number("SELECT COUNT(*) AS number FROM oc_product_special s JOIN oc_product p USING (product_id) WHERE s.price <= 0 OR s.price >= p.price"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_never_a_moment_without_the_special() {
    let stage = Stage::empty().await;
    let good = stage.good(promo(json!("900")));
    let (connection, stream) = stage.simple(json!({})).await;
    stage.full(&connection, &stream).await;
    let product = stage.product_of(&connection, &good).await;
    // What the storefront asks for a guest, over and over, in a session of its own.
    let over = Arc::new(AtomicBool::new(false));
    let (url, stop) = (stage.database.url.clone(), over.clone());
    let visitor = std::thread::spawn(move || {
        use diesel::{Connection, QueryableByName, RunQueryDsl, sql_query, sql_types};
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = sql_types::Text)]
            price: String,
        }
        let mut connection = diesel::MysqlConnection::establish(url.expose()).unwrap();
        let question = format!(
            "SELECT CAST(price AS CHAR) AS price FROM oc_product_special WHERE product_id = {product} AND customer_group_id = 1 AND (date_start = '0000-00-00' OR date_start < NOW()) \
             AND (date_end = '0000-00-00' OR date_end > NOW()) ORDER BY priority, price LIMIT 1"
        );
        let (mut looks, mut gaps, mut seen) = (0, 0, std::collections::BTreeSet::new());
        while !stop.load(Ordering::SeqCst) {
            let rows: Vec<Row> = sql_query(&question).load(&mut connection).unwrap();
            looks += 1;
            gaps += usize::from(rows.is_empty());
            seen.extend(rows.into_iter().map(|row| row.price));
            std::thread::sleep(Duration::from_micros(300));
        }
        (looks, gaps, seen)
    });
    for price in ["850", "870", "800"] {
        stage.change(&good, promo(json!(price)));
        stage.full(&connection, &stream).await;
        // Others' rows come and go beside ours.
        add_special(&stage, product, "500");
    }
    stage.change(&good, promo(json!("810")));
    stage.full(&connection, &stream).await;
    over.store(true, Ordering::SeqCst);
    let (looks, gaps, seen) = visitor.join().unwrap();
    assert_eq!(gaps, 0, "of {looks} looks");
    assert!(looks > 200 && seen.contains("900.0000") && seen.contains("810.0000"), "{looks} {seen:?}");
    assert_eq!(stage.database.specials(product), both("810"));
}
