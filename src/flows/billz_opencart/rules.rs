//! What is to be done with one good of Billz: the whole of requirement sections 4, 4.1 and 4.2, as one pure function.
//!
//! Order of questions: can it be read? is it something to sell? what does it cost, how many are there? is it linked? From there
//! [`existing`](super::existing) compares with what stands in the shop, or [`new`](super::new) decides about a creation.

use std::{collections::BTreeSet, time::Duration};

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde_json::Value;

use super::{
    categories,
    details::Rooms,
    existing, new,
    price::{self, Currencies, NoPrice, Priced},
    record::{Good, Kind, ShopNames},
    settings::{DeletedInShop, LinkKey, Linking, Settings},
    stock, undo, vanished,
};
use crate::{
    domain::number,
    engine::{
        flow::{Decision, Item, LinkDecision, Lookup, Observation, Rules},
        locks::{self, LockSet},
        mapping::{Group, Mappings},
        model::{Candidate, FieldChange, LinkState, Op, Outcome, Reason},
    },
    fault::{Code, Fault, FaultView},
};

/// The rules of one run.
pub struct BillzOpencart {
    /// Settings of the connection.
    pub settings: Settings,
    /// Billz shop being synchronised.
    pub stream: String,
    /// Shops whose stock counts: enabled and read at least once, and the one being synchronised.
    pub shops: Vec<String>,
    /// What people call the shops.
    pub names: ShopNames,
    /// Currencies of both ends.
    pub currencies: Currencies,
    /// OpenCart's customer groups: a special needs a row for each.
    pub groups: Vec<i64>,
    /// The day in the shop's time zone.
    pub today: NaiveDate,
    /// Which category of Billz goes to which category of the shop.
    pub mappings: Mappings,
    /// Categories that the shop has; `None` = not known.
    pub categories: Option<BTreeSet<i64>>,
    /// Fields that are never touched.
    pub locks: LockSet,
    /// What the shop's columns of text can hold, if it told.
    pub rooms: Option<Rooms>,
    /// How long a good must be gone from Billz before anything is done about it.
    pub vanished_delay: Duration,
}

/// A good with its price and stock by the rules.
#[derive(Clone)]
pub struct Wanted<'a> {
    /// The source's id.
    pub key: &'a str,
    /// The product, if it has one.
    pub target: Option<&'a str>,
    /// The good.
    pub good: &'a Good,
    /// Price and special.
    pub priced: Priced,
    /// Pieces, with the rule.
    pub quantity: (i64, Reason),
    /// Billz's own number behind them, before buffer and cap.
    pub counted: Decimal,
    /// When Billz said so, by its own clock.
    pub seen_at: DateTime<Utc>,
}

impl Rules for BillzOpencart {
    fn lookup(&self, key: &str, payload: &str) -> Option<Lookup> {
        let good = Good::of_payload(payload);
        if self.not_for_sale(&good).is_some() {
            return None;
        }
        let keys = self
            .settings
            .link_keys
            .iter()
            .flat_map(|by| match by {
                LinkKey::Sku => vec![(self.settings.sku_column.clone(), good.sku.clone())],
                LinkKey::Barcode => vec![(self.settings.barcode_column.clone(), good.barcode.clone())],
                LinkKey::Model => {
                    vec![(self.settings.model_column.clone(), good.sku.clone()), (self.settings.model_column.clone(), key.to_owned())]
                }
            })
            .filter(|(_, value)| !value.is_empty())
            .collect();
        Some(Lookup { source: key.to_owned(), keys })
    }

    fn recreates(&self) -> bool {
        self.settings.deleted_in_shop == DeletedInShop::Recreate
    }

    fn decide(&self, item: &Item<'_>) -> Decision {
        if let Some(gone) = &item.gone {
            return vanished::decide(self, item, gone);
        }
        let good = Good::of_payload(item.payload);
        if let Some((field, value)) = &good.unreadable {
            return failed(Reason::new("unreadable").with("field", field).with("value", value));
        }
        if let Some(reason) = self.not_for_sale(&good) {
            return skipped(reason);
        }
        let shop = self.settings.price_shop.as_deref().unwrap_or(&self.stream);
        let priced = match price::price(&good, shop, &self.settings, &self.currencies, &self.names) {
            Ok(priced) => priced,
            Err(NoPrice::Skip(reason)) => return skipped(reason),
            Err(NoPrice::Fail(reason)) => return failed(reason),
        };
        let (counted, quantity) = match stock::quantity(&good, &self.shops, &self.stream, &self.settings, &self.names) {
            Ok(stock::Stocked { counted, quantity, rule }) => (counted, (quantity, rule)),
            Err(reason) => return failed(reason),
        };
        let linked = item.link.filter(|link| link.state == LinkState::Linked);
        let target = linked.and_then(|link| link.target.as_deref());
        let wanted = Wanted { key: item.key, target, good: &good, priced, quantity, counted, seen_at: item.seen_at };
        match linked {
            Some(_) if item.observed.is_none() && self.recreates() => self.deleted(&wanted, item),
            Some(link) => existing::decide(self, &wanted, item.observed, Some(link)),
            None => self.unlinked(&wanted, item),
        }
    }

