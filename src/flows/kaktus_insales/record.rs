//! One barcode as Kaktus tells it: what the rules decide on. Stored as JSON text in `tradesync_records`; the barcode is the key.

use serde::{Deserialize, Serialize};

/// Normalised state of one barcode.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stocked {
    /// The variants of Kaktus that carry it, in the order of their ids; more than one in use is a double. None: InSales has it, Kaktus does not.
    pub holders: Vec<Holder>,
    /// A row that cannot be read: which field, and what stood there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<(String, String)>,
}

/// A variant of Kaktus.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Holder {
    /// Its product's id.
    pub product: String,
    /// Its own id; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// Both names together.
    pub name: String,
    /// Whether it is out of use.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub inactive: bool,
    /// Its stock by warehouse; empty = not told.
    pub stock: Vec<Stock>,
}

/// Stock in one warehouse. Numbers are kept as they were written, so that nonsense can be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Stock {
    /// Its name or id; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub warehouse: String,
    /// The number that counts; absent = the row has no such field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<String>,
    /// What is taken off it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minus: Option<String>,
}

impl Holder {
    /// How people find it in Kaktus.
    pub fn shown(&self) -> String {
        let id = if self.variant.is_empty() { self.product.clone() } else { format!("{}/{}", self.product, self.variant) };
        if self.name.is_empty() { id } else { format!("{} ({id})", self.name) }
    }
}

impl Stocked {
    /// The JSON text that is stored; equal states give equal text.
    pub fn to_payload(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads stored text back.
    pub fn of_payload(payload: &str) -> Self {
        serde_json::from_str(payload)
            .unwrap_or_else(|error| Self { unreadable: Some(("record".into(), error.to_string())), ..Self::default() })
    }

    /// The variants that count: those in use, unless the others are to take part as well.
    pub fn counting(&self, inactive: bool) -> Vec<&Holder> {
        self.holders.iter().filter(|holder| inactive || !holder.inactive).collect()
    }
}
