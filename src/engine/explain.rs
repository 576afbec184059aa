//! Explain, the pure part: who wrote each field of an item last, and the answer in sentences.
//!
//! [`crate::engine::service::explain`] gathers what is known; nothing here or there writes anything.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    flow::{Decision, Observation, Rules},
    hooks::PastHook,
    model::{ChangeState, Link, LinkState, Op, Reason},
    ports::{LastSeen, PastChange},
    retry_list::RetryItem,
    undo::{Mark, same},
};
use crate::fault::FaultView;

#[cfg(test)]
mod tests;

/// What stands in the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Nothing is linked, so nothing was looked at.
    NotLinked,
    /// It was looked at just now.
    Seen,
    /// It is not there any more.
    Deleted,
    /// Another item has its id now.
    Replaced,
    /// It belongs to somebody else.
    Foreign,
    /// The target did not answer.
    Unreachable,
}

/// Who wrote a field last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// We did: what we wrote stands there.
    Us,
    /// Somebody else, since we wrote it.
    SomebodyElse,
    /// Somebody else: we never wrote it, as far as is still known.
    NeverUs,
    /// Cannot be told, since the target did not answer.
    Unknown,
}

/// One field of the target item.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldStory {
    /// The field in the target's words.
    pub field: String,
    /// What stands there now; `None` where it could not be looked at.
    pub now: Option<Value>,
    /// What we last wrote.
    pub written: Option<Value>,
    /// Who wrote it last.
    pub author: Author,
    /// The run in which we last wrote it.
    pub run: Option<String>,
    /// When that run began.
    pub at: Option<DateTime<Utc>>,
    /// The rule by which we wrote it.
    pub rule: Option<Reason>,
    /// The source's value that an undo took back, so that it is left alone.
    pub undone: Option<Mark>,
}

/// What the rules would do now, for one stream.
#[derive(Clone, Debug)]
pub struct StreamDecision {
    /// Its key.
    pub stream: String,
    /// Its name for people.
    pub name: String,
    /// Whether it starts runs.
    pub enabled: bool,
    /// The decision, or why there is none.
    pub decision: Result<Decision, FaultView>,
    /// The settings that the decision looked at.
    pub settings: Vec<(&'static str, Value)>,
}

/// How a link was made, as far as it is still known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The run that linked or created it.
    pub run: String,
    /// When that run began.
    pub at: DateTime<Utc>,
}

/// Everything that is known about one item.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// Its connection.
    pub connection: String,
    /// Whether the connection starts runs.
    pub enabled: bool,
    /// The source's id.
    pub item: String,
    /// As last seen in the source.
    pub source: Option<LastSeen>,
    /// Its link, in any state.
    pub link: Option<Link>,
    /// How the link was made.
    pub made: Option<Made>,
    /// What stands in the target.
    pub standing: Standing,
    /// Why it could not be looked at.
    pub unreachable: Option<FaultView>,
    /// Every value of the target item.
    pub values: Option<Observation>,
    /// Who wrote each field last.
    pub fields: Vec<FieldStory>,
    /// What each stream would do now.
    pub decisions: Vec<StreamDecision>,
    /// Its places in the retry list.
    pub waiting: Vec<RetryItem>,
    /// What remotes have told us about it by hooks, newest first.
    pub hooks: Vec<PastHook>,
    /// Its last changes, newest first.
    pub changes: Vec<PastChange>,
}

/// What an observation means for an item that is linked to it.
pub fn standing(link: &Link, observed: Option<&Observation>) -> Standing {
    let Some(observed) = observed else { return Standing::Deleted };
    let other = link.witness.as_ref().zip(observed.witness.as_ref()).is_some_and(|(was, is)| was != is);
    match (other, observed.owned) {
        (true, _) => Standing::Replaced,
        (false, false) => Standing::Foreign,
        (false, true) => Standing::Seen,
    }
}

/// Who wrote each field last. `rules` compare what stands with what we wrote; without them (the target did not answer) nobody can tell.
pub fn authors(rules: Option<&dyn Rules>, link: &Link, observed: Option<&Observation>, past: &[PastChange]) -> Vec<FieldStory> {
    let ours: Vec<&PastChange> = past
        .iter()
        .filter(|past| past.change.state == ChangeState::Applied && past.change.body.op != Op::None)
        .filter(|past| past.change.body.target == link.target)
        .collect();
    let mut names: Vec<&str> = link.written.keys().map(String::as_str).collect();
    names.extend(ours.iter().flat_map(|past| past.change.body.fields.iter().map(|field| field.field.as_str())));
    names.sort_unstable();
    names.dedup();
    let of_target = |name: &&str| *name != "link" && rules.is_none_or(|rules| rules.beside(name).is_none());
    names.into_iter().filter(of_target).map(|name| story(rules, link, observed, &ours, name)).collect()
}

