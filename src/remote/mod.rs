//! Talking HTTP to anybody: what is hard about it is written once, here; what differs between systems is data and pure
//! conversions, in `systems`.
//!
//! One call goes this way ([`Http::send`]): token -> slot of the shared limit -> send -> classify -> react.
//! The token comes before the slot since a login takes a slot of its own: a slot that waited for a login would be used late,
//! beside somebody else's.
//!
//! | what the answer is ([`Class`]) | what happens | ends as |
//! |---|---|---|
//! | good | the value is handed over | |
//! | unavailable, connect failure, timeout, cut body | retried with backoff, if replay is safe | `remote-unavailable` |
//! | garbled (HTML or nothing where JSON should be) | the same | `remote-protocol` |
//! | unreadable (JSON that breaks off) | one more try | `remote-protocol` |
//! | rate limited | all processes pause; not a failure | `remote-rate-limited` with `until`, when the pause is long |
//! | token expired | one login for all callers, one replay | `remote-auth` |
//! | auth, forbidden, rejected | nothing more | `remote-auth`, `remote-forbidden`, `remote-rejected` |
//!
//! A long answer is handed over piece by piece ([`Http::open`], [`stream`]). Its beginning is judged like any answer; what breaks off later
//! is the caller's to judge.
//!
//! Start reading at [`client`], then [`classify`]. [`token`] holds the single flight, [`retry`] the delays, [`redact`] what may
//! be said about an answer in faults and logs. [`lenient`] and [`row`] read values and rows that come in several forms.
//!
//! Addresses that came *inside remote data* are another matter: [`foreign`] fetches them, behind the SSRF [`guard`].
//!
//! Durations given here are as people think of them; [`crate::domain::clock::scaled`] is applied just before waiting, so the
//! durations handed to [`ports::Limits`] and those it answers are real time already.

pub mod call;
pub mod classify;
pub mod client;
pub mod foreign;
pub mod guard;
pub mod lenient;
pub mod ports;
pub mod redact;
pub mod retry;
pub mod row;
pub mod stream;
pub mod token;
pub mod wait;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use call::{Answer, Call, Effect, Limiter, Permit};
pub use classify::{Class, Reply};
pub use client::{Http, Options};
pub use row::BadRow;
pub use stream::Streamed;
pub use token::{Login, Token};
pub use wait::wait;

/// Counter of requests sent, by `system` and `class` ([`Class::name`], or `connect`, `timeout`, `cut`, `too_large`).
pub const METRIC_REQUESTS: &str = "tradesync_remote_requests_total";
/// Counter of answers that asked us to slow down, by `system`.
pub const METRIC_THROTTLED: &str = "tradesync_remote_throttled_total";
