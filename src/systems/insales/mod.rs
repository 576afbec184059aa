//! InSales: a shop platform; its catalogue is read and stock is written by the admin API.
//!
//! **Auth.** HTTP Basic: the application's identifier and its password in that shop (fact sheet, section 1). It is sent as a header, never in
//! the address, and only over the scheme that the connection names: API clients follow no redirect.
//!
//! **Limits.** 500 requests in 5 minutes for each application and shop. Calls are [`SPACING`] apart over all processes, and the counter in
//! every answer ([`Usage`]) is believed: close to the end of the budget everybody pauses (section 2).
//!
//! **Quirks** that shape this code:
//!
//! | quirk | section | answer |
//! |---|---|---|
//! | `page` loses rows while products change | 4.1 | [`sweep`] goes by `updated_since` and `from_id`, copied verbatim, to the empty page |
//! | `per_page` is capped, nobody knows where | 4.1 | a short page ends nothing |
//! | 200 with `[]` means queued, not done | 5.1 | [`Sent`] says so; the flow verifies by a later read |
//! | about 2015: one entry per variant | 5.1 | read as well |
//! | over the limit: 429, in older texts 503, both with an empty body | 2 | [`classify`] treats them alike |
//! | 404 is a web page | 3 | refused, never taken for an empty list |
//! | `quantity` is a number, a text or null, and null is not 0 | 4.3 | [`wire`] keeps the three apart |
//!
//! [`Reader`] can only look; [`Writer`] writes as well.
//!
//! Start reading at [`client`].

pub mod classify;
pub mod client;
pub mod sweep;
pub mod wire;
pub mod writer;

#[cfg(test)]
mod tests;

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

pub use classify::Usage;
pub use client::{Reader, Warehouse};
pub use sweep::{Cursor, Swept};
pub use wire::{Product, Quantity, Variant};
pub use writer::{Field, Sent, Update, Writer};

/// Name of the system in faults, logs and metrics.
pub const SYSTEM: &str = "insales";
/// Requests in one window (section 2).
pub const LIMIT: u32 = 500;
/// The window.
pub const WINDOW: Duration = Duration::from_secs(300);
/// Slots are so far apart: the window's length by its requests. Shorter meets the limit, longer only makes sweeps slower.
pub const SPACING: Duration = Duration::from_millis(600);
/// So many requests of the window are left to others that use the same application, such as a person with a script.
pub const RESERVE: u32 = 20;
/// How long everybody pauses when only [`RESERVE`] is left: nobody tells when the window began.
pub const RESPITE: Duration = Duration::from_secs(30);
/// Rows asked for per page; the official sample has 250.
pub const PAGE_SIZE: u32 = 250;
/// Variants in one group update, and ids in one question (sections 4.2, 5.1).
pub const MOST_PER_CALL: usize = 100;
/// For a write, so that it fits well into a run's lease.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(15);
/// For a read: InSales itself gives up after 50 s.
pub const READ_TIMEOUT: Duration = Duration::from_secs(55);

/// What the client needs to know of a connection.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address of the shop.
    pub base_url: Url,
    /// The application's identifier.
    pub app_id: String,
    /// Its password in that shop.
    pub password: SecretString,
    /// Rows per page.
    pub page_size: u32,
}
