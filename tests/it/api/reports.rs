//! What runs tell: reasons in the caller's language, times, money; and what may not be deleted while they live.

use serde_json::{Value, json};

use super::{id, quiet_stage, sync_body};
use crate::support::Stage;

fn scripts(text: &str) -> (bool, bool) {
    (text.chars().any(|letter| ('\u{400}'..'\u{500}').contains(&letter)), text.chars().any(|letter| letter.is_ascii_alphabetic()))
}

/// Every member of an answer, with its name.
fn walk(value: &Value, name: &str, seen: &mut dyn FnMut(&str, &Value)) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, inner)| walk(inner, name, seen)),
        Value::Array(rows) => rows.iter().for_each(|row| walk(row, name, seen)),
        other => seen(name, other),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_speak_the_callers_language_and_show_times_and_money_as_text() {
    let stage = Stage::new().await;
    let (connection, stream) = stage.simple(json!({})).await;
    let run = stage.sync(&connection, &stream, "full").await;
    let path = format!("/sync/runs/{}/items?limit=200", id(&run));
    let mut sentences = Vec::new();
    for (accepted, tag) in
        [("ru", "ru"), ("uz-Latn-UZ", "uz"), ("en-GB;q=0.9", "en"), ("de, uk;q=0.8, en;q=0.1", "uk"), ("xx", "en"), (";;;q=,,", "en")]
    {
        let answer = stage.rest.with_header("accept-language", accepted).get(&path).await;
        assert_eq!(answer.header("content-language").as_deref(), Some(tag), "{accepted}");
        assert!(answer.header("vary").unwrap().to_ascii_lowercase().contains("accept-language"));
        let items = answer.ok(200)["items"].as_array().unwrap().clone();
        let created = items.iter().find(|item| item["outcome"] == "created").unwrap();
        assert_eq!(created["reason"]["code"], "new_product");
        let text = created["reason"]["text"].as_str().unwrap().to_owned();
        assert_eq!(scripts(&text).0, matches!(tag, "ru" | "uk"), "{text}");
        for item in &items {
            let (code, text) = (item["reason"]["code"].as_str().unwrap(), item["reason"]["text"].as_str().unwrap());
            assert!(text != code && text.contains(' '), "{code} has no sentence in {tag}");
            for change in item["changes"].as_array().unwrap() {
                assert!(change["rule_text"].as_str().unwrap().contains(' '), "{change}");
            }
        }
        sentences.push(text);
    }
    assert_eq!(sentences[2], sentences[4]);
    sentences.truncate(4);
    sentences.sort();
    sentences.dedup();
    assert_eq!(sentences.len(), 4, "{sentences:?}");

    let items = stage.rest.all(&path.replace("?limit=200", "")).await;
    let mut prices = 0;
    for change in items.iter().flat_map(|item| item["changes"].as_array().unwrap()) {
        if change["field"].as_str().is_some_and(|field| field.starts_with("price")) {
            let price = change["new"].as_str().unwrap_or_else(|| panic!("money is no text: {change}"));
            assert!(price.parse::<rust_decimal::Decimal>().is_ok() && !price.contains(['e', 'E']), "{price}");
            prices += 1;
        }
    }
    assert!(prices > 20);

    let stream_shown = stage.rest.get(&format!("/connections/{connection}/streams/{stream}")).await.ok(200);
    let connection_shown = stage.rest.get(&format!("/connections/{connection}")).await.ok(200);
    let links = stage.rest.get(&format!("/connections/{connection}/links")).await.ok(200);
    let mut times = 0;
    for shown in [&run, &stream_shown, &connection_shown, &links] {
        walk(shown, "", &mut |name, value| {
            let is_time = name.ends_with("_at") || name.starts_with("cursor") || name == "not_before";
            if is_time && let Some(time) = value.as_str() {
                assert!(time.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(time).is_ok(), "{name}: {time}");
                times += 1;
            }
            assert!(!value.is_f64(), "{name} is a float: {value}");
        });
    }
    assert!(times > 20);
    assert_eq!(stream_shown["last_run"], run["id"]);
    assert_eq!(stream_shown["last_synced_at"], run["started_at"]);
    assert_eq!(stream_shown["cursor"], run["cursor_after"]);
    let busy = stage.rest.get(&format!("/sync/runs/{}", id(&run))).await;
    let known = stage.rest.with_header("if-none-match", &busy.header("etag").unwrap()).get(&format!("/sync/runs/{}", id(&run))).await;
    assert_eq!(known.status, 304);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_have_the_names_of_the_design_after_a_run() {
    let stage = Stage::new().await;
    let (connection, stream) = stage.simple(json!({})).await;
    stage.billz.billz2.fault_once("/v2/products", tradesync::sandbox::billz2::faults::Fault::RateLimited { retry_after: Some(1) });
    stage.sync(&connection, &stream, "full").await;
    let answer = stage.rest.with_key("").get("/metrics").await;
    assert!(answer.header("content-type").unwrap().starts_with("text/plain"));
    for series in [
        "tradesync_runs_total{flow=\"billz-opencart\",trigger=\"manual\",outcome=\"",
        "tradesync_run_duration_seconds_bucket{flow=\"billz-opencart\",le=\"",
        "tradesync_items_total{flow=\"billz-opencart\",outcome=\"created\"} ",
        &format!("tradesync_last_success_timestamp_seconds{{flow=\"billz-opencart\",connection=\"{connection}\"}} "),
        "tradesync_remote_requests_total{system=\"billz2\",class=\"good\"} ",
        "tradesync_remote_throttled_total{system=\"billz2\"} 1",
        "tradesync_retry_list_items{flow=\"billz-opencart\"} ",
        "tradesync_api_requests_total{method=\"POST\",route=\"/sync/{flow}\",status=\"202\"} 1",
    ] {
        assert!(answer.text.contains(series), "{series} is not in\n{}", answer.text);
    }
    let failed = stage.database.number("SELECT COUNT(*) AS number FROM tradesync_retries");
    assert!(answer.text.contains(&format!("tradesync_retry_list_items{{flow=\"billz-opencart\"}} {failed}\n")), "{failed}");
    // Neither owners nor ids of goods stand in labels.
    assert!(!answer.text.contains("seller:42") && !answer.text.contains(&stream));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_deleted_under_a_live_run() {
    let stage = quiet_stage().await;
    let (connection, stream) = stage.simple(json!({})).await;
    let (path, stream_path) = (format!("/connections/{connection}"), format!("/connections/{connection}/streams/{stream}"));
    let run = id(&stage.rest.post("/sync/billz-opencart", &sync_body(&connection, &stream)).await.ok(202));
    for path in [&path, &stream_path] {
        assert_eq!(stage.rest.delete(path).await.problem(409, "in-use")["run"], format!("/sync/runs/{run}"));
    }
    stage.rest.post(&format!("/sync/runs/{run}/cancel"), &json!({})).await.ok(202);
    stage.rest.delete(&stream_path).await.ok(204);
    stage.rest.get(&stream_path).await.problem(404, "not-found");
    stage.rest.delete(&stream_path).await.problem(404, "not-found");
    stage.rest.delete(&path).await.ok(204);
    stage.rest.get(&path).await.problem(404, "not-found");
    stage.rest.patch(&path, &json!({"name": "x"})).await.problem(404, "not-found");
    assert_eq!(stage.rest.get("/connections").await.ok(200)["items"], json!([]));
    // Its runs are history and stay; its secrets are gone.
    assert_eq!(stage.rest.get(&format!("/sync/runs/{run}")).await.ok(200)["state"], "cancelled");
    assert_eq!(stage.database.words("SELECT secrets AS words FROM tradesync_connections"), ["{}"]);
}
