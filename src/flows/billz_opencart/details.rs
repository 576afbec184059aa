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
    engine::model::{Change, FieldChange, Reason, Values},
    fault::Fault,
    systems::opencart::{Details, DetailsUpdate, Reader, Room, Shop, Texts, same_name, unescape},
};

/// Where a product's details stand among the values of an observation.
const DETAILS: &str = "details";

/// What the rules must know of the shop's columns of text.
#[derive(Clone, Copy, Debug)]
pub struct Rooms {
    name: Room,
    description: Room,
}

impl Rooms {
    /// As facts for the rules.
    pub fn facts(shop: &Shop) -> Value {
        json!({"name": shop.name_room, "description": shop.description_room})
    }

    /// Reads facts back.
    pub fn of(facts: &Value) -> Option<Self> {
        let room = |name: &str| serde_json::from_value(facts.get(name)?.clone()).ok();
        Some(Self { name: room("name")?, description: room("description")? })
    }
}

/// Which details follow Billz.
struct Follows {
    name: bool,
    description: bool,
    manufacturer: bool,
    attributes: bool,
}

impl Follows {
    fn of(settings: &Settings) -> Self {
        let follows = |field: UpdateField| settings.update_fields.contains(&field);
        Self {
            name: follows(UpdateField::Name),
            description: follows(UpdateField::Description),
            manufacturer: follows(UpdateField::Manufacturer),
            attributes: follows(UpdateField::Attributes),
        }
    }

    fn any(&self) -> bool {
        self.name || self.description || self.manufacturer || self.attributes
    }
}

/// What stands in the shop, for observations: product -> value. Nothing is asked where nothing follows.
pub async fn observe(reader: &mut Reader, settings: &Settings, ids: &[u64]) -> Result<HashMap<u64, Value>, Fault> {
    let follows = Follows::of(settings);
    if !follows.any() || ids.is_empty() {
        return Ok(HashMap::new());
    }
    let language = reader.shop().await?.default_language_id;
    let group = follows.attributes.then_some(settings.attribute_group.as_str());
    let found = reader.details(ids, (follows.name, follows.description, follows.manufacturer), group, language).await?;
    Ok(found.into_iter().map(|(id, details)| (id, values(&details))).collect())
}

/// Puts what [`observe`] found among a product's values.
pub fn lay_into(values: &mut Values, details: Option<Value>) {
    if let Some(details) = details {
        values.insert(DETAILS.to_owned(), details);
    }
}

fn values(details: &Details) -> Value {
    json!({
        "names": details.names, "descriptions": details.descriptions,
        "manufacturer": details.manufacturer, "attributes": details.attributes,
    })
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
pub fn changes(settings: &Settings, rooms: Option<Rooms>, good: &Good, observed: &Values) -> Vec<FieldChange> {
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
        let stand: HashMap<String, &String> = standing.attributes.iter().map(|(name, text)| (properties::known_as(name), text)).collect();
        let (mut old, mut new) = (Map::new(), Map::new());
        for (name, text) in properties::of(good).attributes {
            let before = stand.get(&properties::known_as(&name));
            if before.is_none_or(|before| **before != text) {
                old.insert(name.clone(), before.map_or(Value::Null, |before| Value::from((*before).clone())));
                new.insert(name, Value::from(text));
            }
        }
        if !new.is_empty() {
            set("attributes", old.into(), new.into());
        }
    }
    fields
}

fn texts_of(value: &Value) -> Option<Texts> {
    match value {
        Value::String(text) => Some(Texts::All(text.clone())),
        Value::Object(each) => {
            let each = each.iter().filter_map(|(language, text)| Some((language.parse().ok()?, text.as_str()?.to_owned())));
            Some(Texts::Each(each.collect()))
        }
        _ => None,
    }
}

/// What a stored change asks of a product's details; `None` when it asks nothing. Values are as in [`changes`], old ones as well as new.
pub fn update(change: &Change, product_id: u64, ids: &Ids) -> Option<DetailsUpdate> {
    let mut update = DetailsUpdate { product_id, date_added: change.body.witness.clone().unwrap_or_default(), ..DetailsUpdate::default() };
    let nothing = update.clone();
    for field in &change.body.fields {
        match field.field.as_str() {
            "name" => update.name = texts_of(&field.new),
            "description" => update.description = texts_of(&field.new),
            "manufacturer" => update.manufacturer_id = Some(field.new.as_str().map_or(0, |name| ids.manufacturer(name))),
            "attributes" => {
                for (name, text) in field.new.as_object().into_iter().flatten() {
                    update.attributes.extend(ids.attribute(name).map(|id| (id, text.as_str().map(str::to_owned))));
                }
            }
            _ => {}
        }
    }
    (update != nothing).then_some(update)
}
