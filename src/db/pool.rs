//! Shared connections with a time limit on every call.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use diesel::{
    MysqlConnection, RunQueryDsl,
    connection::{CacheSize, Connection, Instrumentation, InstrumentationEvent},
    r2d2::{self, ManageConnection, R2D2Connection},
    sql_query,
    sql_types::{BigInt, Unsigned},
};

use super::DatabaseUrl;
use crate::fault::{Code, Fault};

/// How a pool is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to connect.
    pub url: DatabaseUrl,
    /// Most connections at once. Too low: callers wait; too high: the shop's own limit of connections is used up.
    pub size: u32,
    /// Statements run on each new connection, in order: session variables and nothing else.
    pub session: Vec<String>,
    /// A call that takes longer is killed and fails as unavailable.
    pub call_limit: Duration,
    /// Which fault a lost server is: ours or a target's.
    pub unavailable: Code,
}

impl Options {
    /// Options with our usual limits: 30 s a call.
    pub fn new(url: DatabaseUrl, size: u32, session: Vec<String>, unavailable: Code) -> Self {
        Self { url, size, session, call_limit: Duration::from_secs(30), unavailable }
    }
}

/// Sets the session's variables, and keeps no statement prepared: that is the pool's own matter.
pub(super) fn prepare(connection: &mut MysqlConnection, session: &[String]) -> diesel::QueryResult<()> {
    connection.set_prepared_statement_cache_size(CacheSize::Disabled);
    for statement in session {
        sql_query(statement).execute(connection)?;
    }
    Ok(())
}

#[derive(diesel::QueryableByName)]
struct ConnectionId {
    #[diesel(sql_type = Unsigned<BigInt>)]
    id: u64,
}

/// The server's number of this connection, for KILL.
pub(super) fn connection_id(connection: &mut MysqlConnection) -> diesel::QueryResult<u64> {
    sql_query("SELECT CONNECTION_ID() AS id").get_result::<ConnectionId>(connection).map(|row| row.id)
}

/// How long ending another connection may take: the host may be as dead as the call that is to be ended.
pub(super) const KILL_LIMIT: Duration = Duration::from_secs(5);

/// Ends another connection of the same user. Unknown numbers are fine: it has ended already.
pub(super) fn kill(options: &Options, id: u64) {
    match MysqlConnection::establish(options.url.expose()) {
        Ok(mut connection) => {
            if let Err(error) = sql_query(format!("KILL {id}")).execute(&mut connection) {
                tracing::debug!(database.connection = id, %error, "nothing to kill");
            }
        }
        Err(error) => tracing::warn!(database.connection = id, %error, "a database connection could not be killed"),
    }
}

/// Statements that one connection keeps prepared. Too low: they are prepared again, which is a second round trip each time; too high:
/// a few copies of the service use up `max_prepared_stmt_count` (16,382 by default), which the shop shares.
const KEPT_STATEMENTS: u32 = 150;
/// A connection that answered so short ago is not asked again whether it stands. Too low: each call is two; too high: the first call
/// after a break, which is often that a run goes back into the queue, fails though a new connection would have done.
const GOOD_FOR: Duration = Duration::from_millis(20);

/// Forgets what a connection keeps prepared. Needed after any error: a statement whose rows could not be fetched hangs for ever when it is
/// run again (design.md section 8).
pub fn forget_statements(connection: &mut MysqlConnection) {
    // Only a change of its size empties it.
    connection.set_prepared_statement_cache_size(CacheSize::Disabled);
    connection.set_prepared_statement_cache_size(CacheSize::Unbounded);
}

/// Counts what a connection keeps prepared.
struct Counting(Arc<AtomicU32>);

impl Instrumentation for Counting {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        if matches!(event, InstrumentationEvent::CacheQuery { .. }) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A connection of a pool.
struct Pooled {
    connection: MysqlConnection,
    /// The server's number of it, for KILL.
    id: u64,
    /// When it last did all that it was asked.
    good: Option<Instant>,
    /// How many statements it keeps prepared.
    kept: Arc<AtomicU32>,
}

impl Pooled {
    /// Does some work; afterwards it keeps no statement that may have failed, and not too many.
    fn work<T>(&mut self, work: impl FnOnce(&mut MysqlConnection) -> Result<T, Fault>) -> Result<T, Fault> {
        self.good = None;
        let done = work(&mut self.connection);
        if done.is_err() || self.kept.load(Ordering::Relaxed) > KEPT_STATEMENTS {
            forget_statements(&mut self.connection);
            self.kept.store(0, Ordering::Relaxed);
        }
        self.good = done.is_ok().then(Instant::now);
        done
    }
}

/// Makes connections and tells whether they still stand.
#[derive(Debug)]
struct Manager(Arc<Options>);

impl ManageConnection for Manager {
    type Connection = Pooled;
    type Error = r2d2::Error;

