//! Undo for this flow: what stands in the shop whole, so that it can be compared and put back. Pure.
//!
//! | field | a report shows | what is compared and put back |
//! |---|---|---|
//! | special | the one that visitors see | every row: customer group, priority, price, dates |
//! | name, description | one text where all languages agree | each language, as it is stored |
//! | attributes | those that change, in the shop's own language | these, in each language, as they are stored |
//! | categories | those that are ours | these: people's own beside them are left alone |
//! | images | addresses in Billz | the paths of all pictures with their places |

use serde_json::{Value, json};

use super::{
    categories, details, existing, pictures,
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
        pictures::FIELD as PICTURES,
    },
    fault::Fault,
    systems::opencart::{Ending, Scope, Special, SpecialWish, StandingPictures, Want, special::specials_after},
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

/// All that stands in the shop for the field of a change.
pub fn whole(observed: &Observation, change: &FieldChange) -> Option<Value> {
    match change.field.as_str() {
        SPECIAL => Standing::of(&observed.values).ok().map(|standing| as_value(&standing.product.specials)),
        categories::FIELD => observed.values.get(categories::FIELD).map(|standing| categories::whole(standing, change)),
        field => observed.values.get(field).cloned().or_else(|| details::whole(&observed.values, change)),
    }
}

/// The same as a report shows it.
pub fn standing(rules: &BillzOpencart, observed: &Observation, field: &str) -> Option<Value> {
    match field {
        SPECIAL => existing::visible_price(rules, observed),
        // Changes tell it as the column holds it.
        "status" => observed.values.get(field).and_then(Value::as_bool).map(|shown| Value::from(u8::from(shown))),
        // A change tells only of categories that are ours; people's own stand beside them.
        categories::FIELD => None,
        PICTURES => observed.values.get(field).map(pictures::shown),
        _ => observed.values.get(field).cloned().or_else(|| details::standing(&observed.values, field)),
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
    match field.field.as_str() {
        SPECIAL => {
            let standing = Standing::of(&observed.values).ok()?;
            let wish = target::special_wish(field, &rules.settings, &rules.groups);
            Some(as_value(&specials_after(&standing.product.specials, &wish, rules.today)))
        }
        categories::FIELD => Some(categories::comes_to(field)),
        _ => details::comes_to(rules.rooms.as_ref(), &observed.values, field),
    }
}

/// The wish that puts a product's specials back as they stood.
pub(super) fn special_wish(change: &Change) -> Result<SpecialWish, Fault> {
    let rows = change.body.keep.get(SPECIAL).and_then(|kept| kept.after.as_ref()).and_then(Value::as_array);
    let rows = rows.and_then(|rows| rows.iter().map(target::special).collect::<Option<Vec<_>>>());
    let rows = rows.ok_or_else(|| Fault::internal("the specials that stood there cannot be read back"))?;
    Ok(SpecialWish { groups: Vec::new(), want: Want::Rows(rows), ending: Ending::Remove, scope: Scope::All })
}

/// The pictures that stood there, if a change puts pictures back.
pub(super) fn pictures_again(change: &Change) -> Result<Option<StandingPictures>, Fault> {
    if !change.body.fields.iter().any(|field| field.field == PICTURES) {
        return Ok(None);
    }
    // Without any, a wish is taken back that was never fulfilled.
    let Some(stood) = change.body.keep.get(PICTURES).and_then(|kept| kept.after.as_ref()) else { return Ok(None) };
    pictures::standing(stood).map(Some).ok_or_else(|| Fault::internal("the pictures that stood there cannot be read back"))
}

/// Yes or no, as a creation and as an observation say it.
pub(super) fn flag(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| value.as_i64().map(|number| number != 0))
}
