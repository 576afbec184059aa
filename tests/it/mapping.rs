//! Requirement section 4.1: "необходимо реализовать механизм маппинга категорий товара между billz и kmall.uz".

use std::time::Duration;

use serde_json::{Value, json};

use tradesync::sandbox::billz2::faults::{Family, Fault, Rule};

use crate::support::{Spawn, Stage, assert_done, change_of};

/// Categories of the seed rows of the shop.
const CLOTHES: i64 = 20;
const T_SHIRTS: i64 = 24;
const ELECTRONICS: i64 = 25;

/// A stage with a connection whose unmapped goods wait, and which reads whole only when it is told to.
async fn waiting_stage() -> (Stage, String, String) {
    let stage = Stage::empty().await;
    let (connection, stream) = stage.simple(json!({"unmapped_category": "inbox", "full_every": "24h"})).await;
    (stage, connection, stream)
}

impl Stage {
    async fn map(&self, connection: &str, pairs: &[(&str, i64)]) -> Value {
        let items: Vec<Value> = pairs.iter().map(|(source, target)| json!({"source": source, "target": target.to_string()})).collect();
        let path = format!("/connections/{connection}/category-mappings");
        self.rest.put_matching(&path, "*", &json!({"items": items})).await.ok(200)
    }

    async fn unmapped(&self, connection: &str) -> Vec<Value> {
        self.rest.all(&format!("/connections/{connection}/category-mappings/unmapped")).await
    }

    /// The id of a Billz category, by the names from its root down.
    async fn category(&self, connection: &str, path: &str) -> String {
        let all = self.rest.all(&format!("/connections/{connection}/category-mappings/unmapped?all=true")).await;
        let found = all.iter().find(|row| row["source_name"] == path).unwrap_or_else(|| panic!("no {path} in {all:?}"));
        found["source"].as_str().unwrap().to_owned()
    }

