//! Documents that are replaced as a whole: category mappings and locks.

use serde_json::{Value, json};

use super::{Got, World, fakes};
use crate::{domain::ids, engine::ports::Role, fault::Code};

async fn put(world: &World, uri: &str, tag: &str, body: Value) -> Got {
    world.send(World::request("PUT", uri, "admin").insert_header(("if-match", tag)).set_json(body)).await
}

#[actix_web::test]
async fn mappings_are_read_changed_and_replaced_under_their_etag() {
    let world = World::new();
    let id = world.connection("seller:42").await;
    let uri = format!("/connections/{id}/category-mappings");
    let empty = world.call("GET", &uri, None).await;
    assert_eq!((empty.header("etag"), empty.json()), ("\"1\"", json!({"items": [], "next_cursor": null})));
    let unmapped = world.call("GET", &format!("{uri}/unmapped"), None).await.json();
    assert_eq!(unmapped["items"][0]["source_name"], "Одежда / Футболки");
    assert_eq!(
        (&unmapped["items"][0]["count"], &unmapped["items"][0]["proposals"][0]),
        (&json!(3), &json!({"target": "24", "name": "Одежда > Футболки", "score": 1.0}))
    );
    let all = world.call("GET", &format!("{uri}/unmapped?all=true"), None).await.json();
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
    world.call("GET", &format!("{uri}/unmapped?all=maybe"), None).await.is_problem(Code::InvalidQuery);

    let body = json!({"items": [{"source": "c0", "target": "20"}]});
    world.call("PUT", &uri, Some(body.clone())).await.is_problem(Code::PreconditionRequired);
    put(&world, &uri, "\"7\"", body.clone()).await.is_problem(Code::PreconditionFailed);
    let set = put(&world, &uri, "\"1\"", body.clone()).await;
    assert_eq!((set.status, set.header("etag")), (200, "\"2\""), "{}", set.text);
    let row = |source: &str, name: &str, inherited: bool| json!({"source": source, "source_name": name, "target": "20", "target_name": "Одежда", "inherited": inherited});
    let expected = json!([row("c0", "Одежда", false), row("c1", "Одежда / Футболки", true)]);
    assert_eq!(set.json()["items"], expected);
    // The same request again, its answer having been lost.
    let again = put(&world, &uri, "\"1\"", body).await;
    assert_eq!((again.status, again.header("etag"), &again.json()["items"]), (200, "\"2\"", &expected));
    // What was read can be sent back, and then changes nothing.
    let read = world.call("GET", &uri, None).await;
    assert_eq!(put(&world, &uri, read.header("etag"), read.json()).await.header("etag"), "\"2\"");
    assert_eq!(world.call("GET", &format!("{uri}/unmapped"), None).await.json()["items"], json!([]), "it follows its parent now");
}

#[actix_web::test]
async fn every_wrong_mapping_is_named() {
    let world = World::new();
    let id = world.connection("seller:42").await;
    let uri = format!("/connections/{id}/category-mappings");
    for (items, pointers) in [
        (json!([{"source": "c0", "target": "20"}, {"source": "c1", "target": "999"}]), vec!["/items/1/target"]),
        (json!([{"source": "c0", "target": "20"}, {"source": "c0", "target": "24"}]), vec!["/items/1/source"]),
        (json!([{"source": " c0", "target": ""}]), vec!["/items/0/source", "/items/0/target"]),
        (json!([{"source": "c0"}]), vec!["/items/0"]),
        (json!([{"source": "c0", "target": "20", "x": 1}]), vec!["/items/0/x"]),
        (json!([{"source": "c0", "target": 20}]), vec!["/items/0/target"]),
    ] {
        let got = put(&world, &uri, "*", json!({"items": items})).await;
        let problem = got.is_problem(Code::ValidationFailed);
        assert_eq!(got.pointers(), pointers, "{problem}");
        if pointers == ["/items/1/target"] {
            assert!(problem["errors"][0]["detail"].as_str().unwrap().contains("/unmapped"), "{problem}");
        }
    }
    put(&world, &uri, "*", json!({})).await.is_problem(Code::ValidationFailed);
    // Goods without a category have a place of their own.
    assert_eq!(put(&world, &uri, "*", json!({"items": [{"source": "", "target": "20"}]})).await.status, 200);
    // A flow without categories says so.
    let body = json!({"flow": "bitrix24-otmechalka", "name": "B", "owner": "seller:42", "settings": {}, "secrets": {"secret": "x"}});
    let other = world.call("POST", "/connections", Some(body)).await.json()["id"].as_str().unwrap().to_owned();
    world.call("GET", &format!("/connections/{other}/category-mappings"), None).await.is_problem(Code::NotFound);
}

