//! Carrying out the plans of [`special`](super::special) for a whole batch, phase by phase, guarded like every other write.

use std::collections::HashSet;

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::{
    batch::Layout,
    observe::Special,
    schema::Column,
    session::Writer,
    special::{NO_DATE, PRIORITY, SpecialOp, plan_specials, yesterday},
    sql::{Sql, Value},
    update::{ProductUpdate, by_product},
};
use crate::fault::Fault;

/// How often a batch is planned anew when rows changed under it: a person's save replaces all of a product's specials.
const ROUNDS: usize = 3;

const SPECIALS: Layout = Layout {
    name: "tradesync_batch_special",
    columns: &[
        ("product_id", "BIGINT", "SIGNED"),
        ("date_added", "DATETIME", "DATETIME"),
        ("special_id", "BIGINT", "SIGNED"),
        ("group_id", "BIGINT", "SIGNED"),
        ("old_price", "DECIMAL(24,8)", "DECIMAL(24,8)"),
        ("price", "DECIMAL(24,8)", "DECIMAL(24,8)"),
        ("priority", "BIGINT", "SIGNED"),
        ("date_start", "CHAR(10)", "CHAR(10)"),
        ("date_end", "CHAR(10)", "CHAR(10)"),
    ],
    key: None,
};

const USED: [&str; 9] = ["product_id", "date_added", "special_id", "group_id", "old_price", "price", "priority", "date_start", "date_end"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Update,
    Insert,
    Remove,
    Close,
}

fn phase(op: &SpecialOp) -> Phase {
    match op {
        SpecialOp::Update { .. } | SpecialOp::Become { .. } => Phase::Update,
        SpecialOp::Insert { .. } | SpecialOp::Add { .. } => Phase::Insert,
        SpecialOp::Remove { .. } => Phase::Remove,
        SpecialOp::Close { .. } => Phase::Close,
    }
}

fn values(row: &ProductUpdate, op: &SpecialOp) -> Vec<Value> {
    /// What a row is to say: price, priority (as it stands if absent), dates.
    type Wanted<'a> = (Option<Decimal>, Option<i64>, &'a str, &'a str);
    let whole = |row: &'_ Special| (Some(row.price), Some(row.priority));
    let (id, group, old, wanted): (_, _, _, Wanted<'_>) = match op {
        SpecialOp::Update { id, old, price } => (Some(*id), None, Some(*old), (Some(*price), None, NO_DATE, NO_DATE)),
        SpecialOp::Become { id, old, row } => {
            let (price, priority) = whole(row);
            (Some(*id), None, Some(*old), (price, priority, &row.date_start, &row.date_end))
        }
        SpecialOp::Insert { customer_group_id, price } => {
            (None, Some(*customer_group_id), None, (Some(*price), Some(PRIORITY), NO_DATE, NO_DATE))
        }
        SpecialOp::Add { row } => {
            let (price, priority) = whole(row);
            (None, Some(row.customer_group_id), None, (price, priority, &row.date_start, &row.date_end))
        }
        SpecialOp::Remove { id, old } | SpecialOp::Close { id, old } => (Some(*id), None, Some(*old), (None, None, NO_DATE, NO_DATE)),
    };
    let (price, priority, start, end) = wanted;
    let seen = [row.product_id.into(), row.date_added.as_str().into(), id.into(), group.into(), old.into()];
    seen.into_iter().chain([price.into(), priority.into(), start.into(), end.into()]).collect()
}

impl Writer {
    /// Brings the specials of these products to their wishes; the ids of those that would not hold still.
    pub(super) async fn write_specials(&mut self, rows: &[&ProductUpdate]) -> Result<HashSet<u64>, Fault> {
        let now = self.now().await?;
        let today: NaiveDate = now
            .get(..10)
            .and_then(|day| day.parse().ok())
            .ok_or_else(|| Fault::internal(format!("the shop's database gave a time that we cannot read: {now}")))?;
        let mut open: Vec<&ProductUpdate> = rows.to_vec();
        for _ in 0..ROUNDS {
            let ids: Vec<u64> = open.iter().map(|row| row.product_id).collect();
            let standing = by_product(self.specials(&ids).await?);
            let plan: Vec<(&ProductUpdate, SpecialOp)> = open
                .iter()
                .filter_map(|row| row.special.as_ref().map(|wish| (*row, wish)))
                .flat_map(|(row, wish)| {
                    let rows = standing.get(&row.product_id).map_or(&[][..], Vec::as_slice);
                    plan_specials(rows, wish, today).into_iter().map(move |op| (row, op))
                })
                .collect();
            if plan.is_empty() {
                return Ok(HashSet::new());
            }
            if self.carry_out(&plan, &yesterday(today)).await? {
                return Ok(HashSet::new());
            }
            let touched: HashSet<u64> = plan.iter().map(|(row, _)| row.product_id).collect();
            open.retain(|row| touched.contains(&row.product_id));
        }
        Ok(open.iter().map(|row| row.product_id).collect())
    }

