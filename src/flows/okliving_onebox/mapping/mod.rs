//! The mapping of fields: requirement 2, "mapping полей (заказ с Living API -> заказ OneBox)". Per target an ordered list of places, the first
//! that is not empty wins; what is found passes [`transform`]s; what is missing is told as the settings say.
//!
//! Everything keeps its provenance: [`Told`] knows where a value stood, what was written there, and what was done to it. The same function
//! serves the runs, the report and the mapping test, so what the test shows is what will be sent.
//!
//! Start at [`evaluate`]. Buyer and recipient are two blocks that never lend each other a single field: an order without any recipient is
//! sent to its buyer as a whole, and says so ([`Parcel`]).

pub mod lines;
pub mod transform;

use std::collections::BTreeMap;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::engine::model::Reason;
use lines::Line;
pub use transform::Transform;

/// How a place is marked that is another target.
const OTHER: char = '=';
/// Names of a person that are told part by part.
const PARTS: [&str; 3] = ["last", "first", "middle"];
/// Fields that make a person known.
const PERSON: [&str; 5] = ["last", "first", "middle", "full", "phone"];

/// Where one target comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = MappedField)]
pub struct Field {
    /// JSON pointers into the order, the first that is not empty wins; `=np.branch` is what another target came to before its transforms.
    /// Inside `lines.…` they begin at the line.
    pub from: Vec<String>,
    /// What is done to it, in this order.
    pub transform: Vec<Transform>,
    /// Whether an order without it is flagged.
    pub required: bool,
    /// What is done when it is missing.
    pub on_missing: OnMissing,
    /// What stands for it when it is missing and `on_missing` is `default`.
    pub default: Option<String>,
}

/// What is done when a target is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnMissing {
    /// A required one is flagged; the order is made all the same.
    #[default]
    Warn,
    /// The order cannot be used.
    Error,
    /// `default` stands for it.
    Default,
}

/// By target, such as `recipient.phone`.
pub type Mapping = BTreeMap<String, Field>;

/// What one target came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Told {
    /// After its transforms; empty = nothing.
    pub value: String,
    /// The place that it stood at; absent = nowhere, or the default.
    pub from: Option<String>,
    /// What stood there.
    pub raw: String,
    /// What was done to it.
    pub transforms: Vec<Transform>,
    /// What a person should know.
    pub flags: Vec<Reason>,
    /// It can be used as it is.
    pub fine: bool,
}

/// Whose the parcel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Parcel {
    /// The order names a recipient.
    Recipient,
    /// It names none: its buyer takes the parcel.
    Customer,
    /// It names nobody.
    Nobody,
}

/// What is wrong with a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The target.
    pub target: String,
    /// What is wrong.
    pub reason: Reason,
}

/// An order after its mapping.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mapped {
    /// Every target.
    pub told: BTreeMap<String, Told>,
    /// Its lines.
    pub lines: Vec<Line>,
    /// Whose the parcel is.
    pub parcel: Parcel,
    /// What a person should look at: the order is flagged.
    pub problems: Vec<Problem>,
    /// It cannot be used at all: a target is missing whose `on_missing` is `error`.
    pub unusable: Option<Problem>,
}

impl Mapped {
    /// What a target came to; empty = nothing.
    pub fn value(&self, target: &str) -> &str {
        self.told.get(target).map_or("", |told| told.value.as_str())
    }

    /// The same if it passed its checks.
    pub fn fine(&self, target: &str) -> Option<&str> {
        self.told.get(target).filter(|told| told.fine && !told.value.is_empty()).map(|told| told.value.as_str())
    }

    /// The rule behind a target, for a report.
    pub fn rule(&self, target: &str) -> Reason {
        let Some(told) = self.told.get(target) else { return Reason::new("order_field_default") };
        match (told.flags.first(), &told.from) {
            (Some(flag), _) => flag.clone(),
            (None, Some(from)) => Reason::new("order_field").with("from", from),
            (None, None) => Reason::new("order_field_default"),
        }
    }

    /// Surname, first name and patronymic of the block `buyer` or `recipient`: from their own fields, else from the whole name where its order
    /// is beyond doubt.
    pub fn name_parts(&self, block: &str) -> Option<(String, String, String)> {
        let part = |part: &str| self.value(&format!("{block}.{part}")).to_owned();
        let [last, first, middle] = PARTS.map(part);
        if !last.is_empty() || !first.is_empty() {
            return Some((last, first, middle));
        }
        super::recipient::split(self.value(&format!("{block}.full")))
    }

    /// The whole name of a block as people write it; empty = none.
    pub fn whole_name(&self, block: &str) -> String {
        let parts = PARTS.map(|part| self.value(&format!("{block}.{part}")));
        let joined = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        if joined.is_empty() { self.value(&format!("{block}.full")).to_owned() } else { joined }
    }

    /// The block that takes the parcel.
    pub fn parcel_block(&self) -> &'static str {
        match self.parcel {
            Parcel::Recipient | Parcel::Nobody => "recipient",
            Parcel::Customer => "buyer",
        }
    }
}

