//! How much of the shop's products is looked at: price and stock always, each further field for a query more.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::{
    categories, details, pictures,
    settings::{Settings, SiteSales, UpdateField},
    target::Standing,
    variants::{self, Place},
};
use crate::{
    engine::{flow::Observation, pictures::FIELD as PICTURES},
    fault::{Code, Fault},
    systems::opencart::{Product, Reader, Shelf, Sold},
};

/// What is looked at beside price and stock, each for a query more: what follows Billz, and what an undo has to compare.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sight {
    details: details::Follows,
    categories: bool,
    pictures: bool,
}

impl Sight {
    /// What follows Billz.
    pub fn of(settings: &Settings) -> Self {
        let categories = settings.update_fields.contains(&UpdateField::Categories);
        Self { details: details::Follows::of(settings), categories, pictures: false }
    }

    /// Looks at these fields as well.
    pub fn look_at(&mut self, fields: &BTreeSet<String>) {
        fields.iter().for_each(|field| self.details.look_at(field));
        self.categories |= fields.contains(categories::FIELD);
        self.pictures |= fields.contains(PICTURES);
    }
}

/// These products as they stand in the shop, as observations.
pub async fn observe(
    reader: &mut Reader,
    targets: &[String],
    settings: &Settings,
    sight: Sight,
) -> Result<HashMap<String, Observation>, Fault> {
    let ids: Vec<u64> = targets.iter().filter_map(|target| target.parse().ok()).collect();
    let (products, sold) = shelf(reader, Shelf::Products, &ids, settings).await?;
    let mut filed = if sight.categories { reader.filed(&ids).await? } else { HashMap::new() };
    let mut details = details::observe(reader, settings, sight.details, &ids).await?;
    let pictures = if sight.pictures { reader.standing_pictures(&ids).await? } else { HashMap::new() };
    let options = observe_options(reader, targets, settings).await?;
    Ok(products
        .into_iter()
        .map(|(id, product)| {
            let mut values = Standing::values(&product, sold.get(&id));
            if sight.categories {
                let categories: Vec<i64> = filed.remove(&id).unwrap_or_default().into_iter().collect();
                values.insert(categories::FIELD.into(), categories::value(&categories));
            }
            details::lay_into(&mut values, details.remove(&id));
            values.extend(pictures.get(&id).map(|standing| (PICTURES.to_owned(), pictures::value(standing))));
            (id.to_string(), Observation { witness: Some(product.date_added.clone()), owned: product.owned, values })
        })
        .chain(options)
        .collect())
}

/// Of these targets those that are sizes of a product.
async fn observe_options(reader: &mut Reader, targets: &[String], settings: &Settings) -> Result<Vec<(String, Observation)>, Fault> {
    let places: Vec<Place> = targets.iter().filter_map(|target| Place::of(target)).collect();
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<u64> = places.iter().map(|place| place.value_id).collect();
    let (values, sold) = shelf(reader, Shelf::OptionValues, &ids, settings).await?;
    let first = reader.first_values(&ids).await?;
    let options = places.iter().filter_map(|place| {
        let value = values.get(&place.value_id)?;
        let mut observed = Standing::values(value, sold.get(&place.value_id));
        observed.insert(variants::FIRST.into(), Value::from(first.contains(&place.value_id)));
        Some((place.to_string(), Observation { witness: Some(value.date_added.clone()), owned: value.owned, values: observed }))
    });
    Ok(options.collect())
}

async fn shelf(
    reader: &mut Reader,
    shelf: Shelf,
    ids: &[u64],
    settings: &Settings,
) -> Result<(HashMap<u64, Product>, HashMap<u64, Sold>), Fault> {
    match reader.shelf_and_sales(shelf, ids).await {
        // Who ignores the site's sales need not let us read its orders.
        Err(fault) if settings.site_sales == SiteSales::Ignore && matches!(fault.code, Code::RemoteForbidden | Code::TargetSchema) => {
            Ok((reader.shelf(shelf, ids).await?, HashMap::new()))
        }
        read => read,
    }
}
