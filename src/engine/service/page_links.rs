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
    engine::{
        model::Connection,
        page::PageFacts,
        secrets::{self, Sealer},
    },
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

/// What stands in a link.
struct Ticket<'a> {
    connection: &'a str,
    /// Unix seconds.
    until: i64,
    right: &'a str,
    signature: &'a str,
}

const SHOW: &str = "show";
const CHANGE: &str = "change";

impl<'a> Ticket<'a> {
    fn read(link: &'a str) -> Option<Self> {
        let mut parts = link.split('.');
        let (connection, until, right, signature) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let known = ids::plausible(connection) && [SHOW, CHANGE].contains(&right) && parts.next().is_none();
        known.then_some(Self { connection, until: until.parse().ok()?, right, signature })
    }

    /// The signatures that are good for it, under each master key, the present one first.
    fn signatures(&self, sealer: &Sealer, token: &SecretString) -> Vec<String> {
        let Self { connection, until, right, .. } = self;
        sealer.signatures(&SecretString::from(format!("{PURPOSE}\0{connection}\0{until}\0{right}\0{}", token.expose_secret())))
    }

    /// Whether we made it, with one of these tokens. Every signature is compared, so that nothing is told by the time it takes.
    fn is_ours(&self, sealer: &Sealer, tokens: &[SecretString]) -> bool {
        let given = SecretString::from(self.signature);
        let ours = tokens.iter().flat_map(|token| self.signatures(sealer, token));
        ours.fold(false, |good, own| good | secrets::same(&SecretString::from(own), &given))
    }

    fn is_over(&self, now: DateTime<Utc>) -> bool {
        now.timestamp() >= self.until
    }
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
        let ticket = Ticket { connection: id, until: expires_at.timestamp(), right: if may_change { CHANGE } else { SHOW }, signature: "" };
        let signature = ticket.signatures(&self.sealer, token).into_iter().next().unwrap_or_default();
        let link = SecretString::from(format!("{id}.{}.{}.{signature}", ticket.until, ticket.right));
        Ok(NewLink { flow: connection.flow, link, expires_at })
    }

    /// Who opens the page of a flow with this link; `None` for a link that we did not make, or whose token or connection is gone.
    pub async fn visit(&self, flow: &str, link: &SecretString) -> Result<Option<Visit>> {
        let Some(ticket) = Ticket::read(link.expose_secret()) else { return Ok(None) };
        let found = self.connections.get(ticket.connection).await?;
        let Some(connection) = found.filter(|found| found.flow == flow) else { return Ok(None) };
        let own = self.open(&connection)?.secrets.get(TOKEN).map(tokens).unwrap_or_default();
        if !ticket.is_ours(&self.sealer, &own) {
            return Ok(None);
        }
        let mut visit = match self.page_of(connection) {
            Err(fault) if fault.code == Code::NotFound => return Ok(None),
            visit => visit?,
        };
        (visit.may_change, visit.expired) = (ticket.right == CHANGE, ticket.is_over(clock::now()));
        Ok(Some(visit))
    }

    /// The page of a connection as it stands now, without any right to change it.
    pub fn page_of(&self, connection: Connection) -> Result<Visit> {
        let opened = self.open(&connection)?;
        let facts = self.flow_of(&connection)?.page(&opened)?;
        Ok(Visit { connection, facts, may_change: false, expired: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::secrets::fresh_master_key;

    fn token(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[test]
    fn a_link_is_good_for_its_connection_end_and_right_alone() {
        let sealer = Sealer::from_text(&fresh_master_key()).unwrap();
        let (id, other) = (ids::fresh(), ids::fresh());
        let make = |id: &str, until: i64, right: &str| {
            let ticket = Ticket { connection: id, until, right, signature: "" };
            ticket.signatures(&sealer, &token("a-token-of-sixteen")).remove(0)
        };
        let signature = make(&id, 2_000_000_000, SHOW);
        let good = |link: &str, tokens: &[SecretString]| Ticket::read(link).is_some_and(|ticket| ticket.is_ours(&sealer, tokens));
        let own = [token("another-token-here"), token("a-token-of-sixteen")];
        assert!(good(&format!("{id}.2000000000.show.{signature}"), &own));
        for link in [
            format!("{other}.2000000000.show.{signature}"),
            format!("{id}.2000000001.show.{signature}"),
            format!("{id}.2000000000.change.{signature}"),
            format!("{id}.2000000000.admin.{}", make(&id, 2_000_000_000, "admin")),
            format!("{id}.2000000000.show."),
            format!("{id}.2000000000.show.{signature}.x"),
            format!("{id}..show.{signature}"),
            String::new(),
            "💥".to_owned(),
        ] {
            assert!(!good(&link, &own), "{link}");
        }
        // The token is taken away, or the master key is another.
        assert!(!good(&format!("{id}.2000000000.show.{signature}"), &own[..1]) && !good(&format!("{id}.2000000000.show.{signature}"), &[]));
        let elsewhere = Sealer::from_text(&fresh_master_key()).unwrap();
        assert!(!Ticket::read(&format!("{id}.2000000000.show.{signature}")).unwrap().is_ours(&elsewhere, &own));
    }

    #[test]
    fn a_link_lives_through_a_change_of_the_master_key_and_ends_at_its_end() {
        let (old, new) = (fresh_master_key(), fresh_master_key());
        let both = SecretString::from(format!("{},{}", new.expose_secret(), old.expose_secret()));
        let id = ids::fresh();
        let mut ticket = Ticket { connection: &id, until: 1_000, right: CHANGE, signature: "" };
        let made = ticket.signatures(&Sealer::from_text(&old).unwrap(), &token("a-token-of-sixteen")).remove(0);
        ticket.signature = &made;
        assert!(ticket.is_ours(&Sealer::from_text(&both).unwrap(), &[token("a-token-of-sixteen")]));
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        assert!(!ticket.is_over(at(999)) && ticket.is_over(at(1_000)));
    }
}
