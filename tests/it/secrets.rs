//! No secret in any log line, answer, report or column, in health and in trouble, at the most talkative level of the log.

use std::{process::Command, sync::Mutex};

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tradesync::sandbox::billz2::faults::{Family, Fault, Rule};

use crate::support::{ADMIN_KEY, Answer, BILLZ_KEY, MASTER_KEY, Rest, Setup, Spawn, Stage};

/// Password of the database's user in these tests.
const PASSWORD: &str = "Vr7-database-password-Qx";
/// Of a connection's further secrets.
const BRIDGE: &str = "bridge-secret-51b2ce";
/// What the echoing remote gives as its bearer token.
const OPAQUE_TOKEN: &str = "opaque-bearer-9d1f-2c77";

/// Everything anybody could see.
struct Eye {
    rest: Rest,
    seen: Mutex<Vec<(String, String)>>,
}

impl Eye {
    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.send_raw(method, path, body.map(|body| body.to_string())).await
    }

    async fn send_raw(&self, method: Method, path: &str, body: Option<String>) -> Answer {
        let answer = self.rest.send(method.clone(), path, body.map(String::into_bytes)).await;
        let text = format!("{} {:?} {}", answer.status, answer.headers, answer.text);
        self.seen.lock().unwrap().push((format!("answer to {method} {path}"), text));
        answer
    }

    fn see(&self, what: &str, text: String) {
        self.seen.lock().unwrap().push((what.to_owned(), text));
    }

    /// Fails if a secret stands anywhere, as it is or in base64.
    fn sees_none_of(&self, secrets: &[(&str, String)]) {
        let seen = self.seen.lock().unwrap();
        for (name, secret) in secrets {
            assert!(secret.len() >= 12, "{name} is too short to be looked for");
            for (what, text) in &*seen {
                for form in [secret.clone(), STANDARD.encode(secret).trim_end_matches('=').to_owned()] {
                    if let Some(at) = text.find(&form) {
                        let from = text[..at].char_indices().rev().nth(300).map_or(0, |(at, _)| at);
                        panic!("{name} stands in {what}: …{}", &text[from..at + form.len()]);
                    }
                }
            }
        }
    }
}

/// Every column of every table of ours.
fn tables(stage: &Stage) -> Vec<(String, String)> {
    let tables = stage.database.words(
        "SELECT CONCAT(table_name, ' ', GROUP_CONCAT(CONCAT('IFNULL(CAST(`', column_name, '` AS CHAR), '''')') SEPARATOR ', ''|'', ')) AS words \
         FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name LIKE 'tradesync%' GROUP BY table_name",
    );
    assert!(tables.len() >= 12, "{tables:?}");
    let read = |table: &String| {
        let (name, columns) = table.split_once(' ').unwrap();
        (format!("table {name}"), stage.database.words(&format!("SELECT CONCAT({columns}) AS words FROM {name}")).join("\n"))
    };
    tables.iter().map(read).collect()
}

/// A stage whose service knows the database under [`PASSWORD`].
async fn stage(variables: &[(&str, &str)]) -> (Stage, String) {
    let mut stage = Stage::with(Setup { products: 30, ..Setup::default() }).await;
    let user = stage.database.name.clone();
    stage.database.run(&format!(
        "DROP USER IF EXISTS '{user}'@'%'; CREATE USER '{user}'@'%' IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON `{user}`.* TO '{user}'@'%'"
    ));
    let mut url = url::Url::parse(stage.database.url.expose()).unwrap();
    url.set_username(&user).unwrap();
    url.set_password(Some(PASSWORD)).unwrap();
    let mut spawn = Spawn { variables: vec![("DATABASE_URL".to_owned(), url.to_string())], ..Spawn::default() };
    spawn.variables.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    stage.restart(&spawn).await;
    (stage, url.to_string())
}

/// Makes an API key on the command line, as an administrator does.
fn api_key(url: &str) -> (String, String) {
    let made = Command::new(env!("CARGO_BIN_EXE_tradesync"))
        .args(["key", "create", "--name", "bridge", "--role", "admin"])
        .env("DATABASE_URL", url)
        .env("TRADESYNC_MASTER_KEY", MASTER_KEY)
        .env("TRADESYNC_LOG", "trace")
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let key = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    (key, String::from_utf8_lossy(&made.stderr).into_owned())
}

