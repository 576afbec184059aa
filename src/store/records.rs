//! Last seen state of source items, and the reads that saw them.

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::{
    MysqlConnection,
    mysql::Mysql,
    prelude::*,
    sql_types::{BigInt, Bool, Datetime, Nullable, Text},
};
use sha2::{Digest, Sha256};

use super::{
    Store,
    convert::{batches, cut, json, places, rows, text, utc},
    fault,
    leases::micros,
    runs_queue,
    schema::{tradesync_links, tradesync_records},
    transaction::{Problem, repeated, transact},
};
use crate::{
    db::{kept, kept_if_few},
    engine::{
        model::{NAMELESS, Record},
        ports::{GoneRecord, LastSeen, PastRead, ReadOf, Records, Stored, StoredRecord},
    },
    fault::Fault,
};

/// Most rows in one statement: enough that round trips do not count. Long texts cut it shorter.
const BATCH: usize = 500;

fn hash(record: &Record) -> String {
    let mut digest = Sha256::new();
    digest.update(record.name.as_bytes());
    digest.update([0]);
    digest.update(record.payload.as_bytes());
    digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[derive(QueryableByName)]
struct Known {
    #[diesel(sql_type = Text)]
    source_key: String,
    #[diesel(sql_type = Text)]
    hash: String,
    #[diesel(sql_type = Nullable<Datetime>)]
    source_changed_at: Option<NaiveDateTime>,
}

fn known(connection: &mut MysqlConnection, id: &str, keys: &[&str]) -> Result<HashMap<String, Known>, Problem> {
    let statement = format!(
        "SELECT source_key, hash, source_changed_at FROM tradesync_records WHERE connection_id = ? AND source_key IN ({})",
        places(keys.len())
    );
    let mut query = kept_if_few(keys.len(), statement).bind::<Text, _>(id);
    for key in keys {
        query = query.bind::<Text, _>(*key);
    }
    let found: Vec<Known> = query.load(connection)?;
    Ok(found.into_iter().map(|known| (known.source_key.clone(), known)).collect())
}

/// A read and the run that does it.
struct Reading {
    read: String,
    run: String,
    seen_at: NaiveDateTime,
}

/// A read that another stream of the connection may have done.
#[derive(QueryableByName)]
struct Usable {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Nullable<Datetime>)]
    since: Option<NaiveDateTime>,
    #[diesel(sql_type = Text)]
    summary: String,
    #[diesel(sql_type = Bool)]
    used: bool,
}

fn store(connection: &mut MysqlConnection, id: &str, reading: &Reading, page: &[Record]) -> Result<Stored, Problem> {
    let Reading { read, run, seen_at } = reading;
    let mut told = Stored::default();
    for batch in page.chunks(BATCH) {
        let keys: Vec<&str> = batch.iter().map(|record| record.key.as_str()).collect();
        let held = known(connection, id, &keys)?;
        let mut same: Vec<&str> = Vec::new();
        let mut fresh: Vec<(&Record, String)> = Vec::new();
        for record in batch {
            let hash = hash(record);
            match held.get(&record.key) {
                Some(known) if known.hash == hash => same.push(&record.key),
                before => {
                    told.changed += 1;
                    let moved = record.source_changed_at.map(|time| time.naive_utc());
                    told.silent +=
                        u64::from(before.is_some_and(|known| known.source_changed_at.is_some() && known.source_changed_at == moved));
                    fresh.push((record, hash));
                }
            }
        }
        if !same.is_empty() {
            let statement = format!(
                "UPDATE tradesync_records SET seen_at = ?, read_id = ?, run_id = ?, gone_at = NULL WHERE connection_id = ? AND source_key IN ({})",
                places(same.len())
            );
            let mut query = kept_if_few(same.len(), statement)
                .bind::<Datetime, _>(*seen_at)
                .bind::<Text, _>(read)
                .bind::<Text, _>(run)
                .bind::<Text, _>(id);
            for key in same {
                query = query.bind::<Text, _>(key);
            }
            query.execute(connection)?;
        }
        for fresh in batches(&fresh, BATCH, |(record, _)| record.name.len() + record.payload.len()) {
            let statement = format!(
                "INSERT INTO tradesync_records (connection_id, source_key, name, payload, hash, source_changed_at, seen_at, read_id, run_id) VALUES {} \
                 ON DUPLICATE KEY UPDATE name = VALUES(name), payload = VALUES(payload), hash = VALUES(hash), source_changed_at = VALUES(source_changed_at), \
                 seen_at = VALUES(seen_at), read_id = VALUES(read_id), run_id = VALUES(run_id), gone_at = NULL",
                rows(fresh.len(), 9)
            );
            let mut query = kept_if_few(fresh.len(), statement);
            for (record, hash) in fresh {
                query = query
                    .bind::<Text, _>(id)
                    .bind::<Text, _>(&record.key)
                    .bind::<Text, _>(cut(&record.name, 255))
                    .bind::<Text, _>(&record.payload)
                    .bind::<Text, _>(hash)
                    .bind::<Nullable<Datetime>, _>(record.source_changed_at.map(|time| time.naive_utc()))
                    .bind::<Datetime, _>(*seen_at)
                    .bind::<Text, _>(read)
                    .bind::<Text, _>(run);
            }
            query.execute(connection)?;
        }
    }
    Ok(told)
}

