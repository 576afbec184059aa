//! Opening a shop's database: session variables as the shop's own sessions have them, and the lock that one writer holds.

use std::ops::{Deref, DerefMut};

use diesel::{
    QueryableByName, RunQueryDsl,
    deserialize::FromSqlRow,
    mysql::Mysql,
    result::{DatabaseErrorKind, Error},
    sql_types::{BigInt, Nullable, Text, Untyped},
};
use sha2::{Digest, Sha256};

use super::{
    options::Options,
    schema::{self, Column, Schema, Tables},
    seller::{self, Seller},
    shop::ShopNote,
    sql::Sql,
    zone,
};
use crate::{
    db::{self, Session, pool::from_diesel},
    domain::clock,
    fault::{Code, Fault},
};

/// How long a write waits for readers of a MyISAM table, in seconds. Too low: a long report of the shop fails our runs; too
/// high: a run stands still. Below the statement's limit, so that the reason is named rightly.
const LOCK_WAIT_SECONDS: u32 = 20;

/// After this a statement is ended by the server. Too low: large shops cannot be scanned; too high: above the client's own limit
/// (30 s a call), after which the whole session is lost.
const STATEMENT_SECONDS: u32 = 25;

/// How often a statement that fell to a deadlock is run in all; each statement stands by itself, so the other side has gone on by then.
const DEADLOCK_TRIES: u32 = 3;

/// How often the lock is tried for after its former holder was killed; a kill takes effect within milliseconds as a rule.
const LOCK_ATTEMPTS: usize = 5;

/// Looks at a shop and cannot write: the server refuses writes in its session. Used by dry runs.
pub struct Reader {
    session: Session,
    pub(super) options: Options,
    pub(super) tables: Tables,
    pub(super) schema: Schema,
    pub(super) seller: Seller,
    pub(super) time_zone: String,
    pub(super) notes: Vec<ShopNote>,
    pub(super) sales: super::sales::Known,
    max_packet: usize,
}

/// The one session that writes into a shop for a connection. Can do all that a [`Reader`] can.
///
/// It holds the server-wide lock `tradesync:…` until dropped. Once its connection is lost every further call fails with
/// `TargetUnavailable`: a quiet reconnect would write without the lock.
pub struct Writer {
    reader: Reader,
    pub(super) batches: super::batch::Batches,
    pub(super) unsettled: Vec<(u64, String)>,
}

impl Deref for Writer {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        &self.reader
    }
}

impl DerefMut for Writer {
    fn deref_mut(&mut self) -> &mut Reader {
        &mut self.reader
    }
}

#[derive(QueryableByName)]
struct ServerRow {
    #[diesel(sql_type = Text)]
    version: String,
    #[diesel(sql_type = BigInt)]
    max_packet: i64,
}

#[derive(QueryableByName)]
struct TextRow {
    #[diesel(sql_type = Nullable<Text>)]
    text: Option<String>,
}

#[derive(QueryableByName)]
struct NumberRow {
    #[diesel(sql_type = Nullable<BigInt>)]
    number: Option<i64>,
}

impl Reader {
    /// Opens a session that looks only.
    ///
    /// Errors: `ConfigInvalid` for settings, `TargetUnavailable` without a connection, `TargetSchema` naming what is missing.
    pub async fn open(options: &Options) -> Result<Self, Fault> {
        Self::connect(options, true).await?.acquaint().await
    }

    async fn connect(options: &Options, read_only: bool) -> Result<Self, Fault> {
        let tables = Tables::new(&options.table_prefix)?;
        options.seller.ownership()?;
        let mut statements = vec![
            // The shop's own mode (facts section 1): without it zero dates, which mean "no date", are refused on strict servers.
            "SET SESSION sql_mode = 'NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION'".to_owned(),
            // Our writes wait behind readers instead of making every later reader wait behind us.
            "SET SESSION low_priority_updates = 1".to_owned(),
            format!("SET SESSION lock_wait_timeout = {LOCK_WAIT_SECONDS}"),
            format!("SET SESSION innodb_lock_wait_timeout = {LOCK_WAIT_SECONDS}"),
            // Shared hosts end idle sessions after a minute; ours idles while pages are read.
            "SET SESSION wait_timeout = 28800".to_owned(),
        ];
        if read_only {
            statements.push("SET SESSION TRANSACTION READ ONLY".to_owned());
        }
        let session = Session::open(db::Options::new(options.url.clone(), 1, statements, Code::TargetUnavailable)).await?;
        Ok(Self {
            session,
            options: options.clone(),
            tables,
            schema: Schema::default(),
            seller: Seller::Whole,
            time_zone: "+00:00".to_owned(),
            notes: Vec::new(),
            sales: super::sales::Known::default(),
            max_packet: 1 << 20,
        })
    }