/// What every token of the simulated Billz begins with.
async fn token_beginning(stage: &Stage) -> String {
    let body = json!({"secret_token": BILLZ_KEY}).to_string();
    let answer = reqwest::Client::new().post(format!("{}/v1/auth/login", stage.billz.url)).body(body).send().await.unwrap();
    let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let token = answer["data"]["access_token"].as_str().unwrap().to_owned();
    token.split('.').next().unwrap().to_owned()
}

fn drop_user(stage: &Stage) {
    stage.database.run(&format!("DROP USER IF EXISTS '{}'@'%'", stage.database.name));
}

async fn look_around(eye: &Eye, connection: &str, stream: &str, run: &str) {
    for path in [
        "/connections".to_owned(),
        format!("/connections/{connection}"),
        format!("/connections/{connection}/streams"),
        format!("/connections/{connection}/links"),
        "/sync/runs".to_owned(),
        format!("/sync/runs/{run}"),
        format!("/sync/runs/{run}/items?limit=200"),
        "/metrics".to_owned(),
        "/readyz".to_owned(),
        "/openapi.json".to_owned(),
        format!("/connections/{connection}/streams/{stream}"),
    ] {
        eye.send(Method::GET, &path, None).await;
    }
    eye.send(Method::POST, &format!("/connections/{connection}/check"), Some(json!({}))).await;
    eye.send(Method::POST, &format!("/connections/{connection}/streams/discover"), Some(json!({}))).await;
}

/// A service at its most talkative, a connection with all its secrets, and whoever looks at it.
struct Scene {
    stage: Stage,
    eye: Eye,
    url: String,
    key: String,
    connection: String,
    stream: String,
}

impl Scene {
    async fn new(format: &str) -> Self {
        let (stage, url) = stage(&[("TRADESYNC_LOG", "trace"), ("TRADESYNC_LOG_FORMAT", format)]).await;
        let (key, printed) = api_key(&url);
        let eye = Eye { rest: stage.rest.with_key(&key).with_header("Idempotency-Key", "once"), seen: Mutex::default() };
        eye.see("output of `key create` beside the key", printed);
        let body = json!({
            "flow": "billz-opencart", "name": "Test shop", "owner": "seller:42", "enabled": true, "settings": stage.settings(json!({})),
            "secrets": {"secret": BILLZ_KEY, "opencart_database_url": url, "bridge_secret": BRIDGE},
        });
        let made = eye.send(Method::POST, "/connections", Some(body.clone())).await.ok(201);
        assert_eq!(made["secrets"]["secret"], "set", "{made}");
        // The same again is answered from what was stored of the first answer.
        assert_eq!(eye.send(Method::POST, "/connections", Some(body)).await.ok(201)["id"], made["id"]);
        let connection = made["id"].as_str().unwrap().to_owned();
        let stream = stage.streams(&connection, 1).await.remove(0);
        let eye = Eye { rest: stage.rest.with_key(&key), ..eye };
        Self { stage, eye, url, key, connection, stream }
    }

    async fn sync(&self) -> Value {
        let run = self.stage.sync(&self.connection, &self.stream, "full").await;
        self.eye.see("a run", run.to_string());
        run
    }

    async fn look_around(&self, run: &Value) {
        look_around(&self.eye, &self.connection, &self.stream, run["id"].as_str().unwrap()).await;
    }

