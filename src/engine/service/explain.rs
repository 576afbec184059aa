//! Why is this item like that? Gathers what is known of one item and runs the pure rules on it once more; nothing is stored.

use super::{Scope, Service, is_key};
use crate::{
    domain::clock,
    engine::{
        explain::{self, Explanation, Standing, StreamDecision},
        flow::{Gone, Item, Lookup, Observation, Observe, Rules},
        locks::Guarded,
        model::{Candidate, Connection, Link, LinkState, Stream, Values},
        ports::{LastSeen, PageRequest, RunFilter},
        undo,
    },
    fault::{Code, Fault, FaultView, Result},
};

/// Hooks that are told.
const HOOKS: u32 = 50;
/// Past changes that are looked through for who wrote what.
const CHANGES: u32 = 100;
/// Runs of a stream that are looked through for what the source told about itself.
const RUNS: u32 = 10;

/// What is asked about.
pub enum About {
    /// A source item.
    Item(String),
    /// The item that a target item is linked to.
    Target(String),
}

/// The target as it was looked at.
struct Look {
    observed: Option<Observation>,
    candidates: Vec<Candidate>,
    facts: Values,
}

impl Service {
    /// Everything about one item of a visible connection.
    ///
    /// Errors: not found when the connection is not visible or nothing is known of the item. A target that does not answer is no error: the
    /// answer says so and holds what is known without it.
    pub async fn explain(&self, scope: &Scope, connection: &str, about: About) -> Result<Explanation> {
        let connection = self.connection(scope, connection).await?;
        let item = self.item_of(&connection, about).await?;
        let unknown = || {
            Fault::new(
                Code::NotFound,
                "no item of this id was ever read, linked or changed in this connection; give the source's own id as a run's report shows it, or start a full run first",
            )
        };
        if !is_key(&item) {
            return Err(unknown());
        }
        let source = self.records.last(&connection.id, &item).await?;
        let link = self.links.by_sources(&connection.link_space, std::slice::from_ref(&item)).await?.remove(&item);
        let changes = self.changes.of_item(&connection.id, &item, CHANGES).await?;
        if explain::is_unknown(source.as_ref(), link.as_ref(), &changes) {
            return Err(unknown());
        }
        let streams = self.connections.streams(&connection.id).await?;
        let linked = link.as_ref().filter(|link| link.state == LinkState::Linked && link.target.is_some());
        let (look, unreachable) = match self.look(&connection, &streams, source.as_ref(), linked).await {
            Ok(look) => (Some(look), None),
            Err(fault) => (None, Some(FaultView::from(&fault))),
        };
        let mut decisions = Vec::new();
        let mut rules: Option<Box<dyn Rules>> = None;
        for stream in &streams {
            let decided = match (&look, &unreachable) {
                (Some(look), _) => self.decide_now(&connection, stream, &streams, look, source.as_ref(), link.as_ref()).await,
                (None, Some(fault)) => Err(fault.clone()),
                (None, None) => continue,
            };
            let (decision, settings) = match decided {
                Ok((of_stream, decision)) => {
                    let settings = decision.as_ref().map(|decision| explain::settings_behind(&*of_stream, decision)).unwrap_or_default();
                    rules = rules.or(Some(of_stream));
                    match decision {
                        Some(decision) => (Ok(decision), settings),
                        None => continue,
                    }
                }
                Err(fault) => (Err(fault), Vec::new()),
            };
            decisions.push(StreamDecision {
                stream: stream.stream.clone(),
                name: stream.name.clone(),
                enabled: stream.enabled,
                decision,
                settings,
            });
        }
        let observed = look.and_then(|look| look.observed);
        let standing = match (linked, &unreachable) {
            (None, _) => Standing::NotLinked,
            (Some(_), Some(_)) => Standing::Unreachable,
            (Some(link), None) => explain::standing(link, observed.as_ref()),
        };
        // Another item under the same id tells nothing about this one, and what is another's is shown to nobody.
        let values = observed.filter(|_| standing == Standing::Seen);
        Ok(Explanation {
            enabled: connection.enabled,
            fields: linked.map(|link| explain::authors(rules.as_deref(), link, values.as_ref(), &changes)).unwrap_or_default(),
            made: linked.and_then(|link| explain::made(link, &changes)),
            waiting: self.retries.of_item(&connection.id, &item).await?,
            hooks: match self.flow_of(&connection)?.hook_stream() {
                Some(_) => self.hooks.of_item(&connection.id, &item, HOOKS).await?,
                None => Vec::new(),
            },
            connection: connection.id,
            item,
            source,
            link,
            standing,
            unreachable,
            values,
            decisions,
            changes,
        })
    }