    fn connect(&self) -> Result<Pooled, r2d2::Error> {
        let mut connection = MysqlConnection::establish(self.0.url.expose()).map_err(r2d2::Error::ConnectionError)?;
        prepare(&mut connection, &self.0.session).map_err(r2d2::Error::QueryError)?;
        let id = connection_id(&mut connection).map_err(r2d2::Error::QueryError)?;
        let kept = Arc::new(AtomicU32::new(0));
        connection.set_instrumentation(Counting(kept.clone()));
        connection.set_prepared_statement_cache_size(CacheSize::Unbounded);
        Ok(Pooled { connection, id, good: None, kept })
    }

    fn is_valid(&self, pooled: &mut Pooled) -> Result<(), r2d2::Error> {
        if pooled.good.is_some_and(|good| good.elapsed() < GOOD_FOR) {
            return Ok(());
        }
        pooled.connection.ping().map_err(r2d2::Error::QueryError)
    }

    fn has_broken(&self, pooled: &mut Pooled) -> bool {
        std::thread::panicking() || pooled.connection.is_broken()
    }
}

/// A pool of connections to one database. Cheap to clone.
#[derive(Clone)]
pub struct Pool {
    inner: r2d2::Pool<Manager>,
    options: Arc<Options>,
}

impl Pool {
    /// Opens the pool; connections are made when first needed, so a server that is down shows at the first call.
    pub fn open(options: Options) -> Result<Self, Fault> {
        let options = Arc::new(options);
        let inner = r2d2::Pool::builder()
            .max_size(options.size)
            .min_idle(Some(0))
            .test_on_check_out(true)
            .connection_timeout(Duration::from_secs(10))
            .idle_timeout(Some(Duration::from_secs(60)))
            .build_unchecked(Manager(options.clone()));
        Ok(Self { inner, options })
    }

    /// Which database this is.
    pub fn url(&self) -> &DatabaseUrl {
        &self.options.url
    }

    /// Runs `work` on one connection, on a thread of its own, within the time limit.
    ///
    /// Errors: the options' `unavailable` code when no connection could be had or the limit passed; what `work` says else.
    pub async fn call<T, F>(&self, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&mut MysqlConnection) -> Result<T, Fault> + Send + 'static,
    {
        let (pool, options) = (self.inner.clone(), self.options.clone());
        let (tell, told) = tokio::sync::oneshot::channel::<u64>();
        let task = tokio::task::spawn_blocking(move || {
            let mut pooled = pool.get().map_err(|error| {
                Fault::new(options.unavailable, format!("no connection to {} could be had", options.url.identity())).caused_by(error)
            })?;
            let _ = tell.send(pooled.id);
            pooled.work(work)
        });
        match tokio::time::timeout(self.options.call_limit, task).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(panic)) => Err(Fault::internal("a database call ended unexpectedly").caused_by(panic)),
            Err(_) => {
                if let Ok(id) = told.await {
                    let options = self.options.clone();
                    let _ = tokio::time::timeout(KILL_LIMIT, tokio::task::spawn_blocking(move || kill(&options, id))).await;
                }
                Err(Fault::new(
                    self.options.unavailable,
                    format!(
                        "a statement on {} took longer than {} s and was ended",
                        self.options.url.identity(),
                        self.options.call_limit.as_secs()
                    ),
                ))
            }
        }
    }
}

/// Turns a database error into a fault: a lost server, a lock that was not had, or a mistake of ours.
pub fn from_diesel(error: diesel::result::Error, unavailable: Code) -> Fault {
    use diesel::result::{DatabaseErrorKind, Error};
    let text = error.to_string();
    let passing = match &error {
        Error::DatabaseError(DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::SerializationFailure, _)
        | Error::BrokenTransactionManager => true,
        // diesel knows no kind for: lock wait timeout, killed query, gone or lost server, refused connection.
        _ => [
            "Lock wait timeout",
            "execution was interrupted",
            "gone away",
            "Lost connection",
            "Can't connect",
            "Server shutdown",
            "was killed",
            "max_statement_time",
            "Too many connections",
            "Server has gone",
        ]
        .iter()
        .any(|sign| text.contains(sign)),
    };
    let code = if passing { unavailable } else { Code::Internal };
    Fault::new(code, if passing { "the database did not finish a statement" } else { "a database statement failed" }).caused_by(error)
}
