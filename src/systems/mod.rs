//! One outside system each, same file names everywhere: `mod.rs` (auth, limits, quirks), `client.rs`, `wire.rs`, `classify.rs`.
pub mod billz2;
