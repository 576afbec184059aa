//! The retry list: failed items over all runs, behind [`crate::engine::retry_list`].

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;
use chrono::NaiveDateTime;
use diesel::{
    MysqlConnection,
    mysql::Mysql,
    prelude::*,
    sql_query,
    sql_types::{BigInt, Bool, Datetime, Double, Integer, Text, Unsigned},
};

use super::{
    Store,
    audit::record,
    convert::{batches, cut, from_word, id_cursor, json, listing, places, utc, word},
    fault,
    leases::micros,
    schema::{tradesync_changes, tradesync_connections, tradesync_retries},
    transaction::{Problem, act_once, look, transact},
};
use crate::{
    db::kept,
    domain::{clock, ids},
    engine::{
        audit::of_retry_item,
        model::Reason,
        ports::{Acted, Idempotency, Listing, PageRequest, RenderBox, Retries},
        retry_list::{FIRST_PAUSE, LONGEST_PAUSE, Listed, RetryFilter, RetryItem, class_of},
    },
    fault::{Code, Fault},
};

/// Failed rows that are carried over together.
const BATCH: usize = 500;

#[derive(QueryableByName)]
struct ListedRow {
    #[diesel(sql_type = Text)]
    source_key: String,
    #[diesel(sql_type = Unsigned<Integer>)]
    attempts: u32,
    #[diesel(sql_type = Datetime)]
    next_at: NaiveDateTime,
    #[diesel(sql_type = Bool)]
    due: bool,
    #[diesel(sql_type = Bool)]
    by_rule: bool,
    #[diesel(sql_type = Bool)]
    same_source: bool,
    #[diesel(sql_type = Bool)]
    dismissed: bool,
}

/// Failures of pictures are left out: they have pauses of their own ([`crate::engine::pictures`]), and no price may wait for one.
fn between(connection: &mut MysqlConnection, id: &str, stream: &str, first: &str, last: &str) -> Result<HashMap<String, Listed>, Fault> {
    let found: Vec<ListedRow> = kept(
        "SELECT t.source_key, t.attempts, t.next_at, t.next_at <= UTC_TIMESTAMP(6) AS due, t.by_rule, \
         COALESCE(t.source_hash = r.hash, FALSE) AS same_source, t.dismissed_at IS NOT NULL AS dismissed \
         FROM tradesync_retries t LEFT JOIN tradesync_records r ON r.connection_id = t.connection_id AND r.source_key = t.source_key \
         WHERE t.connection_id = ? AND t.stream = ? AND t.source_key BETWEEN ? AND ? AND t.code NOT LIKE 'picture\\_%'",
    )
    .bind::<Text, _>(id)
    .bind::<Text, _>(stream)
    .bind::<Text, _>(first)
    .bind::<Text, _>(last)
    .load(connection)
    .map_err(fault)?;
    let listed = |row: ListedRow| {
        let listed = Listed {
            attempts: row.attempts,
            next_at: utc(row.next_at),
            due: row.due,
            by_rule: row.by_rule,
            same_source: row.same_source,
            dismissed: row.dismissed,
        };
        (row.source_key, listed)
    };
    Ok(found.into_iter().map(listed).collect())
}

/// Sets one column of these items, in steps that lock little.
fn for_sources(
    connection: &mut MysqlConnection,
    id: &str,
    stream: &str,
    sources: &[String],
    set: &str,
    run: Option<&str>,
) -> Result<(), Problem> {
    for batch in sources.chunks(BATCH) {
        let statement = format!(
            "UPDATE tradesync_retries SET {set} WHERE connection_id = ? AND stream = ? AND source_key IN ({})",
            places(batch.len())
        );
        let mut query = sql_query(statement).into_boxed::<Mysql>();
        if let Some(run) = run {
            query = query.bind::<Text, _>(run);
        }
        query = query.bind::<Text, _>(id).bind::<Text, _>(stream);
        for source in batch {
            query = query.bind::<Text, _>(source);
        }
        query.execute(connection)?;
    }
    Ok(())
}

/// A failed change: source, name, reason, what was to be done.
type FailedRow = (u64, String, String, String, String);

/// Microseconds, under the factor that compresses time.
fn microseconds(duration: Duration) -> f64 {
    clock::scaled(duration).as_secs_f64() * 1e6
}

