//! Sizes and colours of a product: values of one option, each with its own stock and its own price.
//!
//! OpenCart keeps a price per value as a difference from the product's, and lets nobody buy more of all values than the product's
//! own quantity (facts section 4). So after values were written, [`Writer::balance`] makes the quantity their sum, and the product's
//! price the lowest of them: that is the price which lists and searches show.
//!
//! Carts and orders point at `product_option_value_id`: rows are made once and changed in place, never deleted.

use std::collections::{BTreeMap, HashMap, HashSet};

use diesel::{
    QueryableByName,
    sql_types::{BigInt, Text},
};
use rust_decimal::Decimal;

use super::{
    batch::Layout,
    observe::{Product, money, unsigned},
    session::{Reader, Writer},
    sql::{Sql, Value},
    update::{Written, classify_identity},
};
use crate::fault::Fault;

/// Most ids in one query; a prepared statement takes at most 65,535 values.
const IDS_A_QUERY: usize = 10_000;

/// What a value costs: the product's price and the difference.
const COSTS: &str = "(p.`price` + IF(v.`price_prefix` = '-', -v.`price`, v.`price`))";

/// What is to be written to one value. Fields without a value are left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionValueUpdate {
    /// `product_option_value_id`; at most once a call.
    pub id: u64,
    /// Its product.
    pub product_id: u64,
    /// The product's `date_added` as observed: the witness.
    pub date_added: String,
    /// Stock: (as observed, as wished).
    pub quantity: Option<(i64, i64)>,
    /// What the value costs in all, not the difference: (as observed, as wished).
    pub price: Option<(Decimal, Decimal)>,
}

/// An option that a product has: a row of `product_option`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProductOption {
    /// `product_option_id`.
    pub id: i64,
    /// The product.
    pub product_id: i64,
    /// Which option of the dictionary.
    pub option_id: i64,
}

#[derive(QueryableByName)]
struct ValueRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
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
struct OptionRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = BigInt)]
    one: i64,
    #[diesel(sql_type = BigInt)]
    other: i64,
}

const VALUES: Layout = Layout {
    name: "tradesync_batch_option",
    columns: &[
        ("id", "BIGINT", "SIGNED"),
        ("product_id", "BIGINT", "SIGNED"),
        ("date_added", "DATETIME", "DATETIME"),
        ("old_quantity", "BIGINT", "SIGNED"),
        ("quantity", "BIGINT", "SIGNED"),
        ("old_price", "DECIMAL(24,8)", "DECIMAL(24,8)"),
        ("price", "DECIMAL(24,8)", "DECIMAL(24,8)"),
    ],
    key: Some("id"),
};

impl Reader {
    /// What stands in the shop now for these `product_option_value_id`s: quantity and price of the value, all else of its product.
    /// Ids without a value, or without a product, are absent.
    ///
    /// Errors: `TargetUnavailable`; `TargetSchema` where the shop has no options.
    pub async fn option_values(&mut self, ids: &[u64]) -> Result<HashMap<u64, Product>, Fault> {
        let mut found = HashMap::with_capacity(ids.len());
        for ids in ids.chunks(IDS_A_QUERY) {
            let mut sql = Sql::new(format!(
                "SELECT CAST(v.`product_option_value_id` AS SIGNED) AS id, CAST(v.`product_id` AS SIGNED) AS product_id, CAST(p.`date_added` AS CHAR(19)) AS date_added, CAST(v.`quantity` AS SIGNED) AS quantity, \
                 CAST({COSTS} AS CHAR) AS price, CAST(p.`status` AS SIGNED) AS status, CAST("
            ));
            self.seller.condition(&mut sql);
            sql.push(&format!(
                " AS SIGNED) AS owned FROM {} v JOIN {} p ON p.`product_id` = v.`product_id` WHERE v.`product_option_value_id` IN (",
                self.tables.product_option_value, self.tables.product
            ));
            sql.bind_list(ids.iter().copied()).push(")");
            let mut values: HashMap<u64, Vec<u64>> = HashMap::new();
            for row in self.rows::<ValueRow>(sql).await? {
                values.entry(unsigned(row.product_id)).or_default().push(unsigned(row.id));
                let product = Product {
                    date_added: row.date_added,
                    quantity: row.quantity,
                    price: money(&row.price)?,
                    status: row.status != 0,
                    owned: row.owned != 0,
                    specials: Vec::new(),
                };
                found.insert(unsigned(row.id), product);
            }
            for (product, special) in self.specials(&values.keys().copied().collect::<Vec<_>>()).await? {
                for value in values.get(&product).into_iter().flatten() {
                    if let Some(value) = found.get_mut(value) {
                        value.specials.push(special.clone());
                    }
                }
            }
        }
        Ok(found)
    }

