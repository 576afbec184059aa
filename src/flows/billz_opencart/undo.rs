//! Undo for this flow: what stands in the shop whole, so that it can be compared and put back. Pure.
//!
//! Only specials need more than a value: a product may have any number of them, for several customer groups, with dates and
//! priorities, while a report shows the one that visitors see.

use serde_json::{Value, json};

use super::{
    categories, existing,
    rules::BillzOpencart,
    site_sales,
    target::{self, Standing},
    vanished, variants,
};
use crate::{
    domain::number,
    engine::{
        flow::Observation,
        model::{Change, FieldChange},
    },
    fault::Fault,
    systems::opencart::{Ending, Scope, Special, SpecialWish, Want, special::specials_after},
};

/// The field whose short form is the special that visitors see.
const SPECIAL: &str = "special";

/// Rows of specials without their ids, in an order of their own: a person's save gives every row a new id.
fn as_value(rows: &[Special]) -> Value {
    let mut rows: Vec<&Special> = rows.iter().collect();
    rows.sort_by(|one, other| {
        let key = |row: &Special| (row.customer_group_id, row.priority, row.price);
        key(one).cmp(&key(other)).then_with(|| (&one.date_start, &one.date_end).cmp(&(&other.date_start, &other.date_end)))
    });
    let row = |row: &&Special| json!([0, row.customer_group_id, row.priority, number::plain(row.price), row.date_start, row.date_end]);
    Value::Array(rows.iter().map(row).collect())
}

/// All that stands in the shop for a field.
pub fn whole(observed: &Observation, field: &str) -> Option<Value> {
    if field == SPECIAL {
        return Standing::of(&observed.values).ok().map(|standing| as_value(&standing.product.specials));
    }
    observed.values.get(field).cloned()
}

/// The same as a report shows it.
pub fn standing(rules: &BillzOpencart, observed: &Observation, field: &str) -> Option<Value> {
    match field {
        SPECIAL => existing::visible_price(rules, observed),
        // Changes tell it as the column holds it.
        "status" => observed.values.get(field).and_then(Value::as_bool).map(|shown| Value::from(u8::from(shown))),
        // A change tells only of categories that are ours; people's own stand beside them.
        categories::FIELD => None,
        _ => whole(observed, field),
    }
}

/// What the link remembers beside the quantity and the status.
pub fn beside(field: &str) -> Option<&'static str> {
    match field {
        site_sales::FIELD => Some("quantity"),
        vanished::FIELD => Some("status"),
        _ => None,
    }
}

/// What hides a thing that was made: the status of a product, which goes for its first size, too. A size that joined a product later is
/// sold out instead: the storefront shows no value without stock, and the others stay.
pub fn hidden_by(observed: &Observation) -> &'static str {
    let joined = observed.values.get(variants::FIRST).and_then(Value::as_bool) == Some(false);
    if joined { "quantity" } else { "status" }
}

/// What will stand there once the change is carried out.
pub fn comes_to(rules: &BillzOpencart, observed: &Observation, field: &FieldChange) -> Option<Value> {
    if field.field != SPECIAL {
        return None;
    }
    let standing = Standing::of(&observed.values).ok()?;
    let wish = target::special_wish(field, &rules.settings, &rules.groups);
    Some(as_value(&specials_after(&standing.product.specials, &wish, rules.today)))
}

/// The wish that puts a product's specials back as they stood.
pub(super) fn special_wish(change: &Change) -> Result<SpecialWish, Fault> {
    let rows = change.body.keep.get(SPECIAL).and_then(|kept| kept.after.as_ref()).and_then(Value::as_array);
    let rows = rows.and_then(|rows| rows.iter().map(target::special).collect::<Option<Vec<_>>>());
    let rows = rows.ok_or_else(|| Fault::internal("the specials that stood there cannot be read back"))?;
    Ok(SpecialWish { groups: Vec::new(), want: Want::Rows(rows), ending: Ending::Remove, scope: Scope::All })
}

/// Yes or no, as a creation and as an observation say it.
pub(super) fn flag(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| value.as_i64().map(|number| number != 0))
}
