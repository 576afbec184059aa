//! A good that the shop has: which of quantity, price and special differ from what stands there now (requirement section 4.2).
//! Texts, manufacturer and attributes are compared in [`details`].

use rust_decimal::Decimal;
use serde_json::Value;

use super::{
    categories, details, pictures,
    rules::{BillzOpencart, Wanted, money, skipped},
    settings::{Api, Specials, SpecialsScope, UpdateField},
    site_sales,
    target::{self, Standing},
    vanished, variants,
};
use crate::{
    domain::number,
    engine::{
        flow::{Decision, LinkDecision, Observation},
        locks,
        model::{FieldChange, Link, Op, Outcome, Reason, Values},
    },
    systems::opencart::special::{Ending, Scope, SpecialWish, Want, special_differs, special_is_over, specials_after, visible_special},
};

/// What to do with a linked good. `link` is absent when it is linked in this very decision.
pub fn decide(rules: &BillzOpencart, wanted: &Wanted<'_>, observed: Option<&Observation>, link: Option<&Link>) -> Decision {
    let standing = match standing(observed, link) {
        Ok(standing) => standing,
        Err(reason) => return skipped(reason),
    };
    let lock_of = |field: &str| rules.locks.field(wanted.key, wanted.target, field);
    let under = |locked: &dyn Fn(&str) -> bool| {
        let mut fields = changes(rules, wanted, &standing, link, locked);
        // Texts and attributes belong to the whole family.
        let whole = observed.filter(|_| !variants::is_linked(link));
        let details = whole.map(|seen| details::changes(&rules.settings, rules.rooms.as_ref(), wanted.good, &seen.values));
        fields.extend(details.into_iter().flatten().filter(|change| !locked(&change.field)));
        fields
    };
    let decided = under(&|field| lock_of(field).is_some()).into_iter();
    let (mut kept, mut fields): (Vec<FieldChange>, Vec<FieldChange>) = decided.partition(locks::is_kept);
    if !rules.locks.rows.is_empty() {
        let differs = under(&|_| false).into_iter().filter(|change| change.old.as_ref() != Some(&change.new));
        kept.extend(differs.filter_map(|change| lock_of(&change.field).map(|lock| locks::kept(change, lock))));
    }
    if fields.is_empty()
        && let Some(first) = kept.first()
    {
        return Decision { fields: kept.clone(), ..skipped(first.rule.clone()) };
    }
    fields.extend(kept);
    if fields.is_empty() {
        return Decision { outcome: Outcome::Unchanged, undo: "never:nothing was written", ..skipped(Reason::new("unchanged")) };
    }
    Decision {
        outcome: Outcome::Updated,
        op: Op::Update,
        reason: Reason::new("changed"),
        fields,
        fault: None,
        link: LinkDecision::Keep,
        undo: "restore",
    }
}

/// The linked product as it stands, if it may be touched; else why not.
pub fn standing(observed: Option<&Observation>, link: Option<&Link>) -> Result<Standing, Reason> {
    let Some(seen) = observed else { return Err(Reason::new("target_deleted")) };
    if let (Some(was), Some(is)) = (link.and_then(|link| link.witness.as_ref()), &seen.witness)
        && was != is
    {
        return Err(Reason::new("target_replaced"));
    }
    if !seen.owned {
        return Err(Reason::new("foreign_owner"));
    }
    Standing::of(&seen.values).map_err(|field| Reason::new("unreadable").with("field", field).with("value", ""))
}

/// Fields that differ and follow Billz. A locked one does not, and what hangs on it goes by what stands there.
fn changes(
    rules: &BillzOpencart,
    wanted: &Wanted<'_>,
    standing: &Standing,
    link: Option<&Link>,
    locked: &dyn Fn(&str) -> bool,
) -> Vec<FieldChange> {
    let follows = |field: UpdateField| rules.settings.update_fields.contains(&field) && !locked(field.name());
    let mut fields = if locked("status") { Vec::new() } else { vanished::returned(standing, link) };
    if follows(UpdateField::Quantity) {
        let nothing = Values::new();
        let written = link.map_or(&nothing, |link| &link.written);
        fields.extend(site_sales::changes(rules, wanted, standing.product.quantity, &standing.sold, written));
    }
    let of_price = |price_too: bool| {
        price_and_special(rules, wanted, standing, link, &|field| follows(field) && (price_too || field != UpdateField::Price))
    };
    let priced = of_price(true);
    match special_above(rules, standing, link, &priced) {
        None => fields.extend(priced),
        // Customers pay the special either way, and a special is never above the price.
        Some((special, price)) => {
            let rule = Reason::new(locks::BESIDE).with("value", number::plain(price)).with("special", number::plain(special));
            let stands = money(standing.product.price);
            fields.push(FieldChange { field: "price".into(), old: Some(stands.clone()), new: stands, rule });
            fields.extend(of_price(false));
        }
    }
    if follows(UpdateField::Categories)
        && let Some(standing) = &standing.categories
        && let Some(change) = categories::change(wanted.good, &rules.mappings, standing, link)
    {
        fields.push(change);
    }
    fields.extend(pictures::of_existing(&rules.settings, wanted.good, link).into_iter().filter(|change| !locked(&change.field)));
    fields
}

