//! MySQL and MariaDB connections: pools, single sessions, time limits, KILL. No tables.
//!
//! Why so careful (design.md section 8, measured): a prepared statement whose rows could not be fetched hangs a thread for ever when it
//! is run again (diesel on Debian's libmariadb). So connections that are never replaced keep no statement prepared, and those of a pool
//! forget all of theirs after any error ([`forget_statements`]); kept ones halve the round trips of a small run. A call that outlives its
//! time limit is ended by `KILL` from another connection, since dropping the future does not stop the thread.
//!
//! - [`client`]: whether the client library can be trusted
//! - [`pool`]: shared connections, for our own tables and for short reads
//! - [`session`]: one connection that is never silently replaced, for everything that holds `GET_LOCK`
//! - [`mod@transaction`][]: transactions
//! - [`mod@kept`]: statements written by hand that stay prepared
//! - [`ident`]: names of tables and columns that come from settings

pub mod client;
pub mod ident;
pub mod kept;
pub mod pool;
pub mod session;
pub mod target;
pub mod transaction;

pub use ident::Ident;
pub use kept::{kept, kept_if_few};
pub use pool::{Options, Pool, forget_statements};
pub use session::Session;
pub use target::DatabaseUrl;
pub use transaction::transaction;
