//! What a flow gives to the engine, and what a run asks of it.
//!
//! The engine drives; a flow answers. `Source` reads, [`Rules`] decide (pure), [`Observe`] looks at the target and cannot
//! write, [`Apply`] writes. A dry run is handed only `Observe`.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

pub use super::opened::Opened;
use super::{
    hooks::{Given, Heard, Hook},
    link::Note,
    locks::LockSet,
    mapping::{Group, Grouping, Mappings},
    model::{Applied, Candidate, Change, FieldChange, Link, Op, Outcome, Reason, Record, Stream, Values},
    page::PageFacts,
    pictures::Gallery,
};
use crate::{
    domain::text::Lang,
    fault::{Code, Fault, FaultView, FieldError},
};

/// What identifies both ends of a connection; links belong to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The source account as far as the settings tell it: system and address, with the user name where it has one.
    pub source: String,
    /// Host, database and prefix of the target.
    pub target: String,
}

/// One row of a connection's check.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Check {
    /// What was looked at, such as `billz.login`.
    pub name: String,
    /// Whether it is well.
    pub ok: bool,
    /// What was found, and what to do if it is not well.
    pub detail: String,
}

/// A stream that the remote offers.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Discovered {
    /// Key to make the stream with.
    pub stream: String,
    /// The remote's own name of it.
    pub name: String,
}

/// The streams a flow can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamNames {
    /// These exist with every connection.
    Fixed(&'static [&'static str]),
    /// Named by the remote, one per shop.
    Free,
}

/// One of the four integrations.
#[async_trait]
pub trait Flow: Send + Sync {
    /// Name in the contract, such as `billz-opencart`.
    fn name(&self) -> &'static str;

    /// Which streams a connection has.
    fn stream_names(&self) -> StreamNames;

    /// Names of the secrets it knows, with whether each is required.
    fn secret_names(&self) -> &'static [(&'static str, bool)];

    /// Checks settings by field. Pointers begin with `/settings`. `secrets` are the names that have a value.
    fn validate(&self, settings: &Value, secrets: &[&str]) -> Result<(), Vec<FieldError>>;

    /// Checks key and settings of a stream. Pointers are `/stream` and `/settings/…`.
    fn validate_stream(&self, stream: &str, settings: &Value) -> Result<(), Vec<FieldError>>;

    /// Whether a source with the settings `after` is the successor of one with `before`: the same goods under other ids. Such a change is
    /// allowed in a connection that has links; they are set aside, and goods are recognised anew.
    fn succeeds(&self, _before: &Value, _after: &Value) -> bool {
        false
    }

    /// The outside system that runs with these settings read from, such as `billz2`: at most so many read from one at once.
    fn source_system(&self, settings: &Value) -> &'static str;

    /// What identifies both ends.
    fn identity(&self, opened: &Opened) -> Result<Identity, Fault>;

    /// Calls the remotes and changes nothing.
    async fn check(&self, opened: &Opened) -> Vec<Check>;

    /// [`check`](Self::check) in the reader's language; a flow whose rows have no sentences in it answers in English.
    async fn check_in(&self, opened: &Opened, _lang: Lang) -> Vec<Check> {
        self.check(opened).await
    }

    /// Asks the remotes what is not known about them, by reading calls alone: a row for each question. May take as long as a whole read.
    async fn probe(&self, _opened: &Opened) -> Vec<Check> {
        Vec::new()
    }

    /// What streams the remote offers. `known` are those that its answers have named so far ([`ReadEnd::offered`]).
    async fn discover(&self, opened: &Opened, known: Vec<Discovered>) -> Result<Vec<Discovered>, Fault>;

    /// Settings that the engine itself needs.
    fn engine_settings(&self, opened: &Opened) -> Result<EngineSettings, Fault>;

    /// The reading side of a run.
    async fn source(&self, opened: &Opened, stop: CancellationToken) -> Result<Box<dyn Source>, Fault>;

    /// The target for looking only: its session cannot write.
    async fn observer(&self, opened: &Opened) -> Result<Box<dyn Observe>, Fault>;

    /// The target for writing. Takes the target's own lock; the caller holds the lease that allows to end a former holder.
    async fn target(&self, opened: &Opened) -> Result<Box<dyn Apply>, Fault>;

    /// The groups of source and target, for a flow whose items go by group (categories).
    fn grouping(&self) -> Option<&dyn Grouping> {
        None
    }

    /// Fields that can be locked.
    fn lockable(&self) -> &'static [&'static str] {
        &[]
    }

    /// How long one of its writes may be under way. A run's lease is made longer than that: over HTTP a write leaves only while so much of
    /// the lease is left (design.md section 7).
    fn longest_write(&self) -> Duration {
        Duration::from_secs(15)
    }

    /// Whether an item that a whole read does not show is gone. Not where a read shows what happened lately, such as orders.
    fn tells_absence(&self) -> bool {
        true
    }

    /// The stream whose items are asked about by hooks.
    fn hook_stream(&self) -> Option<&'static str> {
        None
    }

    /// What a hook says; asked before it is stored. An error refuses it: it names nothing that could be dealt with.
    fn hear(&self, _opened: &Opened, _given: &Given) -> Result<Heard, Fault> {
        Err(Fault::new(Code::NotFound, "this flow takes no hooks"))
    }

    /// The stream that a hook wants to be run, if it wants that and nothing else.
    fn started_by(&self, _opened: &Opened, _given: &Given) -> Result<Option<&'static str>, Fault> {
        Ok(None)
    }

    /// What stands on the page of a connection; not found where the flow has no page.
    fn page(&self, _opened: &Opened) -> Result<PageFacts, Fault> {
        Err(Fault::new(Code::NotFound, "this flow has no page"))
    }

    /// A stored item through a mapping: each field's value and where it came from. `mapping` replaces what the settings say, where it is given.
    fn test_mapping(&self, _opened: &Opened, _item: &str, _payload: &str, _mapping: Option<&Value>) -> Result<Value, Fault> {
        Err(Fault::new(Code::NotFound, "this flow has no mapping of fields"))
    }

    /// What the keys of a stream's items begin with, in a flow whose streams carry different things (`contact:`); `None` = every stream of a
    /// connection reads the same items.
    fn keys_of(&self, _stream: &str) -> Option<&'static str> {
        None
    }

    /// How often each stream of a new connection runs by itself, such as `1m`; `None` = a person makes the schedules.
    fn default_schedule(&self) -> Option<&'static str> {
        None
    }

    /// Where pictures come from and go to; `None` when this flow, or this connection, has none.
    async fn gallery(&self, _opened: &Opened) -> Result<Option<Box<dyn Gallery>>, Fault> {
        Ok(None)
    }

    /// The pure rules for one run of `stream`. `streams` are all streams of the connection; `facts` are what the target and
    /// source told about themselves (languages, customer groups, currencies).
    fn rules(&self, opened: &Opened, stream: &str, streams: &[Stream], facts: Facts) -> Result<Box<dyn Rules>, Fault>;
}