    /// The options of these products.
    ///
    /// Errors: `TargetUnavailable`.
    pub async fn product_options(&mut self, products: &[u64]) -> Result<Vec<ProductOption>, Fault> {
        if products.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = Sql::new(format!(
            "SELECT CAST(o.`product_option_id` AS SIGNED) AS id, CAST(o.`product_id` AS SIGNED) AS one, CAST(o.`option_id` AS SIGNED) AS other FROM {} o WHERE o.`product_id` IN (",
            self.tables.product_option
        ));
        sql.bind_list(products.iter().copied()).push(") ORDER BY o.`product_option_id`");
        let rows = self.rows::<OptionRow>(sql).await?;
        Ok(rows.into_iter().map(|row| ProductOption { id: row.id, product_id: row.one, option_id: row.other }).collect())
    }

    /// Values of these options of products: (`product_option_id`, `option_value_id`) -> `product_option_value_id`; of several the first.
    async fn values_of(&mut self, options: &HashSet<i64>) -> Result<HashMap<(i64, i64), u64>, Fault> {
        let mut sql = Sql::new(format!(
            "SELECT CAST(v.`product_option_value_id` AS SIGNED) AS id, CAST(v.`product_option_id` AS SIGNED) AS one, CAST(v.`option_value_id` AS SIGNED) AS other FROM {} v WHERE v.`product_option_id` IN (",
            self.tables.product_option_value
        ));
        sql.bind_list(options.iter().copied()).push(") ORDER BY v.`product_option_value_id`");
        let mut values = HashMap::new();
        for row in self.rows::<OptionRow>(sql).await? {
            values.entry((row.one, row.other)).or_insert(unsigned(row.id));
        }
        Ok(values)
    }

    /// Which of these values are the first of their option: the one that its product's pictures come from.
    ///
    /// Errors: `TargetUnavailable`.
    pub async fn first_values(&mut self, ids: &[u64]) -> Result<HashSet<u64>, Fault> {
        if ids.is_empty() {
            return Ok(HashSet::new());
        }
        let options = self.options_of(ids).await?;
        if options.is_empty() {
            return Ok(HashSet::new());
        }
        let mut sql = Sql::new(format!(
            "SELECT CAST(MIN(v.`product_option_value_id`) AS SIGNED) AS id, 0 AS one, 0 AS other FROM {} v WHERE v.`product_option_id` IN (",
            self.tables.product_option_value
        ));
        sql.bind_list(options).push(") GROUP BY v.`product_option_id`");
        let first: HashSet<u64> = self.rows::<OptionRow>(sql).await?.into_iter().map(|row| unsigned(row.id)).collect();
        Ok(ids.iter().copied().filter(|id| first.contains(id)).collect())
    }

    /// The options that these values belong to, by the values' key: the table has no index on options.
    async fn options_of(&mut self, ids: &[u64]) -> Result<Vec<i64>, Fault> {
        let mut sql = Sql::new(format!(
            "SELECT DISTINCT CAST(v.`product_option_id` AS SIGNED) AS id, 0 AS one, 0 AS other FROM {} v WHERE v.`product_option_value_id` IN (",
            self.tables.product_option_value
        ));
        sql.bind_list(ids.iter().copied()).push(")");
        Ok(self.rows::<OptionRow>(sql).await?.into_iter().map(|row| row.id).collect())
    }
}

impl Writer {
    /// Gives products (product, option) an option that must be chosen, if they have not got it. What they have in all, afterwards.
    ///
    /// Errors: `TargetUnavailable`, after which it is safe to repeat.
    pub async fn give_options(&mut self, wanted: &[(u64, i64)]) -> Result<Vec<ProductOption>, Fault> {
        let products: Vec<u64> = wanted.iter().map(|(product, _)| *product).collect();
        let standing = self.product_options(&products).await?;
        let has = |product: u64, option: i64| standing.iter().any(|has| unsigned(has.product_id) == product && has.option_id == option);
        let rows: Vec<BTreeMap<&str, Value>> = wanted
            .iter()
            .filter(|(product, option)| !has(*product, *option))
            .map(|(product, option)| {
                BTreeMap::from([
                    ("product_id", Value::from(*product)),
                    ("option_id", Value::Int(*option)),
                    ("value", "".into()),
                    ("required", Value::Int(1)),
                ])
            })
            .collect();
        if rows.is_empty() {
            return Ok(standing);
        }
        let table = self.tables.product_option.clone();
        self.put("INSERT", &table, &rows, None).await?;
        self.product_options(&products).await
    }

