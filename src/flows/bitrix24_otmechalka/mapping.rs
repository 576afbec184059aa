//! Products and branches into courses and branch offices (requirement, the lists after the mapping of contacts).
//!
//! | product | branch | courses | branch office |
//! |---|---|---|---|
//! | online (410) | any, or none | those of the direction | the direction's own |
//! | classroom (404) | a known one | those of the direction | the branch's |
//! | classroom (404) | unknown ones only | nothing | |
//!
//! Several products and branches add up. What the settings do not name is ignored.

use std::collections::BTreeMap;

use super::settings::{Direction, IdsAs, Mapping, Otmechalka};
use crate::engine::model::Reason;

/// Courses and branch offices by their exact names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// Courses, in the order of products.
    pub courses: Vec<String>,
    /// Branch offices.
    pub branchoffices: Vec<String>,
}

impl Groups {
    /// Whether nothing is left to be linked to.
    pub fn is_empty(&self) -> bool {
        self.courses.is_empty() || self.branchoffices.is_empty()
    }

    fn add(&mut self, courses: &[String], office: &str) {
        for course in courses {
            put(&mut self.courses, course);
        }
        put(&mut self.branchoffices, office);
    }
}

fn put(list: &mut Vec<String>, name: &str) {
    if !list.iter().any(|own| own == name) {
        list.push(name.to_owned());
    }
}

/// The value of a table's entry; an empty one is switched off.
fn entry<'a>(table: &'a BTreeMap<String, String>, id: &str) -> Option<&'a str> {
    table.get(id).map(String::as_str).filter(|value| !value.is_empty())
}

/// The directions that a contact's products stand for.
pub fn directions<'a>(mapping: &'a Mapping, products: &[String]) -> Vec<&'a Direction> {
    products.iter().filter_map(|id| mapping.directions.get(entry(&mapping.products, id)?)).collect()
}

/// What a contact is linked to.
pub fn groups(mapping: &Mapping, products: &[String], branches: &[String]) -> Groups {
    let mut groups = Groups::default();
    for direction in directions(mapping, products) {
        match &direction.branchoffice {
            Some(office) => groups.add(&direction.courses, office),
            None => {
                for branch in branches.iter().filter_map(|id| entry(&mapping.contact_branches, id)) {
                    if let Some(office) = entry(&mapping.branchoffices, branch) {
                        groups.add(&direction.courses, office);
                    }
                }
            }
        }
    }
    groups
}

/// The branch offices of a deal, unknown branches ignored.
pub fn deal_offices(mapping: &Mapping, branches: &[String]) -> Vec<String> {
    let mut offices = Vec::new();
    for branch in branches.iter().filter_map(|id| entry(&mapping.deal_branches, id)) {
        if let Some(office) = entry(&mapping.branchoffices, branch) {
            put(&mut offices, office);
        }
    }
    offices
}

/// A name as otmechalka is told it: by id or as it is, exactly (plus signs, back-ticks and blanks belong to the names).
pub fn sent(name: &str, table: &BTreeMap<String, String>, ids_as: IdsAs) -> Result<String, Reason> {
    match ids_as {
        IdsAs::Name => Ok(name.to_owned()),
        IdsAs::Id => entry(table, name).map(str::to_owned).ok_or_else(|| Reason::new("otmechalka_id_missing").with("name", name)),
    }
}

