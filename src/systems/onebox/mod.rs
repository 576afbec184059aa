//! OneBox, a CRM: orders ("processes") are looked up, made and changed by its API v2.
//!
//! **Auth.** Login and REST password are exchanged for a token ([`session`]) that goes into the header `token`. Its life is not documented:
//! [`Options::token_life`]. (Fact sheet, section 1.)
//!
//! **Limits.** None are known; [`Options::pause`] keeps calls apart. One order per call, so that success and failure are unambiguous (section 2).
//!
//! **Quirks** that shape this code:
//!
//! | quirk | section | answer |
//! |---|---|---|
//! | an expired token is a 400 whose text speaks of "token" | 3 | [`classify`] takes it as expiry: one login, one replay |
//! | success is 2xx *and* `status` 1; errors come as a list, a map or objects | 3 | [`classify`] |
//! | some boxes take an array, others an object with numeric keys | 5.1 | [`BodyRoot`], with one fallback on that very error |
//! | 200 with an empty `dataArray` or id 0 proves nothing | 6 | [`Stored::Unproven`]: look it up |
//! | `#12903`, `#4765`: the phone is another contact's | 3, 6 | [`Stored::PhoneTaken`], told by the number, never by one language |
//! | a lost answer to a create may have made the order | 6 | a fault; [`Client::by_externalid`] tells |
//! | a filter by phone is too wide, contact 1 is `restapi` | 4 | [`Client::contact_by_phone`] checks what came |
//! | ids come as numbers and as texts | 4 | texts everywhere |
//!
//! [`Client`] can only look; [`Writer`] writes as well. Answers hold names and phones: nothing of them is logged.
//!
//! Start reading at [`client`].

pub mod classify;
pub mod client;
pub mod session;
pub mod wire;
pub mod writer;

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

pub use client::Client;
pub use wire::{Found, Stage};
pub use writer::{BodyRoot, Stored, Writer};

/// Name of the system in faults, logs and metrics.
pub const SYSTEM: &str = "onebox";
/// Life of a token that two clients were seen to count with (section 1).
pub const TOKEN_LIFE: Duration = Duration::from_secs(3_000);
/// How long a look may take.
pub const READ_TIMEOUT: Duration = Duration::from_secs(40);
/// How long a write may take: answers of 40 s were reported.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// Orders looked up in one call. More makes long filters that nobody has tried, fewer makes more calls.
pub const MOST_PER_LOOK: usize = 50;

/// How the password is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordForm {
    /// As it stands on the employee's card.
    Plain,
    /// Its md5: older boxes hold a hash.
    Md5,
}

/// What the client needs to know of a connection.
#[derive(Clone, Debug)]
pub struct Options {
    /// Scheme and host of the box.
    pub base_url: Url,
    /// Login of the virtual employee.
    pub login: SecretString,
    /// Its REST password.
    pub password: SecretString,
    /// How the password is sent.
    pub password_form: PasswordForm,
    /// How long a token is used.
    pub token_life: Duration,
    /// Calls are so far apart (before scaling).
    pub pause: Duration,
}
