//! Section 2.2 and 3 of the requirement, sentence by sentence.

use serde_json::{Value, json};

use super::{Pair, body, count, of_insales, of_kaktus};
use crate::support::{Setup, Stage, change_of};

/// «Проходим по всем товарам и вариантам ... добавляем вариант в запрос на обновление остатков в InSales»
#[tokio::test(flavor = "multi_thread")]
async fn every_variant_with_a_unique_barcode_gets_its_own_stock_and_nothing_else_is_touched() {
    let pair = Pair::new(json!({})).await;
    let before = pair.insales().quantities();
    let run = pair.well().await;
    assert!(count(&run, "updated") > 100, "{run}");
    pair.must_agree(&before, "first run");
    let changed = before.iter().filter(|(id, was)| pair.insales().quantities()[id] != **was).count() as u64;
    assert_eq!(changed, count(&run, "updated"));
}

/// «нестандартная схема (1 вариант = 1 товар)»
#[tokio::test(flavor = "multi_thread")]
async fn both_schemes_of_kaktus_are_understood() {
    let pair = Pair::empty(json!({})).await;
    pair.kaktus().put(None, of_kaktus("Футболка", true, &[(&["0046"], &[("Main", 4)]), (&["46"], &[("Main", 5)])]));
    pair.kaktus().put(None, of_kaktus("Футболка L", true, &[(&["47"], &[("Main", 6)])]));
    let product = pair.insales().add(of_insales("Футболка", &[(Some("0046"), Some(50)), (Some(" 46 "), Some(50)), (Some("47"), Some(50))]));
    pair.well().await;
    let stands: Vec<Option<i64>> = pair.insales().products()[&product].variants.iter().map(|variant| variant.first()).collect();
    assert_eq!(stands, [Some(4), Some(5), Some(6)], "text, trimmed, leading zeros kept");
}

