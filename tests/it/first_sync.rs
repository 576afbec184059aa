//! The main job: a seller's shop of Billz 2 reaches OpenCart's database.

use serde_json::json;
use tradesync::demo::truth;

use crate::support::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn the_first_run_brings_everything_and_the_second_writes_nothing() {
    let stage = Stage::new().await;
    let (connection, stream) = stage.simple(json!({})).await;
    let first = stage.sync(&connection, &stream, "full").await;
    assert!(matches!(first["state"].as_str(), Some("succeeded" | "partial")), "{first}");
    assert_eq!(first["whole"], true);
    let links = stage.rest.all(&format!("/connections/{connection}/links?state=linked")).await;
    let found = truth::compare(&stage.database.url, &stage.billz.billz2, &links, std::slice::from_ref(&stream)).await.unwrap();
    assert!(found.wrong.is_empty() && found.right > 30, "{found:?}");

    let before = stage.database.words("SELECT CAST(SUM(variable_value) AS CHAR) AS words FROM information_schema.global_status WHERE variable_name IN ('handler_write', 'handler_update', 'handler_delete') AND 1 = 0");
    drop(before);
    let state = stage.database.shop_state();
    let second = stage.sync(&connection, &stream, "incremental").await;
    assert_eq!(second["counts"]["created"], 0);
    assert_eq!(second["counts"]["updated"], 0);
    assert_eq!(second["counts"]["unchanged"].as_u64(), first["counts"]["created"].as_u64());
    assert_eq!(stage.database.shop_state(), state);
}
