//! How the service is operated: health, what a process does, configuration.

use std::time::{Duration, Instant};

use serde_json::json;
use url::Url;

use super::{api_only, id, sync_body};
use crate::support::{ADMIN_KEY, Process, Proxy, Rest, Setup, Spawn, Stage, command};

#[tokio::test(flavor = "multi_thread")]
async fn readiness_follows_the_database_and_liveness_does_not() {
    let stage = Stage::with(Setup { products: 10, ..Setup::default() }).await;
    let mut address = Url::parse(stage.database.url.expose()).unwrap();
    let mut proxy = Proxy::start(address.port().unwrap()).await;
    address.set_port(Some(proxy.port)).unwrap();
    let spawn = Spawn { variables: vec![("DATABASE_URL".to_owned(), address.to_string())], ..Spawn::default() };
    let service = Process::start(&stage.database, &spawn).await;
    let rest = Rest::new(&service.url, "");
    rest.get("/readyz").await.ok(200);
    let missing = stage.database.words("SELECT MAX(version) AS words FROM tradesync_migrations").remove(0);
    stage.database.run(&format!("DELETE FROM tradesync_migrations WHERE version = '{missing}'"));
    let problem = rest.get("/readyz").await.problem(503, "database-unavailable");
    assert!(problem["detail"].as_str().unwrap().contains(&missing), "{problem}");
    rest.get("/livez").await.ok(200);
    stage.database.run(&format!("INSERT INTO tradesync_migrations (version, run_at) VALUES ('{missing}', UTC_TIMESTAMP())"));
    rest.get("/readyz").await.ok(200);

    proxy.cut().await;
    let began = Instant::now();
    let problem = rest.get("/readyz").await.problem(503, "database-unavailable");
    assert!(began.elapsed() < Duration::from_secs(20));
    // Neither password nor user is told to whoever asks.
    let secret = Url::parse(stage.database.url.expose()).unwrap().password().unwrap().to_owned();
    assert!(!problem.to_string().contains(&secret) && !service.output().contains(&secret));
    let began = Instant::now();
    rest.get("/livez").await.ok(200);
    assert!(began.elapsed() < Duration::from_secs(1), "liveness waits for the database");
    rest.with_key(ADMIN_KEY).get("/connections").await.problem(503, "database-unavailable");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_answers_and_another_works() {
    let stage = Stage::with(Setup { products: 20, spawn: api_only(), ..Setup::default() }).await;
    let (connection, stream) = stage.simple(json!({})).await;
    let run = id(&stage.rest.post("/sync/billz-opencart", &sync_body(&connection, &stream)).await.ok(202));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let waiting = stage.rest.get(&format!("/sync/runs/{run}")).await.ok(200);
    assert_eq!((waiting["state"].as_str(), waiting["started_at"].is_null()), (Some("queued"), true), "{waiting}");
    assert_eq!(stage.billz.billz2.state().requests, 0);

    let worker = Spawn { variables: vec![("TRADESYNC_ROLE".to_owned(), "worker".to_owned())], ..Spawn::default() };
    let worker = Process::start(&stage.database, &worker).await;
    let ended = stage.rest.wait(&run).await;
    assert!(matches!(ended["state"].as_str(), Some("succeeded" | "partial")), "{ended}");
    let rest = Rest::new(&worker.url, ADMIN_KEY);
    rest.get("/livez").await.ok(200);
    rest.get("/readyz").await.ok(200);
    assert!(rest.get("/metrics").await.text.contains("tradesync_runs_total"));
    for path in ["/connections", "/sync/runs", "/openapi.json", "/docs/", "/"] {
        assert_eq!(rest.get(path).await.status, 404, "{path}");
    }
    assert_eq!(rest.post("/sync/billz-opencart", &sync_body(&connection, &stream)).await.status, 404);
    assert!(!stage.rest.get("/metrics").await.text.contains("tradesync_runs_total{"));
}

#[test]
fn a_wrong_configuration_is_told_whole_and_ends_the_program() {
    let wrong = [
        ("DATABASE_URL", "postgres://x/y"),
        ("TRADESYNC_LISTEN", "here"),
        ("TRADESYNC_ROLE", "boss"),
        ("TRADESYNC_MASTER_KEY", "short"),
        ("TRADESYNC_LOG", "loud=very"),
        ("TRADESYNC_LOG_FORMAT", "xml"),
        ("TRADESYNC_TIME_FACTOR", "0"),
    ];
    let output = command(&["serve"]).envs(wrong).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    for (name, _) in wrong {
        assert!(said.contains(name), "{name} is not named in:\n{said}");
    }
    // What is missing is told at once as well.
    let output = command(&["serve"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("DATABASE_URL") && said.contains("TRADESYNC_MASTER_KEY"), "{said}");
    // The file: unknown keys are refused, together with wrong values of the environment.
    let file = std::env::temp_dir().join(format!("tradesync-{}.toml", uuid::Uuid::new_v4().simple()));
    std::fs::write(&file, "listn = \"127.0.0.1:1\"\nrole = \"boss\"\n").unwrap();
    let output = command(&["serve", "--config", file.to_str().unwrap()]).env("TRADESYNC_LISTEN", "here").output().unwrap();
    std::fs::remove_file(&file).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.code() == Some(1) && ["listn", "TRADESYNC_ROLE", "TRADESYNC_LISTEN"].iter().all(|name| said.contains(name)),
        "{said}"
    );
}
