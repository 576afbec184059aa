//! Name, description, manufacturer and attributes of a product that stands in the shop, where `update_fields` lets them follow Billz.
//!
//! What Billz does not say is left as it is: a good without a brand or a description wipes neither, and attributes are added and changed
//! but never taken away.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value, json};

use super::{
    dictionaries::Ids,
    properties,
    record::Good,
    settings::{Settings, UpdateField},
    texts,
};
use crate::{
    engine::model::{Change, FieldChange, Op, Reason, Values},
    fault::Fault,
    systems::opencart::{Details, DetailsUpdate, Reader, Room, Shop, Texts, escape, same_name, unescape},
};

/// Where a product's details stand among the values of an observation.
const DETAILS: &str = "details";

/// What the rules must know of the shop's texts: what its columns can hold, and in which languages it speaks.
#[derive(Clone, Debug)]
pub struct Rooms {
    name: Room,
    description: Room,
    languages: Vec<i64>,
}

impl Rooms {
    /// As facts for the rules.
    pub fn facts(shop: &Shop) -> Value {
        let languages: Vec<i64> = shop.languages.iter().map(|language| language.id).collect();
        json!({"name": shop.name_room, "description": shop.description_room, "languages": languages})
    }

    /// Reads facts back.
    pub fn of(facts: &Value) -> Option<Self> {
        let room = |name: &str| serde_json::from_value(facts.get(name)?.clone()).ok();
        let languages = serde_json::from_value(facts.get("languages")?.clone()).ok()?;
        Some(Self { name: room("name")?, description: room("description")?, languages })
    }
}

/// Which details are looked at: those that follow Billz, and those that an undo has to compare.
#[derive(Clone, Copy, Debug, Default)]
pub struct Follows {
    name: bool,
    description: bool,
    manufacturer: bool,
    attributes: bool,
}

impl Follows {
    /// Those that follow Billz.
    pub fn of(settings: &Settings) -> Self {
        let follows = |field: UpdateField| settings.update_fields.contains(&field);
        Self {
            name: follows(UpdateField::Name),
            description: follows(UpdateField::Description),
            manufacturer: follows(UpdateField::Manufacturer),
            attributes: follows(UpdateField::Attributes),
        }
    }

    /// Looks at this field as well; one that is no detail changes nothing.
    pub fn look_at(&mut self, field: &str) {
        match field {
            "name" => self.name = true,
            "description" => self.description = true,
            "manufacturer" => self.manufacturer = true,
            "attributes" => self.attributes = true,
            _ => {}
        }
    }

    fn any(self) -> bool {
        self.name || self.description || self.manufacturer || self.attributes
    }
}

/// What stands in the shop, for observations: product -> value. Nothing is asked where nothing is looked at.
pub async fn observe(reader: &mut Reader, settings: &Settings, follows: Follows, ids: &[u64]) -> Result<HashMap<u64, Value>, Fault> {
    if !follows.any() || ids.is_empty() {
        return Ok(HashMap::new());
    }
    let language = reader.shop().await?.default_language_id;
    let group = follows.attributes.then_some(settings.attribute_group.as_str());
    let found = reader.details(ids, (follows.name, follows.description, follows.manufacturer), group, language).await?;
    Ok(found.into_iter().map(|(id, details)| (id, values(&details, follows, language))).collect())
}

/// Puts what [`observe`] found among a product's values.
pub fn lay_into(values: &mut Values, details: Option<Value>) {
    if let Some(details) = details {
        values.insert(DETAILS.to_owned(), details);
    }
}

/// What is not looked at is absent; what is not there is null or empty.
fn values(details: &Details, follows: Follows, language: i64) -> Value {
    let mut values = Map::new();
    let mut tell = |looked: bool, name: &str, value: Value| drop(looked.then(|| values.insert(name.to_owned(), value)));
    tell(follows.name, "names", json!(details.names));
    tell(follows.description, "descriptions", json!(details.descriptions));
    tell(follows.manufacturer, "manufacturer", json!(details.manufacturer));
    tell(follows.attributes, "attributes", json!(details.attributes));
    tell(follows.attributes, "language", json!(language));
    Value::Object(values)
}

