//! What tests of rules say most often: a good in Billz, a product on the shop's shelf, an item of a report.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use diesel::{Connection, MysqlConnection, connection::SimpleConnection};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Api, Database, Setup, Stage};

/// Names of the simulated company's shops, in the order of [`Stage::streams`].
pub const FIRST: &str = "Chilonzor";
pub const SECOND: &str = "Sergeli";

static NUMBER: AtomicU32 = AtomicU32::new(1);

fn lay_over(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (name, value) in over {
                lay_over(base.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over.clone(),
    }
}

impl Stage {
    /// A stage whose Billz sells nothing yet: tests add the goods that they speak of.
    pub async fn empty() -> Self {
        Self::with(Setup { products: 0, ..Setup::default() }).await
    }

    /// The same of a seller who uses this Billz.
    pub async fn empty_of(api: Api) -> Self {
        Self::with(Setup { api, products: 0, ..Setup::default() }).await
    }

    /// Adds a good to Billz: 5 pieces for 1000 in the first shop, nowhere else; `over` is laid over that. Returns its id.
    pub fn good(&self, over: Value) -> String {
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        if self.api == Api::Billz1 {
            return self.good_of_billz1(number, over);
        }
        let everywhere = |first: Value, other: Value| json!({FIRST: first, SECOND: other.clone(), "Склад": other});
        let mut good = json!({
            "name": format!("Товар {number}"), "sku": format!("SKU-{number}"), "barcode": format!("47800000{number:05}"),
            "kind": "goods", "parent": null, "category": null,
            "stock": everywhere(json!("5"), json!("0")), "price": everywhere(json!("1000"), Value::Null),
            "promo": everywhere(Value::Null, Value::Null), "currency": everywhere(json!("UZS"), json!("UZS")),
        });
        lay_over(&mut good, &over);
        self.billz.billz2.create(&serde_json::from_value(good).unwrap()).unwrap().to_string()
    }

    /// The same in Billz 1, where 0 pieces in an office are listed as no office at all; with `discount` and `properties` of its own.
    fn good_of_billz1(&self, number: u32, over: Value) -> String {
        let everywhere = |first: &str, other: &str| json!({FIRST: first, SECOND: other, "Склад": other});
        let mut good = json!({
            "name": format!("Товар {number}"), "sku": format!("SKU-{number}"), "barcode": format!("47800000{number:05}"),
            "company_price": "1000", "stock": everywhere("5", "0"), "price": everywhere("1000", "1000"), "discount": everywhere("0", "0"),
        });
        lay_over(&mut good, &over);
        self.billz.billz1.create(&serde_json::from_value(good).unwrap()).unwrap().to_string()
    }

    /// A connection of one owner with one stream; returns both keys.
    pub async fn simple_of(&self, owner: &str, over: Value) -> (String, String) {
        let (settings, secrets) = (self.settings(over), self.secrets());
        let body =
            json!({"flow": "billz-opencart", "name": owner, "owner": owner, "enabled": true, "settings": settings, "secrets": secrets});
        let connection = self.rest.post("/connections", &body).await.ok(201)["id"].as_str().unwrap().to_owned();
        let stream = self.streams(&connection, 1).await.remove(0);
        (connection, stream)
    }

    /// Changes a good in Billz.
    pub fn change(&self, good: &str, patch: Value) {
        if self.api == Api::Billz1 {
            self.billz.billz1.patch(good.parse().unwrap(), &serde_json::from_value(patch).unwrap()).unwrap();
            return;
        }
        let id: Uuid = good.parse().unwrap();
        self.billz.billz2.patch(&id, &serde_json::from_value(patch).unwrap()).unwrap();
    }

    /// A full run that must end well.
    pub async fn full(&self, connection: &str, stream: &str) -> Value {
        let run = self.sync(connection, stream, "full").await;
        assert_eq!(run["state"], "succeeded", "{run}");
        run
    }

    /// An item of a run's report; null if the run has no line about it.
    pub async fn item(&self, run: &Value, good: &str) -> Value {
        self.items(run).await.into_iter().find(|item| item["key"] == good).unwrap_or_default()
    }

    /// Outcome and reason of an item, such as `skipped no_price`.
    pub async fn outcome(&self, run: &Value, good: &str) -> String {
        let item = self.item(run, good).await;
        format!("{} {}", item["outcome"].as_str().unwrap_or("none"), item["reason"]["code"].as_str().unwrap_or_default())
    }

    /// The product that a good is linked to.
    pub async fn product_of(&self, connection: &str, good: &str) -> i64 {
        *self.links(connection).await.get(good).unwrap_or_else(|| panic!("{good} is not linked"))
    }
}

/// The change of one field in an item of a report; null if there is none.
pub fn change_of(item: &Value, field: &str) -> Value {
    let changes = item["changes"].as_array().cloned().unwrap_or_default();
    changes.into_iter().find(|change| change["field"] == field).unwrap_or_default()
}

impl Database {
    /// One value as text; empty where there is none.
    pub fn cell(&self, expression: &str) -> String {
        self.words(&format!("SELECT CAST(({expression}) AS CHAR) AS words")).pop().unwrap_or_default()
    }

    /// `quantity price status` of a product; empty where there is none.
    pub fn shelf(&self, product: i64) -> String {
        self.cell(&format!(
            "SELECT CONCAT_WS(' ', quantity, TRIM(TRAILING '.0000' FROM price), status) FROM oc_product WHERE product_id = {product}"
        ))
    }

    /// Every column of a product and of its texts, as it stands.
    pub fn whole_product(&self, product: i64) -> Vec<String> {
        let columns = |table: &str| {
            self.cell(&format!(
                "SELECT GROUP_CONCAT(CONCAT('IFNULL(`', column_name, '`, ''NULL'')') ORDER BY ordinal_position SEPARATOR ', ''|'', ') FROM information_schema.columns \
                 WHERE table_schema = DATABASE() AND table_name = '{table}'"
            ))
        };
        ["oc_product", "oc_product_description", "oc_product_special", "oc_product_to_category", "oc_product_to_store"]
            .into_iter()
            .flat_map(|table| {
                self.words(&format!(
                    "SELECT CAST(CONCAT({}) AS CHAR) AS words FROM {table} WHERE product_id = {product} ORDER BY words",
                    columns(table)
                ))
            })
            .collect()
    }

    /// `group:price:start:end` of a product's specials.
    pub fn specials(&self, product: i64) -> Vec<String> {
        self.words(&format!(
            "SELECT CONCAT_WS(':', customer_group_id, TRIM(TRAILING '.0000' FROM price), date_start, date_end) AS words FROM oc_product_special WHERE product_id = {product} \
             ORDER BY customer_group_id, price, date_end"
        ))
    }

    /// How many products the shop has.
    pub fn products(&self) -> i64 {
        self.number("SELECT COUNT(*) AS number FROM oc_product")
    }

    /// A checksum of every table of the shop, with the moment of its last write.
    pub fn fingerprint(&self) -> Vec<String> {
        let mut connection = self.connect();
        self.shop_tables()
            .into_iter()
            .map(|table| {
                let checksum = checksum(&mut connection, &table);
                let written = self.cell(&format!(
                    "SELECT IFNULL(update_time, '') FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = '{table}' AND engine = 'MyISAM'"
                ));
                format!("{table} {checksum} {written}")
            })
            .collect()
    }

    /// A checksum of every table of ours but those that every request may touch (keys' memory, limits, leases).
    pub fn our_state(&self) -> Vec<i64> {
        let tables = self.words(
            "SELECT table_name AS words FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE 'tradesync\\_%' \
             AND table_name NOT IN ('tradesync_limits', 'tradesync_leases') ORDER BY table_name",
        );
        let mut connection = self.connect();
        tables.iter().map(|table| checksum(&mut connection, table)).collect()
    }

    fn shop_tables(&self) -> Vec<String> {
        self.words("SELECT table_name AS words FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name NOT LIKE 'tradesync\\_%' ORDER BY table_name")
    }

    /// Lets everybody read the shop's tables and nobody write to them while the answer lives: a statement that writes, even one that
    /// would match no row, waits. What ends in the meantime has not even tried.
    pub fn freeze(&self) -> Frozen {
        let tables = self.shop_tables();
        assert!(tables.len() >= 136, "{}", tables.len());
        let locks: Vec<String> = tables.iter().map(|table| format!("`{table}` READ")).collect();
        let mut session = self.connect();
        session.batch_execute(&format!("LOCK TABLES {}", locks.join(", "))).unwrap();
        Frozen { session }
    }
}

fn checksum(connection: &mut MysqlConnection, table: &str) -> i64 {
    use diesel::{QueryableByName, RunQueryDsl, sql_query, sql_types};
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Nullable<sql_types::BigInt>, column_name = "Checksum")]
        checksum: Option<i64>,
    }
    sql_query(format!("CHECKSUM TABLE `{table}`")).get_result::<Row>(connection).unwrap().checksum.unwrap_or_default()
}

/// While it lives nobody writes to the shop.
pub struct Frozen {
    session: MysqlConnection,
}

impl Frozen {
    pub fn thaw(mut self) {
        self.session.batch_execute("UNLOCK TABLES").unwrap();
    }
}

/// A session of somebody else that is busy with one statement.
pub fn beside(database: &Database, statement: &str) -> std::thread::JoinHandle<Duration> {
    let (url, statement) = (database.url.clone(), statement.to_owned());
    std::thread::spawn(move || {
        let mut connection = MysqlConnection::establish(url.expose()).unwrap();
        let began = std::time::Instant::now();
        connection.batch_execute(&statement).unwrap();
        began.elapsed()
    })
}
