//! **tradesync** keeps shops, tills and CRMs in step.
//!
//! Where to start reading:
//!
//! | you want to know | read |
//! |---|---|
//! | what goes where, and by which rules | [`flows`] (one folder per integration; the rule files are pure) |
//! | how any run works: read, decide, apply; leases; the retry list | [`engine`] |
//! | how one remote system is talked to, its limits and quirks | [`systems`] |
//! | how HTTP is spoken to anybody: retry, limits, tokens, redaction | [`remote`] |
//! | who is told when something is not as it should be | [`alerts`] |
//! | our tables | [`store`] and `migrations/` |
//! | the REST contract | [`api`] |
//! | what can be configured | [`config`] |
//! | what can go wrong, and what happens then | [`fault`] |
//! | simulators of the remotes; the demo | [`sandbox`]; [`demo`] |
//!
//! Folders are layers; `tests/architecture.rs` holds the table of who may import whom.

pub mod alerts;
pub mod api;
pub mod app;
pub mod cli;
pub mod config;
pub mod db;
#[cfg(feature = "sandbox")]
pub mod demo;
pub mod domain;
pub mod engine;
pub mod fault;
pub mod flows;
pub mod remote;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod store;
pub mod systems;
pub mod telemetry;
