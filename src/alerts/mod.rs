//! Alerts: who is told when something is not as it should be, and how.
//!
//! Three parts, each safe to die at any point and to run in any number of processes:
//!
//! 1. The [`watch`] looks, in every process (also one that only answers requests), at what is stored: last successes, failures in a
//!    row, rules of schedules, what nobody has taken up. It asks no scheduler and no worker: those may be what has stopped. Whether a
//!    finding is news is decided in [`quiet`]; news are stored in the transaction that remembers them, so each is stored once.
//! 2. The [`sender`] takes stored alerts, one attempt at a time per channel, and writes down what came of it. A process that dies in
//!    between leaves the attempt to another, which sends the same alert under the same id: at least once, and to be recognised.
//! 3. [`channels`] carry a [`message`]: signed webhook, Telegram bot, mail.
//!
//! Start at [`rules`], which says what is not as it should be (pure), and [`deadline`]: by when a stream should have been synchronised.

pub mod channels;
pub mod deadline;
pub mod message;
pub mod quiet;
pub mod rules;
pub mod sender;
pub mod watch;
