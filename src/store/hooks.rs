//! Hooks: what remotes have told us, and what became of it.

use async_trait::async_trait;
use chrono::NaiveDateTime;
use diesel::{
    MysqlConnection,
    mysql::Mysql,
    prelude::*,
    sql_query,
    sql_types::{BigInt, Nullable, Text, Unsigned},
};

use super::{
    Store,
    convert::{json, places, utc},
    fault,
    leases::micros,
    schema::{tradesync_hooks, tradesync_records},
    transaction::{Problem, transact},
};
use crate::{
    domain::clock,
    engine::hooks::{DueStream, End, Hook, Hooks, LONGEST_OPEN, MOST_OPEN, NewHook, PastHook},
    fault::{Code, Fault},
};

#[derive(Queryable)]
struct Row {
    id: u64,
    item: Option<String>,
    target: Option<String>,
    ask: String,
    received_at: NaiveDateTime,
}

impl Row {
    fn model(self) -> Result<Hook, Fault> {
        Ok(Hook { id: self.id, item: self.item, target: self.target, ask: json("ask", &self.ask)?, received_at: utc(self.received_at) })
    }
}

#[derive(QueryableByName)]
struct DueRow {
    #[diesel(sql_type = Text)]
    flow: String,
    #[diesel(sql_type = Text)]
    connection_id: String,
    #[diesel(sql_type = Text)]
    stream: String,
    #[diesel(sql_type = Nullable<Text>)]
    owner: Option<String>,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

fn models(rows: Vec<Row>) -> Result<Vec<Hook>, Fault> {
    rows.into_iter().map(Row::model).collect()
}

/// Open hooks whose item is known, oldest first.
fn open(connection: &mut MysqlConnection, id: &str, stream: &str) -> Result<Vec<Row>, Problem> {
    use tradesync_hooks::dsl as h;
    Ok(h::tradesync_hooks
        .filter(h::connection_id.eq(id))
        .filter(h::stream.eq(stream))
        .filter(h::settled_at.is_null())
        .filter(h::source_key.is_not_null())
        .order(h::id.asc())
        .limit(i64::from(MOST_OPEN))
        .select((h::id, h::source_key, h::target_key, h::ask, h::received_at))
        .load(connection)?)
}

fn settle(connection: &mut MysqlConnection, id: &str, hooks: &[u64], run: Option<&str>, end: End) -> Result<(), Problem> {
    for hooks in hooks.chunks(500) {
        let statement = format!(
            "UPDATE tradesync_hooks SET settled_at = UTC_TIMESTAMP(6), outcome = ?, run_id = ?, fresh = 0 \
             WHERE connection_id = ? AND settled_at IS NULL AND id IN ({})",
            places(hooks.len())
        );
        let mut query =
            sql_query(statement).into_boxed::<Mysql>().bind::<Text, _>(end.word()).bind::<Nullable<Text>, _>(run).bind::<Text, _>(id);
        for hook in hooks {
            query = query.bind::<Unsigned<BigInt>, _>(*hook);
        }
        query.execute(connection)?;
    }
    Ok(())
}

#[async_trait]
impl Hooks for Store {
    async fn receive(&self, hook: NewHook) -> Result<u64, Fault> {
        use tradesync_hooks::dsl as h;
        let ask = serde_json::to_string(&hook.heard.ask).map_err(|error| Fault::internal("a hook cannot be written").caused_by(error))?;
        let id = self
            .pool
            .call(move |connection| {
                transact(connection, |connection| {
                    let waiting: Count = sql_query(
                        "SELECT COUNT(*) AS count FROM (SELECT 1 FROM tradesync_hooks WHERE connection_id = ? AND stream = ? AND settled_at IS NULL LIMIT ?) AS some",
                    )
                    .bind::<Text, _>(&hook.connection)
                    .bind::<Text, _>(&hook.stream)
                    .bind::<BigInt, _>(i64::from(MOST_OPEN))
                    .get_result(connection)?;
                    if waiting.count >= i64::from(MOST_OPEN) {
                        let full = format!("{MOST_OPEN} hooks of this connection wait to be dealt with");
                        return Err(Fault::new(Code::HookQueueFull, full).until(clock::now() + chrono::Duration::seconds(60)).into());
                    }
                    diesel::insert_into(h::tradesync_hooks)
                        .values((
                            h::connection_id.eq(&hook.connection),
                            h::stream.eq(&hook.stream),
                            h::source_key.eq(&hook.heard.item),
                            h::target_key.eq(&hook.heard.target),
                            h::ask.eq(&ask),
                            h::received_at.eq(clock::now().naive_utc()),
                        ))
                        .execute(connection)?;
                    let id: u64 = diesel::select(diesel::dsl::sql::<Unsigned<BigInt>>("LAST_INSERT_ID()")).get_result(connection)?;
                    Ok(id)
                })
            })
            .await?;
        self.bell.hooks.notify_one();
        Ok(id)
    }