/// The statements of a short page are few, each good by itself and safe to repeat: a transaction around them would only cost.
fn page_in(connection: &mut MysqlConnection, id: &str, reading: &Reading, page: &[Record]) -> Result<Stored, Fault> {
    if page.len() <= BATCH {
        repeated(connection, |connection| store(connection, id, reading, page))
    } else {
        transact(connection, |connection| store(connection, id, reading, page))
    }
}

#[derive(Queryable)]
struct RecordRow {
    key: String,
    name: String,
    payload: String,
    source_changed_at: Option<NaiveDateTime>,
    seen_at: NaiveDateTime,
}

impl RecordRow {
    fn model(self) -> StoredRecord {
        StoredRecord {
            record: Record { key: self.key, name: self.name, payload: self.payload, source_changed_at: self.source_changed_at.map(utc) },
            seen_at: utc(self.seen_at),
        }
    }
}

#[derive(Queryable)]
struct GoneRow {
    record: RecordRow,
    since: Option<NaiveDateTime>,
    lasted_us: i64,
}

impl GoneRow {
    fn model(self) -> Option<GoneRecord> {
        let lasted = Duration::from_micros(u64::try_from(self.lasted_us).unwrap_or_default());
        Some(GoneRecord { stored: self.record.model(), since: utc(self.since?), lasted })
    }
}

/// The connection's records that are not taken as gone, in order of their key, from after a key on.
fn standing<'a>(id: &'a str, after: Option<&'a str>, limit: u32) -> tradesync_records::BoxedQuery<'a, Mysql> {
    use tradesync_records::dsl as r;
    let query = r::tradesync_records.filter(r::connection_id.eq(id)).filter(r::gone_at.is_null());
    let query = query.order(r::source_key.asc()).limit(i64::from(limit)).into_boxed();
    match after {
        Some(after) => query.filter(r::source_key.gt(after)),
        None => query,
    }
}

fn load(query: tradesync_records::BoxedQuery<'_, Mysql>, connection: &mut MysqlConnection) -> Result<Vec<StoredRecord>, Fault> {
    use tradesync_records::dsl as r;
    let found: Vec<RecordRow> =
        query.select((r::source_key, r::name, r::payload, r::source_changed_at, r::seen_at)).load(connection).map_err(fault)?;
    Ok(found.into_iter().map(RecordRow::model).collect())
}

#[async_trait]
impl Records for Store {
    async fn store(&self, connection: &str, read: &str, run: &str, seen_at: DateTime<Utc>, page: Vec<Record>) -> Result<Stored, Fault> {
        let id = connection.to_owned();
        let reading = Reading { read: read.to_owned(), run: run.to_owned(), seen_at: seen_at.naive_utc() };
        self.pool.call(move |connection| page_in(connection, &id, &reading, &page)).await
    }

    async fn last(&self, connection: &str, key: &str) -> Result<Option<LastSeen>, Fault> {
        use tradesync_records::dsl as r;
        let (id, key) = (connection.to_owned(), key.to_owned());
        self.pool
            .call(move |connection| {
                let found: Option<(RecordRow, Option<String>, Option<NaiveDateTime>)> = r::tradesync_records
                    .find((&id, &key))
                    .select(((r::source_key, r::name, r::payload, r::source_changed_at, r::seen_at), r::run_id, r::gone_at))
                    .first(connection)
                    .optional()
                    .map_err(fault)?;
                Ok(found.map(|(row, run, gone_at)| LastSeen { stored: row.model(), run, gone_at: gone_at.map(utc) }))
            })
            .await
    }

