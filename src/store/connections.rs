//! Connections and their streams.

use async_trait::async_trait;
use chrono::NaiveDateTime;
use diesel::{MysqlConnection, mysql::Mysql, prelude::*, sql_query, sql_types::Text};

use super::{
    Store,
    audit::record,
    convert::{batches, cut, id_cursor, json, rows, text, utc},
    fault, schedules,
    schema::{tradesync_connections, tradesync_link_spaces, tradesync_offered_streams, tradesync_runs, tradesync_streams},
    stream_health, succession,
    transaction::{Problem, act_once, look, transact},
};
use crate::{
    domain::clock,
    engine::{
        audit,
        flow::Discovered,
        model::{Connection, Stream},
        ports::{Acted, ConnectionFilter, Connections, Idempotency, Listing, PageRequest, RenderBox},
        schedule::Schedule,
    },
    fault::{Code, Fault},
};

#[derive(Queryable, Insertable, Selectable)]
#[diesel(table_name = tradesync_connections)]
struct ConnectionRow {
    id: String,
    flow: String,
    name: String,
    owner: Option<String>,
    enabled: bool,
    settings: String,
    secrets: String,
    link_space: String,
    version: u64,
    created_at: NaiveDateTime,
    updated_at: NaiveDateTime,
    source_system: String,
}

impl ConnectionRow {
    fn of(connection: &Connection) -> Result<Self, Fault> {
        Ok(Self {
            id: connection.id.clone(),
            flow: connection.flow.clone(),
            name: connection.name.clone(),
            owner: connection.owner.clone(),
            enabled: connection.enabled,
            settings: text(&connection.settings)?,
            secrets: text(&connection.secrets)?,
            link_space: connection.link_space.clone(),
            version: connection.version,
            created_at: connection.created_at.naive_utc(),
            updated_at: connection.updated_at.naive_utc(),
            source_system: connection.source_system.clone(),
        })
    }

    fn model(self) -> Result<Connection, Fault> {
        Ok(Connection {
            settings: json("settings", &self.settings)?,
            secrets: json("secrets", &self.secrets)?,
            id: self.id,
            flow: self.flow,
            name: self.name,
            owner: self.owner,
            enabled: self.enabled,
            link_space: self.link_space,
            source_system: self.source_system,
            version: self.version,
            created_at: utc(self.created_at),
            updated_at: utc(self.updated_at),
        })
    }
}

#[derive(Queryable, Insertable, Selectable)]
#[diesel(table_name = tradesync_streams)]
struct StreamRow {
    connection_id: String,
    stream: String,
    name: String,
    enabled: bool,
    settings: String,
    sync_cursor: Option<NaiveDateTime>,
    last_synced_at: Option<NaiveDateTime>,
    last_whole_read_at: Option<NaiveDateTime>,
    full_every_seconds: Option<u64>,
    last_run: Option<String>,
    version: u64,
}

impl StreamRow {
    fn of(stream: &Stream) -> Result<Self, Fault> {
        Ok(Self {
            connection_id: stream.connection.clone(),
            stream: stream.stream.clone(),
            name: stream.name.clone(),
            enabled: stream.enabled,
            settings: text(&stream.settings)?,
            sync_cursor: stream.cursor.map(|time| time.naive_utc()),
            last_synced_at: stream.last_synced_at.map(|time| time.naive_utc()),
            last_whole_read_at: stream.last_whole_read_at.map(|time| time.naive_utc()),
            full_every_seconds: stream.full_every_seconds,
            last_run: stream.last_run.clone(),
            version: stream.version,
        })
    }

    fn model(self) -> Result<Stream, Fault> {
        Ok(Stream {
            settings: json("settings", &self.settings)?,
            connection: self.connection_id,
            stream: self.stream,
            name: self.name,
            enabled: self.enabled,
            cursor: self.sync_cursor.map(utc),
            last_synced_at: self.last_synced_at.map(utc),
            last_whole_read_at: self.last_whole_read_at.map(utc),
            full_every_seconds: self.full_every_seconds,
            last_run: self.last_run,
            version: self.version,
        })
    }
}

/// One connection that is not deleted.
pub(super) fn find(connection: &mut MysqlConnection, id: &str) -> Result<Option<Connection>, Problem> {
    use tradesync_connections::dsl as c;
    let row: Option<ConnectionRow> = c::tradesync_connections
        .find(id)
        .filter(c::deleted_at.is_null())
        .select(ConnectionRow::as_select())
        .first(connection)
        .optional()?;
    Ok(row.map(ConnectionRow::model).transpose()?)
}