    async fn due(&self) -> Result<Vec<DueStream>, Fault> {
        self.pool
            .call(move |connection| {
                // Told in which order to go: left to itself the server looks through all connections first.
                let rows: Vec<DueRow> = sql_query(
                    "SELECT STRAIGHT_JOIN c.flow, h.connection_id, h.stream, c.owner FROM (SELECT DISTINCT connection_id, stream FROM tradesync_hooks WHERE fresh = 1) h \
                     JOIN tradesync_connections c ON c.id = h.connection_id AND c.enabled = 1 AND c.deleted_at IS NULL \
                     JOIN tradesync_streams s ON s.connection_id = h.connection_id AND s.stream = h.stream AND s.enabled = 1 \
                     WHERE NOT EXISTS (SELECT 1 FROM tradesync_runs r WHERE r.connection_id = h.connection_id AND r.live_stream = h.stream)",
                )
                .load(connection)
                .map_err(fault)?;
                let due = |row: DueRow| DueStream { flow: row.flow, connection: row.connection_id, stream: row.stream, owner: row.owner };
                Ok(rows.into_iter().map(due).collect())
            })
            .await
    }

    async fn place_by_links(&self, connection: &str, stream: &str, space: &str) -> Result<(), Fault> {
        let (id, stream, space) = (connection.to_owned(), stream.to_owned(), space.to_owned());
        self.pool
            .call(move |connection| {
                sql_query(
                    "UPDATE tradesync_hooks h JOIN tradesync_links l ON l.space = ? AND l.target_key = h.target_key AND l.state = 'linked' \
                     SET h.source_key = l.source_key WHERE h.connection_id = ? AND h.stream = ? AND h.settled_at IS NULL AND h.source_key IS NULL",
                )
                .bind::<Text, _>(&space)
                .bind::<Text, _>(&id)
                .bind::<Text, _>(&stream)
                .execute(connection)
                .map(drop)
                .map_err(fault)
            })
            .await
    }

    async fn unplaced(&self, connection: &str, stream: &str, limit: u32) -> Result<Vec<Hook>, Fault> {
        use tradesync_hooks::dsl as h;
        let (id, stream) = (connection.to_owned(), stream.to_owned());
        self.pool
            .call(move |connection| {
                let rows: Vec<Row> = h::tradesync_hooks
                    .filter(h::connection_id.eq(&id))
                    .filter(h::stream.eq(&stream))
                    .filter(h::settled_at.is_null())
                    .filter(h::source_key.is_null())
                    .order(h::id.asc())
                    .limit(i64::from(limit))
                    .select((h::id, h::source_key, h::target_key, h::ask, h::received_at))
                    .load(connection)
                    .map_err(fault)?;
                let seen: Vec<u64> = rows.iter().map(|row| row.id).collect();
                diesel::update(h::tradesync_hooks.filter(h::id.eq_any(seen))).set(h::fresh.eq(false)).execute(connection).map_err(fault)?;
                models(rows)
            })
            .await
    }

    async fn place(&self, connection: &str, items: Vec<(u64, String)>) -> Result<(), Fault> {
        use tradesync_hooks::dsl as h;
        let id = connection.to_owned();
        self.pool
            .call(move |connection| {
                transact(connection, |connection| {
                    for (hook, item) in &items {
                        let open = h::tradesync_hooks.find(hook).filter(h::connection_id.eq(&id)).filter(h::settled_at.is_null());
                        diesel::update(open).set(h::source_key.eq(Some(item))).execute(connection)?;
                    }
                    Ok(())
                })
            })
            .await
    }

