//! Writing variants as options ([`variants`](super::variants)): the first variant of a family makes the product, the others join it.
//!
//! 1. A family is claimed in our own table, under the account that brings it.
//! 2. The first variant's product is made hidden, then its option; the claim remembers both. Whoever comes later, in this batch or
//!    years later, joins the product that the claim names, as long as it stands.
//! 3. Each variant gets its value of the option, sold out at first, then its stock and price; a value is claimed for its good.
//! 4. The product's quantity and price follow from the values, and only then it is shown.
//!
//! Each step finds what an earlier attempt did: the product by its reference, option and values by their keys. A connection writes
//! from one session at a time, and a family never spans accounts, so nobody else does these steps meanwhile.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use sha2::{Digest, Sha256};

use super::{
    dictionaries::Dictionaries,
    new::product,
    settings::{DeletedInShop, Settings},
    target::{bad_item, both, decimal, ended, reference},
    undo,
    variants::{Place, Variant},
};
use crate::{
    engine::{
        claims::{Claim, Claims},
        model::{Applied, Change, Reason},
        space,
    },
    fault::{Fault, FaultView, failpoint},
    systems::opencart::{Created, Dictionary, Entry, OptionValueUpdate, ProductOption, ProductUpdate, Writer},
};

/// Whose families these are.
#[derive(Clone)]
pub struct Families {
    claims: Arc<dyn Claims>,
    /// The shop.
    target: String,
    /// The source account and owner.
    account: String,
}

/// What a batch is written with.
pub struct Tools<'a> {
    /// The shop.
    pub writer: &'a mut Writer,
    /// The connection's settings.
    pub settings: &'a Settings,
    /// Names of the shop.
    pub dictionaries: &'a mut Dictionaries,
}

/// The product of a family, as its claim remembers it: `product_id:product_option_id:date_added`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Home {
    product_id: u64,
    option: i64,
    date_added: String,
}

impl Home {
    fn of(item: &str) -> Option<Self> {
        let mut parts = item.splitn(3, ':');
        Some(Self { product_id: parts.next()?.parse().ok()?, option: parts.next()?.parse().ok()?, date_added: parts.next()?.to_owned() })
    }

    fn item(&self) -> String {
        format!("{}:{}:{}", self.product_id, self.option, self.date_added)
    }
}

/// What becomes of a family in this batch.
enum Plan {
    /// The product stands.
    Join(Home),
    /// The change at this place makes it.
    Make(usize),
    /// Nothing can be done.
    Leave(Reason),
}

impl Families {
    /// Families of the account that a link space stands for.
    pub fn new(claims: Arc<dyn Claims>, link_space: &str) -> Self {
        let target = space::target_of_space(link_space).to_owned();
        let account = link_space.get(target.len()..).unwrap_or_default().to_owned();
        Self { claims, target, account }
    }

    /// Writes stock and prices of variants that the shop has, and shows or hides the whole product where an undo asks for it; one answer
    /// each.
    pub async fn update(&self, tools: Tools<'_>, changes: &[&Change]) -> Result<Vec<Applied>, Fault> {
        let mut answers = Vec::with_capacity(changes.len());
        let (mut updates, mut at) = (Vec::new(), Vec::new());
        let mut shown: BTreeMap<u64, (ProductUpdate, Vec<usize>)> = BTreeMap::new();
        let mut prices = false;
        for change in changes {
            let target = change.body.target.clone().unwrap_or_default();
            let place = Place::of(&target).ok_or_else(|| Fault::internal(format!("`{target}` is no option value")))?;
            let witness = change.body.witness.clone();
            let update = update(change, place, witness.clone().unwrap_or_default())?;
            answers.push(Applied::Done { target, witness });
            if let Some(update) = visibility(change, place)? {
                shown.entry(place.product_id).or_insert_with(|| (update, Vec::new())).1.push(answers.len() - 1);
            }
            if update.quantity.is_some() || update.price.is_some() {
                prices |= update.price.is_some();
                at.push(answers.len() - 1);
                updates.push(update);
            }
        }
        write(tools.writer, &updates, &at, &mut answers, prices).await?;
        let (products, at): (Vec<ProductUpdate>, Vec<Vec<usize>>) = shown.into_values().unzip();
        for (written, places) in tools.writer.update(&products).await?.into_iter().zip(at) {
            let Some(ended) = ended(written) else { continue };
            for place in places {
                if let Some(answer @ Applied::Done { .. }) = answers.get_mut(place) {
                    *answer = ended.clone();
                }
            }
        }
        Ok(answers)
    }

