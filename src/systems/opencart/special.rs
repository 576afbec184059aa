//! Specials ("Акция"): what has to be done so that each customer group sees exactly the wished special. Pure.
//!
//! Never "delete, then insert": the storefront must not see a moment without the special. So rows are changed in place first,
//! missing ones are inserted next, and only then are superfluous ones removed or closed. The plan is made from the rows as they
//! stand, so repeating it after a crash does only what is left.
//!
//! The storefront (facts section 3) takes, of the rows of the visitor's group that are live, the one with the lowest priority and
//! then the lowest price. A day compared with a moment: on `date_end` itself a special is over already.

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::observe::{Product, Special};

/// No date: since ever, or for ever.
pub(super) const NO_DATE: &str = "0000-00-00";

/// Priority of rows that we insert: lower than the form's usual 1, so that ours wins.
pub(super) const PRIORITY: i64 = 0;

/// What the special should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Want {
    /// This price for every group, without dates.
    Price(Decimal),
    /// Exactly these rows, whatever their dates; their ids say nothing. Takes no heed of groups, ending and scope.
    Rows(Vec<Special>),
    /// No special.
    None,
}

/// How a special is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The row is deleted.
    Remove,
    /// The row stays, with yesterday as its end.
    Close,
}

/// Whose rows are touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Any row that is not over.
    All,
    /// Only rows without dates whose price is one that we wrote.
    Own(Vec<Decimal>),
}

/// A wish for one product's specials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecialWish {
    /// Every customer group of the shop. A price is wished for each; without any group nothing is done.
    pub groups: Vec<i64>,
    /// What it should be.
    pub want: Want,
    /// How superfluous rows are ended.
    pub ending: Ending,
    /// Which rows may be touched.
    pub scope: Scope,
}

/// One step of a plan; steps are carried out in order. Old prices guard against rows that changed meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpecialOp {
    /// This row gets the price, and no dates.
    Update {
        /// `product_special_id`.
        id: u64,
        /// Its price as it stood.
        old: Decimal,
        /// Its new price.
        price: Decimal,
    },
    /// A new row without dates.
    Insert {
        /// For which customers.
        customer_group_id: i64,
        /// Its price.
        price: Decimal,
    },
    /// This row becomes another one of the same customers.
    Become {
        /// `product_special_id`.
        id: u64,
        /// Its price as it stood.
        old: Decimal,
        /// As it is to be.
        row: Special,
    },
    /// A new row with all that it says, save the id.
    Add {
        /// As it is to be.
        row: Special,
    },
    /// The row is deleted.
    Remove {
        /// `product_special_id`.
        id: u64,
        /// Its price as it stood.
        old: Decimal,
    },
    /// The row ends yesterday.
    Close {
        /// `product_special_id`.
        id: u64,
        /// Its price as it stood.
        old: Decimal,
    },
}

/// The database's text of a day.
pub(super) fn day(date: NaiveDate) -> String {
    date.format("%Y-%m-%d").to_string()
}

/// The day before, as `date_end` of a closed special.
pub(super) fn yesterday(today: NaiveDate) -> String {
    day(today.pred_opt().unwrap_or(today))
}

fn dated(date: &str) -> bool {
    !date.is_empty() && !date.starts_with("0000")
}

fn undated(row: &Special) -> bool {
    !dated(&row.date_start) && !dated(&row.date_end)
}

fn over(row: &Special, today: &str) -> bool {
    dated(&row.date_end) && row.date_end.as_str() <= today
}

/// Whether the storefront never shows this row again.
pub fn special_is_over(row: &Special, today: NaiveDate) -> bool {
    over(row, &day(today))
}

/// Whether the storefront shows this row today.
pub fn special_is_live(row: &Special, today: NaiveDate) -> bool {
    let today = day(today);
    !over(row, &today) && (!dated(&row.date_start) || row.date_start <= today)
}

/// The special that a customer group sees today.
pub fn visible_special(rows: &[Special], customer_group_id: i64, today: NaiveDate) -> Option<&Special> {
    rows.iter()
        .filter(|row| row.customer_group_id == customer_group_id && special_is_live(row, today))
        .min_by_key(|row| (row.priority, row.price, row.id))
}

