//! Links of a connection's link space: list, set, confirm, remove.

use std::collections::BTreeMap;

use super::{MAX_KEY_CHARS, Scope, Service, is_key};
use crate::{
    domain::clock,
    engine::{
        model::{Connection, Link, LinkState},
        ports::{Acted, Idempotency, LinkFilter, Listing, PageRequest, RenderBox},
    },
    fault::{Code, Fault, Result},
};

/// How a link came about, when a person chose the target.
const SET: &str = "set";
/// How a link came about, when a person agreed to a question.
const CONFIRMED: &str = "confirmed";

impl Service {
    /// Links and questions, newest first.
    pub async fn list_links(&self, scope: &Scope, connection: &str, state: Option<LinkState>, page: PageRequest) -> Result<Listing<Link>> {
        let connection = self.connection(scope, connection).await?;
        self.links.list(&connection.link_space, LinkFilter { state }, page).await
    }

    /// Links a source item to one of the owner's target items, whatever stood there before.
    pub async fn set_link(&self, scope: &Scope, connection: &str, source: &str, target: &str) -> Result<Link> {
        let connection = self.connection(scope, connection).await?;
        if !is_key(source) {
            return Err(no_such_item());
        }
        let before = self.link(&connection, source).await?;
        let link = self.linked(&connection, source, before, target, SET).await?;
        match self.links.set(&connection.link_space, link.clone(), None, Box::new(|_| never_stored())).await? {
            Acted::Fresh(link) => Ok(link),
            Acted::Replayed(_) => Ok(link),
        }
    }

    /// Answers a question: a proposed link needs no target, an ambiguous one does.
    pub async fn confirm_link(
        &self,
        scope: &Scope,
        connection: &str,
        source: &str,
        target: Option<&str>,
        key: Option<Idempotency>,
        render: RenderBox<Link>,
    ) -> Result<Acted<Link>> {
        let connection = self.connection(scope, connection).await?;
        let absent = || Fault::new(Code::NotFound, "there is no question about this item; PUT sets a link without one");
        if !is_key(source) {
            return Err(absent());
        }
        let question = self.link(&connection, source).await?.ok_or_else(absent)?;
        let chosen = match (question.state, target, question.target.as_deref()) {
            (LinkState::Linked, Some(chosen), Some(stands)) if chosen != stands => {
                return Err(Fault::new(Code::NotAwaiting, format!("this item is linked to {stands} already; PUT sets another target")));
            }
            // Confirmed before, perhaps by this very request: the answer is the same.
            (LinkState::Linked, _, Some(_)) => return self.links.set(&connection.link_space, question, key, render).await,
            (_, Some(chosen), _) => chosen.to_owned(),
            (LinkState::Proposed, None, Some(stands)) => stands.to_owned(),
            (LinkState::Proposed, None, None) if question.candidates.len() == 1 => {
                question.candidates.iter().map(|candidate| candidate.target.clone()).collect()
            }
            (_, None, _) => {
                let candidates = question.candidates.iter().map(|candidate| candidate.target.as_str()).collect::<Vec<_>>().join(", ");
                return Err(Fault::field("/target", format!("is required, since several match: {candidates}")));
            }
        };
        let link = self.linked(&connection, source, Some(question), &chosen, CONFIRMED).await?;
        self.links.set(&connection.link_space, link, key, render).await
    }

    /// Removes a link or a question.
    pub async fn remove_link(&self, scope: &Scope, connection: &str, source: &str) -> Result<()> {
        let connection = self.connection(scope, connection).await?;
        if is_key(source) && self.links.remove(&connection.link_space, source).await? { Ok(()) } else { Err(no_such_item()) }
    }

    async fn link(&self, connection: &Connection, source: &str) -> Result<Option<Link>> {
        Ok(self.links.by_sources(&connection.link_space, &[source.to_owned()]).await?.remove(source))
    }

    /// The link as it is to stand. The target is looked at now: it must be there and belong to the owner, and its witness goes into the link.
    async fn linked(&self, connection: &Connection, source: &str, before: Option<Link>, target: &str, origin: &str) -> Result<Link> {
        if !is_key(target) {
            return Err(Fault::field("/target", format!("must be the id of a target item, a text of 1 to {MAX_KEY_CHARS} characters")));
        }
        let mut observer = self.flow_of(connection)?.observer(&self.open(connection)?).await?;
        let found = observer.observe(&[target.to_owned()]).await?.remove(target);
        // A foreign item is told apart from a missing one to nobody.
        let Some(found) = found.filter(|found| found.owned) else {
            return Err(Fault::field("/target", "there is no such item of this owner in the target"));
        };
        let other = self.links.linked_targets(&connection.link_space, &[target.to_owned()]).await?.remove(target);
        if other.is_some_and(|other| !other.is(&connection.link_space, source) && other.holds(found.witness.as_deref())) {
            return Err(Fault::new(Code::InUse, "this target is linked to another source item; remove that link first"));
        }
        let same_item = before
            .as_ref()
            .is_some_and(|link| link.state == LinkState::Linked && link.target.as_deref() == Some(target) && link.witness == found.witness);
        let (name, written, undone, source_seen_at, run) = match before {
            // What was written to another item says nothing about this one.
            Some(link) if !same_item => (link.name, BTreeMap::new(), BTreeMap::new(), None, None),
            Some(link) => (link.name, link.written, link.undone, link.source_seen_at, link.run),
            None => (source.to_owned(), BTreeMap::new(), BTreeMap::new(), None, None),
        };
        Ok(Link {
            source: source.to_owned(),
            name,
            state: LinkState::Linked,
            target: Some(target.to_owned()),
            witness: found.witness,
            candidates: Vec::new(),
            origin: origin.to_owned(),
            written,
            source_seen_at,
            undone,
            run,
            linked_at: None,
            updated_at: clock::now(),
        })
    }
}

fn no_such_item() -> Fault {
    Fault::new(Code::NotFound, "there is no link of this item")
}

/// PUT carries no idempotency key: it is idempotent by itself, and nothing is stored for replay.
fn never_stored() -> crate::engine::ports::StoredAnswer {
    crate::engine::ports::StoredAnswer { status: 200, location: None, body: String::new() }
}
