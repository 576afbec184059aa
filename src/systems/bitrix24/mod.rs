//! Bitrix24: a CRM; contacts and deals are read, and one field of each is written, through an inbound webhook.
//!
//! **Auth.** The webhook's address is the secret: `https://<portal>/rest/<user>/<code>/` (fact sheet, section 1). It stands in no fault, log or
//! metric; calls are known by their method alone. Whoever owns the webhook must see every contact and deal: rows that the owner cannot read are
//! silently missing from lists.
//!
//! **Limits.** Two requests a second for each portal on ordinary plans, kept over all processes. Besides, each method may run for
//! 480 seconds in ten minutes: every answer says how much is used up, and [`client`] pauses before it is (section 2).
//!
//! **Quirks** that shape this code:
//!
//! | quirk | section | answer |
//! |---|---|---|
//! | offset paging skips rows while they change | 4.2 | [`client`] sweeps by `>ID`, without a count, until a page is not full |
//! | unknown fields are ignored in filters and updates, without a word | 4.2, 5 | the flow compares codes with [`FieldMap`] at each run's start |
//! | an update moves DATE_MODIFY | 4.3 | the flow recognises its own echo by what an item holds |
//! | 200 may hold an error; a batch is 200 even if every command failed | 3, 5 | [`classify`] judges the body, [`batch`] each command by itself |
//! | "empty" is null, false, "" or [] | 4.1 | [`wire`] |
//! | updates take seconds, the server cuts a request at 60 s | 2, 5 | [`writer`] sends as many in one batch as fit, and looks again after a lost answer |
//!
//! [`Reader`] can only look; [`Writer`] writes as well.
//!
//! Start reading at [`client`].

pub mod batch;
pub mod classify;
pub mod client;
pub mod wire;
pub mod writer;

#[cfg(test)]
mod tests;

use std::time::Duration;

use secrecy::SecretString;

pub use batch::{CommandError, Commands, Results};
pub use client::{FieldMap, Filter, Reader};
pub use wire::Row;
pub use writer::{Told, Writer};

/// Name of the system in faults, logs and metrics.
pub const SYSTEM: &str = "bitrix24";
/// Rows of a page, and commands of a batch: fixed by the remote (section 2).
pub const PAGE: usize = 50;

/// For a read: the server cuts a request at 60 s.
pub const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// For a write: it must be over before the run's lease could be (30 s), so a batch is kept well below.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(25);

/// What the client needs to know of a connection.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address of the inbound webhook.
    pub webhook: SecretString,
    /// Calls are so far apart (before scaling).
    pub spacing: Duration,
    /// A method that has run for so many of its 480 seconds in ten minutes is left in peace until they are over.
    pub operating_seconds: u64,
}

/// The two kinds of things that are read and told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Entity {
    /// A contact.
    Contact,
    /// A deal.
    Deal,
}

impl Entity {
    /// The method that lists them.
    pub fn list(self) -> &'static str {
        match self {
            Self::Contact => "crm.contact.list",
            Self::Deal => "crm.deal.list",
        }
    }

    /// The method that tells their fields.
    pub fn fields(self) -> &'static str {
        match self {
            Self::Contact => "crm.contact.fields",
            Self::Deal => "crm.deal.fields",
        }
    }

    /// The method that changes one.
    pub fn update(self) -> &'static str {
        match self {
            Self::Contact => "crm.contact.update",
            Self::Deal => "crm.deal.update",
        }
    }
}