    /// Gives options of products values of the dictionary, if they have not got them: sold out and at the product's price, until they
    /// are updated. `product_option_value_id` by (`product_option_id`, `option_value_id`).
    ///
    /// Errors: `TargetUnavailable`, after which it is safe to repeat.
    pub async fn give_values(&mut self, wanted: &[(ProductOption, i64)]) -> Result<HashMap<(i64, i64), u64>, Fault> {
        if wanted.is_empty() {
            return Ok(HashMap::new());
        }
        let options: HashSet<i64> = wanted.iter().map(|(option, _)| option.id).collect();
        let standing = self.values_of(&options).await?;
        let mut seen = HashSet::new();
        let rows: Vec<BTreeMap<&str, Value>> = wanted
            .iter()
            .filter(|(option, value)| !standing.contains_key(&(option.id, *value)) && seen.insert((option.id, *value)))
            .map(|(option, value)| {
                BTreeMap::from([
                    ("product_option_id", Value::Int(option.id)),
                    ("product_id", Value::Int(option.product_id)),
                    ("option_id", Value::Int(option.option_id)),
                    ("option_value_id", Value::Int(*value)),
                    ("quantity", Value::Int(0)),
                    ("subtract", Value::Int(1)),
                    ("price_prefix", "+".into()),
                    ("points_prefix", "+".into()),
                    ("weight_prefix", "+".into()),
                ])
            })
            .collect();
        if rows.is_empty() {
            return Ok(standing);
        }
        let table = self.tables.product_option_value.clone();
        self.put("INSERT", &table, &rows, None).await?;
        self.values_of(&options).await
    }

    /// Writes stock and prices of values, guarded by what was seen like [`Writer::update`]; one answer each, in the same order. To be
    /// followed by [`Writer::balance`]. Safe to repeat.
    ///
    /// Errors: `TargetUnavailable`, after which any part may have been written: repeat the same call.
    pub async fn update_option_values(&mut self, rows: &[OptionValueUpdate]) -> Result<Vec<Written>, Fault> {
        let mut answers = Vec::with_capacity(rows.len());
        if rows.is_empty() {
            return Ok(answers);
        }
        self.prepare_batch(&VALUES).await?;
        for rows in rows.chunks(self.batch_rows()) {
            let mut some: Vec<Written> = self.unfit_values(rows);
            let fit: Vec<&OptionValueUpdate> =
                rows.iter().zip(&some).filter(|(_, answer)| **answer == Written::Done).map(|(row, _)| row).collect();
            if !fit.is_empty() && self.write_values(&fit).await? != fit.len() as u64 {
                let now = self.option_values(&fit.iter().map(|row| row.id).collect::<Vec<_>>()).await?;
                for (row, answer) in rows.iter().zip(&mut some).filter(|(_, answer)| **answer == Written::Done) {
                    *answer = classify(row, now.get(&row.id));
                }
            }
            answers.extend(some);
        }
        Ok(answers)
    }

    fn unfit_values(&self, rows: &[OptionValueUpdate]) -> Vec<Written> {
        let table = &self.tables.product_option_value;
        let (quantity, price) = (self.schema.find(table, "quantity"), self.schema.find(table, "price"));
        let failed =
            |field: &'static str, what: String| Written::Failed { field, detail: format!("{what} does not fit the shop's column") };
        rows.iter()
            .map(|row| match (row.quantity, row.price) {
                (Some((_, new)), _) if quantity.is_some_and(|column| !column.holds_integer(new)) => failed("quantity", new.to_string()),
                (_, Some((_, new))) if price.is_some_and(|column| !column.holds_decimal(new)) => failed("price", new.to_string()),
                _ => Written::Done,
            })
            .collect()
    }

