//! The requirement «ТЗ: Интеграция маркетплейса kmall.uz (opencart 3.0.3.8) с приложением billz.uz», sections 1 to 4.2, sentence by
//! sentence: each test is named after one and quotes it. What a sentence leaves open stands in other modules; here is only whether
//! the sentence is true.
//!
//! | section | tests |
//! |---|---|
//! | 1 which Billz, with which keys | [`accounts`] |
//! | 2 «Список магазинов billz» | [`shops`] |
//! | 3 buttons and fields of the seller's list of goods | [`panel`] |
//! | 4 selection, authentication, matching by id | [`selection`] |
//! | 4.1 «Если товар не найден» | [`not_found`] |
//! | 4.2 «Если товар найден» | [`found`] |
//!
//! Section 5 is [`super::schedules`]; section 6 speaks of the demo accounts.

mod accounts;
mod found;
mod not_found;
mod panel;
mod selection;
mod shops;

use serde_json::{Value, json};

use crate::support::{Api, FIRST, Stage};

/// Those that a sentence «для billz1 … для billz2» speaks of: most are true of both.
pub const EACH: [Api; 2] = [Api::Billz1, Api::Billz2];

/// A seller of the marketplace with an account in Billz, goods there and a connection to it.
pub struct Seller {
    pub stage: Stage,
    pub api: Api,
    pub connection: String,
    /// «Список магазинов billz»: the streams' keys; the chosen shop is the first.
    pub shops: Vec<String>,
}

impl Seller {
    /// A seller with this many shops in the list, and nothing to sell yet.
    pub async fn new(api: Api, shops: usize, settings: Value) -> Self {
        Self::on(Stage::empty_of(api).await, shops, settings).await
    }

    /// The same on a stage that was made for it.
    pub async fn on(stage: Stage, shops: usize, settings: Value) -> Self {
        let api = stage.api;
        let connection = stage.connect(settings).await;
        let shops = stage.streams(&connection, shops).await;
        Self { stage, api, connection, shops }
    }

    /// A good of the first shop, with price and stock.
    pub fn good(&self, price: &str, stock: &str) -> String {
        self.stage.good(json!({"price": {FIRST: price}, "stock": {FIRST: stock}}))
    }

    /// New price in the first shop.
    pub fn reprice(&self, good: &str, price: &str) {
        self.stage.change(good, json!({"price": {FIRST: price}}));
    }

    /// New stock in the first shop.
    pub fn restock(&self, good: &str, stock: &str) {
        self.stage.change(good, json!({"stock": {FIRST: stock}}));
    }

    /// «Сумма скидки» off this price; 0 ends it. Billz 2 tells the price of a promotion instead.
    pub fn discount(&self, good: &str, price: u32, amount: u32) {
        let change = match self.api {
            Api::Billz1 => json!({"discount": {FIRST: amount.to_string()}}),
            Api::Billz2 => json!({"promo": {FIRST: (amount > 0).then(|| (price - amount).to_string())}}),
        };
        self.stage.change(good, change);
    }

    /// Requests to Billz so far, by a part of them.
    pub fn asked(&self, part: &str) -> usize {
        let requests = match self.api {
            Api::Billz1 => self.stage.billz.billz1.requests().requests,
            Api::Billz2 => self.stage.billz.billz2.requests().requests,
        };
        requests.iter().filter(|entry| entry.target.contains(part)).count()
    }

    /// «По кнопке "Синхронизировать"»: the chosen shop, from the date of the last synchronisation.
    pub async fn press_synchronise(&self) -> Value {
        let run = self.stage.sync(&self.connection, &self.shops[0], "incremental").await;
        assert_eq!(run["state"], "succeeded", "{run}");
        run
    }

    /// The product that a good is matched to.
    pub async fn product(&self, good: &str) -> i64 {
        self.stage.product_of(&self.connection, good).await
    }

    /// `quantity price status` of the product of a good.
    pub async fn shelf(&self, good: &str) -> String {
        self.stage.database.shelf(self.product(good).await)
    }

    /// `group:price:start:end` of the rows on the tab «Акция».
    pub async fn specials(&self, good: &str) -> Vec<String> {
        self.stage.database.specials(self.product(good).await)
    }

    /// A row on the tab «Акция», as a person makes it.
    pub async fn add_special(&self, good: &str, price: &str) {
        let product = self.product(good).await;
        self.stage.database.run(&format!(
            "INSERT INTO oc_product_special (product_id, customer_group_id, priority, price, date_start, date_end) VALUES ({product}, 1, 1, {price}, '0000-00-00', '0000-00-00')"
        ));
    }
}
