//! Statements put together at run time: text of ours, checked names, and values that are always bound.
//!
//! diesel's typed queries need table names at compile time; a shop's prefix and its seller's table are known only at run time.

use diesel::{
    Connection, MysqlConnection, QueryResult, RunQueryDsl,
    mysql::Mysql,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{BigInt, Nullable, Text, Untyped},
};
use rust_decimal::Decimal;

/// A bound value. Decimals travel as text: compared or stored as DECIMAL only after a typed column or a CAST, never as a float.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Int(i64),
    Text(String),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        i64::try_from(number).map_or_else(|_| Self::Text(number.to_string()), Self::Int)
    }
}

impl From<Decimal> for Value {
    fn from(number: Decimal) -> Self {
        Self::Text(number.to_string())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A statement: its text with one `?` per bound value, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Sql {
    text: String,
    values: Vec<Value>,
}

impl Sql {
    /// Begins with text of ours. A `?` is only ever written by the functions below, so values can never be miscounted.
    pub(super) fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        debug_assert!(!text.contains('?'), "use bind: {text}");
        Self { text, values: Vec::new() }
    }

    /// Adds text of ours.
    pub(super) fn push(&mut self, text: &str) -> &mut Self {
        debug_assert!(!text.contains('?'), "use bind: {text}");
        self.text.push_str(text);
        self
    }

    /// Adds a bound value.
    pub(super) fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.text.push('?');
        self.values.push(value.into());
        self
    }

    /// Adds bound values with commas between them.
    pub(super) fn bind_list<T: Into<Value>>(&mut self, values: impl IntoIterator<Item = T>) -> &mut Self {
        for (place, value) in values.into_iter().enumerate() {
            if place > 0 {
                self.text.push(',');
            }
            self.bind(value);
        }
        self
    }

    /// Adds another piece with its values.
    pub(super) fn append(&mut self, other: &Sql) -> &mut Self {
        self.text.push_str(&other.text);
        self.values.extend_from_slice(&other.values);
        self
    }

    /// Runs it; how many rows it matched (`CLIENT_FOUND_ROWS`) or wrote.
    pub(super) fn run(&self, connection: &mut MysqlConnection) -> QueryResult<u64> {
        connection.execute_returning_count(self).map(|count| count as u64)
    }
}

impl QueryId for Sql {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Sql {
    type SqlType = Untyped;
}

impl RunQueryDsl<MysqlConnection> for Sql {}

static NULL: Option<String> = None;

impl QueryFragment<Mysql> for Sql {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        out.unsafe_to_cache_prepared();
        let mut values = self.values.iter();
        for (place, piece) in self.text.split('?').enumerate() {
            if place > 0 {
                match values.next() {
                    Some(Value::Int(number)) => out.push_bind_param::<BigInt, _>(number)?,
                    Some(Value::Text(text)) => out.push_bind_param::<Text, _>(text)?,
                    Some(Value::Null) | None => out.push_bind_param::<Nullable<Text>, _>(&NULL)?,
                }
            }
            out.push_sql(piece);
        }
        Ok(())
    }
}