/// Price and special: each hangs on the other.
fn price_and_special(
    rules: &BillzOpencart,
    wanted: &Wanted<'_>,
    standing: &Standing,
    link: Option<&Link>,
    follows: &dyn Fn(UpdateField) -> bool,
) -> Vec<FieldChange> {
    let mut fields = Vec::new();
    let price = wanted.priced.price;
    let written = link.and_then(|link| link.written.get("price")).and_then(Value::as_str).and_then(number::parse_decimal);
    // What counts as "the price was updated" is Billz moving, not somebody's hand in the shop.
    // A price that does not follow Billz does not move.
    // Nor does one that an undo took back and that Billz has not moved since.
    let left = link.is_some_and(|link| link.leaves("price", &money(price)));
    let moved = follows(UpdateField::Price) && !left && written.map_or(standing.product.price != price, |written| written != price);
    // A hand that put the new price there already leaves us one thing: to remember that this price has been dealt with.
    if follows(UpdateField::Price) && (standing.product.price != price || (moved && written.is_some())) {
        fields.push(FieldChange {
            field: "price".into(),
            old: Some(money(standing.product.price)),
            new: money(price),
            rule: wanted.priced.rule.clone(),
        });
    }
    // The price that will stand there: a special must be below it.
    let base = if follows(UpdateField::Price) && !left { price } else { standing.product.price };
    if follows(UpdateField::Special)
        && !variants::is_linked(link)
        && let Some(change) = special(rules, wanted, standing, link, moved, base)
    {
        fields.push(change);
    }
    fields
}

/// A special that would stand above the price which these changes lower, because it may not be touched (it is locked, or a person's own);
/// with that price.
fn special_above(rules: &BillzOpencart, standing: &Standing, link: Option<&Link>, fields: &[FieldChange]) -> Option<(Decimal, Decimal)> {
    let of = |name: &str| fields.iter().find(|change| change.field == name);
    // A price that an undo took back is not written.
    let change = of("price").filter(|change| !link.is_some_and(|link| link.leaves("price", &change.new)))?;
    let price = target::decimal(&change.new).filter(|price| *price < standing.product.price)?;
    let specials = match of("special") {
        Some(change) => {
            let wish = target::special_wish(change, &rules.settings, &rules.groups);
            specials_after(&standing.product.specials, &wish, rules.today)
        }
        None => standing.product.specials.clone(),
    };
    let open = specials.iter().filter(|row| !special_is_over(row, rules.today));
    open.map(|row| row.price).max().filter(|special| *special > price).map(|special| (special, price))
}

/// The table of specials (requirement section 4.2, "Акция"). Without a promotion or discount:
///
/// | Billz | | |
/// |---|---|---|
/// | 1 | the discount is 0 | any special ends, moved price or not |
/// | 1 | the row says nothing of a discount | left alone, unless ours would be above the price |
/// | 2 | the price moved | any special ends |
/// | 2 | a promotion of ours is over | ours ends |
/// | 2 | neither | left alone |
///
/// "Any" is what `specials_scope` allows.
fn special(
    rules: &BillzOpencart,
    wanted: &Wanted<'_>,
    standing: &Standing,
    link: Option<&Link>,
    moved: bool,
    base: Decimal,
) -> Option<FieldChange> {
    let ours = link.and_then(|link| link.written.get("special")).and_then(Value::as_str).and_then(number::parse_decimal);
    // What the source does not speak of, it does not end; save that ours must never be above the price.
    if !wanted.priced.promo_told && ours.is_none_or(|ours| ours < base) {
        return None;
    }
    let promo = wanted.priced.promo.as_ref().filter(|(price, _)| *price < base);
    let (want, scope, rule) = match promo {
        Some((price, rule)) => (Want::Price(*price), scope(rules, ours), rule.clone()),
        None if rules.settings.api == Api::Billz1 && wanted.priced.promo_told => {
            (Want::None, scope(rules, ours), Reason::new("discount_ended"))
        }
        None if moved => (Want::None, scope(rules, ours), Reason::new("special_removed_price_changed")),
        None if ours.is_some() => (Want::None, Scope::Own(ours.into_iter().collect()), Reason::new("promo_ended")),
        None => return None,
    };
    let new = match &want {
        Want::Price(price) => money(*price),
        Want::None | Want::Rows(_) => Value::Null,
    };
    let wish = wish(rules, want, scope);
    // Our own special that somebody else took away is over all the same: remembering that is a change of the link alone.
    let forget = ours.is_some() && new.is_null();
    if !special_differs(&standing.product, &wish, rules.today) && !forget {
        return None;
    }
    // The writer must know later which rows are ours.
    let rule = match ours {
        Some(ours) => rule.with("ours", number::plain(ours)),
        None => rule,
    };
    let old = visible(rules, standing);
    Some(FieldChange { field: "special".into(), old, new, rule })
}

/// The special that customers see.
fn visible(rules: &BillzOpencart, standing: &Standing) -> Option<Value> {
    rules.groups.iter().find_map(|group| visible_special(&standing.product.specials, *group, rules.today)).map(|row| money(row.price))
}

/// The same of an observation; null where there is none.
pub fn visible_price(rules: &BillzOpencart, observed: &Observation) -> Option<Value> {
    Standing::of(&observed.values).ok().map(|standing| visible(rules, &standing).unwrap_or(Value::Null))
}

/// Which rows may be touched.
fn scope(rules: &BillzOpencart, ours: Option<Decimal>) -> Scope {
    match rules.settings.specials_scope {
        SpecialsScope::All => Scope::All,
        SpecialsScope::Own => Scope::Own(ours.into_iter().collect()),
    }
}

/// The wish as the OpenCart system takes it.
pub fn wish(rules: &BillzOpencart, want: Want, scope: Scope) -> SpecialWish {
    let ending = match rules.settings.specials {
        Specials::Remove => Ending::Remove,
        Specials::Close => Ending::Close,
    };
    SpecialWish { groups: rules.groups.clone(), want, ending, scope }
}
