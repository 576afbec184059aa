//! The retry list: failed items over all runs, taken up again until they pass or a person dismisses them.
//!
//! Deciding works from records, so no source has to be asked for one item: every run looks at every record of its connection, and
//! [`weigh`] says which of the listed ones it takes up. Between two attempts a scheduled run leaves an item in peace, each time
//! twice as long ([`pause`]), unless the source item has changed, or a rule that refused it does so no longer (settings were
//! mended). A run that a person starts takes up all of them.

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};

use super::{
    flow::{Decision, LinkDecision},
    model::{Op, Outcome, Reason, Run, Trigger},
    ports::{Acted, Idempotency, Listing, PageRequest, RenderBox},
};
use crate::fault::{Code, Fault, Kind};

/// Pause after the first failure; each further one doubles it. Too low: a lasting trouble is tried in vain each minute; too high: a
/// passing one is mended late.
pub const FIRST_PAUSE: Duration = Duration::from_secs(60);
/// Longest pause: how late a trouble that ended unseen is found out at the latest.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 3_600);

/// How long an item that failed `attempts` times is left in peace.
pub fn pause(attempts: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(2u32.saturating_pow(attempts.saturating_sub(1).min(16))).min(LONGEST_PAUSE)
}

/// A listed item as deciding looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// How often it failed.
    pub attempts: u32,
    /// Left in peace till then.
    pub next_at: DateTime<Utc>,
    /// Whether that moment has come, by the database's clock.
    pub due: bool,
    /// A rule refused it; nothing was tried in the target.
    pub by_rule: bool,
    /// Whether the source item is as it was when it failed last.
    pub same_source: bool,
    /// A person dismissed it.
    pub dismissed: bool,
}

/// Which listed items a run takes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Those that are due.
    Due,
    /// All that nobody dismissed: a person started the run.
    All,
    /// Also dismissed ones: the run was asked for these very items.
    Named,
}

impl Patience {
    /// The patience of a run.
    pub fn of(run: &Run) -> Self {
        match (&run.items, run.trigger) {
            (Some(_), _) => Self::Named,
            (None, Trigger::Manual) => Self::All,
            (None, Trigger::Schedule | Trigger::Webhook | Trigger::Undo | Trigger::Retry | Trigger::Pictures) => Self::Due,
        }
    }
}

/// What a run does with an item that may be listed: the decision as it is, or none yet. The second is true when the item is taken up: if it
/// does not fail now, it has passed.
pub fn weigh(decision: Decision, listed: Option<&Listed>, patience: Patience) -> (Decision, bool) {
    let Some(listed) = listed else { return (decision, false) };
    let in_trouble = decision.op != Op::None || decision.outcome == Outcome::Failed;
    if patience == Patience::Named || !in_trouble || !listed.same_source {
        return (decision, true);
    }
    if listed.dismissed {
        return (left(Reason::new("retry_dismissed")), false);
    }
    let mended = listed.by_rule && decision.outcome != Outcome::Failed;
    if patience == Patience::All || listed.due || mended {
        return (decision, true);
    }
    let at = listed.next_at.to_rfc3339_opts(SecondsFormat::Secs, true);
    (left(Reason::new("retry_waits").with("attempts", listed.attempts).with("at", at)), false)
}

/// Nothing is done with the item in this run.
fn left(reason: Reason) -> Decision {
    Decision {
        outcome: Outcome::Skipped,
        op: Op::None,
        reason,
        fields: Vec::new(),
        fault: None,
        link: LinkDecision::Keep,
        undo: "never:nothing was written",
    }
}

/// The class of a failure by its reason: the kind of its fault, or a bad item where a rule refused it.
pub fn class_of(reason: &Reason) -> Kind {
    Code::parse(&reason.code).map_or(Kind::BadItem, Code::kind)
}

/// One failed item, for people.
#[derive(Clone, Debug)]
pub struct RetryItem {
    /// Our id.
    pub id: String,
    /// Its flow.
    pub flow: String,
    /// Its connection.
    pub connection: String,
    /// Its stream.
    pub stream: String,
    /// Owner of the connection.
    pub owner: Option<String>,
    /// The source's id.
    pub source: String,
    /// A name for people.
    pub name: String,
    /// Why it failed last.
    pub reason: Reason,
    /// Kind of that failure.
    pub class: Kind,
    /// How often it failed.
    pub attempts: u32,
    /// When it failed first.
    pub first_at: DateTime<Utc>,
    /// When it failed last.
    pub last_at: DateTime<Utc>,
    /// Left in peace till then.
    pub next_at: DateTime<Utc>,
    /// The run in which it failed last.
    pub run: String,
    /// When a person dismissed it.
    pub dismissed_at: Option<DateTime<Utc>>,
}

/// Which items of the list.
#[derive(Clone, Debug, Default)]
pub struct RetryFilter {
    /// Only these flows.
    pub flows: Option<Vec<String>>,
    /// Only this owner.
    pub owner: Option<String>,
    /// Only this connection.
    pub connection: Option<String>,
    /// Only this stream.
    pub stream: Option<String>,
    /// Only this kind of failure.
    pub class: Option<Kind>,
    /// Only this reason.
    pub code: Option<String>,
    /// Those that were dismissed, instead of those that wait.
    pub dismissed: bool,
}

