//! A shop's database of its own for each test, on the server that `TRADESYNC_TEST_SERVER` names.

use std::sync::atomic::{AtomicU32, Ordering};

use diesel::{Connection, MysqlConnection, QueryableByName, RunQueryDsl, connection::SimpleConnection, sql_query, sql_types::Text};
use rust_decimal::Decimal;

use super::{Options, ProductUpdate, SellerAdapter, Writer};
use crate::db::DatabaseUrl;

pub(super) const ADDED: &str = "2025-01-02 03:04:05";

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A database with the tables of OpenCart and the shop of the demo; dropped with the test.
pub(super) struct Kit {
    server: String,
    pub(super) database: String,
    admin: MysqlConnection,
}

#[derive(QueryableByName)]
struct Cell {
    #[diesel(sql_type = Text)]
    cell: String,
}

pub(super) fn server() -> String {
    let server = std::env::var("TRADESYNC_TEST_SERVER")
        .expect("TRADESYNC_TEST_SERVER is not set: these tests need a MySQL or MariaDB server, for example mysql://root@127.0.0.1:3306/ (make test starts one)");
    format!("{}/", server.trim_end_matches('/'))
}

impl Kit {
    pub(super) fn new() -> Self {
        let server = server();
        let database = format!("tradesync_oc_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let mut first = MysqlConnection::establish(&format!("{server}information_schema")).expect("the test server answers");
        first.batch_execute(&format!("DROP DATABASE IF EXISTS {database}; CREATE DATABASE {database} DEFAULT CHARACTER SET utf8")).unwrap();
        let admin = MysqlConnection::establish(&format!("{server}{database}")).unwrap();
        let mut kit = Self { server, database, admin };
        kit.run("SET SESSION sql_mode = 'NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION'");
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sandbox/opencart");
        for file in ["schema.sql", "seed.sql"] {
            let text = std::fs::read_to_string(format!("{folder}/{file}")).expect("the schema of the sandbox's OpenCart");
            for statement in text.split(";\n").filter(|statement| !statement.trim().is_empty()) {
                kit.admin.batch_execute(statement).unwrap_or_else(|error| panic!("{error}: {statement}"));
            }
        }
        kit
    }

    pub(super) fn run(&mut self, sql: &str) {
        self.admin.batch_execute(sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
    }

    /// One cell as text; empty where there is no row.
    pub(super) fn cell(&mut self, sql: &str) -> String {
        let rows: Vec<Cell> =
            sql_query(format!("SELECT CAST(({sql}) AS CHAR) AS cell FROM DUAL WHERE ({sql}) IS NOT NULL")).load(&mut self.admin).unwrap();
        rows.into_iter().next().map(|row| row.cell).unwrap_or_default()
    }

    pub(super) fn url(&self) -> DatabaseUrl {
        DatabaseUrl::parse(&format!("{}{}", self.server, self.database)).unwrap()
    }

    pub(super) fn options(&self) -> Options {
        Options {
            url: self.url(),
            table_prefix: "oc_".into(),
            store_id: 0,
            cache_dir: None,
            bridge: None,
            seller: SellerAdapter::default(),
        }
    }

    /// Options of seller 42 with a link table as MultiMerch has it.
    pub(super) fn seller_options(&mut self) -> Options {
        self.run("CREATE TABLE IF NOT EXISTS oc_ms_product (product_id INT NOT NULL PRIMARY KEY, seller_id INT NOT NULL, product_approved TINYINT NOT NULL, product_status TINYINT NOT NULL) ENGINE=MyISAM");
        let seller = SellerAdapter {
            link_table: Some("ms_product".into()),
            product_column: Some("product_id".into()),
            seller_column: Some("seller_id".into()),
            seller_value: Some("42".into()),
            extra: [("product_approved".to_owned(), serde_json::json!(1))].into(),
            ..SellerAdapter::default()
        };
        Options { seller, ..self.options() }
    }

    pub(super) fn product(&mut self, id: u64, sku: &str, quantity: i64, price: &str) {
        self.run(&format!(
            "INSERT INTO oc_product (product_id, model, sku, upc, ean, jan, isbn, mpn, location, stock_status_id, manufacturer_id, tax_class_id, quantity, price, status, date_added, date_modified) \
             VALUES ({id}, 'm{id}', '{sku}', '', '', '', '', '', '', 5, 0, 0, {quantity}, {price}, 1, '{ADDED}', '{ADDED}')"
        ));
    }

    pub(super) fn special(&mut self, product: u64, group: i64, priority: i64, price: &str, start: &str, end: &str) {
        self.run(&format!(
            "INSERT INTO oc_product_special (product_id, customer_group_id, priority, price, date_start, date_end) VALUES ({product}, {group}, {priority}, {price}, '{start}', '{end}')"
        ));
    }

    /// A connection of somebody else, such as the storefront.
    pub(super) fn reader(&self) -> impl FnMut(&str) -> Vec<String> + Send + 'static {
        let mut connection = MysqlConnection::establish(self.url().expose()).unwrap();
        move |sql| {
            let rows: Vec<Cell> =
                sql_query(format!("SELECT CAST(cell AS CHAR) AS cell FROM ({}) t", sql.replacen("COUNT(*)", "COUNT(*) AS cell", 1)))
                    .load(&mut connection)
                    .unwrap();
            rows.into_iter().map(|row| row.cell).collect()
        }
    }

    pub(super) async fn writer(&self) -> Writer {
        Writer::open(&self.options(), "c1").await.unwrap()
    }
}

impl Drop for Kit {
    fn drop(&mut self) {
        let _ = self.admin.batch_execute(&format!("DROP DATABASE IF EXISTS {}", self.database));
    }
}

pub(super) fn money(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// A change of quantity and price of a product of [`Kit::product`].
pub(super) fn change(id: u64, quantity: (i64, i64), price: (&str, &str)) -> ProductUpdate {
    ProductUpdate {
        product_id: id,
        date_added: ADDED.into(),
        quantity: Some(quantity),
        price: Some((money(price.0), money(price.1))),
        status: None,
        special: None,
    }
}
