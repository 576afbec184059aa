//! What people mapped, and the source's tree of groups.

use async_trait::async_trait;
use chrono::NaiveDateTime;
use diesel::{
    MysqlConnection,
    mysql::Mysql,
    prelude::*,
    sql_query,
    sql_types::{Datetime, Text},
};
use serde_json::json;

use super::{
    Store,
    audit::record,
    convert::{self, batches, rows, text, utc},
    fault,
    schema::{tradesync_group_trees, tradesync_mappings},
    transaction::{Problem, look, transact},
    versions,
};
use crate::{
    domain::clock,
    engine::mapping::{Group, Mapping, MappingSet, MappingStore, Tree},
    fault::Fault,
};

fn document(kind: &str) -> String {
    format!("mappings:{kind}")
}

/// By source.
fn standing(connection: &mut MysqlConnection, id: &str, kind: &str) -> Result<Vec<Mapping>, Problem> {
    use tradesync_mappings::dsl as m;
    let found: Vec<(String, String, String)> = m::tradesync_mappings
        .filter(m::connection_id.eq(id))
        .filter(m::kind.eq(kind))
        .order(m::source_key.asc())
        .select((m::source_key, m::source_name, m::target_key))
        .load(connection)?;
    Ok(found.into_iter().map(|(source, source_name, target)| Mapping { source, source_name, target }).collect())
}

fn insert(connection: &mut MysqlConnection, id: &str, kind: &str, mappings: &[Mapping]) -> Result<(), Problem> {
    for batch in batches(mappings, 500, |mapping| mapping.source_name.len()) {
        let statement = format!(
            "INSERT INTO tradesync_mappings (connection_id, kind, source_key, source_name, target_key) VALUES {}",
            rows(batch.len(), 5)
        );
        let mut query = sql_query(statement).into_boxed::<Mysql>();
        for mapping in batch {
            query = query
                .bind::<Text, _>(id)
                .bind::<Text, _>(kind)
                .bind::<Text, _>(&mapping.source)
                .bind::<Text, _>(&mapping.source_name)
                .bind::<Text, _>(&mapping.target);
        }
        query.execute(connection)?;
    }
    Ok(())
}

#[async_trait]
impl MappingStore for Store {
    async fn mappings(&self, connection: &str, kind: &str) -> Result<MappingSet, Fault> {
        let (id, kind) = (connection.to_owned(), kind.to_owned());
        self.pool
            .call(move |connection| {
                look(connection, |connection| {
                    // The version first: a set that is replaced in between then has the older tag, and a change on it is refused.
                    let version = versions::of(connection, &id, &document(&kind))?;
                    Ok(MappingSet { version, rows: standing(connection, &id, &kind)? })
                })
            })
            .await
    }

    async fn replace_mappings(
        &self,
        connection: &str,
        kind: &str,
        mut rows: Vec<Mapping>,
        expected: Option<u64>,
    ) -> Result<MappingSet, Fault> {
        use tradesync_mappings::dsl as m;
        let (id, kind) = (connection.to_owned(), kind.to_owned());
        rows.sort_by(|one, other| one.source.cmp(&other.source));
        self.pool
            .call(move |connection| {
                transact(connection, |connection| {
                    let document = document(&kind);
                    let version = versions::lock(connection, &id, &document)?;
                    let stands = standing(connection, &id, &kind)?;
                    // What goes where makes the version; names only help people.
                    let same = stands.len() == rows.len()
                        && stands.iter().zip(&rows).all(|(one, other)| (&one.source, &one.target) == (&other.source, &other.target));
                    if stands == rows {
                        return Ok(MappingSet { version, rows: stands });
                    }
                    let version = if same { version } else { versions::step(connection, &id, &document, version, expected)? };
                    diesel::delete(m::tradesync_mappings.filter(m::connection_id.eq(&id)).filter(m::kind.eq(&kind))).execute(connection)?;
                    insert(connection, &id, &kind, &rows)?;
                    // The audit tells what has changed, not thousands of rows that stayed.
                    let told = |these: &[Mapping], others: &[Mapping]| {
                        let changed = these.iter().filter(|row| !others.contains(row));
                        json!({"items": changed.map(|row| json!({"source": row.source, "target": row.target})).collect::<Vec<_>>()})
                    };
                    record(connection, Some(told(&stands, &rows)), Some(told(&rows, &stands)))?;
                    Ok(MappingSet { version, rows: rows.clone() })
                })
            })
            .await
    }

    async fn tree(&self, connection: &str, kind: &str) -> Result<Option<Tree>, Fault> {
        use tradesync_group_trees::dsl as t;
        let (id, kind) = (connection.to_owned(), kind.to_owned());
        self.pool
            .call(move |connection| {
                let found: Option<(String, NaiveDateTime)> = t::tradesync_group_trees
                    .find((&id, &kind))
                    .select((t::groups, t::read_at))
                    .first(connection)
                    .optional()
                    .map_err(fault)?;
                found.map(|(groups, read_at)| Ok(Tree { groups: convert::json("groups", &groups)?, read_at: utc(read_at) })).transpose()
            })
            .await
    }

    async fn keep_tree(&self, connection: &str, kind: &str, groups: Vec<Group>) -> Result<(), Fault> {
        let (id, kind, groups) = (connection.to_owned(), kind.to_owned(), text(&groups)?);
        self.pool
            .call(move |connection| {
                sql_query(
                    "INSERT INTO tradesync_group_trees (connection_id, kind, `groups`, read_at) VALUES (?, ?, ?, ?) \
                     ON DUPLICATE KEY UPDATE `groups` = VALUES(`groups`), read_at = VALUES(read_at)",
                )
                .bind::<Text, _>(&id)
                .bind::<Text, _>(&kind)
                .bind::<Text, _>(&groups)
                .bind::<Datetime, _>(clock::now().naive_utc())
                .execute(connection)
                .map(drop)
                .map_err(fault)
            })
            .await
    }
}
