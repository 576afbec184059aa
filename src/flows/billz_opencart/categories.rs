//! Which categories of the shop a good goes into (requirement section 4.1, the mapping of categories). Pure.
//!
//! Every category of the good goes where it, or its nearest mapped ancestor, is mapped; a good in several gets all of them. Only where
//! nothing is mapped does the default category of the settings count, and without one the good waits.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{record::Good, rules::BillzOpencart, settings::UnmappedCategory};
use crate::engine::{
    mapping::{Group, Mappings},
    model::{FieldChange, Link, Reason},
};

/// The field in reports and in what a link remembers.
pub const FIELD: &str = "categories";

/// Categories of the shop for a good, with the rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filed {
    /// `category_id`s, each once; the first is the main one.
    pub targets: Vec<i64>,
    /// How they came about.
    pub rule: Reason,
}

/// The categories of a good as groups; a good without any is in the group with the empty key.
pub fn groups(good: &Good) -> Vec<Group> {
    let groups: Vec<Group> = good
        .categories
        .iter()
        .map(|category| Group { key: category.id.clone(), name: category.name.clone(), parent: category.parent.clone() })
        .collect();
    if groups.is_empty() { vec![Group::default()] } else { groups }
}

/// Where a good goes by what people mapped; `None` = nothing of it is mapped.
pub fn mapped(good: &Good, mappings: &Mappings) -> Option<Filed> {
    let mut targets: Vec<i64> = Vec::new();
    let mut paths: Vec<String> = Vec::new();
    let groups = groups(good);
    for group in &groups {
        // Of one branch only the deepest counts: a good that names its category and the one above it stands in the former.
        if groups.iter().any(|other| mappings.is_above(group, other)) {
            continue;
        }
        let Some(found) = mappings.nearest(group) else { continue };
        let Ok(target) = found.mapping.target.parse() else { continue };
        if !targets.contains(&target) {
            targets.push(target);
            paths.push(mappings.name(group));
        }
    }
    if targets.is_empty() {
        return None;
    }
    let ids = targets.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    Some(Filed { targets, rule: Reason::new("category_mapped").with("category", paths.join("; ")).with("target", ids) })
}

/// Where a new good goes; `Err` says why it goes nowhere yet.
pub fn of_new(rules: &BillzOpencart, good: &Good) -> Result<Filed, Reason> {
    if let Some(filed) = mapped(good, &rules.mappings) {
        return Ok(filed);
    }
    let settings = &rules.settings;
    let default = settings.default_category_id.as_ref().filter(|_| settings.unmapped_category == UnmappedCategory::Default);
    let Some(default) = default else {
        let paths: Vec<String> = groups(good).iter().map(|group| rules.mappings.name(group)).collect();
        return Err(Reason::new("category_unmapped").with("category", paths.join("; ")));
    };
    match default.0.parse() {
        Ok(id) if rules.categories.as_ref().is_none_or(|known| known.contains(&id)) => {
            Ok(Filed { targets: vec![id], rule: Reason::new("default_category") })
        }
        _ => Err(Reason::new("default_category_missing").with("category", &default.0)),
    }
}

/// What follows for a good that the shop has: it is put into what is mapped, and taken out of what we put it into before; categories that
/// people added stay. A good that nothing is mapped for stays where it is.
///
/// The change tells only of categories that are ours, before and after.
pub fn change(good: &Good, mappings: &Mappings, standing: &BTreeSet<i64>, link: Option<&Link>) -> Option<FieldChange> {
    let Filed { targets, rule } = mapped(good, mappings)?;
    let ours = link.and_then(|link| link.written.get(FIELD)).map(ids).unwrap_or_default();
    let before: Vec<i64> = standing.iter().copied().filter(|id| ours.contains(id) || targets.contains(id)).collect();
    let settled = before.len() == targets.len() && targets.iter().all(|id| before.contains(id));
    (!settled).then(|| FieldChange { field: FIELD.into(), old: Some(value(&before)), new: value(&targets), rule })
}

/// Ids as a report shows them: one text, which a link remembers whole.
pub fn value(ids: &[i64]) -> Value {
    Value::String(ids.iter().map(i64::to_string).collect::<Vec<_>>().join(", "))
}

/// Reads [`value`] back.
pub fn ids(value: &Value) -> Vec<i64> {
    value.as_str().unwrap_or_default().split(',').filter_map(|id| id.trim().parse().ok()).collect()
}

/// Of the categories that a change speaks of those that a product stands in: people's own beside them are no matter of ours.
pub fn whole(observed: &Value, change: &FieldChange) -> Value {
    let ours: BTreeSet<i64> = [change.old.as_ref(), Some(&change.new)].into_iter().flatten().flat_map(ids).collect();
    let standing: BTreeSet<i64> = ids(observed).into_iter().filter(|id| ours.contains(id)).collect();
    value(&standing.into_iter().collect::<Vec<_>>())
}