/// Adds the failures of a run.
fn add_failed(connection: &mut MysqlConnection, id: &str, stream: &str, run: &str) -> Result<(), Problem> {
    use tradesync_changes::dsl as c;
    let mut after = 0u64;
    loop {
        let failed: Vec<FailedRow> = c::tradesync_changes
            .filter(c::run_id.eq(run))
            .filter(c::outcome.eq("failed"))
            .filter(c::id.gt(after))
            .order(c::id.asc())
            .limit(i64::try_from(BATCH).unwrap_or(i64::MAX))
            .select((c::id, c::source_key, c::name, c::reason, c::op))
            .load(connection)?;
        let Some((last, ..)) = failed.last() else { return Ok(()) };
        after = *last;
        for failed in batches(&failed, BATCH, |(_, _, name, reason, _)| name.len() + reason.len()) {
            add_some(connection, id, stream, run, failed)?;
        }
    }
}

fn add_some(connection: &mut MysqlConnection, id: &str, stream: &str, run: &str, failed: &[FailedRow]) -> Result<(), Problem> {
    let row = "(?,?,?,?,?,?,?,?,?,1,?,?,UTC_TIMESTAMP(6),UTC_TIMESTAMP(6),UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND,\
                   (SELECT hash FROM tradesync_records WHERE connection_id = ? AND source_key = ?))";
    // Left to right: the pause is that of the attempts just counted, and a repeated call finds last_run as it is to be.
    let statement = format!(
        "INSERT INTO tradesync_retries (id, connection_id, stream, source_key, name, reason, code, class, by_rule, attempts, first_run, last_run, first_at, last_at, next_at, source_hash) \
             VALUES {} ON DUPLICATE KEY UPDATE attempts = attempts + (last_run <> VALUES(last_run)), \
             next_at = IF(last_run <> VALUES(last_run), UTC_TIMESTAMP(6) + INTERVAL CAST(LEAST(?, ? * POW(2, LEAST(attempts, 17) - 1)) AS SIGNED) MICROSECOND, next_at), \
             last_at = IF(last_run <> VALUES(last_run), VALUES(last_at), last_at), name = VALUES(name), reason = VALUES(reason), code = VALUES(code), class = VALUES(class), \
             by_rule = VALUES(by_rule), source_hash = VALUES(source_hash), dismissed_at = NULL, last_run = VALUES(last_run)",
        vec![row; failed.len()].join(",")
    );
    let mut query = sql_query(statement).into_boxed::<Mysql>();
    for (_, source, name, reason, op) in failed {
        let told: Reason = json("reason", reason)?;
        query = query
            .bind::<Text, _>(ids::fresh())
            .bind::<Text, _>(id)
            .bind::<Text, _>(stream)
            .bind::<Text, _>(source)
            .bind::<Text, _>(name)
            .bind::<Text, _>(reason)
            .bind::<Text, _>(cut(&told.code, 64))
            .bind::<Text, _>(word(class_of(&told))?)
            .bind::<Bool, _>(op == "none")
            .bind::<Text, _>(run)
            .bind::<Text, _>(run)
            .bind::<BigInt, _>(micros(clock::scaled(FIRST_PAUSE)))
            .bind::<Text, _>(id)
            .bind::<Text, _>(source);
    }
    query.bind::<Double, _>(microseconds(LONGEST_PAUSE)).bind::<Double, _>(microseconds(FIRST_PAUSE)).execute(connection)?;
    Ok(())
}

fn settle(connection: &mut MysqlConnection, id: &str, stream: &str, run: &str, whole: bool) -> Result<(), Problem> {
    add_failed(connection, id, stream, run)?;
    let listed: Option<String> = tradesync_retries::table
        .filter(tradesync_retries::connection_id.eq(id))
        .filter(tradesync_retries::stream.eq(stream))
        .select(tradesync_retries::id)
        .first(connection)
        .optional()?;
    if listed.is_none() {
        return Ok(());
    }
    kept("DELETE FROM tradesync_retries WHERE connection_id = ? AND stream = ? AND tried_run = ? AND last_run <> ?")
        .bind::<Text, _>(id)
        .bind::<Text, _>(stream)
        .bind::<Text, _>(run)
        .bind::<Text, _>(run)
        .execute(connection)?;
    // Pictures pass when their wish does, whichever run took it up.
    kept(
        "DELETE FROM tradesync_retries WHERE connection_id = ? AND stream = ? AND code LIKE 'picture\\_%' AND source_key NOT IN \
         (SELECT w.source_key FROM tradesync_picture_wishes w JOIN tradesync_connections c ON c.link_space = w.space WHERE c.id = ? AND w.state = 'failed')",
    )
    .bind::<Text, _>(id)
    .bind::<Text, _>(stream)
    .bind::<Text, _>(id)
    .execute(connection)?;
    // An approved plan took nothing up when it was made, for it was to write nothing.
    kept(
        "DELETE t FROM tradesync_runs r STRAIGHT_JOIN tradesync_changes c ON c.run_id = r.id AND c.state = 'applied' \
         STRAIGHT_JOIN tradesync_retries t ON t.connection_id = r.connection_id AND t.stream = r.stream AND t.source_key = c.source_key \
         WHERE r.id = ? AND r.dry_run AND t.last_run <> r.id",
    )
    .bind::<Text, _>(run)
    .execute(connection)?;
    kept(
        "DELETE t FROM tradesync_retries t LEFT JOIN tradesync_records r ON r.connection_id = t.connection_id AND r.source_key = t.source_key \
         WHERE t.connection_id = ? AND t.stream = ? AND (r.source_key IS NULL OR (? AND r.gone_at IS NOT NULL AND t.last_run <> ?))",
    )
    .bind::<Text, _>(id)
    .bind::<Text, _>(stream)
    .bind::<Bool, _>(whole)
    .bind::<Text, _>(run)
    .execute(connection)?;
    Ok(())
}