    fn waits_for(&self, payload: &str, decision: &Decision) -> Vec<Group> {
        if decision.reason.code == "category_unmapped" { categories::groups(&Good::of_payload(payload)) } else { Vec::new() }
    }

    fn standing(&self, observed: &Observation, field: &str) -> Option<Value> {
        undo::standing(self, observed, field)
    }

    fn whole(&self, observed: &Observation, change: &FieldChange) -> Option<Value> {
        undo::whole(observed, change)
    }

    fn comes_to(&self, observed: &Observation, field: &FieldChange) -> Option<Value> {
        undo::comes_to(self, observed, field)
    }

    fn beside(&self, field: &str) -> Option<&'static str> {
        undo::beside(field)
    }

    fn hidden_by(&self, observed: &Observation) -> &'static str {
        undo::hidden_by(observed)
    }

    fn settings_of(&self, code: &str) -> Vec<(&'static str, Value)> {
        self.settings.behind(code)
    }
}

impl BillzOpencart {
    /// Parents, services and bundles are no products (facts/billz-2.md section 4.2).
    fn not_for_sale(&self, good: &Good) -> Option<Reason> {
        match good.kind {
            Kind::Parent => Some(Reason::new("variative_parent")),
            Kind::Service if !self.settings.services => Some(Reason::new("service")),
            Kind::Bundle if !self.settings.services => Some(Reason::new("bundle")),
            Kind::Goods | Kind::Service | Kind::Bundle | Kind::Unreadable => None,
        }
    }

    /// Proposals come before creation: a shop that was filled from Excel must get no doubles.
    fn unlinked(&self, wanted: &Wanted<'_>, item: &Item<'_>) -> Decision {
        if wanted.good.is_elsewhere(&self.shops) {
            return skipped(Reason::new("not_in_shop"));
        }
        match item.candidates {
            [] => new::decide(self, wanted, item.key),
            [only] if !item.contested => match self.settings.linking {
                Linking::Confirm => Decision {
                    link: LinkDecision::Propose(only.clone()),
                    outcome: Outcome::Held,
                    ..skipped(Reason::new("link_proposed").with("candidate", describe(only)))
                },
                Linking::Auto => self.link_at_once(wanted, item, only),
            },
            several => Decision {
                link: LinkDecision::Ambiguous(several.to_vec()),
                ..skipped(Reason::new("link_ambiguous").with("candidates", several.iter().map(describe).collect::<Vec<_>>().join("; ")))
            },
        }
    }

    /// A person deleted the product, and the settings want it back. One that the person made anew by hand is not doubled.
    fn deleted(&self, wanted: &Wanted<'_>, item: &Item<'_>) -> Decision {
        if !item.candidates.is_empty() {
            let found = item.candidates.iter().map(describe).collect::<Vec<_>>().join("; ");
            return skipped(Reason::new("target_deleted_twin").with("candidates", found));
        }
        let decision = new::decide(self, wanted, item.key);
        match decision.outcome {
            Outcome::Created => Decision { reason: Reason::new("recreated"), link: LinkDecision::Recreated, ..decision },
            Outcome::Updated | Outcome::Unchanged | Outcome::Skipped | Outcome::Failed | Outcome::Held => decision,
        }
    }

    fn link_at_once(&self, wanted: &Wanted<'_>, item: &Item<'_>, only: &Candidate) -> Decision {
        let wanted = Wanted { target: Some(&only.target), ..wanted.clone() };
        let decision = existing::decide(self, &wanted, item.observed, None);
        let linked = FieldChange {
            field: "link".into(),
            old: None,
            new: Value::String(only.target.clone()),
            rule: Reason::new("link_auto").with("matched", only.matched.join(", ")),
        };
        match decision.outcome {
            // Fields that stay as they are do not keep a product from being recognised.
            Outcome::Skipped if !decision.fields.iter().any(locks::is_kept) => decision,
            Outcome::Updated | Outcome::Unchanged | Outcome::Skipped => Decision {
                outcome: Outcome::Updated,
                op: Op::Update,
                reason: Reason::new("changed"),
                fields: std::iter::once(linked).chain(decision.fields).collect(),
                link: LinkDecision::Auto(only.clone()),
                undo: "restore",
                fault: None,
            },
            Outcome::Created | Outcome::Failed | Outcome::Held => decision,
        }
    }
}

fn describe(candidate: &Candidate) -> String {
    format!("{} ({}, {})", candidate.target, candidate.name, candidate.matched.join(", "))
}

/// Left alone, for a reason.
pub fn skipped(reason: Reason) -> Decision {
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

/// Could not be done: to the retry list.
pub fn failed(reason: Reason) -> Decision {
    let fault = FaultView::from(&Fault::new(Code::BadItem, reason.code.clone()));
    Decision { outcome: Outcome::Failed, fault: Some(fault), ..skipped(reason) }
}

/// Money in reports: a decimal string.
pub fn money(value: Decimal) -> Value {
    Value::String(number::plain(value))
}
