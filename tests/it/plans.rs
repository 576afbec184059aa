//! See the plan before it runs: what is approved is what was shown, and comes to what a run without a plan comes to.

use std::time::Duration;

use serde_json::{Value, json};
use tradesync::sandbox::billz2::changes::RandomChanges;
use url::Url;

use crate::support::{ADMIN_KEY, FIRST, Process, Proxy, Rest, Setup, Spawn, Stage, assert_done};

const PRODUCTS: usize = 80;

/// An hour of trade, by a seed.
fn trade(stage: &Stage, seed: u64) {
    let some = |number: u64| usize::try_from(seed * number % 40).unwrap();
    stage.billz.billz2.random_changes(&RandomChanges {
        stock: 10 + some(7),
        price: some(11),
        promo: some(3),
        new: some(5) / 4,
        deleted: some(2) / 8,
        seed,
    });
}

async fn dry(stage: &Stage, connection: &str, stream: &str) -> String {
    let body = json!({"connection": connection, "stream": stream, "mode": "full", "dry_run": true});
    let run = stage.rest.post("/sync/billz-opencart", &body).await.ok(202)["id"].as_str().unwrap().to_owned();
    assert_eq!(stage.rest.wait(&run).await["state"], "awaiting_approval");
    run
}

async fn approve(stage: &Stage, run: &str) -> Value {
    stage.rest.post(&format!("/sync/runs/{run}/approve"), &json!({})).await.ok(202);
    stage.rest.wait(run).await
}

/// A run, with whatever a brake holds of it approved.
async fn direct(stage: &Stage, connection: &str, stream: &str) {
    let run = stage.sync(connection, stream, "full").await;
    if run["state"] == "awaiting_approval" {
        assert_done(&approve(stage, run["id"].as_str().unwrap()).await, "held");
    }
}

