//! Changing existing products: one `UPDATE … JOIN` a batch, guarded by everything that was seen when it was decided.
//!
//! Never an upsert: a product deleted meanwhile would come back as a ghost (design section 8). A row is written only if it is the
//! product that was seen (`date_added`), belongs to the owner, and holds the old values (or the new ones already, so that a
//! repeated batch finds its own work done). What was not written is read again and told apart.

use std::collections::{HashMap, HashSet};

use rust_decimal::Decimal;

use super::{
    batch::Layout,
    observe::Product,
    session::Writer,
    special::SpecialWish,
    sql::{Sql, Value},
};
use crate::fault::Fault;

/// What is to be written to one product. Fields without a value are left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductUpdate {
    /// Which product; at most once a call.
    pub product_id: u64,
    /// Its `date_added` as observed: the witness.
    pub date_added: String,
    /// Stock: (as observed, as wished).
    pub quantity: Option<(i64, i64)>,
    /// Price: (as observed, as wished).
    pub price: Option<(Decimal, Decimal)>,
    /// Visible or not: (as observed, as wished).
    pub status: Option<(bool, bool)>,
    /// Its special.
    pub special: Option<SpecialWish>,
}

/// What became of one [`ProductUpdate`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// Everything stands as wished.
    Done,
    /// The old values no longer stood: somebody changed it meanwhile. Nothing was written, save that a special may have been
    /// touched if only the special was in the way.
    Changed {
        /// As it stands now.
        now: Box<Product>,
    },
    /// There is no such product any more.
    Gone,
    /// Another product has taken the id.
    Replaced,
    /// It belongs to another seller.
    Foreign,
    /// A value that this shop cannot hold; nothing was written.
    Failed {
        /// Which field.
        field: &'static str,
        /// Why not.
        detail: String,
    },
}

const PRODUCTS: Layout = Layout {
    name: "tradesync_batch_product",
    columns: &[
        ("product_id", "BIGINT", "SIGNED"),
        ("date_added", "DATETIME", "DATETIME"),
        ("old_quantity", "BIGINT", "SIGNED"),
        ("quantity", "BIGINT", "SIGNED"),
        ("old_price", "DECIMAL(24,8)", "DECIMAL(24,8)"),
        ("price", "DECIMAL(24,8)", "DECIMAL(24,8)"),
        ("old_status", "TINYINT", "SIGNED"),
        ("status", "TINYINT", "SIGNED"),
    ],
    key: Some("product_id"),
};

/// Tells apart why a product was not found by witness and owner.
pub(super) fn classify_identity(date_added: &str, now: Option<&Product>) -> Written {
    match now {
        None => Written::Gone,
        Some(now) if now.date_added != date_added => Written::Replaced,
        Some(now) if !now.owned => Written::Foreign,
        Some(_) => Written::Done,
    }
}

/// Tells apart why a row may not have been written.
fn classify(wish: &ProductUpdate, now: Option<&Product>) -> Written {
    let (Written::Done, Some(now)) = (classify_identity(&wish.date_added, now), now) else {
        return classify_identity(&wish.date_added, now);
    };
    let stands = wish.quantity.is_none_or(|(_, new)| now.quantity == new)
        && wish.price.is_none_or(|(_, new)| now.price == new)
        && wish.status.is_none_or(|(_, new)| now.status == new);
    if stands { Written::Done } else { Written::Changed { now: Box::new(now.clone()) } }
}

impl Writer {
    /// Writes changes to existing products; one answer each, in the same order. Safe to repeat.
    ///
    /// Errors: `TargetUnavailable`, after which any part may have been written: repeat the same call.
    pub async fn update(&mut self, rows: &[ProductUpdate]) -> Result<Vec<Written>, Fault> {
        let mut written = Vec::with_capacity(rows.len());
        if rows.is_empty() {
            return Ok(written);
        }
        self.prepare_batch(&PRODUCTS).await?;
        for rows in rows.chunks(self.batch_rows()) {
            written.extend(self.update_batch(rows).await?);
        }
        Ok(written)
    }

    async fn update_batch(&mut self, rows: &[ProductUpdate]) -> Result<Vec<Written>, Fault> {
        let mut answers: Vec<Written> = self.unfit(rows);
        let fit: Vec<&ProductUpdate> =
            rows.iter().zip(&answers).filter(|(_, answer)| **answer == Written::Done).map(|(row, _)| row).collect();
        if fit.is_empty() {
            return Ok(answers);
        }
        let matched = self.update_products(&fit).await?;
        crate::fault::failpoint::hit("mid-batch");
        if matched != fit.len() as u64 {
            let now = self.products(&fit.iter().map(|row| row.product_id).collect::<Vec<_>>()).await?;
            for (row, answer) in rows.iter().zip(&mut answers).filter(|(_, answer)| **answer == Written::Done) {
                *answer = classify(row, now.get(&row.product_id));
            }
        }
        let wishes: Vec<&ProductUpdate> = rows
            .iter()
            .zip(&answers)
            .filter(|(row, answer)| row.special.is_some() && **answer == Written::Done)
            .map(|(row, _)| row)
            .collect();
        if !wishes.is_empty() {
            let left = self.write_specials(&wishes).await?;
            if !left.is_empty() {
                let now = self.products(&left.iter().copied().collect::<Vec<_>>()).await?;
                for (row, answer) in rows.iter().zip(&mut answers).filter(|(row, _)| left.contains(&row.product_id)) {
                    *answer = match classify(row, now.get(&row.product_id)) {
                        Written::Done => {
                            now.get(&row.product_id).map_or(Written::Gone, |now| Written::Changed { now: Box::new(now.clone()) })
                        }
                        other => other,
                    };
                }
            }
        }
        Ok(answers)
    }

