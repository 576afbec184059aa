//! The audit: who did what, on whose behalf, with what stood before and after; written in the transaction that acts.

use serde_json::{Value, json};

use crate::support::{ADMIN_KEY, BILLZ_KEY, Setup, Spawn, Stage, key, program};

async fn quiet() -> Stage {
    Stage::with(Setup { products: 0, spawn: Spawn::default().with("TRADESYNC_ROLE", "api"), ..Setup::default() }).await
}

async fn audit(stage: &Stage, filter: &str) -> Vec<Value> {
    stage.rest.all(&format!("/audit?{filter}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_told_before_and_after_and_secrets_never() {
    let stage = quiet().await;
    let (connection, _) = stage.simple(json!({})).await;
    let path = format!("/connections/{connection}");
    let patch = json!({"name": "Renamed", "settings": {"stock_buffer": 3, "full_every": null}, "secrets": {"secret": "another-billz-key-99", "username": "u-4711"}});
    let answer = stage.rest.patch(&path, &patch).await;
    let request = answer.header("x-request-id").unwrap();
    answer.ok(200);
    let entry = audit(&stage, "action=connections.change").await.remove(0);
    assert_eq!(
        [&entry["key"], &entry["resource"], &entry["connection"], &entry["owner"], &entry["flow"], &entry["request"]],
        [&json!("admin-key"), &json!(path), &json!(connection), &json!("seller:42"), &json!("billz-opencart"), &json!(request)]
    );
    assert_eq!(entry["before"], json!({"name": "Test shop", "settings": {"full_every": "1s"}, "secrets": {"secret": "set"}}));
    assert_eq!(
        entry["after"],
        json!({"name": "Renamed", "settings": {"stock_buffer": 3}, "secrets": {"secret": "replaced", "username": "set"}})
    );
    let made = audit(&stage, "action=connections.create").await.remove(0);
    assert_eq!((&made["before"], &made["after"]["secrets"]), (&Value::Null, &json!({"secret": "set"})), "{made}");
    stage.rest.delete(&path).await.ok(204);
    let gone = audit(&stage, "action=connections.delete").await.remove(0);
    assert_eq!((&gone["before"]["name"], &gone["after"], &gone["owner"]), (&json!("Renamed"), &Value::Null, &json!("seller:42")), "{gone}");
    let kept =
        stage.database.words("SELECT CONCAT_WS(' ', old_values, new_values, resource, key_name) AS words FROM tradesync_audit").join("\n");
    for secret in [BILLZ_KEY, ADMIN_KEY, "another-billz-key-99", "u-4711", "v1."] {
        assert!(!kept.contains(secret), "{secret} is in the audit");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_streams_and_links_tell_who_acted_and_for_whom() {
    let stage = Stage::empty().await;
    let good = stage.good(json!({}));
    let (connection, stream) = stage.simple(json!({})).await;
    stage.full(&connection, &stream).await;
    let product = stage.product_of(&connection, &good).await;
    let bridge = key(&stage.database, &["--role", "operator", "--delegate"]);
    let seller = stage.rest.with_key(&bridge.key).with_header("x-on-behalf-of", "seller:42");
    let dry = json!({"connection": connection, "stream": stream, "mode": "full", "dry_run": true});
    let run = seller.post("/sync/billz-opencart", &dry).await.ok(202)["id"].as_str().unwrap().to_owned();
    seller.wait(&run).await;
    seller.post(&format!("/sync/runs/{run}/reject"), &json!({})).await.ok(202);
    seller.patch(&format!("/connections/{connection}/streams/{stream}"), &json!({"name": "Center"})).await.ok(200);
    seller.delete(&format!("/connections/{connection}/links/{good}")).await.ok(204);
    seller.put(&format!("/connections/{connection}/links/{good}"), &json!({"target": product.to_string()})).await.ok(200);

    let acts = audit(&stage, &format!("key={}", bridge.id)).await;
    let told: Vec<_> = acts.iter().rev().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(told, ["sync.start", "runs.reject", "streams.change", "links.delete", "links.set"]);
    for entry in &acts {
        assert_eq!(
            [&entry["on_behalf_of"], &entry["key_name"], &entry["connection"], &entry["owner"]],
            [&json!("seller:42"), &json!("test"), &json!(connection), &json!("seller:42")],
            "{entry}"
        );
    }
    assert_eq!((acts[0]["before"].is_null(), &acts[0]["after"]["target"]), (true, &json!(product.to_string())), "{}", acts[0]);
    assert_eq!((&acts[1]["before"]["target"], acts[1]["after"].is_null()), (&json!(product.to_string()), true), "{}", acts[1]);
    assert_eq!(acts[2]["after"], json!({"name": "Center"}));
    let of_run = audit(&stage, &format!("run={run}")).await;
    assert_eq!(of_run.iter().map(|entry| entry["action"].as_str().unwrap()).collect::<Vec<_>>(), ["runs.reject", "sync.start"]);
    assert_eq!(of_run[0]["before"]["state"], "awaiting_approval", "{}", of_run[0]);
    assert_eq!(
        (&of_run[0]["after"]["state"], &of_run[0]["after"]["error"]),
        (&json!("cancelled"), &json!("plan-rejected")),
        "{}",
        of_run[0]
    );
    // An approval changes the state and nothing else at first.
    let run = seller.post("/sync/billz-opencart", &dry).await.ok(202)["id"].as_str().unwrap().to_owned();
    seller.wait(&run).await;
    seller.post(&format!("/sync/runs/{run}/approve"), &json!({})).await.ok(202);
    let approved = audit(&stage, &format!("run={run}&action=runs.approve")).await.remove(0);
    assert_eq!(
        (&approved["before"], &approved["after"]),
        (&json!({"state": "awaiting_approval"}), &json!({"state": "queued"})),
        "{approved}"
    );
    seller.wait(&run).await;
    // What a worker does by itself is no act of anybody.
    assert!(audit(&stage, "").await.iter().all(|entry| entry["key"] != ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_replayed_and_reading_requests_leave_no_entry() {
    let stage = quiet().await;
    let (connection, stream) = stage.simple(json!({})).await;
    let before = audit(&stage, "").await.len();
    let body = json!({"connection": connection, "stream": stream});
    let once = stage.rest.with_header("idempotency-key", "press-1");
    let first = once.post("/sync/billz-opencart", &body).await.ok(202);
    assert_eq!(once.post("/sync/billz-opencart", &body).await.ok(202), first);
    stage.rest.post("/sync/billz-opencart", &body).await.problem(409, "stream-busy");
    stage.rest.patch(&format!("/connections/{connection}"), &json!({"nmae": "x"})).await.problem(422, "validation-failed");
    stage.rest.patch(&format!("/connections/{connection}"), &json!({"settings": {"stock": "all"}})).await.problem(422, "validation-failed");
    stage.rest.post(&format!("/connections/{connection}/check"), &json!({})).await.ok(200);
    stage.rest.get("/connections").await.ok(200);
    assert_eq!(audit(&stage, "").await.len(), before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_act_without_its_entry() {
    let stage = quiet().await;
    let (connection, stream) = stage.simple(json!({})).await;
    // The audit cannot be written: then nothing is done either.
    stage.database.run("RENAME TABLE tradesync_audit TO tradesync_audit_away");
    let body = json!({"connection": connection, "stream": stream});
    assert_eq!(stage.rest.post("/sync/billz-opencart", &body).await.status, 500);
    assert_eq!(stage.rest.patch(&format!("/connections/{connection}"), &json!({"name": "New"})).await.status, 500);
    assert_eq!(stage.rest.delete(&format!("/connections/{connection}")).await.status, 500);
    stage.database.run("RENAME TABLE tradesync_audit_away TO tradesync_audit");
    assert_eq!(stage.live_runs(), 0);
    assert_eq!(stage.rest.get(&format!("/connections/{connection}")).await.ok(200)["name"], "Test shop");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_made_and_revoked_under_the_audit_and_it_is_for_administrators() {
    let stage = quiet().await;
    let operator = key(&stage.database, &["--role", "operator", "--owner", "seller:7"]);
    assert!(program(&stage.database, &["key", "revoke", &operator.id]).status.success());
    let acts = audit(&stage, "key=command-line").await;
    assert_eq!(acts.iter().map(|entry| entry["action"].as_str().unwrap()).collect::<Vec<_>>(), ["keys.revoke", "keys.create"]);
    let made = json!({"id": operator.id, "name": "test", "role": "operator", "flows": null, "owner": "seller:7", "delegate": false});
    assert_eq!((&acts[1]["after"], &acts[0]["before"]), (&made, &made));
    assert!(!acts[0].to_string().contains(&operator.key));

    let operator = key(&stage.database, &["--role", "operator"]);
    stage.rest.with_key(&operator.key).get("/audit").await.problem(403, "forbidden");
    // An administrator who is narrowed to an owner sees that owner's connections only.
    for owner in ["seller:1", "seller:2"] {
        stage.simple_of(owner, json!({})).await;
    }
    let narrowed = stage.rest.with_header("x-on-behalf-of", "seller:1").all("/audit").await;
    assert!(narrowed.len() == 2 && narrowed.iter().all(|entry| entry["owner"] == "seller:1"), "{narrowed:?}");
    assert_eq!(audit(&stage, "owner=seller:2&action=streams.create").await.len(), 1);
    let foreign = stage.rest.with_header("x-on-behalf-of", "seller:1").get("/audit?owner=seller:2").await.ok(200);
    assert_eq!(foreign["items"], json!([]));
    let page = stage.rest.get("/audit?limit=2").await.ok(200);
    assert!(page["items"].as_array().unwrap().len() == 2 && page["next_cursor"].is_string());
}
