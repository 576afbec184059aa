//! One stage per test: a database with the OpenCart schema, a simulated Billz 2, and service processes that can be killed.

mod browser;
mod database;
mod process;
mod program;
mod proxy;
mod rest;

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use tradesync::sandbox::{self, Running};

pub use browser::Browser;
pub use database::{Database, server};
pub use process::{Process, Spawn};
pub use program::{command, key, program};
pub use proxy::Proxy;
pub use rest::{Answer, Rest};

/// The admin key of every service process.
pub const ADMIN_KEY: &str = "test-admin-key-0123456789";
/// The integration key of the simulated Billz: looked for in all output by the test of secrets.
pub const BILLZ_KEY: &str = "billz-integration-key-7f3a9c";
/// 32 bytes in base64: a master key for tests only.
pub const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// Category «Новинки продавцов» of the seed rows.
pub const CATEGORY: u64 = 33;
/// How much shorter every duration is in tests.
pub const TIME_FACTOR: f64 = 20.0;

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// Database, Billz and one service process.
pub struct Stage {
    pub database: Database,
    pub billz: Running,
    pub service: Process,
    pub rest: Rest,
}

/// What a stage begins with.
pub struct Setup {
    pub products: usize,
    pub rate_limit: Option<u32>,
    pub spawn: Spawn,
}

impl Default for Setup {
    fn default() -> Self {
        Self { products: 60, rate_limit: None, spawn: Spawn::default() }
    }
}

impl Stage {
    /// A stage with the usual setup: 60 products, no limit of requests.
    pub async fn new() -> Self {
        Self::with(Setup::default()).await
    }

    pub async fn with(setup: Setup) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let database = Database::make(&format!("ts_{}_{number}", std::process::id())).await;
        let options = sandbox::Options {
            products: setup.products,
            rate_limit: setup.rate_limit,
            secret: BILLZ_KEY.to_owned(),
            time_factor: TIME_FACTOR,
            ..sandbox::Options::default()
        };
        let billz = sandbox::start(options).await.unwrap();
        let service = Process::start(&database, &setup.spawn).await;
        let rest = Rest::new(&service.url, ADMIN_KEY);
        Self { database, billz, service, rest }
    }

    /// Ends the service process as `kill -9` would (or finds it ended by a planned failure) and starts a new one.
    pub async fn restart(&mut self, spawn: &Spawn) {
        self.service.kill();
        self.service = Process::start(&self.database, spawn).await;
        self.rest = Rest::new(&self.service.url, ADMIN_KEY);
    }

    /// Settings that most tests use; `over` is laid over them.
    pub fn settings(&self, over: Value) -> Value {
        let mut settings = json!({
            "base_url": self.billz.url,
            "full_every": "1s",
            "new_products": "live", "unmapped_category": "default", "default_category_id": CATEGORY,
            "rates": {"USD": "12650"},
        });
        for (name, value) in over.as_object().unwrap() {
            settings[name] = value.clone();
        }
        settings
    }

    /// Makes a connection; returns its id.
    pub async fn connect(&self, over: Value) -> String {
        let body = json!({
            "flow": "billz-opencart", "name": "Test shop", "owner": "seller:42", "enabled": true,
            "settings": self.settings(over), "secrets": {"secret": BILLZ_KEY},
        });
        self.rest.post("/connections", &body).await.ok(201)["id"].as_str().unwrap().to_owned()
    }

    /// Makes streams of the first `count` Billz shops; returns their keys.
    pub async fn streams(&self, connection: &str, count: usize) -> Vec<String> {
        let mut keys = Vec::new();
        for shop in self.billz.billz2.shops().into_iter().take(count) {
            let key = shop.id.to_string();
            self.rest.post(&format!("/connections/{connection}/streams"), &json!({"stream": key, "name": shop.name})).await.ok(201);
            keys.push(key);
        }
        keys
    }

    /// Makes a connection with one stream; returns both keys.
    pub async fn simple(&self, over: Value) -> (String, String) {
        let connection = self.connect(over).await;
        let stream = self.streams(&connection, 1).await.remove(0);
        (connection, stream)
    }

    /// Starts a run; returns its id.
    pub async fn start(&self, connection: &str, stream: &str, mode: &str) -> String {
        let body = json!({"connection": connection, "stream": stream, "mode": mode});
        self.rest.post("/sync/billz-opencart", &body).await.ok(202)["id"].as_str().unwrap().to_owned()
    }

    /// Starts a run and waits for its end.
    pub async fn sync(&self, connection: &str, stream: &str, mode: &str) -> Value {
        let run = self.start(connection, stream, mode).await;
        self.rest.wait(&run).await
    }

    /// Every item of a run's report.
    pub async fn items(&self, run: &Value) -> Vec<Value> {
        self.rest.all(&format!("/sync/runs/{}/items", run["id"].as_str().unwrap())).await
    }

    /// Source id -> product id of all links.
    pub async fn links(&self, connection: &str) -> std::collections::BTreeMap<String, i64> {
        let links = self.rest.all(&format!("/connections/{connection}/links?state=linked")).await;
        links.iter().map(|link| (link["source"].as_str().unwrap().to_owned(), link["target"].as_str().unwrap().parse().unwrap())).collect()
    }
}
