//! Talking HTTP to anybody.
pub mod ports;
