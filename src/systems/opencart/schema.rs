//! What tables and columns this shop really has: asked once per session, since ocStore and modules add their own.
//!
//! Columns are filled by presence: whatever is NOT NULL without a default gets a neutral value by its type (facts section 9).

use std::collections::HashMap;

use diesel::{
    QueryableByName,
    sql_types::{BigInt, Nullable, Text, Unsigned},
};
use rust_decimal::Decimal;

use super::sql::{Sql, Value};
use crate::{
    db::Ident,
    fault::{Code, Fault},
};

/// The tables that this system touches, by their full names.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    pub(super) product: Ident,
    pub(super) description: Ident,
    pub(super) to_store: Ident,
    pub(super) to_category: Ident,
    pub(super) to_layout: Ident,
    pub(super) special: Ident,
    pub(super) image: Ident,
    pub(super) language: Ident,
    pub(super) customer_group: Ident,
    pub(super) setting: Ident,
    pub(super) stock_status: Ident,
    pub(super) category: Ident,
    pub(super) category_description: Ident,
    pub(super) tax_class: Ident,
    pub(super) weight_class: Ident,
    pub(super) weight_class_description: Ident,
    pub(super) manufacturer: Ident,
    pub(super) manufacturer_to_store: Ident,
    pub(super) attribute: Ident,
    pub(super) attribute_description: Ident,
    pub(super) attribute_group: Ident,
    pub(super) attribute_group_description: Ident,
    pub(super) product_attribute: Ident,
    pub(super) seo_url: Ident,
    pub(super) event: Ident,
    /// Asked for by goods with variants alone, so a shop's user needs no rights to them otherwise.
    pub(super) option: Ident,
    pub(super) option_description: Ident,
    pub(super) option_value: Ident,
    pub(super) option_value_description: Ident,
    pub(super) product_option: Ident,
    pub(super) product_option_value: Ident,
    /// Only where the shop has the Google extension.
    pub(super) google_product: Ident,
    /// Only in ocStore (facts section 9).
    pub(super) manufacturer_description: Ident,
}

impl Tables {
    pub(super) fn new(prefix: &str) -> Result<Self, Fault> {
        let name = |table: &str| Ident::new(format!("{prefix}{table}"));
        Ok(Self {
            product: name("product")?,
            description: name("product_description")?,
            to_store: name("product_to_store")?,
            to_category: name("product_to_category")?,
            to_layout: name("product_to_layout")?,
            special: name("product_special")?,
            image: name("product_image")?,
            language: name("language")?,
            customer_group: name("customer_group")?,
            setting: name("setting")?,
            stock_status: name("stock_status")?,
            category: name("category")?,
            category_description: name("category_description")?,
            tax_class: name("tax_class")?,
            weight_class: name("weight_class")?,
            weight_class_description: name("weight_class_description")?,
            manufacturer: name("manufacturer")?,
            manufacturer_to_store: name("manufacturer_to_store")?,
            attribute: name("attribute")?,
            attribute_description: name("attribute_description")?,
            attribute_group: name("attribute_group")?,
            attribute_group_description: name("attribute_group_description")?,
            product_attribute: name("product_attribute")?,
            seo_url: name("seo_url")?,
            event: name("event")?,
            option: name("option")?,
            option_description: name("option_description")?,
            option_value: name("option_value")?,
            option_value_description: name("option_value_description")?,
            product_option: name("product_option")?,
            product_option_value: name("product_option_value")?,
            google_product: name("googleshopping_product")?,
            manufacturer_description: name("manufacturer_description")?,
        })
    }

    /// Those that are looked at only where they are wanted.
    pub(super) fn optional(&self) -> [&Ident; 8] {
        [
            &self.google_product,
            &self.manufacturer_description,
            &self.option,
            &self.option_description,
            &self.option_value,
            &self.option_value_description,
            &self.product_option,
            &self.product_option_value,
        ]
    }

    /// Those that every shop has.
    pub(super) fn all(&self) -> [&Ident; 25] {
        [
            &self.product,
            &self.description,
            &self.to_store,
            &self.to_category,
            &self.to_layout,
            &self.special,
            &self.image,
            &self.language,
            &self.customer_group,
            &self.setting,
            &self.stock_status,
            &self.category,
            &self.category_description,
            &self.tax_class,
            &self.weight_class,
            &self.weight_class_description,
            &self.manufacturer,
            &self.manufacturer_to_store,
            &self.attribute,
            &self.attribute_description,
            &self.attribute_group,
            &self.attribute_group_description,
            &self.product_attribute,
            &self.seo_url,
            &self.event,
        ]
    }
}

