//! Transactions that are repeated on deadlock, and idempotency keys inside them.

use async_trait::async_trait;
use diesel::{MysqlConnection, OptionalExtension, prelude::*, result::DatabaseErrorKind};

use super::{Store, audit::record, fault, schema::tradesync_idempotency};
use crate::{
    db::{forget_statements, transaction},
    domain::clock,
    engine::{
        audit,
        ports::{Acted, Idempotency, Idempotent, StoredAnswer},
    },
    fault::{Code, Fault},
};

/// What ends a transaction early: the database, or a rule of ours.
pub(super) enum Problem {
    Database(diesel::result::Error),
    Fault(Fault),
}

impl From<diesel::result::Error> for Problem {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error)
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// How often a transaction is tried when the database chose it to end a deadlock.
const TRIES: u32 = 5;

/// Runs `work` in one transaction; again, from its start, after a deadlock.
pub(super) fn transact<T>(
    connection: &mut MysqlConnection,
    mut work: impl FnMut(&mut MysqlConnection) -> Result<T, Problem>,
) -> Result<T, Fault> {
    repeated(connection, |connection| {
        audit::begun();
        let done = transaction(connection, &mut work)?;
        audit::committed();
        Ok(done)
    })
}

/// Runs `work`, whose statements are good one by one; again, from its start, after a deadlock.
pub(super) fn repeated<T>(
    connection: &mut MysqlConnection,
    mut work: impl FnMut(&mut MysqlConnection) -> Result<T, Problem>,
) -> Result<T, Fault> {
    let mut tries = 0;
    loop {
        tries += 1;
        match work(connection) {
            Ok(done) => return Ok(done),
            Err(Problem::Database(diesel::result::Error::DatabaseError(DatabaseErrorKind::SerializationFailure, _))) if tries < TRIES => {
                forget_statements(connection);
            }
            Err(Problem::Database(error)) => return Err(fault(error)),
            Err(Problem::Fault(fault)) => return Err(fault),
        }
    }
}

/// Looks without a transaction: at READ COMMITTED each statement sees what is committed when it begins, within one or not.
pub(super) fn look<T>(connection: &mut MysqlConnection, work: impl FnOnce(&mut MysqlConnection) -> Result<T, Problem>) -> Result<T, Fault> {
    work(connection).map_err(|problem| match problem {
        Problem::Database(error) => fault(error),
        Problem::Fault(fault) => fault,
    })
}

#[derive(Insertable)]
#[diesel(table_name = tradesync_idempotency)]
struct Kept<'a> {
    scope: &'a str,
    body_hash: &'a str,
    status: u16,
    location: Option<&'a str>,
    body: &'a str,
    created_at: chrono::NaiveDateTime,
}

/// Acts once per idempotency key: `work`, the kept answer and the entry in the audit share one transaction.
///
/// Errors: `RequestInProgress` while a twin is at work, `IdempotencyMismatch` for another body, and those of `work`, which keep nothing.
pub(super) fn act_once<T>(
    connection: &mut MysqlConnection,
    key: Option<&Idempotency>,
    render: &(dyn Fn(&T) -> StoredAnswer + Send + Sync),
    mut work: impl FnMut(&mut MysqlConnection) -> Result<T, Problem>,
) -> Result<Acted<T>, Fault> {
    use tradesync_idempotency::dsl as kept;
    let Some(key) = key else {
        return transact(connection, |connection| {
            let done = work(connection)?;
            record(connection, None, shown(&render(&done)))?;
            Ok(Acted::Fresh(done))
        });
    };
    // A twin that is at work holds the row's lock: two seconds are enough to tell that from a slow disk.
    diesel::sql_query("SET SESSION innodb_lock_wait_timeout = 2").execute(connection).map_err(fault)?;
    let answer = transact(connection, |connection| {
        // The row of a twin at work is locked for this statement too, not only for the insert.
        let swept =
            diesel::delete(kept::tradesync_idempotency.find(&key.scope).filter(kept::created_at.lt(forgotten()))).execute(connection);
        if swept.as_ref().is_err_and(waited_in_vain) {
            return Err(in_progress().into());
        }
        swept?;
        let claimed = diesel::insert_into(kept::tradesync_idempotency)
            .values(Kept {
                scope: &key.scope,
                body_hash: &key.body,
                status: 0,
                location: None,
                body: "",
                created_at: clock::now().naive_utc(),
            })
            .execute(connection);
        match claimed {
            Ok(_) => {}
            Err(diesel::result::Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => {
                return kept_answer(connection, key)?.map(Acted::Replayed).ok_or_else(|| in_progress().into());
            }
            Err(error) if waited_in_vain(&error) => return Err(in_progress().into()),
            Err(error) => return Err(error.into()),
        }
        let done = work(connection)?;
        let answer = render(&done);
        record(connection, None, shown(&answer))?;
        diesel::update(kept::tradesync_idempotency.find(&key.scope))
            .set((kept::status.eq(answer.status), kept::location.eq(answer.location.as_deref()), kept::body.eq(&answer.body)))
            .execute(connection)?;
        Ok(Acted::Fresh(done))
    });
    let _ = diesel::sql_query("SET SESSION innodb_lock_wait_timeout = 10").execute(connection);
    answer
}

/// What an answer shows, for the audit.
fn shown(answer: &StoredAnswer) -> Option<serde_json::Value> {
    serde_json::from_str(&answer.body).ok()
}

/// What was kept before this moment is no more.
fn forgotten() -> chrono::NaiveDateTime {
    clock::now().naive_utc() - chrono::Duration::hours(24)
}

/// The answer under a key, if there is one and it has not been forgotten.
fn kept_answer(connection: &mut MysqlConnection, key: &Idempotency) -> Result<Option<StoredAnswer>, Problem> {
    use tradesync_idempotency::dsl as kept;
    let row: Option<(String, u16, Option<String>, String)> = kept::tradesync_idempotency
        .find(&key.scope)
        .filter(kept::created_at.ge(forgotten()))
        .select((kept::body_hash, kept::status, kept::location, kept::body))
        .first(connection)
        .optional()?;
    match row {
        Some((body_hash, ..)) if body_hash != key.body => {
            Err(Fault::new(Code::IdempotencyMismatch, "the Idempotency-Key stands for another body in the last 24 hours").into())
        }
        row => Ok(row.map(|(_, status, location, body)| StoredAnswer { status, location, body })),
    }
}

#[async_trait]
impl Idempotent for Store {
    async fn replay(&self, key: &Idempotency) -> Result<Option<StoredAnswer>, Fault> {
        let key = key.clone();
        self.pool.call(move |connection| transact(connection, |connection| kept_answer(connection, &key))).await
    }
}

/// diesel knows no kind for it.
pub(super) fn waited_in_vain(error: &diesel::result::Error) -> bool {
    error.to_string().contains("Lock wait timeout")
}

fn in_progress() -> Fault {
    Fault::new(Code::RequestInProgress, "a request with the same Idempotency-Key has not ended yet")
}
