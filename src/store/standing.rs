//! What stands of a stream: items left alone or held for the same reason run after run (see [`crate::engine::standing`]).

use async_trait::async_trait;
use chrono::NaiveDateTime;
use diesel::{
    prelude::*,
    sql_types::{BigInt, Bool, Text, Unsigned},
};

use super::{
    Store,
    convert::{from_word, json, listing, utc, word},
    fault,
    schema::{tradesync_changes, tradesync_standing},
    transaction::transact,
};
use crate::{
    db::kept,
    engine::{
        model::Outcome,
        ports::{Listing, PageRequest},
        standing::{Left, Standing, StandingItem, StandingItems},
    },
    fault::Fault,
};

#[derive(QueryableByName)]
struct LeftRow {
    #[diesel(sql_type = Bool)]
    listed: bool,
    #[diesel(sql_type = Bool)]
    standing: bool,
    #[diesel(sql_type = Bool)]
    waiting: bool,
    #[diesel(sql_type = Bool)]
    gone: bool,
}

/// Rows of a report that are carried over in one transaction.
const BATCH: i64 = 5_000;

/// The fingerprint of [`crate::engine::standing::fingerprint`], over a stored change.
const FINGERPRINT: &str = "LEFT(SHA2(CONCAT_WS('\\n', c.outcome, COALESCE(c.target_key, ''), c.reason, c.fields), 256), 32)";

#[derive(Queryable, Selectable)]
#[diesel(table_name = tradesync_standing)]
struct Row {
    source_key: String,
    name: String,
    target_key: Option<String>,
    outcome: String,
    reason: String,
    fields: String,
    run_id: String,
    since: NaiveDateTime,
}

impl Row {
    fn model(self) -> Result<StandingItem, Fault> {
        Ok(StandingItem {
            outcome: from_word(&self.outcome)?,
            reason: json("reason", &self.reason)?,
            fields: json("fields", &self.fields)?,
            source: self.source_key,
            name: self.name,
            target: self.target_key,
            run: self.run_id,
            since: utc(self.since),
        })
    }
}

#[async_trait]
impl StandingItems for Store {
    async fn standing(&self, connection: &str, stream: &str, first: &str, last: &str) -> Result<Standing, Fault> {
        use tradesync_standing::dsl as s;
        let (id, stream, first, last) = (connection.to_owned(), stream.to_owned(), first.to_owned(), last.to_owned());
        self.pool
            .call(move |connection| {
                let found: Vec<(String, String)> = s::tradesync_standing
                    .filter(s::connection_id.eq(&id))
                    .filter(s::stream.eq(&stream))
                    .filter(s::source_key.between(&first, &last))
                    .select((s::source_key, s::fingerprint))
                    .load(connection)
                    .map_err(fault)?;
                Ok(found.into_iter().collect())
            })
            .await
    }

    async fn left(&self, connection: &str, stream: &str, gone: bool) -> Result<Left, Fault> {
        let (id, stream) = (connection.to_owned(), stream.to_owned());
        self.pool
            .call(move |connection| {
                let gone = if gone { "EXISTS (SELECT 1 FROM tradesync_records WHERE connection_id = ? AND gone_at IS NOT NULL)" } else { "? IS NULL" };
                let row: LeftRow = kept(format!(
                    "SELECT EXISTS (SELECT 1 FROM tradesync_retries WHERE connection_id = ? AND stream = ?) AS listed, \
                     EXISTS (SELECT 1 FROM tradesync_standing WHERE connection_id = ? AND stream = ?) AS standing, \
                     EXISTS (SELECT 1 FROM tradesync_runs WHERE connection_id = ? AND stream = ? AND state = 'awaiting_approval' AND dry_run = 0) AS waiting, \
                     {gone} AS gone"
                ))
                .bind::<Text, _>(&id)
                .bind::<Text, _>(&stream)
                .bind::<Text, _>(&id)
                .bind::<Text, _>(&stream)
                .bind::<Text, _>(&id)
                .bind::<Text, _>(&stream)
                .bind::<Text, _>(&id)
                .get_result(connection)
                .map_err(fault)?;
                Ok(Left { listed: row.listed, standing: row.standing, waiting: row.waiting, gone: row.gone })
            })
            .await
    }

