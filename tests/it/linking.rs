//! "Сопоставление товаров": a link is the only identity; sku, barcode and model only propose one, and a shop that was filled from Excel
//! gets no doubles.

use serde_json::{Value, json};
use tradesync::sandbox::billz2::catalogue::Order;

use crate::support::Stage;

/// Points of a problem document's errors.
fn pointers(problem: &Value) -> Vec<String> {
    problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_filled_from_excel_gets_no_doubles_and_waits_for_a_person() {
    let stage = Stage::empty().await;
    let by_sku = stage.good(json!({"sku": "TV-55", "stock": {"Chilonzor": "7"}, "price": {"Chilonzor": "5000"}}));
    let by_barcode = stage.good(json!({"sku": "OTHER", "barcode": "0047800012345"}));
    let fresh = stage.good(json!({}));
    let tv = stage.database.add_product("TV-55", "", "tv", 1, "4000");
    let cup = stage.database.add_product("", "0047800012345", "cup", 2, "900");
    let (connection, stream) = stage.simple(json!({})).await;
    let before = [stage.database.whole_product(tv), stage.database.whole_product(cup)];

    let first = stage.full(&connection, &stream).await;
    assert_eq!(
        (&first["counts"]["held"], &first["counts"]["created"], &first["counts"]["updated"]),
        (&json!(2), &json!(1), &json!(0)),
        "{first}"
    );
    assert_eq!(stage.outcome(&first, &by_sku).await, "held link_proposed");
    assert_eq!(stage.outcome(&first, &fresh).await, "created new_product");
    assert_eq!([stage.database.whole_product(tv), stage.database.whole_product(cup)], before, "nothing is written before it is confirmed");
    assert_eq!(stage.database.products(), 3);

    let proposed = stage.rest.all(&format!("/connections/{connection}/links?state=proposed")).await;
    assert_eq!(proposed.len(), 2);
    let question = proposed.iter().find(|link| link["source"] == by_sku.as_str()).unwrap();
    assert_eq!(question["target"], tv.to_string());
    assert_eq!(question["candidates"], json!([{"target": tv.to_string(), "name": "Old", "matched": ["sku=TV-55"]}]));

    // Asked again and again, nothing happens until a person answers.
    let again = stage.full(&connection, &stream).await;
    assert_eq!((&again["counts"]["held"], &again["counts"]["updated"]), (&json!(2), &json!(0)));
    for good in [&by_sku, &by_barcode] {
        let link = stage.rest.post(&format!("/connections/{connection}/links/{good}/confirm"), &json!({})).await.ok(200);
        assert_eq!((&link["state"], &link["origin"]), (&json!("linked"), &json!("confirmed")));
    }
    assert_eq!(stage.database.whole_product(tv), before[0], "confirming writes nothing either");
    let then = stage.full(&connection, &stream).await;
    assert_eq!((&then["counts"]["updated"], &then["counts"]["held"], &then["counts"]["created"]), (&json!(2), &json!(0), &json!(0)));
    assert_eq!((stage.database.shelf(tv).as_str(), stage.database.shelf(cup).as_str()), ("7 5000 1", "5 1000 1"));
    assert_eq!(stage.database.products(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_linking_auto_one_match_is_linked_and_updated_at_once() {
    let stage = Stage::empty().await;
    let good = stage.good(json!({"sku": "TV-55", "stock": {"Chilonzor": "7"}}));
    // Everything stands there already: only the link is made.
    let same = stage.good(json!({"sku": "CUP-1"}));
    let tv = stage.database.add_product("TV-55", "", "tv", 1, "4000");
    let cup = stage.database.add_product("CUP-1", "", "cup", 5, "1000");
    let untouched = stage.database.whole_product(cup);
    let (connection, stream) = stage.simple(json!({"linking": "auto"})).await;
    let run = stage.full(&connection, &stream).await;
    let item = stage.item(&run, &good).await;
    assert_eq!((&item["outcome"], &item["target"]), (&json!("updated"), &json!(tv.to_string())));
    let link = crate::support::change_of(&item, "link");
    assert_eq!(link["rule"], "link_auto");
    assert!(link["rule_text"].as_str().unwrap().contains("sku=TV-55"), "{link}");
    assert_eq!(stage.database.shelf(tv), "7 1000 1");
    assert_eq!((stage.product_of(&connection, &same).await, stage.database.whole_product(cup)), (cup, untouched));
    assert_eq!(stage.database.products(), 2);
    let second = stage.full(&connection, &stream).await;
    assert_eq!(second["counts"]["unchanged"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_matches_are_ambiguous_until_a_person_chooses() {
    let stage = Stage::empty().await;
    let good = stage.good(json!({"sku": "CASE", "barcode": "4780000099999"}));
    let one = stage.database.add_product("CASE", "", "a", 1, "400");
    let two = stage.database.add_product("", "4780000099999", "b", 1, "400");
    let third = stage.database.add_product("x", "", "CASE", 1, "400");
    let (connection, stream) = stage.simple(json!({"linking": "auto"})).await;
    let run = stage.full(&connection, &stream).await;
    let item = stage.item(&run, &good).await;
    assert_eq!((&item["outcome"], &item["reason"]["code"]), (&json!("skipped"), &json!("link_ambiguous")));
    for candidate in [one, two, third] {
        assert!(item["reason"]["text"].as_str().unwrap().contains(&format!("{candidate} (Old")), "{item}");
    }
    assert_eq!(stage.database.products(), 3);
    let link = stage.rest.all(&format!("/connections/{connection}/links?state=ambiguous")).await.remove(0);
    assert_eq!(link["target"], Value::Null);
    let candidates: Vec<_> = link["candidates"].as_array().unwrap().iter().map(|one| one["target"].clone()).collect();
    assert_eq!(candidates, [one, two, third].map(|id| json!(id.to_string())));
    assert_eq!(link["candidates"][1]["matched"], json!(["ean=4780000099999"]));

    let path = format!("/connections/{connection}/links/{good}/confirm");
    for wrong in [json!({}), json!({"target": "999999"}), json!({"target": ""}), json!({"target": "1; DROP TABLE oc_product"})] {
        let problem = stage.rest.post(&path, &wrong).await.problem(422, "validation-failed");
        assert_eq!(pointers(&problem), ["/target"], "{wrong}");
    }
    let link = stage.rest.post(&path, &json!({"target": two.to_string()})).await.ok(200);
    assert_eq!((&link["state"], &link["target"], &link["candidates"]), (&json!("linked"), &json!(two.to_string()), &json!([])));
    // The same answer once more is the same link; another one is refused.
    stage.rest.post(&path, &json!({"target": two.to_string()})).await.ok(200);
    stage.rest.post(&path, &json!({"target": one.to_string()})).await.problem(409, "not-awaiting");
    stage.full(&connection, &stream).await;
    assert_eq!([one, two, third].map(|id| stage.database.shelf(id)), ["1 400 1", "5 1000 1", "1 400 1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_goods_that_want_one_product_are_both_ambiguous_whatever_the_page_order() {
    let stage = Stage::with(crate::support::Setup { products: 230, ..Default::default() }).await;
    let goods = [stage.good(json!({"sku": "TWIN-1"})), stage.good(json!({"sku": "TWIN-1"}))];
    // One that matches by another key wants it too.
    let third = stage.good(json!({"sku": "X", "barcode": "4780000077777"}));
    let product = stage.database.add_product("TWIN-1", "4780000077777", "m", 1, "400");
    let before = stage.database.whole_product(product);
    let (connection, stream) = stage.simple(json!({"linking": "auto", "new_products": "off"})).await;
    for order in [Order::NewestFirst, Order::OldestFirst, Order::NewestFirst] {
        stage.billz.billz2.set_switches(|switches| {
            switches.shuffle = order == Order::NewestFirst;
            switches.order = order;
        });
        let run = stage.sync(&connection, &stream, "full").await;
        for good in [&goods[0], &goods[1], &third] {
            assert_eq!(stage.outcome(&run, good).await, "skipped link_ambiguous");
        }
    }
    assert_eq!(stage.database.whole_product(product), before);
    assert_eq!(stage.rest.all(&format!("/connections/{connection}/links?state=linked")).await.len(), 0);
    // A person gives it to one; the others then have nothing left to want.
    stage.billz.billz2.set_switches(|switches| switches.shuffle = false);
    stage.rest.put(&format!("/connections/{connection}/links/{}", goods[1]), &json!({"target": product.to_string()})).await.ok(200);
    let run = stage.sync(&connection, &stream, "full").await;
    assert_eq!(stage.outcome(&run, &goods[1]).await, "updated changed");
    assert_eq!(stage.outcome(&run, &goods[0]).await, "skipped new_products_off");
    assert_eq!(stage.rest.all(&format!("/connections/{connection}/links?state=ambiguous")).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_compared_by_their_bytes() {
    let stage = Stage::empty().await;
    // (sku in Billz, sku in the shop, whether they are the same)
    let pairs = [
        ("Abc-1", "ABC-1", false),
        ("blank-1", "blank-1 ", false),
        ("Елка", "Ёлка", false),
        ("Чайник", "Чаиник", false),
        ("cafe", "café", false),
        ("A&B", "A&amp;B", true),
        ("raw&1", "raw&1", true),
        ("Ключ \"10\"", "Ключ &quot;10&quot;", true),
        ("Ёж", "Ёж", true),
    ];
    let skus: Vec<_> = pairs
        .iter()
        .map(|(billz, shop, same)| (stage.good(json!({"sku": billz})), stage.database.add_product(shop, "", "m", 1, "400"), *same))
        .collect();
    let barcodes: Vec<_> = [("0012345", "12345", false), ("0054321", "0054321", true), ("12E3", "12000", false)]
        .iter()
        .map(|(billz, shop, same)| {
            (stage.good(json!({"sku": "", "barcode": billz})), stage.database.add_product("", shop, "m", 1, "400"), *same)
        })
        .collect();
    let (connection, stream) = stage.simple(json!({"linking": "auto"})).await;
    let run = stage.full(&connection, &stream).await;
    for ((good, product, same), pair) in
        skus.iter().chain(&barcodes).zip(pairs.iter().map(|pair| pair.0).chain(["0012345", "0054321", "12E3"]))
    {
        let outcome = stage.outcome(&run, good).await;
        assert_eq!(outcome, if *same { "updated changed" } else { "created new_product" }, "{pair}");
        assert_eq!(stage.database.shelf(*product), if *same { "5 1000 1" } else { "1 400 1" }, "{pair}");
    }
    // What was created keeps every zero, and is stored escaped once.
    let made = stage.product_of(&connection, &barcodes[0].0).await;
    assert_eq!(stage.database.cell(&format!("SELECT ean FROM oc_product WHERE product_id = {made}")), "0012345");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_sellers_product_is_never_touched_even_with_the_same_barcode() {
    let stage = Stage::empty().await;
    stage.database.run(
        "CREATE TABLE oc_ms_product (product_id INT NOT NULL PRIMARY KEY, seller_id INT NOT NULL, product_approved TINYINT NOT NULL, product_status TINYINT NOT NULL, note VARCHAR(20) NOT NULL) ENGINE=MyISAM;
         CREATE TABLE oc_vendor_to_product (vendor VARCHAR(20) NOT NULL, product_id INT NOT NULL) ENGINE=MyISAM;
         ALTER TABLE oc_product ADD seller_id INT NOT NULL DEFAULT 0, ADD shop_owner VARCHAR(20) NULL",
    );
    let good = stage.good(json!({"sku": "S-1", "barcode": "4780000000555"}));
    let foreign = stage.database.add_product("S-1", "4780000000555", "S-1", 3, "77");
    stage.database.run(&format!(
        "INSERT INTO oc_ms_product VALUES ({foreign}, 7, 1, 1, ''); INSERT INTO oc_vendor_to_product VALUES ('KMALL', {foreign}); UPDATE oc_product SET seller_id = 7, shop_owner = 'KMALL' WHERE product_id = {foreign}"
    ));
    let before = stage.database.whole_product(foreign);
    let table = |value: Value, extra: Value| json!({"link_table": "ms_product", "product_column": "product_id", "seller_column": "seller_id", "seller_value": value, "extra": extra});
    let sellers = [
        (
            "seller:1",
            table(json!(42), json!({"product_approved": 1, "product_status": true, "note": "billz"})),
            "SELECT CONCAT_WS(' ', seller_id, product_approved, product_status, note) FROM oc_ms_product WHERE product_id = {}",
            "42 1 1 billz",
        ),
        (
            "seller:2",
            json!({"link_table": "oc_vendor_to_product", "product_column": "product_id", "seller_column": "vendor", "seller_value": "kmall"}),
            "SELECT vendor FROM oc_vendor_to_product WHERE product_id = {}",
            "kmall",
        ),
        (
            "seller:3",
            json!({"product_table_column": "seller_id", "seller_value": "43"}),
            "SELECT seller_id FROM oc_product WHERE product_id = {}",
            "43",
        ),
        (
            "seller:4",
            json!({"product_table_column": "shop_owner", "seller_value": "kmall"}),
            "SELECT shop_owner FROM oc_product WHERE product_id = {}",
            "kmall",
        ),
    ];
    for (owner, seller, question, expected) in sellers {
        let settings = json!({"linking": "auto", "opencart": {"seller": seller}});
        let (connection, stream) = stage.simple_of(owner, settings).await;
        let run = stage.full(&connection, &stream).await;
        assert_eq!(stage.outcome(&run, &good).await, "created new_product", "{owner}");
        let made = stage.product_of(&connection, &good).await;
        assert_eq!(stage.database.cell(&question.replace("{}", &made.to_string())), expected, "{owner}");
        // Nor can a person link it.
        let path = format!("/connections/{connection}/links/{good}");
        let problem = stage.rest.put(&path, &json!({"target": foreign.to_string()})).await.problem(422, "validation-failed");
        assert_eq!(pointers(&problem), ["/target"]);
        // A product that goes over to another seller is left alone from then on.
        if owner == "seller:1" {
            stage.database.run(&format!("UPDATE oc_ms_product SET seller_id = 7 WHERE product_id = {made}"));
            stage.change(&good, json!({"price": {"Chilonzor": "1234"}}));
            let run = stage.full(&connection, &stream).await;
            assert_eq!(stage.outcome(&run, &good).await, "skipped foreign_owner");
            assert_eq!(stage.database.shelf(made), "5 1000 1");
            stage.change(&good, json!({"price": {"Chilonzor": "1000"}}));
        }
    }
    assert_eq!(stage.database.whole_product(foreign), before);
    // A value that the seller's column cannot mean is said at once.
    let (connection, stream) =
        stage.simple(json!({"opencart": {"seller": {"product_table_column": "seller_id", "seller_value": "abc"}}})).await;
    let run = stage.sync(&connection, &stream, "full").await;
    assert_eq!((&run["state"], &run["error"]["code"]), (&json!("failed"), &json!("config-invalid")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_linked_by_another_connection_on_the_same_shop_is_not_free() {
    let stage = Stage::empty().await;
    let good = stage.good(json!({"sku": "ONE"}));
    let product = stage.database.add_product("ONE", "", "m", 1, "400");
    let (first, stream) = stage.simple(json!({"linking": "auto"})).await;
    stage.full(&first, &stream).await;
    assert_eq!(stage.product_of(&first, &good).await, product);
    // Another seller with the same Billz, so even the source's id is the same.
    let (second, stream) = stage.simple_of("seller:43", json!({"linking": "auto"})).await;
    stage.rest.put(&format!("/connections/{second}/links/{good}"), &json!({"target": product.to_string()})).await.problem(409, "in-use");
    let run = stage.full(&second, &stream).await;
    assert_eq!(stage.outcome(&run, &good).await, "created new_product");
    assert_ne!(stage.product_of(&second, &good).await, product);
    assert_eq!(stage.product_of(&first, &good).await, product);
    assert_eq!(stage.database.products(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_listed_set_and_removed() {
    let stage = Stage::empty().await;
    let (good, other) = (stage.good(json!({"sku": "ONE"})), stage.good(json!({"sku": "TWO"})));
    let product = stage.database.add_product("nothing alike", "", "m", 1, "400");
    let (connection, stream) = stage.simple(json!({"new_products": "off"})).await;
    let links = format!("/connections/{connection}/links");
    assert_eq!(stage.rest.get(&links).await.ok(200), json!({"items": [], "next_cursor": null}));
    let link = stage.rest.put(&format!("{links}/{good}"), &json!({"target": product.to_string()})).await.ok(200);
    assert_eq!((&link["state"], &link["origin"], &link["target"]), (&json!("linked"), &json!("set"), &json!(product.to_string())));
    let run = stage.full(&connection, &stream).await;
    assert_eq!(stage.outcome(&run, &good).await, "updated changed");
    assert_eq!(stage.database.shelf(product), "5 1000 1");
    let listed = stage.rest.all(&format!("{links}?state=linked")).await;
    assert_eq!((listed.len(), &listed[0]["run"]), (1, &run["id"]));
    assert_eq!(stage.rest.all(&format!("{links}?state=ambiguous")).await.len(), 0);

    // One product, one link.
    stage.rest.put(&format!("{links}/{other}"), &json!({"target": product.to_string()})).await.problem(409, "in-use");
    for (body, pointer) in [
        (json!({"target": "999"}), "/target"),
        (json!({}), "/target"),
        (json!({"target": 5}), "/target"),
        (json!({"target": "5", "x": 1}), "/x"),
    ] {
        let problem = stage.rest.put(&format!("{links}/{other}"), &body).await.problem(422, "validation-failed");
        assert_eq!(pointers(&problem), [pointer], "{body}");
    }
    stage.rest.get(&format!("{links}?state=nonsense")).await.problem(400, "invalid-query");
    stage.rest.post(&format!("{links}/{other}/confirm"), &json!({})).await.problem(404, "not-found");
    stage.rest.delete(&format!("{links}/{other}")).await.problem(404, "not-found");
    stage.rest.delete(&format!("{links}/'%20OR%201=1")).await.problem(404, "not-found");

    assert_eq!(stage.rest.delete(&format!("{links}/{good}")).await.status, 204);
    stage.database.run("UPDATE oc_product SET quantity = 9");
    let run = stage.full(&connection, &stream).await;
    assert_eq!(stage.outcome(&run, &good).await, "skipped new_products_off");
    assert_eq!(stage.database.shelf(product), "9 1000 1", "without its link a product is nobody's business");
    stage.rest.put(&format!("{links}/{other}"), &json!({"target": product.to_string()})).await.ok(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_outlive_their_connection_and_bind_it_to_source_and_target() {
    let stage = Stage::empty().await;
    let good = stage.good(json!({}));
    let (connection, stream) = stage.simple(json!({})).await;
    stage.full(&connection, &stream).await;
    let product = stage.product_of(&connection, &good).await;

    let path = format!("/connections/{connection}");
    for settings in [json!({"base_url": "http://127.0.0.1:9"}), json!({"opencart": {"table_prefix": "other_"}}), json!({"base_url": null})]
    {
        let problem = stage.rest.patch(&path, &json!({"settings": settings})).await.problem(409, "in-use");
        assert!(problem["detail"].as_str().unwrap().contains("1 links"), "{problem}");
    }
    stage.rest.patch(&path, &json!({"owner": "seller:99"})).await.problem(409, "in-use");
    stage.rest.patch(&path, &json!({"settings": {"stock_buffer": 1}})).await.ok(200);

    assert_eq!(stage.rest.delete(&path).await.status, 204);
    let (successor, stream) = stage.simple(json!({"linking": "confirm"})).await;
    assert_eq!(stage.product_of(&successor, &good).await, product, "the successor adopts them");
    let run = stage.full(&successor, &stream).await;
    assert_eq!((&run["counts"]["created"], &run["counts"]["unchanged"]), (&json!(0), &json!(1)));
    assert_eq!(stage.database.products(), 1);
    // Without links it may go anywhere.
    stage.rest.delete(&format!("/connections/{successor}/links/{good}")).await;
    stage.rest.patch(&format!("/connections/{successor}"), &json!({"settings": {"base_url": "http://127.0.0.1:9"}})).await.ok(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_links_hide_no_match_and_hold_no_reused_id() {
    let stage = Stage::empty().await;
    let dead: Vec<String> = (0..4).map(|_| stage.good(json!({}))).collect();
    let (connection, stream) = stage.simple(json!({"linking": "auto"})).await;
    stage.full(&connection, &stream).await;
    let reused = stage.product_of(&connection, &dead[0]).await;
    stage.database.run("DELETE FROM oc_product; DELETE FROM oc_product_description; DELETE FROM oc_product_to_store");
    // Fewer products than links; one of them under an id that a link remembers.
    let good = stage.good(json!({"sku": "BY-HAND"}));
    let product = stage.database.add_product("BY-HAND", "", "m", 1, "400");
    let restored = stage.good(json!({"sku": "RESTORED"}));
    let id = stage.database.add_product("RESTORED", "", "m", 1, "400");
    stage.database.run(&format!(
        "UPDATE oc_product SET product_id = {reused} WHERE product_id = {id}; UPDATE oc_product_description SET product_id = {reused} WHERE product_id = {id}"
    ));
    let run = stage.full(&connection, &stream).await;
    assert_eq!(stage.outcome(&run, &dead[0]).await, "skipped target_replaced");
    assert_eq!(stage.outcome(&run, &dead[1]).await, "skipped target_deleted");
    assert_eq!((stage.product_of(&connection, &good).await, stage.database.shelf(product).as_str()), (product, "5 1000 1"));
    assert_eq!((stage.product_of(&connection, &restored).await, stage.database.shelf(reused).as_str()), (reused, "5 1000 1"));
    assert_eq!(stage.database.products(), 2, "no doubles");
    let after = stage.full(&connection, &stream).await;
    assert_eq!(stage.outcome(&after, &dead[0]).await, "skipped target_deleted");
    assert_eq!((&after["counts"]["created"], &after["counts"]["unchanged"]), (&json!(0), &json!(2)));
}
