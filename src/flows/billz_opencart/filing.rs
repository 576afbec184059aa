//! Puts existing products into the categories that [`super::categories`] decided on, after their other fields.

use std::collections::HashMap;

use super::{categories, target::product_id};
use crate::{
    engine::model::{Applied, Change, Reason},
    fault::Fault,
    systems::opencart::{Filing, Writer},
};

/// Files the products whose other fields went well; an answer changes where the product turns out to be gone or another's.
pub async fn file(writer: &mut Writer, changes: &[&Change], answers: &mut [Applied]) -> Result<(), Fault> {
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
    let now = writer.file(&filings).await?;
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
