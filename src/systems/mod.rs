//! One outside system each: how it is talked to, its limits and its quirks. A system knows no other system and no engine.

pub mod opencart;
