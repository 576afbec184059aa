//! OpenCart as the engine's target: observations as values, changes as writes.
//!
//! [`Looking`] can only look (its session is read only), [`Writing`] holds the shop's lock.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use chrono::DateTime;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{
    categories, details,
    dictionaries::Dictionaries,
    families::{Families, Tools},
    filing, new,
    rules::money,
    settings::{Settings, Specials, SpecialsScope},
    shop_facts::facts,
    sight::{Sight, observe},
    undo,
    variants::{self, Place},
};
use crate::{
    domain::number,
    engine::{
        flow::{Apply, Lookup, Observation, Observe},
        model::{Applied, Candidate, Change, FieldChange, Op, Reason, Values},
    },
    fault::{Code, Fault, FaultView},
    systems::opencart::{
        Created, Ending, Forget, KeyColumn, PicturesAgain, Product, ProductUpdate, Reader, Scope, Sold, Special, SpecialWish, Want, Writer,
        Written,
    },
};

/// A product as it stands in the shop, read back from an observation's values.
pub struct Standing {
    /// As the OpenCart system knows it.
    pub product: Product,
    /// The categories that it stands in; `None` = not looked at.
    pub categories: Option<BTreeSet<i64>>,
    /// What the site's own orders have taken off its quantity.
    pub sold: Sold,
}

impl Standing {
    /// Reads values back; `Err` names the field that is missing.
    pub fn of(values: &Values) -> Result<Self, &'static str> {
        let text = |field: &'static str| values.get(field).and_then(Value::as_str).ok_or(field);
        let specials = values.get("specials").and_then(Value::as_array).ok_or("specials")?;
        Ok(Self {
            categories: values.get(categories::FIELD).map(|ids| categories::ids(ids).into_iter().collect()),
            product: Product {
                date_added: text("date_added")?.to_owned(),
                quantity: values.get("quantity").and_then(Value::as_i64).ok_or("quantity")?,
                price: number::parse_decimal(text("price")?).ok_or("price")?,
                status: values.get("status").and_then(Value::as_bool).ok_or("status")?,
                owned: true,
                specials: specials.iter().map(|row| special(row).ok_or("specials")).collect::<Result<_, _>>()?,
            },
            sold: match values.get("sold") {
                Some(sold) => sold_of(sold).ok_or("sold")?,
                None => Sold::default(),
            },
        })
    }

    pub(super) fn values(product: &Product, sold: Option<&Sold>) -> Values {
        let specials: Vec<Value> = product
            .specials
            .iter()
            .map(|row| json!([row.id, row.customer_group_id, row.priority, number::plain(row.price), row.date_start, row.date_end]))
            .collect();
        let sold = sold.map(|sold| {
            let recent: Vec<Value> = sold.recent.iter().map(|(at, pieces)| json!([at.timestamp(), pieces])).collect();
            ("sold".to_owned(), json!([sold.total, recent]))
        });
        let mut values = Values::from([
            ("date_added".into(), Value::from(product.date_added.clone())),
            ("quantity".into(), Value::from(product.quantity)),
            ("price".into(), money(product.price)),
            ("status".into(), Value::from(product.status)),
            ("specials".into(), Value::Array(specials)),
        ]);
        values.extend(sold);
        values
    }
}

fn sold_of(value: &Value) -> Option<Sold> {
    let recent =
        value.get(1)?.as_array()?.iter().map(|row| Some((DateTime::from_timestamp(row.get(0)?.as_i64()?, 0)?, row.get(1)?.as_i64()?)));
    Some(Sold { total: value.get(0)?.as_i64()?, recent: recent.collect::<Option<_>>()? })
}

pub(super) fn special(row: &Value) -> Option<Special> {
    Some(Special {
        id: row.get(0)?.as_u64()?,
        customer_group_id: row.get(1)?.as_i64()?,
        priority: row.get(2)?.as_i64()?,
        price: number::parse_decimal(row.get(3)?.as_str()?)?,
        date_start: row.get(4)?.as_str()?.to_owned(),
        date_end: row.get(5)?.as_str()?.to_owned(),
    })
}

/// The product of a target, whether that is the product itself or a size of it.
pub(super) fn product_id(target: &str) -> Result<u64, Fault> {
    Place::of(target)
        .map(|place| place.product_id)
        .map_or_else(|| target.parse(), Ok)
        .map_err(|_| Fault::internal(format!("`{target}` is no product id")))
}

