//! The seller's products, as a condition that every query and every write carries (facts section 10).

use super::{
    options::Ownership,
    schema::{Schema, Tables},
    sql::{Sql, Value},
};
use crate::{
    db::Ident,
    fault::{Code, Fault},
};

/// How the seller's id is compared: numbers as numbers, text by its bytes (the shop's collation ignores case).
#[derive(Clone, Debug)]
pub(super) struct Holder {
    value: Value,
    is_number: bool,
}

/// The adapter after it was checked against the database.
#[derive(Clone, Debug)]
pub(super) enum Seller {
    Whole,
    Column { column: Ident, holder: Holder },
    Link { table: Ident, product: Ident, seller: Ident, holder: Holder, extra: Vec<(Ident, Value)>, indexed: bool },
}

/// The adapter's table by the names it may have: as given, or with the shop's prefix.
pub(super) fn table_names(ownership: &Ownership, prefix: &str) -> Vec<String> {
    match ownership {
        Ownership::Link { table, .. } => vec![table.name().to_owned(), format!("{prefix}{}", table.name())],
        _ => Vec::new(),
    }
}

fn holder(schema: &Schema, table: &Ident, column: &Ident, value: &str) -> Result<Holder, Fault> {
    if !schema.column(table, column.name())?.is_number() {
        return Ok(Holder { value: Value::from(value), is_number: false });
    }
    let number: i64 = value.parse().map_err(|_| {
        Fault::new(
            Code::ConfigInvalid,
            format!("opencart.seller.seller_value must be a whole number, since {table}.{column} holds numbers"),
        )
    })?;
    Ok(Holder { value: Value::Int(number), is_number: true })
}

impl Seller {
    /// Checks the adapter's names against the database.
    ///
    /// Errors: `TargetSchema` naming the table or column that is missing; `ConfigInvalid` for a value of the wrong type.
    pub(super) fn new(ownership: Ownership, prefix: &str, tables: &Tables, schema: &Schema) -> Result<Self, Fault> {
        match ownership {
            Ownership::Whole => Ok(Self::Whole),
            Ownership::Column { column, value } => Ok(Self::Column { holder: holder(schema, &tables.product, &column, &value)?, column }),
            Ownership::Link { table, product, seller, value, extra } => {
                let prefixed = Ident::new(format!("{prefix}{}", table.name()));
                let table = if schema.has(&table) { table } else { prefixed.ok().filter(|name| schema.has(name)).unwrap_or(table) };
                schema.column(&table, product.name())?;
                let holder = holder(schema, &table, &seller, &value)?;
                let mut constants = Vec::with_capacity(extra.len());
                for (column, constant) in extra {
                    schema.column(&table, column.name())?;
                    let value = match constant {
                        serde_json::Value::Null => Value::Null,
                        serde_json::Value::Bool(yes) => Value::Int(i64::from(yes)),
                        serde_json::Value::String(text) => Value::Text(text),
                        other => Value::Text(other.to_string()),
                    };
                    constants.push((column, value));
                }
                Ok(Self::Link { table, product, seller, holder, extra: constants, indexed: false })
            }
        }
    }

    /// Asks whether the link table has an index that begins with the product; `None` where there is nothing to ask.
    pub(super) fn index_question(&self) -> Option<Sql> {
        let Self::Link { table, product, .. } = self else { return None };
        let mut sql = Sql::new(
            "SELECT COUNT(*) AS number FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND SEQ_IN_INDEX = 1 AND TABLE_NAME = ",
        );
        sql.bind(table.name()).push(" AND COLUMN_NAME = ").bind(product.name());
        Some(sql)
    }

    /// Takes the answer of [`Seller::index_question`].
    pub(super) fn set_indexed(&mut self, yes: bool) {
        if let Self::Link { indexed, .. } = self {
            *indexed = yes;
        }
    }

    /// Adds the condition on the product's row `p`: 1 or 0, never NULL.
    pub(super) fn condition(&self, sql: &mut Sql) {
        match self {
            Self::Whole => {
                sql.push("1 = 1");
            }
            Self::Column { column, holder } => {
                sql.push("IFNULL(");
                holder.compare(sql, &format!("p.{column}"));
                sql.push(", 0)");
            }
            Self::Link { table, product, seller, holder, indexed, .. } => {
                // Without an index on the product (TMD) EXISTS would scan the table once per product (measured: 7 s for 5,000), so
                // the seller's products are read once and hashed; with one, a look-up each beats reading a large seller's all.
                let (begin, end) = if *indexed {
                    (format!("EXISTS (SELECT 1 FROM {table} l WHERE l.{product} = p.`product_id` AND "), ")")
                } else {
                    (format!("IFNULL(p.`product_id` IN (SELECT l.{product} FROM {table} l WHERE l.{product} IS NOT NULL AND "), "), 0)")
                };
                sql.push(&begin);
                holder.compare(sql, &format!("l.{seller}"));
                sql.push(end);
            }
        }
    }

    /// The value to store in the seller's column.
    pub(super) fn value(&self) -> Option<&Value> {
        match self {
            Self::Whole => None,
            Self::Column { holder, .. } | Self::Link { holder, .. } => Some(&holder.value),
        }
    }
}

impl Holder {
    /// Adds `column = value`.
    pub(super) fn compare(&self, sql: &mut Sql, column: &str) {
        sql.push(&format!("({column} = "));
        sql.bind(self.value.clone());
        if !self.is_number {
            sql.push(&format!(" AND CAST({column} AS BINARY) = CAST("));
            sql.bind(self.value.clone());
            sql.push(" AS BINARY)");
        }
        sql.push(")");
    }
}
