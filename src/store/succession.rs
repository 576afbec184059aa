//! What follows when a connection's source or target becomes another one, such as Billz 1 to Billz 2 (design.md section 6).
//!
//! Ids of the two are unrelated, so nothing that was read or linked under the one may be decided on under the other: records and reads go,
//! cursors and dates begin anew, plans that wait for an approval are off. Links alone are worth keeping: they are set aside, and taken up
//! when the connection comes back.

use diesel::{
    MysqlConnection,
    prelude::*,
    sql_query,
    sql_types::{Nullable, Text},
};

use super::{
    connections,
    convert::text,
    schema::{tradesync_connections, tradesync_links, tradesync_offered_streams, tradesync_records, tradesync_runs, tradesync_streams},
    transaction::Problem,
};
use crate::{
    domain::clock,
    engine::{model::Connection, space::target_of_space},
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
    set_aside(connection, before)?;
    adopt(connection, after)
}

/// What a connection finds when it comes to stand on its links: those of the same accounts are its own again. Links of its owner into the
/// same target that no connection stands on any more (one with Billz 1 was deleted, this one is with Billz 2) are set aside: they would
/// hide the products from it, and its goods would be made a second time.
pub(super) fn adopt(connection: &mut MysqlConnection, of: &Connection) -> Result<(), Problem> {
    let orphans: Vec<SpaceRow> = sql_query(
        "SELECT DISTINCT dead.link_space FROM tradesync_connections dead LEFT JOIN tradesync_connections live \
         ON live.link_space = dead.link_space AND live.deleted_at IS NULL \
         WHERE dead.deleted_at IS NOT NULL AND live.id IS NULL AND dead.flow = ? AND dead.owner <=> ? AND LEFT(dead.link_space, 32) = ?",
    )
    .bind::<Text, _>(&of.flow)
    .bind::<Nullable<Text>, _>(&of.owner)
    .bind::<Text, _>(target_of_space(&of.link_space))
    .load(connection)?;
    for orphan in orphans.iter().filter(|orphan| orphan.link_space != of.link_space) {
        set_aside(connection, &orphan.link_space)?;
    }
    take_up(connection, &of.link_space)
}

/// The same when a connection was deleted beside one that writes into the same target for the same owner.
pub(super) fn adopt_after(connection: &mut MysqlConnection, deleted: &Connection) -> Result<(), Problem> {
    use tradesync_connections::dsl as c;
    let like = format!("{}%", target_of_space(&deleted.link_space));
    let live = c::tradesync_connections.filter(c::deleted_at.is_null()).filter(c::flow.eq(&deleted.flow)).filter(c::link_space.like(like));
    let live = match &deleted.owner {
        Some(owner) => live.filter(c::owner.eq(owner)).select(c::id).into_boxed(),
        None => live.filter(c::owner.is_null()).select(c::id).into_boxed(),
    };
    let Some(id) = live.first::<String>(connection).optional()? else { return Ok(()) };
    match connections::find(connection, &id)? {
        Some(live) => adopt(connection, &live),
        None => Ok(()),
    }
}

#[derive(QueryableByName)]
struct SpaceRow {
    #[diesel(sql_type = Text)]
    link_space: String,
}

/// Sets the links of a space aside: they are kept, but hold nothing in the target. Open questions are asked anew when it comes to that.
fn set_aside(connection: &mut MysqlConnection, space: &str) -> Result<(), Problem> {
    use tradesync_links::dsl as l;
    diesel::delete(l::tradesync_links.filter(l::space.eq(space)).filter(l::state.ne("linked"))).execute(connection)?;
    diesel::update(l::tradesync_links.filter(l::space.eq(space))).set(l::target_space.eq(None::<String>)).execute(connection)?;
    Ok(())
}

/// Takes up what was set aside. A link whose target another one has meanwhile is gone: its item is recognised anew.
fn take_up(connection: &mut MysqlConnection, space: &str) -> Result<(), Problem> {
    use tradesync_links::dsl as l;
    sql_query(
        "UPDATE tradesync_links aside LEFT JOIN tradesync_links holder ON holder.target_space = ? AND holder.target_key = aside.target_key \
         SET aside.target_space = ? WHERE aside.space = ? AND aside.target_space IS NULL AND holder.id IS NULL",
    )
    .bind::<Text, _>(target_of_space(space))
    .bind::<Text, _>(target_of_space(space))
    .bind::<Text, _>(space)
    .execute(connection)?;
    diesel::delete(l::tradesync_links.filter(l::space.eq(space)).filter(l::target_space.is_null())).execute(connection)?;
    Ok(())
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
