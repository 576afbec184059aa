//! One good of Billz as both APIs tell it: what the rules decide on. Stored as JSON text in `tradesync_records`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Normalised state of one source item.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Good {
    /// What it is.
    pub kind: Kind,
    /// Name as people know it.
    pub name: String,
    /// Article number; may be shared by variants.
    pub sku: String,
    /// Barcode; may be empty or doubled.
    pub barcode: String,
    /// Description, HTML as it came.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Brand.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub brand: String,
    /// Categories, flat.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<Category>,
    /// Addresses of pictures, main one first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
    /// Properties under their own names: attributes, custom fields, the properties of Billz 1.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<(String, String)>,
    /// What one of it is: a piece, a metre. Empty in Billz 1.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub unit: String,
    /// The parent of a variant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// What each shop of the company says. A shop that is absent holds nothing and has no price.
    pub shops: BTreeMap<String, Shop>,
    /// Billz 1: what the row says for the whole company; its price counts where the row does not name the office. Absent in Billz 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company: Option<Shop>,
    /// For [`Kind::Unreadable`]: which field, and what stood there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<(String, String)>,
}

/// What an item is (facts/billz-2.md section 4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Something to sell.
    #[default]
    Goods,
    /// A service.
    Service,
    /// A bundle.
    Bundle,
    /// A parent row of variants: no product.
    Parent,
    /// A row that cannot be read.
    Unreadable,
}

/// A category of Billz.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Category {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its parent's id, if it has one.
    pub parent: Option<String>,
}

/// What one shop says of a good. Numbers are kept as they were written, so that nonsense can be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Shop {
    /// Its name, if the source told it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Stock; absent = 0 in a shop that is named at all, and also where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stock: Option<String>,
    /// Retail price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<String>,
    /// Its currency; empty = the company's.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub currency: String,
    /// Price of a promotion that is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promo: Option<Promo>,
    /// Billz 1: «Сумма скидки в сумах», taken off the price; 0 = none. Absent in Billz 2, and where Billz 1 does not tell it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discount: Option<String>,
}

/// A promotion that is on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promo {
    /// The price during it.
    pub price: String,
    /// Its name.
    pub name: String,
}

impl Good {
    /// Whether Billz 1 names offices that hold the good, and none of `shops` is among them. A good that no office is named for may be
    /// anybody's: whether offices without stock are listed is unknown (facts/billz-1.md section 4.2).
    pub fn is_elsewhere(&self, shops: &[String]) -> bool {
        self.company.is_some() && !self.shops.is_empty() && !shops.iter().any(|shop| self.shops.contains_key(shop))
    }

    /// The JSON text that is stored; equal goods give equal text.
    pub fn to_payload(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads stored text back.
    pub fn of_payload(payload: &str) -> Self {
        serde_json::from_str(payload).unwrap_or_else(|error| Self {
            kind: Kind::Unreadable,
            unreadable: Some(("record".into(), error.to_string())),
            ..Self::default()
        })
    }
}

/// What people call the shops: a good names only those that have a price for it, the connection's streams name theirs.
#[derive(Clone, Debug, Default)]
pub struct ShopNames(BTreeMap<String, String>);

impl ShopNames {
    /// By (key, name); a name that is only the key again says nothing.
    pub fn new(streams: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(streams.into_iter().filter(|(key, name)| !name.trim().is_empty() && name != key).collect())
    }

    /// A shop's name: the source's own, else the stream's, else its key.
    pub fn of<'a>(&'a self, good: &'a Good, key: &'a str) -> &'a str {
        let own = good.shops.get(key).map(|shop| shop.name.as_str()).filter(|name| !name.is_empty());
        own.or_else(|| self.0.get(key).map(String::as_str)).unwrap_or(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_reads_back() {
        let good = Good {
            name: "Кабель (метр)".into(),
            shops: BTreeMap::from([(
                "s2".into(),
                Shop { stock: Some("304.5".into()), price: Some("0.35".into()), currency: "USD".into(), ..Shop::default() },
            )]),
            ..Good::default()
        };
        assert_eq!(Good::of_payload(&good.to_payload()), good);
        assert_eq!(Good::of_payload("{").kind, Kind::Unreadable);
    }
}
