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
    dictionaries::{Dictionaries, Ids},
    rules::money,
    settings::{LinkKey, Settings, Specials, SpecialsScope},
    shop_facts::facts,
    sight::{Sight, observe},
    undo,
};
use crate::{
    domain::number,
    engine::{
        flow::{Apply, Lookup, Observation, Observe},
        model::{Applied, Candidate, Change, FieldChange, Op, Reason, Values},
    },
    fault::{Code, Fault, FaultView},
    systems::opencart::{
        Created, Ending, Filing, Forget, KeyColumn, NewProduct, PicturesAgain, Product, ProductUpdate, Reader, Scope, Sold, Special,
        SpecialWish, Want, Weight, Writer, Written,
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

pub(super) fn product_id(target: &str) -> Result<u64, Fault> {
    target.parse().map_err(|_| Fault::internal(format!("`{target}` is no product id")))
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
    groups: Vec<i64>,
}

impl Writing {
    /// Writes through this session, by these settings; brands and attributes become rows by these dictionaries.
    pub fn new(writer: Writer, settings: Settings, dictionaries: Dictionaries) -> Self {
        Self { writer, sight: Sight::of(&settings), settings, dictionaries, groups: Vec::new() }
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

    fn product(&self, change: &Change, ids: &Ids) -> Result<NewProduct, Fault> {
        let field = |name: &str| change.body.fields.iter().find(|field| field.field == name).map(|field| &field.new);
        let text = |name: &str| field(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let needed = |name: &str| Fault::internal(format!("a new product without {name}"));
        let sku = self.settings.column_of(LinkKey::Sku, text("sku"))?;
        let barcode = self.settings.column_of(LinkKey::Barcode, text("barcode"))?;
        let model = self.settings.column_of(LinkKey::Model, text("model"))?.filter(|(column, _)| column.name() != "model");
        let attributes = field("attributes").and_then(Value::as_object).into_iter().flatten();
        Ok(NewProduct {
            reference: reference(change),
            model: text("model"),
            model_fallback: change.body.source.clone(),
            identifiers: model.into_iter().chain(sku).chain(barcode).collect(),
            quantity: field("quantity").and_then(Value::as_i64).ok_or_else(|| needed("quantity"))?,
            price: field("price").and_then(decimal).ok_or_else(|| needed("price"))?,
            special: field("special").and_then(decimal),
            live: field("status").and_then(Value::as_u64) == Some(1),
            category_ids: field(categories::FIELD).map(categories::ids).unwrap_or_default(),
            name: text("name"),
            description: text("description"),
            meta_description: String::new(),
            tag: String::new(),
            manufacturer_id: ids.manufacturer(&text("manufacturer")),
            image: None,
            weight: Weight::parse(&text("weight")),
            tax_class_id: self.settings.opencart.tax_class_id.map_or(0, i64::from),
            stock_status_id: self.settings.opencart.stock_status_id.map(i64::from),
            attributes: attributes.filter_map(|(name, text)| Some((ids.attribute(name)?, text.as_str()?.to_owned()))).collect(),
        })
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
        self.file(changes, &mut answers).await?;
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

    /// Puts the products whose other fields went well into their categories.
    async fn file(&mut self, changes: &[&Change], answers: &mut [Applied]) -> Result<(), Fault> {
        let mut filings = Vec::new();
        for (change, answer) in changes.iter().zip(answers.iter()) {
            let field = change.body.fields.iter().find(|field| field.field == categories::FIELD);
            let (Some(field), Applied::Done { target, .. }) = (field, answer) else { continue };
            let (old, new) = (field.old.as_ref().map(categories::ids).unwrap_or_default(), categories::ids(&field.new));
            filings.push(Filing {
                product_id: product_id(target)?,
                date_added: change.body.witness.clone().unwrap_or_default(),
                add: new.iter().copied().filter(|id| !old.contains(id)).collect(),
                remove: old.into_iter().filter(|id| !new.contains(id)).collect(),
            });
        }
        let now = self.writer.file(&filings).await?;
        let filed: HashMap<u64, &Filing> = filings.iter().map(|filing| (filing.product_id, filing)).collect();
        for answer in answers {
            let Applied::Done { target, .. } = &*answer else { continue };
            let Some(filing) = target.parse().ok().and_then(|id: u64| filed.get(&id)) else { continue };
            let gone = |reason: &str| Applied::Gone { reason: Reason::new(reason) };
            match now.get(&filing.product_id) {
                None => *answer = gone("target_deleted"),
                Some(now) if now.date_added != filing.date_added => *answer = gone("target_replaced"),
                Some(now) if !now.owned => *answer = gone("foreign_owner"),
                Some(_) => {}
            }
        }
        Ok(())
    }

    async fn apply_creations(&mut self, changes: &[&Change], again: bool) -> Result<Vec<Applied>, Fault> {
        let ids = self.dictionaries.of(&mut self.writer, changes).await?;
        let products = changes.iter().map(|change| self.product(change, &ids)).collect::<Result<Vec<_>, _>>()?;
        Ok(self.writer.create(&products, again).await?.into_iter().map(made).collect())
    }
}

/// The mark that a product of ours carries until it is recorded.
fn reference(change: &Change) -> String {
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

fn bad_item(field: &str, detail: &str) -> FaultView {
    FaultView::from(&Fault::new(Code::BadItem, format!("{field}: {detail}")))
}

fn decimal(value: &Value) -> Option<Decimal> {
    value.as_str().and_then(number::parse_decimal)
}

fn both<T>(field: &FieldChange, read: impl Fn(&Value) -> Option<T>) -> Result<Option<(T, T)>, Fault> {
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
        let of = |ops: &[Op]| batch.iter().filter(|change| ops.contains(&change.body.op)).collect::<Vec<_>>();
        let mut updated = self.apply_updates(&of(&[Op::Update, Op::Restore])).await?.into_iter();
        let mut created = self.apply_creations(&of(&[Op::Create]), again).await?.into_iter();
        batch
            .iter()
            .map(|change| {
                let answer = match change.body.op {
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
        let standing: Vec<&Change> = creations.iter().filter(|change| begun.contains(&reference(change))).collect();
        let mut applied = self.apply_creations(&standing, true).await?.into_iter();
        Ok(creations.iter().map(|change| if begun.contains(&reference(change)) { applied.next() } else { None }).collect())
    }

    async fn recorded(&mut self) -> Result<(), Fault> {
        self.writer.settle().await.map(drop)
    }

    async fn recorded_earlier(&mut self, creations: &[Change]) -> Result<(), Fault> {
        let made = creations.iter().filter_map(|change| Some((change.body.target.as_ref()?.parse().ok()?, reference(change)))).collect();
        self.writer.settle_earlier(made).await
    }

    async fn finish(&mut self, changed: bool) -> Result<(), Fault> {
        let forget = Forget { manufacturers: self.dictionaries.has_brands() };
        if changed { self.writer.clear_cache(forget).await.map(drop) } else { Ok(()) }
    }
}
