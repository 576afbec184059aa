//! Wishes for pictures and what was fetched for them.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::NaiveDateTime;
use diesel::{
    MysqlConnection,
    mysql::Mysql,
    prelude::*,
    sql_query,
    sql_types::{Bool, Nullable, Text},
};
use sha2::{Digest, Sha256};

use super::{
    Store, changes,
    convert::{cut, json, places, rows, text},
    fault,
    leases::micros,
    runs_queue::{hold, still_held},
    schema::{tradesync_picture_wishes, tradesync_runs},
    transaction::{Problem, transact},
};
use crate::{
    domain::clock,
    engine::{
        model::{Change, Counts, NewChange},
        pictures::{FIELD, Fetched, Known, PAUSES, Pictures, Rest, Settled, Stored, Tally, Wish},
    },
    fault::Fault,
};

/// After this a stored picture's source is asked whether it still is the same, when an item wishes for it anew.
const OLD_DAYS: u32 = 7;
/// Rows of one statement.
const ROWS: usize = 500;

fn digest(address: &str) -> String {
    Sha256::digest(address).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = tradesync_picture_wishes)]
struct WishRow {
    source_key: String,
    name: String,
    target_key: String,
    witness: Option<String>,
    addresses: String,
    ours: String,
    version: u64,
}

impl WishRow {
    fn model(self) -> Result<Wish, Fault> {
        Ok(Wish {
            addresses: json("addresses", &self.addresses)?,
            ours: json("ours", &self.ours)?,
            source: self.source_key,
            name: self.name,
            target: self.target_key,
            witness: self.witness,
            version: self.version,
        })
    }
}

#[derive(QueryableByName)]
struct KnownRow {
    #[diesel(sql_type = Text)]
    address: String,
    #[diesel(sql_type = Nullable<Text>)]
    content_hash: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    path: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    etag: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    last_modified: Option<String>,
    #[diesel(sql_type = Bool)]
    old: bool,
    #[diesel(sql_type = Nullable<Text>)]
    reason: Option<String>,
    #[diesel(sql_type = Bool)]
    due: bool,
}

impl KnownRow {
    fn model(self) -> Result<(String, Known), Fault> {
        let (etag, last_modified) = (self.etag, self.last_modified);
        let stored = self.content_hash.zip(self.path).map(|(hash, path)| Stored { hash, path, etag, last_modified });
        let failed = self.reason.map(|reason| json("reason", &reason)).transpose()?;
        Ok((self.address, Known { stored, old: self.old, failed, due: self.due }))
    }
}

/// Makes wishes of applied changes, in the transaction that records them: (change, target, witness). A list that is empty asks for
/// nothing: what the target shows stays.
pub(super) fn wish<'a>(
    connection: &mut MysqlConnection,
    space: &str,
    applied: impl Iterator<Item = (&'a Change, Option<&'a String>, Option<&'a String>)>,
) -> Result<(), Problem> {
    let wishes: Vec<_> = applied
        .filter_map(|(change, target, witness)| {
            let field = change.body.fields.iter().find(|field| field.field == FIELD)?;
            let some = field.new.as_array().is_some_and(|list| !list.is_empty());
            some.then_some((change, target?, witness, &field.new))
        })
        .collect();
    for wishes in wishes.chunks(ROWS) {
        // What is ours belongs to the target: another one begins without.
        let mut query = sql_query(format!(
            "INSERT INTO tradesync_picture_wishes (space, source_key, name, target_key, witness, addresses, ours, state, version, next_at) VALUES {} \
             ON DUPLICATE KEY UPDATE ours = IF(target_key = VALUES(target_key) AND witness <=> VALUES(witness), ours, '[]'), name = VALUES(name), \
             target_key = VALUES(target_key), witness = VALUES(witness), addresses = VALUES(addresses), state = 'waiting', version = version + 1, next_at = NULL",
            vec!["(?, ?, ?, ?, ?, ?, '[]', 'waiting', 1, NULL)"; wishes.len()].join(",")
        ))
        .into_boxed::<Mysql>();
        for (change, target, witness, addresses) in wishes {
            query = query
                .bind::<Text, _>(space)
                .bind::<Text, _>(&change.body.source)
                .bind::<Text, _>(cut(&change.body.name, 255))
                .bind::<Text, _>(*target)
                .bind::<Nullable<Text>, _>(*witness)
                .bind::<Text, _>(text(addresses)?);
        }
        query.execute(connection)?;
    }
    Ok(())
}

