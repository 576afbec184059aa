//! Locks of a connection, replaced as a whole.

use async_trait::async_trait;
use chrono::NaiveDateTime;
use diesel::{
    MysqlConnection,
    prelude::*,
    sql_types::{BigInt, Datetime, Nullable, Text, Unsigned},
};
use serde_json::json;

use super::{
    Store,
    audit::record,
    convert::{self, cut, text, utc},
    schema::tradesync_locks,
    transaction::{Problem, look, transact},
    versions,
};
use crate::{
    db::kept,
    engine::locks::{Lock, LockSet, Locks},
    fault::Fault,
};

const DOCUMENT: &str = "locks";

#[derive(Queryable, Selectable)]
#[diesel(table_name = tradesync_locks)]
struct Row {
    source_key: Option<String>,
    target_key: Option<String>,
    fields: String,
    note: String,
    set_by: String,
    set_at: NaiveDateTime,
}

impl Row {
    fn model(self) -> Result<Lock, Fault> {
        Ok(Lock {
            source: self.source_key,
            target: self.target_key,
            fields: convert::json("fields", &self.fields)?,
            note: self.note,
            set_by: self.set_by,
            set_at: utc(self.set_at),
        })
    }
}

/// One lock beside the version of the whole, if that was ever replaced; a row without a lock where there is none.
#[derive(QueryableByName)]
struct SetRow {
    #[diesel(sql_type = Nullable<Unsigned<BigInt>>)]
    version: Option<u64>,
    #[diesel(sql_type = Nullable<Text>)]
    source_key: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    target_key: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    fields: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    note: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    set_by: Option<String>,
    #[diesel(sql_type = Nullable<Datetime>)]
    set_at: Option<NaiveDateTime>,
}

impl SetRow {
    fn lock(self) -> Option<Row> {
        let Self { source_key, target_key, .. } = self;
        Some(Row { source_key, target_key, fields: self.fields?, note: self.note?, set_by: self.set_by?, set_at: self.set_at? })
    }
}

#[derive(Insertable)]
#[diesel(table_name = tradesync_locks)]
struct NewRow<'a> {
    connection_id: &'a str,
    source_key: Option<&'a str>,
    target_key: Option<&'a str>,
    fields: String,
    note: &'a str,
    set_by: String,
    set_at: NaiveDateTime,
}

fn standing(connection: &mut MysqlConnection, id: &str) -> Result<Vec<Lock>, Problem> {
    use tradesync_locks::dsl as l;
    let found: Vec<Row> =
        l::tradesync_locks.filter(l::connection_id.eq(id)).order(l::id.asc()).select(Row::as_select()).load(connection)?;
    Ok(found.into_iter().map(Row::model).collect::<Result<_, _>>()?)
}

fn replace(connection: &mut MysqlConnection, id: &str, locks: &[Lock], expected: Option<u64>) -> Result<LockSet, Problem> {
    use tradesync_locks::dsl as l;
    let version = versions::lock(connection, id, DOCUMENT)?;
    let before = standing(connection, id)?;
    // A lock that stood already keeps who set it and when.
    let rows: Vec<Lock> =
        locks.iter().map(|lock| before.iter().find(|known| known.subject() == lock.subject()).unwrap_or(lock).clone()).collect();
    if rows == before {
        return Ok(LockSet { version, rows });
    }
    let version = versions::step(connection, id, DOCUMENT, version, expected)?;
    diesel::delete(l::tradesync_locks.filter(l::connection_id.eq(id))).execute(connection)?;
    for lock in &rows {
        let row = NewRow {
            connection_id: id,
            source_key: lock.source.as_deref(),
            target_key: lock.target.as_deref(),
            fields: text(&lock.fields)?,
            note: &lock.note,
            set_by: cut(&lock.set_by, 255),
            set_at: lock.set_at.naive_utc(),
        };
        diesel::insert_into(l::tradesync_locks).values(&row).execute(connection)?;
    }
    // The audit tells what has changed, not locks that stayed.
    let told = |these: &[Lock], others: &[Lock]| {
        let changed = these.iter().filter(|lock| !others.contains(lock));
        let one = |lock: &Lock| json!({"source": lock.source, "target": lock.target, "fields": lock.fields, "note": lock.note});
        json!({"items": changed.map(one).collect::<Vec<_>>()})
    };
    record(connection, Some(told(&before, &rows)), Some(told(&rows, &before)))?;
    Ok(LockSet { version, rows })
}

#[async_trait]
impl Locks for Store {
    async fn locks(&self, connection: &str) -> Result<LockSet, Fault> {
        let id = connection.to_owned();
        self.pool
            .call(move |connection| {
                look(connection, |connection| {
                    let found: Vec<SetRow> = kept(
                        "SELECT v.version, l.source_key, l.target_key, l.fields, l.note, l.set_by, l.set_at FROM (SELECT 1) one \
                         LEFT JOIN tradesync_versions v ON v.connection_id = ? AND v.document = ? LEFT JOIN tradesync_locks l ON l.connection_id = ? ORDER BY l.id",
                    )
                    .bind::<Text, _>(&id)
                    .bind::<Text, _>(DOCUMENT)
                    .bind::<Text, _>(&id)
                    .load(connection)?;
                    let version = found.first().and_then(|row| row.version).unwrap_or(versions::FIRST);
                    let rows = found.into_iter().filter_map(SetRow::lock).map(Row::model).collect::<Result<_, _>>()?;
                    Ok(LockSet { version, rows })
                })
            })
            .await
    }

    async fn replace_locks(&self, connection: &str, locks: Vec<Lock>, expected: Option<u64>) -> Result<LockSet, Fault> {
        let id = connection.to_owned();
        self.pool.call(move |connection| transact(connection, |connection| replace(connection, &id, &locks, expected))).await
    }
}
