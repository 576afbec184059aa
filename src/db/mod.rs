//! MySQL and MariaDB connections: pools, single sessions, time limits, KILL. No tables.
//!
//! Why so careful (design.md section 8, measured): diesel's statement cache on Debian's libmariadb can hang a thread for ever
//! after a failed fetch, so the cache is off on every connection; a call that outlives its time limit is ended by `KILL` from
//! another connection, since dropping the future does not stop the thread.
//!
//! - [`pool`]: shared connections, for our own tables and for short reads
//! - [`session`]: one connection that is never silently replaced, for everything that holds `GET_LOCK`
//! - [`ident`]: names of tables and columns that come from settings

pub mod ident;
pub mod pool;
pub mod session;
pub mod target;

pub use ident::Ident;
pub use pool::{Options, Pool};
pub use session::Session;
pub use target::DatabaseUrl;
