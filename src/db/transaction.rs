//! Transactions in one round trip each for their begin and their end.

use std::cell::Cell;

use diesel::{
    MysqlConnection, RunQueryDsl,
    connection::{AnsiTransactionManager, SimpleConnection, TransactionManager},
    result::Error,
};

use super::kept;

thread_local! {
    static OPEN: Cell<bool> = const { Cell::new(false) };
}

/// That this thread is within a transaction, until it is dropped.
struct Open;

impl Open {
    fn mark() -> Self {
        let nested = OPEN.replace(true);
        assert!(!nested, "a transaction within a transaction would end the outer one");
        Self
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        OPEN.set(false);
    }
}

/// Runs `work` in a transaction, and takes back what it did when it fails.
///
/// diesel's own sends `BEGIN` and `COMMIT` each between two requests that allow and forbid several statements at once: six round trips
/// for a transaction, which in small runs is a fifth of all. Here it begins and ends by `autocommit`, whose two statements stay
/// prepared on every server (`BEGIN` cannot be prepared on MySQL). Setting it to 1 commits.
///
/// # Panics
/// When called within `work`, which is a mistake of ours: the inner one would commit what the outer one has done.
pub fn transaction<T, E: From<Error>>(
    connection: &mut MysqlConnection,
    work: impl FnOnce(&mut MysqlConnection) -> Result<T, E>,
) -> Result<T, E> {
    let _open = Open::mark();
    let begun = kept("SET autocommit = 0").execute(connection).map_err(E::from);
    let done = begun.and_then(|_| work(connection)).and_then(|done| {
        kept("SET autocommit = 1").execute(connection)?;
        Ok(done)
    });
    if done.is_err() && connection.batch_execute("ROLLBACK; SET autocommit = 1").is_err() {
        // Nobody may work on in a transaction of which nothing is known: the pool lets the connection go, and the server rolls back.
        AnsiTransactionManager::transaction_manager_status_mut(connection).set_in_error();
    }
    done
}