/// «Если штрихкод не установлен, обновление не происходит ... нельзя допускать, чтобы у разных вариантов был один и тот же штрихкод»
#[tokio::test(flavor = "multi_thread")]
async fn doubles_are_listed_with_both_sides_names_when_they_begin_change_and_end() {
    let pair = Pair::empty(json!({})).await;
    pair.stocked("46", 5);
    pair.stocked("47", 6);
    let other = pair.stocked("47", 7);
    let (one, two) = (pair.sold("46", 50), pair.sold("46", 51));
    let three = pair.sold("47", 52);
    let bare = pair.insales().add(of_insales("Без штрихкода", &[(None, Some(9)), (Some(""), Some(9))]));
    let run = pair.stage.scheduled(&pair.connection, "stock", "incremental").await;
    assert_eq!(
        (pair.outcome(&run, "46").await.as_str(), pair.outcome(&run, "47").await.as_str()),
        ("skipped insales_doubled", "skipped kaktus_doubled")
    );
    let text = |item: Value| item["reason"]["text"].as_str().unwrap().to_owned();
    let (shop, warehouse) = (text(pair.stage.item(&run, "46").await), text(pair.stage.item(&run, "47").await));
    assert!(shop.contains(&one.to_string()) && shop.contains(&two.to_string()) && shop.contains("Товар 46"), "{shop}");
    assert!(warehouse.contains(&other.to_string()) && warehouse.contains(&three.to_string()), "{warehouse}");
    assert_eq!((pair.writes(), pair.quantity(one), pair.quantity(two), pair.quantity(three)), (0, 50, 51, 52));
    assert!(pair.insales().products()[&bare].variants.iter().all(|variant| variant.first() == Some(9)));

    let again = pair.stage.scheduled(&pair.connection, "stock", "incremental").await;
    assert_eq!((count(&again, "skipped"), pair.stage.items(&again).await.len()), (2, 0), "told once, then only counted");

    pair.insales().edit(two, |variant| variant.barcode = Some("48".into()));
    let ended = pair.stage.scheduled(&pair.connection, "stock", "incremental").await;
    assert_eq!(pair.outcome(&ended, "46").await, "updated changed");
    assert_eq!((pair.quantity(one), pair.quantity(two)), (5, 51));
    assert_eq!(pair.stage.items(&ended).await.len(), 1, "what goes on is not told again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_barcode_that_moves_to_another_variant_takes_its_stock_along() {
    let pair = Pair::empty(json!({})).await;
    pair.stocked("46", 5);
    pair.stocked("47", 7);
    let (one, two) = (pair.sold("46", 50), pair.sold("none", 60));
    pair.well().await;
    assert_eq!((pair.quantity(one), pair.links().await["46"]), (5, i64::try_from(one).unwrap()));
    pair.insales().edit(one, |variant| variant.barcode = Some("47".into()));
    pair.insales().edit(two, |variant| variant.barcode = Some("46".into()));
    let moved = pair.well().await;
    assert_eq!(pair.outcome(&moved, "46").await, "skipped insales_barcode_moved");
    assert_eq!((pair.quantity(one), pair.quantity(two)), (5, 60), "nothing is written by a pair that is none any more");
    pair.well().await;
    assert_eq!((pair.quantity(one), pair.quantity(two)), (7, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variant_that_was_deleted_or_archived_is_let_go_and_its_successor_found() {
    let pair = Pair::empty(json!({})).await;
    pair.stocked("46", 5);
    let product = pair.insales().add(of_insales("Alt", &[(Some("46"), Some(50))]));
    pair.sold("49", 1);
    pair.well().await;
    pair.insales().archive(product);
    let new = pair.sold("46", 90);
    let run = pair.well().await;
    assert_eq!(pair.outcome(&run, "46").await, "skipped insales_variant_gone");
    pair.well().await;
    assert_eq!(pair.quantity(new), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_warehouses_goods_out_of_use_buffer_and_cap_are_settings() {
    let pair = Pair::empty(json!({"stock_buffer": 1, "stock_cap": 10, "kaktus": {"warehouses": ["Main", "Nord"]}})).await;
    pair.kaktus().put(None, of_kaktus("A", true, &[(&["1"], &[("Main", 4), ("Nord", 3), ("Брак", 100)])]));
    pair.kaktus().put(None, of_kaktus("B", true, &[(&["2"], &[("Main", 40)])]));
    pair.kaktus().put(None, of_kaktus("C", true, &[(&["3"], &[("Брак", 9)])]));
    pair.kaktus().put(None, of_kaktus("D", true, &[(&["4"], &[])]));
    pair.kaktus().put(None, of_kaktus("E", false, &[(&["5"], &[("Main", 4)])]));
    let variants: Vec<u64> = ["1", "2", "3", "4", "5"].map(|barcode| pair.sold(barcode, 50)).into();
    let run = pair.well().await;
    let stands: Vec<i64> = variants.iter().map(|variant| pair.quantity(*variant)).collect();
    assert_eq!(stands, [6, 10, 50, 50, 50]);
    let why = [pair.outcome(&run, "3").await, pair.outcome(&run, "4").await, pair.outcome(&run, "5").await];
    assert_eq!(why, ["skipped kaktus_other_warehouses", "skipped kaktus_without_stock", "skipped kaktus_inactive"]);
    pair.settings(json!({"kaktus": {"inactive": true}})).await;
    pair.well().await;
    assert_eq!(pair.quantity(variants[4]), 3);
    // Another number of the stock row, less the reserved part of it.
    pair.settings(json!({"stock_buffer": 0, "kaktus": {"warehouses": null, "quantity_field": "stockAvailable"}})).await;
    pair.kaktus().put(None, of_kaktus("F", true, &[(&["6"], &[("Main", 8)])]));
    let sixth = pair.sold("6", 50);
    pair.well().await;
    assert_eq!(pair.quantity(sixth), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_with_several_warehouses_must_say_which_one_takes_the_stock() {
    let pair = Pair::empty(json!({})).await;
    pair.stocked("46", 5);
    let variant = pair.sold("46", 50);
    pair.insales().set_switches(|switches| switches.warehouses = 3);
    let run = pair.sync().await;
    assert_eq!((run["state"].as_str(), run["error"]["code"].as_str()), (Some("failed"), Some("config-invalid")), "{run}");
    assert_eq!((pair.writes(), pair.quantity(variant)), (0, 50));
    pair.settings(json!({"insales": {"warehouse": 2}})).await;
    pair.well().await;
    assert_eq!(pair.insales().with_barcode("46")[0].quantities, [Some(50), Some(0), Some(5)]);
    pair.settings(json!({"insales": {"warehouse": 7}})).await;
    assert_eq!(pair.sync().await["error"]["code"], "config-invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn bundles_and_untracked_stock_are_left_alone_unless_told() {
    let pair = Pair::empty(json!({})).await;
    for barcode in ["46", "47"] {
        pair.stocked(barcode, 5);
    }
    let mut bundle = of_insales("Набор", &[(Some("46"), Some(50))]);
    bundle.bundle = true;
    let bundle = pair.insales().add(bundle);
    let untracked = pair.insales().add(of_insales("Услуга", &[(Some("47"), None)]));
    let run = pair.well().await;
    assert_eq!(
        (pair.outcome(&run, "46").await.as_str(), pair.outcome(&run, "47").await.as_str()),
        ("skipped insales_bundle", "skipped insales_unlimited")
    );
    assert_eq!(pair.writes(), 0);
    pair.settings(json!({"bundles": true, "unlimited": true})).await;
    pair.well().await;
    let stands = |product: u64| pair.insales().products()[&product].variants[0].first();
    assert_eq!((stands(bundle), stands(untracked)), (Some(5), Some(5)));
}

/// The document never touches what Kaktus does not list.
#[tokio::test(flavor = "multi_thread")]
async fn barcodes_that_kaktus_does_not_list_are_left_or_emptied_under_the_brakes() {
    let pair = Pair::empty(json!({})).await;
    for number in 0..60 {
        pair.stocked(&format!("46{number:02}"), 5);
        pair.sold(&format!("46{number:02}"), 5);
    }
    let never = pair.sold("never", 9);
    pair.well().await;
    pair.kaktus().forget_barcode("4600");
    let run = pair.well().await;
    assert_eq!(pair.outcome(&run, "4600").await, "skipped kaktus_missing_left");
    assert_eq!(pair.writes(), 0);

    pair.settings(json!({"missing": "zero"})).await;
    let run = pair.well().await;
    assert_eq!(pair.outcome(&run, "4600").await, "updated changed");
    assert_eq!(change_of(&pair.stage.item(&run, "4600").await, "quantity")["new"], 0);
    assert_eq!((pair.insales().with_barcode("4600")[0].first(), pair.quantity(never)), (Some(0), 0), "also what Kaktus never listed");

    // Half of it is gone at once: a person must agree.
    for number in 1..40 {
        pair.kaktus().forget_barcode(&format!("46{number:02}"));
    }
    let held = pair.sync().await;
    assert_eq!((held["state"].as_str(), count(&held, "held")), (Some("awaiting_approval"), 39), "{held}");
    assert_eq!(pair.insales().with_barcode("4601")[0].first(), Some(5));
    let id = held["id"].as_str().unwrap();
    pair.stage.rest.post(&format!("/sync/runs/{id}/approve"), &json!({})).await.ok(202);
    let approved = pair.stage.rest.wait(id).await;
    assert_eq!(approved["state"], "succeeded", "{approved}");
    assert_eq!(pair.insales().with_barcode("4601")[0].first(), Some(0));
}

/// «Скрипт запускается по расписанию (раз в минуту)»
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_comes_with_a_schedule_of_each_minute_that_skips_what_overlaps() {
    let stage = Stage::with(Setup { products: 0, goods: 12, ..Setup::default() }).await;
    let connection = stage.rest.post("/connections", &body(&stage, json!({}))).await.ok(201)["id"].as_str().unwrap().to_owned();
    let schedules = stage.rest.all(&format!("/schedules?connection={connection}")).await;
    assert_eq!(schedules.len(), 1, "{schedules:?}");
    assert_eq!(
        (&schedules[0]["stream"], &schedules[0]["every"], &schedules[0]["enabled"], &schedules[0]["catch_up"]),
        (&json!("stock"), &json!("1m"), &json!(true), &json!("skip"))
    );
    let streams = stage.rest.all(&format!("/connections/{connection}/streams")).await;
    assert_eq!((streams.len(), &streams[0]["stream"]), (1, &json!("stock")));
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let runs = stage.rest.all(&format!("/sync/runs?connection={connection}")).await;
        if runs.iter().any(|run| run["trigger"] == "schedule" && run["state"] == "succeeded") {
            break;
        }
        assert!(std::time::Instant::now() < until, "{runs:?}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_says_what_both_sides_say_and_settings_are_checked_by_field() {
    let pair = Pair::new(json!({})).await;
    let check = pair.stage.rest.post(&format!("/connections/{}/check", pair.connection), &json!({})).await.ok(200);
    assert_eq!(check["ok"], true, "{check}");
    let names: Vec<&str> = check["checks"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["kaktus.login", "kaktus.products", "kaktus.stock", "kaktus.barcodes", "insales.products", "insales.warehouse", "insales.budget"]
    );
    assert_eq!(pair.writes(), 0);
    pair.settings(json!({"kaktus": {"quantity_field": "stock"}})).await;
    let check = pair.stage.rest.post(&format!("/connections/{}/check", pair.connection), &json!({})).await.ok(200);
    assert!(check["ok"] == false && check.to_string().contains("quantity_field"), "{check}");
    let wrong = body(&pair.stage, json!({"missing": "hide", "insales": {"app_id": ""}}));
    let problem = pair.stage.rest.post("/connections", &wrong).await.problem(422, "validation-failed");
    assert_eq!(problem["errors"][0]["pointer"], "/settings/missing", "{problem}");
}