/// Texts, brands and attributes of some goods, by a seed.
async fn edits(stage: &Stage, connection: &str, seed: u64) {
    for (number, good) in stage.links(connection).await.keys().enumerate().filter(|(number, _)| (*number as u64 + seed).is_multiple_of(7)) {
        let value = (number as u64 * 13 + seed) % 5;
        let edit = json!({
            "name": format!("Good {number} & \"{value}\""), "brand": format!("Brand {value}"), "description": format!("<p>Text {value}</p>"),
            "custom_fields": [["Сезон", format!("AW{value}")]],
        });
        // One that is gone from Billz by now cannot be edited.
        let _ = stage.billz.billz2.patch(&good.parse().unwrap(), &serde_json::from_value(edit).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn planning_and_approving_gives_the_same_shop_as_a_direct_run() {
    for seed in 1..=3 {
        let mut states = Vec::new();
        for planned in [false, true] {
            let stage = Stage::with(Setup { products: PRODUCTS, ..Setup::default() }).await;
            let all = ["quantity", "price", "special", "name", "description", "categories", "attributes", "manufacturer"];
            let (connection, stream) = stage.simple(if seed == 1 { json!({}) } else { json!({"update_fields": all}) }).await;
            for round in 0..3 {
                if planned {
                    let plan = dry(&stage, &connection, &stream).await;
                    assert_done(&approve(&stage, &plan).await, "planned");
                } else {
                    direct(&stage, &connection, &stream).await;
                }
                stage.assert_whole(&format!("seed {seed}, round {round}"));
                states.push(stage.database.shop_state());
                trade(&stage, seed * 10 + round);
                edits(&stage, &connection, seed * 10 + round).await;
            }
        }
        let (direct, planned) = states.split_at(3);
        assert_ne!(direct[0], direct[1], "nothing was traded");
        assert_eq!(direct, planned, "seed {seed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_killed_at_any_step_comes_to_the_same_end() {
    let expected = {
        let stage = Stage::with(Setup { products: PRODUCTS, ..Setup::default() }).await;
        let (connection, stream) = stage.simple(json!({})).await;
        direct(&stage, &connection, &stream).await;
        trade(&stage, 7);
        direct(&stage, &connection, &stream).await;
        stage.database.shop_state()
    };
    for point in ["after-intent", "mid-batch", "creating-product", "after-effect", "after-record", "before-cursor"] {
        let stage = Stage::without_worker(PRODUCTS).await;
        let (connection, stream) = stage.simple(json!({})).await;
        let mut worker = stage.worker(&Spawn::default()).await;
        direct(&stage, &connection, &stream).await;
        trade(&stage, 7);
        let plan = dry(&stage, &connection, &stream).await;
        worker.kill();
        stage.rest.post(&format!("/sync/runs/{plan}/approve"), &json!({})).await.ok(202);
        let mut dying = stage.worker(&Spawn::failing_at(point)).await;
        assert!(dying.ended(Duration::from_secs(30)).await && dying.aborted(), "{point}\n{}", dying.output());
        let _worker = stage.worker(&Spawn::default()).await;
        assert_done(&stage.rest.wait(&plan).await, point);
        stage.assert_whole(point);
        stage.assert_state(&expected, point);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_sends_no_statement_that_could_write_into_the_shop() {
    let stage = Stage::without_worker(40).await;
    let mut address = Url::parse(stage.database.url.expose()).unwrap();
    let proxy = Proxy::start(address.port().unwrap()).await;
    address.set_port(Some(proxy.port)).unwrap();
    let service = Process::start(&stage.database, &Spawn::default().with("DATABASE_URL", address.as_str())).await;
    let rest = Rest::new(&service.url, ADMIN_KEY);
    let (connection, stream) = stage.simple(json!({})).await;
    direct(&stage, &connection, &stream).await;
    trade(&stage, 3);
    let after_the_first = proxy.statements().len();
    dry(&stage, &connection, &stream).await;
    rest.get("/sync/runs").await.ok(200);

    let statements = proxy.statements();
    let plain = |text: &str| text.replace('`', "").trim_start_matches(['(', ' ', '\n']).to_owned();
    let writes = |text: &String| {
        let reads = ["SELECT", "SET", "SHOW", "BEGIN", "START TRANSACTION", "COMMIT", "ROLLBACK", "KILL"];
        !reads.iter().any(|verb| plain(text).to_ascii_uppercase().starts_with(verb))
    };
    let ours = |text: &String| {
        let text = plain(text);
        ["INSERT INTO", "INSERT IGNORE INTO", "UPDATE", "DELETE FROM"]
            .iter()
            .any(|verb| text.strip_prefix(verb).is_some_and(|rest| rest.trim_start().starts_with("tradesync_")))
    };
    let (before, dry) = statements.split_at(after_the_first);
    assert!(before.iter().any(|text| plain(text).contains("oc_product") && writes(text)), "the proxy sees what a real run writes");
    assert!(dry.iter().any(|text| plain(text).contains("oc_product")), "the dry run looks at the shop through the proxy");
    let wrong: Vec<&String> = dry.iter().filter(|text| writes(text) && !ours(text)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_too_old_after_its_time_and_nothing_of_it_is_applied() {
    let stage = Stage::empty().await;
    let good = stage.good(json!({}));
    let (connection, stream) = stage.simple(json!({"plan_expiry": "4s"})).await;
    let plan = dry(&stage, &connection, &stream).await;
    let path = format!("/sync/runs/{plan}");
    let until = std::time::Instant::now() + Duration::from_secs(20);
    let ended = loop {
        let run = stage.rest.get(&path).await.ok(200);
        if run["state"] != "awaiting_approval" {
            break run;
        }
        assert!(std::time::Instant::now() < until, "{run}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!((&ended["state"], &ended["error"]["code"]), (&json!("cancelled"), &json!("plan-expired")), "{ended}");
    for settle in ["approve", "reject"] {
        stage.rest.post(&format!("{path}/{settle}"), &json!({})).await.problem(409, "plan-expired");
    }
    assert_eq!(stage.database.products(), 0);
    let run = stage.full(&connection, &stream).await;
    assert_eq!(stage.outcome(&run, &good).await, "created new_product");
    stage.rest.post(&format!("/sync/runs/{}/approve", run["id"].as_str().unwrap()), &json!({})).await.problem(409, "not-awaiting");
}

/// Not only numbers: a text, a brand, an attribute or a category that somebody changed after the plan is left as it is.
#[tokio::test(flavor = "multi_thread")]
async fn approving_leaves_alone_what_a_person_has_written_since() {
    let stage = Stage::empty().await;
    let fields = ["name", "description", "manufacturer", "attributes"];
    let goods: Vec<String> =
        (0..5).map(|_| stage.good(json!({"brand": "Artel", "description": "<p>Old</p>", "custom_fields": [["Сезон", "SS25"]]}))).collect();
    let (connection, stream) = stage.simple(json!({"update_fields": fields})).await;
    stage.full(&connection, &stream).await;
    let links = stage.links(&connection).await;
    for good in &goods {
        stage.change(good, json!({"name": "New", "brand": "Samo", "description": "<p>New</p>", "custom_fields": [["Сезон", "AW26"]]}));
    }
    let plan = dry(&stage, &connection, &stream).await;
    let [name, text, brand, attribute, plain] = [0, 1, 2, 3, 4].map(|place| links[&goods[place]]);
    stage.database.run(&format!(
        "UPDATE oc_product_description SET name = 'By hand' WHERE product_id = {name} AND language_id = 3;
         UPDATE oc_product_description SET description = 'By hand' WHERE product_id = {text};
         UPDATE oc_product SET manufacturer_id = 0 WHERE product_id = {brand};
         UPDATE oc_product_attribute v JOIN oc_attribute_description d USING (attribute_id) SET v.text = 'By hand' WHERE v.product_id = {attribute} AND d.name = 'Сезон'"
    ));
    let before = stage.database.whole_product(name);
    let run = approve(&stage, &plan).await;
    assert_eq!((&run["counts"]["updated"], &run["counts"]["skipped"]), (&json!(1), &json!(4)), "{run}");
    for (good, field) in goods.iter().zip(fields) {
        assert_eq!(stage.outcome(&run, good).await, "skipped target_changed_since", "{field}");
        assert!(stage.item(&run, good).await["reason"]["text"].as_str().unwrap().contains(field), "{field}");
    }
    assert_eq!(stage.database.whole_product(name), before);
    assert_eq!(
        stage.database.cell(&format!("SELECT name FROM oc_product_description WHERE product_id = {plain} AND language_id = 1")),
        "New"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_gives_way_to_what_a_newer_run_has_decided() {
    let stage = Stage::empty().await;
    let goods: Vec<String> = (0..3).map(|_| stage.good(json!({}))).collect();
    let (connection, stream) = stage.simple(json!({})).await;
    stage.full(&connection, &stream).await;
    let set = |price: &str| goods.iter().for_each(|good| stage.change(good, json!({"price": {FIRST: price}})));
    set("1020");
    let plan = dry(&stage, &connection, &stream).await;
    // The price goes back before anybody approves: the newer run finds nothing to do, and so must the plan.
    set("1000");
    stage.full(&connection, &stream).await;
    let run = approve(&stage, &plan).await;
    assert_eq!((&run["state"], &run["counts"]["skipped"], &run["counts"]["updated"]), (&json!("succeeded"), &json!(3), &json!(0)), "{run}");
    assert_eq!(stage.outcome(&run, &goods[0]).await, "skipped superseded");
    assert_eq!(stage.database.number("SELECT COUNT(*) AS number FROM oc_product WHERE price = 1000"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_opens_in_a_spreadsheet_and_runs_nothing_there() {
    let stage = Stage::empty().await;
    let (evil, dear) = (
        stage.good(json!({"name": "=HYPERLINK(\"http://example.com\";\"Жми\")"})),
        stage.good(json!({"name": "Кабель; 2,5 \"м\"", "price": {FIRST: "12.5"}})),
    );
    let (connection, stream) = stage.simple(json!({"rounding": {"step": "0.1", "mode": "half-up"}})).await;
    let plan = dry(&stage, &connection, &stream).await;
    let csv = async |language: &str, query: &str| {
        let rest = stage.rest.with_header("accept-language", language);
        let answer = rest.get(&format!("/sync/runs/{plan}/items.csv{query}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert!(answer.header("content-type").unwrap().starts_with("text/csv; charset=utf-8"));
        assert!(answer.header("content-disposition").unwrap().contains(&format!("run-{plan}.csv")));
        // reqwest takes the mark off when it makes text of the bytes.
        answer.text.trim_start_matches('\u{feff}').to_owned()
    };
    let russian = csv("ru-RU", "").await;
    let (title, rows) = russian.split_once("\r\n").unwrap();
    assert!(title.starts_with("Код в источнике;Название;"), "{title}");
    assert!(rows.contains(&format!("{evil};\"'=HYPERLINK(\"\"http://example.com\"\";\"\"Жми\"\")\";;создан;new_product;")), "{rows}");
    assert!(rows.contains(&format!("{dear};\"Кабель; 2,5 \"\"м\"\"\";")) && rows.contains(";price;;12,5;price_of_shop;"), "{rows}");
    let english = csv("en", "?outcome=created").await;
    assert!(english.starts_with("Source id,Name,Target id,Outcome,") && english.contains(",price,,12.5,price_of_shop,"), "{english}");
    assert_eq!(csv("uz", "?outcome=failed").await.lines().count(), 1);
    stage.rest.get(&format!("/sync/runs/{plan}/items.csv?limit=5")).await.problem(400, "invalid-query");
}