/// One column as `information_schema` describes it.
#[derive(Clone, Debug, QueryableByName)]
pub(super) struct Column {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    pub(super) name: String,
    #[diesel(sql_type = Text)]
    data_type: String,
    #[diesel(sql_type = Text)]
    column_type: String,
    #[diesel(sql_type = BigInt)]
    required: i64,
    #[diesel(sql_type = Nullable<Unsigned<BigInt>>)]
    max_chars: Option<u64>,
    #[diesel(sql_type = Nullable<Unsigned<BigInt>>)]
    max_bytes: Option<u64>,
    #[diesel(sql_type = Nullable<Unsigned<BigInt>>)]
    digits: Option<u64>,
    #[diesel(sql_type = Nullable<Unsigned<BigInt>>)]
    scale: Option<u64>,
    #[diesel(sql_type = Nullable<Text>)]
    charset: Option<String>,
}

impl Column {
    /// Whether an INSERT must give it.
    pub(super) fn required(&self) -> bool {
        self.required == 1
    }

    /// Most characters that fit; `None` for what is measured in bytes or is no text.
    pub(super) fn max_chars(&self) -> Option<usize> {
        matches!(self.data_type.as_str(), "char" | "varchar")
            .then_some(self.max_chars)
            .flatten()
            .and_then(|most| usize::try_from(most).ok())
    }

    /// Most bytes that fit, for text columns.
    pub(super) fn max_bytes(&self) -> Option<usize> {
        self.max_bytes.and_then(|most| usize::try_from(most).ok())
    }

    /// Whether characters beyond U+FFFF fit (facts section 1: in utf8mb3 they become `?` or fail).
    pub(super) fn takes_all_characters(&self) -> bool {
        !matches!(self.charset.as_deref(), Some("utf8" | "utf8mb3" | "ucs2"))
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(
            self.data_type.as_str(),
            "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "decimal" | "float" | "double" | "bit" | "year"
        )
    }

    /// Whether a whole number fits.
    pub(super) fn holds_integer(&self, number: i64) -> bool {
        let bits = match self.data_type.as_str() {
            "tinyint" => 8,
            "smallint" => 16,
            "mediumint" => 24,
            "int" => 32,
            "bigint" => 64,
            _ => return self.holds_decimal(Decimal::from(number)),
        };
        let number = i128::from(number);
        if self.column_type.contains("unsigned") {
            (0..1i128 << bits).contains(&number)
        } else {
            (-(1i128 << (bits - 1))..1i128 << (bits - 1)).contains(&number)
        }
    }

    /// Whether a decimal fits without loss.
    pub(super) fn holds_decimal(&self, number: Decimal) -> bool {
        let number = number.normalize();
        let (Some(digits), Some(scale)) = (self.digits, self.scale) else { return true };
        let whole = number.trunc().abs().to_string();
        let whole = if whole == "0" { 0 } else { whole.len() as u64 };
        u64::from(number.scale()) <= scale
            && whole <= digits.saturating_sub(scale)
            && !(number.is_sign_negative() && self.column_type.contains("unsigned"))
    }

    /// A value that says nothing, by type. `moment` stands in for dates of rows that record when they were made.
    pub(super) fn neutral(&self, moment: Option<&str>) -> Value {
        match self.data_type.as_str() {
            "date" => Value::from(moment.and_then(|moment| moment.get(..10)).unwrap_or("0000-00-00")),
            "datetime" | "timestamp" => Value::from(moment.unwrap_or("0000-00-00 00:00:00")),
            "time" => Value::from("00:00:00"),
            "enum" => Value::Int(1),
            "json" => Value::from("{}"),
            _ if self.is_number() => Value::Int(0),
            _ => Value::from(""),
        }
    }
}

/// Every column of our tables and of the seller's.
#[derive(Clone, Debug, Default)]
pub(super) struct Schema {
    tables: HashMap<String, Vec<Column>>,
}