/// What stands at a place, as text; `None` = nothing. Lists and objects are no values.
pub fn scalar(value: &Value, pointer: &str) -> Option<String> {
    let text = match value.pointer(pointer)? {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(yes) => yes.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// One target out of `value`; `told` are the targets that were evaluated before.
pub(super) fn tell(field: &Field, value: &Value, told: &BTreeMap<String, Told>, zone: Tz) -> Told {
    let found = field.from.iter().find_map(|place| match place.strip_prefix(OTHER) {
        Some(other) => told.get(other).filter(|other| !other.raw.is_empty()).map(|other| (place.clone(), other.raw.clone())),
        None => scalar(value, place).map(|raw| (place.clone(), raw)),
    });
    let (from, raw) = match found {
        Some((from, raw)) => (Some(from), raw),
        None => match (&field.default, field.on_missing) {
            (Some(default), OnMissing::Default) => (None, default.clone()),
            _ => return Told { fine: true, ..Told::default() },
        },
    };
    let mut out = Told { value: raw.clone(), from, raw, transforms: field.transform.clone(), flags: Vec::new(), fine: true };
    for transform in &field.transform {
        let checked = transform.apply(&out.value, zone);
        out.value = checked.value;
        out.flags.extend(checked.flags);
        out.fine &= checked.fine;
        if !out.fine {
            break;
        }
    }
    out
}

/// An order through a mapping. Times without a zone are of `zone`.
pub fn evaluate(order: &Value, mapping: &Mapping, zone: Tz) -> Mapped {
    let mut told: BTreeMap<String, Told> = BTreeMap::new();
    // Places that are other targets need those first.
    let refers = |field: &Field| field.from.iter().any(|place| place.starts_with(OTHER));
    let of_order = || mapping.iter().filter(|(target, _)| *target != "lines" && !target.starts_with("lines."));
    for (target, field) in of_order().filter(|(_, field)| !refers(field)).chain(of_order().filter(|(_, field)| refers(field))) {
        let value = tell(field, order, &told, zone);
        told.insert(target.clone(), value);
    }
    let (lines, line_problems) = lines::read(order, mapping, zone);
    let known = |block: &str| PERSON.iter().any(|part| told.get(&format!("{block}.{part}")).is_some_and(|told| !told.value.is_empty()));
    let parcel = match (known("recipient"), known("buyer")) {
        (true, _) => Parcel::Recipient,
        (false, true) => Parcel::Customer,
        (false, false) => Parcel::Nobody,
    };
    let mut mapped = Mapped { told, lines, parcel, problems: Vec::new(), unusable: None };
    mapped.problems = problems(&mapped, mapping);
    mapped.problems.extend(line_problems);
    let lacks = |target: &str| mapped.value(target).is_empty();
    mapped.unusable = mapping
        .iter()
        .filter(|(target, field)| field.required && field.on_missing == OnMissing::Error && !target.starts_with("lines") && lacks(target))
        .map(|(target, _)| missing(target))
        .next();
    mapped
}

fn missing(target: &str) -> Problem {
    Problem { target: target.to_owned(), reason: Reason::new("order_field_missing").with("field", target) }
}

/// What a person should look at.
fn problems(mapped: &Mapped, mapping: &Mapping) -> Vec<Problem> {
    let mut found = Vec::new();
    let block = mapped.parcel_block();
    for (target, told) in &mapped.told {
        // Of the recipient's fields those count by which the parcel goes; the buyer's card alone is no reason to stop anybody.
        let of_parcel = !target.starts_with("buyer.") || block == "buyer";
        for flag in told.flags.iter().filter(|_| of_parcel) {
            found.push(Problem { target: target.clone(), reason: flag.clone() });
        }
    }
    for (target, field) in mapping.iter().filter(|(target, field)| field.required && !target.starts_with("lines")) {
        // Where the buyer takes the parcel, his fields are asked for instead.
        let asked = match (mapped.parcel, target.strip_prefix("recipient.")) {
            (Parcel::Customer, Some(part)) => format!("buyer.{part}"),
            _ => target.clone(),
        };
        if mapped.value(&asked).is_empty() && field.on_missing != OnMissing::Error {
            found.push(missing(&asked));
        }
    }
    match mapped.parcel {
        Parcel::Customer => found.push(Problem { target: "recipient".into(), reason: Reason::new("recipient_is_customer") }),
        Parcel::Nobody => found.push(missing("recipient")),
        Parcel::Recipient => {}
    }
    if mapped.parcel != Parcel::Nobody && mapped.whole_name(block).is_empty() {
        found.push(missing(&format!("{block}.full")));
    } else if mapped.parcel != Parcel::Nobody && mapped.name_parts(block).is_none() {
        let name = mapped.whole_name(block);
        found.push(Problem { target: format!("{block}.full"), reason: Reason::new("name_ambiguous").with("value", name) });
    }
    found.extend(branch_problem(mapped));
    found
}

/// Text, number and reference of a branch should agree.
fn branch_problem(mapped: &Mapped) -> Option<Problem> {
    let (text, number) = (mapped.value("np.branch"), mapped.value("np.number"));
    let problem = |target: &str, reason| Some(Problem { target: target.into(), reason });
    match super::recipient::branch_number(text) {
        Some(told) if !number.is_empty() && told != number => {
            problem("np.number", Reason::new("np_number_disagrees").with("text", text).with("number", number))
        }
        _ if text.is_empty() && number.is_empty() && mapped.value("np.ref").is_empty() && mapped.value("np.address").is_empty() => {
            problem("np.branch", Reason::new("order_field_missing").with("field", "np.branch"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