fn due(connection: &mut MysqlConnection, space: &str, only: Option<&[String]>, after: &str, limit: u32) -> Result<Vec<Wish>, Fault> {
    use tradesync_picture_wishes::dsl as w;
    let mut query = w::tradesync_picture_wishes
        .filter(w::space.eq(space.to_owned()))
        .filter(w::source_key.gt(after.to_owned()))
        .order(w::source_key.asc())
        .limit(i64::from(limit))
        .select(WishRow::as_select())
        .into_boxed();
    query =
        match only {
            Some(only) => query.filter(w::state.ne("done")).filter(w::source_key.eq_any(only.to_vec())),
            None => query.filter(w::state.eq("waiting").or(
                w::state.eq("failed").and(w::next_at.le(diesel::dsl::sql::<Nullable<diesel::sql_types::Datetime>>("UTC_TIMESTAMP(6)"))),
            )),
        };
    query.load(connection).map_err(fault)?.into_iter().map(WishRow::model).collect()
}

fn known(connection: &mut MysqlConnection, place: &str, addresses: &[String]) -> Result<HashMap<String, Known>, Fault> {
    let mut found = HashMap::with_capacity(addresses.len());
    for addresses in addresses.chunks(ROWS) {
        let statement = format!(
            "SELECT address, content_hash, path, etag, last_modified, IFNULL(checked_at < UTC_TIMESTAMP(6) - INTERVAL {OLD_DAYS} DAY, 0) AS old, reason, \
             (reason IS NULL OR IFNULL(next_at <= UTC_TIMESTAMP(6), 0)) AS due FROM tradesync_pictures WHERE place = ? AND address_hash IN ({})",
            places(addresses.len())
        );
        let mut query = sql_query(statement).into_boxed::<Mysql>().bind::<Text, _>(place);
        for address in addresses {
            query = query.bind::<Text, _>(digest(address));
        }
        for row in query.load::<KnownRow>(connection).map_err(fault)? {
            let (address, known) = row.model()?;
            found.insert(address, known);
        }
    }
    Ok(found)
}

/// An answer's validator, if it fits its column: a cut one would match nothing.
fn fitting(validator: Option<&String>, length: usize) -> Option<&String> {
    validator.filter(|text| text.chars().count() <= length)
}

fn remember(connection: &mut MysqlConnection, place: &str, fetched: &[(String, Fetched)]) -> Result<(), Fault> {
    let stored: Vec<(&String, &Stored)> = fetched
        .iter()
        .filter_map(|(address, fetched)| match fetched {
            Fetched::Stored(stored) => Some((address, stored)),
            Fetched::Unchanged | Fetched::Failed(_) => None,
        })
        .collect();
    if !stored.is_empty() {
        let mut query = sql_query(format!(
            "INSERT INTO tradesync_pictures (place, address_hash, address, content_hash, path, etag, last_modified, checked_at) VALUES {} \
             ON DUPLICATE KEY UPDATE content_hash = VALUES(content_hash), path = VALUES(path), etag = VALUES(etag), last_modified = VALUES(last_modified), \
             checked_at = VALUES(checked_at), reason = NULL, attempts = 0, next_at = NULL",
            rows(stored.len(), 7).replace("?)", "?,UTC_TIMESTAMP(6))")
        ))
        .into_boxed::<Mysql>();
        for (address, stored) in stored {
            query = query
                .bind::<Text, _>(place)
                .bind::<Text, _>(digest(address))
                .bind::<Text, _>(address)
                .bind::<Text, _>(&stored.hash)
                .bind::<Text, _>(&stored.path)
                .bind::<Nullable<Text>, _>(fitting(stored.etag.as_ref(), 255))
                .bind::<Nullable<Text>, _>(fitting(stored.last_modified.as_ref(), 64));
        }
        query.execute(connection).map_err(fault)?;
    }
    // The pause after the n-th failure in a row; none after the last.
    let pauses: Vec<String> =
        (1..).zip(PAUSES).map(|(count, pause)| format!("WHEN {count} THEN {}", micros(clock::scaled(pause)))).collect();
    for (address, fetched) in fetched {
        match fetched {
            Fetched::Stored(_) => {}
            Fetched::Unchanged => {
                sql_query("UPDATE tradesync_pictures SET checked_at = UTC_TIMESTAMP(6), reason = NULL, attempts = 0, next_at = NULL WHERE place = ? AND address_hash = ?")
                    .bind::<Text, _>(place)
                    .bind::<Text, _>(digest(address))
                    .execute(connection)
                    .map_err(fault)?;
            }
            Fetched::Failed(reason) => {
                let pause = |attempts: &str| format!("UTC_TIMESTAMP(6) + INTERVAL (CASE {attempts} {} END) MICROSECOND", pauses.join(" "));
                // Columns on the right of an assignment have their new values already in MySQL, so `attempts` comes first.
                sql_query(format!(
                    "INSERT INTO tradesync_pictures (place, address_hash, address, reason, attempts, next_at) VALUES (?, ?, ?, ?, 1, {}) \
                     ON DUPLICATE KEY UPDATE attempts = attempts + 1, next_at = {}, reason = VALUES(reason)",
                    pause("1"),
                    pause("attempts")
                ))
                .bind::<Text, _>(place)
                .bind::<Text, _>(digest(address))
                .bind::<Text, _>(address)
                .bind::<Text, _>(text(reason)?)
                .execute(connection)
                .map_err(fault)?;
            }
        }
    }
    Ok(())
}

