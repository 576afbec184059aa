//! BILLZ 1.0: the tills and stock of a seller, read by JSON-RPC. We only read, by one method: `products.get`.
//!
//! **Auth.** There is no login: we make the JWT ourselves ([`session`]) out of USERNAME and secret. What the service refuses in it looks
//! always the same, "Invalid token": a wrong secret, a wrong name, a clock that differs. On a refusal one new token is made by the
//! remote's own clock and tried once. (Fact sheet, section 1.)
//!
//! **Limits.** None are documented: one call at a time per account, [`SPACING`] apart (section 2).
//!
//! **Quirks** that shape this code:
//!
//! | quirk | section | answer |
//! |---|---|---|
//! | no paging: the whole catalogue in one answer | 2 | [`answer`] parses it as it comes, in pages of [`PAGE`] rows; never the whole in memory |
//! | nothing says that an answer is complete | 4.2 | [`proof`]: list and envelope closed, the answer's own id, distinct products, `totalRows` |
//! | errors inside a 200 and inside a 401; `result` null or missing | 3 | [`classify`] decides by the body |
//! | `ID` or `id`, `barCode` or `barcode`, any key missing, numbers with and without point or as text | 4.2 | [`wire`] is tolerant |
//! | goods without stock disappear unless asked for | 6 | [`Client`] always asks for them |
//! | offices: the same filter that leaves goods out looks like goods that are gone | 6 | all offices are read; rows keep each apart, and only the chosen ones are used |
//!
//! Start reading at [`client`].

pub mod answer;
pub mod classify;
pub mod client;
pub mod probe;
pub mod proof;
pub mod session;
pub mod wire;

#[cfg(test)]
mod tests;

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

pub use client::{Client, Pages, ProductPage};
pub use proof::{ReadProof, doubt};
pub use wire::{Office, Product};

/// Name of the system in faults, logs and metrics.
pub const SYSTEM: &str = "billz1";
/// The vendor's address (fact sheet, section 1).
pub const BASE_URL: &str = "https://api.billz.uz";
/// The currency of `price` and `discountAmount` (fact sheet, section 4.2).
pub const CURRENCY: &str = "UZS";
/// Calls of one account are so far apart. No limit is documented; each call may cost the remote a scan of the whole catalogue.
pub const SPACING: Duration = Duration::from_secs(1);
/// Rows handed over together. More only costs memory; less costs a round trip to our database for each few rows.
pub const PAGE: usize = 500;
/// How long the answer's beginning is waited for: the remote gathers the whole catalogue first. What comes then has the client's own patience
/// for each piece.
pub const PATIENCE: Duration = Duration::from_secs(300);
/// What stands in `iss` unless the connection says otherwise; whether it is looked at is unknown.
pub const ISSUER: &str = "tradesync";

/// What the client needs to know of a connection.
#[derive(Clone, Debug)]
pub struct Options {
    /// Scheme, host and, if need be, a path before the API's own.
    pub base_url: Url,
    /// "USERNAME billz", in any case.
    pub username: String,
    /// "Секретный ключ billz": its bytes are the key, whatever they look like.
    pub secret: SecretString,
    /// `iss` of the token.
    pub issuer: String,
}