/// Names that the settings speak of but have no id for, courses before branch offices.
pub fn without_id(mapping: &Mapping, otmechalka: &Otmechalka) -> Vec<String> {
    let mut missing = Vec::new();
    if otmechalka.ids_as == IdsAs::Name {
        return missing;
    }
    let used: Vec<&Direction> = mapping.products.values().filter_map(|name| mapping.directions.get(name)).collect();
    for course in used.iter().flat_map(|direction| &direction.courses) {
        if entry(&otmechalka.courses, course).is_none() {
            put(&mut missing, course);
        }
    }
    let own = used.iter().filter_map(|direction| direction.branchoffice.as_deref());
    let branches = mapping.contact_branches.values().chain(mapping.deal_branches.values());
    for office in own.chain(branches.filter_map(|branch| entry(&mapping.branchoffices, branch))) {
        if entry(&otmechalka.branchoffices, office).is_none() {
            put(&mut missing, office);
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::flows::bitrix24_otmechalka::settings::tests::settings;

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    fn of(products: &[&str], branches: &[&str]) -> (Vec<String>, Vec<String>) {
        let groups = groups(&settings(json!({})).mapping, &ids(products), &ids(branches));
        (groups.courses, groups.branchoffices)
    }

    const ONLINE: [&str; 2] = ["Он-лайн Групповое", "Он-лайн индивидуальные"];
    const CLASSROOM: [&str; 2] = ["Групповые занятия", "Индивидуальные занятия"];

    /// Products, branches, courses, branch offices.
    type Case<'a> = (&'a [&'a str], &'a [&'a str], &'a [&'a [&'a str]], &'a [&'a str]);

    #[test]
    fn the_tables_of_the_document() {
        let cases: &[Case<'_>] = &[
            (&["410"], &["48"], &[&ONLINE], &["+Он-лайн `МСК"]),
            (&["410"], &["348"], &[&ONLINE], &["+Он-лайн `МСК"]),
            (&["410"], &[], &[&ONLINE], &["+Он-лайн `МСК"]),
            (&["404"], &["48"], &[&CLASSROOM], &["+ ЦДШ `МСК"]),
            (&["404"], &["12708"], &[&CLASSROOM], &["+ СКОЛКОВО `МСК *"]),
            (&["404"], &["48", "12708", "348"], &[&CLASSROOM], &["+ ЦДШ `МСК", "+ СКОЛКОВО `МСК *"]),
            (&["404", "410"], &["48"], &[&CLASSROOM, &ONLINE], &["+ ЦДШ `МСК", "+Он-лайн `МСК"]),
            (&["404"], &["348"], &[], &[]),
            (&["404"], &[], &[], &[]),
            (&["62", "410"], &["348"], &[&ONLINE], &["+Он-лайн `МСК"]),
            (&["62"], &["48"], &[], &[]),
            // Without a branch the classroom adds nothing, courses neither.
            (&["404", "410"], &["348"], &[&ONLINE], &["+Он-лайн `МСК"]),
        ];
        for (products, branches, courses, offices) in cases {
            let expected: (Vec<String>, Vec<String>) = (ids(&courses.concat()), ids(offices));
            assert_eq!(of(products, branches), expected, "{products:?} {branches:?}");
        }
    }

    #[test]
    fn a_deals_branches_are_counted_after_unknown_ones_are_ignored() {
        let mapping = settings(json!({})).mapping;
        let offices = |branches: &[&str]| deal_offices(&mapping, &ids(branches)).len();
        assert_eq!((offices(&["186"]), offices(&["186", "999"]), offices(&["186", "12706"]), offices(&["999"])), (1, 1, 2, 0));
        assert_eq!(offices(&["186", "186"]), 1);
        // A contact's branch is none of a deal: the lists differ.
        assert_eq!(offices(&["48"]), 0);
    }

    #[test]
    fn names_are_sent_exactly_or_by_id() {
        let settings = settings(json!({}));
        let table = &settings.otmechalka.branchoffices;
        assert_eq!(sent("+ СКОЛКОВО `МСК *", table, IdsAs::Name).as_deref(), Ok("+ СКОЛКОВО `МСК *"));
        assert_eq!(sent("+Он-лайн `МСК", table, IdsAs::Id).as_deref(), Ok("2633"));
        assert_eq!(sent("Камыши", table, IdsAs::Id).map_err(|reason| reason.code), Err("otmechalka_id_missing".to_owned()));
    }

    #[test]
    fn ids_without_a_default_are_named() {
        let all = settings(json!({}));
        assert!(without_id(&all.mapping, &all.otmechalka).is_empty(), "the tests' settings have all");
        let bare = settings(json!({"otmechalka": {"courses": {}, "branchoffices": {}}}));
        assert_eq!(
            without_id(&bare.mapping, &bare.otmechalka),
            ["Групповые занятия", "Индивидуальные занятия", "+ СКОЛКОВО `МСК *", "+ ЦДШ `МСК"]
        );
        let by_name = settings(json!({"otmechalka": {"courses": {}, "branchoffices": {}, "ids_as": "name"}}));
        assert!(without_id(&by_name.mapping, &by_name.otmechalka).is_empty());
    }

    proptest! {
        #[test]
        fn unknown_ids_change_nothing(strange in prop::collection::vec(1_000_000u32.., 0..5)) {
            let strange: Vec<String> = strange.iter().map(u32::to_string).collect();
            let mapping = settings(json!({})).mapping;
            let with = |known: &[&str]| ids(known).into_iter().chain(strange.clone()).collect::<Vec<_>>();
            prop_assert_eq!(groups(&mapping, &with(&["404", "410"]), &with(&["48"])), groups(&mapping, &ids(&["404", "410"]), &ids(&["48"])));
            prop_assert!(groups(&mapping, &strange, &strange).is_empty());
        }

        #[test]
        fn nothing_is_named_twice(products in prop::collection::vec(prop::sample::select(vec!["404", "410", "62"]), 0..6), branches in prop::collection::vec(prop::sample::select(vec!["48", "12708", "348"]), 0..6)) {
            let (courses, offices) = of(&products, &branches);
            for list in [courses, offices] {
                let unique: std::collections::BTreeSet<&String> = list.iter().collect();
                prop_assert_eq!(unique.len(), list.len());
            }
        }
    }
}
