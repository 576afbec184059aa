//! OK Living, a shop with an ALLO-compatible API that behaves like Shopware 6: orders are read, and their tracking number, states and note
//! are written.
//!
//! **Auth.** `client_id` and `client_secret` are exchanged for a bearer token that lives for 600 s ([`session`]); it is renewed a tenth of its
//! life early, by one login for all, and once when a call is refused. (Fact sheet, section 1.)
//!
//! **Limits.** The token endpoint throttles by time ([`classify`] knows the 429); no other limit is known. [`Options::pause`] keeps calls apart.
//!
//! **Quirks** that shape this code:
//!
//! | quirk | section | answer |
//! |---|---|---|
//! | request and answer of `get-orders` are not documented | 4.1 | the request is a template ([`request`]), the list is looked for at every place of the sheet ([`wire`]) |
//! | `[]` and `{}` mean "no orders", null and a missing list do not | 4.1 | [`wire::orders`] refuses the latter: an alarm, and no cursor moves |
//! | a server may ignore `page` and would loop for ever | 4.1 | [`paging`] ends where a page brings no new order |
//! | 200 may hold an error | 3 | [`classify`] judges every answer |
//! | `statuses` are transitions, not states; one call may be applied half | 5 | [`Updated`] tells an illegal transition from other refusals |
//! | ids are digits with leading zeros, or 32 hex digits | 6 | texts everywhere |
//!
//! Answers hold names and phones: nothing of them is logged, not even of one that cannot be read.
//!
//! Start reading at [`client`].

pub mod classify;
pub mod client;
pub mod paging;
pub mod request;
pub mod session;
pub mod wire;

use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;
use url::Url;

pub use client::{Client, Update, Updated};
pub use paging::{Pages, Paging};
pub use request::Window;
pub use wire::RawOrder;

/// Name of the system in faults, logs and metrics.
pub const SYSTEM: &str = "okliving";
/// The shop's address (requirements).
pub const BASE_URL: &str = "https://www.ok-living.ua";
/// Where a token is got (requirements).
pub const TOKEN_PATH: &str = "/api/oauth/token";
/// Where orders are read (requirements).
pub const ORDERS_PATH: &str = "/api/get-orders";
/// Where orders are changed (requirements).
pub const UPDATE_PATH: &str = "/api/update-order";
/// Pages of one read at most: a server whose paging never ends must not keep a worker for ever.
pub const MOST_PAGES: u32 = 2_000;
/// How long a read may take: a page holds whole orders.
pub const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// How long an update may take.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(40);

/// How the login is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenBody {
    /// As Shopware takes it.
    Json,
    /// As the requirements' PHP sample suggests.
    Form,
}

/// What the client needs to know of a connection.
#[derive(Clone, Debug)]
pub struct Options {
    /// Scheme, host and, if need be, a path before the API's own.
    pub base_url: Url,
    /// Path of the token.
    pub token_path: String,
    /// Path of the orders.
    pub orders_path: String,
    /// Path of the update.
    pub update_path: String,
    /// Name of the integration.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
    /// How the login is sent.
    pub token_body: TokenBody,
    /// Template of the body of `get-orders` ([`request`]).
    pub request: Value,
    /// The same for one order, with `${id}`; null = one order is looked for in the ordinary list.
    pub order_request: Value,
    /// How pages are asked for.
    pub paging: Paging,
    /// Orders asked for per page.
    pub page_size: u32,
    /// How times are written into the template.
    pub times: request::Times,
    /// Calls are so far apart (before scaling).
    pub pause: Duration,
}