async fn candidates(reader: &mut Reader, lookups: &[Lookup]) -> Result<HashMap<String, Vec<Candidate>>, Fault> {
    let mut questions = Vec::with_capacity(lookups.len());
    for lookup in lookups.iter().filter(|lookup| !lookup.keys.is_empty()) {
        let keys = lookup
            .keys
            .iter()
            .map(|(column, value)| Ok((KeyColumn::new(column.as_str())?, value.clone())))
            .collect::<Result<Vec<_>, Fault>>()?;
        questions.push((lookup.source.clone(), keys));
    }
    if questions.is_empty() {
        return Ok(HashMap::new());
    }
    let found = reader.matches(&questions).await?;
    Ok(found
        .into_iter()
        .map(|(source, matches)| {
            let candidates = matches
                .into_iter()
                .map(|found| Candidate { target: found.product_id.to_string(), name: found.name, matched: found.matched })
                .collect();
            (source, candidates)
        })
        .collect())
}

/// The target for looking only.
pub struct Looking {
    reader: Reader,
    sight: Sight,
    settings: Settings,
}

impl Looking {
    /// Looks through this session, at what these settings make matter.
    pub fn new(reader: Reader, settings: Settings) -> Self {
        Self { reader, sight: Sight::of(&settings), settings }
    }
}

#[async_trait]
impl Observe for Looking {
    async fn facts(&mut self) -> Result<Values, Fault> {
        Ok(facts(&self.reader.shop().await?, &self.reader.category_ids().await?))
    }

    fn look_at(&mut self, fields: &BTreeSet<String>) {
        self.sight.look_at(fields);
    }

    async fn observe(&mut self, targets: &[String]) -> Result<HashMap<String, Observation>, Fault> {
        observe(&mut self.reader, targets, &self.settings, self.sight).await
    }

    async fn candidates(&mut self, lookups: &[Lookup]) -> Result<HashMap<String, Vec<Candidate>>, Fault> {
        candidates(&mut self.reader, lookups).await
    }

    async fn is_empty(&mut self) -> Result<bool, Fault> {
        Ok(!self.reader.owns_more_than(0).await?)
    }
}

/// The target for writing.
pub struct Writing {
    writer: Writer,
    sight: Sight,
    settings: Settings,
    dictionaries: Dictionaries,
    families: Families,
    groups: Vec<i64>,
}

impl Writing {
    /// Writes through this session, by these settings; brands and attributes become rows by these dictionaries, variants options of
    /// these families.
    pub fn new(writer: Writer, settings: Settings, dictionaries: Dictionaries, families: Families) -> Self {
        Self { writer, sight: Sight::of(&settings), settings, dictionaries, families, groups: Vec::new() }
    }

    /// Carries out updates and creations of variants; by the place of each in the batch.
    async fn apply_variants(&mut self, batch: &[Change], again: bool) -> Result<HashMap<usize, Applied>, Fault> {
        let parts = [&[Op::Update, Op::Restore][..], &[Op::Create]].map(|ops| {
            let of = |change: &Change| ops.contains(&change.body.op) && is_variant(change);
            batch.iter().enumerate().filter(|(_, change)| of(change)).collect::<Vec<_>>()
        });
        let mut answers = HashMap::new();
        for (part, create) in parts.into_iter().zip([false, true]).filter(|(part, _)| !part.is_empty()) {
            let (places, changes): (Vec<usize>, Vec<&Change>) = part.into_iter().unzip();
            let tools = Tools { writer: &mut self.writer, settings: &self.settings, dictionaries: &mut self.dictionaries };
            let applied = match create {
                true => self.families.create(tools, &changes, again).await?,
                false => self.families.update(tools, &changes).await?,
            };
            answers.extend(places.into_iter().zip(applied));
        }
        Ok(answers)
    }

    /// What one change asks of an existing product; `None` when nothing differs in the shop and only the link is to remember it.
    fn update(&self, change: &Change) -> Result<Option<ProductUpdate>, Fault> {
        let target = change.body.target.as_deref().ok_or_else(|| Fault::internal("an update without a product"))?;
        let mut update = ProductUpdate {
            product_id: product_id(target)?,
            date_added: change.body.witness.clone().unwrap_or_default(),
            quantity: None,
            price: None,
            status: None,
            special: None,
        };
        for field in &change.body.fields {
            match field.field.as_str() {
                "quantity" => update.quantity = both(field, |value| value.as_i64())?,
                "price" => update.price = both(field, decimal)?,
                "status" => update.status = both(field, undo::flag)?,
                "special" if change.body.op == Op::Restore => update.special = Some(undo::special_wish(change)?),
                "special" => update.special = Some(special_wish(field, &self.settings, &self.groups)),
                _ => {}
            }
        }
        update.quantity = update.quantity.filter(|(old, new)| old != new);
        update.price = update.price.filter(|(old, new)| old != new);
        update.status = update.status.filter(|(old, new)| old != new);
        let nothing = update.quantity.is_none() && update.price.is_none() && update.status.is_none() && update.special.is_none();
        Ok((!nothing).then_some(update))
    }