    async fn settle_standing(&self, connection: &str, stream: &str, run: &str, whole: bool) -> Result<(), Fault> {
        use tradesync_changes::dsl as c;
        let (id, stream, run) = (connection.to_owned(), stream.to_owned(), run.to_owned());
        self.pool
            .call(move |connection| {
                let mut after = 0u64;
                loop {
                    // The id at which a step of the report ends: steps are short, so that nothing waits for them.
                    let step: Vec<u64> = c::tradesync_changes
                        .filter(c::run_id.eq(&run))
                        .filter(c::id.gt(after))
                        .order(c::id.asc())
                        .limit(BATCH)
                        .select(c::id)
                        .load(connection)
                        .map_err(fault)?;
                    let Some(last) = step.last().copied() else { break };
                    transact(connection, |connection| {
                        kept(format!(
                            "INSERT INTO tradesync_standing (connection_id, stream, source_key, fingerprint, name, target_key, outcome, reason, fields, run_id, since) \
                             SELECT ?, ?, c.source_key, {FINGERPRINT}, c.name, c.target_key, c.outcome, c.reason, c.fields, c.run_id, UTC_TIMESTAMP(6) FROM tradesync_changes c \
                             WHERE c.run_id = ? AND c.id > ? AND c.id <= ? AND c.op = 'none' AND c.outcome IN ('skipped', 'held') \
                             ON DUPLICATE KEY UPDATE since = IF(tradesync_standing.fingerprint = VALUES(fingerprint), since, VALUES(since)), \
                             run_id = IF(tradesync_standing.fingerprint = VALUES(fingerprint), tradesync_standing.run_id, VALUES(run_id)), name = VALUES(name), \
                             target_key = VALUES(target_key), outcome = VALUES(outcome), reason = VALUES(reason), fields = VALUES(fields), fingerprint = VALUES(fingerprint)"
                        ))
                        .bind::<Text, _>(&id)
                        .bind::<Text, _>(&stream)
                        .bind::<Text, _>(&run)
                        .bind::<Unsigned<BigInt>, _>(after)
                        .bind::<Unsigned<BigInt>, _>(last)
                        .execute(connection)?;
                        kept(
                            "DELETE s FROM tradesync_changes c STRAIGHT_JOIN tradesync_standing s ON s.connection_id = ? AND s.stream = ? AND s.source_key = c.source_key \
                             WHERE c.run_id = ? AND c.id > ? AND c.id <= ? AND NOT (c.op = 'none' AND c.outcome IN ('skipped', 'held'))",
                        )
                        .bind::<Text, _>(&id)
                        .bind::<Text, _>(&stream)
                        .bind::<Text, _>(&run)
                        .bind::<Unsigned<BigInt>, _>(after)
                        .bind::<Unsigned<BigInt>, _>(last)
                        .execute(connection)?;
                        Ok(())
                    })?;
                    after = last;
                }
                if whole {
                    kept(
                        "DELETE s FROM tradesync_standing s LEFT JOIN tradesync_records r ON r.connection_id = s.connection_id AND r.source_key = s.source_key \
                         AND r.gone_at IS NULL WHERE s.connection_id = ? AND s.stream = ? AND r.source_key IS NULL",
                    )
                    .bind::<Text, _>(&id)
                    .bind::<Text, _>(&stream)
                    .execute(connection)
                    .map_err(fault)?;
                }
                Ok(())
            })
            .await
    }

    async fn list_standing(
        &self,
        connection: &str,
        stream: &str,
        outcome: Option<Outcome>,
        page: PageRequest,
    ) -> Result<Listing<StandingItem>, Fault> {
        use tradesync_standing::dsl as s;
        let (id, stream) = (connection.to_owned(), stream.to_owned());
        self.pool
            .call(move |connection| {
                let mut query = s::tradesync_standing
                    .filter(s::connection_id.eq(&id))
                    .filter(s::stream.eq(&stream))
                    .select(Row::as_select())
                    .order(s::source_key.asc())
                    .limit(i64::from(page.limit) + 1)
                    .into_boxed();
                if let Some(outcome) = outcome {
                    query = query.filter(s::outcome.eq(word(outcome)?));
                }
                if let Some(cursor) = page.cursor {
                    query = query.filter(s::source_key.gt(cursor));
                }
                let rows: Vec<Row> = query.load(connection).map_err(fault)?;
                let page = listing(rows, page.limit, |row| row.source_key.clone());
                Ok(Listing { items: page.items.into_iter().map(Row::model).collect::<Result<_, _>>()?, next: page.next })
            })
            .await
    }
}
