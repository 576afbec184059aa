//! Kaktus (kak2c.ru), a fulfilment system: products with variants and their stock, read by REST. We only read.
//!
//! **Auth.** Login and password are exchanged for a bearer token (`POST /api/lite/auth`), a JWT that lives for 14,400 s. There is no refresh:
//! we log in anew, ten minutes before its `exp` by the server's own clock, and once when a call is refused. (Fact sheet, section 1.)
//!
//! **Limits.** None are known; [`Options::pause`] keeps calls apart, 429 and `Retry-After` are honoured if they ever come (section 2).
//!
//! **Quirks** that shape this code:
//!
//! | quirk | section | answer |
//! |---|---|---|
//! | `success: false` inside a 200, also for an expired token | 3 | [`classify`] judges every answer; a missing `products` or `recordsTotal` is an error, never "no products" |
//! | pages count from 0, `size` may be ignored, the order of rows is unknown | 4.1, 6 | [`paging`] reads to the empty page and says whether all of it came |
//! | the form of `barcodes` is unknown, ids are texts or numbers, names of fields are guesses | 4.1 | [`wire`] takes every form of the sheet |
//! | `stock` is a list that may be empty: that is not 0 | 6 | rows are handed on as they are |
//!
//! Start reading at [`client`].

pub mod classify;
pub mod client;
pub mod paging;
pub mod session;
pub mod wire;

#[cfg(test)]
mod tests;

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

pub use client::{Client, ProductPage};
pub use paging::{Read, ReadProof, doubt};
pub use wire::{Fields, Product, StockRow, Variant};

/// Name of the system in faults, logs and metrics.
pub const SYSTEM: &str = "kaktus";
/// The vendor's address (fact sheet, section 1).
pub const BASE_URL: &str = "https://app.kak2c.ru";
/// Where one logs in.
pub const AUTH_PATH: &str = "/api/lite/auth";
/// Where the products are.
pub const PRODUCTS_PATH: &str = "/api/lite/products";
/// Rows per page, as inferred from clients' arithmetic (section 2).
pub const PAGE_SIZE: u32 = 100;
/// The most that any method of it is known to take.
pub const LARGEST_PAGE: u32 = 1_000;

/// What the client needs to know of a connection.
#[derive(Clone, Debug)]
pub struct Options {
    /// Scheme, host and, if need be, a path before the API's own.
    pub base_url: Url,
    /// Path of the login.
    pub auth_path: String,
    /// Path of the products.
    pub products_path: String,
    /// The user's name.
    pub login: SecretString,
    /// The user's password.
    pub password: SecretString,
    /// Header `Domain`, which one client was seen to send.
    pub domain: Option<String>,
    /// Rows per page, 1..=[`LARGEST_PAGE`]; the remote may ignore it.
    pub page_size: u32,
    /// Calls are so far apart (before scaling).
    pub pause: Duration,
    /// Which number of a stock row counts.
    pub fields: Fields,
}
