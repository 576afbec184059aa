//! What the site's own orders have taken off the products' quantities.
//!
//! An order that enters one of the shop's processing or complete statuses lowers `product.quantity` by what was ordered, where the
//! product is set to `subtract`; leaving those statuses puts it back (facts section 4). Nothing in the database says when that
//! happened to a product, but the orders that stand in those statuses now say how much of it is taken off at present. Two such
//! sums differ by just what the shop itself did to the quantity in between, sales and returns alike, whatever the clocks say.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::{QueryableByName, sql_types::BigInt};

use super::{observe::Product, session::Reader, sql::Sql};
use crate::{
    db::Ident,
    fault::{Code, Fault},
};

/// How often products and orders are read anew because an order moved between the two.
const ROUNDS: usize = 3;

/// What orders have taken off one product's quantity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sold {
    /// Pieces in orders that stand in a processing or complete status now.
    pub total: i64,
    /// Of those, the ones in orders that moved within the last day: when, and how many.
    pub recent: Vec<(DateTime<Utc>, i64)>,
}

/// What stock is counted of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shelf {
    /// Products, by `product_id`.
    Products,
    /// Their sizes and colours, by `product_option_value_id`.
    OptionValues,
}

/// The sums as they stood at an event of the shop's orders: its last row of the history, to which each move of an order adds one.
pub(super) type Known = HashMap<Shelf, (i64, HashMap<u64, Sold>)>;

#[derive(QueryableByName)]
struct EventRow {
    #[diesel(sql_type = BigInt)]
    event: i64,
}

#[derive(QueryableByName)]
struct SoldRow {
    #[diesel(sql_type = BigInt)]
    product_id: i64,
    #[diesel(sql_type = BigInt)]
    quantity: i64,
    #[diesel(sql_type = BigInt)]
    moved_at: i64,
}

/// The ids in a setting such as `["2","15"]`; forms of old shops write numbers.
fn statuses(setting: Option<&str>) -> Vec<i64> {
    let listed: Vec<serde_json::Value> = setting.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    listed.iter().filter_map(|id| id.as_i64().or_else(|| id.as_str()?.trim().parse().ok())).collect()
}

impl Reader {
    /// What stands in the shop now, together with what orders have taken off it: of one moment, as far as the orders' history tells.
    ///
    /// Errors: `TargetUnavailable`; `RemoteForbidden` where the shop's user may not read the orders.
    pub async fn products_and_sales(&mut self, ids: &[u64]) -> Result<(HashMap<u64, Product>, HashMap<u64, Sold>), Fault> {
        self.shelf_and_sales(Shelf::Products, ids).await
    }

    /// The same for either kind of shelf.
    ///
    /// Errors: as [`Reader::products_and_sales`].
    pub async fn shelf_and_sales(&mut self, shelf: Shelf, ids: &[u64]) -> Result<(HashMap<u64, Product>, HashMap<u64, Sold>), Fault> {
        let mut event = self.last_order_event().await?;
        let mut round = 0;
        loop {
            round += 1;
            if self.sales.get(&shelf).is_none_or(|(known, _)| *known != event) {
                let sold = self.sold(shelf).await?;
                self.sales.insert(shelf, (event, sold));
            }
            let products = self.shelf(shelf, ids).await?;
            let before = std::mem::replace(&mut event, self.last_order_event().await?);
            if before == event || round == ROUNDS {
                let sold = self.sales.get(&shelf).into_iter();
                let sold = sold.flat_map(|(_, sold)| ids.iter().filter_map(|id| Some((*id, sold.get(id)?.clone()))));
                return Ok((products, sold.collect()));
            }
        }
    }

    /// What stands on a shelf now.
    ///
    /// Errors: `TargetUnavailable`.
    pub async fn shelf(&mut self, shelf: Shelf, ids: &[u64]) -> Result<HashMap<u64, Product>, Fault> {
        match shelf {
            Shelf::Products => self.products(ids).await,
            Shelf::OptionValues => self.option_values(ids).await,
        }
    }

    fn order_table(&self, name: &str) -> Result<Ident, Fault> {
        Ident::new(format!("{}{name}", self.options.table_prefix))
    }

    async fn last_order_event(&mut self) -> Result<i64, Fault> {
        let table = self.order_table("order_history")?;
        let sql = Sql::new(format!("SELECT CAST(IFNULL(MAX(`order_history_id`), 0) AS SIGNED) AS event FROM {table}"));
        let rows = self.rows::<EventRow>(sql).await.map_err(orders_unreadable)?;
        Ok(rows.first().map_or(0, |row| row.event))
    }