    async fn page(&self, connection: &str, after: Option<&str>, limit: u32) -> Result<Vec<StoredRecord>, Fault> {
        let (id, after) = (connection.to_owned(), after.map(str::to_owned));
        self.pool.call(move |connection| load(standing(&id, after.as_deref(), limit), connection)).await
    }

    async fn by_keys(&self, connection: &str, keys: &[String]) -> Result<Vec<StoredRecord>, Fault> {
        use tradesync_records::dsl as r;
        let (id, keys) = (connection.to_owned(), keys.to_vec());
        self.pool
            .call(move |connection| {
                let found: Vec<RecordRow> = r::tradesync_records
                    .filter(r::connection_id.eq(&id))
                    .filter(r::gone_at.is_null())
                    .filter(r::source_key.eq_any(&keys))
                    .select((r::source_key, r::name, r::payload, r::source_changed_at, r::seen_at))
                    .order(r::source_key.asc())
                    .load(connection)
                    .map_err(fault)?;
                Ok(found.into_iter().map(RecordRow::model).collect())
            })
            .await
    }

    async fn unlinked(&self, connection: &str, space: &str, after: Option<&str>, limit: u32) -> Result<Vec<StoredRecord>, Fault> {
        use tradesync_links::dsl as l;
        use tradesync_records::dsl as r;
        let (id, space, after) = (connection.to_owned(), space.to_owned(), after.map(str::to_owned));
        self.pool
            .call(move |connection| {
                let linked =
                    l::tradesync_links.filter(l::space.eq(&space)).filter(l::source_key.eq(r::source_key)).filter(l::state.eq("linked"));
                load(standing(&id, after.as_deref(), limit).filter(diesel::dsl::not(diesel::dsl::exists(linked))), connection)
            })
            .await
    }

