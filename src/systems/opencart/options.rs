//! Which shop, and which of its products belong to the connection's owner.

use std::{collections::BTreeMap, path::PathBuf};

use crate::{
    db::{DatabaseUrl, Ident},
    fault::{Code, Fault},
};

use super::Bridge;

/// One OpenCart shop as a connection sees it.
#[derive(Clone, Debug)]
pub struct Options {
    /// The shop's database.
    pub url: DatabaseUrl,
    /// What its table names begin with, `oc_` as a rule. Letters, digits and `_`; may be empty.
    pub table_prefix: String,
    /// Which of its stores: 0 is the main one.
    pub store_id: u32,
    /// The shop's cache directory (`DIR_CACHE`), if this process can reach it.
    pub cache_dir: Option<PathBuf>,
    /// Who clears the cache instead, where the directory is out of reach.
    pub bridge: Option<Bridge>,
    /// How products are told from those of other sellers.
    pub seller: SellerAdapter,
}

impl Options {
    /// Host, database and prefix: what makes it this shop and no other.
    pub fn identity(&self) -> String {
        format!("{}/{}", self.url.identity(), self.table_prefix)
    }
}

/// How a multi-vendor module ties products to sellers (facts: MultiMerch, Purpletree, Webkul, TMD).
///
/// Either a link table with its two columns, or a column of `product` itself, together with `seller_value`; all absent = the
/// whole shop is the owner's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SellerAdapter {
    /// Table of (product, seller), with or without the shop's prefix, such as `oc_ms_product`.
    pub link_table: Option<String>,
    /// Its column with the product's id.
    pub product_column: Option<String>,
    /// Its column with the seller's id.
    pub seller_column: Option<String>,
    /// The owner's id in `seller_column` or `product_table_column`.
    pub seller_value: Option<String>,
    /// Constants for further columns of a new link row, such as an approval flag: strings, numbers, booleans or null.
    pub extra: BTreeMap<String, serde_json::Value>,
    /// Column of `product` itself that holds the seller's id, instead of a link table.
    pub product_table_column: Option<String>,
}

/// A column of `product` by which products are looked for, such as `sku`; always a checked name.
pub type KeyColumn = Ident;

/// The adapter with checked names: no text from settings goes further than here.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ownership {
    /// Everything in the shop.
    Whole,
    /// A column of `product`.
    Column { column: Ident, value: String },
    /// Rows of a link table.
    Link { table: Ident, product: Ident, seller: Ident, value: String, extra: Vec<(Ident, serde_json::Value)> },
}

impl SellerAdapter {
    /// Checks form and completeness.
    ///
    /// Errors: `ConfigInvalid` naming what is missing or contradictory; an incomplete adapter never means "the whole shop".
    pub(super) fn ownership(&self) -> Result<Ownership, Fault> {
        let wrong = |detail: &str| Fault::new(Code::ConfigInvalid, format!("opencart.seller: {detail}"));
        let value = || match self.seller_value.as_deref() {
            Some(value) if !value.is_empty() => Ok(value.to_owned()),
            _ => Err(wrong("seller_value is missing: without it the seller's products cannot be told from others")),
        };
        match (&self.link_table, &self.product_column, &self.seller_column, &self.product_table_column) {
            (None, None, None, None) if self.seller_value.is_none() && self.extra.is_empty() => Ok(Ownership::Whole),
            (None, None, None, None) => Err(wrong("seller_value or extra is given, but neither link_table nor product_table_column")),
            (None, None, None, Some(_)) if !self.extra.is_empty() => Err(wrong("extra belongs to link_table")),
            (None, None, None, Some(column)) => Ok(Ownership::Column { column: Ident::new(column.as_str())?, value: value()? }),
            (Some(table), Some(product), Some(seller), None) => {
                let mut extra = Vec::with_capacity(self.extra.len());
                for (column, constant) in &self.extra {
                    if constant.is_array() || constant.is_object() {
                        return Err(wrong(&format!("extra.{column} must be a string, a number, true, false or null")));
                    }
                    extra.push((Ident::new(column.as_str())?, constant.clone()));
                }
                Ok(Ownership::Link {
                    table: Ident::new(table.as_str())?,
                    product: Ident::new(product.as_str())?,
                    seller: Ident::new(seller.as_str())?,
                    value: value()?,
                    extra,
                })
            }
            (_, _, _, Some(_)) => Err(wrong("give either product_table_column or link_table with its columns, not both")),
            _ => Err(wrong("link_table, product_column and seller_column belong together")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn half_an_adapter_never_means_the_whole_shop() {
        assert_eq!(SellerAdapter::default().ownership().ok(), Some(Ownership::Whole));
        let link = SellerAdapter {
            link_table: some("oc_ms_product"),
            product_column: some("product_id"),
            seller_column: some("seller_id"),
            seller_value: some("42"),
            ..SellerAdapter::default()
        };
        assert!(matches!(link.ownership(), Ok(Ownership::Link { .. })));
        let bad = [
            SellerAdapter { seller_value: None, ..link.clone() },
            SellerAdapter { seller_value: some(""), ..link.clone() },
            SellerAdapter { link_table: None, ..link.clone() },
            SellerAdapter { seller_column: None, ..link.clone() },
            SellerAdapter { product_table_column: some("seller_id"), ..link.clone() },
            SellerAdapter { link_table: some("a; DROP TABLE b"), ..link.clone() },
            SellerAdapter { seller_value: some("42"), ..SellerAdapter::default() },
            SellerAdapter { product_table_column: some("seller_id"), ..SellerAdapter::default() },
            SellerAdapter { extra: BTreeMap::from([("flag".to_owned(), serde_json::json!([1]))]), ..link },
        ];
        for adapter in bad {
            assert!(adapter.ownership().is_err_and(|fault| fault.code == Code::ConfigInvalid), "{adapter:?}");
        }
    }
}