fn find_stream(connection: &mut MysqlConnection, id: &str, stream: &str) -> Result<Option<Stream>, Problem> {
    let row: Option<StreamRow> = tradesync_streams::table.find((id, stream)).select(StreamRow::as_select()).first(connection).optional()?;
    Ok(row.map(StreamRow::model).transpose()?)
}

fn insert_stream(connection: &mut MysqlConnection, stream: &Stream) -> Result<(), Problem> {
    let inserted = diesel::insert_into(tradesync_streams::table).values(&StreamRow::of(stream)?).execute(connection);
    match inserted {
        Ok(_) => Ok(()),
        Err(diesel::result::Error::DatabaseError(diesel::result::DatabaseErrorKind::UniqueViolation, _)) => {
            Err(Fault::new(Code::InUse, format!("the stream `{}` exists already", stream.stream)).into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Refuses with `InUse` while a run of the connection (or of one stream of it) is live.
fn refuse_if_live(connection: &mut MysqlConnection, id: &str, stream: Option<&str>) -> Result<(), Problem> {
    use tradesync_runs::dsl as r;
    let mut query =
        r::tradesync_runs.filter(r::connection_id.eq(id)).filter(r::state.eq_any(["queued", "running"])).select(r::id).into_boxed();
    if let Some(stream) = stream {
        query = query.filter(r::stream.eq(stream.to_owned()));
    }
    match query.first::<String>(connection).optional()? {
        Some(run) => {
            Err(Fault::new(Code::InUse, "a run is live; cancel it or wait for its end first").at(format!("/sync/runs/{run}")).into())
        }
        None => Ok(()),
    }
}

#[async_trait]
impl Connections for Store {
    async fn create(
        &self,
        new: Connection,
        streams: Vec<Stream>,
        schedules: Vec<Schedule>,
        key: Option<Idempotency>,
        render: RenderBox<Connection>,
    ) -> Result<Acted<Connection>, Fault> {
        self.pool
            .call(move |connection| {
                act_once(connection, key.as_ref(), &*render, |connection| {
                    diesel::insert_into(tradesync_connections::table).values(&ConnectionRow::of(&new)?).execute(connection)?;
                    for stream in &streams {
                        insert_stream(connection, stream)?;
                    }
                    for schedule in &schedules {
                        schedules::insert(connection, schedule)?;
                    }
                    succession::adopt(connection, &new)?;
                    record(connection, None, Some(audit::of_connection(&new, None)))?;
                    Ok(new.clone())
                })
            })
            .await
    }

    async fn get(&self, id: &str) -> Result<Option<Connection>, Fault> {
        let id = id.to_owned();
        self.pool.call(move |connection| look(connection, |connection| find(connection, &id))).await
    }

    async fn list(&self, filter: ConnectionFilter, page: PageRequest) -> Result<Listing<Connection>, Fault> {
        use tradesync_connections::dsl as c;
        self.pool
            .call(move |connection| {
                let mut query = c::tradesync_connections
                    .filter(c::deleted_at.is_null())
                    .select(ConnectionRow::as_select())
                    .order(c::id.desc())
                    .limit(i64::from(page.limit) + 1)
                    .into_boxed();
                if let Some(flows) = filter.flows {
                    query = query.filter(c::flow.eq_any(flows));
                }
                if let Some(owner) = filter.owner {
                    query = query.filter(c::owner.eq(owner));
                }
                if let Some(cursor) = id_cursor(page.cursor)? {
                    query = query.filter(c::id.lt(cursor));
                }
                let rows: Vec<ConnectionRow> = query.load(connection).map_err(fault)?;
                let items = rows.into_iter().map(ConnectionRow::model).collect::<Result<Vec<_>, _>>()?;
                Ok(super::convert::listing(items, page.limit, |connection| connection.id.clone()))
            })
            .await
    }

    async fn update(&self, changed: Connection, version: u64) -> Result<Connection, Fault> {
        use tradesync_connections::dsl as c;
        self.pool
            .call(move |connection| {
                transact(connection, |connection| {
                    let mut row = ConnectionRow::of(&changed)?;
                    row.version = version + 1;
                    row.updated_at = clock::now().naive_utc();
                    // Locked, so that no run begins between the look at live ones and the change.
                    let space: Option<String> = c::tradesync_connections
                        .find(&changed.id)
                        .filter(c::deleted_at.is_null())
                        .select(c::link_space)
                        .for_update()
                        .first(connection)
                        .optional()?;
                    let moved = space.filter(|space| *space != changed.link_space);
                    if moved.is_some() {
                        succession::call_off_plans(connection, &changed.id)?;
                    }
                    let standing = find(connection, &changed.id)?;
                    if moved.is_some() {
                        refuse_if_live(connection, &changed.id, None)?;
                    }
                    let written = diesel::update(
                        c::tradesync_connections.find(&changed.id).filter(c::version.eq(version)).filter(c::deleted_at.is_null()),
                    )
                    .set((
                        c::name.eq(&row.name),
                        c::owner.eq(&row.owner),
                        c::enabled.eq(row.enabled),
                        c::settings.eq(&row.settings),
                        c::secrets.eq(&row.secrets),
                        c::link_space.eq(&row.link_space),
                        c::source_system.eq(&row.source_system),
                        c::version.eq(row.version),
                        c::updated_at.eq(row.updated_at),
                    ))
                    .execute(connection)?;
                    if written == 0 {
                        return Err(Fault::new(Code::PreconditionFailed, "the connection was changed by somebody else meanwhile").into());
                    }
                    if let Some(before) = moved {
                        succession::carry_out(connection, &before, &changed)?;
                    }
                    if changed.enabled && standing.as_ref().is_some_and(|standing| !standing.enabled) {
                        stream_health::watch_anew(connection, &changed.id, None)?;
                    }
                    let before = standing.as_ref().map(|standing| audit::of_connection(standing, None));
                    record(connection, before, Some(audit::of_connection(&changed, standing.as_ref())))?;
                    Ok(row.model()?)
                })
            })
            .await
    }

    async fn delete(&self, id: &str) -> Result<(), Fault> {
        use tradesync_connections::dsl as c;
        let id = id.to_owned();
        self.pool
            .call(move |connection| {
                transact(connection, |connection| {
                    refuse_if_live(connection, &id, None)?;
                    let standing = find(connection, &id)?;
                    record(connection, standing.as_ref().map(|standing| audit::of_connection(standing, None)), None)?;
                    // Secrets go at once; links, runs and reports stay (design.md section 6).
                    let gone = diesel::update(c::tradesync_connections.find(&id).filter(c::deleted_at.is_null()))
                        .set((c::deleted_at.eq(Some(clock::now().naive_utc())), c::secrets.eq("{}"), c::version.eq(c::version + 1)))
                        .execute(connection)?;
                    if gone == 0 {
                        return Err(Fault::new(Code::NotFound, "there is no such connection").into());
                    }
                    if let Some(deleted) = &standing {
                        succession::adopt_after(connection, deleted)?;
                    }
                    schedules::delete_all(connection, &id, None)
                })
            })
            .await
    }

    async fn streams(&self, id: &str) -> Result<Vec<Stream>, Fault> {
        use tradesync_streams::dsl as s;
        let id = id.to_owned();
        self.pool
            .call(move |connection| {
                let rows: Vec<StreamRow> = s::tradesync_streams
                    .filter(s::connection_id.eq(&id))
                    .order(s::stream.asc())
                    .select(StreamRow::as_select())
                    .load(connection)
                    .map_err(fault)?;
                rows.into_iter().map(StreamRow::model).collect()
            })
            .await
    }

    async fn stream(&self, id: &str, stream: &str) -> Result<Option<Stream>, Fault> {
        let (id, stream) = (id.to_owned(), stream.to_owned());
        self.pool.call(move |connection| look(connection, |connection| find_stream(connection, &id, &stream))).await
    }

    async fn create_stream(&self, new: Stream, key: Option<Idempotency>, render: RenderBox<Stream>) -> Result<Acted<Stream>, Fault> {
        self.pool
            .call(move |connection| {
                act_once(connection, key.as_ref(), &*render, |connection| {
                    insert_stream(connection, &new)?;
                    Ok(new.clone())
                })
            })
            .await
    }

    async fn update_stream(&self, changed: Stream, version: u64) -> Result<Stream, Fault> {
        use tradesync_streams::dsl as s;
        self.pool
            .call(move |connection| {
                transact(connection, |connection| {
                    let row = StreamRow::of(&changed)?;
                    let standing = find_stream(connection, &changed.connection, &changed.stream)?;
                    let written =
                        diesel::update(s::tradesync_streams.find((&changed.connection, &changed.stream)).filter(s::version.eq(version)))
                            .set((
                                s::name.eq(&row.name),
                                s::enabled.eq(row.enabled),
                                s::settings.eq(&row.settings),
                                s::sync_cursor.eq(row.sync_cursor),
                                s::version.eq(version + 1),
                            ))
                            .execute(connection)?;
                    if written == 0 {
                        return Err(Fault::new(
                            Code::PreconditionFailed,
                            "the stream was changed by somebody else, or by a run that ended, meanwhile",
                        )
                        .into());
                    }
                    if changed.enabled && standing.as_ref().is_some_and(|standing| !standing.enabled) {
                        stream_health::watch_anew(connection, &changed.connection, Some(&changed.stream))?;
                    }
                    record(connection, standing.as_ref().map(audit::of_stream), Some(audit::of_stream(&changed)))?;
                    find_stream(connection, &changed.connection, &changed.stream)?
                        .ok_or_else(|| Fault::new(Code::NotFound, "there is no such stream").into())
                })
            })
            .await
    }

    async fn delete_stream(&self, id: &str, stream: &str) -> Result<(), Fault> {
        let (id, stream) = (id.to_owned(), stream.to_owned());
        self.pool
            .call(move |connection| {
                transact(connection, |connection| {
                    refuse_if_live(connection, &id, Some(&stream))?;
                    let standing = find_stream(connection, &id, &stream)?;
                    record(connection, standing.as_ref().map(audit::of_stream), None)?;
                    match diesel::delete(tradesync_streams::table.find((&id, &stream))).execute(connection)? {
                        0 => Err(Fault::new(Code::NotFound, "there is no such stream").into()),
                        _ => {
                            stream_health::forget(connection, &id, &stream)?;
                            schedules::delete_all(connection, &id, Some(&stream))
                        }
                    }
                })
            })
            .await
    }

    async fn remember_account(&self, space: &str, account: &str) -> Result<String, Fault> {
        let (space, account) = (space.to_owned(), account.to_owned());
        self.pool
            .call(move |connection| {
                sql_query("INSERT IGNORE INTO tradesync_link_spaces (id, account) VALUES (?, ?)")
                    .bind::<Text, _>(&space)
                    .bind::<Text, _>(&account)
                    .execute(connection)
                    .map_err(fault)?;
                // Without links there is nothing that another account could spoil.
                sql_query(
                    "UPDATE tradesync_link_spaces SET account = ? WHERE id = ? AND NOT EXISTS (SELECT 1 FROM tradesync_links WHERE space = ? AND state = 'linked')",
                )
                .bind::<Text, _>(&account)
                .bind::<Text, _>(&space)
                .bind::<Text, _>(&space)
                .execute(connection)
                .map_err(fault)?;
                tradesync_link_spaces::table.find(&space).select(tradesync_link_spaces::account).first(connection).map_err(fault)
            })
            .await
    }

    async fn remember_offered(&self, id: &str, offered: &[Discovered]) -> Result<(), Fault> {
        let (id, offered) = (id.to_owned(), offered.to_vec());
        self.pool
            .call(move |connection| {
                transact(connection, |connection| {
                    for batch in batches(&offered, 500, |offered| offered.name.len()) {
                        let statement = format!(
                            "INSERT INTO tradesync_offered_streams (connection_id, stream, name) VALUES {} ON DUPLICATE KEY UPDATE name = VALUES(name)",
                            rows(batch.len(), 3)
                        );
                        let mut query = sql_query(statement).into_boxed::<Mysql>();
                        for one in batch {
                            let (stream, name) = (cut(&one.stream, 191), cut(&one.name, 191));
                            query = query.bind::<Text, _>(&id).bind::<Text, _>(stream).bind::<Text, _>(name);
                        }
                        query.execute(connection)?;
                    }
                    Ok(())
                })
            })
            .await
    }

    async fn offered(&self, id: &str) -> Result<Vec<Discovered>, Fault> {
        use tradesync_offered_streams::dsl as o;
        let id = id.to_owned();
        self.pool
            .call(move |connection| {
                let found: Vec<(String, String)> = o::tradesync_offered_streams
                    .filter(o::connection_id.eq(&id))
                    .order(o::stream.asc())
                    .select((o::stream, o::name))
                    .load(connection)
                    .map_err(fault)?;
                Ok(found.into_iter().map(|(stream, name)| Discovered { stream, name }).collect())
            })
            .await
    }
}
