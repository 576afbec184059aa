//! How much of the shop's products is looked at: price and stock always, each further field for a query more.

use std::collections::{BTreeSet, HashMap};

use super::{
    categories, details, pictures,
    settings::{Settings, SiteSales, UpdateField},
    target::Standing,
};
use crate::{
    engine::{flow::Observation, pictures::FIELD as PICTURES},
    fault::{Code, Fault},
    systems::opencart::Reader,
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
    let (products, sold) = match reader.products_and_sales(&ids).await {
        // Who ignores the site's sales need not let us read its orders.
        Err(fault) if settings.site_sales == SiteSales::Ignore && matches!(fault.code, Code::RemoteForbidden | Code::TargetSchema) => {
            (reader.products(&ids).await?, HashMap::new())
        }
        read => read?,
    };
    let mut filed = if sight.categories { reader.filed(&ids).await? } else { HashMap::new() };
    let mut details = details::observe(reader, settings, sight.details, &ids).await?;
    let pictures = if sight.pictures { reader.standing_pictures(&ids).await? } else { HashMap::new() };
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
        .collect())
}
