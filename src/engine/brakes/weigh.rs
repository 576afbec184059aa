//! Counting: every decision of a run passes the [`Scale`] once. It keeps numbers only, so that a run over 100,000 items weighs as
//! little as one over ten; of orders a number for each phone.

use std::collections::{BTreeMap, HashMap};

use rust_decimal::Decimal;
use serde_json::Value;

use super::{Limit, Limits, Reading, Rule};
use crate::{
    domain::number,
    engine::{
        flow::{Decision, Observation},
        model::{FieldChange, Link, Op, Reason, Values},
        pictures::Tally,
    },
};

/// The field of a change that is sent (an order) by which a burst of one customer is seen: the phone in one form, such as `380671112233`.
pub const PHONE: &str = "phone";

/// What the run before it knows of the source's size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Items of this run's read, if it was a whole read of everything.
    pub items: Option<u64>,
    /// The usual number: the median of the whole reads before it.
    pub usual: Option<u64>,
}

/// Counts of one run.
pub struct Scale {
    limits: Limits,
    counts: BTreeMap<Rule, u64>,
    linked: u64,
    on_sale: u64,
    crowd: Crowd,
}

/// How many orders each phone has in a run, and how many are too many.
#[derive(Debug, Default)]
pub struct Crowd {
    by_phone: HashMap<String, u64>,
    sent: u64,
    from: u64,
}

impl Crowd {
    fn add(&mut self, fields: &[FieldChange]) {
        self.sent += 1;
        if let Some(phone) = phone(fields) {
            *self.by_phone.entry(phone.to_owned()).or_default() += 1;
        }
    }

    /// The most orders of one phone.
    fn most(&self) -> u64 {
        self.by_phone.values().copied().max().unwrap_or_default()
    }

    /// Whether these are fields of an order whose phone has too many.
    pub fn holds(&self, fields: &[FieldChange]) -> bool {
        phone(fields).and_then(|phone| self.by_phone.get(phone)).is_some_and(|count| *count >= self.from)
    }
}

fn phone(fields: &[FieldChange]) -> Option<&str> {
    fields.iter().find(|field| field.field == PHONE).and_then(|field| field.new.as_str()).filter(|phone| !phone.is_empty())
}

/// What the brake on unreadable pictures finds in what a run has called for so far; `None` while nothing was, or where it is off.
pub fn pictures(limits: &Limits, tally: Tally) -> Option<Reading> {
    let limit = limits.of(Rule::UnreadablePictures);
    (limit.on && tally.fetched > 0).then(|| Reading::of(Rule::UnreadablePictures, tally.failed, tally.fetched, limit))
}

impl Reading {
    fn of(rule: Rule, count: u64, of: u64, limit: Limit) -> Self {
        let over = limit.share.is_none_or(|share| Decimal::from(count) > share.saturating_mul(Decimal::from(of)));
        Self { rule, count, of, tripped: count > 0 && count >= limit.from && over, limit }
    }
}

/// The number in a value of a report: quantities are numbers, money is text.
fn decimal(value: &Value) -> Option<Decimal> {
    match value {
        Value::Number(number) => number::parse_decimal(&number.to_string()),
        Value::String(text) => number::parse_decimal(text),
        _ => None,
    }
}

fn visible(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| decimal(value).is_some_and(|value| !value.is_zero()))
}

/// What stands in the target of a field that every flow of goods names alike.
fn stands(observed: Option<&Values>, name: &str) -> Option<Decimal> {
    observed.and_then(|values| values.get(name)).and_then(decimal)
}

impl Scale {
    /// An empty scale under these limits.
    pub fn new(limits: Limits) -> Self {
        let crowd = Crowd { from: limits.of(Rule::OnePhone).from, ..Crowd::default() };
        Self { limits, counts: BTreeMap::new(), linked: 0, on_sale: 0, crowd }
    }

    /// Weighs one decision; `link` if the item is linked, `observed` what stands in the target. Returns the bits of the brakes it
    /// speaks to, to be stored with the change.
    pub fn weigh(&mut self, decision: &Decision, link: Option<&Link>, observed: Option<&Observation>) -> u16 {
        let values = observed.map(|seen| &seen.values);
        self.linked += u64::from(observed.is_some());
        let shown = values.and_then(|values| values.get("status")).is_none_or(visible);
        self.on_sale += u64::from(shown && stands(values, "quantity").is_some_and(|quantity| quantity > Decimal::ZERO));
        let found = [
            (Rule::ProductsZeroed, zeroed(decision, values)),
            (Rule::CurrencyChanged, currency_changed(decision, link)),
            (Rule::PriceJump, jumps(decision, link, values, &self.limits.of(Rule::PriceJump))),
            (Rule::PricesMoved, moves(decision, link, &self.limits.of(Rule::PricesMoved))),
            (Rule::NewProducts, decision.op == Op::Create),
            (Rule::NewOrders, decision.op == Op::Send),
            (Rule::OnePhone, decision.op == Op::Send && phone(&decision.fields).is_some()),
        ];
        if decision.op == Op::Send {
            self.crowd.add(&decision.fields);
        }
        let mut risks = 0;
        for (rule, _) in found.into_iter().filter(|(_, found)| *found) {
            *self.counts.entry(rule).or_default() += 1;
            risks |= rule.risk();
        }
        // What changes nothing cannot be held.
        if decision.op == Op::None { 0 } else { risks }
    }