    /// One query for the whole shop: `order_product` has no index on the product, so asking for some would scan it all the same.
    async fn sold(&mut self, shelf: Shelf) -> Result<HashMap<u64, Sold>, Fault> {
        let mut counted = statuses(self.setting("config_processing_status").await?.as_deref());
        counted.extend(statuses(self.setting("config_complete_status").await?.as_deref()));
        if counted.is_empty() {
            return Ok(HashMap::new());
        }
        let (order, line) = (self.order_table("order")?, self.order_table("order_product")?);
        let (id, items) = match shelf {
            Shelf::Products => {
                ("i.`product_id`", format!("JOIN {} p ON p.`product_id` = i.`product_id` AND p.`subtract` <> 0", self.tables.product))
            }
            Shelf::OptionValues => (
                "v.`product_option_value_id`",
                format!(
                    "JOIN {} x ON x.`order_product_id` = i.`order_product_id` JOIN {} v ON v.`product_option_value_id` = x.`product_option_value_id` AND v.`subtract` <> 0 \
                     JOIN {} p ON p.`product_id` = v.`product_id`",
                    self.order_table("order_option")?,
                    self.tables.product_option_value,
                    self.tables.product
                ),
            ),
        };
        let mut sql = Sql::new(format!(
            "SELECT CAST({id} AS SIGNED) AS product_id, CAST(SUM(i.`quantity`) AS SIGNED) AS quantity, \
             CAST(IF(o.`date_modified` >= NOW() - INTERVAL 1 DAY, UNIX_TIMESTAMP(o.`date_modified`), 0) AS SIGNED) AS moved_at \
             FROM {order} o JOIN {line} i ON i.`order_id` = o.`order_id` {items} WHERE o.`order_status_id` IN (",
        ));
        sql.bind_list(counted).push(") AND ");
        self.seller.condition(&mut sql);
        sql.push(&format!(" GROUP BY {id}, moved_at"));
        let mut sold: HashMap<u64, Sold> = HashMap::new();
        for row in self.rows::<SoldRow>(sql).await.map_err(orders_unreadable)? {
            let product = sold.entry(u64::try_from(row.product_id).unwrap_or_default()).or_default();
            product.total += row.quantity;
            if let Some(moved_at) = (row.moved_at > 0).then(|| DateTime::from_timestamp(row.moved_at, 0)).flatten() {
                product.recent.push((moved_at, row.quantity));
            }
        }
        Ok(sold)
    }
}

fn orders_unreadable(fault: Fault) -> Fault {
    match fault.code {
        Code::RemoteForbidden | Code::TargetSchema => {
            let detail = format!(
                "{}; the site's own orders cannot be read: grant SELECT on the tables order, order_product and order_history, or set site_sales to \"ignore\"",
                fault.detail
            );
            Fault::new(fault.code, detail).caused_by(fault)
        }
        _ => fault,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::Kit, *};

    fn order(kit: &mut Kit, id: u64, status: u64, product: u64, quantity: i64, moved: &str) {
        kit.run(&format!(
            "REPLACE INTO oc_order (order_id, order_status_id, date_added, date_modified) VALUES ({id}, {status}, {moved}, {moved});
             DELETE FROM oc_order_product WHERE order_id = {id};
             INSERT INTO oc_order_product (order_id, product_id, name, model, quantity, reward) VALUES ({id}, {product}, '', '', {quantity}, 0);
             INSERT INTO oc_order_history (order_id, order_status_id, comment, date_added) VALUES ({id}, {status}, '', NOW())"
        ));
    }

    #[test]
    fn statuses_are_read_in_both_forms() {
        assert_eq!(statuses(Some(r#"["2", "15"]"#)), [2, 15]);
        assert_eq!(statuses(Some("[3]")), [3]);
        assert_eq!((statuses(Some("a:1:{}")), statuses(None)), (vec![], vec![]));
    }

    #[tokio::test]
    async fn orders_count_while_they_stand_in_a_status_that_takes_stock() {
        let mut kit = Kit::new();
        for id in [1, 2, 3] {
            kit.product(id, "x", 10, "100");
        }
        // As the shop's own sessions do (config_timezone).
        kit.run("SET time_zone = '+05:00'; UPDATE oc_product SET subtract = 0 WHERE product_id = 3");
        order(&mut kit, 1, 2, 1, 3, "'2025-01-05 00:00:00'");
        order(&mut kit, 2, 3, 1, 4, "NOW()");
        order(&mut kit, 3, 1, 2, 5, "NOW()");
        order(&mut kit, 4, 2, 3, 6, "NOW()");
        let mut writer = kit.writer().await;
        let total = |sold: &HashMap<u64, Sold>, id: u64| sold.get(&id).map_or(0, |sold| sold.total);
        let (products, sold) = writer.products_and_sales(&[1, 2, 3, 9]).await.unwrap();
        assert_eq!((products.len(), total(&sold, 1), total(&sold, 2), total(&sold, 3)), (3, 7, 0, 0));
        let recent = &sold[&1].recent;
        assert_eq!((recent.len(), recent[0].1), (1, 4), "the old order is no recent one");
        assert!((Utc::now() - recent[0].0).num_seconds().abs() < 60, "by UTC, whatever the shop's zone: {recent:?}");
        // Pending becomes processing, complete is cancelled: seen in the same session.
        order(&mut kit, 3, 2, 2, 5, "NOW()");
        order(&mut kit, 2, 7, 1, 4, "NOW()");
        let (_, sold) = writer.products_and_sales(&[1, 2]).await.unwrap();
        assert_eq!((total(&sold, 1), total(&sold, 2)), (3, 5));
    }

    #[tokio::test]
    async fn orders_of_other_sellers_products_are_none_of_ours() {
        let mut kit = Kit::new();
        let options = kit.seller_options();
        for id in [1, 2] {
            kit.product(id, "x", 10, "100");
            order(&mut kit, id, 2, id, 3, "NOW()");
        }
        kit.run("INSERT INTO oc_ms_product VALUES (1, 42, 1, 1), (2, 43, 1, 1)");
        let mut reader = Reader::open(&options).await.unwrap();
        let (products, sold) = reader.products_and_sales(&[1, 2]).await.unwrap();
        assert_eq!((products.len(), sold.keys().copied().collect::<Vec<_>>()), (2, vec![1]));
    }
}
