//! Our tables (`tradesync_*`) behind the ports of [`crate::engine`] and [`crate::remote`].
//!
//! Rules that hold in every file: times are UTC with microseconds; a write that belongs to a run checks the run's fence in the
//! same transaction; transactions are short and repeated on deadlock; values are always bound. No statement here ever names a
//! table of a shop.
//!
//! - [`migrate`]: the schema; [`schema`]: the same for diesel
//! - one file per port: [`connections`], [`runs`], [`records`], [`links`], [`changes`], [`plans`], [`pictures`], `claims`, [`retries`],
//!   `queue`, [`standing`], [`retention`], [`leases`], [`limits`], [`keys`], [`mappings`], [`inbox`], [`locks`], [`schedules`], [`alerts`];
//!   `events` and `stream_health`: what people are to be told of
//! - [`transaction`]: transactions, idempotency keys inside them; `versions`: documents that are replaced as a whole; [`audit`]: who did
//!   what, in the same transaction; [`convert`]: rows to model

mod alert_deliveries;
mod alert_facts;
pub mod alerts;
pub mod audit;
pub mod changes;
mod changes_past;
mod changes_record;
mod claims;
pub mod connections;
mod convert;
mod events;
pub mod hooks;
pub mod inbox;
pub mod keys;
pub mod leases;
pub mod limits;
pub mod links;
mod links_note;
pub mod locks;
pub mod mappings;
pub mod migrate;
pub mod pictures;
pub mod plans;
mod plans_held;
mod queue;
mod queue_take;
pub mod records;
pub mod retention;
pub mod retries;
pub mod runs;
mod runs_queue;
mod schedule_ticks;
pub mod schedules;
pub mod schema;
pub mod standing;
mod stream_health;
mod succession;
mod transaction;
mod versions;

use std::sync::Arc;

use async_trait::async_trait;
use diesel::MysqlConnection;

use crate::{
    db::{DatabaseUrl, Pool, client, pool::Options},
    engine::{ports::Ready, queue::watch::Bell, run::hold::lease_length, worker},
    fault::{Code, Fault},
};

/// Session variables of our own connections: UTC, strict, and lock waits that end.
const SESSION: &[&str] = &[
    "SET SESSION time_zone = '+00:00'",
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO'",
    "SET SESSION innodb_lock_wait_timeout = 10, lock_wait_timeout = 20",
    "SET NAMES utf8mb4",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    // Every list has a key of its own; what several keys have in common would have to be gathered whole and sorted for one page.
    "SET SESSION optimizer_switch = 'index_merge_intersection=off'",
];

/// Whoever is urgent does not wait long for a row: it is looked at again soon.
const URGENT: &str = "SET SESSION innodb_lock_wait_timeout = 2";

/// Lets the server end transactions that stand idle: a process that was stopped in the midst of one would keep its rows from those
/// who take over. MariaDB knows idle transactions; MySQL only idle connections, which the pools replace without a word.
fn idle_transactions() -> String {
    let seconds = queue::longest_idle_transaction(lease_length(worker::Options::default().lease));
    format!("SET SESSION net_write_timeout = 60 /*M!100300 , idle_transaction_timeout = {seconds} */ /*!50717 , wait_timeout = 90 */")
}

/// The pool of our tables. The act that a caller is a part of goes with every call, so that its entry can be written where it happens.
#[derive(Clone)]
struct Tables(Pool);

impl Tables {
    async fn call<T, F>(&self, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&mut MysqlConnection) -> Result<T, Fault> + Send + 'static,
    {
        let act = crate::engine::audit::current();
        self.0.call(move |connection| crate::engine::audit::carried(act, || work(connection))).await
    }
}

/// Implements every store port on one MySQL or MariaDB database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pool: Tables,
    /// Leases and limits have connections of their own: a heartbeat must never wait behind a report.
    urgent: Pool,
    bell: Arc<Bell>,
}

impl Store {
    /// Opens the pools; nothing is connected yet.
    pub fn open(url: DatabaseUrl, size: u32) -> Result<Self, Fault> {
        Self::open_with(url, size, &[])
    }

    /// The same with further statements on each new connection. Tests set `@@timestamp` by it: what the database takes for now is the
    /// clock of everything that several processes share.
    pub fn open_with(url: DatabaseUrl, size: u32, further: &[String]) -> Result<Self, Fault> {
        let session: Vec<String> =
            SESSION.iter().map(|statement| (*statement).to_owned()).chain([idle_transactions()]).chain(further.iter().cloned()).collect();
        let options = Options::new(url, size, session, Code::DatabaseUnavailable);
        let mut urgent = Options { size: 2, ..options.clone() };
        urgent.session.push(URGENT.to_owned());
        Ok(Self { pool: Tables(Pool::open(options)?), urgent: Pool::open(urgent)?, bell: Arc::default() })
    }

    /// Runs what migrations are missing, once it is sure that the client library can be trusted: every process calls it before anything
    /// else. Several may call it at once.
    pub async fn migrate(&self) -> Result<Vec<String>, Fault> {
        self.pool.call(client::prove).await?;
        self.pool.call(migrate::up).await
    }
}

#[async_trait]
impl Ready for Store {
    async fn ready(&self) -> Result<(), Fault> {
        let missing = self.pool.call(migrate::missing).await?;
        if missing.is_empty() {
            Ok(())
        } else {
            Err(Fault::new(Code::DatabaseUnavailable, format!("migrations are missing: {}; run: tradesync migrate", missing.join(", "))))
        }
    }
}

/// A database error of ours as a fault.
fn fault(error: diesel::result::Error) -> Fault {
    crate::db::pool::from_diesel(error, Code::DatabaseUnavailable)
}
