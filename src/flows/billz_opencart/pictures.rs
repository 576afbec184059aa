//! Which pictures a product is to show (requirement section 4.1: «загрузить картинки товара»). Only source addresses are decided
//! here; what becomes of them is [`gallery`](super::gallery)'s.

use serde_json::{Value, json};

use super::{
    record::Good,
    settings::{Settings, UpdateField},
};
use crate::{
    engine::{
        model::{CREATED, FieldChange, Link, Reason},
        pictures::{FIELD, remembered},
    },
    systems::opencart::StandingPictures,
};

/// Most pictures of one product; Billz itself shows far fewer.
const MOST: usize = 30;

/// Whether there is anywhere for pictures to go.
pub fn have_a_place(settings: &Settings) -> bool {
    settings.images.dir.is_some() || settings.opencart.bridge_url.is_some()
}

fn wanted(good: &Good) -> Value {
    Value::from(good.images.iter().take(MOST).cloned().collect::<Vec<_>>())
}

fn change(new: Value, rule: &str) -> FieldChange {
    FieldChange { field: FIELD.into(), old: None, new, rule: Reason::new(rule) }
}

/// For a new product. Without a place for pictures it is made all the same, and its line says so.
pub fn of_new(settings: &Settings, good: &Good) -> Option<FieldChange> {
    match (good.images.is_empty(), have_a_place(settings)) {
        (true, _) => None,
        (false, true) => Some(change(wanted(good), "pictures_of_source")),
        (false, false) => Some(change(Value::Array(Vec::new()), "pictures_off")),
    }
}

/// For a product that the shop has: compared with what Billz said when we last dealt with its pictures, so whoever takes one away
/// in the shop has it away. No pictures in Billz means that those of the shop stay.
///
/// A product that we made while there was no place for pictures still gets them, whatever `update_fields` says.
pub fn of_existing(settings: &Settings, good: &Good, link: Option<&Link>) -> Option<FieldChange> {
    if good.images.is_empty() || !have_a_place(settings) {
        return None;
    }
    let dealt_with = link.and_then(|link| link.written.get(FIELD));
    let owed = link.is_some_and(|link| link.origin == CREATED) && dealt_with == Some(&remembered(&Value::Array(Vec::new())));
    if !owed && !settings.update_fields.contains(&UpdateField::Images) {
        return None;
    }
    let wanted = wanted(good);
    (dealt_with != Some(&remembered(&wanted))).then(|| change(wanted, "pictures_of_source"))
}

/// All pictures of a product as an observation holds them.
pub fn value(standing: &StandingPictures) -> Value {
    json!({"main": standing.main, "gallery": standing.gallery})
}

/// Reads [`value`] back.
pub fn standing(value: &Value) -> Option<StandingPictures> {
    let row = |row: &Value| Some((row.get(0)?.as_str()?.to_owned(), row.get(1)?.as_i64()?));
    Some(StandingPictures {
        main: value.get("main")?.as_str()?.to_owned(),
        gallery: value.get("gallery")?.as_array()?.iter().map(row).collect::<Option<_>>()?,
    })
}

/// The same as a report shows it: paths, the main picture first.
pub fn shown(value: &Value) -> Value {
    let Some(standing) = standing(value) else { return Value::Null };
    let gallery = standing.gallery.into_iter().map(|(path, _)| path);
    Value::from(std::iter::once(standing.main).filter(|main| !main.is_empty()).chain(gallery).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::{domain::clock, engine::model::LinkState};

    fn settings(given: Value) -> Settings {
        Settings::read(&given).unwrap()
    }

    fn good(images: &[&str]) -> Good {
        Good { images: images.iter().map(|address| (*address).to_owned()).collect(), ..Good::default() }
    }

    fn link(origin: &str, images: Option<Value>) -> Link {
        Link {
            source: "g".into(),
            name: String::new(),
            state: LinkState::Linked,
            target: Some("1".into()),
            witness: None,
            candidates: Vec::new(),
            origin: origin.into(),
            written: images.iter().map(|images| (FIELD.to_owned(), remembered(images))).collect(),
            source_seen_at: None,
            run: None,
            undone: Default::default(),
            linked_at: None,
            updated_at: clock::now(),
        }
    }

    #[test]
    fn a_new_product_wishes_for_the_pictures_of_billz_in_their_order() {
        let place = settings(json!({"opencart": {"bridge_url": "https://shop.example/bridge"}}));
        let change = of_new(&place, &good(&["b", "a"])).unwrap();
        assert_eq!((change.new, change.rule.code.as_str()), (json!(["b", "a"]), "pictures_of_source"));
        assert_eq!(of_new(&place, &good(&[])), None);
        let change = of_new(&settings(json!({})), &good(&["a"])).unwrap();
        assert_eq!((change.new, change.rule.code.as_str()), (json!([]), "pictures_off"));
    }

    #[test]
    fn an_existing_product_follows_only_if_asked_to_and_only_when_billz_moved() {
        let place = json!({"bridge_url": "https://shop.example/bridge"});
        let follows = settings(json!({"opencart": place, "update_fields": ["images"]}));
        let quiet = settings(json!({"opencart": place}));
        let known = link("created", Some(json!(["a"])));
        for (settings, images, link, expected) in [
            (&follows, vec!["a"], Some(&known), false),
            (&follows, vec!["a", "b"], Some(&known), true),
            (&follows, vec!["b"], Some(&link("confirmed", None)), true),
            (&follows, vec!["b"], None, true),
            (&follows, vec![], Some(&known), false),
            (&quiet, vec!["b"], Some(&known), false),
            // Made while pictures were off: still owed, but to no product of a person.
            (&quiet, vec!["b"], Some(&link("created", Some(json!([])))), true),
            (&quiet, vec!["b"], Some(&link("confirmed", Some(json!([])))), false),
            (&settings(json!({"update_fields": ["images"]})), vec!["b"], Some(&known), false),
        ] {
            assert_eq!(of_existing(settings, &good(&images), link).is_some(), expected, "{images:?} {link:?}");
        }
    }
}
