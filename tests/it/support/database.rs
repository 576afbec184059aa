//! A database of one test, and the few questions that tests ask of it.

use diesel::{
    Connection, MysqlConnection, QueryableByName, RunQueryDsl,
    connection::SimpleConnection,
    sql_query,
    sql_types::{BigInt, Nullable, Text},
};
use tradesync::{db::DatabaseUrl, demo::shop};

/// Dropped with the test.
pub struct Database {
    pub url: DatabaseUrl,
    pub name: String,
    server: String,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = Nullable<BigInt>)]
    number: Option<i64>,
}

#[derive(QueryableByName)]
struct Words {
    #[diesel(sql_type = Nullable<Text>)]
    words: Option<String>,
}

/// Address of the server that tests may use.
pub fn server() -> String {
    std::env::var("TRADESYNC_TEST_SERVER")
        .expect("TRADESYNC_TEST_SERVER is not set; run the tests by `make test`, which starts a private MariaDB")
}

impl Database {
    pub async fn make(name: &str) -> Self {
        let server = server();
        let url = shop::make(&server, name).await.unwrap();
        Self { url, name: name.to_owned(), server }
    }

    pub fn connect(&self) -> MysqlConnection {
        let mut connection = MysqlConnection::establish(self.url.expose()).unwrap();
        sql_query("SET SESSION sql_mode = 'NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION'").execute(&mut connection).unwrap();
        connection
    }

    /// Runs statements, separated by semicolons.
    pub fn run(&self, statements: &str) {
        self.connect().batch_execute(statements).unwrap();
    }

    /// One number: `SELECT … AS number`.
    pub fn number(&self, query: &str) -> i64 {
        sql_query(query).get_result::<Number>(&mut self.connect()).unwrap().number.unwrap_or_default()
    }

    /// A column of text: `SELECT … AS words`.
    pub fn words(&self, query: &str) -> Vec<String> {
        sql_query(query).load::<Words>(&mut self.connect()).unwrap().into_iter().map(|row| row.words.unwrap_or_default()).collect()
    }

    /// The shop's state without surrogate ids and dates: what two histories must agree on.
    pub fn shop_state(&self) -> Vec<String> {
        self.words(
            "SELECT CONCAT_WS('|', p.model, p.sku, p.ean, p.quantity, p.price, p.status, \
               (SELECT GROUP_CONCAT(CONCAT(d.language_id, ':', d.name) ORDER BY d.language_id) FROM oc_product_description d WHERE d.product_id = p.product_id), \
               (SELECT GROUP_CONCAT(s.store_id) FROM oc_product_to_store s WHERE s.product_id = p.product_id), \
               (SELECT GROUP_CONCAT(c.category_id) FROM oc_product_to_category c WHERE c.product_id = p.product_id), \
               (SELECT m.name FROM oc_manufacturer m WHERE m.manufacturer_id = p.manufacturer_id), p.weight, \
               (SELECT GROUP_CONCAT(CONCAT(n.name, '=', v.text) ORDER BY n.name) FROM oc_product_attribute v JOIN oc_attribute_description n ON n.attribute_id = v.attribute_id AND n.language_id = v.language_id \
                 WHERE v.product_id = p.product_id AND v.language_id = 2), \
               (SELECT COUNT(*) FROM oc_seo_url u WHERE u.query = CONCAT('product_id=', p.product_id)), \
               (SELECT GROUP_CONCAT(CONCAT(x.customer_group_id, ':', x.price) ORDER BY x.customer_group_id, x.price) FROM oc_product_special x WHERE x.product_id = p.product_id)) \
             AS words FROM oc_product p ORDER BY words",
        )
    }

    /// Puts a product into the shop as a person would; returns its id.
    pub fn add_product(&self, sku: &str, ean: &str, model: &str, quantity: i64, price: &str) -> i64 {
        let mut connection = self.connect();
        sql_query(
            "INSERT INTO oc_product (model, sku, upc, ean, jan, isbn, mpn, location, quantity, stock_status_id, manufacturer_id, price, tax_class_id, status, date_added, date_modified) \
             VALUES (?, ?, '', ?, '', '', '', '', ?, 7, 0, ?, 0, 1, '2024-05-01 10:00:00', '2024-05-01 10:00:00')",
        )
        .bind::<Text, _>(model)
        .bind::<Text, _>(sku)
        .bind::<Text, _>(ean)
        .bind::<BigInt, _>(quantity)
        .bind::<Text, _>(price)
        .execute(&mut connection)
        .unwrap();
        let id =
            sql_query("SELECT CAST(LAST_INSERT_ID() AS SIGNED) AS number").get_result::<Number>(&mut connection).unwrap().number.unwrap();
        for language in [1, 2, 3] {
            sql_query(format!("INSERT INTO oc_product_description (product_id, language_id, name, description, tag, meta_title, meta_description, meta_keyword) VALUES ({id}, {language}, 'Old', '', '', 'Old', '', '')"))
                .execute(&mut connection)
                .unwrap();
        }
        sql_query(format!("INSERT INTO oc_product_to_store (product_id, store_id) VALUES ({id}, 0)")).execute(&mut connection).unwrap();
        id
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Ok(mut connection) = MysqlConnection::establish(&format!("{}/", self.server.trim_end_matches('/'))) {
            let _ = connection.batch_execute(&format!("DROP DATABASE IF EXISTS `{}`", self.name));
        }
    }
}
