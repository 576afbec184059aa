//! What stands in the shop now, for thousands of products in two queries.

use std::collections::HashMap;

use diesel::{
    QueryableByName,
    sql_types::{BigInt, Text},
};
use rust_decimal::Decimal;

use super::{session::Reader, sql::Sql};
use crate::{domain::number::parse_decimal, fault::Fault};

/// Most ids in one query; a prepared statement takes at most 65,535 values.
const IDS_A_QUERY: usize = 10_000;

/// A product as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// When it was added by the shop's clock, `YYYY-MM-DD HH:MM:SS`: tells it from a later product with the same id.
    pub date_added: String,
    /// Stock; may be negative.
    pub quantity: i64,
    /// Price without tax in the shop's currency.
    pub price: Decimal,
    /// Whether visitors see it.
    pub status: bool,
    /// Whether it belongs to the connection's owner.
    pub owned: bool,
    /// All its specials, ended and future ones as well, by id.
    pub specials: Vec<Special>,
}

/// A row of `product_special` ("Акция").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Special {
    /// `product_special_id`; changes whenever a person saves the product.
    pub id: u64,
    /// For which customers.
    pub customer_group_id: i64,
    /// The lowest number wins, then the lowest price.
    pub priority: i64,
    /// The special price.
    pub price: Decimal,
    /// First day, `YYYY-MM-DD`; `0000-00-00` = from ever.
    pub date_start: String,
    /// Day on which it is already over; `0000-00-00` = for ever.
    pub date_end: String,
}

#[derive(QueryableByName)]
struct ProductRow {
    #[diesel(sql_type = BigInt)]
    product_id: i64,
    #[diesel(sql_type = Text)]
    date_added: String,
    #[diesel(sql_type = BigInt)]
    quantity: i64,
    #[diesel(sql_type = Text)]
    price: String,
    #[diesel(sql_type = BigInt)]
    status: i64,
    #[diesel(sql_type = BigInt)]
    owned: i64,
}

#[derive(QueryableByName)]
struct SpecialRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = BigInt)]
    product_id: i64,
    #[diesel(sql_type = BigInt)]
    customer_group_id: i64,
    #[diesel(sql_type = BigInt)]
    priority: i64,
    #[diesel(sql_type = Text)]
    price: String,
    #[diesel(sql_type = Text)]
    date_start: String,
    #[diesel(sql_type = Text)]
    date_end: String,
}

pub(super) fn money(text: &str) -> Result<Decimal, Fault> {
    parse_decimal(text).ok_or_else(|| Fault::internal(format!("the shop's database holds a price that we cannot read: {text}")))
}

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

impl Reader {
    /// What stands in the shop now. Ids without a product are absent from the answer.
    ///
    /// Errors: `TargetUnavailable`.
    pub async fn products(&mut self, ids: &[u64]) -> Result<HashMap<u64, Product>, Fault> {
        let mut products = HashMap::with_capacity(ids.len());
        for ids in ids.chunks(IDS_A_QUERY) {
            let mut sql = Sql::new(
                "SELECT CAST(p.`product_id` AS SIGNED) AS product_id, CAST(p.`date_added` AS CHAR(19)) AS date_added, CAST(p.`quantity` AS SIGNED) AS quantity, \
                 CAST(p.`price` AS CHAR) AS price, CAST(p.`status` AS SIGNED) AS status, CAST(",
            );
            self.seller.condition(&mut sql);
            sql.push(&format!(" AS SIGNED) AS owned FROM {} p WHERE p.`product_id` IN (", self.tables.product));
            sql.bind_list(ids.iter().copied()).push(")");
            for row in self.rows::<ProductRow>(sql).await? {
                let product = Product {
                    date_added: row.date_added,
                    quantity: row.quantity,
                    price: money(&row.price)?,
                    status: row.status != 0,
                    owned: row.owned != 0,
                    specials: Vec::new(),
                };
                products.insert(unsigned(row.product_id), product);
            }
            for (product, special) in self.specials(ids).await? {
                if let Some(product) = products.get_mut(&product) {
                    product.specials.push(special);
                }
            }
        }
        Ok(products)
    }

    /// The specials of these products, by product and id.
    pub(super) async fn specials(&mut self, ids: &[u64]) -> Result<Vec<(u64, Special)>, Fault> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = Sql::new(format!(
            "SELECT CAST(s.`product_special_id` AS SIGNED) AS id, CAST(s.`product_id` AS SIGNED) AS product_id, CAST(s.`customer_group_id` AS SIGNED) AS customer_group_id, \
             CAST(s.`priority` AS SIGNED) AS priority, CAST(s.`price` AS CHAR) AS price, CAST(s.`date_start` AS CHAR(10)) AS date_start, CAST(s.`date_end` AS CHAR(10)) AS date_end \
             FROM {} s WHERE s.`product_id` IN (",
            self.tables.special
        ));
        sql.bind_list(ids.iter().copied()).push(") ORDER BY s.`product_special_id`");
        let rows = self.rows::<SpecialRow>(sql).await?;
        rows.into_iter()
            .map(|row| {
                let special = Special {
                    id: unsigned(row.id),
                    customer_group_id: row.customer_group_id,
                    priority: row.priority,
                    price: money(&row.price)?,
                    date_start: row.date_start,
                    date_end: row.date_end,
                };
                Ok((unsigned(row.product_id), special))
            })
            .collect()
    }
}
