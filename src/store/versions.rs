//! Documents of a connection that are replaced as a whole (mappings, locks): their versions, which are their ETags.

use diesel::{
    MysqlConnection,
    prelude::*,
    sql_query,
    sql_types::{Text, Unsigned},
};

use super::{schema::tradesync_versions, transaction::Problem};
use crate::fault::{Code, Fault};

/// The version of a document that nobody has set.
pub(super) const FIRST: u64 = 1;

/// The document's version.
pub(super) fn of(connection: &mut MysqlConnection, id: &str, document: &str) -> Result<u64, Problem> {
    use tradesync_versions::dsl as v;
    let found: Option<u64> = v::tradesync_versions.find((id, document)).select(v::version).first(connection).optional()?;
    Ok(found.unwrap_or(FIRST))
}

/// The same, locked until the transaction ends: replacements of one document follow one another.
pub(super) fn lock(connection: &mut MysqlConnection, id: &str, document: &str) -> Result<u64, Problem> {
    use tradesync_versions::dsl as v;
    sql_query("INSERT IGNORE INTO tradesync_versions (connection_id, document, version) VALUES (?, ?, ?)")
        .bind::<Text, _>(id)
        .bind::<Text, _>(document)
        .bind::<Unsigned<diesel::sql_types::BigInt>, _>(FIRST)
        .execute(connection)?;
    Ok(v::tradesync_versions.find((id, document)).select(v::version).for_update().first(connection)?)
}

/// Counts a replacement of a locked document that stood at `version`; the new version. `PreconditionFailed` unless that was expected.
pub(super) fn step(
    connection: &mut MysqlConnection,
    id: &str,
    document: &str,
    version: u64,
    expected: Option<u64>,
) -> Result<u64, Problem> {
    use tradesync_versions::dsl as v;
    if expected.is_some_and(|expected| expected != version) {
        return Err(Fault::new(Code::PreconditionFailed, format!("somebody changed it meanwhile: its ETag is \"{version}\" now")).into());
    }
    diesel::update(v::tradesync_versions.find((id, document))).set(v::version.eq(version + 1)).execute(connection)?;
    Ok(version + 1)
}
