//! Hand-written statements that a connection keeps prepared.

use std::{borrow::Cow, marker::PhantomData};

use diesel::{
    QueryResult, RunQueryDsl,
    mysql::Mysql,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    serialize::ToSql,
    sql_types::{HasSqlType, Untyped},
};

/// A statement that is prepared once on each connection and then only run, which halves its round trips. diesel does so only for
/// most of what it has built from tables, and never for `diesel::sql_query`, which is else the same.
///
/// Not for a text that differs from call to call: each would be kept for itself. Each `?` stands for a value; none may stand in a literal.
pub struct Kept<'a> {
    sql: Cow<'static, str>,
    /// Else it is prepared for this one time.
    stays: bool,
    values: Vec<Box<dyn QueryFragment<Mysql> + 'a>>,
}

/// A statement to be kept under its text.
pub fn kept<'a>(sql: impl Into<Cow<'static, str>>) -> Kept<'a> {
    Kept { sql: sql.into(), stays: true, values: Vec::new() }
}

/// So many rows or keys have statements that stay prepared. Too low: the page of a quiet minute is prepared anew each time; too high: hardly
/// two pages share a statement, and those that others share are forgotten for them.
const FEW: usize = 4;

/// A statement whose text depends on a number of rows or keys: kept where these are few.
pub fn kept_if_few<'a>(count: usize, sql: String) -> Kept<'a> {
    Kept { sql: sql.into(), stays: count <= FEW, values: Vec::new() }
}

impl<'a> Kept<'a> {
    /// The value of the next `?`.
    pub fn bind<T: 'a, V: ToSql<T, Mysql> + 'a>(mut self, value: V) -> Self
    where
        Mysql: HasSqlType<T>,
    {
        self.values.push(Box::new(Bound { value, kind: PhantomData }));
        self
    }
}

struct Bound<T, V> {
    value: V,
    kind: PhantomData<T>,
}

impl<T, V: ToSql<T, Mysql>> QueryFragment<Mysql> for Bound<T, V>
where
    Mysql: HasSqlType<T>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        out.push_bind_param(&self.value)
    }
}

impl QueryFragment<Mysql> for Kept<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        if !self.stays {
            out.unsafe_to_cache_prepared();
        }
        let mut values = self.values.iter();
        for (place, text) in self.sql.split('?').enumerate() {
            if place > 0 {
                let Some(value) = values.next() else {
                    return Err(diesel::result::Error::QueryBuilderError("a statement has more places than values".into()));
                };
                value.walk_ast(out.reborrow())?;
            }
            out.push_sql(text);
        }
        if values.next().is_some() {
            return Err(diesel::result::Error::QueryBuilderError("a statement has more values than places".into()));
        }
        Ok(())
    }
}

impl QueryId for Kept<'_> {
    type QueryId = ();
    /// So that its text is what it is found by.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Kept<'_> {
    type SqlType = Untyped;
}

impl<C> RunQueryDsl<C> for Kept<'_> {}
