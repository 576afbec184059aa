//! BILLZ 2.0: the tills and stock of a seller, read by REST. We only read.
//!
//! **Auth.** The merchant's integration key is exchanged for a bearer token (`POST /v1/auth/login`); it lives as long as the
//! JWT's `exp` says, 15 days as seen, whatever `expires_in` says. Never refreshed: a spent refresh token may revoke every session
//! of the key. On 401 we log in once more. (Fact sheet, section 1.)
//!
//! **Limits.** 2 requests a second per outgoing IP, logins included, for all sellers together: one key per egress, shared by all
//! processes through [`Limits`](crate::remote::ports::Limits) (section 2). See [`SPACING`].
//!
//! **Quirks** that shape this code:
//!
//! | quirk | section | answer |
//! |---|---|---|
//! | three families of errors, also inside a 200 | 3 | [`classify`] judges every answer |
//! | `products`, `shops` and inner lists may be null; numbers may be strings; strings may be null | 4.2, 4.3, 6 | [`wire`] is tolerant |
//! | one broken row | | becomes a [`BadRow`] and leaves the page whole |
//! | row order unknown, catalogue moves while it is paged, `limit` may be clamped | 4.1 | [`paging`] counts distinct ids and says whether the read was whole |
//! | `last_updated_date` is `YYYY-MM-DD HH:MM:SS` in UTC; the ISO form is refused | 4.1 | [`Client::products`] |
//! | the tree of categories is deep, its names empty or repeated, `subRows` null | 4.4 | [`categories`] makes it a flat list |
//! | only shops that hold a product have a stock row; promo prices count only with `promos` | 4.3 | left to the rules: rows are handed on as they are |
//!
//! Start reading at [`client`].

pub mod categories;
pub mod classify;
pub mod client;
pub mod currency;
pub mod paging;
pub mod probe;
pub mod session;
pub mod wire;

#[cfg(test)]
mod tests;

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

pub use client::{Client, ProductPage, Shop};
pub use paging::{Pages, ReadProof, doubt};
pub use wire::Product;

pub use crate::remote::BadRow;

/// Name of the system in faults, logs and metrics.
pub const SYSTEM: &str = "billz2";
/// The vendor's address (fact sheet, section 1).
pub const BASE_URL: &str = "https://api-admin.billz.ai";
/// Slots are so far apart. The limit is 2 a second: at exactly 500 ms the jitter of the way lets three fall into one second of the
/// remote's clock, which answers 429; much more only makes reads slower.
pub const SPACING: Duration = Duration::from_millis(550);
/// Rows asked for per page. Over 300 is clamped, refused or honoured: nobody knows (section 2). Small pages cost a slot each.
pub const PAGE_SIZE: u32 = 200;
/// The most that is known to be allowed.
pub const LARGEST_PAGE: u32 = 300;

/// What the client needs to know of a connection.
#[derive(Clone, Debug)]
pub struct Options {
    /// Scheme, host and, if need be, a path before the API's own.
    pub base_url: Url,
    /// The integration key ("Секретный ключ billz").
    pub secret: SecretString,
    /// Which outgoing IP this process has (`TRADESYNC_EGRESS`).
    pub egress: String,
    /// Rows per page, 1..=[`LARGEST_PAGE`].
    pub page_size: u32,
}