fn read(values: &Values) -> Option<Details> {
    let found = values.get(DETAILS)?;
    let texts = |name: &str| -> BTreeMap<i64, String> {
        found.get(name).and_then(|texts| serde_json::from_value(texts.clone()).ok()).unwrap_or_default()
    };
    Some(Details {
        names: texts("names"),
        descriptions: texts("descriptions"),
        manufacturer: found.get("manufacturer").and_then(Value::as_str).map(str::to_owned),
        attributes: found.get("attributes").and_then(|all| serde_json::from_value(all.clone()).ok()).unwrap_or_default(),
    })
}

/// The texts of a product's attributes as people read them in the shop's own language, by the name under which each is known.
fn read_attributes(values: &Values, details: &Details) -> HashMap<String, String> {
    let language = values.get(DETAILS).and_then(|found| found.get("language")).and_then(Value::as_i64).unwrap_or_default();
    let text =
        |(name, texts): (&String, &BTreeMap<i64, String>)| texts.get(&language).map(|text| (properties::known_as(name), unescape(text)));
    details.attributes.iter().filter_map(text).collect()
}

/// All that stands in the shop for a detail that a change speaks of: texts by language as they are stored, of attributes only those that the
/// change names. `None` for what is no detail or was not looked at.
pub fn whole(values: &Values, field: &FieldChange) -> Option<Value> {
    let found = values.get(DETAILS)?;
    let texts = |name: &str| found.get(name).filter(|texts| texts.as_object().is_some_and(|texts| !texts.is_empty())).cloned();
    match field.field.as_str() {
        "name" => texts("names"),
        "description" => texts("descriptions"),
        // Brands are one whose names are the same for people.
        "manufacturer" => found.get("manufacturer").map(|name| name.as_str().map_or(Value::Null, |name| same_name(name).into())),
        "attributes" => {
            let attributes = found.get("attributes")?.as_object()?;
            let standing: HashMap<String, &Value> = attributes.iter().map(|(name, texts)| (properties::known_as(name), texts)).collect();
            let named = [field.old.as_ref(), Some(&field.new)].into_iter().flatten().filter_map(Value::as_object);
            let texts = |name: &String| standing.get(&properties::known_as(name)).map_or(json!({}), |texts| (*texts).clone());
            Some(named.flat_map(Map::keys).map(|name| (name.clone(), texts(name))).collect::<Map<_, _>>().into())
        }
        _ => None,
    }
}

/// What [`whole`] will tell once a change is carried out.
pub fn comes_to(rooms: Option<&Rooms>, values: &Values, field: &FieldChange) -> Option<Value> {
    let (standing, rooms) = (whole(values, field)?, rooms?);
    let everywhere = |text: String| -> Option<Value> {
        let texts = standing.as_object()?.keys().map(|language| (language.clone(), Value::from(text.clone())));
        Some(texts.collect::<Map<_, _>>().into())
    };
    match field.field.as_str() {
        "name" => everywhere(rooms.name.plain(field.new.as_str()?)),
        "description" => everywhere(rooms.description.html(field.new.as_str()?)),
        "manufacturer" => Some(field.new.as_str().map_or(Value::Null, |name| same_name(name).into())),
        "attributes" => {
            let mut texts = standing.as_object()?.clone();
            for (name, text) in field.new.as_object()? {
                if let (Some(Value::Object(texts)), Some(text)) = (texts.get_mut(name), text.as_str()) {
                    texts.extend(rooms.languages.iter().map(|language| (language.to_string(), Value::from(escape(text)))));
                }
            }
            Some(texts.into())
        }
        _ => None,
    }
}

/// A detail as a report shows it.
pub fn standing(values: &Values, field: &str) -> Option<Value> {
    let (details, found) = (read(values)?, values.get(DETAILS)?);
    match field {
        "name" => found.get("names").map(|_| shown(&details.names)),
        "description" => found.get("descriptions").map(|_| shown(&details.descriptions)),
        "manufacturer" => found.get("manufacturer").cloned(),
        _ => None,
    }
}

