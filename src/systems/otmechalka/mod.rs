//! otmechalka.com: a CRM of sports and study centres; clients and tickets are looked up, made and (clients only) changed.
//!
//! **Its API is only proposed** (`facts/otmechalka.md`): nobody has seen it run. Paths, header, whether courses and branch offices go by id or
//! by name, pace and timeout are [`Options`]; the shapes of bodies and answers are in [`wire`] and [`classify`]. When the real API is known,
//! those two files and [`client`] are what changes; no rule of the flow does.
//!
//! **Auth.** One header, whose text is a setting with the key put into it ([`client::auth_header`]); none by default.
//!
//! **Limits.** None are known: one call at a time, [`Options::spacing`] apart. 5000 active visitors at most.
//!
//! **Quirks** that shape this code:
//!
//! | quirk | section | answer |
//! |---|---|---|
//! | a create may be carried out though its answer is lost, and a second one makes a double | 6 | creates are never repeated here ([`Sent::Lost`]); the flow looks up first |
//! | "not found" may be 404, `null`, `{}` or `[]`; an HTML 404 is a wrong address | 3 | [`classify::found`] |
//! | a path without its last slash redirects, which turns POST into GET | 1 | the slash is always sent, redirects are errors |
//! | ids may be numbers above 2^31, or texts | 4 | kept as text |
//!
//! [`Reader`] can only look; [`Writer`] writes as well.
//!
//! Start reading at [`client`].

pub mod classify;
pub mod client;
pub mod wire;

#[cfg(test)]
mod tests;

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

pub use client::{Reader, Sent, Writer};
pub use wire::{Client, Found, Ticket};

/// Name of the system in faults, logs and metrics.
pub const SYSTEM: &str = "otmechalka";
/// Where clients are, by the proposal.
pub const CLIENTS_PATH: &str = "/api/clients/";
/// Where tickets are.
pub const TICKETS_PATH: &str = "/api/tickets/";

/// What the client needs to know of a connection.
#[derive(Clone, Debug)]
pub struct Options {
    /// Scheme, host and, if need be, a path before the API's own.
    pub base_url: Url,
    /// `Name: text`, where `{key}` stands for the key and `{basic}` for it in Base64.
    pub auth_header: Option<String>,
    /// The key; `user:password` for Basic.
    pub key: Option<SecretString>,
    /// Path of clients, with a slash at its end.
    pub clients_path: String,
    /// Path of tickets.
    pub tickets_path: String,
    /// Calls are so far apart (before scaling).
    pub spacing: Duration,
    /// For one exchange.
    pub timeout: Duration,
}