fn story(rules: Option<&dyn Rules>, link: &Link, observed: Option<&Observation>, ours: &[&PastChange], name: &str) -> FieldStory {
    let last = ours.iter().find_map(|past| {
        let field = past.change.body.fields.iter().find(|field| field.field == name)?;
        Some((*past, field))
    });
    let looked = rules.zip(observed);
    // A creation remembers no whole form: then what people see of it is compared.
    let whole = last.and_then(|(past, _)| past.change.body.keep.get(name)).and_then(|kept| kept.after.clone());
    let is = looked.and_then(|(rules, observed)| match last.filter(|_| whole.is_some()) {
        Some((_, field)) => rules.whole(observed, field),
        None => rules.standing(observed, name),
    });
    let author = match (looked, &is, last, link.written.get(name)) {
        (None, ..) => Author::Unknown,
        // What cannot be observed cannot be compared either.
        (Some(_), None, ..) => Author::Unknown,
        (Some(_), Some(is), Some((_, field)), _) if same(is, whole.as_ref().unwrap_or(&field.new)) => Author::Us,
        (Some(_), Some(is), None, Some(written)) if same(is, written) => Author::Us,
        (Some(_), Some(_), None, None) => Author::NeverUs,
        (Some(_), Some(_), _, _) => Author::SomebodyElse,
    };
    FieldStory {
        field: name.to_owned(),
        now: looked.and_then(|(rules, observed)| rules.standing(observed, name)),
        written: last.map(|(_, field)| field.new.clone()).or_else(|| link.written.get(name).cloned()),
        author,
        run: last.map(|(past, _)| past.change.run.clone()),
        at: last.map(|(past, _)| past.at),
        rule: last.map(|(_, field)| field.rule.clone()),
        undone: link.undone.get(name).cloned(),
    }
}

/// How the link to the present target was made, as far as its changes are still kept.
pub fn made(link: &Link, past: &[PastChange]) -> Option<Made> {
    let made = |past: &&PastChange| {
        let body = &past.change.body;
        past.change.state == ChangeState::Applied && body.link_origin.is_some() && body.target == link.target
    };
    past.iter().find(made).map(|past| Made { run: past.change.run.clone(), at: past.at })
}

impl Explanation {
    /// The answer in sentences: where it stands in source and target, what is in the way, and who else writes.
    pub fn answer(&self) -> Vec<Reason> {
        let mut answer = vec![self.of_source(), self.of_link()];
        answer.extend(self.of_target());
        if !self.enabled {
            answer.push(Reason::new("explain_disabled"));
        }
        for row in self.waiting.iter().filter(|row| row.dismissed_at.is_none()) {
            answer.push(Reason::new("explain_waits").with("attempts", row.attempts).with("since", moment(row.first_at)));
        }
        // Only the newest row of each stream can still be waiting: a newer decision supersedes it.
        let held = self.changes.iter().filter(|past| past.change.state == ChangeState::Held && past.change.body.op != Op::None);
        answer.extend(held.take(1).map(|past| Reason::new("explain_held").with("run", &past.change.run)));
        for stream in self.decisions.iter().filter(|stream| stream.enabled) {
            if let Ok(decision) = &stream.decision
                && !answer.contains(&decision.reason)
            {
                answer.push(decision.reason.clone());
            }
        }
        answer
    }

    fn of_source(&self) -> Reason {
        match &self.source {
            None => Reason::new("explain_never_seen"),
            Some(LastSeen { gone_at: Some(gone), .. }) => Reason::new("explain_gone").with("since", moment(*gone)),
            Some(seen) => Reason::new("explain_seen").with("at", moment(seen.stored.seen_at)),
        }
    }

    fn of_link(&self) -> Reason {
        match &self.link {
            Some(Link { state: LinkState::Linked, target: Some(target), .. }) => Reason::new("explain_linked").with("target", target),
            _ => Reason::new("explain_not_linked"),
        }
    }

    fn of_target(&self) -> Vec<Reason> {
        let code = match self.standing {
            Standing::NotLinked | Standing::Seen => None,
            Standing::Deleted => Some("target_deleted"),
            Standing::Replaced => Some("target_replaced"),
            Standing::Foreign => Some("foreign_owner"),
            Standing::Unreachable => Some("explain_unreachable"),
        };
        let mut told: Vec<Reason> = code.map(Reason::new).into_iter().collect();
        let shown = self.fields.iter().find(|story| story.field == "status").and_then(|story| story.now.as_ref());
        let shown = shown.or_else(|| self.values.as_ref().and_then(|seen| seen.values.get("status")));
        if shown.is_some_and(|status| same(status, &Value::from(0))) {
            told.push(Reason::new("explain_hidden"));
        }
        let others: Vec<&str> =
            self.fields.iter().filter(|story| story.author == Author::SomebodyElse).map(|story| story.field.as_str()).collect();
        if !others.is_empty() {
            told.push(Reason::new("explain_somebody_else").with("fields", others.join(", ")));
        }
        told
    }
}

fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Whether nothing at all is known of an item.
pub fn is_unknown(source: Option<&LastSeen>, link: Option<&Link>, changes: &[PastChange]) -> bool {
    source.is_none() && link.is_none() && changes.is_empty()
}

/// The codes whose settings matter to a decision: its reason, and the rules of its fields.
pub fn settings_behind(rules: &dyn Rules, decision: &Decision) -> Vec<(&'static str, Value)> {
    let codes = std::iter::once(&decision.reason).chain(decision.fields.iter().map(|field| &field.rule));
    let mut settings: Vec<(&'static str, Value)> = codes.flat_map(|reason| rules.settings_of(&reason.code)).collect();
    settings.sort_by_key(|(name, _)| *name);
    settings.dedup_by_key(|(name, _)| *name);
    settings
}