/// The steps from the rows as they stand to the wish; none if nothing is to be done.
pub fn plan_specials(rows: &[Special], wish: &SpecialWish, today: NaiveDate) -> Vec<SpecialOp> {
    let now = day(today);
    let price = match &wish.want {
        Want::Rows(wanted) => return plan_rows(rows, wanted),
        // Without a group nobody could see the new price, and ending the standing ones is not what was asked.
        Want::Price(_) if wish.groups.is_empty() => return Vec::new(),
        Want::Price(price) => Some(*price),
        Want::None => None,
    };
    let ours = |row: &&Special| match &wish.scope {
        Scope::All => !over(row, &now),
        // The wished price counts as ours: after a crash it may stand there without having been recorded.
        Scope::Own(written) => undated(row) && (written.contains(&row.price) || Some(row.price) == price),
    };
    let (mut updates, mut inserts, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    if let Some(price) = price {
        let mut groups = wish.groups.clone();
        groups.sort_unstable();
        groups.dedup();
        for group in groups {
            let here = || rows.iter().filter(|row| row.customer_group_id == group);
            let rank = |row: &&Special| (!special_is_live(row, today), row.priority, row.price, row.id);
            let exact = here().filter(ours).filter(|row| undated(row) && row.price == price).min_by_key(rank);
            // A closed row is opened again rather than left beside a new one: closing month after month must not pile rows up.
            let closed = || {
                here().filter(|row| wish.scope == Scope::All && wish.ending == Ending::Close && over(row, &now)).max_by_key(|row| row.id)
            };
            match exact.or_else(|| here().filter(ours).min_by_key(rank)).or_else(closed) {
                Some(row) => {
                    kept.push(row.id);
                    if !(undated(row) && row.price == price) {
                        updates.push(SpecialOp::Update { id: row.id, old: row.price, price });
                    }
                }
                None => inserts.push(SpecialOp::Insert { customer_group_id: group, price }),
            }
        }
    }
    let ends = rows.iter().filter(ours).filter(|row| !kept.contains(&row.id)).map(|row| match wish.ending {
        Ending::Remove => SpecialOp::Remove { id: row.id, old: row.price },
        Ending::Close => SpecialOp::Close { id: row.id, old: row.price },
    });
    updates.into_iter().chain(inserts).chain(ends).collect()
}

/// Everything of a row but its id.
fn content(row: &Special) -> (i64, i64, Decimal, &str, &str) {
    (row.customer_group_id, row.priority, row.price, &row.date_start, &row.date_end)
}

/// The steps to exactly these rows: what stands already stays, the others are changed in place, then added, then removed.
fn plan_rows(rows: &[Special], wanted: &[Special]) -> Vec<SpecialOp> {
    let mut superfluous: Vec<&Special> = rows.iter().collect();
    let mut missing: Vec<&Special> = Vec::new();
    for row in wanted {
        match superfluous.iter().position(|stands| content(stands) == content(row)) {
            Some(place) => drop(superfluous.remove(place)),
            None => missing.push(row),
        }
    }
    let (mut updates, mut inserts) = (Vec::new(), Vec::new());
    for row in missing {
        match superfluous.iter().position(|stands| stands.customer_group_id == row.customer_group_id) {
            Some(place) => {
                let stands = superfluous.remove(place);
                updates.push(SpecialOp::Become { id: stands.id, old: stands.price, row: row.clone() });
            }
            None => inserts.push(SpecialOp::Add { row: row.clone() }),
        }
    }
    let ends = superfluous.into_iter().map(|row| SpecialOp::Remove { id: row.id, old: row.price });
    updates.into_iter().chain(inserts).chain(ends).collect()
}

/// The rows after a wish is carried out; new ones have the id 0.
pub fn specials_after(rows: &[Special], wish: &SpecialWish, today: NaiveDate) -> Vec<Special> {
    let mut rows = rows.to_vec();
    plan_specials(&rows.clone(), wish, today).iter().for_each(|op| step(&mut rows, op, today));
    rows
}

/// What the database does with one step.
fn step(rows: &mut Vec<Special>, op: &SpecialOp, today: NaiveDate) {
    let undated = |customer_group_id, price| Special {
        id: 0,
        customer_group_id,
        priority: PRIORITY,
        price,
        date_start: NO_DATE.into(),
        date_end: NO_DATE.into(),
    };
    match op {
        SpecialOp::Update { id, old, price } => {
            for row in rows.iter_mut().filter(|row| row.id == *id && row.price == *old) {
                (row.price, row.date_start, row.date_end) = (*price, NO_DATE.into(), NO_DATE.into());
            }
        }
        SpecialOp::Become { id, old, row: wanted } => {
            for row in rows.iter_mut().filter(|row| row.id == *id && row.price == *old) {
                *row = Special { id: *id, ..wanted.clone() };
            }
        }
        SpecialOp::Insert { customer_group_id, price } => rows.push(undated(*customer_group_id, *price)),
        SpecialOp::Add { row } => rows.push(Special { id: 0, ..row.clone() }),
        SpecialOp::Remove { id, .. } => rows.retain(|row| row.id != *id),
        SpecialOp::Close { id, .. } => {
            for row in rows.iter_mut().filter(|row| row.id == *id) {
                row.date_end = yesterday(today);
            }
        }
    }
}

/// Whether the wish asks for anything that does not stand already. Dry runs ask this too.
pub fn special_differs(product: &Product, wish: &SpecialWish, today: NaiveDate) -> bool {
    !plan_specials(&product.specials, wish, today).is_empty()
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(in crate::systems::opencart) const TODAY: &str = "2025-06-15";

    fn today() -> NaiveDate {
        TODAY.parse().unwrap()
    }

    /// The same with an id of its own for a new row, as the database gives one.
    fn step(rows: &mut Vec<Special>, op: &SpecialOp) {
        super::step(rows, op, today());
        let next = rows.iter().map(|row| row.id).max().unwrap_or(0) + 1;
        rows.iter_mut().filter(|row| row.id == 0).for_each(|row| row.id = next);
    }

    fn row() -> impl Strategy<Value = Special> {
        let date = || prop_oneof![3 => Just(NO_DATE), 1 => Just("2025-06-01"), 1 => Just("2025-06-14"), 1 => Just(TODAY), 1 => Just("2025-06-16"), 1 => Just("2025-07-01")];
        (1i64..4, -1i64..3, 1i64..5, date(), date()).prop_map(|(group, priority, price, start, end)| Special {
            id: 0,
            customer_group_id: group,
            priority,
            price: Decimal::from(price * 10),
            date_start: start.into(),
            date_end: end.into(),
        })
    }

    fn rows() -> impl Strategy<Value = Vec<Special>> {
        prop::collection::vec(row(), 0..8).prop_map(|mut rows| {
            for (place, row) in rows.iter_mut().enumerate() {
                row.id = place as u64 + 1;
            }
            rows
        })
    }

    fn wish() -> impl Strategy<Value = SpecialWish> {
        let want = prop_oneof![Just(Want::None), (1i64..5).prop_map(|price| Want::Price(Decimal::from(price * 10)))];
        let ending = prop_oneof![Just(Ending::Remove), Just(Ending::Close)];
        let scope = prop_oneof![
            Just(Scope::All),
            prop::collection::vec((1i64..5).prop_map(|price| Decimal::from(price * 10)), 0..3).prop_map(Scope::Own)
        ];
        (prop::collection::vec(1i64..4, 1..4), want, ending, scope).prop_map(|(groups, want, ending, scope)| SpecialWish {
            groups,
            want,
            ending,
            scope,
        })
    }

    proptest! {
        #[test]
        fn a_plan_reaches_the_wish_and_never_shows_a_gap(start in rows(), wish in wish()) {
            let mut rows = start.clone();
            for op in plan_specials(&start, &wish, today()) {
                let before: Vec<i64> = (1..4).filter(|group| visible_special(&rows, *group, today()).is_some()).collect();
                step(&mut rows, &op);
                if wish.want != Want::None {
                    for group in before.iter().filter(|group| wish.groups.contains(group)) {
                        prop_assert!(visible_special(&rows, *group, today()).is_some(), "a gap for group {group} after {op:?}");
                    }
                }
            }
            prop_assert!(plan_specials(&rows, &wish, today()).is_empty(), "a second run finds something to do");
            match (&wish.scope, &wish.want) {
                (Scope::All, Want::None) => prop_assert!((1..4).all(|group| visible_special(&rows, group, today()).is_none())),
                (Scope::All, Want::Price(price)) => for group in 1..4 {
                    let seen = visible_special(&rows, group, today()).map(|row| row.price);
                    prop_assert_eq!(seen, wish.groups.contains(&group).then_some(*price));
                },
                (Scope::Own(_), Want::Price(price)) => for group in &wish.groups {
                    prop_assert!(rows.iter().any(|row| row.customer_group_id == *group && undated(row) && row.price == *price));
                },
                (Scope::Own(_), Want::None) => {}
                (_, Want::Rows(_)) => unreachable!("wishes of rows have a test of their own"),
            }
        }

        #[test]
        fn rows_that_stood_are_put_back_whatever_stands_there(start in rows(), stood in rows(), cut in 0usize..12) {
            let wish = wanted(Want::Rows(stood.clone()), Ending::Remove, Scope::All);
            let mut rows = start.clone();
            // Cut anywhere, and taken up again.
            plan_specials(&start, &wish, today()).iter().take(cut).for_each(|op| step(&mut rows, op));
            plan_specials(&rows.clone(), &wish, today()).iter().for_each(|op| step(&mut rows, op));
            let sorted = |rows: &[Special]| {
                let mut rows: Vec<_> = rows.iter().map(|row| Special { id: 0, ..row.clone() }).collect();
                rows.sort_by(|one, other| content(one).cmp(&content(other)));
                rows
            };
            prop_assert_eq!(sorted(&rows), sorted(&stood));
            prop_assert_eq!(sorted(&specials_after(&start, &wish, today())), sorted(&stood));
            prop_assert!(plan_specials(&rows, &wish, today()).is_empty(), "a second time finds something to do");
        }

        #[test]
        fn a_plan_cut_anywhere_is_taken_up_again(start in rows(), wish in wish(), cut in 0usize..8) {
            let mut whole = start.clone();
            plan_specials(&start, &wish, today()).iter().for_each(|op| step(&mut whole, op));
            let mut cut_rows = start.clone();
            plan_specials(&start, &wish, today()).iter().take(cut).for_each(|op| step(&mut cut_rows, op));
            let rest = plan_specials(&cut_rows.clone(), &wish, today());
            rest.iter().for_each(|op| step(&mut cut_rows, op));
            prop_assert_eq!(cut_rows, whole);
        }

        #[test]
        fn rows_of_others_stay_under_scope_own(start in rows(), wish in wish()) {
            prop_assume!(wish.scope != Scope::All);
            let Scope::Own(written) = &wish.scope else { unreachable!() };
            let mut rows = start.clone();
            plan_specials(&start, &wish, today()).iter().for_each(|op| step(&mut rows, op));
            for row in start.iter().filter(|row| !(undated(row) && written.contains(&row.price))) {
                // A row with the wished price counts as ours only to be kept or thinned out.
                let same = Want::Price(row.price) == wish.want && undated(row);
                prop_assert!(same || rows.contains(row), "{row:?} was touched");
            }
        }
    }

    fn special(id: u64, priority: i64, price: i64, start: &str, end: &str) -> Special {
        Special { id, customer_group_id: 1, priority, price: Decimal::from(price), date_start: start.into(), date_end: end.into() }
    }

    fn wanted(want: Want, ending: Ending, scope: Scope) -> SpecialWish {
        SpecialWish { groups: vec![1], want, ending, scope }
    }

    #[test]
    fn the_last_day_is_not_part_of_a_special() {
        assert!(!special_is_live(&special(1, 1, 5, NO_DATE, TODAY), today()));
        assert!(special_is_live(&special(1, 1, 5, TODAY, "2025-06-16"), today()));
        assert!(!special_is_live(&special(1, 1, 5, "2025-06-16", NO_DATE), today()));
    }

    #[test]
    fn an_existing_special_is_edited_in_place_and_the_rest_goes_afterwards() {
        let rows = [special(7, 3, 90, NO_DATE, "2025-07-01"), special(8, 1, 95, NO_DATE, NO_DATE)];
        let plan = plan_specials(&rows, &wanted(Want::Price(Decimal::from(80)), Ending::Remove, Scope::All), today());
        assert_eq!(
            plan,
            [
                SpecialOp::Update { id: 8, old: Decimal::from(95), price: Decimal::from(80) },
                SpecialOp::Remove { id: 7, old: Decimal::from(90) }
            ]
        );
    }

    #[test]
    fn an_ended_special_is_left_alone_and_a_closed_one_is_opened_again() {
        let rows = [special(7, 1, 90, NO_DATE, "2025-06-14")];
        assert!(plan_specials(&rows, &wanted(Want::None, Ending::Remove, Scope::All), today()).is_empty());
        let reopened = plan_specials(&rows, &wanted(Want::Price(Decimal::from(90)), Ending::Close, Scope::All), today());
        assert_eq!(reopened, [SpecialOp::Update { id: 7, old: Decimal::from(90), price: Decimal::from(90) }]);
        assert_eq!(yesterday(today()), "2025-06-14");
    }
}
