//! What a caller may say of a schedule, and who may say it.

use serde_json::{Value, json};

use super::{make, path};
use crate::support::{Stage, key};

fn pointers(problem: &Value) -> Vec<&str> {
    problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_field_is_named() {
    let stage = Stage::without_worker(5).await;
    let (connection, stream) = stage.simple(json!({})).await;
    let post = async |body: Value| stage.rest.post("/schedules", &body).await;
    let wrong = post(json!({
        "connection": connection, "stream": stream, "every": "1s", "timezone": "Tashkent", "days": [0], "window": {"from": "9", "to": "21:00"}, "jitter": "often",
    }))
    .await
    .problem(422, "validation-failed");
    assert_eq!(pointers(&wrong), ["/every", "/timezone", "/days/0", "/window/from", "/jitter"]);
    assert_eq!(pointers(&post(json!({"every": "5m"})).await.problem(422, "validation-failed")), ["/connection", "/stream"]);
    let base = json!({"connection": connection, "stream": stream});
    assert_eq!(pointers(&post(base.clone()).await.problem(422, "validation-failed")), ["/every"]);
    let with = |name: &str, value: Value| {
        let mut body = base.clone();
        body["every"] = "5m".into();
        body[name] = value;
        body
    };
    assert_eq!(pointers(&post(with("cron", json!("* * * * *"))).await.problem(422, "validation-failed")), ["/cron"]);
    assert_eq!(pointers(&post(with("evry", json!("5m"))).await.problem(422, "validation-failed")), ["/evry"]);
    assert_eq!(pointers(&post(with("mode", json!("all"))).await.problem(422, "validation-failed")), ["/mode"]);
    let elsewhere = post(with("stream", json!("no such shop"))).await.problem(404, "not-found");
    assert_eq!(pointers(&elsewhere), ["/stream"]);
    let never = post(with("window", json!({"from": "10:00", "to": "10:00"}))).await.problem(422, "validation-failed");
    assert_eq!(pointers(&never), ["/window/to"]);
    stage.rest.get("/schedules?enabled=maybe").await.problem(400, "invalid-query");
    stage.rest.get("/schedules/nonsense").await.problem(404, "not-found");
    assert!(stage.rest.all("/schedules").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seller_sees_and_changes_only_own_schedules() {
    let stage = Stage::without_worker(5).await;
    let (connection, stream) = stage.simple(json!({})).await;
    let schedule = make(&stage, &connection, &stream, json!({"every": "5m", "timezone": "Asia/Tashkent"})).await;
    let path = path(&schedule);
    let stranger = stage.rest.with_header("x-on-behalf-of", "seller:7");
    assert!(stranger.all("/schedules").await.is_empty());
    for answer in [
        stranger.get(&path).await,
        stranger.get(&format!("{path}/next")).await,
        stranger.get(&format!("{path}/runs")).await,
        stranger.get(&format!("{path}/skips")).await,
        stranger.patch(&path, &json!({"every": "1m"})).await,
        stranger.post(&format!("{path}/stop"), &json!({})).await,
        stranger.delete(&path).await,
    ] {
        answer.problem(404, "not-found");
    }
    let body = json!({"connection": connection, "stream": stream, "every": "5m"});
    assert_eq!(pointers(&stranger.post("/schedules", &body).await.problem(404, "not-found")), ["/connection"]);
    let own = stage.rest.with_header("x-on-behalf-of", "seller:42");
    assert_eq!(own.all("/schedules").await.len(), 1);

    let reader = stage.rest.with_key(&key(&stage.database, &["--role", "reader"]).key);
    assert_eq!(reader.all("/schedules").await.len(), 1);
    reader.post("/schedules", &body).await.problem(403, "forbidden");
    reader.post(&format!("{path}/stop"), &json!({})).await.problem(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_makes_one_schedule_and_a_stale_change_is_refused() {
    let stage = Stage::without_worker(5).await;
    let (connection, stream) = stage.simple(json!({})).await;
    let body = json!({"connection": connection, "stream": stream, "every": "10m"});
    let caller = stage.rest.with_header("idempotency-key", "one").with_header("accept-language", "uz");
    let first = caller.post("/schedules", &body).await;
    let location = first.header("location").unwrap();
    let first = first.ok(201);
    let again = caller.post("/schedules", &body).await;
    assert_eq!(again.header("idempotency-replayed").as_deref(), Some("true"));
    assert_eq!((again.ok(201), &first["text"]), (first.clone(), &json!("har 10 daqiqada (UTC)")));
    assert_eq!(stage.rest.all("/schedules").await.len(), 1);

    let tag = stage.rest.get(&location).await.header("etag").unwrap();
    let holder = stage.rest.with_header("if-match", &tag);
    holder.patch(&location, &json!({"every": "15m"})).await.ok(200);
    holder.patch(&location, &json!({"every": "20m"})).await.problem(412, "precondition-failed");
    holder.delete(&location).await.problem(412, "precondition-failed");
    let stands = stage.rest.patch(&location, &json!({"days": [6, 7], "window": {"from": "22:00", "to": "02:00"}})).await.ok(200);
    assert_eq!(stands["text"], "every 15 minutes from 22:00 to 02:00, on weekends (UTC)");
    let cleared = stage.rest.patch(&location, &json!({"days": null, "window": null, "timezone": null})).await.ok(200);
    assert_eq!((&cleared["days"], &cleared["window"], &cleared["every"]), (&Value::Null, &Value::Null, &json!("15m")));
}