    /// Whether the run found nothing linked that stands in the target.
    pub fn nothing_linked(&self) -> bool {
        self.linked == 0
    }

    /// The same counts under other limits.
    #[must_use]
    pub fn under(self, limits: Limits) -> Self {
        let crowd = Crowd { from: limits.of(Rule::OnePhone).from, ..self.crowd };
        Self { limits, crowd, ..self }
    }

    /// Which phones have too many orders.
    pub fn crowd(&self) -> &Crowd {
        &self.crowd
    }

    /// What every rule in force found.
    pub fn read(&self, history: History) -> Vec<Reading> {
        Rule::ALL.into_iter().filter_map(|rule| self.reading(rule, history)).collect()
    }

    fn reading(&self, rule: Rule, history: History) -> Option<Reading> {
        let limit = self.limits.of(rule);
        if !limit.on {
            return None;
        }
        let counted = self.counts.get(&rule).copied().unwrap_or_default();
        let (count, of) = match rule {
            Rule::SourceShrunk => {
                let (items, usual) = (history.items?, history.usual?);
                (usual.saturating_sub(items), usual)
            }
            Rule::ProductsZeroed => (counted, self.on_sale),
            Rule::CurrencyChanged | Rule::PriceJump | Rule::PricesMoved | Rule::NewProducts => (counted, self.linked),
            // A flow that sends nothing has no orders to speak of; pictures are counted when they come.
            Rule::NewOrders | Rule::OnePhone if self.crowd.sent == 0 => return None,
            Rule::NewOrders => (counted, self.crowd.sent),
            Rule::OnePhone => (self.crowd.most(), self.crowd.sent),
            Rule::UnreadablePictures => return None,
        };
        Some(Reading::of(rule, count, of, limit))
    }
}

fn field<'a>(decision: &'a Decision, name: &str) -> Option<&'a FieldChange> {
    decision.fields.iter().find(|field| field.field == name)
}

/// Takes something off sale that is on sale.
fn zeroed(decision: &Decision, values: Option<&Values>) -> bool {
    if decision.op == Op::Hide {
        return true;
    }
    if decision.op != Op::Update {
        return false;
    }
    let emptied = field(decision, "quantity").is_some_and(|change| {
        let old = change.old.as_ref().and_then(decimal).or_else(|| stands(values, "quantity"));
        old.is_some_and(|old| old > Decimal::ZERO) && decimal(&change.new).is_some_and(|new| new <= Decimal::ZERO)
    });
    let hidden = field(decision, "status").is_some_and(|change| change.old.as_ref().is_none_or(visible) && !visible(&change.new));
    emptied || hidden
}

/// Old and new price of an update, both above zero: a price that was never set does not move. Nor does one that is only put back to
/// what we wrote last: a hand moved it in the shop, and the source says what it said.
fn prices(decision: &Decision, link: Option<&Link>) -> Option<(Decimal, Decimal)> {
    let change = field(decision, "price").filter(|_| decision.op == Op::Update)?;
    let (old, new) = (decimal(change.old.as_ref()?)?, decimal(&change.new)?);
    let put_back = link.and_then(|link| link.written.get("price")).and_then(decimal) == Some(new);
    (old > Decimal::ZERO && new > Decimal::ZERO && old != new && !put_back).then_some((old, new))
}

fn moves(decision: &Decision, link: Option<&Link>, limit: &Limit) -> bool {
    let by = limit.by.unwrap_or_default();
    prices(decision, link).is_some_and(|(old, new)| (new - old).abs() > old.saturating_mul(by))
}

/// A special counts as the price that customers see.
fn jumps(decision: &Decision, link: Option<&Link>, values: Option<&Values>, limit: &Limit) -> bool {
    let Some(factor) = limit.factor else { return false };
    let far = |one: Decimal, other: Decimal| one.saturating_mul(factor) <= other || other.saturating_mul(factor) <= one;
    let special = field(decision, "special").filter(|_| decision.op == Op::Update).and_then(|change| decimal(&change.new));
    let base = field(decision, "price").and_then(|change| decimal(&change.new)).or_else(|| stands(values, "price"));
    prices(decision, link).is_some_and(|(old, new)| far(old, new))
        || special.zip(base).is_some_and(|(special, base)| special > Decimal::ZERO && far(special, base))
}

/// The label that a price's rule names, against the one that it was last written from.
fn currency_changed(decision: &Decision, link: Option<&Link>) -> bool {
    let Some(change) = field(decision, "price").filter(|_| decision.op == Op::Update) else { return false };
    let now = label(&change.rule);
    let before = link.and_then(|link| link.written.get(CURRENCY_WRITTEN)).and_then(Value::as_str);
    now.zip(before).is_some_and(|(now, before)| !now.eq_ignore_ascii_case(before))
}

/// Under which name a link remembers the currency that its price was made from.
pub const CURRENCY_WRITTEN: &str = "price.currency";

/// The currency that a rule names.
pub fn label(rule: &Reason) -> Option<&str> {
    rule.params.get("currency").map(String::as_str).filter(|label| !label.is_empty())
}