    /// Looks for every secret in all that was seen, in the log and in the tables.
    async fn sees_no_secret(self) {
        for (what, text) in tables(&self.stage) {
            self.eye.see(&what, text);
        }
        let log = self.stage.service.output();
        assert!(log.contains("TRACE") && log.len() > 10_000, "the log is not at its most talkative");
        self.eye.see("the log", log);
        self.stage.billz.billz2.set_switches(|switches| switches.secret = BILLZ_KEY.to_owned());
        let secrets = [
            ("the key of Billz", BILLZ_KEY.to_owned()),
            ("the admin key", ADMIN_KEY.to_owned()),
            ("the master key", MASTER_KEY.to_owned()),
            ("the database's password", PASSWORD.to_owned()),
            ("the bridge's secret", BRIDGE.to_owned()),
            ("a bearer token", token_beginning(&self.stage).await),
            ("an API key", self.key.clone()),
        ];
        self.eye.sees_none_of(&secrets);
        drop_user(&self.stage);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_seen_while_all_is_well() {
    let scene = Scene::new("text").await;
    let run = scene.sync().await;
    assert_eq!(run["state"], "succeeded", "{run}");
    scene.look_around(&run).await;
    let patch = json!({"name": "y", "secrets": {"secret": "set", "bridge_secret": null}});
    scene.eye.send(Method::PATCH, &format!("/connections/{}", scene.connection), Some(patch)).await.ok(200);
    scene.sees_no_secret().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_seen_when_alerts_are_set_and_do_not_arrive() {
    const SIGNING: &str = "c2lnbmluZy1zZWNyZXQtb2YtMjRieXRl";
    const BOT: &str = "AAE-secret-part-of-a-bots-token";
    const MAIL: &str = "mail-password-77c1e0";
    let scene = Scene::new("text").await;
    let rest = Eye { rest: scene.eye.rest.with_header("If-Match", "*"), seen: Mutex::default() };
    let body = json!({"rules": {"failures": {"in_row": 1}}, "channels": [
        {"id": "ops", "kind": "webhook", "url": "http://127.0.0.1:9/x", "secrets": {"secret": format!("whsec_{SIGNING}")}},
        {"id": "owner", "kind": "telegram", "chat_id": "42", "base_url": "http://127.0.0.1:9", "secrets": {"token": format!("123456:{BOT}")}},
        {"id": "office", "kind": "email", "host": "127.0.0.1", "port": 9, "username": "u", "from": "a@example.com", "to": ["b@example.com"], "secrets": {"password": MAIL}},
    ]});
    rest.send(Method::PUT, "/alerts", Some(body.clone())).await.ok(200);
    let mut wrong = body.clone();
    wrong["channels"][0]["url"] = json!(format!("https://u:{MAIL}@example.com"));
    wrong["channels"][1]["chat_id"] = json!("nobody");
    rest.send(Method::PUT, "/alerts", Some(wrong)).await.problem(422, "validation-failed");
    let tested = rest.send(Method::POST, "/alerts/test", Some(json!({}))).await.ok(200);
    assert_eq!(tested["channels"].as_array().unwrap().iter().filter(|channel| channel["ok"] == false).count(), 3, "{tested}");
    scene.stage.billz.billz2.set_switches(|switches| switches.secret = "another-key-of-billz".to_owned());
    assert_eq!(scene.sync().await["state"], "failed");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while scene.stage.database.number("SELECT COUNT(*) AS number FROM tradesync_alert_deliveries WHERE last_error IS NOT NULL") < 3 {
        assert!(std::time::Instant::now() < deadline, "nothing was tried");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    for path in ["/alerts", "/audit", "/metrics"] {
        scene.eye.send(Method::GET, path, None).await;
    }
    let texts: Vec<(String, String)> = rest.seen.lock().unwrap().drain(..).chain(tables(&scene.stage)).collect();
    let log = scene.stage.service.output();
    for (what, text) in texts.into_iter().chain([("the log".to_owned(), log)]) {
        scene.eye.see(&what, text);
    }
    let secrets = [("the webhook's secret", SIGNING), ("the bot's token", BOT), ("the mail's password", MAIL)];
    scene.eye.sees_none_of(&secrets.map(|(name, secret)| (name, secret.to_owned())));
    scene.sees_no_secret().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_seen_when_a_request_is_wrong() {
    let scene = Scene::new("json").await;
    let body = |settings: Value, secrets: Value| json!({"flow": "billz-opencart", "name": "x", "owner": "seller:42", "settings": settings, "secrets": secrets});
    for wrong in [
        body(json!({"secret": BILLZ_KEY}), json!({"secret": BILLZ_KEY})),
        body(json!({"base_url": scene.url}), json!({"secret": BILLZ_KEY})),
        body(json!({"base_url": format!("https://seller:{PASSWORD}@billz.example")}), json!({"secret": BILLZ_KEY})),
        body(json!({}), json!({"sekret": BILLZ_KEY})),
        body(json!({}), json!({"secret": [BILLZ_KEY]})),
        body(json!({}), json!(BILLZ_KEY)),
        body(json!({}), json!({"secret": BILLZ_KEY, "opencart_database_url": format!("postgres://u:{PASSWORD}@h/d")})),
        body(json!({}), json!({"secret": BILLZ_KEY, "opencart_database_url": PASSWORD})),
    ] {
        let answer = scene.eye.send(Method::POST, "/connections", Some(wrong)).await;
        assert_eq!(answer.status, 422, "{}", answer.text);
    }
    let broken = format!("{{\"secrets\": {{\"secret\": \"{BILLZ_KEY}\" oops");
    scene.eye.send_raw(Method::POST, "/connections", Some(broken)).await.problem(400, "invalid-json");
    for wrong in [format!("{}x", scene.key), BILLZ_KEY.to_owned()] {
        let answer = scene.stage.rest.with_key(&wrong).get("/connections").await;
        scene.eye.see("answer to a wrong API key", answer.text.clone());
        answer.problem(401, "unauthenticated");
    }
    // A secret in the address, where no log may keep it.
    scene.eye.send(Method::GET, &format!("/connections?api_key={}", scene.key), None).await;
    scene.sees_no_secret().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_seen_when_billz_is_in_trouble() {
    let scene = Scene::new("text").await;
    let billz = scene.stage.billz.billz2.clone();
    for (route, fault) in [
        ("/v1/auth/login", Fault::TruncatedJson),
        ("/v1/auth/login", Fault::ErrorIn200 { family: Family::A }),
        ("/v1/auth/login", Fault::Status { code: 401, family: Family::A, retry_after: None }),
        ("/v1/auth/login", Fault::Status { code: 200, family: Family::Html, retry_after: None }),
        ("/v2/products", Fault::TruncatedJson),
        ("/v2/products", Fault::CutBody),
        ("/v2/products", Fault::Status { code: 401, family: Family::A, retry_after: None }),
        ("/v2/products", Fault::Status { code: 503, family: Family::C, retry_after: None }),
        ("/v2/company-currencies", Fault::Status { code: 200, family: Family::Html, retry_after: None }),
    ] {
        billz.expire_tokens();
        billz.add_fault(Rule::new(route, 100, fault));
        assert_eq!(scene.sync().await["state"], "failed");
        billz.clear_faults();
    }
    billz.set_switches(|switches| switches.secret = "another".to_owned());
    billz.expire_tokens();
    let run = scene.sync().await;
    assert_eq!(run["error"]["code"], "remote-auth", "{run}");
    scene.look_around(&run).await;
    scene.sees_no_secret().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_seen_when_the_shops_database_refuses_us() {
    let scene = Scene::new("json").await;
    // The shop's database under another password: its driver's words end in the run, the check and the log.
    let wrong = scene.url.replace(PASSWORD, &format!("{PASSWORD}-wrong"));
    let patch = json!({"secrets": {"opencart_database_url": wrong}});
    scene.eye.send(Method::PATCH, &format!("/connections/{}", scene.connection), Some(patch)).await.ok(200);
    let run = scene.sync().await;
    assert_eq!((&run["state"], &run["error"]["code"]), (&json!("failed"), &json!("target-unavailable")), "{run}");
    scene.look_around(&run).await;
    scene.sees_no_secret().await;
}

/// A remote that says everything back that it was told, in one of these ways.
async fn echo(way: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut asked = Vec::new();
                let mut piece = [0_u8; 4_096];
                loop {
                    let text = String::from_utf8_lossy(&asked).into_owned();
                    if let Some((head, body)) = text.split_once("\r\n\r\n") {
                        let length = head
                            .to_ascii_lowercase()
                            .split("content-length:")
                            .nth(1)
                            .and_then(|rest| rest.split_whitespace().next().and_then(|n| n.parse::<usize>().ok()));
                        if body.len() >= length.unwrap_or(0) {
                            break;
                        }
                    }
                    match socket.read(&mut piece).await {
                        Ok(0) | Err(_) => return,
                        Ok(read) => asked.extend_from_slice(&piece[..read]),
                    }
                }
                let asked = String::from_utf8_lossy(&asked).into_owned();
                let told = asked.replace(['\r', '\n', '"'], " ");
                let login = asked.starts_with("POST /v1/auth/login");
                let (status, body) = match way {
                    "token, then a page" | "token, then an error" if login => {
                        (200, json!({"code": 200, "data": {"access_token": OPAQUE_TOKEN, "expires_in": 86_400}}).to_string())
                    }
                    "a page" | "token, then a page" => (200, format!("<html>{told}</html>")),
                    "broken JSON" => (200, format!("{{\"what\": \"{told}\", \"oops")),
                    _ => (400, json!({"code": 400, "message": "bad request", "error": told}).to_string()),
                };
                let answer = format!(
                    "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
                let _ = socket.write_all(answer.as_bytes()).await;
            });
        }
    });
    format!("http://{address}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_that_echoes_our_secrets_brings_them_nowhere() {
    let stage = Stage::with(Setup {
        spawn: Spawn { variables: vec![("TRADESYNC_LOG".to_owned(), "trace".to_owned())], ..Spawn::default() },
        ..Setup::default()
    })
    .await;
    let eye = Eye { rest: stage.rest.clone(), seen: Mutex::default() };
    for way in ["a page", "an error", "broken JSON", "token, then a page", "token, then an error"] {
        let (connection, stream) = stage.seller(json!({"base_url": echo(way).await})).await;
        let run = stage.sync(&connection, &stream, "full").await;
        assert_eq!(run["state"], "failed", "{way}: {run}");
        look_around(&eye, &connection, &stream, run["id"].as_str().unwrap()).await;
        eye.see(way, run.to_string());
    }
    for (what, text) in tables(&stage) {
        eye.see(&what, text);
    }
    eye.see("the log", stage.service.output());
    eye.sees_none_of(&[
        ("the key of Billz", BILLZ_KEY.to_owned()),
        ("the bearer token", OPAQUE_TOKEN.to_owned()),
        ("the admin key", ADMIN_KEY.to_owned()),
    ]);
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_sealed_for_their_own_connection_and_field() {
    let stage = Stage::new().await;
    let (one, stream) = stage.seller(json!({})).await;
    let (two, _) = stage.seller(json!({})).await;
    let sealed = |connection: &str| {
        let stored =
            stage.database.words(&format!("SELECT secrets AS words FROM tradesync_connections WHERE id = '{connection}'")).remove(0);
        serde_json::from_str::<Value>(&stored).unwrap()["secret"].as_str().unwrap().to_owned()
    };
    let (first, second) = (sealed(&one), sealed(&two));
    for text in [&first, &second] {
        let parts: Vec<&str> = text.split('.').collect();
        assert_eq!((parts.len(), parts[0]), (4, "v1"), "{text}");
        assert!(parts[1..].iter().all(|part| !part.is_empty()) && !text.contains(BILLZ_KEY), "{text}");
    }
    // The same secret never looks the same, and the same master key has the same id.
    assert_ne!(first, second);
    assert_eq!(first.split('.').nth(1), second.split('.').nth(1));
    // One that was carried to another connection does not open there.
    stage.database.run(&format!("UPDATE tradesync_connections SET secrets = '{{\"secret\":\"{first}\"}}' WHERE id = '{two}'"));
    let run = stage.sync(&two, &stream, "full").await;
    assert_eq!((&run["state"], run["error"]["code"].as_str()), (&json!("failed"), Some("config-invalid")), "{run}");
    assert_eq!(stage.billz.billz2.requests().total, 0, "it called Billz with somebody else's key");
    assert_eq!(stage.sync(&one, &stream, "full").await["state"], "succeeded");
}
