//! `/alerts`: who may set what, secrets that never come back, and who is told of what.

use serde_json::{Value, json};

use super::{Receiver, SECRET, a_while, fails, set, tells, told, verified, webhook};
use crate::support::{Setup, Spawn, Stage, key};

async fn quiet() -> Stage {
    Stage::with(Setup { products: 0, spawn: Spawn::default().with("TRADESYNC_ROLE", "api"), ..Setup::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_are_replaced_under_their_etag_and_secrets_never_come_back() {
    let stage = quiet().await;
    let empty = stage.rest.get("/alerts").await;
    assert_eq!(empty.header("etag").as_deref(), Some("\"1\""));
    let empty = empty.ok(200);
    assert_eq!(
        (&empty["channels"], &empty["standing"], &empty["tells_of"]),
        (&json!([]), &json!([]), &json!({"flows": null, "owner": null}))
    );
    assert_eq!((&empty["language"], &empty["rules"]["stale"]["periods"], &empty["remind_after"]), (&json!("ru"), &json!(3), &json!("24h")));

    let token = "123456789:AAE-tests-only-token-of-a-bot";
    let body = json!({"channels": [
        {"id": "ops", "kind": "webhook", "url": "https://hooks.example/secret-path", "secrets": {"secret": SECRET}},
        {"id": "owner", "kind": "telegram", "chat_id": "42", "secrets": {"token": token}},
    ]});
    stage.rest.put("/alerts", &body).await.problem(428, "precondition-required");
    stage.rest.put_matching("/alerts", "\"7\"", &body).await.problem(412, "precondition-failed");
    let set = stage.rest.put_matching("/alerts", "\"1\"", &body).await;
    assert_eq!(set.header("etag").as_deref(), Some("\"2\""), "{}", set.text);
    let set = set.ok(200);
    assert_eq!(
        (&set["channels"][0]["secrets"], &set["channels"][1]["base_url"]),
        (&json!({"secret": "set"}), &json!("https://api.telegram.org"))
    );
    // The same again, its answer having been lost; and what was read sent back.
    let again = stage.rest.put_matching("/alerts", "\"1\"", &body).await;
    assert_eq!((again.status, again.header("etag").as_deref()), (200, Some("\"2\"")), "{}", again.text);
    assert_eq!(stage.rest.put_matching("/alerts", "\"2\"", &set).await.header("etag").as_deref(), Some("\"2\""));
    let mut changed = set.clone();
    changed["rules"]["failures"]["in_row"] = json!(5);
    changed["channels"][0]["secrets"]["secret"] = json!("whsec_YW5vdGhlci10ZXN0LXNlY3JldC0yNGJ5");
    let changed = stage.rest.put_matching("/alerts", "\"2\"", &changed).await.ok(200);
    assert_eq!(changed["rules"]["failures"], json!({"on": true, "in_row": 5}));
    stage.rest.put_matching("/alerts", "\"2\"", &body).await.problem(412, "precondition-failed");

    let entry = stage.rest.all("/audit?action=alerts.set").await.remove(0);
    assert_eq!(entry["after"]["rules"], json!({"failures": {"in_row": 5}}), "{entry}");
    let everything = format!(
        "{} {} {}",
        stage.rest.get("/alerts").await.text,
        stage.rest.get("/audit").await.text,
        stage.database.words("SELECT settings AS words FROM tradesync_alert_settings").join(" ")
    );
    for secret in [SECRET, token, "whsec_", "AAE-tests-only"] {
        assert!(!everything.contains(secret), "{secret} comes back: {everything}");
    }
    // An address may hold a secret: whoever may not set it does not see all of it.
    let reader = key(&stage.database, &["--role", "reader"]);
    let seen = stage.rest.with_key(&reader.key).get("/alerts").await.ok(200);
    assert_eq!(seen["channels"][0]["url"], "https://hooks.example/…");
    stage.rest.with_key(&reader.key).with_header("If-Match", "*").put("/alerts", &body).await.problem(403, "forbidden");
    stage.rest.with_key(&reader.key).post("/alerts/test", &json!({})).await.problem(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_field_is_named_and_no_secret_quoted() {
    let stage = quiet().await;
    let fine = json!({"id": "a", "kind": "webhook", "url": "https://example.com", "secrets": {"secret": SECRET}});
    let with = |over: Value| {
        let mut channel = fine.clone();
        channel.as_object_mut().unwrap().extend(over.as_object().unwrap().clone());
        json!({"channels": [channel]})
    };
    let bot = |over: Value| {
        let mut channel =
            json!({"id": "b", "kind": "telegram", "chat_id": "42", "secrets": {"token": "12345678:AAEaBcDeFgHiJkLmNoPqRsTuV"}});
        channel.as_object_mut().unwrap().extend(over.as_object().unwrap().clone());
        json!({"channels": [channel]})
    };
    let mail = json!({"id": "c", "kind": "email", "host": "smtp.example.com", "encryption": "none", "username": "u", "from": "x", "to": [], "secrets": {"password": "hunter22hunter22"}});
    for (body, pointers) in [
        (json!({}), vec!["/channels"]),
        (
            json!({"channels": [], "language": "de", "timezone": "Mars", "remind_after": "soon"}),
            vec!["/language", "/timezone", "/remind_after"],
        ),
        (json!({"channels": [], "rules": {"stale": {"period": 3}}}), vec!["/rules/stale/period"]),
        (
            json!({"channels": [], "rules": {"stale": {"periods": 0}, "failures": {"in_row": 0}}}),
            vec!["/rules/failures/in_row", "/rules/stale/periods"],
        ),
        (with(json!({"id": "A b"})), vec!["/channels/0/id"]),
        (with(json!({"kind": "pigeon"})), vec!["/channels/0/kind"]),
        (with(json!({"url": null})), vec!["/channels/0/url"]),
        (with(json!({"url": "ftp://example.com"})), vec!["/channels/0/url"]),
        (with(json!({"chat_id": "42"})), vec!["/channels/0/chat_id"]),
        (with(json!({"rules": ["failures", "weather"]})), vec!["/channels/0/rules/1"]),
        (with(json!({"secrets": {}})), vec!["/channels/0/secrets/secret"]),
        (with(json!({"secrets": {"secret": "set"}})), vec!["/channels/0/secrets/secret"]),
        (with(json!({"secrets": {"secret": "hunter22hunter22"}})), vec!["/channels/0/secrets/secret"]),
        (with(json!({"secrets": {"secret": ["hunter22hunter22"]}})), vec!["/channels/0/secrets/secret"]),
        (with(json!({"secrets": {"secret": SECRET, "token": "hunter22hunter22"}})), vec!["/channels/0/secrets/token"]),
        (bot(json!({"chat_id": "me", "secrets": {"token": "hunter22hunter22"}})), vec!["/channels/0/chat_id", "/channels/0/secrets/token"]),
        (json!({"channels": [mail]}), vec!["/channels/0/from", "/channels/0/to", "/channels/0/encryption"]),
        (json!({"channels": [fine.clone(), fine.clone()]}), vec!["/channels/1/id"]),
    ] {
        let answer = stage.rest.put_matching("/alerts", "*", &body).await;
        assert!(!answer.text.contains("hunter22"), "{}", answer.text);
        let problem = answer.problem(422, "validation-failed");
        let mut found: Vec<&str> = problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        found.sort_unstable();
        let mut pointers = pointers;
        pointers.sort_unstable();
        assert_eq!(found, pointers, "{body}\n{problem}");
    }
    stage.rest.post("/alerts/test", &json!({})).await.problem(422, "validation-failed");
}

/// An owner's alerts are their own: they are told of their connections only, and set by an administrator on their behalf.
#[tokio::test(flavor = "multi_thread")]
async fn each_owner_is_told_of_their_own_shops_in_their_own_language() {
    let stage = Stage::with(Setup { products: 3, ..Setup::default() }).await;
    let (all, own) = (Receiver::willing().await, Receiver::willing().await);
    set(&stage.rest, json!([webhook("all", &all)]), json!({"failures": {"in_row": 1}})).await;
    let seller = stage.rest.with_header("x-on-behalf-of", "seller:1");
    let body = json!({"language": "uz", "rules": {"failures": {"in_row": 1}}, "channels": [webhook("own", &own)]});
    let kept = seller.put_matching("/alerts", "\"1\"", &body).await.ok(200);
    assert_eq!(kept["tells_of"], json!({"flows": null, "owner": "seller:1"}));
    // The bridge's key for sellers sees them, and never sets them.
    let bridge = key(&stage.database, &["--role", "admin", "--delegate"]);
    let bridge = stage.rest.with_key(&bridge.key).with_header("x-on-behalf-of", "seller:1");
    assert_eq!(bridge.get("/alerts").await.ok(200)["channels"][0]["url"], format!("{}/…", own.url));
    bridge.put_matching("/alerts", "*", &body).await.problem(403, "forbidden");

    let mut streams = Vec::new();
    for owner in ["seller:2", "seller:1"] {
        let (connection, stream) = stage.simple_of(owner, json!({})).await;
        stage.rest.patch(&format!("/connections/{connection}"), &json!({"secrets": {"secret": "a-wrong-billz-key"}})).await.ok(200);
        fails(&stage, &connection, &stream).await;
        streams.push((connection, stream));
    }
    let raised = format!("raised failures {}", streams[1].1);
    tells(&own, &[&raised]).await;
    let data = verified(&own.got()[0], SECRET)["data"].clone();
    assert_eq!((&data["items"][0]["connection"], &data["language"]), (&json!(streams[1].0), &json!("uz")));
    assert!(data["text"].as_str().unwrap().contains("ketma-ket 1 marta amalga oshmadi"), "{data}");
    tells(&all, &[&format!("raised failures {}", streams[0].1), &raised]).await;
    a_while().await;
    assert_eq!(told(&own).len(), 1);
    // A key limited to another flow sees none of it, and has alerts of its own.
    let other = key(&stage.database, &["--role", "admin", "--flow", "billz-opencart"]);
    let seen = stage.rest.with_key(&other.key).get("/alerts").await.ok(200);
    assert_eq!((&seen["tells_of"]["flows"], &seen["channels"]), (&json!(["billz-opencart"]), &json!([])));
    let old = seller.get("/alerts").await.ok(200);
    assert_eq!(old["standing"][0]["text"], "Synchronisation fails");
    let uzbek = seller.with_header("accept-language", "uz").get("/alerts").await.ok(200);
    assert_eq!(uzbek["standing"][0]["text"], "Sinxronlash amalga oshmayapti");
}
