//! Brands and attributes of a batch as rows of the shop: found, or made once, however many sellers bring the same name at the same moment.
//!
//! 1. What stands in the shop is used, whoever made it.
//! 2. What does not is claimed in our own table, whose unique key knows every connection and process.
//! 3. Only then, and while no other session of ours makes shared rows in this shop, is it looked for once more and made; the claim
//!    remembers the row.
//!
//! A maker that dies leaves an open claim: whoever wants the name next completes the row instead of making another one.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::properties;
use crate::{
    engine::{
        claims::{Claim, Claims},
        model::Change,
    },
    fault::{Fault, failpoint},
    systems::opencart::{Dictionary, Entry, Writer, same_name},
};

/// Names to ids, kept for the session that writes.
pub struct Dictionaries {
    claims: Arc<dyn Claims>,
    /// The shop, as the first half of its link spaces.
    target: String,
    attribute_group: String,
    known: HashMap<Dictionary, HashMap<String, i64>>,
}

/// Ids of the names of one batch.
#[derive(Debug, Default)]
pub struct Ids {
    manufacturers: HashMap<String, i64>,
    attributes: HashMap<String, i64>,
}

impl Ids {
    /// The manufacturer of this name; 0 for none.
    pub fn manufacturer(&self, name: &str) -> i64 {
        self.manufacturers.get(name).copied().unwrap_or(0)
    }

    /// The attribute of this name; `None` for a name of which the shop can store nothing.
    pub fn attribute(&self, name: &str) -> Option<i64> {
        self.attributes.get(name).copied()
    }
}

fn kind(which: &Dictionary) -> String {
    match which {
        Dictionary::Manufacturers => "manufacturer".into(),
        Dictionary::AttributeGroups => "attribute_group".into(),
        Dictionary::Attributes { group } => format!("attribute:{group}"),
        Dictionary::Options => "option".into(),
        Dictionary::OptionValues { option } => format!("option_value:{option}"),
    }
}

impl Dictionaries {
    /// For the shop of this name ([`crate::engine::space::target_name`]); unmapped properties go to `attribute_group`.
    pub fn new(claims: Arc<dyn Claims>, target: String, attribute_group: String) -> Self {
        Self { claims, target, attribute_group, known: HashMap::new() }
    }

    /// Whether this session has met brands: the shop's list of them may be another than it was.
    pub fn has_brands(&self) -> bool {
        self.known.get(&Dictionary::Manufacturers).is_some_and(|brands| !brands.is_empty())
    }

    /// Every name that these changes bring, with its id.
    pub async fn of(&mut self, writer: &mut Writer, changes: &[&Change]) -> Result<Ids, Fault> {
        let mut brands = BTreeSet::new();
        let mut attributes = BTreeSet::new();
        for field in changes.iter().flat_map(|change| &change.body.fields) {
            match field.field.as_str() {
                "manufacturer" => brands.extend(field.new.as_str().filter(|name| !name.is_empty()).map(str::to_owned)),
                "attributes" => attributes.extend(field.new.as_object().into_iter().flat_map(|names| names.keys().cloned())),
                _ => {}
            }
        }
        let brands = brands.iter().map(|name| Entry::new(name)).collect();
        let manufacturers = self.ids(writer, &Dictionary::Manufacturers, brands).await?;
        let mut ids = Ids { manufacturers, ..Ids::default() };
        if !attributes.is_empty() {
            let group = self.attribute_group.clone();
            let groups = self.ids(writer, &Dictionary::AttributeGroups, vec![Entry::new(&group)]).await?;
            if let Some(group) = groups.get(&group) {
                let entries = attributes.iter().map(|name| properties::entry(name)).collect();
                ids.attributes = self.ids(writer, &Dictionary::Attributes { group: *group }, entries).await?;
            }
        }
        Ok(ids)
    }

    /// Ids by the entries' names.
    pub(super) async fn ids(
        &mut self,
        writer: &mut Writer,
        which: &Dictionary,
        entries: Vec<Entry>,
    ) -> Result<HashMap<String, i64>, Fault> {
        let mut keys = Vec::with_capacity(entries.len());
        let mut missing = BTreeMap::new();
        let known = self.known.entry(which.clone()).or_default();
        for entry in entries {
            let Some(name) = writer.entry_name(which, &entry.name) else { continue };
            let key = same_name(&name);
            keys.push((entry.name.clone(), key.clone()));
            if !known.contains_key(&key) {
                missing.insert(key, Entry { name, ..entry });
            }
        }
        if !missing.is_empty() {
            for (key, standing) in writer.dictionary(which).await? {
                if standing.complete && missing.remove(&key).is_some() {
                    known.insert(key, standing.id);
                }
            }
        }
        if !missing.is_empty() {
            writer.alone().await?;
            let made = make(&*self.claims, &self.target, writer, which, missing).await;
            writer.together().await?;
            known.extend(made?);
        }
        Ok(keys.into_iter().filter_map(|(name, key)| Some((name, *known.get(&key)?))).collect())
    }
}

/// Makes what is missing, alone: claim, look, make, remember.
async fn make(
    claims: &dyn Claims,
    target: &str,
    writer: &mut Writer,
    which: &Dictionary,
    missing: BTreeMap<String, Entry>,
) -> Result<Vec<(String, i64)>, Fault> {
    let (kind, keys) = (kind(which), missing.keys().cloned().collect::<Vec<_>>());
    let claimed = claims.claim(target, &kind, &keys).await?;
    failpoint::hit("name-claimed");
    // Whoever was at it before us may have made it while we waited.
    let standing = writer.dictionary(which).await?;
    let shop = writer.shop().await?;
    let mut made = Vec::with_capacity(missing.len());
    for (key, entry) in missing {
        let cut_short = claimed.get(&key) == Some(&Claim::Open);
        let id = writer.make_entry(which, &entry, standing.get(&key).map(|standing| standing.id), cut_short, &shop).await?;
        made.push((key, id));
    }
    let items: Vec<(String, String)> = made.iter().map(|(key, id)| (key.clone(), id.to_string())).collect();
    claims.settle(target, &kind, &items).await?;
    Ok(made)
}
