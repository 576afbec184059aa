//! The audit: entries are written in the transaction that acts (see [`crate::engine::audit`]).

use async_trait::async_trait;
use chrono::NaiveDateTime;
use diesel::{MysqlConnection, prelude::*};
use serde_json::Value;

use super::{
    Store,
    convert::{cut, id_cursor, json, listing, text, utc},
    fault,
    schema::{tradesync_audit, tradesync_connections, tradesync_runs},
    transaction::{Problem, transact},
};
use crate::{
    domain::{clock, ids},
    engine::{
        audit::{self, Actor, Audit, AuditFilter, Entry},
        ports::{Listing, PageRequest},
    },
    fault::Fault,
};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = tradesync_audit)]
struct Row {
    id: String,
    at: NaiveDateTime,
    key_id: String,
    key_name: String,
    on_behalf_of: Option<String>,
    action: String,
    resource: String,
    flow: Option<String>,
    connection_id: Option<String>,
    owner: Option<String>,
    run_id: Option<String>,
    old_values: Option<String>,
    new_values: Option<String>,
    request_id: Option<String>,
}

impl Row {
    fn model(self) -> Result<Entry, Fault> {
        let values = |column, text: Option<String>| text.as_deref().map(|text| json(column, text)).transpose();
        Ok(Entry {
            before: values("old_values", self.old_values)?,
            after: values("new_values", self.new_values)?,
            id: self.id,
            at: utc(self.at),
            actor: Actor {
                key: self.key_id,
                name: self.key_name,
                on_behalf_of: self.on_behalf_of,
                action: self.action,
                resource: self.resource,
                request: self.request_id,
            },
            flow: self.flow,
            connection: self.connection_id,
            owner: self.owner,
            run: self.run_id,
        })
    }
}

/// The id that follows a part of a path.
fn named<'a>(resource: &'a str, part: &str) -> Option<&'a str> {
    resource.strip_prefix(part)?.split('/').next().filter(|id| ids::plausible(id))
}

/// A member of what was answered that is one of our ids.
fn member<'a>(after: Option<&'a Value>, name: &str) -> Option<&'a str> {
    after.and_then(|after| after.get(name)).and_then(Value::as_str).filter(|id| ids::plausible(id))
}

/// Writes the entry of the act that this thread carries out, unless its transaction holds it already or nobody acts (a worker's own
/// doings). Call it inside the transaction, with what stood before and stands after.
pub(super) fn record(connection: &mut MysqlConnection, before: Option<Value>, after: Option<Value>) -> Result<(), Problem> {
    let Some(act) = audit::here() else { return Ok(()) };
    let actor = &act.actor;
    // A run is the only thing that tells what triggered it.
    let is_run = after.as_ref().is_some_and(|after| after.get("trigger").is_some());
    let run = named(&actor.resource, "/sync/runs/").or_else(|| member(after.as_ref(), "id").filter(|_| is_run)).map(str::to_owned);
    let stands = || member(after.as_ref(), "connection").or_else(|| member(before.as_ref(), "connection"));
    let of_path = named(&actor.resource, "/connections/").or_else(stands).map(str::to_owned);
    let created = (actor.resource == "/connections").then(|| member(after.as_ref(), "id").map(str::to_owned)).flatten();
    let id = match of_path.or(created) {
        Some(id) => Some(id),
        None => match &run {
            Some(run) => tradesync_runs::table.find(run).select(tradesync_runs::connection_id).first(connection).optional()?,
            None => None,
        },
    };
    let of: Option<(String, Option<String>)> = match &id {
        Some(id) => tradesync_connections::table
            .find(id)
            .select((tradesync_connections::flow, tradesync_connections::owner))
            .first(connection)
            .optional()?,
        None => None,
    };
    let (flow, owner) = of.map_or((None, None), |(flow, owner)| (Some(flow), owner));
    let (before, after) = match (before, after) {
        (Some(before), Some(after)) => {
            let (before, after) = audit::difference(before, after);
            (Some(before), Some(after))
        }
        sides => sides,
    };
    let row = Row {
        id: ids::fresh(),
        at: clock::now().naive_utc(),
        key_id: cut(&actor.key, 40),
        key_name: cut(&actor.name, 191),
        on_behalf_of: actor.on_behalf_of.clone(),
        action: cut(&actor.action, 64),
        resource: cut(&actor.resource, 4_000),
        flow,
        connection_id: id,
        owner,
        run_id: run,
        old_values: before.as_ref().map(text).transpose()?,
        new_values: after.as_ref().map(text).transpose()?,
        request_id: actor.request.as_deref().map(|request| cut(request, 64)),
    };
    diesel::insert_into(tradesync_audit::table).values(&row).execute(connection)?;
    audit::written();
    Ok(())
}

#[async_trait]
impl Audit for Store {
    async fn record(&self, after: Option<Value>) -> Result<(), Fault> {
        self.pool.call(move |connection| transact(connection, |connection| record(connection, None, after.clone()))).await
    }

    async fn list(&self, filter: AuditFilter, page: PageRequest) -> Result<Listing<Entry>, Fault> {
        use tradesync_audit::dsl as a;
        self.pool
            .call(move |connection| {
                let mut query =
                    a::tradesync_audit.select(Row::as_select()).order(a::id.desc()).limit(i64::from(page.limit) + 1).into_boxed();
                if let Some(flows) = filter.flows {
                    query = query.filter(a::flow.eq_any(flows));
                }
                if let Some(owner) = filter.owner {
                    query = query.filter(a::owner.eq(owner));
                }
                if let Some(id) = filter.connection {
                    query = query.filter(a::connection_id.eq(id));
                }
                if let Some(run) = filter.run {
                    query = query.filter(a::run_id.eq(run));
                }
                if let Some(key) = filter.key {
                    query = query.filter(a::key_id.eq(key));
                }
                if let Some(action) = filter.action {
                    query = query.filter(a::action.eq(action));
                }
                if let Some(cursor) = id_cursor(page.cursor)? {
                    query = query.filter(a::id.lt(cursor));
                }
                let rows: Vec<Row> = query.load(connection).map_err(fault)?;
                let items = rows.into_iter().map(Row::model).collect::<Result<Vec<_>, _>>()?;
                Ok(listing(items, page.limit, |entry| entry.id.clone()))
            })
            .await
    }
}