#[actix_web::test]
async fn locks_are_replaced_as_a_whole_and_say_who_set_them() {
    let world = World::new();
    let id = world.connection("seller:42").await;
    let uri = format!("/connections/{id}/locks");
    assert_eq!(world.call("GET", &uri, None).await.json(), json!({"items": [], "next_cursor": null}));
    let body =
        json!({"items": [{"source": "a", "fields": ["special", "price"], "note": " agreed "}, {"target": "50"}, {"fields": ["name"]}]});
    world.call("PUT", &uri, Some(body.clone())).await.is_problem(Code::PreconditionRequired);
    put(&world, &uri, "\"3\"", body.clone()).await.is_problem(Code::PreconditionFailed);
    let set = put(&world, &uri, "\"1\"", body).await;
    assert_eq!((set.status, set.header("etag")), (200, "\"2\""), "{}", set.text);
    let first = &set.json()["items"][0];
    assert_eq!(
        (&first["source"], &first["target"], &first["fields"], &first["note"], &first["set_by"]),
        (&json!("a"), &Value::Null, &json!(["price", "special"]), &json!("agreed"), &json!("admin key of the configuration"))
    );
    assert!(first["set_at"].as_str().unwrap().ends_with('Z'));
    let operator = fakes::key(&world.memory, &world.service, Role::Operator, |key| key.delegate = true);
    let request = World::request("PUT", &uri, &operator).insert_header(("if-match", "*")).insert_header(("x-on-behalf-of", "seller:42"));
    let got = world.send(request.set_json(json!({"items": [{"target": "51"}]}))).await;
    assert!(got.json()["items"][0]["set_by"].as_str().unwrap().starts_with("seller:42 ("), "{}", got.text);
    for (item, pointers) in [
        (json!({}), vec!["/items/0"]),
        (json!({"note": "x"}), vec!["/items/0"]),
        (json!({"source": "a", "target": "50"}), vec!["/items/0/target"]),
        (json!({"source": "", "fields": ["colour"]}), vec!["/items/0/source", "/items/0/fields/0"]),
        (json!({"source": "a", "note": "x".repeat(501)}), vec!["/items/0/note"]),
        (json!({"source": "a", "field": "price"}), vec!["/items/0/field"]),
    ] {
        let got = put(&world, &uri, "*", json!({"items": [item]})).await;
        got.is_problem(Code::ValidationFailed);
        assert_eq!(got.pointers(), pointers, "{}", got.text);
    }
    let twice = put(&world, &uri, "*", json!({"items": [{"source": "a"}, {"source": "a"}]})).await;
    twice.is_problem(Code::ValidationFailed);
    assert_eq!(twice.pointers(), ["/items/1"]);
}

#[actix_web::test]
async fn another_owners_mappings_and_locks_are_not_there() {
    let world = World::new();
    let id = world.connection("seller:42").await;
    let key = fakes::key(&world.memory, &world.service, Role::Operator, |key| key.owner = Some("seller:43".into()));
    for path in ["category-mappings", "category-mappings/unmapped", "locks"] {
        for id in [id.as_str(), &ids::fresh(), "%27%20OR%201"] {
            world.send(World::request("GET", &format!("/connections/{id}/{path}"), &key)).await.is_problem(Code::NotFound);
        }
    }
    for path in ["category-mappings", "locks"] {
        let put = World::request("PUT", &format!("/connections/{id}/{path}"), &key).insert_header(("if-match", "*"));
        world.send(put.set_json(json!({"items": []}))).await.is_problem(Code::NotFound);
    }
}
