//! The simulator driven over real HTTP.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test that panics has said what is wrong")]

mod control;
mod faults;
mod login;
mod products;
mod scale;

use std::{collections::BTreeMap, time::Duration};

use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use crate::sandbox::{Options, Running, start};

/// A client of one running sandbox.
pub struct Shop {
    pub running: Running,
    pub client: Client,
    pub token: String,
}

pub const SECRET: &str = "demo-integration-key";

impl Shop {
    /// Without a limit and logged in.
    pub async fn open(products: usize) -> Self {
        Self::open_with(Options { products, rate_limit: None, ..Options::default() }).await
    }

    pub async fn open_with(options: Options) -> Self {
        let running = start(options).await.unwrap();
        let client = Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
        let mut shop = Self { running, client, token: String::new() };
        shop.log_in().await;
        shop
    }

    pub async fn log_in(&mut self) -> Value {
        let body = self.send(Method::POST, "/v1/auth/login", json!({"secret_token": SECRET})).await;
        let body: Value = body.json().await.unwrap();
        self.token = body["data"]["access_token"].as_str().unwrap().to_owned();
        body
    }

    pub async fn send(&self, method: Method, path: &str, body: Value) -> Response {
        self.client.request(method, format!("{}{path}", self.running.url)).json(&body).send().await.unwrap()
    }

    pub async fn try_get(&self, path: &str) -> reqwest::Result<Response> {
        self.client.get(format!("{}{path}", self.running.url)).bearer_auth(&self.token).send().await
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        let response = self.try_get(path).await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// All rows by paging, with the count of the first page.
    pub async fn all(&self, limit: usize) -> (usize, Vec<Value>) {
        let (mut rows, mut count) = (Vec::new(), 0);
        for page in 1.. {
            let (status, body) = self.get(&format!("/v2/products?limit={limit}&page={page}")).await;
            assert_eq!(status, 200);
            if page == 1 {
                count = number(&body["count"]);
            }
            match body["products"].as_array() {
                Some(list) if !list.is_empty() => rows.extend(list.iter().cloned()),
                _ => return (count, rows),
            }
        }
        unreachable!("pages end")
    }
}

pub fn number(value: &Value) -> usize {
    value.to_string().parse().unwrap()
}

/// Ids of rows.
pub fn ids(rows: &[Value]) -> Vec<String> {
    rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

/// How often each value of a text field occurs.
pub fn counts(rows: &[Value], field: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(row[field].as_str().unwrap().to_owned()).or_default() += 1;
    }
    counts
}
