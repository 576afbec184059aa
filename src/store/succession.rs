//! What follows when a connection's source or target becomes another one, such as Billz 1 to Billz 2 (design.md section 6).
//!
//! Ids of the two are unrelated, so nothing that was read or linked under the one may be decided on under the other: records and reads go,
//! cursors and dates begin anew, plans that wait for an approval are off. Links alone are worth keeping: they are set aside, and taken up
//! when the connection comes back.

use diesel::{MysqlConnection, prelude::*, sql_query, sql_types::Text};

use super::{
    convert::text,
    links,
    schema::{tradesync_connections, tradesync_links, tradesync_offered_streams, tradesync_records, tradesync_runs, tradesync_streams},
    transaction::Problem,
};
use crate::{
    domain::clock,
    engine::model::Connection,
    fault::{Code, Fault, FaultView},
};

/// A plan that was made under the former source would be carried out over links of the present one. To be done before live runs are looked
/// for: an approved plan is one.
pub(super) fn call_off_plans(connection: &mut MysqlConnection, id: &str) -> Result<(), Problem> {
    use tradesync_runs::dsl as r;
    let why = Fault::new(Code::Cancelled, "the connection went over to another source or target; start a new run");
    diesel::update(r::tradesync_runs.filter(r::connection_id.eq(id)).filter(r::state.eq("awaiting_approval")))
        .set((
            r::state.eq("cancelled"),
            r::finished_at.eq(Some(clock::now().naive_utc())),
            r::error.eq(Some(text(&FaultView::from(&why))?)),
            r::version.eq(r::version + 1),
        ))
        .execute(connection)?;
    Ok(())
}

/// Carries it out for a connection that stood on the link space `before`. No run of it is live.
pub(super) fn carry_out(connection: &mut MysqlConnection, before: &str, after: &Connection) -> Result<(), Problem> {
    refuse_if_needed(connection, &after.id, before)?;
    forget_what_was_read(connection, &after.id)?;
    links::set_aside(connection, before)?;
    links::take_up(connection, &after.link_space)
}

/// Another connection between the same accounts stands on the same links: they cannot be set aside under it.
fn refuse_if_needed(connection: &mut MysqlConnection, id: &str, space: &str) -> Result<(), Problem> {
    use tradesync_connections::dsl as c;
    let linked: Option<u64> =
        tradesync_links::table.filter(tradesync_links::space.eq(space)).select(tradesync_links::id).first(connection).optional()?;
    if linked.is_none() {
        return Ok(());
    }
    let others = c::tradesync_connections.filter(c::link_space.eq(space)).filter(c::id.ne(id)).filter(c::deleted_at.is_null());
    match others.select((c::id, c::name)).first::<(String, String)>(connection).optional()? {
        Some((other, name)) => {
            let detail = format!("the connection {other} (“{name}”) stands on the same links; change or delete that one first");
            Err(Fault::new(Code::InUse, detail).into())
        }
        None => Ok(()),
    }
}

fn forget_what_was_read(connection: &mut MysqlConnection, id: &str) -> Result<(), Problem> {
    use tradesync_streams::dsl as s;
    diesel::delete(tradesync_records::table.filter(tradesync_records::connection_id.eq(id))).execute(connection)?;
    diesel::delete(tradesync_offered_streams::table.filter(tradesync_offered_streams::connection_id.eq(id))).execute(connection)?;
    for statement in [
        "DELETE FROM tradesync_read_uses WHERE read_id IN (SELECT id FROM tradesync_reads WHERE connection_id = ?)",
        "DELETE FROM tradesync_reads WHERE connection_id = ?",
        "DELETE FROM tradesync_retries WHERE connection_id = ?",
    ] {
        sql_query(statement).bind::<Text, _>(id).execute(connection)?;
    }
    // The date of the last synchronisation goes too: a shop counts in sums once it was read, and under the new source it was not.
    diesel::update(s::tradesync_streams.filter(s::connection_id.eq(id)))
        .set((
            s::sync_cursor.eq(None::<chrono::NaiveDateTime>),
            s::last_synced_at.eq(None::<chrono::NaiveDateTime>),
            s::last_whole_read_at.eq(None::<chrono::NaiveDateTime>),
            s::full_every_seconds.eq(None::<u64>),
            s::version.eq(s::version + 1),
        ))
        .execute(connection)?;
    Ok(())
}
