//! Small types that cannot hold nonsense, shared by all layers. No I/O, no system's own words.
//!
//! - [`clock`]: the factor that compresses time in tests, durations as people write them
//! - [`number`]: decimals from JSON without floats; rounding
//! - [`ids`]: our own ids; [`name`]: names of tables and columns
//! - [`picture`]: pictures that are proven to be some
//! - [`text`]: sentences for people in four languages

pub mod clock;
pub mod ids;
pub mod name;
pub mod number;
pub mod picture;
pub mod text;