/// What the engine needs to know of a connection's settings.
#[derive(Clone, Copy, Debug)]
pub struct EngineSettings {
    /// When an incremental run turns full; `None` = `auto`.
    pub full_every: Option<std::time::Duration>,
    /// How long one read feeds other streams of the connection.
    pub read_reuse: std::time::Duration,
    /// Share of failed items over which nothing is applied.
    pub max_failed_share: f64,
    /// Taken off the cursor, for edits in flight while the read began.
    pub overlap: std::time::Duration,
}

/// What source and target told about themselves when the run began, and what people decided, for the rules.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// From the source, such as the company's currency.
    pub source: Values,
    /// From the target, such as its currency and customer groups.
    pub target: Values,
    /// Which group of the source goes where, for a flow with [`Flow::grouping`].
    pub mappings: Mappings,
    /// Fields that are never touched. Whole items that are locked never come to the rules.
    pub locks: LockSet,
    /// Open hooks by item, in the order in which they came, for the stream that takes them up.
    pub hooks: HashMap<String, Vec<Hook>>,
}

/// A page of what was read.
pub struct Page {
    /// Normalised rows.
    pub records: Vec<Record>,
    /// How many rows the source says it has for this question.
    pub total: Option<u64>,
    /// Start of the read by the remote's clock.
    pub started_at: DateTime<Utc>,
}

/// Takes pages as they come; stores them before it returns.
#[async_trait]
pub trait PageSink: Send {
    /// One page. An error ends the read.
    async fn page(&mut self, page: Page) -> Result<(), Fault>;
}

/// How a read ended.
#[derive(Clone, Debug)]
pub struct ReadEnd {
    /// Start of the read by the remote's clock.
    pub started_at: DateTime<Utc>,
    /// `None` when totals, last page and distinct ids agreed; else why it is in doubt.
    pub doubt: Option<Fault>,
    /// Streams that the answer named, where the remote has no list of them; remembered for [`Flow::discover`].
    pub offered: Vec<Discovered>,
}

