//! `ETag` and conditions, RFC 7396, and what a patch says about secrets.

use serde_json::{Value, json};

use super::quiet_stage;
use crate::support::{BILLZ_KEY, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn conditions_guard_changes() {
    let stage = quiet_stage().await;
    let (connection, stream) = stage.simple(json!({})).await;
    for path in [format!("/connections/{connection}"), format!("/connections/{connection}/streams/{stream}")] {
        let tag = stage.rest.get(&path).await.header("etag").unwrap();
        let changed = stage.rest.with_header("if-match", &tag).patch(&path, &json!({"name": "First"})).await;
        let next = changed.header("etag").unwrap();
        assert_eq!(changed.ok(200)["name"], "First");
        assert_ne!(next, tag);
        stage.rest.with_header("if-match", &tag).patch(&path, &json!({"name": "Second"})).await.problem(412, "precondition-failed");
        stage.rest.with_header("if-match", &tag).delete(&path).await.problem(412, "precondition-failed");
        stage.rest.with_header("if-match", "\"other\"").patch(&path, &json!({"name": "Second"})).await.problem(412, "precondition-failed");
        stage.rest.with_header("if-match", "no tag").patch(&path, &json!({"name": "Second"})).await.problem(400, "invalid-header");
        assert_eq!(stage.rest.get(&path).await.ok(200)["name"], "First");
        stage.rest.with_header("if-match", "*").patch(&path, &json!({"name": "Third"})).await.ok(200);
        // Without a condition it is optional.
        stage.rest.patch(&path, &json!({"name": "Fourth"})).await.ok(200);
    }
    let path = format!("/connections/{connection}");
    let tag = stage.rest.get(&path).await.header("etag").unwrap();
    let known = stage.rest.with_header("if-none-match", &tag).get(&path).await;
    assert_eq!((known.status, known.text.as_str()), (304, ""));
    // Many at once, without conditions: each either stands or says that it does not, and no change is lost.
    let calls = (0..6).map(|number| {
        let (rest, path) = (stage.rest.clone(), path.clone());
        tokio::spawn(async move { rest.patch(&path, &json!({"settings": {"rates": {format!("AA{number}"): "2"}}})).await.status })
    });
    let mut stands = 0;
    for call in calls.collect::<Vec<_>>() {
        match call.await.unwrap() {
            200 => stands += 1,
            status => assert_eq!(status, 412),
        }
    }
    let rates =
        stage.rest.get(&path).await.ok(200)["settings"]["rates"].as_object().unwrap().keys().filter(|name| name.starts_with("AA")).count();
    assert_eq!(rates, stands);
}

#[tokio::test(flavor = "multi_thread")]
async fn null_means_default_and_what_is_absent_stays() {
    let stage = quiet_stage().await;
    let (connection, stream) = stage.simple(json!({"stock_buffer": 2, "opencart": {"store_id": 0, "table_prefix": "oc_"}})).await;
    let path = format!("/connections/{connection}");
    let before = stage.rest.get(&path).await.ok(200);
    let patch = |body: Value| {
        let (rest, path) = (stage.rest.clone(), path.clone());
        async move { rest.patch(&path, &body).await.ok(200) }
    };
    assert_eq!(patch(json!({})).await["settings"], before["settings"]);
    let after = patch(json!({"settings": {"stock_buffer": null, "min_price": "5", "opencart": {"store_id": null}}})).await;
    let mut expected = before["settings"].clone();
    expected.as_object_mut().unwrap().remove("stock_buffer");
    expected["opencart"].as_object_mut().unwrap().remove("store_id");
    expected["min_price"] = json!("5");
    assert_eq!(after["settings"], expected);
    assert_eq!((&after["name"], &after["owner"], &after["enabled"]), (&before["name"], &before["owner"], &before["enabled"]));
    assert!(after["updated_at"].as_str() > before["updated_at"].as_str() && after["created_at"] == before["created_at"]);
    // Lists are replaced as a whole.
    assert_eq!(patch(json!({"settings": {"link_keys": ["sku"]}})).await["settings"]["link_keys"], json!(["sku"]));
    assert_eq!(patch(json!({"enabled": false})).await["enabled"], false);
    assert_eq!(patch(json!({"enabled": null})).await["enabled"], true);
    assert_eq!(patch(json!({"flow": "billz-opencart"})).await["flow"], "billz-opencart");
    assert_eq!(patch(json!({"settings": null})).await["settings"], json!({}));
    for (body, pointer) in [(json!({"name": null}), "/name"), (json!({"flow": "kaktus-insales"}), "/flow"), (json!({"id": "x"}), "/id")] {
        let problem = stage.rest.patch(&path, &body).await.problem(422, "validation-failed");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
    // A refused patch changes nothing.
    stage.rest.patch(&path, &json!({"name": "X", "settings": {"stock": "all"}})).await.problem(422, "validation-failed");
    assert_eq!(stage.rest.get(&path).await.ok(200)["name"], before["name"]);

    let path = format!("{path}/streams/{stream}");
    let set = stage.rest.patch(&path, &json!({"cursor": "2026-02-01T10:00:00+05:00"})).await.ok(200);
    assert_eq!(set["cursor"], "2026-02-01T05:00:00Z");
    assert_eq!(stage.rest.patch(&path, &json!({"enabled": false})).await.ok(200)["cursor"], "2026-02-01T05:00:00Z");
    let back = stage.rest.patch(&path, &json!({"cursor": null, "name": null, "enabled": null})).await.ok(200);
    assert_eq!((&back["cursor"], &back["name"], &back["enabled"]), (&Value::Null, &json!(stream), &json!(true)));
}

/// Rows of `/check` by name.
async fn check(stage: &Stage, connection: &str) -> (bool, Vec<(String, bool)>) {
    let answer = stage.rest.post(&format!("/connections/{connection}/check"), &json!({})).await.ok(200);
    let rows =
        answer["checks"].as_array().unwrap().iter().map(|row| (row["name"].as_str().unwrap().to_owned(), row["ok"].as_bool().unwrap()));
    (answer["ok"].as_bool().unwrap(), rows.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_set_kept_changed_and_deleted_and_never_shown() {
    let stage = quiet_stage().await;
    let (connection, _) = stage.simple(json!({})).await;
    let path = format!("/connections/{connection}");
    let patch = |secrets: Value| {
        let (rest, path) = (stage.rest.clone(), path.clone());
        async move { rest.patch(&path, &json!({"secrets": secrets})).await }
    };
    assert!(check(&stage, &connection).await.0);
    // Unchanged, said or unsaid.
    assert_eq!(patch(json!({"secret": "set"})).await.ok(200)["secrets"], json!({"secret": "set"}));
    patch(json!({})).await.ok(200);
    assert!(check(&stage, &connection).await.0);
    // Changed: Billz knows no such key.
    patch(json!({"secret": "another-key-that-billz-does-not-know"})).await.ok(200);
    let (ok, rows) = check(&stage, &connection).await;
    assert!(!ok && rows.contains(&("billz.login".to_owned(), false)) && rows.contains(&("opencart.database".to_owned(), true)), "{rows:?}");
    patch(json!({"secret": BILLZ_KEY})).await.ok(200);
    assert!(check(&stage, &connection).await.0);
    // Deleted: one that is needed cannot be, one that is not needed can.
    for secrets in [json!({"secret": null}), json!(null)] {
        assert_eq!(patch(secrets).await.problem(422, "validation-failed")["errors"][0]["pointer"], "/secrets/secret");
    }
    assert!(check(&stage, &connection).await.0);
    let elsewhere = "mysql://nobody:very-secret-password@127.0.0.1:9/none";
    assert_eq!(
        patch(json!({"opencart_database_url": elsewhere})).await.ok(200)["secrets"],
        json!({"opencart_database_url": "set", "secret": "set"})
    );
    let (_, rows) = check(&stage, &connection).await;
    assert!(rows.contains(&("opencart.database".to_owned(), false)), "{rows:?}");
    assert_eq!(patch(json!({"opencart_database_url": null})).await.ok(200)["secrets"], json!({"secret": "set"}));
    assert!(check(&stage, &connection).await.0);
    for wrong in ["", "postgres://x/y", "nonsense"] {
        let answer = patch(json!({"opencart_database_url": wrong})).await;
        assert_eq!(answer.status, 422, "{}", answer.text);
        assert!(answer.body["errors"][0]["pointer"] == "/secrets/opencart_database_url", "{wrong}: {}", answer.text);
    }
    // Neither the log nor the database holds any of them.
    let stored = stage.database.words("SELECT CONCAT(settings, secrets) AS words FROM tradesync_connections").concat();
    let output = stage.service.output();
    for secret in [BILLZ_KEY, "very-secret-password", "another-key-that-billz-does-not-know"] {
        assert!(!stored.contains(secret) && !output.contains(secret), "{secret}");
    }
}