    /// Learns server, columns, seller and time zone.
    async fn acquaint(mut self) -> Result<Self, Fault> {
        let server =
            self.rows::<ServerRow>(Sql::new("SELECT @@version AS version, CAST(@@max_allowed_packet AS SIGNED) AS max_packet")).await?;
        let Some(server) = server.into_iter().next() else { return Err(Fault::internal("the server did not say its version")) };
        self.max_packet = usize::try_from(server.max_packet).unwrap_or(1 << 20);
        let limit = if server.version.to_ascii_lowercase().contains("mariadb") {
            format!("SET SESSION max_statement_time = {STATEMENT_SECONDS}")
        } else {
            format!("SET SESSION max_execution_time = {}", STATEMENT_SECONDS * 1_000)
        };
        if let Err(fault) = self.run(Sql::new(limit)).await {
            // Servers older than the variable: the client's own limit still holds.
            tracing::debug!(%fault, "the server has no limit of statement time");
        }

        let ownership = self.options.seller.ownership()?;
        let extra = seller::table_names(&ownership, &self.options.table_prefix);
        let names: Vec<&str> = self
            .tables
            .all()
            .into_iter()
            .chain(self.tables.optional())
            .map(db::Ident::name)
            .chain(extra.iter().map(String::as_str))
            .collect();
        let question = schema::question(names);
        self.schema = Schema::new(self.rows::<Column>(question).await?);
        let (tables, schema) = (&self.tables, &self.schema);
        for table in tables.all() {
            schema.columns(table)?;
        }
        schema.require(&tables.product, &["product_id", "model", "quantity", "price", "status", "date_added", "date_modified"])?;
        schema.require(&tables.description, &["product_id", "language_id", "name"])?;
        schema.require(
            &tables.special,
            &["product_special_id", "product_id", "customer_group_id", "priority", "price", "date_start", "date_end"],
        )?;
        self.seller = Seller::new(ownership, &self.options.table_prefix, tables, schema)?;
        if let Some(question) = self.seller.index_question() {
            let indexes = self.rows::<NumberRow>(question).await?.into_iter().next().and_then(|row| row.number);
            self.seller.set_indexed(indexes.is_some_and(|count| count > 0));
        }
        self.set_time_zone().await?;
        Ok(self)
    }

    /// The shop's time zone: its NOW() decides which specials are live and what "yesterday" is.
    async fn set_time_zone(&mut self) -> Result<(), Fault> {
        let Some(zone) = self.setting("config_timezone").await? else { return Ok(()) };
        let offset = match zone::from_host(&zone, clock::now()) {
            Some(offset) => Some(offset),
            // The server's own zone tables, where somebody loaded them.
            None => {
                let mut sql = Sql::new("SELECT CAST(TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), CONVERT_TZ(UTC_TIMESTAMP(), '+00:00', ");
                sql.bind(zone.as_str()).push(")) AS SIGNED) AS number");
                self.rows::<NumberRow>(sql).await?.into_iter().next().and_then(|row| row.number)
            }
        };
        let Some(offset) = offset else {
            self.notes.push(ShopNote::TimeZoneUnknown(zone));
            return Ok(());
        };
        self.time_zone = zone::offset_text(offset);
        let mut sql = Sql::new("SET SESSION time_zone = ");
        sql.bind(self.time_zone.as_str());
        self.run(sql).await.map(drop)
    }

    /// A setting of the store, or of store 0 where the store has none of its own; empty counts as none.
    pub(super) async fn setting(&mut self, key: &str) -> Result<Option<String>, Fault> {
        let mut sql = Sql::new(format!("SELECT `value` AS `text` FROM {} WHERE `code` = 'config' AND `key` = ", self.tables.setting));
        sql.bind(key)
            .push(" AND `store_id` IN (0, ")
            .bind(i64::from(self.options.store_id))
            .push(") AND `value` <> '' ORDER BY `store_id` DESC LIMIT 1");
        Ok(self.rows::<TextRow>(sql).await?.into_iter().next().and_then(|row| row.text))
    }

