//! Statements that connections keep prepared.

use std::time::Duration;

use diesel::{QueryableByName, RunQueryDsl, connection::SimpleConnection, sql_types::BigInt};
use tradesync::{
    db::{Options, Pool, forget_statements, kept, transaction},
    fault::{Code, Fault},
};

use crate::support::Database;

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

const LOOK: &str = "SELECT CAST(number AS SIGNED) AS number FROM numbers WHERE number >= ? ORDER BY number FOR UPDATE";

fn look(connection: &mut diesel::MysqlConnection) -> Result<Vec<i64>, diesel::result::Error> {
    let rows: Vec<Number> = kept(LOOK).bind::<BigInt, _>(1).load(connection)?;
    Ok(rows.into_iter().map(|row| row.number).collect())
}

fn fault(error: diesel::result::Error) -> Fault {
    tradesync::db::pool::from_diesel(error, Code::DatabaseUnavailable)
}

/// diesel on Debian's libmariadb: a prepared statement that broke off in its rows never returns when it is run once more.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_broke_off_in_its_rows_is_prepared_anew() {
    let database = Database::make(&format!("statements_{}", std::process::id())).await;
    database.run("CREATE TABLE numbers (number INT PRIMARY KEY) ENGINE=InnoDB; INSERT INTO numbers VALUES (1), (2), (3)");
    let session = vec!["SET SESSION innodb_lock_wait_timeout = 1".to_owned()];
    let options =
        Options { call_limit: Duration::from_secs(20), ..Options::new(database.url.clone(), 1, session, Code::DatabaseUnavailable) };
    let pool = Pool::open(options).unwrap();
    let ask = || pool.call(|connection| look(connection).map_err(fault));
    assert_eq!(ask().await.unwrap(), [1, 2, 3], "kept from here on");
    let mut other = database.connect();
    other.batch_execute("BEGIN; UPDATE numbers SET number = 4 WHERE number = 3").unwrap();
    for _ in 0..2 {
        assert_eq!(ask().await.unwrap_err().code, Code::DatabaseUnavailable, "the third row is locked");
    }
    // Once more within the same call, as after a deadlock.
    let again = pool.call(|connection| {
        assert!(look(connection).is_err());
        forget_statements(connection);
        look(connection).map_err(fault)
    });
    assert_eq!(again.await.unwrap_err().code, Code::DatabaseUnavailable);
    other.batch_execute("COMMIT").unwrap();
    assert_eq!(ask().await.unwrap(), [1, 2, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_with_too_few_or_too_many_values_is_refused() {
    let database = Database::make(&format!("values_{}", std::process::id())).await;
    let pool = Pool::open(Options::new(database.url.clone(), 1, Vec::new(), Code::DatabaseUnavailable)).unwrap();
    for given in [0, 1, 3] {
        let asked = pool.call(move |connection| {
            let statement = (0..given).fold(kept("SELECT ? + ? AS number"), |statement, number| statement.bind::<BigInt, _>(number));
            statement.get_result::<Number>(connection).map(|row| row.number).map_err(fault)
        });
        assert_eq!(asked.await.unwrap_err().code, Code::Internal, "{given}");
    }
}

async fn with_numbers(name: &str) -> (Database, Pool) {
    let database = Database::make(&format!("{name}_{}", std::process::id())).await;
    database.run("CREATE TABLE numbers (number INT PRIMARY KEY) ENGINE=InnoDB");
    let pool = Pool::open(Options::new(database.url.clone(), 1, Vec::new(), Code::DatabaseUnavailable)).unwrap();
    (database, pool)
}

/// Does this in a transaction.
async fn within<W>(pool: &Pool, work: W) -> Result<(), Fault>
where
    W: FnOnce(&mut diesel::MysqlConnection) -> Result<(), diesel::result::Error> + Send + 'static,
{
    pool.call(|connection| transaction(connection, work).map_err(fault)).await
}

const COUNT: &str = "SELECT COUNT(*) AS number FROM numbers";

fn insert(connection: &mut diesel::MysqlConnection, number: i64) -> Result<(), diesel::result::Error> {
    kept("INSERT INTO numbers VALUES (?)").bind::<BigInt, _>(number).execute(connection).map(drop)
}

/// What is written outside any transaction is durable at once: another connection sees it.
async fn serves_on(pool: &Pool, database: &Database, number: i64) {
    let before = database.number(COUNT);
    pool.call(move |connection| insert(connection, number).map_err(fault)).await.unwrap();
    assert_eq!(database.number(COUNT), before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_kept_whole_or_taken_back_and_its_connection_serves_on() {
    let (database, pool) = with_numbers("transactions").await;
    let done = within(&pool, |connection| {
        insert(connection, 1)?;
        insert(connection, 2)
    });
    done.await.unwrap();
    assert_eq!(database.number(COUNT), 2);
    let failed = within(&pool, |connection| {
        insert(connection, 3)?;
        insert(connection, 1)
    });
    assert_eq!(failed.await.unwrap_err().code, Code::Internal, "1 is there already");
    assert_eq!(database.number(COUNT), 2, "3 was taken back");
    serves_on(&pool, &database, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_or_a_lost_connection_leaves_no_transaction_open() {
    let (database, pool) = with_numbers("open_ends").await;
    let panicked = within(&pool, |connection| {
        insert(connection, 1)?;
        assert_eq!(1, 2, "a mistake of ours");
        Ok(())
    });
    assert_eq!(panicked.await.unwrap_err().code, Code::Internal);
    serves_on(&pool, &database, 1).await;
    let lost = within(&pool, |connection| {
        insert(connection, 2)?;
        // Its own end is all that is heard of it.
        let _ = kept("KILL CONNECTION_ID()").execute(connection);
        insert(connection, 3)
    });
    assert_eq!(lost.await.unwrap_err().code, Code::DatabaseUnavailable);
    assert_eq!(database.number(COUNT), 1);
    serves_on(&pool, &database, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_within_a_transaction_is_refused() {
    let (database, pool) = with_numbers("nested").await;
    let nested = within(&pool, |connection| {
        insert(connection, 1)?;
        transaction(connection, |connection| insert(connection, 2))
    });
    assert_eq!(nested.await.unwrap_err().code, Code::Internal);
    assert_eq!(database.number(COUNT), 0, "nothing was committed by the inner one");
    serves_on(&pool, &database, 3).await;
}