    /// Products that creations would join, by source: each family that has one already.
    ///
    /// Errors: `DatabaseUnavailable`.
    pub async fn joined(&self, creations: &[Change]) -> Result<HashMap<String, String>, Fault> {
        let members: Vec<(&str, String)> = creations
            .iter()
            .filter_map(|change| Some((change.body.source.as_str(), Variant::of_change(&change.body.fields)?.family)))
            .collect();
        let families: Vec<String> = members.iter().map(|(_, family)| family.clone()).collect::<BTreeSet<_>>().into_iter().collect();
        let homes = self.homes(&families).await?;
        let product = |family: &String| homes.get(family).map(|home| home.product_id.to_string());
        Ok(members.into_iter().filter_map(|(source, family)| Some((source.to_owned(), product(&family)?))).collect())
    }

    /// Where families stand as their claims remember it, and claims those that nobody has.
    async fn homes(&self, families: &[String]) -> Result<HashMap<String, Home>, Fault> {
        let claimed = self.claims.claim(&self.target, &self.kind("family"), families).await?;
        let home = |claim: Claim| match claim {
            Claim::Settled(item) => Home::of(&item),
            Claim::Fresh | Claim::Open => None,
        };
        Ok(claimed.into_iter().filter_map(|(family, claim)| Some((family, home(claim)?))).collect())
    }

    /// Creates variants; one answer each. `again` as in [`crate::engine::flow::Apply::apply`].
    pub async fn create(&self, mut tools: Tools<'_>, changes: &[&Change], again: bool) -> Result<Vec<Applied>, Fault> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let mut answers: Vec<Option<Applied>> = vec![None; changes.len()];
        let variants: Vec<Variant> = changes
            .iter()
            .map(|change| Variant::of_change(&change.body.fields).ok_or_else(|| Fault::internal("a variant without its option")))
            .collect::<Result<_, _>>()?;
        let mut families: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (place, variant) in variants.iter().enumerate() {
            families.entry(&variant.family).or_default().push(place);
        }
        let begun = match again {
            true => tools.writer.begun(&changes.iter().map(|change| reference(change)).collect::<Vec<_>>()).await?,
            false => HashSet::new(),
        };
        let plans = self.plan(&mut tools, changes, &families, &begun).await?;
        failpoint::hit("family-claimed");
        let (homes, mut shown) = self.settle(&mut tools, changes, &variants, &families, plans, again, &mut answers).await?;
        let values = self.give_values(&mut tools, changes, &variants, &homes, &mut answers).await?;
        failpoint::hit("family-half-made");

        let standing = tools.writer.option_values(&values.values().map(|place| place.value_id).collect::<Vec<_>>()).await?;
        let (mut updates, mut at) = (Vec::new(), Vec::new());
        let mut done: Vec<Applied> = Vec::with_capacity(changes.len());
        for (place, change) in changes.iter().enumerate() {
            let Some(value) = values.get(&place) else {
                let answer = answers.get_mut(place).and_then(Option::take);
                done.push(answer.ok_or_else(|| Fault::internal("a variant got no answer"))?);
                continue;
            };
            let Some(now) = standing.get(&value.value_id) else {
                done.push(Applied::Gone { reason: Reason::new("target_deleted") });
                continue;
            };
            let mut update = update(change, *value, now.date_added.clone())?;
            update.quantity = wished(change, "quantity", |new| new.as_i64()).map(|new| (now.quantity, new));
            update.price = wished(change, "price", decimal).map(|new| (now.price, new));
            done.push(Applied::Done { target: value.to_string(), witness: Some(now.date_added.clone()) });
            at.push(place);
            updates.push(update);
        }
        write(tools.writer, &updates, &at, &mut done, true).await?;
        failpoint::hit("before-family-shows");
        shown.retain(|(place, _, _)| changes.get(*place).and_then(|change| wished(change, "status", |new| new.as_u64())) == Some(1));
        tools.writer.show_made(&shown.into_iter().map(|(_, product, reference)| (product, reference)).collect::<Vec<_>>()).await?;
        Ok(done)
    }