    async fn apply_updates(&mut self, changes: &[&Change]) -> Result<Vec<Applied>, Fault> {
        let mut updates = Vec::new();
        let mut places = Vec::new();
        let mut answers: Vec<Applied> = Vec::with_capacity(changes.len());
        for change in changes {
            answers.push(Applied::Done { target: change.body.target.clone().unwrap_or_default(), witness: change.body.witness.clone() });
            if let Some(update) = self.update(change)? {
                places.push(answers.len() - 1);
                updates.push(update);
            }
        }
        let written = self.writer.update(&updates).await?;
        for (place, written) in places.into_iter().zip(written) {
            if let (Some(answer), Some(ended)) = (answers.get_mut(place), ended(written)) {
                *answer = ended;
            }
        }
        self.apply_details(changes, &mut answers).await?;
        filing::file(&mut self.writer, changes, &mut answers).await?;
        self.put_pictures_again(changes, &mut answers).await?;
        Ok(answers)
    }

    /// Of an undo: pictures stand again as they stood. What a run shows is shown after its batches ([`super::gallery`]).
    async fn put_pictures_again(&mut self, changes: &[&Change], answers: &mut [Applied]) -> Result<(), Fault> {
        let mut wishes = Vec::new();
        let mut places = Vec::new();
        for (place, change) in changes.iter().enumerate().filter(|(_, change)| change.body.op == Op::Restore) {
            let (Some(Applied::Done { target, .. }), Some(wish)) = (answers.get(place), undo::pictures_again(change)?) else { continue };
            places.push(place);
            wishes.push(PicturesAgain {
                product_id: product_id(target)?,
                date_added: change.body.witness.clone().unwrap_or_default(),
                standing: wish,
            });
        }
        let written = self.writer.put_pictures_again(&wishes).await?;
        for (place, written) in places.into_iter().zip(written) {
            if let (Some(answer), Some(ended)) = (answers.get_mut(place), ended(written)) {
                *answer = ended;
            }
        }
        Ok(())
    }

    /// Texts, manufacturer and attributes, after price and stock: these must not wait for those.
    async fn apply_details(&mut self, changes: &[&Change], answers: &mut [Applied]) -> Result<(), Fault> {
        let ids = self.dictionaries.of(&mut self.writer, changes).await?;
        let mut updates = Vec::new();
        let mut places = Vec::new();
        for (place, change) in changes.iter().enumerate() {
            let target = change.body.target.as_deref().map(product_id).transpose()?.unwrap_or_default();
            if matches!(answers.get(place), Some(Applied::Done { .. }))
                && let Some(update) = details::update(change, target, &ids)
            {
                places.push(place);
                updates.push(update);
            }
        }
        let written = self.writer.update_details(&updates).await?;
        for (place, written) in places.into_iter().zip(written) {
            if let (Some(answer), Some(ended)) = (answers.get_mut(place), ended(written)) {
                *answer = ended;
            }
        }
        Ok(())
    }

    async fn apply_creations(&mut self, changes: &[&Change], again: bool) -> Result<Vec<Applied>, Fault> {
        let ids = self.dictionaries.of(&mut self.writer, changes).await?;
        let products = changes.iter().map(|change| new::product(change, &self.settings, &ids)).collect::<Result<Vec<_>, _>>()?;
        Ok(self.writer.create(&products, again).await?.into_iter().map(made).collect())
    }
}

/// Whether a change is one of a size or colour.
fn is_variant(change: &Change) -> bool {
    match change.body.op {
        Op::Create => change.body.fields.iter().any(|field| field.field == variants::FIELD),
        Op::Update | Op::Hide | Op::Send | Op::Restore | Op::None => change.body.target.as_deref().and_then(Place::of).is_some(),
    }
}

/// The mark that a product of ours carries until it is recorded.
pub(super) fn reference(change: &Change) -> String {
    format!("tradesync:{}", change.id)
}

/// What became of a creation.
fn made(created: Created) -> Applied {
    match created {
        Created::Done { product_id, date_added, .. } => Applied::Done { target: product_id.to_string(), witness: Some(date_added) },
        Created::Failed { field, detail } => Applied::Failed { fault: bad_item(&field, &detail) },
    }
}

/// A stored change of the special as the wish that was decided: its rule tells whose rows may be touched.
pub(super) fn special_wish(field: &FieldChange, settings: &Settings, groups: &[i64]) -> SpecialWish {
    let ours: Vec<Decimal> = field.rule.params.get("ours").and_then(|ours| number::parse_decimal(ours)).into_iter().collect();
    let own = settings.specials_scope == SpecialsScope::Own || field.rule.code == "promo_ended";
    SpecialWish {
        groups: groups.to_vec(),
        want: decimal(&field.new).map_or(Want::None, Want::Price),
        ending: match settings.specials {
            Specials::Remove => Ending::Remove,
            Specials::Close => Ending::Close,
        },
        scope: if own { Scope::Own(ours) } else { Scope::All },
    }
}

