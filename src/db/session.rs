//! One database connection that is never silently replaced.
//!
//! Whoever holds `GET_LOCK` holds it through this connection; if it is lost, the lock is lost, and a quiet reconnect would let
//! two writers work at once (design.md section 7). So after any loss every further call fails.

use std::sync::Arc;

use diesel::{Connection, MysqlConnection};

use super::pool::{self, KILL_LIMIT, Options};
use crate::fault::Fault;

/// A single connection with a time limit on every call. Ends when dropped.
pub struct Session {
    connection: Option<MysqlConnection>,
    id: u64,
    options: Arc<Options>,
}

impl Session {
    /// Connects and sets the session's variables.
    pub async fn open(options: Options) -> Result<Self, Fault> {
        let options = Arc::new(options);
        let inner = options.clone();
        let limit = options.call_limit;
        let opening = tokio::task::spawn_blocking(move || {
            let mut connection = MysqlConnection::establish(inner.url.expose()).map_err(|error| {
                Fault::new(inner.unavailable, format!("no connection to {} could be had", inner.url.identity())).caused_by(error)
            })?;
            pool::prepare(&mut connection, &inner.session).map_err(|error| pool::from_diesel(error, inner.unavailable))?;
            let id = pool::connection_id(&mut connection).map_err(|error| pool::from_diesel(error, inner.unavailable))?;
            Ok::<_, Fault>((connection, id))
        });
        // A host that takes the connection and then says nothing would hold the run for ever.
        let opened = tokio::time::timeout(limit, opening)
            .await
            .map_err(|_| {
                Fault::new(options.unavailable, format!("{} did not answer within {} s", options.url.identity(), limit.as_secs()))
            })?
            .map_err(|panic| Fault::internal("opening a database session ended unexpectedly").caused_by(panic))?;
        let (connection, id) = opened?;
        Ok(Self { connection: Some(connection), id, options })
    }

    /// The server's number of this connection.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// How it was opened.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Runs `work` within the time limit. After a passed limit the connection is killed and every further call fails.
    pub async fn call<T, F>(&mut self, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&mut MysqlConnection) -> Result<T, Fault> + Send + 'static,
    {
        let lost = || Fault::new(self.options.unavailable, format!("the session on {} is lost", self.options.url.identity()));
        let mut connection = self.connection.take().ok_or_else(lost)?;
        let task = tokio::task::spawn_blocking(move || {
            let answer = work(&mut connection);
            (connection, answer)
        });
        match tokio::time::timeout(self.options.call_limit, task).await {
            Ok(Ok((connection, answer))) => {
                self.connection = Some(connection);
                answer
            }
            Ok(Err(panic)) => Err(Fault::internal("a database call ended unexpectedly").caused_by(panic)),
            Err(_) => {
                self.kill_other(self.id).await;
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

    /// Kills another connection of the same database user, through a connection of its own.
    ///
    /// The future does not borrow the session: a connection is not `Sync`, and callers' futures have to be `Send`.
    pub fn kill_other(&self, id: u64) -> impl Future<Output = ()> + Send + use<> {
        let options = self.options.clone();
        async move {
            let _ = tokio::time::timeout(KILL_LIMIT, tokio::task::spawn_blocking(move || pool::kill(&options, id))).await;
        }
    }
}