    async fn gone(
        &self,
        connection: &str,
        space: &str,
        only: Option<&[String]>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<GoneRecord>, Fault> {
        use tradesync_links::dsl as l;
        use tradesync_records::dsl as r;
        let (id, space, after) = (connection.to_owned(), space.to_owned(), after.unwrap_or_default().to_owned());
        let only = only.map(<[String]>::to_vec);
        self.pool
            .call(move |connection| {
                let linked =
                    l::tradesync_links.filter(l::space.eq(&space)).filter(l::source_key.eq(r::source_key)).filter(l::state.eq("linked"));
                let lasted = diesel::dsl::sql::<BigInt>("CAST(TIMESTAMPDIFF(MICROSECOND, gone_at, UTC_TIMESTAMP(6)) AS SIGNED)");
                let mut query = r::tradesync_records
                    .filter(r::connection_id.eq(&id))
                    .filter(r::gone_at.is_not_null())
                    .filter(r::source_key.gt(&after))
                    .filter(diesel::dsl::exists(linked))
                    .select(((r::source_key, r::name, r::payload, r::source_changed_at, r::seen_at), r::gone_at, lasted))
                    .order(r::source_key.asc())
                    .limit(i64::from(limit))
                    .into_boxed();
                if let Some(only) = &only {
                    query = query.filter(r::source_key.eq_any(only));
                }
                let found: Vec<GoneRow> = query.load(connection).map_err(fault)?;
                Ok(found.into_iter().filter_map(GoneRow::model).collect())
            })
            .await
    }

    async fn count(&self, connection: &str, begin: &str) -> Result<u64, Fault> {
        use tradesync_records::dsl as r;
        let (id, begin) = (connection.to_owned(), begin.to_owned());
        self.pool
            .call(move |connection| {
                let count: i64 = r::tradesync_records
                    .filter(r::connection_id.eq(&id))
                    .filter(r::gone_at.is_null())
                    .filter(r::source_key.like(format!("{begin}%")))
                    .count()
                    .get_result(connection)
                    .map_err(fault)?;
                Ok(u64::try_from(count).unwrap_or_default())
            })
            .await
    }

    async fn mark_gone(&self, connection: &str, begin: &str, read: &str, run: &str, fence: u64) -> Result<u64, Fault> {
        use tradesync_records::dsl as r;
        let (id, begin, read, run) = (connection.to_owned(), begin.to_owned(), read.to_owned(), run.to_owned());
        self.pool
            .call(move |connection| {
                // Mostly all are there, and who only looks needs no transaction.
                let missing = r::tradesync_records
                    .filter(r::connection_id.eq(&id))
                    .filter(r::gone_at.is_null())
                    .filter(r::source_key.like(format!("{begin}%")))
                    .filter(r::read_id.ne(&read))
                    .select(r::source_key)
                    .first::<String>(connection)
                    .optional()
                    .map_err(fault)?;
                if missing.is_none() {
                    return Ok(0);
                }
                let gone = transact(connection, |connection| {
                    // Locked: a worker that woke up too late would mark what its successor has just read.
                    runs_queue::still_held(connection, &run, fence)?;
                    let marked = kept(
                        "UPDATE tradesync_records SET gone_at = UTC_TIMESTAMP(6) \
                         WHERE connection_id = ? AND gone_at IS NULL AND source_key LIKE ? AND read_id <> ?",
                    )
                    .bind::<Text, _>(&id)
                    .bind::<Text, _>(format!("{begin}%"))
                    .bind::<Text, _>(&read)
                    .execute(connection)?;
                    Ok(marked)
                })?;
                Ok(u64::try_from(gone).unwrap_or_default())
            })
            .await
    }

    async fn remember_read(&self, connection: &str, stream: &str, read: PastRead, of: ReadOf) -> Result<(), Fault> {
        use tradesync_records::dsl as r;
        let (id, stream) = (connection.to_owned(), stream.to_owned());
        self.pool
            .call(move |connection| {
                let summary = text(&read.summary)?;
                transact(connection, |connection| {
                    runs_queue::read_done(connection, &of, &summary)?;
                    let nameless = r::tradesync_records.filter(r::connection_id.eq(&id)).filter(r::source_key.like(format!("{NAMELESS}%")));
                    diesel::delete(nameless.filter(r::read_id.ne(&read.id))).execute(connection)?;
                    // Only the youngest read can serve anybody, and whole ones tell the source's usual size: the old ones are
                    // taken away in the background.
                    kept("INSERT INTO tradesync_reads (id, connection_id, since, summary, finished_at) VALUES (?, ?, ?, ?, UTC_TIMESTAMP(6)) ON DUPLICATE KEY UPDATE summary = VALUES(summary)")
                        .bind::<Text, _>(&read.id)
                        .bind::<Text, _>(&id)
                        .bind::<Nullable<Datetime>, _>(read.since.map(|time| time.naive_utc()))
                        .bind::<Text, _>(&summary)
                        .execute(connection)?;
                    kept("INSERT IGNORE INTO tradesync_read_uses (read_id, stream) VALUES (?, ?)").bind::<Text, _>(&read.id).bind::<Text, _>(&stream).execute(connection)?;
                    Ok(())
                })
            })
            .await
    }

    async fn use_read(&self, read: &str, stream: &str) -> Result<(), Fault> {
        let (read, stream) = (read.to_owned(), stream.to_owned());
        self.pool
            .call(move |connection| {
                kept("INSERT IGNORE INTO tradesync_read_uses (read_id, stream) VALUES (?, ?)")
                    .bind::<Text, _>(&read)
                    .bind::<Text, _>(&stream)
                    .execute(connection)
                    .map(drop)
                    .map_err(fault)
            })
            .await
    }

    async fn usable_read(
        &self,
        connection: &str,
        stream: &str,
        since: Option<DateTime<Utc>>,
        within: Duration,
    ) -> Result<Option<PastRead>, Fault> {
        let (id, stream) = (connection.to_owned(), stream.to_owned());
        self.pool
            .call(move |connection| {
                let found: Vec<Usable> = kept(
                    "SELECT r.id, r.since, r.summary, EXISTS (SELECT 1 FROM tradesync_read_uses u WHERE u.read_id = r.id AND u.stream = ?) AS used \
                     FROM tradesync_reads r WHERE r.connection_id = ? AND r.finished_at >= UTC_TIMESTAMP(6) - INTERVAL ? MICROSECOND \
                     ORDER BY r.finished_at DESC LIMIT 20",
                )
                .bind::<Text, _>(&stream)
                .bind::<Text, _>(&id)
                .bind::<BigInt, _>(micros(within))
                .load(connection)
                .map_err(fault)?;
                for Usable { id, since: read_since, summary, used } in found {
                    // What is older than the last read of this stream would tell it the past.
                    if used {
                        return Ok(None);
                    }
                    let covers = match (read_since, since) {
                        (None, _) => true,
                        (Some(_), None) => false,
                        (Some(read), Some(wanted)) => read <= wanted.naive_utc(),
                    };
                    let read = PastRead { id, since: read_since.map(utc), summary: json("summary", &summary)? };
                    if covers && read.summary.whole {
                        return Ok(Some(read));
                    }
                }
                Ok(None)
            })
            .await
    }
}
