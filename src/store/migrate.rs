//! Runs the migrations that stand in `migrations/`, which the binary carries.
//!
//! diesel's own harness keeps its list in a table of a fixed name; ours must begin with `tradesync_`, since the database may be
//! the shop's own (design.md section 6). So diesel_migrations brings the files and we keep the list.

use diesel::{
    MysqlConnection, RunQueryDsl,
    migration::{Migration, MigrationSource},
    mysql::Mysql,
    sql_query,
    sql_types::{Integer, Nullable, Text},
};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

use super::fault;
use crate::fault::{Code, Fault};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

#[derive(diesel::QueryableByName)]
struct Version {
    #[diesel(sql_type = Text)]
    version: String,
}

#[derive(diesel::QueryableByName)]
struct Got {
    #[diesel(sql_type = Nullable<Integer>)]
    got: Option<i32>,
}

fn all() -> Result<Vec<Box<dyn Migration<Mysql>>>, Fault> {
    let mut found = MigrationSource::<Mysql>::migrations(&MIGRATIONS)
        .map_err(|error| Fault::internal(format!("the migrations cannot be read: {error}")))?;
    found.sort_by_key(|migration| migration.name().version().to_string());
    Ok(found)
}

fn done(connection: &mut MysqlConnection) -> Result<Vec<String>, Fault> {
    sql_query(
        "CREATE TABLE IF NOT EXISTS tradesync_migrations (version VARCHAR(50) CHARACTER SET ascii NOT NULL PRIMARY KEY, run_at DATETIME NOT NULL) ENGINE=InnoDB",
    )
    .execute(connection)
    .map_err(fault)?;
    let rows: Vec<Version> = sql_query("SELECT version FROM tradesync_migrations ORDER BY version").load(connection).map_err(fault)?;
    Ok(rows.into_iter().map(|row| row.version).collect())
}

/// Names of migrations that have not been run.
pub fn missing(connection: &mut MysqlConnection) -> Result<Vec<String>, Fault> {
    let done = done(connection)?;
    Ok(all()?.iter().map(|migration| migration.name().version().to_string()).filter(|version| !done.contains(version)).collect())
}

fn locked<T>(connection: &mut MysqlConnection, work: impl FnOnce(&mut MysqlConnection) -> Result<T, Fault>) -> Result<T, Fault> {
    let got: Got = sql_query("SELECT GET_LOCK(CONCAT('tradesync:migrate:', LEFT(SHA1(DATABASE()), 20)), 20) AS got")
        .get_result(connection)
        .map_err(fault)?;
    if got.got != Some(1) {
        return Err(Fault::new(Code::DatabaseUnavailable, "another process is running the migrations; try again when it has ended"));
    }
    let answer = work(connection);
    let _ = sql_query("DO RELEASE_LOCK(CONCAT('tradesync:migrate:', LEFT(SHA1(DATABASE()), 20)))").execute(connection);
    answer
}

/// Runs what is missing, in order; returns the versions that were run.
pub fn up(connection: &mut MysqlConnection) -> Result<Vec<String>, Fault> {
    locked(connection, |connection| {
        let done = done(connection)?;
        let mut ran = Vec::new();
        for migration in all()? {
            let version = migration.name().version().to_string();
            if done.contains(&version) {
                continue;
            }
            migration.run(connection).map_err(|error| Fault::internal(format!("migration {version} failed: {error}")))?;
            sql_query("INSERT INTO tradesync_migrations (version, run_at) VALUES (?, UTC_TIMESTAMP())")
                .bind::<Text, _>(&version)
                .execute(connection)
                .map_err(fault)?;
            ran.push(version);
        }
        Ok(ran)
    })
}

/// Takes all migrations back, newest first. For tests and for people who leave us.
pub fn down(connection: &mut MysqlConnection) -> Result<(), Fault> {
    locked(connection, |connection| {
        let done = done(connection)?;
        for migration in all()?.iter().rev() {
            let version = migration.name().version().to_string();
            if !done.contains(&version) {
                continue;
            }
            migration
                .revert(connection)
                .map_err(|error| Fault::internal(format!("migration {version} could not be taken back: {error}")))?;
            sql_query("DELETE FROM tradesync_migrations WHERE version = ?").bind::<Text, _>(&version).execute(connection).map_err(fault)?;
        }
        sql_query("DROP TABLE tradesync_migrations").execute(connection).map_err(fault)?;
        Ok(())
    })
}
