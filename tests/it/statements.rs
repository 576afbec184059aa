//! Statements that connections keep prepared.

use std::time::Duration;

use diesel::{QueryableByName, RunQueryDsl, connection::SimpleConnection, sql_types::BigInt};
use tradesync::{
    db::{Options, Pool, forget_statements, kept},
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