/// The reading side.
#[async_trait]
pub trait Source: Send {
    /// Which account this is by the remote's own word, once a call was made (Billz 2: `company_id`).
    async fn account(&mut self) -> Result<Option<String>, Fault>;

    /// What the source tells about itself for the rules.
    async fn facts(&mut self) -> Result<Values, Fault>;

    /// Reads all (`since` absent) or what changed since, page by page.
    async fn read(&mut self, since: Option<DateTime<Utc>>, pages: &mut dyn PageSink) -> Result<ReadEnd, Fault>;
}

/// Key values by which a target item may be recognised, by name of the key (`sku`, `barcode`, `model`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The source's id.
    pub source: String,
    /// (name of the key, value); empty values are left out.
    pub keys: Vec<(String, String)>,
}

/// What stands in the target for one key.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// Tells this item from a later one with the same id.
    pub witness: Option<String>,
    /// Whether it belongs to the connection's owner.
    pub owned: bool,
    /// Values by field.
    pub values: Values,
}

/// Looks at the target. Cannot write: its database session is read only, its remote calls are reads.
#[async_trait]
pub trait Observe: Send {
    /// What the target tells about itself for the rules.
    async fn facts(&mut self) -> Result<Values, Fault>;

    /// From now on [`Observe::observe`] tells these fields as well, whatever the settings let follow the source: an undo compares what an
    /// earlier run wrote under other settings.
    fn look_at(&mut self, _fields: &BTreeSet<String>) {}

    /// What is remembered of the items that will be looked at next: a target that answers from a copy learns by it of which ones the copy may
    /// be too old.
    async fn recall(&mut self, _links: &HashMap<String, Link>) -> Result<(), Fault> {
        Ok(())
    }

    /// What stands there now. Keys without an item are absent from the answer.
    async fn observe(&mut self, targets: &[String]) -> Result<HashMap<String, Observation>, Fault>;

    /// Possible targets among the owner's own items, by source id; compared byte-wise.
    async fn candidates(&mut self, lookups: &[Lookup]) -> Result<HashMap<String, Vec<Candidate>>, Fault>;

    /// Whether the owner has nothing in the target at all: then nothing can match.
    async fn is_empty(&mut self) -> Result<bool, Fault>;

    /// What a run's report says of the target: how it was read, and what so many changes will cost. Empty = nothing worth telling.
    fn told(&self, _changes: u64) -> Values {
        Values::new()
    }
}

/// Changes in one batch: also the most that can stand between intent and record when the process dies.
pub const MOST_AT_ONCE: u32 = 1_000;

/// Writes into the target.
#[async_trait]
pub trait Apply: Observe {
    /// Carries out one batch; one answer per change, in the same order. Each is safe to repeat: what was done already is found
    /// done. `again` says that an earlier attempt may have got through, so creations must first look for their own reference.
    async fn apply(&mut self, batch: &[Change], again: bool) -> Result<Vec<Applied>, Fault>;

    /// Most changes that are handed over together: what a dead process had in hand is gone through again.
    fn most_at_once(&self) -> u32 {
        MOST_AT_ONCE
    }

    /// Why it cannot go on, though it has answered for the last batch: asked once those answers are recorded ([`Applied::Left`]).
    fn ended_by(&mut self) -> Option<Fault> {
        None
    }

    /// Completes creations that a dead run has begun and does not resume now; `None` for one that does not stand in the target even
    /// in part: it is not made.
    async fn complete(&mut self, creations: &[Change]) -> Result<Vec<Option<Applied>>, Fault>;

    /// Targets that creations would become parts of, by source: making a size of a product that is locked would touch that product.
    async fn joins(&mut self, _creations: &[Change]) -> Result<HashMap<String, String>, Fault> {
        Ok(HashMap::new())
    }

    /// The answers of the last batches are recorded: whatever was kept in the target for finding them again may go.
    async fn recorded(&mut self) -> Result<(), Fault>;

    /// The same for creations that an earlier attempt of the run recorded last: it may have died before it came to this.
    async fn recorded_earlier(&mut self, creations: &[Change]) -> Result<(), Fault>;

    /// After the last batch: clears caches. Failures are reported, not fatal.
    async fn finish(&mut self, changed: bool) -> Result<(), Fault>;
}