    /// Which families have a product and which get one now.
    async fn plan<'a>(
        &self,
        tools: &mut Tools<'_>,
        changes: &[&Change],
        families: &BTreeMap<&'a str, Vec<usize>>,
        begun: &HashSet<String>,
    ) -> Result<BTreeMap<&'a str, Plan>, Fault> {
        let keys: Vec<String> = families.keys().map(|family| (*family).to_owned()).collect();
        let homes = self.homes(&keys).await?;
        let products = tools.writer.products(&homes.values().map(|home| home.product_id).collect::<Vec<_>>()).await?;
        let plan = |family: &str, members: &[usize]| {
            let made = |place: &&usize| changes.get(**place).is_some_and(|change| begun.contains(&reference(change)));
            if let Some(place) = members.iter().find(made) {
                return Plan::Make(*place);
            }
            let first = members.first().copied().unwrap_or_default();
            let Some(home) = homes.get(family) else { return Plan::Make(first) };
            match products.get(&home.product_id).filter(|product| product.date_added == home.date_added) {
                Some(product) if product.owned => Plan::Join(home.clone()),
                Some(_) => Plan::Leave(Reason::new("foreign_owner")),
                None if tools.settings.deleted_in_shop == DeletedInShop::Recreate => Plan::Make(first),
                None => Plan::Leave(Reason::new("target_deleted")),
            }
        };
        Ok(families.iter().map(|(family, members)| (*family, plan(family, members))).collect())
    }

    /// Makes the products that are to be made, gives every family its option, and remembers both. Answers for members that end here.
    /// Also which products were made under which change's reference.
    #[expect(clippy::too_many_arguments, reason = "one step of `create`, with what that has gathered")]
    async fn settle<'a>(
        &self,
        tools: &mut Tools<'_>,
        changes: &[&Change],
        variants: &[Variant],
        families: &BTreeMap<&'a str, Vec<usize>>,
        plans: BTreeMap<&'a str, Plan>,
        again: bool,
        answers: &mut [Option<Applied>],
    ) -> Result<(HashMap<&'a str, (u64, ProductOption)>, Vec<(usize, u64, String)>), Fault> {
        let end = |answers: &mut [Option<Applied>], family: &str, with: &Applied| {
            for place in families.get(family).into_iter().flatten() {
                if let Some(answer) = answers.get_mut(*place) {
                    *answer = Some(with.clone());
                }
            }
        };
        let (mut standing, mut making) = (Vec::new(), Vec::new());
        for (family, plan) in plans {
            match plan {
                Plan::Join(home) => standing.push((family, home)),
                Plan::Make(place) => making.push((family, place)),
                Plan::Leave(reason) => end(answers, family, &Applied::Gone { reason }),
            }
        }
        let founders: Vec<&Change> = making.iter().filter_map(|(_, place)| changes.get(*place).copied()).collect();
        let ids = tools.dictionaries.of(tools.writer, &founders).await?;
        let mut products = Vec::with_capacity(founders.len());
        for change in &founders {
            // Shown when its options stand.
            products.push(crate::systems::opencart::NewProduct { live: false, ..product(change, tools.settings, &ids)? });
        }
        let mut shown = Vec::new();
        let mut made = HashSet::new();
        for ((family, place), created) in making.into_iter().zip(tools.writer.create(&products, again).await?) {
            match created {
                Created::Done { product_id, date_added, .. } => {
                    shown.extend(changes.get(place).map(|change| (place, product_id, reference(change))));
                    made.insert(family);
                    standing.push((family, Home { product_id, option: 0, date_added }));
                }
                Created::Failed { field, detail } => end(answers, family, &Applied::Failed { fault: bad_item(&field, &detail) }),
            }
        }
        failpoint::hit("family-without-option");
        let mut has = tools.writer.product_options(&standing.iter().map(|(_, home)| home.product_id).collect::<Vec<_>>()).await?;
        // The family's option is the one that its first variant brought, whatever later ones call it.
        let lacking: Vec<&(&str, Home)> = standing.iter().filter(|(_, home)| !has.iter().any(|option| option.id == home.option)).collect();
        if !lacking.is_empty() {
            let variant = |family: &str| families.get(family).and_then(|members| variants.get(*members.first()?));
            let entries = lacking.iter().filter_map(|(family, _)| Some(variant(family)?.entry())).collect();
            let options = tools.dictionaries.ids(tools.writer, &Dictionary::Options, entries).await?;
            let option_of = |family: &str| options.get(&variant(family)?.option).copied();
            let wanted: Vec<(u64, i64)> = lacking.iter().filter_map(|(family, home)| Some((home.product_id, option_of(family)?))).collect();
            let given = tools.writer.give_options(&wanted).await?;
            let mut settled = Vec::new();
            for (family, home) in lacking {
                let option = option_of(family);
                let found =
                    given.iter().find(|given| u64::try_from(given.product_id) == Ok(home.product_id) && Some(given.option_id) == option);
                if let Some(found) = found {
                    settled.push(((*family).to_owned(), Home { option: found.id, ..home.clone() }.item()));
                    has.push(*found);
                } else {
                    end(answers, family, &Applied::Failed { fault: bad_item("option", "its name holds nothing that the shop can store") });
                }
            }
            self.claims.settle(&self.target, &self.kind("family"), &settled).await?;
            let settled: HashMap<String, Home> =
                settled.into_iter().filter_map(|(family, item)| Some((family, Home::of(&item)?))).collect();
            for (family, home) in &mut standing {
                if let Some(now) = settled.get(*family) {
                    home.option = now.option;
                }
            }
        }
        let homes = standing
            .into_iter()
            .filter_map(|(family, home)| {
                let option = has.iter().find(|option| option.id == home.option)?;
                Some((family, (home.product_id, *option)))
            })
            .collect();
        Ok((homes, shown))
    }

    /// Gives every variant its value, and claims it: two goods of one family that are called alike must not share stock.
    async fn give_values(
        &self,
        tools: &mut Tools<'_>,
        changes: &[&Change],
        variants: &[Variant],
        homes: &HashMap<&str, (u64, ProductOption)>,
        answers: &mut [Option<Applied>],
    ) -> Result<HashMap<usize, Place>, Fault> {
        let mut by_option: BTreeMap<i64, BTreeSet<&str>> = BTreeMap::new();
        for variant in variants {
            if let Some((_, option)) = homes.get(variant.family.as_str()) {
                by_option.entry(option.option_id).or_default().insert(&variant.value);
            }
        }
        let mut names: HashMap<i64, HashMap<String, i64>> = HashMap::new();
        for (option, values) in by_option {
            let entries = values.into_iter().map(Entry::new).collect();
            names.insert(option, tools.dictionaries.ids(tools.writer, &Dictionary::OptionValues { option }, entries).await?);
        }
        let wanted: BTreeMap<usize, (ProductOption, i64)> = variants
            .iter()
            .enumerate()
            .filter_map(|(place, variant)| {
                let (_, option) = homes.get(variant.family.as_str())?;
                Some((place, (*option, *names.get(&option.option_id)?.get(&variant.value)?)))
            })
            .collect();
        let given = tools.writer.give_values(&wanted.values().copied().collect::<Vec<_>>()).await?;
        failpoint::hit("family-value-made");
        let places: BTreeMap<usize, Place> = wanted
            .iter()
            .filter_map(|(place, (option, value))| {
                let product_id = u64::try_from(option.product_id).ok()?;
                Some((*place, Place { product_id, value_id: *given.get(&(option.id, *value))? }))
            })
            .collect();
        let keys: Vec<String> = places.values().map(Place::to_string).collect::<BTreeSet<_>>().into_iter().collect();
        let claimed = self.claims.claim(&self.target, &self.kind("variant"), &keys).await?;
        let mut owners: HashMap<String, String> = claimed
            .into_iter()
            .filter_map(|(key, claim)| match claim {
                Claim::Settled(owner) => Some((key, owner)),
                Claim::Fresh | Claim::Open => None,
            })
            .collect();
        let (mut mine, mut settled) = (HashMap::new(), Vec::new());
        for (place, change) in changes.iter().enumerate() {
            let Some(value) = places.get(&place) else {
                if let Some(answer @ None) = answers.get_mut(place) {
                    *answer = Some(Applied::Failed { fault: bad_item("option", "its name holds nothing that the shop can store") });
                }
                continue;
            };
            let (key, owner) = (value.to_string(), owner(&change.body.source));
            match owners.get(&key) {
                Some(other) if *other != owner => {
                    if let Some(answer) = answers.get_mut(place) {
                        *answer = Some(Applied::Failed { fault: doubled(variants.get(place)) });
                    }
                    continue;
                }
                Some(_) => {}
                None => {
                    settled.push((key.clone(), owner.clone()));
                    owners.insert(key, owner);
                }
            }
            mine.insert(place, *value);
        }
        self.claims.settle(&self.target, &self.kind("variant"), &settled).await?;
        Ok(mine)
    }

    fn kind(&self, of: &str) -> String {
        format!("{of}:{}", self.account)
    }
}