    /// `Done` for what may be tried, `Failed` for what this shop cannot hold: its lenient mode would bend numbers silently.
    fn unfit(&self, rows: &[ProductUpdate]) -> Vec<Written> {
        let table = &self.tables.product;
        let (quantity, price) = (self.schema.find(table, "quantity"), self.schema.find(table, "price"));
        let special = self.schema.find(&self.tables.special, "price");
        let mut seen = HashSet::with_capacity(rows.len());
        let failed = |field: &'static str, detail: String| Written::Failed { field, detail };
        rows.iter()
            .map(|row| {
                if !seen.insert(row.product_id) {
                    return failed("product_id", format!("product {} stands twice in one batch", row.product_id));
                }
                if let (Some((_, new)), Some(column)) = (row.quantity, quantity)
                    && !column.holds_integer(new)
                {
                    return failed("quantity", format!("{new} does not fit the shop's column"));
                }
                if let (Some((_, new)), Some(column)) = (row.price, price)
                    && !column.holds_decimal(new)
                {
                    return failed("price", format!("{new} does not fit the shop's column"));
                }
                if let (Some(SpecialWish { want: super::special::Want::Price(new), .. }), Some(column)) = (&row.special, special)
                    && !column.holds_decimal(*new)
                {
                    return failed("special", format!("{new} does not fit the shop's column"));
                }
                Written::Done
            })
            .collect()
    }

    /// The one statement; how many rows it matched. The client asks for matched rather than changed rows (`CLIENT_FOUND_ROWS`).
    async fn update_products(&mut self, rows: &[&ProductUpdate]) -> Result<u64, Fault> {
        let (quantity, price, status) = (
            rows.iter().any(|row| row.quantity.is_some()),
            rows.iter().any(|row| row.price.is_some()),
            rows.iter().any(|row| row.status.is_some()),
        );
        let mut used = vec!["product_id", "date_added"];
        let mut set = String::new();
        let mut guard = String::new();
        // Modules use further numbers than 1 for visible products.
        for (wanted, column, standing, old) in [
            (quantity, "quantity", "p.`quantity`", "old_quantity"),
            (price, "price", "p.`price`", "old_price"),
            (status, "status", "(p.`status` <> 0)", "old_status"),
        ] {
            if wanted {
                used.extend([old, column]);
                set.push_str(&format!("p.`{column}` = IFNULL(b.`{column}`, p.`{column}`), "));
                guard.push_str(&format!(" AND (b.`{column}` IS NULL OR {standing} = b.`{old}` OR {standing} = b.`{column}`)"));
            }
        }
        let values = rows
            .iter()
            .map(|row| {
                let mut values = Vec::with_capacity(used.len());
                values.extend([Value::from(row.product_id), Value::from(row.date_added.as_str())]);
                if quantity {
                    values.extend([Value::from(row.quantity.map(|(old, _)| old)), Value::from(row.quantity.map(|(_, new)| new))]);
                }
                if price {
                    values.extend([Value::from(row.price.map(|(old, _)| old)), Value::from(row.price.map(|(_, new)| new))]);
                }
                if status {
                    values.extend([
                        Value::from(row.status.map(|(old, _)| i64::from(old))),
                        Value::from(row.status.map(|(_, new)| i64::from(new))),
                    ]);
                }
                values
            })
            .collect();
        let batch = self.batch(&PRODUCTS, &used, values).await?;
        let mut sql = Sql::new("UPDATE ");
        sql.append(&batch);
        sql.push(&format!(
            " STRAIGHT_JOIN {} p ON p.`product_id` = b.`product_id` SET {set}p.`date_modified` = NOW() WHERE p.`date_added` = b.`date_added`{guard} AND ",
            self.tables.product
        ));
        self.seller.condition(&mut sql);
        self.run(sql).await
    }
}

/// The rows by product, for planning.
pub(super) fn by_product<T>(rows: Vec<(u64, T)>) -> HashMap<u64, Vec<T>> {
    let mut map: HashMap<u64, Vec<T>> = HashMap::new();
    for (product, row) in rows {
        map.entry(product).or_default().push(row);
    }
    map
}
