//! Who may do what: keys made on the command line, roles, limits to flows and owners, `X-On-Behalf-Of`.

use std::time::{Duration, Instant};

use serde_json::json;
use tradesync::api::auth::ROUTES;

use super::{connection_of, id, quiet_stage, sync_body};
use crate::support::{ADMIN_KEY, Rest, Stage, key, program};

/// What design.md section 4 says: 0 = no key, 1 = reader, 2 = operator, 3 = admin.
fn least(method: &str, path: &str) -> usize {
    let open = ["/livez", "/readyz", "/metrics", "/openapi.json", "/docs", "/problems"];
    match (method, path) {
        (_, path) if open.iter().any(|start| path.starts_with(start)) => 0,
        ("GET", "/audit") | ("PUT", "/connections/{id}/brakes" | "/alerts") | ("POST", "/alerts/test") => 3,
        ("GET", _) => 1,
        (_, "/connections" | "/connections/{id}" | "/connections/{id}/check" | "/connections/{id}/page-links") => 3,
        _ => 2,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_reaches_its_endpoints_and_no_others() {
    let stage = quiet_stage().await;
    let keys = ["reader", "operator", "admin"].map(|role| key(&stage.database, &["--role", role]).key);
    let absent = "0".repeat(32);
    for (method, pattern, _) in ROUTES {
        let needs = least(method, pattern);
        let path = pattern.replace("{id}", &absent).replace("{stream}", "s").replace("{source}", "x");
        let path = path
            .replace("{flow}", "billz-opencart")
            .replace("{code}", "in-use")
            .replace("{_:.*}", "")
            .replace("{token}", "a-token-of-nobody");
        let body = matches!(*method, "POST" | "PUT" | "PATCH").then(|| b"{}".to_vec());
        let send = |rest: Rest| {
            let (path, body) = (path.clone(), body.clone());
            async move { rest.send(method.parse().unwrap(), &path, body).await }
        };
        let none = send(stage.rest.with_key("")).await;
        if pattern.contains("/hooks/") || pattern.starts_with("/pages/") {
            // The token in the path, or the link, is the right to call it, and there is no such one.
            none.problem(404, "not-found");
            continue;
        }
        if needs == 0 {
            assert!(none.status < 400, "{method} {path}: {} {}", none.status, none.text);
            continue;
        }
        assert!(none.header("www-authenticate").is_some_and(|scheme| scheme.starts_with("Bearer")), "{method} {path}");
        none.problem(401, "unauthenticated");
        send(stage.rest.with_key("ts_0000000000000000000000000000000000000000")).await.problem(401, "unauthenticated");
        for (rank, key) in keys.iter().enumerate() {
            let answer = send(stage.rest.with_key(key)).await;
            if rank + 1 < needs {
                answer.problem(403, "forbidden");
            } else {
                assert!(!matches!(answer.status, 401 | 403) && answer.status < 500, "{method} {path}: {} {}", answer.status, answer.text);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_limited_to_an_owner_or_flow_sees_nothing_else() {
    let stage = quiet_stage().await;
    let (ours, stream) = stage.simple(json!({})).await;
    let theirs = id(&stage.rest.post("/connections", &connection_of("seller:7")).await.ok(201));
    let run = id(&stage.rest.post("/sync/billz-opencart", &sync_body(&ours, &stream)).await.ok(202));

    let owner = stage.rest.with_key(&key(&stage.database, &["--role", "admin", "--owner", "seller:7"]).key);
    let seen = owner.get("/connections").await.ok(200);
    assert_eq!(seen["items"].as_array().unwrap().iter().map(id).collect::<Vec<_>>(), [theirs.as_str()]);
    owner.get(&format!("/connections/{theirs}")).await.ok(200);
    hidden(&owner, &ours, &stream, &run).await;
    assert_eq!(owner.get("/sync/runs").await.ok(200)["items"], json!([]));
    owner.post("/connections", &connection_of("seller:42")).await.problem(403, "forbidden");
    owner.patch(&format!("/connections/{theirs}"), &json!({"owner": "seller:42"})).await.problem(403, "forbidden");
    owner.patch(&format!("/connections/{theirs}"), &json!({"owner": null})).await.problem(403, "forbidden");
    // Without a word about it the connection is its own.
    let mut body = connection_of("seller:7");
    body.as_object_mut().unwrap().remove("owner");
    assert_eq!(owner.post("/connections", &body).await.ok(201)["owner"], "seller:7");

    let same = stage.rest.with_key(&key(&stage.database, &["--role", "admin", "--flow", "billz-opencart"]).key);
    assert_eq!(same.get("/connections").await.ok(200)["items"].as_array().unwrap().len(), 3);
    same.get(&format!("/sync/runs/{run}")).await.ok(200);

    // Keys of flows that another build of the program serves: all of this is invisible to them.
    let foreign = key(&stage.database, &["--role", "admin", "--flow", "billz-opencart"]);
    stage.database.run(&format!("UPDATE tradesync_api_keys SET flows = '[\"kaktus-insales\"]' WHERE id = '{}'", foreign.id));
    let foreign = stage.rest.with_key(&foreign.key);
    assert_eq!(foreign.get("/connections").await.ok(200)["items"], json!([]));
    assert_eq!(foreign.get("/sync/runs").await.ok(200)["items"], json!([]));
    hidden(&foreign, &ours, &stream, &run).await;
    foreign.post("/connections", &connection_of("seller:42")).await.problem(403, "forbidden");
}

/// Whatever is asked of things that a caller may not see: 404, as for things that are not there.
async fn hidden(rest: &Rest, connection: &str, stream: &str, run: &str) {
    let connection = format!("/connections/{connection}");
    for path in [
        connection.clone(),
        format!("{connection}/streams"),
        format!("{connection}/streams/{stream}"),
        format!("{connection}/links"),
        format!("/sync/runs/{run}"),
        format!("/sync/runs/{run}/items"),
    ] {
        rest.get(&path).await.problem(404, "not-found");
    }
    for path in [
        format!("{connection}/streams"),
        format!("{connection}/streams/discover"),
        format!("{connection}/links/x/confirm"),
        format!("/sync/runs/{run}/cancel"),
        format!("/sync/runs/{run}/approve"),
        format!("/sync/runs/{run}/reject"),
    ] {
        let body = if path.ends_with("/streams") { json!({"stream": "s"}) } else { json!({}) };
        rest.post(&path, &body).await.problem(404, "not-found");
    }
    let id = connection.rsplit('/').next().unwrap();
    rest.post("/sync/billz-opencart", &sync_body(id, stream)).await.problem(404, "not-found");
    rest.patch(&format!("{connection}/streams/{stream}"), &json!({"name": "x"})).await.problem(404, "not-found");
    rest.put(&format!("{connection}/links/x"), &json!({"target": "1"})).await.problem(404, "not-found");
    rest.delete(&format!("{connection}/links/x")).await.problem(404, "not-found");
    rest.delete(&format!("{connection}/streams/{stream}")).await.problem(404, "not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_behalf_of_narrows_every_key_and_delegates_need_it() {
    let stage = quiet_stage().await;
    let (ours, stream) = stage.simple(json!({})).await;
    let run = id(&stage.rest.post("/sync/billz-opencart", &sync_body(&ours, &stream)).await.ok(202));
    id(&stage.rest.post("/connections", &connection_of("seller:7")).await.ok(201));

    // The admin key of the configuration is narrowed like any other.
    let narrowed = stage.rest.with_header("x-on-behalf-of", "seller:42");
    assert_eq!(narrowed.get("/connections").await.ok(200)["items"].as_array().unwrap().len(), 1);
    hidden(&stage.rest.with_header("x-on-behalf-of", "seller:7"), &ours, &stream, &run).await;
    for malformed in [
        "",
        "seller",
        ":42",
        "seller:",
        "Seller:42",
        "seller:4 2",
        "seller:42;drop",
        "seller:продавец",
        &format!("seller:{}", "1".repeat(129)),
    ] {
        stage.rest.with_header("x-on-behalf-of", malformed).get("/connections").await.problem(400, "invalid-header");
    }
    stage
        .rest
        .with_header("x-on-behalf-of", "seller:42")
        .with_header("x-on-behalf-of", "seller:7")
        .get("/connections")
        .await
        .problem(400, "invalid-header");

    // A key of one owner on behalf of another sees nothing.
    let owned = stage.rest.with_key(&key(&stage.database, &["--role", "admin", "--owner", "seller:7"]).key);
    let crossed = owned.with_header("x-on-behalf-of", "seller:42");
    assert_eq!(crossed.get("/connections").await.ok(200)["items"], json!([]));
    hidden(&crossed, &ours, &stream, &run).await;
    crossed.post("/connections", &connection_of("seller:42")).await.problem(403, "forbidden");

    for role in ["reader", "operator", "admin"] {
        let delegate = stage.rest.with_key(&key(&stage.database, &["--role", role, "--delegate"]).key);
        delegate.get("/connections").await.problem(403, "on-behalf-of-required");
        let own = delegate.with_header("x-on-behalf-of", "seller:42");
        assert_eq!(own.get(&format!("/connections/{ours}")).await.ok(200)["secrets"], json!({"secret": "set"}));
        own.post("/connections", &connection_of("seller:42")).await.problem(403, "forbidden");
        own.patch(&format!("/connections/{ours}"), &json!({"enabled": false})).await.problem(403, "forbidden");
        own.delete(&format!("/connections/{ours}")).await.problem(403, "forbidden");
        let other = delegate.with_header("x-on-behalf-of", "seller:7");
        other.get(&format!("/connections/{ours}")).await.problem(404, "not-found");
        if role != "reader" {
            hidden(&other, &ours, &stream, &run).await;
            let dry = json!({"connection": ours, "stream": stream, "dry_run": true});
            own.post("/sync/billz-opencart", &dry).await.ok(202);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_is_refused_within_seconds() {
    let stage = quiet_stage().await;
    let made = key(&stage.database, &["--role", "reader"]);
    let rest = stage.rest.with_key(&made.key);
    rest.get("/connections").await.ok(200);
    let listed = String::from_utf8(program(&stage.database, &["key", "list"]).stdout).unwrap();
    assert!(listed.contains(&made.id) && !listed.contains(&made.key));
    assert!(program(&stage.database, &["key", "revoke", &made.id]).status.success());
    let until = Instant::now() + Duration::from_secs(8);
    while rest.get("/connections").await.status == 200 {
        assert!(Instant::now() < until, "the revoked key still works");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    rest.get("/connections").await.problem(401, "unauthenticated");
    let again = program(&stage.database, &["key", "revoke", &made.id]);
    assert!(!again.status.success() && String::from_utf8(again.stderr).unwrap().contains("no live key"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_could_never_work_is_not_made() {
    let stage: Stage = quiet_stage().await;
    for (arguments, word) in [
        (&["--role", "boss"][..], "role"),
        (&["--role", "reader", "--owner", "42"], "owner"),
        (&["--role", "reader", "--flow", "billz-opencrat"], "billz-opencrat"),
    ] {
        let output = program(&stage.database, &[&["key", "create", "--name", "test"], arguments].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty() && said.contains(word), "{said}");
    }
    assert_eq!(stage.database.number("SELECT COUNT(*) AS number FROM tradesync_api_keys"), 0);
    // No header, no key; and two are none.
    for header in ["", "Bearer", "Bearer ", "Basic dGVzdA==", &format!("bearer{ADMIN_KEY}"), &format!("Bearer {}", "x".repeat(600))] {
        stage.rest.with_key("").with_header("authorization", header).get("/connections").await.problem(401, "unauthenticated");
    }
    stage.rest.with_header("authorization", "Bearer other").get("/connections").await.problem(401, "unauthenticated");
}
