//! One stage per test: a database with the OpenCart schema, a simulated Billz 2, and service processes that can be killed.

mod browser;
pub mod database;
mod events;
mod history;
mod process;
mod program;
mod proxy;
mod rest;
mod shelf;
mod truth_billz1;

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use tradesync::{
    demo::truth,
    sandbox::{self, Running},
};

pub use browser::Browser;
pub use database::Database;
pub use events::{Event, Events};
pub use history::assert_done;
pub use process::{Process, Spawn};
pub use program::{command, key, program};
pub use proxy::Proxy;
pub use rest::{Answer, Rest};
pub use shelf::{FIRST, SECOND, beside, change_of};

/// The admin key of every service process.
pub const ADMIN_KEY: &str = "test-admin-key-0123456789";
/// The integration key of the simulated Billz: looked for in all output by the test of secrets.
pub const BILLZ_KEY: &str = "billz-integration-key-7f3a9c";
/// "USERNAME billz" of the simulated Billz 1, as people write it; as secret as the key.
pub const BILLZ_USERNAME: &str = "Sirdaryo-5521.Ecommerce";
/// Password in the simulated Kaktus.
pub const KAKTUS_PASSWORD: &str = "kaktus-password-5d1e77";
/// Password of the application in the simulated InSales.
pub const INSALES_PASSWORD: &str = "insales-password-91ab0c";
/// Secret of the integration in the simulated OK Living.
pub const OKLIVING_SECRET: &str = "okliving-secret-4c8f21";
/// REST password in the simulated OneBox.
pub const ONEBOX_PASSWORD: &str = "onebox-password-6b2e90";
/// Key of the account in the simulated otmechalka.
pub const OTMECHALKA_KEY: &str = "otmechalka-key-c40d2b";
/// 32 bytes in base64: a master key for tests only.
pub const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// Category «Новинки продавцов» of the seed rows.
pub const CATEGORY: u64 = 33;
/// How much shorter every duration is in tests.
pub const TIME_FACTOR: f64 = 20.0;

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// Which Billz the seller uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Api {
    Billz1,
    #[default]
    Billz2,
}

/// Database, Billz and one service process.
pub struct Stage {
    /// What connections are made for, unless their settings say otherwise.
    pub api: Api,
    pub database: Database,
    pub billz: Running,
    pub service: Process,
    pub rest: Rest,
}

