//! How any run works. Knows no system and no SQL.
//!
//! A run has three durable phases (design.md section 3): **read** pages into records, **decide** records + links + observed
//! target into changes, **apply** the changes batch by batch: intent, effect, record. Each step is safe to repeat after
//! `kill -9`.
//!
//! - [`model`]: connections, streams, runs, records, links, changes
//! - [`flow`]: what a flow gives to the engine: settings, source, rules, target
//! - [`ports`]: what the engine needs from a store
//! - [`run`]: the three phases; [`worker`]: claiming runs, leases, graceful stop
//! - [`reaction`]: what a failure does to a run
//! - [`undo`]: taking back what a run did, the pure part
//! - [`space`]: where links live
//! - [`secrets`]: sealing; [`service`]: what the API may ask for

pub mod flow;
pub mod model;
pub mod ports;
pub mod reaction;
pub mod run;
pub mod secrets;
pub mod service;
pub mod space;
pub mod undo;
pub mod worker;
