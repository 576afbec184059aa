//! Signed links to the page of a connection: whoever holds one sees that connection, without an API key in the browser.
//!
//! A link names connection, end and right, and is signed under the master key together with one of the connection's hook tokens: taking the
//! token away takes its links away, and so does the end of the connection. Nothing is stored.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::{
    Scope, Service,
    hooks::{TOKEN, tokens},
};
use crate::{
    domain::{clock, ids},
    engine::{model::Connection, page::PageFacts, secrets},
    fault::{Code, Fault, Result},
};

/// Longest life of a link, in days. It stands in another system's settings, so it must last; a year is seldom too long to be renewed.
pub const LONGEST_DAYS: u32 = 730;
/// What is signed begins so: no other text of ours does.
const PURPOSE: &str = "tradesync page link v1";

/// A link that was made.
pub struct NewLink {
    /// The flow whose page it opens.
    pub flow: String,
    /// What stands behind `link=`. Whoever has it needs nothing else.
    pub link: SecretString,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// Who opens a page.
pub struct Visit {
    /// The connection.
    pub connection: Connection,
    /// What the flow tells the page.
    pub facts: PageFacts,
    /// The link also changes the mapping.
    pub may_change: bool,
    /// The link has ended: nothing may be shown.
    pub expired: bool,
}

fn signed(connection: &str, until: i64, right: &str, token: &SecretString) -> SecretString {
    SecretString::from(format!("{PURPOSE}\0{connection}\0{until}\0{right}\0{}", token.expose_secret()))
}

const fn right_of(may_change: bool) -> &'static str {
    if may_change { "change" } else { "show" }
}

impl Service {
    /// Makes a link of so many days. Not found for a flow without a page; invalid without a hook token, which signs it.
    pub async fn make_page_link(&self, scope: &Scope, id: &str, days: u32, may_change: bool) -> Result<NewLink> {
        let connection = self.connection(scope, id).await?;
        let opened = self.open(&connection)?;
        self.flow_of(&connection)?.page(&opened)?;
        if !(1..=LONGEST_DAYS).contains(&days) {
            return Err(Fault::field("/days", format!("must be from 1 to {LONGEST_DAYS}")));
        }
        let own = opened.secrets.get(TOKEN).map(tokens).unwrap_or_default();
        let token = own.first().ok_or_else(|| {
            Fault::field(
                "/hook_token",
                "the connection has no secret hook_token: links are signed with it; set it with PATCH /connections/{id}",
            )
        })?;
        let expires_at = clock::now() + TimeDelta::days(i64::from(days));
        let (until, right) = (expires_at.timestamp(), right_of(may_change));
        let signature = self.sealer.signatures(&signed(id, until, right, token)).into_iter().next().unwrap_or_default();
        let link = SecretString::from(format!("{id}.{until}.{right}.{signature}"));
        Ok(NewLink { flow: connection.flow, link, expires_at })
    }

    /// Who opens the page of a flow with this link; `None` for a link that we did not make, or whose token or connection is gone.
    pub async fn visit(&self, flow: &str, link: &SecretString) -> Result<Option<Visit>> {
        let mut parts = link.expose_secret().split('.');
        let (Some(id), Some(until), Some(right), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Ok(None);
        };
        let Ok(until) = until.parse::<i64>() else { return Ok(None) };
        if !ids::plausible(id) {
            return Ok(None);
        }
        let Some(connection) = self.connections.get(id).await?.filter(|found| found.flow == flow) else { return Ok(None) };
        let opened = self.open(&connection)?;
        let given = SecretString::from(signature);
        let own = opened.secrets.get(TOKEN).map(tokens).unwrap_or_default();
        let ours = own.iter().flat_map(|token| self.sealer.signatures(&signed(id, until, right, token)));
        // Every signature is compared, so that nothing is told by the time it takes.
        let good = ours.fold(false, |good, own| good | secrets::same(&SecretString::from(own), &given));
        if !good {
            return Ok(None);
        }
        let mut visit = match self.page_of(connection) {
            Err(fault) if fault.code == Code::NotFound => return Ok(None),
            visit => visit?,
        };
        (visit.may_change, visit.expired) = (right == right_of(true), clock::now().timestamp() >= until);
        Ok(Some(visit))
    }

    /// The page of a connection as it stands now, without any right to change it.
    pub fn page_of(&self, connection: Connection) -> Result<Visit> {
        let opened = self.open(&connection)?;
        let facts = self.flow_of(&connection)?.page(&opened)?;
        Ok(Visit { connection, facts, may_change: false, expired: false })
    }
}