    async fn item_of(&self, connection: &Connection, about: About) -> Result<String> {
        let target = match about {
            About::Item(item) => return Ok(item),
            About::Target(target) => target,
        };
        let holder = if is_key(&target) {
            self.links.linked_targets(&connection.link_space, std::slice::from_ref(&target)).await?.remove(&target)
        } else {
            None
        };
        holder.filter(|holder| holder.space == connection.link_space).map(|holder| holder.source).ok_or_else(|| {
            Fault::new(
                Code::NotFound,
                "no item of this connection is linked to that target; link one with PUT /connections/{id}/links/{source}, or ask by item",
            )
        })
    }

    /// Looks at the target through a session that cannot write.
    async fn look(&self, connection: &Connection, streams: &[Stream], source: Option<&LastSeen>, linked: Option<&Link>) -> Result<Look> {
        let flow = self.flow_of(connection)?;
        let opened = self.open(connection)?;
        let mut observer = flow.observer(&opened).await?;
        let facts = observer.facts().await?;
        if let Some(target) = linked.and_then(|link| link.target.clone()) {
            let observed = observer.observe(std::slice::from_ref(&target)).await?.remove(&target);
            return Ok(Look { observed, candidates: Vec::new(), facts });
        }
        // Any stream's rules know how an item is recognised.
        let (Some(seen), Some(stream)) = (source, streams.first()) else {
            return Ok(Look { observed: None, candidates: Vec::new(), facts });
        };
        let known = self.facts(connection, self.told_by_source(connection, stream).await?, facts.clone()).await?;
        let rules = flow.rules(&opened, &stream.stream, streams, known)?;
        let record = &seen.stored.record;
        let candidates = match rules.lookup(&record.key, &record.payload) {
            Some(lookup) => self.free_candidates(connection, &mut *observer, lookup).await?,
            None => Vec::new(),
        };
        let observed = match candidates.as_slice() {
            [only] => observer.observe(std::slice::from_ref(&only.target)).await?.remove(&only.target),
            _ => None,
        };
        Ok(Look { observed, candidates, facts })
    }

    /// Possible targets that nothing else is linked to.
    async fn free_candidates(&self, connection: &Connection, observer: &mut dyn Observe, lookup: Lookup) -> Result<Vec<Candidate>> {
        let found = observer.candidates(std::slice::from_ref(&lookup)).await?.remove(&lookup.source).unwrap_or_default();
        let targets: Vec<String> = found.iter().map(|candidate| candidate.target.clone()).collect();
        let taken = self.links.linked_targets(&connection.link_space, &targets).await?;
        Ok(found.into_iter().filter(|candidate| !taken.contains_key(&candidate.target)).collect())
    }

    /// What the source told about itself in the stream's last run that read it.
    async fn told_by_source(&self, connection: &Connection, stream: &Stream) -> Result<Values> {
        let filter = RunFilter { connection: Some(connection.id.clone()), stream: Some(stream.stream.clone()), ..RunFilter::default() };
        let runs = self.runs.list(filter, PageRequest { limit: RUNS, cursor: None }).await?;
        Ok(runs.items.into_iter().find_map(|run| run.read_summary).map(|summary| summary.facts).unwrap_or_default())
    }

    /// The rules of a stream, and what they would do with the item now; no decision where the source never showed it.
    async fn decide_now(
        &self,
        connection: &Connection,
        stream: &Stream,
        streams: &[Stream],
        look: &Look,
        source: Option<&LastSeen>,
        link: Option<&Link>,
    ) -> Result<(Box<dyn Rules>, Option<crate::engine::flow::Decision>), FaultView> {
        // An item of another stream is none of this one's.
        let of_other = |key: &str| {
            self.flow_of(connection).ok().and_then(|flow| flow.keys_of(&stream.stream)).is_some_and(|begin| !key.starts_with(begin))
        };
        let source = source.filter(|seen| !of_other(&seen.stored.record.key));
        let decide = async {
            let facts = self.facts(connection, self.told_by_source(connection, stream).await?, look.facts.clone()).await?;
            let locks = facts.locks.clone();
            let rules = self.flow_of(connection)?.rules(&self.open(connection)?, &stream.stream, streams, facts)?;
            let rules: Box<dyn Rules> = Box::new(Guarded::new(rules, locks));
            let Some(seen) = source else { return Ok((rules, None)) };
            let item = Item {
                key: &seen.stored.record.key,
                payload: &seen.stored.record.payload,
                link,
                observed: look.observed.as_ref(),
                candidates: &look.candidates,
                // Whether others want the same target was found out when all were decided on together.
                contested: link.is_some_and(|link| link.state == LinkState::Ambiguous) && look.candidates.len() == 1,
                seen_at: seen.stored.seen_at,
                gone: seen.gone_at.map(|since| Gone {
                    since,
                    lasted: (clock::now() - since).to_std().unwrap_or_default(),
                    // What is told only once is told here, too.
                    found_now: true,
                }),
            };
            let decision = undo::hold_back(&*rules, rules.decide(&item), link).decision;
            Ok::<_, Fault>((rules, Some(decision)))
        };
        decide.await.map_err(|fault| FaultView::from(&fault))
    }
}