/// Asks for the columns of `tables`.
pub(super) fn question<'a>(tables: impl IntoIterator<Item = &'a str>) -> Sql {
    let mut sql = Sql::new(
        "SELECT TABLE_NAME AS table_name, COLUMN_NAME AS name, LOWER(DATA_TYPE) AS data_type, LOWER(COLUMN_TYPE) AS column_type, \
         IF(IS_NULLABLE = 'NO' AND COLUMN_DEFAULT IS NULL AND EXTRA NOT LIKE '%auto_increment%' AND EXTRA NOT LIKE '%GENERATED%', 1, 0) AS required, \
         CAST(CHARACTER_MAXIMUM_LENGTH AS UNSIGNED) AS max_chars, CAST(CHARACTER_OCTET_LENGTH AS UNSIGNED) AS max_bytes, \
         CAST(NUMERIC_PRECISION AS UNSIGNED) AS digits, CAST(NUMERIC_SCALE AS UNSIGNED) AS scale, LOWER(CHARACTER_SET_NAME) AS charset \
         FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN (",
    );
    sql.bind_list(tables);
    sql.push(") ORDER BY TABLE_NAME, ORDINAL_POSITION");
    sql
}

impl Schema {
    pub(super) fn new(columns: Vec<Column>) -> Self {
        let mut tables: HashMap<String, Vec<Column>> = HashMap::new();
        for column in columns {
            tables.entry(column.table_name.to_ascii_lowercase()).or_default().push(column);
        }
        Self { tables }
    }

    /// Whether the table is there.
    pub(super) fn has(&self, table: &Ident) -> bool {
        self.tables.contains_key(&table.name().to_ascii_lowercase())
    }

    /// The table's columns.
    ///
    /// Errors: `TargetSchema` naming the table that is missing.
    pub(super) fn columns(&self, table: &Ident) -> Result<&[Column], Fault> {
        self.tables
            .get(&table.name().to_ascii_lowercase())
            .map(Vec::as_slice)
            .ok_or_else(|| Fault::new(Code::TargetSchema, format!("the shop's database has no table {table}; is the table prefix right?")))
    }

    /// One column, by name without regard to case.
    pub(super) fn find(&self, table: &Ident, name: &str) -> Option<&Column> {
        self.columns(table).ok()?.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// One column.
    ///
    /// Errors: `TargetSchema` naming table and column.
    pub(super) fn column(&self, table: &Ident, name: &str) -> Result<&Column, Fault> {
        self.columns(table)?;
        self.find(table, name).ok_or_else(|| Fault::new(Code::TargetSchema, format!("the table {table} has no column `{name}`")))
    }

    /// Fails unless all these columns are there.
    pub(super) fn require(&self, table: &Ident, names: &[&str]) -> Result<(), Fault> {
        names.iter().try_for_each(|name| self.column(table, name).map(drop))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn column(data_type: &str, column_type: &str) -> Column {
        Column {
            table_name: "oc_product".into(),
            name: "x".into(),
            data_type: data_type.into(),
            column_type: column_type.into(),
            required: 1,
            max_chars: Some(64),
            max_bytes: Some(192),
            digits: Some(15),
            scale: Some(4),
            charset: Some("utf8mb3".into()),
        }
    }

    pub(in crate::systems::opencart) fn text_column(data_type: &str, most: u64, charset: &str) -> Column {
        Column {
            max_chars: Some(most),
            max_bytes: Some(if data_type == "text" { most } else { most * 4 }),
            charset: Some(charset.into()),
            ..column(data_type, data_type)
        }
    }

    #[test]
    fn numbers_are_checked_before_a_lenient_server_bends_them() {
        let int = column("int", "int(4)");
        assert!(int.holds_integer(2_147_483_647) && !int.holds_integer(2_147_483_648) && int.holds_integer(-5));
        assert!(!column("int", "int(4) unsigned").holds_integer(-1));
        let price = column("decimal", "decimal(15,4)");
        assert!(price.holds_decimal(Decimal::new(999_999_999_999_999, 4)) && price.holds_decimal(Decimal::new(10_000_000, 6)));
        assert!(!price.holds_decimal(Decimal::new(1, 5)) && !price.holds_decimal(Decimal::from(100_000_000_000i64)));
    }

    #[test]
    fn neutral_values_fit_their_types() {
        assert_eq!(column("varchar", "varchar(64)").neutral(None), Value::from(""));
        assert_eq!(column("decimal", "decimal(15,8)").neutral(None), Value::Int(0));
        assert_eq!(column("datetime", "datetime").neutral(None), Value::from("0000-00-00 00:00:00"));
        assert_eq!(column("date", "date").neutral(Some("2025-03-01 10:00:00")), Value::from("2025-03-01"));
        assert_eq!(column("enum", "enum('a','b')").neutral(None), Value::Int(1));
    }
}