/// Failed items over all runs.
#[async_trait]
pub trait Retries: Send + Sync {
    /// Listed items of a stream whose keys lie between these two, both included.
    async fn between(&self, connection: &str, stream: &str, first: &str, last: &str) -> Result<HashMap<String, Listed>, Fault>;
    /// Notes which items a run takes up, before their effects.
    async fn taken_up(&self, connection: &str, stream: &str, run: &str, sources: Vec<String>) -> Result<(), Fault>;
    /// Adds what failed in a run (attempts grow), and takes away what it took up that did not fail and what it applied. `whole` says that it
    /// also looked at all that is gone from the source: of that only what failed in this very run stays. Safe to repeat.
    async fn settle(&self, connection: &str, stream: &str, run: &str, whole: bool) -> Result<(), Fault>;
    /// The places of one item in the list, dismissed ones too: one a stream.
    async fn of_item(&self, connection: &str, source: &str) -> Result<Vec<RetryItem>, Fault>;
    /// How many wait in all connections of a flow, dismissed ones left out.
    async fn waiting(&self, flow: &str) -> Result<u64, Fault>;
    /// Newest first.
    async fn list(&self, filter: RetryFilter, page: PageRequest) -> Result<Listing<RetryItem>, Fault>;
    /// One by id.
    async fn get(&self, id: &str) -> Result<Option<RetryItem>, Fault>;
    /// The next run takes these items up, dismissed or not.
    async fn make_due(&self, connection: &str, stream: &str, sources: Vec<String>) -> Result<(), Fault>;
    /// A person dismisses an item: it comes back only when the source item changes. `NotFound` when it has passed meanwhile.
    async fn dismiss(&self, id: &str, key: Option<Idempotency>, render: RenderBox<RetryItem>) -> Result<Acted<RetryItem>, Fault>;
    /// Source ids of the items that failed in a run, in the order of its plan, `limit` at most.
    async fn failed_in(&self, run: &str, limit: u32) -> Result<Vec<String>, Fault>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(outcome: Outcome, op: Op) -> Decision {
        Decision { outcome, op, reason: Reason::new("changed"), fields: Vec::new(), fault: None, link: LinkDecision::Keep, undo: "restore" }
    }

    fn listed() -> Listed {
        Listed { attempts: 3, next_at: crate::domain::clock::now(), due: false, by_rule: false, same_source: true, dismissed: false }
    }

    #[test]
    fn pauses_double_up_to_six_hours() {
        let minutes = |attempts| pause(attempts).as_secs() / 60;
        assert_eq!([1, 2, 3, 8, 9, 10, 11].map(minutes), [1, 2, 4, 128, 256, 360, 360]);
        assert_eq!((minutes(0), minutes(u32::MAX)), (1, 360));
    }

    #[test]
    fn what_is_not_listed_is_decided_as_it_is() {
        let (decided, taken) = weigh(decision(Outcome::Updated, Op::Update), None, Patience::Due);
        assert_eq!((decided.outcome, taken), (Outcome::Updated, false));
    }

    #[test]
    fn between_two_attempts_a_scheduled_run_leaves_an_item_in_peace() {
        let (decided, taken) = weigh(decision(Outcome::Updated, Op::Update), Some(&listed()), Patience::Due);
        assert_eq!((decided.outcome, decided.op, decided.reason.code.as_str(), taken), (Outcome::Skipped, Op::None, "retry_waits", false));
        for taken_up in [Listed { due: true, ..listed() }, Listed { same_source: false, ..listed() }] {
            let (decided, taken) = weigh(decision(Outcome::Updated, Op::Update), Some(&taken_up), Patience::Due);
            assert_eq!((decided.outcome, taken), (Outcome::Updated, true), "{taken_up:?}");
        }
        assert!(weigh(decision(Outcome::Updated, Op::Update), Some(&listed()), Patience::All).1);
    }

    #[test]
    fn what_a_rule_refused_comes_back_as_soon_as_it_no_longer_does() {
        let refused = Listed { by_rule: true, ..listed() };
        assert!(!weigh(decision(Outcome::Failed, Op::None), Some(&refused), Patience::Due).1);
        assert!(weigh(decision(Outcome::Created, Op::Create), Some(&refused), Patience::Due).1);
        // A rule never refused this one: that it lets it pass is no news.
        assert!(!weigh(decision(Outcome::Created, Op::Create), Some(&listed()), Patience::Due).1);
    }

    #[test]
    fn what_needs_nothing_has_passed_even_when_dismissed() {
        for dismissed in [false, true] {
            let (decided, taken) = weigh(decision(Outcome::Unchanged, Op::None), Some(&Listed { dismissed, ..listed() }), Patience::Due);
            assert_eq!((decided.outcome, taken), (Outcome::Unchanged, true));
        }
    }

    #[test]
    fn a_dismissed_item_comes_back_when_its_source_changes_or_a_person_names_it() {
        let dismissed = Listed { dismissed: true, due: true, ..listed() };
        let weighed = |listed: &Listed, patience| weigh(decision(Outcome::Updated, Op::Update), Some(listed), patience);
        for patience in [Patience::Due, Patience::All] {
            let (decided, taken) = weighed(&dismissed, patience);
            assert_eq!((decided.reason.code.as_str(), taken), ("retry_dismissed", false));
        }
        assert!(weighed(&dismissed, Patience::Named).1);
        assert!(weighed(&Listed { same_source: false, ..dismissed }, Patience::Due).1);
    }

    #[test]
    fn classes_are_the_kinds_of_faults() {
        assert_eq!(class_of(&Reason::new("target-unavailable")), Kind::Unavailable);
        assert_eq!(class_of(&Reason::new("price_unreadable")), Kind::BadItem);
    }
}
