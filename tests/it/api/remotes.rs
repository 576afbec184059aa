//! `check` and `discover`: they call the remotes, say what is wrong in plain words, and change nothing anywhere.

use serde_json::{Value, json};
use url::Url;

use super::quiet_stage;
use crate::support::{BILLZ_KEY, Stage};

/// Checksums of every table of the shop and of ours, but for the slots of limits and the leases, by which background work of the
/// process agrees with that of others at any moment.
fn everything(stage: &Stage) -> Vec<String> {
    let tables = stage.database.words(
        "SELECT table_name AS words FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name NOT IN ('tradesync_limits', 'tradesync_leases') ORDER BY table_name",
    );
    let mut connection = stage.database.connect();
    #[derive(diesel::QueryableByName)]
    struct Sum {
        #[diesel(sql_type = diesel::sql_types::Nullable<diesel::sql_types::BigInt>, column_name = "Checksum")]
        sum: Option<i64>,
    }
    let sum = |table: String| {
        let row: Sum = diesel::RunQueryDsl::get_result(diesel::sql_query(format!("CHECKSUM TABLE `{table}`")), &mut connection).unwrap();
        format!("{table} {:?}", row.sum)
    };
    tables.into_iter().map(sum).collect()
}

async fn check(stage: &Stage, connection: &str) -> Value {
    let before = everything(stage);
    let answer = stage.rest.post(&format!("/connections/{connection}/check"), &json!({})).await.ok(200);
    assert_eq!(everything(stage), before);
    let rows = answer["checks"].as_array().unwrap();
    assert!(!rows.is_empty() && rows.iter().all(|row| row["detail"].as_str().is_some_and(|words| words.len() > 10)), "{answer}");
    assert_eq!(answer["ok"], rows.iter().all(|row| row["ok"] == true));
    // Plain words: nothing of our code, no secret.
    for jargon in ["Error(", "Some(", "unwrap", "diesel", "reqwest", "serde", BILLZ_KEY, "very-secret"] {
        assert!(!answer.to_string().contains(jargon), "{answer}");
    }
    answer
}

fn detail(answer: &Value, name: &str) -> String {
    let row =
        answer["checks"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name} is not in {answer}"));
    assert_eq!(row["ok"], false, "{answer}");
    row["detail"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_what_is_wrong_and_changes_nothing() {
    let stage = quiet_stage().await;
    let (connection, _) = stage.simple(json!({})).await;
    let path = format!("/connections/{connection}");
    let answer = check(&stage, &connection).await;
    assert_eq!(answer["ok"], true, "{answer}");

    stage.rest.patch(&path, &json!({"secrets": {"secret": "a-wrong-key"}})).await.ok(200);
    let words = detail(&check(&stage, &connection).await, "billz.login");
    assert!(words.contains("secret") && !words.contains("a-wrong-key"), "{words}");
    stage.rest.patch(&path, &json!({"secrets": {"secret": BILLZ_KEY}})).await.ok(200);

    stage.rest.patch(&path, &json!({"secrets": {"opencart_database_url": "mysql://nobody:very-secret@127.0.0.1:9/shop"}})).await.ok(200);
    let words = detail(&check(&stage, &connection).await, "opencart.database");
    assert!(words.contains("127.0.0.1:9/shop"), "{words}");
    let mut other = Url::parse(stage.database.url.expose()).unwrap();
    other.set_password(Some("very-secret-and-wrong")).unwrap();
    stage.rest.patch(&path, &json!({"secrets": {"opencart_database_url": other.as_str()}})).await.ok(200);
    detail(&check(&stage, &connection).await, "opencart.database");

    stage
        .rest
        .patch(&path, &json!({"secrets": {"opencart_database_url": null}, "settings": {"opencart": {"table_prefix": "shop_"}}}))
        .await
        .ok(200);
    let words = detail(&check(&stage, &connection).await, "opencart.database");
    assert!(words.contains("shop_") && words.contains("table_prefix"), "{words}");

    stage.rest.patch(&path, &json!({"settings": {"opencart": null, "base_url": "http://127.0.0.1:9"}})).await.ok(200);
    let words = detail(&check(&stage, &connection).await, "billz.login");
    assert!(words.contains("connect"), "{words}");
    stage.rest.post(&format!("{path}/streams/discover"), &json!({})).await.problem(503, "remote-unavailable");
}

#[tokio::test(flavor = "multi_thread")]
async fn discover_shows_the_shops_and_stores_nothing() {
    let stage = quiet_stage().await;
    let connection = stage.connect(json!({})).await;
    let path = format!("/connections/{connection}/streams");
    let before = everything(&stage);
    let found = stage.rest.post(&format!("{path}/discover"), &json!({})).await.ok(200);
    assert_eq!(everything(&stage), before);
    let mut found = found["items"].as_array().unwrap().iter().map(|row| (row["stream"].clone(), row["name"].clone())).collect::<Vec<_>>();
    let mut shops = stage.billz.billz2.shops().into_iter().map(|shop| (json!(shop.id.to_string()), json!(shop.name))).collect::<Vec<_>>();
    found.sort_by_key(|row| row.0.to_string());
    shops.sort_by_key(|row| row.0.to_string());
    assert_eq!(found, shops);
    assert_eq!(stage.rest.get(&path).await.ok(200)["items"], json!([]));
    stage.rest.patch(&format!("/connections/{connection}"), &json!({"secrets": {"secret": "wrong"}})).await.ok(200);
    let problem = stage.rest.post(&format!("{path}/discover"), &json!({})).await.problem(502, "remote-auth");
    assert!(problem["next"].as_str().unwrap().contains("secret"), "{problem}");
}