#[derive(Queryable)]
struct ItemRow {
    id: String,
    flow: String,
    connection: String,
    stream: String,
    owner: Option<String>,
    source: String,
    name: String,
    reason: String,
    class: String,
    attempts: u32,
    first_at: NaiveDateTime,
    last_at: NaiveDateTime,
    next_at: NaiveDateTime,
    run: String,
    dismissed_at: Option<NaiveDateTime>,
}

impl ItemRow {
    fn model(self) -> Result<RetryItem, Fault> {
        Ok(RetryItem {
            reason: json("reason", &self.reason)?,
            class: from_word(&self.class)?,
            id: self.id,
            flow: self.flow,
            connection: self.connection,
            stream: self.stream,
            owner: self.owner,
            source: self.source,
            name: self.name,
            attempts: self.attempts,
            first_at: utc(self.first_at),
            last_at: utc(self.last_at),
            next_at: utc(self.next_at),
            run: self.run,
            dismissed_at: self.dismissed_at.map(utc),
        })
    }
}

/// Items of connections that are not deleted, as a query to be narrowed further.
macro_rules! standing {
    () => {{
        use tradesync_connections::dsl as k;
        use tradesync_retries::dsl as t;
        t::tradesync_retries
            .inner_join(k::tradesync_connections.on(k::id.eq(t::connection_id)))
            .filter(k::deleted_at.is_null())
            .select((
                t::id,
                k::flow,
                t::connection_id,
                t::stream,
                k::owner,
                t::source_key,
                t::name,
                t::reason,
                t::class,
                t::attempts,
                t::first_at,
                t::last_at,
                t::next_at,
                t::last_run,
                t::dismissed_at,
            ))
            .into_boxed()
    }};
}

fn find(connection: &mut MysqlConnection, id: &str) -> Result<Option<RetryItem>, Problem> {
    let row: Option<ItemRow> = standing!().filter(tradesync_retries::id.eq(id.to_owned())).first(connection).optional()?;
    Ok(row.map(ItemRow::model).transpose()?)
}

fn list(connection: &mut MysqlConnection, filter: RetryFilter, page: PageRequest) -> Result<Listing<RetryItem>, Fault> {
    use tradesync_connections::dsl as k;
    use tradesync_retries::dsl as t;
    let mut query = standing!().order(t::id.desc()).limit(i64::from(page.limit) + 1);
    if let Some(flows) = filter.flows {
        query = query.filter(k::flow.eq_any(flows));
    }
    if let Some(owner) = filter.owner {
        query = query.filter(k::owner.eq(owner));
    }
    if let Some(id) = filter.connection {
        query = query.filter(t::connection_id.eq(id));
    }
    if let Some(stream) = filter.stream {
        query = query.filter(t::stream.eq(stream));
    }
    if let Some(class) = filter.class {
        query = query.filter(t::class.eq(word(class)?));
    }
    if let Some(code) = filter.code {
        query = query.filter(t::code.eq(code));
    }
    query = if filter.dismissed { query.filter(t::dismissed_at.is_not_null()) } else { query.filter(t::dismissed_at.is_null()) };
    if let Some(cursor) = id_cursor(page.cursor)? {
        query = query.filter(t::id.lt(cursor));
    }
    let found: Vec<ItemRow> = query.load(connection).map_err(fault)?;
    let items = found.into_iter().map(ItemRow::model).collect::<Result<Vec<_>, _>>()?;
    Ok(listing(items, page.limit, |item| item.id.clone()))
}

#[derive(QueryableByName)]
struct Waiting {
    #[diesel(sql_type = BigInt)]
    waiting: i64,
}