    /// The one statement; how many values it matched, each counted once with its product.
    async fn write_values(&mut self, rows: &[&OptionValueUpdate]) -> Result<u64, Fault> {
        let used = ["id", "product_id", "date_added", "old_quantity", "quantity", "old_price", "price"];
        let values = rows
            .iter()
            .map(|row| {
                vec![
                    Value::from(row.id),
                    Value::from(row.product_id),
                    Value::from(row.date_added.as_str()),
                    Value::from(row.quantity.map(|(old, _)| old)),
                    Value::from(row.quantity.map(|(_, new)| new)),
                    Value::from(row.price.map(|(old, _)| old)),
                    Value::from(row.price.map(|(_, new)| new)),
                ]
            })
            .collect();
        let batch = self.batch(&VALUES, &used, values).await?;
        let mut sql = Sql::new("UPDATE ");
        sql.append(&batch);
        sql.push(&format!(
            " STRAIGHT_JOIN {} v ON v.`product_option_value_id` = b.`id` AND v.`product_id` = b.`product_id` STRAIGHT_JOIN {} p ON p.`product_id` = v.`product_id` \
             SET v.`quantity` = IFNULL(b.`quantity`, v.`quantity`), v.`subtract` = 1, \
             v.`price_prefix` = IF(b.`price` IS NULL, v.`price_prefix`, IF(b.`price` < p.`price`, '-', '+')), \
             v.`price` = IF(b.`price` IS NULL, v.`price`, ABS(b.`price` - p.`price`)) \
             WHERE p.`date_added` = b.`date_added` AND (b.`quantity` IS NULL OR v.`quantity` = b.`old_quantity` OR v.`quantity` = b.`quantity`) \
             AND (b.`price` IS NULL OR {COSTS} = b.`old_price` OR {COSTS} = b.`price`) AND ",
            self.tables.product_option_value, self.tables.product
        ));
        self.seller.condition(&mut sql);
        self.run(sql).await
    }

    /// Makes the quantity of products the sum of the values beside these ones, and, if asked, their price the lowest of those, with
    /// the differences that go with it. Writes only what differs.
    ///
    /// Errors: `TargetUnavailable`, after which it is safe to repeat.
    pub async fn balance(&mut self, ids: &[u64], prices: bool) -> Result<(), Fault> {
        let (values, product) = (self.tables.product_option_value.clone(), self.tables.product.clone());
        for ids in ids.chunks(IDS_A_QUERY) {
            let options = self.options_of(ids).await?;
            if options.is_empty() {
                continue;
            }
            if prices {
                let mut sql = Sql::new(format!(
                    "UPDATE (SELECT w.`product_option_id`, MIN(IF(w.`price_prefix` = '-', -w.`price`, w.`price`)) AS lowest FROM {values} w WHERE w.`product_option_id` IN ("
                ));
                sql.bind_list(options.iter().copied()).push(&format!(
                    ") GROUP BY w.`product_option_id` HAVING lowest <> 0) s JOIN {values} v ON v.`product_option_id` = s.`product_option_id` JOIN {product} p ON p.`product_id` = v.`product_id` \
                     SET v.`price` = IF(v.`price_prefix` = '-', -v.`price`, v.`price`) - s.lowest, v.`price_prefix` = '+', p.`price` = p.`price` + s.lowest, p.`date_modified` = NOW() WHERE "
                ));
                self.seller.condition(&mut sql);
                self.run(sql).await?;
            }
            let mut sql = Sql::new(format!(
                "UPDATE (SELECT w.`product_id`, SUM(GREATEST(w.`quantity`, 0)) AS total FROM {values} w WHERE w.`product_option_id` IN ("
            ));
            sql.bind_list(options.iter().copied()).push(&format!(
                ") GROUP BY w.`product_id`) s JOIN {product} p ON p.`product_id` = s.`product_id` SET p.`quantity` = s.total, p.`date_modified` = NOW() WHERE p.`quantity` <> s.total AND "
            ));
            self.seller.condition(&mut sql);
            self.run(sql).await?;
        }
        Ok(())
    }

    /// Shows new products (id, reference) that were made hidden because their options were to come first. One whose reference is
    /// gone was recorded long ago and is left as it is.
    ///
    /// Errors: `TargetUnavailable`, after which it is safe to repeat.
    pub async fn show_made(&mut self, made: &[(u64, String)]) -> Result<(), Fault> {
        if made.is_empty() {
            return Ok(());
        }
        let mut sql = Sql::new(format!(
            "UPDATE {} SET `status` = 1, `date_modified` = NOW() WHERE `status` = 0 AND `product_id` IN (",
            self.tables.product
        ));
        sql.bind_list(made.iter().map(|(id, _)| *id))
            .push(") AND `location` IN (")
            .bind_list(made.iter().map(|(_, reference)| reference.as_str()))
            .push(")");
        self.run(sql).await.map(drop)
    }
}

/// Tells apart why a value may not have been written.
fn classify(wish: &OptionValueUpdate, now: Option<&Product>) -> Written {
    let (Written::Done, Some(now)) = (classify_identity(&wish.date_added, now), now) else {
        return classify_identity(&wish.date_added, now);
    };
    let stands = wish.quantity.is_none_or(|(_, new)| now.quantity == new) && wish.price.is_none_or(|(_, new)| now.price == new);
    if stands { Written::Done } else { Written::Changed { now: Box::new(now.clone()) } }
}