/// What a write that did not simply succeed means; `None` when it did.
pub(super) fn ended(written: Written) -> Option<Applied> {
    match written {
        Written::Done => None,
        Written::Changed { now } => {
            Some(Applied::Conflict { detail: format!("quantity {}, price {}", now.quantity, number::plain(now.price)) })
        }
        Written::Gone => Some(Applied::Gone { reason: Reason::new("target_deleted") }),
        Written::Replaced => Some(Applied::Gone { reason: Reason::new("target_replaced") }),
        Written::Foreign => Some(Applied::Gone { reason: Reason::new("foreign_owner") }),
        Written::Failed { field, detail } => Some(Applied::Failed { fault: bad_item(field, &detail) }),
    }
}

pub(super) fn bad_item(field: &str, detail: &str) -> FaultView {
    FaultView::from(&Fault::new(Code::BadItem, format!("{field}: {detail}")))
}

pub(super) fn decimal(value: &Value) -> Option<Decimal> {
    value.as_str().and_then(number::parse_decimal)
}

pub(super) fn both<T>(field: &FieldChange, read: impl Fn(&Value) -> Option<T>) -> Result<Option<(T, T)>, Fault> {
    let values = field.old.as_ref().and_then(&read).zip(read(&field.new));
    values.map(Some).ok_or_else(|| Fault::internal(format!("the change of {} cannot be read back", field.field)))
}

#[async_trait]
impl Observe for Writing {
    async fn facts(&mut self) -> Result<Values, Fault> {
        let shop = self.writer.shop().await?;
        self.groups.clone_from(&shop.customer_groups);
        Ok(facts(&shop, &self.writer.category_ids().await?))
    }

    fn look_at(&mut self, fields: &BTreeSet<String>) {
        self.sight.look_at(fields);
    }

    async fn observe(&mut self, targets: &[String]) -> Result<HashMap<String, Observation>, Fault> {
        observe(&mut self.writer, targets, &self.settings, self.sight).await
    }

    async fn candidates(&mut self, lookups: &[Lookup]) -> Result<HashMap<String, Vec<Candidate>>, Fault> {
        candidates(&mut self.writer, lookups).await
    }

    async fn is_empty(&mut self) -> Result<bool, Fault> {
        Ok(!self.writer.owns_more_than(0).await?)
    }
}

#[async_trait]
impl Apply for Writing {
    async fn apply(&mut self, batch: &[Change], again: bool) -> Result<Vec<Applied>, Fault> {
        let of = |ops: &[Op]| batch.iter().filter(|change| ops.contains(&change.body.op) && !is_variant(change)).collect::<Vec<_>>();
        let mut updated = self.apply_updates(&of(&[Op::Update, Op::Restore])).await?.into_iter();
        let mut created = self.apply_creations(&of(&[Op::Create]), again).await?.into_iter();
        let mut variants = self.apply_variants(batch, again).await?;
        batch
            .iter()
            .enumerate()
            .map(|(place, change)| {
                let answer = match change.body.op {
                    _ if variants.contains_key(&place) => variants.remove(&place),
                    Op::Update | Op::Restore => updated.next(),
                    Op::Create => created.next(),
                    Op::Hide | Op::Send | Op::None => None,
                };
                answer.ok_or_else(|| Fault::internal("a change got no answer"))
            })
            .collect()
    }

    async fn complete(&mut self, creations: &[Change]) -> Result<Vec<Option<Applied>>, Fault> {
        let begun = self.writer.begun(&creations.iter().map(reference).collect::<Vec<_>>()).await?;
        let standing: Vec<Change> = creations.iter().filter(|change| begun.contains(&reference(change))).cloned().collect();
        let mut applied = self.apply(&standing, true).await?.into_iter();
        Ok(creations.iter().map(|change| if begun.contains(&reference(change)) { applied.next() } else { None }).collect())
    }

    async fn joins(&mut self, creations: &[Change]) -> Result<HashMap<String, String>, Fault> {
        self.families.joined(creations).await
    }

    async fn recorded(&mut self) -> Result<(), Fault> {
        self.writer.settle().await.map(drop)
    }

    async fn recorded_earlier(&mut self, creations: &[Change]) -> Result<(), Fault> {
        let made =
            creations.iter().filter_map(|change| Some((product_id(change.body.target.as_ref()?).ok()?, reference(change)))).collect();
        self.writer.settle_earlier(made).await
    }

    async fn finish(&mut self, changed: bool) -> Result<(), Fault> {
        let forget = Forget { manufacturers: self.dictionaries.has_brands() };
        if changed { self.writer.clear_cache(forget).await.map(drop) } else { Ok(()) }
    }
}
