//! Compares the shop's tables with what the simulated Billz says, by arithmetic of its own: it shares no rule with the service.

use std::collections::BTreeMap;

use diesel::{
    Connection, MysqlConnection, RunQueryDsl, sql_query,
    sql_types::{BigInt, Integer, Nullable, Text},
};
use serde_json::Value;

use crate::{
    db::DatabaseUrl,
    fault::{Code, Fault},
    sandbox::billz2::{
        Handle,
        catalogue::Kind,
        changes::{ShopTruth, Truth},
        fixed::Fixed,
    },
};

/// What a comparison found.
#[derive(Debug, Default)]
pub struct Found {
    /// Goods that Billz sells in the price shop.
    pub sold: usize,
    /// Of those, goods that stand right in the shop.
    pub right: usize,
    /// What is wrong: name and why.
    pub wrong: Vec<(String, String)>,
    /// Products in the shop's tables.
    pub products: usize,
}

/// Thousandths of a sum in one US dollar: the rate that the demo's connection sets.
const DOLLAR: i64 = 12_650;

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = Integer)]
    product_id: i32,
    #[diesel(sql_type = Integer)]
    quantity: i32,
    #[diesel(sql_type = Text)]
    price: String,
    #[diesel(sql_type = Nullable<Text>)]
    special: Option<String>,
    #[diesel(sql_type = BigInt)]
    specials: i64,
    #[diesel(sql_type = Text)]
    model: String,
}

fn rows(url: &DatabaseUrl) -> Result<BTreeMap<String, Row>, Fault> {
    let mut connection = MysqlConnection::establish(url.expose())
        .map_err(|error| Fault::new(Code::DatabaseUnavailable, "the shop's database did not answer").caused_by(error))?;
    let rows: Vec<Row> = sql_query(
        "SELECT p.product_id, p.quantity, CAST(p.price AS CHAR) AS price, p.model, CAST(MIN(s.price) AS CHAR) AS special, COUNT(s.product_id) AS specials \
         FROM oc_product p LEFT JOIN oc_product_special s ON s.product_id = p.product_id GROUP BY p.product_id",
    )
    .load(&mut connection)
    .map_err(|error| Fault::new(Code::DatabaseUnavailable, "the shop's products could not be read").caused_by(error))?;
    Ok(rows.into_iter().map(|row| (row.product_id.to_string(), row)).collect())
}

/// A price of Billz in whole sums, halves going up.
fn sums(amount: Fixed, currency: &str) -> i64 {
    let rate = if currency == "USD" { DOLLAR } else { 1 };
    (amount.as_thousandths().saturating_mul(rate) + 500).div_euclid(1_000)
}

fn cents(text: &str) -> i64 {
    text.replace('.', "").parse().unwrap_or(i64::MIN)
}

fn offer<'a>(product: &'a Truth, shop: &str) -> Option<&'a ShopTruth> {
    product.shops.iter().find(|(id, _)| id.to_string() == shop).map(|(_, offer)| offer)
}

/// Compares all goods that the price shop (the first of `streams`) sells; stock is the sum over `streams`.
pub async fn compare(url: &DatabaseUrl, billz: &Handle, links: &[Value], streams: &[String]) -> Result<Found, Fault> {
    let url = url.clone();
    let table = tokio::task::spawn_blocking(move || rows(&url))
        .await
        .map_err(|panic| Fault::internal("the check ended unexpectedly").caused_by(panic))??;
    let linked: BTreeMap<&str, &str> =
        links.iter().filter_map(|link| Some((link.get("source")?.as_str()?, link.get("target")?.as_str()?))).collect();
    let price_shop = streams.first().map(String::as_str).unwrap_or_default();
    let mut found = Found { products: table.len(), ..Found::default() };
    for product in billz.products(0, usize::MAX).iter().filter(|product| product.kind == Kind::Goods) {
        let Some(offer) = offer(product, price_shop) else { continue };
        let Some(price) = offer.price.map(|price| sums(price, &offer.currency)).filter(|price| *price >= 2) else { continue };
        found.sold += 1;
        let stock: i64 = streams
            .iter()
            .filter_map(|shop| self::offer(product, shop))
            .map(|offer| offer.stock.as_thousandths().max(0))
            .sum::<i64>()
            .div_euclid(1_000);
        let special = offer.promo.map(|promo| sums(promo, &offer.currency)).filter(|promo| *promo > 0 && *promo < price);
        let Some(row) = linked.get(product.id.to_string().as_str()).and_then(|target| table.get(*target)) else {
            found.wrong.push((product.name.clone(), "is not in the shop".to_owned()));
            continue;
        };
        let is = (i64::from(row.quantity), cents(&row.price), row.special.as_deref().map(cents));
        let should = (stock, price * 10_000, special.map(|special| special * 10_000));
        if is != should {
            found.wrong.push((product.name.clone(), format!("quantity, price, special (1/10000): is {is:?}, should be {should:?}")));
        } else if row.specials != special.map_or(0, |_| 2) {
            found.wrong.push((product.name.clone(), format!("has {} rows of specials for 2 customer groups", row.specials)));
        } else if row.model.starts_with("tradesync:") {
            found.wrong.push((product.name.clone(), "was left under our temporary model".to_owned()));
        } else {
            found.right += 1;
        }
    }
    Ok(found)
}
