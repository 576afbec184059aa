//! How any run works. Knows no system and no SQL.
//!
//! A run has three durable phases (design.md section 3): **read** pages into records, **decide** records + links + observed
//! target into changes, **apply** the changes batch by batch: intent, effect, record. Each step is safe to repeat after
//! `kill -9`.
//!
//! # Deciding again
//!
//! Nothing has to be marked for it. Every real run of any stream decides anew over **every** standing record of its connection, by
//! the settings, streams, links and mappings of that moment, and compares with what stands in the target now; what the read of that
//! run brought does not matter (an incremental read may bring nothing at all). So whatever changes an outcome (a category was mapped,
//! a shop was added, disabled or removed, a setting was changed, a person edited a product) needs no hook: put what the rules must know
//! into [`flow::Facts`], and the next run of whichever stream carries it out from the records, without reading them from the source
//! again. Only runs of named `items` look at less. `tests/it/deciding_again.rs` holds the engine to this promise.
//!
//! - [`model`]: connections, streams, runs, records, changes; [`link`]: links
//! - [`flow`]: what a flow gives to the engine: settings, source, rules, target
//! - [`ports`]: what the engine needs from a store
//! - [`mapping`]: which group of the source (a category) goes where in the target; [`locks`]: what is never touched
//! - [`pictures`]: the second kind of work of a run
//! - [`opened`]: a connection with its secrets, for a run or a request
//! - [`claims`]: names of dictionary rows, claimed before they are made; [`hooks`]: what remotes tell us of their own accord
//! - [`run`]: the three phases; [`worker`]: claiming runs, leases, graceful stop
//! - [`read_summary`]: what a read came to; [`part`]: the records of one stream
//! - [`schedule`]: when streams run by themselves
//! - [`reaction`]: what a failure does to a run; [`retry_list`]: what a failure does to an item; [`standing`]: what stands run after run
//! - [`undo`]: taking back what a run did, the pure part; [`explain`]: why an item is as it is, the pure part
//! - [`brakes`]: limits on what one run may change; [`plans`]: what waits for a person
//! - [`space`]: where links live; [`api_key`]: who may call; [`audit`]: who did what; [`retention`]: what is old goes
//! - [`alerts`]: words and ports of alerts
//! - [`secrets`]: sealing; [`settings`]: reading what a user set; [`service`]: what the API may ask for

pub mod alerts;
pub mod api_key;
pub mod audit;
pub mod brakes;
pub mod claims;
pub mod explain;
pub mod flow;
pub mod hooks;
pub mod link;
pub mod locks;
pub mod mapping;
pub mod model;
pub mod opened;
pub mod page;
pub mod part;
pub mod pictures;
pub mod plans;
pub mod ports;
pub mod queue;
pub mod reaction;
pub mod read_summary;
pub mod records;
pub mod retention;
pub mod retry_list;
pub mod run;
pub mod schedule;
pub mod secrets;
pub mod service;
pub mod settings;
pub mod space;
pub mod standing;
pub mod undo;
pub mod worker;