/// Stored texts as people read them: one where all languages agree, else by language.
fn shown(texts: &BTreeMap<i64, String>) -> Value {
    let mut each = texts.values();
    match each.next() {
        None => Value::Null,
        Some(first) if each.all(|other| other == first) => Value::from(unescape(first)),
        Some(_) => texts.iter().map(|(language, text)| (language.to_string(), Value::from(unescape(text)))).collect::<Map<_, _>>().into(),
    }
}

/// What differs between Billz and the shop. `observed` are the values of an observation.
pub fn changes(settings: &Settings, rooms: Option<&Rooms>, good: &Good, observed: &Values) -> Vec<FieldChange> {
    let follows = Follows::of(settings);
    let (Some(standing), Some(rooms)) = (read(observed), rooms) else { return Vec::new() };
    let mut fields = Vec::new();
    let mut set = |field: &str, old: Value, new: Value| {
        fields.push(FieldChange { field: field.into(), old: Some(old), new, rule: Reason::new("from_source") });
    };
    let differ = |texts: &BTreeMap<i64, String>, wanted: &str| texts.values().any(|text| text != wanted);
    if follows.name && !good.name.is_empty() {
        let stored = rooms.name.plain(&good.name);
        if !stored.trim().is_empty() && differ(&standing.names, &stored) {
            set("name", shown(&standing.names), Value::from(good.name.clone()));
        }
    }
    if follows.description {
        let html = texts::description(&good.description);
        if !html.is_empty() && differ(&standing.descriptions, &rooms.description.html(&html)) {
            set("description", shown(&standing.descriptions), Value::from(html));
        }
    }
    let brand = good.brand.trim();
    if follows.manufacturer && !brand.is_empty() && standing.manufacturer.as_deref().map(same_name) != Some(same_name(brand)) {
        set("manufacturer", standing.manufacturer.clone().map_or(Value::Null, Value::from), Value::from(brand));
    }
    if follows.attributes {
        let stand = read_attributes(observed, &standing);
        let (mut old, mut new) = (Map::new(), Map::new());
        for (name, text) in properties::of(good).attributes {
            let before = stand.get(&properties::known_as(&name));
            if before.is_none_or(|before| *before != text) {
                old.insert(name.clone(), before.map_or(Value::Null, |before| Value::from(before.clone())));
                new.insert(name, Value::from(text));
            }
        }
        if !new.is_empty() {
            set("attributes", old.into(), new.into());
        }
    }
    fields
}

/// Texts as they stood, by language.
fn stored(texts: &Value) -> Texts {
    let each = texts.as_object().into_iter().flatten();
    Texts::Stored(each.filter_map(|(language, text)| Some((language.parse().ok()?, text.as_str()?.to_owned()))).collect())
}

/// What a stored change asks of a product's details; `None` when it asks nothing. What is put back is put back as it was stored.
pub fn update(change: &Change, product_id: u64, ids: &Ids) -> Option<DetailsUpdate> {
    let mut update = DetailsUpdate { product_id, date_added: change.body.witness.clone().unwrap_or_default(), ..DetailsUpdate::default() };
    let nothing = update.clone();
    for field in &change.body.fields {
        let again = change.body.keep.get(&field.field).and_then(|kept| kept.after.as_ref()).filter(|_| change.body.op == Op::Restore);
        let texts = || again.map(stored).or_else(|| field.new.as_str().map(|text| Texts::All(text.to_owned())));
        match field.field.as_str() {
            "name" => update.name = texts(),
            "description" => update.description = texts(),
            "manufacturer" => update.manufacturer_id = Some(field.new.as_str().map_or(0, |name| ids.manufacturer(name))),
            "attributes" => {
                for (name, text) in field.new.as_object().into_iter().flatten() {
                    let again = again.and_then(|all| all.get(name)).map(stored);
                    let texts = again.or_else(|| text.as_str().map(|text| Texts::All(text.to_owned())));
                    update.attributes.extend(ids.attribute(name).zip(texts));
                }
            }
            _ => {}
        }
    }
    (update != nothing).then_some(update)
}
