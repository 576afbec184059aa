//! What the service tells about itself: logs and metrics, every name in one place.
//!
//! - [`logs`]: text or JSON lines, filtered by `TRADESYNC_LOG`; fields are dotted (`run.id`, `connection.id`, `item.key`)
//! - [`metrics`]: names, help texts, the recorder behind `/metrics`, and one function per event

pub mod logs;
pub mod metrics;

pub use metrics::Metrics;
