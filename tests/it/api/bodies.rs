//! Requests that are wrong in every way we could think of: always a problem document, never 500.

use futures_util::stream;
use reqwest::Method;
use serde_json::{Value, json};

use super::{connection_of, quiet_stage, sync_body};
use crate::support::{ADMIN_KEY, Answer, Stage};

#[track_caller]
fn pointers(answer: Answer) -> Vec<String> {
    let body = answer.problem(422, "validation-failed");
    let mut found =
        body["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_field_is_named_and_several_at_once() {
    let stage = quiet_stage().await;
    let (connection, stream) = stage.simple(json!({})).await;
    let post = |change: Value| {
        let mut body = connection_of("seller:42");
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let rest = stage.rest.clone();
        async move { pointers(rest.post("/connections", &body).await) }
    };
    assert_eq!(pointers(stage.rest.post("/connections", &json!({})).await), ["/flow", "/name"]);
    // What is of a wrong form …
    let form = json!({"name": 5, "owner": [], "enabled": "yes", "settings": 1, "secrets": {"secret": 5}, "a/b~": 1});
    assert_eq!(post(form).await, ["/a~1b~0", "/enabled", "/name", "/owner", "/secrets/secret", "/settings"]);
    // … and what has a wrong value.
    let value = json!({"name": " ", "owner": "42", "settings": {"colour": 1, "stock": "all", "opencart": {"table_prefix": 5, "x": 1}, "update_fields": ["prize"]},
        "secrets": {"password": "x", "secret": ""}});
    let found = post(value).await;
    for pointer in
        ["/name", "/owner", "/secrets/password", "/secrets/secret", "/settings/colour", "/settings/stock", "/settings/update_fields/0"]
    {
        assert!(found.iter().any(|found| found == pointer), "{pointer} is not in {found:?}");
    }
    assert!(found.iter().any(|found| found.starts_with("/settings/opencart/")), "{found:?}");
    for (field, wrong) in [
        ("flow", json!("billz")),
        ("flow", json!("' OR 1=1 -- ")),
        ("name", json!("")),
        ("name", json!("x".repeat(191))),
        ("name", json!("a\u{0}b")),
        ("owner", json!("seller:'; DROP TABLE x; --")),
        ("owner", json!("")),
        ("enabled", json!("true")),
    ] {
        assert_eq!(post(json!({field: wrong})).await, [format!("/{field}")], "{wrong}");
    }
    for (field, wrong) in [
        ("base_url", json!("ftp://x")),
        ("base_url", json!(5)),
        ("full_every", json!("soon")),
        ("rates", json!([])),
        ("min_price", json!("-1")),
        ("default_category_id", json!(-5)),
        ("default_category_id", json!(1.5)),
        ("sku_column", json!("sku`; DROP TABLE oc_product; --")),
        ("max_failed_share", json!("much")),
        ("stock_buffer", json!("1e999999999")),
    ] {
        assert_eq!(post(json!({"settings": {field: wrong}})).await, [format!("/settings/{field}")], "{wrong}");
    }
    assert_eq!(post(json!({"settings": {"rates": {"USD": "x"}}})).await, ["/settings/rates/USD"]);
    assert_eq!(post(json!({"settings": {"opencart": {"table_prefix": "oc_; DROP"}}})).await, ["/settings/opencart/table_prefix"]);
    assert_eq!(post(json!({"secrets": {}})).await, ["/secrets/secret"]);
    assert_eq!(post(json!({"secrets": {"secret": "set"}})).await, ["/secrets/secret"]);
    assert_eq!(post(json!({"secrets": {"secret": "x".repeat(9_000)}})).await, ["/secrets/secret"]);

    let streams = format!("/connections/{connection}/streams");
    for (body, expected) in [
        (json!({}), vec!["/stream"]),
        (json!({"stream": "", "name": ""}), vec!["/name", "/stream"]),
        (json!({"stream": "x".repeat(192)}), vec!["/name", "/stream"]),
        (json!({"stream": " x"}), vec!["/stream"]),
        // No URL could name it afterwards.
        (json!({"stream": ".."}), vec!["/stream"]),
        (json!({"stream": "a\u{0}"}), vec!["/name", "/stream"]),
        (json!({"stream": "s", "settings": {"a": 1}}), vec!["/settings/a"]),
        (json!({"stream": 5, "enabled": 1, "cursor": "x"}), vec!["/cursor", "/enabled", "/stream"]),
    ] {
        assert_eq!(pointers(stage.rest.post(&streams, &body).await), expected, "{body}");
    }
    let patch = |body: Value| {
        let (rest, path) = (stage.rest.clone(), format!("{streams}/{stream}"));
        async move { pointers(rest.patch(&path, &body).await) }
    };
    assert_eq!(patch(json!({"cursor": "yesterday", "enabled": 5})).await, ["/cursor", "/enabled"]);
    assert_eq!(patch(json!({"stream": "other"})).await, ["/stream"]);
    assert_eq!(patch(json!({"settings": {"a": 1}, "name": ""})).await, ["/name", "/settings/a"]);

    let sync = |change: Value| {
        let mut body = sync_body(&connection, &stream);
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let rest = stage.rest.clone();
        async move { pointers(rest.post("/sync/billz-opencart", &body).await) }
    };
    assert_eq!(sync(json!({"mode": "all", "dry_run": "no", "itms": []})).await, ["/dry_run", "/itms", "/mode"]);
    assert_eq!(sync(json!({"items": []})).await, ["/items"]);
    assert_eq!(sync(json!({"items": ["a", "", "x".repeat(192), "\u{0}"]})).await, ["/items/1", "/items/2", "/items/3"]);
    assert_eq!(sync(json!({"items": vec!["a"; 1001]})).await, ["/items"]);
    assert_eq!(pointers(stage.rest.post("/sync/billz-opencart", &json!({"mode": 1})).await), ["/connection", "/mode", "/stream"]);
    assert_eq!(pointers(stage.rest.put(&format!("/connections/{connection}/links/x"), &json!({})).await), ["/target"]);
    let target = |target: &str| json!({"target": target});
    for wrong in ["", "'; DROP TABLE oc_product; --", "1 OR 1=1", "99999999", "99999999999999999999999", "-1", "💥", "50\u{0}"] {
        assert_eq!(pointers(stage.rest.put(&format!("/connections/{connection}/links/x"), &target(wrong)).await), ["/target"], "{wrong}");
    }
    stage.rest.post(&format!("/connections/{connection}/streams/discover"), &json!({})).await.ok(200);
    // What a disabled connection or stream is asked for.
    stage.rest.patch(&format!("{streams}/{stream}"), &json!({"enabled": false})).await.ok(200);
    stage.rest.patch(&format!("/connections/{connection}"), &json!({"enabled": false})).await.ok(200);
    assert_eq!(sync(json!({})).await, ["/connection", "/stream"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_a_problem_with_its_field() {
    let stage = quiet_stage().await;
    let (connection, stream) = stage.simple(json!({})).await;
    let absent = "0".repeat(32);
    stage.rest.post("/sync/kaktus", &sync_body(&connection, &stream)).await.problem(404, "not-found");
    for (body, pointer) in [(sync_body(&absent, &stream), "/connection"), (sync_body(&connection, "other"), "/stream")] {
        let problem = stage.rest.post("/sync/billz-opencart", &body).await.problem(404, "not-found");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
    for path in [
        format!("/connections/{absent}"),
        format!("/connections/{connection}/streams/x"),
        format!("/sync/runs/{absent}"),
        "/nothing".to_owned(),
        "/".to_owned(),
        "/connections/".to_owned(),
    ] {
        let problem = stage.rest.get(&path).await.problem(404, "not-found");
        assert_eq!(problem["instance"], path);
        assert!(problem["request_id"].is_string() && problem["next"].is_string() && problem["title"].is_string());
    }
    for (method, path, allow) in [
        ("PUT", "/connections".to_owned(), "GET, POST"),
        ("POST", format!("/connections/{connection}"), "GET, PATCH, DELETE"),
        ("DELETE", "/sync/runs".to_owned(), "GET"),
        ("GET", "/sync/billz-opencart".to_owned(), "POST"),
        ("PATCH", "/livez".to_owned(), "GET"),
    ] {
        let answer = stage.rest.send(method.parse().unwrap(), &path, None).await;
        assert_eq!(answer.header("allow").as_deref(), Some(allow), "{method} {path}: {}", answer.text);
        answer.problem(405, "method-not-allowed");
    }
    // The page that `type` links to is there, for people.
    let page = stage.rest.with_key("").get("/problems/stream-busy").await;
    assert!(page.status == 200 && page.text.contains("stream-busy"));
    stage.rest.get("/problems/%00").await.problem(404, "not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn unreadable_bodies_and_foreign_types_are_told_apart() {
    let stage = quiet_stage().await;
    let send = |body: &[u8], media: &str| {
        let (rest, body) = (stage.rest.with_header("content-type", media), body.to_vec());
        async move { rest.send(Method::POST, "/connections", Some(body)).await }
    };
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for unreadable in [&b"{"[..], b"", b"{\"flow\": }", b"\xff\xfe", b"{\"a\":1} {}", b"{\"name\": \"\\ud800\"}", b"nul", deep.as_bytes()] {
        send(unreadable, "application/json").await.problem(400, "invalid-json");
    }
    for other in [&b"[]"[..], b"null", b"5", b"\"x\"", b"{\"$serde_json::private::Number\": \"5\"}"] {
        let answer = send(other, "application/json").await;
        assert!(matches!(answer.status, 400 | 422), "{}", answer.text);
    }
    for media in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "", "multipart/form-data"] {
        send(connection_of("seller:42").to_string().as_bytes(), media).await.problem(415, "unsupported-media-type");
    }
    // A charset is no other type.
    send(connection_of("seller:42").to_string().as_bytes(), "application/json; charset=utf-8").await.ok(201);

    let huge = format!("{{\"name\": \"{}\"}}", "x".repeat(3 * 1024 * 1024)).into_bytes();
    send(&huge, "application/json").await.problem(413, "too-large");
    // The same in chunks, without Content-Length.
    let chunks = huge.chunks(64 * 1024).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect::<Vec<_>>();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http.post(format!("{}/connections", stage.rest.base)).bearer_auth(ADMIN_KEY).header("content-type", "application/json");
    let response = request.body(reqwest::Body::wrap_stream(stream::iter(chunks))).send().await.unwrap();
    assert_eq!(response.status(), 413);
    let problem = response.json::<Value>().await.unwrap();
    assert_eq!(problem["code"], "too-large");
}

/// Ids, cursors and keys as attackers and careless clients send them.
const ODD: &[&str] = &[
    "1%27%20OR%20%271%27=%271",
    "1;DROP%20TABLE%20tradesync_runs;--",
    "1%20UNION%20SELECT%20secrets%20FROM%20tradesync_connections",
    "%00",
    "a%00b",
    "%ff%fe",
    "%f0%9f%92%a5",
    "%D1%80%D1%83%D1%81",
    "%2e%2e%2f%2e%2e",
    "%2f",
    "%0d%0aX-Injected:%201",
    "%25",
    "%",
    "${jndi}",
    "-1",
    "18446744073709551616",
    "null",
    "ÿ",
];

#[tokio::test(flavor = "multi_thread")]
async fn odd_ids_cursors_and_keys_never_break_the_service() {
    let stage: Stage = quiet_stage().await;
    let (connection, _) = stage.simple(json!({})).await;
    let long = "x".repeat(6_000);
    let odd = ODD.iter().copied().chain([long.as_str()]);
    for word in odd {
        for (method, path, body) in [
            ("GET", format!("/connections/{word}"), None),
            ("PATCH", format!("/connections/{word}"), Some(json!({"name": "x"}))),
            ("DELETE", format!("/connections/{word}"), None),
            ("POST", format!("/connections/{word}/check"), None),
            ("GET", format!("/connections/{connection}/streams/{word}"), None),
            ("PATCH", format!("/connections/{connection}/streams/{word}"), Some(json!({"name": "x"}))),
            ("DELETE", format!("/connections/{connection}/streams/{word}"), None),
            ("PUT", format!("/connections/{connection}/links/{word}"), Some(json!({"target": "999999"}))),
            ("DELETE", format!("/connections/{connection}/links/{word}"), None),
            ("POST", format!("/connections/{connection}/links/{word}/confirm"), Some(json!({}))),
            ("GET", format!("/sync/runs/{word}"), None),
            ("GET", format!("/sync/runs/{word}/items"), None),
            ("POST", format!("/sync/runs/{word}/cancel"), None),
            ("POST", format!("/sync/{word}"), Some(json!({"connection": "a", "stream": "b"}))),
            ("GET", format!("/problems/{word}"), None),
        ] {
            let answer = stage.rest.send(method.parse().unwrap(), &path, body.map(|body| body.to_string().into_bytes())).await;
            assert!((400..500).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.text);
            assert!(answer.body["code"].is_string() && answer.header("x-injected").is_none(), "{method} {path}: {}", answer.text);
        }
        for path in
            ["/connections", "/sync/runs", &format!("/connections/{connection}/links"), &format!("/connections/{connection}/streams")]
        {
            let answer = stage.rest.get(&format!("{path}?cursor={word}")).await;
            assert!(matches!(answer.status, 200 | 400), "{path}?cursor={word}: {} {}", answer.status, answer.text);
        }
        for filter in ["flow", "connection", "stream", "owner"] {
            let answer = stage.rest.get(&format!("/sync/runs?{filter}={word}")).await;
            assert_eq!(answer.ok(200)["items"], json!([]), "{filter}={word}");
        }
        let answer = stage.rest.get(&format!("/connections?flow={word}")).await;
        assert_eq!(answer.ok(200)["items"], json!([]));
        stage.rest.get(&format!("/sync/runs?state={word}")).await.problem(400, "invalid-query");
    }
    // Cursors that decode to something.
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    for inside in ["' OR 1=1 --", "💥", "\u{0}", "99999999999999999999999", "-1", ""] {
        for path in ["/connections".to_owned(), "/sync/runs".to_owned(), format!("/connections/{connection}/links")] {
            let answer = stage.rest.get(&format!("{path}?cursor={}", URL_SAFE_NO_PAD.encode(inside))).await;
            assert!(matches!(answer.status, 200 | 400), "{path} {inside:?}: {} {}", answer.status, answer.text);
        }
    }
    // Stream keys are free text, within limits: what may be stored comes back as it was.
    for key in ["' OR 1=1 --", "магазин №1", "💥", "a/b?c#d%20e", "...", "x y", &"щ".repeat(190), &"💥".repeat(190)] {
        let rest = stage.rest.with_header("idempotency-key", &uuid::Uuid::new_v4().to_string());
        let answer = rest.post(&format!("/connections/{connection}/streams"), &json!({"stream": key, "name": "n"})).await;
        let location = answer.header("location").unwrap_or_default();
        assert_eq!(answer.ok(201)["stream"], key);
        assert_eq!(stage.rest.get(&location).await.ok(200)["stream"], key);
        stage.rest.delete(&location).await.ok(204);
    }
    stage.rest.get("/readyz").await.ok(200);
    assert_eq!(stage.database.number("SELECT COUNT(*) AS number FROM tradesync_connections WHERE deleted_at IS NULL"), 1);
    assert!(!stage.service.output().contains("panicked"));
}
