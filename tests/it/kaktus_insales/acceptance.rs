//! What every flow must hold, told of this one.

use serde_json::{Value, json};
use tradesync::sandbox::desk::Fault;

use super::{Pair, count};
use crate::support::{ADMIN_KEY, INSALES_PASSWORD, KAKTUS_PASSWORD, MASTER_KEY, Spawn};

#[tokio::test(flavor = "multi_thread")]
async fn the_first_run_fills_the_date_of_synchronisation_and_a_second_writes_nothing() {
    let pair = Pair::new(json!({})).await;
    let before = pair.insales().quantities();
    assert_eq!(pair.stage.stream(&pair.connection, "stock").await["last_synced_at"], Value::Null);
    let first = pair.well().await;
    pair.must_agree(&before, "first run");
    let row = pair.stage.stream(&pair.connection, "stock").await;
    assert!(!row["last_synced_at"].is_null() && !row["last_whole_read_at"].is_null(), "{row}");
    let (writes, stands) = (pair.writes(), pair.insales().quantities());
    assert_eq!(writes as u64, count(&first, "updated").div_ceil(100), "a hundred to a call");
    for _ in 0..2 {
        let again = pair.well().await;
        assert_eq!((count(&again, "updated"), pair.writes()), (0, writes), "{again}");
        assert_eq!(count(&again, "unchanged"), count(&first, "updated"));
    }
    assert_eq!(pair.insales().quantities(), stands);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_moved_is_sent() {
    let pair = Pair::new(json!({})).await;
    let before = pair.insales().quantities();
    pair.well().await;
    let written = pair.insales().state().written;
    let moved: std::collections::BTreeSet<String> = pair.kaktus().random_changes(7, 3).into_iter().collect();
    let run = pair.well().await;
    assert!(count(&run, "updated") > 0 && count(&run, "updated") <= moved.len() as u64, "{run}");
    assert_eq!(pair.insales().state().written - written, count(&run, "updated"));
    pair.must_agree(&before, "after the changes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_comes_twice_does_no_harm() {
    let pair = Pair::new(json!({})).await;
    let before = pair.insales().quantities();
    // The third page once more instead of the fourth: the read is not proven, and done again.
    pair.trouble_at_kaktus(3, 1, Fault::Query { name: "page".into(), value: "2".into() });
    let run = pair.well().await;
    assert_eq!(run["whole"], true, "{run}");
    pair.must_agree(&before, "a page twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_item_stops_no_other() {
    let pair = Pair::new(json!({"missing": "zero"})).await;
    let before = pair.insales().quantities();
    let products = pair.kaktus().products();
    let (bad, product) = products.first_key_value().unwrap();
    pair.trouble_at_kaktus(0, 1_000, Fault::Set { pointer: "/products/0/variants".into(), value: json!("?") });
    let run = pair.sync().await;
    // The first row of each page is bad; all others are synchronised, and nothing is taken as missing.
    assert_eq!((run["state"].as_str(), &run["whole"]), (Some("partial"), &json!(false)), "{run}");
    assert!(count(&run, "failed") > 0 && count(&run, "updated") > 90, "{run}");
    assert!(pair.zeroed(&before).is_empty());
    let failed = pair.stage.item(&run, &format!("unreadable:{bad}")).await;
    assert!(failed["reason"]["text"].as_str().unwrap().contains("variants"), "{failed}: {product:?}");
    pair.kaktus().desk().clear_faults();
    pair.settings(json!({"missing": "leave"})).await;
    let healed = pair.well().await;
    assert_eq!(count(&healed, "failed"), 0, "{healed}");
    pair.must_agree(&before, "healed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_costs_one_login_and_the_same_page_again() {
    let pair = Pair::new(json!({})).await;
    let before = pair.insales().quantities();
    pair.well().await;
    let logins = pair.kaktus().state().logins;
    for status in [200, 401] {
        pair.kaktus().set_switches(|switches| switches.expired_status = status);
        pair.kaktus().expire_tokens();
        pair.kaktus().random_changes(5, u64::from(status));
        pair.well().await;
        pair.must_agree(&before, "expired");
    }
    assert_eq!(pair.kaktus().state().logins, logins + 2);
    // A token that dies after every second page, in mid-sweep.
    pair.kaktus().set_switches(|switches| switches.token_calls = Some(2));
    pair.kaktus().random_changes(5, 77);
    pair.well().await;
    pair.must_agree(&before, "tokens that die in mid-sweep");
    assert!(pair.kaktus().state().logins > logins + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_that_is_down_leaves_shop_and_clock_alone() {
    let pair = Pair::new(json!({})).await;
    let before = pair.insales().quantities();
    pair.well().await;
    pair.kaktus().random_changes(9, 1);
    let (stands, row) = (pair.insales().quantities(), pair.stage.stream(&pair.connection, "stock").await);
    for at_kaktus in [true, false] {
        if at_kaktus {
            pair.trouble_at_kaktus(0, 1_000, Fault::Refuse);
        } else {
            pair.trouble_at_insales("/admin", 1_000, Fault::Refuse);
        }
        let run = pair.sync().await;
        assert_eq!((run["state"].as_str(), run["error"]["code"].as_str()), (Some("failed"), Some("remote-unavailable")), "{run}");
        let now = pair.stage.stream(&pair.connection, "stock").await;
        assert_eq!((&now["cursor"], &now["last_synced_at"]), (&row["cursor"], &row["last_synced_at"]));
        pair.kaktus().desk().clear_faults();
        pair.insales().desk().clear_faults();
        assert_eq!(pair.insales().quantities(), stands);
    }
    pair.well().await;
    pair.must_agree(&before, "healed");
}

/// 429 and, in the older form, 503; both with an empty body. A pause is no failure, and nobody asks meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_insales_is_obeyed_and_no_failure() {
    for status in [429, 503] {
        let pair = Pair::new(json!({})).await;
        let before = pair.insales().quantities();
        // 20 s are one here.
        for route in ["/products.json", "variants_group_update"] {
            pair.trouble_at_insales(route, 1, Fault::Empty { status, retry_after: Some(20) });
        }
        pair.well().await;
        pair.must_agree(&before, "limited");
        let entries = pair.insales().desk().requests().requests;
        let refused: Vec<usize> = entries.iter().enumerate().filter(|(_, entry)| entry.status == status).map(|(place, _)| place).collect();
        assert_eq!(refused.len(), 2);
        for place in refused {
            let pause = entries[place + 1].at_ms - entries[place].at_ms;
            assert!(pause >= 950.0, "asked again after {pause} ms");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_makes_no_changing_call_and_says_what_writing_takes() {
    let pair = Pair::new(json!({})).await;
    let before = pair.insales().quantities();
    let plan = pair.dry_run().await;
    assert_eq!(plan["state"], "awaiting_approval", "{plan}");
    assert_eq!((pair.insales().quantities(), pair.writes()), (before.clone(), 0));
    let report = pair.insales().desk().requests();
    assert!(report.routes.keys().all(|route| route.starts_with("GET ")), "{:?}", report.routes.keys());
    let target = &plan["target"];
    assert_eq!(
        (&target["sweep"], &target["write_calls_needed"]),
        (&json!("full"), &json!(count(&plan, "updated").div_ceil(100))),
        "{plan}"
    );
    assert!(
        target["budget_limit"] == 500 && target["full_sweep_age_seconds"].is_number() && target["read_calls"].as_u64().unwrap() > 1,
        "{target}"
    );
    // Approved, it applies precisely that.
    let id = plan["id"].as_str().unwrap();
    pair.stage.rest.post(&format!("/sync/runs/{id}/approve"), &json!({})).await.ok(202);
    let applied = pair.stage.rest.wait(id).await;
    assert_eq!(applied["state"], "succeeded", "{applied}");
    pair.must_agree(&before, "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_any_log_or_table() {
    let pair = Pair::with(60, Spawn::default().with("TRADESYNC_LOG", "trace"), json!({})).await;
    let mut seen = vec![("a run".to_owned(), pair.well().await.to_string())];
    for path in [format!("/connections/{}", pair.connection), "/metrics".into(), "/sync/runs".into(), "/audit".into()] {
        seen.push((path.clone(), pair.stage.rest.get(&path).await.text));
    }
    seen.push(("check".into(), pair.stage.rest.post(&format!("/connections/{}/check", pair.connection), &json!({})).await.text));
    // Both remotes refuse, and the words of that go everywhere.
    pair.kaktus().set_switches(|switches| switches.password = "another".into());
    pair.kaktus().expire_tokens();
    let refused = pair.sync().await;
    assert_eq!(refused["error"]["code"], "remote-auth", "{refused}");
    seen.push(("a refused run".into(), refused.to_string()));
    pair.kaktus().set_switches(|switches| switches.password = KAKTUS_PASSWORD.into());
    pair.insales().set_switches(|switches| switches.password = "another".into());
    let refused = pair.sync().await;
    assert_eq!(refused["error"]["code"], "remote-auth", "{refused}");
    seen.push(("a run refused by the shop".into(), refused.to_string()));
    let database = &pair.stage.database;
    for table in database.words(
        "SELECT table_name AS words FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE 'tradesync\\_%'",
    ) {
        let columns = database.cell(&format!(
            "SELECT GROUP_CONCAT(CONCAT('IFNULL(`', column_name, '`, '''')')) FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = '{table}'"
        ));
        seen.push((
            table.clone(),
            database.words(&format!("SELECT CAST(CONCAT_WS('|', {columns}) AS CHAR) AS words FROM {table}")).join("\n"),
        ));
    }
    let log = pair.stage.service.output();
    assert!(log.contains("TRACE") && log.len() > 10_000);
    seen.push(("the log".into(), log));
    // "demo-application:insales-password-91ab0c" as Basic carries it.
    let basic = "ZGVtby1hcHBsaWNhdGlvbjppbnNhbGVzLXBhc3N3b3JkLTkxYWIwYw";
    for (what, text) in &seen {
        for secret in [KAKTUS_PASSWORD, INSALES_PASSWORD, ADMIN_KEY, MASTER_KEY, "shop@example.test", basic, "eyJhbGciOiJIUzUxMiJ9"] {
            assert!(!text.contains(secret), "{what} shows {secret}");
        }
    }
}