#[async_trait]
impl Retries for Store {
    async fn between(&self, connection: &str, stream: &str, first: &str, last: &str) -> Result<HashMap<String, Listed>, Fault> {
        let (id, stream, first, last) = (connection.to_owned(), stream.to_owned(), first.to_owned(), last.to_owned());
        self.pool.call(move |connection| between(connection, &id, &stream, &first, &last)).await
    }

    async fn taken_up(&self, connection: &str, stream: &str, run: &str, sources: Vec<String>) -> Result<(), Fault> {
        let (id, stream, run) = (connection.to_owned(), stream.to_owned(), run.to_owned());
        self.pool
            .call(move |connection| {
                transact(connection, |connection| for_sources(connection, &id, &stream, &sources, "tried_run = ?", Some(&run)))
            })
            .await
    }

    async fn settle(&self, connection: &str, stream: &str, run: &str, whole: bool) -> Result<(), Fault> {
        let (id, stream, run) = (connection.to_owned(), stream.to_owned(), run.to_owned());
        self.pool.call(move |connection| transact(connection, |connection| settle(connection, &id, &stream, &run, whole))).await
    }

    async fn of_item(&self, connection: &str, source: &str) -> Result<Vec<RetryItem>, Fault> {
        use tradesync_retries::dsl as t;
        let (id, source) = (connection.to_owned(), source.to_owned());
        self.pool
            .call(move |connection| {
                let query = standing!().filter(t::connection_id.eq(id)).filter(t::source_key.eq(source)).order(t::id.desc());
                let rows: Vec<ItemRow> = query.load(connection).map_err(fault)?;
                rows.into_iter().map(ItemRow::model).collect()
            })
            .await
    }

    async fn waiting(&self, flow: &str) -> Result<u64, Fault> {
        let flow = flow.to_owned();
        self.pool
            .call(move |connection| {
                let row: Waiting = kept(
                    "SELECT COUNT(*) AS waiting FROM tradesync_retries r JOIN tradesync_connections c ON c.id = r.connection_id \
                     WHERE c.flow = ? AND c.deleted_at IS NULL AND r.dismissed_at IS NULL",
                )
                .bind::<Text, _>(&flow)
                .get_result(connection)
                .map_err(fault)?;
                Ok(u64::try_from(row.waiting).unwrap_or_default())
            })
            .await
    }

    async fn list(&self, filter: RetryFilter, page: PageRequest) -> Result<Listing<RetryItem>, Fault> {
        self.pool.call(move |connection| list(connection, filter, page)).await
    }

    async fn get(&self, id: &str) -> Result<Option<RetryItem>, Fault> {
        let id = id.to_owned();
        self.pool.call(move |connection| look(connection, |connection| find(connection, &id))).await
    }

    async fn make_due(&self, connection: &str, stream: &str, sources: Vec<String>) -> Result<(), Fault> {
        let (id, stream) = (connection.to_owned(), stream.to_owned());
        self.pool
            .call(move |connection| {
                transact(connection, |connection| {
                    for_sources(connection, &id, &stream, &sources, "next_at = UTC_TIMESTAMP(6), dismissed_at = NULL", None)
                })
            })
            .await
    }

    async fn dismiss(&self, id: &str, key: Option<Idempotency>, render: RenderBox<RetryItem>) -> Result<Acted<RetryItem>, Fault> {
        use tradesync_retries::dsl as t;
        let id = id.to_owned();
        self.pool
            .call(move |connection| {
                act_once(connection, key.as_ref(), &*render, |connection| {
                    let gone = || Problem::from(Fault::new(Code::NotFound, "the item is not in the retry list any more"));
                    let before = find(connection, &id)?.ok_or_else(gone)?;
                    diesel::update(t::tradesync_retries.filter(t::id.eq(&id)).filter(t::dismissed_at.is_null()))
                        .set(t::dismissed_at.eq(Some(clock::now().naive_utc())))
                        .execute(connection)?;
                    let after = find(connection, &id)?.ok_or_else(gone)?;
                    record(connection, Some(of_retry_item(&before)), Some(of_retry_item(&after)))?;
                    Ok(after)
                })
            })
            .await
    }

    async fn failed_in(&self, run: &str, limit: u32) -> Result<Vec<String>, Fault> {
        use tradesync_changes::dsl as c;
        let run = run.to_owned();
        self.pool
            .call(move |connection| {
                c::tradesync_changes
                    .filter(c::run_id.eq(&run))
                    .filter(c::outcome.eq("failed"))
                    .order(c::id.asc())
                    .limit(i64::from(limit))
                    .select(c::source_key)
                    .load(connection)
                    .map_err(fault)
            })
            .await
    }
}
