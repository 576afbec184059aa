//! Pages: keyset, newest first, nothing twice and nothing left out while rows come and go.

use serde_json::{Value, json};

use super::{connection_of, id, quiet_stage};
use crate::support::{Rest, Stage};

/// All ids of a list, in pages of `limit`; `between` runs after the first page.
async fn pages(rest: &Rest, path: &str, limit: usize, between: impl AsyncFnOnce()) -> Vec<Value> {
    let (mut rows, mut cursor, mut between) = (Vec::new(), String::new(), Some(between));
    loop {
        let sign = if path.contains('?') { '&' } else { '?' };
        let page = rest.get(&format!("{path}{sign}limit={limit}{cursor}")).await.ok(200);
        let items = page["items"].as_array().unwrap().clone();
        rows.extend(items.iter().cloned());
        if let Some(between) = between.take() {
            between().await;
        }
        match page["next_cursor"].as_str() {
            Some(next) => {
                assert_eq!(items.len(), limit);
                cursor = format!("&cursor={next}");
            }
            None => return rows,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_and_runs_come_page_by_page_newest_first() {
    let stage = quiet_stage().await;
    let (connection, stream) = stage.simple(json!({})).await;
    let mut made = vec![connection.clone()];
    for number in 0..40 {
        made.push(id(&stage.rest.post("/connections", &connection_of(&format!("seller:{}", number % 2))).await.ok(201)));
    }
    let dry = json!({"connection": connection, "stream": stream, "dry_run": true});
    let mut runs = Vec::new();
    for _ in 0..30 {
        runs.push(id(&stage.rest.post("/sync/billz-opencart", &dry).await.ok(202)));
    }
    made.reverse();
    runs.reverse();
    assert!(made.iter().chain(&runs).all(|id| id.len() == 32 && id.parse::<u64>().is_err()), "ids are opaque");
    for limit in [1, 7, 20, 41, 200] {
        let seen = pages(&stage.rest, "/connections", limit, async || ()).await.iter().map(id).collect::<Vec<_>>();
        assert_eq!(seen, made, "limit {limit}");
    }
    let seen = pages(&stage.rest, &format!("/sync/runs?connection={connection}&state=queued"), 7, async || ()).await;
    assert_eq!(seen.iter().map(id).collect::<Vec<_>>(), runs);
    let seen = pages(&stage.rest, "/sync/runs?owner=seller:0", 7, async || ()).await;
    assert!(seen.is_empty());

    // A row that comes and one that goes while somebody reads move nothing.
    let seen = pages(&stage.rest, "/connections", 10, async || {
        stage.rest.post("/connections", &connection_of("seller:9")).await.ok(201);
        stage.rest.delete(&format!("/connections/{}", made[3])).await.ok(204);
        stage.rest.delete(&format!("/connections/{}", made[25])).await.ok(204);
    })
    .await;
    let expected = made.iter().filter(|id| **id != made[25]).cloned().collect::<Vec<_>>();
    assert_eq!(seen.iter().map(id).collect::<Vec<_>>(), expected);

    for path in ["/connections", "/sync/runs", &format!("/connections/{connection}/links"), &format!("/sync/runs/{}/items", runs[0])] {
        for wrong in [
            "limit=0",
            "limit=201",
            "limit=-1",
            "limit=x",
            "limit=5&limit=5",
            "limit=1.5",
            "limit=99999999999999999999",
            "lmit=5",
            "offset=3",
        ] {
            let problem = stage.rest.get(&format!("{path}?{wrong}")).await.problem(400, "invalid-query");
            assert!(problem["errors"][0]["pointer"].as_str().unwrap().starts_with('?'), "{problem}");
        }
        stage.rest.get(&format!("{path}?limit=200")).await.ok(200);
    }
    assert_eq!(stage.rest.get("/connections").await.ok(200)["items"].as_array().unwrap().len(), 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn items_and_links_are_whole_over_pages() {
    let stage = Stage::new().await;
    let (connection, stream) = stage.simple(json!({})).await;
    let run = stage.sync(&connection, &stream, "full").await;
    let path = format!("/sync/runs/{}/items", id(&run));
    let all = stage.rest.all(&path).await;
    assert!(all.len() > 40, "{}", all.len());
    assert_eq!(pages(&stage.rest, &path, 7, async || ()).await, all);
    let mut by_outcome = 0;
    for outcome in ["created", "updated", "skipped", "failed", "held"] {
        let rows = pages(&stage.rest, &format!("{path}?outcome={outcome}"), 9, async || ()).await;
        assert!(rows.iter().all(|row| row["outcome"] == outcome));
        assert_eq!(run["counts"][outcome].as_u64(), Some(rows.len() as u64), "{outcome}");
        by_outcome += rows.len();
    }
    assert_eq!(by_outcome, all.len());
    stage.rest.get(&format!("{path}?outcome=lost")).await.problem(400, "invalid-query");
    let path = format!("/connections/{connection}/links");
    let links = pages(&stage.rest, &path, 7, async || ()).await;
    assert_eq!(links, stage.rest.all(&path).await);
    assert!(links.len() > 30);
}