    /// The categories that a product stands in.
    fn filed(&self, product: i64) -> Vec<i64> {
        let rows = self.database.words(&format!(
            "SELECT CAST(category_id AS CHAR) AS words FROM oc_product_to_category WHERE product_id = {product} ORDER BY category_id"
        ));
        rows.iter().map(|id| id.parse().unwrap()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unmapped_good_waits_and_is_imported_by_the_next_run_once_its_category_is_mapped() {
    let (stage, connection, stream) = waiting_stage().await;
    let shirts: Vec<String> = (0..3).map(|_| stage.good(json!({"category": "Футболки"}))).collect();
    let phone = stage.good(json!({"category": "Смартфоны"}));
    let run = stage.full(&connection, &stream).await;
    assert_eq!(run["counts"]["skipped"], 4, "{run}");
    assert_eq!(stage.outcome(&run, &phone).await, "skipped category_unmapped");

    // Those that most goods wait for come first, with the likeliest categories of the shop.
    let unmapped = stage.unmapped(&connection).await;
    let told: Vec<(&str, u64)> =
        unmapped.iter().map(|row| (row["source_name"].as_str().unwrap(), row["count"].as_u64().unwrap())).collect();
    assert_eq!(told, [("Одежда / Футболки", 3), ("Электроника / Смартфоны", 1)]);
    let best = &unmapped[0]["proposals"][0];
    assert_eq!((&best["target"], &best["name"], &best["score"]), (&json!("24"), &json!("Одежда > Футболки"), &json!(1.0)), "{best}");
    // A page at a time, too.
    let page = stage.rest.get(&format!("/connections/{connection}/category-mappings/unmapped?limit=1")).await.ok(200);
    let next = page["next_cursor"].as_str().unwrap();
    let page = stage.rest.get(&format!("/connections/{connection}/category-mappings/unmapped?limit=1&cursor={next}")).await.ok(200);
    assert_eq!((&page["items"][0], &page["next_cursor"]), (&unmapped[1], &Value::Null));

    stage.map(&connection, &[(unmapped[0]["source"].as_str().unwrap(), T_SHIRTS)]).await;
    assert_eq!(stage.unmapped(&connection).await.len(), 1, "what is mapped waits no more");
    let asked = stage.product_requests().len();
    let run = stage.sync(&connection, &stream, "incremental").await;
    assert_eq!((&run["state"], &run["read"]["mode"], &run["read"]["changed"]), (&json!("succeeded"), &json!("incremental"), &json!(0)));
    assert!(stage.product_requests()[asked..].iter().all(|target| target.contains("last_updated_date")), "no full read");
    assert_eq!((&run["counts"]["created"], &run["counts"]["skipped"]), (&json!(3), &json!(1)), "{run}");
    let made = stage.product_of(&connection, &shirts[0]).await;
    assert_eq!(stage.filed(made), [T_SHIRTS]);
    let item = stage.item(&run, &shirts[0]).await;
    assert_eq!(change_of(&item, "categories")["rule"], "category_mapped");
    assert_eq!(stage.unmapped(&connection).await[0]["source_name"], "Электроника / Смартфоны");

    // A good that vanishes waits no more.
    stage.billz.billz2.delete(&phone.parse().unwrap());
    stage.full(&connection, &stream).await;
    assert_eq!(stage.unmapped(&connection).await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_category_follows_its_nearest_mapped_ancestor() {
    let (stage, connection, stream) = waiting_stage().await;
    let dress = stage.good(json!({"category": "Ko'ylaklar"}));
    let shirt = stage.good(json!({"category": "Футболки"}));
    let clothes = stage.category(&connection, "Одежда").await;
    let own = stage.category(&connection, "Одежда / Футболки").await;
    let mapped = stage.map(&connection, &[(&clothes, CLOTHES), (&own, T_SHIRTS)]).await;
    let rows = mapped["items"].as_array().unwrap();
    let row = |name: &str| rows.iter().find(|row| row["source_name"] == name).unwrap_or_else(|| panic!("no {name} in {rows:?}"));
    assert_eq!(
        (&row("Одежда")["target"], &row("Одежда")["target_name"], &row("Одежда")["inherited"]),
        (&json!("20"), &json!("Одежда"), &json!(false))
    );
    // Two levels below.
    let dresses = row("Одежда / Ayollar kiyimi / Ko'ylaklar");
    assert_eq!((&dresses["target"], &dresses["inherited"]), (&json!("20"), &json!(true)));
    assert_eq!((&row("Одежда / Футболки")["target"], &row("Одежда / Футболки")["inherited"]), (&json!("24"), &json!(false)));
    // Empty names are a dash, and repeated ones are told apart by their paths.
    assert!(rows.iter().filter(|row| row["source_name"].as_str().unwrap().ends_with("Аксессуары")).count() == 1);
    stage.full(&connection, &stream).await;
    assert_eq!(stage.filed(stage.product_of(&connection, &dress).await), [CLOTHES]);
    assert_eq!(stage.filed(stage.product_of(&connection, &shirt).await), [T_SHIRTS]);
    let categories = stage.billz.billz2.requests().requests.into_iter().filter(|entry| entry.target.starts_with("/v2/category")).count();
    assert!(categories <= 2, "the tree was asked for {categories} times");
}

#[tokio::test(flavor = "multi_thread")]
async fn goods_without_a_category_have_a_mapping_of_their_own_and_the_default_is_the_last_resort() {
    let (stage, connection, stream) = waiting_stage().await;
    let (bare, phone) = (stage.good(json!({})), stage.good(json!({"category": "Смартфоны"})));
    let run = stage.full(&connection, &stream).await;
    assert_eq!(stage.outcome(&run, &bare).await, "skipped category_unmapped");
    let unmapped = stage.unmapped(&connection).await;
    assert_eq!(
        (&unmapped[0]["source"], &unmapped[0]["source_name"], &unmapped[0]["count"], &unmapped[0]["proposals"]),
        (&json!(""), &json!(""), &json!(1), &json!([]))
    );
    stage.map(&connection, &[("", ELECTRONICS)]).await;
    stage
        .rest
        .patch(
            &format!("/connections/{connection}"),
            &json!({"settings": {"unmapped_category": "default", "default_category_id": CLOTHES}}),
        )
        .await
        .ok(200);
    let run = stage.sync(&connection, &stream, "incremental").await;
    assert_eq!(stage.filed(stage.product_of(&connection, &bare).await), [ELECTRONICS], "what is mapped comes before the default");
    assert_eq!(stage.filed(stage.product_of(&connection, &phone).await), [CLOTHES]);
    assert_eq!(change_of(&stage.item(&run, &phone).await, "categories")["rule"], "default_category");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_to_a_category_that_was_deleted_in_the_shop_counts_as_none() {
    let (stage, connection, stream) = waiting_stage().await;
    let shirt = stage.good(json!({"category": "Футболки"}));
    let source = stage.category(&connection, "Одежда / Футболки").await;
    stage.map(&connection, &[(&source, T_SHIRTS)]).await;
    stage.database.run("DELETE FROM oc_category WHERE category_id = 24; DELETE FROM oc_category_description WHERE category_id = 24");
    let run = stage.full(&connection, &stream).await;
    assert_eq!(stage.outcome(&run, &shirt).await, "skipped category_unmapped");
    let mapped = stage.rest.get(&format!("/connections/{connection}/category-mappings")).await.ok(200);
    assert_eq!(mapped["items"][0]["target_name"], Value::Null);
    stage
        .rest
        .patch(&format!("/connections/{connection}"), &json!({"settings": {"unmapped_category": "default", "default_category_id": 999}}))
        .await
        .ok(200);
    let run = stage.sync(&connection, &stream, "incremental").await;
    assert_eq!(stage.outcome(&run, &shirt).await, "skipped default_category_missing");
    // It cannot be mapped anew to what is not there.
    let path = format!("/connections/{connection}/category-mappings");
    let body = json!({"items": [{"source": source, "target": "24"}]});
    let problem = stage.rest.put_matching(&path, "*", &body).await.problem(422, "validation-failed");
    assert_eq!(problem["errors"][0]["pointer"], "/items/0/target");
}

#[tokio::test(flavor = "multi_thread")]
async fn categories_follow_the_mapping_only_where_the_settings_say_so_and_people_keep_theirs() {
    let (stage, connection, stream) = waiting_stage().await;
    let shirt = stage.good(json!({"category": "Футболки"}));
    let source = stage.category(&connection, "Одежда / Футболки").await;
    stage.map(&connection, &[(&source, T_SHIRTS)]).await;
    stage.full(&connection, &stream).await;
    let product = stage.product_of(&connection, &shirt).await;
    stage.database.run(&format!("INSERT INTO oc_product_to_category (product_id, category_id) VALUES ({product}, {ELECTRONICS})"));
    stage.map(&connection, &[(&source, CLOTHES)]).await;
    stage.full(&connection, &stream).await;
    assert_eq!(stage.filed(product), [T_SHIRTS, ELECTRONICS], "by default only new goods follow the mapping");

    let fields = json!({"settings": {"update_fields": ["quantity", "price", "special", "categories"]}});
    stage.rest.patch(&format!("/connections/{connection}"), &fields).await.ok(200);
    let run = stage.full(&connection, &stream).await;
    assert_eq!(stage.filed(product), [CLOTHES, ELECTRONICS], "ours is exchanged, the one that a person added stays");
    let change = change_of(&stage.item(&run, &shirt).await, "categories");
    assert_eq!((&change["old"], &change["new"]), (&json!("24"), &json!("20")));
    let again = stage.full(&connection, &stream).await;
    assert_eq!(again["counts"]["unchanged"], 1, "{again}");
    // Nothing mapped: nothing moves.
    stage.map(&connection, &[]).await;
    stage.full(&connection, &stream).await;
    assert_eq!(stage.filed(product), [CLOTHES, ELECTRONICS]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_shows_where_goods_would_go_and_changes_neither_shop_nor_inbox() {
    let (stage, connection, stream) = waiting_stage().await;
    let shirt = stage.good(json!({"category": "Футболки"}));
    let source = stage.category(&connection, "Одежда / Футболки").await;
    let body = json!({"connection": connection, "stream": stream, "mode": "full", "dry_run": true});
    let dry = |body: Value| {
        let stage = &stage;
        async move {
            let run = stage.rest.post("/sync/billz-opencart", &body).await.ok(202);
            stage.rest.wait(run["id"].as_str().unwrap()).await
        }
    };
    let run = dry(body.clone()).await;
    assert_eq!(stage.outcome(&run, &shirt).await, "skipped category_unmapped");
    assert_eq!(stage.unmapped(&connection).await, Vec::<Value>::new());
    stage.map(&connection, &[(&source, T_SHIRTS)]).await;
    let run = dry(body).await;
    assert_eq!(change_of(&stage.item(&run, &shirt).await, "categories")["new"], json!("24"));
    assert_eq!(stage.database.products(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_category_list_holds_up_nothing() {
    let (stage, connection, stream) = waiting_stage().await;
    let shirt = stage.good(json!({"category": "Футболки"}));
    let source = stage.category(&connection, "Одежда / Футболки").await;
    stage.map(&connection, &[(&source, T_SHIRTS)]).await;
    stage.database.run("UPDATE tradesync_group_trees SET read_at = '2020-01-01', `groups` = '[]'");
    stage.billz.billz2.add_fault(Rule::new("/v2/category", 9, Fault::Status { code: 403, family: Family::B, retry_after: None }));
    let run = stage.full(&connection, &stream).await;
    assert_eq!(stage.outcome(&run, &shirt).await, "created new_product");
    let mapped = stage.rest.get(&format!("/connections/{connection}/category-mappings")).await.ok(200);
    assert_eq!(mapped["items"].as_array().unwrap().len(), 1);
}

/// A worker dies after the mapping while it imports the waiting goods; the next one finishes, and nothing is made twice.
#[tokio::test(flavor = "multi_thread")]
async fn killed_while_importing_what_had_waited() {
    for point in
        ["after-plan", "after-decide", "after-intent", "product-without-children", "before-going-live", "after-effect", "before-cursor"]
    {
        let stage = Stage::without_worker(0).await;
        let goods: Vec<String> = (0..40).map(|_| stage.good(json!({"category": "Футболки"}))).collect();
        let (connection, stream) = stage.simple(json!({"unmapped_category": "inbox", "full_every": "24h"})).await;
        let mut worker = stage.worker(&Spawn::default()).await;
        assert_eq!(stage.full(&connection, &stream).await["counts"]["skipped"], 40);
        worker.kill();
        let unmapped = stage.unmapped(&connection).await;
        stage.map(&connection, &[(unmapped[0]["source"].as_str().unwrap(), T_SHIRTS)]).await;
        let run = stage.start(&connection, &stream, "incremental").await;
        let mut dying = stage.worker(&Spawn::failing_at(point)).await;
        assert!(dying.ended(Duration::from_secs(30)).await && dying.aborted(), "{point}: {}", dying.output());
        let _worker = stage.worker(&Spawn::default()).await;
        let ended = stage.rest.wait(&run).await;
        assert_done(&ended, point);
        assert_eq!(ended["counts"]["created"], 40, "{point}: {ended}");
        stage.assert_whole(point);
        assert_eq!((stage.database.products(), stage.links(&connection).await.len()), (40, goods.len()), "{point}");
        let wrong = stage.database.number("SELECT COUNT(*) AS number FROM oc_product_to_category WHERE category_id <> 24");
        assert_eq!(wrong, 0, "{point}");
        assert_eq!(stage.database.number("SELECT COUNT(*) AS number FROM tradesync_inbox"), 0, "{point}");
        assert_eq!(stage.unmapped(&connection).await, Vec::<Value>::new(), "{point}");
    }
}