/// What a stage begins with.
pub struct Setup {
    pub api: Api,
    pub products: usize,
    /// Goods that Kaktus and InSales have in common.
    pub goods: usize,
    /// Orders that OK Living has from long ago.
    pub orders: usize,
    /// Contacts and deals in Bitrix24.
    pub contacts: usize,
    pub deals: usize,
    pub rate_limit: Option<u32>,
    /// How much shorter durations are, in service and sandbox alike.
    pub time_factor: f64,
    pub spawn: Spawn,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            api: Api::Billz2,
            products: 60,
            goods: 60,
            contacts: 0,
            deals: 0,
            orders: 0,
            rate_limit: None,
            time_factor: TIME_FACTOR,
            spawn: Spawn::default(),
        }
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
            goods: setup.goods,
            orders: setup.orders,
            okliving: sandbox::okliving::Switches { client_secret: OKLIVING_SECRET.to_owned(), ..Default::default() },
            onebox: sandbox::onebox::Switches { password: ONEBOX_PASSWORD.to_owned(), ..Default::default() },
            kaktus: sandbox::kaktus::Switches { password: KAKTUS_PASSWORD.to_owned(), ..Default::default() },
            insales: sandbox::insales::Switches { password: INSALES_PASSWORD.to_owned(), ..Default::default() },
            contacts: setup.contacts,
            deals: setup.deals,
            otmechalka: sandbox::otmechalka::Switches { auth_value: OTMECHALKA_KEY.to_owned(), ..Default::default() },
            rate_limit: setup.rate_limit,
            secret: BILLZ_KEY.to_owned(),
            time_factor: setup.time_factor,
            billz1: sandbox::billz1::switches::Switches { username: BILLZ_USERNAME.to_owned(), ..Default::default() },
            ..sandbox::Options::default()
        };
        let billz = sandbox::start(options).await.unwrap();
        let mut spawn = setup.spawn;
        spawn.variables.insert(0, ("TRADESYNC_TIME_FACTOR".to_owned(), setup.time_factor.to_string()));
        let service = Process::start(&database, &spawn).await;
        let rest = Rest::new(&service.url, ADMIN_KEY);
        Self { api: setup.api, database, billz, service, rest }
    }

    /// A stage of a seller who uses this Billz.
    pub async fn of(api: Api) -> Self {
        Self::with(Setup { api, ..Setup::default() }).await
    }

    /// A stage whose first process only answers requests: the test decides which workers there are, and they may die while the
    /// API goes on answering.
    pub async fn without_worker(products: usize) -> Self {
        Self::without_worker_of(Api::Billz2, products).await
    }

    /// The same of a seller who uses this Billz.
    pub async fn without_worker_of(api: Api, products: usize) -> Self {
        let spawn = Spawn::default().with("TRADESYNC_ROLE", "api");
        Self::with(Setup { api, products, spawn, ..Setup::default() }).await
    }

    /// One more process that only works on runs.
    pub async fn worker(&self, spawn: &Spawn) -> Process {
        Process::start(&self.database, &spawn.clone().with("TRADESYNC_ROLE", "worker")).await
    }

    /// Ends the service process as `kill -9` would (or finds it ended by a planned failure) and starts a new one.
    pub async fn restart(&mut self, spawn: &Spawn) {
        self.service.kill();
        self.service = Process::start(&self.database, spawn).await;
        self.rest = Rest::new(&self.service.url, ADMIN_KEY);
    }

    /// Settings that most tests use; `over` is laid over them.
    pub fn settings(&self, over: Value) -> Value {
        let (api, base_url) = match self.api {
            Api::Billz1 => ("billz1", &self.billz.billz1_url),
            Api::Billz2 => ("billz2", &self.billz.url),
        };
        let mut settings = json!({
            "api": api, "base_url": base_url,
            "full_every": "1s",
            "new_products": "live", "unmapped_category": "default", "default_category_id": CATEGORY,
            "rates": {"USD": "12650"},
        });
        for (name, value) in over.as_object().unwrap() {
            settings[name] = value.clone();
        }
        settings
    }

    /// Secrets of a connection.
    pub fn secrets(&self) -> Value {
        match self.api {
            Api::Billz1 => json!({"secret": BILLZ_KEY, "username": BILLZ_USERNAME}),
            Api::Billz2 => json!({"secret": BILLZ_KEY}),
        }
    }

    /// Makes a connection; returns its id.
    pub async fn connect(&self, over: Value) -> String {
        self.connect_for("seller:42", over).await
    }

    /// Makes a connection of this owner; returns its id.
    pub async fn connect_for(&self, owner: &str, over: Value) -> String {
        let body = json!({
            "flow": "billz-opencart", "name": "Test shop", "owner": owner, "enabled": true,
            "settings": self.settings(over), "secrets": self.secrets(),
        });
        self.rest.post("/connections", &body).await.ok(201)["id"].as_str().unwrap().to_owned()
    }

    /// Makes streams of the first `count` Billz shops; returns their keys.
    pub async fn streams(&self, connection: &str, count: usize) -> Vec<String> {
        let mut keys = Vec::new();
        let shops: Vec<(String, String)> = match self.api {
            Api::Billz1 => self.billz.billz1.offices().into_iter().map(|(id, name)| (id.to_string(), name)).collect(),
            Api::Billz2 => self.billz.billz2.shops().into_iter().map(|shop| (shop.id.to_string(), shop.name)).collect(),
        };
        for (key, name) in shops.into_iter().take(count) {
            self.rest.post(&format!("/connections/{connection}/streams"), &json!({"stream": key, "name": name})).await.ok(201);
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

    /// Makes a connection of an owner of its own, with one stream; returns both keys.
    pub async fn seller(&self, over: Value) -> (String, String) {
        let connection = self.connect_for(&format!("seller:{}", NUMBER.fetch_add(1, Ordering::SeqCst) + 1_000), over).await;
        let stream = self.streams(&connection, 1).await.remove(0);
        (connection, stream)
    }

    /// A stream as the API shows it.
    pub async fn stream(&self, connection: &str, stream: &str) -> Value {
        let streams = self.rest.all(&format!("/connections/{connection}/streams")).await;
        streams.into_iter().find(|row| row["stream"] == stream).unwrap()
    }

    /// Compares the shop's tables with what Billz says.
    pub async fn truth(&self, connection: &str, streams: &[String]) -> truth::Found {
        let links = self.rest.all(&format!("/connections/{connection}/links?state=linked")).await;
        truth::compare(&self.database.url, &self.billz.billz2, &links, streams).await.unwrap()
    }

    /// Fails unless the shop's tables are what Billz says.
    pub async fn must_be_true(&self, connection: &str, streams: &[String], when: &str) {
        let found = self.truth(connection, streams).await;
        assert!(found.wrong.is_empty() && found.right > 30, "{when}: {found:?}");
    }

    /// Fails unless the shop's tables are what Billz says, whichever Billz it is.
    pub async fn must_agree(&self, connection: &str, streams: &[String], when: &str) {
        match self.api {
            Api::Billz1 => self.must_be_true_of_billz1(connection, streams, when).await,
            Api::Billz2 => self.must_be_true(connection, streams, when).await,
        }
    }

    /// What was asked of Billz on `/v2/products`, path and query.
    pub fn product_requests(&self) -> Vec<String> {
        let report = self.billz.billz2.requests();
        report.requests.into_iter().map(|entry| entry.target).filter(|target| target.starts_with("/v2/products")).collect()
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

    /// A run as a schedule starts it; waits for its end.
    pub async fn scheduled(&self, connection: &str, stream: &str, mode: &str) -> Value {
        let run = uuid::Uuid::now_v7().simple().to_string();
        self.database.run(&format!(
            "INSERT INTO tradesync_runs (id, flow, connection_id, stream, owner, started_by, mode, dry_run, state, phase, created_at, counts, live_stream) \
             SELECT '{run}', flow, id, '{stream}', owner, 'schedule', '{mode}', 0, 'queued', 'read', UTC_TIMESTAMP(6), '{{}}', '{stream}' FROM tradesync_connections WHERE id = '{connection}'"
        ));
        self.rest.wait(&run).await
    }

    /// Every item of a run's report.
    pub async fn items(&self, run: &Value) -> Vec<Value> {
        self.rest.all(&format!("/sync/runs/{}/items", run["id"].as_str().unwrap())).await
    }

    /// Source id -> product id of all links.
    pub async fn links(&self, connection: &str) -> std::collections::BTreeMap<String, i64> {
        let links = self.rest.all(&format!("/connections/{connection}/links?state=linked")).await;
        // A link whose product's id was given to another one has no target any more.
        links.iter().filter_map(|link| Some((link["source"].as_str()?.to_owned(), link["target"].as_str()?.parse().ok()?))).collect()
    }
}
