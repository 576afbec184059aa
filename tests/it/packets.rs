//! Long texts: no statement is longer than the least `max_allowed_packet` that servers have, however many rows go together.

use serde_json::json;
use url::Url;

use crate::support::{ADMIN_KEY, Process, Proxy, Rest, Spawn, Stage};

/// What the oldest servers take: 1 MB.
const LEAST: usize = 1 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn long_descriptions_are_stored_decided_held_and_undone_in_short_statements() {
    const GOODS: usize = 60;
    let stage = Stage::without_worker(0).await;
    let mut address = Url::parse(stage.database.url.expose()).unwrap();
    let proxy = Proxy::start(address.port().unwrap()).await;
    address.set_port(Some(proxy.port)).unwrap();
    let service = Process::start(&stage.database, &Spawn::default().with("DATABASE_URL", address.as_str())).await;
    let rest = Rest::new(&service.url, ADMIN_KEY);
    let text = |word: &str| format!("<p>{}</p>", word.repeat(40_000 / word.len()));
    let goods: Vec<String> = (0..GOODS).map(|_| stage.good(json!({"description": text("хлопок ")}))).collect();
    let fields = ["quantity", "price", "special", "description"];
    let (connection, stream) = stage.simple(json!({"update_fields": fields})).await;
    stage.full(&connection, &stream).await;
    // Texts change together with prices, so that the brakes part the changes as well.
    for good in &goods {
        stage.change(good, json!({"description": text("лён "), "price": {"Chilonzor": "2000"}}));
    }
    let run = stage.sync(&connection, &stream, "full").await;
    assert_eq!((&run["counts"]["updated"], &run["counts"]["held"]), (&json!(GOODS), &json!(GOODS)), "{run}");
    let id = run["id"].as_str().unwrap();
    rest.post(&format!("/sync/runs/{id}/reject"), &json!({})).await.ok(202);
    let undo = rest.post(&format!("/sync/runs/{id}/undo"), &json!({})).await.ok(202);
    let undo = rest.wait(undo["id"].as_str().unwrap()).await;
    assert_eq!((&undo["state"], &undo["counts"]["updated"]), (&json!("succeeded"), &json!(GOODS)), "{undo}");
    let old = "SELECT COUNT(*) AS number FROM oc_product_description WHERE description LIKE '%хлопок%' AND description NOT LIKE '%лён%'";
    assert_eq!(stage.database.number(old), 3 * GOODS as i64);
    let all = stage.database.number("SELECT CAST(SUM(LENGTH(payload)) AS SIGNED) AS number FROM tradesync_records");
    assert!(all > 2 * LEAST as i64, "the texts together are far longer than a statement may be: {all}");
    assert!(proxy.longest_packet() > 60_000, "the proxy sees the texts");
    assert!(proxy.longest_packet() <= LEAST, "a statement of {} bytes", proxy.longest_packet());
}
