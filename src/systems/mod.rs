//! One outside system each, same file names everywhere: `mod.rs` (auth, limits, quirks), `client.rs`, `wire.rs`, `classify.rs`.
//! A system knows no other system and no engine.

pub mod billz1;
pub mod billz2;
pub mod bitrix24;
pub mod insales;
pub mod kaktus;
pub mod okliving;
pub mod onebox;
pub mod opencart;
pub mod otmechalka;