/// One item as the rules see it.
pub struct Item<'a> {
    /// The source's id.
    pub key: &'a str,
    /// Normalised state, as the flow's source wrote it.
    pub payload: &'a str,
    /// The link, if there is one in any state.
    pub link: Option<&'a Link>,
    /// What stands in the target; `None` when it is not there (or was not looked at).
    pub observed: Option<&'a Observation>,
    /// Possible targets that nothing else is linked to.
    pub candidates: &'a [Candidate],
    /// Other unlinked source items that want the same candidate.
    pub contested: bool,
    /// When its state was read, by the source's clock.
    pub seen_at: DateTime<Utc>,
    /// Set when the source does not list it any more.
    pub gone: Option<Gone>,
}

/// An item that whole reads do not find any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    /// When a whole read first did not find it.
    pub since: DateTime<Utc>,
    /// How long that is now; decided on the database's clock alone.
    pub lasted: std::time::Duration,
    /// Whether this very run found out.
    pub found_now: bool,
}

/// What is to be done with one item.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The end it is meant to come to.
    pub outcome: Outcome,
    /// What is done.
    pub op: Op,
    /// Why.
    pub reason: Reason,
    /// Fields with old and new value.
    pub fields: Vec<FieldChange>,
    /// A fault for [`Outcome::Failed`].
    pub fault: Option<FaultView>,
    /// What becomes of the link: proposed, ambiguous, or linked to a candidate when applied.
    pub link: LinkDecision,
    /// How it can be undone.
    pub undo: &'static str,
}

/// What becomes of the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkDecision {
    /// As it is.
    Keep,
    /// Ask a person about one match.
    Propose(Candidate),
    /// Ask a person to choose.
    Ambiguous(Vec<Candidate>),
    /// Link to this one without asking (`linking: "auto"`).
    Auto(Candidate),
    /// Linked when created.
    Created,
    /// The linked target item was deleted: the link goes to the one that is created in its place.
    Recreated,
}

/// Pure rules of a flow: no I/O, no clock.
pub trait Rules: Send + Sync {
    /// Key values for finding the item in the target; `None` when it is not to be looked for.
    fn lookup(&self, key: &str, payload: &str) -> Option<Lookup>;

    /// The only items that there is anything to decide about; `None` = all. Items that wait for nothing are not even loaded.
    fn concerns(&self) -> Option<Vec<String>> {
        None
    }

    /// Whether linked items whose target was deleted may be created again: then possible targets are looked for before.
    fn recreates(&self) -> bool {
        false
    }

    /// What to do with one item.
    fn decide(&self, item: &Item<'_>) -> Decision;

    /// What the link is to know besides, where nothing is done with the item itself.
    fn note(&self, _item: &Item<'_>, _decision: &Decision) -> Note {
        Note::Nothing
    }

    /// The groups that an item which was left alone waits for: it goes nowhere until one of them is mapped. One with an empty key stands
    /// for no group at all. Empty = it waits for none.
    fn waits_for(&self, _payload: &str, _decision: &Decision) -> Vec<Group> {
        Vec::new()
    }

    /// What stands in the target for a field as a report shows it, in the form of [`FieldChange::old`] (null = nothing); `None` if that
    /// cannot be told of this field.
    fn standing(&self, observed: &Observation, field: &str) -> Option<Value> {
        observed.values.get(field).cloned()
    }

    /// The same whole, where the short form leaves something out, as far as the change speaks of it, and without ids that every save
    /// gives anew: by it an undo and an approved plan tell whether something was changed since.
    fn whole(&self, observed: &Observation, change: &FieldChange) -> Option<Value> {
        self.standing(observed, &change.field)
    }

    /// What [`Self::whole`] will tell once a change is carried out; `None` = its `new`. A field whose `old` and `new` are less than what is
    /// written must tell it, or it could not be undone.
    fn comes_to(&self, _observed: &Observation, _field: &FieldChange) -> Option<Value> {
        None
    }

    /// For a field that stands only in the link's memory: the field of the target that it speaks about. It goes with that one, when it is
    /// written, undone or left alone.
    fn beside(&self, _field: &str) -> Option<&'static str> {
        None
    }

    /// The field that takes a creation back when it becomes 0: nothing that was made is deleted.
    fn hidden_by(&self, _observed: &Observation) -> &'static str {
        "status"
    }

    /// Settings that a rule or reason looks at, by name; for the answer to "why".
    fn settings_of(&self, _code: &str) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}
