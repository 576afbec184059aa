//! Locks of a connection, replaced as a whole.

use async_trait::async_trait;
use chrono::NaiveDateTime;
use diesel::{MysqlConnection, prelude::*};
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
    found
        .into_iter()
        .map(|row| {
            Ok(Lock {
                source: row.source_key,
                target: row.target_key,
                fields: convert::json("fields", &row.fields)?,
                note: row.note,
                set_by: row.set_by,
                set_at: utc(row.set_at),
            })
        })
        .collect()
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
                    let version = versions::of(connection, &id, DOCUMENT)?;
                    Ok(LockSet { version, rows: standing(connection, &id)? })
                })
            })
            .await
    }

    async fn replace_locks(&self, connection: &str, locks: Vec<Lock>, expected: Option<u64>) -> Result<LockSet, Fault> {
        let id = connection.to_owned();
        self.pool.call(move |connection| transact(connection, |connection| replace(connection, &id, &locks, expected))).await
    }
}
