//! A contact or deal as Bitrix24 tells it: what the rules decide on. Stored as JSON text in `tradesync_records`.
//!
//! Only what is synchronised stands here, never the status field: our own writing of it comes back as an edit that changes nothing, whoever
//! the portal says has made it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::systems::bitrix24::Entity;

/// How keys of contacts begin.
pub const CONTACT: &str = "contact:";
/// How keys of deals begin.
pub const DEAL: &str = "deal:";

/// The key of an item.
pub fn key(entity: Entity, id: u64) -> String {
    match entity {
        Entity::Contact => format!("{CONTACT}{id}"),
        Entity::Deal => format!("{DEAL}{id}"),
    }
}

/// What a key stands for.
pub fn of_key(key: &str) -> Option<(Entity, u64)> {
    let (entity, id) = match (key.strip_prefix(CONTACT), key.strip_prefix(DEAL)) {
        (Some(id), _) => (Entity::Contact, id),
        (_, Some(id)) => (Entity::Deal, id),
        (None, None) => return None,
    };
    Some((entity, id.parse().ok()?))
}

/// What the item is in otmechalka. Identity is the outside id alone, so the pair stands before the object does.
pub fn target(entity: Entity, id: u64) -> String {
    match entity {
        Entity::Contact => format!("client:{id}"),
        Entity::Deal => format!("ticket:{id}"),
    }
}

/// A contact, values as they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Contact {
    /// Its id.
    pub id: u64,
    /// When it was created.
    pub created: Option<DateTime<Utc>>,
    /// The pupil's surname.
    pub last_name: String,
    /// The pupil's first name.
    pub first_name: String,
    /// The parent's surname.
    pub parent_last_name: String,
    /// The parent's first name.
    pub parent_first_name: String,
    /// The first phone.
    pub phone: String,
    /// The first e-mail.
    pub email: String,
    /// Products by id, in the order of the list.
    pub products: Vec<String>,
    /// Branches by id.
    pub branches: Vec<String>,
    /// The pupil's date of birth, as written.
    pub birthdate: String,
}

/// A deal with all that its ticket needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Deal {
    /// Its id.
    pub id: u64,
    /// When it was created.
    pub created: Option<DateTime<Utc>>,
    /// Its pipeline.
    pub category: String,
    /// Its stage.
    pub stage: String,
    /// Currency of its sums.
    pub currency: String,
    /// Its contact's id; 0 = none.
    pub contact_id: u64,
    /// The contact itself, if it could be read.
    pub contact: Option<Contact>,
    /// Its product rows.
    pub rows: Vec<ProductRow>,
    /// Why the rows could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows_unread: Option<String>,
    /// Who is responsible for it.
    pub employee_id: String,
    /// First name and surname; absent = the portal tells nobody under that id.
    pub employee: Option<String>,
    /// Date of sale, as written.
    pub sale_date: String,
    /// Branches by id.
    pub branches: Vec<String>,
    /// Way of payment by id.
    pub payment: String,
}

/// A product row; numbers as they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProductRow {
    /// The product's id; 0 = not from the catalogue.
    pub product_id: String,
    /// Its name, blanks around it taken off.
    pub name: String,
    /// `PRICE`: with discount.
    pub price: String,
    /// `PRICE_BRUTTO`.
    pub brutto: String,
    /// `PRICE_NETTO`.
    pub netto: String,
    /// `DISCOUNT_SUM`.
    pub discount: String,
    /// `QUANTITY`.
    pub quantity: String,
}

/// The JSON text that is stored; equal states give equal text.
pub fn payload(item: &impl Serialize) -> String {
    serde_json::to_string(item).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_contacts_from_deals_with_the_same_id() {
        for (entity, text) in [(Entity::Contact, "contact:500"), (Entity::Deal, "deal:500")] {
            assert_eq!((key(entity, 500), of_key(text)), (text.to_owned(), Some((entity, 500))));
        }
        assert_eq!((of_key("500"), of_key("deal:x")), (None, None));
    }
}