/// What [`whole`] will tell once a change is carried out.
pub fn comes_to(change: &FieldChange) -> Value {
    value(&ids(&change.new).into_iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::DateTime;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{
        engine::{mapping::Mapping, model::LinkState},
        flows::billz_opencart::record::Category,
    };

    fn good(categories: &[(&str, &str)]) -> Good {
        let category = |(id, parent): &(&str, &str)| Category {
            id: (*id).into(),
            name: format!("N{id}"),
            parent: (!parent.is_empty()).then(|| (*parent).to_owned()),
        };
        Good { categories: categories.iter().map(category).collect(), ..Good::default() }
    }

    fn mappings(rows: &[(&str, &str)]) -> Mappings {
        let rows =
            rows.iter().map(|(source, target)| Mapping { source: (*source).into(), source_name: String::new(), target: (*target).into() });
        Mappings::new(rows.collect(), Vec::new())
    }

    fn link(written: Value) -> Link {
        Link {
            source: "a".into(),
            name: String::new(),
            state: LinkState::Linked,
            target: Some("50".into()),
            witness: None,
            candidates: Vec::new(),
            origin: "created".into(),
            written: BTreeMap::from([(FIELD.to_owned(), written)]),
            source_seen_at: None,
            run: None,
            updated_at: DateTime::UNIX_EPOCH,
            linked_at: None,
            undone: BTreeMap::new(),
        }
    }

    #[test]
    fn a_good_in_several_categories_gets_all_that_are_mapped_each_by_its_nearest_mapping() {
        let mappings = mappings(&[("1", "20"), ("3", "33"), ("5", "20")]);
        let filed = mapped(&good(&[("2", "1"), ("3", ""), ("4", ""), ("5", "")]), &mappings).unwrap();
        assert_eq!(filed.targets, [20, 33]);
        assert_eq!(filed.rule.params.get("category").map(String::as_str), Some("N2; N3"));
        assert_eq!(mapped(&good(&[("4", "")]), &mappings), None);
        // A good that names a whole branch stands at its end.
        let branch = super::tests::mappings(&[("1", "20"), ("2", "26")]);
        assert_eq!(mapped(&good(&[("1", ""), ("2", "1")]), &branch).map(|filed| filed.targets), Some(vec![26]));
        assert_eq!(mapped(&good(&[("1", ""), ("4", "1")]), &branch).map(|filed| filed.targets), Some(vec![20]));
        assert_eq!(mapped(&good(&[]), &mappings), None);
        assert_eq!(mapped(&good(&[]), &super::tests::mappings(&[("", "7")])).map(|filed| filed.targets), Some(vec![7]));
    }

    #[test]
    fn only_categories_that_we_wrote_are_taken_away() {
        let follow = |standing: &[i64], written: Value, target: &str| {
            let standing = standing.iter().copied().collect();
            change(&good(&[("1", "")]), &mappings(&[("1", target)]), &standing, Some(&link(written)))
                .map(|change| (change.old.unwrap(), change.new))
        };
        // Ours is exchanged, the one that a person added is not even told of.
        assert_eq!(follow(&[20, 99], json!("20"), "33"), Some((json!("20"), json!("33"))));
        assert_eq!(follow(&[33, 99], json!("33"), "33"), None);
        // A person took ours out: what is mapped goes in again.
        assert_eq!(follow(&[99], json!("33"), "33"), Some((json!(""), json!("33"))));
        // A person's own category is what is mapped now: nothing is to be done, and it does not become ours.
        assert_eq!(follow(&[33], json!(""), "33"), None);
        assert_eq!(follow(&[20], json!("20"), "20"), None);
        // Nothing mapped: nothing moves.
        assert_eq!(change(&good(&[("2", "")]), &mappings(&[("1", "33")]), &BTreeSet::from([20]), Some(&link(json!("20")))), None);
    }

    proptest! {
        /// Carried out, a change leaves nothing more to do, puts the good into all that is mapped and keeps what people added.
        #[test]
        fn following_the_mapping_is_idempotent_and_keeps_what_people_added(
            standing in proptest::collection::btree_set(1i64..8, 0..6),
            ours in proptest::collection::vec(1i64..8, 0..4),
            targets in proptest::collection::vec(1i64..8, 1..4),
        ) {
            let names: Vec<(String, String)> = targets.iter().enumerate().map(|(place, target)| (place.to_string(), target.to_string())).collect();
            let rows: Vec<(&str, &str)> = names.iter().map(|(source, target)| (source.as_str(), target.as_str())).collect();
            let categories: Vec<(&str, &str)> = names.iter().map(|(source, _)| (source.as_str(), "")).collect();
            let (good, mappings) = (good(&categories), mappings(&rows));
            let mut after = standing.clone();
            let mut written = value(&ours);
            if let Some(change) = change(&good, &mappings, &standing, Some(&link(written.clone()))) {
                let (old, new) = (ids(&change.old.unwrap()), ids(&change.new));
                after.retain(|id| !old.contains(id) || new.contains(id));
                after.extend(&new);
                written = change.new;
            }
            prop_assert!(targets.iter().all(|target| after.contains(target)));
            prop_assert!(standing.iter().filter(|id| !ours.contains(id)).all(|id| after.contains(id)));
            prop_assert_eq!(super::change(&good, &mappings, &after, Some(&link(written))), None);
        }
    }
}