    async fn unrecorded(&self, connection: &str, stream: &str, limit: u32) -> Result<Vec<String>, Fault> {
        use tradesync_hooks::dsl as h;
        use tradesync_records::dsl as r;
        let (id, stream) = (connection.to_owned(), stream.to_owned());
        self.pool
            .call(move |connection| {
                let recorded =
                    r::tradesync_records.filter(r::connection_id.eq(h::connection_id)).filter(h::source_key.eq(r::source_key.nullable()));
                let items: Vec<Option<String>> = h::tradesync_hooks
                    .filter(h::connection_id.eq(&id))
                    .filter(h::stream.eq(&stream))
                    .filter(h::settled_at.is_null())
                    .filter(h::source_key.is_not_null())
                    .filter(diesel::dsl::not(diesel::dsl::exists(recorded)))
                    .select(h::source_key)
                    .distinct()
                    .limit(i64::from(limit))
                    .load(connection)
                    .map_err(fault)?;
                Ok(items.into_iter().flatten().collect())
            })
            .await
    }

    async fn take(&self, connection: &str, stream: &str) -> Result<Vec<Hook>, Fault> {
        use tradesync_hooks::dsl as h;
        let (id, stream) = (connection.to_owned(), stream.to_owned());
        self.pool
            .call(move |connection| {
                let rows = transact(connection, |connection| {
                    sql_query(
                        "UPDATE tradesync_hooks SET settled_at = UTC_TIMESTAMP(6), outcome = ?, fresh = 0 WHERE connection_id = ? AND stream = ? \
                         AND settled_at IS NULL AND received_at < UTC_TIMESTAMP(6) - INTERVAL ? MICROSECOND",
                    )
                    .bind::<Text, _>(End::Expired.word())
                    .bind::<Text, _>(&id)
                    .bind::<Text, _>(&stream)
                    .bind::<BigInt, _>(micros(LONGEST_OPEN))
                    .execute(connection)?;
                    let rows = open(connection, &id, &stream)?;
                    let seen: Vec<u64> = rows.iter().map(|row| row.id).collect();
                    for seen in seen.chunks(500) {
                        diesel::update(h::tradesync_hooks.filter(h::id.eq_any(seen))).set(h::fresh.eq(false)).execute(connection)?;
                    }
                    Ok(rows)
                })?;
                models(rows)
            })
            .await
    }

    async fn open(&self, connection: &str, stream: &str) -> Result<Vec<Hook>, Fault> {
        let (id, stream) = (connection.to_owned(), stream.to_owned());
        self.pool.call(move |connection| models(transact(connection, |connection| open(connection, &id, &stream))?)).await
    }

    async fn settle(&self, connection: &str, hooks: &[u64], run: Option<&str>, end: End) -> Result<(), Fault> {
        if hooks.is_empty() {
            return Ok(());
        }
        let (id, hooks, run) = (connection.to_owned(), hooks.to_vec(), run.map(str::to_owned));
        self.pool.call(move |connection| transact(connection, |connection| settle(connection, &id, &hooks, run.as_deref(), end))).await
    }

    async fn of_item(&self, connection: &str, item: &str, limit: u32) -> Result<Vec<PastHook>, Fault> {
        use tradesync_hooks::dsl as h;
        let (id, item) = (connection.to_owned(), item.to_owned());
        self.pool
            .call(move |connection| {
                let rows: Vec<(Row, Option<NaiveDateTime>, Option<String>, Option<String>)> = h::tradesync_hooks
                    .filter(h::connection_id.eq(&id))
                    .filter(h::source_key.eq(&item))
                    .order(h::id.desc())
                    .limit(i64::from(limit))
                    .select(((h::id, h::source_key, h::target_key, h::ask, h::received_at), h::settled_at, h::outcome, h::run_id))
                    .load(connection)
                    .map_err(fault)?;
                rows.into_iter()
                    .map(|(row, settled_at, outcome, run)| {
                        Ok(PastHook { hook: row.model()?, settled_at: settled_at.map(utc), outcome, run })
                    })
                    .collect()
            })
            .await
    }
}

/// Takes away hooks of a connection that were dealt with long ago.
pub(super) fn prune(connection: &mut MysqlConnection, id: &str, age_us: i64, rows: u32) -> Result<usize, Fault> {
    sql_query(format!(
        "DELETE FROM tradesync_hooks WHERE connection_id = ? AND settled_at < UTC_TIMESTAMP(6) - INTERVAL ? MICROSECOND LIMIT {rows}"
    ))
    .bind::<Text, _>(id)
    .bind::<BigInt, _>(age_us)
    .execute(connection)
    .map_err(fault)
}