/// A source id in the form that a claim can hold, however long it is.
fn owner(source: &str) -> String {
    Sha256::digest(source.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn doubled(variant: Option<&Variant>) -> FaultView {
    let value = variant.map_or("", |variant| variant.value.as_str());
    bad_item("option", &format!("another variant of the same product is called `{value}` as well; give each its own name in Billz"))
}

fn wished<T>(change: &Change, name: &str, read: impl Fn(&serde_json::Value) -> Option<T>) -> Option<T> {
    change.body.fields.iter().find(|field| field.field == name).and_then(|field| read(&field.new))
}

/// What one change asks of an option value; without numbers for a creation, whose old values are not known before it stands.
fn update(change: &Change, place: Place, date_added: String) -> Result<OptionValueUpdate, Fault> {
    let mut update = OptionValueUpdate { id: place.value_id, product_id: place.product_id, date_added, quantity: None, price: None };
    for field in change.body.fields.iter().filter(|field| field.old.is_some()) {
        match field.field.as_str() {
            "quantity" => update.quantity = both(field, |value| value.as_i64())?.filter(|(old, new)| old != new),
            "price" => update.price = both(field, decimal)?.filter(|(old, new)| old != new),
            _ => {}
        }
    }
    Ok(update)
}

/// What one change asks of the visibility of its whole product.
fn visibility(change: &Change, place: Place) -> Result<Option<ProductUpdate>, Fault> {
    let Some(field) = change.body.fields.iter().find(|field| field.field == "status") else { return Ok(None) };
    let status = both(field, undo::flag)?.filter(|(old, new)| old != new);
    let date_added = change.body.witness.clone().unwrap_or_default();
    let update = ProductUpdate { product_id: place.product_id, date_added, quantity: None, price: None, status, special: None };
    Ok(status.map(|_| update))
}

/// Writes values, puts what did not succeed into the answers at these places, and balances the products of the others.
async fn write(
    writer: &mut Writer,
    updates: &[OptionValueUpdate],
    at: &[usize],
    answers: &mut [Applied],
    prices: bool,
) -> Result<(), Fault> {
    let written = writer.update_option_values(updates).await?;
    failpoint::hit("before-family-sum");
    for (place, written) in at.iter().zip(written) {
        if let (Some(answer), Some(ended)) = (answers.get_mut(*place), ended(written)) {
            *answer = ended;
        }
    }
    // Also beside values that failed: an earlier attempt may have died right here.
    writer.balance(&updates.iter().map(|update| update.id).collect::<Vec<_>>(), prices).await
}