    /// Rows of a query. A failed fetch cannot hang a later one: the statement cache is off (design section 8).
    pub(super) async fn rows<T>(&mut self, sql: Sql) -> Result<Vec<T>, Fault>
    where
        T: FromSqlRow<Untyped, Mysql> + Send + 'static,
    {
        self.session.call(move |connection| sql.load::<T>(connection).map_err(fault)).await
    }

    /// How many rows a statement matched or wrote. A deadlock (InnoDB) undoes the statement whole, so it is tried again.
    pub(super) async fn run(&mut self, sql: Sql) -> Result<u64, Fault> {
        self.session
            .call(move |connection| {
                let mut tries = DEADLOCK_TRIES;
                loop {
                    tries -= 1;
                    match sql.run(connection) {
                        Err(Error::DatabaseError(DatabaseErrorKind::SerializationFailure, _)) if tries > 0 => {}
                        answer => return answer.map_err(fault),
                    }
                }
            })
            .await
    }

    /// Most bytes of values that one statement should carry: far below what the server takes in one packet.
    pub(super) fn packet(&self) -> usize {
        (self.max_packet / 2).min(1 << 20)
    }

    /// The server's number of this session.
    pub fn session_id(&self) -> u64 {
        self.session.id()
    }
}

/// A database error as a fault; a table or column that is not there, or a missing right, is the settings' matter.
fn fault(error: Error) -> Fault {
    let text = error.to_string();
    if text.contains("denied") {
        return Fault::new(Code::RemoteForbidden, format!("the shop's database: {text}")).caused_by(error);
    }
    if ["doesn't exist", "Unknown column"].iter().any(|sign| text.contains(sign)) {
        return Fault::new(Code::TargetSchema, text).caused_by(error);
    }
    from_diesel(error, Code::TargetUnavailable)
}

/// Name of the lock of one connection on one shop: at most 64 characters (MySQL 5.7).
pub(super) fn lock_name(identity: &str, connection_id: &str) -> String {
    let digest = Sha256::digest(format!("{identity}\n{connection_id}").as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("tradesync:{}", hex.get(..40).unwrap_or(&hex))
}

impl Writer {
    /// Opens the writing session and takes the lock of `connection_id` on this shop.
    ///
    /// The caller holds the connection's lease, so whoever still holds the lock is the session of a dead worker: it is killed.
    /// Errors: as [`Reader::open`]; `TargetUnavailable` if the former holder could not be ended.
    pub async fn open(options: &Options, connection_id: &str) -> Result<Self, Fault> {
        let mut reader = Reader::connect(options, false).await?;
        reader.lock(&lock_name(&options.identity(), connection_id)).await?;
        let reader = reader.acquaint().await?;
        Ok(Self { reader, batches: super::batch::Batches::default(), unsettled: Vec::new() })
    }
}

impl Reader {
    async fn lock(&mut self, name: &str) -> Result<(), Fault> {
        for _ in 0..LOCK_ATTEMPTS {
            let mut sql = Sql::new("SELECT CAST(IS_USED_LOCK(");
            sql.bind(name).push(") AS SIGNED) AS number");
            let holder = self.rows::<NumberRow>(sql).await?.into_iter().next().and_then(|row| row.number);
            if let Some(holder) = holder.and_then(|id| u64::try_from(id).ok()) {
                tracing::info!(database.connection = holder, "ending the session of a former writer");
                self.session.kill_other(holder).await;
            }
            let mut sql = Sql::new("SELECT CAST(GET_LOCK(");
            sql.bind(name).push(", 2) AS SIGNED) AS number");
            if self.rows::<NumberRow>(sql).await?.into_iter().next().and_then(|row| row.number) == Some(1) {
                return Ok(());
            }
        }
        Err(Fault::new(
            Code::TargetUnavailable,
            "another session holds this connection's lock on the shop's database and could not be ended",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_names_fit_and_tell_shops_apart() {
        let name = lock_name("127.0.0.1:3306/kmall/oc_", "c1");
        assert_eq!(name.len(), 50);
        assert_ne!(name, lock_name("127.0.0.1:3306/kmall/oc_", "c2"));
        assert_ne!(name, lock_name("127.0.0.1:3306/kmall/ms_", "c1"));
    }
}