#[derive(QueryableByName)]
struct NextRow {
    #[diesel(sql_type = Nullable<diesel::sql_types::Datetime>)]
    next: Option<NaiveDateTime>,
}

/// When the first of these addresses may be tried again; `None` when all were given up.
fn next_try(connection: &mut MysqlConnection, place: &str, addresses: &[String]) -> Result<Option<NaiveDateTime>, Problem> {
    let statement =
        format!("SELECT MIN(next_at) AS next FROM tradesync_pictures WHERE place = ? AND address_hash IN ({})", places(addresses.len()));
    let mut query = sql_query(statement).into_boxed::<Mysql>().bind::<Text, _>(place);
    for address in addresses {
        query = query.bind::<Text, _>(digest(address));
    }
    Ok(query.get_result::<NextRow>(connection)?.next)
}

fn end(connection: &mut MysqlConnection, space: &str, place: &str, ended: &Settled) -> Result<(), Problem> {
    use tradesync_picture_wishes::dsl as w;
    let row = w::tradesync_picture_wishes.find((space, &ended.source)).filter(w::version.eq(ended.version));
    let (state, next) = match &ended.rest {
        Rest::NoTarget => {
            diesel::delete(row).execute(connection)?;
            return Ok(());
        }
        Rest::Nothing => ("done", None),
        Rest::Failed(addresses) => ("failed", next_try(connection, place, addresses)?),
    };
    diesel::update(row).set((w::state.eq(state), w::next_at.eq(next), w::ours.eq(text(&ended.ours)?))).execute(connection)?;
    Ok(())
}

/// Wishes that will be worked on again.
fn waiting(connection: &mut MysqlConnection, space: &str) -> Result<u64, Problem> {
    use tradesync_picture_wishes::dsl as w;
    let count: i64 = w::tradesync_picture_wishes
        .filter(w::space.eq(space))
        .filter(w::state.eq("waiting").or(w::state.eq("failed").and(w::next_at.is_not_null())))
        .count()
        .get_result(connection)?;
    Ok(u64::try_from(count).unwrap_or_default())
}

#[async_trait]
impl Pictures for Store {
    async fn due(&self, space: &str, only: Option<&[String]>, after: Option<&str>, limit: u32) -> Result<Vec<Wish>, Fault> {
        let (space, only, after) = (space.to_owned(), only.map(<[String]>::to_vec), after.unwrap_or_default().to_owned());
        self.pool.call(move |connection| due(connection, &space, only.as_deref(), &after, limit)).await
    }

    async fn known(&self, place: &str, addresses: &[String]) -> Result<HashMap<String, Known>, Fault> {
        let (place, addresses) = (place.to_owned(), addresses.to_vec());
        self.pool.call(move |connection| known(connection, &place, &addresses)).await
    }

    async fn remember(&self, place: &str, fetched: &[(String, Fetched)]) -> Result<(), Fault> {
        let (place, fetched) = (place.to_owned(), fetched.to_vec());
        self.pool.call(move |connection| remember(connection, &place, &fetched)).await
    }

    async fn intend(&self, run: &str, fence: u64, space: &str, ours: &[(String, Vec<String>)]) -> Result<(), Fault> {
        use tradesync_picture_wishes::dsl as w;
        let (run, space, ours) = (run.to_owned(), space.to_owned(), ours.to_vec());
        self.pool
            .call(move |connection| {
                transact(connection, |connection| {
                    still_held(connection, &run, fence)?;
                    for (source, ours) in &ours {
                        diesel::update(w::tradesync_picture_wishes.find((&space, source)))
                            .set(w::ours.eq(text(ours)?))
                            .execute(connection)?;
                    }
                    Ok(())
                })
            })
            .await
    }

    async fn settle(
        &self,
        run: &str,
        fence: u64,
        space: &str,
        place: &str,
        ends: &[Settled],
        report: Vec<NewChange>,
        tally: Tally,
    ) -> Result<Counts, Fault> {
        use tradesync_runs::dsl as r;
        let (run, space, place, ends) = (run.to_owned(), space.to_owned(), place.to_owned(), ends.to_vec());
        self.pool
            .call(move |connection| {
                transact(connection, |connection| {
                    let mut counts = hold(connection, &run, fence)?.counts;
                    for ended in &ends {
                        end(connection, &space, &place, ended)?;
                    }
                    changes::insert(connection, &run, &report)?;
                    counts.failed += report.len() as u64;
                    counts.pictures.fetched += tally.fetched;
                    counts.pictures.failed += tally.failed;
                    counts.pictures.shown += tally.shown;
                    counts.pictures.waiting = waiting(connection, &space)?;
                    diesel::update(r::tradesync_runs.find(&run))
                        .set((r::counts.eq(text(&counts)?), r::version.eq(r::version + 1)))
                        .execute(connection)?;
                    Ok(counts)
                })
            })
            .await
    }
}