    /// Whether every step found its row. Ends are carried out only when all that is wanted stands: else a product whose row
    /// vanished under us would be left without its special.
    async fn carry_out(&mut self, plan: &[(&ProductUpdate, SpecialOp)], yesterday: &str) -> Result<bool, Fault> {
        let mut whole = true;
        for wanted in [Phase::Update, Phase::Insert, Phase::Remove, Phase::Close] {
            if !whole && matches!(wanted, Phase::Remove | Phase::Close) {
                return Ok(false);
            }
            let ops: Vec<&(&ProductUpdate, SpecialOp)> = plan.iter().filter(|(_, op)| phase(op) == wanted).collect();
            self.prepare_batch(&SPECIALS).await?;
            for ops in ops.chunks(self.batch_rows()) {
                let batch = self.batch(&SPECIALS, &USED, ops.iter().map(|(row, op)| values(row, op)).collect()).await?;
                let sql = self.special_statement(wanted, &batch, yesterday)?;
                whole &= self.run(sql).await? == ops.len() as u64;
            }
        }
        Ok(whole)
    }

    fn special_statement(&self, phase: Phase, batch: &Sql, yesterday: &str) -> Result<Sql, Fault> {
        let (product, special) = (&self.tables.product, &self.tables.special);
        // The product must still be the one that was seen, and the owner's.
        let seen = format!("STRAIGHT_JOIN {product} p ON p.`product_id` = b.`product_id` AND p.`date_added` = b.`date_added`");
        let row = format!("STRAIGHT_JOIN {special} s ON s.`product_special_id` = b.`special_id` AND s.`product_id` = b.`product_id`");
        let mut sql = match phase {
            Phase::Update | Phase::Close => {
                let mut sql = Sql::new("UPDATE ");
                sql.append(batch).push(&format!(" {seen} {row} SET "));
                if phase == Phase::Update {
                    sql.push(
                        "s.`price` = b.`price`, s.`priority` = IFNULL(b.`priority`, s.`priority`), s.`date_start` = b.`date_start`, s.`date_end` = b.`date_end`",
                    );
                } else {
                    sql.push("s.`date_end` = ").bind(yesterday);
                }
                sql.push(" WHERE s.`price` = b.`old_price` AND ");
                sql
            }
            Phase::Insert => {
                let own = ["product_special_id", "product_id", "customer_group_id", "priority", "price", "date_start", "date_end"];
                let extra: Vec<&Column> = self
                    .schema
                    .columns(special)?
                    .iter()
                    .filter(|column| column.required() && !own.contains(&column.name.to_ascii_lowercase().as_str()))
                    .collect();
                let mut sql = Sql::new(format!(
                    "INSERT INTO {special} (`product_id`, `customer_group_id`, `priority`, `price`, `date_start`, `date_end`"
                ));
                for column in &extra {
                    sql.push(&format!(", {}", crate::db::Ident::new(column.name.as_str())?));
                }
                sql.push(") SELECT b.`product_id`, b.`group_id`, b.`priority`, b.`price`, b.`date_start`, b.`date_end`");
                for column in &extra {
                    sql.push(", ").bind(column.neutral(None));
                }
                sql.push(" FROM ").append(batch).push(&format!(" {seen} WHERE "));
                sql
            }
            Phase::Remove => {
                let mut sql = Sql::new("DELETE s FROM ");
                sql.append(batch).push(&format!(" {seen} {row} WHERE s.`price` = b.`old_price` AND "));
                sql
            }
        };
        self.seller.condition(&mut sql);
        Ok(sql)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            Written,
            testing::{ADDED, Kit, change, money},
        },
        *,
    };

    #[tokio::test]
    async fn nothing_is_ended_while_a_wanted_row_is_not_there() {
        let mut kit = Kit::new();
        kit.product(1, "x", 1, "100");
        kit.special(1, 1, 1, "90", NO_DATE, NO_DATE);
        let mut writer = kit.writer().await;
        let row = change(1, (1, 1), ("100", "100"));
        // A person saved the product after it was read: row 99 is gone, the visitors' special is row 1 now.
        let stale = [
            (&row, SpecialOp::Update { id: 99, old: money("95"), price: money("80") }),
            (&row, SpecialOp::Remove { id: 1, old: money("90") }),
        ];
        assert!(!writer.carry_out(&stale, "2025-01-01").await.unwrap());
        assert_eq!(kit.cell("SELECT COUNT(*) FROM oc_product_special"), "1");
        // A price that changed meanwhile guards its row.
        assert!(!writer.carry_out(&[(&row, SpecialOp::Remove { id: 1, old: money("91") })], "2025-01-01").await.unwrap());
        assert_eq!(kit.cell("SELECT COUNT(*) FROM oc_product_special"), "1");
    }

    #[tokio::test]
    async fn a_product_that_was_replaced_gets_no_special() {
        let mut kit = Kit::new();
        kit.product(1, "x", 1, "100");
        let mut writer = kit.writer().await;
        let mut row = change(1, (1, 1), ("100", "100"));
        let insert = SpecialOp::Insert { customer_group_id: 1, price: money("80") };
        row.date_added = "2020-01-01 00:00:00".into();
        assert!(!writer.carry_out(&[(&row, insert.clone())], "2025-01-01").await.unwrap());
        row.product_id = 2;
        row.date_added = ADDED.into();
        assert!(!writer.carry_out(&[(&row, insert)], "2025-01-01").await.unwrap());
        assert_eq!(kit.cell("SELECT COUNT(*) FROM oc_product_special"), "0");
        assert_eq!(writer.update(&[row]).await.unwrap(), [Written::Gone]);
    }
}
